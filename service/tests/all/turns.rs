//! What runs do when all is well, and when they are ended on purpose.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use hardshell_service::{
    ErrorKind, ExecuteRequest, ExecutionState, IdempotencyKey, Origin, PageRequest, RunLimits,
    Scope, TenantId,
};
use serde_json::json;

use crate::harness::{Turn, World, call, say, script, wait_for};
use crate::stacks::Stack;

pub async fn a_run_stores_files_and_the_next_turn_knows_them(stack: Arc<Stack>) {
    let mut world = World::new(
        &stack,
        &[
            call("Write", json!({ "file_path": "/workspace/a/one.txt", "content": "first" })),
            say("I wrote it."),
            call("Read", json!({ "file_path": "/workspace/a/one.txt" })),
            json!({ "when": { "last_tool_result": "first" },
                    "content": [{ "type": "tool_use", "name": "Remove", "input": { "file_path": "a/one.txt" } }] }),
            say("Read and removed."),
        ],
    )
    .await;
    let first = world.turn(None, "Write a file.").await;
    let expected = [
        "session_start",
        "tool_use",
        "tool_result",
        "text",
        "usage",
        "done",
    ];
    assert_eq!(first.kinds(), expected, "{:?}", first.events);
    let start = first.of("session_start")[0];
    assert_eq!(
        (
            start["resumed"].as_bool(),
            start["tools"].as_array().unwrap().len()
        ),
        (Some(false), 4)
    );
    assert_eq!(first.of("tool_use")[0]["name"], "Write");
    assert_eq!(first.of("text")[0]["text"], "I wrote it.");
    assert_eq!(first.done()["state"], "finished");
    assert_eq!(first.done()["files"][0]["path"], "a/one.txt");
    assert!(first.done()["usage"]["cost_micros"].as_u64().unwrap() > 0);
    let conversation = &first.started.conversation;
    let files = world.files(conversation).await;
    assert_eq!(
        (files.len(), files[0].path.as_str(), files[0].origin),
        (1, "a/one.txt", Origin::Ai)
    );
    assert_eq!(files[0].digest, blake3::hash(b"first").to_hex().to_string());
    assert_eq!(
        world.stored(conversation, "a/one.txt").await.as_deref(),
        Some("first")
    );
    world.check_rest(&first).await;

    // Another process continues: nothing was in memory only.
    world.reopen().await;
    let second = world.turn(Some(conversation), "Read it back.").await;
    assert_eq!(second.done()["state"], "finished", "{:?}", second.events);
    assert_eq!(second.of("session_start")[0]["resumed"], true);
    assert_eq!(second.of("tool_result")[0]["content"][0]["text"], "first");
    assert!(world.files(conversation).await.is_empty());
    assert_eq!(world.stored(conversation, "a/one.txt").await, None);
    world.check_rest(&second).await;

    // The model was shown the first turn, our tools, and neither our key nor a path.
    let requests = world.model.messages();
    let last = requests.last().unwrap();
    let text = String::from_utf8_lossy(&last.raw_body).into_owned();
    for said in ["Write a file.", "I wrote it.", "Read it back."] {
        assert!(text.contains(said), "{said:?} is missing in {text}");
    }
    for request in &requests {
        assert_eq!(request.header("x-api-key"), Some("sk-the-real-key"));
        assert_eq!(request.header("authorization"), None);
        assert!(
            request
                .tool_names()
                .iter()
                .all(|name| name.starts_with("mcp__hardshell__"))
        );
        for secret in [
            world.config.data_dir.to_str().unwrap(),
            "hsg_",
            "hst_",
            "hsm_",
            "hsk_",
        ] {
            assert!(
                !request.contains(secret),
                "{secret} is in {:?}",
                request.body
            );
        }
    }
    let messages = world
        .service
        .messages(&world.principal, conversation, PageRequest::default())
        .await
        .unwrap();
    let roles: Vec<_> = messages
        .items
        .iter()
        .map(|message| message.role.as_str())
        .collect();
    let expected = [
        "user",
        "assistant",
        "tool",
        "assistant",
        "user",
        "assistant",
        "tool",
        "assistant",
        "tool",
        "assistant",
    ];
    assert_eq!(roles, expected);
    let audit = world
        .service
        .audit(&world.principal, None, PageRequest::default())
        .await
        .unwrap();
    let calls: Vec<_> = audit
        .items
        .iter()
        .map(|row| (row.call.tool.as_str(), row.call.outcome.as_str()))
        .collect();
    assert_eq!(calls, [("Write", "ok"), ("Read", "ok"), ("Remove", "ok")]);
    let view = world
        .service
        .conversation(&world.principal, conversation)
        .await
        .unwrap();
    assert!(
        view.context_tokens >= 100 && view.usage.requests == 5,
        "{view:?}"
    );
}

