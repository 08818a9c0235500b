//! What goes wrong, and how it is told: a clear error or event, the lease released, files kept.

use hardshell_tests::server::{Options, Server, find};
use hardshell_tests::sse::Event;
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

fn hello() -> Value {
    json!({"turns": [{"plays": 0, "content": [{"type": "text", "text": "Hello."}]}]})
}

/// The error event of a run that failed, and that nothing follows but `done`.
fn failure(events: &[Event]) -> String {
    let error = events.iter().find(|event| event.name == "error");
    let error = error.unwrap_or_else(|| panic!("no error event in {events:#?}"));
    let code = error.data["code"]
        .as_str()
        .unwrap_or_else(|| panic!("no code in {error:?}"));
    assert!(
        error.data["message"]
            .as_str()
            .is_some_and(|text| !text.is_empty()),
        "{error:?}"
    );
    code.to_owned()
}

#[test]
fn requests_that_are_refused() {
    let server = Server::start(&hello());
    let stranger = server.other_tenant();
    let events = server.execute(&Server::prompt("Hi."));
    let mine = find(&events, "conversation").unwrap().to_owned();
    let wrong_key = server.anonymous.key("hs_nonesuch");

    let execute = |body: Value| ("POST", "/execute".to_owned(), body.to_string());
    let read = |path: &str| ("GET", path.to_owned(), String::new());
    let huge = "x".repeat(33 << 20);
    for (what, client, (method, path, body), status) in [
        (
            "no key",
            &server.anonymous,
            execute(Server::prompt("x")),
            401,
        ),
        ("wrong key", &wrong_key, execute(Server::prompt("x")), 401),
        (
            "unknown conversation",
            &server.client,
            execute(Server::prompt_in("nonesuch", "x")),
            404,
        ),
        (
            "a conversation that is no id",
            &server.client,
            execute(Server::prompt_in("../../etc", "x")),
            400,
        ),
        (
            "someone else's conversation",
            &stranger,
            execute(Server::prompt_in(&mine, "x")),
            404,
        ),
        (
            "reading someone else's files",
            &stranger,
            read(&format!("/conversations/{mine}/files")),
            404,
        ),
        (
            "reading someone else's conversation",
            &stranger,
            read(&format!("/conversations/{mine}")),
            404,
        ),
        (
            "malformed JSON",
            &server.client,
            ("POST", "/execute".to_owned(), "{\"prompt\": ".to_owned()),
            400,
        ),
        (
            "an unknown field",
            &server.client,
            execute(json!({"prompt": [], "modell": "x"})),
            400,
        ),
        (
            "an empty prompt",
            &server.client,
            execute(json!({"prompt": []})),
            400,
        ),
        (
            "a body too large",
            &server.client,
            execute(Server::prompt(&huge)),
            413,
        ),
        ("no such path", &server.client, read("/nonesuch"), 404),
        (
            "a file outside",
            &server.client,
            read(&format!(
                "/conversations/{mine}/files/..%2F..%2Fetc%2Fpasswd"
            )),
            400,
        ),
        (
            "the wrong method",
            &server.client,
            ("DELETE", "/execute".to_owned(), String::new()),
            405,
        ),
    ] {
        let client = client.with("content-type", "application/json");
        let response = match client.send(method, &path, body.as_bytes()) {
            Ok(response) => response,
            Err(error) => panic!("{what}: {error}"),
        };
        let got = response.status;
        let text = response.text();
        // A path that is refused may be told as not found.
        assert!(
            got == status || (status == 400 && (got == 404 || got == 422)),
            "{what}: {got} {text}"
        );
        assert!(
            !text.contains("panicked") && !text.contains("/src/"),
            "{what}: {text}"
        );
    }
    // And the server still works.
    assert_eq!(
        server
            .execute(&Server::prompt_in(&mine, "Hi again."))
            .last()
            .unwrap()
            .name,
        "done"
    );
}

#[test]
fn model_errors_are_told_and_release_the_conversation() {
    for (status, kind) in [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
    ] {
        let server = Server::start(&json!({"turns": [
            {"when": {"last_user_text": "fail"}, "plays": 0, "error": {"status": status, "message": "as scripted"}},
            {"plays": 0, "content": [{"type": "text", "text": "Fine."}]}]}));
        let events = server.execute(&Server::prompt("Please fail."));
        assert_eq!(failure(&events), "model_error", "{status} {kind}");
        let conversation = find(&events, "conversation").unwrap();
        let next = server.execute(&Server::prompt_in(conversation, "Now well."));
        assert!(
            !next.iter().any(|event| event.name == "error"),
            "{status}: {next:#?}"
        );
    }
}

#[test]
fn busy_models_are_asked_again() {
    for status in [429, 529] {
        let server = Server::start(&json!({"turns": [
            {"error": {"status": status, "message": "busy", "retry_after": 0}},
            {"content": [{"type": "text", "text": "Here I am."}]}]}));
        let events = server.execute(&Server::prompt("Hello?"));
        assert_eq!(events.last().unwrap().name, "done", "{events:#?}");
        assert!(
            events.iter().any(|event| event.name == "retry"),
            "{status}: {events:#?}"
        );
        assert!(
            events
                .iter()
                .any(|event| event.data.to_string().contains("Here I am.")),
            "{status}"
        );
    }
}

