// Calls about processes with all kinds of arguments: flags, ids, descriptors, structures and addresses.
#define _GNU_SOURCE
#include "same.h"
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define BAD ((void *)-PAGE)

struct name { const char *name; long value; };

struct args {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
};

static char *none;
static int out_of_range = 1000000;

// Makes a child that ends at once, and says how it ended.
static void clones(const char *what, struct args *args, size_t size) {
    flush();
    int before = syscall(SYS_dup, 0);
    close(before);
    long pid = syscall(SYS_clone3, args, size);
    if (pid == 0) _exit(3);
    say("clone3 %s = %s", what, pid < 0 ? result(pid) : "ok");
    if (pid > 0) {
        int status = -1;
        // One whose end is told by another signal or by none is found by __WALL.
        long waited = waitpid(pid, &status, __WALL);
        say(" status %x %s", status, waited == pid ? "waited for" : result(waited));
        if (args->flags & CLONE_PIDFD && args->pidfd) {
            int fd = *(int *)args->pidfd;
            say(" pidfd %d", fd - before);
            close(fd);
        }
    }
    int after = syscall(SYS_dup, 0);
    close(after);
    say(" %d descriptors lost\n", after - before);
}

static void flags_of_clone(void) {
    int pidfd = -1, tid = 0;
    for (int bit = 0; bit < 64; bit++) {
        uint64_t flag = 1UL << bit;
        // A child in our memory would run on our stack.
        if (flag == CLONE_VM || flag == CLONE_VFORK || flag == CLONE_SETTLS) continue;
        // What a world without privileges is not asked for.
        for (int signal = 0; signal < 3; signal++) {
            struct args args = {.flags = flag, .exit_signal = signal == 0 ? SIGCHLD : signal == 1 ? 0 : SIGUSR1};
            args.pidfd = (uintptr_t)&pidfd, args.parent_tid = (uintptr_t)&tid, args.child_tid = (uintptr_t)&tid;
            char text[64];
            snprintf(text, sizeof text, "bit %d signal %d", bit, signal);
            clones(text, &args, sizeof args);
        }
    }
    static const struct name pairs[] = {
        {"SIGHAND", CLONE_SIGHAND}, {"THREAD", CLONE_THREAD}, {"THREAD|SIGHAND", CLONE_THREAD | CLONE_SIGHAND},
        {"NEWNS|FS", CLONE_NEWNS | CLONE_FS}, {"NEWUSER|FS", CLONE_NEWUSER | CLONE_FS}, {"NEWIPC|SYSVSEM", CLONE_NEWIPC | CLONE_SYSVSEM},
        {"NEWPID|THREAD", CLONE_NEWPID | CLONE_THREAD}, {"PIDFD|DETACHED", CLONE_PIDFD | CLONE_DETACHED},
        {"PIDFD|PARENT_SETTID", CLONE_PIDFD | CLONE_PARENT_SETTID}, {"PARENT", CLONE_PARENT}, {"UNTRACED", CLONE_UNTRACED},
        {"FILES|FS|IO", CLONE_FILES | CLONE_FS | CLONE_IO}, {"SYSVSEM|FS", CLONE_SYSVSEM | CLONE_FS}, {"CLEAR_SIGHAND", 1L << 32},
        {"CLEAR_SIGHAND|SIGHAND|VM", 1L << 32 | CLONE_SIGHAND | CLONE_VM}, {"INTO_CGROUP", 1L << 33},
    };
    for (size_t i = 0; i < COUNT(pairs); i++) {
        struct args args = {.flags = pairs[i].value, .exit_signal = pairs[i].value & (CLONE_THREAD | CLONE_PARENT) ? 0 : SIGCHLD};
        args.pidfd = (uintptr_t)&pidfd, args.parent_tid = (uintptr_t)&tid, args.cgroup = 9999;
        clones(pairs[i].name, &args, sizeof args);
    }
    static const struct name sizes[] = {{"0", 0}, {"8", 8}, {"63", 63}, {"64", 64}, {"72", 72}, {"80", 80}, {"88", 88}, {"96", 96}, {"4096", 4096}, {"4097", 4097}, {"huge", -1}};
    static char room[8192];
    for (size_t i = 0; i < COUNT(sizes); i++)
        for (int more = 0; more < 2; more++) {
            memset(room, 0, sizeof room);
            struct args *args = (void *)room;
            args->exit_signal = SIGCHLD;
            if (more) room[90] = 1;
            clones(sizes[i].name, args, sizes[i].value);
        }
    static const struct name signals[] = {{"1", 1}, {"64", 64}, {"65", 65}, {"128", 128}, {"255", 255}, {"256", 256}, {"-1", -1}};
    for (size_t i = 0; i < COUNT(signals); i++) {
        struct args args = {.exit_signal = signals[i].value};
        clones(signals[i].name, &args, sizeof args);
    }
    // Addresses and ids.
    struct args all[] = {
        {.flags = CLONE_PIDFD, .pidfd = 8, .exit_signal = SIGCHLD}, {.flags = CLONE_PIDFD, .pidfd = 0, .exit_signal = SIGCHLD},
        {.flags = CLONE_PIDFD, .pidfd = (uintptr_t)BAD, .exit_signal = SIGCHLD}, {.flags = CLONE_PIDFD, .pidfd = (uintptr_t)none, .exit_signal = SIGCHLD},
        {.flags = CLONE_PARENT_SETTID, .parent_tid = 8, .exit_signal = SIGCHLD}, {.flags = CLONE_CHILD_SETTID, .child_tid = 8, .exit_signal = SIGCHLD},
        {.flags = CLONE_CHILD_CLEARTID, .child_tid = 8, .exit_signal = SIGCHLD},
        {.stack = 4096, .exit_signal = SIGCHLD}, {.stack_size = 4096, .exit_signal = SIGCHLD}, {.stack = -4096UL, .stack_size = 4096, .exit_signal = SIGCHLD},
        {.set_tid = 8, .exit_signal = SIGCHLD}, {.set_tid_size = 1, .exit_signal = SIGCHLD}, {.set_tid = 8, .set_tid_size = 1, .exit_signal = SIGCHLD},
        {.set_tid = (uintptr_t)&out_of_range, .set_tid_size = 1, .exit_signal = SIGCHLD}, {.set_tid = 8, .set_tid_size = 33, .exit_signal = SIGCHLD},
        {.flags = 1UL << 33, .cgroup = 1UL << 40, .exit_signal = SIGCHLD}, {.flags = 1UL << 33, .cgroup = 0, .exit_signal = SIGCHLD},
        {.cgroup = 5, .exit_signal = SIGCHLD}, {.tls = 5, .exit_signal = SIGCHLD},
    };
    for (size_t i = 0; i < COUNT(all); i++) {
        char text[32];
        snprintf(text, sizeof text, "case %zu", i);
        struct args args = all[i];
        clones(text, &args, sizeof args);
    }
    say("clone3 at a bad address = %s %s %s\n", result(syscall(SYS_clone3, BAD, 88)), result(syscall(SYS_clone3, 0, 88)), result(syscall(SYS_clone3, none, 64)));
}

