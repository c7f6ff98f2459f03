// Files of programs: set-id bits, and who may write to what runs (ETXTBSY). Ids that threads and
// processes choose. What threads tell others: their robust lists, and where they make a call.
#define _GNU_SOURCE
#include "same.h"
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define BAD ((void *)8)

extern char **environ;

static void copy_of_self(const char *to, int mode) {
    int from = open("/proc/self/exe", O_RDONLY), fd = open(to, O_CREAT | O_TRUNC | O_WRONLY, 0700);
    char buffer[65536];
    ssize_t n;
    while ((n = read(from, buffer, sizeof buffer)) > 0)
        if (write(fd, buffer, n) != n) _exit(98);
    fchmod(fd, mode);
    close(fd), close(from);
}

// Runs a program and answers with its status; its output goes to ours.
static int status_of(char *const args[]) {
    flush();
    pid_t pid = fork();
    if (pid == 0) {
        execve(args[0], args, environ);
        say("execve(%s) = %s\n", args[0], result(-1));
        flush();
        _exit(1);
    }
    int status;
    waitpid(pid, &status, 0);
    return status;
}

static void line_of_status(const char *key) {
    FILE *f = fopen("/proc/self/status", "r");
    char line[256];
    while (f && fgets(line, sizeof line, f))
        if (!strncmp(line, key, strlen(key))) say("  %s", line);
    if (f) fclose(f);
}

static int tell_ids(const char *what) {
    uid_t r, e, s;
    getresuid(&r, &e, &s);
    say("%s: users %d %d %d", what, r, e, s);
    getresgid(&r, &e, &s);
    say(" groups %d %d %d auxv %lu %lu %lu %lu secure %lu dumpable %d\n", r, e, s, getauxval(AT_UID), getauxval(AT_EUID), getauxval(AT_GID),
        getauxval(AT_EGID), getauxval(AT_SECURE), prctl(PR_GET_DUMPABLE));
    line_of_status("Uid:"), line_of_status("Gid:"), line_of_status("CapEff:"), line_of_status("CapPrm:"), line_of_status("NoNewPrivs:");
    say("  may write %s, may become root again %s\n", result(access("/proc/self/mem", W_OK)), result(syscall(SYS_setresuid, -1, 0, -1)));
    flush();
    return 0;
}

