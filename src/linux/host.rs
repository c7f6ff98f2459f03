//! The one place where the Linux layer touches the host: system calls on guest memory in place,
//! and plain structures as bytes.
#![allow(unsafe_code, reason = "hands guest memory to the host's kernel; copies plain structures")]
//! # Safety
//! A host system call gets numbers, or addresses with a length that are guest memory (then
//! `Memory::kernel_range` has checked that they lie in the guest's region, and the kernel checks
//! access itself and reports `EFAULT`) or memory that the caller borrows for the call. System calls
//! that take addresses as numbers, to change what is mapped, are not made here ([`FORBIDDEN`]).
//! Only types that are [`Pod`] are copied as bytes: `repr(C)`, without padding and valid for all
//! bit patterns.

use super::abi::{self, Errno, SysResult};
use super::limits;
use super::process::Thread;
use crate::mem::{Access, Memory};
use crate::sys::syscall;
use crate::util::PAGE_SIZE;
use std::marker::PhantomData;
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd};

/// How an argument of a passed-through system call is handed to the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arg {
    /// As it is.
    V,
    /// Address of so many bytes that the kernel reads.
    R(u64),
    /// Address of so many bytes that the kernel writes (or reads and writes).
    W(u64),
    /// Address of bytes that the kernel reads; the argument of this index counts them.
    RN(u8),
    /// Address of bytes that the kernel writes; the argument of this index counts them.
    WN(u8),
    /// Address of elements that the kernel reads; the argument of this index counts them, and
    /// each has so many bytes.
    RE(u8, u64),
    /// As `RE`, for elements that the kernel writes.
    WE(u8, u64),
    /// Address of a NUL-terminated string that is not a path.
    S,
}

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
pub(super) const NOWHERE: u64 = 0xffff_ffff_ffff_f000;

