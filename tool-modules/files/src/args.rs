//! The arguments of a call, checked before anything is touched.

use crate::answer::ToolError;
use serde_json::{Map, Value};

/// The type that a parameter must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A string.
    String,
    /// A whole number that is at least this.
    Integer(u64),
    /// `true` or `false`.
    Boolean,
    /// An array, checked further by its tool.
    Array,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::String => "string",
            Kind::Integer(_) => "number",
            Kind::Boolean => "boolean",
            Kind::Array => "array",
        }
    }
}

/// One parameter of a tool.
#[derive(Debug, Clone, Copy)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Whether a call must give it.
    pub required: bool,
}

/// A parameter that every call must give.
pub const fn required(name: &'static str, kind: Kind) -> Parameter {
    Parameter {
        name,
        kind,
        required: true,
    }
}

/// A parameter that a call may leave out.
pub const fn optional(name: &'static str, kind: Kind) -> Parameter {
    Parameter {
        name,
        kind,
        required: false,
    }
}

/// Arguments that have the right names and types.
#[derive(Debug)]
pub struct Args {
    map: Map<String, Value>,
}

impl Args {
    /// Checks `map` against the tool's parameters and names every fault at once.
    pub fn new(
        tool: &str,
        map: Map<String, Value>,
        parameters: &[Parameter],
    ) -> Result<Self, ToolError> {
        let mut issues = Vec::new();
        for parameter in parameters {
            match map.get(parameter.name) {
                None | Some(Value::Null) if parameter.required => {
                    issues.push(format!(
                        "The required parameter `{}` is missing",
                        parameter.name
                    ));
                }
                None | Some(Value::Null) => {}
                Some(value) => issues.extend(fault(parameter, value)),
            }
        }
        for name in map.keys() {
            if !parameters.iter().any(|parameter| parameter.name == name) {
                issues.push(format!("An unexpected parameter `{name}` was provided"));
            }
        }
        if issues.is_empty() {
            return Ok(Args { map });
        }
        let noun = if issues.len() == 1 { "issue" } else { "issues" };
        Err(ToolError::new(format!(
            "InputValidationError: {tool} failed due to the following {noun}:\n{}",
            issues.join("\n")
        )))
    }

    /// The string `name`, if it was given.
    pub fn string(&self, name: &str) -> Option<&str> {
        self.map.get(name).and_then(Value::as_str)
    }

    /// The string `name`, empty if it was not given; for required parameters.
    pub fn text(&self, name: &str) -> &str {
        self.string(name).unwrap_or_default()
    }

    /// The number `name`, if it was given.
    pub fn integer(&self, name: &str) -> Option<u64> {
        self.map.get(name).and_then(whole)
    }

    /// The switch `name`, or `default`.
    pub fn flag(&self, name: &str, default: bool) -> bool {
        self.map
            .get(name)
            .and_then(Value::as_bool)
            .unwrap_or(default)
    }

    /// The array `name`, empty if it was not given.
    pub fn array(&self, name: &str) -> &[Value] {
        self.map
            .get(name)
            .and_then(Value::as_array)
            .map_or(&[], Vec::as_slice)
    }
}

fn whole(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| {
        let number = value.as_f64()?;
        // Some clients write every number as a float.
        (number >= 0.0 && number.fract() == 0.0 && number < 9e15).then_some(number as u64)
    })
}

fn fault(parameter: &Parameter, value: &Value) -> Option<String> {
    let name = parameter.name;
    let fits = match parameter.kind {
        Kind::String => value.is_string(),
        Kind::Boolean => value.is_boolean(),
        Kind::Array => value.is_array(),
        Kind::Integer(_) => value.is_number(),
    };
    if !fits {
        return Some(format!(
            "The parameter `{name}` type is expected as `{}` but provided as `{}`",
            parameter.kind.name(),
            type_name(value)
        ));
    }
    if let Kind::Integer(least) = parameter.kind {
        match whole(value) {
            Some(number) if number >= least => {}
            _ => {
                return Some(format!(
                    "The parameter `{name}` must be a whole number of at least {least}, not {value}"
                ));
            }
        }
    }
    if name == "file_path" && value.as_str().is_some_and(str::is_empty) {
        return Some(format!("The parameter `{name}` must not be empty"));
    }
    None
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
    use serde_json::json;

    const PARAMETERS: &[Parameter] = &[
        required("file_path", Kind::String),
        optional("offset", Kind::Integer(0)),
        optional("limit", Kind::Integer(1)),
        optional("all", Kind::Boolean),
    ];

    #[test]
    fn faults_are_named() {
        for (given, expected) in [
            (json!({"file_path": "/a"}), ""),
            (json!({"file_path": "/a", "offset": 3.0, "limit": null}), ""),
            (json!({}), "The required parameter `file_path` is missing"),
            (
                json!({"file_path": null}),
                "The required parameter `file_path` is missing",
            ),
            (
                json!({"file_path": ""}),
                "The parameter `file_path` must not be empty",
            ),
            (
                json!({"file_path": 3}),
                "The parameter `file_path` type is expected as `string` but provided as `number`",
            ),
            (
                json!({"file_path": "/a", "limit": 0}),
                "The parameter `limit` must be a whole number of at least 1, not 0",
            ),
            (
                json!({"file_path": "/a", "offset": -1}),
                "The parameter `offset` must be a whole number of at least 0, not -1",
            ),
            (
                json!({"file_path": "/a", "all": "yes", "x": 1}),
                "The parameter `all` type is expected as `boolean` but provided as `string`\n\
                 An unexpected parameter `x` was provided",
            ),
        ] {
            let map = given.as_object().cloned().unwrap_or_default();
            let got = Args::new("Read", map, PARAMETERS)
                .map(|_| ())
                .map_err(|error| error.0);
            match got {
                Ok(()) => assert_eq!(expected, "", "{given}"),
                Err(text) => {
                    let (head, tail) = text.split_once(":\n").unwrap_or_default();
                    assert!(head.starts_with(
                        "InputValidationError: Read failed due to the following issue"
                    ));
                    assert_eq!(tail, expected, "{given}");
                }
            }
        }
    }
}
