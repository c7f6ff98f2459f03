// System calls on files and descriptors, and what bad arguments give.
#include "guest.h"

enum { AT_FDCWD = -100, O_RDONLY = 0, O_WRONLY = 1, O_RDWR = 2, O_CREAT = 0100, O_EXCL = 0200, O_TRUNC = 01000, O_APPEND = 02000, O_DIRECTORY = 0200000, O_CLOEXEC = 02000000, AT_REMOVEDIR = 0x200 };
struct stat {
  u64 dev, ino;
  u32 mode, nlink, uid, gid;
  u64 rdev, pad;
  i64 size;
  i32 blksize, pad2;
  i64 blocks, times[6];
  u32 unused[2];
};

int main(void) {
  char name[64] = "/tmp/rvnative-guest-", buffer[4096];
  u64 at = length(name);
  for (u64 pid = (u64)syscall(SYS_getpid); pid; pid /= 10) name[at++] = (char)('0' + pid % 10);
  CHECK(syscall(SYS_mkdirat, AT_FDCWD, name, 0700), 0);
  i64 folder = syscall(SYS_openat, AT_FDCWD, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  CHECK(folder >= 3, 1);
  i64 file = syscall(SYS_openat, folder, "file", O_RDWR | O_CREAT | O_EXCL, 0640);
  CHECK(file > folder, 1);
  CHECK(syscall(SYS_openat, folder, "file", O_RDWR | O_CREAT | O_EXCL, 0640), -17);
  CHECK(syscall(SYS_write, file, "hello world", 11), 11);
  struct { const void *base; u64 size; } parts[2] = {{" and", 4}, {" more", 5}};
  CHECK(syscall(SYS_writev, file, parts, 2), 9);
  CHECK(syscall(SYS_lseek, file, 6, 0), 6);
  CHECK(syscall(SYS_read, file, buffer, 100), 14);
  CHECK(same(buffer, "world and more", 14), 1);
  CHECK(syscall(SYS_pread64, file, buffer, 5, 0), 5);
  CHECK(same(buffer, "hello", 5), 1);
  struct stat info;
  CHECK(syscall(SYS_fstat, file, &info), 0);
  CHECK(info.size, 20);
  CHECK(info.mode, 0100640);
  CHECK(info.nlink, 1);
  CHECK(syscall(SYS_newfstatat, folder, "file", &info, 0), 0);
  CHECK(info.size, 20);
  CHECK(syscall(SYS_newfstatat, folder, "absent", &info, 0), -ENOENT);
  i64 got = syscall(SYS_getdents64, folder, buffer, sizeof buffer);
  int names = 0;
  for (i64 i = 0; i < got; i += *(u16 *)(buffer + i + 16)) names += same(buffer + i + 19, "file", 5) && buffer[i + 18] == 8;
  CHECK(names, 1);
  // A mapping of the file, private and shared.
  volatile u8 *shared = (u8 *)syscall(SYS_mmap, 0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  volatile u8 *private = (u8 *)syscall(SYS_mmap, 0, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
  CHECK(shared[4], 'o');
  shared[0] = 'J';
  private[1] = 'E';
  CHECK(syscall(SYS_pread64, file, buffer, 2, 0), 2);
  CHECK(same(buffer, "Je", 2), 1);
  CHECK(shared[20], 0);
  // Descriptors.
  CHECK(syscall(SYS_dup3, file, 100, O_CLOEXEC), 100);
  CHECK(syscall(SYS_fcntl, 100, 1, 0), 1);
  CHECK(syscall(SYS_close, 100), 0);
  CHECK(syscall(SYS_close, 100), -EBADF);
  int ends[2];
  CHECK(syscall(SYS_pipe2, ends, 0), 0);
  CHECK(syscall(SYS_write, ends[1], "pipe", 4), 4);
  CHECK(syscall(SYS_read, ends[0], buffer, 100), 4);
  CHECK(syscall(SYS_lseek, ends[0], 0, 0), -ESPIPE);
  // Names of this program and this folder.
  CHECK(syscall(SYS_readlinkat, AT_FDCWD, "/proc/self/exe", buffer, sizeof buffer) > 0, 1);
  CHECK(same(buffer + syscall(SYS_readlinkat, AT_FDCWD, "/proc/self/exe", buffer, sizeof buffer) - 5, "files", 5), 1);
  CHECK(syscall(SYS_getcwd, buffer, sizeof buffer) > 1, 1);
  CHECK(syscall(SYS_getcwd, buffer, 1), -34);
  // Bad pointers are EFAULT, not a crash.
  CHECK(syscall(SYS_write, ends[1], 8, 4), -EFAULT);
  CHECK(syscall(SYS_write, ends[1], -4096l, 4), -EFAULT);
  CHECK(syscall(SYS_write, ends[1], 0x8000000000000000, 4), -EFAULT);
  CHECK(syscall(SYS_openat, AT_FDCWD, 0, 0, 0), -EFAULT);
  CHECK(syscall(SYS_openat, AT_FDCWD, 0x7ffffffff000, 0, 0), -EFAULT);
  CHECK(syscall(SYS_fstat, file, 16), -EFAULT);
  CHECK(syscall(SYS_clock_gettime, 1, 24), -EFAULT);
  CHECK(syscall(SYS_rt_sigaction, SIGUSR1, 24, 0, 8), -EFAULT);
  u8 *page = map(2, PROT_READ | PROT_WRITE);
  syscall(SYS_munmap, page + PAGE, PAGE);
  CHECK(syscall(SYS_write, ends[1], page + PAGE - 3, 6), -EFAULT);
  // Numbers nobody implements.
  CHECK(syscall(2000), -ENOSYS);
  CHECK(syscall(-1l), -ENOSYS);
  CHECK(syscall(244), -ENOSYS);
  CHECK(syscall(SYS_read, -1, buffer, 1), -EBADF);
  CHECK(syscall(SYS_unlinkat, folder, "file", 0), 0);
  CHECK(syscall(SYS_unlinkat, folder, "file", 0), -ENOENT);
  CHECK(syscall(SYS_unlinkat, AT_FDCWD, name, AT_REMOVEDIR), 0);
  CHECK(syscall(SYS_getrandom, buffer, 32, 0), 32);
  return finish("files");
}
