//! Differential runs of real code: every block that the translator would make of a file's code,
//! from several states, and the blocks behind it.
//!
//! Reading order: `image` (the code of a file), `scan` (where blocks begin, and which do the same),
//! `world` (a memory in which every address is served), `start` (states), `trace` (what the
//! interpreter does), `rig` (both engines), `finding` (what is said about a difference), `campaign`
//! (all files, all threads), `error`.
//!
//! Everything that happens to a block follows from the seed, the file, its address there, and the
//! setup: the engines' state is made anew for each.

mod campaign;
mod error;
mod finding;
mod image;
mod rig;
mod scan;
mod start;
#[cfg(test)]
mod tests;
mod trace;
mod world;

pub use campaign::{Group, Harvest, Outcome, Reaped, STATES, harvest, replay_at};
pub use error::Error as HarvestError;
pub use finding::Finding;
