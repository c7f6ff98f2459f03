// Files, directories, descriptors, sockets, waiting and /proc, checked by the program itself.
//
// Prints one line for each check that fails and a count at the end, so that it says the same on
// a real kernel, under any emulator, and here. Run it in an empty directory that it may write to.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/stat.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

static int checks, failures;

static void check(int ok, const char *what, int line) {
    checks++;
    if (!ok) {
        failures++;
        printf("line %d: %s (errno %d)\n", line, what, errno);
    }
}
#define CHECK(e) check(!!(e), #e, __LINE__)
#define FAILS(e, wanted) (errno = 0, check((long)(e) == -1 && errno == (wanted), #e " fails with " #wanted, __LINE__))

static void *const WILD = (void *)0x1000;

static void files(void) {
    int fd = open("f", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    CHECK(fd >= 0);
    FAILS(open("f", O_RDWR | O_CREAT | O_EXCL, 0640), EEXIST);
    CHECK(write(fd, "hello world", 11) == 11);
    CHECK((fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND | O_DIRECTORY | O_NOFOLLOW)) == O_RDWR);
    CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC);
    CHECK(fcntl(fd, F_SETFL, O_APPEND | O_NONBLOCK) == 0);
    CHECK((fcntl(fd, F_GETFL) & (O_APPEND | O_NONBLOCK)) == (O_APPEND | O_NONBLOCK));
    CHECK(fcntl(fd, F_SETFL, 0) == 0);
    char a[4] = {0}, b[8] = {0};
    struct iovec v[2] = {{a, 4}, {b, 7}};
    CHECK(preadv(fd, v, 2, 0) == 11 && !memcmp(a, "hell", 4) && !memcmp(b, "o world", 7));
    CHECK(lseek(fd, 6, SEEK_SET) == 6);
    v[0].iov_len = 3;
    CHECK(readv(fd, v, 1) == 3 && !memcmp(a, "wor", 3));
    CHECK(pwritev(fd, v, 1, 0) == 3);
    CHECK(pread(fd, b, 5, 0) == 5 && !memcmp(b, "worlo", 5));
    FAILS(read(fd, WILD, 1), EFAULT);
    FAILS(write(fd, WILD, 1), EFAULT);
    char *tagged = (char *)((uintptr_t)b | (uintptr_t)5 << 56);
    FAILS(write(fd, tagged, 1), EFAULT);
    v[0].iov_base = tagged;
    FAILS(writev(fd, v, 1), EFAULT);
    v[0].iov_base = WILD;
    lseek(fd, 0, SEEK_SET);
    FAILS(readv(fd, v, 1), EFAULT);
    FAILS(readv(fd, WILD, 1), EFAULT);
    FAILS(syscall(SYS_readv, fd, v, 1025), EINVAL);
    v[0].iov_len = -1;
    FAILS(readv(fd, v, 1), EINVAL);
    CHECK(ftruncate(fd, 4096) == 0);
    CHECK(posix_fallocate(fd, 0, 8192) == 0);
    CHECK(lseek(fd, 0, SEEK_END) == 8192);
    CHECK(truncate("f", 5) == 0);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 1, .l_len = 2};
    CHECK(fcntl(fd, F_SETLK, &lock) == 0);
    lock.l_pid = 0;
    CHECK(fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type == F_WRLCK && lock.l_start == 1);
    FAILS(fcntl(fd, F_GETLK, WILD), EFAULT);
    CHECK(flock(fd, LOCK_EX | LOCK_NB) == 0);
    FAILS(open("f", O_RDONLY | O_DIRECTORY), ENOTDIR);
    FAILS(open("none", O_RDONLY), ENOENT);
    FAILS(open(WILD, O_RDONLY), EFAULT);
    FAILS(open("", O_RDONLY), ENOENT);
    char longname[5000];
    memset(longname, 'x', sizeof longname);
    longname[4999] = 0;
    FAILS(open(longname, O_RDONLY), ENAMETOOLONG);
    FAILS(close(999), EBADF);
    int d = dup3(fd, 100, O_CLOEXEC);
    CHECK(d == 100 && fcntl(100, F_GETFD) == FD_CLOEXEC);
    CHECK(close(d) == 0);
    int tmp = open(".", O_TMPFILE | O_RDWR, 0600);
    CHECK(tmp >= 0 || errno == EOPNOTSUPP);
    close(tmp);
    int copy = open("g", O_RDWR | O_CREAT, 0600);
    off_t at = 0;
    CHECK(sendfile(copy, fd, &at, 5) == 5 && at == 5);
    loff_t from = 0, to = 5;
    CHECK(copy_file_range(fd, &from, copy, &to, 5, 0) == 5 && from == 5 && to == 10);
    int p[2];
    CHECK(pipe2(p, O_NONBLOCK | O_CLOEXEC) == 0);
    FAILS(pipe2(WILD, 0), EFAULT);
    FAILS(read(p[0], a, 1), EAGAIN);
    from = 0;
    CHECK(splice(fd, &from, p[1], 0, 5, 0) == 5);
    int n = 0;
    CHECK(ioctl(p[0], FIONREAD, &n) == 0 && n == 5);
    struct winsize w;
    FAILS(ioctl(p[0], TIOCGWINSZ, &w), ENOTTY);
    v[0].iov_base = "abc", v[0].iov_len = 3;
    CHECK(vmsplice(p[1], v, 1, 0) == 3);
    CHECK(read(p[0], b, 8) == 8 && !memcmp(b, "worloabc", 8));
    close(p[0]), close(p[1]);
    int m = memfd_create("memory", MFD_CLOEXEC);
    CHECK(m >= 0 && write(m, "x", 1) == 1);
    close(m), close(copy), close(fd);
    struct open_how how = {.flags = O_RDONLY | O_CLOEXEC, .resolve = RESOLVE_BENEATH};
    fd = syscall(SYS_openat2, AT_FDCWD, "f", &how, sizeof how);
    CHECK(fd >= 0);
    close(fd);
    FAILS(syscall(SYS_openat2, AT_FDCWD, "../x", &how, sizeof how), EXDEV);
    FAILS(syscall(SYS_openat2, AT_FDCWD, "f", &how, 8), EINVAL);
}

