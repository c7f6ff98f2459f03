// What the kernel hands a new program: arguments, environment, auxiliary vector, aligned stack.
#include "guest.h"

int main(int argc, char **argv, char **environment) {
  CHECK((u64)(argv - 1) % 16, 0);
  CHECK(argv[argc], 0);
  CHECK(argc >= 1, 1);
  u64 count = 0;
  while (environment[count]) count++;
  u64 *aux = (u64 *)(environment + count + 1), found[64] = {0};
  u64 seen = 0;
  for (; aux[0]; aux += 2)
    if (aux[0] < 64) found[aux[0]] = aux[1], seen |= 1ul << aux[0];
  CHECK(found[6], PAGE);                           // AT_PAGESZ
  CHECK(found[17] > 0, 1);                         // AT_CLKTCK
  CHECK(found[4], 56);                             // AT_PHENT
  u32 *header = (u32 *)found[3];                   // AT_PHDR
  int loads = 0;
  for (u64 i = 0; i < found[5]; i++) loads += header[14 * i] == 1;
  CHECK(loads > 0, 1);
  extern char _start[];
  CHECK(found[9], _start);                         // AT_ENTRY
  u64 imafdc = 1 << ('i' - 'a') | 1 << ('m' - 'a') | 1 << 0 | 1 << ('f' - 'a') | 1 << ('d' - 'a') | 1 << ('c' - 'a');
  CHECK(found[16] & imafdc, imafdc);               // AT_HWCAP
  CHECK(seen >> 25 & 1, 1);                        // AT_RANDOM
  u64 random = 0;
  for (int i = 0; i < 16; i++) random |= ((u8 *)found[25])[i];
  CHECK(random != 0, 1);
  CHECK(seen >> 31 & 1, 1);                        // AT_EXECFN
  CHECK(length((char *)found[31]) > 0, 1);
  CHECK(found[23], 0);                             // AT_SECURE
  char name[6 * 65];
  CHECK(syscall(SYS_uname, name), 0);
  CHECK(same(name, "Linux", 6), 1);
  CHECK(same(name + 4 * 65, "riscv64", 8), 1);
  // gp and the stack are usable; the stack grows by megabytes.
  volatile u8 *low = (volatile u8 *)&random - 4 * 1024 * 1024;
  for (u64 i = 4 * 1024 * 1024; i >= PAGE; i -= PAGE) low[i] = 1;
  CHECK(low[4 * 1024 * 1024 - PAGE * 7], 1);
  return finish("env");
}
