//! `poll_oneoff`: clocks, pipes, files and the call's own ends, together.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use smallvec::SmallVec;
use wasmtime::{Caller, Linker};

use super::clock::{Clocks, MONOTONIC, REALTIME};
use super::mem::{Mem, parts};
use super::{MODULE, code, io};
use crate::errno::Errno;
use crate::fd::{Description, Kind};
use crate::process::state::State;

const SUBSCRIPTION: u32 = 48;
const EVENT: u32 = 32;
/// Most subscriptions in one call.
const MAX: u32 = 4096;
/// Longest single sleep; a longer one is as good as none at all.
const LONGEST: Duration = Duration::from_secs(86_400 * 365);

enum Wanted {
    Clock(Duration),
    Read(Arc<Description>),
    Write(Arc<Description>),
    Failed(Errno),
}

struct Subscription {
    userdata: u64,
    tag: u8,
    wanted: Wanted,
}

fn parse(mem: &Mem<'_>, state: &State, at: u32) -> Result<Subscription, Errno> {
    let field = |offset: u32| at.checked_add(offset).ok_or(Errno::FAULT);
    let userdata = mem.u64(at)?;
    let tag = mem.u8(field(8)?)?;
    let wanted = match tag {
        0 => {
            let (id, timeout) = (mem.u32(field(16)?)?, mem.u64(field(24)?)?);
            let absolute = mem.u16(field(40)?)? & 1 != 0;
            let now = match id {
                REALTIME => Some(Clocks::realtime()),
                MONOTONIC => Some(state.group.engine.clocks().monotonic()),
                _ => None,
            };
            match now {
                Some(now) => {
                    let nanos = if absolute {
                        timeout.saturating_sub(now)
                    } else {
                        timeout
                    };
                    Wanted::Clock(Duration::from_nanos(nanos).min(LONGEST))
                }
                None => Wanted::Failed(Errno::NOTSUP),
            }
        }
        1 | 2 => match state.fds.get(mem.u32(field(16)?)?) {
            Err(e) => Wanted::Failed(e),
            Ok(desc) if tag == 1 && desc.read => Wanted::Read(Arc::clone(desc)),
            Ok(desc) if tag == 2 && desc.write => Wanted::Write(Arc::clone(desc)),
            Ok(_) => Wanted::Failed(Errno::BADF),
        },
        _ => return Err(Errno::INVAL),
    };
    Ok(Subscription {
        userdata,
        tag,
        wanted,
    })
}

/// Bytes at hand, and whether the other end is gone.
fn available(desc: &Description, write: bool) -> (u64, bool) {
    match &desc.kind {
        Kind::PipeRead(pipe) => {
            let (n, closed) = pipe.status();
            (n as u64, closed)
        }
        Kind::PipeWrite(pipe) => {
            let (n, closed) = pipe.status();
            (n as u64, closed)
        }
        Kind::File(file) if !write => {
            let at = *desc.offset.lock();
            (file.len().unwrap_or(0).saturating_sub(at), false)
        }
        _ => (1, false),
    }
}

fn put_event(mem: &mut Mem<'_>, at: u32, s: &Subscription) -> Result<(), Errno> {
    let mut b = [0u8; 32];
    b[0..8].copy_from_slice(&s.userdata.to_le_bytes());
    b[10] = s.tag;
    match &s.wanted {
        Wanted::Failed(e) => b[8..10].copy_from_slice(&e.0.to_le_bytes()),
        Wanted::Read(desc) | Wanted::Write(desc) => {
            let (bytes, hangup) = available(desc, s.tag == 2);
            b[16..24].copy_from_slice(&bytes.to_le_bytes());
            b[24] = u8::from(hangup);
        }
        Wanted::Clock(_) => {}
    }
    mem.put(at, &b)
}

type Waiting<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

fn waiting(wanted: &Wanted) -> Waiting<'_> {
    match wanted {
        Wanted::Failed(_) => Box::pin(std::future::ready(())),
        Wanted::Clock(Duration::ZERO) => Box::pin(std::future::ready(())),
        Wanted::Clock(d) => Box::pin(tokio::time::sleep(*d)),
        Wanted::Read(desc) => Box::pin(io::readable(desc)),
        Wanted::Write(desc) => Box::pin(io::writable(desc, 1)),
    }
}

async fn poll_oneoff(
    mut caller: Caller<'_, State>,
    (input, output, count, out): (u32, u32, u32, u32),
) -> wasmtime::Result<u32> {
    let (mem, state) = parts(&mut caller)?;
    let proc = Arc::clone(&state.proc);
    let parsed = (|| {
        if count == 0 || count > MAX {
            return Err(Errno::INVAL);
        }
        // Both tables must be there before anybody waits.
        mem.bytes(input, count * SUBSCRIPTION)?;
        mem.bytes(output, count * EVENT)?;
        (0..count)
            .map(|n| parse(&mem, state, input + n * SUBSCRIPTION))
            .collect()
    })();
    let subscriptions: Vec<Subscription> = match parsed {
        Ok(subscriptions) => subscriptions,
        Err(e) => return Ok(code(Err(e))),
    };
    let mut futures: Vec<Waiting<'_>> = subscriptions.iter().map(|s| waiting(&s.wanted)).collect();
    let ready = io::wait(
        &proc,
        std::future::poll_fn(|cx| {
            let mut ready: SmallVec<[usize; 8]> = SmallVec::new();
            for (n, future) in futures.iter_mut().enumerate() {
                if future.as_mut().poll(cx).is_ready() {
                    ready.push(n);
                }
            }
            if ready.is_empty() {
                Poll::Pending
            } else {
                Poll::Ready(ready)
            }
        }),
    )
    .await;
    let (mut mem, _) = parts(&mut caller)?;
    let result = ready.and_then(|ready| {
        for (at, n) in (0u32..).zip(&ready) {
            if let Some(subscription) = subscriptions.get(*n) {
                put_event(&mut mem, output + at * EVENT, subscription)?;
            }
        }
        mem.put_size(out, ready.len())
    });
    Ok(code(result))
}

pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap_async(MODULE, "poll_oneoff", |caller, args| {
        Box::new(poll_oneoff(caller, args))
    })?;
    Ok(())
}
