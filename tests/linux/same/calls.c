// Calls that take neither names nor open files, or that make files of their own: times, ids, signals, limits,
// sockets, System V objects, message queues, keys, memory, and what is for administrators. Each with
// arguments that are right, wrong and at bad addresses.
#include "table.h"
#include <linux/futex.h>
#include <linux/keyctl.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>

static char room[8192];

static void times(void) {
    static const struct name clocks[] = {{"REALTIME", 0}, {"MONOTONIC", 1}, {"PROCESS", 2}, {"THREAD", 3}, {"RAW", 4}, {"COARSE", 5}, {"BOOTTIME", 7}, {"ALARM", 8}, {"TAI", 11}, {"12", 12}, {"-1", -1}, {"-2", -2}, {"77", 77}};
    struct timespec zero = {0, 0}, small = {0, 1000}, wrong = {0, 1000000000}, less = {-1, 0}, now, left;
    struct itimerspec some = {{0, 0}, {1000, 0}}, odd = {{0, 0}, {0, -1}}, old;
    struct sigevent none_at_all = {.sigev_notify = SIGEV_NONE}, unknown = {.sigev_notify = 77}, number = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = 99};
    struct timex adjust = {.modes = 0}, bad_mode = {.modes = 0x7fff0000};
    for (size_t c = 0; c < COUNT(clocks); c++) {
        const char *n = clocks[c].name;
        long clock = clocks[c].value;
        int timer = 12345;
        L(n, clock_gettime, clock, &now), L(n, clock_gettime, clock, BAD), L(n, clock_gettime, clock, fixed), L(n, clock_gettime, clock, FAR), L(n, clock_gettime, clock, NULL), L(n, clock_getres, clock, &now), L(n, clock_getres, clock, BAD), L(n, clock_getres, clock, NULL);
        // A process that sleeps uses no time of its own.
        if (clock != 2 && clock >= 0) L(n, clock_nanosleep, clock, 0, &small, &left);
        L(n, clock_nanosleep, clock, 1, &zero, &left), L(n, clock_nanosleep, clock, 0, &wrong, NULL), L(n, clock_nanosleep, clock, 0, &less, NULL), L(n, clock_nanosleep, clock, 0, BAD, NULL), L(n, clock_nanosleep, clock, 77, &zero, NULL);
        L(n, timer_create, clock, &none_at_all, &timer), L(n, timer_gettime, timer, &old), L(n, timer_settime, timer, 0, &some, &old), L(n, timer_settime, timer, 0, &odd, NULL), L(n, timer_settime, timer, 0, BAD, NULL), L(n, timer_settime, timer, 0, NULL, NULL), L(n, timer_settime, timer, 0, &some, BAD), L(n, timer_gettime, timer, BAD), L(n, timer_getoverrun, timer), L(n, timer_delete, timer), L(n, timer_delete, timer);
        L(n, timer_create, clock, &unknown, &timer), L(n, timer_create, clock, &number, &timer), L(n, timer_create, clock, BAD, &timer), L(n, timer_create, clock, &none_at_all, BAD);
        L(n, clock_settime, clock, &wrong), L(n, clock_settime, clock, BAD), LK(n, clock_adjtime, clock, &adjust), L(n, clock_adjtime, clock, BAD);
    }
    C(timer_gettime, -1L, &old), C(timer_settime, 777, 0, &some, NULL), C(timer_getoverrun, 777), C(timer_delete, -1L);
    C(nanosleep, &small, NULL), C(nanosleep, &small, BAD), C(nanosleep, &wrong, NULL), C(nanosleep, &less, NULL), C(nanosleep, BAD, NULL), C(nanosleep, NULL, NULL);
    struct timeval tv;
    struct timezone tz;
    C(gettimeofday, &tv, &tz), C(gettimeofday, NULL, NULL), C(gettimeofday, BAD, NULL), C(gettimeofday, NULL, BAD), C(settimeofday, BAD, NULL), C(settimeofday, &(struct timeval){0, 1000000}, NULL), C(settimeofday, NULL, BAD);
    K(adjtimex, &adjust), C(adjtimex, BAD), C(adjtimex, NULL), K(times, room), K(times, NULL), C(times, BAD);
    struct itimerval it = {{0, 0}, {0, 0}}, wrong_it = {{0, 0}, {0, 1000000}};
    for (int which = -1; which < 4; which++) C(getitimer, which, &it), C(getitimer, which, BAD), C(setitimer, which, &it, NULL), C(setitimer, which, &wrong_it, NULL), C(setitimer, which, BAD, NULL), C(setitimer, which, &it, BAD), C(setitimer, which, NULL, NULL);
}

static void system_wide(void) {
    unsigned cpu, node;
    C(uname, room), C(uname, BAD), C(uname, NULL), C(sysinfo, room), C(sysinfo, BAD), C(sysinfo, NULL), C(getcpu, &cpu, &node, NULL), C(getcpu, BAD, NULL, NULL), C(getcpu, NULL, BAD, NULL), C(getcpu, NULL, NULL, NULL), C(getcpu, NULL, NULL, BAD);
    C(getrandom, room, 16, 0), C(getrandom, room, 16, 1), C(getrandom, room, 16, 8), C(getrandom, BAD, 16, 0), C(getrandom, room, 0, 0), C(getrandom, room, 16, 6), C(sched_yield), C(restart_syscall);
    C(sethostname, BAD, 3), C(sethostname, "x", -1L), C(sethostname, "x", 65), C(setdomainname, BAD, 3), C(setdomainname, "x", -1L), C(setdomainname, "x", 65);
    C(syslog, -1L, room, 10), C(syslog, 3, NULL, 10), C(syslog, 3, room, -1L), C(syslog, 3, BAD, 10), C(syslog, 77, room, 10), K(syslog, 10, NULL, 0), K(syslog, 9, NULL, 0);
    C(lookup_dcookie, 0, room, 10), C(nfsservctl, 0, NULL, NULL), C(membarrier, 0x4000, 0, 0), C(membarrier, 1, 0, 0), C(membarrier, 0, 1, 0), C(membarrier, 16, 0, 0), C(membarrier, 8, 0, 0), C(membarrier, 4, 0, 0), C(membarrier, 2, 0, 0);
    for (int number = 300; number < 310; number++) say("call %d above all = %s\n", number, result(syscall(number + 700)));
    C(ioprio_get, 1, 0), C(ioprio_get, 77, 0), C(ioprio_get, 1, 4194303), C(ioprio_get, 2, 4194303), C(ioprio_get, 3, 999999), C(ioprio_set, 1, 0, 0x4004), C(ioprio_get, 1, 0), C(ioprio_set, 1, 0, 0x8000), C(ioprio_set, 77, 0, 0), C(ioprio_set, 1, 4194303, 0), C(ioprio_set, 1, 0, 0x4008), C(ioprio_set, 1, 0, 0);
    for (int who = -1; who < 4; who++) C(getrusage, who == 0 ? 0 : who == 2 ? 77 : who, who == 1 ? room : room), C(getrusage, who, BAD), C(getrusage, who, NULL), C(getrusage, who, fixed);
    unsigned size = 1000, flags = 0;
    C(lsm_get_self_attr, 100, room, BAD, 0), C(lsm_get_self_attr, 100, room, &size, 1), C(lsm_get_self_attr, 100, NULL, &size, 77), C(lsm_set_self_attr, 100, BAD, 100, 0), C(lsm_set_self_attr, 100, room, 8, 0), C(lsm_set_self_attr, 100, room, 100, 1), C(lsm_list_modules, room, BAD, 0), C(lsm_list_modules, room, &size, 1);
    size = 1000, K(lsm_list_modules, room, &size, 0), size = 1000, C(lsm_list_modules, BAD, &size, 0), size = 1, C(lsm_list_modules, room, &size, flags);
}

