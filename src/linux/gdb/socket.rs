//! Where a debugger connects, and the connection.

use crate::gdb::packet::{Decoder, Event, encode};
use crate::linux::host::{HostArg, host_call};
use crate::sys::fd::{Aside, keep_aside};
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::TcpListener;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// Where a debugger is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    place: Place,
    /// The program starts when a client has come.
    pub(crate) wait: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    /// Of this machine only, unless a host is named.
    Tcp(String, u16),
    Unix(PathBuf),
}

impl Address {
    /// `PORT`, `HOST:PORT`, `unix:PATH` or a path with a `/`, and perhaps `,nowait` behind it; in a
    /// path `%p` stands for the process's id. `None` if it is nothing of the kind.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (text, wait) = match text.strip_suffix(",nowait") {
            Some(rest) => (rest, false),
            None => (text.strip_suffix(",wait").unwrap_or(text), true),
        };
        let path = text.strip_prefix("unix:").or_else(|| text.contains('/').then_some(text));
        let place = match path {
            Some("") => return None,
            Some(path) => {
                let pid = std::process::id().to_string();
                Place::Unix(path.replace("%p", &pid).replace("%d", &pid).into())
            }
            None => {
                let (host, port) = text.rsplit_once(':').unwrap_or(("", text));
                let port = port.parse().ok().filter(|&p| p != 0)?;
                Place::Tcp(if host.is_empty() { "127.0.0.1" } else { host }.into(), port)
            }
        };
        Some(Self { place, wait })
    }

    /// A path at which a debugger is waited for.
    pub(crate) fn at(path: &Path, wait: bool) -> Self {
        Self { place: Place::Unix(path.to_owned()), wait }
    }

    /// Begins to listen.
    ///
    /// # Errors
    /// What the host says.
    pub(crate) fn listen(&self) -> io::Result<Listener> {
        let (fd, path): (OwnedFd, _) = match &self.place {
            Place::Tcp(host, port) => (TcpListener::bind((host.as_str(), *port))?.into(), None),
            Place::Unix(path) => (listen_at(path)?.into(), Some(path.clone())),
        };
        Ok(Listener { fd: keep_aside(fd.as_fd())?, path })
    }
}

/// Listens at a path, which is there once whoever may connect can: whoever may do what the program
/// may. What is left of somebody who is no more is replaced.
fn listen_at(path: &Path) -> io::Result<UnixListener> {
    if path.symlink_metadata().is_ok_and(|m| !m.file_type().is_socket())
        || UnixStream::connect(path).is_ok()
    {
        return Err(io::ErrorKind::AddrInUse.into());
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}~", std::process::id()));
    let _ = fs::remove_file(&beside);
    let listener = UnixListener::bind(&beside)?;
    let ready = fs::set_permissions(&beside, fs::Permissions::from_mode(0o600));
    ready.and_then(|()| fs::rename(&beside, path)).inspect_err(|_| {
        let _ = fs::remove_file(&beside);
    })?;
    Ok(listener)
}

/// A place where a debugger is waited for.
#[derive(Debug)]
pub(crate) struct Listener {
    fd: Aside,
    path: Option<PathBuf>,
}

impl Listener {
    /// Waits for a client.
    ///
    /// # Errors
    /// What the host says.
    pub(crate) fn accept(&self) -> io::Result<Connection> {
        let fd = self.fd.as_fd().try_clone_to_owned()?;
        let stream: OwnedFd = if self.path.is_some() {
            UnixListener::from(fd).accept()?.0.into()
        } else {
            let (stream, _) = TcpListener::from(fd).accept()?;
            stream.set_nodelay(true)?;
            stream.into()
        };
        Ok(Connection::new(keep_aside(stream.as_fd())?, true))
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            let _ = fs::remove_file(path);
        }
    }
}

/// A connection with a client.
#[derive(Debug)]
pub(crate) struct Connection {
    fd: Aside,
    decoder: Decoder,
    buffer: Vec<u8>,
    /// Bytes of `buffer` that have been looked at.
    used: usize,
    /// What was sent last, for a client that wants it again.
    last: Vec<u8>,
    pub acks: bool,
}

