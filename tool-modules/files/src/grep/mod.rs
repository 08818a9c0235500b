//! Grep: ripgrep's engine, syntax and ignore rules.

mod output;
mod sink;

use crate::answer::{Answer, ToolError};
use crate::args::{Args, Kind, Parameter, optional, required};
use crate::glob::{is_vcs, search_root};
use crate::state::mtime_ns;
use grep_regex::{RegexMatcher, RegexMatcherBuilder};
use grep_searcher::{BinaryDetection, Searcher, SearcherBuilder};
use ignore::WalkBuilder;
use ignore::overrides::{Override, OverrideBuilder};
use ignore::types::TypesBuilder;
use output::Window;
use sink::{Counter, Printer};
use std::cmp::Reverse;
use std::fs;
use std::path::{Path, PathBuf};

/// The parameters of Grep.
pub const PARAMETERS: &[Parameter] = &[
    required("pattern", Kind::String),
    optional("path", Kind::String),
    optional("glob", Kind::String),
    optional("type", Kind::String),
    optional("output_mode", Kind::String),
    optional("-A", Kind::Integer(0)),
    optional("-B", Kind::Integer(0)),
    optional("-C", Kind::Integer(0)),
    optional("-n", Kind::Boolean),
    optional("-i", Kind::Boolean),
    optional("-o", Kind::Boolean),
    optional("head_limit", Kind::Integer(0)),
    optional("offset", Kind::Integer(0)),
    optional("multiline", Kind::Boolean),
];

/// Lines of context beyond which nobody reads.
const CONTEXT_MAX: u64 = 1000;

/// Runs Grep.
pub fn grep(args: &Args) -> Result<Answer, ToolError> {
    let plan = Plan::new(args)?;
    match args.string("output_mode").unwrap_or("files_with_matches") {
        "content" => plan.content(),
        "files_with_matches" => plan.files(),
        "count" => plan.count(),
        other => Err(ToolError::new(format!(
            "InputValidationError: Grep failed due to the following issue:\nThe parameter `output_mode` must be one \
             of \"content\", \"files_with_matches\", \"count\", not {other:?}"
        ))),
    }
}

/// A search that is ready to run.
struct Plan {
    single: bool,
    matcher: RegexMatcher,
    walk: WalkBuilder,
    multiline: bool,
    before: usize,
    after: usize,
    numbers: bool,
    only_matching: bool,
    window: Window,
}

impl Plan {
    fn new(args: &Args) -> Result<Self, ToolError> {
        let root = search_root(args.string("path"))?;
        let single = !root.is_dir();
        let multiline = args.flag("multiline", false);
        let matcher = matcher(args.text("pattern"), args.flag("-i", false), multiline)?;
        let around = args.integer("-C").unwrap_or(0);
        let lines = |name: &str| {
            let count = args.integer(name).unwrap_or(around).min(CONTEXT_MAX);
            usize::try_from(count).unwrap_or(0)
        };
        Ok(Plan {
            walk: walk(&root, args.string("glob"), args.string("type"))?,
            single,
            matcher,
            multiline,
            before: lines("-B"),
            after: lines("-A"),
            numbers: args.flag("-n", true),
            only_matching: args.flag("-o", false),
            window: Window::new(args.integer("offset"), args.integer("head_limit")),
        })
    }

    fn searcher(&self, with_context: bool) -> Searcher {
        let mut builder = SearcherBuilder::new();
        // A file that is named is searched even when it is binary, and said to be so.
        let binary = if self.single {
            BinaryDetection::convert(0)
        } else {
            BinaryDetection::quit(0)
        };
        builder
            .multi_line(self.multiline)
            .line_number(true)
            .binary_detection(binary);
        if with_context {
            builder
                .before_context(self.before)
                .after_context(self.after);
        }
        builder.build()
    }

    /// Calls `visit` with every file to search, in the order of their paths, until
    /// it says that it has enough.
    fn for_each(&self, mut visit: impl FnMut(&Path) -> bool) {
        for entry in self.walk.build().flatten() {
            let is_file = entry.file_type().is_some_and(|kind| kind.is_file())
                || entry.depth() == 0 && self.single;
            if is_file && !visit(entry.path()) {
                return;
            }
        }
    }

    fn content(&self) -> Result<Answer, ToolError> {
        let mut searcher = self.searcher(!self.only_matching);
        let mut printer = Printer::new(&self.matcher, self);
        let mut unreadable = 0usize;
        self.for_each(|path| {
            printer.start(path);
            if searcher
                .search_path(&self.matcher, path, &mut printer)
                .is_err()
            {
                unreadable += 1;
            }
            !printer.is_full()
        });
        Ok(output::content(&printer, &self.window, unreadable))
    }

