//! Addresses of different worlds are different types, so that none is taken for another.

use std::fmt;

/// Size of a guest page in bytes. RISC-V has 4 KiB base pages on every implementation
/// (Privileged Architecture manual, Sv39).
pub const PAGE_SIZE: u64 = 4096;

/// Rounds `a` down to a page boundary.
#[must_use]
pub const fn page_down(a: u64) -> u64 {
    a & !(PAGE_SIZE - 1)
}

/// Rounds `a` up to a page boundary; `None` if that would wrap.
#[must_use]
pub const fn page_up(a: u64) -> Option<u64> {
    match a.checked_add(PAGE_SIZE - 1) {
        Some(v) => Some(page_down(v)),
        None => None,
    }
}

macro_rules! address {
    ($(#[$doc:meta])* $name:ident($repr:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        #[repr(transparent)]
        pub struct $name(pub $repr);

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:#x}", self.0)
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:#x}", self.0)
            }
        }
    };
}

address! {
    /// An address in this process.
    HostAddr(usize)
}
address! {
    /// A place in the code arena: a byte offset from the arena's start, never a pointer.
    CodePtr(u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_rounding_at_the_ends() {
        assert_eq!(page_down(4095), 0);
        assert_eq!(page_up(0), Some(0));
        assert_eq!(page_up(1), Some(4096));
        assert_eq!(page_up(u64::MAX), None);
    }
}
