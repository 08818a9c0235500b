//! Compiled modules on disk.
//!
//! Loading one runs native code, so an entry counts only when this user owns it, nobody
//! else may write to it, and its trailer holds the digest of its content. Everything else
//! is compiled anew and replaced.

use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, Mode, OFlags};

use super::EngineError;

const MODULE: &[u8; 16] = b"hardshell-aot-1m";
const COMPONENT: &[u8; 16] = b"hardshell-aot-1c";
const TRAILER: usize = 16 + 32;

/// The cache folder.
pub(crate) struct Cache {
    dir: OwnedFd,
}

/// A sound entry: its file, open, at its start, and whether it is a component's.
pub(crate) struct Entry {
    pub(crate) file: std::fs::File,
    pub(crate) component: bool,
}

fn owned_and_private(stat: &rustix::fs::Stat) -> bool {
    stat.st_uid == rustix::process::geteuid().as_raw() && stat.st_mode & 0o022 == 0
}

impl Cache {
    /// Opens the folder; makes it when it is missing.
    pub(super) fn open(path: &Path) -> Result<Cache, EngineError> {
        let error = |source: std::io::Error| EngineError::Cache {
            path: path.to_owned(),
            source,
        };
        make_dirs(path).map_err(error)?;
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::RDONLY;
        let dir = rustix::fs::open(path, flags, Mode::empty()).map_err(|e| error(e.into()))?;
        let stat = rustix::fs::fstat(&dir).map_err(|e| error(e.into()))?;
        if !owned_and_private(&stat) {
            return Err(error(std::io::Error::other(
                "others may write to it, or it belongs to somebody else",
            )));
        }
        Ok(Cache { dir })
    }

    fn name(module: &[u8; 32], settings: &[u8; 32]) -> String {
        let mut name = blake3::Hash::from(*module).to_hex().to_string();
        name.push('-');
        name.extend(blake3::Hash::from(*settings).to_hex().chars().take(32));
        name
    }

    /// An entry that is sound, positioned at its start.
    pub(crate) fn get(&self, module: &[u8; 32], settings: &[u8; 32]) -> Option<Entry> {
        let name = Self::name(module, settings);
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let fd = rustix::fs::openat(&self.dir, &name, flags, Mode::empty()).ok()?;
        let stat = rustix::fs::fstat(&fd).ok()?;
        if !owned_and_private(&stat) {
            tracing::warn!(
                name,
                "a cached module belongs to somebody else; compiling anew"
            );
            return None;
        }
        let mut file = std::fs::File::from(fd);
        match sound(&mut file, u64::try_from(stat.st_size).unwrap_or(0)) {
            Ok(Some(component)) => Some(Entry { file, component }),
            _ => {
                tracing::warn!(name, "a cached module is damaged; compiling anew");
                None
            }
        }
    }

    /// Stores an entry whole or not at all.
    pub(crate) fn put(
        &self,
        module: &[u8; 32],
        settings: &[u8; 32],
        component: bool,
        code: &[u8],
    ) -> std::io::Result<()> {
        let name = Self::name(module, settings);
        let temp = format!(
            "{name}.{}.{:x}.tmp",
            std::process::id(),
            crate::sched::thread_cpu()
        );
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(&self.dir, &temp, flags, Mode::RUSR | Mode::WUSR)?;
        let mut file = std::fs::File::from(fd);
        let written = (|| {
            use std::io::Write;
            file.write_all(code)?;
            file.write_all(if component { COMPONENT } else { MODULE })?;
            file.write_all(blake3::hash(code).as_bytes())?;
            rustix::fs::renameat(&self.dir, &temp, &self.dir, &name)?;
            Ok(())
        })();
        if written.is_err() {
            let _ = rustix::fs::unlinkat(&self.dir, &temp, AtFlags::empty());
        }
        written
    }
}

/// Whether it is a component's, if the trailer is there and right.
fn sound(file: &mut std::fs::File, len: u64) -> std::io::Result<Option<bool>> {
    let Some(code) = len.checked_sub(TRAILER as u64) else {
        return Ok(None);
    };
    let mut hasher = blake3::Hasher::new();
    let mut buf = vec![0u8; 256 << 10];
    let mut left = code;
    while left > 0 {
        let want = usize::try_from(left).unwrap_or(usize::MAX).min(buf.len());
        let n = file.read(buf.get_mut(..want).unwrap_or_default())?;
        if n == 0 {
            return Ok(None);
        }
        hasher.update(buf.get(..n).unwrap_or_default());
        left -= n as u64;
    }
    let mut trailer = [0u8; TRAILER];
    file.read_exact(&mut trailer)?;
    let (magic, digest) = trailer.split_at(16);
    std::io::Seek::rewind(file)?;
    if digest != hasher.finalize().as_bytes() {
        return Ok(None);
    }
    Ok(if magic == MODULE {
        Some(false)
    } else if magic == COMPONENT {
        Some(true)
    } else {
        None
    })
}

/// Makes the folder and those above it, closed to others.
fn make_dirs(path: &Path) -> std::io::Result<()> {
    match rustix::fs::mkdir(path, Mode::RWXU) {
        Ok(()) | Err(rustix::io::Errno::EXIST) => Ok(()),
        Err(rustix::io::Errno::NOENT) => {
            let above = path.parent().ok_or(std::io::ErrorKind::NotFound)?;
            make_dirs(above)?;
            match rustix::fs::mkdir(path, Mode::RWXU) {
                Ok(()) | Err(rustix::io::Errno::EXIST) => Ok(()),
                Err(e) => Err(e.into()),
            }
        }
        Err(e) => Err(e.into()),
    }
}
