//! `df` and `free`: what the sandbox may still use.

use hardshell_cli::{complain, errno_text, human, path};

pub fn run(_: &str, args: Vec<Vec<u8>>) -> i32 {
    let (mut base, mut block, mut inodes, mut kind, mut portable) =
        (0u64, 1024u64, false, false, false);
    let mut files: Vec<Vec<u8>> = Vec::new();
    for word in args.into_iter().skip(1) {
        match word.as_slice() {
            b"--help" => {
                println!(
                    "Usage: df [-hHkmiTP] [FILE]...\nShow what the sandbox may use: the quota of each of its folders, not the disk of the host."
                );
                return 0;
            }
            b"--human-readable" => base = 1024,
            b"--si" => base = 1000,
            b"--inodes" => inodes = true,
            b"--print-type" => kind = true,
            b"--portability" => portable = true,
            w if w.starts_with(b"--") => {}
            w if w.len() > 1 && w[0] == b'-' => {
                for letter in &w[1..] {
                    match letter {
                        b'h' => base = 1024,
                        b'H' => base = 1000,
                        b'k' => block = 1024,
                        b'm' => block = 1 << 20,
                        b'i' => inodes = true,
                        b'T' => kind = true,
                        b'P' => portable = true,
                        b'a' | b'l' => {}
                        other => {
                            complain("df", format!("invalid option -- '{}'", char::from(*other)));
                            hardshell_cli::try_help("df");
                            return 1;
                        }
                    }
                }
            }
            _ => files.push(word),
        }
    }
    let explicit = !files.is_empty();
    if !explicit {
        files = vec![b"/workspace".to_vec(), b"/tmp".to_vec()];
    }
    let mut rows: Vec<[String; 7]> = Vec::new();
    let mut status = 0;
    for file in &files {
        match hardshell_sys::statfs(path(file)) {
            Ok(s) => {
                let (total, free) = if inodes {
                    (s.files, s.files_free)
                } else {
                    (s.total, s.free)
                };
                let used = total.saturating_sub(free);
                let show = |n: u64| {
                    if inodes {
                        n.to_string()
                    } else if base > 0 {
                        human(n, base)
                    } else {
                        n.div_ceil(block).to_string()
                    }
                };
                let percent = if total == 0 {
                    0
                } else {
                    (used as u128 * 100).div_ceil(u128::from(total))
                };
                rows.push([
                    "sandbox".into(),
                    "hardshell".into(),
                    show(total),
                    show(used),
                    show(free),
                    format!("{percent}%"),
                    String::from_utf8_lossy(file).into_owned(),
                ]);
            }
            Err(error) => {
                status = 1;
                if explicit {
                    complain(
                        "df",
                        format!("{}: {}", String::from_utf8_lossy(file), errno_text(&error)),
                    );
                }
            }
        }
    }
    let size = if inodes {
        "Inodes"
    } else if base > 0 {
        "Size"
    } else if portable {
        "1024-blocks"
    } else if block == 1024 {
        "1K-blocks"
    } else {
        "1M-blocks"
    };
    let names = if inodes {
        ["IUsed", "IFree", "IUse%"]
    } else if base > 0 {
        ["Used", "Avail", "Use%"]
    } else {
        ["Used", "Available", "Use%"]
    };
    let mut table = vec![[
        "Filesystem".to_owned(),
        "Type".into(),
        size.into(),
        names[0].into(),
        names[1].into(),
        names[2].into(),
        "Mounted on".into(),
    ]];
    if rows.is_empty() {
        return 1;
    }
    table.extend(rows);
    let width = |i: usize| table.iter().map(|r| r[i].len()).max().unwrap_or(0);
    for row in &table {
        let mut line = format!("{:<w$}", row[0], w = width(0));
        if kind {
            line.push_str(&format!(" {:<w$}", row[1], w = width(1)));
        }
        for (i, cell) in row.iter().enumerate().take(6).skip(2) {
            line.push_str(&format!(
                " {cell:>w$}",
                w = width(i).max(if i < 5 { 5 } else { 4 })
            ));
        }
        println!("{line} {}", row[6]);
    }
    status
}

/// Memory of the sandbox, by its limits.
pub fn free(_: &str, args: Vec<Vec<u8>>) -> i32 {
    let flag = args
        .get(1)
        .map(|w| w.as_slice().to_vec())
        .unwrap_or_default();
    let total = hardshell_sys::limits()
        .map(|l| l.process_memory)
        .unwrap_or(0);
    let used = (core_memory() as u64).min(total);
    let show = |n: u64| match flag.as_slice() {
        b"-h" => human(n, 1024) + "i",
        b"-m" => (n >> 20).to_string(),
        b"-b" => n.to_string(),
        _ => (n >> 10).to_string(),
    };
    println!("{:>19}{:>12}{:>12}", "total", "used", "free");
    println!(
        "Mem: {:>14}{:>12}{:>12}",
        show(total),
        show(used),
        show(total.saturating_sub(used))
    );
    0
}

fn core_memory() -> usize {
    #[cfg(target_arch = "wasm32")]
    return core::arch::wasm32::memory_size(0) * 65_536;
    #[cfg(not(target_arch = "wasm32"))]
    0
}
