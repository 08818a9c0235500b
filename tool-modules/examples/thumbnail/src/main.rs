//! An example of a tool with content blocks as its result: a small picture of a large one.

use std::io::Cursor;

use hardshell_sdk::{Block, Error, Result, Schema, bail, tool};
use image::{ImageFormat, ImageReader, Limits};

#[derive(serde::Deserialize, Schema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// The image: PNG, JPEG, GIF or WebP.
    path: String,
    /// The longest side of the result in pixels; 256 unless given, 1024 at most.
    size: Option<u32>,
}

/// Shrinks an image so that it can be looked at cheaply. Gives its original size, and the
/// small image as PNG.
#[tool(
    title = "Thumbnail of an image",
    workspace = "read-only",
    memory = "256MiB",
    timeout = "20s"
)]
fn thumbnail(input: Input) -> Result<Vec<Block>> {
    let size = input.size.unwrap_or(256);
    if !(1..=1024).contains(&size) {
        bail!("size must be between 1 and 1024, not {size}");
    }
    let at = |error: &dyn std::fmt::Display| Error::new(format!("{}: {error}", input.path));
    let mut reader = ImageReader::open(&input.path)
        .map_err(|error| at(&error))?
        .with_guessed_format()?;
    // A small file can claim to be an enormous picture.
    let mut limits = Limits::default();
    limits.max_alloc = Some(128 << 20);
    limits.max_image_width = Some(20_000);
    limits.max_image_height = Some(20_000);
    reader.limits(limits);
    let image = reader.decode().map_err(|error| at(&error))?;
    let small = image.thumbnail(size, size);
    let mut png = Cursor::new(Vec::new());
    small.write_to(&mut png, ImageFormat::Png)?;
    let text = format!(
        "{}: {} x {} pixels, shown as {} x {}",
        input.path,
        image.width(),
        image.height(),
        small.width(),
        small.height()
    );
    Ok(vec![
        Block::text(text),
        Block::image(png.get_ref(), "image/png"),
    ])
}
