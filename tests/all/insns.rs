//! One line per instruction and special case (`tests/insns/*.ins`), run on every engine.
//!
//! A line is
//!
//! ```text
//! 00c58533  add a0,a1,a2 | a1=1 a2=-2 => a0=-1
//! ```
//!
//! that is: the encoding (4 or 8 hexadecimal digits), its disassembly (`illegal` if it is none),
//! the state before and the state after. Nothing else may change: what is not mentioned before is
//! zero, what is not mentioned after is as before, and the pc moves on by the instruction's length.
//!
//! - `a0=5`, `a0=-5`, `a0=0xff`: integer registers, by ABI name. `a0=?` after: any value.
//! - `fa0=0x...`: all 64 bits. `fa0=d:1.5`: a double; `s:` and `h:` a NaN-boxed single or half
//!   (`h:` takes bits only). After the prefix: a decimal number, `inf`, `nan` (the canonical one),
//!   or the bits in hexadecimal.
//! - `v8=0102`: the bytes of a vector register, lowest address first, those that follow zero.
//!   `vl=`, `vtype=` (`vill` is bit 63), `vstart=`, `vcsr=`: numbers.
//! - `fflags=`, `frm=`, `pc=`: numbers. Code lies at 0x10000 unless `pc=` says otherwise.
//! - `res=ADDRESS:SIZE:VALUE`, `res=none`: what `lr` reserved.
//! - `[0x20000]=0102`: bytes of memory, lowest address first. 0x20000 to 0x21fff may be read and
//!   written, the page at 0x22000 only be read, the one at 0x23000 is mapped without any access;
//!   nothing else is mapped but the page of the code.
//! - `!ecall`, `!ebreak`, `!fence.i`, `!illegal` after: why it did not complete.
//!   `!fault:w:ADDRESS`, `!misaligned:r:ADDRESS` likewise, with the access (`r`, `w`, `x`).
//!
//! The same lines go to the interpreter, one instruction at a time and as a block, and to each
//! engine of `runtime::ENGINES`, which runs on to a breakpoint behind the instruction.
//!
//! Where the states after come from: QEMU 7.2's user mode for what it knows and what neither jumps
//! nor traps (three lines in four), 10.0's for vectors and half precision; the manual for the rest,
//! which is jumps, traps, LR/SC, Zabha, Zacas, Zicond, Zimop, Zfa and cache blocks.
//!
//! A line `isa STRING` gives the instructions below it another `Isa`; below `skip ENGINE` that
//! engine is not asked, which is for documented deviations. `#` begins a comment.

use rvnative::cpu::{Access, Exit, Fault, Hart, RESERVATION_NONE, Reservation, VILL};
use rvnative::interp::{self, Interp};
use rvnative::isa::{self, Ext, Isa, Op, reg};
use rvnative::mem::{Memory, Mode, Prot};
use rvnative::runtime::{Cpu, ENGINES, EngineKind, Machine, Options};
use std::collections::BTreeSet;
use std::panic::RefUnwindSafe;
use std::sync::atomic::AtomicBool;

const CODE: u64 = 0x10000;
const PAGE: u64 = 0x1000;
const DATA: u64 = 0x20000;
/// Two pages to read and write and one to read.
const DATA_LEN: usize = 3 * PAGE as usize;

/// What an instruction can see and change.
#[derive(Clone, PartialEq)]
struct State {
    hart: Hart,
    /// What is at [`DATA`].
    data: Vec<u8>,
    /// Why the instruction did not complete.
    exit: Option<Exit>,
}

/// Executes the instruction `code` at `hart.pc`, with `before` as the state.
type RunOne = dyn Fn(&[u8], &Isa, &State) -> State + RefUnwindSafe;

/// Something that executes guest instructions.
struct Engine {
    name: &'static str,
    run_one: Box<RunOne>,
}

/// The two ways into the interpreter, and all engines.
fn engines() -> Vec<Engine> {
    let step = |code: &[u8], isa: &Isa, before: &State| {
        interpret(code, isa, before, |hart, mem| interp::step(hart, mem, isa).err())
    };
    let run = |code: &[u8], isa: &Isa, before: &State| {
        interpret(code, isa, before, |hart, mem| {
            let stop = AtomicBool::new(false);
            match Interp::new().run(hart, mem, isa, 1, &stop) {
                (Exit::OutOfFuel, 1) => None,
                (exit, retired) => {
                    assert_eq!(retired, 0, "an instruction that exits has not completed");
                    Some(exit)
                }
            }
        })
    };
    let mut all = vec![
        Engine { name: "interp::step", run_one: Box::new(step) },
        Engine { name: "Interp::run", run_one: Box::new(run) },
    ];
    for engine in ENGINES.iter().filter(|engine| !engine.checks) {
        let execute =
            |code: &[u8], isa: &Isa, before: &State| execute(engine.kind, code, isa, before);
        all.push(Engine { name: engine.name, run_one: Box::new(execute) });
    }
    all
}

