//! A process that is not there, for tests and fuzzing of the protocol.

use super::target::{Break, FileError, Region, Stop, Target, What};
use super::{Action, After, Session};
use crate::cpu::Hart;
use crate::gdb::packet::{Decoder, Event};
use std::collections::BTreeSet;

/// Two threads and a page of memory.
#[derive(Debug)]
pub struct Mock {
    /// Registers of the threads 1 and 2.
    pub harts: [Hart; 2],
    /// Memory from address 0x1000 on.
    pub memory: Vec<u8>,
    /// Breakpoints that are set, as text.
    pub breaks: BTreeSet<String>,
    /// How threads were resumed.
    pub resumed: Vec<(i32, Action, Option<i32>)>,
    /// What was asked for in other ways, as text.
    pub told: Vec<String>,
    files: u32,
}

/// Where memory begins.
pub const START: u64 = 0x1000;

impl Default for Mock {
    fn default() -> Self {
        let mut harts = [Hart::new(), Hart::new()];
        for (n, hart) in harts.iter_mut().enumerate() {
            hart.x =
                std::array::from_fn(|r| if r == 0 { 0 } else { (n as u64 + 1) << 32 | r as u64 });
            hart.pc = 0x1000 + 0x100 * n as u64;
        }
        let memory = (0..4096).map(|n| (n * 7) as u8).collect();
        let (breaks, resumed, told) = Default::default();
        Self { harts, memory, breaks, resumed, told, files: 0 }
    }
}

impl Mock {
    fn hart(&mut self, tid: i32) -> Option<&mut Hart> {
        self.harts.get_mut(usize::try_from(tid).ok()?.checked_sub(1)?)
    }

    fn tell(&mut self, what: impl std::fmt::Debug) {
        if self.told.len() < 100 {
            self.told.push(format!("{what:?}"));
        }
    }

    fn bytes(&mut self, addr: u64, len: usize) -> &mut [u8] {
        let from = addr.checked_sub(START).and_then(|n| usize::try_from(n).ok());
        let from = from.unwrap_or(usize::MAX).min(self.memory.len());
        let end = from.saturating_add(len).min(self.memory.len());
        &mut self.memory[from..end]
    }
}

impl Target for Mock {
    fn pid(&self) -> i32 {
        1
    }
    fn threads(&self) -> Vec<i32> {
        vec![1, 2]
    }
    fn thread_name(&self, tid: i32) -> String {
        format!("<thread {tid}>")
    }
    fn registers(&mut self, tid: i32) -> Option<Hart> {
        self.hart(tid).cloned()
    }
    fn set_registers(&mut self, tid: i32, hart: &Hart) -> bool {
        self.hart(tid).map(|h| *h = hart.clone()).is_some()
    }
    fn read(&mut self, addr: u64, to: &mut [u8]) -> usize {
        let from = self.bytes(addr, to.len());
        to[..from.len()].copy_from_slice(from);
        from.len()
    }
    fn write(&mut self, addr: u64, bytes: &[u8]) -> bool {
        let to = self.bytes(addr, bytes.len());
        to.len() == bytes.len() && {
            to.copy_from_slice(bytes);
            true
        }
    }
    fn region(&mut self, addr: u64) -> Region {
        let end = START + self.memory.len() as u64;
        let (range, access) = match addr {
            0..START => (0..START, None),
            _ if addr < end => (START..end, Some([true, true, false])),
            _ => (end..u64::MAX, None),
        };
        Region { range, access, name: b"[heap]".to_vec() }
    }
    fn memory_size(&self) -> u64 {
        1 << 38
    }
    fn set_break(&mut self, at: &Break, on: bool) -> bool {
        let text = format!("{at:?}");
        if on {
            self.breaks.len() < 100 && self.breaks.insert(text)
        } else {
            self.breaks.remove(&text)
        }
    }
    fn catch_syscalls(&mut self, which: Option<Vec<u64>>) {
        self.tell(which);
    }
    fn pass_signals(&mut self, signals: Vec<i32>) {
        self.tell(signals);
    }
    fn tell_threads(&mut self, on: bool) {
        self.tell(on);
    }
    fn siginfo(&mut self, tid: i32) -> Option<Vec<u8>> {
        (tid == 1).then(|| vec![5; 128])
    }
    fn set_siginfo(&mut self, _: i32, info: &[u8]) -> bool {
        info.len() == 128
    }
    fn module_number_at(&mut self, _address: u64) {}

    fn thread_local(&mut self, tid: i32, offset: u64, module: u64) -> Option<u64> {
        (module == 0).then(|| offset.wrapping_add(tid as u64))
    }
    fn auxv(&self) -> Vec<u8> {
        vec![0; 32]
    }
    fn exec_file(&self) -> Vec<u8> {
        b"/bin/true".to_vec()
    }
    fn libraries(&mut self) -> String {
        "<library-list-svr4 version=\"1.0\"/>".into()
    }
    fn monitor(&mut self, command: &str) -> String {
        command.repeat(2)
    }
    fn open_file(&mut self, path: &[u8], _: u32, _: u32) -> Result<i32, FileError> {
        if path != b"/bin/true" {
            return Err(FileError(2));
        }
        self.files += 1;
        Ok(3)
    }
    fn read_file(&mut self, fd: i32, offset: u64, len: usize) -> Result<Vec<u8>, FileError> {
        if fd != 3 {
            return Err(FileError(9));
        }
        Ok(self.bytes(START.saturating_add(offset), len).to_vec())
    }
    fn write_file(&mut self, _: i32, _: u64, bytes: &[u8]) -> Result<usize, FileError> {
        Ok(bytes.len())
    }
    fn stat_file(&mut self, _: i32) -> Result<[u64; 3], FileError> {
        Ok([4096, 0o100_755, 1])
    }
    fn close_file(&mut self, _: i32) -> Result<(), FileError> {
        Ok(())
    }
    fn read_link(&mut self, path: &[u8]) -> Result<Vec<u8>, FileError> {
        Ok(path.to_vec())
    }
    fn unlink_file(&mut self, _: &[u8]) -> Result<(), FileError> {
        Err(FileError(30))
    }
    fn resume(&mut self, tid: i32, action: &Action, signal: Option<i32>) {
        if self.resumed.len() < 100 {
            self.resumed.push((tid, action.clone(), signal));
        }
    }
    fn release_child(&mut self, pid: i32, follow: bool) {
        self.tell((pid, follow));
    }
    fn kill_child(&mut self, pid: i32) {
        self.tell(("kill", pid));
    }
}

/// A whole conversation: the client sends `bytes`, and the process stops at once whenever it is
/// resumed. Returns the number of packets.
pub fn converse(bytes: &[u8]) -> usize {
    let (mut session, mut mock) = (Session::new(), Mock::default());
    let mut decoder = Decoder::new(false);
    let mut packets = 0;
    for &byte in bytes {
        let Some(Event::Packet(packet)) = decoder.push(byte) else { continue };
        packets += 1;
        match session.handle(&packet, &mut mock) {
            After::Reply(reply) | After::Detach(reply) => {
                assert!(reply.len() <= super::packet::MOST)
            }
            After::Resume => {
                let what = match packets % 4 {
                    0 => What::Fork(77),
                    1 => What::Signal(11),
                    2 => What::Break { hard: packets % 3 == 0 },
                    _ => What::Step,
                };
                let stop = Stop::Thread { tid: 1 + (packets % 2) as i32, what };
                session.stop_reply(&stop, &mut mock);
            }
            After::Kill(_) => (session, mock) = (Session::new(), Mock::default()),
        }
    }
    packets
}
