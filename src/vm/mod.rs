//! The library for those who run guest programs inside their own.
//!
//! A [`Config`] makes an [`Engine`]; with it a program becomes a [`Module`]; a [`Linker`] holds
//! what the guest may ask of the host and makes an [`Instance`] in a [`Store`], which owns the
//! host's data. Functions of the guest are called through [`TypedFunc`], or the program is run
//! from its entry by [`Instance::resume`].
//!
//! ```
//! use rvnative::vm::{Engine, Linker, Module, Store};
//!
//! let engine = Engine::default();
//! let module = Module::new(&engine, include_bytes!("../../examples/guest/plugin.elf"))?;
//! let mut store = Store::new(&engine, ());
//! let instance = Linker::new(&engine).instantiate(&mut store, &module)?;
//! let gcd = instance.get_typed_func::<(u64, u64), u64>(&store, "gcd")?;
//! assert_eq!(gcd.call(&mut store, (48, 36))?, 12);
//! # Ok::<(), rvnative::vm::Error>(())
//! ```
//!
//! Reading order: `config`, `engine`, `store`, `linker`, `load`, `host_func`, `run`, `instance`,
//! `memory`, `snapshot`, `pool`; `elf` is the reader of program files.
//!
//! Invariants:
//! - Nothing here exits, prints, reads the environment, or panics on what a guest does.
//! - Nothing here knows Linux: an `ecall` goes to a function of the [`Linker`] or to the caller.
//! - Whatever a guest does, the host lives on: what it can cost is limited, and the process is what
//!   `docs/process.md` says.
//! - A handle works with the store that it was made in, and panics with any other.
//! - Guest memory is the guest's alone: by default ([`AddressSpace::Sandbox`]) no address that it
//!   computes names host memory.

mod config;
#[doc(hidden)]
pub mod elf;
mod engine;
mod error;
mod host_func;
mod instance;
mod linker;
mod load;
mod memory;
mod pool;
mod run;
mod snapshot;
mod store;

pub use crate::isa::{Ext, Isa, Profile};
pub use crate::mem::{Access, Prot};
pub use config::{AddressSpace, Config, Strategy};
pub use engine::{Engine, Module, Symbol};
pub use error::{Error, ErrorKind, MemoryFault, Result, Trap};
pub use host_func::{HostResult, IntoHostFunc};
pub use instance::{AbiTy, HartState, Instance, Params, Registers, Results, Stop, TypedFunc};
pub use linker::{Caller, Linker, Reg};
pub use memory::{GuestMem, GuestPtr, GuestSlice, Memory, Pod};
pub use pool::{InstancePool, InstancePre, Pooled};
pub use snapshot::Snapshot;
pub use store::{AsContext, AsContextMut, InterruptHandle, Store};

/// What may be sent to other threads, and what is shared between them: part of what is promised.
const _: () = {
    const fn send_and_sync<T: Send + Sync>() {}
    const fn send<T: Send>() {}
    send_and_sync::<Config>();
    send_and_sync::<Engine>();
    send_and_sync::<Module>();
    send_and_sync::<Linker<()>>();
    send_and_sync::<InterruptHandle>();
    send_and_sync::<Instance>();
    send_and_sync::<Memory>();
    send_and_sync::<TypedFunc<(u64,), u64>>();
    send_and_sync::<(GuestPtr<u64>, GuestSlice<u64>)>();
    send_and_sync::<HartState>();
    send_and_sync::<Error>();
    send_and_sync::<(Symbol<'_>, Stop, Trap, MemoryFault, ErrorKind)>();
    send_and_sync::<(Isa, Ext, Profile, Access, Prot, Reg, Strategy, AddressSpace)>();
    send_and_sync::<(InstancePre<()>, InstancePool<()>, Snapshot)>();
    send::<(Store<()>, Pooled<()>)>();
};
