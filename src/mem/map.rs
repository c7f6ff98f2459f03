//! Reserving the region, mapping into it, and what is known of each mapping.

use super::code::CodePages;
use super::sv48;
use crate::sys::mmap::{HostProt, Reservation, host_page_size, limits as sys_limits};
use crate::sys::shared::SharedPages;
use crate::util::{HostAddr, PAGE_SIZE, RangeMap, Split, page_up};
use std::io;
use std::ops::Range;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How guest addresses become host addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// The address itself: guest address `a` is host address `a`. As little a security boundary as
    /// [`Mode::Guarded`]. One memory of a process at most, and none where the host has something of
    /// its own there; the lowest pages are nobody's.
    Identity,
    /// `base + address` with the full 64 bits. Guard zones catch what strays near the region;
    /// an address far outside may name host memory, so this is not a security boundary.
    Guarded,
    /// `base + (address mod 2^32)`: no guest can name host memory, whatever it computes.
    Sandbox,
}

/// Permissions of a page.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Prot(u8);

impl Prot {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// Loads.
    pub const R: Self = Self(1);
    /// Loads and stores.
    pub const RW: Self = Self(3);
    /// Loads and fetches.
    pub const RX: Self = Self(5);
    /// Everything.
    pub const RWX: Self = Self(7);

    /// From Linux `PROT_*` bits.
    #[must_use]
    pub const fn from_linux(bits: u32) -> Self {
        Self((bits & 7) as u8)
    }

    /// As Linux `PROT_*` bits.
    #[must_use]
    pub const fn linux(self) -> u32 {
        self.0 as u32
    }

    /// True if loads are allowed. As on RISC-V Linux, write permission implies read permission; as
    /// on hosts without execute-only pages, so does execute permission.
    #[must_use]
    pub const fn readable(self) -> bool {
        self.0 != 0
    }

    /// True if stores are allowed.
    #[must_use]
    pub const fn writable(self) -> bool {
        self.0 & 2 != 0
    }

    /// True if fetches are allowed.
    #[must_use]
    pub const fn executable(self) -> bool {
        self.0 & 4 != 0
    }

    pub(super) const fn host(self) -> HostProt {
        if self.writable() {
            HostProt::RW
        } else if self.readable() {
            HostProt::READ
        } else {
            HostProt::NONE
        }
    }
}

impl std::fmt::Debug for Prot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let c = |on, c| if on { c } else { '-' };
        write!(
            f,
            "{}{}{}",
            c(self.0 & 1 != 0, 'r'),
            c(self.writable(), 'w'),
            c(self.executable(), 'x')
        )
    }
}

/// Contents of a mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Backing {
    /// Zero pages; the name is what `/proc/self/maps` prints, such as `[heap]`.
    Anonymous(Option<&'static str>),
    /// A file from `offset` bytes on.
    File {
        /// Path as the guest knows it.
        path: Arc<PathBuf>,
        /// Byte offset of the first page.
        offset: u64,
        /// Device number, for `/proc/self/maps`.
        dev: u64,
        /// Inode number, for `/proc/self/maps`.
        inode: u64,
    },
}

/// Properties of a mapping that the guest has asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traits {
    /// `MAP_GROWSDOWN`: an access below extends it.
    pub grows_down: bool,
    /// `MAP_DROPPABLE`: the host may take its pages away.
    pub droppable: bool,
    /// `MADV_DONTFORK`: children do not have it.
    pub dont_fork: bool,
}

/// One mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// Permissions.
    pub prot: Prot,
    /// `MAP_SHARED`.
    pub shared: bool,
    /// Properties beyond permissions.
    pub traits: Traits,
    /// Contents.
    pub backing: Backing,
}

impl Mapping {
    /// Private zero pages, with the name that `/proc/self/maps` prints.
    #[must_use]
    pub const fn anonymous(prot: Prot, name: Option<&'static str>) -> Self {
        let traits = Traits { grows_down: false, droppable: false, dont_fork: false };
        Self { prot, shared: false, traits, backing: Backing::Anonymous(name) }
    }
}

