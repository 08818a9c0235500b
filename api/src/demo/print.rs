//! The stream as a person would like to read it.

use std::io::Write as _;

use serde_json::Value;

use super::client::Event;

const BOLD: &str = "\x1b[1m";
const DIM: &str = "\x1b[2m";
const CYAN: &str = "\x1b[36m";
const RED: &str = "\x1b[31m";
const GREEN: &str = "\x1b[32m";
const END: &str = "\x1b[0m";

/// Lines of a tool's result that are shown.
const RESULT_LINES: usize = 12;

/// Prints events. Colours go away by themselves when stdout is no terminal.
pub(super) struct Printer {
    json: bool,
    out: anstream::AutoStream<std::io::Stdout>,
    /// Text has been begun that no whole text event has followed yet.
    partial: bool,
}

impl Printer {
    pub(super) fn new(json: bool) -> Self {
        Printer {
            json,
            out: anstream::AutoStream::auto(std::io::stdout()),
            partial: false,
        }
    }

    /// A remark of the demo itself.
    pub(super) fn note(&mut self, text: &str) {
        if self.json {
            anstream::eprintln!("{text}");
        } else {
            self.line(&format!("{DIM}{text}{END}"));
        }
    }

    /// What is sent.
    pub(super) fn request(&mut self, body: &Value) {
        if self.json {
            return;
        }
        self.line(&format!("\n{BOLD}POST /execute{END}"));
        let prompt = body
            .get("prompt")
            .and_then(Value::as_str)
            .unwrap_or_default();
        self.indented("you ", prompt, DIM);
    }

    /// One event.
    pub(super) fn event(&mut self, event: &Event) {
        if self.json {
            let line =
                serde_json::json!({ "id": event.id, "event": event.name, "data": event.data });
            let _ = writeln!(self.out, "{line}");
            return;
        }
        let text = |key: &str| {
            event
                .data
                .get(key)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        match event.name.as_str() {
            "session_start" => {
                let tools = event
                    .data
                    .get("tools")
                    .and_then(Value::as_array)
                    .map_or(0, Vec::len);
                self.line(&format!(
                    "{DIM}run {} · model {} · agent {} · {tools} tools{END}",
                    text("execution"),
                    text("model"),
                    text("agent_version"),
                ));
            }
            "text_delta" => {
                if !self.partial {
                    let _ = write!(self.out, "{GREEN}agent{END}  ");
                    self.partial = true;
                }
                let _ = write!(self.out, "{}", text("text").replace('\n', "\n       "));
                let _ = self.out.flush();
            }
            "text" if self.partial => {
                self.partial = false;
                self.line("");
            }
            "text" => self.indented(&format!("{GREEN}agent{END}"), text("text"), ""),
            "thinking" => self.indented("     ", &format!("({})", text("text").trim()), DIM),
            "tool_use" => {
                let input = event.data.get("input").unwrap_or(&Value::Null);
                self.line(&format!(
                    "{CYAN}tool{END}   {BOLD}{}{END}  {}",
                    text("name"),
                    summary(input)
                ));
            }
            "tool_result" => self.result(&event.data),
            "discard" => {
                self.partial = false;
                self.line(&format!("\n{DIM}       (taken back){END}"));
            }
            "retry" => self.line(&format!(
                "{DIM}       (the model is asked again: {}){END}",
                text("reason")
            )),
            "usage" => {
                let number = |key: &str| event.data.get(key).and_then(Value::as_u64).unwrap_or(0);
                self.line(&format!(
                    "{DIM}{} tokens in, {} out, {} requests to the model{END}",
                    number("input_tokens"),
                    number("output_tokens"),
                    number("requests"),
                ));
            }
            "error" => self.line(&format!(
                "{RED}error{END}  {}: {}",
                text("code"),
                text("message")
            )),
            "done" => self.line(&format!("{BOLD}{}{END}", text("state"))),
            _ => {}
        }
    }

    fn result(&mut self, data: &Value) {
        let failed = data
            .get("is_error")
            .and_then(Value::as_bool)
            .unwrap_or(false);
        let blocks = data
            .get("content")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        let text: Vec<&str> = blocks
            .iter()
            .filter_map(|b| b.get("text").and_then(Value::as_str))
            .collect();
        let text = text.join("\n");
        let total = text.lines().count();
        for line in text.lines().take(RESULT_LINES) {
            let colour = if failed { RED } else { "" };
            let end = if failed { END } else { "" };
            self.line(&format!("       {DIM}│{END} {colour}{}{end}", plain(line)));
        }
        if total > RESULT_LINES {
            self.line(&format!(
                "       {DIM}│ … {} more lines{END}",
                total - RESULT_LINES
            ));
        }
    }

    /// The registered files.
    pub(super) fn files(&mut self, conversation: &str, files: &Value) {
        if self.json {
            let _ = writeln!(self.out, "{files}");
            return;
        }
        self.line(&format!(
            "\n{BOLD}GET /conversations/{conversation}/files{END}"
        ));
        for file in files
            .get("items")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            let text = |key: &str| file.get(key).and_then(Value::as_str).unwrap_or_default();
            let digest: String = text("digest").chars().take(12).collect();
            let size = file.get("size").and_then(Value::as_u64).unwrap_or(0);
            self.line(&format!(
                "       {:<14} {size:>6} bytes  made by {:<4}  {DIM}{digest}{END}",
                plain(text("path")),
                text("origin")
            ));
        }
    }

