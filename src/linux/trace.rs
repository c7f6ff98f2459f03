//! Which system calls the call trace shows, and where.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// What `--strace` and `-o` ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// Numbers of the calls that are shown; all if absent.
    pub(super) calls: Option<BTreeSet<u16>>,
    /// The file that lines are appended to; standard error if absent.
    pub(super) file: Option<PathBuf>,
}

impl Trace {
    /// Sends the lines to a file, behind what is there.
    #[must_use]
    pub fn to_file(mut self, path: impl AsRef<Path>) -> Self {
        self.file = Some(path.as_ref().to_owned());
        self
    }

    /// True if the call with that number is shown.
    pub(crate) fn shows(&self, number: u64) -> bool {
        let Some(calls) = &self.calls else { return true };
        u16::try_from(number).is_ok_and(|n| calls.contains(&n))
    }

    /// Prints a line, as a whole so that those of several threads do not mix.
    pub(crate) fn print(&self, line: &str) {
        // There is nobody to tell if it cannot be written. The file is opened each time, since a
        // descriptor of ours would be one of the guest's.
        let _ = match &self.file {
            None => std::io::stderr().write_all(line.as_bytes()),
            Some(path) => OpenOptions::new()
                .append(true)
                .create(true)
                .open(path)
                .and_then(|mut file| file.write_all(line.as_bytes())),
        };
    }
}
