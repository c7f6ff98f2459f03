// Names in a root filesystem: run as /paths in the tree that `run` makes. Argument: "chroot" if
// this machine's kernel serves the root (then what only rvnative's world has is left out).
#define _GNU_SOURCE
#include "../linux/check.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

static int real_root;

// What a file holds, or "" if it cannot be read.
static const char *text(int dir, const char *path) {
    static char buffer[4096];
    buffer[0] = 0;
    int fd = openat(dir, path, O_RDONLY);
    if (fd < 0) return buffer;
    ssize_t n = read(fd, buffer, sizeof buffer - 1);
    buffer[n < 0 ? 0 : n] = 0;
    close(fd);
    return buffer;
}

static int holds(const char *path, const char *wanted) {
    return !strcmp(text(AT_FDCWD, path), wanted);
}

static const char *link_of(const char *path) {
    static char buffer[PATH_MAX];
    ssize_t n = readlink(path, buffer, sizeof buffer - 1);
    buffer[n < 0 ? 0 : n] = 0;
    return buffer;
}

static void write_file(const char *path, const char *what) {
    int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0644);
    CHECK(fd >= 0);
    CHECK(write(fd, what, strlen(what)) == (ssize_t)strlen(what));
    close(fd);
}

static void links(void) {
    CHECK(holds("/etc/name", "inside\n"));
    CHECK(holds("//etc/./name", "inside\n"));
    CHECK(holds("/../../etc/name", "inside\n"));
    CHECK(holds("/etc/../../../etc/name", "inside\n"));
    CHECK(holds("/hostile/absolute", "inside\n"));
    CHECK(holds("/hostile/up", "inside\n"));
    CHECK(holds("/hostile/dir/name", "inside\n"));
    CHECK(holds("/hostile/dir/../etc/name", "inside\n"));
    CHECK(holds("/hostile/chain", "inside\n"));
    FAILS(open("/hostile/loop", O_RDONLY), ELOOP);
    FAILS(open("/hostile/loop/x", O_RDONLY), ELOOP);
    FAILS(open("/hostile/outside", O_RDONLY), ENOENT);
    FAILS(open("/hostile/outside-up", O_RDONLY), ENOENT);
    FAILS(open("/hostile/absolute/", O_RDONLY), ENOTDIR);
    FAILS(open("/etc/name/", O_RDONLY), ENOTDIR);
    FAILS(open("/etc/name/..", O_RDONLY), ENOTDIR);
    FAILS(open("/etc/name/.", O_RDONLY), ENOTDIR);
    FAILS(open("", O_RDONLY), ENOENT);
    FAILS(open("/etc/none/name", O_RDONLY), ENOENT);
    FAILS(open("/hostile/absolute", O_RDONLY | O_NOFOLLOW), ELOOP);
    FAILS(open("/hostile/absolute", O_CREAT | O_EXCL | O_RDWR, 0600), EEXIST);
    FAILS(open("/hostile/dangling", O_CREAT | O_EXCL | O_RDWR, 0600), EEXIST);
    // A file comes into being where a dangling link points to, inside.
    CHECK(access("/tmp/made", F_OK) == -1);
    int fd = open("/hostile/dangling", O_CREAT | O_WRONLY, 0600);
    CHECK(fd >= 0);
    close(fd);
    CHECK(access("/tmp/made", F_OK) == 0);
    CHECK(unlink("/tmp/made") == 0);
    fd = open("/hostile/absolute", O_PATH | O_NOFOLLOW);
    struct stat st;
    CHECK(fd >= 0 && fstat(fd, &st) == 0 && S_ISLNK(st.st_mode));
    char target[64] = "";
    CHECK(readlinkat(fd, "", target, sizeof target) == 9 && !memcmp(target, "/etc/name", 9));
    close(fd);
    CHECK(lstat("/hostile/dir", &st) == 0 && S_ISLNK(st.st_mode));
    CHECK(lstat("/hostile/dir/", &st) == 0 && S_ISDIR(st.st_mode));
    CHECK(lstat("/hostile/dir/.", &st) == 0 && S_ISDIR(st.st_mode));
    CHECK(stat("/hostile/dir", &st) == 0 && S_ISDIR(st.st_mode));
    CHECK(lstat("/", &st) == 0 && S_ISDIR(st.st_mode));
    struct stat up;
    CHECK(stat("/..", &up) == 0 && up.st_ino == st.st_ino && up.st_dev == st.st_dev);
    FAILS(readlink("/", target, sizeof target), EINVAL);
    FAILS(readlink("/etc/name", target, sizeof target), EINVAL);
    CHECK(!strcmp(link_of("/hostile/outside"), "/outside-of-the-root"));
}

