//! The agent's lines. Unknown types and fields are ignored: newer versions add them.

use serde_json::{Value, json};

/// One line from the agent, as far as it concerns us.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Line {
    /// `system/init`: repeated every turn.
    Init(Init),
    /// Part of a message as it is made.
    Stream {
        parent: Option<String>,
        event: Value,
    },
    /// One block of an assistant message.
    Assistant {
        parent: Option<String>,
        message: Value,
        api_error: bool,
    },
    /// Results of tools.
    User {
        parent: Option<String>,
        content: Value,
        replay: bool,
        synthetic: bool,
    },
    /// A request to the model is tried again.
    Retry {
        attempt: u64,
        max: u64,
        delay_ms: u64,
        status: Option<u64>,
        error: String,
    },
    /// The conversation was shortened.
    Compacted { before: u64, after: u64 },
    /// The turn is over.
    Result(TurnResult),
    /// Lines of the agent's own record.
    Transcript { file: String, entries: Vec<Value> },
    /// The answer to a request of ours.
    Response {
        id: String,
        outcome: Result<Value, String>,
    },
    /// A request of the agent's; we offered nothing that it could ask for.
    Request { id: String, subtype: String },
    /// Anything else: a sign of life.
    Other,
}

/// What `system/init` says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Init {
    pub(crate) version: String,
    pub(crate) model: String,
    pub(crate) tools: Vec<String>,
    /// `(name, status)`
    pub(crate) servers: Vec<(String, String)>,
}

/// What `result` says. Errors show in `is_error` and `terminal_reason`; `subtype` is
/// `success` even for some of them.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct TurnResult {
    pub(crate) is_error: bool,
    pub(crate) subtype: String,
    pub(crate) terminal_reason: String,
    pub(crate) api_error_status: Option<u64>,
    pub(crate) text: String,
    pub(crate) errors: Vec<String>,
    pub(crate) turns: u64,
    /// Dollars, over the life of the agent's record.
    pub(crate) total_cost: f64,
}

/// A line that is not JSON, or no object.
#[derive(Debug, thiserror::Error)]
#[error("the agent sent a line that is not a JSON object")]
pub(crate) struct BadLine;

fn text(value: &Value, key: &str) -> String {
    value
        .get(key)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

fn number(value: &Value, key: &str) -> u64 {
    value.get(key).and_then(Value::as_u64).unwrap_or(0)
}

fn flag(value: &Value, key: &str) -> bool {
    value.get(key).and_then(Value::as_bool).unwrap_or(false)
}

fn strings(value: Option<&Value>) -> Vec<String> {
    let items = value
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    items
        .iter()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

/// Reads one line.
pub(crate) fn parse(line: &str) -> Result<Line, BadLine> {
    let value: Value = serde_json::from_str(line).map_err(|_| BadLine)?;
    if !value.is_object() {
        return Err(BadLine);
    }
    let parent = value
        .get("parent_tool_use_id")
        .and_then(Value::as_str)
        .map(str::to_owned);
    Ok(match text(&value, "type").as_str() {
        "system" => system(&value),
        "stream_event" => Line::Stream {
            parent,
            event: value.get("event").cloned().unwrap_or_default(),
        },
        "assistant" => Line::Assistant {
            parent,
            api_error: flag(&value, "is_api_error_message"),
            message: value.get("message").cloned().unwrap_or_default(),
        },
        "user" => Line::User {
            parent,
            content: value
                .pointer("/message/content")
                .cloned()
                .unwrap_or_default(),
            replay: flag(&value, "isReplay"),
            synthetic: flag(&value, "isSynthetic"),
        },
        "result" => Line::Result(TurnResult {
            is_error: flag(&value, "is_error"),
            subtype: text(&value, "subtype"),
            terminal_reason: text(&value, "terminal_reason"),
            api_error_status: value.get("api_error_status").and_then(Value::as_u64),
            text: text(&value, "result"),
            errors: strings(value.get("errors")),
            turns: number(&value, "num_turns"),
            total_cost: value
                .get("total_cost_usd")
                .and_then(Value::as_f64)
                .unwrap_or(0.0),
        }),
        "transcript_mirror" => Line::Transcript {
            file: text(&value, "filePath"),
            entries: value
                .get("entries")
                .and_then(Value::as_array)
                .cloned()
                .unwrap_or_default(),
        },
        "control_response" => response(&value),
        "control_request" => Line::Request {
            id: text(&value, "request_id"),
            subtype: value
                .pointer("/request/subtype")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned(),
        },
        _ => Line::Other,
    })
}

fn system(value: &Value) -> Line {
    match text(value, "subtype").as_str() {
        "init" => Line::Init(Init {
            version: text(value, "claude_code_version"),
            model: text(value, "model"),
            tools: strings(value.get("tools")),
            servers: servers(value.get("mcp_servers")),
        }),
        "api_retry" => Line::Retry {
            attempt: number(value, "attempt"),
            max: number(value, "max_retries"),
            delay_ms: number(value, "retry_delay_ms"),
            status: value.get("error_status").and_then(Value::as_u64),
            error: text(value, "error"),
        },
        "compact_boundary" => {
            let meta = value.get("compact_metadata").cloned().unwrap_or_default();
            Line::Compacted {
                before: number(&meta, "pre_tokens"),
                after: number(&meta, "post_tokens"),
            }
        }
        _ => Line::Other,
    }
}

/// `(name, status)` of each MCP server in a list of them.
pub(crate) fn servers(value: Option<&Value>) -> Vec<(String, String)> {
    let items = value
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    items
        .iter()
        .map(|server| (text(server, "name"), text(server, "status")))
        .collect()
}

fn response(value: &Value) -> Line {
    let inner = value.get("response").cloned().unwrap_or_default();
    let outcome = if text(&inner, "subtype") == "success" {
        Ok(inner.get("response").cloned().unwrap_or_default())
    } else {
        Err(text(&inner, "error"))
    };
    Line::Response {
        id: text(&inner, "request_id"),
        outcome,
    }
}

/// A request of ours.
pub(crate) fn request(id: &str, request: Value) -> Value {
    json!({ "type": "control_request", "request_id": id, "request": request })
}

/// The refusal of a request of the agent's.
pub(crate) fn refuse(id: &str) -> Value {
    json!({ "type": "control_response",
            "response": { "subtype": "error", "request_id": id, "error": "not offered" } })
}

/// The user's message.
pub(crate) fn user_message(content: &Value, uuid: &str) -> Value {
    json!({ "type": "user", "message": { "role": "user", "content": content },
            "parent_tool_use_id": null, "uuid": uuid })
}

/// Makes text harmless: what begins with `/` would be taken for a command. A space
/// before it reaches the model and changes nothing else. (`@path` is left alone:
/// the child's environment turns it off.)
pub(crate) fn harmless(text: &str) -> String {
    if text.starts_with('/') {
        format!(" {text}")
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
#[path = "protocol_tests.rs"]
pub(crate) mod tests;
