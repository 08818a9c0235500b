//! Rows: one code base on SQLite and PostgreSQL.
//!
//! Statements are written once, for what both understand: BIGINT and TEXT columns,
//! `$n` placeholders, `ON CONFLICT`. SQLite has one writing connection, so that
//! writers queue here and not in its lock; PostgreSQL has one pool for all.

mod conversations;
mod events;
mod executions;
mod files;
mod keys;
mod transcripts;
mod usage;

use std::path::Path;
use std::time::Duration;

use secrecy::ExposeSecret;
use sqlx::any::AnyPoolOptions;
use sqlx::migrate::Migrator;
use sqlx::{Any, AnyConnection, AnyPool, Transaction};

use crate::config::ServiceConfig;
use crate::error::{ErrorKind, Result, ServiceError};

pub(crate) use conversations::ConversationRow;
pub(crate) use events::NewEvent;
pub(crate) use executions::{ExecutionRow, Fenced, Insert, NewExecution, Outcome};
pub(crate) use files::FileChange;
pub(crate) use usage::UsageRow;

static POSTGRES: Migrator = sqlx::migrate!("../migrations/postgres");
static SQLITE: Migrator = sqlx::migrate!("../migrations/sqlite");

/// The database. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Store {
    read: AnyPool,
    write: AnyPool,
    postgres: bool,
}

impl Store {
    /// Connects, without touching the schema.
    pub(crate) async fn connect(config: &ServiceConfig) -> Result<Self> {
        sqlx::any::install_default_drivers();
        let url = match &config.database.url {
            Some(url) => url.expose_secret().to_owned(),
            None => sqlite_url(&config.data_dir.join("hardshell.db")),
        };
        let postgres = url.starts_with("postgres:") || url.starts_with("postgresql:");
        if !postgres && !url.starts_with("sqlite:") {
            return Err(ServiceError::new(
                ErrorKind::Config,
                "The database's address must begin with postgres:// or sqlite:.",
            ));
        }
        let options = AnyPoolOptions::new()
            .acquire_timeout(config.database.acquire_timeout)
            .max_connections(config.database.max_connections.max(1));
        let unreachable = |cause: sqlx::Error| {
            ServiceError::new(ErrorKind::Unavailable, "The database cannot be reached.")
                .because(cause)
        };
        if postgres {
            let pool = options.connect(&url).await.map_err(unreachable)?;
            return Ok(Self {
                read: pool.clone(),
                write: pool,
                postgres,
            });
        }
        let write = sqlite_pool(options.clone().max_connections(1), true)
            .connect(&url)
            .await
            .map_err(unreachable)?;
        let read = sqlite_pool(options, false)
            .connect(&url)
            .await
            .map_err(unreachable)?;
        Ok(Self {
            read,
            write,
            postgres,
        })
    }

    /// Brings the schema up to date; returns the number of steps taken.
    pub(crate) async fn migrate(&self) -> Result<u64> {
        let before = self.migrations().await;
        let migrator = if self.postgres { &POSTGRES } else { &SQLITE };
        migrator.run(&self.write).await.map_err(|cause| {
            ServiceError::new(
                ErrorKind::Config,
                "The database's schema could not be brought up to date.",
            )
            .because(cause)
        })?;
        Ok(self.migrations().await.saturating_sub(before))
    }

    async fn migrations(&self) -> u64 {
        // The table is absent before the first step.
        sqlx::query_scalar::<_, i64>("SELECT CAST(COUNT(*) AS BIGINT) FROM _sqlx_migrations")
            .fetch_one(&self.write)
            .await
            .map_or(0, crate::time::unsigned)
    }

    /// Whether the database answers.
    pub(crate) async fn ping(&self) -> Result<()> {
        let ask = sqlx::query_scalar::<_, i64>("SELECT CAST(1 AS BIGINT)").fetch_one(&self.read);
        match tokio::time::timeout(Duration::from_secs(2), ask).await {
            Ok(answer) => Ok(answer.map(|_| ())?),
            Err(_) => Err(ServiceError::new(
                ErrorKind::Unavailable,
                "The database does not answer.",
            )),
        }
    }

    async fn begin(&self) -> Result<Transaction<'static, Any>> {
        Ok(self.write.begin().await?)
    }

    /// Closes every connection.
    pub(crate) async fn close(&self) {
        self.read.close().await;
        self.write.close().await;
    }
}

/// Tries again while the database cannot be reached, for about 15 seconds: one that
/// comes back costs a run a pause, not its life.
pub(crate) async fn patiently<T, F>(mut attempt: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    let mut pause = Duration::from_millis(50);
    loop {
        match attempt().await {
            Err(error)
                if error.kind() == ErrorKind::Unavailable && pause < Duration::from_secs(8) =>
            {
                tracing::warn!(%error, "the database is tried again");
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            outcome => return outcome,
        }
    }
}

fn sqlite_pool(options: AnyPoolOptions, writer: bool) -> AnyPoolOptions {
    options.after_connect(move |connection: &mut AnyConnection, _| {
        Box::pin(async move {
            // NORMAL is durable against the death of the process in WAL mode, which
            // is what is promised; FULL would cost a flush per batch of events.
            for pragma in [
                "PRAGMA journal_mode = WAL",
                "PRAGMA synchronous = NORMAL",
                "PRAGMA busy_timeout = 10000",
                "PRAGMA foreign_keys = ON",
                "PRAGMA cache_size = -16384",
            ] {
                sqlx::query(pragma).execute(&mut *connection).await?;
            }
            if !writer {
                sqlx::query("PRAGMA query_only = ON")
                    .execute(&mut *connection)
                    .await?;
            }
            Ok(())
        })
    })
}

fn sqlite_url(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt;
    let mut url = String::from("sqlite://");
    for byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/._-".contains(byte) {
            url.push(char::from(*byte));
        } else {
            url.push_str(&format!("%{byte:02X}"));
        }
    }
    url.push_str("?mode=rwc");
    url
}

/// PostgreSQL's text holds no NUL; nothing of ours needs one.
fn clean(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}
