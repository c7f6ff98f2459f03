//! Comparisons, classes, moves between register files, loads and stores.

use super::Emitter;
use super::asm::{Alu, Cc, Map, Pp, Rm, Shift, Sz};
use super::emit_exit::Way;
use super::emit_float::{BOX, MOVU_LOAD, UCOMI, constant};
use super::regs::{RAX, RCX, RDX, XMM0, float_slot};
use crate::backend::Homes;
use crate::backend::emit::{Access, Host, LowerFloat, LowerFloatMove, LowerMemory, Writes};
use crate::ir::{FCmpOp, FReg, Fmt, Op, Reg};

const COMI: u8 = 0x2f;

impl LowerFloatMove for Emitter<'_, '_> {
    fn load_bits(&mut self, fd: FReg, bits: u64) {
        self.a.mov_imm_keep_flags(RAX, bits);
        match self.map.float(fd.0) {
            Some(x) => self.movq_to_vector(x, RAX),
            None => self.a.mov_to(Sz::Q, Rm::S(float_slot(fd.0)), RAX),
        }
    }

    // Comparisons.

    fn fcmp(&mut self, homes: &mut Homes, op: FCmpOp, fmt: Fmt, rd: Reg, a: FReg, b: FReg) {
        let dst = if rd.is_zero() { RAX } else { self.dest(homes, rd) };
        self.check_boxed(homes, fmt, &[a, b], Writes::Int(rd));
        match self.fcompare(op, fmt, a, b) {
            Cc::E => {
                self.a.setcc(Cc::NP, RCX);
                self.a.setcc(Cc::E, RAX);
                self.a.ins8(Pp::None, Map::One, 0x22, RAX, Rm::R(RCX)); // and al, cl
            }
            cc => self.a.setcc(cc, RAX),
        }
        self.a.movzx8(dst, Rm::R(RAX));
        if !rd.is_zero() {
            self.done(homes, rd, dst, true);
        }
    }

    fn fclass(&mut self, homes: &mut Homes, fmt: Fmt, rd: Reg, a: FReg) {
        let dst = self.int_dest(homes, rd);
        self.canonical(a);
        self.check_boxed(homes, fmt, &[a], Writes::Int(rd));
        // (operand size, bits of the fraction, largest exponent, infinity shifted left by one)
        let (sz, fraction, top, infinity) = match fmt {
            Fmt::D => (Sz::Q, 52, 0x7fe, 0xffe0_0000_0000_0000),
            Fmt::S | Fmt::H => (Sz::D, 23, 0xfe, 0xff00_0000),
        };
        match (self.fhome(a), sz) {
            (Rm::R(x), Sz::Q) => self.movq_from_vector(RAX, x),
            (Rm::R(x), Sz::D) => self.a.ins(Pp::P66, Map::M0F, Sz::D, 0x7e, x, Rm::R(RAX)),
            (slot, _) => self.a.mov(sz, RAX, slot),
        }
        // A normal number has an exponent from 1 to `top`.
        self.a.lea(sz, RCX, Rm::X(RAX, RAX, 0, 0));
        self.a.shift_imm(Shift::Shr, sz, Rm::R(RCX), fraction + 1);
        self.a.alu_imm(Alu::Sub, Sz::D, Rm::R(RCX), 1);
        self.a.alu_imm(Alu::Cmp, Sz::D, Rm::R(RCX), top);
        let cold = self.a.buf.cold_pos();
        self.a.jcc(Cc::AE, cold);
        // 1 << 6, or 1 << 1 if it is negative.
        let sign = if sz == Sz::Q { 63 } else { 31 };
        self.a.shift_imm(Shift::Sar, sz, Rm::R(RAX), sign);
        self.a.alu_imm(Alu::And, Sz::D, Rm::R(RAX), 2 - 64);
        self.a.alu_imm(Alu::Add, Sz::D, Rm::R(RAX), 64);
        let back = self.a.pos();
        self.in_cold(|e| {
            // ecx = 0 for zero, 1 for a subnormal number, 3 for infinity.
            e.a.lea(sz, RDX, Rm::X(RAX, RAX, 0, 0));
            e.a.mov_imm_keep_flags(RCX, infinity);
            e.a.alu(Alu::Cmp, sz, RDX, Rm::R(RCX));
            e.a.mov_imm_keep_flags(RCX, 3);
            let nan = e.a.jcc_short(Cc::A);
            let infinite = e.a.jcc_short(Cc::E);
            e.a.mov_imm_keep_flags(RCX, 0);
            e.a.test(sz, RDX, RDX);
            e.a.setcc(Cc::NE, RCX);
            e.a.bind_short(infinite);
            e.a.test(sz, RAX, RAX);
            let negative = e.a.jcc_short(Cc::S);
            e.a.mov_imm_keep_flags(RAX, 1 << 4);
            e.a.shift_cl(Shift::Shl, Sz::D, RAX);
            e.a.jmp(back);
            e.a.bind_short(negative);
            e.a.mov_imm_keep_flags(RAX, 1 << 3);
            e.a.shift_cl(Shift::Shr, Sz::D, RAX);
            e.a.jmp(back);
            e.a.bind_short(nan);
            // 1 << 8, or 1 << 9 if it is quiet.
            e.a.shift_imm(Shift::Shr, sz, Rm::R(RAX), fraction - 1);
            e.a.alu_imm(Alu::And, Sz::D, Rm::R(RAX), 1);
            e.a.alu_imm(Alu::Add, Sz::D, Rm::R(RAX), 1);
            e.a.shift_imm(Shift::Shl, Sz::D, Rm::R(RAX), 8);
            e.a.jmp(back);
        });
        self.a.mov(Sz::D, dst, Rm::R(RAX));
        self.done(homes, rd, dst, true);
    }

