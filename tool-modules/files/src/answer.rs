//! What a tool gives back.

use crate::state::{FileState, State};
use serde::Serialize;
use serde_json::Value;
use std::io;
use std::path::Path;

/// A block of a result, in the form that MCP gives it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Content {
    /// Plain text.
    Text {
        /// The text.
        text: String,
    },
    /// A picture.
    Image {
        /// The bytes in base64.
        data: String,
        /// The media type, found from the bytes and not from the name.
        #[serde(rename = "mimeType")]
        mime_type: &'static str,
    },
}

/// The outcome of one call.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Answer {
    /// The blocks that the model sees.
    pub content: Vec<Content>,
    /// Whether the tool ran and failed.
    pub is_error: bool,
    /// The result as data, where it is data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub structured: Option<Value>,
    /// The fingerprints that this call changed.
    #[serde(skip_serializing_if = "State::is_empty")]
    pub state: State,
}

impl Answer {
    /// A result of one text block.
    pub fn text(text: impl Into<String>) -> Self {
        Answer {
            content: vec![Content::Text { text: text.into() }],
            ..Answer::default()
        }
    }

    /// A result of several blocks.
    pub fn blocks(content: Vec<Content>) -> Self {
        Answer {
            content,
            ..Answer::default()
        }
    }

    /// Adds the result as data.
    #[must_use]
    pub fn with_structured(mut self, value: Value) -> Self {
        self.structured = Some(value);
        self
    }

    /// Adds the fingerprint of a file that was read or written.
    #[must_use]
    pub fn with_state(mut self, path: &Path, state: FileState) -> Self {
        self.state.insert(path, state);
        self
    }

    /// The text of the first block, for tests and logs.
    pub fn first_text(&self) -> &str {
        match self.content.first() {
            Some(Content::Text { text }) => text,
            _ => "",
        }
    }

    /// The answer in JSON, followed by a line feed.
    pub fn to_json(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec(self).unwrap_or_else(|error| {
            // Strings, numbers and maps with string keys always serialise.
            format!("{{\"content\":[{{\"type\":\"text\",\"text\":\"internal error: {error}\"}}],\"is_error\":true}}")
                .into_bytes()
        });
        bytes.push(b'\n');
        bytes
    }
}

impl From<ToolError> for Answer {
    fn from(error: ToolError) -> Self {
        Answer {
            is_error: true,
            ..Answer::text(error.0)
        }
    }
}

/// Why a tool failed, in the words that the model reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolError(pub String);

impl ToolError {
    /// An error with this text.
    pub fn new(text: impl Into<String>) -> Self {
        ToolError(text.into())
    }

    /// The failure of an operation on a path, in plain words.
    pub fn io(action: &str, path: &Path, error: &io::Error) -> Self {
        let path = path.display();
        ToolError(match error.kind() {
            io::ErrorKind::NotFound => {
                format!("Cannot {action} {path}: no such file or directory.")
            }
            io::ErrorKind::PermissionDenied => {
                format!("Cannot {action} {path}: permission denied.")
            }
            io::ErrorKind::ReadOnlyFilesystem => {
                format!("Cannot {action} {path}: it is on a read-only file system.")
            }
            io::ErrorKind::NotADirectory => {
                format!("Cannot {action} {path}: a part of the path is not a directory.")
            }
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                format!("Cannot {action} {path}: no space is left for this session.")
            }
            _ => format!("Cannot {action} {path}: {error}"),
        })
    }
}
