//! The text of a PDF, page by page.

use super::Source;
use crate::answer::{Answer, Content, ToolError};
use pdf_extract::{Document, PlainTextOutput, output_doc_page};
use std::ops::RangeInclusive;

/// Pages that one call gives back.
const PAGES_MAX: u32 = 20;

pub(super) fn read(source: Source<'_>, pages: Option<&str>) -> Result<Answer, ToolError> {
    let (path, metadata) = (source.path, source.metadata);
    let bytes = source.whole("The PDF")?;
    let mut document = Document::load_mem(&bytes)
        .map_err(|error| ToolError::new(format!("The PDF is damaged: {error}.")))?;
    if document.is_encrypted() && document.decrypt("").is_err() {
        return Err(ToolError::new(
            "The PDF is protected by a password and cannot be read.",
        ));
    }
    let count = u32::try_from(document.get_pages().len()).unwrap_or(u32::MAX);
    if count == 0 {
        return Err(ToolError::new("The PDF has no pages."));
    }
    let range = match pages {
        Some(text) => parse(text, count)?,
        None => 1..=count.min(PAGES_MAX),
    };
    let mut content = Vec::new();
    for page in range.clone() {
        content.push(Content::Text {
            text: page_text(&document, page, count),
        });
    }
    if *range.end() < count && pages.is_none() {
        let next = range.end() + 1;
        content.push(Content::Text {
            text: format!(
                "(Showing pages 1-{} of {count}. Read on with pages \"{next}-{}\".)",
                range.end(),
                count.min(range.end() + PAGES_MAX)
            ),
        });
    }
    let state = crate::state::FileState::of(metadata, &bytes);
    Ok(Answer::blocks(content).with_state(path, state))
}

fn page_text(document: &Document, page: u32, count: u32) -> String {
    let mut text = String::new();
    let outcome = {
        let mut output = PlainTextOutput::new(&mut text);
        output_doc_page(document, &mut output, page)
    };
    let body = match outcome {
        Err(error) => format!("[the text of this page could not be extracted: {error}]"),
        Ok(()) if text.trim().is_empty() => {
            "[no text on this page; it may hold only images]".to_owned()
        }
        Ok(()) => text.trim().to_owned(),
    };
    format!("--- Page {page} of {count} ---\n{body}\n")
}

/// "3", "2-5" or "7-": at most twenty pages of those that there are.
fn parse(text: &str, count: u32) -> Result<RangeInclusive<u32>, ToolError> {
    let wrong = || {
        ToolError::new(format!(
            "Invalid pages parameter: {text:?}. Use formats like \"1-5\", \"3\", or \"10-20\". Pages are 1-indexed."
        ))
    };
    let number = |part: &str| {
        part.trim()
            .parse::<u32>()
            .ok()
            .filter(|&page| page > 0)
            .ok_or_else(wrong)
    };
    let (first, last) = match text.trim().split_once('-') {
        None => (number(text)?, number(text)?),
        Some((first, "")) => {
            let first = number(first)?;
            (first, count.min(first.saturating_add(PAGES_MAX - 1)))
        }
        Some((first, last)) => (number(first)?, number(last)?),
    };
    if first > count {
        return Err(ToolError::new(format!(
            "The PDF has {count} pages; page {first} does not exist."
        )));
    }
    if first > last {
        return Err(wrong());
    }
    if last - first >= PAGES_MAX {
        return Err(ToolError::new(format!(
            "Page range {text:?} exceeds maximum of {PAGES_MAX} pages per request. Please use a smaller range."
        )));
    }
    Ok(first..=last.min(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_ranges() {
        for (text, expected) in [
            ("3", Ok(3..=3)),
            ("1-5", Ok(1..=5)),
            (" 28 - 40 ", Ok(28..=30)),
            ("15-", Ok(15..=30)),
            ("1-20", Ok(1..=20)),
        ] {
            assert_eq!(parse(text, 30), expected, "{text}");
        }
        for text in ["", "0", "5-2", "a", "1-21", "31", "-3", "1,2"] {
            assert!(parse(text, 30).is_err(), "{text}");
        }
    }
}
