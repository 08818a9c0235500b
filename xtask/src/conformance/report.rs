//! What the command prints.

use super::shell::{Case, Outcome, Verdict};
use std::collections::BTreeMap;

/// Counts by suite and file: passed, counted.
#[derive(Default)]
pub(super) struct Table(BTreeMap<(String, String), (u32, u32)>);

impl Table {
    pub(super) fn count(&mut self, suite: &str, file: &str, outcome: Outcome) {
        let slot = self
            .0
            .entry((suite.to_owned(), file.to_owned()))
            .or_default();
        match outcome {
            Outcome::Pass => {
                slot.0 += 1;
                slot.1 += 1;
            }
            Outcome::Fail => slot.1 += 1,
            Outcome::NotCounted => {}
        }
    }

    /// A line per file, and one per suite.
    pub(super) fn print(&self) {
        let mut sums: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
        println!(
            "{:<8} {:<52} {:>7} {:>7}",
            "suite", "file", "passed", "cases"
        );
        for ((suite, file), (passed, cases)) in &self.0 {
            println!("{suite:<8} {file:<52} {passed:>7} {cases:>7}");
            let sum = sums.entry(suite).or_default();
            sum.0 += passed;
            sum.1 += cases;
        }
        println!();
        for (suite, (passed, cases)) in sums {
            let percent = if cases == 0 {
                100.0
            } else {
                f64::from(passed) * 100.0 / f64::from(cases)
            };
            println!(
                "{suite:<8} {passed:>5} of {cases:>5} cases that bash passes here: {percent:.1} %"
            );
        }
    }
}

/// A failed case in full.
pub(super) fn show(case: &Case, verdict: &Verdict) {
    let status = |s: Option<i32>| s.map_or_else(|| "hung".to_owned(), |s| s.to_string());
    println!("== {}", case.id());
    println!("args: {:?}", case.args);
    if !case.stdin.is_empty() {
        println!("{}", case.stdin.trim_end());
    }
    for (who, ran) in [("bash", &verdict.bash), ("ours", &verdict.ours)] {
        println!("-- {who}: {}", status(ran.status));
        print!("{}", ran.stdout);
        if !ran.stderr.is_empty() {
            println!("-- {who} on stderr");
            print!("{}", ran.stderr);
        }
    }
    println!();
}
