//! A simulated x86-64 host, on which [`crate::backend::check`] executes what was emitted.
//!
//! It knows the instructions that integer code is made of, and those that move and compare floats.
//! Any other one gives random values to the registers, flags and fields of the thread state that it
//! writes, as far as the decoder tells.

mod float;

use super::regs::{MAP, RBP, RSP, field};
use crate::backend::CONSTANTS;
use crate::backend::check::{Bank, Guest, Host, Place, Random, Step, has_bank};
use crate::mem::Mode;
use crate::util::CodePtr;
use iced_x86::{
    ConditionCode, Decoder, DecoderOptions, Formatter, GasFormatter, Instruction,
    InstructionInfoFactory, Mnemonic, OpAccess, OpKind, Register,
};

/// Those flags that emitted code looks at.
#[derive(Clone, Copy, Default)]
struct Flags {
    carry: bool,
    zero: bool,
    sign: bool,
    overflow: bool,
    parity: bool,
}

/// The host.
#[derive(Clone)]
pub(super) struct Machine {
    bank: Bank,
    flags: Flags,
}

has_bank!(Machine);

impl Host for Machine {
    type Insn = Instruction;

    fn new(random: &mut Random) -> Self {
        let mut machine = Self { bank: Bank::new(&MAP, random), flags: Flags::default() };
        for (n, word) in CONSTANTS.0.iter().enumerate() {
            machine.set_field(field!(constants) + 8 * n as i32, 8, *word);
        }
        machine.scramble();
        machine
    }

    fn scramble(&mut self) {
        for h in [0, 1, 2] {
            self.registers[h] = self.random.next_u64();
        }
        for x in [0, 1] {
            self.vectors[x] = self.random.next_u64();
        }
        self.random_flags();
    }

    fn decode(code: &[u8], at: CodePtr) -> (Instruction, u32) {
        let i = Decoder::with_ip(64, code, at.0.into(), DecoderOptions::NONE).decode();
        (i, i.len() as u32)
    }

    fn link_site(_: CodePtr, next: CodePtr) -> CodePtr {
        CodePtr(next.0.wrapping_sub(4))
    }

    fn step(&mut self, i: &Instruction, _: CodePtr, guest: &mut Guest<'_>) -> Step {
        let to = CodePtr(i.near_branch_target() as u32);
        match i.mnemonic() {
            Mnemonic::Jmp if i.op0_kind() == OpKind::NearBranch64 => Step::Jump { to },
            Mnemonic::Call if i.op0_kind() == OpKind::NearBranch64 => Step::Call { to },
            // Where the table was looked up, for the address that rax holds, rotated.
            Mnemonic::Jmp => {
                Step::Indirect { target: self.registers[0].rotate_left(1), call: false }
            }
            Mnemonic::Call => {
                Step::Indirect { target: self.registers[0].rotate_left(1), call: true }
            }
            // The guest's return address belongs to it.
            Mnemonic::Ret => Step::Indirect { target: self.home(1), call: false },
            _ if i.is_jcc_short_or_near() => {
                Step::Branch { to, taken: self.holds(i.condition_code()) }
            }
            _ => {
                if self.execute(i, guest).or_else(|| self.vector(i, guest)).is_none() {
                    self.unknown(i, guest);
                }
                Step::Next
            }
        }
    }

    fn listing(code: &[u8], at: CodePtr) -> String {
        let mut formatter = GasFormatter::new();
        let mut out = String::new();
        for i in Decoder::with_ip(64, code, at.0.into(), DecoderOptions::NONE) {
            out += &format!("  {:#x}  ", i.ip());
            formatter.format(&i, &mut out);
            out.push('\n');
        }
        out
    }
}

fn mask(bytes: u32) -> u64 {
    u64::MAX >> (64 - 8 * bytes)
}

/// A value of `bytes` bytes, sign-extended.
fn signed(bytes: u32, value: u64) -> i64 {
    let unused = 64 - 8 * bytes;
    (value << unused) as i64 >> unused
}

