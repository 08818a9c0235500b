//! Starting a run and following its events.

use std::convert::Infallible;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::StreamExt as _;
use hardshell_service::{ExecutionId, IdempotencyKey, Principal, StoredEvent};
use http::header::{ACCEPT, LOCATION};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::Deserialize;
use utoipa::IntoParams;

use super::dto;
use super::extract::{Json, Path, Query, Reader, Writer, header};
use super::problem::Problem;
use super::state::App;

/// Names the run in the answer of `POST /execute`.
pub(crate) const EXECUTION: HeaderName = HeaderName::from_static("hardshell-execution");
/// Names its conversation, there and in requests of MCP clients.
pub(crate) const CONVERSATION: HeaderName = HeaderName::from_static("hardshell-conversation");

/// Start a run
///
/// Answers with the run's events as a stream (`text/event-stream`), or, when the `Accept` header
/// asks for `application/json`, with the run's id alone. A connection that ends does not end the
/// run: reconnect at `/executions/{id}/events`. Every event type is described in docs/api.md.
#[utoipa::path(
    post, path = "/execute", tag = "runs", operation_id = "startRun", request_body = dto::Execute,
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes the request safe to repeat: the same key gives the same run.")),
    responses(
        (status = 200, description = "The events of the run.", content_type = "text/event-stream", body = String,
         headers(("hardshell-execution" = String, description = "Id of the run."), ("hardshell-conversation" = String, description = "Id of its conversation."))),
        (status = 202, description = "The run has started.", body = dto::Started),
        (status = 400, response = super::openapi::Failure),
        (status = 401, response = super::openapi::Failure),
        (status = 402, response = super::openapi::Failure),
        (status = 403, response = super::openapi::Failure),
        (status = 404, response = super::openapi::Failure),
        (status = 409, response = super::openapi::Failure),
        (status = 413, response = super::openapi::Failure),
        (status = 415, response = super::openapi::Failure),
        (status = 422, response = super::openapi::Failure),
        (status = 429, response = super::openapi::Failure),
        (status = 503, response = super::openapi::Failure),
    )
)]
pub(crate) async fn execute(
    State(app): State<App>,
    Writer(caller): Writer,
    headers: HeaderMap,
    Json(body): Json<dto::Execute>,
) -> Result<Response, Problem> {
    if app.is_stopping() {
        return Err(Problem::unavailable(
            "The server is going down; another one takes new runs.",
        ));
    }
    let key = header(&headers, "idempotency-key")?
        .map(|text| {
            IdempotencyKey::parse(text).map_err(|_| {
                Problem::invalid("Idempotency-Key must be 1 to 255 visible ASCII characters.")
            })
        })
        .transpose()?;
    let started = app.service.execute(&caller, body.into(), key).await?;
    app.metrics.execution_started();
    tracing::info!(execution.id = %started.execution, conversation.id = %started.conversation, tenant.id = %caller.tenant, repeated = started.repeated, "execution started");
    let execution = started.execution.clone();
    let conversation = started.conversation.clone();
    let mut response = if wants_json(&headers) {
        (
            StatusCode::ACCEPTED,
            axum::Json(dto::Started::from(started)),
        )
            .into_response()
    } else {
        stream(&app, &caller, &execution, 0).await?
    };
    for (name, text) in [
        (EXECUTION, execution.to_string()),
        (CONVERSATION, conversation.to_string()),
        (LOCATION, format!("/executions/{execution}")),
    ] {
        if let Ok(value) = HeaderValue::from_str(&text) {
            response.headers_mut().insert(name, value);
        }
    }
    Ok(response)
}

/// Whether the client names JSON and not the stream.
fn wants_json(headers: &HeaderMap) -> bool {
    let accept = headers
        .get(ACCEPT)
        .and_then(|v| v.to_str().ok())
        .unwrap_or("");
    accept.contains("application/json") && !accept.contains("text/event-stream")
}

/// Where to go on.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct After {
    /// Number of the last event that was seen; the `Last-Event-ID` header wins.
    after: Option<u64>,
}

/// Follow a run
///
/// Its events from the beginning, or after `Last-Event-ID` (or `?after=`); ends after the last.
#[utoipa::path(
    get, path = "/executions/{id}/events", tag = "runs", operation_id = "followRun",
    params(("id" = String, Path, description = "Id of the run."), After, ("Last-Event-ID" = Option<u64>, Header, description = "Number of the last event that was seen.")),
    responses(
        (status = 200, description = "The events of the run.", content_type = "text/event-stream", body = String),
        (status = 400, response = super::openapi::Failure),
        (status = 401, response = super::openapi::Failure),
        (status = 403, response = super::openapi::Failure),
        (status = 404, response = super::openapi::Failure),
        (status = 429, response = super::openapi::Failure),
        (status = 503, response = super::openapi::Failure),
    )
)]
pub(crate) async fn events(
    State(app): State<App>,
    Reader(caller): Reader,
    Path(id): Path<ExecutionId>,
    Query(after): Query<After>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let last = match header(&headers, "last-event-id")?.filter(|text| !text.is_empty()) {
        Some(text) => text
            .parse()
            .map_err(|_| Problem::invalid("Last-Event-ID must be the number of an event."))?,
        None => after.after.unwrap_or(0),
    };
    stream(&app, &caller, &id, last).await
}

/// The events of a run as Server-Sent Events.
async fn stream(
    app: &App,
    caller: &Principal,
    id: &ExecutionId,
    after: u64,
) -> Result<Response, Problem> {
    let events = app.service.events(caller, id, after).await?;
    let watcher = app.metrics.stream_opened();
    let events = events.map(move |event| {
        let _open = &watcher;
        Ok::<_, Infallible>(wire(&event))
    });
    let beat = KeepAlive::new()
        .interval(app.config.heartbeat.0)
        .text("heartbeat");
    let mut response = Sse::new(events).keep_alive(beat).into_response();
    let headers = response.headers_mut();
    headers.insert(
        http::header::CACHE_CONTROL,
        HeaderValue::from_static("no-cache, no-transform"),
    );
    // nginx would hold events back otherwise.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

fn wire(event: &StoredEvent) -> Event {
    // JSON text has no line breaks, so it is one `data:` line.
    Event::default()
        .id(event.seq.to_string())
        .event(&event.kind)
        .data(event.data.to_string())
}
