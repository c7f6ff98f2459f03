//! The reader and the loader of programs take any file.

use super::rng::Rng;
use crate::vm::{Engine, Linker, Module, Store, elf};

/// Reads `bytes` as a program and loads it if that is possible. Nothing is executed.
pub fn check_elf(engine: &Engine, bytes: &[u8]) {
    for symbol in elf::symbols(bytes) {
        assert!(!symbol.name.is_empty(), "symbols have names");
    }
    let Ok(module) = Module::new(engine, bytes) else { return };
    let mut store = Store::new(engine, ());
    if let Ok(instance) = Linker::new(engine).instantiate(&mut store, &module) {
        assert_eq!(instance.state(&store).pc, module.entry(), "an instance begins at its entry");
    }
}

/// Damages a program: some bytes, mostly of the headers, become others; some files are cut.
pub fn mutate(rng: &mut Rng, bytes: &mut Vec<u8>) {
    for _ in 0..1 + rng.below(6) {
        let reach = if rng.chance(80) { bytes.len().min(64 + 56 * 4) } else { bytes.len() };
        if reach == 0 {
            return;
        }
        let at = rng.below(reach as u32) as usize;
        let special = rng.pick(&[0, 1, 0x7f, 0x80, 0xff]);
        let width = rng.pick(&[1, 1, 2, 4, 8]);
        for b in bytes.iter_mut().skip(at).take(width) {
            *b = if rng.chance(50) { special } else { rng.next_u64() as u8 };
        }
    }
    if rng.chance(10) {
        bytes.truncate(rng.below(bytes.len() as u32 + 1) as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_programs_are_refused_or_loaded() {
        let engine = Engine::default();
        let good = include_bytes!("../../examples/guest/plugin.elf");
        assert!(Module::new(&engine, good).is_ok());
        for number in 0..3000 {
            let mut rng = Rng::new(1, number);
            let mut bytes = good.to_vec();
            mutate(&mut rng, &mut bytes);
            check_elf(&engine, &bytes);
        }
    }
}
