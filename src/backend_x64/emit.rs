//! What blocks are emitted with here.

use super::Emitter;
use super::asm::{Alu, Asm, Cc, Map, Pp, Rm, ShortLabel, Sz};
use super::emit_float::{MOVAPS, MOVU_LOAD, MOVU_STORE, scalar};
use super::features::Features;
use super::regs::{RAX, RCX, RDX, XMM0, field, float_slot, slot};
use super::values::{Copies, Operand, spares};
#[cfg(all(debug_assertions, feature = "tools"))]
use crate::backend::emit::Aside;
use crate::backend::emit::{Access, Host, Lower, LowerBlock};
use crate::backend::{EmitContext, HANDLER_ROOM, Held, Homes, Out, RelocKind, STATE_BIAS};
use crate::ir::{Block, Cond, LoadKind, MemSize, Node, Op, OpClass, Reg};
use crate::opt::Liveness;
use crate::util::CodePtr;

impl<'b> Host<'b> for Asm<'b> {
    type Features = Features;
    type Copies = Copies;
    type Deferred = ();
    type Test = Cc;
    type Cc = Cc;
    type Operand<'h> = Operand<'h>;
    type Address<'h> = Held<'h, Rm>;
    type Branch = CodePtr;
    type Skip = ShortLabel;
    #[cfg(all(debug_assertions, feature = "tools"))]
    type Simulated = super::check::Machine;
    const OWN_NANS: bool = true;
    const KEEPS_UPPER_HALF: bool = true;
    const UNROLL: usize = 4;
    const POLLS_AT_CALLS: bool = true;
    const FALLS_THROUGH: bool = true;
    const ROTATES_WORDS: bool = false;
    const NOWHERE: u8 = RAX;
    const FLOAT_SCRATCH: u8 = XMM0;

    fn new(out: Out<'b>, ctx: &EmitContext<'_>) -> Self {
        Self::new(out, ctx.mode)
    }

    fn keeps(shape: OpClass, cpu: Features) -> u8 {
        spares(shape, cpu)
    }

    fn condition(cond: Cond) -> Cc {
        match cond {
            Cond::Eq => Cc::E,
            Cond::Ne => Cc::NE,
            Cond::Lt => Cc::L,
            Cond::Ge => Cc::GE,
            Cond::Ltu => Cc::B,
            Cond::Geu => Cc::AE,
        }
    }

    fn set_if(&mut self, cc: Cc, to: u8) {
        self.setcc(cc, RAX);
        self.movzx8(to, Rm::R(RAX));
    }

    fn sign_extend_word(&mut self, r: u8) {
        self.movsxd(r, Rm::R(r));
    }

    // Callers know which kind of access it is.
    #[inline(always)]
    fn access(&mut self, access: Access, reg: u8, at: Held<'_, Rm>) {
        let at = at.get();
        let (size, signed) = match access {
            Access::Load(LoadKind { size, signed }) => (size, signed),
            Access::Store(MemSize::B) => return self.ins8(Pp::None, Map::One, 0x88, reg, at),
            Access::Store(MemSize::H) => {
                return self.ins(Pp::P66, Map::One, Sz::D, 0x89, reg, at);
            }
            Access::Store(MemSize::W) => return self.mov_to(Sz::D, at, reg),
            Access::Store(MemSize::D | MemSize::Q) => return self.mov_to(Sz::Q, at, reg),
            Access::FLoad(fmt) => {
                return self.ins(scalar(fmt), Map::M0F, Sz::D, MOVU_LOAD, reg, at);
            }
            Access::FStore(fmt) => {
                return self.ins(scalar(fmt), Map::M0F, Sz::D, MOVU_STORE, reg, at);
            }
        };
        match (size, signed) {
            (MemSize::B, false) => self.ins(Pp::None, Map::M0F, Sz::D, 0xb6, reg, at),
            (MemSize::B, true) => self.ins(Pp::None, Map::M0F, Sz::Q, 0xbe, reg, at),
            (MemSize::H, false) => self.ins(Pp::None, Map::M0F, Sz::D, 0xb7, reg, at),
            (MemSize::H, true) => self.ins(Pp::None, Map::M0F, Sz::Q, 0xbf, reg, at),
            (MemSize::W, false) => self.mov(Sz::D, reg, at),
            (MemSize::W, true) => self.movsxd(reg, at),
            (MemSize::D | MemSize::Q, _) => self.mov(Sz::Q, reg, at),
        }
    }

    fn jump(&mut self, target: CodePtr) {
        self.jmp(target);
    }

    fn jump_if(&mut self, cc: Cc, target: CodePtr) {
        self.jcc(cc, target);
    }

    fn skip_if(&mut self, cc: Cc) -> ShortLabel {
        self.jcc_short(cc)
    }

    fn land(&mut self, skip: ShortLabel) {
        self.bind_short(skip);
    }

    fn float_move(&mut self, to: u8, from: u8) {
        if to != from {
            self.ins(Pp::None, Map::M0F, Sz::D, MOVAPS, to, Rm::R(from));
        }
    }

    fn store_float(&mut self, f: u8, from: u8) {
        self.ins(Pp::F2, Map::M0F, Sz::D, MOVU_STORE, from, Rm::S(float_slot(f)));
    }

    fn test_misaligned(&mut self, size: MemSize) -> Cc {
        self.test_imm8(RDX, size.bytes() as u8 - 1);
        Cc::NE
    }

    fn atomic_result(&mut self, size: MemSize, to: u8) {
        match size {
            MemSize::B => self.ins(Pp::None, Map::M0F, Sz::Q, 0xbe, to, Rm::R(RAX)),
            MemSize::H => self.ins(Pp::None, Map::M0F, Sz::Q, 0xbf, to, Rm::R(RAX)),
            MemSize::W => self.movsxd(to, Rm::R(RAX)),
            MemSize::D | MemSize::Q => self.mov(Sz::Q, to, Rm::R(RAX)),
        }
    }

    fn branch_if(&mut self, cc: Cc) -> CodePtr {
        self.bytes(&[0x0f, 0x80 | cc.0]);
        let site = self.pos();
        self.imm32(0);
        site
    }

    fn bind(&mut self, site: CodePtr) {
        let here = self.pos();
        self.aim_jump(site, here);
    }

    fn call(&mut self, target: CodePtr) {
        self.jump_by(&[0xe8], target);
    }

    fn poll(&mut self) {
        // test [rbp - STATE_BIAS - 8], eax: the end of the page below the state.
        self.ins(Pp::None, Map::One, Sz::D, 0x85, RAX, Rm::S(-(STATE_BIAS as i32) - 8));
    }

    fn test_fuel(&mut self, insns: u32) -> Cc {
        self.mov(Sz::Q, RAX, Rm::S(field!(fuel)));
        self.alu_imm(Alu::Sub, Sz::Q, Rm::R(RAX), insns as i32);
        self.alu(Alu::Cmp, Sz::Q, RAX, Rm::S(field!(fuel_floor)));
        Cc::L
    }

    fn store_fuel(&mut self) {
        self.mov_to(Sz::Q, Rm::S(field!(fuel)), RAX);
    }

    fn count_down(&mut self, at: u64) -> Cc {
        self.mov_imm_keep_flags(RAX, at);
        self.alu_imm(Alu::Sub, Sz::D, Rm::B(RAX, 0), 1);
        Cc::B
    }

    fn touch_handler_room(&mut self) {
        // test [rsp - HANDLER_ROOM], eax, with a SIB byte that names no index.
        self.bytes(&[0x85, 0x84, 0x24]);
        self.imm32((HANDLER_ROOM as i32).wrapping_neg());
    }

    #[inline]
    fn begin_jump(&mut self) {
        self.pad_for_patch(1);
        self.byte(0xe9);
    }

    #[inline]
    fn jump_word(&mut self, site: CodePtr, target: CodePtr, _call: bool) {
        self.bytes(&super::patch::rel32(site, target).to_le_bytes());
    }

    fn begin_loop(&mut self) {
        self.align_hot(32);
    }

    fn aim_jump(&mut self, site: CodePtr, target: CodePtr) {
        self.buf.note_distance(site, target);
        self.buf.patch(site, super::patch::rel32(site, target));
    }

    fn load_slot(&mut self, to: u8, r: u8) {
        self.mov(Sz::Q, to, Rm::S(slot(r)));
    }

    fn store_slot(&mut self, r: u8, from: u8) {
        self.mov_to(Sz::Q, Rm::S(slot(r)), from);
    }

    #[inline]
    fn link_stub(&mut self, id: u32, target: CodePtr) {
        // Behind the opcode.
        let site = CodePtr(self.buf.cold_pos().0 + 1);
        let kind = RelocKind::Link(id - self.buf.first_link);
        self.buf.note(site, kind);
        self.mov_jmp_in_cold(RAX, id, target);
    }

    fn store_pc(&mut self, pc: u64) {
        let to = Rm::S(field!(hart.pc));
        if let Ok(pc) = i32::try_from(pc) {
            self.mov_mem_imm(Sz::Q, to, pc);
        } else {
            self.mov_imm_keep_flags(RAX, pc);
            self.mov_to(Sz::Q, to, RAX);
        }
    }

    fn exit(&mut self, code: u64, target: CodePtr) {
        self.mov_imm_keep_flags(RAX, code);
        self.jmp(target);
    }

    fn increment(&mut self, counter: u64) {
        let counter = counter.to_le_bytes();
        self.mov_to(Sz::Q, Rm::S(field!(counting)), RAX);
        self.bytes(&[0x48, 0xa1]); // mov rax, [counter]
        self.bytes(&counter);
        self.lea(Sz::Q, RAX, Rm::B(RAX, 1));
        self.bytes(&[0x48, 0xa3]); // mov [counter], rax
        self.bytes(&counter);
        self.mov(Sz::Q, RAX, Rm::S(field!(counting)));
    }

    fn edge(&mut self, edges: u64, place: u16) {
        let counting = |n: i32| Rm::S(field!(counting) + 8 * n);
        self.mov_to(Sz::Q, counting(0), RAX);
        self.mov_to(Sz::Q, counting(1), RCX);
        self.mov(Sz::Q, RAX, Rm::S(field!(edge)));
        self.lea(Sz::D, RAX, Rm::B(RAX, place.into()));
        self.ins(Pp::None, Map::M0F, Sz::D, 0xb7, RAX, Rm::R(RAX)); // movzx eax, ax
        self.mov_imm_keep_flags(RCX, edges);
        self.lea(Sz::Q, RAX, Rm::X(RAX, RCX, 0, 0));
        self.movzx8(RCX, Rm::B(RAX, 0));
        self.lea(Sz::D, RCX, Rm::B(RCX, 1));
        self.ins8(Pp::None, Map::One, 0x88, RCX, Rm::B(RAX, 0)); // mov [rax], cl
        self.mov_mem_imm(Sz::Q, Rm::S(field!(edge)), i32::from(place / 2));
        self.mov(Sz::Q, RAX, counting(0));
        self.mov(Sz::Q, RCX, counting(1));
    }

    fn mark(&mut self, counter: u64) {
        self.bytes(&[0x48, 0xa3]); // mov [counter], rax
        self.bytes(&counter.to_le_bytes());
    }

    fn pause(&mut self) {
        self.bytes(&[0xf3, 0x90]);
    }

    #[cfg(all(debug_assertions, feature = "tools"))]
    fn aside(&self, copies: &Copies) -> Aside {
        Aside { moved: self.moved.take(), copies: copies.held().collect(), unbound: Vec::new() }
    }
}

