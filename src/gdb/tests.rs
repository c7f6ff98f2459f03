//! A client's side of conversations, most of them rude.

use super::mock::{Mock, START, converse};
use super::packet::{Decoder, Event, MOST, encode, hex};
use super::parse::Action;
use super::target::{Stop, What};
use super::{After, Session, Wanted, agent, registers};
use crate::cpu::Hart;

/// A session with a client that has said what gdb says.
fn gdb() -> (Session, Mock) {
    let (mut session, mut mock) = (Session::new(), Mock::default());
    let hello =
        b"qSupported:multiprocess+;swbreak+;hwbreak+;fork-events+;vfork-events+;exec-events+";
    assert!(matches!(session.handle(hello, &mut mock), After::Reply(r) if r.len() > 100));
    (session, mock)
}

fn ask(session: &mut Session, mock: &mut Mock, packet: &str) -> String {
    match session.handle(packet.as_bytes(), mock) {
        After::Reply(reply) => String::from_utf8_lossy(&reply).into_owned(),
        other => format!("{other:?}"),
    }
}

#[test]
fn packets_survive_framing() {
    let payload = b"X#$}*\x03plain";
    let mut decoder = Decoder::new(true);
    let events: Vec<_> = encode(payload).into_iter().filter_map(|b| decoder.push(b)).collect();
    assert_eq!(events, [Event::Packet(payload.to_vec())]);
    let events: Vec<_> = b"+-\x03$g#68$g#67".iter().filter_map(|&b| decoder.push(b)).collect();
    let expected = [Event::Ack, Event::Nack, Event::Interrupt, Event::Damaged];
    assert_eq!(events, [&expected[..], &[Event::Packet(b"g".to_vec())]].concat());
    // What is cut off, and what never ends.
    let events: Vec<_> = b"$m12$?#3f".iter().filter_map(|&b| decoder.push(b)).collect();
    assert_eq!(events, [Event::Packet(b"?".to_vec())]);
    let long = std::iter::once(b'$').chain(std::iter::repeat_n(b'a', 3 * MOST)).chain(*b"#00");
    let events: Vec<_> = long.filter_map(|b| decoder.push(b)).collect();
    assert_eq!(events, [Event::Damaged]);
}

#[test]
fn registers_are_read_and_written() {
    let (mut s, mut m) = gdb();
    assert_eq!(ask(&mut s, &mut m, "Hgp1.2"), "OK");
    assert_eq!(ask(&mut s, &mut m, "p20"), "0011000000000000");
    assert_eq!(ask(&mut s, &mut m, "P20=0220000000000000"), "OK");
    assert_eq!(ask(&mut s, &mut m, "P43=e1000000"), "OK");
    assert_eq!((m.harts[1].pc, m.harts[1].frm, m.harts[1].fflags), (0x2002, 7, 1));
    assert_eq!(ask(&mut s, &mut m, "P0=ffffffffffffffff"), "OK");
    assert_eq!(m.harts[1].x[0], 0);
    assert_eq!(ask(&mut s, &mut m, "p44"), "E01");
    assert_eq!(ask(&mut s, &mut m, "P1=00"), "E01");
    let all = ask(&mut s, &mut m, "g");
    assert_eq!(all.len(), 2 * (65 * 8 + 3 * 4));
    m.harts[1] = Hart::new();
    assert_eq!(ask(&mut s, &mut m, &format!("G{all}")), "OK");
    assert_eq!((m.harts[1].x[31], m.harts[1].pc, m.harts[1].frm), (2 << 32 | 31, 0x2002, 7));
    assert_eq!(ask(&mut s, &mut m, "G00"), "E01");
    let xml = registers::target_xml();
    assert_eq!(xml.matches("<reg ").count(), registers::COUNT);
}

#[test]
fn memory_is_read_and_written_in_part_only_where_it_ends() {
    let (mut s, mut m) = gdb();
    assert_eq!(ask(&mut s, &mut m, "m1001,3"), "070e15");
    assert_eq!(ask(&mut s, &mut m, "m1fff,8").len(), 2);
    assert_eq!(ask(&mut s, &mut m, "m5000,8"), "E01");
    assert_eq!(ask(&mut s, &mut m, "mffffffffffffffff,ffffffffffffffff"), "E01");
    assert_eq!(ask(&mut s, &mut m, "M1000,2:abcd"), "OK");
    assert_eq!(ask(&mut s, &mut m, "X1002,3:}}}"), "OK");
    assert_eq!(m.memory[..5], [0xab, 0xcd, b'}', b'}', b'}']);
    for bad in
        ["M1000,3:abcd", "M1000,2:abc", "Mzz,2:abcd", "M1fff,2:abcd", "M", "X1,1", "m1", "m1,"]
    {
        assert_eq!(ask(&mut s, &mut m, bad), "E01", "{bad}");
    }
    assert_eq!(ask(&mut s, &mut m, "x1000,2").as_bytes()[0], b'b');
    assert_eq!(START, 0x1000);
}

