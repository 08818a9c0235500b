//! Conversations: create, list, read with messages and usage, delete.

use axum::Json;
use axum::extract::State;
use hardshell_service::ConversationId;
use http::StatusCode;

use super::dto;
use super::extract::{self, Path, Query, Reader, Writer};
use super::problem::Problem;
use super::state::App;

/// Create a conversation
///
/// Not needed before `POST /execute`, which makes one by itself; useful to upload files first.
#[utoipa::path(
    post, path = "/conversations", tag = "conversations", operation_id = "createConversation", request_body = dto::NewConversation,
    responses(
        (status = 201, body = dto::Conversation),
        (status = 400, response = super::openapi::Failure),
        (status = 401, response = super::openapi::Failure),
        (status = 403, response = super::openapi::Failure),
        (status = 413, response = super::openapi::Failure),
        (status = 415, response = super::openapi::Failure),
        (status = 422, response = super::openapi::Failure),
        (status = 429, response = super::openapi::Failure),
    )
)]
pub(crate) async fn create(
    State(app): State<App>,
    Writer(caller): Writer,
    extract::Json(new): extract::Json<dto::NewConversation>,
) -> Result<(StatusCode, Json<dto::Conversation>), Problem> {
    let made = app.service.create_conversation(&caller, new.into()).await?;
    Ok((StatusCode::CREATED, Json(made.into())))
}

/// List conversations
///
/// Newest first.
#[utoipa::path(
    get, path = "/conversations", tag = "conversations", operation_id = "listConversations", params(dto::PageQuery),
    responses(
        (status = 200, body = dto::Page<dto::Conversation>),
        (status = 400, response = super::openapi::Failure),
        (status = 401, response = super::openapi::Failure),
        (status = 403, response = super::openapi::Failure),
        (status = 429, response = super::openapi::Failure),
    )
)]
pub(crate) async fn list(
    State(app): State<App>,
    Reader(caller): Reader,
    Query(page): Query<dto::PageQuery>,
) -> Result<Json<dto::Page<dto::Conversation>>, Problem> {
    Ok(Json(dto::Page::of(
        app.service.conversations(&caller, page.request()?).await?,
    )))
}

/// Read a conversation
///
/// With its usage and one page of its messages, oldest first.
#[utoipa::path(
    get, path = "/conversations/{id}", tag = "conversations", operation_id = "getConversation",
    params(("id" = String, Path, description = "Id of the conversation."), dto::PageQuery),
    responses(
        (status = 200, body = dto::ConversationWithMessages),
        (status = 400, response = super::openapi::Failure),
        (status = 401, response = super::openapi::Failure),
        (status = 403, response = super::openapi::Failure),
        (status = 404, response = super::openapi::Failure),
        (status = 429, response = super::openapi::Failure),
    )
)]
pub(crate) async fn get(
    State(app): State<App>,
    Reader(caller): Reader,
    Path(id): Path<ConversationId>,
    Query(page): Query<dto::PageQuery>,
) -> Result<Json<dto::ConversationWithMessages>, Problem> {
    let page = page.request()?;
    let conversation = app.service.conversation(&caller, &id).await?;
    let messages = app.service.messages(&caller, &id, page).await?;
    Ok(Json(dto::ConversationWithMessages {
        conversation: conversation.into(),
        messages: dto::Page::of(messages),
    }))
}

/// Delete a conversation
///
/// With its messages and files. Refused while it runs.
#[utoipa::path(
    delete, path = "/conversations/{id}", tag = "conversations", operation_id = "deleteConversation",
    params(("id" = String, Path, description = "Id of the conversation.")),
    responses(
        (status = 204, description = "It is gone."),
        (status = 401, response = super::openapi::Failure),
        (status = 403, response = super::openapi::Failure),
        (status = 404, response = super::openapi::Failure),
        (status = 409, response = super::openapi::Failure),
        (status = 429, response = super::openapi::Failure),
    )
)]
pub(crate) async fn delete(
    State(app): State<App>,
    Writer(caller): Writer,
    Path(id): Path<ConversationId>,
) -> Result<StatusCode, Problem> {
    app.service.delete_conversation(&caller, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
