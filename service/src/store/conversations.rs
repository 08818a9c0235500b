//! Conversations and their messages. Every statement names the tenant.

use serde_json::Value;
use sqlx::Row;
use sqlx::any::AnyRow;

use super::{Store, clean};
use crate::error::{Result, ServiceError};
use crate::ids::{ConversationId, ExecutionId, TenantId};
use crate::time::{now, signed, unsigned};
use crate::types::{ConversationView, MessageView, Page, PageRequest, Usage};

/// A conversation as runs need it.
#[derive(Debug, Clone)]
pub(crate) struct ConversationRow {
    pub(crate) id: ConversationId,
    pub(crate) session_id: String,
    pub(crate) fence: u64,
    pub(crate) context_tokens: u64,
    pub(crate) agent_cost: u64,
    /// Server whose disk holds a workspace newer than the store's, and since when.
    pub(crate) unpublished: Option<(String, i64)>,
}

const VIEW: &str = "SELECT c.id, c.title, c.context_tokens, c.created_at, c.updated_at, \
    CAST(COALESCE(SUM(e.input_tokens), 0) AS BIGINT) AS input_tokens, \
    CAST(COALESCE(SUM(e.output_tokens), 0) AS BIGINT) AS output_tokens, \
    CAST(COALESCE(SUM(e.cache_read), 0) AS BIGINT) AS cache_read, \
    CAST(COALESCE(SUM(e.cache_write), 0) AS BIGINT) AS cache_write, \
    CAST(COALESCE(SUM(e.requests), 0) AS BIGINT) AS requests, \
    CAST(COALESCE(SUM(e.cost), 0) AS BIGINT) AS cost \
    FROM conversations c LEFT JOIN executions e ON e.conversation_id = c.id ";
const GROUP: &str = " GROUP BY c.id, c.title, c.context_tokens, c.created_at, c.updated_at ";

pub(super) fn usage_of(row: &AnyRow) -> Result<Usage> {
    Ok(Usage {
        input_tokens: unsigned(row.try_get("input_tokens")?),
        output_tokens: unsigned(row.try_get("output_tokens")?),
        cache_read_tokens: unsigned(row.try_get("cache_read")?),
        cache_write_tokens: unsigned(row.try_get("cache_write")?),
        requests: unsigned(row.try_get("requests")?),
        cost_micros: unsigned(row.try_get("cost")?),
    })
}

pub(super) fn conversation_id(text: String) -> Result<ConversationId> {
    ConversationId::parse(text).map_err(ServiceError::internal)
}

fn view(row: &AnyRow) -> Result<ConversationView> {
    Ok(ConversationView {
        id: conversation_id(row.try_get("id")?)?,
        title: row.try_get("title")?,
        context_tokens: unsigned(row.try_get("context_tokens")?),
        usage: usage_of(row)?,
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
    })
}

impl Store {
    pub(crate) async fn insert_conversation(
        &self,
        tenant: &TenantId,
        id: &ConversationId,
        title: Option<&str>,
    ) -> Result<()> {
        let time = now();
        sqlx::query(
            "INSERT INTO conversations (id, tenant_id, title, session_id, created_at, updated_at) \
             VALUES ($1, $2, $3, $4, $5, $5)",
        )
        .bind(id.as_str())
        .bind(tenant.as_str())
        .bind(title.map(clean))
        .bind(uuid::Uuid::new_v4().to_string())
        .bind(time)
        .execute(&self.write)
        .await?;
        Ok(())
    }

