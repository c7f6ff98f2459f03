//! Vectors.
//!
//! Vector registers are in the thread's vector state, all of them at every point of a block: an
//! operation takes its operands from there, in pieces of at most 16 bytes, and leaves its result
//! there. So one that faults has changed nothing that matters, as the interpreter executes its
//! instruction again.
//!
//! An operation is for one `vtype` and `vl` ([`VConfig`]). Where it is not known that they hold,
//! they are compared. If they are others, execution goes on in a second copy of the rest of the
//! block, which is emitted behind it and in which nothing is taken for granted: the interpreter
//! executes the instructions of vectors there, until the type and length are known again. The same
//! goes for `vsetvli` if it asks for fewer elements than there may be.
//!
//! What the host has no instruction for, the interpreter executes likewise ([`VectorUnit`]).

use super::{Emitter, Host, Lower, LowerFloat};
use crate::backend::{Counted, Homes, Symbolic};
use crate::ir::{FReg, Fmt, MemSize, Node, Op, Reg, Src, VBinOp, VConfig, VGroup, VSrc};
use crate::opt::FloatFacts;
use crate::util::CodePtr;

/// What is known of vectors while a block is emitted.
pub(crate) struct VectorFacts<B> {
    /// There is vector state, and `vstart` is 0.
    ready: bool,
    /// `vtype` and `vl`; `ready` holds too.
    config: Option<VConfig>,
    /// The host's pointer to the vector state is right if code goes on here.
    found: Option<CodePtr>,
    /// Branches to the second copy, and the guest addresses at which they enter it.
    misses: Vec<(u64, B)>,
    /// The second copy is being emitted.
    second: bool,
}

impl<B> Default for VectorFacts<B> {
    fn default() -> Self {
        Self { ready: false, config: None, found: None, misses: Vec::new(), second: false }
    }
}

impl<B> VectorFacts<B> {
    /// Control may come from elsewhere, or the interpreter has executed anything.
    pub(crate) fn forget(&mut self) {
        (self.ready, self.config, self.found) = (false, None, None);
    }

    /// True if branches wait for the second copy.
    #[inline]
    pub(crate) fn has_misses(&self) -> bool {
        !self.misses.is_empty()
    }
}

/// The second operand of a lane operation.
#[derive(Clone, Copy)]
pub(crate) enum Lanes {
    /// A piece of the vector registers, from a byte on.
    At(u16),
    /// What the second scratch register holds.
    Scratch,
    /// A constant.
    Imm(i32),
}

/// Vector instructions of a host: primitives without decisions. There are two scratch registers, 0
/// and 1, of 16 bytes.
pub(crate) trait VectorUnit<'b, H: Host<'b>> {
    /// Whether there is an instruction, or a few, for `op` on elements of `1 << sew` bytes with a
    /// second operand of this kind.
    fn has_lanes(&self, op: VBinOp, sew: u8, b: VSrc) -> bool;

    /// Makes ready for the tests and accesses that follow: they are about the vector state of the
    /// hart.
    fn find_vectors(&mut self);

    /// Asks whether there is none.
    fn test_no_vectors(&mut self) -> H::Test;

    /// Asks whether `vstart` is not 0.
    fn test_started(&mut self) -> H::Test;

    /// Asks whether `vtype` and `vl` are others, or `vstart` is not 0.
    fn test_config_is_not(&mut self, config: VConfig) -> H::Test;

    /// Sets all three; `vstart` to 0.
    fn store_config(&mut self, config: VConfig);

    /// Asks whether `r`, which is at home, is less than `n`, unsigned.
    fn test_less(&mut self, homes: &Homes, r: Reg, n: u16) -> H::Test;

    /// A register that holds the guest address in `base`, which is at home, until the operation's
    /// end. What has been found stays so.
    fn vector_base(&mut self, homes: &Homes, base: Reg) -> u8;

    /// Loads `n` bytes, at most 16, from byte `at` of the vector registers on; what else is in the
    /// scratch register is then anything.
    fn load_piece(&mut self, scratch: u8, at: u16, n: u8);

    /// Stores the low `n` bytes of a scratch register there, and no more.
    fn store_piece(&mut self, scratch: u8, at: u16, n: u8);

    /// Loads `n` bytes of guest memory, `disp` bytes behind an address in a register.
    fn load_guest(&mut self, scratch: u8, base: u8, disp: i32, n: u8);