/// Maps code and data. What the code page does not hold otherwise is `c.ebreak` or `ebreak`.
fn set_up(mem: &Memory, code: &[u8], isa: &Isa, before: &State) {
    mem.map_zero(CODE, PAGE, Prot::RW).unwrap();
    let filler = if isa.has(Ext::Zca) { 0x9002_9002u32 } else { 0x0010_0073 };
    mem.write_bytes(CODE, &filler.to_le_bytes().repeat(PAGE as usize / 4)).unwrap();
    mem.write_bytes(before.hart.pc, code).unwrap();
    mem.protect(CODE, PAGE, Prot::RX).unwrap();
    mem.map_zero(DATA, DATA_LEN as u64, Prot::RW).unwrap();
    mem.write_bytes(DATA, &before.data).unwrap();
    mem.protect(DATA + 2 * PAGE, PAGE, Prot::R).unwrap();
    mem.map_zero(DATA + 3 * PAGE, PAGE, Prot::NONE).unwrap();
}

/// Executes one instruction with a function of the interpreter.
fn interpret(
    code: &[u8],
    isa: &Isa,
    before: &State,
    run: impl FnOnce(&mut Hart, &Memory) -> Option<Exit>,
) -> State {
    rvnative::sys::signal::install_handlers().unwrap();
    let mem = Memory::new(Mode::Guarded, 1 << 20).unwrap();
    set_up(&mem, code, isa, before);
    let mut after = before.clone();
    after.exit = run(&mut after.hart, &mem);
    mem.read_bytes(DATA, &mut after.data).unwrap();
    after
}

/// Executes code with an engine until it stops, which it does behind the instruction: at an
/// `ebreak`, or where nothing can be fetched.
fn execute(engine: EngineKind, code: &[u8], isa: &Isa, before: &State) -> State {
    let options = Options { engine, isa: *isa, exact_flags: true, ..Options::default() };
    let machine = Machine::new(&options).unwrap();
    set_up(machine.memory(), code, isa, before);
    let mut cpu = Cpu::new(machine).unwrap();
    *cpu.hart_mut() = before.hart.clone();
    let exit = cpu.run();
    let mut after = before.clone();
    after.hart = cpu.hart().clone();
    after.exit = (after.hart.pc == before.hart.pc).then_some(exit);
    // A `fence.i` is served where it is met.
    let is_fence_i = code.len() == 4 && code[0] & 0x7f == 0x0f && code[1] & 0x70 == 0x10;
    if is_fence_i && after.hart.pc == before.hart.pc + 4 {
        (after.hart.pc, after.exit) = (before.hart.pc, Some(Exit::FenceI));
    }
    cpu.machine().memory().read_bytes(DATA, &mut after.data).unwrap();
    after
}

/// A line, understood.
struct Case {
    word: u32,
    len: usize,
    text: String,
    before: State,
    after: State,
    /// Registers that may have any value afterwards.
    any: Vec<usize>,
}

fn number(text: &str) -> Result<u64, String> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let value = match digits.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => digits.parse(),
    }
    .map_err(|e| format!("{text}: {e}"))?;
    Ok(if negative { value.wrapping_neg() } else { value })
}

/// The 64 bits of a floating-point register.
fn float(text: &str) -> Result<u64, String> {
    let Some((format, value)) = text.split_once(':') else { return number(text) };
    let parsed = || value.parse::<f64>().map_err(|e| format!("{text}: {e}"));
    let bits = match (format, value) {
        (_, hex) if hex.starts_with("0x") => number(hex)?,
        ("h", "nan") => 0x7e00,
        ("s", "nan") => 0x7fc0_0000,
        ("d", "nan") => 0x7ff8_0000_0000_0000,
        ("s", _) => {
            let single = parsed()? as f32;
            if f64::from(single) != parsed()? {
                return Err(format!("{text} is no single"));
            }
            single.to_bits().into()
        }
        ("d", _) => parsed()?.to_bits(),
        _ => return Err(format!("{text}: no such format")),
    };
    match format {
        "h" => Ok(bits | !0xffff),
        "s" => Ok(bits | !0xffff_ffff),
        _ => Ok(bits),
    }
}

