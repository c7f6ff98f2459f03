//! What each operation's addresses are, and how they become the host's.
//!
//! An address that is not the guest's becomes one that the kernel refuses, so that errors are found
//! in the kernel's order. Structures that hold addresses are copied.

use super::entry::{BUFFER_SELECT, Entry, FIXED_FILE};
use crate::linux::abi::{EpollEvent, Errno, Fd, GuestCStr, GuestPtr, IoVec, MsgHdr, OpenHow};
use crate::linux::fs::file::{host_open_flags, last_of_open, not_of_guest};
use crate::linux::fs::host_path::{HostPath, Last};
use crate::linux::fs::iovec::{MAX_IOV, import_iovec};
use crate::linux::fs::poll::host_event;
use crate::linux::fs::proc::names::ProcFile;
use crate::linux::fs::proc::procfd;
use crate::linux::host::address_of;
use crate::linux::process::Thread;
use crate::mem::Access;
use std::any::Any;
use std::ffi::CString;

/// What becomes of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// The host gets it as it is now.
    Pass,
    /// It has this result.
    Answer(i32),
    /// It is served as the system call of that name, if it need not wait for others.
    Here,
    /// There is no such operation, or not with such flags.
    Refuse,
}

type Handler = fn(&mut Conversion, &Thread, &mut Entry) -> Plan;

macro_rules! operations {
    ($($number:literal $name:ident $handler:expr;)*) => {
        /// Numbers of operations (`IORING_OP_*`, `linux/io_uring.h`).
        pub(super) mod op {
            $(pub(in crate::linux::uring) const $name: u8 = $number;)*
        }

        /// Those that are served; there are no others.
        fn handler(operation: u8) -> Option<Handler> {
            match operation {
                $(op::$name => Some($handler),)*
                _ => None,
            }
        }
    };
}

/// Nothing in it is an address.
fn numbers(_: &mut Conversion, _: &Thread, _: &mut Entry) -> Plan {
    Plan::Pass
}

// Not served: URING_CMD (46), whose structures belong to drivers; RECV_ZC (58); EPOLL_WAIT (59),
// whose results have another layout on x86-64.
operations! {
    0 NOP numbers;
    1 READV read_vector;
    2 WRITEV write_vector;
    3 FSYNC numbers;
    4 READ_FIXED read_buffer;
    5 WRITE_FIXED write_buffer;
    6 POLL_ADD numbers;
    7 POLL_REMOVE numbers;
    8 SYNC_FILE_RANGE numbers;
    9 SENDMSG send_message;
    10 RECVMSG receive_message;
    11 TIMEOUT timeout;
    12 TIMEOUT_REMOVE timeout_remove;
    13 ACCEPT accept;
    14 ASYNC_CANCEL numbers;
    15 LINK_TIMEOUT timeout;
    16 CONNECT socket_address;
    17 FALLOCATE numbers;
    18 OPENAT openat;
    19 CLOSE close;
    20 FILES_UPDATE files_update;
    21 STATX statx;
    22 READ read_buffer;
    23 WRITE write_buffer;
    24 FADVISE numbers;
    25 MADVISE |_, _, _| Plan::Here;
    26 SEND send;
    27 RECV receive;
    28 OPENAT2 openat2;
    29 EPOLL_CTL epoll_ctl;
    30 SPLICE splice;
    31 PROVIDE_BUFFERS provide_buffers;
    32 REMOVE_BUFFERS numbers;
    33 TEE numbers;
    34 SHUTDOWN numbers;
    35 RENAMEAT rename;
    36 UNLINKAT new_name;
    37 MKDIRAT new_name;
    38 SYMLINKAT symlink;
    39 LINKAT link;
    40 MSG_RING numbers;
    41 FSETXATTR |c, t, e| attribute(c, t, e, Access::Read);
    42 SETXATTR |c, t, e| path_attribute(c, t, e, Access::Read);
    43 FGETXATTR |c, t, e| attribute(c, t, e, Access::Write);
    44 GETXATTR |c, t, e| path_attribute(c, t, e, Access::Write);
    45 SOCKET numbers;
    47 SEND_ZC send;
    48 SENDMSG_ZC send_message;
    49 READ_MULTISHOT read_multishot;
    50 WAITID waitid;
    51 FUTEX_WAIT futex;
    52 FUTEX_WAKE futex;
    53 FUTEX_WAITV futex_vector;
    54 FIXED_FD_INSTALL numbers;
    55 FTRUNCATE numbers;
    56 BIND socket_address;
    57 LISTEN numbers;
    60 READV_FIXED read_vector;
    61 WRITEV_FIXED write_vector;
    62 PIPE pipe;
}

