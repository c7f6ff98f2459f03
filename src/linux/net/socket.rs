//! Sockets: addresses and messages. Layouts are the host's, but a message header holds addresses.

use crate::linux::abi::{Errno, Fd, GuestPtr, MMsgHdr, MsgHdr, SysResult, TimeSpec};
use crate::linux::args::host;
use crate::linux::fs::iovec::{Buffers, MAX_IOV};
use crate::linux::fs::rootfs::unix::Address;
use crate::linux::host::HostArg;
use crate::linux::net::unix::AddressOut;
use crate::linux::process::Thread;
use crate::mem::Access;

/// Size of `struct sockaddr_storage`; longer addresses are cut to it.
const MAX_ADDRESS: u32 = 128;

/// Bytes that a length stands for which the guest gives as `int`. One that is negative is for the
/// kernel to refuse, before it looks at the bytes.
fn length(len: i32) -> u64 {
    u64::try_from(len).unwrap_or(0)
}

pub(crate) fn sys_bind(t: &mut Thread, fd: Fd, addr: u64, len: i32) -> SysResult {
    if let Some(result) = t.bind_unix(fd, addr, length(len))? {
        return Ok(result);
    }
    host!(t, SYS_bind, fd, t.input(addr, length(len))?, len)
}

pub(crate) fn sys_connect(t: &mut Thread, fd: Fd, addr: u64, len: i32) -> SysResult {
    if let Some(address) = t.unix_address(addr, length(len))? {
        return host!(t, SYS_connect, fd, address.arg(), address.len());
    }
    host!(t, SYS_connect, fd, t.input(addr, length(len))?, len)
}

pub(crate) fn sys_accept(t: &mut Thread, fd: Fd, addr: u64, len: GuestPtr<i32>) -> SysResult {
    sys_accept4(t, fd, addr, len, 0)
}

pub(crate) fn sys_accept4(
    t: &mut Thread,
    fd: Fd,
    addr: u64,
    len: GuestPtr<i32>,
    flags: u32,
) -> SysResult {
    let mut out = AddressOut::new(t, addr, len);
    let [addr, len] = out.args(t)?;
    let result = host!(t, SYS_accept4, fd, addr, len, flags);
    out.finish(t, result)
}

pub(crate) fn sys_getsockname(t: &mut Thread, fd: Fd, addr: u64, len: GuestPtr<i32>) -> SysResult {
    let mut out = AddressOut::new(t, addr, len);
    let [addr, len] = out.args(t)?;
    let result = host!(t, SYS_getsockname, fd, addr, len);
    out.finish(t, result)
}

pub(crate) fn sys_getpeername(t: &mut Thread, fd: Fd, addr: u64, len: GuestPtr<i32>) -> SysResult {
    let mut out = AddressOut::new(t, addr, len);
    let [addr, len] = out.args(t)?;
    let result = host!(t, SYS_getpeername, fd, addr, len);
    out.finish(t, result)
}

pub(crate) fn sys_sendto(
    t: &mut Thread,
    fd: Fd,
    data: u64,
    len: u64,
    flags: u32,
    addr: u64,
    addr_len: i32,
) -> SysResult {
    let data = t.input(data, len)?;
    if let Some(to) = t.unix_address(addr, length(addr_len))? {
        return host!(t, SYS_sendto, fd, data, len, flags, to.arg(), to.len());
    }
    let to = if addr == 0 { HostArg::NULL } else { t.input(addr, length(addr_len))? };
    host!(t, SYS_sendto, fd, data, len, flags, to, addr_len)
}

pub(crate) fn sys_recvfrom(
    t: &mut Thread,
    fd: Fd,
    data: u64,
    len: u64,
    flags: u32,
    addr: u64,
    addr_len: GuestPtr<i32>,
) -> SysResult {
    let data = t.output(data, len)?;
    let mut out = AddressOut::new(t, addr, addr_len);
    let [addr, addr_len] = out.args(t)?;
    let result = host!(t, SYS_recvfrom, fd, data, len, flags, addr, addr_len);
    out.finish(t, result)
}