    /// The conversation, if the tenant has it. Reads through the writer, so that
    /// what was just written is seen.
    pub(crate) async fn conversation_row(
        &self,
        tenant: &TenantId,
        id: &ConversationId,
    ) -> Result<Option<ConversationRow>> {
        let row = sqlx::query(
            "SELECT session_id, fence, context_tokens, agent_cost, unpublished, unpublished_at FROM conversations \
             WHERE id = $1 AND tenant_id = $2 AND deleted_at IS NULL",
        )
        .bind(id.as_str())
        .bind(tenant.as_str())
        .fetch_optional(&self.write)
        .await?;
        row.map(|row| {
            Ok(ConversationRow {
                id: id.clone(),
                session_id: row.try_get("session_id")?,
                fence: unsigned(row.try_get("fence")?),
                context_tokens: unsigned(row.try_get("context_tokens")?),
                agent_cost: unsigned(row.try_get("agent_cost")?),
                unpublished: row
                    .try_get::<Option<String>, _>("unpublished")?
                    .zip(row.try_get::<Option<i64>, _>("unpublished_at")?),
            })
        })
        .transpose()
    }

    pub(crate) async fn conversation_view(
        &self,
        tenant: &TenantId,
        id: &ConversationId,
    ) -> Result<Option<ConversationView>> {
        let statement =
            format!("{VIEW} WHERE c.id = $1 AND c.tenant_id = $2 AND c.deleted_at IS NULL {GROUP}");
        sqlx::query(sqlx::AssertSqlSafe(statement))
            .bind(id.as_str())
            .bind(tenant.as_str())
            .fetch_optional(&self.read)
            .await?
            .map(|row| view(&row))
            .transpose()
    }

    pub(crate) async fn conversation_views(
        &self,
        tenant: &TenantId,
        page: &PageRequest,
    ) -> Result<Page<ConversationView>> {
        // Newest first: ids sort by time.
        let statement = format!(
            "{VIEW} WHERE c.tenant_id = $1 AND c.deleted_at IS NULL AND ($2 = '' OR c.id < $2) {GROUP} \
             ORDER BY c.id DESC LIMIT $3"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(statement))
            .bind(tenant.as_str())
            .bind(page.after.clone().unwrap_or_default())
            .bind(page.size())
            .fetch_all(&self.read)
            .await?;
        let items = rows.iter().map(view).collect::<Result<Vec<_>>>()?;
        let full = signed(items.len() as u64) == page.size();
        let next = items.last().filter(|_| full).map(|c| c.id.to_string());
        Ok(Page { items, next })
    }

