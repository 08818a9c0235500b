//! Telling what is not text, and naming it.

use crate::text::Encoding;

/// First bytes, and what a file that has them is.
const MAGIC: &[(&[u8], &str)] = &[
    (b"\x7fELF", "an ELF executable"),
    (b"\0asm", "a WebAssembly module"),
    (
        b"PK\x03\x04",
        "a zip archive (or an office document, which is one)",
    ),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ\0", "an xz archive"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"SQLite format 3\0", "an SQLite database"),
    (b"MZ", "a Windows executable"),
    (b"\xca\xfe\xba\xbe", "a Java class or a Mach-O executable"),
    (b"\xcf\xfa\xed\xfe", "a Mach-O executable"),
    (b"PAR1", "a Parquet file"),
    (b"ARROW1", "an Arrow file"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        "an old office document",
    ),
    (b"OggS", "an Ogg recording"),
    (b"fLaC", "a FLAC recording"),
    (b"ID3", "an MP3 recording"),
    (b"\x1aE\xdf\xa3", "a Matroska or WebM video"),
    (b"BM", "a BMP image"),
    (b"II*\0", "a TIFF image"),
    (b"MM\0*", "a TIFF image"),
    (b"\0\0\x01\0", "an icon"),
    (b"wOFF", "a web font"),
    (b"wOF2", "a web font"),
];

/// Names the file whose first bytes are `head` if it is not text.
pub(super) fn kind(head: &[u8]) -> Option<&'static str> {
    if matches!(Encoding::sniff(head), Encoding::Utf16Le | Encoding::Utf16Be) {
        return None;
    }
    if head.get(257..262) == Some(b"ustar") {
        return Some("a tar archive");
    }
    if head.get(4..8) == Some(b"ftyp") {
        return Some("an MP4 or HEIC file");
    }
    if head.starts_with(b"RIFF") && head.get(8..12) == Some(b"WAVE") {
        return Some("a WAVE recording");
    }
    if !looks_binary(head) {
        return None;
    }
    let named = MAGIC
        .iter()
        .find(|(magic, _)| head.starts_with(magic))
        .map(|(_, name)| *name);
    named.or(Some("binary data of an unknown kind"))
}

/// A NUL, or many control characters: no text has them, whatever its encoding.
fn looks_binary(head: &[u8]) -> bool {
    if head.contains(&0) {
        return true;
    }
    let controls = head
        .iter()
        .filter(|&&byte| {
            byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r' | 0x0c | 0x08 | 0x1b)
                || byte == 0x7f
        })
        .count();
    controls * 20 > head.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds() {
        for (head, expected) in [
            (&b"hello\n"[..], None),
            (b"", None),
            (b"caf\xe9 au lait", None),
            (b"\x1b[31mred\x1b[0m\n", None),
            (b"\xff\xfeh\0i\0", None),
            (b"BMW is a car\n", None),
            (b"MZ\0\0", Some("a Windows executable")),
            (b"\x7fELF\x02\x01\0\0", Some("an ELF executable")),
            (b"a\0b", Some("binary data of an unknown kind")),
            (b"\x01\x02\x03\x04", Some("binary data of an unknown kind")),
        ] {
            assert_eq!(kind(head), expected, "{head:?}");
        }
    }
}
