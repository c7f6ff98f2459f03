//! A plug-in: functions of a guest called by the host, a function of the host called by the guest.
//!
//! Run it with `cargo run --example plugin`.

use rvnative::vm::{Caller, Engine, Linker, Module, Reg, Result, Store};

/// What the host keeps for its guests.
#[derive(Default)]
struct Host {
    log: Vec<String>,
}

fn main() -> Result<()> {
    let engine = Engine::default();
    let module = Module::new(&engine, include_bytes!("guest/plugin.elf"))?;

    // Host function 1: log the a1 bytes at a0.
    let mut linker = Linker::<Host>::new(&engine);
    linker.ecall(1, |c: &mut Caller<'_, Host>| {
        let mut text = vec![0; c.reg(Reg::A1).min(4096) as usize];
        c.memory().read_into(&*c, c.reg(Reg::A0), &mut text)?;
        c.data_mut().log.push(String::from_utf8_lossy(&text).into_owned());
        Ok(())
    });

    let mut store = Store::new(&engine, Host::default());
    let instance = linker.instantiate(&mut store, &module)?;
    let gcd = instance.get_typed_func::<(u64, u64), u64>(&store, "gcd")?;
    println!("gcd(1071, 462) = {}", gcd.call(&mut store, (1071, 462))?);
    let on_event = instance.get_typed_func::<(u64, u64), u64>(&store, "on_event")?;
    println!("on_event(2, 5) = {}", on_event.call(&mut store, (2, 5))?);
    println!("the guest has logged {:?}", store.data().log);
    Ok(())
}
