//! What is in the files of `/proc` that must tell about the guest and not about the program that
//! runs it. How they are opened and read is in `procfd`.

use crate::linux::abi::{Errno, Fd};
use crate::linux::fs::proc::names::{Listing, ProcFile, Who, classify, directory, listing_at};
use crate::linux::fs::proc::procmaps::{self, Areas};
use crate::linux::fs::proc::procstat;
use crate::linux::process::Thread;
use crate::linux::task::peers;
use std::fs;

/// Which of these an open directory is.
pub(crate) fn listing(t: &Thread, dir: Fd) -> Option<Listing> {
    let path = directory(dir)?;
    let name = path.rsplit(|&b| b == b'/').next()?;
    if !matches!(name, b"fd" | b"fdinfo" | b"map_files") {
        return None;
    }
    listing_at(&t.process.options.files.in_our_proc(dir, &path)?)
}

/// Checks that the guest may open the file.
///
/// # Errors
/// `EACCES` for memory by page where guest addresses are not the host's.
pub(crate) fn may_open(t: &Thread, file: Option<ProcFile>) -> Result<(), Errno> {
    let base = match file {
        Some(ProcFile::Pagemap(None)) => t.memory().base().0 as u64,
        Some(ProcFile::Pagemap(Some(pid))) => peers::find(pid).map_or(0, |other| other.base),
        _ => 0,
    };
    if base == 0 { Ok(()) } else { Err(Errno::EACCES) }
}

/// The file that an open descriptor is, if its contents are made here, and its path.
pub(crate) fn of_descriptor(t: &Thread, fd: Fd) -> Option<(ProcFile, Vec<u8>)> {
    let path = directory(fd)?;
    match classify(Fd::CWD, &t.process.options.files.in_our_proc(fd, &path)?)? {
        ProcFile::Exe | ProcFile::OtherExe(_) | ProcFile::Pagemap(_) => None,
        file => Some((file, path)),
    }
}

/// How the kernel makes the text of a file: the length of the first of its records.
pub(super) fn record_end(file: ProcFile) -> fn(&[u8]) -> usize {
    fn line(text: &[u8]) -> usize {
        text.iter().position(|&b| b == b'\n').map_or(text.len(), |at| at + 1)
    }
    /// Details begin with a capital, the lines of mappings with a hexadecimal digit.
    fn mapping(text: &[u8]) -> usize {
        let next = text.windows(2).position(|w| w[0] == b'\n' && !w[1].is_ascii_uppercase());
        next.map_or(text.len(), |at| at + 1)
    }
    fn paragraph(text: &[u8]) -> usize {
        text.windows(2).position(|w| w == b"\n\n").map_or(text.len(), |at| at + 2)
    }
    match file {
        ProcFile::Maps(_) | ProcFile::NumaMaps(_) | ProcFile::Mounts(_) => line,
        ProcFile::Smaps(_) => mapping,
        ProcFile::CpuInfo => paragraph,
        _ => <[u8]>::len,
    }
}

/// The host's text of a file in the directory of a process.
fn host_text(who: Who, name: &str) -> Result<String, Errno> {
    let bytes = match who {
        None => fs::read(format!("/proc/self/{name}"))?,
        Some(pid) => fs::read(format!("/proc/{pid}/{name}"))?,
    };
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The host's `maps` of a process; its `smaps` of another, where that tells what is the guest's.
///
/// # Errors
/// What the host says.
pub(crate) fn host_maps(who: Who) -> Result<String, Errno> {
    host_text(who, if who.is_some() { "smaps" } else { "maps" })
}

/// What the guest finds in a file, which is at the host's absolute path `path`.
///
/// # Errors
/// What the host says about the file that the content is made from.
pub(crate) fn content(t: &Thread, file: ProcFile, path: &[u8]) -> Result<Vec<u8>, Errno> {
    let host = || -> Result<String, Errno> {
        let bytes = fs::read(crate::linux::host::path_of(path))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    let sized = |who: Who| {
        let maps = if who.is_none() { String::new() } else { host_text(who, "maps")? };
        let program = match who {
            None => t.process.exe.to_string_lossy().into_owned(),
            Some(pid) => {
                let exe = peers::find(pid).ok_or(Errno::ENOENT)?.exe;
                String::from_utf8_lossy(&exe).into_owned()
            }
        };
        Ok::<_, Errno>(procmaps::areas_of(t, who, &maps)?.sizes(&program))
    };
    let areas = |who, name, show: fn(&Areas<'_>) -> String| {
        let text = host_text(who, name)?;
        Ok::<_, Errno>(show(&procmaps::areas_of(t, who, &text)?))
    };
    let text = match file {
        ProcFile::Exe | ProcFile::OtherExe(_) | ProcFile::Pagemap(_) | ProcFile::Mem(_) => {
            return Err(Errno::EIO);
        }
        ProcFile::Mounts(format) => match t.process.options.files.world() {
            Some(world) => return Ok(world.mount_table(format)),
            None => return Ok(fs::read(crate::linux::host::path_of(path))?),
        },
        // What the guest has made of its strings is in its memory, where the host looks if it can.
        ProcFile::Cmdline if peers::find(std::process::id()).is_some() => {
            return Ok(fs::read("/proc/self/cmdline")?);
        }
        ProcFile::Cmdline => return Ok(t.process.cmdline.clone()),
        ProcFile::Auxv => return Ok(t.process.auxv.clone()),
        ProcFile::Environ => return Ok(t.process.environ.clone()),
        ProcFile::Maps(who) => procmaps::areas_of(t, who, &host_maps(who)?)?.maps(),
        ProcFile::Smaps(who) => areas(who, "smaps", |a| a.details())?,
        ProcFile::Rollup(who) => areas(who, "smaps", |a| a.rollup())?,
        ProcFile::NumaMaps(who) => {
            let maps = host_maps(who)?;
            procmaps::numa(&procmaps::areas_of(t, who, &maps)?, &host()?)
        }
        ProcFile::Stat(who) => procstat::stat(&host()?, t, who, &sized(who)?),
        ProcFile::Statm(who) => procstat::statm(&host()?, &sized(who)?),
        ProcFile::Status(who) => procstat::status(&host()?, t, who, &sized(who)?),
        ProcFile::Syscall(who) => procstat::syscall(&host()?, t, who),
        ProcFile::Limits => t.process.limits().correct(&host()?),
        ProcFile::Personality => format!("{:08x}\n", t.process.personality.value()),
        ProcFile::CpuInfo => {
            let host = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
            let cpus = host.lines().filter(|l| l.starts_with("processor")).count();
            procstat::cpu_info(t.cpu.machine().isa(), t.memory().size(), cpus.max(1))
        }
    };
    Ok(text.into_bytes())
}
