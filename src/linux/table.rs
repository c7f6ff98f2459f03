//! One line per system call of riscv64 Linux, and how far it is served.
//!
//! The kinds: `full` and `partial` name a handler; `pass` hands the call to the host's of the same
//! name, translating the arguments as said; `denied` answers `EPERM` for the written reason;
//! `absent` is `ENOSYS`, since programs ask for such calls and do without. Numbers without a line
//! are answered like those. Numbers and names: `include/uapi/asm-generic/unistd.h`, and 258 and 259
//! from `arch/riscv/include/uapi/asm/unistd.h`. `docs/syscalls.md` is generated from this file.

use crate::linux::abi::{Errno, FromArg, SysResult};
use crate::linux::args::Arg::{self, R, RE, RN, S, V, W, WN};
use crate::linux::exec::execve as exec;
use crate::linux::fs::{aio, dir, file, ioctl, mount, poll, stat};
use crate::linux::ipc::{calls as ipc, shm};
use crate::linux::mm::{advice, mlock, mman, mremap, numa, process_vm, userfault};
use crate::linux::net::socket;
use crate::linux::process::Thread;
use crate::linux::ptrace::{calls as trace, wait};
use crate::linux::seccomp::calls as seccomp;
use crate::linux::signal::calls as signal;
use crate::linux::task::{exit, fork, futex, ids, keys, prctl, rlimit, thread};
use crate::linux::uring::{enter, register, setup};
use crate::linux::{machine, time};

