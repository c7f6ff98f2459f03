//! The library, used as a host program uses it, on every strategy.

use rvnative::vm::{
    AddressSpace, Caller, Config, Engine, Error, ErrorKind, GuestPtr, GuestSlice, Instance, Linker,
    Module, Prot, Reg, Stop, Store, Strategy, Trap,
};

static PLUGIN: &[u8] = include_bytes!("../../examples/guest/plugin.elf");

/// What the host of these tests keeps: what the guest has logged.
type Log = Vec<String>;

/// An engine for each combination of strategy and address space.
fn engines() -> Vec<Engine> {
    let mut out = Vec::new();
    for strategy in [Strategy::Interpreter, Strategy::Baseline] {
        for space in [AddressSpace::Sandbox, AddressSpace::Flat { bits: 38 }] {
            let mut config = Config::new();
            config.strategy(strategy).address_space(space);
            out.push(Engine::new(&config).unwrap());
        }
    }
    out
}

fn linker(engine: &Engine) -> Linker<Log> {
    let mut linker = Linker::new(engine);
    linker.ecall(1, |c: &mut Caller<'_, Log>| {
        let mut text = vec![0; c.reg(Reg::A1) as usize];
        c.memory().read_into(&*c, c.reg(Reg::A0), &mut text)?;
        c.data_mut().push(String::from_utf8_lossy(&text).into_owned());
        Ok(())
    });
    linker.ecall(93, |c: &mut Caller<'_, Log>| Err(Trap::Exit(c.reg(Reg::A0) as i32).into()));
    linker
}

fn load(engine: &Engine) -> (Store<Log>, Instance) {
    let module = Module::new(engine, PLUGIN).unwrap();
    let mut store = Store::new(engine, Log::new());
    let instance = linker(engine).instantiate(&mut store, &module).unwrap();
    (store, instance)
}

fn trap(e: &Error) -> Trap {
    *e.downcast_ref::<Trap>().unwrap_or_else(|| panic!("not a trap: {e:?}"))
}

#[test]
fn functions_take_and_return_values() {
    for engine in engines() {
        let (mut store, i) = load(&engine);
        let gcd = i.get_typed_func::<(u64, u64), u64>(&store, "gcd").unwrap();
        assert_eq!(gcd.call(&mut store, (1071, 462)).unwrap(), 21);
        let hypot2 = i.get_typed_func::<(f64, f64), f64>(&store, "hypot2").unwrap();
        assert_eq!(hypot2.call(&mut store, (3.0, 4.0)).unwrap(), 25.0);
        let missing = i.get_typed_func::<(), ()>(&store, "no_such_function").unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::Link);
    }
}

#[test]
fn host_functions_see_the_store() {
    for engine in engines() {
        let (mut store, i) = load(&engine);
        let f = i.get_typed_func::<(u64, u64), u64>(&store, "on_event").unwrap();
        assert_eq!(f.call(&mut store, (2, 5)).unwrap(), 2005);
        assert_eq!(f.call(&mut store, (3, 6)).unwrap(), 3006);
        let events = GuestPtr::<u64>::new(i.symbol(&store, "events").unwrap());
        assert_eq!(i.memory().read(&store, events).unwrap(), 2);
        i.memory().write(&mut store, events, 41).unwrap();
        assert_eq!(i.resume(&mut store).unwrap(), Stop::Exited(41));
        assert_eq!(store.into_data(), ["event", "event", "hello"]);
    }
}

#[test]
fn a_host_function_may_call_the_guest() {
    for engine in engines() {
        let module = Module::new(&engine, PLUGIN).unwrap();
        let mut linker = linker(&engine);
        linker.ecall(1, |c: &mut Caller<'_, Log>| {
            let before = (c.pc(), c.reg(Reg::SP), c.reg(Reg::A1));
            let gcd = c.instance().get_typed_func::<(u64, u64), u64>(&*c, "gcd")?;
            let n = gcd.call(&mut *c, (10, 4))?;
            assert_eq!((c.pc(), c.reg(Reg::SP), c.reg(Reg::A1)), before);
            c.data_mut().push(n.to_string());
            Ok(())
        });
        let mut store = Store::new(&engine, Log::new());
        let i = linker.instantiate(&mut store, &module).unwrap();
        let f = i.get_typed_func::<(u64, u64), u64>(&store, "on_event").unwrap();
        assert_eq!(f.call(&mut store, (1, 1)).unwrap(), 1001);
        assert_eq!(store.data()[..], ["2"]);
    }
}

