//! Executions: the state machine's rows. Every write of a run carries its fencing
//! token and is refused when the row has seen a newer one.

use sqlx::Row;
use sqlx::any::AnyRow;

use super::conversations::{conversation_id, usage_of};
use super::{Store, clean};
use crate::error::{Result, ServiceError};
use crate::ids::{ConversationId, ExecutionId, TenantId};
use crate::time::{now, signed, unsigned};
use crate::types::{ExecutionState, ExecutionView, Page, PageRequest, Usage};

/// What is written down when a request is admitted.
pub(crate) struct NewExecution<'a> {
    pub(crate) id: &'a ExecutionId,
    pub(crate) tenant: &'a TenantId,
    pub(crate) conversation: &'a ConversationId,
    pub(crate) owner: &'a str,
    pub(crate) request: &'a str,
    pub(crate) model: &'a str,
    pub(crate) workspace: bool,
    pub(crate) idempotency_key: Option<&'a str>,
    pub(crate) request_digest: &'a str,
}

/// What became of an insertion.
pub(crate) enum Insert {
    /// A new row.
    New,
    /// The idempotency key has been used: for this run, asked for by this digest.
    Repeated {
        execution: ExecutionId,
        conversation: ConversationId,
        digest: String,
    },
}

/// A row as the sweeper needs it.
#[derive(Debug, Clone)]
pub(crate) struct ExecutionRow {
    pub(crate) id: ExecutionId,
    pub(crate) tenant: TenantId,
    pub(crate) conversation: ConversationId,
    pub(crate) state: ExecutionState,
    pub(crate) workspace: bool,
    pub(crate) last_seq: u64,
    pub(crate) cancel: bool,
    /// Replica that wrote it last.
    pub(crate) owner: String,
}

/// Whether a fenced write took place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fenced {
    /// It did.
    Done,
    /// Someone with a newer token has the row.
    Refused,
}

impl From<bool> for Fenced {
    fn from(done: bool) -> Self {
        if done { Self::Done } else { Self::Refused }
    }
}

/// How an execution ended.
pub(crate) struct Outcome<'a> {
    pub(crate) state: ExecutionState,
    pub(crate) error: Option<(&'a str, &'a str)>,
    pub(crate) usage: Usage,
}

const COLUMNS: &str = "id, conversation_id, state, model, workspace, last_seq, error_code, error_message, \
    input_tokens, output_tokens, cache_read, cache_write, requests, cost, created_at, updated_at, finished_at";

fn execution_id(text: String) -> Result<ExecutionId> {
    ExecutionId::parse(text).map_err(ServiceError::internal)
}

fn state(text: &str) -> Result<ExecutionState> {
    ExecutionState::parse(text)
        .ok_or_else(|| ServiceError::internal(format!("unknown state {text:?} in executions")))
}

fn view(row: &AnyRow) -> Result<ExecutionView> {
    Ok(ExecutionView {
        id: execution_id(row.try_get("id")?)?,
        conversation: conversation_id(row.try_get("conversation_id")?)?,
        state: state(&row.try_get::<String, _>("state")?)?,
        model: row.try_get("model")?,
        workspace: row.try_get::<i64, _>("workspace")? != 0,
        last_event: unsigned(row.try_get("last_seq")?),
        error_code: row.try_get("error_code")?,
        error_message: row.try_get("error_message")?,
        usage: usage_of(row)?,
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
        finished_at: row.try_get("finished_at")?,
    })
}

