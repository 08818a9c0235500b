//! What servers that went away have left: runs without an end, homes without a run.

use std::sync::Arc;

use super::admit::take;
use super::finish::{done, error};
use super::recorder::Recorder;
use super::runner::sync;
use crate::error::{ErrorKind, Result};
use crate::ids::{ConversationId, TenantId};
use crate::lease::{Held, lease_lost};
use crate::service::Service;
use crate::store::{ExecutionRow, Fenced, Outcome};
use crate::sync::{Home, Published};
use crate::types::{ExecutionState, Origin};

/// Runs looked at in one round.
const BATCH: i64 = 200;

/// One round. With `at_start` runs are not given the time to be someone else's.
pub(crate) async fn sweep(service: &Arc<Service>, at_start: bool) -> Result<()> {
    // Between being written down and being leased a run is nobody's for a moment.
    let grace = if at_start { 0 } else { 2_000_000 };
    let before = crate::time::now().saturating_sub(grace);
    for row in service.store.open_executions(before, BATCH).await? {
        if service.runs.is_alive(&row.id) {
            continue;
        }
        if let Err(error) = take_over(service, &row).await {
            tracing::error!(execution = %row.id, %error, "a lapsed run was not brought to its end");
        }
    }
    for home in service.homes.all()? {
        if let Err(error) = settle_home(service, &home).await {
            tracing::error!(%error, "a left-over workspace was not stored; it is kept and tried again");
        }
    }
    Ok(())
}

/// Brings a run whose server is gone to its end, if nobody else is at it.
async fn take_over(service: &Service, row: &ExecutionRow) -> Result<()> {
    let floor = service
        .store
        .conversation_row(&row.tenant, &row.conversation)
        .await?
        .map_or(0, |c| c.fence);
    let held = match take(service, &row.tenant, &row.conversation, floor).await {
        Ok(held) => held,
        Err(error) if error.kind() == ErrorKind::ConversationBusy => return Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let result = end_lapsed(service, row, &held).await;
    held.release().await;
    result
}

async fn end_lapsed(service: &Service, row: &ExecutionRow, held: &Held) -> Result<()> {
    // It may have ended, or gone on, before the lease was ours.
    let Some(row) = service.store.execution_row(&row.id).await? else {
        return Ok(());
    };
    if row.state.is_final() || service.runs.is_alive(&row.id) {
        return Ok(());
    }
    tracing::warn!(execution = %row.id, state = row.state.as_str(), "a run whose server went away is brought to its end");
    let fence = held.fence();
    let state = service
        .store
        .set_state(&row.id, fence, &service.replica, ExecutionState::Publishing)
        .await?;
    if state == Fenced::Refused {
        return Ok(());
    }
    let mut published = None;
    if row.workspace {
        match publish_left_over(service, &row.tenant, &row.conversation, held).await? {
            Some(done) => published = Some(done),
            None if matches!(
                row.state,
                ExecutionState::Running | ExecutionState::Publishing
            ) && row.owner != service.replica =>
            {
                // Its disk may hold what the store does not.
                service
                    .store
                    .set_unpublished(&row.conversation, fence, Some(&row.owner))
                    .await?;
            }
            None => {}
        }
    }
    let usage = service.store.usage_of_execution(&row.id).await?;
    let (state, told) = if row.cancel {
        (
            ExecutionState::Cancelled,
            ("cancelled", "The run was cancelled."),
        )
    } else {
        let text = "The server that ran this went away. Files and messages up to then are kept.";
        (ExecutionState::Failed, ("interrupted", text))
    };
    let mut recorder = Recorder::new(
        service.store.clone(),
        row.id.clone(),
        fence,
        row.last_seq,
        None,
    );
    let events = vec![
        error(told.0, told.1),
        done(state, &usage, published.as_ref(), 0),
    ];
    recorder
        .finish(
            events,
            &Outcome {
                state,
                error: Some(told),
                usage,
            },
        )
        .await
}

/// Publishes what an earlier run left on this disk, before anything else happens to
/// the conversation. `None` if there was nothing.
pub(super) async fn publish_left_over(
    service: &Service,
    tenant: &TenantId,
    conversation: &ConversationId,
    held: &Held,
) -> Result<Option<Published>> {
    let Some(home) = service.homes.find(conversation)? else {
        return Ok(None);
    };
    let info = home.info()?;
    let Some(info) = info.filter(|info| info.tenant == *tenant && home.is_complete()) else {
        // Fetching was cut off: the store has all of it.
        home.remove()?;
        return Ok(None);
    };
    let sync = sync(service, tenant, conversation);
    if sync.moved_on(&info).await? {
        let name = home.strand()?;
        tracing::error!(%conversation, execution = %info.execution, folder = %name,
            "the store has gone on without this workspace; it is put aside in the folder `stranded`");
        return Ok(None);
    }
    home.adopt(info.clone(), held.fence())?;
    let published = sync.publish(&home, held).await?;
    let execution = Some(&info.execution);
    let registered = service
        .store
        .register_files(
            conversation,
            held.fence(),
            Origin::Ai,
            execution,
            &published.changes,
        )
        .await?;
    if registered == Fenced::Refused {
        return Err(lease_lost());
    }
    service
        .store
        .set_unpublished(conversation, held.fence(), None)
        .await?;
    home.remove()?;
    tracing::info!(%conversation, execution = %info.execution, files = published.changes.len(),
        "a left-over workspace is stored");
    Ok(Some(published))
}

/// A home whose run is over: publish it, unless somebody is at the conversation.
async fn settle_home(service: &Service, home: &Home) -> Result<()> {
    let Some(info) = home.info()? else {
        return home.remove();
    };
    if service.runs.is_alive(&info.execution) {
        return Ok(());
    }
    let Some(row) = service
        .store
        .conversation_row(&info.tenant, &info.conversation)
        .await?
    else {
        // The conversation is deleted, and its files with it.
        return home.remove();
    };
    let held = match take(service, &info.tenant, &info.conversation, row.fence).await {
        Ok(held) => held,
        Err(error) if error.kind() == ErrorKind::ConversationBusy => return Ok(()),
        Err(error) => return Err(error),
    };
    // Somebody may have settled it before the lease was ours.
    let result = publish_left_over(service, &info.tenant, &info.conversation, &held).await;
    held.release().await;
    result.map(|_| ())
}
