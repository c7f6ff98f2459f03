//! The vector record of a signal frame (kernel: `arch/riscv/kernel/signal.c`,
//! `arch/riscv/include/uapi/asm/sigcontext.h`).
//!
//! Its header is the last eight bytes of the `sigcontext`, the rest lies behind the `ucontext`:
//! registers of configuration, the vector registers, and the header of an empty record.

use crate::cpu::Hart;
use crate::linux::abi::{Errno, GuestPtr, UContext, VectorContext};
use crate::mem::Memory;

const MAGIC: u64 = 0x5346_5457;
/// Header of a record: magic number and size.
const HEADER: u64 = 8;
const CONTEXT: u64 = size_of::<VectorContext>() as u64;
/// Word of the `sigcontext` that is its first header, and the one whose upper half is reserved.
const FIRST: usize = 31;
const RESERVED: usize = 30;

/// Bytes of a record with its header.
fn record(vlenb: u16) -> u64 {
    HEADER + CONTEXT + 32 * u64::from(vlenb)
}

/// Bytes that a frame has behind the `ucontext`, for vector registers of so many bytes; 0 for none.
pub(crate) fn room(vlenb: u16) -> u64 {
    if vlenb == 0 { 0 } else { record(vlenb).next_multiple_of(16) }
}

/// Bytes that the frame of a signal has for the vectors of `hart` now.
pub(super) fn room_now(hart: &Hart) -> u64 {
    room(if hart.vector.is_some() { hart.vector_unit.vlenb } else { 0 })
}

/// Puts the header into `uc` and writes the record behind it, at `at`; `None` if that fails.
pub(super) fn save(mem: &Memory, hart: &Hart, uc: &mut UContext, at: u64) -> Option<()> {
    let Some(v) = &hart.vector else { return Some(()) };
    let vlenb = hart.vector_unit.vlenb;
    uc.mcontext.reserved[FIRST] = MAGIC | record(vlenb) << 32;
    let data = at + CONTEXT;
    let context = VectorContext {
        vstart: v.vstart.into(),
        vl: v.vl.into(),
        vtype: v.vtype_csr(),
        vcsr: v.vcsr.into(),
        vlenb: vlenb.into(),
        datap: data,
    };
    let bytes = v.bytes.get(..32 * usize::from(vlenb))?;
    GuestPtr::new(at).write(mem, &context).ok()?;
    mem.write_bytes(data, bytes).ok()?;
    mem.write_bytes(data + bytes.len() as u64, &[0; HEADER as usize]).ok()
}

/// Takes the vector state from the frame whose `uc` it is, with the records at `at`.
///
/// # Errors
/// EINVAL for a frame that the kernel would not accept, EFAULT.
pub(super) fn restore(
    mem: &Memory,
    hart: &mut Hart,
    uc: &UContext,
    mut at: u64,
) -> Result<(), Errno> {
    let vlenb = hart.vector_unit.vlenb;
    if uc.mcontext.reserved[RESERVED] >> 32 != 0 {
        return Err(Errno::EINVAL);
    }
    let mut header = uc.mcontext.reserved[FIRST];
    while header != 0 {
        let known = header == MAGIC | record(vlenb) << 32;
        let v = hart.vector.as_mut().filter(|_| known).ok_or(Errno::EINVAL)?;
        let context: VectorContext = GuestPtr::new(at).read(mem)?;
        let bytes = v.bytes.get_mut(..32 * usize::from(vlenb)).ok_or(Errno::EINVAL)?;
        mem.read_bytes(context.datap, bytes)?;
        v.vcsr = context.vcsr as u8 & 7;
        v.vstart = context.vstart as u16;
        v.set_config(context.vtype, context.vl, vlenb);
        at = at.wrapping_add(record(vlenb));
        header = GuestPtr::<u64>::new(at.wrapping_sub(HEADER)).read(mem)?;
    }
    Ok(())
}
