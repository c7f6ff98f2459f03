// Rings of io_uring: setup, enter, register and every operation that is served, each with success, an
// error and bad addresses. What a host before 6.10 has, rvnative does not use.
#define _GNU_SOURCE
#include "same.h"
#include <fcntl.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <netinet/in.h>
#include <arpa/inet.h>

// What older headers do not name.
enum {
    OP_SEND_ZC = 47, OP_SENDMSG_ZC, OP_READ_MULTISHOT, OP_WAITID, OP_FUTEX_WAIT, OP_FUTEX_WAKE,
    OP_FUTEX_WAITV, OP_FIXED_FD_INSTALL, OP_FTRUNCATE, OP_BIND, OP_LISTEN, OP_READV_FIXED = 60,
    OP_WRITEV_FIXED, OP_PIPE,
};
#define NO_SQARRAY (1U << 16)

typedef struct io_uring_sqe Sqe;
typedef struct io_uring_cqe Cqe;
typedef struct {
    int fd;
    struct io_uring_params p;
    char *ring;
    Sqe *sqes;
    unsigned tail, wide;
} Ring;

static long sys_setup(unsigned n, void *p) { return syscall(SYS_io_uring_setup, n, p); }
static long sys_enter(int fd, unsigned n, unsigned min, unsigned flags, void *arg, size_t size) {
    return syscall(SYS_io_uring_enter, fd, n, min, flags, arg, size);
}
static long sys_register(int fd, unsigned op, void *arg, unsigned n) {
    return syscall(SYS_io_uring_register, fd, op, arg, n);
}

static char *good, *bad, *none, *readonly;
static int file;

static unsigned *word(Ring *r, unsigned at) { return (unsigned *)(r->ring + at); }

static int open_ring(Ring *r, unsigned entries, unsigned flags) {
    memset(r, 0, sizeof *r);
    r->p.flags = flags;
    r->p.sq_thread_idle = 1;
    r->fd = sys_setup(entries, &r->p);
    if (r->fd < 0) return -1;
    size_t size = r->p.sq_off.array + r->p.sq_entries * 4;
    size_t cq = r->p.cq_off.cqes + r->p.cq_entries * (flags & IORING_SETUP_CQE32 ? 32 : 16);
    if (cq > size) size = cq;
    r->wide = flags & IORING_SETUP_SQE128 ? 2 : 1;
    r->ring = mmap(0, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, r->fd, IORING_OFF_SQ_RING);
    r->sqes = mmap(0, r->p.sq_entries * sizeof(Sqe) * r->wide, PROT_READ | PROT_WRITE, MAP_SHARED,
                   r->fd, IORING_OFF_SQES);
    if (r->ring == MAP_FAILED || r->sqes == MAP_FAILED) say("no mapping\n");
    return 0;
}

static void close_ring(Ring *r) { close(r->fd); }

static Sqe *prep(Ring *r, int op, int fd, const void *addr, unsigned len, unsigned long off) {
    unsigned slot = r->tail & (r->p.sq_entries - 1);
    Sqe *e = r->sqes + slot * r->wide;
    memset(e, 0, sizeof *e * r->wide);
    e->opcode = op;
    e->fd = fd;
    e->addr = (unsigned long)addr;
    e->len = len;
    e->off = off;
    e->user_data = 1000 + r->tail;
    if (!(r->p.flags & NO_SQARRAY)) word(r, r->p.sq_off.array)[slot] = slot;
    r->tail++;
    return e;
}

static void publish(Ring *r) { __atomic_store_n(word(r, r->p.sq_off.tail), r->tail, __ATOMIC_RELEASE); }

static int by_name(const void *a, const void *b) {
    const Cqe *x = a, *y = b;
    if (x->user_data != y->user_data) return x->user_data < y->user_data ? -1 : 1;
    return 0;
}

// Prints the completions that there are, in the order of their requests.
static void reap(Ring *r, const char *what) {
    Cqe found[64];
    unsigned n = 0;
    unsigned head = *word(r, r->p.cq_off.head);
    unsigned tail = __atomic_load_n(word(r, r->p.cq_off.tail), __ATOMIC_ACQUIRE);
    int shift = r->p.flags & IORING_SETUP_CQE32 ? 1 : 0;
    while (head != tail && n < 64)
        found[n++] = ((Cqe *)(r->ring + r->p.cq_off.cqes))[(head++ & (r->p.cq_entries - 1)) << shift];
    __atomic_store_n(word(r, r->p.cq_off.head), head, __ATOMIC_RELEASE);
    qsort(found, n, sizeof *found, by_name);
    say("%s:", what);
    for (unsigned i = 0; i < n; i++) {
        const char *name = found[i].res < 0 ? strerrorname_np(-found[i].res) : 0;
        if (name) say(" %s", name);
        else say(" %d", found[i].res);
        if (found[i].flags) say("/%x", found[i].flags);
    }
    say("\n");
}

// Submits what has been prepared, waits for as many completions, and prints them.
static void go(Ring *r, unsigned n, const char *what) {
    publish(r);
    long got = sys_enter(r->fd, n, n, IORING_ENTER_GETEVENTS, 0, 0);
    if (got != n) say("%s: submitted %s\n", what, result(got));
    if (got >= 0 && got < n) sys_enter(r->fd, 0, got, IORING_ENTER_GETEVENTS, 0, 0);
    reap(r, what);
}

static Ring R;

// One operation, with its address out of good and bad ones.
static void one(const char *what, int op, int fd, const void *addr, unsigned len, unsigned long off,
                unsigned flags) {
    prep(&R, op, fd, addr, len, off)->rw_flags = flags;
    go(&R, 1, what);
}

static unsigned hash(const void *p, size_t n) {
    unsigned h = 2166136261U;
    for (size_t i = 0; i < n; i++) h = (h ^ ((const unsigned char *)p)[i]) * 16777619U;
    return h;
}

static void setups(void) {
    static const unsigned entries[] = {0, 1, 3, 8, 100, 32768, 32769, ~0U};
    static const unsigned flags[] = {
        0, IORING_SETUP_CLAMP, IORING_SETUP_CQSIZE, IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP,
        IORING_SETUP_SQPOLL, IORING_SETUP_SQ_AFF, IORING_SETUP_SQPOLL | IORING_SETUP_SQ_AFF,
        IORING_SETUP_R_DISABLED, IORING_SETUP_SQE128, IORING_SETUP_CQE32, IORING_SETUP_COOP_TASKRUN,
        IORING_SETUP_TASKRUN_FLAG, IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
        IORING_SETUP_SINGLE_ISSUER, IORING_SETUP_DEFER_TASKRUN,
        IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN, IORING_SETUP_ATTACH_WQ,
        IORING_SETUP_SQPOLL | IORING_SETUP_COOP_TASKRUN, IORING_SETUP_SUBMIT_ALL, IORING_SETUP_IOPOLL,
        1U << 15, 1U << 30, 1U << 31, NO_SQARRAY, IORING_SETUP_SQPOLL | IORING_SETUP_ATTACH_WQ,
        IORING_SETUP_SQPOLL | IORING_SETUP_IOPOLL,
    };
    static const unsigned sizes[] = {0, 4, 9, 200, 65536, 65537, ~0U};
    for (unsigned i = 0; i < COUNT(entries); i++)
        for (unsigned j = 0; j < COUNT(flags); j++)
            for (unsigned k = 0; k < (flags[j] & IORING_SETUP_CQSIZE ? COUNT(sizes) : 1); k++) {
                struct io_uring_params p = {.flags = flags[j], .cq_entries = sizes[k], .wq_fd = -1};
                long fd = sys_setup(entries[i], &p);
                say("setup %u %x %u: %s", entries[i], flags[j], sizes[k], result(fd));
                if (fd >= 0) say(" %u %u %x", p.sq_entries, p.cq_entries, p.flags);
                say("\n");
                if (fd >= 0) close(fd);
            }
    for (int i = 0; i < 3; i++) {
        struct io_uring_params p = {0};
        p.resv[i] = 1;
        say("setup reserved %d: %s\n", i, result(sys_setup(4, &p)));
    }
    void *at[] = {0, (void *)1, bad, none, readonly, good + PAGE - 60};
    for (unsigned i = 0; i < COUNT(at); i++) {
        if (i == 4) memset(good, 0, PAGE);
        say("setup at %u: %s\n", i, result(sys_setup(4, at[i])));
    }
    struct io_uring_params p = {.flags = IORING_SETUP_ATTACH_WQ, .wq_fd = file};
    say("attached to a file: %s\n", result(sys_setup(4, &p)));
    Ring r;
    open_ring(&r, 4, 0);
    struct io_uring_params q = {.flags = IORING_SETUP_ATTACH_WQ, .wq_fd = r.fd};
    int fd = sys_setup(4, &q);
    say("attached to a ring: %s\n", result(fd));
    close(fd);
    say("flags of it: %d\n", fcntl(r.fd, F_GETFD));
    struct stat a, b;
    char link[64], name[64];
    fstat(r.fd, &a);
    snprintf(link, sizeof link, "/proc/self/fd/%d", r.fd);
    ssize_t n = readlink(link, name, sizeof name);
    say("mode %o, %.*s\n", a.st_mode, (int)n, name);
    int copy = dup(r.fd);
    fstat(copy, &b);
    say("the same: %d\n", a.st_ino == b.st_ino);
    close(r.fd);
    r.fd = copy;
    prep(&r, IORING_OP_NOP, -1, 0, 0, 0);
    go(&r, 1, "by its copy");
    close_ring(&r);
}

