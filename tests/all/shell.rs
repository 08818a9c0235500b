//! `hardshell sh` as a user types it.

use hardshell_tests::binary::{self, Ran, sh, sh_with};
use hardshell_tests::mcp::StdioClient;
use serde_json::json;
use std::fs;
use tempfile::tempdir;

fn ok(stdout: &str) -> Ran {
    Ran {
        status: 0,
        stdout: stdout.to_owned(),
        stderr: String::new(),
    }
}

const TOUR: &str = "for i in 1 2 3; do echo $i; done | sort -r | head -n 2 > out; cat out";

#[test]
fn a_pipeline_on_a_folder() {
    let folder = tempdir().unwrap();
    assert_eq!(sh(folder.path(), TOUR), ok("3\n2\n"));
    assert_eq!(
        fs::read_to_string(folder.path().join("out")).unwrap(),
        "3\n2\n"
    );
}

#[test]
fn the_same_script_through_mcp_gives_the_same_result() {
    let folder = tempdir().unwrap();
    let mut mcp = StdioClient::start(folder.path(), &[]);
    for script in [
        TOUR,
        "printf 'b\\na\\n' | sort",
        "cd /tmp; pwd",
        "seq 1 100000 | wc -l",
        "echo x | grep -c x",
    ] {
        let direct = sh(folder.path(), script);
        let result = mcp.call("Bash", json!({"command": script}));
        assert_eq!(
            (direct.status, result.is_error),
            (0, false),
            "{script}: {direct:?} {result:?}"
        );
        assert_eq!(result.text.trim_end(), direct.stdout.trim_end(), "{script}");
    }
}

#[test]
fn status_stdin_and_arguments() {
    let folder = tempdir().unwrap();
    for (script, status) in [
        ("true", 0),
        ("false", 1),
        ("exit 42", 42),
        ("nonesuch", 127),
        ("kill -9 $$", 137),
    ] {
        assert_eq!(sh(folder.path(), script).status, status, "{script}");
    }
    let mut command = binary::command();
    command.arg("sh").arg("-w").arg(folder.path()).args([
        "-c",
        "read a; echo $0 $1 $a; cat",
        "name",
        "one",
    ]);
    assert_eq!(
        binary::run(command, b"first\nrest\n"),
        ok("name one first\nrest\n")
    );
    let mut command = binary::command();
    command.arg("sh").current_dir(folder.path());
    assert_eq!(binary::run(command, b"echo from stdin\nexit 3\n").status, 3);
}

#[test]
fn the_environment_of_the_host_is_not_there() {
    let folder = tempdir().unwrap();
    let mut command = binary::command();
    command.env("SECRET_OF_THE_HOST", "hunter2");
    command
        .arg("sh")
        .arg("-w")
        .arg(folder.path())
        .args(["-c", "env; set; export -p"]);
    let ran = binary::run(command, b"");
    assert_eq!(ran.status, 0, "{ran:?}");
    for secret in [
        "SECRET_OF_THE_HOST",
        "hunter2",
        folder.path().to_str().unwrap(),
    ] {
        assert!(
            !ran.stdout.contains(secret),
            "{secret} is in {}",
            ran.stdout
        );
    }
}

#[test]
fn limits_end_a_script_with_a_sentence() {
    let folder = tempdir().unwrap();
    for (options, script, status, sentence) in [
        (["--timeout", "500ms"], "while :; do :; done", 137, "wall"),
        (["--cpu", "500ms"], "while :; do :; done", 137, "cpu"),
        (["--fuel", "10000000"], "while :; do :; done", 137, "fuel"),
        (["--output", "10KiB"], "yes", 137, "output"),
        (
            ["--processes", "4"],
            "sleep 9 | sleep 9 | sleep 9 | sleep 9 | sleep 9 | sleep 9",
            137,
            "process",
        ),
        (["--file-size", "10KiB"], "yes > big", 137, "file"),
    ] {
        let ran = sh_with(folder.path(), &options, script);
        assert_eq!(ran.status, status, "{options:?} {script}: {ran:?}");
        let said = ran.stderr.to_lowercase();
        assert!(
            said.contains("limit") && said.contains(sentence),
            "{options:?} {script}: {}",
            ran.stderr
        );
    }
}

#[test]
fn allowed_commands_are_all_there_is() {
    let folder = tempdir().unwrap();
    let ran = sh_with(
        folder.path(),
        &["--allow-command", "cat,echo"],
        "echo a | cat; ls",
    );
    assert_eq!((ran.status, ran.stdout.as_str()), (127, "a\n"), "{ran:?}");
    assert!(ran.stderr.contains("ls"), "{}", ran.stderr);
}

#[test]
fn a_read_only_workspace_stays_as_it_is() {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("a"), "1").unwrap();
    let ran = sh_with(
        folder.path(),
        &["--read-only"],
        "echo 2 > a; rm a; touch b; mkdir c; mv a d; cat a",
    );
    assert_eq!(ran.stdout, "1");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn the_report_says_what_happened() {
    let folder = tempdir().unwrap();
    let report = folder.path().join("report.json");
    let json_option = format!("--json={}", report.display());
    let workspace = folder.path().join("w");
    fs::create_dir(&workspace).unwrap();
    let ran = sh_with(
        &workspace,
        &[json_option.as_str()],
        "echo hi; echo x > made; exit 3",
    );
    assert_eq!((ran.status, ran.stdout.as_str()), (3, "hi\n"));
    let report: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(report).unwrap()).unwrap();
    assert_eq!(report["status"], 3, "{report}");
    assert!(
        report["peak_memory_bytes"].as_u64().unwrap() > 0,
        "{report}"
    );
    assert!(
        report["wall_time_seconds"].as_f64().unwrap() > 0.0,
        "{report}"
    );
    let changes = report["changes"].as_array().unwrap();
    assert!(
        changes.iter().any(|change| change["path"]
            .as_str()
            .is_some_and(|path| path.ends_with("made"))),
        "{report}"
    );
}

#[test]
fn wrong_usage_is_told() {
    for arguments in [
        vec!["sh", "--frobnicate"],
        vec!["sh", "--timeout", "soon", "-c", "true"],
        vec!["sh", "--memory", "much", "-c", "true"],
        vec!["sh", "--workspace", "/nonexistent/folder", "-c", "true"],
        vec!["nonesuch"],
        vec!["exec", "/nonexistent.wasm"],
    ] {
        let mut command = binary::command();
        command.args(&arguments);
        let ran = binary::run(command, b"");
        assert!(
            ran.status != 0 && !ran.stderr.is_empty(),
            "{arguments:?}: {ran:?}"
        );
        assert!(
            !ran.stderr.contains("panicked"),
            "{arguments:?}: {}",
            ran.stderr
        );
    }
}
