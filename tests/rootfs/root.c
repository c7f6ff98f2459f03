// What a fake root can do; a real one can, too. Run as /root-checks in the tree that `run` makes,
// with "first" and then, in a later run, with "again".
#define _GNU_SOURCE
#include "../linux/check.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

static struct stat of(const char *path) {
    struct stat st;
    memset(&st, 0xff, sizeof st);
    lstat(path, &st);
    return st;
}

static int owned(const char *path, uid_t user, gid_t group) {
    struct stat st = of(path);
    return st.st_uid == user && st.st_gid == group;
}

static int has_mode(const char *path, mode_t mode) {
    return (of(path).st_mode & 07777) == mode;
}

static void touch(const char *path, mode_t mode) {
    int fd = open(path, O_CREAT | O_WRONLY | O_EXCL, mode);
    CHECK(fd >= 0);
    close(fd);
}

// Runs `f` in a child, whose exit code says how it went.
static int in_child(int (*f)(void)) {
    pid_t pid = fork();
    if (pid == 0) _exit(f());
    int status = -1;
    waitpid(pid, &status, 0);
    return status;
}

static int drops(void) {
    gid_t groups[] = {7, 8};
    uid_t r, e, s;
    if (setgroups(2, groups) || setresgid(65, 65, 65) || setresuid(64, 64, 64)) return 1;
    if (getuid() != 64 || geteuid() != 64 || getgid() != 65 || getegid() != 65) return 2;
    if (getgroups(0, NULL) != 2 || getgroups(2, groups) != 2 || groups[1] != 8) return 3;
    if (setuid(0) == 0 || errno != EPERM) return 4;
    if (setgroups(0, NULL) == 0 || errno != EPERM) return 5;
    if (getresuid(&r, &e, &s) || r != 64 || e != 64 || s != 64) return 6;
    if (close(open("/tmp/by-64", O_CREAT | O_WRONLY, 0644)) || mkdir("/tmp/dir-64", 0755)) return 7;
    if (symlink("x", "/tmp/link-64")) return 8;
    if (!owned("/tmp/by-64", 64, 65) || !owned("/tmp/dir-64", 64, 65)) return 9;
    if (!owned("/tmp/link-64", 64, 65)) return 10;
    if (chown("/tmp/by-64", 64, 8) || !owned("/tmp/by-64", 64, 8)) return 11;
    if (chown("/tmp/by-64", 0, 0) == 0 || errno != EPERM) return 12;
    if (chmod("/etc/name", 0600) == 0 || errno != EPERM) return 13;
    if (access("/tmp/secret", R_OK) == 0 || errno != EACCES) return 14;
    return 0;
}

// Who the kernel says the other end of a socket is, and what it tells of us.
static void told(void) {
    int pair[2];
    struct ucred peer = {0};
    socklen_t n = sizeof peer;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    CHECK(getsockopt(pair[0], SOL_SOCKET, SO_PEERCRED, &peer, &n) == 0);
    CHECK(peer.pid == getpid() && peer.uid == 0 && peer.gid == 0);
    char text[4096] = "";
    int fd = open("/proc/self/status", O_RDONLY);
    if (fd < 0) return;
    CHECK(read(fd, text, sizeof text - 1) > 0 && strstr(text, "\nUid:\t0\t0\t0\t0\n"));
    close(fd);
}

static int saved(void) {
    if (seteuid(64) || getuid() != 0 || geteuid() != 64) return 1;
    if (setfsuid(-1) != 64) return 2;
    if (seteuid(0) || geteuid() != 0) return 3;
    return 0;
}

static int runs_set_user_id(void) {
    if (setresgid(65, 65, 65) || setresuid(64, 64, 64)) return 1;
    execl("/tmp/suid", "suid", "who", NULL);
    return 2;
}

