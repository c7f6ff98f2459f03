//! What lldb asks for and gdb does not (LLVM, `lldb/docs/resources/lldbgdbremote.md`).

use super::packet::{PACKET_SIZE, hex};
use super::parse::number;
use super::registers;
use super::session::{Session, failed};
use super::target::{Stop, Target, What};

/// The machine, as LLVM names it.
const TRIPLE: &str = "riscv64-unknown-linux-gnu";

impl Session {
    /// A packet that begins with `q`.
    pub(super) fn lldb_query(&mut self, name: &[u8], rest: &[u8], t: &mut dyn Target) -> Vec<u8> {
        match name {
            b"HostInfo" => {
                self.wanted.lldb = true;
                format!("triple:{};ptrsize:8;endian:little;", hex(TRIPLE.as_bytes())).into_bytes()
            }
            b"ProcessInfo" => {
                let pid = t.pid();
                let triple = hex(TRIPLE.as_bytes());
                format!("pid:{pid:x};triple:{triple};ostype:linux;endian:little;ptrsize:8;")
                    .into_bytes()
            }
            b"MemoryRegionInfo" if rest.is_empty() => b"OK".to_vec(),
            b"MemoryRegionInfo" => match number(rest) {
                Some(addr) => region(addr, t),
                None => failed(),
            },
            b"VAttachOrWaitSupported" => Vec::new(),
            b"WatchpointSupportInfo" => b"num:64;".to_vec(),
            _ => Vec::new(),
        }
    }

    /// A packet that begins with `j`.
    pub(super) fn json(&self, text: &[u8], t: &mut dyn Target) -> Vec<u8> {
        if text != b"ThreadsInfo" {
            return Vec::new();
        }
        let mut all = Vec::new();
        for (_, tid) in self.threads(t) {
            let (reason, signal) = match &self.last {
                Some(Stop::Thread { tid: stopped, what }) if *stopped == tid => match what {
                    What::Break { .. } => ("breakpoint", 5),
                    What::Watch(..) => ("watchpoint", 5),
                    What::Step => ("trace", 5),
                    What::Signal(n) => ("signal", self.signal(*n)),
                    What::Exec(_) => ("exec", 5),
                    _ => ("none", 5),
                },
                _ => ("none", 0),
            };
            let Some(hart) = t.registers(tid) else { continue };
            let registers: Vec<_> = [2, 8, 32]
                .map(|n| format!("\"{n}\":\"{}\"", hex(&registers::bytes(&hart, n))))
                .to_vec();
            let name = t.thread_name(tid).replace(['"', '\\'], "_");
            all.push(format!(
                "{{\"tid\":{tid},\"name\":\"{}\",\"reason\":\"{reason}\",\"signal\":{signal},\
                 \"registers\":{{{}}}}}",
                name.chars().filter(|c| !c.is_control()).collect::<String>(),
                registers.join(",")
            ));
        }
        let text = format!("[{}]", all.join(","));
        if text.len() > PACKET_SIZE { failed() } else { text.into_bytes() }
    }
}

fn region(addr: u64, t: &mut dyn Target) -> Vec<u8> {
    let region = t.region(addr);
    let size = region.range.end.wrapping_sub(region.range.start);
    let mut reply = format!("start:{:x};size:{size:x};", region.range.start);
    if let Some(access) = region.access {
        let letters: String =
            access.iter().zip("rwx".chars()).filter(|(on, _)| **on).map(|(_, c)| c).collect();
        reply += &format!("permissions:{letters};");
        if !region.name.is_empty() {
            reply += &format!("name:{};", hex(&region.name));
        }
    }
    reply.into_bytes()
}
