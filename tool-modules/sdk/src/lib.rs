//! Tools for hardshell.
//!
//! ```ignore
//! use hardshell_sdk::{Result, Schema, tool};
//!
//! #[derive(serde::Deserialize, Schema)]
//! struct Input {
//!     /// The file to count.
//!     path: String,
//! }
//!
//! /// Counts the words of a text file.
//! #[tool(workspace = "read-only")]
//! fn count_words(input: Input) -> Result<String> {
//!     let text = std::fs::read_to_string(&input.path)?;
//!     Ok(text.split_whitespace().count().to_string())
//! }
//! ```
//!
//! Built for `wasm32-wasip1`, that is an MCP tool `count_words` and a shell command of the
//! same name: `count_words report.txt`, `count_words --path report.txt`, or JSON on
//! standard input.
#![warn(missing_docs)]

mod arguments;
mod output;
mod schema;

pub use hardshell_sdk_macros::{Schema, tool};
pub use output::{Block, Json, Output, Returned};
pub use schema::{Piece, Schema, length, render};

use serde::de::DeserializeOwned;
use std::fmt;
use std::io::{self, Read, Write};
use std::process::ExitCode;

/// What a tool returns.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a tool failed, in words for the model. Any error becomes one with `?`.
pub struct Error(String);

impl Error {
    /// An error with this text.
    pub fn new(text: impl Into<String>) -> Self {
        Error(text.into())
    }
}

impl<E: std::error::Error> From<E> for Error {
    fn from(error: E) -> Self {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            text.push_str(&format!(": {cause}"));
            source = cause.source();
        }
        Error(text)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Returns from the tool with an error.
#[macro_export]
macro_rules! bail {
    ($($text:tt)*) => {
        return Err($crate::Error::new(format!($($text)*)))
    };
}

/// `main` of a tool. The macro calls it.
#[doc(hidden)]
pub fn run<I, O, F>(manifest: &str, tool: F) -> ExitCode
where
    I: DeserializeOwned,
    O: Output,
    F: FnOnce(I) -> Result<O>,
{
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.iter().any(|word| word == "--help") {
        println!("{}", arguments::help(manifest));
        return ExitCode::SUCCESS;
    }
    if words.iter().any(|word| word == "--manifest") {
        println!("{manifest}");
        return ExitCode::SUCCESS;
    }
    let outcome = input(manifest, &words).and_then(|input| {
        let input: I = serde_json::from_value(input)
            .map_err(|error| Error::new(format!("invalid input: {error}")))?;
        tool(input)
    });
    let written = outcome.and_then(|output| {
        let mut out = io::stdout().lock();
        output
            .write(&mut out)
            .and_then(|()| out.flush())
            .map_err(Error::from)
    });
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// The input from the command line if there is one, else JSON from standard input.
fn input(manifest: &str, words: &[String]) -> Result<serde_json::Value> {
    if !words.is_empty() {
        return arguments::parse(manifest, words).map_err(Error::new);
    }
    let mut text = String::new();
    io::stdin().read_to_string(&mut text)?;
    if text.trim().is_empty() {
        return Ok(serde_json::json!({}));
    }
    serde_json::from_str(&text)
        .map_err(|error| Error::new(format!("the input is not JSON: {error}")))
}
