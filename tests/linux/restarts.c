// Calls that a handler interrupts: which are made again if the action has SA_RESTART, which never
// are (signal(7)), and how much of a timeout is left.
#define _GNU_SOURCE
#include "check.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <mqueue.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const struct timespec second = {1, 0};
static int ends[2], full[2], sockets[2], timed[2], listener, events, watch, poller, queue, messages, semaphore;
static struct sockaddr_un address = {AF_UNIX, "socket"};
static volatile uint32_t *word;
static volatile int *signals; // How many were handled, for all processes to see.
static pid_t child, sleeper;

static void on_signal(int sig) {
    (void)sig;
    ++*signals;
}

static void sleep_ms(long ms) {
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &t, &t) == EINTR) {}
}

static long elapsed_ms(const struct timespec *since) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (now.tv_sec - since->tv_sec) * 1000 + (now.tv_nsec - since->tv_nsec) / 1000000;
}

// What ends a wait, in another process.
static void write_pipe(void) { (void)!write(ends[1], "x", 1); }
static void drain_pipe(void) { char all[65536]; (void)!read(full[0], all, sizeof all); }
static void send_byte(void) { (void)!send(sockets[1], "x", 1, 0); (void)!send(timed[1], "x", 1, 0); }
static void connect_one(void) {
    int s = socket(AF_UNIX, SOCK_STREAM, 0);
    connect(s, (void *)&address, sizeof address);
    sleep_ms(50);
}
static void count_event(void) { (void)!write(events, &(uint64_t){1}, 8); }
static void make_file(void) { close(open("watched/file", O_CREAT | O_WRONLY, 0600)); unlink("watched/file"); }
static void send_message(void) { struct { long t; char m; } m = {1, 1}; msgsnd(queue, &m, 1, 0); }
static void add_one(void) { semop(semaphore, &(struct sembuf){0, 1, 0}, 1); }
static void wake(void) { *word = 1; syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX); }
static void queue_message(void) { mq_send(messages, "x", 1, 0); }
static void end_child(void) { kill(sleeper, SIGKILL); }
static void let_go(void) {} // A lock of the process that signals goes with it.
static void open_end(void) { close(open("fifo", O_WRONLY | O_NONBLOCK)); }

