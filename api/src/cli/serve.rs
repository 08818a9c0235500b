//! `hardshell serve`.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use hardshell_service::Service;
use secrecy::ExposeSecret as _;

use super::{ConfigArgs, kernel};
use crate::config::{Config, ConfigError, Settings};
use crate::exit::{self, Failed, Outcome};
use crate::http::Server;
use crate::{agent, telemetry};

/// Options of `hardshell serve`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ANTHROPIC_API_KEY=… hardshell serve
  hardshell serve --listen 127.0.0.1:9000 --data-dir /var/lib/hardshell
  hardshell serve --config /etc/hardshell.toml
  DATABASE_URL=postgres://… REDIS_URL=redis://… S3_BUCKET=… hardshell serve

At the very first start it makes a tenant \"default\" and an API key, which it prints once.
It speaks plain HTTP: where others than this machine connect, put a proxy with TLS before it.
SIGTERM lets running executions finish (drain_for) before it ends.")]
pub(crate) struct Args {
    #[command(flatten)]
    config: ConfigArgs,
    /// Where clients connect [default: 127.0.0.1:8080]
    #[arg(long, value_name = "IP:PORT")]
    listen: Option<SocketAddr>,
    /// Folder of everything kept locally [default: .hardshell]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The agent CLI's executable
    #[arg(long, value_name = "FILE")]
    agent_cli: Option<PathBuf>,
    /// What is logged: error, warn, info, debug or directives
    #[arg(long, value_name = "LEVEL")]
    log: Option<String>,
}

impl Args {
    fn settings(&self) -> Result<Settings, ConfigError> {
        let mut settings = Settings::load(&self.config.flags())?;
        let text = |path: &PathBuf| path.display().to_string();
        for (key, value) in [
            ("server.listen", self.listen.map(|a| a.to_string())),
            ("data_dir", self.data_dir.as_ref().map(text)),
            ("agent.cli", self.agent_cli.as_ref().map(text)),
            ("log.level", self.log.clone()),
        ] {
            if let Some(value) = value {
                settings.set(key, &value)?;
            }
        }
        Ok(settings)
    }
}

/// Runs the service until it is told to end.
pub(crate) fn run(args: &Args) -> Outcome {
    let mut config = args
        .settings()
        .and_then(|s| s.config())
        .map_err(Failed::usage)?;
    telemetry::start(&config.log).map_err(Failed::usage)?;
    if config.service.agent.cli.is_none() {
        config.service.agent.cli = agent::find();
    }
    let runtime = server_runtime()?;
    runtime.block_on(serve(&config))
}

/// The runtime of a server; tools run on the kernel's own threads.
pub(crate) fn server_runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("hardshell")
        .build()
        .context("cannot start the asynchronous runtime")
}

/// A server of this configuration that listens.
pub(crate) async fn start(config: &Config) -> anyhow::Result<Server> {
    let engine = kernel::engine(&config.kernel, false)?;
    let registry = kernel::registry(&engine)?;
    let mut providers = Vec::new();
    if let Some(folder) = &config.tools.dir {
        providers.push(super::tool::provider(
            folder,
            config.tools.policy.as_deref(),
            &registry,
        )?);
    }
    let service = Service::open(config.service.clone(), registry).await?;
    Server::start(config, service, providers).await
}

async fn serve(config: &Config) -> Outcome {
    let mut server = start(config).await?;
    if let Some(first) = server.service.take_first_key() {
        // On stdout and not in the log: this is the only time that it is seen.
        anstream::println!(
            "First start: made the tenant \"{}\" and this API key. It is shown only now; keep it safe.\n\n  {}\n",
            first.tenant,
            first.key.expose_secret()
        );
    }
    announce(config, &server).await;
    server.until_stopped().await?;
    server.stop().await;
    Ok(exit::OK)
}

async fn announce(config: &Config, server: &Server) {
    anstream::println!(
        "hardshell {} listens on http://{}  (API: /docs)",
        env!("CARGO_PKG_VERSION"),
        server.address
    );
    if !config.server.listen.ip().is_loopback() {
        tracing::warn!(address = %server.address, "reachable from other machines without TLS: put a proxy before it");
    }
    let readiness = server.service.ready().await;
    for finding in readiness.findings {
        if finding.fatal {
            tracing::error!(check = finding.check, "{}", finding.message);
        } else {
            tracing::warn!(check = finding.check, "{}", finding.message);
        }
    }
}
