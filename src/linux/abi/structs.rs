//! Layouts of the structures that system calls take and fill.

macro_rules! layouts {
    ($($(#[$doc:meta])* $name:ident = $size:literal { $($(#[$fdoc:meta])* $field:ident: $ty:ty,)* })*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq)]
            #[repr(C)]
            #[allow(missing_docs, reason = "the fields of the kernel's structure of that name")]
            pub struct $name { $($(#[$fdoc])* pub $field: $ty,)* }
        )*

        #[cfg(test)]
        mod layout {
            use super::*;

            #[test]
            fn sizes_are_the_kernels_and_leave_no_padding() {
                $(
                    assert_eq!(size_of::<$name>(), $size, stringify!($name));
                    let fields = 0 $(+ size_of::<$ty>())*;
                    assert_eq!(fields, $size, "padding in {}", stringify!($name));
                )*
            }
        }
    };
}

layouts! {
    /// `struct timespec`.
    TimeSpec = 16 { tv_sec: i64, tv_nsec: i64, }
    /// `struct timeval`.
    TimeVal = 16 { tv_sec: i64, tv_usec: i64, }
    /// `struct itimerspec`.
    ITimerSpec = 32 { it_interval: TimeSpec, it_value: TimeSpec, }
    /// `struct itimerval`.
    ITimerVal = 32 { it_interval: TimeVal, it_value: TimeVal, }
    /// `struct iovec`.
    IoVec = 16 { base: u64, len: u64, }
    /// `struct stat` of `asm-generic/stat.h`, which x86-64 does not share.
    Stat = 128 {
        st_dev: u64, st_ino: u64, st_mode: u32, st_nlink: u32, st_uid: u32, st_gid: u32,
        st_rdev: u64, pad1: u64, st_size: i64, st_blksize: i32, pad2: i32, st_blocks: i64,
        st_atime: i64, st_atime_nsec: u64, st_mtime: i64, st_mtime_nsec: u64,
        st_ctime: i64, st_ctime_nsec: u64, unused: [u32; 2],
    }
    /// `struct sigaction`: riscv has no `sa_restorer`.
    SigAction = 24 { handler: u64, flags: u64, mask: u64, }
    /// `sigset_t` of the kernel: bit `n - 1` is signal `n`.
    SigSet = 8 { bits: u64, }
    /// `siginfo_t`: number, error, code, then a union, here as 64-bit words from offset 16.
    SigInfo = 128 { signo: i32, errno: i32, code: i32, pad: i32, fields: [u64; 14], }
    /// `stack_t`.
    SigStack = 24 { sp: u64, flags: i32, pad: i32, size: u64, }
    /// `struct sigcontext`: pc and x1..x31, then the D extension's state, of which fcsr is
    /// `fcsr`, within a union of 528 bytes; its last 12 are a word that is 0 and the header of the
    /// first record of an extension.
    SigContext = 784 { pc: u64, x: [u64; 31], f: [u64; 32], fcsr: u32, pad: [u32; 3], reserved: [u64; 32], }
    /// `struct ucontext`: `sigmask` may grow to 1024 bits, for which there is room.
    UContext = 960 {
        flags: u64, link: u64, stack: SigStack, sigmask: u64, unused: [u64; 15], pad: u64,
        mcontext: SigContext,
    }
    /// `struct __riscv_v_ext_state`, which the vector registers follow.
    VectorContext = 48 { vstart: u64, vl: u64, vtype: u64, vcsr: u64, vlenb: u64, datap: u64, }
    /// `struct rlimit64`.
    RLimit = 16 { cur: u64, max: u64, }
    /// `struct epoll_event`: packed on x86-64 only.
    EpollEvent = 16 { events: u32, pad: u32, data: u64, }
    /// `struct clone_args`, all of it.
    CloneArgs = 88 {
        flags: u64, pidfd: u64, child_tid: u64, parent_tid: u64, exit_signal: u64, stack: u64,
        stack_size: u64, tls: u64, set_tid: u64, set_tid_size: u64, cgroup: u64,
    }
    /// `struct new_utsname`.
    UtsName = 390 {
        sysname: [u8; 65], nodename: [u8; 65], release: [u8; 65], version: [u8; 65],
        machine: [u8; 65], domainname: [u8; 65],
    }
    /// `struct sysinfo`.
    SysInfo = 112 {
        uptime: i64, loads: [u64; 3], totalram: u64, freeram: u64, sharedram: u64, bufferram: u64,
        totalswap: u64, freeswap: u64, procs: u16, pad: [u16; 3], totalhigh: u64, freehigh: u64,
        mem_unit: u32, tail: u32,
    }
    /// `struct riscv_hwprobe`.
    HwProbe = 16 { key: i64, value: u64, }
    /// `struct open_how`.
    OpenHow = 24 { flags: u64, mode: u64, resolve: u64, }
    /// `struct user_msghdr`.
    MsgHdr = 56 {
        name: u64, namelen: u32, pad: u32, iov: u64, iovlen: u64, control: u64, controllen: u64,
        flags: u32, pad2: u32,
    }
    /// `struct mmsghdr`.
    MMsgHdr = 64 { hdr: MsgHdr, len: u32, pad: u32, }
    /// `struct statx_timestamp`.
    StatxTime = 16 { sec: i64, nsec: u32, pad: i32, }
    /// `struct statx`: the same on all hosts.
    Statx = 256 {
        mask: u32, blksize: u32, attributes: u64, nlink: u32, uid: u32, gid: u32, mode: u16,
        pad: u16, ino: u64, size: u64, blocks: u64, attributes_mask: u64, atime: StatxTime,
        btime: StatxTime, ctime: StatxTime, mtime: StatxTime, rdev_major: u32, rdev_minor: u32,
        dev_major: u32, dev_minor: u32, mnt_id: u64, dio_mem_align: u32, dio_offset_align: u32,
        spare: [u64; 12],
    }
    /// `struct xattr_args`.
    XattrArgs = 16 { value: u64, size: u32, flags: u32, }
    /// `struct sigevent`.
    SigEvent = 64 { value: u64, signo: i32, notify: i32, tid: i32, pad: [i32; 11], }
}

/// Number of signals; they are numbered from 1 (`asm-generic/signal.h`, as on all our hosts).
pub const NSIG: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn register_context_lies_where_the_kernel_puts_it() {
        assert_eq!(std::mem::offset_of!(UContext, sigmask), 40);
        assert_eq!(std::mem::offset_of!(UContext, mcontext), 176);
        assert_eq!(std::mem::offset_of!(SigContext, f), 256);
        assert_eq!(std::mem::offset_of!(SigContext, fcsr), 512);
    }
}