// The waits. They answer as system calls do.
static char byte[64];
static long w_read(void) { return read(ends[0], byte, 1); }
static long w_readv(void) { struct iovec v = {byte, 1}; return readv(ends[0], &v, 1); }
static long w_write(void) { return write(full[1], byte, 1); }
static long w_recv(void) { return recv(sockets[0], byte, 1, 0); }
static long w_recvmsg(void) { struct iovec v = {byte, 1}; struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1}; return recvmsg(sockets[0], &m, 0); }
static long w_recvmmsg(void) {
    struct iovec v = {byte, 1};
    struct mmsghdr m = {.msg_hdr = {.msg_iov = &v, .msg_iovlen = 1}};
    return recvmmsg(sockets[0], &m, 1, 0, NULL);
}
static long w_recv_timeout(void) { return recv(timed[0], byte, 1, 0); }
static long w_accept(void) { int s = accept(listener, NULL, NULL); if (s >= 0) close(s); return s; }
static long w_eventfd(void) { uint64_t n; return read(events, &n, 8); }
static long w_inotify(void) { char all[4096]; return read(watch, all, sizeof all); }
static long w_poll(void) { struct pollfd p = {ends[0], POLLIN, 0}; return poll(&p, 1, 1000); }
static long w_ppoll(void) { struct pollfd p = {ends[0], POLLIN, 0}; return ppoll(&p, 1, NULL, NULL); }
static long w_select(void) { fd_set s; FD_ZERO(&s); FD_SET(ends[0], &s); return select(ends[0] + 1, &s, NULL, NULL, NULL); }
static long w_epoll(void) { struct epoll_event e; return epoll_wait(poller, &e, 1, -1); }
static long w_epoll_pwait2(void) { struct epoll_event e; return syscall(441, poller, &e, 1, &second, NULL, 0); }
static long w_msgrcv(void) { struct { long t; char m; } m; return msgrcv(queue, &m, 1, 0, 0); }
static long w_semop(void) { return semop(semaphore, &(struct sembuf){0, -1, 0}, 1); }
static long w_semtimedop(void) { return semtimedop(semaphore, &(struct sembuf){0, -1, 0}, 1, &second); }
static long w_futex(void) { return syscall(SYS_futex, word, FUTEX_WAIT, 0, NULL); }
static long w_futex_bitset(void) { return syscall(SYS_futex, word, FUTEX_WAIT_BITSET, 0, NULL, NULL, 1); }
static long w_futex_timeout(void) { return syscall(SYS_futex, word, FUTEX_WAIT, 0, &second); }
static long w_futex_waitv(void) { uint64_t v[3] = {0, (uintptr_t)word, 2}; return syscall(449, v, 1, 0, NULL, CLOCK_MONOTONIC); }
static long w_mq(void) { return mq_receive(messages, byte, sizeof byte, NULL); }
static long w_mq_timeout(void) {
    struct timespec end;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec++;
    return mq_timedreceive(messages, byte, sizeof byte, NULL, &end);
}
static long w_wait4(void) { int st; return waitpid(sleeper, &st, 0); }
static long w_waitid(void) { siginfo_t info; return waitid(P_PID, sleeper, &info, WEXITED); }
static long w_flock(void) { int fd = open("locked", O_RDWR); long rc = flock(fd, LOCK_EX); int e = errno; close(fd); errno = e; return rc; }
static long w_setlkw(void) {
    int fd = open("locked", O_RDWR);
    long rc = fcntl(fd, F_SETLKW, &(struct flock){.l_type = F_WRLCK});
    int e = errno;
    close(fd);
    errno = e;
    return rc;
}
static long w_open(void) { int fd = open("fifo", O_RDONLY); if (fd >= 0) close(fd); return fd; }
static long w_nanosleep(void) { return nanosleep(&second, NULL); }
static long w_until(void) {
    struct timespec end;
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec++;
    errno = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL);
    return errno ? -1 : 0;
}
static long w_sigtimedwait(void) { sigset_t s; sigemptyset(&s); sigaddset(&s, SIGUSR2); return sigtimedwait(&s, NULL, &second); }
static long w_pause(void) { return pause(); }

enum { NEVER, FLAG };
static const struct {
    const char *name;
    long (*wait)(void);
    void (*end)(void);
    int restarts;
} waits[] = {
    {"read", w_read, write_pipe, FLAG},
    {"readv", w_readv, write_pipe, FLAG},
    {"write", w_write, drain_pipe, FLAG},
    {"recv", w_recv, send_byte, FLAG},
    {"recvmsg", w_recvmsg, send_byte, FLAG},
    {"recvmmsg", w_recvmmsg, send_byte, FLAG},
    {"recv with a timeout", w_recv_timeout, send_byte, NEVER},
    {"accept", w_accept, connect_one, FLAG},
    {"read of an eventfd", w_eventfd, count_event, FLAG},
    {"read of inotify", w_inotify, make_file, FLAG},
    {"poll", w_poll, write_pipe, NEVER},
    {"ppoll", w_ppoll, write_pipe, NEVER},
    {"select", w_select, write_pipe, NEVER},
    {"epoll_wait", w_epoll, write_pipe, NEVER},
    {"epoll_pwait2", w_epoll_pwait2, write_pipe, NEVER},
    {"msgrcv", w_msgrcv, send_message, NEVER},
    {"semop", w_semop, add_one, NEVER},
    {"semtimedop", w_semtimedop, add_one, NEVER},
    {"futex", w_futex, wake, FLAG},
    {"futex by bits", w_futex_bitset, wake, FLAG},
    {"futex with a timeout", w_futex_timeout, wake, NEVER},
    {"futex_waitv", w_futex_waitv, wake, FLAG},
    {"mq_receive", w_mq, queue_message, FLAG},
    {"mq_timedreceive", w_mq_timeout, queue_message, FLAG},
    {"wait4", w_wait4, end_child, FLAG},
    {"waitid", w_waitid, end_child, FLAG},
    {"flock", w_flock, let_go, FLAG},
    {"fcntl", w_setlkw, let_go, FLAG},
    {"open of a pipe", w_open, open_end, FLAG},
    {"nanosleep", w_nanosleep, let_go, NEVER},
    {"clock_nanosleep until", w_until, let_go, NEVER},
    {"sigtimedwait", w_sigtimedwait, let_go, NEVER},
    {"pause", w_pause, let_go, NEVER},
};

