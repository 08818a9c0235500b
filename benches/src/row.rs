//! Rows of the table.

use serde::Serialize;
use std::time::Duration;

/// What a row must reach.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Target {
    /// Ours at most this many times theirs.
    AtMostTimes(f64),
    /// Theirs at least this many times ours.
    FasterTimes(f64),
    /// Ours at most this value, in the row's unit.
    AtMost(f64),
}

/// What the numbers of a row are.
#[derive(Clone, Copy, Debug, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Unit {
    /// Microseconds.
    Micros,
    /// KiB.
    Kib,
}

/// One line of the table.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    /// What was measured.
    pub(crate) name: String,
    /// Of the numbers.
    pub(crate) unit: Unit,
    /// Ours.
    pub(crate) ours: f64,
    /// What it is compared with.
    pub(crate) against: Option<String>,
    /// Theirs.
    pub(crate) theirs: Option<f64>,
    /// What must be reached, all of it.
    pub(crate) targets: Vec<Target>,
    /// Whether it is.
    pub(crate) met: bool,
}

impl Row {
    /// A time against another.
    pub(crate) fn pair(
        name: &str,
        ours: Duration,
        against: &str,
        theirs: Duration,
        targets: &[Target],
    ) -> Self {
        Self::new(
            name,
            Unit::Micros,
            micros(ours),
            Some((against, micros(theirs))),
            targets,
        )
    }

    /// A time alone.
    pub(crate) fn time(name: &str, ours: Duration, targets: &[Target]) -> Self {
        Self::new(name, Unit::Micros, micros(ours), None, targets)
    }

    /// A size alone, in KiB.
    pub(crate) fn kib(name: &str, ours: f64, targets: &[Target]) -> Self {
        Self::new(name, Unit::Kib, ours, None, targets)
    }

    fn new(
        name: &str,
        unit: Unit,
        ours: f64,
        other: Option<(&str, f64)>,
        targets: &[Target],
    ) -> Self {
        let theirs = other.map(|(_, theirs)| theirs);
        let met = targets.iter().all(|target| match target {
            Target::AtMostTimes(most) => theirs.is_some_and(|theirs| ours <= theirs * most),
            Target::FasterTimes(least) => theirs.is_some_and(|theirs| theirs >= ours * least),
            Target::AtMost(most) => ours <= *most,
        });
        Self {
            name: name.to_owned(),
            unit,
            ours,
            against: other.map(|(against, _)| against.to_owned()),
            theirs,
            targets: targets.to_vec(),
            met,
        }
    }

    fn cells(&self) -> [String; 6] {
        let ratio = self
            .theirs
            .filter(|_| self.ours > 0.0)
            .map_or(String::new(), |theirs| {
                if theirs >= self.ours {
                    format!("{:.2}x faster", theirs / self.ours)
                } else {
                    format!("{:.2}x slower", self.ours / theirs)
                }
            });
        let targets: Vec<String> = self
            .targets
            .iter()
            .map(|target| describe(self.unit, *target))
            .collect();
        let verdict = match (targets.is_empty(), self.met) {
            (true, _) => "",
            (false, true) => "met",
            (false, false) => "MISSED",
        };
        [
            self.name.clone(),
            show(self.unit, self.ours),
            self.theirs.map_or(String::new(), |theirs| {
                format!(
                    "{}  {}",
                    show(self.unit, theirs),
                    self.against.as_deref().unwrap_or("")
                )
            }),
            ratio,
            targets.join(", "),
            verdict.to_owned(),
        ]
    }
}

fn describe(unit: Unit, target: Target) -> String {
    match target {
        Target::AtMostTimes(most) => format!("<= {most}x"),
        Target::FasterTimes(least) => format!(">= {least}x faster"),
        Target::AtMost(most) => format!("<= {}", show(unit, most)),
    }
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

fn show(unit: Unit, value: f64) -> String {
    match unit {
        Unit::Kib if value >= 10_240.0 => format!("{:.1} MiB", value / 1024.0),
        Unit::Kib => format!("{value:.1} KiB"),
        Unit::Micros if value >= 1e6 => format!("{:.2} s", value / 1e6),
        Unit::Micros if value >= 10_000.0 => format!("{:.1} ms", value / 1e3),
        Unit::Micros if value >= 1_000.0 => format!("{:.2} ms", value / 1e3),
        Unit::Micros => format!("{value:.1} us"),
    }
}

/// The rows as a Markdown table with columns of one width.
pub(crate) fn table(rows: &[Row]) -> String {
    let head = ["what", "hardshell", "against", "ratio", "target", ""].map(str::to_owned);
    let mut lines = vec![head];
    lines.extend(rows.iter().map(Row::cells));
    let widths: [usize; 6] = std::array::from_fn(|column| {
        lines
            .iter()
            .map(|line| width(line, column))
            .max()
            .unwrap_or(0)
    });
    let mut out = String::new();
    for (index, line) in lines.iter().enumerate() {
        for (cell, width) in line.iter().zip(widths) {
            out.push_str(&format!("| {cell:<width$} "));
        }
        out.push_str("|\n");
        if index == 0 {
            for width in widths {
                out.push_str(&format!("|{}", "-".repeat(width + 2)));
            }
            out.push_str("|\n");
        }
    }
    out
}

fn width(line: &[String; 6], column: usize) -> usize {
    line.get(column).map_or(0, |cell| cell.chars().count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_met_or_missed() {
        let ms = Duration::from_millis;
        for (ours, theirs, target, met) in [
            (10, 100, Target::FasterTimes(10.0), true),
            (11, 100, Target::FasterTimes(10.0), false),
            (12, 10, Target::AtMostTimes(1.2), true),
            (13, 10, Target::AtMostTimes(1.2), false),
            (5, 1, Target::AtMost(5000.0), true),
            (6, 1, Target::AtMost(5000.0), false),
        ] {
            assert_eq!(
                Row::pair("x", ms(ours), "y", ms(theirs), &[target]).met,
                met,
                "{ours} {theirs} {target:?}"
            );
        }
        let text = table(&[Row::pair(
            "x",
            ms(10),
            "y",
            ms(100),
            &[Target::FasterTimes(5.0)],
        )]);
        assert!(
            text.contains("10.00x faster") && text.contains(">= 5x faster") && text.contains("met"),
            "{text}"
        );
    }
}
