//! What can be said on the command line; the help texts are here too.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::ffi::OsString;
use std::path::PathBuf;

/// Runs RISC-V Linux programs on this machine by translating them.
#[derive(Parser, Debug)]
#[command(
    name = "rvnative",
    version,
    max_term_width = 100,
    after_help = "`rvnative PROGRAM [ARGUMENTS]` is short for `rvnative run PROGRAM [ARGUMENTS]`."
)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Subcommand, Debug)]
pub(super) enum Command {
    /// Run a program.
    Run(Box<RunFlags>),
    /// Run a program and show the code that it executed most.
    Profile(Box<ProfileFlags>),
    /// List the code of a program, for the guest and as translated.
    Disasm(DisasmFlags),
    /// Show version, host features, supported extensions and limits.
    Info,
    /// Compare the translator with the interpreter on random programs.
    Fuzz(FuzzFlags),
}

/// Exit codes: the program's own; a signal that kills the program kills rvnative too; 127 if the
/// program is not found, 126 if it cannot be run, 125 if rvnative itself fails.
#[derive(Args, Debug)]
#[command(after_long_help = "Environment: RVNATIVE_SYSROOT, RVNATIVE_CPU, RVNATIVE_JIT, \
RVNATIVE_STACK_SIZE, RVNATIVE_VA_BITS, RVNATIVE_STRACE, RVNATIVE_STRACE_FILE, RVNATIVE_ALLOW_HOST_EXEC, \
RVNATIVE_STATS, RVNATIVE_STATS_FILE, RVNATIVE_COUNT, RVNATIVE_PERFMAP, RVNATIVE_JITDUMP, RVNATIVE_LOG, \
RVNATIVE_LOG_FILE and RVNATIVE_HOST_FEATURES stand for the flags of these names, which win over them. The program does not \
see them unless RVNATIVE_KEEP_ENV is 1.")]
pub(super) struct RunFlags {
    /// Look up absolute paths of the program below DIR first.
    #[arg(short = 'L', long, value_name = "DIR")]
    pub(super) sysroot: Option<PathBuf>,

    /// Make DIR the program's root directory: nothing outside has a name, but for /proc, /sys, the
    /// usual devices, /etc/resolv.conf and /etc/hosts.
    #[arg(short = 'C', long, value_name = "DIR", conflicts_with = "sysroot")]
    pub(super) rootfs: Option<PathBuf>,

    /// Give a file or directory a place below the root directory; `ro` refuses changes.
    #[arg(short = 'b', long, value_name = "HOST[:GUEST][:ro]", requires = "rootfs")]
    pub(super) bind: Vec<OsString>,

    /// Let the program believe to be root, and remember owners and devices that it makes.
    #[arg(short = 'F', long, requires = "rootfs")]
    pub(super) fake_root: bool,

    /// Set an environment variable of the program, or pass on one of ours.
    #[arg(short = 'E', long, value_name = "NAME[=VALUE]")]
    pub(super) env: Vec<OsString>,

    /// Remove an environment variable of the program.
    #[arg(short = 'U', long, value_name = "NAME")]
    pub(super) unset_env: Vec<OsString>,

    /// Begin with an empty environment.
    #[arg(long)]
    pub(super) clear_env: bool,

    /// What the program sees as its own name.
    #[arg(short = '0', long, value_name = "NAME")]
    pub(super) argv0: Option<OsString>,

    /// Directory to start in.
    #[arg(short = 'w', long, value_name = "DIR")]
    pub(super) workdir: Option<PathBuf>,

    /// Instructions that the program may use, such as rv64gc,+zba or rva22u64; `help` lists them.
    #[arg(long, value_name = "SPEC")]
    pub(super) cpu: Option<String>,

    /// Size of the main stack in bytes, or with K, M or G.
    #[arg(short = 's', long, value_name = "SIZE")]
    pub(super) stack_size: Option<String>,

