//! The service's configuration, with every default.
//!
//! The library reads neither files nor environment: `api` fills this in. An
//! unknown key is an error. Durations are written `30s`, sizes `128MiB`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;

pub mod units;

/// Everything the service can be told. `Default` runs alone on one machine.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServiceConfig {
    /// Folder of everything kept locally: database, objects, folders of runs.
    /// Default `.hardshell`. Only one server may use it at a time.
    pub data_dir: PathBuf,
    /// Name of this replica in leases and logs. Default: random at each start.
    pub replica: Option<String>,
    /// Where rows are kept.
    pub database: DatabaseConfig,
    /// Where leases, rate limits and caches are kept.
    pub lease: LeaseConfig,
    /// Where workspaces are kept.
    pub objects: ObjectsConfig,
    /// How workspaces are carried to and fro.
    pub sync: SyncConfig,
    /// The agent child.
    pub agent: AgentConfig,
    /// The model's provider.
    pub model: ModelConfig,
    /// What a run, a tenant and a tool call may use.
    pub limits: ServiceLimits,
    /// Folder of the tenants' skills: `{skills_dir}/{tenant}` appears read-only
    /// at `/skills` in a run without a workspace. Default: none.
    pub skills_dir: Option<PathBuf>,
    /// How often lapsed runs and left-over folders are looked for. Default 15 s.
    #[serde(deserialize_with = "units::duration::deserialize")]
    pub sweep_every: Duration,
    /// How long `drain` lets runs go on before it stops them. Default 30 s.
    #[serde(deserialize_with = "units::duration::deserialize")]
    pub drain_for: Duration,
}

impl Default for ServiceConfig {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from(".hardshell"),
            replica: None,
            database: DatabaseConfig::default(),
            lease: LeaseConfig::default(),
            objects: ObjectsConfig::default(),
            sync: SyncConfig::default(),
            agent: AgentConfig::default(),
            model: ModelConfig::default(),
            limits: ServiceLimits::default(),
            skills_dir: None,
            sweep_every: Duration::from_secs(15),
            drain_for: Duration::from_secs(30),
        }
    }
}

/// The database.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DatabaseConfig {
    /// `postgres://…` or `sqlite:…`; it may hold a password. Default: SQLite in
    /// `{data_dir}/hardshell.db`.
    pub url: Option<SecretString>,
    /// Connections at most. Default 16. SQLite has one more, its only writer.
    pub max_connections: u32,
    /// How long a caller waits for a connection. Default 10 s.
    #[serde(deserialize_with = "units::duration::deserialize")]
    pub acquire_timeout: Duration,
    /// Bring the schema up to date at start. Default true.
    pub migrate: bool,
}

impl Default for DatabaseConfig {
    fn default() -> Self {
        Self {
            url: None,
            max_connections: 16,
            acquire_timeout: Duration::from_secs(10),
            migrate: true,
        }
    }
}

/// The lease on a conversation.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LeaseConfig {
    /// `redis://…`; it may hold a password. Default: within this process, which
    /// is right for one server only.
    pub redis_url: Option<SecretString>,
    /// Prefix of every key in Redis. Default `hardshell`.
    pub prefix: String,
    /// How long a lease outlives its last renewal. Renewed at a third of it.
    /// Default 15 s.
    #[serde(deserialize_with = "units::duration::deserialize")]
    pub ttl: Duration,
}

impl Default for LeaseConfig {
    fn default() -> Self {
        Self {
            redis_url: None,
            prefix: "hardshell".into(),
            ttl: Duration::from_secs(15),
        }
    }
}

/// The object store.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ObjectsConfig {
    /// An S3 bucket. Default: the folder `{data_dir}/objects`.
    pub s3: Option<S3Config>,
}

/// An S3-compatible bucket that honours `If-Match` and `If-None-Match`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct S3Config {
    /// Name of the bucket.
    pub bucket: String,
    /// Region. Default `us-east-1`.
    #[serde(default = "S3Config::default_region")]
    pub region: String,
    /// Address of a compatible server; addresses are then path-style.
    /// Default: AWS.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// Access key. Default: what the machine's role gives.
    #[serde(default)]
    pub access_key_id: Option<String>,
    /// Its secret.
    #[serde(default)]
    pub secret_access_key: Option<SecretString>,
    /// Session token of temporary credentials.
    #[serde(default)]
    pub session_token: Option<SecretString>,
    /// Prefix of every key in the bucket. Default none.
    #[serde(default)]
    pub prefix: Option<String>,
    /// Allow plain HTTP to `endpoint`. Default false.
    #[serde(default)]
    pub allow_http: bool,
}

impl S3Config {
    fn default_region() -> String {
        "us-east-1".into()
    }
}

