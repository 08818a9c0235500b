//! Objects in a folder: each is a file, written beside its place and renamed into it.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use parking_lot::Mutex;
use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use super::{ByteStream, Condition, Object, Objects, Put, unreachable_store};
use crate::error::Result;

const TEMP: &str = ".hardshell-temp";
const LOCK: &str = ".hardshell-lock";
/// A part of a key above this is shortened: names of files end at 255 bytes.
const LONGEST: usize = 200;

/// Objects in a folder.
pub(crate) struct FolderObjects {
    inner: Arc<Inner>,
}

struct Inner {
    root: OwnedFd,
    temp: OwnedFd,
    lock: File,
    // flock is per open file: threads of ours need a lock of their own.
    guard: Mutex<()>,
}

fn beneath() -> ResolveFlags {
    ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS
}

fn open_dir(at: impl AsFd, name: &str) -> rustix::io::Result<OwnedFd> {
    rustix::fs::openat2(
        at,
        name,
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
        beneath(),
    )
}

fn make_dir(at: impl AsFd, name: &str) -> rustix::io::Result<OwnedFd> {
    match open_dir(&at, name) {
        Err(Errno::NOENT) => match rustix::fs::mkdirat(&at, name, Mode::from_raw_mode(0o700)) {
            Ok(()) | Err(Errno::EXIST) => open_dir(&at, name),
            Err(error) => Err(error),
        },
        other => other,
    }
}

/// The key as a path of this folder: long parts end in a digest of themselves.
fn place(key: &str) -> io::Result<Vec<String>> {
    key.split('/')
        .map(|part| {
            if part.is_empty() || part == "." || part == ".." || part.contains('\0') {
                return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a key"));
            }
            if part.len() <= LONGEST {
                return Ok(part.to_owned());
            }
            let mut cut = 120;
            while !part.is_char_boundary(cut) {
                cut -= 1;
            }
            let digest = blake3::hash(part.as_bytes()).to_hex();
            Ok(format!(
                "{}~{}",
                part.get(..cut).unwrap_or_default(),
                digest
            ))
        })
        .collect()
}

fn etag(file: &File) -> io::Result<(String, u64)> {
    let stat = rustix::fs::fstat(file)?;
    let size = u64::try_from(stat.st_size).unwrap_or(0);
    Ok((
        format!(
            "{:x}-{:x}-{:x}-{:x}",
            stat.st_ino, stat.st_mtime, stat.st_mtime_nsec, size
        ),
        size,
    ))
}

