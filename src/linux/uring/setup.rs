//! Making a ring (io_uring_setup(2)).

use super::entry::{Entry, WORDS};
use super::name::{find, know};
use super::ring::{Queues, Shape, at};
use crate::linux::abi::{Errno, Fd, GuestPtr, SysResult};
use crate::linux::host::{HostArg, host_call, host_fd};
use crate::linux::process::Thread;
use crate::sys::shared::SharedPages;
use crate::util::PAGE_SIZE;
use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd};
use std::sync::OnceLock;
use std::sync::atomic::Ordering;

/// `struct io_uring_params` as words of 32 bits.
type Params = [u32; 30];
const SQ_ENTRIES: usize = 0;
const CQ_ENTRIES: usize = 1;
const FLAGS: usize = 2;
const FEATURES: usize = 5;
const WQ_FD: usize = 6;
const RESERVED: std::ops::Range<usize> = 7..10;
/// `struct io_sqring_offsets`: head, tail, mask, entries, flags, dropped, array, reserved; then an
/// address.
const SQ_OFFSETS: usize = 10;
const SQ_TAIL: usize = SQ_OFFSETS + 1;
const SQ_FLAGS: usize = SQ_OFFSETS + 4;
const SQ_ADDRESS: usize = SQ_OFFSETS + 8;
/// `struct io_cqring_offsets`: head, tail, mask, entries, overflow, cqes, flags, reserved; then an
/// address.
const CQ_OFFSETS: usize = 20;
const CQ_CQES: usize = CQ_OFFSETS + 5;
const CQ_ADDRESS: usize = CQ_OFFSETS + 8;
/// Offsets of a completion queue.
const CQ_FIELDS: std::ops::Range<usize> = CQ_OFFSETS..CQ_OFFSETS + 7;

/// `IORING_SETUP_*` (`linux/io_uring.h`).
const SQPOLL: u32 = 1 << 1;
const SQ_AFF: u32 = 1 << 2;
const CQSIZE: u32 = 1 << 3;
const CLAMP: u32 = 1 << 4;
const ATTACH_WQ: u32 = 1 << 5;
const COOP_TASKRUN: u32 = 1 << 8;
const TASKRUN_FLAG: u32 = 1 << 9;
const SQE128: u32 = 1 << 10;
const CQE32: u32 = 1 << 11;
const DEFER_TASKRUN: u32 = 1 << 13;
const NO_MMAP: u32 = 1 << 14;
const NO_SQARRAY: u32 = 1 << 16;
const HYBRID_IOPOLL: u32 = 1 << 17;
const CQE_MIXED: u32 = 1 << 18;
/// All that are served: not memory of the program's own (`NO_MMAP`, `REGISTERED_FD_ONLY`), nor
/// entries of both sizes in one ring.
const KNOWN: u32 = (NO_MMAP - 1) | NO_SQARRAY | HYBRID_IOPOLL | CQE_MIXED;

/// `IORING_FEAT_*` up to `IORING_FEAT_RECVSEND_BUNDLE` and `IORING_FEAT_MIN_TIMEOUT`, and
/// `IORING_FEAT_NO_IOWAIT`: not `IORING_FEAT_RW_ATTR`, whose attributes are further addresses.
const FEATURES_KNOWN: u32 = 0xffff | 1 << 17;

/// Entries of the queues at most (`IORING_MAX_ENTRIES`, `IORING_MAX_CQ_ENTRIES`).
const MAX_ENTRIES: u32 = 32768;
const MAX_CQ_ENTRIES: u32 = 2 * MAX_ENTRIES;

/// `IORING_SQ_NEED_WAKEUP`: the program shall enter the kernel.
const NEED_WAKEUP: u32 = 1 << 0;

/// A number of entries as the kernel takes it.
fn entries(wanted: u32, max: u32, clamp: bool) -> Result<u32, Errno> {
    match wanted {
        0 => Err(Errno::EINVAL),
        n if n > max && !clamp => Err(Errno::EINVAL),
        n => Ok(n.min(max).next_power_of_two()),
    }
}

/// Entries of both queues.
fn sizes(wanted: u32, params: &Params) -> Result<(u32, u32), Errno> {
    let clamp = params[FLAGS] & CLAMP != 0;
    let sq = entries(wanted, MAX_ENTRIES, clamp)?;
    if params[FLAGS] & CQSIZE == 0 {
        return Ok((sq, 2 * sq));
    }
    let cq = entries(params[CQ_ENTRIES], MAX_CQ_ENTRIES, clamp)?;
    if cq < sq { Err(Errno::EINVAL) } else { Ok((sq, cq)) }
}

