//! Tests of the harvest, over the guest programs that the repository holds.

use super::campaign::{Harvest, harvest, replay_at};
use super::error::Error;
use super::image::Image;
use super::rig::{Rig, SETUPS};
use super::scan::{self, Scan};
use super::start::{Surroundings, start, steer};
use super::trace::{End, Trace};
use super::world::{EDGE, WINDOW, World};
use crate::cpu::{Access, Exit};
use crate::fuzzing::{Rng, mutate};
use crate::isa::{Insn, Isa, Op};
use crate::mem::{Memory, Mode};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

fn guest(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/guest/bin").join(name)
}

fn plan(from: &[&str]) -> Harvest {
    Harvest {
        from: from.iter().map(|name| guest(name)).collect(),
        seed: 1,
        states: 4,
        jobs: 1,
        time: Duration::from_secs(60),
        blocks: u64::MAX,
        sample: None,
        keep_going: true,
    }
}

/// A relocatable file with one section of code.
fn object(code: &[u16]) -> Vec<u8> {
    let code: Vec<u8> = code.iter().flat_map(|half| half.to_le_bytes()).collect();
    let names = b"\0.text\0.names\0";
    let mut b = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    b.extend([1, 0, 243, 0, 1, 0, 0, 0]);
    let table = 64 + code.len() + names.len();
    for v in [0, 0, table as u64] {
        b.extend(v.to_le_bytes());
    }
    b.extend([0, 0, 0, 0, 64, 0, 0, 0, 0, 0, 64, 0, 3, 0, 2, 0]);
    b.extend(&code);
    b.extend(names);
    let mut section = |name: u32, kind: u32, flags: u64, at: usize, len: usize| {
        b.extend(name.to_le_bytes());
        b.extend(kind.to_le_bytes());
        for v in [flags, 0, at as u64, len as u64, 0, 2, 0] {
            b.extend(v.to_le_bytes());
        }
    };
    section(0, 0, 0, 0, 0);
    section(1, 1, 6, 64, code.len());
    section(7, 3, 0, 64 + code.len(), names.len());
    b
}

fn image(code: &[u16]) -> Image {
    Image::new(Path::new("test.o"), &object(code)).unwrap()
}

/// `beqz a0, .+8; addi a0, a0, 1; ret`, and the same again with another distance to data.
const TWICE: [u16; 10] =
    [0xc501, 0x0505, 0x8082, 0x0001, 0x8082, 0xc501, 0x0505, 0x8082, 1, 0x8082];

#[test]
fn blocks_begin_behind_what_may_leave_and_at_targets() {
    let image = image(&TWICE);
    let found: Vec<_> = Scan::new(&image, &Isa::default()).collect();
    let offsets: BTreeSet<u64> = found.iter().map(|f| f.offset).collect();
    assert_eq!(offsets, BTreeSet::from([0, 2, 6, 8, 10, 12, 16, 18]));
    let key = |offset| found.iter().find(|f| f.offset == offset).map(|f| f.key);
    assert_eq!(key(0), key(10));
    assert_eq!(key(2), key(12));
    assert_ne!(key(0), key(2));
    assert_eq!(image.name(12), "0xc (.text+0xc)");
}

#[test]
fn addresses_relative_to_the_pc_do_not_make_blocks_different() {
    // auipc a5, N; lw a5, N(a5); ret
    let with = |upper: u16, low: u16| {
        let code = [0x0797 | upper << 12, upper, 0xa783, low << 4 | 7, 0x8082];
        let image = image(&code);
        Scan::new(&image, &Isa::default()).next().unwrap().key
    };
    assert_eq!(with(1, 4), with(2, 9));
}

#[test]
fn damaged_files_are_refused_or_read() {
    let good = std::fs::read(guest("hello")).unwrap();
    let (mut read, mut refused) = (0, 0);
    for number in 0..2000 {
        let mut rng = Rng::new(2, number);
        let mut bytes = good.clone();
        if number % 2 == 0 {
            let sections = u64::from_le_bytes(*bytes[40..].first_chunk().unwrap()) as usize;
            let at = sections + rng.below((bytes.len() - sections) as u32) as usize;
            bytes[at] = rng.next_u64() as u8;
        } else {
            mutate(&mut rng, &mut bytes);
        }
        match Image::new(Path::new("damaged"), &bytes) {
            Ok(image) => {
                read += 1;
                assert!(Scan::new(&image, &Isa::default()).take(10).all(|f| f.offset & 1 == 0));
            }
            Err(e) => {
                refused += 1;
                assert!(e.to_string().starts_with("damaged: "), "{e}");
            }
        }
    }
    assert!(read > 100 && refused > 100, "{read} read, {refused} refused");
}

