//! `xargs`.

use std::io::Read;

use hardshell_cli::process::{Child, Spawn, Stdin, failure_status, wait_any};
use hardshell_cli::{Arg, Item, Opt, Parser, complain, errno_text, open_input};

/// Bytes of one command line unless `-s` says otherwise.
const DEFAULT_BYTES: usize = 128 * 1024;

const OPTIONS: &[Opt] = &[
    Opt::new('0', "null", Arg::No),
    Opt::new('a', "arg-file", Arg::Yes),
    Opt::new('d', "delimiter", Arg::Yes),
    Opt::new('E', "", Arg::Yes),
    Opt::new('e', "eof", Arg::Maybe),
    Opt::new('I', "", Arg::Yes),
    Opt::new('i', "replace", Arg::Maybe),
    Opt::new('L', "", Arg::Yes),
    Opt::new('l', "max-lines", Arg::Maybe),
    Opt::new('n', "max-args", Arg::Yes),
    Opt::new('o', "open-tty", Arg::No),
    Opt::new('P', "max-procs", Arg::Yes),
    Opt::new('p', "interactive", Arg::No),
    Opt::new('r', "no-run-if-empty", Arg::No),
    Opt::new('s', "max-chars", Arg::Yes),
    Opt::new('t', "verbose", Arg::No),
    Opt::new('x', "exit", Arg::No),
    Opt::long('\u{1}', "process-slot-var", Arg::Yes),
    Opt::long('\u{2}', "show-limits", Arg::No),
    Opt::long('\u{3}', "help", Arg::No),
    Opt::long('\u{4}', "version", Arg::No),
];

const HELP: &str = "\
Usage: xargs [OPTION]... COMMAND [INITIAL-ARGS]...
Run COMMAND with arguments INITIAL-ARGS and more arguments read from input.

  -0, --null                   items are separated by a null, not whitespace
  -a, --arg-file=FILE          read arguments from FILE, not standard input
  -d, --delimiter=CHARACTER    items in input stream are separated by CHARACTER
  -E END                       set logical EOF string
  -I R                         replace R in INITIAL-ARGS with names read
  -L, --max-lines=MAX-LINES    use at most MAX-LINES non-blank input lines per command
  -n, --max-args=MAX-ARGS      use at most MAX-ARGS arguments per command line
  -P, --max-procs=MAX-PROCS    run at most MAX-PROCS processes at a time
  -p, --interactive            prompt before running commands
  -r, --no-run-if-empty        if there are no arguments, do not run COMMAND
  -s, --max-chars=MAX-CHARS    limit length of command line to MAX-CHARS
  -t, --verbose                print commands before executing them
  -x, --exit                   exit if the size (see -s) is exceeded
      --process-slot-var=VAR   set VAR to the number of the process's slot
";

struct Settings {
    delimiter: Option<u8>,
    file: Option<Vec<u8>>,
    end: Option<Vec<u8>>,
    replace: Option<Vec<u8>>,
    lines: usize,
    args: usize,
    procs: usize,
    no_run_if_empty: bool,
    bytes: usize,
    verbose: bool,
    interactive: bool,
    exit: bool,
    slot_var: Option<Vec<u8>>,
    open_tty: bool,
}

/// Runs `xargs`; its exit status.
pub fn run(args: Vec<Vec<u8>>) -> i32 {
    match parse(args) {
        Ok((settings, command)) => Runner::new(settings, command).run(),
        Err(status) => status,
    }
}

