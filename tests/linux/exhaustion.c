// What gives out: processes, threads, room on a file system, nested calls of handlers.
#define _GNU_SOURCE
#include "check.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

// Ends with 0 if the checks that `run` makes in a process of its own hold.
static int alone(void (*run)(void)) {
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        int before = failures;
        run();
        _exit(failures != before);
    }
    int status = -1;
    return waitpid(child, &status, 0) == child && status == 0;
}

enum { MOST = 24 };

static void *wait_for_ever(void *unused) {
    for (;;) pause();
    return unused;
}

// A user that has no processes but this one and what it starts.
static int as_nobody_else(void) {
    return geteuid() == 0 && setresgid(54321, 54321, 54321) == 0 && setresuid(54321, 54321, 54321) == 0;
}

// A fork bomb ends at the limit, and its user's programs go on.
static void processes(void) {
    int alone_here = as_nobody_else();
    CHECK(setrlimit(RLIMIT_NPROC, &(struct rlimit){alone_here ? MOST : 0, MOST}) == 0);
    // The limit does not hold for root, also in a user namespace where that can be nobody else.
    pid_t probe = alone_here ? -1 : fork();
    if (probe == 0) _exit(0);
    if (probe > 0) {
        waitpid(probe, NULL, 0);
        return;
    }
    pid_t all[MOST + 1];
    int made = 0;
    while (made <= MOST) {
        pid_t child = fork();
        if (child == 0) {
            // Those that come later than the limit fail in each of them.
            while (fork() == 0) {}
            for (;;) pause();
        }
        if (child < 0) break;
        all[made++] = child;
    }
    CHECK(made < MOST && (!alone_here || made > 0));
    FAILS(fork(), EAGAIN);
    FAILS(vfork(), EAGAIN);
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, wait_for_ever, NULL) == EAGAIN);
    CHECK(access("/", F_OK) == 0 && malloc(1 << 20) != NULL);
    if (!alone_here) return;
    signal(SIGTERM, SIG_IGN);
    CHECK(kill(-1, SIGTERM) == 0 || errno == ESRCH);
    for (int i = 0; i < made; i++) CHECK(waitpid(all[i], NULL, 0) == all[i]);
    pid_t child = fork();
    if (child == 0) _exit(7);
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 7);
}

static void threads(void) {
    if (!as_nobody_else()) return;
    CHECK(setrlimit(RLIMIT_NPROC, &(struct rlimit){MOST, MOST}) == 0);
    int made = 0, error = 0;
    pthread_t thread;
    while (made <= MOST && (error = pthread_create(&thread, NULL, wait_for_ever, NULL)) == 0) made++;
    CHECK(error == EAGAIN && made > 0 && made < MOST);
}

static sigjmp_buf back;
static volatile int code_of_fault;
static void jump(int sig, siginfo_t *info, void *context) {
    (void)sig, (void)context;
    code_of_fault = info->si_code;
    siglongjmp(back, 1);
}

static int tell(const char *file, const char *what) {
    int fd = open(file, O_WRONLY);
    int ok = write(fd, what, strlen(what)) == (ssize_t)strlen(what);
    close(fd);
    return ok;
}

// A file system of sixteen pages and few files, in a name space of our own if we may have one.
static void full_disk(void) {
    char user[64], group[64];
    snprintf(user, sizeof user, "%d %d 1", getuid(), getuid());
    snprintf(group, sizeof group, "%d %d 1", getgid(), getgid());
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return;
    CHECK(tell("/proc/self/setgroups", "deny") && tell("/proc/self/uid_map", user) && tell("/proc/self/gid_map", group));
    int fd;
    CHECK(mkdir("disk", 0777) == 0);
    if (mount("tmpfs", "disk", "tmpfs", 0, "size=64k,nr_inodes=8") != 0) return;
    static char page[4096] = {1};
    fd = open("disk/file", O_CREAT | O_RDWR, 0644);
    long written = 0, got;
    while ((got = write(fd, page, sizeof page)) > 0) written += got;
    CHECK(got == -1 && errno == ENOSPC && written > 0 && written <= 65536);
    CHECK(lseek(fd, 0, SEEK_CUR) == written);
    FAILS(fallocate(fd, 0, 0, 1 << 20), ENOSPC);
    FAILS(pwrite(fd, page, 1, written), ENOSPC);
    CHECK(pwrite(fd, page, 10, 100) == 10);
    // A store for which there is no page is a fault.
    CHECK(ftruncate(fd, written + 4096) == 0);
    volatile char *p = mmap(NULL, written + 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    struct sigaction action = {.sa_sigaction = jump, .sa_flags = SA_SIGINFO};
    CHECK(p != MAP_FAILED && p[100] == 1 && sigaction(SIGBUS, &action, NULL) == 0);
    if (sigsetjmp(back, 1) == 0) {
        p[written] = 1;
        CHECK(0);
    }
    CHECK(code_of_fault == BUS_ADRERR);
    FAILS(read(open("/dev/zero", O_RDONLY), (char *)p + written, 1), EFAULT);
    int made = 0;
    char name[32];
    do snprintf(name, sizeof name, "disk/%d", made);
    while (made < 10 && mkdir(name, 0755) == 0 && ++made);
    CHECK(made < 10 && errno == ENOSPC);
    FAILS(symlink("x", "disk/link"), ENOSPC);
    FAILS(mkfifo("disk/fifo", 0644), ENOSPC);
    CHECK(ftruncate(fd, 0) == 0 && write(fd, page, 1) == 1);
}

static void deeper(int sig) {
    volatile char room[4096] = {0};
    room[sig] = 1;
    raise(SIGUSR1);
    room[0] = room[sig];
}

// Handlers that interrupt themselves until the stack is full die of it, as by any other recursion.
static void nested(void) {
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    struct sigaction action = {.sa_handler = deeper, .sa_flags = SA_NODEFER};
    sigaction(SIGUSR1, &action, NULL);
    raise(SIGUSR1);
}

int main(void) {
    CHECK(alone(processes));
    CHECK(alone(threads));
    CHECK(alone(full_disk));
    pid_t child = fork();
    if (child == 0) {
        nested();
        _exit(0);
    }
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    return finish();
}