fn access(text: &str) -> Result<Access, String> {
    match text {
        "r" => Ok(Access::Read),
        "w" => Ok(Access::Write),
        "x" => Ok(Access::Execute),
        _ => Err(format!("{text}: no such access")),
    }
}

fn exit(text: &str, word: u32) -> Result<Exit, String> {
    let parts: Vec<&str> = text.split(':').collect();
    match parts[..] {
        ["ecall"] => Ok(Exit::Ecall),
        ["ebreak"] => Ok(Exit::Ebreak),
        ["fence.i"] => Ok(Exit::FenceI),
        ["illegal"] => Ok(Exit::Illegal { bits: word }),
        ["fault", kind, addr] => {
            let addr = number(addr)?;
            let mapped = (DATA..DATA + DATA_LEN as u64 + PAGE).contains(&addr);
            Ok(Exit::Fault(Fault { addr, access: access(kind)?, mapped, beyond_file: false }))
        }
        ["misaligned", kind, addr] => {
            let (addr, access) = (number(addr)?, access(kind)?);
            Ok(Exit::Misaligned(Fault { addr, access, mapped: true, beyond_file: false }))
        }
        _ => Err(format!("!{text}: no such exit")),
    }
}

fn reservation(text: &str) -> Result<Reservation, String> {
    match text.split(':').collect::<Vec<_>>()[..] {
        ["none"] => Ok(Reservation { addr: RESERVATION_NONE, value: 0, size: 0 }),
        [addr, size, value] => {
            Ok(Reservation { addr: number(addr)?, size: number(size)?, value: number(value)? })
        }
        _ => Err(format!("res={text}: expected ADDRESS:SIZE:VALUE")),
    }
}

/// Bytes in hexadecimal.
fn bytes(text: &str) -> Option<Vec<u8>> {
    let byte = |n: usize| u8::from_str_radix(text.get(2 * n..2 * n + 2)?, 16).ok();
    (0..text.len() / 2).map(byte).collect()
}

/// Applies an item of vector state.
fn vector(hart: &mut Hart, name: &str, value: &str) -> Option<()> {
    let vlenb = usize::from(hart.vector_unit.vlenb);
    let vector = hart.vector_mut()?;
    match (name, number(value)) {
        ("vl", Ok(n)) => vector.vl = n as u16,
        ("vtype", Ok(n)) => vector.vtype = if n >> 63 != 0 { VILL } else { n as u8 },
        ("vstart", Ok(n)) => vector.vstart = n as u16,
        ("vcsr", Ok(n)) => vector.vcsr = n as u8,
        _ => {
            let (bytes, register) = (bytes(value)?, reg::parse_v(name)?);
            let place = vector.register_mut(register, vlenb);
            place.fill(0);
            place.get_mut(..bytes.len())?.copy_from_slice(&bytes);
        }
    }
    Some(())
}

/// Applies one item such as `a0=5` to a state.
fn apply(state: &mut State, any: &mut Vec<usize>, item: &str, word: u32) -> Result<(), String> {
    if let Some(name) = item.strip_prefix('!') {
        state.exit = Some(exit(name, word)?);
        return Ok(());
    }
    let (name, value) = item.split_once('=').ok_or_else(|| format!("{item}: no `=`"))?;
    let hart = &mut state.hart;
    if let Some(x) = reg::parse_x(name) {
        if value == "?" {
            any.push(x.into());
        } else {
            hart.set_x(x, number(value)?);
        }
    } else if let Some(f) = reg::parse_f(name) {
        hart.f[usize::from(f)] = float(value)?;
    } else if name.starts_with('v') {
        return vector(hart, name, value).ok_or_else(|| format!("{item}: no such vector state"));
    } else if let Some(addr) = name.strip_prefix('[').and_then(|n| n.strip_suffix(']')) {
        let start = (number(addr)?.wrapping_sub(DATA)) as usize;
        let bytes = bytes(value).ok_or_else(|| format!("{item}: no bytes"))?;
        let place = state.data.get_mut(start..start + bytes.len());
        place.ok_or_else(|| format!("{item}: not in the data"))?.copy_from_slice(&bytes);
    } else {
        match name {
            "pc" => hart.pc = number(value)?,
            "fflags" => hart.fflags = number(value)? as u8,
            "frm" => hart.frm = number(value)? as u8,
            "res" => hart.reservation = reservation(value)?,
            _ => return Err(format!("{name}: no such register")),
        }
    }
    Ok(())
}

