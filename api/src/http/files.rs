//! Files of a conversation: list, download, upload, delete, archive.

use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use futures::StreamExt as _;
use hardshell_service::{ConversationId, FileUpload};
use http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE, ETAG};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use super::extract::{Path, Reader, Writer};
use super::problem::Problem;
use super::state::App;
use super::{archive, dto};

/// An upload may fall silent for so long.
const UPLOAD_IDLE: Duration = Duration::from_secs(60);

/// The files of a conversation.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Files {
    /// Sorted by path.
    items: Vec<dto::File>,
}

/// List files
#[utoipa::path(
    get, path = "/conversations/{id}/files", tag = "files", operation_id = "listFiles",
    params(("id" = String, Path, description = "Id of the conversation.")),
    responses(
        (status = 200, body = Files),
        (status = 401, response = super::openapi::Failure),
        (status = 403, response = super::openapi::Failure),
        (status = 404, response = super::openapi::Failure),
        (status = 429, response = super::openapi::Failure),
    )
)]
pub(crate) async fn list(
    State(app): State<App>,
    Reader(caller): Reader,
    Path(id): Path<ConversationId>,
) -> Result<Json<Files>, Problem> {
    let files = app.service.files(&caller, &id).await?;
    Ok(Json(Files {
        items: files.into_iter().map(Into::into).collect(),
    }))
}

/// Download a file
#[utoipa::path(
    get, path = "/conversations/{id}/files/{path}", tag = "files", operation_id = "downloadFile",
    params(("id" = String, Path, description = "Id of the conversation."), ("path" = String, Path, description = "Path below the workspace; may hold slashes.")),
    responses(
        (status = 200, description = "The file's bytes.", content_type = "application/octet-stream", body = Vec<u8>),
        (status = 401, response = super::openapi::Failure),
        (status = 403, response = super::openapi::Failure),
        (status = 404, response = super::openapi::Failure),
        (status = 429, response = super::openapi::Failure),
    )
)]
pub(crate) async fn download(
    State(app): State<App>,
    Reader(caller): Reader,
    Path((id, path)): Path<(ConversationId, String)>,
) -> Result<Response, Problem> {
    let content = app.service.open_file(&caller, &id, &path).await?;
    let mut response = Body::from_stream(content.bytes).into_response();
    let headers = response.headers_mut();
    // Never a type that a browser would run: the content is the tenant's.
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/octet-stream"),
    );
    headers.insert(CONTENT_LENGTH, HeaderValue::from(content.file.size));
    headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{}\"", content.file.digest)) {
        headers.insert(ETAG, tag);
    }
    Ok(response)
}

/// Upload a file
///
/// The body is the file, whatever its content type says.
#[utoipa::path(
    put, path = "/conversations/{id}/files/{path}", tag = "files", operation_id = "uploadFile",
    params(("id" = String, Path, description = "Id of the conversation."), ("path" = String, Path, description = "Path below the workspace; may hold slashes.")),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses(
        (status = 200, description = "The file as it is now.", body = dto::File),
        (status = 400, response = super::openapi::Failure),
        (status = 401, response = super::openapi::Failure),
        (status = 403, response = super::openapi::Failure),
        (status = 404, response = super::openapi::Failure),
        (status = 409, response = super::openapi::Failure),
        (status = 413, response = super::openapi::Failure),
        (status = 429, response = super::openapi::Failure),
        (status = 507, response = super::openapi::Failure),
    )
)]
pub(crate) async fn upload(
    State(app): State<App>,
    Writer(caller): Writer,
    Path((id, path)): Path<(ConversationId, String)>,
    headers: HeaderMap,
    request: Request,
) -> Result<Json<dto::File>, Problem> {
    let size = headers
        .get(CONTENT_LENGTH)
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.parse::<u64>().ok());
    let too_large = || {
        Problem::too_large(format!(
            "A file may have {} at most (server.max_upload).",
            app.config.upload_limit()
        ))
    };
    if size.is_some_and(|size| size > app.config.max_upload) {
        return Err(too_large());
    }
    // The service reads a stream of chunks; what goes wrong on the way is kept here, so that
    // the answer can say it.
    let max = app.config.max_upload;
    let mut seen = 0u64;
    let over = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let flag = std::sync::Arc::clone(&over);
    let body =
        tokio_stream::StreamExt::timeout(request.into_body().into_data_stream(), UPLOAD_IDLE);
    let bytes = Box::pin(body).map(move |chunk| {
        let chunk = chunk
            .map_err(|_| std::io::Error::from(std::io::ErrorKind::TimedOut))?
            .map_err(std::io::Error::other)?;
        seen = seen.saturating_add(u64::try_from(chunk.len()).unwrap_or(u64::MAX));
        if seen > max {
            flag.store(true, std::sync::atomic::Ordering::Relaxed);
            return Err(std::io::Error::from(std::io::ErrorKind::FileTooLarge));
        }
        Ok(chunk)
    });
    let upload = FileUpload {
        bytes: Box::pin(bytes),
        size,
    };
    match app.service.put_file(&caller, &id, &path, upload).await {
        Ok(file) => Ok(Json(file.into())),
        Err(_) if over.load(std::sync::atomic::Ordering::Relaxed) => Err(too_large()),
        Err(error) => Err(error.into()),
    }
}

/// Delete a file
#[utoipa::path(
    delete, path = "/conversations/{id}/files/{path}", tag = "files", operation_id = "deleteFile",
    params(("id" = String, Path, description = "Id of the conversation."), ("path" = String, Path, description = "Path below the workspace; may hold slashes.")),
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
    Path((id, path)): Path<(ConversationId, String)>,
) -> Result<StatusCode, Problem> {
    app.service.delete_file(&caller, &id, &path).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Download all files
///
/// As one tar archive.
#[utoipa::path(
    get, path = "/conversations/{id}/archive", tag = "files", operation_id = "downloadArchive",
    params(("id" = String, Path, description = "Id of the conversation.")),
    responses(
        (status = 200, description = "A tar archive of the files.", content_type = "application/x-tar", body = Vec<u8>),
        (status = 401, response = super::openapi::Failure),
        (status = 403, response = super::openapi::Failure),
        (status = 404, response = super::openapi::Failure),
        (status = 429, response = super::openapi::Failure),
    )
)]
pub(crate) async fn archive(
    State(app): State<App>,
    Reader(caller): Reader,
    Path(id): Path<ConversationId>,
) -> Result<Response, Problem> {
    let files = app.service.files(&caller, &id).await?;
    let body = Body::from_stream(archive::tar(app.service, caller, id.clone(), files));
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-tar"));
    if let Ok(name) = HeaderValue::from_str(&format!("attachment; filename=\"{id}.tar\"")) {
        headers.insert(CONTENT_DISPOSITION, name);
    }
    Ok(response)
}
