//! Tools beside the built-in ones.

pub mod folder;
mod kernel;
pub mod manifest;
pub mod policy;
mod run;
mod schema;

use rmcp::model::{JsonObject, Tool};
use tokio::sync::watch;

use crate::outcome::ToolOutcome;
use crate::session::{CallContext, Session};

/// Contributes tools to sessions.
#[async_trait::async_trait]
pub trait ToolProvider: Send + Sync + 'static {
    /// The tools now, always in the same order while nothing changes.
    fn tools(&self) -> Vec<Tool>;

    /// Runs a tool; `None` if it has gone in the meantime.
    async fn call(
        &self,
        session: &Session,
        name: &str,
        arguments: JsonObject,
        context: &CallContext,
    ) -> Option<ToolOutcome>;

    /// Counts up whenever [`ToolProvider::tools`] changes; `None` if it never does.
    fn changed(&self) -> Option<watch::Receiver<u64>>;
}
