//! What a script can see of a request.

use crate::script::When;
use regex::Regex;
use serde_json::Value;

/// A request's body, looked at through the questions that conditions and placeholders ask.
pub(crate) struct View<'a> {
    body: &'a Value,
}

impl<'a> View<'a> {
    pub(crate) fn new(body: &'a Value) -> Self {
        Self { body }
    }

    fn messages(&self) -> &'a [Value] {
        self.body
            .get("messages")
            .and_then(Value::as_array)
            .map_or(&[], Vec::as_slice)
    }

    /// The blocks of a message; a plain string counts as one text block.
    fn blocks(message: &'a Value) -> Vec<(&'a str, &'a Value)> {
        match message.get("content") {
            Some(text @ Value::String(_)) => vec![("text", text)],
            Some(Value::Array(blocks)) => blocks
                .iter()
                .map(|block| {
                    (
                        block.get("type").and_then(Value::as_str).unwrap_or(""),
                        block,
                    )
                })
                .collect(),
            _ => Vec::new(),
        }
    }

    /// The last text of the user that is not a reminder put there by the client.
    pub(crate) fn last_user_text(&self) -> Option<&'a str> {
        self.messages()
            .iter()
            .rev()
            .filter(|message| role(message) == "user")
            .find_map(|message| {
                Self::blocks(message)
                    .into_iter()
                    .rev()
                    .filter(|(kind, _)| *kind == "text")
                    .filter_map(|(_, block)| text_of_block(block))
                    .find(|text| !text.trim_start().starts_with("<system-reminder>"))
            })
    }

    /// The results that the last message brings, in order, with the id each answers.
    fn last_results(&self) -> Vec<(&'a str, &'a Value)> {
        let Some(last) = self.messages().last() else {
            return Vec::new();
        };
        results(last)
    }

    /// The text of the last result that the last message brings.
    pub(crate) fn last_tool_result(&self) -> Option<String> {
        self.last_results()
            .last()
            .map(|(_, block)| result_text(block))
    }

    /// The text of the result of the latest tool use with this label.
    pub(crate) fn labelled_result(&self, label: &str) -> Option<String> {
        let all: Vec<(&str, &Value)> = self.messages().iter().flat_map(results).collect();
        all.into_iter()
            .rev()
            .find(|(id, _)| label_of_id(id) == Some(label))
            .map(|(_, block)| result_text(block))
    }

    /// Whether every condition holds.
    pub(crate) fn holds(&self, when: &When) -> bool {
        let matches = |pattern: &Option<String>, text: &dyn Fn() -> Option<String>| match pattern {
            None => true,
            // The pattern was checked when the script was taken.
            Some(pattern) => Regex::new(pattern)
                .is_ok_and(|regex| text().is_some_and(|text| regex.is_match(&text))),
        };
        matches(&when.last_user_text, &|| {
            self.last_user_text().map(str::to_owned)
        }) && matches(&when.last_tool_result, &|| self.last_tool_result())
            && matches(&when.anywhere, &|| Some(self.all_text()))
            && matches(&when.system, &|| self.body.get("system").map(flat_text))
            && matches(&when.model, &|| {
                self.body
                    .get("model")
                    .and_then(Value::as_str)
                    .map(str::to_owned)
            })
            && when
                .after_tool
                .is_none_or(|wanted| wanted != self.last_results().is_empty())
            && when
                .has_tools
                .is_none_or(|wanted| wanted == self.has_tools())
    }

    fn has_tools(&self) -> bool {
        self.body
            .get("tools")
            .and_then(Value::as_array)
            .is_some_and(|tools| !tools.is_empty())
    }

    fn all_text(&self) -> String {
        self.messages()
            .iter()
            .map(flat_text)
            .collect::<Vec<_>>()
            .join("\n")
    }

    /// What is wrong with a request by the rules of the Messages API that matter to a transcript:
    /// every tool use is answered in the next message, and every result answers one.
    pub(crate) fn problem(&self) -> Option<String> {
        if self.body.get("model").and_then(Value::as_str).is_none() {
            return Some("model: Field required".to_owned());
        }
        if self.messages().is_empty() {
            return Some("messages: at least one message is required".to_owned());
        }
        let mut open: Vec<&str> = Vec::new();
        for (index, message) in self.messages().iter().enumerate() {
            let answered: Vec<&str> = results(message).into_iter().map(|(id, _)| id).collect();
            if let Some(id) = answered.iter().find(|id| !open.contains(*id)) {
                return Some(format!(
                    "messages.{index}: tool_result for {id}, which no tool_use of the message before has"
                ));
            }
            if let Some(id) = open.iter().find(|id| !answered.contains(*id)) {
                return Some(format!(
                    "messages.{index}: tool_use {id} has no tool_result right after it"
                ));
            }
            open = Self::blocks(message)
                .into_iter()
                .filter(|(kind, _)| *kind == "tool_use")
                .filter_map(|(_, block)| block.get("id").and_then(Value::as_str))
                .collect();
        }
        open.first()
            .map(|id| format!("messages: tool_use {id} has no tool_result"))
    }
}

