//! What a run is set up with. A setting is one row: from it follow the flag of `run`, the flag's
//! help, the environment variable that stands for the flag, the words by which a program that the
//! guest starts inherits it, and a test.

use super::fail::Failure;
use super::flags;
use clap::builder::{
    OsStringValueParser, PossibleValue, PossibleValuesParser, TypedValueParser as _,
};
use clap::{Arg, ArgAction, ArgMatches};
use rvnative::debug::TraceSpec;
use rvnative::isa::Isa;
use rvnative::linux::Trace;
use rvnative::runtime::{ENGINES, EngineKind, HostFeatures, Options};
use std::ffi::{OsStr, OsString};

/// A name of `--jit` that is no engine's.
const AUTO: &str = "auto";

/// A row of the table of settings.
struct Row {
    /// The flag, behind `--`.
    flag: &'static str,
    short: Option<char>,
    /// Heading of the flag in the help.
    heading: &'static str,
    help: &'static str,
    /// How the help names the value; `None`: the flag has none, and is given or not.
    value: Option<&'static str>,
    /// What is meant if the flag is given without a value, if it may be.
    missing: Option<&'static str>,
    /// What the value may be, with a sentence about each; empty: any text.
    choices: fn() -> Vec<(&'static str, &'static str)>,
    /// The value is a file's path.
    is_file: bool,
    /// Another flag with which this one makes no sense.
    excludes: Option<&'static str>,
    /// A value that is right.
    #[cfg(test)]
    sample: &'static str,
}

const ROW: Row = Row {
    flag: "",
    short: None,
    heading: "",
    help: "",
    value: None,
    missing: None,
    choices: Vec::new,
    is_file: false,
    excludes: None,
    #[cfg(test)]
    sample: "",
};

macro_rules! settings {
    ($($key:ident = $sample:literal { $($field:ident: $value:expr),* $(,)? })*) => {
        /// The settings, by name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Key { $($key),* }

        const ROWS: &[Row] = &[$(Row {
            $($field: $value,)*
            #[cfg(test)]
            sample: $sample,
            ..ROW
        }),*];
        const COUNT: usize = [$(Key::$key),*].len();
    };
}

