//! Edit and MultiEdit: exact replacements, all or none.

use crate::answer::{Answer, ToolError};
use crate::args::{Args, Kind, Parameter, optional, required};
use crate::atomic;
use crate::path;
use crate::snippet;
use crate::state::State;
use crate::text::{Encoding, Lines, line_of, to_crlf, to_lf};
use crate::write::{create_parent, current, updated};
use memchr::memmem;
use serde_json::Value;
use std::ops::Range;
use std::path::Path;

/// The parameters of Edit.
pub const PARAMETERS: &[Parameter] = &[
    required("file_path", Kind::String),
    required("old_string", Kind::String),
    required("new_string", Kind::String),
    optional("replace_all", Kind::Boolean),
];

/// The parameters of MultiEdit.
pub const MULTI_PARAMETERS: &[Parameter] = &[
    required("file_path", Kind::String),
    required("edits", Kind::Array),
];

const EDIT_PARAMETERS: &[Parameter] = &[
    required("old_string", Kind::String),
    required("new_string", Kind::String),
    optional("replace_all", Kind::Boolean),
];

/// Lines that an error lists before it stops counting them out.
const PLACES: usize = 10;

/// One replacement.
struct Change {
    old: String,
    new: String,
    all: bool,
}

impl Change {
    fn of(args: &Args) -> Self {
        Change {
            old: args.text("old_string").to_owned(),
            new: args.text("new_string").to_owned(),
            all: args.flag("replace_all", false),
        }
    }
}

/// Runs Edit.
pub fn edit(args: &Args, state: &State) -> Result<Answer, ToolError> {
    let change = Change::of(args);
    let summary = |path: &Path, snippet: &str| {
        if change.all {
            format!(
                "The file {} has been updated. All occurrences of '{}' were successfully replaced with '{}'.\n{snippet}",
                path.display(),
                change.old,
                change.new
            )
        } else {
            updated(path, snippet)
        }
    };
    apply(
        args.text("file_path"),
        std::slice::from_ref(&change),
        state,
        &summary,
    )
}

/// Runs MultiEdit.
pub fn multi_edit(args: &Args, state: &State) -> Result<Answer, ToolError> {
    let edits = args.array("edits");
    if edits.is_empty() {
        return Err(ToolError::new(
            "InputValidationError: MultiEdit failed due to the following issue:\nThe parameter `edits` must hold at least one edit",
        ));
    }
    let mut changes = Vec::with_capacity(edits.len());
    for (index, edit) in edits.iter().enumerate() {
        let Value::Object(map) = edit else {
            return Err(ToolError::new(format!(
                "InputValidationError: MultiEdit failed due to the following issue:\n\
                 The parameter `edits[{index}]` type is expected as `object`"
            )));
        };
        let args = Args::new(
            &format!("MultiEdit (edits[{index}])"),
            map.clone(),
            EDIT_PARAMETERS,
        )?;
        changes.push(Change::of(&args));
    }
    let summary = |path: &Path, snippet: &str| {
        let noun = if changes.len() == 1 { "edit" } else { "edits" };
        format!(
            "Applied {} {noun} to {}. Here's the result of running `cat -n` on the changed parts:\n{snippet}",
            changes.len(),
            path.display()
        )
    };
    apply(args.text("file_path"), &changes, state, &summary)
}

fn apply(
    given: &str,
    changes: &[Change],
    state: &State,
    summary: &dyn Fn(&Path, &str) -> String,
) -> Result<Answer, ToolError> {
    let path = path::absolute(given)?;
    for (index, change) in changes.iter().enumerate() {
        if change.old == change.new {
            return Err(numbered(
                changes,
                index,
                "No changes to make: old_string and new_string are exactly the same.",
            ));
        }
    }
    let creates = changes.first().is_some_and(|change| change.old.is_empty());
    let target = path::follow_links(&path)?;
    let (original, encoding) = match current(&path)? {
        None if creates => {
            create_parent(&target)?;
            (Vec::new(), Encoding::Bytes)
        }
        None => return Err(path::missing(&path)),
        Some(file) => {
            let Some(bytes) = file.bytes else {
                return Err(ToolError::new(format!(
                    "The file is too large to edit: {} bytes. Use Bash with sed.",
                    file.state.size
                )));
            };
            if creates && !bytes.is_empty() {
                return Err(ToolError::new(
                    "Cannot create new file - file already exists.",
                ));
            }
            state.check(&path, &file.state)?;
            let encoding = Encoding::sniff(&bytes);
            let text = encoding.decode(&bytes).ok_or_else(|| {
                ToolError::new("The file has a UTF-16 byte order mark but is not valid UTF-16.")
            })?;
            (text, encoding)
        }
    };
    let mut text = original;
    let mut touched: Vec<Range<usize>> = Vec::new();
    for (index, change) in changes.iter().enumerate() {
        text = replace(&text, change, &mut touched)
            .map_err(|error| numbered(changes, index, &error))?;
    }
    let written = atomic::replace(&target, &encoding.encode(&text))?;
    touched.sort_by_key(|range| range.start);
    let snippet = snippet::changes(&text, &touched);
    Ok(Answer::text(summary(&path, &snippet)).with_state(&path, written))
}