static void directories(void) {
    char cwd[PATH_MAX];
    CHECK(chdir("/hostile/dir") == 0);
    CHECK(!strcmp(getcwd(cwd, sizeof cwd), "/etc"));
    CHECK(holds("name", "inside\n"));
    CHECK(holds("../etc/name", "inside\n"));
    CHECK(holds("../../../../etc/name", "inside\n"));
    CHECK(!strcmp(link_of("/proc/self/cwd"), "/etc"));
    CHECK(chdir("/") == 0 && !strcmp(getcwd(cwd, sizeof cwd), "/"));
    FAILS(syscall(SYS_getcwd, cwd, 1), ERANGE);
    CHECK(holds("etc/name", "inside\n"));
    CHECK(chdir("..") == 0 && !strcmp(getcwd(cwd, sizeof cwd), "/"));
    int dir = open("/hostile", O_RDONLY | O_DIRECTORY);
    CHECK(!strcmp(text(dir, "absolute"), "inside\n"));
    CHECK(!strcmp(text(dir, "up"), "inside\n"));
    CHECK(!strcmp(text(dir, "../../../etc/name"), "inside\n"));
    CHECK(openat(dir, "outside-up", O_RDONLY) == -1 && errno == ENOENT);
    CHECK(fchdir(dir) == 0 && !strcmp(getcwd(cwd, sizeof cwd), "/hostile"));
    FAILS(openat(-1, "x", O_RDONLY), EBADF);
    int file = open("/etc/name", O_RDONLY);
    FAILS(openat(file, "x", O_RDONLY), ENOTDIR);
    FAILS(openat(file, "..", O_RDONLY), ENOTDIR);
    FAILS(fchdir(file), ENOTDIR);
    close(file);
    // A file that is a mount by itself.
    file = open("/dev/null", O_RDONLY);
    FAILS(openat(file, ".", O_RDONLY), ENOTDIR);
    FAILS(openat(file, "..", O_RDONLY), ENOTDIR);
    FAILS(openat(file, "x", O_RDONLY), ENOTDIR);
    FAILS(fchdir(file), ENOTDIR);
    close(file);
    close(dir);
    CHECK(chdir("/tmp") == 0 && mkdir("gone", 0700) == 0 && chdir("gone") == 0);
    CHECK(rmdir("/tmp/gone") == 0);
    FAILS(syscall(SYS_getcwd, cwd, sizeof cwd), ENOENT);
    FAILS(open("x", O_CREAT | O_WRONLY, 0600), ENOENT);
    struct stat here, above;
    CHECK(stat(".", &here) == 0 && here.st_nlink == 0);
    CHECK(stat("..", &here) == 0 && stat("/tmp", &above) == 0 && here.st_ino == above.st_ino);
    CHECK(chdir("/") == 0);
}

// Directories deeper than a name can be long.
static void deep(void) {
    enum { DEPTH = 50 };
    char name[201], cwd[5000];
    struct stat top, up;
    memset(name, 'x', 200);
    name[200] = 0;
    CHECK(chdir("/tmp") == 0 && stat(".", &top) == 0);
    for (int i = 0; i < DEPTH; i++) CHECK(mkdir(name, 0700) == 0 && chdir(name) == 0);
    FAILS(syscall(SYS_getcwd, cwd, sizeof cwd), ENAMETOOLONG);
    int here = open(".", O_RDONLY | O_DIRECTORY);
    CHECK(here >= 0);
    CHECK(close(open("./file", O_CREAT | O_WRONLY, 0600)) == 0);
    CHECK(symlink("file", "link") == 0 && symlink("/etc/name", "away") == 0);
    CHECK(holds("./link", "") && holds("away", "inside\n"));
    CHECK(mkdir("sub", 0700) == 0 && rename("sub", "../moved") == 0 && rmdir("./../moved") == 0);
    CHECK(close(open("link", O_CREAT | O_WRONLY, 0600)) == 0);
    CHECK(chdir("/") == 0 && fchdir(here) == 0 && access("./link", R_OK) == 0);
    CHECK(unlinkat(here, "file", 0) == 0 && unlink("link") == 0 && unlink("away") == 0);
    close(here);
    for (int i = 0; i < DEPTH; i++) CHECK(chdir("..") == 0 && rmdir(name) == 0);
    CHECK(stat(".", &up) == 0 && up.st_ino == top.st_ino && chdir("/") == 0);
}

