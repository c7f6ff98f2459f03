//! What a program learns about the machine: uname(2), riscv_hwprobe(2), lsm_list_modules(2).

use crate::isa::Isa;
use crate::isa::hwprobe::{
    KEY_BASE_BEHAVIOR, KEY_CPUPERF_0, KEY_HIGHEST_VIRT_ADDRESS, KEY_IMA_EXT_0, KEY_TIME_CSR_FREQ,
};
use crate::linux::abi::{Errno, GuestPtr, HwProbe, Pod, SysResult, UtsName};
use crate::linux::host::HostArg;
use crate::linux::process::Thread;

pub(crate) fn sys_uname(t: &mut Thread, to: GuestPtr<UtsName>) -> SysResult {
    let mut name = UtsName::zeroed();
    t.host(libc::SYS_uname, &[HostArg::of_mut(&mut name)])?;
    set(&mut name.machine, b"riscv64");
    if let Some(release) = &t.process.options.uname_release
        && !t.process.personality.tells_old_release()
    {
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

pub(crate) fn sys_riscv_flush_icache(
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

/// Processors that are online, as a set of the kernel's: bit `n % 64` of word `n / 64`. Its length
/// is that of the largest set that there can be.
fn online() -> Vec<u64> {
    let list = std::fs::read_to_string("/sys/devices/system/cpu/online").unwrap_or_default();
    let numbers = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.parse::<usize>().ok()?..=last.parse::<usize>().ok()?)
    };
    let all: Vec<usize> = list.trim().split(',').filter_map(numbers).flatten().collect();
    let highest = all.last().copied().unwrap_or(0);
    let mut set = vec![0; highest / 64 + 1];
    for cpu in all {
        set[cpu / 64] |= 1 << (cpu % 64);
    }
    if set.iter().all(|&word| word == 0) {
        set[0] = 1;
    }
    set
}

/// Copies a set of processors from the guest: those of them that are online.
fn read_cpus(t: &Thread, size: u64, cpus: GuestPtr<u8>, online: &[u64]) -> Result<Vec<u64>, Errno> {
    let mut bytes = vec![0; size as usize];
    t.memory().read_bytes(cpus.0, &mut bytes)?;
    bytes.resize(online.len() * 8, 0);
    let words = bytes.as_chunks::<8>().0.iter().map(|c| u64::from_le_bytes(*c));
    Ok(words.zip(online).map(|(word, there)| word & there).collect())
}

pub(crate) fn sys_riscv_hwprobe(
    t: &mut Thread,
    pairs: GuestPtr<HwProbe>,
    count: u64,
    cpu_size: u64,
    cpus: GuestPtr<u8>,
    flags: u32,
) -> SysResult {
    /// `RISCV_HWPROBE_WHICH_CPUS`.
    const WHICH_CPUS: u32 = 1;
    let online = online();
    let size = cpu_size.min(online.len() as u64 * 8);
    match flags {
        0 => {}
        WHICH_CPUS if size != 0 && !cpus.is_null() => {
            return which_cpus(t, pairs, count, size, cpus, &online);
        }
        _ => return Err(Errno::EINVAL),
    }
    if size != 0 || !cpus.is_null() {
        let asked = read_cpus(t, size, cpus, &online)?;
        if asked.iter().all(|&word| word == 0) {
            return Err(Errno::EINVAL);
        }
    }
    let (isa, user_end) = (*t.process.machine.isa(), t.memory().size());
    for i in 0..count {
        let at = pairs.add(i);
        let key = at.cast::<i64>().read(t.memory())?;
        let known = hwprobe(&isa, key, user_end);
        let key = if known.is_some() { key } else { -1 };
        at.write(t.memory(), &HwProbe { key, value: known.unwrap_or(0) })?;
    }
    Ok(0)
}

/// Which of the processors have what the pairs ask for: they are all alike.
fn which_cpus(
    t: &Thread,
    pairs: GuestPtr<HwProbe>,
    count: u64,
    size: u64,
    cpus: GuestPtr<u8>,
    online: &[u64],
) -> SysResult {
    let mut set = read_cpus(t, size, cpus, online)?;
    let mut given = vec![0; size as usize];
    t.memory().read_bytes(cpus.0, &mut given)?;
    if given.iter().all(|&b| b == 0) {
        set.copy_from_slice(online);
    }
    let (isa, user_end) = (*t.process.machine.isa(), t.memory().size());
    for i in 0..count {
        let at = pairs.add(i);
        let pair = at.read(t.memory())?;
        let known = hwprobe(&isa, pair.key, user_end);
        if known.is_none() {
            at.write(t.memory(), &HwProbe { key: -1, value: 0 })?;
        }
        let matches = known.is_some_and(|v| match pair.key {
            // Sets of bits match if they hold what is asked for.
            KEY_BASE_BEHAVIOR | KEY_IMA_EXT_0 | KEY_CPUPERF_0 => v & pair.value == pair.value,
            _ => v == pair.value,
        });
        if !matches {
            set.fill(0);
        }
    }
    let bytes: Vec<u8> = set.iter().flat_map(|word| word.to_le_bytes()).collect();
    t.memory().write_bytes(cpus.0, &bytes[..size as usize])?;
    Ok(0)
}

/// The size that a call reads and writes by address, and a buffer of that many bytes.
fn sized(t: &Thread, to: u64, size: GuestPtr<u32>) -> Result<[HostArg<'static>; 2], Errno> {
    let len = size.read(t.memory())?;
    Ok([t.output(to, u64::from(len))?, t.output(size.0, 4)?])
}

pub(crate) fn sys_lsm_get_self_attr(
    t: &mut Thread,
    attribute: u32,
    to: u64,
    size: GuestPtr<u32>,
    flags: u32,
) -> SysResult {
    const LSM_GET_SELF_ATTR: i64 = 459;
    let [to, size] = sized(t, to, size)?;
    t.host(LSM_GET_SELF_ATTR, &[attribute.into(), to, size, flags.into()])
}

pub(crate) fn sys_lsm_list_modules(
    t: &mut Thread,
    to: u64,
    size: GuestPtr<u32>,
    flags: u32,
) -> SysResult {
    const LSM_LIST_MODULES: i64 = 461;
    let [to, size] = sized(t, to, size)?;
    t.host(LSM_LIST_MODULES, &[to, size, flags.into()])
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