static void mappings(void) {
    Ring r;
    open_ring(&r, 8, 0);
    static const unsigned long offsets[] = {
        0, 0x1000, 0x8000000, 0x10000000, 0x18000000, 0x20000000, 0x80000000, 0x80010000, 0xf8000000,
    };
    static const int prots[] = {0, 1, 2, 3, 4, 7};
    for (unsigned i = 0; i < COUNT(offsets); i++)
        for (unsigned j = 0; j < COUNT(prots); j++) {
            char *p = mmap(0, 4096, prots[j], MAP_SHARED, r.fd, offsets[i]);
            say("map %lx %d: %s\n", offsets[i], prots[j], p == MAP_FAILED ? result(-1) : "ok");
            if (p != MAP_FAILED) munmap(p, 4096);
        }
    say("no bytes: %s\n", result((long)mmap(0, 0, 3, MAP_SHARED, r.fd, 0)));
    say("with a place: %s\n", result((long)mmap(good, 4096, 3, MAP_SHARED, r.fd, 0)));
    say("at a place: %s\n", result((long)mmap(good, 4096, 3, MAP_SHARED | MAP_FIXED, r.fd, 0)));
    say("unaligned: %s\n", result((long)mmap(0, 4096, 3, MAP_SHARED, r.fd, 5)));
    // Two views show the same ring.
    size_t size = r.p.cq_off.cqes + r.p.cq_entries * 16;
    char *again = mmap(0, size, 3, MAP_SHARED, r.fd, IORING_OFF_CQ_RING);
    prep(&r, IORING_OP_NOP, -1, 0, 0, 0);
    publish(&r);
    sys_enter(r.fd, 1, 1, 1, 0, 0);
    say("seen twice: %d\n", again != MAP_FAILED && *(unsigned *)(again + r.p.cq_off.tail) == 1);
    // Some programs map no more of the submission queue than up to the end of its array.
    unsigned words[] = {r.p.sq_off.head, r.p.sq_off.tail, r.p.sq_off.ring_mask, r.p.sq_off.ring_entries, r.p.sq_off.flags, r.p.sq_off.dropped};
    int inside = 1;
    for (unsigned i = 0; i < COUNT(words); i++) inside &= words[i] < r.p.sq_off.array;
    say("queue %u %u %u, completions %u %u, array behind all %d\n", *word(&r, r.p.sq_off.ring_mask),
        *word(&r, r.p.sq_off.ring_entries), *word(&r, r.p.sq_off.head), *word(&r, r.p.cq_off.ring_mask),
        *word(&r, r.p.cq_off.ring_entries), inside);
    close_ring(&r);
}

static void enters(void) {
    Ring r;
    open_ring(&r, 8, 0);
    int fds[] = {-1, 999, 0, file, r.fd};
    static const unsigned flags[] = {0, 1, 2, 4, 8, 9, 16, 17, 32, 33, 128, 1 << 8, 1 << 31};
    for (unsigned i = 0; i < COUNT(fds); i++)
        for (unsigned j = 0; j < COUNT(flags); j++)
            for (unsigned n = 0; n < 3; n++) {
                long got = sys_enter(fds[i], n, 0, flags[j], 0, 0);
                say("enter %u %u %x: %s\n", i, n, flags[j], result(got));
            }
    struct { unsigned long mask; unsigned size, least; unsigned long time; } arg = {0};
    struct __kernel_timespec now = {0, 1000000}, wrong = {0, -1};
    void *args[] = {0, (void *)1, bad, none, &arg};
    for (unsigned i = 0; i < COUNT(args); i++)
        for (unsigned size = 0; size <= 32; size += 8) {
            arg.time = (long)&now;
            say("waiting %u %u: %s\n", i, size, result(sys_enter(r.fd, 0, 1, 9, args[i], size)));
        }
    void *times[] = {&now, &wrong, bad, none, (void *)1};
    for (unsigned i = 0; i < COUNT(times); i++) {
        arg.time = (long)times[i];
        say("time %u: %s\n", i, result(sys_enter(r.fd, 0, 1, 9, &arg, 24)));
        say("time %u, nothing wanted: %s\n", i, result(sys_enter(r.fd, 0, 0, 9, &arg, 24)));
    }
    sigset_t set;
    sigemptyset(&set);
    void *sets[] = {&set, bad, (void *)1, none};
    arg.time = (long)&now;
    for (unsigned i = 0; i < COUNT(sets); i++)
        for (unsigned size = 0; size <= 16; size += 4) {
            arg.mask = (long)sets[i];
            arg.size = size;
            say("mask %u %u: %s\n", i, size, result(sys_enter(r.fd, 0, 1, 9, &arg, 24)));
            say("plain %u %u: %s\n", i, size, result(sys_enter(r.fd, 0, 0, 1, sets[i], size)));
        }
    // Submitting with a wrong argument of waiting.
    prep(&r, IORING_OP_NOP, -1, 0, 0, 0);
    publish(&r);
    say("both: %s\n", result(sys_enter(r.fd, 1, 1, 9, bad, 24)));
    reap(&r, "both");
    // More than there are, and less.
    for (int i = 0; i < 3; i++) prep(&r, IORING_OP_NOP, -1, 0, 0, 0);
    publish(&r);
    say("two of three: %s\n", result(sys_enter(r.fd, 2, 2, 1, 0, 0)));
    reap(&r, "two of three");
    say("five of one: %s\n", result(sys_enter(r.fd, 5, 5, 1, 0, 0)));
    reap(&r, "five of one");
    say("head %u dropped %u\n", *word(&r, r.p.sq_off.head), *word(&r, r.p.sq_off.dropped));
    // An index that is none.
    for (int i = 0; i < 3; i++) prep(&r, IORING_OP_NOP, -1, 0, 0, 0);
    word(&r, r.p.sq_off.array)[(r.tail - 2) & 7] = 8;
    publish(&r);
    say("bad index: %s\n", result(sys_enter(r.fd, 3, 0, 1, 0, 0)));
    reap(&r, "bad index");
    say("head %u dropped %u\n", *word(&r, r.p.sq_off.head), *word(&r, r.p.sq_off.dropped));
    say("the rest: %s\n", result(sys_enter(r.fd, 3, 0, 1, 0, 0)));
    reap(&r, "the rest");
    // A tail far ahead: no more than the queue has.
    for (int i = 0; i < 8; i++) word(&r, r.p.sq_off.array)[i] = i, memset(r.sqes + i, 0, 64);
    unsigned tail = *word(&r, r.p.sq_off.head);
    *word(&r, r.p.sq_off.tail) = tail + 1000000;
    say("far ahead: %s\n", result(sys_enter(r.fd, 100, 0, 1, 0, 0)));
    reap(&r, "far ahead");
    *word(&r, r.p.sq_off.tail) = *word(&r, r.p.sq_off.head) - 5;
    say("behind: %s\n", result(sys_enter(r.fd, 100, 0, 1, 0, 0)));
    reap(&r, "behind");
    // The kernel does not believe the head.
    r.tail = *word(&r, r.p.sq_off.head);
    *word(&r, r.p.sq_off.head) = 77777;
    prep(&r, IORING_OP_NOP, -1, 0, 0, 0);
    go(&r, 1, "another head");
    say("head %d\n", *word(&r, r.p.sq_off.head) == r.tail);
    close_ring(&r);
    // More completions than there is room for.
    open_ring(&r, 2, 0);
    for (int i = 0; i < 4; i++) {
        for (int j = 0; j < 2; j++) prep(&r, IORING_OP_NOP, -1, 0, 0, 0);
        publish(&r);
        sys_enter(r.fd, 2, 0, 0, 0, 0);
    }
    say("overflow: flags %x lost %u\n", *word(&r, r.p.sq_off.flags), *word(&r, r.p.cq_off.overflow));
    reap(&r, "overflow");
    say("more: %s\n", result(sys_enter(r.fd, 0, 0, 1, 0, 0)));
    reap(&r, "more");
    say("flags %x\n", *word(&r, r.p.sq_off.flags));
    close_ring(&r);
    static const unsigned kinds[] = {
        NO_SQARRAY, IORING_SETUP_SQE128, IORING_SETUP_CQE32, IORING_SETUP_SQE128 | IORING_SETUP_CQE32,
        IORING_SETUP_COOP_TASKRUN, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
        IORING_SETUP_SUBMIT_ALL, IORING_SETUP_R_DISABLED,
    };
    for (unsigned i = 0; i < COUNT(kinds); i++) {
        if (open_ring(&r, 4, kinds[i])) continue;
        say("kind %x\n", kinds[i]);
        for (int n = 0; n < 3; n++) {
            prep(&r, IORING_OP_NOP, -1, 0, 0, 0);
            prep(&r, IORING_OP_WRITE, file, "0123", 4, 0);
            go(&r, 2, "kind");
        }
        prep(&r, IORING_OP_NOP, -1, 0, 0, 0);
        prep(&r, 255, -1, 0, 0, 0);
        prep(&r, IORING_OP_NOP, -1, 0, 0, 0);
        go(&r, 3, "a bad one");
        if (kinds[i] & IORING_SETUP_R_DISABLED) {
            say("enabled: %s\n", result(sys_register(r.fd, IORING_REGISTER_ENABLE_RINGS, 0, 0)));
            say("again: %s\n", result(sys_register(r.fd, IORING_REGISTER_ENABLE_RINGS, 0, 0)));
            go(&r, 4, "enabled");
        }
        close_ring(&r);
    }
}

