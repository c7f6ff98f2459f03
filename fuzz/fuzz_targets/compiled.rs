//! Programs as compilers write them: the translator does what the interpreter does.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    rvnative::fuzzing::check_bytes(rvnative::fuzzing::Kind::Compiled, bytes);
});
