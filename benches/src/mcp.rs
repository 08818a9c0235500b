//! Tool calls as a client sees them, over stdio and HTTP.

use crate::measure::times;
use crate::row::{Row, Target};
use crate::world::{World, run as native};
use anyhow::bail;
use hardshell_tests::mcp::{HttpClient, StdioClient, ToolResult};
use hardshell_tests::server::Server;
use serde_json::{Value, json};
use std::process::Command;

const CALLS: usize = 2_000;

pub(crate) fn run(world: &World) -> anyhow::Result<Vec<Row>> {
    let folder = tempfile::tempdir()?;
    std::fs::write(
        folder.path().join("four.txt"),
        "x".repeat(63).repeat(64).as_bytes(),
    )?;
    let calls = world.rounds(CALLS);
    let bash = times(world.rounds(400), || {
        native(Command::new("bash").args(["-c", "echo hi"]))
    })?;

    let mut client = StdioClient::start(folder.path(), &[]);
    let mut rows = tools(
        calls,
        "stdio",
        bash.median(),
        (150.0, 600.0),
        |tool, arguments| client.call(tool, arguments),
    )?;
    drop(client);

    // Over HTTP a key is joined by the conversation whose workspace the tools see.
    let server = Server::start(
        &json!({"turns": [{"plays": 0, "content": [{"type": "text", "text": "Hello."}]}]}),
    );
    let made = server.client.post("/conversations", &json!({})).json();
    let Some(conversation) = made["id"].as_str() else {
        bail!("no conversation was made: {made}")
    };
    let mut client =
        match HttpClient::start(&server.client.with("hardshell-conversation", conversation)) {
            Ok(client) => client,
            Err((status, text)) => bail!("MCP over HTTP: {status} {text}"),
        };
    let written = client.call(
        "Write",
        json!({"file_path": "/workspace/four.txt", "content": "x".repeat(4032)}),
    );
    check("Write", &written)?;
    rows.extend(tools(
        calls,
        "HTTP",
        bash.median(),
        (400.0, 600.0),
        |tool, arguments| client.call(tool, arguments),
    )?);
    Ok(rows)
}

/// A Read and a Bash, p50 and p99.
fn tools(
    calls: usize,
    over: &str,
    bash: std::time::Duration,
    (read_target, bash_target): (f64, f64),
    mut call: impl FnMut(&str, Value) -> ToolResult,
) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (tool, arguments, target) in [
        (
            "Read",
            json!({"file_path": "/workspace/four.txt"}),
            read_target,
        ),
        ("Bash", json!({"command": "echo hi"}), bash_target),
    ] {
        check(tool, &call(tool, arguments.clone()))?;
        let took = times(calls, || check(tool, &call(tool, arguments.clone())))?;
        let what = if tool == "Read" {
            "Read of 4 kB"
        } else {
            "Bash echo hi"
        };
        rows.push(Row::pair(
            &format!("MCP {what} over {over}, p50"),
            took.median(),
            "bash -c 'echo hi'",
            bash,
            &[Target::AtMost(target)],
        ));
        rows.push(Row::time(
            &format!("MCP {what} over {over}, p99"),
            took.at(0.99),
            &[],
        ));
    }
    Ok(rows)
}

fn check(tool: &str, result: &ToolResult) -> anyhow::Result<()> {
    if result.is_error {
        bail!("{tool}: {}", result.text);
    }
    Ok(())
}
