//! One packet and its answer.

use super::packet::{self, PACKET_SIZE, hex, unhex};
use super::parse::{Action, ThreadId, Which, number, pair, resumptions, split};
use super::registers;
use super::target::{Break, Stop, Target, What};
use crate::interp::WatchKind;

/// What is to be done once the client has its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum After {
    /// This is sent.
    Reply(Vec<u8>),
    /// The threads go on as [`Target::resume`] was told.
    Resume,
    /// This is sent, and the process goes on by itself.
    Detach(Vec<u8>),
    /// This is sent, if anything, and the process is killed.
    Kill(Option<Vec<u8>>),
}

/// What a client wants to be told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Processes in thread ids.
    pub multiprocess: bool,
    /// Forks.
    pub fork: bool,
    /// Forks of the kind that shares memory.
    pub vfork: bool,
    /// New programs.
    pub exec: bool,
    /// The reason of a stop at a breakpoint.
    pub swbreak: bool,
    /// See `swbreak`.
    pub hwbreak: bool,
    /// It is lldb, which numbers signals as Linux does.
    pub lldb: bool,
}

impl Wanted {
    fn flags(&mut self) -> [&mut bool; 7] {
        [
            &mut self.multiprocess,
            &mut self.fork,
            &mut self.vfork,
            &mut self.exec,
            &mut self.swbreak,
            &mut self.hwbreak,
            &mut self.lldb,
        ]
    }

    /// As a number, for who takes a session over.
    #[must_use]
    pub fn bits(mut self) -> u32 {
        self.flags().into_iter().enumerate().fold(0, |bits, (n, flag)| bits | u32::from(*flag) << n)
    }

    /// The inverse of [`Self::bits`].
    #[must_use]
    pub fn from_bits(bits: u32) -> Self {
        let mut wanted = Self::default();
        for (n, flag) in wanted.flags().into_iter().enumerate() {
            *flag = bits >> n & 1 != 0;
        }
        wanted
    }
}

/// A conversation with a client.
#[derive(Debug)]
pub struct Session {
    /// What the client wants.
    pub wanted: Wanted,
    /// Packets are acknowledged.
    pub acks: bool,
    /// The thread that is meant where a packet names none.
    general: i32,
    /// The one that `c` and `s` mean; 0: all.
    resumed: i32,
    /// Why it stopped last.
    pub last: Option<Stop>,
    /// What a fork has made and the client has not decided upon.
    pub(super) child: Option<i32>,
}

/// The answer to what was understood and cannot be done; the number means nothing to clients.
pub(super) fn failed() -> Vec<u8> {
    b"E01".to_vec()
}

/// The answer to a client that keeps parent and child of a fork and wants something to run.
fn both_held(child: i32) -> Vec<u8> {
    format!(
        "E.one process can be debugged at a time, and process {child} is held by \
         detach-on-fork off: detach or kill it, or its parent"
    )
    .into_bytes()
}

pub(super) fn ok_if(done: bool) -> Vec<u8> {
    if done { b"OK".to_vec() } else { failed() }
}

/// gdb's number of a signal, which is not Linux's (`gdb/signals.def`).
pub(super) fn gdb_signal(linux: i32) -> i32 {
    match GDB_SIGNALS.iter().find(|(n, _)| *n == linux) {
        Some((_, gdb)) => *gdb,
        None if (33..64).contains(&linux) => linux + 12,
        None => linux,
    }
}

fn linux_signal(gdb: i32) -> i32 {
    match GDB_SIGNALS.iter().find(|(_, n)| *n == gdb) {
        Some((linux, _)) => *linux,
        None if (45..76).contains(&gdb) => gdb - 12,
        None => gdb,
    }
}

/// Signals whose numbers differ: Linux's and gdb's.
const GDB_SIGNALS: [(i32, i32); 18] = [
    (7, 10),
    (10, 30),
    (12, 31),
    (16, 143),
    (17, 20),
    (18, 19),
    (19, 17),
    (20, 18),
    (23, 16),
    (29, 23),
    (30, 32),
    (31, 12),
    (32, 77),
    (64, 78),
    (24, 24),
    (25, 25),
    (21, 21),
    (22, 22),
];

