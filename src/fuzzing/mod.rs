//! Differential fuzzing: random cases, and what must hold for each of them.
//!
//! Reading order: `rng`, `pool` (which instructions there are to choose from), `program` (random
//! programs), `compiled` (programs as compilers write them), `rig` (running one program on two
//! engines), `report` (what is said about a difference), `campaign` (many programs), `harvest`
//! (code of real programs), `decoder` and `elf` (checks without engines).
//!
//! Everything follows from a seed and the number of a case, so that a case can be run again.

mod campaign;
mod compiled;
mod decoder;
mod elf;
#[cfg(test)]
mod evaluator;
mod harvest;
mod loops;
mod pool;
mod program;
mod report;
mod rig;
mod rng;
mod vectors;
mod words;

pub use crate::gdb::mock::converse as check_gdb;
pub use campaign::{Campaign, Progress, check_bytes, replay, run};
pub use decoder::check_decoder;
pub use elf::{check_elf, mutate};
pub use harvest::{
    Finding, Group, Harvest, HarvestError, Outcome as Crop, Reaped, STATES, harvest, replay_at,
};
pub use program::{Case, Kind};
pub use report::Mismatch;
pub use rig::{Rig, Setup, Subject};
pub use rng::Rng;
