//! The command line: exit codes, messages, flags and environment.

use crate::engines::{for_each_engine, guest, rvnative, shown};
use rvnative::runtime::ENGINES;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

/// A directory for one test, gone when it ends.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("rvnative-{name}-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }

    fn file(&self, name: &str, bytes: &[u8], mode: u32) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn run(args: &[&str], program: &Path, more: &[&str]) -> Output {
    rvnative().arg("run").args(args).arg(program).args(more).output().unwrap()
}

fn stderr(o: &Output) -> String {
    String::from_utf8_lossy(&o.stderr).into_owned()
}

fn stdout(o: &Output) -> String {
    String::from_utf8_lossy(&o.stdout).into_owned()
}

/// A program of a few instructions: `words` at 0x10078, readable, writable and executable.
pub(crate) fn tiny(words: &[u32]) -> Vec<u8> {
    let mut b = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    b.extend([2, 0, 243, 0, 1, 0, 0, 0]);
    for v in [0x10078u64, 64, 0] {
        b.extend(v.to_le_bytes());
    }
    b.extend([5, 0, 0, 0, 64, 0, 56, 0, 1, 0, 64, 0, 0, 0, 0, 0]);
    b.extend([1, 0, 0, 0, 7, 0, 0, 0]);
    let len = 120 + 4 * words.len() as u64;
    for v in [0, 0x10000, 0x10000, len, len, 0x1000u64] {
        b.extend(v.to_le_bytes());
    }
    for w in words {
        b.extend(w.to_le_bytes());
    }
    b
}

/// `addi rd, x0, imm`.
fn li(rd: u32, imm: i32) -> u32 {
    (imm as u32) << 20 | rd << 7 | 0x13
}

const ECALL: u32 = 0x73;
const A0: u32 = 10;
const A1: u32 = 11;
const A7: u32 = 17;

/// A program that does `words`, then exits with `code`.
fn exits(words: &[u32], code: i32) -> Vec<u8> {
    let mut all = words.to_vec();
    all.extend([li(A0, code), li(A7, 93), ECALL]);
    tiny(&all)
}

#[test]
fn the_exit_code_is_the_guests() {
    let dir = Scratch::new("code");
    for code in [0, 1, 42, 255, 256 + 3] {
        let program = dir.file("p", &exits(&[], code), 0o755);
        for_each_engine(|engine| {
            let o = run(engine, &program, &[]);
            assert_eq!(o.status.code(), Some(code & 0xff), "{engine:?} {}", shown(&o));
            assert_eq!(stderr(&o), "");
        });
    }
}

#[test]
fn a_guests_fatal_signal_is_ours() {
    let dir = Scratch::new("signal");
    // getpid, then kill(pid, n).
    let kill = |n| {
        let me = [li(A7, 172), ECALL, li(A1, n), li(A7, 129), ECALL];
        exits(&me, 0)
    };
    let load = exits(&[0x0000_3503], 0);
    let jump = exits(&[0x0000_0067], 0);
    let store_to_code = exits(&[0xffff_f2b7, 0x0052_b023], 0);
    let cases: [(&str, Vec<u8>, i32); 9] = [
        ("kill -TERM", kill(15), 15),
        ("kill -KILL", kill(9), 9),
        ("kill -SEGV", kill(11), 11),
        ("ld a0, 0(zero)", load, 11),
        ("jr zero", jump, 11),
        ("sd t0, 0(t0) far away", store_to_code, 11),
        ("illegal", exits(&[0], 0), 4),
        ("ebreak", exits(&[0x0010_0073], 0), 5),
        ("misaligned amoadd.d", exits(&[li(5, 0x101), 0x0002_b2af], 0), 7),
    ];
    for (name, bytes, signal) in cases {
        let program = dir.file("p", &bytes, 0o755);
        for_each_engine(|engine| {
            let o = run(engine, &program, &[]);
            assert_eq!(o.status.signal(), Some(signal), "{name} {engine:?} {}", shown(&o));
        });
    }
}

