//! Translations that are kept in files (`--cache`): programs do the same with them, and nothing is
//! used that should not be.

use crate::cli::tiny;
use crate::engines::{guest, rvnative, shown};
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A directory for one test, gone when it ends.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let dir =
            std::env::temp_dir().join(format!("rvnative-cache-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }

    /// The directory of translations.
    fn cache(&self) -> PathBuf {
        self.0.join("code")
    }

    /// The files of translations.
    fn files(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.cache()) else { return Vec::new() };
        let all = entries.map(|entry| entry.unwrap().path());
        let other = ["lock", "notes"].map(|name| Some(name.as_ref()));
        all.filter(|path| !other.contains(&path.file_name())).collect()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// `program` with translations kept in `dir`, in `mode`, printing counters to the file beside it.
fn command(mode: &str, dir: &Path, program: &Path) -> Command {
    let mut command = rvnative();
    let mut cache = std::ffi::OsString::from(format!("{mode}:"));
    cache.push(dir);
    command.arg("run").arg("--cache").arg(cache);
    if program.ends_with("illegal") {
        command.args(["--cpu", "rv64gc"]);
    }
    let stats = dir.with_extension("stats");
    let _ = fs::remove_file(&stats);
    command.arg("--stats").arg("--stats-file").arg(&stats).arg(program);
    command.stdin(Stdio::null());
    command
}

fn run(mode: &str, dir: &Path, program: &Path) -> Output {
    command(mode, dir, program).output().unwrap()
}

/// The sum of a counter over all processes of the last run.
fn counter(dir: &Path, name: &str) -> u64 {
    let text = fs::read_to_string(dir.with_extension("stats")).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok());
    rows.sum()
}

/// That a run of `hello` is right, silent, and used so many kept blocks.
fn expect(dir: &Path, o: &Output, kept: impl Fn(u64) -> bool) {
    assert!(o.status.success() && o.stderr.is_empty(), "{}", shown(o));
    assert!(String::from_utf8_lossy(&o.stdout).contains("Hello"), "{}", shown(o));
    let used = counter(dir, "kept_blocks");
    assert!(kept(used), "{used} kept blocks");
}

fn none(kept: u64) -> bool {
    kept == 0
}

fn some(kept: u64) -> bool {
    kept > 0
}

/// A directory with the translations of `hello`.
fn warm(name: &str) -> Scratch {
    let scratch = Scratch::new(name);
    expect(&scratch.cache(), &run("rw", &scratch.cache(), &guest("hello")), none);
    assert_eq!(scratch.files().len(), 1);
    scratch
}

#[test]
fn programs_do_the_same_with_kept_code() {
    let scratch = Scratch::new("programs");
    let cache = scratch.cache();
    for entry in fs::read_dir(guest("")).unwrap() {
        let program = entry.unwrap().path();
        let plain = run("rw", &scratch.0.join("empty"), &program);
        let _ = fs::remove_dir_all(scratch.0.join("empty"));
        for mode in ["rw", "rw", "ro", "verify"] {
            let o = run(mode, &cache, &program);
            assert_eq!(o.status, plain.status, "{program:?} {mode}: {}", shown(&o));
            assert!(o.stderr.is_empty(), "{program:?} {mode}: {}", shown(&o));
        }
        run("ro", &cache, &program);
        assert!(some(counter(&cache, "kept_blocks")), "{program:?}");
    }
    let verified = rvnative().args(["cache", "verify", "--dir"]).arg(&cache).output().unwrap();
    assert!(verified.status.success(), "{}", shown(&verified));
}

#[test]
fn most_blocks_of_a_second_run_are_kept_ones() {
    let scratch = warm("second");
    let cache = scratch.cache();
    let cold = counter(&cache, "blocks");
    expect(&cache, &run("rw", &cache, &guest("hello")), |kept| kept > cold * 3 / 4);
    assert!(counter(&cache, "blocks") < cold / 4);
    let o = rvnative().args(["cache", "info", "--dir"]).arg(&cache).output().unwrap();
    assert!(String::from_utf8_lossy(&o.stdout).contains("hello"), "{}", shown(&o));
}

#[test]
fn what_is_met_once_is_not_kept() {
    let scratch = Scratch::new("auto");
    let cache = scratch.cache();
    // The first run notes that the code was met, the second one keeps it.
    expect(&cache, &run("auto", &cache, &guest("hello")), none);
    assert!(scratch.files().is_empty());
    let notes = cache.join("notes");
    let noted = fs::read(&notes).unwrap();
    expect(&cache, &run("ro", &cache, &guest("hello")), none);
    expect(&cache, &run("auto", &cache, &guest("hello")), none);
    let cold = counter(&cache, "blocks");
    assert_eq!(scratch.files().len(), 1);
    expect(&cache, &run("auto", &cache, &guest("hello")), |kept| kept > cold * 3 / 4);
    expect(&cache, &run("verify", &cache, &guest("hello")), none);
    let o = rvnative().args(["cache", "verify", "--dir"]).arg(&cache).output().unwrap();
    assert!(o.status.success(), "{}", shown(&o));
    assert_eq!(fs::read(&notes).unwrap(), noted);
    // Wrong notes make a difference to when code is kept only.
    for bytes in [&[][..], &[0xff; 99], &[0xff; 1 << 20]] {
        fs::write(&notes, bytes).unwrap();
        assert!(run("auto", &cache, &guest("calls")).status.success());
        assert_eq!(scratch.files().len(), 1);
    }
    fs::remove_file(&notes).unwrap();
    let target = scratch.0.join("target");
    symlink(&target, &notes).unwrap();
    expect(&cache, &run("auto", &cache, &guest("hello")), some);
    assert!(run("auto", &cache, &guest("calls")).status.success() && !target.exists());
    let o = rvnative().args(["cache", "clear", "--dir"]).arg(&cache).output().unwrap();
    assert!(o.status.success() && !notes.is_symlink(), "{}", shown(&o));
    expect(&cache, &run("auto", &cache, &guest("hello")), none);
    assert!(scratch.files().is_empty());
}

#[test]
fn damaged_files_are_not_used() {
    let scratch = warm("damaged");
    let (cache, file) = (scratch.cache(), scratch.files().remove(0));
    let whole = fs::read(&file).unwrap();
    let blocks = || counter(&cache, "kept_blocks");
    expect(&cache, &run("ro", &cache, &guest("hello")), some);
    let all = blocks();
    // Flipped bits: of what is in the head nothing is used, elsewhere a page's blocks are not.
    for n in 0..24 {
        let mut bytes = whole.clone();
        let at = if n < 8 { n * 7 } else { whole.len() / 24 * n };
        bytes[at] ^= 1 << (n % 8);
        fs::write(&file, &bytes).unwrap();
        expect(&cache, &run("ro", &cache, &guest("hello")), |kept| kept <= all);
        let verified = rvnative().args(["cache", "verify", "--dir"]).arg(&cache).output().unwrap();
        assert_eq!(verified.status.code(), Some(1), "byte {at}: {}", shown(&verified));
    }
    for len in [0, 1, 55, 56, whole.len() / 2, whole.len() - 1] {
        fs::write(&file, &whole[..len]).unwrap();
        expect(&cache, &run("ro", &cache, &guest("hello")), none);
    }
    // What cannot be used is replaced.
    expect(&cache, &run("rw", &cache, &guest("hello")), none);
    expect(&cache, &run("ro", &cache, &guest("hello")), |kept| kept == all);
}

#[test]
fn files_of_others_and_links_are_not_used() {
    let scratch = warm("others");
    let (cache, file) = (scratch.cache(), scratch.files().remove(0));
    let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode));
    for open in [0o640, 0o604, 0o620, 0o602] {
        mode(&file, open).unwrap();
        expect(&cache, &run("ro", &cache, &guest("hello")), none);
    }
    mode(&file, 0o600).unwrap();
    expect(&cache, &run("ro", &cache, &guest("hello")), some);

    let other = scratch.0.join("other");
    fs::hard_link(&file, &other).unwrap();
    expect(&cache, &run("ro", &cache, &guest("hello")), none);
    fs::remove_file(&file).unwrap();
    symlink(&other, &file).unwrap();
    expect(&cache, &run("ro", &cache, &guest("hello")), none);
    fs::remove_file(&file).unwrap();
    fs::rename(&other, &file).unwrap();
    expect(&cache, &run("ro", &cache, &guest("hello")), some);

    if fs::metadata(&file).unwrap().uid() == 0 {
        std::os::unix::fs::chown(&file, Some(12345), None).unwrap();
        expect(&cache, &run("ro", &cache, &guest("hello")), none);
        std::os::unix::fs::chown(&file, Some(0), None).unwrap();
    }
    // A directory is told of, once, also where the program starts others.
    let refused = |cache: &Path| {
        for program in ["hello", "processes"] {
            let o = run("rw", cache, &guest(program));
            let text = String::from_utf8_lossy(&o.stderr).into_owned();
            assert!(o.status.success() && text.matches("rvnative: cache:").count() == 1, "{text}");
            assert_eq!(counter(cache, "kept_blocks"), 0);
        }
    };
    mode(&cache, 0o750).unwrap();
    refused(&cache);
    mode(&cache, 0o700).unwrap();
    let link = scratch.0.join("link");
    symlink(&cache, &link).unwrap();
    refused(&link);
    expect(&cache, &run("ro", &cache, &guest("hello")), some);
}

