//! Any word decodes, prints and encodes consistently, or is illegal.
#![no_main]

libfuzzer_sys::fuzz_target!(|bits: u32| {
    rvnative::fuzzing::check_decoder(bits, &rvnative::isa::Isa::MAX).unwrap();
});
