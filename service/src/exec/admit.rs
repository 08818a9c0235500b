//! Step one and two: checks before any work, and the lease.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::runner::{Job, start};
use crate::agent::protocol::harmless;
use crate::error::{ErrorKind, Result, ServiceError};
use crate::ids::{ConversationId, ExecutionId, IdempotencyKey, TenantId};
use crate::lease::Held;
use crate::service::Service;
use crate::store::{ConversationRow, Fenced, Insert, NewExecution};
use crate::types::{ExecuteRequest, ExecutionState, Principal, PromptPart, Scope, Started};

fn invalid(text: impl Into<std::borrow::Cow<'static, str>>) -> ServiceError {
    ServiceError::new(ErrorKind::InvalidRequest, text)
}

/// Checks what a request says by itself.
fn check(service: &Service, request: &ExecuteRequest) -> Result<()> {
    let limits = &service.config.limits;
    if request.prompt.is_empty() {
        return Err(invalid("The prompt is empty."));
    }
    let mut size: u64 = 0;
    let mut empty = true;
    for part in &request.prompt {
        match part {
            PromptPart::Text { text } => {
                empty &= text.trim().is_empty();
                size = size.saturating_add(text.len() as u64);
            }
            PromptPart::Image { media_type, data } => {
                empty = false;
                if !["image/png", "image/jpeg", "image/gif", "image/webp"]
                    .contains(&media_type.as_str())
                {
                    return Err(invalid(
                        "A picture must be image/png, image/jpeg, image/gif or image/webp.",
                    ));
                }
                use base64::Engine as _;
                if base64::engine::general_purpose::STANDARD
                    .decode(data)
                    .is_err()
                {
                    return Err(invalid("A picture's data must be base64."));
                }
                size = size.saturating_add(data.len() as u64);
            }
        }
    }
    if empty {
        return Err(invalid("The prompt has neither text nor a picture."));
    }
    if size > limits.prompt {
        return Err(invalid(format!(
            "The prompt has {size} bytes, and {} are allowed.",
            limits.prompt
        )));
    }
    if let Some(model) = &request.model {
        let fits = (1..=128).contains(&model.len())
            && model
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_.:/@[]".contains(&b))
            && !model.starts_with('-');
        let allowed = &service.config.model.allowed;
        if !fits || !(allowed.is_empty() || allowed.contains(model)) {
            return Err(invalid("The model is not one that may be used."));
        }
    }
    if request
        .system_prompt
        .as_ref()
        .is_some_and(|text| text.len() > 1 << 20)
    {
        return Err(invalid("The system prompt has more than 1 MiB."));
    }
    let names = request
        .allowed_tools
        .iter()
        .chain(&request.allowed_commands)
        .flatten();
    for name in names {
        let fits = (1..=128).contains(&name.len())
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_.+[".contains(&b));
        if !fits {
            return Err(invalid("The name of a tool or a command is not valid."));
        }
    }
    Ok(())
}

/// The user's message as the agent is given it, after what it is told of before.
pub(super) fn content(prompt: &[PromptPart], recap: Option<&str>) -> Value {
    let before = recap.map(|text| json!({ "type": "text", "text": harmless(text) }));
    before
        .into_iter()
        .chain(prompt.iter().map(|part| match part {
            PromptPart::Text { text } => json!({ "type": "text", "text": harmless(text) }),
            PromptPart::Image { media_type, data } => json!({
                "type": "image",
                "source": { "type": "base64", "media_type": media_type, "data": data },
            }),
        }))
        .collect()
}

/// Admits a request and starts its run, or says why not.
pub(crate) async fn execute(
    service: &Arc<Service>,
    principal: &Principal,
    mut request: ExecuteRequest,
    key: Option<IdempotencyKey>,
) -> Result<Started> {
    service.require(principal, Scope::Write)?;
    let tenant = &principal.tenant;
    check(service, &request)?;
    let digest = blake3::hash(&serde_json::to_vec(&request)?)
        .to_hex()
        .to_string();
    if let Some(key) = &key
        && let Some(repeated) = service
            .store
            .by_idempotency_key(tenant, key.as_str())
            .await?
    {
        return repeat(repeated, &digest);
    }
    service.accepting()?;
    rate_limit(service, tenant).await?;
    let cli = service.config.agent.cli.as_deref();
    service
        .versions
        .check(cli, &service.config.agent.min_version)
        .await?;
    service.inner_url()?;
    let model = request
        .model
        .get_or_insert_with(|| service.config.model.default_model.clone())
        .clone();
    let budget = budget(service, tenant, &request).await?;
    let (row, made) = conversation(service, tenant, request.conversation.as_ref()).await?;
    request.conversation = Some(row.id.clone());
    check_context(service, &row, &model)?;
    check_owner(service, &row)?;
    let limits = &service.config.limits;
    if service.store.open_of_tenant(tenant).await? >= u64::from(limits.runs_per_tenant) {
        return Err(ServiceError::new(
            ErrorKind::RateLimited,
            "The tenant has as many runs at once as it may.",
        )
        .retry_after(Duration::from_secs(5)));
    }
    let id = ExecutionId::generate();
    let cancel = service
        .runs
        .enter(&id, tenant, limits.runs, limits.runs_per_tenant)
        .map_err(|why| {
            ServiceError::new(ErrorKind::RateLimited, why).retry_after(Duration::from_secs(5))
        })?;
    let entered = Entered {
        service,
        id: &id,
        keep: false,
    };
    let new = NewExecution {
        id: &id,
        tenant,
        conversation: &row.id,
        owner: &service.replica,
        request: &serde_json::to_string(&request)?,
        model: &model,
        workspace: request.workspace,
        idempotency_key: key.as_ref().map(IdempotencyKey::as_str),
        request_digest: &digest,
    };
    if let repeated @ Insert::Repeated { .. } = service.store.insert_execution(&new).await? {
        return repeat(repeated, &digest);
    }
    let held = match lease(service, tenant, &row, &id).await {
        Ok(held) => held,
        Err(error) => {
            service.store.forget_execution(&id).await?;
            return Err(error);
        }
    };
    let started = Started {
        execution: id.clone(),
        conversation: row.id.clone(),
        repeated: false,
    };
    let mut entered = entered;
    entered.keep = true;
    start(
        service,
        Job {
            id: id.clone(),
            tenant: tenant.clone(),
            conversation: row,
            fresh: made,
            request,
            model,
            budget,
            cancel,
            held,
        },
    );
    Ok(started)
}

/// Counts a run out again if it was never started.
struct Entered<'a> {
    service: &'a Service,
    id: &'a ExecutionId,
    keep: bool,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        if !self.keep {
            self.service.runs.leave(self.id);
        }
    }
}

