//! Numbers and layouts of the riscv64 Linux ABI (kernel: `include/uapi/asm-generic`,
//! `arch/riscv/include/uapi/asm`), and typed system call arguments.
//!
//! Everything in `linux` may import this; it imports nothing of it.

mod errno;
mod guest;
mod pod;
mod structs;

pub use errno::{Errno, SysResult};
pub use guest::{Fd, FromArg, GuestCStr, GuestPtr, PATH_MAX};
pub use pod::Pod;
pub use structs::{
    CloneArgs, EpollEvent, HwProbe, ITimerSpec, ITimerVal, IoVec, MMsgHdr, MsgHdr, NSIG, OpenHow,
    RLimit, SigAction, SigContext, SigEvent, SigInfo, SigSet, SigStack, Stat, Statx, StatxTime,
    SysInfo, TimeSpec, TimeVal, UContext, UtsName, VectorContext, XattrArgs,
};
