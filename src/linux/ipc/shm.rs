//! System V shared memory: segments are the host's, attached inside the guest's memory.

use crate::linux::abi::{Errno, SysResult};
use crate::linux::args::host;
use crate::linux::host::HostArg;
use crate::linux::lock::lock;
use crate::linux::mm::layout::find_room;
use crate::linux::process::Thread;
use crate::mem::{Backing, Mapping, Memory, Prot};
use crate::util::{PAGE_SIZE, page_down, page_up};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const SHM_RDONLY: u32 = 0o10000;
const SHM_RND: u32 = 0o20000;
const SHM_REMAP: u32 = 0o40000;
const SHM_EXEC: u32 = 0o100_000;

/// 64-bit words of `struct shmid64_ds`: permissions, of which the first holds the key in its low
/// half, then the size.
type SegmentDs = [u64; 14];
/// Index of the size.
const SEGMENT_SIZE: usize = 6;

/// What `/proc/self/maps` calls a segment.
fn name(key: u32) -> PathBuf {
    PathBuf::from(format!("/SYSV{key:08x} (deleted)"))
}

/// True for what [`name`] makes.
fn is_segment(path: &Path) -> bool {
    path.to_str().is_some_and(|p| p.starts_with("/SYSV") && p.ends_with(" (deleted)"))
}

pub(crate) fn sys_shmat(t: &mut Thread, id: i32, addr: u64, flags: u32) -> SysResult {
    let mut ds: SegmentDs = [0; 14];
    host!(t, SYS_shmctl, id, libc::IPC_STAT, HostArg::of_mut(&mut ds))?;
    let len = page_up(ds[SEGMENT_SIZE]).ok_or(Errno::ENOMEM)?;
    let process = Arc::clone(&t.process);
    let mem = process.memory();
    let layout = lock(&process.layout);
    let at = if addr == 0 {
        if flags & SHM_REMAP != 0 {
            return Err(Errno::EINVAL);
        }
        find_room(mem, layout.mmap_top, len, false).ok_or(Errno::ENOMEM)?
    } else {
        place(mem, addr, len, flags)?
    };
    let mut bits = Prot::R.linux();
    if flags & SHM_RDONLY == 0 {
        bits |= Prot::RW.linux();
    }
    if flags & SHM_EXEC != 0 {
        bits |= Prot::RX.linux();
    }
    let path = Arc::new(name(ds[0] as u32));
    let backing = Backing::File { path, offset: 0, dev: libc::makedev(0, 1), inode: id as u64 };
    let mapping =
        Mapping { shared: true, backing, ..Mapping::anonymous(Prot::from_linux(bits), None) };
    mem.map_segment(at, len, mapping, id)?;
    Ok(at)
}

/// The address that the guest asked for, if a segment may go there.
fn place(mem: &Memory, addr: u64, len: u64, flags: u32) -> Result<u64, Errno> {
    let at = if flags & SHM_RND != 0 { page_down(addr) } else { addr };
    let end = at.checked_add(len).filter(|&end| end <= mem.size()).ok_or(Errno::EINVAL)?;
    let free = flags & SHM_REMAP != 0 || mem.is_free(at..end);
    if at.is_multiple_of(PAGE_SIZE) && at != 0 && free { Ok(at) } else { Err(Errno::EINVAL) }
}

/// Unmaps the pieces of the segment that was attached at `addr`: parts of it may have another
/// protection or be gone.
pub(crate) fn sys_shmdt(t: &mut Thread, addr: u64) -> SysResult {
    let process = Arc::clone(&t.process);
    let mem = process.memory();
    let _layout = lock(&process.layout);
    let pieces: Vec<_> = mem
        .mappings()
        .into_iter()
        .filter_map(|(range, m)| match m.backing {
            Backing::File { path, offset, inode, .. } if is_segment(&path) => {
                (range.start.wrapping_sub(offset) == addr).then_some((range, inode))
            }
            _ => None,
        })
        .collect();
    let Some(&(_, id)) = pieces.first() else { return Err(Errno::EINVAL) };
    for (range, _) in pieces.into_iter().filter(|&(_, other)| other == id) {
        mem.unmap(range.start, range.end - range.start)?;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_known_by_the_kernels_name() {
        assert!(is_segment(&name(0)));
        assert!(is_segment(&name(0xdead_beef)));
        assert!(!is_segment(Path::new("/SYSV/lib")));
    }
}
