//! `hardshell tool add`, `list`, `remove`: a server's folder of tools.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{Inspection, ToolkitError, at, inspect, read};
use crate::policy::Policy;

/// A tool that was added.
#[derive(Clone, Debug, Serialize)]
pub struct Added {
    /// Where it is now.
    pub module: PathBuf,
    /// What it is.
    pub inspection: Inspection,
    /// Whether it took the place of another.
    pub replaced: bool,
}

/// One file of the folder.
#[derive(Clone, Debug, Serialize)]
pub struct Listed {
    /// The command's, and where there is a manifest the tool's, name.
    pub name: String,
    /// What it is.
    pub inspection: Inspection,
}

/// Puts a module (and the manifest beside it) into a folder of tools, if the policy
/// allows it. A running server takes it up by itself.
///
/// # Errors
/// When it is refused, or a file cannot be copied.
pub fn add(
    module: &Path,
    folder: &Path,
    policy: &Policy,
    replace: bool,
) -> Result<Added, ToolkitError> {
    let inspection = inspect(module, policy)?;
    if !inspection.refused.is_empty() {
        return Err(ToolkitError::Input(inspection.to_string()));
    }
    let stem = module
        .file_stem()
        .map(|stem| stem.to_string_lossy().into_owned())
        .unwrap_or_default();
    let name = inspection
        .manifest
        .as_ref()
        .map_or(stem, |manifest| manifest.name.clone());
    if name.is_empty() || name.contains(['/', '\0']) {
        return Err(ToolkitError::Input(format!(
            "{name:?} is no name for a command"
        )));
    }
    std::fs::create_dir_all(folder).map_err(at(folder))?;
    let target = folder.join(format!("{name}.wasm"));
    let replaced = target.exists();
    if replaced && !replace {
        return Err(ToolkitError::Input(format!(
            "{} exists already",
            target.display()
        )));
    }
    let mut bytes = read(module)?;
    // The manifest goes into the module, so that the two cannot come apart.
    let beside = module.with_extension("toml");
    if let (true, Some(manifest)) = (beside.is_file(), &inspection.manifest) {
        let json =
            serde_json::to_vec(manifest).map_err(|error| ToolkitError::Input(error.to_string()))?;
        bytes = super::wasm::with_custom_section(&bytes, crate::manifest::SECTION, &json)
            .map_err(|error| ToolkitError::Input(error.to_string()))?;
    }
    // Under another name first: the server must not see half a file.
    let temporary = folder.join(format!(".{name}.new"));
    std::fs::write(&temporary, &bytes).map_err(at(&temporary))?;
    std::fs::rename(&temporary, &target).map_err(at(&target))?;
    Ok(Added {
        inspection: inspect(&target, policy)?,
        module: target,
        replaced,
    })
}

/// What a folder of tools holds, sorted by name.
///
/// # Errors
/// When it cannot be read.
pub fn list(folder: &Path, policy: &Policy) -> Result<Vec<Listed>, ToolkitError> {
    let mut listed = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(at(folder))? {
        let path = entry.map_err(at(folder))?.path();
        if path.extension().is_none_or(|extension| extension != "wasm") {
            continue;
        }
        let stem = path
            .file_stem()
            .map(|stem| stem.to_string_lossy().into_owned())
            .unwrap_or_default();
        let inspection = inspect(&path, policy)?;
        let name = inspection
            .manifest
            .as_ref()
            .map_or(stem, |manifest| manifest.name.clone());
        listed.push(Listed { name, inspection });
    }
    listed.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(listed)
}

/// Takes a tool out of the folder.
///
/// # Errors
/// When it is not there, or cannot be removed.
pub fn remove(name: &str, folder: &Path, policy: &Policy) -> Result<PathBuf, ToolkitError> {
    let listed = list(folder, policy)?;
    let found = listed
        .iter()
        .find(|listed| listed.name == name)
        .ok_or_else(|| {
            ToolkitError::Input(format!("{} holds no tool {name:?}", folder.display()))
        })?;
    let path = PathBuf::from(&found.inspection.file);
    std::fs::remove_file(&path).map_err(at(&path))?;
    let beside = path.with_extension("toml");
    if beside.is_file() {
        std::fs::remove_file(&beside).map_err(at(&beside))?;
    }
    Ok(path)
}