// Ids: of a root that keeps its rights.
static void ids(void) {
    unsigned a, b, c, groups[4];
    C(getuid), C(geteuid), C(getgid), C(getegid), C(getresuid, &a, &b, &c), C(getresuid, BAD, &b, &c), C(getresuid, &a, BAD, &c), C(getresuid, &a, &b, BAD), C(getresgid, &a, &b, &c), C(getresgid, BAD, &b, &c), C(getresgid, &a, &b, NULL);
    C(setuid, -1L), C(setgid, -1L), C(setreuid, -1L, -1L), C(setregid, -1L, -1L), C(setresuid, -1L, -1L, -1L), C(setresgid, -1L, -1L, -1L), C(setfsuid, -1L), C(setfsgid, -1L), K(setfsuid, geteuid()), K(setfsgid, getegid());
    K(getgroups, 0, NULL), C(getgroups, -1L, groups), K(getgroups, 0, BAD), C(setgroups, 65537, groups), C(setgroups, 4, BAD), C(setgroups, -1L, groups);
    struct { unsigned version; int pid; } head = {0x20080522, 0}, old = {0x19980330, 0}, unknown = {1, 0}, other = {0x20080522, 4194303}, less = {0x20080522, -1};
    unsigned sets[6];
    C(capget, &head, sets), C(capget, &old, sets), C(capget, &unknown, sets), unknown.version = 1, C(capget, &unknown, NULL), C(capget, &other, sets), C(capget, &less, sets), C(capget, BAD, sets), C(capget, &head, BAD), C(capget, &head, NULL);
    C(capget, &head, sets), C(capset, &head, sets), C(capset, &head, BAD), C(capset, BAD, sets), C(capset, &other, sets), unknown.version = 1, C(capset, &unknown, sets);
    flush();
    pid_t pid = fork();
    if (pid == 0) {
        // Of one who gives them up.
        C(setgroups, 2, ((unsigned[]){7, 8})), C(getgroups, 1, groups), C(getgroups, 4, groups), C(getgroups, 4, BAD), C(setresgid, 10, 11, 12), C(setregid, 11, 12), C(setfsgid, 13), C(setgid, 14), C(getgid), C(getegid);
        C(setresuid, 20, 21, 0), C(getuid), C(geteuid), C(setreuid, 21, 20), C(setuid, 0), C(geteuid), C(setresuid, 20, 21, 22), C(setuid, 23), C(setreuid, 30, 31), C(setresuid, 30, -1L, -1L), C(setresuid, 22, 20, 21), C(setfsuid, 99), C(setfsuid, 20), C(setuid, 22);
        C(setgroups, 0, NULL), C(setgid, 99), C(setregid, 99, 98), C(setresgid, 99, 98, 97), C(setfsgid, 99), C(capset, &head, sets), C(chroot, "."), C(sethostname, "x", 1), C(setdomainname, "x", 1), C(settimeofday, &(struct timeval){0, 0}, NULL), C(clock_settime, 0, &(struct timespec){0, 0}), C(swapon, "/", 0), C(swapoff, "/"), C(acct, NULL);
        C(mount, "none", "/", "tmpfs", 0, NULL), C(umount2, "/", 0), C(pivot_root, "/", "/"), C(vhangup), C(setpriority, 0, 0, -5), C(ioprio_set, 1, 0, 0x2000), C(unshare, 0x20000), C(quotactl, 0x800007 << 8, "/", 0, NULL), C(reboot, 0xfee1deadUL, 672274793, 0, NULL), C(syslog, 5, NULL, 0), C(open_by_handle_at, -1L, room, 0), D(fanotify_init, 1, 0);
        C(sched_setscheduler, 0, 1, ((int[]){1})), C(setrlimit, RLIMIT_CORE, ((unsigned long[]){5, 5})), C(setrlimit, RLIMIT_CORE, ((unsigned long[]){6, 6})), C(kill, 1, 0), C(prctl, PR_CAPBSET_DROP, 1, 0, 0, 0), C(mlock, room, 0);
        flush();
        _exit(0);
    }
    waitpid(pid, NULL, 0);
}