static void entries(void) {
    struct stat st;
    CHECK(mkdir("/tmp/d/", 0755) == 0);
    FAILS(mkdir("/tmp/d", 0755), EEXIST);
    FAILS(mkdir("/", 0755), EEXIST);
    FAILS(mkdir("/proc", 0755), EEXIST);
    FAILS(mkdir("/hostile/dangling", 0755), EEXIST);
    FAILS(rmdir("/tmp/d/."), EINVAL);
    FAILS(unlink("/tmp/d"), EISDIR);
    write_file("/tmp/d/a", "a\n");
    CHECK(link("/tmp/d/a", "/tmp/d/b") == 0);
    CHECK(rename("/tmp/d/b", "/tmp/d/c") == 0 && holds("/tmp/d/c", "a\n"));
    CHECK(symlink("/tmp/d/a", "/tmp/d/s") == 0 && holds("/tmp/d/s", "a\n"));
    CHECK(linkat(AT_FDCWD, "/tmp/d/s", AT_FDCWD, "/tmp/d/hard", 0) == 0);
    CHECK(lstat("/tmp/d/hard", &st) == 0 && S_ISLNK(st.st_mode));
    CHECK(linkat(AT_FDCWD, "/tmp/d/s", AT_FDCWD, "/tmp/d/followed", AT_SYMLINK_FOLLOW) == 0);
    CHECK(lstat("/tmp/d/followed", &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 3);
    CHECK(unlink("/tmp/d/s") == 0 && holds("/tmp/d/a", "a\n"));
    CHECK(chmod("/tmp/d/hard", 0600) == 0 && stat("/tmp/d/a", &st) == 0 && (st.st_mode & 0777) == 0600);
    CHECK(truncate("/tmp/d/hard", 1) == 0 && stat("/tmp/d/a", &st) == 0 && st.st_size == 1);
    struct timespec when[2] = {{1000, 0}, {2000, 0}};
    CHECK(utimensat(AT_FDCWD, "/tmp/d/hard", when, 0) == 0);
    CHECK(stat("/tmp/d/a", &st) == 0 && st.st_mtime == 2000);
    CHECK(utimensat(AT_FDCWD, "/tmp/d/hard", when, AT_SYMLINK_NOFOLLOW) == 0);
    CHECK(lstat("/tmp/d/hard", &st) == 0 && st.st_mtime == 2000);
    CHECK(access("/tmp/d/hard", R_OK) == 0);
    CHECK(faccessat(AT_FDCWD, "/hostile/loop", F_OK, AT_SYMLINK_NOFOLLOW) == 0);
    FAILS(rmdir("/tmp/d"), ENOTEMPTY);
    FAILS(rename("/tmp/d", "/tmp/d/x"), EINVAL);
    CHECK(mkfifo("/tmp/d/fifo", 0600) == 0 && stat("/tmp/d/fifo", &st) == 0 && S_ISFIFO(st.st_mode));
    struct statfs fs;
    CHECK(statfs("/tmp/d", &fs) == 0);
    const char *all[] = {"a", "c", "hard", "followed", "fifo"};
    for (unsigned i = 0; i < sizeof all / sizeof *all; i++) {
        char path[64];
        snprintf(path, sizeof path, "/tmp/d/%s", all[i]);
        CHECK(unlink(path) == 0);
    }
    CHECK(rmdir("/tmp/d/") == 0);
    char name[32] = "/tmp/XXXXXX";
    int fd = mkstemp(name);
    CHECK(fd >= 0 && unlink(name) == 0);
    close(fd);
    fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);
    CHECK(fd >= 0);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    CHECK(linkat(AT_FDCWD, path, AT_FDCWD, "/tmp/linked", AT_SYMLINK_FOLLOW) == 0);
    CHECK(unlink("/tmp/linked") == 0);
    close(fd);
}

static void restricted(void) {
    struct open_how how = {.flags = O_RDONLY, .resolve = RESOLVE_NO_SYMLINKS};
    int dir = open("/hostile", O_PATH | O_DIRECTORY);
    CHECK(syscall(SYS_openat2, dir, "absolute", &how, sizeof how) == -1 && errno == ELOOP);
    how.resolve = RESOLVE_BENEATH;
    CHECK(syscall(SYS_openat2, dir, "../etc/name", &how, sizeof how) == -1 && errno == EXDEV);
    CHECK(syscall(SYS_openat2, dir, "plain", &how, sizeof how) >= 0);
    how.resolve = RESOLVE_IN_ROOT;
    CHECK(syscall(SYS_openat2, dir, "/../plain", &how, sizeof how) >= 0);
    how.resolve = 0;
    CHECK(syscall(SYS_openat2, dir, "absolute", &how, sizeof how) >= 0);
    close(dir);
}