/// True if an operation is served.
pub(super) fn is_served(operation: u8) -> bool {
    handler(operation).is_some()
}

/// What entries of one submission refer to.
pub(super) struct Conversion {
    /// Structures of ours, which the kernel reads when it takes the entries.
    kept: Vec<Box<dyn Any>>,
    /// Message headers that hold the host's addresses until then, and what the guest has there.
    borrowed: Vec<(GuestPtr<MsgHdr>, MsgHdr)>,
}

impl Conversion {
    pub(super) fn new() -> Self {
        Self { kept: Vec::new(), borrowed: Vec::new() }
    }

    /// Makes the host's entry of the guest's.
    pub(super) fn convert(&mut self, t: &Thread, e: &mut Entry) -> Plan {
        handler(e.operation()).map_or(Plan::Refuse, |handler| handler(self, t, e))
    }

    /// To be called when the host has taken the entries, or will not.
    pub(super) fn submitted(&mut self, t: &Thread) {
        self.kept.clear();
        for (at, guest) in self.borrowed.drain(..) {
            let write = |offset: usize, word: u64| {
                GuestPtr::new(at.0 + offset as u64).write(t.memory(), &word)
            };
            // Lengths and flags are the kernel's to write. What was there a moment ago may have
            // been unmapped by the guest.
            let _ = write(std::mem::offset_of!(MsgHdr, name), guest.name)
                .and_then(|()| write(std::mem::offset_of!(MsgHdr, iov), guest.iov))
                .and_then(|()| write(std::mem::offset_of!(MsgHdr, control), guest.control));
        }
    }

    /// Address of elements of ours for as long as the kernel reads them.
    fn keep<T: crate::linux::abi::Pod>(&mut self, values: Vec<T>) -> u64 {
        let address = address_of(&values);
        self.kept.push(Box::new(values));
        address
    }

    fn keep_path(&mut self, path: CString) -> u64 {
        let address = address_of(path.as_bytes_with_nul());
        self.kept.push(Box::new(path));
        address
    }

    /// A vector of buffers. What is wrong with it the kernel finds in the copy, or in its number.
    fn vector(&mut self, t: &Thread, address: u64, count: u64, access: Access) -> Option<u64> {
        match import_iovec(t, address, count, access) {
            Ok(vector) => {
                if access == Access::Write {
                    for v in vector.iter().filter(|v| v.len != 0) {
                        later(t, v.base.wrapping_sub(t.memory().base().0 as u64), v.len);
                    }
                }
                Some(self.keep(vector))
            }
            Err(_) => None,
        }
    }

    /// As [`Self::vector`], of which something is wrong.
    fn bad_vector(&mut self, t: &Thread, address: u64, count: u64) -> u64 {
        if count > MAX_IOV {
            return nowhere(t);
        }
        let readable = GuestPtr::<IoVec>::new(address).read_array(t.memory(), count as usize);
        match readable {
            // A length is negative.
            Ok(vector) => self.keep(vector.iter().map(|v| IoVec { base: 0, ..*v }).collect()),
            Err(_) => nowhere(t),
        }
    }

