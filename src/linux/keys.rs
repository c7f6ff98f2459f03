//! Key rings of the kernel (keyrings(7)).

use super::abi::{Errno, SysResult};
use super::host::Arg;
use super::process::Thread;

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
        31 => &[WN(2), V],             // CAPABILITIES
        _ => return None,
    })
}

pub(super) fn sys_keyctl(t: &mut Thread, command: u32) -> SysResult {
    let spec = keyctl_arguments(command).ok_or(Errno::EOPNOTSUPP)?;
    let mut whole = vec![Arg::V];
    whole.extend_from_slice(spec);
    t.pass(219, &whole)
}
