//! What a traced thread and its tracer tell each other: words in the traced thread's memory, which
//! its tracer reads and writes while the host's kernel keeps the thread stopped.

use crate::cpu::Hart;
use crate::linux::abi::{Pod as _, SigInfo};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// `si_code` of the signals between tracer and traced thread; user space may send any negative one.
pub(crate) use crate::sys::async_signal::TRACE_CODE;

/// Why a thread has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub(crate) enum Kind {
    /// It runs.
    Running,
    /// Not for the guest to see: it tells the tracer where its words are.
    Hello,
    /// A signal is about to be delivered (signal-delivery-stop of ptrace(2)).
    Signal,
    /// It is about to make a system call.
    SyscallEntry,
    /// It has made one.
    SyscallExit,
    /// A filter of system calls asks the tracer (`PTRACE_EVENT_SECCOMP`).
    Seccomp,
    /// It has just begun, and its maker is traced.
    Born,
    /// It has begun to run another program.
    Exec,
    /// `PTRACE_INTERRUPT`.
    Interrupt,
    /// It is about to make a process or thread, of which the host's kernel tells the tracer.
    Event,
    /// It stops as its whole process does (group-stop).
    Group,
    /// It is about to end (`PTRACE_EVENT_EXIT`).
    Exit,
}

/// A system call as it was when it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Made {
    /// The thread that made it.
    pub tid: i32,
    pub pc: u64,
    pub a0: u64,
}

/// How a thread goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u64)]
pub(crate) enum Mode {
    /// To the next signal or event.
    #[default]
    Continue,
    /// Also to the next entry to or exit from a system call.
    Syscall,
    /// One instruction.
    Step,
    /// To the next entry to a system call, which is not made.
    Emulate,
    /// Without a tracer.
    Detach,
}

impl Mode {
    fn from_word(word: u64) -> Self {
        const ALL: [Mode; 5] =
            [Mode::Continue, Mode::Syscall, Mode::Step, Mode::Emulate, Mode::Detach];
        ALL.get(word as usize).copied().unwrap_or_default()
    }
}

const KIND: usize = 0;
/// `PTRACE_GETEVENTMSG`.
const MESSAGE: usize = 1;
const INFO: usize = 2;
const X: usize = INFO + 16;
const F: usize = X + 32;
const FCSR: usize = F + 32;
const ORIG_A0: usize = FCSR + 1;
const SIGMASK: usize = ORIG_A0 + 1;
/// Host address and size of the guest's memory.
const BASE: usize = SIGMASK + 1;
const SIZE: usize = BASE + 1;
/// Host address of the process's [`Rewritten`].
const REWRITTEN: usize = SIZE + 1;
const PROCESS: usize = REWRITTEN + 1;
/// From here on the tracer writes: 1 when it has let the thread go on, and how.
const REPLY: usize = PROCESS + 1;
const MODE: usize = REPLY + 1;
const SIGNAL: usize = MODE + 1;
/// Not 0 if it has changed registers or the mask.
const CHANGED: usize = SIGNAL + 1;
/// `PTRACE_O_*` as the tracer has set them.
const OPTIONS: usize = CHANGED + 1;
const WORDS: usize = OPTIONS + 1;

/// A copy of the words.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Report(pub [u64; WORDS]);

impl Report {
    /// Nothing said yet.
    pub(crate) const EMPTY: Self = Self([0; WORDS]);

    /// A thread that stops, with `info` for `PTRACE_GETSIGINFO`.
    pub(crate) fn new(kind: Kind, message: u64, info: &SigInfo) -> Self {
        let mut all = Self::EMPTY;
        (all.0[KIND], all.0[MESSAGE]) = (kind as u64, message);
        all.set_info(info);
        all
    }

    /// Where guest memory is, what voids translations, and whose thread it is.
    pub(crate) fn set_place(&mut self, base: u64, size: u64, rewritten: u64, process: u32) {
        self.0[BASE..=PROCESS].copy_from_slice(&[base, size, rewritten, process.into()]);
    }

    /// Registers and blocked signals. `orig_a0`: what a0 was when a system call was made.
    pub(crate) fn set_state(&mut self, hart: &Hart, orig_a0: u64, sigmask: u64) {
        self.0[X..X + 32].copy_from_slice(&hart.x);
        self.0[X] = hart.pc;
        self.0[F..F + 32].copy_from_slice(&hart.f);
        self.0[FCSR] = hart.fcsr().into();
        (self.0[ORIG_A0], self.0[SIGMASK]) = (orig_a0, sigmask);
    }

