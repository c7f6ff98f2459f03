//! What a run is set up with: from flags, from the environment, or from the words that a program
//! started by a guest finds on its command line.

use super::fail::Failure;
use super::flags::{self, Jit, RunFlags, StatsFormat};
use rvnative::isa::Isa;
use rvnative::linux::Trace;
use rvnative::runtime::{EngineKind, HostFeatures, Options};
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// Settings that programs started by the guest inherit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) sysroot: Option<OsString>,
    pub(super) rootfs: Option<OsString>,
    pub(super) cpu: Option<OsString>,
    pub(super) jit: Option<OsString>,
    pub(super) stack_size: Option<OsString>,
    pub(super) va_bits: Option<OsString>,
    pub(super) host_features: Option<OsString>,
    pub(super) strace: Option<OsString>,
    pub(super) strace_file: Option<OsString>,
    pub(super) allow_host_exec: Option<OsString>,
    pub(super) stats: Option<OsString>,
    pub(super) stats_file: Option<OsString>,
    pub(super) count: Option<OsString>,
    pub(super) perfmap: Option<OsString>,
    pub(super) jitdump: Option<OsString>,
    pub(super) log: Option<OsString>,
    pub(super) log_file: Option<OsString>,
}

impl Settings {
    /// Names, as in `RVNATIVE_*` and on the command line of a program that the guest starts.
    fn fields(&mut self) -> [(&'static str, &mut Option<OsString>); 17] {
        [
            ("SYSROOT", &mut self.sysroot),
            ("ROOTFS", &mut self.rootfs),
            ("CPU", &mut self.cpu),
            ("JIT", &mut self.jit),
            ("STACK_SIZE", &mut self.stack_size),
            ("VA_BITS", &mut self.va_bits),
            ("HOST_FEATURES", &mut self.host_features),
            ("STRACE", &mut self.strace),
            ("STRACE_FILE", &mut self.strace_file),
            ("ALLOW_HOST_EXEC", &mut self.allow_host_exec),
            ("STATS", &mut self.stats),
            ("STATS_FILE", &mut self.stats_file),
            ("COUNT", &mut self.count),
            ("PERFMAP", &mut self.perfmap),
            ("JITDUMP", &mut self.jitdump),
            ("LOG", &mut self.log),
            ("LOG_FILE", &mut self.log_file),
        ]
    }

    /// What the flags say, and where they say nothing, the environment.
    pub(super) fn from_flags(f: &RunFlags) -> Self {
        let flag = |on: bool| on.then(|| OsString::from("1"));
        let mut s = Self {
            sysroot: f.sysroot.clone().map(PathBuf::into_os_string),
            rootfs: f.rootfs.clone().map(PathBuf::into_os_string),
            cpu: f.cpu.clone().map(Into::into),
            jit: f.jit.map(|j| j.name().into()),
            stack_size: f.stack_size.clone().map(Into::into),
            va_bits: f.va_bits.clone().map(Into::into),
            host_features: f.host_features.clone().map(Into::into),
            strace: f.strace.clone().map(Into::into),
            strace_file: f.strace_file.clone().map(PathBuf::into_os_string),
            allow_host_exec: flag(f.allow_host_exec),
            stats: f.stats.map(|s| s.name().into()),
            stats_file: f.stats_file.clone().map(PathBuf::into_os_string),
            count: flag(f.count),
            perfmap: flag(f.perfmap),
            jitdump: flag(f.jitdump),
            log: f.log.clone().map(Into::into),
            log_file: f.log_file.clone().map(PathBuf::into_os_string),
        };
        for (name, value) in s.fields() {
            if value.is_none() {
                *value = std::env::var_os(format!("RVNATIVE_{name}")).filter(|v| !v.is_empty());
            }
        }
        // What the program starts may start in another directory.
        let files =
            [&mut s.sysroot, &mut s.rootfs, &mut s.strace_file, &mut s.stats_file, &mut s.log_file];
        for path in files.into_iter().flatten() {
            if let Ok(absolute) = std::path::absolute(&*path) {
                *path = absolute.into_os_string();
            }
        }
        s
    }

    /// From the words that [`Self::to_words`] made.
    pub(super) fn from_words(words: &[OsString]) -> Self {
        let mut s = Self::default();
        for pair in words.chunks_exact(2) {
            for (name, value) in s.fields() {
                if pair[0] == name {
                    *value = Some(pair[1].clone());
                }
            }
        }
        s
    }

    /// Names and values, one after the other.
    pub(super) fn to_words(&self) -> Vec<OsString> {
        let mut s = self.clone();
        let set = s.fields().into_iter().filter_map(|(name, value)| Some((name, value.take()?)));
        set.flat_map(|(name, value)| [name.into(), value]).collect()
    }

    /// What the runtime needs to know.
    pub(super) fn machine(&self) -> Result<Options, Failure> {
        let mut options = Options::default();
        if let Some(spec) = text(self.cpu.as_deref(), "CPU")? {
            options.isa = isa(spec)?;
        }
        if let Some(mode) = text(self.jit.as_deref(), "JIT")? {
            options.engine = match Jit::from_name(mode) {
                Some(Jit::Auto | Jit::Baseline) => EngineKind::Baseline,
                Some(Jit::Off) => EngineKind::Interpreter,
                Some(Jit::Verify) => EngineKind::Verify,
                None => {
                    let f = Failure::new(format_args!("unknown mode `{mode}` of --jit"));
                    return Err(f.hint("modes are auto, off, baseline and verify"));
                }
            };
        }
        if let Some(list) = text(self.host_features.as_deref(), "HOST_FEATURES")? {
            options.host_features = host_features(list)?;
        }
        if let Some(bits) = text(self.va_bits.as_deref(), "VA_BITS")? {
            // The other half of the addresses is the kernel's.
            options.address_bits = match bits {
                "39" => 38,
                "48" => 47,
                _ => {
                    let f = Failure::new(format_args!("`{bits}` is no number of address bits"));
                    return Err(f.hint("39 for Sv39, or 48 for Sv48"));
                }
            };
        }
        options.count = self.count.is_some();
        options.measure = self.stats_format().is_some();
        Ok(options)
    }

    /// Which system calls are to be printed, and where.
    pub(super) fn trace(&self) -> Result<Option<Trace>, Failure> {
        if self.strace.is_none() && self.strace_file.is_none() {
            return Ok(None);
        }
        let expression = text(self.strace.as_deref(), "STRACE")?.unwrap_or_default();
        let trace = Trace::parse(expression).map_err(|word| {
            let f = Failure::new(format_args!("`{word}` of --strace is no system call"));
            f.hint("classes are %file, %desc, %process, %network, %signal, %ipc, %memory, %clock and %creds")
        })?;
        Ok(Some(match &self.strace_file {
            Some(path) => trace.to_file(path),
            None => trace,
        }))
    }

    /// Bytes of the main stack.
    pub(super) fn stack_bytes(&self) -> Result<Option<u64>, Failure> {
        let Some(size) = text(self.stack_size.as_deref(), "STACK_SIZE")? else { return Ok(None) };
        match flags::size(size) {
            Some(bytes) => Ok(Some(bytes)),
            None => {
                let f = Failure::new(format_args!("`{size}` is no size of a stack"));
                Err(f.hint("a number of bytes, or with K, M or G"))
            }
        }
    }

    /// How counters are to be printed.
    pub(super) fn stats_format(&self) -> Option<StatsFormat> {
        let asked = self.stats.as_deref().or(self.count.as_deref());
        let json = asked.or(self.stats_file.as_deref())? == StatsFormat::Json.name();
        Some(if json { StatsFormat::Json } else { StatsFormat::Text })
    }
}

/// A setting that is text.
pub(super) fn text<'a>(value: Option<&'a OsStr>, name: &str) -> Result<Option<&'a str>, Failure> {
    match value {
        None => Ok(None),
        Some(v) => match v.to_str() {
            Some(text) => Ok(Some(text)),
            None => Err(Failure::new(format_args!("{name} is not UTF-8"))),
        },
    }
}