impl Store {
    /// Writes an admitted execution down, unless its idempotency key is taken.
    pub(crate) async fn insert_execution(&self, new: &NewExecution<'_>) -> Result<Insert> {
        let time = now();
        let done = sqlx::query(
            "INSERT INTO executions (id, tenant_id, conversation_id, state, owner, request, model, workspace, \
             idempotency_key, request_digest, created_at, updated_at) \
             VALUES ($1, $2, $3, 'admitted', $4, $5, $6, $7, $8, $9, $10, $10) \
             ON CONFLICT (tenant_id, idempotency_key) DO NOTHING",
        )
        .bind(new.id.as_str())
        .bind(new.tenant.as_str())
        .bind(new.conversation.as_str())
        .bind(new.owner)
        .bind(new.request)
        .bind(clean(new.model))
        .bind(i64::from(new.workspace))
        .bind(new.idempotency_key)
        .bind(new.request_digest)
        .bind(time)
        .execute(&self.write)
        .await?;
        if done.rows_affected() == 1 {
            return Ok(Insert::New);
        }
        match self
            .by_idempotency_key(new.tenant, new.idempotency_key.unwrap_or_default())
            .await?
        {
            Some(repeated) => Ok(repeated),
            None => Err(ServiceError::internal(
                "an execution was neither inserted nor found",
            )),
        }
    }

    /// The run that a key was used for.
    pub(crate) async fn by_idempotency_key(
        &self,
        tenant: &TenantId,
        key: &str,
    ) -> Result<Option<Insert>> {
        let row = sqlx::query(
            "SELECT id, conversation_id, request_digest FROM executions \
             WHERE tenant_id = $1 AND idempotency_key = $2",
        )
        .bind(tenant.as_str())
        .bind(key)
        .fetch_optional(&self.write)
        .await?;
        row.map(|row| {
            Ok(Insert::Repeated {
                execution: execution_id(row.try_get("id")?)?,
                conversation: conversation_id(row.try_get("conversation_id")?)?,
                digest: row.try_get("request_digest")?,
            })
        })
        .transpose()
    }

    /// Takes back what no client was told of.
    pub(crate) async fn forget_execution(&self, id: &ExecutionId) -> Result<()> {
        sqlx::query("DELETE FROM executions WHERE id = $1 AND state = 'admitted' AND last_seq = 0")
            .bind(id.as_str())
            .execute(&self.write)
            .await?;
        Ok(())
    }

    /// Moves a run on.
    pub(crate) async fn set_state(
        &self,
        id: &ExecutionId,
        fence: u64,
        owner: &str,
        state: ExecutionState,
    ) -> Result<Fenced> {
        let done = sqlx::query(
            "UPDATE executions SET state = $3, fence = $2, owner = $4, updated_at = $5 \
             WHERE id = $1 AND fence <= $2 AND finished_at IS NULL",
        )
        .bind(id.as_str())
        .bind(signed(fence))
        .bind(state.as_str())
        .bind(owner)
        .bind(now())
        .execute(&self.write)
        .await?;
        Ok((done.rows_affected() == 1).into())
    }

    /// Asks a run to end; its owner sees it wherever it runs.
    pub(crate) async fn request_cancel(&self, tenant: &TenantId, id: &ExecutionId) -> Result<()> {
        sqlx::query(
            "UPDATE executions SET cancel = 1 WHERE id = $1 AND tenant_id = $2 AND finished_at IS NULL",
        )
        .bind(id.as_str())
        .bind(tenant.as_str())
        .execute(&self.write)
        .await?;
        Ok(())
    }

    /// Which of these runs were asked to end.
    pub(crate) async fn cancelled(&self, owner: &str) -> Result<Vec<ExecutionId>> {
        let rows: Vec<String> = sqlx::query_scalar(
            "SELECT id FROM executions WHERE finished_at IS NULL AND cancel = 1 AND owner = $1",
        )
        .bind(owner)
        .fetch_all(&self.read)
        .await?;
        rows.into_iter().map(execution_id).collect()
    }

    /// Runs that have not ended and were last written before `before`.
    pub(crate) async fn open_executions(
        &self,
        before: i64,
        limit: i64,
    ) -> Result<Vec<ExecutionRow>> {
        let rows = sqlx::query(
            "SELECT id, tenant_id, conversation_id, state, workspace, last_seq, cancel, owner FROM executions \
             WHERE finished_at IS NULL AND updated_at < $1 ORDER BY updated_at LIMIT $2",
        )
        .bind(before)
        .bind(limit)
        .fetch_all(&self.read)
        .await?;
        rows.iter().map(execution_row).collect()
    }

