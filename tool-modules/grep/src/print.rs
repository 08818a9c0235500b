//! Output lines with their prefixes and colours.

use hardshell_cli::Out;

use crate::options::Options;

pub struct Printer {
    pub out: Out,
    pub with_filename: bool,
    line_number: bool,
    byte_offset: bool,
    null_after_name: bool,
    initial_tab: bool,
    color: bool,
    pub terminator: u8,
}

const NAME: &[u8] = b"\x1b[35m\x1b[K";
const NUMBER: &[u8] = b"\x1b[32m\x1b[K";
const SEPARATOR: &[u8] = b"\x1b[36m\x1b[K";
const MATCH: &[u8] = b"\x1b[01;31m\x1b[K";
const OFF: &[u8] = b"\x1b[m\x1b[K";

impl Printer {
    pub fn new(options: &Options) -> Self {
        let mut out = Out::stdout();
        out.line_buffered = options.line_buffered;
        Self {
            out,
            with_filename: false,
            line_number: options.line_number,
            byte_offset: options.byte_offset,
            null_after_name: options.null_after_name,
            initial_tab: options.initial_tab,
            color: options.color,
            terminator: if options.null_data { 0 } else { b'\n' },
        }
    }

    /// Whether lines can be copied as they are.
    pub fn plain(&self) -> bool {
        !(self.with_filename
            || self.line_number
            || self.byte_offset
            || self.color
            || self.initial_tab)
    }

    fn colored(&mut self, color: &[u8], text: &[u8]) {
        if self.color {
            self.out.put(color);
            self.out.put(text);
            self.out.put(OFF);
        } else {
            self.out.put(text);
        }
    }

    fn separator(&mut self, mark: u8) {
        self.colored(SEPARATOR, &[mark]);
    }

    /// The prefix of a line: `mark` is `:` for a match and `-` for context.
    pub fn prefix(&mut self, name: &[u8], number: u64, offset: u64, mark: u8) {
        if self.with_filename {
            self.colored(NAME, name);
            if self.null_after_name {
                self.out.byte(0);
            } else {
                self.separator(mark);
            }
        }
        if self.line_number {
            let text = if self.initial_tab {
                format!("{number:>19}")
            } else {
                number.to_string()
            };
            self.colored(NUMBER, text.as_bytes());
            self.separator(mark);
        }
        if self.byte_offset {
            let text = if self.initial_tab {
                format!("{offset:>19}")
            } else {
                offset.to_string()
            };
            self.colored(NUMBER, text.as_bytes());
            self.separator(mark);
        }
        if self.initial_tab && (self.with_filename || self.line_number || self.byte_offset) {
            self.out.byte(b'\t');
        }
    }

    /// A file's name alone, for `-l`, `-L`, `-c`.
    pub fn name(&mut self, name: &[u8], mark: Option<u8>) {
        self.colored(NAME, name);
        match mark {
            _ if self.null_after_name => self.out.byte(0),
            Some(mark) => self.separator(mark),
            None => self.out.byte(b'\n'),
        }
    }

    /// The mark between two groups of context lines.
    pub fn group_separator(&mut self, text: &[u8]) {
        self.colored(SEPARATOR, text);
        self.out.byte(b'\n');
    }

    /// One match of a line.
    pub fn matched(&mut self, text: &[u8]) {
        self.colored(MATCH, text);
    }

    /// Whether matches are highlighted.
    pub fn colors(&self) -> bool {
        self.color
    }
}