#[test]
fn both_engines_agree_on_guest_programs() {
    let found = harvest(&plan(&["fploops", "elementwise"]), |_| ()).unwrap();
    if let Some(group) = found.groups.first() {
        panic!("{}", group.first);
    }
    assert_eq!(found.reaped.files, 2);
    assert!(found.reaped.blocks > 300, "{:?}", found.reaped);
    assert!(found.reaped.executions > 4 * found.reaped.blocks, "{:?}", found.reaped);
    assert!(found.reaped.left_out * 20 < found.reaped.executions, "{:?}", found.reaped);
}

#[test]
fn a_sample_is_a_part() {
    let all = harvest(&plan(&["hello"]), |_| ()).unwrap();
    let some = Harvest { sample: Some(7), jobs: 2, ..plan(&["hello", "hello"]) };
    let some = harvest(&some, |_| ()).unwrap();
    assert_eq!((some.reaped.blocks, some.reaped.files), (7, 1));
    assert_eq!(some.reaped.places, all.reaped.places);
    let few = harvest(&Harvest { blocks: 3, ..plan(&["hello"]) }, |_| ()).unwrap();
    assert_eq!(few.reaped.blocks, 3);
}

/// Executes `xor` instead of `op`.
fn instead(op: Op, insn: &Insn) -> Insn {
    if insn.op == op { Insn { op: Op::Xor, ..*insn } } else { *insn }
}

#[test]
fn a_planted_fault_is_found_and_shrunk() {
    let (image, _) = super::campaign::read(&guest("muldiv")).unwrap();
    let functions = scan::functions(&image, &Isa::default());
    type Fault = fn(&Insn) -> Insn;
    let faults: [(Op, Fault); 3] = [
        (Op::Mulhu, |i| instead(Op::Mulhu, i)),
        (Op::Divu, |i| instead(Op::Divu, i)),
        (Op::Sd, |i| if i.op == Op::Sd { Insn { op: Op::Sw, ..*i } } else { *i }),
    ];
    for (n, (op, planted)) in faults.into_iter().enumerate() {
        let mut rig = Rig::new(&image, &functions, n as u32 * 7 % SETUPS, 1).unwrap();
        rig.plant(planted);
        let found = Scan::new(&image, &Isa::default())
            .find_map(|f| rig.check(f.offset, 4).err().map(|d| (f.offset, d)));
        let (offset, difference) = found.unwrap_or_else(|| panic!("a wrong {op:?} is not found"));
        let small = rig.shrink(offset, difference);
        let kind = small.kind();
        // What is planted is told as what the interpreter has executed.
        assert!(kind.split(' ').count() < 9, "{kind}");
        // The code is what it was again, and so is memory.
        rig.plant(|i| *i);
        assert!(rig.check(offset, 4).is_ok(), "{kind}");
    }
}

#[test]
fn a_report_names_the_place_and_how_to_see_it_again() {
    // A sandbox, as another memory may have the addresses of `Identity`.
    let (image, _) = super::campaign::read(&guest("muldiv")).unwrap();
    let functions = scan::functions(&image, &Isa::default());
    let mut rig = Rig::new(&image, &functions, 4, 9).unwrap();
    rig.plant(|i| instead(Op::Mulhu, i));
    let found = Scan::new(&image, &Isa::default())
        .find_map(|f| rig.check(f.offset, 4).err().map(|d| (f.offset, d)));
    let (offset, difference) = found.expect("a difference");
    let plan = Harvest { seed: 9, ..plan(&["muldiv"]) };
    let difference = rig.shrink(offset, difference);
    let text = super::campaign::describe(&rig, &image, &plan, offset, difference).to_string();
    let addr = image.low + offset;
    let wanted = format!("muldiv --seed 9 --at {addr:#x} --setup 4");
    for part in [&wanted, "Sandbox", "mulhu", "interpreter", "block 0x", "cold, "] {
        assert!(text.contains(part), "no {part} in:\n{text}");
    }
    // The translator is right, so there is nothing to be seen.
    assert!(replay_at(&plan, addr, 4).unwrap().is_none());
    let nowhere = replay_at(&plan, addr + 1, 4).unwrap_err();
    assert!(nowhere.to_string().ends_with(&format!("no code at {:#x}", addr + 1)), "{nowhere}");
}

