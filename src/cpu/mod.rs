//! The architectural state of a hart, the reasons for which it stops, and floating-point
//! arithmetic in integers.

mod exit;
pub mod fp;
mod state;

pub use exit::{Access, Exit, Fault};
pub use state::{FFLAGS_MASK, Hart, RESERVATION_NONE, Reservation, canonical, fflags};