static void proc(void) {
    char path[64];
    CHECK(!strcmp(link_of("/proc/self/exe"), "/paths"));
    CHECK(!strcmp(link_of("/proc/self/root"), "/"));
    CHECK(holds("/proc/self/root/etc/name", "inside\n"));
    CHECK(holds("/proc/self/root/../../etc/name", "inside\n"));
    CHECK(holds("/proc/self/cwd/../../etc/name", "inside\n"));
    CHECK(open("/proc/self/root/outside-of-the-root", O_RDONLY) == -1 && errno == ENOENT);
    CHECK(open("/proc/1/root/outside-of-the-root", O_RDONLY) == -1 && (errno == ENOENT || errno == EACCES));
    int fd = open("/etc/name", O_RDONLY);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    CHECK(!strcmp(link_of(path), "/etc/name"));
    CHECK(holds(path, "inside\n"));
    snprintf(path, sizeof path, "/proc/%d/fd/%d", getpid(), fd);
    CHECK(!strcmp(link_of(path), "/etc/name"));
    snprintf(path, sizeof path, "/dev/fd/%d", fd);
    CHECK(holds(path, "inside\n"));
    close(fd);
    fd = open("/etc", O_RDONLY | O_DIRECTORY);
    snprintf(path, sizeof path, "/proc/self/fd/%d/name", fd);
    CHECK(holds(path, "inside\n"));
    snprintf(path, sizeof path, "/proc/self/fd/%d/../etc/name", fd);
    CHECK(holds(path, "inside\n"));
    close(fd);
    int ends[2];
    CHECK(pipe(ends) == 0);
    snprintf(path, sizeof path, "/dev/fd/%d", ends[0]);
    fd = open(path, O_RDONLY);
    CHECK(fd >= 0 && write(ends[1], "x", 1) == 1 && read(fd, path, 1) == 1);
    CHECK(strstr(text(AT_FDCWD, "/proc/self/maps"), "/paths\n") != NULL);
    FILE *self = popen("cat /proc/self/comm", "r");
    if (self) pclose(self);
    struct stat null;
    CHECK(stat("/dev/null", &null) == 0 && S_ISCHR(null.st_mode));
    CHECK(lstat("/dev/null", &null) == 0 && S_ISCHR(null.st_mode));
    fd = open("/dev/null", O_RDWR | O_CREAT | O_TRUNC, 0666);
    CHECK(fd >= 0 && write(fd, "x", 1) == 1);
    // Whatever leads there, a file gets the lowest number, and nobody's descriptors are seen.
    int free = dup(0);
    close(free);
    for (const char **p = (const char *[]){"/etc/name", "/hostile/chain", "/proc/self/status", "/dev/null", "/etc/../etc", NULL}; *p; p++) {
        int opened = open(*p, O_RDONLY);
        CHECK(opened == free);
        close(opened);
    }
    for (const char **p = (const char *[]){"/proc/self/fd", "/proc/self/fdinfo", "/proc/thread-self/fd", NULL}; *p; p++) {
        DIR *fds = opendir(*p);
        int listed = 0;
        for (struct dirent *e; (e = readdir(fds));) {
            if (e->d_name[0] == '.') continue;
            listed++;
            CHECK(atoi(e->d_name) < 900);
        }
        CHECK(listed >= 3);
        closedir(fds);
    }
    for (int fd = 900; fd < 5000; fd++) {
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        CHECK(fcntl(fd, F_GETFD) == -1 && errno == EBADF);
        CHECK(readlink(path, path, sizeof path) == -1 && errno == ENOENT);
        CHECK(open(path, O_RDONLY) == -1 && errno == ENOENT);
    }
    CHECK(!strcmp(link_of("/dev/stdin"), "/proc/self/fd/0"));
}

// The name changes between a file inside and a link to the outside while others open it.
static volatile int stop;

static void *swap(void *unused) {
    (void)unused;
    while (!stop) {
        symlink("/outside-of-the-root", "/tmp/race/link");
        rename("/tmp/race/link", "/tmp/race/name");
        link("/etc/name", "/tmp/race/plain");
        rename("/tmp/race/plain", "/tmp/race/name");
        symlink("../../../../../../../../../../..", "/tmp/race/link");
        rename("/tmp/race/link", "/tmp/race/up");
        mkdir("/tmp/race/dir", 0755);
        syscall(SYS_renameat2, AT_FDCWD, "/tmp/race/dir", AT_FDCWD, "/tmp/race/up", RENAME_EXCHANGE);
        unlink("/tmp/race/dir");
        rmdir("/tmp/race/dir");
    }
    return NULL;
}

static void races(void) {
    pthread_t thread;
    char outside[PATH_MAX + 32];
    const char *real = getenv("REAL_ROOT");
    snprintf(outside, sizeof outside, "/tmp/race/up/%s/../outside", real ? real : "/none");
    CHECK(mkdir("/tmp/race", 0755) == 0);
    CHECK(pthread_create(&thread, NULL, swap, NULL) == 0);
    int seen = 0, escaped = 0;
    for (int i = 0; i < 20000; i++) {
        const char *found = text(AT_FDCWD, "/tmp/race/name");
        if (!strcmp(found, "inside\n")) seen++;
        else if (*found) escaped++;
        struct stat st;
        if (access(outside, F_OK) == 0 || stat(outside, &st) == 0) escaped++;
        if (chdir("/tmp/race/up") == 0) {
            char cwd[PATH_MAX];
            // ENOENT if it has been removed.
            if (syscall(SYS_getcwd, cwd, sizeof cwd) > 0 && strcmp(cwd, "/") && strncmp(cwd, "/tmp/race/", 10)) escaped++;
            if (access("outside-of-the-root", F_OK) == 0) escaped++;
        }
    }
    stop = 1;
    pthread_join(thread, NULL);
    CHECK(chdir("/") == 0);
    CHECK(seen > 0);
    CHECK(escaped == 0);
    unlink("/tmp/race/name");
    unlink("/tmp/race/link");
    unlink("/tmp/race/plain");
    unlink("/tmp/race/up");
    rmdir("/tmp/race/up");
    rmdir("/tmp/race/dir");
    CHECK(rmdir("/tmp/race") == 0);
}

