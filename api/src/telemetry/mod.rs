//! Logs and figures.

pub(crate) mod metrics;

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

use crate::config::{LogConfig, LogFormat};

/// Starts logging to stderr. Secrets never get here: they are types that do not print.
pub(crate) fn start(config: &LogConfig) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&config.level)
        .map_err(|e| anyhow::anyhow!("log.level {:?} is not usable: {e}", config.level))?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colours());
    let started = match config.format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    started.map_err(|e| anyhow::anyhow!("logging cannot be started: {e}"))
}

fn colours() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
}

/// Logging for commands that speak to people: warnings, no times, and a line while modules are
/// compiled, which happens at their first use.
pub(crate) fn quiet() {
    use tracing_subscriber::Layer as _;
    use tracing_subscriber::layer::SubscriberExt as _;
    use tracing_subscriber::util::SubscriberInitExt as _;

    let warnings = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .without_time()
        .with_target(false)
        .with_ansi(colours())
        // The MCP library tells of every error that a client is told of.
        .with_filter(EnvFilter::new("warn,rmcp=off"));
    let compiling = std::io::stderr().is_terminal().then(|| {
        Compiling.with_filter(
            tracing_subscriber::filter::Targets::new().with_target(COMPILE, tracing::Level::INFO),
        )
    });
    let _ = tracing_subscriber::registry()
        .with(warnings)
        .with(compiling)
        .try_init();
}

/// What the kernel tells about compiling.
const COMPILE: &str = "hardshell_host::compile";

/// Shows what is being compiled, on one line that goes away.
struct Compiling;

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Compiling {
    fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        #[derive(Default)]
        struct Fields {
            message: String,
            names: String,
        }

        impl tracing::field::Visit for Fields {
            fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                match field.name() {
                    "message" => self.message = format!("{value:?}"),
                    "names" => self.names = format!("{value:?}"),
                    _ => {}
                }
            }
        }

        let mut fields = Fields::default();
        event.record(&mut fields);
        if fields.message == "compiling" {
            let names = fields.names.trim_matches(['[', ']']).replace('"', "");
            let mut short: Vec<&str> = names.split(", ").take(4).collect();
            if names.split(", ").nth(4).is_some() {
                short.push("…");
            }
            anstream::eprint!(
                "\r\x1b[Kcompiling {} (at first use only) …",
                short.join(", ")
            );
        } else {
            anstream::eprint!("\r\x1b[K");
        }
    }
}
