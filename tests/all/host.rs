//! The host around the guests: whatever a guest does, or whatever else happens in the process, the
//! host lives on and gets right results. What could end a process, and what changes all of it,
//! happens in a child: this program again, with one test alone.

use rvnative::vm::{
    AddressSpace, Caller, Config, Engine, Error, ErrorKind, GuestPtr, Instance, InterruptHandle,
    Linker, Memory, MemoryFault, Module, Prot, Stop, Store, Strategy, Trap, TypedFunc, elf,
};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What a host may hand to other threads, and share with them.
const _: () = {
    const fn send<T: Send>() {}
    const fn sync<T: Send + Sync>() {}
    send::<Store<()>>();
    send::<Result<(), Error>>();
    sync::<Config>();
    sync::<Engine>();
    sync::<Module>();
    sync::<Linker<()>>();
    sync::<Instance>();
    sync::<Memory>();
    sync::<TypedFunc<(u64,), u64>>();
    sync::<InterruptHandle>();
    sync::<Error>();
    sync::<Trap>();
    sync::<MemoryFault>();
};

/// Where programs of these tests begin.
pub(crate) const CODE: u64 = 0x1_0000;
pub(crate) const RET: u32 = 0x0000_8067;
pub(crate) const ECALL: u32 = 0x0000_0073;

const CHILD: &str = "RVNATIVE_TEST_CHILD";

