//! Device control. Of some two thousand requests in the kernel's headers whose number says how
//! large their structure is, all have the same number on riscv64, x86-64 and aarch64, but for those
//! of virtual machines; and structures that are as large have the same layout, since the machines
//! agree about types and their alignment. So what must be known of a request is whether its
//! argument is an address, and of how many bytes; and, where a guest address is not a host address,
//! whether the structure holds addresses. `docs/ioctls.md` is generated from this file.

use crate::linux::abi::{Errno, Fd, GuestPtr, SysResult};
use crate::linux::args::host;
use crate::linux::fs::loop_info;
use crate::linux::fs::proc::query::{self, PROCMAP_QUERY};
use crate::linux::host::HostArg;
use crate::linux::lock::lock;
use crate::linux::mm::userfault;
use crate::linux::process::Thread;
use crate::linux::seccomp::listener;
use crate::mem::Access;
use crate::util::PAGE_SIZE;
use std::fmt::Write as _;
use std::os::unix::fs::FileTypeExt;

/// What the argument of a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A number, or nothing.
    Number,
    /// Address of so many bytes, read, written or both.
    Bytes(u64),
    /// As the request's own number says (`asm-generic/ioctl.h`): size in bits 29:16.
    Encoded,
    /// A `struct ifconf`, which holds an address.
    IfConf,
    /// A `struct ifreq` whose data is the address of a structure that begins with a command.
    EthTool,
    /// A structure of so many bytes that holds addresses at these places.
    Addresses(u64, &'static [u8]),
    /// A `struct loop_info`, which has device numbers of the machine's own size.
    Loop,
    /// A `struct seccomp_notif`.
    Notification,
    /// A `struct seccomp_notif_resp`.
    Response,
}
use Kind::{Addresses, Bytes, Encoded, EthTool, IfConf, Loop, Notification, Number, Response};

/// One request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    number: u32,
    /// Name as in the kernel's headers, for the call trace.
    pub(crate) name: &'static str,
    kind: Kind,
}

macro_rules! requests {
    ($($number:literal $name:ident $kind:expr;)*) => {
        /// Requests that are passed on, by number. Sources: `asm-generic/ioctls.h`,
        /// `linux/sockios.h`, `linux/fs.h`, `linux/random.h`, `linux/if_tun.h`, `linux/loop.h`,
        /// `linux/rtc.h`, `linux/vt.h`, `linux/kd.h`, `linux/input.h`,
        /// `linux/seccomp.h`.
        const REQUESTS: &[Request] =
            &[$(Request { number: $number, name: stringify!($name), kind: $kind }),*];
    };
}

