//! The search itself.

use std::path::{Path, PathBuf};

use grep_printer::{ColorSpecs, Standard, StandardBuilder, Summary, SummaryBuilder, SummaryKind};
use grep_regex::{RegexMatcher, RegexMatcherBuilder};
use grep_searcher::{BinaryDetection, Searcher, SearcherBuilder};
use hardshell_cli::{Out, complain, path};
use ignore::WalkBuilder;
use ignore::overrides::OverrideBuilder;
use ignore::types::TypesBuilder;
use termcolor::{Ansi, NoColor, WriteColor};

use crate::options::{Mode, Options};

/// Runs rg; its exit status.
pub fn run(o: &Options) -> i32 {
    if o.color {
        with(o, Ansi::new(Out::stdout()), |w| w.into_inner())
    } else {
        with(o, NoColor::new(Out::stdout()), |w| w.into_inner())
    }
}

fn with<W: WriteColor>(o: &Options, sink: W, back: impl Fn(W) -> Out) -> i32 {
    match search(o, sink) {
        Ok((sink, matched, failed)) => {
            let mut out = back(sink);
            if out.finish().is_err() {
                return 2;
            }
            if failed && !(matched && o.mode == Mode::Quiet) {
                2
            } else {
                i32::from(!matched)
            }
        }
        Err(message) => {
            complain("rg", message);
            2
        }
    }
}

fn types(o: &Options) -> Result<ignore::types::Types, String> {
    let mut builder = TypesBuilder::new();
    builder.add_defaults();
    for add in &o.type_add {
        builder.add_def(add).map_err(|e| e.to_string())?;
    }
    for name in &o.types {
        builder.select(name);
    }
    for name in &o.types_not {
        builder.negate(name);
    }
    builder.build().map_err(|e| e.to_string())
}

fn matcher(o: &Options) -> Result<RegexMatcher, String> {
    let mut builder = RegexMatcherBuilder::new();
    builder
        .case_insensitive(o.ignore_case)
        .case_smart(o.smart_case)
        .fixed_strings(o.fixed)
        .word(o.word)
        .whole_line(o.line)
        .multi_line(true)
        .unicode(o.unicode)
        .octal(false)
        .crlf(o.crlf);
    if o.multiline {
        builder.dot_matches_new_line(o.dot_all);
        if o.crlf {
            builder.line_terminator(None);
        }
    } else {
        builder
            .line_terminator(Some(b'\n'))
            .dot_matches_new_line(false)
            .ban_byte(None);
    }
    builder.build_many(&o.patterns).map_err(|error| {
        let text = error.to_string();
        if text.contains("look-around") || text.contains("backreferences") {
            return format!("{text}\n\nUse grep -P for look-around and back-references.");
        }
        text
    })
}