fn repeat(repeated: Insert, digest: &str) -> Result<Started> {
    match repeated {
        Insert::Repeated {
            execution,
            conversation,
            digest: before,
        } if before == digest => Ok(Started {
            execution,
            conversation,
            repeated: true,
        }),
        _ => Err(ServiceError::new(
            ErrorKind::IdempotencyMismatch,
            "The idempotency key was used before with another request.",
        )),
    }
}

async fn rate_limit(service: &Service, tenant: &TenantId) -> Result<()> {
    let most = u64::from(service.config.limits.requests_per_minute);
    let window = Duration::from_secs(60);
    match service.leases.count(tenant.as_str(), window).await {
        Ok(count) if count > most => Err(ServiceError::new(
            ErrorKind::RateLimited,
            format!("More than {most} runs were asked for in a minute."),
        )
        .retry_after(window)),
        Ok(_) => Ok(()),
        Err(error) => {
            // Counting may fail without harm; the lease that follows may not.
            tracing::warn!(%tenant, %error, "a request was not counted");
            Ok(())
        }
    }
}

/// What the run may cost: its own limit, or what is left of the tenant's month.
async fn budget(service: &Service, tenant: &TenantId, request: &ExecuteRequest) -> Result<u64> {
    let limits = &service.config.limits;
    let (spent, own) = service.store.spent_this_month(tenant).await?;
    let left = own
        .unwrap_or(limits.tenant_cost_micros)
        .saturating_sub(spent);
    if left == 0 {
        return Err(ServiceError::new(
            ErrorKind::BudgetExceeded,
            "The tenant's budget of this month is used up.",
        ));
    }
    let run = request
        .limits
        .cost_micros
        .unwrap_or(u64::MAX)
        .min(limits.run_cost_micros);
    Ok(run.min(left))
}

