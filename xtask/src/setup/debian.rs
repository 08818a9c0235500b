//! Programs that come as Debian packages: the servers that tests start for themselves, and
//! native programs that tests and benches compare with.

use crate::cmd::{Cmd, is_executable, which};
use crate::root::Root;
use anyhow::bail;
use std::path::Path;

/// (program, package, folders beside PATH where it may lie)
const PROGRAMS: &[(&str, &str, &str)] = &[
    ("postgres", "postgresql", "/usr/lib/postgresql"),
    ("redis-server", "redis-server", ""),
    ("jq", "jq", ""),
    ("bash", "bash", ""),
    ("setpriv", "util-linux", ""),
];

pub(super) fn found(_root: &Root) -> Option<String> {
    let missing = missing();
    missing.is_empty().then(|| {
        PROGRAMS
            .iter()
            .map(|(program, ..)| *program)
            .collect::<Vec<_>>()
            .join(", ")
    })
}

pub(super) fn install(_root: &Root) -> anyhow::Result<()> {
    packages(&missing())
}

/// Installs packages where that is possible, and else says what to type.
pub(super) fn packages(names: &[&str]) -> anyhow::Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    let line = format!(
        "apt-get update && apt-get install --yes --no-install-recommends {}",
        names.join(" ")
    );
    if which("apt-get").is_none() {
        bail!("please install what Debian calls {}", names.join(", "));
    }
    if !is_root() {
        bail!("please run as root: {line}");
    }
    Cmd::new("apt-get").args(["update", "-qq"]).run()?;
    Cmd::new("apt-get")
        .args(["install", "--yes", "-qq", "--no-install-recommends"])
        .args(names)
        .env("DEBIAN_FRONTEND", "noninteractive")
        // Keeps the packages from starting their servers: the tests start their own.
        .env("RUNLEVEL", "1")
        .run()
}

fn missing() -> Vec<&'static str> {
    PROGRAMS
        .iter()
        .filter(|(program, _, beside)| {
            which(program).is_none() && !below(Path::new(beside), program)
        })
        .map(|(_, package, _)| *package)
        .collect()
}

/// Debian keeps each major version of PostgreSQL in a folder of its own, outside PATH.
fn below(folder: &Path, program: &str) -> bool {
    let Ok(versions) = folder.read_dir() else {
        return false;
    };
    versions
        .flatten()
        .any(|version| is_executable(&version.path().join("bin").join(program)))
}

fn is_root() -> bool {
    Cmd::new("id")
        .arg("-u")
        .read()
        .is_ok_and(|uid| uid.trim() == "0")
}
