//! Runs a process: instantiation, `_start`, and how it ended.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use wasmtime::{Store, Trap};

use super::state::State;
use super::{Proc, Stop};
use crate::engine::{Bound, Loaded};
use crate::report::Termination;
use crate::sched::Meter;
use crate::sentence;

/// Starts the task of a process.
pub(crate) fn launch(loaded: Arc<Loaded>, mut state: State) {
    state.aware = loaded.aware;
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
        let stop = Guard { proc: Arc::clone(&running), body: Some(body), slice }.await;
        running.clear_task();
        running.group.engine.return_place();
        running.group.ended(&running, &stop);
    };
    group.engine.scheduler().spawn(&unit, meter, future, |waker| task_of.set_task(waker));
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
        let Some(body) = this.body.as_mut() else { return Poll::Pending };
        match body.as_mut().poll(cx) {
            Poll::Ready(stop) => {
                this.body = None;
                // What ended all of the call counts more than what followed from it.
                Poll::Ready(stop)
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

async fn body(loaded: Arc<Loaded>, state: State, slice: Option<u64>) -> Stop {
    let mut store = Store::new(loaded.pre.module().engine(), state);
    store.limiter(|state| state);
    let given = match slice {
        None => {
            store.set_epoch_deadline(1);
            store.epoch_deadline_async_yield_and_update(1);
            0
        }
        Some(slice) => {
            let left = store.data().group.fuel_left().unwrap_or(u64::MAX);
            let set = store
                .set_fuel(left)
                .and_then(|()| store.fuel_async_yield_interval(Some(slice)));
            if let Err(e) = set {
                return Stop::plain(Termination::Trap(format!("{e:#}")));
            }
            left
        }
    };
    let result = start(&loaded, &mut store).await;
    if slice.is_some() {
        settle_fuel(&store, given);
    }
    let stop = match result {
        Ok(()) => return Stop::plain(Termination::Exited(0)),
        Err(e) => why(&e, &store),
    };
    // The limits of the process itself are told where its user looks; those of the call
    // are in the report.
    if matches!(
        stop.termination,
        Termination::Memory | Termination::Quota(_) | Termination::Trap(_)
    ) && let Some(sentence) = &stop.sentence
    {
        store.data().say(sentence);
    }
    stop
}

async fn start(loaded: &Loaded, store: &mut Store<State>) -> wasmtime::Result<()> {
    let instance = loaded.pre.instantiate_async(&mut *store).await?;
    store.data_mut().memory = instance.get_memory(&mut *store, "memory");
    let start = instance.get_typed_func::<(), ()>(&mut *store, "_start")?;
    start.call_async(&mut *store, ()).await
}

/// Replaces the estimate of the slices by what was really used.
fn settle_fuel(store: &Store<State>, given: u64) {
    let used = given.saturating_sub(store.get_fuel().unwrap_or(0));
    let state = store.data();
    let booked = state.proc.fuel_booked().swap(used, Ordering::AcqRel);
    if used >= booked {
        state.group.add_fuel(used - booked);
    } else {
        state.group.return_fuel(booked - used);
    }
}

/// What an error of the guest means.
fn why(e: &wasmtime::Error, store: &Store<State>) -> Stop {
    if let Some(stop) = e.downcast_ref::<Stop>() {
        return stop.clone();
    }
    let state = store.data();
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
        .map_or_else(String::new, |name| String::from_utf8_lossy(name).into_owned());
    let text = text.strip_prefix("wasm trap: ").unwrap_or(text).to_owned();
    Stop {
        sentence: Some(format!("hardshell: {name}: trap: {text}")),
        termination: Termination::Trap(text),
    }
}
