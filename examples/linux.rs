//! A whole Linux program: started, waited for, its output captured, or fed and ended.
//!
//! Run it with `cargo run --example linux`.

use rvnative::linux::{Command, Reentry, Stdio};
use std::io::{Read, Write};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Each program is this executable, started anew, that becomes it; also what programs start.
    if let Some(reentry) = Reentry::from_args(std::env::args_os()) {
        return Err(reentry.into_command().exec().into());
    }
    let guests = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/guest/bin");
    let output = Command::new(format!("{guests}/hello")).args(["from", "an example"]).output()?;
    assert!(output.status.success());
    print!("captured: {}", String::from_utf8_lossy(&output.stdout));

    // It forks, waits, and executes itself again.
    let status = Command::new(format!("{guests}/processes")).status()?;
    println!("processes has ended with {:?}", status.code());
    assert!(status.success());

    // One that is fed, and one that would wait for ever.
    let mut cat = Command::new(format!("{guests}/command"));
    let mut cat = cat.arg("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    cat.stdin.take().ok_or("no pipe")?.write_all(b"through a pipe")?;
    let output = cat.wait_with_output()?;
    println!("cat gives back: {}", String::from_utf8_lossy(&output.stdout));
    let mut child = Command::new(format!("{guests}/command"));
    let mut child = child.args(["name", "wait"]).stdout(Stdio::piped()).spawn()?;
    child.stdout.take().ok_or("no pipe")?.read_exact(&mut [0])?;
    child.kill()?;
    println!("a program that waits is ended by signal {:?}", child.wait()?.signal());
    Ok(())
}
