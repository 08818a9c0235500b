//! Where a call's stdin comes from and where its stdout and stderr go.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use rustix::io::ReadWriteFlags;
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc;

use crate::call::{Input, Output, OutputSink};
use crate::errno::Errno;
use crate::process::group::{Captured, Group};

/// A descriptor of the host. Its flags are left alone: it may be a terminal that others
/// share.
pub(crate) enum HostFd {
    /// Always ready.
    Plain(OwnedFd),
    /// Waited for with epoll.
    Polled(AsyncFd<OwnedFd>),
}

/// What is safe to write to a pipe that is ready: less never blocks.
const PIPE_BUF: usize = 4096;

impl HostFd {
    /// Must run where tokio's I/O is at hand.
    fn new(fd: OwnedFd) -> HostFd {
        let regular = rustix::fs::fstat(&fd).is_ok_and(|stat| {
            rustix::fs::FileType::from_raw_mode(stat.st_mode) == rustix::fs::FileType::RegularFile
        });
        if regular {
            return HostFd::Plain(fd);
        }
        // epoll does not take /dev/null and its like: those never block.
        // SAFETY: an owned descriptor stays open, and the same, until the `AsyncFd` that
        // owns it is dropped; nobody takes it out or replaces it.
        match unsafe { AsyncFd::register(fd) } {
            Ok(fd) => HostFd::Polled(fd),
            Err(e) => HostFd::Plain(e.into_parts().0),
        }
    }

    fn fd(&self) -> &OwnedFd {
        match self {
            HostFd::Plain(fd) => fd,
            HostFd::Polled(fd) => fd.get_ref(),
        }
    }

    fn ready_now(&self, events: rustix::event::PollFlags) -> bool {
        if matches!(self, HostFd::Plain(_)) {
            return true;
        }
        let mut fds = [rustix::event::PollFd::new(self.fd(), events)];
        let now = rustix::time::Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        rustix::event::poll(&mut fds, Some(&now)).is_ok_and(|n| n > 0)
    }

    fn try_read(&self, buf: &mut [u8]) -> Result<usize, Errno> {
        if !self.ready_now(rustix::event::PollFlags::IN) {
            return Err(Errno::AGAIN);
        }
        Ok(rustix::io::read(self.fd(), buf)?)
    }

    fn try_write(&self, buf: &[u8]) -> Result<usize, Errno> {
        if matches!(self, HostFd::Plain(_)) {
            return Ok(rustix::io::write(self.fd(), buf)?);
        }
        let whole = [std::io::IoSlice::new(buf)];
        match rustix::io::pwritev2(self.fd(), &whole, u64::MAX, ReadWriteFlags::NOWAIT) {
            Err(
                rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::INVAL | rustix::io::Errno::SPIPE,
            ) => {}
            other => return Ok(other?),
        }
        if !self.ready_now(rustix::event::PollFlags::OUT) {
            return Err(Errno::AGAIN);
        }
        let part = buf.get(..buf.len().min(PIPE_BUF)).unwrap_or(buf);
        Ok(rustix::io::write(self.fd(), part)?)
    }

    async fn readable(&self) {
        if let HostFd::Polled(fd) = self {
            while !self.ready_now(rustix::event::PollFlags::IN) {
                match fd.readable().await {
                    Ok(mut guard) => {
                        if !self.ready_now(rustix::event::PollFlags::IN) {
                            guard.clear_ready();
                        }
                    }
                    Err(_) => return,
                }
            }
        }
    }

    async fn writable(&self) {
        if let HostFd::Polled(fd) = self {
            while !self.ready_now(rustix::event::PollFlags::OUT) {
                match fd.writable().await {
                    Ok(mut guard) => {
                        if !self.ready_now(rustix::event::PollFlags::OUT) {
                            guard.clear_ready();
                        }
                    }
                    Err(_) => return,
                }
            }
        }
    }

    /// Rows and columns of a terminal.
    pub(crate) fn terminal_size(&self) -> Option<(u16, u16)> {
        let size = rustix::termios::tcgetwinsize(self.fd().as_fd()).ok()?;
        Some((size.ws_row, size.ws_col))
    }

    pub(crate) fn is_terminal(&self) -> bool {
        rustix::termios::isatty(self.fd().as_fd())
    }

    pub(crate) fn stat(&self) -> Result<rustix::fs::Stat, Errno> {
        Ok(rustix::fs::fstat(self.fd())?)
    }
}

struct StreamIn {
    rx: mpsc::Receiver<Bytes>,
    rest: Bytes,
    ended: bool,
}

enum SourceKind {
    Bytes(Mutex<Bytes>),
    Host(HostFd),
    Stream(Mutex<StreamIn>),
}

/// The call's stdin.
pub(crate) struct Source(SourceKind);

fn read_some(rest: &mut Bytes, bufs: &mut [&mut [u8]]) -> usize {
    let mut done = 0;
    for buf in bufs {
        let part = rest.split_to(rest.len().min(buf.len()));
        if let Some(to) = buf.get_mut(..part.len()) {
            to.copy_from_slice(&part);
        }
        done += part.len();
    }
    done
}

impl Source {
    /// Must run where tokio's I/O is at hand.
    pub(crate) fn new(input: Input) -> Source {
        Source(match input {
            Input::Empty => SourceKind::Bytes(Mutex::new(Bytes::new())),
            Input::Bytes(bytes) => SourceKind::Bytes(Mutex::new(bytes)),
            Input::Fd(fd) => SourceKind::Host(HostFd::new(fd)),
            Input::Stream(rx) => SourceKind::Stream(Mutex::new(StreamIn {
                rx,
                rest: Bytes::new(),
                ended: false,
            })),
        })
    }

