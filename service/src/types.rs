//! What goes in and comes out of the service, as plain data.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ids::{ConversationId, ExecutionId, KeyId, TenantId};

/// Who is calling: made by [`authenticate`](crate::Service::authenticate) only.
#[derive(Debug, Clone)]
pub struct Principal {
    /// The tenant that everything the caller sees belongs to.
    pub tenant: TenantId,
    /// The key that was shown.
    pub key_id: KeyId,
    /// What the key may do.
    pub scopes: Vec<Scope>,
}

impl Principal {
    /// Whether the key may do this.
    #[must_use]
    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope) || self.scopes.contains(&Scope::Admin)
    }
}

/// What a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Start and cancel runs; change conversations and files.
    Write,
    /// Read conversations, runs and files.
    Read,
    /// Everything, and the tenant's keys.
    Admin,
}

/// An API key as operators see it; the key itself is kept nowhere.
#[derive(Debug, Clone, Serialize)]
pub struct KeyView {
    /// Its id.
    pub id: KeyId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Its first characters, to tell keys apart.
    pub shown: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// Microseconds since 1970, UTC.
    pub created_at: i64,
    /// Microseconds since 1970, UTC, when it was ended.
    pub revoked_at: Option<i64>,
}

/// One part of a prompt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum PromptPart {
    /// Text, given to the model as it is.
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

/// What `POST /execute` asks for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExecuteRequest {
    /// The conversation to continue; none starts one.
    #[serde(default)]
    pub conversation: Option<ConversationId>,
    /// The user's message.
    pub prompt: Vec<PromptPart>,
    /// With a workspace (`/workspace` is kept) or without (skills at `/skills`,
    /// scratch `/workspace`). Default true.
    #[serde(default = "yes")]
    pub workspace: bool,
    /// The model; default is the configuration's.
    #[serde(default)]
    pub model: Option<String>,
    /// System prompt; default is the service's own.
    #[serde(default)]
    pub system_prompt: Option<String>,
    /// Tools that exist in this run (`Bash`, `Read`, …); none means all.
    #[serde(default)]
    pub allowed_tools: Option<Vec<String>>,
    /// Commands that the shell has in this run; none means all.
    #[serde(default)]
    pub allowed_commands: Option<Vec<String>>,
    /// Sub-agents with the same tools. Default false.
    #[serde(default)]
    pub subagents: bool,
    /// Limits below the configured ones.
    #[serde(default)]
    pub limits: RunLimits,
}

fn yes() -> bool {
    true
}

impl ExecuteRequest {
    /// A request with this text as its prompt and every default.
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            conversation: None,
            prompt: vec![PromptPart::Text { text: text.into() }],
            workspace: true,
            model: None,
            system_prompt: None,
            allowed_tools: None,
            allowed_commands: None,
            subagents: false,
            limits: RunLimits::default(),
        }
    }
}

/// Limits of one run; each is lowered only, never raised above the configured.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RunLimits {
    /// Seconds that the run may take.
    pub run_seconds: Option<u64>,
    /// Model turns.
    pub turns: Option<u32>,
    /// Cost in micro-dollars.
    pub cost_micros: Option<u64>,
    /// Seconds that one tool call may take.
    pub call_seconds: Option<u64>,
    /// Bytes of memory of one process.
    pub memory: Option<u64>,
    /// Fuel of one call.
    pub fuel: Option<u64>,
    /// Processes alive at once.
    pub processes: Option<u32>,
    /// Bytes of output of one call.
    pub output: Option<u64>,
}

/// What [`execute`](crate::Service::execute) answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Started {
    /// The run.
    pub execution: ExecutionId,
    /// Its conversation, new or continued.
    pub conversation: ConversationId,
    /// True when the idempotency key named a run that exists already.
    pub repeated: bool,
}

/// One event of a run, as it is kept and sent.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StoredEvent {
    /// Its number, from 1 without gaps: the `id:` of Server-Sent Events.
    pub seq: u64,
    /// Its name: the `event:` of Server-Sent Events.
    pub kind: String,
    /// Its content.
    pub data: Value,
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExecutionState {
    /// Checked and written down.
    Admitted,
    /// Its conversation is ours.
    Leased,
    /// Its workspace is being fetched.
    Hydrating,
    /// The agent is at work.
    Running,
    /// Its workspace is being stored.
    Publishing,
    /// Done.
    Finished,
    /// Ended by an error.
    Failed,
    /// Ended by the client.
    Cancelled,
}

impl ExecutionState {
    /// Its name in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admitted => "admitted",
            Self::Leased => "leased",
            Self::Hydrating => "hydrating",
            Self::Running => "running",
            Self::Publishing => "publishing",
            Self::Finished => "finished",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Reads its name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "admitted" => Self::Admitted,
            "leased" => Self::Leased,
            "hydrating" => Self::Hydrating,
            "running" => Self::Running,
            "publishing" => Self::Publishing,
            "finished" => Self::Finished,
            "failed" => Self::Failed,
            "cancelled" => Self::Cancelled,
            _ => return None,
        })
    }

    /// Whether nothing follows.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Finished | Self::Failed | Self::Cancelled)
    }
}

