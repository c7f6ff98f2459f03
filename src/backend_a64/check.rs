//! A simulated aarch64 host, on which [`crate::backend::check`] executes what was emitted.
//!
//! It knows the instructions that integer code is made of, and those that move floats, by the
//! classes of the Arm Architecture Reference Manual, chapter C4. Of any other one it knows which
//! registers it writes, and gives them random values.

mod float;

use super::regs::{BOX, MAP, STATE, V29};
use crate::backend::check::{Bank, Guest, Host, Place, Random, Step, has_bank};
use crate::mem::Mode;
use crate::util::CodePtr;
use yaxpeax_arch::{Decoder as _, U8Reader};
use yaxpeax_arm::armv8::a64::InstDecoder;

/// Host address of guest address 0, unless that is 0.
const GUEST: u64 = 0x2357_1113_0000_0000;

/// Number of the zero register, or of the stack pointer.
const R31: u8 = 31;

/// The host.
#[derive(Clone)]
pub(super) struct Machine {
    bank: Bank,
    /// Negative, zero, carry, overflow.
    flags: [bool; 4],
    /// The second operand of the latest comparison: a return's guest address.
    compared: u64,
}

has_bank!(Machine);

impl Host for Machine {
    type Insn = u32;

    fn new(random: &mut Random) -> Self {
        let bank = Bank::new(&MAP, random);
        let mut machine = Self { bank, flags: [false; 4], compared: 0 };
        machine.registers = [GUEST; 32];
        machine.vectors[usize::from(BOX)] = 0xffff_ffff << 32;
        machine.scramble();
        machine
    }

    fn scramble(&mut self) {
        for h in [0, 1, 16, 17, 30] {
            self.registers[h] = self.random.next_u64();
        }
        for v in usize::from(V29)..32 {
            self.vectors[v] = self.random.next_u64();
        }
        self.random_flags();
    }

    fn decode(code: &[u8], _: CodePtr) -> (u32, u32) {
        (code.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes)), 4)
    }

    fn link_site(at: CodePtr, _: CodePtr) -> CodePtr {
        at
    }

    fn step(&mut self, word: &u32, at: CodePtr, guest: &mut Guest<'_>) -> Step {
        let word = *word;
        let to = |bits: u32, low: u32| {
            let words = (word << (32 - bits - low)) as i32 >> (32 - bits);
            CodePtr(at.0.wrapping_add_signed(words << 2))
        };
        let rn = (word >> 5 & 31) as u8;
        match word {
            _ if word & 0xfc00_0000 == 0x1400_0000 => Step::Jump { to: to(26, 0) },
            _ if word & 0xfc00_0000 == 0x9400_0000 => Step::Call { to: to(26, 0) },
            _ if word & 0xff00_0010 == 0x5400_0000 => {
                Step::Branch { to: to(19, 5), taken: self.holds(word & 15) }
            }
            _ if word & 0x7e00_0000 == 0x3400_0000 => {
                let value = self.get(word >> 31 != 0, word as u8 & 31);
                Step::Branch { to: to(19, 5), taken: (value == 0) == (word & 1 << 24 == 0) }
            }
            _ if word & 0x7e00_0000 == 0x3600_0000 => {
                let n = word >> 26 & 32 | word >> 19 & 31;
                let set = self.get(true, word as u8 & 31) >> n & 1 != 0;
                Step::Branch { to: to(14, 5), taken: set == (word & 1 << 24 != 0) }
            }
            // Where the table was looked up, for the address that x0 holds, rotated.
            _ if word & 0xffdf_fc1f == 0xd61f_0000 && rn != 30 => {
                let call = word & 1 << 21 != 0;
                Step::Indirect { target: self.registers[0].rotate_left(1), call }
            }
            0xd65f_03c0 => Step::Indirect { target: self.compared, call: false },
            _ => {
                if self.execute(word, guest).or_else(|| self.float(word)).is_none() {
                    self.unknown(word, guest);
                }
                Step::Next
            }
        }
    }

    fn listing(code: &[u8], at: CodePtr) -> String {
        let decoder = InstDecoder::default();
        let mut out = String::new();
        for (i, word) in code.chunks_exact(4).enumerate() {
            let text = match decoder.decode(&mut U8Reader::new(word)) {
                Ok(insn) => insn.to_string(),
                Err(_) => format!(".inst {word:02x?}"),
            };
            out += &format!("  {:#x}  {text}\n", at.0 as usize + 4 * i);
        }
        out
    }
}

