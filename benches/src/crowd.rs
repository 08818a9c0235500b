//! Many at once: memory, a greedy neighbour, a kill.

use crate::measure::times;
use crate::row::{Row, Target};
use crate::world::World;
use anyhow::bail;
use hardshell_host::{CallHandle, CallSpec, Input, Sandbox};
use hardshell_tests::proc;
use std::time::{Duration, Instant};

pub(crate) fn run(world: &World) -> anyhow::Result<Vec<Row>> {
    let mut rows = vec![idle(world)?, blocked(world)?];
    rows.push(neighbour(world)?);
    rows.push(kill(world)?);
    Ok(rows)
}

fn resident() -> f64 {
    proc::resident(std::process::id()) as f64 / 1024.0
}

/// Sandboxes that have run something and now wait.
fn idle(world: &World) -> anyhow::Result<Row> {
    let folder = tempfile::tempdir()?;
    let count = if world.quick { 200 } else { 1_000 };
    world.call(&world.sandbox(folder.path())?, &["true"])?;
    let before = resident();
    let sandboxes: Vec<Sandbox> = (0..count)
        .map(|_| {
            let sandbox = world.sandbox(folder.path())?;
            world.call(&sandbox, &["true"])?;
            Ok(sandbox)
        })
        .collect::<anyhow::Result<_>>()?;
    let each = (resident() - before).max(0.0) / f64::from(count);
    drop(sandboxes);
    Ok(Row::kib(
        &format!("{count} idle sandboxes, each"),
        each,
        &[Target::AtMost(64.0)],
    ))
}

/// Processes that wait for input.
fn blocked(world: &World) -> anyhow::Result<Row> {
    let folder = tempfile::tempdir()?;
    let count = if world.quick { 200 } else { 1_000 };
    let sandbox = world.sandbox(folder.path())?;
    let before = resident();
    let mut open = Vec::new();
    let mut calls: Vec<CallHandle> = Vec::new();
    for _ in 0..count {
        let (sender, receiver) = tokio::sync::mpsc::channel(1);
        open.push(sender);
        calls.push(sandbox.start(CallSpec::new(["cat"]).stdin(Input::Stream(receiver)))?);
    }
    std::thread::sleep(Duration::from_millis(1_000));
    let each = (resident() - before).max(0.0) / f64::from(count);
    drop(open);
    for call in calls {
        let report = world.runtime.block_on(call.wait());
        if report.status != 0 {
            bail!("a cat that waited ended with status {}", report.status);
        }
    }
    Ok(Row::kib(
        &format!("{count} processes blocked on a pipe, each"),
        each,
        &[Target::AtMost(512.0)],
    ))
}

/// How long `echo hi` takes while another sandbox spins.
fn neighbour(world: &World) -> anyhow::Result<Row> {
    let folder = tempfile::tempdir()?;
    let (greedy, quiet) = (world.sandbox(folder.path())?, world.sandbox(folder.path())?);
    world.call(&quiet, &["echo", "hi"])?;
    let spinning: Vec<CallHandle> = (0..50)
        .map(|_| Ok(greedy.start(CallSpec::new(["sh", "-c", "while :; do :; done"]))?))
        .collect::<anyhow::Result<_>>()?;
    std::thread::sleep(Duration::from_millis(300));
    let took = times(world.rounds(1_000), || {
        world.call(&quiet, &["echo", "hi"]).map(drop)
    });
    for call in &spinning {
        call.cancel();
    }
    for call in spinning {
        world.runtime.block_on(call.wait());
    }
    Ok(Row::time(
        "echo hi beside 50 endless loops, p99",
        took?.at(0.99),
        &[Target::AtMost(10_000.0)],
    ))
}

/// From the cancellation of a call with 100 processes to its end.
fn kill(world: &World) -> anyhow::Result<Row> {
    let folder = tempfile::tempdir()?;
    let sandbox = world.sandbox(folder.path())?;
    let took = times_of_kills(world, &sandbox)?;
    Ok(Row::time(
        "kill of a call with 100 processes",
        took,
        &[Target::AtMost(50_000.0)],
    ))
}

fn times_of_kills(world: &World, sandbox: &Sandbox) -> anyhow::Result<Duration> {
    let mut worst = Duration::ZERO;
    for _ in 0..world.rounds(20) {
        let script = "i=0; while [ $i -lt 99 ]; do sleep 600 & i=$((i+1)); done; wait";
        let call = sandbox.start(CallSpec::new(["sh", "-c", script]))?;
        let all = proc::wait_until(Duration::from_secs(20), || {
            (call.progress().processes >= 100).then_some(())
        });
        if all.is_none() {
            bail!(
                "100 processes were not alive after 20 s, but {}",
                call.progress().processes
            );
        }
        let start = Instant::now();
        call.cancel();
        world.runtime.block_on(call.wait());
        worst = worst.max(start.elapsed());
    }
    Ok(worst)
}
