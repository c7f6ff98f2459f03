//! What a program learns about the machine and sets for itself: uname(2), riscv_hwprobe(2),
//! prctl(2), prlimit(2), personality(2).

use super::abi::{Errno, GuestPtr, HwProbe, RLimit, SysResult, UtsName};
use super::host::{HostArg, Pod};
use super::process::Thread;
use crate::isa::Isa;
use crate::isa::hwprobe::{
    KEY_BASE_BEHAVIOR, KEY_HIGHEST_VIRT_ADDRESS, KEY_IMA_EXT_0, KEY_TIME_CSR_FREQ,
};
use crate::mem::Access;
use std::sync::atomic::Ordering;

pub(super) fn sys_uname(t: &mut Thread, to: GuestPtr<UtsName>) -> SysResult {
    let mut name = UtsName::zeroed();
    t.host(libc::SYS_uname, &[HostArg::of_mut(&mut name)])?;
    set(&mut name.machine, b"riscv64");
    if let Some(release) = &t.process.options.uname_release {
        set(&mut name.release, release.as_bytes());
    }
    to.write(t.memory(), &name)?;
    Ok(0)
}

fn set(field: &mut [u8; 65], text: &[u8]) {
    *field = [0; 65];
    let n = text.len().min(64);
    field[..n].copy_from_slice(&text[..n]);
}

pub(super) fn sys_riscv_flush_icache(
    t: &mut Thread,
    start: u64,
    end: u64,
    flags: u64,
) -> SysResult {
    /// `SYS_RISCV_FLUSH_ICACHE_LOCAL`, the only flag. One hart or all: the translations are shared.
    const LOCAL: u64 = 1;
    if flags & !LOCAL != 0 {
        return Err(Errno::EINVAL);
    }
    // As in the kernel, the range limits nothing.
    t.memory().expect_fences(if start < end { start..end } else { 0..u64::MAX });
    t.process.machine.flush_icache();
    Ok(0)
}

/// Ticks of the `time` CSR in a second: it counts nanoseconds.
const TIME_FREQUENCY: u64 = 1_000_000_000;

/// The value of one key, or `None` for a key that we do not know.
fn hwprobe(isa: &Isa, key: i64, user_end: u64) -> Option<u64> {
    match key {
        KEY_HIGHEST_VIRT_ADDRESS => Some(user_end - 1),
        KEY_TIME_CSR_FREQ => Some(TIME_FREQUENCY),
        key => isa.hwprobe(key),
    }
}

pub(super) fn sys_riscv_hwprobe(
    t: &mut Thread,
    pairs: GuestPtr<HwProbe>,
    count: u64,
    cpu_size: u64,
    cpus: GuestPtr<u8>,
    flags: u32,
) -> SysResult {
    /// `RISCV_HWPROBE_WHICH_CPUS`.
    const WHICH_CPUS: u32 = 1;
    if flags & !WHICH_CPUS != 0 || (cpu_size == 0) != cpus.is_null() {
        return Err(Errno::EINVAL);
    }
    let size = t.memory().size();
    let isa = *t.process.machine.isa();
    let mut all_match = true;
    for i in 0..count {
        let at = pairs.add(i);
        let mut pair = at.read(t.memory())?;
        let known = hwprobe(&isa, pair.key, size);
        if flags & WHICH_CPUS != 0 {
            // Bit sets match if they hold what is asked for.
            all_match &= known.is_some_and(|v| match pair.key {
                KEY_BASE_BEHAVIOR | KEY_IMA_EXT_0 => v & pair.value == pair.value,
                _ => v == pair.value,
            });
        }
        if flags & WHICH_CPUS == 0 || known.is_none() {
            pair = HwProbe {
                key: if known.is_some() { pair.key } else { -1 },
                value: known.unwrap_or(0),
            };
            at.write(t.memory(), &pair)?;
        }
    }
    if flags & WHICH_CPUS != 0 && !all_match {
        t.memory().fill(cpus.0, 0, cpu_size)?;
    }
    Ok(0)
}

/// An option of prctl(2) that the host serves, with the size of what its first argument points to.
enum Prctl {
    Value,
    Read(u64),
    Write(u64),
}

