#!/bin/sh
# Compares the disassembler with GNU objdump over whole RISC-V programs and libraries.
#
#   tests/isa/objdump.sh FILE-OR-DIRECTORY...
#
# Directories are searched for RISC-V ELF files. A root file system of riscv64 packages comes from
#   mmdebstrap --arch=riscv64 --variant=extract --include=libc6,openssl,python3 trixie ROOT
# OBJDUMP names another objdump than riscv64-linux-gnu-objdump (Debian: binutils-riscv64-linux-gnu).
# Exit code 1 if a line differs, 2 if the comparison could not be made in full.
set -eu
objdump=${OBJDUMP:-riscv64-linux-gnu-objdump}
root=$(cd "$(dirname "$0")/../.." && pwd)
fail() { echo "objdump.sh: $*" >&2; exit 2; }
[ $# -gt 0 ] || { sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2; }
command -v "$objdump" >/dev/null || fail "no $objdump"
cargo build --quiet --release --manifest-path "$root/Cargo.toml" --example check_disasm
check=${CARGO_TARGET_DIR:-$root/target}/release/examples/check_disasm

temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT
# Class, data and version of the header stand before bytes 18 and 19, the machine; 243 is RISC-V.
find "$@" -type f -size +0 | while read -r file; do
    case $(od -An -v -tx1 -N20 "$file" | tr -d ' \n') in
        7f454c460201*f300) echo "$file" ;;
    esac
done >"$temp/list"
[ -s "$temp/list" ] || fail "no RISC-V ELF files in $*"

# One stream, so that the counts are totals.
code=0
while read -r file; do
    "$objdump" -d "$file" || echo "$file" >>"$temp/failed"
done <"$temp/list" | "$check" || code=1
echo "$(wc -l <"$temp/list") files"
[ ! -e "$temp/failed" ] || fail "objdump failed on: $(cat "$temp/failed")"
exit $code
