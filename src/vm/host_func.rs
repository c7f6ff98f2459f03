//! Host functions with the types of the calling convention.

use super::error::{Error, Result};
use super::instance::{AbiTy, Registers};
use super::linker::Caller;
use super::store::{AsContext, AsContextMut};
use crate::cpu::Hart;

/// Registers from which the arguments of a host function are taken, in the order of the psABI.
#[doc(hidden)]
pub struct Arguments<'a> {
    hart: &'a Hart,
    next_x: usize,
    next_f: usize,
}

impl<'a> Arguments<'a> {
    /// Those of a function that is called, or what it has returned.
    pub(super) fn of(hart: &'a Hart) -> Self {
        Self { hart, next_x: 10, next_f: 10 }
    }

    pub(super) fn x(&mut self) -> u64 {
        self.next_x += 1;
        self.hart.x[self.next_x - 1]
    }

    pub(super) fn f(&mut self) -> u64 {
        self.next_f += 1;
        self.hart.f[self.next_f - 1]
    }
}

/// What a host function with types returns: nothing, an [`AbiTy`], or a [`Result`] of those.
pub trait HostResult {
    #[doc(hidden)]
    fn give(self, hart: &mut Hart) -> Result<()>;
}

impl HostResult for () {
    fn give(self, _hart: &mut Hart) -> Result<()> {
        Ok(())
    }
}

impl<R: AbiTy> HostResult for R {
    fn give(self, hart: &mut Hart) -> Result<()> {
        self.put(&mut Registers::of(hart));
        Ok(())
    }
}

impl<R: HostResult, E: Into<Error>> HostResult for Result<R, E> {
    fn give(self, hart: &mut Hart) -> Result<()> {
        self.map_err(Into::into)?.give(hart)
    }
}

/// Functions that a guest can call with arguments `P`, a tuple of up to seven [`AbiTy`] in no more
/// than seven integer registers.
pub trait IntoHostFunc<T, P>: Send + Sync + 'static {
    #[doc(hidden)]
    fn call(&self, caller: &mut Caller<'_, T>) -> Result<()>;
}

macro_rules! functions {
    ($(($($name:ident)*);)*) => {$(
        impl<T, Host, R, $($name),*> IntoHostFunc<T, ($($name,)*)> for Host
        where
            Host: Fn(&mut Caller<'_, T>, $($name),*) -> R + Send + Sync + 'static,
            R: HostResult,
            $($name: AbiTy,)*
        {
            #[allow(
                non_snake_case,
                unused_mut,
                reason = "the names of types serve as names of values, of which there may be none"
            )]
            fn call(&self, caller: &mut Caller<'_, T>) -> Result<()> {
                // The eighth has the number of an `ecall`.
                const { assert!(0 $(+ $name::INTEGERS)* <= 7, "seven registers take arguments") };
                let hart = caller.store().instance(caller.instance).cpu.hart();
                let mut _from = Arguments::of(hart);
                // In the order of their registers.
                $(let $name = $name::arg(&mut _from);)*
                let result = self(caller, $($name),*);
                let instance = caller.instance;
                result.give(caller.store_mut().instance_mut(instance).cpu.hart_mut())
            }
        }
    )*};
}
functions! {
    (); (A); (A B); (A B C); (A B C D); (A B C D E); (A B C D E F); (A B C D E F G);
}
