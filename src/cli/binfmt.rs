//! `rvnative binfmt`: entries of the kernel's table of interpreters (kernel:
//! Documentation/admin-guide/binfmt-misc.rst), and how we are called by them.

use super::fail::Failure;
use super::flags::{BinfmtCommand, BinfmtFlags, EntryFlags, RegisterFlags, ShellFlags};
use super::run::Launch;
use rvnative::sys::namespace;
use rvnative::sys::process;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The usual name of an entry.
pub(super) const NAME: &str = "rvnative-riscv64";

/// Where the kernel's table is.
const TABLE: &str = "/proc/sys/fs/binfmt_misc";

/// Where systemd-binfmt(8) reads entries at each start.
const KEPT: &str = "/etc/binfmt.d";

/// The first bytes of an executable or shared object for RV64: identification, `e_type`,
/// `e_machine` (elf(5)).
const MAGIC: [u8; 20] = *b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\xf3\0";

/// Which of their bits count: not the ABI's version, nor what tells executables (2) from shared
/// objects (3).
const MASK: [u8; 20] =
    *b"\xff\xff\xff\xff\xff\xff\xff\0\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff";

pub(super) fn binfmt(flags: BinfmtFlags) -> Result<ExitCode, Failure> {
    match flags.command {
        BinfmtCommand::Print(flags) => {
            let entry = Entry::new(&flags.entry)?;
            let text = if flags.update_binfmts { entry.for_import() } else { entry.line() };
            println!("{}", text.trim_end());
        }
        BinfmtCommand::Register(flags) => register(&flags)?,
        BinfmtCommand::Unregister { name } => unregister(&name)?,
        BinfmtCommand::Status => status()?,
        BinfmtCommand::Shell(flags) => return shell(&flags),
    }
    Ok(ExitCode::SUCCESS)
}

/// Parses the flags of an entry.
pub(super) fn flags(text: &str) -> Result<String, String> {
    match text.chars().find(|c| !"POCF".contains(*c)) {
        Some(c) => Err(format!("`{c}` is no flag of an entry; there are P, O, C and F")),
        None => Ok(text.to_owned()),
    }
}

/// An entry to be made.
struct Entry {
    name: String,
    interpreter: PathBuf,
    flags: String,
}

impl Entry {
    fn new(flags: &EntryFlags) -> Result<Self, Failure> {
        let name = flags.name.clone();
        if name.is_empty() || name == "." || name == ".." || name.contains(['/', ':', '\n']) {
            return Err(Failure::new(format_args!("`{name}` is no name of an entry")));
        }
        let interpreter = match &flags.interpreter {
            Some(path) => std::path::absolute(path)?,
            None => std::env::current_exe()?,
        };
        if interpreter.as_os_str().as_bytes().iter().any(|b| b":\n".contains(b)) {
            let f = Failure::new(format_args!(
                "{}: the kernel's table takes no such name",
                interpreter.display()
            ));
            return Err(f.hint("a path without colons and newlines"));
        }
        let is_static = is_static(&interpreter)?;
        let flags = match &flags.flags {
            Some(flags) => flags.clone(),
            None if is_static => "OPF".into(),
            None => "OP".into(),
        };
        if flags.contains('F') && !is_static {
            let what = "is not static: in another root directory its libraries are not found";
            let f = Failure::new(format_args!("{} {what}", interpreter.display()));
            return Err(f.hint(
                "`./dist` builds a static one; without F an entry serves this root directory only",
            ));
        }
        Ok(Self { name, interpreter, flags })
    }

    /// As the kernel and systemd take it.
    fn line(&self) -> String {
        format!(
            ":{}:M::{}:{}:{}:{}\n",
            self.name,
            escaped(&MAGIC),
            escaped(&MASK),
            self.interpreter.display(),
            self.flags
        )
    }

    /// As `update-binfmts --import` takes it (update-binfmts(8), FORMAT FILES).
    fn for_import(&self) -> String {
        let yes = |flag| if self.flags.contains(flag) { "yes" } else { "no" };
        format!(
            "package {}\ninterpreter {}\nmagic {}\noffset 0\nmask {}\ncredentials {}\n\
             preserve {}\nfix_binary {}\n",
            self.name,
            self.interpreter.display(),
            escaped(&MAGIC),
            escaped(&MASK),
            yes('C'),
            yes('P'),
            yes('F'),
        )
    }

    /// Adds the entry to the table.
    fn write(&self) -> Result<(), Failure> {
        let path = Path::new(TABLE).join("register");
        let written = fs::OpenOptions::new()
            .write(true)
            .open(&path)
            .and_then(|mut table| table.write_all(self.line().as_bytes()));
        written.map_err(|e| match e.raw_os_error() {
            Some(EEXIST) => {
                let f = Failure::new(format_args!("there is an entry `{}` already", self.name));
                f.hint("`rvnative binfmt unregister` removes it")
            }
            _ => failed(&path, &e),
        })
    }
}

/// Bytes as both formats have them.
fn escaped(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("\\x{b:02x}")).collect()
}

