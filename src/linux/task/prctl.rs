//! Operations on a process or thread (prctl(2)).

use crate::isa::Ext;
use crate::linux::abi::{Errno, GuestPtr, SysResult};
use crate::linux::host::HostArg;
use crate::linux::process::Thread;
use crate::linux::seccomp::calls as seccomp;
use crate::linux::seccomp::user_dispatch;
use crate::mem::Access;

/// What the arguments of an option are.
enum Kind {
    /// Numbers.
    Values,
    /// The first is the address of so many bytes that the kernel reads.
    Read(u64),
    /// The first is the address of so many bytes that the kernel writes.
    Write(u64),
    /// The last but one is the address of so many bytes that the kernel writes.
    WriteFourth(u64),
}

/// Options that the host serves. All others are of other architectures, of memory that the host
/// does not know (`PR_SET_MM`), or later than what we know.
fn host_option(option: i32) -> Option<Kind> {
    /// Options that our C library does not name yet (`linux/prctl.h`).
    const SET_IO_FLUSHER: i32 = 57;
    const GET_IO_FLUSHER: i32 = 58;
    const SCHED_CORE: i32 = 62;
    const SET_MEMORY_MERGE: i32 = 67;
    const GET_MEMORY_MERGE: i32 = 68;
    const TIMER_CREATE_RESTORE_IDS: i32 = 77;
    Some(match option {
        libc::PR_SET_NAME => Kind::Read(16),
        libc::PR_GET_NAME => Kind::Write(16),
        libc::PR_GET_PDEATHSIG | libc::PR_GET_CHILD_SUBREAPER => Kind::Write(4),
        SCHED_CORE => Kind::WriteFourth(8),
        libc::PR_SET_PDEATHSIG
        | libc::PR_SET_CHILD_SUBREAPER
        | libc::PR_GET_DUMPABLE
        | libc::PR_SET_DUMPABLE
        | libc::PR_GET_KEEPCAPS
        | libc::PR_SET_KEEPCAPS
        | libc::PR_GET_TIMING
        | libc::PR_SET_TIMING
        | libc::PR_GET_SECUREBITS
        | libc::PR_SET_SECUREBITS
        | libc::PR_CAPBSET_READ
        | libc::PR_CAPBSET_DROP
        | libc::PR_CAP_AMBIENT
        | libc::PR_SET_TIMERSLACK
        | libc::PR_GET_TIMERSLACK
        | libc::PR_TASK_PERF_EVENTS_DISABLE
        | libc::PR_TASK_PERF_EVENTS_ENABLE
        | libc::PR_SET_NO_NEW_PRIVS
        | libc::PR_GET_NO_NEW_PRIVS
        | libc::PR_SET_THP_DISABLE
        | libc::PR_GET_THP_DISABLE
        | libc::PR_SET_PTRACER
        | libc::PR_MCE_KILL
        | libc::PR_MCE_KILL_GET
        | SET_IO_FLUSHER
        | GET_IO_FLUSHER
        | SET_MEMORY_MERGE
        | GET_MEMORY_MERGE
        | TIMER_CREATE_RESTORE_IDS => Kind::Values,
        _ => return None,
    })
}