static struct sockaddr_un at(const char *path) {
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
    return a;
}

static void sockets(void) {
    struct sockaddr_un a = at("/tmp/socket"), seen;
    socklen_t n = sizeof seen;
    struct stat st;
    int server = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK(bind(server, (void *)&a, sizeof a) == 0 && listen(server, 5) == 0);
    FAILS(bind(client, (void *)&a, sizeof a), EADDRINUSE);
    CHECK(stat("/tmp/socket", &st) == 0 && S_ISSOCK(st.st_mode));
    CHECK(getsockname(server, (void *)&seen, &n) == 0 && !strcmp(seen.sun_path, "/tmp/socket"));
    CHECK(n == offsetof(struct sockaddr_un, sun_path) + sizeof "/tmp/socket");
    CHECK(symlink("/tmp/socket", "/tmp/link") == 0);
    a = at("/tmp/link");
    CHECK(connect(client, (void *)&a, sizeof a) == 0);
    n = sizeof seen;
    CHECK(getpeername(client, (void *)&seen, &n) == 0 && !strcmp(seen.sun_path, "/tmp/socket"));
    n = sizeof seen;
    int accepted = accept(server, (void *)&seen, &n);
    CHECK(accepted >= 0 && n == sizeof(sa_family_t));
    // Another process sees the server by the same name.
    pid_t pid = fork();
    if (pid == 0) {
        int other = socket(AF_UNIX, SOCK_STREAM, 0);
        a = at("/../tmp/socket");
        n = sizeof seen;
        int ok = connect(other, (void *)&a, sizeof a) == 0 && getpeername(other, (void *)&seen, &n) == 0 && !strcmp(seen.sun_path, "/tmp/socket");
        _exit(!ok);
    }
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    CHECK(unlink("/tmp/link") == 0 && unlink("/tmp/socket") == 0);
    close(server), close(client), close(accepted);
    // A link to a socket outside leads nowhere.
    client = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK(symlink("/outside-socket", "/tmp/link") == 0);
    a = at("/tmp/link");
    FAILS(connect(client, (void *)&a, sizeof a), ENOENT);
    CHECK(unlink("/tmp/link") == 0);
    close(client);
    // Datagrams carry the sender's name; names are as long as they may be.
    int left = socket(AF_UNIX, SOCK_DGRAM, 0), right = socket(AF_UNIX, SOCK_DGRAM, 0);
    char name[108] = "/tmp/";
    memset(name + 5, 'x', 102);
    name[107] = 0;
    a = at(name);
    CHECK(chdir("/tmp") == 0);
    struct sockaddr_un b = at("right");
    CHECK(bind(left, (void *)&a, sizeof a) == 0);
    CHECK(bind(right, (void *)&b, sizeof b) == 0);
    CHECK(sendto(left, "hi", 2, 0, (void *)&b, sizeof b) == 2);
    char buffer[8];
    n = sizeof seen;
    CHECK(recvfrom(right, buffer, sizeof buffer, 0, (void *)&seen, &n) == 2 && !strcmp(seen.sun_path, name));
    struct iovec piece = {buffer, sizeof buffer};
    struct msghdr out = {.msg_name = &a, .msg_namelen = sizeof a, .msg_iov = &piece, .msg_iovlen = 1};
    CHECK(sendmsg(right, &out, 0) == sizeof buffer);
    struct msghdr in = {.msg_name = &seen, .msg_namelen = sizeof seen, .msg_iov = &piece, .msg_iovlen = 1};
    CHECK(recvmsg(left, &in, 0) == sizeof buffer && !strcmp(seen.sun_path, "right"));
    n = sizeof seen;
    CHECK(getsockname(right, (void *)&seen, &n) == 0 && !strcmp(seen.sun_path, "right"));
    CHECK(unlink(name) == 0 && unlink("right") == 0 && chdir("/") == 0);
    close(left), close(right);
}

// Descriptor 9 is a directory outside, as a careless or hostile peer could hand over.
static void outside_descriptor(void) {
    if (real_root || fcntl(9, F_GETFD) < 0) return;
    CHECK(openat(9, "outside", O_RDONLY) == -1 && errno == ENOENT);
    CHECK(openat(9, "..", O_RDONLY) == -1 && errno == ENOENT);
    CHECK(openat(9, ".", O_RDONLY) == -1 && errno == ENOENT);
    FAILS(faccessat(9, "outside", F_OK, 0), ENOENT);
    FAILS(unlinkat(9, "outside", 0), ENOENT);
    FAILS(mkdirat(9, "made", 0700), ENOENT);
    FAILS(fchdir(9), ENOENT);
    FAILS(chdir("/proc/self/fd/9"), EACCES);
    FAILS(open("/proc/self/fd/9/outside", O_RDONLY), EACCES);
    FAILS(open("/proc/self/fd/9", O_RDONLY), EACCES);
    struct open_how how = {.flags = O_RDONLY, .resolve = RESOLVE_IN_ROOT};
    CHECK(syscall(SYS_openat2, 9, "outside", &how, sizeof how) == -1 && errno == ENOENT);
    FAILS(syscall(SYS_openat2, 9, "outside", &how, sizeof how), ENOENT);
}

