//! The command line of `qemu-riscv64`, for those who call us by that name: its options, variables
//! and exit codes, so that what starts qemu can start us instead. docs/qemu.md says what each
//! option does here.

use super::fail::Failure;
use super::flags::debugger;
use super::run::Launch;
use super::settings::{Key, Settings, isa};
use super::{afl, binfmt};
use rvnative::isa::Isa;
use rvnative::linux::Address;
use rvnative::sys::process::Invocation;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read as _;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::ExitCode;

/// The version whose command line this is.
const VERSION: &str = "10.0.0";

/// The exit code of qemu for whatever is wrong before the program runs.
const FAILED: u8 = 1;
/// And for a program of another machine.
const FOREIGN: u8 = 255;

/// Where programs' libraries are looked for if nobody says so: qemu's usual place, and Debian's.
const PREFIXES: [&str; 2] = ["/usr/gnemul/qemu-riscv64", "/etc/qemu-binfmt/riscv64"];

/// What qemu can log; of that there is `strace` here.
const LOG_ITEMS: [&str; 20] = [
    "out_asm",
    "in_asm",
    "op",
    "op_opt",
    "op_ind",
    "int",
    "exec",
    "cpu",
    "fpu",
    "mmu",
    "pcall",
    "cpu_reset",
    "unimp",
    "guest_errors",
    "page",
    "nochain",
    "strace",
    "tid",
    "vpu",
    "invalid_mem",
];

/// CPUs of qemu that are products, with what of them a user program sees; extensions of their
/// makers are not there.
const PRODUCTS: [(&str, &str); 12] = [
    ("rv64i", "rv64i"),
    ("rva22u64", "rva22u64"),
    ("rva23u64", "rva23u64"),
    ("rva22s64", "rva22u64"),
    ("rva23s64", "rva23u64"),
    ("shakti-c", "rv64gc"),
    ("sifive-u54", "rv64gc"),
    ("sifive-e51", "rv64imac_zicsr_zifencei"),
    ("thead-c906", "rv64gc_zfhmin"),
    ("tt-ascalon", "rva23u64,vlen=256"),
    ("veyron-v1", "rv64gc_zba_zbb_zbc_zbs_zicbom_zicbop_zicboz"),
    ("xiangshan-nanhu", "rv64gc_zba_zbb_zbc_zbs_zicbom_zicboz"),
];

/// Properties of qemu's CPUs that no program sees, or that have one value.
const UNSEEN: [&str; 10] =
    ["mmu", "pmp", "smepmp", "svade", "svadu", "svinval", "svnapot", "svpbmt", "sscofpmf", "sstc"];

/// Whether a value is one that a property can have.
type Fits = fn(&str) -> bool;

/// The same with values other than on and off.
const UNSEEN_VALUES: [(&str, Fits); 6] = [
    ("priv_spec", |v| matches!(v, "v1.10.0" | "v1.11.0" | "v1.12.0" | "v1.13.0")),
    ("vext_spec", |v| v == "v1.0"),
    ("elen", is_number),
    ("cbom_blocksize", is_number),
    ("cbop_blocksize", is_number),
    ("cboz_blocksize", is_number),
];

/// True if a program that is called so behaves as qemu's: `qemu-riscv64`, the same with what
/// packages add to it, and the name under which BuildKit puts it before a command.
pub(super) fn is_name(called: &OsStr) -> bool {
    let name = Path::new(called).file_name().unwrap_or_default().as_bytes();
    name.starts_with(b"qemu-riscv64")
        || afl::is_name(called)
        || [b"buildkit-qemu-riscv64", &b".buildkit_qemu_emulator"[..], b"riscv64-binfmt-P"]
            .contains(&name)
}

/// Why no program is run.
#[derive(Debug, PartialEq, Eq)]
enum Stop {
    /// The help is asked for, or to be shown for what is wrong.
    Help(u8),
    /// This is printed to standard output.
    Text(String, u8),
    /// This is said to be wrong.
    Wrong(String),
}

