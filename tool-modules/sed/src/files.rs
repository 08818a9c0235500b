//! Output: standard output, the files of `w`, and files edited in place.

use std::fs::{self, File};
use std::io;

use hardshell_cli::{Out, errno_text, path};

/// An output that knows whether its last line lacks its end, so that more
/// output begins on a line of its own.
pub struct Sink {
    pub out: Out,
    missing_end: bool,
}

impl Sink {
    pub fn new(out: Out) -> Self {
        Self {
            out,
            missing_end: false,
        }
    }

    /// Writes a line; `end` is its end or nothing.
    #[inline]
    pub fn line(&mut self, text: &[u8], end: Option<u8>, separator: u8) {
        self.complete(separator);
        self.out.put(text);
        match end {
            Some(end) => self.out.byte(end),
            None => self.missing_end = true,
        }
    }

    /// Writes text as it is.
    pub fn text(&mut self, text: &[u8], separator: u8) {
        self.complete(separator);
        self.out.put(text);
    }

    fn complete(&mut self, separator: u8) {
        if self.missing_end {
            self.out.byte(separator);
            self.missing_end = false;
        }
    }
}

/// The file that replaces one being edited.
pub struct InPlace {
    target: Vec<u8>,
    temporary: Vec<u8>,
    backup: Vec<u8>,
    pub sink: Sink,
}

impl InPlace {
    /// Starts the replacement of a file, beside it.
    pub fn new(name: &[u8], suffix: &[u8], follow: bool) -> Result<Self, String> {
        let shown = String::from_utf8_lossy(name).into_owned();
        let mut target = name.to_vec();
        if follow && let Ok(real) = fs::canonicalize(path(name)) {
            target = hardshell_cli::into_bytes(real.into_os_string());
        }
        let folder = target
            .iter()
            .rposition(|b| *b == b'/')
            .map_or(0, |at| at + 1);
        let (folder, base) = target.split_at(folder);
        let seed = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |d| d.subsec_nanos());
        let mut attempt = u64::from(seed);
        for _ in 0..100 {
            attempt = attempt
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let mut temporary = folder.to_vec();
            temporary
                .extend_from_slice(format!("sed{:06x}", (attempt >> 24) & 0xff_ffff).as_bytes());
            match fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .open(path(&temporary))
            {
                Ok(file) => {
                    let backup = if suffix.is_empty() {
                        Vec::new()
                    } else {
                        backup_name(folder, base, suffix)
                    };
                    return Ok(Self {
                        target: target.clone(),
                        temporary,
                        backup,
                        sink: Sink::new(Out::file(file)),
                    });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => {
                    return Err(format!(
                        "couldn't open temporary file {}: {}",
                        String::from_utf8_lossy(&temporary),
                        errno_text(&error)
                    ));
                }
            }
        }
        Err(format!("couldn't edit {shown}: no free temporary name"))
    }

    /// Puts it in the place of the old file.
    pub fn commit(mut self) -> Result<(), String> {
        let fail = |what: &str, error: &io::Error| format!("{what}: {}", errno_text(error));
        if let Err(error) = self.sink.out.finish() {
            let _ = fs::remove_file(path(&self.temporary));
            return Err(fail(
                &format!(
                    "couldn't write {}",
                    String::from_utf8_lossy(&self.temporary)
                ),
                &error,
            ));
        }
        hardshell_cli::copy_mode(&self.target, &self.temporary);
        if !self.backup.is_empty()
            && let Err(error) = fs::rename(path(&self.target), path(&self.backup))
        {
            return Err(fail(
                &format!("cannot rename {}", String::from_utf8_lossy(&self.target)),
                &error,
            ));
        }
        fs::rename(path(&self.temporary), path(&self.target)).map_err(|error| {
            fail(
                &format!("cannot rename {}", String::from_utf8_lossy(&self.temporary)),
                &error,
            )
        })
    }

    /// Gives it up.
    pub fn abandon(self) {
        let _ = fs::remove_file(path(&self.temporary));
    }
}

/// `*` in a suffix stands for the base name; a slash makes it a path.
fn backup_name(folder: &[u8], base: &[u8], suffix: &[u8]) -> Vec<u8> {
    let mut name = Vec::new();
    if suffix.contains(&b'*') {
        for byte in suffix {
            if *byte == b'*' {
                name.extend_from_slice(base);
            } else {
                name.push(*byte);
            }
        }
    } else {
        name.extend_from_slice(base);
        name.extend_from_slice(suffix);
    }
    if name.contains(&b'/') {
        return name;
    }
    let mut out = folder.to_vec();
    out.extend_from_slice(&name);
    out
}

/// Opens a file for `w`.
pub fn open_written(name: &[u8]) -> Result<Sink, String> {
    File::create(path(name))
        .map(|file| Sink::new(Out::file(file)))
        .map_err(|error| {
            format!(
                "couldn't open file {}: {}",
                String::from_utf8_lossy(name),
                errno_text(&error)
            )
        })
}