/// A value of `bits` bits, sign-extended.
fn signed(bits: u32, value: u64) -> u64 {
    ((value << (64 - bits)) as i64 >> (64 - bits)) as u64
}

fn rotate_right(bits: u32, value: u64, n: u32) -> u64 {
    if bits == 64 { value.rotate_right(n) } else { u64::from((value as u32).rotate_right(n)) }
}

fn shifted(kind: u32, wide: bool, value: u64, n: u32) -> u64 {
    let bits = if wide { 64 } else { 32 };
    match kind {
        0 => value << n,
        1 => value >> n,
        2 => (signed(bits, value) as i64 >> n) as u64,
        _ => rotate_right(bits, value, n),
    }
}

/// Masks of a bit-field instruction or logical immediate (`DecodeBitMasks` of the manual): the bits
/// that are moved, and those at the top.
fn masks(wide: bool, n: u32, imms: u32, immr: u32) -> Option<(u64, u64)> {
    let len = 31 - (n << 6 | (!imms & 63)).leading_zeros().min(31);
    let size = 1u32 << len;
    if len == 0 || !wide && size > 32 {
        return None;
    }
    let levels = size - 1;
    let (s, r) = (imms & levels, immr & levels);
    let d = s.wrapping_sub(r) & levels;
    let ones = |n: u32| u64::MAX >> (63 - n);
    let element = |bits: u64| {
        let mut out = 0;
        for at in (0..64).step_by(size as usize) {
            out |= (bits & ones(levels)) << at;
        }
        out
    };
    let turned = if r == 0 { ones(s) } else { ones(s) >> r | ones(s) << (size - r) };
    Some((element(turned), element(ones(d))))
}

impl Machine {
    fn random_flags(&mut self) {
        let r = self.random.next_u64();
        self.flags = [1, 2, 4, 8].map(|bit| r & bit != 0);
    }

    fn holds(&self, cc: u32) -> bool {
        let [negative, zero, carry, overflow] = self.flags;
        let holds = match cc >> 1 {
            0 => zero,
            1 => carry,
            2 => negative,
            3 => overflow,
            4 => carry && !zero,
            5 => negative == overflow,
            6 => negative == overflow && !zero,
            _ => return true,
        };
        holds != (cc & 1 != 0)
    }

    /// A register; 31 is zero.
    fn get(&self, wide: bool, r: u8) -> u64 {
        let value = if r == R31 { 0 } else { self.registers[usize::from(r)] };
        if wide { value } else { value & 0xffff_ffff }
    }

    fn set(&mut self, wide: bool, r: u8, value: u64) -> Option<()> {
        if r != R31 {
            self.registers[usize::from(r)] = if wide { value } else { value & 0xffff_ffff };
        }
        Some(())
    }

    // Memory.

    /// What lies `disp` behind a base register.
    fn place(&self, base: u8, disp: u64, guest: &Guest<'_>) -> Place {
        if base == STATE {
            return Place::State(disp as i64);
        }
        if base == R31 {
            return Place::Other;
        }
        let at = self.registers[usize::from(base)].wrapping_add(disp);
        match guest.mode() {
            _ if guest.is_counter(at) => Place::Other,
            Mode::Identity => Place::Guest(at),
            Mode::Guarded | Mode::Sandbox => Place::Guest(at.wrapping_sub(GUEST)),
        }
    }

    /// Loads and stores of one register.
    fn access(&mut self, word: u32, guest: &mut Guest<'_>) -> Option<()> {
        let log2 = word >> 30;
        let (rt, rn) = (word as u8 & 31, (word >> 5 & 31) as u8);
        let place = if word & 1 << 24 != 0 {
            self.place(rn, u64::from(word >> 10 & 0xfff) << log2_of(word), guest)
        } else if word & 0x0020_0c00 == 0 {
            self.place(rn, signed(9, u64::from(word >> 12 & 0x1ff)), guest)
        } else if word & 0x0020_0c00 == 0x0020_0800 {
            let index = (word >> 16 & 31) as u8;
            let index = match word >> 13 & 7 {
                2 => self.get(false, index),
                3 | 7 => self.get(true, index),
                _ => signed(32, self.get(false, index)),
            };
            let shift = if word & 1 << 12 != 0 { log2_of(word) } else { 0 };
            self.place(rn, index << shift, guest)
        } else {
            return None;
        };
        let bytes = 1 << log2;
        if word & 1 << 26 != 0 {
            let stores = word & 0x00c0_0000 == 0 || word & 0x00c0_0000 == 0x0080_0000;
            return self.access_vector(place, 1 << log2_of(word), (rt, stores), guest);
        }
        match word >> 22 & 3 {
            0 => {
                let value = self.get(true, rt);
                self.write(place, bytes, value, guest);
                Some(())
            }
            1 => {
                let value = self.read(place, bytes, guest);
                self.set(true, rt, value)
            }
            kind => {
                let value = signed(8 * bytes, self.read(place, bytes, guest));
                self.set(kind == 2, rt, value)
            }
        }
    }

