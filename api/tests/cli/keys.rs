//! `hardshell keys` and `migrate`, on the embedded database.

use std::path::Path;

use crate::{Ran, hardshell, run};

fn in_data(folder: &Path, arguments: &[&str]) -> Ran {
    let mut command = hardshell();
    command
        .current_dir(folder)
        .env("HARDSHELL_DATA_DIR", folder.join("data"))
        .args(arguments);
    run(command, b"")
}

#[test]
fn a_key_is_made_listed_and_ended() {
    let folder = tempfile::tempdir().unwrap();
    let made = in_data(
        folder.path(),
        &["keys", "create", "--tenant", "acme", "--scope", "read"],
    );
    assert_eq!(made.status, 0, "{made:?}");
    let key = made.stdout.trim();
    assert!(key.starts_with("hsk_") && key.len() > 40, "{made:?}");

    let listed = in_data(folder.path(), &["keys", "list", "--json"]);
    let keys: serde_json::Value = serde_json::from_str(&listed.stdout).unwrap();
    assert_eq!(keys[0]["tenant"], "acme");
    assert_eq!(keys[0]["scopes"], serde_json::json!(["read"]));
    assert!(!listed.stdout.contains(key), "a key is shown once");
    let id = keys[0]["id"].as_str().unwrap();

    let revoked = in_data(folder.path(), &["keys", "revoke", id]);
    assert_eq!(revoked.status, 0, "{revoked:?}");
    let listed = in_data(folder.path(), &["keys", "list", "--tenant", "acme"]);
    assert!(listed.stdout.contains("revoked"), "{listed:?}");
    let again = in_data(folder.path(), &["keys", "revoke", id]);
    assert_eq!(again.status, 1);
    assert!(again.stderr.contains("hardshell keys list"), "{again:?}");
}

#[test]
fn migrating_twice_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let ran = in_data(folder.path(), &["migrate"]);
        assert_eq!(ran.status, 0, "{ran:?}");
        assert!(ran.stdout.contains("up to date"), "{ran:?}");
    }
}
