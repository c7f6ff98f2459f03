// One line for a call: its name, its arguments as they are written here, and what it answers.
#define _GNU_SOURCE
#include "same.h"
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define BAD ((void *)8)
#define FAR ((void *)-4096L)

// Pages that nobody may touch, or only read.
static void *none, *fixed;

static void pages(void) {
    none = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    fixed = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

// What differs from run to run is told as "ok".
static const char *ok(long r) { return r == -1 ? result(r) : "ok"; }

// A descriptor is closed again.
static const char *fd_of(long r) {
    const char *text = ok(r);
    if (r >= 0) close(r);
    return text;
}

// The answer is a number that is the same everywhere (C), some number (K), a descriptor (D); L and the
// others have a word in front of the arguments, for loops.
#define C(name, ...) say("%s(%s) = %s\n", #name, #__VA_ARGS__, result(syscall(SYS_##name, ##__VA_ARGS__)))
#define K(name, ...) say("%s(%s) = %s\n", #name, #__VA_ARGS__, ok(syscall(SYS_##name, ##__VA_ARGS__)))
#define D(name, ...) say("%s(%s) = %s\n", #name, #__VA_ARGS__, fd_of(syscall(SYS_##name, ##__VA_ARGS__)))
#define L(what, name, ...) say("%s(%s: %s) = %s\n", #name, what, #__VA_ARGS__, result(syscall(SYS_##name, ##__VA_ARGS__)))
#define LK(what, name, ...) say("%s(%s: %s) = %s\n", #name, what, #__VA_ARGS__, ok(syscall(SYS_##name, ##__VA_ARGS__)))
#define LD(what, name, ...) say("%s(%s: %s) = %s\n", #name, what, #__VA_ARGS__, fd_of(syscall(SYS_##name, ##__VA_ARGS__)))

struct name {
    const char *name;
    long value;
};

// Calls that the C library's headers may not know yet: their numbers are the same everywhere.
#ifndef SYS_cachestat
#define SYS_cachestat 451
#define SYS_fchmodat2 452
#endif
#ifndef SYS_futex_wake
#define SYS_futex_wake 454
#define SYS_futex_wait 455
#define SYS_futex_requeue 456
#endif
#ifndef SYS_statmount
#define SYS_statmount 457
#define SYS_listmount 458
#define SYS_lsm_get_self_attr 459
#define SYS_lsm_set_self_attr 460
#define SYS_lsm_list_modules 461
#endif
#ifndef SYS_mseal
#define SYS_mseal 462
#endif
#ifndef SYS_setxattrat
#define SYS_setxattrat 463
#define SYS_getxattrat 464
#define SYS_listxattrat 465
#define SYS_removexattrat 466
#endif
#ifndef SYS_file_getattr
#define SYS_file_getattr 468
#define SYS_file_setattr 469
#endif
