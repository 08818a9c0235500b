//! What `cargo metadata` says about the workspace of the tool modules.

use crate::cmd::Cmd;
use crate::root::Root;
use anyhow::{Context as _, bail};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What there is to build.
pub(crate) struct Plan {
    /// The tool modules, by name.
    pub(crate) modules: Vec<Module>,
    /// The guests of tests and benches.
    pub(crate) guests: Guests,
}

/// One tool module.
pub(crate) struct Module {
    /// The file's name without `.wasm`: the package's, less `hardshell-`.
    pub(crate) name: String,
    /// Cargo's package.
    pub(crate) package: String,
    /// The binary target of the package.
    pub(crate) bin: String,
    /// The commands it serves.
    pub(crate) names: Vec<String>,
    /// One sentence on what it is.
    pub(crate) description: String,
}

/// The guests of tests and benches.
#[derive(Default)]
pub(crate) struct Guests {
    /// Their packages.
    pub(crate) packages: Vec<String>,
    /// Binaries to build for preview 1.
    pub(crate) bins: Vec<String>,
    /// Binaries to build for WASI 0.2 as well.
    pub(crate) components: Vec<String>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    metadata: Option<serde_json::Value>,
    manifest_path: PathBuf,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Declared {
    #[serde(default)]
    names: Vec<String>,
    #[serde(default)]
    description: String,
    #[serde(default)]
    components: Vec<String>,
    /// Not a tool of the product: its binaries are guests of tests or benches.
    #[serde(default)]
    test: bool,
}

/// Reads the workspace and refuses what could not be served: no binary, no command, a command
/// that two modules claim.
pub(crate) fn read(root: &Root) -> anyhow::Result<Plan> {
    let metadata = workspace(root)?;
    let mut modules = Vec::new();
    let mut guests = Guests::default();
    let mut owners: BTreeMap<String, String> = BTreeMap::new();
    for package in metadata.packages {
        let declared = package
            .metadata
            .as_ref()
            .and_then(|all| all.get("hardshell"));
        let bins: Vec<String> = package
            .targets
            .iter()
            .filter(|target| target.kind.iter().any(|kind| kind == "bin"))
            .map(|target| target.name.clone())
            .collect();
        let declared: Option<Declared> = declared
            .map(|value| serde_json::from_value(value.clone()))
            .transpose()
            .with_context(|| format!("[package.metadata.hardshell] of {}", package.name))?;
        if package.name == super::TEST_GUESTS
            || declared.as_ref().is_some_and(|declared| declared.test)
        {
            let components = declared
                .map(|declared| declared.components)
                .unwrap_or_default();
            if let Some(missing) = components.iter().find(|name| !bins.contains(name)) {
                bail!(
                    "{}: the component {missing} is no file of src/bin",
                    package.name
                );
            }
            if !bins.is_empty() {
                guests.packages.push(package.name);
            }
            guests.bins.extend(bins);
            guests.components.extend(components);
            continue;
        }
        let Some(declared) = declared else { continue };
        let name = package
            .name
            .strip_prefix("hardshell-")
            .unwrap_or(&package.name)
            .to_owned();
        let [bin] = bins.as_slice() else {
            bail!(
                "{}: a tool module has exactly one binary, this has {}",
                package.name,
                bins.len()
            );
        };
        if declared.names.is_empty() {
            bail!(
                "{}: [package.metadata.hardshell] names no command",
                package.name
            );
        }
        for command in &declared.names {
            if let Some(other) = owners.insert(command.clone(), package.name.clone()) {
                bail!(
                    "the command {command} is claimed by both {other} and {}",
                    package.name
                );
            }
        }
        modules.push(Module {
            name,
            package: package.name,
            bin: bin.clone(),
            names: declared.names,
            description: declared.description,
        });
    }
    modules.sort_by(|left, right| left.name.cmp(&right.name));
    Ok(Plan { modules, guests })
}

fn workspace(root: &Root) -> anyhow::Result<Metadata> {
    let json = Cmd::cargo()
        .args(["metadata", "--format-version", "1", "--no-deps"])
        .dir(&root.tool_modules())
        .read()?;
    serde_json::from_str(&json).context("cargo metadata of tool-modules")
}

/// The packages that have a unit test, guests aside.
pub(crate) fn packages_with_tests(root: &Root) -> anyhow::Result<Vec<String>> {
    let packages = workspace(root)?.packages.into_iter();
    Ok(packages
        .filter(|package| package.name != super::TEST_GUESTS)
        .filter(|package| package.manifest_path.parent().is_some_and(has_test))
        .map(|package| package.name)
        .collect())
}

fn has_test(folder: &Path) -> bool {
    let Ok(entries) = folder.read_dir() else {
        return false;
    };
    entries.flatten().map(|entry| entry.path()).any(|path| {
        if path.is_dir() {
            return !path.ends_with("target") && has_test(&path);
        }
        let source = path.extension().is_some_and(|end| end == "rs");
        source && std::fs::read_to_string(&path).is_ok_and(|text| text.contains("#[test]"))
    })
}
