# What test scripts share; sourced with the repository as the current directory.

# Sets `rvnative` to the emulator under test: $RVNATIVE, or a release build made now.
find_rvnative() {
    rvnative=${RVNATIVE:-}
    [ -z "$rvnative" ] || return 0
    cargo build --release --quiet || exit 1
    rvnative=$PWD/target/release/rvnative
}

# Sets `all_engines` to the engines of the emulator $1, by the names of `run --jit`, and `all_checks`
# to the ways of checking one. That of blocks alone is left out: of what is not hot, `regions` makes
# the same.
find_engines() {
    local rows
    rows=$("$1" engines) || exit 1
    all_engines=$(awk '$2 == "engine" && $1 != "baseline" { print $1 }' <<<"$rows")
    all_checks=$(awk '$2 == "check" { print $1 }' <<<"$rows")
    [ -n "$all_engines" ] && [ -n "$all_checks" ] || { echo "no engines: $rows" >&2; exit 1; }
}
