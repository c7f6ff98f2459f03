//! Snapshots, copies of instances, and pools of them, with every strategy.

use crate::host::{CODE, ECALL, RET, bytes, program, writable};
use rvnative::vm::{
    AddressSpace, Config, Engine, ErrorKind, GuestPtr, Instance, InstancePool, Linker, Module,
    Prot, Snapshot, Stop, Store, Strategy, Trap,
};

static PLUGIN: &[u8] = include_bytes!("../../examples/guest/plugin.elf");

/// Engines of all strategies, in both address spaces, with vectors.
fn engines() -> Vec<Engine> {
    let mut out = Vec::new();
    for space in [AddressSpace::Sandbox, AddressSpace::Flat { bits: 36 }] {
        for (strategy, check) in [
            (Strategy::Interpreter, false),
            (Strategy::Baseline, false),
            (Strategy::Baseline, true),
        ] {
            let mut config = Config::new();
            config.strategy(strategy).address_space(space).cross_check(check);
            config.isa("rva23u64".parse().unwrap());
            out.push(Engine::new(&config).unwrap());
        }
    }
    out
}

/// An instance without host functions.
fn instance(engine: &Engine, elf: &[u8]) -> (Store<()>, Instance, Module) {
    let module = Module::new(engine, elf).unwrap();
    let mut store = Store::new(engine, ());
    let instance = Linker::new(engine).instantiate(&mut store, &module).unwrap();
    (store, instance, module)
}

const DATA: u64 = 0x2_0000;

/// Counts the word at `DATA` up for ever, beside a vector register and a number: each time around
/// it asks the host.
fn counter() -> Vec<u8> {
    let code = bytes(&[
        0x0002_05b7, // lui a1, 0x20
        0xcd02_7057, // vsetivli zero, 4, e32, m1, ta, ma
        0x0005_b503, // loop: ld a0, 0(a1)
        0x0015_0513, // addi a0, a0, 1
        0x00a5_b023, // sd a0, 0(a1)
        0x0210_b0d7, // vadd.vi v1, v1, 1
        ECALL,
        0xfedf_f06f, // j loop
    ]);
    program(&[(CODE, &code, 4096, 5), (DATA, &[7], 3 * 4096, 6)])
}

/// Goes on to the next `ecall`, which is passed over.
fn next(store: &mut Store<()>, i: Instance) -> u64 {
    assert_eq!(i.resume(&mut *store).unwrap(), Stop::Ecall(0));
    let mut state = i.state(&*store);
    state.pc += 4;
    i.set_state(&mut *store, &state);
    i.memory().read(&*store, GuestPtr::new(DATA)).unwrap()
}

/// The registers and the mapped memory.
fn all(store: &Store<()>, i: Instance) -> Vec<u8> {
    i.snapshot(store).unwrap().to_bytes()
}

#[test]
fn an_instance_goes_on_from_bytes_with_any_strategy() {
    let mut ends = Vec::new();
    for engine in engines() {
        let (mut store, i, module) = instance(&engine, &counter());
        let v: Vec<u64> = (0..5).map(|_| next(&mut store, i)).collect();
        assert_eq!(v, [8, 9, 10, 11, 12]);
        let kept = all(&store, i);
        let snapshot = Snapshot::from_bytes(&module, &kept).unwrap();
        assert_eq!(snapshot.to_bytes(), kept);
        let pre = Linker::new(&engine).instantiate_snapshot(&snapshot).unwrap();
        // Two copies and the first one, which do not see each other's memory.
        let copies = [(); 2].map(|()| pre.instantiate(&mut store).unwrap());
        assert_eq!(copies.map(|c| next(&mut store, c)), [13, 13]);
        assert_eq!(next(&mut store, copies[0]), 14);
        assert_eq!(next(&mut store, i), 13);
        assert_eq!(all(&store, i), all(&store, copies[1]));
        // Back, twice.
        for _ in 0..2 {
            copies[0].restore(&mut store, &snapshot).unwrap();
            assert_eq!(all(&store, copies[0]), kept);
            assert_eq!(next(&mut store, copies[0]), 13);
        }
        ends.push((kept, all(&store, i)));
    }
    // What one strategy leaves another takes up: bytes are the same for the same addresses.
    let (sandbox, flat) = ends.split_at(3);
    assert!(sandbox.iter().all(|e| *e == sandbox[0]) && flat.iter().all(|e| *e == flat[0]));
    let engines = engines();
    for (engine, other) in engines[..3].iter().zip([1, 2, 0]) {
        let (mut store, _, module) = instance(engine, &counter());
        let snapshot = Snapshot::from_bytes(&module, &sandbox[other].0).unwrap();
        let pre = Linker::new(engine).instantiate_snapshot(&snapshot).unwrap();
        let copy = pre.instantiate(&mut store).unwrap();
        assert_eq!(next(&mut store, copy), 13);
        assert_eq!(all(&store, copy), sandbox[other].1);
    }
}

