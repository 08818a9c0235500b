//! From the agent's lines to events, messages and what the run needs to know.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::protocol::{Init, Line, TurnResult};
use crate::store::NewEvent;

/// Prefix of our tools' names where the model sees them.
pub(crate) const TOOL_PREFIX: &str = "mcp__hardshell__";

/// What one line came to.
#[derive(Debug, Default)]
pub(crate) struct Mapped {
    pub(crate) events: Vec<NewEvent>,
    /// `(role, content)` of whole messages.
    pub(crate) messages: Vec<(&'static str, Value)>,
    /// `(file, line)` of the agent's own record.
    pub(crate) transcript: Vec<(String, Value)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Partial {
    Text,
    Thinking,
    Other,
}

/// A message that is being made, by the sub-agent (or nobody) that makes it.
#[derive(Debug, Default)]
struct Open {
    id: String,
    /// Blocks begun whose final form has not come.
    partials: BTreeMap<u64, Partial>,
    /// Whether any of their text was shown.
    shown: bool,
}

/// The state between lines.
#[derive(Debug, Default)]
pub(crate) struct Mapper {
    open: BTreeMap<Option<String>, Open>,
    /// The assistant's message as far as its blocks have come: `(id, blocks)`.
    message: Option<(String, Vec<Value>)>,
    /// Tokens that the next request will at least have.
    pub(crate) context_tokens: Option<u64>,
    pub(crate) init: Option<Init>,
    pub(crate) result: Option<TurnResult>,
}

fn name_of(tool: &str) -> &str {
    tool.strip_prefix(TOOL_PREFIX).unwrap_or(tool)
}

fn with_parent(mut data: Value, parent: Option<&String>) -> Value {
    if let (Some(map), Some(parent)) = (data.as_object_mut(), parent) {
        map.insert("parent_tool_use_id".into(), Value::from(parent.as_str()));
    }
    data
}

impl Mapper {
    /// Takes one line in.
    pub(crate) fn line(&mut self, line: Line, out: &mut Mapped) {
        match line {
            Line::Init(init) => self.init = Some(init),
            Line::Stream { parent, event } => self.stream(parent, &event, out),
            Line::Assistant {
                api_error: true, ..
            } => {
                // Text that the agent made up from an error: the result carries it.
            }
            Line::Assistant {
                parent, message, ..
            } => self.assistant(parent, &message, out),
            Line::User {
                parent,
                content,
                replay: false,
                synthetic,
            } => {
                self.user(parent.as_ref(), &content, synthetic, out);
            }
            Line::Retry {
                attempt,
                max,
                delay_ms,
                status,
                error,
            } => {
                self.discard_all(out);
                out.events.push(NewEvent::new(
                    "retry",
                    json!({ "attempt": attempt, "max_attempts": max, "delay_ms": delay_ms,
                            "status": status, "reason": error }),
                ));
            }
            Line::Compacted { after, .. } => self.context_tokens = Some(after),
            Line::Result(result) => {
                self.discard_all(out);
                self.flush(out);
                self.result = Some(result);
            }
            Line::Transcript { file, entries } => {
                let file = record_file(&file);
                out.transcript
                    .extend(entries.into_iter().map(|entry| (file.clone(), entry)));
            }
            _ => {}
        }
    }

    fn stream(&mut self, parent: Option<String>, event: &Value, out: &mut Mapped) {
        let index = event.get("index").and_then(Value::as_u64).unwrap_or(0);
        match event
            .get("type")
            .and_then(Value::as_str)
            .unwrap_or_default()
        {
            "message_start" => {
                self.discard(&parent, out);
                let message = event.get("message").cloned().unwrap_or_default();
                if parent.is_none() {
                    self.context_tokens = Some(input_tokens(&message));
                }
                let id = message
                    .get("id")
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned();
                self.open.insert(
                    parent,
                    Open {
                        id,
                        ..Open::default()
                    },
                );
            }
            "content_block_start" => {
                let kind = match event.pointer("/content_block/type").and_then(Value::as_str) {
                    Some("text") => Partial::Text,
                    Some("thinking") => Partial::Thinking,
                    _ => Partial::Other,
                };
                self.open
                    .entry(parent)
                    .or_default()
                    .partials
                    .insert(index, kind);
            }
            "content_block_delta" => {
                let (kind, field) = match event.pointer("/delta/type").and_then(Value::as_str) {
                    Some("text_delta") => ("text_delta", "/delta/text"),
                    Some("thinking_delta") => ("thinking_delta", "/delta/thinking"),
                    _ => return,
                };
                let piece = event
                    .pointer(field)
                    .and_then(Value::as_str)
                    .unwrap_or_default();
                if piece.is_empty() {
                    return;
                }
                let open = self.open.entry(parent.clone()).or_default();
                open.shown = true;
                let data = with_parent(
                    json!({ "message": open.id, "index": index, "text": piece }),
                    parent.as_ref(),
                );
                push_delta(&mut out.events, kind, data);
            }
            "message_delta" if parent.is_none() => {
                let output = event
                    .pointer("/usage/output_tokens")
                    .and_then(Value::as_u64)
                    .unwrap_or(0);
                self.context_tokens = self
                    .context_tokens
                    .map(|input| input.saturating_add(output));
            }
            _ => {}
        }
    }

    /// Takes back what was shown of a message whose blocks never came to their end.
    fn discard(&mut self, parent: &Option<String>, out: &mut Mapped) {
        let Some(open) = self.open.remove(parent) else {
            return;
        };
        if open.shown && open.partials.values().any(|kind| *kind != Partial::Other) {
            let data = with_parent(json!({ "message": open.id }), parent.as_ref());
            out.events.push(NewEvent::new("discard", data));
        }
    }

    fn discard_all(&mut self, out: &mut Mapped) {
        let parents: Vec<_> = self.open.keys().cloned().collect();
        for parent in parents {
            self.discard(&parent, out);
        }
    }

    fn assistant(&mut self, parent: Option<String>, message: &Value, out: &mut Mapped) {
        let id = message
            .get("id")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let blocks = message
            .get("content")
            .and_then(Value::as_array)
            .map(Vec::as_slice)
            .unwrap_or_default();
        for block in blocks {
            let of = |key: &str| block.get(key).and_then(Value::as_str).unwrap_or_default();
            let (partial, event) = match of("type") {
                "text" => (
                    Partial::Text,
                    Some(("text", json!({ "message": id, "text": of("text") }))),
                ),
                "thinking" => (
                    Partial::Thinking,
                    Some(("thinking", json!({ "message": id, "text": of("thinking") }))),
                ),
                "tool_use" => (
                    Partial::Other,
                    Some((
                        "tool_use",
                        json!({ "message": id, "id": of("id"), "name": name_of(of("name")),
                                "input": block.get("input").cloned().unwrap_or_default() }),
                    )),
                ),
                _ => (Partial::Other, None),
            };
            if let Some(open) = self.open.get_mut(&parent).filter(|open| open.id == id) {
                let first = open
                    .partials
                    .iter()
                    .find(|(_, kind)| **kind == partial)
                    .map(|(index, _)| *index);
                if let Some(index) = first {
                    open.partials.remove(&index);
                }
            }
            if let Some((kind, data)) = event {
                out.events
                    .push(NewEvent::new(kind, with_parent(data, parent.as_ref())));
            }
            if parent.is_none() {
                self.keep(id, block, out);
            }
        }
    }

    fn keep(&mut self, id: &str, block: &Value, out: &mut Mapped) {
        if self.message.as_ref().is_some_and(|(open, _)| open != id) {
            self.flush(out);
        }
        let mut block = block.clone();
        if let Some(map) = block.as_object_mut() {
            map.remove("signature");
            if let Some(name) = map
                .get("name")
                .and_then(Value::as_str)
                .map(|n| name_of(n).to_owned())
            {
                map.insert("name".into(), name.into());
            }
        }
        self.message
            .get_or_insert_with(|| (id.to_owned(), Vec::new()))
            .1
            .push(block);
    }

    fn flush(&mut self, out: &mut Mapped) {
        if let Some((_, blocks)) = self.message.take() {
            out.messages.push(("assistant", Value::Array(blocks)));
        }
    }

    /// What is still open when the agent is gone.
    pub(crate) fn end(&mut self, out: &mut Mapped) {
        self.discard_all(out);
        self.flush(out);
    }

    fn user(
        &mut self,
        parent: Option<&String>,
        content: &Value,
        synthetic: bool,
        out: &mut Mapped,
    ) {
        let blocks = content.as_array().map(Vec::as_slice).unwrap_or_default();
        let mut results = Vec::new();
        for block in blocks {
            if block.get("type").and_then(Value::as_str) != Some("tool_result") {
                continue;
            }
            let id = block
                .get("tool_use_id")
                .and_then(Value::as_str)
                .unwrap_or_default();
            let is_error = block
                .get("is_error")
                .and_then(Value::as_bool)
                .unwrap_or(false);
            let content = result_content(block.get("content"));
            let data = json!({ "tool_use_id": id, "is_error": is_error, "content": content });
            out.events.push(NewEvent::new(
                "tool_result",
                with_parent(data.clone(), parent),
            ));
            results.push(data);
        }
        if !results.is_empty() && parent.is_none() && !synthetic {
            self.flush(out);
            out.messages.push(("tool", Value::Array(results)));
        }
    }
}

/// The content of a tool's result as blocks; pictures without their bytes.
fn result_content(content: Option<&Value>) -> Value {
    match content {
        Some(Value::String(text)) => json!([{ "type": "text", "text": text }]),
        Some(Value::Array(blocks)) => blocks
            .iter()
            .map(|block| match block.get("type").and_then(Value::as_str) {
                Some("image") => {
                    let data = block.pointer("/source/data").and_then(Value::as_str).unwrap_or_default();
                    json!({ "type": "image",
                            "media_type": block.pointer("/source/media_type").cloned().unwrap_or_default(),
                            "base64_bytes": data.len() })
                }
                _ => block.clone(),
            })
            .collect(),
        _ => json!([]),
    }
}

/// Pieces that come together are one event.
fn push_delta(events: &mut Vec<NewEvent>, kind: &'static str, data: Value) {
    if let Some(last) = events.last_mut()
        && last.kind == kind
        && ["message", "index", "parent_tool_use_id"]
            .iter()
            .all(|key| last.data.get(key) == data.get(key))
        && let Some(Value::String(text)) = last.data.get_mut("text")
    {
        text.push_str(data.get("text").and_then(Value::as_str).unwrap_or_default());
        return;
    }
    events.push(NewEvent::new(kind, data));
}

fn input_tokens(message: &Value) -> u64 {
    let of = |key: &str| {
        message
            .get("usage")
            .and_then(|u| u.get(key))
            .and_then(Value::as_u64)
            .unwrap_or(0)
    };
    of("input_tokens")
        .saturating_add(of("cache_read_input_tokens"))
        .saturating_add(of("cache_creation_input_tokens"))
}

/// A file of the record, below the agent's folder of projects: its own folder there
/// is named after the working directory, which is another one next time.
fn record_file(path: &str) -> String {
    path.split_once("/projects/")
        .and_then(|(_, rest)| rest.split_once('/'))
        .map_or_else(
            || path.rsplit('/').next().unwrap_or_default().to_owned(),
            |(_, rest)| rest.to_owned(),
        )
}

#[cfg(test)]
#[path = "mapper_tests.rs"]
mod tests;
