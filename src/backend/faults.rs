//! Fault points: from a place in host code to the guest's pc and pending registers.
//!
//! There is one for every second guest instruction and hardly any is ever looked at, so they are
//! packed as they are found: a few bytes each, one after the other, to be read from the first.

use super::code::Code;
use super::symbolic::{ShiftOp, Symbolic, Val};
use crate::ir::{Bytes, Width};
use crate::util::CodePtr;

/// A guest register that is not at home when a fault occurs, and what its value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestoreOp {
    /// Integer register `.0` has a value computed from homes.
    Int(u8, Val),
    /// The home of integer register `.0` has the right low half; it must be sign-extended.
    Sext(u8),
    /// Host register `.1` holds what belongs into the home of integer register `.0`. This is true
    /// of homes before others are computed from them.
    Held(u8, u8),
    /// Floating-point register `.0` may hold a NaN that is not canonical (double precision).
    CanonD(u8),
    /// The same in single precision.
    CanonS(u8),
    /// Floating-point register `.0` is a NaN-boxed single whose upper half has not been set.
    Box(u8),
}

/// The fault points of one part of a block, in order of their places.
#[derive(Debug, Default)]
pub struct FaultPoints {
    bytes: Code,
    /// Place and pc of the last one.
    last: (u32, u64),
}

// Kinds of restore operations: the low half of their first byte. The second is the register. The
// high half is the number of bytes at the end that are a signed number. Behind its restore
// operations comes the point itself.
const HOME: u8 = 0;
const CONST: u8 = 1;
const LIN: u8 = 2;
const SEXT: u8 = 3;
const CANON_D: u8 = 4;
const CANON_S: u8 = 5;
const BOX: u8 = 6;
const SHIFT: u8 = 7;
const HELD: u8 = 8;
const POINT: u8 = 9;
const BYTES: u8 = 10;

impl FaultPoints {
    /// Empties it, for a part that lies at `base`, of the block at `pc`.
    pub fn start(&mut self, base: u32, pc: u64) {
        self.bytes.truncate(0);
        self.last = (base, pc);
    }

    /// How much is in it.
    #[must_use]
    pub fn mark(&self) -> (usize, (u32, u64)) {
        (self.bytes.len(), self.last)
    }

    /// The points, to be read by [`find`].
    #[must_use]
    pub fn packed(&self) -> &[u8] {
        &self.bytes
    }

    /// Makes it these points, of a block that lay elsewhere. Nothing may be added then.
    pub fn set_packed(&mut self, packed: &[u8]) {
        self.bytes.truncate(0);
        self.bytes.extend_from_slice(packed);
    }

    /// Adds a host instruction that may fault, or a call of the helper stub, at `host` on behalf of
    /// the guest instruction at `pc`. Its restore operations have been added before.
    #[inline]
    pub fn point(&mut self, host: CodePtr, pc: u64) {
        let (last_host, last_pc) = self.last;
        debug_assert!(host.0 >= last_host, "fault points come in order");
        let host_step = u64::from(host.0.wrapping_sub(last_host));
        let pc_step = zigzag(pc.wrapping_sub(last_pc) as i64);
        self.last = (host.0, pc);
        if host_step | pc_step < 0x80 {
            // By far the most.
            self.bytes.put_word(u64::from(POINT) | host_step << 8 | pc_step << 16, 3);
        } else {
            self.far_point(host_step, pc_step);
        }
    }

    #[cold]
    fn far_point(&mut self, host_step: u64, pc_step: u64) {
        self.bytes.push(POINT);
        self.number(host_step);
        self.number(pc_step);
    }