/// Memory for a ring of such a size.
fn queues(sq: u32, cq: u32, params: &Params) -> std::io::Result<(Shape, Queues)> {
    let page = PAGE_SIZE as usize;
    let words = if params[FLAGS] & SQE128 != 0 { 2 * WORDS } else { WORDS };
    // Any completion may be a long one, and there are fields before them.
    let ring = (page + cq as usize * 32).next_multiple_of(page);
    let (host_at, array_at) = (page, page + ring);
    let bytes = (sq as usize * words * 8).next_multiple_of(page);
    let shape = Shape {
        entries: sq,
        words,
        no_array: params[FLAGS] & NO_SQARRAY != 0,
        polled: params[FLAGS] & SQPOLL != 0,
        host_at,
        array_at,
        host_tail: 0,
        completions: [0; 2],
    };
    let queues = Queues {
        shown: SharedPages::new((array_at + 4 * sq as usize).next_multiple_of(page))?,
        entries: SharedPages::new(bytes)?,
        host: SharedPages::new(bytes + page)?,
    };
    Ok((shape, queues))
}

/// Sets up the host's ring. `params` are the guest's, and what the host answers.
fn host_ring(
    wanted: u32,
    params: &mut Params,
    (shape, queues): (&mut Shape, &Queues),
) -> Result<OwnedFd, Errno> {
    let flags = params[FLAGS];
    params[FLAGS] = flags & !(SQPOLL | SQ_AFF) | NO_MMAP | NO_SQARRAY;
    let mut set = |field: usize, address: u64| {
        params[field] = address as u32;
        params[field + 1] = (address >> 32) as u32;
    };
    set(CQ_ADDRESS, (queues.shown.base().0 + shape.host_at) as u64);
    set(SQ_ADDRESS, queues.host.base().0 as u64);
    let args = [wanted.into(), HostArg::of_mut(params)];
    let fd = host_fd(libc::SYS_io_uring_setup, &args)?;
    shape.host_tail = params[SQ_TAIL] as usize;
    shape.completions = [CQ_OFFSETS, CQ_OFFSETS + 1].map(|i| params[i] as usize);
    if params[SQ_ENTRIES] != shape.entries {
        return Err(Errno::ENOSYS);
    }
    Ok(fd)
}

/// True if the host's rings can do what we need, which is found out by trying.
///
/// # Errors
/// What keeps the calling user from having rings.
fn host_has_rings() -> Result<bool, Errno> {
    static KNOWN: OnceLock<bool> = OnceLock::new();
    if let Some(&known) = KNOWN.get() {
        return Ok(known);
    }
    let known = match try_ring() {
        Ok(works) => works,
        Err(Errno::ENOSYS | Errno::EINVAL) => false,
        Err(e) => return Err(e),
    };
    Ok(*KNOWN.get_or_init(|| known))
}

/// Makes a ring of several pages and has an operation answered.
fn try_ring() -> Result<bool, Errno> {
    const ENTRIES: u32 = 256;
    const ANSWER: i32 = -libc::EDOM;
    let mut params = Params::default();
    let (mut shape, queues) = queues(ENTRIES, 2 * ENTRIES, &params)?;
    let fd = host_ring(ENTRIES, &mut params, (&mut shape, &queues))?;
    let entry = Entry([0; WORDS]).answered(ANSWER);
    queues.host.store(0, &entry.0);
    queues.shown.word(shape.host_at + shape.host_tail).store(1, Ordering::Release);
    let one = HostArg::from(1_u32);
    let args = [fd.as_raw_fd().into(), one, one, super::enter::GETEVENTS.into()];
    host_call(libc::SYS_io_uring_enter, &args)?;
    let result = queues.shown.word(shape.host_at + params[CQ_CQES] as usize + 8);
    Ok(result.load(Ordering::Acquire) == ANSWER as u32)
}

/// The host's opinion of a ring with a polling thread, which it then does not get.
fn check_polled(t: &Thread, wanted: u32, params: &Params) -> Result<(), Errno> {
    if params[FLAGS] & SQPOLL == 0 {
        // With its own flag only.
        return if params[FLAGS] & SQ_AFF != 0 { Err(Errno::EINVAL) } else { Ok(()) };
    }
    if params[FLAGS] & (COOP_TASKRUN | TASKRUN_FLAG | DEFER_TASKRUN) != 0 {
        return Err(Errno::EINVAL);
    }
    let mut tried = *params;
    if find(t, Fd(params[WQ_FD] as i32)).is_some_and(|ring| ring.shape.polled) {
        tried[FLAGS] &= !ATTACH_WQ;
    }
    host_fd(libc::SYS_io_uring_setup, &[wanted.into(), HostArg::of_mut(&mut tried)]).map(drop)
}

