//! Placeholders in what the model says.

use crate::view::View;
use regex::Regex;
use serde_json::Value;

/// Fills the placeholders of one text. One that refers to nothing stays as it is, so that a test
/// sees it.
pub(crate) fn text(template: &str, view: &View<'_>) -> String {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        out.push_str(before);
        let Some((inside, tail)) = after.split_once("}}") else {
            out.push_str("{{");
            rest = after;
            continue;
        };
        match resolve(inside, view) {
            Some(value) => out.push_str(&value),
            None => {
                out.push_str("{{");
                out.push_str(inside);
                out.push_str("}}");
            }
        }
        rest = tail;
    }
    out.push_str(rest);
    out
}

/// Fills every string inside a value.
pub(crate) fn value(template: &Value, view: &View<'_>) -> Value {
    match template {
        Value::String(template) => Value::String(text(template, view)),
        Value::Array(items) => Value::Array(items.iter().map(|item| value(item, view)).collect()),
        Value::Object(fields) => Value::Object(
            fields
                .iter()
                .map(|(key, field)| (key.clone(), value(field, view)))
                .collect(),
        ),
        other => other.clone(),
    }
}

fn resolve(inside: &str, view: &View<'_>) -> Option<String> {
    let (name, pattern) = match inside.split_once('~') {
        Some((name, pattern)) => (name.trim(), Some(pattern.trim())),
        None => (inside.trim(), None),
    };
    let found = match name {
        "result" => view.last_tool_result()?,
        "user" => view.last_user_text()?.to_owned(),
        _ => view.labelled_result(name.strip_prefix("result:")?.trim())?,
    };
    let Some(pattern) = pattern else {
        return Some(found);
    };
    let captures = Regex::new(pattern).ok()?.captures(&found)?;
    Some(
        captures
            .get(1)
            .or_else(|| captures.get(0))?
            .as_str()
            .to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn placeholders_are_filled_or_left() {
        let body = json!({"messages": [
            {"role": "user", "content": "hello"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_9_job", "name": "B", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_9_job", "content": "id: b-7 started"}]}
        ]});
        let view = View::new(&body);
        for (template, filled) in [
            ("plain", "plain"),
            ("{{user}}!", "hello!"),
            ("<{{result}}>", "<id: b-7 started>"),
            ("{{ result:job ~ id: (\\S+) }}", "b-7"),
            ("{{result ~ started}}", "started"),
            ("{{result:none}} {{x}} {{", "{{result:none}} {{x}} {{"),
        ] {
            assert_eq!(text(template, &view), filled, "{template}");
        }
        assert_eq!(
            value(&json!({"a": ["{{user}}", 1]}), &view),
            json!({"a": ["hello", 1]})
        );
    }
}