pub(super) fn sys_prctl(t: &mut Thread, option: i32, a: u64, b: u64, c: u64, d: u64) -> SysResult {
    /// `PR_GET_TID_ADDRESS`.
    const GET_TID_ADDRESS: i32 = 40;
    /// `PR_RISCV_SET_ICACHE_FLUSH_CTX`: code written by this process is seen after its fences.
    const RISCV_SET_ICACHE_FLUSH_CTX: i32 = 71;
    let kind = match option {
        GET_TID_ADDRESS => {
            GuestPtr::new(a).write(t.memory(), &t.clear_child_tid)?;
            return Ok(0);
        }
        RISCV_SET_ICACHE_FLUSH_CTX => return Ok(0),
        libc::PR_SET_NAME => Prctl::Read(16),
        libc::PR_GET_NAME => Prctl::Write(16),
        libc::PR_GET_PDEATHSIG | libc::PR_GET_CHILD_SUBREAPER => Prctl::Write(4),
        libc::PR_SET_PDEATHSIG
        | libc::PR_SET_CHILD_SUBREAPER
        | libc::PR_GET_DUMPABLE
        | libc::PR_SET_DUMPABLE
        | libc::PR_GET_KEEPCAPS
        | libc::PR_SET_KEEPCAPS
        | libc::PR_GET_TIMING
        | libc::PR_GET_SECUREBITS
        | libc::PR_SET_SECUREBITS
        | libc::PR_CAPBSET_READ
        | libc::PR_CAPBSET_DROP
        | libc::PR_CAP_AMBIENT
        | libc::PR_SET_TIMERSLACK
        | libc::PR_GET_TIMERSLACK
        | libc::PR_SET_NO_NEW_PRIVS
        | libc::PR_GET_NO_NEW_PRIVS
        | libc::PR_SET_THP_DISABLE
        | libc::PR_GET_THP_DISABLE
        | libc::PR_SET_PTRACER
        | libc::PR_MCE_KILL_GET => Prctl::Value,
        _ => return Err(Errno::EINVAL),
    };
    let first = match kind {
        Prctl::Value => HostArg::value(a),
        Prctl::Read(n) => t.guest(a, n, Access::Read)?,
        Prctl::Write(n) => t.guest(a, n, Access::Write)?,
    };
    let rest = [b, c, d].map(HostArg::value);
    t.host(libc::SYS_prctl, &[HostArg::int(option), first, rest[0], rest[1], rest[2]])
}

pub(super) fn sys_personality(t: &mut Thread, persona: u32) -> SysResult {
    let slot = &t.process.personality;
    // All ones asks without setting.
    let old = if persona == u32::MAX {
        slot.load(Ordering::Relaxed)
    } else {
        slot.swap(persona, Ordering::Relaxed)
    };
    Ok(u64::from(old))
}

/// Limits that would hit our own mappings instead of the guest's: accepted without effect.
fn is_ours(resource: u32) -> bool {
    let own = [libc::RLIMIT_AS, libc::RLIMIT_STACK, libc::RLIMIT_DATA];
    own.contains(&resource)
}

pub(super) fn sys_setrlimit(t: &mut Thread, resource: u32, new: GuestPtr<RLimit>) -> SysResult {
    sys_prlimit64(t, 0, resource, new, GuestPtr::new(0))
}

pub(super) fn sys_prlimit64(
    t: &mut Thread,
    pid: i32,
    resource: u32,
    new: GuestPtr<RLimit>,
    old: GuestPtr<RLimit>,
) -> SysResult {
    let mut limit = new.read_optional(t.memory())?;
    let mut before = RLimit { cur: 0, max: 0 };
    if is_ours(resource) {
        if limit.is_some_and(|l| l.cur > l.max) {
            return Err(Errno::EINVAL);
        }
        limit = None;
    }
    let args = [
        HostArg::int(pid),
        HostArg::value(u64::from(resource)),
        limit.as_ref().map_or(HostArg::NULL, HostArg::of),
        HostArg::of_mut(&mut before),
    ];
    t.host(libc::SYS_prlimit64, &args)?;
    old.write_optional(t.memory(), &before)?;
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_tell_the_enabled_extensions() {
        let isa: Isa = "rv64gc,+zba".parse().unwrap();
        assert_eq!(hwprobe(&isa, 3, 1 << 38), Some(1));
        assert_eq!(hwprobe(&isa, 4, 1 << 38).unwrap() & 0x3b, 3 | 1 << 3);
        assert_eq!(hwprobe(&isa, 7, 1 << 38), Some((1 << 38) - 1));
        assert_eq!(hwprobe(&isa, 1000, 1 << 38), None);
    }
}
