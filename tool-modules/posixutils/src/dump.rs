//! `xxd` and `hexdump`.

use std::io::Read;

use hardshell_cli::{Input, Out, complain, complain_file, open_input};

const XXD_HELP: &str = "\
Usage: xxd [options] [infile [outfile]]
   or: xxd -r [-p] [infile [outfile]]
    -b          binary digit dump
    -c cols     format <cols> octets per line (16, -i 12, -p 30)
    -e          little-endian dump
    -g bytes    number of octets per group (2)
    -i          output in C include file style
    -l len      stop after <len> octets
    -o off      add <off> to the displayed position
    -p          plain hexdump style
    -r          reverse: convert hexdump into binary
    -s seek     start at <seek> bytes
    -u          use upper case hex letters
";

#[derive(Default)]
struct Xxd {
    bits: bool,
    cols: Option<usize>,
    group: Option<usize>,
    include: bool,
    length: Option<usize>,
    offset: usize,
    plain: bool,
    reverse: bool,
    seek: usize,
    upper: bool,
    little: bool,
}

fn number(text: &str) -> Option<usize> {
    let text = text.trim_start_matches('+');
    match text.strip_prefix("0x") {
        Some(hex) => usize::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

pub fn xxd(_: &str, args: Vec<Vec<u8>>) -> i32 {
    let mut x = Xxd::default();
    let mut files: Vec<Vec<u8>> = Vec::new();
    let mut words = args.into_iter().skip(1);
    while let Some(word) = words.next() {
        if word.len() < 2 || word[0] != b'-' {
            files.push(word);
            continue;
        }
        let text = String::from_utf8_lossy(&word).into_owned();
        let (flag, attached) = text.split_at(2);
        let mut value = || {
            if attached.is_empty() {
                words
                    .next()
                    .map(|w| String::from_utf8_lossy(&w).into_owned())
            } else {
                Some(attached.to_owned())
            }
        };
        match flag {
            "-b" => x.bits = true,
            "-c" => x.cols = value().and_then(|v| number(&v)),
            "-g" => x.group = value().and_then(|v| number(&v)),
            "-l" => x.length = value().and_then(|v| number(&v)),
            "-o" => x.offset = value().and_then(|v| number(&v)).unwrap_or(0),
            "-s" => x.seek = value().and_then(|v| number(&v)).unwrap_or(0),
            "-i" => x.include = true,
            "-p" => x.plain = true,
            "-r" => {
                x.reverse = true;
                x.plain |= attached.contains('p');
            }
            "-u" => x.upper = true,
            "-e" => x.little = true,
            "-a" => {}
            "-h" | "--" => {
                print!("{XXD_HELP}");
                return 0;
            }
            "-v" => {
                println!("xxd (hardshell)");
                return 0;
            }
            _ => {
                eprint!("{XXD_HELP}");
                return 1;
            }
        }
    }
    let name = files.first().cloned().unwrap_or_else(|| b"-".to_vec());
    let mut data = match open_input(&name)
        .and_then(|mut i| read_some(&mut i, x.length.map(|l| l.saturating_add(x.seek))))
    {
        Ok(data) => data,
        Err(error) => {
            complain_file("xxd", &name, &error);
            return 2;
        }
    };
    let mut out = match files.get(1) {
        Some(file) => match std::fs::File::create(hardshell_cli::path(file)) {
            Ok(file) => Out::file(file),
            Err(error) => {
                complain_file("xxd", file, &error);
                return 3;
            }
        },
        None => Out::stdout(),
    };
    if x.reverse {
        out.put(&reverse(&data, x.plain));
        return i32::from(out.finish().is_err());
    }
    data.drain(..x.seek.min(data.len()));
    if let Some(length) = x.length {
        data.truncate(length);
    }
    dump(&x, &name, &data, &mut out);
    i32::from(out.finish().is_err())
}

fn read_some(input: &mut Input, limit: Option<usize>) -> std::io::Result<Vec<u8>> {
    match limit {
        None => input.read_all(),
        Some(limit) => {
            let mut data = Vec::new();
            input.take(limit as u64).read_to_end(&mut data)?;
            Ok(data)
        }
    }
}

fn dump(x: &Xxd, name: &[u8], data: &[u8], out: &mut Out) {
    let hex = |b: u8| {
        if x.upper {
            format!("{b:02X}")
        } else {
            format!("{b:02x}")
        }
    };
    if x.plain {
        let cols = x.cols.unwrap_or(30).max(1);
        for line in data.chunks(cols) {
            for b in line {
                out.put(hex(*b).as_bytes());
            }
            out.byte(b'\n');
        }
        return;
    }
    if x.include {
        let id: String = String::from_utf8_lossy(name)
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
            .collect();
        let named = name != b"-";
        if named {
            out.put(format!("unsigned char {id}[] = {{\n").as_bytes());
        }
        let lines: Vec<String> = data
            .chunks(x.cols.unwrap_or(12).max(1))
            .map(|l| {
                "  ".to_owned()
                    + &l.iter()
                        .map(|b| format!("0x{}", hex(*b)))
                        .collect::<Vec<_>>()
                        .join(", ")
            })
            .collect();
        out.put(lines.join(",\n").as_bytes());
        out.byte(b'\n');
        if named {
            out.put(format!("}};\nunsigned int {id}_len = {};\n", data.len()).as_bytes());
        }
        return;
    }
    let cols = x.cols.unwrap_or(if x.bits { 6 } else { 16 }).max(1);
    let group = match x.group {
        Some(0) => cols,
        Some(group) => group,
        None if x.bits => 1,
        None if x.little => 4,
        None => 2,
    };
    let unit = if x.bits { 8 } else { 2 };
    let width = cols * unit + cols.div_ceil(group) - 1;
    for (i, line) in data.chunks(cols).enumerate() {
        let mut text = format!("{:08x}: ", x.seek + x.offset + i * cols);
        let mut body = String::new();
        for (j, part) in line.chunks(group).enumerate() {
            if j > 0 {
                body.push(' ');
            }
            if x.little {
                body.push_str(&"  ".repeat(group - part.len()));
                for b in part.iter().rev() {
                    body.push_str(&hex(*b));
                }
            } else {
                for b in part {
                    body.push_str(&if x.bits { format!("{b:08b}") } else { hex(*b) });
                }
            }
        }
        text.push_str(&format!("{body:<width$}  "));
        out.put(text.as_bytes());
        for b in line {
            out.byte(if (0x20..0x7f).contains(b) { *b } else { b'.' });
        }
        out.byte(b'\n');
    }
}

fn reverse(data: &[u8], plain: bool) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::new();
    let digit = |b: u8| char::from(b).to_digit(16).map(|d| d as u8);
    for line in data.split(|b| *b == b'\n') {
        let mut body = line;
        if !plain {
            let Some(colon) = line.iter().position(|b| *b == b':') else {
                continue;
            };
            let at = usize::from_str_radix(&String::from_utf8_lossy(&line[..colon]), 16)
                .unwrap_or(out.len());
            if at > out.len() && at < out.len() + (1 << 24) {
                out.resize(at, 0);
            }
            body = &line[colon + 1..];
            // Two blanks end the digits.
            let start = body.iter().take_while(|b| **b == b' ').count();
            body = &body[start..];
            if let Some(end) = body.windows(2).position(|w| w == b"  ") {
                body = &body[..end];
            }
        }
        let mut high = None;
        for byte in body {
            match (digit(*byte), high) {
                (Some(d), None) => high = Some(d),
                (Some(d), Some(h)) => {
                    out.push(h << 4 | d);
                    high = None;
                }
                (None, _) => {}
            }
        }
    }
    out
}

pub fn hexdump(name: &str, args: Vec<Vec<u8>>) -> i32 {
    let (mut canonical, mut all, mut length, mut skip) = (name == "hd", false, None, 0usize);
    let mut mode = b'x';
    let mut files: Vec<Vec<u8>> = Vec::new();
    let mut words = args.into_iter().skip(1);
    while let Some(word) = words.next() {
        match word.as_slice() {
            b"--help" => {
                println!(
                    "Usage: hexdump [-C] [-v] [-n LENGTH] [-s SKIP] [-b|-c|-d|-o|-x] [FILE]...\nShow bytes in hexadecimal and other forms."
                );
                return 0;
            }
            b"-C" | b"--canonical" => canonical = true,
            b"-v" | b"--no-squeezing" => all = true,
            b"-n" | b"--length" => {
                length = words
                    .next()
                    .and_then(|w| number(&String::from_utf8_lossy(&w)))
            }
            b"-s" | b"--skip" => {
                skip = words
                    .next()
                    .and_then(|w| number(&String::from_utf8_lossy(&w)))
                    .unwrap_or(0)
            }
            b"-b" | b"-c" | b"-d" | b"-o" | b"-x" => mode = word[1],
            b"-e" | b"-f" => {
                complain(
                    "hexdump",
                    "own formats (-e, -f) are not supported; use -C, -x, -d, -o, -b, -c, or od and xxd",
                );
                return 1;
            }
            w if w.starts_with(b"-n") && w.len() > 2 => {
                length = number(&String::from_utf8_lossy(&w[2..]))
            }
            w if w.starts_with(b"-") && w.len() > 2 => {
                for letter in &w[1..] {
                    match letter {
                        b'C' => canonical = true,
                        b'v' => all = true,
                        _ => {}
                    }
                }
            }
            _ => files.push(word),
        }
    }
    if files.is_empty() {
        files.push(b"-".to_vec());
    }
    let mut data = Vec::new();
    let mut status = 0;
    for file in &files {
        match open_input(file).and_then(|mut i| i.read_all()) {
            Ok(part) => data.extend_from_slice(&part),
            Err(error) => {
                status = 1;
                complain_file("hexdump", file, &error);
            }
        }
    }
    data.drain(..skip.min(data.len()));
    if let Some(length) = length {
        data.truncate(length);
    }
    let mut out = Out::stdout();
    let mut last: &[u8] = &[];
    let mut squeezed = false;
    let digits = if canonical { 8 } else { 7 };
    for (i, line) in data.chunks(16).enumerate() {
        if !all && i > 0 && line == last {
            if !squeezed {
                out.put(b"*\n");
                squeezed = true;
            }
            continue;
        }
        squeezed = false;
        last = line;
        let mut text = format!("{:0digits$x}", skip + i * 16);
        if canonical {
            text.push(' ');
            for j in 0..16 {
                if j == 8 {
                    text.push(' ');
                }
                match line.get(j) {
                    Some(b) => text.push_str(&format!(" {b:02x}")),
                    None => text.push_str("   "),
                }
            }
            text.push_str("  |");
            out.put(text.as_bytes());
            for b in line {
                out.byte(if (0x20..0x7f).contains(b) { *b } else { b'.' });
            }
            out.put(b"|\n");
            continue;
        }
        match mode {
            b'b' => line
                .iter()
                .for_each(|b| text.push_str(&format!(" {b:03o}"))),
            b'c' => line.iter().for_each(|b| {
                let shown = match b {
                    0 => "\\0".to_owned(),
                    7 => "\\a".to_owned(),
                    8 => "\\b".to_owned(),
                    9 => "\\t".to_owned(),
                    10 => "\\n".to_owned(),
                    11 => "\\v".to_owned(),
                    12 => "\\f".to_owned(),
                    13 => "\\r".to_owned(),
                    0x20..0x7f => char::from(*b).to_string(),
                    _ => format!("{b:03o}"),
                };
                text.push_str(&format!(" {shown:>3}"));
            }),
            _ => line.chunks(2).for_each(|pair| {
                let word = u16::from(pair[0]) | u16::from(pair.get(1).copied().unwrap_or(0)) << 8;
                text.push_str(&match mode {
                    b'd' => format!("   {word:05}"),
                    b'o' => format!("  {word:06o}"),
                    _ => format!(" {word:04x}"),
                });
            }),
        }
        if mode == b'x' {
            text = format!("{text:<width$}", width = 7 + 8 * 5);
        }
        text.push('\n');
        out.put(text.as_bytes());
    }
    if !data.is_empty() {
        out.put(format!("{:0digits$x}\n", skip + data.len()).as_bytes());
    }
    i32::from(out.finish().is_err()).max(status)
}
