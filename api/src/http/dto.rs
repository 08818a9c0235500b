//! What the routes take and give, apart from the service's own types so that the API document
//! and its strictness are kept in one place.

use std::fmt;

use hardshell_service as service;
use hardshell_service::{ConversationId, ExecuteRequest, PromptPart, RunLimits};
use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Body of `POST /execute`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Execute {
    /// The conversation to continue; without it a new one begins.
    #[serde(default)]
    #[schema(value_type = Option<String>, pattern = "^[A-Za-z0-9_-]{1,64}$")]
    conversation: Option<ConversationId>,
    /// The user's message: a text, or a list of parts.
    #[schema(value_type = PromptBody)]
    prompt: Prompt,
    /// With a workspace, which is kept, or without. Default true.
    #[serde(default = "yes")]
    #[schema(default = true)]
    workspace: bool,
    /// The model; default is the server's.
    #[serde(default)]
    model: Option<String>,
    /// System prompt; default is the server's.
    #[serde(default)]
    system_prompt: Option<String>,
    /// Tools that exist in this run (`Bash`, `Read`, …); default all.
    #[serde(default)]
    allowed_tools: Option<Vec<String>>,
    /// Commands that the shell has in this run; default all.
    #[serde(default)]
    allowed_commands: Option<Vec<String>>,
    /// Sub-agents with the same tools. Default false.
    #[serde(default)]
    subagents: bool,
    /// Limits of this run, each below the configured one.
    #[serde(default)]
    limits: Limits,
}

fn yes() -> bool {
    true
}

impl From<Execute> for ExecuteRequest {
    fn from(body: Execute) -> Self {
        ExecuteRequest {
            conversation: body.conversation,
            prompt: body.prompt.0,
            workspace: body.workspace,
            model: body.model,
            system_prompt: body.system_prompt,
            allowed_tools: body.allowed_tools,
            allowed_commands: body.allowed_commands,
            subagents: body.subagents,
            limits: body.limits.into(),
        }
    }
}

/// A prompt, for the API document.
#[derive(ToSchema)]
#[serde(untagged)]
#[allow(dead_code)]
pub(crate) enum PromptBody {
    /// A text.
    Text(String),
    /// Parts in order.
    Parts(Vec<PartBody>),
}

/// A part of a prompt, for the API document.
#[derive(ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
#[allow(dead_code)]
pub(crate) enum PartBody {
    /// Text.
    Text {
        /// The text.
        text: String,
    },
    /// A picture.
    Image {
        /// `image/png`, `image/jpeg`, `image/gif` or `image/webp`.
        media_type: String,
        /// The picture in base64.
        data: String,
    },
}

/// A text or a list of parts. Read by hand: an untagged enum would not say what is wrong.
#[derive(Debug)]
struct Prompt(Vec<PromptPart>);

impl<'de> Deserialize<'de> for Prompt {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextOrParts;

        impl<'de> Visitor<'de> for TextOrParts {
            type Value = Prompt;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a list of parts")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Prompt, E> {
                Ok(Prompt(vec![PromptPart::Text {
                    text: text.to_owned(),
                }]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Prompt, A::Error> {
                let mut parts = Vec::new();
                while let Some(part) = seq.next_element()? {
                    parts.push(part);
                }
                Ok(Prompt(parts))
            }
        }

        deserializer.deserialize_any(TextOrParts)
    }
}

/// Limits of one run.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Limits {
    /// Seconds that the run may take.
    run_seconds: Option<u64>,
    /// Model turns.
    turns: Option<u32>,
    /// Cost in micro-dollars.
    cost_micros: Option<u64>,
    /// Seconds that one tool call may take.
    call_seconds: Option<u64>,
    /// Bytes of memory of one process.
    memory: Option<u64>,
    /// Fuel of one call.
    fuel: Option<u64>,
    /// Processes alive at once.
    processes: Option<u32>,
    /// Bytes of output of one call.
    output: Option<u64>,
}

impl From<Limits> for RunLimits {
    fn from(l: Limits) -> Self {
        RunLimits {
            run_seconds: l.run_seconds,
            turns: l.turns,
            cost_micros: l.cost_micros,
            call_seconds: l.call_seconds,
            memory: l.memory,
            fuel: l.fuel,
            processes: l.processes,
            output: l.output,
        }
    }
}

/// What `POST /execute` answers when JSON is asked for instead of the stream.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Started {
    /// The run; its events are at `/executions/{id}/events`.
    execution: String,
    /// Its conversation.
    conversation: String,
    /// Whether the idempotency key named a run that existed already.
    repeated: bool,
}

