//! The agent CLI that the service runs as its child: the native executable inside the npm
//! package of the Claude Agent SDK.

use crate::cmd::{Cmd, which};
use crate::root::Root;
use anyhow::bail;
use std::path::PathBuf;

/// The package, and the version its executable must report.
const PACKAGE: &str = "@anthropic-ai/claude-agent-sdk@0.3.330";
const VERSION: &str = "2.1.330";

/// The executable.
pub(crate) fn program(root: &Root) -> PathBuf {
    let arch = if cfg!(target_arch = "aarch64") {
        "arm64"
    } else {
        "x64"
    };
    root.local().join(format!(
        "agent/node_modules/@anthropic-ai/claude-agent-sdk-linux-{arch}/claude"
    ))
}

pub(super) fn found(root: &Root) -> Option<String> {
    let version = version(root)?;
    (version == VERSION).then(|| format!("{} (version {version})", root.show(&program(root))))
}

fn version(root: &Root) -> Option<String> {
    let out = Cmd::new(program(root)).arg("--version").read().ok()?;
    out.split_whitespace().next().map(str::to_owned)
}

pub(super) fn install(root: &Root) -> anyhow::Result<()> {
    if which("npm").is_none() {
        super::debian::packages(&["npm"])?;
    }
    let prefix = root.local().join("agent");
    std::fs::create_dir_all(&prefix)?;
    // The executable is an optional dependency for this platform and needs no install script.
    Cmd::new("npm")
        .arg("install")
        .arg("--prefix")
        .arg(&prefix)
        .args([
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--loglevel",
            "error",
            PACKAGE,
        ])
        .run()?;
    match version(root) {
        Some(found) if found == VERSION => Ok(()),
        Some(found) => {
            bail!("{PACKAGE} brought version {found} of the agent, {VERSION} was expected")
        }
        None => bail!("{} does not run", program(root).display()),
    }
}
