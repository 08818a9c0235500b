//! Jupyter notebooks, cell by cell.

use super::text::Window;
use super::{Source, text};
use crate::answer::{Answer, Content, ToolError};
use serde_json::Value;
use std::io::Cursor;

/// Characters of one output that are shown.
const OUTPUT_CHARS: usize = 10_000;

pub(super) fn read(source: Source<'_>, window: &Window) -> Result<Answer, ToolError> {
    let (path, metadata) = (source.path, source.metadata);
    let bytes = source.whole("The notebook")?;
    let parsed: Option<Value> = serde_json::from_slice(&bytes).ok();
    let Some(cells) = parsed
        .as_ref()
        .and_then(|book| book.get("cells"))
        .and_then(Value::as_array)
    else {
        // Not a notebook after all, or a broken one: its text is what there is to see.
        let file =
            std::fs::File::open(path).map_err(|error| ToolError::io("read", path, &error))?;
        let mut source = Source {
            path,
            metadata,
            file,
            head: Vec::new(),
        };
        source.head = super::read_head(&mut source.file)
            .map_err(|error| ToolError::io("read", path, &error))?;
        let mut answer = text::read(source, window)?;
        let note = "The file is named .ipynb but holds no notebook; this is its text:\n";
        answer
            .content
            .insert(0, Content::Text { text: note.into() });
        return Ok(answer);
    };
    let language = parsed
        .as_ref()
        .and_then(|book| book.pointer("/metadata/language_info/name"))
        .and_then(Value::as_str)
        .unwrap_or("python");
    let mut blocks = Blocks::default();
    let first = usize::try_from(window.first - 1).unwrap_or(usize::MAX);
    let limit = usize::try_from(window.limit).unwrap_or(usize::MAX);
    for (index, cell) in cells.iter().enumerate().skip(first).take(limit) {
        push_cell(&mut blocks, index, cell, language);
    }
    if cells.is_empty() {
        blocks.text.push_str("The notebook has no cells.\n");
    } else if first >= cells.len() {
        blocks.text.push_str(&format!(
            "The notebook has {} cells, fewer than the offset.\n",
            cells.len()
        ));
    }
    let state = crate::state::FileState::of(metadata, &bytes);
    Ok(Answer::blocks(blocks.finish()).with_state(path, state))
}

/// Text blocks with images between them, in order.
#[derive(Default)]
struct Blocks {
    text: String,
    done: Vec<Content>,
}

impl Blocks {
    fn image(&mut self, data: String, mime_type: &'static str) {
        self.flush();
        self.done.push(Content::Image { data, mime_type });
    }

    fn flush(&mut self) {
        if !self.text.is_empty() {
            self.done.push(Content::Text {
                text: std::mem::take(&mut self.text),
            });
        }
    }

    fn finish(mut self) -> Vec<Content> {
        self.flush();
        self.done
    }
}

fn push_cell(blocks: &mut Blocks, index: usize, cell: &Value, language: &str) {
    let id = cell
        .get("id")
        .and_then(Value::as_str)
        .map_or_else(|| format!("cell-{index}"), str::to_owned);
    let kind = cell
        .get("cell_type")
        .and_then(Value::as_str)
        .unwrap_or("code");
    blocks.text.push_str(&format!("<cell id=\"{id}\">"));
    if kind != "code" {
        blocks
            .text
            .push_str(&format!("<cell_type>{kind}</cell_type>"));
    } else if language != "python" {
        blocks
            .text
            .push_str(&format!("<language>{language}</language>"));
    }
    blocks.text.push_str(&joined(cell.get("source")));
    blocks.text.push_str(&format!("</cell id=\"{id}\">\n"));
    for output in cell
        .get("outputs")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        push_output(blocks, output);
    }
}

fn push_output(blocks: &mut Blocks, output: &Value) {
    let text = match output.get("output_type").and_then(Value::as_str) {
        Some("stream") => joined(output.get("text")),
        Some("error") => {
            let name = output
                .get("ename")
                .and_then(Value::as_str)
                .unwrap_or("Error");
            let value = output.get("evalue").and_then(Value::as_str).unwrap_or("");
            let trace = output
                .get("traceback")
                .and_then(Value::as_array)
                .into_iter()
                .flatten();
            let trace: Vec<String> = trace
                .filter_map(Value::as_str)
                .map(without_colours)
                .collect();
            format!("{name}: {value}\n{}", trace.join("\n"))
        }
        _ => joined(output.pointer("/data/text~1plain")),
    };
    if !text.is_empty() {
        let cut: String = text.chars().take(OUTPUT_CHARS).collect();
        blocks.text.push_str("<output>\n");
        blocks.text.push_str(&cut);
        if cut.len() < text.len() {
            blocks.text.push_str(&format!(
                "... [truncated: the output has {} characters]",
                text.chars().count()
            ));
        }
        if !blocks.text.ends_with('\n') {
            blocks.text.push('\n');
        }
        blocks.text.push_str("</output>\n");
    }
    for (key, mime_type) in [
        ("/data/image~1png", "image/png"),
        ("/data/image~1jpeg", "image/jpeg"),
    ] {
        let data: String = joined(output.pointer(key)).split_whitespace().collect();
        if !data.is_empty() {
            blocks.image(data, mime_type);
        }
    }
}

/// Notebook text is one string or a list of lines.
fn joined(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(lines)) => lines.iter().filter_map(Value::as_str).collect(),
        _ => String::new(),
    }
}

/// Takes terminal colours out of a traceback.
fn without_colours(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = Cursor::new(text).into_inner().chars();
    while let Some(c) = rest.next() {
        if c != '\x1b' {
            out.push(c);
            continue;
        }
        if rest.clone().next() == Some('[') {
            for c in rest.by_ref().skip(1) {
                if c.is_ascii_alphabetic() {
                    break;
                }
            }
        }
    }
    out
}
