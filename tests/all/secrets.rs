//! No secret of the host is in reach of the model, the agent child or a tool.

use hardshell_tests::proc;
use hardshell_tests::server::{MODEL_KEY, Options, Server, find};
use serde_json::json;

const OTHER_SECRET: &str = "hunter2-of-the-database";

#[test]
fn no_secret_is_in_reach() {
    let look = "env; set; cat /proc/self/environ /proc/1/environ /etc/passwd ~/.aws/credentials; \
                ls -la / /proc /home /root; cat /dev/fd/*; echo looked";
    let script = json!({"turns": [
        {"content": [{"type": "tool_use", "label": "look", "name": "Bash", "input": {"command": look}}]},
        {"content": [{"type": "tool_use", "label": "wait", "name": "Bash", "input": {"command": "sleep 2"}}]},
        {"content": [{"type": "text", "text": "Nothing: {{result:look}}"}]}
    ]});
    let server = Server::with(
        &script,
        Options {
            env: vec![
                ("AWS_SECRET_ACCESS_KEY".to_owned(), OTHER_SECRET.to_owned()),
                ("SOME_TOKEN".to_owned(), OTHER_SECRET.to_owned()),
            ],
            ..Options::default()
        },
    );
    let events = server.begin(&Server::prompt("Find a secret."));

    // While it runs: what the child was started with.
    let agent = server.agent_pid().expect("the agent child runs");
    let environment = proc::environ(agent);
    let command_line = proc::cmdline(agent).join(" ");
    assert!(
        !environment.is_empty(),
        "the child's environment is readable to root"
    );
    let events: Vec<_> = events.collect();
    assert_eq!(events.last().unwrap().name, "done", "{events:#?}");
    let looked = events
        .iter()
        .any(|event| event.data.to_string().contains("looked"));
    assert!(looked, "{events:#?}");

    let hidden = [
        MODEL_KEY,
        OTHER_SECRET,
        server.key.as_str(),
        server.data().to_str().unwrap(),
    ];
    // The child's folders lie below the data folder, so that path is its to know; secrets are not.
    for secret in &hidden[..3] {
        assert!(
            environment.iter().all(|(_, value)| !value.contains(secret)),
            "in the child's environment: {secret}"
        );
        assert!(
            !command_line.contains(secret),
            "on the child's command line: {secret}"
        );
    }
    for name in [
        "AWS_SECRET_ACCESS_KEY",
        "SOME_TOKEN",
        "HARDSHELL_DATA_DIR",
        "DATABASE_URL",
        "USER",
        "SHELL",
    ] {
        assert!(
            environment.iter().all(|(key, _)| key != name),
            "{name} is in the child's environment"
        );
    }
    // The events, which hold all that tools said, and what the model was sent in its bodies.
    for event in &events {
        for secret in hidden {
            assert!(
                !event.data.to_string().contains(secret),
                "{secret} in {event:?}"
            );
        }
    }
    for request in server.model.messages() {
        let body = String::from_utf8_lossy(&request.raw_body).into_owned();
        for secret in hidden {
            assert!(
                !body.contains(secret),
                "{secret} in what the model was sent"
            );
        }
        assert_eq!(
            request.header("x-api-key"),
            Some(MODEL_KEY),
            "the gateway adds the key"
        );
    }
    // Neither the first key nor the provider's is in what the server logs after the first line.
    assert!(!server.output().contains(MODEL_KEY));
    assert!(find(&events, "conversation").is_some());
}
