//! Two listeners, and an end that loses nothing.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::serve::ListenerExt as _;
use hardshell_mcp::ToolProvider;
use hardshell_service::Service;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::mcp::Sessions;
use super::state::App;
use super::{inner, router};
use crate::config::Config;
use crate::telemetry::metrics::Metrics;

/// How long connections may linger once no run is alive.
const LINGER: Duration = Duration::from_secs(5);

/// A server that listens.
pub(crate) struct Server {
    /// Where clients connect.
    pub(crate) address: SocketAddr,
    /// The service behind it.
    pub(crate) service: Arc<Service>,
    app: App,
    outer: JoinHandle<std::io::Result<()>>,
    inner: JoinHandle<std::io::Result<()>>,
    /// Ends the listener of the clients.
    close: CancellationToken,
    /// Ends the listener of the agent children: after their runs.
    close_inner: CancellationToken,
}

impl Server {
    /// Opens both listeners and serves.
    pub(crate) async fn start(
        config: &Config,
        service: Arc<Service>,
        providers: Vec<Arc<dyn ToolProvider>>,
    ) -> anyhow::Result<Server> {
        let listen = |address: SocketAddr, key: &'static str| async move {
            TcpListener::bind(address).await.with_context(|| {
                format!("cannot listen on {address} ({key}): is another server running?")
            })
        };
        let outer = listen(config.server.listen, "server.listen").await?;
        let inner_listener = listen(config.server.inner_listen, "server.inner_listen").await?;
        let address = outer.local_addr()?;
        let inner_url = format!("http://{}", inner_listener.local_addr()?);
        service.set_inner_url(&inner_url);

        let metrics = Metrics::new();
        let app = App::new(
            Arc::clone(&service),
            config.server.clone(),
            Arc::clone(&metrics),
        );
        let sessions = Sessions::new(Arc::clone(&service), metrics, providers);
        let close = CancellationToken::new();
        let close_inner = CancellationToken::new();
        let routes = router(app.clone(), Arc::clone(&sessions), close.clone());
        let inner_routes = inner::router(Arc::clone(&service), sessions, close_inner.clone());
        Ok(Server {
            address,
            service,
            app,
            outer: spawn(outer, routes, close.clone()),
            inner: spawn(inner_listener, inner_routes, close_inner.clone()),
            close,
            close_inner,
        })
    }

    /// Waits for SIGTERM or SIGINT; an error when a listener fails, which ends the server.
    pub(crate) async fn until_stopped(&mut self) -> anyhow::Result<()> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let (name, ended) = tokio::select! {
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
            ended = &mut self.outer => ("server.listen", ended),
            ended = &mut self.inner => ("server.inner_listen", ended),
        };
        ended
            .map_err(anyhow::Error::from)
            .and_then(|served| Ok(served?))
            .with_context(|| format!("the listener of {name} failed"))?;
        anyhow::bail!("the listener of {name} ended")
    }

    /// Goes down: no new runs, those alive finish (or are stopped after `drain_for`), their
    /// streams end with their last event, then the listeners close. A second signal ends all.
    pub(crate) async fn stop(self) {
        self.app.stop();
        let alive = self.service.runs_alive();
        tracing::info!(runs.alive = alive, "going down");
        let orderly = async {
            self.service.drain().await;
            self.close.cancel();
            self.close_inner.cancel();
            let listeners = futures::future::join(self.outer, self.inner);
            if tokio::time::timeout(LINGER, listeners).await.is_err() {
                tracing::debug!("connections were still open");
            }
        };
        let again = async {
            let mut terminate = signal(SignalKind::terminate())?;
            let mut interrupt = signal(SignalKind::interrupt())?;
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            std::io::Result::Ok(())
        };
        tokio::select! {
            () = orderly => tracing::info!("down"),
            _ = again => tracing::warn!("a second signal: ending at once; the sweeper finishes what was running"),
        }
    }
}

fn spawn(
    listener: TcpListener,
    routes: Router,
    close: CancellationToken,
) -> JoinHandle<std::io::Result<()>> {
    tokio::spawn(async move {
        // Events are small and must not wait for each other.
        let listener = listener.tap_io(|connection| {
            let _ = connection.set_nodelay(true);
        });
        axum::serve(listener, routes)
            .with_graceful_shutdown(close.cancelled_owned())
            .await
    })
}