    /// Marks it as deleted and forgets what it said; runs and usage stay as records.
    pub(crate) async fn delete_conversation(
        &self,
        tenant: &TenantId,
        id: &ConversationId,
        fence: u64,
    ) -> Result<bool> {
        let mut tx = self.begin().await?;
        let done = sqlx::query(
            "UPDATE conversations SET deleted_at = $3, fence = $4, title = NULL \
             WHERE id = $1 AND tenant_id = $2 AND deleted_at IS NULL AND fence <= $4",
        )
        .bind(id.as_str())
        .bind(tenant.as_str())
        .bind(now())
        .bind(signed(fence))
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() != 1 {
            return Ok(false);
        }
        for statement in [
            "DELETE FROM messages WHERE conversation_id = $1",
            "DELETE FROM transcripts WHERE conversation_id = $1",
            "DELETE FROM conversation_files WHERE conversation_id = $1",
            "DELETE FROM execution_events WHERE execution_id IN (SELECT id FROM executions WHERE conversation_id = $1)",
            "UPDATE executions SET request = '{}' WHERE conversation_id = $1",
        ] {
            sqlx::query(statement)
                .bind(id.as_str())
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        Ok(true)
    }

    /// Takes the fence over. False when a newer one is there already.
    pub(crate) async fn raise_fence(&self, id: &ConversationId, fence: u64) -> Result<bool> {
        let done = sqlx::query("UPDATE conversations SET fence = $2 WHERE id = $1 AND fence < $2")
            .bind(id.as_str())
            .bind(signed(fence))
            .execute(&self.write)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// What the conversation has come to after a run; an older fence changes nothing.
    pub(crate) async fn set_context(
        &self,
        id: &ConversationId,
        fence: u64,
        context_tokens: Option<u64>,
        agent_cost: Option<u64>,
    ) -> Result<bool> {
        let done = sqlx::query(
            "UPDATE conversations SET updated_at = $3, \
             context_tokens = COALESCE($4, context_tokens), agent_cost = COALESCE($5, agent_cost) \
             WHERE id = $1 AND fence <= $2",
        )
        .bind(id.as_str())
        .bind(signed(fence))
        .bind(now())
        .bind(context_tokens.map(signed))
        .bind(agent_cost.map(signed))
        .execute(&self.write)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Says that a server's disk holds what the store does not, or no longer.
    pub(crate) async fn set_unpublished(
        &self,
        id: &ConversationId,
        fence: u64,
        server: Option<&str>,
    ) -> Result<()> {
        sqlx::query(
            "UPDATE conversations SET unpublished = $3, unpublished_at = $4 WHERE id = $1 AND fence <= $2",
        )
        .bind(id.as_str())
        .bind(signed(fence))
        .bind(server.map(str::to_owned))
        .bind(server.map(|_| now()))
        .execute(&self.write)
        .await?;
        Ok(())
    }

    /// Starts the agent's record anew under another name, for one that cannot be
    /// resumed.
    pub(crate) async fn reset_session(
        &self,
        id: &ConversationId,
        fence: u64,
        session: &str,
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        let done = sqlx::query(
            "UPDATE conversations SET session_id = $3, agent_cost = 0 WHERE id = $1 AND fence <= $2",
        )
        .bind(id.as_str())
        .bind(signed(fence))
        .bind(session)
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() == 1 {
            sqlx::query("DELETE FROM transcripts WHERE conversation_id = $1")
                .bind(id.as_str())
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Adds a message. An older fence adds nothing.
    pub(crate) async fn add_message(
        &self,
        conversation: &ConversationId,
        execution: &ExecutionId,
        fence: u64,
        role: &str,
        content: &Value,
    ) -> Result<bool> {
        let done = sqlx::query(
            "INSERT INTO messages (conversation_id, seq, execution_id, role, content, created_at) \
             SELECT $1, (SELECT CAST(COALESCE(MAX(seq), 0) + 1 AS BIGINT) FROM messages WHERE conversation_id = $1), \
             $2, $3, $4, CAST($5 AS BIGINT) \
             WHERE EXISTS (SELECT 1 FROM conversations WHERE id = $1 AND fence <= $6)",
        )
        .bind(conversation.as_str())
        .bind(execution.as_str())
        .bind(role)
        .bind(serde_json::to_string(content)?)
        .bind(now())
        .bind(signed(fence))
        .execute(&self.write)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    pub(crate) async fn message_views(
        &self,
        conversation: &ConversationId,
        page: &PageRequest,
    ) -> Result<Page<MessageView>> {
        let after: i64 = page
            .after
            .as_deref()
            .and_then(|a| a.parse().ok())
            .unwrap_or(0);
        let rows = sqlx::query(
            "SELECT seq, execution_id, role, content, created_at FROM messages \
             WHERE conversation_id = $1 AND seq > $2 ORDER BY seq LIMIT $3",
        )
        .bind(conversation.as_str())
        .bind(after)
        .bind(page.size())
        .fetch_all(&self.read)
        .await?;
        let items = rows
            .iter()
            .map(|row| {
                let content: String = row.try_get("content")?;
                let execution: String = row.try_get("execution_id")?;
                Ok(MessageView {
                    seq: unsigned(row.try_get("seq")?),
                    execution: ExecutionId::parse(execution).map_err(ServiceError::internal)?,
                    role: row.try_get("role")?,
                    content: serde_json::from_str(&content)?,
                    created_at: row.try_get("created_at")?,
                })
            })
            .collect::<Result<Vec<_>>>()?;
        let full = signed(items.len() as u64) == page.size();
        let next = items.last().filter(|_| full).map(|m| m.seq.to_string());
        Ok(Page { items, next })
    }
}
