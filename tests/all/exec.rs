//! `hardshell exec`: any module with the folders that it is given.

use hardshell_tests::binary::{self, Ran};
use std::fs;
use std::path::Path;
use tempfile::tempdir;

/// A foreign guest: it imports preview 1 and nothing of ours.
const GUEST: &str = "target/modules/test/bench-guest.wasm";

fn exec(folder: &Path, options: &[&str], words: &[&str]) -> Ran {
    let guest = binary::root().join(GUEST);
    assert!(
        guest.is_file(),
        "{} is not there: run `cargo xtask modules`",
        guest.display()
    );
    let mut command = binary::command();
    command
        .arg("exec")
        .current_dir(folder)
        .args(options)
        .arg(guest)
        .args(words);
    binary::run(command, b"twelve bytes")
}

#[test]
fn it_reads_and_writes_the_folders_it_is_given() {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("a"), "12345").unwrap();
    let ran = exec(
        folder.path(),
        &["--dir", ".::/workspace"],
        &["read-files", "/workspace"],
    );
    assert_eq!((ran.status, ran.stdout.as_str()), (0, "5\n"), "{ran:?}");
    let ran = exec(
        folder.path(),
        &["--dir", "."],
        &["write-file", "/workspace/made", "1"],
    );
    assert_eq!(ran.status, 0, "{ran:?}");
    assert_eq!(
        fs::metadata(folder.path().join("made")).unwrap().len(),
        1 << 20
    );
    let ran = exec(
        folder.path(),
        &["--dir", ".::/data:ro"],
        &["write-file", "/data/no", "1"],
    );
    assert_eq!(ran.status, 1, "{ran:?}");
    assert!(!folder.path().join("no").exists());
    assert_eq!(exec(folder.path(), &[], &["pipe-read"]).stdout, "12\n");
}

#[test]
fn it_has_no_folder_that_it_was_not_given() {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("a"), "12345").unwrap();
    let here = folder.path().join("a").display().to_string();
    for path in [
        "a",
        "./a",
        "../a",
        here.as_str(),
        "/etc/passwd",
        "/proc/self/environ",
    ] {
        let ran = exec(folder.path(), &[], &["read-file", path]);
        assert_eq!(ran.status, 1, "{path}: {ran:?}");
    }
}

#[test]
fn its_limits_hold() {
    let folder = tempdir().unwrap();
    for (options, words, word) in [
        (["--timeout", "300ms"], ["hash", "4000000000"], "wall"),
        (["--cpu", "300ms"], ["hash", "4000000000"], "cpu"),
        (["--fuel", "1000000"], ["hash", "4000000000"], "fuel"),
        (["--memory", "16MiB"], ["sort", "100000000"], "memory"),
        (["--output", "1MiB"], ["pipe-write", "100"], "output"),
    ] {
        let ran = exec(folder.path(), &options, &words);
        assert_eq!(ran.status, 137, "{options:?}: {}", ran.stderr);
        assert!(
            ran.stderr.to_lowercase().contains(word),
            "{options:?}: {}",
            ran.stderr
        );
    }
}

#[test]
fn fuel_is_the_same_every_time() {
    let folder = tempdir().unwrap();
    let used = || -> u64 {
        let ran = exec(
            folder.path(),
            &["--fuel", "1000000000", "--json"],
            &["hash", "1000"],
        );
        let report: serde_json::Value = serde_json::from_str(ran.stdout.trim()).unwrap_or_default();
        report["fuel"]
            .as_u64()
            .unwrap_or_else(|| panic!("no fuel in {ran:?}"))
    };
    assert_eq!(used(), used());
}

#[test]
fn what_is_no_module_is_told() {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("text.wasm"), "not a module").unwrap();
    fs::write(folder.path().join("cut.wasm"), b"\0asm\x01\0\0\0\x01\xff").unwrap();
    for file in ["text.wasm", "cut.wasm", "missing.wasm"] {
        let mut command = binary::command();
        command.arg("exec").current_dir(folder.path()).arg(file);
        let ran = binary::run(command, b"");
        assert!(
            ran.status != 0 && ran.stderr.contains(file),
            "{file}: {ran:?}"
        );
        assert!(!ran.stderr.contains("panicked"), "{file}: {ran:?}");
    }
}