/// An error of one of several edits says which, and that none was applied.
fn numbered(changes: &[Change], index: usize, text: &str) -> ToolError {
    if changes.len() == 1 {
        return ToolError::new(text);
    }
    ToolError::new(format!(
        "Edit {} of {} failed, so none was applied: {text}",
        index + 1,
        changes.len()
    ))
}

/// Applies one change to `text`. `touched` holds the changed ranges so far, and is
/// moved along with the text.
fn replace(
    text: &[u8],
    change: &Change,
    touched: &mut Vec<Range<usize>>,
) -> Result<Vec<u8>, String> {
    if change.old.is_empty() {
        if !text.is_empty() {
            return Err("old_string is empty, which only a new file allows.".into());
        }
        touched.push(0..change.new.len());
        return Ok(change.new.clone().into_bytes());
    }
    let lines = Lines::new(text);
    let old = if lines.has_crlf() {
        to_lf(change.old.as_bytes())
    } else {
        change.old.clone().into_bytes()
    };
    let new = match (lines.has_crlf(), lines.crlf) {
        (false, _) => change.new.clone().into_bytes(),
        (true, true) => to_crlf(change.new.as_bytes()),
        (true, false) => to_lf(change.new.as_bytes()),
    };
    let found: Vec<usize> = memmem::find_iter(&lines.text, &old).collect();
    match found.len() {
        0 => return Err(not_found(&lines.text, change)),
        1 => {}
        _ if change.all => {}
        count => return Err(not_unique(&lines.text, change, count, &found)),
    }
    let places: Vec<Range<usize>> = found
        .iter()
        .map(|&at| lines.original(at)..lines.original(at + old.len()))
        .collect();
    let mut out = Vec::with_capacity(text.len() + new.len());
    let mut copied = 0;
    let mut changed = Vec::with_capacity(places.len());
    for place in &places {
        out.extend_from_slice(text.get(copied..place.start).unwrap_or_default());
        let start = out.len();
        out.extend_from_slice(&new);
        changed.push(start..out.len());
        copied = place.end;
    }
    out.extend_from_slice(text.get(copied..).unwrap_or_default());
    for range in touched.iter_mut() {
        *range = moved(range.start, &places, new.len())..moved(range.end, &places, new.len());
    }
    touched.extend(changed);
    Ok(out)
}

/// Where a position is after every one of `places` became `length` bytes long.
fn moved(position: usize, places: &[Range<usize>], length: usize) -> usize {
    let mut at = position;
    for place in places.iter().filter(|place| place.start < position) {
        at = at + length - place.len().min(position - place.start);
    }
    at
}

fn not_found(text: &[u8], change: &Change) -> String {
    let mut message = format!(
        "String to replace not found in file.\nString: {}",
        change.old
    );
    let squeezed = |line: &[u8]| -> Vec<u8> {
        line.iter()
            .copied()
            .filter(|byte| !byte.is_ascii_whitespace())
            .collect()
    };
    let first = change
        .old
        .lines()
        .find(|line| !line.trim().is_empty())
        .unwrap_or_default();
    let wanted = squeezed(first.as_bytes());
    if wanted.is_empty() {
        return message;
    }
    let similar: Vec<usize> = text
        .split(|&byte| byte == b'\n')
        .enumerate()
        .filter(|(_, line)| squeezed(line) == wanted)
        .map(|(index, _)| index + 1)
        .take(PLACES)
        .collect();
    if !similar.is_empty() {
        message.push_str(&format!(
            "\nIts first line occurs on {}, perhaps with other white space or followed by other text.",
            lines_named(&similar, similar.len())
        ));
    }
    message
}

fn not_unique(text: &[u8], change: &Change, count: usize, found: &[usize]) -> String {
    let lines: Vec<usize> = found
        .iter()
        .take(PLACES)
        .map(|&at| line_of(text, at))
        .collect();
    format!(
        "Found {count} matches of the string to replace, but replace_all is false. To replace all occurrences, \
         set replace_all to true. To replace only one occurrence, please provide more context to uniquely \
         identify the instance. It occurs on {}.\nString: {}",
        lines_named(&lines, count),
        change.old
    )
}

/// "line 3", "lines 3, 7 and 9", "lines 1, 2 … and 40 more".
fn lines_named(lines: &[usize], count: usize) -> String {
    let names: Vec<String> = lines.iter().map(usize::to_string).collect();
    match names.split_last() {
        None => "no line".into(),
        Some((only, [])) if count <= 1 => format!("line {only}"),
        Some((last, rest)) if count <= names.len() => {
            format!("lines {} and {last}", rest.join(", "))
        }
        Some(_) => format!(
            "lines {} and {} more",
            names.join(", "),
            count - names.len()
        ),
    }
}
