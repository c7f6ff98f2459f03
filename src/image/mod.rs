//! Container images: read from where other tools have put them (`source`), unpacked layer by layer
//! (`layer`) into trees that are kept by what is in them (`store`), and what they say about the
//! program to run (`config`).
//!
//! Whoever has made an image may have meant harm. So everything that is read has a limit
//! ([`limits`]) and, where its digest is known, is compared with that; and a tree is only reached
//! by descriptors beneath its root, at which the kernel stops (`tree`). Nothing needs privileges:
//! owners, devices and set-id bits are kept beside the tree (`owners`), for a guest with a fake
//! root.
//!
//! Reading order: `source`, `spec`, `blob`, `tar`, `tree`, `layer`, `store`, `config`.

mod blob;
mod check;
mod config;
#[cfg(test)]
mod hostile_tests;
mod layer;
#[cfg(test)]
mod model_tests;
mod owners;
mod source;
mod spec;
mod store;
mod tar;
mod tree;

pub use blob::Digest;
pub use check::{check_json, check_layer};
pub use config::{Launch, Overrides};
pub use source::{Reference, Source};
pub use spec::ARCHITECTURE;
pub use store::{Container, Listed, Progress, Silent, Store};

use std::fmt::Display;
use std::io;

/// What is allowed to an image.
pub mod limits {
    /// Bytes of an index, a manifest or a configuration.
    pub const JSON: u64 = 4 << 20;
    /// Layers.
    pub const LAYERS: usize = 1000;
    /// Entries of a layer.
    pub const ENTRIES: u64 = 2_000_000;
    /// Bytes that a layer unpacks to.
    pub const LAYER: u64 = 256 << 30;
    /// How many bytes may come of one, behind the first [`EXPANSION_FREE`].
    pub const EXPANSION: u64 = 1000;
    /// Bytes that may come of any number.
    pub const EXPANSION_FREE: u64 = 1 << 30;
    /// Bytes of a path in a layer.
    pub const PATH: usize = 4095;
    /// Directories within each other.
    pub const DEPTH: usize = 200;
    /// Bytes of what a layer says about one entry: names, attributes, holes.
    pub const EXTENSION: u64 = 4 << 20;
    /// Bytes of the image's list of users, and that of groups.
    pub const USERS: u64 = 16 << 20;
}

/// Why an image cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A call to the host has failed.
    #[error("{what}: {error}")]
    Host {
        /// The file, and what was to be done with it.
        what: String,
        /// What the host says.
        error: io::Error,
    },
    /// The image, or what is asked of it, is wrong.
    #[error("{0}")]
    Bad(String),
}

/// What may fail so.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// The image is wrong.
    fn bad(what: impl Display) -> Self {
        Self::Bad(what.to_string())
    }

    /// To be given an error of the host.
    fn host<E: Into<io::Error>>(what: impl Display) -> impl FnOnce(E) -> Self {
        move |error| {
            let error = error.into();
            // What a reader of ours says comes through the standard library's readers.
            match error.raw_os_error() {
                None if error.get_ref().is_some() => Self::Bad(format!("{what}: {error}")),
                None if error.kind() == io::ErrorKind::UnexpectedEof => {
                    Self::Bad(format!("{what}: cut short"))
                }
                _ => Self::Host { what: what.to_string(), error },
            }
        }
    }

    /// With what it concerns before it.
    fn in_(self, what: impl Display) -> Self {
        match self {
            Self::Host { what: inner, error } => {
                Self::Host { what: format!("{what}: {inner}"), error }
            }
            Self::Bad(inner) => Self::Bad(format!("{what}: {inner}")),
        }
    }
}