static struct sockaddr_un named(const char *path) {
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    strcpy(a.sun_path, path);
    return a;
}

#define AT(path) (struct sockaddr *)&(struct sockaddr_un[]){named(path)}, sizeof(struct sockaddr_un)

// Sockets with names, and what calls say of them.
static void socket_names(void) {
    int listener = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK(mkdir("/tmp/s", 0700) == 0);
    CHECK(bind(listener, AT("/tmp/s/stream")) == 0 && listen(listener, 1) == 0);
    struct stat st;
    CHECK(lstat("/tmp/s/stream", &st) == 0 && S_ISSOCK(st.st_mode));
    int second = socket(AF_UNIX, SOCK_STREAM, 0);
    FAILS(bind(second, AT("/tmp/s/stream")), EADDRINUSE);
    FAILS(bind(second, AT("/tmp/absent/stream")), ENOENT);
    FAILS(connect(second, AT("/tmp/s/absent")), ENOENT);
    FAILS(connect(second, AT("/etc/name")), ECONNREFUSED);
    CHECK(symlink("/tmp/s/stream", "/tmp/s/link") == 0);
    CHECK(connect(client, AT("/tmp/s/link")) == 0);
    struct sockaddr_un found = {0};
    socklen_t len = sizeof found;
    CHECK(getsockname(listener, (struct sockaddr *)&found, &len) == 0);
    CHECK(!strcmp(found.sun_path, "/tmp/s/stream") && len == 2 + sizeof "/tmp/s/stream");
    len = sizeof found;
    CHECK(getpeername(client, (struct sockaddr *)&found, &len) == 0);
    CHECK(!strcmp(found.sun_path, "/tmp/s/stream"));
    close(client);
    close(listener);
    close(second);
    int a = socket(AF_UNIX, SOCK_DGRAM, 0), b = socket(AF_UNIX, SOCK_DGRAM, 0);
    CHECK(chdir("/tmp/s") == 0);
    CHECK(bind(a, AT("a")) == 0 && bind(b, AT("b")) == 0);
    CHECK(sendto(a, "x", 1, 0, AT("/tmp/s/b")) == 1);
    char byte;
    struct iovec iov = {&byte, 1};
    struct msghdr m = {.msg_name = &found, .msg_namelen = sizeof found, .msg_iov = &iov, .msg_iovlen = 1};
    CHECK(recvmsg(b, &m, 0) == 1 && !strcmp(found.sun_path, "a") && m.msg_namelen == 4);
    m.msg_namelen = 4;
    CHECK(sendmsg(b, &m, 0) == 1);
    len = sizeof found;
    CHECK(recvfrom(a, &byte, 1, 0, (struct sockaddr *)&found, &len) == 1 && !strcmp(found.sun_path, "b"));
    close(a);
    close(b);
    CHECK(unlink("a") == 0 && unlink("b") == 0 && unlink("link") == 0 && unlink("stream") == 0);
    CHECK(chdir("/") == 0 && rmdir("/tmp/s") == 0);
    // Another directory of the same name.
    CHECK(mkdir("/tmp/s", 0700) == 0);
    a = socket(AF_UNIX, SOCK_DGRAM, 0);
    CHECK(bind(a, AT("/tmp/s/again")) == 0);
    CHECK(unlink("/tmp/s/again") == 0 && rmdir("/tmp/s") == 0);
    close(a);
}

static void administration(void) {
    if (real_root) return;
    FAILS(mount("none", "/tmp", "tmpfs", 0, NULL), EPERM);
    FAILS(umount("/proc"), EPERM);
    FAILS(syscall(SYS_pivot_root, "/", "/tmp"), EPERM);
    struct { struct file_handle head; char bytes[MAX_HANDLE_SZ]; } handle;
    memset(&handle, 0, sizeof handle);
    handle.head.handle_bytes = 8;
    int root = open("/", O_RDONLY);
    FAILS(open_by_handle_at(root, &handle.head, O_RDONLY), EPERM);
    close(root);
    FAILS(rmdir("/proc"), EBUSY);
    FAILS(unlink("/dev/null"), EBUSY);
    FAILS(rename("/tmp", "/dev/shm"), EBUSY);
}

