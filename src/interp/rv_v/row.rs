//! What a table says about an instruction.

use super::element::{Env, Exec};
use super::{Hart, Insn, Vector};

/// Width of the elements of a vector operand, and with it how many registers it has. Powers of two
/// count from SEW: `Times(1)` is twice as wide, in a group twice as long.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Eew {
    /// There is no such operand.
    Unused,
    /// A group with elements of SEW times a power of two.
    Times(i8),
    /// A group of elements of 16 bits.
    Bits16,
    /// Bits of one register.
    Mask,
    /// The first element of one register, or the first group of elements.
    First(i8),
    /// So many registers, whatever LMUL is.
    Registers(u8),
}

/// An operation on elements: the old one of the destination, then those of `vs2` and `vs1`, or what
/// stands in for it.
pub(super) type Operation = fn(&mut Env, i128, i128, i128) -> i128;

/// What an instruction does.
#[derive(Clone, Copy)]
pub(super) enum Action {
    /// Sets `vl` and `vtype`.
    Config(fn(&mut Hart, &mut Vector, &Insn)),
    /// Accesses memory.
    Access(Access),
    /// Computes elements; says which of `vs2` and `vs1` are signed.
    Elements(Operation, bool, bool),
    /// The same, of numbers that are widened to the destination first: which of `vs2` and `vs1`.
    Widened(Operation, bool, bool),
    /// Anything else.
    Whole(fn(&mut Exec<'_>, &mut Hart)),
    /// Computes groups of elements of vector registers.
    Groups(fn(&mut Exec<'_>)),
}

/// How memory is accessed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Access {
    pub(super) kind: AccessKind,
    /// Bytes of an element in memory, as a power of two; of indexed accesses, of an index.
    pub(super) width: u8,
    pub(super) store: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum AccessKind {
    Unit,
    FaultOnlyFirst,
    Mask,
    Whole,
    Strided,
    Indexed,
}

/// Which operands are numbers: of what width there must be a format.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Floats {
    /// Those of SEW.
    pub(super) sew: bool,
    /// Those twice as wide.
    pub(super) twice: bool,
    /// Zvfhmin suffices for half precision.
    pub(super) conversion: bool,
}

/// What there is about element groups of cryptography.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Groups {
    /// SEW must be this, as a power of two of bytes; 0 leaves it to `sha`.
    pub(super) sew: u8,
    /// Elements in a group.
    pub(super) elements: u16,
}

/// One instruction.
#[derive(Clone, Copy)]
pub(super) struct Row {
    pub(super) vd: Eew,
    pub(super) vs2: Eew,
    /// If the format has one.
    pub(super) vs1: Eew,
    /// The destination is an operand too.
    pub(super) reads_vd: bool,
    /// The destination must not overlap an operand, whatever the widths.
    pub(super) apart: bool,
    /// It cannot be resumed in the middle: `vstart` must be 0.
    pub(super) needs_start: bool,
    /// It is one of floating point.
    pub(super) floats: Option<Floats>,
    pub(super) groups: Option<Groups>,
    pub(super) action: Action,
}

impl Row {
    /// All operands have elements of SEW.
    pub(super) const fn new(action: Action) -> Self {
        Self {
            vd: Eew::Times(0),
            vs2: Eew::Times(0),
            vs1: Eew::Times(0),
            reads_vd: false,
            apart: false,
            needs_start: false,
            floats: None,
            groups: None,
            action,
        }
    }

    /// Unsigned elements of SEW.
    pub(super) const fn unsigned(operation: Operation) -> Self {
        Self::new(Action::Elements(operation, false, false))
    }

    /// Signed elements of SEW.
    pub(super) const fn signed(operation: Operation) -> Self {
        Self::new(Action::Elements(operation, true, true))
    }

    /// With other widths of destination, `vs2` and `vs1`.
    pub(super) const fn of(self, vd: Eew, vs2: Eew, vs1: Eew) -> Self {
        Self { vd, vs2, vs1, ..self }
    }

    /// The destination is twice as wide as the operands.
    pub(super) const fn widens(self) -> Self {
        Self { vd: Eew::Times(1), ..self }
    }

    /// The destination and `vs2` are twice as wide as `vs1`.
    pub(super) const fn widens_one(self) -> Self {
        Self { vd: Eew::Times(1), vs2: Eew::Times(1), ..self }
    }

    /// `vs2` is twice as wide as the destination.
    pub(super) const fn narrows(self) -> Self {
        Self { vs2: Eew::Times(1), ..self }
    }

    /// The destination is a mask.
    pub(super) const fn tests(self) -> Self {
        Self { vd: Eew::Mask, ..self }
    }

    /// The destination is an operand too.
    pub(super) const fn accumulates(self) -> Self {
        Self { reads_vd: true, ..self }
    }

    /// The destination must not overlap an operand.
    pub(super) const fn apart(self) -> Self {
        Self { apart: true, ..self }
    }

    /// `vstart` must be 0.
    pub(super) const fn needs_start(self) -> Self {
        Self { needs_start: true, ..self }
    }

    /// Operands of SEW are numbers.
    pub(super) const fn float(self) -> Self {
        Self { floats: Some(Floats { sew: true, twice: false, conversion: false }), ..self }
    }

    /// Operands of SEW, or those twice as wide, or both are numbers.
    pub(super) const fn floats(self, sew: bool, twice: bool) -> Self {
        Self { floats: Some(Floats { sew, twice, conversion: false }), ..self }
    }

    /// Elements form groups of so many, of one width.
    pub(super) const fn groups(self, sew: u8, elements: u16) -> Self {
        Self { groups: Some(Groups { sew, elements }), ..self }
    }
}
