// Executes a program by a descriptor that stays open: by-descriptor FILE ARGV0 [ARGUMENT...]
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

extern char **environ;

int main(int argc, char **argv) {
    int fd = open(argv[1], O_PATH);
    if (argc > 2)
        fexecve(fd, argv + 2, environ);
    perror(argv[1]);
    return 126;
}
