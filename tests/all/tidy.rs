//! The rules of the house that no compiler checks: layers, homes of `unsafe`, sizes, marks.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// Lowest first. A module may import only what stands in a row above its own; modules in one row
/// are strangers to each other.
const LAYERS: &[&[&str]] = &[
    &["util", "softfloat"],
    &["sys", "isa", "ir"],
    &["mem", "opt"],
    &["cpu"],
    &["interp", "lift", "backend"],
    &["backend_x64", "backend_a64"],
    &["runtime"],
    &["vm", "gdb"],
    &["linux", "debug"],
    &["image"],
    &["fuzzing"],
    &["cli", "main"],
];

/// Imports that the layers would allow and the design does not: who, whom.
const BANS: &[(&str, &str)] = &[
    ("ir", "isa"),
    ("opt", "isa"),
    ("backend", "isa"),
    ("backend_x64", "isa"),
    ("backend_a64", "isa"),
    ("interp", "ir"),
    ("backend_x64", "backend_a64"),
    ("backend_a64", "backend_x64"),
];

/// The order inside `linux`, lowest first, as [`LAYERS`] for the crate. An entry is a folder or a
/// file below `src/linux`; the longest that fits a file counts. A file may import only what stands
/// in a row above its own, or files of its own folder in the same row; and no file may import
/// itself by way of others.
const LINUX_LAYERS: &[&[&str]] = &[
    &["abi", "lock", "status", "trace"],
    &["host", "spawn"],
    // What processes and threads keep.
    &[
        "exec/executable",
        "exec/setid",
        "fs/aio_contexts",
        "fs/busy",
        "fs/proc/shown",
        "gdb/state",
        "gdb/debuggee",
        "mm/layout",
        "ptrace/area",
        "seccomp/dispatch_range",
        "seccomp/filter",
        "signal/actions",
        "signal/core_file",
        "signal/core_threads",
        "signal/crash",
        "signal/vector",
        "task/afl",
        "task/clone",
        "task/credentials",
        "task/limits",
        "task/personality",
        "uring/entry",
        "uring/ring",
    ],
    &["ptrace/tracees", "task/peers"],
    &["fs/proc/names"],
    &["fs/rootfs"],
    &["fs/host_path"],
    &["fs/namespace"],
    &["process"],
    // What calls share.
    &[
        "args",
        "gdb/park",
        "fs/iovec",
        "fs/path",
        "fs/rootfs/fake_calls",
        "fs/rootfs/unix",
        "uring/name",
    ],
    // Calls.
    &[
        "fs/proc",
        "machine",
        "order",
        "sample",
        "signal/core_dump",
        "task/futex",
        "time",
        "uring/map",
    ],
    &["signal/mirror"],
    &["ptrace/stop"],
    &["task/exit", "task/rlimit"],
    &["mm", "seccomp"],
    &["fs", "fs/rootfs/open", "signal"],
    &["exec", "ipc", "net", "ptrace", "task"],
    &["uring"],
    &["gdb"],
    &["table"],
    &["doc", "strace", "trace_calls"],
    &["run"],
    &["command"],
];

/// The one file that names a host's backend.
const HOST: &str = "runtime/host.rs";

/// Files and folders below `src` that may hold `unsafe`. Each file says why at its head.
const UNSAFE_HOMES: &[&str] = &[
    "sys/",
    "mem/",
    "runtime/arena.rs",
    "runtime/fault.rs",
    "runtime/helpers.rs",
    "runtime/pc_table.rs",
    "runtime/serve.rs",
    "runtime/thread.rs",
    "linux/abi/pod.rs",
    "linux/host/call.rs",
    "vm/memory.rs",
    "vm/run.rs",
];

/// Modules that may name `libc`: the others see the host through `sys`.
const LIBC_HOMES: &[&str] = &["sys", "mem", "linux"];

/// Where `target_arch` may stand: everything else is the same on every host.
const ARCH_HOMES: &[&str] = &["sys/", HOST];

