// Core dumps: which signals make one, what is in it, and what keeps it away. Where the host's cores do
// not go to a file in the current directory, only how the processes end is checked.
#define _GNU_SOURCE
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/procfs.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "check.h"

static int have_files;
static char *core;
static size_t length;
static Elf64_Ehdr *header;
static Elf64_Phdr *segments;

static void remove_cores(void) {
    DIR *here = opendir(".");
    for (struct dirent *e; (e = readdir(here));)
        if (strstr(e->d_name, "core")) unlink(e->d_name);
    closedir(here);
}
// Maps the one core that there is; false if there is none.
static int take_core(void) {
    char name[300] = "";
    DIR *here = opendir(".");
    for (struct dirent *e; (e = readdir(here));)
        if (strstr(e->d_name, "core")) snprintf(name, sizeof name, "%s", e->d_name);
    closedir(here);
    if (core) munmap(core, length), core = NULL;
    int fd = name[0] ? open(name, O_RDONLY) : -1;
    if (fd < 0) return 0;
    struct stat s;
    fstat(fd, &s);
    CHECK((s.st_mode & 0777) == 0600 && s.st_uid == geteuid());
    length = s.st_size;
    core = length ? mmap(NULL, length, PROT_READ, MAP_PRIVATE, fd, 0) : NULL;
    close(fd);
    unlink(name);
    header = (Elf64_Ehdr *)core;
    segments = core ? (Elf64_Phdr *)(core + header->e_phoff) : NULL;
    return 1;
}
// The nth note of a type; its length in *size.
static char *note(unsigned type, int n, size_t *size) {
    for (int i = 0; core && i < header->e_phnum; i++) {
        if (segments[i].p_type != PT_NOTE) continue;
        size_t at = segments[i].p_offset, end = at + segments[i].p_filesz;
        while (at + 12 <= end && end <= length) {
            Elf64_Nhdr *h = (Elf64_Nhdr *)(core + at);
            size_t desc = at + sizeof *h + ((h->n_namesz + 3) & ~3u);
            if (h->n_type == type && strcmp((char *)(h + 1), "CORE") == 0 && n-- == 0) {
                if (size) *size = h->n_descsz;
                return core + desc;
            }
            at = desc + ((h->n_descsz + 3) & ~3u);
        }
    }
    return NULL;
}
static Elf64_Phdr *segment(const volatile void *at) {
    for (int i = 0; core && i < header->e_phnum; i++)
        if (segments[i].p_type == PT_LOAD && (uintptr_t)at - segments[i].p_vaddr < segments[i].p_memsz) return &segments[i];
    return NULL;
}
// What is said to be at an address; NULL if nothing is.
static void *in_core(const volatile void *at, size_t size) {
    Elf64_Phdr *s = segment(at);
    size_t offset = s ? (uintptr_t)at - s->p_vaddr : 0;
    if (!s || offset + size > s->p_filesz || s->p_offset + offset + size > length) return NULL;
    return core + s->p_offset + offset;
}
static int holds(const volatile void *at, const char *text) {
    void *found = in_core(at, strlen(text) + 1);
    return found && strcmp(found, text) == 0;
}

static char data[64] = "written in the data segment";
static const char constant[] = "never written";
static char *own, *shared, *left_out, *untouched, *hidden;
enum { PAGE = 4096, LARGE = 1 << 30 };

static void limit(int what, rlim_t value) {
    struct rlimit now;
    getrlimit(what, &now);
    now.rlim_cur = value;
    CHECK(setrlimit(what, &now) == 0);
}
static void filter(const char *bits) {
    int fd = open("/proc/self/coredump_filter", O_WRONLY);
    CHECK(write(fd, bits, strlen(bits)) == (ssize_t)strlen(bits));
    close(fd);
}
// How a child ends that runs `body`, and whether it leaves a core.
static int status;
static pid_t last;
static int dies(void (*body)(long), long arg, rlim_t bytes) {
    remove_cores();
    last = fork();
    if (last == 0) {
        limit(RLIMIT_CORE, bytes);
        strcpy(data, "changed in the child");
        body(arg);
        _exit(0);
    }
    CHECK(waitpid(last, &status, 0) == last);
    return take_core();
}
static int with_core(int signal) {
    return WIFSIGNALED(status) && WTERMSIG(status) == signal && (!have_files || WCOREDUMP(status));
}
static int without_core(int signal) { return WIFSIGNALED(status) && WTERMSIG(status) == signal && !WCOREDUMP(status); }

