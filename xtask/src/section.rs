//! Sections of a long command, each timed.

use std::time::{Duration, Instant};

/// The sections run so far.
#[derive(Default)]
pub(crate) struct Sections {
    done: Vec<(String, Duration)>,
}

impl Sections {
    /// Runs one section under a heading and notes how long it took.
    pub(crate) fn run<T>(
        &mut self,
        name: &str,
        work: impl FnOnce() -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        eprintln!("\n== {name}");
        let start = Instant::now();
        let result = work();
        let took = start.elapsed();
        self.done.push((name.to_owned(), took));
        match &result {
            Ok(_) => eprintln!("== {name}: {}", seconds(took)),
            Err(error) => {
                eprintln!("== {name}: FAILED after {}: {error:#}", seconds(took));
                self.print();
            }
        }
        result
    }

    /// Prints a line for each section.
    pub(crate) fn print(&self) {
        let total: Duration = self.done.iter().map(|(_, took)| *took).sum();
        eprintln!("\n   time by section");
        for (name, took) in &self.done {
            eprintln!("   {:>9}  {name}", seconds(*took));
        }
        eprintln!("   {:>9}  together", seconds(total));
    }
}

fn seconds(took: Duration) -> String {
    let tenths = took.as_millis() / 100;
    if tenths < 6000 {
        format!("{}.{} s", tenths / 10, tenths % 10)
    } else {
        format!("{} min {:02} s", tenths / 600, tenths / 10 % 60)
    }
}
