//! Errors as clients see them: problem details (RFC 9457), everywhere.

use axum::Json;
use axum::body::Body;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hardshell_service::{ErrorKind, ServiceError};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use super::layers::RequestId;

/// An error answer, `application/problem+json`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// Identifies the kind of problem: `urn:hardshell:problem:CODE`.
    #[serde(rename = "type")]
    #[schema(value_type = String, example = "urn:hardshell:problem:not_found")]
    pub(crate) kind: Box<str>,
    /// The status in words.
    #[schema(example = "Not Found")]
    pub(crate) title: &'static str,
    /// The HTTP status.
    #[schema(example = 404)]
    pub(crate) status: u16,
    /// What went wrong, for people.
    #[schema(value_type = String, example = "There is no such conversation.")]
    pub(crate) detail: Box<str>,
    /// A stable code, for programs.
    #[schema(example = "not_found")]
    pub(crate) code: &'static str,
    /// The path that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub(crate) instance: Option<Box<str>>,
    /// Names the request in the server's log.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub(crate) request_id: Option<Box<str>>,
    /// Seconds after which it makes sense to try again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) retry_after: Option<u64>,
}

impl Problem {
    /// A problem of this status and code.
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: impl Into<Box<str>>) -> Self {
        Problem {
            kind: format!("urn:hardshell:problem:{code}").into(),
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: detail.into(),
            code,
            instance: None,
            request_id: None,
            retry_after: None,
        }
    }

    /// The request itself is wrong.
    pub(crate) fn invalid(detail: impl Into<Box<str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", detail)
    }

    /// No usable key.
    pub(crate) fn unauthenticated(detail: impl Into<Box<str>>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", detail)
    }

    /// The key may not do this.
    pub(crate) fn forbidden(detail: impl Into<Box<str>>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    /// Nothing there that the caller may see.
    pub(crate) fn not_found(detail: impl Into<Box<str>>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", detail)
    }

    /// Overloaded or going down.
    pub(crate) fn unavailable(detail: impl Into<Box<str>>) -> Self {
        Problem {
            retry_after: Some(1),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail)
        }
    }

    /// Larger than it may be.
    pub(crate) fn too_large(detail: impl Into<Box<str>>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail)
    }
}

