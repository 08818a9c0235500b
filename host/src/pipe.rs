//! Bounded pipes: back-pressure, end of file, broken pipe.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;

use crate::budget::MemoryBudget;
use crate::errno::Errno;

/// A write of at most this many bytes goes in whole or not at all.
const ATOMIC: usize = 4096;
/// With this many bytes waiting, the reader is worth a thread of its own.
const SHARE: usize = 16 << 10;

struct Ring {
    buf: Box<[u8]>,
    start: usize,
    len: usize,
}

impl Ring {
    /// Copies in as much as fits.
    fn write(&mut self, data: &[u8]) -> usize {
        let cap = self.buf.len();
        let n = data.len().min(cap - self.len);
        let Some(data) = data.get(..n) else { return 0 };
        let end = if cap == 0 {
            0
        } else {
            (self.start + self.len) % cap
        };
        let first = n.min(cap - end);
        let (a, b) = data.split_at(first);
        if let Some(to) = self.buf.get_mut(end..end + first) {
            to.copy_from_slice(a);
        }
        if let Some(to) = self.buf.get_mut(..b.len()) {
            to.copy_from_slice(b);
        }
        self.len += n;
        n
    }

    /// Copies out as much as there is.
    fn read(&mut self, out: &mut [u8]) -> usize {
        let cap = self.buf.len();
        let n = out.len().min(self.len);
        let first = n.min(cap - self.start);
        if let Some(out) = out.get_mut(..n) {
            let (a, b) = out.split_at_mut(first);
            if let Some(from) = self.buf.get(self.start..self.start + first) {
                a.copy_from_slice(from);
            }
            if let Some(from) = self.buf.get(..b.len()) {
                b.copy_from_slice(from);
            }
        }
        self.len -= n;
        self.start = if self.len == 0 || cap == 0 {
            0
        } else {
            (self.start + n) % cap
        };
        n
    }

    /// Makes room for `want` more bytes, within `cap`.
    fn grow(&mut self, want: usize, cap: usize) {
        let need = self.len.saturating_add(want).min(cap);
        if need <= self.buf.len() {
            return;
        }
        let size = need.next_power_of_two().max(ATOMIC).min(cap);
        let mut bigger = vec![0u8; size].into_boxed_slice();
        let len = self.len;
        if let Some(out) = bigger.get_mut(..len) {
            self.read(out);
        }
        *self = Ring {
            buf: bigger,
            start: 0,
            len,
        };
    }
}

struct State {
    ring: Ring,
    readers: usize,
    writers: usize,
    wait_read: Vec<Waker>,
    wait_write: Vec<Waker>,
}

struct Shared {
    state: Mutex<State>,
    cap: usize,
    budget: Arc<MemoryBudget>,
}

/// The end that is read. Dropping the last one breaks the pipe.
pub(crate) struct PipeReader(Arc<Shared>);

/// The end that is written. Dropping the last one ends the file.
pub(crate) struct PipeWriter(Arc<Shared>);

/// A pipe that holds at most `cap` bytes; its buffer is charged to `budget` as it grows.
pub(crate) fn pipe(cap: u32, budget: &Arc<MemoryBudget>) -> (PipeReader, PipeWriter) {
    let shared = Arc::new(Shared {
        state: Mutex::new(State {
            ring: Ring {
                buf: Box::default(),
                start: 0,
                len: 0,
            },
            readers: 1,
            writers: 1,
            wait_read: Vec::new(),
            wait_write: Vec::new(),
        }),
        cap: usize::try_from(cap).unwrap_or(usize::MAX).max(ATOMIC),
        budget: Arc::clone(budget),
    });
    (PipeReader(Arc::clone(&shared)), PipeWriter(shared))
}

fn register(list: &mut Vec<Waker>, cx: &Context<'_>) {
    if !list.iter().any(|w| w.will_wake(cx.waker())) {
        list.push(cx.waker().clone());
    }
}

fn wake_all(list: Vec<Waker>) {
    for waker in list {
        waker.wake();
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let size = self.state.get_mut().ring.buf.len();
        self.budget.release(size as u64);
    }
}

impl PipeReader {
    /// Bytes that can be read now, and whether nobody can add to them.
    pub(crate) fn status(&self) -> (usize, bool) {
        let state = self.0.state.lock();
        (state.ring.len, state.writers == 0)
    }

    /// Reads into the buffers in turn. 0 bytes is the end of the file, or empty buffers.
    pub(crate) fn try_read(&self, bufs: &mut [&mut [u8]]) -> Result<usize, Errno> {
        let mut state = self.0.state.lock();
        if state.ring.len == 0 {
            if state.writers == 0 || bufs.iter().all(|b| b.is_empty()) {
                return Ok(0);
            }
            return Err(Errno::AGAIN);
        }
        let mut done = 0;
        for buf in bufs {
            done += state.ring.read(buf);
        }
        let waiting = std::mem::take(&mut state.wait_write);
        drop(state);
        wake_all(waiting);
        Ok(done)
    }

