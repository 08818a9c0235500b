//! Streamable HTTP, both revisions.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use hardshell_mcp::{
    HttpConfig, ResourceMetadata, Session, SingleSession, TokenBuckets, http_router,
};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use secrecy::SecretString;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::client::text;
use crate::world::World;

pub(crate) const TOKEN: &str = "a-token-of-this-test";

pub(crate) fn router(session: &Arc<Session>, config: HttpConfig) -> Router {
    let authorizer = SingleSession::new(&SecretString::from(TOKEN), Arc::clone(session));
    http_router(Arc::new(authorizer), config)
}

/// A request as a good client sends it; `edit` makes it a bad one.
pub(crate) async fn send(
    router: &Router,
    method: Method,
    body: Value,
    edit: impl FnOnce(&mut HeaderMap),
) -> Response<Body> {
    let mut request = Request::builder()
        .method(method)
        .uri("/mcp")
        .header("host", "127.0.0.1:8080")
        .header("authorization", format!("Bearer {TOKEN}"))
        .header("accept", "application/json, text/event-stream")
        .header("content-type", "application/json")
        .body(Body::from(if body.is_null() {
            String::new()
        } else {
            body.to_string()
        }))
        .unwrap();
    edit(request.headers_mut());
    router.clone().oneshot(request).await.unwrap()
}

pub(crate) async fn post(router: &Router, body: Value) -> Response<Body> {
    send(router, Method::POST, body, |_| ()).await
}

pub(crate) async fn body(response: Response<Body>) -> String {
    String::from_utf8(
        response
            .into_body()
            .collect()
            .await
            .unwrap()
            .to_bytes()
            .to_vec(),
    )
    .unwrap()
}

/// The messages of an event stream or a JSON body.
pub(crate) async fn messages(response: Response<Body>) -> Vec<Value> {
    let text = body(response).await;
    if text.starts_with('{') {
        return vec![serde_json::from_str(&text).unwrap()];
    }
    text.lines()
        .filter_map(|line| line.strip_prefix("data:"))
        .filter_map(|data| serde_json::from_str(data.trim()).ok())
        .collect()
}

pub(crate) fn meta() -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {}
    })
}

/// A call in the current revision, which needs nothing before it.
pub(crate) async fn call(
    router: &Router,
    tool: &str,
    arguments: Value,
    more: Value,
) -> Response<Body> {
    let mut meta = meta();
    for (key, value) in more.as_object().into_iter().flatten() {
        meta[key] = value.clone();
    }
    let body = json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": tool, "arguments": arguments, "_meta": meta}
    });
    let name = tool.to_owned();
    send(router, Method::POST, body, |headers| {
        headers.insert("mcp-protocol-version", "2026-07-28".parse().unwrap());
        headers.insert("mcp-method", "tools/call".parse().unwrap());
        headers.insert("mcp-name", name.parse().unwrap());
    })
    .await
}

/// Shakes hands in the older revision; gives the session's id.
pub(crate) async fn initialize(router: &Router) -> String {
    let hello = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}
    }});
    let response = post(router, hello).await;
    assert_eq!(response.status(), StatusCode::OK);
    let id = response.headers()["mcp-session-id"]
        .to_str()
        .unwrap()
        .to_owned();
    let answer = messages(response).await;
    assert_eq!(
        answer.last().unwrap()["result"]["serverInfo"]["name"],
        "hardshell",
        "{answer:?}"
    );
    let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    assert_eq!(
        in_session(router, &id, ready).await.status(),
        StatusCode::ACCEPTED
    );
    id
}

pub(crate) async fn in_session(router: &Router, id: &str, body: Value) -> Response<Body> {
    let id = id.to_owned();
    send(router, Method::POST, body, |headers| {
        headers.insert("mcp-session-id", id.parse().unwrap());
        headers.insert("mcp-protocol-version", "2025-11-25".parse().unwrap());
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_current_revision() {
    let world = World::new();
    let router = router(&world.session, HttpConfig::default());
    let response = call(&router, "Bash", json!({"command": "echo hi"}), json!({})).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert!(response.headers().get("mcp-session-id").is_none());
    let messages = messages(response).await;
    assert_eq!(text(&messages.last().unwrap()["result"]), "hi");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_older_revision() {
    let world = World::new();
    let router = router(&world.session, HttpConfig::default());
    let id = initialize(&router).await;
    assert!(id.len() >= 32);
    let request = json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {
        "name": "Bash", "arguments": {"command": "echo working; sleep 1.6; echo done"}, "_meta": {"progressToken": 5}
    }});
    let response = in_session(&router, &id, request).await;
    assert!(
        response.headers()["content-type"]
            .to_str()
            .unwrap()
            .starts_with("text/event-stream")
    );
    let messages = messages(response).await;
    assert_eq!(
        messages[0]["method"], "notifications/progress",
        "{messages:?}"
    );
    assert_eq!(text(&messages.last().unwrap()["result"]), "working\ndone");
    let id2 = id.clone();
    let gone = send(&router, Method::DELETE, Value::Null, |headers| {
        headers.insert("mcp-session-id", id2.parse().unwrap());
    })
    .await;
    assert!(gone.status().is_success());
    let again = in_session(
        &router,
        &id,
        json!({"jsonrpc": "2.0", "id": 8, "method": "ping"}),
    )
    .await;
    assert_eq!(again.status(), StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_call_has_its_headers_in_time() {
    let world = World::new();
    let config = HttpConfig {
        headers_after: Duration::from_millis(300),
        keep_alive: Duration::from_millis(200),
        ..HttpConfig::default()
    };
    let router = router(&world.session, config);
    let start = Instant::now();
    let response = call(
        &router,
        "Bash",
        json!({"command": "sleep 1.5; echo done"}),
        json!({}),
    )
    .await;
    assert!(
        start.elapsed() < Duration::from_millis(900),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let text_of = body(response).await;
    assert!(text_of.matches(":\n\n").count() >= 3, "{text_of}");
    assert!(text_of.contains("\"text\":\"done\""), "{text_of}");
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_leads_to_the_issuer() {
    let world = World::new();
    let config = HttpConfig {
        resource_metadata: Some(ResourceMetadata::new(
            "https://tools.example/mcp",
            vec!["https://issuer.example".into()],
        )),
        ..HttpConfig::default()
    };
    let router = router(&world.session, config);
    let denied = send(&router, Method::POST, json!({}), |headers| {
        headers.remove("authorization");
    })
    .await;
    assert_eq!(denied.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(
        denied.headers()["www-authenticate"],
        "Bearer realm=\"hardshell\", \
         resource_metadata=\"https://tools.example/.well-known/oauth-protected-resource/mcp\""
    );
    let request = Request::builder()
        .uri("/.well-known/oauth-protected-resource/mcp")
        .body(Body::empty())
        .unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    let metadata: Value = serde_json::from_str(&body(response).await).unwrap();
    assert_eq!(metadata["resource"], "https://tools.example/mcp");
    assert_eq!(
        metadata["authorization_servers"],
        json!(["https://issuer.example"])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_is_slowed() {
    let world = World::new();
    let config = HttpConfig {
        rate_limit: Some(Arc::new(TokenBuckets::new(1.0, 5))),
        ..HttpConfig::default()
    };
    let router = router(&world.session, config);
    let mut refused = 0;
    for _ in 0..10 {
        let response = call(&router, "BashOutput", json!({"bash_id": "x"}), json!({})).await;
        if response.status() == StatusCode::TOO_MANY_REQUESTS {
            assert_eq!(response.headers()["retry-after"], "1");
            refused += 1;
        }
    }
    assert_eq!(refused, 5);
}