static void scheduling(void) {
    static const struct name pids[] = {{"self", 0}, {"none", 4194303}, {"-1", -1}};
    int zero = 0, one = 1;
    unsigned long mask[16] = {3}, nothing[16] = {0};
    struct { unsigned size, policy; unsigned long flags; int nice; unsigned priority; unsigned long runtime[3]; unsigned clamp[2]; } attr = {48, 0}, small = {3, 0}, odd = {48, 77}, flags = {48, 0, 1UL << 40};
    struct timespec slice;
    for (size_t p = 0; p < COUNT(pids); p++) {
        const char *n = pids[p].name;
        long pid = pids[p].value;
        L(n, sched_getscheduler, pid), L(n, sched_getparam, pid, room), L(n, sched_getparam, pid, NULL), L(n, sched_getparam, pid, BAD), L(n, sched_setparam, pid, &zero), L(n, sched_setparam, pid, &one), L(n, sched_setparam, pid, BAD), L(n, sched_setparam, pid, NULL);
        L(n, sched_setscheduler, pid, 0, &zero), L(n, sched_setscheduler, pid, 0, &one), L(n, sched_setscheduler, pid, 77, &zero), L(n, sched_setscheduler, pid, -1L, &zero), L(n, sched_setscheduler, pid, 1, &zero), L(n, sched_setscheduler, pid, 0, BAD), L(n, sched_setscheduler, pid, 0, NULL), L(n, sched_setscheduler, pid, 3, &zero), L(n, sched_setscheduler, pid, 0, &zero);
        L(n, sched_getattr, pid, room, 48, 0), L(n, sched_getattr, pid, room, 4, 0), L(n, sched_getattr, pid, room, 48, 1), L(n, sched_getattr, pid, BAD, 48, 0), L(n, sched_getattr, pid, room, 5000, 0), L(n, sched_setattr, pid, &attr, 0), L(n, sched_setattr, pid, &small, 0), L(n, sched_setattr, pid, &odd, 0), L(n, sched_setattr, pid, &flags, 0), L(n, sched_setattr, pid, &attr, 1), L(n, sched_setattr, pid, BAD, 0), L(n, sched_setattr, pid, NULL, 0);
        LK(n, sched_getaffinity, pid, 128, mask), L(n, sched_getaffinity, pid, 7, mask), L(n, sched_getaffinity, pid, 0, mask), L(n, sched_getaffinity, pid, 128, BAD), L(n, sched_setaffinity, pid, 128, mask), L(n, sched_setaffinity, pid, 128, nothing), L(n, sched_setaffinity, pid, 128, BAD), L(n, sched_setaffinity, pid, 0, mask);
        L(n, sched_rr_get_interval, pid, &slice), L(n, sched_rr_get_interval, pid, BAD), L(n, getpgid, pid < 0 ? pid : pid ? pid : -5L), L(n, getsid, pid ? pid : -5L), L(n, setpgid, pid ? pid : -5L, 0);
        for (int which = -1; which < 4; which++) {
            if (pid >= 0) L(n, getpriority, which, pid);
            if (which != 1 && which != 2) L(n, setpriority, which, pid, 0);
        }
        L(n, pidfd_open, pid ? pid : -7L, 0), L(n, kcmp, pid ? pid : -7L, getpid(), 0, 0, 0), L(n, kcmp, getpid(), getpid(), 77, 0, 0), L(n, process_vm_readv, pid ? pid : -7L, BAD, 1, BAD, 1, 0), L(n, process_vm_writev, pid ? pid : -7L, BAD, 1, BAD, 1, 0), L(n, process_vm_readv, pid, NULL, 0, NULL, 0, 1), L(n, process_vm_writev, pid, NULL, 0, NULL, 0, 1);
        L(n, migrate_pages, pid ? pid : -7L, 64, mask, mask), L(n, move_pages, pid ? pid : -7L, 1, room, NULL, room, 0), L(n, get_robust_list, pid ? pid : -7L, room, room + 8), L(n, rt_tgsigqueueinfo, pid ? pid : -7L, pid ? pid : -7L, 0, room), L(n, rt_sigqueueinfo, pid ? pid : -7L, 0, room), L(n, rt_sigqueueinfo, pid, 0, BAD), L(n, rt_tgsigqueueinfo, pid, pid, 0, BAD);
    }
    for (int policy = -1; policy < 9; policy++) C(sched_get_priority_max, policy), C(sched_get_priority_min, policy);
    K(getpid), K(getppid), K(gettid), K(getpgid, 0), K(getsid, 0), K(setsid), C(setsid), C(setpgid, 0, 0), C(setpgid, 0, -1L), C(setpgid, 1, 0), K(set_tid_address, room), C(kill, 4194303, 0), C(kill, 0, 65), C(tkill, 0, 0), C(tgkill, 0, 0, 0), C(tgkill, 1, 4194303, 0), C(tgkill, getpid(), getpid(), 0), C(tgkill, getpid(), getpid(), 65), C(kill, getpid(), 0), C(tkill, getpid(), 0), C(tkill, getpid(), -1L);
    long local = 5, remote = 6;
    struct { void *at; unsigned long len; } here = {&local, 8}, there = {&remote, 8}, bad = {BAD, 8}, huge = {&local, -1UL};
    C(process_vm_readv, getpid(), &here, 1, &there, 1, 0), C(process_vm_readv, getpid(), &here, 1, &bad, 1, 0), C(process_vm_readv, getpid(), &bad, 1, &there, 1, 0), C(process_vm_readv, getpid(), &huge, 1, &there, 1, 0), C(process_vm_readv, getpid(), &here, 1025, &there, 1, 0), C(process_vm_readv, getpid(), &here, 1, &there, 1025, 0), C(process_vm_readv, getpid(), &here, 1, BAD, 1, 0), C(process_vm_writev, getpid(), &here, 1, &there, 1, 0), C(process_vm_writev, getpid(), &here, 1, &bad, 1, 0), C(process_vm_writev, getpid(), &bad, 1, &there, 1, 0);
}

static void signals(void) {
    static const long sizes[] = {8, 7, 16, 0};
    struct { void *handler; unsigned long flags, rest[4]; } action = {0}, old;
    unsigned long set = 0, all = -1UL;
    struct timespec zero = {0, 0}, wrong = {0, 1000000000};
    for (size_t s = 0; s < COUNT(sizes); s++) {
        long n = sizes[s];
        static const char *names[] = {"8", "7", "16", "0"};
        for (int sig = -1; sig < 67; sig += sig == 2 ? 7 : sig == 20 ? 43 : 1) {
            char what[32];
            snprintf(what, sizeof what, "size %s, %d", names[s], sig);
            L(what, rt_sigaction, sig, NULL, &old, n), L(what, rt_sigaction, sig, &action, NULL, n);
        }
        for (int how = -1; how < 4; how++) L(names[s], rt_sigprocmask, how, &set, NULL, n), L(names[s], rt_sigprocmask, how, BAD, NULL, n), L(names[s], rt_sigprocmask, how, NULL, BAD, n), L(names[s], rt_sigprocmask, how, NULL, &old, n);
        L(names[s], rt_sigpending, room, n), L(names[s], rt_sigpending, BAD, n), L(names[s], rt_sigtimedwait, &set, NULL, &zero, n), L(names[s], rt_sigtimedwait, &set, NULL, &wrong, n), L(names[s], rt_sigtimedwait, BAD, NULL, &zero, n), L(names[s], rt_sigtimedwait, &all, NULL, BAD, n), L(names[s], rt_sigsuspend, BAD, n);
    }
    C(rt_sigsuspend, &set, 7), C(rt_sigaction, SIGUSR1, BAD, NULL, 8), C(rt_sigaction, SIGUSR1, NULL, BAD, 8), C(rt_sigaction, SIGKILL, &action, NULL, 8);
    struct { void *sp; int flags; unsigned long size; } stack = {room, 0, sizeof room}, small = {room, 0, 100}, odd = {room, 77, sizeof room}, off = {NULL, 2, 0};
    C(sigaltstack, &stack, NULL), C(sigaltstack, &small, NULL), C(sigaltstack, &odd, NULL), C(sigaltstack, BAD, NULL), C(sigaltstack, NULL, BAD), C(sigaltstack, NULL, &stack), C(sigaltstack, &off, NULL);
    // One that is blocked waits to be taken.
    siginfo_t info = {.si_signo = SIGUSR1, .si_code = SI_QUEUE};
    set = 1UL << (SIGUSR1 - 1);
    C(rt_sigprocmask, SIG_BLOCK, &set, NULL, 8), C(rt_sigqueueinfo, getpid(), SIGUSR1, &info), C(rt_sigpending, room, 8), C(rt_sigtimedwait, &set, room, &zero, 8), C(rt_tgsigqueueinfo, getpid(), getpid(), SIGUSR1, &info), C(rt_sigtimedwait, &set, BAD, &zero, 8), C(rt_sigtimedwait, &set, NULL, &zero, 8), C(rt_sigqueueinfo, getpid(), 65, &info), C(rt_sigqueueinfo, getpid(), SIGUSR1, BAD), C(rt_sigprocmask, SIG_UNBLOCK, &set, NULL, 8);
}