pub async fn a_client_that_leaves_misses_nothing(stack: Arc<Stack>) {
    let world = World::new(
        &stack,
        &[
            call("Sleep", json!({ "ms": 400 })),
            say("A long enough answer."),
        ],
    )
    .await;
    let started = world.start(None, "Take your time.").await.unwrap();
    let mut stream = world
        .service
        .events(&world.principal, &started.execution, 0)
        .await
        .unwrap();
    let first = stream.next().await.unwrap();
    drop(stream);
    assert_eq!(first.seq, 1);
    // The run goes on; whoever comes again gets the rest, and can have all of it twice.
    let rest = world.events(&started.execution, first.seq).await;
    assert_eq!(rest.first().unwrap().seq, 2);
    let turn = Turn {
        events: world.events(&started.execution, 0).await,
        started,
    };
    assert_eq!(turn.events[1..], rest[..]);
    assert_eq!(turn.done()["state"], "finished");
    world.check_rest(&turn).await;
    let beyond = world
        .events(&turn.started.execution, turn.events.len() as u64)
        .await;
    assert!(beyond.is_empty());
}

pub async fn without_a_workspace_nothing_is_kept(stack: Arc<Stack>) {
    let world = World::new(&stack, &[say("Nothing to keep.")]).await;
    let request = ExecuteRequest {
        workspace: false,
        ..ExecuteRequest::text("Just answer.")
    };
    let started = world
        .service
        .execute(&world.principal, request, None)
        .await
        .unwrap();
    let turn = Turn {
        events: world.events(&started.execution, 0).await,
        started,
    };
    assert_eq!(turn.done()["state"], "finished", "{:?}", turn.events);
    assert_eq!(turn.of("session_start")[0]["workspace"], false);
    world.check_rest(&turn).await;
    let scratch = world.config.data_dir.join("scratch");
    assert_eq!(std::fs::read_dir(scratch).unwrap().count(), 0);
}

pub async fn an_idempotency_key_starts_one_run(stack: Arc<Stack>) {
    let world = World::new(&stack, &[say("Once.")]).await;
    let key = || Some(IdempotencyKey::parse("the-key").unwrap());
    let request = ExecuteRequest::text("Do it once.");
    let first = world
        .service
        .execute(&world.principal, request.clone(), key())
        .await
        .unwrap();
    let again = world
        .service
        .execute(&world.principal, request, key())
        .await
        .unwrap();
    assert_eq!((&again.execution, again.repeated), (&first.execution, true));
    let other = ExecuteRequest::text("Do something else.");
    let error = world
        .service
        .execute(&world.principal, other, key())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::IdempotencyMismatch);
    let turn = Turn {
        events: world.events(&first.execution, 0).await,
        started: first,
    };
    world.check_rest(&turn).await;
    assert_eq!(world.model.messages().len(), 1);
}

pub async fn one_run_per_conversation(stack: Arc<Stack>) {
    let world = World::new(
        &stack,
        &[
            call("Sleep", json!({ "ms": 1500 })),
            say("Done."),
            say("Next."),
        ],
    )
    .await;
    let started = world.start(None, "First.").await.unwrap();
    let error = world
        .start(Some(&started.conversation), "Second.")
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConversationBusy);
    let error = world
        .put(&started.conversation, "x", "y")
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConversationBusy);
    let turn = Turn {
        events: world.events(&started.execution, 0).await,
        started,
    };
    world.check_rest(&turn).await;
    let runs = world
        .service
        .executions(&world.principal, None, PageRequest::default())
        .await
        .unwrap();
    assert_eq!(runs.items.len(), 1, "a refused run leaves no row");
    let next = world.turn(Some(&turn.started.conversation), "Third.").await;
    assert_eq!(next.done()["state"], "finished");
}