    /// Adds a restore operation to the point that comes next.
    #[inline]
    pub fn push(&mut self, restore_op: RestoreOp) {
        let word = |head: [u8; 4]| u64::from(u32::from_le_bytes(head));
        let (word, len) = match restore_op {
            RestoreOp::Sext(r) => (word([SEXT, r, 0, 0]), 2),
            RestoreOp::CanonD(r) => (word([CANON_D, r, 0, 0]), 2),
            RestoreOp::CanonS(r) => (word([CANON_S, r, 0, 0]), 2),
            RestoreOp::Box(r) => (word([BOX, r, 0, 0]), 2),
            RestoreOp::Held(r, host) => (word([HELD, r, host, 0]), 3),
            RestoreOp::Int(r, Val::Home) => (word([HOME, r, 0, 0]), 2),
            RestoreOp::Int(r, Val::Const(k)) => {
                let len = signed_len(k as i64);
                let head = word([CONST | (len as u8) << 4, r, 0, 0]);
                return self.bytes.put((head, 2), (k, len));
            }
            RestoreOp::Int(r, Val::Shift { op, w, a, n }) => {
                let op = op as u8 | u8::from(w == Width::D) << 2;
                (word([SHIFT, r, op, a]) | u64::from(n) << 32, 5)
            }
            RestoreOp::Int(r, Val::Bytes { a, bytes }) => {
                let Bytes { from, len, to, signed } = bytes;
                let rest = u64::from((len - 1) | to << 3 | u8::from(signed) << 6);
                (word([BYTES, r, a, from]) | rest << 32, 5)
            }
            RestoreOp::Int(r, Val::Lin { a, b, shift, imm }) => {
                let len = signed_len(imm.into());
                let head = word([LIN | (len as u8) << 4, r, a, shift << 5 | b]);
                (head | u64::from(imm as u32) << 32, 4 + len)
            }
        };
        self.bytes.put_word(word, len);
    }

    /// Adds a restore operation for each integer register that is pending to the point that comes
    /// next.
    pub fn push_pending(&mut self, sym: &Symbolic) {
        let mut left = sym.pending();
        while left != 0 {
            let r = left.trailing_zeros() as u8;
            left &= left - 1;
            self.push(if sym.is_sext(r) {
                RestoreOp::Sext(r)
            } else {
                RestoreOp::Int(r, sym.val(r))
            });
        }
    }

    /// Seven bits a byte, lowest first; the highest bit says that more follow.
    fn number(&mut self, mut n: u64) {
        while n > 0x7f {
            self.bytes.push(n as u8 | 0x80);
            n >>= 7;
        }
        self.bytes.push(n as u8);
    }
}

/// Bytes that `n` takes, with its sign: none for 0.
const fn signed_len(n: i64) -> u32 {
    let unsigned = (n ^ n >> 63) as u64;
    if n == 0 { 0 } else { (64 - unsigned.leading_zeros()) / 8 + 1 }
}

/// The packed points, or the last of them if those before ended with the point at `host` for `pc`
/// (at first, the base of the part and the block's address): place, pc, and what is pending there.
pub fn points(
    packed: &[u8],
    (mut host, mut pc): (u32, u64),
) -> impl Iterator<Item = (CodePtr, u64, Vec<RestoreOp>)> {
    let mut reader = Reader(packed);
    std::iter::from_fn(move || {
        let mut restore_ops = Vec::new();
        loop {
            let kind = reader.byte()?;
            if kind != POINT {
                restore_ops.push(reader.restore_op(kind)?);
                continue;
            }
            host += reader.number()? as u32;
            let step = reader.number()?;
            pc = pc.wrapping_add(step >> 1 ^ (step & 1).wrapping_neg());
            return Some((CodePtr(host), pc, restore_ops));
        }
    })
}

/// Finds in the packed points of a part that lies at `base`, of the block at `pc`, the one at
/// `place`: the guest's pc, and what is pending there.
#[must_use]
pub fn find(packed: &[u8], start: (u32, u64), place: CodePtr) -> Option<(u64, Vec<RestoreOp>)> {
    let (_, pc, restore_ops) = points(packed, start).find(|point| point.0 == place)?;
    Some((pc, restore_ops))
}

/// A signed number as an unsigned one that is small if it is close to zero.
const fn zigzag(n: i64) -> u64 {
    (n << 1 ^ n >> 63) as u64
}