/// Runs `body` in a process of its own, in which nothing else happens; how that ends. `name` is the
/// test's. Nobody waits longer than two minutes.
fn alone(name: &str, body: impl FnOnce()) -> Option<ExitStatus> {
    if std::env::var(CHILD).is_ok_and(|child| child == name) {
        body();
        return None;
    }
    let program = std::env::current_exe().unwrap();
    let mut child = Command::new(program)
        .args(["--exact", &format!("host::{name}"), "--nocapture"])
        .env(CHILD, name)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        if start.elapsed() > Duration::from_secs(120) {
            child.kill().unwrap();
            panic!("{name} hangs");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// As [`alone`], and it must end well.
fn survives(name: &str, body: impl FnOnce()) {
    if let Some(status) = alone(name, body) {
        assert!(status.success(), "{name}: {status}");
    }
}

/// A segment: address, contents, bytes in memory, `PF_*`.
pub(crate) type Segment<'a> = (u64, &'a [u8], u64, u32);

/// A program with these segments.
pub(crate) fn program(segments: &[Segment<'_>]) -> Vec<u8> {
    let mut b = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    b.extend([2, 0, 243, 0, 1, 0, 0, 0]);
    for v in [CODE, 64, 0] {
        b.extend(v.to_le_bytes());
    }
    b.extend([0, 0, 0, 0, 64, 0, 56, 0]);
    b.extend((segments.len() as u16).to_le_bytes());
    b.extend([64, 0, 0, 0, 0, 0]);
    let page = |n: usize| n.next_multiple_of(4096);
    let mut offset = page(b.len() + 56 * segments.len());
    let first = offset;
    for (addr, bytes, size, flags) in segments {
        b.extend(1_u32.to_le_bytes());
        b.extend(flags.to_le_bytes());
        for v in [offset as u64, *addr, *addr, bytes.len() as u64, *size, 0x1000] {
            b.extend(v.to_le_bytes());
        }
        offset += page(bytes.len());
    }
    b.resize(first, 0);
    for (_, bytes, ..) in segments {
        b.extend(*bytes);
        b.resize(page(b.len()), 0);
    }
    b
}

pub(crate) fn bytes(code: &[u32]) -> Vec<u8> {
    code.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// A program of one segment that may be read, written and executed.
pub(crate) fn writable(code: &[u32], size: u64) -> Vec<u8> {
    program(&[(CODE, &bytes(code), size, 7)])
}

/// An instance without host functions.
fn instance(engine: &Engine, program: &[u8]) -> (Store<()>, Instance) {
    let module = Module::new(engine, program).unwrap();
    let mut store = Store::new(engine, ());
    let instance = Linker::new(engine).instantiate(&mut store, &module).unwrap();
    (store, instance)
}

fn engines() -> [Engine; 3] {
    let engine = |strategy, space| {
        let mut config = Config::new();
        Engine::new(config.strategy(strategy).address_space(space)).unwrap()
    };
    [
        engine(Strategy::Interpreter, AddressSpace::Sandbox),
        engine(Strategy::Baseline, AddressSpace::Sandbox),
        engine(Strategy::Baseline, AddressSpace::Flat { bits: 38 }),
    ]
}

fn trap(e: &Error) -> Trap {
    *e.downcast_ref::<Trap>().unwrap_or_else(|| panic!("not a trap: {e:?}"))
}

/// What a benign guest computes: 3 * 14.
fn benign(engine: &Engine) {
    // slli a1, a0, 4; slli a0, a0, 1; sub a0, a1, a0; ret
    let (mut store, i) =
        instance(engine, &writable(&[0x0045_1593, 0x0015_1513, 0x40a5_8533, RET], 4096));
    let f = i.func_at::<(u64,), u64>(CODE);
    assert_eq!(f.call(&mut store, (3,)).unwrap(), 42);
    // A load through a null pointer faults, and is found.
    let (mut store, i) = instance(engine, &writable(&[0x0000_3503, RET], 4096));
    let e = i.func_at::<(), u64>(CODE).call(&mut store, ()).unwrap_err();
    assert_eq!(trap(&e), Trap::LoadFault { pc: CODE, addr: 0 });
}

/// The process has room for a guest, a thread, and 64 MiB.
fn healthy() {
    benign(&Engine::default());
    std::thread::spawn(|| benign(&Engine::default())).join().unwrap();
    let room = vec![1_u8; 64 << 20];
    assert_eq!(room[63 << 20], 1);
}

/// Mappings of this process, and KiB of memory that it uses.
pub(crate) fn mappings() -> usize {
    std::fs::read_to_string("/proc/self/maps").unwrap().lines().count()
}

fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|l| l.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn cpu_time() -> Duration {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes to a local variable.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut now) };
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

/// Installs `handler` for `signal`; the mask is one signal.
fn handle(signal: i32, handler: usize, flags: i32, mask: i32) {
    // SAFETY: an action that is valid for all that these tests install.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler;
        action.sa_flags = flags;
        if mask != 0 {
            libc::sigaddset(&mut action.sa_mask, mask);
        }
        assert_eq!(libc::sigaction(signal, &action, std::ptr::null_mut()), 0);
    }
}

fn send(signal: i32) {
    // SAFETY: sends a signal to this very thread.
    unsafe { libc::raise(signal) };
}

/// `f(n)`: calls itself `n` deep. Its frames have 16 bytes.
const DEEP: [u32; 8] = [
    0x0005_0e63, // beqz a0, out
    0xff01_0113, // addi sp, sp, -16
    0x0011_3023, // sd ra, 0(sp)
    0xfff5_0513, // addi a0, a0, -1
    0xff1f_f0ef, // jal f
    0x0001_3083, // ld ra, 0(sp)
    0x0101_0113, // addi sp, sp, 16
    RET,         // out: ret
];

#[test]
fn stores_are_dropped_in_any_order_and_on_any_thread() {
    fn is_send<T: Send>(_: &T) {}
    survives("stores_are_dropped_in_any_order_and_on_any_thread", || {
        let engine = Engine::default();
        let mut stores = Vec::new();
        for _ in 0..3 {
            let (mut store, i) = instance(&engine, &writable(&[0x0000_3503, RET], 4096));
            assert!(i.func_at::<(), u64>(CODE).call(&mut store, ()).is_err());
            stores.push((store, i));
        }
        // Oldest first, as a `Vec` does it.
        let last = stores.pop().unwrap();
        drop(stores);
        is_send(&last);
        let used_elsewhere = std::thread::spawn(move || {
            let (mut store, i) = last;
            assert!(i.func_at::<(), u64>(CODE).call(&mut store, ()).is_err());
            (store, i)
        });
        let (mut store, i) = used_elsewhere.join().unwrap();
        assert!(i.func_at::<(), u64>(CODE).call(&mut store, ()).is_err());
        std::thread::spawn(move || drop(store)).join().unwrap();
        healthy();
    });
}

#[test]
fn handlers_without_a_stack_of_their_own_have_room() {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    extern "C" fn tick(_: i32) {
        let mut room = [0_u8; 32 << 10];
        room[COUNT.load(Ordering::Relaxed) as usize % room.len()] = 1;
        std::hint::black_box(&mut room);
        COUNT.fetch_add(1, Ordering::Relaxed);
    }
    survives("handlers_without_a_stack_of_their_own_have_room", || {
        // As signal(2) does it.
        handle(libc::SIGUSR1, tick as *const () as usize, libc::SA_RESTART, 0);
        for engine in engines() {
            let (mut store, i) = instance(&engine, &writable(&DEEP, 4096));
            let f = i.func_at::<(u64,), u64>(CODE);
            let before = COUNT.load(Ordering::Relaxed);
            let done = AtomicBool::new(false);
            // SAFETY: names this thread, which outlives the scope.
            let me = unsafe { libc::pthread_self() };
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    while !done.load(Ordering::Relaxed) {
                        // SAFETY: a signal for which there is a handler, to a thread that lives.
                        unsafe { libc::pthread_kill(me, libc::SIGUSR1) };
                        std::thread::sleep(Duration::from_micros(20));
                    }
                });
                for depth in (30_000..60_000).cycle().step_by(500).take(600) {
                    assert_eq!(f.call(&mut store, (depth,)).unwrap(), 0);
                }
                done.store(true, Ordering::Relaxed);
            });
            assert!(COUNT.load(Ordering::Relaxed) > before + 100);
        }
    });
}

