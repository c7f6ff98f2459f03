//! The guest's memory: one reserved region of host addresses, in which guest address `a` lives at
//! `base + a`.
//!
//! Reading order: `fault` (what can go wrong), `map` (what is mapped and how it may be used),
//! `remap` (mappings that move and grow, and advice about them), `data` (checked reads, writes and
//! atomics), `code` (which pages hold translated code), `overlay` (stores that are not made),
//! `view` (slices of memory that nobody else accesses), `image` (memories that begin as copies),
//! `sv48` (an address space from which the host's own program must be left out).
//!
//! Invariants:
//! - The host's page protection is the guest's, with two exceptions: nothing is ever executable
//!   for the host, and a writable page that holds translated code is read-only until the guest
//!   writes to it ([`Memory::resolve_fault`]).
//! - A page is accessible to the host only if the map says that the guest has mapped it.
//! - No references to guest memory where another hart may write at any time: bytes are copied in
//!   and out. [`View`] is for those who know that nobody does.
#![allow(unsafe_code, reason = "turns checked guest addresses into host accesses")]
//! # Safety
//! Accesses go through `sys::access`, which turns host faults into errors, at addresses below
//! `base + size + guard`, all of which belong to the region's own reservation, but for its holes,
//! which are refused.

mod code;
mod data;
mod fault;
mod image;
mod map;
mod overlay;
mod remap;
mod sv48;
mod view;

pub use code::{CodeEvent, Watched};
pub use data::Data;
pub use fault::{Access, Fault};
pub use image::{Image, Part};
pub use map::{Advice, Backing, MapError, Mapping, Memory, Mode, Prot, Traits};
pub use overlay::{Overlay, Stored};
pub use view::View;
