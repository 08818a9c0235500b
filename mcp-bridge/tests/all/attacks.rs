//! What must come to nothing.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hardshell_mcp::{Authorizer, Denied, HttpConfig, Session, http_router};
use http::{HeaderMap, Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::cancel::until_quiet;
use crate::client::Client;
use crate::web::{self, TOKEN, call, in_session, initialize, router, send};
use crate::world::World;

type Edit = fn(&mut HeaderMap);

#[tokio::test(flavor = "multi_thread")]
async fn foreign_hosts_origins_and_tokens_are_refused() {
    let world = World::new();
    let config = HttpConfig {
        allowed_origins: vec!["https://app.example".into()],
        ..HttpConfig::default()
    };
    let router = router(&world.session, config);
    let cases: &[(&str, Edit, StatusCode)] = &[
        ("good", |_| (), StatusCode::OK),
        (
            "host",
            |h| drop(h.insert("host", "evil.example".parse().unwrap())),
            StatusCode::FORBIDDEN,
        ),
        (
            "host like ours",
            |h| drop(h.insert("host", "127.0.0.1.evil.example".parse().unwrap())),
            StatusCode::FORBIDDEN,
        ),
        (
            "origin",
            |h| drop(h.insert("origin", "https://evil.example".parse().unwrap())),
            StatusCode::FORBIDDEN,
        ),
        (
            "null origin",
            |h| drop(h.insert("origin", "null".parse().unwrap())),
            StatusCode::FORBIDDEN,
        ),
        (
            "scheme",
            |h| drop(h.insert("origin", "http://app.example".parse().unwrap())),
            StatusCode::FORBIDDEN,
        ),
        (
            "port",
            |h| drop(h.insert("origin", "https://app.example:444".parse().unwrap())),
            StatusCode::FORBIDDEN,
        ),
        (
            "own origin",
            |h| drop(h.insert("origin", "https://app.example".parse().unwrap())),
            StatusCode::OK,
        ),
        (
            "no token",
            |h| assert!(h.remove("authorization").is_some()),
            StatusCode::UNAUTHORIZED,
        ),
        (
            "wrong token",
            |h| drop(h.insert("authorization", "Bearer x".parse().unwrap())),
            StatusCode::UNAUTHORIZED,
        ),
        (
            "longer token",
            |h| drop(h.insert("authorization", format!("Bearer {TOKEN}x").parse().unwrap())),
            StatusCode::UNAUTHORIZED,
        ),
        (
            "other scheme",
            |h| drop(h.insert("authorization", format!("Basic {TOKEN}").parse().unwrap())),
            StatusCode::UNAUTHORIZED,
        ),
        (
            "empty token",
            |h| drop(h.insert("authorization", "Bearer ".parse().unwrap())),
            StatusCode::UNAUTHORIZED,
        ),
        (
            "two tokens",
            |h| assert!(h.append("authorization", "Bearer y".parse().unwrap())),
            StatusCode::UNAUTHORIZED,
        ),
        (
            "invented session",
            |h| drop(h.insert("mcp-session-id", "guess".parse().unwrap())),
            StatusCode::NOT_FOUND,
        ),
    ];
    let hello = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}
    }});
    for (name, edit, expected) in cases {
        let response = send(&router, Method::POST, hello.clone(), edit).await;
        assert_eq!(response.status(), *expected, "{name}");
    }
}

/// Two tenants behind one server.
struct Tenants(HashMap<String, Arc<Session>>);

#[async_trait::async_trait]
impl Authorizer for Tenants {
    async fn authorize(&self, bearer: SecretString) -> Result<Arc<Session>, Denied> {
        self.0
            .get(bearer.expose_secret())
            .cloned()
            .ok_or(Denied::Invalid)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_id_is_no_use_to_another_tenant() {
    let (ours, theirs) = (World::new(), World::new());
    ours.put("secret.txt", "ours\n");
    let tenants = Tenants(HashMap::from([
        (TOKEN.to_owned(), Arc::clone(&ours.session)),
        ("theirs".to_owned(), Arc::clone(&theirs.session)),
    ]));
    let router = http_router(Arc::new(tenants), HttpConfig::default());
    let id = initialize(&router).await;
    let read = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
        "name": "Read", "arguments": {"file_path": "/workspace/secret.txt"}
    }});
    let answer = web::messages(in_session(&router, &id, read.clone()).await).await;
    assert!(answer.last().unwrap().to_string().contains("ours"));
    for method in [Method::POST, Method::GET, Method::DELETE] {
        let body = if method == Method::POST {
            read.clone()
        } else {
            Value::Null
        };
        let id = id.clone();
        let stolen = send(&router, method.clone(), body, |headers| {
            headers.insert("authorization", "Bearer theirs".parse().unwrap());
            headers.insert("mcp-session-id", id.parse().unwrap());
        })
        .await;
        assert_eq!(stolen.status(), StatusCode::NOT_FOUND, "{method}");
    }
    // It is still good for its owner.
    let answer = web::messages(in_session(&router, &id, read).await).await;
    assert!(answer.last().unwrap().to_string().contains("ours"));
}

