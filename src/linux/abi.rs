//! Numbers and layouts of the riscv64 Linux ABI (kernel: `include/uapi/asm-generic`,
//! `arch/riscv/include/uapi/asm`), and typed system call arguments.

use super::host::Pod;
use crate::mem::{Fault, Memory};
use std::fmt;
use std::marker::PhantomData;

/// A Linux error number. All hosts that we run on use the numbers of `asm-generic/errno.h`, as
/// riscv64 does.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Errno(pub u16);

/// What a handler returns: the value for a0, or the error whose negative goes there.
pub type SysResult = Result<u64, Errno>;

macro_rules! errnos {
    ($($name:ident)*) => {
        #[allow(missing_docs, reason = "the names of errno(3)")]
        impl Errno {
            $(pub const $name: Self = Self(libc::$name as u16);)*

            /// Name as in errno(3), such as `ENOENT`; `None` for a number without one.
            #[must_use]
            pub fn name(self) -> Option<&'static str> {
                match i32::from(self.0) {
                    $(libc::$name => Some(stringify!($name)),)*
                    _ => None,
                }
            }
        }
    };
}

errnos! {
    EPERM ENOENT ESRCH EINTR EIO ENXIO E2BIG ENOEXEC EBADF ECHILD EAGAIN ENOMEM EACCES EFAULT
    ENOTBLK EBUSY EEXIST EXDEV ENODEV ENOTDIR EISDIR EINVAL ENFILE EMFILE ENOTTY ETXTBSY EFBIG
    ENOSPC ESPIPE EROFS EMLINK EPIPE EDOM ERANGE EDEADLK ENAMETOOLONG ENOLCK ENOSYS ENOTEMPTY
    ELOOP ENOMSG EIDRM ENOSTR ENODATA ETIME ENOSR ENOLINK EPROTO EBADMSG EOVERFLOW EILSEQ EUSERS
    ENOTSOCK EDESTADDRREQ EMSGSIZE EPROTOTYPE ENOPROTOOPT EPROTONOSUPPORT ESOCKTNOSUPPORT
    EOPNOTSUPP EPFNOSUPPORT EAFNOSUPPORT EADDRINUSE EADDRNOTAVAIL ENETDOWN ENETUNREACH ENETRESET
    ECONNABORTED ECONNRESET ENOBUFS EISCONN ENOTCONN ESHUTDOWN ETOOMANYREFS ETIMEDOUT ECONNREFUSED
    EHOSTDOWN EHOSTUNREACH EALREADY EINPROGRESS ESTALE EDQUOT ECANCELED EOWNERDEAD ENOTRECOVERABLE
}

impl Errno {
    /// Never seen by the guest: a signal waits for delivery and the call has had no effect. The
    /// call is made again after the delivery (the kernel's `ERESTARTNOINTR`).
    pub const RESTART: Self = Self(513);

    /// Never seen by the guest: the call has set the registers itself, and the pc.
    pub const NO_RESULT: Self = Self(514);

    /// The error of the last failed libc call.
    #[must_use]
    pub fn last() -> Self {
        Self::from(std::io::Error::last_os_error())
    }

    /// Turns what a raw system call returned (a value, or a negated error) into a result.
    ///
    /// # Errors
    /// The error that the value stands for.
    #[allow(clippy::cast_sign_loss, reason = "negative values are errors")]
    pub fn check(raw: i64) -> SysResult {
        if (-4095..0).contains(&raw) { Err(Self(-raw as u16)) } else { Ok(raw as u64) }
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "errno {}", self.0),
        }
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl std::error::Error for Errno {}

impl From<std::io::Error> for Errno {
    fn from(e: std::io::Error) -> Self {
        Self(e.raw_os_error().map_or(libc::EIO, |n| n) as u16)
    }
}

impl From<Fault> for Errno {
    fn from(_: Fault) -> Self {
        Self::EFAULT
    }
}

/// An address in guest memory that a system call was given, typed by what should be there.
pub struct GuestPtr<T>(pub u64, PhantomData<fn() -> T>);

impl<T> Clone for GuestPtr<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for GuestPtr<T> {}

impl<T> fmt::Debug for GuestPtr<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

impl<T> GuestPtr<T> {
    /// The pointer with this address.
    #[must_use]
    pub const fn new(addr: u64) -> Self {
        Self(addr, PhantomData)
    }

    /// True for a null pointer.
    #[must_use]
    pub const fn is_null(self) -> bool {
        self.0 == 0
    }

    /// The same address with another type.
    #[must_use]
    pub const fn cast<U>(self) -> GuestPtr<U> {
        GuestPtr::new(self.0)
    }

    /// Address of the element `n` further on, wrapping.
    #[must_use]
    pub const fn add(self, n: u64) -> Self {
        Self::new(self.0.wrapping_add(n.wrapping_mul(size_of::<T>() as u64)))
    }
}

