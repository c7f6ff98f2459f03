//! Any file is refused or loaded.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    rvnative::fuzzing::check_elf(&rvnative::vm::Engine::default(), bytes);
});
