//! Files: paths and their meaning on the host, descriptors, directories, mounts, and the files of
//! `/proc` that tell about the guest (kernel: `fs/`).
//!
//! Where a path leads is found out in steps, each of which imports the ones before: [`rootfs`]
//! resolves it in a world of the guest's own, [`host_path`] says it in the host's terms,
//! [`namespace`] knows the three kinds of names that there are (`Host`, `Sysroot`, `Rootfs`), of
//! which a process has one, and [`path`] takes it from a call. The calls are above that.

pub(crate) mod aio;
pub(crate) mod aio_contexts;
pub(crate) mod busy;
pub(crate) mod dir;
pub(crate) mod file;
pub(crate) mod host_path;
pub(crate) mod ioctl;
pub(crate) mod iovec;
pub(crate) mod loop_info;
pub(crate) mod mount;
pub(crate) mod namespace;
pub(crate) mod path;
pub(crate) mod poll;
pub(crate) mod proc;
pub(crate) mod rootfs;
pub(crate) mod stat;
