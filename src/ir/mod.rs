//! The operations a block is made of: between guest instructions and host code.
//!
//! An operation works on guest registers by number; there are no temporaries and no SSA. It knows
//! no RISC-V encoding (two instructions that do the same are the same operation) and no host.
//! Deliberately absent: flags, delay slots, implicit state other than the accrued FP flags and
//! the dynamic rounding mode, which FP operations use as the hart does.
//!
//! Reading order: `op` (operations), `float` (those of floating point), `vector` (operands of
//! vector ones), `bytes` (of words that were loaded), `defs_uses` (which registers they read and
//! write), `class` (what they have in common), `block` (how they are put together), `region` (loops
//! of several blocks), `print` (how they read), `eval` (what they mean), `verify` (what holds in
//! every block).

mod block;
mod bytes;
mod class;
mod defs_uses;
mod eval;
mod eval_float;
mod float;
mod op;
mod parse;
mod print;
mod region;
mod syntax;
mod vector;
mod verify;

pub use block::{Block, Builder, Node, Vectors};
pub use bytes::Bytes;
pub use class::OpClass;
pub use eval::{Flow, Memory, Registers, eval};
pub use float::{FBinOp, FCmpOp, FSelectOp, FUnOp, Fmt, IntFmt, Rounding};
pub use op::{
    AmoOp, BinOp, Cond, ExitKind, FReg, Fence, LoadKind, MemSize, Op, Reg, Src, UnOp, Width,
};
pub use parse::ParseError;
pub use region::Region;
pub use vector::{VBinOp, VConfig, VFused, VGroup, VSrc};
pub use verify::{VerifyError, verify};
