//! What the host asks for on its own: the workspace as a list of resources, and a file
//! to keep the overlong output of a command in. A model does not call these.

use crate::answer::{Answer, ToolError};
use crate::args::{Args, Kind, Parameter, optional, required};
use crate::glob::is_vcs;
use crate::path;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ignore::WalkBuilder;
use serde_json::{Value, json};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

/// The parameters of List.
pub const LIST: &[Parameter] = &[
    required("path", Kind::String),
    optional("offset", Kind::Integer(0)),
    optional("limit", Kind::Integer(1)),
];

/// The parameters of Fetch.
pub const FETCH: &[Parameter] = &[required("path", Kind::String)];

/// The parameters of Complete.
pub const COMPLETE: &[Parameter] = &[
    required("path", Kind::String),
    required("root", Kind::String),
];

/// Values of a completion, as the protocol bounds them.
const VALUES_MAX: usize = 100;
/// The largest file that is fetched.
const BYTES_MAX: u64 = 10 << 20;

/// Lists the files below a directory in the order of their paths, a page at a time.
pub fn list(args: &Args) -> Result<Answer, ToolError> {
    let root = path::absolute(args.text("path"))?;
    let offset = args.integer("offset").unwrap_or(0);
    let limit = args.integer("limit").unwrap_or(100);
    let mut entries: Vec<Value> = Vec::new();
    let mut seen = 0u64;
    let mut more = false;
    let mut walk = WalkBuilder::new(&root);
    walk.standard_filters(false)
        .filter_entry(|entry| !is_vcs(entry))
        .sort_by_file_name(std::ffi::OsStr::cmp);
    for entry in walk.build().flatten() {
        if !entry.file_type().is_some_and(|kind| kind.is_file()) {
            continue;
        }
        // A name that is not UTF-8 has no URI that leads back to it.
        let Some(name) = entry.path().to_str() else {
            continue;
        };
        seen += 1;
        if seen <= offset {
            continue;
        }
        if entries.len() as u64 == limit {
            more = true;
            break;
        }
        let size = entry.metadata().map_or(0, |metadata| metadata.len());
        entries.push(json!({ "path": name, "size": size, "mime": mime(entry.path(), &[]) }));
    }
    let next = more.then_some(offset + limit);
    Ok(Answer::default().with_structured(json!({ "entries": entries, "next": next })))
}

/// The whole of one file: text where it is text, base64 where it is not.
pub fn fetch(args: &Args) -> Result<Answer, ToolError> {
    let path = path::absolute(args.text("path"))?;
    let metadata = fs::metadata(&path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => ToolError::new("File does not exist."),
        _ => ToolError::io("read", &path, &error),
    })?;
    if !metadata.is_file() {
        return Err(ToolError::new("Not a regular file."));
    }
    if metadata.len() > BYTES_MAX {
        return Err(ToolError::new(format!(
            "The file is too large to fetch: {} bytes, at most {BYTES_MAX}.",
            metadata.len()
        )));
    }
    let mut bytes = Vec::new();
    let mut file = File::open(&path).map_err(|error| ToolError::io("read", &path, &error))?;
    Read::take(&mut file, BYTES_MAX)
        .read_to_end(&mut bytes)
        .map_err(|error| ToolError::io("read", &path, &error))?;
    let mime = mime(&path, &bytes);
    let structured = match String::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => json!({ "mime": mime, "text": text }),
        Ok(text) => json!({ "mime": binary(mime), "blob": STANDARD.encode(text) }),
        Err(error) => json!({ "mime": binary(mime), "blob": STANDARD.encode(error.as_bytes()) }),
    };
    Ok(Answer::default().with_structured(structured))
}

/// Paths below `root` that begin with `path`; directories end in a slash.
pub fn complete(args: &Args) -> Result<Answer, ToolError> {
    let root = path::absolute(args.text("root"))?;
    let given = args.text("path");
    let (directory, start) = given
        .rsplit_once('/')
        .map_or(("", given), |(directory, start)| (directory, start));
    let folder = path::absolute(&format!("{}/{directory}", root.display()))?;
    let mut values: Vec<String> = Vec::new();
    if folder.starts_with(&root) {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            if !name.starts_with(start) {
                continue;
            }
            let slash = if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                "/"
            } else {
                ""
            };
            let prefix = if directory.is_empty() {
                String::new()
            } else {
                format!("{directory}/")
            };
            values.push(format!("{prefix}{name}{slash}"));
        }
    }
    values.sort();
    let total = values.len();
    values.truncate(VALUES_MAX);
    Ok(Answer::default().with_structured(json!({ "values": values, "total": total })))
}

/// Copies standard input into a new file.
pub fn keep(path: &str) -> Result<u64, String> {
    let path = path::absolute(path).map_err(|error| error.0)?;
    let mut file = File::create_new(&path)
        .map_err(|error| format!("cannot create {}: {error}", path.display()))?;
    io::copy(&mut io::stdin().lock(), &mut file)
        .map_err(|error| format!("cannot write {}: {error}", path.display()))
}

/// The media type by the extension; by the first bytes for images.
fn mime(path: &Path, head: &[u8]) -> &'static str {
    if let Some(image) = crate::read::image_mime(head) {
        return image;
    }
    let extension = path
        .extension()
        .map(|extension| extension.to_string_lossy().to_lowercase())
        .unwrap_or_default();
    match extension.as_str() {
        "html" | "htm" => "text/html",
        "css" => "text/css",
        "csv" => "text/csv",
        "md" | "markdown" => "text/markdown",
        "js" | "mjs" => "text/javascript",
        "json" | "ipynb" => "application/json",
        "xml" => "application/xml",
        "yaml" | "yml" => "application/yaml",
        "toml" => "application/toml",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "pdf" => "application/pdf",
        "zip" => "application/zip",
        "gz" | "tgz" => "application/gzip",
        "tar" => "application/x-tar",
        "wasm" => "application/wasm",
        _ => "text/plain",
    }
}

/// A media type for what turned out not to be text.
fn binary(mime: &'static str) -> &'static str {
    if mime.starts_with("text/") {
        "application/octet-stream"
    } else {
        mime
    }
}
