//! Flags and arguments of the command, with their help texts.

use super::binfmt;
use super::settings::{FILES, IMAGES, Settings};
use clap::{ArgGroup, Args, Parser, Subcommand};
use rvnative::linux::Address;
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
    /// Keep container images, which `run --image` runs.
    Image(ImageFlags),
    /// Run a program and show the code that it executed most.
    Profile(Box<ProfileFlags>),
    /// Let gdb or lldb connect to a program that runs already: prints where.
    Debug {
        /// Its process id.
        pid: u32,
    },
    /// Tell which code was executed, from the files of `run --coverage`.
    Cov(CovFlags),
    /// Look after the translations that `run --cache` keeps.
    Cache(CacheFlags),
    /// List the code of a program, for the guest and as translated.
    Disasm(DisasmFlags),
    /// List the engines: name, `engine` or `check`, and what it does, in columns.
    Engines,
    /// Show version, host features, supported extensions and limits.
    Info,
    /// Let the kernel start riscv64 programs by itself, with this command.
    Binfmt(BinfmtFlags),
    /// Compare the translator with the interpreter on random programs.
    #[cfg(feature = "fuzzing")]
    Fuzz(FuzzFlags),
    /// Print the completions of a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Write manual pages, one for each command.
    Man {
        /// Directory for them.
        dir: PathBuf,
    },
}

#[derive(Args, Debug)]
#[command(group = ArgGroup::new("root").args(["rootfs", "image"]))]
#[command(after_long_help = "The variable in brackets stands for a flag, which wins over it. The \
program does not see these variables unless RVNATIVE_KEEP_ENV is 1.\n\n\
Exit codes: the program's own; a signal that kills the program kills rvnative too; 127 if the \
program is not found, 126 if it cannot be run, 125 if rvnative itself fails.")]
pub(super) struct RunFlags {
    #[command(flatten)]
    pub(super) settings: Settings,

    /// Run what a container image says, or PROGRAM, in a copy of its files that is removed when the
    /// last process in it has ended: an image of `rvnative image ls`, or oci:DIR[:TAG],
    /// oci-archive:FILE[:TAG], docker-archive:FILE[:NAME] or dir:DIR.
    #[arg(long, value_name = "IMAGE", conflicts_with = "sysroot", help_heading = IMAGES)]
    pub(super) image: Option<OsString>,

    /// Keep the copy under this name, or use the one that has it.
    #[arg(long, value_name = "NAME", requires = "image", help_heading = IMAGES)]
    pub(super) container: Option<String>,

    /// Start this program instead of the image's entry point; if empty, PROGRAM itself.
    #[arg(long, value_name = "PROGRAM", requires = "image", help_heading = IMAGES)]
    pub(super) entrypoint: Option<OsString>,

    /// Let the program believe to be this user, by name or number, instead of the image's.
    #[arg(short = 'u', long, value_name = "USER[:GROUP]", requires = "image", help_heading = IMAGES)]
    pub(super) user: Option<String>,

    /// Give a file or directory a place below the root directory; `ro` refuses changes.
    #[arg(short = 'b', long, value_name = "HOST[:GUEST][:ro]", requires = "root", help_heading = FILES)]
    pub(super) bind: Vec<OsString>,

    /// Let the program believe to be root, and remember owners and devices that it makes.
    #[arg(short = 'F', long, requires = "root", help_heading = FILES)]
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

    /// Name of the program as it sees it itself (argv[0]).
    #[arg(short = '0', long, value_name = "NAME")]
    pub(super) argv0: Option<OsString>,

    /// Wait for gdb or lldb at PORT, HOST:PORT or unix:PATH, in which %p is the process's id,
    /// before the program starts; with `,nowait` behind it, do not wait.
    #[arg(short = 'g', long, value_name = "WHERE", value_parser = debugger)]
    pub(super) gdb: Option<Address>,

    /// Directory to start in.
    #[arg(short = 'w', long, value_name = "DIR", help_heading = FILES)]
    pub(super) workdir: Option<PathBuf>,

    /// The program and its arguments.
    #[arg(required_unless_present_any = ["cpu", "image"], trailing_var_arg = true, value_name = "PROGRAM")]
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

    /// Number of blocks to show.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(super) top: usize,

    #[command(flatten)]
    pub(super) run: RunFlags,
}

/// Images are unpacked to $XDG_DATA_HOME/rvnative (or ~/.local/share/rvnative), each layer once.
#[derive(Args, Debug)]
pub(super) struct ImageFlags {
    #[command(subcommand)]
    pub(super) command: ImageCommand,
}

#[derive(Subcommand, Debug)]
pub(super) enum ImageCommand {
    /// Unpack an image for linux/riscv64, and print its name.
    Import {
        /// Where it is: oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE[:NAME] or
        /// dir:DIR, as skopeo and podman write them.
        source: OsString,
        /// Its name; by default the one that it has there.
        #[arg(long)]
        name: Option<String>,
    },
    /// List images, and containers that have names.
    Ls,
    /// Remove images, by names or the first digits of their ids.
    Rm {
        /// Remove containers of these names.
        #[arg(long)]
        container: bool,
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
    },
    /// Print an image's configuration, as JSON.
    Config {
        /// A name, or where it is.
        image: OsString,
    },
}

#[derive(Args, Debug)]
pub(super) struct CacheFlags {
    /// Where they are, if not where RVNATIVE_CACHE says, or else in $XDG_CACHE_HOME/rvnative/code
    /// (or ~/.cache/rvnative/code).
    #[arg(long, value_name = "DIR", global = true)]
    pub(super) dir: Option<PathBuf>,

