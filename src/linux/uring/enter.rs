//! Submitting entries and waiting for completions (io_uring_enter(2)).

use super::convert::{Conversion, Plan};
use super::entry::{DRAIN, Entry, LINKS, WORDS};
use super::name::{Name, REGISTERED_RING};
use super::ring::{Common, Ring, at};
use super::serve::serve;
use crate::linux::abi::{Errno, GuestPtr, SigSet, SysResult};
use crate::linux::fs::poll::wait_mask;
use crate::linux::host::{HostArg, address_of, host_call};
use crate::linux::process::Thread;
use crate::linux::signal::actions::WaitMask;
use crate::mem::Access;
use std::sync::atomic::Ordering;

/// `IORING_ENTER_*` (`linux/io_uring.h`).
pub(super) const GETEVENTS: u32 = 1 << 0;
const SQ_WAKEUP: u32 = 1 << 1;
const SQ_WAIT: u32 = 1 << 2;
const EXT_ARG: u32 = 1 << 3;
const ABS_TIMER: u32 = 1 << 5;
const NO_IOWAIT: u32 = 1 << 7;
/// All that are served: not arguments in registered memory (`IORING_ENTER_EXT_ARG_REG`).
const KNOWN: u32 =
    GETEVENTS | SQ_WAKEUP | SQ_WAIT | EXT_ARG | REGISTERED_RING | ABS_TIMER | NO_IOWAIT;

/// `struct io_uring_getevents_arg`: mask, its size and the least time to wait, time to wait.
type ExtArg = [u64; 3];

/// Tells the host to take `count` entries from its queue.
fn host_enter(name: Name, count: u32) -> SysResult {
    let flags = if name.registered { REGISTERED_RING } else { 0 };
    let args = [name.number.into(), count.into(), 0_u32.into(), flags.into()];
    host_call(libc::SYS_io_uring_enter, &args)
}

/// Entries on their way from the guest's queue to the host's.
struct Batch<'a> {
    ring: &'a Ring,
    name: Name,
    /// Entries in the host's queue that the host has not been told of.
    waiting: u32,
    /// Entries that the host has taken in this call.
    taken: u32,
    /// What those that are waiting refer to.
    conversions: Vec<Conversion>,
}

impl Batch<'_> {
    fn put(&mut self, entry: &Entry, rest: &[u64; WORDS]) {
        let head = self.ring.common(Common::HostHead).load(Ordering::Relaxed);
        let slot = head.wrapping_add(self.waiting) & (self.ring.shape.entries - 1);
        self.ring.set_host_entry(slot, entry, rest);
        self.waiting += 1;
    }

    /// Lets the host take what is waiting. False if it has not taken all: it stops at an entry that
    /// it refuses.
    fn flush(&mut self, t: &Thread) -> Result<bool, Errno> {
        let waiting = std::mem::take(&mut self.waiting);
        if waiting == 0 && self.taken != 0 {
            return Ok(true);
        }
        let ring = self.ring;
        let head = ring.common(Common::HostHead);
        let start = head.load(Ordering::Relaxed);
        ring.host_tail().store(start.wrapping_add(waiting), Ordering::Release);
        // Of an empty queue nothing is taken; the host still says who may not submit.
        let result = host_enter(self.name, waiting.max(1));
        self.conversions.drain(..).for_each(|mut c| c.submitted(t));
        let taken = result.unwrap_or(0).min(u64::from(waiting)) as u32;
        for i in 0..waiting {
            let slot = start.wrapping_add(i) & (ring.shape.entries - 1);
            ring.set_host_entry(slot, &Entry([0; WORDS]), &[0; WORDS]);
        }
        let now = start.wrapping_add(taken);
        head.store(now, Ordering::Relaxed);
        ring.host_tail().store(now, Ordering::Release);
        self.advance(taken);
        self.taken += taken;
        result.map(|_| taken == waiting)
    }

    /// Puts a chain of entries, or a single one, into the host's queue, and takes them out of
    /// `chain`. False if the host has refused one before.
    fn put_chain(&mut self, t: &mut Thread, chain: &mut Vec<Link>) -> Result<bool, Errno> {
        let mut conversion = Conversion::new();
        for link in chain.iter_mut() {
            link.plan = conversion.convert(t, &mut link.entry);
        }
        if chain.iter().any(|link| link.plan == Plan::Here) {
            if self.ring.common(Common::Restricted).load(Ordering::Relaxed) != 0 {
                plan_instead(chain, Plan::Answer(-libc::EACCES));
            } else if !is_at_front(chain) {
                plan_instead(chain, Plan::Refuse);
            } else if !self.flush(t)? {
                return Ok(false);
            } else {
                serve_front(t, chain)?;
            }
        }
        for link in chain.drain(..) {
            let entry = match link.plan {
                Plan::Pass => link.entry,
                Plan::Answer(result) => link.entry.answered(result),
                Plan::Refuse | Plan::Here => link.entry.refused(),
            };
            self.put(&entry, &link.rest);
        }
        self.conversions.push(conversion);
        Ok(true)
    }

    /// Moves the head of the guest's queue.
    fn advance(&self, by: u32) {
        let head = self.ring.common(Common::Head);
        let now = head.load(Ordering::Relaxed).wrapping_add(by);
        head.store(now, Ordering::Relaxed);
        self.ring.guest(at::HEAD).store(now, Ordering::Release);
    }
}

