//! The MCP server of hardshell: one sandbox's tools over stdio, or many sandboxes' over
//! streamable HTTP.
//!
//! A [`Session`] joins a sandbox to what a conversation needs beside it: which files were
//! read, which commands run in the background, which tools are allowed. It knows nothing of
//! transports. [`serve_stdio`] serves one; [`http_router`] serves whatever session an
//! [`Authorizer`] finds for the bearer token of each single request.
//!
//! Nothing here opens a file of a workspace: the file tools are a module that runs in the
//! sandbox like any command, and so is what keeps the overlong output of a command.

#[cfg(feature = "conformance-fixtures")]
pub mod fixtures;
mod http;
mod outcome;
pub mod provider;
mod resources;
mod server;
mod session;
mod stdio;
pub mod toolkit;
mod tools;

pub use crate::http::{
    Authorizer, Denied, HttpConfig, RateLimit, ResourceMetadata, SingleSession, TokenBuckets,
    http_router,
};
pub use outcome::{Finished, NoObserver, Outcome, ToolObserver, ToolOutcome};
pub use provider::{ToolProvider, manifest, policy};
pub use session::{CallContext, CallError, Progress, Session, SessionOptions};
pub use stdio::{ServeError, serve, serve_stdio};

/// Types of the protocol that appear in this crate's interface.
pub mod protocol {
    pub use rmcp::model::{ContentBlock, JsonObject, MetaObject, Tool, ToolAnnotations};
}
