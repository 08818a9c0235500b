//! `hardshell tool build`: the module of a project.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::wasm::{self, with_custom_section};
use super::{ToolkitError, read, write};
use crate::manifest::{Manifest, SECTION};
use crate::provider::folder::find_manifest;

/// What a build made.
#[derive(Clone, Debug)]
pub struct Built {
    /// The module, its manifest inside.
    pub module: PathBuf,
    /// The manifest.
    pub manifest: Manifest,
}

/// Builds the project in `folder` and puts the module into `folder/dist`. A project with
/// a `Cargo.toml` is built by cargo, one with a single C file by clang or zig. A manifest
/// that stands beside the source is embedded.
///
/// # Errors
/// When a compiler is missing or fails, or the manifest is not valid.
pub fn build(folder: &Path) -> Result<Built, ToolkitError> {
    let cargo = folder.join("Cargo.toml");
    let (name, bytes) = if cargo.is_file() {
        rust(folder, &cargo)?
    } else {
        c(folder)?
    };
    let module = folder.join("dist").join(format!("{name}.wasm"));
    let beside = folder.join(format!("{name}.toml"));
    let bytes = if beside.is_file() {
        embedded(&bytes, &beside)?
    } else {
        bytes
    };
    write(&module, &bytes)?;
    let manifest = find_manifest(&module, &bytes)
        .map_err(|error| {
            ToolkitError::Input(format!("the manifest of {}: {error}", module.display()))
        })?
        .ok_or_else(|| {
            ToolkitError::Input(format!(
                "{} has no manifest: use #[hardshell_sdk::tool], or write {}",
                module.display(),
                beside.display()
            ))
        })?;
    Ok(Built { module, manifest })
}

/// Puts a manifest file into a module.
///
/// # Errors
/// When either is not valid.
pub fn embed(module: &Path, manifest: &Path, out: &Path) -> Result<(), ToolkitError> {
    write(out, embedded(&read(module)?, manifest)?)
}

fn embedded(module: &[u8], manifest: &Path) -> Result<Vec<u8>, ToolkitError> {
    let folder = manifest.parent().unwrap_or(Path::new("."));
    let file =
        |name: &str| std::fs::read(folder.join(name)).map_err(|error| format!("{name}: {error}"));
    let invalid = |error: String| ToolkitError::Input(format!("{}: {error}", manifest.display()));
    let parsed =
        Manifest::parse(&read(manifest)?, &file).map_err(|error| invalid(error.to_string()))?;
    // As JSON, and with the schema inside: nothing else need travel with the module.
    let json = serde_json::to_vec(&parsed).map_err(|error| invalid(error.to_string()))?;
    with_custom_section(module, SECTION, &json).map_err(|error| invalid(error.to_string()))
}

#[derive(serde::Deserialize)]
struct CargoToml {
    package: Package,
}

#[derive(serde::Deserialize)]
struct Package {
    name: String,
    #[serde(default)]
    metadata: toml::Table,
}

fn rust(folder: &Path, cargo: &Path) -> Result<(String, Vec<u8>), ToolkitError> {
    let text = String::from_utf8_lossy(&read(cargo)?).into_owned();
    let parsed: CargoToml = toml::from_str(&text)
        .map_err(|error| ToolkitError::Input(format!("{}: {error}", cargo.display())))?;
    let name = parsed.package.name;
    let target = parsed
        .package
        .metadata
        .get("hardshell")
        .and_then(|own| own.get("target"))
        .and_then(toml::Value::as_str)
        .unwrap_or("wasm32-wasip1")
        .to_owned();
    if !["wasm32-wasip1", "wasm32-wasip2"].contains(&target.as_str()) {
        return Err(ToolkitError::Input(format!(
            "{target}: the target must be wasm32-wasip1 or wasm32-wasip2"
        )));
    }
    let target_dir = folder.join("target");
    let mut command = Command::new("cargo");
    command
        .args(["build", "--release", "--target", &target])
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", &target_dir)
        .env(
            "RUSTFLAGS",
            "-C target-feature=+simd128,+bulk-memory,+sign-ext,+nontrapping-fptoint",
        );
    run(command, &format!("rustup target add {target}"))?;
    let file = target_dir
        .join(&target)
        .join("release")
        .join(format!("{name}.wasm"));
    Ok((name, read(&file)?))
}

fn c(folder: &Path) -> Result<(String, Vec<u8>), ToolkitError> {
    let mut sources: Vec<PathBuf> = std::fs::read_dir(folder)
        .map_err(super::at(folder))?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "c"))
        .collect();
    sources.sort();
    let [source] = sources.as_slice() else {
        return Err(ToolkitError::Input(format!(
            "{} holds neither a Cargo.toml nor exactly one C file",
            folder.display()
        )));
    };
    let name = source
        .file_stem()
        .map(|stem| stem.to_string_lossy().into_owned())
        .unwrap_or_default();
    let out = folder.join("dist").join(format!("{name}.wasm"));
    write(&out, b"")?;
    // The compilers that bring a libc for WASI, the likeliest first. Each is tried until
    // one succeeds; the last one's words are what the author gets.
    let mut last = None;
    for (program, arguments) in [
        ("zig", &["cc", "-target", "wasm32-wasi"][..]),
        (
            "python3",
            &["-m", "ziglang", "cc", "-target", "wasm32-wasi"][..],
        ),
        ("clang", &["--target=wasm32-wasip1"][..]),
    ] {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .arg("-O2")
            .arg("-o")
            .arg(&out)
            .arg(source);
        match run(command, "pip install ziglang") {
            Ok(()) => return Ok((name, read(&out)?)),
            Err(error) => last = Some(error),
        }
    }
    let _ = std::fs::remove_file(&out);
    Err(last.unwrap_or_else(|| ToolkitError::Program("no C compiler was found".into())))
}

fn run(mut command: Command, remedy: &str) -> Result<(), ToolkitError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let done = command.output().map_err(|error| {
        ToolkitError::Program(format!("{program} cannot be run: {error}. Try: {remedy}"))
    })?;
    if done.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&done.stderr);
    Err(ToolkitError::Program(format!(
        "{program} failed ({}):\n{}",
        done.status,
        said.trim()
    )))
}

/// Whether the file is WebAssembly at all.
pub(super) fn check_module(path: &Path, bytes: &[u8]) -> Result<wasm::Kind, ToolkitError> {
    wasm::kind(bytes).map_err(|error| ToolkitError::Input(format!("{}: {error}", path.display())))
}
