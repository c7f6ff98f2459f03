//! The command line with which a program runs us that a guest starts by `execve`, or that
//! [`Command::spawn`](crate::linux::Command::spawn) starts.

use crate::linux::exec::inherit::Inherited;
use crate::linux::exec::settings::First;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

/// What our own command line says when a guest has called `execve`, or the host
/// [`Command::spawn`](crate::linux::Command::spawn).
///
/// The guest's environment travels among the arguments: in our own environment it would steer the
/// host's dynamic linker and our own settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reentry {
    /// What was given to [`Command::reentry_flags`](crate::linux::Command::reentry_flags).
    pub flags: Vec<OsString>,
    pub(crate) host: PathBuf,
    pub(crate) guest: PathBuf,
    /// The name that was called.
    pub(crate) called: PathBuf,
    pub(crate) sigmask: u64,
    /// `None` if a host has started the program, not a guest.
    pub(crate) inherited: Option<Inherited>,
    /// What [`to_words`](crate::linux::exec::settings::to_words) says.
    pub(crate) settings: Vec<Vec<u8>>,
    pub(crate) first: First,
    /// What [`hand_over_debugger`](crate::linux::Thread) says; empty without a debugger.
    pub(crate) debug: String,
    /// Descriptors that the program must not find open.
    pub(crate) close: Vec<i32>,
    /// What [`to_words`](crate::linux::fs::rootfs::World::to_words) of the world says.
    pub(crate) world: Vec<Vec<u8>>,
    /// What [`to_text`](crate::linux::task::credentials::Credentials::to_text) says; empty without
    /// a fake root.
    pub(crate) credentials: String,
    pub(crate) args: Vec<Vec<u8>>,
    pub(crate) env: Vec<Vec<u8>>,
}

/// Somebody has looked for a [`Reentry`] in this process.
static EXPECTED: AtomicBool = AtomicBool::new(false);

/// First argument of such a command line.
const MARK: &[u8] = b"--rvnative-exec-1";

impl Reentry {
    /// Recognises a command line that [`Command`](crate::linux::Command) made; `args` are all
    /// arguments of the process with the program's name. `None` for an ordinary command line.
    #[must_use]
    pub fn from_args(args: impl IntoIterator<Item = OsString>) -> Option<Self> {
        EXPECTED.store(true, Ordering::Relaxed);
        let mut args = args.into_iter().skip(1);
        if args.next()?.as_bytes() != MARK {
            return None;
        }
        let host = PathBuf::from(args.next()?);
        let guest = PathBuf::from(args.next()?);
        let called = PathBuf::from(args.next()?);
        let numbers = args.next()?.into_string().ok()?;
        let mut numbers = numbers.split(',');
        let sigmask = u64::from_str_radix(numbers.next()?, 16).ok()?;
        let inherited = match &*args.next()?.into_string().ok()? {
            "" => None,
            text => Some(Inherited::from_text(text)?),
        };
        let first = First::from_words(args.next()?, &args.next()?)?;
        let flags: usize = numbers.next()?.parse().ok()?;
        let settings: usize = numbers.next()?.parse().ok()?;
        let world: usize = numbers.next()?.parse().ok()?;
        let count: usize = numbers.next()?.parse().ok()?;
        let close = numbers.map(|n| n.parse().ok()).collect::<Option<_>>()?;
        let flags = args.by_ref().take(flags).collect();
        let settings = args.by_ref().take(settings).map(OsStringExt::into_vec).collect();
        let credentials = args.next()?.into_string().ok()?;
        let debug = args.next()?.into_string().ok()?;
        let world = args.by_ref().take(world).map(OsStringExt::into_vec).collect();
        let rest: Vec<Vec<u8>> = args.map(OsStringExt::into_vec).collect();
        let env = rest.get(count..)?.to_vec();
        Some(Self {
            flags,
            host,
            guest,
            called,
            sigmask,
            inherited,
            settings,
            first,
            close,
            world,
            credentials,
            debug,
            args: rest[..count].to_vec(),
            env,
        })
    }

    /// True if this process's program looks for them.
    pub(crate) fn is_expected() -> bool {
        EXPECTED.load(Ordering::Relaxed)
    }

    /// The inverse of [`Self::from_args`].
    pub(crate) fn to_args(&self) -> Vec<Vec<u8>> {
        let mut numbers = String::new();
        let (flags, settings) = (self.flags.len(), self.settings.len());
        let _ = write!(numbers, "{:x},{flags},{settings},", self.sigmask);
        let _ = write!(numbers, "{},{}", self.world.len(), self.args.len());
        for fd in &self.close {
            let _ = write!(numbers, ",{fd}");
        }
        let mut all = vec![b"rvnative".to_vec(), MARK.to_vec()];
        all.push(self.host.as_os_str().as_bytes().to_vec());
        all.push(self.guest.as_os_str().as_bytes().to_vec());
        all.push(self.called.as_os_str().as_bytes().to_vec());
        all.push(numbers.into_bytes());
        let inherited = self.inherited.as_ref().map(Inherited::to_text);
        all.push(inherited.unwrap_or_default().into_bytes());
        all.extend(self.first.to_words());
        all.extend(self.flags.iter().map(|f| f.as_bytes().to_vec()));
        all.extend(self.settings.iter().cloned());
        all.push(self.credentials.clone().into_bytes());
        all.push(self.debug.clone().into_bytes());
        all.extend(self.world.iter().cloned());
        all.extend(self.args.iter().cloned());
        all.extend(self.env.iter().cloned());
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reentry_survives_the_command_line() {
        let r = Reentry {
            flags: vec!["--jit".into(), "off".into()],
            host: "/r/bin/sh".into(),
            guest: "/bin/sh".into(),
            called: "./script".into(),
            sigmask: 0xffff_0000_0000_0001,
            inherited: Some(Inherited::from_host()),
            settings: vec![b"stack=5".to_vec(), b"uname=6".to_vec()],
            first: First { directory: Some("/tmp".into()), seed: Some(7) },
            close: vec![0, 2, 100],
            credentials: "0,0".into(),
            debug: "9,0,1,0,-".into(),
            world: vec![b"".to_vec(), b"1000".to_vec(), b"rw".to_vec()],
            args: vec![b"sh".to_vec(), b"-c".to_vec(), b"".to_vec()],
            env: vec![b"A=\xff".to_vec()],
        };
        let args = r.to_args().into_iter().map(OsString::from_vec);
        assert_eq!(Reentry::from_args(args), Some(r.clone()));
        let r = Reentry { inherited: None, first: First::default(), ..r };
        let args = r.to_args().into_iter().map(OsString::from_vec);
        assert_eq!(Reentry::from_args(args), Some(r));
        assert_eq!(Reentry::from_args(["x".into(), "run".into()]), None);
    }
}
