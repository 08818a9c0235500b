//! Tools of others: a folder that a server watches, the policy, and the author's kit.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hardshell_host::{EngineConfig, Registry, bundle};
use hardshell_mcp::SessionOptions;
use hardshell_mcp::policy::Policy;
use hardshell_mcp::provider::folder::ToolFolder;
use hardshell_mcp::toolkit::{self, Language};
use serde_json::{Value, json};

use crate::client::{Client, text};
use crate::world::{World, limits, modules};

fn example(name: &str) -> PathBuf {
    let path = modules().join("test").join(format!("{name}.wasm"));
    assert!(
        path.is_file(),
        "{} is missing: run `cargo xtask modules` first",
        path.display()
    );
    path
}

/// A registry of its own, since the folder adds to it.
fn registry() -> Registry {
    let cache = std::env::temp_dir().join("hardshell-mcp-tests-cache");
    let config = EngineConfig {
        cache_dir: Some(cache),
        max_processes: 256,
        ..EngineConfig::default()
    };
    let engine = hardshell_host::Engine::new(config).unwrap();
    bundle::from_dir(&engine, &modules())
        .unwrap()
        .build()
        .unwrap()
}

struct Shop {
    folder: tempfile::TempDir,
    tools: Arc<ToolFolder>,
    world: World,
}

