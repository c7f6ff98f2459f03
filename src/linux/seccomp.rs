//! Filters of system calls (seccomp(2)): classic BPF programs of the guest about the guest's calls,
//! evaluated here before a call is served (kernel: `kernel/seccomp.c`, `net/core/filter.c`).

use super::abi::{Errno, GuestPtr, SigInfo, SysResult};
use super::host::{HostArg, Pod, has_capability, host_call};
use super::process::{Process, Thread, lock};
use super::{exit, listener};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Weak};

/// Values of `Seccomp:` in `/proc/PID/status`.
const MODE_STRICT: u32 = 1;
const MODE_FILTER: u32 = 2;

const SET_MODE_STRICT: u32 = 0;
const SET_MODE_FILTER: u32 = 1;
const GET_ACTION_AVAIL: u32 = 2;
const GET_NOTIF_SIZES: u32 = 3;

const FLAG_TSYNC: u32 = 1;
const FLAG_LOG: u32 = 2;
const FLAG_SPEC_ALLOW: u32 = 4;
const FLAG_NEW_LISTENER: u32 = 8;
const FLAG_TSYNC_ESRCH: u32 = 16;
const FLAG_WAIT_KILLABLE: u32 = 32;

const RET_KILL_PROCESS: u32 = 0x8000_0000;
const RET_KILL_THREAD: u32 = 0;
const RET_TRAP: u32 = 0x0003_0000;
const RET_ERRNO: u32 = 0x0005_0000;
const RET_USER_NOTIF: u32 = 0x7fc0_0000;
const RET_TRACE: u32 = 0x7ff0_0000;
const RET_LOG: u32 = 0x7ffc_0000;
pub(super) const RET_ALLOW: u32 = 0x7fff_0000;
const RET_ACTION: u32 = 0xffff_0000;
const RET_DATA: u32 = 0xffff;

/// `AUDIT_ARCH_RISCV64`.
pub(super) const ARCH: u32 = 0xc000_00f3;
/// `SYS_SECCOMP`.
const SYS_SECCOMP: i32 = 1;
const CAP_SYS_ADMIN: u32 = 21;
/// Longest program (`BPF_MAXINSNS`), and of all that a thread has together.
const MAX_INSTRUCTIONS: usize = 4096;
const MAX_TOTAL: usize = 32768;
/// Bytes of `struct seccomp_data`: number, architecture, pc, six arguments.
const DATA: usize = 64;
/// Largest error number.
const MAX_ERRNO: u32 = 4095;

/// Stands before the text of a program that has a listener.
const LISTENED: &str = "+";

/// One instruction: `struct sock_filter` with code, two jumps and a constant, as one word.
type Word = u64;

/// A program, and the ones installed before it.
#[derive(Debug)]
pub(super) struct Filter {
    program: Vec<Word>,
    before: Option<Arc<Filter>>,
    /// It was installed with a listener, which the host's kernel knows.
    listened: bool,
}

/// What restricts one thread.
#[derive(Debug, Default)]
pub(super) struct Restriction {
    tid: i32,
    mode: AtomicU32,
    filters: Mutex<Option<Arc<Filter>>>,
}

/// All threads' restrictions of a process.
pub(super) type Restrictions = Vec<Weak<Restriction>>;

impl Restriction {
    /// What a thread with that id starts with, when this one makes it.
    pub(super) fn inherited(&self, tid: i32) -> Self {
        Self {
            tid,
            mode: AtomicU32::new(self.mode()),
            filters: Mutex::new(lock(&self.filters).clone()),
        }
    }

    /// 0, or how it restricts.
    pub(super) fn mode(&self) -> u32 {
        self.mode.load(Ordering::Relaxed)
    }

    /// The programs, the oldest first.
    fn programs(&self) -> Vec<Arc<Filter>> {
        let newest = lock(&self.filters).clone();
        let mut all: Vec<_> =
            std::iter::successors(newest, |f: &Arc<Filter>| f.before.clone()).collect();
        all.reverse();
        all
    }

    /// Number of programs.
    pub(super) fn count(&self) -> usize {
        self.programs().len()
    }

    /// As text, for a program that inherits it; the inverse of [`Self::from_text`].
    pub(super) fn to_text(&self) -> String {
        let hex = |f: Arc<Filter>| {
            let words = f.program.iter().map(|w| format!("{w:016x}")).collect::<String>();
            format!("{}{words}", if f.listened { LISTENED } else { "" })
        };
        self.programs().into_iter().map(hex).collect::<Vec<_>>().join("/")
    }