static void raises(long s) { raise((int)s); }
static void is_sent(long s) {
    pid_t parent = getpid();
    if (fork() == 0) {
        usleep(20000);
        kill(parent, (int)s);
        _exit(0);
    }
    for (;;) pause();
}
static void faults(long at) { *(volatile char *)at = 1; }
static void blocked(long at) {
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    faults(at);
}
static void aborts(long x) { (void)x; abort(); }
static void writes_much(long x) {
    (void)x;
    int fd = memfd_create("x", 0);
    limit(RLIMIT_FSIZE, PAGE);
    while (write(fd, data, sizeof data) > 0) {}
}
static void undumpable(long x) {
    prctl(PR_SET_DUMPABLE, 0);
    faults(x);
}
static void filtered(long bits) {
    char text[20];
    snprintf(text, sizeof text, "%lx", bits);
    filter(text);
    faults(8);
}
static void returns(int s) { (void)s; }
static void once(long at) {
    struct sigaction a = {.sa_handler = returns, .sa_flags = SA_RESETHAND};
    sigaction(SIGSEGV, &a, NULL);
    faults(at);
}
static atomic_int ready;
static void *sleeps(void *x) {
    (void)x;
    ready++;
    for (;;) pause();
    return NULL;
}
static void *turns(void *x) {
    (void)x;
    ready++;
    for (volatile int i = 0;; i++) {}
    return NULL;
}
static void *turns_blocked(void *x) {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    return turns(x);
}
static void threads(long at) {
    pthread_t t;
    void *(*bodies[])(void *) = {sleeps, turns, turns_blocked};
    for (int i = 0; i < 3; i++) pthread_create(&t, NULL, bodies[i], NULL);
    while (ready < 3) sched_yield();
    faults(at);
}
static void *faults_here(void *at) {
    faults((long)at);
    return NULL;
}
static void in_thread(long at) {
    pthread_t t;
    pthread_create(&t, NULL, faults_here, (void *)at);
    for (;;) pause();
}
static void all_at_once(long at) {
    pthread_t t;
    for (int i = 0; i < 4; i++) pthread_create(&t, NULL, faults_here, (void *)at);
    faults(at);
}
static void shared_memory(long at) {
    if (vfork() == 0) *(volatile char *)at = 1;
    _exit(5);
}

static void signals(void) {
    int all[] = {SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGXCPU, SIGXFSZ, SIGSYS};
    for (unsigned i = 0; i < sizeof all / sizeof *all; i++) {
        CHECK(dies(raises, all[i], RLIM_INFINITY) == have_files && with_core(all[i]));
        CHECK(dies(is_sent, all[i], RLIM_INFINITY) == have_files && with_core(all[i]));
        CHECK(dies(raises, all[i], 0) == 0 && (!have_files || without_core(all[i])));
    }
    int none[] = {SIGTERM, SIGKILL, SIGHUP, SIGPIPE, SIGUSR1, SIGALRM, SIGRTMIN};
    for (unsigned i = 0; i < sizeof none / sizeof *none; i++)
        CHECK(dies(raises, none[i], RLIM_INFINITY) == 0 && without_core(none[i]));
    CHECK(dies(aborts, 0, RLIM_INFINITY) == have_files && with_core(SIGABRT));
    CHECK(dies(writes_much, 0, RLIM_INFINITY) == have_files && with_core(SIGXFSZ));
    CHECK(dies(blocked, 8, RLIM_INFINITY) == have_files && with_core(SIGSEGV));
    CHECK(dies(once, 8, RLIM_INFINITY) == have_files && with_core(SIGSEGV));
    CHECK(dies(all_at_once, 8, RLIM_INFINITY) == have_files && with_core(SIGSEGV));
    CHECK(dies(undumpable, 8, RLIM_INFINITY) == 0 && without_core(SIGSEGV));
    CHECK(dies(shared_memory, 8, RLIM_INFINITY) == have_files && WIFEXITED(status) && WEXITSTATUS(status) == 5);
}

