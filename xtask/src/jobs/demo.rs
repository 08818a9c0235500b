//! `cargo xtask demo`: one agent run from end to end, from nothing.

use crate::cmd::Cmd;
use crate::root::Root;
use crate::section::Sections;
use crate::{modules, setup};

/// Options of `cargo xtask demo`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Passed on to `hardshell demo`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

/// Sets up what the demo needs, builds, and runs it.
pub(crate) fn run(root: &Root, args: &Args) -> anyhow::Result<()> {
    let mut sections = Sections::default();
    sections.run("setup", || setup::run(root, &setup::Args::minimal()))?;
    sections.run("modules", || {
        modules::run(root, &modules::Args::default()).map(drop)
    })?;
    sections.run("build", || super::build_binary(root, "dev"))?;
    eprintln!();
    Cmd::new(root.binary("dev"))
        .arg("demo")
        .args(&args.rest)
        .env("HARDSHELL_AGENT_CLI", setup::agent::program(root))
        .dir(root.dir())
        .quiet()
        .run()
}
