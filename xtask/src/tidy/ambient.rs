//! No file of the host is opened by path in the libraries that handle tenants' data.
//!
//! A tenant's file is reached through a directory handle only. What a library must open by path
//! is its operator's own: such a place says so with an `allow` of clippy's `disallowed_methods`
//! and the reason, or stands in the table below.

use super::repo::{Repo, is_test};

const LIBRARIES: &[&str] = &["host/src/", "service/src/", "mcp-bridge/src/"];

/// What takes a path. The type `File` alone is no harm: it is a handle.
const AMBIENT: &[&str] = &[
    "std::fs::read",
    "std::fs::write",
    "std::fs::metadata",
    "std::fs::symlink_metadata",
    "std::fs::canonicalize",
    "std::fs::create",
    "std::fs::remove",
    "std::fs::rename",
    "std::fs::copy",
    "std::fs::hard_link",
    "std::fs::set_permissions",
    "std::fs::exists",
    "std::fs::OpenOptions",
    "std::fs::DirBuilder",
    "use std::fs;",
    "use std::fs::{",
    "tokio::fs::read",
    "tokio::fs::write",
    "tokio::fs::metadata",
    "tokio::fs::create",
    "tokio::fs::remove",
    "tokio::fs::rename",
    "use tokio::fs",
    "File::open(",
    "File::create(",
    "OpenOptions::new(",
    "env::current_dir",
    "env::home_dir",
    "env::temp_dir",
    "env::var(",
    "env::var_os(",
    "env::vars",
];

/// An attribute that gives the reason on the spot, and how many lines it reaches.
const ON_THE_SPOT: &str = "clippy::disallowed_methods";
const REACH: usize = 25;

/// (file or folder, why)
const EXCEPTIONS: &[(&str, &str)] = &[
    (
        "mcp-bridge/src/toolkit/",
        "the tool author's own folders, at their own command",
    ),
    (
        "service/src/agent/version.rs",
        "the agent's executable, named in the configuration",
    ),
    (
        "service/src/sync/figures.rs",
        "a measurement on folders of its own, built for tests only",
    ),
];

pub(super) fn check(repo: &Repo) -> anyhow::Result<Vec<String>> {
    let mut problems = Vec::new();
    let mut used = vec![false; EXCEPTIONS.len()];
    let sources = repo
        .ending(".rs")
        .filter(|file| LIBRARIES.iter().any(|folder| file.starts_with(folder)));
    for file in sources.filter(|file| !is_test(file)) {
        let code = repo.code(file);
        let reasons: Vec<usize> = code
            .iter()
            .filter(|(_, code)| code.contains(ON_THE_SPOT))
            .map(|(line, _)| *line)
            .collect();
        let excused = |line: usize| {
            reasons
                .iter()
                .any(|reason| (*reason..=reason + REACH).contains(&line))
        };
        let hits: Vec<(usize, &str)> = code
            .iter()
            .filter(|(line, _)| !excused(*line))
            .filter_map(|(line, code)| {
                Some((*line, *AMBIENT.iter().find(|word| code.contains(**word))?))
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
