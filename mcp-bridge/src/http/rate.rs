//! How often a session may call.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use uuid::Uuid;

use crate::session::Session;

/// Sessions whose buckets are kept before full ones are dropped.
const BUCKETS: usize = 4096;

/// Decides whether one more request of a session may pass.
pub trait RateLimit: Send + Sync + 'static {
    /// `Err` says when to try again.
    fn admit(&self, session: &Session) -> Result<(), Duration>;
}

/// So many requests a second on average, and so many at once, for each session.
pub struct TokenBuckets {
    per_second: f64,
    burst: f64,
    buckets: Mutex<HashMap<Uuid, Bucket>>,
}

struct Bucket {
    tokens: f64,
    at: Instant,
}

impl TokenBuckets {
    /// At least one request may always pass at once.
    pub fn new(per_second: f64, burst: u32) -> Self {
        TokenBuckets {
            per_second: per_second.max(0.001),
            burst: f64::from(burst.max(1)),
            buckets: Mutex::default(),
        }
    }

    fn take(&self, id: Uuid, now: Instant) -> Result<(), Duration> {
        let mut buckets = self.buckets.lock();
        if buckets.len() >= BUCKETS {
            // A bucket that is full again says nothing.
            buckets.retain(|_, bucket| self.level(bucket, now) < self.burst);
        }
        let bucket = buckets.entry(id).or_insert(Bucket {
            tokens: self.burst,
            at: now,
        });
        let level = self.level(bucket, now);
        bucket.at = now;
        if level >= 1.0 {
            bucket.tokens = level - 1.0;
            Ok(())
        } else {
            bucket.tokens = level;
            Err(Duration::from_secs_f64((1.0 - level) / self.per_second))
        }
    }

    fn level(&self, bucket: &Bucket, now: Instant) -> f64 {
        let since = now.saturating_duration_since(bucket.at).as_secs_f64();
        (bucket.tokens + since * self.per_second).min(self.burst)
    }
}

impl RateLimit for TokenBuckets {
    fn admit(&self, session: &Session) -> Result<(), Duration> {
        self.take(session.id(), Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_the_rate_holds() {
        let limit = TokenBuckets::new(10.0, 3);
        let (a, b) = (Uuid::new_v4(), Uuid::new_v4());
        let start = Instant::now();
        for _ in 0..3 {
            assert_eq!(limit.take(a, start), Ok(()));
        }
        assert_eq!(limit.take(a, start), Err(Duration::from_millis(100)));
        assert_eq!(limit.take(b, start), Ok(()));
        assert_eq!(limit.take(a, start + Duration::from_millis(100)), Ok(()));
        assert!(limit.take(a, start + Duration::from_millis(100)).is_err());
    }
}
