//! Links of the documents: relative ones lead to a file, and to a heading where they name one.

use super::repo::Repo;
use std::path::{Component, Path, PathBuf};

pub(super) fn check(repo: &Repo) -> anyhow::Result<Vec<String>> {
    let mut problems = Vec::new();
    for file in repo.ending(".md") {
        for (line, target) in targets(&repo.text(file)) {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let (path, heading) = target
                .split_once('#')
                .map_or((target.as_str(), None), |(path, heading)| {
                    (path, Some(heading))
                });
            let to = if path.is_empty() {
                PathBuf::from(file)
            } else {
                resolve(file, path)
            };
            let full = repo.dir().join(&to);
            if !full.exists() {
                problems.push(format!("{file}:{line}: {target} leads nowhere"));
            } else if let Some(heading) = heading
                && to.extension().is_some_and(|end| end == "md")
                && !headings(&repo.text(&to.to_string_lossy()))
                    .iter()
                    .any(|known| known == heading)
            {
                problems.push(format!(
                    "{file}:{line}: {} has no heading #{heading}",
                    to.display()
                ));
            }
        }
    }
    Ok(problems)
}

/// Every `](target)` outside code, with its line from 1.
fn targets(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut fenced = false;
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        // Code spans are every second piece between backticks.
        for piece in line
            .split('`')
            .step_by(2)
            .collect::<Vec<_>>()
            .join("``")
            .split("](")
            .skip(1)
        {
            if let Some((target, _)) = piece.split_once(')') {
                let target = target.split_whitespace().next().unwrap_or("");
                found.push((index.saturating_add(1), target.to_owned()));
            }
        }
    }
    found
}

fn resolve(file: &str, path: &str) -> PathBuf {
    let mut to = Path::new(file)
        .parent()
        .map(Path::to_owned)
        .unwrap_or_default();
    for part in Path::new(path).components() {
        match part {
            Component::ParentDir => {
                to.pop();
            }
            Component::Normal(name) => to.push(name),
            _ => {}
        }
    }
    to
}

/// The anchors that GitHub makes of a document's headings.
fn headings(text: &str) -> Vec<String> {
    let mut fenced = false;
    let mut found = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if !fenced && line.starts_with('#') {
            let title = line.trim_start_matches('#').trim();
            let anchor = title
                .to_lowercase()
                .chars()
                .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
                .map(|c| if c == ' ' { '-' } else { c })
                .collect();
            found.push(anchor);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found_outside_code() {
        let text = "see [a](b.md#c) and `[x](y)`\n```\n[z](w)\n```\n[d](../e.md \"t\")";
        assert_eq!(
            targets(text),
            [(1, "b.md#c".to_owned()), (5, "../e.md".to_owned())]
        );
        assert_eq!(resolve("docs/a/b.md", "../c.md"), Path::new("docs/c.md"));
        assert_eq!(
            headings("# One two: three!\n```\n# no\n```\n## `x` y"),
            ["one-two-three", "x-y"]
        );
    }
}
