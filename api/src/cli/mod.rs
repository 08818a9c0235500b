//! The command line: one module per subcommand.

pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod exec;
mod history;
pub(crate) mod kernel;
pub(crate) mod keys;
pub(crate) mod limits;
pub(crate) mod mcp;
pub(crate) mod migrate;
pub(crate) mod prompt;
pub(crate) mod report;
pub(crate) mod serve;
pub(crate) mod sh;
pub(crate) mod streams;
pub(crate) mod tool;

use clap::{Parser, Subcommand};

use crate::config::Flags;
use crate::exit::Outcome;

/// A tool runtime for AI agents: every command is a WebAssembly instance.
#[derive(Debug, Parser)]
#[command(
    name = "hardshell",
    version,
    about = "A sandboxed tool runtime for AI agents: every command is a WebAssembly instance with its own limits",
    after_help = crate::exit::HELP,
    arg_required_else_help = true,
    propagate_version = true,
    max_term_width = 100
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the HTTP service: POST /execute, conversations, files, MCP.
    Serve(serve::Args),
    /// Serve the built-in tools on one folder to an MCP client, over stdin and stdout.
    Mcp(mcp::Args),
    /// Run a shell script, or a prompt, on the current folder and nothing else.
    Sh(sh::Args),
    /// Run one WebAssembly module or component with the folders that you give it.
    Exec(exec::Args),
    /// Make, build, test, inspect and install tools of your own.
    Tool(tool::Args),
    /// Bring the database to the schema of this version.
    Migrate(migrate::Args),
    /// Show one agent run from end to end, with a scripted model when there is no key.
    Demo(demo::Args),
    /// Check that this machine and this configuration can run the service.
    Doctor(doctor::Args),
    /// Print the effective configuration with its sources, or the reference of every key.
    Config(config::Args),
    /// Create, list and revoke API keys.
    Keys(keys::Args),
    /// Print the completion script of a shell.
    Completions(completions::Args),
}

/// Options of every subcommand that reads the configuration.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct ConfigArgs {
    /// Configuration file (default: hardshell.toml of the current folder, if there is one)
    #[arg(
        long,
        value_name = "FILE",
        env = "HARDSHELL_CONFIG",
        hide_env_values = true
    )]
    pub(crate) config: Option<std::path::PathBuf>,
    /// Set one configuration key, as in the file: --set server.listen=127.0.0.1:9000
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
}

impl ConfigArgs {
    /// These options as a source of configuration.
    pub(crate) fn flags(&self) -> Flags {
        Flags {
            file: self.config.clone(),
            set: self.set.clone(),
        }
    }
}

/// Runs what the command line asks for.
pub(crate) fn run(cli: Cli) -> Outcome {
    match cli.command {
        Command::Serve(args) => serve::run(&args),
        Command::Mcp(args) => mcp::run(&args),
        Command::Sh(args) => sh::run(&args),
        Command::Exec(args) => exec::run(&args),
        Command::Tool(args) => tool::run(&args),
        Command::Migrate(args) => migrate::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Config(args) => config::run(&args),
        Command::Keys(args) => keys::run(&args),
        Command::Completions(args) => completions::run(&args),
    }
}
