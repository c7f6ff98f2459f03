//! The memory that translated code works on besides the guest's own.

use crate::cpu::Hart;
use crate::sys::ucontext::Registers;

/// The state pointer in translated code points this many bytes into [`ThreadState`], so that all
/// integer registers are within reach of an 8-bit displacement.
pub const STATE_BIAS: usize = 128;

/// Bytes that stay free below the stack of return addresses while code runs that looks for them
/// before each push ([`super::EmitContext::handler_room`]). The kernel puts the frames of signal
/// handlers without `SA_ONSTACK` there, and the handlers run there.
pub const HANDLER_ROOM: usize = 256 << 10;

/// Displacement from the state pointer of a guest integer register's slot.
#[must_use]
pub const fn slot(r: u8) -> i32 {
    r as i32 * 8 - STATE_BIAS as i32
}

/// Displacement from the state pointer of a guest floating-point register's slot.
#[must_use]
pub const fn float_slot(r: u8) -> i32 {
    256 + r as i32 * 8 - STATE_BIAS as i32
}

/// Displacement from the state pointer of a field of [`ThreadState`].
macro_rules! field {
    ($($name:tt)+) => {
        std::mem::offset_of!($crate::backend::ThreadState, $($name)+) as i32
            - $crate::backend::STATE_BIAS as i32
    };
}
pub(crate) use field;

/// Why translated code was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum ExitReason {
    /// `payload` is a link id: its target is not translated, or not linked yet.
    Link = 0,
    /// `payload` is a guest address that the table does not know.
    Lookup = 1,
    /// `hart.pc` and `payload` (an `ir::ExitKind`) say why.
    Exit = 2,
    /// The interpreter was called and has stored an exit for the runtime.
    Helper = 3,
    /// A host fault; registers are in `fault`.
    Fault = 4,
    /// The function that the enter-call stub has called has returned.
    Return = 5,
    /// An environment call, at `hart.pc`: the function at [`ThreadState::serve`] has not let
    /// translated code go on.
    Serve = 6,
    /// At the entry of a block that costs more instructions than are left; `hart.pc` is its.
    Fuel = 7,
    /// At the entry of a block, `hart.pc`, which has counted as often as it should; `payload` is
    /// [`Countdown::payload`](super::Countdown::payload).
    Hot = 8,
}

impl ExitReason {
    /// From the number that the enter stub returns.
    #[must_use]
    pub fn from_raw(n: u64) -> Self {
        match n {
            0 => Self::Link,
            1 => Self::Lookup,
            2 => Self::Exit,
            3 => Self::Helper,
            5 => Self::Return,
            6 => Self::Serve,
            7 => Self::Fuel,
            8 => Self::Hot,
            _ => Self::Fault,
        }
    }
}

/// One hart's state as translated code sees it. Fields after `hart` belong to the runtime.
#[derive(Debug)]
#[repr(C, align(4096))]
pub struct ThreadState {
    /// Architectural state. At offset 0: emitters rely on it.
    pub hart: Hart,
    /// Host address of guest address 0.
    pub memory_base: u64,
    /// Table from guest pc / 2 to arena offset; 0 = not translated.
    pub table: u64,
    /// Host address of the executable view of the arena.
    pub arena: u64,
    /// First guest pc / 2 that has no table entry. 0 makes every indirect jump leave.
    pub table_limit: u64,
    /// Host stack pointer to return to.
    pub host_sp: u64,
    /// Pointer into the stack of return addresses while translated code is not running.
    pub return_sp: u64,
    /// Its empty position, at which the sentinel lies.
    pub return_top: u64,
    /// What was left with; see [`ExitReason`].
    pub payload: u64,
    /// Address of the function that the helper stub calls.
    pub helper: u64,
    /// What that function needs; the runtime's own.
    pub context: u64,
    /// Floating-point control and status register (x86-64: MXCSR) of the guest.
    pub guest_fp: u32,
    /// The same of the host.
    pub host_fp: u32,
    /// x86-64: all accrued flags, or, if [`FLAGS_UNKNOWN`] is set, some of them. aarch64:
    /// `guest_fp` as of the latest entry into translated code or write of the flags by it: which
    /// flags are known to be accrued.
    pub known_fp: u64,
    /// What `guest_fp` has besides rounding mode and flags: where exceptions may trap, the bits
    /// that keep those of flags not yet set from doing so, or 0.
    pub no_traps: u32,
    /// Exceptions that have trapped.
    pub fp_traps: u32,
    /// Place for `stmxcsr` and the like.
    pub scratch: u64,
    /// [`CONSTANTS`].
    pub constants: Constants,
    /// RISC-V's accrued flags for each value of the low six bits of `guest_fp`.
    pub flags_of_word: [u8; 64],
    /// `guest_fp` for each set of accrued flags, rounding to nearest.
    pub word_of_flags: [u32; 32],
    /// Registers that code which counts uses, meanwhile.
    pub counting: [u64; 2],
    /// Host address at which translated code that faults goes on, whatever the fault, if it is not
    /// 0.
    pub recovery: u64,
    /// Address of `extern "C" fn(u64) -> u64`: what a [`Counter`](crate::util::Counter) is at. It
    /// computes with integers only.
    pub counter: u64,
    /// Instructions that are left, with [`EmitContext::meter`](super::EmitContext::meter).
    pub fuel: i64,
    /// Of those, what no block may take: 0, or all if the hart is to be stopped.
    pub fuel_floor: i64,
    /// Address of the function that the serve stub calls.
    pub serve: u64,
    /// What that function needs; the runtime's own.
    pub frame: u64,
    /// Guest address to which functions return that the enter-call stub calls.
    pub call_return: u64,
    /// What the fault handler saved.
    pub fault: Registers,
    /// Half the place of the part of code that was executed last ([`EmitContext::edges`]).
    ///
    /// [`EmitContext::edges`]: crate::backend::EmitContext::edges
    pub edge: u64,
}

/// In [`ThreadState::known_fp`] of x86-64: there may be flags that only MXCSR knows.
pub const FLAGS_UNKNOWN: u64 = 0x80;

/// Constants, aligned so that vector instructions can take them from memory.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(16))]
pub struct Constants(pub [u64; 16]);

/// 16-byte constants that floating-point code takes from the state, low half first.
pub const CONSTANTS: Constants = Constants([
    // Upper half of a NaN-boxed single.
    0xffff_ffff_0000_0000,
    0,
    // Sign of a double.
    1 << 63,
    0,
    // All but the sign of a double.
    !(1 << 63),
    0,
    // Sign of a single.
    1 << 31,
    0,
    // All but the sign of a single, boxed.
    !(1 << 31),
    0,
    // Canonical NaN, double.
    0x7ff8_0000_0000_0000,
    0,
    // Canonical NaN, single, boxed.
    0xffff_ffff_7fc0_0000,
    0,
    // Infinity, double, shifted left by one.
    0xffe0_0000_0000_0000,
    0,
]);
