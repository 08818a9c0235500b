//! The attacks that must come to nothing, named after the risks in docs/security-model.md.
//!
//! Each runs for real, on a folder that lies beside a canary, and afterwards the canary, the
//! neighbour and the next call are looked at.

mod data;
mod destruction;
mod exhaustion;
mod network;
mod takeover;

use hardshell_tests::binary::{Ran, sh};
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

const CANARY: &str = "canary: nobody inside may read or change this";

/// A workspace under attack, with things beside it that must stay as they are.
struct Target {
    base: TempDir,
}

impl Target {
    fn new() -> Self {
        let base = tempfile::tempdir().unwrap();
        for folder in ["workspace", "neighbour", "host"] {
            fs::create_dir(base.path().join(folder)).unwrap();
        }
        for file in ["neighbour/theirs.txt", "host/canary.txt", "beside.txt"] {
            fs::write(base.path().join(file), CANARY).unwrap();
        }
        Self { base }
    }

    fn workspace(&self) -> PathBuf {
        self.base.path().join("workspace")
    }

    fn outside(&self) -> PathBuf {
        self.base.path().join("host")
    }

    /// Runs an attack, then looks whether anything outside is touched or told.
    fn attack(&self, script: &str) -> Ran {
        let ran = sh(&self.workspace(), script);
        assert!(
            !ran.stdout.contains("canary:") && !ran.stderr.contains("canary:"),
            "{script}: {ran:?}"
        );
        self.check(script);
        ran
    }

    fn check(&self, what: &str) {
        for file in ["neighbour/theirs.txt", "host/canary.txt", "beside.txt"] {
            let text = fs::read_to_string(self.base.path().join(file));
            assert_eq!(text.ok().as_deref(), Some(CANARY), "{file} after {what}");
        }
        let count = |folder: &str| fs::read_dir(self.base.path().join(folder)).unwrap().count();
        assert_eq!(
            (count("neighbour"), count("host"), count(".")),
            (1, 1, 4),
            "after {what}"
        );
        let next = sh(&self.workspace(), "echo still here | cat");
        assert_eq!(
            (next.status, next.stdout.as_str()),
            (0, "still here\n"),
            "the call after {what}: {next:?}"
        );
    }
}
