//! Who may change the homes of integer registers, and what is held meanwhile.

use std::marker::PhantomData;

/// The homes of integer registers, as the borrow checker sees them: an emitter passes this one to
/// all that reads or writes them. At run time it is nothing.
///
/// - What reads an operand borrows it, for as long as the operand is held ([`Held`]).
/// - What gives a register a new value takes it mutably, be the value at home or pending; so do a
///   call of the interpreter, what brings everything home, and what forgets what is known. No
///   operand can be held across these.
/// - What brings one register home, as reading another one or making a destination ready does,
///   takes it shared: that writes homes of pending registers alone, and operands belong to
///   materialised ones. The code that does it, in the hosts' `values`, gets one of its own, and
///   reads the homes of pending registers as they are.
/// - What does not take it neither reads nor writes a home, but by the registers that it is given.
///   So an operand may be taken out of its [`Held`] there, or for the next instruction.
///
/// The register that holds the target of an indirect jump is the one that is kept while a home is
/// written (`Emitter::target_and_link`). What a branch asks (`Host::Test`) is used at once, as
/// flags must be.
#[derive(Debug)]
pub struct Homes(());

impl Homes {
    /// For the emission of a block, or for bringing a pending register home within it.
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
