//! `hardshell config`: what is in force, and where it comes from.

use super::ConfigArgs;
use crate::config::{Settings, reference};
use crate::exit::{self, Failed, Outcome};

/// Options of `hardshell config`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hardshell config                        what is in force, with the source of each value
  hardshell config --reference > hardshell.toml
                                          a file to start from: every key, commented out
  hardshell config --set limits.turns=20  check a value without keeping it

Strongest first: --set and other options, environment, file, defaults. Secrets are masked.")]
pub(crate) struct Args {
    #[command(flatten)]
    config: ConfigArgs,
    /// Print every key with its meaning and default instead
    #[arg(long, value_name = "FORMAT", num_args = 0..=1, default_missing_value = "toml", value_parser = ["toml", "markdown"])]
    reference: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Prints the configuration.
pub(crate) fn run(args: &Args) -> Outcome {
    match args.reference.as_deref() {
        Some("markdown") => {
            anstream::print!("{}", reference::markdown());
            return Ok(exit::OK);
        }
        Some(_) => {
            anstream::print!("{}", reference::toml());
            return Ok(exit::OK);
        }
        None => {}
    }
    let settings = Settings::load(&args.config.flags()).map_err(Failed::usage)?;
    // Values that do not fit together are found here.
    settings.config().map_err(Failed::usage)?;
    if args.json {
        let rows: Vec<serde_json::Value> = settings
            .all()
            .map(|(key, setting)| {
                serde_json::json!({
                    "key": key.path,
                    "value": setting.map(crate::config::load::Setting::shown),
                    "source": setting.map(|s| s.source.to_string()),
                })
            })
            .collect();
        anstream::println!("{}", serde_json::Value::Array(rows));
        return Ok(exit::OK);
    }
    let rows: Vec<(String, String)> = settings
        .all()
        .map(|(key, setting)| match setting {
            Some(setting) => (
                format!("{} = {}", key.path, setting.shown()),
                setting.source.to_string(),
            ),
            None => (format!("{} is not set", key.path), String::new()),
        })
        .collect();
    let width = rows
        .iter()
        .map(|(left, _)| left.len())
        .filter(|n| *n < 60)
        .max()
        .unwrap_or(0);
    for (left, source) in rows {
        if source.is_empty() || source == "default" {
            anstream::println!("{left}");
        } else {
            anstream::println!("{left:width$}  # {source}");
        }
    }
    Ok(exit::OK)
}