    /// From [`Self::to_text`]; `None` for any other text.
    pub(super) fn from_text(text: &str) -> Option<Self> {
        let mut filters = None;
        for hex in text.split('/').filter(|h| !h.is_empty()) {
            let word = |w: &[u8]| u64::from_str_radix(std::str::from_utf8(w).ok()?, 16).ok();
            let listened = hex.starts_with(LISTENED);
            let hex = hex.strip_prefix(LISTENED).unwrap_or(hex);
            let program: Option<Vec<Word>> = hex.as_bytes().chunks(16).map(word).collect();
            filters = Some(Arc::new(Filter { program: program?, before: filters, listened }));
        }
        let mode = if filters.is_some() { MODE_FILTER } else { 0 };
        Some(Self { tid: 0, mode: AtomicU32::new(mode), filters: Mutex::new(filters) })
    }

    fn install(&self, filter: Arc<Filter>) {
        *lock(&self.filters) = Some(filter);
        self.mode.store(MODE_FILTER, Ordering::Relaxed);
    }
}

/// Fields of an instruction.
fn fields(word: Word) -> (u16, usize, usize, u32) {
    (word as u16, (word >> 16) as usize & 0xff, (word >> 24) as usize & 0xff, (word >> 32) as u32)
}

/// Number of cells of scratch memory.
const CELLS: u32 = 16;

/// Refuses what is no program about system calls: unknown instructions, jumps and cells that lead
/// outside, no `ret` at the end (`bpf_check_classic`, `seccomp_check_filter`).
fn is_valid(program: &[Word]) -> bool {
    let in_range = |pc: usize, offset: usize| pc + 1 + offset < program.len();
    let one = |(pc, &word): (usize, &Word)| {
        let (code, yes, no, k) = fields(word);
        match code {
            // Load a word of the data.
            0x20 => k.is_multiple_of(4) && (k as usize) < DATA,
            // Length, constants.
            0x80 | 0x81 | 0x00 | 0x01 => true,
            // Scratch memory.
            0x60 | 0x61 | 0x02 | 0x03 => k < CELLS,
            // Arithmetic: a constant divisor is not 0, a constant shift below 32.
            0x34 | 0x94 => k != 0,
            0x64 | 0x74 => k < 32,
            0x04 | 0x0c | 0x14 | 0x1c | 0x24 | 0x2c | 0x3c | 0x44 | 0x4c | 0x54 | 0x5c | 0x6c
            | 0x7c | 0x84 | 0xa4 | 0xac | 0x07 | 0x87 | 0x06 | 0x16 => true,
            0x05 => in_range(pc, k as usize),
            0x15 | 0x1d | 0x25 | 0x2d | 0x35 | 0x3d | 0x45 | 0x4d => {
                in_range(pc, yes) && in_range(pc, no)
            }
            _ => false,
        }
    };
    let ends = program.last().is_some_and(|&w| matches!(w as u16, 0x06 | 0x16));
    ends && program.iter().enumerate().all(one)
}

/// Runs a valid program. Its jumps go forwards, so it ends.
fn evaluate(program: &[Word], data: &[u8; DATA]) -> u32 {
    let (mut a, mut x, mut cells) = (0_u32, 0_u32, [0_u32; CELLS as usize]);
    let mut pc = 0;
    while let Some(&word) = program.get(pc) {
        let (code, yes, no, k) = fields(word);
        pc += 1;
        // The second operand: a constant, or X.
        let b = if code & 8 != 0 { x } else { k };
        let mut branch = |condition: bool| pc += if condition { yes } else { no };
        match code {
            0x20 => {
                let mut bytes = [0; 4];
                bytes.copy_from_slice(&data[k as usize..k as usize + 4]);
                a = u32::from_le_bytes(bytes);
            }
            0x80 => a = DATA as u32,
            0x81 => x = DATA as u32,
            0x00 => a = k,
            0x01 => x = k,
            0x60 => a = cells[k as usize],
            0x61 => x = cells[k as usize],
            0x02 => cells[k as usize] = a,
            0x03 => cells[k as usize] = x,
            0x04 | 0x0c => a = a.wrapping_add(b),
            0x14 | 0x1c => a = a.wrapping_sub(b),
            0x24 | 0x2c => a = a.wrapping_mul(b),
            // A variable divisor of 0 ends the program with 0.
            0x34 | 0x3c => match a.checked_div(b) {
                Some(quotient) => a = quotient,
                None => return 0,
            },
            0x94 => a %= b.max(1),
            0x44 | 0x4c => a |= b,
            0x54 | 0x5c => a &= b,
            0x64 | 0x6c => a = a.wrapping_shl(b),
            0x74 | 0x7c => a = a.wrapping_shr(b),
            0x84 => a = a.wrapping_neg(),
            0xa4 | 0xac => a ^= b,
            0x07 => x = a,
            0x87 => a = x,
            0x05 => pc += k as usize,
            0x15 | 0x1d => branch(a == b),
            0x25 | 0x2d => branch(a > b),
            0x35 | 0x3d => branch(a >= b),
            0x45 | 0x4d => branch(a & b != 0),
            0x16 => return a,
            _ => return k,
        }
    }
    RET_KILL_PROCESS
}

