//! Pipes between processes, and the call's own ends.

use bytes::Bytes;
use hardshell_host::{CallSpec, Input, Limits, Output, Termination};
use tokio::sync::mpsc;

use crate::support::{World, err, guest, out};

fn world() -> World {
    World::new(vec![("probe", guest("probe"))])
}

#[test]
fn pipelines() {
    let world = world();
    for (argv, stdout) in [
        (
            &["pipe", "echo", "hi", "|", "cat"][..],
            "hi\n0 Exited 0 Exited\n",
        ),
        (
            &["pipe", "yes", "10000000", "|", "count"],
            "10000000\n0 Exited 0 Exited\n",
        ),
        // The reader goes first: the writer's pipe breaks.
        (&["pipe", "yes", "|", "true"], "141 BrokenPipe 0 Exited\n"),
        (&["pipe", "exit", "3", "|", "cat"], "3 Exited 0 Exited\n"),
    ] {
        let mut words = vec!["probe"];
        words.extend(argv);
        let report = world.call(&words);
        assert_eq!(out(&report), stdout, "{argv:?}: {}", err(&report));
    }
}

#[test]
fn stdin_of_every_kind() {
    let world = world();
    let text = b"some text\n".repeat(10_000);
    let cat = || CallSpec::new(["probe", "cat"]);
    let report = world.run(cat());
    assert_eq!((report.status, report.stdout.len()), (0, 0));
    let report = world.run(cat().stdin(Input::Bytes(Bytes::from(text.clone()))));
    assert_eq!(report.stdout, text);
    let (tx, rx) = mpsc::channel(1);
    let chunks: Vec<Bytes> = text.chunks(777).map(Bytes::copy_from_slice).collect();
    let sender = std::thread::spawn(move || {
        for chunk in chunks {
            tx.blocking_send(chunk).unwrap();
        }
    });
    let report = world.run(cat().stdin(Input::Stream(rx)));
    sender.join().unwrap();
    assert_eq!(report.stdout, text);
    // A pipe of the host that is slow, and a file.
    let (reader, mut writer) = std::io::pipe().unwrap();
    let part = text.clone();
    let slow = std::thread::spawn(move || {
        for chunk in part.chunks(30_000) {
            std::thread::sleep(std::time::Duration::from_millis(20));
            std::io::Write::write_all(&mut writer, chunk).unwrap();
        }
    });
    let report = world.run(cat().stdin(Input::Fd(reader.into())));
    slow.join().unwrap();
    assert_eq!(report.stdout, text);
    std::fs::write(world.dir.path().join("f"), &text).unwrap();
    let file = std::fs::File::open(world.dir.path().join("f")).unwrap();
    let report = world.run(cat().stdin(Input::Fd(file.into())));
    assert_eq!(report.stdout, text);
}

#[test]
fn stdout_of_every_kind() {
    let world = world();
    let yes = || CallSpec::new(["probe", "yes", "300000"]);
    let report = world.run(yes().stdout(Output::Null));
    assert_eq!((report.stdout.len(), report.output_bytes), (0, 300_000));
    let (tx, mut rx) = mpsc::channel::<Bytes>(1);
    let reader = std::thread::spawn(move || {
        let mut n = 0;
        while let Some(chunk) = rx.blocking_recv() {
            n += chunk.len();
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        n
    });
    let report = world.run(yes().stdout(Output::Stream(tx)));
    assert_eq!((report.status, reader.join().unwrap()), (0, 300_000));
    // A reader of the host that is slow, then one that goes away.
    let (mut reader, writer) = std::io::pipe().unwrap();
    let slow = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(100));
        let mut all = Vec::new();
        std::io::Read::read_to_end(&mut reader, &mut all).unwrap();
        all.len()
    });
    let report = world.run(yes().stdout(Output::Fd(writer.into())));
    assert_eq!((report.status, slow.join().unwrap()), (0, 300_000));
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let report = world.run(yes().stdout(Output::Fd(writer.into())));
    assert_eq!(
        (report.status, report.termination),
        (141, Termination::BrokenPipe)
    );
    let (tx, rx) = mpsc::channel(1);
    drop(rx);
    let report = world.run(yes().stdout(Output::Stream(tx)));
    assert_eq!(report.termination, Termination::BrokenPipe);
}

#[test]
fn stderr_can_follow_stdout() {
    let world = world();
    let report = world.run(CallSpec::new(["probe", "nope"]).stderr(Output::Merged));
    assert_eq!(
        (out(&report).as_str(), report.stderr.len()),
        ("probe: nope: unknown verb\n", 0)
    );
}

#[test]
fn a_blocked_writer_uses_no_cpu_and_is_ended_by_the_deadline() {
    let world = world();
    let wall = std::time::Duration::from_millis(300);
    let limits = Limits {
        wall,
        ..Limits::default()
    };
    let report = world.run(CallSpec::new(["probe", "fill-pipe"]).limits(limits));
    assert_eq!(report.termination, Termination::Deadline);
    assert!(report.cpu_time.as_millis() < 150, "{:?}", report.cpu_time);
    assert!(report.wall_time.as_millis() < 400, "{:?}", report.wall_time);
}
