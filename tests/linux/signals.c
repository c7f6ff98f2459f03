// Signals: interrupted and restarted calls, queues, masks, alternate stacks, default actions, timers.
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "check.h"

static volatile int count, expected, wrong;
static volatile char *where;
static sigjmp_buf back;
static char alternate[65536];
static volatile int fault_signal, fault_code;
static void *volatile fault_address;

static void counting(int s) { (void)s; count++; }
static void queued(int s, siginfo_t *i, void *u) {
    (void)s, (void)u;
    wrong += i->si_value.sival_int != expected++;
}
static void on_stack(int s) { char here; (void)s; where = &here; }
static void fault(int s, siginfo_t *i, void *u) {
    (void)u;
    fault_signal = s, fault_code = i->si_code, fault_address = i->si_addr;
    siglongjmp(back, 1);
}

static void handle(int signal, void (*handler)(int), int flags) {
    struct sigaction a = {.sa_handler = handler, .sa_flags = flags};
    CHECK(sigaction(signal, &a, NULL) == 0);
}
static void handle_info(int signal, void (*handler)(int, siginfo_t *, void *), int flags) {
    struct sigaction a = {.sa_sigaction = handler, .sa_flags = flags | SA_SIGINFO};
    CHECK(sigaction(signal, &a, NULL) == 0);
}
static void alarm_in(int first, int interval) {
    struct itimerval t = {{0, interval}, {0, first}};
    setitimer(ITIMER_REAL, &t, NULL);
}

// SA_RESTART decides for read; poll and nanosleep are never restarted.
static void interrupted_calls(void) {
    int ends[2], status;
    char byte;
    CHECK(pipe(ends) == 0);
    handle(SIGALRM, counting, 0);
    alarm_in(50000, 0);
    FAILS(read(ends[0], &byte, 1), EINTR);
    handle(SIGALRM, counting, SA_RESTART);
    alarm_in(20000, 20000);
    pid_t child = fork();
    if (child == 0) {
        usleep(200000);
        _exit(write(ends[1], "x", 1) != 1);
    }
    CHECK(read(ends[0], &byte, 1) == 1);
    alarm_in(0, 0);
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    struct pollfd p = {ends[0], POLLIN, 0};
    alarm_in(50000, 0);
    FAILS(poll(&p, 1, 5000), EINTR);
    struct timespec long_time = {1, 0}, rest;
    alarm_in(50000, 0);
    FAILS(nanosleep(&long_time, &rest), EINTR);
    CHECK(rest.tv_sec == 0 && rest.tv_nsec > 500000000);
    count = 0;
    alarm_in(20000, 0);
    while (!count) {}
    CHECK(count == 1);
}

static void queues(void) {
    sigset_t set, old, pending;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN + 1);
    handle_info(SIGRTMIN + 1, queued, 0);
    sigprocmask(SIG_BLOCK, &set, &old);
    for (int i = 0; i < 100; i++) sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = i});
    CHECK(expected == 0);
    CHECK(sigpending(&pending) == 0 && sigismember(&pending, SIGRTMIN + 1));
    sigprocmask(SIG_SETMASK, &old, NULL);
    CHECK(expected == 100 && wrong == 0);
}

static void waiting(void) {
    sigset_t set, old, none;
    siginfo_t info;
    struct timespec short_time = {0, 1000000};
    sigemptyset(&none);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    handle(SIGUSR1, counting, 0);
    sigprocmask(SIG_BLOCK, &set, &old);
    count = 0;
    kill(getpid(), SIGUSR1);
    CHECK(count == 0);
    FAILS(sigsuspend(&none), EINTR);
    CHECK(count == 1);
    kill(getpid(), SIGUSR1);
    CHECK(sigwaitinfo(&set, &info) == SIGUSR1 && info.si_pid == getpid());
    FAILS(sigtimedwait(&set, &info, &short_time), EAGAIN);
    sigprocmask(SIG_SETMASK, &old, NULL);
}

static void *killer(void *thread) {
    for (int i = 0; i < 5000; i++) pthread_kill(*(pthread_t *)thread, SIGUSR1);
    return NULL;
}