    /// Gives the registers to a hart.
    pub(crate) fn load(&self, hart: &mut Hart) {
        hart.pc = self.0[X] & !1;
        hart.x[1..].copy_from_slice(&self.0[X + 1..X + 32]);
        hart.f.copy_from_slice(&self.0[F..F + 32]);
        hart.set_fcsr(self.0[FCSR] as u32);
        hart.clear_reservation();
    }

    /// Why the thread has stopped; `None` for what nobody says.
    pub(crate) fn kind(&self) -> Option<Kind> {
        const ALL: [Kind; 12] = [
            Kind::Running,
            Kind::Hello,
            Kind::Signal,
            Kind::SyscallEntry,
            Kind::SyscallExit,
            Kind::Seccomp,
            Kind::Born,
            Kind::Exec,
            Kind::Interrupt,
            Kind::Event,
            Kind::Group,
            Kind::Exit,
        ];
        ALL.get(self.0[KIND] as usize).copied()
    }

    pub(crate) fn message(&self) -> u64 {
        self.0[MESSAGE]
    }

    pub(crate) fn info(&self) -> SigInfo {
        let mut info = SigInfo::zeroed();
        for (to, word) in info.bytes_mut().chunks_exact_mut(8).zip(&self.0[INFO..X]) {
            to.copy_from_slice(&word.to_ne_bytes());
        }
        info
    }

    pub(crate) fn set_info(&mut self, info: &SigInfo) {
        for (word, bytes) in self.0[INFO..X].iter_mut().zip(info.bytes().chunks_exact(8)) {
            *word = u64::from_ne_bytes(bytes.try_into().unwrap_or_default());
        }
    }

    /// `struct user_regs_struct`: pc, then x1 to x31.
    pub(crate) fn integer(&mut self) -> &mut [u64] {
        &mut self.0[X..X + 32]
    }

    /// `struct __riscv_d_ext_state`: f0 to f31, then fcsr.
    pub(crate) fn float(&mut self) -> &mut [u64] {
        &mut self.0[F..=FCSR]
    }

    pub(crate) fn orig_a0(&self) -> u64 {
        self.0[ORIG_A0]
    }

    pub(crate) fn sigmask(&mut self) -> &mut u64 {
        &mut self.0[SIGMASK]
    }

    /// Host address of `len` bytes of the guest's memory.
    pub(crate) fn host_addr(&self, addr: u64, len: u64) -> Option<u64> {
        addr.checked_add(len).filter(|&end| end <= self.0[SIZE])?;
        Some(self.0[BASE].wrapping_add(addr))
    }

    pub(crate) fn rewritten(&self) -> u64 {
        self.0[REWRITTEN]
    }

    pub(crate) fn process(&self) -> i32 {
        self.0[PROCESS] as i32
    }

    pub(crate) fn set_changed(&mut self) {
        self.0[CHANGED] = 1;
    }

    pub(crate) fn is_changed(&self) -> bool {
        self.0[CHANGED] != 0
    }

    /// What the tracer answers.
    pub(crate) fn reply(&mut self, mode: Mode, signal: i32, options: u64) {
        (self.0[REPLY], self.0[MODE], self.0[SIGNAL]) = (1, mode as u64, signal as u64);
        self.0[OPTIONS] = options;
    }

    pub(crate) fn mode(&self) -> Mode {
        Mode::from_word(self.0[MODE])
    }

    pub(crate) fn signal(&self) -> i32 {
        self.0[SIGNAL] as i32
    }
}

/// The words of one traced thread.
#[derive(Debug)]
pub(crate) struct Area(Box<[AtomicU64; WORDS]>);

impl Area {
    pub(crate) fn new() -> Self {
        Self(Box::new([const { AtomicU64::new(0) }; WORDS]))
    }

    /// Where the tracer finds them.
    pub(crate) fn address(&self) -> u64 {
        self.0.as_ptr() as u64
    }

    /// Says what the tracer shall find. Its options stay.
    pub(crate) fn say(&self, report: &Report) {
        for (word, value) in self.0[..OPTIONS].iter().zip(&report.0) {
            word.store(*value, Ordering::Relaxed);
        }
    }