    /// Ready when a read would not block.
    pub(crate) fn poll_ready(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.0.state.lock();
        if state.ring.len > 0 || state.writers == 0 {
            return Poll::Ready(());
        }
        register(&mut state.wait_read, cx);
        Poll::Pending
    }
}

impl Drop for PipeReader {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.readers -= 1;
        let waiting = std::mem::take(&mut state.wait_write);
        drop(state);
        wake_all(waiting);
    }
}

impl PipeWriter {
    /// Bytes that can be written now, and whether nobody reads any more.
    pub(crate) fn status(&self) -> (usize, bool) {
        let state = self.0.state.lock();
        (self.0.cap - state.ring.len, state.readers == 0)
    }

    /// Writes what fits. AGAIN when nothing does; PIPE when nobody reads; NOBUFS when the
    /// sandbox has no memory left for the buffer.
    pub(crate) fn try_write(&self, bufs: &[&[u8]]) -> Result<usize, Errno> {
        let total: usize = bufs.iter().map(|b| b.len()).sum();
        let mut state = self.0.state.lock();
        if state.readers == 0 {
            return Err(Errno::PIPE);
        }
        if total == 0 {
            return Ok(0);
        }
        let free = self.0.cap - state.ring.len;
        if free == 0 || (total <= ATOMIC && free < total) {
            return Err(Errno::AGAIN);
        }
        let before = state.ring.buf.len();
        let wanted = state.ring.len.saturating_add(total).min(self.0.cap);
        if wanted > before {
            let size = wanted.next_power_of_two().max(ATOMIC).min(self.0.cap);
            if !self.0.budget.charge((size - before) as u64) {
                return Err(Errno::NOBUFS);
            }
            state.ring.grow(total, self.0.cap);
        }
        let mut done = 0;
        for buf in bufs {
            let n = state.ring.write(buf);
            done += n;
            if n < buf.len() {
                break;
            }
        }
        let waiting = std::mem::take(&mut state.wait_read);
        let share = state.ring.len >= SHARE;
        drop(state);
        wake_all(waiting);
        if share {
            crate::sched::share_slot();
        }
        Ok(done)
    }

    /// Ready when a write of `len` bytes would make progress or fail.
    pub(crate) fn poll_ready(&self, cx: &Context<'_>, len: usize) -> Poll<()> {
        let mut state = self.0.state.lock();
        let free = self.0.cap - state.ring.len;
        let need = if len <= ATOMIC { len.max(1) } else { 1 };
        if free >= need || state.readers == 0 {
            return Poll::Ready(());
        }
        register(&mut state.wait_write, cx);
        Poll::Pending
    }
}

impl Drop for PipeWriter {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.writers -= 1;
        let waiting = std::mem::take(&mut state.wait_read);
        drop(state);
        wake_all(waiting);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn small() -> (PipeReader, PipeWriter, Arc<MemoryBudget>) {
        let budget = Arc::new(MemoryBudget::new(1 << 20));
        let (r, w) = pipe(4096, &budget);
        (r, w, budget)
    }

    #[test]
    fn what_goes_in_comes_out_in_order() {
        let (r, w, budget) = small();
        let data: Vec<u8> = (0..=255u8).cycle().take(100_000).collect();
        let (mut sent, mut got) = (0, Vec::new());
        let mut buf = [0u8; 777];
        while got.len() < data.len() {
            let to = data.len().min(sent + 1000);
            match w.try_write(&[&data[sent..to]]) {
                Ok(n) => sent += n,
                Err(e) => assert_eq!(e, Errno::AGAIN),
            }
            match r.try_read(&mut [&mut buf]) {
                Ok(n) => got.extend_from_slice(&buf[..n]),
                Err(e) => assert_eq!(e, Errno::AGAIN),
            }
        }
        assert_eq!(got, data);
        assert_eq!(budget.used(), 4096);
        drop((r, w));
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn ends_and_breaks() {
        let (r, w, _) = small();
        let mut buf = [0u8; 8];
        assert_eq!(r.try_read(&mut [&mut buf]), Err(Errno::AGAIN));
        w.try_write(&[b"ab"]).unwrap();
        drop(w);
        assert_eq!(r.try_read(&mut [&mut buf]), Ok(2));
        assert_eq!(r.try_read(&mut [&mut buf]), Ok(0));
        let (r, w, _) = small();
        drop(r);
        assert_eq!(w.try_write(&[b"ab"]), Err(Errno::PIPE));
    }

    #[test]
    fn small_writes_are_whole() {
        let (_r, w, _) = small();
        assert_eq!(w.try_write(&[&[1; 4000]]), Ok(4000));
        assert_eq!(w.try_write(&[&[1; 100]]), Err(Errno::AGAIN));
        assert_eq!(w.try_write(&[&[1; 96]]), Ok(96));
    }
}
