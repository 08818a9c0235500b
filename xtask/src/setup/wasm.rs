//! The compiler's WebAssembly targets.

use crate::cmd::{Cmd, which};
use crate::root::Root;
use anyhow::bail;
use std::path::Path;

const TARGETS: [&str; 2] = ["wasm32-wasip1", "wasm32-wasip2"];

pub(super) fn found(_root: &Root) -> Option<String> {
    missing().is_empty().then(|| TARGETS.join(", "))
}

/// Adds the targets that the compiler in use has no standard library for.
pub(crate) fn ensure() -> anyhow::Result<()> {
    let missing = missing();
    if missing.is_empty() {
        return Ok(());
    }
    if which("rustup").is_none() {
        bail!(
            "rustc has no standard library for {} and there is no rustup to add it",
            missing.join(" and ")
        );
    }
    Cmd::new("rustup")
        .args(["target", "add"])
        .args(missing)
        .run()
}

/// Asks the compiler rather than rustup, so that one from elsewhere is fine too.
fn missing() -> Vec<&'static str> {
    let has = |target: &str| {
        Cmd::new("rustc")
            .args(["--print", "target-libdir", "--target", target])
            .read()
            .is_ok_and(|dir| {
                Path::new(dir.trim())
                    .read_dir()
                    .is_ok_and(|mut entries| entries.next().is_some())
            })
    };
    TARGETS.into_iter().filter(|target| !has(target)).collect()
}
