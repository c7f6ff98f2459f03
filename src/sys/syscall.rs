//! Raw host system calls, with and without a race-free way to interrupt them.
#![allow(unsafe_code, reason = "issues system calls")]
//! # Safety
//! What a system call does to memory is its caller's promise. The interruptible routine keeps
//! everything in registers and on the caller's stack; between its parts `BEGIN` and `END` it may
//! be left for `ABORT`, since the system call has then not been made, or the kernel has set the pc
//! back to make it again.

use crate::util::HostAddr;
use std::sync::atomic::AtomicU32;

// In: rdi flag, rsi number, rdx pointer to six arguments. The test of the flag and the entry into
// the kernel are one step for signal handlers: a handler that finds the pc between the two labels
// moves it to `abort`.
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
unsafe extern "C" fn syscall(flag: *const AtomicU32, number: i64, args: *const [u64; 6]) -> i64 {
    std::arch::naked_asm!(
        "20: mov r11, rdi",
        "mov rax, rsi",
        "mov rcx, rdx",
        "mov rdi, [rcx]",
        "mov rsi, [rcx + 8]",
        "mov rdx, [rcx + 16]",
        "mov r10, [rcx + 24]",
        "mov r8, [rcx + 32]",
        "mov r9, [rcx + 40]",
        ".org 20b + {begin}",
        "cmp dword ptr [r11], 0",
        "jne 21f",
        "syscall",
        ".org 20b + {end}",
        "ret",
        ".org 20b + {abort}",
        "21: mov rax, -513",
        "ret",
        begin = const BEGIN,
        end = const END,
        abort = const ABORT,
    )
}
/// Where the parts of [`syscall`] are: the test of the flag, what is behind the entry into the
/// kernel, and where it is left instead.
#[cfg(target_arch = "x86_64")]
const PARTS: [usize; 3] = [32, 40, 48];

/// What the kernel returns to from a handler: rt_sigreturn.
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
unsafe extern "C" fn sigreturn() {
    std::arch::naked_asm!("mov eax, 15", "syscall", "ud2")
}

#[cfg(target_arch = "aarch64")]
#[unsafe(naked)]
unsafe extern "C" fn syscall(flag: *const AtomicU32, number: i64, args: *const [u64; 6]) -> i64 {
    std::arch::naked_asm!(
        "20: mov x9, x0",
        "mov x8, x1",
        "mov x10, x2",
        "ldp x0, x1, [x10]",
        "ldp x2, x3, [x10, #16]",
        "ldp x4, x5, [x10, #32]",
        ".org 20b + {begin}",
        "ldr w10, [x9]",
        "cbnz w10, 21f",
        "svc #0",
        ".org 20b + {end}",
        "ret",
        ".org 20b + {abort}",
        "21: mov x0, #-513",
        "ret",
        begin = const BEGIN,
        end = const END,
        abort = const ABORT,
    )
}
/// As on x86-64.
#[cfg(target_arch = "aarch64")]
const PARTS: [usize; 3] = [24, 36, 40];

/// As on x86-64.
#[cfg(target_arch = "aarch64")]
#[unsafe(naked)]
unsafe extern "C" fn sigreturn() {
    std::arch::naked_asm!("mov x8, #139", "svc #0", "brk #0")
}

const BEGIN: usize = PARTS[0];
const END: usize = PARTS[1];
const ABORT: usize = PARTS[2];

/// What [`interruptible`] returns instead of a result if the call has not been made, or must be
/// made again after a signal: the kernel's own number for that (`ERESTARTNOINTR`), negated, which
/// no system call returns to user space.
pub const NOT_MADE: i64 = -513;

static NEVER: AtomicU32 = AtomicU32::new(0);

/// Makes the host's system call `number`. Returns its value or a negated error number.
///
/// # Safety
/// The call must not damage memory that Rust objects live in.
pub unsafe fn raw(number: i64, args: [u64; 6]) -> i64 {
    // The flag is never set; a handler that leaves the call by `abort_pc` has us make it again.
    loop {
        // SAFETY: the caller's promise.
        let result = unsafe { syscall(&raw const NEVER, number, &raw const args) };
        if result != NOT_MADE {
            return result;
        }
    }
}

/// As [`raw`], unless `flag` is not zero at the moment of entering the kernel: then
/// [`NOT_MADE`]. A signal handler that sets the flag and applies [`abort_pc`] cannot lose the race
/// against the entry. Also [`NOT_MADE`]: a call that the kernel would make again after a handler
/// installed with `SA_RESTART`.
///
/// # Safety
/// As for [`raw`].
pub unsafe fn interruptible(flag: &AtomicU32, number: i64, args: [u64; 6]) -> i64 {
    // SAFETY: the caller's promise.
    unsafe { syscall(flag, number, &raw const args) }
}

