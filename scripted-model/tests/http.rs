//! The scripted model over real HTTP.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use hardshell_scripted_model::{Handle, Script, ScriptedModel};
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

struct Reply {
    status: u16,
    head: String,
    body: String,
    /// Whether the body came to its proper end.
    whole: bool,
}

fn start(script: Value) -> Handle {
    ScriptedModel::start(Script::from_json(&script.to_string()).unwrap()).unwrap()
}

/// Sends one request over a connection of its own and reads until the server ends it.
fn send(model: &Handle, path: &str, headers: &str, body: &str) -> Reply {
    let address = model.base_url().trim_start_matches("http://").to_owned();
    let mut socket = TcpStream::connect(&address).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    write!(
        socket,
        "POST {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/json\r\n{headers}content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut bytes = Vec::new();
    let _ = socket.read_to_end(&mut bytes);
    let text = String::from_utf8(bytes).unwrap();
    let (head, rest) = text.split_once("\r\n\r\n").expect("a response");
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    if !head.to_lowercase().contains("transfer-encoding: chunked") {
        return Reply {
            status,
            head: head.to_owned(),
            body: rest.to_owned(),
            whole: true,
        };
    }
    let (mut body, mut rest, mut whole) = (String::new(), rest, false);
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            whole = true;
            break;
        }
        body.push_str(&after[..size]);
        rest = &after[size + 2..];
    }
    Reply {
        status,
        head: head.to_owned(),
        body,
        whole,
    }
}

fn ask(model: &Handle, request: Value) -> Reply {
    send(model, "/v1/messages", "", &request.to_string())
}

fn hello(stream: bool) -> Value {
    json!({"model": "m", "max_tokens": 10, "stream": stream, "messages": [{"role": "user", "content": "hello"}]})
}

fn events(reply: &Reply) -> Vec<Value> {
    reply
        .body
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|data| serde_json::from_str(data).unwrap())
        .collect()
}

#[test]
fn a_whole_message() {
    let model = start(
        json!({"turns": [{"content": [{"type": "text", "text": "you said {{user}}"}],
        "usage": {"input_tokens": 7, "output_tokens": 3}}]}),
    );
    let reply = ask(&model, hello(false));
    assert_eq!(reply.status, 200, "{}", reply.body);
    let message: Value = serde_json::from_str(&reply.body).unwrap();
    assert_eq!(message["content"][0]["text"], "you said hello");
    assert_eq!(message["stop_reason"], "end_turn");
    assert_eq!(message["usage"]["input_tokens"], 7);
    assert_eq!(model.turns_left(), 0);
}

#[test]
fn a_stream_adds_up_to_the_message() {
    let model = start(
        json!({"tool_prefix": "mcp__hardshell__", "turns": [{"content": [
        {"type": "thinking", "thinking": "let me think about it"},
        {"type": "text", "text": "I will run a command for you."},
        {"type": "tool_use", "label": "ls", "name": "Bash", "input": {"command": "ls -l"}}],
        "stream": {"chunk_chars": 5}}]}),
    );
    let reply = ask(&model, hello(true));
    assert!(reply.whole);
    assert!(reply.head.contains("text/event-stream"), "{}", reply.head);
    let events = events(&reply);
    let joined = |kind: &str, key: &str| -> String {
        events
            .iter()
            .filter(|event| event["delta"]["type"] == kind)
            .map(|event| event["delta"][key].as_str().unwrap())
            .collect()
    };
    assert_eq!(
        joined("thinking_delta", "thinking"),
        "let me think about it"
    );
    assert_eq!(
        joined("text_delta", "text"),
        "I will run a command for you."
    );
    assert_eq!(
        joined("input_json_delta", "partial_json"),
        r#"{"command":"ls -l"}"#
    );
    assert_eq!(events[0]["type"], "message_start");
    let starts: Vec<&Value> = events
        .iter()
        .filter(|event| event["type"] == "content_block_start")
        .collect();
    assert_eq!(starts[2]["content_block"]["name"], "mcp__hardshell__Bash");
    assert!(
        starts[2]["content_block"]["id"]
            .as_str()
            .unwrap()
            .ends_with("_ls")
    );
    assert_eq!(events[events.len() - 2]["delta"]["stop_reason"], "tool_use");
    assert_eq!(events[events.len() - 1]["type"], "message_stop");
}

#[test]
fn turns_play_in_order_and_by_condition() {
    let model = start(json!({"turns": [
        {"when": {"last_user_text": "^bye"}, "content": [{"type": "text", "text": "B"}]},
        {"content": [{"type": "text", "text": "1"}], "plays": 2},
        {"content": [{"type": "text", "text": "2"}]}],
        "otherwise": {"content": [{"type": "text", "text": "none"}]}}));
    let say = |text: &str| {
        let body = json!({"model": "m", "messages": [{"role": "user", "content": text}]});
        let message: Value = serde_json::from_str(&ask(&model, body).body).unwrap();
        message["content"][0]["text"].as_str().unwrap().to_owned()
    };
    let answers: Vec<String> = ["x", "bye", "x", "bye", "x"].into_iter().map(say).collect();
    assert_eq!(answers, ["1", "B", "1", "2", "none"]);
    assert_eq!(
        model
            .requests()
            .iter()
            .map(|request| request.turn)
            .collect::<Vec<_>>(),
        [Some(1), Some(0), Some(1), Some(2), None]
    );
}