    /// A path of the guest: the host's directory and path. `None` if it cannot be read, which is
    /// the kernel's to say.
    ///
    /// # Errors
    /// The result of the operation.
    fn path(
        &mut self,
        t: &Thread,
        dir: i32,
        address: u64,
        find: impl FnOnce(Fd, GuestCStr) -> Result<HostPath, Errno>,
    ) -> Result<Named, Errno> {
        match find(Fd(dir), GuestCStr(address)) {
            Ok(at) => Ok(Named { dir: at.dir.0, path: self.keep_path(at.path), proc: at.proc }),
            Err(Errno::EFAULT | Errno::ENAMETOOLONG) => {
                Ok(Named { dir, path: input(t, address, 1), proc: None })
            }
            Err(e) => Err(e),
        }
    }
}

/// Where a path leads on the host.
struct Named {
    dir: i32,
    path: u64,
    proc: Option<ProcFile>,
}

/// An address that the kernel refuses.
fn nowhere(t: &Thread) -> u64 {
    input(t, u64::MAX, 1)
}

/// `len` bytes of the guest's that the kernel reads.
fn input(t: &Thread, address: u64, len: u64) -> u64 {
    // Never an error: what is not the guest's has an address that the kernel refuses.
    t.host_addr(address, len, Access::Read).unwrap_or(0)
}

/// `len` bytes of the guest's that the kernel writes, now or later.
fn output(t: &Thread, address: u64, len: u64) -> u64 {
    later(t, address, len);
    t.host_addr(address, len, Access::Write).unwrap_or(0)
}

fn later(t: &Thread, address: u64, len: u64) {
    let size = t.memory().size();
    if let Some(end) = address.checked_add(len).filter(|&end| end <= size) {
        t.memory().kernel_writes_later(address..end);
    }
}

/// The result of an operation that fails.
fn fails(error: Errno) -> Plan {
    Plan::Answer(-i32::from(error.0))
}

/// True if a descriptor leads to a file whose contents are made here.
fn is_special(t: &Thread, e: &Entry) -> bool {
    !e.has(FIXED_FILE) && procfd::special(t, Fd(e.fd())).is_some()
}

/// What is done about such a file: it knows buffers of the guest only.
fn special(e: &Entry) -> Plan {
    let known = matches!(e.operation(), op::READ | op::WRITE | op::READV | op::WRITEV);
    if known && !e.has(BUFFER_SELECT) { Plan::Here } else { Plan::Refuse }
}

fn read_multishot(_: &mut Conversion, t: &Thread, e: &mut Entry) -> Plan {
    if is_special(t, e) { Plan::Refuse } else { Plan::Pass }
}

/// True for a request with attributes at further addresses (`attr_type_mask`).
fn has_attributes(e: &Entry) -> bool {
    e.last_word() != 0
}

fn read_buffer(_: &mut Conversion, t: &Thread, e: &mut Entry) -> Plan {
    if has_attributes(e) {
        return Plan::Refuse;
    }
    if is_special(t, e) {
        return special(e);
    }
    if !e.has(BUFFER_SELECT) {
        e.set_address(output(t, e.address(), u64::from(e.length())));
    }
    Plan::Pass
}

fn write_buffer(_: &mut Conversion, t: &Thread, e: &mut Entry) -> Plan {
    if has_attributes(e) {
        return Plan::Refuse;
    }
    if is_special(t, e) {
        return special(e);
    }
    e.set_address(input(t, e.address(), u64::from(e.length())));
    Plan::Pass
}

fn read_vector(c: &mut Conversion, t: &Thread, e: &mut Entry) -> Plan {
    vectors(c, t, e, Access::Write)
}

fn write_vector(c: &mut Conversion, t: &Thread, e: &mut Entry) -> Plan {
    vectors(c, t, e, Access::Read)
}

fn vectors(c: &mut Conversion, t: &Thread, e: &mut Entry, access: Access) -> Plan {
    if has_attributes(e) {
        return Plan::Refuse;
    }
    if is_special(t, e) {
        return special(e);
    }
    let (address, count) = (e.address(), u64::from(e.length()));
    let vector = c.vector(t, address, count, access);
    e.set_address(vector.unwrap_or_else(|| c.bad_vector(t, address, count)));
    Plan::Pass
}

