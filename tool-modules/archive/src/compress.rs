//! `gzip`, `bzip2`, `xz`, `zstd` and their kin.

use std::fs::{self, File};
use std::io::{self, Read, Write};

use hardshell_cli::{Input, complain, errno_text, path};

use crate::formats::Format;

struct Settings {
    /// What messages begin with.
    name: &'static str,
    format: Format,
    suffix: Vec<u8>,
    decompress: bool,
    stdout: bool,
    keep: bool,
    force: bool,
    test: bool,
    list: bool,
    recursive: bool,
    quiet: bool,
    verbose: bool,
    level: u32,
    output: Option<Vec<u8>>,
}

/// Runs one of the compressors.
pub fn run(command: &str, args: Vec<Vec<u8>>) -> i32 {
    let (name, format, suffix) = match command {
        "bzip2" | "bunzip2" | "bzcat" => ("bzip2", Format::Bzip2, ".bz2"),
        "xz" | "unxz" | "xzcat" | "lzma" | "unlzma" => ("xz", Format::Xz, ".xz"),
        "zstd" | "unzstd" | "zstdcat" => ("zstd", Format::Zstd, ".zst"),
        _ => ("gzip", Format::Gzip, ".gz"),
    };
    let mut s = Settings {
        name,
        format,
        suffix: suffix.as_bytes().to_vec(),
        decompress: command.starts_with("un") || command.contains("un") || command.ends_with("cat"),
        stdout: command.ends_with("cat"),
        keep: format == Format::Zstd,
        force: command.ends_with("cat") && format == Format::Gzip,
        test: false,
        list: false,
        recursive: false,
        quiet: false,
        verbose: false,
        level: if format == Format::Bzip2 { 9 } else { 6 },
        output: None,
    };
    s.force = false;
    let mut files: Vec<Vec<u8>> = Vec::new();
    let mut words = args.into_iter().skip(1);
    let mut only_files = false;
    while let Some(word) = words.next() {
        if only_files || word.len() < 2 || word[0] != b'-' {
            files.push(word);
            continue;
        }
        if word == b"--" {
            only_files = true;
            continue;
        }
        if word.starts_with(b"--") {
            match &word[2..] {
                b"decompress" | b"uncompress" => s.decompress = true,
                b"compress" => s.decompress = false,
                b"stdout" | b"to-stdout" => s.stdout = true,
                b"keep" => s.keep = true,
                b"rm" => s.keep = false,
                b"force" => s.force = true,
                b"test" => s.test = true,
                b"list" => s.list = true,
                b"recursive" => s.recursive = true,
                b"quiet" | b"silent" => s.quiet = true,
                b"verbose" => s.verbose = true,
                b"fast" => s.level = 1,
                b"best" => s.level = 9,
                b"help" => {
                    help(command);
                    return 0;
                }
                b"version" => {
                    println!("{name} (hardshell) 0.1");
                    return 0;
                }
                w if w.starts_with(b"suffix=") => s.suffix = w[7..].to_vec(),
                w if w.starts_with(b"threads")
                    || w.starts_with(b"format")
                    || w.starts_with(b"ultra")
                    || w.starts_with(b"long")
                    || w == b"no-name"
                    || w == b"name"
                    || w == b"extreme"
                    || w == b"no-progress"
                    || w == b"rsyncable" => {}
                w => {
                    complain(
                        name,
                        format!("unrecognized option '--{}'", String::from_utf8_lossy(w)),
                    );
                    hardshell_cli::try_help(name);
                    return 1;
                }
            }
            continue;
        }
        let mut at = 1;
        while at < word.len() {
            let letter = word[at];
            at += 1;
            match letter {
                b'd' => s.decompress = true,
                b'z' => s.decompress = false,
                b'c' => s.stdout = true,
                b'k' => s.keep = true,
                b'f' => s.force = true,
                b't' => s.test = true,
                b'l' => s.list = true,
                b'r' => s.recursive = true,
                b'q' => s.quiet = true,
                b'v' => s.verbose = true,
                b'n' | b'N' | b'a' | b's' | b'e' => {}
                b'0'..=b'9' => {
                    s.level = u32::from(letter - b'0');
                    while let Some(digit @ b'0'..=b'9') = word.get(at) {
                        s.level = s.level * 10 + u32::from(digit - b'0');
                        at += 1;
                    }
                }
                b'T' | b'M' => {
                    if at >= word.len() {
                        words.next();
                    }
                    at = word.len();
                }
                b'S' => {
                    s.suffix = if at < word.len() {
                        word[at..].to_vec()
                    } else {
                        words.next().unwrap_or_default()
                    };
                    at = word.len();
                }
                b'o' if format == Format::Zstd => {
                    s.output = if at < word.len() {
                        Some(word[at..].to_vec())
                    } else {
                        words.next()
                    };
                    at = word.len();
                }
                b'h' | b'H' => {
                    help(command);
                    return 0;
                }
                b'V' | b'L' => {
                    println!("{name} (hardshell) 0.1");
                    return 0;
                }
                other => {
                    complain(name, format!("invalid option -- '{}'", char::from(other)));
                    hardshell_cli::try_help(name);
                    return 1;
                }
            }
        }
    }
    if files.is_empty() {
        files.push(b"-".to_vec());
    }
    if s.list {
        return list(&s, &files);
    }
    let mut status = 0;
    for file in &files {
        status = status.max(one(&s, file));
    }
    status
}