    /// Stores the low `n` bytes of a scratch register there, and no more.
    fn store_guest(&mut self, scratch: u8, base: u8, disp: i32, n: u8);

    /// Fills the second scratch register with the low bytes of `r`, which is at home.
    fn splat(&mut self, homes: &Homes, sew: u8, r: Reg);

    /// Fills it with the low bits of `f`, which is boxed if it has to be.
    fn splat_float(&mut self, sew: u8, f: FReg);

    /// The same with a constant.
    fn splat_constant(&mut self, sew: u8, value: i32);

    /// Makes ready, in the second scratch register, for shifts by `r`, which is at home.
    fn shift_amount(&mut self, homes: &Homes, sew: u8, r: Reg);

    /// The first scratch register becomes what `op`, an arithmetic one, makes of the numbers at `a`
    /// and `vd` and of `b`: of 16 bytes, or of one element. Flags accrue, and NaNs are canonical.
    /// The second scratch register is lost.
    fn float_lanes(&mut self, op: VBinOp, sew: u8, a: u16, b: VSrc, vd: u16, n: u8);

    /// The first scratch register becomes the number at `init` plus those at `a`, so many, one
    /// after the other; canonical if it is a NaN. The second one is lost.
    fn sum_in_order(&mut self, sew: u8, init: u16, a: u16, count: u16);

    /// The low element of the first scratch register becomes what `op` makes of all of the first
    /// `n` bytes of it, a power of two. The second one is lost.
    fn fold(&mut self, op: VBinOp, sew: u8, n: u8);

    /// `rd =` the element at `at`, sign-extended.
    fn element_to_int(&mut self, homes: &mut Homes, rd: Reg, sew: u8, at: u16);

    /// Loads the element at `at` into the host's register `x`.
    fn element_to_float(&mut self, x: u8, sew: u8, at: u16);

    /// The first scratch register becomes what `op` makes of the pieces at `a` (or, without, what
    /// it holds), `b` and, for those
    /// that have three operands, the destination's at `vd`. `n` bytes matter. The second scratch
    /// register stays as it is if it is an operand.
    fn lanes(&mut self, op: VBinOp, sew: u8, a: Option<u16>, b: Lanes, vd: u16, n: u8);
}

/// Numbers at most that are added one after the other in code of its own.
const MAX_SUM: u16 = 16;

/// The pieces of so many bytes: where each begins, and its length.
fn pieces(bytes: u16) -> impl Iterator<Item = (u16, u8)> {
    (0..bytes).step_by(16).map(move |at| (at, (bytes - at).min(16) as u8))
}

impl<'b, H: Host<'b>> Emitter<'b, '_, H>
where
    Self: Lower<'b, H>,
{
    /// Lets the interpreter execute the current instruction of vectors, which `op` stands for. What
    /// is pending stays so, but for registers that it reads.
    pub(crate) fn vector_helper(&mut self, homes: &mut Homes, op: &Op) {
        let (reads, writes) = (op.reads(), op.writes());
        let read = (0..32).map(FReg).find(|f| op.float_reads() & 1 << f.0 != 0);
        for r in (1..32).filter(|r| reads & 1 << r != 0) {
            self.materialise(homes, r);
        }
        for r in (1..32).filter(|r| writes & 1 << r != 0) {
            self.materialise_dependents(homes, r);
        }
        match read {
            Some(f) => {
                self.fmaterialise(f);
                self.interpret(homes, &[f]);
            }
            None => self.call_helper(homes),
        }
        for r in (1..32).filter(|r| writes & 1 << r != 0) {
            self.sym.set_home(homes, r, false);
        }
        if let Op::VToFloat { fd, .. } = *op {
            self.fp.define(fd, false);
        }
        self.vectors.ready = true;
    }

    /// Emits the rest of a run whose second copy is waited for: from the first of `nodes` on that
    /// somebody goes to.
    #[inline(never)]
    pub(super) fn second_copy(&mut self, homes: &mut Homes, nodes: &[Node], after: u64) {
        let entered = |n: &Node| self.vectors.misses.iter().any(|(pc, _)| *pc == n.pc);
        let Some(first) = nodes.iter().position(entered) else { return };
        let head = self.head.take();
        (self.sym, self.fp) = (Symbolic::new(), FloatFacts::default());
        self.vectors.second = true;
        self.nodes(homes, &nodes[first..], after);
        self.vectors.second = false;
        debug_assert!(!self.vectors.has_misses(), "each branch leads to an instruction of the run");
        self.head = head;
    }

    /// In the second copy, lets those branches come here that are for the current instruction.
    #[inline(never)]
    pub(super) fn enter_second_copy(&mut self, homes: &mut Homes) {
        let pc = self.pc;
        if !self.vectors.second || !self.vectors.misses.iter().any(|miss| miss.0 == pc) {
            return;
        }
        self.flush(homes);
        for (_, branch) in self.vectors.misses.extract_if(.., |miss| miss.0 == pc) {
            self.a.bind(branch);
        }
        self.forget(homes);
        self.count(Counted::Guest(pc));
    }
}

