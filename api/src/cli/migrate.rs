//! `hardshell migrate`.

use hardshell_service::Service;

use super::{ConfigArgs, kernel};
use crate::config::Settings;
use crate::exit::{self, Failed, Outcome};
use crate::telemetry;

/// Options of `hardshell migrate`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hardshell migrate
  DATABASE_URL=postgres://… hardshell migrate

`hardshell serve` does the same at its start unless database.migrate is false.")]
pub(crate) struct Args {
    #[command(flatten)]
    config: ConfigArgs,
}

/// Brings the schema up to date.
pub(crate) fn run(args: &Args) -> Outcome {
    telemetry::quiet();
    let config = Settings::load(&args.config.flags())
        .and_then(|s| s.config())
        .map_err(Failed::usage)?;
    let steps = kernel::runtime()?
        .block_on(Service::migrate(&config.service))
        .map_err(anyhow::Error::from)?;
    match steps {
        0 => anstream::println!("The database is up to date."),
        1 => anstream::println!("The database is up to date: 1 step taken."),
        n => anstream::println!("The database is up to date: {n} steps taken."),
    }
    Ok(exit::OK)
}
