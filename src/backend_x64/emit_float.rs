//! Floating point: where values are, and what is known of them.
//!
//! Three things differ from the host, and each is dealt with where it can be seen:
//! - *Canonical NaNs.* The host propagates payloads and its own default NaN is negative. Whether a
//!   result is NaN does not depend on payloads, so results stay as they are until something looks
//!   at the bits: a store, a move, an exit (`FloatFacts::canon_d`). As a NaN operand makes a NaN
//!   result, one look at a result tells about all that it was made of (`FloatFacts::implies`).
//! - *NaN boxes.* Operands that are not known to be boxed are checked. The upper half of a single
//!   is set when something looks at it (`FloatFacts::loose`).
//! - *Rounding.* The dynamic mode is in MXCSR; the runtime lets the interpreter run as long as the
//!   guest chooses one that MXCSR has not. An operation with a static mode is executed here if the
//!   dynamic one is the same, which is checked once a block.
//!
//! Flags accrue in MXCSR as they do in `fcsr`. What the host cannot do exactly is left to the
//! interpreter, instruction by instruction, on the cold path.

use super::Emitter;
use super::asm::{Alu, Asm, Cc, Map, Pp, Rm, Shift, Sz};
use super::emit_float_arith::AND;
use super::regs::{RAX, XMM0, field, float_slot};
use crate::backend::emit::{Host, LowerFloat, Writes};
use crate::backend::{FLAGS_UNKNOWN, Homes, ThreadState};
use crate::cpu::fflags;
use crate::ir::{FBinOp, FReg, FUnOp, Fmt, IntFmt, Op, Reg, Rounding};
use crate::util::CodePtr;

/// Indices into `ThreadState::constants`.
pub(super) const BOX: usize = 0;
pub(super) const SIGN_D: usize = 2;
pub(super) const MAGNITUDE_D: usize = 4;
pub(super) const SIGN_S: usize = 6;
pub(super) const MAGNITUDE_S: usize = 8;
const NAN_D: usize = 10;
const NAN_S: usize = 12;
pub(super) const INFINITY_SHIFTED: usize = 14;

/// A constant of the thread state as an operand.
pub(super) const fn constant(index: usize) -> Rm {
    Rm::S(field!(constants) + 8 * index as i32)
}

/// Prefix of scalar operations.
pub(super) const fn scalar(fmt: Fmt) -> Pp {
    match fmt {
        Fmt::D => Pp::F2,
        Fmt::S | Fmt::H => Pp::F3,
    }
}

/// Prefix of comparisons, of packed logic, and of operations on all elements of a vector.
pub(super) const fn packed(fmt: Fmt) -> Pp {
    match fmt {
        Fmt::D => Pp::P66,
        Fmt::S | Fmt::H => Pp::None,
    }
}

// Opcodes in map 0F.
pub(super) const MOVU_LOAD: u8 = 0x10;
pub(super) const MOVU_STORE: u8 = 0x11;
pub(super) const MOVAPS: u8 = 0x28;
pub(super) const OR: u8 = 0x56;
pub(super) const XOR: u8 = 0x57;
pub(super) const UCOMI: u8 = 0x2e;

