//! Filters of system calls: what restricts a thread, and the programs' meaning (seccomp(2); kernel:
//! `kernel/seccomp.c`, `net/core/filter.c`).

use crate::linux::lock::lock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Weak};

/// Values of `Seccomp:` in `/proc/PID/status`.
pub(super) const MODE_STRICT: u32 = 1;
pub(super) const MODE_FILTER: u32 = 2;

pub(super) const RET_KILL_PROCESS: u32 = 0x8000_0000;
pub(super) const RET_KILL_THREAD: u32 = 0;
pub(super) const RET_TRAP: u32 = 0x0003_0000;
pub(super) const RET_ERRNO: u32 = 0x0005_0000;
pub(super) const RET_USER_NOTIF: u32 = 0x7fc0_0000;
pub(super) const RET_TRACE: u32 = 0x7ff0_0000;
pub(super) const RET_LOG: u32 = 0x7ffc_0000;
pub(crate) const RET_ALLOW: u32 = 0x7fff_0000;
pub(super) const RET_ACTION: u32 = 0xffff_0000;
pub(super) const RET_DATA: u32 = 0xffff;

/// `AUDIT_ARCH_RISCV64`.
pub(crate) const ARCH: u32 = 0xc000_00f3;
/// Bytes of `struct seccomp_data`: number, architecture, pc, six arguments.
pub(super) const DATA: usize = 64;

/// Stands before the text of a program that has a listener.
const LISTENED: &str = "+";

/// One instruction: `struct sock_filter` with code, two jumps and a constant, as one word.
pub(super) type Word = u64;

/// A program, and the ones installed before it.
#[derive(Debug)]
pub(crate) struct Filter {
    pub(super) program: Vec<Word>,
    pub(super) before: Option<Arc<Filter>>,
    /// It was installed with a listener, which the host's kernel knows.
    pub(super) listened: bool,
}

/// What restricts one thread.
#[derive(Debug, Default)]
pub(crate) struct Restriction {
    pub(super) tid: i32,
    pub(super) mode: AtomicU32,
    pub(super) filters: Mutex<Option<Arc<Filter>>>,
}

/// All threads' restrictions of a process.
pub(crate) type Restrictions = Vec<Weak<Restriction>>;

impl Restriction {
    /// What a thread with that id starts with, when this one makes it.
    pub(crate) fn inherited(&self, tid: i32) -> Self {
        Self {
            tid,
            mode: AtomicU32::new(self.mode()),
            filters: Mutex::new(lock(&self.filters).clone()),
        }
    }

    /// 0, or how it restricts.
    pub(crate) fn mode(&self) -> u32 {
        self.mode.load(Ordering::Relaxed)
    }

    /// The programs, the oldest first.
    pub(super) fn programs(&self) -> Vec<Arc<Filter>> {
        let newest = lock(&self.filters).clone();
        let mut all: Vec<_> =
            std::iter::successors(newest, |f: &Arc<Filter>| f.before.clone()).collect();
        all.reverse();
        all
    }

    /// Number of programs.
    pub(crate) fn count(&self) -> usize {
        self.programs().len()
    }

    /// As text, for a program that inherits it; the inverse of [`Self::from_text`].
    pub(crate) fn to_text(&self) -> String {
        let hex = |f: Arc<Filter>| {
            let words = f.program.iter().map(|w| format!("{w:016x}")).collect::<String>();
            format!("{}{words}", if f.listened { LISTENED } else { "" })
        };
        self.programs().into_iter().map(hex).collect::<Vec<_>>().join("/")
    }

    /// From [`Self::to_text`]; `None` for any other text.
    pub(crate) fn from_text(text: &str) -> Option<Self> {
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

    pub(super) fn install(&self, filter: Arc<Filter>) {
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
pub(super) fn is_valid(program: &[Word]) -> bool {
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
pub(super) fn evaluate(program: &[Word], data: &[u8; DATA]) -> u32 {
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
