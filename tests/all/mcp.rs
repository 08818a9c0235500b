//! The MCP server over both transports.

use hardshell_tests::mcp::StdioClient;
use serde_json::json;
use std::fs;
use tempfile::tempdir;

const TOOLS: [&str; 9] = [
    "Bash",
    "BashOutput",
    "KillShell",
    "Read",
    "Write",
    "Edit",
    "MultiEdit",
    "Glob",
    "Grep",
];

#[test]
fn the_built_in_tools_are_all_there_is_and_in_a_stable_order() {
    let folder = tempdir().unwrap();
    let mut mcp = StdioClient::start(folder.path(), &[]);
    let names = mcp.tool_names();
    assert_eq!(names, mcp.tool_names());
    for tool in TOOLS {
        assert!(
            names.iter().any(|name| name == tool),
            "{tool} is not in {names:?}"
        );
    }
    assert_eq!(mcp.close(), Some(0));
}

#[test]
fn an_agents_day_over_stdio() {
    let folder = tempdir().unwrap();
    let mut mcp = StdioClient::start(folder.path(), &[]);
    let write = mcp.call(
        "Write",
        json!({"file_path": "/workspace/a.txt", "content": "one\ntwo\nthree\n"}),
    );
    assert!(!write.is_error, "{write:?}");
    assert_eq!(
        fs::read_to_string(folder.path().join("a.txt")).unwrap(),
        "one\ntwo\nthree\n"
    );
    let read = mcp.call("Read", json!({"file_path": "/workspace/a.txt"}));
    assert!(
        read.text.contains("1\tone") && read.text.contains("3\tthree"),
        "{}",
        read.text
    );
    let edit = mcp.call(
        "Edit",
        json!({"file_path": "/workspace/a.txt", "old_string": "two", "new_string": "2"}),
    );
    assert!(!edit.is_error, "{edit:?}");
    let again = mcp.call(
        "Edit",
        json!({"file_path": "/workspace/a.txt", "old_string": "two", "new_string": "2"}),
    );
    assert!(again.is_error, "{again:?}");
    let grep = mcp.call("Grep", json!({"pattern": "^2$", "output_mode": "content"}));
    assert!(grep.text.contains('2'), "{grep:?}");
    let glob = mcp.call("Glob", json!({"pattern": "*.txt"}));
    assert!(glob.text.contains("a.txt"), "{glob:?}");
    assert!(
        !mcp.call("Bash", json!({"command": "mkdir -p d && cd d"}))
            .is_error
    );
    assert!(
        mcp.call("Bash", json!({"command": "pwd"}))
            .text
            .contains("/workspace/d"),
        "the folder persists"
    );
    let failed = mcp.call("Bash", json!({"command": "echo out; echo err >&2; exit 3"}));
    for part in ["out", "err", "3"] {
        assert!(failed.text.contains(part), "{failed:?}");
    }
}

#[test]
fn mistakes_are_results_or_errors_but_never_the_end() {
    let folder = tempdir().unwrap();
    let mut mcp = StdioClient::start(folder.path(), &[]);
    for (tool, arguments) in [
        ("Read", json!({"file_path": "/workspace/missing"})),
        ("Read", json!({"file_path": "/etc/passwd"})),
        ("Read", json!({"file_path": "../../etc/passwd"})),
        (
            "Edit",
            json!({"file_path": "/workspace/missing", "old_string": "a", "new_string": "b"}),
        ),
        ("Bash", json!({"command": 7})),
        ("Bash", json!({})),
        ("Grep", json!({"pattern": "("})),
        ("Nonesuch", json!({})),
    ] {
        let id = mcp.begin("tools/call", json!({"name": tool, "arguments": arguments}));
        match mcp.finish(id) {
            Ok(result) => assert_eq!(result["isError"], true, "{tool} {arguments}: {result}"),
            Err(error) => assert!(error["message"].is_string(), "{tool} {arguments}: {error}"),
        }
    }
    assert!(!mcp.call("Bash", json!({"command": "true"})).is_error);
}
