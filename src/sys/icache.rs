//! Making written code visible to instruction fetches.
#![allow(unsafe_code, reason = "cache maintenance, and a call of code that was just written")]
//! # Safety
//! Cache maintenance changes no data. The code that [`views_agree`] calls is written here, keeps
//! the C calling convention, and lies in memory that the caller hands over for that.

use crate::util::HostAddr;

/// Makes `len` bytes of code, written at `write` and executed at `exec`, visible to the fetches of
/// all threads, and to those of the calling thread at once. Does nothing on x86-64, whose caches
/// agree by themselves.
///
/// Other threads that are to execute new code must reach it through a branch that was patched or
/// a pointer that was published after this call (Arm ARM, "Synchronization and coherency issues
/// between data and instruction accesses").
pub fn sync(exec: HostAddr, write: HostAddr, len: usize) {
    #[cfg(target_arch = "aarch64")]
    {
        let ctr: u64;
        // SAFETY: reads a register that Linux lets user programs read.
        unsafe { std::arch::asm!("mrs {}, ctr_el0", out(reg) ctr, options(nomem, nostack)) };
        // Log2 of the least line, in words.
        let line = |shift: u64| 4_usize << ((ctr >> shift) & 15);
        let lines = |start: usize, line: usize| (start & !(line - 1)..start + len).step_by(line);
        for at in lines(write.0, line(16)) {
            // SAFETY: cleans a line of mapped memory, which changes no data.
            unsafe { std::arch::asm!("dc cvau, {}", in(reg) at, options(nostack)) };
        }
        // SAFETY: a barrier.
        unsafe { std::arch::asm!("dsb ish", options(nostack)) };
        for at in lines(exec.0, line(0)) {
            // SAFETY: invalidates a line of the instruction cache, which holds no data.
            unsafe { std::arch::asm!("ic ivau, {}", in(reg) at, options(nostack)) };
        }
        // SAFETY: barriers.
        unsafe { std::arch::asm!("dsb ish", "isb", options(nostack)) };
    }
    #[cfg(not(target_arch = "aarch64"))]
    let _ = (exec, write, len);
}

/// Makes code that was written and synchronised ([`sync`]) the one that all threads of the process
/// execute from now on, whatever their processors have fetched ahead. For code that others reach by
/// a pointer; a branch that is patched needs no such thing.
pub fn sync_cores() {
    #[cfg(target_arch = "aarch64")]
    {
        // include/uapi/linux/membarrier.h
        const PRIVATE_EXPEDITED_SYNC_CORE: i32 = 1 << 5;
        const REGISTER_PRIVATE_EXPEDITED_SYNC_CORE: i32 = 1 << 6;
        // SAFETY: membarrier(2) changes no data.
        let barrier = |command: i32| unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) };
        let refused = |result| {
            let error = std::io::Error::last_os_error().raw_os_error();
            result == -1 && error == Some(libc::EPERM)
        };
        // A process must have asked for it once. A kernel that lacks it (4.16) leaves it to the
        // processors, which in practice see to it.
        if refused(barrier(PRIVATE_EXPEDITED_SYNC_CORE)) {
            barrier(REGISTER_PRIVATE_EXPEDITED_SYNC_CORE);
            barrier(PRIVATE_EXPEDITED_SYNC_CORE);
        }
    }
}

/// Whether code that is changed at `write` is executed as changed at `exec`, two views of the same
/// memory of which 8 bytes are overwritten. True of every host, but not of qemu-user before 8.1 on
/// aarch64, which takes no notice of `ic ivau`.
#[must_use]
pub fn views_agree(exec: HostAddr, write: HostAddr) -> bool {
    #[cfg(target_arch = "aarch64")]
    {
        // `mov w0, #n; ret`
        let returns = |n: u64| 0x5280_0000 | n << 5 | 0xd65f_03c0 << 32;
        let run = |n: u64| {
            // SAFETY: the caller hands over 8 bytes there, mapped writable.
            unsafe { (write.0 as *mut u64).write_volatile(returns(n)) };
            sync(exec, write, 8);
            // SAFETY: a function without arguments was just written there.
            let f = unsafe { std::mem::transmute::<usize, extern "C" fn() -> u32>(exec.0) };
            u64::from(f()) == n
        };
        run(1) && run(2)
    }
    #[cfg(not(target_arch = "aarch64"))]
    {
        let _ = (exec, write);
        true
    }
}