impl<T: Pod> GuestPtr<T> {
    /// Copies the value from guest memory.
    ///
    /// # Errors
    /// `EFAULT`.
    pub fn read(self, mem: &Memory) -> Result<T, Errno> {
        let mut value = T::zeroed();
        mem.read_bytes(self.0, value.bytes_mut())?;
        Ok(value)
    }

    /// As [`Self::read`], and `None` for a null pointer.
    ///
    /// # Errors
    /// `EFAULT`.
    pub fn read_optional(self, mem: &Memory) -> Result<Option<T>, Errno> {
        if self.is_null() { Ok(None) } else { self.read(mem).map(Some) }
    }

    /// Copies `n` values from guest memory. The caller bounds `n`.
    ///
    /// # Errors
    /// `EFAULT`.
    pub fn read_array(self, mem: &Memory, n: usize) -> Result<Vec<T>, Errno> {
        (0..n as u64).map(|i| self.add(i).read(mem)).collect()
    }

    /// Copies the value to guest memory.
    ///
    /// # Errors
    /// `EFAULT`.
    pub fn write(self, mem: &Memory, value: &T) -> Result<(), Errno> {
        Ok(mem.write_bytes(self.0, value.bytes())?)
    }

    /// As [`Self::write`], and nothing for a null pointer.
    ///
    /// # Errors
    /// `EFAULT`.
    pub fn write_optional(self, mem: &Memory, value: &T) -> Result<(), Errno> {
        if self.is_null() { Ok(()) } else { self.write(mem, value) }
    }
}

/// A guest pointer to a NUL-terminated string.
#[derive(Clone, Copy, Debug)]
pub struct GuestCStr(pub u64);

/// Longest path including the NUL (`linux/limits.h`).
pub const PATH_MAX: usize = 4096;

impl GuestCStr {
    /// Copies a path, without the NUL.
    ///
    /// # Errors
    /// `EFAULT`, or `ENAMETOOLONG` if there is no NUL within [`PATH_MAX`] bytes.
    pub fn read_path(self, mem: &Memory) -> Result<Vec<u8>, Errno> {
        mem.read_c_string(self.0, PATH_MAX)?.ok_or(Errno::ENAMETOOLONG)
    }
}

/// A file descriptor, or `AT_FDCWD`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fd(pub i32);

impl Fd {
    /// The current directory, where an `*at` call takes a directory.
    pub const CWD: Self = Self(libc::AT_FDCWD);
}

/// A type that a system call takes in a register.
pub trait FromArg: Sized {
    /// From the register's 64 bits; narrower types take the low bits, as the kernel does.
    fn from_arg(raw: u64) -> Self;
}

macro_rules! from_arg {
    ($($ty:ty)*) => {$(
        impl FromArg for $ty {
            #[allow(clippy::cast_lossless, reason = "one text for all widths")]
            fn from_arg(raw: u64) -> Self {
                raw as $ty
            }
        }
    )*};
}
from_arg!(u32 u64 i32 i64 usize);

impl FromArg for Fd {
    fn from_arg(raw: u64) -> Self {
        Self(raw as i32)
    }
}
impl<T> FromArg for GuestPtr<T> {
    fn from_arg(raw: u64) -> Self {
        Self::new(raw)
    }
}
impl FromArg for GuestCStr {
    fn from_arg(raw: u64) -> Self {
        Self(raw)
    }
}

