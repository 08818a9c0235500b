//! Paths as a model writes them, made absolute.

use crate::answer::ToolError;
use std::ffi::OsString;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// As many links as Linux follows before it gives up.
const LINKS_MAX: usize = 40;

/// `given` as an absolute path without `.` and `..`; relative ones start at the
/// working directory.
pub fn absolute(given: &str) -> Result<PathBuf, ToolError> {
    if given.contains('\0') {
        return Err(ToolError::new("The path contains a NUL character."));
    }
    let given = Path::new(given);
    let mut path = if given.is_absolute() {
        PathBuf::from("/")
    } else {
        std::env::current_dir()
            .map_err(|error| ToolError::io("find the working directory of", given, &error))?
    };
    for component in given.components() {
        match component {
            Component::Normal(name) => path.push(name),
            Component::ParentDir => {
                path.pop();
            }
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    Ok(path)
}

/// The file that a write to `path` changes: symbolic links are followed, so that
/// the new file replaces what they point at and not the link.
pub fn follow_links(path: &Path) -> Result<PathBuf, ToolError> {
    let mut path = path.to_path_buf();
    for _ in 0..LINKS_MAX {
        match fs::read_link(&path) {
            Ok(target) => {
                let base = path.parent().unwrap_or(Path::new("/"));
                path = base.join(target);
            }
            Err(_) => return Ok(path),
        }
    }
    Err(ToolError::new(format!(
        "{}: too many levels of symbolic links.",
        path.display()
    )))
}

/// "File does not exist.", with the name that was probably meant.
pub fn missing(path: &Path) -> ToolError {
    match similar(path) {
        Some(other) => ToolError::new(format!(
            "File does not exist. Did you mean {}?",
            other.display()
        )),
        None => ToolError::new("File does not exist."),
    }
}

/// A file in the same directory whose name differs in its extension or in case only.
fn similar(path: &Path) -> Option<PathBuf> {
    let directory = path.parent()?;
    let wanted = path.file_name()?.to_string_lossy().to_lowercase();
    let stem = path.file_stem()?.to_string_lossy().to_lowercase();
    let mut names: Vec<OsString> = fs::read_dir(directory)
        .ok()?
        .take(10_000)
        .filter_map(|entry| entry.ok().map(|entry| entry.file_name()))
        .collect();
    names.sort();
    let lower = |name: &OsString| name.to_string_lossy().to_lowercase();
    let found = names
        .iter()
        .find(|name| lower(name) == wanted)
        .or_else(|| {
            names.iter().find(|name| {
                Path::new(name)
                    .file_stem()
                    .is_some_and(|other| other.to_string_lossy().to_lowercase() == stem)
            })
        })?;
    let found = directory.join(found);
    (found != path && found.is_file()).then_some(found)
}