static void in_other_places(void) {
    // On a mount without such bits.
    flush();
    pid_t pid = fork();
    if (pid == 0) {
        if (unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 && mkdir("small", 0755) == 0 &&
            mount("none", "small", "tmpfs", MS_NOSUID, NULL) == 0) {
            copy_of_self("small/own", 0700);
            if (chown("small/own", 1000, 1001) || chmod("small/own", 06755)) exit(1);
            char *small[] = {"small/own", "ids", "nosuid", NULL};
            status_of(small);
        }
        flush();
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    // Owners that the name space has not.
    pid = fork();
    if (pid == 0) {
        if (unshare(CLONE_NEWUSER) == 0) {
            int map = open("/proc/self/uid_map", O_WRONLY);
            if (write(map, "0 0 1\n", 6) != 6) exit(1);
            close(map);
            map = open("/proc/self/gid_map", O_WRONLY);
            if (write(map, "0 0 1\n", 6) != 6) exit(1);
            close(map);
            char *inside[] = {"./own", "ids", "not in the name space", NULL};
            status_of(inside);
        }
        flush();
        _exit(0);
    }
    waitpid(pid, NULL, 0);
}

static void set_id_bits(void) {
    static const int modes[] = {0755, 04755, 02755, 06755, 02745, 04711, 06700};
    static const int owners[][2] = {{0, 0}, {1000, 0}, {0, 1001}, {1000, 1001}};
    if (geteuid() != 0) return;
    char *args[] = {"./own", "ids", "", NULL};
    for (size_t m = 0; m < COUNT(modes); m++)
        for (size_t o = 0; o < COUNT(owners); o++)
            for (int how = 0; how < 3; how++) {
                char name[64];
                snprintf(name, sizeof name, "mode %o owners %d %d how %d", modes[m], owners[o][0], owners[o][1], how);
                copy_of_self("own", 0700);
                if (chown("own", owners[o][0], owners[o][1]) || chmod("own", modes[m])) exit(1);
                args[2] = name;
                flush();
                pid_t pid = fork();
                if (pid == 0) {
                    if (how == 1) prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
                    if (how == 2) syscall(SYS_setresgid, 5, 6, 7), syscall(SYS_setresuid, 0, 0, 0);
                    _exit(status_of(args) != 0);
                }
                int status;
                waitpid(pid, &status, 0);
                say("ended with %x\n", status);
                unlink("own");
            }
    // A script's own bits mean nothing, those of what executes it do.
    copy_of_self("own", 0700);
    if (chown("own", 1000, 1001) || chmod("own", 06755)) exit(1);
    int script = open("script", O_CREAT | O_WRONLY, 0755);
    if (write(script, "#!./own ids\n", 12) != 12) exit(1);
    close(script);
    if (chown("script", 1002, 1003) || chmod("script", 06755)) exit(1);
    char *script_args[] = {"./script", NULL};
    say("script ended with %x\n", status_of(script_args));
    in_other_places();
    unlink("own"), unlink("script");
}

// Every way to write to a file, while it runs and otherwise.
static void all_writes(const char *when, const char *path) {
    static const int flags[] = {O_RDONLY, O_WRONLY, O_RDWR, O_RDONLY | O_TRUNC, O_WRONLY | O_TRUNC, O_RDWR | O_CREAT, O_WRONLY | O_CREAT | O_TRUNC,
                                O_WRONLY | O_CREAT | O_EXCL, O_WRONLY | O_APPEND, O_PATH, O_WRONLY | O_NOFOLLOW, O_WRONLY | O_DIRECTORY};
    for (size_t i = 0; i < COUNT(flags); i++) {
        int fd = open(path, flags[i], 0755);
        say("%s: openat(%s, %zu) = %s\n", when, path, i, fd < 0 ? result(-1) : "ok");
        if (fd >= 0) close(fd);
    }
    struct { unsigned long flags, mode, resolve; } how = {O_WRONLY, 0, 0};
    int fd = syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);
    say("%s: openat2(%s) = %s\n", when, path, fd < 0 ? result(-1) : "ok");
    if (fd >= 0) close(fd);
    struct stat s;
    stat(path, &s);
    say("%s: truncate(%s) = %s", when, path, result(truncate(path, s.st_size)));
    say(" %s\n", result(truncate(path, -1)));
    fd = open(path, O_RDONLY);
    char name[64];
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    int again = open(name, O_WRONLY);
    say("%s: openat(its descriptor) = %s\n", when, again < 0 ? result(-1) : "ok");
    if (again >= 0) close(again);
    close(fd);
    say("%s: utimensat %s chmod %s access %s\n", when, result(utimensat(AT_FDCWD, path, NULL, 0)), result(chmod(path, 0755)), result(access(path, W_OK)));
    say("%s: rename %s", when, result(rename(path, "other")));
    say(" %s", result(rename("other", path)));
    say(" link %s", result(link(path, "second")));
    say(" %s\n", result(unlink("second")));
}

static void busy_scripts(char *args[]) {
    int writer = open("busy", O_WRONLY);
    status_of(args);
    int script = open("script", O_CREAT | O_WRONLY, 0755);
    if (write(script, "#!./busy ids\n", 13) != 13) exit(1);
    char *script_args[] = {"./script", NULL};
    status_of(script_args);
    close(script);
    status_of(script_args);
    close(writer);
    say("script: %x\n", status_of(script_args));
    script = open("script", O_WRONLY);
    status_of(script_args);
    int reader = open("script", O_RDONLY);
    close(script);
    say("script, open for reading: %x\n", status_of(script_args));
    close(reader);
    void *map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, writer = open("busy", O_RDWR), 0);
    close(writer);
    status_of(args);
    munmap(map, PAGE);
    say("no longer mapped for writing: %s\n", status_of(args) == 0 ? "ok" : "failed");
}

