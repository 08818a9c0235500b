//! A call: one command line in a sandbox, with everything it starts.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::limits::Limits;
use crate::report::{Progress, Report};

/// Where a call's stdin comes from.
#[derive(Debug, Default)]
pub enum Input {
    /// At its end from the start.
    #[default]
    Empty,
    /// These bytes.
    Bytes(Bytes),
    /// A descriptor of the host; read only as far as the guest asks.
    Fd(OwnedFd),
    /// Chunks; the end of the channel is the end of the input.
    Stream(mpsc::Receiver<Bytes>),
}

/// Where a call's stdout or stderr goes.
#[derive(Default)]
pub enum Output {
    /// Thrown away.
    #[default]
    Null,
    /// Kept for the report, up to the limit of output bytes.
    Capture,
    /// stderr only: into stdout's sink, in the order of the writes.
    Merged,
    /// A descriptor of the host.
    Fd(OwnedFd),
    /// Chunks; a full channel holds the writer back, a closed one is a broken pipe.
    Stream(mpsc::Sender<Bytes>),
    /// A sink that never blocks.
    Shared(Arc<dyn OutputSink>),
}

/// Takes output as it is written. Called on the threads that run guests: must be quick
/// and must not block.
pub trait OutputSink: Send + Sync {
    /// Takes all of `bytes`. False means that nobody reads any more (a broken pipe).
    fn write(&self, bytes: &[u8]) -> bool;
}

/// What to run. [`CallSpec::new`] starts with empty stdin, captured stdout and stderr,
/// the sandbox's environment, working directory and limits.
pub struct CallSpec {
    pub(crate) argv: Vec<String>,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) cwd: Option<String>,
    pub(crate) stdin: Input,
    pub(crate) stdout: Output,
    pub(crate) stderr: Output,
    pub(crate) limits: Option<Limits>,
    pub(crate) keep_cwd: bool,
}

impl CallSpec {
    /// The command (a name of the registry or a path in the sandbox) and its arguments.
    pub fn new<S: Into<String>>(argv: impl IntoIterator<Item = S>) -> Self {
        CallSpec {
            argv: argv.into_iter().map(Into::into).collect(),
            env: Vec::new(),
            cwd: None,
            stdin: Input::Empty,
            stdout: Output::Capture,
            stderr: Output::Capture,
            limits: None,
            keep_cwd: false,
        }
    }

    /// A variable beside or instead of the sandbox's.
    #[must_use]
    pub fn env(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.push((key.into(), value.into()));
        self
    }

    /// The working directory of this call.
    #[must_use]
    pub fn cwd(mut self, cwd: impl Into<String>) -> Self {
        self.cwd = Some(cwd.into());
        self
    }

    /// Where stdin comes from.
    #[must_use]
    pub fn stdin(mut self, input: Input) -> Self {
        self.stdin = input;
        self
    }

    /// Where stdout goes.
    #[must_use]
    pub fn stdout(mut self, output: Output) -> Self {
        self.stdout = output;
        self
    }

    /// Where stderr goes.
    #[must_use]
    pub fn stderr(mut self, output: Output) -> Self {
        self.stderr = output;
        self
    }

    /// Limits of this call; the smaller of these and the sandbox's apply.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = Some(limits);
        self
    }

    /// Whether the root process's final working directory becomes the sandbox's.
    #[must_use]
    pub fn keep_cwd(mut self, keep: bool) -> Self {
        self.keep_cwd = keep;
        self
    }
}

/// Steers a running call while someone else waits for it. Cheap to clone; does not keep
/// the call alive.
#[derive(Clone)]
pub struct CallController {
    id: u64,
}

impl CallController {
    /// Unique within the host process.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Ends every process of the call within 50 ms. Returns at once.
    pub fn cancel(&self) {}

    /// Sends a signal (Linux numbers) to every process of the call.
    pub fn signal(&self, signal: u32) {
        let _ = signal;
    }

    /// What it has used so far.
    pub fn progress(&self) -> Progress {
        Progress::default()
    }
}

/// A running call. Dropping it cancels the call, unless [`CallHandle::detach`]ed.
pub struct CallHandle {
    controller: CallController,
}

impl CallHandle {
    /// Unique within the host process.
    pub fn id(&self) -> u64 {
        self.controller.id
    }

    /// A handle that outlives [`CallHandle::wait`].
    pub fn controller(&self) -> CallController {
        self.controller.clone()
    }

    /// Ends every process of the call within 50 ms. Returns at once.
    pub fn cancel(&self) {
        self.controller.cancel();
    }

    /// Sends a signal (Linux numbers) to every process of the call.
    pub fn signal(&self, signal: u32) {
        self.controller.signal(signal);
    }

    /// Lets the call run on without a handle.
    pub fn detach(self) {}

    /// What it has used so far.
    pub fn progress(&self) -> Progress {
        self.controller.progress()
    }

    /// Waits until the root process has ended and every other process of the call is
    /// gone. Dropping the future cancels the call.
    pub async fn wait(self) -> Report {
        std::future::pending().await
    }
}
