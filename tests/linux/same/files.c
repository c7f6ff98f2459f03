// Calls that take names and descriptors of files: each with names and descriptors of every kind, flags
// that are known and not, and bad pointers.
#include "table.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <time.h>

static struct name fds[20];
static size_t count_fds;
static char long_name[300], long_path[5000];
static char buffer[65536];

static void add_fd(const char *name, int fd) { fds[count_fds++] = (struct name){name, fd}; }

static const struct {
    const char *name, *path;
} paths[] = {
    {"file", "file"},
    {"missing", "missing"},
    {"directory", "dir"},
    {"root", "/"},
    {"empty", ""},
    {"below a file", "file/x"},
    {"below nothing", "missing/x"},
    {"link", "link"},
    {"dangling", "dangling"},
    {"loop", "loop"},
    {"slash", "file/"},
    {"directory with a slash", "dir/"},
    {"link with a slash", "link/"},
    {"fifo", "fifo"},
    {"long name", long_name},
    {"long path", long_path},
    {"NULL", NULL},
    {"bad", (char *)8},
    {"far", (char *)-4096L},
    {"dot", "."},
};

// Places in the table of descriptors.
enum { READ_WRITE = 2, READ_ONLY, WRITE_ONLY, APPEND, DIRECTORY, PATH_ONLY, PIPE_IN, PIPE_OUT, SOCKET, EPOLL, EVENT, TIMER, SIGNAL, NOTIFY, MEMORY, ZERO };

static void make(void) {
    memset(long_name, 'n', 256);
    for (size_t i = 0; i < sizeof long_path - 1; i++) long_path[i] = i % 2 ? '/' : 'p';
    int fd = open("file", O_CREAT | O_RDWR, 0644);
    if (write(fd, "0123456789abcdef", 16) != 16) exit(1);
    close(fd);
    if (mkdir("dir", 0755) || symlink("file", "link") || symlink("missing", "dangling") || symlink("loop", "loop") || mkfifo("fifo", 0644)) exit(1);
    int ends[2], pair[2];
    if (pipe2(ends, O_NONBLOCK) || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair)) exit(1);
    sigset_t set;
    sigemptyset(&set), sigaddset(&set, SIGUSR1);
    add_fd("-1", -1), add_fd("999", 999), add_fd("read-write", open("file", O_RDWR)), add_fd("read-only", open("file", O_RDONLY));
    add_fd("write-only", open("file", O_WRONLY)), add_fd("append", open("file", O_RDWR | O_APPEND)), add_fd("directory", open("dir", O_RDONLY));
    add_fd("O_PATH", open("file", O_PATH)), add_fd("pipe to read", ends[0]), add_fd("pipe to write", ends[1]), add_fd("socket", pair[0]);
    add_fd("epoll", epoll_create1(0)), add_fd("eventfd", eventfd(0, EFD_NONBLOCK)), add_fd("timerfd", timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
    add_fd("signalfd", signalfd(-1L, &set, SFD_NONBLOCK)), add_fd("inotify", inotify_init1(IN_NONBLOCK)), add_fd("memfd", memfd_create("memory", MFD_ALLOW_SEALING));
    add_fd("/dev/zero", open("/dev/zero", O_RDWR));
    say("%zu descriptors, the last is %s\n", count_fds, fds[ZERO].value > 0 ? "open" : "closed");
}

#define FOR_FDS                            \
    for (size_t f = 0; f < count_fds; f++) \
        for (int fd = fds[f].value, once = 1; once; once = 0)
#define N fds[f].name
#define FOR_PATHS                              \
    for (size_t p = 0; p < COUNT(paths); p++)  \
        for (const char *path = paths[p].path, *once = "x"; once; once = NULL)
#define P paths[p].name
#define IS(what) (!strcmp(P, what))

static void reads(void) {
    struct iovec one[] = {{buffer, 4}, {buffer + 8, 4}}, bad[] = {{BAD, 4}}, half[] = {{buffer, 4}, {BAD, 4}}, huge[] = {{buffer, -1UL}}, empty[] = {{BAD, 0}};
    FOR_FDS {
        L(N, lseek, fd, 0, SEEK_SET), L(N, lseek, fd, 2, SEEK_CUR), L(N, lseek, fd, -1L, SEEK_SET), L(N, lseek, fd, 0, 77), L(N, lseek, fd, 100, SEEK_DATA), L(N, lseek, fd, 3, SEEK_HOLE);
        L(N, read, fd, buffer, 4), L(N, read, fd, BAD, 4), L(N, read, fd, fixed, 4), L(N, read, fd, buffer, 0), L(N, read, fd, FAR, 4);
        L(N, readv, fd, one, 2), L(N, readv, fd, bad, 1), L(N, readv, fd, half, 2), L(N, readv, fd, huge, 1), L(N, readv, fd, empty, 1), L(N, readv, fd, BAD, 1), L(N, readv, fd, one, 1025), L(N, readv, fd, one, 0);
        L(N, pread64, fd, buffer, 4, 1), L(N, pread64, fd, buffer, 4, -1L), L(N, pread64, fd, BAD, 4, 0), L(N, pread64, fd, buffer, 4, 1000);
        L(N, preadv, fd, one, 2, 1, 0), L(N, preadv, fd, one, 2, -1L, -1L), L(N, preadv, fd, bad, 1, 0, 0), L(N, preadv, fd, BAD, 1, 0, 0), L(N, preadv, fd, one, 1025, 0, 0);
        L(N, preadv2, fd, one, 2, 1, 0, 0), L(N, preadv2, fd, one, 2, -1L, -1L, 0), L(N, preadv2, fd, one, 2, 1, 0, 0x8000), L(N, preadv2, fd, bad, 1, 1, 0, 0);
    }
}

