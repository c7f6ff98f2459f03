//! What a program finds on its stack: arguments, environment and the auxiliary vector
//! (getauxval(3); kernel: `create_elf_tables`).

use crate::linux::exec::loader::{LoadError, Loaded};
use crate::linux::exec::setid;
use crate::linux::signal::actions::FRAME;
use crate::mem::{Fault, Memory};
use crate::util::PAGE_SIZE;
use std::ops::Range;

/// Types of the auxiliary vector's entries (`linux/auxvec.h`).
mod at {
    pub(crate) const NULL: u64 = 0;
    pub(crate) const PHDR: u64 = 3;
    pub(crate) const PHENT: u64 = 4;
    pub(crate) const PHNUM: u64 = 5;
    pub(crate) const PAGESZ: u64 = 6;
    pub(crate) const BASE: u64 = 7;
    pub(crate) const FLAGS: u64 = 8;
    pub(crate) const ENTRY: u64 = 9;
    pub(crate) const UID: u64 = 11;
    pub(crate) const EUID: u64 = 12;
    pub(crate) const GID: u64 = 13;
    pub(crate) const EGID: u64 = 14;
    pub(crate) const HWCAP: u64 = 16;
    pub(crate) const CLKTCK: u64 = 17;
    pub(crate) const SECURE: u64 = 23;
    pub(crate) const RANDOM: u64 = 25;
    pub(crate) const EXECFN: u64 = 31;
    pub(crate) const SYSINFO_EHDR: u64 = 33;
    pub(crate) const MINSIGSTKSZ: u64 = 51;
}

/// What is put on the stack.
#[derive(Debug)]
pub(crate) struct Contents<'a> {
    pub args: &'a [Vec<u8>],
    pub env: &'a [Vec<u8>],
    /// Name under which the program was started.
    pub execfn: &'a [u8],
    /// What other guest processes are told ([`crate::linux::task::peers`]): strings, the last
    /// one's NUL missing.
    pub description: &'a [u8],
    pub loaded: &'a Loaded,
    pub hwcap: u64,
    /// Bytes that the frame of a signal may have for vector state.
    pub vector_room: u64,
    /// Address of the vDSO's image.
    pub vdso: Option<u64>,
    /// Real and effective user, real and effective group.
    pub ids: [u32; 4],
    pub random: [u8; 16],
}

/// Sixteen bytes that follow from `seed` and look random (SplitMix64).
pub(crate) fn random_from(seed: u64) -> [u8; 16] {
    let mix = |n: u64| {
        let mut z = seed.wrapping_add(n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    };
    (u128::from(mix(1)) << 64 | u128::from(mix(2))).to_le_bytes()
}

/// The finished stack.
#[derive(Debug)]
pub(crate) struct Stack {
    /// Initial stack pointer.
    pub sp: u64,
    /// The auxiliary vector's bytes.
    pub auxv: Vec<u8>,
}

/// Writes strings downwards from the top, and remembers where.
struct Strings<'a> {
    mem: &'a Memory,
    at: u64,
}

impl Strings<'_> {
    fn push(&mut self, bytes: &[u8]) -> Result<u64, Fault> {
        self.at -= bytes.len() as u64 + 1;
        self.mem.write_bytes(self.at, bytes)?;
        self.mem.write_u8(self.at + bytes.len() as u64, 0)?;
        Ok(self.at)
    }

    /// In reverse, so that the first lies lowest, as programs that rewrite their title expect.
    fn push_all(&mut self, all: &[Vec<u8>]) -> Result<Vec<u64>, Fault> {
        let mut at = all.iter().rev().map(|s| self.push(s)).collect::<Result<Vec<_>, _>>()?;
        at.reverse();
        Ok(at)
    }
}

/// Fills the top of `stack`.
pub(crate) fn build(
    mem: &Memory,
    stack: &Range<u64>,
    contents: &Contents<'_>,
) -> Result<Stack, LoadError> {
    // As the kernel does, a quarter of the stack at most.
    let strings = |all: &[Vec<u8>]| all.iter().map(|s| s.len() as u64 + 9).sum::<u64>();
    let total = strings(contents.args) + strings(contents.env) + contents.execfn.len() as u64;
    if total > (stack.end - stack.start) / 4 * 3 {
        return Err(LoadError::TooLong);
    }
    write(mem, stack, contents).map_err(|_| LoadError::TooLong)
}

/// Where [`build`] puts the first argument; the others follow, then the environment.
pub(crate) fn strings(stack: &Range<u64>, c: &Contents<'_>) -> u64 {
    let len = |all: &[Vec<u8>]| all.iter().map(|s| s.len() as u64 + 1).sum::<u64>();
    let above = c.description.len() as u64 + 1 + c.execfn.len() as u64 + 1;
    stack.end - 8 - above - len(c.env) - len(c.args)
}

fn write(mem: &Memory, stack: &Range<u64>, c: &Contents<'_>) -> Result<Stack, Fault> {
    let mut strings = Strings { mem, at: stack.end - 8 };
    strings.push(c.description)?;
    let execfn = strings.push(c.execfn)?;
    let env = strings.push_all(c.env)?;
    let args = strings.push_all(c.args)?;
    let random = (strings.at - 16) & !15;
    mem.write_bytes(random, &c.random)?;

    // The kernel's order: what is the architecture's comes first.
    let vdso = c.vdso.map(|at| (at::SYSINFO_EHDR, at));
    let auxv = [
        (at::HWCAP, c.hwcap),
        (at::PAGESZ, PAGE_SIZE),
        (at::CLKTCK, 100),
        (at::PHDR, c.loaded.phdr),
        (at::PHENT, 56),
        (at::PHNUM, u64::from(c.loaded.phnum)),
        (at::BASE, c.loaded.base),
        (at::FLAGS, 0),
        (at::ENTRY, c.loaded.entry),
        (at::UID, u64::from(c.ids[0])),
        (at::EUID, u64::from(c.ids[1])),
        (at::GID, u64::from(c.ids[2])),
        (at::EGID, u64::from(c.ids[3])),
        (at::SECURE, setid::is_secure(c.ids).into()),
        (at::RANDOM, random),
        (at::EXECFN, execfn),
        (at::MINSIGSTKSZ, FRAME + c.vector_room),
        (at::NULL, 0),
    ];
    let mut words = vec![args.len() as u64];
    words.extend(&args);
    words.push(0);
    words.extend(&env);
    words.push(0);
    let before = words.len();
    words.extend(vdso.iter().chain(&auxv).flat_map(|&(k, v)| [k, v]));

    let sp = (random - words.len() as u64 * 8) & !15;
    let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
    mem.write_bytes(sp, &bytes)?;
    Ok(Stack { sp, auxv: bytes[before * 8..].to_vec() })
}