impl Machine {
    fn random_flags(&mut self) {
        let r = self.random.next_u64();
        let [carry, zero, sign, overflow, parity] = [1, 2, 4, 8, 16].map(|bit| r & bit != 0);
        self.flags = Flags { carry, zero, sign, overflow, parity };
    }

    fn random_bit(&mut self) -> bool {
        self.random.next_u64() & 1 != 0
    }

    fn holds(&self, cc: ConditionCode) -> bool {
        let Flags { carry, zero, sign, overflow, parity } = self.flags;
        match cc {
            ConditionCode::None => true,
            ConditionCode::o => overflow,
            ConditionCode::no => !overflow,
            ConditionCode::b => carry,
            ConditionCode::ae => !carry,
            ConditionCode::e => zero,
            ConditionCode::ne => !zero,
            ConditionCode::be => carry || zero,
            ConditionCode::a => !carry && !zero,
            ConditionCode::s => sign,
            ConditionCode::ns => !sign,
            ConditionCode::p => parity,
            ConditionCode::np => !parity,
            ConditionCode::l => sign != overflow,
            ConditionCode::ge => sign == overflow,
            ConditionCode::le => zero || sign != overflow,
            ConditionCode::g => !zero && sign == overflow,
        }
    }

    // Operands.

    /// The address of a memory operand.
    fn effective(&self, i: &Instruction) -> u64 {
        let part = |r: Register| {
            let all = r.is_gpr().then(|| self.registers[r.full_register().number()]);
            all.unwrap_or(0)
        };
        let scaled = part(i.memory_index()).wrapping_mul(u64::from(i.memory_index_scale()));
        let sum = part(i.memory_base()).wrapping_add(scaled);
        let sum = sum.wrapping_add(i.memory_displacement64());
        let short = |r: Register| r.is_gpr32();
        if short(i.memory_base()) || short(i.memory_index()) { sum & 0xffff_ffff } else { sum }
    }

    fn place(&self, i: &Instruction, guest: &Guest<'_>) -> Place {
        let base = i.memory_base();
        if base == Register::RBP {
            return Place::State(i.memory_displacement64() as i64);
        }
        let segment = i.segment_prefix() == Register::GS;
        let at = self.effective(i);
        let other = base == Register::RSP || guest.is_counter(at);
        if other || segment == (guest.mode() == Mode::Identity) {
            return Place::Other;
        }
        let none = base == Register::None && i.memory_index() == Register::None;
        Place::Guest(if none && guest.mode() == Mode::Sandbox { at & 0xffff_ffff } else { at })
    }

    /// Bytes of an operand; `None` if it is nothing that is known.
    fn bytes(i: &Instruction, op: u32) -> Option<u32> {
        match i.op_kind(op) {
            OpKind::Register => {
                let r = i.op_register(op);
                let high = matches!(r, Register::AH | Register::BH | Register::CH | Register::DH);
                (r.is_gpr() && !high).then(|| r.size() as u32)
            }
            OpKind::Memory => Some(i.memory_size().size() as u32).filter(|n| (1..=8).contains(n)),
            _ => Some(8),
        }
    }

    fn get(&mut self, i: &Instruction, op: u32, guest: &mut Guest<'_>) -> Option<u64> {
        let bytes = Self::bytes(i, op)?;
        Some(match i.op_kind(op) {
            OpKind::Register => {
                self.registers[i.op_register(op).full_register().number()] & mask(bytes)
            }
            OpKind::Memory => self.read_operand(i, bytes, guest),
            _ => i.immediate(op),
        })
    }

    /// What the low `bytes` bytes of a memory operand hold.
    fn read_operand(&mut self, i: &Instruction, bytes: u32, guest: &mut Guest<'_>) -> u64 {
        self.bank.read(self.place(i, guest), bytes, guest)
    }

    /// Changes that.
    fn write_operand(&mut self, i: &Instruction, bytes: u32, value: u64, guest: &mut Guest<'_>) {
        self.bank.write(self.place(i, guest), bytes, value, guest);
    }

    fn put(&mut self, i: &Instruction, op: u32, value: u64, guest: &mut Guest<'_>) -> Option<()> {
        let bytes = Self::bytes(i, op)?;
        match i.op_kind(op) {
            OpKind::Register => self.set_sized(i.op_register(op), value),
            OpKind::Memory => self.write_operand(i, bytes, value, guest),
            _ => return None,
        }
        Some(())
    }

