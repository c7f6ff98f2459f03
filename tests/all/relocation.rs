//! Blocks that can be put anywhere (`backend::portable`): a block that is put at a place is what is
//! emitted at that place, on both hosts.

use crate::engines::guest;
use rvnative::backend::portable::{Entry, LINE, Made, Room, encode};
use rvnative::backend::{Backend, CodeBuf, EmitContext};
use rvnative::backend_a64::{self, A64};
use rvnative::backend_x64::{self, X64};
use rvnative::ir::Block;
use rvnative::isa::Isa;
use rvnative::lift::{Code, Lifter, Limits};
use rvnative::mem::Mode;
#[cfg(target_arch = "x86_64")]
use rvnative::runtime::HostFeatures;
use rvnative::util::CodePtr;
use rvnative::vm::elf::Elf;

/// Blocks of one program that are looked at.
const BLOCKS: usize = 30;

/// Places of blocks: hot part, cold part, id of the first link.
type Place = (u32, u32, u32);

/// The code for some guest addresses, near and far, and for others none.
fn lookup(pc: u64) -> Option<CodePtr> {
    match pc >> 1 & 7 {
        0 | 1 => Some(CodePtr(0x2_0000 + (pc as u32 & 0xfff0))),
        2 => Some(CodePtr(0x300_0000)),
        _ => None,
    }
}

fn emit<B: Backend>(
    backend: &mut B,
    block: &Block,
    mode: Mode,
    place: Place,
    linked: bool,
) -> CodeBuf {
    let mut buf = CodeBuf::default();
    buf.start(0, [0, place.1], 0);
    let stubs = backend.emit_stubs(&mut buf);
    assert!(buf.hot.len() < 0x1000);
    buf.relocatable = true;
    buf.start(block.pc, [place.0, place.1], place.2);
    let context = EmitContext {
        mode,
        stubs,
        exact_flags: false,
        lookup: if linked { &lookup } else { &|_| None },
        peek: &|addr| (addr & 8 != 0).then_some(0x1_2340),
        conditional_links: true,
        handler_room: true,
        meter: None,
        countdown: None,
        serves: false,
        counters: None,
        edges: None,
        marks: false,
    };
    backend.emit_block(block, &mut buf, &context);
    buf
}

/// The same block with its links to itself unlinked. Where it is made they are linked as far as
/// their targets are known, and else when it is published.
fn without_own_links<B: Backend>(buf: &CodeBuf) -> CodeBuf {
    let mut copy = CodeBuf::default();
    copy.start(0, [buf.hot_base, buf.cold_base], buf.first_link);
    copy.hot.extend_from_slice(&buf.hot);
    copy.cold.extend_from_slice(&buf.cold);
    for link in buf.links.iter().filter(|link| !link.inner) {
        if buf.entries.iter().any(|(pc, _)| *pc == link.target) {
            copy.patch(link.site, B::link_word(link, link.stub).expect("a stub is near"));
        }
    }
    copy.links.clone_from(&buf.links);
    copy.entries.clone_from(&buf.entries);
    copy.hot_faults.set_packed(buf.hot_faults.packed());
    copy.cold_faults.set_packed(buf.cold_faults.packed());
    copy
}