    #[command(subcommand)]
    pub(super) command: CacheCommand,
}

#[derive(Subcommand, Debug)]
pub(super) enum CacheCommand {
    /// List the files: size, number of blocks, and which code they are of.
    Info,
    /// Remove all files.
    Clear,
    /// Remove files that were not used for longest until no more than SIZE bytes are left.
    Prune {
        /// In bytes, or with K, M or G; by default what a run keeps at most, 1G.
        #[arg(value_name = "SIZE", value_parser = cache_size)]
        size: Option<u64>,
    },
    /// Find out whether all files are whole. (`run --cache verify` compares what they hold.)
    Verify,
}

fn cache_size(text: &str) -> Result<u64, String> {
    size(text).ok_or_else(|| "no size: a number of bytes, or with K, M or G".into())
}

#[derive(Args, Debug)]
pub(super) struct CovFlags {
    #[command(subcommand)]
    pub(super) command: CovCommand,
}

#[derive(Subcommand, Debug)]
pub(super) enum CovCommand {
    /// Make one file of several.
    Merge {
        /// The file.
        #[arg(short = 'o', long, value_name = "FILE")]
        output: PathBuf,
        /// Those to be merged.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Print how much of each module, and how many lines of each source file, were executed.
    Report(CovSource),
    /// Print the executed lines and functions of source files, as lcov and genhtml read them.
    Lcov(CovSource),
}

#[derive(Args, Debug)]
pub(super) struct CovSource {
    /// Directory below which the program's files are looked for first, as with -L and -C of `run`.
    #[arg(short = 'L', long, value_name = "DIR")]
    pub(super) root: Vec<PathBuf>,
    /// Files of `run --coverage` or of drcov.
    #[arg(required = true)]
    pub(super) files: Vec<PathBuf>,
}

/// Linux can start programs of other machines by an interpreter (binfmt_misc). An entry is for the
/// whole machine, needs root, and is gone after a restart unless --persist keeps it; `shell` needs
/// neither root nor an entry.
#[derive(Args, Debug)]
pub(super) struct BinfmtFlags {
    #[command(subcommand)]
    pub(super) command: BinfmtCommand,
}

#[derive(Subcommand, Debug)]
pub(super) enum BinfmtCommand {
    /// Print the entry, as /etc/binfmt.d holds it.
    Print(PrintFlags),
    /// Add the entry to the kernel's table.
    Register(RegisterFlags),
    /// Remove an entry from the kernel's table, and what --persist has left.
    Unregister {
        /// Name of the entry.
        #[arg(long, default_value = binfmt::NAME)]
        name: String,
    },
    /// List the entries for riscv64.
    Status,
    /// Start a shell, or COMMAND, in which riscv64 programs start like others: in namespaces of its
    /// own, which needs no rights (Linux 6.7).
    Shell(ShellFlags),
}

#[derive(Args, Debug)]
pub(super) struct EntryFlags {
    /// Name of the entry.
    #[arg(long, default_value = binfmt::NAME)]
    pub(super) name: String,

    /// The interpreter; this program by default.
    #[arg(long, value_name = "FILE")]
    pub(super) interpreter: Option<PathBuf>,

    /// Flags of the entry. P: programs see their own argv[0]. O: programs come open, so that they
    /// need not be readable. F: the interpreter is opened now, and serves other root directories
    /// too; it must be static. C, which brings O: programs with set-id bits get their rights, and
    /// rvnative with them. OP by default, and F if the interpreter is static.
    #[arg(long, value_name = "FLAGS", value_parser = binfmt::flags, allow_hyphen_values = true)]
    pub(super) flags: Option<String>,
}

#[derive(Args, Debug)]
pub(super) struct PrintFlags {
    #[command(flatten)]
    pub(super) entry: EntryFlags,

    /// Print it as `update-binfmts --import` reads it.
    #[arg(long)]
    pub(super) update_binfmts: bool,
}

#[derive(Args, Debug)]
pub(super) struct RegisterFlags {
    #[command(flatten)]
    pub(super) entry: EntryFlags,

    /// Write the entry to /etc/binfmt.d too, so that it is there after a restart.
    #[arg(long)]
    pub(super) persist: bool,
}

#[derive(Args, Debug)]
pub(super) struct ShellFlags {
    #[command(flatten)]
    pub(super) entry: EntryFlags,

    /// What to start instead of a shell, with its arguments.
    #[arg(trailing_var_arg = true, value_name = "COMMAND")]
    pub(super) command: Vec<OsString>,
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

#[cfg(feature = "fuzzing")]
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

    /// Seed of the random choices.
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

/// Where a debugger connects.
pub(super) fn debugger(text: &str) -> Result<Address, String> {
    Address::parse(text).ok_or_else(|| format!("`{text}` is no port and no unix:PATH"))
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
    use super::super::settings::Key;
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_flags_are_consistent() {
        Cli::command().debug_assert();
    }

    /// A command that is not in the list would be taken for a program.
    #[test]
    fn all_commands_are_listed() {
        let command = Cli::command();
        let mut names: Vec<_> = command.get_subcommands().map(clap::Command::get_name).collect();
        names.push("help");
        if cfg!(not(feature = "fuzzing")) {
            names.push("fuzz");
        }
        let mut listed = super::super::COMMANDS.to_vec();
        names.sort_unstable();
        listed.sort_unstable();
        assert_eq!(names, listed);
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
        assert_eq!(flags.settings.get(Key::Sysroot), Some("/r".as_ref()));
        assert_eq!(flags.command, ["prog", "-L", "--help"]);
    }
}
