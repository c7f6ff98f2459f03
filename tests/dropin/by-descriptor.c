// Executes a program by a descriptor that stays open, or by the very name FILE, which a shell would
// change: by-descriptor [--name] FILE ARGV0 [ARGUMENT...]
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

int main(int argc, char **argv) {
    int named = argc > 1 && !strcmp(argv[1], "--name");
    argv += named;
    if (argc - named > 2) {
        if (named)
            execv(argv[1], argv + 2);
        else
            fexecve(open(argv[1], O_PATH), argv + 2, environ);
    }
    perror(argv[1]);
    return 126;
}