requests! {
    0x0000_0001 FIBMAP Bytes(4);
    0x0000_0002 FIGETBSZ Bytes(4);
    0x0000_0301 HDIO_GETGEO Bytes(16);
    0x0000_2201 SG_SET_TIMEOUT Bytes(4);
    0x0000_2202 SG_GET_TIMEOUT Number;
    0x0000_2272 SG_GET_RESERVED_SIZE Bytes(4);
    0x0000_2275 SG_SET_RESERVED_SIZE Bytes(4);
    0x0000_2276 SG_GET_SCSI_ID Bytes(32);
    0x0000_2282 SG_GET_VERSION_NUM Bytes(4);
    0x0000_2284 SG_SCSI_RESET Bytes(4);
    0x0000_2285 SG_IO Addresses(88, &[16, 24, 32]);
    0x0000_5309 CDROMEJECT Number;
    0x0000_5326 CDROM_DRIVE_STATUS Number;
    0x0000_5331 CDROM_GET_CAPABILITY Number;
    0x0000_125d BLKROSET Bytes(4);
    0x0000_1260 BLKGETSIZE Bytes(8);
    0x0000_1264 BLKFRASET Number;
    0x0000_1265 BLKFRAGET Bytes(8);
    0x0000_127d BLKSECDISCARD Bytes(16);
    0x0000_125e BLKROGET Bytes(4);
    0x0000_125f BLKRRPART Number;
    0x0000_1261 BLKFLSBUF Number;
    0x0000_1262 BLKRASET Number;
    0x0000_1263 BLKRAGET Bytes(8);
    0x0000_1267 BLKSECTGET Bytes(2);
    0x0000_1268 BLKSSZGET Bytes(4);
    0x0000_1277 BLKDISCARD Bytes(16);
    0x0000_1278 BLKIOMIN Bytes(4);
    0x0000_1279 BLKIOOPT Bytes(4);
    0x0000_127a BLKALIGNOFF Bytes(4);
    0x0000_127b BLKPBSZGET Bytes(4);
    0x0000_127e BLKROTATIONAL Bytes(2);
    0x0000_127f BLKZEROOUT Bytes(16);
    0x0000_4b2f KIOCSOUND Number;
    0x0000_4b30 KDMKTONE Number;
    0x0000_4b31 KDGETLED Bytes(1);
    0x0000_4b32 KDSETLED Number;
    0x0000_4b33 KDGKBTYPE Bytes(1);
    0x0000_4b3a KDSETMODE Number;
    0x0000_4b3b KDGETMODE Bytes(4);
    0x0000_4b44 KDGKBMODE Bytes(4);
    0x0000_4b45 KDSKBMODE Number;
    0x0000_4c00 LOOP_SET_FD Number;
    0x0000_4c01 LOOP_CLR_FD Number;
    0x0000_4c02 LOOP_SET_STATUS Loop;
    0x0000_4c03 LOOP_GET_STATUS Loop;
    0x0000_4c04 LOOP_SET_STATUS64 Bytes(232);
    0x0000_4c05 LOOP_GET_STATUS64 Bytes(232);
    0x0000_4c06 LOOP_CHANGE_FD Number;
    0x0000_4c07 LOOP_SET_CAPACITY Number;
    0x0000_4c08 LOOP_SET_DIRECT_IO Number;
    0x0000_4c09 LOOP_SET_BLOCK_SIZE Number;
    0x0000_4c0a LOOP_CONFIGURE Bytes(304);
    0x0000_4c80 LOOP_CTL_ADD Number;
    0x0000_4c81 LOOP_CTL_REMOVE Number;
    0x0000_4c82 LOOP_CTL_GET_FREE Number;
    0x0000_5401 TCGETS Bytes(36);
    0x0000_5402 TCSETS Bytes(36);
    0x0000_5403 TCSETSW Bytes(36);
    0x0000_5404 TCSETSF Bytes(36);
    0x0000_5405 TCGETA Bytes(18);
    0x0000_5406 TCSETA Bytes(18);
    0x0000_5407 TCSETAW Bytes(18);
    0x0000_5408 TCSETAF Bytes(18);
    0x0000_5409 TCSBRK Number;
    0x0000_540a TCXONC Number;
    0x0000_540b TCFLSH Number;
    0x0000_540c TIOCEXCL Number;
    0x0000_540d TIOCNXCL Number;
    0x0000_540e TIOCSCTTY Number;
    0x0000_540f TIOCGPGRP Bytes(4);
    0x0000_5410 TIOCSPGRP Bytes(4);
    0x0000_5411 TIOCOUTQ Bytes(4);
    0x0000_5412 TIOCSTI Bytes(1);
    0x0000_5413 TIOCGWINSZ Bytes(8);
    0x0000_5414 TIOCSWINSZ Bytes(8);
    0x0000_5415 TIOCMGET Bytes(4);
    0x0000_5416 TIOCMBIS Bytes(4);
    0x0000_5417 TIOCMBIC Bytes(4);
    0x0000_5418 TIOCMSET Bytes(4);
    0x0000_5419 TIOCGSOFTCAR Bytes(4);
    0x0000_541a TIOCSSOFTCAR Bytes(4);
    0x0000_541b FIONREAD Bytes(4);
    0x0000_541c TIOCLINUX Bytes(64);
    0x0000_541d TIOCCONS Number;
    0x0000_541e TIOCGSERIAL Bytes(72);
    0x0000_541f TIOCSSERIAL Bytes(72);
    0x0000_5420 TIOCPKT Bytes(4);
    0x0000_5421 FIONBIO Bytes(4);
    0x0000_5422 TIOCNOTTY Number;
    0x0000_5423 TIOCSETD Bytes(4);
    0x0000_5424 TIOCGETD Bytes(4);
    0x0000_5425 TCSBRKP Number;
    0x0000_5427 TIOCSBRK Number;
    0x0000_5428 TIOCCBRK Number;
    0x0000_5429 TIOCGSID Bytes(4);
    0x0000_542e TIOCGRS485 Bytes(32);
    0x0000_542f TIOCSRS485 Bytes(32);
    0x0000_5437 TIOCVHANGUP Number;
    0x0000_5441 TIOCGPTPEER Number;
    0x0000_5450 FIONCLEX Number;
    0x0000_5451 FIOCLEX Number;
    0x0000_5452 FIOASYNC Bytes(4);
    0x0000_5453 TIOCSERCONFIG Number;
    0x0000_5456 TIOCGLCKTRMIOS Bytes(36);
    0x0000_5457 TIOCSLCKTRMIOS Bytes(36);
    0x0000_5459 TIOCSERGETLSR Bytes(4);
    0x0000_545c TIOCMIWAIT Number;
    0x0000_545d TIOCGICOUNT Bytes(80);
    0x0000_5460 FIOQSIZE Bytes(8);
    0x0000_5600 VT_OPENQRY Bytes(4);
    0x0000_5601 VT_GETMODE Bytes(8);
    0x0000_5602 VT_SETMODE Bytes(8);
    0x0000_5603 VT_GETSTATE Bytes(6);
    0x0000_5605 VT_RELDISP Number;
    0x0000_5606 VT_ACTIVATE Number;
    0x0000_5607 VT_WAITACTIVE Number;
    0x0000_5608 VT_DISALLOCATE Number;
    0x0000_5609 VT_RESIZE Bytes(6);
    0x0000_8901 FIOSETOWN Bytes(4);
    0x0000_8902 SIOCSPGRP Bytes(4);
    0x0000_8903 FIOGETOWN Bytes(4);
    0x0000_8904 SIOCGPGRP Bytes(4);
    0x0000_8905 SIOCATMARK Bytes(4);
    0x0000_8906 SIOCGSTAMP Bytes(16);
    0x0000_8907 SIOCGSTAMPNS Bytes(16);
    0x0000_890b SIOCADDRT Bytes(120);
    0x0000_890c SIOCDELRT Bytes(120);
    0x0000_8910 SIOCGIFNAME Bytes(40);
    0x0000_8912 SIOCGIFCONF IfConf;
    0x0000_8913 SIOCGIFFLAGS Bytes(40);
    0x0000_8914 SIOCSIFFLAGS Bytes(40);
    0x0000_8915 SIOCGIFADDR Bytes(40);
    0x0000_8916 SIOCSIFADDR Bytes(40);
    0x0000_8917 SIOCGIFDSTADDR Bytes(40);
    0x0000_8918 SIOCSIFDSTADDR Bytes(40);
    0x0000_8919 SIOCGIFBRDADDR Bytes(40);
    0x0000_891a SIOCSIFBRDADDR Bytes(40);
    0x0000_891b SIOCGIFNETMASK Bytes(40);
    0x0000_891c SIOCSIFNETMASK Bytes(40);
    0x0000_891d SIOCGIFMETRIC Bytes(40);
    0x0000_891e SIOCSIFMETRIC Bytes(40);
    0x0000_8921 SIOCGIFMTU Bytes(40);
    0x0000_8922 SIOCSIFMTU Bytes(40);
    0x0000_8923 SIOCSIFNAME Bytes(40);
    0x0000_8924 SIOCSIFHWADDR Bytes(40);
    0x0000_8927 SIOCGIFHWADDR Bytes(40);
    0x0000_8929 SIOCGIFSLAVE Bytes(40);
    0x0000_8931 SIOCADDMULTI Bytes(40);
    0x0000_8932 SIOCDELMULTI Bytes(40);
    0x0000_8933 SIOCGIFINDEX Bytes(40);
    0x0000_8934 SIOCSIFPFLAGS Bytes(40);
    0x0000_8935 SIOCGIFPFLAGS Bytes(40);
    0x0000_8937 SIOCSIFHWBROADCAST Bytes(40);
    0x0000_8938 SIOCGIFCOUNT Bytes(40);
    0x0000_8942 SIOCGIFTXQLEN Bytes(40);
    0x0000_8943 SIOCSIFTXQLEN Bytes(40);
    0x0000_8946 SIOCETHTOOL EthTool;
    0x0000_8947 SIOCGMIIPHY Bytes(40);
    0x0000_8948 SIOCGMIIREG Bytes(40);
    0x0000_894c SIOCGSKNS Number;
    0x0000_8953 SIOCDARP Bytes(68);
    0x0000_8954 SIOCGARP Bytes(68);
    0x0000_8955 SIOCSARP Bytes(68);
    0x0000_8970 SIOCGIFMAP Bytes(40);
    0x0000_8971 SIOCSIFMAP Bytes(40);
    0x0000_89a0 SIOCBRADDBR Bytes(16);
    0x0000_89a1 SIOCBRDELBR Bytes(16);
    0x4008_2102 SECCOMP_IOCTL_NOTIF_ID_VALID Encoded;
    0x4010_54d5 TUNATTACHFILTER Addresses(16, &[8]);
    0x4010_54d6 TUNDETACHFILTER Addresses(16, &[8]);
    0x8010_54db TUNGETFILTER Addresses(16, &[8]);
    0x4080_6685 FS_IOC_ENABLE_VERITY Addresses(128, &[16, 32]);
    0x4008_2104 SECCOMP_IOCTL_NOTIF_SET_FLAGS Number;
    0x4018_2103 SECCOMP_IOCTL_NOTIF_ADDFD Encoded;
    0x8008_2102 SECCOMP_IOCTL_NOTIF_ID_VALID_WRONG_DIR Encoded;
    0xc018_2101 SECCOMP_IOCTL_NOTIF_SEND Response;
    0xc050_2100 SECCOMP_IOCTL_NOTIF_RECV Notification;
}