impl Split for Mapping {
    fn advance(&self, n: u64) -> Self {
        let mut m = self.clone();
        if let Backing::File { offset, .. } = &mut m.backing {
            *offset += n;
        }
        m
    }

    fn joins(&self, len: u64, next: &Self) -> bool {
        self.advance(len) == *next
    }
}

/// Why the region could not be changed.
#[derive(Debug, thiserror::Error)]
pub enum MapError {
    /// Not page aligned, empty, or wraps.
    #[error("unaligned, empty or wrapping range")]
    Invalid,
    /// Not inside the region.
    #[error("outside the guest's address space")]
    OutOfRange,
    /// Something is mapped there, and it was not to be replaced.
    #[error("something is mapped there")]
    Occupied,
    /// Part of the range is not mapped.
    #[error("part of the range is not mapped")]
    NotMapped,
    /// Part of the range is sealed ([`Memory::seal`]).
    #[error("part of the range is sealed")]
    Sealed,
    /// No free range of that size.
    #[error("no free addresses")]
    NoSpace,
    /// The host refused.
    #[error("the host refused: {0}")]
    Host(#[from] io::Error),
}

/// What the guest tells about its use of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advice {
    /// A `MADV_*` value after which the contents are gone, such as `MADV_DONTNEED`.
    Discard(i32),
    /// Any other `MADV_*` value.
    Other(i32),
}

/// The guest's memory.
pub struct Memory {
    pub(super) region: Reservation,
    pub(super) base: HostAddr,
    pub(super) size: u64,
    pub(super) mode: Mode,
    pub(super) state: Mutex<State>,
    /// True while `State::code` has events that nobody has taken.
    pub(super) code_pending: AtomicBool,
    /// See [`Memory::code_version`].
    pub(super) code_version: AtomicU64,
    /// True once a page could be written and executed.
    pub(super) has_writable_code: AtomicBool,
}

/// State behind the memory's lock.
#[derive(Default)]
pub(super) struct State {
    pub(super) map: RangeMap<Mapping>,
    /// Sealed ranges (`mseal`), whose mappings may not change.
    sealed: RangeMap<Mark>,
    pub(super) code: CodePages,
    /// What is left out of core dumps (`MADV_DONTDUMP`).
    pub(super) undumped: RangeMap<Mark>,
    /// The image that the memory was made from, if what is mapped is as it was then.
    pub(super) shown: Option<u64>,
}

/// A property of addresses that says nothing more.
#[derive(Clone, Copy)]
pub(super) struct Mark;

impl Split for Mark {
    fn advance(&self, _: u64) -> Self {
        *self
    }

    fn joins(&self, _: u64, _: &Self) -> bool {
        true
    }
}