/// What a thread's restriction says about a call.
enum Verdict {
    /// It is made.
    Allow,
    /// It is not made, and this is its result.
    Result(SysResult),
    /// `SIGSYS` with this error number.
    Trap(i32),
    /// The filter's listener is asked.
    Ask,
    /// The thread ends, by this signal.
    KillThread(i32),
    /// The process ends.
    Kill,
}

fn verdict(t: &Thread) -> Verdict {
    if t.restriction.mode() == MODE_STRICT {
        // read, write, exit, rt_sigreturn.
        let allowed = matches!(t.syscall_number(), 63 | 64 | 93 | 139);
        return if allowed { Verdict::Allow } else { Verdict::KillThread(libc::SIGKILL) };
    }
    let mut data = [0; DATA];
    data[..4].copy_from_slice(&(t.syscall_number() as u32).to_le_bytes());
    data[4..8].copy_from_slice(&ARCH.to_le_bytes());
    let words = std::iter::once(t.cpu.hart().pc.wrapping_add(4)).chain(t.args());
    for (to, word) in data[8..].chunks_exact_mut(8).zip(words) {
        to.copy_from_slice(&word.to_le_bytes());
    }
    let filters = lock(&t.restriction.filters).clone();
    // The newest program's say counts among equals.
    let (answer, listened) = std::iter::successors(filters.as_ref(), |f| f.before.as_ref())
        .map(|f| (evaluate(&f.program, &data), f.listened))
        .reduce(|all, one| {
            let rank = |value: u32| (value & RET_ACTION) as i32;
            if rank(one.0) < rank(all.0) { one } else { all }
        })
        .unwrap_or((RET_ALLOW, false));
    let value = answer & RET_DATA;
    match answer & RET_ACTION {
        RET_ALLOW | RET_LOG => Verdict::Allow,
        RET_ERRNO if value == 0 => Verdict::Result(Ok(0)),
        RET_ERRNO => Verdict::Result(Err(Errno(value.min(MAX_ERRNO) as u16))),
        RET_TRAP => Verdict::Trap(value as i32),
        RET_USER_NOTIF if listened => Verdict::Ask,
        // Nobody listens and nobody traces.
        RET_USER_NOTIF | RET_TRACE => Verdict::Result(Err(Errno::ENOSYS)),
        RET_KILL_THREAD => Verdict::KillThread(libc::SIGSYS),
        _ => Verdict::Kill,
    }
}

/// Asks the thread's filters about the call that it is about to make.
///
/// # Errors
/// The result of a call that is not made.
pub(super) fn allow(t: &mut Thread) -> Result<(), SysResult> {
    match verdict(t) {
        Verdict::Allow => Ok(()),
        Verdict::Result(result) => Err(result),
        Verdict::Trap(error) => Err(trap(t, SYS_SECCOMP, error)),
        Verdict::Ask => listener::ask(t).map_or(Ok(()), Err),
        Verdict::KillThread(signal) if t.process.threads.load(Ordering::Acquire) > 1 => {
            Err(exit::sys_exit(t, signal))
        }
        verdict @ (Verdict::KillThread(_) | Verdict::Kill) => {
            let signo = match verdict {
                Verdict::KillThread(signal) => signal,
                _ => libc::SIGSYS,
            };
            exit::die_of_signal(t, &SigInfo { signo, code: SYS_SECCOMP, ..SigInfo::zeroed() })
        }
    }
}

/// Makes the call that the thread is at a SIGSYS with that code and error number.
pub(super) fn trap(t: &mut Thread, code: i32, error: i32) -> SysResult {
    let pc = t.cpu.hart().pc.wrapping_add(4);
    let mut info = SigInfo { signo: libc::SIGSYS, code, ..SigInfo::zeroed() };
    info.errno = error;
    info.fields[0] = pc;
    info.fields[1] = (t.syscall_number() & 0xffff_ffff) | u64::from(ARCH) << 32;
    t.cpu.hart_mut().pc = pc;
    t.force_signal(&info);
    Err(Errno::NO_RESULT)
}