    // Moves between register files, loads and stores.

    fn move_to_int(&mut self, homes: &mut Homes, fmt: Fmt, rd: Reg, a: FReg) {
        self.canonical(a);
        if fmt == Fmt::D {
            self.tighten(a);
        }
        let dst = self.dest(homes, rd);
        match (self.fhome(a), fmt) {
            (Rm::R(x), Fmt::D) => self.movq_from_vector(dst, x),
            (Rm::R(x), _) => self.a.ins(Pp::P66, Map::M0F, Sz::D, 0x7e, x, Rm::R(dst)),
            (slot, Fmt::D) => self.a.mov(Sz::Q, dst, slot),
            (slot, _) => self.a.mov(Sz::D, dst, slot),
        }
        if fmt == Fmt::D {
            self.done(homes, rd, dst, false);
        } else {
            self.done_word(homes, rd, dst);
        }
    }

    fn move_from_int(&mut self, homes: &Homes, fmt: Fmt, fd: FReg, a: Reg) {
        if self.sym.constant(a.0) == Some(0)
            && let Some(x) = self.map.float(fd.0)
        {
            if fmt == Fmt::D {
                self.zero(x);
            } else {
                self.a.ins(Pp::F2, Map::M0F, Sz::D, MOVU_LOAD, x, constant(BOX));
            }
            return self.fdone(fmt, fd, x, false);
        }
        if fmt == Fmt::D {
            let o = self.use64(homes, a);
            let r = self.opnd_in_reg(Sz::Q, o.get(), RAX);
            match self.map.float(fd.0) {
                Some(x) => self.movq_to_vector(x, r),
                None => self.a.mov_to(Sz::Q, Rm::S(float_slot(fd.0)), r),
            }
            return self.fp.define(fd, false);
        }
        let o = self.use32(homes, a);
        let r = self.opnd_in_reg(Sz::D, o.get(), RAX);
        let dst = self.fdest(fd);
        self.a.ins(Pp::P66, Map::M0F, Sz::D, 0x6e, dst, Rm::R(r));
        self.fdone(Fmt::S, fd, dst, true);
    }

    #[inline(never)]
    fn fload(&mut self, homes: &Homes, fmt: Fmt, fd: FReg, base: Reg, off: i32) {
        let from = self.address(homes, Access::FLoad(fmt), base, off);
        self.fault_point();
        match (self.map.float(fd.0), fmt) {
            (None, Fmt::D) => {
                self.a.mov(Sz::Q, RAX, from.get());
                self.a.mov_to(Sz::Q, Rm::S(float_slot(fd.0)), RAX);
                self.fp.define(fd, false);
            }
            (None, _) => {
                self.a.mov(Sz::D, RAX, from.get());
                self.a.mov_to(Sz::D, Rm::S(float_slot(fd.0)), RAX);
                self.a.mov_mem_imm(Sz::D, Rm::S(float_slot(fd.0) + 4), -1);
                self.fp.define(fd, true);
            }
            (Some(x), _) => {
                self.a.access(Access::FLoad(fmt), x, from);
                self.fdone(fmt, fd, x, true);
            }
        }
    }