async fn conversation(
    service: &Service,
    tenant: &TenantId,
    id: Option<&ConversationId>,
) -> Result<(ConversationRow, bool)> {
    if let Some(id) = id {
        let row = service.store.conversation_row(tenant, id).await?;
        return Ok((
            row.ok_or_else(|| ServiceError::not_found("conversation"))?,
            false,
        ));
    }
    let id = ConversationId::generate();
    service.store.insert_conversation(tenant, &id, None).await?;
    let row = service.store.conversation_row(tenant, &id).await?;
    Ok((
        row.ok_or_else(|| ServiceError::internal("a conversation vanished"))?,
        true,
    ))
}

fn check_context(service: &Service, row: &ConversationRow, model: &str) -> Result<()> {
    let window = service.config.model.price(model).window;
    let most = window.saturating_mul(service.config.limits.context_percent) / 100;
    if row.context_tokens >= most {
        return Err(ServiceError::new(
            ErrorKind::ContextLimit,
            format!(
                "The conversation holds {} tokens; a run may start below {most} of the model's {window}.",
                row.context_tokens
            ),
        ));
    }
    Ok(())
}

/// A workspace that is newer on another server's disk is waited for.
fn check_owner(service: &Service, row: &ConversationRow) -> Result<()> {
    let Some((server, since)) = &row.unpublished else {
        return Ok(());
    };
    let wait = i64::try_from(service.config.sync.wait_for_owner.as_micros()).unwrap_or(i64::MAX);
    if *server == service.replica || crate::time::now().saturating_sub(*since) > wait {
        return Ok(());
    }
    Err(ServiceError::new(
        ErrorKind::Unavailable,
        "The conversation's files are still being stored by another server.",
    )
    .retry_after(Duration::from_secs(10)))
}

/// Takes the conversation: lease, fence, state.
async fn lease(
    service: &Service,
    tenant: &TenantId,
    row: &ConversationRow,
    id: &ExecutionId,
) -> Result<Held> {
    let held = take(service, tenant, &row.id, row.fence).await?;
    let state = service
        .store
        .set_state(id, held.fence(), &service.replica, ExecutionState::Leased)
        .await;
    match state {
        Ok(Fenced::Done) => Ok(held),
        Ok(Fenced::Refused) => {
            held.release().await;
            Err(crate::lease::lease_lost())
        }
        Err(error) => {
            held.release().await;
            Err(error)
        }
    }
}

/// Takes the lease on a conversation and makes its token the newest.
pub(crate) async fn take(
    service: &Service,
    tenant: &TenantId,
    id: &ConversationId,
    floor: u64,
) -> Result<Held> {
    let ttl = service.config.lease.ttl;
    let mut floor = floor;
    for _ in 0..3 {
        let Some(held) =
            Held::acquire(&service.leases, id.as_str(), &service.replica, ttl, floor).await?
        else {
            return Err(ServiceError::new(
                ErrorKind::ConversationBusy,
                "The conversation is running already.",
            )
            .retry_after(Duration::from_secs(2)));
        };
        match service.store.raise_fence(id, held.fence()).await {
            Ok(true) => return Ok(held),
            // The lease server had forgotten the newest token.
            Ok(false) => {
                held.release().await;
                let row = service.store.conversation_row(tenant, id).await?;
                floor = row
                    .ok_or_else(|| ServiceError::not_found("conversation"))?
                    .fence;
            }
            Err(error) => {
                held.release().await;
                return Err(error);
            }
        }
    }
    Err(ServiceError::internal(
        "no token above the database's could be had",
    ))
}
