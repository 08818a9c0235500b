//! Output kept in bounded memory: its beginning and its end.

use std::collections::VecDeque;

/// The longest text that is sent as progress.
const PROGRESS_CHARS: usize = 400;
/// Lines of output that progress shows.
const PROGRESS_LINES: usize = 5;

/// The beginning and the end of a stream of bytes, and how long it is.
#[derive(Debug)]
pub(crate) struct Capture {
    max_chars: usize,
    capacity: usize,
    head: Vec<u8>,
    tail: VecDeque<u8>,
    total: u64,
}

impl Capture {
    /// Keeps enough for `max_chars` characters of text.
    pub(crate) fn new(max_chars: usize) -> Self {
        // No character is longer than four bytes, and what is no character is shown as one.
        Capture {
            max_chars,
            capacity: max_chars.saturating_mul(4),
            head: Vec::new(),
            tail: VecDeque::new(),
            total: 0,
        }
    }

    /// Takes the next bytes.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.total = self.total.saturating_add(bytes.len() as u64);
        let room = self
            .capacity
            .saturating_sub(self.head.len())
            .min(bytes.len());
        let (first, rest) = bytes.split_at(room);
        self.head.extend_from_slice(first);
        let rest = rest
            .get(rest.len().saturating_sub(self.capacity)..)
            .unwrap_or_default();
        self.tail.extend(rest);
        let excess = self.tail.len().saturating_sub(self.capacity);
        self.tail.drain(..excess);
    }

    /// Bytes seen.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// Everything, as long as nothing had to be dropped from the beginning's copy.
    pub(crate) fn whole(&self) -> Option<&[u8]> {
        self.tail.is_empty().then_some(&self.head)
    }

    /// Whether [`Capture::text`] leaves something out.
    pub(crate) fn is_cut(&self) -> bool {
        match self.whole() {
            Some(bytes) => {
                bytes.len() > self.max_chars && trimmed(bytes).chars().count() > self.max_chars
            }
            None => true,
        }
    }

    /// The text, without the line feeds at its end. What does not fit is cut from the
    /// middle, and `note` says there what became of it.
    pub(crate) fn text(&self, note: impl FnOnce(&str) -> String) -> String {
        if !self.is_cut() {
            return trimmed(&self.head);
        }
        let half = self.max_chars / 2;
        let head_text = String::from_utf8_lossy(&self.head);
        let head: String = head_text.chars().take(half).collect();
        let mut end: Vec<u8> = Vec::new();
        if self.tail.len() < self.capacity {
            let missing = self.capacity - self.tail.len();
            end.extend_from_slice(
                self.head
                    .get(self.head.len().saturating_sub(missing)..)
                    .unwrap_or_default(),
            );
        }
        end.extend(self.tail.iter());
        let end_text = trimmed(&end);
        let skip = end_text.chars().count().saturating_sub(half);
        let end: String = end_text.chars().skip(skip).collect();
        let left_out = self.total.saturating_sub((head.len() + end.len()) as u64);
        let what = format!("{left_out} of {} bytes", self.total);
        format!("{head}\n\n... [{}] ...\n\n{end}", note(&what))
    }

    /// The last lines, for a look at a running command.
    pub(crate) fn last_lines(&self) -> String {
        let bytes: Vec<u8> = if self.tail.is_empty() {
            self.head
                .get(self.head.len().saturating_sub(PROGRESS_CHARS * 4)..)
                .unwrap_or_default()
                .to_vec()
        } else {
            self.tail
                .iter()
                .skip(self.tail.len().saturating_sub(PROGRESS_CHARS * 4))
                .copied()
                .collect()
        };
        let text = trimmed(&bytes);
        let lines: Vec<&str> = text.lines().collect();
        let lines = lines
            .get(lines.len().saturating_sub(PROGRESS_LINES)..)
            .unwrap_or_default()
            .join("\n");
        let skip = lines.chars().count().saturating_sub(PROGRESS_CHARS);
        lines.chars().skip(skip).collect()
    }

    /// Takes what is kept and starts anew.
    pub(crate) fn take(&mut self) -> Capture {
        std::mem::replace(self, Capture::new(self.max_chars))
    }
}

/// Bytes as text, without line feeds at the end.
fn trimmed(bytes: &[u8]) -> String {
    // The first bytes may be the rest of a character that was cut.
    let start = bytes
        .iter()
        .take(3)
        .take_while(|&&byte| byte & 0xc0 == 0x80)
        .count();
    let text = String::from_utf8_lossy(bytes.get(start..).unwrap_or_default());
    text.trim_end_matches(['\n', '\r']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn capture(max: usize, text: &str, piece: usize) -> Capture {
        let mut capture = Capture::new(max);
        for piece in text.as_bytes().chunks(piece) {
            capture.push(piece);
        }
        capture
    }

    #[test]
    fn what_fits_is_whole() {
        for piece in [1, 3, 1000] {
            let got = capture(10, "0123456789\n", piece);
            assert!(!got.is_cut());
            assert_eq!(got.text(|_| String::new()), "0123456789");
            assert_eq!(
                capture(10, "éééééééééé", piece).text(|_| String::new()),
                "éééééééééé"
            );
        }
    }

    #[test]
    fn what_does_not_fit_is_cut_from_the_middle() {
        let text: String = (0..200)
            .map(|n| char::from(b'a' + (n % 26) as u8))
            .collect();
        for piece in [1, 7, 39, 41, 1000] {
            let got = capture(10, &text, piece);
            assert!(got.is_cut());
            let start = text.get(..5).unwrap_or_default();
            let end = text.get(195..).unwrap_or_default();
            assert_eq!(
                got.text(|what| format!("{what} gone")),
                format!("{start}\n\n... [190 of 200 bytes gone] ...\n\n{end}")
            );
        }
        let got = capture(10, "0123456789AB", 5);
        assert_eq!(
            got.text(|what| what.to_owned()),
            "01234\n\n... [2 of 12 bytes] ...\n\n789AB"
        );
    }

    #[test]
    fn memory_is_bounded() {
        let mut got = Capture::new(1000);
        for _ in 0..1000 {
            got.push(&[b'x'; 10_000]);
        }
        assert!(got.head.len() + got.tail.len() <= 8000);
        assert_eq!(got.total(), 10_000_000);
    }

    #[test]
    fn the_last_lines() {
        assert_eq!(
            capture(1000, "1\n2\n3\n4\n5\n6\n", 100).last_lines(),
            "2\n3\n4\n5\n6"
        );
        assert_eq!(
            capture(2, "aaaaaaaaaaaaaaa\nlast\n", 1).last_lines(),
            "aa\nlast"
        );
    }
}
