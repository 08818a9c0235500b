//! `strings`: the printable runs of a file.

use hardshell_cli::{Out, complain_file, open_input};

pub fn run(_: &str, args: Vec<Vec<u8>>) -> i32 {
    let (mut least, mut radix, mut names) = (4usize, None, false);
    let mut files: Vec<Vec<u8>> = Vec::new();
    let mut words = args.into_iter().skip(1);
    while let Some(word) = words.next() {
        let text = String::from_utf8_lossy(&word).into_owned();
        match text.as_str() {
            "--help" => {
                println!(
                    "Usage: strings [-a] [-f] [-n MIN] [-t o|d|x] [FILE]...\nPrint the sequences of at least MIN (4) printable characters."
                );
                return 0;
            }
            "-a" | "--all" | "-d" | "-w" => {}
            "-f" | "--print-file-name" => names = true,
            "-o" => radix = Some(b'o'),
            "-n" | "--bytes" => {
                least = words
                    .next()
                    .and_then(|w| String::from_utf8_lossy(&w).parse().ok())
                    .unwrap_or(4)
            }
            "-t" | "--radix" => radix = words.next().and_then(|w| w.first().copied()),
            w if w.starts_with("--bytes=") => least = w[8..].parse().unwrap_or(4),
            w if w.starts_with("--radix=") => radix = w.as_bytes().get(8).copied(),
            w if w.starts_with("-n") => least = w[2..].parse().unwrap_or(4),
            w if w.starts_with("-t") => radix = w.as_bytes().get(2).copied(),
            w if w.len() > 1
                && w[1..].bytes().all(|b| b.is_ascii_digit())
                && w.starts_with('-') =>
            {
                least = w[1..].parse().unwrap_or(4)
            }
            _ => files.push(word),
        }
    }
    if files.is_empty() {
        files.push(b"-".to_vec());
    }
    let least = least.max(1);
    let mut out = Out::stdout();
    let mut status = 0;
    for file in &files {
        let data = match open_input(file).and_then(|mut i| i.read_all()) {
            Ok(data) => data,
            Err(error) => {
                status = 1;
                complain_file("strings", file, &error);
                continue;
            }
        };
        let mut start = 0;
        for at in 0..=data.len() {
            let printable = data
                .get(at)
                .is_some_and(|b| (0x20..0x7f).contains(b) || *b == b'\t');
            if printable {
                continue;
            }
            if at - start >= least {
                if names {
                    out.put(file);
                    out.put(b": ");
                }
                match radix {
                    Some(b'x') => out.put(format!("{start:>7x} ").as_bytes()),
                    Some(b'o') => out.put(format!("{start:>7o} ").as_bytes()),
                    Some(_) => out.put(format!("{start:>7} ").as_bytes()),
                    None => {}
                }
                out.put(&data[start..at]);
                out.byte(b'\n');
            }
            start = at + 1;
        }
    }
    i32::from(out.finish().is_err()).max(status)
}