// The older call: the order of its arguments differs between machines, those used here are in one place.
static void older_clone(void) {
    static const struct name flags[] = {
        {"0", 0}, {"SIGCHLD", SIGCHLD}, {"200", 200}, {"FS", CLONE_FS | SIGCHLD}, {"PIDFD", CLONE_PIDFD | SIGCHLD}, {"PIDFD|PARENT_SETTID", CLONE_PIDFD | CLONE_PARENT_SETTID},
        {"PIDFD|DETACHED", CLONE_PIDFD | CLONE_DETACHED}, {"DETACHED", CLONE_DETACHED | SIGCHLD}, {"SIGHAND", CLONE_SIGHAND}, {"THREAD", CLONE_THREAD},
        {"SYSVSEM", CLONE_SYSVSEM | SIGCHLD}, {"PARENT_SETTID", CLONE_PARENT_SETTID | SIGCHLD}, {"NEWNS|FS", CLONE_NEWNS | CLONE_FS},
    };
    int word = -1;
    void *places[] = {&word, NULL, BAD, none};
    for (size_t f = 0; f < COUNT(flags); f++)
        for (size_t p = 0; p < COUNT(places); p++) {
            word = -1;
            flush();
            long pid = syscall(SYS_clone, flags[f].value, 0, places[p], 0, 0);
            if (pid == 0) _exit(4);
            say("clone %s at %zu = %s", flags[f].name, p, pid < 0 ? result(pid) : "ok");
            int status = -1;
            if (pid > 0) {
                say(" %s", waitpid(pid, &status, __WALL) == pid ? "waited for" : result(-1));
                say(" status %x", status);
            }
            say(" word %s\n", word == -1 ? "untouched" : word == pid ? "the id" : word == -1 ? "-1" : "written");
            if (flags[f].value & CLONE_PIDFD && word > 2 && word != pid) close(word);
        }
}