fn help(command: &str) {
    println!(
        "Usage: {command} [OPTION]... [FILE]...\nCompress or uncompress FILEs (by default, in place).\n\n  -c, --stdout      write on standard output, keep original files unchanged\n  -d, --decompress  decompress\n  -f, --force       force overwrite of output file\n  -k, --keep        keep (don't delete) input files\n  -l, --list        list compressed file contents\n  -q, --quiet       suppress all warnings\n  -r, --recursive   operate recursively on directories\n  -S, --suffix=SUF  use suffix SUF on compressed files\n  -t, --test        test compressed file integrity\n  -v, --verbose     verbose mode\n  -1 .. -9          compress faster .. compress better\n\nWith no FILE, or when FILE is -, read standard input."
    );
}

fn say(s: &Settings, text: String) {
    if !s.quiet {
        complain(s.name, text);
    }
}

fn one(s: &Settings, file: &[u8]) -> i32 {
    let shown = String::from_utf8_lossy(file).into_owned();
    if file == b"-" {
        let result = if s.decompress || s.test {
            unpack(s, &mut Input::stdin(), &mut stdout(s))
        } else {
            pack(s, &mut Input::stdin(), stdout(s))
        };
        return match result {
            Ok(()) => 0,
            Err(error) => {
                let what = if s.name == "gzip" { "stdin" } else { "(stdin)" };
                complain(s.name, format!("{what}: {}", reason(s, &error)));
                1
            }
        };
    }
    let mut name = file.to_vec();
    let mut meta = fs::metadata(path(&name));
    if meta.is_err() && (s.decompress || s.test) {
        // `gunzip name` finds name.gz.
        let longer = [file, &s.suffix].concat();
        if let Ok(found) = fs::metadata(path(&longer)) {
            (name, meta) = (longer, Ok(found));
        }
    }
    let meta = match meta {
        Ok(meta) => meta,
        Err(error) => {
            match s.name {
                "bzip2" => complain(
                    s.name,
                    format!("Can't open input file {shown}: {}.", errno_text(&error)),
                ),
                "zstd" => complain(
                    s.name,
                    format!("can't stat {shown} : {} -- ignored", errno_text(&error)),
                ),
                _ => complain(s.name, format!("{shown}: {}", errno_text(&error))),
            }
            return 1;
        }
    };
    if meta.is_dir() {
        if !s.recursive {
            say(
                s,
                format!("{shown} is a directory -- ignored").replacen(
                    &shown,
                    &(shown.clone() + ":"),
                    usize::from(s.name != "gzip"),
                ),
            );
            return 2;
        }
        let mut status = 0;
        let mut entries: Vec<_> = fs::read_dir(path(&name))
            .map(|e| e.flatten().collect())
            .unwrap_or_default();
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let child = hardshell_cli::join(&name, hardshell_cli::bytes(&entry.file_name()));
            status = status.max(one(s, &child));
        }
        return status;
    }
    let target = match target(s, &name) {
        Ok(target) => target,
        Err(status) => return status,
    };
    let source = match File::open(path(&name)) {
        Ok(source) => source,
        Err(error) => {
            complain(s.name, format!("{shown}: {}", errno_text(&error)));
            return 1;
        }
    };
    let mut source = source;
    let to_stdout = s.stdout || s.test;
    if to_stdout {
        let result = if s.decompress || s.test {
            unpack(s, &mut source, &mut stdout(s))
        } else {
            pack(s, &mut source, stdout(s))
        };
        if let Err(error) = result {
            complain(
                s.name,
                format!("{}: {}", String::from_utf8_lossy(&name), reason(s, &error)),
            );
            return 1;
        }
        if s.test && s.verbose {
            eprintln!("{}:\t OK", String::from_utf8_lossy(&name));
        }
        return 0;
    }
    let shown_target = String::from_utf8_lossy(&target).into_owned();
    if !s.force && fs::symlink_metadata(path(&target)).is_ok() {
        match s.name {
            "bzip2" => complain(
                s.name,
                format!("Output file {shown_target} already exists."),
            ),
            "xz" => complain(s.name, format!("{shown_target}: File exists")),
            "zstd" => complain(
                s.name,
                format!("{shown_target} already exists; not overwritten"),
            ),
            _ => complain(
                s.name,
                format!("{shown_target} already exists;\tnot overwritten"),
            ),
        }
        return if s.name == "gzip" { 2 } else { 1 };
    }
    let result = File::create(path(&target)).and_then(|mut sink| {
        let sink_ref = &mut sink;
        if s.decompress {
            unpack(s, &mut source, sink_ref)?
        } else {
            pack(s, &mut source, sink_ref)?
        }
        if let Ok(time) = meta.modified() {
            let _ = sink.set_modified(time);
        }
        Ok(())
    });
    if let Err(error) = result {
        let _ = fs::remove_file(path(&target));
        complain(
            s.name,
            format!("{}: {}", String::from_utf8_lossy(&name), reason(s, &error)),
        );
        return 1;
    }
    hardshell_cli::copy_mode(&name, &target);
    if s.verbose {
        let (old, new) = (
            meta.len(),
            fs::metadata(path(&target)).map_or(0, |m| m.len()),
        );
        let (plain, packed) = if s.decompress { (new, old) } else { (old, new) };
        let saved = if plain == 0 {
            0.0
        } else {
            100.0 * (1.0 - packed as f64 / plain as f64)
        };
        let verb = if s.keep { "created" } else { "replaced with" };
        eprintln!(
            "{}:\t{saved:5.1}% -- {verb} {shown_target}",
            String::from_utf8_lossy(&name)
        );
    }
    if !s.keep {
        let _ = fs::remove_file(path(&name));
    }
    0
}