#[test]
fn states_lead_through_faults_loops_and_memory() {
    crate::sys::signal::install_handlers().unwrap();
    // 1: ld a0, 0(a1); sd a0, 8(a2); addi a1, a1, 8; bne a1, a3, 1b; ret
    let image = image(&[0x6188, 0xe608, 0x05a1, 0x9de3, 0xfed5, 0x8082]);
    let memory = Memory::new(Mode::Guarded, 1 << 34).unwrap();
    let base = super::world::place(Mode::Guarded, false);
    let mut world = World::new(&memory, &image, base, 1, &[]).unwrap();
    let around = Surroundings { base, functions: &[], sandbox: false };
    let decode = |pc: u64| {
        scan::decode(&image.bytes, pc.wrapping_sub(base), &Isa::default())
            .or_else(|()| crate::interp::fetch(&memory, &Isa::default(), pc))
    };
    let mut trace = Trace::default();
    let (mut edges, mut ends, mut cuts) = (0, 0, 0);
    for n in 0..400 {
        let mut rng = Rng::new(1, u64::from(n));
        let mut hart = start(&mut rng, n, around);
        hart.pc = base;
        trace.record(hart.clone(), (&memory, &Isa::default()), &mut world, (100, false), decode);
        for _ in 0..8 {
            if !steer(&mut rng, &trace, &mut hart) {
                break;
            }
            trace.undo(&memory, &world);
            trace.record(
                hart.clone(),
                (&memory, &Isa::default()),
                &mut world,
                (100, false),
                decode,
            );
        }
        match trace.end {
            Some(End::Exit(Exit::Fault(f))) if f.access == Access::Execute => ends += 1,
            Some(End::Exit(Exit::Fault(f))) => {
                edges += usize::from(f.addr / WINDOW * WINDOW == EDGE);
            }
            _ => cuts += 1,
        }
        trace.undo(&memory, &world);
        let pristine = world.pristine.clone();
        assert!(*world.all(&memory) == *pristine, "memory is what it was");
    }
    assert!(edges > 8 && ends > 300 && cuts < 40, "{edges} {ends} {cuts}");
}

#[test]
fn cache_blocks_are_zeroed_as_a_whole_or_not_at_all() {
    // mv a0, a5; cbo.zero (a0); ret
    let image = image(&[0x853e, 0x200f, 0x0045, 0x8082]);
    for number in [0, 2, 4] {
        let mut rig = Rig::new(&image, &[], number, 1).unwrap();
        assert!(rig.check(0, 2000).is_ok(), "setup {number}");
    }
}

#[test]
fn what_has_no_code_says_so() {
    let dir = std::env::temp_dir().join(format!("rvnative-harvest-{}", std::process::id()));
    std::fs::create_dir_all(dir.join("deep")).unwrap();
    std::fs::write(dir.join("deep/text"), "hello").unwrap();
    std::os::unix::fs::symlink(&dir, dir.join("deep/loop")).unwrap();
    let run = |from: &Path| -> Result<u64, Error> {
        let plan = Harvest { from: vec![from.to_owned()], blocks: 1, ..plan(&[]) };
        harvest(&plan, |_| ()).map(|found| found.reaped.files)
    };
    let text = |from: &Path| run(from).unwrap_err().to_string();
    assert!(text(&dir).ends_with(": a directory without RISC-V ELF files"));
    assert!(text(&dir.join("deep/text")).ends_with("text: not an ELF file"));
    assert!(run(&dir.join("none")).unwrap_err().host().is_some());
    let mut bytes = std::fs::read(guest("hello")).unwrap();
    std::fs::write(dir.join("deep/hello"), &bytes).unwrap();
    assert_eq!(run(&dir).unwrap(), 1);
    bytes.truncate(bytes.len() - 1);
    std::fs::write(dir.join("deep/hello"), &bytes).unwrap();
    assert!(text(&dir.join("deep/hello")).contains("truncated: the section header table"));
    // It is all that is there.
    assert!(text(&dir).ends_with(": a directory without RISC-V ELF files"));
    std::fs::remove_dir_all(&dir).unwrap();
}