#[test]
fn what_cannot_be_run_is_126_or_127() {
    let dir = Scratch::new("errors");
    let good = exits(&[], 0);
    let patch = |at: usize, bytes: &[u8]| {
        let mut b = good.clone();
        b[at..at + bytes.len()].copy_from_slice(bytes);
        b
    };
    let cases: [(&str, Vec<u8>, u32, i32, &str); 14] = [
        ("empty", vec![], 0o755, 126, "not an ELF file"),
        ("text", b"hello\n".to_vec(), 0o755, 126, "not an ELF file"),
        ("32 bits", patch(4, &[1]), 0o755, 126, "not a 64-bit ELF file"),
        ("big-endian", patch(5, &[2]), 0o755, 126, "little-endian"),
        ("x86-64", patch(18, &[62]), 0o755, 126, "e_machine 62"),
        ("object file", patch(16, &[1]), 0o755, 126, "e_type 1"),
        ("cut header", good[..40].to_vec(), 0o755, 126, "truncated"),
        ("cut segment", good[..126].to_vec(), 0o755, 126, "truncated"),
        ("no segments", patch(56, &[0]), 0o755, 126, "nothing to load"),
        ("many headers", patch(56, &[0xff, 0xff]), 0o755, 126, "truncated"),
        ("huge memory", patch(104, &[0xff; 7]), 0o755, 126, ""),
        ("wraps", patch(104, &[0xff; 8]), 0o755, 126, "wraps"),
        ("address 0", patch(80, &[0; 8]), 0o755, 126, "not available"),
        ("not executable", good.clone(), 0o644, 126, "EACCES"),
    ];
    for (name, bytes, mode, code, says) in cases {
        let program = dir.file("p", &bytes, mode);
        let o = run(&[], &program, &[]);
        let said = stderr(&o);
        assert_eq!(o.status.code(), Some(code), "{name}: {}", shown(&o));
        assert!(said.starts_with("rvnative: error: "), "{name}: {said}");
        assert!(said.contains(says), "{name}: {said}");
        assert_eq!(stdout(&o), "", "{name}");
    }
    let o = run(&[], &dir.0.join("missing"), &[]);
    assert_eq!(o.status.code(), Some(127), "{}", shown(&o));
    assert!(
        stderr(&o).ends_with("/missing: No such file or directory (ENOENT)\n"),
        "{}",
        shown(&o)
    );
    let o = run(&[], &dir.0, &[]);
    assert_eq!(o.status.code(), Some(126), "{}", shown(&o));
}

#[test]
fn our_own_failures_are_125() {
    let hello = guest("hello");
    for args in [
        &["--no-such-flag"][..],
        &["--jit", "warp"],
        &["--cpu", "z80"],
        &["--cpu", "rv64gc,+nonsense"],
        &["--stack-size", "lots"],
        &["--host-features", "-no_such_feature"],
        &["-L", "/no/such/directory"],
        &["-w", "/no/such/directory"],
        &["--log", "a=b=c"],
    ] {
        let o = run(args, &hello, &[]);
        assert_eq!(o.status.code(), Some(125), "{args:?}: {}", shown(&o));
        assert!(stderr(&o).contains("error:"), "{args:?}: {}", shown(&o));
        assert_eq!(stdout(&o), "", "{args:?}");
    }
    let o = rvnative().arg("run").output().unwrap();
    assert_eq!(o.status.code(), Some(125));
    let o = rvnative().args(["disasm", "--no-such-flag"]).output().unwrap();
    assert_eq!(o.status.code(), Some(2));
}

#[test]
fn a_program_is_run_without_saying_run() {
    let o = rvnative().arg(guest("hello")).args(["-L", "--help"]).output().unwrap();
    assert!(o.status.success(), "{}", shown(&o));
    assert!(stdout(&o).starts_with("Hello from riscv64, -L --help!"), "{}", shown(&o));
}

