//! `install`: copies files and sets their mode.

use hardshell_cli::{Arg, Item, Opt, Parser, base_name, complain, errno_text, join, mode, path};

const OPTIONS: &[Opt] = &[
    Opt::new('d', "directory", Arg::No),
    Opt::new('D', "", Arg::No),
    Opt::new('m', "mode", Arg::Yes),
    Opt::new('o', "owner", Arg::Yes),
    Opt::new('g', "group", Arg::Yes),
    Opt::new('p', "preserve-timestamps", Arg::No),
    Opt::new('s', "strip", Arg::No),
    Opt::new('t', "target-directory", Arg::Yes),
    Opt::new('T', "no-target-directory", Arg::No),
    Opt::new('v', "verbose", Arg::No),
    Opt::new('c', "", Arg::No),
    Opt::new('C', "compare", Arg::No),
    Opt::long('\u{1}', "help", Arg::No),
];

const HELP: &str = "\
Usage: install [OPTION]... SOURCE DEST
  or:  install [OPTION]... SOURCE... DIRECTORY
  or:  install [OPTION]... -d DIRECTORY...

  -d, --directory  treat all arguments as directory names; create all components
  -D               create all leading components of DEST
  -m, --mode=MODE  set permission mode (as in chmod), instead of rwxr-xr-x
  -t, --target-directory=DIRECTORY  copy all SOURCE arguments into DIRECTORY
  -T, --no-target-directory  treat DEST as a normal file
  -v, --verbose    print the name of each created file or directory
";

pub fn run(_: &str, args: Vec<Vec<u8>>) -> i32 {
    let mut parser = Parser::new("install", OPTIONS, args);
    let (mut dirs, mut leading, mut verbose, mut plain) = (false, false, false, false);
    let (mut bits, mut target, mut files) = (0o755, None, Vec::new());
    loop {
        match parser.next() {
            Ok(Some(Item::Operand(word))) => files.push(word),
            Ok(Some(Item::Opt(id, value))) => match id {
                'd' => dirs = true,
                'D' => leading = true,
                'm' => {
                    let text = String::from_utf8_lossy(&value.unwrap_or_default()).into_owned();
                    match mode::apply(&text, 0, false, 0) {
                        Some(mode) => bits = mode,
                        None => {
                            complain("install", format!("invalid mode '{text}'"));
                            return 1;
                        }
                    }
                }
                't' => target = value,
                'T' => plain = true,
                'v' => verbose = true,
                '\u{1}' => {
                    print!("{HELP}");
                    return 0;
                }
                _ => {}
            },
            Ok(None) => break,
            Err(()) => return 1,
        }
    }
    let mut status = 0;
    if dirs {
        for dir in &files {
            match std::fs::create_dir_all(path(dir)) {
                Ok(()) => {
                    let _ = hardshell_cli::stat::chmod(dir, bits);
                    if verbose {
                        println!(
                            "install: creating directory '{}'",
                            String::from_utf8_lossy(dir)
                        );
                    }
                }
                Err(error) => {
                    complain(
                        "install",
                        format!(
                            "cannot create directory '{}': {}",
                            String::from_utf8_lossy(dir),
                            errno_text(&error)
                        ),
                    );
                    status = 1;
                }
            }
        }
        return status;
    }
    let dest = match target.or_else(|| files.pop()) {
        Some(dest) if !files.is_empty() => dest,
        Some(only) => {
            complain(
                "install",
                format!(
                    "missing destination file operand after '{}'",
                    String::from_utf8_lossy(&only)
                ),
            );
            return 1;
        }
        None => {
            complain("install", "missing file operand");
            hardshell_cli::try_help("install");
            return 1;
        }
    };
    let into = !plain && std::fs::metadata(path(&dest)).is_ok_and(|m| m.is_dir());
    if files.len() > 1 && !into {
        complain(
            "install",
            format!(
                "target '{}': Not a directory",
                String::from_utf8_lossy(&dest)
            ),
        );
        return 1;
    }
    for file in &files {
        let to = if into {
            join(&dest, base_name(file))
        } else {
            dest.clone()
        };
        if leading && let Some(at) = to.iter().rposition(|b| *b == b'/').filter(|at| *at > 0) {
            let _ = std::fs::create_dir_all(path(&to[..at]));
        }
        let _ = std::fs::remove_file(path(&to));
        match std::fs::copy(path(file), path(&to)) {
            Ok(_) => {
                let _ = hardshell_cli::stat::chmod(&to, bits);
                if verbose {
                    println!(
                        "'{}' -> '{}'",
                        String::from_utf8_lossy(file),
                        String::from_utf8_lossy(&to)
                    );
                }
            }
            Err(error) => {
                complain(
                    "install",
                    format!(
                        "cannot install '{}' to '{}': {}",
                        String::from_utf8_lossy(file),
                        String::from_utf8_lossy(&to),
                        errno_text(&error)
                    ),
                );
                status = 1;
            }
        }
    }
    status
}
