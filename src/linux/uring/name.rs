//! Which ring a call means.

use super::ring::{Queues, Ring, Shape, open_files};
use crate::linux::abi::{Errno, Fd};
use crate::linux::host::{file_identity, host_call};
use crate::linux::lock::lock;
use crate::linux::process::Thread;
use std::os::fd::AsRawFd;
use std::sync::{Arc, Mutex};

/// `IORING_ENTER_REGISTERED_RING`.
pub(super) const REGISTERED_RING: u32 = 1 << 4;

/// The ring that a descriptor of the guest is, if it is one.
pub(super) fn find(t: &Thread, fd: Fd) -> Option<Arc<Ring>> {
    let rings = lock(&t.process.rings);
    if rings.known.is_empty() {
        return None;
    }
    let file = file_identity(fd.0).ok()?;
    rings.known.get(&(file.dev, file.inode)).map(Arc::clone)
}

/// How a call names a ring.
#[derive(Clone, Copy)]
pub(super) struct Name {
    pub(super) number: u32,
    /// The number is an index of the thread's registered rings.
    pub(super) registered: bool,
}

impl Name {
    pub(super) fn fd(self) -> Option<Fd> {
        (!self.registered).then_some(Fd(self.number as i32))
    }

    /// # Errors
    /// `EOPNOTSUPP` for what is no ring, or one of another program; `EBADF`, `EINVAL`.
    pub(super) fn ring(self, t: &Thread) -> Result<Arc<Ring>, Errno> {
        let found = match self.fd() {
            Some(fd) => find(t, fd),
            None => t.registered_rings.get(&self.number).map(Arc::clone),
        };
        if let Some(ring) = found {
            return Ok(ring);
        }
        // The host knows what is wrong with it.
        let flags = if self.registered { REGISTERED_RING } else { 0 };
        let args = [self.number.into(), 0_u32.into(), 0_u32.into(), flags.into()];
        host_call(libc::SYS_io_uring_enter, &args)?;
        Err(Errno::EOPNOTSUPP)
    }
}

/// Takes note of a ring that the host has just set up as `fd`.
pub(super) fn know(
    t: &Thread,
    fd: &impl AsRawFd,
    shape: Shape,
    queues: Queues,
) -> Result<(), Errno> {
    let file = file_identity(fd.as_raw_fd())?;
    let id = (file.dev, file.inode);
    let ring = Ring { id, shape, queues: Arc::new(queues), submission: Mutex::default() };
    let full = lock(&t.process.rings).is_full();
    let open = if full { open_files() } else { None };
    let mut rings = lock(&t.process.rings);
    if let Some(open) = open {
        rings.keep(&open);
    }
    rings.known.insert(id, Arc::new(ring));
    Ok(())
}
