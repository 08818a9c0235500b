//! Help, usage, completions.

use crate::hardshell_in;

const COMMANDS: &[&str] = &[
    "serve",
    "mcp",
    "sh",
    "exec",
    "tool",
    "migrate",
    "demo",
    "doctor",
    "config",
    "keys",
    "completions",
];

#[test]
fn every_command_explains_itself_with_examples() {
    let folder = tempfile::tempdir().unwrap();
    let all = hardshell_in(folder.path(), &["--help"]);
    assert!(
        all.stdout.contains("137"),
        "exit codes are part of the help"
    );
    for command in COMMANDS {
        assert!(all.stdout.contains(&format!("  {command} ")), "{command}");
        let help = hardshell_in(folder.path(), &[command, "--help"]);
        assert_eq!(help.status, 0);
        assert!(
            help.stdout.contains("Examples:"),
            "{command} has no examples"
        );
    }
}

#[test]
fn wrong_usage_is_2_and_says_what_is_right() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, text) in [
        (vec!["nonesuch"], "nonesuch"),
        (vec!["sh", "--timeout", "soon", "-c", "x"], "30s"),
        (vec!["sh", "--memory", "lots", "-c", "x"], "256MiB"),
        (
            vec!["sh", "--env", "NOT_SET_ANYWHERE", "-c", "x"],
            "NOT_SET_ANYWHERE=",
        ),
        (vec!["exec", "--dir", "a::b/c", "x.wasm"], "HOST::GUEST"),
        (
            vec!["keys", "create", "--scope", "root"],
            "read, write, admin",
        ),
        (vec!["keys", "create", "--tenant", "../x"], "64 characters"),
    ] {
        let ran = hardshell_in(folder.path(), &arguments);
        assert_eq!(ran.status, 2, "{arguments:?}: {ran:?}");
        assert!(ran.stderr.contains(text), "{arguments:?}: {ran:?}");
    }
}

#[test]
fn completions_are_made_for_every_shell() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = hardshell_in(folder.path(), &["completions", shell]);
        assert_eq!(ran.status, 0);
        assert!(ran.stdout.contains("workspace"), "{shell}");
    }
}
