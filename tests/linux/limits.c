// Resource limits: what a program can have under each, what is refused, and who feels a change. With an
// argument it is a program that was started under limits.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "check.h"

enum { MIB = 1 << 20, RW = PROT_READ | PROT_WRITE, ANON = MAP_PRIVATE | MAP_ANONYMOUS };
static const char *self;

static void limit(int what, rlim_t soft, rlim_t hard) {
    struct rlimit l = {soft, hard};
    CHECK(setrlimit(what, &l) == 0);
}
static void soft(int what, rlim_t value) {
    struct rlimit l;
    CHECK(getrlimit(what, &l) == 0);
    limit(what, value, l.rlim_max);
}
static void *map(size_t size, int prot, int flags) { return mmap(NULL, size, prot, flags, -1, 0); }
static int can_map(size_t size, int prot, int flags) {
    void *p = map(size, prot, flags);
    if (p == MAP_FAILED) return errno == ENOMEM ? 0 : -1;
    munmap(p, size);
    return 1;
}

static int status;
static int child(void (*body)(void)) {
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        body();
        _exit(failures != 0);
    }
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

// Addresses and data that are mapped are counted, whatever is done to them.
static void addresses(void) {
    soft(RLIMIT_AS, 512l * MIB);
    CHECK(can_map(1024l * MIB, RW, ANON) == 0 && can_map(1024l * MIB, PROT_NONE, ANON | MAP_NORESERVE) == 0);
    CHECK(can_map(256l * MIB, RW, ANON) == 1 && can_map(256l * MIB, PROT_NONE, ANON) == 1);
    char *p = map(300l * MIB, RW, ANON);
    CHECK(p != MAP_FAILED && can_map(256l * MIB, PROT_NONE, ANON) == 0);
    CHECK(mmap(p, 300l * MIB, PROT_READ, ANON | MAP_FIXED, -1, 0) == p);
    CHECK(mremap(p, 300l * MIB, 600l * MIB, MREMAP_MAYMOVE) == MAP_FAILED && errno == ENOMEM);
    CHECK(munmap(p, 300l * MIB) == 0 && can_map(256l * MIB, RW, ANON) == 1);
    soft(RLIMIT_AS, 0);
    CHECK(can_map(4096, PROT_NONE, ANON) == 0 && sbrk(MIB) == (void *)-1 && errno == ENOMEM);
    soft(RLIMIT_AS, RLIM_INFINITY);
    CHECK(can_map(1024l * MIB, RW, ANON) == 1);
}
static void data(void) {
    soft(RLIMIT_DATA, 64l * MIB);
    CHECK(can_map(128l * MIB, RW, ANON) == 0 && can_map(128l * MIB, PROT_READ, ANON) == 1 && can_map(128l * MIB, PROT_NONE, ANON) == 1);
    CHECK(can_map(128l * MIB, RW, MAP_SHARED | MAP_ANONYMOUS) == 1 && can_map(32l * MIB, RW, ANON) == 1);
    CHECK(sbrk(128l * MIB) == (void *)-1 && errno == ENOMEM && sbrk(MIB) != (void *)-1);
}
// What even a generous kernel does not promise.
static void overcommitment(void) {
    char mode = '0';
    int fd = open("/proc/sys/vm/overcommit_memory", O_RDONLY);
    CHECK(read(fd, &mode, 1) == 1);
    close(fd);
    if (mode != '0') return;
    size_t much = 200l << 30; // More than the machine has, and less than there are addresses.
    if (sysconf(_SC_PHYS_PAGES) > 25l << 20) return;
    CHECK(can_map(much, RW, ANON) == 0 && can_map(much, RW, MAP_SHARED | MAP_ANONYMOUS) == 0);
    CHECK(can_map(much, PROT_NONE, ANON) == 1 && can_map(much, RW, ANON | MAP_NORESERVE) == 1);
    CHECK(malloc(much) == NULL && errno == ENOMEM);
}

