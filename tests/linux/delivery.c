// Details of signal delivery: what a handler is told, under which mask it runs, what it can change,
// what a waiting call does, and that nothing is lost or doubled under load.
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>
#include "check.h"

static siginfo_t seen;
static sigset_t inside;
static atomic_int count, nested, order[16];
static void *handler_stack;
static stack_t context_stack;

static void nothing(int s) { (void)s; }
static void counting(int s) { (void)s; count++; }
static void ordered(int s) { order[count++] = s; }
static void look(int s, siginfo_t *i, void *u) {
    (void)s;
    seen = *i;
    context_stack = ((ucontext_t *)u)->uc_stack;
    pthread_sigmask(SIG_SETMASK, NULL, &inside);
    handler_stack = &i;
    count++;
}
static void handle(int signal, void *handler, int flags) {
    struct sigaction a = {.sa_sigaction = handler, .sa_flags = flags};
    CHECK(sigaction(signal, &a, NULL) == 0);
}
static sigset_t set_of(int a, int b) {
    sigset_t set;
    sigemptyset(&set);
    if (a) sigaddset(&set, a);
    if (b) sigaddset(&set, b);
    return set;
}

// What comes with a signal from each kind of sender, also with the faults' own numbers.
static void information(void) {
    int signals[] = {SIGUSR1, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGRTMAX};
    for (unsigned n = 0; n < sizeof signals / sizeof *signals; n++) {
        int s = signals[n];
        if (under_qemu() && s != SIGUSR1) continue; // It takes them for faults, or for its own.
        handle(s, look, SA_SIGINFO);
        count = 0;
        kill(getpid(), s);
        CHECK(count == 1 && seen.si_signo == s && seen.si_code == SI_USER && seen.si_pid == getpid() && seen.si_uid == getuid());
        syscall(SYS_tgkill, getpid(), getpid(), s);
        CHECK(count == 2 && seen.si_code == SI_TKILL && seen.si_pid == getpid());
        sigqueue(getpid(), s, (union sigval){.sival_ptr = (void *)0x123456789abcdef0});
        CHECK(count == 3 && seen.si_code == SI_QUEUE && seen.si_value.sival_ptr == (void *)0x123456789abcdef0);
        CHECK(sigismember(&inside, s) == 1);
        // Blocked: it waits and can be fetched.
        sigset_t set = set_of(s, 0), pending;
        sigprocmask(SIG_BLOCK, &set, NULL);
        sigqueue(getpid(), s, (union sigval){.sival_int = 77});
        CHECK(count == 3 && sigpending(&pending) == 0 && sigismember(&pending, s) == 1);
        siginfo_t info;
        CHECK(sigwaitinfo(&set, &info) == s && info.si_value.sival_int == 77 && info.si_code == SI_QUEUE);
        sigpending(&pending);
        CHECK(sigismember(&pending, s) == 0);
        // Blocked, then ignored: it is gone.
        kill(getpid(), s);
        signal(s, SIG_IGN);
        sigprocmask(SIG_UNBLOCK, &set, NULL);
        CHECK(count == 3);
        signal(s, SIG_DFL);
    }
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 99};
    struct itimerspec once = {{0, 0}, {0, 1000000}};
    handle(SIGUSR1, look, SA_SIGINFO);
    count = 0;
    CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0 && timer_settime(timer, 0, &once, NULL) == 0);
    while (!count) usleep(1000);
    CHECK(seen.si_code == SI_TIMER && seen.si_value.sival_int == 99 && seen.si_overrun == 0);
    timer_delete(timer);
}

