//! Asynchronous requests of libaio (io_setup(2), io_submit(2)): contexts are the host's.
//!
//! The host's kernel chooses where in our memory a context's ring of completions lies, and that
//! address is the context's name. The guest gets the address of an empty page of its own instead:
//! libaio looks there for a ring of known format and makes the system call if it finds none.
//! Requests are copied, since they hold addresses, and completions name the guest's.

use crate::linux::abi::{Errno, GuestPtr, IoVec, SysResult};
use crate::linux::args::host;
use crate::linux::fs::aio_contexts::{Context, Request, Submitted};
use crate::linux::fs::iovec::import_iovec;
use crate::linux::fs::poll::wait_mask;
use crate::linux::host::{HostArg, address_of, host_call};
use crate::linux::lock::lock;
use crate::linux::mm::layout::find_room;
use crate::linux::process::{Process, Thread};
use crate::mem::{Access, Mapping, Prot};
use crate::sys::syscall::IO_PGETEVENTS;
use crate::util::PAGE_SIZE;
use std::collections::BTreeMap;

const OPERATION: usize = 2;
const BUFFER: usize = 3;
const LENGTH: usize = 4;

/// `struct io_event`: data, address of the request, two results.
type Event = [u64; 4];

const IOCB_CMD_PREAD: u16 = 0;
const IOCB_CMD_PWRITE: u16 = 1;
const IOCB_CMD_PREADV: u16 = 7;
const IOCB_CMD_PWRITEV: u16 = 8;

/// The host's name of a context.
fn host_context(process: &Process, context: u64) -> Result<u64, Errno> {
    lock(&process.aio).get(&context).map(|c| c.host).ok_or(Errno::EINVAL)
}

pub(crate) fn sys_io_setup(t: &mut Thread, count: u32, name: GuestPtr<u64>) -> SysResult {
    if name.read(t.memory())? != 0 || count == 0 {
        return Err(Errno::EINVAL);
    }
    let mut ring = 0_u64;
    host!(t, SYS_io_setup, count, HostArg::of_mut(&mut ring))?;
    let Ok(at) = name_context(t, ring) else {
        let _ = host_call(libc::SYS_io_destroy, &[ring.into()]);
        return Err(Errno::ENOMEM);
    };
    if name.write(t.memory(), &at).is_err() {
        sys_io_destroy(t, at)?;
        return Err(Errno::EFAULT);
    }
    Ok(0)
}

/// Maps the page whose address is the guest's name of a context.
fn name_context(t: &Thread, host: u64) -> Result<u64, Errno> {
    let mem = t.memory();
    let layout = lock(&t.process.layout);
    let at = find_room(mem, layout.mmap_top, PAGE_SIZE, false).ok_or(Errno::ENOMEM)?;
    let page = Mapping::anonymous(Prot::RW, Some("/[aio]"));
    mem.map(at, PAGE_SIZE, page, None, true)?;
    lock(&t.process.aio).insert(at, Context { host, submitted: BTreeMap::new() });
    Ok(at)
}

pub(crate) fn sys_io_destroy(t: &mut Thread, context: u64) -> SysResult {
    let removed = lock(&t.process.aio).remove(&context).ok_or(Errno::EINVAL)?;
    // Returns when nothing is worked on any longer: the copies may go then.
    let result = host_call(libc::SYS_io_destroy, &[removed.host.into()]);
    let _layout = lock(&t.process.layout);
    t.memory().unmap(context, PAGE_SIZE)?;
    result
}

pub(crate) fn sys_io_submit(
    t: &mut Thread,
    context: u64,
    count: i64,
    requests: GuestPtr<u64>,
) -> SysResult {
    let count = u64::try_from(count).map_err(|_| Errno::EINVAL)?;
    let host = host_context(&t.process, context)?;
    for i in 0..count {
        let one = requests.add(i).read(t.memory());
        if let Err(e) = one.and_then(|at| submit(t, context, host, at)) {
            // What was submitted before is not undone.
            return if i == 0 { Err(e) } else { Ok(i) };
        }
    }
    Ok(count)
}