    /// One row, whoever's it is: for the sweeper, which names no tenant.
    pub(crate) async fn execution_row(&self, id: &ExecutionId) -> Result<Option<ExecutionRow>> {
        sqlx::query(
            "SELECT id, tenant_id, conversation_id, state, workspace, last_seq, cancel, owner \
             FROM executions WHERE id = $1",
        )
        .bind(id.as_str())
        .fetch_optional(&self.write)
        .await?
        .as_ref()
        .map(execution_row)
        .transpose()
    }

    /// The number of the last event of a run that has ended, whoever's it is.
    pub(crate) async fn execution_end(&self, id: &ExecutionId) -> Result<Option<u64>> {
        let last: Option<i64> = sqlx::query_scalar(
            "SELECT last_seq FROM executions WHERE id = $1 AND finished_at IS NOT NULL",
        )
        .bind(id.as_str())
        .fetch_optional(&self.read)
        .await?;
        Ok(last.map(unsigned))
    }

    /// Runs of the tenant that have not ended, on any replica.
    pub(crate) async fn open_of_tenant(&self, tenant: &TenantId) -> Result<u64> {
        let count: i64 = sqlx::query_scalar(
            "SELECT CAST(COUNT(*) AS BIGINT) FROM executions WHERE finished_at IS NULL AND tenant_id = $1",
        )
        .bind(tenant.as_str())
        .fetch_one(&self.read)
        .await?;
        Ok(unsigned(count))
    }

    pub(crate) async fn execution_view(
        &self,
        tenant: &TenantId,
        id: &ExecutionId,
    ) -> Result<Option<ExecutionView>> {
        let statement =
            format!("SELECT {COLUMNS} FROM executions WHERE id = $1 AND tenant_id = $2");
        sqlx::query(sqlx::AssertSqlSafe(statement))
            .bind(id.as_str())
            .bind(tenant.as_str())
            .fetch_optional(&self.read)
            .await?
            .as_ref()
            .map(view)
            .transpose()
    }

    pub(crate) async fn execution_views(
        &self,
        tenant: &TenantId,
        conversation: Option<&ConversationId>,
        page: &PageRequest,
    ) -> Result<Page<ExecutionView>> {
        let statement = format!(
            "SELECT {COLUMNS} FROM executions WHERE tenant_id = $1 AND ($2 = '' OR conversation_id = $2) \
             AND ($3 = '' OR id < $3) ORDER BY id DESC LIMIT $4"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(statement))
            .bind(tenant.as_str())
            .bind(conversation.map_or("", |c| c.as_str()))
            .bind(page.after.clone().unwrap_or_default())
            .bind(page.size())
            .fetch_all(&self.read)
            .await?;
        let items = rows.iter().map(view).collect::<Result<Vec<_>>>()?;
        let full = signed(items.len() as u64) == page.size();
        let next = items.last().filter(|_| full).map(|e| e.id.to_string());
        Ok(Page { items, next })
    }
}

fn execution_row(row: &AnyRow) -> Result<ExecutionRow> {
    let tenant: String = row.try_get("tenant_id")?;
    Ok(ExecutionRow {
        id: execution_id(row.try_get("id")?)?,
        tenant: TenantId::parse(tenant).map_err(ServiceError::internal)?,
        conversation: conversation_id(row.try_get("conversation_id")?)?,
        state: state(&row.try_get::<String, _>("state")?)?,
        workspace: row.try_get::<i64, _>("workspace")? != 0,
        last_seq: unsigned(row.try_get("last_seq")?),
        cancel: row.try_get::<i64, _>("cancel")? != 0,
        owner: row.try_get("owner")?,
    })
}
