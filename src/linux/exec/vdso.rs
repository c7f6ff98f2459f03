//! The vDSO (vdso(7)): an image in a page of its own, with functions that programs find by the
//! auxiliary vector, and the code that signal handlers return to. It is made of the sources beside
//! `vdso.so` by the script `build` there.

use crate::isa::{Ext, Isa};
use crate::linux::exec::loader::LoadError;
use crate::linux::mm::layout;
use crate::linux::signal::actions::SIGRETURN_CODE;
use crate::mem::{MapError, Mapping, Memory, Prot};
use crate::util::PAGE_SIZE;

static IMAGE: &[u8] = include_bytes!("vdso/vdso.so");

/// Where the image lies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Vdso {
    /// Its address, unless its functions need instructions that the program may not use.
    pub image: Option<u64>,
    /// Address of the code that returns from a signal handler.
    pub sigreturn: u64,
}

/// Offset of the code that returns from a signal handler, in bytes.
fn sigreturn() -> Option<u64> {
    let code = SIGRETURN_CODE.map(u32::to_le_bytes).concat();
    let words = || IMAGE.chunks_exact(4);
    let at = words().zip(words().skip(1)).position(|(a, b)| [a, b].concat() == code)?;
    Some(4 * at as u64)
}

/// Maps the image as high as it can be below `top`.
///
/// # Errors
/// There is no room.
pub(crate) fn map(mem: &Memory, isa: &Isa, top: u64) -> Result<Vdso, LoadError> {
    let at =
        layout::find_room(mem, top, PAGE_SIZE, true).ok_or(LoadError::Memory(MapError::NoSpace))?;
    let page = Mapping::anonymous(Prot::RW, Some("[vdso]"));
    mem.map(at, PAGE_SIZE, page, None, true)?;
    mem.write_bytes(at, IMAGE).map_err(|_| LoadError::Memory(MapError::NotMapped))?;
    mem.protect(at, PAGE_SIZE, Prot::RX)?;
    let known = isa.has(Ext::M) && isa.has(Ext::Zicntr) && isa.has(Ext::Zihpm);
    let sigreturn = at + sigreturn().unwrap_or(0);
    Ok(Vdso { image: known.then_some(at), sigreturn })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_image_is_a_page_with_code_that_returns_from_handlers() {
        assert!(IMAGE.len() as u64 <= PAGE_SIZE && IMAGE.starts_with(b"\x7fELF"));
        assert!(sigreturn().is_some());
    }
}
