//! `hardshell config`, and what every command says about a wrong configuration.

use crate::{hardshell, hardshell_in, run};

#[test]
fn values_come_with_their_source_and_without_secrets() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("hardshell.toml"),
        "[limits]\nturns = 7\n",
    )
    .unwrap();
    let mut command = hardshell();
    command
        .current_dir(folder.path())
        .env("DATABASE_URL", "postgres://u:topsecret@h/d")
        .args(["config", "--set", "server.listen=127.0.0.1:9"]);
    let ran = run(command, b"");
    assert_eq!(ran.status, 0, "{ran:?}");
    assert!(!ran.stdout.contains("topsecret"));
    for (line, source) in [
        ("limits.turns = 7", "hardshell.toml"),
        ("server.listen = \"127.0.0.1:9\"", "command line"),
        (
            "database.url = \"***\"",
            "environment variable DATABASE_URL",
        ),
    ] {
        let found = ran.stdout.lines().find(|l| l.starts_with(line));
        assert!(
            found.is_some_and(|l| l.ends_with(source)),
            "{line}: {found:?}"
        );
    }
}

#[test]
fn the_reference_is_a_configuration_that_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let reference = hardshell_in(folder.path(), &["config", "--reference"]);
    assert_eq!(reference.status, 0);
    // With every key set to its default it still is one.
    let live: String = reference
        .stdout
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest)
                if rest.split(" = ").next().is_some_and(|k| {
                    k.chars()
                        .all(|c| c.is_ascii_lowercase() || c == '_' || c.is_ascii_digit())
                }) && rest.contains(" = ") =>
            {
                if rest.ends_with("= \"\"") {
                    String::new()
                } else {
                    format!("{rest}\n")
                }
            }
            _ => format!("{line}\n"),
        })
        .collect();
    std::fs::write(
        folder.path().join("hardshell.toml"),
        live.replace("[objects.s3]", "[objects.s3]\nbucket = \"b\""),
    )
    .unwrap();
    let ran = hardshell_in(folder.path(), &["config"]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
}

#[test]
fn a_wrong_key_is_told_with_the_right_one() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("hardshell.toml"),
        "[server]\nlissten = \"x\"\n",
    )
    .unwrap();
    for command in [
        vec!["config"],
        vec!["serve"],
        vec!["migrate"],
        vec!["doctor"],
        vec!["keys", "list"],
    ] {
        let ran = hardshell_in(folder.path(), &command);
        assert_eq!(ran.status, 2, "{command:?}: {ran:?}");
        assert!(
            ran.stderr.contains("did you mean `server.listen`"),
            "{command:?}: {ran:?}"
        );
    }
    // A folder's own file has no say in what runs on the folder.
    let ran = hardshell_in(folder.path(), &["sh", "-c", "true"]);
    assert_eq!(ran.status, 0, "{ran:?}");
    let mut command = hardshell();
    command
        .env("HARDSHELL_SERVER_LISTN", "x")
        .args(["sh", "-c", "true"]);
    let ran = run(command, b"");
    assert_eq!(ran.status, 2);
    assert!(ran.stderr.contains("HARDSHELL_SERVER_LISTEN"), "{ran:?}");
}