impl Session {
    /// At the beginning of a connection.
    #[must_use]
    pub fn new() -> Self {
        Self {
            wanted: Wanted::default(),
            acks: true,
            general: 0,
            resumed: 0,
            last: None,
            child: None,
        }
    }

    /// Of a conversation that goes on with another process or program.
    #[must_use]
    pub fn going_on(acks: bool, wanted: Wanted) -> Self {
        Self { acks, wanted, ..Self::new() }
    }

    /// Answers a packet.
    pub fn handle(&mut self, packet: &[u8], t: &mut dyn Target) -> After {
        let Some((&kind, rest)) = packet.split_first() else { return After::Reply(Vec::new()) };
        let reply = match kind {
            b'?' => match self.last.clone() {
                Some(stop) => self.stop_reply(&stop, t),
                None => b"S05".to_vec(),
            },
            b'g' => self.read_registers(t),
            b'G' => self.write_registers(rest, t),
            b'p' => self.read_register(rest, t),
            b'P' => self.write_register(rest, t),
            b'm' => self.read_memory(rest, false, t),
            b'x' => self.read_memory(rest, true, t),
            b'M' => write_memory(rest, true, t),
            b'X' => write_memory(rest, false, t),
            b'Z' | b'z' => self.breakpoint(kind == b'Z', rest, t),
            b'H' => self.choose_thread(rest, t),
            b'T' => match ThreadId::parse(rest) {
                Some(id) => ok_if(self.threads(t).iter().any(|&(p, tid)| id.means(p, tid))),
                None => failed(),
            },
            b'q' => return After::Reply(self.query(rest, t)),
            b'Q' => return After::Reply(self.set(rest, t)),
            b'j' => self.json(rest, t),
            b'c' | b's' | b'C' | b'S' => return self.resume_one(kind, rest, t),
            b'D' => return self.detach(rest, t),
            b'k' => return After::Kill(None),
            b'v' => return self.verbose(rest, t),
            _ => Vec::new(),
        };
        After::Reply(reply)
    }

    /// Threads with their processes.
    pub(super) fn threads(&self, t: &dyn Target) -> Vec<(i32, i32)> {
        let pid = t.pid();
        let own = t.threads().into_iter().map(|tid| (pid, tid));
        own.chain(self.child.map(|child| (child, child))).collect()
    }

    /// A thread's id as the client writes it.
    pub(super) fn thread_id(&self, pid: i32, tid: i32) -> String {
        if self.wanted.multiprocess { format!("p{pid:x}.{tid:x}") } else { format!("{tid:x}") }
    }

    /// The thread that a packet without a name means.
    pub(super) fn general(&self, t: &dyn Target) -> i32 {
        let threads = t.threads();
        if threads.contains(&self.general) || self.child == Some(self.general) {
            return self.general;
        }
        match &self.last {
            Some(Stop::Thread { tid, .. }) if threads.contains(tid) => *tid,
            _ => threads.first().copied().unwrap_or(0),
        }
    }

    fn read_registers(&self, t: &mut dyn Target) -> Vec<u8> {
        let hart = t.registers(self.general(t));
        hart.map_or_else(failed, |hart| hex(&registers::all(&hart)).into_bytes())
    }

    fn write_registers(&self, digits: &[u8], t: &mut dyn Target) -> Vec<u8> {
        let tid = self.general(t);
        let (Some(bytes), Some(mut hart)) = (unhex(digits), t.registers(tid)) else {
            return failed();
        };
        ok_if(registers::write_all(&mut hart, &bytes) && t.set_registers(tid, &hart))
    }

    fn read_register(&self, n: &[u8], t: &mut dyn Target) -> Vec<u8> {
        let n = number(n).and_then(|n| usize::try_from(n).ok());
        let n = n.filter(|&n| registers::size(n).is_some());
        match (n, t.registers(self.general(t))) {
            (Some(n), Some(hart)) => hex(&registers::bytes(&hart, n)).into_bytes(),
            _ => failed(),
        }
    }

