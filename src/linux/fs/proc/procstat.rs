//! The text of files of `/proc` about a process' state: the host's, with the guest's numbers.

use crate::isa::Isa;
use crate::linux::fs::proc::procmaps::Sizes;
use crate::linux::lock::lock;
use crate::linux::process::Thread;
use crate::linux::signal::actions::SIG_IGN;
use crate::linux::task::credentials::Credentials;
use crate::linux::task::peers;
use crate::util::PAGE_SIZE;
use std::fmt::Write as _;

/// Signals that the host's process always has handlers for: SIGBUS, SIGFPE and SIGSEGV.
const ALWAYS_CAUGHT: u64 = 1 << 6 | 1 << 7 | 1 << 10;

/// Signals that are ignored, and that have handlers.
fn dispositions(t: &Thread) -> (u64, u64) {
    let actions = lock(&t.process.actions);
    let mut masks = (0, 0);
    for (signal, action) in actions.iter().enumerate().skip(1) {
        let bit = 1 << (signal - 1);
        if action.handler == SIG_IGN {
            masks.0 |= bit;
        } else if action.handler > SIG_IGN {
            masks.1 |= bit;
        }
    }
    masks
}

/// Where the guest of a process has its address 0, and how much it has.
fn region(t: &Thread, who: Option<u32>) -> (u64, u64) {
    match who {
        None => (t.memory().base().0 as u64, t.memory().size()),
        Some(pid) => peers::find(pid).map_or((0, 0), |other| (other.base, other.size)),
    }
}

/// `/proc/PID/stat` with the guest's addresses (fields numbered as in proc(5)). The host knows
/// them, if it lets us say where they are.
pub(crate) fn stat(host: &str, t: &Thread, who: Option<u32>, sizes: &Sizes) -> String {
    let (base, size) = region(t, who);
    let own = who.is_none().then(|| (dispositions(t), lock(&t.process.layout).clone()));
    with_fields(host, |number, word| {
        let host: u64 = word.parse().unwrap_or(0);
        let address = host.checked_sub(base).filter(|&a| a < size).unwrap_or(0);
        match (number, &own) {
            (23, _) => Some(sizes.all),
            (24, _) => Some(host.min(sizes.all / PAGE_SIZE)),
            (28, Some((_, layout))) => Some(layout.start_stack),
            (47, Some((_, layout))) => Some(layout.brk_start),
            (26..=28 | 45 | 46 | 48..=51, _) => Some(address),
            (29 | 30 | 47, _) => Some(0),
            (33, Some(((ignored, _), _))) => Some(*ignored & 0x7fff_ffff),
            (34, Some(((_, caught), _))) => Some(*caught & 0x7fff_ffff),
            (34, None) => Some(host & !ALWAYS_CAUGHT),
            _ => None,
        }
    })
}

/// `/proc/PID/stat` with other numbers in the fields for which there are some.
fn with_fields(host: &str, value: impl Fn(usize, &str) -> Option<u64>) -> String {
    let Some(end) = host.rfind(')') else { return host.to_owned() };
    let mut out = host[..=end].to_owned();
    // The first word behind the name is field 3.
    for (i, word) in host[end + 1..].split_whitespace().enumerate() {
        let _ = match value(i + 3, word) {
            Some(n) => write!(out, " {n}"),
            None => write!(out, " {word}"),
        };
    }
    out.push('\n');
    out
}

/// `/proc/self/status` with the ids that the guest believes to have.
fn with_ids(text: &str, c: &Credentials) -> String {
    let line = |line: &str| match line.split_once(':').and_then(|(k, _)| Some((k, c.status(k)?))) {
        Some((key, value)) => format!("{key}:\t{value}\n"),
        None => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

/// `/proc/PID/statm` of the host with the guest's sizes, in pages.
pub(crate) fn statm(host: &str, sizes: &Sizes) -> String {
    let word = |i| host.split_whitespace().nth(i).and_then(|w| w.parse().ok()).unwrap_or(0_u64);
    let pages = |bytes| bytes / PAGE_SIZE;
    let size = pages(sizes.all);
    let (resident, shared) = (word(1).min(size), word(2).min(size));
    let data = pages(sizes.data + sizes.stack);
    format!("{size} {resident} {shared} {} 0 {data} 0\n", pages(sizes.code))
}

/// `/proc/PID/status` of the host with what the guest is and has.
pub(crate) fn status(host: &str, t: &Thread, who: Option<u32>, sizes: &Sizes) -> String {
    let mut text = with_sizes(host, sizes);
    let Some(_) = who.is_none().then_some(()) else {
        return with_mask(&text, "SigCgt", |mask| mask & !ALWAYS_CAUGHT);
    };
    let (ignored, caught) = dispositions(t);
    text = with_mask(&text, "SigIgn", |_| ignored);
    text = with_mask(&text, "SigCgt", |_| caught);
    // The innermost name of a thread is the one that it knows itself by.
    let tid = host.lines().find_map(|l| l.strip_prefix("NSpid:"));
    if tid.and_then(|l| l.split_whitespace().last()) == Some(t.tid.to_string().as_str()) {
        text = with_mask(&text, "SigBlk", |_| t.sigmask);
    }
    if let Some(c) = &*lock(&t.process.credentials) {
        text = with_ids(&text, c);
    }
    filtered(&text, t.restriction.mode(), t.restriction.count())
}

/// `status` with another value of a set of signals.
fn with_mask(text: &str, key: &str, value: impl Fn(u64) -> u64) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        let _ = match line.split_once(":\t") {
            Some((k, mask)) if k == key => {
                let mask = u64::from_str_radix(mask, 16).unwrap_or(0);
                writeln!(out, "{key}:\t{:016x}", value(mask))
            }
            _ => writeln!(out, "{line}"),
        };
    }
    out
}