static void writes(void) {
    struct iovec one[] = {{buffer, 8}, {buffer + 8, 8}}, bad[] = {{BAD, 8}}, huge[] = {{buffer, -1UL}};
    unsigned long number = 1;
    FOR_FDS {
        L(N, write, fd, &number, 8), L(N, write, fd, BAD, 8), L(N, write, fd, none, 8), L(N, write, fd, buffer, 0), L(N, write, fd, FAR, 8);
        L(N, writev, fd, one, 2), L(N, writev, fd, bad, 1), L(N, writev, fd, huge, 1), L(N, writev, fd, BAD, 1), L(N, writev, fd, one, 1025), L(N, writev, fd, one, 0);
        L(N, pwrite64, fd, "xyz", 3, 1), L(N, pwrite64, fd, "xyz", 3, -1L), L(N, pwrite64, fd, BAD, 3, 0);
        L(N, pwritev, fd, one, 2, 1, 0), L(N, pwritev, fd, one, 2, -1L, -1L), L(N, pwritev, fd, bad, 1, 0, 0), L(N, pwritev, fd, BAD, 1, 0, 0), L(N, pwritev, fd, one, 1025, 0, 0);
        L(N, pwritev2, fd, one, 2, 1, 0, 0), L(N, pwritev2, fd, one, 2, 1, 0, 0x10), L(N, pwritev2, fd, one, 2, 1, 0, 0x8000), L(N, pwritev2, fd, bad, 1, 1, 0, 0), L(N, pwritev2, fd, one, 2, -1L, -1L, 0);
    }
}

static void sizes(void) {
    struct statfs fs;
    struct stat st;
    struct { unsigned long off, len; } range = {0, 0};
    unsigned long told[5];
    FOR_FDS {
        L(N, ftruncate, fd, 64), L(N, ftruncate, fd, -1L), L(N, fallocate, fd, 0, 0, 128), L(N, fallocate, fd, 1, 0, 256), L(N, fallocate, fd, 0, -1L, 1), L(N, fallocate, fd, 0, 0, 0), L(N, fallocate, fd, 0x4000, 0, 1), L(N, fallocate, fd, 3, 0, 4), L(N, fallocate, fd, 2, 0, 4);
        L(N, fsync, fd), L(N, fdatasync, fd), L(N, syncfs, fd), L(N, sync_file_range, fd, 0, 16, 2), L(N, sync_file_range, fd, 0, 16, 64), L(N, sync_file_range, fd, -1L, 16, 2);
        L(N, fadvise64, fd, 0, 16, 0), L(N, fadvise64, fd, 0, 16, 3), L(N, fadvise64, fd, 0, 16, 77), L(N, fadvise64, fd, 0, -1L, 0), L(N, readahead, fd, 0, 16);
        L(N, fstat, fd, &st), L(N, fstat, fd, BAD), L(N, fstat, fd, fixed), L(N, fstatfs, fd, &fs), L(N, fstatfs, fd, BAD), L(N, fstatfs, fd, NULL);
        L(N, cachestat, fd, &range, told, 0), L(N, cachestat, fd, &range, told, 1), L(N, cachestat, fd, BAD, told, 0), L(N, cachestat, fd, &range, BAD, 0);
        L(N, flock, fd, 2), L(N, flock, fd, 1 | 4), L(N, flock, fd, 8), L(N, flock, fd, 0), L(N, flock, fd, 77);
        if (f != ZERO) L(N, fchmod, fd, 0644), L(N, fchown, fd, -1L, -1L), L(N, utimensat, fd, NULL, NULL, 0);
        L(N, utimensat, fd, NULL, BAD, 0), L(N, utimensat, fd, NULL, NULL, 1);
        if (f != DIRECTORY) L(N, fchdir, fd);
    }
    D(dup, fds[DIRECTORY].value), C(fchdir, fds[DIRECTORY].value), C(chdir, "..");
}

