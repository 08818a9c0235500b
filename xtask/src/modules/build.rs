//! Running cargo for the WebAssembly targets and learning what it made.

use crate::cmd::Cmd;
use crate::root::Root;
use anyhow::Context as _;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// How to build.
pub(crate) struct Settings<'a> {
    pub(crate) profile: &'a str,
    pub(crate) target_dir: &'a Path,
    pub(crate) jobs: Option<u32>,
}

/// What was built.
pub(crate) struct Built {
    /// (package, binary) → file.
    pub(crate) artifacts: BTreeMap<(String, String), PathBuf>,
    /// The command that failed, if one did; what was built before stays in `artifacts`.
    pub(crate) failure: Option<String>,
}

#[derive(Deserialize)]
struct Message {
    reason: String,
    package_id: Option<String>,
    target: Option<Target>,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

/// Builds whole packages for preview 1.
pub(crate) fn wasip1(
    root: &Root,
    settings: &Settings<'_>,
    packages: &[&str],
) -> anyhow::Result<Built> {
    let mut args = vec!["--target", "wasm32-wasip1", "--bins"];
    for package in packages {
        args.extend(["--package", package]);
    }
    cargo_build(root, settings, &args)
}

/// Builds some of the tests' guests as components.
pub(crate) fn wasip2(
    root: &Root,
    settings: &Settings<'_>,
    bins: &[String],
) -> anyhow::Result<Built> {
    let mut args = vec!["--target", "wasm32-wasip2", "--package", super::TEST_GUESTS];
    for bin in bins {
        args.extend(["--bin", bin]);
    }
    cargo_build(root, settings, &args)
}

fn cargo_build(root: &Root, settings: &Settings<'_>, args: &[&str]) -> anyhow::Result<Built> {
    let mut cmd = Cmd::cargo()
        .args([
            "build",
            "--keep-going",
            "--message-format",
            "json-render-diagnostics",
        ])
        .locked()
        .args(["--profile", settings.profile])
        .arg("--target-dir")
        .arg(settings.target_dir)
        .args(args)
        // tool-modules/.cargo/config.toml is found from its folder only, and flags from the
        // environment would replace the ones it sets.
        .dir(&root.tool_modules())
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("CARGO_BUILD_TARGET");
    if let Some(jobs) = settings.jobs {
        cmd = cmd.arg("--jobs").arg(jobs.to_string());
    }
    let (mut command, text) = cmd.into_inner();
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start `{text}`"))?;
    let stdout = child.stdout.take().context("cargo has no stdout")?;
    let mut artifacts = BTreeMap::new();
    for line in BufReader::new(stdout).lines() {
        let line = line.context("reading cargo's messages")?;
        // Build scripts may print lines of their own.
        let Ok(message) = serde_json::from_str::<Message>(&line) else {
            continue;
        };
        if message.reason != "compiler-artifact" {
            continue;
        }
        if let (Some(id), Some(target), Some(file)) =
            (message.package_id, message.target, message.executable)
        {
            artifacts.insert((package_name(&id), target.name), file);
        }
    }
    let status = child.wait().context("waiting for cargo")?;
    let failure = (!status.success())
        .then(|| format!("`cargo build` for {} ended with {status}", args.join(" ")));
    Ok(Built { artifacts, failure })
}

/// The name in a package id such as `path+file:///x/sh#hardshell-sh@0.1.0` or `…/sh#0.1.0`.
fn package_name(id: &str) -> String {
    let (before, fragment) = id.rsplit_once('#').unwrap_or(("", id));
    match fragment.split_once('@') {
        Some((name, _)) => name.to_owned(),
        None => before.rsplit('/').next().unwrap_or(before).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::package_name;

    #[test]
    fn package_ids_give_their_name() {
        for (id, name) in [
            ("path+file:///x/sh#hardshell-sh@0.1.0", "hardshell-sh"),
            ("path+file:///x/hardshell-sh#0.1.0", "hardshell-sh"),
            ("registry+https://x/y#serde@1.0.0", "serde"),
        ] {
            assert_eq!(package_name(id), name, "{id}");
        }
    }
}
