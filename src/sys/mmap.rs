//! Mappings of host memory.
#![allow(unsafe_code, reason = "wraps mmap, mprotect, munmap, mremap, madvise and memfd_create")]
//! # Safety
//! A [`Reservation`] owns a range of addresses that was free when it was made; everything is mapped
//! inside it with `MAP_FIXED`, so no other memory of the process can be hit. Ranges are checked
//! before each call. What the bytes inside mean is the business of the owner.

use super::shared::SharedPages;
use crate::util::HostAddr;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd};

/// What a mapping may be used for, as `PROT_*` bits of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostProt(i32);

impl HostProt {
    /// No access.
    pub const NONE: Self = Self(libc::PROT_NONE);
    /// Reads.
    pub const READ: Self = Self(libc::PROT_READ);
    /// Reads and writes.
    pub const RW: Self = Self(libc::PROT_READ | libc::PROT_WRITE);
    /// Reads and instruction fetches.
    pub const RX: Self = Self(libc::PROT_READ | libc::PROT_EXEC);
    /// Everything; only where the host refuses two views of one memory.
    pub const RWX: Self = Self(libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC);
}

/// Advice: pages of the range shall be made now, ready to be written to (Linux 5.14).
pub const ADVISE_POPULATE: i32 = libc::MADV_POPULATE_WRITE;
/// Advice: core dumps of the host leave the range out.
pub const ADVISE_UNDUMPED: i32 = libc::MADV_DONTDUMP;
/// Advice: the range shall consist of huge pages.
pub const ADVISE_HUGE: i32 = libc::MADV_HUGEPAGE;

/// Advice: the range shall have no huge pages.
pub const ADVISE_NO_HUGE: i32 = libc::MADV_NOHUGEPAGE;
/// Advice: a child of `fork` shall find zeros there (Linux 4.14).
pub const ADVISE_WIPE_ON_FORK: i32 = libc::MADV_WIPEONFORK;

/// A range of addresses that belongs to us, but for holes, and is unmapped when dropped.
#[derive(Debug)]
pub struct Reservation {
    base: HostAddr,
    len: usize,
    /// Parts that stay the host's, as byte offsets, lowest first; they do not touch.
    holes: Vec<Range<usize>>,
    /// What is not mapped is held by a mapping without access; else by nobody wanting it.
    held: bool,
}

fn check(rc: *mut libc::c_void) -> io::Result<HostAddr> {
    if rc == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(HostAddr(rc as usize)) }
}

