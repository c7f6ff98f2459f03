//! Debug information of ELF files.

use addr2line::Context;
use gimli::{EndianSlice, LittleEndian};
use std::ops::Range;

/// What tells of source lines in an ELF file, borrowed from its bytes; `None` if it is damaged.
pub(super) fn context(bytes: &[u8]) -> Option<Context<EndianSlice<'_, LittleEndian>>> {
    let load = |id: gimli::SectionId| -> Result<_, gimli::Error> {
        let (_, range) = section(bytes, id.name());
        Ok(EndianSlice::new(bytes.get(range).unwrap_or_default(), LittleEndian))
    };
    Context::from_dwarf(gimli::Dwarf::load(load).ok()?).ok()
}

/// Address of a section, and where in the file it is; nothing if it is compressed.
pub(super) fn section(bytes: &[u8], name: &str) -> (u64, Range<usize>) {
    let Ok(elf) = goblin::elf::Elf::parse(bytes) else { return (0, 0..0) };
    let named = |h: &&goblin::elf::SectionHeader| elf.shdr_strtab.get_at(h.sh_name) == Some(name);
    let Some(header) = elf.section_headers.iter().find(named) else { return (0, 0..0) };
    let compressed = header.sh_flags & u64::from(goblin::elf::section_header::SHF_COMPRESSED) != 0;
    let absent = header.sh_type == goblin::elf::section_header::SHT_NOBITS;
    let range = header.sh_offset as usize..header.sh_offset.saturating_add(header.sh_size) as usize;
    if compressed || absent || bytes.get(range.clone()).is_none() {
        return (0, 0..0);
    }
    (header.sh_addr, range)
}