/// For a signal handler that was entered at `pc`: where to continue if a system call was about to
/// be made, or to be made again.
#[must_use]
pub fn abort_pc(pc: HostAddr) -> Option<HostAddr> {
    let start = syscall as *const () as usize;
    (start + BEGIN..start + END).contains(&pc.0).then_some(HostAddr(start + ABORT))
}

/// Address of code that returns from a signal handler, for `sa_restorer`.
#[must_use]
pub fn sigreturn_trampoline() -> HostAddr {
    HostAddr(sigreturn as *const () as usize)
}

/// The host's number of `io_pgetevents`, which the C library does not name.
#[cfg(target_arch = "x86_64")]
pub const IO_PGETEVENTS: i64 = 333;
/// The host's number of `io_pgetevents`, which the C library does not name.
#[cfg(target_arch = "aarch64")]
pub const IO_PGETEVENTS: i64 = 292;

/// Bytes of the kernel's old type of device numbers (`__kernel_old_dev_t`).
#[cfg(target_arch = "x86_64")]
pub const OLD_DEVICE: usize = 8;
/// Bytes of the kernel's old type of device numbers (`__kernel_old_dev_t`).
#[cfg(target_arch = "aarch64")]
pub const OLD_DEVICE: usize = 4;

/// From this number on all architectures number system calls alike.
const COMMON: u16 = 424;

/// The host's number of the system call that `asm-generic/unistd.h` (and riscv64) numbers
/// `generic`; `None` if the host has none.
#[must_use]
#[cfg(target_arch = "aarch64")]
pub fn host_number(generic: u16) -> Option<i64> {
    (generic < 244 || (260..295).contains(&generic) || generic >= COMMON)
        .then_some(i64::from(generic))
}

/// The host's number of the system call that `asm-generic/unistd.h` (and riscv64) numbers
/// `generic`; `None` if the host has none.
#[must_use]
#[cfg(target_arch = "x86_64")]
#[inline]
pub fn host_number(generic: u16) -> Option<i64> {
    /// By the generic number; -1: none.
    static HOST: [i16; COMMON as usize] = {
        let mut all = [-1; COMMON as usize];
        let mut i = 0;
        while i < NUMBERS.len() {
            all[NUMBERS[i].0 as usize] = NUMBERS[i].1 as i16;
            i += 1;
        }
        all
    };
    match HOST.get(usize::from(generic)) {
        None => Some(i64::from(generic)),
        Some(-1) => None,
        Some(&number) => Some(i64::from(number)),
    }
}