settings! {
    Sysroot = "/usr" {
        flag: "sysroot", short: Some('L'), heading: FILES, value: Some("DIR"), is_file: true,
        help: "Look up absolute paths of the program below DIR first",
    }
    RootFs = "/usr" {
        flag: "rootfs", short: Some('C'), heading: FILES, value: Some("DIR"), is_file: true,
        help: "Make DIR the program's root directory: nothing outside has a name, but for /proc, \
               /sys, the usual devices, /etc/resolv.conf and /etc/hosts",
        excludes: Some("sysroot"),
    }
    Cpu = "rv64gc" {
        flag: "cpu", heading: MACHINE, value: Some("SPEC"),
        help: "Instructions that the program may use, such as rv64gc,+zba or rva23u64,vlen=256; \
               `help` lists them",
    }
    StackSize = "8M" {
        flag: "stack-size", short: Some('s'), heading: MACHINE, value: Some("SIZE"),
        help: "Size of the main stack in bytes, or with K, M or G",
    }
    VaBits = "48" {
        flag: "va-bits", heading: MACHINE, value: Some("BITS"),
        choices: || vec![("39", "As with Sv39"), ("48", "As with Sv48")],
        help: "Shape of the address space, of which the program has half. With 48, code at 512 GiB \
               and above, where no program is put that does not ask for it, is interpreted",
    }
    Uname = "6.6.0" {
        flag: "uname", heading: MACHINE, value: Some("RELEASE"),
        help: "Release of the kernel that the program is told",
    }
    Seed = "1" {
        flag: "seed", heading: MACHINE, value: Some("N"),
        help: "Let the random bytes that a program is started with (AT_RANDOM) follow from N",
    }
    Jit = "off" {
        flag: "jit", heading: MACHINE, value: Some("MODE"),
        choices: || {
            let engines = ENGINES.iter().map(|e| (e.name, e.about.trim_end_matches('.')));
            std::iter::once((AUTO, "What is fastest here")).chain(engines).collect()
        },
        help: "How the program is executed",
    }
    HostFeatures = "" {
        flag: "host-features", heading: MACHINE, value: Some("LIST"),
        help: "Host instruction sets to do without, such as -bmi2,-fma",
    }
    Cache = "off" {
        flag: "cache", heading: MACHINE, value: Some("MODE"),
        help: "Keep translations in files for later runs: off (the default), auto (of code that is \
               executed in a second run), rw (of all code), ro (use them, add none) or verify \
               (make each again and compare), with :DIR behind it for another directory than \
               $XDG_CACHE_HOME/rvnative/code; or DIR, which means rw:DIR",
    }
    AllowHostExec = "1" {
        flag: "allow-host-exec", heading: MACHINE,
        help: "Let the program start programs of this machine, which then run by themselves",
    }
    Strace = "%file" {
        flag: "strace", heading: OUTPUT, value: Some("EXPR"), missing: Some("all"),
        help: "Print system calls to standard error: all, or those that EXPR names, as \
               `read,write`, `%file` or `!%memory`",
    }
    StraceFile = "/dev/null" {
        flag: "strace-file", short: Some('o'), heading: OUTPUT, value: Some("FILE"), is_file: true,
        help: "Print system calls to FILE instead; without --strace, all",
    }
    Trace = "insns" {
        flag: "trace", heading: OUTPUT, value: Some("WHAT"),
        help: "Print what is executed to standard error: insns, blocks, calls, mem (accesses to \
               memory) or commits (as Spike does), with `,range=A-B` or `,range=FUNCTION` of this \
               code only, with `,start=N` and `,stop=N` from one number of instructions to another. \
               The program is interpreted meanwhile",
    }
    TraceFile = "/dev/null" {
        flag: "trace-file", heading: OUTPUT, value: Some("FILE"), is_file: true,
        help: "Print what is executed to FILE instead; %p in it is the process's id",
    }
    Profile = "/dev/null" {
        flag: "profile", heading: OUTPUT, value: Some("FILE"), is_file: true,
        help: "Take a sample of the calls of each thread for each millisecond of its CPU time, and \
               add them to FILE when a process ends or starts another program, as tools for flame \
               graphs read them; %p in it is the process's id",
    }
    Stats = "json" {
        flag: "stats", heading: OUTPUT, value: Some("FORMAT"), missing: Some("text"),
        choices: || vec![("text", "One counter on each line"), (JSON, "One line of JSON")],
        help: "Print counters when a process ends or starts another program",
    }
    StatsFile = "/dev/null" {
        flag: "stats-file", heading: OUTPUT, value: Some("FILE"), is_file: true,
        help: "Append counters to FILE instead of printing them to standard error",
    }
    Count = "1" {
        flag: "count", heading: OUTPUT,
        help: "Count what translated code executes, which slows it down, and print it with the \
               counters",
    }
    Coverage = "/dev/null" {
        flag: "coverage", heading: OUTPUT, value: Some("FILE"), is_file: true,
        help: "Write which code was executed to FILE, as drcov does, when a process ends or starts \
               another program. %p in it is the process's id; without, all processes add to it. \
               `rvnative cov` makes reports of it",
    }
    PerfMap = "1" {
        flag: "perfmap", heading: OUTPUT,
        help: "Write /tmp/perf-PID.map, so that `perf report` names translated code",
    }
    JitDump = "1" {
        flag: "jitdump", heading: OUTPUT,
        help: "Write /tmp/jit-PID.dump, from which `perf inject --jit` takes translated code and \
               the names of the program's functions; to be recorded with `perf record -k mono`",
    }
    OnCrash = "report" {
        flag: "on-crash", heading: OUTPUT, value: Some("DETAIL"),
        choices: || vec![
            ("report", "Where and why, and the calls that led there"),
            ("brief", "A line, and only if an instruction is missing"),
            ("gdb", "As `report`, and wait for gdb or lldb"),
            ("quiet", "Nothing"),
        ],
        help: "What to say when a program dies of a fault: `report` on a terminal, else `brief`",
    }
    Log = "info" {
        flag: "log", heading: OUTPUT, value: Some("FILTER"),
        help: "What to log, such as info or rvnative::linux=debug",
    }
    LogFile = "/dev/null" {
        flag: "log-file", heading: OUTPUT, value: Some("FILE"), is_file: true,
        help: "Log to FILE instead of standard error",
    }
}

