#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods
)]

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::*;
use crate::ids::ExecutionId;
use crate::lease::{Held, Leases, LocalLeases};
use crate::objects::{ByteStream, Condition, FolderObjects, Object, Put};
use crate::store::FileChange;

/// A store that counts, and fails when told to.
struct Counting {
    inner: FolderObjects,
    gets: AtomicUsize,
    puts: AtomicUsize,
    fail_after: AtomicUsize,
}

impl Counting {
    fn step(&self) -> Result<()> {
        let left = self.fail_after.load(Ordering::SeqCst);
        if left == 0 {
            return Err(crate::objects::unreachable_store("told to fail"));
        }
        self.fail_after
            .store(left.saturating_sub(1), Ordering::SeqCst);
        Ok(())
    }
}

#[async_trait]
impl Objects for Counting {
    async fn get(&self, key: &str) -> Result<Option<Object>> {
        self.gets.fetch_add(1, Ordering::SeqCst);
        self.inner.get(key).await
    }
    async fn put(&self, key: &str, bytes: Bytes, condition: Condition) -> Result<Put> {
        self.step()?;
        self.puts.fetch_add(1, Ordering::SeqCst);
        self.inner.put(key, bytes, condition).await
    }
    async fn put_stream(&self, key: &str, bytes: ByteStream, part: usize) -> Result<(String, u64)> {
        self.step()?;
        self.puts.fetch_add(1, Ordering::SeqCst);
        self.inner.put_stream(key, bytes, part).await
    }
    async fn delete(&self, keys: &[String]) -> Result<()> {
        self.inner.delete(keys).await
    }
    async fn delete_prefix(&self, prefix: &str) -> Result<()> {
        self.inner.delete_prefix(prefix).await
    }
    async fn ping(&self) -> Result<()> {
        Ok(())
    }
}

struct Bench {
    folder: tempfile::TempDir,
    counting: Arc<Counting>,
    objects: Arc<dyn Objects>,
    leases: Arc<dyn Leases>,
    homes: Homes,
    config: SyncConfig,
    limits: ServiceLimits,
    tenant: TenantId,
    conversation: ConversationId,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let counting = Arc::new(Counting {
            inner: FolderObjects::open(&folder.path().join("objects")).unwrap(),
            gets: AtomicUsize::new(0),
            puts: AtomicUsize::new(0),
            fail_after: AtomicUsize::new(usize::MAX),
        });
        Self {
            homes: Homes::open(folder.path()).unwrap(),
            objects: Arc::clone(&counting) as Arc<dyn Objects>,
            counting,
            leases: Arc::new(LocalLeases::default()),
            config: SyncConfig {
                attempts: 1,
                part_size: 1 << 20,
                ..SyncConfig::default()
            },
            limits: ServiceLimits::default(),
            tenant: TenantId::parse("t").unwrap(),
            conversation: ConversationId::parse("c").unwrap(),
            folder,
        }
    }

    fn sync(&self) -> Sync<'_> {
        Sync {
            objects: &self.objects,
            config: &self.config,
            limits: &self.limits,
            tenant: &self.tenant,
            conversation: &self.conversation,
        }
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("work/c/ws")
    }

    async fn hold(&self) -> Held {
        Held::acquire(&self.leases, "c", "r", Duration::from_secs(9), 0)
            .await
            .unwrap()
            .unwrap()
    }

    async fn hydrate(&self, held: &Held) -> Home {
        let info = HomeInfo {
            tenant: self.tenant.clone(),
            conversation: self.conversation.clone(),
            execution: ExecutionId::parse("e").unwrap(),
            fence: held.fence(),
        };
        self.sync().hydrate(&self.homes, &info).await.unwrap().0
    }

    /// One run: fetch, change, store. Returns what was stored and the puts it took.
    async fn run(&self, change: impl FnOnce(&Path)) -> (Published, usize) {
        let held = self.hold().await;
        let home = self.hydrate(&held).await;
        change(&self.root());
        let before = self.counting.puts.load(Ordering::SeqCst);
        let published = self.sync().publish(&home, &held).await.unwrap();
        home.remove().unwrap();
        held.release().await;
        (
            published,
            self.counting.puts.load(Ordering::SeqCst) - before,
        )
    }

    /// The workspace as a fresh server sees it: path, kind and mode, content.
    async fn seen(&self) -> BTreeMap<Vec<u8>, (String, Vec<u8>)> {
        let held = self.hold().await;
        let home = self.hydrate(&held).await;
        let found = dir::scan(home.workspace().unwrap(), 1_000_000).unwrap();
        let seen = found
            .into_iter()
            .map(|entry| {
                let (kind, content) = match entry.kind {
                    dir::Found::File => (
                        "file",
                        std::fs::read(self.root().join(std::ffi::OsStr::from_bytes(&entry.path)))
                            .unwrap(),
                    ),
                    dir::Found::Dir => ("dir", Vec::new()),
                    dir::Found::Link(target) => ("link", target),
                    dir::Found::Other => ("other", Vec::new()),
                };
                let mode = if kind == "link" {
                    String::new()
                } else {
                    format!(" {:o}", entry.stat.mode)
                };
                (entry.path, (format!("{kind}{mode}"), content))
            })
            .collect();
        home.remove().unwrap();
        held.release().await;
        seen
    }
}