fn walker(o: &Options, paths: &[PathBuf]) -> Result<WalkBuilder, String> {
    let first = paths
        .first()
        .cloned()
        .unwrap_or_else(|| PathBuf::from("./"));
    let mut builder = WalkBuilder::new(first);
    for more in paths.iter().skip(1) {
        builder.add(more);
    }
    let mut overrides =
        OverrideBuilder::new(std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/")));
    for glob in &o.globs {
        overrides.add(glob).map_err(|e| e.to_string())?;
    }
    overrides
        .case_insensitive(true)
        .map_err(|e| e.to_string())?;
    for glob in &o.iglobs {
        overrides.add(glob).map_err(|e| e.to_string())?;
    }
    overrides
        .case_insensitive(false)
        .map_err(|e| e.to_string())?;
    let use_ignore = !o.no_ignore;
    builder
        .overrides(overrides.build().map_err(|e| e.to_string())?)
        .types(types(o)?)
        .hidden(!o.hidden)
        .follow_links(o.follow)
        .max_depth(o.max_depth)
        .max_filesize(o.max_filesize)
        .parents(use_ignore)
        .ignore(use_ignore)
        .git_ignore(use_ignore && !o.no_ignore_vcs)
        .git_exclude(use_ignore && !o.no_ignore_vcs)
        .git_global(false)
        .require_git(true)
        .threads(1);
    if use_ignore {
        builder.add_custom_ignore_filename(".rgignore");
    }
    for file in &o.ignore_files {
        if let Some(error) = builder.add_ignore(path(file)) {
            return Err(error.to_string());
        }
    }
    if o.sort.as_deref() == Some("path") && !o.reverse {
        builder.sort_by_file_name(|a, b| a.cmp(b));
    }
    Ok(builder)
}

enum Printer<W: WriteColor> {
    Standard(Standard<W>),
    Summary(Summary<W>),
}

#[allow(clippy::too_many_lines)]
fn search<W: WriteColor>(o: &Options, mut sink: W) -> Result<(W, bool, bool), String> {
    if o.mode == Mode::TypeList {
        for def in types(o)?.definitions() {
            let _ = writeln!(sink, "{}: {}", def.name(), def.globs().join(", "));
        }
        return Ok((sink, true, false));
    }
    if o.mode == Mode::Json {
        return Err(
            "--json is not supported in this build; use --vimgrep or -n with jq -R".to_owned(),
        );
    }
    // Without paths, what is piped in is searched.
    let stdin_is_data = o.paths.is_empty() && o.mode != Mode::Files && stdin_is_readable();
    let given: Vec<PathBuf> = o.paths.iter().map(|p| path(p).to_owned()).collect();
    let implicit = given.is_empty();
    let paths = if implicit {
        vec![PathBuf::from("./")]
    } else {
        given
    };
    let strip = |p: &Path| -> PathBuf {
        if implicit {
            p.strip_prefix("./").unwrap_or(p).to_owned()
        } else {
            p.to_owned()
        }
    };
    let end: &[u8] = if o.null { b"\0" } else { b"\n" };
    if o.mode == Mode::Files {
        let mut any = false;
        let mut failed = false;
        for entry in files(o, &paths, &mut failed)? {
            any = true;
            let _ = sink.write_all(strip(&entry).as_os_str().as_encoded_bytes());
            let _ = sink.write_all(end);
        }
        return Ok((sink, any, failed));
    }
    let matcher = matcher(o)?;
    let mut builder = SearcherBuilder::new();
    builder
        .invert_match(o.invert)
        .line_number(o.line_number.unwrap_or(false) || o.vimgrep)
        .multi_line(o.multiline)
        .before_context(o.before)
        .after_context(o.after)
        .passthru(o.passthru)
        .max_matches(o.max_count)
        .bom_sniffing(true);
    let mut searcher = builder.build();
    let only_stdin = stdin_is_data || (paths.len() == 1 && paths[0].as_os_str() == "-");
    let single = only_stdin || (paths.len() == 1 && paths[0].is_file());
    let with_name = o.filename.unwrap_or(!single);
    let specs = ColorSpecs::default_with_color();
    let mut printer = match o.mode {
        Mode::Lines => {
            let mut b = StandardBuilder::new();
            b.color_specs(specs)
                .path(with_name)
                .heading(o.heading)
                .only_matching(o.only_matching)
                .per_match(o.vimgrep)
                .per_match_one_line(true)
                .replacement(o.replace.clone())
                .max_columns(o.max_columns)
                .max_columns_preview(o.max_columns_preview)
                .column(o.column)
                .byte_offset(o.byte_offset)
                .trim_ascii(o.trim)
                .separator_context(o.separator.clone())
                .separator_search(if (o.before > 0 || o.after > 0) && !o.heading {
                    o.separator.clone()
                } else {
                    None
                })
                .path_terminator(if o.null { Some(0) } else { None })
                .stats(o.stats);
            Printer::Standard(b.build(sink))
        }
        _ => {
            let kind = match o.mode {
                Mode::FilesWithMatches => SummaryKind::PathWithMatch,
                Mode::FilesWithoutMatch => SummaryKind::PathWithoutMatch,
                Mode::Count if o.only_matching => SummaryKind::CountMatches,
                Mode::Count => SummaryKind::Count,
                Mode::CountMatches => SummaryKind::CountMatches,
                _ => SummaryKind::QuietWithMatch,
            };
            let mut b = SummaryBuilder::new();
            b.kind(kind)
                .color_specs(specs)
                .path(with_name)
                .exclude_zero(!o.include_zero)
                .path_terminator(if o.null { Some(0) } else { None })
                .stats(o.stats);
            Printer::Summary(b.build(sink))
        }
    };
    let (mut matched, mut failed) = (false, false);
    if only_stdin {
        searcher.set_binary_detection(if o.text {
            BinaryDetection::none()
        } else {
            BinaryDetection::convert(0)
        });
        let input = hardshell_cli::Input::stdin();
        match one(
            &mut printer,
            &mut searcher,
            &matcher,
            Path::new("<stdin>"),
            Some(input),
        ) {
            Ok(hit) => matched |= hit,
            Err(error) => {
                failed = true;
                complain(
                    "rg",
                    format!("<stdin>: {}", hardshell_cli::errno_text(&error)),
                );
            }
        }
    } else {
        let explicit: Vec<&PathBuf> = paths.iter().filter(|p| p.is_file()).collect();
        for file in files(o, &paths, &mut failed)? {
            // Files that were named are searched also when they are binary.
            let named = explicit.iter().any(|p| **p == file);
            searcher.set_binary_detection(if o.text {
                BinaryDetection::none()
            } else if named {
                BinaryDetection::convert(0)
            } else {
                BinaryDetection::quit(0)
            });
            let shown = strip(&file);
            let result = if shown == file {
                one(&mut printer, &mut searcher, &matcher, &file, None)
            } else {
                std::fs::File::open(&file).and_then(|f| {
                    one(
                        &mut printer,
                        &mut searcher,
                        &matcher,
                        &shown,
                        Some(hardshell_cli::Input::File(f)),
                    )
                })
            };
            match result {
                Ok(hit) => matched |= hit,
                Err(error) => {
                    failed = true;
                    if !o.no_messages {
                        complain(
                            "rg",
                            format!("{}: {}", shown.display(), hardshell_cli::errno_text(&error)),
                        );
                    }
                }
            }
            if o.mode == Mode::Quiet && matched {
                break;
            }
        }
    }
    let sink = match printer {
        Printer::Standard(p) => p.into_inner(),
        Printer::Summary(p) => p.into_inner(),
    };
    Ok((sink, matched, failed))
}

/// Whether standard input is a pipe or a file, rather than nothing.
fn stdin_is_readable() -> bool {
    match hardshell_sys::fstat(0) {
        Ok(stat) => matches!(stat.mode & 0o170_000, 0o010_000 | 0o100_000 | 0o140_000),
        Err(_) => !std::io::IsTerminal::is_terminal(&std::io::stdin()),
    }
}

/// The files to search, in order.
fn files(o: &Options, paths: &[PathBuf], failed: &mut bool) -> Result<Vec<PathBuf>, String> {
    let mut out = Vec::new();
    for entry in walker(o, paths)?.build() {
        match entry {
            Ok(entry) => {
                if entry.file_type().is_some_and(|t| t.is_file())
                    || (entry.depth() == 0 && entry.path().is_file())
                {
                    out.push(entry.into_path());
                }
            }
            Err(error) => {
                *failed = true;
                if !o.no_messages {
                    complain(
                        "rg",
                        error
                            .to_string()
                            .replace(" (os error 2)", "")
                            .replace(" (os error 44)", ""),
                    );
                }
            }
        }
    }
    match o.sort.as_deref() {
        None | Some("none") => {}
        Some("path") => {
            if o.reverse {
                out.sort_by(|a, b| b.cmp(a));
            }
        }
        Some(kind @ ("modified" | "accessed" | "created")) => {
            let time = |p: &PathBuf| {
                let stat =
                    hardshell_cli::stat::stat(p.as_os_str().as_encoded_bytes()).unwrap_or_default();
                if kind == "accessed" {
                    stat.atime
                } else {
                    stat.mtime
                }
            };
            out.sort_by_key(time);
            if o.reverse {
                out.reverse();
            }
        }
        Some(other) => return Err(format!("choice '{other}' is unrecognized for --sort")),
    }
    Ok(out)
}

/// Searches one file or stream; whether something matched.
fn one<W: WriteColor>(
    printer: &mut Printer<W>,
    searcher: &mut Searcher,
    matcher: &RegexMatcher,
    shown: &Path,
    input: Option<hardshell_cli::Input>,
) -> std::io::Result<bool> {
    match printer {
        Printer::Standard(p) => {
            let mut sink = p.sink_with_path(matcher, shown);
            match input {
                Some(input) => searcher.search_reader(matcher, input, &mut sink)?,
                None => searcher.search_path(matcher, shown, &mut sink)?,
            }
            Ok(sink.has_match())
        }
        Printer::Summary(p) => {
            let mut sink = p.sink_with_path(matcher, shown);
            match input {
                Some(input) => searcher.search_reader(matcher, input, &mut sink)?,
                None => searcher.search_path(matcher, shown, &mut sink)?,
            }
            Ok(sink.has_match())
        }
    }
}