pub async fn a_cancelled_run_keeps_its_files(stack: Arc<Stack>) {
    let world = World::new(
        &stack,
        &[
            call(
                "Write",
                json!({ "file_path": "kept.txt", "content": "kept" }),
            ),
            call("Sleep", json!({ "ms": 60_000 })),
            say("Never said."),
            say("After."),
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
    let begun = std::time::Instant::now();
    world
        .service
        .cancel(&world.principal, &started.execution)
        .await
        .unwrap();
    let turn = Turn {
        events: world.events(&started.execution, 0).await,
        started,
    };
    assert!(
        begun.elapsed() < Duration::from_secs(8),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(
        (turn.done()["state"].as_str(), turn.error().0),
        (Some("cancelled"), "cancelled")
    );
    assert_eq!(
        world
            .stored(&turn.started.conversation, "kept.txt")
            .await
            .as_deref(),
        Some("kept")
    );
    world.check_rest(&turn).await;
    let next = world.turn(Some(&turn.started.conversation), "Go on.").await;
    assert_eq!(next.done()["state"], "finished", "{:?}", next.events);
}

pub async fn partial_text_is_taken_back(stack: Arc<Stack>) {
    let world = World::new(
        &stack,
        &[
            json!({ "content": [{ "type": "text", "text": "This text breaks off in the middle of its block." }],
                    "stream": { "error": { "after": 4, "type": "overloaded_error", "message": "busy" } } }),
            say("Said in full."),
        ],
    )
    .await;
    let turn = world.turn(None, "Say it.").await;
    assert_eq!(turn.done()["state"], "finished", "{:?}", turn.events);
    assert_eq!(turn.of("discard").len(), 1, "{:?}", turn.events);
    let texts: Vec<_> = turn
        .of("text")
        .iter()
        .map(|data| data["text"].as_str().unwrap())
        .collect();
    assert_eq!(texts, ["Said in full."]);
    world.check_rest(&turn).await;
}

pub async fn a_users_files_are_there(stack: Arc<Stack>) {
    let world = World::new(
        &stack,
        &[
            call("Read", json!({ "file_path": "in/put.txt" })),
            say("Read."),
        ],
    )
    .await;
    let conversation = world
        .service
        .create_conversation(&world.principal, Default::default())
        .await
        .unwrap()
        .id;
    let file = world
        .put(&conversation, "in/put.txt", "from the user")
        .await
        .unwrap();
    assert_eq!((file.origin, file.size), (Origin::User, 13));
    for path in ["../x", "/etc/passwd", "a/../b", "in/put.txt/below", "in"] {
        let error = world.put(&conversation, path, "x").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{path}");
    }
    let turn = world.turn(Some(&conversation), "Read my file.").await;
    assert_eq!(
        turn.of("tool_result")[0]["content"][0]["text"],
        "from the user",
        "{:?}",
        turn.events
    );
    assert_eq!(turn.done()["files_changed"], 0);
    assert_eq!(
        world.files(&conversation).await[0].origin,
        Origin::User,
        "reading makes it nobody else's"
    );
    world.check_rest(&turn).await;
    world
        .service
        .delete_conversation(&world.principal, &conversation)
        .await
        .unwrap();
    let gone = world
        .service
        .conversation(&world.principal, &conversation)
        .await
        .unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::NotFound);
}

pub async fn another_tenant_sees_nothing(stack: Arc<Stack>) {
    let world = World::new(
        &stack,
        &[
            call("Write", json!({ "file_path": "s.txt", "content": "s" })),
            say("x"),
        ],
    )
    .await;
    let turn = world.turn(None, "Write.").await;
    let key = world
        .service
        .create_key(&TenantId::parse("other").unwrap(), &[Scope::Admin])
        .await
        .unwrap();
    let other = world.service.authenticate(&key).await.unwrap();
    let (service, started) = (&world.service, &turn.started);
    let request = ExecuteRequest {
        conversation: Some(started.conversation.clone()),
        ..ExecuteRequest::text("Mine?")
    };
    let refused = [
        service
            .conversation(&other, &started.conversation)
            .await
            .map(drop),
        service
            .messages(&other, &started.conversation, PageRequest::default())
            .await
            .map(drop),
        service
            .execution(&other, &started.execution)
            .await
            .map(drop),
        service
            .events(&other, &started.execution, 0)
            .await
            .map(drop),
        service.cancel(&other, &started.execution).await.map(drop),
        service.files(&other, &started.conversation).await.map(drop),
        service
            .open_file(&other, &started.conversation, "s.txt")
            .await
            .map(drop),
        service
            .delete_file(&other, &started.conversation, "s.txt")
            .await,
        service
            .delete_conversation(&other, &started.conversation)
            .await,
        service.execute(&other, request, None).await.map(drop),
    ];
    for (at, outcome) in refused.into_iter().enumerate() {
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::NotFound, "{at}");
    }
    assert!(
        service
            .conversations(&other, PageRequest::default())
            .await
            .unwrap()
            .items
            .is_empty()
    );
    assert!(
        service
            .executions(&other, None, PageRequest::default())
            .await
            .unwrap()
            .items
            .is_empty()
    );
    assert_eq!(
        world
            .stored(&started.conversation, "s.txt")
            .await
            .as_deref(),
        Some("s")
    );
    // A key that may only read.
    let key = service
        .create_key(&world.principal.tenant, &[Scope::Read])
        .await
        .unwrap();
    let reader = service.authenticate(&key).await.unwrap();
    service
        .execution(&reader, &started.execution)
        .await
        .unwrap();
    let error = service
        .execute(&reader, ExecuteRequest::text("x"), None)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Forbidden);
}

