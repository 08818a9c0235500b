//! Running a tool author's module for one call.

use std::collections::BTreeMap;

use bytes::Bytes;
use hardshell_host::{CallSpec, Input, Limits, Output, Report};
use rmcp::model::{ContentBlock, JsonObject};
use serde_json::Value;

use super::folder::Loaded;
use super::manifest::{InputMode, OutputMode};
use super::schema;
use crate::outcome::ToolOutcome;
use crate::session::{CallContext, Session};

/// Characters of stderr that an error repeats.
const ERROR_CHARS: usize = 10_000;
/// Content blocks of one result.
const BLOCKS_MAX: usize = 1000;

pub(super) async fn run(
    session: &Session,
    tool: &Loaded,
    arguments: JsonObject,
    context: &CallContext,
) -> ToolOutcome {
    let name = tool.manifest.name.as_str();
    let input = Value::Object(arguments);
    if let Err(error) = schema::faults(name, &tool.validator, &input) {
        return ToolOutcome::error(error);
    }
    let limits = limits(session.sandbox().limits(), tool);
    let mut argv = vec![name.to_owned()];
    let stdin = match tool.manifest.input {
        InputMode::JsonStdin => Input::Bytes(Bytes::from(input.to_string())),
        InputMode::Argv => {
            argv.extend(flags(&input));
            Input::Empty
        }
    };
    let spec = CallSpec::new(argv)
        .stdin(stdin)
        .stdout(Output::Capture)
        .stderr(Output::Capture)
        .limits(limits);
    let spec = super::kernel::granted(spec, &tool.grant);
    let handle = match session.sandbox().start(spec) {
        Ok(handle) => handle,
        Err(error) => return ToolOutcome::error(format!("{name} could not be started: {error}")),
    };
    let controller = handle.controller();
    let wait = handle.wait();
    tokio::pin!(wait);
    let mut cancelled = false;
    let mut report = tokio::select! {
        report = &mut wait => report,
        () = context.cancel.cancelled() => {
            cancelled = true;
            controller.cancel();
            wait.await
        }
    };
    let stdout = std::mem::take(&mut report.stdout);
    let max_chars = session.options().max_output_chars;
    let mut outcome = if report.termination.success() {
        success(tool, &stdout, max_chars)
    } else {
        ToolOutcome::error(failure(name, &report))
    };
    outcome.cancelled = cancelled;
    outcome.with_report(report)
}

fn limits(sandbox: &Limits, tool: &Loaded) -> Limits {
    let mut limits = sandbox.clone();
    if let Some(timeout) = tool.grant.timeout {
        limits.wall = timeout;
    }
    if let Some(memory) = tool.grant.memory {
        limits.memory_per_process = memory;
    }
    if tool.grant.fuel.is_some() {
        limits.fuel = tool.grant.fuel;
    }
    limits
}

/// `--name value` for each property; `--name` alone for true, nothing for false and null,
/// once per element for an array.
fn flags(input: &Value) -> Vec<String> {
    let mut argv = Vec::new();
    let sorted: BTreeMap<&String, &Value> = input.as_object().into_iter().flatten().collect();
    for (name, value) in sorted {
        let flag = format!("--{name}");
        let elements = match value {
            Value::Array(elements) => elements.iter().collect(),
            value => vec![value],
        };
        for element in elements {
            match element {
                Value::Null | Value::Bool(false) => {}
                Value::Bool(true) => argv.push(flag.clone()),
                // In one word, so that a value that begins with a dash is no flag.
                Value::String(text) => argv.push(format!("{flag}={text}")),
                other => argv.push(format!("{flag}={other}")),
            }
        }
    }
    argv
}

fn success(tool: &Loaded, stdout: &[u8], max_chars: usize) -> ToolOutcome {
    let name = tool.manifest.name.as_str();
    let text = String::from_utf8_lossy(stdout);
    match tool.manifest.output {
        OutputMode::Text => ToolOutcome::text(cut(text.trim_end_matches('\n'), max_chars)),
        OutputMode::Json => {
            let value: Value = match serde_json::from_slice(stdout) {
                Ok(value) => value,
                Err(error) => {
                    return ToolOutcome::error(format!(
                        "{name} did not write the JSON that it promised: {error}"
                    ));
                }
            };
            if let Some(validator) = &tool.output_validator
                && let Err(error) = schema::faults(name, validator, &value)
            {
                return ToolOutcome::error(format!(
                    "{name} wrote what does not fit its own output schema.\n{error}"
                ));
            }
            let mut outcome = ToolOutcome::text(cut(text.trim_end_matches('\n'), max_chars));
            outcome.structured = Some(value);
            outcome
        }
        OutputMode::Mcp => match serde_json::from_slice::<Vec<ContentBlock>>(stdout) {
            Ok(content) if content.len() <= BLOCKS_MAX => ToolOutcome {
                content,
                ..ToolOutcome::default()
            },
            Ok(content) => ToolOutcome::error(format!(
                "{name} wrote {} content blocks, at most {BLOCKS_MAX} are allowed.",
                content.len()
            )),
            Err(error) => ToolOutcome::error(format!("{name} did not write MCP content: {error}")),
        },
    }
}

fn failure(name: &str, report: &Report) -> String {
    let said = String::from_utf8_lossy(&report.stderr);
    let said = cut(said.trim(), ERROR_CHARS);
    match (&report.sentence, said.is_empty()) {
        (Some(sentence), true) => sentence.clone(),
        (Some(sentence), false) => format!("{said}\n\n{sentence}"),
        (None, false) => said,
        (None, true) => format!(
            "{name} failed with exit code {} and said nothing.",
            report.status
        ),
    }
}

fn cut(text: &str, max_chars: usize) -> String {
    match text.char_indices().nth(max_chars) {
        None => text.to_owned(),
        Some((at, _)) => {
            let all = text.chars().count();
            format!(
                "{}\n... [cut: {max_chars} of {all} characters are shown]",
                text.get(..at).unwrap_or_default()
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn properties_become_flags() {
        let input =
            json!({"b": true, "a": "-x y", "c": false, "n": 1.5, "list": ["p", "q"], "z": null});
        assert_eq!(
            flags(&input),
            ["--a=-x y", "--b", "--list=p", "--list=q", "--n=1.5"]
        );
    }
}