fn parse(line: &str, isa: &Isa) -> Result<Case, String> {
    let (instruction, states) = line.split_once('|').ok_or("no `|`")?;
    let (bits, text) = instruction.trim().split_once(' ').ok_or("no disassembly")?;
    let word = u32::from_str_radix(bits, 16).map_err(|e| format!("{bits}: {e}"))?;
    let (items_before, items_after) = states.split_once("=>").ok_or("no `=>`")?;
    let mut hart = Hart::with_isa(isa);
    hart.pc = CODE;
    let mut before = State { hart, data: vec![0; DATA_LEN], exit: None };
    let mut any = Vec::new();
    for item in items_before.split_whitespace() {
        apply(&mut before, &mut any, item, word)?;
    }
    let len = bits.len() / 2;
    if before.exit.is_some() || !any.is_empty() || ![2, 4].contains(&len) {
        return Err("an exit, `?`, or a wrong number of digits before `=>`".into());
    }
    let mut after = before.clone();
    if !items_after.contains('!') {
        after.hart.pc += len as u64;
    }
    for item in items_after.split_whitespace() {
        apply(&mut after, &mut any, item, word)?;
    }
    Ok(Case { word, len, text: text.trim().to_owned(), before, after, any })
}

/// What differs between two states, for people.
fn differences(got: &State, expected: &State) -> String {
    let mut out = Vec::new();
    let mut differ = |name: &str, got: u64, expected: u64| {
        if got != expected {
            out.push(format!("{name} is {got:#x}, expected {expected:#x}"));
        }
    };
    for r in 0..32u8 {
        let n = usize::from(r);
        differ(reg::x_name(r), got.hart.x[n], expected.hart.x[n]);
        differ(reg::f_name(r), got.hart.f[n], expected.hart.f[n]);
    }
    differ("pc", got.hart.pc, expected.hart.pc);
    differ("fflags", got.hart.fflags.into(), expected.hart.fflags.into());
    differ("frm", got.hart.frm.into(), expected.hart.frm.into());
    // Without, all is zero.
    let vectors = [got, expected].map(|s| s.hart.vector.clone().unwrap_or_default());
    let csrs =
        vectors.each_ref().map(|v| [v.vtype_csr(), v.vl.into(), v.vstart.into(), v.vcsr.into()]);
    for (n, name) in ["vtype", "vl", "vstart", "vcsr"].into_iter().enumerate() {
        differ(name, csrs[0][n], csrs[1][n]);
    }
    for (n, (&got, &expected)) in got.data.iter().zip(&expected.data).enumerate() {
        if got != expected {
            differ(&format!("[{:#x}]", DATA + n as u64), got.into(), expected.into());
        }
    }
    for r in 0..32 {
        let vlenb = got.hart.vector_unit.vlenb.into();
        let [got, expected] = vectors.each_ref().map(|v| v.register(r, vlenb));
        if got != expected {
            let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
            out.push(format!("v{r} is {}, expected {}", hex(got), hex(expected)));
        }
    }
    // Without an address, size and value mean nothing.
    let none = |state: &State| state.hart.reservation.addr == RESERVATION_NONE;
    if got.hart.reservation != expected.hart.reservation && !(none(got) && none(expected)) {
        out.push(format!("{:?}, expected {:?}", got.hart.reservation, expected.hart.reservation));
    }
    if got.exit != expected.exit {
        out.push(format!("exit {:x?}, expected {:x?}", got.exit, expected.exit));
    }
    out.join("; ")
}

/// Checks one line on all engines but `skip`. Returns which instruction it was, if any.
fn check(line: &str, engines: &[Engine], isa: &Isa, skip: &str) -> Result<Option<Op>, String> {
    let case = parse(line, isa)?;
    let insn = isa::decode(case.word, isa);
    let text = insn.map_or("illegal".to_owned(), |insn| {
        isa::disasm(&insn, case.before.hart.pc).to_string().replace('\t', " ")
    });
    if text != case.text {
        return Err(format!("is disassembled as `{text}`"));
    }
    for engine in engines.iter().filter(|engine| engine.name != skip) {
        let code = &case.word.to_le_bytes()[..case.len];
        let run = || (engine.run_one)(code, isa, &case.before);
        let mut got =
            std::panic::catch_unwind(run).map_err(|_| format!("{} panics", engine.name))?;
        for &x in &case.any {
            got.hart.x[x] = case.after.hart.x[x];
        }
        let wrong = differences(&got, &case.after);
        if !wrong.is_empty() {
            return Err(format!("{}: {wrong}", engine.name));
        }
    }
    Ok(insn.map(|insn| insn.op))
}

/// All `.ins` files as (file name, text).
fn files() -> Vec<(String, String)> {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/insns");
    let mut files: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "ins"))
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read_to_string(&path).unwrap())
        })
        .collect();
    files.sort();
    files
}

