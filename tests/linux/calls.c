// System calls whose arguments hold addresses, and others that a translator must look into.
#define _GNU_SOURCE
#include "check.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/fs.h>
#include <linux/kcmp.h>
#include <mqueue.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <linux/capability.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BAD ((void *)-1)

static void aio(void) {
    aio_context_t ctx = 0;
    CHECK(syscall(SYS_io_setup, 16, &ctx) == 0 && ctx != 0);
    FAILS(syscall(SYS_io_setup, 16, &ctx), EINVAL);
    FAILS(syscall(SYS_io_setup, 16, BAD), EFAULT);
    aio_context_t zero = 0;
    FAILS(syscall(SYS_io_setup, 0, &zero), EINVAL);
    // The library reads where the context's name points to.
    CHECK(*(volatile unsigned *)(uintptr_t)ctx + 1 != 0);
    int fd = open("aio", O_RDWR | O_CREAT | O_TRUNC, 0644), efd = eventfd(0, 0);
    char text[8] = "content", back[8] = "";
    struct iocb write_cb = {.aio_data = 1, .aio_lio_opcode = IOCB_CMD_PWRITE, .aio_fildes = fd, .aio_buf = (uintptr_t)text, .aio_nbytes = 8, .aio_offset = 4, .aio_flags = IOCB_FLAG_RESFD, .aio_resfd = efd};
    struct iocb *list[2] = {&write_cb};
    CHECK(syscall(SYS_io_submit, ctx, 1, list) == 1);
    struct io_event events[4];
    CHECK(syscall(SYS_io_getevents, ctx, 1, 4, events, NULL) == 1);
    CHECK(events[0].data == 1 && events[0].obj == (uintptr_t)&write_cb && events[0].res == 8);
    uint64_t n = 0;
    CHECK(read(efd, &n, 8) == 8 && n == 1);
    struct iovec v[2] = {{back, 3}, {back + 3, 5}};
    struct iocb readv_cb = {.aio_data = 2, .aio_lio_opcode = IOCB_CMD_PREADV, .aio_fildes = fd, .aio_buf = (uintptr_t)v, .aio_nbytes = 2, .aio_offset = 4};
    struct iocb sync_cb = {.aio_data = 3, .aio_lio_opcode = IOCB_CMD_FSYNC, .aio_fildes = fd};
    list[0] = &readv_cb, list[1] = &sync_cb;
    CHECK(syscall(SYS_io_submit, ctx, 2, list) == 2);
    struct timespec t = {5, 0};
    CHECK(syscall(SYS_io_getevents, ctx, 2, 4, events, &t) == 2 && !strcmp(back, "content"));
    CHECK(events[0].data + events[1].data == 5);
    // Polling, and cancelling it.
    int ends[2];
    CHECK(pipe(ends) == 0);
    struct iocb poll_cb = {.aio_data = 4, .aio_lio_opcode = IOCB_CMD_POLL, .aio_fildes = ends[0], .aio_buf = POLLIN};
    list[0] = &poll_cb;
    CHECK(syscall(SYS_io_submit, ctx, 1, list) == 1);
    t.tv_sec = 0;
    CHECK(syscall(SYS_io_getevents, ctx, 1, 4, events, &t) == 0);
    CHECK(write(ends[1], "x", 1) == 1);
    CHECK(syscall(SYS_io_getevents, ctx, 1, 4, events, NULL) == 1 && events[0].obj == (uintptr_t)&poll_cb && (events[0].res & POLLIN));
    CHECK(read(ends[0], text, 1) == 1 && syscall(SYS_io_submit, ctx, 1, list) == 1);
    long cancelled = syscall(SYS_io_cancel, ctx, &poll_cb, events);
    CHECK(cancelled == -1 && errno == EINPROGRESS);
    sigset_t set;
    sigemptyset(&set);
    struct { const sigset_t *set; size_t size; } sig = {&set, 8};
    CHECK(syscall(SYS_io_pgetevents, ctx, 1, 4, events, NULL, &sig) == 1 && events[0].data == 4);
    FAILS(syscall(SYS_io_cancel, ctx, &poll_cb, events), EINVAL);
    FAILS(syscall(SYS_io_cancel, ctx, NULL, events), EFAULT);
    // Errors.
    struct iocb bad = {.aio_lio_opcode = IOCB_CMD_PREAD, .aio_fildes = -1};
    list[0] = &bad;
    FAILS(syscall(SYS_io_submit, ctx, 1, list), EBADF);
    bad.aio_fildes = fd, bad.aio_lio_opcode = 99;
    FAILS(syscall(SYS_io_submit, ctx, 1, list), EINVAL);
    FAILS(syscall(SYS_io_submit, ctx, -1, list), EINVAL);
    FAILS(syscall(SYS_io_submit, ctx, 1, BAD), EFAULT);
    list[0] = NULL;
    FAILS(syscall(SYS_io_submit, ctx, 1, list), EFAULT);
    FAILS(syscall(SYS_io_submit, 0L, 1, list), EINVAL);
    CHECK(syscall(SYS_io_submit, ctx, 0, list) == 0);
    list[0] = &sync_cb, list[1] = BAD;
    CHECK(syscall(SYS_io_submit, ctx, 2, list) == 1);
    CHECK(syscall(SYS_io_getevents, ctx, 1, 4, events, NULL) == 1);
    FAILS(syscall(SYS_io_getevents, ctx, 2, 1, events, NULL), EINVAL);
    FAILS(syscall(SYS_io_getevents, ctx, -1, 1, events, NULL), EINVAL);
    FAILS(syscall(SYS_io_getevents, 0L, 0, 1, events, NULL), EINVAL);
    // A child has no contexts.
    pid_t pid = fork();
    if (pid == 0) _exit(syscall(SYS_io_destroy, ctx) == -1 && errno == EINVAL ? 0 : 1);
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    CHECK(syscall(SYS_io_destroy, ctx) == 0);
    FAILS(syscall(SYS_io_destroy, ctx), EINVAL);
    close(fd), close(efd), close(ends[0]), close(ends[1]);
}