static void limits(void) {
    unsigned long two[2], backwards[2] = {6, 5};
    for (int r = -1; r < 18; r++) {
        char n[16];
        snprintf(n, sizeof n, "%d", r);
        L(n, getrlimit, r, two), L(n, getrlimit, r, BAD), L(n, getrlimit, r, NULL), L(n, setrlimit, r, BAD), L(n, setrlimit, r, backwards), L(n, prlimit64, 0, r, NULL, two), L(n, prlimit64, 0, r, NULL, BAD), L(n, prlimit64, 0, r, BAD, NULL), L(n, prlimit64, 0, r, backwards, NULL), L(n, prlimit64, 4194303, r, NULL, two), L(n, prlimit64, getpid(), r, NULL, two), L(n, prlimit64, 0, r, two, two), L(n, setrlimit, r, two);
    }
    static const struct name options[] = {
        {"GET_PDEATHSIG", PR_GET_PDEATHSIG}, {"SET_PDEATHSIG", PR_SET_PDEATHSIG}, {"GET_DUMPABLE", PR_GET_DUMPABLE}, {"SET_DUMPABLE", PR_SET_DUMPABLE}, {"GET_KEEPCAPS", PR_GET_KEEPCAPS}, {"SET_KEEPCAPS", PR_SET_KEEPCAPS}, {"GET_TIMING", PR_GET_TIMING}, {"SET_NAME", PR_SET_NAME}, {"GET_NAME", PR_GET_NAME},
        {"CAPBSET_READ", PR_CAPBSET_READ}, {"GET_SECUREBITS", PR_GET_SECUREBITS}, {"SET_TIMERSLACK", PR_SET_TIMERSLACK}, {"MCE_KILL", PR_MCE_KILL}, {"MCE_KILL_GET", PR_MCE_KILL_GET}, {"SET_CHILD_SUBREAPER", PR_SET_CHILD_SUBREAPER}, {"GET_CHILD_SUBREAPER", PR_GET_CHILD_SUBREAPER},
        {"GET_NO_NEW_PRIVS", PR_GET_NO_NEW_PRIVS}, {"GET_TID_ADDRESS", PR_GET_TID_ADDRESS}, {"SET_THP_DISABLE", PR_SET_THP_DISABLE}, {"GET_THP_DISABLE", PR_GET_THP_DISABLE}, {"CAP_AMBIENT", PR_CAP_AMBIENT}, {"SET_IO_FLUSHER", 57}, {"GET_IO_FLUSHER", 58}, {"GET_SECCOMP", PR_GET_SECCOMP}, {"99", 99}, {"-1", -1},
    };
    for (size_t o = 0; o < COUNT(options); o++)
        for (int a = 0; a < 5; a++) {
            long value = a == 0 ? 0 : a == 1 ? 1 : a == 2 ? 8 : a == 3 ? 999 : (long)room;
            if (options[o].value == PR_CAP_AMBIENT && a == 0) continue;
            if (a == 4 && (options[o].value == PR_SET_TIMERSLACK || options[o].value == PR_GET_NO_NEW_PRIVS)) continue;
            if (a != 4 || options[o].value == PR_GET_NAME || options[o].value == PR_SET_NAME || options[o].value == PR_GET_PDEATHSIG)
                say("prctl(%s, %d) = %s %s\n", options[o].name, a, result(syscall(SYS_prctl, options[o].value, value, 0, 0, 0)), a ? result(syscall(SYS_prctl, options[o].value, value, 0, 0, 7)) : "");
        }
    for (int persona = 0; persona < 3; persona++) C(personality, 0xffffffffUL);
}

