//! The cases of brush-shell: YAML files; real bash is the oracle at run time.

use super::shell::{Case, Expect, Input};
use super::{fetch, read_text};
use anyhow::Context as _;
use serde::Deserialize;
use serde_yaml_ng::Value;
use std::collections::BTreeMap;
use std::path::Path;

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    cases: Vec<Yaml>,
    #[serde(default)]
    common_test_files: Vec<TestFile>,
    #[serde(default)]
    incompatible_configs: Vec<String>,
}

#[derive(Deserialize)]
struct Yaml {
    name: String,
    stdin: Option<String>,
    #[serde(default)]
    args: Vec<Value>,
    #[serde(default)]
    removed_default_args: Vec<String>,
    #[serde(default)]
    env: BTreeMap<String, Value>,
    #[serde(default)]
    test_files: Vec<TestFile>,
    #[serde(default)]
    skip: bool,
    #[serde(default)]
    pty: bool,
    #[serde(default)]
    ignore_stdout: bool,
    #[serde(default)]
    ignore_whitespace: bool,
    #[serde(default)]
    incompatible_configs: Vec<String>,
    #[serde(default)]
    incompatible_os: Vec<String>,
    min_oracle_version: Option<Value>,
    max_oracle_version: Option<Value>,
    home_dir: Option<String>,
}

#[derive(Deserialize, Clone)]
struct TestFile {
    path: String,
    contents: Option<String>,
    source_path: Option<String>,
    #[serde(default)]
    executable: bool,
}

/// All cases that apply to bash 5.2 on Linux without a terminal.
pub(super) fn cases(dir: &Path) -> anyhow::Result<Vec<Case>> {
    let mut out = Vec::new();
    for path in fetch::files(dir, "yaml")? {
        let file: File = serde_yaml_ng::from_str(&read_text(&path)?)
            .with_context(|| format!("{} is not as expected", path.display()))?;
        if file.incompatible_configs.iter().any(|c| c == "bash") {
            continue;
        }
        let shown = path
            .strip_prefix(dir)
            .unwrap_or(&path)
            .display()
            .to_string();
        let base = path.parent().unwrap_or(dir);
        for case in file.cases {
            let applies = !case.skip
                && !case.pty
                && !case.incompatible_configs.iter().any(|c| c == "bash")
                && !case.incompatible_os.iter().any(|o| o == "linux")
                && case
                    .min_oracle_version
                    .as_ref()
                    .is_none_or(|v| version(v) <= vec![5, 2])
                && case
                    .max_oracle_version
                    .as_ref()
                    .is_none_or(|v| version(v) >= vec![5, 2]);
            if applies {
                out.push(convert(case, &shown, base, &file.common_test_files)?);
            }
        }
    }
    Ok(out)
}

fn version(v: &Value) -> Vec<u32> {
    text(v)
        .split('.')
        .take(2)
        .filter_map(|p| p.parse().ok())
        .collect()
}

fn text(v: &Value) -> String {
    match v {
        Value::String(s) => s.clone(),
        Value::Number(n) => n.to_string(),
        Value::Bool(b) => b.to_string(),
        _ => String::new(),
    }
}

fn convert(case: Yaml, file: &str, base: &Path, common: &[TestFile]) -> anyhow::Result<Case> {
    let mut args: Vec<String> = ["--norc", "--noprofile"]
        .iter()
        .filter(|a| !case.removed_default_args.iter().any(|r| r == *a))
        .map(|a| (*a).to_owned())
        .collect();
    args.extend(case.args.iter().map(text));
    let mut files = Vec::new();
    for f in common.iter().chain(&case.test_files) {
        let bytes = match &f.source_path {
            Some(source) => std::fs::read(base.join(source))
                .with_context(|| format!("a file of {file} is missing"))?,
            None => f.contents.clone().unwrap_or_default().into_bytes(),
        };
        files.push(Input {
            path: f.path.clone(),
            bytes,
            executable: f.executable,
        });
    }
    let mut env: Vec<(String, String)> =
        case.env.iter().map(|(k, v)| (k.clone(), text(v))).collect();
    if let Some(home) = &case.home_dir {
        env.push(("HOME".to_owned(), home.clone()));
    }
    Ok(Case {
        file: file.to_owned(),
        name: case.name,
        args,
        stdin: case.stdin.unwrap_or_default(),
        env,
        files,
        expect: Expect::Oracle,
        ignore_stdout: case.ignore_stdout,
        ignore_blanks: case.ignore_whitespace,
    })
}
