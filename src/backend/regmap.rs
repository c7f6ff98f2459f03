//! Which guest registers live in host registers.

/// A map of registers: what of the guest lives in which host register for the whole life of a piece
/// of code. All else is in slots.
#[derive(Debug)]
pub struct RegMap {
    int: [Option<u8>; 32],
    float: [Option<u8>; 32],
    ints: &'static [(u8, u8)],
    floats: &'static [(u8, u8)],
}

impl RegMap {
    /// The map of these pairs: guest register, host register.
    #[must_use]
    pub const fn new(ints: &'static [(u8, u8)], floats: &'static [(u8, u8)]) -> Self {
        Self { int: homes(ints), float: homes(floats), ints, floats }
    }

    /// Host register of a guest integer register.
    #[must_use]
    pub const fn int(&self, r: u8) -> Option<u8> {
        self.int[r as usize]
    }

    /// Vector register of a guest floating-point register.
    #[must_use]
    pub const fn float(&self, f: u8) -> Option<u8> {
        self.float[f as usize]
    }

    /// The integer registers that have a host register, and which.
    pub fn ints(&self) -> impl Iterator<Item = (u8, u8)> + use<> {
        self.ints.iter().copied()
    }

    /// The floating-point registers that have a vector register, and which.
    pub fn floats(&self) -> impl Iterator<Item = (u8, u8)> + use<> {
        self.floats.iter().copied()
    }
}

const fn homes(pairs: &[(u8, u8)]) -> [Option<u8>; 32] {
    let mut out = [None; 32];
    let mut i = 0;
    while i < pairs.len() {
        out[pairs[i].0 as usize] = Some(pairs[i].1);
        i += 1;
    }
    out
}
