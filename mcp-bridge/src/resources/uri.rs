//! `workspace:///src/a%20b.rs` and `/workspace/src/a b.rs`.

const SCHEME: &str = "workspace:///";
const ROOT: &str = "/workspace/";

/// The URI of a path below /workspace.
pub(crate) fn uri_of(path: &str) -> String {
    let below = path.strip_prefix(ROOT).unwrap_or(path);
    let mut uri = String::from(SCHEME);
    for byte in below.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                uri.push(char::from(byte))
            }
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}

/// The path below /workspace that a URI names; `None` when it names none.
///
/// Names only. Where links lead is for the kernel to judge.
pub(crate) fn path_of(uri: &str) -> Option<String> {
    let below = uri.strip_prefix(SCHEME)?;
    let mut bytes = Vec::with_capacity(below.len());
    let mut rest = below.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let high = char::from(rest.next()?).to_digit(16)?;
        let low = char::from(rest.next()?).to_digit(16)?;
        bytes.push(u8::try_from(high * 16 + low).ok()?);
    }
    let below = String::from_utf8(bytes).ok()?;
    let bad = |part: &str| part.is_empty() || part == "." || part == "..";
    if below.contains('\0') || below.split('/').any(bad) {
        return None;
    }
    Some(format!("{ROOT}{below}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        for path in [
            "/workspace/a.txt",
            "/workspace/dir/ü b%.txt",
            "/workspace/x?y#z",
        ] {
            assert_eq!(path_of(&uri_of(path)).as_deref(), Some(path));
        }
        assert_eq!(uri_of("/workspace/a b"), "workspace:///a%20b");
    }

    #[test]
    fn what_leads_out_is_refused() {
        for uri in [
            "workspace:///",
            "workspace:///../etc/passwd",
            "workspace:///a/%2e%2e/b",
            "workspace:///a%2F..%2F..%2Fb",
            "workspace:////etc/passwd",
            "workspace:///a%00",
            "workspace:///%zz",
            "workspace:///%f",
            "workspace:///%ff",
            "workspace://host/a",
            "file:///etc/passwd",
            "",
        ] {
            assert_eq!(path_of(uri), None, "{uri}");
        }
    }
}
