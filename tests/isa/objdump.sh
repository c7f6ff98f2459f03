#!/bin/sh
# Compares the disassembler with GNU objdump over whole RISC-V programs and libraries.
#
#   tests/isa/objdump.sh FILE-OR-DIRECTORY...
#
# Directories are searched for RISC-V ELF files. A root file system of riscv64 packages comes from
#   mmdebstrap --arch=riscv64 --variant=extract --include=libc6,openssl,python3 trixie ROOT
# OBJDUMP names another objdump than riscv64-linux-gnu-objdump (Debian: binutils-riscv64-linux-gnu).
set -eu
objdump=${OBJDUMP:-riscv64-linux-gnu-objdump}
cd "$(dirname "$0")/../.."
[ $# -gt 0 ] || { sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2; }
command -v "$objdump" >/dev/null || { echo "objdump.sh: no $objdump" >&2; exit 2; }
cargo build --quiet --release --example check_disasm
check=${CARGO_TARGET_DIR:-target}/release/examples/check_disasm

list=$(mktemp)
trap 'rm -f "$list"' EXIT
# Bytes 18 and 19 of an ELF header are the machine; 243 is RISC-V.
find "$@" -type f -size +0 | while read -r file; do
    [ "$(od -An -tx1 -N20 "$file" | tr -d ' \n' | sed 's/^7f454c46.\{28\}/ELF/')" = ELFf300 ] && echo "$file"
done >"$list" || true
[ -s "$list" ] || { echo "objdump.sh: no RISC-V ELF files in $*" >&2; exit 2; }

# One stream, so that the counts are totals.
while read -r file; do
    "$objdump" -d "$file"
done <"$list" | "$check"
echo "$(wc -l <"$list") files"
