//! Every memory instruction that faults, on every engine: the exact pc, registers as they stood
//! before it, memory untouched.

use rvnative::cpu::{Access, Exit, Fault, Hart, Reservation};
use rvnative::isa::{self, Format, Insn, Isa, Op};
use rvnative::mem::{Memory, Mode, Prot};
use rvnative::runtime::{Cpu, ENGINES, HostFeatures, Machine, Options, ignores_top_byte};

const CODE: u64 = 0x1_0000;
/// Two pages to write; then one that is not mapped; then one to read only; then nothing.
const DATA: u64 = 0x10_0000;
const HOLE: u64 = DATA + 0x2000;
const READ_ONLY: u64 = DATA + 0x3000;
const END: u64 = DATA + 0x4000;

/// Holds the address.
const BASE: u8 = 9;
/// Holds what is stored.
const SOURCE: u8 = 12;
/// What is loaded or returned goes here.
const TARGET: u8 = 14;

fn options() -> Vec<Options> {
    let mut none = HostFeatures::detect();
    for (name, _) in none.list() {
        none.set(name, false);
    }
    let mut all = Vec::new();
    for mode in [Mode::Guarded, Mode::Sandbox] {
        for engine in ENGINES.iter().filter(|engine| !engine.checks) {
            let mut of_host = vec![HostFeatures::detect()];
            of_host.extend(engine.translates.then_some(none));
            for host_features in of_host {
                let defaults = Options { engine: engine.kind, ..Options::default() };
                all.push(Options { mode, host_features, arena_size: 4 << 20, ..defaults });
            }
        }
    }
    all
}

/// Bytes that an instruction accesses.
fn size(op: Op) -> u64 {
    let name = op.mnemonic();
    if op.format() == Format::Cbo {
        return 1;
    }
    // The first letter behind the stem or the dot tells the width.
    let width = match name.split('.').nth(1) {
        Some(width) => width,
        None => name.trim_start_matches('f').trim_end_matches('u').get(1..).unwrap_or(""),
    };
    match width {
        "b" => 1,
        "h" => 2,
        "w" => 4,
        "d" => 8,
        "q" => 16,
        other => panic!("{name}: unknown width {other}"),
    }
}

/// What an access of an instruction counts as when it is refused.
fn access(op: Op) -> Access {
    match op.format() {
        Format::Load | Format::FpLoad | Format::Lr => Access::Read,
        _ => Access::Write,
    }
}

/// All instructions that access memory: 32-bit forms with an offset, and each 16-bit form.
fn memory_insns() -> Vec<Insn> {
    let is_memory = |op: Op| {
        matches!(
            op.format(),
            Format::Load
                | Format::Store
                | Format::FpLoad
                | Format::FpStore
                | Format::Lr
                | Format::Amo
                | Format::AmoPair
                | Format::Cbo
        )
    };
    let mut all: Vec<Insn> = Vec::new();
    for op in isa::random::ops(&Isa::MAX).into_iter().filter(|op| is_memory(*op)) {
        let mut bits = op.row().pattern.bits | u32::from(BASE) << 15;
        let store = matches!(op.format(), Format::Store | Format::FpStore);
        if op.format() != Format::Cbo && !store {
            bits |= u32::from(TARGET) << 7;
        }
        if matches!(op.format(), Format::Amo | Format::AmoPair) || store {
            bits |= u32::from(SOURCE) << 20;
        }
        let insn = isa::decode(bits, &Isa::MAX).unwrap_or_else(|| panic!("{op:?} {bits:#x}"));
        let imm = match op.format() {
            Format::Lr | Format::Amo | Format::AmoPair | Format::Cbo => 0,
            _ => -8,
        };
        let bits = isa::encode(&Insn { imm, ..insn });
        all.push(Insn { bits, ..isa::decode(bits, &Isa::MAX).expect("it decodes") });
    }
    let mut seen = Vec::new();
    for half in 0..0x1_0000 {
        let Some(insn) = isa::decode(half, &Isa::MAX).filter(|i| i.len == 2) else { continue };
        let (rd, rs2) = (insn.rd, insn.rs2);
        let fits = is_memory(insn.op) && insn.imm == 8 || insn.op == Op::Lbu && insn.imm == 2;
        let operands = match insn.op.format() {
            Format::Load | Format::FpLoad => rd == TARGET,
            _ => rs2 == SOURCE,
        };
        let key = (insn.op, insn.rs1 == 2);
        if fits && operands && (insn.rs1 == BASE || insn.rs1 == 2) && !seen.contains(&key) {
            seen.push(key);
            all.push(insn);
        }
    }
    assert!(all.len() > 75, "{}", all.len());
    all
}

