//! The loopback server that `api` is in the product: the gateway's path and a small
//! MCP server whose tools act on the run's local workspace.

use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, post};
use hardshell_service::{Run, Service, ToolAudit};
use secrecy::SecretString;
use serde_json::{Value, json};

#[derive(Clone)]
struct Inner {
    service: Arc<Service>,
    data: PathBuf,
    /// Answers `/mcp` with this status instead.
    broken_mcp: Option<u16>,
}

/// Serves on a free port; returns its address.
pub async fn serve(service: &Arc<Service>, data: PathBuf, broken_mcp: Option<u16>) -> String {
    let state = Inner {
        service: Arc::clone(service),
        data,
        broken_mcp,
    };
    let router = Router::new()
        .route(
            "/mcp",
            post(mcp).get(|| async { StatusCode::METHOD_NOT_ALLOWED }),
        )
        .route("/run/{secret}/{*rest}", any(gateway))
        .with_state(state);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

async fn gateway(
    State(inner): State<Inner>,
    Path((secret, _)): Path<(String, String)>,
    request: Request,
) -> Response<Body> {
    inner.service.gateway(&secret, request).await
}

async fn mcp(
    State(inner): State<Inner>,
    headers: HeaderMap,
    axum::Json(call): axum::Json<Value>,
) -> Response {
    if let Some(status) = inner.broken_mcp {
        return StatusCode::from_u16(status).unwrap().into_response();
    }
    let bearer = headers
        .get("authorization")
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.strip_prefix("Bearer "));
    let run = bearer.and_then(|token| inner.service.run_for_tool_token(&SecretString::from(token)));
    let Some(run) = run else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    let Some(id) = call.get("id").cloned() else {
        return StatusCode::ACCEPTED.into_response();
    };
    let result = match call["method"].as_str().unwrap() {
        "initialize" => json!({ "protocolVersion": "2025-11-25", "capabilities": { "tools": {} },
                                "serverInfo": { "name": "test", "version": "1" } }),
        "tools/list" => {
            let tool = |name: &str| json!({ "name": name, "description": name, "inputSchema": { "type": "object" } });
            json!({ "tools": [tool("Write"), tool("Read"), tool("Remove"), tool("Sleep")] })
        }
        "tools/call" => {
            let (name, args) = (
                call["params"]["name"].as_str().unwrap(),
                &call["params"]["arguments"],
            );
            let outcome = tool(&inner, &run, name, args).await;
            let audit = ToolAudit {
                tool: name.into(),
                arguments_digest: "d".into(),
                outcome: if outcome.is_ok() { "ok" } else { "error" }.into(),
                report: json!({}),
            };
            inner.service.record_tool_call(&run, audit);
            let (text, is_error) = match outcome {
                Ok(text) => (text, false),
                Err(text) => (text, true),
            };
            json!({ "content": [{ "type": "text", "text": text }], "isError": is_error })
        }
        _ => {
            let error =
                json!({ "jsonrpc": "2.0", "id": id, "error": { "code": -32601, "message": "no" } });
            return axum::Json(error).into_response();
        }
    };
    axum::Json(json!({ "jsonrpc": "2.0", "id": id, "result": result })).into_response()
}

async fn tool(inner: &Inner, run: &Run, name: &str, args: &Value) -> Result<String, String> {
    let text = |key: &str| args[key].as_str().unwrap_or_default().to_owned();
    let root = inner
        .data
        .join("work")
        .join(run.conversation().as_str())
        .join("ws");
    let path = root.join(text("file_path").trim_start_matches("/workspace/"));
    match name {
        "Write" => {
            std::fs::create_dir_all(path.parent().unwrap()).map_err(|e| e.to_string())?;
            std::fs::write(&path, text("content")).map_err(|e| e.to_string())?;
            Ok("written".into())
        }
        "Read" => std::fs::read_to_string(&path).map_err(|e| e.kind().to_string()),
        "Remove" => std::fs::remove_file(&path)
            .map(|()| "removed".into())
            .map_err(|e| e.kind().to_string()),
        "Sleep" => {
            tokio::time::sleep(std::time::Duration::from_millis(
                args["ms"].as_u64().unwrap_or(0),
            ))
            .await;
            Ok("slept".into())
        }
        _ => Err("no such tool".into()),
    }
}
