//! What a process has mapped, as `/proc/PID/maps` and its kin tell it: the guest's mappings, with
//! what the host's kernel knows of each.

use crate::linux::abi::Errno;
use crate::linux::process::{Process, Thread};
use crate::linux::task::peers::{self, GuestProcess};
use crate::mem::{Backing, Prot};
use crate::util::{PAGE_SIZE, page_down};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Range;

/// A mapping of a guest process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Area {
    /// Guest addresses.
    pub range: Range<u64>,
    pub prot: Prot,
    pub shared: bool,
    /// Byte offset in the file.
    pub offset: u64,
    /// Device and inode; 0 without a file.
    pub dev: u64,
    pub inode: u64,
    /// The guest's name of the file, or one such as `[heap]`.
    pub name: String,
}

/// Column in which a name starts (kernel: `show_vma_header_prefix` and `seq_pad`).
const NAME_COLUMN: usize = 73;

impl Area {
    /// Its line of `maps`.
    pub(crate) fn line(&self) -> String {
        let flag = |on, c| if on { c } else { '-' };
        let bits = self.prot.linux();
        let mut line = format!(
            "{:08x}-{:08x} {}{}{}{} {:08x} {:02x}:{:02x} {} ",
            self.range.start,
            self.range.end,
            flag(bits & 1 != 0, 'r'),
            flag(bits & 2 != 0, 'w'),
            flag(bits & 4 != 0, 'x'),
            if self.shared { 's' } else { 'p' },
            self.offset,
            libc::major(self.dev),
            libc::minor(self.dev),
            self.inode
        );
        if !self.name.is_empty() {
            line.extend(std::iter::repeat_n(' ', NAME_COLUMN.saturating_sub(line.len())));
            line.push_str(&self.name.replace('\n', "\\012"));
        }
        line.push('\n');
        line
    }

    fn len(&self) -> u64 {
        self.range.end - self.range.start
    }

    fn is_stack(&self) -> bool {
        self.name == "[stack]"
    }
}

/// A line of the host's `maps` or `smaps`.
struct HostArea<'a> {
    range: Range<u64>,
    flags: &'a str,
    offset: u64,
    dev: u64,
    inode: u64,
    name: &'a str,
    /// Names and values of what `smaps` tells, in its order.
    details: Vec<(&'a str, &'a str)>,
}

impl HostArea<'_> {
    fn detail(&self, name: &str) -> Option<&str> {
        self.details.iter().find(|(key, _)| *key == name).map(|(_, value)| *value)
    }

    /// True if a guest process, whose addresses have it, has mapped it. What nobody has mapped is
    /// reserved, without access, memory or a name; so is for the host what the guest has mapped
    /// without access and never used, and what the host's `maps` does not tell of.
    fn is_mapped(&self) -> bool {
        let has = |name| self.detail(name).is_some_and(|value| value != "0 kB");
        let flags = self.detail("VmFlags");
        let counted =
            flags.is_some_and(|f| f.split(' ').all(|flag| flag != "nr")) && marks_reserved();
        !self.flags.starts_with("---p") || self.inode != 0 || counted || has("Rss") || has("Swap")
    }
}

/// False on a host that counts all memory, where nothing is just reserved (proc_sys_vm(5)).
fn marks_reserved() -> bool {
    std::fs::read("/proc/sys/vm/overcommit_memory").is_ok_and(|mode| mode.first() != Some(&b'2'))
}

/// Takes a line of `maps` apart.
fn host_area(line: &str) -> Option<HostArea<'_>> {
    let hex = |text| u64::from_str_radix(text, 16).ok();
    let (range, rest) = line.split_once(' ')?;
    let (start, end) = range.split_once('-')?;
    let mut words = rest.splitn(5, ' ');
    let (flags, offset, dev, inode) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let (major, minor) = dev.split_once(':')?;
    let dev = libc::makedev(hex(major)? as u32, hex(minor)? as u32);
    let name = words.next().unwrap_or("").trim_start();
    let inode = inode.parse().ok()?;
    let (range, offset) = (hex(start)?..hex(end)?, hex(offset)?);
    Some(HostArea { range, flags, offset, dev, inode, name, details: Vec::new() })
}

/// The host's mappings, lowest first, from its `maps` or `smaps`.
fn host_areas(text: &str) -> Vec<HostArea<'_>> {
    let mut all: Vec<HostArea<'_>> = Vec::new();
    for line in text.lines() {
        match line.split_once(':') {
            Some((key, value)) if !key.contains(' ') => {
                if let Some(last) = all.last_mut() {
                    last.details.push((key, value.trim()));
                }
            }
            _ => all.extend(host_area(line)),
        }
    }
    all
}