/// The program: values that a translator might keep for later, the instruction, and one that must
/// not have been executed.
fn program(insn: &Insn) -> (Vec<u8>, u64) {
    let plain = |op, rd, rs1, rs2, imm| {
        isa::encode(&Insn { op, rd, rs1, rs2, rs3: 0, rm: 0, len: 4, imm, bits: 0 })
    };
    let mut code = Vec::new();
    for word in [
        plain(Op::Addi, 5, 5, 0, 5),
        plain(Op::Auipc, 6, 0, 0, 0x5000),
        plain(Op::Addiw, 7, 5, 0, -3),
        plain(Op::Slli, 10, 10, 0, 3),
        plain(Op::Lui, 28, 0, 0, 0x1234_5000),
        plain(Op::Addi, 28, 28, 0, 0x678),
        plain(Op::Add, 29, 29, 30, 0),
        plain(Op::FaddD, 1, 2, 3, 0),
    ] {
        code.extend(word.to_le_bytes());
    }
    let at = CODE + code.len() as u64;
    code.extend(&insn.bits.to_le_bytes()[..usize::from(insn.len)]);
    code.extend(plain(Op::Addi, 5, 5, 0, 100).to_le_bytes());
    code.extend(plain(Op::Addi, TARGET, 0, 0, 1).to_le_bytes());
    code.extend(plain(Op::Ebreak, 0, 0, 0, 0).to_le_bytes());
    (code, at)
}

fn start(target: u64, insn: &Insn) -> Hart {
    let mut hart = Hart::new();
    for r in 1..32u8 {
        hart.x[usize::from(r)] = 0x1111_2222_0000_0000 + u64::from(r);
        hart.f[usize::from(r)] = f64::from(r).to_bits();
    }
    hart.pc = CODE;
    if matches!(insn.op, Op::ScW | Op::ScD) {
        // Without one, `sc` fails and touches nothing.
        hart.reservation = Reservation { addr: target, value: 0, size: size(insn.op) };
    }
    hart.x[usize::from(insn.rs1)] = target.wrapping_sub(insn.imm as u64);
    hart
}

/// The state in which the faulting instruction is reached.
fn before(mut h: Hart, at: u64) -> Hart {
    h.x[5] += 5;
    h.x[6] = CODE + 4 + 0x5000;
    h.x[7] = (h.x[5] as i32 - 3) as u64;
    h.x[10] <<= 3;
    h.x[28] = 0x1234_5678;
    h.x[29] = h.x[29].wrapping_add(h.x[30]);
    h.f[1] = 5f64.to_bits();
    h.pc = at;
    h
}

/// Where an instruction is made to access, and what must come of it.
fn cases(insn: &Insn) -> Vec<(u64, Exit)> {
    let (size, access) = (size(insn.op), access(insn.op));
    let fault = |addr, mapped| Exit::Fault(Fault { addr, access, mapped, beyond_file: false });
    let atomic = matches!(insn.op.format(), Format::Lr | Format::Amo | Format::AmoPair);
    // Cache blocks are accessed as a whole.
    let mut all = vec![(HOLE, fault(HOLE, false)), (HOLE + 0x800, fault(HOLE + 0x800, false))];
    all.push((END, fault(END, false)));
    if access == Access::Write && !matches!(insn.op, Op::CboInval | Op::CboClean | Op::CboFlush) {
        all.push((READ_ONLY + 64, fault(READ_ONLY + 64, true)));
    }
    if !atomic && size > 1 {
        // The last bytes are in the second page.
        for inside in [1, size - 1] {
            all.push((HOLE - inside, fault(HOLE, false)));
        }
    }
    if atomic && size > 1 {
        let addr = DATA + 1;
        let misaligned = Fault { addr, access, mapped: true, beyond_file: false };
        all.push((addr, Exit::Misaligned(misaligned)));
    }
    all
}

fn lay_out(memory: &Memory) {
    memory.map_zero(CODE, 0x1000, Prot::RWX).unwrap();
    memory.map_zero(DATA, 0x2000, Prot::RW).unwrap();
    memory.map_zero(READ_ONLY, 0x1000, Prot::R).unwrap();
    memory.fill(DATA, 0xa5, 0x2000).unwrap();
}