impl State {
    pub(super) fn check_seals(&self, range: &Range<u64>) -> Result<(), MapError> {
        let any = self.sealed.overlapping(range.clone()).next().is_some();
        if any { Err(MapError::Sealed) } else { Ok(()) }
    }
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Memory({:?}, {:#x} bytes at {:?})", self.mode, self.size, self.base)
    }
}

/// Least guard zone on either side of a region of 4 GiB or more, in bytes: no 32-bit offset leads
/// out of region and guards.
const GUARD: usize = 4 << 30;
/// Guard zone where addresses are scarce: covers immediates and the widest access.
const SMALL_GUARD: usize = 1 << 20;
/// Where a region of [`Mode::Identity`] may begin, by preference: Linux keeps the first 4 or 64 KiB
/// from programs without privileges (`vm.mmap_min_addr`).
const LOWEST: [usize; 2] = [0x1000, 0x1_0000];

/// Where it begins if nobody is asked.
const UNHELD_LOWEST: usize = LOWEST[1];

/// Whether guest memory can be had from a host with pages of `size` bytes: with larger ones than
/// the guest's (aarch64 kernels may be built with 16 or 64 KiB), parts of a page could not be
/// protected for themselves, and writes to code not be noticed.
fn served(size: u64) -> io::Result<()> {
    if size == PAGE_SIZE {
        return Ok(());
    }
    let why = format!("this host's pages have {} KiB; 4 KiB are needed", size >> 10);
    Err(io::Error::new(io::ErrorKind::Unsupported, why))
}

impl Memory {
    /// Reserves a region for addresses below `size`, a power of two of 1 MiB to 128 TiB. In
    /// `Sandbox` mode the size is 4 GiB whatever is asked for. With 128 TiB in `Identity` mode,
    /// parts may stay the host's.
    ///
    /// # Errors
    /// `Unsupported` on a host with larger pages than the guest's, and what the host says:
    /// `ENOMEM` under an address-space limit, `EEXIST` or `EPERM` where the addresses of
    /// `Identity` mode are not free.
    pub fn new(mode: Mode, size: u64) -> io::Result<Self> {
        served(host_page_size() as u64)?;
        let size = if mode == Mode::Sandbox { 1 << 32 } else { size };
        if !size.is_power_of_two() || !(1 << 20..=sv48::SIZE).contains(&size) {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        // As large as the region, so that a small negative number or an address with one bit too
        // many is surely a fault.
        let guard = if size >= 1 << 32 { GUARD.max(size as usize) } else { SMALL_GUARD };
        let (region, base) = if mode == Mode::Identity && size == sv48::SIZE {
            let mut tries = LOWEST.iter().map(|&low| sv48::reserve(low));
            let first = tries.find_map(Result::ok);
            (first.ok_or_else(|| io::Error::from_raw_os_error(libc::EEXIST))?, HostAddr(0))
        } else if mode == Mode::Identity {
            // Below is nothing, and negative addresses are the kernel's: no guard is needed.
            let end = size as usize + guard;
            let mut tries = LOWEST.iter().map(|&low| Reservation::new_at(HostAddr(low), end - low));
            let region = match tries.find_map(Result::ok) {
                Some(region) => region,
                // Under a limit of addresses only what is mapped may count.
                None if sys_limits()[0] < end as u64 => {
                    Reservation::new_unheld(HostAddr(UNHELD_LOWEST), end - UNHELD_LOWEST)?
                }
                None => return Err(io::Error::from_raw_os_error(libc::EEXIST)),
            };
            (region, HostAddr(0))
        } else {
            let region = Reservation::new(size as usize + 2 * guard)?;
            let base = HostAddr(region.base().0 + guard);
            (region, base)
        };
        let state = Mutex::new(State::default());
        Ok(Self {
            region,
            base,
            size,
            mode,
            state,
            code_pending: AtomicBool::new(false),
            code_version: AtomicU64::new(0),
            has_writable_code: AtomicBool::new(false),
        })
    }

    /// Host address of guest address 0. Nothing of the guest may be accessed through it without
    /// `sys::access` or a host fault handler.
    #[must_use]
    pub fn base(&self) -> HostAddr {
        self.base
    }

    /// First address beyond the guest's address space.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// How guest addresses become host addresses.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// True if addresses count for the host's limit when something is mapped at them, and false if
    /// they have been reserved.
    #[must_use]
    pub fn takes_addresses(&self) -> bool {
        !self.region.is_held()
    }

    /// The address that an access to `addr` really goes to: the same, or its low 32 bits.
    #[must_use]
    pub fn effective(&self, addr: u64) -> u64 {
        match self.mode {
            Mode::Identity | Mode::Guarded => addr,
            Mode::Sandbox => addr & 0xffff_ffff,
        }
    }

    /// The end of the highest range that can be mapped.
    #[must_use]
    pub fn top(&self) -> u64 {
        self.holes().find(|hole| hole.end >= self.size).map_or(self.size, |hole| hole.start)
    }

    /// Guest addresses inside the region that are the host's, lowest first.
    fn holes(&self) -> impl DoubleEndedIterator<Item = Range<u64>> + '_ {
        let from = self.region.base().0.wrapping_sub(self.base.0) as u64;
        self.region.holes().iter().map(move |h| from + h.start as u64..from + h.end as u64)
    }

    /// The first address from `a` on, which is below the size, that is the host's or no guest's.
    pub(super) fn end_from(&self, a: u64) -> u64 {
        self.holes().find(|hole| hole.end > a).map_or(self.size, |hole| hole.start.max(a))
    }