#[tokio::test(flavor = "multi_thread")]
async fn session_ids_are_random_and_bounded() {
    let world = World::new();
    let config = HttpConfig {
        client_sessions: 3,
        ..HttpConfig::default()
    };
    let router = router(&world.session, config);
    let mut ids = std::collections::BTreeSet::new();
    for _ in 0..3 {
        ids.insert(initialize(&router).await);
    }
    assert_eq!(ids.len(), 3);
    let hello = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}
    }});
    assert_eq!(
        web::post(&router, hello).await.status(),
        StatusCode::TOO_MANY_REQUESTS
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_huge_body_is_refused_early() {
    let world = World::new();
    let router = router(&world.session, HttpConfig::default());
    let start = Instant::now();
    let response = call(
        &router,
        "Write",
        json!({"file_path": "/workspace/x", "content": "x".repeat(100 << 20)}),
        json!({}),
    )
    .await;
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_arguments_reach_no_module() {
    let world = World::new();
    let mut client = Client::connect(&world.session).await;
    let calls = world.session.sandbox().usage().calls;
    let mut deep = json!("x");
    for _ in 0..100 {
        deep = json!([deep]);
    }
    let many: serde_json::Map<String, Value> =
        (0..10_000).map(|n| (format!("p{n}"), json!(n))).collect();
    for (tool, arguments) in [
        ("Bash", json!({"command": ["ls"]})),
        ("Bash", json!({"command": "ls", "cwd": "/etc"})),
        ("Bash", json!({"command": "ls", "timeout": 1e300})),
        ("Bash", json!({"command": "ls", "timeout": -5})),
        ("Bash", Value::Object(many)),
        ("Read", json!({"file_path": deep})),
        (
            "Read",
            json!({"file_path": "/workspace/a", "limit": 1e18, "extra": true}),
        ),
        (
            "MultiEdit",
            json!({"file_path": "/workspace/a", "edits": {"old_string": "a"}}),
        ),
        ("Grep", json!({"pattern": 5})),
    ] {
        let said = client.say(tool, arguments).await;
        assert!(said.starts_with("ERROR InputValidationError: "), "{said}");
        assert!(said.len() < 4096, "{}", said.len());
    }
    assert_eq!(world.session.sandbox().usage().calls, calls);
}

#[tokio::test(flavor = "multi_thread")]
async fn expensive_patterns_end() {
    let world = World::new();
    world.put("a.txt", &"a".repeat(50_000));
    let mut client = Client::connect(&world.session).await;
    let start = Instant::now();
    for (tool, arguments) in [
        ("Grep", json!({"pattern": "(a+)+$", "path": "/workspace"})),
        ("Grep", json!({"pattern": "(((a{100}){100}){100}){100}"})),
        ("Grep", json!({"pattern": "a".repeat(200_000)})),
        ("Glob", json!({"pattern": "**/".repeat(1000)})),
        (
            "Glob",
            json!({"pattern": format!("{}x", "{a,b}".repeat(700))}),
        ),
        ("Glob", json!({"pattern": "a*".repeat(2000)})),
    ] {
        let said = client.say(tool, arguments).await;
        assert!(said.len() < 50_000);
    }
    assert!(
        start.elapsed() < Duration::from_secs(60),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_messages_do_not_end_the_server() {
    let world = World::new();
    let router = router(&world.session, HttpConfig::default());
    for body in [
        json!({}),
        json!([]),
        json!("x"),
        json!({"jsonrpc": "2.0", "id": 1, "method": "no/such"}),
    ] {
        let response = web::post(&router, body.clone()).await;
        assert!(
            response.status().is_client_error(),
            "{body}: {}",
            response.status()
        );
    }
    let response = call(&router, "Bash", json!({"command": "echo on"}), json!({})).await;
    assert!(web::body(response).await.contains("\"on\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_vanishes_takes_its_processes_with_it() {
    let world = World::new();
    let router = router(&world.session, HttpConfig::default());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let served = router.clone();
    tokio::spawn(async move { axum::serve(listener, served).await });
    let session_id = initialize(&router).await;
    let requests = [
        // The older revision, whose answer is a stream that could be taken up again.
        json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
            "name": "Bash", "arguments": {"command": "sleep 60"}
        }}),
        // The current one, before any header has been sent.
        json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
            "name": "Bash", "arguments": {"command": "sleep 60"}, "_meta": web::meta()
        }}),
    ];
    for (n, request) in requests.iter().enumerate() {
        let body = request.to_string();
        let more = if n == 0 {
            format!("mcp-session-id: {session_id}\r\nmcp-protocol-version: 2025-11-25\r\n")
        } else {
            "mcp-protocol-version: 2026-07-28\r\nmcp-method: tools/call\r\nmcp-name: Bash\r\n"
                .to_owned()
        };
        let head = format!(
            "POST /mcp HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {TOKEN}\r\n\
             accept: application/json, text/event-stream\r\ncontent-type: application/json\r\n{more}\
             content-length: {}\r\n\r\n",
            body.len()
        );
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(body.as_bytes()).await.unwrap();
        let start = Instant::now();
        while world.session.sandbox().usage().memory == 0 {
            assert!(
                start.elapsed() < Duration::from_secs(240),
                "the command of request {n} runs"
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        let mut some = [0; 1024];
        let _ = tokio::time::timeout(Duration::from_millis(50), stream.read(&mut some)).await;
        drop(stream);
        until_quiet(&world, Duration::from_secs(1)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_calls_is_bounded() {
    let options = hardshell_mcp::SessionOptions {
        concurrent_calls: 2,
        waiting_calls: 3,
        ..Default::default()
    };
    let world = World::with(options, crate::world::limits());
    let mut client = Client::connect(&world.session).await;
    for _ in 0..20 {
        client
            .start(
                "tools/call",
                json!({"name": "Bash", "arguments": {"command": "sleep 0.3"}}),
            )
            .await;
    }
    let mut refused = 0;
    for _ in 0..20 {
        let message = client.receive().await.unwrap();
        refused += usize::from(
            message
                .to_string()
                .contains("Too many tool calls at once: 2 run and 3 wait already"),
        );
    }
    assert_eq!(refused, 15);
}
