//! What a signal handler finds on an x86-64 host.
#![allow(unsafe_code, reason = "reads and writes the machine context of a signal frame")]
//! # Safety
//! A [`Context`] is made only from the pointer that the kernel hands to a handler, and lives no
//! longer than the handler; the floating-point area it points at is part of the same frame.

use crate::util::HostAddr;

/// Number of general registers in a [`Registers`] set.
pub const GENERAL: usize = 16;
/// Number of vector registers of which the low 64 bits are kept.
pub const VECTOR: usize = 16;

/// The registers of interrupted host code, numbered as the host's encodings number them.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Registers {
    /// rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8..r15.
    pub general: [u64; GENERAL],
    /// Low halves of xmm0..xmm15.
    pub vector: [u64; VECTOR],
    /// MXCSR.
    pub fp_control: u32,
    /// Program counter of the interrupted code.
    pub pc: HostAddr,
    /// The address whose access faulted, if it was a fault.
    pub fault_addr: HostAddr,
}

impl Registers {
    /// All zero.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            general: [0; GENERAL],
            vector: [0; VECTOR],
            fp_control: 0x1f80,
            pc: HostAddr(0),
            fault_addr: HostAddr(0),
        }
    }
}

impl Default for Registers {
    fn default() -> Self {
        Self::new()
    }
}

/// Order of `gregs` in glibc's `ucontext_t` for encoding numbers 0..15.
const GREGS: [i32; GENERAL] = [
    libc::REG_RAX,
    libc::REG_RCX,
    libc::REG_RDX,
    libc::REG_RBX,
    libc::REG_RSP,
    libc::REG_RBP,
    libc::REG_RSI,
    libc::REG_RDI,
    libc::REG_R8,
    libc::REG_R9,
    libc::REG_R10,
    libc::REG_R11,
    libc::REG_R12,
    libc::REG_R13,
    libc::REG_R14,
    libc::REG_R15,
];

/// The interrupted machine, as a handler may read and change it.
#[derive(Debug)]
pub struct Context {
    uc: *mut libc::ucontext_t,
}

impl Context {
    /// Wraps what the kernel passed as third argument of an `SA_SIGINFO` handler.
    ///
    /// # Safety
    /// `uc` must be that pointer, and the result must not outlive the handler's invocation.
    #[must_use]
    pub unsafe fn new(uc: *mut libc::c_void) -> Self {
        Self { uc: uc.cast() }
    }

    /// Program counter of the interrupted code.
    #[must_use]
    pub fn pc(&self) -> HostAddr {
        // SAFETY: `uc` is the kernel's frame, see `new`.
        HostAddr(unsafe { (*self.uc).uc_mcontext.gregs[libc::REG_RIP as usize] } as usize)
    }

    /// Continues elsewhere when the handler returns.
    pub fn set_pc(&mut self, pc: HostAddr) {
        // SAFETY: `uc` is the kernel's frame, see `new`.
        unsafe { (*self.uc).uc_mcontext.gregs[libc::REG_RIP as usize] = pc.0 as i64 };
    }

    /// General register by encoding number.
    #[must_use]
    pub fn general(&self, n: usize) -> u64 {
        // SAFETY: `uc` is the kernel's frame, see `new`.
        unsafe { (*self.uc).uc_mcontext.gregs[GREGS[n] as usize] as u64 }
    }

    /// Sets a general register by encoding number.
    pub fn set_general(&mut self, n: usize, value: u64) {
        // SAFETY: `uc` is the kernel's frame, see `new`.
        unsafe { (*self.uc).uc_mcontext.gregs[GREGS[n] as usize] = value as i64 };
    }

    /// MXCSR.
    #[must_use]
    pub fn fp_control(&self) -> u32 {
        // SAFETY: as in `save`.
        unsafe { (*(*self.uc).uc_mcontext.fpregs).mxcsr }
    }

    /// Sets MXCSR.
    pub fn set_fp_control(&mut self, word: u32) {
        // SAFETY: as in `save`.
        unsafe { (*(*self.uc).uc_mcontext.fpregs).mxcsr = word };
    }

    /// Copies out everything that translated code keeps in registers.
    pub fn save(&self, into: &mut Registers) {
        for n in 0..GENERAL {
            into.general[n] = self.general(n);
        }
        into.pc = self.pc();
        // SAFETY: `uc` is the kernel's frame and `fpregs` points into it; 64-bit kernels always
        // provide it.
        unsafe {
            let fp = (*self.uc).uc_mcontext.fpregs;
            into.fp_control = (*fp).mxcsr;
            for (n, x) in into.vector.iter_mut().enumerate() {
                let e = (*fp)._xmm[n].element;
                *x = u64::from(e[0]) | u64::from(e[1]) << 32;
            }
        }
    }
}
