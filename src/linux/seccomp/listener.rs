//! Listeners of filters (seccomp_unotify(2)): calls of the guest that another process answers.
//!
//! The host's kernel does the work: who waits, who is told, whose descriptors are added. A thread
//! with a listener has a filter of the host too, which asks for one number that no kernel has
//! ([`ASKED`]); when one of the guest's filters wants its listener asked, the host's call of that
//! number is made with the guest's arguments. A chain of filters has at most one listener, so one
//! number is enough.

use crate::linux::abi::{Errno, Fd, GuestPtr, SysResult};
use crate::linux::args::host;
use crate::linux::host::{HostArg, address_of, host_call};
use crate::linux::process::Thread;
use crate::linux::seccomp::filter::{ARCH, RET_ALLOW};
use crate::linux::task::futex;
use crate::sys::robust::{self, Told};

/// Upper half of the host's number for a call that a listener is asked about; the lower half is
/// the guest's number.
const ASKED: u32 = 0x5256_0000;
const NUMBER: u32 = 0xffff;
const RET_USER_NOTIF: u32 = 0x7fc0_0000;
/// What a listener that lets a call be made answers to the host instead, which would make its own
/// call of that number: no error number of any kernel.
const CONTINUE: i32 = -0x5256_4e43;
/// `SECCOMP_USER_NOTIF_FLAG_CONTINUE`.
const FLAG_CONTINUE: u32 = 1;
const SET_MODE_FILTER: u64 = 1;

/// Gives the calling thread a host filter with a listener; `flags` are those of seccomp(2).
/// Returns the descriptor.
///
/// # Errors
/// The host's.
pub(crate) fn listen(flags: u32) -> SysResult {
    install(flags, RET_USER_NOTIF)
}

/// Gives all threads the attribute `no_new_privs`, if the calling one has it and the host's kernel
/// finds that they may have it, as a filter for all threads does.
pub(crate) fn share_no_new_privs() {
    const FLAG_TSYNC: u32 = 1;
    // What is refused here has no effect on any filter.
    let _ = install(FLAG_TSYNC, RET_ALLOW);
}

/// Installs a filter that allows all calls, and decides `action` about [`ASKED`].
fn install(flags: u32, action: u32) -> SysResult {
    let insn = |code: u16, yes: u8, no: u8, k: u32| {
        u64::from(code) | u64::from(yes) << 16 | u64::from(no) << 24 | u64::from(k) << 32
    };
    let program = [
        insn(0x20, 0, 0, 0),
        insn(0x54, 0, 0, !NUMBER),
        insn(0x15, 0, 1, ASKED),
        insn(0x06, 0, 0, action),
        insn(0x06, 0, 0, RET_ALLOW),
    ];
    let description = [program.len() as u64, address_of(&program)];
    let args = [SET_MODE_FILTER.into(), flags.into(), HostArg::of(&description)];
    host_call(libc::SYS_seccomp, &args)
}

/// Asks the listener about the call that the thread is about to make. `None`: it is to be made.
pub(crate) fn ask(t: &mut Thread) -> Option<SysResult> {
    let pc = t.cpu.hart().pc.wrapping_add(4);
    futex::tell_others(t, pc);
    let number = ASKED | t.syscall_number() as u32 & NUMBER;
    let result = t.host(i64::from(number), &t.args().map(HostArg::value));
    (result != Ok(i64::from(CONTINUE) as u64)).then_some(result)
}

/// `SECCOMP_IOCTL_NOTIF_RECV`: what the host tells about its call is put in the guest's terms.
/// The place of the call its thread tells those who may look into its process; to others it is 0.
pub(crate) fn receive(t: &Thread, fd: Fd, request: u32, arg: u64) -> SysResult {
    /// Bytes of `struct seccomp_notif`, and where the thread's id, number and architecture, and
    /// the place are.
    const SIZE: u64 = 80;
    const THREAD: u64 = 8;
    const CALL: u64 = 16;
    const PLACE: u64 = 24;
    let result = host!(t, SYS_ioctl, fd, request, t.output(arg, SIZE)?)?;
    let call = GuestPtr::<[u32; 2]>::new(arg.wrapping_add(CALL));
    let [number, _] = call.read(t.memory())?;
    if number & !NUMBER == ASKED {
        call.write(t.memory(), &[number & NUMBER, ARCH])?;
        let tid = GuestPtr::<i32>::new(arg.wrapping_add(THREAD)).read(t.memory())?;
        // One that is not in our name space has no id here.
        let told = if tid == 0 { Told::default() } else { robust::told(tid).unwrap_or_default() };
        GuestPtr::<u64>::new(arg.wrapping_add(PLACE)).write(t.memory(), &told.pc)?;
    }
    Ok(result)
}

/// `SECCOMP_IOCTL_NOTIF_SEND`.
pub(crate) fn answer(t: &Thread, fd: Fd, request: u32, arg: u64) -> SysResult {
    // `struct seccomp_notif_resp`: id, value, error and flags.
    let [id, value, last] = GuestPtr::<[u64; 3]>::new(arg).read(t.memory())?;
    let (error, flags) = (last as u32, (last >> 32) as u32);
    let mut response = [id, value, last];
    if flags == FLAG_CONTINUE {
        if error != 0 || value != 0 {
            return Err(Errno::EINVAL);
        }
        response[2] = u64::from(CONTINUE as u32);
    }
    host!(t, SYS_ioctl, fd, request, HostArg::of(&response))
}
