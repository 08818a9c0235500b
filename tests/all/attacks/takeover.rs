//! Taking over the MCP server, or the host through it.

use super::Target;
use hardshell_tests::mcp::HttpClient;
use hardshell_tests::server::Server;
use serde_json::json;
use std::process::{Command, Stdio};

/// A process of the host can neither be seen nor signalled.
#[test]
fn processes_of_the_host_are_out_of_reach() {
    let mut victim = Command::new("sleep")
        .arg("60")
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let target = Target::new();
    let pid = victim.id();
    let ran = target.attack(&format!(
        "ps; ps aux; kill -9 {pid}; kill -9 -1; kill -9 -{pid}; i=1; while [ $i -lt 3000 ]; do kill -0 $i && echo alive $i; i=$((i+1)); done 2>/dev/null"
    ));
    assert!(victim.try_wait().unwrap().is_none(), "the victim lives");
    assert!(
        !ran.stdout.contains("sleep 60") && !ran.stdout.contains(&format!("alive {pid}")),
        "{ran:?}"
    );
    victim.kill().unwrap();
    victim.wait().unwrap();
}

/// The server's face for MCP takes nobody who does not show the right token, and no browser that
/// was led astray.
#[test]
fn calls_without_the_right_key_origin_or_host_are_refused() {
    let server = Server::start(&json!({"turns": []}));
    let keyed = server.client.with("hardshell-conversation", "nonesuch");
    for (what, client) in [
        ("no key", server.anonymous.clone()),
        ("a wrong key", server.anonymous.key("hs_wrong")),
        (
            "a wrong key for a conversation",
            server
                .anonymous
                .key("hs_wrong")
                .with("hardshell-conversation", "x"),
        ),
        ("no conversation", server.client.clone()),
        (
            "a crafted conversation",
            server.client.with("hardshell-conversation", "../../other"),
        ),
        ("a foreign host", keyed.with("host", "evil.example.com")),
        (
            "a foreign origin",
            keyed.with("origin", "https://evil.example.com"),
        ),
        ("a null origin", keyed.with("origin", "null")),
    ] {
        match HttpClient::start(&client) {
            Ok(_) => panic!("{what}: taken"),
            Err((status, text)) => {
                assert!((400..600).contains(&status), "{what}: {status} {text}");
                assert!(!text.contains(server.key.as_str()), "{what}: {text}");
            }
        }
    }
    let health = server.anonymous.get("/healthz");
    assert_eq!(health.status, 200);
}

/// What one conversation holds is not there in another of the same tenant.
#[test]
fn conversations_are_apart() {
    let look = "pwd; ls -R /workspace /tmp; cat /workspace/s /tmp/s /workspace/../*/s; find / -name s; echo looked";
    let server = Server::start(&json!({"turns": [
        {"when": {"last_user_text": "hide", "after_tool": false}, "content": [{"type": "tool_use", "name": "Bash",
            "input": {"command": "echo secret > s; echo secret > /tmp/s; cd /tmp"}}]},
        {"when": {"last_user_text": "look", "after_tool": false}, "content": [{"type": "tool_use", "name": "Bash",
            "input": {"command": look}}]},
        {"plays": 0, "content": [{"type": "text", "text": "Done."}]}]}));
    let hidden = server.execute(&Server::prompt("Please hide it."));
    assert_eq!(hidden.last().unwrap().name, "done", "{hidden:#?}");
    let seen = server.execute(&Server::prompt("Please look."));
    let results: Vec<String> = seen
        .iter()
        .filter(|event| event.name == "tool_result")
        .map(|event| event.data.to_string())
        .collect();
    let text = results.join("\n");
    assert!(
        text.contains("looked") && text.contains("/workspace"),
        "{text}"
    );
    assert!(!text.contains("secret"), "{text}");
}