/// Types (bits 15:8) and numbers (bits 7:0) of encoded requests whose structures hold no
/// addresses.
const ENCODED: &[(u8, std::ops::RangeInclusive<u8>)] = &[
    (b'R', 0..=255),     // Random numbers.
    (b'f', 0..=132),     // Inode flags, extents and encryption.
    (b'f', 134..=134),   // FS_IOC_MEASURE_VERITY; its neighbours hold addresses.
    (b'v', 0..=255),     // Inode versions.
    (b'X', 31..=32),     // FS_IOC_FSGETXATTR, FS_IOC_FSSETXATTR.
    (b'X', 119..=121),   // FIFREEZE, FITHAW, FITRIM; others are XFS's own.
    (b'E', 0..=0x7f),    // Input devices.
    (b'E', 0x81..=0x91), // But EVIOCSFF, whose effects may hold an address.
    (b'j', 0..=255),     // Joysticks.
    (b'p', 0..=0x20),    // Real-time clocks.
    (b'W', 0..=255),     // Watchdogs.
    (0x12, 112..=115),   // BLKGETSIZE64 and its neighbours.
    (0x12, 128..=128),   // BLKGETDISKSEQ.
    (0x89, 6..=7),       // SIOCGSTAMP_NEW, SIOCGSTAMPNS_NEW.
    (0x8a, 1..=2),       // EPIOCSPARAMS, EPIOCGPARAMS.
    (0xe5, 0..=0),       // FUSE_DEV_IOC_CLONE.
    (0x15, 0..=255),     // File system identity.
    (0x94, 9..=9),       // FICLONE; most others are of Btrfs.
    (0x94, 13..=13),     // FICLONERANGE.
    (0x94, 54..=54),     // FIDEDUPERANGE.
    (0xb7, 0..=255),     // Name spaces.
    (0xff, 0..=255),     // Process descriptors.
];

