//! Agent expressions: the bytecode in which gdb sends conditions of breakpoints (gdb manual,
//! appendix F).

use super::registers;
use crate::cpu::Hart;

/// Instructions that one evaluation may take: a condition is no program.
const FUEL: u32 = 10_000;
/// Values that the stack may hold.
const DEEPEST: usize = 64;

/// Evaluates an expression. `read` fills a buffer from an address; false if it cannot.
///
/// `None`: the expression is not well formed, reads what cannot be read, divides by zero, or takes
/// too long. gdb's own stub stops in that case, so that an error is not taken for false.
pub fn evaluate(
    code: &[u8],
    hart: &Hart,
    read: &mut dyn FnMut(u64, &mut [u8]) -> bool,
) -> Option<u64> {
    let mut machine = Machine { code, at: 0, stack: Vec::new(), hart, read };
    for _ in 0..FUEL {
        let op = machine.byte()?;
        if op == 0x27 {
            return machine.pop();
        }
        machine.execute(op)?;
        if machine.stack.len() > DEEPEST {
            return None;
        }
    }
    None
}

struct Machine<'a> {
    code: &'a [u8],
    at: usize,
    stack: Vec<u64>,
    hart: &'a Hart,
    read: &'a mut dyn FnMut(u64, &mut [u8]) -> bool,
}

impl Machine<'_> {
    fn byte(&mut self) -> Option<u8> {
        let byte = *self.code.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    /// An operand of `n` bytes, most significant first.
    fn operand(&mut self, n: usize) -> Option<u64> {
        (0..n).try_fold(0, |v, _| Some(v << 8 | u64::from(self.byte()?)))
    }

    fn pop(&mut self) -> Option<u64> {
        self.stack.pop()
    }

    fn push(&mut self, value: u64) {
        self.stack.push(value);
    }

    fn binary(&mut self, f: impl FnOnce(u64, u64) -> Option<u64>) -> Option<()> {
        let (b, a) = (self.pop()?, self.pop()?);
        self.push(f(a, b)?);
        Some(())
    }

    fn load(&mut self, n: usize) -> Option<()> {
        let mut bytes = [0; 8];
        let addr = self.pop()?;
        if !(self.read)(addr, &mut bytes[..n]) {
            return None;
        }
        self.push(u64::from_le_bytes(bytes));
        Some(())
    }

    /// Executes one instruction, in the order of the manual's table.
    fn execute(&mut self, op: u8) -> Option<()> {
        let shift = |b: u64| u32::try_from(b).ok();
        match op {
            0x02 => self.binary(|a, b| Some(a.wrapping_add(b)))?,
            0x03 => self.binary(|a, b| Some(a.wrapping_sub(b)))?,
            0x04 => self.binary(|a, b| Some(a.wrapping_mul(b)))?,
            0x05 => self.binary(|a, b| (a as i64).checked_div(b as i64).map(|v| v as u64))?,
            0x06 => self.binary(u64::checked_div)?,
            0x07 => self.binary(|a, b| (a as i64).checked_rem(b as i64).map(|v| v as u64))?,
            0x08 => self.binary(u64::checked_rem)?,
            0x09 => {
                self.binary(|a, b| Some(shift(b).and_then(|n| a.checked_shl(n)).unwrap_or(0)))?
            }
            0x0a => self.binary(|a, b| Some((a as i64 >> b.min(63)) as u64))?,
            0x0b => {
                self.binary(|a, b| Some(shift(b).and_then(|n| a.checked_shr(n)).unwrap_or(0)))?
            }
            0x0e => {
                let a = self.pop()?;
                self.push(u64::from(a == 0));
            }
            0x0f => self.binary(|a, b| Some(a & b))?,
            0x10 => self.binary(|a, b| Some(a | b))?,
            0x11 => self.binary(|a, b| Some(a ^ b))?,
            0x12 => {
                let a = self.pop()?;
                self.push(!a);
            }
            0x13 => self.binary(|a, b| Some(u64::from(a == b)))?,
            0x14 => self.binary(|a, b| Some(u64::from((a as i64) < b as i64)))?,
            0x15 => self.binary(|a, b| Some(u64::from(a < b)))?,
            0x16 | 0x2a => self.extend(op == 0x16)?,
            0x17..=0x1a => self.load(1 << (op - 0x17))?,
            0x20 | 0x21 => {
                let to = self.operand(2)? as usize;
                if op == 0x21 || self.pop()? != 0 {
                    self.at = to;
                }
            }
            0x22..=0x25 => {
                let value = self.operand(1 << (op - 0x22))?;
                self.push(value);
            }
            0x26 => {
                let n = self.operand(2)? as usize;
                registers::size(n)?;
                self.push(registers::read(self.hart, n));
            }
            _ => self.arrange(op)?,
        }
        Some(())
    }

    /// Sign-extends or zero-extends from a number of bits.
    fn extend(&mut self, signed: bool) -> Option<()> {
        let (bits, a) = (self.operand(1)?, self.pop()?);
        let unused = 64_u64.checked_sub(bits).filter(|n| *n < 64)?;
        let shifted = a << unused;
        self.push(if signed { (shifted as i64 >> unused) as u64 } else { shifted >> unused });
        Some(())
    }

    /// Moves values on the stack.
    fn arrange(&mut self, op: u8) -> Option<()> {
        match op {
            0x28 => {
                let a = *self.stack.last()?;
                self.push(a);
            }
            0x29 => drop(self.pop()?),
            0x2b => {
                let len = self.stack.len();
                (len >= 2).then(|| self.stack.swap(len - 1, len - 2))?;
            }
            0x32 => {
                let n = self.operand(1)? as usize;
                let a = *self.stack.len().checked_sub(n + 1).and_then(|i| self.stack.get(i))?;
                self.push(a);
            }
            0x33 => {
                // a b c => c a b
                let len = self.stack.len();
                self.stack.get_mut(len.checked_sub(3)?..)?.rotate_right(1);
            }
            _ => return None,
        }
        Some(())
    }
}
