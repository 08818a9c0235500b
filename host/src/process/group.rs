//! The processes of one call, and what they share: limits, accounts, the end.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::{Proc, Stop};
use crate::budget::MemoryBudget;
use crate::engine::Engine;
use crate::limits::Limits;
use crate::program::Program;
use crate::report::{Progress, Report, Termination};
use crate::sandbox::{CommandSet, SandboxInner};
use crate::sentence;
use crate::vfs::{CallJournal, Vfs};

/// What is kept of the output for the report.
#[derive(Default)]
pub(crate) struct Captured {
    pub(crate) stdout: Mutex<Vec<u8>>,
    pub(crate) stderr: Mutex<Vec<u8>>,
}

struct Table {
    live: BTreeMap<u32, Arc<Proc>>,
    next_pid: u32,
    /// Why the call as a whole ends, when it was not the root process that said so.
    stop: Option<Stop>,
    root: Option<Stop>,
    limit_hits: Vec<String>,
    final_cwd: Option<Vec<u8>>,
    done: Option<oneshot::Sender<Report>>,
}

/// A call.
pub(crate) struct Group {
    me: Weak<Group>,
    pub(crate) id: u64,
    pub(crate) sandbox: Arc<SandboxInner>,
    /// The sandbox's files, or what this call may see of them.
    pub(crate) vfs: Arc<Vfs>,
    commands: OnceLock<CommandSet>,
    pub(crate) engine: Engine,
    pub(crate) limits: Limits,
    pub(crate) memory: Arc<MemoryBudget>,
    pub(crate) journal: Arc<CallJournal>,
    pub(crate) captured: Arc<Captured>,
    started: Mutex<Instant>,
    deadline: Mutex<Option<Instant>>,
    pauses: Mutex<Pauses>,
    table: Mutex<Table>,
    alive: AtomicU32,
    started_count: AtomicU64,
    cpu_nanos: AtomicU64,
    cpu_limit: u64,
    output: AtomicU64,
    fuel_used: AtomicU64,
    over: AtomicBool,
    keep_cwd: bool,
}

/// When the clock of a call stands still: while a command of the registry is compiled, which
/// happens once on a host and is not the call's doing.
#[derive(Default)]
struct Pauses {
    running: u32,
    since: Option<Instant>,
    over: Duration,
}

impl Pauses {
    fn total(&self) -> Duration {
        self.over + self.since.map_or(Duration::ZERO, |since| since.elapsed())
    }
}

/// The clock of a call goes on when this is dropped.
pub(crate) struct Paused<'a>(&'a Group);

impl Drop for Paused<'_> {
    fn drop(&mut self) {
        let mut pauses = self.0.pauses.lock();
        pauses.running = pauses.running.saturating_sub(1);
        if pauses.running == 0
            && let Some(since) = pauses.since.take()
        {
            pauses.over += since.elapsed();
        }
    }
}

/// How often a deadline is looked at again that came while the clock stood still.
const PAUSE_STEP: Duration = Duration::from_millis(20);

/// How long processes may live on that the root process has left behind.
pub(crate) const ORPHAN_GRACE: Duration = Duration::from_millis(250);

impl Group {
    pub(crate) fn new(
        id: u64,
        sandbox: Arc<SandboxInner>,
        vfs: Arc<Vfs>,
        limits: Limits,
        keep_cwd: bool,
        done: oneshot::Sender<Report>,
    ) -> Arc<Group> {
        let engine = sandbox.registry.engine().clone();
        let memory = Arc::new(MemoryBudget::below(limits.memory, &sandbox.memory));
        Arc::new_cyclic(|me| Group {
            me: me.clone(),
            id,
            vfs,
            commands: OnceLock::new(),
            engine,
            memory,
            journal: CallJournal::new(),
            captured: Arc::default(),
            started: Mutex::new(Instant::now()),
            deadline: Mutex::new(None),
            pauses: Mutex::default(),
            table: Mutex::new(Table {
                live: BTreeMap::new(),
                next_pid: 1,
                stop: None,
                root: None,
                limit_hits: Vec::new(),
                final_cwd: None,
                done: Some(done),
            }),
            alive: AtomicU32::new(0),
            started_count: AtomicU64::new(0),
            cpu_nanos: AtomicU64::new(0),
            cpu_limit: u64::try_from(limits.cpu.as_nanos()).unwrap_or(u64::MAX),
            output: AtomicU64::new(0),
            fuel_used: AtomicU64::new(0),
            over: AtomicBool::new(false),
            keep_cwd,
            sandbox,
            limits,
        })
    }

