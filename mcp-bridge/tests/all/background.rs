//! Commands in the background.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::client::Client;
use crate::world::World;

/// Asks until the command has ended.
async fn until_ended(client: &mut Client, id: &str) -> String {
    let start = Instant::now();
    let mut all = String::new();
    loop {
        let said = client.say("BashOutput", json!({"bash_id": id})).await;
        all.push_str(&said);
        if !said.starts_with("<status>running") {
            return all;
        }
        assert!(start.elapsed() < Duration::from_secs(20), "{all}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_runs_on_and_its_output_is_seen_once() {
    let world = World::new();
    let mut client = Client::connect(&world.session).await;
    let command =
        json!({"command": "echo one; sleep 1; echo two; exit 3", "run_in_background": true});
    let start = Instant::now();
    let said = client.say("Bash", command).await;
    assert!(start.elapsed() < Duration::from_millis(800));
    assert!(
        said.starts_with("Command running in background with ID: bash_1\n"),
        "{said}"
    );
    tokio::time::sleep(Duration::from_millis(400)).await;
    let first = client.say("BashOutput", json!({"bash_id": "bash_1"})).await;
    assert_eq!(
        first,
        "<status>running</status>\n\n<stdout>\none\n</stdout>"
    );
    let again = client.say("BashOutput", json!({"bash_id": "bash_1"})).await;
    assert_eq!(again, "<status>running</status>\n\n(no new output)");
    tokio::time::sleep(Duration::from_millis(1200)).await;
    // The next command's answer brings the news.
    let news = client.say("Bash", json!({"command": "echo x"})).await;
    assert!(
        news.starts_with("x\n\n<system-reminder>Background command bash_1 ("),
        "{news}"
    );
    assert!(news.contains("has ended: failed, exit code 3"), "{news}");
    let last = client
        .call("BashOutput", json!({"bash_id": "bash_1"}))
        .await;
    assert_eq!(
        last["content"][0]["text"],
        "<status>failed</status>\n\n<exit_code>3</exit_code>\n\n<stdout>\ntwo\n</stdout>"
    );
    assert_eq!(last["structuredContent"]["status"], "failed");
    let file = last["structuredContent"]["outputFile"].as_str().unwrap();
    assert_eq!(
        client.say("Read", json!({"file_path": file})).await,
        "     1\tone\n     2\ttwo\n"
    );
    assert_eq!(client.say("Bash", json!({"command": "echo y"})).await, "y");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_selects_lines() {
    let world = World::new();
    let mut client = Client::connect(&world.session).await;
    let command = "printf 'err 1\\nfine\\nerr'; sleep 0.7; printf ' 2\\nfine\\n'";
    client
        .say(
            "Bash",
            json!({"command": command, "run_in_background": true}),
        )
        .await;
    tokio::time::sleep(Duration::from_millis(350)).await;
    let filter = |filter: &str| json!({"bash_id": "bash_1", "filter": filter});
    let said = client.say("BashOutput", filter("^err")).await;
    assert_eq!(
        said,
        "<status>running</status>\n\n<stdout>\nerr 1\n</stdout>"
    );
    tokio::time::sleep(Duration::from_millis(700)).await;
    let said = client.say("BashOutput", filter("^err")).await;
    assert!(said.ends_with("<stdout>\nerr 2\n</stdout>"), "{said}");
    assert!(
        client
            .say("BashOutput", filter("("))
            .await
            .starts_with("ERROR Invalid filter: ")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_ends_the_command_and_its_children() {
    let world = World::new();
    let mut client = Client::connect(&world.session).await;
    let command = json!({"command": "sleep 60 | sleep 60", "run_in_background": true});
    client.say("Bash", command).await;
    let start = Instant::now();
    assert_eq!(
        client.say("KillShell", json!({"shell_id": "bash_1"})).await,
        "Successfully killed shell: bash_1 (sleep 60 | sleep 60)"
    );
    assert!(start.elapsed() < Duration::from_secs(2));
    assert!(
        until_ended(&mut client, "bash_1")
            .await
            .starts_with("<status>killed</status>")
    );
    assert_eq!(
        client.say("KillShell", json!({"shell_id": "bash_1"})).await,
        "ERROR Shell bash_1 is not running, so cannot be killed (status: killed)"
    );
    for tool in [("KillShell", "shell_id"), ("BashOutput", "bash_id")] {
        assert_eq!(
            client.say(tool.0, json!({tool.1: "bash_9"})).await,
            "ERROR No shell found with ID: bash_9"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_holds_in_the_background_too() {
    let world = World::new();
    let mut client = Client::connect(&world.session).await;
    client
        .say(
            "Bash",
            json!({"command": "sleep 60", "timeout": 300, "run_in_background": true}),
        )
        .await;
    let said = until_ended(&mut client, "bash_1").await;
    assert!(said.contains("<exit_code>137</exit_code>"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_so_many_run_at_once() {
    let world = World::new();
    let mut client = Client::connect(&world.session).await;
    let sleep = json!({"command": "sleep 30", "run_in_background": true});
    for _ in 0..16 {
        assert!(!client.say("Bash", sleep.clone()).await.starts_with("ERROR"));
    }
    let said = client.say("Bash", sleep.clone()).await;
    assert!(
        said.starts_with("ERROR Too many commands run in the background: 16 (bash_1, "),
        "{said}"
    );
    client.say("KillShell", json!({"shell_id": "bash_2"})).await;
    assert!(client.say("Bash", sleep).await.contains("bash_17"));
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_the_session_ends_them() {
    let world = World::new();
    let sandbox = world.session.sandbox().clone();
    let mut client = Client::connect(&world.session).await;
    client
        .say(
            "Bash",
            json!({"command": "sleep 60", "run_in_background": true}),
        )
        .await;
    client.hang_up().await;
    tokio::time::timeout(Duration::from_secs(5), client.server)
        .await
        .expect("the server ends")
        .unwrap();
    drop(world);
    let start = Instant::now();
    while sandbox.usage().memory > 0 {
        assert!(
            start.elapsed() < Duration::from_secs(2),
            "{:?}",
            sandbox.usage()
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