    /// Loads and stores of two registers.
    fn access_pair(&mut self, word: u32, guest: &mut Guest<'_>) -> Option<()> {
        let (rt, rn, rt2) = (word as u8 & 31, (word >> 5 & 31) as u8, (word >> 10 & 31) as u8);
        let (vector, load) = (word & 1 << 26 != 0, word & 1 << 22 != 0);
        let bytes: u32 = match (vector, word >> 30) {
            (true, n) => 4 << n,
            (false, 2) => 8,
            _ => 4,
        };
        let disp = signed(7, u64::from(word >> 15 & 0x7f)).wrapping_mul(bytes.into());
        for (r, disp) in [(rt, disp), (rt2, disp.wrapping_add(bytes.into()))] {
            let place = self.place(rn, disp, guest);
            if vector {
                self.access_vector(place, bytes, (r, !load), guest)?;
            } else if load {
                let value = self.read(place, bytes, guest);
                // The base is read once.
                if r == rt && r == rn {
                    return None;
                }
                self.set(true, r, if word >> 30 == 1 { signed(32, value) } else { value });
            } else {
                let value = self.get(true, r);
                self.write(place, bytes, value, guest);
            }
        }
        Some(())
    }

    // Arithmetic.

    /// `a + b + carry`, with flags.
    fn add(&mut self, wide: bool, a: u64, b: u64, carry: bool) -> u64 {
        let bits = if wide { 64 } else { 32 };
        let mask = u64::MAX >> (64 - bits);
        let sum = u128::from(a & mask) + u128::from(b & mask) + u128::from(carry);
        let result = sum as u64 & mask;
        let sign = |x: u64| x >> (bits - 1) & 1 != 0;
        let overflow = sign((a ^ result) & (b ^ result));
        self.flags = [sign(result), result == 0, sum > mask.into(), overflow];
        result
    }

    /// Sums and differences, `a` and `b` being the operands.
    fn sum(&mut self, word: u32, a: u64, b: u64, to_sp: bool) -> Option<()> {
        let (wide, subtract, sets) = (word >> 31 != 0, word & 1 << 30 != 0, word & 1 << 29 != 0);
        let flags = self.flags;
        let result =
            if subtract { self.add(wide, a, !b, true) } else { self.add(wide, a, b, false) };
        if sets {
            self.compared = b;
        } else {
            self.flags = flags;
        }
        if to_sp && !sets && word & 31 == 31 {
            return None;
        }
        self.set(wide, word as u8 & 31, result)
    }

    fn logic(&mut self, word: u32, a: u64, b: u64) -> Option<()> {
        let wide = word >> 31 != 0;
        let opc = word >> 29 & 3;
        let result = match opc {
            0 | 3 => a & b,
            1 => a | b,
            _ => a ^ b,
        };
        let result = if wide { result } else { result & 0xffff_ffff };
        if opc == 3 {
            let sign = result >> if wide { 63 } else { 31 } != 0;
            self.flags = [sign, result == 0, false, false];
        }
        self.set(wide, word as u8 & 31, result)
    }

