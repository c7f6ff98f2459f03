//! Key rings of the kernel (keyrings(7)).

use crate::linux::abi::{Errno, SysResult};
use crate::linux::args::{Arg, host};
use crate::linux::fs::iovec::import_iovec;
use crate::linux::host::HostArg;
use crate::linux::process::Thread;
use crate::mem::Access;

/// What the arguments of a `keyctl` command are, from the second on.
fn keyctl_arguments(command: u32) -> Option<&'static [Arg]> {
    use Arg::{RN, S, V, WN};
    // The counts of RN and WN are the indices of arguments of the whole call.
    Some(match command {
        0 | 8 | 9 | 22 => &[V, V],     // Of two key rings or ids.
        1 => &[S],                     // JOIN_SESSION_KEYRING
        2 => &[V, RN(3), V],           // UPDATE
        3 | 7 | 14 | 16 | 21 => &[V],  // Of one key.
        4 | 13 => &[V, V, V],          // CHOWN, NEGATE
        5 | 15 => &[V, V],             // SETPERM, SET_TIMEOUT
        6 | 11 | 17 => &[V, WN(3), V], // DESCRIBE, READ, GET_SECURITY
        10 => &[V, S, S, V],           // SEARCH
        12 => &[V, RN(3), V, V],       // INSTANTIATE
        18 => &[],                     // SESSION_TO_PARENT
        19 => &[V, V, V, V],           // REJECT
        29 => &[V, S, S],              // RESTRICT_KEYRING
        30 => &[V, V, V, V],           // MOVE
        31 => &[WN(2), V],             // CAPABILITIES
        32 => &[V, V, V],              // WATCH_KEY
        _ => return None,
    })
}

/// `KEYCTL_INSTANTIATE_IOV`.
const INSTANTIATE_IOV: u32 = 20;

pub(crate) fn sys_keyctl(t: &mut Thread, command: u32) -> SysResult {
    if command == INSTANTIATE_IOV {
        let [_, key, vector, count, ring, _] = t.args();
        let vector = import_iovec(t, vector, count, Access::Read)?;
        let vector = HostArg::slice(&vector);
        return host!(t, SYS_keyctl, command, key, vector, count, ring);
    }
    let spec = keyctl_arguments(command).ok_or(Errno::EOPNOTSUPP)?;
    let mut whole = vec![Arg::V];
    whole.extend_from_slice(spec);
    t.pass(219, &whole)
}