#[test]
fn a_program_with_rights_of_its_own_uses_none() {
    let scratch = warm("rights");
    if fs::metadata(scratch.cache()).unwrap().uid() != 0 {
        // Only root can make such a program.
        return;
    }
    let own = scratch.0.join("rvnative");
    fs::copy(env!("CARGO_BIN_EXE_rvnative"), &own).unwrap();
    std::os::unix::fs::chown(&own, Some(12345), None).unwrap();
    fs::set_permissions(&own, fs::Permissions::from_mode(0o4755)).unwrap();
    fs::set_permissions(&scratch.0, fs::Permissions::from_mode(0o755)).unwrap();
    let dir = scratch.0.join("open");
    fs::create_dir(&dir).unwrap();
    std::os::unix::fs::chown(&dir, Some(12345), None).unwrap();
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o700)).unwrap();
    let cache = format!("--cache=rw:{}", dir.display());
    let program = scratch.0.join("hello");
    fs::copy(guest("hello"), &program).unwrap();
    let o = Command::new(&own).args(["run", &cache]).arg(program).output().unwrap();
    assert!(o.status.success(), "{}", shown(&o));
    assert!(String::from_utf8_lossy(&o.stderr).contains("rvnative: cache:"), "{}", shown(&o));
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 0);
}

