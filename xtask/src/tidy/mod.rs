//! `cargo xtask tidy`: the rules of the repository that no compiler checks.

use crate::root::Root;

/// Options of `cargo xtask tidy`.
#[derive(clap::Args, Default)]
pub(crate) struct Args {}

/// Checks every rule.
pub(crate) fn run(_root: &Root, _args: &Args) -> anyhow::Result<()> {
    Ok(())
}
