//! What was spent, and what tools were called.

use sqlx::Row;

use super::conversations::conversation_id;
use super::{Store, clean};
use crate::error::{Result, ServiceError};
use crate::ids::{ConversationId, ExecutionId, TenantId};
use crate::time::{month_start, now, signed, unsigned};
use crate::types::{AuditView, Page, PageRequest, ToolAudit, Usage};

/// One request to the model.
pub(crate) struct UsageRow<'a> {
    pub(crate) tenant: &'a TenantId,
    pub(crate) conversation: &'a ConversationId,
    pub(crate) execution: &'a ExecutionId,
    pub(crate) model: &'a str,
    pub(crate) usage: Usage,
}

impl Store {
    pub(crate) async fn insert_usage(&self, row: &UsageRow<'_>) -> Result<()> {
        let usage = &row.usage;
        sqlx::query(
            "INSERT INTO usage (id, tenant_id, conversation_id, execution_id, model, input_tokens, \
             output_tokens, cache_read, cache_write, cost, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        )
        .bind(uuid::Uuid::now_v7().to_string())
        .bind(row.tenant.as_str())
        .bind(row.conversation.as_str())
        .bind(row.execution.as_str())
        .bind(clean(row.model))
        .bind(signed(usage.input_tokens))
        .bind(signed(usage.output_tokens))
        .bind(signed(usage.cache_read_tokens))
        .bind(signed(usage.cache_write_tokens))
        .bind(signed(usage.cost_micros))
        .bind(now())
        .execute(&self.write)
        .await?;
        Ok(())
    }

    /// What an execution has spent according to the rows of its requests: for runs
    /// whose server went away before it could add them up.
    pub(crate) async fn usage_of_execution(&self, id: &ExecutionId) -> Result<Usage> {
        let row: (i64, i64, i64, i64, i64, i64) = sqlx::query_as(
            "SELECT CAST(COALESCE(SUM(input_tokens), 0) AS BIGINT), \
             CAST(COALESCE(SUM(output_tokens), 0) AS BIGINT), CAST(COALESCE(SUM(cache_read), 0) AS BIGINT), \
             CAST(COALESCE(SUM(cache_write), 0) AS BIGINT), CAST(COALESCE(SUM(cost), 0) AS BIGINT), \
             CAST(COUNT(*) AS BIGINT) FROM usage WHERE execution_id = $1",
        )
        .bind(id.as_str())
        .fetch_one(&self.write)
        .await?;
        Ok(Usage {
            input_tokens: unsigned(row.0),
            output_tokens: unsigned(row.1),
            cache_read_tokens: unsigned(row.2),
            cache_write_tokens: unsigned(row.3),
            cost_micros: unsigned(row.4),
            requests: unsigned(row.5),
        })
    }

    /// What the tenant has spent this month, and its own limit if it has one; both
    /// in micro-dollars.
    pub(crate) async fn spent_this_month(&self, tenant: &TenantId) -> Result<(u64, Option<u64>)> {
        let spent: i64 = sqlx::query_scalar(
            "SELECT CAST(COALESCE(SUM(cost), 0) AS BIGINT) FROM usage WHERE tenant_id = $1 AND created_at >= $2",
        )
        .bind(tenant.as_str())
        .bind(month_start())
        .fetch_one(&self.read)
        .await?;
        let limit: Option<Option<i64>> =
            sqlx::query_scalar("SELECT cost_limit FROM tenants WHERE id = $1")
                .bind(tenant.as_str())
                .fetch_optional(&self.read)
                .await?;
        Ok((unsigned(spent), limit.flatten().map(unsigned)))
    }

    pub(crate) async fn insert_audit(
        &self,
        tenant: &TenantId,
        conversation: &ConversationId,
        execution: &ExecutionId,
        call: &ToolAudit,
    ) -> Result<()> {
        sqlx::query(
            "INSERT INTO audit (id, tenant_id, conversation_id, execution_id, tool, arguments_digest, outcome, \
             report, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(uuid::Uuid::now_v7().to_string())
        .bind(tenant.as_str())
        .bind(conversation.as_str())
        .bind(execution.as_str())
        .bind(clean(&call.tool))
        .bind(clean(&call.arguments_digest))
        .bind(clean(&call.outcome))
        .bind(serde_json::to_string(&call.report)?)
        .bind(now())
        .execute(&self.write)
        .await?;
        Ok(())
    }

    /// The tenant's tool calls, oldest first, of one run or of all.
    pub(crate) async fn audit_views(
        &self,
        tenant: &TenantId,
        execution: Option<&ExecutionId>,
        page: &PageRequest,
    ) -> Result<Page<AuditView>> {
        let rows = sqlx::query(
            "SELECT id, conversation_id, execution_id, tool, arguments_digest, outcome, report, created_at \
             FROM audit WHERE tenant_id = $1 AND ($2 = '' OR execution_id = $2) AND id > $3 \
             ORDER BY id LIMIT $4",
        )
        .bind(tenant.as_str())
        .bind(execution.map_or("", |id| id.as_str()))
        .bind(page.after.clone().unwrap_or_default())
        .bind(page.size())
        .fetch_all(&self.read)
        .await?;
        let items = rows
            .iter()
            .map(|row| {
                let report: String = row.try_get("report")?;
                let execution: String = row.try_get("execution_id")?;
                Ok(AuditView {
                    id: row.try_get("id")?,
                    conversation: conversation_id(row.try_get("conversation_id")?)?,
                    execution: ExecutionId::parse(execution).map_err(ServiceError::internal)?,
                    call: ToolAudit {
                        tool: row.try_get("tool")?,
                        arguments_digest: row.try_get("arguments_digest")?,
                        outcome: row.try_get("outcome")?,
                        report: serde_json::from_str(&report)?,
                    },
                    created_at: row.try_get("created_at")?,
                })
            })
            .collect::<Result<Vec<_>>>()?;
        let full = signed(items.len() as u64) == page.size();
        let next = items.last().filter(|_| full).map(|row| row.id.clone());
        Ok(Page { items, next })
    }
}
