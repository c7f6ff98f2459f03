//! `run --trace`: what is executed, as text.

use super::coverage::path_of;
use super::fail::Failure;
use super::settings::{Key, Settings};
use rvnative::debug::{Symbols, Tracer};
use rvnative::sys::fd::{Aside, keep_aside};
use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::fd::AsFd;

/// A tracer as the settings ask for; `None` if they do not.
pub(super) fn tracer(settings: &Settings, symbols: Symbols) -> Result<Option<Tracer>, Failure> {
    let Some(spec) = settings.trace_spec()? else { return Ok(None) };
    let out: Box<dyn Write + Send> = match settings.get(Key::TraceFile) {
        Some(name) => Box::new(Appended { name: name.to_owned(), open: None }),
        // The guest may close standard error.
        None => match keep_aside(io::stderr().as_fd()) {
            Ok(aside) => Box::new(Shared(aside)),
            Err(_) => Box::new(io::sink()),
        },
    };
    Ok(Some(Tracer::new(spec, symbols, out)))
}

/// Standard error as it was at the start.
struct Shared(Aside);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&*self.0).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A file for each process, or one for all.
struct Appended {
    name: OsString,
    /// The file, and of which process it is.
    open: Option<(u32, Aside)>,
}

impl Write for Appended {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let pid = std::process::id();
        if self.open.as_ref().is_none_or(|(of, _)| *of != pid) {
            let path = path_of(&self.name, pid);
            let file = OpenOptions::new().create(true).append(true).open(path)?;
            self.open = Some((pid, keep_aside(file.as_fd())?));
        }
        let Some((_, file)) = &self.open else { return Ok(0) };
        (&**file).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