    fn set_sized(&mut self, r: Register, value: u64) {
        let to = &mut self.registers[r.full_register().number()];
        *to = match r.size() as u32 {
            8 => value,
            4 => value & 0xffff_ffff,
            n => *to & !mask(n) | value & mask(n),
        };
    }

    // Flags.

    fn flags_of(&mut self, bytes: u32, result: u64) {
        self.flags.zero = result & mask(bytes) == 0;
        self.flags.sign = signed(bytes, result) < 0;
        self.flags.parity = (result as u8).count_ones().is_multiple_of(2);
    }

    fn logic_flags(&mut self, bytes: u32, result: u64) {
        self.flags_of(bytes, result);
        (self.flags.carry, self.flags.overflow) = (false, false);
    }

    fn add(&mut self, bytes: u32, a: u64, b: u64) -> u64 {
        let sum = a.wrapping_add(b) & mask(bytes);
        self.flags_of(bytes, sum);
        self.flags.carry =
            u128::from(a & mask(bytes)) + u128::from(b & mask(bytes)) > mask(bytes).into();
        self.flags.overflow = signed(bytes, (a ^ sum) & (b ^ sum)) < 0;
        sum
    }

    fn subtract(&mut self, bytes: u32, a: u64, b: u64) -> u64 {
        let difference = a.wrapping_sub(b) & mask(bytes);
        self.flags_of(bytes, difference);
        self.flags.carry = a & mask(bytes) < b & mask(bytes);
        self.flags.overflow = signed(bytes, (a ^ b) & (a ^ difference)) < 0;
        difference
    }

    // Instructions.

    /// Executes an instruction that is known; `None` if it is not.
    fn execute(&mut self, i: &Instruction, guest: &mut Guest<'_>) -> Option<()> {
        if i.has_lock_prefix() {
            return None;
        }
        match i.mnemonic() {
            Mnemonic::Nop | Mnemonic::Pause => Some(()),
            Mnemonic::Mov | Mnemonic::Movzx => {
                let value = self.get(i, 1, guest)?;
                self.put(i, 0, value, guest)
            }
            Mnemonic::Movsx | Mnemonic::Movsxd => {
                let value = signed(Self::bytes(i, 1)?, self.get(i, 1, guest)?) as u64;
                self.put(i, 0, value, guest)
            }
            Mnemonic::Lea => {
                let at = self.effective(i);
                self.put(i, 0, at, guest)
            }
            Mnemonic::Add
            | Mnemonic::Or
            | Mnemonic::And
            | Mnemonic::Sub
            | Mnemonic::Xor
            | Mnemonic::Cmp
            | Mnemonic::Test
            | Mnemonic::Andn => self.arithmetic(i, guest),
            Mnemonic::Shl
            | Mnemonic::Shr
            | Mnemonic::Sar
            | Mnemonic::Rol
            | Mnemonic::Ror
            | Mnemonic::Shld => self.shift(i, guest),
            Mnemonic::Shlx | Mnemonic::Shrx | Mnemonic::Sarx | Mnemonic::Rorx => {
                let bytes = Self::bytes(i, 0)?;
                let (value, n) = (self.get(i, 1, guest)?, self.get(i, 2, guest)?);
                let n = n as u32 & (8 * bytes - 1);
                let value = match i.mnemonic() {
                    Mnemonic::Shlx => value << n,
                    Mnemonic::Shrx => value >> n,
                    Mnemonic::Sarx => (signed(bytes, value) >> n) as u64,
                    _ => rotate_right(bytes, value, n),
                };
                self.put(i, 0, value, guest)
            }
            Mnemonic::Not => {
                let value = !self.get(i, 0, guest)?;
                self.put(i, 0, value, guest)
            }
            Mnemonic::Neg => {
                let bytes = Self::bytes(i, 0)?;
                let value = self.get(i, 0, guest)?;
                let value = self.subtract(bytes, 0, value);
                self.put(i, 0, value, guest)
            }
            Mnemonic::Mul | Mnemonic::Imul | Mnemonic::Div | Mnemonic::Idiv => {
                self.multiply(i, guest)
            }
            Mnemonic::Cdq => {
                let sign = (self.registers[0] as i32 >> 31) as u64;
                self.set_sized(Register::EDX, sign);
                Some(())
            }
            Mnemonic::Cqo => {
                self.registers[2] = (self.registers[0] as i64 >> 63) as u64;
                Some(())
            }
            Mnemonic::Bt | Mnemonic::Bts | Mnemonic::Btr | Mnemonic::Btc => self.bit(i, guest),
            Mnemonic::Bsr | Mnemonic::Bsf | Mnemonic::Lzcnt | Mnemonic::Tzcnt => {
                self.zeros(i, guest)
            }
            Mnemonic::Popcnt => {
                let value = self.get(i, 1, guest)?;
                self.logic_flags(8, value);
                self.put(i, 0, value.count_ones().into(), guest)
            }
            Mnemonic::Bswap => {
                let value = self.get(i, 0, guest)?.swap_bytes();
                let value = if Self::bytes(i, 0)? == 4 { value >> 32 } else { value };
                self.put(i, 0, value, guest)
            }
            _ if i.condition_code() != ConditionCode::None => {
                let holds = self.holds(i.condition_code());
                let value = match i.op_count() {
                    1 => holds.into(),
                    2 => [self.get(i, 0, guest)?, self.get(i, 1, guest)?][usize::from(holds)],
                    _ => return None,
                };
                self.put(i, 0, value, guest)
            }
            _ => None,
        }
    }

