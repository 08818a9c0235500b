//! Runs: list, read, cancel.

use axum::Json;
use axum::extract::State;
use hardshell_service::ExecutionId;

use super::dto;
use super::extract::{Path, Query, Reader, Writer};
use super::problem::Problem;
use super::state::App;

/// List runs
///
/// Newest first.
#[utoipa::path(
    get, path = "/executions", tag = "runs", operation_id = "listRuns", params(dto::ExecutionsQuery),
    responses(
        (status = 200, body = dto::Page<dto::Execution>),
        (status = 400, response = super::openapi::Failure),
        (status = 401, response = super::openapi::Failure),
        (status = 403, response = super::openapi::Failure),
        (status = 404, response = super::openapi::Failure),
        (status = 429, response = super::openapi::Failure),
    )
)]
pub(crate) async fn list(
    State(app): State<App>,
    Reader(caller): Reader,
    Query(query): Query<dto::ExecutionsQuery>,
) -> Result<Json<dto::Page<dto::Execution>>, Problem> {
    let (conversation, page) = query.page();
    let page = app
        .service
        .executions(&caller, conversation.as_ref(), page.request()?)
        .await?;
    Ok(Json(dto::Page::of(page)))
}

/// Read a run
#[utoipa::path(
    get, path = "/executions/{id}", tag = "runs", operation_id = "getRun", params(("id" = String, Path, description = "Id of the run.")),
    responses(
        (status = 200, body = dto::Execution),
        (status = 401, response = super::openapi::Failure),
        (status = 403, response = super::openapi::Failure),
        (status = 404, response = super::openapi::Failure),
        (status = 429, response = super::openapi::Failure),
    )
)]
pub(crate) async fn get(
    State(app): State<App>,
    Reader(caller): Reader,
    Path(id): Path<ExecutionId>,
) -> Result<Json<dto::Execution>, Problem> {
    Ok(Json(app.service.execution(&caller, &id).await?.into()))
}

/// Cancel a run
///
/// Its processes end at once; what its workspace holds is kept. Cancelling a run that has ended
/// changes nothing.
#[utoipa::path(
    post, path = "/executions/{id}/cancel", tag = "runs", operation_id = "cancelRun", params(("id" = String, Path, description = "Id of the run.")),
    responses(
        (status = 200, description = "The run as it stands.", body = dto::Execution),
        (status = 401, response = super::openapi::Failure),
        (status = 403, response = super::openapi::Failure),
        (status = 404, response = super::openapi::Failure),
        (status = 429, response = super::openapi::Failure),
    )
)]
pub(crate) async fn cancel(
    State(app): State<App>,
    Writer(caller): Writer,
    Path(id): Path<ExecutionId>,
) -> Result<Json<dto::Execution>, Problem> {
    Ok(Json(app.service.cancel(&caller, &id).await?.into()))
}