    fn write_register(&self, text: &[u8], t: &mut dyn Target) -> Vec<u8> {
        let tid = self.general(t);
        let done = split(text, b'=').and_then(|(n, digits)| {
            let (n, bytes) = (usize::try_from(number(n)?).ok()?, unhex(digits)?);
            let mut hart = t.registers(tid)?;
            Some(registers::write(&mut hart, n, &bytes) && t.set_registers(tid, &hart))
        });
        ok_if(done == Some(true))
    }

    fn read_memory(&self, text: &[u8], binary: bool, t: &mut dyn Target) -> Vec<u8> {
        let Some((addr, len)) = pair(text, b',') else { return failed() };
        let most = if binary { PACKET_SIZE / 2 } else { PACKET_SIZE / 2 - 8 };
        let len = usize::try_from(len).unwrap_or(most).min(most);
        if len == 0 {
            return if binary && self.wanted.lldb { b"OK".to_vec() } else { Vec::new() };
        }
        let mut bytes = vec![0; len];
        let n = t.read(addr, &mut bytes);
        if n == 0 {
            return failed();
        }
        match binary {
            true if self.wanted.lldb => bytes[..n].to_vec(),
            true => [b"b", &bytes[..n]].concat(),
            false => hex(&bytes[..n]).into_bytes(),
        }
    }

    /// `Z` and `z`: the kind, the address, and a size; of a breakpoint, conditions behind it.
    fn breakpoint(&self, on: bool, text: &[u8], t: &mut dyn Target) -> Vec<u8> {
        let Some(at) = parse_break(text) else { return failed() };
        let Some(at) = at else { return Vec::new() };
        if self.child.is_some_and(|child| self.general == child) {
            // It goes on with breakpoints of its own, or without.
            return b"OK".to_vec();
        }
        ok_if(t.set_break(&at, on))
    }

    fn choose_thread(&mut self, text: &[u8], t: &dyn Target) -> Vec<u8> {
        let Some((&kind, rest)) = text.split_first() else { return failed() };
        let Some(id) = ThreadId::parse(rest) else { return failed() };
        let found = match id.tid {
            Which::One(_) => {
                let threads = self.threads(t);
                threads.into_iter().find(|&(p, tid)| id.means(p, tid)).map(|(_, tid)| tid)
            }
            Which::Any | Which::All => {
                let of = |pid| self.threads(t).into_iter().find(|&(p, _)| p == pid);
                match id.pid {
                    Some(Which::One(pid)) => of(pid).map(|(_, tid)| tid),
                    _ => Some(0),
                }
            }
        };
        match (kind, found) {
            (b'g', Some(tid)) => self.general = tid,
            (b'c', Some(tid)) => self.resumed = tid,
            _ => return failed(),
        }
        b"OK".to_vec()
    }

    /// `c`, `s` and with signals `C` and `S`, all perhaps with an address.
    fn resume_one(&mut self, kind: u8, rest: &[u8], t: &mut dyn Target) -> After {
        if let Some(child) = self.child {
            return After::Reply(both_held(child));
        }
        let action = if matches!(kind, b'c' | b'C') { Action::Continue } else { Action::Step };
        let (signal, addr) = if matches!(kind, b'C' | b'S') {
            let (signal, addr) = split(rest, b';').unwrap_or((rest, &[]));
            let Some(signal) = number(signal).and_then(|n| u8::try_from(n).ok()) else {
                return After::Reply(failed());
            };
            (Some(self.linux_signal(signal)), addr)
        } else {
            (None, rest)
        };
        let general = self.general(t);
        let threads = t.threads();
        let one = if threads.contains(&self.resumed) { Some(self.resumed) } else { None };
        if let Some(pc) = number(addr) {
            let mut hart = t.registers(general).unwrap_or_default();
            hart.pc = pc & !1;
            t.set_registers(general, &hart);
        }
        let stepped = one.unwrap_or(general);
        for tid in threads {
            if tid == stepped {
                t.resume(tid, &action, signal);
            } else {
                // A thread that is named goes alone.
                let others = if one.is_some() { Action::Stop } else { Action::Continue };
                t.resume(tid, &others, None);
            }
        }
        After::Resume
    }