#[test]
fn traps_are_exact_and_leave_the_instance_usable() {
    for engine in engines() {
        let (mut store, i) = load(&engine);
        let peek = i.get_typed_func::<(u64,), u64>(&store, "peek").unwrap();
        let pc = i.symbol(&store, "peek").unwrap();
        let e = peek.call(&mut store, (0x18,)).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::Trap);
        assert_eq!(trap(&e), Trap::LoadFault { pc, addr: 0x18 });
        let state = i.state(&store);
        assert_eq!((state.pc, state.x[10]), (pc, 0x18));
        let wild = i.func_at::<(), ()>(0x5000_0000);
        let e = wild.call(&mut store, ()).unwrap_err();
        assert_eq!(trap(&e), Trap::FetchFault { pc: 0x5000_0000 });
        let deep = i.get_typed_func::<(u64,), u64>(&store, "deep").unwrap();
        assert!(matches!(
            trap(&deep.call(&mut store, (100_000,)).unwrap_err()),
            Trap::StackOverflow { .. }
        ));
        assert!(deep.call(&mut store, (100,)).is_ok());
    }
}

#[test]
fn an_ecall_without_handler_goes_to_the_caller() {
    for engine in engines() {
        let module = Module::new(&engine, PLUGIN).unwrap();
        let mut store = Store::new(&engine, ());
        let i = Linker::new(&engine).instantiate(&mut store, &module).unwrap();
        assert_eq!(i.resume(&mut store).unwrap(), Stop::Ecall(1));
        let mut state = i.state(&store);
        assert_eq!((state.x[17], state.x[11]), (1, 5));
        state.pc += 4;
        i.set_state(&mut store, &state);
        assert_eq!(i.resume(&mut store).unwrap(), Stop::Ecall(93));
        let f = i.get_typed_func::<(u64, u64), u64>(&store, "on_event").unwrap();
        let e = f.call(&mut store, (1, 1)).unwrap_err();
        assert!(matches!(trap(&e), Trap::UnhandledEcall { number: 1, .. }), "{e:?}");
    }
}

#[test]
fn the_fallback_gets_what_nobody_else_takes() {
    let engine = Engine::default();
    let module = Module::new(&engine, PLUGIN).unwrap();
    let mut linker = Linker::<Vec<u64>>::new(&engine);
    linker.ecall_fallback(|c: &mut Caller<'_, Vec<u64>>, number| {
        c.data_mut().push(number);
        if number == 93 { Err(Trap::Exit(7).into()) } else { Ok(()) }
    });
    let mut store = Store::new(&engine, Vec::new());
    let i = linker.instantiate(&mut store, &module).unwrap();
    assert_eq!(i.resume(&mut store).unwrap(), Stop::Exited(7));
    assert_eq!(store.into_data(), [1, 93]);
}

#[test]
fn steps_add_up_to_a_run() {
    for engine in engines() {
        let (mut store, i) = load(&engine);
        let mut steps = 0;
        let end = loop {
            match i.step(&mut store).unwrap() {
                Stop::Stepped => steps += 1,
                other => break other,
            }
        };
        assert_eq!(end, Stop::Exited(0));
        assert!((5..100).contains(&steps), "{steps}");
        assert_eq!(store.data()[..], ["hello"]);
    }
}

#[test]
fn another_thread_can_interrupt() {
    for engine in engines() {
        let (mut store, i) = load(&engine);
        let spin = i.get_typed_func::<(), ()>(&store, "spin").unwrap();
        let handle = store.interrupt_handle();
        let thread = std::thread::spawn(move || {
            std::thread::sleep(std::time::Duration::from_millis(20));
            handle.interrupt();
        });
        let e = spin.call(&mut store, ()).unwrap_err();
        thread.join().unwrap();
        assert_eq!(trap(&e), Trap::Interrupted);
        // Before a run it stops that run, once.
        store.interrupt_handle().interrupt();
        let gcd = i.get_typed_func::<(u64, u64), u64>(&store, "gcd").unwrap();
        assert_eq!(trap(&gcd.call(&mut store, (4, 6)).unwrap_err()), Trap::Interrupted);
        assert_eq!(gcd.call(&mut store, (4, 6)).unwrap(), 2);
    }
}

