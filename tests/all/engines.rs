//! Every guest test program on every engine.

use rvnative::runtime::{ENGINES, HostFeatures};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Switches all of this host's features off.
fn masked() -> String {
    let features = HostFeatures::detect().list();
    features.iter().map(|(name, _)| format!("-{name}")).collect::<Vec<_>>().join(",")
}

/// Calls `f` with the flags of each engine, and of those that translate also without all features
/// of the host that they could do without.
pub(crate) fn for_each_engine(mut f: impl FnMut(&[&str])) {
    let masked = masked();
    for engine in ENGINES {
        f(&["--jit", engine.name]);
        if engine.translates && !engine.checks {
            f(&["--jit", engine.name, "--host-features", &masked]);
        }
    }
}

/// The command under test.
pub(crate) fn rvnative() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rvnative"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("RVNATIVE_") {
            command.env_remove(name);
        }
    }
    command
}

/// A prebuilt guest program.
pub(crate) fn guest(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/guest/bin").join(name)
}

/// What a command printed, for messages.
pub(crate) fn shown(o: &Output) -> String {
    let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
    format!("{}\n{}{}", o.status, text(&o.stdout), text(&o.stderr))
}

/// What programs need beside the engine: `illegal` takes some extensions for missing.
fn flags(name: &str) -> &'static [&'static str] {
    match name {
        "illegal" => &["--cpu", "rv64gc"],
        _ => &[],
    }
}

#[test]
fn guest_programs_pass_on_every_engine() {
    let mut names: Vec<_> = std::fs::read_dir(guest(""))
        .expect("the prebuilt programs")
        .map(|e| e.expect("an entry").file_name().into_string().expect("a plain name"))
        .collect();
    names.sort();
    assert!(names.len() >= 20, "{names:?}");
    let mut failures = String::new();
    for name in &names {
        for_each_engine(|engine| {
            let o = rvnative()
                .arg("run")
                .args(engine)
                .args(flags(name))
                .arg(guest(name))
                .output()
                .expect("rvnative starts");
            let said = String::from_utf8_lossy(&o.stdout);
            let greeting = name == "hello" && said.starts_with("Hello from riscv64");
            let passed = said.lines().any(|l| l == format!("ok {name}"));
            if !o.status.success() || !(passed || greeting) {
                failures += &format!("{name} with {engine:?}: {}\n", shown(&o));
            }
        });
    }
    assert!(failures.is_empty(), "\n{failures}");
}

/// Loops that are executed often are translated as a whole, and only those unless all are to be.
#[test]
fn hot_loops_become_regions() {
    let regions = |engine: &str| {
        let mut command = rvnative();
        command.args(["run", "--stats=json", "--jit", engine]).arg(guest("elementwise"));
        let output = command.output().expect("the command runs");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let (_, behind) = text.split_once("\"regions\":").expect("the number of regions");
        let digits = behind.trim_start().split(|c: char| !c.is_ascii_digit()).next();
        digits.and_then(|digits| digits.parse::<u32>().ok()).expect("a number")
    };
    let [none, hot, all] = ["baseline", "regions", "regions=eager"].map(regions);
    assert_eq!(none, 0);
    assert!(0 < hot && hot < all, "{hot} hot ones of {all}");
}
