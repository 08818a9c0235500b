//! Taking over the MCP server, or the host through it.

use super::Target;
use hardshell_tests::http::Client;
use hardshell_tests::mcp::HttpClient;
use hardshell_tests::server::Server;
use serde_json::{Value, json};
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

fn hello() -> Value {
    json!({"turns": [{"plays": 0, "content": [{"type": "text", "text": "Hello."}]}]})
}

fn conversation(client: &Client) -> String {
    let made = client.post("/conversations", &json!({})).json();
    made["id"]
        .as_str()
        .unwrap_or_else(|| panic!("no conversation: {made}"))
        .to_owned()
}

#[test]
fn calls_without_the_right_key_origin_or_host_are_refused() {
    let server = Server::start(&hello());
    let mine = conversation(&server.client);
    let stranger = server.other_tenant();
    let right = server.client.with("hardshell-conversation", &mine);
    let mut mcp = HttpClient::start(&right).unwrap();
    assert!(mcp.tool_names().iter().any(|tool| tool == "Bash"));
    for (what, client) in [
        (
            "no key",
            server.anonymous.with("hardshell-conversation", &mine),
        ),
        (
            "a wrong key",
            server
                .anonymous
                .key("hs_wrong")
                .with("hardshell-conversation", &mine),
        ),
        (
            "another tenant's key",
            stranger.with("hardshell-conversation", &mine),
        ),
        ("no conversation", server.client.clone()),
        (
            "a crafted conversation",
            server.client.with("hardshell-conversation", "../../other"),
        ),
        ("a foreign host", right.with("host", "evil.example.com")),
        (
            "a foreign origin",
            right.with("origin", "https://evil.example.com"),
        ),
        ("a null origin", right.with("origin", "null")),
    ] {
        match HttpClient::start(&client) {
            Ok(_) => panic!("{what}: taken"),
            Err((status, text)) => {
                assert!((400..500).contains(&status), "{what}: {status} {text}");
                assert!(!text.contains(server.key.as_str()), "{what}: {text}");
            }
        }
    }
    assert!(!mcp.call("Bash", json!({"command": "echo fine"})).is_error);
}

/// What one conversation holds is not there in another of the same tenant.
#[test]
fn conversations_are_apart() {
    let server = Server::start(&hello());
    let client = |id: &str| server.client.with("hardshell-conversation", id);
    let (first, second) = (conversation(&server.client), conversation(&server.client));
    let mut one = HttpClient::start(&client(&first)).unwrap();
    let mut two = HttpClient::start(&client(&second)).unwrap();
    assert!(
        !one.call(
            "Bash",
            json!({"command": "echo secret > s; echo secret > /tmp/s; cd /tmp"})
        )
        .is_error
    );
    let seen = two.call("Bash", json!({"command": format!("pwd; ls -R / | grep -v bin; cat /workspace/../{first}/s; find / -name s")}));
    assert!(
        !seen.text.contains("secret") && seen.text.contains("/workspace"),
        "{seen:?}"
    );
}