fn parse(args: Vec<Vec<u8>>) -> Result<(Settings, Vec<Vec<u8>>), i32> {
    let mut s = Settings {
        delimiter: None,
        file: None,
        end: None,
        replace: None,
        lines: 0,
        args: 0,
        procs: 1,
        no_run_if_empty: false,
        bytes: DEFAULT_BYTES,
        verbose: false,
        interactive: false,
        exit: false,
        slot_var: None,
        open_tty: false,
    };
    let mut command = Vec::new();
    let mut parser = Parser::new("xargs", OPTIONS, args).stop_at_operand();
    loop {
        let (id, value) = match parser.next() {
            Ok(Some(Item::Operand(word))) => {
                command.push(word);
                continue;
            }
            Ok(Some(Item::Opt(id, value))) => (id, value),
            Ok(None) => break,
            Err(()) => return Err(1),
        };
        match id {
            '0' => s.delimiter = Some(0),
            'a' => s.file = value,
            'd' => s.delimiter = Some(delimiter(&value.unwrap_or_default())?),
            'E' => s.end = value,
            'e' => s.end = value,
            'I' => (s.replace, s.args, s.lines) = (value, 0, 0),
            'i' => s.replace = Some(value.unwrap_or_else(|| b"{}".to_vec())),
            'L' => {
                s.lines = number('L', value, 1)?;
                exclusive(s.args > 0, "--max-args", "-L");
                (s.args, s.replace) = (0, None);
            }
            'l' => {
                s.lines = number('l', Some(value.unwrap_or_else(|| b"1".to_vec())), 1)?;
                exclusive(s.args > 0, "--max-args", "-L");
                (s.args, s.replace) = (0, None);
            }
            'n' => {
                s.args = number('n', value, 1)?;
                exclusive(s.lines > 0, "--max-lines", "--max-args/-n");
                s.lines = 0;
                if s.args > 1 || s.replace.is_none() {
                    s.replace = None;
                }
            }
            'P' => s.procs = number('P', value, 0)?,
            'p' => (s.interactive, s.verbose) = (true, true),
            'r' => s.no_run_if_empty = true,
            's' => s.bytes = number('s', value, 1)?.min(DEFAULT_BYTES),
            't' => s.verbose = true,
            'x' => s.exit = true,
            'o' => s.open_tty = true,
            '\u{1}' => s.slot_var = value,
            '\u{2}' => {
                eprintln!("Maximum length of command we could actually use: {DEFAULT_BYTES}")
            }
            '\u{3}' => {
                print!("{HELP}");
                return Err(0);
            }
            '\u{4}' => {
                println!("xargs (hardshell) compatible with GNU findutils 4.9");
                return Err(0);
            }
            _ => {}
        }
    }
    if command.is_empty() {
        command.push(b"echo".to_vec());
    }
    Ok((s, command))
}

/// Says that an option takes the place of an earlier one.
fn exclusive(set: bool, old: &str, new: &str) {
    if set {
        complain(
            "xargs",
            format!(
                "warning: options {old} and {new} are mutually exclusive, ignoring previous {old} value"
            ),
        );
    }
}

/// A word as a shell would need it.
fn shell_quoted(word: &[u8]) -> Vec<u8> {
    let safe = |b: &u8| b.is_ascii_alphanumeric() || b"%+,-./:=@_^".contains(b) || *b >= 0x80;
    if !word.is_empty() && word.iter().all(safe) {
        return word.to_vec();
    }
    let mut out = vec![b'\''];
    for byte in word {
        match byte {
            b'\'' => out.extend_from_slice(b"'\\''"),
            b'\t' => out.extend_from_slice(b"'$'\\t''"),
            b'\n' => out.extend_from_slice(b"'$'\\n''"),
            b'\r' => out.extend_from_slice(b"'$'\\r''"),
            0..0x20 | 0x7f => out.extend_from_slice(format!("'$'\\{byte:03o}''").as_bytes()),
            other => out.push(*other),
        }
    }
    out.push(b'\'');
    out
}

fn number(letter: char, value: Option<Vec<u8>>, least: usize) -> Result<usize, i32> {
    let text = value.unwrap_or_default();
    let shown = String::from_utf8_lossy(&text).into_owned();
    match shown.trim_start().trim_start_matches('+').parse::<usize>() {
        Ok(n) if n >= least => Ok(n),
        Ok(_) => {
            complain(
                "xargs",
                format!("value {shown} for -{letter} option should be >= {least}"),
            );
            Err(1)
        }
        Err(_) => {
            complain(
                "xargs",
                format!("invalid number \"{shown}\" for -{letter} option"),
            );
            Err(1)
        }
    }
}

