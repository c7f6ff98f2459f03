//! Faults that the guest serves itself (userfaultfd(2)). The host does it all where a guest address
//! is a host address; elsewhere there is no such call.

use crate::linux::abi::{Errno, Fd, GuestPtr, SysResult};
use crate::linux::args::host;
use crate::linux::process::Thread;

pub(crate) fn sys_userfaultfd(t: &mut Thread, flags: u32) -> SysResult {
    if t.memory().base().0 != 0 {
        return Err(Errno::ENOSYS);
    }
    host!(t, SYS_userfaultfd, flags)
}

/// Type of the requests (`UFFDIO`).
pub(crate) const TYPE: u32 = 0xaa;

const REGISTER: u32 = 0;
const UNREGISTER: u32 = 1;
const WAKE: u32 = 2;
const COPY: u32 = 3;
const ZEROPAGE: u32 = 4;
const MOVE: u32 = 5;
const WRITEPROTECT: u32 = 6;
const CONTINUE: u32 = 7;
const POISON: u32 = 8;
const API: u32 = 0x3f;

/// Serves a request about such a descriptor: its structure is the host's. Ranges are the guest's,
/// or the host refuses them as it does its own.
pub(crate) fn ioctl(t: &Thread, fd: Fd, request: u32, arg: u64) -> SysResult {
    let number = request & 0xff;
    let size = u64::from(request >> 16 & 0x3fff);
    let known = matches!(number, REGISTER..=POISON | API);
    if !known || t.memory().base().0 != 0 || size > 64 {
        return host!(t, SYS_ioctl, fd, request, 0_u64);
    }
    let inside =
        |start: u64, len: u64| start.checked_add(len).is_some_and(|end| end <= t.memory().size());
    let words = GuestPtr::<u64>::new(arg);
    let word = |i| words.add(i).read(t.memory());
    // Where a range is: its start, its length, and where its pages come from.
    let (start, len, from) = match number {
        COPY | MOVE => (word(0)?, word(2)?, Some(word(1)?)),
        API => (0, 0, None),
        _ => (word(0)?, word(1)?, None),
    };
    if !inside(start, len) || from.is_some_and(|from| !inside(from, len)) {
        return Err(Errno::EINVAL);
    }
    if matches!(number, COPY | ZEROPAGE | MOVE | CONTINUE | POISON) {
        t.memory().expect_rewrite(start..start + len);
    }
    if number == MOVE
        && let Some(from) = from
    {
        t.memory().expect_rewrite(from..from + len);
    }
    host!(t, SYS_ioctl, fd, request, t.output(arg, size)?)
}

/// Name of a request, for the call trace.
pub(crate) fn name(request: u32) -> Option<&'static str> {
    Some(match request & 0xff {
        REGISTER => "UFFDIO_REGISTER",
        UNREGISTER => "UFFDIO_UNREGISTER",
        WAKE => "UFFDIO_WAKE",
        COPY => "UFFDIO_COPY",
        ZEROPAGE => "UFFDIO_ZEROPAGE",
        MOVE => "UFFDIO_MOVE",
        WRITEPROTECT => "UFFDIO_WRITEPROTECT",
        CONTINUE => "UFFDIO_CONTINUE",
        POISON => "UFFDIO_POISON",
        API => "UFFDIO_API",
        _ => return None,
    })
}
