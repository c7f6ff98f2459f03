//! Budgets of instructions: exact on every strategy.

use rvnative::fuzzing::Rng;
use rvnative::vm::{
    AddressSpace, Caller, Config, Engine, Error, ErrorKind, HartState, Instance, Linker, Module,
    Prot, Reg, Stop, Store, Strategy, Trap,
};

static PLUGIN: &[u8] = include_bytes!("../../examples/guest/plugin.elf");
/// More than any of the calls here needs.
const ENOUGH: u64 = 1 << 20;

fn engine(strategy: Strategy, space: AddressSpace) -> Engine {
    Engine::new(Config::new().strategy(strategy).address_space(space).consume_fuel(true)).unwrap()
}

/// For each kind of address space the interpreter, which says what is right, and the translator.
fn pairs() -> [[Engine; 2]; 2] {
    [AddressSpace::Sandbox, AddressSpace::Flat { bits: 32 }]
        .map(|space| [Strategy::Interpreter, Strategy::Baseline].map(|s| engine(s, space)))
}

/// Host function 1 costs ten, function 2 nothing, 93 ends.
fn linker(engine: &Engine) -> Linker<u64> {
    let mut linker = Linker::<u64>::new(engine);
    linker.ecall(1, |c: &mut Caller<'_, u64>| c.consume_fuel(10).map(|_| ()));
    linker.ecall(2, |c: &mut Caller<'_, u64>| {
        *c.data_mut() = c.data().wrapping_mul(31).wrapping_add(c.get_fuel()?);
        Ok(())
    });
    linker.ecall(93, |c: &mut Caller<'_, u64>| Err(Trap::Exit(c.reg(Reg::A0) as i32).into()));
    linker
}

fn load(engine: &Engine) -> (Store<u64>, Instance) {
    let module = Module::new(engine, PLUGIN).unwrap();
    let mut store = Store::new(engine, 0);
    let instance = linker(engine).instantiate(&mut store, &module).unwrap();
    (store, instance)
}

fn is_trap(e: &Error, trap: Trap) -> bool {
    e.downcast_ref() == Some(&trap)
}

/// What a call with so much fuel has come to: its result, what is left, and the registers.
type Outcome = (Result<u64, String>, u64, HartState, u64);

fn call(store: &mut Store<u64>, i: Instance, name: &str, args: (u64, u64), fuel: u64) -> Outcome {
    // As far as registers of the last call are looked at.
    let mut state = i.state(&*store);
    (state.x, state.f) = ([0; 32], [0; 32]);
    i.set_state(&mut *store, &state);
    *store.data_mut() = 0;
    store.set_fuel(fuel).unwrap();
    let f = i.get_typed_func::<(u64, u64), u64>(&*store, name).unwrap();
    let result = f.call(&mut *store, args).map_err(|e| format!("{e:?}"));
    (result, store.get_fuel().unwrap(), i.state(&*store), *store.data())
}

#[test]
fn a_guest_stops_at_the_very_instruction() {
    let calls = [
        ("gcd", (1071, 462)),
        ("on_event", (2, 5)),
        ("call_host", (7, 0)),
        ("peek", (0x18, 0)),
        ("deep", (3, 0)),
        ("nothing", (0, 0)),
    ];
    for pair in pairs() {
        let [(mut store, i), (mut other_store, other)] = pair.each_ref().map(load);
        for (name, args) in calls {
            let mut both = |fuel| {
                let expected = call(&mut store, i, name, args, fuel);
                let outcome = call(&mut other_store, other, name, args, fuel);
                assert_eq!(outcome, expected, "{name} with {fuel}");
                outcome
            };
            let (result, left, ..) = both(ENOUGH);
            // An instruction that faults costs nothing, but is not tried without.
            let needed = ENOUGH - left + u64::from(result.is_err());
            for fuel in (0..=needed + 1).chain([u64::MAX]) {
                let (result, ..) = both(fuel);
                let short = result == Err("Trap: out of fuel".to_owned());
                assert_eq!(short, fuel < needed, "{name} with {fuel}: {result:?}");
            }
        }
    }
}

#[test]
fn what_is_left_unfinished_goes_on() {
    for engine in pairs().as_flattened() {
        let (mut store, i) = load(engine);
        let gcd = i.get_typed_func::<(u64, u64), u64>(&store, "gcd").unwrap();
        store.set_fuel(5).unwrap();
        let e = gcd.call(&mut store, (1071, 462)).unwrap_err();
        assert!(is_trap(&e, Trap::OutOfFuel) && e.kind() == ErrorKind::Trap);
        let mut more = 0;
        let end = loop {
            store.set_fuel(1).unwrap();
            match i.resume(&mut store).unwrap() {
                Stop::Trap(Trap::OutOfFuel) => more += 1,
                end => break end,
            }
        };
        assert_eq!((end, i.state(&store).x[10]), (Stop::Returned, 21));
        assert!((5..100).contains(&more), "{more}");
        store.set_fuel(1).unwrap();
        let mut state = i.state(&store);
        state.pc = i.symbol(&store, "gcd").unwrap();
        i.set_state(&mut store, &state);
        assert_eq!(i.step(&mut store).unwrap(), Stop::Stepped);
        assert_eq!(i.step(&mut store).unwrap(), Stop::Trap(Trap::OutOfFuel));
    }
}

#[test]
fn fuel_ends_and_interrupts_stop_what_would_never_end() {
    let loops: [&[u32]; 7] = [
        &[0x0000_006f],                           // j 0
        &[0x0000_00ef],                           // jal ra, 0
        &[0x0000_02ef],                           // jal t0, 0
        &[0x0005_0067],                           // jr a0
        &[0x0000_0063],                           // beqz zero, 0
        &[0x0000_100f, 0xffdf_f06f],              // fence.i; j -4
        &[0x00b5_2023, 0x0000_100f, 0xff9f_f06f], // sw a1, 0(a0); fence.i; j -8
    ];
    for engine in pairs().as_flattened() {
        for code in loops {
            let (mut store, i) = load(engine);
            let at = 0x100_0000;
            i.memory().map(&mut store, at..at + 0x1000, Prot::RWX).unwrap();
            for (n, word) in code.iter().enumerate() {
                i.memory().write_from(&mut store, at + 4 * n as u64, &word.to_le_bytes()).unwrap();
            }
            let f = i.func_at::<(u64, u64), ()>(at);
            for fuel in [0, 1, 2, 10_007] {
                store.set_fuel(fuel).unwrap();
                let e = f.call(&mut store, (at, u64::from(code[0]))).unwrap_err();
                assert!(is_trap(&e, Trap::OutOfFuel), "{code:x?}: {e:?}");
                assert_eq!(store.get_fuel().unwrap(), 0);
                let place = (i.state(&store).pc - at) / 4;
                assert_eq!(place, fuel % code.len() as u64, "{code:x?} with {fuel}");
            }
            store.set_fuel(u64::MAX).unwrap();
            let handle = store.interrupt_handle();
            let thread = std::thread::spawn(move || {
                std::thread::sleep(std::time::Duration::from_millis(3));
                handle.interrupt();
            });
            let e = f.call(&mut store, (at, u64::from(code[0]))).unwrap_err();
            thread.join().unwrap();
            assert!(is_trap(&e, Trap::Interrupted), "{code:x?}: {e:?}");
            let executed = i64::MAX as u64 - store.get_fuel().unwrap();
            let place = (i.state(&store).pc - at) / 4;
            assert_eq!(executed % code.len() as u64, place, "{code:x?}");
        }
    }
}

/// Random code, in which jumps, faults and calls of the host are frequent.
fn random_code(rng: &mut Rng) -> Vec<u32> {
    let mut code = Vec::new();
    while code.len() < 40 {
        let [rd, a, b] = [(); 3].map(|()| 5 + rng.below(3) + 5 * rng.below(2));
        let forward = 4 + 4 * rng.below(4);
        code.push(match rng.below(16) {
            0..=3 => b << 20 | a << 15 | rd << 7 | 0x33, // add
            4 | 5 => rng.below(64) << 20 | a << 15 | rd << 7 | 0x13, // addi
            6 | 7 => b << 20 | a << 15 | forward << 7 | 1 << 12 | 0x63, // bne, forward
            8 => forward << 20 | rd << 7 | 0x6f,         // jal
            9 => a << 20 | 2 << 15 | 3 << 12 | 16 << 7 | 0x23, // sd, to the stack
            10 => 2 << 15 | 3 << 12 | rd << 7 | 16 << 20 | 0x03, // ld, from the stack
            11 => a << 15 | 3 << 12 | rd << 7 | 0x03,    // ld, from anywhere
            12 => 0x0000_0073,                           // ecall
            13 => 0x0000_100f,                           // fence.i
            14 => 0x02b5_7553,                           // fadd.d fa0, fa0, fa1
            _ => 0xfe00_0ae3 | a << 15 | b << 20,        // beq, back by 12
        });
    }
    code.push(0x0000_8067);
    code
}

#[test]
fn random_programs_stop_at_the_same_instruction() {
    let mut rng = Rng::new(17, 0);
    let pairs = pairs();
    let at = 0x100_0000;
    for round in 0..60 {
        let code = random_code(&mut rng);
        let bytes: Vec<u8> = code.iter().flat_map(|word| word.to_le_bytes()).collect();
        let x: [u64; 32] = std::array::from_fn(|_| rng.below(5).into());
        let run = |engine: &Engine, fuel: u64| {
            let (mut store, i) = load(engine);
            i.memory().map(&mut store, at..at + 0x1000, Prot::RWX).unwrap();
            i.memory().write_from(&mut store, at, &bytes).unwrap();
            let mut state = i.state(&store);
            (state.pc, state.x[17]) = (at, 2);
            for r in (5..17).filter(|r| !(8..10).contains(r)) {
                state.x[r] = x[r];
            }
            i.set_state(&mut store, &state);
            // Twice, so that translated code runs too that was made in the first round.
            let mut ends = Vec::new();
            for _ in 0..2 {
                i.set_state(&mut store, &state);
                store.set_fuel(fuel).unwrap();
                let end = i.resume(&mut store).map_err(|e| e.to_string());
                ends.push((end, store.get_fuel().unwrap(), i.state(&store), *store.data()));
            }
            ends
        };
        let random = [50, 500].map(|most| u64::from(rng.below(most)));
        for fuel in [0, 1, 3, 7, 2000].into_iter().chain(random) {
            for [interpreter, translator] in &pairs {
                let expected = run(interpreter, fuel);
                assert_eq!(run(translator, fuel), expected, "round {round} with {fuel}: {code:x?}");
            }
        }
    }
}

#[test]
fn stores_without_fuel_say_so() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    assert_eq!(store.set_fuel(1).unwrap_err().kind(), ErrorKind::Config);
    assert_eq!(store.get_fuel().unwrap_err().kind(), ErrorKind::Config);
    assert_eq!(store.consume_fuel(1).unwrap_err().kind(), ErrorKind::Config);
    let mut config = Config::new();
    config.consume_fuel(true).cross_check(true);
    assert_eq!(Engine::new(&config).unwrap_err().kind(), ErrorKind::Config);
    let mut store = Store::new(&pairs()[0][0], ());
    store.set_fuel(10).unwrap();
    assert_eq!(store.consume_fuel(4).unwrap(), 6);
    assert!(is_trap(&store.consume_fuel(7).unwrap_err(), Trap::OutOfFuel));
    assert_eq!(store.get_fuel().unwrap(), 0);
}
