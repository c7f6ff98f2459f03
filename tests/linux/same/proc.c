// Files of /proc that rvnative makes itself: as files they behave as the kernel's, whatever is in them.
#define _GNU_SOURCE
#include "same.h"
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>

static int pipes[2], out_file;

static void status_of(const char *what, int r, const struct stat *s) {
    if (r) {
        say("  %s = %s\n", what, result(r));
        return;
    }
    say("  %s: mode %o links %d size %ld blocks %ld block %ld\n", what, s->st_mode, (int)s->st_nlink, (long)s->st_size,
        (long)s->st_blocks, (long)s->st_blksize);
}

static void opens(const char *path) {
    static const struct { const char *name; int flags; } how[] = {
        {"RDONLY", O_RDONLY}, {"WRONLY", O_WRONLY}, {"RDWR", O_RDWR}, {"3", 3}, {"DIRECTORY", O_DIRECTORY},
        {"CREAT", O_CREAT}, {"CREAT|EXCL", O_CREAT | O_EXCL}, {"TRUNC", O_TRUNC}, {"WRONLY|TRUNC", O_WRONLY | O_TRUNC}, {"NOFOLLOW", O_NOFOLLOW},
        {"PATH", O_PATH}, {"NONBLOCK", O_NONBLOCK}, {"APPEND", O_APPEND}, {"CLOEXEC", O_CLOEXEC}, {"TMPFILE", O_TMPFILE | O_RDWR},
        {"DIRECT", O_DIRECT},
    };
    for (size_t i = 0; i < COUNT(how); i++) {
        int fd = open(path, how[i].flags, 0600);
        say("  open %s = %s", how[i].name, fd < 0 ? result(fd) : "ok");
        // The kernel's own flag for large files has a number of each machine's.
        if (fd >= 0) say(" flags %o %o", fcntl(fd, F_GETFL) & ~(0100000 | 0400000), fcntl(fd, F_GETFD));
        say("\n");
        if (fd >= 0) close(fd);
    }
    say("  access %s %s %s %s\n", result(access(path, F_OK)), result(access(path, R_OK)), result(access(path, W_OK)), result(access(path, X_OK)));
    struct stat s;
    status_of("stat", stat(path, &s), &s);
    status_of("lstat", lstat(path, &s), &s);
    say("  truncate = %s\n", result(truncate(path, 0)));
    char link[64];
    say("  readlink = %s\n", result(readlink(path, link, sizeof link)));
    // Root may change the mode of a file that is no process'.
    if (strncmp(path, "/proc/self/", 11)) return;
    say("  chmod = %s, rename = %s, unlink = %s\n", result(chmod(path, 0777)), result(rename(path, "/proc/self/x")), result(unlink(path)));
}

static void reads(const char *path) {
    char all[1 << 16], part[256], link[128], name[64];
    int fd = open(path, O_RDONLY);
    if (fd < 0) {
        say("  cannot be opened: %s\n", result(fd));
        return;
    }
    ssize_t n = read(fd, all, 64);
    say("  read = %s\n", n > 0 ? "some" : result(n));
    say("  position %s\n", lseek(fd, 0, SEEK_CUR) == n ? "moves" : "stays");
    say("  seek = %s", result(lseek(fd, 5, SEEK_SET)));
    say(" %s\n", result(lseek(fd, 3, SEEK_CUR)));
    n = read(fd, part, 16);
    ssize_t m = pread(fd, part + 16, 16, 8);
    say("  again %s\n", n == m && n > 0 && !memcmp(part, part + 16, n) ? "the same" : n == m ? "nothing" : "different");
    say("  end = %s, data = %s, hole = %s, negative = %s, 9 = %s\n", result(lseek(fd, 0, SEEK_END)), result(lseek(fd, 0, SEEK_DATA)),
        result(lseek(fd, 0, SEEK_HOLE)), result(lseek(fd, -1, SEEK_SET)), result(lseek(fd, 0, 9)));
    say("  far = %s", result(lseek(fd, 1L << 40, SEEK_SET)));
    say(" %s\n", result(read(fd, part, 16)));
    struct stat s;
    status_of("fstat", fstat(fd, &s), &s);
    struct stat by_name;
    say("  the same file: %d\n", stat(path, &by_name) == 0 && by_name.st_ino == s.st_ino && by_name.st_dev == s.st_dev);
    status_of("fstatat", fstatat(fd, "", &s, AT_EMPTY_PATH), &s);
    struct statx x;
    int r = statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &x);
    say("  statx = %s size %ld mode %o\n", result(r), r ? 0 : (long)x.stx_size, r ? 0 : x.stx_mode);
    struct statfs fs;
    say("  fstatfs = %s", result(fstatfs(fd, &fs)));
    say(" type %lx\n", (long)fs.f_type);
    struct pollfd p = {fd, POLLIN | POLLOUT | POLLPRI, 0};
    say("  poll = %s", result(poll(&p, 1, 0)));
    say(" events %x\n", p.revents);
    int e = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN};
    say("  epoll_ctl = %s\n", result(epoll_ctl(e, EPOLL_CTL_ADD, fd, &event)));
    close(e);
    lseek(fd, 0, SEEK_SET);
    n = sendfile(out_file, fd, NULL, 16);
    say("  sendfile = %s\n", result(n));
    lseek(fd, 0, SEEK_SET);
    n = splice(fd, NULL, pipes[1], NULL, 16, SPLICE_F_NONBLOCK);
    say("  splice = %s\n", result(n));
    if (n > 0 && read(pipes[0], part, n) != n) say("  lost\n");
    n = copy_file_range(fd, NULL, out_file, NULL, 16, 0);
    say("  copy_file_range = %s\n", result(n));
    void *map = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
    say("  mmap = %s\n", map == MAP_FAILED ? result(-1) : "ok");
    say("  write = %s, ftruncate = %s, fallocate = %s\n", result(write(fd, "x", 1)), result(ftruncate(fd, 0)), result(fallocate(fd, 0, 0, 1)));
    say("  fsync = %s, flock = %s\n", result(fsync(fd)), result(flock(fd, LOCK_EX | LOCK_NB)));
    if (!strncmp(path, "/proc/self/", 11)) say("  fchmod = %s\n", result(fchmod(fd, 0600)));
    int available;
    say("  FIONREAD = %s, 0x5499 = %s\n", result(ioctl(fd, FIONREAD, &available)), result(ioctl(fd, 0x5499, &available)));
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    n = readlink(name, link, sizeof link - 1);
    link[n > 0 ? n : 0] = 0;
    char own[32];
    snprintf(own, sizeof own, "/proc/%d/", getpid());
    say("  link %s\n", !strncmp(link, own, strlen(own)) ? link + strlen(own) : link);
    int again = open(name, O_RDONLY), copy = dup(fd);
    say("  reopened %s, a copy %s\n", read(again, part, 4) > 0 ? "yes" : result(-1), lseek(copy, 0, SEEK_CUR) == lseek(fd, 0, SEEK_CUR) ? "shares" : "has its own");
    say("  xattr = %s\n", result(fgetxattr(fd, "user.x", part, 10)));
    close(again), close(copy), close(fd);
}