#[test]
fn what_the_host_has_mapped_and_protected_is_undone() {
    for engine in engines() {
        let (mut store, i, _) = instance(&engine, &counter());
        let memory = i.memory();
        next(&mut store, i);
        memory.protect(&mut store, DATA + 4096..DATA + 2 * 4096, Prot::NONE).unwrap();
        let snapshot = i.snapshot(&store).unwrap();
        let kept = snapshot.to_bytes();
        for _ in 0..2 {
            memory.map(&mut store, 0x40_0000..0x40_2000, Prot::RW).unwrap();
            memory.protect(&mut store, DATA + 4096..DATA + 3 * 4096, Prot::RW).unwrap();
            memory.write(&mut store, GuestPtr::new(DATA + 4096), 5_u64).unwrap();
            memory.protect(&mut store, CODE..CODE + 4096, Prot::RW).unwrap();
            memory.write(&mut store, GuestPtr::new(CODE + 12), 0x0025_0513_u32).unwrap();
            memory.protect(&mut store, CODE..CODE + 4096, Prot::RX).unwrap();
            // The changed code is executed: by two now.
            assert_eq!(next(&mut store, i), 10);
            i.restore(&mut store, &snapshot).unwrap();
            assert_eq!(all(&store, i), kept);
            assert!(memory.read(&store, GuestPtr::<u8>::new(DATA + 4096)).is_err());
            assert!(memory.read(&store, GuestPtr::<u8>::new(0x40_0000)).is_err());
            assert_eq!(next(&mut store, i), 9);
            i.restore(&mut store, &snapshot).unwrap();
        }
    }
}

#[test]
fn code_that_was_changed_is_what_it_was_at_the_time() {
    // li a0, 1; ret
    let elf = writable(&[0x0010_0513, RET], 4096);
    for engine in engines() {
        let (mut store, i, module) = instance(&engine, &elf);
        let f = i.func_at::<(), u64>(CODE);
        let first = i.snapshot(&store).unwrap();
        assert_eq!(f.call(&mut store, ()).unwrap(), 1);
        i.memory().write(&mut store, GuestPtr::new(CODE), 0x0020_0513_u32).unwrap();
        assert_eq!(f.call(&mut store, ()).unwrap(), 2);
        let second = i.snapshot(&store).unwrap();
        for _ in 0..2 {
            i.restore(&mut store, &first).unwrap();
            assert_eq!(f.call(&mut store, ()).unwrap(), 1);
            i.restore(&mut store, &second).unwrap();
            assert_eq!(f.call(&mut store, ()).unwrap(), 2);
        }
        // Changed code in a page that others execute as it was.
        let elf = program(&[(CODE, &bytes(&[0x0010_0513, RET]), 4096, 5)]);
        let (mut store, i, module2) = instance(&engine, &elf);
        let f = i.func_at::<(), u64>(CODE);
        assert_eq!(f.call(&mut store, ()).unwrap(), 1);
        i.memory().protect(&mut store, CODE..CODE + 4096, Prot::RWX).unwrap();
        i.memory().write(&mut store, GuestPtr::new(CODE), 0x0020_0513_u32).unwrap();
        i.memory().protect(&mut store, CODE..CODE + 4096, Prot::RX).unwrap();
        let kept = i.snapshot(&store).unwrap();
        let read = Snapshot::from_bytes(&module2, &kept.to_bytes()).unwrap();
        let linker = Linker::new(&engine);
        let other = linker.instantiate(&mut store, &module2).unwrap();
        assert_eq!(other.func_at::<(), u64>(CODE).call(&mut store, ()).unwrap(), 1);
        for snapshot in [kept, read] {
            let pre = linker.instantiate_snapshot(&snapshot).unwrap();
            let copy = pre.instantiate(&mut store).unwrap();
            assert_eq!(copy.func_at::<(), u64>(CODE).call(&mut store, ()).unwrap(), 2);
            // Into one that had the others' code.
            other.restore(&mut store, &snapshot).unwrap();
            assert_eq!(other.func_at::<(), u64>(CODE).call(&mut store, ()).unwrap(), 2);
        }
        drop(module);
    }
}