/// A static program that prints its environment, one variable on each line, needs a C library; the
/// kernel's own record of it does not: this program copies /proc/self/FILE to standard output.
fn cat_proc(dir: &Scratch, file: &str) -> PathBuf {
    // openat(AT_FDCWD, path, O_RDONLY); write(1, sp - 2048, read(fd, sp - 2048, 2047)); exit(0).
    let path = format!("/proc/self/{file}\0");
    let words = [
        li(A0, -100),
        0x0000_0597, // auipc a1, 0
        0x0305_8593, // addi a1, a1, 48
        li(12, 0),
        li(A7, 56),
        ECALL,
        0x8001_0593, // addi a1, sp, -2048
        li(12, 2047),
        li(A7, 63),
        ECALL,
        0x0005_0613, // mv a2, a0
        li(A0, 1),
        li(A7, 64),
        ECALL,
    ];
    let mut bytes = exits(&words, 0);
    // The path follows the code: 14 words and 3, of which the second computes the address.
    bytes.resize(120 + 4 * (1 + 14), 0);
    let code = exits(&words, 0);
    let mut all = code[..].to_vec();
    all.extend(path.as_bytes());
    let len = (all.len() as u64).to_le_bytes();
    all[96..104].copy_from_slice(&len);
    all[104..112].copy_from_slice(&len);
    // auipc stands in word 1, so the path is at word 1 + (17 - 1).
    let offset = (4 * (17 - 1)) << 20 | A1 << 15 | A1 << 7 | 0x13;
    all[120 + 8..120 + 12].copy_from_slice(&offset.to_le_bytes());
    dir.file("cat", &all, 0o755)
}

/// Entries of /proc/self/environ as a guest sees them.
fn environment(args: &[&str], set: &[(&str, &str)]) -> Vec<String> {
    let dir = Scratch::new(&format!("env{}", args.join("").replace('/', "_")));
    let program = cat_proc(&dir, "environ");
    let o = rvnative()
        .env_clear()
        .envs(set.iter().copied())
        .arg("run")
        .args(args)
        .arg(&program)
        .output()
        .unwrap();
    assert!(o.status.success(), "{}", shown(&o));
    let mut all: Vec<_> =
        stdout(&o).split('\0').filter(|e| !e.is_empty()).map(str::to_owned).collect();
    all.sort();
    all
}

#[test]
fn the_guests_environment_is_ours_as_the_flags_change_it() {
    let ours = [("A", "1"), ("B", "2"), ("RVNATIVE_JIT", "off")];
    assert_eq!(environment(&[], &ours), ["A=1", "B=2"]);
    assert_eq!(environment(&["-E", "B=3", "-E", "C=x=y"], &ours), ["A=1", "B=3", "C=x=y"]);
    assert_eq!(environment(&["-U", "A"], &ours), ["B=2"]);
    assert_eq!(environment(&["--clear-env", "-E", "A", "-E", "N=0"], &ours), ["A=1", "N=0"]);
    let keep = [("RVNATIVE_JIT", "off"), ("RVNATIVE_KEEP_ENV", "1")];
    assert_eq!(environment(&[], &keep), ["RVNATIVE_JIT=off", "RVNATIVE_KEEP_ENV=1"]);
}

#[test]
fn the_environment_stands_for_flags() {
    let hello = guest("hello");
    let with = |name: &str, value: &str| {
        rvnative().env(name, value).arg("run").arg(&hello).output().unwrap()
    };
    assert_eq!(with("RVNATIVE_JIT", "warp").status.code(), Some(125));
    assert_eq!(with("RVNATIVE_CPU", "z80").status.code(), Some(125));
    assert!(stderr(&with("RVNATIVE_STRACE", "1")).contains("write(1, "));
    // A flag wins.
    let o = rvnative()
        .env("RVNATIVE_JIT", "warp")
        .args(["run", "--jit", "off"])
        .arg(&hello)
        .output()
        .unwrap();
    assert!(o.status.success(), "{}", shown(&o));
}

