//! The two stacks that every case runs on.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::future::BoxFuture;
use hardshell_service::config::{S3Config, ServiceConfig};
use secrecy::SecretString;

use crate::servers::{Addresses, Servers, free_name};
use crate::{bad, chaos, replicas, turns};

/// Where one case keeps its things.
pub struct Stack {
    data: Place,
    agent: Place,
    servers: Option<(Arc<Servers>, String)>,
}

/// A folder, gone with the stack or not.
enum Place {
    Temp(tempfile::TempDir),
    Kept(PathBuf),
}

impl Place {
    fn temp() -> Self {
        Self::Temp(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        match self {
            Self::Temp(dir) => dir.path(),
            Self::Kept(dir) => dir,
        }
    }
}

impl Stack {
    /// SQLite, a folder, leases in the process.
    pub fn local() -> Arc<Self> {
        Arc::new(Self {
            data: Place::temp(),
            agent: Place::temp(),
            servers: None,
        })
    }

    /// The same in a folder that outlives the stack.
    pub fn at(dir: &Path) -> Arc<Self> {
        for name in ["keep", "agent"] {
            std::fs::create_dir_all(dir.join(name)).unwrap();
        }
        let (data, agent) = (
            Place::Kept(dir.join("keep")),
            Place::Kept(dir.join("agent")),
        );
        Arc::new(Self {
            data,
            agent,
            servers: None,
        })
    }

    /// PostgreSQL, S3, Redis; a database and prefixes of its own.
    pub async fn full(servers: &Arc<Servers>) -> Arc<Self> {
        let name = free_name();
        servers.create_database(&name).await;
        let servers = Some((Arc::clone(servers), name));
        Arc::new(Self {
            data: Place::temp(),
            agent: Place::temp(),
            servers,
        })
    }

    /// A stack on the servers of another process.
    pub fn of(dir: &Path, servers: Addresses, name: &str) -> Arc<Self> {
        let at = |inner: &str| {
            std::fs::create_dir_all(dir.join(inner)).unwrap();
            Place::Kept(dir.join(inner))
        };
        let servers = Some((Arc::new(Servers::of(servers)), name.to_owned()));
        Arc::new(Self {
            data: at("keep"),
            agent: at("agent"),
            servers,
        })
    }

    /// What another process needs to use the same servers.
    pub fn addresses(&self) -> (Addresses, String) {
        let (servers, name) = self.servers.as_ref().unwrap();
        (servers.addresses(), name.clone())
    }

    /// Leads a configuration to one of the servers through a port.
    pub fn redirect(&self, which: &str, port: u16, config: &mut ServiceConfig) {
        let (_, name) = self.servers.as_ref().unwrap();
        match which {
            "postgres" => {
                config.database.url = Some(SecretString::from(format!(
                    "postgres://postgres@127.0.0.1:{port}/{name}"
                )));
            }
            "redis" => {
                config.lease.redis_url =
                    Some(SecretString::from(format!("redis://127.0.0.1:{port}")))
            }
            _ => {
                config.objects.s3.as_mut().unwrap().endpoint =
                    Some(format!("http://127.0.0.1:{port}"))
            }
        }
    }

    /// The port of one of the servers.
    pub fn port(&self, which: &str) -> u16 {
        self.addresses().0.of(which)
    }

    pub async fn drop_lease(&self, conversation: &str) {
        let (servers, name) = self.servers.as_ref().unwrap();
        servers.drop_lease(name, conversation).await;
    }

    pub fn config(&self) -> ServiceConfig {
        let mut config = ServiceConfig {
            data_dir: self.data.path().join("data"),
            ..ServiceConfig::default()
        };
        config.agent.run_dir = Some(self.agent.path().to_owned());
        if let Some((servers, name)) = &self.servers {
            config.database.url = Some(SecretString::from(servers.database_url(name)));
            config.database.max_connections = 4;
            config.lease.redis_url = Some(SecretString::from(servers.redis_url()));
            config.lease.prefix = name.clone();
            config.lease.ttl = std::time::Duration::from_secs(3);
            config.sweep_every = std::time::Duration::from_millis(500);
            config.objects.s3 = Some(S3Config {
                bucket: servers.bucket().into(),
                region: "us-east-1".into(),
                endpoint: Some(servers.s3_url()),
                access_key_id: Some("key".into()),
                secret_access_key: Some(SecretString::from("secret")),
                session_token: None,
                prefix: Some(name.clone()),
                allow_http: true,
            });
        }
        config
    }

