//! How a machine is set up.

use super::select::HostFeatures;
use crate::isa::Isa;
use crate::mem::Mode;

/// What executes guest code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EngineKind {
    /// The interpreter alone.
    Interpreter,
    /// The block translator.
    Baseline,
    /// The block translator with the interpreter in lockstep: each block is executed by both, and
    /// a difference ends the process with a report. One hart runs at a time, at a
    /// sixth of the interpreter's speed.
    Verify,
}

/// Set-up of a machine.
#[derive(Clone, Debug)]
pub struct Options {
    /// What executes guest code.
    pub engine: EngineKind,
    /// What the guest may use.
    pub isa: Isa,
    /// How guest addresses become host addresses. Where `Mode::Identity` cannot be had it is
    /// `Mode::Guarded`.
    pub mode: Mode,
    /// Size of the guest's address space as a power of two, 20 to 47. Less is taken if the host
    /// has no more addresses to give. `Mode::Sandbox` always has 32. From 512 GiB on, code is
    /// interpreted.
    pub address_bits: u32,
    /// What the translator may use of the host.
    pub host_features: HostFeatures,
    /// Bytes of the code arena, hot and cold together.
    pub arena_size: usize,
    /// Accrued floating-point flags are exact from the start. Otherwise they are so from the moment
    /// on at which the guest looks at them for the first time; before that, an aarch64 host may
    /// accrue an underflow that RISC-V, which detects tininess after rounding, does not.
    pub exact_flags: bool,
    /// The process has signal handlers without `SA_ONSTACK`, or may get some: translated code keeps
    /// room for them on its stack, which costs a load for each call.
    pub foreign_handlers: bool,
    /// Translated code counts how often its parts are executed, and runs at half its speed or less.
    pub count: bool,
    /// The time that translation takes is measured, which takes time itself.
    pub measure: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            engine: EngineKind::Baseline,
            isa: Isa::default(),
            mode: Mode::Identity,
            address_bits: 38,
            host_features: HostFeatures::detect(),
            arena_size: 128 << 20,
            exact_flags: false,
            foreign_handlers: false,
            count: false,
            measure: false,
        }
    }
}