// Waits until a process is in a call that waits.
static void asleep(pid_t pid) {
    char path[64], line[512];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    for (int seen = 0; seen < 2; sleep_ms(1)) {
        int fd = open(path, O_RDONLY);
        ssize_t n = read(fd, line, sizeof line - 1);
        close(fd);
        line[n < 0 ? 0 : n] = 0;
        char *state = strrchr(line, ')');
        seen = state && state[1] && state[2] == 'S' ? seen + 1 : 0;
    }
}

// In another process: signals, and then what is waited for.
static void disturb(pid_t waiter, void (*end)(void), int wanted) {
    int fd = open("locked", O_RDWR);
    flock(fd, LOCK_EX);
    fcntl(fd, F_SETLK, &(struct flock){.l_type = F_WRLCK});
    write_pipe();
    int left = 1;
    while (left && ioctl(ends[0], FIONREAD, &left) == 0) sleep_ms(1);
    for (int i = 0; i < wanted; i++) {
        asleep(waiter);
        kill(waiter, SIGUSR1);
        while (*signals <= i) sleep_ms(1);
    }
    // If it is not interrupted now, it waits.
    if (wanted > 1) asleep(waiter);
    end();
    _exit(0);
}

static void try(int i, int flags) {
    char what[128];
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = flags};
    sigaction(SIGUSR1, &action, NULL);
    *signals = *word = 0;
    drain_pipe();
    while (write(full[1], byte, 1) == 1) {}
    fcntl(full[1], F_SETFL, 0);
    if ((sleeper = fork()) == 0) for (;;) pause();
    int again = waits[i].restarts == FLAG && flags == SA_RESTART;
    if ((child = fork()) == 0) disturb(getppid(), waits[i].end, again ? 2 : 1);
    CHECK(read(ends[0], byte, 1) == 1);
    errno = 0;
    long rc = waits[i].wait();
    int error = errno;
    snprintf(what, sizeof what, "%s with flags %x: %ld, errno %d, %d signals", waits[i].name, flags, rc, error, *signals);
    check(again ? rc >= 0 && *signals == 2 : rc == -1 && error == EINTR && *signals == 1, what, __LINE__);
    int status;
    while (waitpid(child, &status, 0) == -1 && errno == EINTR) {}
    kill(sleeper, SIGKILL);
    waitpid(sleeper, &status, 0);
    // What came too late.
    fcntl(full[1], F_SETFL, O_NONBLOCK);
    for (int *fd = (int[]){ends[0], sockets[0], timed[0], events, watch, listener, -1}; *fd >= 0; fd++) {
        fcntl(*fd, F_SETFL, O_NONBLOCK);
        char rest[4096];
        while (read(*fd, rest, sizeof rest) > 0) {}
        if (*fd == listener) close(accept(listener, NULL, NULL));
        fcntl(*fd, F_SETFL, 0);
    }
    struct { long t; char m; } m;
    msgrcv(queue, &m, 1, 0, IPC_NOWAIT);
    semctl(semaphore, 0, SETVAL, 0);
    mq_timedreceive(messages, byte, sizeof byte, NULL, &(struct timespec){0, 0});
}

