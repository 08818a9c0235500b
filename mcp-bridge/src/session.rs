//! A conversation's side of the tools.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hardshell_host::Sandbox;
use rmcp::model::{CallToolResult, JsonObject, Tool};
use tokio::sync::{Mutex, Semaphore, broadcast, watch};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::outcome::{Finished, NoObserver, ToolObserver, ToolOutcome};
use crate::provider::ToolProvider;
use crate::resources::notices::{self, Notice};
use crate::tools;
use crate::tools::files::ReadState;
use crate::tools::shells::Shells;

/// Notices that wait for a slow listener.
const NOTICES: usize = 64;

/// How a [`Session`] behaves.
#[derive(Clone)]
pub struct SessionOptions {
    /// The tools that exist, by name. `None` (the default): all.
    pub allowed_tools: Option<BTreeSet<String>>,
    /// Is told of every call. Default: nobody.
    pub observer: Arc<dyn ToolObserver>,
    /// Characters of a command's output that a result holds; what is beyond is cut from the
    /// middle and kept in a file. Default 30,000.
    pub max_output_chars: usize,
    /// Tools beside the built-in ones. Default: none.
    pub providers: Vec<Arc<dyn ToolProvider>>,
    /// Calls that run at the same time; more wait. Default 16.
    pub concurrent_calls: usize,
    /// Calls that wait; more are refused. Default 256.
    pub waiting_calls: usize,
    /// Commands that run in the background at the same time. Default 16.
    pub background_commands: usize,
}

impl Default for SessionOptions {
    fn default() -> Self {
        SessionOptions {
            allowed_tools: None,
            observer: Arc::new(NoObserver),
            max_output_chars: 30_000,
            providers: Vec::new(),
            concurrent_calls: 16,
            waiting_calls: 256,
            background_commands: 16,
        }
    }
}

/// Progress of a running call, told to the client.
#[async_trait::async_trait]
pub trait Progress: Send + Sync {
    /// Seconds since the start, and the last lines of output.
    async fn report(&self, seconds: f64, message: String);
}

/// What surrounds one call.
#[derive(Clone, Default)]
pub struct CallContext {
    /// Ends the call and its processes.
    pub cancel: CancellationToken,
    /// Where progress goes, if the client asked for it.
    pub progress: Option<Arc<dyn Progress>>,
    /// Whether the client shows its model the structured content in place of the text, so
    /// that it must not get any.
    pub text_only: bool,
}

/// Why a call is no tool call at all.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// There is no such tool, or it is not allowed here.
    #[error("Unknown tool: {0}")]
    UnknownTool(String),
    /// More calls wait than may.
    #[error(
        "Too many tool calls at once: {running} run and {waiting} wait already. Try again later."
    )]
    Busy {
        /// Calls that run.
        running: usize,
        /// Calls that wait.
        waiting: usize,
    },
}

/// One conversation's tools: a sandbox and the state that its calls share.
///
/// The sandbox decides what exists. It must have the commands `sh` (for Bash) and `files`
/// (for the file tools), and a `limits().wall` as long as the longest command may take:
/// Bash lets a model ask for up to 600 s and defaults to 120 s.
pub struct Session {
    id: Uuid,
    sandbox: Sandbox,
    options: SessionOptions,
    pub(crate) files: ReadState,
    pub(crate) shells: Shells,
    /// Held by the tools that write, so that two edits of one file cannot lose either.
    pub(crate) writing: Mutex<()>,
    running: Semaphore,
    waiting: Semaphore,
    notices: broadcast::Sender<Notice>,
}

impl Session {
    /// A session on a sandbox.
    pub fn new(sandbox: Sandbox, options: SessionOptions) -> Self {
        Session {
            id: Uuid::new_v4(),
            sandbox,
            files: ReadState::default(),
            shells: Shells::new(options.background_commands),
            writing: Mutex::new(()),
            running: Semaphore::new(options.concurrent_calls),
            notices: broadcast::Sender::new(NOTICES),
            waiting: Semaphore::new(
                options
                    .concurrent_calls
                    .saturating_add(options.waiting_calls),
            ),
            options,
        }
    }

    /// Random, and never told to a client.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// The sandbox.
    pub fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// How it behaves.
    pub fn options(&self) -> &SessionOptions {
        &self.options
    }

    /// Whether a tool of this name may be called.
    pub fn allows(&self, name: &str) -> bool {
        self.options
            .allowed_tools
            .as_ref()
            .is_none_or(|allowed| allowed.contains(name))
    }