impl<'b> LowerFloat<'b, Asm<'b>> for Emitter<'b, '_> {
    fn joins_selects(&self) -> bool {
        self.cpu.avx
    }

    fn host_lacks(&self, op: &Op) -> bool {
        match *op {
            Op::FBin { op: FBinOp::Minm | FBinOp::Maxm, .. } => true,
            Op::FMulAdd { .. } => !self.cpu.fma,
            Op::FUn { op: FUnOp::Round | FUnOp::RoundNx, rm, .. } => {
                rm == Rounding::Rmm || !self.cpu.sse41
            }
            Op::FToInt { int, rm, .. } => {
                let unsigned = matches!(int, IntFmt::Wu | IntFmt::Lu);
                let rounds = !matches!(rm, Rounding::Rtz | Rounding::Dyn);
                rounds && !self.cpu.sse41 || rm == Rounding::Rmm && unsigned
            }
            _ => false,
        }
    }

    fn canonical(&mut self, f: FReg) {
        if self.fp.canon() & 1 << f.0 != 0 {
            self.canonicalize(self.canon_format(f.0), [f, f]);
        }
    }

    fn ready_for_interpreter(&mut self, _homes: &mut Homes, operands: &[FReg]) {
        for f in operands {
            if self.fp.is_loose(*f)
                && let Some(x) = self.map.float(f.0)
            {
                self.box_up(x);
            }
        }
    }

    fn interpret(&mut self, homes: &mut Homes, operands: &[FReg]) {
        // Payloads of NaNs make no difference to it.
        self.ready_for_interpreter(homes, operands);
        self.call_helper(homes);
    }

    fn float_in_reg(&mut self, f: FReg, scratch: u8) -> u8 {
        match self.fhome(f) {
            Rm::R(x) => x,
            slot => {
                self.a.ins(Pp::F2, Map::M0F, Sz::D, MOVU_LOAD, scratch, slot);
                scratch
            }
        }
    }

    // Canonical NaNs and boxes.

    fn box_up(&mut self, x: u8) {
        self.a.ins(Pp::None, Map::M0F, Sz::D, OR, x, constant(BOX));
    }

    fn flush_canon(&mut self, keep: u32) {
        // Those that tell about the most first, and two with one comparison.
        loop {
            let Some(x) = self.best_root(self.fp.canon() & !keep) else { return };
            let fmt = self.canon_format(x.0);
            let same = if fmt == Fmt::D { self.fp.canon_d } else { self.fp.canon_s };
            let y = self.best_root(same & !self.fp.with_implied(x) & !keep);
            self.canonicalize(fmt, [x, y.unwrap_or(x)]);
        }
    }

    fn test_nan(&mut self, fmt: Fmt, f: FReg) -> Cc {
        match (self.fhome(f), fmt) {
            (Rm::R(x), Fmt::D) => self.movq_from_vector(RAX, x),
            (Rm::R(x), _) => self.a.ins(Pp::P66, Map::M0F, Sz::D, 0x7e, x, Rm::R(RAX)),
            (slot, _) => self.a.mov(Sz::Q, RAX, slot),
        }
        if fmt == Fmt::D {
            self.a.alu(Alu::Add, Sz::Q, RAX, Rm::R(RAX));
            self.a.alu(Alu::Cmp, Sz::Q, RAX, constant(INFINITY_SHIFTED));
        } else {
            self.a.alu(Alu::Add, Sz::D, RAX, Rm::R(RAX));
            self.a.alu_imm(Alu::Cmp, Sz::D, Rm::R(RAX), 0xff00_0000_u32 as i32);
        }
        Cc::A
    }

    fn test_unboxed(&mut self, f: FReg) -> Cc {
        self.compare_box(f);
        Cc::NE
    }

    fn test_unboxed_in(&mut self, x: u8) -> Cc {
        self.compare_box_in(x);
        Cc::NE
    }

    fn and_boxes(&mut self, all: Option<u8>, x: u8) -> u8 {
        match all {
            None => self.fmove(XMM0, x),
            Some(all) => self.scalar_op(Pp::None, AND, XMM0, all, Rm::R(x)),
        }
        XMM0
    }

    fn test_rounding_is_not(&mut self, code: u8) -> Cc {
        self.a.ins(Pp::None, Map::One, Sz::D, 0x80, 7, Rm::S(field!(hart.frm))); // cmp byte
        self.a.byte(code);
        Cc::NE
    }
}

impl Emitter<'_, '_> {
    // Operands and results.

    /// Where a register is.
    pub(super) fn fhome(&self, f: FReg) -> Rm {
        self.map.float(f.0).map_or(Rm::S(float_slot(f.0)), Rm::R)
    }

