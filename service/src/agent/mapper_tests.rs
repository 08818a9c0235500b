#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use serde_json::json;

use super::*;
use crate::agent::protocol::{parse, tests::recorded};

fn feed(lines: &[Value]) -> (Mapper, Mapped) {
    let (mut mapper, mut out) = (Mapper::default(), Mapped::default());
    for line in lines {
        mapper.line(parse(&line.to_string()).unwrap(), &mut out);
    }
    (mapper, out)
}

fn events(out: &Mapped) -> Vec<(&str, String)> {
    out.events
        .iter()
        .map(|event| {
            (
                event.kind,
                event.data["text"].as_str().unwrap_or_default().to_owned(),
            )
        })
        .collect()
}

fn stream(event: Value) -> Value {
    json!({ "type": "stream_event", "event": event, "parent_tool_use_id": null })
}

fn start(id: &str) -> Value {
    let usage = json!({ "input_tokens": 90, "cache_read_input_tokens": 10, "output_tokens": 1 });
    stream(json!({ "type": "message_start", "message": { "id": id, "usage": usage } }))
}

fn block(index: u64) -> Value {
    stream(
        json!({ "type": "content_block_start", "index": index, "content_block": { "type": "text", "text": "" } }),
    )
}

fn delta(index: u64, text: &str) -> Value {
    let delta = json!({ "type": "text_delta", "text": text });
    stream(json!({ "type": "content_block_delta", "index": index, "delta": delta }))
}

fn said(id: &str, text: &str) -> Value {
    json!({ "type": "assistant", "parent_tool_use_id": null,
            "message": { "id": id, "content": [{ "type": "text", "text": text }] } })
}

fn result() -> Value {
    json!({ "type": "result", "subtype": "success", "is_error": false })
}

#[test]
fn pieces_become_one_and_the_whole_follows() {
    let usage = stream(json!({ "type": "message_delta", "usage": { "output_tokens": 25 } }));
    let (mapper, out) = feed(&[
        start("m"),
        block(0),
        delta(0, "a"),
        delta(0, "b"),
        said("m", "ab"),
        usage,
        result(),
    ]);
    assert_eq!(
        events(&out),
        [("text_delta", "ab".into()), ("text", "ab".into())]
    );
    assert_eq!(mapper.context_tokens, Some(125));
    assert_eq!(
        out.messages,
        [("assistant", json!([{ "type": "text", "text": "ab" }]))]
    );
}

#[test]
fn what_never_came_to_its_end_is_taken_back() {
    let cut = [start("m"), block(0), delta(0, "a")];
    let kinds = |lines: &[Value]| {
        events(&feed(lines).1)
            .iter()
            .map(|event| event.0.to_owned())
            .collect::<Vec<_>>()
    };
    let again = [
        &cut[..],
        &[start("n"), block(0), delta(0, "c"), said("n", "c")],
    ]
    .concat();
    assert_eq!(
        kinds(&again),
        ["text_delta", "discard", "text_delta", "text"]
    );
    assert_eq!(
        kinds(&[&cut[..], &[result()]].concat()),
        ["text_delta", "discard"]
    );
    let retry = json!({ "type": "system", "subtype": "api_retry", "attempt": 1, "max_retries": 2 });
    assert_eq!(
        kinds(&[&cut[..], &[retry]].concat()),
        ["text_delta", "discard", "retry"]
    );
    // Of two blocks one came to its end: the message is taken back for the other.
    let half = [
        start("m"),
        block(0),
        delta(0, "a"),
        said("m", "a"),
        block(1),
        delta(1, "b"),
        result(),
    ];
    assert_eq!(
        kinds(&half),
        ["text_delta", "text", "text_delta", "discard"]
    );
    let (mut mapper, mut out) = feed(&cut);
    mapper.end(&mut out);
    assert_eq!(events(&out).last().unwrap().0, "discard");
}

#[test]
fn every_recorded_line_is_mapped() {
    let mut kinds = std::collections::BTreeSet::new();
    for (kind, line) in recorded() {
        let (_, out) = feed(&[serde_json::from_str(&line).unwrap()]);
        for event in &out.events {
            kinds.insert(event.kind);
            let sub = kind.ends_with(".subagent");
            assert_eq!(
                event.data.get("parent_tool_use_id").is_some(),
                sub,
                "{kind}"
            );
        }
        if kind.ends_with(".subagent") || kind.contains("replay") || kind.contains("api_error") {
            assert!(out.messages.is_empty(), "{kind}");
        }
        for (file, _) in &out.transcript {
            assert!(!file.starts_with('/') && file.ends_with(".jsonl"), "{file}");
        }
    }
    let expected = [
        "retry",
        "text",
        "text_delta",
        "thinking",
        "thinking_delta",
        "tool_result",
        "tool_use",
    ];
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), expected);
}

#[test]
fn tools_have_their_own_names_and_pictures_no_bytes() {
    let used = json!({ "type": "assistant", "message": { "id": "m", "content":
        [{ "type": "tool_use", "id": "t", "name": "mcp__hardshell__Bash", "input": { "command": "ls" } }] } });
    let picture = json!({ "type": "image", "source": { "type": "base64", "media_type": "image/png", "data": "AAAA" } });
    let back = json!({ "type": "user", "message": { "content":
        [{ "type": "tool_result", "tool_use_id": "t", "content": [picture] }] } });
    let (_, out) = feed(&[used, back, result()]);
    assert_eq!(out.events[0].data["name"], "Bash");
    let content = &out.events[1].data["content"][0];
    assert_eq!(
        *content,
        json!({ "type": "image", "media_type": "image/png", "base64_bytes": 4 })
    );
    assert_eq!(
        out.messages.iter().map(|m| m.0).collect::<Vec<_>>(),
        ["assistant", "tool"]
    );
}
