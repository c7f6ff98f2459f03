//! The server's side of gdb's remote serial protocol (gdb manual, appendix E; for lldb,
//! `lldb-gdb-remote.txt` of LLVM), over whatever there is to be debugged.
//!
//! Reading order: `packet` (bytes and packets), `parse` (numbers, thread ids, `vCont`), `registers`
//! (numbers of registers, and the description that gdb gets), `target` (what is asked of who is
//! debugged), `session` (one packet and its answer), `query` (those that begin with `q` and `Q`),
//! `file` (`vFile`), `lldb` (what lldb asks), `agent` (conditions of breakpoints).
//!
//! Invariants:
//! - Whatever a client sends, nothing panics, and no buffer grows beyond [`packet::MOST`] for it.
//! - What is not understood gets the empty answer, by which the client knows that it is not served.

pub mod agent;
mod file;
mod lldb;
#[cfg(any(test, feature = "fuzzing"))]
pub mod mock;
pub mod packet;
mod parse;
mod query;
pub mod registers;
mod session;
mod target;
#[cfg(test)]
mod tests;

pub use parse::Action;
pub use query::escape;
pub use session::{After, Session, Wanted};
pub use target::{Break, Condition, FileError, Region, Stop, Target, What};
