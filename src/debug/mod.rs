//! Tools to look at guests and at what is made of them.
//!
//! `dump` shows translated code, `perf_map` names it for `perf`, `profile` tells how often it was
//! executed.

mod dump;
mod perf_map;
mod profile;

pub use dump::{dump, host_code};
pub use perf_map::PerfMap;
pub use profile::{Executed, ProfiledBlock, Profiler};