/// Tokens and cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Input tokens that no cache served.
    pub input_tokens: u64,
    /// Output tokens.
    pub output_tokens: u64,
    /// Input tokens read from the provider's cache.
    pub cache_read_tokens: u64,
    /// Input tokens written to the provider's cache.
    pub cache_write_tokens: u64,
    /// Requests to the model.
    pub requests: u64,
    /// Cost in micro-dollars by the configured prices.
    pub cost_micros: u64,
}

impl Usage {
    /// Adds another's figures.
    pub fn add(&mut self, other: &Self) {
        self.input_tokens = self.input_tokens.saturating_add(other.input_tokens);
        self.output_tokens = self.output_tokens.saturating_add(other.output_tokens);
        self.cache_read_tokens = self
            .cache_read_tokens
            .saturating_add(other.cache_read_tokens);
        self.cache_write_tokens = self
            .cache_write_tokens
            .saturating_add(other.cache_write_tokens);
        self.requests = self.requests.saturating_add(other.requests);
        self.cost_micros = self.cost_micros.saturating_add(other.cost_micros);
    }
}

/// A run as clients see it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExecutionView {
    /// Its id.
    pub id: ExecutionId,
    /// Its conversation.
    pub conversation: ConversationId,
    /// Where it stands.
    pub state: ExecutionState,
    /// Model it was started with.
    pub model: String,
    /// With a workspace or without.
    pub workspace: bool,
    /// Number of its last event.
    pub last_event: u64,
    /// Code of the error that ended it.
    pub error_code: Option<String>,
    /// Sentence of the error that ended it.
    pub error_message: Option<String>,
    /// Tokens and cost so far.
    pub usage: Usage,
    /// Microseconds since 1970, UTC.
    pub created_at: i64,
    /// Microseconds since 1970, UTC.
    pub updated_at: i64,
    /// Microseconds since 1970, UTC, when it has ended.
    pub finished_at: Option<i64>,
}

/// A conversation as clients see it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ConversationView {
    /// Its id.
    pub id: ConversationId,
    /// Title, if one was given.
    pub title: Option<String>,
    /// Tokens in the model's context after the last run.
    pub context_tokens: u64,
    /// Tokens and cost of all its runs.
    pub usage: Usage,
    /// Microseconds since 1970, UTC.
    pub created_at: i64,
    /// Microseconds since 1970, UTC.
    pub updated_at: i64,
}

/// What a client gives to make a conversation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NewConversation {
    /// Title, at most 200 characters.
    pub title: Option<String>,
}

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MessageView {
    /// Its number in the conversation, from 1.
    pub seq: u64,
    /// The run that it belongs to.
    pub execution: ExecutionId,
    /// `user`, `assistant` or `tool`.
    pub role: String,
    /// Content blocks: text, thinking, tool_use, tool_result, image.
    pub content: Value,
    /// Microseconds since 1970, UTC.
    pub created_at: i64,
}

/// Who made a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// A run.
    Ai,
    /// An upload.
    User,
}

impl Origin {
    /// Its name in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ai => "ai",
            Self::User => "user",
        }
    }
}

/// A registered file of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileView {
    /// Path below `/workspace`; bytes that are not printable text are `%XX`.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// BLAKE3 digest in hex; empty for what is not a plain file.
    pub digest: String,
    /// Permission bits.
    pub mode: u32,
    /// Who made it last.
    pub origin: Origin,
    /// The run that made it, if one did.
    pub execution: Option<ExecutionId>,
    /// Microseconds since 1970, UTC.
    pub created_at: i64,
    /// Microseconds since 1970, UTC.
    pub updated_at: i64,
}

/// What a tool call was, for the audit log.
#[derive(Debug, Clone, Serialize)]
pub struct ToolAudit {
    /// Name of the tool.
    pub tool: String,
    /// Digest of its arguments.
    pub arguments_digest: String,
    /// `ok`, `error` or `denied`.
    pub outcome: String,
    /// Exit code, termination, fuel, memory, time: whatever the host reported.
    pub report: Value,
}

/// A tool call as it stands in the audit log.
#[derive(Debug, Clone, Serialize)]
pub struct AuditView {
    /// Its id, which sorts by time.
    pub id: String,
    /// The conversation.
    pub conversation: ConversationId,
    /// The run.
    pub execution: ExecutionId,
    /// What it was.
    #[serde(flatten)]
    pub call: ToolAudit,
    /// Microseconds since 1970, UTC.
    pub created_at: i64,
}

/// Whether this server can work, and what is amiss.
#[derive(Debug, Clone, Serialize)]
pub struct Readiness {
    /// Requests can be served.
    pub ready: bool,
    /// What fails or is weaker than it should be: `(name, sentence)`.
    pub findings: Vec<Finding>,
}

/// One thing that [`Readiness`] found.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// What was looked at: `database`, `lease`, `objects`, `agent`, `landlock`, `drain`.
    pub check: String,
    /// True when it keeps the server from being ready.
    pub fatal: bool,
    /// What was found.
    pub message: String,
}

/// One page of a list.
#[derive(Debug, Clone, Serialize)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// Give it back as `after` for the next page; none at the end.
    pub next: Option<String>,
}

/// Which page of a list.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PageRequest {
    /// Where the last page ended.
    pub after: Option<String>,
    /// Rows at most: 1 to 500. Default 100.
    pub limit: Option<u32>,
}

impl PageRequest {
    pub(crate) fn size(&self) -> i64 {
        i64::from(self.limit.unwrap_or(100).clamp(1, 500))
    }
}
