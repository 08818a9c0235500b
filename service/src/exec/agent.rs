//! Step four: the agent's turn within a run.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
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
use crate::store::{Fenced, NewEvent, patiently};
use crate::types::PageRequest;

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

pub(super) async fn run_agent(
    run: &AgentRun<'_>,
    recorder: &mut Recorder,
    fruits: &mut Fruits,
) -> Result<()> {
    let AgentRun { service, job, .. } = run;
    let slot = service.users.take()?;
    let name = uuid::Uuid::new_v4().simple().to_string();
    let home = ChildHome::create(
        &service.agent_dir.0,
        &service.agent_dir.1,
        &name,
        slot.user(),
    )
    .map_err(|cause| {
        ServiceError::new(
            ErrorKind::AgentUnavailable,
            "The agent's folders could not be made.",
        )
        .because(cause)
    })?;
    let record = restore(service, job, &home, slot.user()).await?;
    let message = json!(job.request.prompt);
    let fence = job.held.fence();
    if !service
        .store
        .add_message(&job.conversation.id, &job.id, fence, "user", &message)
        .await?
    {
        return Err(lease_lost());
    }
    let mut sink = RunSink {
        service,
        job,
        recorder,
        resumed: !record.is_new(),
    };
    let child = start(run, &home, slot.user(), &record).await?;
    let limits = &service.config.limits;
    let time = job.request.limits.run_seconds.map_or(limits.run_time, |s| {
        limits.run_time.min(std::time::Duration::from_secs(s))
    });
    let prompt = if job.request.workspace {
        SYSTEM_PROMPT
    } else {
        SKILLS_PROMPT
    };
    let spec = TurnSpec {
        content: content(&job.request.prompt, record.recap.as_deref()),
        system_prompt: job.request.system_prompt.as_deref().unwrap_or(prompt),
        mcp_url: format!("{}/mcp", service.inner_url()?),
        mcp_token: &run.tokens.tool,
        start_timeout: service.config.agent.start_timeout,
        idle_timeout: service.config.agent.idle_timeout,
        deadline: Instant::now() + time,
    };
    let control = Control {
        cancel: job.cancel.clone(),
        lost: job.held.lost().clone(),
    };
    let outcome = turn::run(child, spec, &control, &mut sink).await?;
    fruits.context_tokens = outcome.context_tokens;
    fruits.turns = outcome.result.turns;
    let cost = (outcome.result.total_cost * 1e6).clamp(0.0, 1e15);
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped above"
    )]
    {
        fruits.agent_cost = Some(cost as u64);
    }
    // The agent names the address that it was given for its model.
    let inner = service.inner_url()?;
    let address = inner.trim_start_matches("http://");
    match turn::error_of(&outcome.result, address) {
        None => Ok(()),
        // Our own refusal comes back as the provider's.
        Some(error) if run.meter.refused() && error.kind() == ErrorKind::ModelError => Err(
            ServiceError::new(ErrorKind::BudgetExceeded, "The run has used up its budget.")
                .because(error),
        ),
        Some(error) => Err(error),
    }
}