static void unshares(void) {
    for (int bit = 0; bit < 40; bit++) {
        flush();
        pid_t pid = fork();
        if (pid == 0) {
            say("unshare bit %d = %s\n", bit, result(syscall(SYS_unshare, 1UL << bit)));
            flush();
            _exit(0);
        }
        waitpid(pid, NULL, 0);
    }
    int file = open(".", O_RDONLY), own = open("/proc/self/ns/uts", O_RDONLY), self = syscall(SYS_pidfd_open, getpid(), 0);
    const struct name fds[] = {{"-1", -1}, {"99", 99}, {"directory", file}, {"uts", own}, {"pidfd", self}};
    static const struct name kinds[] = {{"0", 0}, {"NEWUTS", CLONE_NEWUTS}, {"NEWNET", CLONE_NEWNET}, {"NEWUSER", CLONE_NEWUSER}, {"1", 1}, {"-1", -1}, {"NEWUTS|NEWNET", CLONE_NEWUTS | CLONE_NEWNET}};
    for (size_t f = 0; f < COUNT(fds); f++)
        for (size_t k = 0; k < COUNT(kinds); k++)
            say("setns(%s, %s) = %s\n", fds[f].name, kinds[k].name, result(syscall(SYS_setns, fds[f].value, kinds[k].value)));
    close(file), close(own), close(self);
}