/// Heading of flags about files.
pub(super) const FILES: &str = "Files";
/// Heading of flags about container images.
pub(super) const IMAGES: &str = "Container images";
/// Heading of flags about the machine and process that the program sees.
const MACHINE: &str = "Machine";
/// Heading of flags about what is shown of the run.
const OUTPUT: &str = "Output";
/// A format of `--stats`.
const JSON: &str = "json";

impl Row {
    /// The environment variable that stands for the flag.
    fn variable(&self) -> String {
        format!("RVNATIVE_{}", self.flag.to_ascii_uppercase().replace('-', "_"))
    }

    /// The flag as clap knows it.
    fn arg(&self) -> Arg {
        let mut arg = Arg::new(self.flag)
            .long(self.flag)
            .help(format!("{} [{}]", self.help, self.variable()))
            .help_heading(self.heading);
        if let Some(short) = self.short {
            arg = arg.short(short);
        }
        if let Some(other) = self.excludes {
            arg = arg.conflicts_with(other);
        }
        let Some(value) = self.value else { return arg.action(ArgAction::SetTrue) };
        arg = arg.value_name(value).allow_hyphen_values(self.flag == "host-features");
        if let Some(missing) = self.missing {
            arg = arg.num_args(0..=1).require_equals(true).default_missing_value(missing);
        }
        let choices = (self.choices)();
        if choices.is_empty() {
            return arg.value_parser(OsStringValueParser::new());
        }
        let values = choices.into_iter().map(|(name, about)| PossibleValue::new(name).help(about));
        arg.value_parser(PossibleValuesParser::new(values).map(OsString::from))
    }
}

/// Settings that programs started by the guest inherit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Settings([Option<OsString>; COUNT]);

impl clap::Args for Settings {
    fn augment_args(command: clap::Command) -> clap::Command {
        command.args(ROWS.iter().map(Row::arg))
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl clap::FromArgMatches for Settings {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut settings = Self::default();
        settings.update_from_arg_matches(matches)?;
        Ok(settings)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        for (row, slot) in ROWS.iter().zip(&mut self.0) {
            let given = match row.value {
                Some(_) => matches.get_one::<OsString>(row.flag).cloned(),
                None => matches.get_flag(row.flag).then(|| "1".into()),
            };
            if given.is_some() {
                *slot = given;
            }
        }
        Ok(())
    }
}

impl Settings {
    /// The value of a setting; `None` if it is not set.
    pub(super) fn get(&self, key: Key) -> Option<&OsStr> {
        self.0[key as usize].as_deref()
    }

    /// Sets a setting.
    pub(super) fn set(&mut self, key: Key, value: impl Into<OsString>) {
        self.0[key as usize] = Some(value.into());
    }

    /// The value of a setting that is text.
    pub(super) fn text(&self, key: Key) -> Result<Option<&str>, Failure> {
        let Some(value) = self.get(key) else { return Ok(None) };
        match value.to_str() {
            Some(text) => Ok(Some(text)),
            None => {
                let flag = ROWS[key as usize].flag;
                Err(Failure::new(format_args!("the value of --{flag} is not UTF-8")))
            }
        }
    }