/// Tool use ids carry their label, so that a result can be found by it in any later request.
pub(crate) fn id_with_label(unique: &str, label: Option<&str>) -> String {
    match label {
        Some(label) => format!("toolu_{unique}_{label}"),
        None => format!("toolu_{unique}"),
    }
}

fn label_of_id(id: &str) -> Option<&str> {
    id.strip_prefix("toolu_")?
        .split_once('_')
        .map(|(_, label)| label)
}

fn role(message: &Value) -> &str {
    message.get("role").and_then(Value::as_str).unwrap_or("")
}

fn results(message: &Value) -> Vec<(&str, &Value)> {
    View::blocks(message)
        .into_iter()
        .filter(|(kind, _)| *kind == "tool_result")
        .filter_map(|(_, block)| Some((block.get("tool_use_id")?.as_str()?, block)))
        .collect()
}

fn text_of_block(block: &Value) -> Option<&str> {
    block
        .as_str()
        .or_else(|| block.get("text").and_then(Value::as_str))
}

fn result_text(block: &Value) -> String {
    match block.get("content") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => parts
            .iter()
            .filter_map(text_of_block)
            .collect::<Vec<_>>()
            .join("\n"),
        _ => String::new(),
    }
}

/// Every string inside a value, one a line.
fn flat_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(flat_text).collect::<Vec<_>>().join("\n"),
        Value::Object(fields) => fields
            .values()
            .map(flat_text)
            .collect::<Vec<_>>()
            .join("\n"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn when(value: Value) -> When {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn conditions_hold_or_not() {
        let body = json!({
        "model": "claude-x", "system": [{"type": "text", "text": "be brief"}],
        "messages": [
            {"role": "user", "content": [
                {"type": "text", "text": "count the words"},
                {"type": "text", "text": "<system-reminder>today</system-reminder>"}]},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1_wc", "name": "Bash", "input": {"command": "wc"}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1_wc", "content": [{"type": "text", "text": "42 words"}]}]}
        ]});
        let view = View::new(&body);
        for (condition, holds) in [
            (json!({}), true),
            (json!({"last_user_text": "^count"}), true),
            (json!({"last_user_text": "today"}), false),
            (json!({"last_tool_result": "^42"}), true),
            (json!({"last_tool_result": "43"}), false),
            (json!({"after_tool": true}), true),
            (json!({"after_tool": false}), false),
            (json!({"anywhere": "^wc$|wc"}), true),
            (json!({"system": "brief"}), true),
            (json!({"model": "claude-y"}), false),
            (json!({"has_tools": true}), false),
            (
                json!({"last_user_text": "count", "last_tool_result": "nothing"}),
                false,
            ),
        ] {
            assert_eq!(view.holds(&when(condition.clone())), holds, "{condition}");
        }
        assert_eq!(view.labelled_result("wc").as_deref(), Some("42 words"));
        assert_eq!(view.labelled_result("other"), None);
        assert_eq!(view.problem(), None);
    }

    #[test]
    fn broken_transcripts_are_named() {
        let user = json!({"role": "user", "content": "x"});
        let call = json!({"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "B", "input": {}}]});
        let result = json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": "y"}]});
        for (messages, fragment) in [
            (json!([]), "at least one"),
            (json!([user, call]), "has no tool_result"),
            (json!([user, call, user]), "right after"),
            (json!([user, result]), "no tool_use"),
            (json!([user, call, result, result]), "no tool_use"),
        ] {
            let body = json!({"model": "m", "messages": messages});
            let problem = View::new(&body).problem().unwrap();
            assert!(problem.contains(fragment), "{problem}");
        }
    }
}