impl<'b, H: Host<'b>> Emitter<'b, '_, H>
where
    Self: Lower<'b, H> + VectorUnit<'b, H>,
{
    /// Emits `op`, an operation of vectors.
    #[inline(never)]
    pub(crate) fn vector_op(&mut self, homes: &mut Homes, op: &Op) {
        let done = match *op {
            Op::VSet { rd, avl, config } => self.vset(homes, rd, avl, config),
            Op::VRetype { from, to } => {
                let holds = self.configured(homes, from);
                if holds {
                    self.configure(to);
                }
                holds
            }
            Op::VLoad { config, width, vd, base } => {
                let holds = self.configured(homes, config);
                if holds {
                    self.vload(homes, vd, base, bytes(config, width));
                }
                holds
            }
            Op::VStore { config, width, vs, base } => {
                let holds = self.configured(homes, config);
                if holds {
                    self.vstore(homes, vs, base, bytes(config, width));
                }
                holds
            }
            Op::VLoadWhole { bytes, vd, base } => {
                let ready = self.ready(homes);
                if ready {
                    self.vload(homes, vd, base, bytes as u16);
                }
                ready
            }
            Op::VStoreWhole { bytes, vs, base } => {
                let ready = self.ready(homes);
                if ready {
                    self.vstore(homes, vs, base, bytes as u16);
                }
                ready
            }
            Op::VBin { op, config, vd, a, b } => {
                let done = self.has_lanes(op, config.sew(), b)
                    && self.configured(homes, config)
                    && self.boxed(homes, config, b);
                if done && op.is_float() {
                    self.vfloat(op, config, (vd, a), b);
                } else if done {
                    self.vbin(homes, op, config, (vd, a), b);
                }
                done
            }
            Op::VMove { config, bytes, vd, a, filled, b } => {
                let done = self.configured(homes, config) && self.boxed(homes, config, b);
                if done {
                    self.vmove(homes, config.sew(), (vd, a, bytes as u16), filled as u16, b);
                }
                done
            }
            Op::VReduce { op, config, vd, a, init } => {
                let done = self.reduces(op, config) && self.configured(homes, config);
                if done {
                    self.vreduce(op, config, vd, (init, a));
                }
                done
            }
            Op::VToInt { config, rd, a } => {
                let holds = self.configured(homes, config);
                if holds && !rd.is_zero() {
                    self.find();
                    self.element_to_int(homes, rd, config.sew(), a.0);
                }
                holds
            }
            Op::VToFloat { config, fd, a } => {
                let holds = self.configured(homes, config);
                if holds {
                    self.find();
                    let x = self.fdest(fd);
                    self.element_to_float(x, config.sew(), a.0);
                    let fmt = if config.sew() == 3 { Fmt::D } else { Fmt::S };
                    self.fdone(fmt, fd, x, true);
                }
                holds
            }
            _ => false,
        };
        if !done {
            self.vector_helper(homes, op);
            match *op {
                Op::VSet { avl: Src::Imm(_), config, .. } => self.vectors.config = Some(config),
                Op::VSet { .. } | Op::VRetype { .. } => self.vectors.config = None,
                _ => {}
            }
        }
    }

    /// Goes to the second copy if `test` holds.
    fn miss_if(&mut self, test: H::Test) {
        let branch = self.a.branch_if(test);
        self.vectors.misses.push((self.pc, branch));
    }

    /// Makes ready for tests and accesses.
    fn find(&mut self) {
        if self.vectors.found != Some(self.a.pos()) {
            self.find_vectors();
        }
    }

    /// Makes sure that `vtype` and `vl` are these and `vstart` is 0, if that can be.
    fn configured(&mut self, homes: &mut Homes, config: VConfig) -> bool {
        if self.vectors.config == Some(config) {
            return true;
        }
        if self.vectors.second {
            return false;
        }
        self.flush(homes);
        self.find();
        if !self.vectors.ready {
            let none = self.test_no_vectors();
            self.miss_if(none);
        }
        let other = self.test_config_is_not(config);
        self.miss_if(other);
        (self.vectors.ready, self.vectors.config) = (true, Some(config));
        self.vectors.found = Some(self.a.pos());
        true
    }

    /// Makes sure that there is vector state and `vstart` is 0, if that can be.
    fn ready(&mut self, homes: &mut Homes) -> bool {
        if self.vectors.ready {
            return true;
        }
        if self.vectors.second {
            return false;
        }
        self.flush(homes);
        self.find();
        let none = self.test_no_vectors();
        self.miss_if(none);
        let started = self.test_started();
        self.miss_if(started);
        self.vectors.ready = true;
        self.vectors.found = Some(self.a.pos());
        true
    }

    fn configure(&mut self, config: VConfig) {
        self.find();
        self.store_config(config);
        self.vectors.found = Some(self.a.pos());
        (self.vectors.ready, self.vectors.config) = (true, Some(config));
    }

    fn vset(&mut self, homes: &mut Homes, rd: Reg, avl: Src, config: VConfig) -> bool {
        let asked = match avl {
            Src::Reg(r) if self.sym.constant(r.0).is_none_or(|n| n < config.vl.into()) => Some(r),
            _ => None,
        };
        let tests = asked.is_some() || !self.vectors.ready;
        if tests {
            if self.vectors.second {
                return false;
            }
            self.flush(homes);
        }
        self.find();
        if !self.vectors.ready {
            let none = self.test_no_vectors();
            self.miss_if(none);
        }
        if let Some(r) = asked {
            let fewer = self.test_less(homes, r, config.vl);
            self.miss_if(fewer);
        }
        self.vectors.found = Some(self.a.pos());
        self.configure(config);
        if !rd.is_zero() {
            self.set_const(homes, rd, config.vl.into());
        }
        true
    }

    fn vload(&mut self, homes: &mut Homes, vd: VGroup, base: Reg, bytes: u16) {
        self.materialise(homes, base.0);
        let base = self.vector_base(homes, base);
        self.find();
        for (at, n) in pieces(bytes) {
            self.load_guest(0, base, at.into(), n);
            self.store_piece(0, vd.0 + at, n);
        }
        self.vectors.found = Some(self.a.pos());
    }

    fn vstore(&mut self, homes: &mut Homes, vs: VGroup, base: Reg, bytes: u16) {
        self.materialise(homes, base.0);
        let base = self.vector_base(homes, base);
        self.find();
        for (at, n) in pieces(bytes) {
            self.load_piece(0, vs.0 + at, n);
            self.store_guest(0, base, at.into(), n);
        }
        self.vectors.found = Some(self.a.pos());
    }

    /// Makes sure that `b`, if it is a single, is NaN-boxed, if that can be.
    fn boxed(&mut self, homes: &mut Homes, config: VConfig, b: VSrc) -> bool {
        let VSrc::F(f) = b else { return true };
        if config.sew() != 2 || self.fp.is_boxed(f) {
            return true;
        }
        if self.vectors.second {
            return false;
        }
        self.flush(homes);
        let mut branches = Vec::new();
        self.branch_unless_boxed(1 << f.0, &mut branches);
        let pc = self.pc;
        self.vectors.misses.extend(branches.into_iter().map(|branch| (pc, branch)));
        self.fp.know_boxed(&[f]);
        true
    }

    /// Fills the second scratch register.
    fn fill_second(&mut self, homes: &mut Homes, sew: u8, b: VSrc) {
        match b {
            VSrc::X(r) => {
                self.materialise(homes, r.0);
                self.splat(homes, sew, r);
            }
            VSrc::F(f) => {
                self.fmaterialise(f);
                self.splat_float(sew, f);
            }
            VSrc::Imm(value) => self.splat_constant(sew, value),
            VSrc::Group(_) => {}
        }
    }

    fn vfloat(&mut self, op: VBinOp, config: VConfig, (vd, a): (VGroup, VGroup), b: VSrc) {
        let (sew, bytes) = (config.sew(), config.bytes());
        self.find();
        // Elements that are none must raise no flags.
        let whole = bytes & !15;
        let rest = (whole..bytes).step_by(1 << sew).map(|at| (at, 1 << sew));
        for (at, n) in (0..whole).step_by(16).map(|at| (at, 16)).chain(rest) {
            let b = match b {
                VSrc::Group(group) => VSrc::Group(VGroup(group.0 + at)),
                b => b,
            };
            self.float_lanes(op, sew, a.0 + at, b, vd.0 + at, n);
            self.store_piece(0, vd.0 + at, n);
        }
        self.vectors.found = Some(self.a.pos());
    }

    fn vmove(
        &mut self,
        homes: &mut Homes,
        sew: u8,
        (vd, a, bytes): (VGroup, VGroup, u16),
        filled: u16,
        b: VSrc,
    ) {
        if filled != 0 {
            self.fill_second(homes, sew, b);
        }
        self.find();
        for (at, n) in pieces(bytes) {
            self.load_piece(0, a.0 + at, n);
            self.store_piece(0, vd.0 + at, n);
        }
        for (at, n) in pieces(filled << sew) {
            self.store_piece(1, vd.0 + bytes + at, n);
        }
        self.vectors.found = Some(self.a.pos());
    }

    /// Whether there is code for a reduction.
    fn reduces(&self, op: VBinOp, config: VConfig) -> bool {
        let bytes = config.bytes();
        if op == VBinOp::FAdd {
            return config.vl <= MAX_SUM;
        }
        let halves = bytes.is_multiple_of(16) || bytes < 16 && bytes.is_power_of_two();
        halves && self.has_lanes(op, config.sew(), VSrc::Group(VGroup(0)))
    }

    fn vreduce(&mut self, op: VBinOp, config: VConfig, vd: VGroup, (init, a): (VGroup, VGroup)) {
        let (sew, bytes) = (config.sew(), config.bytes());
        let width = 1 << sew;
        self.find();
        if op == VBinOp::FAdd {
            self.sum_in_order(sew, init.0, a.0, config.vl);
        } else {
            self.load_piece(0, a.0, bytes.min(16) as u8);
            for (at, n) in pieces(bytes).skip(1) {
                self.lanes(op, sew, None, Lanes::At(a.0 + at), 0, n);
            }
            self.fold(op, sew, bytes.min(16) as u8);
            self.lanes(op, sew, None, Lanes::At(init.0), 0, width);
        }
        self.store_piece(0, vd.0, width);
        self.vectors.found = Some(self.a.pos());
    }

    fn vbin(
        &mut self,
        homes: &mut Homes,
        op: VBinOp,
        config: VConfig,
        (vd, a): (VGroup, VGroup),
        b: VSrc,
    ) {
        let sew = config.sew();
        let shifts = matches!(op, VBinOp::Sll | VBinOp::Srl | VBinOp::Sra);
        match b {
            VSrc::X(r) if shifts => {
                self.materialise(homes, r.0);
                self.shift_amount(homes, sew, r);
            }
            VSrc::Imm(_) if shifts => {}
            b => self.fill_second(homes, sew, b),
        }
        self.find();
        for (at, n) in pieces(config.bytes()) {
            let b = match b {
                VSrc::X(_) | VSrc::F(_) => Lanes::Scratch,
                VSrc::Imm(value) if shifts => Lanes::Imm(value),
                VSrc::Imm(_) => Lanes::Scratch,
                VSrc::Group(group) => Lanes::At(group.0 + (at >> op.narrower())),
            };
            match (op, b) {
                (VBinOp::Move, Lanes::At(from)) => {
                    self.load_piece(0, from, n);
                    self.store_piece(0, vd.0 + at, n);
                }
                (VBinOp::Move, _) => self.store_piece(1, vd.0 + at, n),
                _ => {
                    self.lanes(op, sew, Some(a.0 + at), b, vd.0 + at, n);
                    self.store_piece(0, vd.0 + at, n);
                }
            }
        }
        self.vectors.found = Some(self.a.pos());
    }
}

/// Bytes of all elements of this width.
fn bytes(config: VConfig, width: MemSize) -> u16 {
    config.vl * width.bytes() as u16
}
