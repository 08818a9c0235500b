//! `stat`.

use hardshell_cli::stat::{Stat, group_name, lstat, stat, user_name};
use hardshell_cli::time::{Zone, strftime};
use hardshell_cli::{Arg, Item, Opt, Out, Parser, complain, errno_text, path};

const OPTIONS: &[Opt] = &[
    Opt::new('L', "dereference", Arg::No),
    Opt::new('f', "file-system", Arg::No),
    Opt::new('c', "format", Arg::Yes),
    Opt::new('t', "terse", Arg::No),
    Opt::long('\u{1}', "printf", Arg::Yes),
    Opt::long('\u{2}', "help", Arg::No),
    Opt::long('\u{3}', "version", Arg::No),
];

const HELP: &str = "\
Usage: stat [OPTION]... FILE...
Display file or file system status.

  -L, --dereference     follow links
  -f, --file-system     display file system status instead of file status
  -c  --format=FORMAT   use the specified FORMAT instead of the default
      --printf=FORMAT   like --format, but interpret backslash escapes
  -t, --terse           print the information in terse form

Formats: %a %A (rights) %b %B (blocks) %d %D (device) %f (raw mode) %F (type)
%g %G (group) %h (links) %i (inode) %m (mount) %n %N (name) %o (I/O size)
%s (size) %t %T (device type) %u %U (user) %w %W (birth) %x %X (access)
%y %Y (modification) %z %Z (change)
";

pub fn run(_: &str, args: Vec<Vec<u8>>) -> i32 {
    let mut parser = Parser::new("stat", OPTIONS, args);
    let (mut follow, mut fs, mut terse, mut escapes) = (false, false, false, false);
    let mut format: Option<Vec<u8>> = None;
    let mut files = Vec::new();
    loop {
        match parser.next() {
            Ok(Some(Item::Operand(word))) => files.push(word),
            Ok(Some(Item::Opt(id, value))) => match id {
                'L' => follow = true,
                'f' => fs = true,
                't' => terse = true,
                'c' => (format, escapes) = (value, false),
                '\u{1}' => (format, escapes) = (value, true),
                '\u{2}' => {
                    print!("{HELP}");
                    return 0;
                }
                '\u{3}' => {
                    println!("stat (hardshell) 0.1");
                    return 0;
                }
                _ => {}
            },
            Ok(None) => break,
            Err(()) => return 1,
        }
    }
    if files.is_empty() {
        complain("stat", "missing operand");
        hardshell_cli::try_help("stat");
        return 1;
    }
    let mut out = Out::stdout();
    let mut status = 0;
    for file in &files {
        if fs {
            match hardshell_sys::statfs(path(file)) {
                Ok(s) => {
                    let shown = String::from_utf8_lossy(file);
                    out.put(format!("  File: \"{shown}\"\n    ID: 0        Namelen: 255     Type: hardshell\nBlock size: 4096       Fundamental block size: 4096\nBlocks: Total: {:<10} Free: {:<10} Available: {}\nInodes: Total: {:<10} Free: {}\n", s.total / 4096, s.free / 4096, s.free / 4096, s.files, s.files_free).as_bytes());
                }
                Err(error) => {
                    status = 1;
                    complain(
                        "stat",
                        format!(
                            "cannot read file system information for '{}': {}",
                            String::from_utf8_lossy(file),
                            errno_text(&error)
                        ),
                    );
                }
            }
            continue;
        }
        match if follow { stat(file) } else { lstat(file) } {
            Ok(meta) => {
                let text = match &format {
                    Some(format) => formatted(format, escapes, file, &meta),
                    None if terse => formatted(
                        b"%n %s %b %f %u %g %D %i %h %t %T %X %Y %Z %W %o",
                        false,
                        file,
                        &meta,
                    ),
                    None => default(file, &meta),
                };
                out.put(&text);
                if !escapes {
                    out.byte(b'\n');
                }
            }
            Err(error) => {
                status = 1;
                out.flush();
                let what = if follow {
                    "cannot stat"
                } else {
                    "cannot statx"
                };
                complain(
                    "stat",
                    format!(
                        "{what} '{}': {}",
                        String::from_utf8_lossy(file),
                        errno_text(&error)
                    ),
                );
            }
        }
    }
    i32::from(out.finish().is_err()).max(status)
}

fn kind(meta: &Stat) -> &'static str {
    match meta.kind() {
        b'd' => "directory",
        b'l' => "symbolic link",
        b'c' => "character special file",
        b'b' => "block special file",
        b'p' => "fifo",
        b's' => "socket",
        _ if meta.size == 0 => "regular empty file",
        _ => "regular file",
    }
}

fn seconds(time: i128) -> i64 {
    i64::try_from(time.div_euclid(1_000_000_000)).unwrap_or(0)
}

fn moment(time: i128) -> Vec<u8> {
    let format = format!("%Y-%m-%d %H:%M:%S.{:09} %z", time.rem_euclid(1_000_000_000));
    strftime(format.as_bytes(), seconds(time), &Zone::local(), false)
}

