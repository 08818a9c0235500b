//! The model gateway: the only way from an agent to its model.
//!
//! One secret path per run leads to `POST v1/messages` and its `count_tokens`, and
//! to nothing else. The real key is added here and never leaves this process but to
//! the provider. Bytes go through as they come, both ways; what is spent is read
//! from them on the way.

mod meter;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use futures::StreamExt;
use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use secrecy::ExposeSecret;
use serde_json::json;

use self::meter::{Metered, Watch};
use crate::config::ModelConfig;
use crate::error::{ErrorKind, Result, ServiceError};
use crate::run::{Run, Runs};
use crate::store::Store;

/// The gateway.
pub(crate) struct Gateway {
    client: reqwest::Client,
    config: Arc<ModelConfig>,
    store: Store,
}

/// Headers of a request that the provider is to see.
const FORWARDED: &[HeaderName] = &[ACCEPT, CONTENT_TYPE, USER_AGENT];
/// The same, by their own names.
const FORWARDED_NAMED: &[&str] = &["anthropic-version", "anthropic-beta"];
/// Headers of an answer that the agent is to see.
const RETURNED: &[&str] = &[
    "content-type",
    "request-id",
    "retry-after",
    "retry-after-ms",
    "x-should-retry",
    "cache-control",
];

impl Gateway {
    pub(crate) fn new(config: &ModelConfig, store: Store) -> Result<Self> {
        let client = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(10))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|cause| {
                ServiceError::new(
                    ErrorKind::Config,
                    "The client of the model's provider cannot be set up.",
                )
                .because(cause)
            })?;
        Ok(Self {
            client,
            config: Arc::new(config.clone()),
            store,
        })
    }

    /// Serves one request of an agent.
    pub(crate) async fn serve(
        &self,
        runs: &Runs,
        secret: &str,
        request: Request<Body>,
    ) -> Response<Body> {
        let Some(run) = runs.by_gateway(secret) else {
            return problem(StatusCode::NOT_FOUND, "not_found_error", "no such run");
        };
        let path = request.uri().path();
        let path = path.strip_prefix(&format!("/run/{secret}")).unwrap_or(path);
        let counting = match path {
            "/v1/messages" => false,
            "/v1/messages/count_tokens" => true,
            _ => {
                return problem(
                    StatusCode::NOT_FOUND,
                    "not_found_error",
                    "only v1/messages is served",
                );
            }
        };
        if request.method() != Method::POST {
            return problem(
                StatusCode::METHOD_NOT_ALLOWED,
                "invalid_request_error",
                "only POST is served",
            );
        }
        if !counting && !run.meter.allow() {
            // 400: an answer that the agent does not try again.
            let text = "hardshell: the run has used up its budget";
            return problem(StatusCode::BAD_REQUEST, "invalid_request_error", text);
        }
        let url = format!(
            "{}{path}{}",
            self.config.base_url.trim_end_matches('/'),
            query(&request)
        );
        self.forward(run, url, request, counting).await
    }

    async fn forward(
        &self,
        run: Arc<Run>,
        url: String,
        request: Request<Body>,
        counting: bool,
    ) -> Response<Body> {
        let headers = match self.headers(request.headers()) {
            Ok(headers) => headers,
            Err(response) => return *response,
        };
        let most = self.config.max_request;
        let mut sent: u64 = 0;
        let body = request.into_body().into_data_stream().map(move |part| {
            let part = part.map_err(std::io::Error::other)?;
            sent = sent.saturating_add(part.len() as u64);
            if sent > most {
                return Err(std::io::Error::other(
                    "the request is larger than it may be",
                ));
            }
            Ok(part)
        });
        let send = self
            .client
            .post(url)
            .headers(headers)
            .body(reqwest::Body::wrap_stream(body))
            .send();
        let closed = run.closed.clone();
        let answer = tokio::select! {
            answer = tokio::time::timeout(self.config.timeout, send) => answer,
            () = closed.cancelled() => {
                return problem(StatusCode::NOT_FOUND, "not_found_error", "the run is over");
            }
        };
        let answer = match answer {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => {
                tracing::warn!(execution = %run.execution, error = %error.without_url(), "the model's provider cannot be reached");
                return problem(
                    StatusCode::BAD_GATEWAY,
                    "api_error",
                    "hardshell: the model's provider cannot be reached",
                );
            }
            Err(_) => {
                return problem(
                    StatusCode::GATEWAY_TIMEOUT,
                    "api_error",
                    "hardshell: the model's provider does not answer",
                );
            }
        };
        let status = answer.status();
        let mut response = Response::builder().status(status);
        if let Some(headers) = response.headers_mut() {
            for (name, value) in answer.headers() {
                if RETURNED.contains(&name.as_str())
                    || name.as_str().starts_with("anthropic-ratelimit-")
                {
                    headers.insert(name.clone(), value.clone());
                }
            }
        }
        let streaming = answer
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| value.starts_with("text/event-stream"));
        let watch = Watch {
            run,
            store: self.store.clone(),
            config: Arc::clone(&self.config),
            counts: status.is_success() && !counting,
        };
        let body = Body::from_stream(Metered::new(answer.bytes_stream(), watch, streaming));
        response.body(body).unwrap_or_else(|_| {
            problem(
                StatusCode::BAD_GATEWAY,
                "api_error",
                "hardshell: the provider's answer cannot be passed on",
            )
        })
    }

    fn headers(&self, from: &HeaderMap) -> std::result::Result<HeaderMap, Box<Response<Body>>> {
        let mut headers = HeaderMap::new();
        for name in FORWARDED {
            if let Some(value) = from.get(name) {
                headers.insert(name.clone(), value.clone());
            }
        }
        for name in FORWARDED_NAMED {
            if let Some(value) = from.get(*name) {
                headers.insert(HeaderName::from_static(name), value.clone());
            }
        }
        if let Some(length) = from.get(CONTENT_LENGTH) {
            let known = length
                .to_str()
                .ok()
                .and_then(|text| text.parse::<u64>().ok());
            if known.is_none_or(|length| length > self.config.max_request) {
                let text = "hardshell: the request is larger than it may be";
                return Err(Box::new(problem(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    "request_too_large",
                    text,
                )));
            }
            headers.insert(CONTENT_LENGTH, length.clone());
        }
        if let Some(key) = &self.config.api_key {
            let Ok(mut value) = HeaderValue::from_str(key.expose_secret()) else {
                let text = "hardshell: the configured key is not valid";
                return Err(Box::new(problem(
                    StatusCode::UNAUTHORIZED,
                    "authentication_error",
                    text,
                )));
            };
            value.set_sensitive(true);
            headers.insert("x-api-key", value);
        }
        Ok(headers)
    }
}

/// The only query that the agent has use for.
fn query(request: &Request<Body>) -> &'static str {
    if request.uri().query() == Some("beta=true") {
        "?beta=true"
    } else {
        ""
    }
}

/// An error in the provider's own form, which the agent understands.
fn problem(status: StatusCode, kind: &str, message: &str) -> Response<Body> {
    let body =
        json!({ "type": "error", "error": { "type": kind, "message": message } }).to_string();
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
