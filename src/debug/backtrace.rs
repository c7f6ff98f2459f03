//! How a thread came to where it is: the calls that have not returned, by the unwind tables of the
//! files that are mapped (`.eh_frame`; DWARF 5, section 6.4), with the lines of their sources.

use super::dwarf::{self, section};
use super::symbols::{Symbols, read_below};
use crate::cpu::Hart;
use crate::isa::{self, Isa, Op};
use crate::mem::{Backing, Memory};
use crate::util::PAGE_SIZE;
use crate::vm::elf::Elf;
use gimli::{
    BaseAddresses, CfaRule, EhFrame, EhFrameHdr, LittleEndian, Register, RegisterRule,
    UnwindContext, UnwindSection as _, UnwindTableRow,
};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Calls that are shown at most.
const MOST: usize = 32;

/// DWARF's numbers of `ra` and `sp` (psABI, "DWARF Register Numbers").
const RA: usize = 1;
const SP: usize = 2;

/// One of the calls that have not returned.
#[derive(Debug)]
pub struct Frame {
    /// Where it is: for all but the first, where it will go on.
    pub pc: u64,
    /// What is there; see [`Symbols::name`].
    pub name: Option<String>,
    /// File and line of the source, where the file tells.
    pub line: Option<String>,
}

/// Where a function keeps what its caller had in registers, at one of its instructions.
#[derive(Clone, Debug)]
enum Row {
    /// The caller's stack pointer is a register's value and an offset, and registers of it are in
    /// memory at offsets from there.
    Frame { base: usize, offset: i64, saved: Vec<(usize, i64)> },
    /// There is no caller: the function is a thread's first.
    First,
}

/// The calls of the thread at `hart`, the innermost first, 32 at most. `roots` are directories
/// below which the guest's files are looked for first. Where there are no tables, which compilers
/// leave out for C by default, the instructions at the function's beginning tell what they saved
/// where; where there are no symbols either, or memory cannot be read, the list ends.
#[must_use]
pub fn backtrace(memory: &Memory, hart: &Hart, roots: &[PathBuf]) -> Vec<Frame> {
    let mut unwinder = Unwinder::new(roots.to_vec());
    let pcs = unwinder.chain(memory, hart, MOST);
    let frame = |(n, &pc): (usize, &u64)| {
        // A call may be the last instruction of its function.
        let inside = if n == 0 { pc } else { pc.wrapping_sub(1) };
        let Unwinder { symbols, images, .. } = &mut unwinder;
        Frame {
            pc,
            // How far it is from the beginning is told of where it goes on.
            name: match symbols.start(memory, inside) == symbols.start(memory, pc) {
                true => symbols.name(memory, pc),
                false => symbols.name(memory, inside),
            },
            line: images.at(memory, inside).and_then(|(image, addr)| image.line(addr)),
        }
    };
    pcs.iter().enumerate().map(frame).collect()
}

/// Finds callers, and remembers how.
pub(super) struct Unwinder {
    symbols: Symbols,
    images: Images,
    /// By address, and whether it is the innermost function's: what is known of it.
    rows: FxHashMap<(u64, bool), Option<Row>>,
}

impl Unwinder {
    /// One that looks for the guest's files below `roots` first.
    pub(super) fn new(roots: Vec<PathBuf>) -> Self {
        let images = Images::new(roots.clone());
        Self { symbols: Symbols::new(roots), images, rows: FxHashMap::default() }
    }

