//! The demo's HTTP client: what a client of the service needs, in one page.

use std::collections::VecDeque;
use std::net::SocketAddr;

use anyhow::{Context as _, bail};
use serde_json::Value;

/// A client with a key.
pub(super) struct Client {
    http: reqwest::Client,
    base: String,
    key: String,
}

/// One event of a run.
#[derive(Debug, PartialEq)]
pub(super) struct Event {
    /// Its number.
    pub(super) id: String,
    /// Its name.
    pub(super) name: String,
    /// Its content.
    pub(super) data: Value,
}

/// The events of a run as they come.
pub(super) struct Events {
    response: reqwest::Response,
    parser: Parser,
}

impl Client {
    pub(super) fn new(address: SocketAddr, key: &str) -> anyhow::Result<Self> {
        // No proxy: the server is in this process.
        let http = reqwest::Client::builder()
            .no_proxy()
            .build()
            .context("cannot make an HTTP client")?;
        Ok(Client {
            http,
            base: format!("http://{address}"),
            key: key.to_owned(),
        })
    }

    /// Reads a resource.
    pub(super) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let response = self
            .http
            .get(format!("{}{path}", self.base))
            .bearer_auth(&self.key)
            .send()
            .await?;
        Ok(checked(response).await?.json().await?)
    }

    /// Starts a run; the id of its conversation and its events.
    pub(super) async fn execute(&self, body: &Value) -> anyhow::Result<(String, Events)> {
        let request = self
            .http
            .post(format!("{}/execute", self.base))
            .bearer_auth(&self.key)
            .json(body);
        let response = checked(request.send().await?).await?;
        let conversation = response
            .headers()
            .get("hardshell-conversation")
            .and_then(|value| value.to_str().ok())
            .context("the answer names no conversation")?
            .to_owned();
        Ok((
            conversation,
            Events {
                response,
                parser: Parser::default(),
            },
        ))
    }
}

/// An error answer as an error with its sentence.
async fn checked(response: reqwest::Response) -> anyhow::Result<reqwest::Response> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let problem: Value = response.json().await.unwrap_or(Value::Null);
    let detail = problem
        .get("detail")
        .and_then(Value::as_str)
        .unwrap_or("no details");
    bail!("the server answered {status}: {detail}")
}

impl Events {
    /// The next event; none at the end of the stream.
    pub(super) async fn next(&mut self) -> anyhow::Result<Option<Event>> {
        loop {
            if let Some(event) = self.parser.ready.pop_front() {
                return Ok(Some(event));
            }
            match self.response.chunk().await.context("the stream broke")? {
                Some(chunk) => self.parser.push(&chunk)?,
                None => return Ok(None),
            }
        }
    }
}

/// Server-Sent Events from bytes.
#[derive(Default)]
struct Parser {
    line: Vec<u8>,
    id: String,
    name: String,
    data: String,
    ready: VecDeque<Event>,
}

impl Parser {
    fn push(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        for &byte in bytes {
            if byte == b'\n' {
                let line = String::from_utf8_lossy(&std::mem::take(&mut self.line)).into_owned();
                self.take(line.trim_end_matches('\r'))?;
            } else {
                self.line.push(byte);
            }
        }
        Ok(())
    }

    fn take(&mut self, line: &str) -> anyhow::Result<()> {
        if line.is_empty() {
            if !self.data.is_empty() {
                let data = serde_json::from_str(&self.data).context("an event that is no JSON")?;
                self.ready.push_back(Event {
                    id: self.id.clone(),
                    name: std::mem::take(&mut self.name),
                    data,
                });
                self.data.clear();
            }
            return Ok(());
        }
        // A line that begins with a colon is a comment: a heartbeat.
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" => value.clone_into(&mut self.id),
            "event" => value.clone_into(&mut self.name),
            "data" => self.data.push_str(value),
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn events_across_chunks() {
        let mut parser = Parser::default();
        parser.push(b": heartbeat\n\nid: 1\nevent: te").unwrap();
        assert!(parser.ready.is_empty());
        parser.push(b"xt\ndata: {\"a\":1}\r\n\n").unwrap();
        let want = Event {
            id: "1".into(),
            name: "text".into(),
            data: serde_json::json!({"a": 1}),
        };
        assert_eq!(parser.ready.pop_front(), Some(want));
        assert!(parser.push(b"data: nonsense\n\n").is_err());
    }
}