/// What is known of a request.
fn find(request: u32) -> Option<Kind> {
    if let Some(r) = REQUESTS.iter().find(|r| r.number == request) {
        return Some(r.kind);
    }
    let [number, ty, ..] = request.to_le_bytes();
    if ty == b'T' && request >> 30 != 0 {
        return Some(tun_or_tty(request));
    }
    ENCODED.iter().any(|(t, n)| *t == ty && n.contains(&number)).then_some(Encoded)
}

/// The tun driver shares its type with terminals, says `int` and means `struct ifreq`.
fn tun_or_tty(request: u32) -> Kind {
    match request & 0xff {
        // TUNSETNOCSUM, TUNSETDEBUG, TUNSETPERSIST, TUNSETOWNER, TUNSETLINK, TUNSETGROUP,
        // TUNSETOFFLOAD: the number itself.
        200 | 201 | 203 | 204 | 205 | 206 | 208 => Number,
        // TUNSETIFF, TUNGETIFF, TUNSETQUEUE.
        202 | 210 | 217 => Bytes(40),
        _ => Encoded,
    }
}

/// Name of a request, for the call trace.
pub(crate) fn name(request: u32) -> Option<&'static str> {
    if request >> 8 & 0xff == userfault::TYPE {
        return userfault::name(request);
    }
    REQUESTS.iter().find(|r| r.number == request).map(|r| r.name)
}

