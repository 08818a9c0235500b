//! Following a running command: its output, its end, and the client's wish to end it.

use std::time::{Duration, Instant};

use bytes::Bytes;
use hardshell_host::{CallHandle, Report, Sandbox};
use tokio::sync::mpsc;

use super::capture::Capture;
use super::spill::{Kept, Spill};
use crate::session::CallContext;

/// Between two reports of progress.
const PROGRESS_EVERY: Duration = Duration::from_secs(1);
/// Chunks of output on their way; when they pile up, the command waits.
pub(crate) const CHUNKS: usize = 32;

/// What a command left.
pub(crate) struct Followed {
    pub(crate) report: Report,
    pub(crate) output: Capture,
    /// The file with the whole output, when a result cannot hold it.
    pub(crate) kept: Option<Kept>,
    pub(crate) cancelled: bool,
}

/// Waits for a command in the foreground.
pub(crate) async fn follow(
    sandbox: &Sandbox,
    handle: CallHandle,
    mut output: mpsc::Receiver<Bytes>,
    max_chars: usize,
    context: &CallContext,
) -> Followed {
    let started = Instant::now();
    let controller = handle.controller();
    let mut sink = Sink {
        sandbox,
        capture: Capture::new(max_chars),
        spill: None,
        failed: None,
    };
    let mut tick =
        tokio::time::interval_at(tokio::time::Instant::now() + PROGRESS_EVERY, PROGRESS_EVERY);
    let mut cancelled = false;
    let mut open = true;
    let mut report = None;
    let wait = handle.wait();
    tokio::pin!(wait);
    while report.is_none() || open {
        tokio::select! {
            biased;
            () = context.cancel.cancelled(), if !cancelled => {
                cancelled = true;
                controller.cancel();
            }
            chunk = output.recv(), if open => match chunk {
                Some(chunk) => sink.push(chunk, context).await,
                None => open = false,
            },
            done = &mut wait, if report.is_none() => report = Some(done),
            _ = tick.tick(), if context.progress.is_some() => {
                if let Some(progress) = &context.progress {
                    progress.report(started.elapsed().as_secs_f64(), sink.capture.last_lines()).await;
                }
            }
        }
    }
    // The loop ends only with a report; without one there is nothing to await.
    let report = match report {
        Some(report) => report,
        None => wait.await,
    };
    let kept = sink.finish().await;
    Followed {
        report,
        output: sink.capture,
        kept,
        cancelled,
    }
}

struct Sink<'a> {
    sandbox: &'a Sandbox,
    capture: Capture,
    spill: Option<Spill>,
    failed: Option<String>,
}

impl Sink<'_> {
    async fn push(&mut self, chunk: Bytes, context: &CallContext) {
        let whole = self.capture.whole().map(Bytes::copy_from_slice);
        self.capture.push(&chunk);
        if self.failed.is_some() {
            return;
        }
        if self.spill.is_none() {
            if self.capture.whole().is_some() {
                return;
            }
            match Spill::start(self.sandbox, "bash-output") {
                Ok(spill) => self.spill = Some(spill),
                Err(error) => {
                    self.failed = Some(error);
                    return;
                }
            }
            if let (Some(spill), Some(before)) = (&self.spill, whole) {
                let _ = spill.push(before).await;
            }
        }
        if let Some(spill) = &self.spill {
            let taken = tokio::select! {
                taken = spill.push(chunk) => taken,
                // The command is about to be ended; its output need not be kept.
                () = context.cancel.cancelled() => true,
            };
            if !taken && let Some(spill) = self.spill.take() {
                self.failed = Some(match spill.finish().await {
                    Kept::Lost(why) => why,
                    Kept::Whole(_) => "the file ended early".into(),
                });
            }
        }
    }

    async fn finish(&mut self) -> Option<Kept> {
        if let Some(why) = self.failed.take() {
            return Some(Kept::Lost(why));
        }
        if let Some(spill) = self.spill.take() {
            return Some(spill.finish().await);
        }
        if !self.capture.is_cut() {
            return None;
        }
        let bytes = Bytes::copy_from_slice(self.capture.whole().unwrap_or_default());
        match Spill::start(self.sandbox, "bash-output") {
            Ok(spill) => {
                spill.push(bytes).await;
                Some(spill.finish().await)
            }
            Err(error) => Some(Kept::Lost(error)),
        }
    }
}

/// The words that stand where the middle of an output was.
pub(crate) fn cut_note(what: &str, kept: Option<&Kept>) -> String {
    match kept {
        Some(Kept::Whole(path)) => {
            format!(
                "{what} truncated; the whole output is in {path}: use Read with offset and limit, or Grep"
            )
        }
        Some(Kept::Lost(why)) => format!("{what} truncated, and they could not be kept: {why}"),
        None => format!("{what} truncated"),
    }
}