#[cfg(target_arch = "x86_64")]
macro_rules! numbers {
    ($($generic:literal $host:ident;)*) => {
        const NUMBERS: &[(u16, i64)] = &[$(($generic, libc::$host)),*];
    };
}
#[cfg(target_arch = "x86_64")]
numbers! {
    0 SYS_io_setup; 1 SYS_io_destroy; 2 SYS_io_submit; 3 SYS_io_cancel; 4 SYS_io_getevents;
    5 SYS_setxattr; 6 SYS_lsetxattr; 7 SYS_fsetxattr; 8 SYS_getxattr; 9 SYS_lgetxattr;
    10 SYS_fgetxattr; 11 SYS_listxattr; 12 SYS_llistxattr; 13 SYS_flistxattr; 14 SYS_removexattr;
    15 SYS_lremovexattr; 16 SYS_fremovexattr; 17 SYS_getcwd; 18 SYS_lookup_dcookie;
    19 SYS_eventfd2; 20 SYS_epoll_create1; 21 SYS_epoll_ctl; 22 SYS_epoll_pwait; 23 SYS_dup;
    24 SYS_dup3; 25 SYS_fcntl; 26 SYS_inotify_init1; 27 SYS_inotify_add_watch;
    28 SYS_inotify_rm_watch; 29 SYS_ioctl; 30 SYS_ioprio_set; 31 SYS_ioprio_get; 32 SYS_flock;
    33 SYS_mknodat; 34 SYS_mkdirat; 35 SYS_unlinkat; 36 SYS_symlinkat; 37 SYS_linkat;
    39 SYS_umount2; 40 SYS_mount; 41 SYS_pivot_root; 42 SYS_nfsservctl; 43 SYS_statfs;
    44 SYS_fstatfs; 45 SYS_truncate; 46 SYS_ftruncate; 47 SYS_fallocate; 48 SYS_faccessat;
    49 SYS_chdir; 50 SYS_fchdir; 51 SYS_chroot; 52 SYS_fchmod; 53 SYS_fchmodat; 54 SYS_fchownat;
    55 SYS_fchown; 56 SYS_openat; 57 SYS_close; 58 SYS_vhangup; 59 SYS_pipe2; 60 SYS_quotactl;
    61 SYS_getdents64; 62 SYS_lseek; 63 SYS_read; 64 SYS_write; 65 SYS_readv; 66 SYS_writev;
    67 SYS_pread64; 68 SYS_pwrite64; 69 SYS_preadv; 70 SYS_pwritev; 71 SYS_sendfile;
    72 SYS_pselect6; 73 SYS_ppoll; 74 SYS_signalfd4; 75 SYS_vmsplice; 76 SYS_splice; 77 SYS_tee;
    78 SYS_readlinkat; 79 SYS_newfstatat; 80 SYS_fstat; 81 SYS_sync; 82 SYS_fsync;
    83 SYS_fdatasync; 84 SYS_sync_file_range; 85 SYS_timerfd_create; 86 SYS_timerfd_settime;
    87 SYS_timerfd_gettime; 88 SYS_utimensat; 89 SYS_acct; 90 SYS_capget; 91 SYS_capset;
    92 SYS_personality; 93 SYS_exit; 94 SYS_exit_group; 95 SYS_waitid; 96 SYS_set_tid_address;
    97 SYS_unshare; 98 SYS_futex; 99 SYS_set_robust_list; 100 SYS_get_robust_list;
    101 SYS_nanosleep; 102 SYS_getitimer; 103 SYS_setitimer; 104 SYS_kexec_load;
    105 SYS_init_module; 106 SYS_delete_module; 107 SYS_timer_create; 108 SYS_timer_gettime;
    109 SYS_timer_getoverrun; 110 SYS_timer_settime; 111 SYS_timer_delete; 112 SYS_clock_settime;
    113 SYS_clock_gettime; 114 SYS_clock_getres; 115 SYS_clock_nanosleep; 116 SYS_syslog;
    117 SYS_ptrace; 118 SYS_sched_setparam; 119 SYS_sched_setscheduler;
    120 SYS_sched_getscheduler; 121 SYS_sched_getparam; 122 SYS_sched_setaffinity;
    123 SYS_sched_getaffinity; 124 SYS_sched_yield; 125 SYS_sched_get_priority_max;
    126 SYS_sched_get_priority_min; 127 SYS_sched_rr_get_interval; 128 SYS_restart_syscall;
    129 SYS_kill; 130 SYS_tkill; 131 SYS_tgkill; 132 SYS_sigaltstack; 133 SYS_rt_sigsuspend;
    134 SYS_rt_sigaction; 135 SYS_rt_sigprocmask; 136 SYS_rt_sigpending; 137 SYS_rt_sigtimedwait;
    138 SYS_rt_sigqueueinfo; 139 SYS_rt_sigreturn; 140 SYS_setpriority; 141 SYS_getpriority;
    142 SYS_reboot; 143 SYS_setregid; 144 SYS_setgid; 145 SYS_setreuid; 146 SYS_setuid;
    147 SYS_setresuid; 148 SYS_getresuid; 149 SYS_setresgid; 150 SYS_getresgid; 151 SYS_setfsuid;
    152 SYS_setfsgid; 153 SYS_times; 154 SYS_setpgid; 155 SYS_getpgid; 156 SYS_getsid;
    157 SYS_setsid; 158 SYS_getgroups; 159 SYS_setgroups; 160 SYS_uname; 161 SYS_sethostname;
    162 SYS_setdomainname; 163 SYS_getrlimit; 164 SYS_setrlimit; 165 SYS_getrusage; 166 SYS_umask;
    167 SYS_prctl; 168 SYS_getcpu; 169 SYS_gettimeofday; 170 SYS_settimeofday; 171 SYS_adjtimex;
    172 SYS_getpid; 173 SYS_getppid; 174 SYS_getuid; 175 SYS_geteuid; 176 SYS_getgid;
    177 SYS_getegid; 178 SYS_gettid; 179 SYS_sysinfo; 180 SYS_mq_open; 181 SYS_mq_unlink;
    182 SYS_mq_timedsend; 183 SYS_mq_timedreceive; 184 SYS_mq_notify; 185 SYS_mq_getsetattr;
    186 SYS_msgget; 187 SYS_msgctl; 188 SYS_msgrcv; 189 SYS_msgsnd; 190 SYS_semget;
    191 SYS_semctl; 192 SYS_semtimedop; 193 SYS_semop; 194 SYS_shmget; 195 SYS_shmctl;
    196 SYS_shmat; 197 SYS_shmdt; 198 SYS_socket; 199 SYS_socketpair; 200 SYS_bind;
    201 SYS_listen; 202 SYS_accept; 203 SYS_connect; 204 SYS_getsockname; 205 SYS_getpeername;
    206 SYS_sendto; 207 SYS_recvfrom; 208 SYS_setsockopt; 209 SYS_getsockopt; 210 SYS_shutdown;
    211 SYS_sendmsg; 212 SYS_recvmsg; 213 SYS_readahead; 214 SYS_brk; 215 SYS_munmap;
    216 SYS_mremap; 217 SYS_add_key; 218 SYS_request_key; 219 SYS_keyctl; 220 SYS_clone;
    221 SYS_execve; 222 SYS_mmap; 223 SYS_fadvise64; 224 SYS_swapon; 225 SYS_swapoff;
    226 SYS_mprotect; 227 SYS_msync; 228 SYS_mlock; 229 SYS_munlock; 230 SYS_mlockall;
    231 SYS_munlockall; 232 SYS_mincore; 233 SYS_madvise; 234 SYS_remap_file_pages; 235 SYS_mbind;
    236 SYS_get_mempolicy; 237 SYS_set_mempolicy; 238 SYS_migrate_pages; 239 SYS_move_pages;
    240 SYS_rt_tgsigqueueinfo; 241 SYS_perf_event_open; 242 SYS_accept4; 243 SYS_recvmmsg;
    260 SYS_wait4; 261 SYS_prlimit64; 262 SYS_fanotify_init; 263 SYS_fanotify_mark;
    264 SYS_name_to_handle_at; 265 SYS_open_by_handle_at; 266 SYS_clock_adjtime; 267 SYS_syncfs;
    268 SYS_setns; 269 SYS_sendmmsg; 270 SYS_process_vm_readv; 271 SYS_process_vm_writev;
    272 SYS_kcmp; 273 SYS_finit_module; 274 SYS_sched_setattr; 275 SYS_sched_getattr;
    276 SYS_renameat2; 277 SYS_seccomp; 278 SYS_getrandom; 279 SYS_memfd_create; 280 SYS_bpf;
    281 SYS_execveat; 282 SYS_userfaultfd; 283 SYS_membarrier; 284 SYS_mlock2;
    285 SYS_copy_file_range; 286 SYS_preadv2; 287 SYS_pwritev2; 288 SYS_pkey_mprotect;
    289 SYS_pkey_alloc; 290 SYS_pkey_free; 291 SYS_statx; 293 SYS_rseq; 294 SYS_kexec_file_load;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_flag_keeps_the_call_from_being_made() {
        let flag = AtomicU32::new(1);
        // SAFETY: close of a descriptor that cannot exist.
        let made = unsafe { interruptible(&flag, libc::SYS_close, [u64::MAX, 0, 0, 0, 0, 0]) };
        assert_eq!(made, NOT_MADE);
        flag.store(0, std::sync::atomic::Ordering::Relaxed);
        // SAFETY: as above.
        let made = unsafe { interruptible(&flag, libc::SYS_close, [u64::MAX, 0, 0, 0, 0, 0]) };
        assert_eq!(made, -i64::from(libc::EBADF));
    }

    #[test]
    fn the_entry_into_the_kernel_is_the_last_thing_that_can_be_left() {
        let at = (syscall as *const () as usize + END) as *const u8;
        // SAFETY: code of this program, which can be read.
        let around = unsafe { std::slice::from_raw_parts(at.sub(4), 8) };
        #[cfg(target_arch = "x86_64")]
        assert_eq!(&around[2..5], [0x0f, 0x05, 0xc3], "syscall; ret");
        #[cfg(target_arch = "aarch64")]
        assert_eq!(around, [0x01, 0, 0, 0xd4, 0xc0, 0x03, 0x5f, 0xd6], "svc #0; ret");
    }

    #[test]
    fn arguments_arrive_in_order() {
        let mut pipe = [0_i32; 2];
        // SAFETY: `pipe` is the array that the call fills.
        let rc = unsafe { libc::pipe(pipe.as_mut_ptr()) };
        assert_eq!(rc, 0);
        let data = *b"hello";
        let (r, w) = (pipe[0] as u64, pipe[1] as u64);
        // SAFETY: reads five bytes of a local array.
        let n = unsafe { raw(libc::SYS_write, [w, data.as_ptr() as u64, 5, 0, 0, 0]) };
        assert_eq!(n, 5);
        // SAFETY: closes what was opened above.
        unsafe {
            libc::close(r as i32);
            libc::close(w as i32);
        }
    }

    #[test]
    fn numbers_translate() {
        assert_eq!(host_number(172), Some(libc::SYS_getpid));
        assert_eq!(host_number(435), Some(libc::SYS_clone3));
        assert_eq!(host_number(259), None);
        assert_eq!(host_number(COMMON - 1), None);
        #[cfg(target_arch = "x86_64")]
        for (i, &(generic, host)) in NUMBERS.iter().enumerate() {
            assert_eq!(host_number(generic), Some(host));
            assert!(NUMBERS[..i].iter().all(|&(other, _)| other != generic), "{generic} twice");
        }
    }
}
