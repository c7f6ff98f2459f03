//! What a guest does wrong is a value: a trap with the exact address, registers that can be read,
//! and an instance that can be used again. And what never ends can be stopped.
//!
//! Run it with `cargo run --example traps`.

use rvnative::vm::{Engine, Linker, Module, Result, Store, Trap};
use std::time::Duration;

fn main() -> Result<()> {
    let engine = Engine::default();
    let module = Module::new(&engine, include_bytes!("guest/plugin.elf"))?;
    let mut store = Store::new(&engine, ());
    let instance = Linker::new(&engine).instantiate(&mut store, &module)?;

    let peek = instance.get_typed_func::<(u64,), u64>(&store, "peek")?;
    if let Err(e) = peek.call(&mut store, (0x18,)) {
        println!("peek(0x18): {e}");
        println!("a0 was {:#x}", instance.state(&store).x[10]);
    }

    let handle = store.interrupt_handle();
    let watch = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(50));
        handle.interrupt();
    });
    let spin = instance.get_typed_func::<(), ()>(&store, "spin")?;
    match spin.call(&mut store, ()) {
        Err(e) if e.downcast_ref() == Some(&Trap::Interrupted) => println!("spin(): {e}"),
        other => println!("spin() ended by itself: {other:?}"),
    }
    drop(watch.join());

    let gcd = instance.get_typed_func::<(u64, u64), u64>(&store, "gcd")?;
    println!("gcd(48, 36) = {}", gcd.call(&mut store, (48, 36))?);
    Ok(())
}
