//! From a turn to a message, and from a message to the events of its stream.

use crate::fill;
use crate::script::{Block, Turn, Usage};
use crate::view::{View, id_with_label};
use serde_json::{Value, json};

/// Characters of one delta unless the turn says otherwise.
const CHUNK: usize = 16;

/// An answer with its placeholders filled.
pub(crate) struct Message {
    id: String,
    model: String,
    blocks: Vec<Value>,
    /// Inputs to send as they are, by block.
    raw_inputs: Vec<Option<String>>,
    stop_reason: String,
    usage: Usage,
}

impl Message {
    pub(crate) fn new(turn: &Turn, tool_prefix: &str, body: &Value) -> Self {
        let view = View::new(body);
        let mut raw_inputs = Vec::new();
        let blocks: Vec<Value> = turn
            .content
            .iter()
            .map(|block| {
                raw_inputs.push(match block {
                    Block::ToolUse { raw_input, .. } => raw_input.clone(),
                    _ => None,
                });
                fill_block(block, tool_prefix, &view)
            })
            .collect();
        let calls = turn
            .content
            .iter()
            .any(|block| matches!(block, Block::ToolUse { .. }));
        let default_stop = if calls { "tool_use" } else { "end_turn" };
        Self {
            id: format!("msg_{}", uuid::Uuid::new_v4().simple()),
            model: body
                .get("model")
                .and_then(Value::as_str)
                .unwrap_or("scripted")
                .to_owned(),
            usage: turn.usage.clone().unwrap_or_else(|| Usage {
                input_tokens: 100,
                output_tokens: quarter(&Value::Array(blocks.clone())),
                ..Usage::default()
            }),
            blocks,
            raw_inputs,
            stop_reason: turn
                .stop_reason
                .clone()
                .unwrap_or_else(|| default_stop.to_owned()),
        }
    }

    /// The message whole, as a client gets it that asked for no stream.
    pub(crate) fn whole(&self) -> Value {
        json!({
            "id": self.id, "type": "message", "role": "assistant", "model": self.model,
            "content": self.blocks,
            "stop_reason": self.stop_reason, "stop_sequence": null,
            "usage": self.usage,
        })
    }

    /// The events of its stream: name and data.
    pub(crate) fn events(&self, chunk_chars: Option<usize>) -> Vec<(&'static str, Value)> {
        let chunk = chunk_chars.unwrap_or(CHUNK).max(1);
        let mut events = vec![(
            "message_start",
            json!({"type": "message_start", "message": {
                "id": self.id, "type": "message", "role": "assistant", "model": self.model,
                "content": [], "stop_reason": null, "stop_sequence": null,
                "usage": Usage { output_tokens: 1, ..self.usage.clone() },
            }}),
        )];
        for (index, (block, raw_input)) in self.blocks.iter().zip(&self.raw_inputs).enumerate() {
            events.push((
                "content_block_start",
                json!({"type": "content_block_start", "index": index, "content_block": started(block)}),
            ));
            for delta in deltas(block, raw_input.as_deref(), chunk) {
                events.push((
                    "content_block_delta",
                    json!({"type": "content_block_delta", "index": index, "delta": delta}),
                ));
            }
            events.push((
                "content_block_stop",
                json!({"type": "content_block_stop", "index": index}),
            ));
        }
        events.push((
            "message_delta",
            json!({"type": "message_delta",
                "delta": {"stop_reason": self.stop_reason, "stop_sequence": null},
                "usage": {"output_tokens": self.usage.output_tokens}}),
        ));
        events.push(("message_stop", json!({"type": "message_stop"})));
        events
    }
}

/// A quarter of the characters: about what tokens are.
pub(crate) fn quarter(value: &Value) -> u64 {
    (value.to_string().chars().count() as u64).div_ceil(4)
}

fn fill_block(block: &Block, tool_prefix: &str, view: &View<'_>) -> Value {
    match block {
        Block::Text { text } => json!({"type": "text", "text": fill::text(text, view)}),
        Block::Thinking {
            thinking,
            signature,
        } => {
            json!({"type": "thinking", "thinking": fill::text(thinking, view), "signature": signature})
        }
        Block::ToolUse {
            name, input, label, ..
        } => {
            let name = if name.starts_with("mcp__") {
                name.clone()
            } else {
                format!("{tool_prefix}{name}")
            };
            let id = id_with_label(&uuid::Uuid::new_v4().simple().to_string(), label.as_deref());
            json!({"type": "tool_use", "id": id, "name": name, "input": fill::value(input, view)})
        }
    }
}

/// A block as it stands when it starts: the same, with nothing in it yet.
fn started(block: &Value) -> Value {
    let mut empty = block.clone();
    if let Some(fields) = empty.as_object_mut() {
        for (key, value) in fields.iter_mut() {
            match key.as_str() {
                "text" | "thinking" | "signature" => *value = Value::String(String::new()),
                "input" => *value = json!({}),
                _ => {}
            }
        }
    }
    empty
}

fn deltas(block: &Value, raw_input: Option<&str>, chunk: usize) -> Vec<Value> {
    let field = |key: &str| block.get(key).and_then(Value::as_str).unwrap_or("");
    let pieces = |text: &str, kind: &str, key: &str| -> Vec<Value> {
        let characters: Vec<char> = text.chars().collect();
        characters
            .chunks(chunk)
            .map(|piece| json!({"type": kind, key: piece.iter().collect::<String>()}))
            .collect()
    };
    match field("type") {
        "thinking" => {
            let mut all = pieces(field("thinking"), "thinking_delta", "thinking");
            all.push(json!({"type": "signature_delta", "signature": field("signature")}));
            all
        }
        "tool_use" => {
            let input = match raw_input {
                Some(raw) => raw.to_owned(),
                None => block.get("input").map(Value::to_string).unwrap_or_default(),
            };
            pieces(&input, "input_json_delta", "partial_json")
        }
        _ => pieces(field("text"), "text_delta", "text"),
    }
}