/// A program that jumps behind its first page of code, and ends there with `code`.
fn far_exit(code: u32) -> Vec<u8> {
    const FROM: u32 = 0x10078;
    const TO: u32 = 0x12000;
    let by = TO - FROM;
    let jump = (by >> 1 & 0x3ff) << 21 | (by >> 11 & 1) << 20 | (by >> 12 & 0xff) << 12 | 0x6f;
    let mut words = vec![jump];
    words.resize(by as usize / 4, 0x13);
    words.extend([code << 20 | 10 << 7 | 0x13, 93 << 20 | 17 << 7 | 0x13, 0x73]);
    tiny(&words)
}

#[test]
fn other_code_at_the_same_place_is_translated() {
    let scratch = warm("upgrade");
    let cache = scratch.cache();
    let program = scratch.0.join("program");
    // The same program by another name and inode has the same translations.
    fs::copy(guest("hello"), &program).unwrap();
    expect(&cache, &run("ro", &cache, &program), some);
    // Programs of the same size and with the same first page share a file.
    for (code, mode) in [(3, "rw"), (3, "verify"), (4, "ro"), (4, "rw"), (3, "rw"), (3, "verify")] {
        fs::write(&program, far_exit(code)).unwrap();
        let o = run(mode, &cache, &program);
        assert_eq!(o.status.code(), Some(code as i32), "{mode}: {}", shown(&o));
        assert_eq!(scratch.files().len(), 2);
    }
    fs::write(&program, far_exit(3)).unwrap();
    run("ro", &cache, &program);
    // One block, as jumps forward are followed.
    assert_eq!(counter(&cache, "kept_blocks"), 1);
    fs::write(&program, far_exit(5)).unwrap();
    run("ro", &cache, &program);
    assert_eq!(counter(&cache, "kept_blocks"), 0);
}

