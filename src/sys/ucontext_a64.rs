//! What a signal handler finds on an aarch64 host.
#![allow(unsafe_code, reason = "reads and writes the machine context of a signal frame")]
//! # Safety
//! A [`Context`] is made only from the pointer that the kernel hands to a handler, and lives no
//! longer than the handler; the records of vector state that it reads are part of the same frame.

use crate::util::HostAddr;

/// Number of general registers in a [`Registers`] set: x0 to x30, and the stack pointer.
pub const GENERAL: usize = 32;
/// Number of vector registers of which the low 64 bits are kept.
pub const VECTOR: usize = 32;

/// The registers of interrupted host code, numbered as the host's encodings number them.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Registers {
    /// x0 to x30, sp.
    pub general: [u64; GENERAL],
    /// Low halves of v0 to v31.
    pub vector: [u64; VECTOR],
    /// FPCR, and in its low five bits the accrued exceptions of FPSR.
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
            fp_control: 0,
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

/// `struct fpsimd_context` of the kernel (arch/arm64/include/uapi/asm/sigcontext.h).
#[repr(C)]
struct FpsimdContext {
    magic: u32,
    size: u32,
    fpsr: u32,
    fpcr: u32,
    vregs: [u128; 32],
}

/// `FPSIMD_MAGIC`
const FPSIMD: u32 = 0x4650_8001;
/// Accrued exceptions in FPSR.
const ACCRUED: u32 = 0x1f;

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
        HostAddr(unsafe { (*self.uc).uc_mcontext.pc } as usize)
    }

    /// Continues elsewhere when the handler returns.
    pub fn set_pc(&mut self, pc: HostAddr) {
        // SAFETY: `uc` is the kernel's frame, see `new`.
        unsafe { (*self.uc).uc_mcontext.pc = pc.0 as u64 };
    }

    /// General register by encoding number; 31 is the stack pointer.
    #[must_use]
    pub fn general(&self, n: usize) -> u64 {
        // SAFETY: `uc` is the kernel's frame, see `new`.
        let mcontext = unsafe { &(*self.uc).uc_mcontext };
        mcontext.regs.get(n).copied().unwrap_or(mcontext.sp)
    }

    /// Sets a general register by encoding number.
    pub fn set_general(&mut self, n: usize, value: u64) {
        // SAFETY: `uc` is the kernel's frame, see `new`.
        let mcontext = unsafe { &mut (*self.uc).uc_mcontext };
        *mcontext.regs.get_mut(n).unwrap_or(&mut mcontext.sp) = value;
    }

    /// FPCR, and in its low five bits the accrued exceptions of FPSR.
    #[must_use]
    pub fn fp_control(&self) -> u32 {
        // SAFETY: the record is part of the frame, and only this refers to it.
        self.fpsimd().map_or(0, |record| unsafe { (*record).fpcr | (*record).fpsr & ACCRUED })
    }

    /// Sets FPCR and the accrued exceptions of FPSR.
    pub fn set_fp_control(&mut self, word: u32) {
        if let Some(record) = self.fpsimd() {
            // SAFETY: as in `fp_control`.
            unsafe {
                (*record).fpcr = word & !ACCRUED;
                (*record).fpsr = (*record).fpsr & !ACCRUED | word & ACCRUED;
            }
        }
    }

    /// Copies out everything that translated code keeps in registers.
    pub fn save(&self, into: &mut Registers) {
        for n in 0..GENERAL {
            into.general[n] = self.general(n);
        }
        into.pc = self.pc();
        into.fp_control = self.fp_control();
        if let Some(record) = self.fpsimd() {
            // SAFETY: as in `fp_control`.
            let vregs = unsafe { (*record).vregs };
            for (to, from) in into.vector.iter_mut().zip(vregs) {
                *to = from as u64;
            }
        }
    }

    /// The vector registers of the frame.
    fn fpsimd(&self) -> Option<*mut FpsimdContext> {
        // SAFETY: `uc` is the kernel's frame.
        let pstate = unsafe { &raw mut (*self.uc).uc_mcontext.pstate };
        // The records follow, aligned to 16 bytes.
        let mut at = (pstate as usize + 8).next_multiple_of(16);
        loop {
            let record = at as *mut FpsimdContext;
            // SAFETY: the records are part of the frame, and one with size 0 is the last.
            let (magic, size) = unsafe { ((*record).magic, (*record).size) };
            if magic == FPSIMD {
                return Some(record);
            }
            if size == 0 {
                return None;
            }
            at += size as usize;
        }
    }
}