/// True if all that is to be served here comes first, so that it need not wait for others.
fn is_at_front(chain: &[Link]) -> bool {
    let first_other = chain.iter().position(|link| link.plan == Plan::Pass);
    let behind = &chain[first_other.unwrap_or(chain.len())..];
    let waits = |link: &Link| link.plan == Plan::Here && link.entry.has(DRAIN);
    !behind.iter().any(|link| link.plan == Plan::Here) && !chain.iter().any(waits)
}

fn plan_instead(chain: &mut [Link], plan: Plan) {
    chain.iter_mut().filter(|link| link.plan == Plan::Here).for_each(|link| link.plan = plan);
}

/// Serves what comes first in a chain, until one fails on which the others depend.
fn serve_front(t: &mut Thread, chain: &mut [Link]) -> Result<(), Errno> {
    let mut broken = false;
    let mut served = false;
    for link in chain.iter_mut() {
        if link.plan == Plan::Here {
            // The kernel cancels what comes after a failure.
            let made = if broken { Ok(0) } else { serve(t, &link.entry) };
            let result = match made {
                // What has been served must not be so again.
                Err(Errno::RESTART) if served => Ok(-libc::EINTR),
                result => result,
            };
            link.plan = Plan::Answer(result?);
            served = true;
        }
        broken |= matches!(link.plan, Plan::Answer(result) if link.entry.breaks(result));
    }
    Ok(())
}

/// Takes up to `count` entries from the guest's queue and submits them. Returns how many.
fn submit(t: &mut Thread, ring: &Ring, name: Name, count: u32) -> Result<u32, Errno> {
    let _alone = ring.submit_alone(name.fd());
    let mut batch = Batch { ring, name, waiting: 0, taken: 0, conversions: Vec::new() };
    match fill(t, &mut batch, count) {
        Err(_) if batch.taken != 0 => Ok(batch.taken),
        other => other.map(|()| batch.taken),
    }
}

/// An entry of a chain, and what becomes of it.
struct Link {
    entry: Entry,
    rest: [u64; WORDS],
    plan: Plan,
}

