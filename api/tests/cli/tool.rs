//! `hardshell tool`, as far as it needs no compiler for the sandbox.

use crate::hardshell_in;

#[test]
fn a_project_is_written_and_a_folder_of_tools_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let new = hardshell_in(folder.path(), &["tool", "new", "word_count"]);
    assert_eq!(new.status, 0, "{new:?}");
    assert!(new.stdout.contains("word_count/Cargo.toml"), "{new:?}");
    assert!(folder.path().join("word_count/Cargo.toml").is_file());
    let again = hardshell_in(folder.path(), &["tool", "new", "word_count"]);
    assert_eq!(again.status, 1);
    assert!(again.stderr.contains("exists already"), "{again:?}");
    let bad = hardshell_in(folder.path(), &["tool", "new", "Bad-Name"]);
    assert_eq!(bad.status, 1);

    // A module without a manifest is a shell command.
    let module = folder.path().join("plain.wasm");
    std::fs::rename(crate::exec::as_command(folder.path(), "cat"), &module).unwrap();
    let inspected = hardshell_in(
        folder.path(),
        &["tool", "inspect", module.to_str().unwrap()],
    );
    assert_eq!(inspected.status, 0, "{inspected:?}");
    assert!(inspected.stdout.contains("no manifest"), "{inspected:?}");
    std::fs::create_dir(folder.path().join("tools")).unwrap();
    let add = ["tool", "add", "plain.wasm", "--tools", "tools"];
    assert_eq!(hardshell_in(folder.path(), &add).status, 0);
    let listed = hardshell_in(folder.path(), &["tool", "list", "--tools", "tools"]);
    assert!(listed.stdout.contains("plain"), "{listed:?}");
    let removed = hardshell_in(
        folder.path(),
        &["tool", "remove", "plain", "--tools", "tools"],
    );
    assert_eq!(removed.status, 0, "{removed:?}");
    assert!(!folder.path().join("tools/plain.wasm").exists());
    let nowhere = hardshell_in(folder.path(), &["tool", "list"]);
    assert_eq!(nowhere.status, 2);
    assert!(nowhere.stderr.contains("--tools"), "{nowhere:?}");
}
