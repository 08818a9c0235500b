//! Glob: files by name, newest first.

use crate::answer::{Answer, ToolError};
use crate::args::{Args, Kind, Parameter, optional, required};
use crate::path;
use crate::state::mtime_ns;
use globset::{GlobBuilder, GlobMatcher};
use ignore::{DirEntry, WalkBuilder};
use serde_json::json;
use std::cmp::Reverse;
use std::fs;
use std::path::{Path, PathBuf};

/// The parameters of Glob.
pub const PARAMETERS: &[Parameter] = &[
    required("pattern", Kind::String),
    optional("path", Kind::String),
];

/// Paths that one call gives back.
const FILES_MAX: usize = 100;
/// The longest pattern; a longer one is a mistake or an attack.
const PATTERN_MAX: usize = 4096;

/// Directories of version control, which hold nothing that a model looks for.
pub const VCS: &[&str] = &[".git", ".svn", ".hg", ".bzr", ".jj", ".sl"];

/// Runs Glob.
pub fn glob(args: &Args) -> Result<Answer, ToolError> {
    let given = args.text("pattern");
    if given.len() > PATTERN_MAX {
        return Err(ToolError::new(format!(
            "Invalid glob pattern: it has {} bytes, at most {PATTERN_MAX} are allowed.",
            given.len()
        )));
    }
    let root = search_root(args.string("path"))?;
    if !root.is_dir() {
        return Err(ToolError::new(format!(
            "Path is not a directory: {}",
            root.display()
        )));
    }
    // A pattern may begin with the directory that it is to be looked for in.
    let (root, pattern) = if given.starts_with('/') {
        split(given)
    } else {
        (root, given.to_owned())
    };
    let matcher = Matcher::new(&pattern)?;
    let mut found: Vec<(Reverse<u64>, PathBuf)> = Vec::new();
    if root.is_dir() {
        for entry in walk(&root, pattern.contains(".git")).build().flatten() {
            let is_file = entry.file_type().is_some_and(|kind| !kind.is_dir());
            if !is_file || !matcher.matches(&root, entry.path()) {
                continue;
            }
            // What a link leads to counts, and a dangling link is no file.
            match fs::metadata(entry.path()) {
                Ok(metadata) if !metadata.is_dir() => {
                    found.push((Reverse(mtime_ns(&metadata)), entry.into_path()))
                }
                _ => {}
            }
        }
    }
    found.sort();
    let total = found.len();
    let names: Vec<String> = found
        .into_iter()
        .take(FILES_MAX)
        .map(|(_, path)| path.to_string_lossy().into_owned())
        .collect();
    let truncated = total > names.len();
    let mut text = if names.is_empty() {
        "No files found".to_owned()
    } else {
        names.join("\n")
    };
    if truncated {
        text.push_str(&format!(
            "\n(Results are truncated: showing the {FILES_MAX} newest of {total}. \
             Consider using a more specific path or pattern.)"
        ));
    }
    let structured = json!({ "filenames": names, "numFiles": total, "truncated": truncated });
    Ok(Answer::text(text).with_structured(structured))
}

/// Where to look: the given path, or the working directory.
pub fn search_root(given: Option<&str>) -> Result<PathBuf, ToolError> {
    let root = path::absolute(given.unwrap_or("."))?;
    if fs::metadata(&root).is_err() {
        return Err(ToolError::new(format!(
            "Path does not exist: {}",
            root.display()
        )));
    }
    Ok(root)
}

/// A walk over all files, hidden and ignored ones too.
fn walk(root: &Path, with_vcs: bool) -> WalkBuilder {
    let mut builder = WalkBuilder::new(root);
    builder.standard_filters(false).follow_links(false);
    builder.filter_entry(move |entry| with_vcs || !is_vcs(entry));
    builder
}

/// Whether this is a directory of version control.
pub fn is_vcs(entry: &DirEntry) -> bool {
    entry.depth() > 0
        && entry.file_type().is_some_and(|kind| kind.is_dir())
        && VCS.iter().any(|name| entry.file_name() == *name)
}

/// A pattern without a slash matches a name at any depth, one with a slash (or
/// that begins with `./`) the path below the root.
struct Matcher {
    glob: GlobMatcher,
    by_name: bool,
}

impl Matcher {
    fn new(pattern: &str) -> Result<Self, ToolError> {
        let anchored = pattern.strip_prefix("./");
        let by_name = anchored.is_none() && !pattern.contains('/');
        let pattern = anchored.unwrap_or(pattern);
        let glob = GlobBuilder::new(pattern)
            .literal_separator(true)
            .backslash_escape(true)
            .build()
            .map_err(|error| ToolError::new(format!("Invalid glob pattern: {error}")))?
            .compile_matcher();
        Ok(Matcher { glob, by_name })
    }

    fn matches(&self, root: &Path, path: &Path) -> bool {
        if self.by_name {
            return path
                .file_name()
                .is_some_and(|name| self.glob.is_match(name));
        }
        path.strip_prefix(root)
            .is_ok_and(|below| self.glob.is_match(below))
    }
}

/// Splits an absolute pattern into the directory that it begins with and the rest.
fn split(pattern: &str) -> (PathBuf, String) {
    let special = pattern
        .find(['*', '?', '[', '{', '\\'])
        .unwrap_or(pattern.len());
    let slash = pattern
        .get(..special)
        .and_then(|head| head.rfind('/'))
        .unwrap_or(0);
    let root = path::absolute(pattern.get(..slash.max(1)).unwrap_or("/"))
        .unwrap_or_else(|_| PathBuf::from("/"));
    let rest = pattern.get(slash + 1..).unwrap_or_default();
    // What is left has no slash of its own when it names one directory only: it
    // must not match deeper than it says.
    let rest = if rest.contains('/') {
        rest.to_owned()
    } else {
        format!("./{rest}")
    };
    (root, rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let root = Path::new("/w");
        for (pattern, path, expected) in [
            ("*.rs", "/w/a.rs", true),
            ("*.rs", "/w/src/deep/a.rs", true),
            ("src/*.rs", "/w/src/a.rs", true),
            ("src/*.rs", "/w/src/deep/a.rs", false),
            ("src/**/*.rs", "/w/src/deep/a.rs", true),
            ("src/**/*.rs", "/w/src/a.rs", true),
            ("**/*.{ts,tsx}", "/w/a.tsx", true),
            ("**/*", "/w/a/b", true),
            ("[a-c]?.txt", "/w/bz.txt", true),
            ("a.rs", "/w/x/a.rs", true),
            ("A.rs", "/w/x/a.rs", false),
            ("./a.rs", "/w/x/a.rs", false),
        ] {
            let matched =
                Matcher::new(pattern).map(|matcher| matcher.matches(root, Path::new(path)));
            assert_eq!(matched, Ok(expected), "{pattern} {path}");
        }
        assert!(Matcher::new("a[").is_err());
    }

    #[test]
    fn absolute_patterns_are_split() {
        for (pattern, root, rest) in [
            ("/w/src/**/*.rs", "/w/src", "./**/*.rs"),
            ("/w/*.md", "/w", "./*.md"),
            ("/*", "/", "./*"),
            ("/w/a.txt", "/w", "./a.txt"),
        ] {
            let (got_root, got_rest) = split(pattern);
            let got_rest = if got_rest.starts_with("./") {
                got_rest
            } else {
                format!("./{got_rest}")
            };
            assert_eq!(
                (got_root, got_rest),
                (PathBuf::from(root), rest.to_owned()),
                "{pattern}"
            );
        }
    }
}
