//! A call: one command line in a sandbox, with everything it starts.

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use crate::engine::Loaded;
use crate::errno::Errno;
use crate::fd::{Description, Kind};
use crate::limits::Limits;
use crate::process::Stop;
use crate::process::args::Strings;
use crate::process::group::Group;
use crate::process::spawn::{self, Child, Failed};
use crate::report::{Progress, Report, Termination};
use crate::sandbox::{CommandSet, SandboxError, SandboxInner};
use crate::stdio::{Sink, Source};
use crate::vfs::{Access, Actor, Base};

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

/// What a call may use of its sandbox, never more than the sandbox has.
/// [`Grant::default`] is nothing at all.
#[derive(Clone, Debug, Default)]
pub struct Grant {
    /// Most that is allowed in every mount but `/tmp`; None: they do not exist.
    pub mounts: Option<Access>,
    /// Whether `/tmp` exists.
    pub tmp: bool,
    /// Commands that its processes may start, beside the one that is run.
    pub commands: CommandSet,
    /// Variables of the sandbox that it sees; None: all. Those of [`CallSpec::env`] it
    /// always sees.
    pub env: Option<BTreeSet<String>>,
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
    pub(crate) grant: Option<Grant>,
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
            grant: None,
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

    /// Cuts the sandbox down for this call. Without it the call may use all of it.
    #[must_use]
    pub fn grant(mut self, grant: Grant) -> Self {
        self.grant = Some(grant);
        self
    }

    /// Whether the root process's final working directory becomes the sandbox's.
    #[must_use]
    pub fn keep_cwd(mut self, keep: bool) -> Self {
        self.keep_cwd = keep;
        self
    }
}

/// Steers a running call while someone else waits for it. Cheap to clone.
#[derive(Clone)]
pub struct CallController {
    group: Arc<Group>,
}

impl CallController {
    /// Unique within the engine.
    pub fn id(&self) -> u64 {
        self.group.id
    }

    /// Ends every process of the call within 50 ms. Returns at once.
    pub fn cancel(&self) {
        self.group.terminate(Stop::plain(Termination::Cancelled));
    }

    /// Sends a signal (Linux numbers) to every process of the call.
    pub fn signal(&self, signal: u32) {
        self.group.signal(signal);
    }

    /// What it has used so far.
    pub fn progress(&self) -> Progress {
        self.group.progress()
    }
}

/// A running call. Dropping it cancels the call, unless [`CallHandle::detach`]ed.
pub struct CallHandle {
    controller: CallController,
    report: Option<oneshot::Receiver<Report>>,
}