fn delimiter(text: &[u8]) -> Result<u8, i32> {
    match text {
        [byte] => Ok(*byte),
        b"\\n" => Ok(b'\n'),
        b"\\t" => Ok(b'\t'),
        b"\\r" => Ok(b'\r'),
        b"\\0" => Ok(0),
        b"\\a" => Ok(7),
        b"\\b" => Ok(8),
        b"\\f" => Ok(12),
        b"\\v" => Ok(11),
        b"\\\\" => Ok(b'\\'),
        _ => {
            let shown = String::from_utf8_lossy(text).into_owned();
            let value = match text.strip_prefix(b"\\x") {
                Some(digits) => number_like_c(digits, 16),
                None => text
                    .strip_prefix(b"\\")
                    .filter(|d| d.first().is_some_and(u8::is_ascii_digit))
                    .and_then(|d| number_like_c(d, 8)),
            };
            value.ok_or_else(|| {
                complain("xargs", format!("Invalid input delimiter specification {shown}: the delimiter must be either a single character or an escape sequence starting with \\."));
                1
            })
        }
    }
}

/// A number as C's strtoul reads it: blanks, a sign and `0x` may come first, and
/// no digits at all are zero.
fn number_like_c(text: &[u8], base: u32) -> Option<u8> {
    let text = String::from_utf8_lossy(text).into_owned();
    let digits = text.trim_start().trim_start_matches(['+', '-']);
    let digits = if base == 16 {
        digits.trim_start_matches("0x")
    } else {
        digits
    };
    if digits.is_empty() {
        return Some(0);
    }
    u8::from_str_radix(digits, base).ok()
}

/// An item and whether it ends its line.
enum Token {
    Item(Vec<u8>),
    LineEnd,
}

struct Runner {
    settings: Settings,
    command: Vec<Vec<u8>>,
    pending: Vec<Vec<u8>>,
    pending_bytes: usize,
    pending_lines: usize,
    base_bytes: usize,
    running: Vec<Child>,
    slots: Vec<Option<u32>>,
    status: i32,
    ran: bool,
    stop: bool,
    warned_nul: bool,
}

impl Runner {
    fn new(settings: Settings, command: Vec<Vec<u8>>) -> Self {
        let base_bytes = command.iter().map(|w| w.len() + 1).sum();
        Self {
            settings,
            command,
            pending: Vec::new(),
            pending_bytes: 0,
            pending_lines: 0,
            base_bytes,
            running: Vec::new(),
            slots: Vec::new(),
            status: 0,
            ran: false,
            stop: false,
            warned_nul: false,
        }
    }

    fn run(mut self) -> i32 {
        let name = self.settings.file.clone().unwrap_or_else(|| b"-".to_vec());
        let mut input = match open_input(&name) {
            Ok(input) => input,
            Err(error) if errno_text(&error) == "Is a directory" => {
                // Nothing can be read from it.
                match open_input(b"/dev/null") {
                    Ok(input) => input,
                    Err(_) => return 1,
                }
            }
            Err(error) => {
                let shown = String::from_utf8_lossy(&name).into_owned();
                complain(
                    "xargs",
                    format!("Cannot open input file '{shown}': {}", errno_text(&error)),
                );
                return 1;
            }
        };
        let outcome = if self.settings.delimiter.is_some() {
            self.by_delimiter(&mut input)
        } else {
            self.by_blank(&mut input)
        };
        if outcome.is_ok() && !self.stop {
            let run_without_input =
                !self.ran && !self.settings.no_run_if_empty && self.settings.replace.is_none();
            if !self.pending.is_empty() || run_without_input {
                self.flush();
            }
        }
        while !self.running.is_empty() {
            self.reap();
        }
        if let Err(message) = outcome {
            complain("xargs", message);
            return 1;
        }
        self.status
    }

    fn by_delimiter(&mut self, input: &mut dyn Read) -> Result<(), String> {
        let delimiter = self.settings.delimiter.unwrap_or(0);
        let mut buffer = vec![0u8; 64 * 1024];
        let mut item: Vec<u8> = Vec::new();
        loop {
            let got = input.read(&mut buffer).map_err(|e| errno_text(&e))?;
            if got == 0 {
                break;
            }
            let mut rest = &buffer[..got];
            while let Some(at) = rest.iter().position(|b| *b == delimiter) {
                item.extend_from_slice(&rest[..at]);
                rest = &rest[at + 1..];
                self.token(Token::Item(std::mem::take(&mut item)))?;
                self.token(Token::LineEnd)?;
                if self.stop {
                    return Ok(());
                }
            }
            item.extend_from_slice(rest);
        }
        if !item.is_empty() {
            self.token(Token::Item(item))?;
            self.token(Token::LineEnd)?;
        }
        Ok(())
    }

