//! Random programs: the translator does what the interpreter does.
#![no_main]

libfuzzer_sys::fuzz_target!(|case: (u64, u32)| {
    rvnative::fuzzing::check_case(rvnative::fuzzing::Kind::Block, case.0, u64::from(case.1));
});
