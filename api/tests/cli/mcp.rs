//! `hardshell mcp`, seen from a client that begins and calls.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::hardshell;

#[test]
fn a_client_sees_the_tools_that_are_allowed_and_calls_one() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = hardshell()
        .args(["mcp", "--allow-tool", "Bash,Read", "-w"])
        .arg(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut to = child.stdin.take().unwrap();
    let mut from = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut call = |id: u64, method: &str, params: Value| -> Value {
        let request = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        writeln!(to, "{request}").unwrap();
        // Notifications may come before the answer.
        loop {
            let line: Value = serde_json::from_str(&from.next().unwrap().unwrap()).unwrap();
            if line["id"] == id {
                return line;
            }
        }
    };
    let client = json!({"protocolVersion": "2025-11-25", "capabilities": {},
                        "clientInfo": {"name": "test", "version": "1"}});
    let begun = call(1, "initialize", client);
    assert!(
        begun["result"]["capabilities"]["tools"].is_object(),
        "{begun}"
    );
    let listed = call(2, "tools/list", json!({}));
    let tools = listed["result"]["tools"].as_array().unwrap();
    let names: Vec<&str> = tools
        .iter()
        .filter_map(|tool| tool["name"].as_str())
        .collect();
    assert!(
        names.contains(&"Bash") && names.contains(&"Read"),
        "{names:?}"
    );
    assert!(!names.contains(&"Write"), "{names:?}");
    let arguments = json!({"name": "Bash", "arguments": {"command": "echo $((6 * 7)); pwd"}});
    let called = call(3, "tools/call", arguments);
    let text = called["result"]["content"][0]["text"].as_str().unwrap();
    assert_eq!(text.trim_end(), "42\n/workspace", "{called}");
    drop(to);
    assert!(child.wait().unwrap().success());
}
