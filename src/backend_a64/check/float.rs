//! Instructions that move floating-point values, of which the low halves of vector registers are
//! known.

use super::Machine;
use crate::backend::check::{Guest, Place};

/// The sign of a double.
const SIGN: u64 = 1 << 63;

impl Machine {
    /// Executes an instruction that moves floating-point values; `None` if it is another one.
    pub(super) fn float(&mut self, word: u32) -> Option<()> {
        let [d, n, m] = [word, word >> 5, word >> 16].map(|bits| (bits & 31) as u8);
        let at = |v: u8| self.vectors[usize::from(v)];
        let value = match word & !0x3ff {
            // fmov, fabs, fneg of doubles, fmov of singles
            0x1e60_4000 => at(n),
            0x1e60_c000 => at(n) & !SIGN,
            0x1e61_4000 => at(n) ^ SIGN,
            0x1e20_4000 => at(n) & 0xffff_ffff,
            // fmov from general registers, and to them
            0x9e67_0000 => self.get(true, n),
            0x1e27_0000 => self.get(false, n),
            0x9e66_0000 => return self.set(true, d, at(n)),
            0x1e26_0000 => return self.set(false, d, at(n)),
            // umov w, v.s[1]
            0x0e0c_3c00 => return self.set(false, d, at(n) >> 32),
            // shl d, d, #31
            0x5f5f_5400 => at(n) << 31,
            _ => match word & 0xffe0_fc00 {
                0x0e20_1c00 => at(n) & at(m),
                0x0e60_1c00 => at(n) & !at(m),
                0x0ea0_1c00 => at(n) | at(m),
                0x2e20_1c00 => at(n) ^ at(m),
                // bsl, bit, bif
                0x2e60_1c00 => at(n) & at(d) | at(m) & !at(d),
                0x2ea0_1c00 => at(d) & !at(m) | at(n) & at(m),
                0x2ee0_1c00 => at(d) & at(m) | at(n) & !at(m),
                _ => return None,
            },
        };
        self.vectors[usize::from(d)] = value;
        Some(())
    }

    /// A load or store of the low `bytes` bytes of a vector register; of 16 nothing is known.
    pub(super) fn access_vector(
        &mut self,
        place: Place,
        bytes: u32,
        (v, stores): (u8, bool),
        guest: &mut Guest<'_>,
    ) -> Option<()> {
        if bytes > 8 {
            guest.unknown = true;
            self.touch(place, bytes, stores, guest);
            if !stores {
                self.vectors[usize::from(v)] = self.random.next_u64();
            }
        } else if stores {
            let value = self.vectors[usize::from(v)];
            self.write(place, bytes, value, guest);
        } else {
            self.vectors[usize::from(v)] = self.read(place, bytes, guest);
        }
        Some(())
    }
}
