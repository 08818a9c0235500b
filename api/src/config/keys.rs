//! Every key of the configuration and every environment variable that hardshell reads, each
//! with its doc. `hardshell config --reference` prints this table, `docs/configuration.md` is
//! made from it.

/// What a value looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Any text.
    Text,
    /// Text that is never shown. Its environment variable may also be given with `_FILE`
    /// appended, naming a file that holds it.
    Secret,
    /// A path of the host.
    Path,
    /// IP address and port.
    Address,
    /// `http://…` or `https://…`.
    Url,
    /// Bytes: `256MiB`.
    Size,
    /// Bytes by name: a table in the file, `png=10MiB,csv=50MiB` elsewhere.
    Sizes,
    /// A span of time: `30s`.
    Period,
    /// A whole number, 0 or more.
    Integer,
    /// `true` or `false`.
    Flag,
    /// Texts: an array in the file, separated by commas elsewhere.
    List,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A table of the file; cannot be given elsewhere.
    Table,
}

impl Kind {
    /// For the reference.
    pub(crate) fn describe(self) -> String {
        match self {
            Kind::Text => "text".to_owned(),
            Kind::Secret => "secret text".to_owned(),
            Kind::Path => "path".to_owned(),
            Kind::Address => "address".to_owned(),
            Kind::Url => "URL".to_owned(),
            Kind::Size => "size".to_owned(),
            Kind::Sizes => "table of sizes".to_owned(),
            Kind::Period => "time".to_owned(),
            Kind::Integer => "number".to_owned(),
            Kind::Flag => "true or false".to_owned(),
            Kind::List => "list of texts".to_owned(),
            Kind::Choice(words) => words.join(" or "),
            Kind::Table => "table".to_owned(),
        }
    }
}

/// One key.
#[derive(Debug)]
pub(crate) struct Key {
    /// Its path in the file: `server.listen`.
    pub(crate) path: &'static str,
    /// What its value looks like.
    pub(crate) kind: Kind,
    /// The default as it would be written; empty when there is none.
    pub(crate) default: &'static str,
    /// Environment variables of custom, beside `HARDSHELL_…`, which wins.
    pub(crate) also: &'static [&'static str],
    /// One or two sentences.
    pub(crate) doc: &'static str,
}

impl Key {
    /// Its own environment variable.
    pub(crate) fn env(&self) -> String {
        format!("HARDSHELL_{}", self.path.replace('.', "_").to_uppercase())
    }

    /// Its environment variables, the strongest first.
    pub(crate) fn envs(&self) -> Vec<String> {
        let mut names = vec![self.env()];
        names.extend(self.also.iter().map(|name| (*name).to_owned()));
        names
    }
}

/// The key of this path.
pub(crate) fn find(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path == path)
}

const fn key(path: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> Key {
    Key {
        path,
        kind,
        default,
        also: &[],
        doc,
    }
}

const fn also(
    path: &'static str,
    kind: Kind,
    default: &'static str,
    also: &'static [&'static str],
    doc: &'static str,
) -> Key {
    Key {
        path,
        kind,
        default,
        also,
        doc,
    }
}

/// Environment variables that are no keys of the configuration: name and doc.
pub(crate) const OTHER_ENV: &[(&str, &str)] = &[
    ("HARDSHELL_CONFIG", "The configuration file, as --config."),
    (
        "HARDSHELL_BUNDLE_DIR",
        "Folder of modules to use instead of those in the binary (for development).",
    ),
    (
        "HARDSHELL_HISTORY",
        "History file of the interactive prompt [default: hardshell_history in the state folder of the user].",
    ),
    (
        "XDG_CACHE_HOME",
        "Where the default of kernel.cache_dir lies.",
    ),
    ("XDG_STATE_HOME", "Where the default history file lies."),
    (
        "HOME",
        "Where the defaults of both lie when XDG variables are unset.",
    ),
    ("NO_COLOR", "No colours, even on a terminal."),
    (
        "HARDSHELL_MODULES",
        "Read by the build only: folder of the built tool modules.",
    ),
    (
        "HARDSHELL_ALLOW_EMPTY_BUNDLE",
        "Read by the build only: 1 lets it go on without tool modules.",
    ),
    (
        "HARDSHELL_BIN",
        "Read by the tests only: the binary to test.",
    ),
    (
        "HARDSHELL_TEST_S3",
        "Read by the tests only: the S3 server to start.",
    ),
];

