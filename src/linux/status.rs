//! How a guest process ended.

/// How a guest process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExitStatus {
    code: Option<i32>,
    signal: Option<i32>,
}

impl ExitStatus {
    pub(crate) fn exited(code: i32) -> Self {
        Self { code: Some(code & 0xff), signal: None }
    }

    pub(crate) fn killed(signal: i32) -> Self {
        Self { code: None, signal: Some(signal) }
    }

    /// The exit code, 0 to 255, unless a signal ended the process.
    #[must_use]
    pub fn code(&self) -> Option<i32> {
        self.code
    }

    /// The number of the signal that ended the process.
    #[must_use]
    pub fn signal(&self) -> Option<i32> {
        self.signal
    }

    /// True for exit code 0.
    #[must_use]
    pub fn success(&self) -> bool {
        self.code == Some(0)
    }

    /// The code as a shell shows it: 128 and the signal's number for a signal.
    #[must_use]
    pub fn shell_code(&self) -> u8 {
        match (self.code, self.signal) {
            (_, Some(n)) => (128 + n) as u8,
            (Some(c), None) => c as u8,
            (None, None) => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shell_codes() {
        assert_eq!(ExitStatus::exited(256 + 7).shell_code(), 7);
        assert_eq!(ExitStatus::killed(libc::SIGSEGV).shell_code(), 139);
    }
}