/// The host's mappings of a process that are the guest's.
pub(crate) struct Areas<'a> {
    /// Of the guest, lowest first.
    pub all: Vec<Area>,
    host: Vec<HostArea<'a>>,
    base: u64,
}

impl<'a> Areas<'a> {
    /// Those of the calling process; `host` is what the host tells of it.
    pub(crate) fn own(process: &Process, host: &'a str) -> Self {
        let base = process.memory().base().0 as u64;
        let host = host_areas(host);
        // Many are of one file.
        let mut names: BTreeMap<String, String> = BTreeMap::new();
        let mut file_name = |path: &str| {
            let known = names.entry(path.to_owned());
            let name = || process.file_name(path.as_ref()).to_string_lossy().into_owned();
            known.or_insert_with(name).clone()
        };
        let areas = process.memory().mappings().into_iter().map(|(range, m)| {
            let (offset, dev, inode, name) = match &m.backing {
                Backing::Anonymous(name) => (0, 0, 0, name.unwrap_or("").to_owned()),
                Backing::File { path, offset, dev, inode } => {
                    (*offset, *dev, *inode, path.to_string_lossy().into_owned())
                }
            };
            let mut area = Area { range, prot: m.prot, shared: m.shared, offset, dev, inode, name };
            if let Some(h) = containing(&host, base + area.range.start) {
                area.learn(h, base, &mut file_name);
            }
            area
        });
        Self { all: areas.collect(), host, base }
    }

    /// Those of another guest process, as far as the host tells.
    pub(crate) fn other(
        other: &GuestProcess,
        host: &'a str,
        name: impl Fn(&str) -> String,
    ) -> Self {
        let host = host_areas(host);
        let end = other.base.saturating_add(other.size);
        let inside = host
            .iter()
            .filter(|h| h.range.start >= other.base && h.range.end <= end && h.is_mapped());
        let areas = inside.map(|h| {
            let bit = |c, bit| if h.flags.contains(c) { bit } else { 0 };
            Area {
                range: h.range.start - other.base..h.range.end - other.base,
                prot: Prot::from_linux(bit('r', 1) | bit('w', 2) | bit('x', 4)),
                shared: h.flags.ends_with('s'),
                offset: h.offset,
                dev: h.dev,
                inode: h.inode,
                name: if h.name.starts_with('/') { name(h.name) } else { h.name.to_owned() },
            }
        });
        Self { all: areas.collect(), base: other.base, host }
    }

    /// True if a name in `map_files`, two addresses of the host, is that of a file of the guest.
    pub(crate) fn has_file(&self, name: &str) -> bool {
        let hex = |text| u64::from_str_radix(text, 16).ok();
        let start = name.split_once('-').and_then(|(start, _)| hex(start)?.checked_sub(self.base));
        start.is_some_and(|start| self.all.iter().any(|a| a.range.contains(&start)))
    }

    /// The text of `maps`.
    pub(crate) fn maps(&self) -> String {
        self.all.iter().map(Area::line).collect()
    }

    /// The text of `smaps`.
    pub(crate) fn details(&self) -> String {
        let mut out = String::new();
        for area in &self.all {
            out.push_str(&area.line());
            let _ = writeln!(out, "{:<16}{:>8} kB", "Size:", area.len() >> 10);
            for name in ["KernelPageSize:", "MMUPageSize:"] {
                let _ = writeln!(out, "{name:<16}{:>8} kB", PAGE_SIZE >> 10);
            }
            for (key, kib) in self.sums(area) {
                let _ = writeln!(out, "{:<16}{kib:>8} kB", format!("{key}:"));
            }
            let _ = writeln!(out, "THPeligible:    {:>8}", 0);
            let _ = writeln!(out, "VmFlags: {}", self.flags(area));
        }
        out
    }

    /// The text of `smaps_rollup`.
    pub(crate) fn rollup(&self) -> String {
        let (Some(first), Some(last)) = (self.all.first(), self.all.last()) else {
            return String::new();
        };
        let mut out =
            format!("{:08x}-{:08x} ---p 00000000 00:00 0 ", first.range.start, last.range.end);
        out.extend(std::iter::repeat_n(' ', NAME_COLUMN.saturating_sub(out.len())));
        out.push_str("[rollup]\n");
        let mut keys = Vec::new();
        let mut sums: BTreeMap<&str, u64> = BTreeMap::new();
        let mut kinds = [0; 3];
        for area in &self.all {
            for (key, kib) in self.sums(area) {
                if !keys.contains(&key) {
                    keys.push(key);
                }
                *sums.entry(key).or_default() += kib;
                if key == "Pss" {
                    let kind = if area.inode == 0 {
                        0
                    } else {
                        1 + usize::from(area.shared && area.name.starts_with("/dev/zero"))
                    };
                    kinds[kind] += kib;
                }
            }
        }
        for key in keys {
            let _ = writeln!(out, "{:<16}{:>8} kB", format!("{key}:"), sums[key]);
            if key == "Pss_Dirty" {
                for (name, kib) in ["Pss_Anon:", "Pss_File:", "Pss_Shmem:"].into_iter().zip(kinds) {
                    let _ = writeln!(out, "{name:<16}{kib:>8} kB");
                }
            }
        }
        out
    }

