//! What a tool says of itself and asks for: the custom section `hardshell.tool` of its
//! module, or `NAME.toml` beside it.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::schema;

/// The custom section of a module that holds its manifest.
pub const SECTION: &str = "hardshell.tool";
/// The longest manifest, bytes.
const MANIFEST_MAX: usize = 256 << 10;
/// The longest description, characters.
const DESCRIPTION_MAX: usize = 4096;

/// A tool's manifest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Name of the MCP tool and of the shell command.
    pub name: String,
    /// A name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What it does, for the model.
    pub description: String,
    /// JSON Schema 2020-12 of the input; an object's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_schema: Option<Value>,
    /// A file beside the manifest that holds the schema instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_schema_file: Option<String>,
    /// JSON Schema of the output, where it is data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_schema: Option<Value>,
    /// How the input reaches the module.
    #[serde(default)]
    pub input: InputMode,
    /// What the module writes.
    #[serde(default)]
    pub output: OutputMode,
    /// What it asks for; what it gets is decided by the operator.
    #[serde(default)]
    pub capabilities: Capabilities,
    /// What it needs at most.
    #[serde(default)]
    pub limits: ToolLimits,
}

/// How the input reaches the module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InputMode {
    /// As one JSON object on standard input.
    #[default]
    JsonStdin,
    /// As arguments: `--name value` for each property.
    Argv,
}

/// What the module writes to standard output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutputMode {
    /// Text.
    #[default]
    Text,
    /// One JSON value, which becomes the structured content.
    Json,
    /// MCP content blocks: a JSON array of them.
    Mcp,
}

/// What a tool may do with the workspace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WorkspaceAccess {
    /// It does not see it.
    #[default]
    None,
    /// It reads and lists.
    ReadOnly,
    /// It changes files too.
    ReadWrite,
}

/// What a tool asks for. Nothing by default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Capabilities {
    /// The workspace.
    pub workspace: WorkspaceAccess,
    /// The scratch space.
    pub tmp: bool,
    /// Environment variables that it reads.
    pub env: Vec<String>,
    /// Hosts that it connects to, `name:port`.
    pub network: Vec<String>,
    /// Commands that it starts.
    pub spawn: Vec<String>,
}

/// What a tool needs at most; the smaller of this and the operator's limit holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ToolLimits {
    /// WebAssembly operators.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fuel: Option<u64>,
    /// Linear memory of one process, such as "128MiB".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<String>,
    /// Wall-clock time, such as "30s".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
}

/// Why a manifest is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Too long.
    #[error("the manifest has {0} bytes, at most {MANIFEST_MAX} are allowed")]
    TooLong(usize),
    /// Not TOML or JSON of the right form.
    #[error("the manifest is not valid: {0}")]
    Parse(String),
    /// A field whose value will not do.
    #[error("{field}: {reason}")]
    Field {
        /// Which.
        field: &'static str,
        /// Why.
        reason: String,
    },
}

fn field(field: &'static str, reason: impl Into<String>) -> ManifestError {
    ManifestError::Field {
        field,
        reason: reason.into(),
    }
}

impl Manifest {
    /// Reads a manifest, JSON if it begins with a brace and TOML otherwise, and checks it.
    /// `schema_file` gives the content of the file that `input_schema_file` names.
    ///
    /// # Errors
    /// When it is not valid. The text names the field.
    pub fn parse(
        bytes: &[u8],
        schema_file: &dyn Fn(&str) -> Result<Vec<u8>, String>,
    ) -> Result<Manifest, ManifestError> {
        if bytes.len() > MANIFEST_MAX {
            return Err(ManifestError::TooLong(bytes.len()));
        }
        let text =
            std::str::from_utf8(bytes).map_err(|error| ManifestError::Parse(error.to_string()))?;
        let mut manifest: Manifest = if text.trim_start().starts_with('{') {
            serde_json::from_str(text).map_err(|error| ManifestError::Parse(error.to_string()))?
        } else {
            toml::from_str(text).map_err(|error| ManifestError::Parse(error.to_string()))?
        };
        if let Some(name) = manifest.input_schema_file.take() {
            if manifest.input_schema.is_some() {
                return Err(field("input_schema_file", "input_schema is given too"));
            }
            let plain = !name.is_empty() && !name.contains(['/', '\0']) && name != "..";
            if !plain {
                return Err(field(
                    "input_schema_file",
                    "must name a file beside the manifest",
                ));
            }
            let bytes = schema_file(&name).map_err(|error| field("input_schema_file", error))?;
            let value = serde_json::from_slice(&bytes)
                .map_err(|error| field("input_schema_file", error.to_string()))?;
            manifest.input_schema = Some(value);
        }
        manifest.check()?;
        Ok(manifest)
    }

