//! `less` and `more` without a terminal: the text as it is.

use std::io::Read;

use hardshell_cli::{Out, complain, errno_text, open_input};

pub fn run(name: &str, args: Vec<Vec<u8>>) -> i32 {
    let mut files = Vec::new();
    let mut number = false;
    for word in args.into_iter().skip(1) {
        if word == b"--help" {
            println!(
                "Usage: {name} [OPTION]... [FILE]...\nThere is no terminal to page on: the text is printed as it is."
            );
            return 0;
        }
        if word.len() > 1 && (word[0] == b'-' || word[0] == b'+') {
            number |= word[0] == b'-' && !word.starts_with(b"--") && word.contains(&b'N');
            continue;
        }
        files.push(word);
    }
    if files.is_empty() {
        files.push(b"-".to_vec());
    }
    let mut out = Out::stdout();
    let mut status = 0;
    let mut buffer = vec![0u8; 64 * 1024];
    let mut line = 0u64;
    for file in &files {
        let mut input = match open_input(file) {
            Ok(input) => input,
            Err(error) => {
                status = 1;
                let shown = String::from_utf8_lossy(file).into_owned();
                let text = errno_text(&error);
                if text == "Is a directory" {
                    complain(&shown, "is a directory");
                } else {
                    complain(&shown, text);
                }
                continue;
            }
        };
        let mut at_start = true;
        loop {
            match input.read(&mut buffer) {
                Ok(0) => break,
                Ok(got) if number => {
                    for byte in &buffer[..got] {
                        if at_start {
                            line += 1;
                            out.put(format!("{line:>7} ").as_bytes());
                        }
                        out.byte(*byte);
                        at_start = *byte == b'\n';
                    }
                }
                Ok(got) => out.put(&buffer[..got]),
                Err(error) => {
                    status = 1;
                    complain(name, errno_text(&error));
                    break;
                }
            }
            if out.failed() {
                return 1;
            }
        }
    }
    i32::from(out.finish().is_err()).max(status)
}