fn fill(t: &mut Thread, batch: &mut Batch<'_>, count: u32) -> Result<(), Errno> {
    let ring = batch.ring;
    let shape = ring.shape;
    let head = ring.common(Common::Head).load(Ordering::Relaxed);
    let there = ring.guest(at::TAIL).load(Ordering::Acquire).wrapping_sub(head);
    let count = count.min(there).min(shape.entries);
    let mut chain = Vec::new();
    let mut dropped = false;
    for i in 0..count {
        let place = head.wrapping_add(i) & (shape.entries - 1);
        let slot = match shape.no_array {
            true => place,
            false => ring.guest(shape.array_at + 4 * place as usize).load(Ordering::Relaxed),
        };
        dropped = slot >= shape.entries;
        if !dropped {
            let (entry, rest) = ring.entry(slot);
            chain.push(Link { entry, rest, plan: Plan::Refuse });
            if entry.has(LINKS) && i + 1 < count {
                continue;
            }
        }
        if !batch.put_chain(t, &mut chain)? {
            return Ok(());
        }
        if dropped {
            break;
        }
    }
    if batch.flush(t)? && dropped {
        batch.advance(1);
        ring.guest(at::DROPPED).fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

/// Waits for completions. `arg` and `size` are the call's last two arguments.
fn wait(
    t: &mut Thread,
    (ring, name): (&Ring, Name),
    least: u32,
    flags: u32,
    (arg, size): (u64, u64),
) -> SysResult {
    let mut ext = None;
    let (mut set, mut set_size) = (GuestPtr::<SigSet>::new(arg), size);
    if flags & EXT_ARG != 0 {
        if size != size_of::<ExtArg>() as u64 {
            return Err(Errno::EINVAL);
        }
        let [mask, size, time] = GuestPtr::<ExtArg>::new(arg).read(t.memory())?;
        (set, set_size) = (GuestPtr::new(mask), size & 0xffff_ffff);
        let time = GuestPtr::<[i64; 2]>::new(time);
        time.read_optional(t.memory())?;
        ext = Some([size >> 32 << 32 | 8, t.host_addr(time.0, 16, Access::Read)?]);
    }
    if !set.is_null() && host_enter(name, 0).is_ok() && ring.completions() >= least {
        // The mask of a call that need not wait is not looked at.
        let args = [name.number.into(), 0_u32.into(), 0_u32.into(), (flags & !EXT_ARG).into()];
        return host_call(libc::SYS_io_uring_enter, &args);
    }
    let mask: Option<WaitMask> = wait_mask(t, set, set_size)?;
    let set = mask.as_ref().map(|m| m.host);
    let set = address_of(set.as_slice());
    let words: ExtArg = ext.map_or([0; 3], |[size, time]| [set, size, time]);
    let (arg, size) = match (&ext, &mask) {
        (Some(_), _) => (HostArg::of(&words), size),
        (None, Some(m)) => (HostArg::of(&m.host), 8),
        (None, None) => (HostArg::NULL, 0),
    };
    let flags = flags & !(SQ_WAKEUP | SQ_WAIT);
    let args = [name.number.into(), 0_u32.into(), least.into(), flags.into(), arg, size.into()];
    let result = t.host(libc::SYS_io_uring_enter, &args);
    t.waited(mask.as_ref(), result)
}

pub(crate) fn sys_io_uring_enter(
    t: &mut Thread,
    number: u32,
    count: u32,
    least: u32,
    flags: u32,
    arg: u64,
    size: u64,
) -> SysResult {
    if flags & !KNOWN != 0 {
        return Err(Errno::EINVAL);
    }
    let name = Name { number, registered: flags & REGISTERED_RING != 0 };
    let ring = name.ring(t)?;
    let polled = ring.shape.polled;
    let submitted = if polled {
        // All that a thread of the kernel would find.
        submit(t, &ring, name, u32::MAX)?;
        count
    } else if count != 0 {
        submit(t, &ring, name, count)?
    } else {
        0
    };
    if flags & GETEVENTS == 0 || submitted != count {
        // The host says whether the ring is enabled.
        let nothing = count == 0 && !polled;
        return if nothing { host_enter(name, 0) } else { Ok(u64::from(submitted)) };
    }
    match wait(t, (&ring, name), least, flags, (arg, size)) {
        _ if submitted != 0 => Ok(u64::from(submitted)),
        result => result,
    }
}