    /// `fd` has a new value in `dst` that may be a NaN of the host's kind, and is one if one of
    /// `operands` is a NaN.
    pub(super) fn fdone_arith(
        &mut self,
        fmt: Fmt,
        fd: FReg,
        dst: u8,
        loose: bool,
        operands: &[FReg],
    ) {
        if self.map.float(fd.0).is_none() {
            self.canonicalize_slot(fmt, dst);
            return self.fdone(fmt, fd, dst, loose);
        }
        let implied = self.fp.with_all_implied(operands);
        self.fdone(fmt, fd, dst, loose);
        self.fp.define_arith(fmt, fd, implied);
    }

    /// Replaces a NaN in the scratch register `x` by the canonical one.
    fn canonicalize_slot(&mut self, fmt: Fmt, x: u8) {
        self.compare_float(UCOMI, fmt, x, Rm::R(x));
        if self.a.cold {
            return self.load_nan_if_unordered(fmt, x);
        }
        let cold = self.a.buf.cold_pos();
        self.a.jcc(Cc::P, cold);
        let back = self.a.pos();
        self.in_cold(|e| {
            e.load_nan(fmt, x);
            e.a.jmp(back);
        });
    }

    fn load_nan_if_unordered(&mut self, fmt: Fmt, x: u8) {
        let ordered = self.a.jcc_short(Cc::NP);
        self.load_nan(fmt, x);
        self.a.bind_short(ordered);
    }

    pub(super) fn load_nan(&mut self, fmt: Fmt, x: u8) {
        let nan = if fmt == Fmt::D { NAN_D } else { NAN_S };
        self.a.ins(Pp::F2, Map::M0F, Sz::D, MOVU_LOAD, x, constant(nan));
    }

    /// The format in which `f` may not be canonical.
    pub(super) fn canon_format(&self, f: u8) -> Fmt {
        if self.fp.canon_d & 1 << f != 0 { Fmt::D } else { Fmt::S }
    }

    /// Makes each register in `set`, which are all pending, canonical.
    pub(super) fn canonicalize_each(&mut self, set: u32) {
        let mut left = set & self.fp.canon();
        while left != 0 {
            let f = left.trailing_zeros() as u8;
            left &= left - 1;
            let (fmt, x) = (self.canon_format(f), self.map.float(f).unwrap_or(XMM0));
            self.compare_float(UCOMI, fmt, x, Rm::R(x));
            self.load_nan_if_unordered(fmt, x);
        }
    }

    /// Makes `roots`, one or two pending registers of one format, canonical, and all that are no
    /// NaNs if those are none.
    fn canonicalize(&mut self, fmt: Fmt, roots: [FReg; 2]) {
        let known = self.fp.with_all_implied(&roots);
        let set = known & self.fp.canon();
        if self.a.cold && set.count_ones() > 4 {
            self.canonicalize_each(set);
        } else {
            let [x, y] = roots.map(|f| self.map.float(f.0).unwrap_or(XMM0));
            self.compare_float(UCOMI, fmt, x, Rm::R(y));
            let fix = |e: &mut Self| {
                if set.is_power_of_two() {
                    e.load_nan(fmt, x);
                } else {
                    e.canonicalize_each(set);
                }
            };
            if self.a.cold {
                let ordered = self.a.jcc_short(Cc::NP);
                fix(self);
                self.a.bind_short(ordered);
            } else {
                let cold = self.a.buf.cold_pos();
                self.a.jcc(Cc::P, cold);
                let back = self.a.pos();
                self.in_cold(|e| {
                    fix(e);
                    e.a.jmp(back);
                });
            }
        }
        self.fp.made_canonical(set);
    }

    fn best_root(&self, set: u32) -> Option<FReg> {
        let pending = self.fp.canon();
        let told = |f: &u8| (self.fp.implies[usize::from(*f)] & pending).count_ones();
        (0..32).filter(|f| set & 1 << f != 0).max_by_key(told).map(FReg)
    }

    // Conditions that hold for the rest of a block once they have been checked.

