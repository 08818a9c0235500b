//! Runs a script over the input.

use std::collections::HashMap;
use std::io::Read;
use std::rc::Rc;

use hardshell_cli::process::Spawn;
use hardshell_cli::{Input, Out, complain};

use crate::files::{InPlace, Sink, open_written};
use crate::input::Reader;
use crate::options::Options;
use crate::script::{Address, Command, End, Kind, Pattern, Range, Script, Substitute, Translate};
use crate::substitute::{Scratch, substitute};

/// What is put out at the end of a cycle.
enum Queued {
    Text(Vec<u8>),
    File(Vec<u8>),
    Line(Vec<u8>, bool),
}

/// How a cycle ends.
enum Flow {
    /// On to the next command.
    Next,
    Jump(usize),
    /// The cycle is over; print the pattern space unless `-n`.
    End,
    /// The cycle is over without printing.
    Delete,
    /// As `Delete`, and the next cycle keeps the pattern space.
    Restart,
    Quit(u8, bool),
}

enum Written {
    Stdout,
    Stderr,
    File(Box<Sink>),
}

pub struct Machine<'a> {
    options: &'a Options,
    commands: Vec<Command>,
    file_names: Vec<Vec<u8>>,
    written: Vec<Written>,
    reader: Reader,
    stdout: Sink,
    in_place: Option<InPlace>,
    space: Vec<u8>,
    hold: Vec<u8>,
    /// Whether the line in the pattern space had its end.
    ended: bool,
    line: u64,
    replaced: bool,
    queue: Vec<Queued>,
    last_regex: Pattern,
    scratch: Scratch,
    line_readers: HashMap<Vec<u8>, Option<LineReader>>,
    separator: u8,
    status: u8,
}

struct LineReader {
    data: Vec<u8>,
    at: usize,
}

impl<'a> Machine<'a> {
    pub fn new(options: &'a Options, script: Script) -> Self {
        let separator = if options.null_data { 0 } else { b'\n' };
        let files = if options.files.is_empty() {
            vec![b"-".to_vec()]
        } else {
            options.files.clone()
        };
        let mut stdout = Sink::new(Out::stdout());
        stdout.out.line_buffered = options.unbuffered;
        Self {
            options,
            commands: script.commands,
            file_names: script.files,
            written: Vec::new(),
            reader: Reader::new(
                files,
                separator,
                options.separate,
                options.in_place.is_some(),
            ),
            stdout,
            in_place: None,
            space: Vec::new(),
            hold: Vec::new(),
            ended: true,
            line: 0,
            replaced: false,
            queue: Vec::new(),
            last_regex: None,
            scratch: Scratch::default(),
            line_readers: HashMap::new(),
            separator,
            status: 0,
        }
    }

    pub fn run(mut self) -> i32 {
        for name in std::mem::take(&mut self.file_names) {
            let written = match name.as_slice() {
                b"/dev/stdout" => Written::Stdout,
                b"/dev/stderr" => Written::Stderr,
                _ => match open_written(&name) {
                    Ok(sink) => Written::File(Box::new(sink)),
                    Err(message) => {
                        complain("sed", message);
                        return 4;
                    }
                },
            };
            self.written.push(written);
        }
        let commands = std::mem::take(&mut self.commands);
        let mut commands = commands;
        let mut fatal = self.cycles(&mut commands).err();
        if let Some(in_place) = self.in_place.take() {
            if fatal.is_some() {
                in_place.abandon();
            } else if let Err(message) = in_place.commit() {
                fatal = Some((message, 4));
            }
        }
        for written in &mut self.written {
            if let Written::File(sink) = written {
                let _ = sink.out.finish();
            }
        }
        if let Err(error) = self.stdout.out.finish() {
            complain(
                "sed",
                format!(
                    "couldn't write to stdout: {}",
                    hardshell_cli::errno_text(&error)
                ),
            );
            return 4;
        }
        if let Some((message, status)) = fatal {
            complain("sed", message);
            return status;
        }
        if self.status == 0 && self.reader.failed {
            return 2;
        }
        i32::from(self.status)
    }

