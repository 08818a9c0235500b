//! `which`: where a command is found.

use hardshell_cli::{complain, join, path};

pub fn run(_: &str, args: Vec<Vec<u8>>) -> i32 {
    let mut all = false;
    let mut status = 0;
    for word in args.iter().skip(1) {
        match word.as_slice() {
            b"-a" => all = true,
            b"-s" => {}
            b"--help" => {
                println!(
                    "Usage: which [-a] COMMAND...\nPrint where each COMMAND is found in PATH."
                );
                return 0;
            }
            name => {
                let found = locate(name, all);
                if found.is_empty() {
                    status = 1;
                }
                for place in found {
                    println!("{}", String::from_utf8_lossy(&place));
                }
            }
        }
    }
    if args.len() < 2 {
        complain("which", "missing operand");
        return 2;
    }
    status
}

/// All places of a command, or the first.
pub fn locate(name: &[u8], all: bool) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    if name.contains(&b'/') {
        if executable(name) {
            out.push(name.to_vec());
        }
        return out;
    }
    let search = std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
    for folder in hardshell_cli::bytes(&search).split(|b| *b == b':') {
        let folder: &[u8] = if folder.is_empty() { b"." } else { folder };
        let file = join(folder, name);
        if executable(&file) {
            out.push(file);
            if !all {
                break;
            }
        }
    }
    out
}

fn executable(file: &[u8]) -> bool {
    std::fs::metadata(path(file)).is_ok_and(|m| m.is_file())
        && hardshell_cli::stat::stat(file).is_ok_and(|s| s.mode & 0o111 != 0)
}
