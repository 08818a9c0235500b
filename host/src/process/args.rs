//! Argument and environment lists, kept as preview 1 hands them out.

/// Strings one behind the other, each with its NUL.
#[derive(Clone, Debug, Default)]
pub(crate) struct Strings {
    bytes: Vec<u8>,
    count: u32,
}

impl Strings {
    pub(crate) fn new() -> Self {
        Strings::default()
    }

    /// Adds a string; false when it holds a NUL.
    #[must_use]
    pub(crate) fn push(&mut self, s: &[u8]) -> bool {
        if s.contains(&0) {
            return false;
        }
        self.bytes.extend_from_slice(s);
        self.bytes.push(0);
        self.count = self.count.saturating_add(1);
        true
    }

    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// All strings with their NULs.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes
            .split(|b| *b == 0)
            .take(usize::try_from(self.count).unwrap_or(0))
    }

    /// Memory of the host that it holds.
    pub(crate) fn size(&self) -> u64 {
        self.bytes.capacity() as u64
    }
}

impl<'a> FromIterator<&'a [u8]> for Strings {
    /// Strings with a NUL are left out.
    fn from_iter<I: IntoIterator<Item = &'a [u8]>>(iter: I) -> Self {
        let mut strings = Strings::new();
        for s in iter {
            let _ = strings.push(s);
        }
        strings
    }
}

#[cfg(test)]
mod tests {
    use super::Strings;

    #[test]
    fn keeps_empty_strings() {
        let s: Strings = [&b"a"[..], b"", b"bc"].into_iter().collect();
        assert_eq!(s.bytes(), b"a\0\0bc\0");
        assert_eq!(s.count(), 3);
        assert_eq!(s.iter().collect::<Vec<_>>(), [&b"a"[..], b"", b"bc"]);
        let mut s = Strings::new();
        assert!(!s.push(b"a\0b"));
        assert_eq!(s.count(), 0);
    }
}