/// The name of the result.
fn target(s: &Settings, name: &[u8]) -> Result<Vec<u8>, i32> {
    if let Some(output) = &s.output {
        return Ok(output.clone());
    }
    let shown = String::from_utf8_lossy(name).into_owned();
    if !s.decompress {
        if name.ends_with(&s.suffix) && !s.stdout && !s.force && !s.test {
            let text = match s.name {
                "bzip2" => format!("Input file {shown} already has .bz2 suffix."),
                "xz" => format!("{shown}: File already has '.xz' suffix, skipping"),
                suffix => {
                    let _ = suffix;
                    format!(
                        "{shown} already has {} suffix -- unchanged",
                        String::from_utf8_lossy(&s.suffix)
                    )
                }
            };
            say(s, text);
            return Err(2);
        }
        return Ok([name, &s.suffix].concat());
    }
    if let Some(base) = name.strip_suffix(s.suffix.as_slice()) {
        return Ok(base.to_vec());
    }
    for (packed, plain) in [
        (".tgz", ".tar"),
        (".tbz2", ".tar"),
        (".tbz", ".tar"),
        (".txz", ".tar"),
        (".tzst", ".tar"),
        (".Z", ""),
        (".z", ""),
        (".bz", ""),
        (".lzma", ""),
    ] {
        if let Some(base) = name.strip_suffix(packed.as_bytes()) {
            return Ok([base, plain.as_bytes()].concat());
        }
    }
    if s.stdout || s.test {
        return Ok(Vec::new());
    }
    match s.name {
        "bzip2" => {
            say(
                s,
                format!("Can't guess original name for {shown} -- using {shown}.out"),
            );
            Ok([name, b".out"].concat())
        }
        "xz" => {
            say(
                s,
                format!("{shown}: Filename has an unknown suffix, skipping"),
            );
            Err(2)
        }
        _ => {
            say(s, format!("{shown}: unknown suffix -- ignored"));
            Err(2)
        }
    }
}

