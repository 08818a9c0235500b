//! The repository as the rules see it: what git tracks or would track.

use crate::cmd::Cmd;
use crate::root::Root;
use std::path::{Path, PathBuf};

/// The files of the repository.
pub(crate) struct Repo {
    dir: PathBuf,
    files: Vec<String>,
}

impl Repo {
    /// Lists the files: tracked ones and new ones that are not ignored.
    pub(crate) fn read(root: &Root) -> anyhow::Result<Self> {
        let list = Cmd::new("git")
            .args([
                "ls-files",
                "--cached",
                "--others",
                "--exclude-standard",
                "-z",
            ])
            .dir(root.dir())
            .read()?;
        let mut files: Vec<String> = list
            .split('\0')
            .filter(|name| !name.is_empty() && root.dir().join(name).is_file())
            .map(str::to_owned)
            .collect();
        files.sort();
        files.dedup();
        Ok(Self {
            dir: root.dir().to_owned(),
            files,
        })
    }

    /// The root folder.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// All files, relative to the root.
    pub(crate) fn files(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(String::as_str)
    }

    /// The files whose name ends so.
    pub(crate) fn ending<'a>(&'a self, suffix: &'a str) -> impl Iterator<Item = &'a str> {
        self.files().filter(move |file| file.ends_with(suffix))
    }

    /// A file's text; one that is not text is empty.
    pub(crate) fn text(&self, file: &str) -> String {
        std::fs::read_to_string(self.dir.join(file)).unwrap_or_default()
    }

    /// Bytes of a file.
    pub(crate) fn size(&self, file: &str) -> u64 {
        self.dir.join(file).metadata().map_or(0, |meta| meta.len())
    }

    /// Lines of Rust without comments and without what stands in or below a `#[cfg(test)]`
    /// module at the end of a file, numbered from 1.
    pub(crate) fn code(&self, file: &str) -> Vec<(usize, String)> {
        let mut lines = Vec::new();
        for (index, line) in self.text(file).lines().enumerate() {
            if line.trim() == "#[cfg(test)]" {
                break;
            }
            let code = line.split_once("//").map_or(line, |(code, _)| code);
            lines.push((index.saturating_add(1), code.to_owned()));
        }
        lines
    }
}

/// Whether a file is source of the tests or benches of a crate, not of its library.
pub(crate) fn is_test(file: &str) -> bool {
    file.starts_with("tests/")
        || file.starts_with("benches/")
        || file.contains("/tests/")
        || file.contains("/benches/")
        || file.contains("/examples/")
        || file.ends_with("/tests.rs")
        || file.ends_with("_tests.rs")
}
