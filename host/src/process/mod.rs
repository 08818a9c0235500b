//! What is known of a process and of a call outside the store that runs it.

pub(crate) mod args;
pub(crate) mod group;
pub(crate) mod run;
pub(crate) mod spawn;
pub(crate) mod state;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::task::Waker;

use parking_lot::Mutex;

use crate::report::Termination;
use crate::sched::Meter;
use args::Strings;
use group::Group;

/// Why a process stops, and what people are told.
#[derive(Clone, Debug)]
pub(crate) struct Stop {
    pub(crate) termination: Termination,
    pub(crate) sentence: Option<String>,
}

impl Stop {
    pub(crate) fn plain(termination: Termination) -> Self {
        Stop {
            termination,
            sentence: None,
        }
    }
}

impl std::fmt::Display for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.sentence {
            Some(sentence) => f.write_str(sentence),
            None => self.termination.fmt(f),
        }
    }
}

impl std::error::Error for Stop {}

/// A child that has ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended {
    pub(crate) pid: u32,
    pub(crate) status: u8,
    pub(crate) code: u32,
    cpu_nanos: u64,
    peak_memory: u64,
}

#[derive(Default)]
struct Children {
    live: Vec<u32>,
    ended: VecDeque<Ended>,
    /// Totals of the children that were waited for.
    cpu_nanos: u64,
    peak_memory: u64,
}

/// Outcome of looking for a child that has ended.
pub(crate) enum Reap {
    Ended(Ended),
    NotYet,
    NoChild,
}

/// A process. The store that runs it belongs to its task; everything that others may ask
/// or do is here.
pub(crate) struct Proc {
    pub(crate) pid: u32,
    pub(crate) ppid: u32,
    pub(crate) group: Arc<Group>,
    parent: Weak<Proc>,
    pub(crate) argv: Arc<Strings>,
    task: Mutex<Option<Waker>>,
    doomed: AtomicBool,
    doom: Mutex<Option<Stop>>,
    children: Mutex<Children>,
    /// Bit n: signal n.
    caught: AtomicU64,
    ignored: AtomicU64,
    pending: AtomicU64,
    /// In a host call that waits.
    sleeping: AtomicU32,
    cpu_nanos: AtomicU64,
    memory: AtomicU64,
    peak_memory: AtomicU64,
    /// Fuel booked on the call so far.
    fuel_booked: AtomicU64,
}

pub(crate) const SIGKILL: u32 = 9;
pub(crate) const SIGPIPE: u32 = 13;
pub(crate) const SIGSTOP: u32 = 19;

/// CHLD, CONT, STOP, TSTP, TTIN, TTOU, URG and WINCH do nothing by default.
fn ignored_by_default(signal: u32) -> bool {
    matches!(signal, 17..=23 | 28)
}

impl Proc {
    pub(crate) fn new(
        pid: u32,
        parent: Option<&Arc<Proc>>,
        group: &Arc<Group>,
        argv: Arc<Strings>,
    ) -> Arc<Proc> {
        let ignored = parent.map_or(0, |p| p.ignored.load(Ordering::Acquire));
        Arc::new(Proc {
            pid,
            ppid: parent.map_or(0, |p| p.pid),
            group: Arc::clone(group),
            parent: parent.map_or_else(Weak::new, Arc::downgrade),
            argv,
            task: Mutex::new(None),
            doomed: AtomicBool::new(false),
            doom: Mutex::new(None),
            children: Mutex::new(Children::default()),
            caught: AtomicU64::new(0),
            ignored: AtomicU64::new(ignored),
            pending: AtomicU64::new(0),
            sleeping: AtomicU32::new(0),
            cpu_nanos: AtomicU64::new(0),
            memory: AtomicU64::new(0),
            peak_memory: AtomicU64::new(0),
            fuel_booked: AtomicU64::new(0),
        })
    }

    pub(crate) fn set_task(&self, waker: Waker) {
        *self.task.lock() = Some(waker);
    }

    /// The task is over: lets go of it.
    pub(crate) fn clear_task(&self) {
        *self.task.lock() = None;
    }

    fn wake(&self) {
        let task = self.task.lock().clone();
        if let Some(task) = task {
            task.wake();
        }
    }

    /// Ends the process at its next yield or wait. The first reason counts.
    pub(crate) fn doom(&self, stop: Stop) {
        self.doom.lock().get_or_insert(stop);
        self.doomed.store(true, Ordering::Release);
        self.wake();
    }

    pub(crate) fn doomed(&self) -> Option<Stop> {
        if self.doomed.load(Ordering::Acquire) {
            self.doom.lock().clone()
        } else {
            None
        }
    }

    /// A signal arrives.
    pub(crate) fn signal(&self, signal: u32) {
        let bit = 1u64 << (signal & 63);
        if signal == SIGKILL {
            self.doom(Stop::plain(Termination::Signal(signal)));
        } else if self.ignored.load(Ordering::Acquire) & bit != 0 {
        } else if self.caught.load(Ordering::Acquire) & bit != 0 {
            self.pending.fetch_or(bit, Ordering::AcqRel);
            self.wake();
        } else if !ignored_by_default(signal) {
            self.doom(Stop::plain(Termination::Signal(signal)));
        }
    }