#[test]
fn breakpoints_have_kinds_and_conditions() {
    let (mut s, mut m) = gdb();
    assert_eq!(ask(&mut s, &mut m, "Z0,1000,2;X3,220127X1,27;"), "OK");
    assert!(
        m.breaks.first().unwrap().contains("conditions: [[34, 1, 39], [39]]"),
        "{:?}",
        m.breaks
    );
    assert_eq!(ask(&mut s, &mut m, "z0,1000,2;X3,220127X1,27;"), "OK");
    for kind in ["2", "3", "4", "1"] {
        assert_eq!(ask(&mut s, &mut m, &format!("Z{kind},1000,4")), "OK");
        assert_eq!(ask(&mut s, &mut m, &format!("z{kind},1000,4")), "OK");
    }
    assert_eq!(ask(&mut s, &mut m, "Z5,1000,4"), "");
    for bad in
        ["Z0", "Z0,1", "Z2,ffffffffffffffff,4", "Z0,1,2;X9,22", "Z0,1,2;Xffffffffffffffff,22"]
    {
        assert_eq!(ask(&mut s, &mut m, bad), "E01", "{bad}");
    }
    assert!(m.breaks.is_empty());
}

#[test]
fn threads_are_resumed_by_the_first_action_that_names_them() {
    let (mut s, mut m) = gdb();
    let after = s.handle(b"vCont;r1000,1010:p1.2;C1e:p1.1;c", &mut m);
    assert_eq!(after, After::Resume);
    // gdb's signal 30 is SIGUSR1.
    let expected = [(1, Action::Continue, Some(10)), (2, Action::Range(0x1000..0x1010), None)];
    assert_eq!(m.resumed, expected);
    m.resumed.clear();
    assert_eq!(s.handle(b"vCont;s:1", &mut m), After::Resume);
    assert_eq!(m.resumed, [(1, Action::Step, None), (2, Action::Stop, None)]);
    for bad in ["vCont;", "vCont;q", "vCont;C", "vCont;s:zz", "vCont;r1:1", "C"] {
        assert_eq!(ask(&mut s, &mut m, bad), "E01", "{bad}");
    }
    assert_eq!(s.handle(b"k", &mut m), After::Kill(None));
    assert_eq!(s.handle(b"D;1", &mut m), After::Detach(b"OK".to_vec()));
    assert_eq!(ask(&mut s, &mut m, "D;99"), "E01");
}

#[test]
fn stops_are_told_as_the_client_wants_it() {
    let (mut s, mut m) = gdb();
    let mut tell = |s: &mut Session, what| {
        let reply = s.stop_reply(&Stop::Thread { tid: 2, what }, &mut m);
        let text = String::from_utf8(reply).unwrap();
        text.split_once("thread:").map(|(head, rest)| (head[..3].to_string(), rest.to_string()))
    };
    let mut expect = |s: &mut Session, what, head: &str, rest: &str| {
        assert_eq!(tell(s, what), Some((head.to_string(), rest.to_string())));
    };
    expect(&mut s, What::Break { hard: false }, "T05", "p1.2;swbreak:;");
    expect(&mut s, What::Signal(10), "T1e", "p1.2;");
    let watch = What::Watch(crate::interp::WatchKind::Read, 0x10);
    expect(&mut s, watch, "T05", "p1.2;rwatch:10;");
    expect(&mut s, What::Fork(9), "T05", "p1.2;fork:p9.9;");
    assert_eq!(s.threads(&Mock::default()), [(1, 1), (1, 2), (9, 9)]);
    s.wanted = Wanted::default();
    expect(&mut s, What::Break { hard: false }, "T05", "2;");
    s.wanted.lldb = true;
    expect(&mut s, What::Signal(10), "T0a", "2;reason:signal;");
    assert_eq!(s.stop_reply(&Stop::Exited(3), &mut Mock::default()), b"W03");
    assert_eq!(s.stop_reply(&Stop::Killed(9), &mut Mock::default()), b"X09");
    for bits in 0..128 {
        assert_eq!(Wanted::from_bits(bits).bits(), bits);
    }
}