#[test]
fn ignored_signals_stay_ignored() {
    survives("ignored_signals_stay_ignored", || {
        handle(libc::SIGSEGV, libc::SIG_IGN, 0, 0);
        handle(libc::SIGFPE, libc::SIG_IGN, 0, 0);
        healthy();
        send(libc::SIGSEGV);
        send(libc::SIGFPE);
        healthy();
    });
}

#[test]
fn handlers_from_before_are_called_as_they_asked() {
    static SEEN: AtomicI32 = AtomicI32::new(0);
    extern "C" fn note(_: i32) {
        // SAFETY: a query into a local set.
        let blocked = unsafe {
            let mut mask: libc::sigset_t = std::mem::zeroed();
            libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), &mut mask);
            [libc::SIGBUS, libc::SIGUSR1, libc::SIGUSR2].map(|s| libc::sigismember(&mask, s))
        };
        SEEN.fetch_add(1 + i32::from(blocked == [1, 1, 0]) * 100, Ordering::Relaxed);
    }
    let name = "handlers_from_before_are_called_as_they_asked";
    let ended = alone(name, || {
        let flags = libc::SA_ONSTACK | libc::SA_RESETHAND;
        handle(libc::SIGBUS, note as *const () as usize, flags, libc::SIGUSR1);
        benign(&Engine::default());
        send(libc::SIGBUS);
        assert_eq!(SEEN.load(Ordering::Relaxed), 101);
        benign(&Engine::default());
        send(libc::SIGBUS);
    });
    if let Some(status) = ended {
        assert_eq!(status.signal(), Some(libc::SIGBUS), "the second time it is death: {status}");
    }
}

#[test]
#[cfg(target_arch = "x86_64")]
fn the_segment_base_may_have_been_changed() {
    survives("the_segment_base_may_have_been_changed", || {
        let engine = Engine::default();
        let other = 99_u64;
        let sum = [0x0005_3503, RET]; // ld a0, 0(a0)
        let (mut store, i) = instance(&engine, &writable(&sum, 0x3000));
        let f = i.func_at::<(u64,), u64>(CODE);
        for value in [11_u64, 12, 13] {
            i.memory().write(&mut store, GuestPtr::new(CODE + 0x2000), value).unwrap();
            assert_eq!(f.call(&mut store, (CODE + 0x2000,)).unwrap(), value);
            // Another library has used it (ARCH_SET_GS), and there is something at that place.
            let elsewhere = (&raw const other as u64).wrapping_sub(CODE + 0x2000);
            // SAFETY: nothing of this program is accessed through GS.
            unsafe { libc::syscall(libc::SYS_arch_prctl, 0x1001, elsewhere) };
        }
    });
}

#[test]
fn there_may_be_several_versions_of_the_library() {
    let program = std::fs::read("/proc/self/exe").unwrap();
    let elf = goblin::elf::Elf::parse(&program).unwrap();
    let names = elf.syms.iter().filter_map(|s| elf.strtab.get_at(s.st_name));
    let fixed: Vec<_> = names.filter(|name| name.starts_with("rvn_")).collect();
    assert!(fixed.is_empty(), "names that two versions would have in common: {fixed:?}");
}

