//! Streamable HTTP: many sessions behind one path, each request authorised anew.

mod auth;
mod binding;
mod body;
mod metadata;
mod rate;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use tokio_util::sync::CancellationToken;

pub(crate) use auth::Authorised;
pub use auth::{Authorizer, Denied, SingleSession};
pub use metadata::ResourceMetadata;
pub use rate::{RateLimit, TokenBuckets};

use crate::server::Bridge;

/// The path that is served.
pub(crate) const PATH: &str = "/mcp";

/// A client session of the older revision is forgotten after so long without a message.
const SESSION_IDLE: Duration = Duration::from_secs(3600);

/// How the HTTP side behaves.
#[derive(Clone)]
pub struct HttpConfig {
    /// Values of the `Host` header that are served, with or without a port. Default:
    /// loopback names. Everything else is refused, so that no web page can reach the server
    /// through a name of its own.
    pub allowed_hosts: Vec<String>,
    /// Values of the `Origin` header that are served, for example `https://app.example.com`.
    /// Default: none, so that no web page can call it. Requests without the header pass.
    pub allowed_origins: Vec<String>,
    /// The largest request body, bytes. Default 16 MiB.
    pub max_body_bytes: usize,
    /// Between two comments on a quiet event stream. Default 15 s.
    pub keep_alive: Duration,
    /// After so long without a first message, the headers of an answer are sent all the
    /// same, and the message follows in the stream. Default 5 s.
    pub headers_after: Duration,
    /// Client sessions of the older revision that one authorised session may hold. Default 64.
    pub client_sessions: usize,
    /// Where a client finds out who issues tokens. Default: it does not.
    pub resource_metadata: Option<ResourceMetadata>,
    /// Decides whether one more request may pass. Default: all may.
    pub rate_limit: Option<Arc<dyn RateLimit>>,
    /// Ends every stream when the server shuts down.
    pub shutdown: CancellationToken,
}

impl Default for HttpConfig {
    fn default() -> Self {
        HttpConfig {
            allowed_hosts: loopback(),
            allowed_origins: Vec::new(),
            max_body_bytes: 16 << 20,
            keep_alive: Duration::from_secs(15),
            headers_after: Duration::from_secs(5),
            client_sessions: 64,
            resource_metadata: None,
            rate_limit: None,
            shutdown: CancellationToken::new(),
        }
    }
}

fn loopback() -> Vec<String> {
    vec!["localhost".into(), "127.0.0.1".into(), "::1".into()]
}

/// A router that serves [`PATH`] and, if configured, the protected-resource metadata.
pub fn http_router(authorizer: Arc<dyn Authorizer>, config: HttpConfig) -> Router {
    let mut manager = LocalSessionManager::default();
    manager.session_config.keep_alive = Some(SESSION_IDLE);
    let manager = Arc::new(manager);

    let mut server = StreamableHttpServerConfig::default().enforce_origin_validation();
    // An empty list would serve every host.
    server.allowed_hosts = if config.allowed_hosts.is_empty() {
        loopback()
    } else {
        config.allowed_hosts.clone()
    };
    server.allowed_origins = config
        .allowed_origins
        .iter()
        .map(|origin| with_port(origin))
        .collect();
    server.max_request_body_bytes = config.max_body_bytes;
    server.sse_keep_alive = Some(config.keep_alive);
    server.cancellation_token = config.shutdown.clone();

    let service =
        StreamableHttpService::new(|| Ok(Bridge::authorised()), Arc::clone(&manager), server);
    let metadata = config.resource_metadata.clone();
    let gate = Arc::new(auth::Gate::new(authorizer, &config, manager));
    let mut router = Router::new()
        .route_service(PATH, service)
        .layer(DefaultBodyLimit::disable()) // The transport has a limit of its own.
        .layer(middleware::from_fn_with_state(gate, auth::guard));
    if let Some(metadata) = metadata {
        router = router.merge(metadata::router(metadata));
    }
    router
}

/// An origin names one port; one without it means its scheme's own.
fn with_port(origin: &str) -> String {
    let Some((scheme, rest)) = origin.split_once("://") else {
        return origin.to_owned();
    };
    let authority = rest.trim_end_matches('/');
    let has_port = authority.rsplit_once(':').is_some_and(|(host, port)| {
        !port.is_empty()
            && !port.contains(']')
            && (port == "*" || port.bytes().all(|b| b.is_ascii_digit()))
            && !host.is_empty()
    });
    match (has_port, scheme) {
        (true, _) => format!("{scheme}://{authority}"),
        (false, "https") => format!("{scheme}://{authority}:443"),
        (false, "http") => format!("{scheme}://{authority}:80"),
        (false, _) => origin.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_name_a_port() {
        for (given, expected) in [
            ("https://a.example", "https://a.example:443"),
            ("http://a.example/", "http://a.example:80"),
            ("http://[::1]", "http://[::1]:80"),
            ("http://[::1]:8080", "http://[::1]:8080"),
            ("http://localhost:*", "http://localhost:*"),
            ("null", "null"),
        ] {
            assert_eq!(with_port(given), expected);
        }
    }
}
