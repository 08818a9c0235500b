//! One error type at the crate's edge: a stable code, a sentence for the client
//! and, kept apart from it, the cause for the log.

use std::borrow::Cow;
use std::fmt;

/// What kind of failure this is. The code of each is stable: clients key on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The request itself is wrong.
    InvalidRequest,
    /// No such key, or it was revoked.
    Unauthenticated,
    /// The key may not do this.
    Forbidden,
    /// No such thing, or it belongs to someone else: the two are not told apart.
    NotFound,
    /// The conversation is running already.
    ConversationBusy,
    /// The idempotency key was used before with another request.
    IdempotencyMismatch,
    /// The conversation has filled the model's context window.
    ContextLimit,
    /// The tenant's or the run's budget is used up.
    BudgetExceeded,
    /// Too many requests or too many runs at once.
    RateLimited,
    /// A file is over the limit for its type.
    FileTooLarge,
    /// The workspace is over its size or file count.
    QuotaExceeded,
    /// The server is going down or cannot reach something it needs.
    Unavailable,
    /// The agent's executable is missing, too old or cannot be started.
    AgentUnavailable,
    /// The agent ended before it answered.
    AgentDied,
    /// The agent sent something that is not its protocol.
    AgentProtocol,
    /// The agent could not reach the tools.
    McpUnreachable,
    /// The model's provider refused or failed.
    ModelError,
    /// The run took longer than it may.
    TimeLimit,
    /// The run took more model turns than it may.
    TurnLimit,
    /// The client cancelled the run.
    Cancelled,
    /// The server that ran it went away; another one brought it to its end.
    Interrupted,
    /// Another server has taken the conversation over.
    LeaseLost,
    /// The workspace could not be read from or written to the object store.
    SyncFailed,
    /// The configuration cannot work.
    Config,
    /// Our fault.
    Internal,
}

impl ErrorKind {
    /// The stable code, as it stands in problem details and `error` events.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::ConversationBusy => "conversation_busy",
            Self::IdempotencyMismatch => "idempotency_mismatch",
            Self::ContextLimit => "context_limit",
            Self::BudgetExceeded => "budget_exceeded",
            Self::RateLimited => "rate_limited",
            Self::FileTooLarge => "file_too_large",
            Self::QuotaExceeded => "quota_exceeded",
            Self::Unavailable => "unavailable",
            Self::AgentUnavailable => "agent_unavailable",
            Self::AgentDied => "agent_died",
            Self::AgentProtocol => "agent_protocol",
            Self::McpUnreachable => "mcp_unreachable",
            Self::ModelError => "model_error",
            Self::TimeLimit => "time_limit",
            Self::TurnLimit => "turn_limit",
            Self::Cancelled => "cancelled",
            Self::Interrupted => "interrupted",
            Self::LeaseLost => "lease_lost",
            Self::SyncFailed => "sync_failed",
            Self::Config => "config",
            Self::Internal => "internal",
        }
    }
}

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// An error of the service.
///
/// `Display` gives the kind, the public sentence and the cause: it is for logs.
/// Clients get [`code`](Self::code) and [`public`](Self::public) only.
#[derive(Debug)]
pub struct ServiceError {
    kind: ErrorKind,
    public: Cow<'static, str>,
    retry_after: Option<std::time::Duration>,
    cause: Option<Cause>,
}

impl ServiceError {
    /// An error with a sentence that a client may read.
    pub fn new(kind: ErrorKind, public: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            public: public.into(),
            retry_after: None,
            cause: None,
        }
    }

    /// A failure of ours: the client learns only that it happened.
    pub fn internal(cause: impl Into<Cause>) -> Self {
        Self {
            kind: ErrorKind::Internal,
            public: Cow::Borrowed("The server failed; the cause is in its log."),
            retry_after: None,
            cause: Some(cause.into()),
        }
    }

    /// Nothing of that name that the caller may see.
    #[must_use]
    pub fn not_found(what: &str) -> Self {
        Self::new(ErrorKind::NotFound, format!("There is no such {what}."))
    }

    /// Adds the cause, which only the log shows.
    #[must_use]
    pub fn because(mut self, cause: impl Into<Cause>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// Says when it makes sense to try again.
    #[must_use]
    pub fn retry_after(mut self, after: std::time::Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// The kind of failure.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The stable code of the kind.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.kind.code()
    }

    /// The sentence for the client.
    #[must_use]
    pub fn public(&self) -> &str {
        &self.public
    }

    /// How long a client should wait before it tries again, if that is known.
    #[must_use]
    pub fn retry_after_hint(&self) -> Option<std::time::Duration> {
        self.retry_after
    }
}

impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.code(), self.public)?;
        if let Some(cause) = &self.cause {
            write!(f, " [{cause}]")?;
        }
        Ok(())
    }
}

impl std::error::Error for ServiceError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause
            .as_ref()
            .map(|c| c.as_ref() as &(dyn std::error::Error + 'static))
    }
}

impl From<sqlx::Error> for ServiceError {
    fn from(cause: sqlx::Error) -> Self {
        match cause {
            sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::Io(_)
            // A connection that is cut while it is set up answers with what the protocol does not know.
            | sqlx::Error::Protocol(_) => {
                Self::new(ErrorKind::Unavailable, "The database cannot be reached.").because(cause)
            }
            other => Self::internal(other),
        }
    }
}

impl From<serde_json::Error> for ServiceError {
    fn from(cause: serde_json::Error) -> Self {
        Self::internal(cause)
    }
}

/// Shorthand of the crate.
pub type Result<T, E = ServiceError> = std::result::Result<T, E>;