static void descriptors(void) {
    struct flock lock = {.l_type = F_RDLCK}, whole = {.l_type = F_WRLCK, .l_len = 4}, wrong = {.l_type = 77}, backwards = {.l_type = F_RDLCK, .l_start = -4};
    static const struct name commands[] = {{"F_GETFD", F_GETFD}, {"F_GETOWN", F_GETOWN}, {"F_GETSIG", F_GETSIG}, {"F_GETLEASE", F_GETLEASE}, {"F_GET_SEALS", F_GET_SEALS}, {"99", 99}, {"-1", -1}};
    FOR_FDS {
        LD(N, dup, fd), LD(N, dup3, fd, 700, 0), LD(N, dup3, fd, 700, O_CLOEXEC), L(N, dup3, fd, fd, 0), L(N, dup3, fd, 700, 1), L(N, dup3, fd, -1L, 0), L(N, dup3, fd, 99999999, 0);
        for (size_t c = 0; c < COUNT(commands); c++) say("fcntl(%s: %s) = %s\n", N, commands[c].name, result(syscall(SYS_fcntl, fd, commands[c].value, 0)));
        LK(N, fcntl, fd, F_GETFL), LD(N, fcntl, fd, F_DUPFD, 500), LD(N, fcntl, fd, F_DUPFD_CLOEXEC, 500), L(N, fcntl, fd, F_DUPFD, -1L), L(N, fcntl, fd, F_DUPFD, 99999999);
        L(N, fcntl, fd, F_SETFD, FD_CLOEXEC), L(N, fcntl, fd, F_GETFD), L(N, fcntl, fd, F_SETFD, 0);
        lock.l_type = F_RDLCK, whole.l_type = F_WRLCK, wrong.l_type = 77;
        L(N, fcntl, fd, F_GETLK, &lock), L(N, fcntl, fd, F_SETLK, &whole), L(N, fcntl, fd, F_SETLK, &wrong), L(N, fcntl, fd, F_SETLK, &backwards), L(N, fcntl, fd, F_SETLK, BAD), L(N, fcntl, fd, F_GETLK, BAD), L(N, fcntl, fd, F_GETLK, &wrong);
        L(N, fcntl, fd, F_OFD_GETLK, &lock), L(N, fcntl, fd, F_OFD_SETLK, BAD), L(N, fcntl, fd, F_SETLEASE, 77), L(N, fcntl, fd, F_SETSIG, 65), L(N, fcntl, fd, F_SETSIG, 0);
        L(N, fcntl, fd, F_SETPIPE_SZ, 65536), L(N, fcntl, fd, F_GETPIPE_SZ), L(N, fcntl, fd, F_ADD_SEALS, 0x1000), L(N, fcntl, fd, F_NOTIFY, 0), L(N, fcntl, fd, 16, BAD), L(N, fcntl, fd, 15, BAD);
        L(N, getdents64, fd, buffer, 10), L(N, getdents64, fd, BAD, 4096), L(N, ioctl, fd, 0x12345678, buffer), L(N, ioctl, fd, 0x5413, BAD), L(N, ioctl, fd, 0x541B, BAD);
    }
    int two[2];
    C(close, -1L), C(close, 999), C(close_range, 10, 5, 0), C(close_range, 900, 1000, 8), C(close_range, 900, 1000, 0), C(close_range, 900, 1000, 4), C(close_range, 900, 1000, 2);
    C(pipe2, BAD, 0), C(pipe2, NULL, 0), C(pipe2, fixed, 0), C(pipe2, two, 1), C(pipe2, two, O_NONBLOCK | O_CLOEXEC), C(close, two[0]), C(close, two[1]);
}

static void moves(void) {
    long offset = 0, past = 1000, negative = -1;
    struct iovec one = {buffer, 4}, bad = {BAD, 4};
    int in = fds[PIPE_IN].value, out = fds[PIPE_OUT].value, zero = fds[ZERO].value;
    FOR_FDS {
        L(N, sendfile, fd, fds[READ_WRITE].value, &offset, 4), L(N, sendfile, zero, fd, NULL, 0), L(N, sendfile, zero, fd, BAD, 4), L(N, sendfile, zero, fd, &negative, 4);
        L(N, splice, fd, NULL, zero, NULL, 4, 2), L(N, splice, fd, &past, zero, NULL, 4, 2), L(N, splice, fds[READ_ONLY].value, BAD, fd, NULL, 4, 2), L(N, splice, fd, NULL, out, NULL, 4, 0x100), L(N, splice, fd, NULL, zero, NULL, 0, 2);
        L(N, tee, fd, out, 4, 2), L(N, tee, in, fd, 4, 2), L(N, tee, fd, out, 4, 0x100);
        L(N, vmsplice, fd, &one, 1, 2), L(N, vmsplice, fd, &bad, 1, 2), L(N, vmsplice, fd, BAD, 1, 2), L(N, vmsplice, fd, &one, 1, 0x100), L(N, vmsplice, fd, &one, 1025, 2);
        offset = 0;
        L(N, copy_file_range, fds[READ_ONLY].value, &offset, fd, NULL, 2, 0), L(N, copy_file_range, fd, NULL, fds[READ_WRITE].value, NULL, 0, 0), L(N, copy_file_range, fd, BAD, fds[MEMORY].value, NULL, 2, 0), L(N, copy_file_range, fd, NULL, fds[MEMORY].value, NULL, 2, 1), L(N, copy_file_range, fd, &negative, fds[MEMORY].value, NULL, 2, 0);
    }
}