/// What the options say.
#[derive(Default)]
struct Said {
    settings: Settings,
    /// Changes of the environment, in order.
    changed: Vec<(OsString, Option<OsString>)>,
    argv0: Option<OsString>,
    /// Looked at behind all options: the last one counts.
    cpu: Option<OsString>,
    /// See `cpu`.
    seed: Option<OsString>,
    /// What is wrong, but not before the last option: others come before it.
    late: Option<String>,
    strace: bool,
    debugger: Option<Address>,
    log_file: Option<OsString>,
    warnings: Vec<String>,
}

type Effect = fn(&mut Said, &OsStr) -> Result<(), Stop>;

/// An option: its name, how the help names its value (empty: it has none), its variable, and what
/// it is for.
struct Opt(&'static str, &'static str, &'static str, &'static str, Effect);

/// In qemu's order, in which the variables are looked at.
const OPTIONS: &[Opt] = &[
    Opt("h", "", "", "print this help", |_, _| Err(Stop::Help(0))),
    Opt("help", "", "", "", |_, _| Err(Stop::Help(0))),
    Opt("g", "port", "QEMU_GDB", "wait gdb connection to 'port'", |said, place| {
        match debugged(&place.to_string_lossy()) {
            Ok(address) => said.debugger = Some(address),
            Err(e) => said.late = Some(e),
        }
        Ok(())
    }),
    Opt("L", "path", "QEMU_LD_PREFIX", "look up absolute paths below 'path' first", prefix),
    Opt("s", "size", "QEMU_STACK_SIZE", "size of the main stack", stack),
    Opt("cpu", "model", "QEMU_CPU", "select CPU (-cpu help for list)", |said, model| {
        said.cpu = Some(model.to_owned());
        if model == "help" || model == "?" { cpus() } else { Ok(()) }
    }),
    Opt("E", "var=value", "QEMU_SET_ENV", "set variables of the program", |said, list| {
        changes(said, list, true)
    }),
    Opt("U", "var", "QEMU_UNSET_ENV", "unset variables of the program", |said, list| {
        changes(said, list, false)
    }),
    Opt("0", "argv0", "QEMU_ARGV0", "the program's argv[0]", |said, name| {
        said.argv0 = Some(name.to_owned());
        Ok(())
    }),
    Opt("r", "uname", "QEMU_UNAME", "release of the kernel that uname tells", |said, release| {
        if !release.is_empty() {
            said.settings.set(Key::Uname, release);
        }
        Ok(())
    }),
    Opt("B", "address", "QEMU_GUEST_BASE", "no effect", based),
    Opt("R", "size", "QEMU_RESERVED_VA", "no effect", reserved),
    Opt("t", "tsig hsig n[,...]", "QEMU_RTSIG_MAP", "no effect", signals),
    Opt("d", "item[,...]", "QEMU_LOG", "log system calls, for item 'strace'", log),
    Opt("dfilter", "range[,...]", "QEMU_DFILTER", "no effect", |_, ranges| filter(ranges)),
    Opt("D", "logfile", "QEMU_LOG_FILENAME", "write logs to 'logfile'", |said, file| {
        said.log_file = Some(file.to_owned());
        Ok(())
    }),
    Opt("p", "pagesize", "QEMU_PAGESIZE", "no effect", |said, size| {
        if number(size.as_bytes()).0 != 4096 {
            said.warnings.push("the size of pages is 4096 bytes".into());
        }
        Ok(())
    }),
    Opt("one-insn-per-tb", "", "QEMU_ONE_INSN_PER_TB", "no effect", |_, _| Ok(())),
    Opt("tb-size", "size", "QEMU_TB_SIZE", "no effect", |_, size| {
        if is_number(&size.to_string_lossy()) { Ok(()) } else { Err(Stop::Help(FAILED)) }
    }),
    Opt("strace", "", "QEMU_STRACE", "log system calls", |said, _| {
        said.strace = true;
        Ok(())
    }),
    Opt(
        "seed",
        "n",
        "QEMU_RAND_SEED",
        "what a program's random bytes follow from",
        |said, seed| {
            said.seed = Some(seed.to_owned());
            Ok(())
        },
    ),
    Opt("trace", "pattern", "QEMU_TRACE", "no effect", |said, pattern| {
        trace(said, &pattern.to_string_lossy())
    }),
    Opt("version", "", "QEMU_VERSION", "display version information and exit", |_, _| {
        let ours = env!("CARGO_PKG_VERSION");
        Err(Stop::Text(format!("qemu-riscv64 version {VERSION} (rvnative {ours})\n"), 0))
    }),
    Opt("perfmap", "", "QEMU_PERFMAP", "write /tmp/perf-PID.map for perf", |said, _| {
        said.settings.set(Key::PerfMap, "1");
        Ok(())
    }),
    Opt("jitdump", "", "QEMU_JITDUMP", "write /tmp/jit-PID.dump for perf", |said, _| {
        said.settings.set(Key::JitDump, "1");
        Ok(())
    }),
];

