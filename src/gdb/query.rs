//! Packets that begin with `q` and `Q`.

use super::packet::{PACKET_SIZE, hex, unhex};
use super::parse::{ThreadId, Which, number, pair, split};
use super::registers;
use super::session::{Session, failed, ok_if};
use super::target::Target;

impl Session {
    /// A packet behind its `q`.
    pub(super) fn query(&mut self, text: &[u8], t: &mut dyn Target) -> Vec<u8> {
        let end = text.iter().position(|b| matches!(b, b':' | b',' | b';'));
        let (name, rest) = text.split_at(end.unwrap_or(text.len()));
        let rest = rest.get(1..).unwrap_or_default();
        match name {
            b"Supported" => self.supported(rest),
            b"Xfer" => self.transfer(rest, t),
            b"C" => {
                let tid = self.general(t);
                format!("QC{}", self.thread_id(self.process_of(tid, t), tid)).into_bytes()
            }
            b"fThreadInfo" => {
                let ids: Vec<_> =
                    self.threads(t).into_iter().map(|(p, tid)| self.thread_id(p, tid)).collect();
                format!("m{}", ids.join(",")).into_bytes()
            }
            b"sThreadInfo" => b"l".to_vec(),
            b"ThreadExtraInfo" => match ThreadId::parse(rest) {
                Some(ThreadId { tid: Which::One(tid), .. }) => {
                    hex(t.thread_name(tid).as_bytes()).into_bytes()
                }
                _ => failed(),
            },
            b"GetTLSAddr" => thread_local(rest, t),
            b"Attached" => b"0".to_vec(),
            b"Symbol" => symbol(rest, t),
            b"Rcmd" => monitor(rest, t),
            _ => self.lldb_query(name, rest, t),
        }
    }