    fn linux_signal(&self, client: u8) -> i32 {
        if self.wanted.lldb { client.into() } else { linux_signal(client.into()) }
    }

    /// The client's number of a signal.
    pub(super) fn signal(&self, linux: i32) -> i32 {
        if self.wanted.lldb { linux } else { gdb_signal(linux) }
    }

    /// Signals of a list such as `e;1b`.
    pub(super) fn signals(&self, list: &[u8]) -> Vec<i32> {
        let numbers = list.split(|&b| b == b';').filter_map(number);
        numbers.filter_map(|n| Some(self.linux_signal(u8::try_from(n).ok()?))).collect()
    }

    fn detach(&mut self, rest: &[u8], t: &mut dyn Target) -> After {
        let pid = rest.strip_prefix(b";").and_then(number).and_then(|n| i32::try_from(n).ok());
        match (pid, self.child.take()) {
            (Some(pid), Some(child)) if pid == child => {
                t.release_child(child, false);
                After::Reply(b"OK".to_vec())
            }
            (_, Some(child)) => {
                t.release_child(child, true);
                After::Detach(b"OK".to_vec())
            }
            (Some(pid), None) if pid != t.pid() => After::Reply(failed()),
            _ => After::Detach(b"OK".to_vec()),
        }
    }

    /// Packets that begin with `v`.
    fn verbose(&mut self, rest: &[u8], t: &mut dyn Target) -> After {
        if rest == b"Cont?" {
            return After::Reply(b"vCont;c;C;s;S;t;r".to_vec());
        }
        if let Some(actions) = rest.strip_prefix(b"Cont;") {
            return self.resume(actions, t);
        }
        if let Some(operation) = rest.strip_prefix(b"File:") {
            return After::Reply(super::file::handle(operation, t));
        }
        if let Some(pid) = rest.strip_prefix(b"Kill;").and_then(number) {
            return self.kill(pid, t);
        }
        After::Reply(Vec::new())
    }

    fn kill(&mut self, pid: u64, t: &mut dyn Target) -> After {
        let means = |id: i32| u64::try_from(id) == Ok(pid);
        if let Some(child) = self.child.take_if(|child| means(*child)) {
            t.kill_child(child);
            return After::Reply(b"OK".to_vec());
        }
        if means(t.pid()) { After::Kill(Some(b"OK".to_vec())) } else { After::Reply(failed()) }
    }

    fn resume(&mut self, actions: &[u8], t: &mut dyn Target) -> After {
        let Some(actions) = resumptions(actions) else { return After::Reply(failed()) };
        if let Some(child) = self.child {
            return After::Reply(both_held(child));
        }
        let pid = t.pid();
        for tid in t.threads() {
            let mut fitting = actions.iter().filter(|(_, _, id)| match id {
                Some(id) => id.means(pid, tid),
                None => true,
            });
            match fitting.next() {
                Some((action, signal, _)) => {
                    t.resume(tid, action, signal.map(|n| self.linux_signal(n)));
                }
                None => t.resume(tid, &Action::Stop, None),
            }
        }
        After::Resume
    }

    /// What the client is told of a stop.
    pub fn stop_reply(&mut self, stop: &Stop, t: &mut dyn Target) -> Vec<u8> {
        self.last = Some(stop.clone());
        let pid = t.pid();
        let process =
            if self.wanted.multiprocess { format!(";process:{pid:x}") } else { String::new() };
        match stop {
            Stop::Exited(code) => format!("W{:02x}{process}", code & 0xff).into_bytes(),
            Stop::Killed(signal) => format!("X{:02x}{process}", self.signal(*signal)).into_bytes(),
            Stop::Thread { tid, what } => {
                self.general = *tid;
                self.thread_stop(pid, *tid, what, t)
            }
        }
    }

