//! Counting what a folder holds.

use std::collections::HashSet;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

/// Bytes of regular files and symbolic links, each inode once, and entries.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Usage {
    pub(super) bytes: u64,
    pub(super) files: u64,
    linked: HashSet<(u64, u64)>,
}

const DIR: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// Adds what is below `top`, up to `bound` entries in all; beyond that every limit is
/// exceeded anyway. What cannot be read is not counted: a guest cannot read it either.
/// Breadth first with paths beneath the top handle, so that depth costs no handles; a path
/// too long for the kernel is reached from its nearest ancestor that is not.
pub(super) fn count(top: BorrowedFd<'_>, bound: u64, total: &mut Usage) {
    let Ok(first) = super::mount::reopen_dir(top) else {
        return;
    };
    let mut queue: Vec<OwnedFd> = vec![first];
    // Depth first over handles, at most this many at once; deeper directories are put
    // off as chains of names.
    const HANDLES: usize = 64;
    let mut later: Vec<Vec<Vec<u8>>> = Vec::new();
    let mut chains: Vec<Vec<Vec<u8>>> = vec![Vec::new()];
    loop {
        while let (Some(dir), Some(chain)) = (queue.pop(), chains.pop()) {
            let mut subdirs = Vec::new();
            if one(&dir, bound, total, &mut subdirs).is_err() {
                continue;
            }
            if total.files >= bound {
                return;
            }
            for name in subdirs {
                let mut below = chain.clone();
                below.push(name.clone());
                if queue.len() >= HANDLES {
                    later.push(below);
                } else if let Ok(fd) = rustix::fs::openat(&dir, name, DIR, Mode::empty()) {
                    queue.push(fd);
                    chains.push(below);
                }
            }
        }
        let Some(chain) = later.pop() else { return };
        let Ok(mut at) = super::mount::reopen_dir(top) else {
            return;
        };
        let mut reached = true;
        for name in &chain {
            match rustix::fs::openat(&at, name, DIR, Mode::empty()) {
                Ok(next) => at = next,
                Err(_) => {
                    reached = false;
                    break;
                }
            }
        }
        if reached {
            queue.push(at);
            chains.push(chain);
        }
    }
}

fn one(
    dir: &OwnedFd,
    bound: u64,
    total: &mut Usage,
    subdirs: &mut Vec<Vec<u8>>,
) -> Result<(), Errno> {
    let mut space = [const { std::mem::MaybeUninit::<u8>::uninit() }; 16 << 10];
    let mut entries = rustix::fs::RawDir::new(dir, &mut space);
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name = entry.file_name();
        if super::path::is_dots(name.to_bytes()) {
            continue;
        }
        total.files = total.files.saturating_add(1);
        if total.files >= bound {
            return Ok(());
        }
        match entry.file_type() {
            FileType::Directory => subdirs.push(name.to_bytes().to_vec()),
            FileType::RegularFile | FileType::Symlink | FileType::Unknown => {
                let Ok(stat) = rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) else {
                    continue;
                };
                match FileType::from_raw_mode(stat.st_mode) {
                    FileType::Directory => subdirs.push(name.to_bytes().to_vec()),
                    FileType::RegularFile | FileType::Symlink
                        if stat.st_nlink <= 1
                            || total.linked.insert((stat.st_dev, stat.st_ino)) =>
                    {
                        let size = u64::try_from(stat.st_size).unwrap_or(0);
                        total.bytes = total.bytes.saturating_add(size);
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn counts_each_inode_once_and_each_name() {
        let dir = tempfile::tempdir().unwrap();
        let p = dir.path();
        std::fs::create_dir_all(p.join("a/b")).unwrap();
        std::fs::write(p.join("a/b/f"), [0; 1000]).unwrap();
        std::fs::hard_link(p.join("a/b/f"), p.join("g")).unwrap();
        std::os::unix::fs::symlink("/etc", p.join("root")).unwrap();
        for i in 0..100 {
            let d = p.join(format!("many/{i}/x"));
            std::fs::create_dir_all(&d).unwrap();
            std::fs::write(d.join("f"), "12").unwrap();
        }
        let fd: OwnedFd = std::fs::File::open(p).unwrap().into();
        let mut total = Usage::default();
        count(fd.as_fd(), 1_000_000, &mut total);
        assert_eq!((total.bytes, total.files), (1204, 2 + 1 + 1 + 1 + 1 + 300));
        let mut total = Usage::default();
        count(fd.as_fd(), 10, &mut total);
        assert_eq!(total.files, 10);
    }
}
