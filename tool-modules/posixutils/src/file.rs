//! `file`: what a file holds, by its first bytes.

use std::io::Read;

use hardshell_cli::stat::{lstat, stat};
use hardshell_cli::{Arg, Item, Opt, Out, Parser, errno_text, open_input, path};

const OPTIONS: &[Opt] = &[
    Opt::new('b', "brief", Arg::No),
    Opt::new('i', "mime", Arg::No),
    Opt::long('\u{1}', "mime-type", Arg::No),
    Opt::long('\u{2}', "mime-encoding", Arg::No),
    Opt::new('L', "dereference", Arg::No),
    Opt::new('h', "no-dereference", Arg::No),
    Opt::new('0', "print0", Arg::No),
    Opt::new('F', "separator", Arg::Yes),
    Opt::new('N', "no-pad", Arg::No),
    Opt::new('k', "keep-going", Arg::No),
    Opt::new('z', "uncompress", Arg::No),
    Opt::new('s', "special-files", Arg::No),
    Opt::long('\u{3}', "help", Arg::No),
    Opt::new('v', "version", Arg::No),
];

/// First bytes, where they stand, what they mean, and the media type.
const MAGIC: &[(usize, &[u8], &str, &str)] = &[
    (0, b"\x89PNG\r\n\x1a\n", "PNG image data", "image/png"),
    (0, b"\xff\xd8\xff", "JPEG image data", "image/jpeg"),
    (0, b"GIF87a", "GIF image data, version 87a", "image/gif"),
    (0, b"GIF89a", "GIF image data, version 89a", "image/gif"),
    (
        8,
        b"WEBP",
        "RIFF (little-endian) data, Web/P image",
        "image/webp",
    ),
    (
        8,
        b"WAVE",
        "RIFF (little-endian) data, WAVE audio",
        "audio/x-wav",
    ),
    (0, b"BM", "PC bitmap", "image/bmp"),
    (0, b"%PDF-", "PDF document", "application/pdf"),
    (0, b"PK\x03\x04", "Zip archive data", "application/zip"),
    (
        0,
        b"PK\x05\x06",
        "Zip archive data (empty)",
        "application/zip",
    ),
    (0, b"\x1f\x8b", "gzip compressed data", "application/gzip"),
    (0, b"BZh", "bzip2 compressed data", "application/x-bzip2"),
    (0, b"\xfd7zXZ\0", "XZ compressed data", "application/x-xz"),
    (
        0,
        b"\x28\xb5\x2f\xfd",
        "Zstandard compressed data",
        "application/zstd",
    ),
    (
        0,
        b"7z\xbc\xaf\x27\x1c",
        "7-zip archive data",
        "application/x-7z-compressed",
    ),
    (257, b"ustar", "POSIX tar archive", "application/x-tar"),
    (0, b"\x7fELF", "ELF executable", "application/x-executable"),
    (
        0,
        b"\0asm",
        "WebAssembly (wasm) binary module",
        "application/wasm",
    ),
    (0, b"MZ", "PE/DOS executable", "application/x-dosexec"),
    (
        0,
        b"SQLite format 3\0",
        "SQLite 3.x database",
        "application/vnd.sqlite3",
    ),
    (0, b"OggS", "Ogg data", "application/ogg"),
    (0, b"ID3", "Audio file with ID3", "audio/mpeg"),
    (0, b"fLaC", "FLAC audio bitstream data", "audio/flac"),
    (4, b"ftyp", "ISO Media", "video/mp4"),
    (
        0,
        b"\xca\xfe\xba\xbe",
        "compiled Java class data",
        "application/x-java-applet",
    ),
];