    /// Items between blanks, with quotes and backslashes; whole lines with -I.
    fn by_blank(&mut self, input: &mut dyn Read) -> Result<(), String> {
        let whole_lines = self.settings.replace.is_some();
        let mut buffer = vec![0u8; 64 * 1024];
        let mut item: Vec<u8> = Vec::new();
        let mut in_item = false;
        let mut quote: Option<u8> = None;
        let mut escaped = false;
        // A blank at the end of a line continues it for -L.
        let mut last_blank = false;
        let mut line_has_item = false;
        loop {
            let got = input.read(&mut buffer).map_err(|e| errno_text(&e))?;
            if got == 0 {
                break;
            }
            for byte in &buffer[..got] {
                let byte = *byte;
                if escaped {
                    item.push(byte);
                    (escaped, in_item) = (false, true);
                    last_blank = byte == b' ' || byte == b'\t';
                    continue;
                }
                if let Some(mark) = quote {
                    if byte == mark {
                        quote = None;
                    } else if byte == b'\n' {
                        return Err(unmatched(mark));
                    } else {
                        item.push(byte);
                    }
                    continue;
                }
                if byte == 0 && !std::mem::replace(&mut self.warned_nul, true) {
                    complain(
                        "xargs",
                        "WARNING: a NUL character occurred in the input.  It cannot be passed through in the argument list.  Did you mean to use the --null option?",
                    );
                }
                match byte {
                    b'\'' | b'"' => (quote, in_item) = (Some(byte), true),
                    b'\\' => escaped = true,
                    b'\n' => {
                        if in_item {
                            in_item = false;
                            line_has_item = true;
                            if !self.accept(std::mem::take(&mut item))? {
                                return Ok(());
                            }
                        }
                        if line_has_item && !(last_blank && self.settings.lines > 0) {
                            self.token(Token::LineEnd)?;
                            line_has_item = false;
                        }
                        if self.stop {
                            return Ok(());
                        }
                    }
                    b' ' | b'\t' if whole_lines && in_item => item.push(byte),
                    b' ' | b'\t' => {
                        if in_item {
                            in_item = false;
                            line_has_item = true;
                            if !self.accept(std::mem::take(&mut item))? {
                                return Ok(());
                            }
                        }
                    }
                    _ => {
                        item.push(byte);
                        in_item = true;
                    }
                }
                last_blank = byte == b' ' || byte == b'\t';
            }
        }
        // An empty word at the very end does not count, nor does the end mark.
        if let Some(mark) = quote
            && !item.is_empty()
        {
            return Err(unmatched(mark));
        }
        if in_item && !item.is_empty() {
            self.token(Token::Item(item))?;
            self.token(Token::LineEnd)?;
        } else if line_has_item {
            self.token(Token::LineEnd)?;
        }
        Ok(())
    }

    /// Takes an item; false when it is the logical end of the input.
    fn accept(&mut self, item: Vec<u8>) -> Result<bool, String> {
        if self.settings.end.as_ref().is_some_and(|end| *end == item) {
            return Ok(false);
        }
        self.token(Token::Item(item))?;
        Ok(!self.stop)
    }

    fn token(&mut self, token: Token) -> Result<(), String> {
        if self.stop {
            return Ok(());
        }
        match token {
            Token::Item(mut item) => {
                if let Some(at) = item.iter().position(|b| *b == 0) {
                    item.truncate(at);
                }
                if let Some(mark) = &self.settings.replace {
                    let argv = self
                        .command
                        .iter()
                        .map(|word| replace(word, mark, &item))
                        .collect();
                    self.start(argv);
                    return Ok(());
                }
                let size = item.len() + 1;
                if self.base_bytes + size > self.settings.bytes {
                    return Err("argument line too long".to_owned());
                }
                if !self.pending.is_empty()
                    && self.base_bytes + self.pending_bytes + size > self.settings.bytes
                {
                    if self.settings.exit && (self.settings.args > 0 || self.settings.lines > 0) {
                        return Err("argument list too long".to_owned());
                    }
                    self.flush();
                }
                self.pending_bytes += size;
                self.pending.push(item);
                if self.settings.args > 0 && self.pending.len() >= self.settings.args {
                    self.flush();
                }
            }
            Token::LineEnd => {
                if self.settings.lines > 0 && !self.pending.is_empty() {
                    self.pending_lines += 1;
                    if self.pending_lines >= self.settings.lines {
                        self.flush();
                    }
                }
            }
        }
        Ok(())
    }

