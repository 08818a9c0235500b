//! The configuration: one struct, three sources, one precedence.
//!
//! Weakest first: the defaults, the file, the environment, the command line. A key that does
//! not exist is an error that names the nearest one that does.

pub(crate) mod keys;
pub(crate) mod load;
pub(crate) mod reference;
mod value;

use std::net::SocketAddr;
use std::path::PathBuf;

use hardshell_service::ServiceConfig;
use serde::Deserialize;

use crate::units::{Period, Size};

pub(crate) use load::{ConfigError, Flags, Settings};

/// Everything that the binary can be told.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// The HTTP edge.
    pub(crate) server: ServerConfig,
    /// Logs.
    pub(crate) log: LogConfig,
    /// The kernel.
    pub(crate) kernel: KernelConfig,
    /// Tools of the operator's own.
    pub(crate) tools: ToolsConfig,
    /// The service behind the routes.
    pub(crate) service: ServiceConfig,
}

/// The HTTP edge.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ServerConfig {
    pub(crate) listen: SocketAddr,
    pub(crate) inner_listen: SocketAddr,
    #[serde(default)]
    pub(crate) allowed_hosts: Vec<String>,
    #[serde(default)]
    pub(crate) allowed_origins: Vec<String>,
    pub(crate) max_body: u64,
    pub(crate) max_upload: u64,
    pub(crate) request_timeout: Period,
    pub(crate) heartbeat: Period,
    pub(crate) max_requests: u32,
    pub(crate) metrics: bool,
}

/// Logs.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogConfig {
    pub(crate) level: String,
    pub(crate) format: LogFormat,
}

/// How logs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LogFormat {
    Text,
    Json,
}

/// The kernel.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KernelConfig {
    #[serde(default)]
    pub(crate) cache_dir: Option<PathBuf>,
    pub(crate) max_processes: u32,
    pub(crate) worker_threads: usize,
    pub(crate) max_memory_per_process: u64,
}

/// Tools of the operator's own.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ToolsConfig {
    pub(crate) dir: Option<PathBuf>,
    pub(crate) policy: Option<PathBuf>,
}

impl ServerConfig {
    /// Checks what no single value shows.
    fn check(&self) -> Result<(), ConfigError> {
        if !self.inner_listen.ip().is_loopback() {
            return Err(ConfigError::Value {
                key: "server.inner_listen".to_owned(),
                origin: "the configuration".to_owned(),
                problem: format!(
                    "{} is not a loopback address; the agent child is on this machine and nobody else may reach it",
                    self.inner_listen
                ),
            });
        }
        if self.heartbeat.0.is_zero() || self.request_timeout.0.is_zero() || self.max_requests == 0
        {
            return Err(ConfigError::Value {
                key: "server".to_owned(),
                origin: "the configuration".to_owned(),
                problem: "heartbeat, request_timeout and max_requests must be above 0".to_owned(),
            });
        }
        Ok(())
    }

    /// The size limit of a JSON body.
    pub(crate) fn body_limit(&self) -> usize {
        usize::try_from(self.max_body).unwrap_or(usize::MAX)
    }

    /// The size limit of an upload, for people.
    pub(crate) fn upload_limit(&self) -> Size {
        Size(self.max_upload)
    }
}
