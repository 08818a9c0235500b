//! `zip`.

use std::fs::{self, File};
use std::io::{self, Read, Write};

use hardshell_cli::stat::{lstat, stat};
use hardshell_cli::{complain, errno_text, join, path};
use zip::write::SimpleFileOptions;

const HELP: &str = "\
Usage: zip [-r] [-0..-9] [-q] [-j] [-u] [-d] [-x PATTERN...] ARCHIVE[.zip] FILE...
  -r   travel the directory structure recursively
  -0   store only   -1 .. -9  compress faster .. better
  -j   junk (don't record) directory names
  -q   quiet operation
  -m   move into zipfile (delete files)
  -x   exclude the following names
  -i   include only the following names
  -y   store symbolic links as the link instead of the referenced file
  -@   read names from standard input
";

#[derive(Default)]
struct Settings {
    recursive: bool,
    junk: bool,
    quiet: bool,
    links: bool,
    level: i64,
    exclude: Vec<Vec<u8>>,
    include: Vec<Vec<u8>>,
    added: Vec<Vec<u8>>,
}

pub fn run(args: Vec<Vec<u8>>) -> i32 {
    let mut s = Settings {
        level: 6,
        ..Settings::default()
    };
    let (mut remove, mut delete) = (false, false);
    let mut words: Vec<Vec<u8>> = Vec::new();
    let mut list: Option<bool> = None;
    let mut from_stdin = false;
    for word in args.into_iter().skip(1) {
        if word.len() > 1 && word[0] == b'-' {
            list = None;
            match word.as_slice() {
                b"--help" | b"-h" => {
                    print!("{HELP}");
                    return 0;
                }
                b"-@" => from_stdin = true,
                b"--exclude" => list = Some(true),
                b"--include" => list = Some(false),
                w if w.starts_with(b"--") => {}
                w => {
                    for letter in &w[1..] {
                        match letter {
                            b'r' => s.recursive = true,
                            b'j' => s.junk = true,
                            b'q' => s.quiet = true,
                            b'y' => s.links = true,
                            b'm' => remove = true,
                            b'd' => delete = true,
                            b'x' => list = Some(true),
                            b'i' => list = Some(false),
                            b'0'..=b'9' => s.level = i64::from(letter - b'0'),
                            b'u' | b'f' | b'X' | b'D' | b'v' | b'o' | b'T' => {}
                            other => {
                                complain(
                                    "zip error",
                                    format!(
                                        "Invalid command arguments (short option '{}' not supported)",
                                        char::from(*other)
                                    ),
                                );
                                return 16;
                            }
                        }
                    }
                }
            }
            continue;
        }
        match list {
            Some(true) => s.exclude.push(word),
            Some(false) => s.include.push(word),
            None => words.push(word),
        }
    }
    if from_stdin {
        let mut text = Vec::new();
        let _ = io::stdin().read_to_end(&mut text);
        words.extend(
            text.split(|b| *b == b'\n')
                .filter(|l| !l.is_empty())
                .map(<[u8]>::to_vec),
        );
    }
    if words.is_empty() {
        print!("{HELP}");
        return 0;
    }
    let mut archive = words.remove(0);
    if !hardshell_cli::base_name(&archive).contains(&b'.') {
        archive.extend_from_slice(b".zip");
    }
    match build(&mut s, &archive, &words, delete) {
        Ok(()) => {}
        Err(error) => {
            complain("zip error", errno_text(&error));
            return 15;
        }
    }
    if s.added.is_empty() && !delete {
        complain(
            "\nzip error",
            format!("Nothing to do! ({})", String::from_utf8_lossy(&archive)),
        );
        return 12;
    }
    if remove {
        for file in s.added.iter().rev() {
            let _ = fs::remove_file(path(file)).or_else(|_| fs::remove_dir(path(file)));
        }
    }
    0
}

fn build(s: &mut Settings, archive: &[u8], files: &[Vec<u8>], delete: bool) -> io::Result<()> {
    let mut temporary = archive.to_vec();
    temporary.extend_from_slice(b".tmp");
    let mut items: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    if !delete {
        for file in files {
            collect(s, file, &mut items, 0);
        }
        if items.is_empty() {
            return Ok(());
        }
    }
    let result = (|| {
        let mut writer = ::zip::ZipWriter::new(io::BufWriter::new(File::create(path(&temporary))?));
        // What the archive has already stays unless it is replaced.
        let mut replaced: Vec<Vec<u8>> = Vec::new();
        if let Ok(old) = File::open(path(archive)) {
            let mut old =
                ::zip::ZipArchive::new(io::BufReader::new(old)).map_err(io::Error::other)?;
            for i in 0..old.len() {
                let entry = old.by_index_raw(i).map_err(io::Error::other)?;
                let name = entry.name_raw().to_vec();
                let gone = if delete {
                    files.iter().any(|p| {
                        hardshell_cli::glob::matches(
                            p,
                            &name,
                            hardshell_cli::glob::Flags::default(),
                        )
                    })
                } else {
                    items.iter().any(|(stored, _)| *stored == name)
                };
                if gone {
                    if delete && !s.quiet {
                        println!("deleting: {}", String::from_utf8_lossy(&name));
                    }
                    replaced.push(name);
                } else {
                    writer.raw_copy_file(entry).map_err(io::Error::other)?;
                }
            }
        }
        for (stored, real) in &items {
            add(s, &mut writer, stored, real, replaced.contains(stored))?;
        }
        writer.finish().map_err(io::Error::other)?.flush()
    })();
    match result {
        Ok(()) => fs::rename(path(&temporary), path(archive)),
        Err(error) => {
            let _ = fs::remove_file(path(&temporary));
            Err(error)
        }
    }
}

fn collect(s: &mut Settings, file: &[u8], items: &mut Vec<(Vec<u8>, Vec<u8>)>, depth: usize) {
    let meta = match if s.links { lstat(file) } else { stat(file) } {
        Ok(meta) => meta,
        Err(_) => {
            if depth == 0 {
                complain(
                    "zip warning",
                    format!("name not matched: {}", String::from_utf8_lossy(file)),
                );
            }
            return;
        }
    };
    let mut stored: Vec<u8> = file.iter().copied().skip_while(|b| *b == b'/').collect();
    while let Some(rest) = stored.strip_prefix(b"./") {
        stored = rest.to_vec();
    }
    if s.junk {
        stored = hardshell_cli::base_name(&stored).to_vec();
    }
    let flags = hardshell_cli::glob::Flags::default();
    let is_dir = meta.is_dir();
    if is_dir && stored.last() != Some(&b'/') && !stored.is_empty() && stored != b"." {
        stored.push(b'/');
    }
    let left_out = s
        .exclude
        .iter()
        .any(|p| hardshell_cli::glob::matches(p, &stored, flags))
        || (!s.include.is_empty()
            && !is_dir
            && !s
                .include
                .iter()
                .any(|p| hardshell_cli::glob::matches(p, &stored, flags)));
    if !left_out
        && !(is_dir && (s.junk || stored.is_empty() || stored == b"." || !s.include.is_empty()))
    {
        items.push((stored, file.to_vec()));
    }
    if is_dir && s.recursive && depth < 1000 {
        let mut names: Vec<Vec<u8>> = fs::read_dir(path(file))
            .map(|e| {
                e.flatten()
                    .map(|e| hardshell_cli::into_bytes(e.file_name()))
                    .collect()
            })
            .unwrap_or_default();
        names.sort();
        for name in names {
            collect(s, &join(file, &name), items, depth + 1);
        }
    }
}

fn add<W: Write + io::Seek>(
    s: &mut Settings,
    writer: &mut ::zip::ZipWriter<W>,
    stored: &[u8],
    real: &[u8],
    update: bool,
) -> io::Result<()> {
    let meta = if s.links { lstat(real) } else { stat(real) }?;
    let seconds = i64::try_from(meta.mtime.div_euclid(1_000_000_000)).unwrap_or(0);
    let text = String::from_utf8_lossy(&hardshell_cli::time::strftime(
        b"%Y %m %d %H %M %S",
        seconds,
        &hardshell_cli::time::Zone::local(),
        false,
    ))
    .into_owned();
    let n: Vec<u16> = text.split(' ').filter_map(|p| p.parse().ok()).collect();
    let time = match n.as_slice() {
        [y, mo, d, h, mi, sec] => ::zip::DateTime::from_date_and_time(
            *y, *mo as u8, *d as u8, *h as u8, *mi as u8, *sec as u8,
        )
        .unwrap_or_default(),
        _ => ::zip::DateTime::default(),
    };
    let name = String::from_utf8_lossy(stored).into_owned();
    let options = SimpleFileOptions::default()
        .unix_permissions(meta.mode & 0o7777)
        .last_modified_time(time)
        .large_file(meta.size > u64::from(u32::MAX));
    let verb = if update { "updating" } else { "  adding" };
    if meta.is_dir() {
        writer
            .add_directory(name.clone(), options)
            .map_err(io::Error::other)?;
        if !s.quiet {
            println!("{verb}: {name} (stored 0%)");
        }
    } else if meta.kind() == b'l' {
        let target = fs::read_link(path(real))?;
        writer
            .add_symlink(name.clone(), target.to_string_lossy(), options)
            .map_err(io::Error::other)?;
    } else {
        let data = fs::read(path(real))?;
        let method = if s.level == 0 || data.is_empty() {
            ::zip::CompressionMethod::Stored
        } else {
            ::zip::CompressionMethod::Deflated
        };
        let mut options = options.compression_method(method);
        if method == ::zip::CompressionMethod::Deflated {
            options = options.compression_level(Some(s.level));
        }
        writer
            .start_file(name.clone(), options)
            .map_err(io::Error::other)?;
        writer.write_all(&data)?;
        if !s.quiet {
            println!(
                "{verb}: {name} ({})",
                if method == ::zip::CompressionMethod::Stored {
                    "stored 0%"
                } else {
                    "deflated"
                }
            );
        }
    }
    s.added.push(real.to_vec());
    Ok(())
}