/// Workspace sync.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SyncConfig {
    /// Transfers at once per run. Default 32.
    pub parallel: usize,
    /// Memory that transfers of one run may hold. Default 64 MiB.
    #[serde(deserialize_with = "units::size::deserialize")]
    pub memory: u64,
    /// Do not even look at the folder when the sandbox's journal says that nothing
    /// was changed. Default true.
    pub trust_journal: bool,
    /// Files above this are sent in parts of this size. Default 8 MiB.
    #[serde(deserialize_with = "units::size::deserialize")]
    pub part_size: u64,
    /// Tries per object before a publish is left to the sweeper. Default 4.
    pub attempts: u32,
    /// How long a publish may take before it is left to the sweeper.
    /// Default 300 s.
    #[serde(deserialize_with = "units::duration::deserialize")]
    pub timeout: Duration,
    /// How long a conversation waits for the server whose disk holds a newer
    /// workspace than the store; then it goes on with what the store has.
    /// Default 600 s.
    #[serde(deserialize_with = "units::duration::deserialize")]
    pub wait_for_owner: Duration,
}

impl Default for SyncConfig {
    fn default() -> Self {
        Self {
            parallel: 32,
            memory: 64 << 20,
            trust_journal: true,
            part_size: 8 << 20,
            attempts: 4,
            timeout: Duration::from_secs(300),
            wait_for_owner: Duration::from_secs(600),
        }
    }
}

/// The agent child.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AgentConfig {
    /// The native `claude` executable. Default: none, and runs are refused with
    /// `agent_unavailable` until it is set.
    pub cli: Option<PathBuf>,
    /// Program and first arguments that start the child in its confinement.
    /// Default: this executable with the argument
    /// [`LAUNCH_ARGUMENT`](crate::agent::launch::LAUNCH_ARGUMENT).
    #[serde(skip)]
    pub launcher: Option<Vec<OsString>>,
    /// Folder of the children's own folders. Default `{data_dir}/agent`, or a
    /// private one below the system's temporary folder when the child's user
    /// could not reach that.
    pub run_dir: Option<PathBuf>,
    /// First user id of the children when we are root: each run at a time has
    /// one of its own. Default 2100000000.
    pub uid_base: u32,
    /// Version that is the oldest to be used. Default `2.1.330`.
    pub min_version: String,
    /// How long the child may take to be ready. Default 20 s.
    #[serde(deserialize_with = "units::duration::deserialize")]
    pub start_timeout: Duration,
    /// How long the child may stay silent while neither the model nor a tool
    /// works for it. Default 900 s.
    #[serde(deserialize_with = "units::duration::deserialize")]
    pub idle_timeout: Duration,
    /// Memory that the child may hold. Default 4 GiB.
    #[serde(deserialize_with = "units::size::deserialize")]
    pub memory: u64,
    /// Processes and threads of the child, when it has a user of its own.
    /// Default 256.
    pub processes: u64,
    /// Refuse to run when the kernel cannot confine the child by Landlock.
    /// Default false: a warning, and `ready()` says so.
    pub require_landlock: bool,
    /// Give the transcript's mirror this many bytes per conversation at most.
    /// Default 256 MiB.
    #[serde(deserialize_with = "units::size::deserialize")]
    pub transcript_bytes: u64,
}

impl Default for AgentConfig {
    fn default() -> Self {
        Self {
            cli: None,
            launcher: None,
            run_dir: None,
            uid_base: 2_100_000_000,
            min_version: "2.1.330".into(),
            start_timeout: Duration::from_secs(20),
            idle_timeout: Duration::from_secs(900),
            memory: 4 << 30,
            processes: 256,
            require_landlock: false,
            transcript_bytes: 256 << 20,
        }
    }
}

/// The model and its provider.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelConfig {
    /// Base address of the Messages API. Default `https://api.anthropic.com`.
    pub base_url: String,
    /// The real key; it stays in this process. Default none: the provider will
    /// refuse.
    pub api_key: Option<SecretString>,
    /// Model of a request that names none. Default `claude-sonnet-4-5`.
    pub default_model: String,
    /// Models that a request may name. Default: empty, which means any.
    pub allowed: Vec<String>,
    /// Prices and windows by the beginning of the model's name; the longest
    /// match counts. Default: see [`ModelPrice`] and the table in its module.
    pub prices: BTreeMap<String, ModelPrice>,
    /// How long the provider may take until its first byte. Default 600 s.
    #[serde(deserialize_with = "units::duration::deserialize")]
    pub timeout: Duration,
    /// How often the agent tries a request again that the provider could not serve
    /// (429, 5xx, cut streams). Default 6.
    pub retries: u32,
    /// Largest request body that the gateway forwards. Default 64 MiB.
    #[serde(deserialize_with = "units::size::deserialize")]
    pub max_request: u64,
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self {
            base_url: "https://api.anthropic.com".into(),
            api_key: None,
            default_model: "claude-sonnet-4-5".into(),
            allowed: Vec::new(),
            prices: default_prices(),
            timeout: Duration::from_secs(600),
            retries: 6,
            max_request: 64 << 20,
        }
    }
}

