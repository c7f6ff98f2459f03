/* The guest of the examples: functions for the host to call, and calls to the host. */
typedef unsigned long u64;

/* Host function 1: log `len` bytes at `text`. */
static void host_log(const char *text, u64 len)
{
    register u64 a0 __asm__("a0") = (u64)text;
    register u64 a1 __asm__("a1") = len;
    register u64 a7 __asm__("a7") = 1;
    __asm__ volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a7) : "memory");
}

/* Host function 93: end with a status, as in Linux. */
static void host_exit(u64 status)
{
    register u64 a0 __asm__("a0") = status;
    register u64 a7 __asm__("a7") = 93;
    __asm__ volatile("ecall" : "+r"(a0) : "r"(a7) : "memory");
}

u64 events;

u64 gcd(u64 a, u64 b)
{
    while (b) {
        u64 r = a % b;
        a = b;
        b = r;
    }
    return a;
}

double hypot2(double x, double y)
{
    return x * x + y * y;
}

u64 on_event(u64 kind, u64 value)
{
    static const char text[] = "event";
    host_log(text, sizeof text - 1);
    events += 1;
    return kind * 1000 + value;
}

/* Follows a pointer, wherever it leads. */
u64 peek(const u64 *p)
{
    return *p;
}

/* What a call costs. */
void nothing(void)
{
}

/* Host function 2, as often as is said: what that costs. */
void call_host(u64 times)
{
    register u64 a0 __asm__("a0") = times;
    register u64 a7 __asm__("a7") = 2;
    while (a0--)
        __asm__ volatile("ecall" : "+r"(a0) : "r"(a7) : "memory");
}

/* Writes to `pages` pages from `p` on. */
void touch(volatile char *p, u64 pages)
{
    for (u64 i = 0; i < pages; i++)
        p[i * 4096] += 1;
}

u64 deep(u64 n)
{
    volatile char room[4096];
    room[0] = (char)n;
    return n == 0 ? 0 : deep(n - 1) + room[0];
}

void spin(void)
{
    for (;;)
        __asm__ volatile("");
}

void _start(void)
{
    __asm__ volatile(".option push\n.option norelax\nla gp, __global_pointer$\n.option pop");
    host_log("hello", 5);
    host_exit(events);
}
