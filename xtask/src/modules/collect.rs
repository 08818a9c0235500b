//! Copying built modules to their place, each whole or not at all.

use super::manifest::Entry;
use super::metadata::{Guests, Module};
use anyhow::Context as _;
use std::io::Write as _;
use std::path::Path;

/// What was collected.
#[derive(Default)]
pub(crate) struct Report {
    pub(crate) files: usize,
    pub(crate) changed: usize,
    pub(crate) bytes: u64,
}

/// Copies a tool module and gives its manifest entry.
pub(crate) fn module(
    built: &Path,
    out: &Path,
    module: &Module,
    report: &mut Report,
) -> anyhow::Result<Entry> {
    let file = format!("{}.wasm", module.name);
    let bytes = read(built)?;
    let changed = place(&bytes, &out.join(&file))?;
    report.add(&bytes, changed);
    eprintln!(
        "   {:<24} {:>9}  {:>3} {}{}",
        file,
        size(bytes.len() as u64),
        module.names.len(),
        if module.names.len() == 1 {
            "command"
        } else {
            "commands"
        },
        if changed { "  (changed)" } else { "" },
    );
    Ok(Entry {
        file,
        blake3: blake3::hash(&bytes).to_hex().to_string(),
        size: bytes.len() as u64,
        names: module.names.clone(),
        description: module.description.clone(),
    })
}

/// Copies one of the tests' guests.
pub(crate) fn guest(built: &Path, to: &Path, report: &mut Report) -> anyhow::Result<()> {
    let bytes = read(built)?;
    let changed = place(&bytes, to)?;
    report.add(&bytes, changed);
    Ok(())
}

/// Removes guests whose source is gone, so that no test runs against one by accident.
pub(crate) fn remove_stale_guests(out: &Path, guests: &Guests) -> anyhow::Result<()> {
    let Ok(listing) = std::fs::read_dir(out) else {
        return Ok(());
    };
    for entry in listing {
        let path = entry?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        let known = match name.strip_suffix(".component.wasm") {
            Some(bin) => guests.components.iter().any(|known| known == bin),
            None => name
                .strip_suffix(".wasm")
                .is_none_or(|bin| guests.bins.iter().any(|known| known == bin)),
        };
        if !known {
            std::fs::remove_file(&path)
                .with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    Ok(())
}

impl Report {
    fn add(&mut self, bytes: &[u8], changed: bool) {
        self.files += 1;
        self.bytes += bytes.len() as u64;
        self.changed += usize::from(changed);
    }
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Writes a file unless it holds the same bytes already; says whether it wrote. An unchanged
/// file keeps its time, so that what depends on it is not built again.
pub(crate) fn place(bytes: &[u8], to: &Path) -> anyhow::Result<bool> {
    if std::fs::read(to).is_ok_and(|old| old == bytes) {
        return Ok(false);
    }
    let folder = to.parent().context("a file has a folder")?;
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut temp = tempfile::NamedTempFile::new_in(folder)
        .with_context(|| format!("cannot write in {}", folder.display()))?;
    temp.write_all(bytes)?;
    use std::os::unix::fs::PermissionsExt as _;
    temp.as_file()
        .set_permissions(std::fs::Permissions::from_mode(0o644))?;
    temp.persist(to)
        .with_context(|| format!("cannot write {}", to.display()))?;
    Ok(true)
}

/// Bytes for people.
pub(crate) fn size(bytes: u64) -> String {
    if bytes < 1024 * 1024 {
        format!("{} KiB", bytes.div_ceil(1024))
    } else {
        let tenths = bytes * 10 / (1024 * 1024);
        format!("{}.{} MiB", tenths / 10, tenths % 10)
    }
}
