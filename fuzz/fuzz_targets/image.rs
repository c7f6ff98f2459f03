//! Any layer is refused or unpacked below its root; any description of an image is refused or read.
#![no_main]

use std::sync::atomic::{AtomicU64, Ordering};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("rvnative-fuzz-{}-{count}", std::process::id());
    let dir = std::env::temp_dir().join(name);
    std::fs::create_dir(&dir).unwrap();
    rvnative::image::check_layer(bytes, &dir);
    std::fs::remove_dir_all(&dir).unwrap();
    rvnative::image::check_json(bytes);
});
