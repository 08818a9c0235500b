//! Which agent is there.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;
use tokio::process::Command;

use crate::error::{ErrorKind, Result, ServiceError};

type Stamp = (PathBuf, Option<SystemTime>, u64);

/// Remembers the version of the executable that it last saw.
#[derive(Default)]
pub(crate) struct Versions {
    known: Mutex<Option<(Stamp, String)>>,
}

fn unavailable(text: String) -> ServiceError {
    ServiceError::new(ErrorKind::AgentUnavailable, text)
}

fn numbers(version: &str) -> Option<Vec<u64>> {
    version.split('.').map(|part| part.parse().ok()).collect()
}

impl Versions {
    /// The agent's version, if it is there and at least `min`.
    ///
    /// # Errors
    /// `agent_unavailable` with what to do about it.
    pub(crate) async fn check(&self, cli: Option<&Path>, min: &str) -> Result<String> {
        const HINT: &str = "Run `cargo xtask setup`, or set HARDSHELL_AGENT_CLI to the executable `claude` of \
            the npm package @anthropic-ai/claude-agent-sdk.";
        let Some(cli) = cli else {
            return Err(unavailable(format!("No agent is configured. {HINT}")));
        };
        let meta = tokio::fs::metadata(cli).await.map_err(|cause| {
            unavailable(format!("The configured agent is not there. {HINT}")).because(cause)
        })?;
        let stamp: Stamp = (cli.to_owned(), meta.modified().ok(), meta.len());
        let known = self.known.lock().clone();
        let version = match known {
            Some((seen, version)) if seen == stamp => version,
            _ => {
                let version = ask(cli).await?;
                *self.known.lock() = Some((stamp, version.clone()));
                version
            }
        };
        match (numbers(&version), numbers(min)) {
            (Some(found), Some(least)) if found >= least => Ok(version),
            _ => Err(unavailable(format!(
                "The agent has version {version}, and this server was tested with {min} and later. {HINT}"
            ))),
        }
    }
}

async fn ask(cli: &Path) -> Result<String> {
    let run = Command::new(cli)
        .arg("--version")
        .env_clear()
        .env("PATH", "/var/empty")
        .env("HOME", "/var/empty")
        .env("DISABLE_AUTOUPDATER", "1")
        .env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1")
        .current_dir("/")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let failed = || unavailable("The agent does not say its version.".into());
    let output = tokio::time::timeout(Duration::from_secs(20), run)
        .await
        .map_err(|_| failed())?
        .map_err(|cause| failed().because(cause))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let version = text.split_whitespace().next().unwrap_or_default();
    if numbers(version).is_none() {
        return Err(failed().because(format!("it printed {text:?}")));
    }
    Ok(version.to_owned())
}