    /// Where the calls of the thread at `hart` are, the innermost first, `most` at most.
    pub(super) fn chain(&mut self, memory: &Memory, hart: &Hart, most: usize) -> Vec<u64> {
        let (mut pc, mut x) = (hart.pc, hart.x);
        let mut chain = vec![pc];
        while chain.len() < most {
            let innermost = chain.len() == 1;
            let next = match self.row(memory, pc, innermost) {
                Some(Row::Frame { base, offset, saved }) => {
                    let caller = caller(memory, &x, (*base, *offset), saved);
                    match caller {
                        Some(caller) => caller,
                        None => break,
                    }
                }
                Some(Row::First) => break,
                // A jump to nowhere was a call, mostly.
                None if innermost && memory.mapping(pc).is_none() => x,
                None => break,
            };
            let is_code = |at| memory.mapping(at).is_some_and(|(_, m)| m.prot.executable());
            if (next[RA], next[SP]) == (pc, x[SP]) || !is_code(next[RA].wrapping_sub(1)) {
                break;
            }
            (pc, x) = (next[RA], next);
            chain.push(pc);
        }
        chain
    }

    /// What is known at `pc`, behind a call if the function is not the innermost.
    fn row(&mut self, memory: &Memory, pc: u64, innermost: bool) -> Option<&Row> {
        if !self.rows.contains_key(&(pc, innermost)) {
            let inside = if innermost { pc } else { pc.wrapping_sub(1) };
            let tables = self.images.at(memory, inside);
            let row = tables.and_then(|(image, addr)| image.row(addr)).or_else(|| {
                let start = self.symbols.start(memory, inside)?;
                by_prologue(memory, start..pc, innermost)
            });
            self.rows.insert((pc, innermost), row);
        }
        self.rows[&(pc, innermost)].as_ref()
    }
}

/// The registers of the caller; `None` if memory cannot be read.
fn caller(
    memory: &Memory,
    x: &[u64; 32],
    (base, offset): (usize, i64),
    saved: &[(usize, i64)],
) -> Option<[u64; 32]> {
    let cfa = x[base].wrapping_add_signed(offset);
    let mut caller = *x;
    caller[SP] = cfa;
    for &(register, offset) in saved {
        let mut word = [0; 8];
        memory.read_bytes(cfa.wrapping_add_signed(offset), &mut word).ok()?;
        caller[register] = u64::from_le_bytes(word);
    }
    Some(caller)
}

/// Files that are mapped, as far as they were looked at.
pub(super) struct Images {
    roots: Vec<PathBuf>,
    read: BTreeMap<PathBuf, Option<Image>>,
}

struct Image {
    bytes: Vec<u8>,
    elf: Elf,
    /// Addresses of `.eh_frame` and `.eh_frame_hdr`, and where in the file they are.
    frames: (u64, Range<usize>),
    index: (u64, Range<usize>),
}

impl Images {
    /// Files that are looked for below `roots` first.
    pub(super) fn new(roots: Vec<PathBuf>) -> Self {
        Self { roots, read: BTreeMap::new() }
    }

    /// The file that is mapped at `pc`, and the address of that place as the file counts.
    pub(super) fn place(&mut self, memory: &Memory, pc: u64) -> Option<(PathBuf, u64)> {
        let (_, mapping) = memory.mapping(pc)?;
        let Backing::File { path, .. } = mapping.backing else { return None };
        let (_, addr) = self.at(memory, pc)?;
        Some((path.to_path_buf(), addr))
    }

    /// The file that is mapped at `pc`, and the address of that place as the file counts.
    fn at(&mut self, memory: &Memory, pc: u64) -> Option<(&Image, u64)> {
        let (range, mapping) = memory.mapping(pc)?;
        let Backing::File { path, offset, .. } = mapping.backing else { return None };
        let roots = &self.roots;
        let image = self
            .read
            .entry(path.to_path_buf())
            .or_insert_with(|| Image::read(roots, &path))
            .as_ref()?;
        let at = offset + (pc - range.start);
        // What is mapped are pages, and the segment may begin within one.
        let segment = image
            .elf
            .segments
            .iter()
            .find(|s| (s.file.start & !(PAGE_SIZE - 1)..s.file.end).contains(&at))?;
        Some((image, segment.addr.wrapping_add(at.wrapping_sub(segment.file.start))))
    }
}

