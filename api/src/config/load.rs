//! Collecting the values of every source.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize as _;
use toml::Value;

use super::keys::{KEYS, Key, Kind, OTHER_ENV, find};
use super::{Config, value};

/// The file that is read when none is named.
pub(crate) const DEFAULT_FILE: &str = "hardshell.toml";

/// Why the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration file {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("{path} is not TOML: {problem}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        problem: String,
    },
    /// There is no such key.
    #[error("{origin}: there is no key `{key}`{hint}")]
    Unknown {
        /// The key.
        key: String,
        /// Where it was found.
        origin: String,
        /// The nearest one.
        hint: String,
    },
    /// A value is not what its key takes.
    #[error("{key} (from {origin}): {problem}")]
    Value {
        /// The key.
        key: String,
        /// Where the value was found.
        origin: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Values that do not fit together.
    #[error("{0}")]
    Together(String),
}

/// What the command line says about the configuration.
#[derive(Clone, Debug, Default)]
pub(crate) struct Flags {
    /// The file.
    pub(crate) file: Option<PathBuf>,
    /// `KEY=VALUE` of `--set`.
    pub(crate) set: Vec<String>,
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// Nobody set it.
    Default,
    /// The configuration file.
    File(PathBuf),
    /// An environment variable.
    Env(String),
    /// The command line.
    Flag,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Default => f.write_str("default"),
            Source::File(path) => write!(f, "{}", path.display()),
            Source::Env(name) => write!(f, "environment variable {name}"),
            Source::Flag => f.write_str("command line"),
        }
    }
}

/// One value and its source.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    /// The key.
    pub(crate) key: &'static Key,
    /// The value, checked by the key's kind.
    value: Value,
    /// Where it came from.
    pub(crate) source: Source,
}

impl Setting {
    /// The value as it would be written; a secret is masked.
    pub(crate) fn shown(&self) -> String {
        value::shown(self.key.kind, &self.value)
    }
}

/// The values of all sources.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    values: BTreeMap<&'static str, Setting>,
}

impl Settings {
    /// Reads the file, the environment of this process and the flags.
    pub(crate) fn load(flags: &Flags) -> Result<Settings, ConfigError> {
        Settings::load_from(flags, &process_env(), Path::new(DEFAULT_FILE))
    }

    /// The same without the file of the current folder, for commands that are pointed at
    /// folders which nobody vouches for.
    pub(crate) fn load_without_default_file(flags: &Flags) -> Result<Settings, ConfigError> {
        Settings::load_from(flags, &process_env(), Path::new(""))
    }

    /// The same for the demo, which runs on the embedded defaults: of the environment only what
    /// concerns the model, the agent, the kernel and logs counts.
    pub(crate) fn load_for_demo(flags: &Flags) -> Result<Settings, ConfigError> {
        const SECTIONS: &[&str] = &["model.", "agent.", "kernel.", "log."];
        let foreign: Vec<String> = KEYS
            .iter()
            .filter(|key| !SECTIONS.iter().any(|section| key.path.starts_with(section)))
            .flat_map(|key| {
                key.envs()
                    .into_iter()
                    .flat_map(|name| [format!("{name}_FILE"), name])
            })
            .collect();
        let mut env = process_env();
        env.retain(|name, _| !foreign.contains(name));
        Settings::load_from(flags, &env, Path::new(""))
    }

    /// The same with everything given, for tests.
    pub(crate) fn load_from(
        flags: &Flags,
        env: &BTreeMap<String, String>,
        default_file: &Path,
    ) -> Result<Settings, ConfigError> {
        let mut settings = Settings::default();
        for key in KEYS.iter().filter(|key| !key.default.is_empty()) {
            settings.text(key, key.default, Source::Default)?;
        }
        match &flags.file {
            Some(path) => settings.file(path)?,
            None if default_file.exists() => settings.file(default_file)?,
            None => {}
        }
        settings.environment(env)?;
        for pair in &flags.set {
            let (path, text) = pair.split_once('=').ok_or_else(|| {
                ConfigError::Together(format!(
                    "--set {pair}: write KEY=VALUE, such as server.listen=127.0.0.1:9000"
                ))
            })?;
            let key = find(path.trim()).ok_or_else(|| unknown(path.trim(), "--set"))?;
            settings.text(key, text, Source::Flag)?;
        }
        Ok(settings)
    }

    /// Sets one value, as the command line would.
    pub(crate) fn set(&mut self, path: &str, text: &str) -> Result<(), ConfigError> {
        let key = find(path).ok_or_else(|| unknown(path, "command line"))?;
        self.text(key, text, Source::Flag)
    }