pub(crate) fn sys_ioctl(t: &mut Thread, fd: Fd, request: u32, arg: u64) -> SysResult {
    if request == PROCMAP_QUERY
        && let Some(answer) = query::query(t, fd, GuestPtr::new(arg))
    {
        return answer;
    }
    if request >> 8 & 0xff == userfault::TYPE {
        return userfault::ioctl(t, fd, request, arg);
    }
    match find(request) {
        Some(Number) => host!(t, SYS_ioctl, fd, request, arg),
        Some(Bytes(len)) => host!(t, SYS_ioctl, fd, request, t.output(arg, len)?),
        Some(Encoded) => {
            let direction = request >> 30;
            let size = u64::from(request >> 16 & 0x3fff);
            if direction == 0 {
                return host!(t, SYS_ioctl, fd, request, arg);
            }
            host!(t, SYS_ioctl, fd, request, t.output(arg, size)?)
        }
        Some(IfConf) => interface_list(t, fd, request, arg),
        Some(EthTool) => ethtool(t, fd, request, arg),
        Some(Notification) => listener::receive(t, fd, request, arg),
        Some(Response) => listener::answer(t, fd, request, arg),
        Some(Addresses(len, places)) => with_addresses(t, fd, request, arg, len, places),
        Some(Loop) => loop_info::status(t, fd, request, arg),
        None => unknown(t, fd, request, arg),
    }
}

/// Types of requests that are about the machine, which is not the guest's: `KVMIO`, and what
/// `perf_event_open` and `userfaultfd` would open.
const OF_MACHINE: &[u8] = &[0xae, b'$', 0xaa];

/// A request that no line is about. Where guest addresses are host addresses it needs none: the
/// structure is the host's, with all addresses in it. Elsewhere the host might take an address for
/// its own, so the request is not made.
fn unknown(t: &Thread, fd: Fd, request: u32, arg: u64) -> SysResult {
    let [_, ty, ..] = request.to_le_bytes();
    let memory = t.memory();
    if memory.base().0 == 0 && !OF_MACHINE.contains(&ty) {
        let size = u64::from(request >> 16 & 0x3fff);
        let is_number = request >> 30 == 0 && (arg >= memory.size() || arg < PAGE_SIZE);
        let arg = if is_number { HostArg::value(arg) } else { t.output(arg, size.max(1))? };
        return host!(t, SYS_ioctl, fd, request, arg);
    }
    // A request of a terminal or a disk is asked of any file, to find out what it is.
    let is_device = || {
        let kind = std::fs::metadata(format!("/proc/self/fd/{}", fd.0)).map(|m| m.file_type());
        kind.is_ok_and(|kind| kind.is_char_device() || kind.is_block_device())
    };
    let key = u64::from(request) | 1 << 63;
    if is_device() && lock(&t.process.warned).insert(key) {
        tracing::warn!("unsupported ioctl request {request:#x}");
    }
    Err(Errno::ENOTTY)
}

/// A structure in which the host gets its own addresses. The guest gets its own back.
fn with_addresses(
    t: &Thread,
    fd: Fd,
    request: u32,
    arg: u64,
    len: u64,
    places: &[u8],
) -> SysResult {
    if t.memory().base().0 == 0 {
        return host!(t, SYS_ioctl, fd, request, t.output(arg, len)?);
    }
    let mut bytes = vec![0_u8; len as usize];
    t.memory().read_bytes(arg, &mut bytes)?;
    let mut own = Vec::new();
    for place in places.iter().map(|&at| usize::from(at)..usize::from(at) + 8) {
        let mut word = [0; 8];
        word.copy_from_slice(&bytes[place.clone()]);
        let host = t.host_addr(u64::from_le_bytes(word), 1, Access::Write)?;
        bytes[place.clone()].copy_from_slice(&host.to_le_bytes());
        own.push((place, word));
    }
    let result = host!(t, SYS_ioctl, fd, request, HostArg::slice_mut(&mut bytes))?;
    for (place, word) in own {
        bytes[place].copy_from_slice(&word);
    }
    t.memory().write_bytes(arg, &bytes)?;
    Ok(result)
}