static volatile sig_atomic_t caught;
static void on_signal(int n) { caught = n; }

// Waits that signals end.
static void signals(void) {
    static const int restart[] = {0, SA_RESTART};
    for (int i = 0; i < 2; i++) {
        struct sigaction action = {.sa_handler = on_signal, .sa_flags = restart[i]};
        sigaction(SIGALRM, &action, 0);
        Ring r;
        open_ring(&r, 4, 0);
        struct itimerval soon = {{0, 0}, {0, 30000}};
        caught = 0;
        setitimer(ITIMER_REAL, &soon, 0);
        say("wait: %s", result(sys_enter(r.fd, 0, 1, 1, 0, 0)));
        say(" %d\n", caught);
        caught = 0;
        setitimer(ITIMER_REAL, &soon, 0);
        prep(&r, IORING_OP_NOP, -1, 0, 0, 0);
        publish(&r);
        say("submit and wait: %s", result(sys_enter(r.fd, 1, 2, 1, 0, 0)));
        say(" %d\n", caught);
        reap(&r, "submitted");
        // A signal that only the wait lets in.
        sigset_t set, old, none_blocked;
        sigemptyset(&set);
        sigaddset(&set, SIGALRM);
        sigprocmask(SIG_BLOCK, &set, &old);
        sigemptyset(&none_blocked);
        caught = 0;
        kill(getpid(), SIGALRM);
        say("let in: %s", result(sys_enter(r.fd, 0, 1, 1, &none_blocked, 8)));
        say(" %d", caught);
        struct { unsigned long mask; unsigned size, least; struct __kernel_timespec *time; } arg;
        struct __kernel_timespec time = {0, 20000000};
        arg = (typeof(arg)){(long)&set, 8, 0, &time};
        caught = 0;
        kill(getpid(), SIGALRM);
        say(", kept out: %s", result(sys_enter(r.fd, 0, 1, 9, &arg, 24)));
        say(" %d", caught);
        sigprocmask(SIG_SETMASK, &old, 0);
        say(" %d\n", caught);
        close_ring(&r);
    }
    signal(SIGALRM, SIG_DFL);
}

static void *bad_addresses[5];

// Reads and writes.
static void moves(void) {
    struct iovec v[3] = {{good, 10}, {good + 100, 20}, {good + 300, 0}};
    static const unsigned lengths[] = {0, 1, 100, 4096, 5000, 1 << 20};
    int ends[2], fds[] = {file, -1, 999, 0, 0, 0};
    if (pipe(ends)) return;
    fds[3] = ends[0];
    fds[4] = ends[1];
    fds[5] = open("/", O_RDONLY | O_DIRECTORY);
    static const int ops[] = {IORING_OP_READ, IORING_OP_WRITE};
    static const unsigned long offsets[] = {0, 3, 1 << 20, -1UL, -2UL, 1UL << 63};
    for (int w = 0; w < 2; w++)
        for (unsigned a = 0; a < 6; a++)
            for (unsigned l = 0; l < COUNT(lengths); l++)
                for (unsigned o = 0; o < COUNT(offsets); o++) {
                    if (w && offsets[o] == 1 << 20) continue;
                    void *at = a == 5 ? good : bad_addresses[a];
                    if (w && lengths[l] > 5000) continue;
                    lseek(file, 0, SEEK_SET);
                    say("%u %u %u ", a, l, o);
                    one(w ? "write" : "read", ops[w], file, at, lengths[l], offsets[o], 0);
                    say("at %ld\n", (long)lseek(file, 0, SEEK_CUR));
                }
    for (unsigned f = 0; f < COUNT(fds); f++) {
        if (f == 3) write(ends[1], "some bytes", 10);
        say("%u ", f);
        one("read fd", IORING_OP_READ, fds[f], good, 5, f ? -1UL : 0, 0);
        say("%u ", f);
        one("write fd", IORING_OP_WRITE, fds[f], good, 5, f ? -1UL : 0, 0);
        say("%u ", f);
        one("readv fd", IORING_OP_READV, fds[f], v, f == 3 ? 1 : 2, f ? -1UL : 0, 0);
        say("%u ", f);
        one("writev fd", IORING_OP_WRITEV, fds[f], v, 2, f ? -1UL : 0, 0);
        say("%u ", f);
        one("fsync", IORING_OP_FSYNC, fds[f], 0, 0, 0, 0);
        say("%u ", f);
        one("fdatasync", IORING_OP_FSYNC, fds[f], 0, 0, 0, 1);
        say("%u ", f);
        one("fsync flags", IORING_OP_FSYNC, fds[f], 0, 0, 0, 2);
        say("%u ", f);
        one("sync range", IORING_OP_SYNC_FILE_RANGE, fds[f], 0, 100, 0, 2);
        say("%u ", f);
        one("fallocate", IORING_OP_FALLOCATE, fds[f], (void *)10000, 0, 0, 0);
        say("%u ", f);
        one("fadvise", IORING_OP_FADVISE, fds[f], 0, 100, 0, 3);
        say("%u ", f);
        one("ftruncate", OP_FTRUNCATE, fds[f], 0, 0, 9000, 0);
    }
    // Vectors.
    static const unsigned counts[] = {0, 1, 2, 3, 1024, 1025, ~0U};
    for (int w = 0; w < 2; w++)
        for (unsigned a = 0; a < 6; a++)
            for (unsigned c = 0; c < COUNT(counts); c++) {
                if (a == 5 && counts[c] == 1024) continue;
                say("%u %u ", a, c);
                one(w ? "writev" : "readv", w ? IORING_OP_WRITEV : IORING_OP_READV, file,
                    a == 5 ? (void *)v : bad_addresses[a], counts[c], 0, 0);
            }
    for (unsigned a = 0; a < 5; a++)
        for (int w = 0; w < 2; w++)
            for (int second = 0; second < 2; second++) {
                struct iovec u[2] = {{good, 4}, {good + 8, 4}};
                u[second].iov_base = bad_addresses[a];
                say("%u %d ", a, second);
                one(w ? "writev parts" : "readv parts", w ? IORING_OP_WRITEV : IORING_OP_READV, file, u, 2, 0, 0);
                u[second].iov_len = -1;
                say("%u %d ", a, second);
                one("negative", w ? IORING_OP_WRITEV : IORING_OP_READV, file, u, 2, 0, 0);
            }
    // Flags of a read, and fields that must be 0.
    static const unsigned flags[] = {0, 1, 2, 4, 8, 16, 32, 64, 1 << 31};
    for (unsigned i = 0; i < COUNT(flags); i++) {
        say("%x ", flags[i]);
        one("read flags", IORING_OP_READ, file, good, 10, 0, flags[i]);
    }
    static const unsigned sqe_flags[] = {1, 2, 4, 8, 16, 32, 64, 128};
    for (unsigned i = 0; i < COUNT(sqe_flags); i++) {
        prep(&R, IORING_OP_READ, file, good, 10, 0)->flags = sqe_flags[i];
        if (sqe_flags[i] == 64) prep(&R, IORING_OP_NOP, 0, 0, 0, 0);
        publish(&R);
        say("entry flags %x: %s ", sqe_flags[i],
            result(sys_enter(R.fd, sqe_flags[i] == 64 ? 2 : 1, 1, 1, 0, 0)));
        reap(&R, "");
    }
    for (int priority = 0; priority < 3; priority++) {
        prep(&R, IORING_OP_READ, file, good, 10, 0)->ioprio = priority << 13 | 5;
        go(&R, 1, "priority");
    }
    // Data arrives.
    lseek(file, 0, SEEK_SET);
    write(file, "0123456789abcdefghijklmnopqrstuvwxyz", 36);
    memset(good, 0, 400);
    one("data", IORING_OP_READV, file, v, 3, 2, 0);
    say("%.10s %.20s %x\n", good, good + 100, hash(good, 400));
    prep(&R, IORING_OP_READ, file, good, 10, 20)->flags = IOSQE_ASYNC;
    go(&R, 1, "by a worker");
    say("%.10s\n", good);
    for (int i = 0; i < 6; i++) close(i < 3 ? -1 : fds[i]);
    ftruncate(file, 4096);
}