async fn limited(
    stack: &Arc<Stack>,
    limits: RunLimits,
    turns: &[serde_json::Value],
) -> (World, Turn) {
    let world = World::new(stack, turns).await;
    let request = ExecuteRequest {
        limits,
        ..ExecuteRequest::text("Go.")
    };
    let started = world
        .service
        .execute(&world.principal, request, None)
        .await
        .unwrap();
    let turn = Turn {
        events: world.events(&started.execution, 0).await,
        started,
    };
    (world, turn)
}

pub async fn a_budget_ends_the_run(stack: Arc<Stack>) {
    let costly = |text: &str| {
        json!({ "content": [{ "type": "tool_use", "name": "Write", "input": { "file_path": text, "content": "x" } }],
                "usage": { "input_tokens": 100_000, "output_tokens": 10 } })
    };
    let limits = RunLimits {
        cost_micros: Some(400_000),
        ..RunLimits::default()
    };
    let (world, turn) = limited(
        &stack,
        limits,
        &[costly("1"), costly("2"), costly("3"), say("no")],
    )
    .await;
    assert_eq!(turn.error().0, "budget_exceeded", "{:?}", turn.events);
    assert_eq!(world.model.messages().len(), 2);
    assert_eq!(world.files(&turn.started.conversation).await.len(), 2);
    world.check_rest(&turn).await;
}

pub async fn time_ends_the_run(stack: Arc<Stack>) {
    let limits = RunLimits {
        run_seconds: Some(2),
        ..RunLimits::default()
    };
    let sleep = call("Sleep", json!({ "ms": 60_000 }));
    let (world, turn) = limited(&stack, limits, &[sleep, say("no")]).await;
    assert_eq!(turn.error().0, "time_limit", "{:?}", turn.events);
    world.check_rest(&turn).await;
}

pub async fn turns_end_the_run(stack: Arc<Stack>) {
    let limits = RunLimits {
        turns: Some(2),
        ..RunLimits::default()
    };
    let nap = || call("Sleep", json!({ "ms": 1 }));
    let (world, turn) = limited(&stack, limits, &[nap(), nap(), nap(), say("no")]).await;
    assert_eq!(turn.error().0, "turn_limit", "{:?}", turn.events);
    world.check_rest(&turn).await;
}