/// `SO_ATTACH_REUSEPORT_CBPF` (`asm-generic/socket.h`).
const SO_ATTACH_REUSEPORT_CBPF: i32 = 51;
/// `TCP_ZEROCOPY_RECEIVE` (`linux/tcp.h`): its structure holds an address to map pages at.
const TCP_ZEROCOPY_RECEIVE: i32 = 35;
/// Bytes of one instruction of a classic filter (`struct sock_filter`).
const SOCK_FILTER: u64 = 8;

pub(crate) fn sys_setsockopt(
    t: &mut Thread,
    fd: Fd,
    level: i32,
    option: i32,
    value: u64,
    len: i32,
) -> SysResult {
    let room = length(len);
    let filter = option == libc::SO_ATTACH_FILTER || option == SO_ATTACH_REUSEPORT_CBPF;
    if level == libc::SOL_SOCKET && filter && room == 16 {
        // `struct sock_fprog`: a count in 16 bits and, from byte 8 on, an address.
        let [count, addr] = GuestPtr::<[u64; 2]>::new(value).read(t.memory())?;
        let addr = t.host_addr(addr, (count & 0xffff) * SOCK_FILTER, Access::Read)?;
        let program = [count, addr];
        return host!(t, SYS_setsockopt, fd, level, option, HostArg::of(&program), len);
    }
    host!(t, SYS_setsockopt, fd, level, option, t.input(value, room)?, len)
}

pub(crate) fn sys_getsockopt(
    t: &mut Thread,
    fd: Fd,
    level: i32,
    option: i32,
    value: u64,
    len: GuestPtr<i32>,
) -> SysResult {
    if level == libc::IPPROTO_TCP && option == TCP_ZEROCOPY_RECEIVE {
        return Err(Errno::ENOPROTOOPT);
    }
    let room = len.read(t.memory()).map_or(0, length);
    let (to, len) = (t.output(value, room)?, t.output(len.0, 4)?);
    let result = host!(t, SYS_getsockopt, fd, level, option, to, len)?;
    /// Size of `struct ucred`: process, user, group.
    const UCRED: u64 = 12;
    if level == libc::SOL_SOCKET && option == libc::SO_PEERCRED && room >= UCRED {
        let at = GuestPtr::<[u32; 3]>::new(value);
        let [pid, user, group] = at.read(t.memory())?;
        let (user, group) = t.believed_peer(user, group);
        at.write(t.memory(), &[pid, user, group])?;
    }
    Ok(result)
}

/// A message header with its addresses in the host's terms, and the vector that it refers to.
struct Message {
    header: MsgHdr,
    /// Kept alive for the header.
    _vector: Buffers,
    /// The same.
    _to: Option<Address>,
}

impl Message {
    /// From the guest's header. `access` is what the kernel does with the buffers.
    fn import(t: &Thread, guest: &MsgHdr, access: Access) -> Result<Self, Errno> {
        let mut header = *guest;
        // A negative length the kernel refuses in its turn.
        if (header.namelen as i32) >= 0 {
            header.namelen = header.namelen.min(MAX_ADDRESS);
        }
        let to = match access {
            Access::Read => t.unix_address(header.name, u64::from(header.namelen))?,
            _ => None,
        };
        if let Some(to) = &to {
            (header.name, header.namelen) = (to.address(), to.len() as u32);
        } else {
            header.name = t.host_addr(header.name, u64::from(header.namelen), access)?;
        }
        header.control = t.host_addr(header.control, header.controllen, access)?;
        let vector = Buffers::new(t, header.iov, header.iovlen, access);
        header.iov = vector.address();
        Ok(Self { header, _vector: vector, _to: to })
    }

    /// Writes what `recvmsg` changes to the guest's header: lengths and flags.
    fn export(&self, t: &Thread, to: GuestPtr<MsgHdr>, guest: &MsgHdr) -> Result<(), Errno> {
        let field = |offset: usize| to.0.wrapping_add(offset as u64);
        let mem = t.memory();
        let h = &self.header;
        let room = u64::from(guest.namelen.min(MAX_ADDRESS));
        let namelen = t.export_unix_address(guest.name, room, h.namelen)?;
        GuestPtr::new(field(std::mem::offset_of!(MsgHdr, namelen))).write(mem, &namelen)?;
        GuestPtr::new(field(std::mem::offset_of!(MsgHdr, controllen))).write(mem, &h.controllen)?;
        GuestPtr::new(field(std::mem::offset_of!(MsgHdr, flags))).write(mem, &h.flags)
    }
}

