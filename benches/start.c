// Calls that change the address space, or copy it, again and again:
//   start TEST    prints operations a second, of half a second
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096ul

static char *area;

static void must(int good) {
  if (!good) {
    perror("start");
    exit(1);
  }
}

static char *map(size_t size) {
  char *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  must(at != MAP_FAILED);
  return at;
}

// Maps, touches and unmaps single pages.
static void do_mmap(void) {
  char *at = map(PAGE);
  *at = 1;
  must(munmap(at, PAGE) == 0);
}

// Unmaps every other page of an area, then all of it.
static void do_munmap(void) {
  char *at = map(32 * PAGE);
  for (int i = 0; i < 32; i += 2) must(munmap(at + i * PAGE, PAGE) == 0);
  must(munmap(at, 32 * PAGE) == 0);
}

static void do_mprotect(void) {
  must(mprotect(area + 8 * PAGE, 4 * PAGE, PROT_READ) == 0);
  must(mprotect(area + 8 * PAGE, 4 * PAGE, PROT_READ | PROT_WRITE) == 0);
  area[8 * PAGE] = 1;
}

static void do_brk(void) {
  char *at = sbrk(16 * PAGE);
  must(at != (char *)-1);
  *at = 1;
  must(sbrk(-16 * (long)PAGE) != (char *)-1);
}

static void do_madvise(void) {
  area[0] = area[PAGE] = 1; // Both pages are new each time.
  must(madvise(area, 4 * PAGE, MADV_DONTNEED) == 0);
}

static void do_fork(void) {
  pid_t child = fork();
  must(child >= 0);
  if (child == 0) _exit(0);
  must(waitpid(child, NULL, 0) == child);
}

// A child that maps 64 areas and unmaps them.
static void do_mmapfork(void) {
  pid_t child = fork();
  must(child >= 0);
  if (child == 0) {
    char *at[64];
    for (int i = 0; i < 64; i++) memset(at[i] = map(4 * PAGE), 1, 4 * PAGE);
    for (int i = 0; i < 64; i++) must(munmap(at[i], 4 * PAGE) == 0);
    _exit(0);
  }
  must(waitpid(child, NULL, 0) == child);
}

static const struct {
  const char *name;
  void (*run)(void);
} tests[] = {
    {"mmap", do_mmap},       {"munmap", do_munmap}, {"mprotect", do_mprotect}, {"brk", do_brk},
    {"madvise", do_madvise}, {"fork", do_fork},     {"mmapfork", do_mmapfork},
};

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  area = map(64 * PAGE);
  for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
    if (strcmp(argv[1], tests[i].name) != 0) continue;
    double start = now(), took;
    long done = 0;
    do {
      for (int n = 0; n < 16; n++) tests[i].run();
      done += 16;
      took = now() - start;
    } while (took < 0.5);
    printf("%.1f\n", done / took);
    return 0;
  }
  return 2;
}
