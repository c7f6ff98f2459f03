//! Open files of `/proc` that tell about the guest. The descriptor is the host's own, so that all
//! but its contents is as the kernel has it; what is read is made here.

use crate::linux::abi::{Errno, Fd, GuestPtr, IoVec, SysResult};
use crate::linux::fs::iovec::MAX_IOV;
use crate::linux::fs::proc::names::ProcFile;
use crate::linux::fs::proc::shown::Shown;
use crate::linux::fs::proc::{procfs, procmaps};
use crate::linux::host::{self, HostArg, host_call, limit};
use crate::linux::process::Thread;
use crate::linux::task::peers;
use crate::mem::Access;
use crate::util::PAGE_SIZE;
use std::sync::Arc;

/// Takes note of a descriptor that the guest has opened.
pub(crate) fn opened(t: &Thread, proc: Option<ProcFile>, fd: u64) {
    let special = proc.is_some_and(|p| !matches!(p, ProcFile::Exe | ProcFile::OtherExe(_)));
    if special && let Ok(file) = host::file_identity(fd as i32) {
        t.process.proc_device.note(&file);
    }
}

/// Such a file and the host's path of it.
type Special = (ProcFile, Vec<u8>);

/// Which such file a descriptor of the guest is.
pub(crate) fn special(t: &Thread, fd: Fd) -> Option<Special> {
    if t.process.proc_device.may_have(fd) { procfs::of_descriptor(t, fd) } else { None }
}

/// Buffers of the guest.
pub(crate) fn vector(t: &Thread, at: u64, count: u64) -> Result<Vec<IoVec>, Errno> {
    if count > MAX_IOV {
        return Err(Errno::EINVAL);
    }
    GuestPtr::<IoVec>::new(at).read_array(t.memory(), count as usize)
}

/// Reads from a special file; `None` if it is another. `from` is the position, if it is not the
/// descriptor's own.
pub(crate) fn read(
    t: &mut Thread,
    fd: Fd,
    from: Option<u64>,
    into: impl FnOnce(&Thread) -> Result<Vec<IoVec>, Errno>,
) -> Option<SysResult> {
    let file = special(t, fd)?;
    if !opened_for(fd, libc::O_WRONLY) {
        return None;
    }
    Some(into(t).and_then(|into| {
        let at = position(fd, from)?;
        let done = match file.0 {
            ProcFile::Mem(who) => return move_memory(t, fd, who, from, &into, Access::Write),
            _ => copy_text(t, fd, &file, at, &into)?,
        };
        advance(fd, from, at + done)?;
        Ok(done)
    }))
}

/// As [`read`], for writing: memory is the only one that can be written.
pub(crate) fn write(
    t: &mut Thread,
    fd: Fd,
    from: Option<u64>,
    data: impl FnOnce(&Thread) -> Result<Vec<IoVec>, Errno>,
) -> Option<SysResult> {
    let (ProcFile::Mem(who), _) = special(t, fd)? else { return None };
    if !opened_for(fd, libc::O_RDONLY) {
        return None;
    }
    Some(data(t).and_then(|data| move_memory(t, fd, who, from, &data, Access::Read)))
}

/// True if a descriptor is open, and not only in the way `not`.
fn opened_for(fd: Fd, not: i32) -> bool {
    let flags = host_call(libc::SYS_fcntl, &[fd.into(), libc::F_GETFL.into()]);
    flags.is_ok_and(|f| f as i32 & libc::O_ACCMODE != not && f as i32 & libc::O_PATH == 0)
}

fn position(fd: Fd, from: Option<u64>) -> Result<u64, Errno> {
    match from {
        Some(at) if i64::try_from(at).is_err() => Err(Errno::EINVAL),
        Some(at) => Ok(at),
        None => host_call(libc::SYS_lseek, &[fd.into(), 0.into(), libc::SEEK_CUR.into()]),
    }
}

fn advance(fd: Fd, from: Option<u64>, to: u64) -> Result<(), Errno> {
    if from.is_none() {
        host_call(libc::SYS_lseek, &[fd.into(), to.into(), libc::SEEK_SET.into()])?;
    }
    Ok(())
}

/// The text of a file. It is made anew by who reads from its start, as by the kernel.
fn text(t: &mut Thread, fd: Fd, (file, path): &Special, at: u64) -> Result<Arc<Vec<u8>>, Errno> {
    // What a thread is doing it does anew with every call.
    let at = if matches!(file, ProcFile::Syscall(_)) { 0 } else { at };
    let inode = host::file_identity(fd.0)?.inode;
    match &t.shown {
        Some(shown) if at != 0 && shown.fd == fd.0 && shown.inode == inode => {
            return Ok(Arc::clone(&shown.text));
        }
        _ => {}
    }
    let _raised = limit::raise();
    let text = Arc::new(procfs::content(t, *file, path)?);
    t.shown = Some(Shown { fd: fd.0, inode, text: Arc::clone(&text) });
    Ok(text)
}