    pub(crate) fn host(&self) -> Option<&HostFd> {
        match &self.0 {
            SourceKind::Host(fd) => Some(fd),
            _ => None,
        }
    }

    pub(crate) fn try_read(&self, bufs: &mut [&mut [u8]]) -> Result<usize, Errno> {
        match &self.0 {
            SourceKind::Bytes(rest) => Ok(read_some(&mut rest.lock(), bufs)),
            SourceKind::Host(fd) => {
                let Some(buf) = bufs.iter_mut().find(|b| !b.is_empty()) else {
                    return Ok(0);
                };
                fd.try_read(buf)
            }
            SourceKind::Stream(stream) => {
                let mut stream = stream.lock();
                while stream.rest.is_empty() && !stream.ended {
                    match stream.rx.try_recv() {
                        Ok(bytes) => stream.rest = bytes,
                        Err(mpsc::error::TryRecvError::Empty) => return Err(Errno::AGAIN),
                        Err(mpsc::error::TryRecvError::Disconnected) => stream.ended = true,
                    }
                }
                Ok(read_some(&mut stream.rest, bufs))
            }
        }
    }

    /// Returns when a read would not block.
    pub(crate) async fn readable(&self) {
        match &self.0 {
            SourceKind::Bytes(_) => {}
            SourceKind::Host(fd) => fd.readable().await,
            SourceKind::Stream(stream) => {
                std::future::poll_fn(|cx| {
                    let mut stream = stream.lock();
                    if !stream.rest.is_empty() || stream.ended {
                        return std::task::Poll::Ready(());
                    }
                    match stream.rx.poll_recv(cx) {
                        std::task::Poll::Ready(Some(bytes)) => stream.rest = bytes,
                        std::task::Poll::Ready(None) => stream.ended = true,
                        std::task::Poll::Pending => return std::task::Poll::Pending,
                    }
                    std::task::Poll::Ready(())
                })
                .await;
            }
        }
    }
}

enum SinkKind {
    Null,
    Captured(Arc<Captured>, bool),
    Host(HostFd),
    Stream(mpsc::Sender<Bytes>),
    Shared(Arc<dyn OutputSink>),
}

/// The call's stdout or stderr. Writes count against the call's limit of output bytes.
pub(crate) struct Sink {
    kind: SinkKind,
}

/// Largest chunk given to a stream at once.
const CHUNK: usize = 64 << 10;

impl Sink {
    /// None for [`Output::Merged`]. Must run where tokio's I/O is at hand.
    pub(crate) fn new(output: Output, captured: &Arc<Captured>, stderr: bool) -> Option<Sink> {
        let kind = match output {
            Output::Null => SinkKind::Null,
            Output::Capture => SinkKind::Captured(Arc::clone(captured), stderr),
            Output::Merged => return None,
            Output::Fd(fd) => SinkKind::Host(HostFd::new(fd)),
            Output::Stream(tx) => SinkKind::Stream(tx),
            Output::Shared(sink) => SinkKind::Shared(sink),
        };
        Some(Sink { kind })
    }

    pub(crate) fn host(&self) -> Option<&HostFd> {
        match &self.kind {
            SinkKind::Host(fd) => Some(fd),
            _ => None,
        }
    }

    /// Writes what the limit and the receiver allow.
    pub(crate) fn try_write(&self, group: &Group, bufs: &[&[u8]]) -> Result<usize, Errno> {
        let mut done = 0;
        for buf in bufs.iter().filter(|b| !b.is_empty()) {
            let allowed = group.take_output(buf.len());
            let part = buf.get(..allowed).unwrap_or_default();
            if part.is_empty() {
                // The call is at its end; the writer goes down with it.
                return Ok(done + buf.len());
            }
            match self.write_one(part) {
                Ok(n) => {
                    group.return_output(part.len() - n);
                    done += n;
                    if n < part.len() {
                        break;
                    }
                }
                Err(e) => {
                    group.return_output(part.len());
                    return if done > 0 { Ok(done) } else { Err(e) };
                }
            }
        }
        Ok(done)
    }

    fn write_one(&self, buf: &[u8]) -> Result<usize, Errno> {
        match &self.kind {
            SinkKind::Null => Ok(buf.len()),
            SinkKind::Captured(captured, stderr) => {
                let to = if *stderr {
                    &captured.stderr
                } else {
                    &captured.stdout
                };
                to.lock().extend_from_slice(buf);
                Ok(buf.len())
            }
            SinkKind::Host(fd) => fd.try_write(buf),
            SinkKind::Stream(tx) => {
                let part = buf.get(..buf.len().min(CHUNK)).unwrap_or(buf);
                match tx.try_reserve() {
                    Ok(permit) => {
                        permit.send(Bytes::copy_from_slice(part));
                        Ok(part.len())
                    }
                    Err(mpsc::error::TrySendError::Full(())) => Err(Errno::AGAIN),
                    Err(mpsc::error::TrySendError::Closed(())) => Err(Errno::PIPE),
                }
            }
            SinkKind::Shared(sink) => {
                if sink.write(buf) {
                    Ok(buf.len())
                } else {
                    Err(Errno::PIPE)
                }
            }
        }
    }

    /// Returns when a write would not block.
    pub(crate) async fn writable(&self) {
        match &self.kind {
            SinkKind::Host(fd) => fd.writable().await,
            SinkKind::Stream(tx) => {
                // The permit is given back at once: somebody else may take it first, and
                // then the writer waits again.
                drop(tx.reserve().await);
            }
            _ => {}
        }
    }
}