    /// What the host counts in an area, in KiB. The host may keep it in pieces, or with what is
    /// reserved beside it, which has no pages.
    fn sums(&self, area: &Area) -> Vec<(&'a str, u64)> {
        let mut sums: Vec<(&str, u64)> = Vec::new();
        for h in self.host_parts(area) {
            for &(key, value) in &h.details {
                let Some(kib) = value.strip_suffix(" kB") else { continue };
                if key == "Size" || key.ends_with("PageSize") {
                    continue;
                }
                let kib: u64 = kib.parse().unwrap_or(0);
                match sums.iter_mut().find(|(k, _)| *k == key) {
                    Some((_, sum)) => *sum += kib,
                    None => sums.push((key, kib)),
                }
            }
        }
        sums
    }

    fn host_parts(&self, area: &Area) -> impl Iterator<Item = &HostArea<'a>> {
        let range = self.base + area.range.start..self.base + area.range.end;
        let first = self.host.partition_point(|h| h.range.end <= range.start);
        self.host[first..].iter().take_while(move |h| h.range.start < range.end)
    }

    /// The two-letter flags of an area.
    fn flags(&self, area: &Area) -> String {
        let mut flags = Vec::new();
        for (bit, name) in [(1, "rd"), (2, "wr"), (4, "ex")] {
            if area.prot.linux() & bit != 0 {
                flags.push(name);
            }
        }
        let host = self.host_parts(area).next();
        // That we reserve nothing, and that we execute nothing, is ours.
        let others = host.and_then(|h| h.detail("VmFlags")).unwrap_or("").split(' ');
        let mut others: Vec<_> =
            others.filter(|f| !["rd", "wr", "ex", "nr", "me", ""].contains(f)).collect();
        let at =
            others.iter().position(|f| !["sh", "mr", "mw"].contains(f)).unwrap_or(others.len());
        others.insert(at, "me");
        flags.extend(others);
        flags.join(" ")
    }

    /// Bytes of memory by what they are for.
    pub(crate) fn sizes(&self, program: &str) -> Sizes {
        let mut sizes = Sizes::default();
        for area in &self.all {
            let len = area.len();
            let writable = area.prot.writable();
            sizes.all += len;
            if area.is_stack() {
                sizes.stack += len;
            } else if writable && !area.shared {
                sizes.data += len;
            } else if area.prot.executable() && !writable {
                *(if area.name == program { &mut sizes.code } else { &mut sizes.libraries }) += len;
            }
        }
        sizes
    }
}

/// What `status` tells of a process' memory, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sizes {
    pub all: u64,
    pub data: u64,
    pub stack: u64,
    pub code: u64,
    pub libraries: u64,
}

impl Area {
    /// Takes over what only the host knows: what the file is called today, and the numbers of
    /// shared memory.
    fn learn(&mut self, h: &HostArea<'_>, base: u64, name: impl FnOnce(&str) -> String) {
        let file = h.name.starts_with('/') && self.name.starts_with('/');
        if file && !self.name.starts_with("/SYSV") {
            self.name = name(h.name);
            (self.dev, self.inode) = (h.dev, h.inode);
            self.offset = h.offset + (base + self.range.start - h.range.start);
        } else if self.name.is_empty() && h.name.starts_with("[anon") {
            // Named by the guest itself (PR_SET_VMA).
            h.name.clone_into(&mut self.name);
        }
    }
}

fn containing<'h, 'a>(host: &'h [HostArea<'a>], at: u64) -> Option<&'h HostArea<'a>> {
    let i = host.partition_point(|h| h.range.end <= at);
    host.get(i).filter(|h| h.range.contains(&at))
}

/// The areas of a guest process, the calling one if absent; `host` is the host's `maps` or `smaps`
/// of it.
///
/// # Errors
/// `ENOENT` if it is none.
pub(crate) fn areas_of<'a>(
    t: &Thread,
    who: Option<u32>,
    host: &'a str,
) -> Result<Areas<'a>, Errno> {
    let Some(pid) = who else { return Ok(Areas::own(&t.process, host)) };
    let other = peers::find(pid).ok_or(Errno::ENOENT)?;
    let name = |path: &str| t.process.file_name(path.as_ref()).to_string_lossy().into_owned();
    Ok(Areas::other(&other, host, name))
}