static void status(void) {
    struct stat s, l;
    CHECK(stat("f", &s) == 0);
    CHECK(S_ISREG(s.st_mode) && (s.st_mode & 0777) == 0640 && s.st_size == 5 && s.st_nlink == 1);
    CHECK(s.st_uid == getuid() && s.st_blksize >= 512);
    struct timespec times[2] = {{1000, 5}, {-2000, 999999999}};
    CHECK(utimensat(AT_FDCWD, "f", times, 0) == 0);
    CHECK(stat("f", &s) == 0 && s.st_atim.tv_sec == 1000 && s.st_atim.tv_nsec == 5);
    CHECK(s.st_mtim.tv_sec == -2000 && s.st_mtim.tv_nsec == 999999999);
    CHECK(symlink("f", "link") == 0);
    CHECK(lstat("link", &l) == 0 && S_ISLNK(l.st_mode) && l.st_size == 1);
    CHECK(stat("link", &l) == 0 && l.st_ino == s.st_ino && l.st_dev == s.st_dev);
    FAILS(stat("none", &s), ENOENT);
    FAILS(stat("f", WILD), EFAULT);
    FAILS(fstat(999, &s), EBADF);
    FAILS(syscall(SYS_newfstatat, AT_FDCWD, "f", &s, 0x8000), EINVAL);
    CHECK(stat("/dev/null", &s) == 0 && S_ISCHR(s.st_mode) && s.st_rdev == makedev(1, 3));
    struct statx x;
    CHECK(statx(AT_FDCWD, "f", AT_STATX_SYNC_AS_STAT, STATX_ALL, &x) == 0);
    CHECK(x.stx_size == 5 && (x.stx_mask & STATX_BASIC_STATS) == STATX_BASIC_STATS);
    CHECK(x.stx_mtime.tv_sec == -2000);
    int fd = open("f", O_RDONLY);
    CHECK(fstat(fd, &s) == 0 && s.st_size == 5);
    CHECK(fstatat(fd, "", &s, AT_EMPTY_PATH) == 0 && s.st_size == 5);
    struct statfs fs, fs2;
    CHECK(statfs(".", &fs) == 0 && fstatfs(fd, &fs2) == 0);
    CHECK(fs.f_type == fs2.f_type && fs.f_bsize == fs2.f_bsize && fs.f_namelen >= 64);
    close(fd);
    CHECK(access("f", R_OK) == 0);
    FAILS(access("none", F_OK), ENOENT);
    CHECK(faccessat(AT_FDCWD, "link", F_OK, AT_SYMLINK_NOFOLLOW) == 0);
    CHECK(chmod("f", 0600) == 0 && stat("f", &s) == 0 && (s.st_mode & 0777) == 0600);
    CHECK(chown("f", getuid(), getgid()) == 0);
    CHECK(lchown("link", -1, -1) == 0);
    if (setxattr("f", "user.test", "value", 5, 0) == 0) {
        char value[16];
        CHECK(getxattr("f", "user.test", value, sizeof value) == 5 && !memcmp(value, "value", 5));
        CHECK(listxattr("f", value, sizeof value) >= 10);
        CHECK(getxattr("f", "user.test", 0, 0) == 5);
        FAILS(getxattr("f", "user.test", value, 2), ERANGE);
        CHECK(removexattr("f", "user.test") == 0);
        FAILS(getxattr("f", "user.test", value, sizeof value), ENODATA);
    } else {
        CHECK(errno == EOPNOTSUPP || errno == EPERM);
    }
}

