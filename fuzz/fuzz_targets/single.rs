//! Single instructions with special operands: the translator does what the interpreter does.
#![no_main]

libfuzzer_sys::fuzz_target!(|case: (u64, u32)| {
    rvnative::fuzzing::check_case(rvnative::fuzzing::Kind::Single, case.0, u64::from(case.1));
});
