//! The built-in tools.

mod bash;
pub(crate) mod capture;
pub(crate) mod catalogue;
pub(crate) mod files;
mod follow;
pub(crate) mod shells;
mod spill;
pub(crate) mod validate;

use rmcp::model::JsonObject;

use crate::outcome::ToolOutcome;
use crate::session::{CallContext, Session};

/// A built-in tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BuiltIn {
    Bash,
    BashOutput,
    KillShell,
    Read,
    Write,
    Edit,
    MultiEdit,
    Glob,
    Grep,
}

impl BuiltIn {
    /// All, in the order in which they are listed.
    pub(crate) const ALL: [BuiltIn; 9] = [
        BuiltIn::Bash,
        BuiltIn::BashOutput,
        BuiltIn::KillShell,
        BuiltIn::Read,
        BuiltIn::Write,
        BuiltIn::Edit,
        BuiltIn::MultiEdit,
        BuiltIn::Glob,
        BuiltIn::Grep,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            BuiltIn::Bash => "Bash",
            BuiltIn::BashOutput => "BashOutput",
            BuiltIn::KillShell => "KillShell",
            BuiltIn::Read => "Read",
            BuiltIn::Write => "Write",
            BuiltIn::Edit => "Edit",
            BuiltIn::MultiEdit => "MultiEdit",
            BuiltIn::Glob => "Glob",
            BuiltIn::Grep => "Grep",
        }
    }

    pub(crate) fn named(name: &str) -> Option<BuiltIn> {
        BuiltIn::ALL.into_iter().find(|tool| tool.name() == name)
    }

    /// Whether a call starts something in the sandbox.
    pub(crate) fn runs_something(self) -> bool {
        !matches!(self, BuiltIn::BashOutput | BuiltIn::KillShell)
    }
}

/// Runs a built-in tool on arguments that fit its schema.
pub(crate) async fn run(
    session: &Session,
    tool: BuiltIn,
    arguments: JsonObject,
    context: &CallContext,
) -> ToolOutcome {
    match tool {
        BuiltIn::Bash => bash::run(session, &arguments, context).await,
        BuiltIn::BashOutput => shells::output(session, &arguments),
        BuiltIn::KillShell => shells::kill(session, &arguments).await,
        BuiltIn::Write | BuiltIn::Edit | BuiltIn::MultiEdit => {
            let _writing = session.writing.lock().await;
            files::run(session, tool.name(), arguments, context).await
        }
        BuiltIn::Read | BuiltIn::Glob | BuiltIn::Grep => {
            files::run(session, tool.name(), arguments, context).await
        }
    }
}