// Signals in code, in calls, and between.
static void storm(void) {
    pthread_t self = pthread_self(), other;
    volatile unsigned long sum = 0;
    struct timespec moment = {0, 1000};
    handle(SIGUSR1, counting, SA_RESTART);
    count = 0;
    CHECK(pthread_create(&other, NULL, killer, &self) == 0);
    for (int i = 0; i < 1000; i++) {
        for (int j = 0; j < 1000; j++) sum += j;
        if (i % 4 == 0) nanosleep(&moment, NULL);
        getppid();
    }
    pthread_join(other, NULL);
    CHECK(count > 0);
}

static int recurse(int n) {
    volatile char room[1000];
    room[0] = (char)n;
    return n == -1 ? 0 : recurse(n + 1) + room[0];
}

// One access that must fault, and what the handler must be told.
#define FAULTS(access, signal, code, address) do { \
    if (!sigsetjmp(back, 1)) { access; CHECK(!"no fault"); } \
    CHECK(fault_signal == (signal) && fault_code == (code) && fault_address == (void *)(address)); \
} while (0)

static void faults(void) {
    stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate};
    CHECK(sigaltstack(&stack, NULL) == 0);
    handle(SIGUSR2, on_stack, SA_ONSTACK);
    raise(SIGUSR2);
    CHECK(where > alternate && where < alternate + sizeof alternate);
    handle_info(SIGSEGV, fault, SA_ONSTACK);
    handle_info(SIGBUS, fault, SA_ONSTACK);
    if (!sigsetjmp(back, 1)) recurse(0);
    CHECK(fault_signal == SIGSEGV);
    char *p = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    FAULTS(*(volatile char *)(p + 5) = 1, SIGSEGV, SEGV_ACCERR, p + 5);
    munmap(p, 8192);
    FAULTS(*(volatile char *)(p + 6) = 1, SIGSEGV, SEGV_MAPERR, p + 6);
    int fd = memfd_create("short", 0);
    CHECK(ftruncate(fd, 100) == 0);
    p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    FAULTS(*(volatile char *)(p + 5000) = 1, SIGBUS, BUS_ADRERR, p + 5000);
    p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    FAULTS(((void (*)(void))p)(), SIGSEGV, SEGV_ACCERR, p);
    FAULTS(((void (*)(void))0x5000)(), SIGSEGV, SEGV_MAPERR, 0x5000);
    char *volatile bad = (char *)8;
    FAILS(read(fd, bad, 10), EFAULT);
    bad = (char *)-8L;
    FAILS(read(fd, bad, 10), EFAULT);
}

static void defaults(void) {
    int status;
    struct sigaction action;
    handle(SIGUSR2, counting, SA_RESETHAND);
    raise(SIGUSR2);
    CHECK(sigaction(SIGUSR2, NULL, &action) == 0 && action.sa_handler == SIG_DFL);
    int fatal[] = {SIGUSR2, SIGSEGV, SIGABRT, SIGKILL, SIGRTMIN};
    for (unsigned i = 0; i < sizeof fatal / sizeof *fatal; i++) {
        pid_t child = fork();
        if (child == 0) {
            signal(fatal[i], SIG_DFL);
            kill(getpid(), fatal[i]);
            _exit(1);
        }
        CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == fatal[i]);
    }
    pid_t child = fork();
    if (child == 0) {
        signal(SIGSEGV, SIG_IGN);
        *(volatile int *)8 = 1;
        _exit(1);
    }
    CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    child = fork();
    if (child == 0) for (;;) pause();
    kill(child, SIGSTOP);
    CHECK(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status));
    kill(child, SIGCONT);
    CHECK(waitpid(child, &status, WCONTINUED) == child && WIFCONTINUED(status));
    kill(child, SIGTERM);
    CHECK(waitpid(child, &status, 0) == child && WTERMSIG(status) == SIGTERM);
}

static void timers(void) {
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    struct itimerspec often = {{0, 5000000}, {0, 5000000}};
    handle(SIGUSR1, counting, 0);
    count = 0;
    CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
    CHECK(timer_settime(timer, 0, &often, NULL) == 0);
    while (count < 5) usleep(1000);
    CHECK(timer_delete(timer) == 0);
}

int main(void) {
    interrupted_calls();
    queues();
    waiting();
    storm();
    faults();
    defaults();
    timers();
    return finish();
}
