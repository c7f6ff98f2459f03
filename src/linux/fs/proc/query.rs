//! The request `PROCMAP_QUERY` about an open `maps` (kernel: `fs/proc/task_mmu.c`).

use crate::linux::abi::{Errno, Fd, GuestPtr, Pod, SysResult};
use crate::linux::fs::proc::names::ProcFile;
use crate::linux::fs::proc::procmaps::{Area, areas_of};
use crate::linux::fs::proc::{procfd, procfs};
use crate::linux::process::Thread;
use crate::util::PAGE_SIZE;

/// `PROCMAP_QUERY`.
pub(crate) const PROCMAP_QUERY: u32 = 0xc068_6611;

/// Words of `struct procmap_query` (`linux/fs.h`).
type Query = [u64; 13];

const SHARED: u64 = 8;
const COVERING_OR_NEXT: u64 = 0x10;
const FILE_BACKED: u64 = 0x20;

/// Answers the request about an open `maps` of a guest process.
pub(crate) fn query(t: &Thread, fd: Fd, arg: GuestPtr<Query>) -> Option<SysResult> {
    let (ProcFile::Maps(who), _) = procfd::special(t, fd)? else { return None };
    Some(answer(t, who, arg))
}

fn answer(t: &Thread, who: Option<u32>, arg: GuestPtr<Query>) -> SysResult {
    let size = GuestPtr::<u64>::new(arg.0).read(t.memory())?;
    if size > PAGE_SIZE {
        return Err(Errno::E2BIG);
    }
    if size < 16 {
        return Err(Errno::EINVAL);
    }
    let mut bytes = vec![0; (size as usize).max(size_of::<Query>())];
    t.memory().read_bytes(arg.0, &mut bytes[..size as usize])?;
    if bytes[size_of::<Query>()..].iter().any(|&b| b != 0) {
        return Err(Errno::E2BIG);
    }
    let mut q: Query = Pod::zeroed();
    q.bytes_mut().copy_from_slice(&bytes[..size_of::<Query>()]);
    let (flags, addr) = (q[1], q[2]);
    let (name_size, id_size) = (q[10] as u32, (q[10] >> 32) as u32);
    let contradicts = (name_size == 0) != (q[11] == 0) || (id_size == 0) != (q[12] == 0);
    if flags & !(7 | SHARED | COVERING_OR_NEXT | FILE_BACKED) != 0 || contradicts {
        return Err(Errno::EINVAL);
    }
    let host = procfs::host_maps(who)?;
    let areas = areas_of(t, who, &host)?;
    let matches = |a: &&Area| {
        let wanted = flags & 7;
        u64::from(a.prot.linux()) & wanted == wanted
            && (flags & SHARED == 0 || a.shared)
            && (flags & FILE_BACKED == 0 || a.inode != 0)
    };
    let mut found = areas.all.iter().filter(|a| a.range.end > addr);
    let area = if flags & COVERING_OR_NEXT != 0 {
        found.find(matches)
    } else {
        found.next().filter(|a| a.range.start <= addr).filter(matches)
    };
    let area = area.ok_or(Errno::ENOENT)?;
    (q[3], q[4]) = (area.range.start, area.range.end);
    q[5] = u64::from(area.prot.linux()) | if area.shared { SHARED } else { 0 };
    (q[6], q[7], q[8]) = (PAGE_SIZE, area.offset, area.inode);
    q[9] = u64::from(libc::major(area.dev)) | u64::from(libc::minor(area.dev)) << 32;
    let mut shown = 0;
    if name_size != 0 && !area.name.is_empty() {
        let name = [area.name.as_bytes(), b"\0"].concat();
        if name.len() > name_size as usize {
            return Err(Errno::ENAMETOOLONG);
        }
        t.memory().write_bytes(q[11], &name)?;
        shown = name.len() as u64;
    }
    // The number of a build is not looked for.
    q[10] = shown;
    t.memory().write_bytes(arg.0, &q.bytes()[..size.min(104) as usize])?;
    Ok(0)
}
