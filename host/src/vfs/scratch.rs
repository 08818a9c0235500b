//! Private temporary folders, and removing a tree by handles alone.

use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// A folder that only this process's user may enter and that goes with its owner.
pub(super) struct TempDir {
    base: OwnedFd,
    name: String,
    fd: OwnedFd,
}

const DIR: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

impl TempDir {
    /// Makes one in `base`.
    pub(super) fn new(base: BorrowedFd<'_>) -> Result<TempDir, Errno> {
        let base = super::mount::reopen_dir(base)?;
        loop {
            let name = format!("hardshell-{}", random_hex());
            match rustix::fs::mkdirat(&base, name.as_str(), Mode::RWXU) {
                Ok(()) => {
                    let fd = rustix::fs::openat(&base, name.as_str(), DIR, Mode::empty())?;
                    return Ok(TempDir { base, name, fd });
                }
                Err(Errno::EXIST) => {}
                Err(e) => return Err(e),
            }
        }
    }

    /// The folder itself.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let emptied = empty(self.fd.as_fd());
        let removed = rustix::fs::unlinkat(&self.base, self.name.as_str(), AtFlags::REMOVEDIR);
        if let Err(error) = emptied.and(removed) {
            tracing::warn!(folder = %self.name, %error, "scratch folder left behind");
        }
    }
}

fn random_hex() -> String {
    let mut bytes = [0u8; 12];
    // A short or failed read leaves zeroes; the name then collides at worst and is retried.
    let _ = rustix::rand::getrandom(&mut bytes[..], rustix::rand::GetRandomFlags::empty());
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Removes everything in a directory. Follows no link, needs no path and no recursion:
/// a directory found on the way is first emptied of its files, its own directories are
/// moved up beside it, and then it is removed; so depth costs neither stack nor handles.
pub(super) fn empty(top: BorrowedFd<'_>) -> Result<(), Errno> {
    loop {
        let dirs = clear_files(top)?;
        if dirs.is_empty() {
            return Ok(());
        }
        let mut progress = false;
        for name in dirs {
            progress |= remove_dir(top, &name)?;
        }
        if !progress {
            return Err(Errno::NOTEMPTY);
        }
    }
}

/// Removes one directory of `top`; false if something kept it from going.
fn remove_dir(top: BorrowedFd<'_>, name: &[u8]) -> Result<bool, Errno> {
    match rustix::fs::unlinkat(top, name, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOENT) => return Ok(true),
        Err(Errno::NOTDIR) => {
            return Ok(rustix::fs::unlinkat(top, name, AtFlags::empty()).is_ok());
        }
        Err(_) => {}
    }
    let fd = match rustix::fs::openat(top, name, DIR, Mode::empty()) {
        Ok(fd) => fd,
        Err(Errno::ACCESS) => {
            // A guest may have taken the permissions away.
            let path = rustix::fs::openat(
                top,
                name,
                OFlags::PATH | OFlags::NOFOLLOW | OFlags::DIRECTORY | OFlags::CLOEXEC,
                Mode::empty(),
            )?;
            super::mount::chmod_path_fd(path.as_fd(), Mode::RWXU)?;
            rustix::fs::openat(top, name, DIR, Mode::empty())?
        }
        Err(Errno::NOENT) => return Ok(true),
        Err(e) => return Err(e),
    };
    for inner in clear_files(fd.as_fd())? {
        let up = format!("up-{}", random_hex());
        match rustix::fs::renameat(&fd, inner.as_slice(), top, up.as_str()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(e) => return Err(e),
        }
    }
    match rustix::fs::unlinkat(top, name, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOENT) => Ok(true),
        Err(Errno::NOTEMPTY) => Ok(false),
        Err(e) => Err(e),
    }
}

/// Removes all that is not a directory and returns the names of those that are.
fn clear_files(dir: BorrowedFd<'_>) -> Result<Vec<Vec<u8>>, Errno> {
    let mut dirs = Vec::new();
    let mut fixed = false;
    rustix::fs::seek(dir, rustix::fs::SeekFrom::Start(0))?;
    let mut space = [const { std::mem::MaybeUninit::<u8>::uninit() }; 8192];
    let mut entries = rustix::fs::RawDir::new(dir, &mut space);
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if super::path::is_dots(name) {
            continue;
        }
        if entry.file_type() == FileType::Directory {
            dirs.push(name.to_vec());
            continue;
        }
        let mut result = rustix::fs::unlinkat(dir, name, AtFlags::empty());
        if result == Err(Errno::ACCESS) && !fixed {
            fixed = true;
            rustix::fs::fchmod(dir, Mode::RWXU)?;
            result = rustix::fs::unlinkat(dir, name, AtFlags::empty());
        }
        match result {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(Errno::ISDIR | Errno::PERM) => dirs.push(name.to_vec()),
            Err(e) => return Err(e),
        }
    }
    Ok(dirs)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_deep_and_hostile_tree_goes_with_its_owner() {
        let base = tempfile::tempdir().unwrap();
        std::fs::write(base.path().join("canary"), "alive").unwrap();
        let temp = TempDir::new(std::fs::File::open(base.path()).unwrap().as_fd()).unwrap();
        let name = temp.name.clone();
        let mut at = rustix::fs::openat(&temp.fd, ".", DIR, Mode::empty()).unwrap();
        for i in 0..3000 {
            rustix::fs::mkdirat(&at, "d", Mode::RWXU).unwrap();
            rustix::fs::symlinkat("/", &at, "root").unwrap();
            rustix::fs::symlinkat("../../canary", &at, "canary").unwrap();
            rustix::fs::symlinkat("..", &at, "up").unwrap();
            let next = rustix::fs::openat(&at, "d", DIR, Mode::empty()).unwrap();
            if i % 500 == 0 {
                rustix::fs::fchmod(&at, Mode::empty()).unwrap();
            }
            at = next;
        }
        drop(temp);
        assert!(!base.path().join(name).exists());
        assert_eq!(std::fs::read_dir(base.path()).unwrap().count(), 1);
        assert_eq!(std::fs::read(base.path().join("canary")).unwrap(), b"alive");
    }
}