    fn cycles(&mut self, commands: &mut [Command]) -> Result<(), (String, i32)> {
        let mut keep = false;
        loop {
            if keep {
                keep = false;
            } else if !self.read_line(false)? {
                return Ok(());
            }
            let flow = self.execute(commands)?;
            match flow {
                Flow::Quit(status, print) => {
                    self.status = status;
                    if print && !self.options.quiet {
                        self.print_space();
                    }
                    if print {
                        self.flush_queue();
                    }
                    self.copy_rest();
                    return Ok(());
                }
                Flow::Delete => {}
                Flow::Restart => keep = true,
                _ => {
                    if !self.options.quiet {
                        self.print_space();
                    }
                }
            }
            self.flush_queue();
            if self.stdout.out.failed() {
                return Ok(());
            }
        }
    }

    /// After `q` the rest of a file edited in place is kept as it is.
    fn copy_rest(&mut self) {
        if self.in_place.is_none() {
            return;
        }
        let mut line = Vec::new();
        while !self.reader.at_end() {
            line.clear();
            let Some(ended) = self.reader.next_line(&mut line) else {
                return;
            };
            let end = ended.then_some(self.separator);
            let separator = self.separator;
            self.out().line(&line, end, separator);
        }
    }

    /// Reads a line into the pattern space, or after it. False at the end.
    fn read_line(&mut self, append: bool) -> Result<bool, (String, i32)> {
        if append {
            self.space.push(self.separator);
        } else {
            self.space.clear();
        }
        let Some(ended) = self.reader.next_line(&mut self.space) else {
            if append {
                self.space.pop();
            }
            return Ok(false);
        };
        if let Some(opened) = self.reader.opened.take() {
            if self.options.separate {
                self.line = 0;
            }
            if let Some(suffix) = &self.options.in_place {
                if let Some(done) = self.in_place.take() {
                    done.commit().map_err(|message| (message, 4))?;
                }
                let new = InPlace::new(&opened.name, suffix, self.options.follow)
                    .map_err(|message| (message, 4))?;
                self.in_place = Some(new);
            }
        }
        self.ended = ended;
        self.line += 1;
        Ok(true)
    }

    #[inline]
    fn out(&mut self) -> &mut Sink {
        match &mut self.in_place {
            Some(in_place) => &mut in_place.sink,
            None => &mut self.stdout,
        }
    }

    #[inline]
    fn print_space(&mut self) {
        let end = self.ended.then_some(self.separator);
        let separator = self.separator;
        let space = std::mem::take(&mut self.space);
        self.out().line(&space, end, separator);
        self.space = space;
    }

    fn put(&mut self, text: &[u8]) {
        let separator = self.separator;
        self.out().text(text, separator);
    }

    fn flush_queue(&mut self) {
        if self.queue.is_empty() {
            return;
        }
        for item in std::mem::take(&mut self.queue) {
            match item {
                Queued::Text(text) => self.put(&text),
                Queued::Line(text, ended) => {
                    let end = ended.then_some(self.separator);
                    let separator = self.separator;
                    self.out().line(&text, end, separator);
                }
                Queued::File(name) => {
                    let opened = if name == b"/dev/stdin" {
                        Ok(Input::stdin())
                    } else {
                        hardshell_cli::open_input(&name)
                    };
                    if name == b"-" {
                        continue;
                    }
                    if let Ok(mut input) = opened {
                        let mut data = Vec::new();
                        if input.read_to_end(&mut data).is_ok() && !data.is_empty() {
                            self.put(&data);
                        }
                    }
                }
            }
        }
    }

    fn write_to(&mut self, index: usize, text: &[u8], end: Option<u8>) {
        let separator = self.separator;
        match self.written.get_mut(index) {
            Some(Written::Stdout) => self.stdout.line(text, end, separator),
            Some(Written::Stderr) => {
                let mut line = text.to_vec();
                line.extend(end);
                let _ = std::io::Write::write_all(&mut std::io::stderr(), &line);
            }
            Some(Written::File(sink)) => {
                sink.line(text, end, separator);
                // Others may read the file while sed runs.
                sink.out.flush();
            }
            None => {}
        }
    }

    /// The regular expression of a command, the last one used if it is empty.
    fn resolve(&mut self, pattern: &Pattern) -> Result<Pattern, (String, i32)> {
        match pattern {
            Some(regex) => {
                let same = self
                    .last_regex
                    .as_ref()
                    .is_some_and(|last| Rc::ptr_eq(last, regex));
                if !same {
                    self.last_regex = Some(Rc::clone(regex));
                }
                Ok(Some(Rc::clone(regex)))
            }
            None => match &self.last_regex {
                Some(last) => Ok(Some(Rc::clone(last))),
                None => Err(("no previous regular expression".to_owned(), 1)),
            },
        }
    }

