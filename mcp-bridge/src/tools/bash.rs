//! Bash: one command line.

use std::time::Duration;

use hardshell_host::{CallSpec, Limits, Output, Report, SandboxError};
use rmcp::model::JsonObject;
use serde_json::Value;
use tokio::sync::mpsc;

use super::follow::{CHUNKS, Followed, cut_note, follow};
use super::shells;
use super::spill::Kept;
use crate::outcome::ToolOutcome;
use crate::session::{CallContext, Session};

/// Time that a command gets when its caller names none.
const TIMEOUT: Duration = Duration::from_millis(120_000);
/// The directory that calls go back to when their own is gone.
const HOME: &str = "/workspace";

pub(crate) async fn run(
    session: &Session,
    arguments: &JsonObject,
    context: &CallContext,
) -> ToolOutcome {
    let command = arguments
        .get("command")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let timeout = arguments
        .get("timeout")
        .and_then(Value::as_f64)
        .map(|ms| Duration::from_secs_f64(ms / 1e3));
    if arguments.get("run_in_background").and_then(Value::as_bool) == Some(true) {
        return shells::start(session, command, timeout);
    }
    let limits = Limits {
        wall: timeout.unwrap_or(TIMEOUT),
        ..session.sandbox().limits().clone()
    };
    let (sender, receiver) = mpsc::channel(CHUNKS);
    let spec = |sender: mpsc::Sender<_>| {
        CallSpec::new(["sh", "-c", command])
            .stdout(Output::Stream(sender))
            .stderr(Output::Merged)
            .limits(limits.clone())
            .keep_cwd(true)
    };
    let mut note = None;
    let mut started = session.sandbox().start(spec(sender.clone()));
    if let Err(SandboxError::Cwd { path, .. }) = &started {
        note = Some(format!(
            "The working directory {path} is gone; the command ran in {HOME}."
        ));
        started = session
            .sandbox()
            .set_cwd(HOME)
            .and_then(|()| session.sandbox().start(spec(sender.clone())));
    }
    drop(sender);
    let handle = match started {
        Ok(handle) => handle,
        Err(error) => {
            return ToolOutcome::error(format!("The command could not be started: {error}"));
        }
    };
    let followed = follow(
        session.sandbox(),
        handle,
        receiver,
        session.options().max_output_chars,
        context,
    )
    .await;
    outcome(session, followed, note)
}

fn outcome(session: &Session, followed: Followed, note: Option<String>) -> ToolOutcome {
    let Followed {
        report,
        output,
        kept,
        cancelled,
    } = followed;
    let mut parts = Vec::new();
    if report.status != 0 {
        parts.push(format!("Exit code {}", report.status));
    }
    let text = output.text(|what| cut_note(what, kept.as_ref()));
    if !text.is_empty() {
        parts.push(text);
    }
    let mut text = parts.join("\n");
    if text.is_empty() {
        text.push_str("(Bash completed with no output)");
    }
    for sentence in ending(&report)
        .into_iter()
        .chain(note)
        .chain(shells::notices(session))
    {
        text.push_str("\n\n");
        text.push_str(&sentence);
    }
    let mut outcome = ToolOutcome::text(text);
    outcome.is_error = report.status != 0;
    outcome.cancelled = cancelled;
    if let Some(Kept::Whole(path)) = kept {
        outcome
            .meta
            .insert("hardshell/outputFile".into(), path.into());
    }
    outcome.with_report(report)
}

/// What a person should know about the end of a call: the limits that were hit.
pub(crate) fn ending(report: &Report) -> Vec<String> {
    let mut sentences: Vec<String> = report.sentence.iter().cloned().collect();
    for hit in &report.limit_hits {
        // A process that hit its own limit has said so on its stderr already.
        if !sentences.contains(hit) && report.termination.is_limit() {
            sentences.push(hit.clone());
        }
    }
    sentences
}
