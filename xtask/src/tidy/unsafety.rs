//! Unsafe code: only the kernel and the guests' raw imports have any.

use super::repo::Repo;

/// Where `unsafe` may stand, with the reason; everywhere else there is a safe crate for it.
const ALLOWED: &[(&str, &str)] = &[
    (
        "tool-modules/sdk-macros/",
        "the attribute that puts a manifest into a module",
    ),
    ("host/", "wasmtime's AOT loading and the guests' memory"),
    ("fuzz/", "the fuzz targets' entry points"),
    ("tool-modules/sys/", "the raw imports"),
    (
        "tool-modules/test-guests/",
        "guests that misbehave on purpose",
    ),
    (
        "tool-modules/cli/",
        "descriptors as files, inside the sandbox",
    ),
    (
        "tool-modules/sh/src/os/",
        "the shell's system calls, natively and in the sandbox",
    ),
];

pub(super) fn check(repo: &Repo) -> anyhow::Result<Vec<String>> {
    let mut problems = Vec::new();
    for file in repo
        .ending(".rs")
        .filter(|file| !ALLOWED.iter().any(|(folder, _)| file.starts_with(folder)))
    {
        let lines: Vec<String> = repo
            .code(file)
            .into_iter()
            .filter(|(_, code)| {
                code.split(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '"')))
                    .any(|word| word == KEYWORD)
            })
            .map(|(line, _)| line.to_string())
            .collect();
        if !lines.is_empty() {
            problems.push(format!(
                "{file}: {KEYWORD} code on line {}",
                lines.join(", ")
            ));
        }
    }
    Ok(problems)
}

/// Spelt in two so that this file does not find itself.
const KEYWORD: &str = concat!("uns", "afe");
