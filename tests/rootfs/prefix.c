// Files are read, replaced and removed in one place: below the prefix, where they are. The directory has
// /etc/name, which the host has not.
#define _GNU_SOURCE
#include "../linux/check.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void put(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0644);
    CHECK(fd >= 0 && write(fd, text, strlen(text)) == (long)strlen(text));
    close(fd);
}

static int is(const char *path, const char *wanted) {
    char text[64] = "";
    int fd = open(path, O_RDONLY);
    long n = read(fd, text, sizeof text - 1);
    close(fd);
    return n >= 0 && strcmp(text, wanted) == 0;
}

int main(int argc, char **argv) {
    char text[512];
    if (argc > 1) return is("/etc/name", "kept\n") ? 42 : 43;
    CHECK(is("/etc/name", "inside\n"));
    // As programs that keep a table replace it.
    put("/etc/name+", "new\n");
    CHECK(is("/etc/name+", "new\n"));
    CHECK(link("/etc/name", "/etc/name-") == 0 && is("/etc/name-", "inside\n"));
    CHECK(rename("/etc/name+", "/etc/name") == 0 && is("/etc/name", "new\n"));
    FAILS(access("/etc/name+", F_OK), ENOENT);
    CHECK(unlink("/etc/name-") == 0);
    FAILS(open("/etc/name", O_CREAT | O_EXCL | O_RDWR, 0600), EEXIST);
    // A directory is entered where its files are.
    CHECK(chdir("/etc") == 0 && is("name", "new\n"));
    CHECK(getcwd(text, sizeof text) != NULL && chdir("/") == 0 && chdir(text) == 0 && is("name", "new\n"));
    int dir = open("/etc", O_RDONLY | O_DIRECTORY);
    CHECK(faccessat(dir, "name", F_OK, 0) == 0);
    CHECK(mkdirat(dir, "made", 0755) == 0 && access("/etc/made", F_OK) == 0);
    CHECK(symlink("name", "/etc/made/../link") == 0 && is("/etc/link", "new\n"));
    CHECK(readlink("/etc/link", text, sizeof text) == 4 && unlink("/etc/link") == 0);
    CHECK(rmdir("/etc/made") == 0);
    FAILS(rmdir("/etc/made"), ENOENT);
    FAILS(rename("/etc/made", "/etc/other"), ENOENT);
    // What is found in no directory of the prefix is the host's.
    FAILS(open("/no-such-directory/name", O_CREAT | O_RDWR, 0600), ENOENT);
    put("/etc/kept", "kept\n");
    CHECK(rename("/etc/kept", "name") == 0 && is("/etc/name", "kept\n"));
    // A program that is started from another directory has the same files.
    pid_t pid = fork();
    if (pid == 0) {
        execl("/prefix", "prefix", "again", NULL);
        _exit(1);
    }
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 42);
    return finish();
}