#[test]
fn arguments_and_names_reach_the_guest() {
    let dir = Scratch::new("args");
    let program = cat_proc(&dir, "cmdline");
    let o = run(&["-0", "name"], &program, &["", "a b", "--"]);
    assert_eq!(o.stdout, b"name\0\0a b\0--\0", "{}", shown(&o));
    // A name without a slash is looked for on PATH.
    let o = rvnative().env("PATH", &dir.0).args(["run", "cat", "x"]).output().unwrap();
    assert_eq!(o.stdout, b"cat\0x\0", "{}", shown(&o));
}

#[test]
fn the_cpu_decides_what_is_illegal() {
    let dir = Scratch::new("cpu");
    // sh1add a0, a0, a0.
    let program = dir.file("p", &exits(&[0x20a5_2533], 0), 0o755);
    for_each_engine(|engine| {
        assert!(run(engine, &program, &[]).status.success());
        let o = run(&[engine, &["--cpu", "rv64gc"]].concat(), &program, &[]);
        assert_eq!(o.status.signal(), Some(4), "{engine:?} {}", shown(&o));
        assert!(run(&[engine, &["--cpu", "rv64gc,+zba"]].concat(), &program, &[]).status.success());
    });
    let o = rvnative().args(["run", "--cpu", "help"]).arg(&program).output().unwrap();
    assert!(o.status.success() && stdout(&o).contains("zba"), "{}", shown(&o));
}

#[test]
fn counters_are_printed_on_request() {
    let o = run(&["--stats"], &guest("hello"), &[]);
    assert!(stderr(&o).lines().any(|l| l.starts_with("blocks ")), "{}", shown(&o));
    let o = run(&["--stats=json", "--jit", "off"], &guest("hello"), &[]);
    let text = stderr(&o);
    assert!(text.starts_with("{\"") && text.ends_with("}\n"), "{text}");
    assert!(text.contains("\"blocks\":0,"), "{text}");
}

/// The value of a counter in `--stats=json`.
fn counter(json: &str, name: &str) -> u64 {
    let name = format!("\"{name}\":");
    let at = json.find(&name).unwrap_or_else(|| panic!("no {name} in {json}")) + name.len();
    let digits: String = json[at..].chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}

#[test]
fn executed_instructions_are_counted() {
    let dir = Scratch::new("count");
    // 1000 times round a loop of two instructions: addi t0, t0, -1; bnez t0, -4.
    let program = dir.file("p", &exits(&[li(5, 1000), 0xfff2_8293, 0xfe02_9ee3], 7), 0o755);
    let o = run(&["--count", "--stats=json"], &program, &[]);
    assert_eq!(o.status.code(), Some(7), "{}", shown(&o));
    let json = stderr(&o);
    // Besides the loop: one before it, two or three to exit.
    let guest = counter(&json, "executed_guest");
    assert!((2003..=2005).contains(&guest), "{json}");
    assert_eq!(counter(&json, "executed_branches"), 1000, "{json}");
    assert_eq!(counter(&json, "executed_taken"), 999, "{json}");
    let host = counter(&json, "executed_host");
    assert!((1000..20_000).contains(&host), "{json}");
    assert_eq!(counter(&json, "ecalls"), 1, "{json}");
}

#[test]
fn counters_go_to_a_file_or_to_the_first_standard_error() {
    let dir = Scratch::new("stats-file");
    let file = dir.0.join("out");
    let to_file = ["--stats=json", "--stats-file", file.to_str().unwrap()];
    // close(2), then exit_group.
    let close = exits(&[li(10, 2), li(17, 57), 0x0000_0073], 0);
    let program = dir.file("p", &close, 0o755);
    for n in 1..=2 {
        let o = run(&to_file, &program, &[]);
        assert!(o.status.success() && o.stderr.is_empty(), "{}", shown(&o));
        assert_eq!(std::fs::read_to_string(&file).unwrap().lines().count(), n);
    }
    let o = run(&["--stats"], &program, &[]);
    assert!(stderr(&o).contains("\necalls "), "{}", shown(&o));
}