    pub(crate) fn set_kind(&self, kind: Kind) {
        self.0[KIND].store(kind as u64, Ordering::Relaxed);
    }

    pub(crate) fn mode(&self) -> Mode {
        Mode::from_word(self.0[MODE].load(Ordering::Relaxed))
    }

    /// `PTRACE_O_*`.
    pub(crate) fn options(&self) -> u64 {
        self.0[OPTIONS].load(Ordering::Relaxed)
    }

    pub(crate) fn set_mode(&self, mode: Mode) {
        self.0[MODE].store(mode as u64, Ordering::Relaxed);
    }

    /// True once the tracer has let the thread go on.
    pub(crate) fn is_answered(&self) -> bool {
        self.0[REPLY].load(Ordering::Acquire) != 0
    }

    pub(crate) fn read(&self) -> Report {
        Report(std::array::from_fn(|i| self.0[i].load(Ordering::Relaxed)))
    }
}

/// Index of the word that says how a thread goes on, for a tracer that changes nothing else.
pub(crate) const MODE_OFFSET: u64 = MODE as u64 * 8;

/// Ranges of guest memory that a tracer has written to, of which translations are void: a count,
/// and so many pairs of addresses. More than there is room for: everything.
#[derive(Debug)]
pub(crate) struct Rewritten([AtomicU64; Self::WORDS]);

impl Rewritten {
    pub(crate) const PAIRS: usize = 32;
    const WORDS: usize = 1 + 2 * Self::PAIRS;

    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self([const { AtomicU64::new(0) }; Self::WORDS]))
    }

    pub(crate) fn address(&self) -> u64 {
        self.0.as_ptr() as u64
    }

    /// Takes what has been written.
    pub(crate) fn take(&self) -> Vec<std::ops::Range<u64>> {
        let count = self.0[0].swap(0, Ordering::AcqRel) as usize;
        if count > Self::PAIRS {
            return std::iter::once(0..u64::MAX).collect();
        }
        let word = |i: usize| self.0[i].load(Ordering::Relaxed);
        (0..count).map(|i| word(1 + 2 * i)..word(2 + 2 * i)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_survives_the_words() {
        let mut hart = Hart::new();
        (hart.pc, hart.x[10], hart.f[31]) = (0x1000, 7, 9);
        hart.set_fcsr(0x41);
        let info = SigInfo { signo: 5, errno: 1, code: 2, ..SigInfo::zeroed() };
        let mut report = Report::new(Kind::Signal, 3, &info);
        report.set_state(&hart, 11, 12);
        report.set_place(0x10_0000, 0x2000, 0x55, 42);
        let area = Area::new();
        area.say(&report);
        let mut found = area.read();
        assert_eq!(found.kind(), Some(Kind::Signal));
        assert_eq!((found.message(), found.info(), found.orig_a0()), (3, info, 11));
        assert_eq!((*found.sigmask(), found.rewritten(), found.process()), (12, 0x55, 42));
        assert_eq!(found.host_addr(0x1ff8, 8), Some(0x10_1ff8));
        assert_eq!(found.host_addr(0x1ff8, 9), None);
        assert_eq!(found.host_addr(u64::MAX, 9), None);
        let mut other = Hart::new();
        found.load(&mut other);
        assert_eq!((other.pc, other.x[10], other.f[31], other.fcsr()), (0x1000, 7, 9, 0x41));
        assert!(!area.is_answered());
        found.reply(Mode::Step, 9, 0);
        area.say(&found);
        assert!(area.is_answered());
        assert_eq!((area.mode(), area.read().signal()), (Mode::Step, 9));
    }

    #[test]
    fn too_many_ranges_are_everything() {
        let ranges = Rewritten::new();
        ranges.0[0].store(1, Ordering::Relaxed);
        ranges.0[1].store(16, Ordering::Relaxed);
        ranges.0[2].store(24, Ordering::Relaxed);
        assert_eq!(ranges.take().first(), Some(&(16..24)));
        assert!(ranges.take().is_empty());
        ranges.0[0].store(1 + Rewritten::PAIRS as u64, Ordering::Relaxed);
        assert_eq!(ranges.take().first(), Some(&(0..u64::MAX)));
    }
}
