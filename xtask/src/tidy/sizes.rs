//! File sizes: a source that nobody can hold in mind is split.

use super::repo::Repo;

const LIMIT: u64 = 40_000;

pub(super) fn check(repo: &Repo) -> anyhow::Result<Vec<String>> {
    let written = |file: &&str| {
        [".rs", ".md", ".toml", ".sql", ".sh", ".py"]
            .iter()
            .any(|end| file.ends_with(end))
    };
    Ok(repo
        .files()
        .filter(written)
        .filter(|file| repo.size(file) > LIMIT)
        .map(|file| {
            format!(
                "{file}: {} bytes, {LIMIT} is the most; split it",
                repo.size(file)
            )
        })
        .collect())
}
