//! The file tools that a model calls: Read, Write, Edit, MultiEdit, Glob, Grep.
//!
//! One request is `{"args": {…}, "state": {path: {size, mtime_ns, digest}}}`; one
//! answer is `{"content": […], "is_error": bool, "structured": …, "state": {…}}`.
//! `state` is what the conversation has read so far. It is kept by the caller and
//! handed in and out, because a process lives for one call only. The answer's
//! `state` holds only the entries that this call changed.
//!
//! Texts are worded as the models know them from their own tools, so that a
//! refusal leads to the next right step instead of a guess.

mod answer;
mod args;
mod atomic;
mod edit;
mod glob;
mod grep;
mod path;
mod platform;
mod read;
mod resource;
mod snippet;
mod state;
mod text;
mod write;

pub use answer::{Answer, Content, ToolError};
pub use args::Args;
pub use resource::keep;
pub use state::{FileState, State};

use serde::Deserialize;
use serde_json::{Map, Value};

/// One call as it arrives.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The tool's arguments as the model gave them.
    #[serde(default)]
    pub args: Map<String, Value>,
    /// What the conversation has read: absolute path to fingerprint.
    #[serde(default)]
    pub state: State,
}

/// The tools by name, in the order in which they are listed.
pub const TOOLS: &[&str] = &["Read", "Write", "Edit", "MultiEdit", "Glob", "Grep"];

/// Runs one tool. Every failure is an answer with `is_error` set.
pub fn run(tool: &str, request: Request) -> Answer {
    let Request { args, state } = request;
    let result = match tool {
        "Read" => Args::new("Read", args, read::PARAMETERS).and_then(|args| read::read(&args)),
        "Write" => {
            Args::new("Write", args, write::PARAMETERS).and_then(|args| write::write(&args, &state))
        }
        "Edit" => {
            Args::new("Edit", args, edit::PARAMETERS).and_then(|args| edit::edit(&args, &state))
        }
        "MultiEdit" => Args::new("MultiEdit", args, edit::MULTI_PARAMETERS)
            .and_then(|args| edit::multi_edit(&args, &state)),
        "Glob" => Args::new("Glob", args, glob::PARAMETERS).and_then(|args| glob::glob(&args)),
        "Grep" => Args::new("Grep", args, grep::PARAMETERS).and_then(|args| grep::grep(&args)),
        "List" => Args::new("List", args, resource::LIST).and_then(|args| resource::list(&args)),
        "Fetch" => {
            Args::new("Fetch", args, resource::FETCH).and_then(|args| resource::fetch(&args))
        }
        "Complete" => Args::new("Complete", args, resource::COMPLETE)
            .and_then(|args| resource::complete(&args)),
        other => Err(ToolError::new(format!(
            "No such tool: {other:?}. The tools are {}.",
            TOOLS.join(", ")
        ))),
    };
    result.unwrap_or_else(Answer::from)
}

/// Runs one tool on a request in JSON and gives the answer in JSON.
pub fn run_json(tool: &str, input: &[u8]) -> Vec<u8> {
    match serde_json::from_slice::<Request>(input) {
        Ok(request) => run(tool, request).to_json(),
        Err(error) => error_json(&format!("The request is not valid: {error}")),
    }
}

/// An answer in JSON that says only that the call failed, and why.
pub fn error_json(text: &str) -> Vec<u8> {
    Answer::from(ToolError::new(text)).to_json()
}
