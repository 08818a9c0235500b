//! The service's face. What it does is in the modules; here is who may ask for it.

use std::ffi::OsString;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures::Stream;
use hardshell_host::Registry;
use http::{Request, Response};
use parking_lot::{Mutex, RwLock};
use secrecy::{ExposeSecret, SecretString};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::agent::launch::{self, LAUNCH_ARGUMENT, Landlock};
use crate::agent::version::Versions;
use crate::config::ServiceConfig;
use crate::error::{ErrorKind, Result, ServiceError};
use crate::exec::{self, Live};
use crate::gateway::Gateway;
use crate::ids::{ConversationId, ExecutionId, IdempotencyKey, KeyId, TenantId};
use crate::keys;
use crate::lease::{Leases, LocalLeases, RedisLeases};
use crate::local::{self, ScratchFolders, Users};
use crate::objects::{FolderObjects, Objects, S3Objects};
use crate::run::{Run, Runs};
use crate::store::Store;
use crate::sync::{Homes, dir};
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
    pub(crate) config: ServiceConfig,
    pub(crate) registry: Registry,
    pub(crate) store: Store,
    pub(crate) leases: Arc<dyn Leases>,
    pub(crate) objects: Arc<dyn Objects>,
    pub(crate) homes: Homes,
    pub(crate) scratch: ScratchFolders,
    pub(crate) users: Users,
    pub(crate) agent_dir: (Arc<OwnedFd>, PathBuf),
    pub(crate) launcher: Vec<OsString>,
    pub(crate) replica: String,
    pub(crate) runs: Runs,
    pub(crate) live: Live,
    pub(crate) versions: Versions,
    pub(crate) tasks: TaskTracker,
    gateway: Gateway,
    landlock: Landlock,
    inner_url: RwLock<Option<String>>,
    first_key: Mutex<Option<FirstKey>>,
    draining: CancellationToken,
    closed: CancellationToken,
    lock: Mutex<Option<File>>,
}

/// The tenant of the first start.
const FIRST_TENANT: &str = "default";
/// How often runs that another server was asked to cancel are looked for.
const CANCEL_LOOK: Duration = Duration::from_millis(500);

impl Service {
    /// Opens everything, brings left-over runs to their end and starts the sweeper.
    ///
    /// # Errors
    /// What cannot be reached or cannot work, each with its own sentence.
    pub async fn open(config: ServiceConfig, registry: Registry) -> Result<Arc<Self>> {
        // For every client of TLS that follows; another crate may have done it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let lock = local::lock(&config.data_dir)?;
        let replica = local::replica(&config)?;
        let store = Store::connect(&config).await?;
        if config.database.migrate {
            store.migrate().await?;
        }
        let leases: Arc<dyn Leases> = match &config.lease.redis_url {
            Some(url) => Arc::new(RedisLeases::connect(url, &config.lease.prefix).await?),
            None => Arc::new(LocalLeases::default()),
        };
        let objects: Arc<dyn Objects> = match &config.objects.s3 {
            Some(s3) => Arc::new(S3Objects::open(s3)?),
            None => Arc::new(FolderObjects::open(&config.data_dir.join("objects"))?),
        };
        let users = Users::new(config.agent.uid_base, config.limits.runs.saturating_mul(2));
        let landlock = launch::probe();
        if landlock != Landlock::Full {
            tracing::warn!(
                "this kernel cannot confine agents by Landlock in full; their own user, their empty folders and \
                 their environment still do"
            );
        }
        if !users.separate() {
            tracing::warn!("not started as root: agents run as the server's own user");
        }
        let launcher = match &config.agent.launcher {
            Some(launcher) => launcher.clone(),
            None => {
                let exe = std::env::current_exe().map_err(ServiceError::internal)?;
                vec![exe.into_os_string(), LAUNCH_ARGUMENT.into()]
            }
        };
        let service = Arc::new(Self {
            homes: Homes::open(&config.data_dir)?,
            scratch: ScratchFolders::open(&config.data_dir)?,
            agent_dir: local::agent_dir(&config, &replica, users.separate())?,
            gateway: Gateway::new(&config.model, store.clone())?,
            registry,
            store,
            leases,
            objects,
            users,
            launcher,
            replica,
            landlock,
            runs: Runs::default(),
            live: Live::default(),
            versions: Versions::default(),
            tasks: TaskTracker::new(),
            inner_url: RwLock::new(None),
            first_key: Mutex::new(None),
            draining: CancellationToken::new(),
            closed: CancellationToken::new(),
            lock: Mutex::new(Some(lock)),
            config,
        });
        service.first_start().await?;
        // A lease of this process's own can have no other holder: all is ours to end.
        let alone = service.config.lease.redis_url.is_none();
        exec::sweeper::sweep(&service, alone).await?;
        service.keep_house();
        Ok(service)
    }

