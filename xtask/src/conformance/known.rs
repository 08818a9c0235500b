//! The lists of cases that fail, with the reason of each. They may only shrink.

use anyhow::Context as _;
use std::collections::BTreeMap;
use std::path::Path;

/// What `--update` writes where nobody has given a reason yet.
const NO_REASON: &str = "not looked into";

/// A list: case → reason.
pub(super) struct List(BTreeMap<String, String>);

impl List {
    /// Reads `file :: name # reason` lines; a file that is not there is an empty list.
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", path.display()));
            }
        };
        Ok(Self(parse(&text)))
    }

    /// Writes the list anew: these cases, with the reasons that are known.
    pub(super) fn write(&self, path: &Path, failed: &[String]) -> anyhow::Result<()> {
        let mut text = String::from(
            "# Cases that do not pass, and why: `file :: name # reason`. The list may only shrink.\n",
        );
        let mut sorted = failed.to_vec();
        sorted.sort();
        sorted.dedup();
        for case in sorted {
            let reason = self.0.get(&case).map_or(NO_REASON, String::as_str);
            text.push_str(&format!("{case} # {reason}\n"));
        }
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    /// One line for each case that is not as the list says.
    pub(super) fn compare(&self, suite: &str, ran: &[String], failed: &[String]) -> Vec<String> {
        let mut out: Vec<String> = failed
            .iter()
            .filter(|case| !self.0.contains_key(*case))
            .map(|case| format!("{suite}: fails and is not in the list: {case}"))
            .collect();
        out.extend(
            self.0
                .keys()
                .filter(|case| ran.contains(case) && !failed.contains(case))
                .map(|case| format!("{suite}: passes now, take it off the list: {case}")),
        );
        out
    }
}

fn parse(text: &str) -> BTreeMap<String, String> {
    text.lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty())
        .map(|line| match line.rsplit_once(" # ") {
            Some((case, reason)) => (case.trim().to_owned(), reason.trim().to_owned()),
            None => (line.trim().to_owned(), String::new()),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_directions_are_noticed() {
        let list = List(parse("# head\na.yaml :: x # why\na.yaml :: y # why\n"));
        let ran: Vec<String> = ["a.yaml :: x", "a.yaml :: y", "a.yaml :: z"]
            .map(str::to_owned)
            .into();
        let failed: Vec<String> = ["a.yaml :: x", "a.yaml :: z"].map(str::to_owned).into();
        let said = list.compare("s", &ran, &failed);
        assert_eq!(said.len(), 2);
        assert!(
            said.iter()
                .any(|s| s.contains("not in the list: a.yaml :: z"))
        );
        assert!(
            said.iter()
                .any(|s| s.contains("take it off the list: a.yaml :: y"))
        );
    }
}
