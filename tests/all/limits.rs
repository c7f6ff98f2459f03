//! Programs under resource limits of the host that we may not raise.

use crate::engines::{for_each_engine, guest, rvnative, shown};
use std::process::Command;

/// A guest program started under limits, as `prlimit` takes them, without the right to raise them.
fn limited(limits: &[&str], engine: &[&str], args: &[&str]) -> std::process::Output {
    let inner = rvnative();
    // Whoever has the right is deprived of it; nobody else may use the program.
    let root = std::fs::metadata("/proc/self").is_ok_and(|m| {
        use std::os::unix::fs::MetadataExt;
        m.uid() == 0
    });
    let mut command = Command::new("setpriv");
    if root {
        command.args(["--inh-caps=-sys_resource", "--bounding-set=-sys_resource"]);
    }
    command.arg("prlimit").args(limits).arg("--").arg(inner.get_program());
    command.arg("run").args(engine).arg(guest("hello")).args(args);
    for (name, value) in inner.get_envs() {
        if value.is_none() {
            command.env_remove(name);
        }
    }
    command.output().unwrap()
}

#[test]
fn programs_start_under_every_limit() {
    const MIB: u64 = 1 << 20;
    let bytes = |name: &str, mib: u64| format!("--{name}={}", mib * MIB);
    // Addresses: a small space, one that could be reserved but for the table, and what lies
    // between.
    let mut limits: Vec<Vec<String>> = [96, 256, 2048, 16 << 10, 513 << 10, 600 << 10, 1000 << 10]
        .map(|mib| vec![bytes("as", mib)])
        .to_vec();
    limits.extend([24, 64, 1024, 256 << 10].map(|mib| vec![bytes("data", mib)]));
    limits.extend([32, 64, 100, 128, 140].map(|kib| vec![format!("--stack={}", kib << 10)]));
    limits.extend(["--nofile=8", "--fsize=0", "--memlock=0", "--nproc=1"].map(|l| vec![l.into()]));
    limits.push(vec![bytes("as", 512), bytes("data", 64), "--stack=65536".into()]);
    for limits in limits {
        let limits: Vec<&str> = limits.iter().map(String::as_str).collect();
        for_each_engine(|engine| {
            let o = limited(&limits, engine, &["a", "limit"]);
            assert_eq!(
                String::from_utf8_lossy(&o.stdout),
                "Hello from riscv64, a limit!\n",
                "{limits:?} {engine:?} {}",
                shown(&o)
            );
            assert!(o.status.success() && o.stderr.is_empty(), "{limits:?} {}", shown(&o));
        });
    }
}

#[test]
fn a_limit_that_leaves_nothing_is_an_error() {
    let o = limited(&["--data=1000000"], &[], &[]);
    assert_eq!(o.status.code(), Some(125), "{}", shown(&o));
}
