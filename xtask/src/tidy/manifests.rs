//! Cargo manifests: dependencies in commented groups, the workspace's lints in every crate.

use super::repo::Repo;

/// What is copied into an author's own folder, and so leans on no workspace.
const STANDING_ALONE: &[&str] = &[
    "tool-modules/sdk/",
    "tool-modules/sdk-macros/",
    "tool-modules/examples/",
    "/templates/",
];

pub(super) fn check(repo: &Repo) -> anyhow::Result<Vec<String>> {
    let mut problems = Vec::new();
    for file in repo
        .files()
        .filter(|file| *file == "Cargo.toml" || file.ends_with("/Cargo.toml"))
    {
        let text = repo.text(file);
        if text.contains("[workspace.dependencies]") {
            problems.extend(uncommented(&text).into_iter().map(|(line, name)| {
                format!("{file}:{line}: {name} has no comment that says why, neither its own nor its group's")
            }));
        }
        let package =
            text.contains("[package]") && !STANDING_ALONE.iter().any(|place| file.contains(place));
        if package && !has_workspace_lints(&text) {
            problems.push(format!("{file}: lacks `[lints] workspace = true`"));
        }
    }
    Ok(problems)
}

fn has_workspace_lints(text: &str) -> bool {
    let mut lines = text
        .lines()
        .map(str::trim)
        .skip_while(|line| *line != "[lints]");
    lines.next().is_some()
        && lines
            .take_while(|line| !line.starts_with('['))
            .any(|line| line == "workspace = true")
}

/// Dependencies of `[workspace.dependencies]` in a block of lines that no comment opens, and
/// without a comment of their own.
fn uncommented(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let (mut inside, mut commented) = (false, false);
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.starts_with('[') {
            inside = line == "[workspace.dependencies]";
            commented = false;
        } else if line.is_empty() {
            commented = false;
        } else if line.starts_with('#') {
            commented = true;
        } else if inside && !commented && !line.contains(" #") {
            let name = line.split(['=', '.', ' ']).next().unwrap_or(line);
            found.push((index.saturating_add(1), name.to_owned()));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_need_a_comment() {
        let text = "[workspace.dependencies]\n# Ours.\na = \"1\"\nb = \"1\"\n\nc = \"1\"\nd = \"1\" # why\n[other]\ne = 1\n";
        assert_eq!(uncommented(text), [(6, "c".to_owned())]);
    }

    #[test]
    fn lints_are_seen() {
        assert!(has_workspace_lints(
            "[package]\n[lints]\nworkspace = true\n"
        ));
        assert!(!has_workspace_lints(
            "[lints]\n[dependencies]\nworkspace = true\n"
        ));
    }
}
