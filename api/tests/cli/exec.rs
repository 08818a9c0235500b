//! `hardshell exec`, as far as it needs no module of its own: a multi-call module of the
//! bundle stands for any.

use std::path::PathBuf;

use crate::{hardshell, hardshell_in, ok, run};

/// The module that serves a command, under that name: it goes by the name that it is called by.
pub(super) fn as_command(folder: &std::path::Path, name: &str) -> PathBuf {
    let bundle = std::env::var_os("HARDSHELL_BUNDLE_DIR").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/modules"),
        PathBuf::from,
    );
    let manifest = std::fs::read(bundle.join("manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    let serves = |entry: &&serde_json::Value| {
        let names = entry["names"].as_array().unwrap();
        names.iter().any(|served| served == name)
    };
    let entry = manifest.as_array().unwrap().iter().find(serves).unwrap();
    let target = folder.join(name);
    std::fs::copy(bundle.join(entry["file"].as_str().unwrap()), &target).unwrap();
    target
}

#[test]
fn it_has_the_folders_that_it_is_given() {
    let folder = tempfile::tempdir().unwrap();
    let cat = as_command(folder.path(), "cat");
    let cat = cat.to_str().unwrap();
    let data = tempfile::tempdir().unwrap();
    std::fs::write(data.path().join("x"), "data\n").unwrap();
    let given = format!("{}::/data:ro", data.path().display());
    for (arguments, status, stdout) in [
        (vec!["exec", "--dir", &given, cat, "/data/x"], 0, "data\n"),
        (vec!["exec", "--dir", &given, cat, "x"], 0, "data\n"),
        (vec!["exec", cat, "/data/x"], 1, ""),
        (vec!["exec", "--dir", &given, cat, "/etc/passwd"], 1, ""),
        (
            vec!["exec", "--dir", &given, cat, "/data/../../etc/passwd"],
            1,
            "",
        ),
    ] {
        let ran = hardshell_in(folder.path(), &arguments);
        assert_eq!(
            (ran.status, ran.stdout.as_str()),
            (status, stdout),
            "{arguments:?}: {}",
            ran.stderr
        );
    }
    let touch = as_command(folder.path(), "touch");
    let touch = touch.to_str().unwrap();
    let ran = hardshell_in(
        folder.path(),
        &["exec", "--dir", &given, touch, "/data/new"],
    );
    assert_ne!(ran.status, 0, "{ran:?}");
    let writable = format!("{}::/data", data.path().display());
    assert_eq!(
        hardshell_in(
            folder.path(),
            &["exec", "--dir", &writable, touch, "/data/new"]
        ),
        ok("")
    );
    assert!(data.path().join("new").is_file());
}

#[test]
fn it_has_the_variables_that_it_is_given() {
    let folder = tempfile::tempdir().unwrap();
    let printenv = as_command(folder.path(), "printenv");
    let mut command = hardshell();
    command
        .env("SECRET", "hunter2")
        .args(["exec", "--env", "A=1"])
        .arg(&printenv);
    let ran = run(command, b"");
    assert_eq!(ran, ok("A=1\n"));
}

#[test]
fn what_cannot_be_run_is_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("text.wasm"), "no module").unwrap();
    for (module, status, text) in [
        ("missing.wasm", 127, "missing.wasm does not exist"),
        (".", 127, "is not a file"),
        ("text.wasm", 126, "text.wasm"),
    ] {
        let ran = hardshell_in(folder.path(), &["exec", module]);
        assert_eq!(ran.status, status, "{ran:?}");
        assert!(ran.stderr.contains(text), "{ran:?}");
    }
}
