//! The HTTP server, on a thread and runtime of its own.

use crate::message::{Message, quarter};
use crate::recorded::Recorded;
use crate::script::{ErrorReply, Script, ScriptError, Stream, Turn};
use crate::view::View;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures::stream;
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;

/// A request body above this many bytes is refused, as the real API does.
const MAX_BODY: usize = 32 * 1024 * 1024;

/// Starts scripted models.
pub struct ScriptedModel;

/// Why a scripted model did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The script cannot be played.
    #[error(transparent)]
    Script(#[from] ScriptError),
    /// No port, or no thread.
    #[error("the scripted model cannot start: {0}")]
    Io(#[from] io::Error),
}

/// A running scripted model. Dropping it ends the server and every open stream.
pub struct Handle {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    script: Script,
    state: Mutex<Log>,
}

#[derive(Default)]
struct Log {
    /// How often each turn was played.
    played: Vec<u32>,
    requests: Vec<Recorded>,
}

impl ScriptedModel {
    /// Starts a server on a free port of 127.0.0.1. May be called with or without a runtime.
    pub fn start(script: Script) -> Result<Handle, StartError> {
        Self::start_on(script, 0)
    }

    /// Starts a server on this port of 127.0.0.1; 0 takes a free one.
    pub fn start_on(script: Script, port: u16) -> Result<Handle, StartError> {
        script.check()?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            script,
            state: Mutex::new(Log::default()),
        });
        let app = axum::Router::new()
            .fallback(handle)
            .with_state(Arc::clone(&shared));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::Builder::new()
            .name("scripted-model".to_owned())
            .spawn(move || {
                runtime.block_on(async move {
                    let listener = match tokio::net::TcpListener::from_std(listener) {
                        Ok(listener) => listener,
                        Err(error) => {
                            return tracing::error!(%error, "the scripted model has no listener");
                        }
                    };
                    tokio::select! {
                        served = async { axum::serve(listener, app).await } => {
                            if let Err(error) = served {
                                tracing::error!(%error, "the scripted model stopped");
                            }
                        }
                        _ = stopped => {}
                    }
                });
                // Takes the connections down with it, the stalled ones too.
                runtime.shutdown_background();
            })?;
        Ok(Handle {
            address,
            shared,
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Handle {
    /// `http://127.0.0.1:PORT`, without a slash at the end: what `ANTHROPIC_BASE_URL` wants.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every request so far, `count_tokens` and unknown paths included.
    pub fn requests(&self) -> Vec<Recorded> {
        self.shared.state.lock().requests.clone()
    }

    /// The requests for a message so far.
    pub fn messages(&self) -> Vec<Recorded> {
        let mut requests = self.requests();
        requests.retain(|request| request.path.ends_with("/v1/messages"));
        requests
    }

    /// How many turns of the script have not been played as often as they may.
    pub fn turns_left(&self) -> usize {
        let log = self.shared.state.lock();
        let turns = self.shared.script.turns.iter().enumerate();
        turns
            .filter(|(index, turn)| turn.plays != Some(0) && has_plays_left(turn, &log, *index))
            .count()
    }

    /// Ends the server; the same as dropping the handle.
    pub fn shutdown(self) {
        drop(self);
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn has_plays_left(turn: &Turn, log: &Log, index: usize) -> bool {
    let played = log.played.get(index).copied().unwrap_or(0);
    match turn.plays.unwrap_or(1) {
        0 => true,
        plays => played < plays,
    }
}

async fn handle(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    let raw = match to_bytes(body, MAX_BODY).await {
        Ok(raw) => raw,
        Err(_) => {
            return error_reply(
                413,
                Some("request_too_large"),
                "the request is too large",
                None,
            );
        }
    };
    let body: Value = serde_json::from_slice(&raw).unwrap_or(Value::Null);
    let mut recorded = Recorded {
        method: parts.method.to_string(),
        path: path.clone(),
        headers: parts
            .headers
            .iter()
            .map(|(key, value)| {
                (
                    key.as_str().to_owned(),
                    String::from_utf8_lossy(value.as_bytes()).into_owned(),
                )
            })
            .collect(),
        raw_body: raw.to_vec(),
        body: body.clone(),
        turn: None,
        problem: None,
    };
    let posted = parts.method == axum::http::Method::POST;
    if posted && path.ends_with("/v1/messages/count_tokens") {
        shared.state.lock().requests.push(recorded);
        let tokens = shared.script.count_tokens.unwrap_or_else(|| quarter(&body));
        return axum::Json(json!({"input_tokens": tokens})).into_response();
    }
    if !(posted && path.ends_with("/v1/messages")) {
        shared.state.lock().requests.push(recorded);
        // Clients look whether the server is there before they talk to it.
        if matches!(parts.method, axum::http::Method::HEAD) {
            return StatusCode::OK.into_response();
        }
        return error_reply(404, None, &format!("no such path: {path}"), None);
    }
    if let Some(key) = &shared.script.require_key {
        let sent = recorded
            .header("x-api-key")
            .or_else(|| recorded.header("authorization")?.strip_prefix("Bearer "));
        if sent != Some(key) {
            shared.state.lock().requests.push(recorded);
            return error_reply(401, None, "invalid x-api-key", None);
        }
    }
    let view = View::new(&body);
    let problem = if body.is_null() {
        Some("the body is not JSON".to_owned())
    } else {
        view.problem().filter(|_| !shared.script.lenient)
    };
    if let Some(problem) = problem {
        recorded.problem = Some(problem.clone());
        shared.state.lock().requests.push(recorded);
        return error_reply(400, None, &problem, None);
    }
    let turn = {
        let mut log = shared.state.lock();
        let chosen = choose(&shared.script, &log, &view);
        if let Some(index) = chosen {
            if log.played.len() <= index {
                log.played.resize(index.saturating_add(1), 0);
            }
            if let Some(played) = log.played.get_mut(index) {
                *played = played.saturating_add(1);
            }
        }
        recorded.turn = chosen;
        log.requests.push(recorded);
        chosen
            .and_then(|index| shared.script.turns.get(index))
            .or(shared.script.otherwise.as_deref())
            .cloned()
    };
    match turn {
        Some(turn) => play(&turn, &shared.script.tool_prefix, &body).await,
        None => {
            let asked = view
                .last_tool_result()
                .or_else(|| view.last_user_text().map(str::to_owned));
            let asked: String = asked.unwrap_or_default().chars().take(200).collect();
            error_reply(
                500,
                None,
                &format!("no turn of the script is left for this request: {asked}"),
                None,
            )
        }
    }
}

fn choose(script: &Script, log: &Log, view: &View<'_>) -> Option<usize> {
    let turns = script.turns.iter().enumerate();
    turns
        .filter(|(index, turn)| has_plays_left(turn, log, *index))
        .find(|(_, turn)| view.holds(&turn.when))
        .map(|(index, _)| index)
}

async fn play(turn: &Turn, tool_prefix: &str, body: &Value) -> Response {
    if turn.wait_ms > 0 {
        tokio::time::sleep(Duration::from_millis(turn.wait_ms)).await;
    }
    if let Some(ErrorReply {
        status,
        kind,
        message,
        retry_after,
    }) = &turn.error
    {
        return error_reply(*status, kind.as_deref(), message, *retry_after);
    }
    if let Some(raw) = &turn.raw {
        let status = StatusCode::from_u16(raw.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        return (
            status,
            [(header::CONTENT_TYPE, raw.content_type.clone())],
            raw.body.clone(),
        )
            .into_response();
    }
    let message = Message::new(turn, tool_prefix, body);
    if body.get("stream").and_then(Value::as_bool) != Some(true) {
        return ([request_id()], axum::Json(message.whole())).into_response();
    }
    let events = message.events(turn.stream.chunk_chars);
    let headers = [
        (
            header::CONTENT_TYPE,
            "text/event-stream; charset=utf-8".to_owned(),
        ),
        (header::CACHE_CONTROL, "no-cache".to_owned()),
    ];
    (
        [request_id()],
        headers,
        Body::from_stream(send(events, turn.stream.clone())),
    )
        .into_response()
}

/// What happens next on a stream.
enum Step {
    Event(Bytes),
    Cut,
    Silence(Option<u64>),
}

fn steps(events: Vec<(&'static str, Value)>, how: &Stream) -> Vec<Step> {
    let mut steps = Vec::new();
    for (sent, (name, data)) in events.into_iter().enumerate() {
        if how.cut_after == Some(sent) {
            steps.push(Step::Cut);
            return steps;
        }
        if let Some(error) = how.error.as_ref().filter(|error| error.after == sent) {
            let data =
                json!({"type": "error", "error": {"type": error.kind, "message": error.message}});
            steps.push(Step::Event(sse("error", &data)));
            return steps;
        }
        if how.stall_after == Some(sent) {
            steps.push(Step::Silence(how.stall_ms));
        }
        steps.push(Step::Event(sse(name, &data)));
    }
    steps
}

fn send(
    events: Vec<(&'static str, Value)>,
    how: Stream,
) -> impl futures::Stream<Item = io::Result<Bytes>> + Send + 'static {
    let delay = Duration::from_millis(how.delay_ms);
    stream::unfold(
        steps(events, &how).into_iter(),
        move |mut steps| async move {
            loop {
                match steps.next()? {
                    Step::Event(bytes) => {
                        if !delay.is_zero() {
                            tokio::time::sleep(delay).await;
                        }
                        return Some((Ok(bytes), steps));
                    }
                    Step::Cut => {
                        // Lets what was sent before leave the buffer: an error drops it.
                        tokio::time::sleep(Duration::from_millis(20)).await;
                        return Some((Err(io::Error::other("cut by the script")), steps));
                    }
                    Step::Silence(Some(ms)) => tokio::time::sleep(Duration::from_millis(ms)).await,
                    Step::Silence(None) => futures::future::pending::<()>().await,
                }
            }
        },
    )
}

fn sse(name: &str, data: &Value) -> Bytes {
    Bytes::from(format!("event: {name}\ndata: {data}\n\n"))
}

fn request_id() -> (header::HeaderName, String) {
    (
        header::HeaderName::from_static("request-id"),
        format!("req_{}", uuid::Uuid::new_v4().simple()),
    )
}

fn error_reply(
    status: u16,
    kind: Option<&str>,
    message: &str,
    retry_after: Option<u64>,
) -> Response {
    let kind = kind.unwrap_or(match status {
        400 => "invalid_request_error",
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        529 => "overloaded_error",
        _ => "api_error",
    });
    let body = json!({"type": "error", "error": {"type": kind, "message": message}});
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, [request_id()], axum::Json(body)).into_response();
    if let Some(seconds) = retry_after {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, seconds.into());
    }
    response
}
