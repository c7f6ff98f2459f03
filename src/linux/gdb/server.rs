//! The thread that talks with a client, and what the client asks for.

use crate::cpu::Hart;
use crate::gdb::packet::Event;
use crate::gdb::{Action, After, Break, FileError, Region, Session, Stop, Target, Wanted, What};
use crate::interp::{self, Watchpoint};
use crate::linux::abi::{Errno, Pod, SigInfo};
use crate::linux::fs::proc::names::ProcFile;
use crate::linux::fs::proc::procfs;
use crate::linux::fs::proc::procmaps::Areas;
use crate::linux::gdb::files::{self, Files, Found};
use crate::linux::gdb::libraries;
use crate::linux::gdb::socket::{Connection, Listener};
use crate::linux::gdb::state::{Breakpoint, Child, Debugger, Job, Points, Status, World};
use crate::linux::host::host_call;
use crate::linux::process::{Process, Thread};
use crate::mem::Backing;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

/// Time after which a thread that does not stop is asked again.
const AGAIN: Duration = Duration::from_millis(50);
/// Time that is waited for a thread to answer a question.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a child that shares our memory is told if it is followed.
const BESIDE: &str = "beside";

/// A process and its debugger.
pub(super) struct Server {
    process: Arc<Process>,
    /// Its id: it may be another one than that of the server's thread, with the same memory.
    pid: u32,
    debugger: Arc<Debugger>,
    files: Files,
    /// The client goes with what a fork has made.
    followed: Option<Child>,
    /// Where the guest's C library says where a `link_map` has its module's number.
    module_number: Option<u64>,
}

/// A conversation that begins, or goes on after an `execve`.
pub(super) struct Talk {
    pub connection: Connection,
    pub session: Session,
    /// What the client waits to be told.
    pub first: Option<What>,
}

/// Waits for a client, and serves it.
pub(super) fn serve_first(process: Arc<Process>, debugger: Arc<Debugger>, listener: Listener) {
    match listener.accept() {
        Ok(connection) => {
            drop(listener);
            let talk = Talk { connection, session: Session::new(), first: None };
            serve(process, debugger, talk);
        }
        Err(e) => {
            tracing::error!("no debugger can connect: {e}");
            Server::new(process, std::process::id(), debugger).end();
        }
    }
}

/// Serves a client until it or the process is gone, and those that it follows with our memory.
pub(super) fn serve(process: Arc<Process>, debugger: Arc<Debugger>, talk: Talk) {
    let mut server = Server::new(process, std::process::id(), debugger);
    let mut next = serve_one(&mut server, talk);
    while let Some((process, pid, debugger, talk)) = next {
        server = Server::new(process, pid, debugger);
        next = serve_one(&mut server, talk);
    }
}

/// A process that is to be served next.
type Next = (Arc<Process>, u32, Arc<Debugger>, Talk);

/// Serves a client until it or one process is gone.
fn serve_one(server: &mut Server, talk: Talk) -> Option<Next> {
    let Talk { mut connection, mut session, first } = talk;
    server.debugger.socket.store(connection.fd(), Ordering::Release);
    server.stop();
    let first_thread = server.threads().first().copied().unwrap_or(0);
    let stop = |what| Stop::Thread { tid: first_thread, what };
    let told = match first {
        None => {
            // What has happened already is why it stands.
            let earlier = server.debugger.world().events.pop_front();
            session.last = earlier.or(Some(stop(What::Signal(libc::SIGTRAP))));
            Some(())
        }
        Some(what) => {
            let reply = session.stop_reply(&stop(what), server);
            connection.send(&reply)
        }
    };
    if told.is_some() {
        server.converse(&mut connection, &mut session);
    }
    let followed = server.followed.take();
    let shares = followed.as_ref().and_then(|child| child.shares.clone());
    if let (Some(child), Some(Ok(process))) = (&followed, shares.map(Arc::downcast::<Process>)) {
        let (pid, beside) = (child.pid as u32, server.debugger.beside());
        server.end();
        server.debugger.world().beside = Some(Arc::clone(&beside));
        let session = Session::going_on(session.acks, session.wanted);
        followed?.answer(BESIDE);
        return Some((process, pid, beside, Talk { connection, session, first: None }));
    }
    if let Some(child) = followed {
        let text = handed_over(&server.debugger.world(), &connection, &session);
        child.answer(&text);
    }
    server.end();
    None
}

/// Signals come to us first while there is a debugger.
pub(super) fn mirror_all(process: &Process) {
    for signal in 1..=64 {
        process.mirror_default(signal);
    }
}

