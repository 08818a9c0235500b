//! Finding the agent CLI.

use std::path::PathBuf;

/// Where `cargo xtask setup` puts it, below a folder.
fn below(folder: &std::path::Path) -> PathBuf {
    let machine = if cfg!(target_arch = "aarch64") {
        "arm64"
    } else {
        "x64"
    };
    folder
        .join(".local/agent/node_modules/@anthropic-ai")
        .join(format!("claude-agent-sdk-linux-{machine}"))
        .join("claude")
}

/// What to tell when there is none.
pub(crate) const MISSING: &str = "the agent CLI is missing: run `cargo xtask setup` in the clone, or name the executable by \
     agent.cli in hardshell.toml or HARDSHELL_AGENT_CLI";

/// The agent CLI in `.local/agent` of the current folder, or of a folder above the binary
/// (which lies in `target/…` of the clone).
pub(crate) fn find() -> Option<PathBuf> {
    let here = std::env::current_dir().ok();
    let binary = std::env::current_exe().ok();
    let above = binary
        .iter()
        .flat_map(|path| path.ancestors().skip(1).take(4));
    here.iter()
        .map(PathBuf::as_path)
        .chain(above)
        .map(below)
        .find(|path| path.is_file())
}
