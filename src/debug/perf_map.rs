//! The file by which `perf report` finds names for translated code (Linux:
//! `tools/perf/Documentation/jit-interface.txt`).

use crate::runtime::{Observer, TranslatedBlock};
use std::fs::File;
use std::io::{self, BufWriter, Write};

/// Writes a line for each translated block: host address, size, guest address.
#[derive(Debug)]
pub struct PerfMap(BufWriter<File>);

impl PerfMap {
    /// Makes `/tmp/perf-PID.map` for this process.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn create() -> io::Result<Self> {
        let file = File::create(format!("/tmp/perf-{}.map", std::process::id()))?;
        Ok(Self(BufWriter::new(file)))
    }
}

impl Observer for PerfMap {
    fn translated(&mut self, block: &TranslatedBlock<'_>) {
        let parts = [("", block.hot_at, block.hot), (".cold", block.cold_at, block.cold)];
        for (name, at, code) in parts {
            // A full disk must not stop the guest.
            let _ = writeln!(self.0, "{at:x} {:x} guest_{:x}{name}", code.len(), block.pc);
        }
        // The process may end by a signal, so nothing stays behind.
        let _ = self.0.flush();
    }
}
