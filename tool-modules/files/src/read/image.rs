//! Images come back as image content.

use super::Source;
use crate::answer::{Answer, Content, ToolError};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The largest image that models take: 5 MB once in base64.
const BYTES_MAX: u64 = 3_750_000;

/// The media type of an image that models take, by its first bytes.
pub fn mime(head: &[u8]) -> Option<&'static str> {
    if head.starts_with(b"\x89PNG\r\n\x1a\n") {
        Some("image/png")
    } else if head.starts_with(b"\xff\xd8\xff") {
        Some("image/jpeg")
    } else if head.starts_with(b"GIF87a") || head.starts_with(b"GIF89a") {
        Some("image/gif")
    } else if head.starts_with(b"RIFF") && head.get(8..12) == Some(b"WEBP") {
        Some("image/webp")
    } else {
        None
    }
}

pub(super) fn read(source: Source<'_>, mime_type: &'static str) -> Result<Answer, ToolError> {
    let size = source.metadata.len();
    if size > BYTES_MAX {
        return Err(ToolError::new(format!(
            "The image is too large to show: {size} bytes ({mime_type}), at most {BYTES_MAX} are allowed."
        )));
    }
    let (path, metadata) = (source.path, source.metadata);
    let bytes = source.whole("The image")?;
    let state = crate::state::FileState::of(metadata, &bytes);
    let image = Content::Image {
        data: STANDARD.encode(&bytes),
        mime_type,
    };
    Ok(Answer::blocks(vec![image]).with_state(path, state))
}
