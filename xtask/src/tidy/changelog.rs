//! The changelog has a place for the next change.

use super::repo::Repo;

pub(super) fn check(repo: &Repo) -> anyhow::Result<Vec<String>> {
    let text = repo.text("CHANGELOG.md");
    let mut problems = Vec::new();
    if !text.lines().any(|line| line.trim() == "## [Unreleased]") {
        problems.push("CHANGELOG.md: lacks the heading `## [Unreleased]`".to_owned());
    }
    const KINDS: [&str; 6] = [
        "Added",
        "Changed",
        "Deprecated",
        "Removed",
        "Fixed",
        "Security",
    ];
    for (index, line) in text.lines().enumerate() {
        if let Some(kind) = line.strip_prefix("### ")
            && !KINDS.contains(&kind.trim())
        {
            problems.push(format!(
                "CHANGELOG.md:{}: {kind} is none of {}",
                index.saturating_add(1),
                KINDS.join(", ")
            ));
        }
    }
    Ok(problems)
}
