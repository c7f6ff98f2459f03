// A program linked at the second page, where saved Lisp images lie: below what some hosts let
// anybody map.
#include "guest.h"

static u64 data[3] = {1, 2, 3};
static u64 zeros[2000];

static u64 sum(u64 n) {
  u64 total = 0;
  for (u64 i = 0; i < n; i++) total += data[i % 3] + zeros[i];
  return total;
}

int main(void) {
  CHECK((u64)main >> 12 < 16, 1);
  CHECK((u64)data >> 12 < 16, 1);
  CHECK(sum(1500), 3000);
  zeros[1] = 5;
  CHECK(sum(1500), 3005);
  // The first page is nobody's.
  i32 status = 0;
  i64 child = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
  if (child == 0) {
    data[0] = *(volatile u64 *)(data[0] * 8);
    syscall(SYS_exit_group, 0);
  }
  CHECK(syscall(SYS_wait4, child, &status, 0, 0), (u64)child);
  CHECK(status, SIGSEGV);
  child = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
  if (child == 0) syscall(SYS_exit_group, sum(3));
  CHECK(syscall(SYS_wait4, child, &status, 0, 0), (u64)child);
  CHECK(status, 11 << 8);
  return finish("low");
}