static void waits(void) {
    pid_t stopped = fork();
    if (stopped == 0) {
        raise(SIGSTOP);
        _exit(0);
    }
    int status;
    waitpid(stopped, &status, WUNTRACED);
    pid_t zombie = fork();
    if (zombie == 0) _exit(9);
    siginfo_t info;
    waitid(P_PID, zombie, &info, WEXITED | WNOWAIT);
    int fd = syscall(SYS_pidfd_open, zombie, 0), quiet = syscall(SYS_pidfd_open, zombie, O_NONBLOCK), self = syscall(SYS_pidfd_open, getpid(), 0);
    const struct name ids[] = {{"zombie", zombie}, {"stopped", stopped}, {"self", getpid()}, {"0", 0}, {"-1", -1}, {"none", 4194303}, {"pidfd", fd}, {"nonblock", quiet}, {"own pidfd", self}, {"99", 99}};
    static const struct name kinds[] = {{"P_ALL", 0}, {"P_PID", 1}, {"P_PGID", 2}, {"P_PIDFD", 3}, {"4", 4}, {"-1", -1}};
    static const struct name options[] = {
        {"0", 0}, {"EXITED|NOWAIT|NOHANG", WEXITED | WNOWAIT | WNOHANG}, {"STOPPED|NOWAIT|NOHANG", WSTOPPED | WNOWAIT | WNOHANG}, {"CONTINUED|NOHANG", WCONTINUED | WNOHANG},
        {"NOHANG", WNOHANG}, {"NOWAIT", WNOWAIT}, {"unknown", 0x100 | WEXITED | WNOHANG}, {"all kinds", __WALL | WEXITED | WNOWAIT | WNOHANG}, {"clones", __WCLONE | WEXITED | WNOWAIT | WNOHANG},
        {"threads", __WNOTHREAD | WEXITED | WNOWAIT | WNOHANG},
    };
    struct rusage usage;
    void *infos[] = {&info, NULL, BAD}, *usages[] = {NULL, &usage, BAD};
    for (size_t k = 0; k < COUNT(kinds); k++)
        for (size_t i = 0; i < COUNT(ids); i++)
            for (size_t o = 0; o < COUNT(options); o++)
                for (int p = 0; p < 3; p++) {
                    if (p && o != 1 && o != 2) continue;
                    memset(&info, 0x55, sizeof info);
                    long r = syscall(SYS_waitid, kinds[k].value, ids[i].value, infos[p], options[o].value, usages[p]);
                    say("waitid(%s, %s, %s, %d) = %s", kinds[k].name, ids[i].name, options[o].name, p, result(r));
                    if (r == 0 && p == 0)
                        say(" %d %d %s %x", info.si_signo, info.si_code, info.si_pid == zombie ? "zombie" : info.si_pid == stopped ? "stopped" : info.si_pid ? "other" : "0", info.si_status);
                    say("\n");
                }
    static const struct name whom[] = {{"none", 4194303}, {"self", 0}, {"min", (int)0x80000000}, {"-2", -2}};
    for (size_t w = 0; w < COUNT(whom); w++)
        for (size_t o = 0; o < COUNT(options); o++)
            say("wait4(%s, %s) = %s\n", whom[w].name, options[o].name, result(syscall(SYS_wait4, w == 1 ? getpid() : whom[w].value, &status, options[o].value | WNOHANG, 0)));
    say("wait4 with bad addresses = %s %s\n", result(syscall(SYS_wait4, 4194303, BAD, WNOHANG, 0)), result(syscall(SYS_wait4, 4194303, 0, WNOHANG, BAD)));

    // Descriptors of processes.
    static const struct name flags[] = {{"0", 0}, {"NONBLOCK", O_NONBLOCK}, {"THREAD", O_EXCL}, {"1", 1}, {"CLOEXEC", O_CLOEXEC}, {"-1", -1}};
    for (size_t i = 0; i < 6; i++)
        for (size_t f = 0; f < COUNT(flags); f++) {
            int got = syscall(SYS_pidfd_open, ids[i].value, flags[f].value);
            say("pidfd_open(%s, %s) = %s", ids[i].name, flags[f].name, got < 0 ? result(got) : "ok");
            if (got >= 0) say(" %d %o", fcntl(got, F_GETFD), fcntl(got, F_GETFL) & O_NONBLOCK);
            say("\n");
            if (got >= 0) close(got);
        }
    siginfo_t own = {.si_signo = SIGUSR1, .si_code = SI_QUEUE}, kernels = {.si_signo = SIGUSR1, .si_code = SI_USER}, other = {.si_signo = SIGUSR2, .si_code = SI_QUEUE};
    void *sent[] = {NULL, &own, &kernels, &other, BAD, none};
    const struct name targets[] = {{"zombie", fd}, {"self", self}, {"-1", -1}, {"99", 99}, {"file", 1}};
    static const struct name signals[] = {{"0", 0}, {"USR1", SIGUSR1}, {"65", 65}, {"-1", -1}};
    signal(SIGUSR1, SIG_IGN), signal(SIGUSR2, SIG_IGN);
    for (size_t t = 0; t < COUNT(targets); t++)
        for (size_t s = 0; s < COUNT(signals); s++)
            for (size_t i = 0; i < COUNT(sent); i++)
                for (int f = 0; f < 3; f++)
                    say("pidfd_send_signal(%s, %s, %zu, %d) = %s\n", targets[t].name, signals[s].name, i, f == 2 ? 16 : f,
                        result(syscall(SYS_pidfd_send_signal, targets[t].value, signals[s].value, sent[i], f == 2 ? 16 : f)));
    for (size_t t = 0; t < COUNT(targets); t++)
        for (int n = 0; n < 4; n++) {
            int got = syscall(SYS_pidfd_getfd, targets[t].value, n == 0 ? 1 : n == 1 ? 999 : n == 2 ? -1 : 2, n == 3);
            say("pidfd_getfd(%s, %d) = %s\n", targets[t].name, n, got < 0 ? result(got) : "ok");
            if (got >= 0) close(got);
        }
    kill(stopped, SIGKILL);
    while (wait(NULL) > 0) continue;
    close(fd), close(quiet), close(self);
}