    /// Executes an instruction that is known; `None` if it is not.
    fn execute(&mut self, word: u32, guest: &mut Guest<'_>) -> Option<()> {
        let wide = word >> 31 != 0;
        let (rd, rn, rm) = (word as u8 & 31, (word >> 5 & 31) as u8, (word >> 16 & 31) as u8);
        let n = word >> 10 & 63;
        match word >> 23 & 63 {
            // PC-relative, immediate operands.
            _ if word & 0x9f00_0000 == 0x1000_0000 => {
                let value = self.random.next_u64();
                self.set(true, rd, value)
            }
            0b10_0010 => {
                if rn == R31 {
                    return None;
                }
                let imm = u64::from(word >> 10 & 0xfff) << if word & 1 << 22 != 0 { 12 } else { 0 };
                let a = self.get(wide, rn);
                self.sum(word, a, imm, true)
            }
            0b10_0100 => {
                let (mask, _) = masks(wide, word >> 22 & 1, n, word >> 16 & 63)?;
                let a = self.get(wide, rn);
                self.logic(word, a, mask)
            }
            0b10_0101 => {
                let at = 16 * (word >> 21 & 3);
                let imm = u64::from(word >> 5 & 0xffff) << at;
                let value = match word >> 29 & 3 {
                    0 => !imm,
                    2 => imm,
                    _ => self.get(true, rd) & !(0xffff << at) | imm,
                };
                self.set(wide, rd, value)
            }
            0b10_0110 => {
                let immr = word >> 16 & 63;
                let (moved, top) = masks(wide, word >> 22 & 1, n, immr)?;
                let a = self.get(wide, rn);
                let bits = if wide { 64 } else { 32 };
                let low = rotate_right(bits, a, immr) & moved;
                let value = match word >> 29 & 3 {
                    0 => {
                        let sign = if a >> n & 1 != 0 { u64::MAX } else { 0 };
                        sign & !top | low & top
                    }
                    1 => {
                        let old = self.get(true, rd);
                        old & !top | (old & !moved | low) & top
                    }
                    _ => low & top,
                };
                self.set(wide, rd, value)
            }
            0b10_0111 => {
                let (high, low) = (self.get(wide, rn), self.get(wide, rm));
                let bits = if wide { 64 } else { 32 };
                let value = if n == 0 { low } else { low >> n | high << (bits - n) };
                self.set(wide, rd, value)
            }
            _ => match word >> 24 & 31 {
                0b0_1011 if word & 1 << 21 == 0 => {
                    let b = shifted(word >> 22 & 3, wide, self.get(wide, rm), n);
                    let a = self.get(wide, rn);
                    self.sum(word, a, b, false)
                }
                0b0_1011 => {
                    if rn == R31 {
                        return None;
                    }
                    let m = self.get(true, rm);
                    let kind = word >> 13 & 7;
                    let bits = 8 << (kind & 3);
                    let mask = u64::MAX >> (64 - bits);
                    let b = if kind >= 4 { signed(bits, m) } else { m & mask } << (n & 7);
                    let a = self.get(wide, rn);
                    self.sum(word, a, b, true)
                }
                0b0_1010 => {
                    let b = shifted(word >> 22 & 3, wide, self.get(wide, rm), n);
                    let b = if word & 1 << 21 != 0 { !b } else { b };
                    let a = self.get(wide, rn);
                    self.logic(word, a, b)
                }
                0b1_1010 => self.few_operands(word),
                0b1_1011 => self.product(word),
                _ => match word & 0x3a00_0000 {
                    0x2800_0000 if word & 0x0380_0000 == 0x0100_0000 => {
                        self.access_pair(word, guest)
                    }
                    // The stack of return addresses.
                    0x2800_0000 if rn == R31 => {
                        if word & 1 << 22 != 0 {
                            let values = [self.random.next_u64(), self.random.next_u64()];
                            self.set(true, rd, values[0]);
                            self.set(true, (word >> 10 & 31) as u8, values[1]);
                        }
                        Some(())
                    }
                    0x3800_0000 => self.access(word, guest),
                    // Hints, barriers.
                    _ if word & 0xffff_f01f == 0xd503_201f => Some(()),
                    _ if word & 0xffff_f01f == 0xd503_301f => Some(()),
                    _ => None,
                },
            },
        }
    }

