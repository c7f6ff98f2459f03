//! A root filesystem of the guest's own (`--rootfs`): a directory of the host is its `/`, further
//! host files and directories are bound into it, and nothing else has a name.
//!
//! The rule that keeps the guest inside: the host's kernel never follows a symbolic link on our
//! behalf. A path is given to it only beneath a descriptor of a directory that is known to be
//! inside, with `RESOLVE_NO_SYMLINKS` and without `..`; links, `..` and mount points are this
//! module's work ([`resolve`]), component by component, on descriptors. What a name means may
//! change between two steps, but each step starts and ends inside.
//!
//! A process has one world at a time; `chroot` replaces it ([`chroot`]), and so do new mount
//! namespaces and `pivot_root` ([`namespace`]).

mod bound;
mod chroot;
mod fake;
mod fake_calls;
mod file_owners;
mod mounts;
mod names;
mod namespace;
pub(crate) mod open;
mod owners;
mod resolve;
mod setup;
mod shortcut;
pub(crate) mod unix;
mod world;

pub(crate) use chroot::Worlds;
pub use file_owners::FileOwners;
pub(crate) use names::{fd_path, read_link};
pub(crate) use namespace::overlay_options;
pub use owners::Entry;
pub(crate) use resolve::{Handle, Resolved, Want};
pub use setup::RootFs;
pub(crate) use world::World;
