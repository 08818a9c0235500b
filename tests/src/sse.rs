//! Reading Server-Sent Events.

use crate::http::Response;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read};

/// One event.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// `id:`.
    pub id: Option<u64>,
    /// `event:`.
    pub name: String,
    /// `data:` as JSON; as a string when it is none.
    pub data: Value,
}

/// The events of a response, as they come.
pub struct Events {
    lines: Box<dyn BufRead + Send>,
}

impl Events {
    /// Takes a response whose body is an event stream.
    pub fn new(response: Response) -> Self {
        let kind = response.header("content-type").unwrap_or("").to_owned();
        if !kind.starts_with("text/event-stream") {
            let status = response.status;
            panic!(
                "not an event stream but {status} {kind}: {}",
                response.text()
            );
        }
        Self::of(response.reader())
    }

    fn of(reader: BufReader<impl Read + Send + 'static>) -> Self {
        Self {
            lines: Box::new(reader),
        }
    }
}

impl Iterator for Events {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        let (mut id, mut name, mut data) = (None, String::from("message"), Vec::new());
        loop {
            let mut line = String::new();
            match self.lines.read_line(&mut line) {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
            let line = line.trim_end_matches(['\r', '\n']);
            if line.is_empty() {
                if data.is_empty() {
                    continue;
                }
                let data = data.join("\n");
                let data = serde_json::from_str(&data).unwrap_or(Value::String(data));
                return Some(Event { id, name, data });
            }
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "id" => id = value.parse().ok(),
                "event" => name = value.to_owned(),
                "data" => data.push(value.to_owned()),
                // A comment keeps the connection alive.
                _ => {}
            }
        }
    }
}