static void children(void) {
    int status;
    handle(SIGCHLD, look, SA_SIGINFO | SA_NOCLDSTOP);
    count = 0;
    pid_t child = fork();
    if (child == 0) for (;;) pause();
    kill(child, SIGSTOP);
    CHECK(waitpid(child, &status, WUNTRACED) == child && (count == 0 || under_qemu()));
    count = 0; // qemu has no SA_NOCLDSTOP.
    handle(SIGCHLD, look, SA_SIGINFO);
    kill(child, SIGCONT);
    while (count < 1) usleep(1000);
    CHECK(seen.si_code == CLD_CONTINUED && seen.si_pid == child && seen.si_status == SIGCONT);
    kill(child, SIGTERM);
    while (count < 2) usleep(1000);
    CHECK(seen.si_code == CLD_KILLED && seen.si_status == SIGTERM);
    siginfo_t info;
    CHECK(waitid(P_PID, child, &info, WEXITED) == 0 && info.si_code == CLD_KILLED && info.si_status == SIGTERM && info.si_pid == child);
    if ((child = fork()) == 0) _exit(7);
    while (count < 3) usleep(1000);
    CHECK(seen.si_code == CLD_EXITED && seen.si_status == 7 && seen.si_pid == child);
    CHECK(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 7);
    handle(SIGCHLD, look, SA_SIGINFO | SA_NOCLDWAIT);
    if ((child = fork()) == 0) _exit(7);
    FAILS(waitpid(child, &status, 0), ECHILD);
    signal(SIGCHLD, SIG_DFL);
}

// Masks: the action's, the signal's own, a waiting call's; and the one after each of them.
static void masks(void) {
    struct sigaction a = {.sa_sigaction = look, .sa_flags = SA_SIGINFO, .sa_mask = set_of(SIGUSR2, SIGTERM)}, got;
    sigset_t set = set_of(SIGALRM, 0), before;
    sigprocmask(SIG_SETMASK, &set, NULL);
    sigaction(SIGUSR1, &a, NULL);
    raise(SIGUSR1);
    CHECK(sigismember(&inside, SIGUSR1) && sigismember(&inside, SIGUSR2) && sigismember(&inside, SIGTERM) && sigismember(&inside, SIGALRM));
    sigprocmask(SIG_BLOCK, NULL, &before);
    CHECK(sigismember(&before, SIGALRM) && !sigismember(&before, SIGUSR1) && !sigismember(&before, SIGUSR2));
    a.sa_flags |= SA_NODEFER;
    sigaction(SIGUSR1, &a, NULL);
    raise(SIGUSR1);
    CHECK(!sigismember(&inside, SIGUSR1) && sigismember(&inside, SIGUSR2));
    sigaction(SIGUSR1, NULL, &got);
    CHECK(got.sa_sigaction == look && (got.sa_flags & (SA_SIGINFO | SA_NODEFER)) == (SA_SIGINFO | SA_NODEFER) && sigismember(&got.sa_mask, SIGTERM));
    sigfillset(&a.sa_mask);
    sigaction(SIGUSR1, &a, NULL);
    sigaction(SIGUSR1, NULL, &got);
    CHECK(!sigismember(&got.sa_mask, SIGKILL) && !sigismember(&got.sa_mask, SIGSTOP));
    FAILS(sigaction(SIGKILL, &a, NULL), EINVAL);
    FAILS(sigaction(65, &a, NULL), EINVAL);
    // In a handler that ended a waiting call, the call's mask counts, and both signals are taken.
    handle(SIGUSR1, ordered, 0);
    handle(SIGUSR2, ordered, 0);
    set = set_of(SIGUSR1, SIGUSR2);
    sigprocmask(SIG_SETMASK, &set, NULL);
    sigset_t none = set_of(0, 0);
    int epoll = epoll_create1(0);
    struct epoll_event event;
    struct timespec long_time = {5, 0};
    for (int call = 0; call < 4; call++) {
        count = 0;
        kill(getpid(), SIGUSR1);
        kill(getpid(), SIGUSR2);
        switch (call) {
        case 0: FAILS(sigsuspend(&none), EINTR); break;
        case 1: FAILS(ppoll(NULL, 0, &long_time, &none), EINTR); break;
        case 2: FAILS(pselect(0, NULL, NULL, NULL, &long_time, &none), EINTR); break;
        case 3: FAILS(epoll_pwait(epoll, &event, 1, 5000, &none), EINTR); break;
        }
        // The last to be set up runs first.
        CHECK(count == 2 && order[0] == SIGUSR2 && order[1] == SIGUSR1);
        sigprocmask(SIG_BLOCK, NULL, &before);
        CHECK(sigismember(&before, SIGUSR1) && sigismember(&before, SIGUSR2) && !sigismember(&before, SIGTERM));
    }
    // The same with a signal that the host never blocks.
    handle(SIGSEGV, ordered, 0);
    set = set_of(SIGSEGV, 0);
    sigprocmask(SIG_SETMASK, &set, NULL);
    count = 0;
    kill(getpid(), SIGSEGV);
    CHECK(count == 0);
    FAILS(sigsuspend(&none), EINTR);
    CHECK(count == 1 && order[0] == SIGSEGV);
    sigprocmask(SIG_SETMASK, &none, NULL);
    close(epoll);
}