#[test]
fn a_fork_is_decided_upon_by_detaching_from_one_of_two() {
    for (packet, told, stays) in [("D;9", "(9, false)", true), ("D;1", "(9, true)", false)] {
        let (mut s, mut m) = gdb();
        s.stop_reply(&Stop::Thread { tid: 1, what: What::Fork(9) }, &mut m);
        assert_eq!(ask(&mut s, &mut m, "Hgp9.9"), "OK");
        assert_eq!(ask(&mut s, &mut m, "z0,1000,2"), "OK");
        let after = s.handle(packet.as_bytes(), &mut m);
        assert_eq!(matches!(after, After::Reply(_)), stays);
        assert_eq!(m.told, [told]);
    }
}

#[test]
fn of_two_processes_one_is_let_go_before_anything_runs() {
    let (mut s, mut m) = gdb();
    s.stop_reply(&Stop::Thread { tid: 1, what: What::Vfork(9) }, &mut m);
    for packet in ["vCont;c:p1.-1", "c", "s", "C05"] {
        assert!(ask(&mut s, &mut m, packet).starts_with("E.one process"), "{packet}");
    }
    assert_eq!(ask(&mut s, &mut m, "vKill;7"), "E01");
    assert_eq!((m.resumed.len(), m.told.len()), (0, 0));
    assert_eq!(ask(&mut s, &mut m, "vKill;9"), "OK");
    assert_eq!(m.told, ["(\"kill\", 9)"]);
    assert_eq!(s.handle(b"vCont;c:p1.-1", &mut m), After::Resume);
    assert_eq!(s.handle(b"vKill;1", &mut m), After::Kill(Some(b"OK".to_vec())));
}

#[test]
fn objects_are_sent_in_parts() {
    let (mut s, mut m) = gdb();
    let whole = registers::target_xml();
    let (mut got, mut at) = (String::new(), 0);
    loop {
        let part = ask(&mut s, &mut m, &format!("qXfer:features:read:target.xml:{at:x},100"));
        got += &part[1..];
        at += part.len() - 1;
        if part.starts_with('l') {
            break;
        }
    }
    assert_eq!(got, whole);
    assert_eq!(ask(&mut s, &mut m, "qXfer:exec-file:read:1:0,ff"), "l/bin/true");
    assert!(
        ask(&mut s, &mut m, "qXfer:threads:read::0,fff")
            .contains("id=\"p1.2\" name=\"&lt;thread 2&gt;\"")
    );
    assert_eq!(ask(&mut s, &mut m, "qXfer:siginfo:read::80,10"), "l");
    for bad in ["qXfer:nothing:read::0,10", "qXfer:auxv:read::0", "qXfer", "qXfer:auxv:write::0:1"]
    {
        assert!(ask(&mut s, &mut m, bad).starts_with('E'), "{bad}");
    }
    let command = hex("stats é".as_bytes());
    assert_eq!(ask(&mut s, &mut m, &format!("qRcmd,{command}")), hex("stats éstats é".as_bytes()));
}

#[test]
fn files_are_read_through_the_target() {
    let (mut s, mut m) = gdb();
    let open = |path: &str| format!("vFile:open:{},0,0", hex(path.as_bytes()));
    assert_eq!(ask(&mut s, &mut m, &open("/bin/true")), "F3");
    assert_eq!(ask(&mut s, &mut m, &open("/bin/false")), "F-1,2");
    assert_eq!(ask(&mut s, &mut m, "vFile:pread:3,4,1"), "F4;\u{7}\u{e}\u{15}\u{1c}");
    assert_eq!(ask(&mut s, &mut m, "vFile:pread:4,4,1"), "F-1,9");
    let stat = s.handle(b"vFile:fstat:3", &mut m);
    assert!(matches!(stat, After::Reply(r) if r.len() == "F40;".len() + 64));
    for bad in ["vFile:pread:3", "vFile:open:2f,0", "vFile:close:", "vFile:open:2f00,0,0"] {
        assert_eq!(ask(&mut s, &mut m, bad), "F-1,16", "{bad}");
    }
    assert_eq!(ask(&mut s, &mut m, "vFile:"), "");
}

