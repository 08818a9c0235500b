//! A child process that is the agent: started, spoken to, ended.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use parking_lot::Mutex;
use rustix::fs::{AtFlags, Mode};
use rustix::process::{Gid, Pid, Signal, Uid};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio_util::codec::{FramedRead, LinesCodec};

use super::launch::LaunchSpec;
use crate::error::{ErrorKind, Result, ServiceError};
use crate::sync::dir;

/// Longest line that is taken from the agent: a picture in base64 fits.
const LONGEST_LINE: usize = 64 << 20;

/// What a child needs to be started.
pub(crate) struct ChildSpec<'a> {
    pub(crate) launcher: &'a [OsString],
    pub(crate) cli: &'a Path,
    pub(crate) home: &'a ChildHome,
    pub(crate) user: Option<u32>,
    pub(crate) model_url: String,
    pub(crate) model_token: &'a SecretString,
    pub(crate) ports: Vec<u16>,
    pub(crate) args: Vec<String>,
    pub(crate) subagents: bool,
    pub(crate) retries: u32,
    pub(crate) memory: u64,
    pub(crate) processes: u64,
    pub(crate) require_landlock: bool,
}

/// The child's own folders; removed with it.
pub(crate) struct ChildHome {
    base: Arc<OwnedFd>,
    name: String,
    path: PathBuf,
}

impl ChildHome {
    /// Makes `cfg`, `tmp` and an empty `cwd` below `base/name`, owned by `user`.
    pub(crate) fn create(
        base: &Arc<OwnedFd>,
        base_path: &Path,
        name: &str,
        user: Option<u32>,
    ) -> io::Result<Self> {
        let home = Self {
            base: Arc::clone(base),
            name: name.to_owned(),
            path: base_path.join(name),
        };
        dir::remove_tree(base, name.as_bytes())?;
        dir::make_dir(base, name.as_bytes())?;
        let folder = dir::open_dir(base, name.as_bytes())?;
        for inner in ["cfg", "tmp", "cwd"] {
            dir::make_dir(&folder, inner.as_bytes())?;
            home.own(&folder, inner, user)?;
        }
        home.own_self(&folder, user)?;
        Ok(home)
    }

    fn own(&self, folder: &OwnedFd, name: &str, user: Option<u32>) -> io::Result<()> {
        if let Some(id) = user {
            let (uid, gid) = (Uid::from_raw(id), Gid::from_raw(id));
            rustix::fs::chownat(
                folder,
                name,
                Some(uid),
                Some(gid),
                AtFlags::SYMLINK_NOFOLLOW,
            )?;
        }
        Ok(())
    }

    fn own_self(&self, folder: &OwnedFd, user: Option<u32>) -> io::Result<()> {
        if let Some(id) = user {
            // The group may pass through, and only the child is in it.
            rustix::fs::fchown(folder, None, Some(Gid::from_raw(id)))?;
            rustix::fs::fchmod(folder, Mode::from_raw_mode(0o710))?;
        }
        Ok(())
    }

    pub(crate) fn sub(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes a file of the agent's record where it can be resumed from.
    pub(crate) fn record_file(&self, file: &str, user: Option<u32>) -> io::Result<std::fs::File> {
        let folder = dir::open_dir(&self.base, self.name.as_bytes())?;
        let mut path = String::from("cfg");
        for part in ["projects", "resumed"].into_iter().chain(file.split('/')) {
            if part.is_empty() || part == "." || part == ".." {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    "not a name of a record",
                ));
            }
            path = format!("{path}/{part}");
            if !path.ends_with(&format!("resumed/{file}")) {
                dir::make_dir(&folder, path.as_bytes())?;
                self.own(&folder, &path, user)?;
            }
        }
        let made = dir::create_file(&folder, path.as_bytes())?;
        self.own(&folder, &path, user)?;
        Ok(made)
    }

    /// Takes a file of the record away again.
    pub(crate) fn remove_record(&self, file: &str) -> io::Result<()> {
        let folder = dir::open_dir(&self.base, self.name.as_bytes())?;
        dir::remove(&folder, format!("cfg/projects/resumed/{file}").as_bytes())
    }

    /// Where [`Self::record_file`] puts it.
    pub(crate) fn record_path(&self, file: &str) -> PathBuf {
        self.path.join("cfg/projects/resumed").join(file)
    }
}

