//! A program that knows nothing of the kernel: only what any WASI program can do.

use std::io::Read;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["cat", path] => std::fs::read_to_string(path).map(|text| print!("{text}")),
        ["write", path, text] => std::fs::write(path, text),
        ["ls", path] => std::fs::read_dir(path).map(|entries| {
            let mut names: Vec<String> = entries
                .filter_map(Result::ok)
                .map(|e| e.file_name().to_string_lossy().into_owned())
                .collect();
            names.sort();
            println!("{}", names.join(" "));
        }),
        ["stdin"] => {
            let mut text = String::new();
            std::io::stdin()
                .read_to_string(&mut text)
                .map(|_| print!("{text}"))
        }
        ["env", key] => {
            println!("{}", std::env::var(key).unwrap_or_default());
            Ok(())
        }
        ["spin"] => loop {
            std::hint::spin_loop();
        },
        ["memory", mib] => {
            let mib: usize = mib.parse().unwrap_or(0);
            let mut kept = Vec::new();
            for _ in 0..mib {
                kept.push(vec![1u8; 1 << 20]);
            }
            println!("{}", std::hint::black_box(&kept).len());
            Ok(())
        }
        ["exit", status] => std::process::exit(status.parse().unwrap_or(99)),
        ["connect", to] => std::net::TcpStream::connect(to).map(|_| println!("connected")),
        _ => Err(std::io::Error::other("unknown verb")),
    };
    if let Err(e) = result {
        eprintln!("plain: {e}");
        std::process::exit(1);
    }
}