/// Runs us as qemu: `args` are all of the process.
pub(super) fn run(args: &[OsString]) -> ExitCode {
    match started(args) {
        Ok((failure, code)) => failure.code(code).report(),
        Err(Stop::Help(code)) => {
            print!("{}", help());
            ExitCode::from(code)
        }
        Err(Stop::Text(text, code)) => {
            print!("{text}");
            ExitCode::from(code)
        }
        Err(Stop::Wrong(what)) => {
            eprintln!("qemu-riscv64: {what}");
            ExitCode::from(FAILED)
        }
    }
}

/// Gives the process to the program; returns why it could not, and the exit code.
fn started(args: &[OsString]) -> Result<(Failure, u8), Stop> {
    let invocation = Invocation::of_process();
    // What the kernel has started us for is no option, whatever it is called.
    let options = if invocation.is_for_program() { &[] } else { &args[1..] };
    let (mut said, rest) = parse(options, binfmt::variable)?;
    let words = if invocation.is_for_program() { &args[1..] } else { rest };
    for warning in &said.warnings {
        eprintln!("qemu-riscv64: warning: {warning}");
    }
    let preserves = binfmt::preserves_argv0(invocation, &args[0]);
    let Some(mut launch) = Launch::of_kernel(invocation, words, preserves) else {
        return wrong("no user program specified");
    };
    if let Some(argv0) = said.argv0.take() {
        launch.called(argv0);
    }
    if let Some(address) = said.debugger.take() {
        launch.debugged(address);
    }
    if afl::is_name(&args[0]) {
        launch.for_afl();
    }
    let mut settings = said.settings;
    if settings.get(Key::Sysroot).is_none()
        && let Some(usual) = PREFIXES.iter().find(|dir| Path::new(dir).is_dir())
    {
        settings.set(Key::Sysroot, *usual);
    }
    if said.strace {
        settings.set(Key::Strace, "all");
    }
    // It is there afterwards even if nothing is logged.
    if let Some(file) = said.log_file {
        let file = with_pid(&file)?;
        if let Err(e) = std::fs::File::create(&file) {
            let e = super::fail::describe(&e);
            return wrong(format!("error opening logfile {}: {e}", file.display()));
        }
        if said.strace {
            settings.set(Key::StraceFile, file);
        }
    }
    settings.complete(binfmt::variable);
    let is_elf = is_executable_elf(Path::new(&words[0]));
    match launch.run(&settings, &said.changed) {
        Ok(_) => wrong("the program has not been started"),
        Err(failure) if is_elf && failure.is_of_program() => Ok((failure, FOREIGN)),
        Err(failure) => Ok((failure, FAILED)),
    }
}

/// True for an ELF file, of whatever machine, that is there to be executed.
fn is_executable_elf(path: &Path) -> bool {
    let mut head = [0; 4];
    let Ok(mut file) = File::open(path) else { return false };
    file.metadata().is_ok_and(|m| m.mode() & 0o111 != 0)
        && file.read_exact(&mut head).is_ok()
        && &head == b"\x7fELF"
}

