//! The API document, made from the routes' own types, and a page to read it.

use axum::Json;
use axum::response::{Html, IntoResponse, Response};
use http::HeaderValue;
use http::header::CONTENT_SECURITY_POLICY;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi, ToResponse};

use super::problem::Problem;
use super::{conversations, execute, executions, files, ops};

/// Something went wrong.
#[derive(ToResponse)]
#[response(
    description = "Problem details (RFC 9457).",
    content_type = "application/problem+json"
)]
#[allow(dead_code)]
pub(crate) struct Failure(#[to_schema] Problem);

#[derive(OpenApi)]
#[openapi(
    info(
        title = "hardshell",
        description = "Runs AI agents whose tools are WebAssembly instances with limits of their own.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")
    ),
    servers((url = "/")),
    paths(
        execute::execute, execute::events,
        executions::list, executions::get, executions::cancel,
        conversations::create, conversations::list, conversations::get, conversations::delete,
        files::list, files::download, files::upload, files::delete, files::archive,
        ops::healthz, ops::readyz, ops::metrics,
    ),
    components(responses(Failure), schemas(Problem)),
    modifiers(&Keys),
    security(("api_key" = [])),
    tags(
        (name = "runs", description = "Start a run, follow it, end it."),
        (name = "conversations", description = "What runs leave behind: messages and usage."),
        (name = "files", description = "The workspace of a conversation."),
        (name = "operations", description = "For probes and monitoring; no key needed."),
    )
)]
struct Document;

struct Keys;

impl Modify for Keys {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("An API key (`hardshell keys create`)."))
            .build();
        document
            .components
            .get_or_insert_with(Default::default)
            .add_security_scheme("api_key", SecurityScheme::Http(scheme));
    }
}

/// The document.
pub(crate) fn document() -> utoipa::openapi::OpenApi {
    Document::openapi()
}

/// `GET /openapi.json`.
pub(crate) async fn json() -> Json<utoipa::openapi::OpenApi> {
    Json(document())
}

/// `GET /docs`: the document, readable. Nothing is loaded from elsewhere.
pub(crate) async fn page() -> Response {
    let mut response = Html(include_str!("docs.html")).into_response();
    response.headers_mut().insert(
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'",
        ),
    );
    response
}