    /// 0 default, 1 ignore, 2 catch.
    pub(crate) fn set_action(&self, signal: u32, disposition: u32) {
        let bit = 1u64 << (signal & 63);
        let set = |mask: &AtomicU64, on: bool| {
            if on {
                mask.fetch_or(bit, Ordering::AcqRel);
            } else {
                mask.fetch_and(!bit, Ordering::AcqRel);
            }
        };
        set(&self.ignored, disposition == 1);
        set(&self.caught, disposition == 2);
        if disposition != 2 {
            self.pending.fetch_and(!bit, Ordering::AcqRel);
        }
    }

    /// Whether the default action of a signal is in force.
    pub(crate) fn has_default(&self, signal: u32) -> bool {
        let bit = 1u64 << (signal & 63);
        (self.ignored.load(Ordering::Acquire) | self.caught.load(Ordering::Acquire)) & bit == 0
    }

    /// A caught signal waits to be taken.
    pub(crate) fn interrupted(&self) -> bool {
        self.pending.load(Ordering::Acquire) != 0
    }

    /// Takes the lowest caught signal; 0 when there is none.
    pub(crate) fn take_signal(&self) -> u32 {
        let mut pending = self.pending.load(Ordering::Acquire);
        while pending != 0 {
            let signal = pending.trailing_zeros();
            match self.pending.compare_exchange_weak(
                pending,
                pending & !(1 << signal),
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => return signal,
                Err(now) => pending = now,
            }
        }
        0
    }

    pub(crate) fn add_child(&self, pid: u32) {
        self.children.lock().live.push(pid);
    }

    /// Looks for an ended child; pid 0 is any.
    pub(crate) fn reap(&self, pid: u32) -> Reap {
        let mut children = self.children.lock();
        let at = if pid == 0 {
            (!children.ended.is_empty()).then_some(0)
        } else {
            children.ended.iter().position(|e| e.pid == pid)
        };
        if let Some(ended) = at.and_then(|at| children.ended.remove(at)) {
            children.cpu_nanos = children.cpu_nanos.saturating_add(ended.cpu_nanos);
            children.peak_memory = children.peak_memory.max(ended.peak_memory);
            return Reap::Ended(ended);
        }
        let waits = if pid == 0 {
            !children.live.is_empty()
        } else {
            children.live.contains(&pid)
        };
        if waits { Reap::NotYet } else { Reap::NoChild }
    }

    /// CPU nanoseconds and peak memory of the children waited for.
    pub(crate) fn children_usage(&self) -> (u64, u64) {
        let children = self.children.lock();
        (children.cpu_nanos, children.peak_memory)
    }

    /// Tells the parent.
    pub(crate) fn notify_parent(&self, termination: &Termination) {
        let Some(parent) = self.parent.upgrade() else {
            return;
        };
        let below = self.children_usage();
        let ended = Ended {
            pid: self.pid,
            status: termination.status(),
            code: termination.code(),
            cpu_nanos: self.cpu_nanos().saturating_add(below.0),
            peak_memory: self.peak_memory().max(below.1),
        };
        {
            let mut children = parent.children.lock();
            if let Some(at) = children.live.iter().position(|p| *p == self.pid) {
                children.live.swap_remove(at);
            }
            children.ended.push_back(ended);
        }
        const SIGCHLD: u32 = 17;
        parent.signal(SIGCHLD);
        parent.wake();
    }

    pub(crate) fn cpu_nanos(&self) -> u64 {
        self.cpu_nanos.load(Ordering::Acquire)
    }

    pub(crate) fn memory(&self) -> u64 {
        self.memory.load(Ordering::Acquire)
    }

    pub(crate) fn peak_memory(&self) -> u64 {
        self.peak_memory.load(Ordering::Acquire)
    }

    pub(crate) fn set_memory(&self, bytes: u64) {
        self.memory.store(bytes, Ordering::Release);
        self.peak_memory.fetch_max(bytes, Ordering::AcqRel);
    }

    pub(crate) fn set_sleeping(&self, sleeping: bool) {
        self.sleeping.store(u32::from(sleeping), Ordering::Release);
    }

    pub(crate) fn is_sleeping(&self) -> bool {
        self.sleeping.load(Ordering::Acquire) != 0
    }

    pub(crate) fn fuel_booked(&self) -> &AtomicU64 {
        &self.fuel_booked
    }
}

impl Meter for Proc {
    fn add_cpu(&self, nanos: u64) {
        self.cpu_nanos.fetch_add(nanos, Ordering::AcqRel);
        self.group.add_cpu(nanos);
    }

    fn panicked(&self) {
        let stop = Stop {
            termination: Termination::Trap("the kernel failed".to_owned()),
            sentence: Some("hardshell: the kernel failed while it ran the process".to_owned()),
        };
        tracing::error!(pid = self.pid, "a process's task panicked");
        self.group.ended(self, &stop);
    }
}
