//! Two servers on one PostgreSQL, Redis and bucket.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use hardshell_service::{ErrorKind, ExecutionId, Started};
use serde_json::json;

use crate::harness::{Turn, World, call, say};
use crate::servers::Addresses;
use crate::stacks::Stack;

pub async fn a_stream_goes_on_at_another_server(stack: Arc<Stack>) {
    let write = call(
        "Write",
        json!({ "file_path": "shared.txt", "content": "shared" }),
    );
    let world = World::new(
        &stack,
        &[
            write,
            call("Sleep", json!({ "ms": 1500 })),
            say("Done."),
            say("Again."),
        ],
    )
    .await;
    let other = world.second().await;
    let started = world.start(None, "Go.").await.unwrap();
    let mut stream = world
        .service
        .events(&world.principal, &started.execution, 0)
        .await
        .unwrap();
    let mut seen = Vec::new();
    while let Some(event) = stream.next().await {
        seen.push(event);
        if seen.len() == 2 {
            break;
        }
    }
    drop(stream);
    let busy = other
        .start(Some(&started.conversation), "Me too.")
        .await
        .unwrap_err();
    assert_eq!(busy.kind(), ErrorKind::ConversationBusy);
    seen.extend(other.events(&started.execution, 2).await);
    let turn = Turn {
        events: seen,
        started,
    };
    turn.check_numbers();
    assert_eq!(turn.done()["state"], "finished", "{:?}", turn.events);
    assert_eq!(
        other
            .stored(&turn.started.conversation, "shared.txt")
            .await
            .as_deref(),
        Some("shared")
    );
    // Cancelled from the other side.
    let sleeper = World::with(
        &stack,
        crate::harness::script(&[call("Sleep", json!({ "ms": 60_000 })), say("no")]),
        |config| {
            config.data_dir = config.data_dir.with_file_name("third");
        },
        None,
    )
    .await;
    let started = sleeper.start(None, "Sleep.").await.unwrap();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    other
        .service
        .cancel(&other.principal, &started.execution)
        .await
        .unwrap();
    let turn = Turn {
        events: other.events(&started.execution, 0).await,
        started,
    };
    assert_eq!(turn.done()["state"], "cancelled", "{:?}", turn.events);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "started by the case below"]
async fn victim() {
    let Some(dir) = std::env::var_os("HARDSHELL_TEST_VICTIM").map(PathBuf::from) else {
        return;
    };
    let (at, name): (Addresses, String) =
        serde_json::from_str(&std::env::var("HARDSHELL_TEST_SERVERS").unwrap()).unwrap();
    let stack = Stack::of(&dir, at, &name);
    let write = call(
        "Write",
        json!({ "file_path": "there.txt", "content": "on the dead server's disk" }),
    );
    let world = World::new(&stack, &[write, call("Sleep", json!({ "ms": 60_000 }))]).await;
    let started = world.start(None, "Work.").await.unwrap();
    let mut stream = world
        .service
        .events(&world.principal, &started.execution, 0)
        .await
        .unwrap();
    while let Some(event) = stream.next().await {
        if event.kind == "tool_result" {
            tokio::time::sleep(Duration::from_millis(600)).await;
            std::fs::write(
                dir.join("started.new"),
                serde_json::to_string(&started).unwrap(),
            )
            .unwrap();
            std::fs::rename(dir.join("started.new"), dir.join("started")).unwrap();
        }
    }
}

pub async fn a_dead_servers_run_is_ended_by_the_other(stack: Arc<Stack>) {
    let world = World::new(&stack, &[say("From the other."), say("Once more.")]).await;
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    std::fs::set_permissions(dir, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut victim = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["replicas::victim", "--exact", "--ignored", "--nocapture"])
        .env("HARDSHELL_TEST_VICTIM", dir)
        .env(
            "HARDSHELL_TEST_SERVERS",
            serde_json::to_string(&stack.addresses()).unwrap(),
        )
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    for _ in 0..3000 {
        if dir.join("started").exists() {
            break;
        }
        assert!(
            victim.try_wait().unwrap().is_none(),
            "the victim ended by itself"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    victim.kill().unwrap();
    victim.wait().unwrap();
    let killed = std::time::Instant::now();
    let started: serde_json::Value =
        serde_json::from_slice(&std::fs::read(dir.join("started")).unwrap()).unwrap();
    let execution: ExecutionId = started["execution"].as_str().unwrap().parse().unwrap();
    let conversation = started["conversation"].as_str().unwrap().parse().unwrap();
    let turn = Turn {
        events: world.events(&execution, 0).await,
        started: Started {
            execution,
            conversation,
            repeated: false,
        },
    };
    turn.check_numbers();
    assert_eq!(turn.error().0, "interrupted", "{:?}", turn.events);
    assert!(
        killed.elapsed() < Duration::from_secs(8),
        "{:?}: lease time and two rounds",
        killed.elapsed()
    );
    // The dead server's disk holds a newer workspace: the other waits for it.
    let conversation = &turn.started.conversation;
    let error = world.start(Some(conversation), "Go on.").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    let (at, name) = stack.addresses();
    let back = Stack::of(dir, at, &name);
    let returned = World::new(&back, &[]).await;
    assert_eq!(
        returned.stored(conversation, "there.txt").await.as_deref(),
        Some("on the dead server's disk")
    );
    assert_eq!(world.files(conversation).await.len(), 1);
    let next = world.turn(Some(conversation), "Go on.").await;
    assert_eq!(next.done()["state"], "finished", "{:?}", next.events);
}

pub async fn a_lost_lease_stops_the_run(stack: Arc<Stack>) {
    let world = World::new(&stack, &[call("Sleep", json!({ "ms": 60_000 })), say("no")]).await;
    let started = world.start(None, "Go.").await.unwrap();
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
    stack.drop_lease(started.conversation.as_str()).await;
    // The run stops by itself, and the sweeper brings it to its end.
    let turn = Turn {
        events: world.events(&started.execution, 0).await,
        started,
    };
    turn.check_numbers();
    assert_eq!(turn.error().0, "interrupted", "{:?}", turn.events);
    world.check_rest(&turn).await;
}