#[test]
fn nothing_of_one_user_of_a_pool_reaches_the_next() {
    for engine in engines() {
        let module = Module::new(&engine, PLUGIN).unwrap();
        let mut linker = Linker::<Vec<u64>>::new(&engine);
        linker.ecall(1, |_| Ok(()));
        let pool = InstancePool::new(linker.instantiate_pre(&module).unwrap(), 2);
        let events = module.symbols().find(|s| s.name == "events").unwrap().addr;
        let mut first = None;
        for round in 0..4 {
            let mut guest = pool.get(vec![round]).unwrap();
            let i = guest.instance();
            let seen = i.snapshot(&*guest).unwrap().to_bytes();
            assert!(*first.get_or_insert_with(|| seen.clone()) == seen, "round {round}");
            let on_event = i.get_typed_func::<(u64, u64), u64>(&*guest, "on_event").unwrap();
            assert_eq!(on_event.call(&mut *guest, (1, 2)).unwrap(), 1002);
            let deep = i.get_typed_func::<(u64,), u64>(&*guest, "deep").unwrap();
            let error = deep.call(&mut *guest, (10_000,)).unwrap_err();
            assert!(matches!(error.downcast_ref(), Some(Trap::StackOverflow { .. })), "{error}");
            if round == 1 {
                // More than the guest itself can do.
                i.memory().map(&mut *guest, 0x100_0000..0x100_1000, Prot::RWX).unwrap();
            }
            if round == 2 {
                guest.interrupt_handle().interrupt();
                assert_eq!(guest.into_data(), [round]);
            }
        }
        assert_eq!(pool.idle(), 1);
        // Several at a time, of which two are kept.
        let mut guests: Vec<_> = (0..3).map(|_| pool.get(Vec::new()).unwrap()).collect();
        assert_eq!(pool.idle(), 0);
        for (n, guest) in guests.iter_mut().enumerate() {
            let i = guest.instance();
            assert_eq!(i.memory().read(&**guest, GuestPtr::<u64>::new(events)).unwrap(), 0);
            i.memory().write(&mut **guest, GuestPtr::new(events), n as u64).unwrap();
        }
        let stray = guests.pop().unwrap();
        drop(guests);
        assert_eq!(pool.idle(), 2);
        drop(stray);
        assert_eq!(pool.idle(), 2);
        // A store that takes another one's place is no part of it.
        let mut guest = pool.get(Vec::new()).unwrap();
        *guest = Store::new(&engine, Vec::new());
        drop(guest);
        assert_eq!(pool.idle(), 1);
    }
}