static void sockets(void) {
    static const struct name families[] = {{"unix", AF_UNIX}, {"inet", AF_INET}, {"inet6", AF_INET6}, {"netlink", AF_NETLINK}, {"0", 0}, {"77", 77}, {"-1", -1}};
    static const struct name types[] = {{"stream", SOCK_STREAM}, {"datagram", SOCK_DGRAM}, {"raw", SOCK_RAW}, {"seqpacket", SOCK_SEQPACKET}, {"nonblock", SOCK_STREAM | SOCK_NONBLOCK}, {"0", 0}, {"11", 11}, {"unknown flag", SOCK_STREAM | 0x100}};
    int pair[2];
    for (size_t f = 0; f < COUNT(families); f++)
        for (size_t k = 0; k < COUNT(types); k++)
            for (int p = 0; p < 3; p++) {
                int protocol = p == 0 ? 0 : p == 1 ? 6 : 999;
                say("socket(%s, %s, %d) = %s\n", families[f].name, types[k].name, protocol, fd_of(syscall(SYS_socket, families[f].value, types[k].value, protocol)));
                long r = syscall(SYS_socketpair, families[f].value, types[k].value, protocol, pair);
                say("socketpair(%s, %s, %d) = %s\n", families[f].name, types[k].name, protocol, result(r));
                if (r == 0) close(pair[0]), close(pair[1]);
            }
    C(socketpair, AF_UNIX, SOCK_STREAM, 0, BAD), C(socketpair, AF_UNIX, SOCK_STREAM, 0, fixed);
    struct sockaddr_un name = {AF_UNIX, "socket"}, missing = {AF_UNIX, "none"}, deep = {AF_UNIX, "none/x"}, abstract = {AF_UNIX, "\0table"};
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}, away = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0xc0000201)};
    int un = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0), tcp = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), udp = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), file = open("plain", O_CREAT | O_RDWR, 0644), open_pair[2], listening = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, open_pair);
    bind(listening, (void *)&in, sizeof in), listen(listening, 5);
    const struct name all[] = {{"-1", -1}, {"999", 999}, {"file", file}, {"unix", un}, {"tcp", tcp}, {"udp", udp}, {"pair", open_pair[0]}, {"listening", listening}};
    static const struct name names[] = {{"SO_TYPE", SO_TYPE}, {"SO_ERROR", SO_ERROR}, {"SO_REUSEADDR", SO_REUSEADDR}, {"SO_KEEPALIVE", SO_KEEPALIVE}, {"SO_LINGER", SO_LINGER}, {"SO_RCVTIMEO", SO_RCVTIMEO}, {"SO_PASSCRED", SO_PASSCRED}, {"SO_DOMAIN", SO_DOMAIN}, {"SO_ACCEPTCONN", SO_ACCEPTCONN}, {"SO_RCVLOWAT", SO_RCVLOWAT}, {"SO_PROTOCOL", SO_PROTOCOL}, {"SO_PEEK_OFF", SO_PEEK_OFF}, {"999", 999}};
    for (size_t i = 0; i < COUNT(all); i++) {
        const char *n = all[i].name;
        int fd = all[i].value;
        socklen_t len = sizeof room, negative = -1L, zero = 0;
        struct iovec one = {room, 4}, bad = {BAD, 4};
        struct msghdr message = {.msg_iov = &one, .msg_iovlen = 1}, bad_vector = {.msg_iov = BAD, .msg_iovlen = 1}, bad_buffer = {.msg_iov = &bad, .msg_iovlen = 1}, bad_name = {.msg_name = BAD, .msg_namelen = 16, .msg_iov = &one, .msg_iovlen = 1}, bad_control = {.msg_control = BAD, .msg_controllen = 64, .msg_iov = &one, .msg_iovlen = 1}, many = {.msg_iov = &one, .msg_iovlen = 1025};
        struct mmsghdr several[2] = {{message, 0}, {message, 0}};
        struct timespec soon = {0, 0}, wrong = {0, 1000000000};
        L(n, recvfrom, fd, room, 4, MSG_DONTWAIT, NULL, NULL), L(n, recvfrom, fd, BAD, 4, MSG_DONTWAIT, NULL, NULL), L(n, recvfrom, fd, room, 4, MSG_OOB | MSG_DONTWAIT, NULL, NULL), L(n, recvmsg, fd, &message, MSG_DONTWAIT), L(n, recvmsg, fd, BAD, MSG_DONTWAIT), L(n, recvmsg, fd, &bad_vector, MSG_DONTWAIT), L(n, recvmsg, fd, &many, MSG_DONTWAIT), L(n, recvmmsg, fd, several, 2, MSG_DONTWAIT, NULL), L(n, recvmmsg, fd, BAD, 2, MSG_DONTWAIT, NULL), L(n, recvmmsg, fd, several, 2, MSG_DONTWAIT, &wrong), L(n, recvmmsg, fd, several, 2, MSG_DONTWAIT, &soon), L(n, recvmmsg, fd, several, 2, MSG_DONTWAIT, BAD);
        L(n, sendto, fd, room, 4, MSG_NOSIGNAL, NULL, 0), L(n, sendto, fd, BAD, 4, MSG_NOSIGNAL, NULL, 0), L(n, sendto, fd, room, 4, MSG_NOSIGNAL, BAD, 16), L(n, sendto, fd, room, 4, MSG_NOSIGNAL, &in, 2), L(n, sendto, fd, room, 4, MSG_NOSIGNAL, &in, -1L), L(n, sendto, fd, room, 4, MSG_NOSIGNAL, &in, 200), L(n, sendmsg, fd, &message, MSG_NOSIGNAL), L(n, sendmsg, fd, BAD, MSG_NOSIGNAL), L(n, sendmsg, fd, &bad_vector, MSG_NOSIGNAL), L(n, sendmsg, fd, &bad_buffer, MSG_NOSIGNAL), L(n, sendmsg, fd, &bad_name, MSG_NOSIGNAL), L(n, sendmsg, fd, &bad_control, MSG_NOSIGNAL), L(n, sendmsg, fd, &many, MSG_NOSIGNAL), L(n, sendmmsg, fd, several, 2, MSG_NOSIGNAL), L(n, sendmmsg, fd, BAD, 2, MSG_NOSIGNAL);
        L(n, getsockname, fd, room, &len), len = sizeof room, L(n, getsockname, fd, BAD, &len), L(n, getsockname, fd, room, BAD), L(n, getsockname, fd, room, &negative), L(n, getsockname, fd, room, &zero), len = sizeof room, L(n, getpeername, fd, room, &len), L(n, getpeername, fd, room, BAD), L(n, getpeername, fd, BAD, &len), L(n, getpeername, fd, room, &negative);
        for (size_t o = 0; o < COUNT(names); o++) {
            socklen_t l = 4;
            char what[48];
            int value = 1;
            snprintf(what, sizeof what, "%s, %s", n, names[o].name);
            L(what, getsockopt, fd, SOL_SOCKET, names[o].value, room, &l), say("its length is %u\n", l), l = 4, L(what, getsockopt, fd, SOL_SOCKET, names[o].value, BAD, &l), L(what, setsockopt, fd, SOL_SOCKET, names[o].value, BAD, 4), L(what, setsockopt, fd, SOL_SOCKET, names[o].value, &value, 3);
            if (names[o].value == SO_REUSEADDR || names[o].value == SO_KEEPALIVE || names[o].value == SO_PASSCRED) L(what, setsockopt, fd, SOL_SOCKET, names[o].value, &value, 4);
        }
        L(n, getsockopt, fd, SOL_SOCKET, SO_TYPE, room, BAD), L(n, getsockopt, fd, SOL_SOCKET, SO_TYPE, room, &negative), L(n, getsockopt, fd, 999, 1, room, &len), L(n, setsockopt, fd, 999, 1, room, 4), L(n, setsockopt, fd, SOL_SOCKET, SO_TYPE, room, -1L);
        len = sizeof room;
        L(n, accept, fd, room, &len), L(n, accept, fd, BAD, &len), L(n, accept, fd, room, BAD), L(n, accept4, fd, room, &len, 0), L(n, accept4, fd, room, &len, 1), L(n, shutdown, fd, 3), L(n, shutdown, fd, -1L);
        L(n, bind, fd, BAD, 16), L(n, bind, fd, &in, 2), L(n, bind, fd, &in, -1L), L(n, bind, fd, &in, 200), L(n, bind, fd, &deep, sizeof deep), L(n, connect, fd, BAD, 16), L(n, connect, fd, &in, 2), L(n, connect, fd, &in, -1L), L(n, connect, fd, &missing, sizeof missing);
        if (i < 6) L(n, listen, fd, 5);
    }
    int second = socket(AF_UNIX, SOCK_STREAM, 0), third = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0), fourth = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    socklen_t len = sizeof room;
    C(connect, third, &missing, sizeof missing), C(bind, second, &name, sizeof name), C(bind, third, &name, sizeof name), C(bind, second, &name, sizeof name), C(connect, third, &name, sizeof name), C(listen, second, 5), C(connect, third, &name, sizeof name), C(connect, third, &name, sizeof name), C(getpeername, third, room, &len), D(accept4, second, NULL, NULL, SOCK_CLOEXEC), C(bind, fourth, &abstract, 8), len = sizeof room, C(getsockname, fourth, room, &len), C(shutdown, third, 1), C(shutdown, third, 2), C(shutdown, fourth, 0), C(sendto, third, "x", 1, MSG_NOSIGNAL, NULL, 0);
    C(unlinkat, AT_FDCWD, "socket", 0), C(unlinkat, AT_FDCWD, "plain", 0);
    for (int fd = un; fd <= fourth; fd++) close(fd);
}