    /// True if part of `range` is the host's.
    pub(super) fn meets_hole(&self, range: &Range<u64>) -> bool {
        self.holes().any(|hole| hole.start < range.end && range.start < hole.end)
    }

    /// `within`, without what is the host's, lowest first.
    fn between_holes(&self, within: Range<u64>) -> Vec<Range<u64>> {
        let mut parts = Vec::new();
        let mut start = within.start;
        for hole in self.holes().filter(|h| h.start < within.end && within.start < h.end) {
            parts.push(start..hole.start.max(start));
            start = hole.end;
        }
        parts.push(start..within.end.max(start));
        parts
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds the map still, for `fork`: until the result is dropped no other thread changes it.
    pub fn freeze(&self) -> impl Drop + use<'_> {
        Frozen { _state: self.lock() }
    }

    /// Where guest addresses of the region are in it.
    pub(super) fn offsets(&self, range: &Range<u64>) -> Range<usize> {
        let offset = |a: u64| (self.base.0 + a as usize) - self.region.base().0;
        offset(range.start)..offset(range.end)
    }

    /// The lowest address that can be mapped.
    #[must_use]
    pub fn lowest(&self) -> u64 {
        self.region.base().0.saturating_sub(self.base.0) as u64
    }

    /// The lowest mapping that ends behind `addr`, and its whole range.
    #[must_use]
    pub fn mapping_from(&self, addr: u64) -> Option<(Range<u64>, Mapping)> {
        let state = self.lock();
        state.map.overlapping(addr..u64::MAX).next().map(|(r, m)| (r, m.clone()))
    }

    /// Number of mappings.
    #[must_use]
    pub fn count(&self) -> usize {
        self.lock().map.count()
    }

    /// As [`whole_pages`], inside the region.
    pub(super) fn pages(&self, addr: u64, len: u64) -> Result<Range<u64>, MapError> {
        let range = whole_pages(addr, len)?;
        if addr < self.lowest() || range.end > self.size || self.meets_hole(&range) {
            return Err(MapError::OutOfRange);
        }
        Ok(range)
    }

    pub(super) fn note_prot(&self, prot: Prot) {
        if prot.writable() && prot.executable() {
            self.has_writable_code.store(true, Ordering::Release);
        }
    }

    /// Maps `len` bytes at page address `addr`: zero pages, or a file if `file` is given (then
    /// `mapping.backing` tells which and from where). Replaces what was there, unless `fresh`.
    ///
    /// # Errors
    /// See [`MapError`]; nothing has changed then.
    pub fn map(
        &self,
        addr: u64,
        len: u64,
        mapping: Mapping,
        file: Option<BorrowedFd<'_>>,
        fresh: bool,
    ) -> Result<(), MapError> {
        let kind = if mapping.shared { libc::MAP_SHARED } else { libc::MAP_PRIVATE };
        self.map_as(addr, len, mapping, file, fresh, kind | libc::MAP_NORESERVE)
    }

    /// As [`Self::map`], with the host's `MAP_*` flags that say what kind of mapping it is.
    ///
    /// # Errors
    /// See [`MapError`]; nothing has changed then.
    pub fn map_as(
        &self,
        addr: u64,
        len: u64,
        mapping: Mapping,
        file: Option<BorrowedFd<'_>>,
        fresh: bool,
        kind: i32,
    ) -> Result<(), MapError> {
        let range = self.pages(addr, len)?;
        let mut state = self.lock();
        if fresh && state.map.overlapping(range.clone()).next().is_some() {
            return Err(MapError::Occupied);
        }
        state.check_seals(&range)?;
        self.forget_code(&mut state, &range);
        self.note_prot(mapping.prot);
        let host = self.offsets(&range);
        let prot = mapping.prot.host();
        match (&mapping.backing, file) {
            (Backing::File { offset, .. }, Some(fd)) => {
                self.region.map_as(host, prot, kind, Some(fd), *offset)?;
            }
            _ => self.region.map_as(host, prot, kind, None, 0)?,
        }
        state.undumped.remove(range.clone());
        state.map.insert(range, mapping);
        Ok(())
    }

