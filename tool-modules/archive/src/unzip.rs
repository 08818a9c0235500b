//! `unzip`.

use std::fs::{self, File};
use std::io::{self, Read, Write};

use hardshell_cli::{Out, complain, errno_text, join, path};

const HELP: &str = "\
Usage: unzip [-l|-p|-t|-v] [-oqnj] ARCHIVE[.zip] [FILE...] [-x FILE...] [-d DIR]
  -l  list files (short format)     -p  extract files to pipe, no messages
  -t  test compressed archive data  -d  extract files into DIR
  -n  never overwrite existing files  -o  overwrite files WITHOUT prompting
  -j  junk paths (do not make directories)  -q  quiet mode
  -x  exclude files that follow
";

pub fn run(args: Vec<Vec<u8>>) -> i32 {
    let (
        mut listing,
        mut pipe,
        mut test,
        mut overwrite,
        mut never,
        mut junk,
        mut quiet,
        mut verbose,
    ) = (false, false, false, false, false, false, false, false);
    let (mut folder, mut archive, mut only, mut exclude) =
        (Vec::new(), None, Vec::new(), Vec::new());
    let mut excluding = false;
    let mut words = args.into_iter().skip(1);
    while let Some(word) = words.next() {
        if word.len() > 1 && word[0] == b'-' {
            excluding = false;
            for (i, letter) in word.iter().enumerate().skip(1) {
                match letter {
                    b'l' => listing = true,
                    b'Z' | b'v' => (listing, verbose) = (true, true),
                    b'p' | b'c' => (pipe, quiet) = (true, true),
                    b't' => test = true,
                    b'o' => overwrite = true,
                    b'n' => never = true,
                    b'j' => junk = true,
                    b'q' => quiet = true,
                    b'x' => excluding = true,
                    b'd' => {
                        folder = if i + 1 < word.len() {
                            word[i + 1..].to_vec()
                        } else {
                            words.next().unwrap_or_default()
                        };
                        break;
                    }
                    b'h' | b'-' => {
                        print!("{HELP}");
                        return 0;
                    }
                    _ => {}
                }
            }
            continue;
        }
        if excluding {
            exclude.push(word);
        } else if archive.is_none() {
            archive = Some(word);
        } else {
            only.push(word);
        }
    }
    let Some(mut archive) = archive else {
        print!("{HELP}");
        return 0;
    };
    if !path(&archive).exists() {
        let longer = [archive.as_slice(), b".zip"].concat();
        if path(&longer).exists() {
            archive = longer;
        }
    }
    let shown = String::from_utf8_lossy(&archive).into_owned();
    let file = match File::open(path(&archive)) {
        Ok(file) => file,
        Err(_) => {
            eprintln!("unzip:  cannot find or open {shown}, {shown}.zip or {shown}.ZIP.");
            return 9;
        }
    };
    let mut zip = match ::zip::ZipArchive::new(io::BufReader::new(file)) {
        Ok(zip) => zip,
        Err(_) => {
            eprintln!(
                "Archive:  {shown}\n  End-of-central-directory signature not found.  Either this file is not\n  a zipfile, or it constitutes one disk of a multi-part archive.\nunzip:  cannot find zipfile directory in one of {shown} or\n        {shown}.zip, and cannot find {shown}.ZIP, period."
            );
            return 9;
        }
    };
    let mut out = Out::stdout();
    if !quiet {
        out.put(format!("Archive:  {shown}\n").as_bytes());
    }
    if listing {
        out.put(if verbose { b" Length   Method    Size  Cmpr    Date    Time   CRC-32   Name\n--------  ------  ------- ---- ---------- ----- --------  ----\n" as &[u8] } else { b"  Length      Date    Time    Name\n---------  ---------- -----   ----\n" });
    }
    let flags = hardshell_cli::glob::Flags::default();
    let (mut total, mut packed, mut count, mut status) = (0u64, 0u64, 0usize, 0);
    let mut matched = vec![false; only.len()];
    for i in 0..zip.len() {
        let mut entry = match zip.by_index(i) {
            Ok(entry) => entry,
            Err(error) => {
                complain("unzip", format!("   skipping entry {i}: {error}"));
                status = 81;
                continue;
            }
        };
        let name = entry.name_raw().to_vec();
        let text = String::from_utf8_lossy(&name).into_owned();
        if !only.is_empty() {
            let mut hit = false;
            for (j, pattern) in only.iter().enumerate() {
                if hardshell_cli::glob::matches(pattern, &name, flags) {
                    matched[j] = true;
                    hit = true;
                }
            }
            if !hit {
                continue;
            }
        }
        if exclude
            .iter()
            .any(|p| hardshell_cli::glob::matches(p, &name, flags))
        {
            continue;
        }
        if listing {
            let t = entry.last_modified().unwrap_or_default();
            let date = format!(
                "{:04}-{:02}-{:02} {:02}:{:02}",
                t.year(),
                t.month(),
                t.day(),
                t.hour(),
                t.minute()
            );
            let line = if verbose {
                let saved = if entry.size() == 0 {
                    0
                } else {
                    100 - (entry.compressed_size() * 100 / entry.size()).min(100)
                };
                let method = if entry.compression() == ::zip::CompressionMethod::Stored {
                    "Stored"
                } else {
                    "Defl:N"
                };
                format!(
                    "{:>8}  {method}  {:>7} {saved:>3}% {date} {:08x}  {text}\n",
                    entry.size(),
                    entry.compressed_size(),
                    entry.crc32()
                )
            } else {
                format!("{:>9}  {date}   {text}\n", entry.size())
            };
            out.put(line.as_bytes());
            total += entry.size();
            packed += entry.compressed_size();
            count += 1;
            continue;
        }
        if test {
            let good = io::copy(&mut entry, &mut io::sink()).is_ok();
            out.put(
                format!(
                    "    testing: {text:<22}  {}\n",
                    if good { "OK" } else { "bad CRC" }
                )
                .as_bytes(),
            );
            status = if good { status } else { 2 };
            continue;
        }
        if pipe {
            if !entry.is_dir() && io::copy(&mut entry, &mut out).is_err() {
                status = 3;
            }
            continue;
        }
        // Nothing may lead out of the folder.
        let parts: Vec<&[u8]> = name
            .split(|b| *b == b'/' || *b == b'\\')
            .filter(|p| !p.is_empty() && *p != b".")
            .collect();
        if parts.iter().any(|p| *p == b"..") || parts.is_empty() {
            complain(
                "warning",
                format!("skipped \"../\" path component(s) in {text}"),
            );
            status = status.max(1);
            continue;
        }
        let stored = if junk {
            parts[parts.len() - 1].to_vec()
        } else {
            parts.join(&b'/')
        };
        let target = join(&folder, &stored);
        let result = extract(
            &mut entry,
            &folder,
            &stored,
            &target,
            Settings {
                junk,
                never,
                overwrite,
                quiet,
            },
            &mut out,
        );
        if let Err(error) = result {
            complain(
                "error",
                format!(
                    " cannot create {}: {}",
                    String::from_utf8_lossy(&target),
                    errno_text(&error)
                ),
            );
            status = 50;
        }
    }
    if listing {
        let s = if count == 1 { "" } else { "s" };
        let line = if verbose {
            format!(
                "--------          -------  ---                            -------\n{total:>8}          {packed:>7}                               {count} file{s}\n"
            )
        } else {
            format!(
                "---------                     -------\n{total:>9}                     {count} file{s}\n"
            )
        };
        out.put(line.as_bytes());
    }
    if test && status == 0 {
        out.put(format!("No errors detected in compressed data of {shown}.\n").as_bytes());
    }
    for (pattern, hit) in only.iter().zip(matched) {
        if !hit {
            complain(
                "caution",
                format!(
                    " filename not matched:  {}",
                    String::from_utf8_lossy(pattern)
                ),
            );
            status = 11;
        }
    }
    if out.finish().is_err() {
        return 50;
    }
    status
}

