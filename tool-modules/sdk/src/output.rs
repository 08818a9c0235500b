//! What a tool gives back.

use crate::Error;
use crate::schema::{Piece, Schema};
use serde::Serialize;
use std::io::{self, Write};

/// A result that knows how it is written.
pub trait Output {
    /// The manifest's members about it, each with a comma before it.
    const MANIFEST: &'static [Piece];

    /// Writes it to standard output.
    ///
    /// # Errors
    /// When that fails.
    fn write(&self, out: &mut dyn Write) -> io::Result<()>;
}

/// The return type of a tool; for the macro.
#[doc(hidden)]
pub trait Returned {
    /// As [`Output::MANIFEST`].
    const MANIFEST: &'static [Piece];
}

impl<T: Output> Returned for std::result::Result<T, Error> {
    const MANIFEST: &'static [Piece] = T::MANIFEST;
}

impl Output for String {
    const MANIFEST: &'static [Piece] = &[Piece::Text(",\"output\":\"text\"")];

    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(self.as_bytes())?;
        if self.is_empty() || self.ends_with('\n') {
            Ok(())
        } else {
            out.write_all(b"\n")
        }
    }
}

/// Data: the model gets it as JSON, a program as structured content with a schema.
pub struct Json<T>(pub T);

impl<T: Serialize + Schema> Output for Json<T> {
    const MANIFEST: &'static [Piece] = &[
        Piece::Text(",\"output\":\"json\",\"output_schema\":{"),
        Piece::Sub(T::SCHEMA),
        Piece::Text("}"),
    ];

    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut *out, &self.0)?;
        out.write_all(b"\n")
    }
}

/// A block of MCP content.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Block {
    /// A text.
    Text {
        /// The text.
        text: String,
    },
    /// A picture.
    Image {
        /// Its bytes in base64.
        data: String,
        /// Its media type.
        #[serde(rename = "mimeType")]
        mime_type: String,
    },
}

impl Block {
    /// A text.
    pub fn text(text: impl Into<String>) -> Self {
        Block::Text { text: text.into() }
    }

    /// A picture from its bytes.
    pub fn image(bytes: &[u8], mime_type: impl Into<String>) -> Self {
        Block::Image {
            data: base64(bytes),
            mime_type: mime_type.into(),
        }
    }
}

impl Output for Vec<Block> {
    const MANIFEST: &'static [Piece] = &[Piece::Text(",\"output\":\"mcp\"")];

    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        serde_json::to_writer(&mut *out, self)?;
        out.write_all(b"\n")
    }
}

/// Base64 with padding.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let mut group = [0u8; 3];
        group[..chunk.len()].copy_from_slice(chunk);
        let number = u32::from(group[0]) << 16 | u32::from(group[1]) << 8 | u32::from(group[2]);
        for digit in 0..4 {
            if digit <= chunk.len() {
                out.push(char::from(
                    DIGITS[(number >> (18 - 6 * digit)) as usize & 63],
                ));
            } else {
                out.push('=');
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_padded() {
        for (bytes, text) in [
            (&b""[..], ""),
            (b"f", "Zg=="),
            (b"fo", "Zm8="),
            (b"foo", "Zm9v"),
            (b"foob", "Zm9vYg=="),
        ] {
            assert_eq!(base64(bytes), text);
        }
    }
}