impl Inner {
    fn open(&self, key: &str) -> io::Result<Option<File>> {
        let path = place(key)?.join("/");
        let opened = rustix::fs::openat2(
            &self.root,
            path.as_str(),
            OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK,
            Mode::empty(),
            beneath(),
        );
        match opened {
            Ok(fd) => {
                let file = File::from(fd);
                Ok(file.metadata()?.is_file().then_some(file))
            }
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn temp_file(&self) -> io::Result<(String, File)> {
        let name = uuid::Uuid::new_v4().simple().to_string();
        let fd = rustix::fs::openat(
            &self.temp,
            name.as_str(),
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW,
            Mode::from_raw_mode(0o600),
        )?;
        Ok((name, File::from(fd)))
    }

    fn parent(&self, parts: &[String]) -> io::Result<OwnedFd> {
        let mut dir = self.root.try_clone()?;
        for part in parts {
            dir = make_dir(&dir, part)?;
        }
        Ok(dir)
    }

    fn settle(&self, key: &str, temp: &str, file: &File, condition: &Condition) -> io::Result<Put> {
        let parts = place(key)?;
        let Some((name, parents)) = parts.split_last() else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "an empty key"));
        };
        let _guard = (*condition != Condition::Any).then(|| self.guard.lock());
        if *condition != Condition::Any {
            rustix::fs::flock(&self.lock, FlockOperation::LockExclusive)?;
        }
        let result = (|| {
            let current = match condition {
                Condition::Any => None,
                _ => self
                    .open(key)?
                    .map(|file| etag(&file))
                    .transpose()?
                    .map(|(etag, _)| etag),
            };
            let holds = match condition {
                Condition::Any => true,
                Condition::Absent => current.is_none(),
                Condition::Matches(version) => current.as_ref() == Some(version),
            };
            if !holds {
                return Ok(Put::Conflict);
            }
            if *condition != Condition::Any {
                // A conditional put is the one that a client's word rests on.
                file.sync_data()?;
            }
            let parent = self.parent(parents)?;
            rustix::fs::renameat(&self.temp, temp, &parent, name.as_str())?;
            Ok(Put::Done(etag(file)?.0))
        })();
        if *condition != Condition::Any {
            let _ = rustix::fs::flock(&self.lock, FlockOperation::Unlock);
        }
        if !matches!(result, Ok(Put::Done(_))) {
            let _ = rustix::fs::unlinkat(&self.temp, temp, AtFlags::empty());
        }
        result
    }

    fn delete(&self, keys: &[String]) -> io::Result<()> {
        // Keys come in bunches of one folder: its handle is worth keeping.
        let mut parents: HashMap<Vec<String>, Option<OwnedFd>> = HashMap::new();
        for key in keys {
            let mut parts = place(key)?;
            let Some(name) = parts.pop() else { continue };
            let root = &self.root;
            let parent = match parents.get(&parts) {
                Some(parent) => parent,
                None => {
                    let opened = match open_dir(root, &parts.join("/")) {
                        Ok(dir) => Some(dir),
                        Err(Errno::NOENT | Errno::NOTDIR) => None,
                        Err(error) => return Err(error.into()),
                    };
                    parents.entry(parts.clone()).or_insert(opened)
                }
            };
            let Some(parent) = parent else { continue };
            match rustix::fs::unlinkat(parent, name.as_str(), AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT | Errno::ISDIR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        // Folders that held only these go too; one that is not empty stays.
        let mut folders: Vec<Vec<String>> = parents.into_keys().collect();
        folders.sort_by_key(|parts| std::cmp::Reverse(parts.len()));
        for mut parts in folders {
            while parts.len() > 1 {
                let Some(name) = parts.pop() else { break };
                let Ok(parent) = open_dir(&self.root, &parts.join("/")) else {
                    break;
                };
                if rustix::fs::unlinkat(&parent, name.as_str(), AtFlags::REMOVEDIR).is_err() {
                    break;
                }
            }
        }
        Ok(())
    }

    fn delete_prefix(&self, prefix: &str) -> io::Result<()> {
        let mut parts = place(prefix.trim_end_matches('/'))?;
        let Some(name) = parts.pop() else {
            return Ok(());
        };
        let parent = if parts.is_empty() {
            self.root.try_clone()?
        } else {
            match open_dir(&self.root, &parts.join("/")) {
                Ok(dir) => dir,
                Err(Errno::NOENT | Errno::NOTDIR) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        };
        crate::sync::dir::remove_tree(&parent, name.as_bytes())
    }
}

impl FolderObjects {
    /// Opens the folder, and makes it if need be.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let open = || -> io::Result<Inner> {
            crate::sync::dir::make_private(path)?;
            let root = crate::sync::dir::open_ambient(path)?;
            let temp = make_dir(&root, TEMP)?;
            let lock = rustix::fs::openat(
                &root,
                LOCK,
                OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW,
                Mode::from_raw_mode(0o600),
            )?;
            // What a server that died had not finished.
            for name in crate::sync::dir::names(&temp)? {
                let _ = rustix::fs::unlinkat(&temp, name.as_slice(), AtFlags::empty());
            }
            Ok(Inner {
                root,
                temp,
                lock: File::from(lock),
                guard: Mutex::new(()),
            })
        };
        Ok(Self {
            inner: Arc::new(open().map_err(unreachable_store)?),
        })
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> io::Result<T> + Send + 'static,
    ) -> Result<T> {
        let inner = Arc::clone(&self.inner);
        tokio::task::spawn_blocking(move || work(&inner))
            .await
            .map_err(unreachable_store)?
            .map_err(unreachable_store)
    }
}