static void opens(void) {
    struct { unsigned long flags, mode, resolve; } how = {O_RDONLY, 0, 0}, unknown = {1UL << 40, 0, 0}, mode = {O_RDONLY, 0644, 0}, beneath = {O_RDONLY, 0, 8}, resolves = {O_RDONLY, 0, 0x100}, no_links = {O_RDONLY, 0, 4};
    FOR_PATHS {
        if (!IS("fifo")) LD(P, openat, AT_FDCWD, path, O_RDONLY), LD(P, openat, AT_FDCWD, path, O_RDWR), LD(P, openat2, AT_FDCWD, path, &how, 24), LD(P, openat2, AT_FDCWD, path, &beneath, 24), LD(P, openat2, AT_FDCWD, path, &no_links, 24);
        LD(P, openat, AT_FDCWD, path, O_PATH), LD(P, openat, AT_FDCWD, path, O_RDONLY | O_DIRECTORY), LD(P, openat, AT_FDCWD, path, O_PATH | O_NOFOLLOW), LD(P, openat, AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW);
        LD(P, openat, AT_FDCWD, path, O_RDONLY | O_NONBLOCK | 0x40000000), LD(P, openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_EXCL | O_NONBLOCK, 0), LD(P, openat, AT_FDCWD, path, O_TMPFILE, 0), LD(P, openat, AT_FDCWD, path, O_TMPFILE | O_RDWR, 0600);
        if (IS("missing") || IS("dangling")) L(P, unlinkat, AT_FDCWD, "missing", 0);
        LD(P, openat, -1L, path, O_PATH), LD(P, openat, fds[READ_WRITE].value, path, O_PATH), LD(P, openat, fds[DIRECTORY].value, path, O_PATH);
        LD(P, openat2, AT_FDCWD, path, &unknown, 24), LD(P, openat2, AT_FDCWD, path, &mode, 24), LD(P, openat2, AT_FDCWD, path, &resolves, 24), LD(P, openat2, AT_FDCWD, path, &how, 23), LD(P, openat2, AT_FDCWD, path, BAD, 24), LD(P, openat2, AT_FDCWD, path, &how, 5000);
        LD(P, open_tree, AT_FDCWD, path, 0), LD(P, open_tree, AT_FDCWD, path, 2), LD(P, open_tree, -1L, path, 0);
    }
}

static void looks(void) {
    struct stat st;
    struct statfs fs;
    char x[256];
    struct { unsigned handle_bytes; int type; char rest[128]; } handle = {128, 0, ""}, small = {0, 0, ""}, big = {129, 0, ""};
    int id, file = fds[READ_ONLY].value;
    FOR_PATHS {
        L(P, newfstatat, AT_FDCWD, path, &st, 0), L(P, newfstatat, AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW), L(P, newfstatat, AT_FDCWD, path, &st, AT_EMPTY_PATH), L(P, newfstatat, AT_FDCWD, path, &st, 1), L(P, newfstatat, AT_FDCWD, path, BAD, 0), L(P, newfstatat, -1L, path, &st, 0), L(P, newfstatat, file, path, &st, AT_EMPTY_PATH);
        L(P, statx, AT_FDCWD, path, 0, 0x7ff, x), L(P, statx, AT_FDCWD, path, 0x6000, 0x7ff, x), L(P, statx, AT_FDCWD, path, 0, 0x80000000UL, x), L(P, statx, AT_FDCWD, path, 0, 0x7ff, BAD), L(P, statx, AT_FDCWD, path, 1, 0x7ff, x), L(P, statx, file, path, AT_EMPTY_PATH, 0x7ff, x);
        L(P, statfs, path, &fs), L(P, statfs, path, BAD), L(P, readlinkat, AT_FDCWD, path, x, 100), L(P, readlinkat, AT_FDCWD, path, x, 3), L(P, readlinkat, AT_FDCWD, path, x, 0), L(P, readlinkat, AT_FDCWD, path, x, -1L), L(P, readlinkat, AT_FDCWD, path, BAD, 10), L(P, readlinkat, -1L, path, x, 10);
        L(P, faccessat, AT_FDCWD, path, R_OK), L(P, faccessat, AT_FDCWD, path, X_OK), L(P, faccessat, AT_FDCWD, path, 8), L(P, faccessat, -1L, path, F_OK);
        L(P, faccessat2, AT_FDCWD, path, R_OK, 0), L(P, faccessat2, AT_FDCWD, path, R_OK, AT_EACCESS), L(P, faccessat2, AT_FDCWD, path, R_OK, AT_SYMLINK_NOFOLLOW), L(P, faccessat2, AT_FDCWD, path, R_OK, 1), L(P, faccessat2, file, path, R_OK, AT_EMPTY_PATH);
        L(P, name_to_handle_at, AT_FDCWD, path, &small, &id, 0), L(P, name_to_handle_at, AT_FDCWD, path, &big, &id, 0), L(P, name_to_handle_at, AT_FDCWD, path, BAD, &id, 0), L(P, name_to_handle_at, AT_FDCWD, path, &handle, BAD, 0), L(P, name_to_handle_at, AT_FDCWD, path, &handle, &id, 1);
        small.handle_bytes = 0, handle.handle_bytes = 128;
        LK(P, inotify_add_watch, fds[NOTIFY].value, path, 2), L(P, inotify_add_watch, fds[NOTIFY].value, path, 0), L(P, inotify_add_watch, -1L, path, 2), L(P, inotify_add_watch, fds[READ_WRITE].value, path, 2);
        if (!IS("root") && !IS("directory") && !IS("directory with a slash")) L(P, chdir, path);
    }
    FOR_FDS L(N, inotify_rm_watch, fd, 999), L(N, open_by_handle_at, fd, BAD, 0), L(N, open_by_handle_at, fd, &big, 0);
    C(getcwd, buffer, 1), C(getcwd, BAD, 4096), K(getcwd, buffer, 4096), C(getcwd, fixed, 4096), C(getcwd, buffer, 0);
}

