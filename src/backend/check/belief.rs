//! What an emitter believes of integer registers, and whether it is so on a simulated host.

use super::{Floats, Host};
use crate::backend::CodeBuf;
use crate::backend::symbolic::{Symbolic, Val, shifted};
use crate::opt::RegSet;
use crate::util::CodePtr;
use std::fmt::Write as _;

/// What an emitter believes.
pub struct Belief<'e> {
    /// Of integer registers.
    pub sym: &'e Symbolic,
    /// Of floating-point registers.
    pub floats: Floats,
    /// Where the head of the loop is that the block begins with, and what is believed there.
    pub head: Option<(CodePtr, Floats)>,
    /// Copies of slots: guest register, host register, and whether the slot is out of date.
    pub copies: &'e [(u8, u8, bool)],
    /// The code so far.
    pub buf: &'e CodeBuf,
    /// What is emitted next lies here.
    pub at: CodePtr,
    /// Jumps to blocks of the region that is being emitted: their words, and which block.
    pub inside: &'e [(CodePtr, u64)],
    /// The block that follows in the region.
    pub following: Option<u64>,
    /// Conditional branches that have no target yet, of those whose it is known.
    pub unbound: &'e [(CodePtr, CodePtr)],
}

impl Belief<'_> {
    /// What stands for the home of `r`.
    fn home<H: Host>(&self, host: &H, r: u8) -> u64 {
        match self.copies.iter().find(|(g, _, dirty)| *dirty && *g == r) {
            Some((_, h, _)) => host.register(*h),
            None if r == 0 => 0,
            None => host.home(r),
        }
    }

    /// The value that `r` has.
    fn value<H: Host>(&self, host: &H, r: u8) -> u64 {
        let home = |r| self.home(host, r);
        if self.sym.is_sext(r) { home(r) as i32 as u64 } else { value(self.sym.val(r), r, home) }
    }

    /// The registers of which more is believed than that they are at home.
    pub(super) fn special(&self) -> RegSet {
        let copies = self.copies.iter().fold(self.sym.pending(), |set, (r, ..)| set | 1 << r);
        let more = |r: &u8| self.sym.is_narrow(*r) || self.sym.constant(*r).is_some();
        (1..32).filter(more).fold(copies, |set, r| set | 1 << r)
    }

    /// Why the belief about `r`, which is `value`, is wrong, if it is.
    pub(super) fn wrong<H: Host>(&self, host: &H, r: u8, value: u64) -> Option<String> {
        let (home, found) = (self.home(host, r), self.value(host, r));
        let copy = self.copies.iter().find(|(g, ..)| *g == r).map(|(_, h, _)| *h);
        let at_home = matches!(self.sym.val(r), Val::Const(_)) && !self.sym.is_pending(r);
        Some(if found != value {
            format!("is {found:#x}")
        } else if self.sym.is_narrow(r) && value != value as i32 as u64 {
            "is said to be narrow".to_owned()
        } else if self.sym.is_sext(r) && home >> 32 != 0 {
            format!("has a home whose upper half is not zero: {home:#x}")
        } else if at_home && home != value {
            format!("is said to be at home as well, where {home:#x} is")
        } else if let Some(h) = copy.filter(|h| host.register(*h) != home) {
            format!("has a home of {home:#x} and a copy of it of {:#x}", host.register(h))
        } else {
            return None;
        })
    }

    /// Makes `r`, of whose value nothing is known, what it is believed to be: the value.
    pub(super) fn adopt<H: Host>(&self, host: &mut H, r: u8) -> u64 {
        let mut home = self.home(host, r);
        if self.sym.is_sext(r) {
            home &= 0xffff_ffff;
        } else if self.sym.is_narrow(r) && self.sym.val(r) == Val::Home {
            home = home as i32 as u64;
        }
        match self.copies.iter().find(|(g, ..)| *g == r) {
            Some((_, h, true)) => host.set_register(*h, home),
            Some((_, h, false)) => {
                host.set_register(*h, home);
                host.set_home(r, home);
            }
            None => host.set_home(r, home),
        }
        self.value(host, r)
    }

    pub(super) fn text(&self, r: u8) -> String {
        let mut out = format!("{:?}", self.sym.val(r));
        if self.sym.is_sext(r) {
            out += ", to be sign-extended";
        } else if self.sym.is_pending(r) {
            out += ", pending";
        }
        if let Some((_, h, dirty)) = self.copies.iter().find(|(g, ..)| *g == r) {
            let which = if *dirty { "the home" } else { "a copy of it" };
            let _ = write!(out, ", {which} in host register {h}");
        }
        out
    }
}

/// The value of `r` that `val` says, of homes.
pub(super) fn value(val: Val, r: u8, home: impl Fn(u8) -> u64) -> u64 {
    match val {
        Val::Home => home(r),
        Val::Const(k) => k,
        Val::Lin { a, b, shift, imm } => {
            let term = |q| if q == 0 { 0 } else { home(q) };
            term(a).wrapping_add(term(b) << shift).wrapping_add(i64::from(imm) as u64)
        }
        Val::Shift { op, w, a, n } => shifted(op, w, home(a), n),
        Val::Bytes { a, bytes } => bytes.of(home(a)),
    }
}
