//! Waiting for descriptors: `ppoll`, `pselect6` and epoll.

use crate::linux::abi::{EpollEvent, Errno, Fd, GuestPtr, SigSet, SysResult};
use crate::linux::args::host;
use crate::linux::host::HostArg;
use crate::linux::process::Thread;
use crate::linux::signal::actions::WaitMask;

/// Size of `struct pollfd`.
const POLLFD: u64 = 8;
/// Size of `struct timespec`.
const TIMESPEC: u64 = 16;
/// Size of the kernel's `sigset_t`.
const SIGSET: u64 = 8;

/// The mask that a call sets while it waits.
///
/// # Errors
/// `EINVAL` for a mask of another size, and `EFAULT`.
pub(crate) fn wait_mask(
    t: &mut Thread,
    mask: GuestPtr<SigSet>,
    size: u64,
) -> Result<Option<WaitMask>, Errno> {
    if mask.is_null() {
        return Ok(None);
    }
    if size != SIGSET {
        return Err(Errno::EINVAL);
    }
    let bits = mask.read(t.memory())?.bits;
    t.wait_mask(bits).map(Some)
}

/// As an argument: the mask, or a null pointer.
fn mask_arg(mask: Option<&WaitMask>) -> HostArg<'_> {
    mask.map_or(HostArg::NULL, |m| HostArg::of(&m.host))
}

pub(crate) fn sys_ppoll(
    t: &mut Thread,
    fds: u64,
    count: u32,
    timeout: u64,
    mask: GuestPtr<SigSet>,
    size: u64,
) -> SysResult {
    let fds = t.output(fds, u64::from(count) * POLLFD)?;
    let timeout = t.output(timeout, TIMESPEC)?;
    let mask = wait_mask(t, mask, size)?;
    let result = host!(t, SYS_ppoll, fds, count, timeout, mask_arg(mask.as_ref()), SIGSET);
    t.waited(mask.as_ref(), result)
}

/// The last argument points to the mask's address and size.
pub(crate) fn sys_pselect6(
    t: &mut Thread,
    count: i32,
    read: u64,
    write: u64,
    except: u64,
    timeout: u64,
    mask: GuestPtr<[u64; 2]>,
) -> SysResult {
    let words = u64::try_from(count).map_err(|_| Errno::EINVAL)?.div_ceil(64);
    let read = t.output(read, words * 8)?;
    let write = t.output(write, words * 8)?;
    let except = t.output(except, words * 8)?;
    let timeout = t.output(timeout, TIMESPEC)?;
    let mask = match mask.read_optional(t.memory())? {
        Some([addr, size]) => wait_mask(t, GuestPtr::new(addr), size)?,
        None => None,
    };
    let host = mask.as_ref().map(|m| m.host);
    let pair = [crate::linux::host::address_of(host.as_slice()), SIGSET];
    let result = host!(t, SYS_pselect6, count, read, write, except, timeout, HostArg::of(&pair));
    t.waited(mask.as_ref(), result)
}

/// Size of the host's `struct epoll_event`: 12 on x86-64, where it is packed, else 16.
pub(crate) const HOST_EVENT: usize = size_of::<libc::epoll_event>();
/// Where its `data` is.
const HOST_DATA: usize = HOST_EVENT - 8;
/// Events that one call reports at most, however many the guest has room for.
const MAX_EVENTS: usize = 1024;
/// Events that there may be room for (`EP_MAX_EVENTS`): their length is an `int`.
const EP_MAX_EVENTS: usize = i32::MAX as usize / size_of::<EpollEvent>();

/// The host's event for the guest's.
pub(crate) fn host_event(guest: &EpollEvent) -> [u8; HOST_EVENT] {
    let mut host = [0; HOST_EVENT];
    host[..4].copy_from_slice(&guest.events.to_ne_bytes());
    host[HOST_DATA..].copy_from_slice(&guest.data.to_ne_bytes());
    host
}

/// The guest's event for the host's.
fn guest_event(host: &[u8; HOST_EVENT]) -> EpollEvent {
    let mut events = [0; 4];
    let mut data = [0; 8];
    events.copy_from_slice(&host[..4]);
    data.copy_from_slice(&host[HOST_DATA..]);
    EpollEvent { events: u32::from_ne_bytes(events), pad: 0, data: u64::from_ne_bytes(data) }
}

