// What could go on for ever: lists and arrays of the program that the kernel walks, of any shape, and
// accesses that the map allows and the memory behind it does not. Every walk has an end, every such
// fault is told.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include "check.h"

// A robust list's entry with its lock, as far away as `futex_offset` says.
struct entry { struct robust_list link; int lock; int pad; };
static struct robust_list_head head;
static struct entry *entries;
enum { ENTRIES = 3000, LIMIT = 2048 };

// Runs a thread that owns all locks and ends with `head` as its list.
static void *own_and_end(void *pending) {
    int tid = (int)syscall(SYS_gettid);
    for (int i = 0; i < ENTRIES; i++) entries[i].lock = tid;
    head.list_op_pending = pending;
    head.futex_offset = offsetof(struct entry, lock);
    syscall(SYS_set_robust_list, &head, sizeof head);
    // Calls are made with such a list too.
    getppid();
    syscall(SYS_exit, 0);
    return NULL;
}
// How many owners of locks have died, and whether the one of `i` has.
static int died(int i) { return (__atomic_load_n(&entries[i].lock, __ATOMIC_SEQ_CST) & FUTEX_OWNER_DIED) != 0; }
static int end_with(struct entry *pending) {
    // A thread of its own process, whose end the kernel alone sees to.
    pid_t child = fork();
    if (child == 0) own_and_end(pending), _exit(1);
    int status, n = 0;
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    for (int i = 0; i < ENTRIES; i++) n += died(i);
    return n;
}
static void robust_lists(void) {
    if (under_qemu()) return; // It has none.
    entries = mmap(NULL, ENTRIES * sizeof *entries, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    // A ring of the pending entry alone, which the walk passes over.
    entries[0].link.next = &entries[0].link;
    head.list.next = &entries[0].link;
    CHECK(end_with(&entries[0]) == 1 && died(0));
    // The same of another entry, and of three with the pending one among them.
    CHECK(end_with(&entries[5]) == 2 && died(0) && died(5));
    for (int i = 0; i < 3; i++) entries[i].link.next = &entries[(i + 1) % 3].link;
    CHECK(end_with(&entries[1]) == 3 && died(2));
    // An entry that is its own successor at the end of others; one that leads back into the middle.
    for (int i = 0; i < 100; i++) entries[i].link.next = &entries[i + 1].link;
    entries[100].link.next = &entries[50].link;
    CHECK(end_with(NULL) == 101);
    // More than the kernel looks at: what is pending counts extra.
    for (int i = 0; i < ENTRIES; i++) entries[i].link.next = i + 1 < ENTRIES ? &entries[i + 1].link : &head.list;
    CHECK(end_with(NULL) == LIMIT && died(LIMIT - 1) && !died(LIMIT));
    CHECK(end_with(&entries[2500]) == LIMIT + 1 && died(2500));
    CHECK(end_with(&entries[7]) == LIMIT && died(7) && died(LIMIT - 1));
    // A list that ends nowhere: what was found before counts, what is pending does not.
    entries[9].link.next = (struct robust_list *)16;
    CHECK(end_with(&entries[20]) == 10 && died(9) && !died(20));
    // A lock at an address that cannot be one ends the walk too.
    entries[9].link.next = (struct robust_list *)((char *)&entries[10] + 1 + 1);
    CHECK(end_with(&entries[20]) == 10);
    // A list that leads to itself without an entry, and a head that cannot be read.
    head.list.next = &head.list;
    CHECK(end_with(NULL) == 0);
    munmap(entries, ENTRIES * sizeof *entries);
}

// Many addresses of one long string are as long as so many strings.
static void arguments(void) {
    enum { MANY = 3000000, LONG = 100000 };
    char *text = malloc(LONG + 1), **array = malloc((MANY + 1) * sizeof *array);
    memset(text, 'x', LONG);
    text[LONG] = 0;
    for (int i = 0; i < MANY; i++) array[i] = text;
    array[MANY] = NULL;
    char *none[] = {NULL}, *one[] = {"x", NULL};
    FAILS(execve("/proc/self/exe", array, none), E2BIG);
    FAILS(execve("/proc/self/exe", one, array), E2BIG);
    array[200] = NULL;
    FAILS(execve("/proc/self/exe", array, none), E2BIG);
    array[200] = text;
    array[100] = (char *)16;
    FAILS(execve("/proc/self/exe", array, none), E2BIG);
    // The last is copied first.
    array[1] = (char *)16;
    array[200] = NULL;
    FAILS(execve("/proc/self/exe", array, none), E2BIG);
    array[1] = text, array[199] = (char *)16;
    FAILS(execve("/proc/self/exe", array, none), EFAULT);
    FAILS(execve("/proc/self/exe", none, array), EFAULT);
    // An array that has no end.
    char *end = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(end + 4096, 4096);
    for (int i = 0; i < 512; i++) ((char **)end)[i] = text;
    FAILS(execve("/proc/self/exe", (char **)end, none), EFAULT);
    free(text), free(array);
}

// Counts that nothing in the program can have.
static void counts(void) {
    static struct iovec vector[2000];
    static struct mmsghdr messages[2000];
    char byte[2000];
    int pair[2];
    CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0);
    for (int i = 0; i < 2000; i++) {
        vector[i] = (struct iovec){&byte[i], 1};
        messages[i].msg_hdr = (struct msghdr){.msg_iov = &vector[i], .msg_iovlen = 1};
    }
    FAILS(writev(pair[0], vector, 1025), EINVAL);
    FAILS(syscall(SYS_writev, pair[0], vector, -1L), EINVAL);
    FAILS(process_vm_readv(getpid(), vector, 1025, vector, 1, 0), EINVAL);
    FAILS(process_vm_readv(getpid(), vector, 1, vector, 1025, 0), EINVAL);
    struct msghdr message = {.msg_iov = vector, .msg_iovlen = 1025};
    FAILS(sendmsg(pair[0], &message, 0), EMSGSIZE);
    message.msg_iovlen = SIZE_MAX / 16;
    FAILS(recvmsg(pair[1], &message, MSG_DONTWAIT), EMSGSIZE);
    message.msg_iovlen = 1, message.msg_control = byte, message.msg_controllen = SIZE_MAX / 2;
    FAILS(sendmsg(pair[0], &message, 0), ENOBUFS);
    int sent = sendmmsg(pair[0], messages, 2000, MSG_DONTWAIT);
    CHECK(sent > 0 && sent <= 1024);
    int epoll = epoll_create1(0);
    FAILS(syscall(SYS_epoll_pwait, epoll, byte, -1, 0, NULL, 8), EINVAL);
    FAILS(syscall(SYS_epoll_pwait, epoll, byte, INT32_MAX, 0, NULL, 8), EINVAL);
    FAILS(syscall(SYS_ppoll, byte, 0x7fffffff, NULL, NULL, 8), EINVAL);
    FAILS(syscall(SYS_setgroups, INT32_MAX, byte), EINVAL);
    FAILS(syscall(SYS_setgroups, -1, byte), EINVAL);
    FAILS(syscall(SYS_getgroups, -1, byte), EINVAL);
    FAILS(syscall(SYS_semtimedop, 0, byte, 100000, NULL), E2BIG);
    FAILS(syscall(SYS_semtimedop, 0, byte, 0, NULL), EINVAL);
    if (!under_qemu()) {
        FAILS(syscall(449, byte, 129, 0, NULL, CLOCK_MONOTONIC), EINVAL); // futex_waitv
        FAILS(syscall(449, byte, UINT32_MAX, 0, NULL, CLOCK_MONOTONIC), EINVAL);
    }
    struct { unsigned short len; void *filter; } program = {0, byte};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    FAILS(prctl(PR_SET_SECCOMP, 2, &program), EINVAL);
    program.len = 4097;
    FAILS(prctl(PR_SET_SECCOMP, 2, &program), EINVAL);
    FAILS(setsockopt(pair[0], SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program), EINVAL);
    close(pair[0]), close(pair[1]), close(epoll);
}