pub(crate) fn sys_sendmsg(
    t: &mut Thread,
    fd: Fd,
    message: GuestPtr<MsgHdr>,
    flags: u32,
) -> SysResult {
    let Ok(guest) = message.read(t.memory()) else {
        return host!(t, SYS_sendmsg, fd, HostArg::NOWHERE, flags);
    };
    let m = Message::import(t, &guest, Access::Read)?;
    host!(t, SYS_sendmsg, fd, HostArg::of(&m.header), flags)
}

pub(crate) fn sys_recvmsg(
    t: &mut Thread,
    fd: Fd,
    message: GuestPtr<MsgHdr>,
    flags: u32,
) -> SysResult {
    let Ok(guest) = message.read(t.memory()) else {
        return host!(t, SYS_recvmsg, fd, HostArg::NOWHERE, flags);
    };
    let mut m = Message::import(t, &guest, Access::Write)?;
    let n = host!(t, SYS_recvmsg, fd, HostArg::of_mut(&mut m.header), flags)?;
    m.export(t, message, &guest)?;
    Ok(n)
}

/// Several messages; the kernel serves at most 1024 at once. A header that cannot be read ends the
/// list, and is an error only if it is the first.
fn import_all(
    t: &Thread,
    messages: GuestPtr<MMsgHdr>,
    count: u32,
    access: Access,
) -> Result<(Vec<Message>, Vec<MMsgHdr>), Errno> {
    let mut imported = Vec::new();
    let mut headers = Vec::new();
    for i in 0..u64::from(count).min(MAX_IOV) {
        let one = messages.add(i).read(t.memory()).and_then(|guest| {
            Message::import(t, &guest.hdr, access).map(|message| (guest, message))
        });
        match one {
            Ok((guest, message)) => {
                headers.push(MMsgHdr { hdr: message.header, ..guest });
                imported.push(message);
            }
            Err(e) if i == 0 => return Err(e),
            Err(_) => break,
        }
    }
    Ok((imported, headers))
}

/// Address of the length that the kernel reports for message `i`.
fn reported_length(messages: GuestPtr<MMsgHdr>, i: usize) -> GuestPtr<u32> {
    let offset = std::mem::offset_of!(MMsgHdr, len) as u64;
    GuestPtr::new(messages.add(i as u64).0.wrapping_add(offset))
}

pub(crate) fn sys_sendmmsg(
    t: &mut Thread,
    fd: Fd,
    messages: GuestPtr<MMsgHdr>,
    count: u32,
    flags: u32,
) -> SysResult {
    let (_vectors, mut headers) = match import_all(t, messages, count, Access::Read) {
        Err(Errno::EFAULT) => return host!(t, SYS_sendmmsg, fd, HostArg::NOWHERE, count, flags),
        imported => imported?,
    };
    let len = headers.len() as u64;
    let sent = host!(t, SYS_sendmmsg, fd, HostArg::slice_mut(&mut headers), len, flags)?;
    for (i, header) in headers.iter().enumerate().take(sent as usize) {
        reported_length(messages, i).write(t.memory(), &header.len)?;
    }
    Ok(sent)
}

pub(crate) fn sys_recvmmsg(
    t: &mut Thread,
    fd: Fd,
    messages: GuestPtr<MMsgHdr>,
    count: u32,
    flags: u32,
    timeout: GuestPtr<TimeSpec>,
) -> SysResult {
    let timeout = t.output(timeout.0, size_of::<TimeSpec>() as u64)?;
    let (mut imported, mut headers) = match import_all(t, messages, count, Access::Write) {
        Err(Errno::EFAULT) => {
            return host!(t, SYS_recvmmsg, fd, HostArg::NOWHERE, count, flags, timeout);
        }
        imported => imported?,
    };
    let len = headers.len() as u64;
    let got = host!(t, SYS_recvmmsg, fd, HostArg::slice_mut(&mut headers), len, flags, timeout)?;
    for (i, header) in headers.iter().enumerate().take(got as usize) {
        imported[i].header = header.hdr;
        let at = messages.add(i as u64).cast();
        imported[i].export(t, at, &at.read(t.memory())?)?;
        reported_length(messages, i).write(t.memory(), &header.len)?;
    }
    Ok(got)
}