#[test]
fn every_memory_instruction_faults_exactly() {
    let insns = memory_insns();
    let mut failures = String::new();
    for options in options() {
        let machine = Machine::new(&options).unwrap();
        lay_out(machine.memory());
        let mut cpu = Cpu::new(machine.clone()).unwrap();
        for insn in &insns {
            let (code, at) = program(insn);
            machine.memory().write_bytes(CODE, &code).unwrap();
            machine.flush_icache();
            for (target, exit) in cases(insn) {
                let start = start(target, insn);
                *cpu.hart_mut() = start.clone();
                let got = cpu.run();
                let hart = cpu.hart().clone();
                let want = before(start, at);
                let same = got == exit
                    && (hart.pc, hart.x, hart.f, hart.fcsr())
                        == (want.pc, want.x, want.f, want.fcsr());
                let mut data = vec![0; 0x2000];
                machine.memory().read_bytes(DATA, &mut data).unwrap();
                if !same || data.iter().any(|b| *b != 0xa5) {
                    failures += &format!(
                        "{:?} {:?} `{}` at {target:#x}:\n  {exit:?} pc {at:#x} expected\n  {got:?} pc {:#x} found\n",
                        options.engine,
                        options.mode,
                        isa::disasm(insn, at),
                        hart.pc,
                    );
                    for r in 0..32 {
                        if hart.x[r] != want.x[r] {
                            failures += &format!("  x{r} {:#x} is {:#x}\n", want.x[r], hart.x[r]);
                        }
                    }
                    machine.memory().fill(DATA, 0xa5, 0x2000).unwrap();
                }
            }
        }
    }
    assert!(failures.is_empty(), "\n{failures}");
}

#[test]
fn good_accesses_do_not_fault() {
    let insns = memory_insns();
    for options in options() {
        let machine = Machine::new(&options).unwrap();
        lay_out(machine.memory());
        let mut cpu = Cpu::new(machine.clone()).unwrap();
        for insn in &insns {
            let (code, at) = program(insn);
            machine.memory().write_bytes(CODE, &code).unwrap();
            machine.flush_icache();
            let mut start = start(DATA + 0x1000, insn);
            // `amocas.q` names pairs.
            start.x[usize::from(SOURCE)] = 1;
            *cpu.hart_mut() = start.clone();
            let got = cpu.run();
            let text = isa::disasm(insn, at).to_string();
            assert_eq!(got, Exit::Ebreak, "{:?} `{text}`", options.engine);
            assert_eq!(cpu.hart().x[5], start.x[5] + 105, "{text}");
        }
    }
}

/// An address of which only the top byte is wrong is a fault, except where translated code runs on
/// a host that ignores it: the access is then made without. Where nothing is mapped, the address
/// that is told is the guest's on every host.
#[test]
fn the_top_byte_of_an_address_counts_as_far_as_the_host_looks_at_it() {
    for options in options().into_iter().filter(|o| o.mode == Mode::Guarded) {
        let machine = Machine::new(&options).unwrap();
        lay_out(machine.memory());
        let mut cpu = Cpu::new(machine.clone()).unwrap();
        let ignored = options.engine.only_translates() && ignores_top_byte();
        let mut made = 0;
        for insn in &memory_insns() {
            let (code, at) = program(insn);
            machine.memory().write_bytes(CODE, &code).unwrap();
            machine.flush_icache();
            for (place, mapped) in [(DATA + 0x1000, true), (HOLE, false)] {
                let target = place | 0x05 << 56;
                let start = start(target, insn);
                *cpu.hart_mut() = start.clone();
                let got = cpu.run();
                if ignored && mapped && got == Exit::Ebreak {
                    made += 1;
                    continue;
                }
                let access = access(insn.op);
                let fault = Fault { addr: target, access, mapped: false, beyond_file: false };
                let text = isa::disasm(insn, at).to_string();
                assert_eq!(got, Exit::Fault(fault), "{:?} `{text}`", options.engine);
                assert_eq!(cpu.hart().x, before(start, at).x, "{text}");
            }
        }
        assert_eq!(made > 0, ignored, "{:?}", options.engine);
    }
}

#[test]
fn fetches_fault_at_the_target() {
    for options in options() {
        let machine = Machine::new(&options).unwrap();
        lay_out(machine.memory());
        let mut cpu = Cpu::new(machine.clone()).unwrap();
        // jalr ra, 0(s1), then the same again where nothing is executable.
        machine.memory().write_u32(CODE, 0x0004_80e7).unwrap();
        // A 32-bit instruction whose second half is on a page that cannot be fetched.
        machine.memory().write_u16(CODE + 0xffe, 0x80e7).unwrap();
        machine.flush_icache();
        let cases = [(DATA, DATA, true), (HOLE, HOLE, false), (CODE + 0xffe, CODE + 0x1000, false)];
        for (target, addr, mapped) in cases {
            let mut start = Hart::new();
            start.pc = CODE;
            start.x[9] = target;
            *cpu.hart_mut() = start.clone();
            let fault = Fault { addr, access: Access::Execute, mapped, beyond_file: false };
            assert_eq!(cpu.run(), Exit::Fault(fault), "{:?} {target:#x}", options.engine);
            assert_eq!((cpu.hart().pc, cpu.hart().x[1]), (target, CODE + 4));
        }
    }
}
