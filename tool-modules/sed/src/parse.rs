//! From text to commands.

use std::cell::RefCell;
use std::rc::Rc;

use hardshell_posix_regex::{Options as RegexOptions, Regex, Syntax};

use crate::options::{Chunk, Options};
use crate::script::{
    Address, Case, Command, End, Kind, Part, Pattern, Range, Script, Substitute, Translate,
};

/// Parses the whole script, or gives the message without the leading `sed: `.
pub fn parse(options: &Options) -> Result<Script, String> {
    let mut text = Vec::new();
    let mut starts = Vec::new();
    for (i, chunk) in options.chunks.iter().enumerate() {
        if i > 0 {
            text.push(b'\n');
        }
        starts.push(text.len());
        text.extend_from_slice(&chunk.text);
    }
    let mut parser = Parser {
        text: &text,
        at: 0,
        options,
        commands: Vec::new(),
        files: Vec::new(),
        labels: Vec::new(),
        jumps: Vec::new(),
        blocks: Vec::new(),
        groups_wanted: 0,
    };
    match parser.script() {
        Ok(()) => {}
        Err(Problem::At(message)) => {
            return Err(place(&options.chunks, &starts, &text, parser.at, &message));
        }
        Err(Problem::Whole(message)) => return Err(message),
    }
    Ok(Script {
        commands: parser.commands,
        files: parser.files,
    })
}

enum Problem {
    /// Something at the current position.
    At(String),
    /// Something about the script as a whole, complete as it is.
    Whole(String),
}

fn place(chunks: &[Chunk], starts: &[usize], text: &[u8], at: usize, message: &str) -> String {
    let index = starts.iter().rposition(|start| *start <= at).unwrap_or(0);
    let start = starts.get(index).copied().unwrap_or(0);
    match chunks.get(index).and_then(|chunk| chunk.file.as_ref()) {
        Some(file) => {
            let before = text.get(start..at.min(text.len())).unwrap_or_default();
            let line = 1 + before.iter().filter(|b| **b == b'\n').count();
            format!(
                "file {} line {line}: {message}",
                String::from_utf8_lossy(file)
            )
        }
        None => {
            let number = 1 + chunks
                .iter()
                .take(index)
                .filter(|chunk| chunk.file.is_none())
                .count();
            let length = chunks.get(index).map_or(0, |chunk| chunk.text.len());
            format!(
                "-e expression #{number}, char {}: {message}",
                at.saturating_sub(start).min(length)
            )
        }
    }
}

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
    options: &'a Options,
    commands: Vec<Command>,
    files: Vec<Vec<u8>>,
    labels: Vec<(Vec<u8>, usize)>,
    /// Commands whose target is a label.
    jumps: Vec<(usize, Vec<u8>)>,
    blocks: Vec<(usize, usize)>,
    groups_wanted: usize,
}

type Outcome<T> = Result<T, Problem>;

fn problem<T>(message: impl Into<String>) -> Outcome<T> {
    Err(Problem::At(message.into()))
}

