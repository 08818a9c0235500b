//! The macros of `hardshell-sdk`: `#[tool]` makes a tool of a function, and
//! `#[derive(Schema)]` a JSON Schema of a type.
#![warn(missing_docs)]

mod schema;
mod tool;

use proc_macro::TokenStream;

/// Makes a tool of a function: its manifest, the custom section that holds it, and `main`.
///
/// The function takes one argument, whose type is `serde::Deserialize` and `Schema`, and
/// returns `hardshell_sdk::Result` of a `String`, a `Json<T>` or a `Vec<Block>`. Its
/// documentation is what a model chooses the tool by.
///
/// ```ignore
/// #[tool(title = "Count words", workspace = "read-only", memory = "32MiB", timeout = "5s")]
/// ```
///
/// Settings, all optional: `name`, `title`, `workspace` ("none", "read-only",
/// "read-write"), `tmp`, `env = ["LANG"]`, `spawn = ["sort"]`, `network = [..]`, `fuel`,
/// `memory`, `timeout`.
#[proc_macro_attribute]
pub fn tool(settings: TokenStream, item: TokenStream) -> TokenStream {
    tool::expand(settings.into(), item.into())
        .unwrap_or_else(|error| error.to_compile_error())
        .into()
}

/// A JSON Schema of a struct with named fields or of an enum without any. The comments of
/// fields become descriptions. Honours serde's `rename`, `rename_all` and `default`.
#[proc_macro_derive(Schema, attributes(serde))]
pub fn schema(item: TokenStream) -> TokenStream {
    schema::expand(item.into())
        .unwrap_or_else(|error| error.to_compile_error())
        .into()
}

/// The text of documentation comments.
fn documentation(attributes: &[syn::Attribute]) -> String {
    let lines: Vec<String> = attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("doc"))
        .filter_map(|attribute| match &attribute.meta {
            syn::Meta::NameValue(pair) => match &pair.value {
                syn::Expr::Lit(syn::ExprLit {
                    lit: syn::Lit::Str(text),
                    ..
                }) => Some(text.value()),
                _ => None,
            },
            _ => None,
        })
        .map(|line| {
            line.strip_prefix(' ')
                .unwrap_or(&line)
                .trim_end()
                .to_owned()
        })
        .collect();
    lines.join("\n").trim().to_owned()
}

/// A text as JSON.
fn json(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if (c as u32) < 0x20 => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
