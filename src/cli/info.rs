//! `rvnative info` and `rvnative engines`.

use super::fail::Failure;
use rvnative::isa::{Ext, Isa, Profile};
use rvnative::runtime::ENGINES;
use std::process::ExitCode;

pub(super) fn info() -> Result<ExitCode, Failure> {
    let isa = Isa::MAX;
    println!("rvnative {}", env!("CARGO_PKG_VERSION"));
    println!("host: {}, {}", std::env::consts::ARCH, std::env::consts::OS);
    println!("translator: {}", rvnative::runtime::backend_name());
    println!("host features in use: {:?}", rvnative::runtime::HostFeatures::detect());
    if rvnative::runtime::ignores_top_byte() {
        println!("the host ignores the top byte of addresses: only --jit off faults for it");
    }
    println!("guest: {isa}");
    println!("default address space: 2^38 bytes for programs, 2^32 for the library");
    println!();
    cpus();
    Ok(ExitCode::SUCCESS)
}

/// `rvnative engines`: for people and for scripts.
pub(super) fn engines() -> Result<ExitCode, Failure> {
    for engine in ENGINES {
        let sort = if engine.checks { "check" } else { "engine" };
        println!("{:<10} {sort:<8} {}", engine.name, engine.about);
    }
    Ok(ExitCode::SUCCESS)
}

/// Syntax of `--cpu`, with all names.
pub(super) fn cpus() {
    println!("--cpu SPEC is a base, then any number of ,+extension and ,-extension, and for");
    println!("vectors ,vlen=128 (the default), ,vlen=256 or ,vlen=512. Bases:");
    println!("  default (all but what the interpreter alone executes: vectors, half precision)");
    println!("  max (all), rv64g..., rv64i..., such as rv64gc or rv64imac_zba");
    for profile in Profile::ALL {
        let absent: Vec<_> = profile.absent().collect();
        let without = match absent.is_empty() {
            true => String::new(),
            false => format!(", of which not implemented: {}", absent.join(" ")),
        };
        println!("  {}{without}", profile.name());
    }
    let names: Vec<_> = Ext::ALL.iter().map(|e| e.name()).collect();
    println!("Extensions: {}", names.join(" "));
}