/// What a model costs, in micro-dollars per million tokens, and its window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelPrice {
    /// Input tokens that no cache served.
    pub input: u64,
    /// Output tokens.
    pub output: u64,
    /// Input tokens read from the cache.
    pub cache_read: u64,
    /// Input tokens written to the cache.
    pub cache_write: u64,
    /// Context window in tokens.
    pub window: u64,
}

fn default_prices() -> BTreeMap<String, ModelPrice> {
    let row = |input: u64, output: u64| ModelPrice {
        input: input * 1_000_000,
        output: output * 1_000_000,
        cache_read: input * 100_000,
        cache_write: input * 1_250_000,
        window: 200_000,
    };
    [
        // The empty prefix matches every model: an unknown one is never free.
        ("", row(15, 75)),
        ("claude-opus", row(15, 75)),
        ("claude-opus-4-5", row(5, 25)),
        ("claude-opus-5", row(5, 25)),
        ("claude-sonnet", row(3, 15)),
        ("claude-haiku", row(1, 5)),
    ]
    .into_iter()
    .map(|(name, price)| (name.to_owned(), price))
    .collect()
}

/// What runs, tenants and tool calls may use; each finite.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServiceLimits {
    /// Runs at once on this server. Default 64.
    pub runs: u32,
    /// Runs at once of one tenant, on all servers. Default 16.
    pub runs_per_tenant: u32,
    /// Requests per minute and tenant. Default 600.
    pub requests_per_minute: u32,
    /// How long a run may take. Default 3600 s.
    #[serde(deserialize_with = "units::duration::deserialize")]
    pub run_time: Duration,
    /// Model turns of a run. Default 200.
    pub turns: u32,
    /// Cost of a run in micro-dollars. Default 10 000 000 (10 dollars).
    pub run_cost_micros: u64,
    /// Cost of a tenant per calendar month (UTC) in micro-dollars, unless the
    /// tenant's row says otherwise. Default 1 000 000 000 (1000 dollars).
    pub tenant_cost_micros: u64,
    /// Part of the model's window, in per cent, that a conversation may have
    /// filled when a run starts. Default 95.
    pub context_percent: u64,
    /// Bytes of the prompt of one request, images included. Default 20 MiB.
    #[serde(deserialize_with = "units::size::deserialize")]
    pub prompt: u64,
    /// Bytes of one file. Default 256 MiB.
    #[serde(deserialize_with = "units::size::deserialize")]
    pub file: u64,
    /// Bytes of one file by extension (lower case, no dot); it replaces `file`.
    /// Default: empty.
    #[serde(deserialize_with = "units::sizes::deserialize")]
    pub file_by_type: BTreeMap<String, u64>,
    /// Bytes of one workspace. Default 2 GiB.
    #[serde(deserialize_with = "units::size::deserialize")]
    pub workspace: u64,
    /// Files and folders of one workspace. Default 100 000.
    pub workspace_files: u64,
}

impl Default for ServiceLimits {
    fn default() -> Self {
        Self {
            runs: 64,
            runs_per_tenant: 16,
            requests_per_minute: 600,
            run_time: Duration::from_secs(3600),
            turns: 200,
            run_cost_micros: 10_000_000,
            tenant_cost_micros: 1_000_000_000,
            context_percent: 95,
            prompt: 20 << 20,
            file: 256 << 20,
            file_by_type: BTreeMap::new(),
            workspace: 2 << 30,
            workspace_files: 100_000,
        }
    }
}

impl ServiceLimits {
    /// The largest size in bytes that a file of this name may have.
    #[must_use]
    pub fn file_limit(&self, path: &str) -> u64 {
        let name = path.rsplit('/').next().unwrap_or(path);
        name.rsplit_once('.')
            .and_then(|(_, ext)| self.file_by_type.get(&ext.to_ascii_lowercase()))
            .copied()
            .unwrap_or(self.file)
    }
}

impl ModelConfig {
    /// Price and window of a model: the longest prefix that fits.
    #[must_use]
    pub fn price(&self, model: &str) -> ModelPrice {
        self.prices
            .iter()
            .filter(|(prefix, _)| model.starts_with(prefix.as_str()))
            .max_by_key(|(prefix, _)| prefix.len())
            .map(|(_, price)| *price)
            .unwrap_or(ModelPrice {
                input: 15_000_000,
                output: 75_000_000,
                cache_read: 1_500_000,
                cache_write: 18_750_000,
                window: 200_000,
            })
    }
}
