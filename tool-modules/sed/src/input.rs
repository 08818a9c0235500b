//! The stream of input lines over all files, with the look-ahead that `$`
//! needs.

use std::io::Read;

use hardshell_cli::{Input, errno_text, path};
use memchr::memchr;

const CHUNK: usize = 128 * 1024;

/// Where the current file's output goes when it is edited in place.
pub struct Opened {
    /// The name as given.
    pub name: Vec<u8>,
}

pub struct Reader {
    files: std::vec::IntoIter<Vec<u8>>,
    /// Files whose first line has been looked for.
    current: Option<Input>,
    pub name: Vec<u8>,
    buffer: Vec<u8>,
    start: usize,
    filled: usize,
    eof: bool,
    separator: u8,
    separate: bool,
    in_place: bool,
    /// Some file could not be read.
    pub failed: bool,
    /// Set when a new file begins, until it is taken.
    pub opened: Option<Opened>,
}

impl Reader {
    pub fn new(files: Vec<Vec<u8>>, separator: u8, separate: bool, in_place: bool) -> Self {
        Self {
            files: files.into_iter(),
            current: None,
            name: b"-".to_vec(),
            buffer: Vec::new(),
            start: 0,
            filled: 0,
            eof: true,
            separator,
            separate,
            in_place,
            failed: false,
            opened: None,
        }
    }

    /// Reads the next line into `line`, without its end. None at the end of
    /// all input; else whether the line had an end.
    pub fn next_line(&mut self, line: &mut Vec<u8>) -> Option<bool> {
        loop {
            let rest = self.buffer.get(self.start..self.filled).unwrap_or_default();
            if let Some(length) = memchr(self.separator, rest) {
                line.extend_from_slice(rest.get(..length).unwrap_or_default());
                self.start += length + 1;
                return Some(true);
            }
            if self.eof {
                if rest.is_empty() {
                    if !self.open_next() {
                        return None;
                    }
                    continue;
                }
                line.extend_from_slice(rest);
                self.start = self.filled;
                return Some(false);
            }
            self.fill();
        }
    }

    /// Whether no line is left, in this file or (unless files are separate) in
    /// any.
    pub fn at_end(&mut self) -> bool {
        loop {
            if self.start < self.filled {
                return false;
            }
            if !self.eof {
                self.fill();
                continue;
            }
            if self.separate {
                return true;
            }
            if !self.open_next() {
                return true;
            }
        }
    }

    /// Whether nothing is left in any file, also when files are separate.
    pub fn exhausted(&mut self) -> bool {
        if !self.separate {
            return self.at_end();
        }
        self.at_end() && self.files.len() == 0
    }

    fn fill(&mut self) {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.filled, 0);
            self.filled -= self.start;
            self.start = 0;
        }
        if self.buffer.len() < CHUNK {
            self.buffer.resize(CHUNK, 0);
        }
        if self.filled == self.buffer.len() {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        let space = self.buffer.get_mut(self.filled..).unwrap_or_default();
        let got = match &mut self.current {
            Some(input) => loop {
                match input.read(space) {
                    Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                    other => break other,
                }
            },
            None => Ok(0),
        };
        match got {
            Ok(0) => self.eof = true,
            Ok(got) => self.filled += got,
            Err(error) => {
                self.eof = true;
                self.failed = true;
                let mut message = b"read error on ".to_vec();
                message.extend_from_slice(&self.name);
                message.extend_from_slice(b": ");
                message.extend_from_slice(errno_text(&error).as_bytes());
                hardshell_cli::complain("sed", message);
            }
        }
    }

    fn open_next(&mut self) -> bool {
        self.current = None;
        for name in self.files.by_ref() {
            let opened = if name == b"-" && !self.in_place {
                Ok(Input::stdin())
            } else {
                std::fs::metadata(path(&name)).and_then(|meta| {
                    if meta.is_dir() {
                        let text = if self.in_place { "edit" } else { "dir" };
                        return Err(std::io::Error::other(text));
                    }
                    std::fs::File::open(path(&name)).map(Input::File)
                })
            };
            match opened {
                Ok(input) => {
                    self.current = Some(input);
                    self.eof = false;
                    self.start = 0;
                    self.filled = 0;
                    self.opened = Some(Opened { name: name.clone() });
                    self.name = name;
                    return true;
                }
                Err(error) => {
                    self.failed = true;
                    let shown = String::from_utf8_lossy(&name);
                    let text = errno_text(&error);
                    match text.as_str() {
                        "edit" => hardshell_cli::complain(
                            "sed",
                            format!("couldn't edit {shown}: not a regular file"),
                        ),
                        "dir" => hardshell_cli::complain(
                            "sed",
                            format!("couldn't read {shown}: Is a directory")
                                .replace("couldn't read ", "read error on "),
                        ),
                        _ => hardshell_cli::complain("sed", format!("can't read {shown}: {text}")),
                    }
                }
            }
        }
        false
    }
}
