// What the self-checking programs of this folder share.
#include <stdio.h>
#include <stdlib.h>

static int checks, failures;

static void check(int ok, const char *what, int line) {
    __atomic_fetch_add(&checks, 1, __ATOMIC_SEQ_CST);
    if (ok) return;
    __atomic_fetch_add(&failures, 1, __ATOMIC_SEQ_CST);
    printf("line %d: %s\n", line, what);
    fflush(stdout);
}

#define CHECK(e) check(!!(e), #e, __LINE__)
#define FAILS(e, wanted) (errno = 0, check((long)(e) == -1 && errno == (wanted), #e " fails with " #wanted, __LINE__))

// Whether to leave out what qemu-aarch64 is known not to have, and would be waited for for ever or
// crash: tests/a64/run says so.
static inline int under_qemu(void) { return getenv("UNDER_QEMU") != NULL; }

static int finish(void) {
    printf("%d checks, %d failures\n", checks, failures);
    return failures != 0;
}