#[test]
fn parent_and_child_of_a_fork_get_right_results() {
    survives("parent_and_child_of_a_fork_get_right_results", || {
        const FUNCTIONS: u32 = 300;
        for engine in engines() {
            // addi a0, a0, n; ret
            let code: Vec<u32> =
                (0..FUNCTIONS).flat_map(|n| [0x0005_0513 | n << 20, RET]).collect();
            let (mut store, i) = instance(&engine, &writable(&code, 0x2000));
            let mut call = |n: u32| {
                let f = i.func_at::<(u64,), u64>(CODE + u64::from(n) * 8);
                f.call(&mut store, (1000,)).is_ok_and(|sum| sum == u64::from(1000 + n))
            };
            assert!(call(0));
            // SAFETY: the child runs guests and leaves at once.
            let pid = unsafe { libc::fork() };
            if pid == 0 {
                let right = (0..FUNCTIONS).rev().all(&mut call) && (0..FUNCTIONS).all(&mut call);
                // SAFETY: ends the child.
                unsafe { libc::_exit(i32::from(!right)) };
            }
            assert!((0..FUNCTIONS).all(&mut call));
            let mut status = 0;
            // SAFETY: waits for the child.
            unsafe { libc::waitpid(pid, &mut status, 0) };
            assert_eq!(status, 0, "in the child");
            assert!((0..FUNCTIONS).all(&mut call));
        }
    });
}

#[test]
fn calls_inside_each_other_are_limited() {
    // Of each call: where its stack was, the lowest last.
    type Places = Vec<usize>;
    for engine in engines() {
        // addi sp, sp, -16; sd ra, 0(sp); ecall; ld ra, 0(sp); addi sp, sp, 16; ret
        let code = [0xff01_0113, 0x0011_3023, ECALL, 0x0001_3083, 0x0101_0113, RET];
        let module = Module::new(&engine, writable(&code, 4096)).unwrap();
        let mut linker = Linker::<Places>::new(&engine);
        linker.ecall_fallback(|c: &mut Caller<'_, Places>, _| {
            let here = 0_u8;
            c.data_mut().push(&raw const here as usize);
            c.instance().func_at::<(), ()>(CODE).call(&mut *c, ())
        });
        let mut store = Store::new(&engine, Vec::new());
        let i = linker.instantiate(&mut store, &module).unwrap();
        for _ in 0..2 {
            let e = i.func_at::<(), ()>(CODE).call(&mut store, ()).unwrap_err();
            assert_eq!(trap(&e), Trap::TooDeep { limit: 64 });
            let places = std::mem::take(store.data_mut());
            assert_eq!(places.len(), 64);
            // A thread of Rust has 2 MiB.
            assert!(places[0] - places[63] < 63 * 8192, "{}", (places[0] - places[63]) / 63);
        }
    }
}

/// `f`: a0 = 5; asks the host; returns a0 + 1. Then `g`: loads from 0.
const ASKS: [u32; 6] = [
    0x0050_0513, // li a0, 5
    ECALL,
    0x0015_0513, // addi a0, a0, 1
    RET,
    0x0070_0513, // g: li a0, 7
    0x0000_3583, // ld a1, 0(zero)
];