static void starts(void) {
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), path_only = open("/proc/self/exe", O_PATH | O_CLOEXEC), dir = open(".", O_RDONLY | O_DIRECTORY);
    int writer = open("busy", O_CREAT | O_RDWR, 0755), memory = memfd_create("empty", 0), pipes[2];
    if (pipe(pipes) || mkdir("folder", 0755) || symlink("busy", "link") || symlink("loop", "loop") || mkfifo("fifo", 0777)) exit(1);
    int text = open("text", O_CREAT | O_RDWR | O_TRUNC, 0644);
    if (write(text, "#!/bin/none\n", 12) != 12) exit(1);
    close(text);
    char *lines[] = {"#!\n", "#!   \n", "#!/bin/none\n", "#! /bin/none x\n", "#!./text\n", "#!folder\n", "words\n", "", "\x7f" "ELF", "#!/bin/none", "#!\t/bin/none\t\n"};
    static const struct name dirs[] = {{"CWD", AT_FDCWD}, {"-1", -1}, {"99", 99}};
    static const struct name flags[] = {{"0", 0}, {"EMPTY_PATH", AT_EMPTY_PATH}, {"NOFOLLOW", AT_SYMLINK_NOFOLLOW}, {"both", AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW}, {"1", 1}};
    const char *paths[] = {"", "none", "text", "folder", "folder/none", "text/none", "link", "loop", "fifo", "/", ".", "busy", NULL, BAD};
    const struct name more[] = {{"file", fd}, {"O_PATH", path_only}, {"directory", dir}, {"pipe", pipes[0]}, {"memory", memory}};
    char *args[] = {"name", NULL}, *bad_args[] = {"name", BAD, NULL};
    for (size_t p = 0; p < COUNT(paths); p++)
        for (size_t f = 0; f < COUNT(flags); f++)
            for (size_t d = 0; d < COUNT(dirs) + COUNT(more); d++)
                for (int a = 0; a < 3; a++) {
                    const struct name *at = d < COUNT(dirs) ? &dirs[d] : &more[d - COUNT(dirs)];
                    // One that could start.
                    if (p == 0 && d >= 3 && d < 5 && a == 0) continue;
                    char **arg = a == 0 ? args : a == 1 ? bad_args : BAD;
                    say("execveat(%s, %s, %s, %d) = %s\n", at->name, p == 12 ? "NULL" : p == 13 ? "bad" : paths[p], flags[f].name, a,
                        result(syscall(SYS_execveat, at->value, paths[p], arg, environ, flags[f].value)));
                }
    for (size_t i = 0; i < COUNT(lines); i++)
        for (int mode = 0600; mode <= 0700; mode += 0100) {
            int script = open("script", O_CREAT | O_RDWR | O_TRUNC, 0700);
            if (write(script, lines[i], strlen(lines[i])) < 0 || fchmod(script, mode)) exit(1);
            say("script %zu mode %o, open for writing = %s", i, mode, result(execve("./script", args, environ)));
            close(script);
            say(", closed = %s\n", result(execve("./script", args, environ)));
        }
    // Long first lines: the kernel looks at 256 bytes.
    for (int length = 240; length < 270; length++) {
        char line[512] = "#!/";
        memset(line + 3, 'x', length - 3);
        for (int end = 0; end < 3; end++) {
            line[length] = end == 0 ? '\n' : end == 1 ? ' ' : 0;
            strcpy(line + length + 1, "argument\n");
            int script = open("script", O_CREAT | O_RDWR | O_TRUNC, 0700);
            if (write(script, line, end == 2 ? length : length + 10) < 0) exit(1);
            close(script);
            say("first line of %d, %d = %s\n", length, end, result(execve("./script", args, environ)));
        }
    }
    // Scripts of scripts.
    for (int depth = 1; depth < 9; depth++) {
        char name[32], line[64];
        snprintf(name, sizeof name, "s%d", depth);
        snprintf(line, sizeof line, depth == 1 ? "#!./none\n" : "#!./s%d\n", depth - 1);
        int script = open(name, O_CREAT | O_RDWR | O_TRUNC, 0700);
        if (write(script, line, strlen(line)) < 0) exit(1);
        close(script);
        snprintf(name, sizeof name, "./s%d", depth);
        say("%d scripts = %s\n", depth, result(execve(name, args, environ)));
    }
    close(writer);
}

