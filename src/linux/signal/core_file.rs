//! The file of a core dump, as the kernel lays it out (core(5); kernel: `fs/binfmt_elf.c`,
//! `include/linux/elfcore.h`, `arch/riscv/include/asm/elf.h`).

use crate::cpu::Hart;
use crate::util::PAGE_SIZE;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;

/// Types of notes (`linux/elf.h`).
mod nt {
    pub(crate) const PRSTATUS: u32 = 1;
    pub(crate) const PRFPREG: u32 = 2;
    pub(crate) const PRPSINFO: u32 = 3;
    pub(crate) const AUXV: u32 = 6;
    pub(crate) const FILE: u32 = 0x4649_4c45;
    pub(crate) const SIGINFO: u32 = 0x5349_4749;
}

/// A thread at the end of its process.
#[derive(Clone, Debug)]
pub(crate) struct ThreadNote {
    pub tid: i32,
    /// Blocked signals.
    pub sigmask: u64,
    pub hart: Hart,
    /// Parent, process group and session.
    pub family: [i32; 3],
    /// User and system time, then those of ended children, in microseconds.
    pub times: [u64; 4],
}

/// What is said of the process.
#[derive(Debug)]
pub(crate) struct ProcessNote {
    pub pid: i32,
    /// `CLONE_*`-like flags are not known here: user, group.
    pub ids: [u32; 2],
    pub nice: i8,
    /// Name of the first thread.
    pub name: Vec<u8>,
    /// Arguments, each with its NUL.
    pub args: Vec<u8>,
    pub auxv: Vec<u8>,
    /// The signal's `siginfo_t`.
    pub siginfo: Vec<u8>,
}

/// A part of memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    pub range: Range<u64>,
    /// `PF_*` bits.
    pub flags: u32,
    /// Bytes of its start that are in the file; those behind are not said to be anything.
    pub kept: u64,
    /// Only pages that the process has touched can be other than zero.
    pub sparse: bool,
}

/// A file that is mapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MappedFile {
    pub range: Range<u64>,
    /// In bytes.
    pub offset: u64,
    pub name: Vec<u8>,
}

/// Bytes of a structure, field by field.
#[derive(Default)]
struct Fields(Vec<u8>);

impl Fields {
    fn u8(mut self, v: u8) -> Self {
        self.0.push(v);
        self
    }
    fn u16(mut self, v: u16) -> Self {
        self.0.extend(v.to_le_bytes());
        self
    }
    fn u32(mut self, v: u32) -> Self {
        self.0.extend(v.to_le_bytes());
        self
    }
    fn i32(self, v: i32) -> Self {
        self.u32(v as u32)
    }
    fn u64(mut self, v: u64) -> Self {
        self.0.extend(v.to_le_bytes());
        self
    }
    /// `bytes`, cut or filled with zeros to `len`.
    fn text(mut self, bytes: &[u8], len: usize) -> Self {
        let shown = bytes.len().min(len);
        self.0.extend(&bytes[..shown]);
        self.0.resize(self.0.len() + len - shown, 0);
        self
    }
    /// Zeros up to a multiple of `n`.
    fn align(mut self, n: usize) -> Self {
        self.0.resize(self.0.len().next_multiple_of(n), 0);
        self
    }
}

/// `struct elf_prstatus`.
fn prstatus(t: &ThreadNote, siginfo: &[u8]) -> Vec<u8> {
    // Signals are below 65; the rest is in a note of its own.
    let signal = siginfo.first().copied().unwrap_or(0);
    let [parent, group, session] = t.family;
    let f = Fields::default().i32(i32::from(signal)).i32(0).i32(0);
    let mut f = f.u16(u16::from(signal)).align(8);
    f = f.u64(0).u64(t.sigmask).i32(t.tid).i32(parent).i32(group).i32(session);
    for time in t.times {
        f = f.u64(time / 1_000_000).u64(time % 1_000_000);
    }
    f = f.u64(t.hart.pc);
    for x in &t.hart.x[1..] {
        f = f.u64(*x);
    }
    f.u32(1).align(8).0
}

/// The floating-point registers and `fcsr`, each in a double word.
fn fpregset(hart: &Hart) -> Vec<u8> {
    let f = hart.f.iter().fold(Fields::default(), |f, &v| f.u64(v));
    f.u64(u64::from(hart.fcsr())).0
}

