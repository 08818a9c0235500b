//! Servers that go away in the middle of a run, and come back.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::harness::{Turn, World, call, say, script};
use crate::stacks::Stack;

/// A proxy that can be cut.
pub struct Proxy {
    port: u16,
    cut: watch::Sender<bool>,
}

impl Proxy {
    pub async fn start(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (cut, seen) = watch::channel(false);
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let mut cut = seen.clone();
                tokio::spawn(async move {
                    if *cut.borrow() {
                        return;
                    }
                    let Ok(mut server) = TcpStream::connect(("127.0.0.1", target)).await else {
                        return;
                    };
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
                        _ = cut.wait_for(|cut| *cut) => {}
                    }
                });
            }
        });
        Self { port, cut }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn set_cut(&self, cut: bool) {
        self.cut.send_replace(cut);
    }
}

/// A world behind a proxy, and a run in the middle of a tool call.
async fn running(
    stack: &Arc<Stack>,
    which: &str,
    sleep: u64,
) -> (World, Proxy, hardshell_service::Started) {
    let proxy = Proxy::start(stack.port(which)).await;
    let port = proxy.port();
    let write = call(
        "Write",
        json!({ "file_path": "f.txt", "content": "content" }),
    );
    let turns = [
        write,
        call("Sleep", json!({ "ms": sleep })),
        say("Done."),
        say("Next."),
    ];
    let change = |config: &mut hardshell_service::ServiceConfig| {
        stack.redirect(which, port, config);
        config.sync.timeout = Duration::from_secs(4);
    };
    let world = World::with(stack, script(&turns), change, None).await;
    let started = world.start(None, "Go.").await.unwrap();
    let mut stream = world
        .service
        .events(&world.principal, &started.execution, 0)
        .await
        .unwrap();
    while let Some(event) = stream.next().await {
        if event.kind == "tool_use" && event.data["name"] == "Sleep" {
            break;
        }
    }
    (world, proxy, started)
}

pub async fn a_store_that_is_cut_off_loses_nothing(stack: Arc<Stack>) {
    let (world, proxy, started) = running(&stack, "s3", 500).await;
    proxy.set_cut(true);
    let turn = Turn {
        events: world.events(&started.execution, 0).await,
        started,
    };
    assert_eq!(turn.error().0, "sync_failed", "{:?}", turn.events);
    assert_eq!(turn.done()["stored"], false);
    assert!(
        world.files(&turn.started.conversation).await.is_empty(),
        "nothing is registered that is not stored"
    );
    assert!(!world.service.ready().await.ready);
    proxy.set_cut(false);
    for _ in 0..200 {
        if !world.files(&turn.started.conversation).await.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(
        world
            .stored(&turn.started.conversation, "f.txt")
            .await
            .as_deref(),
        Some("content")
    );
    world.check_rest(&turn).await;
    let next = world.turn(Some(&turn.started.conversation), "Next.").await;
    assert_eq!(next.done()["state"], "finished", "{:?}", next.events);
}

pub async fn a_database_that_comes_back_costs_a_pause(stack: Arc<Stack>) {
    let (world, proxy, started) = running(&stack, "postgres", 500).await;
    proxy.set_cut(true);
    tokio::time::sleep(Duration::from_secs(2)).await;
    proxy.set_cut(false);
    let mut events = world.events(&started.execution, 0).await;
    if events.last().is_none_or(|event| event.kind != "done") {
        events = world.events(&started.execution, 0).await;
    }
    let turn = Turn { events, started };
    assert_eq!(turn.done()["state"], "finished", "{:?}", turn.events);
    assert_eq!(
        world
            .stored(&turn.started.conversation, "f.txt")
            .await
            .as_deref(),
        Some("content")
    );
    world.check_rest(&turn).await;
}

pub async fn a_lease_server_that_is_gone_stops_the_run(stack: Arc<Stack>) {
    let (world, proxy, started) = running(&stack, "redis", 60_000).await;
    let cut = std::time::Instant::now();
    proxy.set_cut(true);
    crate::harness::wait_for(|| world.service.runs_alive() == 0).await;
    assert!(
        cut.elapsed() < Duration::from_secs(4),
        "{:?}: the lease time is 3 s",
        cut.elapsed()
    );
    let refused = world.start(None, "Another.").await.unwrap_err();
    assert_eq!(refused.kind(), hardshell_service::ErrorKind::Unavailable);
    proxy.set_cut(false);
    let turn = Turn {
        events: world.events(&started.execution, 0).await,
        started,
    };
    assert_eq!(turn.error().0, "interrupted", "{:?}", turn.events);
    assert_eq!(
        world
            .stored(&turn.started.conversation, "f.txt")
            .await
            .as_deref(),
        Some("content")
    );
    world.check_rest(&turn).await;
}
