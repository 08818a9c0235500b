//! The machine-readable report of a call.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use base64::Engine as _;
use hardshell_host::Report;
use serde_json::{Value, json};

/// The `--json` option of `sh` and `exec`.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct JsonArgs {
    /// Report what the call did and used as JSON: to FILE, or instead of the program's
    /// output (which is then part of the report)
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true)]
    json: Option<Option<PathBuf>>,
}

/// Where the report goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target<'a> {
    /// Nowhere.
    None,
    /// stdout, with the output of the program inside.
    Stdout,
    /// A file; the program's output goes where it always goes.
    File(&'a Path),
}

impl JsonArgs {
    /// Where the report goes.
    pub(crate) fn target(&self) -> Target<'_> {
        match &self.json {
            None => Target::None,
            Some(None) => Target::Stdout,
            Some(Some(path)) => Target::File(path),
        }
    }
}

/// The report as JSON.
pub(crate) fn json(report: &Report, with_output: bool) -> Value {
    let termination = serde_json::to_value(&report.termination).unwrap_or(Value::Null);
    let mut out = json!({
        "status": report.status,
        "termination": termination.get("kind").cloned().unwrap_or(Value::Null),
        "detail": termination.get("detail").cloned().unwrap_or(Value::Null),
        "sentence": report.sentence,
        "limit_hits": report.limit_hits,
        "fuel": report.fuel,
        "peak_memory_bytes": report.peak_memory,
        "wall_time_seconds": report.wall_time.as_secs_f64(),
        "cpu_time_seconds": report.cpu_time.as_secs_f64(),
        "processes": report.processes,
        "output_bytes": report.output_bytes,
        "changes": report.changes.iter().map(change).collect::<Vec<_>>(),
        "cwd": report.final_cwd,
    });
    if let (true, Some(object)) = (with_output, out.as_object_mut()) {
        for (name, bytes) in [("stdout", &report.stdout), ("stderr", &report.stderr)] {
            match std::str::from_utf8(bytes) {
                Ok(text) => object.insert(name.to_owned(), text.into()),
                // JSON has no bytes; a text with replacements would not be what was written.
                Err(_) => object.insert(
                    format!("{name}_base64"),
                    base64::engine::general_purpose::STANDARD
                        .encode(bytes)
                        .into(),
                ),
            };
        }
    }
    out
}

fn change(change: &hardshell_host::Change) -> Value {
    let mut out = json!({ "path": change.path, "file_type": change.file_type });
    let kind = serde_json::to_value(&change.kind).unwrap_or(Value::Null);
    if let (Some(out), Some(kind)) = (out.as_object_mut(), kind.as_object()) {
        for (name, value) in kind {
            out.insert(name.clone(), value.clone());
        }
    }
    out
}

/// Writes the report where it was asked for.
pub(crate) fn write(report: &Report, target: Target<'_>) -> anyhow::Result<()> {
    match target {
        Target::None => {}
        Target::Stdout => {
            use std::io::Write as _;
            let mut out = std::io::stdout().lock();
            writeln!(out, "{}", json(report, true)).context("cannot write the report")?;
        }
        Target::File(path) => {
            std::fs::write(path, format!("{}\n", json(report, false)))
                .with_context(|| format!("cannot write the report {}", path.display()))?;
        }
    }
    Ok(())
}
