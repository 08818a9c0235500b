//! Events of a run: kept first, then shown.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use tokio::sync::broadcast;

use crate::error::{ErrorKind, Result};
use crate::ids::ExecutionId;
use crate::lease::lease_lost;
use crate::store::{Fenced, NewEvent, Outcome, Store};
use crate::types::StoredEvent;

/// Events just kept, to whoever listens in this process.
type Batch = Arc<[StoredEvent]>;

/// Batches that a slow listener may be behind before it reads the database instead.
const BACKLOG: usize = 256;

/// The runs whose events are made here.
#[derive(Default)]
pub(crate) struct Live {
    senders: RwLock<HashMap<ExecutionId, broadcast::Sender<Batch>>>,
}

impl Live {
    pub(crate) fn open(&self, id: &ExecutionId) -> broadcast::Sender<Batch> {
        let (sender, _) = broadcast::channel(BACKLOG);
        self.senders.write().insert(id.clone(), sender.clone());
        sender
    }

    pub(crate) fn close(&self, id: &ExecutionId) {
        self.senders.write().remove(id);
    }

    pub(crate) fn listen(&self, id: &ExecutionId) -> Option<broadcast::Receiver<Batch>> {
        self.senders
            .read()
            .get(id)
            .map(broadcast::Sender::subscribe)
    }
}

/// Writes the events of one run.
pub(crate) struct Recorder {
    store: Store,
    id: ExecutionId,
    fence: u64,
    last_seq: u64,
    live: Option<broadcast::Sender<Batch>>,
}

impl Recorder {
    pub(crate) fn new(
        store: Store,
        id: ExecutionId,
        fence: u64,
        last_seq: u64,
        live: Option<broadcast::Sender<Batch>>,
    ) -> Self {
        Self {
            store,
            id,
            fence,
            last_seq,
            live,
        }
    }

    /// Keeps events, and then shows them.
    pub(crate) async fn append(&mut self, events: Vec<NewEvent>) -> Result<()> {
        if events.is_empty() {
            Ok(())
        } else {
            self.write(events, None).await
        }
    }

    /// Keeps the last events together with the run's end.
    pub(crate) async fn finish(
        &mut self,
        events: Vec<NewEvent>,
        outcome: &Outcome<'_>,
    ) -> Result<()> {
        self.write(events, Some(outcome)).await
    }

    async fn write(&mut self, events: Vec<NewEvent>, outcome: Option<&Outcome<'_>>) -> Result<()> {
        let mut pause = Duration::from_millis(50);
        loop {
            let written = self
                .store
                .append_events(&self.id, self.fence, self.last_seq, &events, outcome)
                .await;
            match written {
                Ok(Fenced::Done) => break,
                Ok(Fenced::Refused) if self.is_written(&events).await => break,
                Ok(Fenced::Refused) => return Err(lease_lost()),
                // A database that comes back within seconds costs a pause, not the run.
                Err(error)
                    if error.kind() == ErrorKind::Unavailable && pause < Duration::from_secs(8) =>
                {
                    tracing::warn!(execution = %self.id, %error, "events could not be kept; trying again");
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
                Err(error) => return Err(error),
            }
        }
        let stored: Vec<StoredEvent> = events
            .into_iter()
            .enumerate()
            .map(|(at, event)| StoredEvent {
                seq: self.last_seq.saturating_add(at as u64).saturating_add(1),
                kind: event.kind.to_owned(),
                data: event.data,
            })
            .collect();
        self.last_seq = self.last_seq.saturating_add(stored.len() as u64);
        if let Some(live) = &self.live {
            // Nobody listening is no error.
            let _ = live.send(stored.into());
        }
        Ok(())
    }

    /// A commit whose answer was lost looks like a refusal the second time.
    async fn is_written(&self, events: &[NewEvent]) -> bool {
        let limit = i64::try_from(events.len())
            .unwrap_or(i64::MAX)
            .saturating_add(1);
        let Ok(stored) = self
            .store
            .events_after(&self.id, self.last_seq, limit)
            .await
        else {
            return false;
        };
        !events.is_empty()
            && stored.len() == events.len()
            && stored
                .iter()
                .zip(events)
                .all(|(a, b)| a.kind == b.kind && a.data == b.data)
    }
}