#[test]
fn every_line_holds_on_every_engine_and_every_instruction_has_a_line() {
    let engines = engines();
    let mut seen = BTreeSet::new();
    let mut wrong = Vec::new();
    for (file, text) in files() {
        let (mut isa, mut skip) = (Isa::default(), "");
        for (n, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if let Some(name) = line.strip_prefix("isa ") {
                isa = name.parse().unwrap();
            } else if let Some(name) = line.strip_prefix("skip ") {
                assert!(engines.iter().any(|engine| engine.name == name), "no engine {name}");
                skip = name;
            } else if !line.is_empty() {
                match check(line, &engines, &isa, skip) {
                    Ok(op) => seen.extend(op),
                    Err(e) => wrong.push(format!("{file}:{}: {line}\n    {e}", n + 1)),
                }
            }
        }
    }
    let missing: Vec<&str> = Op::all().filter(|op| !seen.contains(op)).map(Op::mnemonic).collect();
    assert!(wrong.is_empty(), "{} lines fail:\n{}", wrong.len(), wrong.join("\n"));
    assert!(missing.is_empty(), "no line in tests/insns for: {}", missing.join(" "));
}

/// Whatever the operands: no panic, `x0` stays zero, the pc moves only where it may, and an
/// instruction that does not complete leaves the hart as it was.
#[test]
fn random_instructions_keep_the_rules() {
    rvnative::sys::signal::install_handlers().unwrap();
    let mem = Memory::new(Mode::Sandbox, 0).unwrap();
    mem.map_zero(DATA, DATA_LEN as u64, Prot::RW).unwrap();
    let mut seed = 0x1234_5678_9abc_def1u64;
    let mut next = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    let (mut completed, mut stopped) = (0, 0);
    for op in Op::all() {
        for _ in 0..300 {
            let insn = isa::random::insn(op, &mut next);
            let mut hart = Hart::with_isa(&Isa::MAX);
            hart.pc = next() & !1;
            if let Some(v) = hart.vector_mut() {
                v.bytes.fill_with(|| next() as u8);
                v.set_config(next() % 256, next() % 129, 16);
            }
            for n in 1..32 {
                hart.x[n] = match next() % 4 {
                    0 => DATA + next() % 64 * 16,
                    1 => next(),
                    2 => next() >> (next() % 64),
                    _ => (next() % 5).wrapping_sub(2),
                };
                hart.f[n] = if next() % 4 == 0 { next() } else { next() | !0xffff_ffff };
            }
            hart.frm = (next() % 8) as u8;
            let before = hart.clone();
            match interp::execute(&mut hart, &mem, &insn) {
                Ok(()) => {
                    completed += 1;
                    assert_eq!(hart.x[0], 0, "{insn:?}");
                    let target = before.pc.wrapping_add(insn.imm as u64);
                    let behind = before.pc.wrapping_add(insn.len.into());
                    assert!([target, behind].contains(&hart.pc) || op == Op::Jalr, "{insn:?}");
                    assert_eq!(hart.pc & 1, 0, "{insn:?}");
                }
                // Of a vector access what is before the element that faults is done.
                Err(Exit::Fault(_)) if op as usize >= Op::Vsetvli as usize => stopped += 1,
                Err(exit) => {
                    stopped += 1;
                    assert_eq!(hart, before, "{insn:?} {exit:?}");
                }
            }
        }
    }
    assert!(completed > 50_000 && stopped > 1000, "{completed} and {stopped}");
}

#[test]
fn wrong_lines_are_noticed() {
    let engines = engines();
    let isa = Isa::default();
    let good = "00c58533  add a0,a1,a2 | a1=1 a2=-2 => a0=-1";
    assert_eq!(check(good, &engines, &isa, ""), Ok(Some(Op::Add)));
    for (from, to) in [
        ("a0=-1", "a0=1"),
        ("a0=-1", ""),
        ("a0=-1", "a0=-1 pc=0"),
        ("a0=-1", "a0=-1 [0x20000]=01"),
        ("a0=-1", "a0=-1 ft0=d:1"),
        ("a0=-1", "a0=-1 res=0x20000:4:0"),
        ("a0=-1", "!ecall"),
        ("a0=-1", "a0=-1 a9=1"),
        ("00c58533", "00c585"),
        ("00c58533", "00000000"),
        ("add", "sub"),
        ("=>", ""),
    ] {
        assert!(check(&good.replace(from, to), &engines, &isa, "").is_err(), "{from} as {to}");
    }
}
