//! RISC-V Linux programs at native speed on x86-64 and aarch64.
//!
//! - [`vm`] runs guest code inside this program: plug-ins, sandboxes, tests.
//! - [`linux`] starts RISC-V Linux programs as processes of this machine.
//!
//! # Features
//!
//! - `cli` (default): the command `rvnative`. The library alone needs none of the features.
//! - `fuzzing` (default): the command's `fuzz`.
//! - `images`: container images, for the command.
//!
//! `internals` and `tools` are for the command, tests and fuzz targets of this package: they make
//! public what changes without notice.
#![deny(unsafe_code)]
#![cfg_attr(
    not(feature = "internals"),
    allow(
        unreachable_pub,
        unused_imports,
        dead_code,
        reason = "what is public with `internals`, for tools and tests, is private without"
    )
)]

// In layer order: a module imports only from those above it. Both cases are spelled out, since
// rustfmt does not follow modules that a macro declares.
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod util;
#[cfg(not(feature = "internals"))]
mod util;

#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod ir;
#[cfg(not(feature = "internals"))]
mod ir;

#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod opt;
#[cfg(not(feature = "internals"))]
mod opt;

#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod sys;
#[cfg(not(feature = "internals"))]
mod sys;

#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod isa;
#[cfg(not(feature = "internals"))]
mod isa;

#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod mem;
#[cfg(not(feature = "internals"))]
mod mem;

#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod softfloat;
#[cfg(not(feature = "internals"))]
mod softfloat;

#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod cpu;
#[cfg(not(feature = "internals"))]
mod cpu;

#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod backend;
#[cfg(not(feature = "internals"))]
mod backend;

#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod interp;
#[cfg(not(feature = "internals"))]
mod interp;

#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod lift;
#[cfg(not(feature = "internals"))]
mod lift;

#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod backend_a64;
#[cfg(not(feature = "internals"))]
mod backend_a64;

#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod backend_x64;
#[cfg(not(feature = "internals"))]
mod backend_x64;

#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod runtime;
#[cfg(not(feature = "internals"))]
mod runtime;

#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod gdb;
#[cfg(not(feature = "internals"))]
mod gdb;

pub mod vm;

#[cfg(feature = "tools")]
#[doc(hidden)]
pub mod debug;
pub mod linux;

#[cfg(feature = "images")]
#[doc(hidden)]
pub mod image;

#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