static void contents(void) {
    CHECK(dies(faults, 8, RLIM_INFINITY) && with_core(SIGSEGV));
    Elf64_Ehdr *mine = (Elf64_Ehdr *)(getauxval(AT_PHDR) - sizeof(Elf64_Ehdr));
    CHECK(memcmp(header->e_ident, ELFMAG, 4) == 0 && header->e_type == ET_CORE && header->e_machine == mine->e_machine);
    CHECK(header->e_ident[EI_CLASS] == ELFCLASS64 && header->e_phentsize == sizeof(Elf64_Phdr));
    size_t size;
    struct elf_prstatus *s = (void *)note(NT_PRSTATUS, 0, &size);
    CHECK(s && size == sizeof *s && s->pr_cursig == SIGSEGV && s->pr_pid == last && s->pr_ppid == getpid() && s->pr_pgrp == getpgrp());
    CHECK(s && s->pr_info.si_signo == SIGSEGV && s->pr_sid == getsid(0) && s->pr_fpvalid);
    CHECK(note(NT_PRSTATUS, 1, NULL) == NULL && note(NT_FPREGSET, 0, &size) != NULL && size >= 32 * 8);
    struct elf_prpsinfo *p = (void *)note(NT_PRPSINFO, 0, &size);
    char name[17] = "";
    prctl(PR_GET_NAME, name);
    CHECK(p && size == sizeof *p && p->pr_pid == last && strcmp(p->pr_fname, name) == 0 && p->pr_uid == getuid() && p->pr_sname == 'R');
    CHECK(p && strlen(p->pr_psargs) > 0 && strchr(p->pr_psargs, '/'));
    siginfo_t *i = (void *)note(NT_SIGINFO, 0, &size);
    CHECK(i && size == sizeof *i && i->si_signo == SIGSEGV && i->si_code == SEGV_MAPERR && i->si_addr == (void *)8);
    Elf64_auxv_t *a = (void *)note(NT_AUXV, 0, &size);
    int same = 0;
    for (size_t n = 0; a && n < size / sizeof *a; n++) same += a[n].a_type == AT_ENTRY && a[n].a_un.a_val == getauxval(AT_ENTRY);
    CHECK(same == 1);
    uint64_t *f = (void *)note(NT_FILE, 0, &size);
    CHECK(f && f[0] > 0 && f[0] < 100 && f[1] == PAGE);
    char exe[500] = "";
    (void)!readlink("/proc/self/exe", exe, sizeof exe - 1);
    int found = 0;
    if (f) {
        char *text = (char *)(f + 2 + 3 * f[0]);
        for (uint64_t n = 0; n < f[0]; n++, text += strlen(text) + 1)
            found += strcmp(text, exe) == 0 && f[2 + 3 * n] <= (uintptr_t)mine && f[3 + 3 * n] > (uintptr_t)mine && f[4 + 3 * n] == 0;
    }
    CHECK(found == 1);
    // Memory: what was written and what is shared, but not what a file holds anyway.
    CHECK(holds(data, "changed in the child") && holds(own, "private") && holds(shared, "shared") && holds(hidden, "without access"));
    CHECK(segment(constant) && !in_core(constant, 1) && in_core(mine, 4) && memcmp(in_core(mine, 4), ELFMAG, 4) == 0);
    CHECK(segment(untouched)->p_memsz >= LARGE && in_core(untouched + LARGE / 2, 2) && holds(untouched + LARGE / 2, "far"));
    CHECK(segment(left_out) && !in_core(left_out, 1) && segment(left_out)->p_memsz == PAGE);
    CHECK(segment(own)->p_flags == (PF_R | PF_W) && segment(hidden)->p_flags == 0 && (segment((void *)(uintptr_t)contents)->p_flags & PF_X));
    CHECK(length < 3ul * LARGE);
}

