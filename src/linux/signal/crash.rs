//! What tools are told when a signal that means a fault of the program ends a guest process.

use crate::cpu::Hart;
use crate::isa::Isa;
use crate::mem::Memory;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// A process that is about to die: its thread that has received the signal is at `hart`, and its
/// memory is as the program left it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Crash<'a> {
    /// The signal's number.
    pub signal: i32,
    /// Why it was sent (`si_code`).
    pub code: i32,
    /// The address that it is about (`si_addr`), if the kernel would tell one.
    pub address: Option<u64>,
    /// Registers of the thread.
    pub hart: &'a Hart,
    /// The process's memory.
    pub memory: &'a Memory,
    /// Instructions that the program may use.
    pub isa: &'a Isa,
    /// The program's file, as the guest names it.
    pub program: &'a Path,
    /// The thread's number.
    pub thread: i32,
}

/// Who is told.
#[derive(Clone)]
pub(crate) struct Hook {
    /// Of signals that somebody has sent too (abort(3)): the host must not act on them then.
    pub(crate) all: bool,
    pub(crate) tell: Arc<dyn Fn(&Crash<'_>) + Send + Sync>,
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hook")
    }
}
