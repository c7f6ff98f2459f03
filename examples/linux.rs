//! A whole Linux program: started, waited for, and its exit status looked at.
//!
//! Run it with `cargo run --example linux`.

use rvnative::linux::{Command, Reentry};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // When the guest starts a program, this executable is started anew and becomes that program.
    if let Some(reentry) = Reentry::from_args(std::env::args_os()) {
        return Err(reentry.into_command().exec().into());
    }
    let guests = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/guest/bin");
    let status = Command::new(format!("{guests}/hello")).args(["from", "an example"]).status()?;
    println!("hello has ended with {:?}", status.code());
    // It forks, waits, and executes itself again.
    let status = Command::new(format!("{guests}/processes")).status()?;
    println!("processes has ended with {:?}", status.code());
    assert!(status.success());
    Ok(())
}