fn check_zero(rc: i32) -> io::Result<()> {
    if rc == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

impl Reservation {
    /// Reserves `len` bytes of addresses without access and without memory.
    ///
    /// # Errors
    /// What `mmap` says, `ENOMEM` under an address-space limit.
    pub fn new(len: usize) -> io::Result<Self> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: a new mapping at an address of the kernel's choice disturbs nothing.
        let p = unsafe { libc::mmap(std::ptr::null_mut(), len, libc::PROT_NONE, flags, -1, 0) };
        Ok(Self { base: check(p)?, len, holes: Vec::new(), held: true })
    }

    /// As [`Self::new`], at `base`.
    ///
    /// # Errors
    /// What `mmap` says: `EEXIST` if something is mapped there.
    pub fn new_at(base: HostAddr, len: usize) -> io::Result<Self> {
        let flags = libc::MAP_PRIVATE
            | libc::MAP_ANONYMOUS
            | libc::MAP_NORESERVE
            | libc::MAP_FIXED_NOREPLACE;
        let at = base.0 as *mut libc::c_void;
        // SAFETY: MAP_FIXED_NOREPLACE leaves alone what is there.
        let p = unsafe { libc::mmap(at, len, libc::PROT_NONE, flags, -1, 0) };
        let got = Self { base: check(p)?, len, holes: Vec::new(), held: true };
        // Kernels before 4.17 take the address for a hint; what they gave is unmapped here.
        if got.base == base { Ok(got) } else { Err(io::Error::from_raw_os_error(libc::EEXIST)) }
    }

    /// As [`Self::new_at`], but takes no addresses that a limit would count: what is not mapped is
    /// just free. `base` must be far below where the host places mappings by itself, which goes
    /// downwards from the end of its addresses, or upwards from a third of them.
    ///
    /// # Errors
    /// `EEXIST` if something is mapped there, and what reading `/proc/self/maps` says.
    pub fn new_unheld(base: HostAddr, len: usize) -> io::Result<Self> {
        if occupied()?.iter().any(|r| r.start < base.0 + len && base.0 < r.end) {
            return Err(io::Error::from_raw_os_error(libc::EEXIST));
        }
        Ok(Self { base, len, holes: Vec::new(), held: false })
    }

    /// As [`Self::new_at`], but for `holes` (byte offsets, lowest first), which stay as they are.
    ///
    /// # Errors
    /// As there.
    pub fn new_around(base: HostAddr, len: usize, holes: Vec<Range<usize>>) -> io::Result<Self> {
        let mut parts = Vec::new();
        let mut at = 0;
        for hole in holes.iter().chain([&(len..len)]) {
            if at < hole.start {
                parts.push(Self::new_at(HostAddr(base.0 + at), hole.start - at)?);
            }
            at = hole.end;
        }
        // From here on they are one.
        parts.into_iter().for_each(std::mem::forget);
        Ok(Self { base, len, holes, held: true })
    }

    /// False if what is not mapped is just free ([`Self::new_unheld`]).
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.held
    }

    /// First address.
    #[must_use]
    pub fn base(&self) -> HostAddr {
        self.base
    }

    /// Length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// True for a reservation of no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// True if `addr` lies within, also in a hole.
    #[must_use]
    pub fn contains(&self, addr: HostAddr) -> bool {
        addr.0.wrapping_sub(self.base.0) < self.len
    }

    /// Parts that are the host's, as byte offsets, lowest first.
    #[must_use]
    pub fn holes(&self) -> &[Range<usize>] {
        &self.holes
    }

    fn at(&self, range: &Range<usize>) -> io::Result<*mut libc::c_void> {
        let hole = |h: &Range<usize>| h.start < range.end && range.start < h.end;
        if range.start > range.end || range.end > self.len || self.holes.iter().any(hole) {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        Ok((self.base.0 + range.start) as *mut libc::c_void)
    }

    /// Replaces `range` (byte offsets) by fresh zero pages. With `shared`, children of `fork`
    /// share them.
    ///
    /// # Errors
    /// What `mmap` says; `EINVAL` for a range outside.
    pub fn map_anon(&self, range: Range<usize>, prot: HostProt, shared: bool) -> io::Result<()> {
        let kind = if shared { libc::MAP_SHARED } else { libc::MAP_PRIVATE };
        self.map_as(range, prot, kind | libc::MAP_NORESERVE, None, 0)
    }

    /// Replaces `range` by pages without access and without memory.
    ///
    /// # Errors
    /// As [`Self::map_anon`].
    pub fn unmap(&self, range: Range<usize>) -> io::Result<()> {
        if !self.held && !range.is_empty() {
            let at = self.at(&range)?;
            // SAFETY: pages of our own reservation, checked by `at`.
            return check_zero(unsafe { libc::munmap(at, range.len()) });
        }
        self.map_anon(range, HostProt::NONE, false)
    }

    /// Replaces `range` by a view of a file from `offset` bytes on.
    ///
    /// # Errors
    /// What `mmap` says; `EINVAL` for a range outside.
    pub fn map_file(
        &self,
        range: Range<usize>,
        prot: HostProt,
        shared: bool,
        file: BorrowedFd<'_>,
        offset: u64,
    ) -> io::Result<()> {
        let kind = if shared { libc::MAP_SHARED } else { libc::MAP_PRIVATE };
        self.map_as(range, prot, kind | libc::MAP_NORESERVE, Some(file), offset)
    }

    /// Replaces `range` by a mapping of any kind: of a file from `offset` bytes on, or of fresh
    /// pages. `kind` are `MAP_*` flags that do not say where it is; without `MAP_NORESERVE` the
    /// host may refuse it for want of memory (proc_sys_vm(5), `overcommit_memory`).
    ///
    /// # Errors
    /// What `mmap` says; `EINVAL` for a range outside.
    pub fn map_as(
        &self,
        range: Range<usize>,
        prot: HostProt,
        kind: i32,
        file: Option<BorrowedFd<'_>>,
        offset: u64,
    ) -> io::Result<()> {
        let at = self.at(&range)?;
        let anonymous = if file.is_some() { 0 } else { libc::MAP_ANONYMOUS };
        let flags = kind | anonymous | libc::MAP_FIXED;
        let fd = file.map_or(-1, |file| file.as_raw_fd());
        // SAFETY: MAP_FIXED inside our own reservation, checked by `at`.
        check(unsafe { libc::mmap(at, range.len(), prot.0, flags, fd, offset as libc::off_t) })?;
        Ok(())
    }

    /// Replaces `range` by the System V shared memory segment `id`, of that size in whole pages.
    ///
    /// # Errors
    /// What `shmat` says; `EINVAL` for a range outside.
    pub fn attach_segment(&self, range: Range<usize>, id: i32, read_only: bool) -> io::Result<()> {
        let at = self.at(&range)?;
        let access = if read_only { libc::SHM_RDONLY } else { 0 };
        // SAFETY: SHM_REMAP inside our own reservation, checked by `at`; a segment does not change
        // its size, so that it covers what its caller says.
        let got = unsafe { libc::shmat(id, at, libc::SHM_REMAP | access) };
        if got == at { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// Changes what `range` may be used for.
    ///
    /// # Errors
    /// What `mprotect` says; `EINVAL` for a range outside.
    pub fn protect(&self, range: Range<usize>, prot: HostProt) -> io::Result<()> {
        let at = self.at(&range)?;
        // SAFETY: pages of our own reservation, checked by `at`.
        check_zero(unsafe { libc::mprotect(at, range.len(), prot.0) })
    }

    /// Gives advice about `range`; `advice` is a `MADV_*` value.
    ///
    /// # Errors
    /// What `madvise` says; `EINVAL` for a range outside.
    pub fn advise(&self, range: Range<usize>, advice: i32) -> io::Result<()> {
        let at = self.at(&range)?;
        // SAFETY: pages of our own reservation; advice that discards contents discards guest
        // or code bytes, on which no Rust object lives.
        check_zero(unsafe { libc::madvise(at, range.len(), advice) })
    }

    /// Moves the pages of `from` to `to` (byte offsets; `to` may be longer and must not overlap),
    /// and leaves `from` without access, or with `leave` mapped and without its pages. If `from` is
    /// empty, the shared mapping there is shown at `to` too.
    ///
    /// # Errors
    /// What `mremap` says; `EINVAL` for a range outside.
    pub fn move_pages(&self, from: Range<usize>, to: Range<usize>, leave: bool) -> io::Result<()> {
        let (old, new) = (self.at(&from)?, self.at(&to)?);
        let keep = if leave { libc::MREMAP_DONTUNMAP } else { 0 };
        let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED | keep;
        // SAFETY: both ranges are our own reservation's, checked by `at`.
        check(unsafe { libc::mremap(old, from.len(), to.len(), flags, new) })?;
        if leave || from.is_empty() { Ok(()) } else { self.unmap(from) }
    }

    /// Replaces `range` by a second view of shared pages from their start; what is behind their end
    /// cannot be touched.
    ///
    /// # Errors
    /// What `mremap` or `mprotect` say; `EINVAL` for a range outside.
    pub fn show_shared(
        &self,
        range: Range<usize>,
        pages: &SharedPages,
        prot: HostProt,
    ) -> io::Result<()> {
        let at = self.at(&range)?;
        let from = pages.base().0 as *mut libc::c_void;
        let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
        // SAFETY: the target is our own reservation's, checked by `at`; with an old length of 0 the
        // pages stay mapped where they are.
        check(unsafe { libc::mremap(from, 0, range.len(), flags, at) })?;
        self.protect(range, prot)
    }

    /// Extends the mapping whose last page is `last` by the reserved pages `more`, which follow it.
    /// For a moment nothing is mapped there: the kernel places what is mapped without an address
    /// far from here, as high as it can.
    ///
    /// # Errors
    /// What `mremap` says; `EINVAL` for a range outside.
    pub fn extend(&self, last: Range<usize>, more: Range<usize>) -> io::Result<()> {
        let (old, new) = (self.at(&last)?, self.at(&more)?);
        if last.end != more.start {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        // SAFETY: pages of our own reservation, checked by `at`.
        check_zero(unsafe { libc::munmap(new, more.len()) })?;
        // SAFETY: as above; the mapping stays where it is, and grows where nothing is.
        let grown = check(unsafe { libc::mremap(old, last.len(), last.len() + more.len(), 0) });
        if grown.is_err() {
            let base = HostAddr(self.base.0 + more.start);
            std::mem::forget(Self::new_at(base, more.len())?);
        }
        grown.map(drop)
    }

    /// Lets `range`, of a shared mapping, show its file from page `page` on.
    ///
    /// # Errors
    /// What `remap_file_pages` says; `EINVAL` for a range outside.
    pub fn show_file_pages(&self, range: Range<usize>, page: u64) -> io::Result<()> {
        let at = self.at(&range)?;
        let page = page as usize;
        // SAFETY: pages of our own reservation, checked by `at`.
        check_zero(unsafe { libc::remap_file_pages(at, range.len(), 0, page, 0) })
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut at = 0;
        for hole in self.holes.iter().chain([&(self.len..self.len)]) {
            if at < hole.start {
                let start = (self.base.0 + at) as *mut libc::c_void;
                // SAFETY: the part is ours and nothing refers to it once its owner is gone.
                unsafe { libc::munmap(start, hole.start - at) };
            }
            at = hole.end;
        }
    }
}

/// Addresses at which something is mapped, lowest first.
///
/// # Errors
/// What reading `/proc/self/maps` says; `InvalidData` if it has another format.
pub fn occupied() -> io::Result<Vec<Range<usize>>> {
    let line = |line: &str| {
        let (start, end) = line.split(' ').next()?.split_once('-')?;
        let number = |text| usize::from_str_radix(text, 16).ok();
        Some(number(start)?..number(end)?)
    };
    let text = std::fs::read_to_string("/proc/self/maps")?;
    let all: Option<Vec<_>> = text.lines().map(line).collect();
    all.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
}

/// An anonymous file of `len` bytes that can be mapped twice. `exec` asks for one whose mappings
/// may be executable.
///
/// # Errors
/// What `memfd_create` or `ftruncate` say.
pub fn memfd(name: &std::ffi::CStr, len: usize) -> io::Result<File> {
    // SAFETY: `name` is a valid C string; the result is a new descriptor or -1.
    let fd = unsafe { libc::memfd_create(name.as_ptr(), libc::MFD_CLOEXEC) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: `fd` is a descriptor that we just got and nobody else owns.
    let file = unsafe { File::from_raw_fd(fd) };
    file.set_len(len as u64)?;
    Ok(file)
}

/// Maps `len` bytes of zero pages at `at`, unless something is mapped there. True if something is
/// afterwards. Async-signal-safe.
///
/// # Safety
/// The addresses must be the caller's.
pub unsafe fn map_in_handler(at: HostAddr, len: usize) -> bool {
    let flags =
        libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_FIXED_NOREPLACE;
    let prot = libc::PROT_READ | libc::PROT_WRITE;
    let args = [at.0 as u64, len as u64, prot as u64, flags as u64, u64::MAX, 0];
    // SAFETY: the caller's promise; what is there is left alone.
    let got = unsafe { super::syscall::raw(libc::SYS_mmap, args) };
    got == at.0 as i64 || got == -i64::from(libc::EEXIST)
}

/// Bytes of addresses and of data that the process may have (`RLIMIT_AS`, `RLIMIT_DATA`); the
/// greatest number without a limit.
#[must_use]
pub fn limits() -> [u64; 2] {
    [libc::RLIMIT_AS, libc::RLIMIT_DATA].map(|resource| {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: `limit` is a local variable.
        let rc = unsafe { libc::getrlimit(resource, &raw mut limit) };
        if rc == 0 { limit.rlim_cur } else { u64::MAX }
    })
}

/// Size of a host page in bytes.
#[must_use]
pub fn host_page_size() -> usize {
    // SAFETY: reads a constant of the system.
    unsafe { libc::sysconf(libc::_SC_PAGESIZE) as usize }
}

/// Changes the protection of one page that the caller owns. Async-signal-safe; a refusal has no
/// effect.
///
/// # Safety
/// The page must belong to the caller, and no reference into it may exist.
pub unsafe fn protect_page(at: HostAddr, len: usize, prot: HostProt) {
    // SAFETY: the caller's promise.
    unsafe { libc::mprotect(at.0 as *mut libc::c_void, len, prot.0) };
}