    /// A packet behind its `Q`.
    pub(super) fn set(&mut self, text: &[u8], t: &mut dyn Target) -> Vec<u8> {
        let (name, rest) = split(text, b':').unwrap_or((text, &[]));
        match name {
            b"StartNoAckMode" => {
                self.acks = false;
                b"OK".to_vec()
            }
            b"PassSignals" => {
                t.pass_signals(self.signals(rest));
                b"OK".to_vec()
            }
            // What the client does not list is not passed without it anyway.
            b"ProgramSignals" => b"OK".to_vec(),
            b"CatchSyscalls" => match rest.split_first() {
                Some((b'0', _)) => {
                    t.catch_syscalls(None);
                    b"OK".to_vec()
                }
                Some((b'1', list)) => {
                    let list = list.split(|&b| b == b';').filter(|n| !n.is_empty());
                    match list.map(number).collect() {
                        Some(numbers) => {
                            t.catch_syscalls(Some(numbers));
                            b"OK".to_vec()
                        }
                        None => failed(),
                    }
                }
                _ => failed(),
            },
            b"ThreadEvents" => {
                t.tell_threads(rest == b"1");
                ok_if(matches!(rest, b"0" | b"1"))
            }
            // Only what stops everything is served.
            b"NonStop" => ok_if(rest == b"0"),
            b"ThreadSuffixSupported" | b"ListThreadsInStopReply" | b"EnableErrorStrings" => {
                self.wanted.lldb = true;
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    /// The process of a thread.
    pub(super) fn process_of(&self, tid: i32, t: &dyn Target) -> i32 {
        if self.child == Some(tid) { tid } else { t.pid() }
    }

    fn supported(&mut self, features: &[u8]) -> Vec<u8> {
        let has = |name: &[u8]| features.split(|&b| b == b';').any(|f| f == name);
        let wanted = &mut self.wanted;
        wanted.multiprocess = has(b"multiprocess+");
        // A process that a fork has made can only be named where processes have names.
        wanted.fork = wanted.multiprocess && has(b"fork-events+");
        wanted.vfork = wanted.multiprocess && has(b"vfork-events+");
        wanted.exec = has(b"exec-events+");
        wanted.swbreak = has(b"swbreak+");
        wanted.hwbreak = has(b"hwbreak+");
        format!(
            "PacketSize={PACKET_SIZE:x};QStartNoAckMode+;multiprocess+;swbreak+;hwbreak+;\
             vContSupported+;qXfer:features:read+;qXfer:auxv:read+;qXfer:exec-file:read+;\
             qXfer:siginfo:read+;qXfer:siginfo:write+;qXfer:threads:read+;\
             qXfer:libraries-svr4:read+;qXfer:memory-map:read+;QPassSignals+;QProgramSignals+;\
             QCatchSyscalls+;QThreadEvents+;ConditionalBreakpoints+;fork-events+;vfork-events+;\
             exec-events+;binary-upload+;error-message+"
        )
        .into_bytes()
    }

    /// `qXfer:OBJECT:read:ANNEX:OFFSET,LENGTH`, or with `write` and data.
    fn transfer(&mut self, text: &[u8], t: &mut dyn Target) -> Vec<u8> {
        let parts: Vec<&[u8]> = text.splitn(4, |&b| b == b':').collect();
        let &[object, operation, annex, rest] = &parts[..] else { return failed() };
        if operation == b"write" {
            let done = split(rest, b':').and_then(|(offset, data)| {
                (object == b"siginfo" && number(offset)? == 0).then_some(())?;
                t.set_siginfo(self.general(t), data).then_some(data.len())
            });
            return done.map_or_else(failed, |n| format!("{n:x}").into_bytes());
        }
        let Some((offset, len)) = pair(rest, b',').filter(|_| operation == b"read") else {
            return failed();
        };
        let whole = match object {
            b"features" if annex == b"target.xml" => Some(registers::target_xml().into_bytes()),
            b"auxv" => Some(t.auxv()),
            b"exec-file" => Some(t.exec_file()),
            b"siginfo" => t.siginfo(self.general(t)),
            b"threads" => Some(self.threads_xml(t).into_bytes()),
            b"libraries-svr4" => Some(t.libraries().into_bytes()),
            b"memory-map" => Some(memory_map(t).into_bytes()),
            _ => None,
        };
        let Some(whole) = whole else { return b"E00".to_vec() };
        part(&whole, offset, len)
    }

    fn threads_xml(&self, t: &dyn Target) -> String {
        let mut xml = String::from("<?xml version=\"1.0\"?>\n<threads>\n");
        for (pid, tid) in self.threads(t) {
            let (id, name) = (self.thread_id(pid, tid), escape(&t.thread_name(tid)));
            xml += &format!("<thread id=\"{id}\" name=\"{name}\"/>\n");
        }
        xml + "</threads>\n"
    }
}

/// A part of an object: `l` before the last, `m` before any other.
fn part(whole: &[u8], offset: u64, len: u64) -> Vec<u8> {
    let from = usize::try_from(offset).unwrap_or(usize::MAX).min(whole.len());
    let most = usize::try_from(len).unwrap_or(usize::MAX).min(PACKET_SIZE / 2);
    let end = from.saturating_add(most).min(whole.len());
    let mark = if end == whole.len() { b'l' } else { b'm' };
    [&[mark], &whole[from..end]].concat()
}

/// gdb takes what is not in the map for memory that is not there, and asks once: so all addresses
/// are in it. Where what is mapped, `info proc mappings` tells.
fn memory_map(t: &dyn Target) -> String {
    format!(
        "<?xml version=\"1.0\"?>\n<!DOCTYPE memory-map PUBLIC \"+//IDN gnu.org//DTD GDB Memory Map \
         V1.0//EN\" \"http://sourceware.org/gdb/gdb-memory-map.dtd\">\n<memory-map>\n\
         <memory type=\"ram\" start=\"0x0\" length=\"{:#x}\"/>\n</memory-map>\n",
        t.memory_size()
    )
}

/// What the C library says to debuggers about its `link_map`: how many bits the module's number
/// has, how many of them there are, and where (glibc's nptl_db/db_info.c).
const MODULE_NUMBER: &[u8] = b"_thread_db_link_map_l_tls_modid";

/// `:`, when symbols can be asked for, or `ADDRESS:NAME` with what one is at, no address if there
/// is none.
fn symbol(text: &[u8], t: &mut dyn Target) -> Vec<u8> {
    let (address, name) = split(text, b':').unwrap_or((text, &[]));
    if name.is_empty() {
        return [b"qSymbol:", hex(MODULE_NUMBER).as_bytes()].concat();
    }
    if unhex(name).as_deref() == Some(MODULE_NUMBER)
        && let Some(address) = number(address)
    {
        t.module_number_at(address);
    }
    b"OK".to_vec()
}

/// `THREAD,OFFSET,MODULE`.
fn thread_local(text: &[u8], t: &mut dyn Target) -> Vec<u8> {
    let found = split(text, b',').and_then(|(thread, place)| {
        let (offset, module) = pair(place, b',')?;
        let Which::One(tid) = ThreadId::parse(thread)?.tid else { return None };
        t.thread_local(tid, offset, module)
    });
    found.map_or_else(failed, |addr| format!("{addr:x}").into_bytes())
}

/// A user's command, in digits, and its output.
fn monitor(digits: &[u8], t: &mut dyn Target) -> Vec<u8> {
    let Some(command) = unhex(digits) else { return failed() };
    let mut output = t.monitor(String::from_utf8_lossy(&command).trim());
    let mut most = PACKET_SIZE / 2 - 8;
    if output.len() > most {
        while !output.is_char_boundary(most) {
            most -= 1;
        }
        output.truncate(most);
    }
    if output.is_empty() { b"OK".to_vec() } else { hex(output.as_bytes()).into_bytes() }
}

/// Text for XML, without what that cannot have.
pub fn escape(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '&' => out += "&amp;",
            '"' => out += "&quot;",
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}
