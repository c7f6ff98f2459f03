//! The host's system calls on behalf of a guest thread, and short forms for their arguments.

use crate::linux::abi::{Errno, GuestCStr, SysResult};
use crate::linux::host::{HostArg, guest_address, interruptible_call};
use crate::linux::process::Thread;
use crate::mem::Access;
use crate::sys::syscall;

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

/// `host!(t, SYS_name, argument, ...)`: makes the host's system call on behalf of the guest thread
/// `t`; arguments are numbers, descriptors, `&CStr` or `HostArg`s.
macro_rules! host {
    ($t:expr, $number:ident $(, $arg:expr)* $(,)?) => {
        $t.host(libc::$number, &[$($crate::linux::host::HostArg::from($arg)),*])
    };
}
pub(crate) use host;

impl Thread {
    /// Makes the host's system call `number` (`libc::SYS_*`) on behalf of the guest: a signal that
    /// arrives before or during the call ends it.
    ///
    /// # Errors
    /// The host's error; [`Errno::RESTART`] if a signal must be delivered first.
    pub fn host(&self, number: i64, args: &[HostArg<'_>]) -> SysResult {
        interruptible_call(self.signal_flag(), number, args)
    }

    /// `len` bytes of guest memory as an argument; a null pointer stays one. For a range that
    /// leaves the guest's address space it is an address that the kernel refuses, so that a call
    /// finds its errors in the kernel's order.
    ///
    /// # Errors
    /// Never: it has the type of the other ways to take an argument.
    pub fn guest(&self, addr: u64, len: u64, access: Access) -> Result<HostArg<'static>, Errno> {
        Ok(guest_address(self.memory(), addr, len, access))
    }

    /// Host address of `len` bytes of guest memory, for a structure that the kernel reads, such as
    /// an element of a `struct iovec`; 0 stays 0.
    ///
    /// # Errors
    /// `EFAULT` for a range that leaves the guest's address space.
    pub fn host_addr(&self, addr: u64, len: u64, access: Access) -> Result<u64, Errno> {
        Ok(self.guest(addr, len, access)?.word())
    }

    /// Serves a system call by the host's of the same name. `spec` says what each argument is.
    ///
    /// # Errors
    /// The host's; `ENOSYS` if the host has no such call.
    pub(crate) fn pass(&mut self, generic: u16, spec: &[Arg]) -> SysResult {
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

impl Thread {
    /// `len` bytes of guest memory that the kernel reads.
    ///
    /// # Errors
    /// `EFAULT` for a range that leaves the guest's address space.
    pub(crate) fn input(&self, addr: u64, len: u64) -> Result<HostArg<'static>, Errno> {
        self.guest(addr, len, Access::Read)
    }

    /// `len` bytes of guest memory that the kernel writes.
    ///
    /// # Errors
    /// `EFAULT` for a range that leaves the guest's address space.
    pub(crate) fn output(&self, addr: u64, len: u64) -> Result<HostArg<'static>, Errno> {
        self.guest(addr, len, Access::Write)
    }

    /// A string of the guest that the kernel reads and that is not a path.
    ///
    /// # Errors
    /// `EFAULT` if it starts outside the guest's address space.
    pub(crate) fn string(&self, s: GuestCStr) -> Result<HostArg<'static>, Errno> {
        self.guest(s.0, 1, Access::Read)
    }
}
