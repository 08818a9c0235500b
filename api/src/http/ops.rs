//! Health, readiness, figures.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hardshell_service::Finding;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde::Serialize;
use utoipa::ToSchema;

use super::problem::Problem;
use super::state::App;

/// Whether the process lives.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// Always `ok`.
    status: &'static str,
    /// Version of hardshell.
    version: &'static str,
}

/// Whether the server can work.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Ready {
    /// Requests can be served.
    pub(crate) ready: bool,
    /// What fails, or is weaker than it should be.
    pub(crate) findings: Vec<Check>,
}

/// One finding.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Check {
    /// What was looked at.
    pub(crate) check: String,
    /// Whether it keeps the server from being ready.
    pub(crate) fatal: bool,
    /// What was found.
    pub(crate) message: String,
}

impl From<Finding> for Check {
    fn from(finding: Finding) -> Self {
        Check {
            check: finding.check,
            fatal: finding.fatal,
            message: finding.message,
        }
    }
}

/// Liveness
#[utoipa::path(get, path = "/healthz", tag = "operations", operation_id = "health", security(()), responses((status = 200, body = Health)))]
pub(crate) async fn healthz() -> Json<Health> {
    Json(Health {
        status: "ok",
        version: env!("CARGO_PKG_VERSION"),
    })
}

/// Readiness
///
/// Not ready while the server goes down, or when something that it needs cannot be reached.
#[utoipa::path(
    get, path = "/readyz", tag = "operations", operation_id = "readiness", security(()),
    responses((status = 200, body = Ready), (status = 503, description = "Not ready.", body = Ready))
)]
pub(crate) async fn readyz(State(app): State<App>) -> Response {
    let found = app.service.ready().await;
    let mut ready = Ready {
        ready: found.ready,
        findings: found.findings.into_iter().map(Into::into).collect(),
    };
    if app.is_stopping() {
        ready.ready = false;
        let message = "The server is going down.".to_owned();
        ready.findings.push(Check {
            check: "drain".to_owned(),
            fatal: true,
            message,
        });
    }
    let status = if ready.ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(ready)).into_response()
}

/// Figures in Prometheus' text format
#[utoipa::path(
    get, path = "/metrics", tag = "operations", operation_id = "metrics", security(()),
    responses((status = 200, content_type = "text/plain", body = String), (status = 404, response = super::openapi::Failure))
)]
pub(crate) async fn metrics(State(app): State<App>) -> Result<Response, Problem> {
    if !app.config.metrics {
        return Err(Problem::not_found(
            "Figures are switched off (server.metrics).",
        ));
    }
    app.metrics.runs_alive(app.service.runs_alive());
    Ok((
        [(CONTENT_TYPE, crate::telemetry::metrics::CONTENT)],
        app.metrics.render(),
    )
        .into_response())
}
