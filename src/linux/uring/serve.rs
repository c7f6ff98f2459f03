//! Operations that are served as the system calls of their names: where the guest has a root
//! filesystem of its own, files of `/proc` that tell about it, and advice about its memory. They
//! are complete when they are submitted, so that only what need not wait for others can be served
//! so.

use super::convert::op;
use super::entry::{Entry, FIXED_FILE};
use crate::linux::abi::{Errno, Fd, GuestCStr, GuestPtr, SysResult};
use crate::linux::fs::{dir, file, stat};
use crate::linux::mm::advice;
use crate::linux::net::socket;
use crate::linux::process::Thread;

/// Serves an operation. Returns its result for the completion.
///
/// # Errors
/// [`Errno::RESTART`] if a signal must be delivered first, and the operation has had no effect.
pub(super) fn serve(t: &mut Thread, e: &Entry) -> Result<i32, Errno> {
    match call(t, e) {
        Err(Errno::RESTART) => Err(Errno::RESTART),
        Err(error) => Ok(-i32::from(error.0)),
        Ok(value) => Ok(value as i32),
    }
}

/// What the operations on names do not take.
fn plain(e: &Entry) -> Result<(), Errno> {
    if e.buffer_index() != 0 || e.file_index() != 0 {
        return Err(Errno::EINVAL);
    }
    if e.has(FIXED_FILE) { Err(Errno::EBADF) } else { Ok(()) }
}

fn call(t: &mut Thread, e: &Entry) -> SysResult {
    let (fd, len, flags) = (Fd(e.fd()), e.length(), e.operation_flags());
    let (address, offset) = (e.address(), e.offset());
    let path = GuestCStr(address);
    match e.operation() {
        op::READ | op::WRITE | op::READV | op::WRITEV => return move_bytes(t, e),
        op::MADVISE => {
            // Since Linux 6.10 the length may have 64 bits.
            let len = if offset == 0 { u64::from(len) } else { offset };
            return advice::sys_madvise(t, address, len, flags as i32);
        }
        _ => plain(e)?,
    }
    match e.operation() {
        op::OPENAT => file::sys_openat(t, fd, path, flags, len),
        op::OPENAT2 => file::sys_openat2(t, fd, path, GuestPtr::new(offset), u64::from(len)),
        op::STATX => stat::sys_statx(t, fd, path, flags, len, offset),
        op::RENAMEAT => dir::sys_renameat2(t, fd, path, Fd(len as i32), GuestCStr(offset), flags),
        op::UNLINKAT => dir::sys_unlinkat(t, fd, path, flags),
        op::MKDIRAT => dir::sys_mkdirat(t, fd, path, len),
        op::SYMLINKAT => dir::sys_symlinkat(t, path, fd, GuestCStr(offset)),
        op::LINKAT => dir::sys_linkat(t, fd, path, Fd(len as i32), GuestCStr(offset), flags),
        op::SETXATTR => {
            let file = GuestCStr(e.third_address());
            stat::sys_setxattr(t, file, path, offset, u64::from(len), u64::from(flags) as u32)
        }
        op::GETXATTR => {
            stat::sys_getxattr(t, GuestCStr(e.third_address()), path, offset, u64::from(len))
        }
        op::CONNECT => socket::sys_connect(t, fd, address, offset as i32),
        op::BIND => socket::sys_bind(t, fd, address, offset as i32),
        _ => Err(Errno::EINVAL),
    }
}

/// Reads and writes of special files; an offset of -1 means the file's own.
fn move_bytes(t: &mut Thread, e: &Entry) -> SysResult {
    let (fd, address, len) = (Fd(e.fd()), e.address(), u64::from(e.length()));
    let (offset, flags) = (e.offset(), e.operation_flags());
    match e.operation() {
        op::READV => file::sys_preadv2(t, fd, address, len, offset, 0, flags),
        op::WRITEV => file::sys_pwritev2(t, fd, address, len, offset, 0, flags),
        op::READ if offset == u64::MAX => file::sys_read(t, fd, address, len),
        op::READ => file::sys_pread64(t, fd, address, len, offset),
        _ if offset == u64::MAX => file::sys_write(t, fd, address, len),
        _ => file::sys_pwrite64(t, fd, address, len, offset),
    }
}
