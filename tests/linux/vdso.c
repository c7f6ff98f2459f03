// The vDSO as programs find it: by the auxiliary vector, with the names of its functions; and what
// unwinders find behind a signal handler.
#define _GNU_SOURCE
#include "check.h"
#include <elf.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
#include <unwind.h>

#ifdef __riscv
#define NAME(x) "__vdso_" x
#define VERSION "LINUX_4.15"
#elif defined __aarch64__
#define NAME(x) "__kernel_" x
#define VERSION "LINUX_2.6.39"
#else
#define NAME(x) "__vdso_" x
#define VERSION "LINUX_2.6"
#endif

static char *base;
static Elf64_Sym *symbols;
static char *strings;
static unsigned count;
static Elf64_Versym *versions;
static Elf64_Verdef *definitions;

static void parse(void) {
    Elf64_Ehdr *e = (void *)base;
    Elf64_Phdr *p = (void *)(base + e->e_phoff);
    Elf64_Dyn *d = NULL;
    unsigned *hash = NULL;
    CHECK(memcmp(e->e_ident, ELFMAG, SELFMAG) == 0 && e->e_type == ET_DYN);
    for (int i = 0; i < e->e_phnum; i++) {
        if (p[i].p_type == PT_LOAD) CHECK(p[i].p_vaddr == 0 && p[i].p_flags == (PF_R | PF_X));
        if (p[i].p_type == PT_DYNAMIC) d = (void *)(base + p[i].p_vaddr);
    }
    CHECK(d != NULL);
    for (; d && d->d_tag; d++) {
        void *at = base + d->d_un.d_ptr;
        if (d->d_tag == DT_HASH) hash = at;
        if (d->d_tag == DT_SYMTAB) symbols = at;
        if (d->d_tag == DT_STRTAB) strings = at;
        if (d->d_tag == DT_VERSYM) versions = at;
        if (d->d_tag == DT_VERDEF) definitions = at;
    }
    CHECK(symbols && strings && versions && definitions);
    for (int i = 0; i < e->e_shnum; i++) {
        Elf64_Shdr *s = (void *)(base + e->e_shoff + i * e->e_shentsize);
        if (s->sh_type == SHT_DYNSYM) count = s->sh_size / sizeof *symbols;
    }
    if (hash) count = hash[1];
}

static const char *version(unsigned index) {
    for (Elf64_Verdef *d = definitions;; d = (void *)((char *)d + d->vd_next)) {
        if (d->vd_ndx == (index & 0x7fff)) return strings + ((Elf64_Verdaux *)((char *)d + d->vd_aux))->vda_name;
        if (d->vd_next == 0) return "";
    }
}

static void *find(const char *name) {
    for (unsigned i = 0; i < count; i++)
        if (strcmp(strings + symbols[i].st_name, name) == 0 && strcmp(version(versions[i]), VERSION) == 0)
            return base + symbols[i].st_value;
    return NULL;
}

static int (*get_time)(int, struct timespec *);
static long ns(struct timespec t) { return t.tv_sec * 1000000000L + t.tv_nsec; }

// Between two calls of the kernel.
static void clocks(void) {
    int ids[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_TAI, CLOCK_MONOTONIC_RAW,
        CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE, CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID};
    for (unsigned i = 0; i < sizeof ids / sizeof *ids; i++)
        for (int n = 0; n < 100; n++) {
            struct timespec a, b, c;
            syscall(SYS_clock_gettime, ids[i], &a);
            CHECK(get_time(ids[i], &b) == 0 && b.tv_nsec >= 0 && b.tv_nsec < 1000000000);
            syscall(SYS_clock_gettime, ids[i], &c);
            if (ns(a) > ns(b) || ns(b) > ns(c)) printf("clock %d: %ld %ld %ld\n", ids[i], ns(a), ns(b), ns(c));
            CHECK(ns(a) <= ns(b) && ns(b) <= ns(c));
        }
    struct timespec t;
    CHECK(get_time(1000, &t) == -EINVAL);
    CHECK(get_time(-1, &t) == -EINVAL && get_time(10, &t) == -EINVAL);
    struct timeval tv;
    int (*get_day)(struct timeval *, void *) = (void *)find(NAME("gettimeofday"));
    CHECK(get_day != NULL);
    for (int n = 0; n < 100 && get_day; n++) {
        struct timeval a, c;
        syscall(SYS_gettimeofday, &a, NULL);
        CHECK(get_day(&tv, NULL) == 0 && tv.tv_usec >= 0 && tv.tv_usec < 1000000);
        syscall(SYS_gettimeofday, &c, NULL);
        CHECK(!timercmp(&a, &tv, >) && !timercmp(&tv, &c, >));
    }
    struct timezone tz = {7, 7};
    if (get_day) CHECK(get_day(&tv, &tz) == 0 && tz.tz_dsttime == 0);
    if (get_day) CHECK(get_day(NULL, NULL) == 0);
    int (*get_res)(int, struct timespec *) = (void *)find(NAME("clock_getres"));
    CHECK(get_res != NULL && get_res(CLOCK_MONOTONIC, &t) == 0 && t.tv_sec == 0 && t.tv_nsec == 1);
}