/// Compares a block that is put at some places with what is emitted there.
fn check<B: Backend>(mut backend: B, block: &Block, mode: Mode) {
    for (from, to) in [
        ((0x1000, 0x200_0000, 0), (0x2040, 0x300_0100, 7)),
        ((0x20_1030, 0x210_0008 | 4, 70_000), (0x13_f030, 0x3f0_003c - 0x30, 5)),
    ] {
        let made = Made {
            pc: block.pc,
            insns: block.insns,
            ranges: block.ranges.clone(),
            peeked: vec![(1, 2)],
        };
        let mut bytes = Vec::new();
        assert!(encode::<B>(
            &emit(&mut backend, block, mode, from, true),
            &made,
            b"code",
            &mut bytes
        ));
        // What is kept does not say where it was made, nor what was there to be linked to.
        let moved = (from.0 + 3 * LINE, from.1 + 9 * LINE, from.2 + 1);
        let mut again = Vec::new();
        assert!(encode::<B>(
            &emit(&mut backend, block, mode, moved, false),
            &made,
            b"code",
            &mut again
        ));
        assert_eq!(bytes, again, "{}: {:#x}", B::NAME, block.pc);

        let entry = Entry::parse(block.pc, &bytes).expect("an entry");
        assert_eq!((entry.made(), entry.code()), (made, &b"code"[..]));
        for linked in [false, true] {
            let room = Room {
                free: [to.0, to.1],
                first_link: to.2,
                lookup: if linked { &lookup } else { &|_| None },
                conditional_links: true,
            };
            let mut put = CodeBuf::default();
            entry.put::<B>(&mut put, &room).expect("a block");
            let same = emit(&mut backend, block, mode, to, linked);
            let what = |buf: &CodeBuf| {
                let buf = &mut without_own_links::<B>(buf);
                let faults = [buf.hot_faults.packed().to_vec(), buf.cold_faults.packed().to_vec()];
                let places = (buf.hot_base, buf.cold_base, buf.first_link);
                (
                    places,
                    buf.hot.to_vec(),
                    buf.cold.to_vec(),
                    buf.links.clone(),
                    buf.entries.clone(),
                    faults,
                )
            };
            assert_eq!(what(&put), what(&same), "{}: {:#x} {linked}:\n{block}", B::NAME, block.pc);
        }
        // Anywhere else no link's word crosses a cache line.
        for n in 0..LINE / 4 {
            let free = [to.0 + 16 * n, to.1 + 4 * n];
            let room = Room { free, first_link: 0, lookup: &|_| None, conditional_links: true };
            let mut put = CodeBuf::default();
            entry.put::<B>(&mut put, &room).expect("a block");
            assert!(put.links.iter().all(|link| link.site.0 % LINE <= LINE - 4));
            assert!(put.hot_base >= free[0] && put.hot_base.is_multiple_of(16));
            assert!(put.cold_base >= free[1] && put.cold_base < free[1] + LINE);
        }
        // Bytes that are missing are none of an entry.
        for len in (0..bytes.len()).step_by(7) {
            assert!(Entry::parse(block.pc, &bytes[..len]).is_none(), "{len}");
        }
    }
}

#[test]
fn a_block_that_is_put_somewhere_is_what_is_emitted_there() {
    let mut count = 0;
    for program in std::fs::read_dir(guest("")).unwrap() {
        let bytes = std::fs::read(program.unwrap().path()).unwrap();
        let elf = Elf::parse(&bytes, bytes.len() as u64).unwrap();
        let segment = elf.segments.iter().find(|s| s.prot.executable()).unwrap();
        let code = &bytes[segment.file.start as usize..segment.file.end as usize];
        let mut source = Code { start: segment.addr, bytes: code };
        let (mut pc, mut lifter) = (segment.addr, Lifter::new());
        for n in 0..BLOCKS {
            let block = lifter.lift(&mut source, &Isa::default(), pc, &Limits::default()).clone();
            let Some(&(start, len)) = block.ranges.last() else { break };
            pc = start + u64::from(len);
            let mode = [Mode::Identity, Mode::Sandbox, Mode::Guarded][n % 3];
            check(X64::new(backend_x64::Features::BASELINE), &block, mode);
            let all = backend_a64::Features { lse: true, pmull: true };
            check(
                A64::new(if n % 2 == 0 { all } else { backend_a64::Features::BASELINE }),
                &block,
                mode,
            );
            #[cfg(target_arch = "x86_64")]
            check(X64::new(HostFeatures::detect()), &block, mode);
            count += 1;
        }
    }
    assert!(count > 300, "{count} blocks");
}
