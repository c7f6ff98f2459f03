//! The base of the GS segment. The C library's is FS; GS belongs to whoever uses it next, such as
//! another version of this library, so it is looked at each time.
#![allow(unsafe_code, reason = "reads and writes a segment base")]
//! # Safety
//! Code of Rust and C makes no access through GS, so its base concerns translated code alone.
#![cfg(target_arch = "x86_64")]

use crate::util::HostAddr;
use std::sync::LazyLock;

/// `HWCAP2_FSGSBASE` (arch/x86/include/uapi/asm/hwcap2.h).
const HWCAP2_FSGSBASE: u64 = 1 << 1;
/// `ARCH_SET_GS` (arch/x86/include/uapi/asm/prctl.h).
const ARCH_SET_GS: i32 = 0x1001;
/// `ARCH_GET_GS`.
const ARCH_GET_GS: i32 = 0x1004;

/// Whether the kernel lets programs use `rdgsbase` and `wrgsbase`.
static WRITABLE: LazyLock<bool> = LazyLock::new(|| {
    // SAFETY: reads the auxiliary vector.
    unsafe { libc::getauxval(libc::AT_HWCAP2) & HWCAP2_FSGSBASE != 0 }
});

/// Makes `base`, which is not 0, the address from which this thread's accesses through GS count.
/// It stays across signals and `fork`.
#[inline]
pub fn set_gs_base(base: HostAddr) {
    if read() != base {
        write(base);
    }
}

fn read() -> HostAddr {
    let mut base = 0_usize;
    if *WRITABLE {
        // SAFETY: the kernel has said that the instruction may be used.
        unsafe { std::arch::asm!("rdgsbase {}", out(reg) base, options(nomem, nostack)) };
    } else {
        // SAFETY: arch_prctl(ARCH_GET_GS) writes the base to a local variable.
        unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_GET_GS, &raw mut base) };
    }
    HostAddr(base)
}

#[cold]
fn write(base: HostAddr) {
    if *WRITABLE {
        // SAFETY: the kernel has said that the instruction may be used.
        unsafe { std::arch::asm!("wrgsbase {}", in(reg) base.0, options(nomem, nostack)) };
    } else {
        // SAFETY: arch_prctl(ARCH_SET_GS) changes nothing but the base. It cannot fail for an
        // address of this process.
        unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_SET_GS, base.0) };
    }
}
