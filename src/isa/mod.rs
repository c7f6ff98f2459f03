//! RISC-V and nothing else: one table row per instruction; decoder, compressed expansion, encoder,
//! disassembler and generator of random instructions all follow from it.

mod compressed;
pub mod csr;
mod decode;
pub mod disasm;
pub mod ext;
pub mod hwprobe;
mod imm;
pub mod op;
mod operand_layout;
pub mod random;
pub mod reg;
pub(crate) mod table;
pub(crate) mod table_v;
mod visit;

pub use decode::{decode, encode};
pub use disasm::disasm;
pub use ext::{Ext, ExtSet, Isa, ParseIsaError, Profile};
pub(crate) use imm::jump_offset;
pub use op::{Format, Op, Pattern, Row, TABLE};
pub(crate) use visit::{Visitor, visit};

/// A decoded instruction.
///
/// Compressed instructions are expanded: `op` and the operands are those of the base instruction,
/// `len` is 2 and `bits` holds the original 16 bits. Fields that the format lacks are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Insn {
    /// Operation.
    pub op: Op,
    /// Destination register; `vd` of vector instructions, and `vs3` of vector stores.
    pub rd: u8,
    /// First source register; the 5-bit immediate of `csrr*i` and `vsetivli`; the constant's index
    /// of `fli.*`.
    pub rs1: u8,
    /// Second source register.
    pub rs2: u8,
    /// Third source register (fused multiply-add).
    pub rs3: u8,
    /// Rounding mode field of floating-point instructions: 0..=4, or 7 for the mode in `frm`.
    pub rm: u8,
    /// Length in bytes: 2 or 4.
    pub len: u8,
    /// The final, sign-extended immediate: `lui`/`auipc` already shifted left by 12, byte offset of
    /// branches and jumps, shift amount, CSR number (0..=4095), bits 31:20 of `fence`, n of
    /// `mop.*.n`, `vtype` of `vsetvli` and `vsetivli`.
    pub imm: i32,
    /// The original encoding; the upper half is zero when `len` is 2.
    pub bits: u32,
}

impl Insn {
    /// Whether a vector instruction is masked: bit 25, `vm`, is 0. Of no meaning for other
    /// instructions.
    #[inline]
    pub fn masked(&self) -> bool {
        self.bits >> 25 & 1 == 0
    }

    /// Number of fields of a vector segment access (bits 31:29, plus one). Of no meaning for other
    /// instructions.
    #[inline]
    pub fn fields(&self) -> u32 {
        (self.bits >> 29) + 1
    }

    /// Acquire bit of an atomic instruction (bit 26). Of no meaning for other instructions.
    #[inline]
    pub fn aq(&self) -> bool {
        self.bits >> 26 & 1 != 0
    }

    /// Release bit of an atomic instruction (bit 25). Of no meaning for other instructions.
    #[inline]
    pub fn rl(&self) -> bool {
        self.bits >> 25 & 1 != 0
    }

    /// The name of the encoding: the mnemonic, or that of the 16-bit form, such as `c.addi4spn`.
    pub fn encoding(&self) -> &'static str {
        if self.len == 2 { compressed::name(self.bits) } else { self.op.mnemonic() }
    }
}