    /// Brings the schema up to date without starting anything; returns the number
    /// of steps taken.
    ///
    /// # Errors
    /// When the database cannot be reached or has a schema of its own.
    pub async fn migrate(config: &ServiceConfig) -> Result<u64> {
        dir::make_private(&config.data_dir).map_err(|cause| {
            ServiceError::new(ErrorKind::Config, "The data folder cannot be used.").because(cause)
        })?;
        let store = Store::connect(config).await?;
        let steps = store.migrate().await;
        store.close().await;
        steps
    }

    async fn first_start(&self) -> Result<()> {
        if self.store.has_keys().await? {
            return Ok(());
        }
        let tenant = TenantId::parse(FIRST_TENANT).map_err(ServiceError::internal)?;
        self.store.ensure_tenant(&tenant).await?;
        if let Some(key) = self.make_key(&tenant, &[Scope::Admin], true).await? {
            *self.first_key.lock() = Some(FirstKey { tenant, key });
        }
        Ok(())
    }

    async fn make_key(
        &self,
        tenant: &TenantId,
        scopes: &[Scope],
        first: bool,
    ) -> Result<Option<SecretString>> {
        let key = keys::random(keys::API_KEY).map_err(ServiceError::internal)?;
        let (hash, shown) = (
            keys::hash(key.expose_secret()),
            keys::shown(key.expose_secret()),
        );
        let made = self
            .store
            .insert_key(&KeyId::generate(), tenant, &hash, &shown, scopes, first)
            .await?;
        Ok(made.then_some(key))
    }