impl CallHandle {
    /// Unique within the engine.
    pub fn id(&self) -> u64 {
        self.controller.id()
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
    pub fn detach(mut self) {
        self.report = None;
    }

    /// What it has used so far.
    pub fn progress(&self) -> Progress {
        self.controller.progress()
    }

    /// Waits until the root process has ended and every other process of the call is
    /// gone: those that it left behind get a quarter of a second, then they are ended.
    /// Dropping the future cancels the call.
    pub async fn wait(mut self) -> Report {
        let report = match self.report.as_mut() {
            Some(report) => report.await.ok(),
            None => None,
        };
        self.report = None;
        // The sender lives in the group, which sends before it is dropped.
        report.unwrap_or_else(Report::lost)
    }
}

impl Drop for CallHandle {
    fn drop(&mut self) {
        if self.report.is_some() {
            self.controller.cancel();
        }
    }
}

fn strings(words: impl Iterator<Item = String>) -> Result<Strings, SandboxError> {
    let mut strings = Strings::new();
    for word in words {
        if !strings.push(word.as_bytes()) {
            return Err(SandboxError::Nul);
        }
    }
    Ok(strings)
}

/// Starts a call in a sandbox.
pub(crate) fn start(
    sandbox: &Arc<SandboxInner>,
    spec: CallSpec,
) -> Result<CallHandle, SandboxError> {
    let name = spec
        .argv
        .first()
        .cloned()
        .ok_or(SandboxError::EmptyCommand)?;
    let limits = match &spec.limits {
        Some(limits) => sandbox.limits.min(limits),
        None => sandbox.limits.clone(),
    };
    let vfs = match &spec.grant {
        None => Arc::clone(&sandbox.vfs),
        Some(grant) => sandbox.vfs.view(grant.mounts, grant.tmp),
    };
    let cwd = match &spec.cwd {
        None if spec.grant.is_none() => sandbox.cwd(),
        // What the sandbox's folder is may not exist for this call.
        None => vfs
            .chdir(Base::Root, sandbox.cwd().path())
            .unwrap_or_else(|_| vfs.root_cwd()),
        Some(path) => vfs
            .chdir(Base::Cwd(&sandbox.cwd()), path.as_bytes())
            .map_err(|errno| SandboxError::Cwd {
                path: path.clone(),
                errno,
            })?,
    };
    let argv = strings(spec.argv.into_iter())?;
    let mut env = sandbox.env.clone();
    if let Some(seen) = spec.grant.as_ref().and_then(|grant| grant.env.as_ref()) {
        env.retain(|key, _| seen.contains(key));
    }
    env.extend(spec.env);
    let env = strings(env.into_iter().map(|(key, value)| format!("{key}={value}")))?;
    let engine = sandbox.registry.engine().clone();
    let (done, report) = oneshot::channel();
    let group = Group::new(
        engine.next_call(),
        Arc::clone(sandbox),
        vfs,
        limits,
        spec.keep_cwd,
        done,
    );
    let actor = Actor::new(&group.limits, DEFAULT_UMASK, Arc::clone(&group.journal));
    let resolved =
        spawn::resolve(&group, &actor, &cwd, name.as_bytes(), false, &argv).map_err(|errno| {
            match errno {
                Errno::NOENT => SandboxError::NotFound(name.clone()),
                errno => SandboxError::Start {
                    name: name.clone(),
                    errno,
                },
            }
        })?;
    let fds = {
        let _io = engine.io().map(tokio::runtime::Handle::enter);
        stdio(&group, spec.stdin, spec.stdout, spec.stderr)
    };
    // Only now: the grant's commands are those that the program may start, not itself.
    if let Some(grant) = spec.grant {
        group.restrict(grant.commands);
    }
    sandbox.call_started();
    let child = Child {
        argv: resolved.argv.unwrap_or(argv),
        env,
        cwd,
        actor,
        fds,
        blob: Vec::new(),
    };
    let bound = spawn::bound(&group);
    let controller = CallController {
        group: Arc::clone(&group),
    };
    let handle = CallHandle {
        controller,
        report: Some(report),
    };
    match resolved.program.ready(bound).cloned() {
        Some(loaded) => launch(&group, loaded, child),
        None => {
            // The time that compiling takes is not the call's.
            if let Some(io) = engine.io() {
                let program = resolved.program;
                io.spawn(async move {
                    match spawn::loaded(&group.engine, &program, bound).await {
                        Ok(loaded) => launch(&group, loaded, child),
                        Err(e) => group.never_started(126, format!("hardshell: {name}: {e}")),
                    }
                });
            }
        }
    }
    Ok(handle)
}

const DEFAULT_UMASK: u32 = 0o022;

fn launch(group: &Arc<Group>, loaded: Arc<Loaded>, child: Child) {
    group.begin();
    match spawn::start(group, None, loaded, child) {
        Ok(_) => {}
        Err(Failed::Stop(stop)) => group.never_started_for(stop),
        Err(Failed::Errno(errno)) => {
            group.never_started(
                126,
                format!("hardshell: the call cannot be started: {errno}"),
            );
        }
    }
}

fn stdio(
    group: &Arc<Group>,
    stdin: Input,
    stdout: Output,
    stderr: Output,
) -> Vec<(u32, Arc<Description>)> {
    let stdin = Description::new(Kind::Source(Source::new(stdin)), true, false, 0);
    let sink = |output: Output, stderr: bool| {
        Sink::new(output, &group.captured, stderr)
            .map(|sink| Description::new(Kind::Sink(sink), false, true, 0))
    };
    let stdout = sink(stdout, false);
    let stderr = sink(stderr, true).or_else(|| stdout.clone());
    let mut fds = vec![(0, stdin)];
    fds.extend(stdout.map(|desc| (1, desc)));
    fds.extend(stderr.map(|desc| (2, desc)));
    fds
}
