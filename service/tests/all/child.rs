//! What the agent child can see and touch, and that it goes with its server.

use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::StreamExt;
use hardshell_service::Scope;
use serde_json::json;

use crate::harness::{World, call, say};
use crate::stacks::Stack;

/// The processes whose environment names a folder.
pub fn agents(dir: &Path) -> Vec<i32> {
    let needle = dir.to_string_lossy().into_owned();
    std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| {
            let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
            let environ = std::fs::read(entry.path().join("environ")).ok()?;
            String::from_utf8_lossy(&environ)
                .contains(&needle)
                .then_some(pid)
        })
        .collect()
}

fn read(pid: i32, what: &str) -> String {
    String::from_utf8_lossy(&std::fs::read(format!("/proc/{pid}/{what}")).unwrap_or_default())
        .replace('\0', "\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_child_has_no_secret_and_no_reach() {
    let stack = Stack::local();
    let world = World::new(
        &stack,
        &[call("Sleep", json!({ "ms": 1500 })), say("Slept.")],
    )
    .await;
    let key = world
        .service
        .create_key(&world.principal.tenant, &[Scope::Admin])
        .await
        .unwrap();
    let started = world.start(None, "Sleep.").await.unwrap();
    let mut stream = world
        .service
        .events(&world.principal, &started.execution, 0)
        .await
        .unwrap();
    while let Some(event) = stream.next().await {
        if event.kind == "tool_use" {
            break;
        }
    }
    let dir = std::fs::canonicalize(world.config.agent.run_dir.as_ref().unwrap()).unwrap();
    let pids = agents(&dir);
    assert_eq!(pids.len(), 1, "one process, and nothing that it started");
    let (environ, cmdline, status) = (
        read(pids[0], "environ"),
        read(pids[0], "cmdline"),
        read(pids[0], "status"),
    );
    for secret in [
        "sk-the-real-key",
        secrecy::ExposeSecret::expose_secret(&key),
        "hst_",
    ] {
        assert!(
            !environ.contains(secret) && !cmdline.contains(secret),
            "{secret}"
        );
    }
    assert!(!cmdline.contains("hsg_") && !cmdline.contains("hsm_"));
    let names: Vec<&str> = environ
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, _)| name)
        .collect();
    for name in std::env::vars()
        .map(|(name, _)| name)
        .filter(|name| !["PATH", "HOME", "LANG", "TMPDIR"].contains(&name.as_str()))
    {
        assert!(!names.contains(&name.as_str()), "{name} was inherited");
    }
    assert!(environ.lines().any(|line| line == "PATH=/var/empty"));
    let data = world.config.data_dir.to_string_lossy().into_owned();
    assert!(!environ.contains(&data) && !cmdline.contains(&data));
    let field = |name: &str| {
        let line = status
            .lines()
            .find(|line| line.starts_with(name))
            .unwrap_or_default();
        line.split_whitespace()
            .skip(1)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(field("NoNewPrivs:"), ["1"]);
    if rustix::process::geteuid().is_root() {
        let uid: u32 = field("Uid:")[0].parse().unwrap();
        assert!(uid >= 1_000_000_000, "it runs as {uid}");
        assert!(field("Uid:").iter().all(|id| *id == uid.to_string()));
        assert!(field("Groups:").is_empty(), "{:?}", field("Groups:"));
        assert!(field("CapEff:")[0].chars().all(|c| c == '0'));
    }
    let cwd = std::fs::read_link(format!("/proc/{}/cwd", pids[0])).unwrap();
    assert!(cwd.starts_with(&dir), "{cwd:?}");
    assert_eq!(
        std::fs::read_dir(&cwd).unwrap().count(),
        0,
        "its folder is empty"
    );
    let open: Vec<PathBuf> = std::fs::read_dir(format!("/proc/{}/fd", pids[0]))
        .unwrap()
        .filter_map(|fd| std::fs::read_link(fd.ok()?.path()).ok())
        .collect();
    assert!(
        !open
            .iter()
            .any(|path| path.starts_with(&world.config.data_dir)),
        "{open:?}"
    );
    let events = world.events(&started.execution, 0).await;
    assert_eq!(events.last().unwrap().data["state"], "finished");
}