impl Image {
    fn read(roots: &[PathBuf], path: &Path) -> Option<Self> {
        let bytes = read_below(roots, path)?;
        let elf = Elf::parse(&bytes, bytes.len() as u64).ok()?;
        let (frames, index) = (section(&bytes, ".eh_frame"), section(&bytes, ".eh_frame_hdr"));
        Some(Self { bytes, elf, frames, index })
    }

    /// File and line of the source at `addr`.
    fn line(&self, addr: u64) -> Option<String> {
        let context = dwarf::context(&self.bytes)?;
        let location = context.find_location(addr).ok()??;
        Some(format!("{}:{}", location.file?, location.line?))
    }

    /// What the tables say of the caller of what is at `addr`.
    fn row(&self, addr: u64) -> Option<Row> {
        let (at, bytes) = (self.frames.0, self.bytes.get(self.frames.1.clone())?);
        let mut frames = EhFrame::new(bytes, LittleEndian);
        frames.set_address_size(8);
        let (index_at, index) = (self.index.0, self.bytes.get(self.index.1.clone())?);
        let bases = BaseAddresses::default().set_eh_frame(at).set_eh_frame_hdr(index_at);
        let mut context = UnwindContext::new();
        let header = EhFrameHdr::new(index, LittleEndian).parse(&bases, 8).ok();
        let row = match header.as_ref().and_then(|header| header.table()) {
            Some(table) => table.unwind_info_for_address(
                &frames,
                &bases,
                &mut context,
                addr,
                EhFrame::cie_from_offset,
            ),
            None => {
                frames.unwind_info_for_address(&bases, &mut context, addr, EhFrame::cie_from_offset)
            }
        };
        row_of(row.ok()?)
    }
}

/// What a row of the tables says.
fn row_of(row: &UnwindTableRow<usize>) -> Option<Row> {
    let CfaRule::RegisterAndOffset { register, offset } = *row.cfa() else { return None };
    let base = usize::from(register.0);
    let mut saved = Vec::new();
    for n in 1..32 {
        match row.register(Register(n as u16)) {
            Some(RegisterRule::Offset(offset)) => saved.push((n, offset)),
            Some(RegisterRule::Undefined) if n == RA => return Some(Row::First),
            _ => {}
        }
    }
    (base < 32).then_some(Row::Frame { base, offset, saved })
}

/// Instructions of a function that are looked at.
const LONGEST: usize = 4096;

/// The same of a function of which the instructions of `code` were executed, as far as they are at
/// its beginning: by how they lower the stack pointer, and what they save.
fn by_prologue(memory: &Memory, code: Range<u64>, innermost: bool) -> Option<Row> {
    let (mut at, mut lowered) = (code.start, 0_i64);
    // Where registers are, from the stack pointer that the caller had.
    let mut saved = [None; 32];
    for _ in 0..LONGEST {
        if at >= code.end {
            break;
        }
        let insn = isa::decode(code_at(memory, at)?, &Isa::MAX)?;
        let imm = i64::from(insn.imm);
        match insn.op {
            Op::Addi if (insn.rd, insn.rs1) == (2, 2) && imm < 0 => lowered -= imm,
            Op::Sd if insn.rs1 == 2 => {
                saved[usize::from(insn.rs2)].get_or_insert(imm - lowered);
            }
            _ => {}
        }
        at += u64::from(insn.len);
    }
    // Only the innermost function may still have it in its register.
    if saved[RA].is_none() && !innermost {
        return None;
    }
    let saved = saved.iter().enumerate().filter_map(|(n, place)| Some((n, (*place)?))).collect();
    Some(Row::Frame { base: SP, offset: lowered, saved })
}

/// The two or four bytes of the instruction at `pc`, if they can be read.
#[must_use]
pub fn code_at(memory: &Memory, pc: u64) -> Option<u32> {
    let mut bytes = [0; 4];
    memory.read_bytes(pc, &mut bytes[..2]).ok()?;
    if bytes[0] & 3 == 3 {
        memory.read_bytes(pc.wrapping_add(2), &mut bytes[2..]).ok()?;
    }
    Some(u32::from_le_bytes(bytes))
}