#[test]
fn host_errors_pass_through() {
    let engine = Engine::default();
    let module = Module::new(&engine, PLUGIN).unwrap();
    let mut linker = Linker::<()>::new(&engine);
    linker.ecall(1, |_: &mut Caller<'_, ()>| Err(Error::msg("the disk is full")));
    let mut store = Store::new(&engine, ());
    let i = linker.instantiate(&mut store, &module).unwrap();
    let e = i.resume(&mut store).unwrap_err();
    assert_eq!((e.kind(), e.to_string()), (ErrorKind::Host, "the disk is full".to_owned()));
}

#[test]
fn memory_obeys_the_guests_protection() {
    let engine = Engine::default();
    let (mut store, i) = load(&engine);
    let m = i.memory();
    m.map(&mut store, 0x40_0000..0x40_2000, Prot::RW).unwrap();
    m.write_from(&mut store, 0x40_0ffe, b"text\0").unwrap();
    assert_eq!(m.read_c_string(&store, 0x40_0ffe, 100).unwrap(), b"text");
    assert_eq!(m.read_c_string(&store, 0x40_0ffe, 4).unwrap_err().addr, 0x40_0ffe);
    m.protect(&mut store, 0x40_1000..0x40_2000, Prot::R).unwrap();
    let fault = m.write_from(&mut store, 0x40_0ffe, b"text").unwrap_err();
    assert_eq!((fault.addr, fault.len), (0x40_1000, 4));
    assert!(m.map(&mut store, 0x40_1000..0x40_3000, Prot::RW).is_err());
    assert_eq!(m.read(&store, GuestPtr::<u32>::new(0x40_1fff)).unwrap_err().addr, 0x40_2000);
}

#[test]
fn memory_can_be_had_in_place() {
    for engine in engines() {
        let (mut store, i) = load(&engine);
        let m = i.memory();
        m.map(&mut store, 0x40_0000..0x40_2000, Prot::RW).unwrap();
        m.protect(&mut store, 0x40_1000..0x40_2000, Prot::R).unwrap();
        let (log, mut view) = m.data_and_view(&mut store);
        view.bytes_mut(0x40_0ffc, 4).unwrap().copy_from_slice(b"text");
        log.push(String::from_utf8_lossy(view.bytes(0x40_0ffd, 3).unwrap()).into_owned());
        view.write(GuestPtr::new(0x40_0001), 0x0102_0304_u32).unwrap();
        assert_eq!(view.read(GuestPtr::<u16>::new(0x40_0002)).unwrap(), 0x0203);
        assert_eq!(view.c_str(GuestPtr::new(0x40_0ffc), 100).unwrap().to_bytes(), b"text");
        assert_eq!(view.c_str(GuestPtr::new(0x40_0ffc), 4).unwrap_err().addr, 0x40_0ffc);
        assert_eq!(view.bytes_mut(0x40_0ffc, 5).unwrap_err().addr, 0x40_1000);
        assert_eq!(m.bytes(&store, 0x40_0ffc, 5).unwrap(), b"text\0");
        assert_eq!(m.bytes(&store, 0x40_0ffc, u64::MAX).unwrap_err().addr, 0x40_2000);
        assert_eq!(store.data()[..], ["ext"]);
    }
}

/// A host function gets its caller's memory and what the host keeps at the same time.
#[test]
fn a_host_function_works_on_memory_in_place() {
    for engine in engines() {
        let module = Module::new(&engine, PLUGIN).unwrap();
        let mut linker = linker(&engine);
        linker.ecall(1, |c: &mut Caller<'_, Log>| {
            let (at, len) = (c.reg(Reg::A0), c.reg(Reg::A1));
            let (log, memory) = c.split();
            log.push(String::from_utf8_lossy(memory.bytes(at, len)?).into_owned());
            Ok(())
        });
        let mut store = Store::new(&engine, Log::new());
        let i = linker.instantiate(&mut store, &module).unwrap();
        let f = i.get_typed_func::<(u64, u64), u64>(&store, "on_event").unwrap();
        for n in 0..3 {
            assert_eq!(f.call(&mut store, (2, n)).unwrap(), 2000 + n);
        }
        assert_eq!(store.data()[..], ["event", "event", "event"]);
    }
}

