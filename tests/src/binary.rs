//! The binary under test.

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;

/// The root folder of the clone.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent()
        .expect("the package lies in the clone")
        .to_owned()
}

fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => root().join(dir),
        None => root().join("target"),
    }
}

/// The binary: `HARDSHELL_BIN`, or the one that cargo built last for development.
pub fn path() -> PathBuf {
    let path = match std::env::var_os("HARDSHELL_BIN") {
        Some(path) => PathBuf::from(path),
        None => target().join("debug/hardshell"),
    };
    assert!(
        path.is_file(),
        "there is no binary to test at {}: run `cargo xtask modules && cargo build -p hardshell`, \
         or let HARDSHELL_BIN name one",
        path.display()
    );
    path
}

/// The real agent CLI, where setup puts it.
pub fn agent_cli() -> PathBuf {
    let path = match std::env::var_os("HARDSHELL_AGENT_CLI") {
        Some(path) => PathBuf::from(path),
        None => {
            root().join(".local/agent/node_modules/@anthropic-ai/claude-agent-sdk-linux-x64/claude")
        }
    };
    assert!(
        path.is_file(),
        "there is no agent CLI at {}: run `cargo xtask setup`",
        path.display()
    );
    path
}

/// Where the tests keep compiled modules between runs, so that each is compiled once.
pub fn cache_dir() -> PathBuf {
    target().join("test-cache")
}

/// A command for the binary with nothing of our environment but PATH and, while developing, the
/// folder of modules to use in place of those in the binary.
pub fn command() -> Command {
    let mut command = Command::new(path());
    command.env_clear();
    for name in ["PATH", "HARDSHELL_BUNDLE_DIR"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command.env("HARDSHELL_KERNEL_CACHE_DIR", cache_dir());
    command.env("HOME", "/nonexistent");
    command
}

/// What a program left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// Exit status; 128+n for a signal.
    pub status: i32,
    /// What it wrote, bytes that are not UTF-8 replaced.
    pub stdout: String,
    /// What it complained about.
    pub stderr: String,
}

/// Runs a command to its end with this on stdin.
pub fn run(mut command: Command, stdin: &[u8]) -> Ran {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    let mut input = child.stdin.take().expect("stdin is piped");
    let stdin = stdin.to_vec();
    let feeder = thread::spawn(move || {
        // A program may end without reading all.
        let _ = input.write_all(&stdin);
    });
    let output = child.wait_with_output().expect("the program ends");
    feeder.join().expect("the feeder ends");
    ran(&output)
}

fn ran(output: &Output) -> Ran {
    use std::os::unix::process::ExitStatusExt as _;
    let status = output.status;
    Ran {
        status: status
            .code()
            .unwrap_or_else(|| 128 + status.signal().unwrap_or(0)),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Runs `hardshell sh` on a folder with these options and a script.
pub fn sh_with<S: AsRef<OsStr>>(workspace: &Path, options: &[S], script: &str) -> Ran {
    let mut command = command();
    command
        .arg("sh")
        .arg("--workspace")
        .arg(workspace)
        .args(options)
        .args(["-c", script]);
    run(command, b"")
}

/// Runs `hardshell sh -c SCRIPT` on a folder.
pub fn sh(workspace: &Path, script: &str) -> Ran {
    sh_with::<&str>(workspace, &[], script)
}