static volatile int notified;
static void on_message(int sig, siginfo_t *info, void *uc) {
    notified = info->si_code == SI_MESGQ ? info->si_value.sival_int : -1;
}

static void *volatile thread_value;
static void thread_notified(union sigval v) { thread_value = v.sival_ptr; }

static void queues(void) {
    char name[40], text[64] = "";
    snprintf(name, sizeof name, "/rvnative-test-%d", getpid());
    struct mq_attr attr = {.mq_maxmsg = 4, .mq_msgsize = 64};
    mqd_t q = mq_open(name, O_RDWR | O_CREAT | O_EXCL | O_NONBLOCK, 0600, &attr);
    if (q == (mqd_t)-1 && (errno == ENOSYS || errno == EACCES)) return;
    CHECK(q != (mqd_t)-1);
    struct sigaction a = {.sa_sigaction = on_message, .sa_flags = SA_SIGINFO};
    sigaction(SIGUSR1, &a, NULL);
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 42};
    CHECK(mq_notify(q, &event) == 0);
    FAILS(mq_notify(q, &event), EBUSY);
    CHECK(mq_send(q, "hello", 5, 3) == 0 && notified == 42);
    unsigned prio = 0;
    CHECK(mq_receive(q, text, sizeof text, &prio) == 5 && prio == 3 && !memcmp(text, "hello", 5));
    FAILS(mq_receive(q, text, sizeof text, NULL), EAGAIN);
    FAILS(mq_receive(q, text, 10, NULL), EMSGSIZE);
    event = (struct sigevent){.sigev_notify = SIGEV_THREAD, .sigev_notify_function = thread_notified, .sigev_value.sival_ptr = (void *)&notified};
    CHECK(mq_notify(q, &event) == 0);
    CHECK(mq_send(q, "x", 1, 0) == 0);
    for (int i = 0; i < 1000 && !thread_value; i++) usleep(10000);
    CHECK(thread_value == &notified);
    struct mq_attr now;
    CHECK(mq_getattr(q, &now) == 0 && now.mq_curmsgs == 1 && now.mq_maxmsg == 4);
    struct timespec t = {0, 0};
    CHECK(mq_receive(q, text, sizeof text, NULL) == 1);
    mq_close(q);
    CHECK(mq_unlink(name) == 0);
    FAILS(mq_unlink(name), ENOENT);
    (void)t;
}