    fn arithmetic(&mut self, i: &Instruction, guest: &mut Guest<'_>) -> Option<()> {
        let bytes = Self::bytes(i, 0)?;
        let mnemonic = i.mnemonic();
        if mnemonic == Mnemonic::Andn {
            let value = !self.get(i, 1, guest)? & self.get(i, 2, guest)?;
            self.logic_flags(bytes, value);
            return self.put(i, 0, value, guest);
        }
        let (a, b) = (self.get(i, 0, guest)?, self.get(i, 1, guest)?);
        let result = match mnemonic {
            Mnemonic::Add => self.add(bytes, a, b),
            Mnemonic::Sub | Mnemonic::Cmp => self.subtract(bytes, a, b),
            _ => {
                let result = match mnemonic {
                    Mnemonic::Or => a | b,
                    Mnemonic::Xor => a ^ b,
                    _ => a & b,
                };
                self.logic_flags(bytes, result);
                result
            }
        };
        match mnemonic {
            Mnemonic::Cmp | Mnemonic::Test => Some(()),
            _ => self.put(i, 0, result, guest),
        }
    }

    fn shift(&mut self, i: &Instruction, guest: &mut Guest<'_>) -> Option<()> {
        let bytes = Self::bytes(i, 0)?;
        let bits = 8 * bytes;
        let a = self.get(i, 0, guest)?;
        let count = self.get(i, i.op_count() - 1, guest)?;
        let n = count as u32 & if bytes == 8 { 63 } else { 31 };
        if n == 0 {
            return self.put(i, 0, a, guest);
        }
        if n >= bits {
            return None;
        }
        let result = match i.mnemonic() {
            Mnemonic::Shl => a << n,
            Mnemonic::Shr => a >> n,
            Mnemonic::Sar => (signed(bytes, a) >> n) as u64,
            Mnemonic::Rol => rotate_right(bytes, a, bits - n),
            Mnemonic::Ror => rotate_right(bytes, a, n),
            _ => a << n | self.get(i, 1, guest)? >> (bits - n),
        };
        if !matches!(i.mnemonic(), Mnemonic::Rol | Mnemonic::Ror) {
            self.flags_of(bytes, result);
        }
        (self.flags.carry, self.flags.overflow) = (self.random_bit(), self.random_bit());
        self.put(i, 0, result, guest)
    }

