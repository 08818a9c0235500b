//! `hardshell tool test`: a tool's cases, each a call in a sandbox of its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use hardshell_host::{Access, CommandSet, DirSource, Registry, Sandbox, Scratch};
use rmcp::model::JsonObject;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{ToolkitError, at, read, write};
use crate::policy::Policy;
use crate::provider::folder::{ToolFolder, find_manifest};
use crate::session::{CallContext, Session, SessionOptions};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    #[serde(default, rename = "case")]
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    #[serde(default)]
    input: JsonObject,
    /// Files of the workspace, by path.
    #[serde(default)]
    files: BTreeMap<String, String>,
    /// The exact text.
    text: Option<String>,
    /// Parts of the text.
    #[serde(default)]
    text_has: Vec<String>,
    /// The structured result, member by member.
    structured: Option<Value>,
    /// Whether the call must fail.
    #[serde(default)]
    error: bool,
}

/// How one case went.
#[derive(Clone, Debug, Serialize)]
pub struct CaseResult {
    /// Its name.
    pub name: String,
    /// What was wrong; `None` if nothing.
    pub failure: Option<String>,
    /// How long it took, milliseconds.
    pub elapsed_ms: f64,
}

/// Runs the cases of `cases` against a module, with what `policy` grants it. `registry`
/// holds the commands that it may start.
///
/// # Errors
/// When the module is no tool, is refused, or the cases cannot be read.
pub async fn test(
    module: &Path,
    cases: &Path,
    registry: &Registry,
    policy: &Policy,
) -> Result<Vec<CaseResult>, ToolkitError> {
    let bytes = read(module)?;
    let manifest = find_manifest(module, &bytes)
        .map_err(ToolkitError::Input)?
        .ok_or_else(|| ToolkitError::Input(format!("{} has no manifest", module.display())))?;
    let text = String::from_utf8_lossy(&read(cases)?).into_owned();
    let parsed: Cases = toml::from_str(&text)
        .map_err(|error| ToolkitError::Input(format!("{}: {error}", cases.display())))?;
    let scratch = Folder::new()?;
    let tools = scratch.0.join("tools");
    write(&tools.join(format!("{}.wasm", manifest.name)), &bytes)?;
    let beside = module.with_extension("toml");
    if beside.is_file() {
        let json = serde_json::to_vec(&manifest)
            .map_err(|error| ToolkitError::Input(error.to_string()))?;
        let own = super::wasm::with_custom_section(&bytes, crate::manifest::SECTION, &json)
            .map_err(|error| ToolkitError::Input(error.to_string()))?;
        write(&tools.join(format!("{}.wasm", manifest.name)), own)?;
    }
    // A registry of its own: what is tried here must not stay.
    let mut own = Registry::builder(registry.engine());
    for program in registry.snapshot().programs() {
        own = own.program(program);
    }
    let registry = &own
        .build()
        .map_err(|error| ToolkitError::Input(error.to_string()))?;
    let provider = ToolFolder::open(&tools, policy.clone(), registry).map_err(at(&tools))?;
    if let Some(rejected) = provider.rejected().first() {
        return Err(ToolkitError::Input(rejected.reason.clone()));
    }
    let mut results = Vec::new();
    for (index, case) in parsed.cases.into_iter().enumerate() {
        let workspace = scratch.0.join(format!("case-{index}"));
        std::fs::create_dir_all(&workspace).map_err(at(&workspace))?;
        for (name, content) in &case.files {
            if name.starts_with('/') || name.split('/').any(|part| part == "..") {
                return Err(ToolkitError::Input(format!(
                    "{}: {name:?} leads out of the workspace",
                    case.name
                )));
            }
            write(&workspace.join(name), content)?;
        }
        let sandbox = Sandbox::builder(registry)
            .workspace(DirSource::Path(workspace), Access::ReadWrite)
            .scratch(Scratch::Temp)
            .allow_commands(CommandSet::All)
            .build()
            .map_err(|error| ToolkitError::Input(error.to_string()))?;
        let options = SessionOptions {
            providers: vec![Arc::clone(&provider) as _],
            ..SessionOptions::default()
        };
        let session = Session::new(sandbox, options);
        let start = Instant::now();
        let failure = run(&session, &manifest.name, &case).await.err();
        let elapsed_ms = start.elapsed().as_secs_f64() * 1e3;
        results.push(CaseResult {
            name: case.name,
            failure,
            elapsed_ms,
        });
    }
    Ok(results)
}

async fn run(session: &Session, tool: &str, case: &Case) -> Result<(), String> {
    let result = session
        .call(tool, case.input.clone(), &CallContext::default())
        .await
        .map_err(|error| error.to_string())?;
    let texts: Vec<&str> = result
        .content
        .iter()
        .filter_map(|block| block.as_text())
        .map(|text| text.text.as_str())
        .collect();
    let text = texts.join("\n");
    let failed = result.is_error == Some(true);
    if failed != case.error {
        let what = if failed { "failed" } else { "did not fail" };
        return Err(format!("the call {what}: {text}"));
    }
    if let Some(expected) = &case.text
        && *expected != text
    {
        return Err(format!("expected the text {expected:?}, got {text:?}"));
    }
    if let Some(missing) = case
        .text_has
        .iter()
        .find(|part| !text.contains(part.as_str()))
    {
        return Err(format!("expected a text with {missing:?}, got {text:?}"));
    }
    if let Some(expected) = &case.structured
        && !holds(
            result.structured_content.as_ref().unwrap_or(&Value::Null),
            expected,
        )
    {
        let got = result.structured_content.unwrap_or_default();
        return Err(format!("expected the data {expected}, got {got}"));
    }
    Ok(())
}

/// Whether `value` has all that `expected` has.
fn holds(value: &Value, expected: &Value) -> bool {
    match (value, expected) {
        (Value::Object(value), Value::Object(expected)) => expected
            .iter()
            .all(|(key, expected)| value.get(key).is_some_and(|value| holds(value, expected))),
        (Value::Array(value), Value::Array(expected)) => {
            value.len() == expected.len()
                && value
                    .iter()
                    .zip(expected)
                    .all(|(value, expected)| holds(value, expected))
        }
        (value, expected) => {
            value == expected
                || matches!((value.as_f64(), expected.as_f64()), (Some(a), Some(b)) if a == b)
        }
    }
}

/// A folder that is removed when it is done with.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Folder, ToolkitError> {
        let path = std::env::temp_dir().join(format!(
            "hardshell-tool-test-{}",
            uuid::Uuid::new_v4().simple()
        ));
        std::fs::create_dir_all(&path).map_err(at(&path))?;
        Ok(Folder(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