/// The host's `numa_maps`, of which each line begins with an address, with the guest's lines.
pub(crate) fn numa(areas: &Areas<'_>, host: &str) -> String {
    let mut out = String::new();
    for line in host.lines() {
        let Some((addr, rest)) = line.split_once(' ') else { continue };
        let Ok(addr) = u64::from_str_radix(addr, 16) else { continue };
        let Some(addr) = addr.checked_sub(areas.base) else { continue };
        if areas.all.iter().any(|a| a.range.contains(&addr)) {
            let _ = writeln!(out, "{addr:08x} {rest}");
        }
    }
    out
}

/// The part of `range` from its start on that is mapped.
pub(crate) fn readable_from(areas: &Areas<'_>, range: Range<u64>) -> u64 {
    let mut at = range.start;
    for a in &areas.all {
        if a.range.contains(&page_down(at)) {
            at = a.range.end;
        }
    }
    at.min(range.end) - range.start
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: &str = "00010000-00014000 ---p 00000000 00:00 0 \n\
                        00014000-00016000 rw-p 00000000 00:00 0 \n\
                        00016000-00017000 r--p 00001000 08:01 9                          /root/a b\n\
                        00020000-00021000 rw-p 00000000 00:00 0                          [stack]\n";

    #[test]
    fn only_the_guests_mappings_of_another_process_are_shown() {
        let other =
            GuestProcess { base: 0x10000, size: 0x10000, limits: 0, exe: vec![], exe_host: vec![] };
        let areas = Areas::other(&other, HOST, |path| path.replace("/root", ""));
        let name = format!("{:<73}/a b", "00006000-00007000 r--p 00001000 08:01 9");
        let shown = format!("00004000-00006000 rw-p 00000000 00:00 0 \n{name}\n");
        assert_eq!(areas.maps(), shown);
        assert!(areas.has_file("16000-17000") && !areas.has_file("20000-21000"));
        assert!(!areas.has_file("1000-2000") && !areas.has_file("fd"));
        assert_eq!(areas.sizes("").all, 0x3000);
        assert_eq!(readable_from(&areas, 0x5ff8..0x6008), 0x10);
        assert_eq!(readable_from(&areas, 0x6ff8..0x7008), 8);
        assert_eq!(readable_from(&areas, 0x1000..0x1008), 0);
    }

    #[test]
    fn what_another_process_has_mapped_without_access_is_told_by_its_details() {
        let other =
            GuestProcess { base: 0x10000, size: 0x10000, limits: 0, exe: vec![], exe_host: vec![] };
        let reserved = "Rss:                   0 kB\nVmFlags: mr mw me nr \n";
        let used = "Rss:                   4 kB\nVmFlags: mr mw me nr \n";
        let counted = "Rss:                   0 kB\nVmFlags: mr mw me ac \n";
        let host = [(0x10, reserved), (0x11, used), (0x12, counted), (0x13, reserved)]
            .map(|(page, details)| {
                format!("{page:05x}000-{:05x}000 ---p 00000000 00:00 0 \n{details}", page + 1)
            })
            .concat();
        let areas = Areas::other(&other, &host, str::to_owned);
        let starts: Vec<u64> = areas.all.iter().map(|a| a.range.start).collect();
        assert_eq!(starts, if marks_reserved() { vec![0x1000, 0x2000] } else { vec![0x1000] });
    }

    #[test]
    fn details_are_summed_over_the_hosts_pieces() {
        let host = "00014000-00015000 rw-p 00000000 00:00 0 \nSize: 4 kB\nRss:    4 kB\nVmFlags: rd wr mr mw me nr\n\
                    00015000-00016000 r--p 00000000 00:00 0 \nSize: 4 kB\nRss:    3 kB\nVmFlags: rd\n";
        let area = Area {
            range: 0x4000..0x6000,
            prot: Prot::RWX,
            shared: false,
            offset: 0,
            dev: 0,
            inode: 0,
            name: String::new(),
        };
        let areas = Areas { all: vec![area], host: host_areas(host), base: 0x10000 };
        let text = areas.details();
        assert!(text.contains("Size:                  8 kB\n"), "{text}");
        assert!(text.contains("Rss:                   7 kB\n"), "{text}");
        assert!(text.ends_with("VmFlags: rd wr ex mr mw me\n"), "{text}");
        assert!(areas.rollup().contains("[rollup]\nRss:                   7 kB\n"));
    }
}
