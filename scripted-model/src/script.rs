//! The script: what the model answers, as data.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Everything a scripted model will say. Unknown keys are errors, so that a misspelt condition
/// cannot pass for one that always holds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Script {
    /// Answers, tried from the first to the last.
    pub turns: Vec<Turn>,
    /// The answer when no turn is left. Default: a 500 that says so.
    pub otherwise: Option<Box<Turn>>,
    /// Put before the name of every tool use that does not begin with `mcp__`.
    pub tool_prefix: String,
    /// When set, a request whose `x-api-key` (or bearer token) is another gets a 401.
    pub require_key: Option<String>,
    /// What `count_tokens` answers. Default: a quarter of the request's characters.
    pub count_tokens: Option<u64>,
    /// Turns off the checks of what a client must send (see [`crate::Recorded::problem`]).
    pub lenient: bool,
}

/// One answer.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Turn {
    /// When it may be played.
    pub when: When,
    /// How often it may be played; 0 means without end. Default 1.
    pub plays: Option<u32>,
    /// The content blocks of the message.
    pub content: Vec<Block>,
    /// `tool_use` when there is one among the blocks, else `end_turn`, unless said.
    pub stop_reason: Option<String>,
    /// Tokens. Default: 100 in, and one for every four characters out.
    pub usage: Option<Usage>,
    /// How the events are sent when the client asked for a stream.
    pub stream: Stream,
    /// An error instead of a message.
    pub error: Option<ErrorReply>,
    /// Any bytes instead of a message.
    pub raw: Option<RawReply>,
    /// Milliseconds until the response begins.
    pub wait_ms: u64,
}

/// Conditions; each that is given must hold. The texts are regular expressions that must match
/// somewhere.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct When {
    /// The last text that the user wrote; reminders that clients add are left out.
    pub last_user_text: Option<String>,
    /// The last tool result. Does not hold when the last message brings none.
    pub last_tool_result: Option<String>,
    /// Whether the last message brings tool results.
    pub after_tool: Option<bool>,
    /// Any text, tool input or tool result of the whole conversation.
    pub anywhere: Option<String>,
    /// The system prompt.
    pub system: Option<String>,
    /// The model asked for.
    pub model: Option<String>,
    /// Whether any tool is offered.
    pub has_tools: Option<bool>,
}

/// A content block.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Block {
    /// Text.
    Text {
        /// The text, with placeholders.
        text: String,
    },
    /// Thinking.
    Thinking {
        /// The thoughts, with placeholders.
        thinking: String,
        /// Opaque; any text will do.
        #[serde(default = "default_signature")]
        signature: String,
    },
    /// A call of a tool.
    ToolUse {
        /// The tool.
        name: String,
        /// Its input; strings inside may hold placeholders.
        #[serde(default = "empty_object")]
        input: Value,
        /// A name for placeholders of later turns to refer to its result by.
        #[serde(default)]
        label: Option<String>,
        /// Sent as the input in place of `input`, as it is: for input that is not JSON.
        #[serde(default)]
        raw_input: Option<String>,
    },
}

/// Token counts of an answer.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Usage {
    /// Tokens read.
    pub input_tokens: u64,
    /// Tokens written.
    pub output_tokens: u64,
    /// Tokens put into the cache.
    pub cache_creation_input_tokens: u64,
    /// Tokens read from the cache.
    pub cache_read_input_tokens: u64,
}

/// How a streamed answer is sent. Events are counted from 1, `message_start` being the first.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Stream {
    /// Milliseconds before each event.
    pub delay_ms: u64,
    /// Characters in one delta. Default 16.
    pub chunk_chars: Option<usize>,
    /// Break the connection after this many events.
    pub cut_after: Option<usize>,
    /// Fall silent after this many events.
    pub stall_after: Option<usize>,
    /// How long the silence lasts, in milliseconds. Default: until the client or the server ends.
    pub stall_ms: Option<u64>,
    /// Send an error event after some events, and end.
    pub error: Option<StreamError>,
}

/// An `error` event in the middle of a stream.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamError {
    /// After how many events.
    pub after: usize,
    /// The error's type, such as `overloaded_error`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The text.
    #[serde(default)]
    pub message: String,
}

/// An error response.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErrorReply {
    /// HTTP status.
    pub status: u16,
    /// The error's type; by default the one that belongs to the status.
    #[serde(rename = "type", default)]
    pub kind: Option<String>,
    /// The text.
    #[serde(default)]
    pub message: String,
    /// Seconds for a `retry-after` header.
    #[serde(default)]
    pub retry_after: Option<u64>,
}

/// A response that need not be an answer at all.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawReply {
    /// HTTP status.
    pub status: u16,
    /// Content type.
    pub content_type: String,
    /// Body.
    pub body: String,
}

/// A script that cannot be played.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScriptError {
    /// Not JSON, or not of a script's shape.
    #[error("the script is not valid: {0}")]
    Json(#[from] serde_json::Error),
    /// A condition or placeholder holds a regular expression that does not parse.
    #[error("turn {turn}: {source}")]
    Pattern {
        /// Which turn, from 1.
        turn: usize,
        /// What is wrong.
        source: regex::Error,
    },
}

impl Script {
    /// Reads a script and checks its regular expressions.
    pub fn from_json(text: &str) -> Result<Self, ScriptError> {
        let script: Self = serde_json::from_str(text)?;
        script.check()?;
        Ok(script)
    }

    /// Checks every regular expression of the conditions.
    pub(crate) fn check(&self) -> Result<(), ScriptError> {
        for (index, turn) in self.turns.iter().enumerate() {
            for pattern in turn.when.patterns() {
                regex::Regex::new(pattern).map_err(|source| ScriptError::Pattern {
                    turn: index.saturating_add(1),
                    source,
                })?;
            }
        }
        Ok(())
    }

    /// A script that answers every request with the same text, without end.
    pub fn always(text: &str) -> Self {
        let turn = Turn {
            plays: Some(0),
            content: vec![Block::Text {
                text: text.to_owned(),
            }],
            ..Turn::default()
        };
        Self {
            turns: vec![turn],
            ..Self::default()
        }
    }
}

impl When {
    fn patterns(&self) -> impl Iterator<Item = &str> {
        [
            &self.last_user_text,
            &self.last_tool_result,
            &self.anywhere,
            &self.system,
            &self.model,
        ]
        .into_iter()
        .filter_map(|pattern| pattern.as_deref())
    }
}

fn default_signature() -> String {
    "c2NyaXB0ZWQgbW9kZWwgc2lnbmF0dXJl".to_owned()
}

fn empty_object() -> Value {
    Value::Object(serde_json::Map::new())
}