    fn thread_stop(&mut self, pid: i32, tid: i32, what: &What, t: &mut dyn Target) -> Vec<u8> {
        let mut reply = match what {
            What::Signal(n) => format!("T{:02x}", self.signal(*n)),
            _ => "T05".into(),
        };
        // sp, fp and pc, for which every client asks.
        if let Some(hart) = t.registers(tid) {
            for n in [2, 8, 32] {
                reply += &format!("{n:02x}:{};", hex(&registers::bytes(&hart, n)));
            }
        }
        reply += &format!("thread:{};", self.thread_id(pid, tid));
        match what {
            What::Signal(_) | What::Step => {}
            What::Break { hard: true } if self.wanted.hwbreak => reply += "hwbreak:;",
            What::Break { hard: false } if self.wanted.swbreak => reply += "swbreak:;",
            What::Break { .. } => {}
            What::Watch(kind, addr) => {
                let kind = match kind {
                    WatchKind::Write => "watch",
                    WatchKind::Read => "rwatch",
                    WatchKind::Access => "awatch",
                };
                reply += &format!("{kind}:{addr:x};");
            }
            What::SyscallEntry(n) => reply += &format!("syscall_entry:{n:x};"),
            What::SyscallReturn(n) => reply += &format!("syscall_return:{n:x};"),
            What::Fork(child) | What::Vfork(child) => {
                self.child = Some(*child);
                let kind = if matches!(what, What::Fork(_)) { "fork" } else { "vfork" };
                reply += &format!("{kind}:p{child:x}.{child:x};");
            }
            What::VforkDone => reply += "vforkdone:;",
            What::Exec(path) => reply += &format!("exec:{};", hex(path)),
            What::ThreadCreate => reply += "create:;",
        }
        if self.wanted.lldb {
            let reason = match what {
                What::Break { .. } => Some("breakpoint"),
                What::Watch(..) => Some("watchpoint"),
                What::Step => Some("trace"),
                What::Signal(n) if *n != 0 => Some("signal"),
                What::Exec(_) => Some("exec"),
                _ => None,
            };
            if let Some(reason) = reason {
                reply += &format!("reason:{reason};");
            }
        }
        reply.into_bytes()
    }
}

impl Default for Session {
    fn default() -> Self {
        Self::new()
    }
}

/// `ADDR,LEN:` and bytes, as digits or as they are.
fn write_memory(text: &[u8], digits: bool, t: &mut dyn Target) -> Vec<u8> {
    let done = split(text, b':').and_then(|(place, data)| {
        let (addr, len) = pair(place, b',')?;
        let bytes = if digits { unhex(data)? } else { data.to_vec() };
        Some(bytes.len() as u64 == len && (len == 0 || t.write(addr, &bytes)))
    });
    ok_if(done == Some(true))
}

/// What `Z` and `z` name; an inner `None`: a kind that there is not.
fn parse_break(text: &[u8]) -> Option<Option<Break>> {
    /// Conditions that a breakpoint may have, all together, in bytes.
    const MOST: usize = packet::PACKET_SIZE;
    let (place, conditions) = split(text, b';').unwrap_or((text, &[]));
    let (kind, place) = split(place, b',')?;
    let (addr, size) = pair(place, b',')?;
    let hard = match kind {
        b"0" => false,
        b"1" => true,
        b"2" | b"3" | b"4" => {
            let kind = match kind {
                b"2" => WatchKind::Write,
                b"3" => WatchKind::Read,
                _ => WatchKind::Access,
            };
            let end = addr.checked_add(size.max(1))?;
            return Some(Some(Break::Data { kind, range: addr..end }));
        }
        _ => return Some(None),
    };
    let mut conditions = conditions;
    let mut found = Vec::new();
    // Each is `XLEN,DIGITS`; commands behind `;cmds` are not served, and gdb does not send them.
    while let Some(rest) = conditions.strip_prefix(b"X") {
        let (len, rest) = split(rest, b',')?;
        let len = usize::try_from(number(len)?).ok().filter(|&n| n <= MOST)?;
        found.push(unhex(rest.get(..2 * len)?)?);
        conditions = rest.get(2 * len..)?;
        conditions = conditions.strip_prefix(b";").unwrap_or(conditions);
    }
    Some(Some(Break::Code { pc: addr, hard, conditions: found }))
}
