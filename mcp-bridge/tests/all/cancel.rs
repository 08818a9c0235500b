//! A client that changes its mind, or goes away.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::client::Client;
use crate::world::World;

/// Waits until nothing runs in the sandbox.
pub(crate) async fn until_quiet(world: &World, patience: Duration) {
    let start = Instant::now();
    while world.session.sandbox().usage().memory > 0 {
        assert!(
            start.elapsed() < patience,
            "{:?}",
            world.session.sandbox().usage()
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_call_ends_its_processes() {
    let world = World::new();
    let mut client = Client::connect(&world.session).await;
    let call = json!({"name": "Bash", "arguments": {"command": "sleep 60 | sleep 60"}});
    let id = client.start("tools/call", call).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(world.session.sandbox().usage().memory > 0);
    let cancel = json!({
        "jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id, "reason": "test"}
    });
    client.send(&cancel).await;
    until_quiet(&world, Duration::from_secs(1)).await;
    assert_eq!(
        client
            .say("Bash", json!({"command": "echo still here"}))
            .await,
        "still here"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_hangs_up_takes_its_calls_with_it() {
    let world = World::new();
    let mut client = Client::connect(&world.session).await;
    client
        .start(
            "tools/call",
            json!({"name": "Bash", "arguments": {"command": "sleep 60"}}),
        )
        .await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    client.hang_up().await;
    drop(client);
    until_quiet(&world, Duration::from_secs(1)).await;
}