fn shop(policy: Policy, files: &[&str]) -> Shop {
    let folder = tempfile::tempdir().unwrap();
    for name in files {
        std::fs::copy(example(name), folder.path().join(format!("{name}.wasm"))).unwrap();
    }
    let registry = registry();
    let tools = ToolFolder::open(folder.path(), policy, &registry).unwrap();
    let options = SessionOptions {
        providers: vec![Arc::clone(&tools) as _],
        ..SessionOptions::default()
    };
    let world = World::on(&registry, options, limits());
    Shop {
        folder,
        tools,
        world,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_are_tools_and_commands() {
    let shop = shop(
        Policy::default(),
        &["csv_summary", "markdown_page", "thumbnail"],
    );
    assert_eq!(shop.tools.rejected(), []);
    let world = &shop.world;
    world.put("data.csv", "city,size\nBern,140\nBasel,175\nBern,\n");
    world.put(
        "page.md",
        "# Hello & <b>\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n<script>alert(1)</script>\n",
    );
    std::fs::write(world.dir.path().join("red.png"), png()).unwrap();
    let mut client = Client::connect(&world.session).await;

    let listed = client.request("tools/list", json!({})).await;
    let names: Vec<&str> = listed["result"]["tools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| tool["name"].as_str().unwrap())
        .collect();
    assert_eq!(names[9..12], ["csv_summary", "markdown_page", "thumbnail"]);
    let csv = &listed["result"]["tools"][9];
    assert_eq!(csv["inputSchema"]["required"], json!(["path"]));
    assert_eq!(
        csv["inputSchema"]["properties"]["path"]["description"],
        "The CSV file."
    );
    assert_eq!(csv["annotations"]["readOnlyHint"], true);

    let result = client
        .call("csv_summary", json!({"path": "data.csv", "top": 1}))
        .await;
    let data = &result["structuredContent"];
    assert_eq!(data["rows"], 3, "{result}");
    assert_eq!(
        data["columns"][0]["top"],
        json!([{"value": "Bern", "count": 2}])
    );
    assert_eq!(data["columns"][1]["mean"], 157.5);
    assert!(result["_meta"]["hardshell/report"]["peakMemoryBytes"].is_number());

    let page = client
        .say("markdown_page", json!({"path": "page.md"}))
        .await;
    assert!(
        page.contains("<title>Hello &amp; </title>") || page.contains("<title>Hello &amp;"),
        "{page}"
    );
    assert!(
        page.contains("<td>1</td>") && !page.contains("<script>"),
        "{page}"
    );

    let result = client
        .call("thumbnail", json!({"path": "red.png", "size": 1}))
        .await;
    assert_eq!(result["content"][1]["type"], "image", "{result}");

    for (arguments, part) in [
        (json!({}), "\"path\" is a required property"),
        (json!({"path": "data.csv", "colour": 1}), "colour"),
        (json!({"path": "none.csv"}), "none.csv"),
    ] {
        let said = client.say("csv_summary", arguments).await;
        assert!(said.starts_with("ERROR ") && said.contains(part), "{said}");
    }
    let piped = client
        .say(
            "Bash",
            json!({"command": "csv_summary data.csv | head -n 2; csv_summary --help | head -n 1"}),
        )
        .await;
    assert!(piped.starts_with("{\n  \"rows\": 3,"), "{piped}");
    assert!(piped.contains("Summarises a CSV file"), "{piped}");
}

fn png() -> Vec<u8> {
    use base64::Engine as _;
    let text = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==";
    base64::engine::general_purpose::STANDARD
        .decode(text)
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_asks_for_too_much_is_not_served() {
    let policy =
        Policy::parse("[default]\nworkspace = \"none\"\n[tools.markdown_page]\ndigest = \"00\"")
            .unwrap();
    let shop = shop(policy, &["csv_summary", "markdown_page"]);
    std::fs::write(
        shop.folder.path().join("sh.wasm"),
        std::fs::read(example("thumbnail")).unwrap(),
    )
    .unwrap();
    std::fs::write(shop.folder.path().join("broken.wasm"), b"MZ").unwrap();
    let greedy = "name = \"Bash\"\ndescription = \"d\"\ninput_schema = { type = \"object\" }";
    std::fs::write(
        shop.folder.path().join("bash2.wasm"),
        std::fs::read(example("thumbnail")).unwrap(),
    )
    .unwrap();
    std::fs::write(shop.folder.path().join("bash2.toml"), greedy).unwrap();
    shop.tools.refresh().unwrap();
    let reasons: Vec<String> = shop
        .tools
        .rejected()
        .into_iter()
        .map(|rejected| format!("{}: {}", rejected.file, rejected.reason))
        .collect();
    assert_eq!(reasons.len(), 5, "{reasons:#?}");
    assert!(
        reasons
            .iter()
            .any(|reason| reason
                .contains("it asks for workspace read-only, at most none is allowed"))
    );
    assert!(reasons.iter().any(|reason| reason.contains("pinned is 00")));
    assert!(
        reasons
            .iter()
            .any(|reason| reason.contains("\"Bash\" is the name of a built-in tool"))
    );
    let mut client = Client::connect(&shop.world.session).await;
    let listed = client.request("tools/list", json!({})).await;
    assert!(!listed.to_string().contains("csv_summary"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_tool_is_announced_and_there() {
    let shop = shop(Policy::default(), &[]);
    shop.tools.watch();
    let mut client = Client::connect(&shop.world.session).await;
    shop.world.put("data.csv", "a\n1\n");
    std::fs::copy(
        example("csv_summary"),
        shop.folder.path().join("csv_summary.wasm"),
    )
    .unwrap();
    let note = tokio::time::timeout(Duration::from_secs(5), client.receive())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(note["method"], "notifications/tools/list_changed");
    let result = client
        .call("csv_summary", json!({"path": "data.csv"}))
        .await;
    assert_eq!(result["structuredContent"]["rows"], 1, "{result}");
    std::fs::remove_file(shop.folder.path().join("csv_summary.wasm")).unwrap();
    let note = tokio::time::timeout(Duration::from_secs(5), client.receive())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(note["method"], "notifications/tools/list_changed");
    let gone = client
        .request(
            "tools/call",
            json!({"name": "csv_summary", "arguments": {"path": "data.csv"}}),
        )
        .await;
    assert_eq!(gone["error"]["code"], -32602);
}

#[tokio::test(flavor = "multi_thread")]
async fn from_an_empty_folder_to_a_tool_that_is_called() {
    let place = tempfile::tempdir().unwrap();
    let files = toolkit::new(place.path(), "word_count", Language::Rust).unwrap();
    assert!(files.iter().any(|file| file.ends_with("src/main.rs")));
    assert!(
        toolkit::new(place.path(), "word_count", Language::Rust).is_err(),
        "it exists already"
    );
    let project = place.path().join("word_count");
    let folder = project.clone();
    let built = tokio::task::spawn_blocking(move || toolkit::build(&folder))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(built.manifest.name, "word_count");

    let registry = registry();
    let policy = Policy::default();
    let results = toolkit::test(
        &built.module,
        &project.join("tests/cases.toml"),
        &registry,
        &policy,
    )
    .await
    .unwrap();
    for result in &results {
        assert_eq!(result.failure, None, "{}", result.name);
    }
    assert_eq!(results.len(), 2);

    let inspection = toolkit::inspect(&built.module, &policy).unwrap();
    assert!(inspection.imports.contains_key("wasi_snapshot_preview1"));
    assert!(
        inspection
            .to_string()
            .contains("asks for workspace read-only, tmp no"),
        "{inspection}"
    );

    let tools = place.path().join("tools");
    let added = toolkit::add(&built.module, &tools, &policy, false).unwrap();
    assert!(!added.replaced);
    assert!(toolkit::add(&built.module, &tools, &policy, false).is_err());
    let names: Vec<String> = toolkit::list(&tools, &policy)
        .unwrap()
        .into_iter()
        .map(|tool| tool.name)
        .collect();
    assert_eq!(names, ["word_count"]);

    let provider = ToolFolder::open(&tools, policy.clone(), &registry).unwrap();
    let options = SessionOptions {
        providers: vec![provider as _],
        ..SessionOptions::default()
    };
    let world = World::on(&registry, options, limits());
    world.put("a.txt", "one two three");
    let mut client = Client::connect(&world.session).await;
    let result = client
        .call("word_count", json!({"path": "a.txt", "containing": "t"}))
        .await;
    assert_eq!(text(&result), "2 words");
    toolkit::remove("word_count", &tools, &policy).unwrap();
    assert!(toolkit::list(&tools, &policy).unwrap().is_empty());
}

#[test]
fn a_manifest_beside_a_module_is_embedded() {
    let place = tempfile::tempdir().unwrap();
    let module = example("thumbnail");
    let manifest = place.path().join("small.toml");
    std::fs::write(
        &manifest,
        "name = \"small\"\ndescription = \"d\"\ninput_schema_file = \"s.json\"\n[capabilities]\nworkspace = \"read-write\"",
    )
    .unwrap();
    std::fs::write(place.path().join("s.json"), "{\"type\": \"object\"}").unwrap();
    let out = place.path().join("out.wasm");
    toolkit::embed(&module, &manifest, &out).unwrap();
    let inspection = toolkit::inspect(&out, &Policy::default()).unwrap();
    let manifest: Value = serde_json::to_value(inspection.manifest.unwrap()).unwrap();
    assert_eq!(manifest["name"], "small");
    assert_eq!(manifest["input_schema"], json!({"type": "object"}));
    assert_eq!(
        inspection.refused,
        ["it asks for workspace read-write, at most read-only is allowed"]
    );
    assert!(toolkit::inspect(Path::new("/dev/null"), &Policy::default()).is_err());
}
