//! One turn: from a started child to its result.

use std::time::Duration;

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::child::{AgentChild, died};
use super::mapper::{Mapped, Mapper};
use super::protocol::{self, Init, Line, TurnResult};
use crate::error::{ErrorKind, Result, ServiceError};

/// Name of our server where the agent knows it.
const SERVER: &str = "hardshell";

/// What the agent is asked to do.
pub(crate) struct TurnSpec<'a> {
    /// Content blocks of the user's message.
    pub(crate) content: Value,
    pub(crate) system_prompt: &'a str,
    pub(crate) mcp_url: String,
    pub(crate) mcp_token: &'a SecretString,
    pub(crate) start_timeout: Duration,
    pub(crate) idle_timeout: Duration,
    pub(crate) deadline: Instant,
}

/// How a turn is stopped from outside.
pub(crate) struct Control {
    /// Asked to end: the agent is interrupted.
    pub(crate) cancel: CancellationToken,
    /// Must end now: the agent is killed.
    pub(crate) lost: CancellationToken,
}

/// Where the turn's fruits go.
#[async_trait]
pub(crate) trait Sink: Send {
    async fn ready(&mut self, init: &Init) -> Result<()>;
    async fn take(&mut self, mapped: Mapped) -> Result<()>;
}

/// What a turn came to.
#[derive(Debug)]
pub(crate) struct TurnOutcome {
    pub(crate) result: TurnResult,
    pub(crate) context_tokens: Option<u64>,
}

struct Turn<'a> {
    child: AgentChild,
    spec: TurnSpec<'a>,
    mapper: Mapper,
    /// Lines that came before they were waited for.
    early: Vec<Line>,
}

/// How long an interrupted agent may take until it is killed.
const INTERRUPT_GRACE: Duration = Duration::from_secs(5);

/// Runs a turn. The child is gone when this returns; its last lines have been taken.
pub(crate) async fn run(
    child: AgentChild,
    spec: TurnSpec<'_>,
    control: &Control,
    sink: &mut dyn Sink,
) -> Result<TurnOutcome> {
    let mut turn = Turn {
        child,
        spec,
        mapper: Mapper::default(),
        early: Vec::new(),
    };
    let outcome = turn.drive(control, sink).await;
    // Whatever happened, what it has still to say of its record is wanted, unless
    // the conversation is not ours any more.
    let grace = match &outcome {
        Ok(()) => Duration::from_secs(10),
        Err(error) if error.kind() == ErrorKind::LeaseLost => Duration::ZERO,
        Err(_) => Duration::from_millis(500),
    };
    turn.child.close_input();
    let drained = tokio::time::timeout(grace, turn.drain(sink)).await;
    let Turn {
        child, mut mapper, ..
    } = turn;
    if drained.is_err() {
        child.kill_group();
    }
    let how = child
        .end(Duration::from_secs(if outcome.is_ok() { 5 } else { 0 }))
        .await;
    let mut rest = Mapped::default();
    mapper.end(&mut rest);
    let lost = outcome
        .as_ref()
        .is_err_and(|error| error.kind() == ErrorKind::LeaseLost);
    if !lost {
        sink.take(rest).await?;
    }
    outcome.map_err(|error| match error.kind() {
        ErrorKind::AgentDied => died(how),
        _ => error,
    })?;
    let context_tokens = mapper.context_tokens;
    let result = mapper.result.ok_or_else(|| died("no result"))?;
    Ok(TurnOutcome {
        result,
        context_tokens,
    })
}

