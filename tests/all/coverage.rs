//! `--coverage` and `--trace`: what they tell on every engine, compared with each other and with
//! the disassembler.

use crate::engines::{for_each_engine, guest, rvnative, shown};
use rvnative::debug::Drcov;
use rvnative::isa;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A directory for one test, gone when it ends.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("rvnative-{name}-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Runs a command that must succeed; what it printed.
fn succeed(command: &mut Command) -> String {
    let o = command.stdin(Stdio::null()).output().unwrap();
    assert!(o.status.success(), "{command:?}: {}", shown(&o));
    String::from_utf8(o.stdout).unwrap()
}

/// The addresses of a program of which a file tells that they were executed.
fn covered(file: &Path) -> BTreeSet<u64> {
    let drcov = Drcov::parse(&fs::read(file).unwrap()).unwrap();
    let modules = drcov.modules();
    let bytes = |(module, start, len): (u16, u32, u16)| {
        let first = modules[usize::from(module)].base + u64::from(start);
        first..first + u64::from(len)
    };
    drcov.blocks().flat_map(bytes).collect()
}

/// The addresses that a trace of instructions has, if they are below `end`.
fn traced(text: &str, end: u64) -> BTreeSet<u64> {
    let mut all = BTreeSet::new();
    for line in text.lines() {
        let line = line.strip_prefix('[').map_or(line, |l| l.split_once("] ").unwrap().1);
        let (pc, rest) = line.split_once(": ").unwrap();
        let pc = u64::from_str_radix(&pc[2..], 16).unwrap();
        let len = rest.split_whitespace().next().unwrap().len() as u64 / 2;
        all.extend((pc..pc + len).filter(|&at| at < end));
    }
    all
}

/// Programs that do the same in each run; those that fault are not among them, since of a block
/// that is left by a fault all counts as executed.
const STEADY: [&str; 5] = ["jumps", "extensions", "zb", "memory", "fploops"];

#[test]
fn coverage_is_what_was_executed_on_every_engine() {
    let dir = Scratch::new("coverage");
    let file = dir.0.join("file");
    for name in STEADY {
        let trace = dir.0.join("trace");
        let mut command = rvnative();
        command.args(["run", "--trace=insns", "--trace-file"]).arg(&trace).arg(guest(name));
        succeed(&mut command);
        // The vDSO, which lies above the program, is no file.
        let truth = traced(&fs::read_to_string(&trace).unwrap(), 1 << 28);
        assert!(truth.len() > 100, "{name}: {} bytes", truth.len());
        for_each_engine(|engine| {
            let mut command = rvnative();
            succeed(command.arg("run").args(engine).arg("--coverage").arg(&file).arg(guest(name)));
            let covered = covered(&file);
            let differ: Vec<_> =
                covered.symmetric_difference(&truth).map(|at| format!("{at:#x}")).collect();
            assert!(differ.is_empty(), "{name} {engine:?}: {differ:?}");
        });
    }
}

#[test]
fn processes_add_to_one_file_or_have_their_own() {
    let dir = Scratch::new("processes");
    for_each_engine(|engine| {
        let own = dir.0.join("own");
        fs::create_dir_all(&own).unwrap();
        let run = |file: &Path| {
            let mut command = rvnative();
            command.arg("run").args(engine).arg("--coverage").arg(file).arg(guest("processes"));
            succeed(&mut command);
        };
        let one = dir.0.join("one");
        run(&own.join("%p"));
        run(&one);
        let files: Vec<_> = fs::read_dir(&own).unwrap().map(|e| e.unwrap().path()).collect();
        assert!(files.len() > 3, "{engine:?}: {files:?}");
        let merged = dir.0.join("merged");
        succeed(rvnative().args(["cov", "merge", "-o"]).arg(&merged).args(&files));
        assert_eq!(covered(&merged), covered(&one), "{engine:?}");
        fs::remove_dir_all(&own).unwrap();
    });
}

#[test]
fn who_dies_of_a_signal_has_written_coverage() {
    let dir = Scratch::new("killed");
    let file = dir.0.join("file");
    // li a0, 0; li a7, 172; ecall; li a1, 15; li a7, 129; ecall: kill(getpid(), SIGTERM).
    let words = [0x0000_0513, 0x0ac0_0893, 0x0000_0073, 0x00f0_0593, 0x0810_0893, 0x0000_0073];
    let program = dir.0.join("program");
    fs::write(&program, crate::cli::tiny(&words)).unwrap();
    fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    for_each_engine(|engine| {
        let mut command = rvnative();
        let o = command.arg("run").args(engine).arg("--coverage").arg(&file).arg(&program).output();
        let signal = std::os::unix::process::ExitStatusExt::signal(&o.unwrap().status);
        assert_eq!(signal, Some(15), "{engine:?}");
        let expected: BTreeSet<u64> = (0x10078..0x10078 + 24).collect();
        assert_eq!(covered(&file), expected, "{engine:?}");
    });
}

#[test]
fn files_that_are_none_are_refused() {
    let dir = Scratch::new("refused");
    let file = dir.0.join("file");
    fs::write(&file, "DRCOV VERSION: 2\nModule Table: version 2, count 1\n").unwrap();
    for what in ["report", "lcov"] {
        let o = rvnative().args(["cov", what]).arg(&file).output().unwrap();
        assert_eq!(o.status.code(), Some(125), "{}", shown(&o));
        assert!(shown(&o).contains("the table of blocks is not whole"), "{}", shown(&o));
    }
    let mut command = rvnative();
    let o = command.args(["run", "--coverage", "/nowhere/file"]).arg(guest("hello")).output();
    assert_eq!(o.unwrap().status.code(), Some(125));
}

/// What `--trace=WHAT` prints of a program.
fn trace(what: &str, name: &str) -> String {
    let o = rvnative().args(["run", "--trace", what]).arg(guest(name)).output().unwrap();
    assert!(o.status.success(), "{}", shown(&o));
    String::from_utf8(o.stderr).unwrap()
}

#[test]
fn traced_instructions_are_those_of_the_disassembler() {
    let listing = succeed(rvnative().arg("disasm").arg(guest("elementwise")));
    let mut lines = std::collections::BTreeMap::new();
    for line in listing.lines().filter(|line| line.starts_with(' ')) {
        let (pc, rest) = line.trim_start().split_once(":\t").unwrap();
        let (bits, text) = rest.split_once('\t').unwrap();
        // Symbols are named in listings.
        let text = text.split(" <").next().unwrap().replace('\t', " ");
        lines.insert(format!("0x{pc}"), format!("{} {text}", bits.trim()));
    }
    let traced = trace("insns,stop=2000", "elementwise");
    assert_eq!(traced.lines().count(), 2000);
    for line in traced.lines() {
        let (pc, rest) = line.split_once(": ").unwrap();
        let rest = rest.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(lines.get(pc), Some(&rest), "{pc}");
    }
}

#[test]
fn traces_are_of_what_was_asked_for() {
    let all = trace("insns", "zb");
    let some = trace("insns,start=10,stop=30", "zb");
    let expected: Vec<_> = all.lines().skip(10).take(20).collect();
    assert_eq!(some.lines().collect::<Vec<_>>(), expected);
    let first = &all.lines().next().unwrap()[2..];
    let first = u64::from_str_radix(first.split(':').next().unwrap(), 16).unwrap();
    let some = trace(&format!("insns,range={first:x}-{:x}", first + 4), "zb");
    assert!(some.lines().count() > 0 && some.lines().all(|line| all.contains(line)));
    assert!(traced(&some, u64::MAX).iter().all(|at| (first..first + 4).contains(at)));
    // Each instruction is of one block.
    let blocks = trace("blocks", "zb");
    let sum: usize = blocks
        .lines()
        .map(|line| line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap())
        .sum();
    assert_eq!(sum, all.lines().count());
    let calls = trace("calls", "zb");
    let (mut depth, mut deepest) = (0_i64, 0);
    for line in calls.lines() {
        let spaces = line.len() - line.trim_start().len();
        if line.trim_start().starts_with('>') {
            assert_eq!(spaces as i64, depth, "{line}");
            depth += 1;
        } else {
            assert!((spaces as i64) < depth, "{line}");
            depth = spaces as i64;
        }
        deepest = deepest.max(depth);
    }
    assert!(deepest > 1, "{calls}");
}

/// Registers and memory as the commits of a program say, from its begin, are what its instructions
/// say: an interpreter of four of them.
#[test]
fn commits_follow_from_each_other() {
    let commits = trace("commits,stop=20000", "elementwise");
    let mut x = [None::<u64>; 32];
    let mut checked = 0;
    for line in commits.lines() {
        let words: Vec<_> = line.split_whitespace().collect();
        assert_eq!((words[0], words[1], words[2]), ("core", "0:", "0"), "{line}");
        let hex = |text: &str| u64::from_str_radix(text.trim_start_matches("0x"), 16).unwrap();
        let pc = hex(words[3]);
        let insn = isa::decode(hex(words[4].trim_matches(['(', ')'])) as u32, &isa::Isa::MAX);
        let insn = insn.unwrap();
        let written = words
            .get(5)
            .and_then(|r| r.strip_prefix('x'))
            .map(|r| (r.parse::<usize>().unwrap(), hex(words[6])));
        let [a, b] = [insn.rs1, insn.rs2].map(|r| if r == 0 { Some(0) } else { x[usize::from(r)] });
        let imm = i64::from(insn.imm);
        let expected = match insn.op {
            isa::Op::Addi => a.map(|a| a.wrapping_add_signed(imm)),
            isa::Op::Add => a.zip(b).map(|(a, b)| a.wrapping_add(b)),
            isa::Op::Lui => Some(imm as u64),
            isa::Op::Auipc => Some(pc.wrapping_add_signed(imm)),
            isa::Op::Jal => Some(pc + u64::from(insn.len)),
            _ => None,
        };
        if let (Some(expected), Some((_, value))) = (expected, written) {
            assert_eq!(value, expected, "{line}");
            checked += 1;
        }
        if let Some((r, value)) = written {
            x[r] = Some(value);
        }
        if insn.op == isa::Op::Sd {
            assert_eq!(
                hex(words[6]),
                a.unwrap_or(hex(words[6])).wrapping_add_signed(imm),
                "{line}"
            );
            assert_eq!(b.unwrap_or(hex(words[7])), hex(words[7]), "{line}");
        }
    }
    assert!(checked > 1000, "{checked} of {} lines", commits.lines().count());
}

#[test]
fn a_trace_ends_and_the_program_goes_on() {
    for_each_engine(|engine| {
        let mut command = rvnative();
        command.arg("run").args(engine).arg("--trace=insns,stop=100").arg(guest("muldiv"));
        let o = command.output().unwrap();
        assert!(o.status.success(), "{engine:?}: {}", shown(&o));
        assert_eq!(String::from_utf8_lossy(&o.stderr).lines().count(), 100, "{engine:?}");
    });
    let o = rvnative().args(["run", "--trace=some"]).arg(guest("hello")).output().unwrap();
    assert_eq!(o.status.code(), Some(125), "{}", shown(&o));
}