/// The set of instructions that `--cpu` names.
pub(super) fn isa(spec: &str) -> Result<Isa, Failure> {
    spec.parse().map_err(|e| {
        Failure::new(format_args!("--cpu {spec}: {e}")).hint("`--cpu help` lists what there is")
    })
}

/// What this host has, without and with what a list such as `-bmi2,+fma` names. Switching on what the
/// host lacks is refused.
fn host_features(list: &str) -> Result<HostFeatures, Failure> {
    let all = HostFeatures::detect();
    let mut features = all;
    for item in list.split(',').map(str::trim).filter(|i| !i.is_empty()) {
        let (name, on) = match (item.strip_prefix('-'), item.strip_prefix('+')) {
            (Some(name), _) => (name, false),
            (None, Some(name)) => (name, true),
            (None, None) => (item, true),
        };
        let known = features.set(name, on).is_some();
        let absent = on && all.list().iter().any(|(n, has)| *n == name && !has);
        if !known || absent {
            let names: Vec<_> = all.list().iter().map(|(n, _)| *n).collect();
            let why = if known { "this host lacks" } else { "unknown" };
            let f = Failure::new(format_args!("--host-features: {why} `{name}`"));
            return Err(f.hint(format_args!("features are {}", names.join(", "))));
        }
    }
    Ok(features)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_survive_an_exec() {
        let s = Settings {
            cpu: Some("rv64gc".into()),
            log_file: Some("a b".into()),
            strace: Some("1".into()),
            ..Settings::default()
        };
        assert_eq!(s.to_words().len(), 6);
        assert_eq!(Settings::from_words(&s.to_words()), s);
        assert_eq!(Settings::from_words(&[]), Settings::default());
    }

    #[test]
    fn host_features_are_taken_away() {
        let Some((name, _)) = HostFeatures::detect().list().into_iter().find(|(_, on)| *on) else {
            return;
        };
        let less = host_features(&format!("-{name}")).unwrap();
        assert!(less.list().contains(&(name, false)));
        assert!(host_features("-no_such_feature").is_err());
        assert_eq!(host_features("").unwrap(), HostFeatures::detect());
    }
}
