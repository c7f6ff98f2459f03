//! A call with a budget: so many instructions, and host functions that take theirs.
//!
//! Run it with `cargo run --example metered`.

use rvnative::vm::{Caller, Config, Engine, Linker, Module, Reg, Result, Store, Trap};

/// What logging costs: so many instructions, and one for each byte.
const LOG: u64 = 100;

fn main() -> Result<()> {
    let engine = Engine::new(Config::new().consume_fuel(true))?;
    let module = Module::new(&engine, include_bytes!("guest/plugin.elf"))?;

    // Host function 1: log the a1 bytes at a0, in place, for what that costs.
    let mut linker = Linker::<Vec<String>>::new(&engine);
    linker.ecall(1, |c: &mut Caller<'_, Vec<String>>| {
        let (at, len) = (c.reg(Reg::A0), c.reg(Reg::A1));
        c.consume_fuel(LOG.saturating_add(len))?;
        let (log, memory) = c.split();
        log.push(String::from_utf8_lossy(memory.bytes(at, len)?).into_owned());
        Ok(())
    });

    let mut store = Store::new(&engine, Vec::new());
    let instance = linker.instantiate(&mut store, &module)?;
    let on_event = instance.get_typed_func::<(u64, u64), u64>(&store, "on_event")?;
    store.set_fuel(1000)?;
    on_event.call(&mut store, (2, 5))?;
    println!("an event takes {} instructions", 1000 - store.get_fuel()?);

    // The same with less: the host function asks for more than there is.
    store.set_fuel(50)?;
    let error = on_event.call(&mut store, (2, 5)).unwrap_err();
    println!("with 50: {error}, after {} events", store.data().len());

    // What never ends does, at the same instruction each time and on each machine.
    let spin = instance.get_typed_func::<(), ()>(&store, "spin")?;
    store.set_fuel(1_000_001)?;
    let error = spin.call(&mut store, ()).unwrap_err();
    assert_eq!(error.downcast_ref(), Some(&Trap::OutOfFuel));
    println!("an endless loop: {error} at {:#x}", instance.state(&store).pc);
    Ok(())
}