#[test]
fn a_pool_is_used_by_several_threads() {
    let engine = Engine::default();
    let module = Module::new(&engine, PLUGIN).unwrap();
    let pool = InstancePool::new(Linker::new(&engine).instantiate_pre(&module).unwrap(), 8);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for n in 1..100 {
                    let mut guest = pool.get(()).unwrap();
                    let i = guest.instance();
                    let gcd = i.get_typed_func::<(u64, u64), u64>(&*guest, "gcd").unwrap();
                    assert_eq!(gcd.call(&mut *guest, (48 * n, 36 * n)).unwrap(), 12 * n);
                }
            });
        }
    });
    assert!((1..=4).contains(&pool.idle()));
}

#[test]
fn snapshots_that_do_not_fit_are_refused() {
    let engine = Engine::default();
    let (mut store, i, module) = instance(&engine, PLUGIN);
    let snapshot = i.snapshot(&store).unwrap();
    let kept = snapshot.to_bytes();
    let (_, _, other) = instance(&engine, &counter());
    let refused = Snapshot::from_bytes(&other, &kept).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Config, "{refused}");
    let other = Engine::new(Config::new().isa("rva22u64".parse().unwrap())).unwrap();
    let (mut others, j, module2) = instance(&other, PLUGIN);
    let refused = Snapshot::from_bytes(&module2, &kept).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Config, "{refused}");
    let refused = j.restore(&mut others, &snapshot).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Config, "{refused}");
    let linker = Linker::<()>::new(&other);
    assert_eq!(linker.instantiate_snapshot(&snapshot).unwrap_err().kind(), ErrorKind::Config);
    let pre = Linker::<()>::new(&engine).instantiate_snapshot(&snapshot).unwrap();
    assert_eq!(pre.instantiate(&mut others).unwrap_err().kind(), ErrorKind::Config);
    // By a host function of the instance itself.
    let mut linker = Linker::<Vec<ErrorKind>>::new(&engine);
    let inner = snapshot.clone();
    linker.ecall(1, move |c| {
        let i = c.instance();
        let refused = [i.snapshot(&*c).unwrap_err(), i.restore(&mut *c, &inner).unwrap_err()];
        c.data_mut().extend(refused.map(|e| e.kind()));
        Ok(())
    });
    let mut store2 = Store::new(&engine, Vec::new());
    let k = linker.instantiate(&mut store2, &module).unwrap();
    let on_event = k.get_typed_func::<(u64, u64), u64>(&store2, "on_event").unwrap();
    assert_eq!(on_event.call(&mut store2, (1, 2)).unwrap(), 1002);
    assert_eq!(*store2.data(), [ErrorKind::Host; 2]);
    i.restore(&mut store, &snapshot).unwrap();
}

#[test]
fn damaged_snapshots_are_errors_or_guests() {
    let engine =
        Engine::new(Config::new().consume_fuel(true).isa("rva23u64".parse().unwrap())).unwrap();
    let (mut store, i, module) = instance(&engine, &counter());
    store.set_fuel(1000).unwrap();
    assert_eq!(i.resume(&mut store).unwrap(), Stop::Ecall(0));
    let kept = i.snapshot(&store).unwrap().to_bytes();
    let head = kept.len() - 3 * 4096;
    for n in (0..head).chain([kept.len() - 1]) {
        assert!(Snapshot::from_bytes(&module, &kept[..n]).is_err(), "{n} bytes");
    }
    let linker = Linker::<()>::new(&engine);
    let mut random = 1_u64;
    for n in 0..head * 2 {
        let mut damaged = kept.clone();
        random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        damaged[n % head] ^= if n < head { 0xff } else { 1 << (random >> 61) };
        let Ok(snapshot) = Snapshot::from_bytes(&module, &damaged) else { continue };
        let mut store = Store::new(&engine, ());
        let Ok(pre) = linker.instantiate_snapshot(&snapshot) else { continue };
        if let Ok(i) = pre.instantiate(&mut store) {
            store.set_fuel(1000).unwrap();
            let _ = i.resume(&mut store);
            let _ = i.func_at::<(), ()>(CODE).call(&mut store, ());
        }
    }
    let again = Snapshot::from_bytes(&module, &kept).unwrap();
    assert_eq!(again.to_bytes(), kept);
}
