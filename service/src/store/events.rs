//! Events of a run: numbered without gaps, kept before anyone sees them.

use serde_json::Value;
use sqlx::{Any, Row, Transaction};

use super::executions::{Fenced, Outcome};
use super::{Store, clean};
use crate::error::Result;
use crate::ids::ExecutionId;
use crate::time::{now, signed, unsigned};
use crate::types::StoredEvent;

/// An event before it has a number.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NewEvent {
    pub(crate) kind: &'static str,
    pub(crate) data: Value,
}

impl NewEvent {
    pub(crate) fn new(kind: &'static str, data: Value) -> Self {
        Self { kind, data }
    }
}

impl Store {
    /// Appends events after `last_seq`, all or none; `outcome` ends the run in the
    /// same transaction, so that a final state and a final event come together.
    pub(crate) async fn append_events(
        &self,
        id: &ExecutionId,
        fence: u64,
        last_seq: u64,
        events: &[NewEvent],
        outcome: Option<&Outcome<'_>>,
    ) -> Result<Fenced> {
        let time = now();
        let mut tx = self.begin().await?;
        // The row is written first: it is what two writers would meet at.
        let new_last = last_seq.saturating_add(events.len() as u64);
        let done = sqlx::query(
            "UPDATE executions SET last_seq = $3, fence = $2, updated_at = $4 \
             WHERE id = $1 AND fence <= $2 AND last_seq = $5 AND finished_at IS NULL",
        )
        .bind(id.as_str())
        .bind(signed(fence))
        .bind(signed(new_last))
        .bind(time)
        .bind(signed(last_seq))
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() != 1 {
            tx.rollback().await?;
            return Ok(Fenced::Refused);
        }
        let mut seq = last_seq;
        for event in events {
            seq = seq.saturating_add(1);
            sqlx::query(
                "INSERT INTO execution_events (execution_id, seq, kind, data, created_at) \
                 VALUES ($1, $2, $3, $4, $5)",
            )
            .bind(id.as_str())
            .bind(signed(seq))
            .bind(event.kind)
            .bind(serde_json::to_string(&event.data)?)
            .bind(time)
            .execute(&mut *tx)
            .await?;
        }
        if let Some(outcome) = outcome {
            finish(&mut tx, id, outcome, time).await?;
        }
        tx.commit().await?;
        Ok(Fenced::Done)
    }

    /// Events after `after`, at most `limit`.
    pub(crate) async fn events_after(
        &self,
        id: &ExecutionId,
        after: u64,
        limit: i64,
    ) -> Result<Vec<StoredEvent>> {
        let rows = sqlx::query(
            "SELECT seq, kind, data FROM execution_events WHERE execution_id = $1 AND seq > $2 \
             ORDER BY seq LIMIT $3",
        )
        .bind(id.as_str())
        .bind(signed(after))
        .bind(limit)
        .fetch_all(&self.read)
        .await?;
        rows.iter()
            .map(|row| {
                let data: String = row.try_get("data")?;
                Ok(StoredEvent {
                    seq: unsigned(row.try_get("seq")?),
                    kind: row.try_get("kind")?,
                    data: serde_json::from_str(&data)?,
                })
            })
            .collect()
    }
}

async fn finish(
    tx: &mut Transaction<'static, Any>,
    id: &ExecutionId,
    outcome: &Outcome<'_>,
    time: i64,
) -> Result<()> {
    let usage = &outcome.usage;
    sqlx::query(
        "UPDATE executions SET state = $2, error_code = $3, error_message = $4, input_tokens = $5, \
         output_tokens = $6, cache_read = $7, cache_write = $8, requests = $9, cost = $10, \
         finished_at = $11, updated_at = $11 WHERE id = $1",
    )
    .bind(id.as_str())
    .bind(outcome.state.as_str())
    .bind(outcome.error.map(|e| e.0.to_owned()))
    .bind(outcome.error.map(|e| clean(e.1)))
    .bind(signed(usage.input_tokens))
    .bind(signed(usage.output_tokens))
    .bind(signed(usage.cache_read_tokens))
    .bind(signed(usage.cache_write_tokens))
    .bind(signed(usage.requests))
    .bind(signed(usage.cost_micros))
    .bind(time)
    .execute(&mut **tx)
    .await?;
    Ok(())
}
