//! Routes, and nothing but routes: every decision is the service's.

mod archive;
mod conversations;
mod dto;
mod execute;
mod executions;
mod extract;
mod files;
pub(crate) mod inner;
mod layers;
pub(crate) mod mcp;
pub(crate) mod openapi;
mod ops;
pub(crate) mod problem;
mod serve;
pub(crate) mod state;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse as _, Redirect};
use axum::routing::{get, post, put};
use hardshell_mcp::HttpConfig;
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;

pub(crate) use serve::Server;

use problem::Problem;
use state::App;

/// The routes for clients.
pub(crate) fn router(
    app: App,
    sessions: Arc<mcp::Sessions>,
    shutdown: CancellationToken,
) -> Router {
    // Answers that begin at once, or not at all.
    let quick = Router::new()
        .route("/execute", post(execute::execute))
        .route("/executions", get(executions::list))
        .route("/executions/{id}", get(executions::get))
        .route("/executions/{id}/events", get(execute::events))
        .route("/executions/{id}/cancel", post(executions::cancel))
        .route(
            "/conversations",
            post(conversations::create).get(conversations::list),
        )
        .route(
            "/conversations/{id}",
            get(conversations::get).delete(conversations::delete),
        )
        .route("/conversations/{id}/files", get(files::list))
        .route("/conversations/{id}/archive", get(files::archive))
        .layer(DefaultBodyLimit::max(app.config.body_limit()))
        .layer(from_fn_with_state(app.clone(), layers::deadline));
    // An upload may take as long as it flows.
    let transfers = Router::new().route(
        "/conversations/{id}/files/{*path}",
        put(files::upload)
            .get(files::download)
            .delete(files::delete),
    );
    let pages = Router::new()
        .route("/", get(|| async { Redirect::temporary("/docs") }))
        .route("/docs", get(openapi::page))
        .route("/openapi.json", get(openapi::json))
        .route("/healthz", get(ops::healthz))
        .route("/readyz", get(ops::readyz))
        .route("/metrics", get(ops::metrics));
    let mcp = hardshell_mcp::http_router(
        Arc::new(mcp::KeyTokens(sessions)),
        HttpConfig {
            allowed_hosts: allowed_hosts(&app),
            allowed_origins: app.config.allowed_origins.clone(),
            keep_alive: app.config.heartbeat.0,
            shutdown,
            ..HttpConfig::default()
        },
    )
    .layer(from_fn(mcp::join));
    quick
        .merge(transfers)
        .with_state(app.clone())
        .merge(mcp)
        .layer(from_fn_with_state(app.clone(), layers::bounded))
        // Probes must be answered when everything else is refused.
        .merge(pages.with_state(app.clone()))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn(layers::harden))
        // Fallbacks of the framework are made problems of in here.
        .layer(from_fn(problem::complete))
        .layer(from_fn_with_state(app, layers::observe))
        .layer(from_fn(layers::request_id))
}

/// A mistake of ours ends one request, not the server.
fn panicked(_: Box<dyn std::any::Any + Send + 'static>) -> axum::response::Response {
    tracing::error!("a request handler panicked");
    Problem::new(
        http::StatusCode::INTERNAL_SERVER_ERROR,
        "internal",
        "The server failed; the cause is in its log.",
    )
    .into_response()
}

fn allowed_hosts(app: &App) -> Vec<String> {
    let mut hosts = vec![
        "localhost".to_owned(),
        "127.0.0.1".to_owned(),
        "::1".to_owned(),
    ];
    let ip = app.config.listen.ip();
    if !ip.is_unspecified() {
        hosts.push(ip.to_string());
    }
    hosts.extend(app.config.allowed_hosts.iter().cloned());
    hosts
}