#[test]
fn calls_find_the_registers_that_functions_need() {
    for engine in engines() {
        let (mut store, i) = load(&engine);
        let mut state = i.state(&store);
        (state.x[3], state.x[4], state.x[8]) = (0x1111, 0x2222, 0x3333);
        i.set_state(&mut store, &state);
        let before = i.state(&store);
        let gcd = i.get_typed_func::<(u64, u64), u64>(&store, "gcd").unwrap();
        for _ in 0..3 {
            assert_eq!(gcd.call(&mut store, (12, 18)).unwrap(), 6);
            let after = i.state(&store);
            let kept = |s: &rvnative::vm::HartState| (s.pc, [1, 2, 3, 4, 8].map(|r| s.x[r]));
            assert_eq!(kept(&after), kept(&before));
        }
    }
}

/// Instances of a module have its translations in common, until one has other code.
#[test]
fn code_is_shared_only_while_it_is_the_same() {
    let seven = [0x0070_0513_u32, 0x0000_8067].map(u32::to_le_bytes).concat();
    let page = 0x300_0000..0x300_1000;
    for engine in engines() {
        let module = Module::new(&engine, PLUGIN).unwrap();
        let linker = linker(&engine);
        let new = || {
            let mut store = Store::new(&engine, Log::new());
            let i = linker.instantiate(&mut store, &module).unwrap();
            (store, i)
        };
        let gcd = |(store, i): &mut (Store<Log>, Instance)| {
            let gcd = i.get_typed_func::<(u64, u64), u64>(&*store, "gcd").unwrap();
            gcd.call(store, (48, 36)).unwrap()
        };
        let (mut one, mut two) = (new(), new());
        assert_eq!([gcd(&mut one), gcd(&mut two)], [12, 12]);
        // Code of its own where the others have none.
        let (store, i) = &mut one;
        i.memory().map(&mut *store, page.clone(), Prot::RW).unwrap();
        i.memory().write_from(&mut *store, page.start, &seven).unwrap();
        i.memory().protect(&mut *store, page.clone(), Prot::RX).unwrap();
        let f = |i: &Instance| i.func_at::<(u64, u64), u64>(page.start);
        assert_eq!(f(i).call(&mut *store, (0, 0)).unwrap(), 7);
        let e = f(&two.1).call(&mut two.0, (0, 0)).unwrap_err();
        assert_eq!(trap(&e), Trap::FetchFault { pc: page.start });
        // Other code where the others have theirs.
        let mut three = new();
        let (store, i) = &mut three;
        let at = i.symbol(&*store, "gcd").unwrap();
        let text = at & !0xfff..(at & !0xfff) + 0x1000;
        i.memory().protect(&mut *store, text.clone(), Prot::RW).unwrap();
        i.memory().write_from(&mut *store, at, &seven).unwrap();
        i.memory().protect(&mut *store, text, Prot::RX).unwrap();
        for _ in 0..2 {
            let results = [&mut one, &mut two, &mut three, &mut new()].map(gcd);
            assert_eq!(results, [12, 12, 7, 12]);
        }
        std::thread::scope(|s| {
            let threads: Vec<_> = [two, three, new()]
                .map(|mut it| s.spawn(move || (0..100).map(|_| gcd(&mut it)).max().unwrap()))
                .into_iter()
                .collect();
            let results: Vec<_> = threads.into_iter().map(|t| t.join().unwrap()).collect();
            assert_eq!(results, [12, 7, 12]);
        });
    }
}

