// Memory calls with all kinds of arguments: what they answer, and what the address space looks like
// afterwards. Before each call an arena of 24 pages is made anew.
#define _GNU_SOURCE
#include "same.h"
#include <fcntl.h>
#include <stdint.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#define ARENA ((char *)0x2000000000)
#define PAGES 24
#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
// What the headers may lack.
#define GUARD_INSTALL 102
#define GUARD_REMOVE 103
#define GROWSDOWN 0x01000000
#define GROWSUP 0x02000000
#define DONTUNMAP 4
#define DROPPABLE 8

static int file, read_only, write_only, pipes[2];

static void part(int page, int pages, int prot, int flags, int fd, long offset) {
    void *at = ARENA + page * PAGE;
    if (mmap(at, pages * PAGE, prot, flags | MAP_FIXED, fd, offset * PAGE) != at) {
        say("the arena cannot be made: %d %s\n", page, strerrorname_np(errno));
        flush();
        exit(1);
    }
}

// Makes the arena: a page at least is free around everything, but for 0 to 4.
static void make(void) {
    munmap(ARENA, PAGES * PAGE);
    char bytes[4] = "fgh";
    for (int i = 0; i < 4; i++)
        if (pwrite(file, bytes + i, 1, i * PAGE) != 1) exit(1);
    part(1, 2, RW, ANON, -1, 0);
    ARENA[PAGE] = 'a', ARENA[2 * PAGE] = 'b';
    part(3, 1, RW, ANON, -1, 0);
    ARENA[3 * PAGE] = 'c';
    if (mprotect(ARENA + 3 * PAGE, PAGE, PROT_READ) != 0) exit(1);
    part(4, 1, PROT_NONE, ANON, -1, 0);
    part(6, 2, RW, MAP_SHARED, file, 0);
    part(9, 1, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ARENA[9 * PAGE] = 's';
    part(11, 2, RW, MAP_PRIVATE, file, 1);
    ARENA[11 * PAGE] = 'p';
    part(14, 1, PROT_READ, MAP_SHARED, read_only, 0);
    part(16, 2, RW, ANON | MAP_LOCKED, -1, 0);
    ARENA[16 * PAGE] = 'l';
    part(0, 1, RW, ANON | MAP_GROWSDOWN, -1, 0);
    ARENA[0] = 'd';
}

// The byte at an address, '.' if it cannot be read.
static char peek(const char *at) {
    char byte = 0;
    if (write(pipes[1], at, 1) != 1) return '.';
    if (read(pipes[0], &byte, 1) != 1) return '!';
    return byte ? byte : '0';
}

// The lines of /proc/self/maps in a range, neighbours that continue each other as one.
static void lines(char *to, size_t room, const char *from, const char *end) {
    static char text[1 << 16];
    int fd = open("/proc/self/maps", O_RDONLY);
    size_t len = 0;
    for (ssize_t n; (n = read(fd, text + len, sizeof text - 1 - len)) > 0;) len += n;
    close(fd);
    text[len] = 0;
    struct { unsigned long start, end, offset; char flags[8]; int is_file; } all[64];
    int count = 0;
    for (char *line = strtok(text, "\n"); line && count < 64; line = strtok(NULL, "\n")) {
        unsigned long a, b, offset;
        char flags[8];
        if (sscanf(line, "%lx-%lx %7s %lx", &a, &b, flags, &offset) != 4) continue;
        if (a >= (unsigned long)end || b <= (unsigned long)from) continue;
        int is_file = strchr(line, '/') && !strstr(line, "/dev/zero");
        if (count && all[count - 1].end == a && !strcmp(all[count - 1].flags, flags) &&
            is_file == all[count - 1].is_file &&
            (!is_file || offset == all[count - 1].offset + a - all[count - 1].start)) {
            all[count - 1].end = b;
            continue;
        }
        all[count].start = a, all[count].end = b, all[count].offset = offset, all[count].is_file = is_file;
        strcpy(all[count++].flags, flags);
    }
    *to = 0;
    for (int i = 0; i < count; i++) {
        size_t n = strlen(to);
        long first = ((long)all[i].start - (long)from) / (long)PAGE, last = ((long)all[i].end - (long)from) / (long)PAGE;
        snprintf(to + n, room - n, " %ld-%ld:%s", first, last, all[i].flags);
        n = strlen(to);
        if (all[i].is_file) snprintf(to + n, room - n, "@%lx", all[i].offset / PAGE);
    }
}

static void state(char *to, size_t room) {
    for (int page = 0; page < PAGES; page++) to[page] = peek(ARENA + page * PAGE);
    lines(to + PAGES, room - PAGES, ARENA, ARENA + PAGES * PAGE);
}

static char before[4096], after[4096];

// Says what came of a call, and how the arena has changed.
static void tell(long r, int is_address, size_t len) {
    int error = errno;
    if (r == -1 || !is_address) {
        errno = error;
        say(" = %s", result(r));
    } else if (r >= (long)ARENA && r < (long)ARENA + (long)(PAGES * PAGE)) {
        say(" = page %ld", (r - (long)ARENA) / (long)PAGE);
    } else {
        char there[512];
        lines(there, sizeof there, (char *)r, (char *)r + len);
        // What it touches there is nobody's business.
        say(" = elsewhere %c %s", peek((char *)r), strstr(there, ":") ? strstr(there, ":") : "nothing");
        munmap((void *)r, len);
    }
    state(after, sizeof after);
    if (strcmp(before, after)) say(" -> %s", after);
    say("\n");
    make();
}

struct name { const char *name; uintptr_t value; };

static struct name addresses[] = {
    {"free", 20 * PAGE}, {"anon", 1 * PAGE}, {"second", 2 * PAGE}, {"readable", 3 * PAGE}, {"none", 4 * PAGE},
    {"before file", 5 * PAGE}, {"file", 6 * PAGE}, {"shared", 9 * PAGE}, {"copy", 11 * PAGE},
    {"read-only file", 14 * PAGE}, {"locked", 16 * PAGE}, {"grows", 0},
    {"odd", 1 * PAGE + 1}, {"odd file", 6 * PAGE + 8},
};
static const struct name outside[] = {{"beyond", 1UL << 50}, {"negative", -PAGE}, {"odd negative", -8UL}};
static const struct name lengths[] = {
    {"0", 0}, {"1", 1}, {"P", PAGE}, {"P+1", PAGE + 1}, {"4P", 4 * PAGE}, {"8P", 8 * PAGE},
    {"huge", 1UL << 50}, {"-1", -1UL}, {"-P", -PAGE}, {"-2P", -2 * PAGE},
};
#define FEW 6

static uintptr_t address(size_t i) {
    return i < COUNT(addresses) ? (uintptr_t)ARENA + addresses[i].value : outside[i - COUNT(addresses)].value;
}
static const char *address_name(size_t i) {
    return i < COUNT(addresses) ? addresses[i].name : outside[i - COUNT(addresses)].name;
}
#define ADDRESSES (COUNT(addresses) + COUNT(outside))

// A call with an address, a length, and one of several values.
static void ranges(const char *name, long number, const struct name *values, size_t count, size_t many) {
    for (size_t v = 0; v < count; v++)
        for (size_t a = 0; a < ADDRESSES; a++)
            for (size_t l = 0; l < many; l++) {
                say("%s(%s, %s, %s)", name, address_name(a), lengths[l].name, values[v].name);
                long r = syscall(number, address(a), lengths[l].value, values[v].value, 0, 0, 0);
                tell(r, 0, 0);
            }
}

static void unmaps(void) {
    static const struct name none[] = {{"-", 0}};
    ranges("munmap", SYS_munmap, none, 1, COUNT(lengths));
    ranges("mlock", SYS_mlock, none, 1, COUNT(lengths) - 4);
    ranges("munlock", SYS_munlock, none, 1, COUNT(lengths));
}

static void protects(void) {
    static const struct name prots[] = {
        {"NONE", 0}, {"R", 1}, {"W", 2}, {"RW", 3}, {"RX", 5}, {"RWX", 7}, {"SEM", 8 | 1}, {"0x10", 0x10},
        {"-1", -1UL}, {"GROWSDOWN", GROWSDOWN | 1}, {"GROWSUP", GROWSUP | 1}, {"both", GROWSUP | GROWSDOWN | 1},
    };
    ranges("mprotect", SYS_mprotect, prots, COUNT(prots), FEW);
    ranges("mprotect", SYS_mprotect, prots + 1, 1, COUNT(lengths));
}

static void advises(void) {
    static const struct name advice[] = {
        {"NORMAL", 0}, {"RANDOM", 1}, {"SEQUENTIAL", 2}, {"WILLNEED", 3}, {"DONTNEED", 4}, {"5", 5}, {"FREE", 8},
        {"REMOVE", 9}, {"DONTFORK", 10}, {"DOFORK", 11}, {"DONTDUMP", 16}, {"DODUMP", 17}, {"WIPEONFORK", 18},
        {"KEEPONFORK", 19}, {"COLD", 20}, {"POPULATE_READ", 22}, {"POPULATE_WRITE", 23},
        {"DONTNEED_LOCKED", 24}, {"GUARD_INSTALL", GUARD_INSTALL}, {"GUARD_REMOVE", GUARD_REMOVE},
        {"104", 104}, {"-1", -1UL},
    };
    ranges("madvise", SYS_madvise, advice, COUNT(advice), 5);
    ranges("madvise", SYS_madvise, advice, 1, COUNT(lengths));
}

static void syncs(void) {
    static const struct name flags[] = {
        {"0", 0}, {"ASYNC", MS_ASYNC}, {"SYNC", MS_SYNC}, {"INVALIDATE", MS_INVALIDATE},
        {"INVALIDATE|SYNC", MS_INVALIDATE | MS_SYNC}, {"ASYNC|SYNC", MS_ASYNC | MS_SYNC}, {"8", 8}, {"-1", -1UL},
    };
    ranges("msync", SYS_msync, flags, COUNT(flags), FEW);
    ranges("msync", SYS_msync, flags + 1, 1, COUNT(lengths));
}

static void locks(void) {
    static const struct name flags[] = {{"0", 0}, {"ONFAULT", 1}, {"2", 2}, {"-1", -1UL}};
    ranges("mlock2", SYS_mlock2, flags, COUNT(flags), FEW);
}

static void residence(void) {
    static unsigned char vector[64];
    const struct name vectors[] = {{"good", (uintptr_t)vector}, {"NULL", 0}, {"negative", -PAGE}, {"none", (uintptr_t)ARENA + 4 * PAGE}};
    for (size_t v = 0; v < COUNT(vectors); v++)
        for (size_t a = 0; a < ADDRESSES; a++)
            for (size_t l = 0; l < COUNT(lengths); l++) {
                memset(vector, 0x7e, sizeof vector);
                say("mincore(%s, %s, %s)", address_name(a), lengths[l].name, vectors[v].name);
                long r = syscall(SYS_mincore, address(a), lengths[l].value, vectors[v].value);
                if (r == 0)
                    for (int i = 0; i < 9 && vector[i] != 0x7e; i++) say(" %d", vector[i] & 1);
                tell(r, 0, 0);
            }
}

static void moves(void) {
    static const struct name flags[] = {
        {"0", 0}, {"MAYMOVE", 1}, {"FIXED", 2}, {"MAYMOVE|FIXED", 3}, {"DONTUNMAP", DONTUNMAP},
        {"MAYMOVE|DONTUNMAP", 1 | DONTUNMAP}, {"all", 7}, {"8", 9},
    };
    static const struct name olds[] = {{"0", 0}, {"1", 1}, {"P", PAGE}, {"2P", 2 * PAGE}, {"3P", 3 * PAGE}, {"-P", -PAGE}};
    static const struct name news[] = {{"0", 0}, {"P", PAGE}, {"P+1", PAGE + 1}, {"3P", 3 * PAGE}, {"huge", 1UL << 50}};
    for (size_t f = 0; f < COUNT(flags); f++)
        for (size_t a = 0; a < ADDRESSES; a++)
            for (size_t o = 0; o < COUNT(olds); o++)
                for (size_t n = 0; n < COUNT(news); n++) {
                    if (f >= 2 && (n == 2 || n == 0) && a % 3) continue;
                    uintptr_t to = (uintptr_t)ARENA + 18 * PAGE;
                    say("mremap(%s, %s, %s, %s)", address_name(a), olds[o].name, news[n].name, flags[f].name);
                    long r = syscall(SYS_mremap, address(a), olds[o].value, news[n].value, flags[f].value, to);
                    tell(r, 1, news[n].value);
                }
    // Places that cannot be, or where something is.
    const struct name places[] = {
        {"odd", (uintptr_t)ARENA + 18 * PAGE + 1}, {"itself", (uintptr_t)ARENA + PAGE}, {"second", (uintptr_t)ARENA + 2 * PAGE},
        {"on file", (uintptr_t)ARENA + 6 * PAGE}, {"beyond", 1UL << 50}, {"negative", -PAGE}, {"free", (uintptr_t)ARENA + 20 * PAGE},
    };
    for (size_t p = 0; p < COUNT(places); p++)
        for (size_t n = 1; n < COUNT(news); n++)
            for (size_t o = 0; o < 5; o++) {
                say("mremap(anon, %s, %s, fixed, %s)", olds[o].name, news[n].name, places[p].name);
                long r = syscall(SYS_mremap, ARENA + PAGE, olds[o].value, news[n].value, 3, places[p].value);
                tell(r, 1, news[n].value);
            }
}

static void maps(void) {
    struct name types[] = {
        {"none", 0}, {"SHARED", MAP_SHARED}, {"PRIVATE", MAP_PRIVATE}, {"SHARED_VALIDATE", 3}, {"4", 4}, {"DROPPABLE", DROPPABLE},
        {"SHARED|ANON", MAP_SHARED | MAP_ANONYMOUS}, {"PRIVATE|ANON", ANON}, {"VALIDATE|ANON", 3 | MAP_ANONYMOUS},
        {"DROPPABLE|ANON", DROPPABLE | MAP_ANONYMOUS}, {"VALIDATE|1<<30", 3 | 1 << 30}, {"PRIVATE|1<<30", MAP_PRIVATE | 1 << 30},
        {"VALIDATE|SYNC", 3 | 0x80000}, {"PRIVATE|ANON|GROWSDOWN", ANON | MAP_GROWSDOWN},
        {"SHARED|ANON|GROWSDOWN", MAP_SHARED | MAP_ANONYMOUS | MAP_GROWSDOWN}, {"PRIVATE|GROWSDOWN", MAP_PRIVATE | MAP_GROWSDOWN},
        {"PRIVATE|ANON|LOCKED", ANON | MAP_LOCKED}, {"PRIVATE|ANON|POPULATE", ANON | MAP_POPULATE},
    };
    struct name files[] = {{"-1", -1UL}, {"99", 99}, {"file", file}, {"read-only", read_only}, {"write-only", write_only}, {"pipe", pipes[0]}};
    static const struct name lens[] = {{"0", 0}, {"1", 1}, {"P", PAGE}, {"-1", -1UL}, {"-P", -PAGE}, {"huge", 1UL << 50}};
    static const struct name offsets[] = {{"0", 0}, {"P", PAGE}, {"1", 1}, {"-P", -PAGE}, {"max", 0x7ffffffffffff000}};
    for (size_t t = 0; t < COUNT(types); t++)
        for (size_t f = 0; f < COUNT(files); f++)
            for (size_t l = 0; l < COUNT(lens); l++)
                for (size_t o = 0; o < COUNT(offsets); o++) {
                    if (l > 2 && o > 1 && f != 2) continue;
                    for (int prot = PROT_READ; prot <= RW; prot += 2) {
                        if (prot == RW && (l != 2 || o > 0)) continue;
                        say("mmap(18, %s, %s, %s, %s, %s)", lens[l].name, prot == RW ? "RW" : "R", types[t].name, files[f].name, offsets[o].name);
                        long r = syscall(SYS_mmap, ARENA + 18 * PAGE, lens[l].value, prot, types[t].value, (int)files[f].value, offsets[o].value);
                        tell(r, 1, lens[l].value);
                    }
                }
    // Places.
    static const struct name how[] = {{"hint", 0}, {"FIXED", MAP_FIXED}, {"NOREPLACE", MAP_FIXED_NOREPLACE}};
    for (size_t h = 0; h < COUNT(how); h++)
        for (size_t a = 0; a < ADDRESSES; a++)
            for (size_t l = 0; l < COUNT(lengths); l++) {
                // x86 takes an odd address of the kernel's for an error number.
                if (a == ADDRESSES - 1) continue;
                say("mmap(%s, %s, %s)", address_name(a), lengths[l].name, how[h].name);
                long r = syscall(SYS_mmap, address(a), lengths[l].value, PROT_READ, ANON | how[h].value, -1, 0);
                tell(r, 1, lengths[l].value);
            }
    for (int prot = 0; prot < 8; prot++) {
        // Whether what can only be executed can be read is the machine's business.
        if (prot == PROT_EXEC) continue;
        say("mmap(18, P, %d)", prot);
        tell(syscall(SYS_mmap, ARENA + 18 * PAGE, PAGE, prot, ANON | MAP_FIXED, -1, 0), 1, PAGE);
        say("mmap(18, P, %d, file)", prot);
        tell(syscall(SYS_mmap, ARENA + 18 * PAGE, PAGE, prot, MAP_SHARED | MAP_FIXED, file, 0), 1, PAGE);
    }
}

static void file_pages(void) {
    static const struct name places[] = {{"0", 0}, {"1", 1}, {"2", 2}, {"many", 1UL << 60}};
    for (size_t a = 0; a < ADDRESSES; a++)
        for (size_t l = 0; l < COUNT(lengths) - 2; l++)
            for (size_t p = 0; p < COUNT(places); p++)
                for (int prot = 0; prot < 2; prot++) {
                    say("remap_file_pages(%s, %s, %d, %s)", address_name(a), lengths[l].name, prot, places[p].name);
                    tell(syscall(SYS_remap_file_pages, address(a), lengths[l].value, prot, places[p].value, 0), 0, 0);
                }
}

// Advice given by way of a descriptor, to ourselves and to a child.
static void advises_processes(void) {
    pid_t child = fork();
    if (child == 0) {
        pause();
        _exit(0);
    }
    int self = syscall(SYS_pidfd_open, getpid(), 0), other = syscall(SYS_pidfd_open, child, 0);
    const struct name fds[] = {{"self", self}, {"child", other}, {"file", file}, {"-1", -1UL}};
    static const struct name advice[] = {{"NORMAL", 0}, {"WILLNEED", 3}, {"DONTNEED", 4}, {"COLD", 20}, {"PAGEOUT", 21}, {"99", 99}, {"GUARD_INSTALL", 102}};
    for (size_t f = 0; f < COUNT(fds); f++)
        for (size_t a = 0; a < COUNT(advice); a++)
            for (size_t v = 0; v < ADDRESSES; v++) {
                // What a child cannot access it need not have, as far as rvnative can tell.
                if ((v % 3 && f > 1) || (f == 1 && addresses[v % COUNT(addresses)].value == 4 * PAGE)) continue;
                struct iovec vectors[] = {{(void *)address(v), PAGE}, {ARENA + 2 * PAGE, PAGE}};
                say("process_madvise(%s, %s, %s)", fds[f].name, address_name(v), advice[a].name);
                tell(syscall(SYS_process_madvise, (int)fds[f].value, vectors, 2, advice[a].value, 0), 0, 0);
            }
    struct iovec one = {ARENA + PAGE, PAGE};
    say("process_madvise with flags");
    tell(syscall(SYS_process_madvise, self, &one, 1, 20, 1), 0, 0);
    say("process_madvise of nothing");
    tell(syscall(SYS_process_madvise, self, &one, 0, 20, 0), 0, 0);
    say("process_madvise with a bad vector");
    tell(syscall(SYS_process_madvise, self, -PAGE, 1, 20, 0), 0, 0);
    say("process_madvise with no vector");
    tell(syscall(SYS_process_madvise, self, 0, 1, 20, 0), 0, 0);
    say("process_madvise with many vectors");
    tell(syscall(SYS_process_madvise, self, &one, 1025, 20, 0), 0, 0);
    kill(child, 9);
    waitpid(child, NULL, 0);
}

int main(void) {
    char name[] = "memory-XXXXXX";
    file = mkstemp(name);
    read_only = open(name, O_RDONLY);
    write_only = open(name, O_WRONLY);
    unlink(name);
    if (file < 0 || ftruncate(file, 4 * PAGE) != 0 || pipe2(pipes, O_NONBLOCK) != 0) return 1;
    make();
    state(before, sizeof before);
    say("%s\n", before);
    unmaps();
    protects();
    advises();
    syncs();
    locks();
    residence();
    moves();
    maps();
    file_pages();
    advises_processes();
    flush();
    return 0;
}
