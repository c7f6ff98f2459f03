// Prints how it was started: arguments, what /proc and the auxiliary vector say of them, and the
// variables that begin with T_.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

extern char **environ;

static void file(const char *name) {
    char text[4096];
    int fd = open(name, O_RDONLY);
    ssize_t n = read(fd, text, sizeof text);
    printf("%s:", name);
    for (ssize_t i = 0; i < n; i++)
        putchar(text[i] ? text[i] : ' ');
    putchar('\n');
    close(fd);
}

int main(int argc, char **argv) {
    for (int i = 0; i < argc; i++)
        printf("argv[%d]=%s\n", i, argv[i]);
    for (char **e = environ; *e; e++)
        if (!strncmp(*e, "T_", 2) || !strncmp(*e, "QEMU_", 5) || !strncmp(*e, "RVNATIVE_", 9))
            puts(*e);
    // How much more qemu does not tell.
    if (getenv("T_SHORT"))
        return 7;
    char link[4096];
    ssize_t n = readlink("/proc/self/exe", link, sizeof link - 1);
    printf("exe %.*s\n", (int)n, link);
    file("/proc/self/cmdline");
    file("/proc/self/comm");
    printf("execfn %s\n", (char *)getauxval(AT_EXECFN));
    printf("secure %lu\n", getauxval(AT_SECURE));
    printf("ids %u %u\n", getuid(), geteuid());
    // No descriptor more than the standard ones.
    for (int fd = 3; fd < 100; fd++)
        if (fcntl(fd, F_GETFD) >= 0)
            printf("descriptor %d\n", fd);
    return 7;
}