pub fn run(_: &str, args: Vec<Vec<u8>>) -> i32 {
    let mut parser = Parser::new("file", OPTIONS, args);
    let (mut brief, mut mime, mut kind_only, mut encoding_only, mut follow, mut pad) =
        (false, false, false, false, false, true);
    let mut separator = b":".to_vec();
    let mut files = Vec::new();
    loop {
        match parser.next() {
            Ok(Some(Item::Operand(word))) => files.push(word),
            Ok(Some(Item::Opt(id, value))) => match id {
                'b' => brief = true,
                'i' => mime = true,
                '\u{1}' => (mime, kind_only) = (true, true),
                '\u{2}' => (mime, encoding_only) = (true, true),
                'L' => follow = true,
                'N' => pad = false,
                'F' => separator = value.unwrap_or_default(),
                '\u{3}' => {
                    println!(
                        "Usage: file [-bLiN] [--mime-type] [--mime-encoding] FILE...\nDetermine type of FILEs."
                    );
                    return 0;
                }
                'v' => {
                    println!("file-5.44 (hardshell)");
                    return 0;
                }
                _ => {}
            },
            Ok(None) => break,
            Err(()) => return 1,
        }
    }
    if files.is_empty() {
        eprintln!("Usage: file [-bLiN] [--mime-type] [--mime-encoding] FILE...");
        return 1;
    }
    let widest = files.iter().map(Vec::len).max().unwrap_or(0);
    let mut out = Out::stdout();
    for file in &files {
        let (text, kind, charset) = describe(file, follow);
        if !brief {
            out.put(if file == b"-" { b"/dev/stdin" } else { file });
            out.put(&separator);
            out.byte(b' ');
            if pad {
                out.put(&vec![b' '; widest - file.len()]);
            }
        }
        let shown = if !mime {
            text
        } else if kind_only {
            kind
        } else if encoding_only {
            charset
        } else {
            format!("{kind}; charset={charset}")
        };
        out.put(shown.as_bytes());
        out.byte(b'\n');
    }
    i32::from(out.finish().is_err())
}

fn describe(file: &[u8], follow: bool) -> (String, String, String) {
    let triple = |a: &str, b: &str, c: &str| (a.to_owned(), b.to_owned(), c.to_owned());
    if file != b"-" {
        let meta = match if follow { stat(file) } else { lstat(file) } {
            Ok(meta) => meta,
            Err(error) => {
                let text = format!(
                    "cannot open `{}' ({})",
                    String::from_utf8_lossy(file),
                    errno_text(&error)
                );
                return (text.clone(), text, "binary".into());
            }
        };
        match meta.kind() {
            b'd' => return triple("directory", "inode/directory", "binary"),
            b'l' => {
                let target = std::fs::read_link(path(file))
                    .map(|t| t.to_string_lossy().into_owned())
                    .unwrap_or_default();
                let broken = if stat(file).is_err() {
                    "broken symbolic link to "
                } else {
                    "symbolic link to "
                };
                return (
                    format!("{broken}{target}"),
                    "inode/symlink".into(),
                    "binary".into(),
                );
            }
            b'c' => return triple("character special", "inode/chardevice", "binary"),
            b'p' => return triple("fifo (named pipe)", "inode/fifo", "binary"),
            _ if meta.size == 0 => return triple("empty", "inode/x-empty", "binary"),
            _ => {}
        }
    }
    let mut data = Vec::new();
    if let Err(error) = open_input(file).and_then(|i| i.take(256 * 1024).read_to_end(&mut data)) {
        let text = format!(
            "cannot open `{}' ({})",
            String::from_utf8_lossy(file),
            errno_text(&error)
        );
        return (text.clone(), text, "binary".into());
    }
    if data.is_empty() {
        return triple("empty", "inode/x-empty", "binary");
    }
    for (at, bytes, text, kind) in MAGIC {
        if data.get(*at..).is_some_and(|d| d.starts_with(bytes)) {
            let mut text = (*text).to_owned();
            if *kind == "image/png" && data.len() >= 24 {
                let number =
                    |i: usize| u32::from_be_bytes([data[i], data[i + 1], data[i + 2], data[i + 3]]);
                text.push_str(&format!(", {} x {}", number(16), number(20)));
            }
            if *kind == "application/pdf" {
                let version: String = data[5..].iter().take(3).map(|b| char::from(*b)).collect();
                text.push_str(&format!(", version {version}"));
            }
            return (text, (*kind).to_owned(), "binary".into());
        }
    }
    text(&data)
}