#[test]
fn conditions_are_evaluated() {
    let mut hart = Hart::new();
    hart.x[10] = 0xffff_ffff_8000_0005;
    let run = |code: &[u8]| {
        agent::evaluate(code, &hart, &mut |addr, to| {
            to.fill(addr as u8);
            addr < 0x1000
        })
    };
    // (int) a0 < 6, as gdb has it: reg 10; ext 32; const8 6; less_signed; end
    assert_eq!(run(&[0x26, 0, 10, 0x16, 32, 0x22, 6, 0x14, 0x27]), Some(1));
    assert_eq!(run(&[0x26, 0, 10, 0x2a, 32, 0x27]), Some(0x8000_0005));
    assert_eq!(run(&[0x23, 0x01, 0x23, 0x19, 0x27]), Some(0x2323_2323));
    assert_eq!(run(&[0x23, 0x10, 0x00, 0x19, 0x27]), None);
    // if_goto over a constant.
    assert_eq!(run(&[0x22, 1, 0x20, 0, 7, 0x22, 9, 0x22, 8, 0x27]), Some(8));
    assert_eq!(run(&[0x22, 1, 0x22, 2, 0x22, 3, 0x33, 0x29, 0x27]), Some(1));
    for bad in [
        &[][..],
        &[0x27],
        &[0x02, 0x27],
        &[0x22, 1, 0x22, 0, 0x05, 0x27],
        &[0xff],
        &[0x26, 1, 0, 0x27],
    ] {
        assert_eq!(run(bad), None, "{bad:?}");
    }
    // Without an end, and with a stack that grows.
    assert_eq!(run(&[0x21, 0, 0]), None);
    assert_eq!(run(&[0x22, 1, 0x21, 0, 0]), None);
}

/// Random packets and mutations of right ones: nothing panics, and answers stay bounded.
#[test]
fn no_client_can_harm_the_server() {
    const SEEDS: &[&str] = &[
        "?",
        "g",
        "G0011",
        "p20",
        "P20=00",
        "m1000,10",
        "M1000,2:abcd",
        "X1000,1:a",
        "Z0,1000,2;X3,220127",
        "z2,1000,8",
        "Hgp1.2",
        "Hc-1",
        "T1",
        "c",
        "s1000",
        "C05",
        "S1e;1000",
        "vCont;s:p1.1;c",
        "vCont;r1,2:1",
        "vCont?",
        "vKill;1",
        "k",
        "D;1",
        "qC",
        "qfThreadInfo",
        "qsThreadInfo",
        "qThreadExtraInfo,p1.1",
        "qSupported:multiprocess+;fork-events+",
        "qXfer:features:read:target.xml:0,fff",
        "qRcmd,68656c70",
        "qXfer:siginfo:write::0:aaaa",
        "QPassSignals:e;10",
        "QCatchSyscalls:1;40",
        "QThreadEvents:1",
        "qMemoryRegionInfo:1000",
        "qHostInfo",
        "qProcessInfo",
        "jThreadsInfo",
        "vFile:open:2f,0,0",
        "vFile:pread:3,100,0",
        "vFile:fstat:3",
        "vFile:readlink:2f",
        "QStartNoAckMode",
        "qSymbol::",
        "x1000,10",
        "qAttached",
        "QThreadSuffixSupported",
        "vFile:exists:2f",
    ];
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |n: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 33) as usize % n.max(1)
    };
    let mut packets = 0;
    for _ in 0..3_000 {
        let mut stream = Vec::new();
        for _ in 0..12 {
            let mut packet = SEEDS[random(SEEDS.len())].as_bytes().to_vec();
            for _ in 0..random(4) {
                let at = random(packet.len() + 1);
                match random(5) {
                    0 => packet.insert(at, random(256) as u8),
                    1 if at < packet.len() => drop(packet.remove(at)),
                    2 if at < packet.len() => packet[at] = b":;,.-=0fp"[random(9)],
                    3 => packet.truncate(at),
                    _ => {
                        let more = SEEDS[random(SEEDS.len())].as_bytes();
                        packet.extend(&more[random(more.len())..]);
                    }
                }
            }
            stream.extend(encode(&packet));
            if random(20) == 0 {
                stream.truncate(random(stream.len()));
            }
        }
        packets += converse(&stream);
    }
    assert!(packets > 20_000, "{packets}");
}
