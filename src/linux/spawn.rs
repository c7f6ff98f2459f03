//! Guest programs beside the one that starts them: their standard files, and waiting for them.

use crate::linux::status::ExitStatus;
use crate::sys::process;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{self as host, ChildStderr, ChildStdin, ChildStdout};

/// What a standard file of a program is, in the manner of [`std::process::Stdio`]. A file, or an
/// end of a pipe, becomes one by [`From`].
#[derive(Debug)]
pub struct Stdio(Kind);

#[derive(Debug)]
enum Kind {
    Inherit,
    Null,
    Piped,
    File(OwnedFd),
}

impl Stdio {
    /// This process's own.
    #[must_use]
    pub fn inherit() -> Self {
        Self(Kind::Inherit)
    }

    /// `/dev/null`.
    #[must_use]
    pub fn null() -> Self {
        Self(Kind::Null)
    }

    /// A pipe, whose other end is in [`Child`].
    #[must_use]
    pub fn piped() -> Self {
        Self(Kind::Piped)
    }

    /// What the host's library is told. Each start gets a descriptor of its own.
    fn to_host(&self) -> io::Result<host::Stdio> {
        Ok(match &self.0 {
            Kind::Inherit => host::Stdio::inherit(),
            Kind::Null => host::Stdio::null(),
            Kind::Piped => host::Stdio::piped(),
            Kind::File(file) => file.try_clone()?.into(),
        })
    }
}

macro_rules! files {
    ($($file:ty)*) => {$(
        impl From<$file> for Stdio {
            fn from(file: $file) -> Self {
                Self(Kind::File(file.into()))
            }
        }
    )*};
}
files! { OwnedFd File io::PipeReader io::PipeWriter ChildStdin ChildStdout ChildStderr }

/// The standard files of a program, as far as somebody has said.
#[derive(Debug, Default)]
pub(super) struct Streams {
    pub stdin: Option<Stdio>,
    pub stdout: Option<Stdio>,
    pub stderr: Option<Stdio>,
}

/// Starts the executable `program` with `words`, the first of which is its name, and an environment
/// of nothing but the variable `kept`. It gets `streams`, or what `otherwise` says (standard input
/// and output), the descriptors in `open` under the numbers that they have, and no others.
///
/// # Errors
/// The host refuses.
pub(super) fn start(
    program: &Path,
    words: Vec<Vec<u8>>,
    kept: &str,
    streams: &Streams,
    otherwise: (&Stdio, &Stdio),
    open: Vec<i32>,
) -> io::Result<Child> {
    let mut command = host::Command::new(program);
    let mut words = words.into_iter().map(OsString::from_vec);
    if let Some(name) = words.next() {
        command.arg0(name);
    }
    command.args(words).env_clear();
    if let Some(value) = std::env::var_os(kept) {
        command.env(kept, value);
    }
    command.stdin(streams.stdin.as_ref().unwrap_or(otherwise.0).to_host()?);
    command.stdout(streams.stdout.as_ref().unwrap_or(otherwise.1).to_host()?);
    command.stderr(streams.stderr.as_ref().unwrap_or(otherwise.1).to_host()?);
    process::keep_only_in_child(&mut command, open);
    let mut child = command.spawn()?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    Ok(Child { stdin, stdout, stderr, child })
}

/// A guest program that has been started, in the manner of [`std::process::Child`]: when this is
/// dropped, it goes on and nobody waits for it.
#[derive(Debug)]
pub struct Child {
    /// The end of a pipe that is the program's standard input.
    pub stdin: Option<ChildStdin>,
    /// The end of a pipe that is the program's standard output.
    pub stdout: Option<ChildStdout>,
    /// The end of a pipe that is the program's standard error.
    pub stderr: Option<ChildStderr>,
    child: host::Child,
}

impl Child {
    /// The process's number, for the host as for guests.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends the process by SIGKILL. One that has ended already is no error.
    ///
    /// # Errors
    /// The host's.
    pub fn kill(&mut self) -> io::Result<()> {
        self.child.kill()
    }

    /// Closes the standard input and waits for the process's end.
    ///
    /// # Errors
    /// The host's.
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        drop(self.stdin.take());
        self.child.wait().map(status)
    }

    /// How the process has ended, if it has.
    ///
    /// # Errors
    /// The host's.
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?.map(status))
    }

    /// Closes the standard input, reads what comes from the other two where they are pipes, and
    /// waits for the process's end.
    ///
    /// # Errors
    /// The host's.
    pub fn wait_with_output(mut self) -> io::Result<Output> {
        drop(self.stdin.take());
        self.child.stdout = self.stdout.take();
        self.child.stderr = self.stderr.take();
        let output = self.child.wait_with_output()?;
        let status = status(output.status);
        Ok(Output { status, stdout: output.stdout, stderr: output.stderr })
    }
}

/// How a program has ended, and what it has written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Output {
    /// How it has ended.
    pub status: ExitStatus,
    /// What has come from its standard output, if that was a pipe.
    pub stdout: Vec<u8>,
    /// What has come from its standard error, if that was a pipe.
    pub stderr: Vec<u8>,
}

fn status(status: host::ExitStatus) -> ExitStatus {
    match (status.code(), status.signal()) {
        (None, Some(signal)) => ExitStatus::killed(signal),
        (code, _) => ExitStatus::exited(code.unwrap_or(0)),
    }
}