static void changes(void) {
    struct timespec times[2] = {{1, 2}, {3, 4}}, wrong[2] = {{0, 1000000000}, {0, 0}}, now[2] = {{0, UTIME_NOW}, {0, UTIME_OMIT}};
    FOR_PATHS {
        if (IS("root")) continue;
        L(P, fchmodat, AT_FDCWD, path, 0755), L(P, fchmodat2, AT_FDCWD, path, 0755, AT_SYMLINK_NOFOLLOW), L(P, fchmodat, -1L, path, 0755), L(P, fchmodat2, AT_FDCWD, path, 0755, 1), L(P, fchmodat2, AT_FDCWD, path, 0755, AT_EMPTY_PATH);
        L(P, fchownat, AT_FDCWD, path, -1L, -1L, 0), L(P, fchownat, AT_FDCWD, path, -1L, -1L, AT_SYMLINK_NOFOLLOW), L(P, fchownat, AT_FDCWD, path, -1L, -1L, 1), L(P, fchownat, -1L, path, -1L, -1L, 0), L(P, fchownat, fds[READ_ONLY].value, path, -1L, -1L, AT_EMPTY_PATH);
        L(P, utimensat, AT_FDCWD, path, times, 0), L(P, utimensat, AT_FDCWD, path, now, 0), L(P, utimensat, AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW), L(P, utimensat, AT_FDCWD, path, wrong, 0), L(P, utimensat, AT_FDCWD, path, BAD, 0), L(P, utimensat, AT_FDCWD, path, times, 1);
        L(P, truncate, path, 16), L(P, truncate, path, -1L);
    }
}

static void attributes(void) {
    char x[256];
    FOR_PATHS {
        L(P, listxattr, path, x, 100), L(P, llistxattr, path, x, 100), L(P, getxattr, path, "user.none", x, 100), L(P, lgetxattr, path, "user.none", x, 100), L(P, getxattr, path, BAD, x, 100), L(P, getxattr, path, "", x, 100), L(P, lgetxattr, path, "none", x, 100);
        L(P, removexattr, path, "user.none"), L(P, lremovexattr, path, "user.none"), L(P, removexattr, path, BAD), L(P, lremovexattr, path, long_name);
        L(P, setxattr, path, "user.x", "value", 5, 7), L(P, setxattr, path, BAD, "value", 5, 0), L(P, setxattr, path, "user.x", BAD, 5, 0), L(P, setxattr, path, "user.x", "value", 5, 2), L(P, lsetxattr, path, "user.x", "value", 5, 2), L(P, lsetxattr, path, "none.x", "v", 1, 0), L(P, setxattr, path, "user.x", "value", 70000, 0);
    }
    FOR_FDS {
        L(N, flistxattr, fd, x, 100), L(N, flistxattr, fd, BAD, 100), L(N, fgetxattr, fd, "user.none", x, 100), L(N, fgetxattr, fd, BAD, x, 100), L(N, fremovexattr, fd, "user.none"), L(N, fremovexattr, fd, BAD);
        L(N, fsetxattr, fd, "user.x", "value", 5, 7), L(N, fsetxattr, fd, BAD, "v", 1, 0), L(N, fsetxattr, fd, "user.x", BAD, 5, 0), L(N, fsetxattr, fd, "user.x", "value", 5, 2);
    }
    int file = fds[READ_WRITE].value;
    C(setxattr, "file", "user.a", "value", 5, 0), C(setxattr, "file", "user.a", "value", 5, 1), C(setxattr, "file", "user.b", "", 0, 2), C(getxattr, "file", "user.a", x, 5), C(getxattr, "file", "user.a", x, 4), C(getxattr, "file", "user.a", NULL, 0), C(getxattr, "file", "user.a", BAD, 5);
    C(lgetxattr, "file", "user.a", x, 100), C(fgetxattr, file, "user.a", x, 100), C(listxattr, "file", x, 3), C(listxattr, "file", BAD, 100), C(listxattr, "file", NULL, 0), C(flistxattr, file, x, 100), C(llistxattr, "file", x, 100), C(llistxattr, "file", BAD, 100);
    C(lsetxattr, "file", "user.c", "v", 1, 0), C(lsetxattr, "file", BAD, "v", 1, 0), C(fsetxattr, file, "user.d", "v", 1, 0), C(removexattr, "file", "user.a"), C(lremovexattr, "file", "user.c"), C(lremovexattr, "file", BAD), C(fremovexattr, file, "user.d"), C(lgetxattr, "file", BAD, x, 100);
    struct { unsigned long value; unsigned size, flags; } args = {(unsigned long)x, 100, 0}, set = {(unsigned long)"v", 1, 0}, flags = {(unsigned long)"v", 1, 8};
    C(setxattrat, AT_FDCWD, "file", 0, "user.e", &set, 16), C(setxattrat, AT_FDCWD, "file", 0, "user.e", &flags, 16), C(setxattrat, AT_FDCWD, "file", 0, "user.e", &set, 15), C(setxattrat, AT_FDCWD, "file", 0, "user.e", BAD, 16), C(setxattrat, AT_FDCWD, "file", 1, "user.e", &set, 16), C(setxattrat, -1L, "file", 0, "user.e", &set, 16);
    C(getxattrat, AT_FDCWD, "file", 0, "user.e", &args, 16), C(getxattrat, AT_FDCWD, "missing", 0, "user.e", &args, 16), C(getxattrat, AT_FDCWD, "file", 0, "user.e", &flags, 16), C(getxattrat, AT_FDCWD, "file", 0, "user.e", BAD, 16), C(getxattrat, file, "", AT_EMPTY_PATH, "user.e", &args, 16), C(getxattrat, AT_FDCWD, BAD, 0, "user.e", &args, 16);
    C(listxattrat, AT_FDCWD, "file", 0, x, 100), C(listxattrat, AT_FDCWD, "file", 1, x, 100), C(listxattrat, AT_FDCWD, BAD, 0, x, 100), C(listxattrat, AT_FDCWD, "file", 0, BAD, 100), C(listxattrat, -1L, "file", 0, x, 100);
    C(removexattrat, AT_FDCWD, "file", 0, "user.e"), C(removexattrat, AT_FDCWD, "file", 0, "user.e"), C(removexattrat, AT_FDCWD, "file", 1, "user.e"), C(removexattrat, AT_FDCWD, BAD, 0, "user.e"), C(removexattrat, AT_FDCWD, "file", 0, BAD), C(removexattrat, -1L, "file", 0, "user.e");
    unsigned attrs[8] = {0};
    C(file_getattr, AT_FDCWD, "missing", attrs, 24, 0), C(file_getattr, AT_FDCWD, "file", attrs, 20, 0), C(file_getattr, AT_FDCWD, "file", BAD, 24, 0), C(file_getattr, AT_FDCWD, "file", attrs, 24, 1), C(file_getattr, AT_FDCWD, BAD, attrs, 24, 0), C(file_getattr, AT_FDCWD, "file", attrs, 24, 0), C(file_getattr, -1L, "file", attrs, 24, 0);
    C(file_setattr, AT_FDCWD, "missing", attrs, 24, 0), C(file_setattr, AT_FDCWD, "file", BAD, 24, 0), C(file_setattr, AT_FDCWD, "file", attrs, 20, 0), C(file_setattr, AT_FDCWD, "file", attrs, 24, 1), C(file_setattr, -1L, "file", attrs, 24, 0);
}

