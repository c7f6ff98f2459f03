//! Running guest code: the code cache, the loop around translated code and interpreter, and how
//! host faults become the guest's.
//!
//! Reading order: `machine` (what harts share), `cpu` (one hart: the loop), `cache` (blocks and the
//! table), `units` (what belongs to each piece of code, and how blocks are known), `links` (jumps
//! between blocks), `arena` and `pc_table` (their memory), `thread` (the state that translated code
//! works on), `fault` (from a host fault to guest state), `source` (guest code for the lifter),
//! `helpers` (what translated code calls), `serve` (environment calls that it has served),
//! `kept` (translations in files), `counts` (what translated code counts), `marks` (which of it was
//! executed), `host` (the one place that names the host's backend), `shared_code` (code caches of
//! several machines), `lockstep` (translated code and interpreter in lockstep), `unlinked` (blocks
//! for that), `baton` (one hart at a time), `breakpoints` (where a debugger stops execution).
//!
//! Invariants:
//! - A [`Cpu`] runs code of one `cache::CodeCache` only. A full cache is not emptied: a new one
//!   replaces it, and the old one is freed when the last hart has left it.
//! - Translated code is left through its stubs or by a host fault at a recorded place, never by
//!   unwinding.
//! - Nothing here knows Linux, and debug tools hang on [`Observer`].

mod arena;
mod baton;
mod breakpoints;
mod cache;
mod counts;
mod cpu;
mod fault;
mod helpers;
mod host;
mod kept;
mod links;
mod lockstep;
mod machine;
mod marks;
mod observe;
mod options;
mod pc_table;
mod regions;
mod serve;
mod shared_code;
mod source;
mod stats;
mod stop;
mod thread;
mod units;
mod unlinked;

pub use counts::BlockCounts;
pub use cpu::{Cpu, Interrupter};
pub use host::{HostFeatures, backend_name, ignores_top_byte};
pub use kept::{KeptCode, KeptFileInfo, KeptUse, MAX_KEPT, kept_files, prune_kept};
pub use machine::{Machine, Translation};
pub use observe::{Difference, Observer, TranslatedBlock};
pub use options::{ENGINES, Edges, Engine, EngineKind, Options};
pub use pc_table::MAX_TABLE;
pub use serve::{Server, run as run_served};
pub use shared_code::SharedCode;
pub use stats::Stats;
