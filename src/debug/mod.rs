//! Tools to look at guests and at what is made of them.
//!
//! `dump` shows translated code.

mod dump;

pub use dump::{dump, host_code};
