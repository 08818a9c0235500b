//! Measures hardshell against the machine itself and prints one table of ratios.
//!
//! `cargo xtask bench` builds everything in release and runs this. Both sides of a row are
//! measured in turns in the same run, so that a busy machine is unfair to both.

mod calls;
mod computing;
mod crowd;
mod files;
mod machine;
mod mcp;
mod measure;
mod row;
mod shell;
mod world;

use clap::Parser;
use row::Row;
use std::path::PathBuf;
use std::process::ExitCode;
use world::World;

/// Measures, and prints one table of ratios.
#[derive(Parser)]
#[command(name = "cargo xtask bench")]
struct Cli {
    /// Write the rows as JSON too.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Fewer rounds: a look, not a measurement.
    #[arg(long)]
    quick: bool,
    /// Only these groups.
    #[arg(long, value_name = "GROUP")]
    only: Vec<String>,
    /// Name the groups.
    #[arg(long)]
    list: bool,
}

type Bench = fn(&World) -> anyhow::Result<Vec<Row>>;

const GROUPS: &[(&str, &str, Bench)] = &[
    (
        "calls",
        "a process from nothing to exited; a fresh sandbox",
        calls::run,
    ),
    (
        "shell",
        "loops and pipelines in the shell against bash",
        shell::run,
    ),
    (
        "mcp",
        "tool calls over stdio and HTTP against bash -c",
        mcp::run,
    ),
    (
        "files",
        "small files, large files and pipes against the same program natively",
        files::run,
    ),
    (
        "computing",
        "hashing, sorting and searching against the same program natively",
        computing::run,
    ),
    (
        "crowd",
        "memory of idle sandboxes and blocked processes, a greedy neighbour, a kill",
        crowd::run,
    ),
];

fn main() -> ExitCode {
    let cli = Cli::parse();
    if cli.list {
        for (name, what, _) in GROUPS {
            println!("{name:<10} {what}");
        }
        return ExitCode::SUCCESS;
    }
    match measure_all(&cli) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs every group that is wanted; whether each could be measured.
fn measure_all(cli: &Cli) -> anyhow::Result<bool> {
    if let Some(unknown) = cli
        .only
        .iter()
        .find(|only| GROUPS.iter().all(|(name, ..)| name != only))
    {
        anyhow::bail!("no group is called {unknown}; --list names them");
    }
    let world = World::new(cli.quick)?;
    let (mut rows, mut failures) = (Vec::new(), Vec::new());
    for (name, what, bench) in GROUPS {
        if !cli.only.is_empty() && !cli.only.iter().any(|only| only == name) {
            continue;
        }
        eprintln!("measuring {name}: {what}");
        match bench(&world) {
            Ok(measured) => rows.extend(measured),
            Err(error) => {
                eprintln!("  {name} FAILED: {error:#}");
                failures.push(format!("{name}: {error:#}"));
            }
        }
    }
    let machine = machine::describe();
    println!("\n{machine}{}\n", if cli.quick { ", --quick" } else { "" });
    println!("{}", row::table(&rows));
    for failure in &failures {
        println!("not measured: {failure}");
    }
    if let Some(path) = &cli.json {
        let report = serde_json::json!({"machine": machine, "quick": cli.quick, "rows": rows, "not_measured": failures});
        std::fs::write(path, format!("{report:#}\n"))?;
    }
    Ok(failures.is_empty())
}
