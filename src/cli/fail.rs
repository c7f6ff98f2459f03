//! What is said when something is wrong, and exit codes.

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

/// A failure of ours, not of the guest.
#[derive(Debug)]
pub(super) struct Failure {
    what: String,
    hint: Option<String>,
    code: u8,
}

impl Failure {
    /// We could not set up what was asked for (as `env`, `nohup`, `timeout` and `docker` say it).
    pub(super) const SETUP: u8 = 125;
    /// The program was found and cannot be run.
    pub(super) const CANNOT_RUN: u8 = 126;
    /// The program was not found.
    pub(super) const NOT_FOUND: u8 = 127;

    /// A failure to set up.
    pub(super) fn new(what: impl fmt::Display) -> Self {
        Self { what: what.to_string(), hint: None, code: Self::SETUP }
    }

    /// A failure to open a file of the user.
    pub(super) fn file(path: &std::path::Path, e: &io::Error) -> Self {
        let missing = e.kind() == io::ErrorKind::NotFound;
        let code = if missing { Self::NOT_FOUND } else { Self::CANNOT_RUN };
        Self::new(format_args!("{}: {}", path.display(), describe(e))).code(code)
    }

    /// With another exit code.
    pub(super) fn code(mut self, code: u8) -> Self {
        self.code = code;
        self
    }

    /// True if a program is why: it is there, and cannot be run.
    pub(super) fn is_of_program(&self) -> bool {
        self.code == Self::CANNOT_RUN
    }

    /// With a line that says what to do about it.
    pub(super) fn hint(mut self, hint: impl fmt::Display) -> Self {
        self.hint = Some(hint.to_string());
        self
    }

    /// Prints it and gives the exit code.
    pub(super) fn report(self) -> ExitCode {
        let mut text = format!("rvnative: error: {}\n", self.what);
        if let Some(hint) = self.hint {
            text += &format!("  hint: {hint}\n");
        }
        // Where standard error is closed, the exit code must do.
        let _ = io::stderr().write_all(text.as_bytes());
        ExitCode::from(self.code)
    }
}

impl From<io::Error> for Failure {
    fn from(e: io::Error) -> Self {
        Self::new(describe(&e))
    }
}

impl From<rvnative::vm::Error> for Failure {
    fn from(e: rvnative::vm::Error) -> Self {
        match e.downcast_ref::<io::Error>() {
            Some(io) => Self::new(describe(io)),
            None => Self::new(e),
        }
    }
}

/// An error of the host without Rust's `(os error N)`, and with its name where it is a usual one.
pub(super) fn describe(e: &io::Error) -> String {
    let text = e.to_string();
    let Some(number) = e.raw_os_error() else { return text };
    let text = text.strip_suffix(&format!(" (os error {number})")).unwrap_or(&text);
    match NAMES.iter().find(|(n, _)| *n == number) {
        Some((_, name)) => format!("{text} ({name})"),
        None => format!("{text} (errno {number})"),
    }
}

/// Numbers that all Linux architectures share (`asm-generic/errno-base.h`).
const NAMES: [(i32, &str); 20] = [
    (1, "EPERM"),
    (2, "ENOENT"),
    (4, "EINTR"),
    (5, "EIO"),
    (7, "E2BIG"),
    (8, "ENOEXEC"),
    (9, "EBADF"),
    (11, "EAGAIN"),
    (12, "ENOMEM"),
    (13, "EACCES"),
    (16, "EBUSY"),
    (17, "EEXIST"),
    (20, "ENOTDIR"),
    (21, "EISDIR"),
    (22, "EINVAL"),
    (23, "ENFILE"),
    (24, "EMFILE"),
    (26, "ETXTBSY"),
    (28, "ENOSPC"),
    (32, "EPIPE"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_errors_have_names() {
        let text = |n| describe(&io::Error::from_raw_os_error(n));
        assert_eq!(text(2), "No such file or directory (ENOENT)");
        assert_eq!(text(13), "Permission denied (EACCES)");
        assert!(text(40).ends_with(" (errno 40)"), "{}", text(40));
        assert_eq!(describe(&io::Error::other("so it is")), "so it is");
    }
}