impl Server {
    fn new(process: Arc<Process>, pid: u32, debugger: Arc<Debugger>) -> Self {
        let files = Files::default();
        Self { process, pid, debugger, files, followed: None, module_number: None }
    }

    /// The client is gone: the process goes on as if there had been none.
    fn end(&self) {
        let (process, debugger) = (&self.process, &self.debugger);
        process.debug.set(None);
        if self.pid == std::process::id() {
            mirror_all(process);
        }
        process.machine.clear_breakpoints();
        let mut world = debugger.world();
        world.gone = true;
        let child = world.child.take();
        debugger.resume_all(&mut world);
        drop(world);
        if let Some(child) = child {
            child.answer("");
        }
        debugger.changed.notify_all();
        process.machine.interrupt_all();
    }

    /// Answers packets until there are no more.
    fn converse(&mut self, connection: &mut Connection, session: &mut Session) -> Option<()> {
        loop {
            let packet = match connection.next()? {
                Event::Packet(packet) => packet,
                _ => continue,
            };
            let after = session.handle(&packet, self);
            self.debugger.world().wanted = session.wanted;
            match after {
                After::Reply(reply) => {
                    connection.send(&reply)?;
                    if !session.acks && connection.acks {
                        connection.stop_acks();
                    }
                }
                After::Detach(reply) => {
                    connection.send(&reply);
                    return None;
                }
                After::Kill(reply) => {
                    if let Some(reply) = reply {
                        connection.send(&reply);
                    }
                    let pid = self.pid();
                    let _ = host_call(libc::SYS_kill, &[pid.into(), libc::SIGKILL.into()]);
                    return None;
                }
                After::Resume => {
                    let stop = self.run(connection, session)?;
                    let reply = session.stop_reply(&stop, self);
                    let sent = connection.send(&reply);
                    if !matches!(stop, Stop::Thread { .. }) {
                        self.debugger.world().told = true;
                        self.debugger.changed.notify_all();
                        return None;
                    }
                    sent?;
                }
            }
        }
    }

    /// Lets threads run until something is to be told. `None`: there is nobody to tell.
    fn run(&mut self, connection: &mut Connection, session: &Session) -> Option<Stop> {
        let debugger = Arc::clone(&self.debugger);
        let mut world = debugger.world();
        if let Some(stop) = self.step_here(&mut world) {
            return Some(stop);
        }
        if world.events.is_empty() {
            let kicks = world.abandon_calls();
            debugger.resume_all(&mut world);
            drop(world);
            for tid in kicks {
                let args = [self.pid().into(), tid.into(), libc::SIGSEGV.into()];
                let _ = host_call(libc::SYS_tgkill, &args);
            }
            world = debugger.world();
        }
        loop {
            if let Some(stop) = world.events.pop_front() {
                drop(world);
                if matches!(stop, Stop::Thread { .. }) {
                    self.stop();
                }
                return Some(stop);
            }
            if world.exec.is_some() {
                world = self.hand_over(world, connection, session)?;
                continue;
            }
            drop(world);
            if connection.has_more() || connection.is_readable() {
                if connection.next()? == Event::Interrupt {
                    return Some(self.interrupt(session));
                }
            } else {
                connection.wait(&debugger.doorbell);
            }
            world = debugger.world();
        }
    }

    /// Does the step of a process's only thread in its place, which takes two changes of threads
    /// less. `None` if there is more to it than executing instructions.
    fn step_here(&self, world: &mut World) -> Option<Stop> {
        /// Instructions of a range: whoever wants more of them may also want to interrupt them.
        const MOST: u32 = 10_000;
        let points = Arc::clone(&world.points);
        if world.threads.len() != 1 || !world.events.is_empty() || !points.data.is_empty() {
            return None;
        }
        let (&tid, entry) = world.threads.first_key_value()?;
        let range = match &entry.action {
            Action::Step => 0..0,
            Action::Range(range) => range.clone(),
            Action::Continue | Action::Stop => return None,
        };
        let waits = entry.signals.flag().load(Ordering::Acquire) != 0;
        if entry.status != Status::Parked || entry.signal.is_some_and(|n| n != 0) || waits {
            return None;
        }
        let (memory, isa) = (self.process.memory(), self.process.machine.isa());
        let mut hart = entry.hart.clone();
        for n in 0..MOST {
            if n != 0 && points.code.range((hart.pc, false)..=(hart.pc, true)).next().is_some() {
                break;
            }
            if interp::step(&mut hart, memory, isa).is_err() {
                break;
            }
            if !range.contains(&hart.pc) {
                let entry = world.threads.get_mut(&tid)?;
                (entry.hart, entry.changed, entry.siginfo) = (hart, true, None);
                return Some(Stop::Thread { tid, what: What::Step });
            }
        }
        // What has been executed is executed; the thread goes on from there.
        let entry = world.threads.get_mut(&tid)?;
        entry.changed |= entry.hart != hart;
        entry.hart = hart;
        None
    }

