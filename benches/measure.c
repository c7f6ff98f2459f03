// Run a command and report what it cost: measure [-t SECONDS] [-n RUNS] REPORT COMMAND [ARGS...]
//
// Appends to the file REPORT one line per run: user and system CPU time and elapsed time in
// microseconds, peak resident memory in KiB, the wait status, and the instructions executed in user
// mode (-1 where the kernel or the machine does not count them). A small launcher, because the peak
// memory the kernel counts for a child includes what its parent had when it forked.
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long micros(struct timeval t) { return t.tv_sec * 1000000ll + t.tv_usec; }

static pid_t child;
static void expire(int signal) {
  (void)signal;
  kill(child, SIGKILL);
}

// A counter of user-mode instructions that starts with the exec of a process, or -1.
static int instruction_counter(pid_t process) {
  struct perf_event_attr event;
  memset(&event, 0, sizeof event);
  event.size = sizeof event;
  event.type = PERF_TYPE_HARDWARE;
  event.config = PERF_COUNT_HW_INSTRUCTIONS;
  event.disabled = event.enable_on_exec = event.inherit = event.exclude_kernel = event.exclude_hv = 1;
  return (int)syscall(SYS_perf_event_open, &event, process, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

int main(int argc, char **argv) {
  int option, seconds = 0, runs = 1;
  while ((option = getopt(argc, argv, "+t:n:")) != -1) {
    if (option == 't') seconds = atoi(optarg);
    else if (option == 'n') runs = atoi(optarg);
    else return 2;
  }
  if (argc - optind < 2) {
    fprintf(stderr, "usage: measure [-t SECONDS] [-n RUNS] REPORT COMMAND [ARGS...]\n");
    return 2;
  }
  int report = open(argv[optind], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (report < 0) {
    perror(argv[optind]);
    return 2;
  }
  signal(SIGALRM, expire);
  while (runs-- > 0) {
    struct timespec from, to;
    clock_gettime(CLOCK_MONOTONIC, &from);
    // The child waits until its counter exists.
    int go[2];
    char byte;
    if (pipe2(go, O_CLOEXEC)) return 2;
    child = fork();
    if (child == 0) {
      signal(SIGALRM, SIG_DFL);
      close(go[1]);
      if (read(go[0], &byte, 1) < 0) _exit(127);
      execvp(argv[optind + 1], argv + optind + 1);
      perror(argv[optind + 1]);
      _exit(127);
    }
    int counter = instruction_counter(child);
    close(go[0]);
    close(go[1]);
    alarm((unsigned)seconds);
    int status;
    struct rusage used;
    while (wait4(child, &status, 0, &used) < 0) continue;
    alarm(0);
    clock_gettime(CLOCK_MONOTONIC, &to);
    long long elapsed = (to.tv_sec - from.tv_sec) * 1000000ll + (to.tv_nsec - from.tv_nsec) / 1000;
    long long instructions = -1;
    if (counter >= 0) {
      if (read(counter, &instructions, sizeof instructions) != sizeof instructions) instructions = -1;
      close(counter);
    }
    dprintf(report, "%lld %lld %lld %ld %d %lld\n", micros(used.ru_utime), micros(used.ru_stime), elapsed, used.ru_maxrss, status,
            instructions);
  }
  return 0;
}