fn submit(t: &Thread, context: u64, host: u64, at: u64) -> Result<(), Errno> {
    let mut copy = Box::new(GuestPtr::<Request>::new(at).read(t.memory())?);
    let (buffer, length) = (copy[BUFFER], copy[LENGTH]);
    let vector: Vec<IoVec>;
    match copy[OPERATION] as u16 {
        IOCB_CMD_PREAD => copy[BUFFER] = t.host_addr(buffer, length, Access::Write)?,
        IOCB_CMD_PWRITE => copy[BUFFER] = t.host_addr(buffer, length, Access::Read)?,
        operation @ (IOCB_CMD_PREADV | IOCB_CMD_PWRITEV) => {
            let reads = operation == IOCB_CMD_PREADV;
            let access = if reads { Access::Write } else { Access::Read };
            // The kernel is done with the vector itself when the call returns.
            vector = import_iovec(t, buffer, length, access)?;
            copy[BUFFER] = address_of(&vector);
        }
        // Others have no buffer: the field holds bits or must be 0.
        _ => {}
    }
    let address = [address_of(std::slice::from_ref(&*copy))];
    // Known before it is submitted: it may be complete, and reported to another thread, at once.
    let submitted = Submitted { _copy: copy, guest: at };
    match lock(&t.process.aio).get_mut(&context) {
        Some(c) => drop(c.submitted.insert(address[0], submitted)),
        None => return Err(Errno::EINVAL),
    }
    let result = host!(t, SYS_io_submit, host, 1_u64, HostArg::of(&address));
    if result != Ok(1)
        && let Some(c) = lock(&t.process.aio).get_mut(&context)
    {
        c.submitted.remove(&address[0]);
    }
    result.map(|_| ())
}

/// Events that one call reports at most, unless it asks to wait for more.
const EVENTS: i64 = 1024;
/// Events that one call reports at most.
const MAX_EVENTS: i64 = 1 << 20;

/// Waits for completions. `timeout` and `mask` are arguments of `io_pgetevents`.
fn get_events(
    t: &Thread,
    context: u64,
    (min, max): (i64, i64),
    events: GuestPtr<Event>,
    wait: &dyn Fn(&[HostArg<'_>; 4]) -> SysResult,
) -> SysResult {
    let host = host_context(&t.process, context)?;
    let room = max.min(min.clamp(EVENTS, MAX_EVENTS));
    let mut buffer: Vec<Event> = vec![[0; 4]; usize::try_from(room).unwrap_or(0)];
    // Numbers that make no sense are the kernel's to refuse.
    let (min, max) = if min > max { (min, max) } else { (min.min(MAX_EVENTS), room) };
    let to = HostArg::slice_mut(&mut buffer);
    let n = wait(&[host.into(), (min as u64).into(), (max as u64).into(), to])?;
    for (i, event) in buffer.iter_mut().enumerate().take(n as usize) {
        if let Some(c) = lock(&t.process.aio).get_mut(&context)
            && let Some(request) = c.submitted.remove(&event[1])
        {
            event[1] = request.guest;
        }
        events.add(i as u64).write(t.memory(), event)?;
    }
    Ok(n)
}

/// Bytes of a `struct timespec`.
const TIMESPEC: u64 = 16;

pub(crate) fn sys_io_getevents(
    t: &mut Thread,
    context: u64,
    min: i64,
    max: i64,
    events: GuestPtr<Event>,
    timeout: u64,
) -> SysResult {
    let timeout = t.input(timeout, TIMESPEC)?;
    get_events(t, context, (min, max), events, &|&[a, b, c, d]| {
        t.host(libc::SYS_io_getevents, &[a, b, c, d, timeout])
    })
}

pub(crate) fn sys_io_pgetevents(
    t: &mut Thread,
    context: u64,
    min: i64,
    max: i64,
    events: GuestPtr<Event>,
    timeout: u64,
    mask: GuestPtr<[u64; 2]>,
) -> SysResult {
    let timeout = t.input(timeout, TIMESPEC)?;
    let mask = match mask.read_optional(t.memory())? {
        Some([addr, size]) => wait_mask(t, GuestPtr::new(addr), size)?,
        None => None,
    };
    let host = mask.as_ref().map(|m| m.host);
    let pair = [address_of(host.as_slice()), 8];
    let result = get_events(t, context, (min, max), events, &|&[a, b, c, d]| {
        t.host(IO_PGETEVENTS, &[a, b, c, d, timeout, HostArg::of(&pair)])
    });
    t.waited(mask.as_ref(), result)
}

pub(crate) fn sys_io_cancel(
    t: &mut Thread,
    context: u64,
    request: GuestPtr<Request>,
    event: GuestPtr<Event>,
) -> SysResult {
    request.read(t.memory())?;
    let (host, copy) = {
        let contexts = lock(&t.process.aio);
        let c = contexts.get(&context).ok_or(Errno::EINVAL)?;
        let copy = c.submitted.iter().find(|(_, s)| s.guest == request.0).map(|(&at, _)| at);
        (c.host, copy.ok_or(Errno::EINVAL)?)
    };
    let mut result: Event = [0; 4];
    // The copy's address is a name here: if the request is complete by now, nothing has it.
    let n = host!(t, SYS_io_cancel, host, copy, HostArg::of_mut(&mut result))?;
    result[1] = request.0;
    event.write(t.memory(), &result)?;
    Ok(n)
}