static void on_other_stack(int s, siginfo_t *i, void *u) {
    look(s, i, u);
    stack_t now;
    CHECK(sigaltstack(NULL, &now) == 0);
    if (s == SIGUSR1) {
        CHECK(now.ss_flags == SS_ONSTACK);
        FAILS(sigaltstack(&now, NULL), EPERM);
        raise(SIGUSR2); // Goes on, on the same stack.
        nested = handler_stack < (void *)&now;
    } else if (s == SIGALRM) {
        CHECK(now.ss_flags & SS_DISABLE); // SS_AUTODISARM gave it up.
    }
}

static void stacks(void) {
    static char room[65536];
    stack_t stack = {.ss_sp = room, .ss_size = sizeof room}, old;
    CHECK(sigaltstack(&stack, &old) == 0 && old.ss_flags == SS_DISABLE);
    CHECK(sigaltstack(NULL, &old) == 0 && old.ss_sp == room && old.ss_flags == 0 && old.ss_size == sizeof room);
    handle(SIGUSR1, on_other_stack, SA_ONSTACK | SA_SIGINFO);
    handle(SIGUSR2, on_other_stack, SA_ONSTACK | SA_SIGINFO);
    raise(SIGUSR1);
    CHECK((char *)handler_stack > room && (char *)handler_stack < room + sizeof room && nested);
    CHECK(context_stack.ss_sp == room && context_stack.ss_size == sizeof room && context_stack.ss_flags == 0);
    stack.ss_flags = (int)(1U << 31); // SS_AUTODISARM
    CHECK(sigaltstack(&stack, NULL) == 0);
    handle(SIGALRM, on_other_stack, SA_ONSTACK | SA_SIGINFO);
    raise(SIGALRM);
    CHECK(sigaltstack(NULL, &old) == 0 && old.ss_flags == (int)(1U << 31) && old.ss_sp == room);
    stack.ss_flags = 0;
    stack.ss_size = 100;
    FAILS(sigaltstack(&stack, NULL), ENOMEM);
    stack.ss_flags = 77;
    FAILS(sigaltstack(&stack, NULL), EINVAL);
    stack.ss_flags = SS_DISABLE;
    CHECK(sigaltstack(&stack, NULL) == 0 && sigaltstack(NULL, &old) == 0 && old.ss_flags == SS_DISABLE);
}

