//! Attacks on the file system from inside a guest. Nothing outside the mounts is read,
//! changed or seen.

use std::path::Path;

use hardshell_host::{Access, CallSpec, CommandSet, DirSource, Registry, Sandbox, Scratch};

use crate::files::{check, run};
use crate::support::{World, engine, guest, out};

const CANARY: &str = "the canary is alive";

/// A sandbox in `box/ws`, with canaries all around it on the host.
struct Cage {
    world: World,
    host: tempfile::TempDir,
}

impl Cage {
    fn new() -> Cage {
        let registry = Registry::builder(engine())
            .module(guest("fs"), &["fs"])
            .build()
            .unwrap();
        let host = tempfile::tempdir().unwrap();
        let at = |p: &str| host.path().join(p);
        std::fs::create_dir_all(at("box/ws")).unwrap();
        std::fs::create_dir_all(at("box/other")).unwrap();
        for f in ["canary", "box/canary", "box/other/canary"] {
            std::fs::write(at(f), CANARY).unwrap();
        }
        let sandbox = Sandbox::builder(&registry)
            .workspace(DirSource::Path(at("box/ws")), Access::ReadWrite)
            .scratch(Scratch::TempIn(at("box")))
            .allow_commands(CommandSet::All)
            .build()
            .unwrap();
        Cage {
            world: World::of(sandbox, tempfile::tempdir().unwrap()),
            host,
        }
    }

    fn at(&self, path: &str) -> std::path::PathBuf {
        self.host.path().join(path)
    }

    fn assert_intact(&self) {
        for f in ["canary", "box/canary", "box/other/canary"] {
            assert_eq!(std::fs::read_to_string(self.at(f)).unwrap(), CANARY, "{f}");
        }
        let count = |p: &Path| {
            let names = std::fs::read_dir(p)
                .unwrap()
                .map(|e| e.unwrap().file_name());
            names
                .filter(|n| !n.to_string_lossy().starts_with("hardshell-"))
                .count()
        };
        assert_eq!((count(self.host.path()), count(&self.at("box"))), (2, 3));
        assert_eq!(count(&self.at("box/other")), 1);
    }
}

#[test]
fn no_path_leads_out() {
    let cage = Cage::new();
    let host = cage
        .host
        .path()
        .to_str()
        .unwrap()
        .trim_start_matches('/')
        .to_owned();
    let links = [
        ("/", "root"),
        ("..", "up"),
        ("../..", "upup"),
        ("../other", "other"),
        ("/etc", "etc"),
        ("/proc/self", "proc"),
        ("/dev/fd", "fds"),
        ("/proc/self/fd/3/..", "magic"),
        (&format!("/{host}"), "host"),
    ];
    let mut steps: Vec<String> = links
        .iter()
        .map(|(t, n)| format!("symlink {t} 3 workspace/{n}"))
        .collect();
    let deep = "../".repeat(60);
    let mut paths: Vec<String> = Vec::new();
    for rest in [
        "canary",
        "box/canary",
        "other/canary",
        "etc/passwd",
        "proc/self/environ",
        "passwd",
        "environ",
    ] {
        for lead in [
            "",
            "..",
            "../..",
            "/",
            "/..",
            "workspace/..",
            "workspace/../..",
            "workspace/root",
            "workspace/up",
            "workspace/upup",
            "workspace/other",
            "workspace/etc",
            "workspace/proc",
            "workspace/magic",
            "workspace/host",
            "workspace/host/box",
            "workspace/up/up/up",
            "tmp/..",
            "tmp/../..",
            "dev/..",
            "dev/fd/3/..",
            "dev/fd/..",
            "bin/..",
            "usr/bin/../../..",
            "proc",
            "proc/self/root",
            "proc/1/root",
            "workspace/./../workspace/..",
            deep.as_str(),
            host.as_str(),
        ] {
            paths.push(format!("{lead}/{rest}"));
        }
    }
    for p in &paths {
        for step in [
            format!("open x r 3 {p}"),
            format!("open x wc 3 {p}"),
            format!("stat 3 {p}"),
            format!("rename 3 {p} 3 workspace/stolen"),
            format!("link 3 {p} 3 workspace/stolen"),
            format!("unlink 3 {p}"),
            format!("chmod /{p} 777"),
            format!("ptimes 3 1 {p} 1 1 5"),
            format!("mkdir 3 {p}/x"),
        ] {
            steps.push(step);
        }
    }
    for chunk in steps.chunks(500) {
        let found = run(
            &cage.world,
            &chunk.iter().map(String::as_str).collect::<Vec<_>>(),
        );
        for (step, result) in chunk.iter().zip(&found) {
            let own = step.starts_with("symlink");
            assert_eq!(own, !result.starts_with('E'), "{step}: {result}");
        }
    }
    cage.assert_intact();
}