impl Turn<'_> {
    async fn drive(&mut self, control: &Control, sink: &mut dyn Sink) -> Result<()> {
        let start = self.start();
        let started = tokio::select! {
            started = start => started,
            () = control.lost.cancelled() => return Err(crate::lease::lease_lost()),
            () = control.cancel.cancelled() => return Err(cancelled()),
        };
        started?;
        let content = self.spec.content.clone();
        self.child
            .send(&protocol::user_message(
                &content,
                &uuid::Uuid::new_v4().to_string(),
            ))
            .await?;
        let mut stopping: Option<(ServiceError, Instant)> = None;
        for line in std::mem::take(&mut self.early) {
            self.take(line, sink, false).await?;
        }
        let mut told = false;
        loop {
            if !told && let Some(init) = self.mapper.init.clone() {
                check_servers(&init.servers)?;
                sink.ready(&init).await?;
                told = true;
            }
            if self.mapper.result.is_some() {
                return stopping.map_or(Ok(()), |(why, _)| Err(why));
            }
            let until = stopping
                .as_ref()
                .map_or(self.spec.deadline, |(_, until)| *until);
            let idle = Instant::now() + self.spec.idle_timeout;
            let line = tokio::select! {
                biased;
                () = control.lost.cancelled() => return Err(crate::lease::lease_lost()),
                () = control.cancel.cancelled(), if stopping.is_none() => {
                    stopping = Some((cancelled(), Instant::now() + INTERRUPT_GRACE));
                    self.interrupt().await;
                    continue;
                }
                () = tokio::time::sleep_until(until) => {
                    if let Some((why, _)) = stopping {
                        return Err(why);
                    }
                    let why = ServiceError::new(ErrorKind::TimeLimit, "The run took longer than it may.");
                    stopping = Some((why, Instant::now() + INTERRUPT_GRACE));
                    self.interrupt().await;
                    continue;
                }
                () = tokio::time::sleep_until(idle) => {
                    return Err(ServiceError::new(ErrorKind::AgentDied, "The agent has fallen silent."));
                }
                line = self.child.line() => line?,
            };
            let Some(line) = line else {
                return Err(stopping.map_or_else(|| died("its output ended"), |(why, _)| why));
            };
            self.take(self.parse(&line)?, sink, true).await?;
        }
    }

    /// Initialises the agent and waits until it has our tools.
    async fn start(&mut self) -> Result<()> {
        let until = Instant::now() + self.spec.start_timeout;
        let servers = json!({ SERVER: {
            "type": "http",
            "url": self.spec.mcp_url,
            "headers": { "Authorization": format!("Bearer {}", self.spec.mcp_token.expose_secret()) },
            "timeout": 3_600_000,
        }});
        let initialize = json!({
            "subtype": "initialize",
            "systemPrompt": self.spec.system_prompt,
            "mcpServers": servers,
        });
        self.ask("init", initialize, until).await?;
        loop {
            let status = self
                .ask("mcp", json!({ "subtype": "mcp_status" }), until)
                .await?;
            let servers = protocol::servers(status.get("mcpServers"));
            if servers
                .iter()
                .any(|(name, status)| name == SERVER && status == "pending")
            {
                if Instant::now() >= until {
                    return Err(unreachable_tools("it is still connecting".into()));
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            }
            return check_servers(&servers);
        }
    }

    async fn ask(&mut self, id: &str, request: Value, until: Instant) -> Result<Value> {
        self.child.send(&protocol::request(id, request)).await?;
        loop {
            let line = match tokio::time::timeout_at(until, self.child.line()).await {
                Ok(line) => line?,
                Err(_) => {
                    return Err(ServiceError::new(
                        ErrorKind::AgentUnavailable,
                        "The agent was not ready in time.",
                    ));
                }
            };
            let Some(line) = line else {
                return Err(died("its output ended while it started"));
            };
            match self.parse(&line)? {
                Line::Response {
                    id: answered,
                    outcome,
                } if answered == id => {
                    return outcome.map_err(|why| {
                        ServiceError::new(ErrorKind::AgentProtocol, "The agent refused to start.")
                            .because(why)
                    });
                }
                line => self.early.push(line),
            }
        }
    }

    async fn interrupt(&mut self) {
        let request = protocol::request("interrupt", json!({ "subtype": "interrupt" }));
        if let Err(error) = self.child.send(&request).await {
            tracing::debug!(%error, "the agent could not be interrupted");
        }
    }

    fn parse(&self, line: &str) -> Result<Line> {
        protocol::parse(line).map_err(|cause| {
            ServiceError::new(
                ErrorKind::AgentProtocol,
                "The agent sent something that is not its protocol.",
            )
            .because(cause)
        })
    }

    /// Takes a line in, and those that are there with it, as one batch.
    async fn take(&mut self, line: Line, sink: &mut dyn Sink, more: bool) -> Result<()> {
        let mut mapped = Mapped::default();
        let mut next = Some(line);
        let mut taken = 0;
        while let Some(line) = next.take() {
            if let Line::Request { id, .. } = &line {
                self.child.send(&protocol::refuse(id)).await?;
            }
            self.mapper.line(line, &mut mapped);
            taken += 1;
            if more && taken < 256 && self.mapper.result.is_none() {
                next = match self.child.line_now() {
                    Some(line) => Some(self.parse(&line)?),
                    None => None,
                };
            }
        }
        sink.take(mapped).await
    }

    async fn drain(&mut self, sink: &mut dyn Sink) -> Result<()> {
        while let Some(line) = self.child.line().await? {
            if let Ok(line) = protocol::parse(&line) {
                self.take(line, sink, false).await?;
            }
        }
        Ok(())
    }
}

fn check_servers(servers: &[(String, String)]) -> Result<()> {
    match servers.iter().find(|(name, _)| name == SERVER) {
        Some((_, status)) if status == "connected" => Ok(()),
        Some((_, status)) => Err(unreachable_tools(format!("its status is {status}"))),
        None => Err(unreachable_tools("it does not know the server".into())),
    }
}

fn unreachable_tools(why: String) -> ServiceError {
    ServiceError::new(
        ErrorKind::McpUnreachable,
        "The agent could not reach the tools.",
    )
    .because(why)
}

fn cancelled() -> ServiceError {
    ServiceError::new(ErrorKind::Cancelled, "The run was cancelled.")
}

/// The error that a result stands for, if it does. `address` is the gateway's, which
/// no client is to see.
pub(crate) fn error_of(result: &TurnResult, address: &str) -> Option<ServiceError> {
    if !result.is_error {
        return None;
    }
    let said = if result.text.is_empty() {
        result.errors.join("; ")
    } else {
        result.text.clone()
    };
    let said = said.replace(address, "hardshell");
    let error = match (result.terminal_reason.as_str(), result.api_error_status) {
        ("prompt_too_long", _) => ServiceError::new(
            ErrorKind::ContextLimit,
            "The conversation has filled the model's context window.",
        ),
        (_, Some(status)) => ServiceError::new(
            ErrorKind::ModelError,
            format!("The model's provider answered {status}: {said}"),
        ),
        ("api_error", None) => ServiceError::new(
            ErrorKind::ModelError,
            format!("The model could not be reached: {said}"),
        ),
        ("max_turns", _) => ServiceError::new(
            ErrorKind::TurnLimit,
            "The run took more model turns than it may.",
        ),
        ("budget_exhausted", _) => {
            ServiceError::new(ErrorKind::BudgetExceeded, "The run has used up its budget.")
        }
        ("aborted_streaming" | "aborted_tools", _) => cancelled(),
        _ => ServiceError::new(ErrorKind::AgentDied, "The agent failed."),
    };
    Some(error.because(format!(
        "{} {}: {said}",
        result.subtype, result.terminal_reason
    )))
}
