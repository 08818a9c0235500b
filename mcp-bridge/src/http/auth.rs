//! Who may call: the bearer token of each single request.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;
use tokio_util::sync::CancellationToken;

use super::binding::Bindings;
use super::{HttpConfig, RateLimit, body};
use crate::session::Session;

/// The header that names a client session of the older revision.
const SESSION_ID: &str = "mcp-session-id";
/// The longest token that is looked at.
const TOKEN_MAX: usize = 4096;

/// Finds the session that a bearer token stands for.
#[async_trait::async_trait]
pub trait Authorizer: Send + Sync + 'static {
    /// Called for every request. Must compare secrets in constant time, and must give the
    /// same session for the same conversation as long as it lives.
    async fn authorize(&self, bearer: SecretString) -> Result<Arc<Session>, Denied>;
}

/// Why a request is not served.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// There is no token.
    #[error("a bearer token is required")]
    Missing,
    /// The token is unknown, expired or revoked; which one is not told.
    #[error("the bearer token is not valid")]
    Invalid,
    /// The token is good, but not for this.
    #[error("the bearer token does not allow this")]
    Forbidden,
    /// Too many requests.
    #[error("too many requests")]
    TooMany {
        /// When to try again.
        retry_after: Duration,
    },
    /// It cannot be decided now.
    #[error("the service is not available")]
    Unavailable,
}

/// One token for one session: for a local server and for tests.
pub struct SingleSession {
    digest: [u8; 32],
    session: Arc<Session>,
}

impl SingleSession {
    /// Serves `session` to whoever has this token.
    pub fn new(token: &SecretString, session: Arc<Session>) -> Self {
        SingleSession {
            digest: digest(token),
            session,
        }
    }
}

#[async_trait::async_trait]
impl Authorizer for SingleSession {
    async fn authorize(&self, bearer: SecretString) -> Result<Arc<Session>, Denied> {
        // Digests have one length, so nothing about the token's own can be timed.
        if bool::from(self.digest.ct_eq(&digest(&bearer))) {
            Ok(Arc::clone(&self.session))
        } else {
            Err(Denied::Invalid)
        }
    }
}

fn digest(token: &SecretString) -> [u8; 32] {
    *blake3::hash(token.expose_secret().as_bytes()).as_bytes()
}

/// What a request was found to be allowed to.
#[derive(Clone)]
pub(crate) struct Authorised {
    /// The session.
    pub(crate) session: Arc<Session>,
    /// Cancelled when the client hangs up before it has its answer.
    pub(crate) gone: CancellationToken,
}

/// What the guard needs.
pub(super) struct Gate {
    authorizer: Arc<dyn Authorizer>,
    bindings: Bindings,
    rate_limit: Option<Arc<dyn RateLimit>>,
    headers_after: Duration,
    keep_alive: Duration,
    /// The URL of the metadata, for the challenge.
    metadata: Option<String>,
}

impl Gate {
    pub(super) fn new(
        authorizer: Arc<dyn Authorizer>,
        config: &HttpConfig,
        manager: Arc<LocalSessionManager>,
    ) -> Self {
        Gate {
            authorizer,
            bindings: Bindings::new(manager, config.client_sessions),
            rate_limit: config.rate_limit.clone(),
            headers_after: config.headers_after,
            keep_alive: config.keep_alive,
            metadata: config
                .resource_metadata
                .as_ref()
                .map(|metadata| metadata.url()),
        }
    }

    fn refuse(&self, denied: &Denied) -> Response {
        let (status, code) = match denied {
            Denied::Missing => (StatusCode::UNAUTHORIZED, None),
            Denied::Invalid => (StatusCode::UNAUTHORIZED, Some("invalid_token")),
            Denied::Forbidden => (StatusCode::FORBIDDEN, Some("insufficient_scope")),
            Denied::TooMany { .. } => (StatusCode::TOO_MANY_REQUESTS, None),
            Denied::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, None),
        };
        let mut response = (status, denied.to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        );
        if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            let mut challenge = String::from("Bearer realm=\"hardshell\"");
            if let Some(code) = code {
                challenge.push_str(&format!(", error=\"{code}\""));
            }
            if let Some(url) = &self.metadata {
                challenge.push_str(&format!(", resource_metadata=\"{url}\""));
            }
            if let Ok(value) = HeaderValue::from_str(&challenge) {
                headers.insert(WWW_AUTHENTICATE, value);
            }
        }
        if let Denied::TooMany { retry_after } = denied {
            headers.insert(RETRY_AFTER, HeaderValue::from(retry_after.as_secs().max(1)));
        }
        response
    }

    async fn admit(&self, headers: &HeaderMap) -> Result<Arc<Session>, Denied> {
        let session = self.authorizer.authorize(bearer(headers)?).await?;
        if let Some(limit) = &self.rate_limit {
            limit
                .admit(&session)
                .map_err(|retry_after| Denied::TooMany { retry_after })?;
        }
        Ok(session)
    }
}

/// Stands before every request.
pub(super) async fn guard(
    State(gate): State<Arc<Gate>>,
    mut request: Request,
    next: Next,
) -> Response {
    let session = match gate.admit(request.headers()).await {
        Ok(session) => session,
        Err(denied) => return gate.refuse(&denied),
    };
    // Someone else's client session is answered as one that does not exist.
    let named = request.headers().get(SESSION_ID).cloned();
    if let Some(named) = &named {
        let owned = named
            .to_str()
            .is_ok_and(|id| gate.bindings.owns(session.id(), id));
        if !owned {
            return (StatusCode::NOT_FOUND, "Not Found: Session not found").into_response();
        }
    } else if request.method() == Method::POST && !gate.bindings.has_room(session.id()).await {
        return gate.refuse(&Denied::TooMany {
            retry_after: Duration::from_secs(60),
        });
    }
    let method = request.method().clone();
    let gone = CancellationToken::new();
    let hang_up = gone.clone().drop_guard();
    request.extensions_mut().insert(Authorised {
        session: Arc::clone(&session),
        gone,
    });

    let response = if method == Method::POST {
        body::with_early_headers(next.run(request), gate.headers_after, gate.keep_alive).await
    } else {
        next.run(request).await
    };
    if named.is_none()
        && let Some(id) = response
            .headers()
            .get(SESSION_ID)
            .and_then(|id| id.to_str().ok())
    {
        gate.bindings.bind(id.to_owned(), session.id());
    }
    if method == Method::DELETE
        && response.status().is_success()
        && let Some(id) = named.as_ref().and_then(|id| id.to_str().ok())
    {
        gate.bindings.remove(id);
    }
    let (parts, inner) = response.into_parts();
    Response::from_parts(parts, Body::new(body::Guarded::new(inner, hang_up)))
}

/// The token of an `Authorization: Bearer …` header.
fn bearer(headers: &HeaderMap) -> Result<SecretString, Denied> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or(Denied::Missing)?;
    if values.next().is_some() {
        return Err(Denied::Invalid);
    }
    let value = value.to_str().map_err(|_| Denied::Invalid)?;
    let (scheme, token) = value.split_once(' ').ok_or(Denied::Invalid)?;
    let token = token.trim();
    if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() || token.len() > TOKEN_MAX {
        return Err(Denied::Invalid);
    }
    Ok(SecretString::from(token.to_owned()))
}
