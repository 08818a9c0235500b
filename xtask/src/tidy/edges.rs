//! Which crate may depend on what, as `cargo metadata` tells: the drawing in ARCHITECTURE.md.

use super::repo::Repo;
use crate::cmd::Cmd;
use serde::Deserialize;

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    /// `None` for an ordinary one, else `dev` or `build`.
    kind: Option<String>,
    path: Option<String>,
}

/// A dependency from outside, and the only crates that may name it.
const OUTSIDE: &[(&str, &[&str], &str)] = &[
    (
        "wasmtime",
        &["hardshell-host"],
        "the kernel is the only one that knows how guests run",
    ),
    (
        "wasmtime-wasi",
        &["hardshell-host"],
        "components run through the kernel",
    ),
    ("sqlx", &["hardshell-service"], "one owner of the database"),
    ("redis", &["hardshell-service"], "leases are the service's"),
    (
        "object_store",
        &["hardshell-service"],
        "workspaces are synchronised by the service",
    ),
    ("rmcp", &["hardshell-mcp"], "one place speaks MCP"),
    (
        "axum",
        &[
            "hardshell",
            "hardshell-mcp",
            "hardshell-service",
            "hardshell-scripted-model",
            "hardshell-benches",
        ],
        "routes are the binary's, the bridge's and the test server's; the service uses the body type alone, the benches serve the bridge's router",
    ),
    (
        "clap",
        &["hardshell", "xtask", "hardshell-benches"],
        "libraries have no command line",
    ),
    ("figment", &["hardshell"], "libraries read no configuration"),
    (
        "landlock",
        &["hardshell-service", "hardshell"],
        "the agent child and the server confine themselves",
    ),
];

/// A crate of ours, and those of ours that it may use outside its tests.
const INSIDE: &[(&str, &[&str])] = &[
    ("hardshell-host", &[]),
    ("hardshell-scripted-model", &[]),
    ("xtask", &[]),
    ("hardshell-mcp", &["hardshell-host"]),
    ("hardshell-service", &["hardshell-host"]),
    (
        "hardshell",
        &[
            "hardshell-host",
            "hardshell-mcp",
            "hardshell-service",
            "hardshell-scripted-model",
        ],
    ),
    ("hardshell-tests", &["hardshell-scripted-model"]),
    (
        "hardshell-benches",
        &["hardshell-host", "hardshell-mcp", "hardshell-tests"],
    ),
];

pub(super) fn check(repo: &Repo) -> anyhow::Result<Vec<String>> {
    let mut problems = Vec::new();
    for package in packages(repo, "")? {
        let Some((_, allowed)) = INSIDE.iter().find(|(name, _)| *name == package.name) else {
            problems.push(format!(
                "{}: not in the table of crates in xtask/src/tidy/edges.rs",
                package.name
            ));
            continue;
        };
        for dependency in &package.dependencies {
            if dependency.path.is_some() {
                let fine = allowed.contains(&dependency.name.as_str())
                    || dependency.kind.as_deref() == Some("dev");
                if !fine {
                    problems.push(format!(
                        "{} may not depend on {}",
                        package.name, dependency.name
                    ));
                }
                continue;
            }
            let rule = OUTSIDE.iter().find(|(name, ..)| *name == dependency.name);
            if let Some((name, owners, why)) = rule
                && !owners.contains(&package.name.as_str())
            {
                problems.push(format!("{} may not depend on {name}: {why}", package.name));
            }
        }
    }
    for package in packages(repo, "tool-modules")? {
        for dependency in &package.dependencies {
            let outside = dependency
                .path
                .as_deref()
                .is_some_and(|path| !path.contains("tool-modules"));
            if outside {
                problems.push(format!(
                    "{} is a tool module and may not depend on {}",
                    package.name, dependency.name
                ));
            }
        }
    }
    // The service takes axum for its body type; a route there would be a second public face.
    for file in repo
        .ending(".rs")
        .filter(|file| file.starts_with("service/src/"))
    {
        for (line, code) in repo.code(file) {
            if code.contains("axum::routing") || code.contains("axum::Router") {
                problems.push(format!("{file}:{line}: HTTP routes belong to api"));
            }
        }
    }
    Ok(problems)
}

fn packages(repo: &Repo, folder: &str) -> anyhow::Result<Vec<Package>> {
    let json = Cmd::cargo()
        .args(["metadata", "--format-version", "1", "--no-deps"])
        .dir(&repo.dir().join(folder))
        .read()?;
    Ok(serde_json::from_str::<Metadata>(&json)?.packages)
}
