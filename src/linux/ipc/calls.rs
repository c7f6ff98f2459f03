//! Message queues and semaphores, as far as the host's calls cannot be made on the guest's
//! arguments as they are.

use crate::linux::abi::{Errno, Fd, GuestPtr, SigEvent, SysResult};
use crate::linux::args::host;
use crate::linux::host::HostArg;
use crate::linux::process::Thread;
use crate::mem::Access;
use std::mem::offset_of;

/// A message is preceded by its type, a `long`.
const MESSAGE_TYPE: u64 = 8;

/// Bytes of a message with its type.
fn message_len(size: i64) -> Result<u64, Errno> {
    Ok(u64::try_from(size).map_err(|_| Errno::EINVAL)?.saturating_add(MESSAGE_TYPE))
}

pub(crate) fn sys_msgsnd(
    t: &mut Thread,
    id: i32,
    message: u64,
    size: i64,
    flags: i32,
) -> SysResult {
    host!(t, SYS_msgsnd, id, t.input(message, message_len(size)?)?, size as u64, flags)
}

pub(crate) fn sys_msgrcv(
    t: &mut Thread,
    id: i32,
    message: u64,
    size: i64,
    kind: u64,
    flags: i32,
) -> SysResult {
    host!(t, SYS_msgrcv, id, t.output(message, message_len(size)?)?, size as u64, kind, flags)
}

/// `SIGEV_THREAD`: a cookie of 32 bytes is sent to a socket.
const SIGEV_THREAD: i32 = 2;
/// `NOTIFY_COOKIE_LEN` (`linux/mqueue.h`).
const NOTIFY_COOKIE: u64 = 32;

pub(crate) fn sys_mq_notify(t: &mut Thread, queue: Fd, event: GuestPtr<SigEvent>) -> SysResult {
    let Some(mut event) = event.read_optional(t.memory())? else {
        return host!(t, SYS_mq_notify, queue, HostArg::NULL);
    };
    if event.notify == SIGEV_THREAD {
        event.value = t.host_addr(event.value, NOTIFY_COOKIE, Access::Read)?;
    }
    host!(t, SYS_mq_notify, queue, HostArg::of(&event))
}

/// `SEM_STAT` and its kin (`linux/sem.h`).
mod sem {
    pub(crate) const GETALL: i32 = 13;
    pub(crate) const SETALL: i32 = 17;
    pub(crate) const STAT: i32 = 18;
    pub(crate) const INFO: i32 = 19;
    pub(crate) const STAT_ANY: i32 = 20;
}

/// `struct seminfo`.
const SEMINFO: u64 = 40;
/// 64-bit words of `struct ipc64_perm`, the first part of the structure on all hosts.
const PERM: usize = 6;
/// 64-bit words of the host's `struct semid64_ds`.
const HOST_DS: usize = size_of::<libc::semid_ds>() / 8;
/// The guest's: permissions, two times, the count, two spare (`asm-generic/sembuf.h`).
type GuestSemDs = [u64; PERM + 5];

/// The host's structure, in which x86-64 has padding after the times, as the guest's.
fn guest_sem_ds(host: &[u64; HOST_DS]) -> GuestSemDs {
    let mut guest = [0; PERM + 5];
    guest[..PERM].copy_from_slice(&host[..PERM]);
    guest[PERM] = host[offset_of!(libc::semid_ds, sem_otime) / 8];
    guest[PERM + 1] = host[offset_of!(libc::semid_ds, sem_ctime) / 8];
    guest[PERM + 2] = host[offset_of!(libc::semid_ds, sem_nsems) / 8];
    guest
}

pub(crate) fn sys_semctl(
    t: &mut Thread,
    id: i32,
    number: i32,
    command: i32,
    arg: u64,
) -> SysResult {
    // Old programs ask for the 64-bit layout by a flag, which is the only one there is here.
    const IPC_64: i32 = 0x100;
    if id < 0 {
        return Err(Errno::EINVAL);
    }
    match command & !IPC_64 {
        libc::IPC_STAT | sem::STAT | sem::STAT_ANY => {
            let mut ds = [0; HOST_DS];
            let n = host!(t, SYS_semctl, id, number, command, HostArg::of_mut(&mut ds))?;
            GuestPtr::new(arg).write(t.memory(), &guest_sem_ds(&ds))?;
            Ok(n)
        }
        libc::IPC_SET => {
            let guest = GuestPtr::<GuestSemDs>::new(arg).read(t.memory())?;
            let mut ds = [0; HOST_DS];
            ds[..PERM].copy_from_slice(&guest[..PERM]);
            host!(t, SYS_semctl, id, number, command, HostArg::of(&ds))
        }
        sem::GETALL | sem::SETALL => {
            let mut ds = [0; HOST_DS];
            host!(t, SYS_semctl, id, 0, libc::IPC_STAT, HostArg::of_mut(&mut ds))?;
            let len = 2 * ds[offset_of!(libc::semid_ds, sem_nsems) / 8];
            let set = command & !IPC_64 == sem::SETALL;
            let values = if set { t.input(arg, len)? } else { t.output(arg, len)? };
            host!(t, SYS_semctl, id, number, command, values)
        }
        libc::IPC_INFO | sem::INFO => {
            host!(t, SYS_semctl, id, number, command, t.output(arg, SEMINFO)?)
        }
        _ => host!(t, SYS_semctl, id, number, command, arg as u32),
    }
}
