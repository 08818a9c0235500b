//! Write: a whole file at once.

use crate::answer::{Answer, ToolError};
use crate::args::{Args, Kind, Parameter, required};
use crate::atomic;
use crate::path;
use crate::snippet;
use crate::state::{FileState, State};
use crate::text::{Encoding, Lines, to_crlf};
use std::fs::{self, Metadata};
use std::io;
use std::path::Path;

/// The parameters of Write.
pub const PARAMETERS: &[Parameter] = &[
    required("file_path", Kind::String),
    required("content", Kind::String),
];

/// Runs Write.
pub fn write(args: &Args, state: &State) -> Result<Answer, ToolError> {
    let path = path::absolute(args.text("file_path"))?;
    let content = args.text("content").as_bytes();
    let target = path::follow_links(&path)?;
    let Some(old) = current(&path)? else {
        create_parent(&target)?;
        let written = atomic::replace(&target, content)?;
        let text = format!("File created successfully at: {}", path.display());
        return Ok(Answer::text(text).with_state(&path, written));
    };
    state.check(&path, &old.state)?;
    let bytes = match &old.bytes {
        Some(bytes) => like(bytes, content),
        None => content.to_vec(),
    };
    let written = atomic::replace(&target, &bytes)?;
    let before = old
        .bytes
        .as_deref()
        .and_then(|bytes| Encoding::sniff(bytes).decode(bytes))
        .unwrap_or_default();
    let before = Lines::new(&before).text;
    let after = crate::text::to_lf(content);
    let range = snippet::changed_range(&before, &after);
    let text = if before == after {
        format!(
            "The file {} has been written; its content is the same as before.",
            path.display()
        )
    } else {
        updated(&path, &snippet::changes(&after, &[range]))
    };
    Ok(Answer::text(text).with_state(&path, written))
}

/// What a model is told after a change.
pub fn updated(path: &Path, snippet: &str) -> String {
    format!(
        "The file {} has been updated. Here's the result of running `cat -n` on a snippet of the edited file:\n{snippet}",
        path.display()
    )
}

/// A file as it is now.
pub struct Current {
    /// Its fingerprint.
    pub state: FileState,
    /// Its content, unless it is too large to take into memory.
    pub bytes: Option<Vec<u8>>,
}

/// The file at `path` as it is now; `None` if there is none.
pub fn current(path: &Path) -> Result<Option<Current>, ToolError> {
    let metadata: Metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(ToolError::io("write", path, &error)),
    };
    if metadata.is_dir() {
        return Err(ToolError::new(format!(
            "EISDIR: illegal operation on a directory, open '{}'",
            path.display()
        )));
    }
    if !metadata.is_file() {
        return Err(ToolError::new(format!(
            "{} is not a regular file.",
            path.display()
        )));
    }
    if metadata.len() > crate::state::DIGEST_MAX {
        let state = FileState {
            size: metadata.len(),
            mtime_ns: crate::state::mtime_ns(&metadata),
            ..FileState::default()
        };
        return Ok(Some(Current { state, bytes: None }));
    }
    let bytes = fs::read(path).map_err(|error| ToolError::io("read", path, &error))?;
    Ok(Some(Current {
        state: FileState::of(&metadata, &bytes),
        bytes: Some(bytes),
    }))
}

/// Makes the directories above `path`.
pub fn create_parent(path: &Path) -> Result<(), ToolError> {
    match path.parent() {
        Some(parent) if !parent.is_dir() => fs::create_dir_all(parent)
            .map_err(|error| ToolError::io("create the directory", parent, &error)),
        _ => Ok(()),
    }
}

/// `content` in the encoding and with the line endings of `old`.
fn like(old: &[u8], content: &[u8]) -> Vec<u8> {
    let encoding = Encoding::sniff(old);
    let endings = encoding
        .decode(old)
        .is_some_and(|text| Lines::new(&text).crlf);
    let text = if endings {
        to_crlf(content)
    } else {
        content.to_vec()
    };
    // A model that writes the mark itself must not get it twice.
    let marked = Encoding::sniff(&text) == Encoding::Utf8Bom;
    if marked { text } else { encoding.encode(&text) }
}
