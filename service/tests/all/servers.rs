//! PostgreSQL, Redis and an S3 server, private to one test process and gone with it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use sqlx::Executor;
use sqlx::any::AnyPoolOptions;

const POSTGRES: &str = "/usr/lib/postgresql/15/bin";
const BUCKET: &str = "test";

/// Ports on loopback.
#[derive(Clone, Copy, serde::Serialize, serde::Deserialize)]
pub struct Addresses {
    postgres: u16,
    redis: u16,
    s3: u16,
    filer: u16,
}

impl Addresses {
    pub fn of(&self, which: &str) -> u16 {
        match which {
            "postgres" => self.postgres,
            "redis" => self.redis,
            _ => self.s3,
        }
    }
}

pub struct Servers {
    _folder: Option<tempfile::TempDir>,
    at: Addresses,
    children: Vec<Child>,
}

pub fn free_name() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    format!("t{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

fn free_port(also: u16) -> u16 {
    loop {
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        // The S3 server takes a second port, a fixed distance above.
        if port < 50_000
            && (also == 0 || std::net::TcpListener::bind(("127.0.0.1", port + also)).is_ok())
        {
            return port;
        }
    }
}

fn need(path: &Path) -> &Path {
    assert!(
        path.exists(),
        "{} is missing: run `cargo xtask setup`",
        path.display()
    );
    path
}

fn weed() -> PathBuf {
    if let Some(path) = std::env::var_os("HARDSHELL_WEED") {
        return PathBuf::from(path);
    }
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../.local/venv/bin/weed")
}

/// A command that dies with us, as another user when we are root and it must not be.
fn command(program: &Path, user: Option<&str>) -> Command {
    let mut command = Command::new(need(Path::new("/usr/bin/setpriv")));
    command.arg("--pdeathsig=KILL");
    if let Some(user) = user.filter(|_| rustix_is_root()) {
        command.args([
            format!("--reuid={user}"),
            format!("--regid={user}"),
            "--init-groups".into(),
        ]);
    }
    command
        .arg("--")
        .arg(need(program))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

fn rustix_is_root() -> bool {
    rustix::process::geteuid().is_root()
}

async fn wait_for_port(port: u16, what: &str) {
    for _ in 0..600 {
        if tokio::net::TcpStream::connect(("127.0.0.1", port))
            .await
            .is_ok()
        {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{what} did not start");
}

impl Servers {
    pub async fn start() -> Arc<Self> {
        // Children die with the thread that started them: this one waits for the test.
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_owned();
        open_to_all(&path);
        let (postgres, redis, s3, filer) = (
            free_port(0),
            free_port(0),
            free_port(10_000),
            free_port(10_000),
        );
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            sender
                .send(start_all(&path, postgres, redis, s3, filer))
                .unwrap();
            loop {
                std::thread::park();
            }
        });
        let children = tokio::task::spawn_blocking(move || receiver.recv().unwrap())
            .await
            .unwrap();
        wait_for_port(postgres, "PostgreSQL").await;
        wait_for_port(redis, "Redis").await;
        wait_for_port(s3, "the S3 server").await;
        wait_for_port(filer, "the S3 server's filer").await;
        let servers = Arc::new(Self {
            _folder: Some(folder),
            at: Addresses {
                postgres,
                redis,
                s3,
                filer,
            },
            children,
        });
        servers.wait_for_bucket().await;
        servers
    }

    /// Servers that another process has started.
    pub fn of(at: Addresses) -> Self {
        Self {
            _folder: None,
            at,
            children: Vec::new(),
        }
    }

    pub fn addresses(&self) -> Addresses {
        self.at
    }

    /// Forgets a lease, as Redis does when it loses its memory.
    pub async fn drop_lease(&self, prefix: &str, conversation: &str) {
        let client = redis::Client::open(self.redis_url()).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let key = format!("{prefix}:lease:{{{conversation}}}");
        let gone: i64 = redis::cmd("DEL")
            .arg(key)
            .query_async(&mut connection)
            .await
            .unwrap();
        assert_eq!(gone, 1);
    }

    async fn wait_for_bucket(&self) {
        use object_store::ObjectStoreExt;
        let _ = rustls::crypto::ring::default_provider().install_default();
        // Buckets are folders of the filer below it.
        let store = object_store::aws::AmazonS3Builder::new()
            .with_bucket_name(BUCKET)
            .with_endpoint(self.s3_url())
            .with_access_key_id("key")
            .with_secret_access_key("secret")
            .with_region("us-east-1")
            .with_allow_http(true)
            .build()
            .unwrap();
        let client = reqwest::Client::new();
        for _ in 0..300 {
            let _ = client
                .post(format!(
                    "http://127.0.0.1:{}/buckets/{BUCKET}/",
                    self.at.filer
                ))
                .send()
                .await;
            if store.put(&"ready".into(), "x".into()).await.is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the S3 server takes no objects");
    }

    pub async fn create_database(&self, name: &str) {
        sqlx::any::install_default_drivers();
        let pool = AnyPoolOptions::new()
            .max_connections(1)
            .connect(&self.database_url("postgres"))
            .await
            .unwrap();
        pool.execute(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}")))
            .await
            .unwrap();
        pool.close().await;
    }

    pub fn database_url(&self, name: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{name}", self.at.postgres)
    }

    pub fn redis_url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.at.redis)
    }

    pub fn s3_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.at.s3)
    }

    pub fn bucket(&self) -> &str {
        BUCKET
    }
}

