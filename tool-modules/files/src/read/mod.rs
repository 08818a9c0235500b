//! Read: a file as a model can take it in.

mod binary;
mod image;
mod notebook;
mod pdf;
mod text;

use crate::answer::{Answer, ToolError};
use crate::args::{Args, Kind, Parameter, optional, required};
use crate::path;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::path::Path;

/// The parameters of Read.
pub const PARAMETERS: &[Parameter] = &[
    required("file_path", Kind::String),
    optional("offset", Kind::Integer(0)),
    optional("limit", Kind::Integer(1)),
    optional("pages", Kind::String),
];

pub use image::mime as image_mime;

/// Bytes that decide what a file is.
const HEAD: usize = 8192;
/// The largest file that is taken into memory as a whole.
const WHOLE_MAX: u64 = 64 << 20;

/// Runs Read.
pub fn read(args: &Args) -> Result<Answer, ToolError> {
    let path = path::absolute(args.text("file_path"))?;
    let metadata = fs::metadata(&path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => path::missing(&path),
        _ => ToolError::io("read", &path, &error),
    })?;
    if metadata.is_dir() {
        return Err(ToolError::new(format!(
            "EISDIR: illegal operation on a directory, read '{}'. Use Bash with ls to list it.",
            path.display()
        )));
    }
    if !metadata.is_file() {
        return Err(ToolError::new(format!(
            "{} is not a regular file but a device or a pipe; use Bash to take a bounded part of it.",
            path.display()
        )));
    }
    let mut file = File::open(&path).map_err(|error| ToolError::io("read", &path, &error))?;
    let head = read_head(&mut file).map_err(|error| ToolError::io("read", &path, &error))?;
    let source = Source {
        path: &path,
        metadata: &metadata,
        file,
        head,
    };

    let wants_pages = args.string("pages");
    if source.head.starts_with(b"%PDF-") {
        return pdf::read(source, wants_pages);
    }
    if wants_pages.is_some() {
        return Err(ToolError::new(
            "The parameter `pages` applies to PDF files only; use `offset` and `limit`.",
        ));
    }
    if let Some(mime) = image::mime(&source.head) {
        return image::read(source, mime);
    }
    if let Some(kind) = binary::kind(&source.head) {
        return Err(ToolError::new(format!(
            "This tool cannot read binary files. The file appears to be {kind} of {} bytes. \
             Use Bash with a tool for this kind of file.",
            metadata.len()
        )));
    }
    let window = text::Window::new(args.integer("offset"), args.integer("limit"));
    if path
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("ipynb"))
    {
        return notebook::read(source, &window);
    }
    text::read(source, &window)
}

/// An open file whose first bytes are already known.
struct Source<'a> {
    path: &'a Path,
    metadata: &'a Metadata,
    file: File,
    head: Vec<u8>,
}

impl Source<'_> {
    /// The whole content, where it is not larger than memory should hold.
    fn whole(mut self, what: &str) -> Result<Vec<u8>, ToolError> {
        if self.metadata.len() > WHOLE_MAX {
            return Err(ToolError::new(format!(
                "{what} is too large to read: {} bytes, at most {WHOLE_MAX} are read.",
                self.metadata.len()
            )));
        }
        let mut bytes = std::mem::take(&mut self.head);
        self.file
            .take(WHOLE_MAX)
            .read_to_end(&mut bytes)
            .map_err(|error| ToolError::io("read", self.path, &error))?;
        Ok(bytes)
    }
}

fn read_head(file: &mut File) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(HEAD);
    file.take(HEAD as u64).read_to_end(&mut head)?;
    Ok(head)
}
