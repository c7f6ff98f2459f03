//! Who may change the homes of integer registers, and what is held meanwhile.

use std::marker::PhantomData;

/// The right to the homes of integer registers, of which an emitter has one. It says nothing at run
/// time; the borrow checker knows by it which operands still are what they were.
///
/// - What reads an operand borrows this, and so does the operand ([`Held`]).
/// - What gives a register a new value takes it mutably, whether by writing its home or by making
///   it pending; so does what lets the interpreter do so, and what forgets. No operand can be held
///   across that.
/// - What brings a register home, as reading another one or making a destination ready does, writes
///   homes of pending registers alone, none of which is held: an operand belongs to a register that
///   is materialised. So this takes it shared. Where the hosts write such homes, in their `values`,
///   they have one of their own, which [`Emitter::materialise`] makes: there the homes of pending
///   registers are read as they are, and no type looks after them.
/// - What has none can neither read a home nor change it. An operation's code is emitted by such
///   functions, from operands and the register that the result is computed in.
///
/// [`Emitter::materialise`]: super::emit::Emitter::materialise
#[derive(Debug)]
pub struct Homes(());

impl Homes {
    /// For the emission of a block, or for bringing a pending register home.
    pub(super) const fn new() -> Self {
        Self(())
    }

    /// For a test that emits no block.
    #[cfg(test)]
    pub(crate) const fn of_test() -> Self {
        Self(())
    }
}

/// An operand, or the address that is made of some, which is what it was as long as no register has
/// got a new value.
#[derive(Clone, Copy, Debug)]
pub struct Held<'h, T>(T, PhantomData<&'h Homes>);

impl<'h, T: Copy> Held<'h, T> {
    /// One that is made of homes as they are, of constants, or of scratch registers.
    pub const fn new(_homes: &'h Homes, what: T) -> Self {
        Self(what, PhantomData)
    }

    /// What `f` makes of it.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Held<'h, U> {
        Held(f(self.0), PhantomData)
    }

    /// What it is, for the code that is emitted with it now.
    pub const fn get(self) -> T {
        self.0
    }
}