/// Lines that a source file may have.
const MAX_LINES: usize = 900;

/// Columns that a line of prose may have.
const MAX_COLUMNS: usize = 100;

/// One source file: its path below the folder it was found in, its text, and the text without
/// comments and literals (same lines).
struct Source {
    path: String,
    text: String,
    code: String,
}

impl Source {
    /// First part of the path: the module that the layers know.
    fn module(&self) -> &str {
        self.path.split('/').next().unwrap_or("").trim_end_matches(".rs")
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Files below `dir`, sorted; folders that builds and fuzzers write are left out.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut out = Vec::new();
    let Ok(entries) = fs::read_dir(dir) else { return out };
    for entry in entries.flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() && !path.is_symlink() {
            if !matches!(&*name, "target" | ".git" | "corpus" | "artifacts") {
                out.extend(files(&path));
            }
        } else {
            out.push(path);
        }
    }
    out.sort();
    out
}

fn sources(below: &str) -> Vec<Source> {
    let dir = root().join(below);
    files(&dir)
        .into_iter()
        .filter(|p| p.extension().is_some_and(|e| e == "rs"))
        .map(|p| {
            let text = fs::read_to_string(&p).expect("a source file");
            let path = p.strip_prefix(&dir).expect("below it").to_string_lossy().into_owned();
            Source { path, code: blank(&text), text }
        })
        .collect()
}

/// `text` with comments, strings and character literals blanked out, line breaks kept.
fn blank(text: &str) -> String {
    let b: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut i = 0;
    let skip = |out: &mut String, from: usize, to: usize| {
        out.extend(b[from..to].iter().map(|&c| if c == '\n' { '\n' } else { ' ' }));
    };
    while i < b.len() {
        let end = match (b[i], b.get(i + 1)) {
            ('/', Some('/')) => (i..b.len()).find(|&j| b[j] == '\n').unwrap_or(b.len()),
            ('/', Some('*')) => (i + 2..b.len())
                .find(|&j| b[j - 1] == '*' && b[j] == '/')
                .map_or(b.len(), |j| j + 1),
            ('r', Some('"' | '#')) if i == 0 || !is_word(b[i - 1]) => raw_string_end(&b, i),
            ('"', _) => string_end(&b, i, '"'),
            // A quote is a literal if it closes at once; else it begins a lifetime.
            ('\'', Some('\\')) => string_end(&b, i, '\''),
            ('\'', Some(_)) if b.get(i + 2) == Some(&'\'') => i + 3,
            _ => i,
        };
        if end > i {
            skip(&mut out, i, end);
            i = end;
        } else {
            out.push(b[i]);
            i += 1;
        }
    }
    out
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn string_end(b: &[char], start: usize, quote: char) -> usize {
    let mut j = start + 1;
    while j < b.len() && b[j] != quote {
        j += if b[j] == '\\' { 2 } else { 1 };
    }
    (j + 1).min(b.len())
}

/// End of `r"..."` or `r#"..."#`; `start` if it is neither (a raw identifier).
fn raw_string_end(b: &[char], start: usize) -> usize {
    let hashes = b[start + 1..].iter().take_while(|&&c| c == '#').count();
    if b.get(start + 1 + hashes) != Some(&'"') {
        return start;
    }
    let mut j = start + 2 + hashes;
    while j < b.len() {
        if b[j] == '"' && b[j + 1..].iter().take(hashes).filter(|&&c| c == '#').count() == hashes {
            return j + 1 + hashes;
        }
        j += 1;
    }
    b.len()
}

/// Names that follow `prefix` (such as `crate::`), also inside braces, with their line numbers.
fn named_after(code: &str, prefix: &str) -> Vec<(usize, String)> {
    let mut out = Vec::new();
    for (at, _) in code.match_indices(prefix) {
        if code[..at].chars().next_back().is_some_and(|c| is_word(c) || c == ':') {
            continue;
        }
        let line = code[..at].matches('\n').count() + 1;
        let rest = code[at + prefix.len()..].trim_start();
        if let Some(group) = rest.strip_prefix('{') {
            let (mut depth, mut word) = (0, String::new());
            let mut complete = false;
            for c in group.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => complete = false,
                    c if depth == 0 && !complete && is_word(c) => word.push(c),
                    _ => {}
                }
                if !word.is_empty() && !is_word(c) {
                    out.push((line, std::mem::take(&mut word)));
                    complete = true;
                }
            }
            out.extend((!word.is_empty()).then_some((line, word)));
        } else {
            out.push((line, rest.chars().take_while(|&c| is_word(c)).collect()));
        }
    }
    out
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|l| l.contains(&module))
}