// Registered buffers and files, and operations on them.
static void registered(void) {
    static const unsigned counts[] = {0, 1, 2, 16384, 16385, ~0U};
    struct iovec v[2] = {{good, 4096}, {good + 4096, 100}};
    for (unsigned a = 0; a < 7; a++)
        for (unsigned c = 0; c < COUNT(counts); c++) {
            void *at = a == 5 ? (void *)v : a == 6 ? (void *)(good + 8 * PAGE - 16) : bad_addresses[a];
            if (a == 6) *(struct iovec *)at = v[0];
            say("buffers %u %u: %s\n", a, c, result(sys_register(R.fd, 0, at, counts[c])));
            say("away: %s\n", result(sys_register(R.fd, 1, 0, 0)));
        }
    for (unsigned a = 0; a < 5; a++)
        for (unsigned l = 0; l < 3; l++) {
            struct iovec u = {bad_addresses[a], l == 2 ? 1UL << 31 : l * 100};
            say("buffer %u %u: %s\n", a, l, result(sys_register(R.fd, 0, &u, 1)));
            say("away: %s\n", result(sys_register(R.fd, 1, 0, 0)));
        }
    say("away with an argument: %s\n", result(sys_register(R.fd, 1, good, 0)));
    say("buffers: %s, again: ", result(sys_register(R.fd, 0, v, 2)));
    say("%s\n", result(sys_register(R.fd, 0, v, 2)));
    static const int ops[] = {IORING_OP_READ_FIXED, IORING_OP_WRITE_FIXED};
    for (int w = 0; w < 2; w++)
        for (int index = 0; index < 3; index++)
            for (int at = 0; at < 5; at++) {
                char *places[] = {good, good + 50, good + 4095, good + 4096 + 50, bad};
                memset(good, 'a', 64);
                Sqe *e = prep(&R, ops[w], file, places[at], 40, 0);
                e->buf_index = index;
                say("%d %d %d ", w, index, at);
                go(&R, 1, "fixed");
            }
    lseek(file, 0, SEEK_SET);
    write(file, "fixed bytes", 11);
    prep(&R, IORING_OP_READ_FIXED, file, good + 77, 11, 0);
    go(&R, 1, "fixed");
    say("%.11s\n", good + 77);
    struct iovec parts[2] = {{good + 10, 3}, {good + 20, 4}};
    Sqe *e = prep(&R, OP_READV_FIXED, file, parts, 2, 0);
    go(&R, 1, "fixed parts");
    say("%.3s %.4s\n", good + 10, good + 20);
    prep(&R, OP_WRITEV_FIXED, file, parts, 2, 0);
    go(&R, 1, "fixed parts");
    parts[1].iov_base = bad;
    prep(&R, OP_READV_FIXED, file, parts, 2, 0);
    go(&R, 1, "fixed bad parts");
    prep(&R, OP_READV_FIXED, file, bad, 2, 0);
    go(&R, 1, "fixed bad parts");
    say("away: %s\n", result(sys_register(R.fd, 1, 0, 0)));

    // Files.
    int files[4] = {file, -1, file, -1}, wrong[2] = {file, 999};
    for (unsigned a = 0; a < 7; a++)
        for (unsigned n = 0; n < 5; n += 2) {
            void *at = a == 5 ? (void *)files : a == 6 ? (void *)wrong : bad_addresses[a];
            say("files %u %u: %s\n", a, n, result(sys_register(R.fd, 2, at, a == 6 && n ? 2 : n)));
            say("away: %s\n", result(sys_register(R.fd, 3, 0, 0)));
        }
    say("files: %s\n", result(sys_register(R.fd, 2, files, 4)));
    for (int i = -1; i < 5; i++) {
        e = prep(&R, IORING_OP_READ, i, good, 5, 0);
        e->flags = IOSQE_FIXED_FILE;
        say("%d ", i);
        go(&R, 1, "by index");
    }
    struct { unsigned offset, resv; void *data; } update = {1, 0, files};
    for (unsigned a = 0; a < 6; a++) {
        update.data = a == 5 ? (void *)files : bad_addresses[a];
        say("update %u: %s\n", a, result(sys_register(R.fd, 6, &update, 1)));
        say("update at %u: %s\n", a, result(sys_register(R.fd, 6, bad_addresses[a % 5], 1)));
    }
    update.offset = 3;
    say("update beyond: %s\n", result(sys_register(R.fd, 6, &update, 2)));
    for (unsigned a = 0; a < 6; a++) {
        say("%u ", a);
        one("update by entry", IORING_OP_FILES_UPDATE, -1, a == 5 ? (void *)files : bad_addresses[a], 1, 2, 0);
    }
    // Opened without a descriptor, used, closed.
    e = prep(&R, IORING_OP_OPENAT, AT_FDCWD, "direct", 0644, 0);
    e->open_flags = O_RDWR | O_CREAT;
    e->file_index = 2;
    e->flags = IOSQE_IO_LINK;
    e = prep(&R, IORING_OP_WRITE, 1, "direct", 6, 0);
    e->flags = IOSQE_FIXED_FILE | IOSQE_IO_LINK;
    e = prep(&R, OP_FIXED_FD_INSTALL, 1, 0, 0, 0);
    e->flags = IOSQE_FIXED_FILE | IOSQE_IO_LINK;
    e = prep(&R, IORING_OP_CLOSE, 0, 0, 0, 0);
    e->file_index = 2;
    go(&R, 4, "direct");
    e = prep(&R, IORING_OP_CLOSE, 0, 0, 0, 0);
    e->file_index = 2;
    go(&R, 1, "closed twice");
    say("away: %s\n", result(sys_register(R.fd, 3, 0, 0)));
    struct { unsigned nr, flags; unsigned long resv; void *data, *tags; } many = {3, 0, 0, files, 0};
    unsigned long tags[3] = {0, 0, 0};
    for (unsigned a = 0; a < 7; a++)
        for (unsigned t = 0; t < 6; t++)
            for (unsigned buffers = 0; buffers < 2; buffers++) {
                many.data = a >= 5 ? (buffers ? (void *)v : files) : bad_addresses[a];
                many.tags = t == 5 ? (void *)tags : bad_addresses[t];
                many.nr = buffers ? 2 : 3;
                many.flags = a == 6;
                say("tagged %u %u %u: ", a, t, buffers);
                say("%s\n", result(sys_register(R.fd, buffers ? 15 : 13, &many, 32)));
                struct { unsigned offset, resv; void *data, *tags; unsigned nr, resv2; } more =
                    {0, 0, many.data, many.tags, 1, 0};
                say("update: %s\n", result(sys_register(R.fd, buffers ? 16 : 14, &more, 32)));
                say("away: %s\n", result(sys_register(R.fd, buffers ? 1 : 3, 0, 0)));
            }
    say("another size: %s\n", result(sys_register(R.fd, 13, &many, 24)));
    unsigned range[4] = {0, 2, 0, 0};
    say("range without files: %s\n", result(sys_register(R.fd, 25, range, 0)));
}