#[test]
fn a_call_that_fails_leaves_its_caller_as_it_was() {
    for engine in engines() {
        let module = Module::new(&engine, writable(&ASKS, 4096)).unwrap();
        let mut linker = Linker::<bool>::new(&engine);
        linker.ecall_fallback(|c: &mut Caller<'_, bool>, _| {
            let before = c.instance().state(&*c);
            let e = c.instance().func_at::<(), ()>(CODE + 16).call(&mut *c, ()).unwrap_err();
            assert_eq!(trap(&e), Trap::LoadFault { pc: CODE + 20, addr: 0 });
            assert_eq!(c.instance().state(&*c), before);
            let i = c.instance();
            assert_eq!(i.resume(&mut *c).unwrap_err().kind(), ErrorKind::Host);
            assert_eq!(i.step(&mut *c).unwrap_err().kind(), ErrorKind::Host);
            assert_eq!(i.state(&*c), before);
            if *c.data() { Err(Error::msg("no")) } else { Ok(()) }
        });
        let mut store = Store::new(&engine, false);
        let i = linker.instantiate(&mut store, &module).unwrap();
        let f = i.func_at::<(), u64>(CODE);
        assert_eq!(f.call(&mut store, ()).unwrap(), 6);
        *store.data_mut() = true;
        assert_eq!(f.call(&mut store, ()).unwrap_err().to_string(), "no");
        // By steps and by itself too.
        *store.data_mut() = false;
        let mut state = i.state(&store);
        state.pc = CODE;
        i.set_state(&mut store, &state);
        assert_eq!(i.step(&mut store).unwrap(), Stop::Stepped);
        assert_eq!(i.step(&mut store).unwrap(), Stop::Stepped);
        assert_eq!((i.state(&store).pc, i.state(&store).x[10]), (CODE + 8, 5));
        i.set_state(&mut store, &state);
        assert_eq!(i.resume(&mut store).unwrap(), Stop::Returned);
    }
}

#[test]
fn a_panic_of_a_host_function_leaves_the_instance_usable() {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    // As `ASKS`, with 2 KiB of stack.
    let code = [0x8001_0113, 0x0050_0513, ECALL, 0x0015_0513, 0x4001_0113, 0x4001_0113, RET];
    for engine in engines() {
        let module = Module::new(&engine, writable(&code, 4096)).unwrap();
        let mut linker = Linker::<u32>::new(&engine);
        linker.ecall_fallback(|c: &mut Caller<'_, u32>, _| {
            *c.data_mut() += 1;
            if c.data().is_multiple_of(2) {
                std::panic::resume_unwind(Box::new("not a bug"));
            }
            let before = c.instance().state(&*c);
            let f = c.instance().func_at::<(), u64>(CODE);
            assert!(catch_unwind(AssertUnwindSafe(|| f.call(&mut *c, ()))).is_err());
            assert_eq!(c.instance().state(&*c), before);
            Ok(())
        });
        let mut store = Store::new(&engine, 0);
        let i = linker.instantiate(&mut store, &module).unwrap();
        let f = i.func_at::<(), u64>(CODE);
        assert_eq!(f.call(&mut store, ()).unwrap(), 6);
        *store.data_mut() = 1;
        for _ in 0..1000 {
            let caught = catch_unwind(AssertUnwindSafe(|| f.call(&mut store, ())));
            assert!(caught.is_err());
            *store.data_mut() = 1;
        }
        *store.data_mut() = 0;
        assert_eq!(f.call(&mut store, ()).unwrap(), 6);
    }
}

#[test]
fn instances_of_other_stores_are_refused() {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    let engine = Engine::default();
    let (_first, i) = instance(&engine, &writable(&[RET], 4096));
    let (mut other, _) = instance(&engine, &writable(&[RET], 4096));
    let mut refused = |f: &mut dyn FnMut(&mut Store<()>)| {
        let panic = catch_unwind(AssertUnwindSafe(|| f(&mut other))).unwrap_err();
        let text = panic.downcast_ref::<String>().unwrap();
        assert!(text.contains("with the store that it was made in"), "{text}");
    };
    refused(&mut |s| drop(i.state(s)));
    refused(&mut |s| drop(i.resume(s)));
    refused(&mut |s| drop(i.func_at::<(), ()>(CODE).call(s, ())));
    refused(&mut |s| assert!(i.memory().read(s, GuestPtr::<u8>::new(CODE)).is_ok()));
    refused(&mut |s| drop(i.memory().map(s, 0x100_0000..0x100_1000, Prot::RW)));
}

#[test]
fn what_is_of_different_engines_does_not_go_together() {
    let [a, b] = [Engine::default(), Engine::default()];
    let modules = [&a, &b].map(|e| Module::new(e, writable(&[RET], 4096)).unwrap());
    for (linker, store, module) in [(&a, &a, 1), (&a, &b, 0), (&b, &a, 0), (&a, &b, 1)] {
        let result = Linker::new(linker).instantiate(&mut Store::new(store, ()), &modules[module]);
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Config);
    }
    assert!(Linker::new(&a).instantiate(&mut Store::new(&a.clone(), ()), &modules[0]).is_ok());
}