static sigjmp_buf back;
static volatile int told;
static void *volatile where;
static void tell(int s, siginfo_t *i, void *u) {
    (void)u;
    told = s * 100 + i->si_code, where = i->si_addr;
    siglongjmp(back, 1);
}
// What reading, writing and an atomic operation give: 0, or signal and code with the right address.
static int reads(char *p) {
    told = 0;
    if (!sigsetjmp(back, 1)) (void)*(volatile char *)p;
    return told == 0 || where == p ? told : -1;
}
static int writes(char *p) {
    told = 0;
    if (!sigsetjmp(back, 1)) *(volatile char *)p = 1;
    return told == 0 || where == p ? told : -1;
}
static int adds(char *p) {
    told = 0;
    if (!sigsetjmp(back, 1)) __atomic_fetch_add((int *)p, 1, __ATOMIC_SEQ_CST);
    return told == 0 || where == p ? told : -1;
}
static int floats(char *p) {
    told = 0;
    if (!sigsetjmp(back, 1)) *(volatile double *)p = *(volatile double *)p + 1;
    return told == 0 || where == p ? told : -1;
}
enum { BEHIND = SIGBUS * 100 + BUS_ADRERR, PAGE = 4096 };
static int all(char *p, int wanted) {
    return reads(p) == wanted && writes(p) == wanted && adds(p) == wanted && floats(p) == wanted && reads(p) == wanted;
}
static void behind_the_end(void) {
    struct sigaction a = {.sa_sigaction = tell, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &a, NULL), sigaction(SIGBUS, &a, NULL);
    int rw = PROT_READ | PROT_WRITE;
    // A file that is too short, one that grows, and one that becomes shorter under a mapping.
    int fd = memfd_create("short", 0);
    CHECK(write(fd, "hello", 5) == 5);
    char *p = mmap(NULL, 4 * PAGE, rw, MAP_SHARED, fd, 0);
    CHECK(all(p, 0) && all(p + PAGE, BEHIND) && all(p + 3 * PAGE, BEHIND));
    CHECK(ftruncate(fd, 2 * PAGE) == 0 && all(p + PAGE, 0) && all(p + 2 * PAGE, BEHIND));
    CHECK(ftruncate(fd, 0) == 0 && all(p, BEHIND) && all(p + PAGE, BEHIND));
    char *private = mmap(NULL, 4 * PAGE, rw, MAP_PRIVATE, fd, 0);
    CHECK(all(private + PAGE, BEHIND));
    CHECK(ftruncate(fd, PAGE) == 0 && all(private, 0) && all(private + PAGE, BEHIND));
    // The kernel itself meets it.
    FAILS(write(fd, p + PAGE, 1), EFAULT);
    FAILS(pread(fd, p + PAGE, 1, 0), EFAULT);
    // What may not be done is found before what is not there.
    CHECK(mprotect(p + PAGE, PAGE, PROT_READ) == 0 && reads(p + PAGE) == BEHIND && writes(p + PAGE) == SIGSEGV * 100 + SEGV_ACCERR);
    // Page by page: an access over the end names the page behind it.
    told = 0;
    if (!sigsetjmp(back, 1)) memcpy(p, private + PAGE - 4, 8);
    CHECK(told == BEHIND && where >= (void *)(private + PAGE - 4) && where <= (void *)(private + PAGE));
    munmap(p, 4 * PAGE), munmap(private, 4 * PAGE), close(fd);
    // Shared memory without a file that has been grown: the object has kept its size.
    p = mmap(NULL, 2 * PAGE, rw, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    p[0] = 1;
    p = mremap(p, 2 * PAGE, 4 * PAGE, MREMAP_MAYMOVE);
    CHECK(p != MAP_FAILED && all(p, 0) && all(p + PAGE, 0) && all(p + 2 * PAGE, BEHIND) && all(p + 3 * PAGE, BEHIND));
    munmap(p, 4 * PAGE);
    int id = shmget(IPC_PRIVATE, PAGE, 0600);
    p = shmat(id, NULL, 0);
    shmctl(id, IPC_RMID, NULL);
    CHECK(p != (void *)-1 && all(p, 0));
    p = mremap(p, PAGE, 2 * PAGE, MREMAP_MAYMOVE);
    CHECK(p == MAP_FAILED || (all(p, 0) && all(p + PAGE, BEHIND)));
    if (p != MAP_FAILED) munmap(p, 2 * PAGE);
    // Without a handler it is a death.
    for (int how = 0; how < 2; how++) {
        pid_t child = fork();
        if (child == 0) {
            struct rlimit none = {0, 0};
            setrlimit(RLIMIT_CORE, &none);
            sigset_t set;
            sigemptyset(&set), sigaddset(&set, SIGBUS);
            if (how) sigprocmask(SIG_BLOCK, &set, NULL); else signal(SIGBUS, SIG_IGN);
            fd = memfd_create("empty", 0);
            *(volatile char *)mmap(NULL, PAGE, rw, MAP_SHARED, fd, 0) = 1;
            _exit(1);
        }
        int status;
        CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
    }
}

static int tell_file(const char *path, const char *text) {
    int fd = open(path, O_WRONLY);
    int ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    close(fd);
    return ok;
}
// Shared pages of a file system that is full: pages that it has can be used, others not.
static void full(void) {
    pid_t child = fork();
    if (child == 0) {
        char user[64], group[64];
        snprintf(user, sizeof user, "0 %d 1", getuid()), snprintf(group, sizeof group, "0 %d 1", getgid());
        if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0 || mkdir("full", 0700) != 0) _exit(77);
        CHECK(tell_file("/proc/self/setgroups", "deny") && tell_file("/proc/self/uid_map", user) && tell_file("/proc/self/gid_map", group));
        if (mount("none", "full", "tmpfs", 0, "size=64k") != 0) _exit(77);
        int fd = open("full/file", O_RDWR | O_CREAT, 0600);
        CHECK(ftruncate(fd, 64 * PAGE) == 0);
        char *p = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        int had = 0;
        while (had < 64 && writes(p + had * PAGE) == 0) had++;
        CHECK(had > 0 && had < 64 && told == BEHIND && writes(p + had * PAGE) == BEHIND && adds(p + had * PAGE) == BEHIND);
        CHECK(all(p, 0) && all(p + (had - 1) * PAGE, 0));
        CHECK(ftruncate(fd, PAGE) == 0 && ftruncate(fd, 64 * PAGE) == 0 && writes(p + had * PAGE) == 0);
        _exit(failures != 0);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 77));
    rmdir("full");
}

// Pages that come and go while others use them: each access is one or the other, and there is an end.
static char *shifting;
static volatile int over;
static void *shift(void *fd) {
    for (int i = 0; i < 3000; i++) {
        (void)!ftruncate((int)(long)fd, i & 1 ? PAGE : 0);
        mprotect(shifting, PAGE, i & 2 ? PROT_READ : PROT_READ | PROT_WRITE);
    }
    over = 1;
    return NULL;
}
static void come_and_go(void) {
    int fd = memfd_create("shifting", 0), other = 0;
    shifting = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, shift, (void *)(long)fd) == 0);
    while (!over) {
        int r = reads(shifting), w = writes(shifting);
        other += (r != 0 && r != BEHIND) + (w != 0 && w != BEHIND && w != SIGSEGV * 100 + SEGV_ACCERR);
    }
    pthread_join(thread, NULL);
    CHECK(other == 0);
    close(fd);
}

int main(void) {
    robust_lists();
    arguments();
    counts();
    behind_the_end();
    full();
    come_and_go();
    return finish();
}