    /// Conditional selection, and operations of one or two registers.
    fn few_operands(&mut self, word: u32) -> Option<()> {
        let wide = word >> 31 != 0;
        let (rd, rn, rm) = (word as u8 & 31, (word >> 5 & 31) as u8, (word >> 16 & 31) as u8);
        let bits = if wide { 64 } else { 32 };
        let (a, b) = (self.get(wide, rn), self.get(wide, rm));
        let value = match word >> 21 & 7 {
            // csel, csinc, csinv, csneg
            4 if word & 0x2000_0800 == 0 => {
                let b = match (word & 1 << 30 != 0, word & 1 << 10 != 0) {
                    (false, false) => b,
                    (false, true) => b.wrapping_add(1),
                    (true, false) => !b,
                    (true, true) => b.wrapping_neg(),
                };
                if self.holds(word >> 12 & 15) { a } else { b }
            }
            6 if word & 1 << 30 == 0 => match word >> 10 & 63 {
                2 => a.checked_div(b).unwrap_or(0),
                3 => {
                    let (x, y) = (signed(bits, a) as i64, signed(bits, b) as i64);
                    if y == 0 { 0 } else { x.wrapping_div(y) as u64 }
                }
                kind @ 8..=11 => shifted(kind & 3, wide, a, b as u32 & (bits - 1)),
                _ => return None,
            },
            6 if rm == 0 => match word >> 10 & 63 {
                0 => a.reverse_bits() >> (64 - bits),
                1 => {
                    let swapped = (a & 0x00ff_00ff_00ff_00ff) << 8;
                    swapped | a >> 8 & 0x00ff_00ff_00ff_00ff
                }
                2 if wide => {
                    u64::from((a as u32).swap_bytes())
                        | u64::from(((a >> 32) as u32).swap_bytes()) << 32
                }
                2 | 3 => a.swap_bytes() >> (64 - bits),
                4 => u64::from(a.leading_zeros()) - u64::from(64 - bits),
                _ => return None,
            },
            _ => return None,
        };
        self.set(wide, rd, value)
    }

    fn product(&mut self, word: u32) -> Option<()> {
        let wide = word >> 31 != 0;
        let (rd, rn, rm) = (word as u8 & 31, (word >> 5 & 31) as u8, (word >> 16 & 31) as u8);
        let c = self.get(wide, (word >> 10 & 31) as u8);
        let (a, b) = (self.get(wide, rn), self.get(wide, rm));
        let half = |x: u64, is_signed| if is_signed { signed(32, x) } else { x & 0xffff_ffff };
        let (is_signed, subtract) = (word & 1 << 23 == 0, word & 1 << 15 != 0);
        let product = match word >> 21 & 3 {
            0 => a.wrapping_mul(b),
            1 => half(a, is_signed).wrapping_mul(half(b, is_signed)),
            2 if is_signed => {
                let high = (i128::from(a as i64) * i128::from(b as i64)) >> 64;
                return self.set(wide, rd, high as u64);
            }
            2 => {
                let high = (u128::from(a) * u128::from(b)) >> 64;
                return self.set(wide, rd, high as u64);
            }
            _ => return None,
        };
        let value = if subtract { c.wrapping_sub(product) } else { c.wrapping_add(product) };
        self.set(wide, rd, value)
    }

    /// Executes an instruction of which only is known what it writes.
    fn unknown(&mut self, word: u32, guest: &mut Guest<'_>) {
        guest.unknown = true;
        let (rd, rn, rs) = (word as u8 & 31, (word >> 5 & 31) as u8, (word >> 16 & 31) as u8);
        let value = self.random.next_u64();
        let loads = word & 1 << 22 != 0;
        let exclusive = word & 0x3f00_0000 == 0x0800_0000;
        if exclusive || word & 0x3b20_0c00 == 0x3820_0000 {
            // Exclusive accesses, compare and swap, atomics.
            let place = self.place(rn, 0, guest);
            self.touch(place, 8, true, guest);
            let compares = word & 0x00a0_0000 == 0x00a0_0000;
            let stores = exclusive && !compares && !loads;
            let to = if exclusive && (compares || !loads) { rs } else { rd };
            // Of a store, whether it has not been done.
            self.set(
                true,
                to,
                if stores { value >> 63 } else { value >> (64 - (8 << (word >> 30))) },
            );
        } else if word & 0x0e00_0000 == 0x0e00_0000 {
            // Vectors and floating point.
            let from_float =
                word & 0x7f20_fc00 == 0x1e20_0000 && !matches!(word >> 16 & 7, 2 | 3 | 7);
            let from_lane = word & 0xbfe0_f400 == 0x0e00_3400 || word & 0xbfe0_f400 == 0x0e00_2400;
            let lane = word & 0xbfe0_fc00 == 0x0e00_3c00 || word & 0xbfe0_fc00 == 0x0e00_2c00;
            let compares = word & 0xff20_fc07 == 0x1e20_2000 || word & 0xff20_0c00 == 0x1e20_0400;
            if from_float || from_lane || lane {
                self.set(word >> 30 != 0, rd, value);
            } else if compares {
                self.random_flags();
            } else {
                self.vectors[usize::from(rd)] = value;
            }
        } else if word & 0xfff0_0000 == 0xd530_0000 {
            self.set(true, rd, value);
        } else if word & 0xfff0_0000 != 0xd510_0000 {
            self.set(true, rd, value);
            self.random_flags();
        }
    }
}

