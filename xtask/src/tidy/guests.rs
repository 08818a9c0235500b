//! Every guest of the tests is named by a test that runs it.

use super::repo::{Repo, is_test};

pub(super) fn check(repo: &Repo) -> anyhow::Result<Vec<String>> {
    let tests: String = repo
        .ending(".rs")
        .filter(|file| is_test(file) && !file.starts_with("tool-modules/"))
        .map(|file| repo.text(file))
        .collect();
    let mut problems = Vec::new();
    for file in repo.ending(".rs") {
        let Some(rest) = file.strip_prefix("tool-modules/test-guests/src/bin/") else {
            continue;
        };
        let name = rest
            .split('/')
            .next()
            .unwrap_or(rest)
            .trim_end_matches(".rs");
        let named = [
            format!("\"{name}\""),
            format!("\"{name}.wasm\""),
            format!("/{name}.wasm\""),
        ];
        if !named.iter().any(|quoted| tests.contains(quoted)) {
            problems.push(format!(
                "{file}: no test outside tool-modules names the guest \"{name}\""
            ));
        }
    }
    problems.dedup();
    Ok(problems)
}
