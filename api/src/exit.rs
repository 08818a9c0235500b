//! Exit codes of the binary, in one place.

use std::process::ExitCode;

/// All went well.
pub(crate) const OK: u8 = 0;
/// The command failed.
pub(crate) const FAILURE: u8 = 1;
/// The command line or the configuration is wrong.
pub(crate) const USAGE: u8 = 2;
/// `sh` and `exec`: hardshell itself failed, nothing can be said about the program.
pub(crate) const HOST_FAILURE: u8 = 125;

/// What `hardshell help` prints about exit codes.
pub(crate) const HELP: &str = "\
Exit codes:
  0        success
  1        failure
  2        wrong usage or configuration
  sh, exec end with the status of the program, and with
  125      hardshell itself failed before or while it ran the program
  126 127  the program cannot be executed, or was not found
  128+n    ended by signal n (130: Ctrl-C)
  134      trap: the program did what WebAssembly forbids
  137      a limit ended it (the sentence on stderr says which) or it was cancelled
  141      broken pipe";

/// An error together with the exit code that it deserves.
#[derive(Debug)]
pub(crate) struct Failed {
    /// The exit code.
    pub(crate) code: u8,
    /// What to print.
    pub(crate) error: anyhow::Error,
}

impl Failed {
    /// Wrong usage or configuration.
    pub(crate) fn usage(error: impl Into<anyhow::Error>) -> Self {
        Failed {
            code: USAGE,
            error: error.into(),
        }
    }

    /// The command failed.
    pub(crate) fn from_error(error: impl Into<anyhow::Error>) -> Self {
        Failed {
            code: FAILURE,
            error: error.into(),
        }
    }

    /// `sh` and `exec` could not do their work.
    pub(crate) fn host(error: impl Into<anyhow::Error>) -> Self {
        Failed {
            code: HOST_FAILURE,
            error: error.into(),
        }
    }
}

impl From<anyhow::Error> for Failed {
    fn from(error: anyhow::Error) -> Self {
        Failed {
            code: FAILURE,
            error,
        }
    }
}

/// What every subcommand returns: the exit code when it has run.
pub(crate) type Outcome = Result<u8, Failed>;

/// Prints the error and gives the process its code.
pub(crate) fn finish(outcome: Outcome) -> ExitCode {
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(failed) => {
            anstream::eprintln!("hardshell: {:#}", failed.error);
            ExitCode::from(failed.code)
        }
    }
}
