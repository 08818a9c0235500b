//! `awk`: POSIX awk with the common extensions of gawk, written for speed:
//! strings are bytes, fields are split only as far as they are asked for, and
//! names are resolved before the program runs.

mod analyse;
mod ast;
mod builtins;
mod control;
mod format;
mod interp;
mod lexer;
mod options;
mod order;
mod parser;
mod reader;
mod record;
mod streams;
mod strings;
mod value;

fn main() {
    hardshell_sys::init();
    std::process::exit(run(hardshell_cli::args()));
}

fn run(args: Vec<Vec<u8>>) -> i32 {
    let options = match options::parse(args) {
        Ok(options) => options,
        Err(status) => return status,
    };
    let program = match parser::parse(&options.program, options.utf8) {
        Ok(program) => program,
        Err((at, message)) => {
            return complain(&options, at, &message);
        }
    };
    interp::Interp::new(&program, &options).run(&program)
}

/// Reports a mistake in the program the way gawk does: the line, and a mark
/// below the place. Returns the exit status.
fn complain(options: &options::Options, at: u32, message: &str) -> i32 {
    let at = (at as usize).min(options.program.len());
    let before = &options.program[..at];
    let line = 1 + before.iter().filter(|b| **b == b'\n').count();
    let start = before
        .iter()
        .rposition(|b| *b == b'\n')
        .map_or(0, |p| p + 1);
    let place = format!("{}:{line}: ", options.source);
    if message.starts_with("fatal: function") || message.starts_with("error: ") {
        hardshell_cli::complain("awk", format!("{place}{message}"));
        return if message.starts_with("fatal") { 2 } else { 1 };
    }
    let rest = &options.program[start..];
    let text = rest.split(|b| *b == b'\n').next().unwrap_or_default();
    let mut shown = place.clone().into_bytes();
    shown.extend_from_slice(text);
    hardshell_cli::complain("awk", shown);
    let message = if message.starts_with("syntax error") {
        "syntax error"
    } else {
        message
    };
    let indent: String = before[start..]
        .iter()
        .map(|b| if *b == b'\t' { '\t' } else { ' ' })
        .collect();
    hardshell_cli::complain("awk", format!("{place}{indent}^ {message}"));
    1
}
