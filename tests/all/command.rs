//! `linux::Command`: Linux programs beside a host with threads, which this program is.

use crate::engines::{for_each_engine, guest};
use rvnative::linux::{Command, LoadError, Output, RootFs, Stdio};
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

/// The program that does what its arguments say. This test does not look for a `Reentry`, the
/// command does.
fn command(args: &[&str]) -> Command {
    let mut command = Command::new(guest("command"));
    command.args(args).reentry_program(env!("CARGO_BIN_EXE_rvnative"));
    command
}

/// The lines of what it has written.
fn lines(output: &Output) -> Vec<String> {
    assert!(output.status.success(), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap().lines().map(str::to_owned).collect()
}

/// A directory that goes with it.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("rvnative-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        Self(dir.canonicalize().unwrap())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn output_is_captured_on_every_engine() {
    for_each_engine(|flags| {
        // Both pipes, more than they hold, and what comes after `execve` belongs to it.
        let mut c = command(&["error", "name", "again", "name", "3"]);
        let output = c.arg0("called").reentry_flags(settings(flags)).output().unwrap();
        assert_eq!(output.status.code(), Some(3), "{flags:?}: {output:?}");
        assert_eq!(output.stdout, b"called\ncalled\n", "{flags:?}");
        assert_eq!(output.stderr, b"error\n", "{flags:?}");
    });
}

/// What the command hands to itself for these flags of its.
fn settings(flags: &[&str]) -> Vec<String> {
    flags.iter().map(|word| word.trim_start_matches("--").to_owned()).collect()
}

#[test]
fn a_program_has_what_it_was_given_and_nothing_else() {
    // One that other programs that this one starts would have.
    // SAFETY: a copy of a descriptor that nobody else uses.
    let copy = unsafe { libc::dup(0) };
    let output = command(&["env", "files", "signals"]).output().unwrap();
    // No variables; three files; no signal blocked, and SIGPIPE ends it.
    assert_eq!(lines(&output), ["0x0", "0x1", "0x2", "0x0 0x0"]);
    // SAFETY: as above.
    unsafe { libc::close(copy) };
    let output = command(&["env"]).env("A", "1").envs([("B", "2"), ("A", "3")]).output().unwrap();
    assert_eq!(lines(&output), ["B=2", "A=3"]);
    let output = command(&["env"]).inherit_env().env_remove("PATH").output().unwrap();
    let all = lines(&output);
    assert!(all.iter().any(|v| v.starts_with("CARGO")), "{all:?}");
    assert!(!all.iter().any(|v| v.starts_with("PATH=")), "{all:?}");
}

#[test]
fn settings_go_with_the_program_and_with_those_that_it_starts() {
    let dir = Scratch::new("settings");
    let mut c = command(&["cwd", "uname", "again", "cwd", "uname"]);
    let output = c.current_dir(&dir.0).uname_release("7.7.7").output().unwrap();
    let here = dir.0.to_str().unwrap();
    assert_eq!(lines(&output), [here, "7.7.7", here, "7.7.7"]);
}

#[test]
fn standard_files_are_what_they_were_set_to() {
    let dir = Scratch::new("streams");
    // There is nothing to read unless somebody gives it.
    assert_eq!(command(&["cat", "name"]).arg0("x").output().unwrap().stdout, b"x\n");
    let file = dir.0.join("in");
    std::fs::write(&file, "from a file").unwrap();
    let mut c = command(&["cat"]);
    c.stdin(File::open(&file).unwrap());
    assert_eq!(c.output().unwrap().stdout, b"from a file");
    // Each start shares the file.
    assert_eq!(c.output().unwrap().stdout, b"");
    let to = dir.0.join("out");
    let mut c = command(&["name", "error"]);
    c.arg0("x").stdout(File::create(&to).unwrap()).stderr(Stdio::null());
    assert!(c.status().unwrap().success());
    assert_eq!(std::fs::read(&to).unwrap(), b"x\n");
    let mut child = command(&["cat"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let big = vec![b'x'; 1 << 20];
    let writer = std::thread::spawn(move || input.write_all(&big));
    let mut all = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut all).unwrap();
    writer.join().unwrap().unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(all, vec![b'x'; 1 << 20]);
}

#[test]
fn a_child_is_waited_for_or_killed() {
    let mut child = command(&["name", "wait"]).stdout(Stdio::piped()).spawn().unwrap();
    // It runs.
    let mut first = [0];
    child.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
    assert_eq!(child.try_wait().unwrap(), None);
    child.kill().unwrap();
    let status = child.wait().unwrap();
    assert_eq!((status.code(), status.signal()), (None, Some(libc::SIGKILL)));
    assert_eq!(child.try_wait().unwrap(), Some(status));
    assert_eq!(status.shell_code(), 137);
}

#[test]
fn a_program_sees_the_root_that_it_was_given() {
    let dir = Scratch::new("root");
    std::fs::create_dir(dir.0.join("bin")).unwrap();
    std::fs::copy(guest("command"), dir.0.join("bin/command")).unwrap();
    let mut c = Command::new("/bin/command");
    c.args(["cwd", "again", "cwd", "files", "list"]);
    c.reentry_program(env!("CARGO_BIN_EXE_rvnative")).rootfs(RootFs::dir(&dir.0).unwrap());
    let mut seen = lines(&c.output().unwrap());
    let names = seen.split_off(5);
    // What holds the root is none of the program's files.
    assert_eq!(seen, ["/", "/", "0x0", "0x1", "0x2"]);
    assert!(names.iter().any(|n| n == "bin") && !names.iter().any(|n| n == "home"), "{names:?}");
    let seen = lines(&c.current_dir("/bin").output().unwrap());
    assert_eq!(seen[..2], ["/bin", "/bin"]);
}

#[test]
fn programs_are_started_by_many_threads_at_once() {
    let threads: Vec<_> = (0..4)
        .map(|n| {
            std::thread::spawn(move || {
                for _ in 0..4 {
                    let output = command(&["name"]).arg0(n.to_string()).output().unwrap();
                    assert_eq!(lines(&output), [n.to_string()]);
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|t| t.join().unwrap());
}

#[test]
fn what_cannot_be_started_is_an_error() {
    let failed = |path: &Path| {
        let mut c = Command::new(path);
        c.reentry_program(env!("CARGO_BIN_EXE_rvnative")).status().unwrap_err()
    };
    assert_eq!(failed(Path::new("/no/such/program")).exit_code(), 127);
    assert!(matches!(failed(Path::new("/proc/self/exe")), LoadError::Elf { .. }));
    let mut c = command(&[]);
    let refused = c.current_dir("/no/such/directory").status().unwrap_err();
    assert!(refused.to_string().contains("/no/such/directory"), "{refused}");
    // This program has not looked for a `Reentry`.
    let refused = Command::new(guest("command")).status().unwrap_err();
    assert!(matches!(refused, LoadError::NoReentry), "{refused}");
}
