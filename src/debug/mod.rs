//! Tools to look at guests and at what is made of them.
//!
//! `dump` shows translated code, `perf_map` names it for `perf`.

mod dump;
mod perf_map;

pub use dump::{dump, host_code};
pub use perf_map::PerfMap;
