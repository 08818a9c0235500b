//! Replacing a file as one step: a new file beside it, renamed over it.

use crate::answer::ToolError;
use crate::platform;
use crate::state::FileState;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Writes `bytes` to `path`, all or nothing. The mode of a file that is replaced
/// is kept. Gives the fingerprint of what now stands there.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<FileState, ToolError> {
    let room = platform::room(path);
    if bytes.len() as u64 > room {
        return Err(ToolError::new(format!(
            "Cannot write {}: {} bytes do not fit, the session may write {room} more bytes here. \
             The file was left as it was.",
            path.display(),
            bytes.len()
        )));
    }
    let mode = platform::mode(path);
    let (temporary, file) = create_beside(path)?;
    let written = fill(&temporary, file, bytes, mode).and_then(|()| fs::rename(&temporary, path));
    if let Err(error) = written {
        let _ = fs::remove_file(&temporary);
        return Err(ToolError::io("write", path, &error));
    }
    let metadata = fs::metadata(path).map_err(|error| ToolError::io("look at", path, &error))?;
    Ok(FileState::of(&metadata, bytes))
}

fn fill(temporary: &Path, mut file: File, bytes: &[u8], mode: Option<u32>) -> io::Result<()> {
    file.write_all(bytes)?;
    drop(file);
    match mode {
        Some(mode) => platform::set_mode(temporary, mode),
        None => Ok(()),
    }
}

/// A new, empty file in the directory of `path`.
fn create_beside(path: &Path) -> Result<(PathBuf, File), ToolError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // Long names leave room for what is added to them.
    let short: String = name.chars().take(60).collect();
    let clock = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.subsec_nanos());
    let mut last = io::Error::from(io::ErrorKind::AlreadyExists);
    for attempt in 0..100u32 {
        let tail = clock.wrapping_add(attempt.wrapping_mul(7919));
        let temporary = path.with_file_name(format!(".{short}.{tail:08x}.tmp"));
        match OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&temporary)
        {
            Ok(file) => return Ok((temporary, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => last = error,
            Err(error) => return Err(ToolError::io("write", path, &error)),
        }
    }
    Err(ToolError::io("write", path, &last))
}