/// The HTTP status of each kind of failure; chosen here and nowhere else.
pub(crate) fn status(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::InvalidRequest => StatusCode::BAD_REQUEST,
        ErrorKind::Unauthenticated => StatusCode::UNAUTHORIZED,
        ErrorKind::Forbidden => StatusCode::FORBIDDEN,
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::ConversationBusy | ErrorKind::LeaseLost | ErrorKind::Cancelled => {
            StatusCode::CONFLICT
        }
        ErrorKind::IdempotencyMismatch | ErrorKind::ContextLimit => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        ErrorKind::BudgetExceeded => StatusCode::PAYMENT_REQUIRED,
        ErrorKind::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        ErrorKind::FileTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorKind::QuotaExceeded => StatusCode::INSUFFICIENT_STORAGE,
        ErrorKind::Unavailable | ErrorKind::AgentUnavailable | ErrorKind::Interrupted => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        ErrorKind::ModelError
        | ErrorKind::AgentDied
        | ErrorKind::AgentProtocol
        | ErrorKind::McpUnreachable
        | ErrorKind::SyncFailed => StatusCode::BAD_GATEWAY,
        ErrorKind::TimeLimit | ErrorKind::TurnLimit => StatusCode::GATEWAY_TIMEOUT,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl From<ServiceError> for Problem {
    fn from(error: ServiceError) -> Self {
        let status = status(error.kind());
        if status.is_server_error() {
            // The one place where a failed request is logged with its cause.
            tracing::error!(error.code = error.code(), error = %error, "request failed");
        } else {
            tracing::debug!(error.code = error.code(), error = %error, "request refused");
        }
        Problem {
            retry_after: error.retry_after_hint().map(|after| after.as_secs().max(1)),
            ..Problem::new(status, error.code(), error.public())
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        // The body is written by `complete`, which knows the request.
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// The outermost layer: completes problems by what only the request knows, and makes problems
/// of the plain errors that the framework answers by itself.
pub(crate) async fn complete(request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let method = request.method().clone();
    let id = request
        .extensions()
        .get::<RequestId>()
        .map(|id| id.0.clone());
    let mut response = next.run(request).await;
    let status = response.status();
    let (response, problem) = match response.extensions_mut().remove::<Problem>() {
        Some(problem) => (response, problem),
        None if is_plain_error(&response) => {
            let (parts, body) = response.into_parts();
            // What a library of ours answers in a short plain text, and the framework in none.
            let said = axum::body::to_bytes(body, 4096).await.unwrap_or_default();
            let said = String::from_utf8_lossy(&said).into_owned();
            let problem = plain(status, method.as_str(), &said);
            (Response::from_parts(parts, Body::empty()), problem)
        }
        None => return response,
    };
    let problem = Problem {
        instance: Some(path.into()),
        request_id: id.map(Into::into),
        ..problem
    };
    let (mut parts, _) = response.into_parts();
    parts.headers.remove(CONTENT_LENGTH);
    if let Some(after) = problem.retry_after {
        parts.headers.insert(RETRY_AFTER, HeaderValue::from(after));
    }
    if status == StatusCode::UNAUTHORIZED {
        parts
            .headers
            .entry(WWW_AUTHENTICATE)
            .or_insert(HeaderValue::from_static("Bearer"));
    }
    let mut body = Json(&problem).into_response();
    parts.headers.remove(CONTENT_TYPE);
    body.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/problem+json"),
    );
    for (name, value) in &parts.headers {
        body.headers_mut().append(name, value.clone());
    }
    *body.status_mut() = parts.status;
    body.map(Body::new)
}

/// A problem of an error that was written without one.
fn plain(status: StatusCode, method: &str, said: &str) -> Problem {
    let (code, detail) = match status {
        StatusCode::NOT_FOUND if said.is_empty() => {
            return Problem::not_found(
                "There is nothing at this path; /openapi.json lists what there is.",
            );
        }
        StatusCode::METHOD_NOT_ALLOWED => {
            let detail = format!("{method} is not allowed here; the Allow header lists what is.");
            return Problem::new(status, "method_not_allowed", detail);
        }
        StatusCode::PAYLOAD_TOO_LARGE => ("too_large", "The body is larger than it may be."),
        StatusCode::UNAUTHORIZED => ("unauthenticated", "A key is needed."),
        StatusCode::FORBIDDEN => ("forbidden", "This is not allowed."),
        StatusCode::NOT_FOUND => ("not_found", "There is nothing of that name."),
        StatusCode::NOT_ACCEPTABLE => (
            "not_acceptable",
            "The answer has another type than the client accepts.",
        ),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            ("unsupported_media_type", "The body has the wrong type.")
        }
        StatusCode::TOO_MANY_REQUESTS => ("rate_limited", "Too many requests."),
        StatusCode::SERVICE_UNAVAILABLE => ("unavailable", "The server cannot do this now."),
        status if status.is_client_error() => ("invalid_request", "The request is wrong."),
        _ => ("internal", "The server failed; the cause is in its log."),
    };
    // Texts of our own libraries are for clients; those of a failure are for the log.
    let detail = if said.is_empty() || status == StatusCode::INTERNAL_SERVER_ERROR {
        detail
    } else {
        said.trim()
    };
    Problem::new(status, code, detail)
}

/// An error that the framework wrote: no body of ours has this shape.
fn is_plain_error(response: &Response) -> bool {
    let kind = response
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .unwrap_or("");
    let status = response.status();
    (status.is_client_error() || status.is_server_error())
        && (kind.is_empty() || kind.starts_with("text/plain"))
}