static void busy_programs(void) {
    copy_of_self("busy", 0755);
    if (symlink("busy", "way")) exit(1);
    all_writes("before", "./busy");
    copy_of_self("busy", 0755);
    int ready[2], end[2];
    if (pipe(ready) || pipe(end)) exit(1);
    flush();
    pid_t pid = fork();
    if (pid == 0) {
        dup2(ready[1], 8), dup2(end[0], 9);
        close(ready[0]), close(ready[1]), close(end[0]), close(end[1]);
        char *args[] = {"./busy", "wait", NULL};
        execve(args[0], args, environ);
        _exit(1);
    }
    close(ready[1]), close(end[0]);
    char c;
    if (read(ready[0], &c, 1) != 1) exit(1);
    all_writes("running", "./busy");
    all_writes("running, by a link", "./way");
    char *again[] = {"./busy", "ids", "running twice", NULL};
    say("executed again: %s\n", status_of(again) == 0 ? "ok" : "failed");
    // A new file in its place is another one.
    say("unlink = %s\n", result(unlink("busy")));
    copy_of_self("busy", 0755);
    all_writes("replaced", "./busy");
    close(end[1]);
    int status;
    waitpid(pid, &status, 0);
    say("it has ended with %x\n", status);
    all_writes("after", "./busy");
    copy_of_self("busy", 0755);
    // What is open for writing cannot be executed, nor can what a script names.
    char *args[] = {"./busy", "ids", "open for writing", NULL};
    busy_scripts(args);
    unlink("busy"), unlink("way"), unlink("script");
}

struct clone_arguments { unsigned long flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup; };

static char stack[1 << 16];
volatile int in_thread, thread_word;
static int chosen;

#define THREAD (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_CHILD_CLEARTID | CLONE_PARENT_SETTID)

// A thread by hand, since the C library makes none with a chosen id: it stores its id and ends.
__attribute__((noinline, noclone)) static long start(struct clone_arguments *args) {
    long r;
#ifdef __riscv
    register long a0 asm("a0") = (long)args, a1 asm("a1") = sizeof *args, a7 asm("a7") = SYS_clone3;
    asm volatile("ecall\n bnez a0, 1f\n li a7, 178\n ecall\n la t0, in_thread\n sw a0, 0(t0)\n li a0, 0\n li a7, 93\n ecall\n 1:"
                 : "+r"(a0), "+r"(a7) : "r"(a1) : "memory", "t0");
    r = a0;
#elif defined __x86_64__
    asm volatile("syscall\n test %%rax, %%rax\n jnz 1f\n mov $186, %%eax\n syscall\n mov %%eax, in_thread(%%rip)\n mov $60, %%eax\n xor %%edi, %%edi\n syscall\n 1:"
                 : "=a"(r) : "0"(SYS_clone3), "D"(args), "S"(sizeof *args) : "memory", "rcx", "r11");
#else
    register long x0 asm("x0") = (long)args, x1 asm("x1") = sizeof *args, x8 asm("x8") = SYS_clone3;
    asm volatile("svc #0\n cbnz x0, 1f\n mov x8, #178\n svc #0\n adrp x1, in_thread\n add x1, x1, :lo12:in_thread\n str w0, [x1]\n mov x0, #0\n mov x8, #93\n svc #0\n 1:"
                 : "+r"(x0), "+r"(x1), "+r"(x8) : : "memory");
    r = x0;
#endif
    if (r < 0 && r > -4096) errno = -r, r = -1;
    return r;
}

static void thread_with(const char *what, const int *ids, unsigned long count) {
    struct clone_arguments args = {.flags = THREAD, .stack = (unsigned long)stack, .stack_size = sizeof stack, .child_tid = (unsigned long)&thread_word,
                                   .parent_tid = (unsigned long)&thread_word, .set_tid = (unsigned long)ids, .set_tid_size = count};
    in_thread = 0, thread_word = 1;
    long r = start(&args);
    say("thread with %s = %s", what, r > 0 ? "ok" : result(r));
    if (r > 0) {
        while (thread_word) syscall(SYS_futex, &thread_word, FUTEX_WAIT, r, NULL, NULL, 0);
        // The word is cleared a moment before the id is free again.
        while (syscall(SYS_tgkill, getpid(), r, 0) == 0) usleep(1000);
        int wanted = count ? ids[0] : 0;
        say(", its id is %s, told as %s", in_thread == wanted ? "the chosen one" : "another", r == wanted ? "the chosen one" : "another");
    }
    say("\n");
}