const CHUNK: usize = 256 << 10;

#[async_trait]
impl Objects for FolderObjects {
    async fn get(&self, key: &str) -> Result<Option<Object>> {
        let key = key.to_owned();
        self.blocking(move |inner| {
            let Some(mut file) = inner.open(&key)? else {
                return Ok(None);
            };
            let (etag, size) = etag(&file)?;
            if size <= CHUNK as u64 {
                let mut all = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
                file.read_to_end(&mut all)?;
                let bytes: ByteStream = Box::pin(futures::stream::iter([Ok(Bytes::from(all))]));
                return Ok(Some(Object { etag, size, bytes }));
            }
            let stream =
                tokio_util::io::ReaderStream::with_capacity(tokio::fs::File::from_std(file), CHUNK);
            Ok(Some(Object {
                etag,
                size,
                bytes: Box::pin(stream),
            }))
        })
        .await
    }

    async fn put(&self, key: &str, bytes: Bytes, condition: Condition) -> Result<Put> {
        let key = key.to_owned();
        self.blocking(move |inner| {
            let (temp, mut file) = inner.temp_file()?;
            if let Err(error) = file.write_all(&bytes) {
                let _ = rustix::fs::unlinkat(&inner.temp, temp.as_str(), AtFlags::empty());
                return Err(error);
            }
            inner.settle(&key, &temp, &file, &condition)
        })
        .await
    }

    async fn put_stream(
        &self,
        key: &str,
        mut bytes: ByteStream,
        _part: usize,
    ) -> Result<(String, u64)> {
        let (temp, file) = self.blocking(|inner| inner.temp_file()).await?;
        let mut file = Some(file);
        let mut size: u64 = 0;
        let mut failed = None;
        while let Some(part) = bytes.next().await {
            let step = match (part, file.take()) {
                (Ok(part), Some(mut open)) => {
                    size = size.saturating_add(part.len() as u64);
                    self.blocking(move |_| open.write_all(&part).map(|()| open))
                        .await
                }
                (Err(error), _) => Err(unreachable_store(error)),
                (Ok(_), None) => Err(unreachable_store("the file is gone")),
            };
            match step {
                Ok(open) => file = Some(open),
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        let key = key.to_owned();
        self.blocking(move |inner| match (failed, file) {
            (None, Some(file)) => match inner.settle(&key, &temp, &file, &Condition::Any)? {
                Put::Done(etag) => Ok(Ok((etag, size))),
                Put::Conflict => Err(io::Error::other("an unconditional put met a condition")),
            },
            (failed, _) => {
                let _ = rustix::fs::unlinkat(&inner.temp, temp.as_str(), AtFlags::empty());
                Ok(Err(
                    failed.unwrap_or_else(|| unreachable_store("the file is gone"))
                ))
            }
        })
        .await?
    }

    async fn delete(&self, keys: &[String]) -> Result<()> {
        let keys = keys.to_vec();
        self.blocking(move |inner| inner.delete(&keys)).await
    }

    async fn delete_prefix(&self, prefix: &str) -> Result<()> {
        let prefix = prefix.to_owned();
        self.blocking(move |inner| inner.delete_prefix(&prefix))
            .await
    }

    async fn ping(&self) -> Result<()> {
        self.blocking(|inner| {
            rustix::fs::fstat(&inner.root)
                .map(|_| ())
                .map_err(Into::into)
        })
        .await
    }
}

#[cfg(test)]
#[path = "folder_tests.rs"]
mod tests;
