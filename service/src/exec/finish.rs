//! The end of a run: its last events and its final state, in one write.

use serde_json::{Value, json};

use super::recorder::Recorder;
use super::runner::{Job, Left};
use crate::error::{ErrorKind, Result};
use crate::service::Service;
use crate::store::{FileChange, NewEvent, Outcome, patiently};
use crate::sync::Published;
use crate::types::{ExecutionState, Usage};

/// What is known at the end.
pub(super) struct Ending<'a> {
    pub(super) job: &'a Job,
    pub(super) usage: Usage,
    pub(super) left: &'a Left,
    pub(super) outcome: Result<()>,
}

/// Paths named in the final event; the whole list is in the register of files.
const NAMED: usize = 200;

/// The `done` event.
pub(super) fn done(
    state: ExecutionState,
    usage: &Usage,
    published: Option<&Published>,
    turns: u64,
) -> NewEvent {
    let empty = Published::default();
    let published_now = published.unwrap_or(&empty);
    let files: Vec<Value> = published_now
        .changes
        .iter()
        .take(NAMED)
        .map(|change| match change {
            FileChange::Put {
                path, size, digest, ..
            } => {
                json!({ "path": path, "change": "stored", "size": size, "digest": digest })
            }
            FileChange::Removed { path } => json!({ "path": path, "change": "removed" }),
        })
        .collect();
    let unpublished: Vec<Value> = published_now
        .unpublished
        .iter()
        .take(NAMED)
        .map(|file| json!({ "path": file.path, "reason": file.reason }))
        .collect();
    NewEvent::new(
        "done",
        json!({
            "state": state,
            "usage": usage,
            "turns": turns,
            "files": files,
            "files_changed": published_now.changes.len(),
            "files_not_stored": unpublished,
            "stored": published.is_some(),
        }),
    )
}

/// The `error` event.
pub(super) fn error(code: &str, message: &str) -> NewEvent {
    NewEvent::new("error", json!({ "code": code, "message": message }))
}

pub(super) async fn finish(service: &Service, recorder: &mut Recorder, ending: Ending<'_>) {
    let Ending {
        job,
        usage,
        left,
        outcome,
    } = ending;
    let state = match &outcome {
        Ok(()) => ExecutionState::Finished,
        Err(error) if error.kind() == ErrorKind::Cancelled => ExecutionState::Cancelled,
        Err(error) if error.kind() == ErrorKind::LeaseLost => {
            // Whoever has the conversation now brings the run to its end.
            tracing::error!(execution = %job.id, "the run was stopped: its lease is lost");
            return;
        }
        Err(_) => ExecutionState::Failed,
    };
    match &outcome {
        Ok(()) => {
            tracing::info!(execution = %job.id, cost_micros = usage.cost_micros, "the run is finished")
        }
        Err(error) => tracing::warn!(execution = %job.id, %error, "the run has failed"),
    }
    let fruits = &left.fruits;
    let keep = || {
        let (tokens, cost) = (fruits.context_tokens, fruits.agent_cost);
        service
            .store
            .set_context(&job.conversation.id, job.held.fence(), tokens, cost)
    };
    let kept = patiently(keep).await;
    if let Err(error) = kept {
        tracing::error!(execution = %job.id, %error, "the conversation's figures were not written down");
    }
    if left.published.is_none()
        && !left.begun
        && let Some(home) = &left.home
        && let Err(error) = home.remove()
    {
        tracing::warn!(execution = %job.id, %error, "an unused workspace was not removed");
    }
    let mut events = Vec::new();
    let told = outcome
        .as_ref()
        .err()
        .map(|failure| (failure.code(), failure.public()));
    if let Some((code, message)) = told {
        events.push(error(code, message));
    }
    events.push(NewEvent::new(
        "usage",
        json!({
            "input_tokens": usage.input_tokens,
            "output_tokens": usage.output_tokens,
            "cache_read_tokens": usage.cache_read_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
            "requests": usage.requests,
            "cost_micros": usage.cost_micros,
            "context_tokens": fruits.context_tokens,
        }),
    ));
    events.push(done(state, &usage, left.published.as_ref(), fruits.turns));
    let outcome = Outcome {
        state,
        error: told,
        usage,
    };
    if let Err(error) = recorder.finish(events, &outcome).await {
        // The sweeper finds it unfinished.
        tracing::error!(execution = %job.id, %error, "the end of a run was not written down");
    }
}
