//! Bodies that know when the client hangs up, and answers that begin in time.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http_body_util::BodyExt;
use tokio_util::sync::DropGuard;

/// The longest answer that is turned into an event.
const EVENT_MAX: usize = 64 << 20;

/// A body that cancels a token when it is dropped before its end.
pub(super) struct Guarded {
    inner: Body,
    hang_up: Option<DropGuard>,
}

impl Guarded {
    pub(super) fn new(inner: Body, hang_up: DropGuard) -> Self {
        Guarded {
            inner,
            hang_up: Some(hang_up),
        }
    }

    fn ended(&mut self) {
        if let Some(hang_up) = self.hang_up.take() {
            hang_up.disarm();
        }
    }
}

impl axum::body::HttpBody for Guarded {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(context);
        if let Poll::Ready(None) = &polled {
            self.ended();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.inner.size_hint()
    }
}

/// The answer, if it comes in time; else one that begins now, as an event stream with
/// comments that keep it alive, and that ends with the answer. Clients give up on a server
/// whose headers they wait for.
pub(super) async fn with_early_headers<F>(
    answer: F,
    after: Duration,
    keep_alive: Duration,
) -> Response
where
    F: Future<Output = Response> + Send + 'static,
{
    let mut answer = Box::pin(answer);
    if let Ok(response) = tokio::time::timeout(after, &mut answer).await {
        return response;
    }
    let stream =
        futures::stream::unfold(Early::Waiting(answer), move |state| step(state, keep_alive));
    let mut response = Body::from_stream(stream).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

enum Early {
    Waiting(Pin<Box<dyn Future<Output = Response> + Send>>),
    Streaming(axum::body::BodyDataStream),
    Done,
}

async fn step(state: Early, keep_alive: Duration) -> Option<(Result<Bytes, Infallible>, Early)> {
    match state {
        Early::Waiting(mut answer) => match tokio::time::timeout(keep_alive, &mut answer).await {
            Err(_) => Some((Ok(Bytes::from_static(b":\n\n")), Early::Waiting(answer))),
            Ok(response) if is_events(&response) => {
                let stream = response.into_body().into_data_stream();
                Some((Ok(Bytes::from_static(b":\n\n")), Early::Streaming(stream)))
            }
            Ok(response) => Some((Ok(as_event(response).await), Early::Done)),
        },
        Early::Streaming(mut stream) => match stream.next().await {
            Some(Ok(bytes)) => Some((Ok(bytes), Early::Streaming(stream))),
            _ => None,
        },
        Early::Done => None,
    }
}

fn is_events(response: &Response) -> bool {
    response
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.starts_with("text/event-stream"))
}

/// One event that holds a JSON answer.
async fn as_event(response: Response) -> Bytes {
    let limited = http_body_util::Limited::new(response.into_body(), EVENT_MAX);
    let body = limited
        .collect()
        .await
        .map(|body| body.to_bytes())
        .unwrap_or_default();
    let text = String::from_utf8_lossy(&body);
    let mut event = String::with_capacity(text.len() + 16);
    for line in text.lines() {
        event.push_str("data: ");
        event.push_str(line);
        event.push('\n');
    }
    event.push('\n');
    Bytes::from(event)
}
