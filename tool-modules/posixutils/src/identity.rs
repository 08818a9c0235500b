//! Who and where: `id`, `whoami`, `groups`, `hostname`.

use hardshell_cli::stat::{group_name, stat, user_name};

/// User and group of this sandbox: those of the files it makes.
fn own() -> (u32, u32) {
    for place in [b"/tmp".as_slice(), b"/workspace", b"."] {
        if let Ok(meta) = stat(place) {
            return (meta.uid, meta.gid);
        }
    }
    (1000, 1000)
}

fn name_of(uid: u32) -> String {
    let name = user_name(uid);
    if name.bytes().all(|b| b.is_ascii_digit()) {
        "agent".to_owned()
    } else {
        name
    }
}

pub fn whoami(name: &str, args: Vec<Vec<u8>>) -> i32 {
    if args.len() > 1 && args[1] == b"--help" {
        println!("Usage: {name}\nPrint the user name of this sandbox.");
        return 0;
    }
    println!("{}", name_of(own().0));
    0
}

pub fn groups(_: &str, _: Vec<Vec<u8>>) -> i32 {
    let (_, gid) = own();
    let name = group_name(gid);
    println!(
        "{}",
        if name.bytes().all(|b| b.is_ascii_digit()) {
            "agent"
        } else {
            &name
        }
    );
    0
}

pub fn id(_: &str, args: Vec<Vec<u8>>) -> i32 {
    let (uid, gid) = own();
    let user = name_of(uid);
    let group = name_of(gid);
    let (mut u, mut g, mut all, mut name) = (false, false, false, false);
    for word in args.iter().skip(1) {
        match word.as_slice() {
            b"--help" => {
                println!(
                    "Usage: id [-u|-g|-G] [-n] [USER]\nPrint user and group information of this sandbox."
                );
                return 0;
            }
            b"--user" => u = true,
            b"--group" => g = true,
            b"--groups" => all = true,
            b"--name" => name = true,
            w if w.first() == Some(&b'-') => {
                for letter in &w[1..] {
                    match letter {
                        b'u' => u = true,
                        b'g' => g = true,
                        b'G' => all = true,
                        b'n' => name = true,
                        b'r' | b'z' | b'a' => {}
                        other => {
                            hardshell_cli::complain(
                                "id",
                                format!("invalid option -- '{}'", char::from(*other)),
                            );
                            hardshell_cli::try_help("id");
                            return 1;
                        }
                    }
                }
            }
            w => {
                let shown = String::from_utf8_lossy(w);
                if shown != user && shown != uid.to_string() {
                    hardshell_cli::complain("id", format!("'{shown}': no such user"));
                    return 1;
                }
            }
        }
    }
    match (u, g || all, name) {
        (true, _, true) => println!("{user}"),
        (true, _, false) => println!("{uid}"),
        (_, true, true) => println!("{group}"),
        (_, true, false) => println!("{gid}"),
        _ => println!("uid={uid}({user}) gid={gid}({group}) groups={gid}({group})"),
    }
    0
}

pub fn hostname(_: &str, args: Vec<Vec<u8>>) -> i32 {
    match args.get(1).map(Vec::as_slice) {
        Some(b"--help") => println!("Usage: hostname [-s|-f|-i]\nPrint the name of this sandbox."),
        Some(b"-i" | b"-I") => println!("127.0.0.1"),
        Some(w) if !w.starts_with(b"-") => {
            hardshell_cli::complain("hostname", "you must be root to change the host name");
            return 1;
        }
        _ => match std::env::var("HOSTNAME") {
            Ok(name) if !name.is_empty() => println!("{name}"),
            _ => println!("hardshell"),
        },
    }
    0
}