    /// Says that operands of format `fmt` are about to be used. Singles are checked to be boxed,
    /// which is known from then on. If one is not, the interpreter executes the instruction, and
    /// the block is left, since what follows takes them for boxed.
    pub(super) fn check_boxed(
        &mut self,
        homes: &mut Homes,
        fmt: Fmt,
        operands: &[FReg],
        writes: Writes,
    ) {
        if fmt != Fmt::S {
            operands.iter().for_each(|f| self.tighten(*f));
            return;
        }
        if operands.iter().all(|f| self.fp.is_boxed(*f)) {
            return;
        }
        // A double NaN whose payload the host has taken from a boxed single looks boxed.
        for f in operands {
            if self.fp.canon_d & 1 << f.0 != 0 {
                self.canonical(*f);
            }
        }
        let slow = self.a.buf.cold_pos();
        for f in operands {
            if !self.fp.is_boxed(*f) {
                self.compare_box(*f);
                self.a.jcc(Cc::NE, slow);
            }
        }
        self.interpret_and_leave(homes, operands, writes);
        self.fp.know_boxed(operands);
    }

    /// Compares the upper half of `f` with all ones.
    pub(super) fn compare_box(&mut self, f: FReg) {
        match self.fhome(f) {
            Rm::R(x) => self.compare_box_in(x),
            _ => self.a.alu_imm(Alu::Cmp, Sz::D, Rm::S(float_slot(f.0) + 4), -1),
        }
    }

    /// Compares the upper half of a double in `x` with all ones.
    pub(super) fn compare_box_in(&mut self, x: u8) {
        if self.cpu.sse41 {
            self.a.ins(Pp::P66, Map::M0F3A, Sz::D, 0x16, x, Rm::R(RAX)); // pextrd
            self.a.byte(1);
        } else {
            self.movq_from_vector(RAX, x);
            self.a.shift_imm(Shift::Sar, Sz::Q, Rm::R(RAX), 32);
        }
        self.a.alu_imm(Alu::Cmp, Sz::D, Rm::R(RAX), -1);
    }

    /// As [`Self::slow_path`], of an operation whose result is in `dst` on the hot path.
    pub(super) fn slow_float(
        &mut self,
        homes: &mut Homes,
        slow: CodePtr,
        operands: &[FReg],
        fd: FReg,
        dst: u8,
    ) {
        let back = self.a.pos();
        debug_assert_eq!(self.a.buf.cold_pos(), slow, "the slow path is where the checks jump to");
        self.in_cold(|e| {
            e.interpret_float(homes, operands, fd, dst);
            e.a.jmp(back);
        });
    }

    /// As [`Self::interpret`], with the result in `dst`.
    pub(super) fn interpret_float(
        &mut self,
        homes: &mut Homes,
        operands: &[FReg],
        fd: FReg,
        dst: u8,
    ) {
        self.interpret(homes, operands);
        if self.map.float(fd.0).is_none() {
            self.a.ins(Pp::F2, Map::M0F, Sz::D, MOVU_LOAD, dst, Rm::S(float_slot(fd.0)));
        }
    }

    // Instructions.

    pub(super) fn compare_float(&mut self, op: u8, fmt: Fmt, a: u8, b: Rm) {
        self.a.ins(packed(fmt), Map::M0F, Sz::D, op, a, b);
    }

    /// `dst = a op b` on scalars or, without prefix, on all bits; bits that the operation leaves
    /// alone are those of `a`. xmm0 may be used.
    pub(super) fn scalar_op(&mut self, pp: Pp, op: u8, dst: u8, a: u8, b: Rm) {
        if self.cpu.avx {
            self.a.vex(pp, Map::M0F, false, op, dst, a, b);
        } else if b == Rm::R(dst) && a != dst {
            self.fmove(XMM0, a);
            self.a.ins(pp, Map::M0F, Sz::D, op, XMM0, b);
            self.fmove(dst, XMM0);
        } else {
            self.fmove(dst, a);
            self.a.ins(pp, Map::M0F, Sz::D, op, dst, b);
        }
    }

