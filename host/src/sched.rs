//! The threads that run guests, and who runs next.
//!
//! Work is queued by group (a sandbox); the group that has used the least CPU runs next,
//! so that a sandbox with fifty busy processes weighs no more than one with a single
//! short command. A task woken by the task that is running goes to a slot of the same
//! thread and runs right behind it: a parent that waits for a tiny child hands over
//! without a lock and without waking another core.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

type BoxFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Told about the CPU time of a task after each of its polls.
pub(crate) trait Meter: Send + Sync {
    /// Adds the CPU time of one poll.
    fn add_cpu(&self, nanos: u64);
    /// The task's code panicked and the task is gone.
    fn panicked(&self);
}

const IDLE: u8 = 0;
const QUEUED: u8 = 1;
const RUNNING: u8 = 2;
const NOTIFIED: u8 = 3;
const DONE: u8 = 4;

/// How long a chain of hand-overs may keep a thread from the common queue.
const CHAIN_NANOS: u64 = 1_000_000;
/// How far behind the others a group may start that has slept.
const SLEEPER_CREDIT: u64 = 2_000_000;
/// Turns of looking for work before a thread goes to sleep.
const SPINS: u32 = 2_000;

pub(crate) struct Task {
    state: AtomicU8,
    future: Mutex<Option<BoxFuture>>,
    group: Arc<Group>,
    shared: Arc<Shared>,
    meter: Arc<dyn Meter>,
}

/// The unit of fairness.
pub(crate) struct Group {
    id: u64,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    tasks: VecDeque<Arc<Task>>,
    vruntime: u64,
    listed: bool,
}

#[derive(Default)]
struct Ready {
    groups: BTreeMap<(u64, u64), Arc<Group>>,
    floor: u64,
    parked: usize,
    stop: bool,
}

pub(crate) struct Shared {
    ready: Mutex<Ready>,
    wake: Condvar,
    /// Groups with work; a hint that is read without the lock.
    queued: AtomicUsize,
    /// Threads that poll at this moment.
    running: AtomicUsize,
    ticker_idle: AtomicBool,
    ticker: Mutex<Option<std::thread::Thread>>,
    next_group: AtomicU64,
}

struct Local {
    shared: RefCell<Option<Arc<Shared>>>,
    group: Cell<u64>,
    /// CPU time of the thread when the running poll began.
    since: Cell<u64>,
    slot: RefCell<Option<Arc<Task>>>,
}

thread_local! {
    static LOCAL: Local = const {
        Local {
            shared: RefCell::new(None),
            group: Cell::new(0),
            since: Cell::new(0),
            slot: RefCell::new(None),
        }
    };
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        if self.mark_woken() {
            Task::hand_over(self);
        }
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.mark_woken() {
            Task::hand_over(Arc::clone(self));
        }
    }
}

impl Task {
    /// True when the caller must queue it.
    fn mark_woken(&self) -> bool {
        let mut state = self.state.load(Ordering::Acquire);
        loop {
            let next = match state {
                IDLE => QUEUED,
                RUNNING => NOTIFIED,
                _ => return false,
            };
            match self
                .state
                .compare_exchange_weak(state, next, Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(_) => return next == QUEUED,
                Err(now) => state = now,
            }
        }
    }

    /// Into the slot of this thread when a task of the same group runs here, else into
    /// the common queue.
    fn hand_over(task: Arc<Task>) {
        let rest = LOCAL.with(|local| {
            let here = local.group.get() == task.group.id
                && local
                    .shared
                    .borrow()
                    .as_ref()
                    .is_some_and(|shared| Arc::ptr_eq(shared, &task.shared));
            if here {
                local.slot.replace(Some(task))
            } else {
                Some(task)
            }
        });
        if let Some(task) = rest {
            let shared = Arc::clone(&task.shared);
            shared.push(task);
        }
    }
}

/// Gives a task that waits behind the running one to another thread. For a writer that
/// has filled enough of a pipe for its reader to work beside it.
pub(crate) fn share_slot() {
    let task = LOCAL.with(|local| local.slot.take());
    if let Some(task) = task {
        let shared = Arc::clone(&task.shared);
        shared.push(task);
    }
}

impl Shared {
    fn push(&self, task: Arc<Task>) {
        let mut ready = self.ready.lock();
        ready.push(task);
        self.queued.store(ready.groups.len(), Ordering::Relaxed);
        let wake = ready.parked > 0;
        drop(ready);
        if wake {
            self.wake.notify_one();
        }
    }

    fn busy(&self) {
        if self.ticker_idle.load(Ordering::SeqCst) {
            self.wake_ticker();
        }
    }

    #[cold]
    fn wake_ticker(&self) {
        self.ticker_idle.store(false, Ordering::SeqCst);
        if let Some(thread) = self.ticker.lock().as_ref() {
            thread.unpark();
        }
    }
}

