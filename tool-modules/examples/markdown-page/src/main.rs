//! An example of a tool with text as its result: a page from Markdown.

use std::fs;

use hardshell_sdk::{Error, Result, Schema, tool};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd, html};

#[derive(serde::Deserialize, Schema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// The Markdown file.
    path: String,
    /// The page's title; the first heading unless given.
    title: Option<String>,
}

/// Turns a Markdown file into one HTML page that needs nothing else: tables, footnotes,
/// task lists and strikethrough included. Raw HTML in the file is shown as text.
#[tool(
    title = "Markdown to an HTML page",
    workspace = "read-only",
    memory = "64MiB",
    timeout = "10s"
)]
fn markdown_page(input: Input) -> Result<String> {
    let text = fs::read_to_string(&input.path)
        .map_err(|error| Error::new(format!("{}: {error}", input.path)))?;
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS;
    // A page made from someone else's text must not run their scripts.
    let events: Vec<Event<'_>> = Parser::new_ext(&text, options)
        .map(|event| match event {
            Event::Html(raw) | Event::InlineHtml(raw) => Event::Text(raw),
            other => other,
        })
        .collect();
    let title = input
        .title
        .or_else(|| first_heading(&events))
        .unwrap_or_else(|| input.path.clone());
    let mut body = String::new();
    html::push_html(&mut body, events.into_iter());
    Ok(format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{}</title>\n\
         <style>body{{max-width:45em;margin:2em auto;padding:0 1em;font:16px/1.5 sans-serif}}\
         pre{{overflow:auto;background:#f4f4f4;padding:1em}}td,th{{border:1px solid #ccc;padding:.2em .6em}}\
         table{{border-collapse:collapse}}</style>\n</head>\n<body>\n{body}</body>\n</html>\n",
        escaped(&title)
    ))
}

fn first_heading(events: &[Event<'_>]) -> Option<String> {
    let mut title = String::new();
    let mut inside = false;
    for event in events {
        match event {
            Event::Start(Tag::Heading { .. }) => inside = true,
            Event::End(TagEnd::Heading(_)) if inside => return Some(title),
            Event::Text(text) | Event::Code(text) if inside => title.push_str(text),
            _ => {}
        }
    }
    None
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
