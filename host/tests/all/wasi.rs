//! Preview 1, import by import: the guest makes one call and exits with its errno.

use hardshell_host::{CallSpec, Input, Termination};

use crate::support::{World, err, guest, out, wat};

/// A module that makes one call and exits with its result. Memory starts with `data` at
/// address 1024; results go to 0.
fn one_call(function: &str, params: &str, args: &str, data: &str) -> String {
    format!(
        r#"(module
  (import "wasi_snapshot_preview1" "{function}" (func $f (param {params}) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 2)
  (data (i32.const 1024) "{data}")
  (func (export "_start") (call $exit (call $f {args}))))"#
    )
}

fn i32s(values: &[i64]) -> String {
    values.iter().map(|v| format!("(i32.const {v}) ")).collect()
}

const BADF: u8 = 8;
const FAULT: u8 = 21;
const INVAL: u8 = 28;
const NOTDIR: u8 = 54;
const NOTSOCK: u8 = 57;
const NOTSUP: u8 = 58;
const SPIPE: u8 = 70;

#[test]
fn errnos() {
    let far = -8; // Just below 4 GiB.
    let cases: Vec<(&str, &str, String, u8)> = vec![
        ("fd_close", "i32", i32s(&[99]), BADF),
        ("fd_close", "i32", i32s(&[-1]), BADF),
        ("fd_sync", "i32", i32s(&[99]), BADF),
        ("fd_sync", "i32", i32s(&[0]), INVAL),
        ("fd_renumber", "i32 i32", i32s(&[0, 99]), BADF),
        ("fd_renumber", "i32 i32", i32s(&[0, 0]), 0),
        ("fd_renumber", "i32 i32", i32s(&[0, -1]), BADF),
        ("fd_read", "i32 i32 i32 i32", i32s(&[0, far, 1, 0]), FAULT),
        ("fd_read", "i32 i32 i32 i32", i32s(&[0, 0, 2000, 0]), INVAL),
        ("fd_read", "i32 i32 i32 i32", i32s(&[0, 0, -1, 0]), INVAL),
        ("fd_read", "i32 i32 i32 i32", i32s(&[1, 0, 1, 0]), BADF),
        ("fd_read", "i32 i32 i32 i32", i32s(&[3, 0, 1, 0]), 31),
        ("fd_write", "i32 i32 i32 i32", i32s(&[0, 0, 1, 0]), BADF),
        ("fd_write", "i32 i32 i32 i32", i32s(&[1, 0, 0, far]), FAULT),
        ("fd_tell", "i32 i32", i32s(&[0, 0]), SPIPE),
        ("fd_tell", "i32 i32", i32s(&[3, 0]), BADF),
        ("fd_fdstat_get", "i32 i32", i32s(&[1, far]), FAULT),
        ("fd_fdstat_set_flags", "i32 i32", i32s(&[1, 32]), INVAL),
        ("fd_fdstat_set_flags", "i32 i32", i32s(&[1, 65_536]), INVAL),
        ("fd_prestat_get", "i32 i32", i32s(&[3, 0]), 0),
        ("fd_prestat_get", "i32 i32", i32s(&[4, 0]), BADF),
        ("fd_prestat_dir_name", "i32 i32 i32", i32s(&[3, 0, 0]), 37),
        ("fd_filestat_get", "i32 i32", i32s(&[1, -1]), FAULT),
        ("args_get", "i32 i32", i32s(&[far, far]), FAULT),
        ("environ_sizes_get", "i32 i32", i32s(&[0, far]), FAULT),
        ("random_get", "i32 i32", i32s(&[far, 16]), FAULT),
        ("random_get", "i32 i32", i32s(&[0, 131_072]), 0),
        ("random_get", "i32 i32", i32s(&[0, -1]), FAULT),
        ("clock_res_get", "i32 i32", i32s(&[4, 0]), INVAL),
        ("poll_oneoff", "i32 i32 i32 i32", i32s(&[0, 0, 0, 0]), INVAL),
        (
            "poll_oneoff",
            "i32 i32 i32 i32",
            i32s(&[0, 0, -1, 0]),
            INVAL,
        ),
        (
            "poll_oneoff",
            "i32 i32 i32 i32",
            i32s(&[far, 0, 1, 0]),
            FAULT,
        ),
        ("sock_shutdown", "i32 i32", i32s(&[1, 0]), NOTSOCK),
        ("sock_shutdown", "i32 i32", i32s(&[99, 0]), BADF),
        ("sock_accept", "i32 i32 i32", i32s(&[99, 0, 0]), BADF),
        (
            "path_create_directory",
            "i32 i32 i32",
            i32s(&[1, 1024, 1]),
            NOTDIR,
        ),
        (
            "path_create_directory",
            "i32 i32 i32",
            i32s(&[99, 1024, 1]),
            BADF,
        ),
        (
            "path_create_directory",
            "i32 i32 i32",
            i32s(&[3, far, 9]),
            FAULT,
        ),
        (
            "path_create_directory",
            "i32 i32 i32",
            i32s(&[3, 1024, 70_000]),
            37,
        ),
        ("path_unlink_file", "i32 i32 i32", i32s(&[3, 1024, 0]), 44),
        ("sched_yield", "", String::new(), 0),
    ];
    for (function, params, args, expected) in cases {
        let text = one_call(function, params, &args, "x");
        let world = World::new(vec![("t", wat(&text))]);
        let report = world.call(&["t"]);
        assert_eq!(
            report.termination,
            Termination::Exited(expected),
            "{function} {args}: {}",
            err(&report)
        );
    }
    let rights = one_call(
        "fd_fdstat_set_rights",
        "i32 i64 i64",
        "(i32.const 1) (i64.const 0) (i64.const 0)",
        "",
    );
    let report = World::new(vec![("t", wat(&rights))]).call(&["t"]);
    assert_eq!(report.termination, Termination::Exited(NOTSUP));
}

