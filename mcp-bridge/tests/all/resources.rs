//! The workspace as resources, prompts, and notices of change.

use std::time::Duration;

use serde_json::{Value, json};

use crate::client::Client;
use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn files_are_listed_read_and_completed() {
    let world = World::new();
    world.put("a b.md", "# hi");
    world.put("src/x.rs", "fn x() {}");
    std::fs::write(world.dir.path().join("bin"), b"\0\xff").unwrap();
    let mut client = Client::connect(&world.session).await;
    let listed = client.request("resources/list", json!({})).await;
    let uris: Vec<&str> = listed["result"]["resources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|resource| resource["uri"].as_str().unwrap())
        .filter(|uri| uri.starts_with("workspace:"))
        .collect();
    assert_eq!(
        uris,
        [
            "workspace:///a%20b.md",
            "workspace:///bin",
            "workspace:///src/x.rs"
        ]
    );
    for (uri, expected) in [
        (
            "workspace:///a%20b.md",
            json!({"uri": "workspace:///a%20b.md", "mimeType": "text/markdown", "text": "# hi"}),
        ),
        (
            "workspace:///bin",
            json!({"uri": "workspace:///bin", "mimeType": "application/octet-stream", "blob": "AP8="}),
        ),
    ] {
        let read = client.request("resources/read", json!({"uri": uri})).await;
        assert_eq!(read["result"]["contents"], json!([expected]));
    }
    for uri in [
        "workspace:///none",
        "workspace:///../etc/passwd",
        "workspace:///src/%2e%2e/%2e%2e/x",
        "file:///etc/passwd",
    ] {
        let read = client.request("resources/read", json!({"uri": uri})).await;
        assert!(read["error"]["code"].is_number(), "{read}");
        assert_eq!(read["error"]["data"]["uri"], uri);
    }
    let complete = |value: &str| json!({"ref": {"type": "ref/resource", "uri": "workspace:///{+path}"}, "argument": {"name": "path", "value": value}});
    let answer = client.request("completion/complete", complete("s")).await;
    assert_eq!(answer["result"]["completion"]["values"], json!(["src/"]));
    let answer = client
        .request("completion/complete", complete("src/"))
        .await;
    assert_eq!(
        answer["result"]["completion"]["values"],
        json!(["src/x.rs"])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn prompts_are_listed_and_filled_in() {
    let world = World::new();
    world.put("data.csv", "a,b\n");
    let mut client = Client::connect(&world.session).await;
    let listed = client.request("prompts/list", json!({})).await;
    assert!(listed["result"]["prompts"].as_array().unwrap().len() >= 4);
    let got = client
        .request(
            "prompts/get",
            json!({"name": "summarise-data", "arguments": {"path": "data.csv"}}),
        )
        .await;
    assert!(
        got["result"]["messages"][0]["content"]["text"]
            .as_str()
            .unwrap()
            .contains("/workspace/data.csv")
    );
    let wrong = client
        .request(
            "prompts/get",
            json!({"name": "summarise-data", "arguments": {}}),
        )
        .await;
    assert_eq!(wrong["error"]["code"], -32602);
    let complete = json!({"ref": {"type": "ref/prompt", "name": "summarise-data"}, "argument": {"name": "path", "value": "d"}});
    let answer = client.request("completion/complete", complete).await;
    assert_eq!(
        answer["result"]["completion"]["values"],
        json!(["data.csv"])
    );
}

async fn notice(client: &mut Client, method: &str) -> Value {
    loop {
        if let Some(at) = client
            .notifications
            .iter()
            .position(|note| note["method"] == method)
        {
            return client.notifications.remove(at);
        }
        let message = tokio::time::timeout(Duration::from_secs(5), client.receive())
            .await
            .expect(method);
        client.notifications.push(message.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_hears_of_changes() {
    let world = World::new();
    world.put("a.txt", "1\n");
    let mut client = Client::connect(&world.session).await;
    let answer = client
        .request("resources/subscribe", json!({"uri": "workspace:///a.txt"}))
        .await;
    assert!(answer.get("result").is_some(), "{answer}");
    client
        .say("Bash", json!({"command": "echo 2 >> a.txt"}))
        .await;
    let updated = notice(&mut client, "notifications/resources/updated").await;
    assert_eq!(updated["params"]["uri"], "workspace:///a.txt");
    client
        .say(
            "Write",
            json!({"file_path": "/workspace/new.txt", "content": "x"}),
        )
        .await;
    notice(&mut client, "notifications/resources/list_changed").await;
}
