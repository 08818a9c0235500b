//! Reading tokens out of what passes through.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::Stream;
use serde_json::Value;

use crate::config::{ModelConfig, ModelPrice};
use crate::run::Run;
use crate::store::{Store, UsageRow};
use crate::types::Usage;

/// Longest line or body that is kept to be read; what is longer holds text, not figures.
const KEEP: usize = 1 << 20;

/// Whom the figures concern.
pub(super) struct Watch {
    pub(super) run: Arc<Run>,
    pub(super) store: Store,
    pub(super) config: Arc<ModelConfig>,
    /// False for what costs nothing: errors and counting.
    pub(super) counts: bool,
}

/// The figures of one answer.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Figures {
    pub(super) model: String,
    pub(super) input: u64,
    pub(super) output: u64,
    pub(super) cache_read: u64,
    pub(super) cache_write: u64,
    /// Bytes of text that came: what a cut stream is charged by.
    text: u64,
    complete: bool,
}

impl Figures {
    fn take_usage(&mut self, usage: &Value) {
        let of = |key: &str, old: u64| usage.get(key).and_then(Value::as_u64).unwrap_or(old);
        self.input = of("input_tokens", self.input);
        self.output = of("output_tokens", self.output);
        self.cache_read = of("cache_read_input_tokens", self.cache_read);
        self.cache_write = of("cache_creation_input_tokens", self.cache_write);
    }

    fn take_message(&mut self, message: &Value) {
        if let Some(model) = message.get("model").and_then(Value::as_str) {
            self.model = model.to_owned();
        }
        if let Some(usage) = message.get("usage") {
            self.take_usage(usage);
        }
    }

    /// One `data:` of the stream.
    fn take_event(&mut self, event: &Value) {
        match event.get("type").and_then(Value::as_str) {
            Some("message_start") => {
                self.take_message(event.get("message").unwrap_or(&Value::Null))
            }
            Some("message_delta") => {
                if let Some(usage) = event.get("usage") {
                    self.take_usage(usage);
                    self.complete = true;
                }
            }
            Some("content_block_delta") => {
                let delta = event.get("delta").and_then(Value::as_object);
                let texts = delta
                    .into_iter()
                    .flatten()
                    .filter(|(key, _)| *key != "type");
                let texts = texts.filter_map(|(_, value)| value.as_str());
                self.text = self
                    .text
                    .saturating_add(texts.map(|text| text.len() as u64).sum());
            }
            _ => {}
        }
    }

    pub(super) fn usage(&self, price: ModelPrice) -> Usage {
        // A stream that was cut has cost what came of it; four bytes are about a token.
        let output = if self.complete {
            self.output
        } else {
            self.output.max(self.text / 4)
        };
        let cost = |tokens: u64, price: u64| u128::from(tokens) * u128::from(price);
        let sum = cost(self.input, price.input)
            + cost(output, price.output)
            + cost(self.cache_read, price.cache_read)
            + cost(self.cache_write, price.cache_write);
        Usage {
            input_tokens: self.input,
            output_tokens: output,
            cache_read_tokens: self.cache_read,
            cache_write_tokens: self.cache_write,
            requests: 1,
            cost_micros: u64::try_from(sum.div_ceil(1_000_000)).unwrap_or(u64::MAX),
        }
    }
}

/// Finds the figures in bytes that come in any pieces.
#[derive(Debug, Default)]
pub(super) struct Reader {
    pub(super) figures: Figures,
    streaming: bool,
    kept: Vec<u8>,
    skip: bool,
}

impl Reader {
    pub(super) fn new(streaming: bool) -> Self {
        Self {
            streaming,
            ..Self::default()
        }
    }

    pub(super) fn take(&mut self, bytes: &[u8]) {
        if !self.streaming {
            if self.kept.len().saturating_add(bytes.len()) <= KEEP * 32 {
                self.kept.extend_from_slice(bytes);
            }
            return;
        }
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            if self.kept.len().saturating_add(piece.len()) > KEEP {
                self.skip = true;
                self.kept.clear();
            }
            if !self.skip {
                self.kept.extend_from_slice(piece);
            }
            if piece.last() == Some(&b'\n') {
                if !self.skip {
                    self.line();
                }
                self.kept.clear();
                self.skip = false;
            }
        }
    }

    fn line(&mut self) {
        let Some(data) = self.kept.strip_prefix(b"data:") else {
            return;
        };
        if let Ok(event) = serde_json::from_slice::<Value>(data) {
            self.figures.take_event(&event);
        }
    }

    pub(super) fn end(&mut self) {
        if self.streaming {
            self.line();
        } else if let Ok(message) = serde_json::from_slice::<Value>(&self.kept) {
            self.figures.take_message(&message);
            self.figures.complete = true;
        }
        self.kept = Vec::new();
    }
}