static void objects(void) {
    static struct { long type; char text[100000]; } message = {1, "text"};
    struct { long type; char text[8]; } wrong = {0, ""};
    for (int kind = 0; kind < 3; kind++) {
        static const char *names[] = {"new", "-1", "none"};
        const char *n = names[kind];
        int queue = kind == 1 ? -1 : 0x7fffff00, set = queue, memory = queue;
        if (kind == 0) queue = syscall(SYS_msgget, IPC_PRIVATE, 0600), set = syscall(SYS_semget, IPC_PRIVATE, 2, 0600), memory = syscall(SYS_shmget, IPC_PRIVATE, 4096, 0600);
        L(n, msgsnd, queue, &message, 5, IPC_NOWAIT), L(n, msgsnd, queue, &wrong, 5, IPC_NOWAIT), L(n, msgsnd, queue, BAD, 5, IPC_NOWAIT), L(n, msgsnd, queue, &message, -1L, IPC_NOWAIT), L(n, msgsnd, queue, &message, 100000, IPC_NOWAIT), L(n, msgsnd, queue, &message, 0, IPC_NOWAIT);
        L(n, msgrcv, queue, room, 2, 0, IPC_NOWAIT), L(n, msgrcv, queue, BAD, 100, 7, IPC_NOWAIT), L(n, msgrcv, queue, room, 2, 0, IPC_NOWAIT | MSG_NOERROR), L(n, msgrcv, queue, room, 100, -5L, IPC_NOWAIT), L(n, msgrcv, queue, room, 100, 0, IPC_NOWAIT), L(n, msgrcv, queue, room, -1L, 0, IPC_NOWAIT), L(n, msgrcv, queue, room, 100, 0, IPC_NOWAIT | MSG_COPY);
        L(n, msgctl, queue, IPC_STAT, room), L(n, msgctl, queue, IPC_STAT, BAD), L(n, msgctl, queue, IPC_SET, BAD), L(n, msgctl, queue, 77, room), L(n, msgctl, queue, IPC_RMID, NULL), L(n, msgctl, queue, IPC_RMID, NULL);
        struct sembuf up = {0, 1, 0}, down = {0, -1L, IPC_NOWAIT}, beyond = {9, 1, IPC_NOWAIT}, undo = {1, 1, SEM_UNDO};
        struct timespec zero = {0, 0}, odd = {0, 1000000000};
        unsigned short values[2] = {3, 4};
        L(n, semop, set, &up, 1), L(n, semop, set, &down, 1), L(n, semop, set, &down, 1), L(n, semop, set, &beyond, 1), L(n, semop, set, BAD, 1), L(n, semop, set, &up, 0), L(n, semop, set, &up, 100000), L(n, semop, set, &undo, 1), L(n, semtimedop, set, &up, 1, &zero), L(n, semtimedop, set, &up, 1, &odd), L(n, semtimedop, set, &up, 1, BAD), L(n, semtimedop, set, BAD, 1, NULL);
        L(n, semctl, set, 0, GETVAL, 0), L(n, semctl, set, 9, GETVAL, 0), L(n, semctl, set, 0, SETVAL, 7), L(n, semctl, set, 0, SETVAL, -1L), L(n, semctl, set, 0, SETVAL, 100000), L(n, semctl, set, 0, GETNCNT, 0), L(n, semctl, set, 0, GETZCNT, 0), L(n, semctl, set, 0, GETALL, values), L(n, semctl, set, 0, GETALL, BAD), L(n, semctl, set, 0, SETALL, values), L(n, semctl, set, 0, SETALL, BAD), L(n, semctl, set, 0, IPC_STAT, room), L(n, semctl, set, 0, IPC_STAT, BAD), L(n, semctl, set, 0, IPC_SET, BAD), L(n, semctl, set, 0, 77, 0), L(n, semctl, set, 0, IPC_RMID, 0), L(n, semctl, set, 0, IPC_RMID, 0);
        LK(n, shmat, memory, NULL, 0), LK(n, shmat, memory, NULL, SHM_RDONLY), L(n, shmat, memory, (void *)0x1001, 0), L(n, shmat, memory, NULL, SHM_REMAP), L(n, shmdt, BAD), L(n, shmdt, NULL), L(n, shmctl, memory, IPC_STAT, room), L(n, shmctl, memory, IPC_STAT, BAD), L(n, shmctl, memory, IPC_SET, BAD), L(n, shmctl, memory, 77, room), L(n, shmctl, memory, SHM_LOCK, NULL), L(n, shmctl, memory, IPC_RMID, NULL), L(n, shmctl, memory, -1L, NULL);
        long at = syscall(SYS_shmat, memory, NULL, 0);
        if (kind == 0) C(shmdt, at), C(shmdt, at);
    }
    K(msgget, 0x7ab1e, 0), K(msgget, 0x7ab1e, IPC_CREAT | 0600), C(msgget, 0x7ab1e, IPC_CREAT | IPC_EXCL | 0600), C(msgctl, (int)syscall(SYS_msgget, 0x7ab1e, 0), IPC_RMID, NULL), C(semget, 0x7ab1e, 1, 0), C(semget, IPC_PRIVATE, -1L, 0600), C(semget, IPC_PRIVATE, 0, 0600), C(semget, IPC_PRIVATE, 1000000, 0600), K(semget, 0x7ab1e, 1, IPC_CREAT | 0600), C(semget, 0x7ab1e, 5, 0), C(semget, 0x7ab1e, 1, IPC_CREAT | IPC_EXCL), C(semctl, (int)syscall(SYS_semget, 0x7ab1e, 1, 0), 0, IPC_RMID, 0);
    C(shmget, 0x7ab1e, 4096, 0), C(shmget, IPC_PRIVATE, 0, 0600), K(shmget, 0x7ab1e, 4096, IPC_CREAT | 0600), C(shmget, 0x7ab1e, 8192, 0), C(shmget, 0x7ab1e, 4096, IPC_CREAT | IPC_EXCL), C(shmctl, (int)syscall(SYS_shmget, 0x7ab1e, 0, 0), IPC_RMID, NULL);
    struct mq_attr attr = {.mq_maxmsg = 3, .mq_msgsize = 16}, odd = {.mq_maxmsg = -1L, .mq_msgsize = 16}, flags = {.mq_flags = 0x100}, nonblock = {.mq_flags = O_NONBLOCK};
    C(mq_unlink, "table"), C(mq_unlink, BAD), C(mq_unlink, ""), D(mq_open, "table", O_RDWR, 0, NULL), D(mq_open, BAD, O_RDWR, 0, NULL), D(mq_open, "a/b", O_RDWR | O_CREAT, 0600, NULL), D(mq_open, "table", O_RDWR | O_CREAT, 0600, &odd), D(mq_open, "table", O_RDWR | O_CREAT, 0600, BAD);
    int mq = syscall(SYS_mq_open, "table", O_RDWR | O_CREAT | O_NONBLOCK, 0600, &attr);
    struct timespec past = {0, 0}, wrong_time = {0, 1000000000};
    unsigned priority;
    D(mq_open, "table", O_RDWR | O_CREAT | O_EXCL, 0600, &attr);
    const struct name queues[] = {{"queue", mq}, {"-1", -1}, {"999", 999}, {"output", 1}};
    for (size_t q = 0; q < COUNT(queues); q++) {
        const char *n = queues[q].name;
        int fd = queues[q].value;
        struct sigevent none_at_all = {.sigev_notify = SIGEV_NONE}, unknown = {.sigev_notify = 77};
        L(n, mq_timedsend, fd, "text", 4, 1, NULL), L(n, mq_timedsend, fd, BAD, 4, 1, NULL), L(n, mq_timedsend, fd, room, 17, 1, NULL), L(n, mq_timedsend, fd, "text", 4, 40000, NULL), L(n, mq_timedsend, fd, "text", 4, 1, BAD), L(n, mq_timedsend, fd, "text", 4, 1, &wrong_time), L(n, mq_timedsend, fd, "text", 4, 5, &past), L(n, mq_timedsend, fd, "", 0, 0, NULL), L(n, mq_timedsend, fd, "full", 4, 0, NULL);
        L(n, mq_timedreceive, fd, room, 16, &priority, NULL), L(n, mq_timedreceive, fd, room, 15, &priority, NULL), L(n, mq_timedreceive, fd, BAD, 16, NULL, NULL), L(n, mq_timedreceive, fd, room, 16, BAD, NULL), L(n, mq_timedreceive, fd, room, 16, NULL, BAD), L(n, mq_timedreceive, fd, room, 16, NULL, NULL), L(n, mq_timedreceive, fd, room, 16, NULL, &wrong_time);
        L(n, mq_notify, fd, &none_at_all), L(n, mq_notify, fd, &none_at_all), L(n, mq_notify, fd, NULL), L(n, mq_notify, fd, &unknown), L(n, mq_notify, fd, BAD), L(n, mq_getsetattr, fd, NULL, room), L(n, mq_getsetattr, fd, NULL, BAD), L(n, mq_getsetattr, fd, &flags, NULL), L(n, mq_getsetattr, fd, &nonblock, room), L(n, mq_getsetattr, fd, BAD, NULL), L(n, mq_getsetattr, fd, NULL, NULL);
    }
    close(mq), C(mq_unlink, "table"), C(mq_unlink, "table");
}

