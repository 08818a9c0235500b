//! The agent's own record of a conversation, line by line: what it needs to go on.

use serde_json::Value;

use super::Store;
use super::executions::Fenced;
use crate::error::Result;
use crate::ids::ConversationId;
use crate::time::signed;

impl Store {
    /// Appends lines; refused when the conversation has seen a newer fence.
    pub(crate) async fn append_transcript(
        &self,
        conversation: &ConversationId,
        fence: u64,
        lines: &[(String, Value)],
    ) -> Result<Fenced> {
        if lines.is_empty() {
            return Ok(Fenced::Done);
        }
        let mut tx = self.begin().await?;
        // The conversation's row is the meeting point of writers.
        let held =
            sqlx::query("UPDATE conversations SET fence = fence WHERE id = $1 AND fence <= $2")
                .bind(conversation.as_str())
                .bind(signed(fence))
                .execute(&mut *tx)
                .await?;
        if held.rows_affected() != 1 {
            tx.rollback().await?;
            return Ok(Fenced::Refused);
        }
        let last: i64 = sqlx::query_scalar(
            "SELECT CAST(COALESCE(MAX(seq), 0) AS BIGINT) FROM transcripts WHERE conversation_id = $1",
        )
        .bind(conversation.as_str())
        .fetch_one(&mut *tx)
        .await?;
        let mut seq = last;
        for (file, entry) in lines {
            seq = seq.saturating_add(1);
            sqlx::query("INSERT INTO transcripts (conversation_id, seq, file, entry) VALUES ($1, $2, $3, $4)")
                .bind(conversation.as_str())
                .bind(seq)
                .bind(file)
                .bind(serde_json::to_string(entry)?)
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        Ok(Fenced::Done)
    }

    /// Lines after `after`, at most `limit`: `(seq, file, line)`.
    pub(crate) async fn transcript_after(
        &self,
        conversation: &ConversationId,
        after: i64,
        limit: i64,
    ) -> Result<Vec<(i64, String, String)>> {
        Ok(sqlx::query_as::<_, (i64, String, String)>(
            "SELECT seq, file, entry FROM transcripts WHERE conversation_id = $1 AND seq > $2 \
             ORDER BY seq LIMIT $3",
        )
        .bind(conversation.as_str())
        .bind(after)
        .bind(limit)
        .fetch_all(&self.write)
        .await?)
    }
}
