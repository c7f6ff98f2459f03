// What the programs of this folder share. Each prints a line for every check, and a line is right if
// the host's kernel makes the same program print the same: tests/linux/run compares.
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PAGE 4096UL
#define COUNT(a) (sizeof(a) / sizeof *(a))

static char out[1 << 16];
static size_t used;

static void flush(void) {
    if (write(1, out, used) < 0) _exit(99);
    used = 0;
}

static void say(const char *format, ...) {
    va_list args;
    va_start(args, format);
    used += vsnprintf(out + used, sizeof out - used, format, args);
    va_end(args);
    if (used > sizeof out / 2) flush();
}

// The result of a call that answers with -1 and errno.
static const char *result(long r) {
    static char text[8][48];
    static int next;
    char *to = text[next++ % 8];
    if (r == -1) {
        const char *name = strerrorname_np(errno);
        snprintf(to, sizeof *text, "%s", name ? name : "unknown error");
    } else {
        snprintf(to, sizeof *text, "%ld", r);
    }
    return to;
}