static volatile int sink;
__attribute__((noinline)) static int deep(int n) {
    volatile char room[1000];
    room[0] = (char)n;
    return n ? deep(n - 1) + room[0] : 0;
}
static void overflow_small(void) {
    limit(RLIMIT_CORE, 0, 0);
    soft(RLIMIT_STACK, 512 << 10);
    sink = deep(2000);
}
static void overflow_tiny(void) {
    limit(RLIMIT_CORE, 0, 0);
    soft(RLIMIT_STACK, 0); // What is there stays.
    sink = deep(5);
    CHECK(1);
    sink = deep(2000);
}
static void fits(void) {
    sink = deep(1500);
    soft(RLIMIT_STACK, 512 << 10); // Less than is there already.
    sink = deep(1400);
    soft(RLIMIT_STACK, 8l * MIB);
    sink = deep(4000);
}
static void stacks(void) {
    CHECK(!child(overflow_small) && WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    CHECK(!child(overflow_tiny) && WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    CHECK(child(fits));
}

// Another process's limits, which it feels, and hands on.
static int ends[2], answer[2];
static void felt(void) {
    char byte;
    CHECK(can_map(256l * MIB, RW, ANON) == 1 && write(answer[1], "x", 1) == 1 && read(ends[0], &byte, 1) == 1);
    struct rlimit l;
    CHECK(getrlimit(RLIMIT_AS, &l) == 0 && l.rlim_cur == 128l * MIB && l.rlim_max == 4096l * MIB);
    CHECK(getrlimit(RLIMIT_DATA, &l) == 0 && l.rlim_cur == 32l * MIB);
    CHECK(getrlimit(RLIMIT_NOFILE, &l) == 0 && l.rlim_cur == 20);
    CHECK(can_map(256l * MIB, RW, ANON) == 0 && can_map(64l * MIB, RW, ANON) == 0 && can_map(64l * MIB, PROT_NONE, ANON) == 1);
    CHECK(dup2(0, 20) == -1 && errno == EBADF);
    execl(self, self, "inherited", NULL);
    CHECK(!"execl");
}
static void others(void) {
    CHECK(pipe(ends) == 0 && pipe(answer) == 0);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        felt();
        _exit(1);
    }
    char byte;
    CHECK(read(answer[0], &byte, 1) == 1);
    struct rlimit addresses = {128l * MIB, 4096l * MIB}, data = {32l * MIB, RLIM_INFINITY}, files = {20, 100}, old;
    CHECK(prlimit(pid, RLIMIT_AS, &addresses, &old) == 0 && prlimit(pid, RLIMIT_DATA, &data, NULL) == 0);
    CHECK(prlimit(pid, RLIMIT_NOFILE, &files, NULL) == 0);
    CHECK(prlimit(pid, RLIMIT_AS, NULL, &old) == 0 && old.rlim_cur == 128l * MIB && old.rlim_max == 4096l * MIB);
    addresses.rlim_cur = 8192l * MIB;
    FAILS(prlimit(pid, RLIMIT_AS, &addresses, NULL), EINVAL);
    FAILS(prlimit(pid, 99, &addresses, NULL), EINVAL);
    FAILS(prlimit(1 << 30, RLIMIT_AS, NULL, &old), ESRCH);
    CHECK(write(ends[1], "x", 1) == 1);
    CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}
static int inherited(void) {
    struct rlimit l;
    CHECK(getrlimit(RLIMIT_AS, &l) == 0 && l.rlim_cur == 128l * MIB && l.rlim_max == 4096l * MIB);
    CHECK(getrlimit(RLIMIT_DATA, &l) == 0 && l.rlim_cur == 32l * MIB);
    CHECK(can_map(256l * MIB, PROT_NONE, ANON) == 0 && can_map(64l * MIB, RW, ANON) == 0);
    return failures != 0;
}

// Programs that start under a limit, as whoever may not raise it: what it leaves can be had.
static const struct { int what; long value; const char *has; } starts[] = {
    {RLIMIT_AS, 64l * MIB, "8"}, {RLIMIT_AS, 256l * MIB, "128"}, {RLIMIT_AS, 2048l * MIB, "1600"},
    {RLIMIT_AS, 16384l * MIB, "15000"}, {RLIMIT_AS, 600l << 30, "15000"}, {RLIMIT_AS, 900l << 30, "15000"},
    {RLIMIT_DATA, 32l * MIB, "8"}, {RLIMIT_DATA, 256l * MIB, "200"}, {RLIMIT_DATA, 4096l * MIB, "3500"},
    {RLIMIT_STACK, 64 << 10, "100"}, {RLIMIT_STACK, 128 << 10, "100"}, {RLIMIT_STACK, 140 << 10, "100"}, {RLIMIT_STACK, 1l * MIB, "100"},
    {RLIMIT_NOFILE, 4, "100"}, {RLIMIT_NOFILE, 8, "100"}, {RLIMIT_FSIZE, 0, "100"}, {RLIMIT_MEMLOCK, 0, "100"}, {RLIMIT_NPROC, 1, "100"},
    {RLIMIT_CORE, 0, "100"}, {RLIMIT_SIGPENDING, 0, "100"}, {RLIMIT_RTPRIO, 0, "100"},
};
static int started(int n, const char *mebibytes) {
    struct rlimit l;
    CHECK(getrlimit(starts[n].what, &l) == 0 && l.rlim_cur == (rlim_t)starts[n].value && l.rlim_max == (rlim_t)starts[n].value);
    size_t size = (size_t)atol(mebibytes) * MIB;
    char *p = map(size, RW, ANON | MAP_NORESERVE);
    CHECK(p != MAP_FAILED);
    if (p != MAP_FAILED) {
        for (size_t at = 0; at < size; at += size / 4) p[at] = 1;
        CHECK(p[size / 4] == 1 && munmap(p, size) == 0);
    }
    if (starts[n].what == RLIMIT_AS && starts[n].value < 200l << 30) CHECK(can_map(starts[n].value, PROT_NONE, ANON) == 0);
    if (starts[n].what == RLIMIT_DATA) CHECK(can_map(starts[n].value, RW, ANON | MAP_NORESERVE) == 0);
    return failures != 0;
}
static void becomes_nobody(void) {
    CHECK(syscall(SYS_setresgid, 65534, 65534, 65534) == 0 && syscall(SYS_setresuid, 65534, 65534, 65534) == 0);
    failures += access(self, R_OK | X_OK) != 0;
}
static void starting(void) {
    int others_may = geteuid() == 0 && child(becomes_nobody);
    for (unsigned i = 0; i < sizeof starts / sizeof *starts; i++) {
        char number[10];
        snprintf(number, sizeof number, "%u", i);
        fflush(stdout);
        pid_t pid = fork();
        if (pid == 0) {
            // Who may not raise limits, if we may choose.
            if (geteuid() == 0 && others_may) (void)!syscall(SYS_setresgid, 65534, 65534, 65534), (void)!syscall(SYS_setresuid, 65534, 65534, 65534);
            limit(starts[i].what, starts[i].value, starts[i].value);
            execl(self, self, number, starts[i].has, NULL);
            printf("limit %u: %s\n", i, strerror(errno));
            fflush(stdout);
            _exit(9);
        }
        int ok = waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
        if (!ok) printf("limit %u of %ld: status %x\n", starts[i].what, starts[i].value, status);
        CHECK(ok);
    }
}

int main(int argc, char **argv) {
    if (argc == 3) return started(atoi(argv[1]), argv[2]);
    if (argc == 2) return inherited();
    self = argv[0];
    CHECK(child(addresses) && child(data) && child(overcommitment));
    stacks();
    others();
    starting();
    return finish();
}