/// The options: variables first, then those among the arguments, of which the rest is returned.
fn parse(
    args: &[OsString],
    variable: impl Fn(&str) -> Option<OsString>,
) -> Result<(Said, &[OsString]), Stop> {
    let mut said = Said::default();
    for Opt(_, _, name, _, effect) in OPTIONS.iter().filter(|o| !o.2.is_empty()) {
        if let Some(value) = variable(name) {
            effect(&mut said, &value)?;
        }
    }
    let mut rest = args;
    while let Some((word, behind)) = rest.split_first() {
        let Some(name) = word.as_bytes().strip_prefix(b"-") else { break };
        rest = behind;
        if name == b"-" {
            break;
        }
        // One dash or two, which is the same.
        let name = name.strip_prefix(b"-").unwrap_or(name);
        let Some(option) = OPTIONS.iter().find(|o| o.0.as_bytes() == name) else {
            return wrong(format!("unknown option '{}'", name.escape_ascii()));
        };
        let mut value = OsStr::new("");
        if !option.1.is_empty() {
            let Some((given, behind)) = rest.split_first() else {
                return wrong(format!("missing argument for option '{}'", option.0));
            };
            (value, rest) = (given, behind);
        }
        option.4(&mut said, value)?;
    }
    if let Some(model) = said.cpu.take() {
        said.settings.set(Key::Cpu, cpu(&model.to_string_lossy())?);
    }
    if let Some(seed) = said.seed.take() {
        let (n, behind) = unsigned(seed.as_bytes());
        let (Some(n), false, true) = (n, seed.is_empty(), behind.is_empty()) else {
            return wrong(format!("invalid seed number: {}", seed.display()));
        };
        said.settings.set(Key::Seed, n.to_string());
    }
    if let Some(e) = said.late.take() {
        return wrong(e);
    }
    Ok((said, rest))
}

fn wrong<T>(what: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Wrong(what.into()))
}

fn help() -> String {
    let mut text = String::from(
        "usage: qemu-riscv64 [options] program [arguments...]\n\
         rvnative by the name of qemu-riscv64: its options, and the same as variables\n\n",
    );
    for Opt(name, value, variable, about, _) in OPTIONS {
        let option = format!("-{name} {value}");
        text += format!("{option:<21}{variable:<22}{about}").trim_end();
        text.push('\n');
    }
    text + "\nVariables of rvnative (rvnative run --help) say what no option says.\n"
}

/// The digits at the beginning of `text`, of the base that their prefix says, and what is behind
/// them. 0 if there are none, and `None` for a number that does not fit.
fn unsigned(text: &[u8]) -> (Option<u64>, &[u8]) {
    let (radix, digits) = match text {
        [b'0', b'x' | b'X', rest @ ..] => (16, rest),
        [b'0', ..] => (8, text),
        _ => (10, text),
    };
    let is_digit = |b: &u8| char::from(*b).is_digit(radix);
    let end = digits.iter().position(|b| !is_digit(b)).unwrap_or(digits.len());
    let value = digits[..end].iter().try_fold(0_u64, |n, b| {
        let digit = char::from(*b).to_digit(radix)?;
        n.checked_mul(radix.into())?.checked_add(digit.into())
    });
    (value, &digits[end..])
}

