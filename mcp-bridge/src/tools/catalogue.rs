//! The built-in tools as they are listed: names, texts, schemas.

use std::sync::{Arc, OnceLock};

use rmcp::model::{JsonObject, MetaObject, Tool, ToolAnnotations};
use serde_json::{Value, json};

use super::BuiltIn;
use crate::session::SessionOptions;

/// Characters of a result that a client should pass on whole. Ours are cut before that.
const RESULT_CHARS: u64 = 400_000;

/// The schema of a tool's arguments.
pub(crate) fn input_schema(tool: BuiltIn) -> &'static Arc<JsonObject> {
    static SCHEMAS: OnceLock<Vec<Arc<JsonObject>>> = OnceLock::new();
    let schemas = SCHEMAS.get_or_init(|| {
        BuiltIn::ALL
            .into_iter()
            .map(|tool| Arc::new(object(input(tool))))
            .collect()
    });
    static EMPTY: OnceLock<Arc<JsonObject>> = OnceLock::new();
    schemas
        .get(tool as usize)
        .unwrap_or_else(|| EMPTY.get_or_init(Arc::default))
}

/// The tools in their order.
pub(crate) fn built_in(options: &SessionOptions) -> Vec<Tool> {
    BuiltIn::ALL
        .into_iter()
        .map(|tool| {
            let (title, description) = words(tool, options);
            let mut listed = Tool::new(tool.name(), description, Arc::clone(input_schema(tool)))
                .with_title(title)
                .with_annotations(annotations(tool, title));
            if let Some(schema) = output(tool) {
                listed = listed.with_raw_output_schema(Arc::new(object(schema)));
            }
            if matches!(
                tool,
                BuiltIn::Read | BuiltIn::Bash | BuiltIn::BashOutput | BuiltIn::Grep
            ) {
                let mut meta = JsonObject::new();
                meta.insert("anthropic/maxResultSizeChars".into(), RESULT_CHARS.into());
                listed = listed.with_meta(MetaObject(meta));
            }
            listed
        })
        .collect()
}

fn annotations(tool: BuiltIn, title: &str) -> ToolAnnotations {
    let (read_only, destructive, idempotent) = match tool {
        BuiltIn::Read | BuiltIn::Glob | BuiltIn::Grep => (true, false, true),
        BuiltIn::BashOutput => (true, false, false),
        BuiltIn::Write => (false, true, true),
        BuiltIn::Bash | BuiltIn::KillShell | BuiltIn::Edit | BuiltIn::MultiEdit => {
            (false, true, false)
        }
    };
    // Nothing outside the sandbox can be reached, so no tool meets an open world.
    ToolAnnotations::from_raw(
        Some(title.to_owned()),
        Some(read_only),
        Some(destructive),
        Some(idempotent),
        Some(false),
    )
}

