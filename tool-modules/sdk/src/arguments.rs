//! A tool on the command line: flags after its schema's properties.

use serde_json::{Map, Value};

struct Property<'a> {
    name: &'a str,
    description: &'a str,
    schema: &'a Value,
    required: bool,
}

fn properties(manifest: &Value) -> Vec<Property<'_>> {
    let schema = &manifest["input_schema"];
    let required: Vec<&str> = schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    schema["properties"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, schema)| Property {
            name,
            description: schema["description"].as_str().unwrap_or_default(),
            // What may be left out is itself or null.
            schema: schema.pointer("/anyOf/0").unwrap_or(schema),
            required: required.contains(&name.as_str()),
        })
        .collect()
}

/// The input that the words mean: `--name value`, `--name=value`, `--flag`, and values
/// alone for the required properties in their order.
pub(crate) fn parse(manifest: &str, words: &[String]) -> Result<Value, String> {
    let manifest: Value = serde_json::from_str(manifest).map_err(|error| error.to_string())?;
    let properties = properties(&manifest);
    let mut input = Map::new();
    let mut words = words.iter();
    let mut plain = false;
    while let Some(word) = words.next() {
        if word == "--" && !plain {
            plain = true;
            continue;
        }
        let flag = word.strip_prefix("--").filter(|_| !plain);
        let Some(flag) = flag else {
            let property = properties
                .iter()
                .find(|property| {
                    property.required
                        && (!input.contains_key(property.name) || kind(property) == "array")
                })
                .ok_or_else(|| format!("unexpected argument {word:?}"))?;
            put(&mut input, property, word)?;
            continue;
        };
        let (name, given) = flag
            .split_once('=')
            .map_or((flag, None), |(name, value)| (name, Some(value)));
        let property = properties
            .iter()
            .find(|property| property.name == name || property.name.replace('_', "-") == name)
            .ok_or_else(|| format!("unknown option --{name}"))?;
        match given {
            Some(value) => put(&mut input, property, value)?,
            None if kind(property) == "boolean" => {
                drop(input.insert(property.name.to_owned(), Value::Bool(true)))
            }
            None => {
                let value = words
                    .next()
                    .ok_or_else(|| format!("--{name} needs a value"))?;
                put(&mut input, property, value)?;
            }
        }
    }
    Ok(Value::Object(input))
}

fn kind<'a>(property: &'a Property<'_>) -> &'a str {
    property.schema["type"].as_str().unwrap_or_default()
}

fn put(input: &mut Map<String, Value>, property: &Property<'_>, word: &str) -> Result<(), String> {
    let of_kind = |kind: &str| match kind {
        "string" => Ok(Value::String(word.to_owned())),
        _ => serde_json::from_str(word)
            .map_err(|_| format!("{}: {word:?} is no {kind}", property.name)),
    };
    let value = match kind(property) {
        "array" => {
            let element = of_kind(
                property.schema["items"]["type"]
                    .as_str()
                    .unwrap_or("string"),
            )?;
            match input.get_mut(property.name) {
                Some(Value::Array(list)) => {
                    list.push(element);
                    return Ok(());
                }
                _ => Value::Array(vec![element]),
            }
        }
        "" => serde_json::from_str(word).unwrap_or_else(|_| Value::String(word.to_owned())),
        kind => of_kind(kind)?,
    };
    input.insert(property.name.to_owned(), value);
    Ok(())
}

/// What `--help` prints.
pub(crate) fn help(manifest: &str) -> String {
    let manifest: Value = serde_json::from_str(manifest).unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let name = text(&manifest["name"]);
    let mut usage = format!("Usage: {name}");
    let mut lines = String::new();
    for property in properties(&manifest) {
        let flag = property.name.replace('_', "-");
        let value = if kind(&property) == "boolean" {
            String::new()
        } else {
            format!(" <{}>", kind(&property))
        };
        usage.push_str(&if property.required {
            format!(" --{flag}{value}")
        } else {
            format!(" [--{flag}{value}]")
        });
        lines.push_str(&format!(
            "\n  --{flag}{value}\n      {}",
            property.description
        ));
    }
    format!(
        "{}\n\n{usage}\n{lines}\n\nWithout arguments, the input is read as JSON from standard input.",
        text(&manifest["description"])
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn words_become_input() {
        let manifest = json!({"name": "t", "description": "d", "input_schema": {
            "properties": {
                "path": {"type": "string"}, "rows": {"type": "integer"}, "quiet": {"type": "boolean"},
                "max_size": {"anyOf": [{"type": "number"}, {"type": "null"}]}, "tag": {"type": "array", "items": {"type": "string"}}
            },
            "required": ["path"]
        }})
        .to_string();
        let parse = |line: &str| {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            parse(&manifest, &words)
        };
        for (line, expected) in [
            ("a.csv", Ok(json!({"path": "a.csv"}))),
            (
                "--path=a --rows 5 --quiet",
                Ok(json!({"path": "a", "rows": 5, "quiet": true})),
            ),
            (
                "--max-size 1.5 -- --odd",
                Ok(json!({"max_size": 1.5, "path": "--odd"})),
            ),
            (
                "a --tag x --tag y",
                Ok(json!({"path": "a", "tag": ["x", "y"]})),
            ),
            ("a b", Err("unexpected argument \"b\"".to_owned())),
            (
                "--rows many",
                Err("rows: \"many\" is no integer".to_owned()),
            ),
            ("--color", Err("unknown option --color".to_owned())),
            ("--rows", Err("--rows needs a value".to_owned())),
        ] {
            assert_eq!(parse(line), expected, "{line}");
        }
        assert!(help(&manifest).contains("Usage: t --path <string> [--rows <integer>]"));
    }
}
