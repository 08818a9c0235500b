//! `hardshell`: the service, the MCP server, the shell and the tools for tool authors in one
//! binary. See `docs/cli.md`.

mod agent;
mod bundle;
mod cli;
mod config;
mod demo;
mod exit;
mod http;
mod telemetry;
mod units;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    // The server starts this executable once more to confine and become an agent child.
    if let Some(code) = hardshell_service::agent::launch::intercept() {
        return code;
    }
    exit::finish(cli::run(cli::Cli::parse()))
}
