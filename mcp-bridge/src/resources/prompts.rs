//! Prompts for common jobs.

use rmcp::ErrorData as McpError;
use rmcp::model::{GetPromptResult, JsonObject, Prompt, PromptArgument, PromptMessage, Role};
use serde_json::Value;

struct Job {
    name: &'static str,
    title: &'static str,
    description: &'static str,
    arguments: &'static [Argument],
    text: &'static str,
}

struct Argument {
    name: &'static str,
    description: &'static str,
    required: bool,
    is_path: bool,
}

const fn path(description: &'static str, required: bool) -> Argument {
    Argument {
        name: "path",
        description,
        required,
        is_path: true,
    }
}

/// `{name}` in a text is the argument; a line with one that was not given is left out.
const JOBS: &[Job] = &[
    Job {
        name: "explore-workspace",
        title: "Get to know the workspace",
        description: "Looks around the workspace and says what it holds",
        arguments: &[],
        text: "Look around /workspace with Glob and Bash (ls, du, file counts by extension). Read the files that \
               explain the rest, such as a README or a manifest. Then say in a short summary what is here, how it is \
               laid out, and what looks unfinished or broken. Change nothing.",
    },
    Job {
        name: "summarise-data",
        title: "Summarise a data file",
        description: "Profiles a CSV, TSV, JSON or log file",
        arguments: &[
            path("The file, relative to the workspace", true),
            Argument {
                name: "question",
                description: "What to find out",
                required: false,
                is_path: false,
            },
        ],
        text: "Profile the data file /workspace/{path}. Look at its first lines with Read, then measure it with Bash \
               (wc, cut, sort, uniq -c, awk, jq): rows, columns, types, missing values, ranges, the most frequent \
               values, and anything odd. Report figures with the command that gave each.\n\
               Answer this in particular: {question}",
    },
    Job {
        name: "review-changes",
        title: "Review a file",
        description: "Reviews a file or folder for faults",
        arguments: &[path("The file or folder, relative to the workspace", true)],
        text: "Review /workspace/{path}. Read all of it. List faults by weight, each with the line, why it is wrong, \
               and how to put it right; leave matters of taste out. Change nothing.",
    },
    Job {
        name: "find-and-replace",
        title: "Replace a text everywhere",
        description: "Replaces a text in all files, with a check before and after",
        arguments: &[
            Argument {
                name: "find",
                description: "The text to find",
                required: true,
                is_path: false,
            },
            Argument {
                name: "replace",
                description: "The text to put in its place",
                required: true,
                is_path: false,
            },
            path("Where, relative to the workspace", false),
        ],
        text: "Replace this text: {find}\nwith this text: {replace}\n\
               in the files below /workspace/{path}\n\
               First list every occurrence with Grep (-n) and say which must stay as they are. Then change the others \
               with Edit or MultiEdit, and show with Grep that none is left that should not be.",
    },
];

/// All prompts.
pub(crate) fn list() -> Vec<Prompt> {
    JOBS.iter()
        .map(|job| {
            let arguments: Vec<PromptArgument> = job
                .arguments
                .iter()
                .map(|argument| {
                    PromptArgument::new(argument.name)
                        .with_description(argument.description)
                        .with_required(argument.required)
                })
                .collect();
            let arguments = if arguments.is_empty() {
                None
            } else {
                Some(arguments)
            };
            Prompt::new(job.name, Some(job.description), arguments).with_title(job.title)
        })
        .collect()
}

/// One prompt with its arguments put in.
pub(crate) fn get(name: &str, arguments: Option<&JsonObject>) -> Result<GetPromptResult, McpError> {
    let invalid = |text: String| McpError::invalid_params(text, None);
    let job = JOBS
        .iter()
        .find(|job| job.name == name)
        .ok_or_else(|| invalid(format!("Unknown prompt: {name}")))?;
    let none = JsonObject::new();
    let given = arguments.unwrap_or(&none);
    for name in given.keys() {
        if !job.arguments.iter().any(|argument| argument.name == name) {
            return Err(invalid(format!("The prompt has no argument {name:?}")));
        }
    }
    let mut text = job.text.to_owned();
    for argument in job.arguments {
        let mark = format!("{{{}}}", argument.name);
        match given.get(argument.name) {
            Some(Value::String(value)) => text = text.replace(&mark, value),
            Some(_) => {
                return Err(invalid(format!(
                    "The argument {:?} must be a string",
                    argument.name
                )));
            }
            None if argument.required => {
                return Err(invalid(format!(
                    "The argument {:?} is missing",
                    argument.name
                )));
            }
            None if argument.is_path => text = text.replace(&mark, ""),
            None => {
                text = text
                    .lines()
                    .filter(|line| !line.contains(&mark))
                    .collect::<Vec<_>>()
                    .join("\n");
            }
        }
    }
    Ok(
        GetPromptResult::new(vec![PromptMessage::new_text(Role::User, text)])
            .with_description(job.description),
    )
}

/// Whether an argument is a path of the workspace; `None` if there is no such argument.
pub(crate) fn completes_paths(prompt: &str, argument: &str) -> Option<bool> {
    let job = JOBS.iter().find(|job| job.name == prompt)?;
    job.arguments
        .iter()
        .find(|known| known.name == argument)
        .map(|known| known.is_path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn arguments_are_put_in() {
        let given = json!({"path": "a.csv"});
        let text = |given: &Value, name: &str| {
            get(name, given.as_object())
                .map(|result| format!("{:?}", result.messages))
                .map_err(|error| error.message.to_string())
        };
        let got = text(&given, "summarise-data").unwrap_or_default();
        assert!(
            got.contains("/workspace/a.csv") && !got.contains("in particular"),
            "{got}"
        );
        assert_eq!(
            text(&json!({}), "summarise-data"),
            Err("The argument \"path\" is missing".into())
        );
        assert_eq!(
            text(&json!({"path": 1}), "summarise-data"),
            Err("The argument \"path\" must be a string".into())
        );
        assert_eq!(
            text(&json!({"x": ""}), "explore-workspace"),
            Err("The prompt has no argument \"x\"".into())
        );
        assert_eq!(text(&json!({}), "nope"), Err("Unknown prompt: nope".into()));
    }
}
