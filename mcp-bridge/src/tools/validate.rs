//! Arguments against a built-in tool's schema, with errors in the words that models know.
//!
//! Covers what the built-in schemas use and no more; a tool author's schema goes through
//! a complete validator.

use rmcp::model::JsonObject;
use serde_json::Value;

/// Faults that one answer names.
const FAULTS_MAX: usize = 10;
/// Characters of a wrong name that are repeated.
const NAME_CHARS: usize = 80;

/// Checks all arguments and names every fault.
pub(crate) fn check(tool: &str, schema: &JsonObject, arguments: &JsonObject) -> Result<(), String> {
    let mut faults = Vec::new();
    object("", schema, arguments, &mut faults);
    if faults.is_empty() {
        return Ok(());
    }
    let noun = if faults.len() == 1 { "issue" } else { "issues" };
    let more = faults.len().saturating_sub(FAULTS_MAX);
    faults.truncate(FAULTS_MAX);
    if more > 0 {
        faults.push(format!("and {more} more"));
    }
    Err(format!(
        "InputValidationError: {tool} failed due to the following {noun}:\n{}",
        faults.join("\n")
    ))
}

fn object(at: &str, schema: &JsonObject, given: &JsonObject, faults: &mut Vec<String>) {
    let none = JsonObject::new();
    let properties = schema
        .get("properties")
        .and_then(Value::as_object)
        .unwrap_or(&none);
    let required = schema
        .get("required")
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    for name in required.iter().filter_map(Value::as_str) {
        if given.get(name).is_none_or(Value::is_null) {
            faults.push(format!("The required parameter `{at}{name}` is missing"));
        }
    }
    for (name, value) in given {
        match properties.get(name).and_then(Value::as_object) {
            None => {
                let name: String = name.chars().take(NAME_CHARS).collect();
                faults.push(format!("An unexpected parameter `{at}{name}` was provided"));
            }
            // Left out and null mean the same.
            Some(_) if value.is_null() => {}
            Some(schema) => parameter(&format!("{at}{name}"), schema, value, faults),
        }
    }
}

fn parameter(name: &str, schema: &JsonObject, value: &Value, faults: &mut Vec<String>) {
    let wanted = schema
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let fits = match wanted {
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "number" | "integer" => value.is_number(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => true,
    };
    if !fits {
        let wanted = if wanted == "integer" {
            "number"
        } else {
            wanted
        };
        faults.push(format!(
            "The parameter `{name}` type is expected as `{wanted}` but provided as `{}`",
            type_name(value)
        ));
        return;
    }
    if let Some(allowed) = schema.get("enum").and_then(Value::as_array)
        && !allowed.contains(value)
    {
        let names: Vec<String> = allowed.iter().map(Value::to_string).collect();
        faults.push(format!(
            "The parameter `{name}` must be one of {}",
            names.join(", ")
        ));
    }
    if value.as_str().is_some_and(str::is_empty) && schema.contains_key("minLength") {
        faults.push(format!("The parameter `{name}` must not be empty"));
    }
    if let Some(number) = value.as_f64() {
        number_in_range(name, schema, wanted, number, faults);
    }
    if let Some(items) = value.as_array() {
        if items.is_empty() && schema.contains_key("minItems") {
            faults.push(format!(
                "The parameter `{name}` must hold at least one element"
            ));
        }
        let Some(schema) = schema.get("items").and_then(Value::as_object) else {
            return;
        };
        for (index, item) in items.iter().enumerate() {
            match item.as_object() {
                Some(item) => object(&format!("{name}[{index}]."), schema, item, faults),
                None => parameter(&format!("{name}[{index}]"), schema, item, faults),
            }
        }
    }
}

fn number_in_range(
    name: &str,
    schema: &JsonObject,
    wanted: &str,
    number: f64,
    faults: &mut Vec<String>,
) {
    let bound = |key: &str| schema.get(key).and_then(Value::as_f64);
    if wanted == "integer" && number.fract() != 0.0 {
        faults.push(format!(
            "The parameter `{name}` must be a whole number, not {number}"
        ));
    }
    if let Some(least) = bound("minimum").filter(|least| number < *least) {
        faults.push(format!(
            "The parameter `{name}` must be at least {least}, not {number}"
        ));
    }
    if let Some(least) = bound("exclusiveMinimum").filter(|least| number <= *least) {
        faults.push(format!(
            "The parameter `{name}` must be more than {least}, not {number}"
        ));
    }
    if let Some(most) = bound("maximum").filter(|most| number > *most) {
        faults.push(format!(
            "The parameter `{name}` must be at most {most}, not {number}"
        ));
    }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::{BuiltIn, catalogue};
    use serde_json::json;

    #[test]
    fn faults_are_named() {
        for (tool, given, expected) in [
            (
                BuiltIn::Bash,
                json!({"command": "ls", "timeout": 1500.5, "description": null}),
                "",
            ),
            (
                BuiltIn::Bash,
                json!({}),
                "The required parameter `command` is missing",
            ),
            (
                BuiltIn::Bash,
                json!({"command": "a", "timeout": 600_001}),
                "The parameter `timeout` must be at most 600000, not 600001",
            ),
            (
                BuiltIn::Bash,
                json!({"command": "a", "timeout": 0}),
                "The parameter `timeout` must be more than 0, not 0",
            ),
            (
                BuiltIn::Read,
                json!({"file_path": "", "limit": 0, "offset": 1.5, "x": 1}),
                "The parameter `file_path` must not be empty\n\
                 The parameter `limit` must be at least 1, not 0\n\
                 The parameter `offset` must be a whole number, not 1.5\n\
                 An unexpected parameter `x` was provided",
            ),
            (
                BuiltIn::Edit,
                json!({"file_path": 1, "old_string": "a", "new_string": "b", "replace_all": "yes"}),
                "The parameter `file_path` type is expected as `string` but provided as `number`\n\
                 The parameter `replace_all` type is expected as `boolean` but provided as `string`",
            ),
            (
                BuiltIn::MultiEdit,
                json!({"file_path": "/a", "edits": []}),
                "The parameter `edits` must hold at least one element",
            ),
            (
                BuiltIn::MultiEdit,
                json!({"file_path": "/a", "edits": [{"old_string": "a", "new": "b"}, 3]}),
                "The required parameter `edits[0].new_string` is missing\n\
                 An unexpected parameter `edits[0].new` was provided\n\
                 The parameter `edits[1]` type is expected as `object` but provided as `number`",
            ),
            (
                BuiltIn::Grep,
                json!({"pattern": "a", "output_mode": "lines"}),
                "The parameter `output_mode` must be one of \"content\", \"files_with_matches\", \"count\"",
            ),
        ] {
            let arguments = given.as_object().cloned().unwrap_or_default();
            let got = check("T", catalogue::input_schema(tool), &arguments);
            let got = got.err().unwrap_or_default();
            let got = got.split_once(":\n").map_or("", |(_, faults)| faults);
            assert_eq!(got, expected, "{given}");
        }
    }

    #[test]
    fn many_faults_are_counted() {
        let arguments: JsonObject = (0..5000).map(|n| (format!("p{n}"), json!(1))).collect();
        let error = check("Bash", catalogue::input_schema(BuiltIn::Bash), &arguments)
            .err()
            .unwrap_or_default();
        assert!(
            error.lines().count() < 20 && error.ends_with("and 4991 more"),
            "{error}"
        );
    }
}
