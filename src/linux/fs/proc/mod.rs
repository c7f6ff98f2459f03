//! The files of `/proc` that must tell about the guest and not about the program that runs it.
//!
//! [`names`] recognises them and [`shown`] is what processes keep of open ones: both are below
//! `process`. [`procmaps`] and [`procstat`] make contents, [`procfs`] chooses among them,
//! [`procfd`] reads and writes descriptors, and [`query`] answers requests about them.

pub(crate) mod names;
pub(crate) mod procfd;
pub(crate) mod procfs;
pub(crate) mod procmaps;
pub(crate) mod procstat;
pub(crate) mod query;
pub(crate) mod shown;