    /// Products and quotients. All flags are undefined, or nobody looks at them.
    fn multiply(&mut self, i: &Instruction, guest: &mut Guest<'_>) -> Option<()> {
        let bytes = Self::bytes(i, 0)?;
        self.random_flags();
        if i.op_count() > 1 {
            let first = i.op_count() - 2;
            let product = self.get(i, first, guest)?.wrapping_mul(self.get(i, first + 1, guest)?);
            return self.put(i, 0, product, guest);
        }
        let bits = 8 * bytes;
        let y = self.get(i, 0, guest)?;
        let (low, high) = (self.registers[0] & mask(bytes), self.registers[2] & mask(bytes));
        let (low, high) = match i.mnemonic() {
            Mnemonic::Mul => {
                let product = u128::from(low) * u128::from(y);
                (product as u64, (product >> bits) as u64)
            }
            Mnemonic::Imul => {
                let product = i128::from(signed(bytes, low)) * i128::from(signed(bytes, y));
                (product as u64, (product >> bits) as u64)
            }
            Mnemonic::Div => {
                let x = u128::from(high) << bits | u128::from(low);
                let (q, r) = (x.checked_div(y.into())?, x.checked_rem(y.into())?);
                (u64::try_from(q).ok().filter(|q| *q <= mask(bytes))?, r as u64)
            }
            _ => {
                let x = i128::from(signed(bytes, high)) << bits | i128::from(low);
                let y = i128::from(signed(bytes, y));
                let (q, r) = (x.checked_div(y)?, x.checked_rem(y)?);
                (signed(bytes, q as u64) as i128 == q).then_some((q as u64, r as u64))?
            }
        };
        let [a, d] = match bytes {
            8 => [Register::RAX, Register::RDX],
            4 => [Register::EAX, Register::EDX],
            _ => return None,
        };
        self.set_sized(a, low);
        self.set_sized(d, high);
        Some(())
    }

    fn bit(&mut self, i: &Instruction, guest: &mut Guest<'_>) -> Option<()> {
        let bits = 8 * Self::bytes(i, 0)?;
        if i.op0_kind() != OpKind::Register {
            return None;
        }
        let (a, n) = (self.get(i, 0, guest)?, self.get(i, 1, guest)?);
        let bit = 1 << (n & u64::from(bits - 1));
        let zero = self.flags.zero;
        self.random_flags();
        (self.flags.carry, self.flags.zero) = (a & bit != 0, zero);
        let result = match i.mnemonic() {
            Mnemonic::Bt => return Some(()),
            Mnemonic::Bts => a | bit,
            Mnemonic::Btr => a & !bit,
            _ => a ^ bit,
        };
        self.put(i, 0, result, guest)
    }

    fn zeros(&mut self, i: &Instruction, guest: &mut Guest<'_>) -> Option<()> {
        let bits = 8 * Self::bytes(i, 0)?;
        let a = self.get(i, 1, guest)?;
        let leading = a.leading_zeros() - (64 - bits);
        let trailing = a.trailing_zeros().min(bits);
        self.random_flags();
        let result = match i.mnemonic() {
            Mnemonic::Lzcnt => leading,
            Mnemonic::Tzcnt => trailing,
            other => {
                self.flags.zero = a == 0;
                if a == 0 {
                    // The destination is not defined.
                    let value = self.random.next_u64();
                    return self.put(i, 0, value, guest);
                }
                if other == Mnemonic::Bsr { bits - 1 - leading } else { trailing }
            }
        };
        self.put(i, 0, result.into(), guest)
    }

    /// Executes an instruction of which only is known what it writes.
    fn unknown(&mut self, i: &Instruction, guest: &mut Guest<'_>) {
        let writes = |access| {
            matches!(
                access,
                OpAccess::Write
                    | OpAccess::CondWrite
                    | OpAccess::ReadWrite
                    | OpAccess::ReadCondWrite
            )
        };
        guest.unknown = true;
        let mut factory = InstructionInfoFactory::new();
        let info = factory.info(i);
        let result = self.arithmetic_result(i, info);
        for used in info.used_registers() {
            let r = used.register();
            if writes(used.access())
                && r.is_gpr()
                && !matches!(r.full_register().number() as u8, RSP | RBP)
            {
                let value = self.random.next_u64();
                self.set_sized(r, value);
            }
            if writes(used.access()) && r.is_vector_register() {
                self.vectors[r.number() & 15] = result;
            }
        }
        for used in info.used_memory() {
            let bytes = used.memory_size().size() as u32;
            self.bank.touch(self.place(i, guest), bytes, writes(used.access()), guest);
        }
        if i.rflags_modified() != 0 {
            self.random_flags();
        }
    }
}

