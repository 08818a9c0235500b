//! Step four: the agent's turn within a run.

use std::io::Write;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::json;
use tokio::time::Instant;

use super::admit::content;
use super::recorder::Recorder;
use super::runner::Job;
use crate::agent::child::{AgentChild, ChildHome, ChildSpec};
use crate::agent::mapper::{Mapped, TOOL_PREFIX};
use crate::agent::protocol::Init;
use crate::agent::turn::{self, Control, Sink, TurnSpec};
use crate::error::{ErrorKind, Result, ServiceError};
use crate::lease::lease_lost;
use crate::run::{Meter, Tokens};
use crate::service::Service;
use crate::store::{Fenced, NewEvent};

/// What the agent is run with.
pub(super) struct AgentRun<'a> {
    pub(super) service: &'a Arc<Service>,
    pub(super) job: &'a Job,
    pub(super) tokens: &'a Tokens,
    pub(super) meter: &'a Meter,
}

/// What a turn left for the conversation.
#[derive(Debug, Default)]
pub(super) struct Fruits {
    pub(super) context_tokens: Option<u64>,
    /// Micro-dollars that the agent itself has added up over the conversation.
    pub(super) agent_cost: Option<u64>,
    pub(super) turns: u64,
}

/// The service's own system prompt.
const SYSTEM_PROMPT: &str = "You work in a private sandbox. Your files are in /workspace, which is also where \
    commands start; /tmp is for scratch and is not kept. There is no network. Use the tools to read, write, \
    search and run commands, and answer when the work is done.";

/// The same, for a run without a workspace.
const SKILLS_PROMPT: &str = "You work in a private sandbox. Material to read may be in /skills; /workspace and \
    /tmp are for scratch and are not kept. There is no network. Use the tools to read, search and run commands, \
    and answer when the work is done.";

pub(super) async fn run_agent(run: &AgentRun<'_>, recorder: &mut Recorder, fruits: &mut Fruits) -> Result<()> {
    let AgentRun { service, job, .. } = run;
    let slot = service.users.take()?;
    let name = uuid::Uuid::new_v4().simple().to_string();
    let home = ChildHome::create(&service.agent_dir.0, &service.agent_dir.1, &name, slot.user()).map_err(|cause| {
        ServiceError::new(ErrorKind::AgentUnavailable, "The agent's folders could not be made.").because(cause)
    })?;
    let resumed = restore(service, job, &home, slot.user()).await?;
    let message = json!(job.request.prompt);
    let fence = job.held.fence();
    if !service.store.add_message(&job.conversation.id, &job.id, fence, "user", &message).await? {
        return Err(lease_lost());
    }
    let mut sink = RunSink { service, job, recorder, resumed: resumed.is_some() };
    let child = start(run, &home, slot.user(), resumed).await?;
    let limits = &service.config.limits;
    let time = job.request.limits.run_seconds.map_or(limits.run_time, |s| limits.run_time.min(std::time::Duration::from_secs(s)));
    let prompt = if job.request.workspace { SYSTEM_PROMPT } else { SKILLS_PROMPT };
    let spec = TurnSpec {
        content: content(&job.request.prompt),
        system_prompt: job.request.system_prompt.as_deref().unwrap_or(prompt),
        mcp_url: format!("{}/mcp", service.inner_url()?),
        mcp_token: &run.tokens.tool,
        start_timeout: service.config.agent.start_timeout,
        idle_timeout: service.config.agent.idle_timeout,
        deadline: Instant::now() + time,
    };
    let control = Control { cancel: job.cancel.clone(), lost: job.held.lost().clone() };
    let outcome = turn::run(child, spec, &control, &mut sink).await?;
    fruits.context_tokens = outcome.context_tokens;
    fruits.turns = outcome.result.turns;
    let cost = (outcome.result.total_cost * 1e6).clamp(0.0, 1e15);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped above")]
    {
        fruits.agent_cost = Some(cost as u64);
    }
    match turn::error_of(&outcome.result) {
        None => Ok(()),
        // Our own refusal comes back as the provider's.
        Some(error) if run.meter.refused() && error.kind() == ErrorKind::ModelError => {
            Err(ServiceError::new(ErrorKind::BudgetExceeded, "The run has used up its budget.").because(error))
        }
        Some(error) => Err(error),
    }
}