#[test]
fn rewriting_one_place_costs_what_it_takes_each_time() {
    let engine = Engine::default();
    // b: bnez a0, f; fence.i; ret. Behind it, f: addi a0, a0, -1; j b.
    let (b, f) = (CODE, CODE + 0x800);
    let mut code = vec![0x0005_10e3, 0x0000_100f, RET];
    code.resize(0x200, RET);
    code.extend([0xfff5_0513, 0xffcf_f06f]);
    let (mut store, i) = instance(&engine, &writable(&code, 0x3000));
    let call = i.func_at::<(u64,), ()>(f);
    let mut rewrite = |times: u32| {
        let before = cpu_time();
        for _ in 0..times {
            call.call(&mut store, (2,)).unwrap();
            i.memory().write(&mut store, GuestPtr::new(b), 0x0005_10e3_u32).unwrap();
        }
        cpu_time() - before
    };
    rewrite(500);
    let (few, many) = (rewrite(1000), rewrite(16_000));
    assert!(many < few * 48, "1000 times: {few:?}, 16,000 times: {many:?}");
}

#[test]
fn memory_is_not_asked_for_far_ahead() {
    survives("memory_is_not_asked_for_far_ahead", || {
        let engine = Engine::default();
        let (mut store, i) = instance(&engine, &writable(&[RET], 4096));
        let before = resident();
        i.func_at::<(), ()>(CODE).call(&mut store, ()).unwrap();
        let grown = resident() - before;
        assert!(grown < 8 << 10, "{grown} KiB for a function that only returns");
        // Zeros that nobody has written are no code.
        let size = 1 << 30;
        let (mut store, i) = instance(&engine, &writable(&[RET], size));
        let before = resident();
        for at in (CODE + 4096..CODE + size).step_by(16 << 10) {
            assert!(i.func_at::<(), ()>(at).call(&mut store, ()).is_err());
        }
        let grown = resident() - before;
        assert!(grown < 64 << 10, "{grown} KiB for code that is not there");
    });
}

#[test]
fn the_interpreter_makes_no_executable_memory() {
    survives("the_interpreter_makes_no_executable_memory", || {
        let executable = || {
            let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
            maps.lines().filter(|l| l.split(' ').nth(1).unwrap().contains('x')).count()
        };
        let before = (executable(), mappings());
        let [interpreter, ..] = engines();
        let (mut store, i) = instance(&interpreter, &writable(&[RET], 4096));
        i.func_at::<(), ()>(CODE).call(&mut store, ()).unwrap();
        assert_eq!(executable(), before.0);
        assert!(mappings() < before.1 + 16);
    });
}

#[test]
fn scattered_code_leaves_the_host_its_mappings() {
    survives("scattered_code_leaves_the_host_its_mappings", || {
        const PAGES: u64 = 34_000;
        for engine in &engines()[..2] {
            let (mut store, i) = instance(engine, &writable(&[RET], (2 * PAGES + 2) * 4096));
            for page in 0..PAGES {
                let at = CODE + page * 2 * 4096;
                i.memory().write(&mut store, GuestPtr::new(at), RET).unwrap();
                i.func_at::<(), ()>(at).call(&mut store, ()).unwrap();
            }
            assert!(mappings() < 30_000, "{} mappings", mappings());
            healthy();
            // What has lost its protection is translated again, and stores to it are seen.
            for at in [CODE, CODE + 8192, CODE + (PAGES - 1) * 8192] {
                i.memory().write(&mut store, GuestPtr::new(at), 0x0090_0513_u32).unwrap();
                i.memory().write(&mut store, GuestPtr::new(at + 4), RET).unwrap();
                assert_eq!(i.func_at::<(), u64>(at).call(&mut store, ()).unwrap(), 9);
            }
        }
    });
}

#[test]
fn more_than_a_thousand_instances_fit() {
    survives("more_than_a_thousand_instances_fit", || {
        let engine = Engine::default();
        let module = Module::new(&engine, writable(&[RET], 4096)).unwrap();
        let mut store = Store::new(&engine, ());
        let linker = Linker::new(&engine);
        for _ in 0..1200 {
            linker.instantiate(&mut store, &module).unwrap();
        }
        let last = linker.instantiate(&mut store, &module).unwrap();
        last.func_at::<(), ()>(CODE).call(&mut store, ()).unwrap();
        // When nothing fits any more, the error says what there might be too few of.
        let error = (0..10_000).find_map(|_| linker.instantiate(&mut store, &module).err());
        let error = error.unwrap();
        assert_eq!(error.kind(), ErrorKind::Io);
        assert!(error.to_string().contains("vm.max_map_count"), "{error}");
    });
}

