//! `hardshell demo`.

use std::path::PathBuf;

use crate::config::Settings;
use crate::exit::{self, Failed, Outcome};
use crate::{agent, demo, telemetry};

use super::{ConfigArgs, serve};

/// Options of `hardshell demo`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hardshell demo
  ANTHROPIC_API_KEY=… hardshell demo
  hardshell demo --json > events.jsonl

Starts the service on its embedded defaults in a temporary folder, sends one POST /execute, shows
the stream, then the files, then a second turn that reads them back. Without a key a scripted
model plays; everything else is real: the agent CLI, the service, the sandboxed tools.")]
pub(crate) struct Args {
    #[command(flatten)]
    config: ConfigArgs,
    /// The agent CLI's executable
    #[arg(long, value_name = "FILE")]
    agent_cli: Option<PathBuf>,
    /// Print every event as one line of JSON instead
    #[arg(long)]
    json: bool,
    /// Show the server's log too
    #[arg(long)]
    verbose: bool,
}

/// Runs the demo.
pub(crate) fn run(args: &Args) -> Outcome {
    let mut settings = Settings::load_for_demo(&args.config.flags()).map_err(Failed::usage)?;
    if let Some(cli) = &args.agent_cli {
        settings
            .set("agent.cli", &cli.display().to_string())
            .map_err(Failed::usage)?;
    }
    let mut config = settings.config().map_err(Failed::usage)?;
    if args.verbose {
        telemetry::start(&config.log).map_err(Failed::usage)?;
    } else {
        telemetry::quiet();
    }
    let cli = config.service.agent.cli.take().or_else(agent::find);
    match cli {
        Some(cli) if cli.is_file() => config.service.agent.cli = Some(cli),
        Some(cli) => {
            return Err(
                anyhow::anyhow!("{} is not there: {}", cli.display(), agent::MISSING).into(),
            );
        }
        None => return Err(anyhow::anyhow!(agent::MISSING).into()),
    }
    serve::server_runtime()?.block_on(demo::play(config, args.json))?;
    Ok(exit::OK)
}