impl Ready {
    fn push(&mut self, task: Arc<Task>) {
        let group = Arc::clone(&task.group);
        let mut queue = group.queue.lock();
        queue.tasks.push_back(task);
        if !queue.listed {
            queue.listed = true;
            queue.vruntime = queue
                .vruntime
                .max(self.floor.saturating_sub(SLEEPER_CREDIT));
            self.groups
                .insert((queue.vruntime, group.id), Arc::clone(&group));
        }
    }

    /// Books what a group has used.
    fn charge(&mut self, group: &Arc<Group>, nanos: u64) {
        let mut queue = group.queue.lock();
        if queue.listed {
            self.groups.remove(&(queue.vruntime, group.id));
        }
        queue.vruntime = queue.vruntime.saturating_add(nanos);
        if queue.listed {
            self.groups
                .insert((queue.vruntime, group.id), Arc::clone(group));
        }
    }

    fn pop(&mut self) -> Option<Arc<Task>> {
        let ((vruntime, id), group) = self.groups.pop_first()?;
        self.floor = self.floor.max(vruntime);
        let mut queue = group.queue.lock();
        let task = queue.tasks.pop_front();
        if queue.tasks.is_empty() {
            queue.listed = false;
        } else {
            self.groups.insert((vruntime, id), Arc::clone(&group));
        }
        task
    }
}

/// The worker threads. Stops them when dropped; tasks that still live are dropped with
/// their last waker.
pub(crate) struct Scheduler {
    shared: Arc<Shared>,
}

impl Scheduler {
    /// Starts the threads; each of them enters `io` so that timers and descriptors work.
    pub(crate) fn start(threads: usize, io: &tokio::runtime::Handle) -> std::io::Result<Scheduler> {
        let shared = Arc::new(Shared {
            ready: Mutex::new(Ready::default()),
            wake: Condvar::new(),
            queued: AtomicUsize::new(0),
            running: AtomicUsize::new(0),
            ticker_idle: AtomicBool::new(false),
            ticker: Mutex::new(None),
            next_group: AtomicU64::new(1),
        });
        let scheduler = Scheduler { shared };
        for n in 0..threads.max(1) {
            let shared = Arc::clone(&scheduler.shared);
            let io = io.clone();
            std::thread::Builder::new()
                .name(format!("hs-guest-{n}"))
                .spawn(move || worker(&shared, &io))?;
        }
        Ok(scheduler)
    }

    /// A new unit of fairness.
    pub(crate) fn group(&self) -> Arc<Group> {
        Arc::new(Group {
            id: self.shared.next_group.fetch_add(1, Ordering::Relaxed),
            queue: Mutex::new(Queue::default()),
        })
    }

    /// Queues a task and returns what wakes it.
    pub(crate) fn spawn(
        &self,
        group: &Arc<Group>,
        meter: Arc<dyn Meter>,
        future: impl Future<Output = ()> + Send + 'static,
        started: impl FnOnce(Waker),
    ) {
        let task = Arc::new(Task {
            state: AtomicU8::new(QUEUED),
            future: Mutex::new(Some(Box::pin(future))),
            group: Arc::clone(group),
            shared: Arc::clone(&self.shared),
            meter,
        });
        started(Waker::from(Arc::clone(&task)));
        Task::hand_over(task);
    }

    /// Makes the thread of `tick` the ticker: called at the given interval while guests
    /// run, and otherwise when `next_due` says. Ends when `tick` says false.
    pub(crate) fn start_ticker(
        &self,
        interval: Duration,
        mut tick: impl FnMut(bool) -> Option<Option<Duration>> + Send + 'static,
    ) -> std::io::Result<()> {
        let shared = Arc::clone(&self.shared);
        let handle = std::thread::Builder::new()
            .name("hs-tick".into())
            .spawn(move || {
                let mut quiet = 0u32;
                loop {
                    let running = shared.running.load(Ordering::SeqCst) > 0;
                    let Some(due) = tick(running) else { return };
                    quiet = if running { 0 } else { quiet.saturating_add(1) };
                    if quiet < 100 {
                        std::thread::sleep(interval);
                        continue;
                    }
                    shared.ticker_idle.store(true, Ordering::SeqCst);
                    if shared.running.load(Ordering::SeqCst) == 0 {
                        match due {
                            Some(due) => std::thread::park_timeout(due),
                            None => std::thread::park(),
                        }
                    }
                    shared.ticker_idle.store(false, Ordering::SeqCst);
                    quiet = 99;
                }
            })?;
        *self.shared.ticker.lock() = Some(handle.thread().clone());
        Ok(())
    }