#[test]
fn several_processes_write_at_once() {
    let scratch = Scratch::new("writers");
    let cache = scratch.cache();
    let all: Vec<_> = (0..6)
        .map(|_| command("rw", &cache, &guest("hello")).stdout(Stdio::null()).spawn().unwrap())
        .collect();
    for mut child in all {
        assert!(child.wait().unwrap().success());
    }
    expect(&cache, &run("ro", &cache, &guest("hello")), some);
    assert_eq!(scratch.files().len(), 1);
}

#[test]
fn what_cannot_be_written_is_done_without() {
    let scratch = Scratch::new("unwritable");
    let cache = scratch.cache();
    // Files may not be larger than nothing, which the kernel would tell by a signal.
    let script = "ulimit -f 0; exec \"$@\"";
    let arg = format!("--cache=rw:{}", cache.display());
    let inner = rvnative();
    let mut limited = Command::new("sh");
    limited.args(["-c", script, "sh"]).arg(inner.get_program()).args(["run", &arg]);
    let o = limited.arg(guest("hello")).output().unwrap();
    assert!(o.status.success() && o.stderr.is_empty(), "{}", shown(&o));
    assert!(scratch.files().is_empty());
    // Nobody else is to write: nothing is made.
    let absent = scratch.0.join("absent");
    let o = run("ro", &absent, &guest("hello"));
    expect(&absent, &o, none);
    assert!(!absent.exists());
    // An unfinished file is left by who was killed.
    fs::write(cache.join("new-1"), b"rvncode1").unwrap();
    expect(&cache, &run("rw", &cache, &guest("hello")), none);
    expect(&cache, &run("ro", &cache, &guest("hello")), some);
}

#[test]
fn other_options_use_other_files() {
    let scratch = warm("options");
    let cache = scratch.cache();
    for (n, args) in [["--cpu", "rv64gc"], ["--va-bits", "39"]].iter().enumerate() {
        let mut other = rvnative();
        other.arg("run").arg(format!("--cache=rw:{}", cache.display())).args(args);
        let o = other.arg(guest("hello")).output().unwrap();
        assert!(o.status.success(), "{}", shown(&o));
        // The shape of the address space is no matter of translations.
        assert_eq!(scratch.files().len(), 2, "{n}");
    }
    for args in [&["--jit", "off"][..], &["--jit", "verify"], &["--count"], &["--perfmap"]] {
        let before = scratch.files();
        let mut plain = rvnative();
        plain.arg("run").arg(format!("--cache=rw:{}", cache.display())).args(args);
        let o = plain.arg(guest("calls")).output().unwrap();
        assert!(o.status.success(), "{args:?}: {}", shown(&o));
        assert_eq!(scratch.files().len(), before.len(), "{args:?}");
    }
}

#[test]
fn files_are_pruned_and_removed() {
    let scratch = warm("prune");
    let cache = scratch.cache();
    assert!(run("rw", &cache, &guest("calls")).status.success());
    assert_eq!(scratch.files().len(), 2);
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(86400);
    for file in scratch.files() {
        fs::File::options().write(true).open(file).unwrap().set_modified(old).unwrap();
    }
    // Using a file makes it the last to go.
    expect(&cache, &run("ro", &cache, &guest("hello")), some);
    let cache_command = |args: &[&str]| {
        let o = rvnative().arg("cache").args(args).arg("--dir").arg(&cache).output().unwrap();
        assert!(o.status.success(), "{}", shown(&o));
    };
    let sizes: u64 = scratch.files().iter().map(|file| fs::metadata(file).unwrap().len()).sum();
    cache_command(&["prune", &(sizes - 1).to_string()]);
    assert_eq!(scratch.files().len(), 1);
    expect(&cache, &run("ro", &cache, &guest("hello")), some);
    cache_command(&["clear"]);
    assert_eq!(scratch.files().len(), 0);
}