pub(crate) fn sys_prctl(t: &mut Thread, option: i32, a: u64, b: u64, c: u64, d: u64) -> SysResult {
    /// `PR_GET_TID_ADDRESS`.
    const GET_TID_ADDRESS: i32 = 40;
    /// `PR_RISCV_SET_ICACHE_FLUSH_CTX`: code written by this process is seen after its fences.
    const RISCV_SET_ICACHE_FLUSH_CTX: i32 = 71;
    /// `PR_RISCV_V_SET_CONTROL` and `PR_RISCV_V_GET_CONTROL`.
    const RISCV_V_SET_CONTROL: i32 = 69;
    const RISCV_V_GET_CONTROL: i32 = 70;
    /// `PR_SET_SYSCALL_USER_DISPATCH`.
    const SET_SYSCALL_USER_DISPATCH: i32 = 59;
    /// `PR_GET_AUXV`.
    const GET_AUXV: i32 = 0x4155_5856;
    match option {
        GET_TID_ADDRESS => {
            GuestPtr::new(a).write(t.memory(), &t.clear_child_tid)?;
            return Ok(0);
        }
        RISCV_SET_ICACHE_FLUSH_CTX => return Ok(0),
        RISCV_V_SET_CONTROL => return control_vectors(t, a),
        RISCV_V_GET_CONTROL if has_vectors(t) => return Ok(t.vector_control),
        RISCV_V_GET_CONTROL => return Err(Errno::EINVAL),
        libc::PR_SET_SECCOMP => return seccomp::set_by_prctl(t, a, b),
        SET_SYSCALL_USER_DISPATCH => return user_dispatch::set(t, a, b, c, d),
        libc::PR_GET_SECCOMP => return Ok(u64::from(t.restriction.mode())),
        libc::PR_SET_VMA => return name_range(t, a, b, c, d),
        GET_AUXV => return auxiliary_vector(t, a, b, c | d),
        _ => {}
    }
    let kind = host_option(option).ok_or(Errno::EINVAL)?;
    let mut args = [a, b, c, d].map(HostArg::value);
    match kind {
        Kind::Values => {}
        Kind::Read(n) => args[0] = t.guest(a, n, Access::Read)?,
        Kind::Write(n) => args[0] = t.guest(a, n, Access::Write)?,
        Kind::WriteFourth(n) => args[3] = t.guest(d, n, Access::Write)?,
    }
    t.host(libc::SYS_prctl, &[HostArg::int(option), args[0], args[1], args[2], args[3]])
}

/// Vectors are on for the thread: what [`Thread::vector_control`] is at first.
pub(crate) const VECTORS_ON: u64 = 2;

fn has_vectors(t: &Thread) -> bool {
    t.process.machine.isa().has(Ext::V)
}

/// Says whether vectors are on for the thread (bits 1:0) and for the program that it executes next
/// (3:2), and whether that goes on so (4). As in the kernel what is on stays on. What is said of
/// the next program is remembered, and has no effect on it.
fn control_vectors(t: &mut Thread, control: u64) -> SysResult {
    const OFF: u64 = 1;
    const RESERVED: u64 = 3;
    let (now, next) = (control & 3, control >> 2 & 3);
    if !has_vectors(t) || control > 0x1f || now == RESERVED || next == RESERVED {
        return Err(Errno::EINVAL);
    }
    if now == OFF {
        return Err(Errno::EPERM);
    }
    t.vector_control = control & !3 | VECTORS_ON;
    Ok(0)
}

/// Gives a range of anonymous memory a name for `/proc/PID/maps` on the host.
fn name_range(t: &Thread, attribute: u64, addr: u64, len: u64, name: u64) -> SysResult {
    let range = t.guest(addr, len, Access::Read)?;
    let name = t.guest(name, 1, Access::Read)?;
    let option = HostArg::int(libc::PR_SET_VMA);
    t.host(libc::SYS_prctl, &[option, attribute.into(), range, len.into(), name])
}

/// Copies as much of the auxiliary vector as fits; its length in any case.
fn auxiliary_vector(t: &Thread, to: u64, len: u64, others: u64) -> SysResult {
    if others != 0 {
        return Err(Errno::EINVAL);
    }
    let vector = &t.process.auxv;
    let shown = (len as usize).min(vector.len());
    t.memory().write_bytes(to, &vector[..shown])?;
    Ok(vector.len() as u64)
}

pub(crate) fn sys_personality(t: &mut Thread, persona: u32) -> SysResult {
    let own = &t.process.personality;
    let old = own.value();
    // All ones asks without setting.
    if persona != u32::MAX {
        own.set(persona);
        own.tell_host();
    }
    Ok(u64::from(old))
}
