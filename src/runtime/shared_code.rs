//! Translations that several machines use together, since their guests' code is the same.
//!
//! A machine that shares translations has all the code watched that its guest may execute. As soon
//! as anything of it changes, or there is more, the machine goes on with a code cache of its own
//! ([`Machine::own_generation`](super::Machine)). So the shared cache has translations of the
//! common code alone, and nothing of it is ever invalidated.

use super::machine::Generation;
use crate::sys::forks;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

/// Translations of the code of one program; see the module.
#[derive(Default)]
pub struct SharedCode {
    /// The code cache, and the process whose it is ([`forks::epoch`]).
    current: Mutex<Option<(u64, Arc<Generation>)>>,
}

impl std::fmt::Debug for SharedCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SharedCode")
    }
}

impl SharedCode {
    /// The code cache, which `make` makes if there is none yet.
    pub(super) fn generation(
        &self,
        make: impl FnOnce() -> io::Result<Arc<Generation>>,
    ) -> io::Result<Arc<Generation>> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let epoch = forks::epoch();
        if let Some((_, generation)) = current.as_ref().filter(|(of, _)| *of == epoch) {
            return Ok(Arc::clone(generation));
        }
        let generation = make()?;
        // Harts of several machines may execute it.
        generation.cache.set_shared(true);
        *current = Some((epoch, Arc::clone(&generation)));
        Ok(generation)
    }
}