// Names that are made, changed and removed.
static void makes(void) {
    FOR_PATHS {
        if (IS("root")) continue;
        L(P, mkdirat, AT_FDCWD, path, 0755), L(P, mkdirat, -1L, path, 0755), L(P, unlinkat, AT_FDCWD, "missing", AT_REMOVEDIR);
        L(P, mknodat, AT_FDCWD, path, S_IFREG | 0644, 0), L(P, mknodat, AT_FDCWD, path, S_IFDIR | 0644, 0), L(P, mknodat, AT_FDCWD, path, 0170000, 0), L(P, mknodat, -1L, path, S_IFIFO | 0644, 0), L(P, unlinkat, AT_FDCWD, "missing", 0);
        L(P, symlinkat, "target", AT_FDCWD, path), L(P, unlinkat, AT_FDCWD, "missing", 0), L(P, symlinkat, BAD, AT_FDCWD, path), L(P, symlinkat, "", AT_FDCWD, path), L(P, symlinkat, "target", -1L, path);
        L(P, linkat, AT_FDCWD, "file", AT_FDCWD, path, 0), L(P, unlinkat, AT_FDCWD, "missing", 0), L(P, linkat, AT_FDCWD, path, AT_FDCWD, "linked", 0), L(P, unlinkat, AT_FDCWD, "linked", 0), L(P, linkat, AT_FDCWD, path, AT_FDCWD, "linked", 1), L(P, linkat, AT_FDCWD, path, AT_FDCWD, "linked", AT_SYMLINK_FOLLOW), L(P, unlinkat, AT_FDCWD, "linked", 0);
        L(P, renameat2, AT_FDCWD, "file", AT_FDCWD, path, 1), L(P, renameat2, AT_FDCWD, "missing", AT_FDCWD, "file", 1), L(P, renameat2, AT_FDCWD, "file", AT_FDCWD, path, 3), L(P, renameat2, AT_FDCWD, path, AT_FDCWD, "file", 8), L(P, renameat2, -1L, path, AT_FDCWD, "file", 0), L(P, renameat2, AT_FDCWD, path, -1L, "file", 0);
        L(P, renameat2, AT_FDCWD, "file", AT_FDCWD, path, 2), L(P, renameat2, AT_FDCWD, "file", AT_FDCWD, path, 2), L(P, renameat2, AT_FDCWD, "dir", AT_FDCWD, path, 1), L(P, renameat2, AT_FDCWD, "missing", AT_FDCWD, "dir", 1);
        L(P, unlinkat, AT_FDCWD, path, 1), L(P, unlinkat, -1L, path, 0);
        if (!IS("file") && !IS("dangling") && !IS("loop") && !IS("fifo") && !IS("link")) L(P, unlinkat, AT_FDCWD, path, 0);
    }
    int dir = fds[DIRECTORY].value;
    C(unlinkat, AT_FDCWD, "dir", 0), C(unlinkat, AT_FDCWD, "dir/.", AT_REMOVEDIR), C(unlinkat, AT_FDCWD, "file", AT_REMOVEDIR), C(unlinkat, AT_FDCWD, ".", AT_REMOVEDIR), C(mkdirat, AT_FDCWD, "dir/sub", 0755), C(unlinkat, AT_FDCWD, "dir", AT_REMOVEDIR);
    C(unlinkat, AT_FDCWD, "dir/sub", AT_REMOVEDIR), C(unlinkat, dir, "none", 0), C(mkdirat, fds[READ_WRITE].value, "x", 0755), C(renameat2, AT_FDCWD, "dir", AT_FDCWD, "dir/inside", 0), C(mknodat, dir, "node", S_IFIFO | 0600, 0), C(unlinkat, dir, "node", 0);
    C(umask, 077), C(umask, 022), C(umask, 0777777), C(umask, 022);
}

