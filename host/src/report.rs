//! How a process or a call ended, and what it used.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::vfs::Change;

/// A limit of the file system that was hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum QuotaKind {
    /// The size of one file, or of a file of its type.
    FileBytes,
    /// Bytes in the writable mounts.
    WorkspaceBytes,
    /// Files in the writable mounts.
    WorkspaceFiles,
    /// Bytes in `/tmp`.
    ScratchBytes,
}

/// Why a process or a call ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", content = "detail", rename_all = "snake_case")]
pub enum Termination {
    /// It returned or called `proc_exit` with this status.
    Exited(u8),
    /// It wrote to a pipe that nobody reads.
    BrokenPipe,
    /// The fuel of the call is used up.
    Fuel,
    /// The CPU time of the call is used up.
    CpuTime,
    /// The wall-clock time of the call is used up.
    Deadline,
    /// It needed more memory than the process or the sandbox may have.
    Memory,
    /// Too many processes alive, or started.
    Processes,
    /// Too many bytes written to stdout and stderr.
    Output,
    /// A limit of the file system.
    Quota(QuotaKind),
    /// The host took the call back.
    Cancelled,
    /// A signal of another process of the call, or of the host.
    Signal(u32),
    /// The program did what WebAssembly forbids; the text says what.
    Trap(String),
}

impl Termination {
    /// The status that a shell would show, 0 to 255.
    pub fn status(&self) -> u8 {
        match self {
            Termination::Exited(code) => *code,
            Termination::BrokenPipe => 141,
            Termination::Signal(n) => 128u8.saturating_add(u8::try_from(*n).unwrap_or(127)),
            Termination::Trap(_) => 134,
            _ => 137,
        }
    }

    /// The number in the `wait` record of the guest ABI.
    pub fn code(&self) -> u32 {
        match self {
            Termination::Exited(_) => 0,
            Termination::BrokenPipe => 1,
            Termination::Fuel => 2,
            Termination::CpuTime => 3,
            Termination::Deadline => 4,
            Termination::Memory => 5,
            Termination::Processes => 6,
            Termination::Output => 7,
            Termination::Quota(_) => 8,
            Termination::Cancelled => 9,
            Termination::Signal(_) => 10,
            Termination::Trap(_) => 11,
        }
    }

    /// True for an exit with status 0.
    pub fn success(&self) -> bool {
        matches!(self, Termination::Exited(0))
    }

    /// True when a limit of the sandbox ended it.
    pub fn is_limit(&self) -> bool {
        (2..=8).contains(&self.code())
    }
}

impl fmt::Display for Termination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Termination::Exited(code) => write!(f, "exited {code}"),
            Termination::BrokenPipe => f.write_str("broken pipe"),
            Termination::Fuel => f.write_str("out of fuel"),
            Termination::CpuTime => f.write_str("out of CPU time"),
            Termination::Deadline => f.write_str("deadline"),
            Termination::Memory => f.write_str("memory limit"),
            Termination::Processes => f.write_str("process limit"),
            Termination::Output => f.write_str("output limit"),
            Termination::Quota(_) => f.write_str("quota"),
            Termination::Cancelled => f.write_str("cancelled"),
            Termination::Signal(n) => write!(f, "signal {n}"),
            Termination::Trap(text) => write!(f, "trap: {text}"),
        }
    }
}

/// What a finished call did and used.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Shell-like exit status of the root process, 137 when a limit ended the call.
    pub status: u8,
    /// Why the call ended.
    pub termination: Termination,
    /// One sentence for people when a limit, a signal or a trap ended the call.
    pub sentence: Option<String>,
    /// The sentence of every limit that was hit, also of processes other than the root.
    pub limit_hits: Vec<String>,
    /// CPU time of all processes.
    #[serde(serialize_with = "seconds")]
    pub cpu_time: Duration,
    /// Fuel used, when the call ran with fuel.
    pub fuel: Option<u64>,
    /// Highest sum of the linear memories of the call's live processes, bytes.
    pub peak_memory: u64,
    /// From start to end of the root process.
    #[serde(serialize_with = "seconds")]
    pub wall_time: Duration,
    /// Processes started, the root included.
    pub processes: u32,
    /// Bytes written to stdout and stderr.
    pub output_bytes: u64,
    /// What the call changed below its writable mounts, in order.
    pub changes: Vec<Change>,
    /// False when there were more changes than are kept: only a scan can tell.
    pub changes_complete: bool,
    /// Captured stdout ([`crate::Output::Capture`]).
    #[serde(skip)]
    pub stdout: Vec<u8>,
    /// Captured stderr.
    #[serde(skip)]
    pub stderr: Vec<u8>,
    /// Working directory of the root process when it ended.
    pub final_cwd: String,
}

impl Report {
    /// Stands in when the kernel has lost the call; it does not happen.
    pub(crate) fn lost() -> Report {
        Report {
            status: 137,
            termination: Termination::Cancelled,
            sentence: Some("hardshell: the call was lost".to_owned()),
            limit_hits: Vec::new(),
            cpu_time: Duration::ZERO,
            fuel: None,
            peak_memory: 0,
            wall_time: Duration::ZERO,
            processes: 0,
            output_bytes: 0,
            changes: Vec::new(),
            changes_complete: false,
            stdout: Vec::new(),
            stderr: Vec::new(),
            final_cwd: "/".to_owned(),
        }
    }
}

fn seconds<S: serde::Serializer>(d: &Duration, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_f64(d.as_secs_f64())
}

/// What a running call has used so far.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Progress {
    /// Wall-clock time since the start.
    #[serde(serialize_with = "seconds")]
    pub elapsed: Duration,
    /// CPU time of all processes.
    #[serde(serialize_with = "seconds")]
    pub cpu_time: Duration,
    /// Bytes written to stdout and stderr.
    pub output_bytes: u64,
    /// Processes alive now.
    pub processes: u32,
}

/// What a sandbox has used over its life.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Usage {
    /// Calls started.
    pub calls: u64,
    /// Processes started.
    pub processes: u64,
    /// CPU time of all finished and running calls.
    #[serde(serialize_with = "seconds")]
    pub cpu_time: Duration,
    /// Linear memory of live processes, bytes.
    pub memory: u64,
    /// Highest value of `memory`.
    pub peak_memory: u64,
    /// Bytes in the writable mounts.
    pub workspace_bytes: u64,
    /// Files in the writable mounts.
    pub workspace_files: u64,
    /// Bytes in `/tmp`.
    pub scratch_bytes: u64,
}
