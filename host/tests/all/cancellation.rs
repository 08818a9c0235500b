//! Ending a call, wherever its processes are, and nothing left behind.

use std::time::{Duration, Instant};

use hardshell_host::{CallSpec, Termination};

use crate::support::{World, guest, out};

#[test]
fn a_hundred_processes_end_at_once() {
    let world = World::new(vec![("probe", guest("probe"))]);
    for verb in [
        &["sleep", "60000"][..],
        &["block"],
        &["spin"],
        &["fill-pipe"],
        &["catch", "TERM"],
    ] {
        let mut words = vec!["probe", "many", "100"];
        words.extend(verb);
        let handle = world.sandbox.start(CallSpec::new(words)).unwrap();
        while handle.progress().processes < 101 {
            std::thread::sleep(Duration::from_millis(5));
        }
        let started = Instant::now();
        handle.cancel();
        let report = world.block_on(handle.wait());
        println!("{verb:?}: {:?}", started.elapsed());
        assert_eq!(report.termination, Termination::Cancelled);
        // 50 ms on a machine that does nothing else.
        assert!(
            started.elapsed() < Duration::from_millis(400),
            "{verb:?} {:?}",
            started.elapsed()
        );
        assert_eq!(world.sandbox.usage().memory, 0, "{verb:?}");
    }
    assert_eq!(out(&world.call(&["probe", "echo", "next"])), "next\n");
}

#[test]
fn dropping_the_handle_ends_the_call() {
    let world = World::new(vec![("probe", guest("probe"))]);
    let handle = world
        .sandbox
        .start(CallSpec::new(["probe", "many", "5", "spin"]))
        .unwrap();
    let controller = handle.controller();
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(controller.progress().processes, 6);
    drop(handle);
    let started = Instant::now();
    while controller.progress().processes > 0 {
        assert!(started.elapsed() < Duration::from_secs(1));
        std::thread::sleep(Duration::from_millis(1));
    }
    // Detached, it goes on.
    let handle = world
        .sandbox
        .start(CallSpec::new(["probe", "sleep", "60000"]))
        .unwrap();
    let controller = handle.controller();
    handle.detach();
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(controller.progress().processes, 1);
    controller.cancel();
}

/// Cancelled at every moment of a busy life: nothing hangs, no memory stays charged.
#[test]
fn at_any_moment() {
    let world = World::new(vec![("probe", guest("probe"))]);
    for n in 0..60u64 {
        let words = [
            "probe", "spawn", "1000", "pipe", "yes", "200000", "|", "count",
        ];
        let handle = world.sandbox.start(CallSpec::new(words)).unwrap();
        std::thread::sleep(Duration::from_micros(n * 150));
        handle.cancel();
        let report = world.block_on(handle.wait());
        assert_eq!(report.termination, Termination::Cancelled, "{n}");
        assert_eq!(world.sandbox.usage().memory, 0, "{n}");
    }
}