// A handler may go elsewhere: by siglongjmp, by setcontext, by changing its context's mask.
static sigjmp_buf back;
static void jump(int s) { siglongjmp(back, s); }
static void block_on_return(int s, siginfo_t *i, void *u) {
    (void)s, (void)i;
    sigaddset(&((ucontext_t *)u)->uc_sigmask, SIGWINCH);
}
static ucontext_t here, there;
static volatile int visits;
static void coroutine(void) {
    for (;;) { visits++; swapcontext(&there, &here); }
}
static void elsewhere(void) {
    sigset_t mask;
    handle(SIGUSR1, jump, 0);
    for (volatile int i = 0; i < 100; i++)
        if (!sigsetjmp(back, 1)) { raise(SIGUSR1); CHECK(!"came back"); }
    sigprocmask(SIG_BLOCK, NULL, &mask);
    CHECK(!sigismember(&mask, SIGUSR1));
    handle(SIGUSR1, block_on_return, SA_SIGINFO);
    raise(SIGUSR1);
    sigprocmask(SIG_BLOCK, NULL, &mask);
    CHECK(sigismember(&mask, SIGWINCH));
    mask = set_of(SIGWINCH, 0);
    sigprocmask(SIG_UNBLOCK, &mask, NULL);
    static char room[65536];
    getcontext(&there);
    there.uc_stack.ss_sp = room, there.uc_stack.ss_size = sizeof room, there.uc_link = &here;
    makecontext(&there, coroutine, 0);
    for (int i = 0; i < 1000; i++) swapcontext(&here, &there);
    CHECK(visits == 1000);
}