impl Drop for ChildHome {
    fn drop(&mut self) {
        if let Err(error) = dir::remove_tree(&self.base, self.name.as_bytes()) {
            tracing::warn!(folder = %self.path.display(), %error, "the agent's folders were not removed");
        }
    }
}

/// A running agent.
pub(crate) struct AgentChild {
    child: Child,
    pid: Option<Pid>,
    stdin: Option<ChildStdin>,
    lines: FramedRead<ChildStdout, LinesCodec>,
    stderr: Arc<Mutex<VecDeque<u8>>>,
}

/// Switches of the environment that close what an agent does by itself.
const OFF: &[&str] = &[
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC",
    "DISABLE_TELEMETRY",
    "DISABLE_ERROR_REPORTING",
    "DISABLE_AUTOUPDATER",
    "DISABLE_UPDATES",
    "DISABLE_GROWTHBOOK",
    "CLAUDE_CODE_DISABLE_FILE_MENTIONS",
    "CLAUDE_CODE_DISABLE_ATTACHMENTS",
    "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS",
    "CLAUDE_CODE_DISABLE_CRON",
    "CLAUDE_CODE_DISABLE_AUTO_MEMORY",
    "CLAUDE_CODE_DISABLE_CLAUDE_MDS",
    "CLAUDE_CODE_DISABLE_GIT_INSTRUCTIONS",
    "CLAUDE_CODE_DISABLE_FILE_CHECKPOINTING",
    "CLAUDE_CODE_DISABLE_OFFICIAL_MARKETPLACE_AUTOINSTALL",
    "CLAUDE_CODE_DISABLE_BUNDLED_SKILLS",
];

/// The child's whole environment.
fn environment(spec: &ChildSpec<'_>) -> Vec<(String, String)> {
    let path = |name: &str| spec.home.sub(name).to_string_lossy().into_owned();
    let mut all: Vec<(String, String)> = [
        ("PATH", "/var/empty".to_owned()),
        ("LANG", "C.UTF-8".to_owned()),
        ("HOME", path("cfg")),
        ("CLAUDE_CONFIG_DIR", path("cfg")),
        ("CLAUDE_CODE_TMPDIR", path("tmp")),
        ("TMPDIR", path("tmp")),
        ("ANTHROPIC_BASE_URL", spec.model_url.clone()),
        // A token that is good for this run's gateway only.
        (
            "ANTHROPIC_API_KEY",
            spec.model_token.expose_secret().to_owned(),
        ),
        ("ENABLE_TOOL_SEARCH", "0".to_owned()),
        ("ENABLE_CLAUDEAI_MCP_SERVERS", "0".to_owned()),
        ("CLAUDE_CODE_MAX_RETRIES", spec.retries.to_string()),
        ("MCP_TIMEOUT", "10000".to_owned()),
        ("MCP_TOOL_TIMEOUT", "3600000".to_owned()),
        ("CLAUDE_CODE_MCP_TOOL_IDLE_TIMEOUT", "0".to_owned()),
        ("MAX_MCP_OUTPUT_TOKENS", "25000".to_owned()),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value))
    .collect();
    all.extend(OFF.iter().map(|key| ((*key).to_owned(), "1".to_owned())));
    if !spec.subagents {
        all.push(("CLAUDE_AGENT_SDK_DISABLE_BUILTIN_AGENTS".into(), "1".into()));
    }
    all
}

