//! The one place where the Linux layer touches the host: system calls on guest memory in place.
#![allow(unsafe_code, reason = "hands guest memory to the host's kernel")]
//! # Safety
//! A host system call gets numbers, or addresses with a length that are guest memory (then
//! `Memory::kernel_range` has checked that they lie in the guest's region, and the kernel checks
//! access itself and reports `EFAULT`) or memory that the caller borrows for the call. System calls
//! that take addresses as numbers, to change what is mapped, are not made here ([`FORBIDDEN`]).
//! Structures of ours that the kernel reads or writes are [`Pod`].

use crate::linux::abi::{self, Errno, Fd, Pod, SysResult};
use crate::mem::{Access, Memory};
use crate::sys::syscall;
use crate::util::PAGE_SIZE;
use std::ffi::CStr;
use std::marker::PhantomData;
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd};
use std::sync::atomic::AtomicU32;

/// An argument of a host system call.
#[derive(Clone, Copy, Debug)]
pub struct HostArg<'a>(u64, PhantomData<&'a mut [u8]>);

impl<'a> HostArg<'a> {
    /// A null pointer.
    pub const NULL: Self = Self(0, PhantomData);

    /// An address that the kernel refuses.
    pub const NOWHERE: Self = Self(NOWHERE, PhantomData);

    /// A number. Never an address.
    #[must_use]
    pub const fn value(v: u64) -> Self {
        Self(v, PhantomData)
    }

    /// A signed number, such as a descriptor.
    #[must_use]
    pub const fn int(v: i32) -> Self {
        Self(v as i64 as u64, PhantomData)
    }

    /// The word that the kernel gets.
    #[must_use]
    pub(crate) const fn word(self) -> u64 {
        self.0
    }

    /// Address of a structure of ours that the kernel reads.
    #[must_use]
    pub fn of<T: Pod>(value: &'a T) -> Self {
        Self(std::ptr::from_ref(value) as u64, PhantomData)
    }

    /// Address of a structure of ours that the kernel writes.
    #[must_use]
    pub fn of_mut<T: Pod>(value: &'a mut T) -> Self {
        Self(std::ptr::from_mut(value) as u64, PhantomData)
    }

    /// Address of elements of ours that the kernel reads.
    #[must_use]
    pub fn slice<T: Pod>(values: &'a [T]) -> Self {
        Self(values.as_ptr() as u64, PhantomData)
    }

    /// Address of elements of ours that the kernel writes.
    #[must_use]
    pub fn slice_mut<T: Pod>(values: &'a mut [T]) -> Self {
        Self(values.as_mut_ptr() as u64, PhantomData)
    }

    /// Address of a string of ours.
    #[must_use]
    pub fn path(path: &'a std::ffi::CStr) -> Self {
        Self(path.as_ptr() as u64, PhantomData)
    }
}

impl From<i32> for HostArg<'_> {
    fn from(v: i32) -> Self {
        HostArg::int(v)
    }
}
impl From<u32> for HostArg<'_> {
    fn from(v: u32) -> Self {
        HostArg::value(u64::from(v))
    }
}
impl From<u64> for HostArg<'_> {
    fn from(v: u64) -> Self {
        HostArg::value(v)
    }
}
impl From<Fd> for HostArg<'_> {
    fn from(v: Fd) -> Self {
        HostArg::int(v.0)
    }
}
impl<'a> From<&'a CStr> for HostArg<'a> {
    fn from(v: &'a CStr) -> Self {
        HostArg::path(v)
    }
}

/// Host system calls that change what is mapped or where a thread's state is: made by `sys` and
/// `mem` only.
const FORBIDDEN: &[i64] = &[
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_mprotect,
    libc::SYS_brk,
    libc::SYS_shmat,
    libc::SYS_shmdt,
    libc::SYS_clone,
    libc::SYS_clone3,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigreturn,
    libc::SYS_set_robust_list,
    libc::SYS_set_tid_address,
];

/// A page of the kernel's own, which it refuses to user space on every host.
pub(crate) const NOWHERE: u64 = 0xffff_ffff_ffff_f000;