pub(super) fn sys_seccomp(t: &mut Thread, operation: u32, flags: u32, arg: u64) -> SysResult {
    match operation {
        SET_MODE_STRICT if flags == 0 && arg == 0 => set_strict(t),
        SET_MODE_FILTER => set_filter(t, flags, GuestPtr::new(arg)),
        GET_ACTION_AVAIL if flags == 0 => {
            let action = GuestPtr::<u32>::new(arg).read(t.memory())?;
            let known = [
                RET_KILL_PROCESS,
                RET_KILL_THREAD,
                RET_TRAP,
                RET_ERRNO,
                RET_USER_NOTIF,
                RET_TRACE,
                RET_LOG,
                RET_ALLOW,
            ];
            if known.contains(&action) { Ok(0) } else { Err(Errno::EOPNOTSUPP) }
        }
        GET_NOTIF_SIZES if flags == 0 => {
            // `struct seccomp_notif`, its response, and `struct seccomp_data`.
            GuestPtr::<[u16; 3]>::new(arg).write(t.memory(), &[80, 24, DATA as u16])?;
            Ok(0)
        }
        _ => Err(Errno::EINVAL),
    }
}

/// `PR_SET_SECCOMP`, whose modes are numbered differently.
pub(super) fn set_by_prctl(t: &mut Thread, mode: u64, filter: u64) -> SysResult {
    match mode as u32 {
        MODE_STRICT => set_strict(t),
        MODE_FILTER => set_filter(t, 0, GuestPtr::new(filter)),
        _ => Err(Errno::EINVAL),
    }
}

fn set_strict(t: &Thread) -> SysResult {
    if t.restriction.mode() == MODE_FILTER {
        return Err(Errno::EINVAL);
    }
    t.restriction.mode.store(MODE_STRICT, Ordering::Relaxed);
    Ok(0)
}

/// True if a thread that sets a filter cannot fool a program with more rights.
fn may_restrict() -> bool {
    let asked = [HostArg::int(libc::PR_GET_NO_NEW_PRIVS), 0.into(), 0.into(), 0.into(), 0.into()];
    host_call(libc::SYS_prctl, &asked) == Ok(1) || has_capability(CAP_SYS_ADMIN)
}

fn set_filter(t: &mut Thread, flags: u32, arg: GuestPtr<[u64; 2]>) -> SysResult {
    let has = |flag: u32| flags & flag != 0;
    let known = FLAG_TSYNC
        | FLAG_LOG
        | FLAG_SPEC_ALLOW
        | FLAG_NEW_LISTENER
        | FLAG_TSYNC_ESRCH
        | FLAG_WAIT_KILLABLE;
    // Two meanings of one result; and nobody to wait for.
    let contradicts = (has(FLAG_TSYNC) && has(FLAG_NEW_LISTENER) && !has(FLAG_TSYNC_ESRCH))
        || (has(FLAG_WAIT_KILLABLE) && !has(FLAG_NEW_LISTENER));
    if flags & !known != 0 || contradicts {
        return Err(Errno::EINVAL);
    }
    // `struct sock_fprog`: a count in 16 bits and, from byte 8 on, an address.
    let [count, at] = arg.read(t.memory())?;
    let count = usize::from(count as u16);
    if count == 0 || count > MAX_INSTRUCTIONS {
        return Err(Errno::EINVAL);
    }
    if !may_restrict() {
        return Err(Errno::EACCES);
    }
    let program = GuestPtr::<Word>::new(at).read_array(t.memory(), count)?;
    if !is_valid(&program) || t.restriction.mode() == MODE_STRICT {
        return Err(Errno::EINVAL);
    }
    let before = lock(&t.restriction.filters).clone();
    // The kernel counts four instructions more for each program.
    let total: usize = t.restriction.programs().iter().map(|f| f.program.len() + 4).sum();
    if total + count > MAX_TOTAL {
        return Err(Errno::ENOMEM);
    }
    let listened = has(FLAG_NEW_LISTENER);
    if listened && t.restriction.programs().iter().any(|f| f.listened) {
        return Err(Errno::EBUSY);
    }
    let mut targets = vec![Arc::clone(&t.restriction)];
    if has(FLAG_TSYNC) {
        targets = t.process.restrictions();
        if let Some(stray) = stray(t, &targets) {
            return if has(FLAG_TSYNC_ESRCH) { Err(Errno::ESRCH) } else { Ok(stray as u64) };
        }
        if !listened {
            listener::share_no_new_privs();
        }
    }
    let of_host = FLAG_TSYNC | FLAG_TSYNC_ESRCH | FLAG_NEW_LISTENER | FLAG_WAIT_KILLABLE;
    let result = if listened { listener::listen(flags & of_host)? } else { 0 };
    let filter = Arc::new(Filter { program, before, listened });
    for restriction in targets {
        restriction.install(Arc::clone(&filter));
    }
    Ok(result)
}