    /// Shape of the address space: 39 bits, as on machines with Sv39, or 48, of which the program
    /// has half. With 48, code at 512 GiB and above, where no program is put that does not ask for
    /// it, is interpreted.
    #[arg(long, value_name = "BITS", value_parser = ["39", "48"])]
    pub(super) va_bits: Option<String>,

    /// Print system calls to standard error: all, or those that EXPR names, as `read,write`,
    /// `%file` or `!%memory`.
    #[arg(long, value_name = "EXPR", num_args = 0..=1, require_equals = true, default_missing_value = "all")]
    pub(super) strace: Option<String>,

    /// Print system calls to FILE instead; without --strace, all.
    #[arg(short = 'o', long, value_name = "FILE")]
    pub(super) strace_file: Option<PathBuf>,

    /// Let the program start programs of this machine, which then run by themselves.
    #[arg(long)]
    pub(super) allow_host_exec: bool,

    /// How the program is executed.
    #[arg(long, value_name = "MODE")]
    pub(super) jit: Option<Jit>,

    /// Print counters when a process ends or starts another program.
    #[arg(long, value_name = "FORMAT", num_args = 0..=1, require_equals = true, default_missing_value = "text")]
    pub(super) stats: Option<StatsFormat>,

    /// Where to append counters to, instead of standard error.
    #[arg(long, value_name = "FILE")]
    pub(super) stats_file: Option<PathBuf>,

    /// Count what translated code executes, which slows it down, and print it with the counters.
    #[arg(long)]
    pub(super) count: bool,

    /// Write /tmp/perf-PID.map, so that `perf report` names translated code.
    #[arg(long)]
    pub(super) perfmap: bool,

    /// Write /tmp/jit-PID.dump, from which `perf inject --jit` takes translated code and the names
    /// of the program's functions; to be recorded with `perf record -k mono`.
    #[arg(long)]
    pub(super) jitdump: bool,

    /// Host instruction sets to do without, such as -bmi2,-fma.
    #[arg(long, value_name = "LIST", allow_hyphen_values = true)]
    pub(super) host_features: Option<String>,

    /// What to log, such as info or rvnative::linux=debug.
    #[arg(long, value_name = "FILTER")]
    pub(super) log: Option<String>,

    /// Where to log to, instead of standard error.
    #[arg(long, value_name = "FILE")]
    pub(super) log_file: Option<PathBuf>,

    /// The program and its arguments.
    #[arg(required = true, trailing_var_arg = true, value_name = "PROGRAM")]
    pub(super) command: Vec<OsString>,
}

/// Prints, to standard error when the program ends, the blocks that executed most host
/// instructions: how often, guest code, operations and host code. Counted are the instructions of
/// the first process, up to its end or until it starts another program.
#[derive(Args, Debug)]
pub(super) struct ProfileFlags {
    /// Write it as a web page too.
    #[arg(long, value_name = "FILE")]
    pub(super) html: Option<PathBuf>,

    /// How many blocks to show.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(super) top: usize,

    #[command(flatten)]
    pub(super) run: RunFlags,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Jit {
    /// What is fastest here.
    Auto,
    /// Interpret.
    Off,
    /// Translate block by block.
    Baseline,
    /// Translate, and compare each block with the interpreter; one thread runs at a time.
    Verify,
}

impl Jit {
    /// The name on the command line.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Off => "off",
            Self::Baseline => "baseline",
            Self::Verify => "verify",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        [Self::Auto, Self::Off, Self::Baseline, Self::Verify].into_iter().find(|j| j.name() == name)
    }
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StatsFormat {
    /// One counter on each line.
    Text,
    /// One line of JSON.
    Json,
}

impl StatsFormat {
    /// The name on the command line.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}

#[derive(Args, Debug)]
pub(super) struct DisasmFlags {
    /// The program.
    pub(super) program: PathBuf,

    /// Only this function.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["start", "end"])]
    pub(super) symbol: Option<String>,

    /// First address.
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    pub(super) start: Option<u64>,

    /// End address.
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    pub(super) end: Option<u64>,

    /// Show what each block is translated to as well.
    #[arg(long)]
    pub(super) host: bool,