// How much is left of a time when a handler comes.
static void remaining(void) {
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigaction(SIGUSR1, &action, NULL);
    struct timespec since, rest = {9, 9};
    *signals = 0;
    if ((child = fork()) == 0) disturb(getppid(), let_go, 1);
    CHECK(read(ends[0], byte, 1) == 1);
    clock_gettime(CLOCK_MONOTONIC, &since);
    FAILS(nanosleep(&second, &rest), EINTR);
    long left = rest.tv_sec * 1000 + rest.tv_nsec / 1000000, done = elapsed_ms(&since);
    CHECK(left + done >= 990 && left + done <= 1500 && rest.tv_sec == 0);
    waitpid(child, NULL, 0);
    // The system call itself writes what is left, not the C library's function.
    *signals = 0;
    if ((child = fork()) == 0) disturb(getppid(), let_go, 1);
    CHECK(read(ends[0], byte, 1) == 1);
    struct pollfd p = {ends[0], POLLIN, 0};
    struct timespec time = second;
    clock_gettime(CLOCK_MONOTONIC, &since);
    FAILS(syscall(SYS_ppoll, &p, 1, &time, NULL, 8), EINTR);
    left = time.tv_sec * 1000 + time.tv_nsec / 1000000, done = elapsed_ms(&since);
    CHECK(left + done >= 990 && left + done <= 1500 && time.tv_sec == 0);
    waitpid(child, NULL, 0);
    // What is stopped and continued, or ignores a signal, sleeps as long as it was told.
    clock_gettime(CLOCK_MONOTONIC, &since);
    signal(SIGUSR2, SIG_IGN);
    if ((child = fork()) == 0) {
        for (int i = 0; i < 3; i++) {
            sleep_ms(10);
            kill(getppid(), SIGUSR2);
        }
        _exit(0);
    }
    time = (struct timespec){0, 100000000};
    CHECK(nanosleep(&time, NULL) == 0 && elapsed_ms(&since) >= 99);
    waitpid(child, NULL, 0);
    clock_gettime(CLOCK_MONOTONIC, &since);
    FAILS(syscall(SYS_futex, word, FUTEX_WAIT, 0, &time), ETIMEDOUT);
    CHECK(elapsed_ms(&since) >= 99);
}

int main(void) {
    mkdir("watched", 0700);
    mkfifo("fifo", 0600);
    close(open("locked", O_CREAT | O_RDWR, 0600));
    word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    signals = (int *)word + 16;
    CHECK(pipe(ends) == 0 && pipe2(full, O_NONBLOCK) == 0 && fcntl(full[1], F_SETPIPE_SZ, 4096) > 0);
    CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, sockets) == 0 && socketpair(AF_UNIX, SOCK_DGRAM, 0, timed) == 0);
    CHECK(setsockopt(timed[0], SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){1, 0}, sizeof(struct timeval)) == 0);
    listener = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK(bind(listener, (void *)&address, sizeof address) == 0 && listen(listener, 5) == 0);
    events = eventfd(0, 0);
    watch = inotify_init();
    CHECK(inotify_add_watch(watch, "watched", IN_CREATE) > 0);
    poller = epoll_create1(0);
    CHECK(epoll_ctl(poller, EPOLL_CTL_ADD, ends[0], &(struct epoll_event){.events = EPOLLIN}) == 0);
    queue = msgget(IPC_PRIVATE, 0600);
    semaphore = semget(IPC_PRIVATE, 1, 0600);
    char name[64];
    snprintf(name, sizeof name, "/restarts-%d", getpid());
    messages = mq_open(name, O_CREAT | O_RDWR, 0600, &(struct mq_attr){.mq_maxmsg = 4, .mq_msgsize = sizeof byte});
    CHECK(messages >= 0 && mq_unlink(name) == 0);
    for (unsigned i = 0; i < sizeof waits / sizeof *waits; i++) {
        try(i, 0);
        try(i, SA_RESTART);
    }
    remaining();
    CHECK(msgctl(queue, IPC_RMID, NULL) == 0 && semctl(semaphore, 0, IPC_RMID) == 0);
    return finish();
}