// Links that lead elsewhere than they did a moment ago, by all kinds of detours.
static void changing_links(void) {
    char path[64], wanted[16], to[64];
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "/tmp/at%d", i);
        CHECK(mkdir(path, 0755) == 0);
        snprintf(path, sizeof path, "/tmp/at%d/file", i);
        snprintf(wanted, sizeof wanted, "%d\n", i);
        write_file(path, wanted);
    }
    CHECK(symlink("/tmp/link", "/tmp/absolute") == 0 && symlink("link", "/tmp/relative") == 0);
    CHECK(symlink("/tmp/absolute/file", "/tmp/at0/deep") == 0 && symlink("file", "/tmp/at1/deep") == 0);
    CHECK(symlink("../relative/file", "/tmp/at2/deep") == 0);
    for (int i = 0; i < 60; i++) {
        snprintf(to, sizeof to, i & 1 ? "at%d" : i & 2 ? "/tmp/at%d" : "../tmp/./at%d", i % 3);
        snprintf(wanted, sizeof wanted, "%d\n", i % 3);
        if (i % 10 == 9) {
            // A directory where a link was.
            CHECK(mkdir("/tmp/link", 0755) == 0);
            CHECK(access("/tmp/absolute/file", F_OK) == -1 && errno == ENOENT);
            write_file("/tmp/relative/file", "here\n");
            CHECK(holds("/tmp/link/file", "here\n") && holds("/tmp/absolute/file", "here\n"));
            CHECK(holds("/tmp/at0/deep", "here\n") && holds("/tmp/at2/deep", "here\n"));
            CHECK(unlink("/tmp/link/file") == 0 && rmdir("/tmp/link") == 0);
        }
        CHECK(symlink(to, "/tmp/link") == 0);
        CHECK(holds("/tmp/link/file", wanted) && holds("/tmp/absolute/file", wanted));
        CHECK(holds("/tmp/relative/file", wanted) && holds("/tmp/relative/deep", wanted));
        CHECK(holds("/tmp/at0/deep", wanted) && holds("/tmp/at2/deep", wanted) && holds("/tmp/at1/deep", "1\n"));
        CHECK(!strcmp(link_of("/tmp/link"), to) && !strcmp(link_of("/tmp/absolute"), "/tmp/link"));
        CHECK(open("/tmp/relative", O_RDONLY | O_NOFOLLOW) == -1 && errno == ELOOP);
        int fd = open("/tmp/relative/new", O_CREAT | O_EXCL | O_WRONLY, 0644);
        CHECK(fd >= 0 && close(fd) == 0 && unlink("/tmp/absolute/new") == 0);
        CHECK(unlink("/tmp/link") == 0);
        CHECK(access("/tmp/absolute/file", F_OK) == -1 && errno == ENOENT);
        CHECK(access("/tmp/at0/deep", F_OK) == -1 && errno == ENOENT);
    }
    // A directory on the way becomes a link to one whose link says the same.
    CHECK(mkdir("/tmp/way", 0755) == 0 && symlink("/tmp/at1/file", "/tmp/way/on") == 0);
    CHECK(holds("/tmp/way/on", "1\n") && holds("/tmp/way/on", "1\n"));
    CHECK(rename("/tmp/way", "/tmp/away") == 0 && symlink("/tmp/at2", "/tmp/way") == 0);
    CHECK(access("/tmp/way/on", F_OK) == -1 && errno == ENOENT);
    CHECK(symlink("/tmp/at1/file", "/tmp/at2/on") == 0 && holds("/tmp/way/on", "1\n"));
    for (const char **p = (const char *[]){"absolute", "relative", "at0/deep", "at1/deep", "at2/deep", "at0/file", "at1/file",
                                           "at2/file", "at2/on", "away/on", "way", NULL}; *p; p++) {
        snprintf(path, sizeof path, "/tmp/%s", *p);
        CHECK(unlink(path) == 0);
    }
    CHECK(rmdir("/tmp/at0") == 0 && rmdir("/tmp/at1") == 0 && rmdir("/tmp/at2") == 0 && rmdir("/tmp/away") == 0);
}

