//! The command line.

use std::io::Write;

use hardshell_cli::{Arg, Item, Opt, Parser, utf8_locale};

/// One piece of the script: its text, and its file if it came from one.
#[derive(Clone, Debug)]
pub struct Chunk {
    pub text: Vec<u8>,
    pub file: Option<Vec<u8>>,
}

#[derive(Clone, Debug)]
pub struct Options {
    pub chunks: Vec<Chunk>,
    pub files: Vec<Vec<u8>>,
    pub quiet: bool,
    pub extended: bool,
    /// In place, with the suffix for a copy of the old file.
    pub in_place: Option<Vec<u8>>,
    pub separate: bool,
    pub null_data: bool,
    pub unbuffered: bool,
    pub line_length: usize,
    pub sandbox: bool,
    pub posix: bool,
    pub follow: bool,
    pub utf8: bool,
}

const OPTIONS: &[Opt] = &[
    Opt::new('n', "quiet", Arg::No),
    Opt::long('n', "silent", Arg::No),
    Opt::new('e', "expression", Arg::Yes),
    Opt::new('f', "file", Arg::Yes),
    Opt::new('E', "regexp-extended", Arg::No),
    Opt::new('r', "", Arg::No),
    Opt::new('i', "in-place", Arg::Maybe),
    Opt::new('l', "line-length", Arg::Yes),
    Opt::new('s', "separate", Arg::No),
    Opt::new('u', "unbuffered", Arg::No),
    Opt::new('z', "null-data", Arg::No),
    Opt::new('b', "binary", Arg::No),
    Opt::long('\u{1}', "posix", Arg::No),
    Opt::long('\u{2}', "sandbox", Arg::No),
    Opt::long('\u{3}', "follow-symlinks", Arg::No),
    Opt::long('\u{4}', "debug", Arg::No),
    Opt::long('\u{5}', "help", Arg::No),
    Opt::long('\u{6}', "version", Arg::No),
];

const HELP: &str = "\
Usage: sed [OPTION]... {script-only-if-no-other-script} [input-file]...

  -n, --quiet, --silent
                 suppress automatic printing of pattern space
  -e script, --expression=script
                 add the script to the commands to be executed
  -f script-file, --file=script-file
                 add the contents of script-file to the commands to be executed
  --follow-symlinks
                 follow symlinks when processing in place
  -i[SUFFIX], --in-place[=SUFFIX]
                 edit files in place (makes backup if SUFFIX supplied)
  -l N, --line-length=N
                 specify the desired line-wrap length for the `l' command
  --posix
                 disable all GNU extensions.
  -E, -r, --regexp-extended
                 use extended regular expressions in the script
  -s, --separate
                 consider files as separate rather than as a single
                 continuous long stream.
      --sandbox
                 operate in sandbox mode (disable e/r/w commands).
  -u, --unbuffered
                 load minimal amounts of data from the input files and flush
                 the output buffers more often
  -z, --null-data
                 separate lines by NUL characters
      --help     display this help and exit
      --version  output version information and exit

If no -e, --expression, -f, or --file option is given, then the first
non-option argument is taken as the sed script to interpret.  All
remaining arguments are names of input files; if no input files are
specified, then the standard input is read.
";

/// Reads the command line; `Err` is an exit status.
pub fn parse(args: Vec<Vec<u8>>) -> Result<Options, i32> {
    let mut o = Options {
        chunks: Vec::new(),
        files: Vec::new(),
        quiet: false,
        extended: false,
        in_place: None,
        separate: false,
        null_data: false,
        unbuffered: false,
        line_length: 70,
        sandbox: false,
        posix: false,
        follow: false,
        utf8: utf8_locale(),
    };
    let mut parser = Parser::new("sed", OPTIONS, args).usage(HELP);
    loop {
        let (id, value) = match parser.next() {
            Ok(Some(Item::Operand(word))) => {
                o.files.push(word);
                continue;
            }
            Ok(Some(Item::Opt(id, value))) => (id, value),
            Ok(None) => break,
            Err(()) => return Err(1),
        };
        match id {
            'n' => o.quiet = true,
            'e' => o.chunks.push(Chunk {
                text: value.unwrap_or_default(),
                file: None,
            }),
            'f' => {
                let name = value.unwrap_or_default();
                let text = hardshell_cli::open_input(&name)
                    .and_then(|mut i| i.read_all())
                    .map_err(|error| {
                        let mut message = b"couldn't open file ".to_vec();
                        message.extend_from_slice(&name);
                        message.extend_from_slice(b": ");
                        message.extend_from_slice(hardshell_cli::errno_text(&error).as_bytes());
                        hardshell_cli::complain("sed", message);
                        1
                    })?;
                let mut text = text;
                if text.last() == Some(&b'\n') {
                    text.pop();
                }
                o.chunks.push(Chunk {
                    text,
                    file: Some(name),
                });
            }
            'E' | 'r' => o.extended = true,
            'i' => {
                o.in_place = Some(value.unwrap_or_default());
                o.separate = true;
            }
            'l' => {
                let text = value.unwrap_or_default();
                let Ok(length) = String::from_utf8_lossy(&text).parse::<usize>() else {
                    hardshell_cli::complain(
                        "sed",
                        format!("invalid line length: {}", String::from_utf8_lossy(&text)),
                    );
                    return Err(1);
                };
                o.line_length = length;
            }
            's' => o.separate = true,
            'u' => o.unbuffered = true,
            'z' => o.null_data = true,
            '\u{1}' => o.posix = true,
            '\u{2}' => o.sandbox = true,
            '\u{3}' => o.follow = true,
            '\u{5}' => {
                print!("{HELP}");
                return Err(0);
            }
            '\u{6}' => {
                println!("sed (hardshell) 4.9 compatible (GNU sed)");
                return Err(0);
            }
            _ => {}
        }
    }
    if o.chunks.is_empty() {
        if o.files.is_empty() {
            let _ = std::io::stderr().write_all(HELP.as_bytes());
            return Err(1);
        }
        let text = o.files.remove(0);
        o.chunks.push(Chunk { text, file: None });
    }
    // A first line of exactly `#n` is the option -n.
    if let Some(first) = o.chunks.first()
        && (first.text == b"#n" || first.text.starts_with(b"#n\n"))
    {
        o.quiet = true;
    }
    Ok(o)
}
