//! Tools to look at guests and at what is made of them.
//!
//! `dump` shows translated code, `perf_map` and `jit_dump` name it for `perf` by `symbols`,
//! `profile` tells how often it was executed, and `report` shows that; `backtrace` tells how a
//! thread came to where it is; `coverage` which code was executed; `trace` writes what is
//! executed; `dwarf` reads debug information.

mod backtrace;
mod coverage;
mod dump;
mod dwarf;
mod jit_dump;
mod perf_map;
mod profile;
mod report;
mod samples;
mod symbols;
mod trace;

pub use backtrace::{Frame, backtrace, code_at};
pub use coverage::{Coverage, Drcov, DrcovError, Lines, Module, SourceFile};
pub use dump::{dump, host_code};
pub use jit_dump::JitDump;
pub use perf_map::PerfMap;
pub use profile::{Executed, ProfiledBlock, Profiler};
pub use report::Report;
pub use samples::Samples;
pub use symbols::Symbols;
pub use trace::{TraceError, TraceKind, TraceRange, TraceSpec, Tracer};