fn host_args(number: i64, args: &[HostArg<'_>]) -> [u64; 6] {
    assert!(!FORBIDDEN.contains(&number), "system call {number} is not made here");
    std::array::from_fn(|i| args.get(i).map_or(0, |arg| arg.0))
}

/// Makes the host's system call `number` (`libc::SYS_*`) for our own purposes: signals do not keep
/// it from being made.
///
/// # Errors
/// The host's error.
pub fn host_call(number: i64, args: &[HostArg<'_>]) -> SysResult {
    // SAFETY: addresses come from borrows that outlive the call or from `kernel_range`.
    Errno::check(unsafe { syscall::raw(number, host_args(number, args)) })
}

/// As [`host_call`], on behalf of the guest: a signal that arrives before or during the call, which
/// `flag` tells, ends it.
///
/// # Errors
/// The host's error; [`Errno::RESTART`] if a signal must be delivered first.
#[inline]
pub(crate) fn interruptible_call(flag: &AtomicU32, number: i64, args: &[HostArg<'_>]) -> SysResult {
    let args = host_args(number, args);
    // SAFETY: addresses come from borrows that outlive the call or from `kernel_range`.
    Errno::check(unsafe { syscall::interruptible(flag, number, args) })
}

/// As [`host_call`], of a call that answers with a new descriptor, within the guest's limit of
/// them.
///
/// # Errors
/// The host's error.
pub(super) fn new_fd(number: i64, args: &[HostArg<'_>]) -> Result<OwnedFd, Errno> {
    let fd = host_call(number, args)?;
    // SAFETY: the kernel has just opened it, and nobody else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// A descriptor that this process was started with for its own use.
///
/// # Errors
/// `EBADF`.
pub(crate) fn inherited_fd(fd: i32) -> Result<OwnedFd, Errno> {
    file_identity(fd)?;
    // SAFETY: it is open, and the caller was told that it is its own.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// `len` bytes of guest memory as an argument; a null pointer stays one.
///
/// # Errors
/// `EFAULT` for a range that leaves the guest's address space.
pub(crate) fn kernel_address(
    memory: &Memory,
    addr: u64,
    len: u64,
    access: Access,
) -> Result<HostArg<'static>, Errno> {
    if addr == 0 {
        return Ok(HostArg::NULL);
    }
    Ok(HostArg(memory.kernel_range(addr, len, access)?.0 as u64, PhantomData))
}

/// As [`kernel_address`], and for a range that leaves the guest's address space an address that the
/// kernel refuses, so that a call finds its errors in the kernel's order.
pub(crate) fn guest_address(
    memory: &Memory,
    addr: u64,
    len: u64,
    access: Access,
) -> HostArg<'static> {
    let found = kernel_address(memory, addr, len, access);
    found.unwrap_or(HostArg(NOWHERE | (addr % PAGE_SIZE), PhantomData))
}

/// Host address of elements that the caller keeps alive while the kernel uses it, for a structure
/// that holds an address, such as `struct msghdr`; 0 for no elements.
pub(crate) fn address_of<T: Pod>(values: &[T]) -> u64 {
    if values.is_empty() { 0 } else { values.as_ptr() as u64 }
}

/// What a descriptor refers to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FileIdentity {
    /// Device number.
    pub dev: u64,
    /// Inode number.
    pub inode: u64,
}

/// Which file a descriptor refers to.
///
/// # Errors
/// `EBADF`.
pub(crate) fn file_identity(fd: i32) -> Result<FileIdentity, Errno> {
    // SAFETY: all zero is a valid stat structure, and `fstat` fills it.
    let stat = unsafe {
        let mut stat: libc::stat = std::mem::zeroed();
        if libc::fstat(fd, &raw mut stat) != 0 {
            return Err(Errno::last());
        }
        stat
    };
    Ok(FileIdentity { dev: stat.st_dev, inode: stat.st_ino })
}

/// The kind of file system that an open file is on, or for `AT_FDCWD` the current directory
/// (`f_type` of `fstatfs`).
///
/// # Errors
/// `EBADF`.
pub(crate) fn file_system(fd: i32) -> Result<u64, Errno> {
    // SAFETY: all zero is a valid structure, and either call fills it.
    let kind = unsafe {
        let mut statfs: libc::statfs = std::mem::zeroed();
        let rc = if fd == libc::AT_FDCWD {
            libc::statfs(c".".as_ptr(), &raw mut statfs)
        } else {
            libc::fstatfs(fd, &raw mut statfs)
        };
        if rc != 0 {
            return Err(Errno::last());
        }
        statfs.f_type
    };
    Ok(kind as u64)
}

/// A descriptor of the guest, as one that may be borrowed for a call; `None` for a negative
/// number.
#[must_use]
pub(crate) fn borrow_fd(fd: i32) -> Option<BorrowedFd<'static>> {
    // SAFETY: descriptors of the guest are no Rust object's, and the kernel answers `EBADF` for
    // one that is closed meanwhile.
    (fd >= 0).then(|| unsafe { BorrowedFd::borrow_raw(fd) })
}

/// Bytes of the guest as a path.
#[must_use]
pub(crate) fn path_of(bytes: &[u8]) -> std::path::PathBuf {
    use std::os::unix::ffi::OsStrExt;
    std::path::PathBuf::from(std::ffi::OsStr::from_bytes(bytes))
}

/// The time of a clock, by the host's vDSO where it serves that clock.
///
/// # Errors
/// `EINVAL` for a clock that there is not.
pub(crate) fn clock_gettime(clock: i32) -> Result<abi::TimeSpec, Errno> {
    let mut ts = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `ts` is a valid timespec for the duration of the call.
    if unsafe { libc::clock_gettime(clock, &raw mut ts) } != 0 {
        return Err(Errno::last());
    }
    Ok(abi::TimeSpec { tv_sec: ts.tv_sec, tv_nsec: ts.tv_nsec })
}

/// Asks the kernel whether it would execute a file, without doing it (`AT_EXECVE_CHECK`).
///
/// # Errors
/// What execve(2) says before it looks into the file, such as `ETXTBSY`; `EINVAL` by a kernel
/// before 6.14.
pub(crate) fn check_execute(path: &std::path::Path) -> Result<(), Errno> {
    use std::os::unix::ffi::OsStrExt;
    const AT_EXECVE_CHECK: i32 = 0x1_0000;
    let path = std::ffi::CString::new(path.as_os_str().as_bytes()).map_err(|_| Errno::EINVAL)?;
    let args = [address_of(path.as_bytes_with_nul()), 0];
    let call = [
        HostArg::int(libc::AT_FDCWD),
        HostArg::path(&path),
        HostArg::slice(&args),
        HostArg::slice(&args[1..]),
        HostArg::int(AT_EXECVE_CHECK),
    ];
    host_call(libc::SYS_execveat, &call).map(|_| ())
}

/// True if the calling user may execute a file.
#[must_use]
pub(crate) fn may_execute(path: &std::path::Path) -> bool {
    use std::os::unix::ffi::OsStrExt;
    let Ok(path) = std::ffi::CString::new(path.as_os_str().as_bytes()) else { return false };
    let args = [HostArg::int(libc::AT_FDCWD), HostArg::path(&path), HostArg::int(libc::X_OK)];
    host_call(libc::SYS_faccessat, &args).is_ok()
}

/// True if the calling thread has a capability (`linux/capability.h`) in its effective set.
#[must_use]
pub(crate) fn has_capability(number: u32) -> bool {
    // `_LINUX_CAPABILITY_VERSION_3`, which a kernel that has another one replaces by that, and the
    // calling thread.
    let mut header = [0x2008_0522_u32, 0];
    let mut sets = [0_u32; 6];
    let args = [HostArg::of_mut(&mut header), HostArg::of_mut(&mut sets)];
    let known = host_call(libc::SYS_capget, &args).is_ok();
    // Effective, permitted and inheritable bits of the first 32, then of the others.
    known && sets[if number < 32 { 0 } else { 3 }] & 1 << (number % 32) != 0
}

/// Sixteen random bytes.
#[must_use]
pub(crate) fn random() -> [u8; 16] {
    let mut bytes = [0; 16];
    // Without random bytes a program still runs; it only seeds its stack protector with them.
    let _ = host_call(
        libc::SYS_getrandom,
        &[HostArg::slice_mut(&mut bytes), HostArg::value(16), HostArg::NULL],
    );
    bytes
}
