//! The protocol's requests, answered from a session.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use rmcp::ErrorData as McpError;
use rmcp::model::{
    CacheScope, CallToolRequestParams, CallToolResponse, CompleteRequestParams, CompleteResult,
    Extensions, GetPromptRequestParams, GetPromptResponse, Implementation, ListPromptsResult,
    ListResourceTemplatesResult, ListResourcesResult, ListToolsResult, PaginatedRequestParams,
    ProgressNotificationParam, ProgressToken, ProtocolVersion, ReadResourceRequestParams,
    ReadResourceResponse, ServerCapabilities, ServerConfig, SubscribeRequestParams,
    SubscriptionFilter, UnsubscribeRequestParams,
};
use rmcp::service::{NotificationContext, Peer, RequestContext, RoleServer, SubscriptionContext};
use rmcp::{ServerHandler, model};
use tokio_util::sync::CancellationToken;

use crate::http::Authorised;
use crate::resources::{self, notices, prompts};
use crate::session::{CallContext, CallError, Progress, Session};

/// What a model is told about the server: what it can do here, and what it cannot.
pub(crate) const INSTRUCTIONS: &str = "\
This server is a sandboxed Linux-like shell and file system. Work on files in /workspace; /tmp is scratch space; \
/skills, where it exists, is read-only. Nothing else of any computer can be seen.

Bash runs bash scripts: pipelines, loops, functions, here-documents, job control with & and wait, and the usual \
commands (coreutils, grep, rg, sed, awk, find, xargs, jq, diff, patch, tar, gzip and more; `ls /bin` lists them all). \
The working directory carries over between calls, variables do not.

There is no network, no package installation, no root, no native executables, and no process outlives the session. \
Time, CPU, memory, processes, output and disk space are limited; a command that meets a limit ends with exit code 137 \
and a sentence that names it.

Read files with Read, change them with Edit or MultiEdit (after Read), create them with Write, find them with Glob \
and search them with Grep: these are faster than cat, sed, echo, find and grep. Start long commands with \
run_in_background and look at them with BashOutput.";

/// How long a client may keep a list, milliseconds. Changes are notified as well.
pub(crate) const LIST_TTL_MS: u64 = 60_000;

/// Clients that give their model the structured content of a result in place of its text.
const TEXT_ONLY_CLIENTS: &[&str] = &["claude-code", "claude-ai"];

/// Where requests find their session.
enum Source {
    /// One session for all of them.
    Fixed(Arc<Session>),
    /// The one that this very request was authorised for.
    Authorised,
}

/// One connection's server.
pub(crate) struct Bridge {
    source: Source,
    /// Cancelled when the connection is gone, and with it every call that it began.
    closed: CancellationToken,
    /// Resources whose changes the client wants to hear of.
    subscribed: Arc<Mutex<BTreeSet<String>>>,
    notifying: AtomicBool,
}

impl Bridge {
    pub(crate) fn fixed(session: Arc<Session>, closed: CancellationToken) -> Self {
        Bridge {
            closed,
            ..Bridge::new(Source::Fixed(session))
        }
    }

    pub(crate) fn authorised() -> Self {
        Bridge::new(Source::Authorised)
    }

    fn new(source: Source) -> Self {
        Bridge {
            source,
            closed: CancellationToken::new(),
            subscribed: Arc::default(),
            notifying: AtomicBool::new(false),
        }
    }

    fn session(&self, extensions: &Extensions) -> Result<Arc<Session>, McpError> {
        match &self.source {
            Source::Fixed(session) => Ok(Arc::clone(session)),
            Source::Authorised => authorised(extensions)
                .map(|authorised| Arc::clone(&authorised.session))
                .ok_or_else(|| {
                    McpError::internal_error("the request carries no authorisation", None)
                }),
        }
    }
}

fn authorised(extensions: &Extensions) -> Option<&Authorised> {
    extensions
        .get::<::http::request::Parts>()?
        .extensions
        .get::<Authorised>()
}

