//! What goes wrong: each ends with a clear event, the lease released, files kept.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use futures::StreamExt;
use hardshell_service::{ErrorKind, ExecuteRequest};
use secrecy::SecretString;
use serde_json::json;

use crate::harness::{Turn, World, call, say, script};
use crate::stacks::Stack;

pub async fn a_missing_agent_is_refused(stack: Arc<Stack>) {
    let world = World::with(
        &stack,
        script(&[]),
        |config| config.agent.cli = Some("/nowhere/claude".into()),
        None,
    )
    .await;
    let error = world.start(None, "x").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AgentUnavailable);
    assert!(
        error.public().contains("cargo xtask setup"),
        "{}",
        error.public()
    );
    let ready = world.service.ready().await;
    assert!(
        !ready.ready
            && ready
                .findings
                .iter()
                .any(|finding| finding.check == "agent")
    );
    // Too old is as good as missing.
    let old = stack.config().data_dir.join("old-agent");
    std::fs::write(&old, "#!/bin/sh\necho '1.0.9 (Claude Code)'\n").unwrap();
    std::fs::set_permissions(&old, std::fs::Permissions::from_mode(0o755)).unwrap();
    world.service.drain().await;
    drop(world);
    let world = World::with(
        &stack,
        script(&[]),
        |config| config.agent.cli = Some(old),
        None,
    )
    .await;
    let error = world.start(None, "x").await.unwrap_err();
    assert!(error.public().contains("1.0.9"), "{}", error.public());
}

/// The pid of the agent whose folders are below `dir`.
fn agent_pid(dir: &std::path::Path) -> Option<i32> {
    let needle = dir.to_string_lossy().into_owned();
    std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .find_map(|entry| {
            let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
            let cwd: PathBuf = std::fs::read_link(entry.path().join("cwd")).ok()?;
            let environ = std::fs::read(entry.path().join("environ")).ok()?;
            let ours = String::from_utf8_lossy(&environ).contains(&needle);
            (ours && cwd.starts_with(dir)).then_some(pid)
        })
}

pub async fn an_agent_that_dies_is_told(stack: Arc<Stack>) {
    let world = World::new(
        &stack,
        &[
            call(
                "Write",
                json!({ "file_path": "before.txt", "content": "kept" }),
            ),
            call("Sleep", json!({ "ms": 60_000 })),
            say("After all."),
        ],
    )
    .await;
    let started = world.start(None, "Work.").await.unwrap();
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
    let dir = std::fs::canonicalize(world.config.agent.run_dir.as_ref().unwrap()).unwrap();
    let pid = agent_pid(&dir).expect("no agent is found");
    rustix::process::kill_process(
        rustix::process::Pid::from_raw(pid).unwrap(),
        rustix::process::Signal::KILL,
    )
    .unwrap();
    let turn = Turn {
        events: world.events(&started.execution, 0).await,
        started,
    };
    assert_eq!(turn.error().0, "agent_died", "{:?}", turn.events);
    assert_eq!(
        world
            .stored(&turn.started.conversation, "before.txt")
            .await
            .as_deref(),
        Some("kept")
    );
    world.check_rest(&turn).await;
    let next = world.turn(Some(&turn.started.conversation), "Again.").await;
    assert_eq!(next.done()["state"], "finished", "{:?}", next.events);
    assert_eq!(next.of("session_start")[0]["resumed"], true);
    // However little the agent had written down, the model hears of it.
    assert!(world.model.messages().last().unwrap().contains("Work."));
}

pub async fn tools_that_cannot_be_reached_are_told(stack: Arc<Stack>) {
    let world = World::with(&stack, script(&[say("never")]), |_| {}, Some(500)).await;
    let turn = world.turn(None, "x").await;
    assert_eq!(
        turn.error(),
        ("mcp_unreachable", "The agent could not reach the tools."),
        "{:?}",
        turn.events
    );
    assert!(
        world.model.messages().is_empty(),
        "the model is not asked without tools"
    );
    world.check_rest(&turn).await;
}

pub async fn the_models_errors_are_told(stack: Arc<Stack>) {
    for (status, text, plays) in [
        (400, "bad thing", 0),
        (401, "no key", 0),
        (429, "slow down", 0),
        (529, "busy", 0),
    ] {
        let write = call("Write", json!({ "file_path": "f.txt", "content": "kept" }));
        let error = json!({ "plays": plays, "error": { "status": status, "message": text } });
        let world = World::new(&stack, &[write, error]).await;
        let turn = world.turn(None, "x").await;
        let (code, message) = turn.error();
        assert_eq!(code, "model_error", "{status}: {:?}", turn.events);
        assert!(
            message.contains(&status.to_string()) && message.contains(text),
            "{status}: {message}"
        );
        assert_eq!(
            turn.of("retry").is_empty(),
            status == 400,
            "{status}: {:?}",
            turn.events
        );
        assert_eq!(
            world
                .stored(&turn.started.conversation, "f.txt")
                .await
                .as_deref(),
            Some("kept")
        );
        world.check_rest(&turn).await;
        world.service.drain().await;
    }
}

pub async fn a_full_context_is_refused(stack: Arc<Stack>) {
    let full = json!({ "content": [{ "type": "text", "text": "full" }],
                       "usage": { "input_tokens": 195_000, "output_tokens": 10 } });
    let world = World::new(&stack, &[full]).await;
    let turn = world.turn(None, "x").await;
    assert_eq!(turn.done()["state"], "finished", "{:?}", turn.events);
    let error = world
        .start(Some(&turn.started.conversation), "more")
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ContextLimit);
    world.check_rest(&turn).await;
}

pub async fn wrong_keys_are_refused(stack: Arc<Stack>) {
    let world = World::new(&stack, &[]).await;
    for key in ["", "hsk_", "hsk_wrong", "sk-other", &"x".repeat(10_000)] {
        let error = world
            .service
            .authenticate(&SecretString::from(key))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthenticated);
    }
    let empty = ExecuteRequest {
        prompt: Vec::new(),
        ..ExecuteRequest::text("")
    };
    for request in [
        empty,
        ExecuteRequest::text("  "),
        ExecuteRequest {
            model: Some("--evil".into()),
            ..ExecuteRequest::text("x")
        },
    ] {
        let error = world
            .service
            .execute(&world.principal, request, None)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    }
    assert!(
        world.service.ready().await.ready,
        "{:?}",
        world.service.ready().await
    );
}
