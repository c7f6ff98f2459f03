// Mounts and roots of a program's own, in namespaces that it makes as an ordinary user.
#define _GNU_SOURCE
#include "../linux/check.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void put(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    CHECK(write(fd, text, strlen(text)) == (long)strlen(text));
    close(fd);
}

// True if a file has that line or a part of it.
static int has(const char *path, const char *text) {
    static char all[65536];
    int fd = open(path, O_RDONLY), n = 0, k;
    while ((k = read(fd, all + n, sizeof all - 1 - n)) > 0) n += k;
    close(fd);
    all[n] = 0;
    return strstr(all, text) != NULL;
}

static int is_there(const char *path) { return access(path, F_OK) == 0; }

static void enter_namespaces(void) {
    char map[64];
    int uid = getuid(), gid = getgid();
    CHECK(unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0);
    put("/proc/self/setgroups", "deny");
    sprintf(map, "0 %d 1", uid), put("/proc/self/uid_map", map);
    sprintf(map, "0 %d 1", gid), put("/proc/self/gid_map", map);
    CHECK(getuid() == 0);
}

// In the directory where we are: tmpfs, bind, read-only remount, move, umount; another process sees them.
static void mounts(void) {
    CHECK(mkdir("t", 0755) == 0 && mkdir("b", 0755) == 0 && mkdir("m", 0755) == 0);
    put("b/old", "x");
    CHECK(mount("none", "t", "tmpfs", 0, "size=1m") == 0);
    put("t/new", "x");
    pid_t pid = fork();
    if (pid == 0) {
        int ok = is_there("t/new") && mount("t", "b", NULL, MS_BIND, NULL) == 0 && is_there("b/new");
        _exit(!(ok && !is_there("b/old")));
    }
    int status;
    waitpid(pid, &status, 0);
    CHECK(status == 0);
    CHECK(is_there("b/new") && !is_there("b/old"));
    CHECK(mount("none", "b", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) == 0);
    FAILS(open("b/more", O_CREAT | O_WRONLY, 0600), EROFS);
    FAILS(umount2("b", 0x100), EINVAL);
    CHECK(umount2("b", 0) == 0 && is_there("b/old"));
    FAILS(umount2("b", 0), EINVAL);
    CHECK(mount("t", "m", NULL, MS_MOVE, NULL) == 0 && is_there("m/new") && !is_there("t/new"));
    FAILS(mount("no-such", "m", NULL, MS_BIND, NULL), ENOENT);
    FAILS(mount("none", "no-such", "tmpfs", 0, NULL), ENOENT);
    FAILS(mount("none", "m", "no-such-type", 0, NULL), ENODEV);
    int fd = open("m/new", O_RDONLY);
    FAILS(umount2("m", 0), EBUSY);
    close(fd);
    CHECK(umount2("m", 0) == 0 && !is_there("m/new"));
}

// True if the process with that name in a `/proc` runs our program, all by our names and addresses.
static int is_ours(const char *proc, const char *pid, int number) {
    char path[64], exe[600] = "", other[600] = "", field[64], line[1024];
    sprintf(path, "%s/self/exe", proc);
    CHECK(readlink(path, exe + 1, sizeof exe - 3) > 0);
    sprintf(path, "%s/%s/exe", proc, pid);
    CHECK(readlink(path, other + 1, sizeof other - 3) > 0);
    exe[0] = other[0] = ' ', strcat(exe, "\n");
    sprintf(path, "%s/%s/maps", proc, pid);
    int ours = has(path, exe) && strncmp(exe, other, strlen(other)) == 0;
    sprintf(path, "%s/%s/status", proc, pid), sprintf(field, "Pid:\t%d\n", number);
    ours &= has(path, field);
    unsigned long size = 0;
    sprintf(path, "%s/%s/stat", proc, pid);
    FILE *f = fopen(path, "r");
    const char *end = f && fgets(line, sizeof line, f) ? strrchr(line, ')') : NULL;
    if (f) fclose(f);
    ours &= end && sscanf(end, ") %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %lu", &size) == 1;
    return ours && size > 0 && size < 1ul << 30;
}

// A `/proc` of a name space of processes tells about guests by their numbers there, wherever it is.
static void own_proc(const char *proc) {
    char name[64], text[600] = "", here[600];
    pid_t child = fork();
    if (child == 0) for (;;) pause();
    sprintf(name, "%d", child);
    CHECK(is_ours(proc, "self", getpid()) && is_ours(proc, "1", 1) && is_ours(proc, name, child));
    CHECK(kill(child, SIGKILL) == 0 && waitpid(child, NULL, 0) == child);
    sprintf(name, "%s/%d/maps", proc, child);
    CHECK(!is_there(name));
    // Links there say what they lead to, by relative names, too.
    CHECK(getcwd(here, sizeof here) != NULL);
    sprintf(name, "%s/self/cwd", proc);
    CHECK(readlink(name, text, sizeof text - 1) > 0 && strcmp(text, here) == 0);
    int fd = open(proc, O_RDONLY | O_DIRECTORY);
    memset(text, 0, sizeof text);
    CHECK(readlinkat(fd, "self/root", text, sizeof text - 1) == 1 && text[0] == '/');
    memset(text, 0, sizeof text);
    CHECK(fchdir(fd) == 0 && chdir("self") == 0 && readlink("fd/0", text, sizeof text - 1) > 0 && strstr(text, "/dev/zero"));
    int stat = open("stat", O_RDONLY);
    CHECK(read(stat, text, sizeof text - 1) > 0 && atoi(text) == 1);
    close(stat), close(fd);
    CHECK(chdir(here) == 0);
}