#[test]
fn files_that_ask_for_more_than_they_are_are_refused() {
    let engine = Engine::default();
    let start = Instant::now();
    let page: &[u8] = &bytes(&[RET]);
    let many: Vec<Segment<'_>> = (0..65_000)
        .map(|n| (CODE + n * 8192, page, 4096, if n % 2 == 0 { 5 } else { 6 }))
        .collect();
    let file = program(&many);
    assert_eq!(Module::new(&engine, &file).unwrap_err().kind(), ErrorKind::Unsupported);
    let contents = vec![1_u8; 1 << 20];
    let mut file = program(&[(CODE, &contents[..], 1 << 20, 6); 40]);
    for n in 0..40_u64 {
        let header = 64 + 56 * n as usize;
        let address = (CODE + n * (2 << 20)).to_le_bytes();
        file[header + 8..header + 16].copy_from_slice(&0x1000_u64.to_le_bytes());
        file[header + 16..header + 24].copy_from_slice(&address);
    }
    file.truncate(0x1000 + (1 << 20));
    assert_eq!(Module::new(&engine, &file).unwrap_err().kind(), ErrorKind::Unsupported);
    // 20,000 symbols whose names are the ends of one of half a megabyte.
    let mut file = writable(&[RET], 4096);
    let names = file.len();
    file.push(0);
    file.resize(names + (500 << 10), b'n');
    file.push(0);
    let size = file.len() - names;
    let symbols = file.len();
    for n in 0..20_000_u32 {
        file.extend((1 + n * 8).to_le_bytes());
        file.extend([0x12, 0, 1, 0]);
        file.extend(CODE.to_le_bytes());
        file.extend(4_u64.to_le_bytes());
    }
    let sections = file.len();
    let section = |kind: u32, at: usize, size: usize, link: u32| {
        let mut s = [0, 0, 0, 0].to_vec();
        s.extend(kind.to_le_bytes());
        s.extend([0; 16]);
        s.extend((at as u64).to_le_bytes());
        s.extend((size as u64).to_le_bytes());
        s.extend(link.to_le_bytes());
        s.resize(64, 0);
        s
    };
    file.extend([0; 64]);
    file.extend(section(3, names, size, 0));
    file.extend(section(2, symbols, 20_000 * 24, 1));
    file[40..48].copy_from_slice(&(sections as u64).to_le_bytes());
    file[58..64].copy_from_slice(&[64, 0, 3, 0, 0, 0]);
    let found = elf::symbols(&file);
    let total: usize = found.iter().map(|s| s.name.len()).sum();
    assert!(!found.is_empty() && total < 4 * size, "{} names, {total} bytes", found.len());
    let (mut store, i) = instance(&engine, &file);
    assert!(i.func_at::<(), ()>(CODE).call(&mut store, ()).is_ok());
    assert!(start.elapsed() < Duration::from_secs(30));
}

#[test]
fn every_endless_loop_can_be_stopped() {
    let loops: [(&str, &[u32]); 9] = [
        ("a jump to itself", &[0x0000_006f]),
        ("an indirect jump to itself", &[0x0005_0067]),
        ("a call of itself", &[0x0000_00ef]),
        ("an indirect call of itself", &[0x0005_00e7]),
        ("a call by t0", &[0x0000_02ef]),
        ("a branch", &[0x0000_0063]),
        ("stores to its own code", &[0x00b5_2023, 0xffdf_f06f]),
        ("fences", &[0x0000_100f, 0xffdf_f06f]),
        ("stores and fences", &[0x00b5_2023, 0x0000_100f, 0xff9f_f06f]),
    ];
    for engine in engines() {
        for (name, code) in loops {
            let (mut store, i) = instance(&engine, &writable(code, 4096));
            let handle = store.interrupt_handle();
            let f = i.func_at::<(u64, u64), ()>(CODE);
            let (done, wait) = std::sync::mpsc::channel::<()>();
            let thread = std::thread::spawn(move || {
                std::thread::sleep(Duration::from_millis(3));
                let start = Instant::now();
                handle.interrupt();
                wait.recv_timeout(Duration::from_secs(20)).expect(name);
                start.elapsed()
            });
            let e = f.call(&mut store, (CODE, u64::from(code[0]))).unwrap_err();
            done.send(()).unwrap();
            assert_eq!(trap(&e), Trap::Interrupted, "{name}");
            assert!(thread.join().unwrap() < Duration::from_secs(5), "{name}");
        }
    }
}

