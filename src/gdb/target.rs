//! What is asked of who is debugged.

use super::Action;
use crate::cpu::Hart;
use crate::interp::WatchKind;
use std::ops::Range;

/// Why a thread has stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A signal that it has not got yet, or with number 0 none at all: it was asked to.
    Signal(i32),
    /// It has done a step.
    Step,
    /// A breakpoint; `hard`: of the kind that processors have.
    Break {
        /// See above.
        hard: bool,
    },
    /// A watchpoint, and the address that was accessed.
    Watch(WatchKind, u64),
    /// A system call is about to be made.
    SyscallEntry(u64),
    /// It has been made.
    SyscallReturn(u64),
    /// It has made another process, with that id.
    Fork(i32),
    /// The same, which has its memory until it ends or starts another program.
    Vfork(i32),
    /// Such a process has ended or started another program.
    VforkDone,
    /// The program was replaced by the one with this path.
    Exec(Vec<u8>),
    /// It is new.
    ThreadCreate,
}

/// An event that the client is told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// A thread has stopped, and so have all others.
    Thread {
        /// Which.
        tid: i32,
        /// Why.
        what: What,
    },
    /// The process has ended with that code.
    Exited(i32),
    /// It was killed by that signal.
    Killed(i32),
}

/// A condition of a breakpoint, or a command: agent bytecode.
pub type Condition = Vec<u8>;

/// A breakpoint or watchpoint that is to be set or removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Break {
    /// Execution stops before that address.
    Code {
        /// Guest address.
        pc: u64,
        /// Of the kind that processors have.
        hard: bool,
        /// One of them must be true, if there are any.
        conditions: Vec<Condition>,
    },
    /// Execution stops behind an access.
    Data {
        /// Which accesses.
        kind: WatchKind,
        /// To which addresses.
        range: Range<u64>,
    },
}

/// Memory of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    /// Its addresses.
    pub range: Range<u64>,
    /// Readable, writable, executable; `None`: nothing is there.
    pub access: Option<[bool; 3]>,
    /// The file, or a name such as `[heap]`; may be empty.
    pub name: Vec<u8>,
}

/// A number of errno(3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileError(pub i32);

/// A process that is debugged. All of its threads are stopped while it is asked anything.
pub trait Target {
    /// Its id.
    fn pid(&self) -> i32;
    /// Its threads, oldest first.
    fn threads(&self) -> Vec<i32>;
    /// What a thread is called.
    fn thread_name(&self, tid: i32) -> String;
    /// A thread's registers.
    fn registers(&mut self, tid: i32) -> Option<Hart>;
    /// Sets them; false if it cannot be done.
    fn set_registers(&mut self, tid: i32, hart: &Hart) -> bool;
    /// Reads memory; returns how many bytes could be read.
    fn read(&mut self, addr: u64, to: &mut [u8]) -> usize;
    /// Writes memory, also where the program itself may not; false if there is none.
    fn write(&mut self, addr: u64, bytes: &[u8]) -> bool;
    /// The memory at an address, or the gap.
    fn region(&mut self, addr: u64) -> Region;
    /// End of the address space.
    fn memory_size(&self) -> u64;
    /// Sets or removes a breakpoint; false if it cannot be done.
    fn set_break(&mut self, at: &Break, on: bool) -> bool;
    /// The system calls at which to stop; `None`: none; empty: all.
    fn catch_syscalls(&mut self, which: Option<Vec<u64>>);
    /// Signals that programs get without the client being told.
    fn pass_signals(&mut self, signals: Vec<i32>);
    /// Whether the client is told of new threads.
    fn tell_threads(&mut self, on: bool);
    /// The `siginfo_t` of a thread's last signal.
    fn siginfo(&mut self, tid: i32) -> Option<Vec<u8>>;
    /// Changes it.
    fn set_siginfo(&mut self, tid: i32, info: &[u8]) -> bool;
    /// The C library's description of where a `link_map` has its module's number is at `address`:
    /// three 32-bit numbers, bits, how many, and offset.
    fn module_number_at(&mut self, address: u64);
    /// Where a thread has the thread-local variable at `offset` of the module whose `link_map`
    /// is at `module` (0: the program).
    fn thread_local(&mut self, tid: i32, offset: u64, module: u64) -> Option<u64>;
    /// The auxiliary vector.
    fn auxv(&self) -> Vec<u8>;
    /// Path of the program, as the guest knows it.
    fn exec_file(&self) -> Vec<u8>;
    /// Shared libraries in gdb's form (`library-list-svr4`).
    fn libraries(&mut self) -> String;
    /// Runs a command of the user's, and returns its output.
    fn monitor(&mut self, command: &str) -> String;
    /// Opens a file for reading (`flags` are those of gdb's File-I/O protocol).
    ///
    /// # Errors
    /// Why not.
    fn open_file(&mut self, path: &[u8], flags: u32, mode: u32) -> Result<i32, FileError>;
    /// Reads from a file.
    ///
    /// # Errors
    /// Why not.
    fn read_file(&mut self, fd: i32, offset: u64, len: usize) -> Result<Vec<u8>, FileError>;
    /// Writes to a file.
    ///
    /// # Errors
    /// Why not.
    fn write_file(&mut self, fd: i32, offset: u64, bytes: &[u8]) -> Result<usize, FileError>;
    /// Size and mode of a file, and when it was written.
    ///
    /// # Errors
    /// Why not.
    fn stat_file(&mut self, fd: i32) -> Result<[u64; 3], FileError>;
    /// Closes a file.
    ///
    /// # Errors
    /// There is no such descriptor.
    fn close_file(&mut self, fd: i32) -> Result<(), FileError>;
    /// Where a symbolic link leads.
    ///
    /// # Errors
    /// Why not.
    fn read_link(&mut self, path: &[u8]) -> Result<Vec<u8>, FileError>;
    /// Removes a file.
    ///
    /// # Errors
    /// Why not.
    fn unlink_file(&mut self, path: &[u8]) -> Result<(), FileError>;
    /// How a thread goes on once all do, and with which signal (Linux's number; 0: none).
    fn resume(&mut self, tid: i32, action: &Action, signal: Option<i32>);
    /// A process that has been made by a fork stands before its first instruction: `follow` it
    /// instead of this one, or let it go.
    fn release_child(&mut self, pid: i32, follow: bool);
    /// Kills such a process instead.
    fn kill_child(&mut self, pid: i32);
}