static void names(void) {
    char cwd[4096], buf[4096];
    CHECK(getcwd(cwd, sizeof cwd) == cwd);
    FAILS(syscall(SYS_getcwd, cwd, 1), ERANGE);
    CHECK(mkdir("d", 0755) == 0 && mkdir("d/e", 0755) == 0);
    FAILS(mkdir("d", 0755), EEXIST);
    CHECK(chdir("d") == 0 && getcwd(buf, sizeof buf) && strlen(buf) == strlen(cwd) + 2);
    CHECK(chdir("..") == 0);
    int dir = open("d", O_RDONLY | O_DIRECTORY);
    CHECK(dir >= 0 && mknodat(dir, "fifo", S_IFIFO | 0600, 0) == 0);
    CHECK(linkat(AT_FDCWD, "f", dir, "hard", 0) == 0);
    CHECK(renameat(dir, "hard", dir, "harder") == 0);
    CHECK(syscall(SYS_renameat2, dir, "harder", dir, "e", RENAME_NOREPLACE) == -1 && errno == EEXIST);
    CHECK(symlinkat("../f", dir, "soft") == 0);
    memset(buf, 0, sizeof buf);
    CHECK(readlinkat(dir, "soft", buf, sizeof buf) == 4 && !strcmp(buf, "../f"));
    CHECK(readlinkat(dir, "soft", buf, 2) == 2);
    FAILS(readlinkat(dir, "harder", buf, 100), EINVAL);
    int seen = 0;
    DIR *list = fdopendir(dir);
    for (struct dirent *e; (e = readdir(list));) {
        seen += 1;
        if (!strcmp(e->d_name, "soft")) CHECK(e->d_type == DT_LNK || e->d_type == DT_UNKNOWN);
        if (!strcmp(e->d_name, "e")) CHECK(e->d_type == DT_DIR || e->d_type == DT_UNKNOWN);
    }
    CHECK(seen == 6);
    closedir(list);
    int in = inotify_init1(IN_NONBLOCK);
    CHECK(in >= 0 && inotify_add_watch(in, "d", IN_CREATE | IN_DELETE) >= 0);
    CHECK(unlink("d/soft") == 0);
    int n = read(in, buf, sizeof buf);
    struct inotify_event *e = (void *)buf;
    CHECK(n > (int)sizeof *e && e->mask == IN_DELETE && !strcmp(e->name, "soft"));
    close(in);
    FAILS(rmdir("d"), ENOTEMPTY);
    CHECK(unlink("d/harder") == 0 && unlink("d/fifo") == 0 && rmdir("d/e") == 0 && rmdir("d") == 0);
    mode_t old = umask(077);
    CHECK(umask(old) == 077);
}

