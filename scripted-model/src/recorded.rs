//! What the server was asked.

use serde_json::Value;

/// One request, as it came.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Method.
    pub method: String,
    /// Path, with whatever prefix the client was given.
    pub path: String,
    /// Headers in order; values that are not text are shown with replacement characters.
    pub headers: Vec<(String, String)>,
    /// The body as it came.
    pub raw_body: Vec<u8>,
    /// The body as JSON; `Null` when it is not.
    pub body: Value,
    /// Which turn answered, from 0; `None` when none did.
    pub turn: Option<usize>,
    /// What was wrong with it by the API's rules; it got a 400 then.
    pub problem: Option<String>,
}

impl Recorded {
    /// A header's first value; the name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// The names of the tools that the model was offered, in order.
    pub fn tool_names(&self) -> Vec<String> {
        let tools = self.body.get("tools").and_then(Value::as_array);
        tools
            .into_iter()
            .flatten()
            .filter_map(|tool| tool.get("name").and_then(Value::as_str))
            .map(str::to_owned)
            .collect()
    }

    /// Whether a text occurs anywhere in the path, the headers or the body: for showing that a
    /// secret did not get here.
    pub fn contains(&self, needle: &str) -> bool {
        self.path.contains(needle)
            || self
                .headers
                .iter()
                .any(|(key, value)| key.contains(needle) || value.contains(needle))
            || String::from_utf8_lossy(&self.raw_body).contains(needle)
    }
}