    fn files(&self) -> Result<Answer, ToolError> {
        let mut searcher = self.searcher(false);
        let mut found: Vec<(Reverse<u64>, PathBuf)> = Vec::new();
        let mut unreadable = 0usize;
        self.for_each(|path| {
            let mut counter = Counter::first();
            match searcher.search_path(&self.matcher, path, &mut counter) {
                Ok(()) if counter.count > 0 => {
                    let time = fs::metadata(path).map_or(0, |metadata| mtime_ns(&metadata));
                    found.push((Reverse(time), path.to_path_buf()));
                }
                Ok(()) => {}
                Err(_) => unreadable += 1,
            }
            true
        });
        found.sort();
        let names = found
            .into_iter()
            .map(|(_, path)| path.to_string_lossy().into_owned())
            .collect();
        Ok(output::files(names, &self.window, unreadable))
    }

    fn count(&self) -> Result<Answer, ToolError> {
        let mut searcher = self.searcher(false);
        let mut counts: Vec<(String, u64)> = Vec::new();
        let mut unreadable = 0usize;
        self.for_each(|path| {
            let mut counter = Counter::all();
            match searcher.search_path(&self.matcher, path, &mut counter) {
                Ok(()) if counter.count > 0 => {
                    counts.push((path.to_string_lossy().into_owned(), counter.count))
                }
                Ok(()) => {}
                Err(_) => unreadable += 1,
            }
            true
        });
        Ok(output::counts(&counts, &self.window, unreadable))
    }
}

fn matcher(pattern: &str, ignore_case: bool, multiline: bool) -> Result<RegexMatcher, ToolError> {
    let mut builder = RegexMatcherBuilder::new();
    builder
        .case_insensitive(ignore_case)
        .multi_line(true)
        .unicode(true);
    if multiline {
        builder.dot_matches_new_line(true);
    } else {
        builder
            .line_terminator(Some(b'\n'))
            .dot_matches_new_line(false);
    }
    builder.build(pattern).map_err(|error| {
        let hint = if error.to_string().contains("not allowed") && !multiline {
            "\nSet multiline to true for a pattern that spans lines."
        } else {
            ""
        };
        ToolError::new(format!("Invalid regular expression: {error}{hint}"))
    })
}

fn walk(root: &Path, globs: Option<&str>, kind: Option<&str>) -> Result<WalkBuilder, ToolError> {
    let mut builder = WalkBuilder::new(root);
    builder
        .hidden(false)
        .ignore(true)
        .git_ignore(true)
        .git_exclude(true)
        .git_global(false)
        .require_git(false)
        .follow_links(false)
        .filter_entry(|entry| !is_vcs(entry))
        .sort_by_file_name(std::ffi::OsStr::cmp);
    if let Some(globs) = globs {
        builder.overrides(overrides(root, globs)?);
    }
    if let Some(kind) = kind {
        let mut types = TypesBuilder::new();
        types.add_defaults();
        types.select(kind);
        let types = types
            .build()
            .map_err(|error| ToolError::new(format!("Invalid parameter `type`: {error}")))?;
        builder.types(types);
    }
    Ok(builder)
}

/// "*.js", "src/**/*.{ts,tsx}", "!*.min.js", or several with commas or blanks between.
fn overrides(root: &Path, globs: &str) -> Result<Override, ToolError> {
    let invalid =
        |error: ignore::Error| ToolError::new(format!("Invalid parameter `glob`: {error}"));
    let mut builder = OverrideBuilder::new(if root.is_dir() {
        root
    } else {
        root.parent().unwrap_or(root)
    });
    for glob in pieces(globs) {
        builder.add(glob).map_err(invalid)?;
    }
    builder.build().map_err(invalid)
}

/// Splits at commas and blanks that are in no braces.
fn pieces(globs: &str) -> Vec<&str> {
    let mut depth = 0usize;
    globs
        .split(|c: char| {
            match c {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0 && (c == ',' || c.is_whitespace())
        })
        .filter(|piece| !piece.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_split_outside_braces() {
        assert_eq!(pieces("*.{ts,tsx}"), ["*.{ts,tsx}"]);
        assert_eq!(
            pieces("*.js, *.ts !*.min.js"),
            ["*.js", "*.ts", "!*.min.js"]
        );
    }
}