    /// Has the ticker look at its deadlines again.
    pub(crate) fn poke_ticker(&self) {
        self.shared.busy();
    }

    /// Ends the ticker's sleep for good.
    pub(crate) fn wake_ticker(&self) {
        self.shared.wake_ticker();
    }
}

impl Drop for Scheduler {
    fn drop(&mut self) {
        self.shared.ready.lock().stop = true;
        self.shared.wake.notify_all();
    }
}

/// CPU time of the calling thread, nanoseconds.
pub(crate) fn thread_cpu() -> u64 {
    let t = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let (s, n) = (
        u64::try_from(t.tv_sec).unwrap_or(0),
        u64::try_from(t.tv_nsec).unwrap_or(0),
    );
    s.saturating_mul(1_000_000_000).saturating_add(n)
}

/// CPU time of the running poll so far, nanoseconds.
pub(crate) fn unbooked_cpu() -> u64 {
    thread_cpu().saturating_sub(LOCAL.with(|local| local.since.get()))
}

fn worker(shared: &Arc<Shared>, io: &tokio::runtime::Handle) {
    let _io = io.enter();
    LOCAL.with(|local| *local.shared.borrow_mut() = Some(Arc::clone(shared)));
    let mut last = thread_cpu();
    let mut task = wait_for_work(shared);
    while let Some(current) = task {
        let group = Arc::clone(&current.group);
        LOCAL.with(|local| local.group.set(group.id));
        shared.running.fetch_add(1, Ordering::SeqCst);
        shared.busy();
        // A chain: the task and whoever it hands over to.
        let mut chain = 0u64;
        let mut again = None;
        let mut link = Some(current);
        while let Some(current) = link.take() {
            LOCAL.with(|local| local.since.set(last));
            let rerun = poll(&current);
            let now = thread_cpu();
            let used = now.saturating_sub(last);
            last = now;
            chain = chain.saturating_add(used);
            current.meter.add_cpu(used);
            if rerun {
                // It asked to run again: behind the others.
                again = Some(current);
                break;
            }
            if chain < CHAIN_NANOS {
                link = LOCAL.with(|local| local.slot.take());
            }
        }
        let slot = LOCAL.with(|local| {
            local.group.set(0);
            local.slot.take()
        });
        shared.running.fetch_sub(1, Ordering::SeqCst);
        let mut ready = shared.ready.lock();
        for queued in [slot, again].into_iter().flatten() {
            ready.push(queued);
        }
        ready.charge(&group, chain);
        task = ready.pop();
        shared.queued.store(ready.groups.len(), Ordering::Relaxed);
        // More work than this thread can do at once: have another one help.
        let help = !ready.groups.is_empty() && ready.parked > 0;
        let stop = ready.stop;
        drop(ready);
        if help {
            shared.wake.notify_one();
        }
        if stop {
            break;
        }
        if task.is_none() {
            task = wait_for_work(shared);
            last = thread_cpu();
        }
    }
    LOCAL.with(|local| *local.shared.borrow_mut() = None);
}

fn wait_for_work(shared: &Shared) -> Option<Arc<Task>> {
    for _ in 0..SPINS {
        if shared.queued.load(Ordering::Relaxed) > 0 {
            break;
        }
        std::hint::spin_loop();
    }
    let mut ready = shared.ready.lock();
    loop {
        if ready.stop {
            return None;
        }
        if let Some(task) = ready.pop() {
            shared.queued.store(ready.groups.len(), Ordering::Relaxed);
            return Some(task);
        }
        ready.parked = ready.parked.saturating_add(1);
        shared.wake.wait(&mut ready);
        ready.parked = ready.parked.saturating_sub(1);
    }
}

/// Polls once; true when the task must be queued again.
fn poll(task: &Arc<Task>) -> bool {
    task.state.store(RUNNING, Ordering::Release);
    let mut future = task.future.lock();
    let Some(running) = future.as_mut() else {
        task.state.store(DONE, Ordering::Release);
        return false;
    };
    let waker = Waker::from(Arc::clone(task));
    let mut cx = Context::from_waker(&waker);
    match catch_unwind(AssertUnwindSafe(|| running.as_mut().poll(&mut cx))) {
        Ok(Poll::Pending) => {
            drop(future);
            match task
                .state
                .compare_exchange(RUNNING, IDLE, Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(_) => false,
                Err(_) => {
                    task.state.store(QUEUED, Ordering::Release);
                    true
                }
            }
        }
        outcome => {
            task.state.store(DONE, Ordering::Release);
            let finished = future.take();
            drop(future);
            // A panic while dropping must not take the thread along either.
            let dropped = catch_unwind(AssertUnwindSafe(|| drop(finished)));
            if outcome.is_err() || dropped.is_err() {
                task.meter.panicked();
            }
            false
        }
    }
}
