//! `cargo xtask conformance`: the shell and its commands against bash, case by case.
//!
//! This folder stands apart from the rest of xtask: it takes the clone's root and its own
//! arguments, and nothing else of xtask knows what is inside.

use crate::root::Root;

/// Options of `cargo xtask conformance`.
#[derive(clap::Args)]
pub(crate) struct Args {}

/// Runs the comparison.
pub(crate) fn run(_root: &Root, _args: &Args) -> anyhow::Result<()> {
    anyhow::bail!("the conformance runner is not written yet")
}