    /// The conversation as it stands at the end.
    pub(super) fn end(&mut self, conversation: &Value) {
        if self.json {
            let _ = writeln!(self.out, "{conversation}");
            return;
        }
        let messages = conversation
            .pointer("/messages/items")
            .and_then(Value::as_array)
            .map_or(0, Vec::len);
        let requests = conversation
            .pointer("/usage/requests")
            .and_then(Value::as_u64)
            .unwrap_or(0);
        self.line(&format!(
            "\n{DIM}The conversation has {messages} messages and took {requests} requests to the model.{END}"
        ));
    }

    fn indented(&mut self, head: &str, text: &str, colour: &str) {
        let text = wrap(&plain(text), 88).join("\n       ");
        let end = if colour.is_empty() { "" } else { END };
        self.line(&format!("{head}  {colour}{text}{end}"));
    }

    fn line(&mut self, text: &str) {
        if self.partial && !text.is_empty() {
            let _ = writeln!(self.out);
            self.partial = false;
        }
        let _ = writeln!(self.out, "{text}");
    }
}

/// The arguments of a tool on one line.
fn summary(input: &Value) -> String {
    let Some(map) = input.as_object() else {
        return String::new();
    };
    let parts: Vec<String> = map
        .iter()
        .filter(|(key, _)| *key != "description")
        .map(|(key, value)| {
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            let text = plain(&text.replace('\n', "⏎"));
            match key.as_str() {
                "command" | "file_path" => text,
                _ => format!("{key}={text}"),
            }
        })
        .collect();
    let line = parts.join("  ");
    match line.char_indices().nth(100) {
        Some((at, _)) => format!("{}…", line.get(..at).unwrap_or(&line)),
        None => line,
    }
}

/// Without control characters: what a tool printed must not play with the terminal.
fn plain(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control() || *c == '\n' || *c == '\t')
        .collect()
}

fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        for word in paragraph.split(' ') {
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_for_people() {
        assert_eq!(wrap("a bb ccc", 4), ["a bb", "ccc"]);
        assert_eq!(plain("a\x1b[2Jb"), "a[2Jb");
        let input = serde_json::json!({"command": "ls\npwd", "timeout": 5, "description": "x"});
        assert_eq!(summary(&input), "ls⏎pwd  timeout=5");
    }
}