/// How far a system call is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// As the kernel serves it.
    Full,
    /// With the differences that the text tells.
    Partial(&'static str),
    /// By the host's kernel.
    PassThrough,
    /// As by a kernel that does not let the calling user do it, for this reason: `EPERM`.
    Denied(&'static str),
    /// As by a kernel that does not have it yet, for which programs are prepared: `ENOSYS`.
    Absent(&'static str),
}

/// A line of the table.
#[derive(Clone, Copy, Debug)]
pub struct Syscall {
    /// Number in a7.
    pub number: u16,
    /// Name as in syscalls(2).
    pub name: &'static str,
    /// How far it is served.
    pub support: Support,
    /// Number of arguments that are looked at.
    pub(crate) arity: u8,
    /// What they are, if it is passed through, or for the call trace.
    pub(crate) spec: &'static [Arg],
}

/// A handler: a function of the thread and up to six typed arguments.
trait Handler<Args> {
    /// Number of arguments.
    const ARITY: u8;

    fn call(self, t: &mut Thread) -> SysResult;
}

macro_rules! handlers {
    ($(($($arg:ident $i:literal),*))*) => {$(
        impl<F, $($arg: FromArg),*> Handler<($($arg,)*)> for F
        where
            F: FnOnce(&mut Thread, $($arg),*) -> SysResult,
        {
            const ARITY: u8 = {
                let indices: &[usize] = &[$($i),*];
                indices.len() as u8
            };

            #[inline]
            fn call(self, t: &mut Thread) -> SysResult {
                let _raw = t.args();
                self(t, $($arg::from_arg(_raw[$i])),*)
            }
        }
    )*};
}
handlers! {
    ()
    (A 0)
    (A 0, B 1)
    (A 0, B 1, C 2)
    (A 0, B 1, C 2, D 3)
    (A 0, B 1, C 2, D 3, E 4)
    (A 0, B 1, C 2, D 3, E 4, G 5)
}

/// Number of arguments of a handler.
const fn arity<Args, H: Handler<Args>>(_: &H) -> u8 {
    H::ARITY
}

macro_rules! arity {
    (full $([$($a:expr),*])? $h:path) => {
        arity(&$h)
    };
    (partial $note:literal $h:path) => {
        arity(&$h)
    };
    ($kind:ident $($rest:tt)*) => {
        6
    };
}

macro_rules! support {
    (full $([$($a:expr),*])? $h:path) => {
        Support::Full
    };
    (partial $note:literal $h:path) => {
        Support::Partial($note)
    };
    (pass [$($a:expr),*]) => {
        Support::PassThrough
    };
    (denied $why:literal) => {
        Support::Denied($why)
    };
    (absent $why:literal) => {
        Support::Absent($why)
    };
}

macro_rules! serve {
    ($t:ident $n:literal $name:ident full $([$($a:expr),*])? $h:path) => { Handler::call($h, $t) };
    ($t:ident $n:literal $name:ident partial $note:literal $h:path) => { Handler::call($h, $t) };
    ($t:ident $n:literal $name:ident pass [$($a:expr),*]) => {{
        const SPEC: &[Arg] = &[$($a),*];
        $t.pass($n, SPEC)
    }};
    ($t:ident $n:literal $name:ident denied $why:literal) => {
        Err(Errno::EPERM)
    };
    ($t:ident $n:literal $name:ident absent $why:literal) => {
        Err(Errno::ENOSYS)
    };
}

macro_rules! syscalls {
    ($($n:literal $name:ident $kind:ident $([$($spec:expr),*])? $($text:literal)? $($handler:path)?;)*) => {
        /// The table, by number.
        pub const TABLE: &[Syscall] = &[$(Syscall {
            number: $n,
            name: stringify!($name),
            support: support!($kind $([$($spec),*])? $($text)? $($handler)?),
            arity: arity!($kind $([$($spec),*])? $($text)? $($handler)?),
            spec: &[$($($spec),*)?],
        }),*];

        /// Serves the system call whose number is in a7.
        pub(crate) fn dispatch(t: &mut Thread) -> SysResult {
            match t.syscall_number() {
                $($n => serve!(t $n $name $kind $([$($spec),*])? $($text)? $($handler)?),)*
                // As by a kernel that is older than the call.
                _ => Err(Errno::ENOSYS),
            }
        }
    };
}

syscalls! {
    0 io_setup full aio::sys_io_setup;
    1 io_destroy full aio::sys_io_destroy;
    2 io_submit full aio::sys_io_submit;
    3 io_cancel full aio::sys_io_cancel;
    4 io_getevents full aio::sys_io_getevents;
    5 setxattr full stat::sys_setxattr;
    6 lsetxattr full stat::sys_lsetxattr;
    7 fsetxattr pass [V, S, RN(3), V, V];
    8 getxattr full stat::sys_getxattr;
    9 lgetxattr full stat::sys_lgetxattr;
    10 fgetxattr pass [V, S, WN(3), V];
    11 listxattr full stat::sys_listxattr;
    12 llistxattr full stat::sys_llistxattr;
    13 flistxattr pass [V, WN(2), V];
    14 removexattr full stat::sys_removexattr;
    15 lremovexattr full stat::sys_lremovexattr;
    16 fremovexattr pass [V, S];
    17 getcwd full dir::sys_getcwd;
    18 lookup_dcookie absent "removed from the kernel in 6.7";
    19 eventfd2 pass [V, V];
    20 epoll_create1 pass [V];
    21 epoll_ctl full poll::sys_epoll_ctl;
    22 epoll_pwait full poll::sys_epoll_pwait;
    23 dup pass [V];
    24 dup3 full file::sys_dup3;
    25 fcntl full file::sys_fcntl;
    26 inotify_init1 pass [V];
    27 inotify_add_watch full dir::sys_inotify_add_watch;
    28 inotify_rm_watch pass [V, V];
    29 ioctl partial "see ioctls.md" ioctl::sys_ioctl;
    30 ioprio_set pass [V, V, V];
    31 ioprio_get pass [V, V];
    32 flock pass [V, V];
    33 mknodat full dir::sys_mknodat;
    34 mkdirat full dir::sys_mkdirat;
    35 unlinkat full dir::sys_unlinkat;
    36 symlinkat full dir::sys_symlinkat;
    37 linkat full dir::sys_linkat;
    39 umount2 full mount::sys_umount2;
    40 mount partial "the data is a string; in a root filesystem, in a mount namespace that the guest has made" mount::sys_mount;
    41 pivot_root full mount::sys_pivot_root;
    42 nfsservctl absent "removed from the kernel in 3.1";
    43 statfs full stat::sys_statfs;
    44 fstatfs pass [V, W(120)];
    45 truncate full file::sys_truncate;
    46 ftruncate pass [V, V];
    47 fallocate pass [V, V, V, V];
    48 faccessat full stat::sys_faccessat;
    49 chdir full dir::sys_chdir;
    50 fchdir full dir::sys_fchdir;
    51 chroot full dir::sys_chroot;
    52 fchmod full stat::sys_fchmod;
    53 fchmodat full stat::sys_fchmodat;
    54 fchownat full stat::sys_fchownat;
    55 fchown full stat::sys_fchown;
    56 openat full file::sys_openat;
    57 close full file::sys_close;
    58 vhangup pass [];
    59 pipe2 full file::sys_pipe2;
    60 quotactl full dir::sys_quotactl;
    61 getdents64 full dir::sys_getdents64;
    62 lseek pass [V, V, V];
    63 read full [V, WN(2), V] file::sys_read;
    64 write full [V, RN(2), V] file::sys_write;
    65 readv full file::sys_readv;
    66 writev full file::sys_writev;
    67 pread64 full [V, WN(2), V, V] file::sys_pread64;
    68 pwrite64 full [V, RN(2), V, V] file::sys_pwrite64;
    69 preadv full file::sys_preadv;
    70 pwritev full file::sys_pwritev;
    71 sendfile full [V, V, W(8), V] file::sys_sendfile;
    72 pselect6 full poll::sys_pselect6;
    73 ppoll full poll::sys_ppoll;
    74 signalfd4 pass [V, R(8), V, V];
    75 vmsplice full file::sys_vmsplice;
    76 splice full [V, W(8), V, W(8), V, V] file::sys_splice;
    77 tee pass [V, V, V, V];
    78 readlinkat full dir::sys_readlinkat;
    79 newfstatat full stat::sys_newfstatat;
    80 fstat full stat::sys_fstat;
    81 sync pass [];
    82 fsync pass [V];
    83 fdatasync pass [V];
    84 sync_file_range pass [V, V, V, V];
    85 timerfd_create pass [V, V];
    86 timerfd_settime pass [V, V, R(32), W(32)];
    87 timerfd_gettime pass [V, W(32)];
    88 utimensat full stat::sys_utimensat;
    89 acct full dir::sys_acct;
    90 capget full ids::sys_capget;
    91 capset full ids::sys_capset;
    92 personality partial "of the flags, READ_IMPLIES_EXEC, STICKY_TIMEOUTS and UNAME26 have an effect" prctl::sys_personality;
    93 exit full exit::sys_exit;
    94 exit_group full exit::sys_exit_group;
    95 waitid full [V, V, W(128), V, W(144)] wait::sys_waitid;
    96 set_tid_address full thread::sys_set_tid_address;
    97 unshare full mount::sys_unshare;
    98 futex full futex::sys_futex;
    99 set_robust_list partial "if another process kills a thread, by the list at its last system call" futex::sys_set_robust_list;
    100 get_robust_list full futex::sys_get_robust_list;
    101 nanosleep pass [R(16), W(16)];
    102 getitimer pass [V, W(32)];
    103 setitimer pass [V, R(32), W(32)];
    104 kexec_load denied "administration of the host";
    105 init_module denied "administration of the host";
    106 delete_module denied "administration of the host";
    107 timer_create pass [V, R(64), W(4)];
    108 timer_gettime pass [V, W(32)];
    109 timer_getoverrun pass [V];
    110 timer_settime pass [V, V, R(32), W(32)];
    111 timer_delete pass [V];
    112 clock_settime pass [V, R(16)];
    113 clock_gettime full time::sys_clock_gettime;
    114 clock_getres pass [V, W(16)];
    115 clock_nanosleep pass [V, V, R(16), W(16)];
    116 syslog pass [V, WN(2), V];
    117 ptrace partial "see ptrace.md" trace::sys_ptrace;
    118 sched_setparam pass [V, R(4)];
    119 sched_setscheduler pass [V, V, R(4)];
    120 sched_getscheduler pass [V];
    121 sched_getparam pass [V, W(4)];
    122 sched_setaffinity pass [V, V, RN(1)];
    123 sched_getaffinity pass [V, V, WN(1)];
    124 sched_yield pass [];
    125 sched_get_priority_max pass [V];
    126 sched_get_priority_min pass [V];
    127 sched_rr_get_interval pass [V, W(16)];
    128 restart_syscall full time::sys_restart_syscall;
    129 kill pass [V, V];
    130 tkill pass [V, V];
    131 tgkill pass [V, V, V];
    132 sigaltstack full signal::sys_sigaltstack;
    133 rt_sigsuspend full signal::sys_rt_sigsuspend;
    134 rt_sigaction full signal::sys_rt_sigaction;
    135 rt_sigprocmask full signal::sys_rt_sigprocmask;
    136 rt_sigpending full signal::sys_rt_sigpending;
    137 rt_sigtimedwait full signal::sys_rt_sigtimedwait;
    138 rt_sigqueueinfo full [V, V, R(128)] signal::sys_rt_sigqueueinfo;
    139 rt_sigreturn full signal::sys_rt_sigreturn;
    140 setpriority pass [V, V, V];
    141 getpriority pass [V, V];
    142 reboot denied "administration of the host";
    143 setregid full ids::sys_setregid;
    144 setgid full ids::sys_setgid;
    145 setreuid full ids::sys_setreuid;
    146 setuid full ids::sys_setuid;
    147 setresuid full ids::sys_setresuid;
    148 getresuid full ids::sys_getresuid;
    149 setresgid full ids::sys_setresgid;
    150 getresgid full ids::sys_getresgid;
    151 setfsuid full ids::sys_setfsuid;
    152 setfsgid full ids::sys_setfsgid;
    153 times pass [W(32)];
    154 setpgid pass [V, V];
    155 getpgid pass [V];
    156 getsid pass [V];
    157 setsid pass [];
    158 getgroups full ids::sys_getgroups;
    159 setgroups full ids::sys_setgroups;
    160 uname full machine::sys_uname;
    161 sethostname pass [RN(1), V];
    162 setdomainname pass [RN(1), V];
    163 getrlimit full rlimit::sys_getrlimit;
    164 setrlimit full rlimit::sys_setrlimit;
    165 getrusage pass [V, W(144)];
    166 umask pass [V];
    167 prctl partial "options of other architectures and PR_SET_MM are EINVAL" prctl::sys_prctl;
    168 getcpu pass [W(4), W(4), V];
    169 gettimeofday pass [W(16), W(8)];
    170 settimeofday pass [R(16), R(8)];
    171 adjtimex pass [W(208)];
    172 getpid pass [];
    173 getppid pass [];
    174 getuid full ids::sys_getuid;
    175 geteuid full ids::sys_geteuid;
    176 getgid full ids::sys_getgid;
    177 getegid full ids::sys_getegid;
    178 gettid pass [];
    179 sysinfo pass [W(112)];
    180 mq_open pass [S, V, V, R(64)];
    181 mq_unlink pass [S];
    182 mq_timedsend pass [V, RN(2), V, V, R(16)];
    183 mq_timedreceive pass [V, WN(2), V, W(4), R(16)];
    184 mq_notify full ipc::sys_mq_notify;
    185 mq_getsetattr pass [V, R(64), W(64)];
    186 msgget pass [V, V];
    187 msgctl pass [V, V, W(120)];
    188 msgrcv full ipc::sys_msgrcv;
    189 msgsnd full ipc::sys_msgsnd;
    190 semget pass [V, V, V];
    191 semctl full ipc::sys_semctl;
    192 semtimedop pass [V, RE(2, 6), V, R(16)];
    193 semop pass [V, RE(2, 6), V];
    194 shmget pass [V, V, V];
    195 shmctl pass [V, V, W(112)];
    196 shmat full shm::sys_shmat;
    197 shmdt full shm::sys_shmdt;
    198 socket pass [V, V, V];
    199 socketpair pass [V, V, V, W(8)];
    200 bind full socket::sys_bind;
    201 listen pass [V, V];
    202 accept full socket::sys_accept;
    203 connect full socket::sys_connect;
    204 getsockname full socket::sys_getsockname;
    205 getpeername full socket::sys_getpeername;
    206 sendto full socket::sys_sendto;
    207 recvfrom full socket::sys_recvfrom;
    208 setsockopt full socket::sys_setsockopt;
    209 getsockopt full socket::sys_getsockopt;
    210 shutdown pass [V, V];
    211 sendmsg full socket::sys_sendmsg;
    212 recvmsg full socket::sys_recvmsg;
    213 readahead pass [V, V, V];
    214 brk full mman::sys_brk;
    215 munmap full mman::sys_munmap;
    216 mremap full mremap::sys_mremap;
    217 add_key pass [S, S, RN(3), V, V];
    218 request_key pass [S, S, S, V];
    219 keyctl partial "all but the commands on public keys" keys::sys_keyctl;
    220 clone full fork::sys_clone;
    221 execve full exec::sys_execve;
    222 mmap full mman::sys_mmap;
    223 fadvise64 pass [V, V, V, V];
    224 swapon full dir::sys_swapon;
    225 swapoff full dir::sys_swapoff;
    226 mprotect full mman::sys_mprotect;
    227 msync full advice::sys_msync;
    228 mlock full mlock::sys_mlock;
    229 munlock full mlock::sys_munlock;
    230 mlockall full mlock::sys_mlockall;
    231 munlockall full mlock::sys_munlockall;
    232 mincore full advice::sys_mincore;
    233 madvise full advice::sys_madvise;
    234 remap_file_pages full mremap::sys_remap_file_pages;
    235 mbind full numa::sys_mbind;
    236 get_mempolicy full numa::sys_get_mempolicy;
    237 set_mempolicy full numa::sys_set_mempolicy;
    238 migrate_pages full numa::sys_migrate_pages;
    239 move_pages partial "of the process itself" numa::sys_move_pages;
    240 rt_tgsigqueueinfo full [V, V, V, R(128)] signal::sys_rt_tgsigqueueinfo;
    241 perf_event_open absent "counters would count the translator";
    242 accept4 full socket::sys_accept4;
    243 recvmmsg full socket::sys_recvmmsg;
    258 riscv_hwprobe full machine::sys_riscv_hwprobe;
    259 riscv_flush_icache full machine::sys_riscv_flush_icache;
    260 wait4 full [V, W(4), V, W(144)] wait::sys_wait4;
    261 prlimit64 partial "limits of addresses, data and stack hold for the guest's memory, and of other processes can be set for guests only" rlimit::sys_prlimit64;
    262 fanotify_init full dir::sys_fanotify_init;
    263 fanotify_mark full dir::sys_fanotify_mark;
    264 name_to_handle_at full file::sys_name_to_handle_at;
    265 open_by_handle_at full file::sys_open_by_handle_at;
    266 clock_adjtime pass [V, W(208)];
    267 syncfs pass [V];
    268 setns full mount::sys_setns;
    269 sendmmsg full socket::sys_sendmmsg;
    270 process_vm_readv partial "of guest processes" process_vm::sys_process_vm_readv;
    271 process_vm_writev partial "of guest processes" process_vm::sys_process_vm_writev;
    272 kcmp full process_vm::sys_kcmp;
    273 finit_module denied "administration of the host";
    274 sched_setattr pass [V, R(56), V];
    275 sched_getattr pass [V, WN(2), V, V];
    276 renameat2 full dir::sys_renameat2;
    277 seccomp partial "filters are evaluated; nobody can trace" seccomp::sys_seccomp;
    278 getrandom pass [WN(1), V, V];
    279 memfd_create pass [S, V];
    280 bpf denied "programs would see the host";
    281 execveat full exec::sys_execveat;
    282 userfaultfd partial "where a guest address is a host address; else ENOSYS" userfault::sys_userfaultfd;
    283 membarrier partial "all but the commands for rseq" thread::sys_membarrier;
    284 mlock2 full mlock::sys_mlock2;
    285 copy_file_range pass [V, W(8), V, W(8), V, V];
    286 preadv2 full file::sys_preadv2;
    287 pwritev2 full file::sys_pwritev2;
    288 pkey_mprotect absent "riscv64 has no protection keys";
    289 pkey_alloc absent "riscv64 has no protection keys";
    290 pkey_free absent "riscv64 has no protection keys";
    291 statx full stat::sys_statx;
    292 io_pgetevents full aio::sys_io_pgetevents;
    293 rseq absent "when the host preempts a thread, nobody can tell whether it was in a restartable sequence of the guest; the C library does without";
    294 kexec_file_load denied "administration of the host";
    424 pidfd_send_signal full [V, V, R(128), V] signal::sys_pidfd_send_signal;
    425 io_uring_setup partial "see io_uring.md; from a kernel before 6.10, ENOSYS" setup::sys_io_uring_setup;
    426 io_uring_enter partial "see io_uring.md" enter::sys_io_uring_enter;
    427 io_uring_register partial "see io_uring.md" register::sys_io_uring_register;
    428 open_tree full mount::sys_open_tree;
    429 move_mount full mount::sys_move_mount;
    430 fsopen pass [S, V];
    431 fsconfig full mount::sys_fsconfig;
    432 fsmount pass [V, V, V];
    433 fspick full mount::sys_fspick;
    434 pidfd_open pass [V, V];
    435 clone3 full fork::sys_clone3;
    436 close_range full file::sys_close_range;
    437 openat2 full file::sys_openat2;
    438 pidfd_getfd pass [V, V, V];
    439 faccessat2 full stat::sys_faccessat2;
    440 process_madvise full process_vm::sys_process_madvise;
    441 epoll_pwait2 full poll::sys_epoll_pwait2;
    442 mount_setattr full mount::sys_mount_setattr;
    443 quotactl_fd pass [V, V, V, W(512)];
    444 landlock_create_ruleset pass [RN(1), V, V];
    445 landlock_add_rule pass [V, V, R(16), V];
    446 landlock_restrict_self pass [V, V];
    447 memfd_secret pass [V];
    448 process_mrelease pass [V, V];
    449 futex_waitv full futex::sys_futex_waitv;
    450 set_mempolicy_home_node full numa::sys_set_mempolicy_home_node;
    451 cachestat pass [V, R(16), W(40), V];
    452 fchmodat2 full stat::sys_fchmodat2;
    453 map_shadow_stack absent "shadow stacks are not modelled";
    454 futex_wake partial "as the host has it" futex::sys_futex_wake;
    455 futex_wait partial "as the host has it" futex::sys_futex_wait;
    456 futex_requeue partial "as the host has it" futex::sys_futex_requeue;
    457 statmount partial "not in a root filesystem; /proc tells about its mounts" mount::sys_statmount;
    458 listmount partial "not in a root filesystem; /proc tells about its mounts" mount::sys_listmount;
    459 lsm_get_self_attr full machine::sys_lsm_get_self_attr;
    460 lsm_set_self_attr pass [V, RN(2), V, V];
    461 lsm_list_modules full machine::sys_lsm_list_modules;
    462 mseal full advice::sys_mseal;
    463 setxattrat full stat::sys_setxattrat;
    464 getxattrat full stat::sys_getxattrat;
    465 listxattrat full stat::sys_listxattrat;
    466 removexattrat full stat::sys_removexattrat;
    467 open_tree_attr absent "mounts belong to the host";
    468 file_getattr full stat::sys_file_getattr;
    469 file_setattr full stat::sys_file_setattr;
}

/// The line of a system call, if the table has it.
#[must_use]
pub(crate) fn find(number: u64) -> Option<&'static Syscall> {
    let n = u16::try_from(number).ok()?;
    TABLE.binary_search_by_key(&n, |s| s.number).ok().map(|i| &TABLE[i])
}

/// The number of the served system call that the host numbers so.
pub(crate) fn number_of_host(host: i64) -> Option<u16> {
    let found = TABLE.iter().find(|s| crate::sys::syscall::host_number(s.number) == Some(host));
    found.map(|s| s.number)
}

/// Name of a system call, if the table has it.
#[must_use]
pub(crate) fn name(number: u64) -> Option<&'static str> {
    find(number).map(|s| s.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_ascend() {
        assert!(TABLE.is_sorted_by(|a, b| a.number < b.number));
        assert_eq!(name(64), Some("write"));
        assert_eq!(name(38), None);
    }

    #[test]
    fn what_is_passed_through_exists_on_the_host() {
        for s in TABLE.iter().filter(|s| s.support == Support::PassThrough) {
            assert!(crate::sys::syscall::host_number(s.number).is_some(), "{}", s.name);
        }
    }
}
