//! One run from end to end: the real agent CLI, a scripted model, our tools.

use hardshell_tests::server::{Server, find};
use hardshell_tests::sse::Event;
use serde_json::{Value, json};

/// What the agent does in the first turn: writes, pipes, edits, searches.
fn script() -> Value {
    json!({"turns": [
        {"when": {"last_user_text": "fruit", "after_tool": false}, "content": [
            {"type": "thinking", "thinking": "A file first."},
            {"type": "text", "text": "I write the data."},
            {"type": "tool_use", "label": "write", "name": "Write", "input": {
                "file_path": "/workspace/data.csv",
                "content": "apple\npear\napple\nplum\napple\npear\n"}}]},
        {"when": {"last_user_text": "fruit"}, "content": [
            {"type": "tool_use", "label": "count", "name": "Bash", "input": {
                "command": "sort data.csv | uniq -c | sort -rn | head -n 2 | tee top.txt"}}]},
        {"when": {"last_tool_result": "3 apple"}, "content": [
            {"type": "tool_use", "label": "read", "name": "Read", "input": {"file_path": "/workspace/top.txt"}}]},
        {"when": {"last_user_text": "fruit"}, "content": [
            {"type": "tool_use", "label": "edit", "name": "Edit", "input": {
                "file_path": "/workspace/top.txt", "old_string": "apple", "new_string": "APPLE"}}]},
        {"when": {"last_user_text": "fruit"}, "content": [
            {"type": "tool_use", "label": "grep", "name": "Grep", "input": {
                "pattern": "APPLE", "output_mode": "content", "path": "/workspace"}}]},
        {"when": {"last_tool_result": "APPLE"}, "content": [
            {"type": "text", "text": "Most are apples: {{result:count ~ \\d+ apple}}."}]},
        {"when": {"last_user_text": "again", "anywhere": "Most are apples"}, "content": [
            {"type": "tool_use", "label": "cat", "name": "Bash", "input": {"command": "cat top.txt; ls"}}]},
        {"when": {"last_user_text": "again"}, "content": [
            {"type": "text", "text": "It still says: {{result:cat}}"}]}
    ]})
}

fn names(events: &[Event]) -> Vec<&str> {
    events.iter().map(|event| event.name.as_str()).collect()
}

/// The texts of the finished text events.
fn said(events: &[Event]) -> String {
    let texts = events.iter().filter(|event| event.name == "text");
    texts
        .map(|event| event.data.to_string())
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn a_run_makes_files_and_the_next_continues_with_them() {
    let server = Server::start(&script());
    let events = server.execute(&Server::prompt("Count the fruit."));
    assert_eq!(
        names(&events).first(),
        Some(&"session_start"),
        "{events:#?}"
    );
    assert_eq!(names(&events).last(), Some(&"done"), "{events:#?}");
    for kind in [
        "text_delta",
        "text",
        "thinking",
        "tool_use",
        "tool_result",
        "usage",
    ] {
        assert!(
            names(&events).contains(&kind),
            "no {kind} in {:?}",
            names(&events)
        );
    }
    assert!(
        said(&events).contains("Most are apples: 3 apple."),
        "{}",
        said(&events)
    );
    let numbers: Vec<u64> = events.iter().filter_map(|event| event.id).collect();
    assert_eq!(
        numbers,
        (1..=numbers.len() as u64).collect::<Vec<_>>(),
        "events are numbered without a gap"
    );
    let conversation = find(&events, "conversation").unwrap().to_owned();

    // What reached the model: our tools and no other, and a transcript by the API's rules.
    let requests = server.model.messages();
    assert!(!requests.is_empty());
    for request in &requests {
        let tools = request.tool_names();
        assert!(
            tools.iter().any(|tool| tool == "mcp__hardshell__Bash"),
            "{tools:?}"
        );
        assert!(
            tools
                .iter()
                .all(|tool| tool.starts_with("mcp__hardshell__")),
            "{tools:?}"
        );
        assert_eq!(request.problem, None);
    }

    let files = server
        .client
        .get(&format!("/conversations/{conversation}/files"))
        .json()
        .to_string();
    assert!(
        files.contains("data.csv") && files.contains("top.txt"),
        "{files}"
    );
    let kept = server
        .client
        .get(&format!("/conversations/{conversation}/files/top.txt"));
    assert_eq!((kept.status, kept.text().contains("3 APPLE")), (200, true));

    // The second turn has the files and the transcript of the first.
    let events = server.execute(&Server::prompt_in(&conversation, "What does it say again?"));
    assert_eq!(names(&events).last(), Some(&"done"), "{events:#?}");
    assert!(
        said(&events).contains("3 APPLE") && said(&events).contains("data.csv"),
        "{}",
        said(&events)
    );
    assert_eq!(server.model.turns_left(), 0);
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn a_stream_is_read_again_from_where_it_was_left() {
    let server = Server::start(&script());
    let events = server.execute(&Server::prompt("Count the fruit."));
    let execution = find(&events, "execution").unwrap().to_owned();
    let path = format!("/executions/{execution}/events");
    let all: Vec<Event> = hardshell_tests::sse::Events::new(server.client.get(&path)).collect();
    assert_eq!(all, events);
    let half = events[events.len() / 2].id.unwrap();
    let client = server.client.with("last-event-id", &half.to_string());
    let rest: Vec<Event> = hardshell_tests::sse::Events::new(client.get(&path)).collect();
    let expected: Vec<Event> = events
        .into_iter()
        .filter(|event| event.id > Some(half))
        .collect();
    assert_eq!(rest, expected);
}