#[test]
fn counters_are_printed_by_each_process_that_ends() {
    let dir = Scratch::new("stats-processes");
    // ebreak: killed by a signal.
    let program = dir.file("p", &tiny(&[0x0010_0073]), 0o755);
    let o = run(&["--stats=json"], &program, &[]);
    assert_eq!(o.status.signal(), Some(5), "{}", shown(&o));
    assert_eq!(counter(&stderr(&o), "ecalls"), 0);
    // Parent and child: clone(SIGCHLD, 0, 0, 0, 0).
    let zero: Vec<u32> = (11..=14).map(|r| li(r, 0)).collect();
    let fork = [&[li(10, 17), li(17, 220)][..], &zero, &[0x0000_0073]].concat();
    let program = dir.file("q", &exits(&fork, 0), 0o755);
    let o = rvnative().args(["run", "--stats=json"]).arg(&program).output().unwrap();
    let text = stderr(&o);
    let pids: Vec<u64> = text.lines().map(|l| counter(l, "pid")).collect();
    assert!(pids.len() == 2 && pids[0] != pids[1], "{}", shown(&o));
    assert!(text.lines().all(|l| counter(l, "ecalls") <= 2), "{text}");
}

#[test]
fn a_profile_shows_the_hottest_code() {
    let dir = Scratch::new("profile");
    let page = dir.0.join("page.html");
    // As in `executed_instructions_are_counted`.
    let program = dir.file("p", &exits(&[li(5, 1000), 0xfff2_8293, 0xfe02_9ee3], 7), 0o755);
    let html = ["profile", "--top", "1", "--html", page.to_str().unwrap(), "--clear-env"];
    let o = rvnative().args(html).arg(&program).output().unwrap();
    assert_eq!(o.status.code(), Some(7), "{}", shown(&o));
    let text = stderr(&o);
    let block = text.split("\n\n").nth(2).unwrap_or_else(|| panic!("no block in {text}"));
    for line in ["bnez\tt0", "add.d x5, x5, -1", "host:"] {
        assert!(block.contains(line), "no {line} in {block}");
    }
    // A loop may have been emitted several times in a row.
    let (mut times, mut executed) = (0, 0);
    for line in block.lines() {
        if let Some(n) = line.strip_suffix(" times") {
            times = n.trim().parse().unwrap();
        } else if line.contains("add\tt0,t0,-1") {
            executed += times;
        }
    }
    assert_eq!(executed, 1000, "{block}");
    let page = std::fs::read_to_string(page).unwrap();
    assert!(
        page.starts_with("<!doctype html>") && page.contains(&format!("\"times\":{times},")),
        "{page}"
    );
}

