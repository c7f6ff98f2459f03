//! How many guest instructions per second the interpreter executes: `cargo bench --bench interp`.

use rvnative::cpu::{Exit, Hart};
use rvnative::interp::Interp;
use rvnative::isa::Isa;
use rvnative::mem::{Memory, Mode, Prot};
use std::sync::atomic::AtomicBool;
use std::time::Instant;

const CODE: u64 = 0x10000;
const DATA: u64 = 0x20000;
/// Rounds of each loop.
const ROUNDS: u64 = 20_000_000;

/// A xorshift generator whose low bits choose a branch.
const ALU: &[u32] = &[
    0x00d5_1293, // 1: slli t0, a0, 13
    0x0055_4533, //    xor a0, a0, t0
    0x0075_5293, //    srli t0, a0, 7
    0x0055_4533, //    xor a0, a0, t0
    0x0115_1293, //    slli t0, a0, 17
    0x0055_4533, //    xor a0, a0, t0
    0x00f5_7313, //    andi t1, a0, 15
    0x0066_0633, //    add a2, a2, t1
    0x00d3_6463, //    bltu t1, a3, 2f
    0x0016_0613, //    addi a2, a2, 1
    0xfff5_8593, // 2: addi a1, a1, -1
    0xfc05_9ae3, //    bnez a1, 1b
    0x0000_0073, //    ecall
];

/// A table-driven checksum over a buffer of 1 KiB: two loads per round.
const MEMORY: &[u32] = &[
    0x0005_4283, // 1: lbu t0, 0(a0)
    0x0056_4333, //    xor t1, a2, t0
    0x0ff3_7313, //    andi t1, t1, 255
    0x0033_1313, //    slli t1, t1, 3
    0x00d3_0333, //    add t1, t1, a3
    0x0003_3383, //    ld t2, 0(t1)
    0x0086_5613, //    srli a2, a2, 8
    0x0076_4633, //    xor a2, a2, t2
    0x0015_0513, //    addi a0, a0, 1
    0x3ff5_7513, //    andi a0, a0, 1023
    0x00e5_6533, //    or a0, a0, a4
    0xfff5_8593, //    addi a1, a1, -1
    0xfc05_98e3, //    bnez a1, 1b
    0x0000_0073, //    ecall
];

fn measure(name: &str, code: &[u32]) -> Result<(), Box<dyn std::error::Error>> {
    let mem = Memory::new(Mode::Guarded, 1 << 20)?;
    mem.map_zero(CODE, 0x1000, Prot::RWX)?;
    mem.map_zero(DATA, 0x4000, Prot::RW)?;
    let bytes: Vec<u8> = code.iter().flat_map(|word| word.to_le_bytes()).collect();
    mem.write_bytes(CODE, &bytes)?;
    let mut hart = Hart::new();
    hart.pc = CODE;
    hart.x[10] = if name == "alu" { 88_172_645_463_325_252 } else { DATA };
    hart.x[11] = ROUNDS;
    hart.x[13] = if name == "alu" { 7 } else { DATA + 0x1000 };
    hart.x[14] = DATA;
    let start = Instant::now();
    let stop = AtomicBool::new(false);
    let (exit, retired) = Interp::new().run(&mut hart, &mem, &Isa::default(), u64::MAX, &stop);
    let seconds = start.elapsed().as_secs_f64();
    assert_eq!(exit, Exit::Ecall);
    println!("{name}: {:.0} million instructions/s", retired as f64 / seconds / 1e6);
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    rvnative::sys::signal::install_handlers()?;
    measure("alu", ALU)?;
    measure("memory", MEMORY)
}