static void registers(void) {
    int efd = eventfd(0, EFD_NONBLOCK);
    for (unsigned op = 4; op <= 7; op += 3)
        for (unsigned a = 0; a < 8; a++)
            for (unsigned n = 0; n < 3; n++) {
                int wrong = 999, plain = file;
                void *at = a == 5 ? &efd : a == 6 ? &wrong : a == 7 ? &plain : bad_addresses[a];
                say("eventfd %u %u %u: %s", op, a, n, result(sys_register(R.fd, op, at, n)));
                say(" %s\n", result(sys_register(R.fd, 5, 0, 0)));
            }
    sys_register(R.fd, 4, &efd, 1);
    one("told", IORING_OP_NOP, 0, 0, 0, 0, 0);
    unsigned long count = 0;
    say("event: %s", result(read(efd, &count, 8)));
    say(" %lu\n", count);
    sys_register(R.fd, 5, 0, 0);
    close(efd);
    char probe[16 + 64 * 8];
    for (unsigned a = 0; a < 6; a++) {
        memset(probe, 0, sizeof probe);
        say("probe %u: %s\n", a, result(sys_register(R.fd, 8, a == 5 ? (void *)probe : bad_addresses[a], 46)));
    }
    for (int i = 0; i < 46; i++) say(" %d", probe[16 + 8 * i + 2]);
    say("\n");
    probe[1] = 5;
    say("probe not clean: %s\n", result(sys_register(R.fd, 8, probe, 46)));
    memset(probe, 0, sizeof probe);
    say("probe too long: %s\n", result(sys_register(R.fd, 8, probe, 300)));
    int person = sys_register(R.fd, 9, 0, 0);
    say("personality %d: %s\n", person, result(sys_register(R.fd, 9, good, 0)));
    prep(&R, IORING_OP_NOP, 0, 0, 0, 0)->personality = person;
    go(&R, 1, "personality");
    prep(&R, IORING_OP_NOP, 0, 0, 0, 0)->personality = person + 1;
    go(&R, 1, "nobody");
    say("gone: %s", result(sys_register(R.fd, 10, 0, person)));
    say(" %s\n", result(sys_register(R.fd, 10, 0, person)));
    unsigned workers[2] = {0, 0};
    for (unsigned a = 0; a < 6; a++)
        say("workers %u: %s\n", a, result(sys_register(R.fd, 19, a == 5 ? (void *)workers : bad_addresses[a], 2)));
    say("%d %d\n", workers[0] > 0, workers[1] > 0);
    cpu_set_t cpus;
    sched_getaffinity(0, sizeof cpus, &cpus);
    for (unsigned a = 0; a < 6; a++)
        say("affinity %u: %s\n", a, result(sys_register(R.fd, 17, a == 5 ? (void *)&cpus : bad_addresses[a], 8)));
    say("away: %s\n", result(sys_register(R.fd, 18, 0, 0)));
    struct { unsigned offset, resv; unsigned long data; } rings[2] = {{-1U, 0, R.fd}, {-1U, 0, 999}};
    for (unsigned a = 0; a < 5; a++) say("ring %u: %s\n", a, result(sys_register(R.fd, 20, bad_addresses[a], 1)));
    say("ring: %s", result(sys_register(R.fd, 20, rings, 1)));
    say(" index %u\n", rings[0].offset);
    prep(&R, IORING_OP_NOP, 0, 0, 0, 0);
    publish(&R);
    say("by index: %s\n", result(sys_enter(rings[0].offset, 1, 1, 17, 0, 0)));
    reap(&R, "by index");
    say("by wrong index: %s", result(sys_enter(3, 1, 1, 17, 0, 0)));
    say(" %s\n", result(sys_enter(99, 1, 1, 17, 0, 0)));
    say("register by index: %s\n", result(sys_register(rings[0].offset, 1 | 1U << 31, 0, 0)));
    say("away: %s\n", result(sys_register(R.fd, 21, rings, 1)));
    say("by old index: %s\n", result(sys_enter(rings[0].offset, 0, 0, 17, 0, 0)));
    say("no ring: %s\n", result(sys_register(R.fd, 20, rings + 1, 1)));
    say("many: %s\n", result(sys_register(R.fd, 20, rings, 17)));
    struct { unsigned long addr; int fd; unsigned flags; struct __kernel_timespec t; unsigned long pad[4]; } cancel =
        {77, -1, 0, {-1, -1}, {0}};
    for (unsigned a = 0; a < 6; a++)
        say("cancel %u: %s\n", a, result(sys_register(R.fd, 24, a == 5 ? (void *)&cancel : bad_addresses[a], 1)));
    static const unsigned strange[] = {32, 33, 34, 36, 40, 100, 0x7fffffff};
    for (unsigned i = 3; i < COUNT(strange); i++)
        say("strange %u: %s\n", strange[i], result(sys_register(R.fd, strange[i], 0, 0)));
    int fds[] = {-1, 999, file};
    for (unsigned i = 0; i < COUNT(fds); i++)
        for (unsigned op = 0; op < 26; op++)
            say("fd %u op %u: %s\n", i, op, result(sys_register(fds[i], op, 0, 0)));
    // Restrictions: two operations only.
    Ring r;
    open_ring(&r, 4, IORING_SETUP_R_DISABLED);
    struct io_uring_restriction rules[2] = {
        {.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_NOP},
        {.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_READ},
    };
    for (unsigned a = 0; a < 6; a++)
        say("restrict %u: %s\n", a, result(sys_register(r.fd, 11, a == 5 ? (void *)rules : bad_addresses[a], 2)));
    say("again: %s\n", result(sys_register(r.fd, 11, rules, 2)));
    sys_register(r.fd, 12, 0, 0);
    prep(&r, IORING_OP_NOP, 0, 0, 0, 0);
    go(&r, 1, "allowed");
    prep(&r, IORING_OP_READ, file, good, 4, 0);
    go(&r, 1, "allowed");
    prep(&r, IORING_OP_WRITE, file, good, 4, 0);
    go(&r, 1, "not allowed");
    prep(&r, IORING_OP_MADVISE, -1, good, 4096, 0)->fadvise_advice = 4;
    go(&r, 1, "not allowed");
    close_ring(&r);
}

// Names of files.
static void names(void) {
    struct stat s;
    char buffer[300];
    mkdir("d", 0755);
    int dir = open("d", O_RDONLY | O_DIRECTORY);
    char longer[5000];
    memset(longer, 'x', sizeof longer);
    longer[4999] = 0;
    const char *paths[] = {"new", "/no/such", "", longer, "d/../new", "file/x"};
    for (unsigned a = 0; a < 11; a++)
        for (int f = 0; f < 4; f++) {
            static const int flags[] = {O_RDONLY, O_RDWR | O_CREAT, O_RDWR | O_CREAT | O_EXCL, O_DIRECTORY};
            const void *at = a < 5 ? bad_addresses[a] : (const void *)paths[a - 5];
            say("%u %x ", a, flags[f]);
            one("openat", IORING_OP_OPENAT, f == 1 ? dir : AT_FDCWD, at, 0600, 0, flags[f]);
            close(dir + 1);
        }
    static const unsigned odd[] = {O_PATH, O_DIRECT, O_NOFOLLOW, O_TMPFILE | O_RDWR, O_CLOEXEC, O_APPEND | 1, 1U << 30, ~0U};
    symlink("new", "link");
    for (unsigned i = 0; i < COUNT(odd); i++) {
        say("%x ", i);
        one("openat flags", IORING_OP_OPENAT, AT_FDCWD, odd[i] == (O_TMPFILE | O_RDWR) ? "d" : "link", 0600, 0, odd[i]);
        int fl = fcntl(dir + 1, F_GETFL), fd = fcntl(dir + 1, F_GETFD);
        say("flags %x %x\n", fl, fd);
        close(dir + 1);
    }
    struct { unsigned long flags, mode, resolve, more[2]; } how = {0};
    for (unsigned a = 0; a < 6; a++)
        for (unsigned size = 16; size <= 40; size += 8)
            for (int resolve = 0; resolve < 3; resolve++) {
                how.flags = O_RDONLY;
                how.resolve = resolve == 1 ? 4 : resolve == 2 ? 1 << 20 : 0;
                how.more[0] = 0;
                say("%u %u %d ", a, size, resolve);
                one("openat2", IORING_OP_OPENAT2, AT_FDCWD, "link", size, a == 5 ? (long)&how : (long)bad_addresses[a], 0);
                close(dir + 1);
            }
    how.more[1] = 1;
    one("openat2 later", IORING_OP_OPENAT2, AT_FDCWD, "new", 40, (long)&how, 0);
    how.more[1] = 0;
    how.resolve = 0;
    how.flags = 1UL << 40;
    one("openat2 high", IORING_OP_OPENAT2, AT_FDCWD, "new", 24, (long)&how, 0);
    for (unsigned a = 0; a < 5; a++) {
        say("%u ", a);
        one("openat2 path", IORING_OP_OPENAT2, AT_FDCWD, bad_addresses[a], 24, (long)&how, 0);
    }
    for (int i = 0; i < 2; i++) one("close", IORING_OP_CLOSE, i ? 999 : dup(file), 0, 0, 0, 0);
    one("close none", IORING_OP_CLOSE, -1, 0, 0, 0, 0);
    for (unsigned a = 0; a < 6; a++)
        for (unsigned b = 0; b < 6; b++) {
            const void *path = a == 5 ? (const void *)"new" : bad_addresses[a];
            void *to = b == 5 ? good : bad_addresses[b];
            say("%u %u ", a, b);
            one("statx", IORING_OP_STATX, AT_FDCWD, path, 0x7ff, (long)to, 0);
            say("%u %u ", a, b);
            one("statx empty", IORING_OP_STATX, file, a == 5 ? (const void *)"" : path, 0x7ff, (long)to, AT_EMPTY_PATH);
            say("%u %u ", a, b);
            one("rename", IORING_OP_RENAMEAT, AT_FDCWD, path, AT_FDCWD, (long)(b == 5 ? "newer" : bad_addresses[b]), 0);
            if (a == 5 && b == 5) rename("newer", "new");
            say("%u %u ", a, b);
            one("link", IORING_OP_LINKAT, AT_FDCWD, path, AT_FDCWD, (long)(b == 5 ? "hard" : bad_addresses[b]), 0);
            unlink("hard");
            say("%u %u ", a, b);
            one("symlink", IORING_OP_SYMLINKAT, AT_FDCWD, path, 0, (long)(b == 5 ? "soft" : bad_addresses[b]), 0);
            unlink("soft");
            static const char *attributes[] = {"user.x", "trusted.y", "nonsense"};
            for (unsigned n = 0; n < 3; n++) {
                const void *name = a == 5 ? (const void *)attributes[n] : bad_addresses[a];
                Sqe *e;
                say("%u %u %u ", a, b, n);
                e = prep(&R, IORING_OP_FSETXATTR, file, name, 3, (long)to);
                go(&R, 1, "fsetxattr");
                say("%u %u %u ", a, b, n);
                e = prep(&R, IORING_OP_FGETXATTR, file, name, 10, (long)to);
                go(&R, 1, "fgetxattr");
                for (unsigned c = 0; c < 6; c++) {
                    say("%u %u %u %u ", a, b, n, c);
                    e = prep(&R, IORING_OP_SETXATTR, 0, name, 3, (long)to);
                    e->addr3 = c == 5 ? (long)"new" : (long)bad_addresses[c];
                    go(&R, 1, "setxattr");
                    say("%u %u %u %u ", a, b, n, c);
                    e = prep(&R, IORING_OP_GETXATTR, 0, name, 10, (long)to);
                    e->addr3 = c == 5 ? (long)"new" : (long)bad_addresses[c];
                    go(&R, 1, "getxattr");
                }
            }
        }
    memset(buffer, 0, sizeof buffer);
    stat("new", &s);
    one("statx", IORING_OP_STATX, AT_FDCWD, "new", 0x7ff, (long)buffer, 0);
    say("mode %o size %lu inode %d\n", *(unsigned short *)(buffer + 28), *(unsigned long *)(buffer + 40),
        *(unsigned long *)(buffer + 32) == s.st_ino);
    for (unsigned a = 0; a < 8; a++) {
        static const char *last[] = {"made", "no/such", "made"};
        const void *path = a < 5 ? bad_addresses[a] : (const void *)last[a - 5];
        say("%u ", a);
        one("mkdir", IORING_OP_MKDIRAT, a == 7 ? dir : AT_FDCWD, path, 0755, 0, 0);
        say("%u ", a);
        one("unlink", IORING_OP_UNLINKAT, a == 7 ? dir : AT_FDCWD, path, 0, 0, 0);
        say("%u ", a);
        one("rmdir", IORING_OP_UNLINKAT, a == 7 ? dir : AT_FDCWD, path, 0, 0, AT_REMOVEDIR);
        say("%u ", a);
        one("unlink flags", IORING_OP_UNLINKAT, AT_FDCWD, path, 0, 0, 1);
    }
    one("rename flags", IORING_OP_RENAMEAT, AT_FDCWD, "new", AT_FDCWD, (long)"d", 1);
    one("rename over", IORING_OP_RENAMEAT, AT_FDCWD, "new", dir, (long)"inside", 0);
    say("there: %d\n", access("d/inside", F_OK));
    Sqe *e = prep(&R, IORING_OP_MKDIRAT, AT_FDCWD, "x", 0755, 0);
    e->buf_index = 3;
    go(&R, 1, "a field too many");
    e = prep(&R, IORING_OP_MKDIRAT, AT_FDCWD, "x", 0755, 0);
    e->flags = IOSQE_FIXED_FILE;
    go(&R, 1, "by index");
    // A chain, of which one fails.
    prep(&R, IORING_OP_MKDIRAT, AT_FDCWD, "chain", 0755, 0)->flags = IOSQE_IO_LINK;
    prep(&R, IORING_OP_MKDIRAT, AT_FDCWD, "chain/in", 0755, 0)->flags = IOSQE_IO_LINK;
    prep(&R, IORING_OP_MKDIRAT, AT_FDCWD, "chain", 0755, 0)->flags = IOSQE_IO_LINK;
    prep(&R, IORING_OP_MKDIRAT, AT_FDCWD, "chain/after", 0755, 0);
    go(&R, 4, "chain");
    say("%d %d\n", access("chain/in", F_OK), access("chain/after", F_OK));
    for (unsigned a = 0; a < 6; a++) {
        say("%u ", a);
        one("madvise", IORING_OP_MADVISE, -1, a == 5 ? good + 4 * PAGE : bad_addresses[a], PAGE, 0, MADV_DONTNEED);
        say("%u ", a);
        one("madvise odd", IORING_OP_MADVISE, -1, a == 5 ? good + 4 * PAGE : bad_addresses[a], PAGE, 0, 77);
    }
    close(dir);
}