/// A message header in the host's terms, and whether all of it is.
fn header(c: &mut Conversion, t: &Thread, guest: &MsgHdr, access: Access) -> (MsgHdr, bool) {
    /// Longer addresses are cut to this (`struct sockaddr_storage`).
    const MAX_ADDRESS: u32 = 128;
    let mut host = *guest;
    let bytes = |address, len| match access {
        Access::Write => output(t, address, len),
        _ => input(t, address, len),
    };
    host.name = bytes(guest.name, u64::from(guest.namelen.min(MAX_ADDRESS)));
    host.control = bytes(guest.control, guest.controllen);
    let vector = c.vector(t, guest.iov, guest.iovlen, access);
    host.iov = vector.unwrap_or_else(|| c.bad_vector(t, guest.iov, guest.iovlen));
    (host, vector.is_some() && i32::try_from(guest.namelen).is_ok())
}

fn send_message(c: &mut Conversion, t: &Thread, e: &mut Entry) -> Plan {
    match GuestPtr::<MsgHdr>::new(e.address()).read(t.memory()) {
        Ok(guest) => {
            let (mut host, _) = header(c, t, &guest, Access::Read);
            match t.unix_address(guest.name, u64::from(guest.namelen)) {
                Ok(Some(to)) => {
                    (host.name, host.namelen) = (to.address(), to.len() as u32);
                    c.kept.push(Box::new(to));
                }
                Ok(None) | Err(Errno::EFAULT) => {}
                Err(error) => return fails(error),
            }
            e.set_address(c.keep(vec![host]));
        }
        Err(_) => e.set_address(nowhere(t)),
    }
    Plan::Pass
}

/// The kernel writes lengths and flags into the header when the operation is complete, so that it
/// gets the guest's own, in which the host's addresses are while it reads them.
fn receive_message(c: &mut Conversion, t: &Thread, e: &mut Entry) -> Plan {
    let at = GuestPtr::<MsgHdr>::new(e.address());
    let Ok(guest) = at.read(t.memory()) else {
        e.set_address(nowhere(t));
        return Plan::Pass;
    };
    let (host, good) = header(c, t, &guest, Access::Write);
    if !good {
        e.set_address(c.keep(vec![host]));
        return Plan::Pass;
    }
    if host != guest {
        if at.write(t.memory(), &host).is_err() {
            // Results have nowhere to go.
            return fails(Errno::EFAULT);
        }
        c.borrowed.push((at, guest));
    }
    e.set_address(output(t, at.0, size_of::<MsgHdr>() as u64));
    Plan::Pass
}

fn timeout(_: &mut Conversion, t: &Thread, e: &mut Entry) -> Plan {
    e.set_address(input(t, e.address(), 16));
    Plan::Pass
}

fn timeout_remove(_: &mut Conversion, t: &Thread, e: &mut Entry) -> Plan {
    // With a new time; the first address is the name of the other request.
    const UPDATE: u32 = 1 << 1 | 1 << 4;
    if e.operation_flags() & UPDATE != 0 {
        e.set_offset(input(t, e.offset(), 16));
    }
    Plan::Pass
}

fn accept(_: &mut Conversion, t: &Thread, e: &mut Entry) -> Plan {
    if e.address() != 0 {
        let room = GuestPtr::<i32>::new(e.offset()).read(t.memory()).unwrap_or(0);
        e.set_address(output(t, e.address(), u64::try_from(room).unwrap_or(0)));
    }
    e.set_offset(output(t, e.offset(), 4));
    Plan::Pass
}

/// The offset is the address's length.
fn socket_address(_: &mut Conversion, t: &Thread, e: &mut Entry) -> Plan {
    match t.unix_address(e.address(), e.offset() & 0xffff_ffff) {
        Ok(None) | Err(Errno::EFAULT) => {}
        _ => return Plan::Here,
    }
    // A length that is wrong is the kernel's to refuse.
    let len = u64::try_from(e.offset() as i32).unwrap_or(0);
    e.set_address(input(t, e.address(), len));
    Plan::Pass
}