    fn matches(&mut self, pattern: &Pattern) -> Result<bool, (String, i32)> {
        let regex = self.resolve(pattern)?;
        Ok(regex.is_some_and(|regex| regex.borrow().is_match(&self.space)))
    }

    #[inline]
    fn selected(&mut self, command: &mut Command) -> Result<bool, (String, i32)> {
        let Some(start) = &command.start else {
            return Ok(!command.negated);
        };
        let hit = match &command.end {
            None => self.single(start)?,
            Some(_) => self.in_range(command)?,
        };
        Ok(hit != command.negated)
    }

    fn single(&mut self, address: &Address) -> Result<bool, (String, i32)> {
        Ok(match address {
            Address::Line(line) => self.line == *line,
            Address::Last => self.reader.at_end(),
            Address::Pattern(pattern) => self.matches(pattern)?,
            Address::Step(first, step) => {
                if *step == 0 {
                    self.line == *first
                } else {
                    self.line >= *first && (self.line - first).is_multiple_of(*step)
                }
            }
            Address::Zero => false,
        })
    }

    fn in_range(&mut self, command: &mut Command) -> Result<bool, (String, i32)> {
        let (Some(start), Some(end)) = (&command.start, &command.end) else {
            return Ok(false);
        };
        match command.range {
            Range::Done => Ok(false),
            Range::Closed => {
                if !self.single(start)? {
                    return Ok(false);
                }
                command.range = match end {
                    End::Line(line) => {
                        if *line > self.line {
                            Range::Until(*line)
                        } else {
                            Range::Closed
                        }
                    }
                    End::Plus(count) => {
                        if *count > 0 {
                            Range::Until(self.line.saturating_add(*count))
                        } else {
                            Range::Closed
                        }
                    }
                    End::Multiple(step) => {
                        if *step == 0 || self.line.is_multiple_of(*step) {
                            Range::Closed
                        } else {
                            Range::Until((self.line / step + 1).saturating_mul(*step))
                        }
                    }
                    End::Last => {
                        if self.reader.at_end() {
                            Range::Closed
                        } else {
                            Range::Open
                        }
                    }
                    End::Pattern(_) => Range::Open,
                };
                Ok(true)
            }
            Range::Until(line) => {
                // A range whose end has been passed ends at once: when lines
                // were skipped by `n` or in another branch, this line is out.
                if self.line >= line {
                    command.range = Range::Closed;
                }
                if self.line > line {
                    return self.in_range_again(command);
                }
                Ok(true)
            }
            Range::Open => {
                let closes = match end {
                    End::Last => self.reader.at_end(),
                    End::Pattern(pattern) => self.matches(pattern)?,
                    _ => true,
                };
                if closes {
                    command.range = if matches!(start, Address::Zero) {
                        Range::Done
                    } else {
                        Range::Closed
                    };
                }
                Ok(true)
            }
        }
    }

    /// The line after a range that ended unseen may begin a new one.
    fn in_range_again(&mut self, command: &mut Command) -> Result<bool, (String, i32)> {
        match &command.start {
            Some(Address::Line(_)) => Ok(false),
            _ => self.in_range(command),
        }
    }

    fn execute(&mut self, commands: &mut [Command]) -> Result<Flow, (String, i32)> {
        let mut at = 0;
        loop {
            let Some(command) = commands.get_mut(at) else {
                return Ok(Flow::End);
            };
            if !self.selected(command)? {
                at = match command.kind {
                    Kind::Block(end) => end,
                    _ => at + 1,
                };
                continue;
            }
            match self.perform(command)? {
                Flow::Next => at += 1,
                Flow::Jump(to) => at = to,
                other => return Ok(other),
            }
        }
    }