// Registers live across the call, also in floating-point ones, and the accrued flags stay.
static void keeps(void) {
    volatile double zero = 0;
    double f[16], sum = 0;
    struct timespec t;
    for (int i = 0; i < 16; i++) f[i] = i + 1 + zero;
    for (int n = 0; n < 10000; n++) {
        get_time(CLOCK_MONOTONIC, &t);
        for (int i = 0; i < 16; i++) f[i] *= 1 + zero;
    }
    for (int i = 0; i < 16; i++) sum += f[i];
    CHECK(sum == 136);
}

static void *reader(void *arg) {
    struct timespec last = {0}, t;
    for (int n = 0; n < 200000; n++) {
        get_time(CLOCK_MONOTONIC, &t);
        if (ns(t) < ns(last)) *(int *)arg = 1;
        last = t;
    }
    return NULL;
}

static int frames, found_here;
static int here(void);
static _Unwind_Reason_Code frame(struct _Unwind_Context *c, void *arg) {
    char *start = (char *)here;
    char *ip = (char *)_Unwind_GetIP(c);
    frames++;
    if (ip > start && ip < start + 400) found_here = 1;
    return frames < 50 ? _URC_NO_REASON : _URC_END_OF_STACK;
}
static int faults;
static sigjmp_buf resume;
static void on_fault(int signal, siginfo_t *info, void *context) {
    faults++;
    frames = 0;
    _Unwind_Backtrace(frame, NULL);
    siglongjmp(resume, 1);
}

// A frame that is found only if the interrupted registers are.
__attribute__((noinline)) static int here(void) {
    *(volatile int *)16 = 1;
    return faults;
}

// A pointer that is bad is a fault, as in any code of the program.
static void bad_pointer(void) {
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO}, old;
    sigaction(SIGSEGV, &action, &old);
    if (sigsetjmp(resume, 1) == 0) get_time(CLOCK_MONOTONIC, (void *)16);
    CHECK(faults == 1);
    found_here = 0;
    if (sigsetjmp(resume, 1) == 0) here();
    CHECK(faults == 2 && found_here && frames >= 3);
    sigaction(SIGSEGV, &old, NULL);
}

int main(void) {
    if (under_qemu()) return finish();
    base = (char *)getauxval(AT_SYSINFO_EHDR);
    CHECK(base != NULL && ((long)base & 0xfff) == 0);
    if (!base) return finish();
    parse();
    get_time = (void *)find(NAME("clock_gettime"));
    CHECK(get_time != NULL);
    if (!get_time) return finish();
    clocks();
    keeps();
    bad_pointer();
    pthread_t t[2];
    int backwards = 0;
    for (int i = 0; i < 2; i++) pthread_create(&t[i], NULL, reader, &backwards);
    for (int i = 0; i < 2; i++) pthread_join(t[i], NULL);
    CHECK(!backwards);
#ifdef __riscv
    CHECK(find(NAME("rt_sigreturn")) && find(NAME("getcpu")) && find(NAME("flush_icache")));
    int (*probe)(void *, long, long, void *, int) = (void *)find(NAME("riscv_hwprobe"));
    long pair[2] = {3, 0};
    CHECK(probe && probe(pair, 1, 0, NULL, 0) == 0 && pair[1] & 1);
    unsigned cpu = 1 << 20;
    int (*get_cpu)(unsigned *, unsigned *, void *) = (void *)find(NAME("getcpu"));
    unsigned node = 1 << 20;
    CHECK(get_cpu && get_cpu(&cpu, NULL, NULL) == 0 && cpu < 1 << 16);
    CHECK(get_cpu && get_cpu(NULL, NULL, NULL) == 0 && get_cpu(NULL, &node, NULL) == 0 && node < 1 << 16);
    cpu_set_t may, one;
    CHECK(sched_getaffinity(0, sizeof may, &may) == 0);
    for (int n = 0; n < CPU_SETSIZE && get_cpu; n++) {
        if (!CPU_ISSET(n, &may)) continue;
        CPU_ZERO(&one);
        CPU_SET(n, &one);
        CHECK(sched_setaffinity(0, sizeof one, &one) == 0);
        CHECK(get_cpu(&cpu, NULL, NULL) == 0 && cpu == n);
        CHECK(get_cpu(&cpu, &node, NULL) == 0 && cpu == n);
    }
    sched_setaffinity(0, sizeof may, &may);
#endif
    // One line of maps is its own.
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[512], wanted[32];
    int own = 0;
    sprintf(wanted, "%lx-", (long)base);
    while (fgets(line, sizeof line, maps)) own += strstr(line, "[vdso]") && strstr(line, "r-xp") && !strncmp(line, wanted, strlen(wanted));
    fclose(maps);
    CHECK(own == 1);
    return finish();
}
