//! What a ring is told beforehand (io_uring_register(2)).

use super::convert::{is_served, may_register};
use super::name::{Name, find};
use super::ring::{Common, Ring};
use crate::linux::abi::{Errno, Fd, GuestPtr, IoVec, SysResult};
use crate::linux::host::{HostArg, address_of};
use crate::linux::lock::lock;
use crate::linux::process::Thread;
use crate::mem::Access;
use crate::sys::shared::SharedPages;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// `IORING_REGISTER_USE_REGISTERED_RING`: the ring is named by an index.
const USE_REGISTERED_RING: u32 = 1 << 31;

/// Opcodes (`linux/io_uring.h`).
const BUFFERS: u32 = 0;
const UNREGISTER_BUFFERS: u32 = 1;
const FILES: u32 = 2;
const UNREGISTER_FILES: u32 = 3;
const EVENTFD: u32 = 4;
const UNREGISTER_EVENTFD: u32 = 5;
const FILES_UPDATE: u32 = 6;
const EVENTFD_ASYNC: u32 = 7;
const PROBE: u32 = 8;
const PERSONALITY: u32 = 9;
const UNREGISTER_PERSONALITY: u32 = 10;
const RESTRICTIONS: u32 = 11;
const ENABLE_RINGS: u32 = 12;
const FILES2: u32 = 13;
const FILES_UPDATE2: u32 = 14;
const BUFFERS2: u32 = 15;
const BUFFERS_UPDATE: u32 = 16;
const IOWQ_AFF: u32 = 17;
const UNREGISTER_IOWQ_AFF: u32 = 18;
const IOWQ_MAX_WORKERS: u32 = 19;
const RING_FDS: u32 = 20;
const UNREGISTER_RING_FDS: u32 = 21;
const PBUF_RING: u32 = 22;
const UNREGISTER_PBUF_RING: u32 = 23;
const SYNC_CANCEL: u32 = 24;
const FILE_ALLOC_RANGE: u32 = 25;
const PBUF_STATUS: u32 = 26;
const NAPI: u32 = 27;
const UNREGISTER_NAPI: u32 = 28;
const CLOCK: u32 = 29;
const CLONE_BUFFERS: u32 = 30;
const SEND_MSG_RING: u32 = 31;

/// Buffers of a ring at most (`IORING_MAX_REG_BUFFERS`).
const MAX_BUFFERS: u32 = 1 << 14;
/// Files of a ring at most (`IORING_MAX_FIXED_FILES`).
const MAX_FILES: u32 = 1 << 20;
/// Rings that a thread may register (`IO_RINGFD_REG_MAX`).
const MAX_RINGS: u32 = 16;

pub(crate) fn sys_io_uring_register(
    t: &mut Thread,
    number: u32,
    operation: u32,
    arg: u64,
    count: u32,
) -> SysResult {
    let name = Name { number, registered: operation & USE_REGISTERED_RING != 0 };
    let call = Call { name, operation, arg, count };
    let operation = operation & !USE_REGISTERED_RING;
    if operation > SEND_MSG_RING {
        return Err(Errno::EINVAL);
    }
    if number == u32::MAX && !name.registered {
        // Without a ring.
        return if operation == SEND_MSG_RING { call.read(t, 64) } else { Err(Errno::EINVAL) };
    }
    let ring = name.ring(t)?;
    call.make(t, &ring, operation)
}

/// Memory of the guest that the kernel keeps hold of, as a host address; one that is not the
/// guest's becomes one where no user has memory, of which the end can be computed.
fn memory_of(t: &Thread, address: u64, len: u64) -> u64 {
    const NOWHERE: u64 = 1 << 63;
    let Some(end) = address.checked_add(len).filter(|&end| end <= t.memory().size()) else {
        return NOWHERE | address;
    };
    t.memory().kernel_writes_later(address..end);
    t.host_addr(address, len, Access::Write).unwrap_or(NOWHERE)
}

/// The arguments of the call.
#[derive(Clone, Copy)]
struct Call {
    name: Name,
    operation: u32,
    arg: u64,
    count: u32,
}

impl Call {
    /// Makes the host's call with another argument.
    fn host(&self, t: &Thread, arg: HostArg<'_>) -> SysResult {
        let call = [self.name.number.into(), self.operation.into(), arg, self.count.into()];
        t.host(libc::SYS_io_uring_register, &call)
    }

    /// The argument is so many bytes that the kernel reads.
    fn read(&self, t: &Thread, len: u64) -> SysResult {
        self.host(t, t.input(self.arg, len)?)
    }

