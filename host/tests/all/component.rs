//! WASI 0.2 commands under the same mounts, limits and report.

use std::time::Duration;

use hardshell_host::{CallSpec, Input, Limits, QuotaKind, Report, Termination};

use crate::support::{World, err, guest, out};

fn world() -> World {
    World::new(vec![("plain", guest("plain.component"))])
}

fn run(world: &World, argv: &[&str], limit: fn(&mut Limits)) -> Report {
    let mut limits = Limits::default();
    limit(&mut limits);
    let mut words = vec!["plain"];
    words.extend(argv);
    let input = Input::Bytes("input".into());
    world.run(
        CallSpec::new(words)
            .limits(limits)
            .stdin(input)
            .env("KEY", "value"),
    )
}

#[test]
fn files_streams_and_environment() {
    let world = world();
    std::fs::write(world.dir.path().join("here"), "here").unwrap();
    for (argv, stdout, status) in [
        (&["cat", "here"][..], "here", 0),
        (&["cat", "/workspace/here"], "here", 0),
        (&["cat", "/workspace/../workspace/here"], "here", 0),
        (&["cat", "/etc/passwd"], "", 1),
        (&["cat", "/proc/self/environ"], "", 1),
        (&["ls", "."], "here\n", 0),
        (&["ls", "/bin"], "plain\n", 0),
        (&["stdin"], "input", 0),
        (&["env", "KEY"], "value\n", 0),
        (&["env", "PATH"], "\n", 0),
        (&["write", "/tmp/x", "text"], "", 0),
        (&["cat", "/tmp/x"], "text", 0),
        (&["connect", "127.0.0.1:80"], "", 1),
        (&["exit", "1"], "", 1),
    ] {
        let report = run(&world, argv, |_| {});
        assert_eq!(
            (out(&report).as_str(), report.status),
            (stdout, status),
            "{argv:?}: {}",
            err(&report)
        );
    }
    let report = run(&world, &["write", "/workspace/new", "text"], |_| {});
    assert_eq!(report.status, 0, "{}", err(&report));
    assert_eq!(
        std::fs::read_to_string(world.dir.path().join("new")).unwrap(),
        "text"
    );
    assert_eq!(report.changes.len(), 1, "the journal knows");
}

#[test]
fn limits_hold() {
    let world = world();
    let text = "x".repeat(10_000);
    let write = ["write", "/workspace/big", &text];
    let report = run(&world, &write, |l| l.file_bytes = 1000);
    assert_eq!(
        report.termination,
        Termination::Quota(QuotaKind::FileBytes),
        "{}",
        err(&report)
    );
    let report = run(&world, &["spin"], |l| l.wall = Duration::from_millis(100));
    assert_eq!(report.termination, Termination::Deadline);
    let report = run(&world, &["spin"], |l| l.cpu = Duration::from_millis(50));
    assert_eq!(report.termination, Termination::CpuTime);
    let report = run(&world, &["spin"], |l| l.fuel = Some(50_000_000));
    assert_eq!(report.termination, Termination::Fuel);
    let report = run(&world, &["memory", "64"], |l| {
        l.memory_per_process = 16 << 20
    });
    assert_eq!(report.termination, Termination::Memory, "{}", err(&report));
    assert_eq!(out(&run(&world, &["memory", "64"], |_| {})), "64\n");
}
