//! Extractors that answer problem details.

use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, FromRequestParts, Request};
use hardshell_service::{Principal, Scope};
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use secrecy::SecretString;
use serde::de::DeserializeOwned;

use super::problem::Problem;
use super::state::App;

/// The key of a request: `Authorization: Bearer KEY` or `x-api-key: KEY`.
pub(crate) fn key(headers: &HeaderMap) -> Result<SecretString, Problem> {
    if let Some(value) = headers.get(AUTHORIZATION) {
        let text = value.to_str().unwrap_or("");
        let (scheme, key) = text.split_once(' ').unwrap_or((text, ""));
        if !scheme.eq_ignore_ascii_case("bearer") || key.trim().is_empty() {
            return Err(Problem::unauthenticated(
                "The Authorization header must be `Bearer KEY`.",
            ));
        }
        return Ok(key.trim().into());
    }
    match headers
        .get("x-api-key")
        .and_then(|value| value.to_str().ok())
    {
        Some(key) if !key.trim().is_empty() => Ok(key.trim().into()),
        _ => Err(Problem::unauthenticated(
            "An API key is needed: send `Authorization: Bearer KEY` (`hardshell keys create` makes one).",
        )),
    }
}

async fn principal(parts: &Parts, app: &App) -> Result<Principal, Problem> {
    Ok(app.service.authenticate(&key(&parts.headers)?).await?)
}

/// A caller who may read.
pub(crate) struct Reader(pub(crate) Principal);

/// A caller who may change things.
pub(crate) struct Writer(pub(crate) Principal);

impl FromRequestParts<App> for Reader {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let principal = principal(parts, app).await?;
        if principal.may(Scope::Read) {
            Ok(Reader(principal))
        } else {
            Err(Problem::forbidden("The key may not read."))
        }
    }
}

impl FromRequestParts<App> for Writer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let principal = principal(parts, app).await?;
        if principal.may(Scope::Write) {
            Ok(Writer(principal))
        } else {
            Err(Problem::forbidden("The key may only read."))
        }
    }
}

/// A JSON body of exactly this shape.
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<App> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        match axum::Json::<T>::from_request(request, app).await {
            Ok(axum::Json(value)) => Ok(Json(value)),
            Err(rejection) => Err(refused(&rejection, app)),
        }
    }
}

fn refused(rejection: &JsonRejection, app: &App) -> Problem {
    let status = rejection.status();
    match rejection {
        JsonRejection::MissingJsonContentType(_) => Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "The body must be JSON: send `Content-Type: application/json`.",
        ),
        JsonRejection::JsonSyntaxError(e) => Problem::new(
            StatusCode::BAD_REQUEST,
            "malformed_json",
            format!("The body is not JSON: {}.", cause(e)),
        ),
        JsonRejection::JsonDataError(e) => Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid_request",
            format!("The body is not what this route takes: {}.", cause(e)),
        ),
        _ if status == StatusCode::PAYLOAD_TOO_LARGE => {
            let limit = crate::units::Size(app.config.max_body);
            Problem::too_large(format!(
                "The body is larger than {limit} (server.max_body)."
            ))
        }
        other => Problem::invalid(format!("The body could not be read: {other}.")),
    }
}

/// The innermost error: what serde said and where.
fn cause(error: &dyn std::error::Error) -> String {
    let mut last = error.to_string();
    let mut next = error.source();
    while let Some(inner) = next {
        last = inner.to_string();
        next = inner.source();
    }
    last
}

/// Query parameters of exactly this shape.
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<App> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        match axum::extract::Query::<T>::from_request_parts(parts, app).await {
            Ok(axum::extract::Query(value)) => Ok(Query(value)),
            Err(rejection) => Err(Problem::invalid(format!(
                "The query is not usable: {}.",
                cause(&rejection)
            ))),
        }
    }
}

/// Parts of the path.
pub(crate) struct Path<T>(pub(crate) T);

impl<T: DeserializeOwned + Send> FromRequestParts<App> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        match axum::extract::Path::<T>::from_request_parts(parts, app).await {
            Ok(axum::extract::Path(value)) => Ok(Path(value)),
            // An id that cannot be one names nothing.
            Err(_) => Err(Problem::not_found(
                "There is nothing of that name: an id has 1 to 64 characters out of A-Z a-z 0-9 _ -.",
            )),
        }
    }
}

/// A header of at most one value, as text.
pub(crate) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Problem> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() {
        return Err(Problem::invalid(format!(
            "The header {name} is given twice."
        )));
    }
    match first {
        None => Ok(None),
        Some(value) => match value.to_str() {
            Ok(text) => Ok(Some(text.trim())),
            Err(_) => Err(Problem::invalid(format!(
                "The header {name} is not plain text."
            ))),
        },
    }
}