macro_rules! layouts {
    ($($(#[$doc:meta])* $name:ident = $size:literal { $($(#[$fdoc:meta])* $field:ident: $ty:ty,)* })*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq)]
            #[repr(C)]
            #[allow(missing_docs, reason = "the fields of the kernel's structure of that name")]
            pub struct $name { $($(#[$fdoc])* pub $field: $ty,)* }
        )*

        #[cfg(test)]
        mod layout {
            use super::*;

            #[test]
            fn sizes_are_the_kernels_and_leave_no_padding() {
                $(
                    assert_eq!(size_of::<$name>(), $size, stringify!($name));
                    let fields = 0 $(+ size_of::<$ty>())*;
                    assert_eq!(fields, $size, "padding in {}", stringify!($name));
                )*
            }
        }
    };
}

layouts! {
    /// `struct timespec`.
    TimeSpec = 16 { tv_sec: i64, tv_nsec: i64, }
    /// `struct timeval`.
    TimeVal = 16 { tv_sec: i64, tv_usec: i64, }
    /// `struct itimerspec`.
    ITimerSpec = 32 { it_interval: TimeSpec, it_value: TimeSpec, }
    /// `struct itimerval`.
    ITimerVal = 32 { it_interval: TimeVal, it_value: TimeVal, }
    /// `struct iovec`.
    IoVec = 16 { base: u64, len: u64, }
    /// `struct stat` of `asm-generic/stat.h`, which x86-64 does not share.
    Stat = 128 {
        st_dev: u64, st_ino: u64, st_mode: u32, st_nlink: u32, st_uid: u32, st_gid: u32,
        st_rdev: u64, pad1: u64, st_size: i64, st_blksize: i32, pad2: i32, st_blocks: i64,
        st_atime: i64, st_atime_nsec: u64, st_mtime: i64, st_mtime_nsec: u64,
        st_ctime: i64, st_ctime_nsec: u64, unused: [u32; 2],
    }
    /// `struct sigaction`: riscv has no `sa_restorer`.
    SigAction = 24 { handler: u64, flags: u64, mask: u64, }
    /// `sigset_t` of the kernel: bit `n - 1` is signal `n`.
    SigSet = 8 { bits: u64, }
    /// `siginfo_t`: number, error, code, then a union, here as 64-bit words from offset 16.
    SigInfo = 128 { signo: i32, errno: i32, code: i32, pad: i32, fields: [u64; 14], }
    /// `stack_t`.
    SigStack = 24 { sp: u64, flags: i32, pad: i32, size: u64, }
    /// `struct sigcontext`: pc and x1..x31, then the D extension's state, of which fcsr is
    /// `fcsr`, within a union of 528 bytes.
    SigContext = 784 { pc: u64, x: [u64; 31], f: [u64; 32], fcsr: u32, pad: [u32; 3], reserved: [u64; 32], }
    /// `struct ucontext`: `sigmask` may grow to 1024 bits, for which there is room.
    UContext = 960 {
        flags: u64, link: u64, stack: SigStack, sigmask: u64, unused: [u64; 15], pad: u64,
        mcontext: SigContext,
    }
    /// `struct rlimit64`.
    RLimit = 16 { cur: u64, max: u64, }
    /// `struct epoll_event`: packed on x86-64 only.
    EpollEvent = 16 { events: u32, pad: u32, data: u64, }
    /// `struct clone_args`, all of it.
    CloneArgs = 88 {
        flags: u64, pidfd: u64, child_tid: u64, parent_tid: u64, exit_signal: u64, stack: u64,
        stack_size: u64, tls: u64, set_tid: u64, set_tid_size: u64, cgroup: u64,
    }
    /// `struct new_utsname`.
    UtsName = 390 {
        sysname: [u8; 65], nodename: [u8; 65], release: [u8; 65], version: [u8; 65],
        machine: [u8; 65], domainname: [u8; 65],
    }
    /// `struct sysinfo`.
    SysInfo = 112 {
        uptime: i64, loads: [u64; 3], totalram: u64, freeram: u64, sharedram: u64, bufferram: u64,
        totalswap: u64, freeswap: u64, procs: u16, pad: [u16; 3], totalhigh: u64, freehigh: u64,
        mem_unit: u32, tail: u32,
    }
    /// `struct riscv_hwprobe`.
    HwProbe = 16 { key: i64, value: u64, }
    /// `struct open_how`.
    OpenHow = 24 { flags: u64, mode: u64, resolve: u64, }
    /// `struct user_msghdr`.
    MsgHdr = 56 {
        name: u64, namelen: u32, pad: u32, iov: u64, iovlen: u64, control: u64, controllen: u64,
        flags: u32, pad2: u32,
    }
    /// `struct mmsghdr`.
    MMsgHdr = 64 { hdr: MsgHdr, len: u32, pad: u32, }
    /// `struct statx_timestamp`.
    StatxTime = 16 { sec: i64, nsec: u32, pad: i32, }
    /// `struct statx`: the same on all hosts.
    Statx = 256 {
        mask: u32, blksize: u32, attributes: u64, nlink: u32, uid: u32, gid: u32, mode: u16,
        pad: u16, ino: u64, size: u64, blocks: u64, attributes_mask: u64, atime: StatxTime,
        btime: StatxTime, ctime: StatxTime, mtime: StatxTime, rdev_major: u32, rdev_minor: u32,
        dev_major: u32, dev_minor: u32, mnt_id: u64, dio_mem_align: u32, dio_offset_align: u32,
        spare: [u64; 12],
    }
    /// `struct xattr_args`.
    XattrArgs = 16 { value: u64, size: u32, flags: u32, }
    /// `struct sigevent`.
    SigEvent = 64 { value: u64, signo: i32, notify: i32, tid: i32, pad: [i32; 11], }
}

/// Number of signals; they are numbered from 1 (`asm-generic/signal.h`, as on all our hosts).
pub const NSIG: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_raw_calls() {
        assert_eq!(Errno::check(-2), Err(Errno::ENOENT));
        assert_eq!(Errno::check(-4096), Ok(-4096_i64 as u64));
        assert_eq!(Errno::check(7), Ok(7));
        assert_eq!(format!("{}", Errno::EOWNERDEAD), "EOWNERDEAD");
        assert_eq!(format!("{:?}", Errno(999)), "errno 999");
    }

    #[test]
    fn register_context_lies_where_the_kernel_puts_it() {
        assert_eq!(std::mem::offset_of!(UContext, sigmask), 40);
        assert_eq!(std::mem::offset_of!(UContext, mcontext), 176);
        assert_eq!(std::mem::offset_of!(SigContext, f), 256);
        assert_eq!(std::mem::offset_of!(SigContext, fcsr), 512);
    }
}