// As somebody who has no privileges.
static void as_nobody(const char *path) {
    flush();
    pid_t child = fork();
    if (child == 0) {
        if (geteuid() == 0 && (setgid(54321) || setuid(54321))) say("  cannot become nobody\n");
        opens(path);
        flush();
        _exit(0);
    }
    waitpid(child, NULL, 0);
}

// The directory of mapped files and the lines of `maps` with files are the same.
static void mapped_files(const char *who, const char *whose) {
    char path[64], line[512], name[64], link[512];
    snprintf(path, sizeof path, "/proc/%s/map_files", who);
    DIR *dir = opendir(path);
    int entries = 0, known = 0, leads = 0, files = 0;
    struct dirent *e;
    snprintf(path, sizeof path, "/proc/%s/maps", who);
    while (dir && (e = readdir(dir))) {
        if (*e->d_name == '.') continue;
        entries++;
        FILE *maps = fopen(path, "r");
        while (maps && fgets(line, sizeof line, maps)) {
            unsigned long start, end;
            int at = 0;
            if (sscanf(line, "%lx-%lx %*s %*s %*s %*s %n", &start, &end, &at) < 2 || !at || line[at] != '/') continue;
            snprintf(name, sizeof name, "%lx-%lx", start, end);
            files += entries == 1;
            if (strcmp(name, e->d_name)) continue;
            known++;
            snprintf(name, sizeof name, "/proc/%s/map_files/%s", who, e->d_name);
            ssize_t n = readlink(name, link, sizeof link);
            line[strcspn(line, "\n")] = 0;
            leads += n > 0 && (size_t)n == strlen(line + at) && !memcmp(link, line + at, n);
        }
        if (maps) fclose(maps);
    }
    if (dir) closedir(dir);
    say("map_files of %s: %s, all are in maps %d, all of maps are there %d, they lead there %d\n", whose, entries ? "some" : "none", known == entries, files == entries, leads == entries);
}

static void maps_of_files(void) {
    int fd = open("mapped", O_RDWR | O_CREAT, 0600);
    if (ftruncate(fd, 3 * PAGE)) exit(1);
    char *one = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), *other = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 2 * PAGE);
    if (one == MAP_FAILED || other == MAP_FAILED) exit(1);
    mapped_files("self", "itself");
    munmap(one, PAGE);
    mapped_files("self", "itself, with less");
    pid_t child = fork();
    if (child == 0) {
        pause();
        _exit(0);
    }
    char who[16];
    snprintf(who, sizeof who, "%d", child);
    mapped_files(who, "a child");
    kill(child, SIGKILL), waitpid(child, NULL, 0);
    close(fd), munmap(one + PAGE, PAGE), munmap(other, PAGE);
}

int main(void) {
    if (pipe(pipes)) return 1;
    maps_of_files();
    out_file = open("out", O_RDWR | O_CREAT | O_TRUNC, 0600);
    static const char *const files[] = {
        "/proc/self/maps", "/proc/self/smaps", "/proc/self/smaps_rollup", "/proc/self/cmdline", "/proc/self/auxv",
        "/proc/self/environ", "/proc/self/stat", "/proc/self/statm", "/proc/self/status", "/proc/self/limits",
        "/proc/self/personality", "/proc/self/syscall", "/proc/cpuinfo",
    };
    for (size_t i = 0; i < COUNT(files); i++) {
        say("%s\n", files[i]);
        opens(files[i]);
        reads(files[i]);
        say("%s as nobody\n", files[i]);
        as_nobody(files[i]);
    }
    flush();
    return 0;
}