    fn check(&self) -> Result<(), ManifestError> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if self.name.is_empty()
            || self.name.len() > 64
            || !self.name.bytes().all(fits)
            || self.name.starts_with('-')
        {
            return Err(field(
                "name",
                "must be 1 to 64 letters, digits, _ or -, and not begin with -",
            ));
        }
        if self.description.trim().is_empty() {
            return Err(field(
                "description",
                "must not be empty: it is what a model chooses the tool by",
            ));
        }
        if self.description.chars().count() > DESCRIPTION_MAX {
            return Err(field(
                "description",
                format!("must not be longer than {DESCRIPTION_MAX} characters"),
            ));
        }
        let input = self
            .input_schema
            .as_ref()
            .ok_or_else(|| field("input_schema", "is missing"))?;
        schema::check(input).map_err(|error| field("input_schema", error))?;
        if input.get("type").and_then(Value::as_str) != Some("object") {
            return Err(field("input_schema", "must be of type \"object\""));
        }
        if let Some(output) = &self.output_schema {
            schema::check(output).map_err(|error| field("output_schema", error))?;
            if self.output != OutputMode::Json {
                return Err(field("output_schema", "needs output = \"json\""));
            }
        }
        for command in &self.capabilities.spawn {
            if command.is_empty() || command.contains(['/', '\0']) {
                return Err(field(
                    "capabilities.spawn",
                    format!("{command:?} is not a command name"),
                ));
            }
        }
        self.limits.memory()?;
        self.limits.timeout()?;
        Ok(())
    }
}

impl ToolLimits {
    /// The memory in bytes.
    ///
    /// # Errors
    /// When it is not a size.
    pub fn memory(&self) -> Result<Option<u64>, ManifestError> {
        self.memory
            .as_deref()
            .map(|text| {
                size(text).ok_or_else(|| field("limits.memory", "must be a size such as 128MiB"))
            })
            .transpose()
    }

    /// The time.
    ///
    /// # Errors
    /// When it is not a duration.
    pub fn timeout(&self) -> Result<Option<Duration>, ManifestError> {
        self.timeout
            .as_deref()
            .map(|text| {
                duration(text)
                    .ok_or_else(|| field("limits.timeout", "must be a duration such as 30s"))
            })
            .transpose()
    }
}

/// "128MiB", "64KiB", "2GiB" or a number of bytes.
fn size(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == ' ');
    let unit = text.get(digits.len()..)?.trim();
    let factor: u64 = match unit {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    digits
        .parse::<u64>()
        .ok()?
        .checked_mul(factor)
        .filter(|&bytes| bytes > 0)
}

/// "30s", "500ms", "2m".
fn duration(text: &str) -> Option<Duration> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits.parse().ok().filter(|&number| number > 0)?;
    match text.get(digits.len()..)? {
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        "m" => number.checked_mul(60).map(Duration::from_secs),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Manifest, String> {
        let file = |name: &str| match name {
            "schema.json" => Ok(b"{\"type\": \"object\"}".to_vec()),
            _ => Err("no such file".to_owned()),
        };
        Manifest::parse(text.as_bytes(), &file).map_err(|error| error.to_string())
    }

    const HEAD: &str = "name = \"a\"\ndescription = \"d\"\n";

    #[test]
    fn good_manifests() {
        let manifest = parse(
            "name = \"csv_summary\"\ntitle = \"Summarise\"\ndescription = \"...\"\n\
             input_schema = { type = \"object\", properties = { path = { type = \"string\" } } }\n\
             input = \"json-stdin\"\noutput = \"json\"\n\
             [capabilities]\nworkspace = \"read-only\"\ntmp = true\nenv = [\"LANG\"]\nspawn = [\"sort\"]\n\
             [limits]\nfuel = 5_000_000_000\nmemory = \"128MiB\"\ntimeout = \"30s\"\n",
        );
        let manifest = match manifest {
            Ok(manifest) => manifest,
            Err(error) => return assert_eq!(error, ""),
        };
        assert_eq!(manifest.capabilities.workspace, WorkspaceAccess::ReadOnly);
        assert_eq!(manifest.limits.memory(), Ok(Some(128 << 20)));
        assert_eq!(manifest.limits.timeout(), Ok(Some(Duration::from_secs(30))));
        assert!(parse(&format!("{HEAD}input_schema_file = \"schema.json\"")).is_ok());
        assert!(parse("{\"name\": \"a\", \"description\": \"d\", \"input_schema\": {\"type\": \"object\"}}").is_ok());
    }

    #[test]
    fn bad_manifests_name_the_field() {
        let schema = "input_schema = { type = \"object\" }\n";
        for (text, expected) in [
            (HEAD.to_owned(), "input_schema: is missing"),
            (
                format!("{HEAD}input_schema = {{ type = \"string\" }}"),
                "input_schema: must be of type \"object\"",
            ),
            (
                format!("{HEAD}{schema}color = 1"),
                "the manifest is not valid",
            ),
            (
                format!("name = \"a/b\"\ndescription = \"d\"\n{schema}"),
                "name: must be",
            ),
            (
                format!("name = \"a\"\ndescription = \" \"\n{schema}"),
                "description: must not be empty",
            ),
            (
                format!("{HEAD}{schema}output_schema = {{ type = \"object\" }}"),
                "output_schema: needs output",
            ),
            (
                format!("{HEAD}{schema}[capabilities]\nspawn = [\"/bin/sh\"]"),
                "capabilities.spawn: \"/bin/sh\"",
            ),
            (
                format!("{HEAD}{schema}[limits]\nmemory = \"much\""),
                "limits.memory: must be a size",
            ),
            (
                format!("{HEAD}{schema}[limits]\ntimeout = \"30\""),
                "limits.timeout: must be a duration",
            ),
            (
                format!("{HEAD}input_schema_file = \"../x\""),
                "input_schema_file: must name a file beside",
            ),
            (
                format!("{HEAD}input_schema_file = \"none\""),
                "input_schema_file: no such file",
            ),
        ] {
            let error = parse(&text).err().unwrap_or_default();
            assert!(error.starts_with(expected), "{text}\n{error}");
        }
    }
}
