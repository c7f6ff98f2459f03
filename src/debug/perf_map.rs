//! The file by which `perf report` finds names for translated code (Linux:
//! `tools/perf/Documentation/jit-interface.txt`).

use crate::runtime::{Observer, TranslatedBlock};
use crate::sys::fd::{Aside, keep_aside};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;

/// Writes a line for each translated block: host address, size, guest address. A child process
/// begins with a copy of what its parent has written.
#[derive(Debug)]
pub struct PerfMap {
    out: Aside,
    pid: u32,
}

fn path(pid: u32) -> String {
    format!("/tmp/perf-{pid}.map")
}

impl PerfMap {
    /// Makes `/tmp/perf-PID.map` for this process.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn create() -> io::Result<Self> {
        let pid = std::process::id();
        let file = File::create(path(pid))?;
        Ok(Self { out: keep_aside(file.as_fd())?, pid })
    }

    /// Goes on in a file of this process.
    fn follow_fork(&mut self) {
        let before = std::fs::read(path(self.pid)).unwrap_or_default();
        if let Ok(new) = Self::create() {
            *self = new;
            // A full disk must not stop the guest.
            let _ = (&*self.out).write_all(&before);
        }
    }
}

impl Observer for PerfMap {
    fn translated(&mut self, block: &TranslatedBlock<'_>) {
        if std::process::id() != self.pid {
            self.follow_fork();
        }
        let parts = [("", block.hot_at, block.hot), (".cold", block.cold_at, block.cold)];
        let line = |(name, at, code): (&str, u64, &[u8])| {
            format!("{at:x} {:x} guest_{:x}{name}\n", code.len(), block.pc)
        };
        // At once: the process may end by a signal, so nothing stays behind.
        let _ = (&*self.out).write_all(parts.map(line).concat().as_bytes());
    }
}
