//! Errors and traps.

use crate::cpu::{Access, Exit, Fault};
use std::fmt;

/// What the functions of this library return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Any failure: opaque and cheap to move. [`Error::kind`] says of which sort it is,
/// [`Error::downcast_ref`] gives the cause, such as a [`Trap`].
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    source: Box<dyn std::error::Error + Send + Sync>,
}

/// Sorts of failure.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The program cannot be loaded: it is damaged, or not an RV64 executable.
    Load,
    /// The program asks for something that is not supported.
    Unsupported,
    /// A symbol is missing, or what it names does not fit.
    Link,
    /// A configuration that contradicts itself.
    Config,
    /// The guest stopped with a [`Trap`].
    Trap,
    /// A host function failed.
    Host,
    /// An access to guest memory from outside was refused ([`MemoryFault`]).
    Memory,
    /// The host system refused something.
    Io,
}

impl Error {
    /// An error of a host function, of kind [`ErrorKind::Host`].
    pub fn new(e: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::of(ErrorKind::Host, e)
    }

    /// An error of kind [`ErrorKind::Host`] that is only a message.
    pub fn msg(m: impl fmt::Display) -> Self {
        Self::of(ErrorKind::Host, m.to_string())
    }

    pub(super) fn of(
        kind: ErrorKind,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self(Box::new(Inner { kind, source: source.into() }))
    }

    /// Of which sort it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// True if the cause is an `E`.
    #[must_use]
    pub fn is<E: std::error::Error + 'static>(&self) -> bool {
        self.0.source.is::<E>()
    }

    /// The cause, if it is an `E`.
    #[must_use]
    pub fn downcast_ref<E: std::error::Error + 'static>(&self) -> Option<&E> {
        self.0.source.downcast_ref()
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.0.kind, self.0.source)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.source.fmt(f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.source()
    }
}

impl From<Trap> for Error {
    fn from(t: Trap) -> Self {
        Self::of(ErrorKind::Trap, t)
    }
}

impl From<MemoryFault> for Error {
    fn from(f: MemoryFault) -> Self {
        Self::of(ErrorKind::Memory, f)
    }
}

impl From<std::io::Error> for Error {
    fn from(e: std::io::Error) -> Self {
        Self::of(ErrorKind::Io, e)
    }
}

impl From<super::elf::ElfError> for Error {
    fn from(e: super::elf::ElfError) -> Self {
        Self::of(ErrorKind::Load, e)
    }
}

impl From<crate::isa::ParseIsaError> for Error {
    fn from(e: crate::isa::ParseIsaError) -> Self {
        Self::of(ErrorKind::Config, e)
    }
}

/// Why guest execution stopped abnormally. `pc` is always the address of the instruction that
/// caused it.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trap {
    /// An encoding that is reserved, unknown, or of an extension that is not enabled.
    #[error("illegal instruction {bits:#x} at pc {pc:#x}")]
    IllegalInstruction {
        /// Address of the instruction.
        pc: u64,
        /// The instruction's 16 or 32 bits.
        bits: u32,
    },
    /// The instruction at `pc` cannot be fetched.
    #[error("cannot fetch an instruction at pc {pc:#x}")]
    FetchFault {
        /// Address of the instruction.
        pc: u64,
    },
    /// A load from memory that is not mapped or not readable.
    #[error("load from {addr:#x} refused at pc {pc:#x}")]
    LoadFault {
        /// Address of the instruction.
        pc: u64,
        /// The first address that could not be read.
        addr: u64,
    },
    /// A store or atomic access to memory that is not mapped or not writable.
    #[error("store to {addr:#x} refused at pc {pc:#x}")]
    StoreFault {
        /// Address of the instruction.
        pc: u64,
        /// The first address that could not be written.
        addr: u64,
    },
    /// An atomic access that is not naturally aligned.
    #[error("misaligned atomic access to {addr:#x} at pc {pc:#x}")]
    Misaligned {
        /// Address of the instruction.
        pc: u64,
        /// Address of the access.
        addr: u64,
    },
    /// `ebreak`.
    #[error("breakpoint at pc {pc:#x}")]
    Breakpoint {
        /// Address of the instruction.
        pc: u64,
    },
    /// An `ecall` for which there is no handler.
    #[error("no handler for ecall {number} at pc {pc:#x}")]
    UnhandledEcall {
        /// Address of the instruction.
        pc: u64,
        /// The number in a7.
        number: u64,
    },
    /// A call of a function that the program imports and the host does not have
    /// ([`Linker::unknown_imports_trap`](super::Linker::unknown_imports_trap)).
    #[error("call of an unknown import at pc {pc:#x}")]
    UnknownImport {
        /// Address of the stub.
        pc: u64,
    },
    /// The guest ran off the lower end of the stack that the instance gave it.
    #[error("stack overflow at pc {pc:#x}")]
    StackOverflow {
        /// Address of the instruction.
        pc: u64,
    },
    /// Calls of guests by host functions by guests, and so on, are deeper inside each other than
    /// [`Config::max_depth`](super::Config::max_depth) allows.
    #[error("more than {limit} calls of guests inside each other")]
    TooDeep {
        /// Depth that is allowed.
        limit: u32,
    },
    /// The instruction budget ran out.
    #[error("out of fuel")]
    OutOfFuel,
    /// [`InterruptHandle::interrupt`](super::InterruptHandle::interrupt) was called, or the store's
    /// deadline is past ([`Store::set_epoch_deadline`](super::Store::set_epoch_deadline)).
    #[error("interrupted")]
    Interrupted,
    /// The guest ended itself; a host function returns this as an error to say so.
    #[error("exited with status {0}")]
    Exit(i32),
}

/// An access to guest memory from outside that memory refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{access:?} of {len} bytes of guest memory at {addr:#x} refused")]
#[non_exhaustive]
pub struct MemoryFault {
    /// The first address that could not be accessed.
    pub addr: u64,
    /// Bytes of the whole access.
    pub len: u64,
    /// Kind of the access.
    pub access: Access,
}

impl MemoryFault {
    pub(super) fn new(fault: Fault, len: u64) -> Self {
        Self { addr: fault.addr, len, access: fault.access }
    }
}

/// What `ENOMEM` means where nothing but addresses is asked for.
pub(super) fn no_room(e: std::io::Error) -> Error {
    if e.kind() != std::io::ErrorKind::OutOfMemory {
        return e.into();
    }
    let m = "the host has no more memory, addresses (RLIMIT_AS) or mappings (vm.max_map_count)";
    std::io::Error::new(e.kind(), m).into()
}

/// The trap that an exit at `pc` amounts to; `None` for an exit that somebody serves.
pub(super) fn trap_of(exit: Exit, pc: u64) -> Option<Trap> {
    let fault = |f: Fault| match f.access {
        Access::Read => Trap::LoadFault { pc, addr: f.addr },
        Access::Write => Trap::StoreFault { pc, addr: f.addr },
        Access::Execute => Trap::FetchFault { pc },
    };
    match exit {
        Exit::Ecall | Exit::FenceI => None,
        Exit::Ebreak => Some(Trap::Breakpoint { pc }),
        Exit::Illegal { bits } => Some(Trap::IllegalInstruction { pc, bits }),
        Exit::Fault(f) => Some(fault(f)),
        Exit::Misaligned(f) => Some(Trap::Misaligned { pc, addr: f.addr }),
        Exit::Interrupted => Some(Trap::Interrupted),
        Exit::OutOfFuel => Some(Trap::OutOfFuel),
    }
}
