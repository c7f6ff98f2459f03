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

    /// The floating-point registers that have a vector register, and which.
    #[must_use]
    pub const fn floats(&self) -> &'static [(u8, u8)] {
        self.floats
    }

    /// Guest register that lives in host register `n`, if any.
    #[must_use]
    pub fn guest_int(&self, n: usize) -> Option<u8> {
        guest(self.ints, n)
    }

    /// Guest floating-point register that lives in vector register `n`, if any.
    #[must_use]
    pub fn guest_float(&self, n: usize) -> Option<u8> {
        guest(self.floats, n)
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

fn guest(pairs: &[(u8, u8)], n: usize) -> Option<u8> {
    pairs.iter().find(|(_, h)| usize::from(*h) == n).map(|(g, _)| *g)
}