static void on_signal(int n) { (void)n; }

static void waiting(void) {
    int p[2], ep = epoll_create1(EPOLL_CLOEXEC);
    CHECK(pipe(p) == 0 && ep >= 0);
    struct epoll_event e = {.events = EPOLLIN, .data.u64 = 0x1122334455667788}, got[3];
    CHECK(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &e) == 0);
    FAILS(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &e), EEXIST);
    FAILS(epoll_ctl(ep, EPOLL_CTL_MOD, p[0], WILD), EFAULT);
    CHECK(epoll_wait(ep, got, 3, 0) == 0);
    CHECK(write(p[1], "x", 1) == 1);
    memset(got, 0, sizeof got);
    CHECK(epoll_wait(ep, got, 3, 1000) == 1);
    CHECK(got[0].events == EPOLLIN && got[0].data.u64 == 0x1122334455667788);
    FAILS(epoll_wait(ep, got, 0, 0), EINVAL);
    struct timespec zero = {0, 0};
    long r = syscall(441, ep, got, 3, &zero, 0, 8);
    CHECK(r == 1 || errno == ENOSYS);
    CHECK(epoll_ctl(ep, EPOLL_CTL_DEL, p[0], 0) == 0);
    struct pollfd f[2] = {{p[0], POLLIN, 0}, {p[1], POLLOUT, 0}};
    CHECK(poll(f, 2, 0) == 2 && f[0].revents == POLLIN && f[1].revents == POLLOUT);
    FAILS(poll(WILD, 1, 0), EFAULT);
    fd_set set;
    FD_ZERO(&set);
    FD_SET(p[0], &set);
    struct timeval tv = {1, 0};
    CHECK(select(p[0] + 1, &set, 0, 0, &tv) == 1 && FD_ISSET(p[0], &set));
    char c;
    CHECK(read(p[0], &c, 1) == 1);
    struct timespec ms = {0, 1000000};
    CHECK(ppoll(f, 1, &ms, 0) == 0);
    FD_SET(p[0], &set);
    CHECK(pselect(p[0] + 1, &set, 0, 0, &ms, 0) == 0 && !FD_ISSET(p[0], &set));
    int ev = eventfd(3, EFD_NONBLOCK);
    uint64_t count = 0;
    CHECK(read(ev, &count, 8) == 8 && count == 3);
    FAILS(read(ev, &count, 8), EAGAIN);
    int timer = timerfd_create(CLOCK_MONOTONIC, 0);
    struct itimerspec its = {.it_value = {0, 1000000}};
    CHECK(timerfd_settime(timer, 0, &its, 0) == 0 && read(timer, &count, 8) == 8 && count == 1);
    // A signal ends a wait, and a read only if its action says so.
    struct sigaction act = {.sa_handler = on_signal};
    sigaction(SIGALRM, &act, 0);
    struct itimerval alarm = {.it_value = {0, 20000}};
    setitimer(ITIMER_REAL, &alarm, 0);
    FAILS(read(p[0], &c, 1), EINTR);
    setitimer(ITIMER_REAL, &alarm, 0);
    FAILS(poll(f, 1, -1), EINTR);
    setitimer(ITIMER_REAL, &alarm, 0);
    FAILS(epoll_wait(ep, got, 3, -1), EINTR);
    sigset_t blocked, none;
    sigemptyset(&none);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGALRM);
    sigprocmask(SIG_BLOCK, &blocked, 0);
    raise(SIGALRM);
    FAILS(ppoll(f, 1, 0, &none), EINTR);
    sigset_t now;
    sigprocmask(SIG_SETMASK, 0, &now);
    CHECK(sigismember(&now, SIGALRM) == 1);
    raise(SIGALRM);
    FAILS(epoll_pwait(ep, got, 3, -1, &none), EINTR);
    raise(SIGALRM);
    FAILS(pselect(0, 0, 0, 0, 0, &none), EINTR);
    sigprocmask(SIG_UNBLOCK, &blocked, 0);
    act.sa_flags = SA_RESTART;
    sigaction(SIGALRM, &act, 0);
    pid_t child = fork();
    if (child == 0) {
        usleep(60000);
        _exit(write(p[1], "y", 1) != 1);
    }
    setitimer(ITIMER_REAL, &alarm, 0);
    CHECK(read(p[0], &c, 1) == 1 && c == 'y');
    int st;
    CHECK(waitpid(child, &st, 0) == child && WIFEXITED(st) && WEXITSTATUS(st) == 0);
    close(p[0]), close(p[1]), close(ep), close(ev), close(timer);
}

