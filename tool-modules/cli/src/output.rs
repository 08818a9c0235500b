//! Buffered standard output (or a file) with one place for write errors.

use std::fs::File;
use std::io::{self, Write};

const CAPACITY: usize = 64 * 1024;

/// A buffered writer that remembers the first write error instead of
/// returning it at each call.
pub struct Out {
    buffer: Vec<u8>,
    sink: Sink,
    error: Option<io::Error>,
    /// Flush at each line end, for output that somebody waits for.
    pub line_buffered: bool,
}

enum Sink {
    Stdout,
    Stderr,
    File(File),
}

impl Out {
    /// Standard output.
    pub fn stdout() -> Self {
        Self::over(Sink::Stdout)
    }

    /// Standard error.
    pub fn stderr() -> Self {
        Self::over(Sink::Stderr)
    }

    /// A file.
    pub fn file(file: File) -> Self {
        Self::over(Sink::File(file))
    }

    fn over(sink: Sink) -> Self {
        Self {
            buffer: Vec::with_capacity(CAPACITY),
            sink,
            error: None,
            line_buffered: false,
        }
    }

    /// Appends bytes.
    #[inline]
    pub fn put(&mut self, bytes: &[u8]) {
        if self.buffer.len() + bytes.len() > CAPACITY {
            self.spill(bytes);
        } else {
            self.buffer.extend_from_slice(bytes);
        }
        if self.line_buffered && bytes.contains(&b'\n') {
            self.flush();
        }
    }

    /// Appends one byte.
    #[inline]
    pub fn byte(&mut self, byte: u8) {
        if self.buffer.len() == CAPACITY {
            self.flush();
        }
        self.buffer.push(byte);
        if self.line_buffered && byte == b'\n' {
            self.flush();
        }
    }

    #[cold]
    fn spill(&mut self, bytes: &[u8]) {
        self.flush();
        if bytes.len() >= CAPACITY {
            self.write_out(bytes);
        } else {
            self.buffer.extend_from_slice(bytes);
        }
    }

    fn write_out(&mut self, bytes: &[u8]) {
        if self.error.is_some() {
            return;
        }
        // Straight to the descriptor: the standard library's line buffer
        // would copy everything once more.
        let result = match &mut self.sink {
            Sink::Stdout => raw(1, bytes),
            Sink::Stderr => raw(2, bytes),
            Sink::File(file) => file.write_all(bytes),
        };
        if let Err(error) = result {
            self.error = Some(error);
        }
    }

    /// Writes out what is buffered.
    pub fn flush(&mut self) {
        if !self.buffer.is_empty() {
            let buffer = std::mem::take(&mut self.buffer);
            self.write_out(&buffer);
            self.buffer = buffer;
            self.buffer.clear();
        }
    }

    /// The first write error, after a flush.
    pub fn finish(&mut self) -> io::Result<()> {
        self.flush();
        match self.error.take() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// Whether a write has failed.
    pub fn failed(&self) -> bool {
        self.error.is_some()
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.put(bytes);
        match self.error.take() {
            Some(error) => Err(error),
            None => Ok(bytes.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.finish()
    }
}

fn raw(fd: i32, bytes: &[u8]) -> io::Result<()> {
    #[cfg(unix)]
    use std::os::fd::FromRawFd;
    #[cfg(target_os = "wasi")]
    use std::os::fd::FromRawFd;
    // SAFETY: 0, 1 and 2 belong to the process for its whole life, and
    // ManuallyDrop keeps the temporary File from closing them.
    let file = std::mem::ManuallyDrop::new(unsafe { File::from_raw_fd(fd) });
    (&*file).write_all(bytes)
}
