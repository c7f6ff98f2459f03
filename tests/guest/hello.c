// The README's first program: a greeting that shows whose instructions ran.
#include "guest.h"

int main(int argc, char **argv, char **environment) {
  (void)environment;
  char name[6 * 65];
  syscall(SYS_uname, name);
  print("Hello from ");
  print(name + 4 * 65);
  for (int i = 1; i < argc; i++) {
    print(i == 1 ? ", " : " ");
    print(argv[i]);
  }
  print("!\n");
  return 0;
}
