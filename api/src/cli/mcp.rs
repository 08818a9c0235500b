//! `hardshell mcp`: the built-in tools on one folder, over stdin and stdout.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use hardshell_mcp::{Session, SessionOptions, ToolProvider};
use tokio::signal::unix::{SignalKind, signal};

use super::kernel::{self, Workspace};
use super::limits::{CommandArgs, LimitArgs};
use super::{serve, sh};
use crate::exit::{self, Outcome};
use crate::telemetry;

/// What a tool call may take at most when nothing else is said: the longest timeout that the
/// Bash tool itself accepts.
const LONGEST_CALL: Duration = Duration::from_secs(600);

/// Options of `hardshell mcp`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hardshell mcp --workspace ~/project
  hardshell mcp --workspace . --read-only --allow-tool Read,Glob,Grep
  claude mcp add hardshell -- hardshell mcp --workspace .

In the configuration of an MCP client:
  {\"mcpServers\": {\"hardshell\": {\"command\": \"hardshell\", \"args\": [\"mcp\", \"--workspace\", \"/path\"]}}}

Limits are per tool call. Messages are on stdout, everything else on stderr.")]
pub(crate) struct Args {
    /// The folder that becomes /workspace [default: the current one]
    #[arg(long, short = 'w', value_name = "DIR")]
    workspace: Option<PathBuf>,
    /// Nothing in the workspace can be changed
    #[arg(long)]
    read_only: bool,
    /// Only these tools exist; may be given several times [default: all]
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    allow_tool: Vec<String>,
    /// A folder of tools of your own (see `hardshell tool`)
    #[arg(long, value_name = "DIR")]
    tools: Option<PathBuf>,
    /// What the tools of your own may do [default: nothing beyond the workspace read-only]
    #[arg(long, value_name = "FILE", requires = "tools")]
    tools_policy: Option<PathBuf>,
    /// Give commands a variable; NAME alone passes the value that it has here
    #[arg(long, value_name = "NAME[=VALUE]", value_parser = sh::variable)]
    env: Vec<(String, String)>,
    #[command(flatten)]
    commands: CommandArgs,
    #[command(flatten)]
    limits: LimitArgs,
}

/// Serves until stdin closes or a signal comes.
pub(crate) fn run(args: &Args) -> Outcome {
    telemetry::quiet();
    let config = kernel::local_config()?;
    Ok(serve::server_runtime()?.block_on(async { serve_one(args, &config).await })?)
}

async fn serve_one(args: &Args, config: &crate::config::KernelConfig) -> anyhow::Result<u8> {
    let engine = kernel::engine(config, false)?;
    let registry = kernel::registry(&engine)?;
    let mut providers: Vec<Arc<dyn ToolProvider>> = Vec::new();
    if let Some(folder) = &args.tools {
        providers.push(super::tool::provider(
            folder,
            args.tools_policy.as_deref(),
            &registry,
        )?);
    }
    let defaults = hardshell_host::Limits {
        wall: LONGEST_CALL,
        cpu: LONGEST_CALL,
        ..hardshell_host::Limits::default()
    };
    let mut commands = args.commands.set("sh");
    if let hardshell_host::CommandSet::Only(names) = &mut commands {
        // The file tools are a module of this name.
        names.insert("files".to_owned());
    }
    let sandbox = Workspace {
        folder: args.workspace.as_deref(),
        read_only: args.read_only,
        commands,
        env: &args.env,
        limits: args.limits.over(defaults),
    }
    .sandbox(&registry)?;
    let allowed_tools = (!args.allow_tool.is_empty()).then(|| {
        args.allow_tool
            .iter()
            .map(|name| name.trim().to_owned())
            .collect::<BTreeSet<_>>()
    });
    let options = SessionOptions {
        allowed_tools,
        providers,
        ..SessionOptions::default()
    };
    let session = Arc::new(Session::new(sandbox, options));
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        served = hardshell_mcp::serve_stdio(session) => served.context("the connection failed")?,
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(exit::OK)
}
