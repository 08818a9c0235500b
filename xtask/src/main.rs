//! The project's own commands: `cargo xtask COMMAND`.
//!
//! A bare machine needs nothing but rustup and Debian's package manager: `cargo xtask setup`
//! brings the rest, and `test` and `demo` begin with it. Each command is one module here.

mod cmd;
mod conformance;
mod jobs;
mod modules;
mod root;
mod section;
mod setup;
mod tidy;

use clap::{Parser, Subcommand};
use root::Root;
use std::process::ExitCode;

/// Builds, checks and measures hardshell.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Install what a bare machine lacks; does nothing where all is there.
    Setup(setup::Args),
    /// Build the tool modules for WebAssembly and list them in target/modules/manifest.json.
    Modules(modules::Args),
    /// Set up, build and run every check and test of the repository.
    Test(jobs::test::Args),
    /// What continuous integration runs: the same as `test`.
    Ci(jobs::test::Args),
    /// Set up, build and run `hardshell demo`: one agent run from end to end.
    Demo(jobs::demo::Args),
    /// Check the rules of the repository that no compiler checks.
    Tidy(tidy::Args),
    /// Measure, and print one table of ratios.
    Bench(jobs::bench::Args),
    /// Make random calls into the kernel for a while.
    Fuzz(jobs::bench::FuzzArgs),
    /// Compare the shell and its commands with bash on public case collections.
    Conformance(conformance::Args),
}

fn main() -> ExitCode {
    match dispatch(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        // The chain in one line; a backtrace of xtask itself helps nobody.
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(cli: Cli) -> anyhow::Result<()> {
    let root = Root::find()?;
    match cli.command {
        Command::Setup(args) => setup::run(&root, &args),
        Command::Modules(args) => modules::run(&root, &args).map(drop),
        Command::Test(args) | Command::Ci(args) => jobs::test::run(&root, &args),
        Command::Demo(args) => jobs::demo::run(&root, &args),
        Command::Tidy(args) => tidy::run(&root, &args),
        Command::Bench(args) => jobs::bench::run(&root, &args),
        Command::Fuzz(args) => jobs::bench::fuzz(&root, &args),
        Command::Conformance(args) => conformance::run(&root, &args),
    }
}