/// The other half of the next test: a server in a process of its own, to be killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "started by the test below"]
async fn victim() {
    let Some(dir) = std::env::var_os("HARDSHELL_TEST_VICTIM") else {
        return;
    };
    let dir = PathBuf::from(dir);
    let stack = Stack::at(&dir);
    let turns = [
        call(
            "Write",
            json!({ "file_path": "saved.txt", "content": "saved" }),
        ),
        call("Sleep", json!({ "ms": 60_000 })),
    ];
    let world = World::new(&stack, &turns).await;
    let started = world.start(None, "Work.").await.unwrap();
    std::fs::write(
        dir.join("started.new"),
        serde_json::to_string(&started).unwrap(),
    )
    .unwrap();
    std::fs::rename(dir.join("started.new"), dir.join("started")).unwrap();
    let mut stream = world
        .service
        .events(&world.principal, &started.execution, 0)
        .await
        .unwrap();
    let mut seen = 0;
    while let Some(event) = stream.next().await {
        seen = event.seq;
        std::fs::write(dir.join("seen.new"), seen.to_string()).unwrap();
        std::fs::rename(dir.join("seen.new"), dir.join("seen")).unwrap();
    }
    panic!("the run ended by itself after {seen} events");
}

/// Kills a server at moments spread over a run; `CRASH_ROUNDS` of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_servers_runs_are_brought_to_their_end() {
    let rounds: u64 = std::env::var("CRASH_ROUNDS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(4);
    for round in 0..rounds {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        std::fs::set_permissions(dir, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let mut victim = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["child::victim", "--exact", "--ignored", "--nocapture"])
            .env("HARDSHELL_TEST_VICTIM", dir)
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        for _ in 0..2000 {
            if dir.join("started").exists() {
                break;
            }
            assert!(
                victim.try_wait().unwrap().is_none(),
                "the victim ended by itself"
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        // From the first steps to the middle of the tool call.
        let last = round + 1 == rounds;
        let wait = if last { 4000 } else { (round * 7919) % 1500 };
        tokio::time::sleep(Duration::from_millis(wait)).await;
        victim.kill().unwrap();
        victim.wait().unwrap();
        let agent_dir = std::fs::canonicalize(dir.join("agent")).unwrap();
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(
            agents(&agent_dir).is_empty(),
            "the agent outlived its server"
        );
        let started: serde_json::Value =
            serde_json::from_slice(&std::fs::read(dir.join("started")).unwrap()).unwrap();
        let seen: u64 = std::fs::read_to_string(dir.join("seen"))
            .ok()
            .and_then(|s| s.parse().ok())
            .unwrap_or(0);
        let stack = Stack::at(dir);
        let world = World::new(&stack, &[say("Back.")]).await;
        let execution = started["execution"].as_str().unwrap().parse().unwrap();
        let conversation = started["conversation"].as_str().unwrap().parse().unwrap();
        let rest = world.events(&execution, seen).await;
        assert_eq!(
            rest.first().map(|event| event.seq),
            Some(seen + 1),
            "round {round}: {rest:?}"
        );
        let all = world.events(&execution, 0).await;
        let kinds: Vec<_> = all.iter().map(|event| event.kind.as_str()).collect();
        assert!(
            kinds.ends_with(&["error", "done"]),
            "round {round}: {kinds:?}"
        );
        assert_eq!(all[all.len() - 2].data["code"], "interrupted");
        for (at, event) in all.iter().enumerate() {
            assert_eq!(event.seq, at as u64 + 1);
        }
        let wrote = all.iter().any(|event| event.kind == "tool_result");
        let stored = world.stored(&conversation, "saved.txt").await;
        assert!(!last || wrote, "the last round comes late enough");
        if wrote {
            assert_eq!(stored.as_deref(), Some("saved"), "round {round}");
        }
        let next = world.turn(Some(&conversation), "Again.").await;
        assert_eq!(
            next.done()["state"],
            "finished",
            "round {round}: {:?}",
            next.events
        );
        world.check_rest(&next).await;
        world.service.drain().await;
    }
}
