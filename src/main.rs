//! The `rvnative` command.
fn main() {}
