//! Black-box tests of the command line: what needs no service. Whole runs, attacks and the
//! shell's language are tested in the workspace's own test crate.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod config;
mod exec;
mod help;
mod keys;
mod mcp;
mod sh;
mod tool;

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// What a command line gave.
#[derive(Debug, PartialEq)]
struct Ran {
    status: i32,
    stdout: String,
    stderr: String,
}

/// A clean environment: the tests must not depend on whose machine it is. Compiled modules are
/// shared by all tests of one build.
fn hardshell() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hardshell"));
    command.env_clear().env(
        "HARDSHELL_KERNEL_CACHE_DIR",
        Path::new(env!("CARGO_TARGET_TMPDIR")).join("modules"),
    );
    if let Some(folder) = std::env::var_os("HARDSHELL_BUNDLE_DIR") {
        command.env("HARDSHELL_BUNDLE_DIR", folder);
    }
    command
}

fn run(mut command: Command, stdin: &[u8]) -> Ran {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let input = stdin.to_owned();
    let writer = std::thread::spawn(move || {
        // A program that does not read its stdin is no failure.
        let _ = pipe.write_all(&input);
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    Ran {
        status: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

fn hardshell_in(folder: &Path, arguments: &[&str]) -> Ran {
    let mut command = hardshell();
    command.current_dir(folder).args(arguments);
    run(command, b"")
}

fn ok(stdout: &str) -> Ran {
    Ran {
        status: 0,
        stdout: stdout.to_owned(),
        stderr: String::new(),
    }
}