/// An answer on its way to the agent.
pub(super) struct Metered<S> {
    inner: Pin<Box<S>>,
    reader: Reader,
    watch: Option<Watch>,
}

impl<S> Metered<S> {
    pub(super) fn new(inner: S, watch: Watch, streaming: bool) -> Self {
        Self {
            inner: Box::pin(inner),
            reader: Reader::new(streaming),
            watch: Some(watch),
        }
    }

    /// Once: at the end of the answer, or when the agent hangs up.
    fn settle(&mut self) {
        let Some(watch) = self.watch.take() else {
            return;
        };
        if !watch.counts {
            return;
        }
        self.reader.end();
        let figures = &self.reader.figures;
        let usage = figures.usage(watch.config.price(&figures.model));
        watch.run.meter.add(&usage);
        let model = figures.model.clone();
        tokio::spawn(async move {
            let run = &watch.run;
            let row = UsageRow {
                tenant: &run.tenant,
                conversation: &run.conversation,
                execution: &run.execution,
                model: &model,
                usage,
            };
            if let Err(error) = watch.store.insert_usage(&row).await {
                tracing::error!(execution = %run.execution, cost_micros = usage.cost_micros, %error,
                    "what a request cost was not written down");
            }
        });
    }
}

impl<S, E> Stream for Metered<S>
where
    S: Stream<Item = Result<Bytes, E>>,
{
    type Item = Result<Bytes, E>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = self.inner.as_mut().poll_next(context);
        match &next {
            Poll::Ready(Some(Ok(bytes))) => {
                let bytes = bytes.clone();
                self.reader.take(&bytes);
            }
            Poll::Ready(Some(Err(_)) | None) => self.settle(),
            Poll::Pending => {}
        }
        next
    }
}

impl<S> Drop for Metered<S> {
    fn drop(&mut self) {
        self.settle();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = concat!(
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"model\":\"m\",\"usage\":",
        "{\"input_tokens\":100,\"cache_read_input_tokens\":7,\"cache_creation_input_tokens\":3,\"output_tokens\":1}}}\n\n",
        "data: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":\"12345678901234567890123456\"}}\n\n",
        ": comment\n",
        "data: {\"type\":\"message_delta\",\"usage\":{\"output_tokens\":25}}\n\n",
    );

    #[test]
    fn figures_come_out_whatever_the_pieces() {
        let price = ModelPrice {
            input: 3_000_000,
            output: 15_000_000,
            cache_read: 0,
            cache_write: 0,
            window: 1,
        };
        for size in 1..STREAM.len() {
            let mut reader = Reader::new(true);
            for piece in STREAM.as_bytes().chunks(size) {
                reader.take(piece);
            }
            reader.end();
            let usage = reader.figures.usage(price);
            assert_eq!(
                (
                    usage.input_tokens,
                    usage.output_tokens,
                    usage.cache_read_tokens,
                    usage.cache_write_tokens
                ),
                (100, 25, 7, 3)
            );
            assert_eq!(usage.cost_micros, 300 + 375);
            assert_eq!(reader.figures.model, "m");
        }
    }

    #[test]
    fn a_cut_stream_is_charged_by_what_came() {
        let mut reader = Reader::new(true);
        reader.take(
            STREAM
                .split_once("data: {\"type\":\"message_delta\"")
                .map_or("", |s| s.0)
                .as_bytes(),
        );
        reader.end();
        assert_eq!(
            reader
                .figures
                .usage(ModelConfig::default().price("x"))
                .output_tokens,
            6
        );
    }

    #[test]
    fn a_whole_answer_is_read_too() {
        let mut reader = Reader::new(false);
        reader.take(br#"{"model":"m","usage":{"input_tokens":5,"#);
        reader.take(br#""output_tokens":6}}"#);
        reader.end();
        let usage = reader
            .figures
            .usage(ModelConfig::default().price("claude-sonnet-4-5"));
        assert_eq!(
            (usage.input_tokens, usage.output_tokens, usage.cost_micros),
            (5, 6, 15 + 90)
        );
    }
}