/// As strtoul(3) with base 0, which allows blanks and a sign: a number at the beginning of `text`,
/// 0 if there is none, and the rest.
fn number(text: &[u8]) -> (u64, &[u8]) {
    let (negative, digits) = match text.trim_ascii_start() {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    match unsigned(digits) {
        (Some(n), rest) => (if negative { n.wrapping_neg() } else { n }, rest),
        (None, rest) => (u64::MAX, rest),
    }
}

/// True for a number and nothing else.
fn is_number(text: &str) -> bool {
    !text.is_empty() && unsigned(text.as_bytes()).1.is_empty()
}

/// `{port|path}[,suspend={y|n}]`, and what rvnative's `-g` allows.
fn debugged(text: &str) -> Result<Address, String> {
    let (place, wait) = match text.rsplit_once(",suspend=") {
        Some((place, "y" | "yes" | "on" | "true")) => (place, ""),
        Some((place, "n" | "no" | "off" | "false")) => (place, ",nowait"),
        Some(_) => return Err("Parameter 'suspend' expects 'on' or 'off'".into()),
        None => (text, ""),
    };
    // What begins as no port is a path, here as there.
    let is_path = !place.is_empty() && number(place.as_bytes()).0 == 0 && !place.contains(':');
    debugger(&format!("{}{place}{wait}", if is_path { "unix:" } else { "" }))
}

/// The first of a list of directories that is there; qemu, too, does without one that is not.
fn prefix(said: &mut Said, list: &OsStr) -> Result<(), Stop> {
    let found = std::env::split_paths(list).find(|dir| dir.is_dir());
    if let Some(dir) = found.filter(|dir| dir.as_os_str() != "/") {
        said.settings.set(Key::Sysroot, dir);
    }
    Ok(())
}

fn stack(said: &mut Said, size: &OsStr) -> Result<(), Stop> {
    let (n, rest) = number(size.as_bytes());
    let shift = match rest.first() {
        Some(b'M') => 20,
        Some(b'k' | b'K') => 10,
        _ => 0,
    };
    if n == 0 {
        return Err(Stop::Help(FAILED));
    }
    // What is too large is refused where the stack is made.
    said.settings.set(Key::StackSize, n.saturating_mul(1 << shift).to_string());
    Ok(())
}

/// `name=value,...` or `name,...`.
fn changes(said: &mut Said, list: &OsStr, set: bool) -> Result<(), Stop> {
    for item in list.as_bytes().split(|&b| b == b',') {
        let equals = item.iter().position(|&b| b == b'=');
        let text = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
        let change = match (equals, set) {
            (Some(at), true) => (text(&item[..at]), Some(text(&item[at + 1..]))),
            (None, false) => (text(item), None),
            _ => return Err(Stop::Help(FAILED)),
        };
        said.changed.push(change);
    }
    Ok(())
}

/// Lists the models.
fn cpus() -> Result<(), Stop> {
    let mut names = vec!["max", "rv64"];
    names.extend(PRODUCTS.map(|(name, _)| name));
    names.sort_unstable();
    let list: String = names.iter().map(|name| format!("  {name}\n")).collect();
    Err(Stop::Text(format!("Available CPUs:\n{list}"), FAILED))
}

/// What `--cpu` says for a model and properties with their values.
fn cpu(model: &str) -> Result<String, Stop> {
    let mut parts = model.split(',');
    let name = parts.next().unwrap_or_default();
    let mut spec = match (name, PRODUCTS.iter().find(|(product, _)| *product == name)) {
        // Without vectors, which are not translated yet: they are there for who asks.
        ("rv64" | "max", _) => "default".to_owned(),
        (_, Some((_, spec))) => (*spec).to_owned(),
        _ => return wrong(format!("unable to find CPU model '{name}'")),
    };
    for property in parts.filter(|p| !p.is_empty()) {
        let Some((key, value)) = property.split_once('=') else {
            return wrong(format!("expected key=value format, found {property}."));
        };
        if let Some((_, fits)) = UNSEEN_VALUES.iter().find(|(name, _)| *name == key) {
            match fits(value) {
                true => continue,
                false => return wrong(format!("unsupported value of '{key}': '{value}'")),
            }
        }
        if key == "vlen" {
            spec.extend([",vlen=", value]);
            continue;
        }
        let sign = match value {
            "on" | "true" | "yes" | "y" => '+',
            "off" | "false" | "no" | "n" => '-',
            _ => return wrong(format!("the value of '{key}' must be on or off")),
        };
        // No program sees it; or it is short for others, which stay if it is switched off.
        if UNSEEN.contains(&key) || (key, sign) == ("g", '-') {
            continue;
        }
        // What we do not have need not be switched off.
        if isa(&format!("rv64i,+{key}")).is_err() {
            if sign == '-' && key.starts_with(['v', 'z', 's', 'h', 'x']) {
                continue;
            }
            return wrong(format!("property '{key}' of the CPU not found, or not implemented"));
        }
        spec.extend([",", if sign == '+' { "+" } else { "-" }, key]);
    }
    match spec.parse::<Isa>() {
        Ok(_) => Ok(spec),
        Err(e) => wrong(format!("-cpu {model}: {e}")),
    }
}

/// Where the guest's memory is to lie: that is a choice of ours.
fn based(said: &mut Said, address: &OsStr) -> Result<(), Stop> {
    let (base, _) = number(address.as_bytes());
    if base % 4096 != 0 {
        let what = "does not satisfy host minimum alignment (0x1000)";
        said.late = Some(format!("Requested guest base {base:#x} {what}"));
    }
    Ok(())
}

/// The end of the addresses: where it lies is a choice of ours.
fn reserved(said: &mut Said, size: &OsStr) -> Result<(), Stop> {
    let (n, rest) = number(size.as_bytes());
    let (shift, rest) = match rest.split_first() {
        Some((b'k' | b'K', rest)) => (10, rest),
        Some((b'M', rest)) => (20, rest),
        Some((b'G', rest)) => (30, rest),
        _ => (0, rest),
    };
    if n.checked_shl(shift).is_none_or(|bytes| bytes >> shift != n) {
        return wrong("Reserved virtual address too big");
    }
    if !rest.is_empty() {
        return wrong(format!("Unrecognised -R size suffix '{}'", rest.escape_ascii()));
    }
    match n << shift {
        bytes if bytes % 4096 != 0 => {
            said.late = Some("Reserved virtual address not aligned mod 4 KiB".into());
        }
        bytes if bytes > 1 << 48 => said.late = Some("Reserved virtual address too big".into()),
        _ => {}
    }
    Ok(())
}

/// Triples of numbers. All signals of the guest are the host's of the same number.
fn signals(said: &mut Said, map: &OsStr) -> Result<(), Stop> {
    let mut pairs: Vec<(u64, u64)> = Vec::new();
    for part in map.as_bytes().split(|&b| b == b',') {
        let words: Vec<_> = part.split(|&b| b == b' ').filter(|w| !w.is_empty()).collect();
        let numbers: Option<Vec<u64>> = words
            .iter()
            .map(|w| Some(number(w)).filter(|(_, rest)| rest.is_empty()).map(|(n, _)| n))
            .collect();
        let Some(&[guest, host, count]) = numbers.as_deref() else {
            return wrong("Malformed target signal in QEMU_RTSIG_MAP");
        };
        for i in 0..count {
            let (guest, host) = (guest.saturating_add(i), host.saturating_add(i));
            let bad = if !(32..=64).contains(&guest) {
                format!("{guest} is not a target rt signal")
            } else if !(34..=64).contains(&host) {
                format!("{host} is not a host rt signal")
            } else if let Some((_, to)) = pairs.iter().find(|pair| pair.0 == guest) {
                format!("{guest} is already mapped to {to}")
            } else if let Some((from, _)) = pairs.iter().find(|pair| pair.1 == host) {
                format!("{host} already maps {from}")
            } else {
                pairs.push((guest, host));
                continue;
            };
            said.late = Some(bad);
            break;
        }
    }
    Ok(())
}

/// Patterns of events, of which there are none here, and files.
fn trace(said: &mut Said, text: &str) -> Result<(), Stop> {
    for part in text.split(',') {
        match part.split_once('=') {
            Some(("file", file)) => said.log_file = Some(file.into()),
            Some(("events", file)) => {
                if let Err(e) = File::open(file) {
                    return wrong(format!("{file}: {}", super::fail::describe(&e)));
                }
            }
            None | Some(("enable", _)) => {
                let event = part.strip_prefix("enable=").unwrap_or(part);
                match event {
                    "help" | "?" => return Err(Stop::Text(String::new(), 0)),
                    _ => said.warnings.push(format!("trace event '{event}' does not exist")),
                }
            }
            Some((key, _)) => return wrong(format!("Invalid parameter '{key}'")),
        }
    }
    Ok(())
}

fn log(said: &mut Said, items: &OsStr) -> Result<(), Stop> {
    for item in items.to_string_lossy().split(',') {
        match item {
            "strace" => said.strace = true,
            _ if item.starts_with("trace:") => trace(said, &item["trace:".len()..])?,
            _ if LOG_ITEMS.contains(&item) => {
                said.warnings.push(format!("nothing is logged for '{item}'"));
            }
            _ => {
                let list: String = LOG_ITEMS.map(|item| format!("{item}\n")).concat();
                let text = format!("Log items (comma separated):\n{list}");
                return Err(Stop::Text(text, FAILED));
            }
        }
    }
    Ok(())
}

/// `first..last`, `first+length` or `last-length`.
fn filter(ranges: &OsStr) -> Result<(), Stop> {
    let good = ranges.is_empty()
        || ranges.as_bytes().split(|&b| b == b',').all(|range| {
            let (_, rest) = number(range);
            let second = rest
                .strip_prefix(b"..")
                .or_else(|| rest.strip_prefix(b"+"))
                .or_else(|| rest.strip_prefix(b"-"));
            rest.len() < range.len()
                && second.is_some_and(|n| !n.is_empty() && number(n).1.is_empty())
        });
    if good { Ok(()) } else { wrong("Bad range specifier") }
}

/// `name` with the process's number for `%d`, which is all that may follow a `%`, and once.
fn with_pid(name: &OsStr) -> Result<OsString, Stop> {
    let bytes = name.as_bytes();
    let Some(at) = bytes.iter().position(|&b| b == b'%') else { return Ok(name.to_owned()) };
    match bytes[at + 1..].strip_prefix(b"d") {
        Some(behind) if !behind.contains(&b'%') => {
            let pid = std::process::id().to_string();
            Ok(OsString::from_vec([&bytes[..at], pid.as_bytes(), behind].concat()))
        }
        _ => wrong(format!("Bad logfile template: {}", name.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(words: &[&str]) -> Result<(Said, Vec<OsString>), Stop> {
        let args: Vec<OsString> = words.iter().map(Into::into).collect();
        parse(&args, |_| None).map(|(said, rest)| (said, rest.to_vec()))
    }

    fn stop(words: &[&str]) -> Stop {
        said(words).err().expect("this is refused")
    }

    #[test]
    fn names() {
        for name in [
            "qemu-riscv64",
            "/usr/bin/qemu-riscv64-static",
            "/dev/.buildkit_qemu_emulator",
            "buildkit-qemu-riscv64",
            "/usr/libexec/qemu-binfmt/riscv64-binfmt-P",
        ] {
            assert!(is_name(name.as_ref()), "{name}");
        }
        assert!(!is_name("rvnative".as_ref()) && !is_name("qemu-arm".as_ref()));
    }

    #[test]
    fn options_end_at_the_program_or_two_dashes() {
        let (said_, rest) = said(&["-strace", "--cpu", "rv64", "prog", "-L", "x"]).unwrap();
        assert!(said_.strace && said_.settings.get(Key::Cpu) == Some("default".as_ref()));
        assert_eq!(rest, ["prog", "-L", "x"]);
        assert_eq!(said(&["--", "-prog"]).unwrap().1, ["-prog"]);
        assert_eq!(stop(&["-foo"]), Stop::Wrong("unknown option 'foo'".into()));
        assert_eq!(stop(&["-L"]), Stop::Wrong("missing argument for option 'L'".into()));
    }

    #[test]
    fn variables_come_before_options() {
        let args = ["-E".into(), "A=2,B=3".into(), "prog".into()];
        let variable = |name: &str| match name {
            "QEMU_SET_ENV" => Some("A=1".into()),
            "QEMU_UNSET_ENV" => Some("C,QEMU_SET_ENV".into()),
            _ => None,
        };
        let (said, _) = parse(&args, variable).map_err(|_| ()).unwrap();
        let text: Vec<_> = said.changed.iter().map(|c| format!("{c:?}")).collect();
        assert_eq!(
            text.join(" "),
            "(\"A\", Some(\"1\")) (\"C\", None) (\"QEMU_SET_ENV\", None) \
            (\"A\", Some(\"2\")) (\"B\", Some(\"3\"))"
        );
        assert_eq!(stop(&["-E", "A"]), Stop::Help(1));
        assert_eq!(stop(&["-U", "A=1"]), Stop::Help(1));
    }

    #[test]
    fn sizes_as_strtoul_reads_them() {
        let size =
            |text| said(&["-s", text]).unwrap().0.settings.get(Key::StackSize).unwrap().to_owned();
        assert_eq!(size("100k"), "102400");
        assert_eq!(size("0x10M"), "16777216");
        assert_eq!(size("010"), "8");
        assert_eq!(size("1x"), "1");
        assert_eq!(stop(&["-s", "x"]), Stop::Help(1));
        assert!(said(&["-R", "4G"]).is_ok() && said(&["-R", "xx"]).is_err());
        assert!(said(&["-R", "0xffffffffffffG"]).is_err());
        assert!(said(&["-t", "34 36 2,40 41 1"]).is_ok() && said(&["-t", "10"]).is_err());
        for wrong in
            ["30 34 1", "64 60 2", "34 30 1", "34 64 2", "34 34 1,34 35 1", "34 34 1,35 34 1"]
        {
            assert!(said(&["-t", wrong]).is_err(), "{wrong}");
        }
        assert_eq!(size(" +8"), "8");
        // Others come before what is wrong of these.
        for (option, wrong) in [("-B", "1"), ("-R", "4095k"), ("-R", "1k"), ("-t", "1 1 1")] {
            assert!(matches!(stop(&[option, wrong, "-h"]), Stop::Help(0)), "{option} {wrong}");
        }
        assert!(said(&["-B", "0x2000"]).is_ok() && said(&["-B", "1G"]).is_err());
        assert!(said(&["-R", "1k"]).is_err() && said(&["-R", "0x8000000000000000"]).is_err());
        assert!(
            said(&["-dfilter", "0x100..0x200,8+10"]).is_ok() && said(&["-dfilter", "x"]).is_err()
        );
        assert!(said(&["-seed", "7"]).is_ok() && said(&["-seed", "x"]).is_err());
    }

    #[test]
    fn files_of_logs_and_debuggers() {
        let template = |name: &str| with_pid(name.as_ref());
        assert_eq!(template("a").unwrap(), "a");
        assert_eq!(template("a-%d.b").unwrap(), format!("a-{}.b", std::process::id()).as_str());
        for bad in ["%", "%s", "%d%d", "a%d%"] {
            assert!(template(bad).is_err(), "{bad}");
        }
        for good in ["1234", "x", "./x", "1234,suspend=n", "a/%d,suspend=y", "localhost:1234"] {
            assert!(debugged(good).is_ok(), "{good}");
        }
        for bad in ["", "1234,suspend=x", "99999999"] {
            assert!(debugged(bad).is_err(), "{bad}");
        }
        assert!(matches!(stop(&["-d", "trace:help"]), Stop::Text(_, 0)));
        assert!(matches!(stop(&["-trace", "events=/nonexistent"]), Stop::Wrong(_)));
        assert_eq!(said(&["-trace", "a,file=f"]).unwrap().0.log_file, Some("f".into()));
    }

    #[test]
    fn cpus() {
        let spec = |model| {
            said(&["-cpu", model])
                .map(|(said, _)| said.settings.get(Key::Cpu).unwrap().to_str().unwrap().to_owned())
        };
        assert_eq!(spec("rv64,zba=off,mmu=on,h=false").unwrap(), "default,-zba");
        assert_eq!(spec("max,v=on,vlen=256").unwrap(), "default,+v,vlen=256");
        assert_eq!(spec("sifive-u54,zbb=true").unwrap(), "rv64gc,+zbb");
        assert_eq!(spec("rv64,,zba=on,priv_spec=v1.12.0,elen=64,").unwrap(), "default,+zba");
        for wrong in [
            "none",
            "rv64,foo=1",
            "rv64,foo=on",
            "rv64,zba",
            "max,h=true",
            "rv64,mmu=7",
            "rv64,priv_spec=1",
            "rv64,elen=x",
            "rv64,v=on,vlen=100",
            "rv64,i=off",
        ] {
            assert!(spec(wrong).is_err(), "{wrong}");
        }
        for (_, spec) in PRODUCTS {
            assert!(isa(spec).is_ok(), "{spec}");
        }
    }
}