#[test]
fn errors_carry_status_type_and_retry_after() {
    for (status, kind) in [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (429, "rate_limit_error"),
        (529, "overloaded_error"),
    ] {
        let model = start(
            json!({"turns": [{"error": {"status": status, "message": "no", "retry_after": 3}}]}),
        );
        let reply = ask(&model, hello(true));
        assert_eq!(reply.status, status);
        assert!(
            reply.head.to_lowercase().contains("retry-after: 3"),
            "{}",
            reply.head
        );
        let body: Value = serde_json::from_str(&reply.body).unwrap();
        assert_eq!(body["error"]["type"], kind);
    }
}

#[test]
fn a_script_at_its_end_says_so() {
    let reply = ask(&start(json!({})), hello(false));
    assert_eq!(reply.status, 500);
    assert!(
        reply
            .body
            .contains("no turn of the script is left for this request: hello"),
        "{}",
        reply.body
    );
}

#[test]
fn streams_are_cut_and_end_in_errors_where_told() {
    let text = json!([{"type": "text", "text": "0123456789"}]);
    let cut =
        start(json!({"turns": [{"content": text, "stream": {"chunk_chars": 1, "cut_after": 4}}]}));
    let reply = ask(&cut, hello(true));
    assert_eq!((events(&reply).len(), reply.whole), (4, false));

    let failing = start(json!({"turns": [{"content": text,
        "stream": {"chunk_chars": 1, "error": {"after": 3, "type": "overloaded_error", "message": "busy"}}}]}));
    let reply = ask(&failing, hello(true));
    let events = events(&reply);
    assert_eq!(events.len(), 4);
    assert_eq!(events[3]["error"]["type"], "overloaded_error");
    assert!(reply.whole);
}

#[test]
fn slow_and_stalled_streams_take_their_time_and_end_with_the_server() {
    let text = json!([{"type": "text", "text": "0123"}]);
    let slow = start(
        json!({"turns": [{"content": text, "stream": {"delay_ms": 20, "stall_after": 2, "stall_ms": 150}}]}),
    );
    let began = Instant::now();
    assert!(ask(&slow, hello(true)).whole);
    assert!(
        began.elapsed() >= Duration::from_millis(250),
        "{:?}",
        began.elapsed()
    );

    let silent = start(json!({"turns": [{"content": text, "stream": {"stall_after": 2}}]}));
    let address = silent.base_url().trim_start_matches("http://").to_owned();
    let mut socket = TcpStream::connect(&address).unwrap();
    let body = hello(true).to_string();
    write!(
        socket,
        "POST /v1/messages HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut first = [0_u8; 64];
    socket.read_exact(&mut first).unwrap();
    drop(silent);
    socket
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    let mut rest = Vec::new();
    let ended = socket.read_to_end(&mut rest);
    assert!(
        ended.is_ok() || ended.is_err_and(|error| error.kind() != std::io::ErrorKind::WouldBlock)
    );
    assert!(
        TcpStream::connect(&address).is_err(),
        "the port is free again"
    );
}

#[test]
fn requests_are_kept_whole_and_checked() {
    let model = start(
        json!({"require_key": "sk-right", "count_tokens": 12, "turns": [{"plays": 0, "content": []}]}),
    );
    let body = json!({"model": "m", "tools": [{"name": "a"}, {"name": "b"}], "messages": [{"role": "user", "content": "x"}]}).to_string();
    for (path, headers, body, status) in [
        (
            "/run/s/v1/messages",
            "x-api-key: sk-right\r\n",
            body.as_str(),
            200,
        ),
        (
            "/v1/messages",
            "authorization: Bearer sk-right\r\n",
            body.as_str(),
            200,
        ),
        (
            "/v1/messages",
            "x-api-key: sk-wrong\r\n",
            body.as_str(),
            401,
        ),
        ("/v1/messages", "x-api-key: sk-right\r\n", "{", 400),
        (
            "/v1/messages",
            "x-api-key: sk-right\r\n",
            r#"{"model":"m","messages":[]}"#,
            400,
        ),
        ("/v1/messages/count_tokens", "", body.as_str(), 200),
        ("/v1/other", "", "", 404),
    ] {
        let reply = send(&model, path, headers, body);
        assert_eq!(
            reply.status, status,
            "{path} {headers} {body}: {}",
            reply.body
        );
    }
    let requests = model.requests();
    assert_eq!(requests.len(), 7);
    assert_eq!(requests[0].path, "/run/s/v1/messages");
    assert_eq!(requests[0].header("x-api-key"), Some("sk-right"));
    assert_eq!(requests[0].tool_names(), ["a", "b"]);
    assert!(requests[2].contains("sk-wrong") && !requests[0].contains("sk-wrong"));
    assert_eq!(requests[3].problem.as_deref(), Some("the body is not JSON"));
    assert_eq!(model.messages().len(), 5);
}

#[test]
fn scripts_with_mistakes_are_refused() {
    for (script, fragment) in [
        (r#"{"turns": [{"contents": []}]}"#, "unknown field"),
        (r#"{"turns": [{"content": [{"type": "video"}]}]}"#, "video"),
        (
            r#"{"turns": [{}, {"when": {"last_user_text": "("}}]}"#,
            "turn 2",
        ),
        ("[", "not valid"),
    ] {
        let error = Script::from_json(script).unwrap_err().to_string();
        assert!(error.contains(fragment), "{error}");
    }
}