    #[inline(never)]
    fn fstore(&mut self, homes: &Homes, fmt: Fmt, fs: FReg, base: Reg, off: i32) {
        self.canonical(fs);
        if fmt == Fmt::D {
            self.tighten(fs);
        }
        let to = self.address(homes, Access::FStore(fmt), base, off);
        match self.fhome(fs) {
            Rm::R(x) => {
                self.fault_point();
                self.a.access(Access::FStore(fmt), x, to);
            }
            slot => {
                let sz = if fmt == Fmt::D { Sz::Q } else { Sz::D };
                self.a.mov(sz, RCX, slot);
                self.fault_point();
                self.a.mov_to(sz, to.get(), RCX);
            }
        }
    }
}

impl Emitter<'_, '_> {
    /// Compares boxed operands. The result is true if the condition holds that is returned; with
    /// `E` only if parity is even not (`Np`) as well.
    pub(super) fn fcompare(&mut self, op: FCmpOp, fmt: Fmt, a: FReg, b: FReg) -> Cc {
        // With the operands exchanged, "above" is false for NaNs.
        let (opcode, cc) = match op {
            FCmpOp::Eq => {
                let x = self.float_in_reg(a, XMM0);
                self.compare_float(UCOMI, fmt, x, self.fhome(b));
                return Cc::E;
            }
            FCmpOp::Lt => (COMI, Cc::A),
            FCmpOp::Le => (COMI, Cc::AE),
            FCmpOp::Ltq | FCmpOp::LtKeep => (UCOMI, Cc::A),
            FCmpOp::Leq | FCmpOp::LeKeep => (UCOMI, Cc::AE),
        };
        let nan = if matches!(op, FCmpOp::LtKeep | FCmpOp::LeKeep) {
            let cold = self.a.buf.cold_pos();
            self.refuse_nan(fmt, a);
            if b != a {
                self.refuse_nan(fmt, b);
            }
            Some(cold)
        } else {
            None
        };
        let y = self.float_in_reg(b, XMM0);
        self.compare_float(opcode, fmt, y, self.fhome(a));
        if let Some(cold) = nan {
            let back = self.a.pos();
            debug_assert_eq!(self.a.buf.cold_pos(), cold, "the checks jump to where this is");
            self.in_cold(|e| {
                e.a.byte(0xf9); // stc: neither above nor equal.
                e.a.jmp(back);
            });
        }
        cc
    }

    /// Goes to the cold position if `f` is a NaN, without raising flags.
    fn refuse_nan(&mut self, fmt: Fmt, f: FReg) {
        let nan = self.test_nan(fmt, f);
        let cold = self.a.buf.cold_pos();
        self.a.jcc(nan, cold);
    }

    /// A comparison and the branch on its result: the result itself is a constant on either path,
    /// and mostly overwritten before anybody wants it.
    #[inline(never)]
    pub(super) fn fcmp_branch(
        &mut self,
        homes: &mut Homes,
        compare: &Op,
        branch: &Op,
        branch_pc: u64,
    ) -> bool {
        let Op::FCmp { op, fmt, rd, a, b } = *compare else { return false };
        let Op::Branch { target, .. } = *branch else { return false };
        let Some(if_true) = branch.on_result(rd) else { return false };
        self.materialise_dependents(homes, rd.0);
        self.check_boxed(homes, fmt, &[a, b], Writes::Int(rd));
        let backward = target <= branch_pc;
        if backward {
            // For somebody who stops here the comparison has not been made.
            self.poll();
        }
        self.sym.set_home(homes, rd.0, false);
        let to_head = backward && self.flush_for_back_edge(homes, target);
        if !backward {
            self.materialise_live_out(homes);
        }
        let cc = self.fcompare(op, fmt, a, b);
        self.pc = branch_pc;
        let way = if to_head {
            Way::Head
        } else if !self.anything_pending() {
            Way::Direct
        } else {
            Way::Flush
        };
        self.sym.set_const(homes, rd.0, u64::from(if_true), false);
        if way != Way::Flush {
            // Moves leave the flags alone.
            self.materialise(homes, rd.0);
        }
        match (cc, if_true) {
            (Cc::E, true) => {
                let unordered = self.a.jcc_short(Cc::P);
                self.branch_on(homes, Cc::E, target, way);
                self.a.bind_short(unordered);
            }
            (Cc::E, false) => {
                self.branch_on(homes, Cc::P, target, way);
                self.branch_on(homes, Cc::NE, target, way);
            }
            (cc, true) => self.branch_on(homes, cc, target, way),
            (Cc::A, false) => self.branch_on(homes, Cc::BE, target, way),
            (_, false) => self.branch_on(homes, Cc::B, target, way),
        }
        self.sym.set_const(homes, rd.0, u64::from(!if_true), false);
        true
    }
}
