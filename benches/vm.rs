//! What the library's calls cost: `cargo bench --bench vm --no-default-features`.
//!
//! Each row is the least of several runs, in nanoseconds unless it says otherwise.

use rvnative::vm::{
    Caller, Engine, GuestPtr, Instance, InstancePool, Linker, Module, Result, Store,
};
use std::hint::black_box;
use std::time::Instant;

static PLUGIN: &[u8] = include_bytes!("../examples/guest/plugin.elf");
static IMPORTS: &[u8] = include_bytes!("../examples/guest/imports.elf");
/// Runs of which the least counts.
const RUNS: u32 = 40;
/// Instances that are idle at one time.
const IDLE: u64 = 1000;
/// Pages that the first call of an instance writes to.
const PAGES: u64 = 8;

/// Nanoseconds of each of `n` repetitions.
fn measure(n: u32, mut repeat: impl FnMut(u32) -> Result<()>) -> Result<f64> {
    let mut least = f64::INFINITY;
    for _ in 0..RUNS {
        let start = Instant::now();
        repeat(n)?;
        least = least.min(start.elapsed().as_nanos() as f64 / f64::from(n));
    }
    Ok(least)
}

fn row(name: &str, n: u32, repeat: impl FnMut(u32) -> Result<()>) -> Result<()> {
    println!("{name:<44} {:>10.1}", measure(n, repeat)?);
    Ok(())
}

/// KiB of a field of /proc/self/status.
fn status(field: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(field));
    line.and_then(|rest| rest.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0)
}

fn mappings() -> u64 {
    std::fs::read_to_string("/proc/self/maps").map_or(0, |text| text.lines().count() as u64)
}

fn calls(store: &mut Store<u64>, i: Instance) -> Result<()> {
    let nothing = i.get_typed_func::<(), ()>(&*store, "nothing")?;
    row("call of an empty function", 10_000, |n| {
        (0..n).try_for_each(|_| nothing.call(&mut *store, ()))
    })?;
    let gcd = i.get_typed_func::<(u64, u64), u64>(&*store, "gcd")?;
    row("call of gcd(48, 36)", 10_000, |n| {
        (0..n).try_for_each(|_| gcd.call(&mut *store, (48, 36)).map(|r| _ = black_box(r)))
    })?;
    let call_host = i.get_typed_func::<(u64,), ()>(&*store, "call_host")?;
    row("host function from the guest", 10_000, |n| call_host.call(&mut *store, (n.into(),)))?;
    let mut linker = Linker::<u64>::new(store.engine());
    linker.define("host_scale", |_: &mut Caller<'_, u64>, x: f64, n: i32| x * f64::from(n))?;
    let module = Module::new(store.engine(), IMPORTS)?;
    let named = linker.unknown_imports_trap(true).instantiate(&mut *store, &module)?;
    let often = named.get_typed_func::<(u64,), u64>(&*store, "scale_often")?;
    row("typed host function by name", 10_000, |n| {
        often.call(&mut *store, (n.into(),)).map(|one| assert_eq!(one, 1))
    })?;
    assert!(*store.data() >= 10_000, "the host function has been called");
    Ok(())
}

fn accesses(store: &mut Store<u64>, i: Instance) -> Result<()> {
    let memory = i.memory();
    memory.map(&mut *store, 0x100_0000..0x101_0000, rvnative::vm::Prot::RW)?;
    let mut page = vec![0; 4096];
    let at = GuestPtr::<u64>::new(0x100_0008);
    row("4 KiB read", 10_000, |n| {
        (0..n).try_for_each(|_| Ok(memory.read_into(&*store, 0x100_0000, black_box(&mut page))?))
    })?;
    row("4 KiB written", 10_000, |n| {
        (0..n).try_for_each(|_| Ok(memory.write_from(&mut *store, 0x100_0000, black_box(&page))?))
    })?;
    row("u64 read", 50_000, |n| {
        (0..n).try_for_each(|_| Ok(_ = black_box(memory.read(&*store, black_box(at))?)))
    })?;
    row("u64 written", 50_000, |n| {
        (0..n).try_for_each(|_| Ok(memory.write(&mut *store, black_box(at), 7)?))
    })
}

fn instances(engine: &Engine, linker: &Linker<u64>, module: &Module) -> Result<()> {
    let mut made = Vec::new();
    let (mut least_made, mut least_dropped) = (f64::INFINITY, f64::INFINITY);
    for _ in 0..RUNS {
        let start = Instant::now();
        for _ in 0..100 {
            let mut store = Store::new(engine, 0);
            linker.instantiate(&mut store, module)?;
            made.push(store);
        }
        let between = Instant::now();
        made.clear();
        least_made = least_made.min((between - start).as_nanos() as f64 / 100.0);
        least_dropped = least_dropped.min(between.elapsed().as_nanos() as f64 / 100.0);
    }
    println!("{:<44} {least_made:>10.1}", "instance made");
    println!("{:<44} {least_dropped:>10.1}", "instance dropped");
    let stack = 0xfff0_0000;
    row("made, first call writes to 8 pages, dropped", 20, |n| {
        for _ in 0..n {
            let mut store = Store::new(engine, 0);
            let i = linker.instantiate(&mut store, module)?;
            i.get_typed_func::<(u64, u64), ()>(&store, "touch")?
                .call(&mut store, (stack, PAGES))?;
        }
        Ok(())
    })?;
    let pool = InstancePool::new(linker.instantiate_pre(module)?, 1);
    row("the same, of a pool", 20, |n| {
        for _ in 0..n {
            let mut guest = pool.get(0)?;
            let touch = guest.instance().get_typed_func::<(u64, u64), ()>(&*guest, "touch")?;
            touch.call(&mut *guest, (stack, PAGES))?;
        }
        Ok(())
    })?;
    let (resident, tables, maps) = (status("VmRSS"), status("VmPTE"), mappings());
    for _ in 0..IDLE {
        let mut store = Store::new(engine, 0);
        linker.instantiate(&mut store, module)?;
        made.push(store);
    }
    let each = |now: u64, before: u64| (now - before) as f64 / IDLE as f64;
    println!("{:<44} {:>10.1}", "idle instance: KiB resident", each(status("VmRSS"), resident));
    println!("{:<44} {:>10.1}", "idle instance: KiB of page tables", each(status("VmPTE"), tables));
    println!("{:<44} {:>10.1}", "idle instance: mappings", each(mappings(), maps));
    Ok(())
}

fn main() -> Result<()> {
    let engine = Engine::default();
    let module = Module::new(&engine, PLUGIN)?;
    let mut linker = Linker::<u64>::new(&engine);
    linker.ecall(2, |c: &mut Caller<'_, u64>| {
        *c.data_mut() += 1;
        Ok(())
    });
    let mut store = Store::new(&engine, 0);
    let instance = linker.instantiate(&mut store, &module)?;
    calls(&mut store, instance)?;
    accesses(&mut store, instance)?;
    instances(&engine, &linker, &module)
}