/// Reads what [`FaultPoints`] packs; `None` at the end.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    fn number(&mut self) -> Option<u64> {
        let mut n = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            n |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        Some(n)
    }

    fn signed(&mut self, len: u8) -> Option<i64> {
        let (bytes, rest) = self.0.split_at_checked(usize::from(len))?;
        self.0 = rest;
        let negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
        let mut all = [if negative { 0xff } else { 0 }; 8];
        all[..bytes.len()].copy_from_slice(bytes);
        Some(i64::from_le_bytes(all))
    }

    /// The restore operation whose first byte is `kind`.
    fn restore_op(&mut self, kind: u8) -> Option<RestoreOp> {
        let r = self.byte()?;
        let (kind, len) = (kind & 15, kind >> 4);
        Some(match kind {
            SEXT => RestoreOp::Sext(r),
            CANON_D => RestoreOp::CanonD(r),
            CANON_S => RestoreOp::CanonS(r),
            BOX => RestoreOp::Box(r),
            HELD => RestoreOp::Held(r, self.byte()?),
            HOME => RestoreOp::Int(r, Val::Home),
            CONST => RestoreOp::Int(r, Val::Const(self.signed(len)? as u64)),
            SHIFT => {
                let (op, a, n) = (self.byte()?, self.byte()?, self.byte()?);
                let w = if op & 4 != 0 { Width::D } else { Width::W };
                let op = [ShiftOp::Left, ShiftOp::Right, ShiftOp::Signed][usize::from(op & 3)];
                RestoreOp::Int(r, Val::Shift { op, w, a, n })
            }
            BYTES => {
                let (a, from, rest) = (self.byte()?, self.byte()?, self.byte()?);
                let (len, to, signed) = ((rest & 7) + 1, rest >> 3 & 7, rest & 0x40 != 0);
                RestoreOp::Int(r, Val::Bytes { a, bytes: Bytes { from, len, to, signed } })
            }
            _ => {
                let (a, b) = (self.byte()?, self.byte()?);
                let imm = self.signed(len)? as i32;
                RestoreOp::Int(r, Val::Lin { a, b: b & 31, shift: b >> 5, imm })
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_found_as_they_were_packed() {
        let bytes = |bytes| Val::Bytes { a: 31, bytes };
        let restore_ops = [
            RestoreOp::Int(31, Val::Const(u64::MAX)),
            RestoreOp::Int(1, Val::Const(0x8000_0000_0000_0000)),
            RestoreOp::Int(7, Val::Lin { a: 31, b: 30, shift: 3, imm: i32::MIN }),
            RestoreOp::Int(8, Val::Home),
            RestoreOp::Sext(9),
            RestoreOp::CanonD(10),
            RestoreOp::CanonS(11),
            RestoreOp::Box(31),
            RestoreOp::Int(9, Val::Shift { op: ShiftOp::Signed, w: Width::D, a: 31, n: 63 }),
            RestoreOp::Int(9, Val::Shift { op: ShiftOp::Left, w: Width::W, a: 1, n: 1 }),
            RestoreOp::Held(31, 15),
            RestoreOp::Int(5, bytes(Bytes { from: 7, len: 1, to: 3, signed: true })),
            RestoreOp::Int(6, bytes(Bytes { from: 0, len: 8, to: 0, signed: false })),
        ];
        let pcs = [0x10000, u64::MAX - 1, 0x1234_5678_9abc];
        let mut points = FaultPoints::default();
        points.start(1000, 0x10000);
        points.point(CodePtr(1000), pcs[0]);
        restore_ops.iter().for_each(|restore_op| points.push(*restore_op));
        points.point(CodePtr(1007), pcs[1]);
        restore_ops[4..6].iter().for_each(|restore_op| points.push(*restore_op));
        points.point(CodePtr(1300), pcs[2]);
        let at = |place| find(points.packed(), (1000, 0x10000), CodePtr(place));
        assert_eq!(at(1000), Some((pcs[0], vec![])));
        assert_eq!(at(1007), Some((pcs[1], restore_ops.to_vec())));
        assert_eq!(at(1008), None);
        assert_eq!(at(1300), Some((pcs[2], restore_ops[4..6].to_vec())));
        for n in (0..64).flat_map(|n| [1 << n, (1 << n) - 1, !(1 << n)]) {
            points.start(0, 0);
            let restore_op = RestoreOp::Int(1, Val::Const(n));
            points.push(restore_op);
            points.point(CodePtr(0), 0);
            assert_eq!(find(points.packed(), (0, 0), CodePtr(0)), Some((0, vec![restore_op])));
        }
        assert_eq!(find(&[], (1000, 0), CodePtr(1000)), None);
    }
}