static void comparing(void) {
    int pid = getpid(), one = dup(0), other = open("/dev/null", O_RDONLY);
    CHECK(syscall(SYS_kcmp, pid, pid, KCMP_FILE, 0, one) == 0);
    CHECK(syscall(SYS_kcmp, pid, pid, KCMP_FILE, 0, other) > 0);
    CHECK(syscall(SYS_kcmp, pid, pid, KCMP_VM, 0, 0) == 0);
    int ep = epoll_create1(0);
    struct epoll_event e = {.events = EPOLLIN};
    int ends[2];
    CHECK(pipe(ends) == 0 && epoll_ctl(ep, EPOLL_CTL_ADD, ends[0], &e) == 0);
    struct kcmp_epoll_slot slot = {.efd = ep, .tfd = ends[0]};
    CHECK(syscall(SYS_kcmp, pid, pid, KCMP_EPOLL_TFD, ends[0], &slot) == 0);
    FAILS(syscall(SYS_kcmp, pid, pid, KCMP_EPOLL_TFD, ends[0], BAD), EFAULT);
    FAILS(syscall(SYS_kcmp, pid, pid, 99, 0, 0), EINVAL);
    close(ep), close(ends[0]), close(ends[1]), close(one), close(other);
}

static void options(void) {
    char name[16] = "";
    CHECK(prctl(PR_SET_NAME, "renamed") == 0 && prctl(PR_GET_NAME, name) == 0 && !strcmp(name, "renamed"));
    FAILS(prctl(PR_SET_NAME, BAD), EFAULT);
    FAILS(prctl(PR_GET_NAME, BAD), EFAULT);
    FAILS(prctl(PR_GET_PDEATHSIG, BAD), EFAULT);
    FAILS(prctl(PR_SET_PDEATHSIG, 65), EINVAL);
    FAILS(prctl(12345, 0), EINVAL);
    FAILS(prctl(PR_SET_DUMPABLE, 2), EINVAL);
    CHECK(prctl(PR_GET_DUMPABLE) == 1);
    FAILS(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0), EINVAL);
    FAILS(prctl(PR_CAPBSET_READ, 1000), EINVAL);
    FAILS(prctl(PR_SET_TIMING, PR_TIMING_TIMESTAMP), EINVAL);
    CHECK(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) == 0 && prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) == 1);
    prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
    unsigned long auxv[200] = {0};
    long n = prctl(0x41555856, auxv, sizeof auxv, 0, 0);
    CHECK(n > 0 || errno == EINVAL);
    for (int i = 0; n > 0 && i < 100 && auxv[2 * i]; i++) {
        if (auxv[2 * i] == 6) CHECK(auxv[2 * i + 1] == 4096);
    }
    struct rusage usage;
    CHECK(getrusage(RUSAGE_SELF, &usage) == 0 && usage.ru_maxrss > 0);
    FAILS(getrusage(12, &usage), EINVAL);
    FAILS(getrusage(RUSAGE_SELF, BAD), EFAULT);
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    CHECK(syscall(SYS_capget, &header, data) == 0);
    header.version = 1;
    FAILS(syscall(SYS_capget, &header, data), EINVAL);
    CHECK(header.version == _LINUX_CAPABILITY_VERSION_3);
    FAILS(syscall(SYS_capget, BAD, data), EFAULT);
}

static void full_and_closed(void) {
    int fd = open("/dev/full", O_WRONLY);
    FAILS(write(fd, "x", 1), ENOSPC);
    struct iovec v = {"x", 1};
    FAILS(writev(fd, &v, 1), ENOSPC);
    close(fd);
    int ends[2];
    CHECK(pipe(ends) == 0);
    signal(SIGPIPE, SIG_IGN);
    close(ends[0]);
    FAILS(write(ends[1], "x", 1), EPIPE);
    FAILS(writev(ends[1], &v, 1), EPIPE);
    signal(SIGPIPE, SIG_DFL);
    pid_t pid = fork();
    if (pid == 0) {
        CHECK(write(ends[1], "x", 1) == 1);
        _exit(0);
    }
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE);
    close(ends[1]);
}

