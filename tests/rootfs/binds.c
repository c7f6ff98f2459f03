// Mounts of a root filesystem: run as /binds with a directory bound to /changing/ro, read-only,
// and another to /rw.
#define _GNU_SOURCE
#include "../linux/check.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static int holds(const char *path, const char *wanted) {
    char text[64] = "";
    int fd = open(path, O_RDONLY);
    if (fd < 0) return 0;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    return n >= 0 && !strcmp(text, wanted);
}

static int lists(const char *path, const char *name) {
    DIR *dir = opendir(path);
    int found = 0;
    for (struct dirent *e; dir && (e = readdir(dir));) found |= !strcmp(e->d_name, name);
    if (dir) closedir(dir);
    return found;
}

static void refuses(void) {
    CHECK(holds("/changing/ro/file", "data\n") && holds("/changing/ro/link", "inside\n"));
    FAILS(open("/changing/ro/file", O_RDWR), EROFS);
    FAILS(open("/changing/ro/file", O_RDONLY | O_TRUNC), EROFS);
    FAILS(open("/changing/ro/new", O_CREAT | O_WRONLY, 0600), EROFS);
    FAILS(open("/changing/ro/none", O_WRONLY), ENOENT);
    CHECK(close(open("/changing/ro/file", O_CREAT | O_RDONLY, 0600)) == 0);
    FAILS(mkdir("/changing/ro/d", 0700), EROFS);
    FAILS(mkdir("/changing/ro", 0700), EEXIST);
    FAILS(unlink("/changing/ro/file"), EROFS);
    FAILS(rename("/changing/ro/file", "/changing/ro/other"), EROFS);
    FAILS(symlink("x", "/changing/ro/l"), EROFS);
    FAILS(link("/changing/ro/file", "/changing/ro/l"), EROFS);
    FAILS(chmod("/changing/ro/file", 0600), EROFS);
    FAILS(chown("/changing/ro/file", -1, -1), EROFS);
    FAILS(truncate("/changing/ro/file", 0), EROFS);
    FAILS(utimensat(AT_FDCWD, "/changing/ro/file", NULL, 0), EROFS);
    FAILS(setxattr("/changing/ro/file", "user.x", "", 0, 0), EROFS);
    // By relative names and by way of a link, too.
    CHECK(chdir("/changing") == 0);
    FAILS(open("ro/file", O_WRONLY), EROFS);
    CHECK(symlink("/changing/ro", "/tmp/link") == 0);
    FAILS(open("/tmp/link/file", O_WRONLY), EROFS);
    FAILS(unlink("/tmp/link/file"), EROFS);
    CHECK(unlink("/tmp/link") == 0 && chdir("/") == 0);
}

int main(void) {
    char cwd[64];
    CHECK(lists("/", "rw") && lists("/changing", "ro"));
    refuses();
    CHECK(chdir("/rw/../changing/ro/../../rw") == 0);
    CHECK(chdir("..") == 0 && getcwd(cwd, sizeof cwd) && !strcmp(cwd, "/"));
    FAILS(rmdir("/rw"), EBUSY);
    FAILS(rename("/rw", "/rx"), EBUSY);
    int fd = open("/rw/new", O_CREAT | O_WRONLY, 0600);
    CHECK(fd >= 0 && write(fd, "new\n", 4) == 4 && close(fd) == 0);
    CHECK(holds("/rw/new", "new\n"));
    CHECK(unlink("/rw/new") == 0);
    return finish();
}
