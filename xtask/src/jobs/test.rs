//! `cargo xtask test`: everything that must hold before a change is taken.

use crate::cmd::Cmd;
use crate::root::Root;
use crate::section::Sections;
use crate::{modules, setup, tidy};
use anyhow::bail;

/// Options of `cargo xtask test`.
#[derive(clap::Args, Clone)]
pub(crate) struct Args {
    /// Leave a section out; may be given several times.
    #[arg(long, value_name = "SECTION")]
    skip: Vec<String>,
    /// Run only these sections.
    #[arg(long, value_name = "SECTION")]
    only: Vec<String>,
    /// Passed on to the test runner of the last section, for instance a filter.
    #[arg(last = true)]
    rest: Vec<String>,
}

type Work = fn(&Root, &Args) -> anyhow::Result<()>;

/// In this order: what fails fast first, the workspace's tests last, so that the output ends
/// with the test runner's own count.
const SECTIONS: &[(&str, Work)] = &[
    ("setup", |root, _| setup::run(root, &setup::Args::default())),
    ("tidy", |root, _| tidy::run(root, &tidy::Args::default())),
    ("fmt", |root, _| fmt(root)),
    ("modules", |root, _| {
        modules::run(root, &modules::Args::default()).map(drop)
    }),
    ("module-tests", |root, _| module_tests(root)),
    ("build", |root, _| build(root)),
    ("warm-up", |root, _| warm_up(root)),
    ("clippy", |root, _| clippy(root)),
    ("doc-tests", |root, _| doc_tests(root)),
    ("tests", tests),
];

/// Runs the sections that are wanted.
pub(crate) fn run(root: &Root, args: &Args) -> anyhow::Result<()> {
    let known: Vec<&str> = SECTIONS.iter().map(|(name, _)| *name).collect();
    for name in args.skip.iter().chain(&args.only) {
        if !known.contains(&name.as_str()) {
            bail!(
                "no section is called {name}; there are: {}",
                known.join(", ")
            );
        }
    }
    let mut sections = Sections::default();
    for (name, work) in SECTIONS {
        let wanted = args.only.is_empty() || args.only.iter().any(|only| only == name);
        if !wanted || args.skip.iter().any(|skip| skip == name) {
            continue;
        }
        if *name == "tests" {
            sections.print();
        }
        sections.run(name, || work(root, args))?;
    }
    Ok(())
}

fn fmt(root: &Root) -> anyhow::Result<()> {
    Cmd::cargo()
        .args(["fmt", "--all", "--check"])
        .dir(root.dir())
        .run()?;
    Cmd::cargo()
        .args(["fmt", "--all", "--check"])
        .dir(&root.tool_modules())
        .run()
}

fn clippy(root: &Root) -> anyhow::Result<()> {
    let strict = ["--", "-D", "warnings"];
    Cmd::cargo()
        .args(["clippy", "--workspace", "--all-targets", "--quiet"])
        .locked()
        .args(strict)
        .dir(root.dir())
        .run()?;
    Cmd::cargo()
        .args(["clippy", "--workspace", "--quiet"])
        .locked()
        .arg("--target-dir")
        .arg(root.tool_modules().join("target"))
        .args(strict)
        .dir(&root.tool_modules())
        .run()
}

/// The tool modules' unit tests run natively: their logic needs no sandbox. Only packages that
/// have a test are built, since some are large and natively of no use.
fn module_tests(root: &Root) -> anyhow::Result<()> {
    let host = host_triple()?;
    let mut cmd = Cmd::cargo().args([
        "test", "--quiet", "--lib", "--bins", "--tests", "--target", &host,
    ]);
    for package in modules::packages_with_tests(root)? {
        cmd = cmd.args(["--package", &package]);
    }
    cmd.locked()
        .arg("--target-dir")
        .arg(root.tool_modules().join("target"))
        .dir(&root.tool_modules())
        .run()
}

/// Builds the tests and, with them, the binary. The binary alone would be built with fewer
/// features of shared dependencies, and these would then be compiled twice.
fn build(root: &Root) -> anyhow::Result<()> {
    Cmd::cargo()
        .args([
            "test",
            "--workspace",
            "--lib",
            "--bins",
            "--tests",
            "--no-run",
            "--quiet",
        ])
        .locked()
        .dir(root.dir())
        .run()
}

/// Compiles every module once into the cache that the tests share: otherwise many tests would
/// begin by compiling the same module at the same time, and their times would say nothing.
fn warm_up(root: &Root) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    for command in modules::one_command_each(&root.modules_out())? {
        Cmd::new(root.binary("dev"))
            .args([
                "sh",
                "-c",
                "\"$0\" --version </dev/null >/dev/null 2>&1; :",
                &command,
            ])
            .env(
                "HARDSHELL_KERNEL_CACHE_DIR",
                root.target().join("test-cache"),
            )
            .dir(folder.path())
            .run()?;
    }
    Ok(())
}

fn doc_tests(root: &Root) -> anyhow::Result<()> {
    Cmd::cargo()
        .args(["test", "--workspace", "--doc", "--quiet"])
        .locked()
        .dir(root.dir())
        .run()
}

fn tests(root: &Root, args: &Args) -> anyhow::Result<()> {
    let nextest = Cmd::cargo().args(["nextest", "--version"]).read().is_ok();
    let runner = if nextest {
        ["nextest", "run"].as_slice()
    } else {
        ["test", "--lib", "--bins", "--tests"].as_slice()
    };
    Cmd::cargo()
        .args(runner)
        .locked()
        .arg("--workspace")
        .args(&args.rest)
        .env("HARDSHELL_BIN", root.binary("dev"))
        .env("HARDSHELL_AGENT_CLI", setup::agent::program(root))
        .env("HARDSHELL_TEST_S3", setup::s3::program(root))
        .dir(root.dir())
        .run()
}

fn host_triple() -> anyhow::Result<String> {
    let text = Cmd::new("rustc").arg("-vV").read()?;
    match text.lines().find_map(|line| line.strip_prefix("host: ")) {
        Some(host) => Ok(host.to_owned()),
        None => bail!("rustc -vV names no host"),
    }
}