fn open_to_all(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).unwrap();
}

fn start_all(path: &Path, postgres: u16, redis: u16, s3: u16, filer: u16) -> Vec<Child> {
    let bin = Path::new(POSTGRES);
    let (data, redis_dir, s3_dir) = (path.join("pg"), path.join("redis"), path.join("s3"));
    for dir in [&redis_dir, &s3_dir] {
        std::fs::create_dir(dir).unwrap();
    }
    let made = command(&bin.join("initdb"), Some("postgres"))
        .args(["-U", "postgres", "-A", "trust", "--no-sync", "-D"])
        .arg(&data)
        .current_dir(path)
        .status()
        .unwrap();
    assert!(made.success(), "initdb failed: run `cargo xtask setup`");
    let pg = command(&bin.join("postgres"), Some("postgres"))
        .arg("-D")
        .arg(&data)
        .args([
            "-c",
            "listen_addresses=127.0.0.1",
            "-c",
            "fsync=off",
            "-c",
            "max_connections=200",
        ])
        .args([
            "-c",
            &format!("port={postgres}"),
            "-c",
            &format!("unix_socket_directories={}", path.display()),
        ])
        .current_dir(path)
        .spawn()
        .unwrap();
    let redis = command(Path::new("/usr/bin/redis-server"), None)
        .args([
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
            "--port",
            &redis.to_string(),
            "--dir",
        ])
        .arg(&redis_dir)
        .spawn()
        .unwrap();
    let config = s3_dir.join("s3.json");
    let identities = r#"{"identities":[{"name":"t","credentials":[{"accessKey":"key","secretKey":"secret"}],"actions":["Admin","Read","Write","List","Tagging"]}]}"#;
    std::fs::write(&config, identities).unwrap();
    let (master, volume) = (free_port(10_000), free_port(10_000));
    let weed = command(&weed(), None)
        .args([
            "server",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            "-s3",
            "-filer",
            "-master.telemetry=false",
        ])
        .args(["-volume.max=0", "-master.volumeSizeLimitMB=64"])
        .arg(format!("-master.port={master}"))
        .arg(format!("-volume.port={volume}"))
        .arg(format!("-filer.port={filer}"))
        .arg(format!("-s3.port={s3}"))
        .arg(format!("-s3.config={}", config.display()))
        .arg(format!("-dir={}", s3_dir.display()))
        .current_dir(&s3_dir)
        .spawn()
        .unwrap();
    vec![pg, redis, weed]
}

impl Drop for Servers {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
