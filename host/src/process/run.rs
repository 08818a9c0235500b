//! Runs a process: instantiation, `_start`, and how it ended.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use wasmtime::{InstancePre, Store, Trap};

use super::state::State;
use super::{Proc, Stop};
use crate::component::{self, ComponentState};
use crate::engine::{Bound, Linked, Loaded};
use crate::report::Termination;
use crate::sched::Meter;
use crate::sentence;

/// Starts the task of a process.
pub(crate) fn launch(loaded: Arc<Loaded>, mut state: State) {
    state.aware = matches!(&loaded.code, Linked::Module { aware: true, .. });
    let proc = Arc::clone(&state.proc);
    let group = Arc::clone(&state.group);
    let unit = Arc::clone(&group.sandbox.unit);
    let meter: Arc<dyn Meter> = Arc::clone(&proc) as Arc<dyn Meter>;
    let task_of = Arc::clone(&proc);
    let slice = match loaded.bound {
        Bound::Epoch => None,
        Bound::Fuel => Some(group.engine.config().fuel_slice.max(1)),
    };
    let running = Arc::clone(&proc);
    let future = async move {
        let body = Box::pin(body(loaded, state, slice));
        let stop = Guard {
            proc: Arc::clone(&running),
            body: Some(body),
            slice,
        }
        .await;
        running.clear_task();
        running.group.engine.return_place();
        running.group.ended(&running, &stop);
    };
    group
        .engine
        .scheduler()
        .spawn(&unit, meter, future, |waker| task_of.set_task(waker));
}

/// Looks at the process's doom before and after each poll of its body, and drops the body
/// (with the store) when it is to end.
struct Guard<F> {
    proc: Arc<Proc>,
    body: Option<Pin<Box<F>>>,
    slice: Option<u64>,
}

impl<F: Future<Output = Stop>> Future for Guard<F> {
    type Output = Stop;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Stop> {
        let this = &mut *self;
        if let Some(stop) = this.proc.doomed() {
            this.body = None;
            return Poll::Ready(stop);
        }
        let Some(body) = this.body.as_mut() else {
            return Poll::Pending;
        };
        match body.as_mut().poll(cx) {
            Poll::Ready(stop) => {
                this.body = None;
                // What was to end it counts more than how it came to its end meanwhile.
                Poll::Ready(this.proc.doomed().unwrap_or(stop))
            }
            Poll::Pending => {
                if let Some(slice) = this.slice
                    && !this.proc.is_sleeping()
                {
                    // It did not wait, so it has used up its slice.
                    this.proc.fuel_booked().fetch_add(slice, Ordering::AcqRel);
                    this.proc.group.add_fuel(slice);
                }
                match this.proc.doomed() {
                    Some(stop) => {
                        this.body = None;
                        Poll::Ready(stop)
                    }
                    None => Poll::Pending,
                }
            }
        }
    }
}

/// Store data that holds a process's state.
trait HasState: Send + 'static {
    fn state(&self) -> &State;
}

impl HasState for State {
    fn state(&self) -> &State {
        self
    }
}

impl HasState for ComponentState {
    fn state(&self) -> &State {
        &self.state
    }
}

async fn body(loaded: Arc<Loaded>, state: State, slice: Option<u64>) -> Stop {
    match &loaded.code {
        Linked::Module { pre, .. } => {
            let mut store = Store::new(&loaded.engine, state);
            store.limiter(|state| state);
            let given = match bound_cpu(&mut store, slice) {
                Ok(given) => given,
                Err(stop) => return stop,
            };
            let result = start(pre, &mut store).await;
            outcome(&store, result, given)
        }
        Linked::Component(pre) => {
            let mut store = component::store(&loaded.engine, state);
            let given = match bound_cpu(&mut store, slice) {
                Ok(given) => given,
                Err(stop) => return stop,
            };
            let result = component::run(pre, &mut store).await;
            outcome(&store, result, given)
        }
    }
}

/// Sets the bound that the code was compiled for. Some: the fuel that it was given.
fn bound_cpu<T: HasState>(store: &mut Store<T>, slice: Option<u64>) -> Result<Option<u64>, Stop> {
    let Some(slice) = slice else {
        store.set_epoch_deadline(1);
        store.epoch_deadline_async_yield_and_update(1);
        return Ok(None);
    };
    let left = store.data().state().group.fuel_left().unwrap_or(u64::MAX);
    store
        .set_fuel(left)
        .and_then(|()| store.fuel_async_yield_interval(Some(slice)))
        .map_err(|e| Stop::plain(Termination::Trap(format!("{e:#}"))))?;
    Ok(Some(left))
}

async fn start(pre: &InstancePre<State>, store: &mut Store<State>) -> wasmtime::Result<()> {
    let instance = pre.instantiate_async(&mut *store).await?;
    store.data_mut().memory = instance.get_memory(&mut *store, "memory");
    let start = instance.get_typed_func::<(), ()>(&mut *store, "_start")?;
    start.call_async(&mut *store, ()).await
}

/// How it ended, told where its user looks.
fn outcome<T: HasState>(
    store: &Store<T>,
    result: wasmtime::Result<()>,
    given: Option<u64>,
) -> Stop {
    let state = store.data().state();
    if let Some(given) = given {
        settle_fuel(state, given.saturating_sub(store.get_fuel().unwrap_or(0)));
    }
    let stop = match result {
        Ok(()) => return Stop::plain(Termination::Exited(0)),
        Err(e) => why(&e, state),
    };
    // The limits of the call are in its report; those of the process are told here.
    if matches!(
        stop.termination,
        Termination::Memory | Termination::Quota(_) | Termination::Trap(_)
    ) && let Some(sentence) = &stop.sentence
    {
        state.say(sentence);
    }
    stop
}

/// Replaces the estimate of the slices by what was really used.
fn settle_fuel(state: &State, used: u64) {
    let booked = state.proc.fuel_booked().swap(used, Ordering::AcqRel);
    if used >= booked {
        state.group.add_fuel(used - booked);
    } else {
        state.group.return_fuel(booked - used);
    }
}

/// What an error of the guest means.
fn why(e: &wasmtime::Error, state: &State) -> Stop {
    if let Some(stop) = e.downcast_ref::<Stop>() {
        return stop.clone();
    }
    if let Some(status) = component::exit_status(e) {
        return Stop::plain(Termination::Exited(status));
    }
    if let Some(trap) = e.downcast_ref::<Trap>() {
        if matches!(trap, Trap::OutOfFuel) {
            let stop = sentence::fuel(state.group.limits.fuel.unwrap_or(0));
            state.group.terminate(stop.clone());
            return stop;
        }
        return trapped(state, &trap.to_string());
    }
    trapped(state, &format!("{e:#}"))
}

fn trapped(state: &State, text: &str) -> Stop {
    let name = state
        .proc
        .argv
        .iter()
        .next()
        .map_or_else(String::new, |name| {
            String::from_utf8_lossy(name).into_owned()
        });
    let text = text.strip_prefix("wasm trap: ").unwrap_or(text).to_owned();
    Stop {
        sentence: Some(format!("hardshell: {name}: trap: {text}")),
        termination: Termination::Trap(text),
    }
}