#[test]
fn a_cut_stream_takes_its_partial_text_back() {
    let server = Server::start(&json!({"turns": [
        {"content": [{"type": "text", "text": "This half sentence is never finished, not at all."}],
         "stream": {"chunk_chars": 6, "delay_ms": 20, "cut_after": 5}},
        {"content": [{"type": "text", "text": "This one is whole."}]}]}));
    let events = server.execute(&Server::prompt("Say it."));
    assert_eq!(events.last().unwrap().name, "done", "{events:#?}");
    let names: Vec<&str> = events.iter().map(|event| event.name.as_str()).collect();
    let discarded = names.iter().position(|name| *name == "discard");
    let said = names.iter().position(|name| *name == "text");
    assert!(discarded.is_some() && discarded < said, "{names:?}");
}

#[test]
fn agents_that_cannot_run_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let agent = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    };
    for (path, code) in [
        (folder.path().join("missing"), "agent_unavailable"),
        (
            agent("old", "#!/bin/sh\necho '1.0.0 (Claude Code)'\n"),
            "agent_unavailable",
        ),
        (
            agent(
                "noise",
                "#!/bin/sh\n[ \"$1\" = --version ] && { echo '2.1.330'; exit; }\necho 'not json'; sleep 1\n",
            ),
            "agent_",
        ),
        (
            agent(
                "dies",
                "#!/bin/sh\n[ \"$1\" = --version ] && { echo '2.1.330'; exit; }\nexit 7\n",
            ),
            "agent_died",
        ),
    ] {
        let server = Server::with(
            &hello(),
            Options {
                agent: Some(path.clone()),
                ..Options::default()
            },
        );
        let response = server.client.post("/execute", &Server::prompt("Hi."));
        let found = if response.status == 200 {
            failure(&hardshell_tests::sse::Events::new(response).collect::<Vec<_>>())
        } else {
            response.json()["code"]
                .as_str()
                .unwrap_or("no code")
                .to_owned()
        };
        assert!(found.starts_with(code), "{}: {found}", path.display());
    }
}

#[test]
fn an_agent_killed_in_the_middle_leaves_its_files() {
    let server = Server::start(&json!({"turns": [
        {"when": {"last_user_text": "begin", "after_tool": false}, "content": [
            {"type": "tool_use", "name": "Bash", "input": {"command": "echo kept > kept.txt; sleep 30"}}]},
        {"plays": 0, "content": [{"type": "text", "text": "Fine."}]}]}));
    let mut events = server.begin(&Server::prompt("Please begin."));
    let mut seen: Vec<Event> = Vec::new();
    for event in events.by_ref() {
        let last = event.name == "tool_use";
        seen.push(event);
        if last {
            break;
        }
    }
    std::thread::sleep(Duration::from_millis(500));
    let agent = server.agent_pid().expect("the agent child runs");
    let pid = rustix::process::Pid::from_raw(i32::try_from(agent).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    seen.extend(events);
    assert_eq!(failure(&seen), "agent_died");
    let conversation = find(&seen, "conversation").unwrap();
    let kept = server
        .client
        .get(&format!("/conversations/{conversation}/files/kept.txt"));
    assert_eq!(kept.text(), "kept\n");
    let next = server.execute(&Server::prompt_in(conversation, "Go on."));
    assert_eq!(next.last().unwrap().name, "done", "{next:#?}");
}

#[test]
fn a_client_that_leaves_finds_all_of_it_later() {
    let server = Server::start(&json!({"turns": [
        {"content": [{"type": "tool_use", "name": "Bash", "input": {"command": "sleep 1; echo late > late.txt"}}]},
        {"content": [{"type": "text", "text": "Finished without you."}]}]}));
    let mut events = server.begin(&Server::prompt("Go."));
    let first = events.next().unwrap();
    let execution = find(std::slice::from_ref(&first), "execution")
        .unwrap()
        .to_owned();
    drop(events);
    let path = format!("/executions/{execution}/events");
    let all: Vec<Event> = hardshell_tests::sse::Events::new(server.client.get(&path)).collect();
    assert_eq!(all.first(), Some(&first));
    assert_eq!(all.last().unwrap().name, "done", "{all:#?}");
    let conversation = find(&all, "conversation").unwrap();
    let kept = server
        .client
        .get(&format!("/conversations/{conversation}/files/late.txt"));
    assert_eq!(kept.text(), "late\n");
}

#[test]
fn two_runs_of_one_conversation_do_not_overlap() {
    let server = Server::start(&json!({"turns": [
        {"when": {"last_user_text": "slow", "after_tool": false}, "content": [
            {"type": "tool_use", "name": "Bash", "input": {"command": "sleep 3"}}]},
        {"plays": 0, "content": [{"type": "text", "text": "Done."}]}]}));
    let mut first = server.begin(&Server::prompt("A slow one."));
    let start = first.next().unwrap();
    let conversation = find(std::slice::from_ref(&start), "conversation")
        .unwrap()
        .to_owned();
    let second = server
        .client
        .post("/execute", &Server::prompt_in(&conversation, "Me too."));
    assert_eq!(second.status, 409);
    assert_eq!(second.json()["code"], "conversation_busy");
    assert_eq!(first.last().unwrap().name, "done");
}
