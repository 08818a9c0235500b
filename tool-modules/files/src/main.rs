//! The `files` command: `files TOOL` reads one JSON request from standard input
//! and writes one JSON answer to standard output.
//!
//! All that happens is in the library, which also builds natively for its tests.

use std::io::{self, Read, Write};
use std::process::ExitCode;

fn main() -> ExitCode {
    #[cfg(target_os = "wasi")]
    hardshell_sys::init();
    // A malformed PDF can panic the crate that reads it. The model is owed an
    // answer rather than a trap, and the hook is the last code that runs.
    std::panic::set_hook(Box::new(|panic| {
        let text = format!("The file could not be read: its content is malformed ({panic}).");
        let _ = io::stdout().write_all(&hardshell_files::error_json(&text));
        std::process::exit(0);
    }));

    let tool = std::env::args().nth(1).unwrap_or_default();
    if tool == "Keep" {
        return keep();
    }
    let mut input = Vec::new();
    if let Err(error) = io::stdin().lock().read_to_end(&mut input) {
        eprintln!("files: cannot read the request: {error}");
        return ExitCode::from(2);
    }
    let answer = hardshell_files::run_json(&tool, &input);
    match io::stdout().write_all(&answer) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("files: cannot write the answer: {error}");
            ExitCode::from(2)
        }
    }
}

/// `files Keep PATH`: standard input into a new file.
fn keep() -> ExitCode {
    let path = std::env::args().nth(2).unwrap_or_default();
    match hardshell_files::keep(&path) {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("files: {error}");
            ExitCode::FAILURE
        }
    }
}
