//! From a place in the arena to the guest's pc and pending registers: all fault points of a cache.
//!
//! There is one for every second guest instruction and hardly any is ever looked at, so they are
//! packed: a few bytes each, in the order in which blocks were translated, to be read from the
//! beginning of a block.

use crate::backend::{CodeBuf, FaultPoint, Recipe, ShiftOp, Val};
use crate::ir::Width;
use crate::util::CodePtr;

/// Packed fault points.
#[derive(Debug, Default)]
pub(super) struct FaultMap {
    bytes: Vec<u8>,
    /// In order of their places, in either part of the arena.
    blocks: Vec<Packed>,
}

/// Where a block lies, and its points in `bytes`.
#[derive(Clone, Copy, Debug)]
struct Packed {
    hot: u32,
    cold: u32,
    hot_at: u32,
    cold_at: u32,
}

// Kinds of recipes: their first byte. The second is the register.
const HOME: u8 = 0;
const CONST: u8 = 1;
const LIN: u8 = 2;
const SEXT: u8 = 3;
const CANON_D: u8 = 4;
const CANON_S: u8 = 5;
const BOX: u8 = 6;
const SHIFT: u8 = 8;
const HELD: u8 = 9;

impl FaultMap {
    /// Adds the points of a block that lies behind all others.
    pub(super) fn push(&mut self, pc: u64, buf: &CodeBuf) {
        let hot_at = self.bytes.len() as u32;
        self.pack(pc, buf.hot_base, &buf.hot_faults, &buf.recipes);
        let cold_at = self.bytes.len() as u32;
        self.pack(pc, buf.cold_base, &buf.cold_faults, &buf.recipes);
        self.blocks.push(Packed { hot: buf.hot_base, cold: buf.cold_base, hot_at, cold_at });
    }

    fn pack(&mut self, pc: u64, base: u32, points: &[FaultPoint], recipes: &[Recipe]) {
        let mut last = (base, pc);
        if !points.is_empty() {
            self.number(pc);
        }
        for point in points {
            let host = u64::from(point.host.0 - last.0);
            let pc = zigzag(point.pc.wrapping_sub(last.1) as i64);
            if host | pc < 0x80 {
                // By far the most: three bytes at once.
                self.bytes.extend([host as u8, pc as u8, point.count as u8]);
            } else {
                self.number(host);
                self.number(pc);
                self.bytes.push(point.count as u8);
            }
            last = (point.host.0, point.pc);
            debug_assert!(point.count <= 64, "there are 64 registers");
            for recipe in &recipes[point.first as usize..(point.first + point.count) as usize] {
                self.recipe(recipe);
            }
        }
    }

