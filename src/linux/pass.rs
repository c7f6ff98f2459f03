//! System calls that the host's kernel serves: in place, on guest memory.
#![allow(unsafe_code, reason = "hands guest memory to the host's kernel")]
//! # Safety
//! A host system call made here gets plain numbers, or addresses that `Memory::kernel_range`
//! returned, which lie in the guest's region, or addresses of local
//! variables and live buffers that the caller borrows for the duration. The kernel checks access
//! to guest pages itself and reports `EFAULT`.

use super::abi::{Errno, SysResult};
use super::process::Thread;
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
    /// Address of a NUL-terminated string that is not a path.
    S,
}

/// A host call being put together: arguments in host form.
#[derive(Clone, Copy, Debug)]
pub struct HostCall {
    number: i64,
    args: [u64; 6],
}

impl HostCall {
    /// A call of the host's system call `number` (`libc::SYS_*`) with these arguments, of which
    /// there are at most six.
    ///
    /// # Safety
    /// Arguments that the kernel takes as addresses are 0, or addresses of guest memory from
    /// `Memory::kernel_range`, or of live memory of the caller that the kernel may use so.
    #[must_use]
    pub unsafe fn new(number: i64, args: &[u64]) -> Self {
        let mut all = [0; 6];
        all[..args.len()].copy_from_slice(args);
        Self { number, args: all }
    }

    /// Makes the call on behalf of the guest: a signal that arrives before or during the call
    /// ends it.
    ///
    /// # Errors
    /// The host's error; [`Errno::RESTART`] if a signal must be delivered first.
    pub fn make(self, t: &Thread) -> SysResult {
        // SAFETY: the promise made to `new`.
        Errno::check(unsafe { syscall::interruptible(t.signal_flag(), self.number, self.args) })
    }

    /// Makes the call for our own purposes; signals do not keep it from being made.
    ///
    /// # Errors
    /// The host's error.
    pub fn make_always(self) -> SysResult {
        // SAFETY: the promise made to `new`.
        Errno::check(unsafe { syscall::raw(self.number, self.args) })
    }
}

impl Thread {
    /// Host address of `len` bytes of guest memory for the kernel; 0 stays 0, so that the kernel
    /// sees a null pointer as one.
    ///
    /// # Errors
    /// `EFAULT` for a range that leaves the guest's address space.
    pub fn host_range(&self, addr: u64, len: u64, access: Access) -> Result<u64, Errno> {
        if addr == 0 {
            return Ok(0);
        }
        Ok(self.memory().kernel_range(addr, len, access)?.0 as u64)
    }

    /// Serves a system call by the host's of the same name. `spec` says what each argument is.
    ///
    /// # Errors
    /// The host's; `ENOSYS` if the host has no such call.
    pub(super) fn pass(&mut self, generic: u16, spec: &[Arg]) -> SysResult {
        let number = syscall::host_number(generic).ok_or(Errno::ENOSYS)?;
        let raw = self.args();
        let mut args = [0; 6];
        for ((to, &from), arg) in args.iter_mut().zip(&raw).zip(spec) {
            *to = match *arg {
                Arg::V => from,
                Arg::R(n) => self.host_range(from, n, Access::Read)?,
                Arg::W(n) => self.host_range(from, n, Access::Write)?,
                Arg::RN(i) => self.host_range(from, raw[i as usize], Access::Read)?,
                Arg::WN(i) => self.host_range(from, raw[i as usize], Access::Write)?,
                Arg::S => self.host_range(from, 1, Access::Read)?,
            };
        }
        // SAFETY: each pointer argument went through `kernel_range`; `spec` is from the table.
        unsafe { HostCall::new(number, &args[..]) }.make(self)
    }
}
