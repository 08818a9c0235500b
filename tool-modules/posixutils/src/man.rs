//! `man`: the help of a command, from the command itself.

use std::io::Read;

use hardshell_cli::complain;
use hardshell_cli::process::{Spawn, Stdin};

pub fn run(_: &str, args: Vec<Vec<u8>>) -> i32 {
    let mut names = Vec::new();
    let mut words = args.into_iter().skip(1);
    while let Some(word) = words.next() {
        match word.as_slice() {
            b"--help" => {
                println!("Usage: man COMMAND...\nShow the help of each COMMAND.");
                return 0;
            }
            b"-k" | b"-K" | b"--apropos" => {
                let wanted = words.next().unwrap_or_default();
                return apropos(&wanted);
            }
            w if w.starts_with(b"-") => {}
            // A section number before the name.
            w if w.iter().all(u8::is_ascii_digit) => {}
            _ => names.push(word),
        }
    }
    if names.is_empty() {
        println!("What manual page do you want?\nFor example, try 'man man'.");
        return 1;
    }
    let mut status = 0;
    for name in names {
        let shown = String::from_utf8_lossy(&name).into_owned();
        let known = !crate::which::locate(&name, false).is_empty();
        let command = if known {
            let mut spawn = Spawn::new(vec![name, b"--help".to_vec()]);
            spawn.stdin = Stdin::Null;
            spawn
        } else {
            // Perhaps it is part of the shell.
            Spawn::new(vec![
                b"sh".to_vec(),
                b"-c".to_vec(),
                b"help \"$1\" 2>/dev/null".to_vec(),
                b"sh".to_vec(),
                name,
            ])
        };
        let mut text = Vec::new();
        let ended = command.read_from().and_then(|(mut pipe, child)| {
            pipe.read_to_end(&mut text)?;
            child.wait()
        });
        if text.is_empty() || (!known && !matches!(ended, Ok(0))) {
            complain("No manual entry for", &shown);
            status = 16;
            continue;
        }
        let _ = std::io::Write::write_all(&mut std::io::stdout(), &text);
    }
    status
}

fn apropos(wanted: &[u8]) -> i32 {
    let wanted = String::from_utf8_lossy(wanted).into_owned();
    let mut found: Vec<String> = std::fs::read_dir("/bin")
        .map(|entries| {
            entries
                .flatten()
                .map(|e| e.file_name().to_string_lossy().into_owned())
                .filter(|n| n.contains(&wanted))
                .collect()
        })
        .unwrap_or_default();
    found.sort();
    for name in &found {
        println!("{name} (1)");
    }
    if found.is_empty() {
        println!("{wanted}: nothing appropriate.");
        return 16;
    }
    0
}