static void waits(void) {
    struct __kernel_timespec soon = {0, 2000000}, wrong = {0, 2000000000}, never = {1000, 0};
    void *times[] = {0, (void *)1, bad, none, &wrong, &soon};
    for (unsigned i = 0; i < COUNT(times); i++)
        for (unsigned flags = 0; flags < 3; flags++) {
            say("%u %x ", i, flags ? 1 << (flags + 1) : 0);
            one("timeout", IORING_OP_TIMEOUT, -1, times[i], 1, 0, flags ? 1 << (flags + 1) : 0);
        }
    one("timeout two", IORING_OP_TIMEOUT, -1, &soon, 2, 0, 0);
    one("timeout update none", IORING_OP_TIMEOUT_REMOVE, -1, (void *)5, 0, (long)&soon, 2);
    one("timeout remove none", IORING_OP_TIMEOUT_REMOVE, -1, (void *)5, 0, 0, 0);
    for (unsigned i = 0; i < COUNT(times); i++) {
        Sqe *e = prep(&R, IORING_OP_TIMEOUT, -1, &never, 1, 0);
        unsigned long name = e->user_data;
        publish(&R);
        sys_enter(R.fd, 1, 0, 0, 0, 0);
        say("%u ", i);
        one("update", IORING_OP_TIMEOUT_REMOVE, -1, (void *)name, 0, (long)times[i], 2);
        say("%u ", i);
        one("remove", IORING_OP_TIMEOUT_REMOVE, -1, (void *)name, 0, 0, 0);
        sys_enter(R.fd, 0, 1, 9, &(struct { long m, s; void *t; }){0, 0, &soon}, 24);
        reap(&R, "removed");
    }
    int ends[2];
    if (pipe(ends)) return;
    for (unsigned i = 0; i < COUNT(times); i++) {
        prep(&R, IORING_OP_READ, ends[0], good, 10, -1)->flags = IOSQE_IO_LINK;
        prep(&R, IORING_OP_LINK_TIMEOUT, -1, times[i], 1, 0);
        publish(&R);
        say("%u %s ", i, result(sys_enter(R.fd, 2, 2, 1, 0, 0)));
        reap(&R, "link timeout");
    }
    // Polls.
    Sqe *e = prep(&R, IORING_OP_POLL_ADD, ends[0], 0, 0, 0);
    e->poll32_events = POLLIN;
    unsigned long name = e->user_data;
    publish(&R);
    sys_enter(R.fd, 1, 0, 0, 0, 0);
    reap(&R, "not yet");
    write(ends[1], "x", 1);
    sys_enter(R.fd, 0, 1, 1, 0, 0);
    reap(&R, "poll");
    e = prep(&R, IORING_OP_POLL_ADD, 999, 0, 0, 0);
    e->poll32_events = POLLIN;
    go(&R, 1, "poll none");
    read(ends[0], good, 1);
    e = prep(&R, IORING_OP_POLL_ADD, ends[0], 0, 0, 0);
    e->poll32_events = POLLIN;
    name = e->user_data;
    prep(&R, IORING_OP_POLL_REMOVE, -1, (void *)(name + 100), 0, 0);
    publish(&R);
    sys_enter(R.fd, 2, 1, 1, 0, 0);
    reap(&R, "remove none");
    prep(&R, IORING_OP_ASYNC_CANCEL, -1, (void *)name, 0, 0);
    publish(&R);
    sys_enter(R.fd, 1, 2, 1, 0, 0);
    reap(&R, "cancel");
    one("cancel none", IORING_OP_ASYNC_CANCEL, -1, (void *)name, 0, 0, 0);
    one("cancel flags", IORING_OP_ASYNC_CANCEL, -1, (void *)name, 0, 0, 1 << 20);
    // Epoll.
    int epoll = epoll_create1(0);
    struct epoll_event event = {EPOLLIN, {.u64 = 0x123456789abcdef}}, got;
    for (unsigned a = 0; a < 6; a++)
        for (unsigned op = 0; op < 5; op++) {
            say("%u %u ", a, op);
            one("epoll", IORING_OP_EPOLL_CTL, epoll, a == 5 ? (void *)&event : bad_addresses[a], op, ends[0], 0);
        }
    one("epoll", IORING_OP_EPOLL_CTL, epoll, &event, EPOLL_CTL_ADD, ends[0], 0);
    write(ends[1], "x", 1);
    memset(&got, 0, sizeof got);
    int waited = epoll_wait(epoll, &got, 1, 0);
    say("waited %d %x %lx\n", waited, got.events, (long)got.data.u64);
    close(epoll);
    // Pipes.
    int more[2] = {0, 0};
    for (unsigned a = 0; a < 6; a++) {
        say("%u ", a);
        one("pipe", OP_PIPE, -1, a == 5 ? (void *)more : bad_addresses[a], 0, 0, O_CLOEXEC);
    }
    say("pipe %d %d %d\n", more[0] > 0, more[1] > more[0], fcntl(more[0], F_GETFD));
    e = prep(&R, IORING_OP_SPLICE, more[1], 0, 1, -1);
    e->splice_fd_in = ends[0];
    e->splice_off_in = -1;
    go(&R, 1, "splice");
    e = prep(&R, IORING_OP_TEE, ends[1], 0, 1, 0);
    e->splice_fd_in = more[0];
    go(&R, 1, "tee");
    say("%s\n", result(read(ends[0], good, 10)));
    for (int i = 0; i < 2; i++) close(ends[i]), close(more[i]);
    // Futexes.
    unsigned futex = 5;
    for (unsigned a = 0; a < 6; a++) {
        e = prep(&R, OP_FUTEX_WAKE, 2, a == 5 ? (void *)&futex : bad_addresses[a], 0, 1);
        e->addr3 = ~0U;
        say("%u ", a);
        go(&R, 1, "futex wake");
        e = prep(&R, OP_FUTEX_WAIT, 2, a == 5 ? (void *)&futex : bad_addresses[a], 0, 4);
        e->addr3 = ~0U;
        say("%u ", a);
        go(&R, 1, "futex wait");
        struct { unsigned long val, addr; unsigned flags, resv; } list[1] = {{4, (long)&futex, 2, 0}};
        if (a < 5) list[0].addr = (long)bad_addresses[a];
        say("%u ", a);
        one("futex list", OP_FUTEX_WAITV, 0, list, 1, 0, 0);
        say("%u ", a);
        one("futex bad list", OP_FUTEX_WAITV, 0, a == 5 ? (void *)list : bad_addresses[a], a == 5 ? 129 : 1, 0, 0);
    }
    e = prep(&R, OP_FUTEX_WAIT, 2, &futex, 0, 5);
    e->addr3 = ~0U;
    publish(&R);
    sys_enter(R.fd, 1, 0, 0, 0, 0);
    e = prep(&R, OP_FUTEX_WAKE, 2, &futex, 0, 1);
    e->addr3 = ~0U;
    publish(&R);
    sys_enter(R.fd, 1, 2, 1, 0, 0);
    reap(&R, "futex");
    // A child.
    for (unsigned a = 0; a < 6; a++) {
        pid_t child = fork();
        if (child == 0) _exit(7);
        siginfo_t info = {0};
        e = prep(&R, OP_WAITID, child, 0, P_PID, (long)(a == 5 ? (void *)&info : bad_addresses[a]));
        e->file_index = WEXITED;
        say("%u ", a);
        go(&R, 1, "waitid");
        say("%d %d %d\n", info.si_status, info.si_code, info.si_pid == child || a < 5);
        waitpid(child, 0, 0);
    }
}