#[test]
fn links_and_moves_do_not_widen_what_is_reachable() {
    let cage = Cage::new();
    check(
        &cage.world,
        &[
            ("mkdir 3 workspace/a", "ok"),
            ("mkdir 3 workspace/a/b", "ok"),
            ("open d rd 3 workspace/a/b", "ok"),
            ("open x r d ../../../canary", "E44"),
            ("open x r d ../../../../../../canary", "E44"),
            ("rename 3 workspace/a/b 3 workspace/b", "ok"),
            ("open x r d ../../canary", "E44"),
            ("open x r d ../../box/canary", "E44"),
            ("open f wc d mine", "ok"),
            ("stat 3 workspace/b/mine", "type 4 links 1 size 0"),
            ("rename d .. 3 workspace/parent", "E10"),
            ("rename 3 workspace/b 3 workspace/b/c", "E28"),
            ("symlink ../../../canary d l", "ok"),
            ("open x r d l", "E44"),
            ("open x rwc d l", "E69"),
            ("flink d l 3 workspace/hard", "E44"),
            ("link d l 3 workspace/soft", "ok"),
            ("open x r 3 workspace/soft", "E44"),
            ("readlink 3 workspace/soft", "../../../canary"),
            ("unlink d mine", "ok"),
            ("unlink d l", "ok"),
            ("rmdir 3 workspace/b", "ok"),
            // The directory is gone; the handle stays and leads nowhere.
            ("open x wc d new", "E44"),
            ("open x r d ../soft", "E44"),
            ("fstat f", "type 4 links 0 size 0"),
            ("write f still", "5"),
            ("pread f 10 0", "E8"),
        ],
    );
    cage.assert_intact();
}

#[test]
fn odd_names() {
    let cage = Cage::new();
    let long = "n".repeat(255);
    let longer = "n".repeat(256);
    let longest = "d/".repeat(3000);
    let steps: Vec<(String, &str)> = [
        ("%ff%fe", "ok"),
        ("%0a", "ok"),
        ("%20", "ok"),
        ("...", "ok"),
        ("%e2%80%ae", "ok"),
        ("c%3a%5cwindows", "ok"),
        (long.as_str(), "ok"),
        (longer.as_str(), "E37"),
        (longest.as_str(), "E37"),
        ("a%00b", "E28"),
        ("%00", "E28"),
    ]
    .into_iter()
    .map(|(name, want)| (format!("open f wc 3 workspace/{name}"), want))
    .collect();
    let table: Vec<(&str, &str)> = steps.iter().map(|(s, w)| (s.as_str(), *w)).collect();
    check(&cage.world, &table);
    cage.assert_intact();
}

#[test]
fn special_files_are_refused_without_blocking() {
    let cage = Cage::new();
    let cwd = rustix::fs::CWD;
    let mode = rustix::fs::Mode::from_raw_mode(0o666);
    let fifo = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(cwd, cage.at("box/ws/fifo"), fifo, mode, 0).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(cage.at("box/ws/sock")).unwrap();
    check(
        &cage.world,
        &[
            ("open x r 3 workspace/fifo", "E60"),
            ("open x w 3 workspace/fifo", "E60"),
            ("open x rw 3 workspace/fifo", "E60"),
            ("open x wct 3 workspace/fifo", "E60"),
            ("open x r 3 workspace/sock", "E60"),
            ("stat 3 workspace/fifo", "type 0 links 1 size 0"),
            ("unlink 3 workspace/fifo", "ok"),
        ],
    );
}

/// Two processes of one sandbox, one swapping, one reading and writing through it.
#[test]
fn races_lead_nowhere() {
    const ROUNDS: u64 = 10_000;
    let cage = Cage::new();
    check(
        &cage.world,
        &[
            ("mkdir 3 workspace/real", "ok"),
            ("open f wc 3 workspace/real/canary", "ok"),
            ("write f inside", "6"),
            ("symlink ../other 3 workspace/link", "ok"),
            ("open f wc 3 workspace/file", "ok"),
            ("write f inside", "6"),
            ("symlink ../other/canary 3 workspace/filelink", "ok"),
        ],
    );
    for (a, b, path) in [
        ("workspace/real", "workspace/link", "workspace/real/canary"),
        ("workspace/file", "workspace/filelink", "workspace/file"),
        (
            "workspace/real",
            "workspace/link",
            "workspace/link/../real/canary",
        ),
    ] {
        let swap = format!("swap {a} {b} {ROUNDS}");
        let hammer = format!("hammer {path} {ROUNDS}");
        let start = |step: &str| {
            cage.world
                .sandbox
                .start(CallSpec::new(["fs", step]))
                .unwrap()
        };
        let (swapper, reader) = (start(&swap), start(&hammer));
        let (swapped, read) = cage
            .world
            .block_on(async { (swapper.wait().await, reader.wait().await) });
        assert_eq!((swapped.status, read.status), (0, 0));
        let seen = out(&read);
        assert!(!seen.contains("canary"), "{path}: {seen}");
        assert!(
            ["", "inside", "pwned!", "inside|pwned!"].contains(&seen.trim()),
            "{seen}"
        );
        cage.assert_intact();
    }
}

/// Someone outside swaps a folder of the workspace for a link while a guest reads.
#[test]
fn races_with_the_outside_lead_nowhere() {
    let cage = Cage::new();
    std::fs::create_dir(cage.at("box/ws/real")).unwrap();
    std::fs::write(cage.at("box/ws/real/canary"), "inside").unwrap();
    std::os::unix::fs::symlink("../other", cage.at("box/ws/link")).unwrap();
    let call = cage
        .world
        .sandbox
        .start(CallSpec::new(["fs", "hammer workspace/real/canary 10000"]))
        .unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    let report = std::thread::scope(|s| {
        s.spawn(|| {
            let (a, b) = (cage.at("box/ws/real"), cage.at("box/ws/link"));
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                let flags = rustix::fs::RenameFlags::EXCHANGE;
                rustix::fs::renameat_with(rustix::fs::CWD, &a, rustix::fs::CWD, &b, flags).unwrap();
            }
        });
        let report = cage.world.block_on(call.wait());
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        report
    });
    assert_eq!(report.status, 0);
    assert!(!out(&report).contains("canary"), "{}", out(&report));
    cage.assert_intact();
}
