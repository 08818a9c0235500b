//! Streams of components over the kernel's descriptors.

use std::io::{IoSlice, IoSliceMut};
use std::sync::Arc;

use bytes::Bytes;
use wasmtime_wasi::cli::{IsTerminal, StdinStream, StdoutStream};
use wasmtime_wasi::p2::{InputStream, OutputStream, Pollable, StreamError, StreamResult};

use super::convert;
use crate::errno::Errno;
use crate::fd::{Description, Kind};
use crate::process::group::Group;
use crate::process::state::State;
use crate::vfs::{Actor, FileHandle};
use crate::wasi::io;

/// Most bytes moved at once.
const CHUNK: usize = 64 << 10;

/// stdin, stdout or stderr.
pub(super) struct End {
    desc: Arc<Description>,
    group: Arc<Group>,
    actor: Actor,
}

impl End {
    pub(super) fn new(desc: Arc<Description>, state: &State) -> End {
        End {
            desc,
            group: Arc::clone(&state.group),
            actor: state.actor.fork(),
        }
    }

    fn again(&self) -> End {
        let (desc, group) = (Arc::clone(&self.desc), Arc::clone(&self.group));
        End {
            desc,
            group,
            actor: self.actor.fork(),
        }
    }
}

impl IsTerminal for End {
    fn is_terminal(&self) -> bool {
        crate::wasi::is_terminal(&self.desc)
    }
}

impl StdinStream for End {
    // Only WASI 0.3 asks for this one, and that is not linked.
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncRead + Send + Sync> {
        Box::new(tokio::io::empty())
    }

    fn p2_stream(&self) -> Box<dyn InputStream> {
        Box::new(Reader(self.again()))
    }
}

impl StdoutStream for End {
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(Writer {
            end: self.again(),
            pending: Bytes::new(),
        })
    }
}

fn failed(e: Errno, actor: &Actor) -> StreamError {
    match convert::quota(e, actor) {
        Some(stop) => StreamError::Trap(wasmtime::Error::new(stop)),
        None if e == Errno::PIPE => StreamError::Closed,
        None => StreamError::LastOperationFailed(wasmtime::Error::new(e)),
    }
}

struct Reader(End);

#[async_trait::async_trait]
impl Pollable for Reader {
    async fn ready(&mut self) {
        io::readable(&self.0.desc).await;
    }
}

impl InputStream for Reader {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        if size == 0 {
            return Ok(Bytes::new());
        }
        let mut buf = vec![0u8; size.min(CHUNK)];
        match io::try_read(&self.0.desc, &mut [&mut buf]) {
            Ok(0) => Err(StreamError::Closed),
            Ok(n) => {
                buf.truncate(n);
                Ok(buf.into())
            }
            Err(Errno::AGAIN) => Ok(Bytes::new()),
            Err(e) => Err(failed(e, &self.0.actor)),
        }
    }
}

struct Writer {
    end: End,
    pending: Bytes,
}

impl Writer {
    /// Writes what was accepted before and did not go out yet.
    fn push(&mut self) -> Result<(), Errno> {
        while !self.pending.is_empty() {
            let end = &self.end;
            let n = io::try_write(&end.desc, &end.actor, &end.group, &[&self.pending])?;
            let _ = self.pending.split_to(n.min(self.pending.len()));
        }
        Ok(())
    }
}

#[async_trait::async_trait]
impl Pollable for Writer {
    async fn ready(&mut self) {
        // Any other error comes out of the next write.
        while let Err(Errno::AGAIN) = self.push() {
            io::writable(&self.end.desc, self.pending.len()).await;
        }
        io::writable(&self.end.desc, 1).await;
    }
}

impl OutputStream for Writer {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        // Never more than was permitted, so what waits stays small.
        self.pending = if self.pending.is_empty() {
            bytes
        } else {
            [&self.pending[..], &bytes[..]].concat().into()
        };
        match self.push() {
            Ok(()) | Err(Errno::AGAIN) => Ok(()),
            Err(e) => {
                self.pending = Bytes::new();
                Err(failed(e, &self.end.actor))
            }
        }
    }

    fn flush(&mut self) -> StreamResult<()> {
        match self.push() {
            Ok(()) | Err(Errno::AGAIN) => Ok(()),
            Err(e) => Err(failed(e, &self.end.actor)),
        }
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        match self.push() {
            Ok(()) => {}
            Err(Errno::AGAIN) => return Ok(0),
            Err(e) => return Err(failed(e, &self.end.actor)),
        }
        match &self.end.desc.kind {
            Kind::PipeWrite(pipe) => match pipe.status() {
                (_, true) => Err(StreamError::Closed),
                (free, false) => Ok(free),
            },
            _ => Ok(CHUNK),
        }
    }
}

/// Reads a file from an offset on.
pub(super) struct FileReader {
    pub(super) file: Arc<FileHandle>,
    pub(super) offset: u64,
    pub(super) actor: Actor,
}

#[async_trait::async_trait]
impl Pollable for FileReader {
    async fn ready(&mut self) {}
}

impl InputStream for FileReader {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        let mut buf = vec![0u8; size.min(CHUNK)];
        match self
            .file
            .read_at(&mut [IoSliceMut::new(&mut buf)], self.offset)
        {
            Ok(0) if size > 0 => Err(StreamError::Closed),
            Ok(n) => {
                self.offset = self.offset.saturating_add(n as u64);
                buf.truncate(n);
                Ok(buf.into())
            }
            Err(e) => Err(failed(e, &self.actor)),
        }
    }
}

/// Writes a file from an offset on, or at its end.
pub(super) struct FileWriter {
    pub(super) file: Arc<FileHandle>,
    /// None: always at the end.
    pub(super) offset: Option<u64>,
    pub(super) actor: Actor,
}

#[async_trait::async_trait]
impl Pollable for FileWriter {
    async fn ready(&mut self) {}
}

impl OutputStream for FileWriter {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let slices = [IoSlice::new(rest)];
            let written = match self.offset {
                Some(offset) => self.file.write_at(&self.actor, &slices, offset),
                None => self.file.append(&self.actor, &slices).map(|(n, _)| n),
            };
            let n = written.map_err(|e| failed(e, &self.actor))?;
            self.offset = self.offset.map(|offset| offset.saturating_add(n as u64));
            rest = rest.get(n..).unwrap_or_default();
        }
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(CHUNK)
    }
}