impl<'b> Lower<'b, Asm<'b>> for Emitter<'b, '_> {}

impl LowerBlock for Emitter<'_, '_> {
    #[inline]
    fn begin_run(&mut self) {
        self.copies = Copies::default();
        self.a.flags = None;
    }

    #[inline]
    fn begin_node(&mut self, node: &Node, ahead: &Liveness) {
        self.begin_copies(ahead);
        self.materialised_last = match node.op {
            Op::Branch { a, b: Reg::ZERO, .. } if node.class().may_leave() => 1 << a.0,
            _ => 0,
        };
    }

    #[inline]
    fn fuse_with_next(&mut self, homes: &mut Homes, op: &Op, following: &[Node]) -> usize {
        let Some(next) = following.first() else { return 0 };
        match (op, &next.op) {
            (Op::FCmp { .. }, Op::Branch { .. }) => {
                usize::from(self.fcmp_branch(homes, op, &next.op, next.pc))
            }
            (Op::FCmp { .. }, Op::Select { .. } | Op::FSelect { .. }) => {
                self.fcmp_select(homes, op, following)
            }
            (Op::Load { .. }, Op::JumpIndirect { .. } | Op::CallIndirect { .. }) => {
                usize::from(self.jump_by_memory(homes, op, next, following.len() == 1))
            }
            _ => 0,
        }
    }

    fn grouped(&mut self, homes: &mut Homes, block: &Block) -> bool {
        self.vector_loop(homes, block)
    }
}

impl Emitter<'_, '_> {
    /// Carry-less product of the two scratch vectors into the first: `pclmulqdq`.
    pub(super) fn pclmul(&mut self, to: u8, from: u8, imm: u8) {
        self.a.ins(Pp::P66, Map::M0F3A, Sz::D, 0x44, to, Rm::R(from));
        self.a.byte(imm);
    }
}
