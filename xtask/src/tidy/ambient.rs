//! No file of the host is opened by path in the libraries that handle tenants' data.
//!
//! A tenant's file is reached through a directory handle only. What a library must still open by
//! path is its operator's own, and is listed here with its reason.

use super::repo::{Repo, is_test};

const LIBRARIES: &[&str] = &["host/src/", "service/src/", "mcp-bridge/src/"];

const AMBIENT: &[&str] = &[
    "std::fs::",
    "use std::fs",
    "tokio::fs::",
    "use tokio::fs",
    "File::open(",
    "File::create(",
    "OpenOptions::new(",
    "std::env::current_dir",
    "std::env::home_dir",
    "std::env::temp_dir",
    "env::var(",
    "env::var_os(",
];

/// (file or folder, why)
const EXCEPTIONS: &[(&str, &str)] = &[];

pub(super) fn check(repo: &Repo) -> anyhow::Result<Vec<String>> {
    let mut problems = Vec::new();
    let mut used = vec![false; EXCEPTIONS.len()];
    let sources = repo
        .ending(".rs")
        .filter(|file| LIBRARIES.iter().any(|folder| file.starts_with(folder)));
    for file in sources.filter(|file| !is_test(file)) {
        let hits: Vec<(usize, &str)> = repo
            .code(file)
            .into_iter()
            .filter_map(|(line, code)| {
                Some((line, *AMBIENT.iter().find(|word| code.contains(**word))?))
            })
            .collect();
        if hits.is_empty() {
            continue;
        }
        if let Some(index) = EXCEPTIONS
            .iter()
            .position(|(place, _)| file.starts_with(place))
        {
            if let Some(used) = used.get_mut(index) {
                *used = true;
            }
            continue;
        }
        for (line, word) in hits {
            problems.push(format!("{file}:{line}: {} is ambient; use a directory handle, or say why in tidy/ambient.rs", word.trim()));
        }
    }
    for ((place, _), used) in EXCEPTIONS.iter().zip(used) {
        if !used {
            problems.push(format!(
                "xtask/src/tidy/ambient.rs: the exception for {place} is not needed any more"
            ));
        }
    }
    Ok(problems)
}
