//! Starting, ending, statuses.

use hardshell_host::{CallSpec, SandboxError, Termination};

use crate::support::{World, err, guest, out, wat};

const EXIT_126: &str = r#"(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (func (export "_start") (call $exit (i32.const 126))))"#;

const HELLO: &str = r#"(module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 100) "hello\n")
  (data (i32.const 0) "\64\00\00\00\06\00\00\00")
  (func (export "_start")
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))))"#;

const TRAP: &str = r#"(module
  (memory (export "memory") 1)
  (func (export "_start") unreachable))"#;

const SPIN: &str = r#"(module
  (memory (export "memory") 1)
  (func (export "_start") (loop $l (br $l))))"#;

#[test]
fn statuses() {
    let world = World::new(vec![
        ("e", wat(EXIT_126)),
        ("hello", wat(HELLO)),
        ("trap", wat(TRAP)),
    ]);
    let report = world.call(&["e"]);
    assert_eq!(
        (report.status, &report.termination),
        (126, &Termination::Exited(126))
    );
    let report = world.call(&["hello"]);
    assert_eq!(report.stdout, b"hello\n");
    assert_eq!(
        (report.status, report.processes, report.output_bytes),
        (0, 1, 6)
    );
    let report = world.call(&["trap"]);
    assert_eq!(report.status, 134);
    assert!(matches!(&report.termination, Termination::Trap(text) if text.contains("unreachable")));
}

#[test]
fn unknown_commands_are_named() {
    let world = World::new(vec![]);
    let error = world.sandbox.start(CallSpec::new(["nope"])).err().unwrap();
    assert!(
        matches!(&error, SandboxError::NotFound(name) if name == "nope"),
        "{error}"
    );
}

#[test]
fn a_loop_is_cancelled() {
    let world = World::new(vec![("spin", wat(SPIN))]);
    let handle = world.sandbox.start(CallSpec::new(["spin"])).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(100));
    let controller = handle.controller();
    assert_eq!(controller.progress().processes, 1);
    let before = std::time::Instant::now();
    controller.cancel();
    let report = world.block_on(handle.wait());
    assert!(
        before.elapsed() < std::time::Duration::from_millis(50),
        "{:?}",
        before.elapsed()
    );
    assert_eq!(report.termination, Termination::Cancelled);
    assert!(report.cpu_time.as_millis() >= 5, "{:?}", report.cpu_time);
}

/// Verbs of the probe, its stdout and its status.
#[test]
fn a_process_and_its_children() {
    let world = World::new(vec![("probe", guest("probe"))]);
    for (argv, stdout, status) in [
        (&["exit", "255"][..], "", 255),
        (&["echo", "a b", "c"], "a b c\n", 0),
        (&["pwd"], "/workspace\n", 0),
        (&["cd", "/tmp"], "/tmp\n", 0),
        (&["cd", "/tmp", "pwd"], "/tmp\n", 0),
        (&["run", "nope"], "error 44\n", 0),
        (&["run", "/nope"], "error 44\n", 0),
        (&["run", "/tmp"], "error 2\n", 0),
        (&["run", "/bin/probe", "echo", "x"], "x\n0 Exited\n", 0),
        (&["run", "probe", "exit", "7"], "7 Exited\n", 0),
        (&["run", "probe", "panic"], "134 Trap\n", 0),
        (&["spawn", "20", "echo", "x"], &"x\n".repeat(20), 0),
        (&["spawn", "20", "exit", "3"], "", 3),
        (&["wait-nothing"], "12\n", 0),
        (&["no-hang"], "None\n137\n", 0),
        (&["blob", "state"], "state", 0),
        (&["pid"], "1 0\n", 0),
        (&["spawn", "1", "pid"], "2 1\n", 0),
        (&["umask"], "22 600\n", 0),
        (&["usage"], "true\n", 0),
        (&["dup2"], "got into the pipe\n", 0),
        (&["stat", "/dev/null"], "20666 0 1000 1000\n", 0),
    ] {
        let mut words = vec!["probe"];
        words.extend(argv);
        let report = world.call(&words);
        assert_eq!(
            (out(&report).as_str(), report.status),
            (stdout, status),
            "{argv:?}: {}",
            err(&report)
        );
    }
}

#[test]
fn descriptors_are_shared_with_their_offset() {
    let world = World::new(vec![("probe", guest("probe"))]);
    let report = world.call(&["probe", "share", "log"]);
    assert_eq!(report.status, 0, "{}", err(&report));
    let text = std::fs::read_to_string(world.dir.path().join("log")).unwrap();
    assert_eq!(text, "one\ntwo\nthree\n");
}