    fn keep_house(self: &Arc<Self>) {
        let service = Arc::downgrade(self);
        let closed = self.closed.clone();
        let every = self.config.sweep_every.max(Duration::from_millis(100));
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    () = closed.cancelled() => return,
                    () = tokio::time::sleep(every) => {}
                }
                let Some(service) = service.upgrade() else {
                    return;
                };
                if let Err(error) = exec::sweeper::sweep(&service, false).await {
                    tracing::warn!(%error, "the sweeper could not do its round");
                }
            }
        });
        let service = Arc::downgrade(self);
        let closed = self.closed.clone();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    () = closed.cancelled() => return,
                    () = tokio::time::sleep(CANCEL_LOOK) => {}
                }
                let Some(service) = service.upgrade() else {
                    return;
                };
                if service.runs.count() == 0 {
                    continue;
                }
                for id in service
                    .store
                    .cancelled(&service.replica)
                    .await
                    .unwrap_or_default()
                {
                    service.runs.cancel(&id);
                }
            }
        });
    }

    pub(crate) fn require(&self, principal: &Principal, scope: Scope) -> Result<()> {
        if principal.may(scope) {
            return Ok(());
        }
        Err(ServiceError::new(
            ErrorKind::Forbidden,
            "The key may not do this.",
        ))
    }

    pub(crate) fn accepting(&self) -> Result<()> {
        if self.draining.is_cancelled() {
            return Err(
                ServiceError::new(ErrorKind::Unavailable, "The server is going down.")
                    .retry_after(Duration::from_secs(5)),
            );
        }
        Ok(())
    }

    /// The key made at the first start. Given once.
    #[must_use]
    pub fn take_first_key(&self) -> Option<FirstKey> {
        self.first_key.lock().take()
    }

    /// Makes a key for a tenant, and the tenant if it is new. The key is shown here
    /// and kept nowhere.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn create_key(&self, tenant: &TenantId, scopes: &[Scope]) -> Result<SecretString> {
        self.store.ensure_tenant(tenant).await?;
        let key = self.make_key(tenant, scopes, false).await?;
        key.ok_or_else(|| ServiceError::internal("a key was not written down"))
    }

    /// Ends a key of the caller's tenant.
    ///
    /// # Errors
    /// `forbidden` without the scope; `not_found` if there is no such key.
    pub async fn revoke_key(&self, principal: &Principal, id: &KeyId) -> Result<()> {
        self.require(principal, Scope::Admin)?;
        if self.store.revoke_key(&principal.tenant, id).await? {
            return Ok(());
        }
        Err(ServiceError::not_found("key"))
    }

    /// Who a key stands for.
    ///
    /// # Errors
    /// `unauthenticated` for anything that is no valid key.
    pub async fn authenticate(&self, key: &SecretString) -> Result<Principal> {
        let refused = || {
            ServiceError::new(
                ErrorKind::Unauthenticated,
                "The API key is missing or not valid.",
            )
        };
        let key = key.expose_secret();
        if !key.starts_with(keys::API_KEY) || key.len() > 256 {
            return Err(refused());
        }
        // Looked up by digest: how long that takes says nothing about the key.
        self.store
            .principal(&keys::hash(key))
            .await?
            .ok_or_else(refused)
    }

    /// Says where this process serves `/run/…` and `/mcp` to its children:
    /// `http://127.0.0.1:PORT`. Before it is said no run can start.
    pub fn set_inner_url(&self, url: &str) {
        *self.inner_url.write() = Some(url.trim_end_matches('/').to_owned());
    }

    pub(crate) fn inner_url(&self) -> Result<String> {
        self.inner_url.read().clone().ok_or_else(|| {
            ServiceError::new(ErrorKind::Unavailable, "The server is still starting.")
                .retry_after(Duration::from_secs(1))
        })
    }

    /// The ports that a child may connect to.
    pub(crate) fn inner_ports(&self) -> Result<Vec<u16>> {
        let url = reqwest::Url::parse(&self.inner_url()?).map_err(ServiceError::internal)?;
        Ok(url.port_or_known_default().into_iter().collect())
    }

    /// The tenant's skills, if there are any.
    pub(crate) fn skills(&self, tenant: &TenantId) -> Result<Option<OwnedFd>> {
        let Some(folder) = &self.config.skills_dir else {
            return Ok(None);
        };
        let failed = |cause: std::io::Error| {
            ServiceError::new(ErrorKind::Internal, "The skills cannot be read.").because(cause)
        };
        let root = dir::open_ambient(folder).map_err(failed)?;
        match dir::open_dir(&root, tenant.as_str().as_bytes()) {
            Ok(skills) => Ok(Some(skills)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }

    /// Starts a run, or names the one that the idempotency key started before.
    ///
    /// # Errors
    /// Everything that speaks against a run before any work is done.
    pub async fn execute(
        self: &Arc<Self>,
        principal: &Principal,
        request: ExecuteRequest,
        key: Option<IdempotencyKey>,
    ) -> Result<Started> {
        exec::admit::execute(self, principal, request, key).await
    }

    /// The run's events after number `after`: those kept, then those that come. The
    /// stream ends after `done`; one that ends without it is to be asked for again.
    ///
    /// # Errors
    /// `not_found` when the caller has no such run.
    pub async fn events(
        self: &Arc<Self>,
        principal: &Principal,
        execution: &ExecutionId,
        after: u64,
    ) -> Result<EventStream> {
        self.execution(principal, execution).await?;
        Ok(exec::stream::events(
            Arc::clone(self),
            execution.clone(),
            after,
        ))
    }

    /// Asks a run to end, wherever it is. One that has ended stays as it is.
    ///
    /// # Errors
    /// `not_found` when the caller has no such run.
    pub async fn cancel(
        &self,
        principal: &Principal,
        execution: &ExecutionId,
    ) -> Result<ExecutionView> {
        self.require(principal, Scope::Write)?;
        self.execution(principal, execution).await?;
        self.store
            .request_cancel(&principal.tenant, execution)
            .await?;
        self.runs.cancel(execution);
        self.execution(principal, execution).await
    }

    /// A run.
    ///
    /// # Errors
    /// `not_found` when the caller has no such run.
    pub async fn execution(
        &self,
        principal: &Principal,
        execution: &ExecutionId,
    ) -> Result<ExecutionView> {
        self.require(principal, Scope::Read)?;
        let view = self
            .store
            .execution_view(&principal.tenant, execution)
            .await?;
        view.ok_or_else(|| ServiceError::not_found("execution"))
    }

    /// The caller's runs, newest first, of one conversation or of all.
    ///
    /// # Errors
    /// `not_found` when the caller has no such conversation.
    pub async fn executions(
        &self,
        principal: &Principal,
        conversation: Option<&ConversationId>,
        page: PageRequest,
    ) -> Result<Page<ExecutionView>> {
        self.require(principal, Scope::Read)?;
        if let Some(id) = conversation {
            self.owned(principal, id).await?;
        }
        self.store
            .execution_views(&principal.tenant, conversation, &page)
            .await
    }

    /// Makes a conversation.
    ///
    /// # Errors
    /// `invalid_request` for a title that is too long.
    pub async fn create_conversation(
        &self,
        principal: &Principal,
        new: NewConversation,
    ) -> Result<ConversationView> {
        self.require(principal, Scope::Write)?;
        if new
            .title
            .as_ref()
            .is_some_and(|title| title.chars().count() > 200)
        {
            return Err(ServiceError::new(
                ErrorKind::InvalidRequest,
                "The title has more than 200 characters.",
            ));
        }
        let id = ConversationId::generate();
        self.store
            .insert_conversation(&principal.tenant, &id, new.title.as_deref())
            .await?;
        self.conversation(principal, &id).await
    }

    /// The caller's conversations, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn conversations(
        &self,
        principal: &Principal,
        page: PageRequest,
    ) -> Result<Page<ConversationView>> {
        self.require(principal, Scope::Read)?;
        self.store
            .conversation_views(&principal.tenant, &page)
            .await
    }

    /// A conversation.
    ///
    /// # Errors
    /// `not_found` when the caller has no such conversation.
    pub async fn conversation(
        &self,
        principal: &Principal,
        id: &ConversationId,
    ) -> Result<ConversationView> {
        self.require(principal, Scope::Read)?;
        let view = self.store.conversation_view(&principal.tenant, id).await?;
        view.ok_or_else(|| ServiceError::not_found("conversation"))
    }

    async fn owned(&self, principal: &Principal, id: &ConversationId) -> Result<()> {
        let row = self.store.conversation_row(&principal.tenant, id).await?;
        row.map(|_| ())
            .ok_or_else(|| ServiceError::not_found("conversation"))
    }

    /// A conversation's messages, oldest first.
    ///
    /// # Errors
    /// `not_found` when the caller has no such conversation.
    pub async fn messages(
        &self,
        principal: &Principal,
        id: &ConversationId,
        page: PageRequest,
    ) -> Result<Page<MessageView>> {
        self.require(principal, Scope::Read)?;
        self.owned(principal, id).await?;
        self.store.message_views(id, &page).await
    }

    /// Deletes a conversation with its messages and files.
    ///
    /// # Errors
    /// `not_found`; `conversation_busy` while it runs.
    pub async fn delete_conversation(
        &self,
        principal: &Principal,
        id: &ConversationId,
    ) -> Result<()> {
        self.require(principal, Scope::Write)?;
        exec::files::delete_conversation(self, &principal.tenant, id).await
    }

    /// A conversation's registered files, by path.
    ///
    /// # Errors
    /// `not_found` when the caller has no such conversation.
    pub async fn files(&self, principal: &Principal, id: &ConversationId) -> Result<Vec<FileView>> {
        self.require(principal, Scope::Read)?;
        self.owned(principal, id).await?;
        self.store.file_views(id, None).await
    }

    /// A file's content.
    ///
    /// # Errors
    /// `not_found`; `invalid_request` for a path that is none.
    pub async fn open_file(
        &self,
        principal: &Principal,
        id: &ConversationId,
        path: &str,
    ) -> Result<FileContent> {
        self.require(principal, Scope::Read)?;
        self.owned(principal, id).await?;
        exec::files::open(self, &principal.tenant, id, path).await
    }

    /// Stores a file of the user's.
    ///
    /// # Errors
    /// `conversation_busy` while it runs; `file_too_large`, `quota_exceeded`.
    pub async fn put_file(
        self: &Arc<Self>,
        principal: &Principal,
        id: &ConversationId,
        path: &str,
        upload: FileUpload,
    ) -> Result<FileView> {
        self.require(principal, Scope::Write)?;
        self.owned(principal, id).await?;
        exec::files::put(self, &principal.tenant, id, path, upload).await
    }

    /// Deletes a file.
    ///
    /// # Errors
    /// `not_found`; `conversation_busy` while it runs.
    pub async fn delete_file(
        &self,
        principal: &Principal,
        id: &ConversationId,
        path: &str,
    ) -> Result<()> {
        self.require(principal, Scope::Write)?;
        self.owned(principal, id).await?;
        exec::files::delete(self, &principal.tenant, id, path).await
    }

    /// The live run that a bearer token of `/mcp` stands for. To be asked on every
    /// request: the answer ends with the run.
    #[must_use]
    pub fn run_for_tool_token(&self, token: &SecretString) -> Option<Arc<Run>> {
        self.runs.by_tool(token.expose_secret())
    }

    /// Writes a tool call to the audit log, in the background.
    pub fn record_tool_call(&self, run: &Run, call: ToolAudit) {
        let store = self.store.clone();
        let (tenant, conversation, execution) = (
            run.tenant.clone(),
            run.conversation.clone(),
            run.execution.clone(),
        );
        self.tasks.spawn(async move {
            if let Err(error) = store.insert_audit(&tenant, &conversation, &execution, &call).await {
                tracing::error!(%execution, tool = %call.tool, %error, "a tool call is missing in the audit log");
            }
        });
    }

    /// The audit log of the caller's tool calls, oldest first, of one run or of all.
    ///
    /// # Errors
    /// `forbidden` without the scope.
    pub async fn audit(
        &self,
        principal: &Principal,
        execution: Option<&ExecutionId>,
        page: PageRequest,
    ) -> Result<Page<AuditView>> {
        self.require(principal, Scope::Admin)?;
        self.store
            .audit_views(&principal.tenant, execution, &page)
            .await
    }

    /// Serves a child's request to its model: `/run/{secret}/v1/messages` and its
    /// `count_tokens`.
    pub async fn gateway(&self, secret: &str, request: Request<Body>) -> Response<Body> {
        self.gateway.serve(&self.runs, secret, request).await
    }

    /// One round of the sweeper, which also runs by itself.
    ///
    /// # Errors
    /// When the database or the own disk fails.
    pub async fn sweep(self: &Arc<Self>) -> Result<()> {
        exec::sweeper::sweep(self, false).await
    }

    /// Takes no new runs, lets those alive go on for a while, stops the rest, and
    /// returns when all are written down.
    pub async fn drain(self: &Arc<Self>) {
        self.draining.cancel();
        let all_over = async {
            while self.runs.count() > 0 {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        if tokio::time::timeout(self.config.drain_for, all_over)
            .await
            .is_err()
        {
            tracing::warn!(
                runs = self.runs.count(),
                "runs are stopped because the server goes down"
            );
            self.runs.cancel_all();
        }
        self.tasks.close();
        self.tasks.wait().await;
        self.closed.cancel();
        self.store.close().await;
        // Another server may use the data folder now, even if somebody still holds
        // this service.
        self.lock.lock().take();
    }

    /// Whether this server can work, and what is amiss.
    pub async fn ready(&self) -> Readiness {
        let mut findings = Vec::new();
        let mut find = |check: &str, fatal: bool, message: String| {
            findings.push(Finding {
                check: check.to_owned(),
                fatal,
                message,
            });
        };
        let wait = Duration::from_secs(3);
        let late = || {
            Err(ServiceError::new(
                ErrorKind::Unavailable,
                "It does not answer.",
            ))
        };
        let (database, lease, objects) = tokio::join!(
            self.store.ping(),
            async {
                tokio::time::timeout(wait, self.leases.ping())
                    .await
                    .unwrap_or_else(|_| late())
            },
            async {
                tokio::time::timeout(wait, self.objects.ping())
                    .await
                    .unwrap_or_else(|_| late())
            },
        );
        for (check, result) in [
            ("database", database),
            ("lease", lease),
            ("objects", objects),
        ] {
            if let Err(error) = result {
                find(check, true, error.public().to_owned());
            }
        }
        let cli = self.config.agent.cli.as_deref();
        if let Err(error) = self
            .versions
            .check(cli, &self.config.agent.min_version)
            .await
        {
            find("agent", true, error.public().to_owned());
        }
        if self.landlock != Landlock::Full {
            let text = "The kernel cannot confine agents by Landlock in full.";
            find("landlock", self.config.agent.require_landlock, text.into());
        }
        if self.draining.is_cancelled() {
            find("drain", true, "The server is going down.".into());
        }
        Readiness {
            ready: !findings.iter().any(|finding| finding.fatal),
            findings,
        }
    }

    /// Runs alive in this process.
    #[must_use]
    pub fn runs_alive(&self) -> usize {
        self.runs.count()
    }
}