fn words(tool: BuiltIn, options: &SessionOptions) -> (&'static str, String) {
    let chars = options.max_output_chars;
    match tool {
        BuiltIn::Bash => (
            "Run a shell command",
            format!(
                "Runs one bash command line in the sandbox and returns its output, stdout and stderr in the order \
                 in which they were written, with the exit code when it is not 0.\n\n\
                 - The working directory carries over to the next call; variables, functions and other shell state do not.\n\
                 - The session's files are in /workspace, scratch space in /tmp. There is no network.\n\
                 - timeout is in milliseconds: 120000 unless given, 600000 at most.\n\
                 - Output beyond {chars} characters is cut in the middle; the whole is kept in a file under /tmp that Read can open.\n\
                 - With run_in_background the call returns an id at once: see BashOutput and KillShell.\n\
                 - Prefer Read, Edit, Write, Glob and Grep over cat, sed, echo, find and grep."
            ),
        ),
        BuiltIn::BashOutput => (
            "See a background command's output",
            "Returns what a command in the background has written since the last look, and whether it still runs. \
             filter is a regular expression: lines that do not match it are left out and not shown again."
                .into(),
        ),
        BuiltIn::KillShell => (
            "End a background command",
            "Ends a command in the background, with every process that it started, by its id.".into(),
        ),
        BuiltIn::Read => (
            "Read a file",
            "Reads a file and returns its lines with their numbers, as cat -n prints them.\n\n\
             - file_path is absolute.\n\
             - Up to 2000 lines from the beginning; offset (first line) and limit (lines) select others. \
             Lines longer than 2000 characters are cut.\n\
             - Images (PNG, JPEG, GIF, WebP) come back as images, PDFs as text by page (pages: \"1-5\", at most 20), \
             notebooks as cells with their outputs.\n\
             - A directory cannot be read: use Bash with ls."
                .into(),
        ),
        BuiltIn::Write => (
            "Write a file",
            "Writes a whole file, replacing what was there, and makes missing directories.\n\n\
             - A file that exists must have been read in this conversation before, and not have changed since.\n\
             - Prefer Edit for changes to a file."
                .into(),
        ),
        BuiltIn::Edit => (
            "Edit a file",
            "Replaces one exact piece of text in a file.\n\n\
             - The file must have been read in this conversation before.\n\
             - old_string must be exactly what the file holds, white space included, without the line numbers that \
             Read shows, and must occur once. Give more of what is around it, or set replace_all to change every occurrence.\n\
             - An empty old_string makes a new file."
                .into(),
        ),
        BuiltIn::MultiEdit => (
            "Edit a file in several places",
            "Applies several edits to one file, in order, each to what the ones before it left: all of them, or none. \
             Each edit follows the rules of Edit."
                .into(),
        ),
        BuiltIn::Glob => (
            "Find files by name",
            "Lists files whose path fits a pattern such as \"**/*.rs\" or \"src/*.{ts,tsx}\", newest first, 100 at most. \
             A pattern without a slash fits names at any depth. path is the directory to look in, the working \
             directory if it is left out."
                .into(),
        ),
        BuiltIn::Grep => (
            "Search file contents",
            "Searches files for a regular expression, with ripgrep's engine and syntax; .gitignore is honoured.\n\n\
             - output_mode: \"files_with_matches\" (default), \"content\" (lines, with -A, -B, -C, -n, -o), \"count\".\n\
             - glob (\"*.ts\") or type (\"rust\") selects files; path is where to look.\n\
             - head_limit and offset select a part of the results.\n\
             - Literal braces need a backslash. multiline lets a pattern span lines."
                .into(),
        ),
    }
}

fn schema(properties: Value, required: &[&str]) -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false
    })
}

fn input(tool: BuiltIn) -> Value {
    match tool {
        BuiltIn::Bash => schema(
            json!({
                "command": {"type": "string", "description": "The command line to run"},
                "timeout": {"type": "number", "exclusiveMinimum": 0, "maximum": 600_000, "description": "Time limit in milliseconds (default 120000)"},
                "description": {"type": "string", "description": "What the command does, in 5-10 words"},
                "run_in_background": {"type": "boolean", "description": "Return at once and let the command run on"}
            }),
            &["command"],
        ),
        BuiltIn::BashOutput => schema(
            json!({
                "bash_id": {"type": "string", "description": "The id of the background command"},
                "filter": {"type": "string", "description": "A regular expression that selects lines"}
            }),
            &["bash_id"],
        ),
        BuiltIn::KillShell => schema(
            json!({ "shell_id": {"type": "string", "description": "The id of the background command"} }),
            &["shell_id"],
        ),
        BuiltIn::Read => schema(
            json!({
                "file_path": {"type": "string", "minLength": 1, "description": "The absolute path of the file"},
                "offset": {"type": "integer", "minimum": 0, "description": "The first line to read"},
                "limit": {"type": "integer", "minimum": 1, "description": "How many lines to read"},
                "pages": {"type": "string", "description": "Pages of a PDF, such as \"1-5\" or \"3\"; at most 20"}
            }),
            &["file_path"],
        ),
        BuiltIn::Write => schema(
            json!({
                "file_path": {"type": "string", "minLength": 1, "description": "The absolute path of the file"},
                "content": {"type": "string", "description": "The whole content"}
            }),
            &["file_path", "content"],
        ),
        BuiltIn::Edit => schema(
            json!({
                "file_path": {"type": "string", "minLength": 1, "description": "The absolute path of the file"},
                "old_string": {"type": "string", "description": "The text to replace"},
                "new_string": {"type": "string", "description": "The text to put in its place; must differ"},
                "replace_all": {"type": "boolean", "default": false, "description": "Replace every occurrence"}
            }),
            &["file_path", "old_string", "new_string"],
        ),
        BuiltIn::MultiEdit => schema(
            json!({
                "file_path": {"type": "string", "minLength": 1, "description": "The absolute path of the file"},
                "edits": {
                    "type": "array",
                    "minItems": 1,
                    "description": "The edits, in the order in which they are applied",
                    "items": {
                        "type": "object",
                        "properties": {
                            "old_string": {"type": "string", "description": "The text to replace"},
                            "new_string": {"type": "string", "description": "The text to put in its place; must differ"},
                            "replace_all": {"type": "boolean", "default": false, "description": "Replace every occurrence"}
                        },
                        "required": ["old_string", "new_string"],
                        "additionalProperties": false
                    }
                }
            }),
            &["file_path", "edits"],
        ),
        BuiltIn::Glob => schema(
            json!({
                "pattern": {"type": "string", "description": "The pattern that paths must fit"},
                "path": {"type": "string", "description": "The directory to look in"}
            }),
            &["pattern"],
        ),
        BuiltIn::Grep => schema(
            json!({
                "pattern": {"type": "string", "description": "The regular expression to search for"},
                "path": {"type": "string", "description": "The file or directory to search"},
                "glob": {"type": "string", "description": "Files to search, such as \"*.js\" or \"*.{ts,tsx}\""},
                "type": {"type": "string", "description": "A file type to search, such as js, py, rust"},
                "output_mode": {"type": "string", "enum": ["content", "files_with_matches", "count"], "description": "What to return"},
                "-A": {"type": "integer", "minimum": 0, "description": "Lines after each match"},
                "-B": {"type": "integer", "minimum": 0, "description": "Lines before each match"},
                "-C": {"type": "integer", "minimum": 0, "description": "Lines before and after each match"},
                "-n": {"type": "boolean", "default": true, "description": "Show line numbers"},
                "-i": {"type": "boolean", "description": "Ignore case"},
                "-o": {"type": "boolean", "description": "Show only the matching parts"},
                "head_limit": {"type": "integer", "minimum": 0, "description": "Only the first so many lines or entries"},
                "offset": {"type": "integer", "minimum": 0, "description": "Leave out the first so many lines or entries"},
                "multiline": {"type": "boolean", "description": "Let the pattern span lines and . match line feeds"}
            }),
            &["pattern"],
        ),
    }
}