    /// The argument is so many bytes that the kernel writes.
    fn write(&self, t: &Thread, len: u64) -> SysResult {
        self.host(t, t.output(self.arg, len)?)
    }

    fn make(&self, t: &mut Thread, ring: &Arc<Ring>, operation: u32) -> SysResult {
        let count = u64::from(self.count);
        match operation {
            UNREGISTER_BUFFERS
            | UNREGISTER_FILES
            | UNREGISTER_EVENTFD
            | PERSONALITY
            | UNREGISTER_PERSONALITY
            | ENABLE_RINGS
            | UNREGISTER_IOWQ_AFF => self.without(t),
            BUFFERS => self.buffers(t),
            FILES => self.files(t),
            EVENTFD | EVENTFD_ASYNC => self.read(t, 4),
            FILES_UPDATE => self.files_update(t),
            PROBE => self.probe(t),
            RESTRICTIONS => {
                let result = self.read(t, 16 * count)?;
                ring.common(Common::Restricted).store(1, Ordering::Relaxed);
                Ok(result)
            }
            FILES2 | BUFFERS2 => self.resources(t, operation == FILES2),
            FILES_UPDATE2 | BUFFERS_UPDATE => self.update(t, operation == FILES_UPDATE2),
            IOWQ_AFF => self.read(t, count),
            IOWQ_MAX_WORKERS => self.write(t, 8),
            RING_FDS | UNREGISTER_RING_FDS => self.rings(t, operation == RING_FDS),
            PBUF_RING => self.buffer_ring(t, ring),
            UNREGISTER_PBUF_RING => {
                let result = self.read(t, 40)?;
                let [_, words] = GuestPtr::<[u64; 2]>::new(self.arg).read(t.memory())?;
                lock(&t.process.rings).buffers.remove(&(ring.id, (words >> 32) as u16));
                Ok(result)
            }
            SYNC_CANCEL | CLONE_BUFFERS | SEND_MSG_RING => self.read(t, 64),
            FILE_ALLOC_RANGE | CLOCK => self.read(t, 16),
            PBUF_STATUS => self.write(t, 40),
            NAPI | UNREGISTER_NAPI => self.write(t, 16),
            _ => Err(Errno::EINVAL),
        }
    }

    /// There is no argument; one that is there is refused.
    fn without(&self, t: &Thread) -> SysResult {
        self.host(t, HostArg::value(u64::from(self.arg != 0)))
    }

    /// Buffers in the host's terms. What is not to be read the kernel finds so.
    fn import(&self, t: &Thread, at: u64, count: u32) -> Vec<IoVec> {
        if at == 0 || count > MAX_BUFFERS {
            return Vec::new();
        }
        let list = GuestPtr::<IoVec>::new(at).read_array(t.memory(), count as usize);
        let mut list = list.unwrap_or_default();
        for v in list.iter_mut().filter(|v| v.base != 0) {
            v.base = memory_of(t, v.base, v.len);
        }
        list
    }

    /// Address of a list, or of what the guest has called one.
    fn list(t: &Thread, list: &[IoVec], at: u64) -> Result<u64, Errno> {
        if list.is_empty() && at != 0 {
            return t.host_addr(u64::MAX, 1, Access::Read);
        }
        Ok(address_of(list))
    }

    fn buffers(&self, t: &Thread) -> SysResult {
        let list = self.import(t, self.arg, self.count);
        if list.is_empty() {
            let nothing = if self.arg == 0 { HostArg::NULL } else { t.input(u64::MAX, 1)? };
            return self.host(t, nothing);
        }
        self.host(t, HostArg::slice(&list))
    }

    fn files(&self, t: &Thread) -> SysResult {
        let at = GuestPtr::new(self.arg);
        may_register(t, at, self.count.min(MAX_FILES) as usize)?;
        self.read(t, 4 * u64::from(self.count))
    }

    /// `struct io_uring_rsrc_update`: place, and where descriptors are.
    fn files_update(&self, t: &Thread) -> SysResult {
        let Ok([place, at]) = GuestPtr::<[u64; 2]>::new(self.arg).read(t.memory()) else {
            return self.read(t, 16);
        };
        may_register(t, GuestPtr::new(at), self.count.min(MAX_FILES) as usize)?;
        let at = t.host_addr(at, 4 * u64::from(self.count), Access::Read)?;
        self.host(t, HostArg::of(&[place, at]))
    }