fn mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[tokio::test]
async fn everything_comes_back_as_it_was() {
    let bench = Bench::new();
    let odd = std::ffi::OsStr::from_bytes(b"odd \xff\n%41 \xc3\xbc.txt");
    let long = "n".repeat(255);
    let (published, _) = bench
        .run(|root| {
            std::fs::create_dir_all(root.join("a/empty")).unwrap();
            std::fs::write(root.join("a/run.sh"), "#!").unwrap();
            mode(&root.join("a/run.sh"), 0o755);
            std::fs::write(root.join(odd), "odd").unwrap();
            std::fs::write(root.join(&long), "long").unwrap();
            std::fs::write(root.join("big"), vec![7_u8; 3 << 20]).unwrap();
            std::fs::write(root.join("none"), "").unwrap();
            symlink("/etc/passwd", root.join("a/link")).unwrap();
            symlink("nowhere", root.join("dangling")).unwrap();
            std::fs::write(root.join("closed"), "closed").unwrap();
            mode(&root.join("closed"), 0o000);
            mode(&root.join("a"), 0o555);
        })
        .await;
    assert!(published.unpublished.is_empty(), "{published:?}");
    let seen = bench.seen().await;
    let of = |path: &[u8]| {
        seen.get(path)
            .cloned()
            .unwrap_or_else(|| unreachable!("{path:?} in {seen:?}"))
    };
    assert_eq!(of(b"a").0, "dir 555");
    assert_eq!(of(b"a/empty").0, "dir 755");
    assert_eq!(of(b"a/run.sh"), ("file 755".into(), b"#!".to_vec()));
    assert_eq!(of(odd.as_bytes()).1, b"odd");
    assert_eq!(of(long.as_bytes()).1, b"long");
    assert_eq!(of(b"big").1.len(), 3 << 20);
    assert_eq!(of(b"none").1, b"");
    assert_eq!(of(b"a/link"), ("link".into(), b"/etc/passwd".to_vec()));
    assert_eq!(of(b"dangling").1, b"nowhere");
    assert_eq!(of(b"closed"), ("file 0".into(), b"closed".to_vec()));
    assert_eq!(seen.len(), 10);
}