impl From<service::Started> for Started {
    fn from(started: service::Started) -> Self {
        Started {
            execution: started.execution.to_string(),
            conversation: started.conversation.to_string(),
            repeated: started.repeated,
        }
    }
}

/// Tokens and cost.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Usage {
    /// Input tokens that no cache served.
    input_tokens: u64,
    /// Output tokens.
    output_tokens: u64,
    /// Input tokens read from the provider's cache.
    cache_read_tokens: u64,
    /// Input tokens written to the provider's cache.
    cache_write_tokens: u64,
    /// Requests to the model.
    requests: u64,
    /// Cost in micro-dollars by the configured prices.
    cost_micros: u64,
}

impl From<service::Usage> for Usage {
    fn from(u: service::Usage) -> Self {
        Usage {
            input_tokens: u.input_tokens,
            output_tokens: u.output_tokens,
            cache_read_tokens: u.cache_read_tokens,
            cache_write_tokens: u.cache_write_tokens,
            requests: u.requests,
            cost_micros: u.cost_micros,
        }
    }
}

/// A run.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Execution {
    /// Its id.
    pub(crate) id: String,
    /// Its conversation.
    conversation: String,
    /// admitted, leased, hydrating, running, publishing, finished, failed or cancelled.
    state: &'static str,
    /// Whether nothing follows.
    is_final: bool,
    /// The model that it was started with.
    model: String,
    /// With a workspace or without.
    workspace: bool,
    /// Number of its last event.
    last_event: u64,
    /// Why it failed.
    error: Option<RunError>,
    /// Tokens and cost so far.
    usage: Usage,
    /// RFC 3339, UTC.
    created_at: String,
    /// RFC 3339, UTC.
    updated_at: String,
    /// RFC 3339, UTC.
    finished_at: Option<String>,
}

/// Why a run failed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RunError {
    /// A stable code, for programs.
    code: String,
    /// A sentence, for people.
    message: String,
}

impl From<service::ExecutionView> for Execution {
    fn from(view: service::ExecutionView) -> Self {
        Execution {
            id: view.id.to_string(),
            conversation: view.conversation.to_string(),
            state: view.state.as_str(),
            is_final: view.state.is_final(),
            model: view.model,
            workspace: view.workspace,
            last_event: view.last_event,
            error: view.error_code.map(|code| RunError {
                code,
                message: view.error_message.unwrap_or_default(),
            }),
            usage: view.usage.into(),
            created_at: time(view.created_at),
            updated_at: time(view.updated_at),
            finished_at: view.finished_at.map(time),
        }
    }
}

/// A conversation.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Conversation {
    /// Its id.
    pub(crate) id: String,
    /// Title, if one was given.
    title: Option<String>,
    /// Tokens in the model's context after the last run.
    context_tokens: u64,
    /// Tokens and cost of all its runs.
    usage: Usage,
    /// RFC 3339, UTC.
    created_at: String,
    /// RFC 3339, UTC.
    updated_at: String,
}

impl From<service::ConversationView> for Conversation {
    fn from(view: service::ConversationView) -> Self {
        Conversation {
            id: view.id.to_string(),
            title: view.title,
            context_tokens: view.context_tokens,
            usage: view.usage.into(),
            created_at: time(view.created_at),
            updated_at: time(view.updated_at),
        }
    }
}

/// A conversation with its messages.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ConversationWithMessages {
    /// The conversation.
    #[serde(flatten)]
    pub(crate) conversation: Conversation,
    /// Its messages, oldest first.
    pub(crate) messages: Page<Message>,
}

/// Body of `POST /conversations`.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct NewConversation {
    /// Title, at most 200 characters.
    title: Option<String>,
}

impl From<NewConversation> for service::NewConversation {
    fn from(new: NewConversation) -> Self {
        service::NewConversation { title: new.title }
    }
}

/// A message.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Message {
    /// Its number in the conversation, from 1.
    seq: u64,
    /// The run that it belongs to.
    execution: String,
    /// `user`, `assistant` or `tool`.
    role: String,
    /// Content blocks.
    #[schema(value_type = Vec<Object>)]
    content: serde_json::Value,
    /// RFC 3339, UTC.
    created_at: String,
}