    /// Takes from the environment what no flag says. An empty variable says nothing.
    pub(super) fn complete(&mut self, variable: impl Fn(&str) -> Option<OsString>) {
        for (row, slot) in ROWS.iter().zip(&mut self.0) {
            if slot.is_none() {
                *slot = variable(&row.variable()).filter(|v| !v.is_empty());
            }
            // What the program starts may start in another directory.
            if row.is_file
                && let Some(path) = slot
                && let Ok(absolute) = std::path::absolute(&*path)
            {
                *path = absolute.into_os_string();
            }
        }
    }

    /// From the words that [`Self::to_words`] made.
    pub(super) fn from_words(words: &[OsString]) -> Self {
        let mut settings = Self::default();
        for pair in words.chunks_exact(2) {
            if let Some(key) = ROWS.iter().position(|row| pair[0] == row.flag) {
                settings.0[key] = Some(pair[1].clone());
            }
        }
        settings
    }

    /// Flags and values, one after the other.
    pub(super) fn to_words(&self) -> Vec<OsString> {
        let set =
            ROWS.iter().zip(&self.0).filter_map(|(row, value)| Some((row.flag, value.clone()?)));
        set.flat_map(|(flag, value)| [flag.into(), value]).collect()
    }

    /// Set-up of the runtime's machine.
    pub(super) fn machine(&self) -> Result<Options, Failure> {
        let mut options = Options::default();
        if let Some(spec) = self.text(Key::Cpu)? {
            options.isa = isa(spec)?;
        }
        if let Some(mode) = self.text(Key::Jit)? {
            options.engine = match EngineKind::from_name(mode) {
                Some(kind) => kind,
                None if mode == AUTO => EngineKind::default(),
                None => {
                    let names: Vec<_> = ENGINES.iter().map(|e| e.name).collect();
                    let f = Failure::new(format_args!("unknown mode `{mode}` of --jit"));
                    return Err(f.hint(format_args!("modes are {AUTO}, {}", names.join(", "))));
                }
            };
        }
        if let Some(list) = self.text(Key::HostFeatures)? {
            options.host_features = host_features(list)?;
        }
        if let Some(bits) = self.text(Key::VaBits)? {
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
        options.count = self.get(Key::Count).is_some();
        options.trace = self.get(Key::Trace).is_some();
        options.mark = self.get(Key::Coverage).is_some();
        options.measure = self.stats_format().is_some();
        Ok(options)
    }

    /// Which system calls are to be printed, and where.
    pub(super) fn trace(&self) -> Result<Option<Trace>, Failure> {
        let file = self.get(Key::StraceFile);
        if self.get(Key::Strace).is_none() && file.is_none() {
            return Ok(None);
        }
        let expression = self.text(Key::Strace)?.unwrap_or_default();
        let trace = Trace::parse(expression).map_err(|word| {
            let f = Failure::new(format_args!("`{word}` of --strace is no system call"));
            f.hint("classes are %file, %desc, %process, %network, %signal, %ipc, %memory, %clock and %creds")
        })?;
        Ok(Some(match file {
            Some(path) => trace.to_file(path),
            None => trace,
        }))
    }

    /// What is to be told of the execution.
    pub(super) fn trace_spec(&self) -> Result<Option<TraceSpec>, Failure> {
        let Some(text) = self.text(Key::Trace)? else { return Ok(None) };
        let spec = text.parse().map_err(|e| {
            let f = Failure::new(format_args!("--trace: {e}"));
            f.hint("insns, blocks, calls, mem or commits, then ,range=A-B ,range=FUNCTION ,start=N ,stop=N")
        })?;
        Ok(Some(spec))
    }

    /// What random bytes are to follow from.
    pub(super) fn seed(&self) -> Result<Option<u64>, Failure> {
        let Some(seed) = self.text(Key::Seed)? else { return Ok(None) };
        match seed.parse() {
            Ok(seed) => Ok(Some(seed)),
            Err(_) => Err(Failure::new(format_args!("`{seed}` of --seed is no number"))),
        }
    }

    /// Bytes of the main stack.
    pub(super) fn stack_bytes(&self) -> Result<Option<u64>, Failure> {
        let Some(size) = self.text(Key::StackSize)? else { return Ok(None) };
        match flags::size(size) {
            Some(bytes) => Ok(Some(bytes)),
            None => {
                let f = Failure::new(format_args!("`{size}` is no size of a stack"));
                Err(f.hint("a number of bytes, or with K, M or G"))
            }
        }
    }

    /// How counters are to be printed, if they are.
    pub(super) fn stats_format(&self) -> Option<StatsFormat> {
        let asked = self.get(Key::Stats).or(self.get(Key::Count)).or(self.get(Key::StatsFile))?;
        Some(if asked == JSON { StatsFormat::Json } else { StatsFormat::Text })
    }
}

/// Format of counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StatsFormat {
    /// One counter on each line.
    Text,
    /// One line of JSON.
    Json,
}

/// The set of instructions that `--cpu` names.
pub(super) fn isa(spec: &str) -> Result<Isa, Failure> {
    spec.parse().map_err(|e| {
        Failure::new(format_args!("--cpu {spec}: {e}")).hint("`--cpu help` lists what there is")
    })
}

/// What this host has, without and with what a list such as `-bmi2,+fma` names. Switching on what
/// the host lacks is refused.
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
    use super::super::flags::{Cli, Command};
    use super::*;
    use clap::{CommandFactory as _, Parser as _};

