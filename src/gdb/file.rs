//! `vFile`: files as the program sees them (gdb manual, "Host I/O Packets").

use super::packet::{PACKET_SIZE, unhex};
use super::parse::{number, split};
use super::target::{FileError, Target};

/// Answers a packet behind `vFile:`.
pub(super) fn handle(text: &[u8], t: &mut dyn Target) -> Vec<u8> {
    let (name, rest) = split(text, b':').unwrap_or((text, &[]));
    let args: Vec<&[u8]> = rest.splitn(3, |&b| b == b',').collect();
    let answer = match name {
        // There is one file system, and it is the program's.
        b"setfs" => Some(Ok((0, None))),
        b"open" => open(&args, t),
        b"pread" => read(&args, t),
        b"pwrite" => write(&args, t),
        b"fstat" => args.first().and_then(|fd| stat(fd, t)),
        b"close" => {
            args.first().and_then(|fd| Some(t.close_file(descriptor(fd)?).map(|()| (0, None))))
        }
        b"readlink" => path(&args, 0).map(|p| t.read_link(&p).map(|to| (to.len(), Some(to)))),
        b"unlink" => path(&args, 0).map(|p| t.unlink_file(&p).map(|()| (0, None))),
        b"exists" => return exists(&args, t),
        _ => return Vec::new(),
    };
    const EINVAL: FileError = FileError(22);
    match answer.unwrap_or(Err(EINVAL)) {
        Ok((n, None)) => format!("F{n:x}").into_bytes(),
        Ok((n, Some(data))) => [format!("F{n:x};").as_bytes(), &data].concat(),
        Err(FileError(n)) => format!("F-1,{:x}", file_io_errno(n)).into_bytes(),
    }
}

/// A result, and data that comes with it.
type Answer = Result<(usize, Option<Vec<u8>>), FileError>;

/// Numbers of the File-I/O protocol, which knows few errors (gdb manual, "Errno Values").
fn file_io_errno(linux: i32) -> i32 {
    match linux {
        1 | 2 | 4 | 9 | 13 | 14 | 16 | 17 | 19..=24 | 27..=30 => linux,
        36 => 91,
        _ => 9999,
    }
}

fn path(args: &[&[u8]], n: usize) -> Option<Vec<u8>> {
    unhex(args.get(n)?).filter(|p| !p.contains(&0))
}

fn descriptor(text: &[u8]) -> Option<i32> {
    i32::try_from(number(text)?).ok()
}

fn open(args: &[&[u8]], t: &mut dyn Target) -> Option<Answer> {
    let flags = u32::try_from(number(args.get(1)?)?).ok()?;
    let mode = u32::try_from(number(args.get(2)?)?).ok()?;
    let path = path(args, 0)?;
    Some(t.open_file(&path, flags, mode).map(|fd| (fd as usize, None)))
}

fn read(args: &[&[u8]], t: &mut dyn Target) -> Option<Answer> {
    let (fd, len, offset) =
        (descriptor(args.first()?)?, number(args.get(1)?)?, number(args.get(2)?)?);
    let len = usize::try_from(len).unwrap_or(usize::MAX).min(PACKET_SIZE / 2);
    Some(t.read_file(fd, offset, len).map(|data| (data.len(), Some(data))))
}

fn write(args: &[&[u8]], t: &mut dyn Target) -> Option<Answer> {
    let (fd, offset) = (descriptor(args.first()?)?, number(args.get(1)?)?);
    Some(t.write_file(fd, offset, args.get(2)?).map(|n| (n, None)))
}

/// `struct stat` of the File-I/O protocol: 64 bytes, most significant first.
fn stat(fd: &[u8], t: &mut dyn Target) -> Option<Answer> {
    let found = t.stat_file(descriptor(fd)?);
    Some(found.map(|[size, mode, time]| {
        let mut data = Vec::new();
        for word in [0, 0, mode as u32, 1, 0, 0, 0] {
            data.extend(u32::to_be_bytes(word));
        }
        for long in [size, 4096, size.div_ceil(512)] {
            data.extend(long.to_be_bytes());
        }
        for _ in 0..3 {
            data.extend((time as u32).to_be_bytes());
        }
        (data.len(), Some(data))
    }))
}

/// lldb's question, which has answers of its own.
fn exists(args: &[&[u8]], t: &mut dyn Target) -> Vec<u8> {
    let found = path(args, 0).and_then(|p| t.open_file(&p, 0, 0).ok());
    if let Some(fd) = found {
        let _ = t.close_file(fd);
    }
    format!("F,{}", u8::from(found.is_some())).into_bytes()
}