pub async fn sub_agents_have_the_same_tools(stack: Arc<Stack>) {
    let ask = json!({ "description": "part", "prompt": "SUBTASK: write", "subagent_type": "general-purpose" });
    let write = json!({ "file_path": "by-sub.txt", "content": "sub" });
    let turns = json!({ "turns": [
        { "when": { "last_user_text": "SUBTASK" },
          "content": [{ "type": "tool_use", "name": "mcp__hardshell__Write", "input": write }] },
        { "when": { "last_tool_result": "written" }, "content": [{ "type": "text", "text": "The part is done." }] },
        { "when": { "last_user_text": "Share" }, "content": [{ "type": "tool_use", "name": "Agent", "input": ask }] },
        { "content": [{ "type": "text", "text": "All done." }] },
    ]});
    let script = hardshell_scripted_model::Script::from_json(&turns.to_string()).unwrap();
    let world = World::with(&stack, script, |_| {}, None).await;
    let request = ExecuteRequest {
        subagents: true,
        ..ExecuteRequest::text("Share the work.")
    };
    let started = world
        .service
        .execute(&world.principal, request, None)
        .await
        .unwrap();
    let turn = Turn {
        events: world.events(&started.execution, 0).await,
        started,
    };
    assert_eq!(turn.done()["state"], "finished", "{:?}", turn.events);
    let by_sub: Vec<_> = turn
        .of("tool_use")
        .into_iter()
        .filter(|data| data.get("parent_tool_use_id").is_some())
        .collect();
    assert_eq!(by_sub.len(), 1, "{:?}", turn.events);
    assert_eq!(
        world
            .stored(&turn.started.conversation, "by-sub.txt")
            .await
            .as_deref(),
        Some("sub")
    );
    for request in world.model.messages() {
        for name in request.tool_names() {
            assert!(
                name == "Agent" || name.starts_with("mcp__hardshell__"),
                "{name} is offered"
            );
        }
    }
    world.check_rest(&turn).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_and_mentions_reach_the_model_as_text() {
    let stack = Stack::local();
    let world = World::with(&stack, script(&[say("a"), say("b")]), |_| {}, None).await;
    let secret = stack.config().data_dir.join("host-file");
    std::fs::write(&secret, "the content of a host file").unwrap();
    std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o666)).unwrap();
    let mention = format!("look at @{} and @/etc/hostname", secret.display());
    let first = world.turn(None, "/clear everything").await;
    assert_eq!(first.done()["state"], "finished");
    let second = world
        .turn(Some(&first.started.conversation), &mention)
        .await;
    assert_eq!(second.done()["state"], "finished");
    let requests = world.model.messages();
    assert_eq!(requests.len(), 2, "each reached the model");
    assert!(requests[0].contains("/clear everything"));
    assert!(requests[1].contains(&mention));
    assert!(!requests[1].contains("the content of a host file"));
    let hostname = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    if hostname.trim().len() > 3 {
        assert!(!requests[1].contains(hostname.trim()));
    }
    world.check_rest(&second).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn draining_ends_runs_and_refuses_new_ones() {
    let stack = Stack::local();
    let shorter = |config: &mut hardshell_service::ServiceConfig| {
        config.drain_for = Duration::from_millis(300)
    };
    let turns = [call("Sleep", json!({ "ms": 60_000 })), say("no")];
    let world = World::with(&stack, script(&turns), shorter, None).await;
    let started = world.start(None, "Go.").await.unwrap();
    let service = Arc::clone(&world.service);
    let draining = tokio::spawn(async move { service.drain().await });
    wait_for(|| draining.is_finished() || world.service.runs_alive() == 1).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let refused = world.start(None, "Another.").await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unavailable);
    let turn = Turn {
        events: world.events(&started.execution, 0).await,
        started,
    };
    assert_eq!(turn.done()["state"], json!(ExecutionState::Cancelled));
    draining.await.unwrap();
}
