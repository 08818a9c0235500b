//! The service: runs of the agent, their leases, workspaces, rows and events.
//!
//! It knows `hardshell-host` and nothing of HTTP routes or of MCP: `api` puts both
//! in front of it. It reads no environment and no configuration file.

mod admin;
pub mod agent;
pub mod config;
mod error;
mod exec;
mod gateway;
mod ids;
mod keys;
mod lease;
mod local;
mod objects;
mod run;
mod service;
mod store;
mod sync;
mod time;
mod types;

pub use admin::KeyAdmin;
pub use config::ServiceConfig;
pub use error::{ErrorKind, Result, ServiceError};
pub use ids::{ConversationId, ExecutionId, IdempotencyKey, InvalidId, KeyId, TenantId};
pub use run::Run;
pub use service::{EventStream, FileContent, FileUpload, FirstKey, Service};
pub use types::*;
