//! A call of clone(2) or clone3(2), taken apart.

use crate::cpu::Hart;
use crate::sys::process as sys;

pub(super) const CSIGNAL: u64 = 0xff;
pub(super) const CLONE_VM: u64 = 0x100;
pub(super) const CLONE_FS: u64 = 0x200;
pub(super) const CLONE_FILES: u64 = 0x400;
pub(super) const CLONE_SIGHAND: u64 = 0x800;
pub(super) const CLONE_PIDFD: u64 = 0x1000;
pub(super) const CLONE_VFORK: u64 = 0x4000;
pub(super) const CLONE_THREAD: u64 = 0x1_0000;
pub(super) const CLONE_SYSVSEM: u64 = 0x4_0000;
pub(super) const CLONE_SETTLS: u64 = 0x8_0000;
pub(super) const CLONE_PARENT_SETTID: u64 = 0x10_0000;
pub(super) const CLONE_CHILD_CLEARTID: u64 = 0x20_0000;
pub(super) const CLONE_DETACHED: u64 = 0x40_0000;
pub(super) const CLONE_CHILD_SETTID: u64 = 0x100_0000;

pub(super) const CLONE_NEWUSER: u64 = 0x1000_0000;
pub(super) const CLONE_NEWPID: u64 = 0x2000_0000;
/// Handlers of the child are as after `execve` (clone3 only).
pub(super) const CLONE_CLEAR_SIGHAND: u64 = 1 << 32;
/// The child starts in a control group (clone3 only).
pub(super) const CLONE_INTO_CGROUP: u64 = 1 << 33;
pub(super) const CLONE_NEWTIME: u64 = 0x80;
pub(super) const CLONE_PARENT: u64 = 0x8000;
pub(crate) const CLONE_NEWNS: u64 = 0x2_0000;

/// Flags that we serve ourselves and do not tell the host of.
pub(super) const OURS: u64 = CLONE_VM
    | CLONE_NEWTIME
    | CLONE_CLEAR_SIGHAND
    | CLONE_INTO_CGROUP
    | CLONE_SETTLS
    | CLONE_PARENT_SETTID
    | CLONE_CHILD_CLEARTID
    | CLONE_CHILD_SETTID
    | CLONE_DETACHED
    | CLONE_PIDFD;

/// A call of clone or clone3, taken apart.
#[derive(Clone, Debug, Default)]
pub(crate) struct CloneRequest {
    pub(super) flags: u64,
    pub(super) exit_signal: u64,
    /// Initial stack pointer; 0 keeps the parent's.
    pub(super) stack: u64,
    pub(super) tls: Option<u64>,
    /// Where the child's id goes in the parent's memory.
    pub parent_tid: Option<u64>,
    /// Where it goes in the child's.
    pub child_tid: Option<u64>,
    /// Where 0 goes when the child ends.
    pub clear_tid: Option<u64>,
    pub(super) pidfd: Option<u64>,
    /// What only the host's clone3 can be asked for.
    pub(super) more: sys::CloneMore,
}

impl CloneRequest {
    pub(super) fn new(
        flags: u64,
        stack: u64,
        parent_tid: u64,
        child_tid: u64,
        tls: u64,
        pidfd: u64,
    ) -> Self {
        let on = |bit, value| (flags & bit != 0).then_some(value);
        Self {
            flags,
            stack,
            tls: on(CLONE_SETTLS, tls),
            parent_tid: on(CLONE_PARENT_SETTID, parent_tid),
            child_tid: on(CLONE_CHILD_SETTID, child_tid),
            clear_tid: on(CLONE_CHILD_CLEARTID, child_tid),
            pidfd: on(CLONE_PIDFD, pidfd),
            ..Self::default()
        }
    }

    /// Makes the parent's registers the child's: behind the call, with 0 as its result.
    pub(crate) fn set_child_registers(&self, hart: &mut Hart) {
        hart.x[10] = 0;
        hart.pc = hart.pc.wrapping_add(4);
        if self.stack != 0 {
            hart.x[2] = self.stack;
        }
        if let Some(tls) = self.tls {
            hart.x[4] = tls;
        }
        hart.clear_reservation();
        // Its vector state is not the parent's: it has none before it uses vectors.
        hart.vector = None;
    }

    /// What a thread is to have for itself, in the terms of unshare(2): host threads are born with
    /// everything shared.
    pub(crate) fn unshared(&self) -> u64 {
        (CLONE_FS | CLONE_FILES | CLONE_SYSVSEM) & !self.flags
    }

    /// What only the host's clone3 can be asked for.
    pub(crate) fn more(&self) -> &sys::CloneMore {
        &self.more
    }

    /// Flags for the host, and the signal at the child's end.
    pub(super) fn host_flags(&self) -> u64 {
        (self.flags & !OURS) | self.exit_signal
    }
}
