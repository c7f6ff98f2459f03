//! Configuration of an engine.

use crate::isa::Isa;

/// Choices for an [`Engine`](super::Engine).
///
/// ```
/// use rvnative::vm::{Config, Engine, Strategy};
/// let mut config = Config::new();
/// config.isa("rva22u64".parse()?).strategy(Strategy::Interpreter);
/// let engine = Engine::new(&config)?;
/// # Ok::<(), rvnative::vm::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Config {
    pub(super) isa: Isa,
    pub(super) strategy: Strategy,
    pub(super) address_space: AddressSpace,
    pub(super) cross_check: bool,
    pub(super) stack_size: Option<u64>,
    pub(super) max_depth: Option<u32>,
    pub(super) code_size: Option<usize>,
    pub(super) fuel: bool,
}

/// How guest code is executed. All strategies give the same results.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Strategy {
    /// The fastest strategy on this host.
    #[default]
    Auto,
    /// Decoded and interpreted: slow, starts at once, makes no executable memory.
    Interpreter,
    /// Translated block by block.
    Baseline,
}

/// How guest addresses become host addresses.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum AddressSpace {
    /// 4 GiB; addresses are taken modulo 2^32, so that a guest can name no host memory, whatever
    /// it computes. The choice for code that is not trusted.
    #[default]
    Sandbox,
    /// Addresses of `bits` bits, 20 to 47, with guard zones on both sides where the host has
    /// addresses for them. A little faster than [`AddressSpace::Sandbox`] and large enough for any
    /// program, but *not* a security boundary. Code at 512 GiB and above is interpreted.
    Flat {
        /// Binary logarithm of the size in bytes.
        bits: u8,
    },
}

impl Config {
    /// The defaults: all implemented extensions, fastest strategy, sandboxed addresses.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the instructions that guests may use; others are illegal.
    pub fn isa(&mut self, isa: Isa) -> &mut Self {
        self.isa = isa;
        self
    }

    /// Sets how code is executed.
    pub fn strategy(&mut self, strategy: Strategy) -> &mut Self {
        self.strategy = strategy;
        self
    }

    /// Sets how guest addresses become host addresses.
    pub fn address_space(&mut self, space: AddressSpace) -> &mut Self {
        self.address_space = space;
        self
    }

    /// Translates, and executes each block with the interpreter too. A difference is a fault of
    /// this library and a panic that describes it. Slow.
    pub fn cross_check(&mut self, on: bool) -> &mut Self {
        self.cross_check = on;
        self
    }

    /// Bytes of stack that an instance gets for calls from the host; 1 MiB by default.
    pub fn stack_size(&mut self, bytes: u64) -> &mut Self {
        self.stack_size = Some(bytes);
        self
    }

    /// How many calls of guests may be under way on one thread, one inside the other, where host
    /// functions call guests again; 64 by default. One more is [`Trap::TooDeep`](super::Trap).
    /// Each takes less than 8 KiB of the thread's stack, and what the host function takes.
    pub fn max_depth(&mut self, calls: u32) -> &mut Self {
        self.max_depth = Some(calls);
        self
    }

    /// Gives each store a budget of instructions, its fuel ([`Store::set_fuel`]), which is nothing
    /// at first. Each instruction that a guest completes takes one, and a guest that has none left
    /// stops with [`Trap::OutOfFuel`](super::Trap) before the next one, wherever that is: exactly,
    /// with every strategy and on every host. Code is slower by what it takes to count
    /// (docs/performance.md).
    ///
    /// [`Store::set_fuel`]: super::Store::set_fuel
    pub fn consume_fuel(&mut self, on: bool) -> &mut Self {
        self.fuel = on;
        self
    }

    /// Bytes of translated code that an instance may have at one time, 2 to 128 MiB; the latter by
    /// default. What is known of the code takes about as much again, and sixteen times as much if a
    /// guest sets about it. When it is full all of it is dropped.
    pub fn code_size(&mut self, bytes: usize) -> &mut Self {
        self.code_size = Some(bytes);
        self
    }
}