static void keys(void) {
    K(add_key, "user", "table", "payload", 7, -2L), C(add_key, "unknown", "table", "payload", 7, -2L), C(add_key, BAD, "table", "payload", 7, -2L), C(add_key, "user", BAD, "payload", 7, -2L), C(add_key, "user", "table", BAD, 7, -2L), C(add_key, "user", "table", "payload", 2000000, -2L), C(add_key, "user", "table", "payload", 7, 0), C(add_key, ".user", "table", "payload", 7, -2L), C(add_key, "user", "", "payload", 7, -2L);
    int key = syscall(SYS_add_key, "user", "table", "payload", 7, -2L);
    K(request_key, "user", "table", NULL, 0), C(request_key, "user", "not there", NULL, 0), C(request_key, BAD, "table", NULL, 0), C(request_key, "user", BAD, NULL, 0), C(request_key, "unknown", "table", NULL, 0);
    C(keyctl, KEYCTL_READ, key, room, 100), C(keyctl, KEYCTL_READ, key, BAD, 100), C(keyctl, KEYCTL_READ, 999999, room, 100), C(keyctl, KEYCTL_UPDATE, key, "new", 3), C(keyctl, KEYCTL_UPDATE, key, BAD, 3), K(keyctl, KEYCTL_DESCRIBE, key, room, 100), C(keyctl, KEYCTL_DESCRIBE, key, BAD, 0) , K(keyctl, KEYCTL_SEARCH, -2L, "user", "table", 0), C(keyctl, KEYCTL_SEARCH, -2L, BAD, "table", 0), C(keyctl, KEYCTL_SEARCH, -2L, "user", "none", 0);
    C(keyctl, KEYCTL_SETPERM, key, 0x3f3f0000), C(keyctl, KEYCTL_SETPERM, key, -1L), C(keyctl, KEYCTL_SET_TIMEOUT, key, 100), C(keyctl, KEYCTL_REVOKE, key), C(keyctl, KEYCTL_READ, key, room, 100), C(keyctl, KEYCTL_UNLINK, key, -2L), C(keyctl, 999, 0, 0, 0, 0), C(keyctl, KEYCTL_CLEAR, 999999), K(keyctl, KEYCTL_GET_KEYRING_ID, -2L, 0), C(keyctl, KEYCTL_GET_KEYRING_ID, 999999, 0);
    unsigned long ruleset[3] = {1, 0, 0}, unknown[3] = {1UL << 60, 0, 0};
    struct __attribute__((packed)) { unsigned long access; int fd; } rule = {1, -1}, no_access = {0, -1};
    K(landlock_create_ruleset, NULL, 0, 1), C(landlock_create_ruleset, NULL, 0, 0x100), C(landlock_create_ruleset, BAD, 8, 0), C(landlock_create_ruleset, ruleset, 7, 0), C(landlock_create_ruleset, unknown, 8, 0), D(landlock_create_ruleset, ruleset, 8, 0), C(landlock_create_ruleset, ruleset, 5000, 0);
    int rules = syscall(SYS_landlock_create_ruleset, ruleset, 8, 0);
    C(landlock_add_rule, -1L, 1, &rule, 0), C(landlock_add_rule, rules, 1, &rule, 0), C(landlock_add_rule, rules, 1, BAD, 0), C(landlock_add_rule, rules, 77, &rule, 0), C(landlock_add_rule, rules, 1, &rule, 1), C(landlock_add_rule, rules, 1, &no_access, 0), C(landlock_restrict_self, -1L, 0), C(landlock_restrict_self, rules, 0x100), C(landlock_restrict_self, 1, 0);
    close(rules);
}