// What /proc tells about mounts and mappings has the guest's names.
static void names_in_proc(void) {
    const char *outside = getenv("REAL_ROOT");
    FILE *mounts = fopen("/proc/mounts", "r");
    char line[1024], place[256], kind[64];
    int roots = 0, procs = 0;
    while (mounts && fgets(line, sizeof line, mounts)) {
        CHECK(sscanf(line, "%*s %255s %63s", place, kind) == 2);
        roots += !strcmp(place, "/");
        procs += !strcmp(place, "/proc") && !strcmp(kind, "proc");
        CHECK(!outside || !strstr(place, outside));
    }
    if (mounts) fclose(mounts);
    CHECK(procs == 1 && roots == !real_root);
    int fd = open("/etc/name", O_RDONLY);
    CHECK(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0) != MAP_FAILED);
    CHECK(strstr(text(AT_FDCWD, "/proc/self/maps"), " /etc/name\n") != NULL);
    close(fd);
    pid_t other = fork();
    if (other == 0) for (;;) pause();
    char maps[64];
    snprintf(maps, sizeof maps, "/proc/%d/maps", other);
    // Under qemu, other guest processes are not known by what they execute.
    CHECK(under_qemu() || strstr(text(AT_FDCWD, maps), " /etc/name\n") != NULL);
    CHECK(kill(other, SIGKILL) == 0 && waitpid(other, NULL, 0) == other);
    int id, parent, top = -1, under = 0;
    mounts = fopen("/proc/self/mountinfo", "r");
    while (mounts && fgets(line, sizeof line, mounts)) {
        CHECK(sscanf(line, "%d %d %*s %*s %255s", &id, &parent, place) == 3 && strstr(line, " - "));
        if (!strcmp(place, "/")) top = id;
        under += parent == top;
    }
    if (mounts) fclose(mounts);
    CHECK(real_root || (top > 0 && under > 0));
    struct statx x;
    CHECK(statx(AT_FDCWD, "/", 0, STATX_MNT_ID, &x) == 0 && (real_root || (long)x.stx_mnt_id == top));
}

static volatile int has_root, may_end;

static int with_other_root(void *arg) {
    has_root = chroot("/tmp/jail") == 0 && access("/name", F_OK) == 0 ? 1 : -1;
    while (!may_end) usleep(1000);
    return arg != NULL;
}

// A process that shares our memory and not our descriptors gets another root: its end closes none of ours.
static void other_root_beside(void) {
    static char stack[1 << 16];
    enum { FIRST = 990, LAST = 1020 };
    int mine[LAST], status = -1;
    // Where it shares our root too, the rest has other names: not here.
    pid_t child = clone(with_other_root, stack + sizeof stack, CLONE_VM | SIGCHLD, NULL);
    CHECK(child > 0);
    while (!has_root) usleep(1000);
    CHECK(has_root == 1);
    for (int fd = FIRST; fd < LAST; fd++) mine[fd] = fcntl(fd, F_GETFD) == -1 && dup2(0, fd) == fd;
    may_end = 1;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    usleep(100000);
    for (int fd = FIRST; fd < LAST; fd++)
        if (mine[fd]) CHECK(close(fd) == 0);
    CHECK(holds("/etc/name", "inside\n"));
}

// A root of its own inside, for one process and its children.
static void other_root(void) {
    if (geteuid() != 0) {
        FAILS(chroot("/tmp"), EPERM);
        return;
    }
    FAILS(chroot("/etc/name"), ENOTDIR);
    FAILS(chroot("/nowhere"), ENOENT);
    FAILS(chroot(""), ENOENT);
    FAILS(chroot((char *)8), EFAULT);
    CHECK(mkdir("/tmp/jail", 0755) == 0 && mkdir("/tmp/jail/sub", 0755) == 0);
    write_file("/tmp/jail/name", "jailed\n");
    CHECK(symlink("/name", "/tmp/jail/link") == 0);
    pid_t child = fork();
    if (child == 0) {
        int before = failures;
        char cwd[64];
        CHECK(chdir("/tmp/jail") == 0 && chroot(".") == 0);
        CHECK(getcwd(cwd, sizeof cwd) && !strcmp(cwd, "/"));
        CHECK(holds("/name", "jailed\n") && holds("/link", "jailed\n") && holds("name", "jailed\n"));
        CHECK(holds("/../../name", "jailed\n") && holds("sub/../../name", "jailed\n"));
        CHECK(access("/etc/name", F_OK) == -1 && errno == ENOENT);
        CHECK(access("/proc/self", F_OK) == -1 && errno == ENOENT);
        write_file("/made", "made\n");
        if (fork() == 0) {
            CHECK(holds("/link", "jailed\n"));
            CHECK(chroot("/sub") == 0 && chdir("/") == 0);
            CHECK(access("/name", F_OK) == -1 && errno == ENOENT);
            _exit(failures != before);
        }
        int status = -1;
        CHECK(wait(&status) > 0 && status == 0);
        CHECK(holds("/link", "jailed\n"));
        _exit(failures != before);
    }
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    // A child that shares our memory does not share our root.
    child = vfork();
    if (child == 0) _exit(chroot("/tmp/jail") || access("/name", F_OK));
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    CHECK(holds("/tmp/jail/made", "made\n") && holds("/etc/name", "inside\n"));
    other_root_beside();
    CHECK(unlink("/tmp/jail/made") == 0 && unlink("/tmp/jail/name") == 0 && unlink("/tmp/jail/link") == 0);
    CHECK(rmdir("/tmp/jail/sub") == 0 && rmdir("/tmp/jail") == 0);
}

int main(int count, char **args) {
    real_root = count > 1 && !strcmp(args[1], "chroot");
    links();
    directories();
    deep();
    entries();
    restricted();
    proc();
    sockets();
    races();
    outside_descriptor();
    socket_names();
    administration();
    changing_links();
    names_in_proc();
    other_root();
    return finish();
}
