//! Case files: scripts and what they must do, as data. `docs/testing.md` describes the format.

use crate::binary::{self, Ran};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A case file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseFile {
    /// Its cases.
    #[serde(rename = "case")]
    pub cases: Vec<Case>,
}

/// One script and what it must do.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
pub struct Case {
    /// Unique in the file.
    pub name: String,
    /// The script.
    pub script: String,
    /// `$1` and so on.
    pub args: Vec<String>,
    /// What it reads.
    pub stdin: String,
    /// Variables.
    pub env: BTreeMap<String, String>,
    /// Files in the workspace before the run.
    pub files: BTreeMap<String, String>,
    /// Options of `hardshell sh`.
    pub limits: Vec<String>,
    /// Exactly what it writes; nothing unless said.
    pub stdout: Option<String>,
    /// Texts that occur in what it writes.
    pub stdout_has: Vec<String>,
    /// Exactly what it complains; nothing unless said.
    pub stderr: Option<String>,
    /// Texts that occur in what it complains.
    pub stderr_has: Vec<String>,
    /// Its status.
    pub status: i32,
    /// Files after the run.
    pub after: BTreeMap<String, String>,
    /// What must not exist after the run.
    pub absent: Vec<String>,
    /// Real bash must write the same and end with the same status.
    pub bash: bool,
    /// Not run, for this reason.
    pub skip: Option<String>,
}

/// Every case file below tool-modules and tests, with its short name.
pub fn files() -> Vec<(String, PathBuf)> {
    let root = binary::root();
    let mut found = Vec::new();
    let mut crates: Vec<PathBuf> = list(&root.join("tool-modules"));
    crates.push(root.join("tests"));
    for folder in crates {
        let name = folder
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or("")
            .to_owned();
        let cases = if name == "tests" {
            folder.join("cases")
        } else {
            folder.join("tests/cases")
        };
        collect(&cases, &name, &mut found);
    }
    found.sort();
    found
}

fn list(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = folder.read_dir() else {
        return Vec::new();
    };
    entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .collect()
}

fn collect(folder: &Path, name: &str, found: &mut Vec<(String, PathBuf)>) {
    let Ok(entries) = folder.read_dir() else {
        return;
    };
    for path in entries.flatten().map(|entry| entry.path()) {
        let stem = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .unwrap_or("")
            .to_owned();
        if path.is_dir() {
            collect(&path, &format!("{name}/{stem}"), found);
        } else if path.extension().is_some_and(|end| end == "toml") {
            found.push((format!("{name}/{stem}"), path));
        }
    }
}

/// Runs every case of a file; the error lists each that failed and how.
pub fn check(path: &Path) -> Result<(), String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    let file: CaseFile =
        toml::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut names = BTreeSet::new();
    let mut failures = Vec::new();
    for case in &file.cases {
        if case.name.is_empty() || !names.insert(&case.name) {
            failures.push(format!(
                "case {:?}: every case has a name of its own",
                case.name
            ));
        } else if case.skip.is_none() {
            let problems = case.problems();
            if !problems.is_empty() {
                let problems = problems.join("\n");
                failures.push(format!(
                    "case {:?}\n  script: {}\n{problems}",
                    case.name,
                    case.script.trim()
                ));
            }
        }
    }
    if failures.is_empty() {
        return Ok(());
    }
    Err(format!(
        "{} of {} cases failed\n\n{}",
        failures.len(),
        file.cases.len(),
        failures.join("\n\n")
    ))
}

impl Case {
    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let folder = self.folder();
        let mut command = binary::command();
        command.arg("sh").arg("--workspace").arg(folder.path());
        for (key, value) in &self.env {
            command.arg("--env").arg(format!("{key}={value}"));
        }
        command
            .args(&self.limits)
            .args(["-c", &self.script, "sh"])
            .args(&self.args);
        let ran = binary::run(command, self.stdin.as_bytes());
        self.compare("hardshell", &ran, &mut problems);
        self.compare_files(folder.path(), &mut problems);
        if self.bash {
            let folder = self.folder();
            let ran = binary::run(self.real_bash(folder.path()), self.stdin.as_bytes());
            let expected = Ran {
                stderr: self.stderr.clone().unwrap_or_default(),
                ..ran
            };
            self.compare("bash", &expected, &mut problems);
        }
        problems
    }

    fn folder(&self) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (name, content) in &self.files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a file has a folder")).expect("a folder");
            std::fs::write(path, content).expect("a file");
        }
        folder
    }

    fn real_bash(&self, folder: &Path) -> Command {
        let mut command = Command::new("bash");
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs(&self.env);
        command
            .current_dir(folder)
            .args(["-c", &self.script, "sh"])
            .args(&self.args);
        command
    }

    fn compare(&self, who: &str, ran: &Ran, problems: &mut Vec<String>) {
        let mut text = |what: &str, exact: &Option<String>, has: &[String], got: &str| {
            if has.is_empty() || exact.is_some() {
                let want = exact.as_deref().unwrap_or("");
                if got != want {
                    problems.push(format!(
                        "  {who} {what}\n    want {want:?}\n    got  {got:?}"
                    ));
                }
            }
            for part in has.iter().filter(|part| !got.contains(part.as_str())) {
                problems.push(format!("  {who} {what} lacks {part:?}\n    got  {got:?}"));
            }
        };
        text("stdout", &self.stdout, &self.stdout_has, &ran.stdout);
        if who != "bash" {
            text("stderr", &self.stderr, &self.stderr_has, &ran.stderr);
        }
        if ran.status != self.status {
            problems.push(format!(
                "  {who} status\n    want {}\n    got  {}",
                self.status, ran.status
            ));
        }
    }

    fn compare_files(&self, folder: &Path, problems: &mut Vec<String>) {
        for (name, want) in &self.after {
            match std::fs::read(folder.join(name)) {
                Ok(got) if got == want.as_bytes() => {}
                Ok(got) => problems.push(format!(
                    "  file {name}\n    want {want:?}\n    got  {:?}",
                    String::from_utf8_lossy(&got)
                )),
                Err(error) => problems.push(format!("  file {name}: {error}")),
            }
        }
        for name in self
            .absent
            .iter()
            .filter(|name| folder.join(name).symlink_metadata().is_ok())
        {
            problems.push(format!("  file {name} is there"));
        }
    }
}
