//! `hardshell doctor`: what keeps a deployment from working, before its users find out.

use std::net::TcpListener;
use std::time::Instant;

use hardshell_host::CallSpec;
use hardshell_service::Service;

use super::kernel::{self, Workspace};
use super::{ConfigArgs, serve};
use crate::config::{Config, Settings};
use crate::exit::{self, Failed, Outcome};
use crate::{agent, telemetry};

/// Options of `hardshell doctor`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hardshell doctor
  hardshell doctor --config /etc/hardshell.toml

Ends with 0 when everything that is needed works, with 1 when something does not. It opens the
service as `hardshell serve` would, so stop a server that uses the same data folder first.")]
pub(crate) struct Args {
    #[command(flatten)]
    config: ConfigArgs,
}

/// How a check came out.
enum Found {
    Good(String),
    Weak(String),
    Bad(String),
}

struct Report {
    bad: usize,
}

impl Report {
    fn tell(&mut self, what: &str, found: Found) {
        let (mark, text) = match found {
            Found::Good(text) => ("\x1b[32mok  \x1b[0m", text),
            Found::Weak(text) => ("\x1b[33mweak\x1b[0m", text),
            Found::Bad(text) => {
                self.bad += 1;
                ("\x1b[31mFAIL\x1b[0m", text)
            }
        };
        anstream::println!("{mark}  {what:<14} {text}");
    }
}

/// Checks, prints, counts.
pub(crate) fn run(args: &Args) -> Outcome {
    telemetry::quiet();
    let mut report = Report { bad: 0 };
    let settings = Settings::load(&args.config.flags()).map_err(Failed::usage)?;
    let mut config = settings.config().map_err(Failed::usage)?;
    report.tell(
        "configuration",
        Found::Good("every key is known and fits".to_owned()),
    );
    if config.service.agent.cli.is_none() {
        config.service.agent.cli = agent::find();
    }
    let runtime = serve::server_runtime()?;
    runtime.block_on(async {
        listener(&config, &mut report);
        tools(&config, &mut report).await;
        model(&config, &mut report);
        service(&config, &mut report).await;
    });
    if report.bad > 0 {
        anstream::println!("\n{} of the checks failed.", report.bad);
        return Ok(exit::FAILURE);
    }
    Ok(exit::OK)
}

fn listener(config: &Config, report: &mut Report) {
    for (what, address) in [
        ("listen", config.server.listen),
        ("inner listen", config.server.inner_listen),
    ] {
        report.tell(
            what,
            match TcpListener::bind(address) {
                Ok(_) if address.ip().is_loopback() => Found::Good(format!("{address} is free")),
                Ok(_) => Found::Weak(format!("{address} is free, and reachable from other machines without TLS: put a proxy before it")),
                Err(e) => Found::Bad(format!("{address}: {e}; another server is running, or choose another address")),
            },
        );
    }
}

async fn tools(config: &Config, report: &mut Report) {
    let found = async {
        let engine = kernel::engine(&config.kernel, true)?;
        let registry = kernel::registry(&engine)?;
        let folder = tempfile::tempdir()?;
        let sandbox = Workspace {
            folder: Some(folder.path()),
            read_only: false,
            commands: hardshell_host::CommandSet::All,
            env: &[],
            limits: hardshell_host::Limits::default(),
        }
        .sandbox(&registry)?;
        // The first run may compile; the second is what users feel.
        let line = || CallSpec::new(["sh", "-c", "echo 1 | cat"]);
        let first = sandbox.run(line()).await?;
        let start = Instant::now();
        let second = sandbox.run(line()).await?;
        if first.stdout != b"1\n" || second.stdout != b"1\n" {
            anyhow::bail!(
                "a pipeline in the sandbox gave {:?}: {}",
                first.termination,
                String::from_utf8_lossy(&first.stderr)
            );
        }
        Ok(format!(
            "{} commands; a pipeline of two takes {:.1} ms",
            registry.commands().len(),
            start.elapsed().as_secs_f64() * 1e3
        ))
    };
    report.tell(
        "tools",
        match found.await {
            Ok(text) => Found::Good(text),
            Err(error) => Found::Bad(format!("{error:#}")),
        },
    );
}

fn model(config: &Config, report: &mut Report) {
    let model = &config.service.model;
    report.tell(
        "model",
        match &model.api_key {
            Some(_) => Found::Good(format!(
                "{} at {}, with a key (not tried: that costs)",
                model.default_model, model.base_url
            )),
            None => Found::Bad("no key: set ANTHROPIC_API_KEY or model.api_key".to_owned()),
        },
    );
}

async fn service(config: &Config, report: &mut Report) {
    let opened =
        match kernel::engine(&config.kernel, true).and_then(|engine| kernel::registry(&engine)) {
            Ok(registry) => Service::open(config.service.clone(), registry)
                .await
                .map_err(anyhow::Error::from),
            Err(error) => Err(error),
        };
    let service = match opened {
        Ok(service) => service,
        Err(error) => return report.tell("service", Found::Bad(format!("{error:#}"))),
    };
    let ready = service.ready().await;
    for what in ["database", "lease", "objects", "agent", "landlock"] {
        let finding = ready.findings.iter().find(|finding| finding.check == what);
        report.tell(
            what,
            match finding {
                None => Found::Good("works".to_owned()),
                Some(finding)
                    if finding.fatal && what == "agent" && config.service.agent.cli.is_none() =>
                {
                    Found::Bad(agent::MISSING.to_owned())
                }
                Some(finding) if finding.fatal => Found::Bad(finding.message.clone()),
                Some(finding) => Found::Weak(finding.message.clone()),
            },
        );
    }
    service.drain().await;
}
