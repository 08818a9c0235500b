//! `hardshell sh`, seen from its caller: streams, codes, options, report.

use std::time::{Duration, Instant};

use crate::{Ran, hardshell, hardshell_in, ok, run};

#[test]
fn it_is_used_as_bash_is() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("s.sh"), "echo \"$0 $1 $#\"; exit 4\n").unwrap();
    for (arguments, stdin, status, stdout) in [
        (vec!["sh", "-c", "echo hi"], "", 0, "hi\n"),
        (
            vec!["sh", "-c", "echo $0-$1-$2", "n", "a", "-b"],
            "",
            0,
            "n-a--b\n",
        ),
        (vec!["sh", "-c", "cat; exit 3"], "in\n", 3, "in\n"),
        (vec!["sh", "s.sh", "one", "-x"], "", 4, "s.sh one 2\n"),
        (vec!["sh"], "echo from stdin; exit 5\n", 5, "from stdin\n"),
        (vec!["sh", "-s", "a", "b"], "echo $2\n", 0, "b\n"),
        (vec!["sh", "-ec", "false; echo no"], "", 1, ""),
        (
            vec!["sh", "-o", "pipefail", "-c", "false | true"],
            "",
            1,
            "",
        ),
        (
            vec!["sh", "-c", "pwd; cd /; ls"],
            "",
            0,
            "/workspace\nbin\ndev\ntmp\nusr\nworkspace\n",
        ),
        (
            vec!["sh", "--env", "A=b c", "-c", "echo $A"],
            "",
            0,
            "b c\n",
        ),
    ] {
        let mut command = hardshell();
        command.current_dir(folder.path()).args(&arguments);
        let ran = run(command, stdin.as_bytes());
        assert_eq!(
            (ran.status, ran.stdout.as_str()),
            (status, stdout),
            "{arguments:?}: {}",
            ran.stderr
        );
    }
}

#[test]
fn the_folder_is_the_current_one_or_the_named_one() {
    let folder = tempfile::tempdir().unwrap();
    let here = hardshell_in(folder.path(), &["sh", "-c", "echo 1 > here"]);
    assert_eq!(here, ok(""));
    assert!(folder.path().join("here").is_file());
    let other = tempfile::tempdir().unwrap();
    let named = folder.path().to_str().unwrap();
    assert_eq!(
        hardshell_in(other.path(), &["sh", "-w", named, "-c", "cat here"]),
        ok("1\n")
    );
    let ran = hardshell_in(
        other.path(),
        &["sh", "-w", named, "--read-only", "-c", "echo 2 > here"],
    );
    assert_ne!(ran.status, 0);
    assert_eq!(
        std::fs::read_to_string(folder.path().join("here")).unwrap(),
        "1\n"
    );
}

#[test]
fn a_limit_says_which_it_was() {
    let folder = tempfile::tempdir().unwrap();
    for (option, value, script, word) in [
        ("--timeout", "300ms", "while :; do :; done", "300"),
        ("--cpu", "300ms", "while :; do :; done", "300"),
        ("--output", "4KiB", "yes", "4"),
    ] {
        let start = Instant::now();
        let ran = hardshell_in(folder.path(), &["sh", option, value, "-c", script]);
        assert_eq!(ran.status, 137, "{option}: {ran:?}");
        assert!(start.elapsed() < Duration::from_secs(60), "{option}");
        assert!(
            ran.stderr.contains("hardshell: ") && ran.stderr.contains("limit"),
            "{option}: {ran:?}"
        );
        assert!(ran.stderr.contains(word), "{option}: {ran:?}");
        assert!(!ran.stderr.contains("hardshell: hardshell:"), "{ran:?}");
    }
}

#[test]
fn the_report_is_instead_of_the_output_or_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let ran = hardshell_in(
        folder.path(),
        &[
            "sh",
            "--json",
            "-c",
            "echo out; echo err >&2; echo x > f; exit 7",
        ],
    );
    assert_eq!(ran.status, 7);
    assert_eq!(ran.stderr, "");
    let report: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    for (pointer, want) in [
        ("/status", serde_json::json!(7)),
        ("/termination", "exited".into()),
        ("/stdout", "out\n".into()),
        ("/stderr", "err\n".into()),
        ("/cwd", "/workspace".into()),
        ("/changes/0/kind", "created".into()),
        ("/changes/0/path", "f".into()),
    ] {
        assert_eq!(
            report.pointer(pointer),
            Some(&want),
            "{pointer} of {report}"
        );
    }
    let ran = hardshell_in(folder.path(), &["sh", "--json", "-c", "printf '\\377'"]);
    assert!(ran.stdout.contains("\"stdout_base64\":\"/w==\""), "{ran:?}");
    let ran = hardshell_in(
        folder.path(),
        &[
            "sh",
            "--json=report.json",
            "--fuel",
            "1000000000",
            "-c",
            "echo out",
        ],
    );
    assert_eq!(ran, ok("out\n"));
    let report = std::fs::read(folder.path().join("report.json")).unwrap();
    let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
    assert!(
        report["fuel"].as_u64().is_some_and(|fuel| fuel > 0),
        "{report}"
    );
}

#[test]
fn signals_end_it() {
    let folder = tempfile::tempdir().unwrap();
    for (signal, script, status) in [
        (
            rustix::process::Signal::INT,
            "echo ready; while :; do :; done",
            130,
        ),
        (
            rustix::process::Signal::INT,
            "trap '' INT; echo ready; while :; do :; done",
            137,
        ),
        (rustix::process::Signal::TERM, "echo ready; sleep 60", 137),
    ] {
        let mut command = hardshell();
        command
            .current_dir(folder.path())
            .args(["sh", "-c", script])
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut ready = [0u8; 6];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut ready).unwrap();
        let start = Instant::now();
        let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{script}: {said}");
        assert!(start.elapsed() < Duration::from_secs(10), "{script}");
    }
}

#[test]
fn a_reader_that_leaves_ends_the_writer() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = hardshell();
    command
        .current_dir(folder.path())
        .args(["sh", "-c", "yes"])
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut some = [0u8; 4];
    let mut stdout = child.stdout.take().unwrap();
    std::io::Read::read_exact(&mut stdout, &mut some).unwrap();
    drop(stdout);
    assert_eq!(child.wait().unwrap().code(), Some(141));
}

#[test]
fn hosts_files_and_variables_stay_outside() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = hardshell();
    command
        .current_dir(folder.path())
        .env("SECRET", "hunter2")
        .args(["sh", "-c", "env; cat /etc/passwd; ls /proc /home /root"]);
    let Ran { stdout, .. } = run(command, b"");
    for word in ["hunter2", "SECRET", "root:"] {
        assert!(!stdout.contains(word), "{stdout}");
    }
    for (key, value) in [("HOME", "/workspace"), ("LANG", "C.UTF-8")] {
        assert!(stdout.contains(&format!("{key}={value}\n")), "{stdout}");
    }
    let mut command = hardshell();
    command
        .current_dir(folder.path())
        .env("GIVEN", "yes")
        .args(["sh", "--env", "GIVEN", "-c", "echo $GIVEN"]);
    assert_eq!(run(command, b""), ok("yes\n"));
}
