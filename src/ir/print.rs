//! Blocks as text: one line per node, its guest address and the operation.
//!
//! ```text
//! block 0x10000 insns 3
//! range 0x10000 8
//! 0x10000 add.d x10, x11, -1
//! 0x10002 load.w x12, [x10 + 8]
//! 0x10004 branch.ne x12, x0, 0x10020
//! next 0x10008
//! ```
//!
//! What `Display` writes, `FromStr` (see `parse`) reads back to an equal value. `Debug` is the
//! same.

use std::fmt::{self, Debug, Display, Formatter};

use super::syntax::{Field, for_each_form};
use super::{Block, Node, Op};

macro_rules! print { ($([$($shape:tt)*] $first:literal $($field:ident $text:literal)*;)*) => {
    impl Display for Op {
        fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
            match *self {
                $($($shape)* => {
                    f.write_str($first)?;
                    $($field.write(f)?; f.write_str($text)?;)*
                })*
            }
            Ok(())
        }
    }
} }
for_each_form!(print);

impl Display for Node {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x} {}", self.pc, self.op)
    }
}

impl Display for Block {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "block {:#x} insns {}", self.pc, self.insns)?;
        for (addr, len) in &self.ranges {
            writeln!(f, "range {addr:#x} {len}")?;
        }
        for node in &self.nodes {
            writeln!(f, "{node}")?;
        }
        if self.falls_through() { writeln!(f, "next {:#x}", self.next) } else { Ok(()) }
    }
}

impl Debug for Op {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}

impl Debug for Node {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}

impl Debug for Block {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}
