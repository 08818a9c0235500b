//! Path names that match a pattern.

use super::pattern::Pattern;
use crate::opts;
use crate::os;
use crate::shell::Shell;

/// Does an unquoted text make a word a pattern?
pub fn has_magic(text: &[u8], extglob: bool) -> bool {
    text.iter().enumerate().any(|(i, b)| match b {
        b'*' | b'?' => true,
        b'[' => text.iter().skip(i + 1).any(|b| *b == b']'),
        b'+' | b'@' | b'!' => extglob && text.get(i + 1) == Some(&b'('),
        _ => false,
    })
}

/// Removes the backslashes of a pattern that has nothing else.
fn plain(pat: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(pat.len());
    let mut i = 0;
    while let Some(&b) = pat.get(i) {
        if b == b'\\'
            && let Some(&n) = pat.get(i + 1)
        {
            out.push(n);
            i += 2;
            continue;
        }
        out.push(b);
        i += 1;
    }
    out
}

fn magic_component(pat: &[u8], extglob: bool) -> bool {
    let mut i = 0;
    while let Some(&b) = pat.get(i) {
        match b {
            b'\\' => i += 1,
            b'*' | b'?' | b'[' => return true,
            b'+' | b'@' | b'!' if extglob && pat.get(i + 1) == Some(&b'(') => return true,
            _ => {}
        }
        i += 1;
    }
    false
}

impl Shell {
    /// The paths that match, sorted. Empty if none does.
    pub fn glob(&self, pattern: &[u8]) -> Vec<Vec<u8>> {
        let components = split(pattern, self.shopt(opts::EXTGLOB));
        let mut out = Vec::new();
        let start = if pattern.first() == Some(&b'/') {
            b"/".to_vec()
        } else {
            Vec::new()
        };
        self.walk(&components, 0, start, &mut out, 0);
        out.sort_unstable();
        out.dedup();
        let ignore = self
            .raw_var(b"GLOBIGNORE")
            .and_then(crate::vars::Var::scalar);
        if let Some(ignore) = ignore
            && !ignore.is_empty()
        {
            let pats: Vec<Pattern> = ignore
                .split(|b| *b == b':')
                .map(|p| Pattern::new(p, true, false))
                .collect();
            out.retain(|path| {
                let base = path.rsplit(|b| *b == b'/').next().unwrap_or_default();
                base != b"." && base != b".." && !pats.iter().any(|p| p.matches(path))
            });
        }
        out
    }

    fn walk(
        &self,
        components: &[&[u8]],
        at: usize,
        base: Vec<u8>,
        out: &mut Vec<Vec<u8>>,
        depth: u32,
    ) {
        if depth > 200 {
            return;
        }
        let Some(&component) = components.get(at) else {
            if !base.is_empty() {
                out.push(base);
            }
            return;
        };
        let last = at + 1 == components.len();
        if component.is_empty() {
            // Slashes: at the front, doubled, or at the end, where only folders count.
            if last {
                if os::stat(&base).is_ok_and(|s| s.is_dir()) {
                    let mut base = base;
                    if base.last() != Some(&b'/') {
                        base.push(b'/');
                    }
                    out.push(base);
                }
            } else {
                self.walk(components, at + 1, base, out, depth + 1);
            }
            return;
        }
        let join = |name: &[u8]| {
            let mut p = base.clone();
            if !p.is_empty() && p.last() != Some(&b'/') {
                p.push(b'/');
            }
            p.extend_from_slice(name);
            p
        };
        let extglob = self.shopt(opts::EXTGLOB);
        if !magic_component(component, extglob) {
            let path = join(&plain(component));
            if last {
                if os::lstat(&path).is_ok() {
                    out.push(path);
                }
            } else {
                self.walk(components, at + 1, path, out, depth + 1);
            }
            return;
        }
        if component == b"**" && self.shopt(opts::GLOBSTAR) {
            self.star_star(components, at, &base, out, depth);
            return;
        }
        let pat = Pattern::new(component, extglob, self.shopt(opts::NOCASEGLOB));
        let dir: &[u8] = if base.is_empty() { b"." } else { &base };
        let Ok(entries) = os::read_dir(dir) else {
            return;
        };
        let ignore = self
            .raw_var(b"GLOBIGNORE")
            .and_then(crate::vars::Var::scalar)
            .is_some_and(|t| !t.is_empty());
        let dots = self.shopt(opts::DOTGLOB) || ignore || pat.starts_with_dot();
        for e in entries {
            if e.name.first() == Some(&b'.') && !dots {
                continue;
            }
            if !pat.matches(&e.name) {
                continue;
            }
            let path = join(&e.name);
            if last {
                out.push(path);
            } else if e.dir != Some(false) {
                if e.dir.is_none() && !os::stat(&path).is_ok_and(|s| s.is_dir()) {
                    continue;
                }
                self.walk(components, at + 1, path, out, depth + 1);
            }
        }
    }

