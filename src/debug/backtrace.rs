//! How a thread came to where it is: the calls that have not returned, by the unwind tables of the
//! files that are mapped (`.eh_frame`; DWARF 5, section 6.4), with the lines of their sources.

use super::symbols::{Symbols, read_below};
use crate::cpu::Hart;
use crate::isa::{self, Isa, Op};
use crate::mem::{Backing, Memory};
use crate::util::PAGE_SIZE;
use crate::vm::elf::Elf;
use addr2line::Context;
use gimli::{
    BaseAddresses, CfaRule, EhFrame, EndianSlice, LittleEndian, Register, RegisterRule,
    UnwindContext, UnwindSection as _,
};
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

/// What is known of a function's caller.
enum Caller {
    /// Its registers; its pc is that of `ra`.
    Found(Box<[u64; 32]>),
    /// There is none: the function is a thread's first.
    None,
    /// There are no tables.
    Unknown,
}

/// The calls of the thread at `hart`, the innermost first, 32 at most. `roots` are directories
/// below which the guest's files are looked for first. Where there are no tables, which compilers
/// leave out for C by default, the instructions at the function's beginning tell what they saved
/// where; where there are no symbols either, or memory cannot be read, the list ends.
#[must_use]
pub fn backtrace(memory: &Memory, hart: &Hart, roots: &[PathBuf]) -> Vec<Frame> {
    let mut symbols = Symbols::new(roots.to_vec());
    let mut images = Images { roots, read: BTreeMap::new() };
    let (mut pc, mut x) = (hart.pc, hart.x);
    let mut frames = Vec::new();
    while frames.len() < MOST {
        // A call may be the last instruction of its function.
        let inside = if frames.is_empty() { pc } else { pc.wrapping_sub(1) };
        let found = images.at(memory, inside);
        frames.push(Frame {
            pc,
            // How far it is from the beginning is told of where it goes on.
            name: match symbols.start(memory, inside) == symbols.start(memory, pc) {
                true => symbols.name(memory, pc),
                false => symbols.name(memory, inside),
            },
            line: found.and_then(|(image, addr)| image.line(addr)),
        });
        let up = match images.at(memory, inside) {
            Some((image, addr)) => image.unwind(memory, addr, &x),
            None => Caller::Unknown,
        };
        let innermost = frames.len() == 1;
        let next = match up {
            Caller::Found(caller) => *caller,
            // A jump to nowhere was a call, mostly.
            Caller::Unknown if innermost && memory.mapping(pc).is_none() => x,
            Caller::Unknown => {
                let start = symbols.start(memory, inside);
                match start.and_then(|start| by_prologue(memory, start..pc, &x, innermost)) {
                    Some(caller) => caller,
                    None => break,
                }
            }
            Caller::None => break,
        };
        let is_code = |at| memory.mapping(at).is_some_and(|(_, m)| m.prot.executable());
        if (next[RA], next[SP]) == (pc, x[SP]) || !is_code(next[RA].wrapping_sub(1)) {
            break;
        }
        (pc, x) = (next[RA], next);
    }
    frames
}

/// Files that are mapped, as far as they were looked at.
struct Images<'a> {
    roots: &'a [PathBuf],
    read: BTreeMap<PathBuf, Option<Image>>,
}

struct Image {
    bytes: Vec<u8>,
    elf: Elf,
}

impl Images<'_> {
    /// The file that is mapped at `pc`, and the address of that place as the file counts.
    fn at(&mut self, memory: &Memory, pc: u64) -> Option<(&Image, u64)> {
        let (range, mapping) = memory.mapping(pc)?;
        let Backing::File { path, offset, .. } = mapping.backing else { return None };
        let roots = self.roots;
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
        Some(Self { bytes, elf })
    }

    /// Address and bytes of a section; nothing if it is compressed.
    fn section(&self, name: &str) -> (u64, &[u8]) {
        let Ok(elf) = goblin::elf::Elf::parse(&self.bytes) else { return (0, &[]) };
        let named =
            |h: &&goblin::elf::SectionHeader| elf.shdr_strtab.get_at(h.sh_name) == Some(name);
        let Some(header) = elf.section_headers.iter().find(named) else { return (0, &[]) };
        let compressed =
            header.sh_flags & u64::from(goblin::elf::section_header::SHF_COMPRESSED) != 0;
        let absent = header.sh_type == goblin::elf::section_header::SHT_NOBITS;
        let range =
            header.sh_offset as usize..header.sh_offset.saturating_add(header.sh_size) as usize;
        match self.bytes.get(range) {
            Some(bytes) if !compressed && !absent => (header.sh_addr, bytes),
            _ => (0, &[]),
        }
    }

    /// File and line of the source at `addr`.
    fn line(&self, addr: u64) -> Option<String> {
        let load = |id: gimli::SectionId| -> Result<_, gimli::Error> {
            Ok(EndianSlice::new(self.section(id.name()).1, LittleEndian))
        };
        let context = Context::from_dwarf(gimli::Dwarf::load(load).ok()?).ok()?;
        let location = context.find_location(addr).ok()??;
        Some(format!("{}:{}", location.file?, location.line?))
    }

    /// The caller of what is at `addr` with the registers `x`.
    fn unwind(&self, memory: &Memory, addr: u64, x: &[u64; 32]) -> Caller {
        self.by_tables(memory, addr, x).unwrap_or(Caller::Unknown)
    }

    fn by_tables(&self, memory: &Memory, addr: u64, x: &[u64; 32]) -> Option<Caller> {
        let (at, bytes) = self.section(".eh_frame");
        let mut section = EhFrame::new(bytes, LittleEndian);
        section.set_address_size(8);
        let bases = BaseAddresses::default().set_eh_frame(at);
        let mut context = UnwindContext::new();
        let row = section
            .unwind_info_for_address(&bases, &mut context, addr, EhFrame::cie_from_offset)
            .ok()?;
        let CfaRule::RegisterAndOffset { register, offset } = *row.cfa() else { return None };
        let cfa = x.get(usize::from(register.0))?.wrapping_add_signed(offset);
        let mut caller = *x;
        caller[SP] = cfa;
        for (n, slot) in caller.iter_mut().enumerate().skip(1) {
            match row.register(Register(n as u16)) {
                Some(RegisterRule::Offset(offset)) => {
                    let mut word = [0; 8];
                    memory.read_bytes(cfa.wrapping_add_signed(offset), &mut word).ok()?;
                    *slot = u64::from_le_bytes(word);
                }
                Some(RegisterRule::Undefined) if n == RA => return Some(Caller::None),
                _ => {}
            }
        }
        Some(Caller::Found(Box::new(caller)))
    }
}

/// Instructions of a function that are looked at.
const LONGEST: usize = 4096;

/// The registers of the caller of a function of which the instructions of `code` were executed, as
/// far as they are at its beginning: by how they lower the stack pointer, and what they save.
fn by_prologue(
    memory: &Memory,
    code: Range<u64>,
    x: &[u64; 32],
    innermost: bool,
) -> Option<[u64; 32]> {
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
    let mut caller = *x;
    caller[SP] = x[SP].wrapping_add_signed(lowered);
    for (slot, place) in caller.iter_mut().zip(saved) {
        if let Some(place) = place {
            let mut word = [0; 8];
            let at = x[SP].wrapping_add_signed(lowered + place);
            memory.read_bytes(at, &mut word).ok()?;
            *slot = u64::from_le_bytes(word);
        }
    }
    Some(caller)
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