static void mounts(void) {
    int file = fds[READ_WRITE].value;
    C(chroot, "missing"), C(chroot, "file"), C(chroot, BAD), C(chroot, long_path), C(chroot, "");
    C(quotactl, 0, "missing", 0, NULL), C(quotactl, -1L, NULL, 0, NULL), C(quotactl, 0x800007 << 8, BAD, 0, NULL), C(quotactl_fd, -1L, 0, 0, NULL), C(swapon, "missing", 0), C(swapon, BAD, 0), C(swapoff, "missing"), C(swapoff, BAD), C(swapon, "dir", 0), C(swapoff, "file"), C(acct, "missing"), C(acct, "dir"), C(acct, BAD);
    C(mount, "none", "missing", "tmpfs", 0, NULL), C(mount, "none", "file", "tmpfs", 0, NULL), C(mount, "none", "dir", "unknown", 0, NULL), C(mount, "none", BAD, "tmpfs", 0, NULL), C(mount, "none", "dir", BAD, 0, NULL), C(mount, BAD, "dir", "tmpfs", 0, NULL), C(mount, "none", "dir", NULL, 0, NULL);
    C(umount2, "missing", 0), C(umount2, "dir", 0), C(umount2, BAD, 0), C(umount2, "dir", 0x100), C(pivot_root, "missing", "missing"), C(pivot_root, BAD, "dir"), C(pivot_root, "file", "dir"), C(pivot_root, "dir", "dir");
    D(fsopen, "unknown", 0), D(fsopen, BAD, 0), D(fsopen, "tmpfs", 8), D(fsopen, "tmpfs", 1), D(fsopen, NULL, 0), C(fsconfig, -1L, 0, NULL, NULL, 0), C(fsconfig, file, 6, NULL, NULL, 0), C(fsconfig, file, 77, NULL, NULL, 0), D(fsmount, -1L, 0, 0), D(fsmount, file, 0, 0), D(fsmount, file, 8, 0);
    int tmpfs = syscall(SYS_fsopen, "tmpfs", 1);
    C(fsconfig, tmpfs, 1, "size", "1M", 0), C(fsconfig, tmpfs, 1, "unknown", "1", 0), C(fsconfig, tmpfs, 1, BAD, "1", 0), C(fsconfig, tmpfs, 1, "size", BAD, 0), C(fsconfig, tmpfs, 6, NULL, NULL, 1), C(fsconfig, tmpfs, 6, NULL, NULL, 0), D(fsmount, tmpfs, 1, 0), D(fsmount, tmpfs, 1, 0), C(close, tmpfs);
    D(fspick, AT_FDCWD, "missing", 0), D(fspick, AT_FDCWD, BAD, 0), D(fspick, AT_FDCWD, "dir", 0x100), D(fspick, -1L, "dir", 0), D(fspick, AT_FDCWD, "dir", 0), D(fspick, AT_FDCWD, "/", 1);
    C(move_mount, AT_FDCWD, "missing", AT_FDCWD, "dir", 0), C(move_mount, AT_FDCWD, BAD, AT_FDCWD, "dir", 0), C(move_mount, AT_FDCWD, "dir", AT_FDCWD, "dir", 0x1000), C(move_mount, -1L, "", AT_FDCWD, "dir", 4), C(move_mount, AT_FDCWD, "dir", AT_FDCWD, "dir", 0);
    unsigned long attr[4] = {0}, odd[4] = {1UL << 40};
    C(mount_setattr, AT_FDCWD, "missing", 0, attr, 32), C(mount_setattr, AT_FDCWD, "dir", 0, attr, 31), C(mount_setattr, AT_FDCWD, "dir", 0, BAD, 32), C(mount_setattr, AT_FDCWD, "dir", 1, attr, 32), C(mount_setattr, AT_FDCWD, BAD, 0, odd, 32), C(mount_setattr, AT_FDCWD, "dir", 0, odd, 32), C(mount_setattr, -1L, "dir", 0, odd, 32), C(mount_setattr, AT_FDCWD, "dir", 0, attr, 5000);
    struct { unsigned size, spare; unsigned long id, param[2]; } ask = {24, 0, 0, {0}}, all = {24, 0, -1UL, {0}};
    C(statmount, BAD, buffer, 1000, 0), C(statmount, &ask, buffer, 1000, 1), C(statmount, &ask, buffer, 1000, 0), C(listmount, BAD, buffer, 10, 0), C(listmount, &ask, buffer, 10, 0x100), C(listmount, &ask, buffer, 10, 0), K(listmount, &all, buffer, 10, 0), C(listmount, &all, BAD, 10, 0);
    D(fanotify_init, 0x80000000UL, 0), D(fanotify_init, 0, 0x80000000UL), D(fanotify_init, 0, 0), C(fanotify_mark, -1L, 1, 2, AT_FDCWD, "file"), C(fanotify_mark, file, 1, 2, AT_FDCWD, "file"), C(fanotify_mark, file, 0x10000, 2, AT_FDCWD, "file");
}