    /// `**`: this folder and all below it, links not followed.
    fn star_star(
        &self,
        components: &[&[u8]],
        at: usize,
        base: &[u8],
        out: &mut Vec<Vec<u8>>,
        depth: u32,
    ) {
        let last = at + 1 == components.len();
        // Zero folders. A trailing `**` also lists the folder itself, but not a bare start.
        if last {
            if !base.is_empty() {
                let mut b = base.to_vec();
                if b.last() != Some(&b'/') {
                    b.push(b'/');
                }
                out.push(b);
            }
        } else {
            self.walk(components, at + 1, base.to_vec(), out, depth + 1);
        }
        if depth > 200 {
            return;
        }
        let dir: &[u8] = if base.is_empty() { b"." } else { base };
        let Ok(entries) = os::read_dir(dir) else {
            return;
        };
        for e in entries {
            if e.name.first() == Some(&b'.') && !self.shopt(opts::DOTGLOB) {
                continue;
            }
            let mut path = base.to_vec();
            if !path.is_empty() && path.last() != Some(&b'/') {
                path.push(b'/');
            }
            path.extend_from_slice(&e.name);
            let is_dir = match e.dir {
                Some(d) => d,
                None => os::lstat(&path).is_ok_and(|s| s.is_dir()),
            };
            if last {
                out.push(path.clone());
            }
            if is_dir {
                if last {
                    self.below(&path, out, depth + 1);
                } else {
                    self.star_star(components, at, &path, out, depth + 1);
                }
            }
        }
    }

    fn below(&self, base: &[u8], out: &mut Vec<Vec<u8>>, depth: u32) {
        let Ok(entries) = os::read_dir(base) else {
            return;
        };
        for e in entries {
            if e.name.first() == Some(&b'.') && !self.shopt(opts::DOTGLOB) {
                continue;
            }
            let path = [base, b"/", &e.name].concat();
            let is_dir = match e.dir {
                Some(d) => d,
                None => os::lstat(&path).is_ok_and(|s| s.is_dir()),
            };
            out.push(path.clone());
            if is_dir && depth < 200 {
                self.below(&path, out, depth + 1);
            }
        }
    }
}

/// The pattern cut at its slashes; those inside an extended pattern do not count.
fn split(pattern: &[u8], extglob: bool) -> Vec<&[u8]> {
    let mut out = Vec::new();
    let mut start = 0;
    let mut depth = 0;
    let mut i = 0;
    while let Some(&b) = pattern.get(i) {
        match b {
            b'\\' => i += 1,
            b'(' if extglob
                && i > 0
                && pattern.get(i - 1).is_some_and(|p| b"?*+@!".contains(p)) =>
            {
                depth += 1
            }
            b')' if depth > 0 => depth -= 1,
            b'/' if depth == 0 => {
                out.push(pattern.get(start..i).unwrap_or_default());
                start = i + 1;
            }
            _ => {}
        }
        i += 1;
    }
    out.push(pattern.get(start..).unwrap_or_default());
    // A leading slash is in the base path already.
    if out.len() > 1 && out.first().is_some_and(|c| c.is_empty()) {
        out.remove(0);
    }
    // Doubled slashes in the middle.
    let last = out.len() - 1;
    let mut n = 0;
    out.retain(|c| {
        n += 1;
        !c.is_empty() || n - 1 == last
    });
    out
}