/// Fails with all findings at once.
fn report(findings: &str) {
    assert!(findings.is_empty(), "\n{findings}");
}

/// What is wrong with the imports of one file, if anything.
fn import_findings(path: &str, module: &str, code: &str) -> String {
    let mut bad = String::new();
    let Some(own) = layer(module) else {
        return format!("src/{path}: module `{module}` has no layer\n");
    };
    let mut names = named_after(code, "crate::");
    if module == "main" || module == "cli" {
        names.extend(named_after(code, "rvnative::"));
    }
    // A climb to the root would evade the check above.
    names.extend(
        named_after(code, "super::super::").into_iter().filter(|(_, n)| layer(n).is_some()),
    );
    for (line, name) in names {
        let Some(other) = layer(&name) else { continue };
        let same = name == module || (module == "main" && name == "cli");
        let mut complain = |why: &str| {
            let _ = writeln!(bad, "src/{path}:{line}: `{module}` may not import `{name}`: {why}");
        };
        if !same && other >= own {
            complain("it is not below");
        }
        if BANS.contains(&(module, &*name)) {
            complain("the two are kept apart");
        }
        if name.starts_with("backend_") && !same && path != HOST {
            complain("only runtime/host.rs names a backend");
        }
    }
    bad
}

#[test]
fn modules_import_only_from_lower_layers() {
    let mut bad = String::new();
    for s in sources("src").iter().filter(|s| s.path != "lib.rs") {
        bad += &import_findings(&s.path, s.module(), &s.code);
    }
    report(&bad);
}

#[test]
fn the_import_check_sees_imports() {
    let upward = "use crate::{\n    isa::Op,\n    runtime::{Cpu, vm::X},\n};\n";
    let found = import_findings("lift/scan.rs", "lift", upward);
    assert!(found.contains("src/lift/scan.rs:1: `lift` may not import `runtime`"), "{found}");
    assert_eq!(found.lines().count(), 1, "{found}");
    for (module, code) in [
        ("ir", "use crate::isa::Op;"),
        ("interp", "fn f() { crate::ir::Block::new() }"),
        ("isa", "use super::super::cpu::Hart;"),
        ("runtime", "use crate::backend_x64::X64;"),
        ("unheard_of", ""),
    ] {
        assert!(!import_findings("x.rs", module, code).is_empty(), "{module}: {code}");
    }
    assert_eq!(
        import_findings("cpu/exit.rs", "cpu", &blank("// crate::vm\nuse crate::mem::F;")),
        ""
    );
    assert_eq!(import_findings(HOST, "runtime", "use crate::backend_x64::X64;"), "");
}

/// The module that a file of `linux` is, such as `mm::mman`; `linux` itself is nothing.
fn module_of(path: &str) -> String {
    let stem = path.trim_end_matches(".rs");
    let stem = if stem == "mod" { "" } else { stem.trim_end_matches("/mod") };
    stem.replace('/', "::")
}

