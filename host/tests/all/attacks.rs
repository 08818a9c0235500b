//! Exhaustion, one attack a row: it ends by its own limit, in bounded time, with its
//! sentence; the host's memory stays bounded; the next call works.

use std::time::{Duration, Instant};

use hardshell_host::{CallSpec, Limits, QuotaKind, Termination};

use crate::support::{World, err, guest, out};

const MIB: u64 = 1 << 20;

/// Resident memory of this process, bytes.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    line.split_whitespace()
        .nth(1)
        .unwrap()
        .parse::<u64>()
        .unwrap()
        * 1024
}

#[test]
fn each_ends_by_its_limit() {
    let limits = Limits {
        cpu: Duration::from_millis(500),
        memory_per_process: 64 * MIB,
        memory: 128 * MIB,
        processes: 32,
        output_bytes: MIB,
        file_bytes: 8 * MIB,
        workspace_files: 1000,
        ..Limits::default()
    };
    for (argv, termination, sentence) in [
        (&["bomb"][..], Termination::Processes, "(limit processes"),
        (
            &["spawn", "1000000", "true"],
            Termination::CpuTime,
            "(limit cpu",
        ),
        (
            &["memory", "100000"],
            Termination::Memory,
            "(limit memory_per_process",
        ),
        (
            &["many", "20", "memory", "50"],
            Termination::Memory,
            "(limit memory",
        ),
        (&["spin"], Termination::CpuTime, "(limit cpu"),
        (&["many", "20", "spin"], Termination::CpuTime, "(limit cpu"),
        (&["yes"], Termination::Output, "(limit output_bytes"),
        (
            &["fill", "big", "100000000000"],
            Termination::Quota(QuotaKind::FileBytes),
            "(limit file_bytes",
        ),
        (
            &["files", "many", "1000000"],
            Termination::Quota(QuotaKind::WorkspaceFiles),
            "(limit workspace_files",
        ),
        (&["fill-pipe"], Termination::Deadline, "(limit wall"),
        (
            &["hold-pipes", "100000", "60000"],
            Termination::Exited(1),
            "",
        ),
        (
            &["many", "30", "hold-pipes", "80", "60000", "60000"],
            Termination::Memory,
            "(limit memory",
        ),
        (
            &["sleep", "100000000"],
            Termination::Deadline,
            "(limit wall",
        ),
        (&["recurse"], Termination::Trap(String::new()), "trap"),
    ] {
        // CPU limits must bind on a busy machine too, where they take longer.
        let wall = Duration::from_secs(if termination == Termination::CpuTime {
            120
        } else {
            3
        });
        let limits = Limits {
            wall,
            ..limits.clone()
        };
        let world = World::with_limits(vec![("probe", guest("probe"))], limits);
        let before = resident();
        let started = Instant::now();
        let mut words = vec!["probe"];
        words.extend(argv);
        let handle = world.sandbox.start(CallSpec::new(words)).unwrap();
        let controller = handle.controller();
        let watch = std::thread::spawn(move || {
            let mut peak = 0;
            while controller.progress().processes > 0 {
                peak = peak.max(resident());
                std::thread::sleep(Duration::from_millis(2));
            }
            peak
        });
        let report = world.block_on(handle.wait());
        let took = started.elapsed();
        let peak = watch.join().unwrap().saturating_sub(before);
        println!(
            "{argv:?}: {} in {took:?}, {} MiB",
            report.termination,
            peak / MIB
        );
        assert_eq!(
            report.termination.code(),
            termination.code(),
            "{argv:?}: {:?} {}",
            report.termination,
            err(&report)
        );
        let said = report.sentence.unwrap_or_default();
        assert!(said.contains(sentence), "{argv:?}: {said}");
        assert!(took < wall + Duration::from_secs(1), "{argv:?}: {took:?}");
        let used = report.cpu_time;
        assert!(used < Duration::from_secs(8), "{argv:?}: {used:?}");
        assert!(peak < 256 * MIB, "{argv:?}: {} MiB", peak / MIB);
        assert_eq!(
            out(&world.call(&["probe", "echo", "next"])),
            "next\n",
            "{argv:?}"
        );
    }
}
