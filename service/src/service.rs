//! The service's face.

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures::Stream;
use hardshell_host::Registry;
use http::{Request, Response};
use secrecy::SecretString;

use crate::config::ServiceConfig;
use crate::error::{ErrorKind, Result, ServiceError};
use crate::ids::{ConversationId, ExecutionId, IdempotencyKey, TenantId};
use crate::run::Run;
use crate::types::*;

/// Events of a run: those kept, then those that come, until the final one.
pub type EventStream = Pin<Box<dyn Stream<Item = StoredEvent> + Send>>;

/// A file's bytes, from the store.
pub struct FileContent {
    /// What is known of it.
    pub file: FileView,
    /// Its bytes.
    pub bytes: Pin<Box<dyn Stream<Item = std::io::Result<Bytes>> + Send>>,
}

/// A file that comes from a client.
pub struct FileUpload {
    /// Its bytes, as they arrive.
    pub bytes: Pin<Box<dyn Stream<Item = std::io::Result<Bytes>> + Send>>,
    /// Their number if it is known, so that a file too large is refused at once.
    pub size: Option<u64>,
}

/// The key made at the very first start; shown once and kept nowhere.
pub struct FirstKey {
    /// The tenant made with it.
    pub tenant: TenantId,
    /// The key.
    pub key: SecretString,
}

/// The service. One per process; all its methods may be called at once.
pub struct Service {
    _config: ServiceConfig,
}

fn not_yet<T>() -> Result<T> {
    Err(ServiceError::new(ErrorKind::Unavailable, "Not available yet."))
}

#[allow(missing_docs, unused_variables, clippy::unused_async)]
impl Service {
    pub async fn open(config: ServiceConfig, registry: Registry) -> Result<Arc<Self>> {
        Ok(Arc::new(Self { _config: config }))
    }
    /// Brings the schema up to date and returns the number of steps taken.
    pub async fn migrate(config: &ServiceConfig) -> Result<u64> {
        not_yet()
    }
    /// The key made at first start, once.
    pub fn take_first_key(&self) -> Option<FirstKey> {
        None
    }
    /// Makes a key for a tenant (made too if new).
    pub async fn create_key(&self, tenant: &TenantId, scopes: &[Scope]) -> Result<SecretString> {
        not_yet()
    }
    pub async fn authenticate(&self, key: &SecretString) -> Result<Principal> {
        not_yet()
    }
    /// `http://127.0.0.1:PORT`, where the children reach the gateway and `/mcp`. Call before `execute`.
    pub fn set_inner_url(&self, url: &str) {}
    pub async fn execute(
        self: &Arc<Self>,
        principal: &Principal,
        request: ExecuteRequest,
        key: Option<IdempotencyKey>,
    ) -> Result<Started> {
        not_yet()
    }
    pub async fn events(
        self: &Arc<Self>,
        principal: &Principal,
        execution: &ExecutionId,
        after: u64,
    ) -> Result<EventStream> {
        not_yet()
    }
    pub async fn cancel(&self, principal: &Principal, execution: &ExecutionId) -> Result<ExecutionView> {
        not_yet()
    }
    pub async fn execution(&self, principal: &Principal, execution: &ExecutionId) -> Result<ExecutionView> {
        not_yet()
    }
    pub async fn executions(
        &self,
        principal: &Principal,
        conversation: Option<&ConversationId>,
        page: PageRequest,
    ) -> Result<Page<ExecutionView>> {
        not_yet()
    }
    pub async fn create_conversation(&self, principal: &Principal, new: NewConversation) -> Result<ConversationView> {
        not_yet()
    }
    pub async fn conversations(&self, principal: &Principal, page: PageRequest) -> Result<Page<ConversationView>> {
        not_yet()
    }
    pub async fn conversation(&self, principal: &Principal, id: &ConversationId) -> Result<ConversationView> {
        not_yet()
    }
    pub async fn messages(
        &self,
        principal: &Principal,
        id: &ConversationId,
        page: PageRequest,
    ) -> Result<Page<MessageView>> {
        not_yet()
    }
    pub async fn delete_conversation(&self, principal: &Principal, id: &ConversationId) -> Result<()> {
        not_yet()
    }
    pub async fn files(&self, principal: &Principal, id: &ConversationId) -> Result<Vec<FileView>> {
        not_yet()
    }
    pub async fn open_file(&self, principal: &Principal, id: &ConversationId, path: &str) -> Result<FileContent> {
        not_yet()
    }
    pub async fn put_file(
        &self,
        principal: &Principal,
        id: &ConversationId,
        path: &str,
        upload: FileUpload,
    ) -> Result<FileView> {
        not_yet()
    }
    pub async fn delete_file(&self, principal: &Principal, id: &ConversationId, path: &str) -> Result<()> {
        not_yet()
    }
    /// The live run that this bearer token stands for; `/mcp` asks on every request.
    pub fn run_for_tool_token(&self, token: &SecretString) -> Option<Arc<Run>> {
        None
    }
    /// Writes a tool call to the audit log.
    pub fn record_tool_call(&self, run: &Run, call: ToolAudit) {}
    /// The model gateway: `/run/{secret}/v1/messages` and `…/count_tokens`.
    pub async fn gateway(&self, secret: &str, request: Request<axum::body::Body>) -> Response<axum::body::Body> {
        Response::new(axum::body::Body::empty())
    }
    /// One round of the sweeper (it also runs by itself).
    pub async fn sweep(self: &Arc<Self>) -> Result<()> {
        not_yet()
    }
    /// Takes no new runs, waits for those alive, stops the rest.
    pub async fn drain(self: &Arc<Self>) {}
    pub async fn ready(&self) -> Readiness {
        Readiness { ready: false, findings: Vec::new() }
    }
    /// Runs alive in this process.
    pub fn runs_alive(&self) -> usize {
        0
    }
}