// A call that a signal interrupts is made again, or not, by the action's flag.
static int ends[2];
static void *wake_reader(void *thread) {
    for (int i = 0; i < 20; i++) {
        usleep(2000);
        pthread_kill(*(pthread_t *)thread, SIGUSR1);
        // The next one would be the same if this one were pending.
        while (count <= i) usleep(100);
    }
    usleep(2000);
    return (void *)(write(ends[1], "x", 1) - 1);
}
static void restarts(void) {
    pthread_t self = pthread_self(), other;
    char byte;
    CHECK(pipe(ends) == 0);
    handle(SIGUSR1, counting, SA_RESTART);
    count = 0;
    pthread_create(&other, NULL, wake_reader, &self);
    CHECK(read(ends[0], &byte, 1) == 1 && count == 20);
    pthread_join(other, NULL);
    // A sleep is not made again, but goes on after a stop.
    pid_t child = fork();
    if (child == 0) {
        struct timespec a, b, sleep = {0, 300000000};
        clock_gettime(CLOCK_MONOTONIC, &a);
        int rc = nanosleep(&sleep, NULL);
        clock_gettime(CLOCK_MONOTONIC, &b);
        long ms = (b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000;
        _exit(rc != 0 || ms < 299);
    }
    usleep(50000);
    kill(child, SIGSTOP);
    usleep(50000);
    kill(child, SIGCONT);
    int status;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    if (under_qemu()) return; // Its own handler of SIGSEGV restarts nothing.
    handle(SIGSEGV, counting, SA_RESTART);
    count = 0;
    if ((child = fork()) == 0) {
        usleep(50000);
        kill(getppid(), SIGSEGV);
        usleep(50000);
        _exit(write(ends[1], "y", 1) != 1);
    }
    CHECK(read(ends[0], &byte, 1) == 1 && byte == 'y' && count == 1);
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    signal(SIGSEGV, SIG_DFL);
}

// Real-time signals from several threads to one that does different things: each arrives once.
// Those with SA_NODEFER interrupt their own handlers: as many frames as signals are queued may lie on
// one stack, 3 KiB and more each (a thread whose processor is taken away gets all 4000 at once, 12 MiB),
// so few of them may be under way.
enum { SENDERS = 3, EACH = 4000, UNDER_WAY = 200 };
static atomic_int arrived[SENDERS][EACH], handled[SENDERS];
static void tally(int s, siginfo_t *i, void *u) {
    (void)u;
    int value = i->si_value.sival_int;
    arrived[s - SIGRTMIN - 1][value]++;
    handled[s - SIGRTMIN - 1]++;
    count++;
}
static void *send_all(void *which) {
    int n = (int)(long)which, signal = SIGRTMIN + 1 + n;
    for (int i = 0; i < EACH; i++) {
        while (n > 0 && i - handled[n] >= UNDER_WAY) sched_yield();
        while (sigqueue(getpid(), signal, (union sigval){.sival_int = i}) != 0) usleep(100);
    }
    return NULL;
}
static void *idle(void *stop) { while (!*(atomic_int *)stop) usleep(500); return NULL; }
static void storm(void) {
    pthread_t senders[SENDERS], waiter;
    atomic_int stop = 0;
    unsigned long sum = 0;
    count = 0;
    for (long i = 0; i < SENDERS; i++) handle(SIGRTMIN + 1 + (int)i, tally, SA_SIGINFO | SA_RESTART | (i ? SA_NODEFER : 0));
    pthread_create(&waiter, NULL, idle, &stop);
    for (long i = 0; i < SENDERS; i++) pthread_create(&senders[i], NULL, send_all, (void *)i);
    while (count < SENDERS * EACH) {
        for (int i = 0; i < 1000; i++) sum += (unsigned long)i * sum;
        getppid();
        void *p = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        munmap(p, 8192);
        sched_yield();
    }
    for (int i = 0; i < SENDERS; i++) pthread_join(senders[i], NULL);
    stop = 1;
    pthread_join(waiter, NULL);
    int wrong = 0;
    for (int i = 0; i < SENDERS; i++)
        for (int j = 0; j < EACH; j++) wrong += arrived[i][j] != 1;
    CHECK(count == SENDERS * EACH && wrong == 0);
}

static void descriptors(void) {
    sigset_t set = set_of(SIGRTMIN, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int fd = signalfd(-1, &set, SFD_NONBLOCK);
    struct signalfd_siginfo info;
    FAILS(read(fd, &info, sizeof info), EAGAIN);
    sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 5});
    struct pollfd p = {fd, POLLIN, 0};
    CHECK(poll(&p, 1, 1000) == 1 && read(fd, &info, sizeof info) == sizeof info && info.ssi_signo == (unsigned)SIGRTMIN && info.ssi_int == 5 && info.ssi_pid == (unsigned)getpid());
    int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
    CHECK(syscall(SYS_pidfd_send_signal, pidfd, SIGUSR2, NULL, 0) == 0);
    CHECK(read(fd, &info, sizeof info) == sizeof info && info.ssi_signo == SIGUSR2 && info.ssi_code == SI_USER);
    // As many as the limit allows can wait.
    struct rlimit limit;
    getrlimit(RLIMIT_SIGPENDING, &limit);
    struct rlimit few = {10, limit.rlim_max};
    setrlimit(RLIMIT_SIGPENDING, &few);
    int queued = 0;
    while (queued < 100 && sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = queued}) == 0) queued++;
    CHECK(queued <= 10 && errno == EAGAIN);
    setrlimit(RLIMIT_SIGPENDING, &limit);
    for (int i = 0; i < queued; i++) CHECK(read(fd, &info, sizeof info) == sizeof info && info.ssi_int == i);
    close(fd), close(pidfd);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

// A fault whose signal is blocked or ignored ends the process all the same.
static void inevitable(void) {
    for (int how = 0; how < 3; how++) {
        int status;
        pid_t child = fork();
        if (child == 0) {
            struct rlimit none = {0, 0};
            setrlimit(RLIMIT_CORE, &none);
            sigset_t set = set_of(SIGSEGV, 0);
            signal(SIGSEGV, how == 1 ? SIG_IGN : nothing);
            if (how == 0) sigprocmask(SIG_BLOCK, &set, NULL);
            if (how == 2) handle(SIGSEGV, nothing, SA_RESETHAND); // Returns to the fault once.
            *(volatile int *)16 = 1;
            _exit(1);
        }
        CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV && !WCOREDUMP(status));
    }
}

int main(void) {
    information();
    children();
    masks();
    stacks();
    elsewhere();
    restarts();
    storm();
    descriptors();
    inevitable();
    return finish();
}
