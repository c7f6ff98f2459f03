//! The architectural state of a hart, and the reasons for which it stops.

mod exit;
mod state;
mod vector;

pub use crate::softfloat::fflags;
pub use exit::{Access, Exit, Fault};
pub use state::{FFLAGS_MASK, Hart, RESERVATION_NONE, Reservation, canonical};
pub use vector::{MAX_VLENB, VILL, Vector, VectorUnit, lmul_log2, vlmax};
