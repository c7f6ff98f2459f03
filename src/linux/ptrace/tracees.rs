//! What a process keeps of the threads that it traces (ptrace(2)).
//!
//! The host's kernel is the judge: the guest's tracer traces the host thread in which a guest
//! thread runs, so rights, stops, their order, and what wait(2) says are the kernel's. What the
//! kernel cannot know are the guest's registers, which are only in order at a boundary between
//! guest instructions. So a traced thread stops itself there (`stop`), by a signal with
//! [`TRACE_CODE`](super::area::TRACE_CODE), and all other stops of the host thread are passed over
//! (`wait`).

use crate::linux::abi::{Errno, IoVec, Pod as _, SigInfo, SysResult};
use crate::linux::host::{HostArg, host_call};
use crate::linux::lock::lock;
use crate::linux::ptrace::area::{MODE_OFFSET, Mode, Report, Rewritten};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Mutex;

/// A stop that the guest has been told of.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stop {
    /// The thread's own.
    Own(Report),
    /// The host's: of a group, or a `PTRACE_EVENT_*`; with registers if they are in order.
    Host { event: u32, report: Option<Report> },
}

/// One traced thread.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tracee {
    /// Host address of its words; 0 while it has not told.
    pub area: u64,
    /// `PTRACE_SEIZE`.
    pub seized: bool,
    /// `PTRACE_O_*` as the guest has set them.
    pub options: u64,
    /// The guest has been told of it; false for one that its maker's options have attached.
    pub born: bool,
    /// The host knows which events we want.
    pub prepared: bool,
    /// How it goes on after a stop that the guest is not told of.
    pub mode: Mode,
    /// What it is asked for (`ASKED_*`) with the signal that is on its way: of two that wait the
    /// kernel keeps one.
    pub asked: u64,
    /// What the kernel said of a SIGSTOP that the thread is asked for.
    pub stop_info: Option<SigInfo>,
    pub stop: Option<Stop>,
}

/// All threads that a process traces, by their ids.
#[derive(Debug, Default)]
pub(crate) struct Tracees(Mutex<BTreeMap<i32, Tracee>>);

/// Makes the host's ptrace(2). Addresses in the traced thread are numbers.
pub(crate) fn ptrace(request: u32, tid: i32, addr: u64, data: HostArg<'_>) -> SysResult {
    host_call(libc::SYS_ptrace, &[request.into(), tid.into(), addr.into(), data])
}

impl Tracees {
    pub(crate) fn find(&self, tid: i32) -> Option<Tracee> {
        lock(&self.0).get(&tid).copied()
    }

    pub(crate) fn set(&self, tid: i32, tracee: Tracee) {
        lock(&self.0).insert(tid, tracee);
    }

    pub(crate) fn remove(&self, tid: i32) -> Option<Tracee> {
        lock(&self.0).remove(&tid)
    }

    pub(crate) fn ids(&self) -> Vec<i32> {
        lock(&self.0).keys().copied().collect()
    }

    /// For a thread that nobody has told us of: one whose maker attaches what it makes.
    pub(crate) fn attached_by_maker(&self) -> Option<Tracee> {
        let makes = u64::from(
            (libc::PTRACE_O_TRACEFORK | libc::PTRACE_O_TRACEVFORK | libc::PTRACE_O_TRACECLONE)
                as u32,
        );
        let all = lock(&self.0);
        let maker = all.values().find(|t| t.options & makes != 0)?;
        Some(Tracee { seized: maker.seized, options: maker.options, ..Tracee::default() })
    }

    /// In a child process, which traces nobody.
    pub(crate) fn clear(&self) {
        lock(&self.0).clear();
    }

    /// Held while the process is copied.
    pub(crate) fn hold(&self) -> impl Drop + '_ {
        lock(&self.0)
    }

    /// Says that guest memory of a traced process was written to, where another way leads than its
    /// own stores: translations of it are void when one of its threads goes on.
    /// `is_it` is asked which process it is.
    pub(crate) fn wrote(&self, is_it: impl Fn(i32) -> bool, range: &Range<u64>) {
        let all = lock(&self.0);
        let report = all.values().find_map(|t| match t.stop {
            Some(Stop::Own(r) | Stop::Host { report: Some(r), .. }) => {
                is_it(r.process()).then_some(r)
            }
            _ => None,
        });
        if let Some(report) = report {
            let _ = add_range(report.process(), report.rewritten(), range);
        }
    }
}

/// Adds to the [`Rewritten`] of another process.
fn add_range(process: i32, list: u64, range: &Range<u64>) -> Result<(), Errno> {
    let mut count = 0_u64;
    read(process, list, count.bytes_mut())?;
    if count < Rewritten::PAIRS as u64 {
        let pair = [range.start, range.end];
        write(process, list + 8 + 16 * count, pair.bytes())?;
    }
    write(process, list, count.saturating_add(1).bytes())
}

fn copy(number: i64, pid: i32, local: HostArg<'_>, len: usize, remote: u64) -> Result<(), Errno> {
    let here = IoVec { base: local.word(), len: len as u64 };
    let there = IoVec { base: remote, len: len as u64 };
    let (one, none) = (HostArg::value(1), HostArg::value(0));
    let args = [pid.into(), HostArg::of(&here), one, HostArg::of(&there), one, none];
    let done = host_call(number, &args)?;
    if done == len as u64 { Ok(()) } else { Err(Errno::EIO) }
}

/// Reads host memory of the process or thread `pid`.
pub(crate) fn read(pid: i32, addr: u64, to: &mut [u8]) -> Result<(), Errno> {
    let len = to.len();
    copy(libc::SYS_process_vm_readv, pid, HostArg::slice_mut(to), len, addr)
}

/// Writes host memory of the process or thread `pid`.
pub(crate) fn write(pid: i32, addr: u64, from: &[u8]) -> Result<(), Errno> {
    copy(libc::SYS_process_vm_writev, pid, HostArg::slice(from), from.len(), addr)
}

impl Tracee {
    /// What the thread says; `None` if it has not told where.
    pub(crate) fn report(&self, tid: i32) -> Option<Report> {
        let mut report = Report::EMPTY;
        (self.area != 0).then_some(())?;
        read(tid, self.area, report.0.bytes_mut()).ok()?;
        Some(report)
    }

    /// Writes what has been answered.
    pub(crate) fn answer(&self, tid: i32, report: &Report) -> Result<(), Errno> {
        write(tid, self.area, report.0.bytes())
    }

    /// Changes how the thread goes on that is at a stop of the host's.
    pub(crate) fn set_mode(&self, tid: i32, mode: Mode) {
        if self.area != 0 {
            let _ = write(tid, self.area + MODE_OFFSET, (mode as u64).bytes());
        }
    }
}