#[test]
fn a_jit_dump_holds_code_with_its_names() {
    let child = rvnative()
        .args(["run", "--jitdump"])
        .arg(guest("hello"))
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let file = PathBuf::from(format!("/tmp/jit-{}.dump", child.id()));
    assert!(child.wait_with_output().unwrap().status.success());
    let bytes = std::fs::read(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    let word = |at: usize| u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    assert_eq!((word(0), word(4), word(8)), (0x4a69_5444, 1, 40));
    let (mut at, mut names) = (word(8), Vec::new());
    while at < bytes.len() {
        let size = word(at + 4);
        let name = &bytes[at + 56..at + size];
        names.push(String::from_utf8_lossy(name.split(|&b| b == 0).next().unwrap()).into_owned());
        at += size;
    }
    assert_eq!(at, bytes.len());
    assert!(names.iter().all(|n| n.starts_with("hello+0x")), "{names:?}");
}

#[test]
fn a_perf_map_names_translated_code() {
    let child = rvnative()
        .args(["run", "--perfmap"])
        .arg(guest("hello"))
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let path = format!("/tmp/perf-{}.map", child.id());
    assert!(child.wait_with_output().unwrap().status.success());
    let map = fs::read_to_string(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let line = map.lines().next().unwrap();
    let fields: Vec<_> = line.split(' ').collect();
    assert!(
        u64::from_str_radix(fields[0], 16).is_ok() && fields[2].starts_with("guest_"),
        "{line}"
    );
}

#[test]
fn absent_system_calls_are_no_news() {
    let dir = Scratch::new("absent");
    // One that is absent, and one that no kernel has.
    let calls = [425, 2000].map(|number| [li(A7, number), ECALL]).concat();
    let program = dir.file("p", &exits(&calls, 0), 0o755);
    let o = run(&[], &program, &[]);
    assert!(o.status.success(), "{}", shown(&o));
    assert_eq!(stderr(&o), "");
}

#[test]
fn listings_show_guest_and_host_code() {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/guest/plugin.elf");
    let disasm =
        |args: &[&str]| rvnative().arg("disasm").args(args).arg(&program).output().unwrap();
    let o = disasm(&["--symbol", "gcd"]);
    let text = stdout(&o);
    assert!(o.status.success() && text.contains("<gcd>:") && text.contains("remu"), "{text}");
    assert!(!text.contains("<hypot2>"), "{text}");
    let host = stdout(&disasm(&["--symbol", "gcd", "--host"]));
    assert!(host.contains("remu") && host.contains("hot, "), "{host}");
    let o = disasm(&["--symbol", "no_such_function"]);
    assert_eq!(o.status.code(), Some(125), "{}", shown(&o));
    assert!(stderr(&o).contains("no symbol `no_such_function`"));
    let all = stdout(&disasm(&[]));
    assert!(all.len() > text.len() && all.contains("<_start>:"));
}

#[test]
fn info_tells_what_there_is() {
    let o = rvnative().arg("info").output().unwrap();
    let text = stdout(&o);
    for part in [env!("CARGO_PKG_VERSION"), "rv64imafdc", "rva22u64", "host features"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let help = stdout(&rvnative().args(["run", "--help"]).output().unwrap());
    for flag in ["--sysroot", "--jit", "--strace", "--host-features", "RVNATIVE_SYSROOT"] {
        assert!(help.contains(flag), "{flag}: {help}");
    }
}

#[test]
fn a_closed_pipe_is_no_panic() {
    let mut child = rvnative()
        .arg("disasm")
        .arg(guest("fp"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let o = child.wait_with_output().unwrap();
    assert_eq!(stderr(&o), "");
    let mut child = rvnative()
        .arg("run")
        .arg(guest("hello"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let _ = child.stdin.take().unwrap().write_all(b"x");
    drop(child.stdout.take());
    let _ = child.wait().unwrap();
}

#[test]
fn code_of_files_is_compared() {
    let fuzz = |args: &[&str], file: &Path| {
        rvnative().args(["fuzz", "--from"]).arg(file).args(args).output().unwrap()
    };
    let o = fuzz(&["--blocks", "20", "--jobs", "2"], &guest("hello"));
    assert_eq!(o.status.code(), Some(0), "{}", stdout(&o));
    assert!(stdout(&o).starts_with("20 different blocks at "), "{}", stdout(&o));
    assert!(stdout(&o).ends_with("\nno difference\n"), "{}", stdout(&o));
    let entry = ["--at", "10078", "--setup", "3"];
    let scratch = Scratch::new("harvest");
    let program = scratch.file("program", &exits(&[], 3), 0o755);
    let o = fuzz(&entry, &program);
    assert_eq!((o.status.code(), stdout(&o)), (Some(0), "0x10078: no difference\n".to_owned()));
    // What has no code that can be read is said in one line.
    let bytes = fs::read(guest("hello")).unwrap();
    let cut = scratch.file("cut", &bytes[..bytes.len() / 2], 0o644);
    let text = scratch.file("text", b"hello", 0o644);
    let empty = scratch.0.join("empty");
    fs::create_dir(&empty).unwrap();
    let ours = Path::new(env!("CARGO_BIN_EXE_rvnative"));
    for (file, code, what) in [
        (&*cut, 126, "cut: truncated: "),
        (&*text, 126, "text: not an ELF file"),
        (&*empty, 126, "empty: a directory without RISC-V ELF files"),
        (ours, 126, "built for another machine"),
        (&*scratch.0.join("none"), 127, "none: No such file or directory"),
        (Path::new("/dev/null"), 126, "/dev/null: neither a file nor a directory"),
    ] {
        let o = fuzz(&[], file);
        assert_eq!((o.status.code(), stdout(&o)), (Some(code), String::new()), "{}", stderr(&o));
        assert!(stderr(&o).contains(what), "{}", stderr(&o));
        assert_eq!(stderr(&o).lines().count(), 1, "{}", stderr(&o));
    }
    let o = fuzz(&["--at", "10079", "--setup", "3"], &program);
    assert_eq!(o.status.code(), Some(126), "{}", stderr(&o));
    assert!(stderr(&o).contains("no code at 0x10079"), "{}", stderr(&o));
}

#[test]
fn engines_are_listed_in_columns_for_scripts() {
    let o = rvnative().arg("engines").output().unwrap();
    let text = stdout(&o);
    assert!(o.status.success(), "{}", shown(&o));
    assert_eq!(text.lines().count(), ENGINES.len(), "{text}");
    for (line, engine) in text.lines().zip(ENGINES) {
        let sort = if engine.checks { "check" } else { "engine" };
        let words: Vec<_> = line.split_whitespace().collect();
        assert_eq!(words[..2], [engine.name, sort], "{line}");
        assert!(line.ends_with(engine.about), "{line}");
    }
}

#[test]
fn crashes_are_explained() {
    let scratch = Scratch::new("crash");
    let said = |args: &[&str], name: &str, words: &[u32], signal: i32| {
        let o = run(args, &scratch.file(name, &tiny(words), 0o755), &[]);
        assert_eq!(o.status.signal(), Some(signal), "{name} {}", shown(&o));
        stderr(&o)
    };
    // vsetvli a5,a2,e32,m1,ta,ma; sh1add a0,a1,a2; ld a2,8(zero); a word of zeros.
    let (vector, zba, load, zeros) = (0x0d06_77d7, 0x20c5_a533, 0x0080_3603, 0);
    let brief = said(&[], "vector", &[vector], libc::SIGILL);
    assert_eq!(brief.lines().count(), 1, "{brief}");
    assert!(brief.contains("`vsetvli` needs v, which --cpu leaves out: try --cpu +v"), "{brief}");
    let brief = said(&["--cpu", "rv64gc"], "zba", &[zba], libc::SIGILL);
    assert!(brief.contains("`sh1add` needs zba, which --cpu leaves out: try"), "{brief}");
    assert_eq!(said(&["--on-crash=quiet"], "quiet", &[vector], libc::SIGILL), "");
    // What is no instruction anywhere, and what is no matter of instructions, needs no line.
    assert_eq!(said(&[], "zeros", &[zeros], libc::SIGILL), "");
    assert_eq!(said(&[], "load", &[load], libc::SIGSEGV), "");
    let report = said(&["--on-crash=report"], "report", &[load], libc::SIGSEGV);
    assert!(report.contains("died of SIGSEGV: nothing is mapped at 0x8\n"), "{report}");
    assert!(report.contains("at 0x10078: ld a2,8(zero)\n"), "{report}");
    assert!(report.contains("  #0  0x000000010078 "), "{report}");
    // kill(0, SIGABRT) of what is alone in its group; the calls of a program without symbols end.
    let abort = [0x0ac0_0893, 0x0000_0073, 0x0060_0593, 0x0810_0893, 0x0000_0073];
    let report = said(&["--on-crash=report"], "abort", &abort, libc::SIGABRT);
    assert!(report.contains("died of SIGABRT\n"), "{report}");
}