static void sockets(void) {
    one("socket", IORING_OP_SOCKET, AF_UNIX, 0, 0, SOCK_STREAM, 0);
    one("no socket", IORING_OP_SOCKET, 999, 0, 0, SOCK_STREAM, 0);
    one("socket flags", IORING_OP_SOCKET, AF_INET, 0, 0, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair)) return;
    for (unsigned a = 0; a < 6; a++) {
        strcpy(good, "message");
        say("%u ", a);
        one("send", IORING_OP_SEND, pair[0], a == 5 ? good : bad_addresses[a], 7, 0, 0);
        say("%u ", a);
        one("recv", IORING_OP_RECV, pair[1], a == 5 ? good + 100 : bad_addresses[a], 100, 0, MSG_DONTWAIT);
        say("%u ", a);
        one("send to a file", IORING_OP_SEND, file, a == 5 ? good : bad_addresses[a], 7, 0, 0);
    }
    say("%.7s\n", good + 100);
    struct iovec parts[2] = {{good, 3}, {good + 3, 4}}, into[2] = {{good + 200, 2}, {good + 210, 9}};
    char control[64];
    struct sockaddr_un name;
    struct msghdr out = {.msg_iov = parts, .msg_iovlen = 2};
    for (unsigned a = 0; a < 6; a++)
        for (unsigned field = 0; field < 5; field++) {
            struct msghdr to = out, from = {.msg_iov = into, .msg_iovlen = 2};
            void *wrong = a == 5 ? 0 : bad_addresses[a];
            if (field == 1) to.msg_name = wrong, to.msg_namelen = 20, from.msg_name = wrong, from.msg_namelen = 20;
            if (field == 2) to.msg_iov = wrong, from.msg_iov = wrong;
            if (field == 3) to.msg_control = wrong, to.msg_controllen = 20, from.msg_control = wrong, from.msg_controllen = 20;
            if (field == 4) to.msg_iovlen = a == 5 ? 1025 : -1, from.msg_iovlen = to.msg_iovlen;
            say("%u %u ", a, field);
            one("sendmsg", IORING_OP_SENDMSG, pair[0], field || a == 5 ? (void *)&to : wrong, 1, 0, 0);
            say("%u %u ", a, field);
            one("recvmsg", IORING_OP_RECVMSG, pair[1], field || a == 5 ? (void *)&from : wrong, 1, 0, MSG_DONTWAIT);
            while (recv(pair[1], good + 500, 100, MSG_DONTWAIT) > 0) continue;
        }
    // A message with a descriptor, and what is reported of it.
    memset(control, 0, sizeof control);
    struct cmsghdr *c = (struct cmsghdr *)control;
    c->cmsg_len = CMSG_LEN(4);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    memcpy(CMSG_DATA(c), &file, 4);
    out.msg_control = control;
    out.msg_controllen = CMSG_SPACE(4);
    strcpy(good, "message");
    one("sendmsg", IORING_OP_SENDMSG, pair[0], &out, 1, 0, 0);
    char got[64] = {0};
    struct msghdr in = {.msg_name = &name, .msg_namelen = sizeof name, .msg_iov = into, .msg_iovlen = 2,
                        .msg_control = got, .msg_controllen = sizeof got, .msg_flags = 99};
    one("recvmsg", IORING_OP_RECVMSG, pair[1], &in, 1, 0, 0);
    say("%.2s %.5s name %u control %lu flags %x same %d\n", good + 200, good + 210, in.msg_namelen,
        (long)in.msg_controllen, in.msg_flags,
        in.msg_iov == into && in.msg_name == &name && in.msg_control == got && in.msg_iovlen == 2);
    int passed;
    memcpy(&passed, CMSG_DATA((struct cmsghdr *)got), 4);
    say("passed %d\n", fcntl(passed, F_GETFD) >= 0);
    close(passed);
    // Received later.
    in = (struct msghdr){.msg_iov = into, .msg_iovlen = 2, .msg_control = got, .msg_controllen = sizeof got, .msg_flags = 99};
    prep(&R, IORING_OP_RECVMSG, pair[1], &in, 1, 0);
    publish(&R);
    sys_enter(R.fd, 1, 0, 0, 0, 0);
    say("headers keep their addresses: %d\n", in.msg_iov == into && in.msg_control == got);
    send(pair[0], "later", 5, 0);
    sys_enter(R.fd, 0, 1, 1, 0, 0);
    reap(&R, "later");
    say("%.2s %.3s %lu %x\n", good + 200, good + 210, (long)in.msg_controllen, in.msg_flags);
    for (int i = 0; i < 3; i++) {
        say("%d ", i);
        one("shutdown", IORING_OP_SHUTDOWN, i ? i == 1 ? file : 999 : pair[0], 0, SHUT_WR, 0, 0);
    }
    close(pair[0]), close(pair[1]);

    // By name.
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct sockaddr_un local = {.sun_family = AF_UNIX, .sun_path = "socket"};
    for (int unix_ = 0; unix_ < 2; unix_++) {
        int server = socket(unix_ ? AF_UNIX : AF_INET, SOCK_STREAM, 0);
        void *address = unix_ ? (void *)&local : &at;
        socklen_t len = unix_ ? sizeof local : sizeof at;
        for (unsigned a = 0; a < 6; a++) {
            say("%u ", a);
            one("bind", OP_BIND, server, a == 5 ? address : bad_addresses[a], 0, len, 0);
        }
        one("bind length", OP_BIND, server, address, 0, 1000, 0);
        one("listen", OP_LISTEN, server, 0, 5, 0, 0);
        one("listen file", OP_LISTEN, file, 0, 5, 0, 0);
        getsockname(server, address, &len);
        for (unsigned a = 0; a < 6; a++)
            for (unsigned b = 0; b < 6; b++) {
                int client = socket(unix_ ? AF_UNIX : AF_INET, SOCK_STREAM, 0);
                if (b == 0) {
                    say("%u ", a);
                    one("connect", IORING_OP_CONNECT, client, a == 5 ? address : bad_addresses[a], 0, len, 0);
                    if (a != 5) connect(client, address, len);
                } else {
                    connect(client, address, len);
                }
                struct sockaddr_un peer;
                socklen_t room = sizeof peer;
                memset(&peer, 0, sizeof peer);
                say("%u %u ", a, b);
                prep(&R, IORING_OP_ACCEPT, server, a == 5 ? (void *)&peer : bad_addresses[a], 0,
                     (long)(b == 5 ? (void *)&room : bad_addresses[b]))->accept_flags = SOCK_CLOEXEC;
                go(&R, 1, "accept");
                if (a == 5 && b == 5) say("peer %d %u\n", peer.sun_family, room);
                close(client + 1);
                close(client);
                // One that was not accepted is not the next one's.
                fcntl(server, F_SETFL, O_NONBLOCK);
                int left = accept(server, 0, 0);
                if (left >= 0) close(left);
                fcntl(server, F_SETFL, 0);
            }
        one("connect nowhere", IORING_OP_CONNECT, server, address, 0, len, 0);
        close(server);
    }
    unlink("socket");
    int datagram[2] = {socket(AF_INET, SOCK_DGRAM, 0), socket(AF_INET, SOCK_DGRAM, 0)};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof to;
    bind(datagram[0], (void *)&to, len);
    getsockname(datagram[0], (void *)&to, &len);
    for (unsigned a = 0; a < 6; a++) {
        Sqe *e = prep(&R, IORING_OP_SEND, datagram[1], good, 6, (long)(a == 5 ? (void *)&to : bad_addresses[a]));
        e->addr_len = len;
        say("%u ", a);
        go(&R, 1, "sendto");
        struct msghdr m = {.msg_name = a == 5 ? (void *)&to : bad_addresses[a], .msg_namelen = len, .msg_iov = parts, .msg_iovlen = 1};
        say("%u ", a);
        one("sendmsg to", IORING_OP_SENDMSG, datagram[1], &m, 1, 0, 0);
    }
    close(datagram[0]), close(datagram[1]);
}