fn send(c: &mut Conversion, t: &Thread, e: &mut Entry) -> Plan {
    /// `IORING_SEND_VECTORIZED`: the address is one of a vector (Linux 6.17).
    const VECTORIZED: u16 = 1 << 5;
    if e.priority() & VECTORIZED != 0 {
        let (address, count) = (e.address(), u64::from(e.length()));
        let vector = c.vector(t, address, count, Access::Read);
        e.set_address(vector.unwrap_or_else(|| c.bad_vector(t, address, count)));
    } else if !e.has(BUFFER_SELECT) {
        e.set_address(input(t, e.address(), u64::from(e.length())));
    }
    let len = u64::from(e.address_length());
    match t.unix_address(e.offset(), len) {
        Ok(Some(to)) => {
            e.set_offset(to.address());
            e.set_address_length(to.len() as u16);
            c.kept.push(Box::new(to));
        }
        Ok(None) | Err(Errno::EFAULT) => e.set_offset(input(t, e.offset(), len)),
        Err(error) => return fails(error),
    }
    Plan::Pass
}

fn receive(_: &mut Conversion, t: &Thread, e: &mut Entry) -> Plan {
    if !e.has(BUFFER_SELECT) {
        e.set_address(output(t, e.address(), u64::from(e.length())));
    }
    Plan::Pass
}

fn has_world(t: &Thread) -> bool {
    t.process.options.files.world().is_some()
}

/// A file to be opened: one whose contents are made here is opened here, too.
fn open(c: &mut Conversion, t: &Thread, e: &mut Entry, flags: u32, restricted: bool) -> Plan {
    if has_world(t) {
        return if e.file_index() == 0 { Plan::Here } else { Plan::Refuse };
    }
    let named = c.path(t, e.fd(), e.address(), |dir, path| match restricted {
        true => t.new_path(dir, path),
        false => t.path(dir, path, last_of_open(flags)),
    });
    match named {
        Err(error) => fails(error),
        Ok(Named { proc: Some(_), .. }) if e.file_index() == 0 => Plan::Here,
        Ok(Named { proc: Some(_), .. }) => Plan::Refuse,
        Ok(named) => {
            e.set_fd(named.dir);
            e.set_address(named.path);
            Plan::Pass
        }
    }
}

fn openat(c: &mut Conversion, t: &Thread, e: &mut Entry) -> Plan {
    let flags = e.operation_flags();
    let plan = open(c, t, e, flags, false);
    if plan == Plan::Pass {
        e.set_operation_flags(host_open_flags(flags) as u32);
    }
    plan
}

fn openat2(c: &mut Conversion, t: &Thread, e: &mut Entry) -> Plan {
    let size = e.length() as usize;
    let at = GuestPtr::<OpenHow>::new(e.offset());
    let how = if size < size_of::<OpenHow>() { Err(Errno::EINVAL) } else { at.read(t.memory()) };
    let Ok(how) = how else {
        // The kernel looks at it before it looks at the path.
        e.set_address(input(t, e.address(), 1));
        e.set_offset(input(t, e.offset(), u64::from(e.length())));
        return Plan::Pass;
    };
    let plan = open(c, t, e, how.flags as u32, how.resolve != 0);
    if plan == Plan::Pass {
        let high = how.flags & !0xffff_ffff;
        let flags = u64::from(host_open_flags(how.flags as u32) as u32) | high;
        // A longer structure is one of a later kernel, with zeros.
        let rest = size - size_of::<OpenHow>();
        let mut bytes = vec![0; rest.min(crate::util::PAGE_SIZE as usize)];
        if t.memory().read_bytes(at.add(1).0, &mut bytes).is_err() {
            e.set_offset(nowhere(t));
            return Plan::Pass;
        }
        let converted = OpenHow { flags, ..how };
        let bytes = [crate::linux::abi::Pod::bytes(&converted), &bytes].concat();
        e.set_offset(c.keep(bytes));
    }
    plan
}