/// The number of the error for what there is already, on all Linux machines.
const EEXIST: i32 = 17;

fn failed(path: &Path, e: &io::Error) -> Failure {
    let f = Failure::file(path, e).code(Failure::SETUP);
    match e.kind() {
        io::ErrorKind::PermissionDenied => {
            f.hint("entries for the whole machine need root; `rvnative binfmt shell` does not")
        }
        _ => f,
    }
}

/// True if a program needs no dynamic linker.
fn is_static(program: &Path) -> Result<bool, Failure> {
    let bytes = fs::read(program).map_err(|e| Failure::file(program, &e).code(Failure::SETUP))?;
    match goblin::elf::Elf::parse(&bytes) {
        Ok(elf) => Ok(elf.interpreter.is_none()),
        Err(_) => Err(Failure::new(format_args!("{} is no ELF file", program.display()))),
    }
}

fn register(flags: &RegisterFlags) -> Result<(), Failure> {
    let entry = Entry::new(&flags.entry)?;
    if !Path::new(TABLE).join("register").exists() {
        namespace::mount_binfmt_misc().map_err(|e| failed(Path::new(TABLE), &e))?;
    }
    entry.write()?;
    if flags.persist {
        let path = kept(&entry.name);
        let written = fs::create_dir_all(KEPT).and_then(|()| fs::write(&path, entry.line()));
        written.map_err(|e| failed(&path, &e))?;
    }
    Ok(())
}

/// The file that keeps an entry over a restart.
fn kept(name: &str) -> PathBuf {
    Path::new(KEPT).join(format!("{name}.conf"))
}

fn unregister(name: &str) -> Result<(), Failure> {
    let entry = Path::new(TABLE).join(name);
    let kept = kept(name);
    let was_kept = kept.exists();
    if was_kept {
        fs::remove_file(&kept).map_err(|e| failed(&kept, &e))?;
    }
    match fs::write(&entry, "-1") {
        Err(e) if e.kind() == io::ErrorKind::NotFound && was_kept => Ok(()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            let f = Failure::new(format_args!("there is no entry `{name}`"));
            Err(f.hint("`rvnative binfmt status` lists those for riscv64"))
        }
        Err(e) => Err(failed(&entry, &e)),
        Ok(()) => Ok(()),
    }
}

/// Prints the entries that take programs for RV64.
fn status() -> Result<(), Failure> {
    let table = Path::new(TABLE);
    if !table.join("register").exists() {
        println!("binfmt_misc is not mounted at {TABLE}");
        return Ok(());
    }
    let ours = std::env::current_exe().ok().and_then(|p| p.canonicalize().ok());
    let all = fs::read_to_string(table.join("status")).unwrap_or_default();
    let mut found: Vec<String> = Vec::new();
    for file in fs::read_dir(table).map_err(|e| failed(table, &e))? {
        let name = file?.file_name().to_string_lossy().into_owned();
        let text = match &*name {
            "register" | "status" => continue,
            _ => fs::read_to_string(table.join(&name)).unwrap_or_default(),
        };
        found.extend(described(&name, &text, ours.as_deref()));
    }
    found.sort();
    if all.trim() == "disabled" {
        println!("binfmt_misc is switched off");
    }
    match found.is_empty() {
        true => println!("no entry for riscv64"),
        false => found.iter().for_each(|line| println!("{line}")),
    }
    Ok(())
}

/// One line about an entry, of which `text` is what the kernel tells; `None` if it is not for RV64.
fn described(name: &str, text: &str, ours: Option<&Path>) -> Option<String> {
    let value = |key: &str| text.lines().find_map(|l| l.strip_prefix(key)).map(str::trim);
    let magic = value("magic ")?;
    // The offset is told as `offset 0`.
    if value("offset ") != Some("0") || magic.get(36..40) != Some("f300") {
        return None;
    }
    let interpreter = value("interpreter ").unwrap_or_default();
    let state = text.lines().next().unwrap_or_default();
    let flags = value("flags: ").or(value("flags:")).unwrap_or_default();
    let is_ours = ours.is_some() && Path::new(interpreter).canonicalize().ok().as_deref() == ours;
    let note = if is_ours { ", which is this program" } else { "" };
    Some(format!("{name}: {state}, flags {flags}, {interpreter}{note}"))
}

/// Starts a command in namespaces in which the kernel knows us.
fn shell(flags: &ShellFlags) -> Result<ExitCode, Failure> {
    let entry = Entry::new(&flags.entry)?;
    let (_, [uid, _, gid, _]) = process::ids();
    enter_namespaces(uid, gid)?;
    entry.write()?;
    if uid != 0 {
        // Back to who we were, in a namespace inside, for which the table of the outer one holds.
        let again = namespace::unshare_users(false).and_then(|()| map_one((uid, 0), (gid, 0)));
        again.map_err(|e| refused("unshare", &e))?;
    }
    let shell = std::env::var_os("SHELL").unwrap_or_else(|| "/bin/sh".into());
    let (program, args) = match flags.command.split_first() {
        Some((program, args)) => (program.clone(), args),
        None => (shell, &[][..]),
    };
    let e = std::process::Command::new(&program).args(args).exec();
    Err(Failure::file(Path::new(&program), &e))
}

