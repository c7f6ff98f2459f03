//! What a [`Command`](crate::linux::Command) says of the program that it starts and of those that
//! this one starts: words of the command line with which each runs us.

use crate::linux::fs::namespace::Namespace;
use crate::linux::process::Options;
use crate::linux::trace::Trace;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::sync::Arc;

/// The settings of `options` that the next program has too, as words.
pub(crate) fn to_words(options: &Options) -> Vec<Vec<u8>> {
    let word = |key: &str, value: &[u8]| [key.as_bytes(), b"=", value].concat();
    let mut words = Vec::new();
    if let Namespace::Sysroot(dir) = &options.files {
        words.push(word("sysroot", dir.as_os_str().as_bytes()));
    }
    if let Some(bytes) = options.stack_size {
        words.push(word("stack", bytes.to_string().as_bytes()));
    }
    if let Some(release) = &options.uname_release {
        words.push(word("uname", release.as_bytes()));
    }
    if options.host_exec {
        words.push(word("host-exec", b"1"));
    }
    if let Some(path) = &options.reentry_program {
        words.push(word("program", path.as_os_str().as_bytes()));
    }
    if let Some(trace) = &options.strace {
        let calls = trace.calls.as_ref().map_or_else(
            || "all".to_owned(),
            |calls| calls.iter().map(u16::to_string).collect::<Vec<_>>().join(","),
        );
        words.push(word("strace", calls.as_bytes()));
        if let Some(file) = &trace.file {
            words.push(word("strace-file", file.as_os_str().as_bytes()));
        }
    }
    words
}

/// The inverse of [`to_words`]; `None` if these are not such words.
pub(crate) fn from_words(words: &[Vec<u8>]) -> Option<Options> {
    let mut options = Options::default();
    let mut trace: Option<Trace> = None;
    for word in words {
        let at = word.iter().position(|&b| b == b'=')?;
        let value = &word[at + 1..];
        let text = || std::str::from_utf8(value).ok();
        let path = || PathBuf::from(OsStr::from_bytes(value));
        match &word[..at] {
            b"sysroot" => options.files = Namespace::Sysroot(path()),
            b"stack" => options.stack_size = Some(text()?.parse().ok()?),
            b"uname" => options.uname_release = Some(text()?.to_owned()),
            b"host-exec" => options.host_exec = true,
            b"program" => options.reentry_program = Some(path()),
            b"strace" => {
                let calls = match text()? {
                    "all" => None,
                    "" => Some(<_>::default()),
                    list => Some(list.split(',').map(|n| n.parse().ok()).collect::<Option<_>>()?),
                };
                trace.get_or_insert_default().calls = calls;
            }
            b"strace-file" => trace.get_or_insert_default().file = Some(path()),
            _ => return None,
        }
    }
    options.strace = trace.map(Arc::new);
    Some(options)
}

/// What is said of the first program only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct First {
    /// Directory to start in, as the guest sees it.
    pub directory: Option<PathBuf>,
    /// What the program's random bytes follow from.
    pub seed: Option<u64>,
}

impl First {
    /// Two words of a command line.
    pub(crate) fn to_words(&self) -> [Vec<u8>; 2] {
        let directory = self.directory.clone().map(OsString::from).map(OsStringExt::into_vec);
        let seed = self.seed.map(|seed| seed.to_string().into_bytes());
        [directory.unwrap_or_default(), seed.unwrap_or_default()]
    }

    /// The inverse of [`Self::to_words`]; `None` for other words.
    pub(crate) fn from_words(directory: OsString, seed: &OsStr) -> Option<Self> {
        let seed = match seed.to_str()? {
            "" => None,
            number => Some(number.parse().ok()?),
        };
        let directory = (!directory.is_empty()).then(|| directory.into());
        Some(Self { directory, seed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_survive_the_command_line() {
        let trace = Trace { calls: Some([1, 64].into()), file: Some("/tmp/a=b".into()) };
        let options = Options {
            files: Namespace::Sysroot("/usr/riscv64".into()),
            stack_size: Some(1 << 20),
            uname_release: Some("6.1=x".into()),
            host_exec: true,
            reentry_program: Some("/bin/rvnative".into()),
            strace: Some(Arc::new(trace.clone())),
            ..Options::default()
        };
        let words = to_words(&options);
        let back = from_words(&words).unwrap();
        assert!(matches!(&back.files, Namespace::Sysroot(dir) if dir.ends_with("riscv64")));
        assert_eq!(back.strace.as_deref(), Some(&trace));
        assert_eq!(to_words(&back), words);
        assert!(from_words(&to_words(&Options::default())).unwrap().strace.is_none());
        let all = Options { strace: Some(Arc::default()), ..Options::default() };
        assert_eq!(from_words(&to_words(&all)).unwrap().strace, all.strace);
        assert!(from_words(&[b"stack=many".to_vec()]).is_none());
        assert!(from_words(&[b"else=1".to_vec()]).is_none());
    }
}
