//! `struct loop_info` of the requests `LOOP_SET_STATUS` and `LOOP_GET_STATUS` (`linux/loop.h`): its
//! device numbers are of type `__kernel_old_dev_t`, which has 32 bits on riscv64 and 64 on x86-64.

use crate::linux::abi::{Fd, GuestPtr, SysResult};
use crate::linux::args::host;
use crate::linux::host::HostArg;
use crate::linux::process::Thread;
use crate::sys::syscall::OLD_DEVICE;

const SET: u32 = 0x4c02;

/// Bytes of the guest's structure.
const GUEST: usize = 160;

/// A field: where the guest has it and where the host, and bytes on each side.
type Field = (usize, usize, usize);

/// The host has device numbers of 64 bits, and so other places for what follows them.
const WIDE: bool = OLD_DEVICE == 8;

/// The place of a field in the host's structure.
const fn place(guest: usize, if_wide: usize) -> usize {
    if WIDE { if_wide } else { guest }
}

/// Number, device, inode, real device; offset, kind and size of key, flags; name; key; initial
/// values; room.
const FIELDS: [Field; 9] = [
    (0, 0, 4),
    (4, place(4, 8), 4),
    (8, place(8, 16), 8),
    (16, place(16, 24), 4),
    (20, place(20, 32), 16),
    (36, place(36, 48), 64),
    (100, place(100, 112), 32),
    (136, place(136, 144), 16),
    (152, place(152, 160), 4),
];
/// Bytes of the host's structure.
const HOST: usize = place(GUEST, 168);

/// Serves both requests.
pub(crate) fn status(t: &Thread, fd: Fd, request: u32, arg: u64) -> SysResult {
    let ptr = GuestPtr::<[u8; GUEST]>::new(arg);
    let (mut guest, mut host) = ([0; GUEST], [0; HOST]);
    if request == SET {
        guest = ptr.read(t.memory())?;
        for (from, to, len) in FIELDS {
            host[to..to + len].copy_from_slice(&guest[from..from + len]);
        }
    }
    let result = host!(t, SYS_ioctl, fd, request, HostArg::of_mut(&mut host))?;
    if request != SET {
        for (to, from, len) in FIELDS {
            guest[to..to + len].copy_from_slice(&host[from..from + len]);
        }
        ptr.write(t.memory(), &guest)?;
    }
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_do_not_overlap() {
        for pair in FIELDS.windows(2) {
            let ((guest, host, len), (next, host_next, _)) = (pair[0], pair[1]);
            assert!(guest + len <= next && host + len <= host_next, "{pair:?}");
        }
        let (guest, host, len) = FIELDS[FIELDS.len() - 1];
        assert!(guest + len <= GUEST && host + len <= HOST);
    }
}