async fn start(
    run: &AgentRun<'_>,
    home: &ChildHome,
    user: Option<u32>,
    resumed: Option<std::path::PathBuf>,
) -> Result<AgentChild> {
    use secrecy::ExposeSecret;
    let AgentRun { service, job, tokens, .. } = run;
    let config = &service.config;
    let inner = service.inner_url()?;
    let turns = job.request.limits.turns.unwrap_or(u32::MAX).min(config.limits.turns);
    // The agent goes on adding where it left off.
    let budget = job.conversation.agent_cost.saturating_add(job.budget);
    let mut args: Vec<String> = [
        "-p", "--input-format", "stream-json", "--output-format", "stream-json", "--verbose",
        "--include-partial-messages", "--replay-user-messages", "--session-mirror", "--restricted",
        "--disable-slash-commands", "--setting-sources", "", "--strict-mcp-config", "--permission-mode", "dontAsk",
        "--await-initialize",
    ]
    .iter()
    .map(|arg| (*arg).to_owned())
    .collect();
    let mut option = |name: &str, value: String| args.extend([name.to_owned(), value]);
    option("--allowedTools", format!("{TOOL_PREFIX}*"));
    // `--bare` and no built-in tool at all, unless sub-agents are asked for.
    option("--tools", if job.request.subagents { "Agent".into() } else { String::new() });
    option("--model", job.model.clone());
    option("--max-turns", turns.to_string());
    option("--max-budget-usd", format!("{:.6}", budget as f64 / 1e6));
    match resumed {
        Some(path) => option("--resume", path.to_string_lossy().into_owned()),
        None => option("--session-id", job.conversation.session_id.clone()),
    }
    if !job.request.subagents {
        args.push("--bare".into());
    }
    let cli = config.agent.cli.as_deref();
    let cli = cli.ok_or_else(|| ServiceError::new(ErrorKind::AgentUnavailable, "No agent is configured."))?;
    AgentChild::start(&ChildSpec {
        launcher: &service.launcher,
        cli,
        home,
        user,
        model_url: format!("{inner}/run/{}", tokens.gateway.expose_secret()),
        model_token: &tokens.model,
        ports: service.inner_ports()?,
        args,
        subagents: job.request.subagents,
        retries: config.model.retries,
        memory: config.agent.memory,
        processes: config.agent.processes,
        require_landlock: config.agent.require_landlock,
    })
    .await
}

/// Writes the agent's record where it can be resumed from; `None` if there is none.
async fn restore(
    service: &Service,
    job: &Job,
    home: &ChildHome,
    user: Option<u32>,
) -> Result<Option<std::path::PathBuf>> {
    if job.fresh {
        return Ok(None);
    }
    let main = format!("{}.jsonl", job.conversation.session_id);
    let mut files: std::collections::BTreeMap<String, std::fs::File> = std::collections::BTreeMap::new();
    let mut after = 0;
    let failed = |cause: std::io::Error| {
        ServiceError::new(ErrorKind::AgentUnavailable, "The agent's record could not be laid out.").because(cause)
    };
    loop {
        let rows = service.store.transcript_after(&job.conversation.id, after, 1000).await?;
        let Some((last, _, _)) = rows.last() else { break };
        after = *last;
        for (_, file, line) in rows {
            let open = match files.entry(file) {
                std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
                std::collections::btree_map::Entry::Vacant(entry) => {
                    let made = home.record_file(entry.key(), user).map_err(failed)?;
                    entry.insert(made)
                }
            };
            open.write_all(line.as_bytes()).and_then(|()| open.write_all(b"\n")).map_err(failed)?;
        }
    }
    Ok(files.contains_key(&main).then(|| home.record_path(&main)))
}

/// Keeps what the turn brings: record, messages, events, in this order, so that no
/// client is told of what could not be resumed.
struct RunSink<'a> {
    service: &'a Arc<Service>,
    job: &'a Job,
    recorder: &'a mut Recorder,
    resumed: bool,
}

#[async_trait]
impl Sink for RunSink<'_> {
    async fn ready(&mut self, init: &Init) -> Result<()> {
        let tools: Vec<&str> =
            init.tools.iter().map(|tool| tool.strip_prefix(TOOL_PREFIX).unwrap_or(tool)).collect();
        let data = json!({
            "execution": self.job.id,
            "conversation": self.job.conversation.id,
            "model": init.model,
            "tools": tools,
            "agent_version": init.version,
            "workspace": self.job.request.workspace,
            "resumed": self.resumed,
        });
        self.recorder.append(vec![NewEvent::new("session_start", data)]).await
    }

    async fn take(&mut self, mapped: Mapped) -> Result<()> {
        let (conversation, fence) = (&self.job.conversation.id, self.job.held.fence());
        let kept = self.service.store.append_transcript(conversation, fence, &mapped.transcript).await?;
        if kept == Fenced::Refused {
            return Err(lease_lost());
        }
        for (role, message) in &mapped.messages {
            if !self.service.store.add_message(conversation, &self.job.id, fence, role, message).await? {
                return Err(lease_lost());
            }
        }
        self.recorder.append(mapped.events).await
    }
}