    /// As [`Self::map`] of zero pages, which the host may refuse for want of memory.
    ///
    /// # Errors
    /// As there.
    pub fn map_counted(
        &self,
        addr: u64,
        len: u64,
        mapping: Mapping,
        fresh: bool,
    ) -> Result<(), MapError> {
        let kind = if mapping.shared { libc::MAP_SHARED } else { libc::MAP_PRIVATE };
        self.map_as(addr, len, mapping, None, fresh, kind)
    }

    /// Maps the host's System V shared memory segment `id`, which has `len` bytes in whole pages,
    /// at page address `addr`, replacing what was there.
    ///
    /// # Errors
    /// See [`MapError`]; nothing has changed then.
    pub fn map_segment(
        &self,
        addr: u64,
        len: u64,
        mapping: Mapping,
        id: i32,
    ) -> Result<(), MapError> {
        let read_only = !mapping.prot.writable();
        self.replace((addr, len), mapping, |at| self.region.attach_segment(at, id, read_only))
    }

    /// Replaces pages by a mapping that `attach` puts at their offsets in the region.
    fn replace(
        &self,
        (addr, len): (u64, u64),
        mapping: Mapping,
        attach: impl FnOnce(Range<usize>) -> io::Result<()>,
    ) -> Result<(), MapError> {
        let range = self.pages(addr, len)?;
        let mut state = self.lock();
        state.check_seals(&range)?;
        self.forget_code(&mut state, &range);
        self.note_prot(mapping.prot);
        attach(self.offsets(&range))?;
        state.undumped.remove(range.clone());
        state.map.insert(range, mapping);
        Ok(())
    }

    /// Maps `len` bytes of shared pages from their start at page address `addr`, replacing what was
    /// there.
    ///
    /// # Errors
    /// See [`MapError`].
    pub fn map_shared(
        &self,
        addr: u64,
        len: u64,
        mapping: Mapping,
        pages: &SharedPages,
    ) -> Result<(), MapError> {
        let prot = mapping.prot.host();
        self.replace((addr, len), mapping, |at| self.region.show_shared(at, pages, prot))
    }

    /// Maps zero pages, replacing what was there: the short form of [`Self::map`].
    ///
    /// # Errors
    /// See [`MapError`].
    pub fn map_zero(&self, addr: u64, len: u64, prot: Prot) -> Result<(), MapError> {
        self.map(addr, len, Mapping::anonymous(prot, None), None, false)
    }

    /// Unmaps whole pages; parts that are not mapped are passed over, as `munmap` does.
    ///
    /// # Errors
    /// See [`MapError`].
    pub fn unmap(&self, addr: u64, len: u64) -> Result<(), MapError> {
        let range = self.pages(addr, len)?;
        let mut state = self.lock();
        state.check_seals(&range)?;
        self.forget_code(&mut state, &range);
        self.region.unmap(self.offsets(&range))?;
        state.undumped.remove(range.clone());
        state.map.remove(range);
        Ok(())
    }

    /// Changes what may be done with whole pages.
    ///
    /// # Errors
    /// `NotMapped` if a part is not mapped; the parts before it have changed, as with `mprotect`.
    pub fn protect(&self, addr: u64, len: u64, prot: Prot) -> Result<(), MapError> {
        let range = whole_pages(addr, len)?;
        let mut state = self.lock();
        state.check_seals(&range)?;
        let mapped = mapped_prefix(&state.map, &range);
        self.note_prot(prot);
        self.forget_code(&mut state, &mapped);
        // One after the other: what the host allows for one file it may refuse for the next.
        let parts: Vec<_> = state.map.overlapping(mapped.clone()).map(|(r, _)| r).collect();
        for part in parts {
            let part = part.start.max(mapped.start)..part.end.min(mapped.end);
            self.region.protect(self.offsets(&part), prot.host())?;
            state.map.update(part, |m| m.prot = prot);
        }
        if mapped == range { Ok(()) } else { Err(MapError::NotMapped) }
    }

