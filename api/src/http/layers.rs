//! What every request passes through: an id, a span, a limit, a deadline.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::StreamExt as _;
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue};
use tracing::Instrument as _;

use super::problem::Problem;
use super::state::App;

/// The header that names a request, in both directions.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Names a request in the log, in its answer and in problem details.
#[derive(Clone, Debug)]
pub(crate) struct RequestId(pub(crate) String);

/// Takes the client's request id when it is one, else makes one, and gives it back.
pub(crate) async fn request_id(mut request: Request, next: Next) -> Response {
    let given = request
        .headers()
        .get(&REQUEST_ID)
        .and_then(|v| v.to_str().ok())
        .filter(|id| {
            (1..=128).contains(&id.len())
                && id
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        });
    let id = given.map_or_else(|| uuid::Uuid::now_v7().simple().to_string(), str::to_owned);
    request.extensions_mut().insert(RequestId(id.clone()));
    let mut response = next.run(request).await;
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

/// A span and the figures of a request. Neither path values nor headers are logged: they may
/// name tenants' data or hold keys.
pub(crate) async fn observe(State(app): State<App>, request: Request, next: Next) -> Response {
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "none".to_owned(), |path| path.as_str().to_owned());
    let method = request.method().clone();
    let id = request
        .extensions()
        .get::<RequestId>()
        .map(|id| id.0.clone())
        .unwrap_or_default();
    let span = tracing::info_span!("request", request.id = %id, http.method = %method, http.route = %route);
    let start = Instant::now();
    let response = next.run(request).instrument(span.clone()).await;
    let elapsed = start.elapsed();
    let status = response.status();
    app.metrics.request(&method, &route, status, elapsed);
    span.in_scope(|| {
        // Probes come every few seconds and say nothing.
        if matches!(route.as_str(), "/healthz" | "/readyz" | "/metrics") {
            tracing::debug!(
                http.status = status.as_u16(),
                duration.ms = millis(elapsed),
                "answered"
            );
        } else {
            tracing::info!(
                http.status = status.as_u16(),
                duration.ms = millis(elapsed),
                "answered"
            );
        }
    });
    response
}

fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

/// Refuses requests beyond the limit. A stream counts until it ends.
pub(crate) async fn bounded(State(app): State<App>, request: Request, next: Next) -> Response {
    let Ok(permit) = Arc::clone(&app.requests).try_acquire_owned() else {
        return Problem::unavailable("The server answers as many requests as it may; try again.")
            .into_response();
    };
    let response = next.run(request).await;
    let streams = response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
    if !streams {
        return response;
    }
    response.map(|body| {
        Body::from_stream(body.into_data_stream().map(move |chunk| {
            let _held = &permit;
            chunk
        }))
    })
}

/// Ends requests whose answer does not begin in time; a body that never arrives is one of them.
pub(crate) async fn deadline(State(app): State<App>, request: Request, next: Next) -> Response {
    let limit = app.config.request_timeout;
    match tokio::time::timeout(limit.0, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::new(
            http::StatusCode::GATEWAY_TIMEOUT,
            "timeout",
            format!(
                "No answer within {limit}: the body did not arrive, or the server is overloaded."
            ),
        )
        .into_response(),
    }
}

/// Headers that make browsers careful.
pub(crate) async fn harden(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(
        http::header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers
        .entry(http::header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}
