//! What the routes share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hardshell_service::Service;
use tokio::sync::Semaphore;

use crate::config::ServerConfig;
use crate::telemetry::metrics::Metrics;

/// The state of the routes; cheap to clone.
#[derive(Clone)]
pub(crate) struct App {
    /// The service.
    pub(crate) service: Arc<Service>,
    /// The edge's configuration.
    pub(crate) config: Arc<ServerConfig>,
    /// Figures.
    pub(crate) metrics: Arc<Metrics>,
    /// One permit per request that may be answered at once.
    pub(crate) requests: Arc<Semaphore>,
    stopping: Arc<AtomicBool>,
}

impl App {
    /// The state of a server.
    pub(crate) fn new(service: Arc<Service>, config: ServerConfig, metrics: Arc<Metrics>) -> Self {
        let permits = usize::try_from(config.max_requests)
            .unwrap_or(usize::MAX)
            .min(Semaphore::MAX_PERMITS);
        App {
            service,
            config: Arc::new(config),
            metrics,
            requests: Arc::new(Semaphore::new(permits)),
            stopping: Arc::default(),
        }
    }

    /// From now on the server is not ready: balancers send nothing new.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Whether the server is going down.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }
}
