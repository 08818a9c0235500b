//! What the server says of itself.

use std::collections::BTreeSet;

use hardshell_mcp::SessionOptions;
use serde_json::json;

use crate::client::Client;
use crate::world::{World, limits};

#[tokio::test(flavor = "multi_thread")]
async fn tools_are_listed_in_order_with_all_that_a_client_needs() {
    let world = World::new();
    let mut client = Client::connect(&world.session).await;
    let answer = client.request("tools/list", json!({})).await;
    let tools = answer["result"]["tools"].as_array().unwrap();
    let names: Vec<&str> = tools
        .iter()
        .map(|tool| tool["name"].as_str().unwrap())
        .take(9)
        .collect();
    assert_eq!(
        names,
        [
            "Bash",
            "BashOutput",
            "KillShell",
            "Read",
            "Write",
            "Edit",
            "MultiEdit",
            "Glob",
            "Grep"
        ]
    );
    for tool in tools.iter().take(9) {
        assert!(tool["title"].is_string(), "{tool}");
        for hint in [
            "readOnlyHint",
            "destructiveHint",
            "idempotentHint",
            "openWorldHint",
        ] {
            assert!(tool["annotations"][hint].is_boolean(), "{tool}");
        }
        assert_eq!(tool["inputSchema"]["additionalProperties"], false, "{tool}");
    }
    assert_eq!(
        tools[0]["inputSchema"]["properties"]["timeout"]["maximum"],
        600_000
    );
    assert!(tools[7]["outputSchema"].is_object());
    assert_eq!(tools[3]["_meta"]["anthropic/maxResultSizeChars"], 400_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_prefers_structured_content_gets_text_only() {
    let world = World::new();
    world.put("a.txt", "");
    let mut client = Client::raw(&world.session);
    let hello = json!({
        "protocolVersion": "2025-11-25", "capabilities": {},
        "clientInfo": {"name": "claude-code", "version": "2.1.330"}
    });
    client.request("initialize", hello).await;
    client
        .send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}))
        .await;
    let answer = client.request("tools/list", json!({})).await;
    assert!(
        answer["result"]["tools"]
            .as_array()
            .unwrap()
            .iter()
            .all(|tool| tool.get("outputSchema").is_none())
    );
    let result = client.call("Glob", json!({"pattern": "*.txt"})).await;
    assert!(result.get("structuredContent").is_none(), "{result}");
    assert_eq!(result["content"][0]["text"], "/workspace/a.txt");
}

#[tokio::test(flavor = "multi_thread")]
async fn instructions_are_short_and_capabilities_true() {
    let world = World::new();
    let mut client = Client::raw(&world.session);
    let hello = json!({
        "protocolVersion": "2025-11-25", "capabilities": {},
        "clientInfo": {"name": "t", "version": "1"}
    });
    let answer = client.request("initialize", hello).await;
    let result = &answer["result"];
    let words = result["instructions"]
        .as_str()
        .unwrap()
        .split_whitespace()
        .count();
    assert!((50..200).contains(&words), "{words} words");
    assert_eq!(result["serverInfo"]["name"], "hardshell");
    assert_eq!(result["capabilities"]["tools"]["listChanged"], true);
    assert_eq!(result["capabilities"]["resources"]["subscribe"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_current_revision_needs_no_handshake() {
    let world = World::new();
    let mut client = Client::raw(&world.session);
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {}
    });
    let answer = client
        .request("server/discover", json!({"_meta": meta}))
        .await;
    let versions = answer["result"]["supportedVersions"].as_array().unwrap();
    assert!(
        versions.contains(&json!("2026-07-28")) && versions.contains(&json!("2025-11-25")),
        "{answer}"
    );
    let call = json!({"name": "Bash", "arguments": {"command": "echo hi"}, "_meta": meta});
    let answer = client.request("tools/call", call).await;
    assert_eq!(answer["result"]["content"][0]["text"], "hi", "{answer}");
    assert_eq!(answer["result"]["resultType"], "complete");
}

#[tokio::test(flavor = "multi_thread")]
async fn tools_that_are_not_allowed_do_not_exist() {
    let allowed: BTreeSet<String> = ["Read".to_owned(), "Grep".to_owned()].into();
    let options = SessionOptions {
        allowed_tools: Some(allowed),
        ..SessionOptions::default()
    };
    let world = World::with(options, limits());
    let mut client = Client::connect(&world.session).await;
    let answer = client.request("tools/list", json!({})).await;
    let names: Vec<&str> = answer["result"]["tools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| tool["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names
            .iter()
            .filter(|name| !name.contains('_'))
            .collect::<Vec<_>>(),
        [&"Read", &"Grep"]
    );
    for name in ["Bash", "Nope", ""] {
        let answer = client
            .request(
                "tools/call",
                json!({"name": name, "arguments": {"command": "ls"}}),
            )
            .await;
        assert_eq!(answer["error"]["code"], -32602, "{answer}");
        assert_eq!(answer["error"]["message"], format!("Unknown tool: {name}"));
    }
}