use Kind::{
    Address, Choice, Flag, Integer, List, Path, Period, Secret, Size, Sizes, Table, Text, Url,
};

/// Every key, in the order of the reference.
#[rustfmt::skip]
pub(crate) static KEYS: &[Key] = &[
    // The HTTP edge.
    key("server.listen", Address, "127.0.0.1:8080", "Where clients connect. Plain HTTP: put a proxy that speaks TLS before it when it is reachable from other machines."),
    key("server.inner_listen", Address, "127.0.0.1:0", "Where the agent child reaches the model gateway and the tools: loopback only; port 0 picks a free one."),
    key("server.allowed_hosts", List, "", "Values of the Host header that /mcp accepts beside the loopback names and the listening address."),
    key("server.allowed_origins", List, "", "Values of the Origin header that /mcp accepts; requests without one are accepted."),
    key("server.max_body", Size, "32MiB", "Largest JSON body of a request."),
    key("server.max_upload", Size, "256MiB", "Largest uploaded file; limits.file applies as well."),
    key("server.request_timeout", Period, "60s", "How long a request may take that is not a stream or a file transfer, its body included."),
    key("server.heartbeat", Period, "15s", "How often a silent event stream carries a comment, so that proxies keep it open."),
    key("server.max_requests", Integer, "4096", "Requests at once, open event streams included; more are answered 503."),
    key("server.metrics", Flag, "true", "Whether /metrics is served."),

    // What people read.
    key("log.level", Text, "info", "What is logged: error, warn, info, debug, trace, or directives such as `info,hardshell_service=debug`."),
    key("log.format", Choice(&["text", "json"]), "text", "How: lines for people, or one JSON object per line."),

    // The kernel.
    key("kernel.cache_dir", Path, "", "Folder of compiled modules [default: hardshell in the user's cache folder]. Only hardshell may be able to write to it."),
    key("kernel.max_processes", Integer, "4096", "WebAssembly processes alive at once over all conversations."),
    key("kernel.worker_threads", Integer, "0", "Threads that run tools; 0 means one per core."),
    key("kernel.max_memory_per_process", Size, "4GiB", "Most memory that any process may be given, whatever its limits say."),

    // Tools of the operator's own.
    key("tools.dir", Path, "", "Folder of tools beside the built-in ones (`hardshell tool add`); what is added is taken up at once [default: none]."),
    key("tools.policy", Path, "", "What those tools may do, as a file [default: read the workspace, use /tmp, nothing else]."),

    // The service.
    key("data_dir", Path, ".hardshell", "Folder of everything kept locally: database, objects, folders of runs, API key hashes. One server at a time may use it."),
    key("replica", Text, "", "Name of this server in leases and logs [default: random at each start]."),
    key("skills_dir", Path, "", "Folder of the tenants' skills: its subfolder named as the tenant appears read-only at /skills."),
    key("sweep_every", Period, "15s", "How often lapsed runs and left-over folders are looked for."),
    key("drain_for", Period, "30s", "How long a stopping server lets runs go on."),

    also("database.url", Secret, "", &["DATABASE_URL"], "postgres://… or sqlite:… [default: SQLite in data_dir]."),
    key("database.max_connections", Integer, "16", "Connections at most."),
    key("database.acquire_timeout", Period, "10s", "How long a request waits for a connection."),
    key("database.migrate", Flag, "true", "Bring the schema up to date at start."),

    also("lease.redis_url", Secret, "", &["REDIS_URL"], "redis://… for leases, rate limits and caches of several servers [default: within this process, right for one server only]."),
    key("lease.prefix", Text, "hardshell", "Prefix of every key in Redis."),
    key("lease.ttl", Period, "15s", "How long a lease outlives its last renewal."),

    also("objects.s3.bucket", Text, "", &["S3_BUCKET"], "Bucket of the workspaces [default: a folder in data_dir]."),
    also("objects.s3.region", Text, "us-east-1", &["S3_REGION"], "Region of the bucket."),
    also("objects.s3.endpoint", Url, "", &["S3_ENDPOINT"], "Address of an S3-compatible server [default: AWS]."),
    also("objects.s3.access_key_id", Text, "", &["S3_ACCESS_KEY_ID"], "Access key [default: what the machine's role gives]."),
    also("objects.s3.secret_access_key", Secret, "", &["S3_SECRET_ACCESS_KEY"], "Secret of the access key."),
    also("objects.s3.session_token", Secret, "", &["S3_SESSION_TOKEN"], "Session token of temporary credentials."),
    also("objects.s3.prefix", Text, "", &["S3_PREFIX"], "Prefix of every key in the bucket."),
    also("objects.s3.allow_http", Flag, "false", &["S3_ALLOW_HTTP"], "Allow an endpoint without TLS."),

    key("sync.parallel", Integer, "32", "Transfers at once per run."),
    key("sync.memory", Size, "64MiB", "Memory that the transfers of one run may hold."),
    key("sync.part_size", Size, "8MiB", "Files above this are sent in parts of this size."),
    key("sync.attempts", Integer, "4", "Tries per object before a publish is left to the sweeper."),
    key("sync.timeout", Period, "300s", "How long a publish may take before it is left to the sweeper."),
    key("sync.trust_journal", Flag, "true", "Do not even look at a workspace of which the sandbox's journal says that nothing was changed."),
    key("sync.wait_for_owner", Period, "600s", "How long a conversation waits for the server whose disk holds a newer workspace than the store; then it goes on with what the store has."),

    key("agent.cli", Path, "", "The native executable of the agent CLI [default: .local/agent of the current folder, or beside the binary]."),
    key("agent.run_dir", Path, "", "Folder of the agent children's own folders [default: in data_dir]."),
    key("agent.uid_base", Integer, "2100000000", "First user id of agent children when the server runs as root; each run at a time has one of its own."),
    key("agent.min_version", Text, "2.1.330", "Oldest version of the agent CLI that is used."),
    key("agent.start_timeout", Period, "20s", "How long the child may take to be ready."),
    key("agent.idle_timeout", Period, "900s", "How long the child may stay silent while neither the model nor a tool works for it."),
    key("agent.memory", Size, "4GiB", "Memory that the child may hold."),
    key("agent.processes", Integer, "256", "Processes and threads of the child, when it has a user of its own."),
    key("agent.require_landlock", Flag, "false", "Refuse to run when the kernel cannot confine the child by Landlock, instead of a warning."),
    key("agent.transcript_bytes", Size, "256MiB", "Bytes of a conversation's transcript at most."),

    also("model.base_url", Url, "https://api.anthropic.com", &["ANTHROPIC_BASE_URL"], "Base address of the Messages API."),
    also("model.api_key", Secret, "", &["ANTHROPIC_API_KEY"], "Key of the Messages API. It stays in this process: neither the agent nor a tool sees it."),
    key("model.default_model", Text, "claude-sonnet-4-5", "Model of a request that names none."),
    key("model.allowed", List, "", "Models that a request may name [default: any]."),
    key("model.prices", Table, "", "Prices and context windows by the beginning of the model's name: {input, output, cache_read, cache_write} in micro-dollars per million tokens, window in tokens [default: built in]."),
    key("model.timeout", Period, "600s", "How long the provider may take until its first byte."),
    key("model.retries", Integer, "6", "How often the agent tries a request again that the provider could not serve (429, 5xx, cut streams)."),
    key("model.max_request", Size, "64MiB", "Largest request that is forwarded to the provider."),

    key("limits.runs", Integer, "64", "Runs at once on this server."),
    key("limits.runs_per_tenant", Integer, "16", "Runs at once of one tenant on this server."),
    key("limits.requests_per_minute", Integer, "600", "Requests per minute and tenant."),
    key("limits.run_time", Period, "3600s", "How long a run may take."),
    key("limits.turns", Integer, "200", "Model turns of a run."),
    key("limits.run_cost_micros", Integer, "10000000", "Cost of a run in micro-dollars."),
    key("limits.tenant_cost_micros", Integer, "1000000000", "Cost of a tenant per calendar month (UTC) in micro-dollars, unless the tenant's row says otherwise."),
    key("limits.context_percent", Integer, "95", "Part of the model's window in per cent that a conversation may have filled when a run starts."),
    key("limits.prompt", Size, "20MiB", "Prompt of one request, images included."),
    key("limits.file", Size, "256MiB", "Size of one file."),
    key("limits.file_by_type", Sizes, "", "Size of one file by extension (lower case, no dot); replaces limits.file."),
    key("limits.workspace", Size, "2GiB", "Bytes of one workspace."),
    key("limits.workspace_files", Integer, "100000", "Files and folders of one workspace."),
];