    /// Lets whole pages never be unmapped, moved, replaced or protected otherwise any more, nor
    /// lose their contents where they cannot be written (mseal(2)).
    ///
    /// # Errors
    /// `NotMapped` if a part is not mapped; nothing has changed then.
    pub fn seal(&self, addr: u64, len: u64) -> Result<(), MapError> {
        let range = self.pages(addr, len)?;
        let mut state = self.lock();
        if mapped_prefix(&state.map, &range) != range {
            return Err(MapError::NotMapped);
        }
        state.sealed.insert(range, Mark);
        Ok(())
    }

    /// The mapping at `addr` and its whole range.
    #[must_use]
    pub fn mapping(&self, addr: u64) -> Option<(Range<u64>, Mapping)> {
        self.lock().map.get(addr).map(|(r, m)| (r, m.clone()))
    }

    /// Parts of `range` that are to be left out of core dumps, lowest first.
    #[must_use]
    pub fn left_out_of_cores(&self, range: Range<u64>) -> Vec<Range<u64>> {
        let within = |r: Range<u64>| r.start.max(range.start)..r.end.min(range.end);
        self.lock().undumped.overlapping(range.clone()).map(|(r, _)| within(r)).collect()
    }

    /// All mappings, lowest first.
    #[must_use]
    pub fn mappings(&self) -> Vec<(Range<u64>, Mapping)> {
        self.lock().map.iter().map(|(r, m)| (r, m.clone())).collect()
    }

    /// Start of the highest free range of `len` bytes within `within`, aligned to `align`.
    #[must_use]
    pub fn find_free_down(&self, len: u64, align: u64, within: Range<u64>) -> Option<u64> {
        let (len, align) = (page_up(len)?, align.max(PAGE_SIZE));
        let state = self.lock();
        let mut parts = self.between_holes(within).into_iter().rev();
        parts.find_map(|part| state.map.find_free_down(len, align, part))
    }

    /// Start of the lowest free range of `len` bytes within `within`, aligned to `align`.
    #[must_use]
    pub fn find_free_up(&self, len: u64, align: u64, within: Range<u64>) -> Option<u64> {
        let (len, align) = (page_up(len)?, align.max(PAGE_SIZE));
        let state = self.lock();
        let mut parts = self.between_holes(within).into_iter();
        parts.find_map(|part| state.map.find_free_up(len, align, part))
    }

    /// True if nothing is mapped in the pages that `range` touches, and something could be.
    #[must_use]
    pub fn is_free(&self, range: Range<u64>) -> bool {
        let within = self.lowest()..=self.size;
        within.contains(&range.start)
            && within.contains(&range.end)
            && !self.meets_hole(&range)
            && self.lock().map.overlapping(range).next().is_none()
    }
}

/// Checks that `addr` is a page boundary and turns `len` into whole pages.
pub(super) fn whole_pages(addr: u64, len: u64) -> Result<Range<u64>, MapError> {
    let len = page_up(len).filter(|&l| l != 0).ok_or(MapError::Invalid)?;
    let end = addr.checked_add(len).ok_or(MapError::Invalid)?;
    if addr.is_multiple_of(PAGE_SIZE) { Ok(addr..end) } else { Err(MapError::Invalid) }
}

/// The map's lock, held.
struct Frozen<'a> {
    _state: MutexGuard<'a, State>,
}

impl Drop for Frozen<'_> {
    fn drop(&mut self) {}
}

/// The part of `range` from its start to the first hole.
pub(super) fn mapped_prefix(map: &RangeMap<Mapping>, range: &Range<u64>) -> Range<u64> {
    let mut end = range.start;
    for (r, _) in map.overlapping(range.clone()) {
        if r.start > end {
            break;
        }
        end = r.end.min(range.end);
    }
    range.start..end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn larger_host_pages_are_refused() {
        assert!(served(0x1000).is_ok());
        for size in [0x4000, 0x1_0000] {
            let refused = served(size).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::Unsupported);
            let text = refused.to_string();
            assert!(text.contains(&format!("{} KiB", size >> 10)), "{text}");
        }
    }
}
