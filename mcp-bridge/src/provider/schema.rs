//! Schemas of tool authors: bounded before they are compiled, local only.

use jsonschema::{Draft, Validator};
use serde_json::Value;

/// The longest schema, bytes of JSON.
const BYTES_MAX: usize = 64 << 10;
/// The deepest nesting.
const DEPTH_MAX: usize = 32;
/// Faults of an input that are named.
const FAULTS_MAX: usize = 10;

/// Whether a schema may be used. The text says why not.
pub(crate) fn check(schema: &Value) -> Result<(), String> {
    bounds(schema, 0)?;
    let bytes = serde_json::to_vec(schema)
        .map(|bytes| bytes.len())
        .unwrap_or(usize::MAX);
    if bytes > BYTES_MAX {
        return Err(format!(
            "has {bytes} bytes, at most {BYTES_MAX} are allowed"
        ));
    }
    compile(schema).map(|_| ())
}

/// A schema that is ready to judge inputs.
pub(crate) fn compile(schema: &Value) -> Result<Validator, String> {
    jsonschema::options()
        .with_draft(Draft::Draft202012)
        .with_pattern_options(jsonschema::PatternOptions::regex().size_limit(1 << 20))
        .build(schema)
        .map_err(|error| format!("is not a valid JSON Schema: {error}"))
}

/// Names what is wrong with an input.
pub(crate) fn faults(tool: &str, validator: &Validator, input: &Value) -> Result<(), String> {
    let mut faults: Vec<String> = Vec::new();
    for error in validator.iter_errors(input).take(FAULTS_MAX) {
        let at = error.instance_path().to_string();
        let place = if at.is_empty() {
            String::new()
        } else {
            format!("{at}: ")
        };
        let text: String = error.to_string().chars().take(400).collect();
        faults.push(format!("{place}{text}"));
    }
    if faults.is_empty() {
        return Ok(());
    }
    let noun = if faults.len() == 1 { "issue" } else { "issues" };
    Err(format!(
        "InputValidationError: {tool} failed due to the following {noun}:\n{}",
        faults.join("\n")
    ))
}

/// Refuses what nests too deep, and references that lead out of the schema or in a circle
/// without end.
fn bounds(value: &Value, depth: usize) -> Result<(), String> {
    if depth > DEPTH_MAX {
        return Err(format!("nests deeper than {DEPTH_MAX} levels"));
    }
    match value {
        Value::Object(map) => {
            for key in ["$ref", "$dynamicRef", "$recursiveRef"] {
                if let Some(Value::String(target)) = map.get(key)
                    && !target.starts_with('#')
                {
                    return Err(format!(
                        "refers to {target:?}, which is not in the schema itself"
                    ));
                }
            }
            map.values().try_for_each(|value| bounds(value, depth + 1))
        }
        Value::Array(items) => items.iter().try_for_each(|value| bounds(value, depth + 1)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn bombs_are_refused() {
        let mut deep = json!({});
        for _ in 0..100 {
            deep = json!({ "properties": { "a": deep } });
        }
        let wide: Value = (0..10_000)
            .map(|n| (n.to_string(), json!({"type": "string"})))
            .collect();
        for (schema, expected) in [
            (deep, "nests deeper than 32 levels"),
            (json!({ "properties": wide }), "has "),
            (
                json!({"$ref": "https://example.com/schema.json"}),
                "refers to \"https://example.com/schema.json\"",
            ),
            (json!({"$ref": "file:///etc/passwd"}), "refers to"),
            (json!({"type": "nothing"}), "is not a valid JSON Schema"),
            (json!({"pattern": "("}), "is not a valid JSON Schema"),
        ] {
            let error = check(&schema).err().unwrap_or_default();
            assert!(error.starts_with(expected), "{error}");
        }
        assert_eq!(
            check(
                &json!({"type": "object", "$defs": {"a": {}}, "properties": {"x": {"$ref": "#/$defs/a"}}})
            ),
            Ok(())
        );
    }

    #[test]
    fn an_exploding_reference_is_bounded_in_time() {
        // Each level refers to the next twice: 2^24 paths if they were all walked.
        let mut defs = serde_json::Map::new();
        for n in 0..24 {
            let next = format!("#/$defs/d{}", n + 1);
            defs.insert(
                format!("d{n}"),
                json!({"allOf": [{"$ref": next}, {"$ref": next}]}),
            );
        }
        defs.insert("d24".into(), json!({"type": "string"}));
        let schema =
            json!({"$defs": defs, "type": "object", "properties": {"x": {"$ref": "#/$defs/d20"}}});
        let start = std::time::Instant::now();
        if let Ok(validator) = check(&schema).and_then(|()| compile(&schema)) {
            let _ = faults("t", &validator, &json!({"x": 1}));
        }
        assert!(start.elapsed().as_secs() < 5, "{:?}", start.elapsed());
    }

    #[test]
    fn faults_are_named() {
        let schema = json!({"type": "object", "properties": {"n": {"type": "integer"}, "path": {}}, "required": ["path"], "additionalProperties": false});
        let validator = match compile(&schema) {
            Ok(validator) => validator,
            Err(error) => return assert_eq!(error, ""),
        };
        assert_eq!(faults("t", &validator, &json!({"path": "a"})), Ok(()));
        let error = faults("t", &validator, &json!({"n": "x", "y": 1}))
            .err()
            .unwrap_or_default();
        assert!(
            error.starts_with("InputValidationError: t failed due to the following issues:\n"),
            "{error}"
        );
        assert!(
            error.contains("/n: \"x\" is not of type \"integer\""),
            "{error}"
        );
    }
}
