// The address space: where mappings may lie, what they are filled with, and code at any address.
#define _GNU_SOURCE
#include "check.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096UL
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

// First address that is not the user's: the stack lies right below.
static uintptr_t space_end(void) {
    uintptr_t end = 1;
    while (end <= (uintptr_t)&end) end <<= 1;
    return end;
}

static void *map_at(uintptr_t at, size_t len, int prot, int flags) {
    return mmap((void *)at, len, prot, ANON | MAP_NORESERVE | flags, -1, 0);
}

// Writes and reads the ends of a mapping at an address of our choice.
static int usable(uintptr_t at, size_t len) {
    char *p = map_at(at, len, PROT_READ | PROT_WRITE, MAP_FIXED_NOREPLACE);
    if (p != (char *)at) return 0;
    p[0] = 1;
    p[len - 1] = 2;
    int ok = p[0] == 1 && p[len - 1] == 2 && p[len / 2] == 0;
    return munmap(p, len) == 0 && ok;
}

static void places(void) {
    uintptr_t end = space_end();
    // Everywhere but around the program, the libraries and the stack.
    for (int part = 1; part < 10; part++) {
        uintptr_t at = end / 16 * part;
        CHECK(usable(at, 16 * PAGE));
        CHECK(map_at(at + PAGE - 1, PAGE, PROT_READ, 0) == (void *)at);
        CHECK(munmap((void *)at, PAGE) == 0);
    }
    // A shadow as sanitizers have it: an eighth of all.
    CHECK(usable(end / 4, end / 8));
    CHECK(usable(0x100000, PAGE));
    FAILS(map_at(end, PAGE, PROT_READ, MAP_FIXED), ENOMEM);
    FAILS(map_at(end - PAGE, 2 * PAGE, PROT_READ, MAP_FIXED), ENOMEM);
    FAILS(map_at(-PAGE, PAGE, PROT_READ, MAP_FIXED), ENOMEM);
    FAILS(map_at(end / 2 + 8, PAGE, PROT_READ, MAP_FIXED), EINVAL);
    FAILS(map_at(0, 0, PROT_READ, 0), EINVAL);
    FAILS(map_at(0, end, PROT_READ, 0), ENOMEM);
    FAILS(map_at(0, -1, PROT_READ, 0), ENOMEM);
    // A hint that cannot be had is passed over.
    char *other = map_at(end, PAGE, PROT_READ, 0);
    CHECK(other != MAP_FAILED && (uintptr_t)other < end);
    CHECK(munmap(other, PAGE) == 0);
}

static void replaces(void) {
    uintptr_t at = space_end() / 16 * 3;
    char *p = map_at(at, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_FIXED);
    CHECK(p == (char *)at);
    memset(p, 7, 4 * PAGE);
    FAILS(map_at(at + PAGE, PAGE, PROT_READ, MAP_FIXED_NOREPLACE), EEXIST);
    CHECK(map_at(at + PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_FIXED) == p + PAGE);
    CHECK(p[PAGE - 1] == 7 && p[PAGE] == 0 && p[2 * PAGE] == 7);
    // Moved to where something is, and far up.
    CHECK(mremap(p + 2 * PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, p) == p);
    CHECK(p[0] == 7);
    uintptr_t high = space_end() / 16 * 9;
    CHECK(mremap(p, PAGE, 3 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)high) == (void *)high);
    CHECK(*(char *)high == 7 && *(char *)(high + PAGE) == 0);
    CHECK(munmap((void *)high, 3 * PAGE) == 0);
    CHECK(munmap(p, 4 * PAGE) == 0);
    CHECK(msync(p, PAGE, MS_ASYNC) == -1 && errno == ENOMEM);
    FAILS(mprotect(p, PAGE, PROT_READ), ENOMEM);
}

// Code that adds up 1 to its argument, at that address.
static void executes(uintptr_t at) {
#if defined(__riscv)
    static const uint32_t code[] = {
        0x00000793, // li a5,0
        0x00a787b3, // add a5,a5,a0
        0xfff50513, // addi a0,a0,-1
        0xfe051ce3, // bnez a0,-8
        0x00078513, // mv a0,a5
        0x00008067, // ret
    };
#elif defined(__x86_64__)
    static const uint8_t code[] = {0x31, 0xc0, 0x48, 0x01, 0xf8, 0x48, 0xff, 0xcf, 0x75, 0xf8, 0xc3};
#else
    return;
#endif
#if defined(__riscv) || defined(__x86_64__)
    char *p = map_at(at, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_FIXED_NOREPLACE);
    CHECK(p == (char *)at);
    if (p == MAP_FAILED) return;
    memcpy(p, code, sizeof code);
    __builtin___clear_cache(p, p + sizeof code);
    CHECK(((long (*)(long))p)(1000) == 500500);
    CHECK(((long (*)(long))p)(100000) == 5000050000);
    CHECK(munmap(p, PAGE) == 0);
#endif
}