/// A value of `bytes` bytes rotated by `n` bits, fewer than it has.
fn rotate_right(bytes: u32, value: u64, n: u32) -> u64 {
    match bytes {
        8 => value.rotate_right(n),
        4 => u64::from((value as u32).rotate_right(n)),
        2 => u64::from((value as u16).rotate_right(n)),
        _ => u64::from((value as u8).rotate_right(n)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Emitter;
    use super::super::asm::{Alu, Map, Pp, Rm, Sz};
    use super::super::features::Features;
    use super::super::regs::{RAX, RCX, slot};
    use super::*;
    use crate::backend::check::{buffer, context, said_by};
    use crate::backend::emit::{Checker, LowerFloatMove};
    use crate::backend::{Homes, Out, Stubs};
    use crate::ir::{Block, FBinOp, FReg, Fmt, Op, Reg, Rounding};

    const HELPER: CodePtr = CodePtr(0x100);

    /// What the checker says of code that `emit` makes for `nodes`; nothing if it is right.
    fn verdict(nodes: &str, emit: impl FnOnce(&mut Emitter<'_, '_>, &mut Homes)) -> String {
        let block: Block = format!("block 0x1000 insns 9\n{nodes}").parse().expect("nodes");
        let ctx = context(Stubs { helper: HELPER, ..Stubs::default() });
        let (mut buf, mut ahead) = (buffer(), Vec::new());
        let mut e = Emitter::new(Out::new(&mut buf), (&ctx, &MAP), Features::detect(), &mut ahead);
        e.pc = 0x1000;
        let mut checker = Checker::<Machine>::new(&e, &block.nodes, 0x2000);
        let mut homes = Homes::of_test();
        emit(&mut e, &mut homes);
        said_by(|| checker.emitted(&e, block.nodes.len()))
    }

    fn home(r: u8) -> Rm {
        MAP.int(r).map_or(Rm::S(slot(r)), Rm::R)
    }

    #[test]
    fn right_code_passes() {
        let copy = "0x1000 add.d x5, x15, 0";
        assert_eq!(verdict(copy, |e, homes| e.sym.set_lin(homes, 5, 15, 0, 0, 0)), "");
        let add = |e: &mut Emitter<'_, '_>, _: &mut Homes| {
            e.a.lea(Sz::Q, RAX, Rm::B(3, 7));
            e.a.mov_to(Sz::Q, home(5), RAX);
        };
        assert_eq!(verdict("0x1000 add.d x5, x15, 7", add), "");
    }

    #[test]
    fn wrong_beliefs_are_named() {
        let copy = "0x1000 add.d x5, x15, 0";
        let said = verdict(copy, |_, _| ());
        assert!(said.starts_with("x5 is ") && said.ends_with(": Home"), "{said}");
        // The home of another register is lost.
        let said = verdict(copy, |e, homes| {
            e.sym.set_lin(homes, 5, 15, 0, 0, 0);
            e.a.alu_imm(Alu::Add, Sz::Q, home(15), 1);
        });
        assert!(said.starts_with("x5 is "), "{said}");
        let said = verdict(copy, |e, homes| {
            e.sym.set_lin(homes, 5, 15, 0, 0, 0);
            e.sym.mark_narrow(5);
        });
        assert!(said.starts_with("x5 is said to be narrow"), "{said}");
        let said = verdict("0x1000 const x5, 0x7", |e, homes| e.sym.set_const(homes, 5, 7, true));
        assert!(said.starts_with("x5 is said to be at home as well"), "{said}");
        let said = verdict("0x1000 const x15, 0xffffffffffffffff", |e, homes| {
            e.a.mov_imm(3, u64::MAX);
            e.sym.set_sext(homes, 15);
        });
        assert!(said.contains("upper half is not zero"), "{said}");
        // What belongs to nobody may not be written by an instruction that is not known, either.
        let said = verdict("0x1000 ftoint.l.d.rtz x5, f2", |e, _| {
            e.a.ins(Pp::F2, Map::M0F, Sz::Q, 0x2c, 3, Rm::R(2)); // cvttsd2si
            e.a.mov_to(Sz::Q, home(5), 3);
        });
        assert!(said.starts_with("x15 is "), "{said}");
    }

    #[test]
    fn wrong_beliefs_about_floats_are_named() {
        let (f10, f11, f12) = (FReg(10), FReg(11), FReg(12));
        let add = "0x1000 fadd.d.dyn f12, f10, f11";
        let load = "0x1000 fload.d f12, [x15 + 8]";
        let emitted =
            |e: &mut Emitter<'_, '_>, homes: &mut Homes| e.fload(homes, Fmt::D, f12, Reg(15), 8);
        assert_eq!(verdict(load, emitted), "");
        let added = |e: &mut Emitter<'_, '_>, homes: &mut Homes| {
            e.float(
                homes,
                &Op::FBin {
                    op: FBinOp::Add,
                    fmt: Fmt::D,
                    rm: Rounding::Dyn,
                    fd: f12,
                    a: f10,
                    b: f11,
                },
            );
        };
        assert_eq!(verdict(add, added), "");
        let said = verdict(load, |e, homes| e.fload(homes, Fmt::D, f11, Reg(15), 8));
        assert!(said.starts_with("f11 is "), "{said}");
        let said = verdict(load, |e, homes| {
            emitted(e, homes);
            e.fp.boxed |= 1 << 12;
        });
        assert!(said.starts_with("f12 is said to be boxed"), "{said}");
        let said = verdict(load, |e, homes| {
            emitted(e, homes);
            e.fp.loose |= 0xf << 8;
        });
        assert!(said.starts_with("f8 is ") || said.starts_with("f9 is "), "{said}");
        // An operand is lost.
        let said = verdict(add, |e, homes| {
            added(e, homes);
            e.fmove(2, 4);
        });
        assert!(said.starts_with("f10 is "), "{said}");
    }

    #[test]
    fn wrong_accesses_and_exits_are_named() {
        let store = |off| {
            move |e: &mut Emitter<'_, '_>, _: &mut Homes| {
                let to = Rm::M(super::super::asm::Guest { base: Some(3), index: None, disp: off });
                e.fault_point();
                e.a.mov_to(Sz::Q, to, 6);
            }
        };
        assert_eq!(verdict("0x1000 store.d x14, [x15 + 8]", store(8)), "");
        let said = verdict("0x1000 store.d x14, [x15 + 8]", store(16));
        assert!(said.starts_with("stores "), "{said}");
        let said = verdict("0x1000 store.d x14, [x15 + 8]", |e, homes| {
            e.a.mov(Sz::Q, RCX, home(13));
            e.a.alu_imm(Alu::Add, Sz::Q, home(13), 1);
            store(8)(e, homes);
            e.a.mov(Sz::Q, 8, Rm::R(RCX));
        });
        assert!(said.starts_with("x13 is ") && said.contains("at a fault"), "{said}");
        let branch = "0x1000 branch.eq x15, x14, 0x3000";
        let taken = |set: fn(&mut Emitter<'_, '_>, &mut Homes)| {
            move |e: &mut Emitter<'_, '_>, homes: &mut Homes| {
                set(e, homes);
                e.branch(homes, crate::ir::Cond::Eq, Reg(15), Reg(14), 0x3000);
            }
        };
        assert_eq!(verdict(branch, taken(|_, _| ())), "");
        let said = verdict(branch, taken(|e, _| e.a.mov_imm(9, 0)));
        assert!(said.starts_with("x12 is 0x0 at Exit"), "{said}");
        let said = verdict("0x1000 jump 0x3000", |e, homes| e.jump(homes, 0x4000));
        assert!(said.starts_with("leaves by Exit(4000)"), "{said}");
    }
}
