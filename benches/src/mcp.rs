//! Tool calls as a client sees them, over stdio and HTTP.

use crate::measure::times;
use crate::row::{Row, Target};
use crate::world::{World, run as native};
use anyhow::bail;
use hardshell_mcp::{Authorizer, Denied, HttpConfig, Session, SessionOptions, http_router};
use hardshell_tests::mcp::{HttpClient, StdioClient, ToolResult};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

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

    let served = serve(world, folder.path())?;
    let client = hardshell_tests::http::Client::new(&served.address.to_string()).key(TOKEN);
    let mut client = match HttpClient::start(&client) {
        Ok(client) => client,
        Err((status, text)) => bail!("MCP over HTTP: {status} {text}"),
    };
    rows.extend(tools(
        calls,
        "HTTP",
        bash.median(),
        (400.0, 600.0),
        |tool, arguments| client.call(tool, arguments),
    )?);
    Ok(rows)
}

/// The bridge's own router on loopback, with one session behind one token.
fn serve(world: &World, folder: &Path) -> anyhow::Result<Served> {
    let session = Arc::new(Session::new(
        world.sandbox(folder)?,
        SessionOptions::default(),
    ));
    let shutdown = CancellationToken::new();
    let config = HttpConfig {
        shutdown: shutdown.clone(),
        ..HttpConfig::default()
    };
    let (listener, address) = world.runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        anyhow::Ok((listener, address))
    })?;
    world.runtime.spawn(async move {
        let router = http_router(Arc::new(OneToken(session)), config);
        let _ = axum::serve(listener, router).await;
    });
    Ok(Served { address, shutdown })
}

struct Served {
    address: SocketAddr,
    shutdown: CancellationToken,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

const TOKEN: &str = "the-token-of-the-bench";

struct OneToken(Arc<Session>);

#[async_trait::async_trait]
impl Authorizer for OneToken {
    async fn authorize(&self, bearer: SecretString) -> Result<Arc<Session>, Denied> {
        // Constant time does not matter in a bench of one's own.
        if bearer.expose_secret() == TOKEN {
            Ok(Arc::clone(&self.0))
        } else {
            Err(Denied::Invalid)
        }
    }
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