    /// The root process changed its working directory.
    pub(crate) fn set_final_cwd(&self, cwd: &[u8]) {
        self.table.lock().final_cwd = Some(cwd.to_vec());
    }

    /// Leaves only these of the sandbox's commands to be started.
    pub(crate) fn restrict(&self, commands: CommandSet) {
        let _ = self.commands.set(commands);
    }

    /// The program behind a command name, if the call may start it.
    pub(crate) fn command(&self, name: &[u8]) -> Option<Arc<Program>> {
        if let Some(commands) = self.commands.get()
            && !std::str::from_utf8(name).is_ok_and(|name| commands.allows(name))
        {
            return None;
        }
        self.sandbox.command(name)
    }

    /// Makes room for one more process and gives it its number. An error ends the caller.
    pub(crate) fn admit(
        self: &Arc<Self>,
        parent: Option<&Arc<Proc>>,
        argv: Arc<super::args::Strings>,
    ) -> Result<Arc<Proc>, Stop> {
        let started = self.started_count.load(Ordering::Acquire);
        let alive = self.alive.load(Ordering::Acquire);
        let stop = if started >= self.limits.processes_started {
            Some(sentence::processes_started(self.limits.processes_started))
        } else if alive >= self.limits.processes {
            Some(sentence::processes_alive(self.limits.processes))
        } else {
            None
        };
        if let Some(stop) = stop {
            self.terminate(stop.clone());
            return Err(stop);
        }
        let mut table = self.table.lock();
        if let Some(stop) = &table.stop {
            return Err(stop.clone());
        }
        let pid = table.next_pid;
        table.next_pid = pid.wrapping_add(1).max(1);
        let proc = Proc::new(pid, parent, self, argv);
        table.live.insert(pid, Arc::clone(&proc));
        drop(table);
        self.alive.fetch_add(1, Ordering::AcqRel);
        self.started_count.fetch_add(1, Ordering::AcqRel);
        self.sandbox.processes.fetch_add(1, Ordering::Relaxed);
        if let Some(parent) = parent {
            parent.add_child(pid);
        }
        Ok(proc)
    }

    /// The process has ended and its store is gone.
    pub(crate) fn ended(&self, proc: &Proc, stop: &Stop) {
        let mut table = self.table.lock();
        if table.live.remove(&proc.pid).is_none() {
            return;
        }
        if let Some(sentence) = &stop.sentence
            && stop.termination.is_limit()
            && !table.limit_hits.contains(sentence)
            && table.limit_hits.len() < 64
        {
            table.limit_hits.push(sentence.clone());
        }
        let is_root = proc.ppid == 0;
        if is_root {
            table.root = Some(stop.clone());
        }
        drop(table);
        proc.notify_parent(&stop.termination);
        let left = self.alive.fetch_sub(1, Ordering::AcqRel).saturating_sub(1);
        if left == 0 {
            self.finish();
        } else if is_root {
            self.set_deadline(Instant::now() + ORPHAN_GRACE);
        }
    }

    /// Ends every process. The first reason counts.
    pub(crate) fn terminate(&self, stop: Stop) {
        let mut table = self.table.lock();
        let stop = table.stop.get_or_insert(stop).clone();
        if stop.termination.is_limit()
            && let Some(sentence) = &stop.sentence
            && !table.limit_hits.contains(sentence)
        {
            let sentence = sentence.clone();
            table.limit_hits.push(sentence);
        }
        let live: Vec<Arc<Proc>> = table.live.values().cloned().collect();
        drop(table);
        for proc in live {
            proc.doom(Stop {
                sentence: None,
                ..stop.clone()
            });
        }
    }