#[test]
fn signals() {
    let world = World::new(vec![("probe", guest("probe"))]);
    for (argv, stdout) in [
        (&["kill", "TERM", "sleep", "30000"][..], "143 Signal\n"),
        (&["kill", "KILL", "spin"], "137 Signal\n"),
        (&["kill", "HUP", "block"], "129 Signal\n"),
        (&["sigpipe", "ignore"], "64 None\n"),
        (&["sigpipe", "catch"], "64 Some(Signal(13))\n"),
    ] {
        let mut words = vec!["probe"];
        words.extend(argv);
        let report = world.call(&words);
        assert_eq!(out(&report), stdout, "{argv:?}: {}", err(&report));
    }
    let handle = world
        .sandbox
        .start(CallSpec::new(["probe", "catch", "TERM"]))
        .unwrap();
    std::thread::sleep(std::time::Duration::from_millis(200));
    handle.signal(15);
    let report = world.block_on(handle.wait());
    assert_eq!(
        out(&report),
        "ready\nInterrupted Some(15)\n",
        "{}",
        err(&report)
    );
    let handle = world
        .sandbox
        .start(CallSpec::new(["probe", "sleep", "60000"]))
        .unwrap();
    handle.signal(2);
    assert_eq!(
        world.block_on(handle.wait()).termination,
        Termination::Signal(2)
    );
}

#[test]
fn scripts_run_by_their_first_line() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new(vec![("probe", guest("probe")), ("env", guest("probe"))]);
    for (name, text, mode, stdout) in [
        (
            "a",
            "#!/bin/probe echo\n",
            0o755,
            "/workspace/a x\n0 Exited\n",
        ),
        (
            "b",
            "#!/usr/bin/probe\techo \nrest",
            0o755,
            "/workspace/b x\n0 Exited\n",
        ),
        ("c", "#!/bin/probe echo\n", 0o644, "error 2\n"),
        ("d", "plain text", 0o755, "error 45\n"),
        ("e", "#!/bin/nope\n", 0o755, "error 44\n"),
        ("f", "\0asm\x01\0\0\0", 0o755, "error 45\n"),
    ] {
        let path = world.dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let script = format!("/workspace/{name}");
        let report = world.call(&["probe", "run", &script, "x"]);
        assert_eq!(out(&report), stdout, "{name}: {}", err(&report));
    }
}

#[test]
fn the_working_directory_is_kept_when_asked() {
    let world = World::new(vec![("probe", guest("probe"))]);
    world.run(CallSpec::new(["probe", "cd", "/tmp"]));
    assert_eq!(world.sandbox.cwd(), "/workspace");
    let report = world.run(CallSpec::new(["probe", "cd", "/tmp"]).keep_cwd(true));
    assert_eq!(
        (report.final_cwd.as_str(), world.sandbox.cwd().as_str()),
        ("/tmp", "/tmp")
    );
    assert_eq!(out(&world.call(&["probe", "pwd"])), "/tmp\n");
    assert!(world.sandbox.set_cwd("/nope").is_err());
    world.sandbox.set_cwd("/workspace").unwrap();
}

#[test]
fn what_the_root_leaves_behind_is_ended() {
    let world = World::new(vec![("probe", guest("probe"))]);
    let started = std::time::Instant::now();
    let report = world.call(&["probe", "orphan", "sleep", "60000"]);
    assert_eq!(report.termination, Termination::Exited(0));
    assert!(started.elapsed().as_millis() < 2000);
    // One that is quick gets to its end.
    let report = world.call(&["probe", "orphan", "echo", "late"]);
    assert_eq!(out(&report), "late\n");
}

#[test]
fn the_environment_is_what_was_given() {
    let world = World::new(vec![("probe", guest("probe"))]);
    let report = world.run(
        CallSpec::new(["probe", "env"])
            .env("A", "1")
            .env("B", "x=y"),
    );
    assert_eq!(out(&report), "A=1\nB=x=y\n");
}

#[test]
fn a_grant_only_takes_away() {
    use hardshell_host::{Access, CommandSet, Grant};
    let world = World::new(vec![("probe", guest("probe")), ("other", guest("probe"))]);
    std::fs::write(world.dir.path().join("f"), "text").unwrap();
    let nothing = Grant::default();
    let reads = Grant {
        mounts: Some(Access::ReadOnly),
        ..Grant::default()
    };
    let all = Grant {
        mounts: Some(Access::ReadWrite),
        tmp: true,
        commands: CommandSet::All,
        env: None,
    };
    for (grant, argv, status) in [
        (&nothing, &["cat", "/workspace/f"][..], 1),
        (&nothing, &["cat", "/tmp/f"], 1),
        (&nothing, &["pwd"], 0),
        (&reads, &["cat", "/workspace/f"], 0),
        (&reads, &["write", "/workspace/f", "x"], 1),
        (&reads, &["write", "/tmp/f", "x"], 1),
        (&all, &["write", "/tmp/f", "x"], 0),
        (&all, &["write", "/workspace/g", "x"], 0),
    ] {
        let mut words = vec!["probe"];
        words.extend(argv);
        let report = world.run(CallSpec::new(words).grant(grant.clone()));
        assert_eq!(
            report.status,
            status,
            "{grant:?} {argv:?}: {}",
            err(&report)
        );
    }
    for (grant, stdout) in [(&nothing, "error 44\n"), (&all, "0 Exited\n")] {
        let spec = CallSpec::new(["probe", "run", "other", "true"]).grant(grant.clone());
        assert_eq!(out(&world.run(spec)), stdout);
    }
}