/// Reads one path, or a group of them in braces, and adds them to `out`, each behind `start`.
fn expand(text: &mut std::iter::Peekable<std::str::Chars<'_>>, start: &str, out: &mut Vec<String>) {
    while text.next_if(|c| c.is_whitespace()).is_some() {}
    if text.next_if_eq(&'{').is_some() {
        loop {
            expand(text, start, out);
            // Such as `as name`.
            while text.next_if(|&c| c != ',' && c != '}').is_some() {}
            if text.next() != Some(',') {
                return;
            }
        }
    }
    let mut path = start.to_owned();
    while let Some(c) = text.next_if(|&c| is_word(c) || c == '*') {
        path.push(c);
    }
    if path.len() > start.len() && text.next_if_eq(&':').is_some() && text.next() == Some(':') {
        path.push_str("::");
        return expand(text, &path, out);
    }
    // Behind the last comma of a group there may be nothing.
    out.extend((path.len() > start.len()).then_some(path));
}

/// Whole paths that follow `prefix` (such as `crate::`), with their line numbers: `a::b` and `a::c`
/// for `a::{b, c}`.
fn paths_after(code: &str, prefix: &str) -> Vec<(usize, String)> {
    let mut out = Vec::new();
    for (at, _) in code.match_indices(prefix) {
        if code[..at].chars().next_back().is_some_and(|c| is_word(c) || c == ':') {
            continue;
        }
        let line = code[..at].matches('\n').count() + 1;
        let mut found = Vec::new();
        expand(&mut code[at + prefix.len()..].chars().peekable(), "", &mut found);
        out.extend(found.into_iter().map(|path| (line, path)));
    }
    out
}

/// Modules of `linux` that the module `own` imports, with the lines; `modules` are all there are.
/// Unit tests may import what they like.
fn linux_imports(own: &str, code: &str, modules: &[String]) -> Vec<(usize, String)> {
    let code = code.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let mut named: Vec<(usize, String)> = Vec::new();
    for (line, path) in paths_after(code, "crate::") {
        match path.split_once("::") {
            Some(("linux", rest)) => named.push((line, rest.to_owned())),
            None if path == "linux" => named.push((line, String::new())),
            _ => {}
        }
    }
    let (mut climb, mut base) = ("super::".to_owned(), own);
    while !base.is_empty() {
        base = base.rsplit_once("::").map_or("", |(base, _)| base);
        let from_there = paths_after(code, &climb).into_iter().filter(|(_, path)| {
            // A further climb, or a module within the file that names all of it.
            !path.starts_with("super") && path != "*"
        });
        named.extend(from_there.map(|(line, path)| (line, format!("{base}::{path}"))));
        climb.push_str("super::");
    }
    // A folder's own file names its modules without a prefix.
    let inside = if own.is_empty() { String::new() } else { format!("{own}::") };
    for child in modules.iter().filter_map(|m| m.strip_prefix(&inside)) {
        if !child.is_empty() && !child.contains("::") {
            let found = paths_after(code, &format!("{child}::"));
            let whole = |(line, path)| (line, format!("{inside}{child}::{path}"));
            named.extend(found.into_iter().map(whole));
        }
    }
    let module = |(line, path): (usize, String)| {
        let mut path = path.trim_start_matches("::");
        while !modules.iter().any(|m| m == path) {
            path = path.rsplit_once("::").map_or("", |(start, _)| start);
        }
        (line, path.to_owned())
    };
    let mut imports: Vec<_> = named.into_iter().map(module).filter(|(_, m)| m != own).collect();
    imports.sort();
    imports.dedup();
    imports
}