#[test]
fn host_functions_have_types() {
    // The guest's function is the host's: ecall; ret.
    let code = [0x0000_0073_u32, 0x0000_8067].map(u32::to_le_bytes).concat();
    for engine in engines() {
        let module = Module::new(&engine, PLUGIN).unwrap();
        let mut linker = Linker::<Log>::new(&engine);
        linker.func(
            1,
            |c: &mut Caller<'_, Log>, a: i32, x: f64, b: u8, y: f32, p: GuestPtr<u8>| {
                c.data_mut().push(format!("{a} {x} {b} {y} {:#x}", p.addr()));
                -2.5
            },
        );
        linker.func(2, |_: &mut Caller<'_, Log>, a: i64| match a {
            0 => Err(Error::msg("nothing")),
            a => Ok(a as i32),
        });
        linker.func(3, |c: &mut Caller<'_, Log>| c.data_mut().push("three".to_owned()));
        let mut store = Store::new(&engine, Log::new());
        let i = linker.instantiate(&mut store, &module).unwrap();
        let at = 0x300_0000;
        i.memory().map(&mut store, at..at + 0x1000, Prot::RW).unwrap();
        i.memory().write_from(&mut store, at, &code).unwrap();
        i.memory().protect(&mut store, at..at + 0x1000, Prot::RX).unwrap();
        let number = |store: &mut Store<Log>, number| {
            let mut state = i.state(&*store);
            state.x[17] = number;
            i.set_state(store, &state);
        };
        for _ in 0..2 {
            number(&mut store, 1);
            let f = i.func_at::<(i32, f64, u8, f32, GuestPtr<u8>), f64>(at);
            let args = (-7, 0.5, 200, 1.25, GuestPtr::new(0x1234));
            assert_eq!(f.call(&mut store, args).unwrap(), -2.5);
            number(&mut store, 2);
            let f = i.func_at::<(i64,), i64>(at);
            assert_eq!(f.call(&mut store, (0xffff_fffe,)).unwrap(), -2);
            assert_eq!(f.call(&mut store, (0,)).unwrap_err().to_string(), "nothing");
            number(&mut store, 3);
            i.func_at::<(), ()>(at).call(&mut store, ()).unwrap();
        }
        assert_eq!(store.data()[..2], ["-7 0.5 200 1.25 0x1234", "three"]);
    }
}

#[test]
fn programs_that_cannot_be_loaded_say_why() {
    let engine = Engine::default();
    let kind = |bytes: &[u8]| Module::new(&engine, bytes).unwrap_err().kind();
    assert_eq!(kind(b"no program"), ErrorKind::Load);
    let mut relocatable = PLUGIN.to_vec();
    relocatable[16] = 3;
    assert_eq!(kind(&relocatable), ErrorKind::Unsupported);
    let mut config = Config::new();
    config.address_space(AddressSpace::Flat { bits: 48 });
    assert_eq!(Engine::new(&config).unwrap_err().kind(), ErrorKind::Config);
}

#[test]
fn instances_do_not_share_memory() {
    let engine = Engine::default();
    let module = Module::new(&engine, PLUGIN).unwrap();
    let linker = linker(&engine);
    let mut store = Store::new(&engine, Log::new());
    let a = linker.instantiate(&mut store, &module).unwrap();
    let b = linker.instantiate(&mut store, &module).unwrap();
    let events = GuestPtr::<u64>::new(a.symbol(&store, "events").unwrap());
    a.memory().write(&mut store, events, 1).unwrap();
    assert_eq!(b.memory().read(&store, events).unwrap(), 0);
    let names: Vec<_> = module.symbols().map(|s| s.name).collect();
    assert!(names.contains(&"gcd") && names.contains(&"_start"), "{names:?}");
}

static IMPORTS: &[u8] = include_bytes!("../../examples/guest/imports.elf");