impl Connection {
    /// Takes over a connection.
    pub(crate) fn new(fd: Aside, acks: bool) -> Self {
        let decoder = Decoder::new(acks);
        Self { fd, decoder, buffer: Vec::new(), used: 0, last: Vec::new(), acks }
    }

    /// Its descriptor.
    pub(crate) fn fd(&self) -> i32 {
        self.fd.as_raw_fd()
    }

    /// What comes next; `None` if the client is gone.
    pub(crate) fn next(&mut self) -> Option<Event> {
        loop {
            while let Some(&byte) = self.buffer.get(self.used) {
                self.used += 1;
                match self.decoder.push(byte) {
                    None | Some(Event::Ack) => {}
                    Some(Event::Nack) => self.write_last()?,
                    Some(event) => {
                        if self.acks {
                            match event {
                                Event::Packet(_) => (&*self.fd).write_all(b"+").ok()?,
                                Event::Damaged => (&*self.fd).write_all(b"-").ok()?,
                                _ => {}
                            }
                        }
                        if event != Event::Damaged {
                            return Some(event);
                        }
                    }
                }
            }
            self.fill()?;
        }
    }

    /// True if `next` would not wait.
    pub(crate) fn has_more(&self) -> bool {
        self.used < self.buffer.len()
    }

    fn fill(&mut self) -> Option<()> {
        self.buffer.resize(0x4000, 0);
        self.used = 0;
        loop {
            match (&*self.fd).read(&mut self.buffer) {
                Ok(0) => return None,
                Ok(n) => {
                    self.buffer.truncate(n);
                    return Some(());
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return None,
            }
        }
    }

    /// Sends a packet; `None` if the client is gone.
    pub(crate) fn send(&mut self, payload: &[u8]) -> Option<()> {
        self.last = encode(payload);
        self.write_last()
    }

    /// From now on nothing is acknowledged.
    pub(crate) fn stop_acks(&mut self) {
        (self.acks, self.decoder.checks) = (false, false);
    }

    fn write_last(&self) -> Option<()> {
        (&*self.fd).write_all(&self.last).ok()
    }

    /// Waits until the client sends something, or `doorbell` has rung.
    pub(crate) fn wait(&self, doorbell: &Aside) {
        /// `POLLIN` in the place of `events` in a `struct pollfd`.
        const IN: u64 = (libc::POLLIN as u64) << 32;
        let of = |fd: i32| IN | u64::from(fd as u32);
        let mut fds = [of(self.fd()), of(doorbell.as_raw_fd())];
        let args = [HostArg::of_mut(&mut fds), 2.into(), 0.into(), 0.into()];
        let _ = host_call(libc::SYS_ppoll, &args);
        let mut count = [0; 8];
        let _ = (&**doorbell).read(&mut count);
    }

    /// True if the client has sent something, or is gone.
    pub(crate) fn is_readable(&self) -> bool {
        const IN: u64 = (libc::POLLIN as u64) << 32;
        let mut fds = [IN | u64::from(self.fd() as u32)];
        let now = [0_u64; 2];
        let args = [HostArg::of_mut(&mut fds), 1.into(), HostArg::of(&now), 0.into()];
        host_call(libc::SYS_ppoll, &args).is_ok_and(|n| n != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let tcp =
            |host: &str, port, wait| Some(Address { place: Place::Tcp(host.into(), port), wait });
        assert_eq!(Address::parse("1234"), tcp("127.0.0.1", 1234, true));
        assert_eq!(Address::parse("0.0.0.0:99,nowait"), tcp("0.0.0.0", 99, false));
        let unix = |path: String, wait| Some(Address { place: Place::Unix(path.into()), wait });
        let pid = std::process::id();
        assert_eq!(Address::parse("unix:s-%p"), unix(format!("s-{pid}"), true));
        assert_eq!(Address::parse("/tmp/%d,nowait"), unix(format!("/tmp/{pid}"), false));
        for bad in ["", "0", "65536", "x", "unix:", "host:", ",nowait"] {
            assert_eq!(Address::parse(bad), None, "{bad}");
        }
    }
}
