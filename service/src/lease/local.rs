//! Leases within one process.

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::Leases;
use crate::error::Result;

#[derive(Default)]
struct Entry {
    owner: Option<(String, Instant)>,
    fence: u64,
}

#[derive(Default)]
struct State {
    leases: HashMap<String, Entry>,
    counts: HashMap<String, (Instant, u64)>,
}

/// Leases in memory. A restart forgets them, which is right: their holders are
/// gone too, and the database's fences are the floor of the next.
#[derive(Default)]
pub(crate) struct LocalLeases {
    state: Mutex<State>,
}

/// Entries beyond which those that say nothing any more are dropped.
const TIDY_ABOVE: usize = 4096;

#[async_trait]
impl Leases for LocalLeases {
    async fn acquire(
        &self,
        key: &str,
        owner: &str,
        ttl: Duration,
        floor: u64,
    ) -> Result<Option<u64>> {
        let now = Instant::now();
        let mut state = self.state.lock();
        if state.leases.len() > TIDY_ABOVE {
            state
                .leases
                .retain(|_, e| e.owner.as_ref().is_some_and(|(_, until)| *until > now));
        }
        let entry = state.leases.entry(key.to_owned()).or_default();
        if entry.owner.as_ref().is_some_and(|(_, until)| *until > now) {
            return Ok(None);
        }
        entry.fence = entry.fence.max(floor).saturating_add(1);
        entry.owner = Some((owner.to_owned(), now + ttl));
        Ok(Some(entry.fence))
    }

    async fn renew(&self, key: &str, owner: &str, ttl: Duration) -> Result<bool> {
        let now = Instant::now();
        let mut state = self.state.lock();
        let Some(entry) = state.leases.get_mut(key) else {
            return Ok(false);
        };
        match &mut entry.owner {
            Some((holder, until)) if holder == owner && *until > now => {
                *until = now + ttl;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    async fn release(&self, key: &str, owner: &str) -> Result<()> {
        let mut state = self.state.lock();
        if let Some(entry) = state.leases.get_mut(key)
            && entry
                .owner
                .as_ref()
                .is_some_and(|(holder, _)| holder == owner)
        {
            entry.owner = None;
        }
        Ok(())
    }

    async fn ping(&self) -> Result<()> {
        Ok(())
    }

    async fn count(&self, key: &str, window: Duration) -> Result<u64> {
        let now = Instant::now();
        let mut state = self.state.lock();
        if state.counts.len() > TIDY_ABOVE {
            state
                .counts
                .retain(|_, (since, _)| now.duration_since(*since) < window);
        }
        let entry = state.counts.entry(key.to_owned()).or_insert((now, 0));
        if now.duration_since(entry.0) >= window {
            *entry = (now, 0);
        }
        entry.1 = entry.1.saturating_add(1);
        Ok(entry.1)
    }
}

#[cfg(test)]
impl LocalLeases {
    /// Takes the lease from whoever has it.
    pub(crate) fn steal(&self, key: &str) {
        if let Some(entry) = self.state.lock().leases.get_mut(key) {
            entry.owner = Some(("thief".into(), Instant::now() + Duration::from_secs(60)));
        }
    }
}