    /// `dst = op a` on scalars, with the upper bits anything. Nothing waits for the old value of
    /// `dst`.
    pub(super) fn scalar_unary(&mut self, pp: Pp, map: Map, op: u8, dst: u8, a: Rm) {
        match a {
            Rm::R(x) if self.cpu.avx => self.a.vex(pp, map, false, op, dst, x, a),
            _ => {
                if a != Rm::R(dst) {
                    self.zero(dst);
                }
                self.a.ins(pp, map, Sz::D, op, dst, a);
            }
        }
    }

    pub(super) fn fmove(&mut self, dst: u8, from: u8) {
        self.a.float_move(dst, from);
    }

    /// All bits of `x` zero, which the host knows without executing anything.
    pub(super) fn zero(&mut self, x: u8) {
        self.a.ins(Pp::None, Map::M0F, Sz::D, XOR, x, Rm::R(x));
    }

    /// A host register for an integer result of a conversion.
    pub(super) fn int_dest(&mut self, homes: &Homes, rd: Reg) -> u8 {
        self.materialise_dependents(homes, rd.0);
        self.map.int(rd.0).unwrap_or(RAX)
    }
}

/// MXCSR for a rounding mode that the host has and accrued flags. Exceptions whose flag is set are
/// masked.
pub(super) fn mxcsr(frm: u8, flags: u8) -> u32 {
    // RISC-V: RNE RTZ RDN RUP; x86: nearest, down, up, zero.
    const ROUNDING: [u32; 4] = [0, 3, 1, 2];
    let mut word = DENORMAL_MASK | ROUNDING[usize::from(frm & 3)] << 13;
    for (bit, flag) in FLAGS {
        if flags & flag != 0 {
            word |= bit | bit << MASKS;
        }
    }
    word
}

/// Where in MXCSR the exceptions' masks are, in the order of their flags.
pub(super) const MASKS: u32 = 7;
/// The mask of the exception for denormal operands, which RISC-V has none of.
const DENORMAL_MASK: u32 = 2 << MASKS;
/// The rounding mode in MXCSR.
pub(super) const ROUNDING_MASK: u32 = 3 << 13;
/// All masks.
pub(super) const ALL_MASKS: u32 = 0x3f << MASKS;
/// Flag of the underflow exception.
const UE: u32 = 0x10;

/// So many exceptions may trap, in the life of a thread. A trap costs a signal, which takes as long
/// as a hundred readings of MXCSR: a guest that clears flags all the time is better off with those.
const MAX_TRAPS: u32 = 32;

/// The flags in MXCSR whose exceptions trap: they have just been raised.
pub(super) const fn raised(word: u32) -> u32 {
    word & !(word >> MASKS) & 0x3f
}

/// See [`crate::backend::Backend::fp_trap`].
pub(super) fn fp_trap(state: &mut ThreadState, word: u32) -> u32 {
    let raised = raised(word);
    state.fp_traps += 1;
    if state.fp_traps >= MAX_TRAPS {
        state.no_traps = ALL_MASKS;
    } else if raised & UE == 0 {
        state.known_fp |= u64::from(fflags(raised));
        return word | raised << MASKS;
    }
    // An exact result that is tiny traps as well, but sets no flag where that is masked.
    state.known_fp |= FLAGS_UNKNOWN;
    word & !raised | ALL_MASKS
}

/// The accrued flags in MXCSR. There is no RISC-V flag for denormal operands.
pub(super) fn fflags(word: u32) -> u8 {
    FLAGS.iter().filter(|(bit, _)| word & bit != 0).map(|(_, flag)| flag).sum()
}

const FLAGS: [(u32, u8); 5] = [
    (0x01, fflags::NV),
    (0x04, fflags::DZ),
    (0x08, fflags::OF),
    (0x10, fflags::UF),
    (0x20, fflags::NX),
];