    /// The client wants a stop.
    fn interrupt(&mut self, session: &Session) -> Stop {
        self.stop();
        if let Some(stop) = self.debugger.world().events.pop_front() {
            // Something else was first.
            return stop;
        }
        let threads = self.threads();
        let last = match &session.last {
            Some(Stop::Thread { tid, .. }) if threads.contains(tid) => Some(*tid),
            _ => None,
        };
        let tid = last.or(threads.first().copied()).unwrap_or(0);
        Stop::Thread { tid, what: What::Signal(libc::SIGINT) }
    }

    /// A thread starts another program: gives it what it needs to go on with the conversation, and
    /// waits. Returns if that failed.
    fn hand_over<'a>(
        &'a self,
        mut world: MutexGuard<'a, World>,
        connection: &Connection,
        session: &Session,
    ) -> Option<MutexGuard<'a, World>> {
        world.exec = Some(Some(handed_over(&world, connection, session)));
        self.debugger.changed.notify_all();
        let wait = self.debugger.changed.wait_while(world, |w| w.exec.is_some());
        let world = wait.unwrap_or_else(PoisonError::into_inner);
        // It has gone on with another program, where it was not ours that it has replaced.
        if world.gone { None } else { Some(world) }
    }

    /// Stops all threads, and waits until they have.
    fn stop(&self) {
        let mut world = self.debugger.world();
        self.debugger.stop_all(&mut world);
        while world.threads.is_empty()
            || world.threads.values().any(|e| e.status == Status::Running)
        {
            let waited = self.debugger.changed.wait_timeout(world, AGAIN);
            world = waited.unwrap_or_else(PoisonError::into_inner).0;
            // Threads of a process that ends need not come to a stop.
            if world.events.iter().any(|stop| !matches!(stop, Stop::Thread { .. })) {
                return;
            }
            self.debugger.stop_all(&mut world);
        }
    }

    /// Changes breakpoints and watchpoints.
    fn change_points(&self, change: impl FnOnce(&mut Points)) {
        let mut world = self.debugger.world();
        let mut points = (*world.points).clone();
        change(&mut points);
        world.points = Arc::new(points);
    }

    /// Lets a thread that is parked answer a question; `None` if there is none, or it takes long.
    fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Thread) -> T + Send + 'static,
    ) -> Option<T> {
        let (send, receive) = mpsc::sync_channel(1);
        let job: Job = Box::new(move |t| {
            if let Some(t) = t.downcast_mut::<Thread>() {
                let _ = send.send(question(t));
            }
        });
        let mut world = self.debugger.world();
        let entry = world.threads.values_mut().find(|e| e.status == Status::Parked)?;
        entry.job = Some(job);
        entry.wake.notify_all();
        drop(world);
        receive.recv_timeout(PATIENCE).ok()
    }

    /// Memory as the host's kernel sees it, where rights do not count.
    fn raw_memory(&self) -> Option<File> {
        File::options().read(true).write(true).open("/proc/self/mem").ok()
    }

    fn host_addr(&self, addr: u64) -> Option<u64> {
        let memory = self.process.memory();
        memory.mapping(memory.effective(addr))?;
        Some(memory.base().0 as u64 + memory.effective(addr))
    }
}

impl World {
    /// Threads whose call is to be forgotten, since the client has set their registers.
    fn abandon_calls(&mut self) -> Vec<i32> {
        let mut kicks = Vec::new();
        for (tid, entry) in &mut self.threads {
            if entry.status == Status::InCall && std::mem::take(&mut entry.changed) {
                entry.abandon = true;
                entry.kicks += 1;
                kicks.push(*tid);
            }
        }
        kicks
    }
}

impl Target for Server {
    fn pid(&self) -> i32 {
        self.pid as i32
    }

    fn threads(&self) -> Vec<i32> {
        self.debugger.world().threads.keys().copied().collect()
    }

    fn thread_name(&self, tid: i32) -> String {
        let name = std::fs::read_to_string(format!("/proc/{}/task/{tid}/comm", self.pid));
        name.unwrap_or_default().trim_end().to_owned()
    }