/// The row of [`LINUX_LAYERS`] for a module of `linux`, and the folder that it is in.
fn linux_layer(module: &str) -> Option<(usize, &str)> {
    let path = module.replace("::", "/");
    let fits = |entry: &&str| {
        path.strip_prefix(*entry).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let rows = LINUX_LAYERS.iter().enumerate();
    let all = rows.flat_map(|(row, entries)| entries.iter().map(move |entry| (row, *entry)));
    let (row, _) = all.filter(|(_, entry)| fits(entry)).max_by_key(|(_, entry)| entry.len())?;
    Some((row, module.split("::").next().unwrap_or(module)))
}

/// What is wrong with the imports inside `linux`, given its files: path below it and code.
fn linux_findings(files: &[(&str, &str)]) -> String {
    let mut bad = String::new();
    let modules: Vec<String> = files.iter().map(|(path, _)| module_of(path)).collect();
    let mut graph: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for ((path, code), own) in files.iter().zip(&modules) {
        // The door to the outside names everything.
        if own.is_empty() {
            continue;
        }
        let own_layer = linux_layer(own);
        if own_layer.is_none() {
            let _ = writeln!(bad, "src/linux/{path}: `{own}` has no layer");
        }
        for (line, other) in linux_imports(own, code, &modules) {
            let allowed = match (own_layer, linux_layer(&other)) {
                (Some(own), Some(other)) => other.0 < own.0 || other == own,
                (None, _) => true,
                // `linux` itself.
                (_, None) => false,
            };
            if !allowed {
                let _ = writeln!(
                    bad,
                    "src/linux/{path}:{line}: `{own}` may not import `{other}`: it is not below"
                );
            }
            graph.entry(own).or_default().insert(other);
        }
    }
    for module in &modules {
        // All that it imports, however indirectly.
        let mut reached: BTreeSet<&str> = BTreeSet::new();
        let mut todo: Vec<&str> = vec![module];
        while let Some(next) = todo.pop() {
            let imported = graph.get(next).into_iter().flatten();
            todo.extend(imported.map(String::as_str).filter(|m| reached.insert(m)));
        }
        if reached.contains(&**module) {
            let _ = writeln!(bad, "src/linux: `{module}` imports itself by way of others");
        }
    }
    bad
}

#[test]
fn linux_imports_only_from_lower_layers() {
    let all = sources("src/linux");
    let files: Vec<_> = all.iter().map(|s| (&*s.path, &*s.code)).collect();
    let mut bad = linux_findings(&files);
    for entry in LINUX_LAYERS.iter().copied().flatten() {
        let there = |s: &Source| s.path.trim_end_matches(".rs") == *entry;
        if !all.iter().any(|s| there(s) || s.path.starts_with(&format!("{entry}/"))) {
            let _ = writeln!(bad, "src/linux/{entry}: has a layer and is not there");
        }
    }
    report(&bad);
}

#[test]
fn the_check_of_linux_sees_imports() {
    // Nothing is wrong with these.
    let good = [
        ("mod.rs", "pub use fs::rootfs::RootFs;"),
        ("abi/mod.rs", "mod errno;\npub use errno::Errno;"),
        ("abi/errno.rs", "mod inner { use super::*; }"),
        ("process.rs", "use crate::linux::{abi::Errno, fs::rootfs::{RootFs, World as W}};"),
        ("fs/rootfs/mod.rs", "mod world;\npub use world::RootFs;"),
        ("fs/rootfs/world.rs", "use crate::linux::abi::Errno;"),
        ("fs/rootfs/open.rs", "use super::world::World;\nuse super::super::file::f;"),
        ("fs/file.rs", "use crate::linux::process::Thread;"),
        ("mm/mman.rs", "#[cfg(test)]\nmod tests { use crate::linux::command; }"),
        ("command.rs", ""),
    ];
    assert_eq!(linux_findings(&good), "");
    // Each of these is, in the place of the file of that name.
    let upward =
        "use crate::mem::Memory;\nuse crate::linux::{\n    abi::Errno,\n    command::{a::f},\n};";
    for (path, code, wanted) in [
        ("process.rs", upward, "process.rs:2: `process` may not import `command`"),
        ("abi/errno.rs", "use super::super::process::X;", "`abi::errno` may not import `process`"),
        ("fs/rootfs/mod.rs", "pub use open::open;", "may not import `fs::rootfs::open`"),
        ("fs/file.rs", "fn f() { crate::linux::command::g() }", "may not import `command`"),
        ("fs/file.rs", "use crate::linux::RootFs;", "`fs::file` may not import ``"),
        ("fs/file.rs", "use super::rootfs::open::o;", "`fs::file` imports itself"),
        ("fs/rootfs/world.rs", "use super::RootFs;", "`fs::rootfs::world` imports itself"),
        ("nowhere.rs", "", "`nowhere` has no layer"),
    ] {
        let mut files: Vec<_> = good.into_iter().filter(|file| file.0 != path).collect();
        files.push((path, code));
        let found = linux_findings(&files);
        assert!(found.contains(wanted), "{path}: {code}\n{found}");
    }
}

#[test]
fn literals_and_comments_are_blanked() {
    let text = "a /* x\n */ b \"s\\\"t\" c r#\"q\"\"# d 'e' '\\'' &'static f // g";
    let code: String = blank(text);
    assert_eq!(code.matches('\n').count(), 1);
    assert_eq!(code.split_whitespace().collect::<Vec<_>>(), ["a", "b", "c", "d", "&'static", "f"]);
}

/// True if `code` holds `word` with no word character at either end.
fn has_word(code: &str, word: &str) -> bool {
    code.match_indices(word).any(|(at, _)| {
        !code[..at].chars().next_back().is_some_and(is_word)
            && !code[at + word.len()..].chars().next().is_some_and(is_word)
    })
}

#[test]
fn unsafe_stays_at_home() {
    let mut bad = String::new();
    for home in UNSAFE_HOMES.iter().filter(|h| !root().join("src").join(h).exists()) {
        let _ = writeln!(bad, "src/{home}: a home of `unsafe` that is not there");
    }
    for s in sources("src") {
        let home = UNSAFE_HOMES.iter().any(|h| s.path.starts_with(h));
        let allows = has_word(&s.code, "unsafe_code") && !matches!(&*s.path, "lib.rs" | "main.rs");
        if !home && (has_word(&s.code, "unsafe") || allows) {
            let _ = writeln!(bad, "src/{}: `unsafe` away from its homes", s.path);
        }
        if allows && !s.text.contains("//! # Safety") {
            let _ = writeln!(bad, "src/{}: allows unsafe code without a `# Safety` part", s.path);
        }
        if has_word(&s.code, "libc") && !LIBC_HOMES.contains(&s.module()) {
            let _ = writeln!(bad, "src/{}: only {LIBC_HOMES:?} name libc", s.path);
        }
        if [".globl", "no_mangle", "export_name"].iter().any(|w| s.text.contains(w)) {
            let _ = writeln!(bad, "src/{}: a name that another version would have too", s.path);
        }
        if has_word(&s.code, "target_arch") && !ARCH_HOMES.iter().any(|h| s.path.starts_with(h)) {
            let _ = writeln!(bad, "src/{}: only {ARCH_HOMES:?} ask for the host", s.path);
        }
    }
    report(&bad);
}

#[test]
fn files_have_heads_and_fit_the_eye() {
    let mut bad = String::new();
    for below in ["src", "tests", "benches", "examples", "fuzz"] {
        for s in sources(below) {
            let place = format!("{below}/{}", s.path);
            if !s.text.starts_with("//! ") {
                let _ = writeln!(bad, "{place}: does not begin with a `//!` line");
            }
            let lines = s.text.lines().count();
            if lines > MAX_LINES {
                let _ = writeln!(bad, "{place}: {lines} lines, more than {MAX_LINES}");
            }
        }
    }
    report(&bad);
}

#[test]
fn nothing_is_left_to_do() {
    let mut bad = String::new();
    for below in ["src", "tests", "benches", "examples", "fuzz"] {
        for s in sources(below) {
            for mark in ["todo!", "unimplemented!", "dbg!", "#[ignore", "allow(dead_code"] {
                if s.code.contains(mark) {
                    let _ = writeln!(bad, "{below}/{}: `{mark}`", s.path);
                }
            }
        }
    }
    report(&bad);
}

#[test]
fn no_line_ends_in_a_space() {
    let mut bad = String::new();
    let texts = ["rs", "toml", "md", "c", "cc", "h", "S", "s", "sh", "py", "ins", "ir", "yml"];
    for path in files(root()) {
        if !path.extension().is_some_and(|e| texts.iter().any(|t| e == *t)) {
            continue;
        }
        let Ok(text) = fs::read_to_string(&path) else { continue };
        for (i, line) in text.lines().enumerate() {
            if line.ends_with([' ', '\t', '\r']) {
                let _ = writeln!(bad, "{}:{}: trailing space", path.display(), i + 1);
            }
        }
    }
    report(&bad);
}

/// Lines of `text` that are too long to read, where no formatter looks: prose of a document, or
/// comments of a source file. Rows of tables, code and generated documents are what they are.
fn long_lines(text: &str, is_document: bool) -> Vec<usize> {
    let mut in_code = false;
    let mut long = Vec::new();
    for (i, line) in text.lines().enumerate() {
        let line_of_text = match is_document {
            true => Some(line),
            false => line.trim_start().strip_prefix("//").map(|l| l.trim_start_matches(['/', '!'])),
        };
        let Some(prose) = line_of_text.map(str::trim_start) else { continue };
        in_code ^= prose.starts_with("```");
        let free = in_code || prose.starts_with('|') || prose.contains("https://");
        if !free && line.chars().count() > MAX_COLUMNS {
            long.push(i + 1);
        }
    }
    long
}

#[test]
fn prose_is_wrapped() {
    let mut bad = String::new();
    for path in files(root()) {
        let is_document = path.extension().is_some_and(|e| e == "md");
        if !is_document && path.extension().is_none_or(|e| e != "rs") {
            continue;
        }
        let text = fs::read_to_string(&path).expect("a text");
        if text.contains("\nGenerated from ") {
            continue;
        }
        for line in long_lines(&text, is_document) {
            let _ = writeln!(bad, "{}:{line}: more than {MAX_COLUMNS} columns", path.display());
        }
    }
    report(&bad);
}

#[test]
fn long_prose_is_seen() {
    let long = "x ".repeat(60);
    assert_eq!(long_lines(&format!("short\n{long}\n| {long}|"), true), [2]);
    assert_eq!(long_lines(&format!("```\n{long}\n```\n{long}"), true), [4]);
    assert_eq!(long_lines(&format!("{long}\n    /// {long}\n//! {long}"), false), [2, 3]);
}

#[test]
fn documents_name_files_that_exist() {
    let mut bad = String::new();
    for path in files(root()).into_iter().filter(|p| p.extension().is_some_and(|e| e == "md")) {
        let text = fs::read_to_string(&path).expect("a document");
        // Between backticks: every second part.
        for named in text.split('`').skip(1).step_by(2) {
            let plain = named.chars().all(|c| is_word(c) || matches!(c, '/' | '.' | '-'));
            let ours = ["src/", "tests/", "ci/", "benches/", "fuzz/", "docs/", "examples/"];
            if plain && ours.iter().any(|d| named.starts_with(d)) && !root().join(named).exists() {
                let _ = writeln!(bad, "{}: there is no `{named}`", path.display());
            }
        }
    }
    report(&bad);
}

/// Files of a backend that the other has none of: what they hold is not worth it there.
const ONE_SIDED: &[&str] = &[
    // NaNs are made canonical and boxes kept across loops by code that aarch64 needs less of: its
    // floating point is in one file.
    "emit_float_arith.rs",
    "emit_float_move.rs",
    // Nearly every guest register has a host register on aarch64.
    "values/slots.rs",
    // Vectors of aarch64 hold two doubles, and flags that a fault must take back do not trap.
    "vector_loop.rs",
    // The interpreter executes vectors there.
    "emit_vector_float.rs",
];

#[test]
fn backends_mirror_each_other() {
    let all = sources("src");
    let files = |folder: &str| -> Vec<&str> {
        let names = all.iter().filter_map(|s| s.path.strip_prefix(folder));
        names.filter(|n| !ONE_SIDED.contains(n)).collect()
    };
    assert_eq!(files("backend_x64/"), files("backend_a64/"));
}
