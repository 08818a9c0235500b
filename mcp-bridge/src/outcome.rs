//! What a tool call came to, and who is told.

use std::time::Duration;

use hardshell_host::{Change, ChangeKind, Report};
use rmcp::model::{CallToolResult, ContentBlock, JsonObject, MetaObject};
use serde_json::{Value, json};

/// Changed files that are listed one by one in a result's metadata.
const CHANGES_MAX: usize = 100;

/// The key of [`ToolOutcome`]'s report in `_meta`.
pub(crate) const REPORT_KEY: &str = "hardshell/report";

/// How a call ended, for logs, metrics and audit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The tool did what was asked.
    Success,
    /// The tool ran and failed, or its arguments were refused.
    Failure,
    /// A limit ended it.
    Limit,
    /// The client took the call back, or vanished.
    Cancelled,
}

/// One finished call.
#[derive(Debug)]
pub struct Finished<'a> {
    /// The tool's name.
    pub tool: &'a str,
    /// BLAKE3 of the arguments in JSON, hexadecimal: tells calls apart without keeping what
    /// a tenant wrote.
    pub arguments_digest: String,
    /// How it ended.
    pub outcome: Outcome,
    /// What it used, where it ran something.
    pub report: Option<&'a Report>,
    /// From arrival to answer. For a command in the background: its whole life.
    pub elapsed: Duration,
}

/// Is told of every call. Must be quick: it is called in the call's own task.
pub trait ToolObserver: Send + Sync {
    /// A call has ended.
    fn finished(&self, call: &Finished<'_>);
}

/// Watches nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoObserver;

impl ToolObserver for NoObserver {
    fn finished(&self, _: &Finished<'_>) {}
}

/// The result of a tool.
#[derive(Debug, Default)]
pub struct ToolOutcome {
    /// What the model sees.
    pub content: Vec<ContentBlock>,
    /// Whether the tool ran and failed.
    pub is_error: bool,
    /// The result as data.
    pub structured: Option<Value>,
    /// What the call used.
    pub report: Option<Report>,
    /// More for `_meta`.
    pub meta: JsonObject,
    /// Whether the client took the call back.
    pub cancelled: bool,
}

impl ToolOutcome {
    /// A success of one text.
    pub fn text(text: impl Into<String>) -> Self {
        ToolOutcome {
            content: vec![ContentBlock::text(text)],
            ..ToolOutcome::default()
        }
    }

    /// A failure, in words for the model.
    pub fn error(text: impl Into<String>) -> Self {
        ToolOutcome {
            is_error: true,
            ..ToolOutcome::text(text)
        }
    }

    /// Adds what the call used.
    #[must_use]
    pub fn with_report(mut self, report: Report) -> Self {
        self.report = Some(report);
        self
    }

    /// The class for the observer.
    pub fn class(&self) -> Outcome {
        match &self.report {
            _ if self.cancelled => Outcome::Cancelled,
            Some(report) if report.termination.is_limit() || !report.limit_hits.is_empty() => {
                Outcome::Limit
            }
            _ if self.is_error => Outcome::Failure,
            _ => Outcome::Success,
        }
    }

    /// The result as the protocol has it. `text_only` leaves the structured content out.
    pub(crate) fn into_result(self, text_only: bool) -> CallToolResult {
        let ToolOutcome {
            content,
            is_error,
            structured,
            report,
            mut meta,
            ..
        } = self;
        if let Some(report) = &report {
            meta.insert(REPORT_KEY.to_owned(), report_json(report));
        }
        let mut result = if is_error {
            CallToolResult::error(content)
        } else {
            CallToolResult::success(content)
        };
        result.structured_content = structured.filter(|_| !text_only && !is_error);
        if !meta.is_empty() {
            result.meta = Some(MetaObject(meta));
        }
        result
    }
}

/// A report as a client gets it. Units are in the names.
pub(crate) fn report_json(report: &Report) -> Value {
    let changed: Vec<Value> = report
        .changes
        .iter()
        .take(CHANGES_MAX)
        .map(change_json)
        .collect();
    let mut value = json!({
        "exitCode": report.status,
        "termination": report.termination,
        "wallTimeMs": millis(report.wall_time),
        "cpuTimeMs": millis(report.cpu_time),
        "peakMemoryBytes": report.peak_memory,
        "processes": report.processes,
        "outputBytes": report.output_bytes,
        "cwd": report.final_cwd,
        "changedFiles": changed,
        "changedFileCount": report.changes.len(),
    });
    if let Some(map) = value.as_object_mut() {
        if let Some(fuel) = report.fuel {
            map.insert("fuel".into(), fuel.into());
        }
        if let Some(sentence) = &report.sentence {
            map.insert("sentence".into(), sentence.as_str().into());
        }
        if !report.limit_hits.is_empty() {
            map.insert("limitHits".into(), json!(report.limit_hits));
        }
    }
    value
}

fn change_json(change: &Change) -> Value {
    let (kind, from) = match &change.kind {
        ChangeKind::Created => ("created", None),
        ChangeKind::Modified => ("modified", None),
        ChangeKind::Removed => ("removed", None),
        ChangeKind::Renamed { from } => ("renamed", Some(from)),
        ChangeKind::Mode => ("mode", None),
    };
    let mut value = json!({ "kind": kind, "path": change.path, "type": change.file_type });
    if let (Some(from), Some(map)) = (from, value.as_object_mut()) {
        map.insert("from".into(), from.as_str().into());
    }
    value
}

fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}
