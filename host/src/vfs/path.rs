//! Paths as bytes: splitting, checking, and the purely textual join.

use smallvec::SmallVec;

use crate::errno::Errno;

/// Linux's limit, the terminating zero included.
pub(super) const PATH_MAX: usize = 4096;
/// Linux's limit of a component.
pub(super) const NAME_MAX: usize = 255;

/// A short path that needs no allocation.
pub(super) type Text = SmallVec<[u8; 96]>;

/// Refuses what no system call would take: nothing, too long, a zero byte.
pub(super) fn check(path: &[u8]) -> Result<(), Errno> {
    if path.is_empty() {
        return Err(Errno::NOENT);
    }
    if path.len() >= PATH_MAX {
        return Err(Errno::NAMETOOLONG);
    }
    if path.contains(&0) {
        return Err(Errno::INVAL);
    }
    Ok(())
}

/// The first component and all behind it, which is empty or starts with a slash.
pub(super) fn next(path: &[u8]) -> Option<(&[u8], &[u8])> {
    let start = path.iter().position(|b| *b != b'/')?;
    let (_, path) = path.split_at(start);
    let end = path.iter().position(|b| *b == b'/').unwrap_or(path.len());
    Some(path.split_at(end))
}

/// A path cut before its last component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Split<'a> {
    /// All before it; may be empty.
    pub(super) parent: &'a [u8],
    pub(super) name: &'a [u8],
    /// Slashes follow it.
    pub(super) slash: bool,
}

/// Cuts a path before its last component; None if there is none.
pub(super) fn split(path: &[u8]) -> Option<Split<'_>> {
    let end = path.iter().rposition(|b| *b != b'/')?.saturating_add(1);
    let slash = end < path.len();
    let (path, _) = path.split_at(end);
    let start = path
        .iter()
        .rposition(|b| *b == b'/')
        .map_or(0, |i| i.saturating_add(1));
    let (parent, name) = path.split_at(start);
    Some(Split {
        parent,
        name,
        slash,
    })
}

/// `.` or `..`.
pub(super) fn is_dots(name: &[u8]) -> bool {
    name == b"." || name == b".."
}

/// All components of a path.
pub(super) fn components(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|b| *b == b'/').filter(|c| !c.is_empty())
}

/// Whether a component is `..`.
pub(super) fn climbs(path: &[u8]) -> bool {
    components(path).any(|c| c == b"..")
}

/// Adds one name to a path without leading or trailing slash.
pub(super) fn push(text: &mut Text, name: &[u8]) {
    if !text.is_empty() {
        text.push(b'/');
    }
    text.extend_from_slice(name);
}

/// Removes the last name.
pub(super) fn pop(text: &mut Text) {
    let keep = text.iter().rposition(|b| *b == b'/').unwrap_or(0);
    text.truncate(keep);
}

/// Joins `path` to `text`, taking `.` and `..` by their letters: right only where the
/// kernel has just walked the same path and met no symbolic link.
pub(super) fn join(text: &mut Text, path: &[u8]) {
    for c in components(path) {
        match c {
            b"." => {}
            b".." => pop(text),
            name => push(text, name),
        }
    }
}

/// Lower-case extension of the last component, as used for limits by file type.
pub(super) fn extension(name: &[u8]) -> Option<String> {
    let dot = name.iter().rposition(|b| *b == b'.')?;
    if dot == 0 {
        return None;
    }
    let ext = name.get(dot.saturating_add(1)..)?;
    let ext = std::str::from_utf8(ext).ok()?;
    (!ext.is_empty() && !ext.contains('/')).then(|| ext.to_ascii_lowercase())
}

/// Lossless text of a path: see [`super::Change::path`].
pub(super) fn escape(path: &[u8]) -> String {
    let mut out = String::with_capacity(path.len());
    for chunk in path.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c == '\\' {
                out.push('\\');
            }
            out.push(c);
        }
        for b in chunk.invalid() {
            out.push_str(&format!("\\x{b:02x}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn splitting() {
        for (path, parent, name, slash) in [
            ("a", "", "a", false),
            ("a/", "", "a", true),
            ("a/b", "a/", "b", false),
            ("/a//b///", "/a//", "b", true),
            ("..", "", "..", false),
        ] {
            let s = split(path.as_bytes()).unwrap();
            assert_eq!(
                (s.parent, s.name, s.slash),
                (parent.as_bytes(), name.as_bytes(), slash),
                "{path}"
            );
        }
        assert_eq!(split(b""), None);
        assert_eq!(split(b"//"), None);
        assert_eq!(next(b"//a/b"), Some((&b"a"[..], &b"/b"[..])));
        assert_eq!(next(b"a"), Some((&b"a"[..], &b""[..])));
        assert_eq!(next(b"/"), None);
    }

    #[test]
    fn checking() {
        assert_eq!(check(b""), Err(Errno::NOENT));
        assert_eq!(check(b"a\0b"), Err(Errno::INVAL));
        assert_eq!(check(&[b'a'; PATH_MAX]), Err(Errno::NAMETOOLONG));
        assert_eq!(check(&[b'/'; PATH_MAX - 1]), Ok(()));
    }

    #[test]
    fn joining() {
        for (base, path, want) in [
            ("", "a/b", "a/b"),
            ("x", "./a/../b/", "x/b"),
            ("x/y", "../../..", ""),
            ("", "..", ""),
        ] {
            let mut t = Text::from_slice(base.as_bytes());
            join(&mut t, path.as_bytes());
            assert_eq!(&t[..], want.as_bytes());
        }
    }

    #[test]
    fn extensions_and_escapes() {
        for (name, want) in [
            ("a.PNG", Some("png")),
            (".bashrc", None),
            ("a.", None),
            ("a.tar.gz", Some("gz")),
            ("a", None),
        ] {
            assert_eq!(extension(name.as_bytes()).as_deref(), want, "{name}");
        }
        assert_eq!(escape(b"a\\b\xff\xc3\xa9"), "a\\\\b\\xffé");
    }
}
