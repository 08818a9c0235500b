//! Bash as a model calls it.

use std::time::{Duration, Instant};

use hardshell_host::Limits;
use hardshell_mcp::SessionOptions;
use serde_json::json;

use crate::client::{Client, text};
use crate::world::{World, limits};

#[tokio::test(flavor = "multi_thread")]
async fn commands_and_their_answers() {
    let world = World::new();
    let mut client = Client::connect(&world.session).await;
    for (command, expected) in [
        ("echo hi", "hi"),
        ("true", "(Bash completed with no output)"),
        ("false", "ERROR Exit code 1"),
        ("echo out; echo err >&2; echo out", "out\nerr\nout"),
        ("echo gone; exit 3", "ERROR Exit code 3\ngone"),
        ("printf 'b\\na\\n' | sort", "a\nb"),
        ("mkdir -p sub && cd sub", "(Bash completed with no output)"),
        ("pwd; X=1", "/workspace/sub"),
        ("echo \"[$X]\"; cd ..", "[]"),
        ("printf 'no newline'", "no newline"),
    ] {
        assert_eq!(
            client.say("Bash", json!({"command": command})).await,
            expected,
            "{command}"
        );
    }
    let missing = client
        .say("Bash", json!({"command": "no-such-command"}))
        .await;
    assert!(
        missing.starts_with("ERROR Exit code 127\n") && missing.contains("no-such-command"),
        "{missing}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_report_travels_in_meta() {
    let world = World::new();
    let mut client = Client::connect(&world.session).await;
    let result = client
        .call("Bash", json!({"command": "echo x > new.txt; exit 2"}))
        .await;
    let report = &result["_meta"]["hardshell/report"];
    assert_eq!(report["exitCode"], 2, "{report}");
    assert_eq!(
        report["termination"],
        json!({"kind": "exited", "detail": 2})
    );
    assert_eq!(
        report["changedFiles"],
        json!([{"kind": "created", "path": "new.txt", "type": "file"}])
    );
    for figure in [
        "wallTimeMs",
        "cpuTimeMs",
        "peakMemoryBytes",
        "outputBytes",
        "processes",
    ] {
        assert!(report[figure].is_number(), "{figure}: {report}");
    }
    assert!(report["peakMemoryBytes"].as_u64().unwrap() > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timeout_ends_the_command_and_says_so() {
    let world = World::new();
    let mut client = Client::connect(&world.session).await;
    let start = Instant::now();
    let result = client
        .call(
            "Bash",
            json!({"command": "echo before; sleep 30", "timeout": 300}),
        )
        .await;
    assert!(start.elapsed() < Duration::from_secs(5));
    assert_eq!(result["isError"], true);
    let said = text(&result);
    assert!(said.starts_with("Exit code 137\nbefore\n\n"), "{said}");
    assert!(
        said.contains(
            "hardshell: time limit: the call ran longer than 0.300 s (limit wall, used 0.3"
        ),
        "{said}"
    );
    assert_eq!(
        result["_meta"]["hardshell/report"]["termination"]["kind"],
        "deadline"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_output_is_cut_and_kept() {
    let world = World::new();
    let mut client = Client::connect(&world.session).await;
    for command in ["seq 1 20000", "seq 1 400000"] {
        let last = command.rsplit(' ').next().unwrap();
        let result = client.call("Bash", json!({"command": command})).await;
        let said = text(&result);
        assert!(
            said.starts_with("1\n2\n3\n") && said.ends_with(&format!("\n{last}")),
            "{said}"
        );
        assert!(
            (30_000..31_000).contains(&said.chars().count()),
            "{}",
            said.len()
        );
        let file = result["_meta"]["hardshell/outputFile"]
            .as_str()
            .unwrap()
            .to_owned();
        assert!(said.contains(&file), "{said}");
        let read = client
            .say(
                "Read",
                json!({"file_path": file, "offset": 10_000, "limit": 2}),
            )
            .await;
        assert_eq!(read, " 10000\t10000\n 10001\t10001\n");
        let count = client
            .say("Bash", json!({"command": format!("wc -l < {file}")}))
            .await;
        assert_eq!(count.trim(), last);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_kept_is_said_to_be_lost() {
    let limits = Limits {
        scratch_bytes: 4096,
        ..limits()
    };
    let world = World::with(SessionOptions::default(), limits);
    let mut client = Client::connect(&world.session).await;
    let said = client.say("Bash", json!({"command": "seq 1 50000"})).await;
    assert!(said.contains("could not be kept"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endless_output_meets_its_limit() {
    let limits = Limits {
        output_bytes: 1 << 20,
        ..limits()
    };
    let world = World::with(SessionOptions::default(), limits);
    let mut client = Client::connect(&world.session).await;
    let start = Instant::now();
    let result = client.call("Bash", json!({"command": "yes"})).await;
    assert!(start.elapsed() < Duration::from_secs(20));
    assert_eq!(
        result["_meta"]["hardshell/report"]["termination"]["kind"], "output",
        "{result}"
    );
    assert!(text(&result).contains("output"), "{}", text(&result));
    assert!(text(&result).len() < 40_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_working_directory_holds_nobody() {
    let world = World::new();
    let mut client = Client::connect(&world.session).await;
    client
        .say("Bash", json!({"command": "mkdir d && cd d"}))
        .await;
    std::fs::remove_dir(world.dir.path().join("d")).unwrap();
    let said = client
        .say("Bash", json!({"command": "cd /workspace && pwd"}))
        .await;
    assert!(said.starts_with("/workspace"), "{said}");
    assert_eq!(
        client.say("Bash", json!({"command": "pwd"})).await,
        "/workspace"
    );
    assert_eq!(
        client.say("Glob", json!({"pattern": "*"})).await,
        "No files found"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_is_reported_while_a_command_runs() {
    let world = World::new();
    let mut client = Client::connect(&world.session).await;
    let call = json!({
        "name": "Bash", "arguments": {"command": "echo working; sleep 2.5; echo done"},
        "_meta": {"progressToken": "p1"}
    });
    let answer = client.request("tools/call", call).await;
    assert_eq!(text(&answer["result"]), "working\ndone");
    let progress: Vec<&serde_json::Value> = client
        .notifications
        .iter()
        .filter(|note| note["method"] == "notifications/progress")
        .collect();
    assert!(progress.len() >= 2, "{:?}", client.notifications);
    assert_eq!(progress[0]["params"]["progressToken"], "p1");
    assert_eq!(progress[0]["params"]["message"], "running for 1 s\nworking");
    assert!(
        progress[0]["params"]["progress"].as_f64() < progress[1]["params"]["progress"].as_f64()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_run_side_by_side() {
    let world = World::new();
    let mut client = Client::connect(&world.session).await;
    let start = Instant::now();
    let mut ids = Vec::new();
    for n in 0..8 {
        let call = json!({"name": "Bash", "arguments": {"command": format!("sleep 1; echo {n}")}});
        ids.push(client.start("tools/call", call).await);
    }
    let mut answers = std::collections::BTreeMap::new();
    while answers.len() < ids.len() {
        let message = client.receive().await.unwrap();
        answers.insert(
            message["id"].as_i64().unwrap(),
            text(&message["result"]).to_owned(),
        );
    }
    assert!(
        start.elapsed() < Duration::from_secs(4),
        "{:?}",
        start.elapsed()
    );
    for (n, id) in ids.iter().enumerate() {
        assert_eq!(answers[id], n.to_string());
    }
}
