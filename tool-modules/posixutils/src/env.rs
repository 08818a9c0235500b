//! `env`, `nice`, `nohup`: programs that start another one.

use hardshell_cli::process::{Spawn, failure_status};
use hardshell_cli::{Arg, Item, Opt, Out, Parser, complain, errno_text};

const ENV: &[Opt] = &[
    Opt::new('i', "ignore-environment", Arg::No),
    Opt::new('0', "null", Arg::No),
    Opt::new('u', "unset", Arg::Yes),
    Opt::new('C', "chdir", Arg::Yes),
    Opt::new('S', "split-string", Arg::Yes),
    Opt::new('v', "debug", Arg::No),
    Opt::long('\u{1}', "help", Arg::No),
    Opt::long('\u{2}', "version", Arg::No),
];

const ENV_HELP: &str = "\
Usage: env [OPTION]... [-] [NAME=VALUE]... [COMMAND [ARG]...]
Set each NAME to VALUE in the environment and run COMMAND.

  -i, --ignore-environment  start with an empty environment
  -0, --null           end each output line with NUL, not newline
  -u, --unset=NAME     remove variable from the environment
  -C, --chdir=DIR      change working directory to DIR
  -S, --split-string=S  process and split S into separate arguments
      --help           display this help and exit

A mere - implies -i.  If no COMMAND, print the resulting environment.
";

type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

/// Starts a command and waits, reporting a failure to start as GNU does.
pub fn run_command(name: &str, spawn: &Spawn) -> i32 {
    match spawn.run() {
        Ok(status) => i32::from(status),
        Err(error) => {
            let program = spawn.argv.first().map(Vec::as_slice).unwrap_or_default();
            let mut message = b"'".to_vec();
            message.extend_from_slice(program);
            message.extend_from_slice(b"': ");
            message.extend_from_slice(errno_text(&error).as_bytes());
            complain(name, message);
            i32::from(failure_status(&error))
        }
    }
}

pub fn env(name: &str, args: Vec<Vec<u8>>) -> i32 {
    let mut pairs: Pairs = std::env::vars_os()
        .map(|(k, v)| (hardshell_cli::into_bytes(k), hardshell_cli::into_bytes(v)))
        .collect();
    let mut args = args;
    // `env -S` in a script's first line: one word holds the whole command.
    if let Some(split) = args
        .get(1)
        .and_then(|w| w.strip_prefix(b"-S"))
        .filter(|s| !s.is_empty())
    {
        let words = split_words(split);
        args.splice(1..2, words);
    }
    let mut parser = Parser::new("env", ENV, args).stop_at_operand();
    let (mut nul, mut folder) = (false, Vec::new());
    let mut words: Vec<Vec<u8>> = Vec::new();
    loop {
        match parser.next() {
            Ok(Some(Item::Operand(word))) => words.push(word),
            Ok(Some(Item::Opt(id, value))) => {
                let value = value.unwrap_or_default();
                match id {
                    'i' => pairs.clear(),
                    '0' => nul = true,
                    'u' => pairs.retain(|(k, _)| *k != value),
                    'C' => folder = value,
                    'S' => words.extend(split_words(&value)),
                    '\u{1}' => {
                        print!("{ENV_HELP}");
                        return 0;
                    }
                    '\u{2}' => {
                        println!("env (hardshell) 0.1");
                        return 0;
                    }
                    _ => {}
                }
            }
            Ok(None) => break,
            Err(()) => return 125,
        }
    }
    let mut words = words.into_iter().peekable();
    if words.peek().is_some_and(|w| w == b"-") {
        words.next();
        pairs.clear();
    }
    while let Some(word) = words.peek() {
        let Some(at) = word.iter().position(|b| *b == b'=') else {
            break;
        };
        let (key, value) = (word[..at].to_vec(), word[at + 1..].to_vec());
        pairs.retain(|(k, _)| *k != key);
        pairs.push((key, value));
        words.next();
    }
    let argv: Vec<Vec<u8>> = words.collect();
    if argv.is_empty() {
        let mut out = Out::stdout();
        for (key, value) in &pairs {
            out.put(key);
            out.byte(b'=');
            out.put(value);
            out.byte(if nul { 0 } else { b'\n' });
        }
        return i32::from(out.finish().is_err());
    }
    let mut spawn = Spawn::new(argv);
    spawn.env = Some(pairs);
    spawn.cwd = folder;
    match spawn.run() {
        Ok(status) => i32::from(status),
        Err(error) => {
            let mut message = hardshell_cli::quote(&spawn.argv[0]);
            message.extend_from_slice(b": ");
            message.extend_from_slice(errno_text(&error).as_bytes());
            complain(name, message);
            i32::from(failure_status(&error))
        }
    }
}

/// Splits by blanks, with quotes and backslashes.
fn split_words(text: &[u8]) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    let mut word: Option<Vec<u8>> = None;
    let mut quote = 0u8;
    let mut bytes = text.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            b' ' | b'\t' | b'\n' if quote == 0 => out.extend(word.take()),
            b'\'' | b'"' if quote == 0 => {
                quote = byte;
                word.get_or_insert_default();
            }
            _ if byte == quote => quote = 0,
            b'\\' if quote != b'\'' => word.get_or_insert_default().extend(bytes.next()),
            _ => word.get_or_insert_default().push(byte),
        }
    }
    out.extend(word);
    out
}

pub fn nice(_: &str, args: Vec<Vec<u8>>) -> i32 {
    let mut words = args.into_iter().skip(1).peekable();
    while let Some(word) = words.peek() {
        match word.as_slice() {
            b"-n" | b"--adjustment" => {
                words.next();
                words.next();
            }
            b"--help" => {
                println!(
                    "Usage: nice [-n N] [COMMAND [ARG]...]\nRun COMMAND. The priority is accepted and has no effect here: every process gets a fair share."
                );
                return 0;
            }
            w if w.len() > 1 && w.starts_with(b"-") => {
                words.next();
            }
            _ => break,
        }
    }
    let argv: Vec<Vec<u8>> = words.collect();
    if argv.is_empty() {
        println!("0");
        return 0;
    }
    run_command("nice", &Spawn::new(argv))
}

pub fn nohup(name: &str, args: Vec<Vec<u8>>) -> i32 {
    let mut words: Vec<Vec<u8>> = args.into_iter().skip(1).collect();
    if words.first().is_some_and(|w| w == b"--help") {
        println!(
            "Usage: {name} COMMAND [ARG]...\nRun COMMAND, ignoring hangup signals. It still ends with the call that it is part of."
        );
        return 0;
    }
    while words.first().is_some_and(|w| w.starts_with(b"-")) {
        words.remove(0);
    }
    if words.is_empty() {
        complain(name, "missing operand");
        hardshell_cli::try_help(name);
        return 125;
    }
    let _ = hardshell_sys::set_disposition(
        hardshell_sys::Signal::HUP,
        hardshell_sys::Disposition::Ignore,
    );
    run_command(name, &Spawn::new(words))
}
