//! Memory of a ring in the guest's address space.

use super::name::find;
use super::ring::Ring;
use crate::linux::abi::{Errno, Fd, SysResult};
use crate::linux::lock::lock;
use crate::linux::mm::layout::{find_room, min_addr};
use crate::linux::process::Thread;
use crate::mem::{Backing, Mapping, Prot};
use crate::util::page_up;
use std::path::PathBuf;
use std::sync::Arc;

/// Parts of a ring that can be mapped, by the offset in its file (`IORING_OFF_*`).
const PARTS: u64 = 0xf800_0000;
const PART_SQ_RING: u64 = 0;
const PART_CQ_RING: u64 = 0x800_0000;
const PART_ENTRIES: u64 = 0x1000_0000;
const PART_BUFFERS: u64 = 0x8000_0000;
/// From this bit on the offset says of which group the buffers are.
const GROUP_SHIFT: u32 = 16;

/// Serves mmap(2) of a ring; `None` if the descriptor is none.
pub(crate) fn map(
    t: &Thread,
    fd: i32,
    (addr, len): (u64, u64),
    (prot, shared): (Prot, bool),
    offset: u64,
) -> Option<SysResult> {
    let ring = find(t, Fd(fd))?;
    Some(map_part(t, &ring, (addr, len), (prot, shared), offset))
}

fn map_part(
    t: &Thread,
    ring: &Ring,
    (addr, len): (u64, u64),
    (prot, shared): (Prot, bool),
    offset: u64,
) -> SysResult {
    if len == 0 {
        return Err(Errno::EINVAL);
    }
    let mem = t.memory();
    let len = page_up(len).filter(|&l| l <= mem.size()).ok_or(Errno::ENOMEM)?;
    // The kernel lets nobody choose the place; a private view, which nobody wants, we cannot make.
    if addr != 0 || !shared {
        return Err(Errno::EINVAL);
    }
    let buffers;
    let pages = match offset & PARTS {
        PART_SQ_RING | PART_CQ_RING => &ring.queues.shown,
        PART_ENTRIES => &ring.queues.entries,
        PART_BUFFERS => {
            let group = (offset & !PARTS) >> GROUP_SHIFT;
            let group = u16::try_from(group).map_err(|_| Errno::ENOMEM)?;
            buffers = lock(&t.process.rings).buffers.get(&(ring.id, group)).map(Arc::clone);
            buffers.as_deref().ok_or(Errno::ENOMEM)?
        }
        _ => return Err(Errno::ENOMEM),
    };
    if prot.executable() {
        return Err(Errno::EPERM);
    }
    let layout = lock(&t.process.layout);
    let at = find_room(mem, layout.mmap_top, len, false).ok_or(Errno::ENOMEM)?;
    if at < min_addr(mem) {
        return Err(Errno::ENOMEM);
    }
    t.process.may_map(len, false, None)?;
    let path = Arc::new(PathBuf::from("anon_inode:[io_uring]"));
    let backing = Backing::File { path, offset, dev: ring.id.0, inode: ring.id.1 };
    let mapping = Mapping { shared: true, backing, ..Mapping::anonymous(prot, None) };
    mem.map_shared(at, len, mapping, pages)?;
    Ok(at)
}
