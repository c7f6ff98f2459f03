//! Loads and stores.

use super::{Access, Emitter, Host, Lower, LowerInt, LowerMemory, LowerValues, Place};
use crate::backend::Homes;
use crate::ir::{Bytes, LoadKind, MemSize, Reg, Width};

impl<'b, H: Host<'b>> Emitter<'b, '_, H>
where
    Self: Lower<'b, H>,
{
    pub(crate) fn load(&mut self, homes: &mut Homes, kind: LoadKind, rd: Reg, base: Reg, off: i32) {
        let access = Access::Load(kind);
        if !rd.is_zero() {
            self.materialise_dependents(homes, rd.0);
        }
        let from = self.address(homes, access, base, off);
        let to = if rd.is_zero() { H::NOWHERE } else { self.result_reg(rd.0) };
        self.fault_point();
        self.a.access(access, to, from);
        if rd.is_zero() {
            return;
        }
        let narrow = match kind.size {
            MemSize::B | MemSize::H => true,
            MemSize::W => kind.signed,
            MemSize::D | MemSize::Q => false,
        };
        self.done(homes, rd, to, narrow);
    }

    /// Loads a word of which registers are made that are pending until somebody needs them: see
    /// [`crate::backend::Val::Bytes`].
    #[inline(never)]
    pub(crate) fn load_word(
        &mut self,
        homes: &mut Homes,
        (size, reverse): (MemSize, bool),
        rd: Reg,
        bytes: Bytes,
        (base, off): (Reg, i32),
    ) {
        let access = Access::Load(LoadKind { size, signed: false });
        // What is made of the old home, and is overwritten before anybody sees it, is still what a
        // fault of this load finds: it is forgotten behind that.
        self.dead = 0;
        let before = self.sym.dependents(rd.0) & !self.dead_later;
        for r in (0..32).filter(|r| before & 1 << r != 0) {
            self.materialise(homes, r);
        }
        let from = self.address(homes, access, base, off);
        let to = self.result_reg(rd.0);
        self.fault_point();
        self.a.access(access, to, from);
        if reverse {
            self.reverse_bytes(to, size);
        }
        let forgotten = self.sym.dependents(rd.0);
        for r in (0..32).filter(|r| forgotten & 1 << r != 0) {
            self.sym.set_home(homes, r, false);
        }
        self.write_home(homes, rd.0, to);
        self.sym.set_home(homes, rd.0, false);
        self.words[usize::from(rd.0)] = size.bytes() as u8;
        self.bytes(homes, rd, bytes, rd);
    }

    /// Bytes of the word that the home of `word` holds.
    pub(crate) fn bytes(&mut self, homes: &mut Homes, rd: Reg, bytes: Bytes, word: Reg) {
        if !rd.is_zero() {
            let size = self.words[usize::from(word.0)];
            self.sym.set_bytes(homes, rd.0, word.0, size, bytes);
        }
    }

    #[inline(never)]
    pub(crate) fn store(&mut self, homes: &Homes, size: MemSize, src: Reg, base: Reg, off: i32) {
        let w = match size {
            MemSize::D | MemSize::Q => Width::D,
            MemSize::B | MemSize::H | MemSize::W => Width::W,
        };
        // Bringing it home may change what `base` is made of, which is looked at after that.
        let value = self.operand(homes, w, src, Place::First);
        let to = self.address(homes, Access::Store(size), base, off);
        self.store_operand(size, value, to);
    }
}
