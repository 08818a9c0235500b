//! The lease on a conversation, with a fencing token.
//!
//! A lease says who may run; the token says so in every write afterwards. Losing
//! the lease stops the run before another can begin to write: a holder that could
//! not renew counts itself out a little before the lease lapses.

mod local;
mod redis;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub(crate) use self::local::LocalLeases;
pub(crate) use self::redis::RedisLeases;
use crate::error::{ErrorKind, Result, ServiceError};

/// Where leases are kept.
#[async_trait]
pub(crate) trait Leases: Send + Sync {
    /// Takes the lease if nobody has it; the token is above `floor` and above every
    /// earlier one. `None` when somebody has it.
    async fn acquire(
        &self,
        key: &str,
        owner: &str,
        ttl: Duration,
        floor: u64,
    ) -> Result<Option<u64>>;
    /// Prolongs it. False when it is no longer the owner's.
    async fn renew(&self, key: &str, owner: &str, ttl: Duration) -> Result<bool>;
    /// Gives it back if it is still the owner's.
    async fn release(&self, key: &str, owner: &str) -> Result<()>;
    /// Whether the place answers.
    async fn ping(&self) -> Result<()>;
    /// Counts a request of `key` in the current minute and returns the count.
    async fn count(&self, key: &str, window: Duration) -> Result<u64>;
}

/// A lease that is held and renews itself until it is released or lost.
pub(crate) struct Held {
    leases: Arc<dyn Leases>,
    key: String,
    owner: String,
    fence: u64,
    lost: CancellationToken,
    stop: CancellationToken,
}

impl Held {
    /// Takes the lease on `key`, or says that somebody has it.
    pub(crate) async fn acquire(
        leases: &Arc<dyn Leases>,
        key: &str,
        replica: &str,
        ttl: Duration,
        floor: u64,
    ) -> Result<Option<Self>> {
        // The owner is new each time: a run of before, on the same replica, must
        // not be able to renew or release the lease of the next.
        let owner = format!("{replica}/{}", uuid::Uuid::new_v4().simple());
        let asked = Instant::now();
        let Some(fence) = leases.acquire(key, &owner, ttl, floor).await? else {
            return Ok(None);
        };
        let held = Self {
            leases: Arc::clone(leases),
            key: key.to_owned(),
            owner,
            fence,
            lost: CancellationToken::new(),
            stop: CancellationToken::new(),
        };
        tokio::spawn(held.keeper(ttl, asked));
        Ok(Some(held))
    }

    /// The token of this holder.
    pub(crate) fn fence(&self) -> u64 {
        self.fence
    }

    /// Cancelled once the lease is lost.
    pub(crate) fn lost(&self) -> &CancellationToken {
        &self.lost
    }

    /// An error once the lease is lost.
    pub(crate) fn check(&self) -> Result<()> {
        if self.lost.is_cancelled() {
            Err(lease_lost())
        } else {
            Ok(())
        }
    }

    /// Gives the lease back.
    pub(crate) async fn release(self) {
        self.stop.cancel();
        if self.lost.is_cancelled() {
            return;
        }
        let release = self.leases.release(&self.key, &self.owner);
        match tokio::time::timeout(Duration::from_secs(5), release).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(lease.key = %self.key, %error, "a lease was not released; it will lapse");
            }
            Err(_) => {
                tracing::warn!(lease.key = %self.key, "a lease was not released in time; it will lapse")
            }
        }
    }

    fn keeper(&self, ttl: Duration, asked: Instant) -> impl Future<Output = ()> + Send + 'static {
        let leases = Arc::clone(&self.leases);
        let (key, owner) = (self.key.clone(), self.owner.clone());
        let (lost, stop) = (self.lost.clone(), self.stop.clone());
        // What is left of it when we give up: the others' clocks may run faster.
        let margin = ttl / 10;
        async move {
            let mut sure_until = asked + ttl - margin;
            let mut pause = ttl / 3;
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(pause) => {}
                }
                let asked = Instant::now();
                let renewal =
                    tokio::time::timeout_at(sure_until, leases.renew(&key, &owner, ttl)).await;
                match renewal {
                    Ok(Ok(true)) => {
                        sure_until = asked + ttl - margin;
                        pause = ttl / 3;
                        continue;
                    }
                    Ok(Ok(false)) => {
                        tracing::error!(lease.key = %key, "another has taken the lease")
                    }
                    Ok(Err(error)) => {
                        tracing::warn!(lease.key = %key, %error, "the lease could not be renewed");
                        pause = ttl / 20;
                        if Instant::now() + pause < sure_until {
                            continue;
                        }
                    }
                    Err(_) => {}
                }
                tracing::error!(lease.key = %key, "the lease is lost");
                lost.cancel();
                return;
            }
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // Not released: it lapses by itself, and nobody renews it.
        self.stop.cancel();
    }
}

pub(crate) fn lease_lost() -> ServiceError {
    ServiceError::new(
        ErrorKind::LeaseLost,
        "Another server has taken this conversation over.",
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    async fn held(leases: &Arc<dyn Leases>, floor: u64) -> Option<Held> {
        Held::acquire(leases, "k", "r", Duration::from_millis(200), floor)
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn one_holder_and_growing_tokens() {
        let leases: Arc<dyn Leases> = Arc::new(LocalLeases::default());
        let first = held(&leases, 7).await.unwrap();
        assert_eq!(first.fence(), 8);
        assert!(held(&leases, 0).await.is_none());
        // Renewal keeps it beyond its time.
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(held(&leases, 0).await.is_none());
        assert!(first.check().is_ok());
        first.release().await;
        let second = held(&leases, 0).await.unwrap();
        assert_eq!(second.fence(), 9);
        drop(second);
        assert!(
            held(&leases, 0).await.is_none(),
            "a dropped lease lapses, it is not released"
        );
        tokio::time::sleep(Duration::from_millis(250)).await;
        assert_eq!(held(&leases, 50).await.unwrap().fence(), 51);
    }

    #[tokio::test]
    async fn a_stolen_lease_is_noticed() {
        let local = Arc::new(LocalLeases::default());
        let leases: Arc<dyn Leases> = Arc::clone(&local) as Arc<dyn Leases>;
        let first = held(&leases, 0).await.unwrap();
        local.steal("k");
        tokio::time::timeout(Duration::from_secs(1), first.lost().cancelled())
            .await
            .unwrap();
        assert_eq!(first.check().unwrap_err().kind(), ErrorKind::LeaseLost);
    }
}
