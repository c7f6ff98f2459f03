//! What the guest reads in `/proc/PID/{mounts,mountinfo,mountstats}`: its root and what is bound
//! into it (proc(5); kernel: `fs/proc_namespace.c`).

use super::world::{Mount, World};
use crate::linux::fs::proc::names::{MountFormat, escaped, mount_id};
use std::fmt::Write as _;
use std::fs;
use std::os::fd::AsRawFd;

/// A line of the host's `mountinfo`, as far as it concerns a guest.
struct HostMount<'a> {
    device: &'a str,
    /// Directory of the file system that is mounted, escaped.
    root: &'a str,
    /// Where, escaped.
    place: &'a str,
    options: &'a str,
    kind: &'a str,
    source: &'a str,
    /// Options of the file system.
    all: &'a str,
}

impl<'a> HostMount<'a> {
    fn parse(line: &'a str) -> Option<(&'a str, Self)> {
        let (left, right) = line.split_once(" - ")?;
        let mut left = left.split(' ');
        let id = left.next()?;
        let (device, root) = (left.nth(1)?, left.next()?);
        let (place, options) = (left.next()?, left.next()?);
        let mut right = right.splitn(3, ' ');
        let (kind, source, all) = (right.next()?, right.next()?, right.next()?);
        Some((id, Self { device, root, place, options, kind, source, all }))
    }
}

impl Mount {
    /// The host's number of the mount that it lies on.
    pub(super) fn host_id(&self) -> Option<String> {
        mount_id(self.fd.as_raw_fd())
    }
}

impl World {
    /// The file that tells about the mounts. What the host does not tell is left out.
    pub(crate) fn mount_table(&self, format: MountFormat) -> Vec<u8> {
        let bytes = fs::read("/proc/thread-self/mountinfo").unwrap_or_default();
        // Paths that are not UTF-8 are the host's own.
        let host = String::from_utf8_lossy(&bytes);
        let mut out = String::new();
        let numbers = self.mount_numbers(&host);
        if self.own_mounts {
            self.write_own_mounts(&mut out, format, &host, numbers[self.mounts.len()]);
        }
        let written = usize::from(self.own_mounts);
        for (i, mount) in self.mounts.iter().enumerate().skip(written) {
            if mount.guest.contains(&0) {
                continue;
            }
            let Some(id) = mount.host_id() else { continue };
            let mut lines = host.lines().filter_map(HostMount::parse);
            let Some((_, on)) = lines.find(|(host_id, _)| *host_id == id) else { continue };
            self.write_mount(&mut out, format, i, &on, &numbers);
        }
        out.into_bytes()
    }

    /// A number for each mount, and one for what holds the root, which nobody sees. The first on
    /// a mount of the host has that one's, which calls tell of (`name_to_handle_at`, `statx`).
    fn mount_numbers(&self, host: &str) -> Vec<u64> {
        let numbers = host.lines().filter_map(|line| line.split(' ').next()?.parse::<u64>().ok());
        let free = numbers.max().unwrap_or(0) + 1;
        let mut out = Vec::new();
        for (mount, free) in self.mounts.iter().zip(free..) {
            let number = mount.host_id().and_then(|id| id.parse().ok());
            out.push(number.filter(|n| !out.contains(n)).unwrap_or(free));
        }
        out.push(free + self.mounts.len() as u64);
        out
    }

    fn write_mount(
        &self,
        out: &mut String,
        format: MountFormat,
        i: usize,
        on: &HostMount<'_>,
        numbers: &[u64],
    ) {
        let mount = &self.mounts[i];
        let place = if i == 0 { "/".to_owned() } else { escaped(&mount.guest) };
        let first = if mount.read_only { "ro" } else { &on.options[..2.min(on.options.len())] };
        let options = format!("{first}{}", on.options.get(2..).unwrap_or(""));
        let HostMount { device, kind, source, all, .. } = on;
        let _ = match format {
            MountFormat::Mounts => {
                // Options of the file system behind those of the mount, as in the kernel.
                let more = all.get(2..).unwrap_or("");
                writeln!(out, "{source} {place} {kind} {options}{more} 0 0")
            }
            MountFormat::MountStats => {
                writeln!(out, "device {source} mounted on {place} with fstype {kind}")
            }
            MountFormat::MountInfo => {
                let up = place.rfind('/').unwrap_or(0);
                let holder = match i {
                    0 => self.mounts.len(),
                    _ => self.mount_of(&mount.guest[..up.min(mount.guest.len())]).0,
                };
                let (id, parent) = (numbers[i], numbers[holder]);
                let below = escaped(&mount.host);
                let below = below.strip_prefix(on.place.trim_end_matches('/')).unwrap_or("");
                let root = format!("{}{below}", on.root.trim_end_matches('/'));
                let root = if root.is_empty() { "/" } else { &root };
                writeln!(
                    out,
                    "{id} {parent} {device} {root} {place} {options} - {kind} {source} {all}"
                )
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_host() {
        let line = "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue";
        let (id, m) = HostMount::parse(line).unwrap();
        assert_eq!((id, m.device, m.root, m.place), ("36", "98:0", "/mnt1", "/mnt2"));
        assert_eq!((m.options, m.kind, m.source), ("rw,noatime", "ext3", "/dev/root"));
        assert_eq!(m.all, "rw,errors=continue");
        assert!(HostMount::parse("1 2 3").is_none());
        assert_eq!(escaped(b"/a b\\c"), "/a\\040b\\134c");
    }
}
