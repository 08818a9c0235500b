//! Steps three to six: build, run, publish, release.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use hardshell_host::{Access, CommandSet, DirSource, Limits, Sandbox, Scratch};
use tokio_util::sync::CancellationToken;

use super::agent::{AgentRun, Fruits, run_agent};
use super::finish::{Ending, finish};
use super::recorder::Recorder;
use crate::error::{ErrorKind, Result, ServiceError};
use crate::ids::{ExecutionId, TenantId};
use crate::lease::{Held, lease_lost};
use crate::run::{Meter, Run, Tokens};
use crate::service::Service;
use crate::store::{ConversationRow, Fenced, patiently};
use crate::sync::{Home, HomeInfo, Published, Sync};
use crate::types::{ExecuteRequest, ExecutionState, Origin};

/// A run that was admitted.
pub(crate) struct Job {
    pub(crate) id: ExecutionId,
    pub(crate) tenant: TenantId,
    pub(crate) conversation: ConversationRow,
    /// The conversation was made for this run.
    pub(crate) fresh: bool,
    pub(crate) request: ExecuteRequest,
    pub(crate) model: String,
    /// Micro-dollars.
    pub(crate) budget: u64,
    pub(crate) cancel: CancellationToken,
    pub(crate) held: Held,
}

/// What a run leaves behind for its end.
#[derive(Default)]
pub(super) struct Left {
    pub(super) home: Option<Home>,
    /// The home is what the store's manifest says.
    exact: bool,
    /// The agent has begun: what the home holds is worth keeping.
    pub(super) begun: bool,
    sandbox: Option<Sandbox>,
    pub(super) fruits: Fruits,
    pub(super) published: Option<Published>,
}

/// Starts the run; it goes on whether or not anybody listens.
pub(crate) fn start(service: &Arc<Service>, job: Job) {
    let live = service.live.open(&job.id);
    let service = Arc::clone(service);
    let tasks = service.tasks.clone();
    tasks.spawn(async move {
        let id = job.id.clone();
        let mut recorder = Recorder::new(
            service.store.clone(),
            id.clone(),
            job.held.fence(),
            0,
            Some(live),
        );
        let meter = Arc::new(Meter::new(job.budget));
        let mut left = Left::default();
        let steps = steps(&service, &job, &mut recorder, &meter, &mut left);
        let outcome = AssertUnwindSafe(steps).catch_unwind().await;
        let outcome = outcome.unwrap_or_else(|_| Err(ServiceError::internal("the run panicked")));
        let outcome = conclude(&service, &job, &mut left, outcome).await;
        let ending = Ending {
            job: &job,
            usage: meter.usage(),
            left: &left,
            outcome,
        };
        finish(&service, &mut recorder, ending).await;
        job.held.release().await;
        service.live.close(&id);
        service.runs.leave(&id);
    });
}

async fn set_state(service: &Service, job: &Job, state: ExecutionState) -> Result<()> {
    job.held.check()?;
    let set = || {
        service
            .store
            .set_state(&job.id, job.held.fence(), &service.replica, state)
    };
    match patiently(set).await? {
        Fenced::Done => Ok(()),
        Fenced::Refused => Err(lease_lost()),
    }
}

pub(super) fn sync<'a>(
    service: &'a Service,
    tenant: &'a TenantId,
    conversation: &'a crate::ConversationId,
) -> Sync<'a> {
    Sync {
        objects: &service.objects,
        config: &service.config.sync,
        limits: &service.config.limits,
        tenant,
        conversation,
    }
}

async fn steps(
    service: &Arc<Service>,
    job: &Job,
    recorder: &mut Recorder,
    meter: &Arc<Meter>,
    left: &mut Left,
) -> Result<()> {
    let _scratch;
    let sandbox = if job.request.workspace {
        set_state(service, job, ExecutionState::Hydrating).await?;
        super::sweeper::publish_left_over(service, &job.tenant, &job.conversation.id, &job.held)
            .await?;
        let info = HomeInfo {
            tenant: job.tenant.clone(),
            conversation: job.conversation.id.clone(),
            execution: job.id.clone(),
            fence: job.held.fence(),
        };
        let sync = sync(service, &job.tenant, &job.conversation.id);
        let (home, exact) = sync.hydrate(&service.homes, &info).await?;
        let folder = home.workspace()?;
        left.home = Some(home);
        left.exact = exact;
        sandbox(service, job, DirSource::Fd(folder))?
    } else {
        let scratch = service.scratch.make(job.id.as_str())?;
        let folder = scratch.folder()?;
        _scratch = scratch;
        sandbox(service, job, DirSource::Fd(folder))?
    };
    if job.cancel.is_cancelled() {
        return Err(ServiceError::new(
            ErrorKind::Cancelled,
            "The run was cancelled.",
        ));
    }
    set_state(service, job, ExecutionState::Running).await?;
    left.begun = true;
    let tokens = Tokens::generate().map_err(ServiceError::internal)?;
    let run = Arc::new(Run {
        tenant: job.tenant.clone(),
        conversation: job.conversation.id.clone(),
        execution: job.id.clone(),
        sandbox: sandbox.clone(),
        allowed_tools: job.request.allowed_tools.clone().map(Arc::from),
        closed: CancellationToken::new(),
        meter: Arc::clone(meter),
    });
    service.runs.open(&tokens, &run);
    let agent = AgentRun {
        service,
        job,
        tokens: &tokens,
        meter,
    };
    let outcome = run_agent(&agent, recorder, &mut left.fruits).await;
    service.runs.close(&tokens);
    at_rest(&sandbox, &job.id).await;
    left.sandbox = Some(sandbox);
    outcome
}

