//! Kept translations: `--cache`, and `rvnative cache`.

use super::fail::{Failure, describe};
use super::flags::{CacheCommand, CacheFlags};
use super::settings::{Key, Settings};
use rvnative::runtime::{KeptCode, KeptUse, MAX_KEPT, Options, kept_files, prune_kept};
use std::ffi::{OsStr, OsString};
use std::io::{self, Write as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

/// What `--cache` can say before a directory and a colon, or alone.
const USES: [(&str, Option<KeptUse>); 5] = [
    ("off", None),
    ("auto", Some(KeptUse::Auto)),
    ("ro", Some(KeptUse::Read)),
    ("rw", Some(KeptUse::ReadWrite)),
    ("verify", Some(KeptUse::Verify)),
];

/// How translations are kept, and where.
fn parse(value: &OsStr) -> Result<Option<(KeptUse, PathBuf)>, Failure> {
    let bytes = value.as_bytes();
    if bytes.starts_with(b"/") {
        return Ok(Some((KeptUse::ReadWrite, PathBuf::from(value))));
    }
    let mut halves = bytes.splitn(2, |byte| *byte == b':');
    let word = halves.next().unwrap_or_default();
    let dir = halves.next().map(|dir| PathBuf::from(OsString::from_vec(dir.to_vec())));
    let known = USES.iter().find(|(name, _)| name.as_bytes() == word);
    match (known, dir) {
        (Some((_, None)), None) => Ok(None),
        (Some((_, Some(how))), None) => Ok(Some((*how, default_dir()?))),
        (Some((_, Some(how))), Some(dir)) if dir.is_absolute() => Ok(Some((*how, dir))),
        _ => {
            let what = format_args!("`{}` is no value of --cache", value.display());
            Err(Failure::new(what).hint(
                "off, auto, ro, rw or verify, with :DIR behind it or not, or DIR: from the root on",
            ))
        }
    }
}

/// The user's directory of translations.
fn default_dir() -> Result<PathBuf, Failure> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
    let cache = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")));
    let what = "no directory for translations: neither XDG_CACHE_HOME nor HOME says one";
    Ok(cache.ok_or_else(|| Failure::new(what))?.join("rvnative/code"))
}

/// Has translations kept as the settings say, which then say the same wherever programs are started
/// that the guest starts. What cannot be done is told to the user once, if `tells`.
pub(super) fn set_up(
    settings: &mut Settings,
    machine: &mut Options,
    tells: bool,
) -> Result<(), Failure> {
    let Some(value) = settings.get(Key::Cache) else { return Ok(()) };
    let Some((how, dir)) = parse(value)? else { return Ok(()) };
    match KeptCode::new(&dir, how) {
        Ok(kept) => {
            machine.kept_code = Some(Arc::new(kept));
            let name = USES.iter().find(|(_, known)| *known == Some(how));
            let mut value = OsString::from(name.map_or("off", |(name, _)| name));
            value.push(":");
            value.push(&dir);
            settings.set(Key::Cache, value);
        }
        Err(e) => {
            if tells && !(how == KeptUse::Read && e.kind() == io::ErrorKind::NotFound) {
                let text = format!("rvnative: cache: {}: {}\n", dir.display(), describe(&e));
                let _ = io::stderr().write_all(text.as_bytes());
            }
            settings.set(Key::Cache, "off");
        }
    }
    Ok(())
}

/// `rvnative cache`.
pub(super) fn cache(flags: &CacheFlags) -> Result<ExitCode, Failure> {
    let value = std::env::var_os("RVNATIVE_CACHE").filter(|value| !value.is_empty());
    let from_variable = || match value.as_deref().map(parse).transpose()?.flatten() {
        Some((_, dir)) => Ok(dir),
        None => default_dir(),
    };
    let dir = match &flags.dir {
        Some(dir) => std::path::absolute(dir)?,
        None => from_variable()?,
    };
    let failed = |e: io::Error| Failure::file(&dir, &e).code(Failure::SETUP);
    let none = |e: &io::Error| e.kind() == io::ErrorKind::NotFound;
    match &flags.command {
        CacheCommand::Info => match kept_files(&dir) {
            Err(e) if none(&e) => println!("{}: none", dir.display()),
            files => info(&dir, &files.map_err(failed)?),
        },
        CacheCommand::Clear | CacheCommand::Prune { .. } => {
            let most = match flags.command {
                CacheCommand::Prune { size } => size.unwrap_or(MAX_KEPT),
                _ => 0,
            };
            let (files, bytes) = match prune_kept(&dir, most) {
                Err(e) if none(&e) => (0, 0),
                other => other.map_err(failed)?,
            };
            println!("{files} files, {bytes} bytes removed");
        }
        CacheCommand::Verify => {
            let files = match kept_files(&dir) {
                Err(e) if none(&e) => Vec::new(),
                files => files.map_err(failed)?,
            };
            let bad: Vec<_> =
                files.iter().filter(|file| file.of.is_none() || file.blocks.1 > 0).collect();
            for file in &bad {
                println!("{}: not whole", dir.join(&file.file).display());
            }
            println!("{} files, {} of them not whole", files.len(), bad.len());
            return Ok(ExitCode::from(u8::from(!bad.is_empty())));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn info(dir: &Path, files: &[rvnative::runtime::KeptFileInfo]) {
    let total: u64 = files.iter().map(|file| file.size).sum();
    let blocks: usize = files.iter().map(|file| file.blocks.0).sum();
    println!("{}: {} files, {blocks} blocks, {total} bytes", dir.display(), files.len());
    for file in files {
        let of = file.of.as_deref().unwrap_or("(not whole)");
        println!("{:>10} {:>8}  {of}", file.size, file.blocks.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_say_how_and_where() {
        let said = |text: &str| parse(text.as_ref()).ok();
        assert_eq!(said("off"), Some(None));
        for (name, how) in USES.into_iter().filter_map(|(name, how)| Some((name, how?))) {
            assert_eq!(said(&format!("{name}:/a:b")), Some(Some((how, "/a:b".into()))));
        }
        assert_eq!(said("/a"), Some(Some((KeptUse::ReadWrite, "/a".into()))));
        for bad in ["", "on", "rw:", "rw:a", "off:/a", "a/b"] {
            assert_eq!(said(bad), None, "{bad}");
        }
    }
}