static void moving(void) {
    int ends[2], other[2];
    char text[32] = "";
    CHECK(pipe2(ends, O_CLOEXEC) == 0 && pipe(other) == 0);
    CHECK(fcntl(ends[0], F_SETPIPE_SZ, 8192) == 8192 && fcntl(ends[0], F_GETPIPE_SZ) == 8192);
    CHECK(write(ends[1], "0123456789", 10) == 10);
    CHECK(tee(ends[0], other[1], 5, 0) == 5);
    CHECK(read(other[0], text, 32) == 5 && !memcmp(text, "01234", 5));
    int fd = open("moved", O_RDWR | O_CREAT | O_TRUNC, 0644);
    loff_t at = 3;
    CHECK(splice(ends[0], NULL, fd, &at, 10, 0) == 10 && at == 13);
    FAILS(splice(ends[0], BAD, fd, &at, 1, 0), ESPIPE);
    FAILS(splice(ends[0], NULL, fd, BAD, 1, 0), EFAULT);
    struct iovec v = {"vmsplice", 8};
    CHECK(vmsplice(ends[1], &v, 1, 0) == 8 && read(ends[0], text, 32) == 8 && !memcmp(text, "vmsplice", 8));
    off_t from = 5;
    CHECK(sendfile(ends[1], fd, &from, 4) == 4 && from == 9);
    FAILS(sendfile(ends[1], fd, BAD, 4), EFAULT);
    CHECK(read(ends[0], text, 32) == 4 && !memcmp(text, "2345", 4));
    loff_t in = 3, out = 100;
    CHECK(copy_file_range(fd, &in, fd, &out, 10, 0) == 10 && in == 13 && out == 110);
    FAILS(copy_file_range(fd, &in, fd, &out, 10, 1), EINVAL);
    struct iovec two[2] = {{text, 2}, {text + 10, 3}};
    CHECK(preadv2(fd, two, 2, 4, 0) == 5 && !memcmp(text, "12", 2) && !memcmp(text + 10, "345", 3));
    FAILS(preadv2(fd, two, 2, 4, 0x4000), EOPNOTSUPP);
    CHECK(pwritev2(fd, two, 1, -1, RWF_APPEND) == 2);
    volatile int count = 1025;
    FAILS(readv(fd, two, count), EINVAL);
    count = -1;
    FAILS(readv(fd, two, count), EINVAL);
    FAILS(readv(fd, BAD, 1), EFAULT);
    two[0].iov_len = -1;
    FAILS(readv(fd, two, 1), EINVAL);
    int seals = memfd_create("sealed", MFD_ALLOW_SEALING);
    CHECK(fcntl(seals, F_ADD_SEALS, F_SEAL_WRITE) == 0 && fcntl(seals, F_GET_SEALS) == F_SEAL_WRITE);
    FAILS(write(seals, "x", 1), EPERM);
    struct f_owner_ex owner = {F_OWNER_PID, getpid()}, got;
    CHECK(fcntl(ends[0], F_SETOWN_EX, &owner) == 0 && fcntl(ends[0], F_GETOWN_EX, &got) == 0 && got.pid == getpid());
    CHECK(fcntl(ends[0], F_SETSIG, SIGUSR2) == 0 && fcntl(ends[0], F_GETSIG) == SIGUSR2);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 10};
    CHECK(fcntl(fd, F_OFD_SETLK, &lock) == 0);
    int again = open("moved", O_RDWR);
    lock.l_pid = 0;
    FAILS(fcntl(again, F_OFD_SETLK, &lock), EAGAIN);
    CHECK(fcntl(again, F_OFD_GETLK, &lock) == 0 && lock.l_type == F_WRLCK && lock.l_pid == -1);
    FAILS(fcntl(again, F_SETLK, BAD), EFAULT);
    FAILS(fcntl(99, F_GETFD), EBADF);
    // A bad descriptor is found before a bad address, and a bad address before nothing.
    FAILS(read(99, BAD, 1), EBADF);
    FAILS(write(99, BAD, 1), EBADF);
    FAILS(read(fd, BAD, 1), EFAULT);
    FAILS(write(fd, BAD, 1), EFAULT);
    FAILS(getsockname(99, (void *)text, BAD), EBADF);
    FAILS(connect(99, BAD, 16), EBADF);
    FAILS(connect(fd, (void *)text, 16), ENOTSOCK);
    FAILS(pread(fd, BAD, 1, -1), EINVAL);
    FAILS(syscall(SYS_clock_gettime, CLOCK_REALTIME, BAD), EFAULT);
    FAILS(nanosleep(BAD, NULL), EFAULT);
    FAILS(pipe(BAD), EFAULT);
    FAILS(syscall(SYS_times, BAD), EFAULT);
    FAILS(syscall(SYS_getcwd, BAD, 100), EFAULT);
    FAILS(syscall(SYS_getrandom, BAD, 16, 0), EFAULT);
    FAILS(syscall(SYS_sysinfo, BAD), EFAULT);
    FAILS(syscall(SYS_getitimer, ITIMER_REAL, BAD), EFAULT);
    FAILS(fcntl(fd, 9999), EINVAL);
    close(again);
    FAILS(fcntl(fd, F_SETLEASE, F_RDLCK), EAGAIN);
    close(fd), close(seals), close(ends[0]), close(ends[1]), close(other[0]), close(other[1]);
}