    fn registers(&mut self, tid: i32) -> Option<Hart> {
        let world = self.debugger.world();
        world.threads.get(&world.parent_of(tid)).map(|e| e.hart_for(tid == world.child_id()))
    }

    fn set_registers(&mut self, tid: i32, hart: &Hart) -> bool {
        let mut world = self.debugger.world();
        let Some(entry) = world.threads.get_mut(&tid) else { return false };
        (entry.hart, entry.changed) = (hart.clone(), true);
        true
    }

    fn read(&mut self, addr: u64, to: &mut [u8]) -> usize {
        let memory = self.process.memory();
        if memory.read_bytes(addr, to).is_ok() {
            return to.len();
        }
        let Some(raw) = self.raw_memory() else { return 0 };
        let mut done = 0;
        // Page by page, so that what is before a gap is read.
        while done < to.len() {
            let at = addr.wrapping_add(done as u64);
            let n = (crate::util::PAGE_SIZE - at % crate::util::PAGE_SIZE) as usize;
            let n = n.min(to.len() - done);
            let Some(host) = self.host_addr(at) else { break };
            if raw.read_exact_at(&mut to[done..done + n], host).is_err() {
                break;
            }
            done += n;
        }
        done
    }

    fn write(&mut self, addr: u64, bytes: &[u8]) -> bool {
        let memory = self.process.memory();
        let last = addr.wrapping_add(bytes.len() as u64 - 1);
        let done = memory.write_bytes(addr, bytes).is_ok() || {
            let at = self.host_addr(addr).filter(|_| self.host_addr(last).is_some());
            let raw = self.raw_memory();
            at.zip(raw).is_some_and(|(at, raw)| raw.write_all_at(bytes, at).is_ok())
        };
        let start = memory.effective(addr);
        self.process.machine.forget_code(start..start.saturating_add(bytes.len() as u64));
        done
    }

    fn region(&mut self, addr: u64) -> Region {
        let memory = self.process.memory();
        let mappings = memory.mappings();
        let gap = |start, end| Region { range: start..end, access: None, name: Vec::new() };
        let mut end_before = 0;
        for (range, m) in mappings {
            if addr < range.start {
                return gap(end_before, range.start);
            }
            if range.contains(&addr) {
                let access = [m.prot.readable(), m.prot.writable(), m.prot.executable()];
                let name = match &m.backing {
                    Backing::Anonymous(name) => name.unwrap_or("").into(),
                    Backing::File { path, .. } => {
                        self.process.file_name(path).into_os_string().into_encoded_bytes()
                    }
                };
                return Region { range, access: Some(access), name };
            }
            end_before = range.end;
        }
        gap(end_before, u64::MAX)
    }

    fn memory_size(&self) -> u64 {
        self.process.memory().size()
    }

    fn set_break(&mut self, at: &Break, on: bool) -> bool {
        let machine = &self.process.machine;
        match at {
            Break::Code { pc, hard, conditions } => {
                let key = (machine.memory().effective(*pc), *hard);
                let point = Breakpoint { hard: *hard, conditions: conditions.clone() };
                let mut wanted = false;
                self.change_points(|points| {
                    if on {
                        points.code.insert(key, point);
                    } else {
                        points.code.remove(&key);
                    }
                    wanted = points.code.range((key.0, false)..=(key.0, true)).next().is_some();
                });
                machine.set_breakpoint(key.0, wanted);
            }
            Break::Data { kind, range } => {
                let start = machine.memory().effective(range.start);
                let range = start..start.saturating_add(range.end - range.start);
                let point = Watchpoint { kind: *kind, range };
                self.change_points(|points| {
                    points.data.retain(|w| *w != point);
                    if on {
                        points.data.push(point);
                    }
                });
            }
        }
        true
    }

    fn catch_syscalls(&mut self, which: Option<Vec<u64>>) {
        self.debugger.world().catch = which;
    }

    fn pass_signals(&mut self, signals: Vec<i32>) {
        let known = signals.into_iter().filter(|n| (1..=64).contains(n));
        self.debugger.world().pass = known.fold(0, |bits, n| bits | 1 << (n - 1));
    }

    fn tell_threads(&mut self, on: bool) {
        self.debugger.world().tell_threads = on;
    }

    fn siginfo(&mut self, tid: i32) -> Option<Vec<u8>> {
        self.debugger.world().threads.get(&tid)?.siginfo.map(|info| info.bytes().to_vec())
    }

