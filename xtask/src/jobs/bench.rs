//! `cargo xtask bench`: builds in release and prints the table of ratios.

use crate::cmd::Cmd;
use crate::root::Root;
use crate::section::Sections;
use crate::{modules, setup};

/// Options of `cargo xtask bench`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Passed on to the bench binary: `--json FILE`, `--quick`, `--only NAME`, `--list`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

/// Builds both binaries in release, then measures.
pub(crate) fn run(root: &Root, args: &Args) -> anyhow::Result<()> {
    let mut sections = Sections::default();
    sections.run("setup", setup::wasm::ensure)?;
    sections.run("modules", || {
        modules::run(root, &modules::Args::default()).map(drop)
    })?;
    sections.run("build", || {
        Cmd::cargo()
            .args([
                "build",
                "--release",
                "--package",
                "hardshell",
                "--package",
                "hardshell-benches",
            ])
            .locked()
            .dir(root.dir())
            .run()
    })?;
    eprintln!();
    Cmd::new(root.target().join("release/hardshell-benches"))
        .args(&args.rest)
        .env("HARDSHELL_BIN", root.binary("release"))
        .env("HARDSHELL_MODULES", root.modules_out())
        .dir(root.dir())
        .quiet()
        .run()
}

/// Options of `cargo xtask fuzz`.
#[derive(clap::Args)]
pub(crate) struct FuzzArgs {
    /// Passed on: `--seconds N`, `--seed N`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

/// Builds the guest and the fuzzer, and runs it.
pub(crate) fn fuzz(root: &Root, args: &FuzzArgs) -> anyhow::Result<()> {
    modules::run(root, &modules::Args::default())?;
    Cmd::cargo()
        .args([
            "run",
            "--package",
            "hardshell-benches",
            "--bin",
            "hardshell-fuzz",
            "--",
        ])
        .args(&args.rest)
        .dir(root.dir())
        .run()
}