    /// The tools, always in the same order: the built-in ones, then each provider's.
    pub fn tools(&self, text_only: bool) -> Vec<Tool> {
        let mut tools: Vec<Tool> = tools::catalogue::built_in(&self.options)
            .into_iter()
            .filter(|tool| self.allows(&tool.name))
            .collect();
        for provider in &self.options.providers {
            for tool in provider.tools() {
                let taken = tools.iter().any(|other| other.name == tool.name);
                if !taken && self.allows(&tool.name) {
                    tools.push(tool);
                }
            }
        }
        if text_only {
            for tool in &mut tools {
                tool.output_schema = None;
            }
        }
        tools
    }

    /// What calls change in the workspace from now on.
    pub(crate) fn notices(&self) -> broadcast::Receiver<Notice> {
        self.notices.subscribe()
    }

    pub(crate) fn announce(&self, notice: Notice) {
        // Nobody need listen.
        let _ = self.notices.send(notice);
    }

    /// Counts up whenever the list of tools may have changed; one receiver per provider
    /// that can change.
    pub fn watch_tools(&self) -> Vec<watch::Receiver<u64>> {
        #[allow(unused_mut)]
        let mut watches: Vec<_> = self
            .options
            .providers
            .iter()
            .filter_map(|provider| provider.changed())
            .collect();
        #[cfg(feature = "conformance-fixtures")]
        watches.push(crate::fixtures::tool_changes());
        watches
    }

    /// Calls a tool. A tool that ran and failed is a result with `is_error`; so are
    /// arguments that do not fit, because a model can put them right.
    ///
    /// # Errors
    /// When there is no such tool, or too many calls wait.
    pub async fn call(
        &self,
        name: &str,
        arguments: JsonObject,
        context: &CallContext,
    ) -> Result<CallToolResult, CallError> {
        let started = Instant::now();
        let busy = || CallError::Busy {
            running: self.options.concurrent_calls,
            waiting: self.options.waiting_calls,
        };
        let Ok(_waiting) = self.waiting.try_acquire() else {
            return Err(busy());
        };
        let digest = digest(&arguments);
        let outcome = if self.allows(name) {
            self.dispatch(name, arguments, context).await
        } else {
            None
        };
        let Some(outcome) = outcome else {
            return Err(CallError::UnknownTool(name.to_owned()));
        };
        self.observe(name, digest, &outcome, started.elapsed());
        if let Some(report) = &outcome.report {
            notices::changed(self, &report.changes);
        }
        Ok(outcome.into_result(context.text_only))
    }

    /// Runs the tool; `None` if there is none of that name.
    async fn dispatch(
        &self,
        name: &str,
        arguments: JsonObject,
        context: &CallContext,
    ) -> Option<ToolOutcome> {
        if let Some(tool) = tools::BuiltIn::named(name) {
            if let Err(error) =
                tools::validate::check(name, tools::catalogue::input_schema(tool), &arguments)
            {
                return Some(ToolOutcome::error(error));
            }
            // A look at a running command, or its end, must not wait behind other commands.
            if tool.runs_something() {
                let Some(_running) = self.turn(context).await else {
                    return Some(cancelled());
                };
                return Some(tools::run(self, tool, arguments, context).await);
            }
            return Some(tools::run(self, tool, arguments, context).await);
        }
        for provider in &self.options.providers {
            if provider.tools().iter().any(|tool| tool.name == name) {
                let Some(_running) = self.turn(context).await else {
                    return Some(cancelled());
                };
                return provider.call(self, name, arguments, context).await;
            }
        }
        None
    }

    /// Waits until fewer calls run than may.
    async fn turn(&self, context: &CallContext) -> Option<tokio::sync::SemaphorePermit<'_>> {
        tokio::select! {
            permit = self.running.acquire() => permit.ok(),
            () = context.cancel.cancelled() => None,
        }
    }

    pub(crate) fn observe(
        &self,
        tool: &str,
        arguments_digest: String,
        outcome: &ToolOutcome,
        elapsed: Duration,
    ) {
        let class = outcome.class();
        tracing::debug!(
            tool.name = tool,
            tool.outcome = ?class,
            tool.elapsed_ms = elapsed.as_secs_f64() * 1e3,
            "tool call finished"
        );
        self.options.observer.finished(&Finished {
            tool,
            arguments_digest,
            outcome: class,
            report: outcome.report.as_ref(),
            elapsed,
        });
    }
}

fn cancelled() -> ToolOutcome {
    ToolOutcome {
        cancelled: true,
        ..ToolOutcome::error("The call was cancelled before it began.")
    }
}

fn digest(arguments: &JsonObject) -> String {
    let bytes = serde_json::to_vec(arguments).unwrap_or_default();
    blake3::hash(&bytes).to_hex().to_string()
}
