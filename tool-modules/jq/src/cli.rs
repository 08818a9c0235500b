//! The command line of jq.

use std::io::Write;
use std::path::PathBuf;
use std::rc::Rc;

use hardshell_cli::{Input, Out, errno_text, open_input};
use jaq_json::Val;
use jaq_std::input::RcIter;

use crate::engine::{Failure, Program, object, string};
use crate::input::Values;
use crate::output::{Colors, Format};

const HELP: &str = "\
Usage:\tjq [OPTIONS] FILTER [FILES...]
\tjq [OPTIONS] --args FILTER [ARGUMENTS...]
\tjq [OPTIONS] --jsonargs FILTER [JSON_VALUES...]

jq is a tool for processing JSON inputs, applying the given filter to
its JSON text inputs and producing the filter's results as JSON on
standard output.

  -c               compact instead of pretty-printed output
  -n               use `null` as the single input value
  -e               set the exit status code based on the output
  -s               read (slurp) all inputs into an array; apply filter to it
  -r               output raw strings, not JSON texts
  -j               like -r, without newlines
  -a               output ASCII only, with escapes
  -R               read raw strings, not JSON texts
  -C               colorize JSON
  -M               monochrome (don't colorize JSON)
  -S               sort keys of objects on output
  --tab            use tabs for indentation
  --indent n       use n spaces for indentation
  --raw-output0    like -r, with a NUL after each output
  --stream         values as [path, leaf] pairs
  --seq            records separated by the ASCII RS character
  --unbuffered     flush after each output
  -f file          read the filter from a file
  -L directory     search modules in the directory
  --arg a v        set variable $a to value <v>
  --argjson a v    set variable $a to JSON value <v>
  --slurpfile a f  set variable $a to an array of JSON texts read from <f>
  --rawfile a f    set variable $a to a string with the contents of <f>
  --args           remaining arguments are string arguments, not files
  --jsonargs       remaining arguments are JSON arguments, not files
  -h               this help
  -V               the version
";

#[derive(Default)]
pub struct Settings {
    null_input: bool,
    slurp: bool,
    raw_input: bool,
    raw: bool,
    join: bool,
    raw_nul: bool,
    exit_status: bool,
    stream: bool,
    seq: bool,
    unbuffered: bool,
    from_file: bool,
    format: Format,
    library: Vec<PathBuf>,
    named: Vec<(String, Val)>,
    positional: Vec<Val>,
    filter: Option<String>,
    files: Vec<Vec<u8>>,
}

fn usage(message: &str) -> i32 {
    let text = format!(
        "jq: error: {message}\nUse jq --help for help with command-line options,\nor see the jq manpage, or online docs  at https://jqlang.github.io/jq\n"
    );
    let _ = std::io::stderr().write_all(text.as_bytes());
    2
}

/// Runs jq; its exit status.
pub fn run(args: Vec<Vec<u8>>) -> i32 {
    match parse(args) {
        Ok(settings) => execute(settings),
        Err(status) => status,
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Rest {
    Files,
    Strings,
    Json,
}

fn parse(args: Vec<Vec<u8>>) -> Result<Settings, i32> {
    let mut s = Settings::default();
    s.format.indent = Some(b"  ".to_vec());
    let mut words = args.into_iter().skip(1);
    let mut rest = Rest::Files;
    let mut only_operands = false;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    while let Some(word) = words.next() {
        if only_operands || word.len() < 2 || word.first() != Some(&b'-') {
            if s.filter.is_none() {
                s.filter = Some(text(word));
            } else {
                match rest {
                    Rest::Files => s.files.push(word),
                    Rest::Strings => s.positional.push(string(word)),
                    Rest::Json => match jaq_json::read::parse_single(&word) {
                        Ok(value) => s.positional.push(value),
                        Err(_) => {
                            return Err(usage(&format!(
                                "Invalid JSON text passed to --jsonargs: {}",
                                text(word)
                            )));
                        }
                    },
                }
            }
            continue;
        }
        if word == b"--" {
            only_operands = true;
            continue;
        }
        if !word.starts_with(b"--") {
            for (i, letter) in word.iter().enumerate().skip(1) {
                match letter {
                    b'c' => s.format.indent = None,
                    b'n' => s.null_input = true,
                    b'e' => s.exit_status = true,
                    b's' => s.slurp = true,
                    b'r' => s.raw = true,
                    b'j' => (s.raw, s.join) = (true, true),
                    b'a' => s.format.ascii = true,
                    b'R' => s.raw_input = true,
                    b'C' => s.format.color = Some(Box::new(Colors::new())),
                    b'M' => s.format.color = None,
                    b'S' => s.format.sort_keys = true,
                    b'f' => s.from_file = true,
                    b'L' => {
                        let attached = word[i + 1..].to_vec();
                        let dir = if attached.is_empty() {
                            words.next().unwrap_or_default()
                        } else {
                            attached
                        };
                        s.library.push(PathBuf::from(text(dir)));
                        break;
                    }
                    b'h' => {
                        print!("{HELP}");
                        return Err(0);
                    }
                    b'V' => {
                        println!("jq-1.7.1");
                        return Err(0);
                    }
                    _ => return Err(usage("Unknown arguments")),
                }
            }
            continue;
        }
        let pair = |words: &mut dyn Iterator<Item = Vec<u8>>,
                    option: &str|
         -> Result<(String, Vec<u8>), i32> {
            match (words.next(), words.next()) {
                (Some(name), Some(value)) => {
                    Ok((String::from_utf8_lossy(&name).into_owned(), value))
                }
                _ => Err(usage(&format!(
                    "--{option} takes two parameters (e.g. --{option} varname value)"
                ))),
            }
        };
        match &word[2..] {
            b"compact-output" => s.format.indent = None,
            b"null-input" => s.null_input = true,
            b"exit-status" => s.exit_status = true,
            b"slurp" => s.slurp = true,
            b"raw-output" => s.raw = true,
            b"join-output" => (s.raw, s.join) = (true, true),
            b"raw-output0" => (s.raw, s.raw_nul) = (true, true),
            b"ascii-output" => s.format.ascii = true,
            b"raw-input" => s.raw_input = true,
            b"color-output" => s.format.color = Some(Box::new(Colors::new())),
            b"monochrome-output" => s.format.color = None,
            b"sort-keys" => s.format.sort_keys = true,
            b"tab" => s.format.indent = Some(b"\t".to_vec()),
            b"indent" => {
                let value = text(words.next().unwrap_or_default());
                match value.parse::<usize>() {
                    Ok(0) => s.format.indent = None,
                    Ok(n) if n <= 7 => s.format.indent = Some(vec![b' '; n]),
                    Ok(_) => return Err(usage("Cannot indent more than 7 characters")),
                    Err(_) => {
                        return Err(usage("--indent takes one parameter (e.g. --indent number)"));
                    }
                }
            }
            b"stream" | b"stream-errors" => s.stream = true,
            b"seq" => s.seq = true,
            b"unbuffered" => s.unbuffered = true,
            b"from-file" => s.from_file = true,
            b"library-path" => s
                .library
                .push(PathBuf::from(text(words.next().unwrap_or_default()))),
            b"arg" => {
                let (name, value) = pair(&mut words, "arg")?;
                s.named.push((name, string(value)));
            }
            b"argjson" => {
                let (name, value) = pair(&mut words, "argjson")?;
                match jaq_json::read::parse_single(&value) {
                    Ok(value) => s.named.push((name, value)),
                    Err(_) => return Err(usage("Invalid JSON text passed to --argjson")),
                }
            }
            option @ (b"slurpfile" | b"rawfile") => {
                let option = text(option.to_vec());
                let (name, file) = pair(&mut words, &option)?;
                let data = open_input(&file)
                    .and_then(|mut i| i.read_all())
                    .map_err(|error| {
                        let shown = String::from_utf8_lossy(&file).into_owned();
                        usage(&format!(
                            "Bad JSON in --{option} {name} {shown}: Could not open {shown}: {}",
                            errno_text(&error)
                        ))
                    })?;
                if option == "rawfile" {
                    s.named.push((name, string(data)));
                } else {
                    let values: Result<Vec<Val>, _> = jaq_json::read::parse_many(&data).collect();
                    match values {
                        Ok(values) => s.named.push((name, Val::Arr(Rc::new(values)))),
                        Err(error) => {
                            return Err(usage(&format!("Bad JSON in --slurpfile {name}: {error}")));
                        }
                    }
                }
            }
            b"args" => rest = Rest::Strings,
            b"jsonargs" => rest = Rest::Json,
            b"help" => {
                print!("{HELP}");
                return Err(0);
            }
            b"version" => {
                println!("jq-1.7.1");
                return Err(0);
            }
            b"build-configuration" => {
                println!("hardshell");
                return Err(0);
            }
            _ => return Err(usage(&format!("Unknown option: {}", text(word)))),
        }
    }
    if s.from_file {
        // The first operand is the file, the filter a file of input.
        let Some(file) = s.filter.take() else {
            return Err(usage("-f needs a file"));
        };
        let data = open_input(file.as_bytes())
            .and_then(|mut i| i.read_all())
            .map_err(|error| {
                let message = format!("error: Could not open {file}: {}", errno_text(&error));
                hardshell_cli::complain("jq", message);
                2
            })?;
        s.filter = Some(String::from_utf8_lossy(&data).into_owned());
    }
    if s.filter.is_none() {
        // As jq does when its output is not a terminal: the identity.
        if s.files.is_empty() && s.null_input {
            s.filter = Some(".".to_owned());
        } else {
            let _ = std::io::stderr().write_all(HELP.as_bytes());
            return Err(2);
        }
    }
    Ok(s)
}

/// Reads inputs one after the other from all files.
struct Source<'s> {
    settings: &'s Settings,
    files: std::vec::IntoIter<Vec<u8>>,
    current: Option<Values<Input>>,
    raw: Option<(Vec<u8>, usize)>,
    queue: std::collections::VecDeque<Val>,
    place: &'s crate::engine::Place,
    /// A file that could not be opened.
    failed: &'s std::cell::Cell<bool>,
    done: bool,
}

impl Source<'_> {
    fn open_next(&mut self) -> Option<Input> {
        for name in self.files.by_ref() {
            match open_input(&name) {
                Ok(input) => {
                    let shown = (name != b"-").then(|| String::from_utf8_lossy(&name).into_owned());
                    *self.place.file.borrow_mut() = shown;
                    return Some(input);
                }
                Err(error) => {
                    self.failed.set(true);
                    let shown = String::from_utf8_lossy(&name).into_owned();
                    let text = errno_text(&error);
                    let message = if text == "Is a directory" {
                        format!("error: Could not read {shown}: {text}")
                    } else {
                        format!("error: Could not open file {shown}: {text}")
                    };
                    hardshell_cli::complain("jq", message);
                }
            }
        }
        None
    }

    fn json(&mut self) -> Option<Result<Val, String>> {
        loop {
            if let Some(values) = &mut self.current {
                if let Some(value) = values.next_value() {
                    self.place.line.set(values.lines);
                    return Some(value);
                }
                self.current = None;
            }
            let input = self.open_next()?;
            self.current = Some(Values::new(input));
        }
    }

    fn lines(&mut self) -> Option<Result<Val, String>> {
        loop {
            if let Some((data, at)) = &mut self.raw {
                let rest = &data[*at..];
                if !rest.is_empty() {
                    let (length, skip) = match memchr::memchr(b'\n', rest) {
                        Some(length) => (length, 1),
                        None => (rest.len(), 0),
                    };
                    let line = String::from_utf8_lossy(&rest[..length]).into_owned();
                    *at += length + skip;
                    return Some(Ok(string(line)));
                }
                self.raw = None;
            }
            let mut input = self.open_next()?;
            match input.read_all() {
                Ok(data) => self.raw = Some((data, 0)),
                Err(error) => return Some(Err(errno_text(&error))),
            }
        }
    }
}

impl Iterator for Source<'_> {
    type Item = Result<Val, String>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        if self.settings.raw_input {
            if !self.settings.slurp {
                return self.lines();
            }
            self.done = true;
            let mut all = Vec::new();
            while let Some(mut input) = self.open_next() {
                match input.read_all() {
                    Ok(data) => all.extend_from_slice(&data),
                    Err(error) => return Some(Err(errno_text(&error))),
                }
            }
            return Some(Ok(string(String::from_utf8_lossy(&all).into_owned())));
        }
        if self.settings.slurp {
            self.done = true;
            let mut all = Vec::new();
            while let Some(value) = self.json() {
                match value {
                    Ok(value) if self.settings.stream => all.extend(crate::stream::events(&value)),
                    Ok(value) => all.push(value),
                    Err(message) => return Some(Err(message)),
                }
            }
            return Some(Ok(Val::Arr(Rc::new(all))));
        }
        if self.settings.stream {
            while self.queue.is_empty() {
                match self.json()? {
                    Ok(value) => self.queue.extend(crate::stream::events(&value)),
                    Err(message) => return Some(Err(message)),
                }
            }
            return self.queue.pop_front().map(Ok);
        }
        self.json()
    }
}

