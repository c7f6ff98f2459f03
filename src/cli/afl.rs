//! rvnative as the emulator of AFL++ (`afl-fuzz -Q`), which starts it as `afl-qemu-trace` and tells
//! it what to do by variables: those of its `qemu_mode/README.md` that are read here.
//!
//! Deliberately absent: persistent mode, snapshots, and hooks for comparisons.

use super::fail::Failure;
use rvnative::linux::{Command, Counted, ForkServer};
use rvnative::runtime::{Edges, Options};
use rvnative::sys::sysv;
use std::ffi::{OsStr, OsString};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// The name under which AFL++ looks for its emulator.
const NAME: &str = "afl-qemu-trace";

/// The number of the shared memory in which AFL++ wants transitions to be counted.
const SHARED: &str = "__AFL_SHM_ID";

/// What is asked for and not there: with it a campaign would find other things than is meant.
const ABSENT: [&str; 4] =
    ["AFL_QEMU_PERSISTENT_ADDR", "AFL_QEMU_PERSISTENT_GPR", "AFL_QEMU_SNAPSHOT", "AFL_USE_QASAN"];

/// True if AFL++ calls us by this name.
pub(super) fn is_name(called: &OsStr) -> bool {
    Path::new(called).file_name() == Some(OsStr::new(NAME))
}

/// Sets a run up as the variables say, and serves AFL++ in it.
pub(super) fn set_up(
    command: &mut Command,
    machine: &mut Options,
    variable: impl Fn(&str) -> Option<OsString>,
) -> Result<(), Failure> {
    if let Some(name) = ABSENT.iter().find(|name| variable(name).is_some()) {
        return Err(Failure::new(format_args!("{name} asks for what is not there")));
    }
    let Some(id) = variable(SHARED) else {
        // Somebody tries the program out.
        return Ok(());
    };
    let address = |name: &str| -> Result<Option<u64>, Failure> {
        let Some(text) = variable(name) else { return Ok(None) };
        let number = text.to_str().and_then(number);
        number.map(Some).ok_or_else(|| Failure::new(format_args!("{name} is no address")))
    };
    let counted = if let Some(text) = variable("AFL_QEMU_INST_RANGES") {
        let ranges = text.to_str().and_then(ranges).ok_or_else(|| {
            let f = Failure::new("AFL_QEMU_INST_RANGES is no list of ranges of addresses");
            f.hint("such as 0x10000-0x20000,0x30000-0x38000")
        })?;
        Counted::Ranges(ranges)
    } else if let (Some(start), Some(end)) = (address("AFL_CODE_START")?, address("AFL_CODE_END")?)
    {
        Counted::Ranges(std::iter::once(start..end).collect())
    } else if variable("AFL_INST_LIBS").is_some() {
        Counted::All
    } else {
        Counted::Program
    };
    let entry = address("AFL_ENTRYPOINT")?;
    let id = id.to_str().and_then(|id| id.parse().ok());
    let id = id.ok_or_else(|| Failure::new(format_args!("{SHARED} is no number")))?;
    let counters = sysv::attach(id)
        .map_err(|e| Failure::new(format_args!("AFL's shared memory {id} cannot be used: {e}")))?;
    let edges = Arc::new(Edges::new(counters));
    machine.edges = Some(Arc::clone(&edges));
    command.fork_server(ForkServer::new(edges, entry, counted));
    Ok(())
}

/// A number in hexadecimal digits, `0x` before them or not, as AFL++ reads addresses.
fn number(text: &str) -> Option<u64> {
    u64::from_str_radix(text.strip_prefix("0x").unwrap_or(text), 16).ok()
}

fn ranges(text: &str) -> Option<Vec<Range<u64>>> {
    let range = |word: &str| {
        let (start, end) = word.split_once('-')?;
        Some(number(start)?..number(end)?)
    };
    text.split(',').map(range).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_lists_of_addresses() {
        assert_eq!(ranges("10-20,0x30-ff"), Some(vec![0x10..0x20, 0x30..0xff]));
        for wrong in ["", "libc.so", "0x10", "0x10-", "-0x10", "1-2,", "0x1-0x2-0x3"] {
            assert_eq!(ranges(wrong), None, "{wrong}");
        }
    }
}
