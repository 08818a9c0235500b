//! The listener of the agent children: loopback, and nothing but the model gateway and `/mcp`.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::response::Response;
use axum::routing::any;
use hardshell_mcp::HttpConfig;
use hardshell_service::Service;
use tokio_util::sync::CancellationToken;

use super::mcp::{RunTokens, Sessions};

/// The routes.
pub(crate) fn router(
    service: Arc<Service>,
    sessions: Arc<Sessions>,
    shutdown: CancellationToken,
) -> Router {
    let gateway = Router::new()
        .route("/run/{secret}/{*rest}", any(forward))
        // The service bounds requests to the model by `model.max_request`.
        .layer(DefaultBodyLimit::disable())
        .with_state(service);
    let config = HttpConfig {
        shutdown,
        ..HttpConfig::default()
    };
    gateway.merge(hardshell_mcp::http_router(
        Arc::new(RunTokens(sessions)),
        config,
    ))
}

async fn forward(
    State(service): State<Arc<Service>>,
    Path((secret, _)): Path<(String, String)>,
    request: Request,
) -> Response {
    service.gateway(&secret, request).await
}