/// Writes where the guest finds what in its mapping of a ring.
fn describe(params: &mut Params, shape: &Shape) {
    let flags = params[SQ_FLAGS];
    let shift = shape.host_at as u32;
    for offset in &mut params[CQ_FIELDS] {
        *offset += shift;
    }
    let array = if shape.no_array { 0 } else { shape.array_at };
    let own = [at::HEAD, at::TAIL, at::MASK, at::ENTRIES, 0, at::DROPPED, array];
    for (i, offset) in own.into_iter().enumerate() {
        params[SQ_OFFSETS + i] = offset as u32;
    }
    params[SQ_FLAGS] = flags + shift;
    for address in [SQ_ADDRESS, CQ_ADDRESS] {
        params[address..address + 2].fill(0);
    }
}

pub(crate) fn sys_io_uring_setup(
    t: &mut Thread,
    wanted: u32,
    at_guest: GuestPtr<Params>,
) -> SysResult {
    if !host_has_rings()? {
        return Err(Errno::ENOSYS);
    }
    let guest = at_guest.read(t.memory())?;
    if guest[RESERVED].iter().any(|&word| word != 0) || guest[FLAGS] & !KNOWN != 0 {
        return Err(Errno::EINVAL);
    }
    if guest[FLAGS] & CQE_MIXED != 0 && guest[FLAGS] & CQE32 != 0 {
        return Err(Errno::EINVAL);
    }
    let (sq, cq) = sizes(wanted, &guest)?;
    check_polled(t, wanted, &guest)?;
    let mut params = guest;
    if guest[FLAGS] & SQPOLL != 0 && find(t, Fd(guest[WQ_FD] as i32)).is_some() {
        params[FLAGS] &= !ATTACH_WQ;
    }
    let (mut shape, queues) = queues(sq, cq, &guest)?;
    let fd = host_ring(wanted, &mut params, (&mut shape, &queues))?;
    params[FLAGS] = guest[FLAGS];
    params[FEATURES] &= FEATURES_KNOWN;
    for (offset, value) in [(at::MASK, sq - 1), (at::ENTRIES, sq)] {
        queues.shown.word(offset).store(value, Ordering::Relaxed);
    }
    if shape.polled {
        let flags = queues.shown.word(shape.host_at + params[SQ_FLAGS] as usize);
        flags.fetch_or(NEED_WAKEUP, Ordering::Relaxed);
    }
    describe(&mut params, &shape);
    at_guest.write(t.memory(), &params)?;
    know(t, &fd, shape, queues)?;
    Ok(fd.into_raw_fd() as u64)
}

#[cfg(test)]
mod tests {
    use super::super::entry::SIZE;
    use super::*;

    #[test]
    fn sizes_are_the_kernels() {
        let with = |flags, cq| {
            let mut params = Params::default();
            (params[FLAGS], params[CQ_ENTRIES]) = (flags, cq);
            params
        };
        assert_eq!(sizes(5, &with(0, 0)), Ok((8, 16)));
        assert_eq!(sizes(0, &with(CLAMP, 0)), Err(Errno::EINVAL));
        assert_eq!(sizes(32769, &with(0, 0)), Err(Errno::EINVAL));
        assert_eq!(sizes(u32::MAX, &with(CLAMP, 0)), Ok((32768, 65536)));
        assert_eq!(sizes(8, &with(CQSIZE, 4)), Err(Errno::EINVAL));
        assert_eq!(sizes(8, &with(CQSIZE, 9)), Ok((8, 16)));
        assert_eq!(sizes(8, &with(CQSIZE, u32::MAX)), Err(Errno::EINVAL));
        assert_eq!(sizes(8, &with(CQSIZE | CLAMP, u32::MAX)), Ok((8, 65536)));
    }

    #[test]
    fn no_part_of_a_ring_reaches_another() {
        let mut params = Params::default();
        params[FLAGS] = SQE128;
        let (shape, queues) = queues(1, 2, &params).unwrap();
        assert_eq!(shape.host_at, PAGE_SIZE as usize);
        assert_eq!((shape.array_at, queues.shown.len()), (3 * shape.host_at, 4 * shape.host_at));
        assert!(queues.entries.len() >= 2 * SIZE);
        assert!(queues.host.len() > queues.entries.len());
    }
}