fn reason(s: &Settings, error: &io::Error) -> String {
    if error.raw_os_error().is_some() {
        return errno_text(error);
    }
    match (s.name, error.kind()) {
        (_, io::ErrorKind::UnexpectedEof) => match s.name {
            "gzip" => "unexpected end of file".to_owned(),
            "xz" => "Unexpected end of input".to_owned(),
            _ => "file ends unexpectedly".to_owned(),
        },
        ("gzip", _) if error.to_string().contains("header") => "not in gzip format".to_owned(),
        ("gzip", io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData) => {
            "invalid compressed data--format violated".to_owned()
        }
        ("xz", _) => "File format not recognized".to_owned(),
        ("bzip2", _) => "not a bzip2 file, or its data is corrupt".to_owned(),
        _ => errno_text(error),
    }
}

fn stdout(s: &Settings) -> Box<dyn Write> {
    if s.test {
        Box::new(io::sink())
    } else {
        Box::new(hardshell_cli::Out::stdout())
    }
}

fn pack(s: &Settings, source: &mut impl Read, sink: impl Write) -> io::Result<()> {
    let mut writer = s.format.writer(sink, s.level)?;
    copy(source, &mut writer)?;
    writer.finish()
}

fn unpack(s: &Settings, source: &mut impl Read, sink: &mut impl Write) -> io::Result<()> {
    // What is inside decides, as far as it can be told.
    let mut start = [0u8; 6];
    let mut filled = 0;
    while filled < start.len() {
        let got = source.read(&mut start[filled..])?;
        if got == 0 {
            break;
        }
        filled += got;
    }
    let start = &start[..filled];
    if start.is_empty() {
        return if s.name == "gzip" {
            Err(io::Error::from(io::ErrorKind::UnexpectedEof))
        } else {
            Ok(())
        };
    }
    let whole = start.chain(source);
    match Format::detect(start) {
        Some(format) if format == s.format || s.name == "gzip" || s.name == "zstd" => {
            let mut reader = format.reader(whole)?;
            copy(&mut reader, sink)?;
        }
        _ if s.stdout && s.force => {
            let mut whole = whole;
            copy(&mut whole, sink)?;
        }
        _ => return Err(io::Error::new(io::ErrorKind::InvalidData, "invalid header")),
    }
    sink.flush()
}

fn copy(source: &mut impl Read, sink: &mut impl Write) -> io::Result<()> {
    let mut buffer = vec![0u8; 128 * 1024];
    loop {
        match source.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(got) => sink.write_all(&buffer[..got])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn list(s: &Settings, files: &[Vec<u8>]) -> i32 {
    if s.name != "gzip" {
        complain(s.name, "-l is supported for gzip only");
        return 1;
    }
    let mut status = 0;
    println!("         compressed        uncompressed  ratio uncompressed_name");
    for file in files {
        let shown = String::from_utf8_lossy(file).into_owned();
        let result = File::open(path(file)).and_then(|source| {
            let packed = source.metadata()?.len();
            let mut reader = s.format.reader(source)?;
            let plain = io::copy(&mut reader, &mut io::sink())?;
            Ok((packed, plain))
        });
        match result {
            Ok((packed, plain)) => {
                let ratio = if plain == 0 {
                    0.0
                } else {
                    100.0
                        * (1.0
                            - (packed.saturating_sub(18 + file.len() as u64)) as f64 / plain as f64)
                };
                println!(
                    "{packed:>19} {plain:>19} {ratio:>5.1}% {}",
                    shown.strip_suffix(".gz").unwrap_or(&shown)
                );
            }
            Err(error) => {
                complain(s.name, format!("{shown}: {}", reason(s, &error)));
                status = 1;
            }
        }
    }
    status
}