    /// Every value, in the order of the reference.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&'static Key, Option<&Setting>)> {
        KEYS.iter().map(|key| (key, self.values.get(key.path)))
    }

    fn text(&mut self, key: &'static Key, text: &str, source: Source) -> Result<(), ConfigError> {
        let value = value::from_text(key.kind, text).map_err(|problem| ConfigError::Value {
            key: key.path.to_owned(),
            origin: source.to_string(),
            problem: mask(key, problem),
        })?;
        self.values.insert(key.path, Setting { key, value, source });
        Ok(())
    }

    fn file(&mut self, path: &Path) -> Result<(), ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })?;
        let table: toml::Table = toml::from_str(&text).map_err(|e| ConfigError::Syntax {
            path: path.to_owned(),
            problem: e.to_string().trim_end().to_owned(),
        })?;
        self.table("", &table, path)
    }

    fn table(&mut self, prefix: &str, table: &toml::Table, file: &Path) -> Result<(), ConfigError> {
        for (name, found) in table {
            let path = if prefix.is_empty() {
                name.clone()
            } else {
                format!("{prefix}.{name}")
            };
            if let Some(key) = find(&path) {
                let value =
                    value::from_file(key.kind, found).map_err(|problem| ConfigError::Value {
                        key: path.clone(),
                        origin: file.display().to_string(),
                        problem: mask(key, problem),
                    })?;
                let source = Source::File(file.to_owned());
                self.values.insert(key.path, Setting { key, value, source });
            } else if let (Value::Table(inner), true) = (found, is_section(&path)) {
                self.table(&path, inner, file)?;
            } else {
                return Err(unknown(&path, &file.display().to_string()));
            }
        }
        Ok(())
    }

    fn environment(&mut self, env: &BTreeMap<String, String>) -> Result<(), ConfigError> {
        for key in KEYS {
            for name in key.envs() {
                if let Some(text) = env.get(&name).filter(|text| !text.is_empty()) {
                    self.text(key, text, Source::Env(name))?;
                    break;
                }
                let file = format!("{name}_FILE");
                if let (Kind::Secret, Some(path)) = (key.kind, env.get(&file)) {
                    let path = PathBuf::from(path);
                    let text = std::fs::read_to_string(&path)
                        .map_err(|source| ConfigError::Read { path, source })?;
                    self.text(key, text.trim_end_matches(['\r', '\n']), Source::Env(file))?;
                    break;
                }
            }
        }
        for name in env.keys().filter(|name| name.starts_with("HARDSHELL_")) {
            let known = OTHER_ENV.iter().any(|(other, _)| other == name)
                || KEYS.iter().any(|key| {
                    key.env() == *name
                        || (key.kind == Kind::Secret && format!("{}_FILE", key.env()) == *name)
                });
            if !known {
                let names = KEYS
                    .iter()
                    .map(Key::env)
                    .chain(OTHER_ENV.iter().map(|(name, _)| (*name).to_owned()));
                return Err(ConfigError::Unknown {
                    key: name.clone(),
                    origin: "environment".to_owned(),
                    hint: hint(name, names),
                });
            }
        }
        Ok(())
    }

    /// The typed configuration.
    pub(crate) fn config(&self) -> Result<Config, ConfigError> {
        self.check_s3()?;
        let mut root = toml::Table::new();
        for setting in self.values.values() {
            let in_s3 = setting.key.path.starts_with("objects.s3.");
            if in_s3 && !self.values.contains_key("objects.s3.bucket") {
                continue;
            }
            insert(&mut root, setting.key.path, setting.value.clone());
        }
        let server: super::ServerConfig = section(&mut root, "server")?;
        let log = section(&mut root, "log")?;
        let kernel = section(&mut root, "kernel")?;
        let tools = section(&mut root, "tools")?;
        let service = hardshell_service::ServiceConfig::deserialize(Value::Table(root))
            .map_err(|e| ConfigError::Together(e.to_string().trim_end().to_owned()))?;
        server.check()?;
        Ok(Config {
            server,
            log,
            kernel,
            tools,
            service,
        })
    }

    fn check_s3(&self) -> Result<(), ConfigError> {
        if self.values.contains_key("objects.s3.bucket") {
            return Ok(());
        }
        let lonely = self
            .values
            .values()
            .find(|s| s.key.path.starts_with("objects.s3.") && s.source != Source::Default);
        match lonely {
            Some(setting) => Err(ConfigError::Together(format!(
                "{} is set (by {}) but objects.s3.bucket is not: name the bucket, or unset the other",
                setting.key.path, setting.source
            ))),
            None => Ok(()),
        }
    }
}

fn process_env() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

fn section<T: serde::de::DeserializeOwned>(
    root: &mut toml::Table,
    name: &str,
) -> Result<T, ConfigError> {
    let table = root
        .remove(name)
        .unwrap_or_else(|| Value::Table(toml::Table::new()));
    T::deserialize(table)
        .map_err(|e| ConfigError::Together(format!("[{name}]: {}", e.to_string().trim_end())))
}

/// A secret's text must not get into an error message.
fn mask(key: &Key, problem: String) -> String {
    if key.kind == Kind::Secret {
        "the value is not usable".to_owned()
    } else {
        problem
    }
}

fn insert(root: &mut toml::Table, path: &str, value: Value) {
    match path.split_once('.') {
        None => {
            root.insert(path.to_owned(), value);
        }
        Some((head, rest)) => {
            let inner = root
                .entry(head.to_owned())
                .or_insert_with(|| Value::Table(toml::Table::new()));
            if let Value::Table(inner) = inner {
                insert(inner, rest, value);
            }
        }
    }
}

fn is_section(path: &str) -> bool {
    let prefix = format!("{path}.");
    KEYS.iter().any(|key| key.path.starts_with(&prefix))
}

fn unknown(key: &str, source: &str) -> ConfigError {
    ConfigError::Unknown {
        key: key.to_owned(),
        origin: source.to_owned(),
        hint: hint(key, KEYS.iter().map(|key| key.path.to_owned())),
    }
}

fn hint(wrong: &str, known: impl Iterator<Item = String>) -> String {
    match known.min_by_key(|name| distance(wrong, name)) {
        Some(near) if distance(wrong, &near) <= near.len().max(6) / 2 => {
            format!("; did you mean `{near}`?")
        }
        _ => " (`hardshell config --reference` lists them all)".to_owned(),
    }
}

/// Edits from one text to the other (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cb, cell) in b.iter().zip(row.iter_mut().skip(1)) {
            let above = *cell;
            left = if ca == *cb {
                diagonal
            } else {
                1 + diagonal.min(above).min(left)
            };
            diagonal = above;
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