    fn set_siginfo(&mut self, tid: i32, info: &[u8]) -> bool {
        let mut world = self.debugger.world();
        let Some(entry) = world.threads.get_mut(&tid) else { return false };
        let mut new = SigInfo::zeroed();
        if entry.siginfo.is_none() || info.len() != size_of::<SigInfo>() {
            return false;
        }
        new.bytes_mut().copy_from_slice(info);
        entry.siginfo = Some(new);
        true
    }

    fn module_number_at(&mut self, address: u64) {
        self.module_number = Some(address);
    }

    fn thread_local(&mut self, tid: i32, offset: u64, module: u64) -> Option<u64> {
        let tp = self.registers(tid)?.x[4];
        libraries::thread_local(&self.process, tp, offset, (module, self.module_number))
    }

    fn auxv(&self) -> Vec<u8> {
        self.process.auxv.clone()
    }

    fn exec_file(&self) -> Vec<u8> {
        self.process.exe.as_os_str().as_encoded_bytes().to_vec()
    }

    fn libraries(&mut self) -> String {
        libraries::list(&self.process)
    }

    fn monitor(&mut self, command: &str) -> String {
        match &self.process.options.monitor {
            Some(hook) => (hook.0)(&self.process.machine, command),
            None => "there are no commands\n".into(),
        }
    }

    fn open_file(&mut self, path: &[u8], flags: u32, mode: u32) -> Result<i32, FileError> {
        match self.files.open(&self.process, path, flags, mode)? {
            Found::Opened(fd) => Ok(fd),
            Found::Made(file, path) => {
                let made = self.ask(move |t| procfs::content(t, file, &path));
                let made = made.unwrap_or_else(|| match file {
                    // All threads are in calls.
                    ProcFile::Maps(None) => {
                        Ok(Areas::own(&self.process, &procfs::host_maps(None)?).maps().into_bytes())
                    }
                    ProcFile::Auxv => Ok(self.process.auxv.clone()),
                    _ => Err(Errno::EIO),
                });
                Ok(self.files.add_made(made?))
            }
        }
    }

    fn read_file(&mut self, fd: i32, offset: u64, len: usize) -> Result<Vec<u8>, FileError> {
        self.files.read(fd, offset, len)
    }

    fn write_file(&mut self, fd: i32, offset: u64, bytes: &[u8]) -> Result<usize, FileError> {
        self.files.write(fd, offset, bytes)
    }

    fn stat_file(&mut self, fd: i32) -> Result<[u64; 3], FileError> {
        self.files.stat(fd)
    }

    fn close_file(&mut self, fd: i32) -> Result<(), FileError> {
        self.files.close(fd)
    }

    fn read_link(&mut self, path: &[u8]) -> Result<Vec<u8>, FileError> {
        files::read_link(&self.process, path)
    }

    fn unlink_file(&mut self, path: &[u8]) -> Result<(), FileError> {
        files::unlink(&self.process, path)
    }

    fn resume(&mut self, tid: i32, action: &Action, signal: Option<i32>) {
        if let Some(entry) = self.debugger.world().threads.get_mut(&tid) {
            entry.action = action.clone();
            entry.signal = signal.or(entry.signal);
        }
    }

    fn release_child(&mut self, _: i32, follow: bool) {
        let child = self.debugger.world().child.take();
        match child {
            Some(child) if follow => self.followed = Some(child),
            Some(child) => child.answer(""),
            None => {}
        }
    }

    fn kill_child(&mut self, pid: i32) {
        let _ = host_call(libc::SYS_kill, &[pid.into(), libc::SIGKILL.into()]);
        self.debugger.world().child = None;
    }
}

/// What another process needs to go on with a conversation.
fn handed_over(world: &World, connection: &Connection, session: &Session) -> String {
    let catch = match &world.catch {
        None => "-".into(),
        Some(list) => list.iter().map(u64::to_string).collect::<Vec<_>>().join("."),
    };
    let (fd, acks, wanted) = (connection.fd(), connection.acks, session.wanted.bits());
    format!("{fd},{},{wanted},{},{catch}", u8::from(acks), world.pass)
}

/// What a session was when its process started another program, as [`handed_over`] says it.
pub(super) fn taken_over(text: &str) -> Option<(i32, Session, u64, Option<Vec<u64>>)> {
    let mut words = text.split(',');
    let (fd, acks, wanted) =
        (words.next()?.parse().ok()?, words.next()?, words.next()?.parse().ok()?);
    let pass = words.next()?.parse().ok()?;
    let catch = match words.next()? {
        "-" => None,
        list => Some(list.split('.').filter_map(|n| n.parse().ok()).collect()),
    };
    let session = Session::going_on(acks == "1", Wanted::from_bits(wanted));
    Some((fd, session, pass, catch))
}
