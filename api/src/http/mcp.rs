//! `/mcp`: which session a bearer token stands for.
//!
//! Two tokens exist: that of a live run, which the agent child gets, and an API key together
//! with a conversation, for clients outside. Each is checked on every request.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Weak};

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hardshell_mcp::{
    Authorizer, Denied, Finished, Outcome, Session, SessionOptions, ToolObserver, ToolProvider,
};
use hardshell_service::{Run, Service, ToolAudit};
use http::HeaderValue;
use http::header::AUTHORIZATION;
use parking_lot::Mutex;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::execute::CONVERSATION;
use super::problem::Problem;
use crate::telemetry::metrics::Metrics;

/// The sessions of live runs, by execution.
pub(crate) struct Sessions {
    service: Arc<Service>,
    metrics: Arc<Metrics>,
    providers: Vec<Arc<dyn ToolProvider>>,
    live: Mutex<HashMap<String, Arc<Session>>>,
}

impl Sessions {
    /// None yet.
    pub(crate) fn new(
        service: Arc<Service>,
        metrics: Arc<Metrics>,
        providers: Vec<Arc<dyn ToolProvider>>,
    ) -> Arc<Self> {
        Arc::new(Sessions {
            providers,
            service,
            metrics,
            live: Mutex::default(),
        })
    }

    /// The session of a run; made at its first request, dropped when the run ends.
    fn of(self: &Arc<Self>, run: &Arc<Run>) -> Arc<Session> {
        let id = run.execution().to_string();
        let mut live = self.live.lock();
        if let Some(session) = live.get(&id) {
            return Arc::clone(session);
        }
        let options = SessionOptions {
            allowed_tools: run
                .allowed_tools()
                .map(|names| names.iter().cloned().collect::<BTreeSet<_>>()),
            observer: Arc::new(Observer {
                service: Arc::downgrade(&self.service),
                metrics: Arc::clone(&self.metrics),
                run: Arc::downgrade(run),
            }),
            providers: self.providers.clone(),
            ..SessionOptions::default()
        };
        let session = Arc::new(Session::new(run.sandbox().clone(), options));
        live.insert(id.clone(), Arc::clone(&session));
        drop(live);
        let closed = run.closed().clone();
        let sessions = Arc::downgrade(self);
        tokio::spawn(async move {
            closed.cancelled().await;
            if let Some(sessions) = sessions.upgrade() {
                sessions.live.lock().remove(&id);
            }
        });
        session
    }
}

/// Tokens of live runs: the listener of the agent children.
pub(crate) struct RunTokens(pub(crate) Arc<Sessions>);

#[async_trait::async_trait]
impl Authorizer for RunTokens {
    async fn authorize(&self, bearer: SecretString) -> Result<Arc<Session>, Denied> {
        let run = self
            .0
            .service
            .run_for_tool_token(&bearer)
            .ok_or(Denied::Invalid)?;
        Ok(self.0.of(&run))
    }
}

/// Writes a tool call down: audit, figures, log.
struct Observer {
    service: Weak<Service>,
    metrics: Arc<Metrics>,
    run: Weak<Run>,
}

impl ToolObserver for Observer {
    fn finished(&self, call: &Finished<'_>) {
        let outcome = match call.outcome {
            Outcome::Success => "ok",
            Outcome::Failure => "error",
            Outcome::Limit => "limit",
            Outcome::Cancelled => "cancelled",
        };
        self.metrics.tool_call(call.tool, outcome, call.elapsed);
        let Some(run) = self.run.upgrade() else {
            return;
        };
        tracing::info!(
            execution.id = %run.execution(), conversation.id = %run.conversation(), tenant.id = %run.tenant(),
            tool.name = call.tool, tool.outcome = outcome,
            duration.ms = u64::try_from(call.elapsed.as_millis()).unwrap_or(u64::MAX),
            "tool call"
        );
        if let Some(service) = self.service.upgrade() {
            let report = call.report.map_or(Value::Null, |report| {
                json!({
                    "status": report.status,
                    "termination": report.termination,
                    "limit_hits": report.limit_hits,
                    "fuel": report.fuel,
                    "cpu_time_ms": u64::try_from(report.cpu_time.as_millis()).unwrap_or(u64::MAX),
                    "wall_time_ms": u64::try_from(report.wall_time.as_millis()).unwrap_or(u64::MAX),
                    "peak_memory_bytes": report.peak_memory,
                    "processes": report.processes,
                    "changes": report.changes.len(),
                })
            });
            service.record_tool_call(
                &run,
                ToolAudit {
                    tool: call.tool.to_owned(),
                    arguments_digest: call.arguments_digest.clone(),
                    outcome: outcome.to_owned(),
                    report,
                },
            );
        }
    }
}

/// API keys with a conversation: the listener of the clients. The token is
/// `CONVERSATION:KEY`, or the key alone with the conversation in a header of its own
/// ([`join`] makes the first of the second).
pub(crate) struct KeyTokens(pub(crate) Arc<Sessions>);

#[async_trait::async_trait]
impl Authorizer for KeyTokens {
    async fn authorize(&self, bearer: SecretString) -> Result<Arc<Session>, Denied> {
        use secrecy::ExposeSecret as _;
        let (conversation, key) = bearer
            .expose_secret()
            .split_once(':')
            .ok_or(Denied::Invalid)?;
        let _conversation: hardshell_service::ConversationId =
            conversation.parse().map_err(|_| Denied::Invalid)?;
        let key = SecretString::from(key.to_owned());
        let principal = self
            .0
            .service
            .authenticate(&key)
            .await
            .map_err(|e| denied(&e))?;
        if !principal.may(hardshell_service::Scope::Write) {
            return Err(Denied::Forbidden);
        }
        Err(Denied::Unavailable)
    }
}

fn denied(error: &hardshell_service::ServiceError) -> Denied {
    use hardshell_service::ErrorKind;
    match error.kind() {
        ErrorKind::Unauthenticated => Denied::Invalid,
        ErrorKind::Forbidden | ErrorKind::NotFound => Denied::Forbidden,
        ErrorKind::RateLimited | ErrorKind::ConversationBusy => Denied::TooMany {
            retry_after: error
                .retry_after_hint()
                .unwrap_or(std::time::Duration::from_secs(1)),
        },
        _ => {
            tracing::warn!(error.code = error.code(), error = %error, "an MCP client could not be served");
            Denied::Unavailable
        }
    }
}

/// Makes one token of the key and the header that names the conversation.
pub(crate) async fn join(mut request: Request, next: Next) -> Response {
    let headers = request.headers();
    if let (Some(conversation), Some(bearer)) =
        (headers.get(CONVERSATION), headers.get(AUTHORIZATION))
    {
        let joined = conversation
            .to_str()
            .ok()
            .zip(bearer.to_str().ok())
            .and_then(|(conversation, bearer)| {
                let (scheme, key) = bearer.split_once(' ')?;
                let mut value = HeaderValue::from_str(&format!(
                    "{scheme} {}:{}",
                    conversation.trim(),
                    key.trim()
                ))
                .ok()?;
                value.set_sensitive(true);
                Some(value)
            });
        let Some(joined) = joined else {
            return Problem::invalid(
                "Authorization and Hardshell-Conversation must be plain text.",
            )
            .into_response();
        };
        request.headers_mut().insert(AUTHORIZATION, joined);
    }
    next.run(request).await
}