fn execute(mut settings: Settings) -> i32 {
    let code = settings.filter.take().unwrap_or_default();
    let env = object(std::env::vars().map(|(k, v)| (string(k), string(v))));
    let named = object(
        settings
            .named
            .iter()
            .map(|(k, v)| (string(k.clone()), v.clone())),
    );
    let positional = Val::Arr(Rc::new(settings.positional.clone()));
    let args = object([(string("positional"), positional), (string("named"), named)]);
    let mut vars = vec![
        ("ENV".to_owned(), env),
        ("ARGS".to_owned(), args.clone()),
        ("__prog_args".to_owned(), args),
    ];
    for (name, value) in &settings.named {
        vars.retain(|(known, _)| known != name);
        vars.push((name.clone(), value.clone()));
    }
    let program = match Program::new(&code, vars, &settings.library) {
        Ok(program) => program,
        Err(lines) => {
            for line in lines {
                hardshell_cli::complain("jq", line);
            }
            return 3;
        }
    };
    let failed = std::cell::Cell::new(false);
    let files = if settings.files.is_empty() {
        vec![b"-".to_vec()]
    } else {
        settings.files.clone()
    };
    let source = Source {
        settings: &settings,
        files: files.into_iter(),
        current: None,
        raw: None,
        queue: std::collections::VecDeque::new(),
        place: &program.place,
        failed: &failed,
        done: false,
    };
    let boxed: Box<dyn Iterator<Item = Result<Val, String>> + '_> = Box::new(source);
    let inputs = RcIter::new(boxed);
    let inputs: &RcIter<dyn Iterator<Item = Result<Val, String>> + '_> = &inputs;
    let mut out = Out::stdout();
    out.line_buffered = false;
    let mut state = State {
        status: 0,
        last: None,
    };
    if settings.null_input {
        one(&settings, &program, inputs, Val::Null, &mut out, &mut state);
    } else {
        let reader = inputs;
        for input in reader {
            match input {
                Ok(value) => {
                    if !one(&settings, &program, inputs, value, &mut out, &mut state) {
                        break;
                    }
                }
                Err(message) => {
                    out.flush();
                    hardshell_cli::complain("jq", format!("parse error: {message}"));
                    state.status = 2;
                    break;
                }
            }
            if out.failed() {
                break;
            }
        }
    }
    if let Err(error) = out.finish() {
        hardshell_cli::complain(
            "jq",
            format!("error: writing output failed: {}", errno_text(&error)),
        );
        return 2;
    }
    if state.status != 0 {
        return state.status;
    }
    if failed.get() {
        return 2;
    }
    if settings.exit_status {
        return match state.last {
            None => 4,
            Some(true) => 0,
            Some(false) => 1,
        };
    }
    0
}