    /// Instructions that the program may use.
    #[arg(long, value_name = "SPEC")]
    pub(super) cpu: Option<String>,
}

#[derive(Args, Debug)]
#[command(
    after_long_help = "Exit codes: 0 if no difference is found, 1 if one is; with --from, 127 if a \
FILE does not exist and 126 if no code can be read from it; 125 if rvnative itself fails."
)]
pub(super) struct FuzzFlags {
    /// Take the blocks of these files instead of random programs: executables, libraries, object
    /// files, and directories of them. All blocks that differ are executed.
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with_all = ["case", "single"])]
    pub(super) from: Vec<PathBuf>,

    /// Stop after this time; 10 by default, none with --from.
    #[arg(long, value_name = "N")]
    pub(super) seconds: Option<u64>,

    /// What is random follows from it.
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub(super) seed: u64,

    /// States from which each block of a file is executed.
    #[arg(long, value_name = "N", default_value_t = rvnative::fuzzing::STATES, requires = "from",
        value_parser = clap::value_parser!(u32).range(1..256))]
    pub(super) states: u32,

    /// Of the blocks of all files, execute so many, drawn at random.
    #[arg(long, value_name = "N", requires = "from")]
    pub(super) sample: Option<usize>,

    /// Go on after a difference, and list all of them by kind at the end.
    #[arg(long, requires = "from")]
    pub(super) keep_going: bool,

    /// Execute the block at this address of the file again, as a report says.
    #[arg(long, value_name = "ADDR", value_parser = address, requires_all = ["from", "setup"],
        conflicts_with = "sample")]
    pub(super) at: Option<u64>,

    /// With this memory mode and these host features, by number.
    #[arg(long, value_name = "N", requires = "at")]
    pub(super) setup: Option<u32>,

    /// Stop after this many programs or blocks.
    #[arg(long, value_name = "N")]
    pub(super) blocks: Option<u64>,

    /// Run one case again, the one that a report names.
    #[arg(long, value_name = "N")]
    pub(super) case: Option<u64>,

    /// Single instructions with special operands instead of programs.
    #[arg(long)]
    pub(super) single: bool,

    /// Only programs as compilers write them, not also instructions at random.
    #[arg(long, conflicts_with = "single")]
    pub(super) compiled: bool,

    /// Threads; one per processor by default.
    #[arg(long, value_name = "N")]
    pub(super) jobs: Option<usize>,
}

/// A number with or without `0x`; without, it is hexadecimal too, as listings print addresses.
fn address(text: &str) -> Result<u64, String> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    u64::from_str_radix(digits, 16).map_err(|_| format!("`{text}` is no hexadecimal address"))
}

/// A number of bytes: decimal, or hexadecimal with `0x`, with K, M or G for powers of 1024.
pub(super) fn size(text: &str) -> Option<u64> {
    let lower = text.to_ascii_lowercase();
    let (digits, shift) = match lower.strip_suffix(['k', 'm', 'g']) {
        Some(d) => (d, [10, 20, 30][['k', 'm', 'g'].iter().position(|c| lower.ends_with(*c))?]),
        None => (&*lower, 0),
    };
    let n = match digits.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok()?,
        None => digits.parse().ok()?,
    };
    n.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_flags_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn sizes() {
        assert_eq!(size("8192"), Some(8192));
        assert_eq!(size("0x2000"), Some(8192));
        assert_eq!(size("8M"), Some(8 << 20));
        assert_eq!(size("1g"), Some(1 << 30));
        assert_eq!(size("17179869184G"), None);
        assert_eq!(size("M"), None);
        assert_eq!(size(""), None);
    }

    #[test]
    fn flags_end_at_the_program() {
        let cli = Cli::try_parse_from(["rvnative", "run", "-L", "/r", "prog", "-L", "--help"]);
        let Command::Run(flags) = cli.unwrap().command else { panic!("not run") };
        assert_eq!(flags.sysroot, Some(PathBuf::from("/r")));
        assert_eq!(flags.command, ["prog", "-L", "--help"]);
    }
}
