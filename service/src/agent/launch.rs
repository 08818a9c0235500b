//! The confinement of the agent child.

/// First argument that turns this executable into the child's launcher.
pub const LAUNCH_ARGUMENT: &str = "__agent-launch";

/// Call this first thing in `main`, before threads exist: when the process was
/// started as the launcher it confines itself, becomes the agent and does not
/// return; a failure gives the exit code to end with. Otherwise `None`.
#[must_use]
pub fn intercept() -> Option<std::process::ExitCode> {
    None
}