static char work[] = "/tmp/mounts-XXXXXX";

static int first_process(const char *me) {
    struct statfs fs;
    CHECK(mount("proc", "/proc", "proc", 0, NULL) == 0);
    own_proc("/proc");
    // The same at another place, beside that of the name space outside.
    CHECK(umount2("/proc", 0) == 0 && mkdir("p", 0755) == 0 && mount("proc", "p", "proc", 0, NULL) == 0);
    own_proc("p");
    CHECK(umount2("p", 0) == 0);
    CHECK(mkdir("n", 0755) == 0 && mkdir("beside", 0755) == 0);
    CHECK(mount("none", "n", "tmpfs", 0, NULL) == 0 && chdir("n") == 0);
    CHECK(mkdir("proc", 0755) == 0 && mkdir("old", 0755) == 0 && mkdir("inner", 0755) == 0);
    CHECK(mount("proc", "proc", "proc", 0, NULL) == 0);
    CHECK(statfs("proc", &fs) == 0 && fs.f_type == 0x9fa0);
    put("mark", "x");
    int outside = open("/", O_PATH | O_DIRECTORY);
    FAILS(syscall(SYS_pivot_root, "proc/self", "old"), EINVAL);
    FAILS(syscall(SYS_pivot_root, "no-such", "old"), ENOENT);
    FAILS(syscall(SYS_pivot_root, "old", "old"), EINVAL);
    CHECK(syscall(SYS_pivot_root, ".", "old") == 0);
    CHECK(chdir("/") == 0 && is_there("/mark") && is_there("/old/proc") && is_there("/proc/self/stat"));
    char text[64] = "";
    CHECK(getcwd(text, sizeof text) != NULL && strcmp(text, "/") == 0);
    own_proc("/proc");
#ifdef __riscv
    // Some hosts let nobody but root read it.
    CHECK(access("/proc/cpuinfo", R_OK) != 0 || has("/proc/cpuinfo", "hart\t\t: 0\n"));
#endif
    // What was mounted on and is the root now is not on top of what it was mounted on.
    char place[600];
    sprintf(place, "/old%s/beside", work), CHECK(is_there(place));
    sprintf(place, "/old%s/n/mark", work), CHECK(!is_there(place));
    CHECK(has("/proc/self/mountinfo", " / rw") && has("/proc/self/mounts", " /proc proc "));
    long n = readlink("/proc/self", text, sizeof text - 1);
    CHECK(n == 1 && text[0] == '1' && getpid() == 1 && is_there("/proc/1/stat"));
    CHECK(readlink("/proc/self/exe", text, sizeof text - 1) > 0);
    // The program itself, from where it was.
    pid_t pid = fork();
    if (pid == 0) {
        char path[600];
        sprintf(path, "/old%s", me);
        execl(path, path, "inside", NULL);
        _exit(1);
    }
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 42);
    CHECK(umount2("/old", MNT_DETACH) == 0 && !is_there("/old/proc"));
    // The same with the old root on top of the new one.
    CHECK(mount("/inner", "/inner", NULL, MS_BIND | MS_REC, NULL) == 0 && chdir("/inner") == 0);
    CHECK(mkdir("again", 0755) == 0);
    int old = open("/", O_PATH | O_DIRECTORY);
    CHECK(syscall(SYS_pivot_root, ".", ".") == 0);
    CHECK(fchdir(old) == 0 && umount2(".", MNT_DETACH) == 0 && chdir("/") == 0);
    CHECK(is_there("/again") && !is_there("/mark"));
    close(outside), close(old);
    return failures != 0;
}

int main(int argc, char **argv) {
    // As what first_process starts.
    if (argc > 1 && strcmp(argv[1], "inside") == 0) return is_there("/mark") ? 42 : 43;
    static char me[512];
    CHECK(readlink("/proc/self/exe", me, sizeof me - 1) > 0);
    CHECK(mkdtemp(work) != NULL && chdir(work) == 0);
    if (getuid() != 0) FAILS(mount("none", work, "tmpfs", 0, NULL), EPERM);
    enter_namespaces();
    CHECK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
    mounts();
    CHECK(unshare(CLONE_NEWPID) == 0);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        int result = first_process(me);
        fflush(stdout);
        _exit(result);
    }
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    // Nothing of it is left outside, where the directories can be removed.
    CHECK(chdir("/") == 0);
    return finish();
}