// What waits for descriptors.
static void waits(void) {
    struct epoll_event event = {EPOLLIN, {0}}, got[2];
    struct timespec zero = {0, 0}, wrong = {0, 1000000000}, less = {-1, 0};
    unsigned long sigset = 0, mask = 1 << (SIGUSR1 - 1);
    int epoll = fds[EPOLL].value, in = fds[PIPE_IN].value;
    FOR_FDS {
        L(N, epoll_ctl, epoll, EPOLL_CTL_MOD, fd, &event), L(N, epoll_ctl, epoll, EPOLL_CTL_DEL, fd, NULL), L(N, epoll_ctl, epoll, EPOLL_CTL_ADD, fd, &event), L(N, epoll_ctl, epoll, EPOLL_CTL_ADD, fd, &event), L(N, epoll_ctl, epoll, EPOLL_CTL_MOD, fd, &event), L(N, epoll_ctl, epoll, EPOLL_CTL_DEL, fd, BAD), L(N, epoll_ctl, epoll, EPOLL_CTL_ADD, fd, BAD), L(N, epoll_ctl, epoll, 77, fd, &event);
        L(N, epoll_ctl, fd, EPOLL_CTL_ADD, in, &event), L(N, epoll_ctl, fd, EPOLL_CTL_DEL, in, &event);
        L(N, epoll_pwait, fd, got, 2, 0, NULL, 8), L(N, epoll_pwait, fd, got, 0, 0, NULL, 8), L(N, epoll_pwait, fd, BAD, 2, 0, NULL, 8), L(N, epoll_pwait, fd, got, 2, 0, BAD, 8), L(N, epoll_pwait, fd, got, 2, 0, &sigset, 7), L(N, epoll_pwait, fd, got, -1L, 0, NULL, 8);
        L(N, epoll_pwait2, fd, got, 2, &zero, NULL, 8), L(N, epoll_pwait2, fd, got, 2, &wrong, NULL, 8), L(N, epoll_pwait2, fd, got, 2, BAD, NULL, 8), L(N, epoll_pwait2, fd, got, 0, &zero, NULL, 8);
        struct pollfd one = {fd, POLLIN | POLLOUT | POLLPRI, 0};
        L(N, ppoll, &one, 1, &zero, NULL, 8), say("it tells %x\n", one.revents), L(N, ppoll, &one, 1, &wrong, NULL, 8), L(N, ppoll, BAD, 1, &zero, NULL, 8), L(N, ppoll, &one, 1, BAD, NULL, 8), L(N, ppoll, &one, 1, &zero, BAD, 8), L(N, ppoll, &one, 1, &zero, &sigset, 7), L(N, ppoll, NULL, 1L << 30, &zero, NULL, 8), L(N, ppoll, &one, 1, &less, NULL, 8);
        zero = (struct timespec){0, 0};
        unsigned long set[16] = {0}, w[16] = {0};
        if (fd >= 0) set[fd / 64] = w[fd / 64] = 1UL << fd % 64;
        L(N, pselect6, fd + 1, set, w, NULL, &zero, NULL), L(N, pselect6, -1L, NULL, NULL, NULL, &zero, NULL), L(N, pselect6, 10, BAD, NULL, NULL, &zero, NULL), L(N, pselect6, 0, NULL, NULL, NULL, &wrong, NULL), L(N, pselect6, 0, NULL, NULL, NULL, BAD, NULL), L(N, pselect6, 0, NULL, NULL, NULL, &zero, BAD);
        zero = (struct timespec){0, 0};
        struct itimerspec set_to = {{0, 0}, {1000, 0}}, odd = {{0, 0}, {0, 1000000000}}, old;
        L(N, timerfd_settime, fd, 0, &set_to, &old), L(N, timerfd_settime, fd, 0, &odd, NULL), L(N, timerfd_settime, fd, 0, BAD, NULL), L(N, timerfd_settime, fd, 8, &set_to, NULL), L(N, timerfd_settime, fd, 0, &set_to, BAD), L(N, timerfd_gettime, fd, &old), L(N, timerfd_gettime, fd, BAD);
        if (f) L(N, signalfd4, f == SIGNAL ? 999 : fd, &mask, 8, 0);
        L(N, signalfd4, fd, BAD, 8, 0), L(N, signalfd4, fd, &mask, 7, 0), L(N, signalfd4, fd, &mask, 8, 1);
    }
    D(signalfd4, -1L, &mask, 8, 0), D(epoll_create1, 0), D(epoll_create1, O_CLOEXEC), D(epoll_create1, 1), D(eventfd2, 0, 0), D(eventfd2, 5, 1), D(eventfd2, 0, 8), D(eventfd2, 0, O_NONBLOCK), D(inotify_init1, 0), D(inotify_init1, 1), D(inotify_init1, O_CLOEXEC);
    D(timerfd_create, 0, 0), D(timerfd_create, 1, O_NONBLOCK), D(timerfd_create, 77, 0), D(timerfd_create, 1, 1), D(timerfd_create, 8, 0), D(memfd_create, "name", 0), D(memfd_create, BAD, 0), D(memfd_create, "name", 0x100), D(memfd_create, long_name, 0), D(memfd_secret, 1), D(userfaultfd, 0x10000);
    C(sync);
}

int main(void) {
    pages();
    make();
    reads();
    sizes();
    descriptors();
    moves();
    waits();
    writes();
    opens();
    looks();
    changes();
    attributes();
    mounts();
    makes();
    flush();
    return 0;
}
