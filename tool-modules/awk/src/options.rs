//! The command line.

use std::io::Write;

use hardshell_cli::{Arg, Item, Opt, Parser, complain, utf8_locale};

pub struct Options {
    pub program: Vec<u8>,
    /// Where the program is from, for messages.
    pub source: String,
    /// `name=value`, in order.
    pub assigns: Vec<Vec<u8>>,
    pub fs: Option<Vec<u8>>,
    pub operands: Vec<Vec<u8>>,
    pub utf8: bool,
}

const OPTIONS: &[Opt] = &[
    Opt::new('F', "field-separator", Arg::Yes),
    Opt::new('v', "assign", Arg::Yes),
    Opt::new('f', "file", Arg::Yes),
    Opt::new('E', "exec", Arg::Yes),
    Opt::new('e', "source", Arg::Yes),
    Opt::new('b', "characters-as-bytes", Arg::No),
    Opt::new('c', "traditional", Arg::No),
    Opt::new('P', "posix", Arg::No),
    Opt::new('r', "re-interval", Arg::No),
    Opt::new('s', "no-optimize", Arg::No),
    Opt::new('O', "optimize", Arg::No),
    Opt::new('S', "sandbox", Arg::No),
    Opt::new('n', "non-decimal-data", Arg::No),
    Opt::new('M', "bignum", Arg::No),
    Opt::new('N', "use-lc-numeric", Arg::No),
    Opt::new('t', "lint-old", Arg::No),
    Opt::new('L', "lint", Arg::Maybe),
    Opt::new('W', "", Arg::Yes),
    Opt::new('h', "help", Arg::No),
    Opt::new('V', "version", Arg::No),
];

const HELP: &str = "\
Usage: awk [POSIX or GNU style options] -f progfile [--] file ...
Usage: awk [POSIX or GNU style options] [--] 'program' file ...
  -f progfile   --file=progfile      read the program from a file
  -F fs         --field-separator=fs set the field separator
  -v var=val    --assign=var=val     set a variable before the program starts
  -e 'text'     --source='text'      a piece of the program
  -b            --characters-as-bytes  text is bytes, not UTF-8
  -h            --help               this help
  -V            --version            the version

Examples:
  awk '{ sum += $1 }; END { print sum }' file
  awk -F: '{ print $1 }' /etc/passwd
";

/// Reads the command line; `Err` is an exit status.
pub fn parse(args: Vec<Vec<u8>>) -> Result<Options, i32> {
    let mut o = Options {
        program: Vec::new(),
        source: "cmd. line".to_owned(),
        assigns: Vec::new(),
        fs: None,
        operands: Vec::new(),
        utf8: utf8_locale(),
    };
    let mut have_program = false;
    let mut parser = Parser::new("awk", OPTIONS, args).stop_at_operand();
    loop {
        let (id, value) = match parser.next() {
            Ok(Some(Item::Operand(word))) => {
                o.operands.push(word);
                continue;
            }
            Ok(Some(Item::Opt(id, value))) => (id, value.unwrap_or_default()),
            Ok(None) => break,
            Err(()) => return Err(2),
        };
        match id {
            'F' => o.fs = Some(if value == b"t" { b"\t".to_vec() } else { value }),
            'v' => {
                if !is_assignment(&value) {
                    let shown = String::from_utf8_lossy(&value).into_owned();
                    complain(
                        "awk",
                        format!("fatal: `{shown}' argument to `-v' not in `var=value' form"),
                    );
                    return Err(2);
                }
                o.assigns.push(value);
            }
            'f' | 'E' => {
                let text = hardshell_cli::open_input(&value)
                    .and_then(|mut i| i.read_all())
                    .map_err(|error| {
                        let shown = String::from_utf8_lossy(&value).into_owned();
                        let reason = hardshell_cli::errno_text(&error);
                        complain(
                            "awk",
                            format!(
                                "fatal: cannot open source file `{shown}' for reading: {reason}"
                            ),
                        );
                        2
                    })?;
                o.source = String::from_utf8_lossy(&value).into_owned();
                add(&mut o.program, &text);
                have_program = true;
            }
            'e' => {
                add(&mut o.program, &value);
                have_program = true;
            }
            'b' => o.utf8 = false,
            'h' => {
                print!("{HELP}");
                return Err(0);
            }
            'V' => {
                println!("awk (hardshell) compatible with POSIX awk and GNU Awk 5");
                return Err(0);
            }
            'W' if value == b"version" => {
                println!("awk (hardshell) compatible with POSIX awk and GNU Awk 5");
                return Err(0);
            }
            _ => {}
        }
    }
    if !have_program {
        if o.operands.is_empty() {
            let _ = std::io::stderr().write_all(HELP.as_bytes());
            return Err(1);
        }
        o.program = o.operands.remove(0);
    }
    Ok(o)
}

fn add(program: &mut Vec<u8>, text: &[u8]) {
    if !program.is_empty() {
        program.push(b'\n');
    }
    program.extend_from_slice(text);
}

/// Whether a word is `name=value`.
pub fn is_assignment(word: &[u8]) -> bool {
    let Some(at) = word.iter().position(|b| *b == b'=') else {
        return false;
    };
    let name = &word[..at];
    !name.is_empty()
        && !name[0].is_ascii_digit()
        && name.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_')
}
