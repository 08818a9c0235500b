#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;

/// One real line of every kind.
pub(crate) fn recorded() -> Vec<(String, String)> {
    include_str!("../../tests/data/agent_lines.jsonl")
        .lines()
        .map(|line| {
            let value: Value = serde_json::from_str(line).unwrap();
            (
                value["kind"].as_str().unwrap().to_owned(),
                value["line"].to_string(),
            )
        })
        .collect()
}

fn one(kind: &str) -> Line {
    let line = recorded().into_iter().find(|(k, _)| k == kind);
    parse(&line.unwrap_or_else(|| unreachable!("no line {kind}")).1).unwrap()
}

#[test]
fn every_recorded_line_is_read() {
    for (kind, line) in recorded() {
        let read = parse(&line).unwrap();
        let family = kind.split('.').next().unwrap();
        let fits = match family {
            "assistant" => matches!(read, Line::Assistant { .. }),
            "user" => matches!(read, Line::User { .. }),
            "result" => matches!(read, Line::Result(_)),
            "stream_event" => matches!(read, Line::Stream { .. }),
            "control_request" => matches!(read, Line::Request { .. }),
            "control_response" => matches!(read, Line::Response { .. }),
            "transcript_mirror" => matches!(read, Line::Transcript { .. }),
            "system" => !matches!(read, Line::Result(_)),
            _ => read == Line::Other,
        };
        assert!(fits, "{kind}: {read:?}");
    }
}

#[test]
fn what_is_not_an_object_is_refused() {
    for line in [
        "",
        "x",
        "[1]",
        "\"text\"",
        "{",
        "null",
        "{\"type\":\"user\"} x",
    ] {
        assert!(parse(line).is_err(), "{line}");
    }
    for line in [
        "{}",
        "{\"type\":7}",
        "{\"type\":\"assistant\"}",
        "{\"type\":\"result\",\"errors\":[1,{}]}",
    ] {
        assert!(parse(line).is_ok(), "{line}");
    }
}

#[test]
fn results_are_told_apart_by_their_reason() {
    use crate::agent::turn::error_of;
    let cases = [
        ("result.success.completed.None", None),
        ("result.success.api_error.400", Some("model_error")),
        ("result.success.api_error.401", Some("model_error")),
        ("result.success.api_error.529", Some("model_error")),
        ("result.success.api_error.None", Some("model_error")),
        ("result.success.prompt_too_long.400", Some("context_limit")),
        ("result.error_max_turns.max_turns.None", Some("turn_limit")),
        (
            "result.error_max_budget_usd.budget_exhausted.None",
            Some("budget_exceeded"),
        ),
        (
            "result.error_during_execution.aborted_streaming.None",
            Some("cancelled"),
        ),
        (
            "result.error_during_execution.aborted_tools.None",
            Some("cancelled"),
        ),
        (
            "result.error_during_execution.None.None",
            Some("agent_died"),
        ),
    ];
    for (kind, code) in cases {
        let Line::Result(result) = one(kind) else {
            unreachable!("{kind}")
        };
        let error = error_of(&result, "127.0.0.1:1");
        assert_eq!(error.as_ref().map(|error| error.code()), code, "{kind}");
    }
}

#[test]
fn what_the_run_needs_is_there() {
    let Line::Init(init) = one("system.init") else {
        unreachable!()
    };
    assert_eq!(init.version, "2.1.330");
    assert_eq!(init.servers, [("x".to_owned(), "connected".to_owned())]);
    let Line::Retry {
        attempt,
        max,
        status,
        ..
    } = one("system.api_retry")
    else {
        unreachable!()
    };
    assert_eq!((attempt, max, status), (1, 2, Some(401)));
    let Line::Compacted { before, after } = one("system.compact_boundary") else {
        unreachable!()
    };
    assert_eq!((before, after), (125, 319));
    let Line::Transcript { entries, .. } = one("transcript_mirror") else {
        unreachable!()
    };
    assert_eq!(entries.len(), 2);
    let Line::Response { outcome, .. } = one("control_response.error.nonsense") else {
        unreachable!()
    };
    assert!(outcome.is_err());
}

#[test]
fn text_is_made_harmless() {
    for (text, out) in [
        ("/clear", " /clear"),
        ("a /b", "a /b"),
        ("", ""),
        ("@/etc/passwd", "@/etc/passwd"),
    ] {
        assert_eq!(harmless(text), out);
    }
}
