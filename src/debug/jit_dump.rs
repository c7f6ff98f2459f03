//! The file from which `perf inject --jit` takes translated code and names for it (Linux:
//! `tools/perf/Documentation/jitdump-specification.txt`).

use super::Symbols;
use crate::runtime::{Observer, TranslatedBlock, backend_name};
use crate::sys::fd::{Aside, keep_aside};
use crate::sys::mmap::{HostProt, Reservation, host_page_size};
use crate::sys::time::monotonic_ns;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::fd::AsFd;

/// Writes a record for each translated block. A child process begins a file of its own.
#[derive(Debug)]
pub struct JitDump {
    out: Aside,
    /// `perf` finds the file by this mapping of it.
    _mark: Reservation,
    pid: u32,
    index: u64,
    symbols: Symbols,
}

const MAGIC: u32 = 0x4a69_5444;
const VERSION: u32 = 1;
const HEADER: u32 = 40;
const CODE_LOAD: u32 = 0;
const CODE_LOAD_FIXED: u32 = 56;

impl JitDump {
    /// Makes `/tmp/jit-PID.dump` for this process.
    ///
    /// # Errors
    /// The file cannot be made, or not be mapped executable.
    pub fn create(symbols: Symbols) -> io::Result<Self> {
        let pid = std::process::id();
        let path = format!("/tmp/jit-{pid}.dump");
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)?;
        let out = keep_aside(file.as_fd())?;
        let machine: u32 = if backend_name() == "aarch64" { 183 } else { 62 };
        let mut header = Vec::new();
        for word in [MAGIC, VERSION, HEADER, machine, 0, pid] {
            header.extend(word.to_ne_bytes());
        }
        header.extend(monotonic_ns().to_ne_bytes());
        header.extend(0_u64.to_ne_bytes());
        (&*out).write_all(&header)?;
        let mark = Reservation::new(host_page_size())?;
        mark.map_file(0..mark.len(), HostProt::RX, false, out.as_fd(), 0)?;
        Ok(Self { out, _mark: mark, pid, index: 0, symbols })
    }

    fn load(&mut self, name: &str, at: u64, code: &[u8]) {
        let size = CODE_LOAD_FIXED + name.len() as u32 + 1 + code.len() as u32;
        let mut record = Vec::with_capacity(size as usize);
        record.extend(CODE_LOAD.to_ne_bytes());
        record.extend(size.to_ne_bytes());
        record.extend(monotonic_ns().to_ne_bytes());
        // Process and thread.
        record.extend(self.pid.to_ne_bytes());
        record.extend(self.pid.to_ne_bytes());
        for word in [at, at, code.len() as u64, self.index] {
            record.extend(word.to_ne_bytes());
        }
        record.extend(name.as_bytes());
        record.push(0);
        record.extend(code);
        self.index += 1;
        // A full disk must not stop the guest.
        let _ = (&*self.out).write_all(&record);
    }
}

impl Observer for JitDump {
    fn translated(&mut self, block: &TranslatedBlock<'_>) {
        if std::process::id() != self.pid
            && let Ok(new) = Self::create(std::mem::take(&mut self.symbols))
        {
            *self = new;
        }
        let symbol = self.symbols.name(block.memory, block.pc);
        let name = symbol.unwrap_or_else(|| format!("guest_{:x}", block.pc));
        self.load(&name, block.hot_at, block.hot);
        self.load(&format!("{name}.cold"), block.cold_at, block.cold);
    }
}