/// `struct elf_prpsinfo`.
fn prpsinfo(p: &ProcessNote, family: [i32; 3]) -> Vec<u8> {
    const ARGS: usize = 80;
    let args = p.args.strip_suffix(b"\0").unwrap_or(&p.args);
    let args: Vec<u8> =
        args.iter().take(ARGS - 1).map(|&b| if b == 0 { b' ' } else { b }).collect();
    let [parent, group, session] = family;
    let f = Fields::default().u8(0).u8(b'R').u8(0).u8(p.nice as u8).align(8).u64(0);
    let f = f.u32(p.ids[0]).u32(p.ids[1]).i32(p.pid).i32(parent).i32(group).i32(session);
    f.text(&p.name, 16).text(&args, ARGS).0
}

/// `NT_FILE`: count, page size, then place and offset in pages of each, then the names.
fn files(all: &[MappedFile]) -> Vec<u8> {
    let mut f = Fields::default().u64(all.len() as u64).u64(PAGE_SIZE);
    for m in all {
        f = f.u64(m.range.start).u64(m.range.end).u64(m.offset / PAGE_SIZE);
    }
    all.iter().fold(f, |f, m| f.text(&m.name, m.name.len()).u8(0)).0
}

fn note(kind: u32, desc: &[u8]) -> Vec<u8> {
    const NAME: &[u8] = b"CORE\0";
    let f = Fields::default().u32(NAME.len() as u32).u32(desc.len() as u32).u32(kind);
    f.text(NAME, NAME.len()).align(4).text(desc, desc.len()).align(4).0
}

/// All notes; the first of `threads` is the one that the signal hit.
fn notes(p: &ProcessNote, threads: &[ThreadNote], mapped: &[MappedFile]) -> Vec<u8> {
    let mut all = Vec::new();
    for (i, t) in threads.iter().enumerate() {
        all.extend(note(nt::PRSTATUS, &prstatus(t, &p.siginfo)));
        if i == 0 {
            all.extend(note(nt::PRPSINFO, &prpsinfo(p, t.family)));
            all.extend(note(nt::SIGINFO, &p.siginfo));
            all.extend(note(nt::AUXV, &p.auxv));
            all.extend(note(nt::FILE, &files(mapped)));
        }
        all.extend(note(nt::PRFPREG, &fpregset(&t.hart)));
    }
    all
}

const EM_RISCV: u16 = 243;
const ET_CORE: u16 = 4;
const PT_LOAD: u32 = 1;
const PT_NOTE: u32 = 4;
/// Number of program headers from which on it is kept elsewhere.
const PN_XNUM: usize = 0xffff;
const EHDR: u64 = 64;
const PHDR: u64 = 56;
const SHDR: u64 = 64;

/// Everything before the contents of memory, and where these begin.
fn headers(
    p: &ProcessNote,
    threads: &[ThreadNote],
    mapped: &[MappedFile],
    segments: &[Segment],
) -> (Vec<u8>, u64) {
    let notes = notes(p, threads, mapped);
    let count = segments.len() + 1;
    let many = count >= PN_XNUM;
    let notes_at = EHDR + PHDR * count as u64;
    let data = (notes_at + notes.len() as u64).next_multiple_of(PAGE_SIZE);
    let kept: u64 = segments.iter().map(|s| s.kept).sum();
    let f = Fields::default().text(b"\x7fELF\x02\x01\x01", 16).u16(ET_CORE).u16(EM_RISCV).u32(1);
    let f = f.u64(0).u64(EHDR).u64(if many { data + kept } else { 0 }).u32(0);
    let f = f.u16(EHDR as u16).u16(PHDR as u16).u16(count.min(PN_XNUM) as u16);
    let mut f = if many { f.u16(SHDR as u16).u16(1).u16(0) } else { f.u16(0).u16(0).u16(0) };
    let header = |f: Fields, kind, flags, offset, addr, in_file, in_memory, align| {
        f.u32(kind).u32(flags).u64(offset).u64(addr).u64(0).u64(in_file).u64(in_memory).u64(align)
    };
    f = header(f, PT_NOTE, 0, notes_at, 0, notes.len() as u64, 0, 4);
    let mut at = data;
    for s in segments {
        let len = s.range.end - s.range.start;
        f = header(f, PT_LOAD, s.flags, at, s.range.start, s.kept, len, PAGE_SIZE);
        at += s.kept;
    }
    let mut bytes = f.0;
    bytes.extend(notes);
    (bytes, data)
}

/// Where a core goes: bytes that are zero are left out where that can be.
pub(crate) struct Target {
    pub file: File,
    /// Bytes that may be written (`RLIMIT_CORE`).
    pub limit: u64,
    /// It is a file, and not a pipe.
    pub seeks: bool,
    written: u64,
    holes: u64,
    end: u64,
}