static void ids(void) {
    static const struct name pids[] = {{"none", 4194303}, {"0", 0}, {"-1", -1}, {"-2", -2}, {"min", (int)0x80000000}};
    static const struct name signals[] = {{"0", 0}, {"64", 64}, {"65", 65}, {"-1", -1}};
    for (size_t p = 0; p < COUNT(pids); p++) {
        for (size_t s = 0; s < COUNT(signals); s++) {
            if (p != 1 && p != 2) say("kill(%s, %s) = %s\n", pids[p].name, signals[s].name, result(syscall(SYS_kill, pids[p].value, signals[s].value)));
            say("tkill(%s, %s) = %s\n", pids[p].name, signals[s].name, result(syscall(SYS_tkill, pids[p].value, signals[s].value)));
            say("tgkill(%s, %s) = %s\n", pids[p].name, signals[s].name, result(syscall(SYS_tgkill, pids[p].value, pids[p].value, signals[s].value)));
        }
        long id = pids[p].value;
        char room[128] = {0};
        say("%s: getpgid %s getsid %s sched_getscheduler %s getparam %s\n", pids[p].name, id == 0 ? "-" : result(syscall(SYS_getpgid, id)), id == 0 ? "-" : result(syscall(SYS_getsid, id)),
            result(syscall(SYS_sched_getscheduler, id)), result(syscall(SYS_sched_getparam, id, room)));
        say("%s: getparam %s getattr %s setparam %s rr %s\n", pids[p].name, result(syscall(SYS_sched_getparam, id, BAD)), result(syscall(SYS_sched_getattr, id, BAD, 48, 0)),
            result(syscall(SYS_sched_setparam, id, BAD)), result(syscall(SYS_sched_rr_get_interval, id, BAD)));
        say("%s: affinity %s %s %s\n", pids[p].name, result(syscall(SYS_sched_getaffinity, id, 4, room)), result(syscall(SYS_sched_getaffinity, id, 128, BAD)),
            result(syscall(SYS_sched_setaffinity, id, 128, BAD)));
        for (int which = -1; which < 4; which++)
            if (p != 2 && p != 1)
                say("%s: priority %d %s ioprio %s\n", pids[p].name, which, result(syscall(SYS_getpriority, which, id)), result(syscall(SYS_ioprio_get, which, id)));
        for (int kind = -1; kind < 9; kind++)
            say("%s: kcmp %d %s\n", pids[p].name, kind, result(syscall(SYS_kcmp, getpid(), id, kind, 0, 0)));
        for (int resource = -1; resource < 17; resource++)
            if (id != 0) say("%s: prlimit %d %s\n", pids[p].name, resource, result(syscall(SYS_prlimit64, id, resource, 0, 0)));
        say("%s: prlimit %s %s\n", pids[p].name, result(syscall(SYS_prlimit64, id, RLIMIT_CORE, 0, BAD)), result(syscall(SYS_prlimit64, id, RLIMIT_CORE, BAD, 0)));
        say("%s: process_vm %s %s\n", pids[p].name, result(syscall(SYS_process_vm_readv, id, 0, 0, 0, 0, 0)), result(syscall(SYS_process_vm_readv, id, 0, 0, 0, 0, 1)));
    }
    for (int pid = 0; pid < 3; pid++) say("setpgid(%d) = %s\n", pid - 2, result(syscall(SYS_setpgid, pid - 2, 0)));
    for (int bit = 0; bit < 32; bit++) {
        say("personality(1 << %d)", bit);
        flush();
        pid_t child = fork();
        if (child == 0) {
            say(" = %s", result(syscall(SYS_personality, 1UL << bit)));
            say(" then %s\n", result(syscall(SYS_personality, 0xffffffffUL)));
            flush();
            _exit(0);
        }
        waitpid(child, NULL, 0);
    }
}

int main(void) {
    // Ends of children are told by many signals.
    for (int s = 1; s <= 64; s++)
        if (s != SIGCHLD) signal(s, SIG_IGN);
    none = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    flags_of_clone();
    older_clone();
    unshares();
    waits();
    starts();
    ids();
    flush();
    return 0;
}
