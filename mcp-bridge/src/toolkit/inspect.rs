//! `hardshell tool inspect`: what a module is and asks for, without running it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::Serialize;

use super::wasm::{self, Kind};
use super::{ToolkitError, build, read};
use crate::manifest::Manifest;
use crate::policy::Policy;
use crate::provider::folder::find_manifest;

/// Import modules that the kernel offers.
const OFFERED: &[&str] = &["wasi_snapshot_preview1", "hardshell"];

/// What was found.
#[derive(Clone, Debug, Serialize)]
pub struct Inspection {
    /// The file.
    pub file: String,
    /// "module" or "component".
    pub kind: &'static str,
    /// Its length, bytes.
    pub size: u64,
    /// BLAKE3 in hexadecimal; what a policy pins.
    pub digest: String,
    /// Imported functions by the module that they are from; empty for a component.
    pub imports: BTreeMap<String, Vec<String>>,
    /// The manifest, if it is an MCP tool.
    pub manifest: Option<Manifest>,
    /// Why it would not be served under the policy; empty if it would be.
    pub refused: Vec<String>,
}

/// Looks at a module under a policy.
///
/// # Errors
/// When the file cannot be read or is no WebAssembly.
pub fn inspect(file: &Path, policy: &Policy) -> Result<Inspection, ToolkitError> {
    let bytes = read(file)?;
    let kind = build::check_module(file, &bytes)?;
    let size = bytes.len() as u64;
    let digest = blake3::hash(&bytes).to_hex().to_string();
    let mut imports: BTreeMap<String, Vec<String>> = BTreeMap::new();
    if kind == Kind::Module {
        let listed = wasm::imports(&bytes)
            .map_err(|error| ToolkitError::Input(format!("{}: {error}", file.display())))?;
        for import in listed {
            imports.entry(import.module).or_default().push(import.name);
        }
    }
    let mut refused: Vec<String> = imports
        .keys()
        .filter(|module| !OFFERED.contains(&module.as_str()))
        .map(|module| format!("it imports {module:?}, which the kernel does not offer"))
        .collect();
    let manifest = match find_manifest(file, &bytes) {
        Ok(manifest) => manifest,
        Err(error) => {
            refused.push(format!("its manifest is not valid: {error}"));
            None
        }
    };
    if let Some(manifest) = &manifest
        && let Err(refusal) = policy.grant(manifest, &digest, size)
    {
        refused.extend(refusal.reasons);
    }
    Ok(Inspection {
        file: file.display().to_string(),
        kind: if kind == Kind::Module {
            "module"
        } else {
            "component"
        },
        size,
        digest,
        imports,
        manifest,
        refused,
    })
}

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {} of {} bytes", self.file, self.kind, self.size)?;
        writeln!(f, "digest   {}", self.digest)?;
        for (module, names) in &self.imports {
            writeln!(f, "imports  {module}: {}", names.join(" "))?;
        }
        match &self.manifest {
            None => writeln!(f, "no manifest: a shell command only")?,
            Some(manifest) => {
                let asked = &manifest.capabilities;
                let list = |names: &[String]| {
                    if names.is_empty() {
                        "none".to_owned()
                    } else {
                        names.join(" ")
                    }
                };
                writeln!(
                    f,
                    "tool     {}: {}",
                    manifest.name,
                    manifest.description.lines().next().unwrap_or_default()
                )?;
                writeln!(
                    f,
                    "asks for workspace {}, tmp {}, env {}, network {}, spawn {}",
                    serde_json::to_value(asked.workspace)
                        .ok()
                        .and_then(|v| v.as_str().map(str::to_owned))
                        .unwrap_or_default(),
                    if asked.tmp { "yes" } else { "no" },
                    list(&asked.env),
                    list(&asked.network),
                    list(&asked.spawn)
                )?;
            }
        }
        match self.refused.as_slice() {
            [] => writeln!(f, "the policy allows it"),
            reasons => {
                writeln!(f, "the policy refuses it:")?;
                reasons
                    .iter()
                    .try_for_each(|reason| writeln!(f, "  - {reason}"))
            }
        }
    }
}