/// `status` of the host with the guest's sizes. What is resident the host counts with ours: no more
/// than there is.
fn with_sizes(host: &str, sizes: &Sizes) -> String {
    let mut out = String::with_capacity(host.len());
    for line in host.lines() {
        let known = line.split_once(':').and_then(|(key, rest)| {
            let host: u64 = rest.split_whitespace().next()?.parse().ok()?;
            let bytes = match key {
                "VmPeak" | "VmSize" => sizes.all,
                "VmHWM" | "VmRSS" | "RssAnon" | "RssFile" | "RssShmem" => {
                    (host << 10).min(sizes.all)
                }
                "VmData" => sizes.data,
                "VmStk" => sizes.stack,
                "VmExe" => sizes.code,
                "VmLib" => sizes.libraries,
                _ => return None,
            };
            Some((key, bytes >> 10))
        });
        let _ = match known {
            Some((key, kib)) => writeln!(out, "{key}:\t{kib:>8} kB"),
            None => writeln!(out, "{line}"),
        };
    }
    out
}

/// `/proc/PID/syscall`: of the calling thread, the call that it makes; of others, the host's by the
/// guest's number, without their registers.
pub(crate) fn syscall(host: &str, t: &Thread, who: Option<u32>) -> String {
    if who.is_none() {
        let hart = t.cpu.hart();
        let mut out = t.syscall_number().to_string();
        for arg in t.args() {
            let _ = write!(out, " {arg:#x}");
        }
        let _ = writeln!(out, " {:#x} {:#x}", hart.x[2], hart.pc.wrapping_add(4));
        return out;
    }
    let (base, size) = region(t, who);
    let mut words = host.split_whitespace();
    let number = words.next().and_then(|n| n.parse::<i64>().ok());
    let served = t.process.dispatch.number;
    let Some(call) = number.filter(|&n| n >= 0).and_then(served) else {
        return "running\n".to_owned();
    };
    let mut out = call.to_string();
    for word in words.take(6) {
        let value = u64::from_str_radix(word.trim_start_matches("0x"), 16).unwrap_or(0);
        let guest = value.checked_sub(base).filter(|&a| a < size).unwrap_or(value);
        let _ = write!(out, " {guest:#x}");
    }
    out.push_str(" 0x0 0x0\n");
    out
}

/// `/proc/self/status` with the guest's filters of system calls.
fn filtered(status: &str, mode: u32, filters: usize) -> String {
    let mut out = String::with_capacity(status.len());
    for line in status.lines() {
        let _ = match line.split_once(':') {
            Some(("Seccomp", _)) => writeln!(out, "Seccomp:\t{mode}"),
            Some(("Seccomp_filters", _)) => writeln!(out, "Seccomp_filters:\t{filters}"),
            _ => writeln!(out, "{line}"),
        };
    }
    out
}

/// `/proc/cpuinfo` as riscv kernels print it (`arch/riscv/kernel/cpu.c`).
pub(crate) fn cpu_info(isa: &Isa, address_space: u64, cpus: usize) -> String {
    let isa = isa.march_string();
    let mmu = match address_space.ilog2() {
        0..=38 => "sv39",
        39..=47 => "sv48",
        _ => "sv57",
    };
    let mut out = String::new();
    for cpu in 0..cpus {
        let _ = writeln!(out, "processor\t: {cpu}\nhart\t\t: {cpu}\nisa\t\t: {isa}");
        let _ = writeln!(out, "mmu\t\t: {mmu}\nuarch\t\t: rvnative\nmvendorid\t: 0x0");
        let _ = writeln!(out, "marchid\t\t: 0x0\nmimpid\t\t: 0x0\nhart isa\t: {isa}\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_info_has_a_block_for_each_processor() {
        let isa: Isa = "rv64gc".parse().unwrap();
        let text = cpu_info(&isa, 1 << 38, 2);
        assert!(text.starts_with("processor\t: 0\nhart\t\t: 0\nisa\t\t: rv64i"), "{text}");
        assert!(text.contains("\nmmu\t\t: sv39\n"));
        assert_eq!(text.matches("\n\n").count(), 2);
    }

    #[test]
    fn sizes_in_status_are_the_guests() {
        let host = "Name:\tx\nVmPeak:\t99999999 kB\nVmRSS:\t 12 kB\nVmStk:\t99 kB\n";
        let sizes = Sizes { all: 0x12000, data: 0x3000, stack: 0x2000, code: 0x4000, libraries: 0 };
        let shown = "Name:\tx\nVmPeak:\t      72 kB\nVmRSS:\t      12 kB\nVmStk:\t       8 kB\n";
        assert_eq!(with_sizes(host, &sizes), shown);
        assert_eq!(statm("100 5 60 7 0 9 0\n", &sizes), "18 5 18 4 0 5 0\n");
        let masks = "SigIgn:\t0000000000000001\nSigCgt:\t0000000000000446\n";
        let shown = "SigIgn:\t0000000000000001\nSigCgt:\t0000000000000006\n";
        assert_eq!(with_mask(masks, "SigCgt", |m| m & !ALWAYS_CAUGHT), shown);
    }
}
