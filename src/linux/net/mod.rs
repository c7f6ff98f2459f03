//! Sockets (kernel: `net/`): calls, and addresses that are paths ([`unix`]), which `fs` resolves.

pub(crate) mod socket;
pub(crate) mod unix;
