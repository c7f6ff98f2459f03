//! Set-up of a machine.

use super::host::HostFeatures;
use super::kept::KeptCode;
use crate::backend::EDGES;
use crate::isa::Isa;
use crate::mem::Mode;
use std::ops::Range;
use std::sync::atomic::AtomicU8;
use std::sync::{Arc, OnceLock};

/// One row for each engine, and for each way of checking one: all that lists engines (the command's
/// `--jit` and `engines`, tests, scripts) reads [`ENGINES`], which is made of it.
macro_rules! engines {
    ($($(#[doc = $doc:literal])+ $kind:ident $name:literal { translates: $translates:literal, checks: $checks:literal })*) => {
        /// Engine that executes guest code. The default is the fastest.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum EngineKind {
            $($(#[doc = $doc])+ $kind,)*
        }

        /// All engines.
        pub const ENGINES: &[Engine] = &[$(Engine {
            kind: EngineKind::$kind,
            name: $name,
            about: concat!($($doc),+).trim_ascii(),
            translates: $translates,
            checks: $checks,
        }),*];
    };
}

engines! {
    /// Interpret.
    Interpreter "off" { translates: false, checks: false }
    /// Translate block by block.
    Baseline "baseline" { translates: true, checks: false }
    /// Translate block by block, and loops that are executed often as a whole.
    Regions "regions" { translates: true, checks: false }
    /// Translate block by block, and loops as a whole from the start.
    EagerRegions "regions=eager" { translates: true, checks: false }
    /// Translate as with `regions=eager`, and compare each unit with the interpreter; one thread
    /// runs at a time.
    Verify "verify" { translates: true, checks: true }
}

/// A row of [`ENGINES`].
#[derive(Clone, Copy, Debug)]
pub struct Engine {
    /// The engine.
    pub kind: EngineKind,
    /// Name on the command line.
    pub name: &'static str,
    /// Description, a sentence.
    pub about: &'static str,
    /// True if it makes host code, which depends on what the host can do.
    pub translates: bool,
    /// True if it is another engine under a check, and not one of its own.
    pub checks: bool,
}

#[expect(clippy::derivable_impls, reason = "the rows of `engines!` say nothing of defaults")]
impl Default for EngineKind {
    fn default() -> Self {
        Self::Regions
    }
}

impl EngineKind {
    /// True if it translates, and is no check of another engine.
    #[must_use]
    pub fn only_translates(self) -> bool {
        !matches!(self, Self::Interpreter | Self::Verify)
    }

    /// The engine of this name, if there is one.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        ENGINES.iter().find(|engine| engine.name == name).map(|engine| engine.kind)
    }
}

/// Transitions between parts of code, counted as AFL wants them.
#[derive(Debug)]
pub struct Edges {
    counters: &'static [AtomicU8; EDGES],
    ranges: OnceLock<Vec<Range<u64>>>,
}

impl Edges {
    /// Counts in `counters`; nothing before [`Self::count`] has been called.
    #[must_use]
    pub const fn new(counters: &'static [AtomicU8; EDGES]) -> Self {
        Self { counters, ranges: OnceLock::new() }
    }

    /// Has transitions into code of these ranges counted that is translated from now on. Only the
    /// first call has an effect.
    pub fn count(&self, ranges: Vec<Range<u64>>) {
        let _ = self.ranges.set(ranges);
    }

    /// Host address of the counters for code at `pc`, if it counts.
    pub(super) fn at(&self, pc: u64) -> Option<u64> {
        let counted = self.ranges.get()?.iter().any(|range| range.contains(&pc));
        counted.then(|| self.counters.as_ptr().addr() as u64)
    }
}

/// Set-up of a machine.
#[derive(Clone, Debug)]
pub struct Options {
    /// Engine that executes guest code.
    pub engine: EngineKind,
    /// Instructions that the guest may use.
    pub isa: Isa,
    /// How guest addresses become host addresses. Where `Mode::Identity` cannot be had it is
    /// `Mode::Guarded`.
    pub mode: Mode,
    /// Size of the guest's address space as a power of two, 20 to 47. Less is taken if the host
    /// has no more addresses to give. `Mode::Sandbox` always has 32. From 512 GiB on, code is
    /// interpreted.
    pub address_bits: u32,
    /// Instruction sets of the host that the translator may use.
    pub host_features: HostFeatures,
    /// Bytes of the code arena, hot and cold together.
    pub arena_size: usize,
    /// Accrued floating-point flags are exact from the start. Otherwise they are so from the moment
    /// on at which the guest looks at them for the first time; before that, an aarch64 host may
    /// accrue an underflow that RISC-V, which detects tininess after rounding, does not.
    pub exact_flags: bool,
    /// How often a block is entered that goes back to the beginning of a loop before the loop is
    /// translated as a whole, with [`EngineKind::Regions`].
    pub hot_entries: u32,
    /// The process has signal handlers without `SA_ONSTACK`, or may get some: translated code keeps
    /// room for them on its stack, which costs a load for each call.
    pub foreign_handlers: bool,
    /// Exceptions of floating point may trap, which tells accrued flags without reading the host's
    /// word for them. Without, entering and leaving translated code takes 30 ns less on some hosts.
    pub fp_traps: bool,
    /// Environment calls in translated code are calls of a function
    /// ([`run_served`](super::run_served)), so that they can be served without leaving it.
    pub serve_calls: bool,
    /// Harts have budgets of instructions ([`Cpu::set_fuel`](super::Cpu::set_fuel)). Not for
    /// engines that check another.
    pub meter: bool,
    /// Translated code counts how often its parts are executed, and runs at half its speed or less.
    pub count: bool,
    /// Translated code of these ranges counts transitions between its parts.
    pub edges: Option<Arc<Edges>>,
    /// Translated code notes which of its parts are executed instead; `count` has no effect then.
    pub mark: bool,
    /// The observer is told of each instruction, which the interpreter executes until the observer
    /// has enough.
    pub trace: bool,
    /// Translations in files are used, unless these options or an observer ask for other code than
    /// usual.
    pub kept_code: Option<Arc<KeptCode>>,
    /// The time that translation takes is measured, which takes time itself.
    pub measure: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            engine: EngineKind::default(),
            isa: Isa::default(),
            mode: Mode::Identity,
            address_bits: 38,
            host_features: HostFeatures::detect(),
            arena_size: 128 << 20,
            exact_flags: false,
            hot_entries: 16_000,
            foreign_handlers: false,
            fp_traps: true,
            serve_calls: false,
            meter: false,
            count: false,
            edges: None,
            mark: false,
            trace: false,
            kept_code: None,
            measure: false,
        }
    }
}