static volatile uintptr_t faulted;
static volatile int code_of_fault;

static void on_fault(int sig, siginfo_t *info, void *context) {
    (void)sig, (void)context;
    faulted = (uintptr_t)info->si_addr;
    code_of_fault = info->si_code;
    map_at(faulted & -PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_FIXED);
}

// A fault anywhere names its address, and the access is made again.
static void faults(void) {
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &action, NULL);
    for (int part = 1; part < 10; part++) {
        uintptr_t at = space_end() / 16 * part + 0x123 * 8;
        *(volatile uint64_t *)at = part;
        CHECK(faulted == at && code_of_fault == SEGV_MAPERR);
        CHECK(*(volatile uint64_t *)at == (uint64_t)part);
        CHECK(munmap((void *)(at & -PAGE), PAGE) == 0);
    }
    signal(SIGSEGV, SIG_DFL);
}

// Children have copies, also of what lies high.
static void forks(void) {
    uintptr_t at = space_end() / 16 * 9;
    int *p = map_at(at, PAGE, PROT_READ | PROT_WRITE, MAP_FIXED);
    *p = 1;
    pid_t child = fork();
    if (child == 0) {
        int ok = *p == 1;
        *p = 2;
        _exit(ok ? 0 : 1);
    }
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    CHECK(*p == 1);
    // The kernel reads and writes there too, and knows where it may not.
    int pipes[2];
    CHECK(pipe(pipes) == 0);
    CHECK(write(pipes[1], p, sizeof *p) == sizeof *p);
    CHECK(read(pipes[0], p + 1, sizeof *p) == sizeof *p && p[1] == 1);
    CHECK(munmap(p, PAGE) == 0);
    FAILS(write(pipes[1], p, sizeof *p), EFAULT);
    CHECK(close(pipes[0]) == 0 && close(pipes[1]) == 0);
}

// What is sealed stays as it is, in children too (Linux 6.10; rvnative has it on any).
static void seals(void) {
    const long mseal = 462;
#ifndef __riscv
    if (syscall(mseal, 0, 0, 0) == -1 && errno == ENOSYS) return;
#endif
    char *p = map_at(0, 4 * PAGE, PROT_READ | PROT_WRITE, 0);
    memset(p, 7, 4 * PAGE);
    CHECK(mprotect(p, PAGE, PROT_READ) == 0);
    FAILS(syscall(mseal, p + 1, PAGE, 0), EINVAL);
    FAILS(syscall(mseal, p, PAGE, 1), EINVAL);
    FAILS(syscall(mseal, space_end(), PAGE, 0), ENOMEM);
    CHECK(syscall(mseal, p, 0, 0) == 0 && munmap(p + 3 * PAGE, PAGE) == 0);
    FAILS(syscall(mseal, p + 2 * PAGE, 2 * PAGE, 0), ENOMEM);
    CHECK(mprotect(p + 2 * PAGE, PAGE, PROT_READ | PROT_WRITE) == 0);
    CHECK(syscall(mseal, p, 2 * PAGE, 0) == 0);
    FAILS(munmap(p, PAGE), EPERM);
    FAILS(munmap(p + PAGE, 2 * PAGE), EPERM);
    FAILS(mprotect(p + PAGE, PAGE, PROT_READ), EPERM);
    CHECK(map_at((uintptr_t)p, PAGE, PROT_READ, MAP_FIXED) == MAP_FAILED && errno == EPERM);
    CHECK(mremap(p, PAGE, 2 * PAGE, MREMAP_MAYMOVE) == MAP_FAILED && errno == EPERM);
    FAILS(madvise(p, PAGE, MADV_DONTNEED), EPERM);
    CHECK(p[0] == 7 && madvise(p + PAGE, PAGE, MADV_DONTNEED) == 0 && p[PAGE] == 0);
    CHECK(munmap(p + 2 * PAGE, PAGE) == 0);
    pid_t child = fork();
    if (child == 0) _exit(munmap(p, PAGE) == -1 && errno == EPERM ? 0 : 1);
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
}