    /// A second server on the same stack: its own disk, if the stack allows more
    /// than one.
    pub fn second_config(&self) -> ServiceConfig {
        let mut config = self.config();
        config.data_dir = self.data.path().join("second");
        config.agent.run_dir = Some(self.data.path().join("second-agent"));
        config
    }
}

type Case = fn(Arc<Stack>) -> BoxFuture<'static, ()>;

macro_rules! cases {
    ($($module:ident :: $name:ident),* $(,)?) => {
        const CASES: &[(&str, Case)] =
            &[$((concat!(stringify!($module), "::", stringify!($name)), |stack| Box::pin($module::$name(stack)))),*];

        mod local {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    crate::$module::$name(super::Stack::local()).await;
                }
            )*
        }
    };
}

cases! {
    turns::a_run_stores_files_and_the_next_turn_knows_them,
    turns::a_client_that_leaves_misses_nothing,
    turns::without_a_workspace_nothing_is_kept,
    turns::an_idempotency_key_starts_one_run,
    turns::one_run_per_conversation,
    turns::a_cancelled_run_keeps_its_files,
    turns::partial_text_is_taken_back,
    turns::a_users_files_are_there,
    turns::another_tenant_sees_nothing,
    turns::a_budget_ends_the_run,
    turns::time_ends_the_run,
    turns::turns_end_the_run,
    turns::sub_agents_have_the_same_tools,
    bad::a_missing_agent_is_refused,
    bad::an_agent_that_dies_is_told,
    bad::tools_that_cannot_be_reached_are_told,
    bad::the_models_errors_are_told,
    bad::a_full_context_is_refused,
    bad::wrong_keys_are_refused,
}

/// What only servers of their own can do.
const REPLICAS: &[(&str, Case)] = &[
    ("replicas::a_stream_goes_on_at_another_server", |stack| {
        Box::pin(replicas::a_stream_goes_on_at_another_server(stack))
    }),
    (
        "replicas::a_dead_servers_run_is_ended_by_the_other",
        |stack| Box::pin(replicas::a_dead_servers_run_is_ended_by_the_other(stack)),
    ),
    ("chaos::a_store_that_is_cut_off_loses_nothing", |stack| {
        Box::pin(chaos::a_store_that_is_cut_off_loses_nothing(stack))
    }),
    ("chaos::a_database_that_comes_back_costs_a_pause", |stack| {
        Box::pin(chaos::a_database_that_comes_back_costs_a_pause(stack))
    }),
    (
        "chaos::a_lease_server_that_is_gone_stops_the_run",
        |stack| Box::pin(chaos::a_lease_server_that_is_gone_stops_the_run(stack)),
    ),
    ("replicas::a_lost_lease_stops_the_run", |stack| {
        Box::pin(replicas::a_lost_lease_stops_the_run(stack))
    }),
];

/// One test for all: the servers are started once.
#[test]
fn every_case_on_postgres_redis_and_s3() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()
        .unwrap();
    let only = std::env::var("CASE").ok();
    runtime.block_on(async {
        let servers = Servers::start().await;
        let mut failed = Vec::new();
        for (name, case) in CASES
            .iter()
            .chain(REPLICAS)
            .filter(|(name, _)| only.as_ref().is_none_or(|only| name.contains(only)))
        {
            let stack = Stack::full(&servers).await;
            let outcome = tokio::spawn(case(stack)).await;
            println!("{name}: {}", if outcome.is_ok() { "ok" } else { "FAILED" });
            if outcome.is_err() {
                failed.push(*name);
            }
        }
        assert!(
            failed.is_empty(),
            "failed on PostgreSQL, Redis and S3: {failed:?}"
        );
    });
}