// Buffers that the kernel chooses.
static void provided(void) {
    for (unsigned a = 0; a < 6; a++) {
        Sqe *e = prep(&R, IORING_OP_PROVIDE_BUFFERS, 4, a == 5 ? good : bad_addresses[a], 64, 10);
        e->buf_group = 3 + a;
        say("%u ", a);
        go(&R, 1, "provide");
    }
    for (int fd = -1; fd < 1; fd++) {
        prep(&R, IORING_OP_PROVIDE_BUFFERS, fd, good, 64, 0)->buf_group = 1;
        go(&R, 1, "provide number");
    }
    prep(&R, IORING_OP_PROVIDE_BUFFERS, 65536, good, 64, 0)->buf_group = 1;
    go(&R, 1, "provide many");
    lseek(file, 0, SEEK_SET);
    for (int i = 0; i < 6; i++) {
        Sqe *e = prep(&R, IORING_OP_READ, file, 0, 8, 0);
        e->flags = IOSQE_BUFFER_SELECT;
        e->buf_group = i == 5 ? 99 : 8;
        go(&R, 1, "select");
    }
    prep(&R, IORING_OP_REMOVE_BUFFERS, 10, 0, 0, 0)->buf_group = 8;
    go(&R, 1, "remove");
    prep(&R, IORING_OP_REMOVE_BUFFERS, 1, 0, 0, 0)->buf_group = 88;
    go(&R, 1, "remove none");
    struct { unsigned long addr; unsigned entries; unsigned short group, flags; unsigned long resv[3]; } reg = {0};
    struct { unsigned long addr; unsigned len; unsigned short id, tail; } *ring;
    for (unsigned a = 0; a < 6; a++)
        for (unsigned n = 0; n < 5; n++) {
            static const unsigned entries[] = {0, 3, 4, 32768, 65536};
            reg.addr = (long)(a == 5 ? good + 8 * PAGE : bad_addresses[a]);
            reg.entries = entries[n];
            reg.group = 20;
            if (a == 5 && n > 2) continue;
            say("buffer ring %u %u: %s", a, n, result(sys_register(R.fd, 22, &reg, 1)));
            say(" %s\n", result(sys_register(R.fd, 23, &reg, 1)));
        }
    for (unsigned a = 0; a < 5; a++)
        say("buffer ring at %u: %s\n", a, result(sys_register(R.fd, 22, bad_addresses[a], 1)));
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair)) return;
    for (int made = 0; made < 2; made++) {
        reg.addr = made ? 0 : (long)(good + 8 * PAGE);
        reg.entries = 4;
        reg.group = 21 + made;
        reg.flags = made;
        memset(good + 8 * PAGE, 0, PAGE);
        say("ring %d: %s\n", made, result(sys_register(R.fd, 22, &reg, 1)));
        ring = made ? mmap(0, PAGE, 3, MAP_SHARED, R.fd, 0x80000000UL | (unsigned long)reg.group << 16) : (void *)(good + 8 * PAGE);
        if (ring == MAP_FAILED) {
            say("not mapped: %s\n", result(-1));
            continue;
        }
        for (int i = 0; i < 3; i++) ring[i].addr = (long)(good + 256 * i), ring[i].len = 16, ring[i].id = 7 + i;
        __atomic_store_n(&ring[0].tail, 3, __ATOMIC_RELEASE);
        for (int i = 0; i < 4; i++) {
            send(pair[0], "provided", 8, 0);
            Sqe *e = prep(&R, IORING_OP_RECV, pair[1], 0, 0, 0);
            e->flags = IOSQE_BUFFER_SELECT;
            e->buf_group = reg.group;
            go(&R, 1, "from the ring");
            say("%.8s\n", good + 256 * (i % 3));
        }
        say("gone: %s", result(sys_register(R.fd, 23, &reg, 1)));
        say(" %s\n", result(sys_register(R.fd, 23, &reg, 1)));
    }
    close(pair[0]), close(pair[1]);
}

// What others do with a ring.
static void shared(void) {
    Ring r, other;
    open_ring(&r, 4, 0);
    open_ring(&other, 4, 0);
    prep(&r, IORING_OP_MSG_RING, other.fd, 0, 55, 0x1234);
    go(&r, 1, "message");
    reap(&other, "arrived");
    prep(&r, IORING_OP_MSG_RING, file, 0, 55, 0x1234);
    go(&r, 1, "message to a file");
    for (int i = 0; i < 3; i++) {
        prep(&r, IORING_OP_NOP, 0, 0, 0, 0);
        go(&r, 1, "parent");
        flush();
        pid_t child = fork();
        if (child == 0) {
            used = 0;
            prep(&r, IORING_OP_WRITE, file, "child", 5, 0);
            go(&r, 1, "child");
            Ring own;
            open_ring(&own, 4, 0);
            prep(&own, IORING_OP_READ, file, good, 5, 0);
            go(&own, 1, "its own");
            say("%.5s\n", good);
            flush();
            _exit(0);
        }
        waitpid(child, 0, 0);
        r.tail++;
        say("head %d\n", *word(&r, r.p.sq_off.head) == r.tail);
    }
    // A queue that is not there when entries are taken from it.
    prep(&r, IORING_OP_NOP, 0, 0, 0, 0);
    publish(&r);
    munmap(r.sqes, PAGE);
    say("without entries: %s\n", result(sys_enter(r.fd, 1, 1, 1, 0, 0)));
    reap(&r, "without entries");
    close_ring(&r);
    close_ring(&other);
    // Many.
    Ring many[100];
    for (int i = 0; i < 100; i++) {
        if (open_ring(&many[i], 2, 0)) say("ring %d: %s\n", i, result(-1));
        prep(&many[i], IORING_OP_NOP, 0, 0, 0, 0);
    }
    unsigned done = 0;
    for (int i = 0; i < 100; i++) {
        publish(&many[i]);
        done += sys_enter(many[i].fd, 1, 1, 1, 0, 0) == 1;
    }
    say("done %u\n", done);
    for (int i = 0; i < 100; i++) close_ring(&many[i]);
    for (int i = 0; i < 300; i++) {
        if (open_ring(&r, 2, 0)) break;
        prep(&r, IORING_OP_NOP, 0, 0, 0, 0);
        publish(&r);
        done += sys_enter(r.fd, 1, 1, 1, 0, 0) == 1;
        close_ring(&r);
    }
    say("done %u\n", done);
    // A queue that nobody needs to enter the kernel for, but may.
    if (open_ring(&r, 4, IORING_SETUP_SQPOLL) == 0) {
        for (int i = 0; i < 5; i++) {
            prep(&r, IORING_OP_NOP, 0, 0, 0, 0);
            publish(&r);
            __atomic_thread_fence(__ATOMIC_SEQ_CST);
            if (*word(&r, r.p.sq_off.flags) & IORING_SQ_NEED_WAKEUP) sys_enter(r.fd, 0, 0, IORING_ENTER_SQ_WAKEUP, 0, 0);
            sys_enter(r.fd, 0, 1, IORING_ENTER_GETEVENTS, 0, 0);
            reap(&r, "polled");
        }
        prep(&r, IORING_OP_NOP, 0, 0, 0, 0);
        publish(&r);
        say("%s\n", result(sys_enter(r.fd, 7, 1, IORING_ENTER_GETEVENTS | IORING_ENTER_SQ_WAKEUP, 0, 0)));
        reap(&r, "polled");
        close_ring(&r);
    }
}

int main(void) {
    struct utsname host;
    int major = 0, minor = 0;
    uname(&host);
    sscanf(host.release, "%d.%d", &major, &minor);
    struct io_uring_params p = {0};
    long fd = sys_setup(1, &p);
    if (major * 100 + minor < 610 || fd < 0 || getenv("UNDER_QEMU")) {
        say("no rings, or from a kernel before 6.10\n");
        flush();
        return 0;
    }
    close(fd);
    good = mmap(0, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    // Where nothing is placed by itself.
    bad = (char *)0x2000000000;
    none = good + 18 * PAGE;
    readonly = good + 20 * PAGE;
    mprotect(none, PAGE, PROT_NONE);
    mprotect(readonly, PAGE, PROT_READ);
    bad_addresses[0] = 0;
    bad_addresses[1] = (void *)1;
    bad_addresses[2] = bad;
    bad_addresses[3] = none;
    bad_addresses[4] = (void *)0x8000000000000000;
    file = open("file", O_RDWR | O_CREAT | O_TRUNC, 0644);
    ftruncate(file, 4096);
    struct { const char *name; void (*run)(void); } parts[] = {
        {"setups", setups}, {"mappings", mappings}, {"enters", enters}, {"signals", signals},
        {"moves", moves}, {"registered", registered}, {"registers", registers}, {"names", names},
        {"waits", waits}, {"sockets", sockets}, {"provided", provided}, {"shared", shared},
    };
    for (unsigned i = 0; i < COUNT(parts); i++) {
        if (getenv("PART") && strcmp(getenv("PART"), parts[i].name)) continue;
        say("== %s\n", parts[i].name);
        open_ring(&R, 64, 0);
        parts[i].run();
        flush();
        close_ring(&R);
    }
    return 0;
}