/// Waits until no process of the sandbox is left that could still write: whoever
/// served its tools ends them once the run is closed.
async fn at_rest(sandbox: &Sandbox, id: &ExecutionId) {
    for _ in 0..600 {
        if sandbox.usage().memory == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tracing::warn!(execution = %id, "processes of the run are still alive; what they write from now on may be lost");
}

/// Whether the journal says that the workspace is what the store holds.
fn untouched(service: &Service, left: &Left) -> bool {
    let silent = |sandbox: &Sandbox| {
        sandbox.changes_complete() && sandbox.changes().is_empty() && sandbox.usage().memory == 0
    };
    service.config.sync.trust_journal && left.exact && left.sandbox.as_ref().is_some_and(silent)
}

/// Step five, whatever the agent came to, as long as the conversation is ours.
async fn conclude(
    service: &Service,
    job: &Job,
    left: &mut Left,
    outcome: Result<()>,
) -> Result<()> {
    if job.held.check().is_err() {
        return Err(lease_lost());
    }
    let Some(home) = left.home.clone().filter(|_| left.begun) else {
        return outcome;
    };
    if untouched(service, left) {
        left.published = Some(Published::default());
        if let Err(error) = home.remove() {
            tracing::warn!(execution = %job.id, %error, "a workspace was not removed");
        }
        return outcome;
    }
    match publish(service, job, &home).await {
        Ok(published) => {
            left.published = Some(published);
            outcome
        }
        Err(error) if error.kind() == ErrorKind::LeaseLost => Err(error),
        Err(error) => {
            tracing::error!(execution = %job.id, %error, "a workspace could not be stored; it is kept and tried again");
            // Which server has it, so that no other goes on without it.
            let mark = service.store.set_unpublished(
                &job.conversation.id,
                job.held.fence(),
                Some(&service.replica),
            );
            if let Err(error) = mark.await {
                tracing::error!(execution = %job.id, %error, "the kept workspace was not written down");
            }
            // The first cause is the one to tell.
            outcome.and(Err(error))
        }
    }
}

async fn publish(service: &Service, job: &Job, home: &Home) -> Result<Published> {
    set_state(service, job, ExecutionState::Publishing).await?;
    let sync = sync(service, &job.tenant, &job.conversation.id);
    let publish = sync.publish(home, &job.held);
    let published = tokio::time::timeout(service.config.sync.timeout, publish)
        .await
        .map_err(|_| {
            ServiceError::new(
                ErrorKind::SyncFailed,
                "The workspace could not be stored in time.",
            )
        })??;
    let fence = job.held.fence();
    let register = || {
        let execution = Some(&job.id);
        service.store.register_files(
            &job.conversation.id,
            fence,
            Origin::Ai,
            execution,
            &published.changes,
        )
    };
    let registered = patiently(register).await?;
    if registered == Fenced::Refused {
        return Err(lease_lost());
    }
    if job.conversation.unpublished.is_some() {
        service
            .store
            .set_unpublished(&job.conversation.id, fence, None)
            .await?;
    }
    home.remove()?;
    Ok(published)
}

fn sandbox(service: &Service, job: &Job, workspace: DirSource) -> Result<Sandbox> {
    let asked = &job.request.limits;
    let config = &service.config.limits;
    let base = Limits::default();
    let limits = Limits {
        file_bytes: config.file,
        sizes: config.file_by_type.clone(),
        workspace_bytes: config.workspace,
        workspace_files: config.workspace_files,
        wall: Duration::from_secs(600),
        ..base.clone()
    };
    let limits = limits.min(&Limits {
        wall: asked.call_seconds.map_or(limits.wall, Duration::from_secs),
        memory_per_process: asked.memory.unwrap_or(limits.memory_per_process),
        fuel: asked.fuel,
        processes: asked.processes.unwrap_or(limits.processes),
        output_bytes: asked.output.unwrap_or(limits.output_bytes),
        ..limits.clone()
    });
    let commands = match &job.request.allowed_commands {
        None => CommandSet::All,
        Some(names) => CommandSet::Only(names.iter().cloned().collect::<BTreeSet<_>>()),
    };
    let mut builder = Sandbox::builder(&service.registry)
        .workspace(workspace, Access::ReadWrite)
        .scratch(Scratch::TempIn(service.scratch.path().to_owned()))
        .env("HOME", "/workspace")
        .env("LANG", "C.UTF-8")
        .env("PATH", "/bin:/usr/bin")
        .env("TMPDIR", "/tmp")
        .allow_commands(commands)
        .limits(limits);
    if !job.request.workspace
        && let Some(skills) = service.skills(&job.tenant)?
    {
        builder = builder.mount("/skills", DirSource::Fd(skills), Access::ReadOnly);
    }
    builder.build().map_err(|cause| {
        ServiceError::new(ErrorKind::Internal, "The sandbox could not be made.").because(cause)
    })
}