/// Only where the result is data; text is not repeated as JSON.
fn output(tool: BuiltIn) -> Option<Value> {
    let strings = json!({"type": "array", "items": {"type": "string"}});
    match tool {
        BuiltIn::BashOutput => Some(schema(
            json!({
                "status": {"type": "string", "enum": ["running", "completed", "failed", "killed"]},
                "exitCode": {"type": ["integer", "null"]},
                "output": {"type": "string"},
                "newBytes": {"type": "integer"},
                "outputFile": {"type": ["string", "null"]}
            }),
            &["status", "exitCode", "output", "newBytes", "outputFile"],
        )),
        BuiltIn::Glob => Some(schema(
            json!({"filenames": strings, "numFiles": {"type": "integer"}, "truncated": {"type": "boolean"}}),
            &["filenames", "numFiles", "truncated"],
        )),
        BuiltIn::Grep => Some(schema(
            json!({
                "mode": {"type": "string", "enum": ["content", "files_with_matches", "count"]},
                "numFiles": {"type": "integer"},
                "filenames": strings,
                "content": {"type": "string"},
                "numLines": {"type": "integer"},
                "counts": {"type": "array", "items": {"type": "integer"}},
                "numMatches": {"type": "integer"},
                "truncated": {"type": "boolean"}
            }),
            &["mode", "numFiles", "filenames", "truncated"],
        )),
        _ => None,
    }
}

fn object(value: Value) -> JsonObject {
    match value {
        Value::Object(map) => map,
        _ => JsonObject::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tool_is_listed_whole() {
        let tools = built_in(&SessionOptions::default());
        let names: Vec<&str> = tools.iter().map(|tool| tool.name.as_ref()).collect();
        assert_eq!(
            names,
            [
                "Bash",
                "BashOutput",
                "KillShell",
                "Read",
                "Write",
                "Edit",
                "MultiEdit",
                "Glob",
                "Grep"
            ]
        );
        for tool in &tools {
            assert!(
                tool.title.is_some() && tool.annotations.is_some(),
                "{}",
                tool.name
            );
            assert_eq!(
                tool.input_schema.get("additionalProperties"),
                Some(&Value::Bool(false))
            );
            let schema = Value::Object(tool.input_schema.as_ref().clone());
            assert!(jsonschema::validator_for(&schema).is_ok(), "{}", tool.name);
        }
    }
}
