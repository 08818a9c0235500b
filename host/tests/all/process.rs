//! Starting, ending, statuses.

use hardshell_host::{CallSpec, SandboxError, Termination};

use crate::support::{World, wat};

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
    let world =
        World::new(vec![("e", wat(EXIT_126)), ("hello", wat(HELLO)), ("trap", wat(TRAP))]);
    let report = world.call(&["e"]);
    assert_eq!((report.status, &report.termination), (126, &Termination::Exited(126)));
    let report = world.call(&["hello"]);
    assert_eq!(report.stdout, b"hello\n");
    assert_eq!((report.status, report.processes, report.output_bytes), (0, 1, 6));
    let report = world.call(&["trap"]);
    assert_eq!(report.status, 134);
    assert!(matches!(&report.termination, Termination::Trap(text) if text.contains("unreachable")));
}

#[test]
fn unknown_commands_are_named() {
    let world = World::new(vec![]);
    let error = world.sandbox.start(CallSpec::new(["nope"])).err().unwrap();
    assert!(matches!(&error, SandboxError::NotFound(name) if name == "nope"), "{error}");
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
    assert!(before.elapsed() < std::time::Duration::from_millis(50), "{:?}", before.elapsed());
    assert_eq!(report.termination, Termination::Cancelled);
    assert!(report.cpu_time.as_millis() >= 50, "{:?}", report.cpu_time);
}