fn text(data: &[u8]) -> (String, String, String) {
    let body = data.strip_prefix(b"\xef\xbb\xbf").unwrap_or(data);
    let bom = body.len() != data.len();
    let valid = match std::str::from_utf8(body) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none() && data.len() >= 200_000,
    };
    let control = body
        .iter()
        .any(|b| *b < 0x20 && !matches!(b, b'\n' | b'\r' | b'\t' | 8 | 12 | 27))
        || body.contains(&0);
    if control {
        return (
            "data".into(),
            "application/octet-stream".into(),
            "binary".into(),
        );
    }
    let ascii = body.is_ascii();
    let (encoding, charset) = if ascii {
        ("ASCII", "us-ascii")
    } else if valid {
        (
            if bom {
                "Unicode text, UTF-8 (with BOM)"
            } else {
                "Unicode text, UTF-8"
            },
            "utf-8",
        )
    } else {
        ("ISO-8859", "iso-8859-1")
    };
    let first = body.split(|b| *b == b'\n').next().unwrap_or_default();
    let start = String::from_utf8_lossy(&body[..body.len().min(2000)])
        .trim_start()
        .to_owned();
    let looks_json = (start.starts_with('{') || start.starts_with('[')) && balanced(body);
    let (what, kind) = if first.starts_with(b"#!") {
        let line = String::from_utf8_lossy(&first[2..]).trim().to_owned();
        let program = line
            .split_whitespace()
            .next()
            .unwrap_or("")
            .rsplit('/')
            .next()
            .unwrap_or("")
            .to_owned();
        let program = if program == "env" {
            line.split_whitespace().nth(1).unwrap_or("").to_owned()
        } else {
            program
        };
        match program.as_str() {
            "sh" | "dash" => ("POSIX shell script, ".to_owned(), "text/x-shellscript"),
            "bash" => (
                "Bourne-Again shell script, ".to_owned(),
                "text/x-shellscript",
            ),
            p if p.starts_with("python") => ("Python script, ".to_owned(), "text/x-script.python"),
            "perl" => ("Perl script, ".to_owned(), "text/x-perl"),
            "node" => ("Node.js script, ".to_owned(), "application/javascript"),
            _ => (format!("a {line} script, "), "text/plain"),
        }
    } else if looks_json {
        return (
            "JSON text data".into(),
            "application/json".into(),
            charset.into(),
        );
    } else if start.starts_with("<?xml") {
        ("XML 1.0 document, ".to_owned(), "text/xml")
    } else if start.to_ascii_lowercase().starts_with("<!doctype html")
        || start.to_ascii_lowercase().starts_with("<html")
    {
        ("HTML document, ".to_owned(), "text/html")
    } else {
        (String::new(), "text/plain")
    };
    let mut out = format!("{what}{encoding} text");
    if !what.is_empty() && what.contains("script") {
        out.push_str(" executable");
    }
    if body.split(|b| *b == b'\n').any(|l| l.len() > 300) {
        let longest = body
            .split(|b| *b == b'\n')
            .map(<[u8]>::len)
            .max()
            .unwrap_or(0);
        out.push_str(&format!(", with very long lines ({longest})"));
    }
    let crlf = memchr::memmem::find(body, b"\r\n").is_some();
    if !body.contains(&b'\n') && !crlf {
        out.push_str(", with no line terminators");
    } else if crlf {
        let all = body.iter().filter(|b| **b == b'\n').count()
            == memchr::memmem::find_iter(body, b"\r\n").count();
        out.push_str(if all {
            ", with CRLF line terminators"
        } else {
            ", with CRLF, LF line terminators"
        });
    }
    (out, kind.to_owned(), charset.to_owned())
}

/// Whether brackets outside strings come in pairs: near enough to JSON.
fn balanced(data: &[u8]) -> bool {
    let (mut depth, mut quoted, mut escaped) = (0i64, false, false);
    for b in data {
        if quoted {
            match b {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => quoted = false,
                _ => {}
            }
            continue;
        }
        match b {
            b'"' => quoted = true,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            b'0'..=b'9'
            | b'-'
            | b'+'
            | b'.'
            | b'e'
            | b'E'
            | b','
            | b':'
            | b' '
            | b'\n'
            | b'\r'
            | b'\t' => {}
            b'a'..=b'z' => {}
            _ => return false,
        }
    }
    depth == 0 && !quoted
}
