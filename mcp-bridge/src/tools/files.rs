//! Read, Write, Edit, MultiEdit, Glob, Grep: the `files` module, called with JSON.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use hardshell_host::{CallSpec, Input, Limits, Output, Report, Sandbox, SandboxError};
use parking_lot::Mutex;
use rmcp::model::{ContentBlock, JsonObject};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::outcome::ToolOutcome;
use crate::session::{CallContext, Session};

/// Files whose fingerprints are kept; older ones must be read again before a write.
const FILES_MAX: usize = 10_000;
/// The longest that a file tool may take.
const TIMEOUT: Duration = Duration::from_secs(120);
/// An image in base64 and what surrounds it.
const OUTPUT_MAX: u64 = 32 << 20;

/// What the conversation has read: path to fingerprint, as the module made it.
///
/// The host never looks into a fingerprint, nor at the file that it is of.
#[derive(Default)]
pub(crate) struct ReadState {
    inner: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    files: BTreeMap<String, Value>,
    order: VecDeque<String>,
}

impl ReadState {
    fn of(&self, path: &str) -> Value {
        let mut map = JsonObject::new();
        if let Some(state) = self.inner.lock().files.get(path) {
            map.insert(path.to_owned(), state.clone());
        }
        Value::Object(map)
    }

    fn merge(&self, state: JsonObject) {
        let mut known = self.inner.lock();
        for (path, state) in state {
            if known.files.insert(path.clone(), state).is_none() {
                known.order.push_back(path);
            }
            while known.files.len() > FILES_MAX {
                match known.order.pop_front() {
                    Some(oldest) => drop(known.files.remove(&oldest)),
                    None => break,
                }
            }
        }
    }
}

/// What the module writes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    content: Vec<Block>,
    #[serde(default)]
    is_error: bool,
    #[serde(default)]
    structured: Option<Value>,
    #[serde(default)]
    state: JsonObject,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Block {
    Text {
        text: String,
    },
    Image {
        data: String,
        #[serde(rename = "mimeType")]
        mime_type: String,
    },
}

/// Why the module gave no answer.
pub(crate) enum ModuleError {
    Start(SandboxError),
    Ended(Box<Report>),
    Answer(String),
    Cancelled(Box<Report>),
}

/// Runs `files TOOL` on a request and gives what it wrote.
pub(crate) async fn module(
    sandbox: &Sandbox,
    tool: &str,
    request: &Value,
    context: &CallContext,
) -> Result<(Vec<u8>, Report), ModuleError> {
    let input =
        serde_json::to_vec(request).map_err(|error| ModuleError::Answer(error.to_string()))?;
    let limits = sandbox.limits();
    let limits = Limits {
        wall: TIMEOUT,
        output_bytes: OUTPUT_MAX,
        ..limits.clone()
    };
    let spec = |input: Vec<u8>| {
        CallSpec::new(["files", tool])
            .stdin(Input::Bytes(Bytes::from(input)))
            .stdout(Output::Capture)
            .stderr(Output::Capture)
            .limits(limits.clone())
    };
    let handle = match sandbox.start(spec(input.clone())) {
        // The working directory matters to relative paths only.
        Err(SandboxError::Cwd { .. }) => sandbox.start(spec(input).cwd("/workspace")),
        other => other,
    }
    .map_err(ModuleError::Start)?;
    let controller = handle.controller();
    let wait = handle.wait();
    tokio::pin!(wait);
    let mut report = tokio::select! {
        report = &mut wait => report,
        () = context.cancel.cancelled() => {
            controller.cancel();
            return Err(ModuleError::Cancelled(Box::new(wait.await)));
        }
    };
    if !report.termination.success() {
        return Err(ModuleError::Ended(Box::new(report)));
    }
    let stdout = std::mem::take(&mut report.stdout);
    Ok((stdout, report))
}

/// Runs one file tool.
pub(crate) async fn run(
    session: &Session,
    tool: &str,
    mut arguments: JsonObject,
    context: &CallContext,
) -> ToolOutcome {
    let sandbox = session.sandbox();
    let mut state = json!({});
    if let Some(given) = arguments.get("file_path").and_then(Value::as_str) {
        // The module resolves it the same way; made absolute here, so that both mean one key.
        let path = absolute(&sandbox.cwd(), given);
        state = session.files.of(&path);
        arguments.insert("file_path".into(), path.into());
    }
    let request = json!({ "args": arguments, "state": state });
    let (stdout, report) = match module(sandbox, tool, &request, context).await {
        Ok(done) => done,
        Err(error) => return failed(tool, error),
    };
    match serde_json::from_slice::<Answer>(&stdout) {
        Ok(answer) => {
            session.files.merge(answer.state);
            ToolOutcome {
                content: answer.content.into_iter().map(block).collect(),
                is_error: answer.is_error,
                structured: answer.structured,
                ..ToolOutcome::default()
            }
            .with_report(report)
        }
        Err(error) => failed(tool, ModuleError::Answer(error.to_string())),
    }
}

fn block(block: Block) -> ContentBlock {
    match block {
        Block::Text { text } => ContentBlock::text(text),
        Block::Image { data, mime_type } => ContentBlock::image(data, mime_type),
    }
}

/// The failure of the module itself, in words for the model.
pub(crate) fn failed(tool: &str, error: ModuleError) -> ToolOutcome {
    match error {
        ModuleError::Start(error) => {
            ToolOutcome::error(format!("{tool} could not be started: {error}"))
        }
        ModuleError::Answer(error) => {
            ToolOutcome::error(format!("{tool} failed: its answer is not valid ({error})"))
        }
        ModuleError::Cancelled(report) => ToolOutcome {
            cancelled: true,
            ..ToolOutcome::error(format!("{tool} was cancelled."))
        }
        .with_report(*report),
        ModuleError::Ended(report) => {
            let why = report.sentence.clone().unwrap_or_else(|| {
                let said = String::from_utf8_lossy(&report.stderr);
                let said: String = said.trim().chars().take(2000).collect();
                if said.is_empty() {
                    report.termination.to_string()
                } else {
                    said
                }
            });
            ToolOutcome::error(format!("{tool} failed: {why}")).with_report(*report)
        }
    }
}

/// `path` below `cwd`, without `.` and `..`. Names only: nothing is looked up.
pub(crate) fn absolute(cwd: &str, path: &str) -> String {
    let base = if path.starts_with('/') { "" } else { cwd };
    let mut parts: Vec<&str> = Vec::new();
    for part in base.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_made_absolute() {
        for (cwd, path, expected) in [
            ("/workspace", "a", "/workspace/a"),
            ("/workspace/src", "../a//b/./c", "/workspace/a/b/c"),
            ("/workspace", "/tmp/../etc/x", "/etc/x"),
            ("/workspace", "../../../..", "/"),
            ("/", "", "/"),
        ] {
            assert_eq!(absolute(cwd, path), expected);
        }
    }

    #[test]
    fn old_fingerprints_are_forgotten() {
        let state = ReadState::default();
        for n in 0..FILES_MAX + 5 {
            let mut map = JsonObject::new();
            map.insert(format!("/{n}"), json!({"size": n}));
            state.merge(map);
        }
        assert_eq!(state.of("/0"), json!({}));
        assert_eq!(state.of("/5"), json!({"/5": {"size": 5}}));
    }
}