#[test]
fn no_address_leads_out_of_the_sandbox() {
    // ld a1, 0(a0); sd a1, 0(a0); amoadd.d a1, zero, (a0); li a0, 0; ret. Before: fld, lbu.
    let forms: [u32; 9] = [
        0x0005_3583, // ld a1, 0(a0)
        0x00b5_3023, // sd a1, 0(a0)
        0x0005_4583, // lbu a1, 0(a0)
        0x00b5_0023, // sb a1, 0(a0)
        0x0005_3507, // fld fa0, 0(a0)
        0x00a5_3027, // fsd fa0, 0(a0)
        0x0005_35af, // amoadd.d a1, zero, (a0)
        0x1005_35af, // lr.d a1, (a0)
        0x7ff5_3583, // ld a1, 2047(a0)
    ];
    let host = 7_u64;
    let near = [&raw const host as u64, std::process::id as fn() -> u32 as usize as u64];
    let high = [0, 1 << 31, 1 << 32, 1 << 47, 1 << 63, u64::MAX - 7, 0xffff_ffff_8000_0000];
    let engines = engines();
    for word in forms {
        // Both engines see the same, whatever the upper half is.
        let mut results: Vec<Vec<Result<(), Trap>>> = Vec::new();
        for engine in &engines[..2] {
            let (mut store, i) = instance(engine, &writable(&[word, RET], 0x2000));
            let f = i.func_at::<(u64,), ()>(CODE);
            let addresses =
                near.iter().chain(&high).flat_map(|&a| [a, a.wrapping_add(0x1_1000), a & !7]);
            let call = |a| f.call(&mut store, (a,)).map_err(|e| trap(&e));
            results.push(addresses.map(call).collect());
        }
        assert_eq!(results[0], results[1], "{word:#x}");
        assert!(results[0].iter().any(Result::is_err));
    }
    assert_eq!(host, 7);
}

#[test]
fn a_linux_guest_does_not_start_its_host_again() {
    use rvnative::linux::{self, LoadError};
    survives("a_linux_guest_does_not_start_its_host_again", || {
        let file = std::env::temp_dir().join(format!("rvnative-again-{}", std::process::id()));
        // execve(path, NULL, NULL); exit(-result)
        let mut code = bytes(&[
            0x0001_0537, // lui a0, 0x10
            0x1005_0513, // addi a0, a0, 0x100
            0x0000_0593, // li a1, 0
            0x0000_0613, // li a2, 0
            0x0dd0_0893, // li a7, 221
            ECALL,
            0x40a0_0533, // neg a0, a0
            0x05d0_0893, // li a7, 93
            ECALL,
        ]);
        code.resize(0x100, 0);
        code.extend(file.as_os_str().as_encoded_bytes());
        code.push(0);
        std::fs::write(&file, program(&[(CODE, &code, 4096, 7)])).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
        let refused = linux::Command::new(&file).status();
        assert!(matches!(refused, Err(LoadError::NoReentry)), "{refused:?}");
        for (command, code) in [(None, libc::EPERM), (Some("/no/such/program"), libc::ENOENT)] {
            // SAFETY: the child becomes a guest.
            let pid = unsafe { libc::fork() };
            if pid == 0 {
                let mut guest = linux::Command::new(&file);
                if let Some(path) = command {
                    guest.reentry_program(path);
                }
                eprintln!("{}", guest.exec());
                // SAFETY: ends the child.
                unsafe { libc::_exit(99) };
            }
            let mut status = 0;
            // SAFETY: waits for the child.
            unsafe { libc::waitpid(pid, &mut status, 0) };
            assert!(libc::WIFEXITED(status));
            assert_eq!(libc::WEXITSTATUS(status), code);
        }
        std::fs::remove_file(&file).unwrap();
    });
}
