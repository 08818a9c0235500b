//! Leases in Redis: each step is one script, so each is atomic.

use std::time::Duration;

use ::redis::aio::{ConnectionManager, ConnectionManagerConfig};
use ::redis::{Client, RedisError, Script};
use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};

use super::Leases;
use crate::error::{ErrorKind, Result, ServiceError};
use crate::time::{signed, unsigned};

/// Leases in Redis.
pub(crate) struct RedisLeases {
    connection: ConnectionManager,
    prefix: String,
    acquire: Script,
    renew: Script,
    release: Script,
    count: Script,
}

// KEYS: lease, fence. ARGV: owner, ttl in ms, floor. The fence has no time to live.
// When Redis has lost it, the floor (from the database) takes its place.
const ACQUIRE: &str = r"
if not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return -1 end
local fence = redis.call('INCR', KEYS[2])
local floor = tonumber(ARGV[3])
if fence <= floor then
  fence = floor + 1
  redis.call('SET', KEYS[2], string.format('%.0f', fence))
end
return fence
";
const RENEW: &str = r"
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
";
const RELEASE: &str = r"
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
";
const COUNT: &str = r"
local count = redis.call('INCR', KEYS[1])
if count == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return count
";

fn unreachable(cause: RedisError) -> ServiceError {
    ServiceError::new(
        ErrorKind::Unavailable,
        "The lease server cannot be reached.",
    )
    .because(cause)
}

impl RedisLeases {
    /// Connects; an address that cannot be reached is an error at once.
    pub(crate) async fn connect(url: &SecretString, prefix: &str) -> Result<Self> {
        let client = Client::open(url.expose_secret()).map_err(|cause| {
            ServiceError::new(ErrorKind::Config, "The address of Redis is not valid.")
                .because(cause)
        })?;
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(Duration::from_secs(3)))
            .set_response_timeout(Some(Duration::from_secs(3)))
            .set_number_of_retries(2);
        let connection = ConnectionManager::new_with_config(client, config)
            .await
            .map_err(unreachable)?;
        Ok(Self {
            connection,
            prefix: prefix.to_owned(),
            acquire: Script::new(ACQUIRE),
            renew: Script::new(RENEW),
            release: Script::new(RELEASE),
            count: Script::new(COUNT),
        })
    }

    // The braces keep a conversation's two keys on one node of a cluster.
    fn lease_key(&self, key: &str) -> String {
        format!("{}:lease:{{{key}}}", self.prefix)
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[async_trait]
impl Leases for RedisLeases {
    async fn acquire(
        &self,
        key: &str,
        owner: &str,
        ttl: Duration,
        floor: u64,
    ) -> Result<Option<u64>> {
        let fence: i64 = self
            .acquire
            .key(self.lease_key(key))
            .key(format!("{}:fence:{{{key}}}", self.prefix))
            .arg(owner)
            .arg(millis(ttl))
            .arg(signed(floor))
            .invoke_async(&mut self.connection.clone())
            .await
            .map_err(unreachable)?;
        Ok((fence >= 0).then(|| unsigned(fence)))
    }

    async fn renew(&self, key: &str, owner: &str, ttl: Duration) -> Result<bool> {
        let done: i64 = self
            .renew
            .key(self.lease_key(key))
            .arg(owner)
            .arg(millis(ttl))
            .invoke_async(&mut self.connection.clone())
            .await
            .map_err(unreachable)?;
        Ok(done == 1)
    }

    async fn release(&self, key: &str, owner: &str) -> Result<()> {
        let _: i64 = self
            .release
            .key(self.lease_key(key))
            .arg(owner)
            .invoke_async(&mut self.connection.clone())
            .await
            .map_err(unreachable)?;
        Ok(())
    }

    async fn ping(&self) -> Result<()> {
        let _: String = ::redis::cmd("PING")
            .query_async(&mut self.connection.clone())
            .await
            .map_err(unreachable)?;
        Ok(())
    }

    async fn count(&self, key: &str, window: Duration) -> Result<u64> {
        let count: i64 = self
            .count
            .key(format!("{}:rate:{key}", self.prefix))
            .arg(millis(window))
            .invoke_async(&mut self.connection.clone())
            .await
            .map_err(unreachable)?;
        Ok(unsigned(count))
    }
}
