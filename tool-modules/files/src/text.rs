//! Text as it stands in a file: its byte order mark, encoding and line endings.

/// How the characters of a file are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8, or any encoding in which ASCII is ASCII: the bytes are left alone.
    Bytes,
    /// UTF-8 with a byte order mark.
    Utf8Bom,
    /// UTF-16, little end first, with a byte order mark.
    Utf16Le,
    /// UTF-16, big end first, with a byte order mark.
    Utf16Be,
}

const UTF8_BOM: &[u8] = b"\xEF\xBB\xBF";
const UTF16_LE_BOM: &[u8] = b"\xFF\xFE";
const UTF16_BE_BOM: &[u8] = b"\xFE\xFF";

impl Encoding {
    /// The encoding that the first bytes of a file show.
    pub fn sniff(head: &[u8]) -> Self {
        if head.starts_with(UTF8_BOM) {
            Encoding::Utf8Bom
        } else if head.starts_with(UTF16_LE_BOM) {
            Encoding::Utf16Le
        } else if head.starts_with(UTF16_BE_BOM) {
            Encoding::Utf16Be
        } else {
            Encoding::Bytes
        }
    }

    /// The text of a file without its byte order mark, in UTF-8 where the encoding
    /// is known. `None` when a UTF-16 file does not decode without loss.
    pub fn decode(self, bytes: &[u8]) -> Option<Vec<u8>> {
        match self {
            Encoding::Bytes => Some(bytes.to_vec()),
            Encoding::Utf8Bom => Some(bytes.get(UTF8_BOM.len()..).unwrap_or_default().to_vec()),
            Encoding::Utf16Le => utf16(bytes, u16::from_le_bytes),
            Encoding::Utf16Be => utf16(bytes, u16::from_be_bytes),
        }
    }

    /// The bytes of a file that holds this text.
    pub fn encode(self, text: &[u8]) -> Vec<u8> {
        let (mark, unit): (&[u8], fn(u16) -> [u8; 2]) = match self {
            Encoding::Bytes => return text.to_vec(),
            Encoding::Utf8Bom => return [UTF8_BOM, text].concat(),
            Encoding::Utf16Le => (UTF16_LE_BOM, u16::to_le_bytes),
            Encoding::Utf16Be => (UTF16_BE_BOM, u16::to_be_bytes),
        };
        let mut bytes = mark.to_vec();
        for code in String::from_utf8_lossy(text).encode_utf16() {
            bytes.extend_from_slice(&unit(code));
        }
        bytes
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Option<Vec<u8>> {
    let body = bytes.get(2..).unwrap_or_default();
    let (pairs, rest) = body.as_chunks::<2>();
    let units = pairs.iter().map(|pair| unit(*pair));
    let text: String = char::decode_utf16(units).collect::<Result<_, _>>().ok()?;
    rest.is_empty().then(|| text.into_bytes())
}

/// A text with its line endings made LF, which knows where each byte came from.
///
/// A model never sees a carriage return, so what it wants replaced holds none. The
/// replacement happens in the original, so that the untouched lines keep theirs.
#[derive(Debug)]
pub struct Lines {
    /// The text with CR LF as LF.
    pub text: Vec<u8>,
    /// For each LF that was CR LF, where it stands in `text`.
    dropped: Vec<usize>,
    /// Whether most lines end in CR LF.
    pub crlf: bool,
}

impl Lines {
    /// Takes the carriage returns out of `original`.
    pub fn new(original: &[u8]) -> Self {
        if memchr::memchr(b'\r', original).is_none() {
            return Lines {
                text: original.to_vec(),
                dropped: Vec::new(),
                crlf: false,
            };
        }
        let mut text = Vec::with_capacity(original.len());
        let mut dropped = Vec::new();
        let mut feeds = 0usize;
        let mut bytes = original.iter().copied().peekable();
        while let Some(byte) = bytes.next() {
            if byte == b'\r' && bytes.peek() == Some(&b'\n') {
                dropped.push(text.len());
                continue;
            }
            feeds += usize::from(byte == b'\n');
            text.push(byte);
        }
        let crlf = dropped.len() * 2 > feeds;
        Lines {
            text,
            dropped,
            crlf,
        }
    }

    /// Whether any line ends in CR LF.
    pub fn has_crlf(&self) -> bool {
        !self.dropped.is_empty()
    }

    /// Where byte `position` of `text` stands in the original. The place of an LF
    /// is that of its CR, so that a range that ends before a line feed leaves the
    /// whole ending alone, and one that begins with it takes the whole.
    pub fn original(&self, position: usize) -> usize {
        position + self.dropped.partition_point(|&feed| feed < position)
    }
}

/// `text` with LF made CR LF; CR LF stays as it is.
pub fn to_crlf(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + text.len() / 16);
    let mut previous = 0u8;
    for &byte in text {
        if byte == b'\n' && previous != b'\r' {
            out.push(b'\r');
        }
        out.push(byte);
        previous = byte;
    }
    out
}

/// `text` with CR LF made LF.
pub fn to_lf(text: &[u8]) -> Vec<u8> {
    Lines::new(text).text
}

/// The number of the line on which byte `position` of `text` stands, from 1.
pub fn line_of(text: &[u8], position: usize) -> usize {
    let before = text.get(..position).unwrap_or(text);
    memchr::memchr_iter(b'\n', before).count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_come_back_as_they_were() {
        for bytes in [
            &b"plain\n"[..],
            b"\xEF\xBB\xBFmark\r\n",
            b"\xFF\xFEh\x00i\x00\x3d\xd8\x00\xde",
            b"\xFE\xFF\x00h\x00i",
            b"caf\xe9\n",
            b"",
        ] {
            let encoding = Encoding::sniff(bytes);
            let text = encoding.decode(bytes);
            assert_eq!(
                text.map(|text| encoding.encode(&text)),
                Some(bytes.to_vec()),
                "{bytes:?}"
            );
        }
        assert_eq!(Encoding::Utf16Le.decode(b"\xFF\xFEh"), None, "half a unit");
        assert_eq!(
            Encoding::Utf16Le.decode(b"\xFF\xFE\x00\xd8"),
            None,
            "half a pair"
        );
    }

    #[test]
    fn positions_survive_the_loss_of_carriage_returns() {
        let lines = Lines::new(b"a\r\nb\nc\r\n");
        assert_eq!(lines.text, b"a\nb\nc\n");
        assert!(lines.crlf && lines.has_crlf());
        let places: Vec<usize> = (0..=6).map(|at| lines.original(at)).collect();
        assert_eq!(places, [0, 1, 3, 4, 5, 6, 8]);
    }

    #[test]
    fn endings_convert() {
        assert_eq!(to_crlf(b"a\nb\r\nc"), b"a\r\nb\r\nc");
        assert_eq!(to_lf(b"a\r\nb\rc\n"), b"a\nb\rc\n");
        assert_eq!(line_of(b"a\nb\nc", 4), 3);
    }
}
