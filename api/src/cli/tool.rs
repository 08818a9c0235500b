//! `hardshell tool`.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use hardshell_host::Registry;
use hardshell_mcp::ToolProvider;
use hardshell_mcp::policy::Policy;
use hardshell_mcp::provider::folder::ToolFolder;

use crate::exit::Outcome;
/// Options.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}
/// Runs.
pub(crate) fn run(_args: &Args) -> Outcome {
    Err(anyhow::anyhow!("not wired yet").into())
}

/// The tools of a folder, for a session.
pub(crate) fn provider(
    folder: &Path,
    policy: Option<&Path>,
    registry: &Registry,
) -> anyhow::Result<Arc<dyn ToolProvider>> {
    let policy = match policy {
        Some(file) => {
            let text = std::fs::read_to_string(file)
                .with_context(|| format!("cannot read {}", file.display()))?;
            Policy::parse(&text).with_context(|| format!("{} is no policy", file.display()))?
        }
        None => Policy::default(),
    };
    let tools = ToolFolder::open(folder, policy, registry)
        .with_context(|| format!("cannot read the tools folder {}", folder.display()))?;
    for rejected in tools.rejected() {
        tracing::warn!("{}: {}", rejected.file, rejected.reason);
    }
    tools.watch();
    Ok(tools)
}