/// Whether the client shows its model structured content instead of text.
fn text_only(context: &RequestContext<RoleServer>) -> bool {
    context
        .client_info()
        .is_some_and(|client| TEXT_ONLY_CLIENTS.contains(&client.name.as_str()))
}

/// Progress as the protocol's notifications.
struct Reporter {
    peer: Peer<RoleServer>,
    token: ProgressToken,
}

#[async_trait::async_trait]
impl Progress for Reporter {
    async fn report(&self, seconds: f64, message: String) {
        let seconds = (seconds * 10.0).round() / 10.0;
        let text = if message.is_empty() {
            format!("running for {seconds:.0} s")
        } else {
            format!("running for {seconds:.0} s\n{message}")
        };
        let note = ProgressNotificationParam::new(self.token.clone(), seconds).with_message(text);
        // A client that went away is noticed elsewhere.
        let _ = self.peer.notify_progress(note).await;
    }
}

impl ServerHandler for Bridge {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_tool_list_changed()
            .enable_prompts()
            .enable_resources()
            .enable_resources_subscribe()
            .enable_resources_list_changed()
            .enable_completions();
        #[allow(unused_mut)]
        let mut capabilities = capabilities.build();
        #[cfg(feature = "conformance-fixtures")]
        crate::fixtures::capabilities(&mut capabilities);
        ServerConfig::new(capabilities)
            .with_server_info(
                Implementation::new("hardshell", env!("CARGO_PKG_VERSION"))
                    .with_title("Hardshell sandbox"),
            )
            .with_instructions(INSTRUCTIONS)
    }

    fn supported_protocol_versions(&self) -> std::borrow::Cow<'static, [ProtocolVersion]> {
        std::borrow::Cow::Borrowed(ProtocolVersion::KNOWN_VERSIONS)
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, McpError> {
        let session = self.session(&context.extensions)?;
        #[allow(unused_mut)]
        let mut tools = session.tools(text_only(&context));
        #[cfg(feature = "conformance-fixtures")]
        tools.extend(crate::fixtures::tools());
        Ok(ListToolsResult::with_all_items(tools)
            .with_ttl_ms(LIST_TTL_MS)
            .with_cache_scope(CacheScope::Private))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, McpError> {
        #[cfg(feature = "conformance-fixtures")]
        let request = match crate::fixtures::call(request, &context).await {
            Ok(response) => return response,
            Err(request) => request,
        };
        let session = self.session(&context.extensions)?;
        let call = CallContext {
            cancel: context.ct.child_token(),
            progress: context.meta.get_progress_token().map(|token| {
                Arc::new(Reporter {
                    peer: context.peer.clone(),
                    token,
                }) as Arc<dyn Progress>
            }),
            text_only: text_only(&context),
        };
        let arguments = request.arguments.unwrap_or_default();
        let running = session.call(&request.name, arguments, &call);
        tokio::pin!(running);
        let result = match authorised(&context.extensions) {
            // Over HTTP, a client that hangs up takes its call back.
            Some(authorised) => tokio::select! {
                result = &mut running => result,
                () = authorised.gone.cancelled() => {
                    call.cancel.cancel();
                    running.await
                }
            },
            None => tokio::select! {
                result = &mut running => result,
                () = self.closed.cancelled() => {
                    call.cancel.cancel();
                    running.await
                }
            },
        };
        match result {
            Ok(result) => Ok(result.into()),
            Err(error @ CallError::UnknownTool(_)) => {
                Err(McpError::invalid_params(error.to_string(), None))
            }
            Err(error @ CallError::Busy { .. }) => {
                Ok(
                    model::CallToolResult::error(vec![model::ContentBlock::text(
                        error.to_string(),
                    )])
                    .into(),
                )
            }
        }
    }

    async fn list_resources(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, McpError> {
        let session = self.session(&context.extensions)?;
        #[allow(unused_mut)]
        let mut list =
            resources::list(&session, request.and_then(|request| request.cursor)).await?;
        #[cfg(feature = "conformance-fixtures")]
        list.resources.splice(0..0, crate::fixtures::resources());
        Ok(list)
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, McpError> {
        #[allow(unused_mut)]
        let mut templates = resources::templates();
        #[cfg(feature = "conformance-fixtures")]
        templates.extend(crate::fixtures::templates());
        Ok(ListResourceTemplatesResult::with_all_items(templates)
            .with_ttl_ms(LIST_TTL_MS)
            .with_cache_scope(CacheScope::Private))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, McpError> {
        #[cfg(feature = "conformance-fixtures")]
        if let Some(response) = crate::fixtures::read(&request, &context) {
            return response;
        }
        let session = self.session(&context.extensions)?;
        resources::read(&session, &request.uri, &context.ct)
            .await
            .map(Into::into)
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, McpError> {
        #[allow(unused_mut)]
        let mut all = prompts::list();
        #[cfg(feature = "conformance-fixtures")]
        all.extend(crate::fixtures::prompts());
        Ok(ListPromptsResult::with_all_items(all)
            .with_ttl_ms(LIST_TTL_MS)
            .with_cache_scope(CacheScope::Public))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, McpError> {
        #[cfg(feature = "conformance-fixtures")]
        if let Some(response) = crate::fixtures::prompt(&request, &context) {
            return response;
        }
        let _ = context;
        prompts::get(&request.name, request.arguments.as_ref()).map(Into::into)
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, McpError> {
        #[cfg(feature = "conformance-fixtures")]
        if let Some(response) = crate::fixtures::complete(&request) {
            return response;
        }
        let session = self.session(&context.extensions)?;
        resources::complete(&session, &request).await
    }

    #[allow(
        deprecated,
        reason = "the current revision subscribes through listen, the one before through this"
    )]
    async fn subscribe(
        &self,
        request: SubscribeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), McpError> {
        let session = self.session(&context.extensions)?;
        let mut subscribed = self.subscribed.lock();
        if subscribed.len() >= notices::SUBSCRIPTIONS_MAX {
            return Err(McpError::invalid_request("too many subscriptions", None));
        }
        subscribed.insert(request.uri);
        drop(subscribed);
        self.notify(&session, &context.peer);
        Ok(())
    }

    #[allow(deprecated, reason = "as for subscribe")]
    async fn unsubscribe(
        &self,
        request: UnsubscribeRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), McpError> {
        self.subscribed.lock().remove(&request.uri);
        Ok(())
    }

    #[cfg(feature = "conformance-fixtures")]
    #[allow(deprecated, reason = "the suite asks for it")]
    async fn set_level(
        &self,
        _: model::SetLevelRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), McpError> {
        Ok(())
    }

    /// For arguments that a client repeats in headers.
    #[cfg(feature = "conformance-fixtures")]
    fn get_tool(&self, name: &str) -> Option<model::Tool> {
        crate::fixtures::tool(name)
    }

    fn accepted_subscription_filter(
        &self,
        requested: &SubscriptionFilter,
    ) -> Option<SubscriptionFilter> {
        let mut accepted = requested.clone();
        if let Some(uris) = &mut accepted.resource_subscriptions {
            uris.truncate(notices::SUBSCRIPTIONS_MAX);
        }
        Some(accepted)
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), McpError> {
        let session = self.session(&context.request_context().extensions)?;
        notices::listen(&session, &context).await;
        Ok(())
    }

    async fn on_initialized(&self, context: NotificationContext<RoleServer>) {
        if let Ok(session) = self.session(&context.extensions) {
            self.notify(&session, &context.peer);
        }
    }
}

impl Bridge {
    /// Sends the notices of a session to a client that has a connection of its own, once.
    fn notify(&self, session: &Arc<Session>, peer: &Peer<RoleServer>) {
        if self.notifying.swap(true, Ordering::Relaxed) {
            return;
        }
        tokio::spawn(notices::forward(
            Arc::downgrade(session),
            session.notices(),
            session.watch_tools(),
            peer.clone(),
            Arc::clone(&self.subscribed),
        ));
    }
}
