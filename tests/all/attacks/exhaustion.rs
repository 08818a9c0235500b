//! Resource exhaustion: each ends by its own limit, soon, with a sentence, and the server that
//! runs it neither grows nor ends.

use hardshell_tests::mcp::StdioClient;
use hardshell_tests::proc;
use serde_json::json;
use std::time::{Duration, Instant};
use tempfile::tempdir;

const MIB: u64 = 1 << 20;

/// (what, script, a word of the limit's sentence)
const ATTACKS: &[(&str, &str, &str)] = &[
    (
        "a fork bomb",
        "bomb() { bomb | bomb & }; bomb; sleep 60",
        "process",
    ),
    (
        "many children",
        "i=0; while :; do sleep 100 & i=$((i+1)); done",
        "process",
    ),
    ("an endless loop", "while :; do :; done", "limit"),
    ("an endless loop in a child", "yes > /dev/null", "limit"),
    ("endless output", "yes", "output"),
    ("endless output on stderr", "yes >&2", "output"),
    (
        "endless output of a builtin",
        "while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxx; done",
        "output",
    ),
    ("a memory bomb", "x=x; while :; do x=$x$x; done", "memory"),
    (
        "a memory bomb in a command",
        "tr -d '\\n' < /dev/zero | sort",
        "memory",
    ),
    ("a memory bomb by substitution", "x=$(yes)", "memory"),
    ("an endless file", "yes > big", "file"),
    ("an endless file in /tmp", "yes > /tmp/big", ""),
    ("a sparse file", "truncate -s 100G sparse", ""),
    (
        "many files",
        "mkdir m; cd m; i=0; while :; do : > f$i; i=$((i+1)); done",
        "file",
    ),
    ("a pipe never read", "yes | sleep 100", "time"),
    ("a wait for nothing", "sleep 1000", "time"),
    (
        "a brace that explodes",
        "echo {1..9999}{1..9999}{1..9999} > /dev/null",
        "",
    ),
    (
        "a glob that explodes",
        "mkdir -p a/b a/c; for i in 1 2 3 4; do echo /*/*/*/*/*/*/*/*/*/* > /dev/null; done; echo done",
        "",
    ),
    (
        "a regular expression that explodes",
        "[[ aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac =~ ^(a+)+$ ]]; echo done",
        "",
    ),
    ("endless recursion", "f() { f; }; f", ""),
    (
        "deep folders",
        "while mkdir d && cd d; do :; done; echo done",
        "",
    ),
    (
        "many descriptors",
        "i=10; while eval \"exec $i</dev/null\"; do i=$((i+1)); done; echo done",
        "",
    ),
];

#[test]
fn resource_exhaustion() {
    let folder = tempdir().unwrap();
    let mut mcp = StdioClient::start(
        folder.path(),
        &[
            "--timeout",
            "8s",
            "--cpu",
            "4s",
            "--memory",
            "64MiB",
            "--total-memory",
            "128MiB",
            "--processes",
            "32",
            "--output",
            "1MiB",
            "--file-size",
            "16MiB",
            "--workspace-files",
            "2000",
            "--workspace-size",
            "64MiB",
        ],
    );
    assert!(
        !mcp.call("Bash", json!({"command": "seq 3 | sort | grep 2"}))
            .is_error
    );
    let idle = proc::resident(mcp.pid());
    let mut failures = Vec::new();
    for (what, script, word) in ATTACKS {
        let start = Instant::now();
        let result = mcp.call("Bash", json!({"command": script}));
        let took = start.elapsed();
        let text = result.text.to_lowercase();
        if took > Duration::from_secs(12) {
            failures.push(format!("{what}: took {took:?}"));
        }
        let told = result.is_error && text.contains("limit") && text.contains(word);
        if !word.is_empty() && !told {
            let end: String = result
                .text
                .chars()
                .rev()
                .take(300)
                .collect::<Vec<_>>()
                .into_iter()
                .rev()
                .collect();
            failures.push(format!(
                "{what}: no sentence about the {word} limit: …{end}"
            ));
        }
        let next = mcp.call(
            "Bash",
            json!({"command": "rm -rf /workspace/* /tmp/*; echo next"}),
        );
        if next.is_error || !next.text.contains("next") {
            failures.push(format!("{what}: the next call: {next:?}"));
        }
        let grown = proc::peak_resident(mcp.pid()).saturating_sub(idle);
        if grown > 256 * MIB {
            failures.push(format!("{what}: the server grew by {} MiB", grown / MIB));
            break;
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
