//! AFL's fork server (`docs/README.instrumentation.md` and `src/afl-forkserver.c` of AFL++): the
//! program is started once, and each of AFL's runs is a child that goes on from its entry.
//!
//! AFL listens at two descriptors. We say four bytes when we are ready. For each run it sends four,
//! gets the child's process id, and then its status as of wait(2). What the child translates it
//! tells us by way of shared memory, and we translate it too, so that the next child has it.

use crate::linux::abi::Errno;
use crate::linux::host::{HostArg, host_call};
use crate::linux::process::Thread;
use crate::linux::task::fork;
use crate::runtime::{Machine, Observer, TranslatedBlock};
use crate::sys::fd;
use crate::sys::process::wait;
use crate::sys::shared::SharedPages;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Where AFL's requests come from; answers go to the next one.
const REQUESTS: i32 = 198;

/// Blocks that one child can tell of.
const TOLD: usize = 8 << 10;

/// Tells the server what a child translates.
struct Report(Arc<SharedPages>);

impl Observer for Report {
    fn translated(&mut self, block: &TranslatedBlock<'_>) {
        let n = self.0.word(0).fetch_add(1, Ordering::Relaxed) as usize;
        if n < TOLD {
            self.0.store(8 * (1 + n), &[block.pc]);
        }
    }
}

/// At a breakpoint: serves AFL, if there is a server that begins here. False if not. Returns in
/// each child, and in the process itself if nobody listens.
pub(crate) fn serve(t: &mut Thread) -> bool {
    let Some(server) = t.process.options.fork_server.clone() else { return false };
    let pc = t.cpu.hart().pc;
    if server.was_reached() {
        return false;
    }
    t.process.machine.clear_breakpoints();
    server.count(t.memory(), pc);
    t.cpu.forget_translations();
    let (Ok(requests), Ok(answers)) = (fd::duplicate(REQUESTS), fd::duplicate(REQUESTS + 1)) else {
        return true;
    };
    let told = match SharedPages::new(8 * (1 + TOLD)) {
        Ok(pages) => Arc::new(pages),
        Err(e) => {
            tracing::error!("no fork server: {e}");
            std::process::exit(1);
        }
    };
    if serve_requests(t, (requests, answers), &told).is_none() {
        // AFL has ended, or no child can be made, which it finds out by that.
        std::process::exit(0);
    }
    true
}

/// Makes a child for each request; `Some` in a child.
fn serve_requests(
    t: &mut Thread,
    (mut requests, mut answers): (File, File),
    told: &Arc<SharedPages>,
) -> Option<()> {
    let mut four = [0; 4];
    answers.write_all(&four).ok()?;
    loop {
        requests.read_exact(&mut four).ok()?;
        told.word(0).store(0, Ordering::Relaxed);
        let hart = t.cpu.hart().clone();
        let pid = loop {
            // As the guest's own call, it is made again if a signal came before it.
            match fork::fork_here(t) {
                Ok(pid) => break pid as i32,
                Err(Errno::NO_RESULT) => {
                    *t.cpu.hart_mut() = hart;
                    begin_child(&t.process.machine, told);
                    return Some(());
                }
                Err(Errno::RESTART) => t.deliver_signals(),
                Err(_) => return None,
            }
        };
        answers.write_all(&pid.to_ne_bytes()).ok()?;
        let status = wait(pid).ok()?;
        answers.write_all(&status.to_ne_bytes()).ok()?;
        let n = (told.word(0).load(Ordering::Relaxed) as usize).min(TOLD);
        let mut pcs = vec![0; n];
        told.load(8, &mut pcs);
        pcs.into_iter().for_each(|pc| t.cpu.translate_ahead(pc));
    }
}

/// The program does not see AFL's descriptors, and what it translates is told.
fn begin_child(machine: &Machine, told: &Arc<SharedPages>) {
    for fd in [REQUESTS, REQUESTS + 1] {
        let _ = host_call(libc::SYS_close, &[HostArg::value(fd as u64)]);
    }
    machine.set_observer(Some(Box::new(Report(Arc::clone(told)))));
}