fn close(_: &mut Conversion, t: &Thread, e: &mut Entry) -> Plan {
    if !e.has(FIXED_FILE) && e.file_index() == 0 && not_of_guest(t).contains(&e.fd()) {
        e.set_fd(-1);
    }
    Plan::Pass
}

fn files_update(_: &mut Conversion, t: &Thread, e: &mut Entry) -> Plan {
    // Read when it is executed, and written if the kernel chooses the places.
    let (at, count) = (GuestPtr::<i32>::new(e.address()), e.length() as usize);
    if may_register(t, at, count).is_err() {
        return fails(Errno::EBADF);
    }
    e.set_address(output(t, e.address(), 4 * u64::from(e.length())));
    Plan::Pass
}

/// Looks at descriptors that are about to be registered.
///
/// # Errors
/// `EBADF` if one is not the guest's, or its contents are made here.
pub(super) fn may_register(t: &Thread, at: GuestPtr<i32>, count: usize) -> Result<(), Errno> {
    let hidden = not_of_guest(t);
    for i in 0..count as u64 {
        // What cannot be read is the kernel's to refuse.
        let Ok(fd) = at.add(i).read(t.memory()) else { break };
        if hidden.contains(&fd) || (fd >= 0 && procfd::special(t, Fd(fd)).is_some()) {
            return Err(Errno::EBADF);
        }
    }
    Ok(())
}

fn statx(c: &mut Conversion, t: &Thread, e: &mut Entry) -> Plan {
    if has_world(t) && e.address() != 0 {
        return Plan::Here;
    }
    let keep = e.operation_flags() & libc::AT_SYMLINK_NOFOLLOW as u32 != 0;
    let last = if keep { Last::Keep } else { Last::Follow };
    if e.address() != 0 {
        match c.path(t, e.fd(), e.address(), |dir, path| t.path(dir, path, last)) {
            Ok(named) => {
                e.set_fd(named.dir);
                e.set_address(named.path);
            }
            Err(error) => return fails(error),
        }
    }
    e.set_offset(output(t, e.offset(), 256));
    Plan::Pass
}

fn epoll_ctl(c: &mut Conversion, t: &Thread, e: &mut Entry) -> Plan {
    if e.length() as i32 == libc::EPOLL_CTL_DEL {
        return Plan::Pass;
    }
    match GuestPtr::<EpollEvent>::new(e.address()).read(t.memory()) {
        Ok(event) => e.set_address(c.keep(vec![host_event(&event)])),
        Err(_) => e.set_address(nowhere(t)),
    }
    Plan::Pass
}

fn splice(_: &mut Conversion, t: &Thread, e: &mut Entry) -> Plan {
    /// `SPLICE_F_FD_IN_FIXED`.
    const FD_IN_FIXED: u32 = 1 << 31;
    let from = Fd(e.file_index() as i32);
    let fixed = e.operation_flags() & FD_IN_FIXED != 0;
    if !fixed && procfd::special(t, from).is_some() { Plan::Refuse } else { Plan::Pass }
}

/// The descriptor is the number of buffers.
fn provide_buffers(_: &mut Conversion, t: &Thread, e: &mut Entry) -> Plan {
    let all = u64::from(e.length()) * u64::try_from(e.fd()).unwrap_or(0);
    e.set_address(output(t, e.address(), all));
    Plan::Pass
}

/// A name that is made or removed.
fn new_name(c: &mut Conversion, t: &Thread, e: &mut Entry) -> Plan {
    let unknown = e.operation_flags() & !(libc::AT_REMOVEDIR as u32) != 0;
    if e.operation() == op::UNLINKAT && unknown {
        return Plan::Refuse;
    }
    if has_world(t) {
        return Plan::Here;
    }
    match c.path(t, e.fd(), e.address(), |dir, path| t.new_path(dir, path)) {
        Ok(named) => {
            e.set_fd(named.dir);
            e.set_address(named.path);
            Plan::Pass
        }
        Err(error) => fails(error),
    }
}