/// What one call reads of a text at `at`, at most `room` bytes: as of the kernel's sequential files
/// the rest of a record, and whole records as far as they fit into a page (`seq_read_iter`).
/// `record` is how long the first record of a text is.
fn piece(text: &[u8], at: usize, room: usize, record: fn(&[u8]) -> usize) -> &[u8] {
    let mut start = 0;
    while start < at && start < text.len() {
        start += record(&text[start..]);
    }
    let rest = text.get(at..).unwrap_or_default();
    let begun = start.saturating_sub(at).min(rest.len());
    if room <= begun {
        return &rest[..room];
    }
    let (fresh, room) = (&rest[begun..], room - begun);
    let mut len = if fresh.is_empty() { 0 } else { record(fresh) };
    // A record that does not fit has a larger buffer made.
    let buffer = len.saturating_add(1).next_power_of_two().max(PAGE_SIZE as usize);
    while len < room && len < fresh.len() {
        let longer = len + record(&fresh[len..]);
        if longer >= buffer {
            break;
        }
        len = longer;
    }
    &rest[..begun + len.min(room)]
}

fn copy_text(
    t: &mut Thread,
    fd: Fd,
    file: &Special,
    at: u64,
    into: &[IoVec],
) -> Result<u64, Errno> {
    let text = text(t, fd, file, at)?;
    let room = into.iter().fold(0_u64, |sum, v| sum.saturating_add(v.len));
    let mut rest = piece(&text, at as usize, room as usize, procfs::record_end(file.0));
    let mut done = 0;
    for v in into {
        let n = rest.len().min(v.len as usize);
        match t.memory().write_bytes(v.base, &rest[..n]) {
            Err(e) if done == 0 => return Err(e.into()),
            Err(_) => break,
            Ok(()) => {}
        }
        done += n as u64;
        rest = &rest[n..];
    }
    Ok(done)
}

/// Reads or writes memory of a guest process. `access` is what happens to the guest's buffers.
fn move_memory(
    t: &Thread,
    fd: Fd,
    who: Option<u32>,
    from: Option<u64>,
    buffers: &[IoVec],
    access: Access,
) -> SysResult {
    let mut at = position(fd, from)?;
    let base = match who {
        None => t.memory().base().0 as u64,
        Some(pid) => peers::find(pid).ok_or(Errno::EIO)?.base,
    };
    let maps = procfs::host_maps(who)?;
    let areas = procmaps::areas_of(t, who, &maps)?;
    let mut done = 0;
    for v in buffers {
        let n = procmaps::readable_from(&areas, at..at.saturating_add(v.len));
        if n == 0 && v.len != 0 {
            if done == 0 {
                return Err(Errno::EIO);
            }
            break;
        }
        if who.is_none() && access == Access::Read {
            t.memory().expect_rewrite(at..at + n);
        }
        let buffer = match access {
            Access::Write => t.output(v.base, n)?,
            _ => t.input(v.base, n)?,
        };
        let number = if access == Access::Write { libc::SYS_pread64 } else { libc::SYS_pwrite64 };
        let moved = t.host(number, &[fd.into(), buffer, n.into(), (base + at).into()]);
        match moved {
            Err(e) if done == 0 => return Err(e),
            Err(_) => break,
            Ok(moved) => {
                if let (Some(number), Access::Read) = (who, access) {
                    let is_it = |pid: i32| {
                        u32::try_from(pid).is_ok_and(|pid| peers::in_proc(pid) == Some(number))
                    };
                    t.process.tracees.wrote(is_it, &(at..at + moved));
                }
                (at, done) = (at + moved, done + moved);
                if moved < v.len {
                    break;
                }
            }
        }
    }
    advance(fd, from, at)?;
    Ok(done)
}

/// Serves `sendfile` and `splice` from `/proc/cpuinfo`, the one special file that has them; `None`
/// for any other. `offset` is where the position is kept, if it is not the descriptor's own.
pub(crate) fn send(
    t: &mut Thread,
    from: Fd,
    offset: GuestPtr<u64>,
    to: Fd,
    len: u64,
) -> Option<SysResult> {
    /// Bytes that one call copies at most: less than a pipe has room for.
    const MOST: u64 = 16 << 10;
    let file = special(t, from).filter(|file| file.0 == ProcFile::CpuInfo)?;
    let mut copy = || {
        let given = offset.read_optional(t.memory())?;
        let at = position(from, given)?;
        let text = text(t, from, &file, at)?;
        let rest = text.get(at as usize..).unwrap_or_default();
        let part = &rest[..rest.len().min(len.min(MOST) as usize)];
        let args = [to.into(), HostArg::slice(part), (part.len() as u64).into()];
        let done = t.host(libc::SYS_write, &args)?;
        match given {
            Some(_) => offset.write(t.memory(), &(at + done))?,
            None => advance(from, None, at + done)?,
        }
        Ok(done)
    };
    Some(copy())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_whole_records() {
        let line =
            |text: &[u8]| text.iter().position(|&b| b == b'\n').map_or(text.len(), |n| n + 1);
        let text = b"one\ntwo\nthree\n";
        let read = |at, room| std::str::from_utf8(piece(text, at, room, line)).unwrap();
        assert_eq!(read(0, 100), "one\ntwo\nthree\n");
        assert_eq!(read(0, 6), "one\ntw");
        assert_eq!(read(6, 1), "o");
        assert_eq!(read(6, 4), "o\nth");
        assert_eq!(read(14, 9), "");
        assert_eq!(read(99, 9), "");
        // 100 lines of 100 bytes: 40 of them are less than a page.
        let text = [&[b'x'; 99][..], b"\n"].concat().repeat(100);
        assert_eq!(piece(&text, 0, 1 << 16, line).len(), 4000);
        assert_eq!(piece(&text, 50, 1 << 16, line).len(), 4050);
        assert_eq!(piece(&text, 0, 4096, |text| text.len()).len(), 4096);
        assert_eq!(piece(&text, 0, 1 << 16, |text| text.len()).len(), 10000);
    }
}