    /// What the flags say.
    fn parsed(flags: &[OsString]) -> Settings {
        let words = ["rvnative".into(), "run".into()].into_iter().chain(flags.iter().cloned());
        let cli = Cli::try_parse_from(words.chain(["program".into()])).expect("flags of a row");
        let Command::Run(flags) = cli.command else { panic!("not run") };
        flags.settings
    }

    #[test]
    fn each_setting_is_a_flag_with_help_a_variable_and_inherited() {
        let help = Cli::command().find_subcommand_mut("run").unwrap().render_long_help();
        let help = help.to_string();
        for (key, row) in ROWS.iter().enumerate() {
            let flag = match row.value {
                Some(_) => format!("--{}={}", row.flag, row.sample),
                None => format!("--{}", row.flag),
            };
            let mut from_flag = parsed(&[flag.into()]);
            let expected = Some(OsString::from(row.sample));
            assert_eq!(from_flag.0[key], expected, "--{}", row.flag);
            assert_eq!(from_flag.0.iter().flatten().count(), 1, "--{}", row.flag);
            assert!(!row.help.is_empty() && help.contains(&row.variable()), "--{}", row.flag);

            // The flag wins over the variable, and the variable over nothing.
            let variable = row.variable();
            from_flag.complete(|name| (name == variable).then(|| "other".into()));
            assert_eq!(from_flag.0[key], expected, "--{}", row.flag);
            let mut from_variable = Settings::default();
            from_variable.complete(|name| (name == variable).then(|| row.sample.into()));
            assert_eq!(from_variable.0[key], expected.filter(|s| !s.is_empty()), "{variable}");

            assert_eq!(Settings::from_words(&from_flag.to_words()), from_flag, "--{}", row.flag);
            assert!(from_flag.machine().is_ok(), "--{}", row.flag);
            assert!(from_flag.trace().is_ok() && from_flag.stack_bytes().is_ok(), "--{}", row.flag);
            assert!(from_flag.seed().is_ok(), "--{}", row.flag);
        }
        assert_eq!(ROWS.len(), COUNT);
        assert_eq!(Settings::from_words(&[]), Settings::default());
    }

    #[test]
    fn a_setting_without_its_value_has_the_one_that_is_meant() {
        for (key, row) in ROWS.iter().enumerate() {
            let Some(missing) = row.missing else { continue };
            let settings = parsed(&[format!("--{}", row.flag).into()]);
            assert_eq!(settings.0[key], Some(missing.into()), "--{}", row.flag);
        }
    }

    #[test]
    fn files_are_found_from_any_directory() {
        let mut settings = parsed(&["--log-file=name".into()]);
        settings.complete(|_| None);
        assert!(std::path::Path::new(settings.get(Key::LogFile).unwrap()).is_absolute());
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