#[tokio::test]
async fn only_what_changed_is_sent() {
    let bench = Bench::new();
    let (_, puts) = bench
        .run(|root| {
            for at in 0..50 {
                std::fs::write(root.join(format!("f{at}")), format!("{at}")).unwrap();
            }
        })
        .await;
    assert_eq!(puts, 51);
    assert_eq!(bench.run(|_| {}).await.1, 0, "nothing changed");
    let (published, puts) = bench
        .run(|root| std::fs::write(root.join("f7"), "changed").unwrap())
        .await;
    assert_eq!(
        (puts, published.changes.len()),
        (2, 1),
        "the file and the manifest"
    );
    let (published, puts) = bench
        .run(|root| std::fs::write(root.join("f8"), "8").unwrap())
        .await;
    assert_eq!(
        (puts, published.changes.len()),
        (1, 0),
        "written again with the same content: only its time"
    );
    // Same size, same time: the change is noticed all the same.
    let (published, _) = bench
        .run(|root| {
            let path = root.join("f9");
            let time = std::fs::metadata(&path).unwrap().modified().unwrap();
            std::fs::write(&path, "X").unwrap();
            std::fs::File::options()
                .write(true)
                .open(&path)
                .unwrap()
                .set_modified(time)
                .unwrap();
        })
        .await;
    assert_eq!(published.changes.len(), 1);
    let (published, puts) = bench
        .run(|root| {
            for at in 0..10 {
                std::fs::remove_file(root.join(format!("f{at}"))).unwrap();
            }
        })
        .await;
    assert_eq!((puts, published.changes.len()), (1, 10));
    assert!(matches!(published.changes[0], FileChange::Removed { .. }));
    assert_eq!(bench.seen().await.len(), 40);
    assert!(
        bench
            .objects
            .get("workspaces/t/c/f1")
            .await
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn files_become_folders_and_back() {
    let bench = Bench::new();
    bench
        .run(|root| std::fs::write(root.join("x"), "file").unwrap())
        .await;
    bench
        .run(|root| {
            std::fs::remove_file(root.join("x")).unwrap();
            std::fs::create_dir(root.join("x")).unwrap();
            std::fs::write(root.join("x/y"), "inner").unwrap();
        })
        .await;
    assert_eq!(bench.seen().await[&b"x/y"[..]].1, b"inner");
    bench
        .run(|root| {
            std::fs::remove_dir_all(root.join("x")).unwrap();
            std::fs::write(root.join("x"), "file again").unwrap();
        })
        .await;
    assert_eq!(bench.seen().await[&b"x"[..]].1, b"file again");
    bench
        .run(|root| {
            std::fs::remove_file(root.join("x")).unwrap();
            symlink("/", root.join("x")).unwrap();
        })
        .await;
    assert_eq!(bench.seen().await[&b"x"[..]].0, "link");
}

#[tokio::test]
async fn a_publish_cut_off_anywhere_is_done_again() {
    for fail_after in 0..6 {
        let bench = Bench::new();
        bench
            .run(|root| std::fs::write(root.join("old"), "old").unwrap())
            .await;
        let held = bench.hold().await;
        let home = bench.hydrate(&held).await;
        for at in 0..4 {
            std::fs::write(bench.root().join(format!("new{at}")), "new").unwrap();
        }
        std::fs::remove_file(bench.root().join("old")).unwrap();
        bench
            .counting
            .fail_after
            .store(fail_after, Ordering::SeqCst);
        let first = bench.sync().publish(&home, &held).await;
        assert_eq!(
            first.is_ok(),
            fail_after == 5,
            "four files and the manifest"
        );
        held.release().await;
        bench
            .counting
            .fail_after
            .store(usize::MAX, Ordering::SeqCst);
        // The next holder finds the home and publishes it first.
        let held = bench.hold().await;
        let home = bench.homes.find(&bench.conversation).unwrap().unwrap();
        let info = home.info().unwrap().unwrap();
        assert!(home.is_complete() && !bench.sync().moved_on(&info).await.unwrap());
        home.adopt(info, held.fence()).unwrap();
        bench.sync().publish(&home, &held).await.unwrap();
        home.remove().unwrap();
        held.release().await;
        let names: Vec<_> = bench.seen().await.into_keys().collect();
        assert_eq!(
            names,
            [
                b"new0".to_vec(),
                b"new1".to_vec(),
                b"new2".to_vec(),
                b"new3".to_vec()
            ]
        );
    }
}

#[tokio::test]
async fn an_older_holder_cannot_write_over_a_newer_one() {
    let bench = Bench::new();
    let old = bench.hold().await;
    let home = bench.hydrate(&old).await;
    std::fs::write(bench.root().join("f"), "old holder").unwrap();
    // Its lease lapses unseen, and another runs in the meantime, on another disk.
    bench.leases.release("c", "nobody").await.unwrap();
    let other = Homes::open(&bench.folder.path().join("other")).unwrap();
    let info = HomeInfo {
        tenant: bench.tenant.clone(),
        conversation: bench.conversation.clone(),
        execution: ExecutionId::parse("e2").unwrap(),
        fence: old.fence() + 1,
    };
    let (newer, _) = bench.sync().hydrate(&other, &info).await.unwrap();
    std::fs::write(bench.folder.path().join("other/work/c/ws/f"), "new holder").unwrap();
    let leases: Arc<dyn Leases> = Arc::new(LocalLeases::default());
    let held = Held::acquire(&leases, "c", "r2", Duration::from_secs(9), old.fence())
        .await
        .unwrap()
        .unwrap();
    bench.sync().publish(&newer, &held).await.unwrap();
    let error = bench.sync().publish(&home, &old).await.unwrap_err();
    assert_eq!(error.kind(), crate::ErrorKind::LeaseLost);
    let info = home.info().unwrap().unwrap();
    assert!(bench.sync().moved_on(&info).await.unwrap());
    let name = home.strand().unwrap();
    assert!(
        bench
            .folder
            .path()
            .join("stranded")
            .join(name)
            .join("ws/f")
            .exists()
    );
}

#[tokio::test]
async fn limits_hold_and_are_told() {
    let mut bench = Bench::new();
    bench.limits.file_by_type.insert("png".into(), 3);
    let (published, _) = bench
        .run(|root| {
            std::fs::write(root.join("a.PNG"), "1234").unwrap();
            std::fs::write(root.join("b.txt"), "1234").unwrap();
            let deep = root
                .join("d".repeat(250))
                .join("e".repeat(250))
                .join("f".repeat(250));
            std::fs::create_dir_all(&deep).unwrap();
            std::fs::write(deep.join("g".repeat(100)), "too deep").unwrap();
            rustix::fs::mknodat(
                rustix::fs::CWD,
                root.join("pipe"),
                rustix::fs::FileType::Fifo,
                rustix::fs::Mode::from_raw_mode(0o600),
                0,
            )
            .unwrap();
        })
        .await;
    let mut refused: Vec<_> = published
        .unpublished
        .iter()
        .map(|u| u.path.chars().take(5).collect::<String>())
        .collect();
    refused.sort();
    assert_eq!(refused, ["a.PNG", "ddddd", "pipe"]);
    let seen = bench.seen().await;
    assert!(seen.contains_key(&b"b.txt"[..]) && !seen.contains_key(&b"a.PNG"[..]));
}

#[tokio::test]
async fn a_half_fetched_home_is_never_published() {
    let bench = Bench::new();
    bench
        .run(|root| std::fs::write(root.join("f"), "f").unwrap())
        .await;
    let held = bench.hold().await;
    let home = bench.hydrate(&held).await;
    std::fs::remove_file(bench.folder.path().join("work/c/index.json")).unwrap();
    std::fs::remove_file(bench.root().join("f")).unwrap();
    assert!(!home.is_complete());
    assert!(bench.sync().publish(&home, &held).await.is_err());
    home.remove().unwrap();
    held.release().await;
    assert_eq!(bench.seen().await.len(), 1);
}