fn host_args(number: i64, args: &[HostArg<'_>]) -> [u64; 6] {
    assert!(!FORBIDDEN.contains(&number), "system call {number} is not made here");
    let mut all = [0; 6];
    for (to, from) in all.iter_mut().zip(args) {
        *to = from.0;
    }
    all
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

/// As [`host_call`], of a call that answers with a new descriptor, for our own use.
///
/// # Errors
/// The host's error.
pub(super) fn host_fd(number: i64, args: &[HostArg<'_>]) -> Result<OwnedFd, Errno> {
    let fd = match host_call(number, args) {
        // The guest's limit is not ours.
        Err(Errno::EMFILE) => {
            let _raised = limits::raise();
            host_call(number, args)?
        }
        other => other?,
    };
    // SAFETY: the kernel has just opened it, and nobody else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// A descriptor that this process was started with for its own use.
///
/// # Errors
/// `EBADF`.
pub(super) fn inherited_fd(fd: i32) -> Result<OwnedFd, Errno> {
    file_identity(fd)?;
    // SAFETY: it is open, and the caller was told that it is its own.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// `len` bytes of guest memory as an argument; a null pointer stays one.
///
/// # Errors
/// `EFAULT` for a range that leaves the guest's address space.
pub(super) fn kernel_address(
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

impl Thread {
    /// Makes the host's system call `number` (`libc::SYS_*`) on behalf of the guest: a signal that
    /// arrives before or during the call ends it.
    ///
    /// # Errors
    /// The host's error; [`Errno::RESTART`] if a signal must be delivered first.
    pub fn host(&self, number: i64, args: &[HostArg<'_>]) -> SysResult {
        let args = host_args(number, args);
        // SAFETY: addresses come from borrows that outlive the call or from `kernel_range`.
        Errno::check(unsafe { syscall::interruptible(self.signal_flag(), number, args) })
    }

    /// `len` bytes of guest memory as an argument; a null pointer stays one. For a range that
    /// leaves the guest's address space it is an address that the kernel refuses, so that a call
    /// finds its errors in the kernel's order.
    ///
    /// # Errors
    /// Never: it has the type of the other ways to take an argument.
    pub fn guest(&self, addr: u64, len: u64, access: Access) -> Result<HostArg<'static>, Errno> {
        let found = kernel_address(self.memory(), addr, len, access);
        Ok(found.unwrap_or(HostArg(NOWHERE | (addr % PAGE_SIZE), PhantomData)))
    }

    /// Host address of `len` bytes of guest memory, for a structure that the kernel reads, such as
    /// an element of a `struct iovec`; 0 stays 0.
    ///
    /// # Errors
    /// `EFAULT` for a range that leaves the guest's address space.
    pub fn host_addr(&self, addr: u64, len: u64, access: Access) -> Result<u64, Errno> {
        Ok(self.guest(addr, len, access)?.0)
    }

    /// Serves a system call by the host's of the same name. `spec` says what each argument is.
    ///
    /// # Errors
    /// The host's; `ENOSYS` if the host has no such call.
    pub(super) fn pass(&mut self, generic: u16, spec: &[Arg]) -> SysResult {
        let number = syscall::host_number(generic).ok_or(Errno::ENOSYS)?;
        let raw = self.args();
        let mut args = [HostArg::NULL; 6];
        for ((to, &from), arg) in args.iter_mut().zip(&raw).zip(spec) {
            *to = match *arg {
                Arg::V => HostArg::value(from),
                Arg::R(n) => self.guest(from, n, Access::Read)?,
                Arg::W(n) => self.guest(from, n, Access::Write)?,
                Arg::RN(i) => self.guest(from, raw[i as usize], Access::Read)?,
                Arg::WN(i) => self.guest(from, raw[i as usize], Access::Write)?,
                Arg::RE(i, n) => {
                    self.guest(from, raw[i as usize].saturating_mul(n), Access::Read)?
                }
                Arg::WE(i, n) => {
                    self.guest(from, raw[i as usize].saturating_mul(n), Access::Write)?
                }
                Arg::S => self.guest(from, 1, Access::Read)?,
            };
        }
        self.host(number, &args)
    }
}

/// Host address of elements that the caller keeps alive while the kernel uses it, for a structure
/// that holds an address, such as `struct msghdr`; 0 for no elements.
pub(super) fn address_of<T: Pod>(values: &[T]) -> u64 {
    if values.is_empty() { 0 } else { values.as_ptr() as u64 }
}

/// A structure that may be copied to and from guest memory, or given to the kernel, as bytes.
///
/// # Safety
/// The type is `repr(C)` or primitive, has no padding bytes, no references, and is valid for every
/// bit pattern.
pub unsafe trait Pod: Copy + 'static {
    /// All bytes zero.
    #[must_use]
    fn zeroed() -> Self {
        // SAFETY: the trait's contract says that every bit pattern is valid.
        unsafe { std::mem::zeroed() }
    }

    /// The bytes of `self`.
    #[must_use]
    fn bytes(&self) -> &[u8] {
        // SAFETY: the trait's contract says that there is no padding.
        unsafe {
            std::slice::from_raw_parts(std::ptr::from_ref(self).cast::<u8>(), size_of::<Self>())
        }
    }

    /// The bytes of `self`, to be overwritten.
    #[must_use]
    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as for `bytes`, and any bytes may be written.
        unsafe {
            std::slice::from_raw_parts_mut(std::ptr::from_mut(self).cast::<u8>(), size_of::<Self>())
        }
    }
}

macro_rules! pod {
    ($($ty:ty),* $(,)?) => {$(
        // SAFETY: primitive, or `repr(C)` with explicit padding fields only (tested in `abi`).
        unsafe impl Pod for $ty {}
    )*};
}

pod!(u8, u16, u32, u64, i32, i64);
pod!(abi::TimeSpec, abi::TimeVal, abi::ITimerSpec, abi::ITimerVal, abi::IoVec, abi::Stat);
pod!(abi::SigAction, abi::SigInfo, abi::SigStack, abi::SigContext, abi::UContext, abi::RLimit);
pod!(abi::EpollEvent, abi::CloneArgs, abi::UtsName, abi::SysInfo, abi::HwProbe, abi::OpenHow);
pod!(abi::MsgHdr, abi::MMsgHdr, abi::SigSet, abi::SigEvent);
pod!(abi::StatxTime, abi::Statx, abi::XattrArgs);

// SAFETY: an array has no padding of its own.
unsafe impl<T: Pod, const N: usize> Pod for [T; N] {}

/// What a descriptor refers to.
#[derive(Clone, Copy, Debug)]
pub(super) struct FileIdentity {
    /// Device number.
    pub dev: u64,
    /// Inode number.
    pub inode: u64,
}

/// Which file a descriptor refers to.
///
/// # Errors
/// `EBADF`.
pub(super) fn file_identity(fd: i32) -> Result<FileIdentity, Errno> {
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
pub(super) fn file_system(fd: i32) -> Result<u64, Errno> {
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
pub(super) fn borrow_fd(fd: i32) -> Option<BorrowedFd<'static>> {
    // SAFETY: descriptors of the guest are no Rust object's, and the kernel answers `EBADF` for
    // one that is closed meanwhile.
    (fd >= 0).then(|| unsafe { BorrowedFd::borrow_raw(fd) })
}

/// Bytes of the guest as a path.
#[must_use]
pub(super) fn path_of(bytes: &[u8]) -> std::path::PathBuf {
    use std::os::unix::ffi::OsStrExt;
    std::path::PathBuf::from(std::ffi::OsStr::from_bytes(bytes))
}

/// The time of a clock, by the host's vDSO where it serves that clock.
///
/// # Errors
/// `EINVAL` for a clock that there is not.
pub(super) fn clock_gettime(clock: i32) -> Result<abi::TimeSpec, Errno> {
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
pub(super) fn check_execute(path: &std::path::Path) -> Result<(), Errno> {
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
pub(super) fn may_execute(path: &std::path::Path) -> bool {
    use std::os::unix::ffi::OsStrExt;
    let Ok(path) = std::ffi::CString::new(path.as_os_str().as_bytes()) else { return false };
    let args = [HostArg::int(libc::AT_FDCWD), HostArg::path(&path), HostArg::int(libc::X_OK)];
    host_call(libc::SYS_faccessat, &args).is_ok()
}

/// True if the calling thread has a capability (`linux/capability.h`) in its effective set.
#[must_use]
pub(super) fn has_capability(number: u32) -> bool {
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
pub(super) fn random() -> [u8; 16] {
    let mut bytes = [0; 16];
    // Without random bytes a program still runs; it only seeds its stack protector with them.
    let _ = host_call(
        libc::SYS_getrandom,
        &[HostArg::slice_mut(&mut bytes), HostArg::value(16), HostArg::NULL],
    );
    bytes
}