    /// What is registered, with tags: the host's addresses of both, for `count` of them.
    fn tagged(
        &self,
        t: &Thread,
        (data, tags): (u64, u64),
        count: u32,
        files: bool,
    ) -> Result<([u64; 2], Vec<IoVec>), Errno> {
        let tags = t.host_addr(tags, 8 * u64::from(count), Access::Read)?;
        if files {
            may_register(t, GuestPtr::new(data), count.min(MAX_FILES) as usize)?;
            let data = t.host_addr(data, 4 * u64::from(count), Access::Read)?;
            return Ok(([data, tags], Vec::new()));
        }
        let list = self.import(t, data, count);
        Ok(([Self::list(t, &list, data)?, tags], list))
    }

    /// `struct io_uring_rsrc_register`: number and flags, reserved, data, tags.
    fn resources(&self, t: &Thread, files: bool) -> SysResult {
        if self.count != 32 {
            return Err(Errno::EINVAL);
        }
        let [first, reserved, data, tags] = GuestPtr::<[u64; 4]>::new(self.arg).read(t.memory())?;
        let ([data, tags], _list) = self.tagged(t, (data, tags), first as u32, files)?;
        self.host(t, HostArg::of(&[first, reserved, data, tags]))
    }

    /// `struct io_uring_rsrc_update2`: place, data, tags, number.
    fn update(&self, t: &Thread, files: bool) -> SysResult {
        if self.count != 32 {
            return Err(Errno::EINVAL);
        }
        let [place, data, tags, last] = GuestPtr::<[u64; 4]>::new(self.arg).read(t.memory())?;
        let ([data, tags], _list) = self.tagged(t, (data, tags), last as u32, files)?;
        self.host(t, HostArg::of(&[place, data, tags, last]))
    }

    /// Tells of the operations that are served.
    fn probe(&self, t: &Thread) -> SysResult {
        /// Bytes before the first operation, and of one.
        const HEAD: u64 = 16;
        const ONE: u64 = 8;
        /// `IO_URING_OP_SUPPORTED`.
        const SUPPORTED: u16 = 1;
        let result = self.write(t, HEAD + ONE * u64::from(self.count.min(256)))?;
        for i in 0..u64::from(self.count.min(256)) {
            let at = GuestPtr::<[u16; 4]>::new(self.arg + HEAD + ONE * i);
            let mut op = at.read(t.memory())?;
            if op[1] & SUPPORTED != 0 && !is_served(op[0] as u8) {
                op[1] &= !SUPPORTED;
                at.write(t.memory(), &op)?;
            }
        }
        Ok(result)
    }

    /// Rings by index, of which the host keeps the same list: `struct io_uring_rsrc_update`, whose
    /// place is the index and whose data are the descriptor.
    fn rings(&self, t: &mut Thread, register: bool) -> SysResult {
        let len = 16 * u64::from(self.count.min(MAX_RINGS));
        let list = GuestPtr::<[u64; 2]>::new(self.arg);
        let before = list.read_array(t.memory(), self.count.min(MAX_RINGS) as usize);
        let done = self.write(t, len)?;
        for (i, [index, data]) in before?.into_iter().enumerate().take(done as usize) {
            if !register {
                t.registered_rings.remove(&(index as u32));
                continue;
            }
            let [index, _] = list.add(i as u64).read(t.memory())?;
            if let Some(ring) = find(t, Fd(data as i32)) {
                t.registered_rings.insert(index as u32, ring);
            }
        }
        Ok(done)
    }

    /// `struct io_uring_buf_reg`: address; number, group and flags; reserved. Addresses of buffers
    /// in the ring go from the guest to the kernel, without us.
    fn buffer_ring(&self, t: &Thread, ring: &Ring) -> SysResult {
        /// `IOU_PBUF_RING_MMAP`: the kernel makes the memory, which the program then maps.
        const MADE: u64 = 1 << 48;
        /// Bytes of `struct io_uring_buf`.
        const BUFFER: u64 = 16;
        /// Buffers of a ring at most.
        const MOST: u64 = 1 << 15;
        if t.memory().base().0 != 0 {
            return Err(Errno::EINVAL);
        }
        let Ok(mut words) = GuestPtr::<[u64; 5]>::new(self.arg).read(t.memory()) else {
            return self.read(t, 40);
        };
        let count = words[1] & 0xffff_ffff;
        if words[1] & MADE == 0 {
            words[0] = memory_of(t, words[0], BUFFER * count);
            return self.host(t, HostArg::of(&words));
        }
        let pages = SharedPages::new((BUFFER * count.clamp(1, MOST)) as usize)?;
        words[0] = pages.base().0 as u64;
        words[1] &= !MADE;
        let result = self.host(t, HostArg::of(&words))?;
        let group = (words[1] >> 32) as u16;
        lock(&t.process.rings).buffers.insert((ring.id, group), Arc::new(pages));
        Ok(result)
    }
}
