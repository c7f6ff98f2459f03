//! How a process comes by a debugger and gets rid of it.

use crate::gdb::What;
use crate::linux::abi::{Errno, Pod as _, SigInfo};
use crate::linux::gdb::server::{self, Talk};
use crate::linux::gdb::socket::{Address, Connection};
use crate::linux::gdb::state::Debugger;
use crate::linux::host::{HostArg, borrow_fd, host_call};
use crate::linux::process::Process;
use crate::linux::task::peers;
use crate::sys::async_signal::{ASKED_DEBUG, ASKED_LOOK, TRACE_CODE};
use crate::sys::fd::keep_aside;
use crate::sys::process::{Invocation, spawn};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Host stack of the server in bytes.
const STACK: usize = 1 << 20;

/// Lets a debugger connect to a process. All signals are blocked.
///
/// # Errors
/// What the host says.
pub(crate) fn listen(process: &Arc<Process>, address: &Address) -> io::Result<()> {
    let listener = address.listen()?;
    let debugger = begin(process, address.wait)?;
    let process = Arc::clone(process);
    spawn(STACK, move || {
        peers::name_helper();
        server::serve_first(process, debugger, listener);
    })
}

/// Goes on with the conversation that the program before this one had. All signals are blocked.
///
/// # Errors
/// What the host says.
pub(crate) fn take_over(process: &Arc<Process>, text: &str) -> io::Result<()> {
    let invalid = || io::Error::from(io::ErrorKind::InvalidInput);
    let (fd, session, pass, catch) = server::taken_over(text).ok_or_else(invalid)?;
    let socket = borrow_fd(fd).ok_or_else(invalid)?;
    let connection = Connection::new(keep_aside(socket)?, session.acks);
    // The parent's, in a process that a fork has made.
    let parents = process.debug.get();
    match &parents {
        Some(debugger) => debugger.close(),
        None => drop(host_call(libc::SYS_close, &[fd.into()])),
    }
    let told = session.wanted.exec;
    let debugger = begin(process, true)?;
    {
        let mut world = debugger.world();
        (world.pass, world.catch, world.wanted) = (pass, catch, session.wanted);
    }
    let exe = process.exe.as_os_str().as_bytes().to_vec();
    // A client that does not know of such events is told of a signal, as the kernel tells it.
    let first = if parents.is_some() {
        // It knows that it is here.
        None
    } else if told {
        Some(What::Exec(exe))
    } else {
        Some(What::Signal(libc::SIGTRAP))
    };
    let process = Arc::clone(process);
    spawn(STACK, move || {
        peers::name_helper();
        server::serve(process, debugger, Talk { connection, session, first });
    })
}

fn begin(process: &Arc<Process>, stopped: bool) -> io::Result<Arc<Debugger>> {
    let debugger = Debugger::new(Arc::clone(&process.machine), stopped)?;
    process.debug.set(Some(Arc::clone(&debugger)));
    server::mirror_all(process);
    process.machine.interrupt_all();
    Ok(debugger)
}

/// Where a debugger of a process connects that was not started with one.
#[must_use]
pub fn socket_of(pid: u32) -> PathBuf {
    format!("/tmp/rvnative-debug-{pid}").into()
}

/// Lets a debugger connect to a process that runs. All signals are blocked.
///
/// # Errors
/// What the host says; `EPERM` where the process has rights that its user may not have.
pub(crate) fn let_debug(process: &Arc<Process>) -> io::Result<PathBuf> {
    if Invocation::of_process().secure {
        return Err(Errno::EPERM.into());
    }
    let path = socket_of(std::process::id());
    listen(process, &Address::at(&path, false))?;
    // Threads that wait in a system call are not known before they have looked.
    for tid in process.thread_ids() {
        send(std::process::id(), tid, ASKED_LOOK)?;
    }
    Ok(path)
}

fn send(pid: u32, tid: i32, asked: u64) -> io::Result<()> {
    let mut info = SigInfo { signo: libc::SIGSEGV, code: TRACE_CODE, ..SigInfo::zeroed() };
    info.fields[1] = asked;
    let args = [pid.into(), tid.into(), libc::SIGSEGV.into(), HostArg::of(&info)];
    host_call(libc::SYS_rt_tgsigqueueinfo, &args)?;
    Ok(())
}

/// Asks a guest process to let a debugger connect. Returns the path of the socket.
///
/// # Errors
/// `ESRCH` if there is no such guest process that we may look into, `EEXIST` if somebody else has
/// put a socket where its own would be, `ETIMEDOUT` if it does not answer, and what the host says.
pub fn request(pid: u32) -> io::Result<PathBuf> {
    const PATIENCE: Duration = Duration::from_secs(5);
    const PAUSE: Duration = Duration::from_millis(10);
    let id = i32::try_from(pid).map_err(|_| Errno::ESRCH)?;
    peers::find_by_id(id).ok_or(Errno::ESRCH)?;
    let path = socket_of(pid);
    let owner = std::fs::metadata(format!("/proc/{pid}"))?.uid();
    if is_socket(&path, owner)? {
        return Ok(path);
    }
    send(pid, id, ASKED_DEBUG)?;
    let begin = std::time::Instant::now();
    while !is_socket(&path, owner)? {
        if begin.elapsed() > PATIENCE {
            return Err(io::Error::from_raw_os_error(libc::ETIMEDOUT));
        }
        std::thread::sleep(PAUSE);
    }
    Ok(path)
}

/// True if there is a socket of that user's: anybody may write to the folder.
fn is_socket(path: &Path, owner: u32) -> io::Result<bool> {
    match std::fs::symlink_metadata(path) {
        Ok(m) if m.file_type().is_socket() && m.uid() == owner => Ok(true),
        Ok(_) => Err(Errno::EEXIST.into()),
        Err(_) => Ok(false),
    }
}