// Control messages of all kinds pass as they are.
static void messages(void) {
    int pair[2], on = 1;
    CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0);
    CHECK(setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on) == 0);
    char text[8] = "fds", control[CMSG_SPACE(2 * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))] = "";
    struct iovec v = {text, 4};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = CMSG_SPACE(2 * sizeof(int))};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    *c = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(2 * sizeof(int))};
    memcpy(CMSG_DATA(c), (int[]){0, pair[0]}, 2 * sizeof(int));
    CHECK(sendmsg(pair[0], &m, 0) == 4);
    m.msg_controllen = sizeof control;
    CHECK(recvmsg(pair[1], &m, MSG_CMSG_CLOEXEC) == 4);
    int rights = 0, credentials = 0;
    for (c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
        if (c->cmsg_type == SCM_RIGHTS) {
            int fds[2];
            memcpy(fds, CMSG_DATA(c), sizeof fds);
            rights = fcntl(fds[0], F_GETFD) == FD_CLOEXEC && fcntl(fds[1], F_GETFD) == FD_CLOEXEC;
            close(fds[0]), close(fds[1]);
        }
        if (c->cmsg_type == SCM_CREDENTIALS) {
            struct ucred u;
            memcpy(&u, CMSG_DATA(c), sizeof u);
            credentials = u.pid == getpid() && u.uid == getuid();
        }
    }
    CHECK(rights && credentials);
    FAILS(sendmsg(pair[0], BAD, 0), EFAULT);
    m.msg_iov = BAD;
    FAILS(sendmsg(pair[0], &m, 0), EFAULT);
    m.msg_iov = &v;
    FAILS(sendmsg(99, &m, 0), EBADF);
    m.msg_iovlen = 2000;
    FAILS(sendmsg(pair[0], &m, 0), EMSGSIZE);
    socklen_t len = sizeof on;
    FAILS(getsockopt(pair[0], SOL_SOCKET, SO_TYPE, BAD, &len), EFAULT);
    FAILS(getsockopt(pair[0], SOL_SOCKET, SO_TYPE, &on, BAD), EFAULT);
    FAILS(getsockopt(0, SOL_SOCKET, SO_TYPE, &on, &len), ENOTSOCK);
    FAILS(setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, BAD, sizeof on), EFAULT);
    FAILS(setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, &on, -1), EINVAL);
    FAILS(setsockopt(pair[0], SOL_SOCKET, 9999, &on, sizeof on), ENOPROTOOPT);
    close(pair[0]), close(pair[1]);
}

int main(void) {
    if (!under_qemu()) aio(); // It has none of it.
    queues();
    comparing();
    options();
    full_and_closed();
    moving();
    messages();
    return finish();
}