/// User and mount namespaces of our own, where we are root, with a binfmt_misc.
fn enter_namespaces(uid: u32, gid: u32) -> Result<(), Failure> {
    if uid == 0 {
        enter_with_all_users()?;
    } else {
        let entered = namespace::unshare_users(true).and_then(|()| map_one((0, uid), (0, gid)));
        entered.map_err(|e| refused("unshare", &e))?;
    }
    namespace::make_mounts_private()
        .and_then(|()| namespace::mount_binfmt_misc())
        .map_err(|e| refused("binfmt_misc", &e))
}

/// Root keeps all users, which only somebody outside can arrange.
fn enter_with_all_users() -> Result<(), Failure> {
    let (pid, _) = process::ids();
    let (hears, said) = io::pipe()?;
    let child = process::fork()?;
    if child == 0 {
        drop(said);
        std::process::exit(i32::from(!map_all(pid, hears)));
    }
    namespace::unshare_users(true).map_err(|e| refused("unshare", &e))?;
    drop(said);
    if process::wait(child)? != 0 {
        return Err(Failure::new("root's users cannot be mapped into a namespace"));
    }
    Ok(())
}

fn refused(what: &str, e: &io::Error) -> Failure {
    let f = Failure::new(format_args!("{what}: {}", super::fail::describe(e)));
    f.hint("user namespaces must be allowed here, and the kernel must be Linux 6.7 or later")
}

/// Maps one user and one group: who they are inside, and who outside.
fn map_one(users: (u32, u32), groups: (u32, u32)) -> io::Result<()> {
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("{} {} 1", users.0, users.1))?;
    fs::write("/proc/self/gid_map", format!("{} {} 1", groups.0, groups.1))
}

/// Maps all users and groups of this namespace to themselves in that of process `pid`, once the
/// other end of `hears` is closed. True if it has worked.
fn map_all(pid: i32, mut hears: io::PipeReader) -> bool {
    let _ = io::copy(&mut hears, &mut io::sink());
    ["uid_map", "gid_map"].iter().all(|map| {
        let ours = fs::read_to_string(format!("/proc/self/{map}")).unwrap_or_default();
        // First here, first outside, how many: those of here are outside now.
        let lines = ours.lines().filter_map(|line| {
            let mut fields = line.split_whitespace();
            let (first, count) = (fields.next()?, fields.nth(1)?);
            Some(format!("{first} {first} {count}\n"))
        });
        fs::write(format!("/proc/{pid}/{map}"), lines.collect::<String>()).is_ok()
    })
}

/// What the kernel asks of its interpreter with these arguments, if that is what we are.
pub(super) fn launch(args: &[OsString]) -> Option<Launch> {
    let invocation = process::Invocation::of_process();
    if !invocation.is_for_program() || args.len() < 2 {
        return None;
    }
    Launch::of_kernel(invocation, &args[1..], preserves_argv0(invocation, &args[0]))
}

/// A variable that steers us. Where rights have been gained there are none, since whoever started
/// the program may not have them.
pub(super) fn variable(name: &str) -> Option<OsString> {
    if process::Invocation::of_process().secure { None } else { std::env::var_os(name) }
}

/// True if the program's `argv[0]` stands behind its path. Debian's name of an interpreter says so
/// too, for kernels that do not.
pub(super) fn preserves_argv0(invocation: process::Invocation, called: &OsStr) -> bool {
    invocation.preserves_argv0 || called.as_bytes().ends_with(b"-binfmt-P")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(flags: &str) -> Entry {
        Entry { name: NAME.into(), interpreter: "/usr/bin/rvnative".into(), flags: flags.into() }
    }

    #[test]
    fn an_entry_is_what_debian_writes_but_for_the_interpreter() {
        let line = entry("OPF").line();
        let magic =
            r"\x7f\x45\x4c\x46\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xf3\x00";
        let mask =
            r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff";
        assert_eq!(line, format!(":{NAME}:M::{magic}:{mask}:/usr/bin/rvnative:OPF\n"));
        // The kernel refuses longer ones.
        assert!(line.len() < 1920);
        let import = entry("OC").for_import();
        assert!(import.contains("credentials yes\npreserve no\nfix_binary no\n"), "{import}");
    }

    #[test]
    fn flags_are_those_of_the_kernel() {
        assert_eq!(flags("OPF"), Ok("OPF".into()));
        assert!(flags("OX").is_err());
    }

    #[test]
    fn entries_for_riscv64_are_told() {
        let text = "enabled\ninterpreter /x/y\nflags: POF\noffset 0\n\
            magic 7f454c460201010000000000000000000200f300\nmask ff\n";
        let line = described("n", text, None).unwrap();
        assert_eq!(line, "n: enabled, flags POF, /x/y");
        assert_eq!(described("n", &text.replace("f300", "b700"), None), None);
        assert_eq!(described("n", "enabled\ninterpreter /x\nflags: \nextension .x\n", None), None);
    }
}