struct State {
    status: i32,
    /// Whether the last output was neither false nor null.
    last: Option<bool>,
}

fn file_shown(program: &Program) -> String {
    program
        .place
        .file
        .borrow()
        .clone()
        .unwrap_or_else(|| "<stdin>".to_owned())
}

/// Runs the filter on one input; false when the whole run ends.
fn one<'a>(
    settings: &Settings,
    program: &'a Program,
    inputs: jaq_std::input::Inputs<'a, Val>,
    input: Val,
    out: &mut Out,
    state: &mut State,
) -> bool {
    let mut go_on = true;
    let mut line = Vec::new();
    program.run(inputs, input, |result| match result {
        Ok(value) => {
            state.last = Some(!matches!(value, Val::Null | Val::Bool(false)));
            line.clear();
            if settings.seq {
                line.push(0x1e);
            }
            match &value {
                Val::TStr(text) | Val::BStr(text) if settings.raw => line.extend_from_slice(text),
                other => settings.format.append(other, &mut line),
            }
            if settings.raw_nul {
                line.push(0);
            } else if !settings.join {
                line.push(b'\n');
            }
            out.put(&line);
            if settings.unbuffered {
                out.flush();
            }
            !out.failed()
        }
        Err(Failure::Halt(code)) => {
            state.status = code;
            go_on = false;
            false
        }
        Err(Failure::Break) => {
            out.flush();
            hardshell_cli::complain("jq", "error (at <unknown>): break");
            state.status = 5;
            false
        }
        Err(Failure::Error(error)) => {
            out.flush();
            let rendered = error.to_string();
            let message = crate::errors::top(&error.into_val(), &rendered);
            let place = if settings.null_input {
                "<unknown>".to_owned()
            } else {
                format!("{}:{}", file_shown(program), program.place.line.get())
            };
            hardshell_cli::complain("jq", format!("error (at {place}){message}"));
            state.status = 5;
            false
        }
    });
    go_on
}
