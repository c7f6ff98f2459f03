//! Whatever a debugger's client sends, the server answers within bounds and does not panic.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    rvnative::fuzzing::check_gdb(bytes);
});
