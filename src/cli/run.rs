//! `rvnative run`.
use super::fail::Failure;
use super::flags::RunFlags;
use std::process::ExitCode;

pub(super) fn run(_flags: RunFlags) -> Result<ExitCode, Failure> {
    Err(Failure::new("programs cannot be run yet"))
}