    fn perform(&mut self, command: &Command) -> Result<Flow, (String, i32)> {
        match &command.kind {
            Kind::Block(_) => {}
            Kind::Substitute(s) => self.substitute(s)?,
            Kind::Print => self.print_space(),
            Kind::Delete => return Ok(Flow::Delete),
            Kind::LineNumber => self.put(format!("{}\n", self.line).as_bytes()),
            Kind::Append(text) => self.queue.push(Queued::Text(text.clone())),
            Kind::Insert(text) => self.put(text),
            Kind::Change(text) => {
                // In a range the text comes once, at its end.
                let last = command.end.is_none()
                    || command.negated
                    || matches!(command.range, Range::Closed | Range::Done);
                if last {
                    self.put(text);
                }
                return Ok(Flow::Delete);
            }
            Kind::Branch(to) => return Ok(Flow::Jump(*to)),
            Kind::BranchIf(to) => {
                if std::mem::take(&mut self.replaced) {
                    return Ok(Flow::Jump(*to));
                }
            }
            Kind::BranchUnless(to) => {
                if !std::mem::take(&mut self.replaced) {
                    return Ok(Flow::Jump(*to));
                }
            }
            Kind::DeleteFirst => {
                let Some(end) = memchr::memchr(self.separator, &self.space) else {
                    return Ok(Flow::Delete);
                };
                self.space.drain(..=end);
                return Ok(Flow::Restart);
            }
            Kind::Execute(text) => self.run_command(text)?,
            Kind::FileName => {
                let mut name = self.reader.name.clone();
                name.push(b'\n');
                self.put(&name);
            }
            Kind::Get => self.space.clone_from(&self.hold),
            Kind::GetAppend => {
                self.space.push(self.separator);
                self.space.extend_from_slice(&self.hold);
            }
            Kind::Hold => self.hold.clone_from(&self.space),
            Kind::HoldAppend => {
                self.hold.push(self.separator);
                self.hold.extend_from_slice(&self.space);
            }
            Kind::Exchange => std::mem::swap(&mut self.space, &mut self.hold),
            Kind::List(length) => {
                let width = match length {
                    Some(0) => usize::MAX,
                    Some(length) => length - 1,
                    None if self.options.line_length <= 1 => usize::MAX,
                    None => self.options.line_length - 1,
                };
                let text = self.listing(width);
                self.put(&text);
            }
            Kind::Next => {
                if self.reader.exhausted() {
                    return Ok(if self.options.posix {
                        Flow::Delete
                    } else {
                        Flow::Quit(self.status, true)
                    });
                }
                if !self.options.quiet {
                    self.print_space();
                }
                self.flush_queue();
                self.read_line(false)?;
            }
            Kind::NextAppend => {
                if self.reader.exhausted() {
                    return Ok(if self.options.posix {
                        Flow::Delete
                    } else {
                        Flow::Quit(self.status, true)
                    });
                }
                self.flush_queue();
                self.read_line(true)?;
            }
            Kind::PrintFirst => {
                let end = memchr::memchr(self.separator, &self.space).unwrap_or(self.space.len());
                let text = self.space.get(..end).unwrap_or_default().to_vec();
                let separator = self.separator;
                self.out().line(&text, Some(separator), separator);
            }
            Kind::Quit(status) => return Ok(Flow::Quit(*status, true)),
            Kind::QuitSilently(status) => return Ok(Flow::Quit(*status, false)),
            Kind::Read(name) => self.queue.push(Queued::File(name.clone())),
            Kind::ReadLine(name) => {
                if let Some((text, ended)) = self.one_line(name) {
                    self.queue.push(Queued::Line(text, ended));
                }
            }
            Kind::Write(index) => {
                let space = std::mem::take(&mut self.space);
                let end = self.ended.then_some(self.separator);
                self.write_to(*index, &space, end);
                self.space = space;
            }
            Kind::WriteFirst(index) => {
                let end = memchr::memchr(self.separator, &self.space).unwrap_or(self.space.len());
                let text = self.space.get(..end).unwrap_or_default().to_vec();
                self.write_to(*index, &text, Some(self.separator));
            }
            Kind::Translate(table) => self.translate(table),
            Kind::Zap => self.space.clear(),
        }
        Ok(Flow::Next)
    }

    fn substitute(&mut self, s: &Substitute) -> Result<(), (String, i32)> {
        let Some(regex) = self.resolve(&s.pattern)? else {
            return Ok(());
        };
        let hit = {
            let mut regex = regex.borrow_mut();
            substitute(
                s,
                &mut regex,
                &mut self.space,
                &mut self.scratch,
                self.options.utf8,
            )
        };
        if !hit {
            return Ok(());
        }
        self.replaced = true;
        if s.evaluate {
            let command = std::mem::take(&mut self.space);
            self.space = self.output_of(&command)?;
            if self.space.last() == Some(&self.separator) {
                self.space.pop();
            }
        }
        for _ in 0..s.print {
            self.print_space();
        }
        if let Some(index) = s.write {
            let space = std::mem::take(&mut self.space);
            let end = self.ended.then_some(self.separator);
            self.write_to(index, &space, end);
            self.space = space;
        }
        Ok(())
    }

