//! Neighbours: one sandbox at full load must not be felt by another.

use std::time::{Duration, Instant};

use hardshell_host::{CallSpec, Limits, Termination};

use crate::support::{World, guest, out};

/// Longest time that this machine takes the core from a busy thread: what no kernel of
/// ours can better.
fn machine_gap() -> Duration {
    let started = Instant::now();
    let (mut last, mut gap) = (started, Duration::ZERO);
    while last - started < Duration::from_millis(500) {
        let now = Instant::now();
        gap = gap.max(now - last);
        last = now;
    }
    gap
}

#[test]
fn a_neighbour_keeps_its_latency() {
    let limits = Limits {
        cpu: Duration::from_secs(600),
        ..Limits::default()
    };
    let greedy = World::with_limits(vec![("probe", guest("probe"))], limits);
    let quiet = World::new(vec![("probe", guest("probe"))]);
    assert_eq!(out(&quiet.call(&["probe", "echo", "hi"])), "hi\n");
    let load = greedy
        .sandbox
        .start(CallSpec::new(["probe", "many", "50", "spin"]))
        .unwrap();
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(load.progress().processes, 51);
    let mut times: Vec<Duration> = (0..200)
        .map(|_| {
            let started = Instant::now();
            assert_eq!(out(&quiet.call(&["probe", "echo", "hi"])), "hi\n");
            std::thread::sleep(Duration::from_millis(2));
            started.elapsed().saturating_sub(Duration::from_millis(2))
        })
        .collect();
    times.sort();
    println!(
        "median {:?}, p99 {:?}, worst {:?}",
        times[100], times[197], times[199]
    );
    // The promise is 10 ms on a machine that does nothing else; the machine that runs this
    // test may be busy with other things.
    let bound = Duration::from_millis(10).max(machine_gap() * 5);
    println!("bound {bound:?}");
    assert!(times[197] < bound, "p99 {:?}, bound {bound:?}", times[197]);
    let started = Instant::now();
    load.cancel();
    let report = greedy.block_on(load.wait());
    assert_eq!(report.termination, Termination::Cancelled);
    assert!(
        started.elapsed() < Duration::from_millis(50).max(bound),
        "{:?}",
        started.elapsed()
    );
}

/// Two sandboxes with different numbers of busy processes get the same CPU time.
#[test]
fn cpu_is_shared_by_sandbox() {
    let worlds = [3, 30].map(|n| (n.to_string(), World::new(vec![("probe", guest("probe"))])));
    let handles: Vec<_> = worlds
        .iter()
        .map(|(n, world)| {
            world
                .sandbox
                .start(CallSpec::new(["probe", "many", n.as_str(), "spin"]))
                .unwrap()
        })
        .collect();
    std::thread::sleep(Duration::from_millis(1500));
    let used: Vec<f64> = handles
        .iter()
        .map(|h| h.progress().cpu_time.as_secs_f64())
        .collect();
    drop(handles);
    let ratio = used[1] / used[0];
    assert!((0.5..2.0).contains(&ratio), "{used:?}");
}