static void first(void) {
    umask(022);
    CHECK(getuid() == 0 && geteuid() == 0 && getgid() == 0 && getegid() == 0);
    CHECK(setgroups(0, NULL) == 0);
    CHECK(owned("/etc/name", 0, 0));
    touch("/tmp/a", 0644);
    CHECK(owned("/tmp/a", 0, 0) && has_mode("/tmp/a", 0644));
    CHECK(chown("/tmp/a", 5, 6) == 0 && owned("/tmp/a", 5, 6));
    CHECK(chown("/tmp/a", -1, 7) == 0 && owned("/tmp/a", 5, 7));
    CHECK(chmod("/tmp/a", 06755) == 0 && has_mode("/tmp/a", 06755));
    CHECK(chown("/tmp/a", 9, -1) == 0 && has_mode("/tmp/a", 0755));
    CHECK(chmod("/tmp/a", 0) == 0 && has_mode("/tmp/a", 0));
    int fd = open("/tmp/a", O_RDWR);
    CHECK(fd >= 0);
    CHECK(fchmod(fd, 0400) == 0 && fchown(fd, 10, 11) == 0);
    close(fd);
    CHECK(owned("/tmp/a", 10, 11) && has_mode("/tmp/a", 0400));
    CHECK(access("/tmp/a", R_OK | W_OK) == 0);
    FAILS(access("/tmp/a", X_OK), EACCES);
    FAILS(access("", R_OK), ENOENT);
    FAILS(chmod("", 0600), ENOENT);
    FAILS(chown("", 1, 1), ENOENT);
    touch("/tmp/unreadable", 0);
    CHECK(has_mode("/tmp/unreadable", 0));
    fd = open("/tmp/unreadable", O_RDONLY);
    CHECK(fd >= 0);
    close(fd);
    CHECK(mkdir("/tmp/closed", 0) == 0 && has_mode("/tmp/closed", 0));
    touch("/tmp/closed/f", 0600);
    CHECK(rename("/tmp/closed/f", "/tmp/closed/g") == 0 && unlink("/tmp/closed/g") == 0);
    CHECK(rmdir("/tmp/closed") == 0);
    CHECK(symlink("nowhere", "/tmp/l") == 0 && lchown("/tmp/l", 3, 4) == 0 && owned("/tmp/l", 3, 4));
    CHECK(mknod("/tmp/device", S_IFBLK | 0640, makedev(8, 300)) == 0);
    struct stat st = of("/tmp/device");
    CHECK(S_ISBLK(st.st_mode) && st.st_rdev == makedev(8, 300) && (st.st_mode & 07777) == 0640);
    CHECK(chmod("/tmp/device", 0600) == 0 && chown("/tmp/device", 0, 6) == 0);
    CHECK(S_ISBLK(of("/tmp/device").st_mode) && owned("/tmp/device", 0, 6));
    // A new file in the place of an old one starts anew.
    touch("/tmp/reused", 0644);
    CHECK(chown("/tmp/reused", 70, 70) == 0 && unlink("/tmp/reused") == 0);
    touch("/tmp/reused", 0644);
    CHECK(owned("/tmp/reused", 0, 0));
    touch("/tmp/other", 0644);
    CHECK(chown("/tmp/other", 71, 71) == 0 && rename("/tmp/other", "/tmp/reused") == 0);
    CHECK(owned("/tmp/reused", 71, 71));
    // Files that were closed to their owner before.
    fd = open("/hidden/secret", O_RDWR);
    CHECK(fd >= 0);
    close(fd);
    CHECK(has_mode("/hidden", 0) && has_mode("/hidden/secret", 0));
    touch("/tmp/secret", 0600);
    CHECK(in_child(drops) == 0);
    CHECK(in_child(saved) == 0);
    told();
    CHECK(link("/root-checks", "/tmp/suid") == 0 && chmod("/tmp/suid", 04755) == 0);
    CHECK(in_child(runs_set_user_id) == 0);
    CHECK(chmod("/tmp/suid", 0755) == 0);
    CHECK(getuid() == 0);
}

static void again(void) {
    CHECK(owned("/tmp/a", 10, 11) && has_mode("/tmp/a", 0400));
    CHECK(owned("/tmp/l", 3, 4));
    CHECK(owned("/tmp/by-64", 64, 8));
    CHECK(S_ISBLK(of("/tmp/device").st_mode));
    CHECK(owned("/tmp/reused", 71, 71));
    CHECK(has_mode("/tmp/unreadable", 0));
}

int main(int count, char **args) {
    const char *what = count > 1 ? args[1] : "first";
    // As a set-user-ID program of root, started by another.
    if (!strcmp(what, "who")) return !(getuid() == 64 && geteuid() == 0);
    if (!strcmp(what, "first")) first();
    else again();
    return finish();
}
