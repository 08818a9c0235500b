//! Figures of the sync on a real S3 server. Not a test: it prints. Run it with
//! `HARDSHELL_TEST_S3=http://127.0.0.1:PORT cargo test -p hardshell-service figures -- --ignored --nocapture`.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::print_stdout)]

use std::time::{Duration, Instant};

use super::*;
use crate::config::S3Config;
use crate::ids::ExecutionId;
use crate::lease::{Held, Leases, LocalLeases};
use crate::objects::S3Objects;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "prints figures; needs a server"]
async fn figures() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let Ok(endpoint) = std::env::var("HARDSHELL_TEST_S3") else {
        return;
    };
    let s3 = S3Config {
        bucket: "test".into(),
        region: "us-east-1".into(),
        endpoint: Some(endpoint),
        access_key_id: Some("key".into()),
        secret_access_key: Some("secret".to_owned().into()),
        session_token: None,
        prefix: Some(uuid::Uuid::new_v4().simple().to_string()),
        allow_http: true,
    };
    let objects: Arc<dyn Objects> = Arc::new(S3Objects::open(&s3).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let (config, limits) = (
        SyncConfig::default(),
        ServiceLimits {
            file: 2 << 30,
            ..ServiceLimits::default()
        },
    );
    let (tenant, conversation) = (
        TenantId::parse("t").unwrap(),
        ConversationId::parse("c").unwrap(),
    );
    let sync = Sync {
        objects: &objects,
        config: &config,
        limits: &limits,
        tenant: &tenant,
        conversation: &conversation,
    };
    let leases: Arc<dyn Leases> = Arc::new(LocalLeases::default());
    let held = Held::acquire(&leases, "c", "r", Duration::from_secs(60), 0)
        .await
        .unwrap()
        .unwrap();
    let info = |execution: &str| HomeInfo {
        tenant: tenant.clone(),
        conversation: conversation.clone(),
        execution: ExecutionId::parse(execution).unwrap(),
        fence: held.fence(),
    };
    let homes = Homes::open(folder.path()).unwrap();
    let root = folder.path().join("work/c/ws");
    let (home, _) = sync.hydrate(&homes, &info("e1")).await.unwrap();
    for at in 0..10_000_u32 {
        let dir = root.join(format!("d{}", at % 100));
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(
            dir.join(format!("f{at}")),
            [&at.to_le_bytes()[..], &[7; 4092]].concat(),
        )
        .unwrap();
    }
    let report = |what: &str, since: Instant, puts: u64| {
        println!("{what}: {} ms, {puts} puts", since.elapsed().as_millis());
    };
    let since = Instant::now();
    let done = sync.publish(&home, &held).await.unwrap();
    report("10,000 files of 4 kB up", since, done.puts);
    let since = Instant::now();
    let done = sync.publish(&home, &held).await.unwrap();
    report("nothing changed, by scan", since, done.puts);
    std::fs::write(root.join("d1/f1"), "changed").unwrap();
    let since = Instant::now();
    let done = sync.publish(&home, &held).await.unwrap();
    report("one file changed, by scan", since, done.puts);
    home.remove().unwrap();
    let since = Instant::now();
    let (home, _) = sync.hydrate(&homes, &info("e2")).await.unwrap();
    report("10,000 files of 4 kB down", since, 0);
    std::fs::write(root.join("big"), vec![7_u8; 1 << 30]).unwrap();
    let since = Instant::now();
    let done = sync.publish(&home, &held).await.unwrap();
    report("1 GiB up, hashed first", since, done.puts);
    home.remove().unwrap();
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    println!(
        "{}",
        status
            .lines()
            .find(|line| line.starts_with("VmHWM"))
            .unwrap_or_default()
    );
}