    fn recipe(&mut self, recipe: &Recipe) {
        let mut head = |kind: u8, r: u8| self.bytes.extend([kind, r]);
        match *recipe {
            Recipe::Sext(r) => head(SEXT, r),
            Recipe::CanonD(r) => head(CANON_D, r),
            Recipe::CanonS(r) => head(CANON_S, r),
            Recipe::Box(r) => head(BOX, r),
            Recipe::Held(r, host) => {
                head(HELD, r);
                self.bytes.push(host);
            }
            Recipe::Int(r, Val::Home) => head(HOME, r),
            Recipe::Int(r, Val::Const(k)) => {
                head(CONST, r);
                self.signed(k as i64);
            }
            Recipe::Int(r, Val::Shift { op, w, a, n }) => {
                head(SHIFT, r);
                self.bytes.extend([op as u8 | u8::from(w == Width::D) << 2, a, n]);
            }
            Recipe::Int(r, Val::Lin { a, b, shift, imm }) => {
                head(LIN, r);
                self.bytes.extend([a, shift << 5 | b]);
                self.signed(imm.into());
            }
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

    fn signed(&mut self, n: i64) {
        self.number(zigzag(n));
    }

    /// The guest's pc at `place`, which is in the cold part or not, and what is pending there.
    pub(super) fn find(&self, place: CodePtr, cold: bool) -> Option<(u64, Vec<Recipe>)> {
        let start = |b: &Packed| if cold { b.cold } else { b.hot };
        let n = self.blocks.partition_point(|b| start(b) <= place.0).checked_sub(1)?;
        let block = &self.blocks[n];
        let end = if cold {
            self.blocks.get(n + 1).map_or(self.bytes.len() as u32, |b| b.hot_at)
        } else {
            block.cold_at
        };
        let at = if cold { block.cold_at } else { block.hot_at };
        let mut reader = Reader(&self.bytes[at as usize..end as usize]);
        let (mut host, mut pc) = (start(block), reader.number()?);
        loop {
            host += reader.number()? as u32;
            pc = pc.wrapping_add(reader.signed()? as u64);
            let count = reader.byte()?;
            let recipes = (0..count).map(|_| reader.recipe()).collect::<Option<Vec<_>>>()?;
            if host == place.0 {
                return Some((pc, recipes));
            }
        }
    }
}

/// A signed number as an unsigned one that is small if it is close to zero.
const fn zigzag(n: i64) -> u64 {
    (n << 1 ^ n >> 63) as u64
}

/// Reads what [`FaultMap`] packs; `None` at the end.
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

    fn signed(&mut self) -> Option<i64> {
        let n = self.number()?;
        Some((n >> 1) as i64 ^ -((n & 1) as i64))
    }

    fn recipe(&mut self) -> Option<Recipe> {
        let (kind, r) = (self.byte()?, self.byte()?);
        Some(match kind {
            SEXT => Recipe::Sext(r),
            CANON_D => Recipe::CanonD(r),
            CANON_S => Recipe::CanonS(r),
            BOX => Recipe::Box(r),
            HELD => Recipe::Held(r, self.byte()?),
            HOME => Recipe::Int(r, Val::Home),
            CONST => Recipe::Int(r, Val::Const(self.signed()? as u64)),
            SHIFT => {
                let (op, a, n) = (self.byte()?, self.byte()?, self.byte()?);
                let w = if op & 4 != 0 { Width::D } else { Width::W };
                let op = [ShiftOp::Left, ShiftOp::Right, ShiftOp::Signed][usize::from(op & 3)];
                Recipe::Int(r, Val::Shift { op, w, a, n })
            }
            _ => {
                let (a, b) = (self.byte()?, self.byte()?);
                let imm = self.signed()? as i32;
                Recipe::Int(r, Val::Lin { a, b: b & 31, shift: b >> 5, imm })
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_found_as_they_were_packed() {
        let mut map = FaultMap::default();
        let recipes = vec![
            Recipe::Int(31, Val::Const(u64::MAX)),
            Recipe::Int(1, Val::Const(0x8000_0000_0000_0000)),
            Recipe::Int(7, Val::Lin { a: 31, b: 30, shift: 3, imm: i32::MIN }),
            Recipe::Int(8, Val::Home),
            Recipe::Sext(9),
            Recipe::CanonD(10),
            Recipe::CanonS(11),
            Recipe::Box(31),
            Recipe::Int(9, Val::Shift { op: ShiftOp::Signed, w: Width::D, a: 31, n: 63 }),
            Recipe::Int(9, Val::Shift { op: ShiftOp::Left, w: Width::W, a: 1, n: 1 }),
            Recipe::Held(31, 15),
        ];
        let point = |host, first, count, pc| FaultPoint { host: CodePtr(host), first, count, pc };
        let pcs = [0x10000, u64::MAX - 1, 0x1234_5678_9abc];
        let buffer = |n: u32| CodeBuf {
            hot_base: n * 1000,
            cold_base: 100_000 + n * 1000,
            hot_faults: vec![point(n * 1000, 0, 0, pcs[0]), point(n * 1000 + 7, 0, 11, pcs[1])],
            cold_faults: vec![point(100_000 + n * 1000 + 300, 4, 2, pcs[2])],
            recipes: recipes.clone(),
            ..CodeBuf::default()
        };
        for n in 1..4 {
            map.push(0x10000 + u64::from(n), &buffer(n));
        }
        // A block without any.
        map.push(0, &CodeBuf { hot_base: 4000, cold_base: 104_000, ..CodeBuf::default() });
        for n in 1..4 {
            let at = |place, cold| map.find(CodePtr(place), cold);
            assert_eq!(at(n * 1000, false), Some((pcs[0], vec![])));
            assert_eq!(at(n * 1000 + 7, false), Some((pcs[1], recipes.clone())));
            assert_eq!(at(n * 1000 + 8, false), None);
            let cold = 100_000 + n * 1000 + 300;
            assert_eq!(at(cold, true), Some((pcs[2], recipes[4..6].to_vec())));
            assert_eq!(at(cold - 300, true), None);
        }
        assert_eq!(map.find(CodePtr(4001), false), None);
        assert_eq!(map.find(CodePtr(0), false), None);
    }
}
