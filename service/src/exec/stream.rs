//! A run's events for a client: those kept, then those that come.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::ids::ExecutionId;
use crate::service::{EventStream, Service};
use crate::types::StoredEvent;

/// Events read at once.
const PAGE: i64 = 500;
/// How long between looks at a run that lives on another server.
const LOOK: Duration = Duration::from_millis(150);

/// Whether nothing follows it.
fn is_last(event: &StoredEvent) -> bool {
    event.kind == "done"
}

/// Streams the events after `after`. The task behind it ends when the client is gone.
pub(crate) fn events(service: Arc<Service>, id: ExecutionId, after: u64) -> EventStream {
    let (sender, receiver) = mpsc::channel(64);
    tokio::spawn(async move {
        tokio::select! {
            () = follow(&service, &id, after, &sender) => {}
            () = sender.closed() => {}
        }
    });
    Box::pin(tokio_stream::wrappers::ReceiverStream::new(receiver))
}

enum Next {
    More,
    End,
}

struct Follower<'a> {
    service: &'a Service,
    id: &'a ExecutionId,
    last: u64,
    sender: &'a mpsc::Sender<StoredEvent>,
}

async fn follow(
    service: &Service,
    id: &ExecutionId,
    after: u64,
    sender: &mpsc::Sender<StoredEvent>,
) {
    let mut follower = Follower {
        service,
        id,
        last: after,
        sender,
    };
    loop {
        // Listen first, read then: nothing falls between.
        let live = service.live.listen(id);
        if matches!(follower.replay().await, Next::End) {
            return;
        }
        let Some(mut live) = live else {
            if follower.is_over().await {
                return;
            }
            tokio::time::sleep(LOOK).await;
            continue;
        };
        // Lagging behind or a closed channel: the database has what was missed.
        while let Ok(batch) = live.recv().await {
            if batch
                .first()
                .is_some_and(|event| event.seq > follower.last.saturating_add(1))
            {
                break;
            }
            for event in batch.iter() {
                if matches!(follower.give(event.clone()).await, Next::End) {
                    return;
                }
            }
        }
    }
}

impl Follower<'_> {
    async fn give(&mut self, event: StoredEvent) -> Next {
        if event.seq <= self.last {
            return Next::More;
        }
        self.last = event.seq;
        let end = is_last(&event);
        if self.sender.send(event).await.is_err() || end {
            Next::End
        } else {
            Next::More
        }
    }

    async fn replay(&mut self) -> Next {
        loop {
            let events = match self
                .service
                .store
                .events_after(self.id, self.last, PAGE)
                .await
            {
                Ok(events) => events,
                Err(error) => {
                    // The client comes again with the number of its last event.
                    tracing::warn!(execution = %self.id, %error, "a stream of events was ended");
                    return Next::End;
                }
            };
            let full = i64::try_from(events.len()).unwrap_or(PAGE) == PAGE;
            for event in events {
                if matches!(self.give(event).await, Next::End) {
                    return Next::End;
                }
            }
            if !full {
                return Next::More;
            }
        }
    }

    /// Whether the run has ended and all of it was given: a client that asks from
    /// beyond the last event gets nothing more.
    async fn is_over(&self) -> bool {
        match self.service.store.execution_end(self.id).await {
            Ok(Some(last)) => last <= self.last,
            Ok(None) => false,
            Err(_) => true,
        }
    }
}
