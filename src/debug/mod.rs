//! Tools to look at guests and at what is made of them.
//!
//! `dump` shows translated code, `perf_map` and `jit_dump` name it for `perf` by `symbols`,
//! `profile` tells how often it was executed, and `report` shows that; `backtrace` tells how a
//! thread came to where it is.

mod backtrace;
mod dump;
mod jit_dump;
mod perf_map;
mod profile;
mod report;
mod symbols;

pub use backtrace::{Frame, backtrace, code_at};
pub use dump::{dump, host_code};
pub use jit_dump::JitDump;
pub use perf_map::PerfMap;
pub use profile::{Executed, ProfiledBlock, Profiler};
pub use report::Report;
pub use symbols::Symbols;
