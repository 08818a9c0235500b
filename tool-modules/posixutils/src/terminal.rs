//! `clear`, `reset` and `tput`, as far as they make sense without a terminal.

pub fn run(name: &str, args: Vec<Vec<u8>>) -> i32 {
    let word = args
        .iter()
        .skip(1)
        .find(|w| !w.starts_with(b"-"))
        .map(|w| String::from_utf8_lossy(w).into_owned());
    match (name, word.as_deref()) {
        ("clear" | "reset", _) => print!("\x1b[H\x1b[2J\x1b[3J"),
        (_, Some("cols")) => println!(
            "{}",
            std::env::var("COLUMNS").unwrap_or_else(|_| "80".into())
        ),
        (_, Some("lines")) => {
            println!("{}", std::env::var("LINES").unwrap_or_else(|_| "24".into()))
        }
        (_, Some("colors")) => println!("8"),
        (_, Some("bold")) => print!("\x1b[1m"),
        (_, Some("sgr0")) => print!("\x1b[m"),
        (_, Some("clear")) => print!("\x1b[H\x1b[2J"),
        (_, Some("setaf")) => {
            let color = args
                .last()
                .map(|w| String::from_utf8_lossy(w).into_owned())
                .unwrap_or_default();
            print!("\x1b[3{color}m");
        }
        (_, Some(_)) => {}
        (_, None) => {
            eprintln!("usage: tput CAPABILITY");
            return 2;
        }
    }
    0
}
