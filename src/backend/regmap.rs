//! Which guest registers live in host registers.

/// A map of registers: what of the guest lives in which host register for the whole life of a piece
/// of code. All else is in slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegMap {
    int: [Option<u8>; 32],
    float: [Option<u8>; 32],
}

impl RegMap {
    /// The map of these pairs: guest register, host register.
    #[must_use]
    pub const fn new(ints: &[(u8, u8)], floats: &[(u8, u8)]) -> Self {
        Self { int: homes(ints), float: homes(floats) }
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
    pub fn ints(&self) -> impl Iterator<Item = (u8, u8)> {
        pairs(&self.int)
    }

    /// The floating-point registers that have a vector register, and which.
    pub fn floats(&self) -> impl Iterator<Item = (u8, u8)> {
        pairs(&self.float)
    }

    /// Gives the host register of integer register `out` to `r`, which had none.
    pub fn give(&mut self, r: u8, out: u8) {
        debug_assert!(self.int(r).is_none(), "x{r} has a host register");
        self.int[usize::from(r)] = self.int[usize::from(out)].take();
    }
}

fn pairs(homes: &[Option<u8>; 32]) -> impl Iterator<Item = (u8, u8)> {
    (0..).zip(homes).filter_map(|(r, home)| Some((r, (*home)?)))
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