/// Shift of the displacement of an access: vectors of 16 bytes have a size of their own.
const fn log2_of(word: u32) -> u32 {
    if word & 0x0480_0000 == 0x0480_0000 { 4 } else { word >> 30 }
}

#[cfg(test)]
mod tests {
    use super::super::Emitter;
    use super::*;
    use crate::backend::check::{buffer, context, said_by};
    use crate::backend::emit::{Checker, LowerFloatMove};
    use crate::backend::{Homes, Out, Stubs};
    use crate::backend_a64::Features;
    use crate::ir::{Block, Cond, FReg, Fmt, Reg};

    /// What the checker says of code that `emit` makes for `nodes`; nothing if it is right.
    fn verdict(nodes: &str, emit: impl FnOnce(&mut Emitter<'_, '_>, &mut Homes)) -> String {
        let block: Block = format!("block 0x1000 insns 9\n{nodes}").parse().expect("nodes");
        let ctx = context(Stubs::default());
        let (mut buf, mut ahead) = (buffer(), Vec::new());
        let mut e = Emitter::new(Out::new(&mut buf), (&ctx, &MAP), Features::detect(), &mut ahead);
        e.pc = 0x1000;
        let mut checker = Checker::<Machine>::new(&e, &block.nodes, 0x2000);
        let mut homes = Homes::of_test();
        emit(&mut e, &mut homes);
        said_by(|| {
            checker.emitted(&e, block.nodes.len());
            e.jump_to(0x2000);
            e.taken_branches(&mut homes);
            checker.taken(&e);
        })
    }

    #[test]
    fn beliefs_are_compared() {
        let copy = "0x1000 add.d x5, x15, 0";
        assert_eq!(verdict(copy, |e, homes| e.sym.set_lin(homes, 5, 15, 0, 0, 0)), "");
        let said = verdict(copy, |e, homes| {
            e.sym.set_lin(homes, 5, 15, 0, 0, 0);
            e.a.mov_imm(8, 7);
        });
        assert!(said.starts_with("x5 is 0x7"), "{said}");
        // fcvtzs x8, d2
        let said = verdict("0x1000 ftoint.l.d.rtz x5, f2", |e, _| e.a.word(0x9e78_0048));
        assert!(said.starts_with("x15 is "), "{said}");
    }

    #[test]
    fn beliefs_about_floats_are_compared() {
        let load = "0x1000 fload.s f12, [x15 + 8]";
        let emitted = |e: &mut Emitter<'_, '_>, homes: &mut Homes| {
            e.fload(homes, Fmt::S, FReg(12), Reg(15), 8)
        };
        assert_eq!(verdict(load, emitted), "");
        let said = verdict(load, |e, homes| e.fload(homes, Fmt::S, FReg(11), Reg(15), 8));
        assert!(said.starts_with("f11 is "), "{said}");
        let said = verdict(load, |e, homes| {
            emitted(e, homes);
            e.fp.loose |= 0xf << 8;
        });
        assert!(said.starts_with("f8 is ") || said.starts_with("f9 is "), "{said}");
        // fmov d3, d4
        let said = verdict("0x1000 add.d x5, x15, 0", |e, homes| {
            e.sym.set_lin(homes, 5, 15, 0, 0, 0);
            e.a.word(0x1e60_4083);
        });
        assert_eq!(said, "", "nodes without floats are taken not to touch them");
    }

    #[test]
    fn branches_that_are_taken_are_followed() {
        let branch = |set: fn(&mut Emitter<'_, '_>, &mut Homes)| {
            verdict("0x1000 branch.eq x15, x14, 0x3000", move |e, homes| {
                set(e, homes);
                e.branch(homes, Cond::Eq, Reg(15), Reg(14), 0x3000);
            })
        };
        assert_eq!(branch(|_, _| ()), "");
        let said = branch(|e, _| e.a.mov_imm(5, 0));
        assert!(said.starts_with("x12 is 0x0"), "{said}");
    }
}