    /// The deadline has come.
    pub(crate) fn deadline_reached(&self) {
        let root_gone = self.table.lock().root.is_some();
        if root_gone {
            self.terminate(Stop::plain(Termination::Cancelled));
        } else {
            let used = self.started.lock().elapsed();
            let (paused, standing) = {
                let pauses = self.pauses.lock();
                (pauses.total(), pauses.running > 0)
            };
            let counted = used.saturating_sub(paused);
            if counted >= self.limits.wall {
                self.terminate(sentence::deadline(self.limits.wall, counted));
            } else {
                let left = self.limits.wall.saturating_sub(counted);
                let step = if standing { left.max(PAUSE_STEP) } else { left };
                self.renew_deadline(Instant::now() + step);
            }
        }
    }

    /// Sets a deadline in place of one that has come.
    fn renew_deadline(&self, at: Instant) {
        if self.over.load(Ordering::Acquire) {
            return;
        }
        *self.deadline.lock() = Some(at);
        self.engine.set_deadline(self.me.clone(), self.id, None, at);
    }

    /// Stops the clock of the call while one of the registry's own programs is compiled.
    /// Modules out of files do not: the guest chooses them.
    pub(crate) fn pause_for(&self, program: &Arc<Program>) -> Option<Paused<'_>> {
        let ours = program.names().iter().any(|name| {
            self.command(name.as_bytes())
                .is_some_and(|known| Arc::ptr_eq(&known, program))
        });
        if !ours {
            return None;
        }
        let mut pauses = self.pauses.lock();
        pauses.running += 1;
        pauses.since.get_or_insert_with(Instant::now);
        Some(Paused(self))
    }

    pub(crate) fn set_deadline(&self, at: Instant) {
        let mut deadline = self.deadline.lock();
        if deadline.is_some_and(|old| old <= at) {
            return;
        }
        let old = deadline.replace(at);
        drop(deadline);
        self.engine.set_deadline(self.me.clone(), self.id, old, at);
    }

    fn finish(&self) {
        if self.over.swap(true, Ordering::AcqRel) {
            return;
        }
        if let Some(at) = self.deadline.lock().take() {
            self.engine.deadlines().removed(self.id, at);
        }
        self.sandbox
            .call_over(self.cpu_nanos.load(Ordering::Acquire));
        let mut table = self.table.lock();
        let root = table.root.take();
        // What ended the root itself counts, unless the whole call was ended before.
        let stop = match (table.stop.take(), root) {
            (Some(stop), Some(root)) if root.termination.code() != stop.termination.code() => root,
            (Some(stop), _) | (None, Some(stop)) => stop,
            (None, None) => Stop::plain(Termination::Cancelled),
        };
        let cwd = table.final_cwd.take();
        let limit_hits = std::mem::take(&mut table.limit_hits);
        let done = table.done.take();
        drop(table);
        if self.keep_cwd
            && let Some(cwd) = &cwd
        {
            self.sandbox.keep_cwd(cwd);
        }
        let final_cwd = cwd.map_or_else(
            || "/".to_owned(),
            |cwd| String::from_utf8_lossy(&cwd).into_owned(),
        );
        let report = Report {
            status: stop.termination.status(),
            sentence: stop.sentence.clone(),
            termination: stop.termination,
            limit_hits,
            cpu_time: Duration::from_nanos(self.cpu_nanos.load(Ordering::Acquire)),
            fuel: self
                .limits
                .fuel
                .map(|_| self.fuel_used.load(Ordering::Acquire)),
            peak_memory: self.memory.peak(),
            wall_time: self.started.lock().elapsed(),
            processes: u32::try_from(self.started_count.load(Ordering::Acquire))
                .unwrap_or(u32::MAX),
            output_bytes: self.output.load(Ordering::Acquire),
            changes: self.journal.changes(),
            changes_complete: !self.journal.scan_needed(),
            stdout: std::mem::take(&mut *self.captured.stdout.lock()),
            stderr: std::mem::take(&mut *self.captured.stderr.lock()),
            final_cwd,
        };
        if let Some(done) = done {
            let _ = done.send(report);
        }
    }

    /// The clock of the call starts.
    pub(crate) fn begin(&self) {
        let now = Instant::now();
        *self.started.lock() = now;
        self.set_deadline(now + self.limits.wall);
    }

    /// Ends a call whose root process never started because of a limit.
    pub(crate) fn never_started_for(&self, stop: Stop) {
        self.table.lock().root.get_or_insert(stop);
        self.finish();
    }

    /// Ends a call whose root process never started.
    pub(crate) fn never_started(&self, status: u8, text: String) {
        {
            let mut stderr = self.captured.stderr.lock();
            stderr.extend_from_slice(text.as_bytes());
            stderr.push(b'\n');
        }
        let mut table = self.table.lock();
        table.root = Some(Stop {
            termination: Termination::Exited(status),
            sentence: Some(text),
        });
        drop(table);
        self.finish();
    }

    pub(crate) fn add_cpu(&self, nanos: u64) {
        let before = self.cpu_nanos.fetch_add(nanos, Ordering::AcqRel);
        let now = before.saturating_add(nanos);
        if now >= self.cpu_limit && before < self.cpu_limit {
            self.terminate(sentence::cpu_time(self.limits.cpu));
        }
    }

    /// Books fuel; ends the call when there is none left.
    pub(crate) fn add_fuel(&self, fuel: u64) {
        let used = self
            .fuel_used
            .fetch_add(fuel, Ordering::AcqRel)
            .saturating_add(fuel);
        if let Some(limit) = self.limits.fuel
            && used > limit
        {
            self.terminate(sentence::fuel(limit));
        }
    }

    /// Gives booked fuel back.
    pub(crate) fn return_fuel(&self, fuel: u64) {
        self.fuel_used.fetch_sub(fuel, Ordering::AcqRel);
    }

    pub(crate) fn fuel_left(&self) -> Option<u64> {
        let limit = self.limits.fuel?;
        Some(limit.saturating_sub(self.fuel_used.load(Ordering::Acquire)))
    }

    /// How many of `len` bytes of output may still be written; they are booked. None to
    /// come after the limit: the call ends.
    pub(crate) fn take_output(&self, len: usize) -> usize {
        let len = len as u64;
        let before = self.output.fetch_add(len, Ordering::AcqRel);
        let limit = self.limits.output_bytes;
        if before.saturating_add(len) <= limit {
            return usize::try_from(len).unwrap_or(usize::MAX);
        }
        let allowed = limit.saturating_sub(before).min(len);
        self.output.fetch_sub(len - allowed, Ordering::AcqRel);
        self.terminate(sentence::output(limit));
        usize::try_from(allowed).unwrap_or(0)
    }

    pub(crate) fn return_output(&self, len: usize) {
        self.output.fetch_sub(len as u64, Ordering::AcqRel);
    }

    pub(crate) fn output_left(&self) -> u64 {
        self.limits
            .output_bytes
            .saturating_sub(self.output.load(Ordering::Acquire))
    }

    pub(crate) fn deadline_left(&self) -> Option<Duration> {
        (*self.deadline.lock())?;
        let used = self.started.lock().elapsed();
        let counted = used.saturating_sub(self.pauses.lock().total());
        Some(self.limits.wall.saturating_sub(counted))
    }

    pub(crate) fn process(&self, pid: u32) -> Option<Arc<Proc>> {
        self.table.lock().live.get(&pid).cloned()
    }

    pub(crate) fn processes(&self) -> Vec<Arc<Proc>> {
        self.table.lock().live.values().cloned().collect()
    }

    pub(crate) fn signal(&self, signal: u32) {
        for proc in self.processes() {
            proc.signal(signal);
        }
    }

    pub(crate) fn progress(&self) -> Progress {
        Progress {
            elapsed: self.started.lock().elapsed(),
            cpu_time: Duration::from_nanos(self.cpu_nanos.load(Ordering::Acquire)),
            output_bytes: self.output.load(Ordering::Acquire),
            processes: self.alive.load(Ordering::Acquire),
        }
    }
}
