//! Input files, where `-` is standard input.

use std::fs::File;
use std::io::{self, Read};
use std::mem::ManuallyDrop;
use std::os::fd::FromRawFd;

/// An open input, unbuffered: callers bring their own, larger buffers.
pub enum Input {
    /// Standard input.
    Stdin(ManuallyDrop<File>),
    /// A file.
    File(File),
}

impl Input {
    /// Standard input, straight from the descriptor.
    pub fn stdin() -> Self {
        // SAFETY: descriptor 0 belongs to the process for its whole life, and
        // ManuallyDrop keeps the temporary File from closing it.
        Self::Stdin(ManuallyDrop::new(unsafe { File::from_raw_fd(0) }))
    }

    /// The size if it is a regular file, else 0.
    pub fn size_hint(&self) -> usize {
        let meta = match self {
            Self::Stdin(file) => file.metadata(),
            Self::File(file) => file.metadata(),
        };
        match meta {
            Ok(meta) if meta.is_file() => usize::try_from(meta.len()).unwrap_or(0),
            _ => 0,
        }
    }

    /// All of it.
    pub fn read_all(&mut self) -> io::Result<Vec<u8>> {
        let mut data = Vec::with_capacity(self.size_hint().saturating_add(1));
        self.read_to_end(&mut data)?;
        Ok(data)
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Stdin(file) => file.read(buffer),
            Self::File(file) => file.read(buffer),
        }
    }
}

/// Opens a file for reading, `-` being standard input. A directory is an
/// error here, as it is when GNU tools read one.
pub fn open_input(name: &[u8]) -> io::Result<Input> {
    if name == b"-" {
        return Ok(Input::stdin());
    }
    let file = File::open(crate::path(name))?;
    if file.metadata().is_ok_and(|m| m.is_dir()) {
        return Err(io::Error::other("Is a directory"));
    }
    Ok(Input::File(file))
}
