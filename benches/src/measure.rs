//! Taking times.

use std::time::{Duration, Instant};

/// Times of one thing, sorted.
pub(crate) struct Times(Vec<Duration>);

impl Times {
    /// The middle one.
    pub(crate) fn median(&self) -> Duration {
        self.at(0.5)
    }

    /// The one that this part of all does not exceed.
    pub(crate) fn at(&self, part: f64) -> Duration {
        let index = ((self.0.len() as f64 * part) as usize).min(self.0.len().saturating_sub(1));
        self.0.get(index).copied().unwrap_or_default()
    }
}

/// Runs something so often and times each.
pub(crate) fn times(
    rounds: usize,
    mut work: impl FnMut() -> anyhow::Result<()>,
) -> anyhow::Result<Times> {
    let mut all = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        let start = Instant::now();
        work()?;
        all.push(start.elapsed());
    }
    all.sort_unstable();
    Ok(Times(all))
}

/// Runs two things in turns, after one turn that does not count; the median of each.
pub(crate) fn in_turns(
    rounds: usize,
    mut ours: impl FnMut() -> anyhow::Result<()>,
    mut theirs: impl FnMut() -> anyhow::Result<()>,
) -> anyhow::Result<(Duration, Duration)> {
    let (mut left, mut right) = (Vec::with_capacity(rounds), Vec::with_capacity(rounds));
    ours()?;
    theirs()?;
    for _ in 0..rounds {
        let start = Instant::now();
        ours()?;
        left.push(start.elapsed());
        let start = Instant::now();
        theirs()?;
        right.push(start.elapsed());
    }
    left.sort_unstable();
    right.sort_unstable();
    Ok((Times(left).median(), Times(right).median()))
}
