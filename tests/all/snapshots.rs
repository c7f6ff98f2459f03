//! Host code snapshots: for each file of `tests/disas`, IR and the code of both hosts made of it.
//!
//! A file holds blocks of IR in their text form, separated by lines of `----`; the rest after a
//! line of `====` is what each becomes, with all host features and with the baseline. Run with
//! `BLESS=1` to write down what is emitted now, and review the difference: a longer listing is a
//! worse translation.

use rvnative::backend::{Backend, CodeBuf, EmitContext};
use rvnative::backend_a64::{self, A64};
use rvnative::backend_x64::{self, X64};
use rvnative::debug::host_code;
use rvnative::ir::{Block, verify};
use rvnative::mem::Mode;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

const ALL_X64: backend_x64::Features = backend_x64::Features {
    avx: true,
    avx2: true,
    bmi1: true,
    bmi2: true,
    fma: true,
    lzcnt: true,
    pclmul: true,
    popcnt: true,
    sse41: true,
};

const ALL_A64: backend_a64::Features = backend_a64::Features { lse: true, pmull: true };

/// Where a block would lie in an arena.
const HOT: u32 = 0x1000;
const COLD: u32 = 0x40_0000;

fn emitted<B: Backend>(mut backend: B, block: &Block, mode: Mode, exact_flags: bool) -> String {
    let mut buf = CodeBuf::default();
    buf.start(0, [0, COLD], 0);
    let stubs = backend.emit_stubs(&mut buf);
    buf.start(block.pc, [HOT, COLD], 0);
    let context = EmitContext {
        mode,
        stubs,
        exact_flags,
        lookup: &|_| None,
        peek: &|_| None,
        conditional_links: true,
        handler_room: false,
        meter: None,
        countdown: None,
        serves: false,
        counters: None,
        edges: None,
        marks: false,
    };
    backend.emit_block(block, &mut buf, &context);
    let part = |name, code: &[u8], at| {
        format!("{name}, {} bytes:\n{}", code.len(), host_code(B::NAME, code, u64::from(at)))
    };
    part("hot", &buf.hot, HOT) + &part("cold", &buf.cold, COLD)
}

/// The part after `====` for the IR before it.
fn listing(source: &str, path: &Path) -> String {
    let mut out = String::new();
    for text in source.split("----\n") {
        let block: Block =
            text.parse().unwrap_or_else(|e| panic!("{}: {e:?}\n{text}", path.display()));
        verify(&block).unwrap_or_else(|e| panic!("{}: {e:?}\n{text}", path.display()));
        let x64 = |features, mode| emitted(X64::new(features), &block, mode, false);
        let a64 = |features, mode, exact| emitted(A64::new(features), &block, mode, exact);
        for (name, code) in [
            ("x86-64, all features", x64(ALL_X64, Mode::Identity)),
            ("x86-64, baseline", x64(backend_x64::Features::BASELINE, Mode::Identity)),
            ("x86-64, sandbox", x64(ALL_X64, Mode::Sandbox)),
            ("aarch64, all features", a64(ALL_A64, Mode::Identity, false)),
            (
                "aarch64, baseline and exact flags",
                a64(backend_a64::Features::BASELINE, Mode::Identity, true),
            ),
            ("aarch64, sandbox", a64(ALL_A64, Mode::Sandbox, false)),
        ] {
            let _ = write!(out, "\n{:#x}: {name}\n{code}", block.pc);
        }
    }
    out
}

#[test]
fn host_code_is_as_written_down() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/disas");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(dir).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "tests/disas has files");
    let bless = std::env::var_os("BLESS").is_some();
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        let (source, want) = text.split_once("====\n").unwrap_or((&text, ""));
        let got = listing(source, &path);
        if bless {
            std::fs::write(&path, format!("{source}====\n{got}")).unwrap();
        } else if want != got {
            let first = want.lines().zip(got.lines()).find(|(w, g)| w != g);
            panic!(
                "{}: host code differs, first at {first:?}; BLESS=1 writes it down",
                path.display()
            );
        }
    }
}