// Advice that changes contents.
static void advice(void) {
    int fd = memfd_create("a", 0);
    CHECK(ftruncate(fd, 2 * PAGE) == 0 && pwrite(fd, "x", 1, 0) == 1 && pwrite(fd, "y", 1, PAGE) == 1);
    char *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(p != MAP_FAILED && madvise(p, PAGE, MADV_DONTNEED) == 0 && p[0] == 'x');
    CHECK(madvise(p, PAGE, MADV_REMOVE) == 0 && p[0] == 0 && p[PAGE] == 'y');
    char byte = 1;
    CHECK(pread(fd, &byte, 1, 0) == 1 && byte == 0);
    CHECK(munmap(p, 2 * PAGE) == 0 && close(fd) == 0);
    p = map_at(0, 2 * PAGE, PROT_READ | PROT_WRITE, 0);
    memset(p, 7, 2 * PAGE);
    CHECK(madvise(p, PAGE, MADV_WIPEONFORK) == 0);
    pid_t child = fork();
    if (child == 0) _exit(p[0] == 0 && p[PAGE] == 7 ? 0 : 1);
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child && status == 0 && p[0] == 7);
    CHECK(madvise(p, PAGE, MADV_KEEPONFORK) == 0 && munmap(p, 2 * PAGE) == 0);
    FAILS(madvise(p, PAGE, MADV_DONTNEED), ENOMEM);
    FAILS(madvise(p + 1, PAGE, MADV_DONTNEED), EINVAL);
    FAILS(madvise(p, PAGE, 12345), EINVAL);
    unsigned char there;
    FAILS(mincore(p + 1, PAGE, &there), EINVAL);
    FAILS(mincore(p, PAGE, &there), ENOMEM);
}

static long locked_kib(void) {
    char line[256];
    long kib = -1;
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof line, status)) sscanf(line, "VmLck: %ld", &kib);
    if (status) fclose(status);
    return kib;
}

// Root that may do what it likes: not that of a user namespace.
static int is_root(void) {
    unsigned long first = 1, count = 0;
    FILE *map = fopen("/proc/self/uid_map", "r");
    int found = map && fscanf(map, "%lu %*u %lu", &first, &count) == 2;
    if (map) fclose(map);
    return geteuid() == 0 && found && first == 0 && count == 4294967295;
}

// All memory is locked, also what is mapped later, as far as the limit allows.
static void locks(void) {
    FAILS(mlockall(0), EINVAL);
    FAILS(mlockall(8), EINVAL);
    FAILS(mlockall(MCL_ONFAULT), EINVAL);
    pid_t child = fork();
    if (child == 0) {
        int before = failures;
        if (is_root()) {
            CHECK(mlockall(MCL_CURRENT) == 0 && locked_kib() > 0);
            CHECK(munlockall() == 0 && locked_kib() == 0);
            CHECK(mlockall(MCL_FUTURE) == 0 && locked_kib() == 0);
            char *p = map_at(0, 64 * PAGE, PROT_READ | PROT_WRITE, 0);
            CHECK(p != MAP_FAILED && locked_kib() >= 256);
            CHECK(munlockall() == 0 && munmap(p, 64 * PAGE) == 0);
            CHECK(setgid(54321) == 0 && setuid(54321) == 0);
        }
        CHECK(setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){16 * PAGE, 16 * PAGE}) == 0);
        FAILS(mlockall(MCL_CURRENT), ENOMEM);
        CHECK(mlockall(MCL_FUTURE) == 0);
        char *p = map_at(0, 2 * PAGE, PROT_READ | PROT_WRITE, 0);
        CHECK(p != MAP_FAILED && locked_kib() == 8);
        CHECK(map_at(0, 32 * PAGE, PROT_READ | PROT_WRITE, 0) == MAP_FAILED && errno == EAGAIN);
        pid_t other = fork();
        if (other == 0) _exit(locked_kib() != 0 || map_at(0, 32 * PAGE, PROT_READ, 0) == MAP_FAILED);
        int status = -1;
        CHECK(waitpid(other, &status, 0) == other && status == 0);
        CHECK(munlockall() == 0 && map_at(0, 32 * PAGE, PROT_READ, 0) != MAP_FAILED);
        CHECK(setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){0, 0}) == 0);
        FAILS(mlockall(MCL_CURRENT), EPERM);
        FAILS(mlockall(MCL_FUTURE), EPERM);
        _exit(failures != before);
    }
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
}

int main(void) {
    locks();
    seals();
    advice();
    places();
    replaces();
    for (int part = 1; part < 10; part += 4) executes(space_end() / 16 * part);
    executes(0x40000000);
    faults();
    forks();
    return finish();
}
