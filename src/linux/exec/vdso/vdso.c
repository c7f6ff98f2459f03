// What a program finds at AT_SYSINFO_EHDR (vdso(7)): functions with the names and the version of riscv
// Linux. `build` makes vdso.so of it.
//
// Clocks and the number of the processor are read without a system call, from counters that only
// rvnative has (isa::csr::counter). Everything else is a system call.

typedef long time_type;
struct timespec { time_type sec, nsec; };
struct timeval { time_type sec, usec; };

enum { SYS_clock_gettime = 113, SYS_clock_getres = 114, SYS_getcpu = 168, SYS_gettimeofday = 169 };
enum { SYS_hwprobe = 258, SYS_flush_icache = 259 };
enum { CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW = 4, CLOCK_REALTIME_COARSE };
enum { CLOCK_MONOTONIC_COARSE = 6, CLOCK_BOOTTIME, CLOCK_TAI = 11 };

static inline long call(long number, long a, long b, long c, long d, long e) {
    register long a7 __asm__("a7") = number;
    register long a0 __asm__("a0") = a;
    register long a1 __asm__("a1") = b;
    register long a2 __asm__("a2") = c;
    register long a3 __asm__("a3") = d;
    register long a4 __asm__("a4") = e;
    __asm__ volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a7) : "memory");
    return a0;
}

#define READ(csr) ({                                       \
    unsigned long value;                                   \
    __asm__ volatile("csrr %0, " #csr : "=r"(value));      \
    value;                                                 \
})

int __vdso_clock_gettime(int clock, struct timespec *ts) {
    unsigned long ns;
    // Most ask for the first two.
    if (clock == CLOCK_MONOTONIC) ns = READ(time);
    else if (clock == CLOCK_REALTIME) ns = READ(hpmcounter30);
    else switch (clock) {
    case CLOCK_REALTIME_COARSE: ns = READ(hpmcounter29); break;
    case CLOCK_MONOTONIC_COARSE: ns = READ(hpmcounter28); break;
    case CLOCK_BOOTTIME: ns = READ(hpmcounter27); break;
    case CLOCK_TAI: ns = READ(hpmcounter26); break;
    case CLOCK_MONOTONIC_RAW: ns = READ(hpmcounter25); break;
    default: return call(SYS_clock_gettime, clock, (long)ts, 0, 0, 0);
    }
    // A multiplication by the reciprocal of 5^9, rounded up, which is exact for all 64-bit values.
    unsigned long sec = (unsigned __int128)(ns >> 9) * 0x44b82fa09b5a53 >> 75;
    ts->sec = sec;
    ts->nsec = ns - sec * 1000000000;
    return 0;
}

int __vdso_gettimeofday(struct timeval *tv, void *tz) {
    if (tz) return call(SYS_gettimeofday, (long)tv, (long)tz, 0, 0, 0);
    if (!tv) return 0;
    unsigned long us = READ(hpmcounter30) / 1000;
    tv->sec = us / 1000000;
    tv->usec = us % 1000000;
    return 0;
}

int __vdso_clock_getres(int clock, struct timespec *ts) {
    return call(SYS_clock_getres, clock, (long)ts, 0, 0, 0);
}

int __vdso_getcpu(unsigned *cpu, unsigned *node, void *cache) {
    if (!node) {
        if (cpu) *cpu = READ(hpmcounter24);
        return 0;
    }
    return call(SYS_getcpu, (long)cpu, (long)node, (long)cache, 0, 0);
}

int __vdso_flush_icache(void *start, void *end, unsigned long flags) {
    return call(SYS_flush_icache, (long)start, (long)end, flags, 0, 0);
}

int __vdso_riscv_hwprobe(void *pairs, unsigned long count, unsigned long size, void *cpus, unsigned flags) {
    return call(SYS_hwprobe, (long)pairs, count, size, (long)cpus, flags);
}