impl AgentChild {
    /// Starts the agent in its confinement.
    pub(crate) async fn start(spec: &ChildSpec<'_>) -> Result<Self> {
        let failed = |cause: io::Error| {
            ServiceError::new(
                ErrorKind::AgentUnavailable,
                "The agent could not be started.",
            )
            .because(cause)
        };
        let launch = LaunchSpec {
            parent: rustix::process::getpid().as_raw_nonzero().get(),
            user: spec.user,
            program: spec.cli.to_owned(),
            args: spec.args.clone(),
            cwd: spec.home.sub("cwd"),
            writable: vec![spec.home.sub("cfg"), spec.home.sub("tmp")],
            ports: spec.ports.clone(),
            memory: spec.memory,
            processes: spec.processes,
            require_landlock: spec.require_landlock,
        };
        let Some((program, first)) = spec.launcher.split_first() else {
            return Err(failed(io::Error::other("no launcher")));
        };
        let mut command = Command::new(program);
        command
            .args(first)
            .arg(serde_json::to_string(&launch)?)
            .env_clear()
            .envs(environment(spec))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        let mut child = super::spawner::spawn(command).await.map_err(failed)?;
        let (Some(stdin), Some(stdout), Some(mut errors)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(failed(io::Error::other("no pipes")));
        };
        let pid = child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .and_then(Pid::from_raw);
        let stderr = Arc::new(Mutex::new(VecDeque::new()));
        let tail = Arc::clone(&stderr);
        tokio::spawn(async move {
            let mut buffer = [0_u8; 4096];
            while let Ok(count @ 1..) = errors.read(&mut buffer).await {
                let mut tail = tail.lock();
                tail.extend(buffer.iter().take(count));
                let over = tail.len().saturating_sub(4096);
                tail.drain(..over);
            }
        });
        let lines = FramedRead::new(stdout, LinesCodec::new_with_max_length(LONGEST_LINE));
        Ok(Self {
            child,
            pid,
            stdin: Some(stdin),
            lines,
            stderr,
        })
    }

    /// Sends one line.
    pub(crate) async fn send(&mut self, value: &Value) -> Result<()> {
        let mut line = serde_json::to_vec(value)?;
        line.push(b'\n');
        let Some(stdin) = &mut self.stdin else {
            return Err(died("it was told to end"));
        };
        let write = async {
            stdin.write_all(&line).await?;
            stdin.flush().await
        };
        match tokio::time::timeout(Duration::from_secs(30), write).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(died(error)),
            Err(_) => Err(died("it does not read")),
        }
    }

    /// The next line; `None` at the end of its output.
    pub(crate) async fn line(&mut self) -> Result<Option<String>> {
        match self.lines.next().await {
            None => Ok(None),
            Some(Ok(line)) => Ok(Some(line)),
            Some(Err(error)) => Err(ServiceError::new(
                ErrorKind::AgentProtocol,
                "The agent sent something that is not its protocol.",
            )
            .because(error)),
        }
    }

    /// A line that is there already.
    pub(crate) fn line_now(&mut self) -> Option<String> {
        use futures::FutureExt;
        self.lines
            .next()
            .now_or_never()
            .flatten()
            .and_then(std::result::Result::ok)
    }

    /// Tells it that nothing more comes: it ends after what it is doing.
    pub(crate) fn close_input(&mut self) {
        self.stdin = None;
    }

    /// Waits for its end; what is left of its group after `grace` is killed.
    /// Returns how it ended, for the log.
    pub(crate) async fn end(mut self, grace: Duration) -> String {
        self.stdin = None;
        let status = tokio::time::timeout(grace, self.child.wait()).await;
        self.kill_group();
        let status = match status {
            Ok(status) => status,
            Err(_) => self.child.wait().await,
        };
        let how = match status {
            Ok(status) => match (status.code(), status.signal()) {
                (Some(code), _) => format!("exit code {code}"),
                (None, Some(signal)) => format!("signal {signal}"),
                (None, None) => "an unknown end".to_owned(),
            },
            Err(error) => format!("an unknown end ({error})"),
        };
        let tail = self.stderr.lock();
        let (a, b) = tail.as_slices();
        let text = [a, b].concat();
        let text = String::from_utf8_lossy(&text);
        if text.trim().is_empty() {
            how
        } else {
            format!("{how}; it said: {}", text.trim())
        }
    }

    /// Kills it with everything it started.
    pub(crate) fn kill_group(&self) {
        if let Some(pid) = self.pid {
            let _ = rustix::process::kill_process_group(pid, Signal::KILL);
        }
    }
}

impl Drop for AgentChild {
    fn drop(&mut self) {
        // Only while it has not been waited for is the number certain to be its own.
        if self.child.id().is_some() {
            self.kill_group();
        }
    }
}

pub(crate) fn died(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> ServiceError {
    ServiceError::new(
        ErrorKind::AgentDied,
        "The agent ended before it had answered.",
    )
    .because(cause)
}
