//! The register of a conversation's files.

use sqlx::Row;

use super::Store;
use super::executions::Fenced;
use crate::error::{Result, ServiceError};
use crate::ids::{ConversationId, ExecutionId};
use crate::time::{now, signed, unsigned};
use crate::types::{FileView, Origin};

/// One change to the register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FileChange {
    /// New or changed.
    Put {
        path: String,
        size: u64,
        digest: String,
        mode: u32,
    },
    /// Gone.
    Removed { path: String },
}

impl Store {
    /// Applies changes, all or none; refused when the conversation has seen a
    /// newer fence.
    pub(crate) async fn register_files(
        &self,
        conversation: &ConversationId,
        fence: u64,
        origin: Origin,
        execution: Option<&ExecutionId>,
        changes: &[FileChange],
    ) -> Result<Fenced> {
        if changes.is_empty() {
            return Ok(Fenced::Done);
        }
        let time = now();
        let mut tx = self.begin().await?;
        let held =
            sqlx::query("UPDATE conversations SET updated_at = $3 WHERE id = $1 AND fence <= $2")
                .bind(conversation.as_str())
                .bind(signed(fence))
                .bind(time)
                .execute(&mut *tx)
                .await?;
        if held.rows_affected() != 1 {
            tx.rollback().await?;
            return Ok(Fenced::Refused);
        }
        for change in changes {
            match change {
                FileChange::Put {
                    path,
                    size,
                    digest,
                    mode,
                } => {
                    sqlx::query(
                        "INSERT INTO conversation_files (conversation_id, path, size, digest, mode, origin, \
                         execution_id, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8) \
                         ON CONFLICT (conversation_id, path) DO UPDATE SET size = excluded.size, \
                         digest = excluded.digest, mode = excluded.mode, origin = excluded.origin, \
                         execution_id = excluded.execution_id, updated_at = excluded.updated_at",
                    )
                    .bind(conversation.as_str())
                    .bind(path)
                    .bind(signed(*size))
                    .bind(digest)
                    .bind(i64::from(*mode))
                    .bind(origin.as_str())
                    .bind(execution.map(|e| e.as_str().to_owned()))
                    .bind(time)
                    .execute(&mut *tx)
                    .await?;
                }
                FileChange::Removed { path } => {
                    sqlx::query(
                        "DELETE FROM conversation_files WHERE conversation_id = $1 AND path = $2",
                    )
                    .bind(conversation.as_str())
                    .bind(path)
                    .execute(&mut *tx)
                    .await?;
                }
            }
        }
        tx.commit().await?;
        Ok(Fenced::Done)
    }

    pub(crate) async fn file_views(
        &self,
        conversation: &ConversationId,
        path: Option<&str>,
    ) -> Result<Vec<FileView>> {
        let rows = sqlx::query(
            "SELECT path, size, digest, mode, origin, execution_id, created_at, updated_at \
             FROM conversation_files WHERE conversation_id = $1 AND ($2 = '' OR path = $2) ORDER BY path",
        )
        .bind(conversation.as_str())
        .bind(path.unwrap_or_default())
        .fetch_all(&self.read)
        .await?;
        rows.iter()
            .map(|row| {
                let execution: Option<String> = row.try_get("execution_id")?;
                let origin: String = row.try_get("origin")?;
                Ok(FileView {
                    path: row.try_get("path")?,
                    size: unsigned(row.try_get("size")?),
                    digest: row.try_get("digest")?,
                    mode: u32::try_from(row.try_get::<i64, _>("mode")?).unwrap_or(0),
                    origin: if origin == "ai" {
                        Origin::Ai
                    } else {
                        Origin::User
                    },
                    execution: execution
                        .map(ExecutionId::parse)
                        .transpose()
                        .map_err(ServiceError::internal)?,
                    created_at: row.try_get("created_at")?,
                    updated_at: row.try_get("updated_at")?,
                })
            })
            .collect()
    }
}
