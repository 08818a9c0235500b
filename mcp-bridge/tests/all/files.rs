//! The file tools: each case is a call and what a model sees.

use serde_json::{Value, json};

use crate::client::Client;
use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_with_files() {
    let world = World::new();
    world.put("a.txt", "one\ntwo\nthree\n");
    world.put("src/m.rs", "fn main() {}\n");
    let mut client = Client::connect(&world.session).await;
    let steps: Vec<(&str, Value, &str)> = vec![
        (
            "Read",
            json!({"file_path": "/workspace/a.txt"}),
            "     1\tone\n     2\ttwo\n     3\tthree\n",
        ),
        (
            "Read",
            json!({"file_path": "/workspace/a.txt", "offset": 2, "limit": 1}),
            "     2\ttwo\n",
        ),
        (
            "Read",
            json!({"file_path": "a.txt", "limit": 1}),
            "     1\tone\n",
        ),
        (
            "Read",
            json!({"file_path": "/workspace/none"}),
            "ERROR File does not exist.",
        ),
        (
            "Read",
            json!({"file_path": "/workspace/../workspace/./a.txt", "limit": 1}),
            "     1\tone\n",
        ),
        (
            "Read",
            json!({"file_path": "/workspace"}),
            "ERROR EISDIR: illegal operation on a directory, read '/workspace'. Use Bash with ls to list it.",
        ),
        (
            "Read",
            json!({}),
            "ERROR InputValidationError: Read failed due to the following issue:\n\
             The required parameter `file_path` is missing",
        ),
        (
            "Edit",
            json!({"file_path": "/workspace/src/m.rs", "old_string": "main", "new_string": "x"}),
            "ERROR File has not been read yet. Read it first before writing to it.",
        ),
        (
            "Edit",
            json!({"file_path": "/workspace/a.txt", "old_string": "two", "new_string": "2"}),
            "The file /workspace/a.txt has been updated. Here's the result of running `cat -n` on a snippet of the \
             edited file:\n     1\tone\n     2\t2\n     3\tthree\n",
        ),
        (
            "Bash",
            json!({"command": "echo four >> a.txt"}),
            "(Bash completed with no output)",
        ),
        (
            "Edit",
            json!({"file_path": "/workspace/a.txt", "old_string": "one", "new_string": "1"}),
            "ERROR File has been modified since read, either by the user or by a linter. \
             Read it again before attempting to write it.",
        ),
        (
            "Read",
            json!({"file_path": "/workspace/a.txt", "offset": 4}),
            "     4\tfour\n",
        ),
        (
            "MultiEdit",
            json!({"file_path": "/workspace/a.txt", "edits": [
                {"old_string": "one", "new_string": "1"}, {"old_string": "four", "new_string": "4"}
            ]}),
            "Applied 2 edits to /workspace/a.txt. Here's the result of running `cat -n` on the changed parts:\n     \
             1\t1\n     2\t2\n     3\tthree\n     4\t4\n",
        ),
        (
            "Write",
            json!({"file_path": "/workspace/new/b.txt", "content": "hello\n"}),
            "File created successfully at: /workspace/new/b.txt",
        ),
        (
            "Bash",
            json!({"command": "cat new/b.txt; cat a.txt | wc -l"}),
            "hello\n4",
        ),
        (
            "Grep",
            json!({"pattern": "three|hello", "output_mode": "count"}),
            "/workspace/a.txt:1\n/workspace/new/b.txt:1\n\nFound 2 total occurrences across 2 files.",
        ),
        (
            "Grep",
            json!({"pattern": "hel+o", "output_mode": "content"}),
            "/workspace/new/b.txt:1:hello",
        ),
        ("Glob", json!({"pattern": "**/*.rs"}), "/workspace/src/m.rs"),
        ("Glob", json!({"pattern": "*.none"}), "No files found"),
        (
            "Write",
            json!({"file_path": "/dev/null/x", "content": ""}),
            "ERROR",
        ),
        (
            "Read",
            json!({"file_path": "/etc/passwd"}),
            "ERROR File does not exist.",
        ),
        (
            "Read",
            json!({"file_path": "/proc/self/environ"}),
            "ERROR File does not exist.",
        ),
    ];
    for (tool, arguments, expected) in steps {
        let got = client.say(tool, arguments.clone()).await;
        if expected == "ERROR" {
            assert!(got.starts_with("ERROR "), "{tool} {arguments}: {got}");
        } else {
            assert_eq!(got, expected, "{tool} {arguments}");
        }
    }
    assert_eq!(world.get("a.txt"), "1\n2\nthree\n4\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_edits_at_once_lose_nothing() {
    let world = World::new();
    let lines: String = (0..20).map(|n| format!("line-{n}-\n")).collect();
    world.put("f", &lines);
    let mut client = Client::connect(&world.session).await;
    client
        .say("Read", json!({"file_path": "/workspace/f"}))
        .await;
    let mut ids = Vec::new();
    for n in 0..20 {
        let edit = json!({"file_path": "/workspace/f", "old_string": format!("line-{n}-"), "new_string": format!("done {n}")});
        ids.push(
            client
                .start("tools/call", json!({"name": "Edit", "arguments": edit}))
                .await,
        );
    }
    let mut answered = 0;
    while answered < ids.len() {
        let message = client.receive().await.unwrap();
        assert!(message["result"]["isError"] != true, "{message}");
        answered += 1;
    }
    let expected: String = (0..20).map(|n| format!("done {n}\n")).collect();
    assert_eq!(world.get("f"), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn images_come_back_as_images() {
    let world = World::new();
    std::fs::write(world.dir.path().join("p.png"), b"\x89PNG\r\n\x1a\nrest").unwrap();
    let mut client = Client::connect(&world.session).await;
    let result = client
        .call("Read", json!({"file_path": "/workspace/p.png"}))
        .await;
    assert_eq!(
        result["content"],
        json!([{"type": "image", "data": "iVBORw0KGgpyZXN0", "mimeType": "image/png"}])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_pdf_is_an_error_and_not_a_crash() {
    let world = World::new();
    world.put(
        "a.pdf",
        "%PDF-1.7\n1 0 obj <</Type /Catalog /Pages 2 0 R>> endobj\nxref\ntrailer <</Root 1 0 R>>",
    );
    let mut client = Client::connect(&world.session).await;
    let said = client
        .say("Read", json!({"file_path": "/workspace/a.pdf"}))
        .await;
    assert!(said.starts_with("ERROR The "), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn structured_content_comes_with_data() {
    let world = World::new();
    world.put("a.txt", "x\n");
    let mut client = Client::connect(&world.session).await;
    let glob = client.call("Glob", json!({"pattern": "*"})).await;
    assert_eq!(
        glob["structuredContent"],
        json!({"filenames": ["/workspace/a.txt"], "numFiles": 1, "truncated": false})
    );
    let grep = client.call("Grep", json!({"pattern": "x"})).await;
    assert_eq!(
        grep["structuredContent"]["filenames"],
        json!(["/workspace/a.txt"])
    );
}