fn default(file: &[u8], meta: &Stat) -> Vec<u8> {
    let mut out = b"  File: ".to_vec();
    out.extend_from_slice(file);
    if meta.kind() == b'l'
        && let Ok(target) = std::fs::read_link(path(file))
    {
        out.extend_from_slice(b" -> ");
        out.extend_from_slice(&hardshell_cli::into_bytes(target.into_os_string()));
    }
    let (major, minor) = (meta.dev >> 8 & 0xfff, meta.dev & 0xff);
    out.extend_from_slice(
        format!(
            "\n  Size: {:<10}\tBlocks: {:<10} IO Block: 4096   {}\nDevice: {major},{minor}\tInode: {:<11} Links: {}\nAccess: ({:04o}/{})  Uid: ({:>5}/{:>8})   Gid: ({:>5}/{:>8})\n",
            meta.size,
            meta.blocks,
            kind(meta),
            meta.ino,
            meta.nlink,
            meta.mode & 0o7777,
            meta.mode_text(),
            meta.uid,
            user_name(meta.uid),
            meta.gid,
            group_name(meta.gid),
        )
        .as_bytes(),
    );
    for (name, time) in [
        ("Access", meta.atime),
        ("Modify", meta.mtime),
        ("Change", meta.ctime),
    ] {
        out.extend_from_slice(format!("{name}: ").as_bytes());
        out.extend_from_slice(&moment(time));
        out.push(b'\n');
    }
    out.extend_from_slice(b" Birth: -");
    out
}

fn formatted(format: &[u8], escapes: bool, file: &[u8], meta: &Stat) -> Vec<u8> {
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(byte) = format.get(at).copied() {
        at += 1;
        if byte == b'\\' && escapes {
            let letter = format.get(at).copied().unwrap_or(b'\\');
            at += 1;
            match letter {
                b'n' => out.push(b'\n'),
                b't' => out.push(b'\t'),
                b'r' => out.push(b'\r'),
                b'a' => out.push(7),
                b'0'..=b'7' => {
                    let mut value = u32::from(letter - b'0');
                    while let Some(digit @ b'0'..=b'7') = format.get(at).filter(|_| value < 32) {
                        value = value * 8 + u32::from(digit - b'0');
                        at += 1;
                    }
                    out.push((value & 0xff) as u8);
                }
                other => out.push(other),
            }
            continue;
        }
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let (mut left, mut zero) = (false, false);
        while let Some(flag @ (b'-' | b'0' | b'#' | b'+' | b' ' | b'\'')) = format.get(at) {
            left |= *flag == b'-';
            zero |= *flag == b'0';
            at += 1;
        }
        let mut width = 0usize;
        while let Some(digit @ b'0'..=b'9') = format.get(at) {
            width = (width * 10 + usize::from(digit - b'0')).min(10_000);
            at += 1;
        }
        if format.get(at) == Some(&b'.') {
            at += 1;
            while format.get(at).is_some_and(u8::is_ascii_digit) {
                at += 1;
            }
        }
        let Some(letter) = format.get(at).copied() else {
            out.push(b'%');
            break;
        };
        at += 1;
        let text = field(letter, file, meta);
        let fill = width.saturating_sub(text.len());
        if left {
            out.extend_from_slice(&text);
            out.resize(out.len() + fill, b' ');
        } else {
            out.resize(out.len() + fill, if zero { b'0' } else { b' ' });
            out.extend_from_slice(&text);
        }
    }
    out
}

fn field(letter: u8, file: &[u8], meta: &Stat) -> Vec<u8> {
    match letter {
        b'a' => format!("{:o}", meta.mode & 0o7777),
        b'A' => meta.mode_text(),
        b'b' => meta.blocks.to_string(),
        b'B' => "512".to_owned(),
        b'd' => meta.dev.to_string(),
        b'D' => format!("{:x}", meta.dev),
        b'f' => format!("{:x}", meta.mode),
        b'F' => kind(meta).to_owned(),
        b'g' => meta.gid.to_string(),
        b'G' => group_name(meta.gid),
        b'h' => meta.nlink.to_string(),
        b'i' => meta.ino.to_string(),
        b'm' => "/".to_owned(),
        b'n' => return file.to_vec(),
        b'N' => {
            let mark = if file.contains(&b'\'') { b'"' } else { b'\'' };
            let mut out = vec![mark];
            out.extend_from_slice(file);
            out.push(mark);
            if meta.kind() == b'l'
                && let Ok(target) = std::fs::read_link(path(file))
            {
                out.extend_from_slice(b" -> '");
                out.extend_from_slice(&hardshell_cli::into_bytes(target.into_os_string()));
                out.push(b'\'');
            }
            return out;
        }
        b'o' => "4096".to_owned(),
        b's' => meta.size.to_string(),
        b't' | b'T' => format!(
            "{:x}",
            if letter == b't' {
                meta.rdev >> 8
            } else {
                meta.rdev & 0xff
            }
        ),
        b'u' => meta.uid.to_string(),
        b'U' => user_name(meta.uid),
        b'w' => "-".to_owned(),
        b'W' => "0".to_owned(),
        b'x' => return moment(meta.atime),
        b'X' => seconds(meta.atime).to_string(),
        b'y' => return moment(meta.mtime),
        b'Y' => seconds(meta.mtime).to_string(),
        b'z' => return moment(meta.ctime),
        b'Z' => seconds(meta.ctime).to_string(),
        b'%' => "%".to_owned(),
        other => return vec![b'?', other].into_iter().take(1).collect(),
    }
    .into_bytes()
}
