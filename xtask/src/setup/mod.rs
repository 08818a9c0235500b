//! `cargo xtask setup`: brings what a bare machine lacks.
//!
//! Each step first looks whether its work is done, says what it does when it does something,
//! and can be run again at any time. What it installs for this clone alone lies in `.local/`.

pub(crate) mod agent;
mod debian;
pub(crate) mod s3;
pub(crate) mod wasm;

use crate::root::Root;

/// Options of `cargo xtask setup`.
#[derive(clap::Args, Default)]
pub(crate) struct Args {
    /// Only look; end with an error when something is missing.
    #[arg(long)]
    check: bool,
    /// Leave out what only tests need (Debian's PostgreSQL and Redis, the S3 server).
    #[arg(long)]
    minimal: bool,
}

impl Args {
    /// What the demo needs: the WebAssembly targets and the agent.
    pub(crate) fn minimal() -> Self {
        Self {
            minimal: true,
            ..Self::default()
        }
    }
}

/// One thing that a machine may lack.
struct Step {
    name: &'static str,
    /// What is there already, in a word or two; `None` when the step has work to do.
    found: fn(&Root) -> Option<String>,
    install: fn(&Root) -> anyhow::Result<()>,
    only_tests: bool,
}

const STEPS: &[Step] = &[
    Step {
        name: "WebAssembly targets",
        found: wasm::found,
        install: |_| wasm::ensure(),
        only_tests: false,
    },
    Step {
        name: "Debian packages",
        found: debian::found,
        install: debian::install,
        only_tests: true,
    },
    Step {
        name: "S3 server",
        found: s3::found,
        install: s3::install,
        only_tests: true,
    },
    Step {
        name: "agent CLI",
        found: agent::found,
        install: agent::install,
        only_tests: false,
    },
];

/// Runs every step that has work to do.
pub(crate) fn run(root: &Root, args: &Args) -> anyhow::Result<()> {
    let mut missing = Vec::new();
    for step in STEPS {
        if step.only_tests && args.minimal {
            continue;
        }
        if let Some(found) = (step.found)(root) {
            eprintln!("   {:<20} {found}", step.name);
            continue;
        }
        if args.check {
            eprintln!("   {:<20} missing", step.name);
            missing.push(step.name);
            continue;
        }
        eprintln!("   {:<20} installing", step.name);
        (step.install)(root)?;
        match (step.found)(root) {
            Some(found) => eprintln!("   {:<20} {found}", step.name),
            None => anyhow::bail!("{}: installed, and still not found", step.name),
        }
    }
    if !missing.is_empty() {
        anyhow::bail!(
            "missing: {}; `cargo xtask setup` installs them",
            missing.join(", ")
        );
    }
    Ok(())
}