/// A thread that has not what this one has, or less, so that a filter cannot be installed for all.
fn stray(t: &Thread, all: &[Arc<Restriction>]) -> Option<i32> {
    let mine: Vec<_> = t.restriction.programs().iter().map(Arc::as_ptr).collect();
    let strays = |r: &&Arc<Restriction>| {
        let theirs = r.programs();
        r.mode() == MODE_STRICT || theirs.last().is_some_and(|f| !mine.contains(&Arc::as_ptr(f)))
    };
    all.iter().find(strays).map(|r| r.tid)
}

impl Process {
    /// The restrictions of all threads.
    fn restrictions(&self) -> Vec<Arc<Restriction>> {
        lock(&self.restrictions).iter().filter_map(Weak::upgrade).collect()
    }

    /// Ids of the threads that have not ended.
    pub(super) fn thread_ids(&self) -> Vec<i32> {
        self.restrictions().iter().map(|r| r.tid).collect()
    }

    /// Keeps a new thread's restriction in mind.
    pub(super) fn add_restriction(&self, restriction: &Arc<Restriction>) {
        let mut all = lock(&self.restrictions);
        all.retain(|r| r.strong_count() != 0);
        all.push(Arc::downgrade(restriction));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An instruction.
    fn insn(code: u16, yes: u8, no: u8, k: u32) -> Word {
        u64::from(code) | u64::from(yes) << 16 | u64::from(no) << 24 | u64::from(k) << 32
    }

    #[test]
    fn programs_are_checked() {
        let ret = insn(0x06, 0, 0, RET_ALLOW);
        assert!(is_valid(&[ret]));
        assert!(!is_valid(&[]));
        assert!(!is_valid(&[insn(0x20, 0, 0, 0)]), "no end");
        assert!(!is_valid(&[insn(0x20, 0, 0, 64), ret]), "outside the data");
        assert!(!is_valid(&[insn(0x20, 0, 0, 2), ret]), "misaligned");
        assert!(!is_valid(&[insn(0x15, 0, 1, 0), ret]), "jump outside");
        assert!(!is_valid(&[insn(0x34, 0, 0, 0), ret]), "division by 0");
        assert!(!is_valid(&[insn(0x28, 0, 0, 0), ret]), "half words of packets");
        assert!(!is_valid(&[insn(0x02, 0, 0, 16), ret]), "cell outside");
    }

    #[test]
    fn programs_compute() {
        let mut data = [0; DATA];
        data[0] = 42;
        let program = [
            insn(0x20, 0, 0, 0),
            insn(0x15, 0, 1, 42),
            insn(0x06, 0, 0, RET_ERRNO | 1),
            insn(0x06, 0, 0, RET_ALLOW),
        ];
        assert!(is_valid(&program));
        assert_eq!(evaluate(&program, &data), RET_ERRNO | 1);
        data[0] = 41;
        assert_eq!(evaluate(&program, &data), RET_ALLOW);
        let sum = [
            insn(0x00, 0, 0, 7),
            insn(0x02, 0, 0, 3),
            insn(0x61, 0, 0, 3),
            insn(0x0c, 0, 0, 0),
            insn(0x24, 0, 0, 3),
            insn(0x16, 0, 0, 0),
        ];
        assert!(is_valid(&sum));
        assert_eq!(evaluate(&sum, &data), 42);
    }

    #[test]
    fn restrictions_survive_a_program_that_inherits_them() {
        let first = Arc::new(Filter { program: vec![1, 2], before: None, listened: true });
        let second =
            Arc::new(Filter { program: vec![u64::MAX], before: Some(first), listened: false });
        let r = Restriction::default();
        r.install(second);
        let text = r.to_text();
        let again = Restriction::from_text(&text).unwrap();
        assert_eq!((again.to_text(), again.mode(), again.count()), (text, MODE_FILTER, 2));
        assert!(again.programs()[0].listened && !again.programs()[1].listened);
        assert_eq!(Restriction::from_text("").unwrap().mode(), 0);
        assert!(Restriction::from_text("xyz").is_none());
    }
}