#[test]
fn functions_of_the_host_are_called_by_name() {
    for engine in engines() {
        let module = Module::new(&engine, IMPORTS).unwrap();
        assert_eq!(module.imports().collect::<Vec<_>>(), ["host_scale", "host_log"]);
        let scale = |c: &mut Caller<'_, Log>, x: f64, n: i32| {
            c.data_mut().push(format!("{x} by {n}"));
            x * f64::from(n)
        };
        let mut linker = Linker::<Log>::new(&engine);
        linker.define("host_scale", scale).unwrap();
        // One is missing.
        let mut store = Store::new(&engine, Log::new());
        let refused = linker.instantiate(&mut store, &module).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Link);
        assert!(refused.to_string().contains("`host_log`"), "{refused}");
        assert_eq!(linker.instantiate_pre(&module).unwrap_err().kind(), ErrorKind::Link);
        // One is there already.
        let twice = linker.define("host_scale", scale).unwrap_err();
        assert_eq!(twice.kind(), ErrorKind::Link);
        // A missing one is a trap, where it is called.
        linker.unknown_imports_trap(true);
        let i = linker.instantiate(&mut store, &module).unwrap();
        let thrice = i.get_typed_func::<(f64,), f64>(&store, "thrice").unwrap();
        let often = i.get_typed_func::<(u64,), u64>(&store, "scale_often").unwrap();
        let pc = i.symbol(&store, "host_log").unwrap();
        let error = thrice.call(&mut store, (1.5,)).unwrap_err();
        assert_eq!(trap(&error), Trap::UnknownImport { pc });
        assert_eq!(often.call(&mut store, (3,)).unwrap(), 1);
        assert_eq!(store.data_mut().drain(..).collect::<Log>(), ["1 by 1"; 3]);
        // All are there, beside one with a number, which the stubs do not mean.
        linker.unknown_imports_trap(false).ecall(0, |_| Err(Error::msg("by number")));
        linker.ecall_fallback(|_, _| Err(Error::msg("by any number")));
        let log = |c: &mut Caller<'_, Log>, text: GuestSlice<u8>| {
            let (log, memory) = c.split();
            log.push(String::from_utf8_lossy(memory.slice(text)?).into_owned());
            Ok::<_, Error>(())
        };
        linker.define("host_log", log).unwrap();
        let pre = linker.instantiate_pre(&module).unwrap();
        let i = pre.instantiate(&mut store).unwrap();
        let thrice = i.get_typed_func::<(f64,), f64>(&store, "thrice").unwrap();
        assert_eq!(thrice.call(&mut store, (1.5,)).unwrap(), 4.5);
        assert_eq!(*store.data(), ["thrice", "1.5 by 3"]);
        // The instance of before has what it was made with.
        let plugin = Module::new(&engine, PLUGIN).unwrap();
        assert_eq!(plugin.imports().count(), 0);
    }
}

#[test]
fn slices_are_two_arguments() {
    for engine in engines() {
        let (mut store, i) = load(&engine);
        let at = GuestSlice::new(GuestPtr::<u64>::new(48), 36);
        assert_eq!((at.start().addr(), at.len(), at.is_empty()), (48, 36, false));
        let gcd = i.get_typed_func::<(GuestSlice<u64>,), u64>(&store, "gcd").unwrap();
        assert_eq!(gcd.call(&mut store, (at,)).unwrap(), 12);
        // A result in a0 and a1: on_event leaves its first argument's thousands in the one.
        let on_event = i.get_typed_func::<(u64, u64), GuestSlice<u8>>(&store, "on_event").unwrap();
        assert_eq!(on_event.call(&mut store, (1, 2)).unwrap().start().addr(), 1002);
    }
}

#[test]
fn guests_stop_at_their_deadlines() {
    for engine in engines() {
        let (mut store, i) = load(&engine);
        let (mut free, j) = load(&engine);
        let spin = i.get_typed_func::<(), ()>(&store, "spin").unwrap();
        let gcd = i.get_typed_func::<(u64, u64), u64>(&store, "gcd").unwrap();
        store.set_epoch_deadline(2);
        let clock = engine.clone();
        let ticker = std::thread::spawn(move || {
            for _ in 0..2 {
                std::thread::sleep(std::time::Duration::from_millis(1));
                clock.increment_epoch();
            }
        });
        assert_eq!(trap(&spin.call(&mut store, ()).unwrap_err()), Trap::Interrupted);
        ticker.join().unwrap();
        // It is past until it is set again; and is no business of other stores.
        for _ in 0..2 {
            assert_eq!(trap(&gcd.call(&mut store, (4, 6)).unwrap_err()), Trap::Interrupted);
        }
        assert_eq!(i.resume(&mut store).unwrap(), Stop::Interrupt);
        let others = j.get_typed_func::<(u64, u64), u64>(&free, "gcd").unwrap();
        assert_eq!(others.call(&mut free, (4, 6)).unwrap(), 2);
        store.set_epoch_deadline(1);
        assert_eq!(gcd.call(&mut store, (4, 6)).unwrap(), 2);
        engine.increment_epoch();
        assert_eq!(trap(&gcd.call(&mut store, (4, 6)).unwrap_err()), Trap::Interrupted);
        store.set_epoch_deadline(u64::MAX);
        engine.increment_epoch();
        assert_eq!(gcd.call(&mut store, (4, 6)).unwrap(), 2);
        // None at all is as before, and a store that is gone is nobody's.
        store.set_epoch_deadline(0);
        assert_eq!(trap(&gcd.call(&mut store, (4, 6)).unwrap_err()), Trap::Interrupted);
        drop(store);
        engine.increment_epoch();
        assert_eq!(others.call(&mut free, (4, 6)).unwrap(), 2);
    }
}
