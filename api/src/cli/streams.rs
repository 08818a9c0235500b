//! Running one call on this process's own streams.

use std::os::fd::{AsFd as _, OwnedFd};
use std::time::Duration;

use anyhow::Context as _;
use hardshell_host::{CallHandle, CallSpec, Input, Output, Report, Sandbox};
use tokio::signal::unix::{SignalKind, signal};

use super::report::{self, Target};
use crate::exit::{Failed, Outcome};

const SIGINT: u32 = 2;

/// How long a program that was interrupted may take to end by itself.
const GRACE: Duration = Duration::from_millis(500);

/// A second descriptor of stdin.
pub(crate) fn stdin() -> anyhow::Result<OwnedFd> {
    std::io::stdin()
        .as_fd()
        .try_clone_to_owned()
        .context("stdin cannot be used")
}

/// A second descriptor of stdout.
pub(crate) fn stdout() -> anyhow::Result<OwnedFd> {
    std::io::stdout()
        .as_fd()
        .try_clone_to_owned()
        .context("stdout cannot be used")
}

/// A second descriptor of stderr.
pub(crate) fn stderr() -> anyhow::Result<OwnedFd> {
    std::io::stderr()
        .as_fd()
        .try_clone_to_owned()
        .context("stderr cannot be used")
}

/// Runs a call on our stdin, stdout and stderr, writes its report, gives its status.
pub(crate) fn on_own_streams(sandbox: &Sandbox, spec: CallSpec, target: Target<'_>) -> Outcome {
    let spec = spec.stdin(Input::Fd(stdin().map_err(Failed::host)?));
    let spec = if target == Target::Stdout {
        spec.stdout(Output::Capture).stderr(Output::Capture)
    } else {
        spec.stdout(Output::Fd(stdout().map_err(Failed::host)?))
            .stderr(Output::Fd(stderr().map_err(Failed::host)?))
    };
    let runtime = super::kernel::runtime().map_err(Failed::host)?;
    let report = runtime.block_on(async {
        let handle = sandbox.start(spec)?;
        anyhow::Ok(until_done(handle).await?)
    });
    // A read from a terminal may still be pending on a helper thread: nobody waits for it.
    runtime.shutdown_background();
    finish(&report.map_err(not_started)?, target)
}

/// A command that does not exist is 127 and one that cannot be run 126, as in a shell.
fn not_started(error: anyhow::Error) -> Failed {
    use hardshell_host::SandboxError;
    let code = match error.downcast_ref::<SandboxError>() {
        Some(SandboxError::NotFound(_)) => 127,
        Some(SandboxError::Start { .. }) => 126,
        _ => crate::exit::HOST_FAILURE,
    };
    Failed { code, error }
}

/// Writes the report and what a person should know, and gives the exit code.
pub(crate) fn finish(report: &Report, target: Target<'_>) -> Outcome {
    report::write(report, target).map_err(Failed::host)?;
    if let Some(sentence) = &report.sentence {
        let known = sentence.starts_with("hardshell: ");
        anstream::eprintln!("{}{sentence}", if known { "" } else { "hardshell: " });
    }
    Ok(report.status)
}

/// Waits for a call. Ctrl-C is given to its processes first; one that goes on is cancelled
/// soon after, and at once by a second Ctrl-C, SIGTERM or SIGHUP.
pub(crate) async fn until_done(handle: CallHandle) -> anyhow::Result<Report> {
    let control = handle.controller();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let wait = handle.wait();
    tokio::pin!(wait);
    let mut patience = None;
    loop {
        let timer = async {
            match patience {
                Some(until) => tokio::time::sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            report = &mut wait => return Ok(report),
            _ = interrupt.recv() => {
                if patience.is_some() {
                    control.cancel();
                } else {
                    control.signal(SIGINT);
                    patience = Some(tokio::time::Instant::now() + GRACE);
                }
            }
            _ = terminate.recv() => control.cancel(),
            _ = hangup.recv() => control.cancel(),
            () = timer => {
                control.cancel();
                patience = Some(tokio::time::Instant::now() + Duration::from_secs(3600));
            }
        }
    }
}