static void process_with(const char *what, const int *ids, unsigned long count, unsigned long flags) {
    struct clone_arguments args = {.flags = flags, .exit_signal = SIGCHLD, .set_tid = (unsigned long)ids, .set_tid_size = count};
    flush();
    long r = syscall(SYS_clone3, &args, sizeof args);
    if (r == 0) {
        int first = 77;
        if (flags & CLONE_NEWPID) {
            say("in the new name space: %d %d\n", getpid(), (int)syscall(SYS_gettid));
            thread_with("the first id", &(int){1}, 1), thread_with("500", &(int){500}, 1), thread_with("two levels", (int[]){501, chosen + 50}, 2);
            process_with("77", &first, 1, 0);
            flush();
        }
        _exit(7);
    }
    int status = -1;
    if (r > 0) waitpid(r, &status, 0);
    say("process with %s = %s, status %x\n", what, r < 0 ? result(r) : count && r == ids[count - 1] ? "the chosen id" : "ok", status);
}

static void chosen_ids(void) {
    // An id that is free: far from those given out in turn.
    pid_t pid = fork();
    if (pid == 0) _exit(0);
    waitpid(pid, NULL, 0);
    chosen = pid > 20000 ? pid - 10000 : pid + 10000;
    int own = getpid(), parent = getppid(), zero = 0, less = -1, most = 1 << 22, many[40] = {chosen, 1}, init = 1;
    for (int n = 2; n < 40; n++) many[n] = 1;
    for (int k = 0; k < 2; k++) {
#define BOTH(what, ids, count) (k ? process_with(what, ids, count, 0) : thread_with(what, ids, count))
        BOTH("a free id", &chosen, 1);
        BOTH("the same id again", &chosen, 1);
        BOTH("no id", NULL, 0);
        BOTH("its own id", &own, 1);
        BOTH("its parent's id", &parent, 1);
        BOTH("1", &init, 1);
        BOTH("0", &zero, 1);
        BOTH("-1", &less, 1);
        BOTH("too large an id", &most, 1);
        BOTH("33 ids", many, 33);
        BOTH("32 ids", many, 32);
        BOTH("ids and no count", &chosen, 0);
        BOTH("count and no ids", NULL, 1);
        BOTH("a bad address", BAD, 1);
    }
    process_with("a name space", (int[]){1, chosen}, 2, CLONE_NEWPID);
    process_with("a name space that begins with 2", (int[]){2, chosen}, 2, CLONE_NEWPID);
    process_with("a name space, one id", &init, 1, CLONE_NEWPID);
    flush();
    pid = fork();
    if (pid == 0) {
        // Without the capability.
        syscall(SYS_setresuid, 1000, 1000, 1000);
        thread_with("an id, without capabilities", &chosen, 1);
        process_with("an id, without capabilities", &chosen, 1, 0);
        thread_with("its own id, without capabilities", &(int){getpid()}, 1);
        flush();
        _exit(0);
    }
    waitpid(pid, NULL, 0);
}

static struct robust_list_head lists[2];
static int in_list[2], out_list[2];

static void *with_list(void *id) {
    *(int *)id = syscall(SYS_gettid);
    syscall(SYS_set_robust_list, &lists[1], sizeof lists[1]);
    char c;
    if (write(out_list[1], "x", 1) != 1 || read(in_list[0], &c, 1) != 1) return NULL;
    return id;
}

static void tell_list(const char *what, int tid) {
    struct robust_list_head *head = BAD;
    size_t len = 99;
    long r = syscall(SYS_get_robust_list, tid, &head, &len);
    say("get_robust_list(%s) = %s, %s, %zu\n", what, result(r),
        head == BAD ? "untouched" : head == &lists[0] ? "the first" : head == &lists[1] ? "the second" : head ? "another" : "none", len);
}

static pid_t child_with(struct robust_list_head *list) {
    char c;
    flush();
    pid_t pid = fork();
    if (pid == 0) {
        syscall(SYS_set_robust_list, list, sizeof *list);
        if (write(out_list[1], "x", 1) != 1 || read(in_list[0], &c, 1) != 1) _exit(1);
        _exit(0);
    }
    if (read(out_list[0], &c, 1) != 1) exit(1);
    return pid;
}

