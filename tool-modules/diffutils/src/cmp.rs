//! `cmp`.

use std::io::Read;

use hardshell_cli::{Arg, Item, Opt, Out, Parser, complain, errno_text, open_input};

const OPTIONS: &[Opt] = &[
    Opt::new('b', "print-bytes", Arg::No),
    Opt::new('i', "ignore-initial", Arg::Yes),
    Opt::new('l', "verbose", Arg::No),
    Opt::new('n', "bytes", Arg::Yes),
    Opt::new('s', "quiet", Arg::No),
    Opt::long('s', "silent", Arg::No),
    Opt::long('\u{1}', "help", Arg::No),
    Opt::new('v', "version", Arg::No),
];

const HELP: &str = "\
Usage: cmp [OPTION]... FILE1 [FILE2 [SKIP1 [SKIP2]]]
Compare two files byte by byte.

  -b, --print-bytes          print differing bytes
  -i, --ignore-initial=SKIP1:SKIP2  skip first bytes of both inputs
  -l, --verbose              output byte numbers and differing byte values
  -n, --bytes=LIMIT          compare at most LIMIT bytes
  -s, --quiet, --silent      suppress all normal output

If a FILE is '-' or missing, read standard input.
Exit status is 0 if inputs are the same, 1 if different, 2 if trouble.
";

pub fn run(args: Vec<Vec<u8>>) -> i32 {
    let (mut bytes, mut verbose, mut quiet) = (false, false, false);
    let (mut skip, mut limit) = ((0u64, 0u64), u64::MAX);
    let mut files = Vec::new();
    let mut parser = Parser::new("cmp", OPTIONS, args);
    let size = |text: &[u8]| hardshell_cli::parse_size(text);
    loop {
        match parser.next() {
            Ok(Some(Item::Operand(word))) => files.push(word),
            Ok(Some(Item::Opt(id, value))) => {
                let value = value.unwrap_or_default();
                match id {
                    'b' => bytes = true,
                    'l' => verbose = true,
                    's' => quiet = true,
                    'n' => match size(&value) {
                        Some(n) => limit = n,
                        None => {
                            complain(
                                "cmp",
                                format!(
                                    "invalid --bytes value '{}'",
                                    String::from_utf8_lossy(&value)
                                ),
                            );
                            return 2;
                        }
                    },
                    'i' => {
                        let mut parts = value.split(|b| *b == b':');
                        let first = parts.next().and_then(size).unwrap_or(0);
                        skip = (first, parts.next().and_then(size).unwrap_or(first));
                    }
                    '\u{1}' => {
                        print!("{HELP}");
                        return 0;
                    }
                    'v' => {
                        println!("cmp (hardshell) compatible with GNU diffutils 3.8");
                        return 0;
                    }
                    _ => {}
                }
            }
            Ok(None) => break,
            Err(()) => return 2,
        }
    }
    if files.is_empty() {
        complain("cmp", "missing operand after 'cmp'");
        hardshell_cli::try_help("cmp");
        return 2;
    }
    if let Some(text) = files.get(2) {
        skip.0 = size(text).unwrap_or(0);
    }
    if let Some(text) = files.get(3) {
        skip.1 = size(text).unwrap_or(0);
    }
    let second = files.get(1).cloned().unwrap_or_else(|| b"-".to_vec());
    let names = [files[0].clone(), second];
    let mut inputs = Vec::new();
    for (name, skip) in names.iter().zip([skip.0, skip.1]) {
        let opened = open_input(name).and_then(|mut input| {
            std::io::copy(&mut (&mut input).take(skip), &mut std::io::sink())?;
            Ok(input)
        });
        match opened {
            Ok(input) => inputs.push(input),
            Err(error) => {
                complain(
                    "cmp",
                    format!("{}: {}", String::from_utf8_lossy(name), errno_text(&error)),
                );
                return 2;
            }
        }
    }
    let (Some(mut b), Some(mut a)) = (inputs.pop(), inputs.pop()) else {
        return 2;
    };
    let mut out = Out::stdout();
    let (mut left, mut right) = (vec![0u8; 64 * 1024], vec![0u8; 64 * 1024]);
    let (mut at, mut line, mut differs) = (0u64, 1u64, false);
    let shown = |i: usize| String::from_utf8_lossy(&names[i]).into_owned();
    loop {
        let want = usize::try_from((limit - at).min(64 * 1024)).unwrap_or(0);
        if want == 0 {
            break;
        }
        let (got_a, got_b) = match (
            fill(&mut a, &mut left[..want]),
            fill(&mut b, &mut right[..want]),
        ) {
            (Ok(x), Ok(y)) => (x, y),
            (Err(error), _) | (_, Err(error)) => {
                complain("cmp", errno_text(&error));
                return 2;
            }
        };
        let common = got_a.min(got_b);
        if left[..common] != right[..common] {
            for i in 0..common {
                let (x, y) = (left[i], right[i]);
                if x != y {
                    differs = true;
                    if quiet {
                        return 1;
                    }
                    let offset = at + i as u64 + 1;
                    if verbose {
                        let text = if bytes {
                            format!("{offset} {x:3o} {:<4} {y:3o} {}\n", visible(x), visible(y))
                        } else {
                            format!("{offset} {x:3o} {y:3o}\n")
                        };
                        out.put(text.as_bytes());
                    } else {
                        let line = line + left[..i].iter().filter(|b| **b == b'\n').count() as u64;
                        let mut text = format!(
                            "{} {} differ: byte {offset}, line {line}",
                            shown(0),
                            shown(1)
                        );
                        if bytes {
                            text.push_str(&format!(
                                " is {x:3o} {} {y:3o} {}",
                                visible(x),
                                visible(y)
                            ));
                        }
                        text.push('\n');
                        out.put(text.as_bytes());
                        let _ = out.finish();
                        return 1;
                    }
                }
            }
        }
        line += left[..common].iter().filter(|b| **b == b'\n').count() as u64;
        at += common as u64;
        if got_a != got_b {
            if quiet {
                return 1;
            }
            let _ = out.finish();
            let short = if got_a < got_b { shown(0) } else { shown(1) };
            let quoted = short;
            if at == 0 {
                complain("cmp", format!("EOF on {quoted} which is empty"));
            } else if verbose {
                complain("cmp", format!("EOF on {quoted} after byte {at}"));
            } else {
                let whole = left[..common].last() == Some(&b'\n') || (common == 0 && line > 1);
                let (word, line) = if whole {
                    ("line", line - 1)
                } else {
                    ("in line", line)
                };
                complain(
                    "cmp",
                    format!("EOF on {quoted} after byte {at}, {word} {line}"),
                );
            }
            return 1;
        }
        if common < want {
            break;
        }
    }
    if out.finish().is_err() {
        return 2;
    }
    i32::from(differs)
}

fn fill(input: &mut impl Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match input.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(got) => filled += got,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// A byte as `cat -t` shows it.
fn visible(byte: u8) -> String {
    let low = byte & 0x7f;
    let meta = if byte >= 0x80 { "M-" } else { "" };
    match low {
        0..0x20 => format!("{meta}^{}", char::from(low + 64)),
        0x7f => format!("{meta}^?"),
        _ => format!("{meta}{}", char::from(low)),
    }
}
