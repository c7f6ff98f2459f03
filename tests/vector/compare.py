# Compares the states after: EXPECTED FOUND INPUT VLEN. Addresses of faults are not compared, nor
# what QEMU executes of encodings that the manual reserves since registers have two widths there.
import collections, struct, sys

V, MEM, SIZE = 552, 2600, 10808
expected, found, given = (open(name, "rb").read() for name in sys.argv[1:4])
length = int(sys.argv[4]) // 8
counts, bad = collections.Counter(), 0
for at in range(0, min(len(expected), len(given)) // SIZE * SIZE, SIZE):
    a, b = expected[at : at + SIZE], found[at : at + SIZE].ljust(SIZE, b"\0")
    (exit_a,), (exit_b,) = (struct.unpack_from("<B", s, SIZE - 16) for s in (a, b))
    (word,) = struct.unpack_from("<I", a, SIZE - 8)
    counts[exit_a] += 1
    if exit_a == exit_b == 4:
        continue
    if (exit_a, exit_b) == (0, 4):
        counts["reserved"] += 1
        continue
    # x0, gp, tp and t6 are the runner's own; the fault is at SIZE - 16.
    words = lambda s: [w for n, w in enumerate(struct.unpack_from("<69Q", s, 0)) if n not in (5, 8, 9, 36)]
    state = lambda s: (words(s), s[V : V + 32 * length], s[MEM : MEM + 8192])
    if exit_a != exit_b or state(a) != state(b):
        bad += 1
        print(f"state {at // SIZE}: {word:#010x} differs, exits {exit_a} and {exit_b}")
print(dict(counts), f"{bad} differences")
sys.exit(bad != 0)