static void memory(void) {
    unsigned word = 5, other = 6, where;
    unsigned long nodes[16] = {1}, none_of_them[16] = {0};
    struct timespec zero = {0, 0}, wrong = {0, 1000000000};
    char *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1L, 0);
    page[0] = 1;
    static const struct name operations[] = {{"WAKE", 1}, {"REQUEUE", 3}, {"CMP_REQUEUE", 4}, {"WAKE_OP", 5}, {"UNLOCK_PI", 7}, {"TRYLOCK_PI", 8}, {"WAKE_BITSET", 10}, {"77", 77}, {"FD", 2}, {"CMP_REQUEUE_PI", 12}};
    for (size_t o = 0; o < COUNT(operations); o++)
        for (int private = 0; private < 2; private++) {
            const char *n = operations[o].name;
            long op = operations[o].value | (private ? 128 : 0);
            word = 5, other = 6;
            L(n, futex, &word, op, 1, 1, &other, 5), L(n, futex, BAD, op, 1, 1, &other, 5), L(n, futex, (char *)&word + 1, op, 1, 1, &other, 5), L(n, futex, none, op, 1, 1, &other, 5), L(n, futex, &word, op, 1, 1, BAD, 5), L(n, futex, FAR, op, 1, 1, &other, 5), L(n, futex, &word, op, -1L, -1L, &other, 0);
        }
    word = 5;
    static const struct name waiting[] = {{"WAIT", 0}, {"WAIT_BITSET", 9}, {"LOCK_PI", 6}, {"WAIT_REQUEUE_PI", 11}};
    for (size_t o = 0; o < COUNT(waiting); o++) {
        const char *n = waiting[o].name;
        long op = waiting[o].value | 128;
        if (op == (9 | 128)) zero.tv_sec = 1;
        L(n, futex, &word, op, 4, &zero, &other, -1L), L(n, futex, &word, op, 5, &wrong, &other, -1L), L(n, futex, BAD, op, 5, &zero, &other, -1L), L(n, futex, &word, op, 5, BAD, &other, -1L), L(n, futex, (char *)&word + 2, op, 5, &zero, &other, -1L), L(n, futex, &word, op, 5, &zero, &other, 0);
        if (o < 2) L(n, futex, &word, op, 5, &zero, &other, -1L);
        zero.tv_sec = 0;
    }
    struct { unsigned long value, at; unsigned flags, spare; } waiters[2] = {{4, (unsigned long)&word, 0x82, 0}, {6, (unsigned long)&other, 0x82, 0}}, bad[1] = {{5, 8, 0x82, 0}}, odd[1] = {{5, (unsigned long)&word, 0x100, 0}};
    C(futex_waitv, waiters, 2, 0, NULL, 1), C(futex_waitv, bad, 1, 0, NULL, 1), C(futex_waitv, odd, 1, 0, NULL, 1), C(futex_waitv, waiters, 0, 0, NULL, 1), C(futex_waitv, waiters, 129, 0, NULL, 1), C(futex_waitv, BAD, 1, 0, NULL, 1), C(futex_waitv, waiters, 1, 1, NULL, 1), C(futex_waitv, waiters, 1, 0, BAD, 1), C(futex_waitv, waiters, 1, 0, &wrong, 1), C(futex_waitv, waiters, 1, 0, &zero, 77);
    C(futex_wake, &word, -1L, 1, 0x82), C(futex_wake, BAD, -1L, 1, 0x82), C(futex_wake, &word, -1L, 1, 0x100), C(futex_wake, (char *)&word + 1, -1L, 1, 0x82), C(futex_wait, &word, 4, -1L, 0x82, NULL, 1), C(futex_wait, BAD, 4, -1L, 0x82, NULL, 1), C(futex_wait, &word, 4, -1L, 0x100, NULL, 1), C(futex_wait, &word, 5, -1L, 0x82, BAD, 1), C(futex_wait, &word, 5, -1L, 0x82, &zero, 77), C(futex_wait, &word, 5, 0, 0x82, NULL, 1);
    C(futex_requeue, waiters, 0, 1, 1), C(futex_requeue, waiters, 1, 1, 1), C(futex_requeue, BAD, 0, 1, 1), C(futex_requeue, NULL, 0, 1, 1), waiters[0].value = 5, C(futex_requeue, waiters, 0, 1, 1), C(futex_requeue, waiters, 0, -1L, 1);
    K(set_robust_list, &word, 24), C(set_robust_list, NULL, 24), C(set_robust_list, NULL, 12);
    C(get_mempolicy, &where, nodes, 1024, NULL, 0), C(get_mempolicy, BAD, NULL, 0, NULL, 0), C(get_mempolicy, NULL, BAD, 1024, NULL, 0), C(get_mempolicy, &where, NULL, 0, page, 2), C(get_mempolicy, &where, NULL, 0, page, 3), C(get_mempolicy, &where, NULL, 0, BAD, 3), C(get_mempolicy, &where, NULL, 0, NULL, 77), C(set_mempolicy, 0, NULL, 0), C(set_mempolicy, 77, NULL, 0), C(set_mempolicy, 2, BAD, 64), C(set_mempolicy, 2, none_of_them, 64), C(set_mempolicy, 2, nodes, 64), C(set_mempolicy, 0, NULL, 0);
    C(mbind, page, PAGE, 0, NULL, 0, 0), C(mbind, page, PAGE, 2, nodes, 64, 0), C(mbind, page, PAGE, 77, NULL, 0, 0), C(mbind, page + 1, PAGE, 0, NULL, 0, 0), C(mbind, page, PAGE, 2, BAD, 64, 0), C(mbind, page, PAGE, 2, nodes, 64, 0x100), C(mbind, (char *)PAGE, PAGE, 2, nodes, 64, 1), C(set_mempolicy_home_node, page, PAGE, 0, 0), C(set_mempolicy_home_node, page, PAGE, 0, 1), C(set_mempolicy_home_node, page + 1, PAGE, 0, 0), C(set_mempolicy_home_node, page, PAGE, 5000, 0), C(migrate_pages, 0, 64, BAD, nodes), C(migrate_pages, 0, 64, nodes, nodes);
    void *pages_to[1] = {page};
    int status[1] = {9}, node[1] = {0};
    C(move_pages, 0, 1, pages_to, NULL, status, 0), C(move_pages, 0, 1, pages_to, node, status, 2), C(move_pages, 0, 1, BAD, NULL, status, 0), C(move_pages, 0, 1, pages_to, NULL, BAD, 0), C(move_pages, 0, 1, pages_to, BAD, status, 2), C(move_pages, 0, 1, pages_to, NULL, status, 1), C(move_pages, 0, 0, NULL, NULL, NULL, 0);
    C(mseal, page + 1, PAGE, 0), C(mseal, page, PAGE, 1), C(mseal, (char *)PAGE, PAGE, 0), C(mseal, page, -1L, 0), C(mseal, page, 0, 0), C(mseal, page, PAGE, 0), C(munmap, page, PAGE), C(mprotect, page, PAGE, 1), C(madvise, page, PAGE, 4);
    C(remap_file_pages, page, PAGE, 0, 0, 0), C(remap_file_pages, page, PAGE, 1, 0, 0), C(process_madvise, -1L, BAD, 1, 4, 0), C(process_madvise, -1L, page, 0, 4, 0), C(process_mrelease, -1L, 0), C(process_mrelease, 1, 1), C(process_mrelease, 1, 0), C(mlock2, page, 0, 8), C(mlockall, 0), C(mlockall, 8), C(mlockall, 4), C(mincore, page, PAGE, BAD), C(mincore, page + 1, PAGE, room), C(mincore, page, PAGE, room), C(msync, page, PAGE, 5), C(msync, page, PAGE, 4), C(msync, page + 1, PAGE, 4);
    unsigned long context = 0, odd_context = 5;
    void *requests[1] = {BAD};
    K(io_setup, 4, &context), C(io_setup, 4, &odd_context), C(io_setup, 0, &(unsigned long){0}), C(io_setup, 4, BAD), C(io_setup, 1L << 30, &(unsigned long){0}), C(io_submit, context, 1, requests), C(io_submit, context, 1, BAD), C(io_submit, context, -1L, requests), C(io_submit, context, 0, NULL), C(io_submit, 12345, 1, requests), C(io_cancel, context, BAD, room), C(io_cancel, 12345, room, room), C(io_getevents, context, 0, 1, room, &zero), C(io_getevents, context, 2, 1, room, &zero), C(io_getevents, context, 0, -1L, room, NULL), C(io_getevents, context, 0, 1, room, BAD), C(io_getevents, 12345, 0, 1, room, NULL), C(io_pgetevents, context, 0, 1, room, &zero, NULL), C(io_pgetevents, context, 0, 1, room, &zero, BAD), C(io_pgetevents, 12345, 0, 1, room, &zero, NULL), C(io_destroy, context), C(io_destroy, context), C(io_destroy, 12345);
}

// Ends, and what a process confines itself with.
static void ends(void) {
    static const int codes[] = {0, 7, 256, 263, -1};
    for (size_t c = 0; c < COUNT(codes); c++)
        for (int group = 0; group < 2; group++) {
            flush();
            pid_t pid = fork();
            if (pid == 0) syscall(group ? SYS_exit_group : SYS_exit, codes[c]);
            int status = -1;
            waitpid(pid, &status, 0);
            say("%s(%d) = %d\n", group ? "exit_group" : "exit", codes[c], status);
        }
    unsigned action = 0x7fff0000, unknown = 0x12340000;
    unsigned short sizes[3];
    struct { unsigned short len; void *at; } none_at_all = {0, NULL}, bad = {1, BAD}, many = {5000, room};
    C(seccomp, 77, 0, NULL), C(seccomp, 0, 1, NULL), C(seccomp, 0, 0, room), C(seccomp, 1, 0x1000, &bad), C(seccomp, 1, 0, BAD), C(seccomp, 1, 0, &none_at_all), C(seccomp, 1, 0, &bad), C(seccomp, 1, 0, &many), C(seccomp, 1, 9, &bad), C(seccomp, 1, 32, &bad), C(seccomp, 2, 0, &action), C(seccomp, 2, 0, &unknown), C(seccomp, 2, 1, &action), C(seccomp, 2, 0, BAD), C(seccomp, 3, 0, sizes), C(seccomp, 3, 0, BAD), C(seccomp, 3, 1, sizes);
    char *start = (char *)syscall(SYS_brk, 0), *more = (char *)syscall(SYS_brk, start + 2 * PAGE);
    say("brk(two pages more) = %ld\n", (long)(more - start));
    say("brk(8) = %ld\n", (long)((char *)syscall(SYS_brk, 8) - start));
    say("brk(far) = %ld\n", (long)((char *)syscall(SYS_brk, FAR) - start));
    say("brk(back) = %ld\n", (long)((char *)syscall(SYS_brk, start) - start));
    C(munlockall), C(mlockall, 1), C(munlockall), C(unshare, 0x4000000000), C(unshare, 0), C(setns, -1L, 0), C(setns, 1, 0);
}

int main(void) {
    pages();
    times();
    system_wide();
    ids();
    scheduling();
    signals();
    limits();
    sockets();
    objects();
    keys();
    memory();
    ends();
    flush();
    return 0;
}