impl Target {
    pub(crate) fn new(file: File, limit: u64, seeks: bool) -> Self {
        Self { file, limit, seeks, written: 0, holes: 0, end: 0 }
    }

    fn skip(&mut self, len: u64) {
        self.holes += len;
        self.end += len;
    }

    /// A page of zeros, which counts as the kernel counts it, and takes no room.
    fn put_zeros(&mut self) -> io::Result<()> {
        if self.limit.saturating_sub(self.written) < PAGE_SIZE {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.written += PAGE_SIZE;
        self.skip(PAGE_SIZE);
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.jump()?;
        if self.limit.saturating_sub(self.written) < bytes.len() as u64 {
            // As by the kernel, nothing is cut.
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.file.write_all(bytes)?;
        self.written += bytes.len() as u64;
        self.end += bytes.len() as u64;
        Ok(())
    }

    /// Does what was skipped.
    fn jump(&mut self) -> io::Result<()> {
        let holes = std::mem::take(&mut self.holes);
        if self.seeks {
            if holes != 0 {
                self.file.seek(SeekFrom::Current(holes as i64))?;
            }
            return Ok(());
        }
        io::copy(&mut io::repeat(0).take(holes), &mut self.file).map(drop)
    }

    fn finish(mut self) -> io::Result<()> {
        if self.seeks && self.holes != 0 { self.file.set_len(self.end) } else { self.jump() }
    }
}

/// What memory is read from, at host addresses.
pub(crate) struct Source {
    /// `/proc/self/mem`.
    pub mem: File,
    /// Host address of guest address 0.
    pub base: u64,
    /// `/proc/self/pagemap`.
    pub pages: Option<File>,
}

/// Pages that are looked at at once.
const STEP: u64 = 1 << 16;

impl Source {
    /// Calls `f` with each run of pages of `range` that there are, or all pages where the host
    /// does not tell. `only_own`: pages that are the process's alone, not a file's.
    fn present(
        &self,
        range: &Range<u64>,
        only_own: bool,
        f: &mut dyn FnMut(Range<u64>) -> io::Result<()>,
    ) -> io::Result<()> {
        const PRESENT: u64 = 1 << 63;
        const SWAPPED: u64 = 1 << 62;
        const OF_FILE: u64 = 1 << 61;
        let Some(pages) = &self.pages else { return f(range.clone()) };
        let mut entries = vec![0_u8; (STEP * 8) as usize];
        let mut at = range.start;
        while at < range.end {
            let n = ((range.end - at) / PAGE_SIZE).min(STEP);
            let entries = &mut entries[..n as usize * 8];
            if pages.read_exact_at(entries, (self.base + at) / PAGE_SIZE * 8).is_err() {
                return f(at..range.end);
            }
            let there = |i: u64| {
                let e = &entries[i as usize * 8..][..8];
                let e = u64::from_le_bytes(e.try_into().unwrap_or_default());
                e & (PRESENT | SWAPPED) != 0 && !(only_own && e & OF_FILE != 0)
            };
            let mut i = 0;
            while i < n {
                let run = (i..n).take_while(|&k| there(k)).count() as u64;
                if run != 0 {
                    f(at + i * PAGE_SIZE..at + (i + run) * PAGE_SIZE)?;
                }
                i += run.max(1);
            }
            at += n * PAGE_SIZE;
        }
        Ok(())
    }

    /// True if the process has written to a page of `range`, as far as the host tells.
    pub(crate) fn has_own(&self, range: &Range<u64>) -> bool {
        self.present(range, true, &mut |_| Err(io::ErrorKind::Other.into())).is_err()
    }

    /// Copies the pages of `range` that hold anything.
    fn copy(&self, range: Range<u64>, to: &mut Target, buffer: &mut [u8]) -> io::Result<()> {
        let mut at = range.start;
        while at < range.end {
            let want = ((range.end - at) as usize).min(buffer.len());
            // A page that cannot be read, such as one behind the end of a file, is a hole.
            let got = self.mem.read_at(&mut buffer[..want], self.base + at).unwrap_or(0);
            let got = got / PAGE_SIZE as usize * PAGE_SIZE as usize;
            for page in buffer[..got].chunks(PAGE_SIZE as usize) {
                if page.iter().all(|&b| b == 0) { to.put_zeros()? } else { to.put(page)? }
            }
            if got == 0 {
                to.skip(PAGE_SIZE);
            }
            at += (got as u64).max(PAGE_SIZE);
        }
        Ok(())
    }

    fn write_segment(&self, s: &Segment, to: &mut Target, buffer: &mut [u8]) -> io::Result<()> {
        let kept = s.range.start..s.range.start + s.kept;
        if !s.sparse {
            return self.copy(kept, to, buffer);
        }
        let mut at = kept.start;
        self.present(&kept, false, &mut |run| {
            to.skip(run.start - at);
            at = run.end;
            self.copy(run, to, buffer)
        })?;
        to.skip(kept.end - at);
        Ok(())
    }
}

/// Writes a core. What the limit does not allow is missing at its end.
///
/// # Errors
/// What writing says, `FileTooLarge` at the limit.
pub(crate) fn write(
    p: &ProcessNote,
    threads: &[ThreadNote],
    mapped: &[MappedFile],
    segments: &[Segment],
    source: &Source,
    mut to: Target,
) -> io::Result<()> {
    let (bytes, data) = headers(p, threads, mapped, segments);
    to.put(&bytes)?;
    to.skip(data - bytes.len() as u64);
    let mut buffer = vec![0; 1 << 20];
    for s in segments {
        source.write_segment(s, &mut to, &mut buffer)?;
    }
    if segments.len() + 1 >= PN_XNUM {
        // The one section header says how many program headers there are.
        let count = segments.len() as u32 + 1;
        let f = Fields::default().u32(0).u32(0).u64(0).u64(0).u64(0).u64(1).u32(0).u32(count);
        to.put(&f.u64(0).u64(0).0)?;
    }
    to.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thread() -> ThreadNote {
        let mut hart = Hart::new();
        (hart.pc, hart.x[2], hart.f[31]) = (0x1234, 0x5678, 0x9abc);
        ThreadNote { tid: 7, sigmask: 0x80, hart, family: [1, 2, 3], times: [1_500_000, 0, 0, 0] }
    }

    fn process() -> ProcessNote {
        ProcessNote {
            pid: 7,
            ids: [1000, 1001],
            nice: -5,
            name: b"name".to_vec(),
            args: b"a\0b c\0".to_vec(),
            auxv: vec![0; 16],
            siginfo: [11, 0, 1]
                .map(i32::to_le_bytes)
                .concat()
                .into_iter()
                .chain([0; 116])
                .collect(),
        }
    }

    /// Sizes and places are those that debuggers look for (BFD, `riscv_elf_grok_prstatus`).
    #[test]
    fn structures_have_the_layout_of_riscv64() {
        let status = prstatus(&thread(), &process().siginfo);
        assert_eq!(status.len(), 376);
        assert_eq!(status[12..14], [11, 0]);
        assert_eq!(status[32], 7);
        assert_eq!(status[48..64], [1_u64.to_le_bytes(), 500_000_u64.to_le_bytes()].concat());
        assert_eq!(status[112..120], 0x1234_u64.to_le_bytes());
        assert_eq!(status[128..136], 0x5678_u64.to_le_bytes());
        let info = prpsinfo(&process(), [1, 2, 3]);
        assert_eq!(info.len(), 136);
        assert_eq!(&info[40..45], b"name\0");
        assert_eq!(&info[56..62], b"a b c\0");
        assert_eq!(fpregset(&thread().hart).len(), 33 * 8);
    }

    #[test]
    fn more_segments_than_a_header_can_count_are_counted_behind_everything() {
        let one = |i: u64| Segment {
            range: i * PAGE_SIZE..(i + 1) * PAGE_SIZE,
            flags: 4,
            kept: 0,
            sparse: true,
        };
        let segments: Vec<Segment> = (0..70_000).map(one).collect();
        let (bytes, data) = headers(&process(), &[thread()], &[], &segments);
        assert_eq!(bytes[56..64], [0xff, 0xff, 64, 0, 1, 0, 0, 0]);
        assert_eq!(bytes[40..48], data.to_le_bytes());
        let (few, _) = headers(&process(), &[thread()], &[], &segments[..3]);
        assert_eq!(few[56..64], [4, 0, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn what_the_limit_does_not_allow_is_missing() {
        let file = crate::sys::mmap::memfd(c"target", 0).unwrap();
        let mut to = Target::new(file.try_clone().unwrap(), 10, true);
        to.put(b"12345678").unwrap();
        to.skip(100);
        assert!(to.put(b"abcd").is_err());
        assert_eq!(file.metadata().unwrap().len(), 8);
        let mut to = Target::new(crate::sys::mmap::memfd(c"other", 0).unwrap(), 10, true);
        to.skip(4096);
        let copy = to.file.try_clone().unwrap();
        to.finish().unwrap();
        assert_eq!(copy.metadata().unwrap().len(), 4096);
    }
}