    fn output_of(&mut self, command: &[u8]) -> Result<Vec<u8>, (String, i32)> {
        self.stdout.out.flush();
        let fail = |error: std::io::Error| {
            (
                format!(
                    "couldn't run a command: {}",
                    hardshell_cli::errno_text(&error)
                ),
                4,
            )
        };
        let (mut pipe, child) = Spawn::shell(command).read_from().map_err(fail)?;
        let mut data = Vec::new();
        pipe.read_to_end(&mut data).map_err(fail)?;
        child.wait().map_err(fail)?;
        Ok(data)
    }

    fn run_command(&mut self, text: &[u8]) -> Result<(), (String, i32)> {
        if text.is_empty() {
            let command = std::mem::take(&mut self.space);
            self.space = self.output_of(&command)?;
            if self.space.last() == Some(&self.separator) {
                self.space.pop();
            }
            return Ok(());
        }
        let data = self.output_of(text)?;
        self.put(&data);
        Ok(())
    }

    fn one_line(&mut self, name: &[u8]) -> Option<(Vec<u8>, bool)> {
        let separator = self.separator;
        let entry = self.line_readers.entry(name.to_vec()).or_insert_with(|| {
            let input = if name == b"/dev/stdin" {
                Ok(Input::stdin())
            } else {
                hardshell_cli::open_input(name)
            };
            let data = input.and_then(|mut input| input.read_all()).ok()?;
            Some(LineReader { data, at: 0 })
        });
        let reader = entry.as_mut()?;
        let rest = reader
            .data
            .get(reader.at..)
            .filter(|rest| !rest.is_empty())?;
        let found = memchr::memchr(separator, rest);
        let length = found.unwrap_or(rest.len());
        let text = rest.get(..length)?.to_vec();
        reader.at += length + usize::from(found.is_some());
        Some((text, true))
    }

    fn translate(&mut self, table: &Translate) {
        match table {
            Translate::Bytes(table) => {
                for byte in &mut self.space {
                    *byte = table.get(usize::from(*byte)).copied().unwrap_or(*byte);
                }
            }
            Translate::Chars(pairs) => {
                let mut out = Vec::with_capacity(self.space.len());
                let mut rest = self.space.as_slice();
                while !rest.is_empty() {
                    let length = 1 + rest
                        .iter()
                        .skip(1)
                        .take_while(|b| **b & 0xc0 == 0x80)
                        .count();
                    let (char, after) = rest.split_at(length);
                    match pairs.iter().find(|(from, _)| from == char) {
                        Some((_, to)) => out.extend_from_slice(to),
                        None => out.extend_from_slice(char),
                    }
                    rest = after;
                }
                self.space = out;
            }
        }
    }

    /// The pattern space in the unambiguous form of `l`.
    fn listing(&self, width: usize) -> Vec<u8> {
        let mut out = Vec::new();
        let mut column = 0;
        let mut rest = self.space.as_slice();
        while let Some(byte) = rest.first().copied() {
            let mut taken = 1;
            let text = match byte {
                b'\\' => "\\\\".to_owned(),
                7 => "\\a".to_owned(),
                8 => "\\b".to_owned(),
                12 => "\\f".to_owned(),
                b'\n' => "\\n".to_owned(),
                b'\r' => "\\r".to_owned(),
                b'\t' => "\\t".to_owned(),
                11 => "\\v".to_owned(),
                0x20..=0x7e => char::from(byte).to_string(),
                _ => {
                    let run = 1 + rest
                        .iter()
                        .skip(1)
                        .take(3)
                        .take_while(|b| **b & 0xc0 == 0x80)
                        .count();
                    taken = run;
                    rest.get(..run)
                        .unwrap_or_default()
                        .iter()
                        .map(|b| format!("\\{b:03o}"))
                        .collect()
                }
            };
            // Escapes of one character are not broken, but the bytes of a
            // multi-byte one are.
            for piece in pieces(&text) {
                if column + piece.len() > width {
                    out.extend_from_slice(b"\\\n");
                    column = 0;
                }
                out.extend_from_slice(piece.as_bytes());
                column += piece.len();
            }
            rest = rest.get(taken..).unwrap_or_default();
        }
        out.extend_from_slice(b"$\n");
        out
    }
}

fn pieces(text: &str) -> Vec<&str> {
    if text.len() > 4 {
        (0..text.len())
            .step_by(4)
            .filter_map(|i| text.get(i..i + 4))
            .collect()
    } else {
        vec![text]
    }
}
