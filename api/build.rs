//! Packs the tool modules into the binary.
//!
//! The modules are built by `cargo xtask modules` (another target, another workspace), so this
//! script only finds, checks and compresses them. `HARDSHELL_MODULES` names another folder than
//! `target/modules` of the clone; `CARGO_TARGET_DIR` does not move it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

type Failure = Box<dyn std::error::Error>;

fn main() {
    println!("cargo::rerun-if-env-changed=HARDSHELL_MODULES");
    println!("cargo::rerun-if-env-changed=HARDSHELL_ALLOW_EMPTY_BUNDLE");
    println!("cargo::rerun-if-changed=build.rs");
    if let Err(error) = pack() {
        for line in error.to_string().lines() {
            println!("cargo::error={line}");
        }
    }
}

fn pack() -> Result<(), Failure> {
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    let folder = folder()?;
    let manifest = folder.join("manifest.json");
    println!("cargo::rerun-if-changed={}", manifest.display());

    let mut code = String::from("pub(super) static MODULES: &[Module] = &[\n");
    match std::fs::read(&manifest) {
        Ok(text) => {
            let entries: Vec<serde_json::Value> = serde_json::from_slice(&text)
                .map_err(|e| format!("{} is not a manifest of modules: {e}", manifest.display()))?;
            for entry in &entries {
                code.push_str(&module(&folder, &out, entry)?);
            }
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            if std::env::var_os("HARDSHELL_ALLOW_EMPTY_BUNDLE").is_none_or(|v| v != "1") {
                return Err(format!(
                    "the tool modules are missing: {} does not exist.\n\
                     Build them first:  cargo xtask modules\n\
                     (to check the code without them: HARDSHELL_ALLOW_EMPTY_BUNDLE=1)",
                    manifest.display()
                )
                .into());
            }
            println!(
                "cargo::warning=built without tool modules: this hardshell has no commands at all \
                 (run `cargo xtask modules`, then build again)"
            );
        }
        Err(error) => return Err(format!("cannot read {}: {error}", manifest.display()).into()),
    }
    code.push_str("];\n");
    std::fs::write(out.join("modules.rs"), code)?;
    Ok(())
}

/// Where the modules are: beside the clone's Cargo.toml, whatever CARGO_TARGET_DIR says.
fn folder() -> Result<PathBuf, Failure> {
    if let Some(folder) = std::env::var_os("HARDSHELL_MODULES") {
        return Ok(PathBuf::from(folder));
    }
    let here = PathBuf::from(
        std::env::var_os("CARGO_MANIFEST_DIR").ok_or("CARGO_MANIFEST_DIR is not set")?,
    );
    let root = here.parent().ok_or("the crate has no parent folder")?;
    Ok(root.join("target/modules"))
}

/// Compresses one module and gives its entry of the table.
fn module(folder: &Path, out: &Path, entry: &serde_json::Value) -> Result<String, Failure> {
    let file = text(entry, "file")?;
    if file.contains('/') || !file.ends_with(".wasm") {
        return Err(format!("the manifest names {file:?}, which is not a module beside it").into());
    }
    let path = folder.join(&file);
    println!("cargo::rerun-if-changed={}", path.display());
    let bytes = std::fs::read(&path).map_err(|e| {
        format!(
            "cannot read {}: {e}\nRun `cargo xtask modules` again.",
            path.display()
        )
    })?;
    if entry
        .get("size")
        .and_then(serde_json::Value::as_u64)
        .is_some_and(|size| size != bytes.len() as u64)
    {
        return Err(format!(
            "{} is not the file that its manifest lists.\nRun `cargo xtask modules` again.",
            path.display()
        )
        .into());
    }
    let digest = digest(&text(entry, "blake3")?)?;
    // The level is what the profile can afford: the compressor itself is built without
    // optimisation in development.
    let release = std::env::var("PROFILE").is_ok_and(|p| p == "release");
    let packed = zstd::bulk::compress(&bytes, if release { 19 } else { 3 })?;
    let target = out.join(format!("{file}.zst"));
    std::fs::write(&target, packed)?;

    let names: Vec<String> = entry
        .get("names")
        .and_then(serde_json::Value::as_array)
        .ok_or_else(|| format!("the manifest lists no names for {file}"))?
        .iter()
        .map(|name| {
            name.as_str()
                .map(str::to_owned)
                .ok_or("a command name is not a string")
        })
        .collect::<Result<_, _>>()?;
    let description = entry
        .get("description")
        .and_then(serde_json::Value::as_str)
        .unwrap_or("");
    let mut code = String::new();
    writeln!(
        code,
        "    Module {{ digest: {digest:?}, names: &{names:?}, description: {description:?}, zstd: include_bytes!({:?}) }},",
        target.display().to_string()
    )?;
    Ok(code)
}

fn text(entry: &serde_json::Value, key: &str) -> Result<String, Failure> {
    entry
        .get(key)
        .and_then(serde_json::Value::as_str)
        .map(str::to_owned)
        .ok_or_else(|| format!("an entry of the manifest has no {key:?}").into())
}

fn digest(hex: &str) -> Result<[u8; 32], Failure> {
    let mut out = [0u8; 32];
    if hex.len() != 64 || !hex.is_ascii() {
        return Err(format!("{hex:?} is not a BLAKE3 digest").into());
    }
    for (i, byte) in out.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&hex[2 * i..2 * i + 2], 16)?;
    }
    Ok(out)
}