impl From<service::MessageView> for Message {
    fn from(view: service::MessageView) -> Self {
        Message {
            seq: view.seq,
            execution: view.execution.to_string(),
            role: view.role,
            content: view.content,
            created_at: time(view.created_at),
        }
    }
}

/// A file of a conversation.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct File {
    /// Path below `/workspace`.
    pub(crate) path: String,
    /// Bytes.
    size: u64,
    /// BLAKE3 in hex.
    digest: String,
    /// Permission bits, octal.
    mode: String,
    /// `ai` or `user`: who made it last.
    origin: &'static str,
    /// The run that made it, if one did.
    execution: Option<String>,
    /// RFC 3339, UTC.
    created_at: String,
    /// RFC 3339, UTC.
    updated_at: String,
}

impl From<service::FileView> for File {
    fn from(view: service::FileView) -> Self {
        File {
            path: view.path,
            size: view.size,
            digest: view.digest,
            mode: format!("{:04o}", view.mode & 0o7777),
            origin: view.origin.as_str(),
            execution: view.execution.map(|id| id.to_string()),
            created_at: time(view.created_at),
            updated_at: time(view.updated_at),
        }
    }
}

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Page<T> {
    /// The rows.
    pub(crate) items: Vec<T>,
    /// Give it back as `after` for the next page; null at the end.
    pub(crate) next: Option<String>,
}

impl<T> Page<T> {
    /// The service's page with other rows.
    pub(crate) fn of<S: Into<T>>(page: service::Page<S>) -> Self {
        Page {
            items: page.items.into_iter().map(Into::into).collect(),
            next: page.next,
        }
    }
}

/// Which page.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct PageQuery {
    /// Where the last page ended: its `next`.
    after: Option<String>,
    /// Rows at most, 1 to 500. Default 100.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
}

/// Which page of which conversation's runs.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ExecutionsQuery {
    /// Only the runs of this conversation.
    #[param(value_type = Option<String>)]
    pub(crate) conversation: Option<ConversationId>,
    /// Where the last page ended: its `next`.
    after: Option<String>,
    /// Rows at most, 1 to 500. Default 100.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
}

impl ExecutionsQuery {
    /// The page.
    pub(crate) fn page(self) -> (Option<ConversationId>, PageQuery) {
        (
            self.conversation,
            PageQuery {
                after: self.after,
                limit: self.limit,
            },
        )
    }
}

impl PageQuery {
    /// For the service; a limit out of range is refused, never bent.
    pub(crate) fn request(self) -> Result<service::PageRequest, super::problem::Problem> {
        if self.limit.is_some_and(|n| !(1..=500).contains(&n)) {
            return Err(super::problem::Problem::invalid(
                "limit must be from 1 to 500.",
            ));
        }
        Ok(service::PageRequest {
            after: self.after,
            limit: self.limit,
        })
    }
}

/// Microseconds since 1970 as RFC 3339.
fn time(micros: i64) -> String {
    jiff::Timestamp::from_microsecond(micros)
        .unwrap_or_default()
        .to_string()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_strict() {
        for (body, want) in [
            (r#"{"prompt":"hi"}"#, Ok(1)),
            (
                r#"{"prompt":[{"type":"text","text":"a"},{"type":"image","media_type":"image/png","data":""}]}"#,
                Ok(2),
            ),
            (r#"{}"#, Err("missing field `prompt`")),
            (r#"{"prompt":3}"#, Err("a text or a list of parts")),
            (
                r#"{"prompt":[{"type":"text","txt":"a"}]}"#,
                Err("unknown field `txt`"),
            ),
            (
                r#"{"prompt":"a","promt":"b"}"#,
                Err("unknown field `promt`"),
            ),
            (
                r#"{"prompt":"a","conversation":"../x"}"#,
                Err("an id has 1 to 64 characters"),
            ),
            (
                r#"{"prompt":"a","limits":{"turn":1}}"#,
                Err("unknown field `turn`"),
            ),
            (
                r#"{"prompt":"a","limits":{"turns":-1}}"#,
                Err("invalid value"),
            ),
        ] {
            match (serde_json::from_str::<Execute>(body), want) {
                (Ok(got), Ok(parts)) => assert_eq!(ExecuteRequest::from(got).prompt.len(), parts),
                (Err(e), Err(text)) => assert!(e.to_string().contains(text), "{body}: {e}"),
                (got, _) => assert!(want.is_ok() == got.is_ok(), "{body}: {got:?}"),
            }
        }
        assert_eq!(time(0), "1970-01-01T00:00:00Z");
    }
}
