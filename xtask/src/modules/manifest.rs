//! `target/modules/manifest.json`: which file serves which commands.

use super::collect::place;
use super::metadata::Plan;
use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// One module in the manifest.
#[derive(Serialize, Deserialize, Clone)]
pub(crate) struct Entry {
    /// File name beside the manifest.
    pub(crate) file: String,
    /// BLAKE3 of the file, 64 hexadecimal digits.
    pub(crate) blake3: String,
    /// Bytes.
    pub(crate) size: u64,
    /// The commands it serves.
    pub(crate) names: Vec<String>,
    /// One sentence.
    pub(crate) description: String,
}

/// Puts fresh entries into the manifest. Entries of modules that were not built this time stay
/// while their file does; those of modules that are gone from the workspace leave, file and all.
pub(crate) fn merge(out: &Path, plan: &Plan, fresh: Vec<Entry>) -> anyhow::Result<()> {
    let path = out.join("manifest.json");
    let old: Vec<Entry> = std::fs::read(&path)
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default();
    let mut entries: BTreeMap<String, Entry> = BTreeMap::new();
    for entry in old {
        let known = plan
            .modules
            .iter()
            .any(|module| format!("{}.wasm", module.name) == entry.file);
        let file = out.join(&entry.file);
        if known && file.is_file() {
            entries.insert(entry.file.clone(), entry);
        } else if !known && file.is_file() {
            std::fs::remove_file(&file)?;
        }
    }
    for entry in fresh {
        entries.insert(entry.file.clone(), entry);
    }
    let list: Vec<&Entry> = entries.values().collect();
    let mut text = serde_json::to_vec_pretty(&list)?;
    text.push(b'\n');
    place(&text, &path)?;
    Ok(())
}

/// For each module, one command that it serves.
pub(crate) fn one_command_each(out: &Path) -> anyhow::Result<Vec<String>> {
    let entries = read(&out.join("manifest.json"))?;
    Ok(entries
        .into_iter()
        .filter_map(|entry| entry.names.into_iter().next_back())
        .collect())
}

fn read(path: &Path) -> anyhow::Result<Vec<Entry>> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_slice(&bytes).with_context(|| format!("{} is no manifest", path.display()))
}