/// `struct ifconf`: a length in 32 bits, then the address of that many bytes.
fn interface_list(t: &Thread, fd: Fd, request: u32, arg: u64) -> SysResult {
    let ptr = GuestPtr::<[u64; 2]>::new(arg);
    let [len, addr] = ptr.read(t.memory())?;
    let addr = t.host_addr(addr, len & 0xffff_ffff, Access::Write)?;
    let mut conf = [len, addr];
    let n = host!(t, SYS_ioctl, fd, request, HostArg::of_mut(&mut conf))?;
    ptr.cast::<u32>().write(t.memory(), &(conf[0] as u32))?;
    Ok(n)
}

/// Bytes that an ethtool command may work on: the largest fixed structures and short tables.
const ETHTOOL_DATA: u64 = 4096;

/// `struct ifreq`: a name of 16 bytes, then the address of the command's structure.
fn ethtool(t: &Thread, fd: Fd, request: u32, arg: u64) -> SysResult {
    let mut ifreq = GuestPtr::<[u64; 5]>::new(arg).read(t.memory())?;
    ifreq[2] = t.host_addr(ifreq[2], ETHTOOL_DATA, Access::Write)?;
    host!(t, SYS_ioctl, fd, request, HostArg::of_mut(&mut ifreq))
}

/// The document for people to read.
#[must_use]
pub(crate) fn markdown() -> String {
    let mut out = String::from(TEXT);
    for r in REQUESTS {
        let _ = writeln!(out, "| `{:#x}` | `{}` | {} |", r.number, r.name, r.kind);
    }
    out.push_str("\n| Type | Numbers |\n|---|---|\n");
    for (ty, numbers) in ENCODED {
        let shown =
            if ty.is_ascii_graphic() { format!("'{}'", *ty as char) } else { format!("{ty:#x}") };
        let _ = writeln!(out, "| `{shown}` | {} to {} |", numbers.start(), numbers.end());
    }
    out
}

const TEXT: &str = "\
# Device control

Generated from `src/linux/fs/ioctl.rs`; `BLESS=1 cargo test linux::doc` writes it anew.

How a request of `ioctl` is served follows from these rules, in this order:

1. A request of the first table is served as its line says.
2. A request of the tun driver, and of a type and number in the second table, has a structure without
   addresses, of the size that the request's number encodes. It is given to the host in place.
3. Requests of virtual machines (`KVM`), counters and `userfaultfd` are about a machine that is not
   the guest's: `ENOTTY`.
4. Where guest addresses are host addresses, which is the command's default, any other request is
   given to the host as it is: layouts are the same on riscv64, x86-64 and aarch64 (the 2,003 requests
   of the headers that encode a size, other than KVM's, have the same number on each), and so are
   the addresses in structures.
5. Elsewhere (programs linked below the lowest address that the host lets anybody map) any other
   request is `ENOTTY`: an address in its structure would be taken for one of the host. A warning
   tells of it once, if the file is a device.

| Number | Name | Argument |
|---|---|---|
";

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Number => f.write_str("a number, or nothing"),
            Bytes(n) => write!(f, "{n} bytes in place"),
            Encoded => f.write_str("a structure of the encoded size, in place"),
            Addresses(n, places) => {
                write!(f, "{n} bytes; the addresses at {places:?} are translated")
            }
            IfConf => f.write_str("`struct ifconf`; its address is translated"),
            EthTool => f.write_str("`struct ifreq`; its address is translated"),
            Loop => f.write_str("`struct loop_info`, converted"),
            Notification => f.write_str("`struct seccomp_notif`, in the guest's numbers"),
            Response => f.write_str("`struct seccomp_notif_resp`"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_request_has_one_line() {
        for (i, r) in REQUESTS.iter().enumerate() {
            assert!(REQUESTS[..i].iter().all(|q| q.number != r.number), "{}", r.name);
        }
        assert_eq!(name(0x5413), Some("TIOCGWINSZ"));
    }

    #[test]
    fn encoded_requests_are_known_by_their_type() {
        // TIOCGPTN, TCGETS2, FICLONE, RNDGETENTCNT and a DRM request.
        assert_eq!(find(0x8004_5430), Some(Encoded));
        assert_eq!(find(0x802c_542a), Some(Encoded));
        assert_eq!(find(0x4004_9409), Some(Encoded));
        assert_eq!(find(0x8004_5200), Some(Encoded));
        assert_eq!(find(0x4004_54ca), Some(Bytes(40)));
        assert_eq!(find(0xc010_6400), None);
    }
}