async fn start(
    run: &AgentRun<'_>,
    home: &ChildHome,
    user: Option<u32>,
    record: &Record,
) -> Result<AgentChild> {
    use secrecy::ExposeSecret;
    let AgentRun {
        service,
        job,
        tokens,
        ..
    } = run;
    let config = &service.config;
    let inner = service.inner_url()?;
    let turns = job
        .request
        .limits
        .turns
        .unwrap_or(u32::MAX)
        .min(config.limits.turns);
    // The agent goes on adding where it left off.
    let budget = job.conversation.agent_cost.saturating_add(job.budget);
    let mut args: Vec<String> = [
        "-p",
        "--input-format",
        "stream-json",
        "--output-format",
        "stream-json",
        "--verbose",
        "--include-partial-messages",
        "--replay-user-messages",
        "--session-mirror",
        "--restricted",
        "--disable-slash-commands",
        "--setting-sources",
        "",
        "--strict-mcp-config",
        "--permission-mode",
        "dontAsk",
        "--await-initialize",
    ]
    .iter()
    .map(|arg| (*arg).to_owned())
    .collect();
    let mut option = |name: &str, value: String| args.extend([name.to_owned(), value]);
    option("--allowedTools", format!("{TOOL_PREFIX}*"));
    // `--bare` and no built-in tool at all, unless sub-agents are asked for.
    option(
        "--tools",
        if job.request.subagents {
            "Agent".into()
        } else {
            String::new()
        },
    );
    option("--model", job.model.clone());
    option("--max-turns", turns.to_string());
    option("--max-budget-usd", format!("{:.6}", budget as f64 / 1e6));
    match &record.resume {
        Some(path) => option("--resume", path.to_string_lossy().into_owned()),
        None => option("--session-id", record.session.clone()),
    }
    if !job.request.subagents {
        args.push("--bare".into());
    }
    let cli = config.agent.cli.as_deref();
    let cli = cli
        .ok_or_else(|| ServiceError::new(ErrorKind::AgentUnavailable, "No agent is configured."))?;
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

/// How the agent is to know of what was said before.
struct Record {
    session: String,
    /// Its own record, laid out to be resumed.
    resume: Option<PathBuf>,
    /// What was said, told anew, where there is no record to resume.
    recap: Option<String>,
}

impl Record {
    fn is_new(&self) -> bool {
        self.resume.is_none() && self.recap.is_none()
    }
}

/// Lays the agent's record out where it can be resumed from.
async fn restore(
    service: &Service,
    job: &Job,
    home: &ChildHome,
    user: Option<u32>,
) -> Result<Record> {
    let session = job.conversation.session_id.clone();
    let new = Record {
        session,
        resume: None,
        recap: None,
    };
    if job.fresh {
        return Ok(new);
    }
    let main = format!("{}.jsonl", new.session);
    let mut files: BTreeMap<String, File> = BTreeMap::new();
    let mut spoken = false;
    let mut after = 0;
    let failed = |cause: std::io::Error| {
        ServiceError::new(
            ErrorKind::AgentUnavailable,
            "The agent's record could not be laid out.",
        )
        .because(cause)
    };
    loop {
        let rows = service
            .store
            .transcript_after(&job.conversation.id, after, 1000)
            .await?;
        let Some((last, _, _)) = rows.last() else {
            break;
        };
        after = *last;
        for (_, file, line) in rows {
            spoken |= file == main && says_something(&line);
            let open = match files.entry(file) {
                Entry::Occupied(entry) => entry.into_mut(),
                Entry::Vacant(entry) => {
                    let made = home.record_file(entry.key(), user).map_err(failed)?;
                    entry.insert(made)
                }
            };
            open.write_all(line.as_bytes())
                .and_then(|()| open.write_all(b"\n"))
                .map_err(failed)?;
        }
    }
    if spoken {
        return Ok(Record {
            resume: Some(home.record_path(&main)),
            ..new
        });
    }
    let recap = recap(service, job).await?;
    if files.is_empty() {
        return Ok(Record { recap, ..new });
    }
    // The agent went away before it had written down anything that it could resume.
    let session = uuid::Uuid::new_v4().to_string();
    service
        .store
        .reset_session(&job.conversation.id, job.held.fence(), &session)
        .await?;
    for file in files.keys() {
        home.remove_record(file).map_err(failed)?;
    }
    Ok(Record {
        session,
        resume: None,
        recap,
    })
}

/// Whether a line of the record is part of what was said.
fn says_something(line: &str) -> bool {
    let value: Value = serde_json::from_str(line).unwrap_or_default();
    matches!(
        value.get("type").and_then(Value::as_str),
        Some("user" | "assistant")
    )
}

/// Bytes of the latest messages that are told anew.
const RECAP: usize = 48 << 10;

/// What was said in the conversation, from our own messages; `None` if nothing.
async fn recap(service: &Service, job: &Job) -> Result<Option<String>> {
    let mut page = PageRequest {
        after: None,
        limit: Some(500),
    };
    let mut said: Vec<String> = Vec::new();
    loop {
        let messages = service
            .store
            .message_views(&job.conversation.id, &page)
            .await?;
        for message in messages
            .items
            .iter()
            .filter(|message| message.execution != job.id)
        {
            let blocks = message
                .content
                .as_array()
                .map(Vec::as_slice)
                .unwrap_or_default();
            let texts: Vec<&str> = blocks
                .iter()
                .filter_map(|b| b.get("text").and_then(Value::as_str))
                .collect();
            if message.role != "tool" && !texts.is_empty() {
                said.push(format!("{}: {}", message.role, texts.join("\n")));
            }
        }
        match messages.next {
            Some(next) => page.after = Some(next),
            None => break,
        }
    }
    let mut size = 0;
    let mut kept: Vec<String> = said
        .into_iter()
        .rev()
        .take_while(|text| {
            size += text.len();
            size <= RECAP
        })
        .collect();
    kept.reverse();
    if kept.is_empty() {
        return Ok(None);
    }
    Ok(Some(format!(
        "The record of this conversation was cut off. This is what was said before:\n\n{}\n\nThe user goes on:",
        kept.join("\n\n")
    )))
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
        let tools: Vec<&str> = init
            .tools
            .iter()
            .map(|tool| tool.strip_prefix(TOOL_PREFIX).unwrap_or(tool))
            .collect();
        let data = json!({
            "execution": self.job.id,
            "conversation": self.job.conversation.id,
            "model": init.model,
            "tools": tools,
            "agent_version": init.version,
            "workspace": self.job.request.workspace,
            "resumed": self.resumed,
        });
        self.recorder
            .append(vec![NewEvent::new("session_start", data)])
            .await
    }

    async fn take(&mut self, mapped: Mapped) -> Result<()> {
        let (conversation, fence) = (&self.job.conversation.id, self.job.held.fence());
        let store = &self.service.store;
        let kept =
            patiently(|| store.append_transcript(conversation, fence, &mapped.transcript)).await?;
        if kept == Fenced::Refused {
            return Err(lease_lost());
        }
        for (role, message) in &mapped.messages {
            let add = || store.add_message(conversation, &self.job.id, fence, role, message);
            if !patiently(add).await? {
                return Err(lease_lost());
            }
        }
        self.recorder.append(mapped.events).await
    }
}