pub(crate) fn sys_epoll_ctl(
    t: &mut Thread,
    epoll: Fd,
    op: i32,
    fd: Fd,
    event: GuestPtr<EpollEvent>,
) -> SysResult {
    if op == libc::EPOLL_CTL_DEL {
        return host!(t, SYS_epoll_ctl, epoll, op, fd, HostArg::NULL);
    }
    let event = host_event(&event.read(t.memory())?);
    host!(t, SYS_epoll_ctl, epoll, op, fd, HostArg::of(&event))
}

/// Room for the events of one call.
fn event_buffer(count: i32) -> Result<Vec<[u8; HOST_EVENT]>, Errno> {
    match usize::try_from(count) {
        Ok(n) if n > 0 && n <= EP_MAX_EVENTS => Ok(vec![[0; HOST_EVENT]; n.min(MAX_EVENTS)]),
        _ => Err(Errno::EINVAL),
    }
}

/// Writes the events that the host reported.
fn report(t: &Thread, to: GuestPtr<EpollEvent>, events: &[[u8; HOST_EVENT]], n: u64) -> SysResult {
    for (i, event) in events.iter().enumerate().take(n as usize) {
        to.add(i as u64).write(t.memory(), &guest_event(event))?;
    }
    Ok(n)
}

pub(crate) fn sys_epoll_pwait(
    t: &mut Thread,
    epoll: Fd,
    events: GuestPtr<EpollEvent>,
    count: i32,
    timeout: i32,
    mask: GuestPtr<SigSet>,
    size: u64,
) -> SysResult {
    let mask = wait_mask(t, mask, size)?;
    let Ok(mut buffer) = event_buffer(count) else {
        // The kernel looks at the descriptor first.
        return host!(t, SYS_epoll_pwait, epoll, HostArg::NOWHERE, count, 0, HostArg::NULL, SIGSET);
    };
    let (room, set) = (buffer.len() as u64, mask_arg(mask.as_ref()));
    let to = HostArg::slice_mut(&mut buffer);
    let result = host!(t, SYS_epoll_pwait, epoll, to, room, timeout, set, SIGSET);
    let n = t.waited(mask.as_ref(), result)?;
    report(t, events, &buffer, n)
}

pub(crate) fn sys_epoll_pwait2(
    t: &mut Thread,
    epoll: Fd,
    events: GuestPtr<EpollEvent>,
    count: i32,
    timeout: u64,
    mask: GuestPtr<SigSet>,
    size: u64,
) -> SysResult {
    let timeout = t.input(timeout, TIMESPEC)?;
    let mask = wait_mask(t, mask, size)?;
    let Ok(mut buffer) = event_buffer(count) else {
        let to = HostArg::NOWHERE;
        return host!(t, SYS_epoll_pwait2, epoll, to, count, timeout, HostArg::NULL, SIGSET);
    };
    let (room, set) = (buffer.len() as u64, mask_arg(mask.as_ref()));
    let to = HostArg::slice_mut(&mut buffer);
    let result = host!(t, SYS_epoll_pwait2, epoll, to, room, timeout, set, SIGSET);
    let n = t.waited(mask.as_ref(), result)?;
    report(t, events, &buffer, n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_survives_the_way_to_the_host_and_back() {
        let event = EpollEvent { events: 0x8000_0019, pad: 0, data: 0x0123_4567_89ab_cdef };
        assert_eq!(guest_event(&host_event(&event)), event);
        let host = libc::epoll_event { events: event.events, u64: event.data };
        assert_eq!(host_event(&event).len(), size_of_val(&host));
        assert_eq!(host_event(&event)[..4], event.events.to_ne_bytes());
    }

    #[test]
    fn room_for_events_is_bounded() {
        assert_eq!(event_buffer(0).err(), Some(Errno::EINVAL));
        assert_eq!(event_buffer(-1).err(), Some(Errno::EINVAL));
        assert_eq!(event_buffer(3).map(|b| b.len()), Ok(3));
        assert_eq!(event_buffer(i32::MAX / 16).map(|b| b.len()), Ok(MAX_EVENTS));
        assert_eq!(event_buffer(i32::MAX / 16 + 1).err(), Some(Errno::EINVAL));
    }
}