#[test]
fn exit_statuses_are_whole() {
    for status in [0u8, 1, 125, 126, 127, 128, 200, 255] {
        let text = format!(
            r#"(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (func (export "_start") (call $exit (i32.const {status}))))"#
        );
        let report = World::new(vec![("t", wat(&text))]).call(&["t"]);
        assert_eq!(
            (report.status, report.termination),
            (status, Termination::Exited(status))
        );
    }
}

#[test]
fn a_module_without_memory_or_start_is_refused_with_a_reason() {
    for (text, reason) in [
        (r#"(module (memory (export "memory") 1))"#, "_start"),
        (r#"(module (func (export "_start")))"#, "memory"),
        (
            r#"(module (import "env" "f" (func)) (memory (export "memory") 1)
                (func (export "_start")))"#,
            "env",
        ),
    ] {
        let report = World::new(vec![("t", wat(text))]).call(&["t"]);
        assert_eq!(report.status, 126);
        assert!(report.sentence.unwrap().contains(reason), "{text}");
    }
}

/// A guest that knows nothing of absolute paths means the root by a root entry's name,
/// and its working directory by everything else.
#[test]
fn working_directory_of_foreign_guests() {
    let world = World::new(vec![("plain", guest("plain"))]);
    std::fs::write(world.dir.path().join("here"), "here").unwrap();
    std::fs::create_dir(world.dir.path().join("sub")).unwrap();
    std::fs::write(world.dir.path().join("sub/deep"), "deep").unwrap();
    for (argv, cwd, stdout) in [
        (&["cat", "here"][..], "/workspace", "here"),
        (&["cat", "/workspace/here"], "/workspace", "here"),
        (&["cat", "sub/deep"], "/workspace", "deep"),
        (&["cat", "deep"], "/workspace/sub", "deep"),
        (&["cat", "../here"], "/workspace/sub", "here"),
        (&["cat", "/workspace/here"], "/tmp", "here"),
        (&["cat", "/dev/null"], "/workspace", ""),
        (&["ls", "."], "/", "bin dev tmp usr workspace\n"),
        (&["ls", "."], "/workspace", "here sub\n"),
        (&["ls", "/bin"], "/workspace", "plain\n"),
        (&["stdin"], "/workspace", "input"),
    ] {
        let mut words = vec!["plain"];
        words.extend(argv);
        let report = world.run(
            CallSpec::new(words)
                .cwd(cwd)
                .stdin(Input::Bytes("input".into())),
        );
        assert_eq!(out(&report), stdout, "{argv:?} in {cwd}: {}", err(&report));
    }
    let report = world.call(&["plain", "write", "new", "text"]);
    assert_eq!(report.status, 0, "{}", err(&report));
    assert_eq!(
        std::fs::read_to_string(world.dir.path().join("new")).unwrap(),
        "text"
    );
    assert_eq!(report.changes.len(), 1);
    let report = world.call(&["plain", "connect", "127.0.0.1:80"]);
    assert_eq!(report.status, 1);
}