static void sockets(void) {
    int s[2];
    CHECK(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, s) == 0);
    char a[] = "ab", b[] = "cde", c[8] = {0}, d[8] = {0};
    struct iovec out[2] = {{a, 2}, {b, 3}}, in[2] = {{c, 4}, {d, 8}};
    char control[CMSG_SPACE(sizeof(int))] = {0};
    struct msghdr m = {.msg_iov = out, .msg_iovlen = 2, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *h = CMSG_FIRSTHDR(&m);
    h->cmsg_level = SOL_SOCKET, h->cmsg_type = SCM_RIGHTS, h->cmsg_len = CMSG_LEN(sizeof(int));
    int pass = open("f", O_RDONLY);
    memcpy(CMSG_DATA(h), &pass, sizeof pass);
    CHECK(sendmsg(s[0], &m, 0) == 5);
    memset(control, 0, sizeof control);
    m.msg_iov = in, m.msg_controllen = sizeof control, m.msg_flags = -1;
    CHECK(recvmsg(s[1], &m, MSG_CMSG_CLOEXEC) == 5 && !memcmp(c, "abcd", 4) && d[0] == 'e');
    CHECK(m.msg_controllen >= CMSG_LEN(sizeof(int)) && m.msg_flags == MSG_CMSG_CLOEXEC);
    int got = -1;
    memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof got);
    struct stat x, y;
    CHECK(got > pass && fstat(got, &x) == 0 && fstat(pass, &y) == 0 && x.st_ino == y.st_ino);
    close(got), close(pass);
    struct mmsghdr two[2] = {{.msg_hdr = {.msg_iov = out, .msg_iovlen = 1}}, {.msg_hdr = {.msg_iov = out, .msg_iovlen = 2}}};
    CHECK(sendmmsg(s[0], two, 2, 0) == 2 && two[0].msg_len == 2 && two[1].msg_len == 5);
    two[0].msg_hdr.msg_iov = two[1].msg_hdr.msg_iov = in;
    two[1].msg_hdr.msg_iovlen = 2;
    CHECK(recvmmsg(s[1], two, 2, 0, 0) == 2 && two[0].msg_len == 2 && two[1].msg_len == 5);
    m.msg_iovlen = 1025;
    FAILS(sendmsg(s[0], &m, 0), EMSGSIZE);
    FAILS(sendmsg(s[0], WILD, 0), EFAULT);
    FAILS(recv(s[1], c, 1, MSG_DONTWAIT), EAGAIN);
    int type = 0;
    socklen_t len = sizeof type;
    CHECK(getsockopt(s[0], SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_DGRAM && len == 4);
    struct timeval tv = {0, 1000};
    CHECK(setsockopt(s[1], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv) == 0);
    FAILS(recv(s[1], c, 1, 0), EAGAIN);
    struct ucred cred;
    len = sizeof cred;
    CHECK(getsockopt(s[0], SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0 && cred.uid == getuid());
    close(s[0]), close(s[1]);
    int listener = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un addr = {.sun_family = AF_UNIX, .sun_path = "sock"}, peer = {0};
    CHECK(bind(listener, (void *)&addr, sizeof addr) == 0 && listen(listener, 4) == 0);
    FAILS(bind(listener, (void *)&addr, -1), EINVAL);
    CHECK(connect(client, (void *)&addr, sizeof addr) == 0);
    len = sizeof peer;
    int server = accept4(listener, (void *)&peer, &len, SOCK_NONBLOCK);
    CHECK(server >= 0 && peer.sun_family == AF_UNIX && len == 2);
    len = sizeof peer;
    CHECK(getpeername(client, (void *)&peer, &len) == 0 && !strcmp(peer.sun_path, "sock"));
    FAILS(getsockname(client, (void *)&peer, WILD), EFAULT);
    CHECK(send(client, "hi", 2, MSG_NOSIGNAL) == 2);
    CHECK(recvfrom(server, c, 8, 0, 0, 0) == 2);
    CHECK(shutdown(client, SHUT_WR) == 0 && recv(server, c, 8, 0) == 0);
    close(server), close(client), close(listener);
    unlink("sock");
}

static int sem_value(int id) { return semctl(id, 1, GETVAL); }

static void queues(void) {
    struct { long type; char text[16]; } m = {5, "message"};
    int q = msgget(IPC_PRIVATE, 0600);
    CHECK(q >= 0 && msgsnd(q, &m, 8, 0) == 0);
    memset(&m, 0, sizeof m);
    CHECK(msgrcv(q, &m, 16, 5, 0) == 8 && m.type == 5 && !strcmp(m.text, "message"));
    FAILS(msgrcv(q, &m, 16, 0, IPC_NOWAIT), ENOMSG);
    struct msqid_ds qs;
    CHECK(msgctl(q, IPC_STAT, &qs) == 0 && qs.msg_qnum == 0 && (qs.msg_perm.mode & 0777) == 0600);
    CHECK(msgctl(q, IPC_RMID, 0) == 0);
    int id = semget(IPC_PRIVATE, 3, 0600);
    unsigned short values[3] = {7, 8, 9}, back[4] = {0, 0, 0, 77};
    CHECK(id >= 0 && semctl(id, 0, SETALL, values) == 0 && sem_value(id) == 8);
    CHECK(semctl(id, 0, GETALL, back) == 0 && back[2] == 9 && back[3] == 77);
    struct sembuf op = {1, -3, 0};
    CHECK(semop(id, &op, 1) == 0 && sem_value(id) == 5);
    struct semid_ds ss;
    memset(&ss, 0, sizeof ss);
    CHECK(semctl(id, 0, IPC_STAT, &ss) == 0 && ss.sem_nsems == 3);
    CHECK(ss.sem_otime > 1000000000 && ss.sem_ctime > 1000000000);
    CHECK(semctl(id, 1, SETVAL, 4) == 0 && sem_value(id) == 4);
    CHECK(semctl(id, 0, IPC_RMID) == 0);
    int seg = shmget(IPC_PRIVATE, 5000, 0600);
    volatile int *one = shmat(seg, 0, 0), *two = shmat(seg, 0, SHM_RDONLY);
    CHECK(seg >= 0 && one != (void *)-1 && two != (void *)-1 && one != two);
    one[1] = 4711;
    CHECK(two[1] == 4711);
    pid_t child = fork();
    if (child == 0) _exit(++one[1] != 4712);
    int st;
    CHECK(waitpid(child, &st, 0) == child && st == 0 && two[1] == 4712);
    FAILS(shmat(seg, (char *)one + 1, 0), EINVAL);
    FAILS(shmat(seg, (char *)one, 0), EINVAL);
    CHECK(shmat(seg, (char *)one + 1, SHM_RND | SHM_REMAP) == one && one[1] == 4712);
    FAILS(read(0, (void *)two, 1), EFAULT);
    struct shmid_ds sd;
    CHECK(shmctl(seg, IPC_STAT, &sd) == 0 && sd.shm_segsz == 5000 && sd.shm_nattch == 2);
    CHECK(shmdt((void *)one) == 0);
    FAILS(shmdt((void *)one), EINVAL);
    CHECK(shmctl(seg, IPC_RMID, 0) == 0 && two[1] == 4712);
    CHECK(shmdt((void *)two) == 0);
}

static void proc(const char *self) {
    char buf[65536], exe[4096], real[4096];
    int n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    CHECK(n > 0);
    exe[n > 0 ? n : 0] = 0;
    CHECK(realpath(self, real) && !strcmp(real, exe));
    int dir = open("/proc/self", O_RDONLY | O_DIRECTORY);
    CHECK(readlinkat(dir, "exe", buf, sizeof buf) == n);
    close(dir);
    struct stat a, b;
    CHECK(stat("/proc/self/exe", &a) == 0 && stat(self, &b) == 0 && a.st_ino == b.st_ino);
    int fd = open("/proc/self/exe", O_RDONLY);
    CHECK(read(fd, buf, 20) == 20 && !memcmp(buf, "\177ELF", 4));
#ifdef __riscv
    CHECK(buf[18] == (char)243);
#endif
    close(fd);
    // What is mapped at the lowest address, of those that this program leaves free.
    char *low = MAP_FAILED;
    for (long a = 0x1000; a < 0x10000 && low == MAP_FAILED; a += 0x1000)
        low = mmap((void *)a, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    CHECK(low == MAP_FAILED ? errno == EPERM : *low == 0 && munmap(low, 4096) == 0);
    char *page = mmap(0, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    FILE *maps = fopen("/proc/self/maps", "r");
    int stack = 0, code = 0, anon = 0;
    while (maps && fgets(buf, sizeof buf, maps)) {
        unsigned long lo, hi, off, ino;
        unsigned major, minor;
        char perm[8];
        CHECK(sscanf(buf, "%lx-%lx %7s %lx %x:%x %lu", &lo, &hi, perm, &off, &major, &minor, &ino) == 7);
        if ((char *)lo <= (char *)&lo && (char *)&lo < (char *)hi) stack = strstr(buf, "[stack]") != 0;
        if (lo <= (unsigned long)proc && (unsigned long)proc < hi)
            code = perm[2] == 'x' && strstr(buf, exe) && ino == b.st_ino;
        if ((char *)lo <= page && page < (char *)hi) anon = perm[0] == 'r' && perm[1] == '-' && perm[3] == 'p';
    }
    CHECK(stack);
    CHECK(code);
    CHECK(anon);
    fd = open("/proc/self/cmdline", O_RDONLY);
    n = read(fd, buf, sizeof buf);
    CHECK(n == (int)strlen(self) + 1 && !memcmp(buf, self, n));
    close(fd);
    // As another process sees it.
    pid_t child = fork();
    if (child == 0) pause();
    sprintf(buf, "/proc/%d/cmdline", child);
    fd = open(buf, O_RDONLY);
    n = read(fd, buf, sizeof buf);
    CHECK(n == (int)strlen(self) + 1 && !memcmp(buf, self, n));
    close(fd);
    int st;
    CHECK(kill(child, SIGTERM) == 0 && waitpid(child, &st, 0) == child);
    CHECK(WIFSIGNALED(st) && WTERMSIG(st) == SIGTERM);
    fd = open("/proc/self/auxv", O_RDONLY);
    unsigned long aux[2];
    int pagesize = 0;
    while (read(fd, aux, 16) == 16 && aux[0])
        if (aux[0] == 6) pagesize = aux[1];
    CHECK(pagesize == 4096);
    close(fd);
    FILE *info = fopen("/proc/cpuinfo", "r");
    int isa = 0, harts = 0;
    while (info && fgets(buf, sizeof buf, info)) {
        isa |= !strncmp(buf, "isa\t\t: rv64", 11);
        harts += !strncmp(buf, "hart\t", 5);
    }
#ifdef __riscv
    CHECK(isa && harts >= 1);
#endif
    FILE *stat = fopen("/proc/self/stat", "r");
    CHECK(stat && fgets(buf, sizeof buf, stat));
    int pid = atoi(buf);
    CHECK(pid == getpid());
    CHECK(access("/proc/self/fd", R_OK) == 0);
    FAILS(open("/proc/self/maps/x", O_RDONLY), ENOTDIR);
    fclose(maps), fclose(info), fclose(stat);
    char here[8] = "secret", there[8] = {0};
    struct iovec l = {there, 7}, r = {here, 7};
    CHECK((process_vm_readv(getpid(), &l, 1, &r, 1, 0) == 7 && !strcmp(there, here)) || errno == ENOSYS);
}

int main(int argc, char **argv) {
    (void)argc;
    files();
    status();
    names();
    waiting();
    sockets();
    queues();
    proc(argv[0]);
    unlink("f"), unlink("g"), unlink("link");
    printf("%d checks, %d failures\n", checks, failures);
    return failures != 0;
}