static void robust_lists(void) {
    lists[0].list.next = &lists[0].list, lists[1].list.next = &lists[1].list;
    if (pipe(in_list) || pipe(out_list)) exit(1);
    pid_t child = child_with(&lists[0]), bare = child_with(NULL);
    int tid;
    pthread_t thread;
    char c;
    pthread_create(&thread, NULL, with_list, &tid);
    if (read(out_list[0], &c, 1) != 1) exit(1);
    tell_list("a child", child), tell_list("a child without", bare), tell_list("a thread", tid);
    syscall(SYS_set_robust_list, &lists[1], sizeof lists[1]);
    tell_list("itself", 0), tell_list("its id", syscall(SYS_gettid)), tell_list("nobody", 4194303), tell_list("-1", -1);
    say("get_robust_list(bad addresses) = %s", result(syscall(SYS_get_robust_list, 0, BAD, &tid)));
    say(" %s", result(syscall(SYS_get_robust_list, child, &child, BAD)));
    say(" %s\n", result(syscall(SYS_get_robust_list, bare, NULL, NULL)));
    say("set_robust_list(a wrong size) = %s\n", result(syscall(SYS_set_robust_list, &lists[0], 23)));
    say("set_robust_list(a bad address) = %s\n", result(syscall(SYS_set_robust_list, BAD, 24)));
    syscall(SYS_set_robust_list, NULL, 24);
    flush();
    pid_t stranger = fork();
    if (stranger == 0) {
        syscall(SYS_setresgid, 1000, 1000, 1000), syscall(SYS_setresuid, 1000, 1000, 1000);
        tell_list("another user's process", bare), tell_list("init", 1);
        flush();
        _exit(0);
    }
    waitpid(stranger, NULL, 0);
    if (write(in_list[1], "xxx", 3) != 3) exit(1);
    pthread_join(thread, NULL);
    while (wait(NULL) > 0) continue;
    tell_list("one that has ended", bare);
}

extern char after_call[];

// Makes a call at a place that is known.
__attribute__((noinline, noclone)) static long call_here(long number, long first) {
    long r;
#ifdef __riscv
    register long a0 asm("a0") = first, a7 asm("a7") = number;
    asm volatile(".globl after_call\n ecall\nafter_call:" : "+r"(a0) : "r"(a7) : "memory");
    r = a0;
#elif defined __x86_64__
    asm volatile(".globl after_call\n syscall\nafter_call:" : "=a"(r) : "0"(number), "D"(first) : "memory", "rcx", "r11");
#else
    register long x0 asm("x0") = first, x8 asm("x8") = number;
    asm volatile(".globl after_call\n svc #0\nafter_call:" : "+r"(x0) : "r"(x8) : "memory");
    r = x0;
#endif
    return r;
}

static void places_with_listener(void) {
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    struct sock_filter f[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_umask, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog p = {4, f};
    int fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &p);
    flush();
    pid_t child = fork();
    if (child == 0) {
        for (int n = 0; n < 3; n++) call_here(SYS_umask, 070 + n);
        _exit(0);
    }
    for (int n = 0; n < 3; n++) {
        struct seccomp_notif told;
        memset(&told, 0, sizeof told);
        long r = ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &told);
        say("a call told = %s: %s of %s at %s with %llo\n", result(r), told.data.nr == SYS_umask ? "umask" : "another", told.pid == (unsigned)child ? "the child" : "another",
            told.data.instruction_pointer == (unsigned long)after_call ? "its place" : "another place", told.data.args[0]);
        struct seccomp_notif_resp response = {told.id, 0, 0, 0};
        ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &response);
    }
    int status;
    waitpid(child, &status, 0);
    say("and it ends with %x\n", status);
    flush();
    _exit(0);
}

int main(int argc, char **argv) {
    if (argc > 1 && !strcmp(argv[1], "ids")) return tell_ids(argc > 2 ? argv[2] : "");
    if (argc > 1) {
        char c;
        close(0);
        if (write(8, "x", 1) != 1) return 1;
        return read(9, &c, 1) != 0;
    }
    set_id_bits();
    busy_programs();
    chosen_ids();
    robust_lists();
    flush();
    pid_t pid = fork();
    if (pid == 0) places_with_listener();
    waitpid(pid, NULL, 0);
    flush();
    return 0;
}