static void what_is_wanted(void) {
    CHECK(dies(filtered, 0, RLIM_INFINITY) && with_core(SIGSEGV) && !in_core(own, 1) && !in_core(shared, 1) && !in_core(data, 1));
    CHECK(dies(filtered, 1, RLIM_INFINITY) && holds(own, "private") && !in_core(shared, 1));
    CHECK(dies(filtered, 2, RLIM_INFINITY) && !in_core(own, 1) && holds(shared, "shared"));
    CHECK(dies(filtered, 4, RLIM_INFINITY) && holds(constant, "never written") && !in_core(own, 1));
    // Too small a limit for anything, and one that cuts.
    CHECK(dies(faults, 8, PAGE - 1) == 0 && without_core(SIGSEGV));
    CHECK(dies(faults, 8, 3 * PAGE) && with_core(SIGSEGV) && length <= 3 * PAGE);
    CHECK(dies(faults, 8, 64 * PAGE) && with_core(SIGSEGV));
}

static void of_threads(void) {
    CHECK(dies(threads, 8, RLIM_INFINITY) && with_core(SIGSEGV));
    struct elf_prstatus *s = (void *)note(NT_PRSTATUS, 0, NULL);
    CHECK(s && s->pr_pid == last && note(NT_PRSTATUS, 3, NULL) && !note(NT_PRSTATUS, 4, NULL));
    CHECK(note(NT_FPREGSET, 3, NULL) && !note(NT_FPREGSET, 4, NULL) && !note(NT_PRPSINFO, 1, NULL));
    int masked = 0;
    for (int n = 0; n < 4; n++) masked += (s = (void *)note(NT_PRSTATUS, n, NULL)) && s->pr_sighold & 1ul << (SIGUSR1 - 1);
    CHECK(masked == 1);
    CHECK(dies(in_thread, 8, RLIM_INFINITY) && with_core(SIGSEGV));
    s = (void *)note(NT_PRSTATUS, 0, NULL);
    struct elf_prpsinfo *p = (void *)note(NT_PRPSINFO, 0, NULL);
    CHECK(s && s->pr_pid != last && p && p->pr_pid == last);
    s = (void *)note(NT_PRSTATUS, 1, NULL);
    CHECK(s && s->pr_pid == last);
}

int main(void) {
    char pattern[200] = "";
    int fd = open("/proc/sys/kernel/core_pattern", O_RDONLY), rw = PROT_READ | PROT_WRITE;
    (void)!read(fd, pattern, sizeof pattern - 1);
    close(fd);
    have_files = strncmp(pattern, "core", 4) == 0 && !strchr(pattern, '/') && !under_qemu();
    own = mmap(NULL, PAGE, rw, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    shared = mmap(NULL, PAGE, rw, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    untouched = mmap(NULL, LARGE, rw, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    left_out = mmap(NULL, 3 * PAGE, rw, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) + PAGE;
    hidden = mmap(NULL, PAGE, rw, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    strcpy(own, "private"), strcpy(shared, "shared"), strcpy(untouched + LARGE / 2, "far"), strcpy(left_out, "secret"), strcpy(hidden, "without access");
    CHECK(madvise(left_out, PAGE, MADV_DONTDUMP) == 0 && mprotect(hidden, PAGE, PROT_NONE) == 0);
    signals();
    if (have_files) contents(), what_is_wanted(), of_threads();
    else puts("cores go elsewhere: how processes end was checked, and no core");
    remove_cores();
    return finish();
}
