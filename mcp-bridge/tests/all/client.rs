//! A client that speaks raw JSON-RPC over a pair of streams.

use std::sync::Arc;
use std::time::Duration;

use hardshell_mcp::Session;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, ReadHalf, WriteHalf};
use tokio::task::JoinHandle;

/// Longest that a test waits for one message.
const PATIENCE: Duration = Duration::from_secs(240);

pub(crate) struct Client {
    lines: tokio::io::Lines<BufReader<ReadHalf<DuplexStream>>>,
    writer: Option<WriteHalf<DuplexStream>>,
    next_id: i64,
    /// Messages that came before the one that was waited for.
    pub notifications: Vec<Value>,
    pub server: JoinHandle<()>,
}

impl Client {
    /// Connects and shakes hands in the older revision.
    pub(crate) async fn connect(session: &Arc<Session>) -> Client {
        let mut client = Client::raw(session);
        let answer = client
            .request(
                "initialize",
                json!({
                    "protocolVersion": "2025-11-25",
                    "capabilities": {},
                    "clientInfo": {"name": "test", "version": "1"}
                }),
            )
            .await;
        assert_eq!(
            answer["result"]["protocolVersion"], "2025-11-25",
            "{answer}"
        );
        client
            .send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}))
            .await;
        client
    }

    /// Connects and says nothing.
    pub(crate) fn raw(session: &Arc<Session>) -> Client {
        let (ours, theirs) = tokio::io::duplex(1 << 20);
        let (input, output) = tokio::io::split(theirs);
        let session = Arc::clone(session);
        let server = tokio::spawn(async move {
            let _ = hardshell_mcp::serve(session, input, output).await;
        });
        let (reader, writer) = tokio::io::split(ours);
        Client {
            lines: BufReader::new(reader).lines(),
            writer: Some(writer),
            next_id: 1,
            notifications: Vec::new(),
            server,
        }
    }

    pub(crate) async fn send(&mut self, message: &Value) {
        let mut line = message.to_string();
        line.push('\n');
        self.writer
            .as_mut()
            .unwrap()
            .write_all(line.as_bytes())
            .await
            .unwrap();
    }

    /// Closes the client's side.
    pub(crate) async fn hang_up(&mut self) {
        if let Some(mut writer) = self.writer.take() {
            writer.shutdown().await.unwrap();
        }
    }

    pub(crate) async fn receive(&mut self) -> Option<Value> {
        let line = tokio::time::timeout(PATIENCE, self.lines.next_line())
            .await
            .expect("a message in time");
        line.ok()
            .flatten()
            .map(|line| serde_json::from_str(&line).unwrap())
    }

    /// Sends a request without waiting; gives its id.
    pub(crate) async fn start(&mut self, method: &str, params: Value) -> i64 {
        let id = self.next_id;
        self.next_id += 1;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))
            .await;
        id
    }

    pub(crate) async fn finish(&mut self, id: i64) -> Value {
        loop {
            let message = self.receive().await.expect("an answer");
            if message["id"] == id {
                return message;
            }
            self.notifications.push(message);
        }
    }

    pub(crate) async fn request(&mut self, method: &str, params: Value) -> Value {
        let id = self.start(method, params).await;
        self.finish(id).await
    }

    /// Calls a tool and gives its result.
    pub(crate) async fn call(&mut self, tool: &str, arguments: Value) -> Value {
        let answer = self
            .request("tools/call", json!({"name": tool, "arguments": arguments}))
            .await;
        assert!(answer.get("result").is_some(), "{answer}");
        answer["result"].clone()
    }

    /// Calls a tool and gives the text, failures marked.
    pub(crate) async fn say(&mut self, tool: &str, arguments: Value) -> String {
        let result = self.call(tool, arguments).await;
        let mark = if result["isError"] == true {
            "ERROR "
        } else {
            ""
        };
        format!("{mark}{}", text(&result))
    }
}

/// The first text of a result.
pub(crate) fn text(result: &Value) -> &str {
    result["content"][0]["text"].as_str().unwrap_or_default()
}
