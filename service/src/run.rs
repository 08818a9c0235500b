//! A run that is alive in this process, and the register of them.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hardshell_host::Sandbox;
use parking_lot::{Mutex, RwLock};
use secrecy::{ExposeSecret, SecretString};
use tokio_util::sync::CancellationToken;

use crate::ids::{ConversationId, ExecutionId, TenantId};
use crate::keys;
use crate::types::Usage;

/// A live run: what a tool token stands for.
pub struct Run {
    pub(crate) tenant: TenantId,
    pub(crate) conversation: ConversationId,
    pub(crate) execution: ExecutionId,
    pub(crate) sandbox: Sandbox,
    pub(crate) allowed_tools: Option<Arc<[String]>>,
    pub(crate) closed: CancellationToken,
    pub(crate) meter: Arc<Meter>,
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

/// What a run has spent, and what it may.
#[derive(Debug)]
pub(crate) struct Meter {
    usage: Mutex<Usage>,
    /// Micro-dollars.
    budget: u64,
    over: AtomicBool,
}

impl Meter {
    pub(crate) fn new(budget: u64) -> Self {
        Self {
            usage: Mutex::new(Usage::default()),
            budget,
            over: AtomicBool::new(false),
        }
    }

    /// Adds what a request came to.
    pub(crate) fn add(&self, usage: &Usage) {
        self.usage.lock().add(usage);
    }

    pub(crate) fn usage(&self) -> Usage {
        *self.usage.lock()
    }

    /// Whether another request may be made; a refusal is remembered.
    pub(crate) fn allow(&self) -> bool {
        let allowed = self.usage.lock().cost_micros < self.budget;
        if !allowed {
            self.over.store(true, Ordering::Release);
        }
        allowed
    }

    /// Whether a request was refused.
    pub(crate) fn refused(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }
}

/// The secrets of a run: each opens one door, and only while the run lives.
pub(crate) struct Tokens {
    /// Part of the gateway's path.
    pub(crate) gateway: SecretString,
    /// Bearer of `/mcp`.
    pub(crate) tool: SecretString,
    /// What the agent shows as its key; the gateway ignores it.
    pub(crate) model: SecretString,
}

impl Tokens {
    pub(crate) fn generate() -> Result<Self, getrandom::Error> {
        Ok(Self {
            gateway: keys::random("hsg_")?,
            tool: keys::random("hst_")?,
            model: keys::random("hsm_")?,
        })
    }
}

struct Alive {
    cancel: CancellationToken,
    tenant: TenantId,
}

#[derive(Default)]
struct State {
    alive: HashMap<ExecutionId, Alive>,
    by_tool: HashMap<String, Arc<Run>>,
    by_gateway: HashMap<String, Arc<Run>>,
}

/// The runs of this process.
#[derive(Default)]
pub(crate) struct Runs {
    state: RwLock<State>,
}

impl Runs {
    /// Counts a run in, unless there are too many. It counts until
    /// [`leave`](Self::leave).
    pub(crate) fn enter(
        &self,
        id: &ExecutionId,
        tenant: &TenantId,
        most: u32,
        most_of_tenant: u32,
    ) -> Result<CancellationToken, &'static str> {
        let mut state = self.state.write();
        if state.alive.len() >= usize::try_from(most).unwrap_or(usize::MAX) {
            return Err("The server runs as many runs as it may.");
        }
        let of_tenant = state
            .alive
            .values()
            .filter(|alive| alive.tenant == *tenant)
            .count();
        if of_tenant >= usize::try_from(most_of_tenant).unwrap_or(usize::MAX) {
            return Err("The tenant has as many runs at once as it may.");
        }
        let cancel = CancellationToken::new();
        state.alive.insert(
            id.clone(),
            Alive {
                cancel: cancel.clone(),
                tenant: tenant.clone(),
            },
        );
        Ok(cancel)
    }

    pub(crate) fn leave(&self, id: &ExecutionId) {
        self.state.write().alive.remove(id);
    }

    pub(crate) fn is_alive(&self, id: &ExecutionId) -> bool {
        self.state.read().alive.contains_key(id)
    }

    pub(crate) fn count(&self) -> usize {
        self.state.read().alive.len()
    }

    /// Asks a run to end. False if it is not here.
    pub(crate) fn cancel(&self, id: &ExecutionId) -> bool {
        let state = self.state.read();
        let alive = state.alive.get(id);
        if let Some(alive) = alive {
            alive.cancel.cancel();
        }
        alive.is_some()
    }

    pub(crate) fn cancel_all(&self) {
        for alive in self.state.read().alive.values() {
            alive.cancel.cancel();
        }
    }

    /// Opens the doors of a run.
    pub(crate) fn open(&self, tokens: &Tokens, run: &Arc<Run>) {
        let mut state = self.state.write();
        state
            .by_tool
            .insert(keys::hash(tokens.tool.expose_secret()), Arc::clone(run));
        state
            .by_gateway
            .insert(keys::hash(tokens.gateway.expose_secret()), Arc::clone(run));
    }

    /// Closes them.
    pub(crate) fn close(&self, tokens: &Tokens) {
        let mut state = self.state.write();
        let run = state
            .by_tool
            .remove(&keys::hash(tokens.tool.expose_secret()));
        state
            .by_gateway
            .remove(&keys::hash(tokens.gateway.expose_secret()));
        drop(state);
        if let Some(run) = run {
            run.closed.cancel();
        }
    }

    // Looked up by digest: how long that takes says nothing about the token.
    pub(crate) fn by_tool(&self, token: &str) -> Option<Arc<Run>> {
        self.state.read().by_tool.get(&keys::hash(token)).cloned()
    }

    pub(crate) fn by_gateway(&self, secret: &str) -> Option<Arc<Run>> {
        self.state
            .read()
            .by_gateway
            .get(&keys::hash(secret))
            .cloned()
    }
}
