//! Files of running programs, which nobody may write to (`ETXTBSY`; kernel: `deny_write_access` of
//! `exe_file`).
//!
//! The host's kernel knows our executable and not the guest's. So the program's file is locked for
//! reading, by its open description, at a byte where no program locks one; the lock lasts as long
//! as the file is mapped anywhere. Whoever is about to write asks whether there is such a lock.

use crate::linux::abi::{Errno, Fd, Pod, Statx};
use crate::linux::host::{HostArg, host_call, host_fd};
use std::ffi::CStr;
use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};

/// `struct flock` (`asm-generic/fcntl.h`): type and whence, first byte, number of bytes, process.
type Lock = [u64; 4];

/// The locked byte: the last that a lock can name.
const PLACE: u64 = i64::MAX as u64 - 1;

/// A lock of a kind.
fn lock(kind: i32) -> Lock {
    let kind = u64::from(kind as u16) | (libc::SEEK_SET as u64) << 16;
    [kind, PLACE, 1, 0]
}

/// Notes that the program in a file, which is open for reading, is running as long as the file is
/// open or mapped. A file system without locks does not know.
pub(crate) fn mark(file: &File) {
    let wanted = lock(libc::F_RDLCK);
    let args = [file.as_raw_fd().into(), libc::F_OFD_SETLK.into(), HostArg::of(&wanted)];
    let _ = host_call(libc::SYS_fcntl, &args);
}

/// True if a host file is that of a running program. `flags` say whether a link is followed.
fn is_running(dir: Fd, path: &CStr, flags: i32) -> bool {
    let mut x = Statx::zeroed();
    let follow = if flags & libc::O_NOFOLLOW != 0 { libc::AT_SYMLINK_NOFOLLOW } else { 0 };
    let mask = libc::STATX_TYPE | libc::STATX_MODE;
    let args = [dir.into(), path.into(), follow.into(), mask.into(), HostArg::of_mut(&mut x)];
    let found = host_call(libc::SYS_statx, &args).is_ok();
    let mode = u32::from(x.mode);
    found
        && mode & libc::S_IFMT == libc::S_IFREG
        && mode & 0o111 != 0
        && open(dir, path, flags & libc::O_NOFOLLOW).is_ok_and(|file| is_locked(&file))
}

fn open(dir: Fd, path: &CStr, flags: i32) -> Result<OwnedFd, Errno> {
    let flags = flags | libc::O_CLOEXEC | libc::O_NONBLOCK;
    host_fd(libc::SYS_openat, &[dir.into(), path.into(), flags.into()])
}

fn is_locked(file: &OwnedFd) -> bool {
    let mut found = lock(libc::F_WRLCK);
    let args = [file.as_raw_fd().into(), libc::F_OFD_GETLK.into(), HostArg::of_mut(&mut found)];
    host_call(libc::SYS_fcntl, &args).is_ok() && found[0] as u16 != libc::F_UNLCK as u16
}

/// True for the host's flags of an open that may write to a file which is there.
fn writes(flags: i32) -> bool {
    let writes = flags & libc::O_ACCMODE != libc::O_RDONLY || flags & libc::O_TRUNC != 0;
    let new = libc::O_CREAT | libc::O_EXCL;
    writes && flags & libc::O_PATH == 0 && flags & new != new
}

/// Refuses an open with the host's `flags` that would let a running program's file be written.
///
/// # Errors
/// `ETXTBSY`; what is also wrong with the open, and found first.
pub(crate) fn may_open(dir: Fd, path: &CStr, flags: i32) -> Result<(), Errno> {
    if !writes(flags) || !is_running(dir, path, flags) {
        return Ok(());
    }
    let mode = if flags & libc::O_ACCMODE == libc::O_RDONLY { libc::O_RDWR } else { flags };
    open(dir, path, mode & (libc::O_ACCMODE | libc::O_NOFOLLOW | libc::O_DIRECTORY))?;
    Err(Errno::ETXTBSY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CString;
    use std::os::unix::fs::OpenOptionsExt;

    #[test]
    fn a_marked_file_may_not_be_written_as_long_as_it_is_open() {
        let path = std::env::temp_dir().join(format!("rvnative-busy-{}", std::process::id()));
        File::options().write(true).create_new(true).mode(0o700).open(&path).unwrap();
        let name = CString::new(path.as_os_str().as_encoded_bytes()).unwrap();
        let ask = |flags| may_open(Fd::CWD, &name, flags);
        assert_eq!(ask(libc::O_WRONLY), Ok(()));
        let program = File::open(&path).unwrap();
        mark(&program);
        let held = program.try_clone().unwrap();
        drop(program);
        for flags in [libc::O_WRONLY, libc::O_RDWR | libc::O_CREAT, libc::O_TRUNC] {
            assert_eq!(ask(flags), Err(Errno::ETXTBSY), "{flags:o}");
        }
        for flags in [libc::O_RDONLY, libc::O_PATH, libc::O_RDWR | libc::O_CREAT | libc::O_EXCL] {
            assert_eq!(ask(flags), Ok(()), "{flags:o}");
        }
        drop(held);
        assert_eq!(ask(libc::O_WRONLY), Ok(()));
        std::fs::remove_file(&path).unwrap();
    }
}