/// The first address is the text of the link.
fn symlink(c: &mut Conversion, t: &Thread, e: &mut Entry) -> Plan {
    if has_world(t) {
        return Plan::Here;
    }
    match c.path(t, e.fd(), e.offset(), |dir, path| t.new_path(dir, path)) {
        Ok(named) => {
            e.set_fd(named.dir);
            e.set_offset(named.path);
            e.set_address(input(t, e.address(), 1));
            Plan::Pass
        }
        Err(error) => fails(error),
    }
}

fn rename(c: &mut Conversion, t: &Thread, e: &mut Entry) -> Plan {
    two_names(c, t, e, |dir, path| t.new_path(dir, path))
}

fn link(c: &mut Conversion, t: &Thread, e: &mut Entry) -> Plan {
    let follow = e.operation_flags() & libc::AT_SYMLINK_FOLLOW as u32 != 0;
    let last = if follow { Last::Follow } else { Last::Keep };
    two_names(c, t, e, |dir, path| t.path(dir, path, last))
}

/// The length is the second directory.
fn two_names(
    c: &mut Conversion,
    t: &Thread,
    e: &mut Entry,
    find_old: impl FnOnce(Fd, GuestCStr) -> Result<HostPath, Errno>,
) -> Plan {
    if has_world(t) {
        return Plan::Here;
    }
    let old = c.path(t, e.fd(), e.address(), find_old);
    let find_new = |dir, path| t.new_path(dir, path);
    let new = c.path(t, e.length() as i32, e.offset(), find_new);
    match (old, new) {
        (Ok(old), Ok(new)) => {
            e.set_fd(old.dir);
            e.set_address(old.path);
            e.set_length(new.dir as u32);
            e.set_offset(new.path);
            Plan::Pass
        }
        (Err(error), _) | (_, Err(error)) => fails(error),
    }
}

/// Name and value of an extended attribute.
fn attribute(_: &mut Conversion, t: &Thread, e: &mut Entry, access: Access) -> Plan {
    let len = u64::from(e.length());
    e.set_address(input(t, e.address(), 1));
    e.set_offset(match access {
        Access::Write => output(t, e.offset(), len),
        _ => input(t, e.offset(), len),
    });
    Plan::Pass
}

fn path_attribute(c: &mut Conversion, t: &Thread, e: &mut Entry, access: Access) -> Plan {
    if has_world(t) {
        return Plan::Here;
    }
    let find = |dir, path| t.path(dir, path, Last::Follow);
    match c.path(t, Fd::CWD.0, e.third_address(), find) {
        Ok(named) => e.set_third_address(named.path),
        Err(error) => return fails(error),
    }
    attribute(c, t, e, access)
}

fn waitid(_: &mut Conversion, t: &Thread, e: &mut Entry) -> Plan {
    e.set_offset(output(t, e.offset(), 128));
    Plan::Pass
}

fn futex(_: &mut Conversion, t: &Thread, e: &mut Entry) -> Plan {
    e.set_address(input(t, e.address(), 4));
    Plan::Pass
}

fn futex_vector(c: &mut Conversion, t: &Thread, e: &mut Entry) -> Plan {
    /// Most futexes of one wait (`FUTEX_WAITV_MAX`).
    const MOST: u32 = 128;
    // struct futex_waitv: value, address, flags and a reserved word.
    let count = e.length().min(MOST + 1) as usize;
    match GuestPtr::<[u64; 3]>::new(e.address()).read_array(t.memory(), count) {
        Ok(mut list) => {
            for waiter in &mut list {
                waiter[1] = input(t, waiter[1], 4);
            }
            e.set_address(c.keep(list));
        }
        Err(_) => e.set_address(nowhere(t)),
    }
    Plan::Pass
}

fn pipe(_: &mut Conversion, t: &Thread, e: &mut Entry) -> Plan {
    e.set_address(output(t, e.address(), 8));
    let flags = host_open_flags(e.operation_flags());
    e.set_operation_flags(flags as u32);
    Plan::Pass
}
