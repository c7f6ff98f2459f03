//! `docs/syscalls.md` and `docs/ioctls.md`: the tables of system calls and requests for people to
//! read.

use crate::linux::table::{Support, Syscall};
use std::fmt::Write as _;

/// What `tests/linux/same` checks of a call, by `tests/linux/same/counts`: how often, and which
/// errors.
fn checked<'a>(counts: &'a str, name: &str) -> Option<&'a str> {
    counts.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))
}

/// The document for `table`. `counts` says how often each call is compared with the host's kernel.
#[must_use]
pub fn markdown(table: &[Syscall], counts: &str) -> String {
    let count = |f: fn(&Support) -> bool| table.iter().filter(|s| f(&s.support)).count();
    let full = count(|s| matches!(s, Support::Full));
    let passed = count(|s| matches!(s, Support::PassThrough));
    let partial = count(|s| matches!(s, Support::Partial(_)));
    let denied = count(|s| matches!(s, Support::Denied(_)));
    let absent = count(|s| matches!(s, Support::Absent(_)));
    let mut out = String::from("# System calls\n\n");
    out.push_str(
        "Generated from `src/linux/table.rs`; `BLESS=1 cargo test linux::doc` writes it anew.\n\n",
    );
    let _ = writeln!(
        out,
        "Of {} numbers of riscv64 Linux, {full} are served in full, {passed} are passed to the \
         host's kernel with\ntheir arguments translated, {partial} are served in part, \
         {denied} answer `EPERM` and\n{absent} `ENOSYS` for the reason given. Numbers that are not listed answer \
         `ENOSYS` too.\n",
        table.len(),
    );
    let number = |line: &str| line.split_once(' ')?.1.split_once(':')?.0.parse::<u64>().ok();
    let _ = writeln!(
        out,
        "The last column tells how often a call is compared with the host's kernel by the programs in\n\
         `tests/linux/same`, and which results it had there: {} lines in all. Those of `tests/linux/*.c`,\n\
         which know themselves what is right, are not counted.\n",
        counts.lines().filter_map(number).sum::<u64>(),
    );
    out.push_str("| Number | Name | Support | | Compared |\n|---|---|---|---|---|\n");
    for s in table {
        let (kind, text) = match s.support {
            Support::Full => ("full", ""),
            Support::PassThrough => ("passed through", ""),
            Support::Partial(text) => ("partial", text),
            Support::Denied(text) => ("denied", text),
            Support::Absent(text) => ("absent", text),
        };
        let checks = checked(counts, s.name).unwrap_or_default();
        let _ = writeln!(out, "| {} | `{}` | {kind} | {text} | {checks} |", s.number, s.name);
    }
    out
}

/// The document about requests of ioctl(2).
#[must_use]
pub fn ioctls() -> String {
    crate::linux::fs::ioctl::markdown()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linux::table::TABLE;
    use std::{env, fs, path::Path};

    #[test]
    fn the_documents_are_current() {
        let counts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/linux/same/counts");
        let counts = fs::read_to_string(counts).unwrap();
        check("docs/syscalls.md", &markdown(TABLE, &counts));
        check("docs/ioctls.md", &ioctls());
    }

    fn check(file: &str, wanted: &str) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        if env::var_os("BLESS").is_some() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, wanted).unwrap();
        }
        let found = fs::read_to_string(&path).unwrap_or_default();
        assert!(found == wanted, "{file} is not current: run with BLESS=1");
    }
}
