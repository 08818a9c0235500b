//! A run that is alive in this process.

use std::sync::Arc;

use hardshell_host::Sandbox;
use tokio_util::sync::CancellationToken;

use crate::ids::{ConversationId, ExecutionId, TenantId};

/// A live run: what a tool token stands for.
pub struct Run {
    pub(crate) tenant: TenantId,
    pub(crate) conversation: ConversationId,
    pub(crate) execution: ExecutionId,
    pub(crate) sandbox: Sandbox,
    pub(crate) allowed_tools: Option<Arc<[String]>>,
    pub(crate) closed: CancellationToken,
}

impl Run {
    /// The tenant.
    #[must_use]
    pub fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// The conversation.
    #[must_use]
    pub fn conversation(&self) -> &ConversationId {
        &self.conversation
    }

    /// The execution.
    #[must_use]
    pub fn execution(&self) -> &ExecutionId {
        &self.execution
    }

    /// The sandbox that tool calls of this run use.
    #[must_use]
    pub fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// The tools that exist in this run; none means all.
    #[must_use]
    pub fn allowed_tools(&self) -> Option<&[String]> {
        self.allowed_tools.as_deref()
    }

    /// Cancelled when the run ends: whoever keeps a session for it ends its
    /// calls and drops it then.
    #[must_use]
    pub fn closed(&self) -> &CancellationToken {
        &self.closed
    }
}