impl Parser<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn skip_blank(&mut self) {
        while self
            .peek()
            .is_some_and(|b| b != b'\n' && b.is_ascii_whitespace())
        {
            self.at += 1;
        }
    }

    fn script(&mut self) -> Outcome<()> {
        loop {
            while self
                .peek()
                .is_some_and(|b| b == b';' || b.is_ascii_whitespace())
            {
                self.at += 1;
            }
            if self.peek().is_none() {
                break;
            }
            self.command()?;
        }
        if let Some((_, at)) = self.blocks.pop() {
            self.at = 0;
            let _ = at;
            return problem("unmatched `{'");
        }
        for (index, label) in std::mem::take(&mut self.jumps) {
            let target = if label.is_empty() {
                self.commands.len()
            } else {
                match self.labels.iter().find(|(name, _)| *name == label) {
                    Some((_, target)) => *target,
                    None => {
                        let label = String::from_utf8_lossy(&label).into_owned();
                        return Err(Problem::Whole(format!(
                            "can't find label for jump to `{label}'"
                        )));
                    }
                }
            };
            if let Some(command) = self.commands.get_mut(index) {
                match &mut command.kind {
                    Kind::Branch(to) | Kind::BranchIf(to) | Kind::BranchUnless(to) => *to = target,
                    _ => {}
                }
            }
        }
        Ok(())
    }

    fn command(&mut self) -> Outcome<()> {
        let start = self.address()?;
        let mut end = None;
        if start.is_some() {
            self.skip_blank();
            if self.peek() == Some(b',') {
                self.at += 1;
                self.skip_blank();
                end = Some(self.range_end()?);
            }
        }
        self.skip_blank();
        let mut negated = false;
        while self.peek() == Some(b'!') {
            if negated {
                self.at += 1;
                return problem("multiple `!'s");
            }
            negated = true;
            self.at += 1;
            self.skip_blank();
        }
        let Some(letter) = self.next() else {
            return problem("missing command");
        };
        if matches!(start, Some(Address::Zero)) && !matches!(end, Some(End::Pattern(_))) {
            return problem("invalid usage of line address 0");
        }
        let addresses = usize::from(start.is_some()) + usize::from(end.is_some());
        let range = if matches!(start, Some(Address::Zero)) {
            Range::Open
        } else {
            Range::Closed
        };
        let index = self.commands.len();
        let kind = self.kind(letter, addresses, index)?;
        if let Some(kind) = kind {
            self.commands.push(Command {
                start,
                end,
                negated,
                range,
                kind,
            });
        }
        Ok(())
    }

    fn kind(&mut self, letter: u8, addresses: usize, index: usize) -> Outcome<Option<Kind>> {
        let kind = match letter {
            b'#' => {
                if addresses > 0 {
                    return problem("comments don't accept any addresses");
                }
                while self.peek().is_some_and(|b| b != b'\n') {
                    self.at += 1;
                }
                return Ok(None);
            }
            b':' => {
                if addresses > 0 {
                    return problem(": doesn't want any addresses");
                }
                self.skip_blank();
                let label = self.label();
                if label.is_empty() {
                    return problem("\":\" lacks a label");
                }
                self.labels.push((label, index));
                return Ok(None);
            }
            b'{' => {
                self.blocks.push((index, self.at));
                return Ok(Some(Kind::Block(0)));
            }
            b'}' => {
                if addresses > 0 {
                    return problem("} doesn't want any addresses");
                }
                let Some((open, _)) = self.blocks.pop() else {
                    return problem("unexpected `}'");
                };
                if let Some(command) = self.commands.get_mut(open) {
                    command.kind = Kind::Block(index);
                }
                self.end_of_command()?;
                return Ok(None);
            }
            b'=' => Kind::LineNumber,
            b'a' => return self.text_argument().map(|text| Some(Kind::Append(text))),
            b'i' => return self.text_argument().map(|text| Some(Kind::Insert(text))),
            b'c' => return self.text_argument().map(|text| Some(Kind::Change(text))),
            b'b' | b't' | b'T' => {
                self.skip_blank();
                let label = self.label();
                self.jumps.push((index, label));
                return Ok(Some(match letter {
                    b'b' => Kind::Branch(0),
                    b't' => Kind::BranchIf(0),
                    _ => Kind::BranchUnless(0),
                }));
            }
            b'd' => Kind::Delete,
            b'D' => Kind::DeleteFirst,
            b'e' => {
                self.not_in_sandbox()?;
                self.skip_blank();
                return Ok(Some(Kind::Execute(self.rest_of_line())));
            }
            b'F' => Kind::FileName,
            b'g' => Kind::Get,
            b'G' => Kind::GetAppend,
            b'h' => Kind::Hold,
            b'H' => Kind::HoldAppend,
            b'l' | b'L' => Kind::List(
                self.number()
                    .map(|n| usize::try_from(n).unwrap_or(usize::MAX)),
            ),
            b'n' => Kind::Next,
            b'N' => Kind::NextAppend,
            b'p' => Kind::Print,
            b'P' => Kind::PrintFirst,
            b'q' | b'Q' => {
                if addresses > 1 {
                    return problem("command only uses one address");
                }
                let code = u8::try_from(self.number().unwrap_or(0) & 0xff).unwrap_or(0);
                if letter == b'q' {
                    Kind::Quit(code)
                } else {
                    Kind::QuitSilently(code)
                }
            }
            b'r' | b'R' | b'w' | b'W' => {
                self.not_in_sandbox()?;
                self.skip_blank();
                let name = self.rest_of_line();
                if name.is_empty() {
                    return problem("missing filename in r/R/w/W commands");
                }
                return Ok(Some(match letter {
                    b'r' => Kind::Read(name),
                    b'R' => Kind::ReadLine(name),
                    b'w' => Kind::Write(self.file(name)),
                    _ => Kind::WriteFirst(self.file(name)),
                }));
            }
            b's' => Kind::Substitute(Box::new(self.substitute()?)),
            b'v' => {
                self.skip_blank();
                self.label();
                return Ok(None);
            }
            b'x' => Kind::Exchange,
            b'y' => Kind::Translate(Box::new(self.translate()?)),
            b'z' => Kind::Zap,
            _ => return problem(format!("unknown command: `{}'", char::from(letter))),
        };
        self.end_of_command()?;
        Ok(Some(kind))
    }

    fn not_in_sandbox(&self) -> Outcome<()> {
        if self.options.sandbox {
            problem("e/r/w commands disabled in sandbox mode")
        } else {
            Ok(())
        }
    }

    fn end_of_command(&mut self) -> Outcome<()> {
        self.skip_blank();
        match self.peek() {
            None | Some(b'}' | b'#') => Ok(()),
            Some(b';' | b'\n') => {
                self.at += 1;
                Ok(())
            }
            Some(_) => {
                self.at += 1;
                problem("extra characters after command")
            }
        }
    }

    fn number(&mut self) -> Option<u64> {
        self.skip_blank();
        let mut value: Option<u64> = None;
        while let Some(byte @ b'0'..=b'9') = self.peek() {
            self.at += 1;
            value = Some(
                value
                    .unwrap_or(0)
                    .saturating_mul(10)
                    .saturating_add(u64::from(byte - b'0')),
            );
        }
        value
    }

    fn label(&mut self) -> Vec<u8> {
        let start = self.at;
        while self
            .peek()
            .is_some_and(|b| b != b';' && b != b'}' && !b.is_ascii_whitespace())
        {
            self.at += 1;
        }
        let label = self.text.get(start..self.at).unwrap_or_default().to_vec();
        self.skip_blank();
        label
    }

    fn rest_of_line(&mut self) -> Vec<u8> {
        let start = self.at;
        while self.peek().is_some_and(|b| b != b'\n') {
            self.at += 1;
        }
        self.text.get(start..self.at).unwrap_or_default().to_vec()
    }

    fn file(&mut self, name: Vec<u8>) -> usize {
        match self.files.iter().position(|known| *known == name) {
            Some(index) => index,
            None => {
                self.files.push(name);
                self.files.len() - 1
            }
        }
    }

    /// The text of `a`, `i` and `c`: GNU's one-line form or the classic one.
    fn text_argument(&mut self) -> Outcome<Vec<u8>> {
        self.skip_blank();
        if self.peek().is_none() {
            return problem("expected \\ after `a', `c' or `i'");
        }
        let mut out = Vec::new();
        if self.peek() == Some(b'\\') {
            self.at += 1;
            let after = self.at;
            self.skip_blank();
            match self.peek() {
                Some(b'\n') => self.at += 1,
                None => return problem("expected \\ after `a', `c' or `i'"),
                // The backslash keeps the blanks that follow it.
                Some(_) => {
                    self.at = after;
                    if let Some(first) = self.next() {
                        out.push(first);
                    }
                }
            }
        }
        while let Some(byte) = self.next() {
            match byte {
                b'\\' => {
                    let rest = self.text.get(self.at..).unwrap_or_default();
                    self.at += escape(rest, &mut out);
                }
                b'\n' => break,
                other => out.push(other),
            }
        }
        out.push(b'\n');
        Ok(out)
    }

    fn address(&mut self) -> Outcome<Option<Address>> {
        Ok(Some(match self.peek() {
            Some(b'0'..=b'9') => {
                let first = self.number().unwrap_or(0);
                self.skip_blank();
                if self.peek() == Some(b'~') {
                    self.at += 1;
                    let step = self.number().unwrap_or(0);
                    return Ok(Some(Address::Step(first, step)));
                }
                if first == 0 {
                    Address::Zero
                } else {
                    Address::Line(first)
                }
            }
            Some(b'$') => {
                self.at += 1;
                Address::Last
            }
            Some(b'/' | b'\\') => Address::Pattern(self.address_pattern()?),
            _ => return Ok(None),
        }))
    }

    fn range_end(&mut self) -> Outcome<End> {
        Ok(match self.peek() {
            Some(b'0'..=b'9') => End::Line(self.number().unwrap_or(0)),
            Some(b'$') => {
                self.at += 1;
                End::Last
            }
            Some(b'+') => {
                self.at += 1;
                End::Plus(self.number().unwrap_or(0))
            }
            Some(b'~') => {
                self.at += 1;
                End::Multiple(self.number().unwrap_or(0))
            }
            Some(b'/' | b'\\') => End::Pattern(self.address_pattern()?),
            _ => {
                self.at = (self.at + 1).min(self.text.len());
                return problem("unexpected `,'");
            }
        })
    }

    fn address_pattern(&mut self) -> Outcome<Pattern> {
        if self.next() == Some(b'\\') && self.next().is_none() {
            return problem("unterminated address regex");
        }
        let delimiter = self.text.get(self.at - 1).copied().unwrap_or(b'/');
        let Some(pattern) = self.delimited(delimiter, true) else {
            return problem("unterminated address regex");
        };
        let (mut ignore_case, mut multi_line) = (false, false);
        loop {
            match self.peek() {
                Some(b'I') => ignore_case = true,
                Some(b'M') => multi_line = true,
                _ => break,
            }
            self.at += 1;
        }
        self.compile(&pattern, ignore_case, multi_line)
    }

    /// Text up to the delimiter, which a backslash makes an ordinary
    /// character. So do the brackets of a regular expression.
    fn delimited(&mut self, delimiter: u8, regex: bool) -> Option<Vec<u8>> {
        let mut in_set = false;
        let mut out = Vec::new();
        loop {
            let byte = self.next()?;
            if byte == delimiter && !in_set {
                return Some(out);
            }
            if regex && byte == b'[' && !in_set {
                out.push(byte);
                in_set = true;
                if self.peek() == Some(b'^') {
                    out.extend(self.next());
                }
                if self.peek() == Some(b']') {
                    out.extend(self.next());
                }
                continue;
            }
            if in_set {
                in_set = byte != b']';
                // `[:alpha:]` and its kin hold a bracket of their own.
                if byte == b'[' && matches!(self.peek(), Some(b':' | b'.' | b'=')) {
                    out.push(byte);
                    let kind = self.next()?;
                    out.push(kind);
                    loop {
                        let inner = self.next()?;
                        out.push(inner);
                        if inner == kind && self.peek() == Some(b']') {
                            out.extend(self.next());
                            break;
                        }
                    }
                    continue;
                }
                if byte == b'\n' && regex {
                    return None;
                }
                if byte == b'\\' && self.peek() == Some(delimiter) && delimiter != b']' {
                    out.extend(self.next());
                    continue;
                }
                out.push(byte);
                continue;
            }
            if byte == b'\\' {
                let escaped = self.next()?;
                if escaped == delimiter {
                    // `s+a\+b+x+`: the delimiter itself, not the operator.
                    if regex && matches!(delimiter, b'.' | b'*' | b'[' | b']' | b'^' | b'$') {
                        out.push(b'\\');
                    }
                    if !regex && delimiter == b'&' {
                        out.push(b'\\');
                    }
                    out.push(delimiter);
                    continue;
                }
                if regex && escaped == b'\n' {
                    out.push(b'\n');
                    continue;
                }
                out.push(b'\\');
                out.push(escaped);
                continue;
            }
            if byte == b'\n' && regex {
                return None;
            }
            out.push(byte);
        }
    }

    fn compile(&mut self, pattern: &[u8], ignore_case: bool, multi_line: bool) -> Outcome<Pattern> {
        if pattern.is_empty() {
            return Ok(None);
        }
        let syntax = if self.options.extended {
            Syntax::Extended
        } else {
            Syntax::Basic
        };
        let mut options = RegexOptions::new(syntax);
        options.ignore_case = ignore_case;
        options.multi_line = multi_line;
        options.utf8 = self.options.utf8;
        options.c_escapes = !self.options.posix;
        options.strict_repeat = true;
        options.terminator = if self.options.null_data { 0 } else { b'\n' };
        match Regex::new(pattern, &options) {
            Ok(regex) => {
                self.groups_wanted = regex.groups();
                Ok(Some(Rc::new(RefCell::new(regex))))
            }
            Err(error) => problem(error.to_string()),
        }
    }

    fn substitute(&mut self) -> Outcome<Substitute> {
        let unterminated = "unterminated `s' command";
        let Some(delimiter) = self.next() else {
            return problem(unterminated);
        };
        if delimiter == b'\n' || delimiter == b'\\' {
            return problem("delimiter character is not a single-byte character");
        }
        let Some(pattern) = self.delimited(delimiter, true) else {
            return problem(unterminated);
        };
        let Some(replacement) = self.delimited(delimiter, false) else {
            return problem(unterminated);
        };
        let mut s = Substitute {
            pattern: None,
            parts: Vec::new(),
            converts: false,
            global: false,
            nth: 0,
            print: 0,
            evaluate: false,
            write: None,
        };
        let (mut ignore_case, mut multi_line) = (false, false);
        loop {
            match self.peek() {
                Some(b'g') => {
                    self.at += 1;
                    if s.global {
                        return problem("multiple `g' options to `s' command");
                    }
                    s.global = true;
                }
                Some(b'p') => {
                    self.at += 1;
                    if s.print > 0 {
                        return problem("multiple `p' options to `s' command");
                    }
                    s.print = 1;
                }
                Some(b'i' | b'I') => {
                    self.at += 1;
                    ignore_case = true;
                }
                Some(b'm' | b'M') => {
                    self.at += 1;
                    multi_line = true;
                }
                Some(b'e') => {
                    self.not_in_sandbox()?;
                    self.at += 1;
                    s.evaluate = true;
                }
                Some(b'0'..=b'9') => {
                    if s.nth > 0 {
                        return problem("multiple number options to `s' command");
                    }
                    let number = self.number().unwrap_or(0);
                    if number == 0 {
                        return problem("number option to `s' command may not be zero");
                    }
                    s.nth = usize::try_from(number).unwrap_or(usize::MAX);
                }
                Some(b'w') => {
                    self.not_in_sandbox()?;
                    self.at += 1;
                    self.skip_blank();
                    let name = self.rest_of_line();
                    if name.is_empty() {
                        return problem("missing filename in r/R/w/W commands");
                    }
                    s.write = Some(self.file(name));
                    break;
                }
                Some(b'\r' | b' ' | b'\t' | b'\n' | b';' | b'}' | b'#') | None => break,
                Some(_) => {
                    self.at += 1;
                    return problem("unknown option to `s'");
                }
            }
        }
        self.groups_wanted = 9;
        s.pattern = self.compile(&pattern, ignore_case, multi_line)?;
        self.replacement(&replacement, &mut s)?;
        Ok(s)
    }

    fn replacement(&mut self, text: &[u8], s: &mut Substitute) -> Outcome<()> {
        let mut plain: Vec<u8> = Vec::new();
        let mut at = 0;
        let flush = |plain: &mut Vec<u8>, parts: &mut Vec<Part>| {
            if !plain.is_empty() {
                parts.push(Part::Text(std::mem::take(plain)));
            }
        };
        while let Some(byte) = text.get(at).copied() {
            at += 1;
            if byte == b'&' {
                flush(&mut plain, &mut s.parts);
                s.parts.push(Part::Group(0));
                continue;
            }
            if byte != b'\\' {
                plain.push(byte);
                continue;
            }
            let Some(letter) = text.get(at).copied() else {
                plain.push(b'\\');
                break;
            };
            at += 1;
            let case = match letter {
                b'0'..=b'9' => {
                    let group = usize::from(letter - b'0');
                    if group > self.groups_wanted {
                        return problem(format!(
                            "invalid reference \\{group} on `s' command's RHS"
                        ));
                    }
                    flush(&mut plain, &mut s.parts);
                    s.parts.push(Part::Group(group));
                    continue;
                }
                b'U' => Case::Upper,
                b'L' => Case::Lower,
                b'u' => Case::UpperNext,
                b'l' => Case::LowerNext,
                b'E' => Case::End,
                _ => {
                    at -= 1;
                    at += escape(text.get(at..).unwrap_or_default(), &mut plain);
                    continue;
                }
            };
            flush(&mut plain, &mut s.parts);
            s.converts = true;
            s.parts.push(Part::Case(case));
        }
        flush(&mut plain, &mut s.parts);
        Ok(())
    }

    fn translate(&mut self) -> Outcome<Translate> {
        let unterminated = "unterminated `y' command";
        let Some(delimiter) = self.next() else {
            return problem(unterminated);
        };
        let Some(from) = self.delimited(delimiter, false) else {
            return problem(unterminated);
        };
        let Some(to) = self.delimited(delimiter, false) else {
            return problem(unterminated);
        };
        let from = self.characters(&unescape(&from));
        let to = self.characters(&unescape(&to));
        if from.len() != to.len() {
            return problem("strings for `y' command are different lengths");
        }
        if from.iter().chain(&to).all(|c| c.len() == 1) {
            let mut table = [0u8; 256];
            for (i, slot) in table.iter_mut().enumerate() {
                *slot = u8::try_from(i).unwrap_or(0);
            }
            for (a, b) in from.iter().zip(&to) {
                if let (Some(a), Some(b)) = (a.first(), b.first())
                    && let Some(slot) = table.get_mut(usize::from(*a))
                {
                    *slot = *b;
                }
            }
            return Ok(Translate::Bytes(table));
        }
        Ok(Translate::Chars(from.into_iter().zip(to).collect()))
    }

    fn characters(&self, text: &[u8]) -> Vec<Vec<u8>> {
        match std::str::from_utf8(text) {
            Ok(text) if self.options.utf8 => {
                text.chars().map(|c| c.to_string().into_bytes()).collect()
            }
            _ => text.iter().map(|b| vec![*b]).collect(),
        }
    }
}

