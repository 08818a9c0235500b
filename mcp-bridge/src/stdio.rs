//! One session over standard input and output, or any other pair of streams.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rmcp::ServiceExt;
use rmcp::transport::async_rw::AsyncRwTransport;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::CancellationToken;

use crate::server::Bridge;
use crate::session::Session;

/// The longest message, bytes. A longer one ends the connection.
const MESSAGE_MAX: usize = 32 << 20;

/// After the end of a client's input, its calls may go on for so long: enough for the
/// answers of requests that came through a pipe, too little for a client that has died.
const GRACE: Duration = Duration::from_millis(500);

/// Why serving ended.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The client did not begin as the protocol asks.
    #[error("the MCP client did not begin as it should: {0}")]
    Handshake(String),
    /// The server's task failed.
    #[error("the MCP server ended early: {0}")]
    Task(String),
}

/// Serves one session on this process's standard input and output until they close.
///
/// # Errors
/// When the client does not begin as the protocol asks, or the server's task fails.
pub async fn serve_stdio(session: Arc<Session>) -> Result<(), ServeError> {
    let (input, output) = rmcp::transport::stdio_pipes();
    serve(session, input, output).await
}

/// Serves one session on a pair of streams until they close.
///
/// # Errors
/// As [`serve_stdio`].
pub async fn serve<R, W>(session: Arc<Session>, input: R, output: W) -> Result<(), ServeError>
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    let closed = CancellationToken::new();
    // However this ends, no call outlives the connection.
    let _closes = closed.clone().drop_guard();
    let input = Watched {
        inner: input,
        closed: closed.clone(),
        told: false,
    };
    let transport = AsyncRwTransport::new_server(input, output).with_max_line_length(MESSAGE_MAX);
    let running = match Bridge::fixed(session, closed).serve(transport).await {
        Ok(running) => running,
        // A client that leaves before it says anything is no fault of anyone.
        Err(rmcp::service::ServerInitializeError::ConnectionClosed(_)) => return Ok(()),
        Err(error) => return Err(ServeError::Handshake(error.to_string())),
    };
    running
        .waiting()
        .await
        .map(|_| ())
        .map_err(|error| ServeError::Task(error.to_string()))
}

/// Input whose end is noticed while calls still run.
struct Watched<R> {
    inner: R,
    closed: CancellationToken,
    told: bool,
}

impl<R: AsyncRead + Unpin> AsyncRead for Watched<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        let read = ready!(Pin::new(&mut self.inner).poll_read(context, buffer));
        let ended = read.is_err() || buffer.filled().len() == before && buffer.remaining() > 0;
        if ended && !self.told {
            self.told = true;
            let closed = self.closed.clone();
            tokio::spawn(async move {
                tokio::time::sleep(GRACE).await;
                closed.cancel();
            });
        }
        Poll::Ready(read)
    }
}
