//! `cargo xtask conformance`: the shell and its commands against bash, case by case.
//!
//! Two public collections come through cargo, as test data of crates: the compatibility cases of
//! `brush-shell`, for which the machine's bash gives the answer when they run, and the cases of
//! `bashkit`, which state theirs. A case counts if real bash passes it here. Nothing of them is
//! kept in the repository but the names of those that fail, each with its reason
//! (`known/*.txt`): a case that fails and is not named there fails the command, and so does one
//! that is named there and passes.
//!
//! This folder stands apart from the rest of xtask: it takes the clone's root and its own
//! arguments, and nothing else of xtask knows what is inside.

mod bashkit;
mod brush;
mod fetch;
mod known;
mod report;
mod shell;

use crate::root::Root;
use anyhow::{Context as _, bail};
use shell::{Case, Outcome, Shells, Verdict};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The suites, in the order of the report.
const SUITES: [&str; 7] = ["brush", "bash", "awk", "grep", "sed", "jq", "yq"];

/// Options of `cargo xtask conformance`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The binary under test; by default the one of the dev profile.
    #[arg(long)]
    binary: Option<PathBuf>,
    /// Only these suites (brush, bash, awk, grep, sed, jq, yq).
    #[arg(long, value_name = "SUITE")]
    suite: Vec<String>,
    /// Only cases whose file or name holds this text.
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Cases at a time; by default as many as there are processors.
    #[arg(long, short)]
    jobs: Option<usize>,
    /// Show script, expected and actual output of every case that fails.
    #[arg(long)]
    show: bool,
    /// Rewrite the lists of known failures to what this run found, keeping their reasons.
    #[arg(long)]
    update: bool,
}

/// Runs the comparison.
pub(crate) fn run(root: &Root, args: &Args) -> anyhow::Result<()> {
    if let Some(name) = args
        .suite
        .iter()
        .find(|name| !SUITES.contains(&name.as_str()))
    {
        bail!(
            "no suite is called {name}; there are: {}",
            SUITES.join(", ")
        );
    }
    let binary = args.binary.clone().unwrap_or_else(|| root.binary("dev"));
    let shells = Shells::new(&binary)?;
    let sources = fetch::sources(root)?;
    let jobs = args
        .jobs
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(2, std::num::NonZero::get));
    let mut table = report::Table::default();
    let mut complaints = Vec::new();
    for suite in SUITES {
        if !args.suite.is_empty() && !args.suite.iter().any(|s| s == suite) {
            continue;
        }
        let mut cases = match suite {
            "brush" => brush::cases(&sources.brush)?,
            other => bashkit::cases(&sources.bashkit, other)?,
        };
        if let Some(text) = &args.filter {
            cases.retain(|c| c.file.contains(text) || c.name.contains(text));
        }
        let verdicts = run_all(&shells, &cases, jobs);
        let mut failed = Vec::new();
        for (case, verdict) in cases.iter().zip(&verdicts) {
            let outcome = verdict.outcome();
            table.count(suite, &case.file, outcome);
            if outcome == Outcome::Fail {
                failed.push(case.id());
                if args.show {
                    report::show(case, verdict);
                }
            }
        }
        let path = root
            .dir()
            .join("xtask/src/conformance/known")
            .join(format!("{suite}.txt"));
        let known = known::List::read(&path)?;
        if args.update && args.filter.is_none() {
            known.write(&path, &failed)?;
        } else {
            let all: Vec<String> = cases.iter().map(Case::id).collect();
            complaints.extend(known.compare(suite, &all, &failed));
        }
    }
    table.print();
    if complaints.is_empty() {
        return Ok(());
    }
    for complaint in &complaints {
        eprintln!("{complaint}");
    }
    bail!(
        "{} cases differ from the lists of known failures",
        complaints.len()
    )
}

/// Runs the cases on some threads. One that fails is run again alone at the end: a machine
/// under load makes short timeouts of a case miss.
fn run_all(shells: &Shells, cases: &[Case], jobs: usize) -> Vec<Verdict> {
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<Option<Verdict>>> = Mutex::new(cases.iter().map(|_| None).collect());
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| {
                while let Some(case) = {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    cases.get(at).map(|case| (at, case))
                } {
                    let verdict = shells.run(case.1);
                    if let Ok(mut all) = results.lock()
                        && let Some(slot) = all.get_mut(case.0)
                    {
                        *slot = Some(verdict);
                    }
                }
            });
        }
    });
    let first = results.into_inner().unwrap_or_default();
    cases
        .iter()
        .zip(first)
        .map(|(case, verdict)| match verdict {
            Some(verdict) if verdict.outcome() != Outcome::Fail => verdict,
            _ => shells.run(case),
        })
        .collect()
}

/// Reads a file of a collection; bytes that are no text are replaced.
fn read_text(path: &std::path::Path) -> anyhow::Result<String> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
