//! What a thread keeps about its debugger.

use crate::gdb::Action;
use crate::linux::gdb::state::{Child, Debugger, Points};
use std::sync::{Arc, Condvar};

/// What a thread knows of its debugger.
pub(crate) struct Debuggee {
    pub debugger: Arc<Debugger>,
    pub wake: Arc<Condvar>,
    pub action: Action,
    pub points: Arc<Points>,
    /// The step that was asked for is done.
    pub stepped: bool,
    /// The next instruction is the first since the client let it go on.
    pub first: bool,
    /// What is to happen with the signal that it has stopped for, or instead of it.
    pub signal: Option<i32>,
    /// It has made a process, which the client is to be told of.
    pub forked: Option<Child>,
    /// What is watched, before a system call.
    pub before: Vec<(u64, Vec<u8>)>,
}