    fn flush(&mut self) {
        let mut argv = self.command.clone();
        argv.append(&mut self.pending);
        self.pending_bytes = 0;
        self.pending_lines = 0;
        self.start(argv);
    }

    fn start(&mut self, argv: Vec<Vec<u8>>) {
        self.ran = true;
        if self.settings.verbose {
            let mut line = argv
                .iter()
                .map(|w| shell_quoted(w))
                .collect::<Vec<_>>()
                .join(&b' ');
            if self.settings.interactive {
                line.extend_from_slice(b"?...");
                let _ = std::io::Write::write_all(&mut std::io::stderr(), &line);
                // Without a terminal there is nobody to say yes.
                return;
            }
            line.push(b'\n');
            let _ = std::io::Write::write_all(&mut std::io::stderr(), &line);
        }
        let procs = if self.settings.procs == 0 {
            usize::MAX
        } else {
            self.settings.procs
        };
        while self.running.len() >= procs.min(1000) {
            self.reap();
            if self.stop {
                return;
            }
        }
        let name = argv.first().cloned().unwrap_or_default();
        let mut spawn = Spawn::new(argv);
        if self.settings.file.is_none() && !self.settings.open_tty {
            spawn.stdin = Stdin::Null;
        }
        let slot = self
            .slots
            .iter()
            .position(Option::is_none)
            .unwrap_or(self.slots.len());
        if let Some(variable) = &self.settings.slot_var {
            let mut env: Vec<(Vec<u8>, Vec<u8>)> = std::env::vars_os()
                .map(|(k, v)| (hardshell_cli::into_bytes(k), hardshell_cli::into_bytes(v)))
                .filter(|(k, _)| k != variable)
                .collect();
            env.push((variable.clone(), slot.to_string().into_bytes()));
            spawn.env = Some(env);
        }
        match spawn.start() {
            Ok(child) => {
                if slot == self.slots.len() {
                    self.slots.push(None);
                }
                self.slots[slot] = Some(child.pid);
                self.running.push(child);
                if procs == 1 {
                    self.reap();
                }
            }
            Err(error) => {
                let mut message = name;
                message.extend_from_slice(b": ");
                message.extend_from_slice(errno_text(&error).as_bytes());
                complain("xargs", message);
                self.status = i32::from(failure_status(&error));
                self.stop = true;
            }
        }
    }

    /// Waits for one command and takes note of its status.
    fn reap(&mut self) {
        let Ok((pid, status)) = wait_any(&mut self.running) else {
            self.running.clear();
            return;
        };
        self.running.retain(|child| child.pid != pid);
        for slot in &mut self.slots {
            if *slot == Some(pid) {
                *slot = None;
            }
        }
        match status {
            0 => {}
            255 => {
                let name = String::from_utf8_lossy(&self.command[0]).into_owned();
                complain("xargs", format!("{name}: exited with status 255; aborting"));
                self.status = 124;
                self.stop = true;
            }
            _ => self.status = 123,
        }
    }
}

fn unmatched(mark: u8) -> String {
    let kind = if mark == b'"' { "double" } else { "single" };
    format!(
        "unmatched {kind} quote; by default quotes are special to xargs unless you use the -0 option"
    )
}

fn replace(word: &[u8], mark: &[u8], item: &[u8]) -> Vec<u8> {
    if mark.is_empty() {
        return word.to_vec();
    }
    let mut out = Vec::with_capacity(word.len() + item.len());
    let mut at = 0;
    while at < word.len() {
        if word[at..].starts_with(mark) {
            out.extend_from_slice(item);
            at += mark.len();
        } else {
            out.push(word[at]);
            at += 1;
        }
    }
    out
}