/// Reads one escape after its backslash; the bytes read.
fn escape(text: &[u8], out: &mut Vec<u8>) -> usize {
    let Some(letter) = text.first().copied() else {
        return 0;
    };
    let digits = |base: u32, most: usize| {
        let mut value = 0u32;
        let mut count = 0;
        while count < most {
            let Some(digit) = text
                .get(1 + count)
                .and_then(|b| char::from(*b).to_digit(base))
            else {
                break;
            };
            value = value * base + digit;
            count += 1;
        }
        (count > 0).then_some((u8::try_from(value & 0xff).unwrap_or(0), count + 1))
    };
    let byte = match letter {
        b'n' => b'\n',
        b't' => b'\t',
        b'f' => 12,
        b'v' => 11,
        b'a' => 7,
        b'r' => b'\r',
        b'd' | b'o' | b'x' => {
            let found = match letter {
                b'd' => digits(10, 3),
                b'o' => digits(8, 3),
                _ => digits(16, 2),
            };
            match found {
                Some((byte, length)) => {
                    out.push(byte);
                    return length;
                }
                None => letter,
            }
        }
        b'c' => match text.get(1) {
            Some(control) => {
                out.push(control.to_ascii_uppercase() ^ 0x40);
                return 2;
            }
            None => letter,
        },
        other => other,
    };
    out.push(byte);
    1
}

/// The strings of `y`.
fn unescape(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(byte) = text.get(at).copied() {
        at += 1;
        if byte == b'\\' && at < text.len() {
            at += escape(text.get(at..).unwrap_or_default(), &mut out);
        } else {
            out.push(byte);
        }
    }
    out
}