#[derive(Clone, Copy)]
struct Settings {
    junk: bool,
    never: bool,
    overwrite: bool,
    quiet: bool,
}

fn extract(
    entry: &mut (impl Read + EntryLike),
    folder: &[u8],
    stored: &[u8],
    target: &[u8],
    s: Settings,
    out: &mut Out,
) -> io::Result<()> {
    let shown = String::from_utf8_lossy(target).into_owned();
    if entry.directory() {
        if !s.junk && !path(target).is_dir() {
            if !s.quiet {
                out.put(format!("   creating: {shown}/\n").as_bytes());
            }
            fs::create_dir_all(path(target))?;
        }
        return Ok(());
    }
    // A link on the way is not written through.
    let mut at = folder.to_vec();
    let parts: Vec<&[u8]> = stored.split(|b| *b == b'/').collect();
    if !folder.is_empty() {
        fs::create_dir_all(path(folder))?;
    }
    for part in &parts[..parts.len() - 1] {
        at = join(&at, part);
        match fs::symlink_metadata(path(&at)) {
            Ok(meta) if meta.is_dir() => {}
            Ok(_) => return Err(io::Error::other("a folder on the way is not a folder")),
            Err(_) => fs::create_dir(path(&at))?,
        }
    }
    if fs::symlink_metadata(path(target)).is_ok() {
        if s.never {
            return Ok(());
        }
        if !s.overwrite {
            // Without a terminal the question has no answer; nothing is lost.
            complain(
                "replace",
                format!(
                    "{shown}? [y]es, [n]o, [A]ll, [N]one, [r]ename: no answer, skipped (use -o to overwrite)"
                ),
            );
            return Ok(());
        }
        fs::remove_file(path(target))?;
    }
    if !s.quiet {
        let verb = if entry.stored() {
            " extracting"
        } else {
            "  inflating"
        };
        out.put(format!("{verb}: {shown}  \n").as_bytes());
    }
    if entry.link() {
        let mut link = Vec::new();
        entry.read_to_end(&mut link)?;
        return crate::tar_extract::symlink(&link, target);
    }
    let mut sink = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path(target))?;
    let mut buffer = vec![0u8; 64 * 1024];
    loop {
        let got = entry.read(&mut buffer)?;
        if got == 0 {
            break;
        }
        sink.write_all(&buffer[..got])?;
    }
    drop(sink);
    if let Some(mode) = entry.mode() {
        let _ = hardshell_cli::stat::chmod(target, mode & 0o777);
    }
    Ok(())
}

/// What extraction needs to know about an entry.
trait EntryLike {
    fn directory(&self) -> bool;
    fn link(&self) -> bool;
    fn stored(&self) -> bool;
    fn mode(&self) -> Option<u32>;
}

impl<R: Read> EntryLike for ::zip::read::ZipFile<'_, R> {
    fn directory(&self) -> bool {
        self.is_dir()
    }

    fn link(&self) -> bool {
        self.is_symlink()
    }

    fn stored(&self) -> bool {
        self.compression() == ::zip::CompressionMethod::Stored
    }

    fn mode(&self) -> Option<u32> {
        self.unix_mode()
    }
}
