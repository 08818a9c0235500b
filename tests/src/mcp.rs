//! A small MCP client, over stdio and over streamable HTTP.

use crate::http::Client;
use crate::sse::Events;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// The revision that this client asks for.
pub const REVISION: &str = "2025-11-25";

/// A client of a server over stdin and stdout.
pub struct StdioClient {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    next: u64,
    /// Notifications that came while a response was awaited.
    pub notifications: Vec<Value>,
}

/// What a tool call gave.
#[derive(Debug, Clone)]
pub struct ToolResult {
    /// The texts of its content, joined by newlines.
    pub text: String,
    /// Whether the tool says that it failed.
    pub is_error: bool,
    /// The result as it came.
    pub raw: Value,
}

impl ToolResult {
    /// Reads the `result` of a `tools/call`.
    pub fn of(raw: Value) -> Self {
        let texts = raw["content"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|block| block["text"].as_str());
        Self {
            text: texts.collect::<Vec<_>>().join("\n"),
            is_error: raw["isError"].as_bool().unwrap_or(false),
            raw,
        }
    }
}

impl StdioClient {
    /// Starts `hardshell mcp --workspace DIR` with these options and shakes hands.
    pub fn start(workspace: &Path, options: &[&str]) -> Self {
        let mut command = crate::binary::command();
        command
            .arg("mcp")
            .arg("--workspace")
            .arg(workspace)
            .args(options);
        Self::with(command)
    }

    /// Starts any MCP server and shakes hands.
    pub fn with(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let stdin = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let mut client = Self {
            child,
            stdin,
            stdout,
            next: 0,
            notifications: Vec::new(),
        };
        let hello = client.request("initialize", initialize());
        assert!(hello["serverInfo"]["name"].is_string(), "{hello}");
        client.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        client
    }

    /// Writes one message.
    pub fn send(&mut self, message: &Value) {
        let stdin = self.stdin.as_mut().expect("stdin is open");
        writeln!(stdin, "{message}").expect("the server reads");
        stdin.flush().expect("the server reads");
    }

    /// Sends a request without waiting; gives its id.
    pub fn begin(&mut self, method: &str, params: Value) -> u64 {
        self.next += 1;
        let id = self.next;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        id
    }

    /// Waits for the response with this id.
    pub fn finish(&mut self, id: u64) -> Result<Value, Value> {
        loop {
            let mut line = String::new();
            let read = self
                .stdout
                .read_line(&mut line)
                .expect("the server writes text");
            assert!(read > 0, "the server ended before it answered");
            let message: Value = serde_json::from_str(&line)
                .unwrap_or_else(|_| panic!("not JSON on stdout: {line}"));
            if message["id"] == json!(id) {
                return match message.get("error") {
                    Some(error) => Err(error.clone()),
                    None => Ok(message["result"].clone()),
                };
            }
            self.notifications.push(message);
        }
    }

    /// Sends a request and waits for its result.
    pub fn request(&mut self, method: &str, params: Value) -> Value {
        let id = self.begin(method, params);
        self.finish(id)
            .unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    /// Calls a tool.
    pub fn call(&mut self, tool: &str, arguments: Value) -> ToolResult {
        ToolResult::of(self.request("tools/call", json!({"name": tool, "arguments": arguments})))
    }

    /// The names of the tools, in order.
    pub fn tool_names(&mut self) -> Vec<String> {
        names(&self.request("tools/list", json!({})))
    }

    /// The server's process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Closes stdin and waits for the server to end; its exit code.
    pub fn close(mut self) -> Option<i32> {
        self.stdin.take();
        self.child.wait().ok().and_then(|status| status.code())
    }
}

impl Drop for StdioClient {
    fn drop(&mut self) {
        self.stdin.take();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A client of a server over HTTP.
pub struct HttpClient {
    client: Client,
    next: u64,
    session: Option<String>,
}

impl HttpClient {
    /// Shakes hands with `URL/mcp`; the client carries the bearer.
    pub fn start(client: &Client) -> Result<Self, (u16, String)> {
        let client = client
            .with("accept", "application/json, text/event-stream")
            .with("mcp-protocol-version", REVISION);
        let mut http = Self {
            client,
            next: 0,
            session: None,
        };
        http.request("initialize", initialize())?;
        http.post(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}))?;
        Ok(http)
    }

    fn post(&mut self, message: &Value) -> Result<Option<Value>, (u16, String)> {
        let client = match &self.session {
            Some(session) => self.client.with("mcp-session-id", session),
            None => self.client.clone(),
        };
        let response = client.post("/mcp", message);
        if let Some(session) = response.header("mcp-session-id") {
            self.session = Some(session.to_owned());
        }
        if response.status == 202 {
            return Ok(None);
        }
        if response.status != 200 {
            return Err((response.status, response.text()));
        }
        if response
            .header("content-type")
            .is_some_and(|kind| kind.starts_with("text/event-stream"))
        {
            let id = message["id"].clone();
            let found = Events::new(response).find(|event| event.data["id"] == id);
            return Ok(found.map(|event| event.data));
        }
        Ok(Some(response.json()))
    }

    /// Sends a request and waits for its result.
    pub fn request(&mut self, method: &str, params: Value) -> Result<Value, (u16, String)> {
        self.next += 1;
        let message =
            json!({"jsonrpc": "2.0", "id": self.next, "method": method, "params": params});
        match self.post(&message)? {
            Some(answer) if answer.get("result").is_some() => Ok(answer["result"].clone()),
            Some(answer) => Err((200, answer["error"].to_string())),
            None => Err((202, "no answer".to_owned())),
        }
    }

    /// Calls a tool.
    pub fn call(&mut self, tool: &str, arguments: Value) -> ToolResult {
        let result = self.request("tools/call", json!({"name": tool, "arguments": arguments}));
        ToolResult::of(result.unwrap_or_else(|(status, text)| panic!("{tool}: {status} {text}")))
    }

    /// The names of the tools, in order.
    pub fn tool_names(&mut self) -> Vec<String> {
        let listed = self.request("tools/list", json!({}));
        names(&listed.unwrap_or_else(|(status, text)| panic!("tools/list: {status} {text}")))
    }
}

fn initialize() -> Value {
    json!({"protocolVersion": REVISION, "capabilities": {}, "clientInfo": {"name": "hardshell-tests", "version": "1"}})
}

fn names(listed: &Value) -> Vec<String> {
    let tools = listed["tools"].as_array().into_iter().flatten();
    tools
        .filter_map(|tool| tool["name"].as_str())
        .map(str::to_owned)
        .collect()
}
