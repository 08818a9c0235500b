//! Tests of the file system against the host's own and against attackers.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::io::{IoSlice, IoSliceMut};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::*;
use crate::report::QuotaKind;

mod containment;
mod devices;
mod differential;
mod dirs;
mod journal;
mod mounts;
mod quota;
mod races;
mod speed;

/// A sandbox over a fresh folder that also holds things it must never reach.
struct World {
    vfs: Arc<Vfs>,
    actor: Actor,
    dir: tempfile::TempDir,
}

const CANARY: &str = "the canary is alive";

struct Setup {
    limits: Limits,
    access: Access,
    openat2: bool,
    scratch: bool,
    /// Keep it in memory; else on disk.
    memory: bool,
}

impl Default for Setup {
    fn default() -> Self {
        Setup {
            limits: Limits::default(),
            access: Access::ReadWrite,
            openat2: true,
            scratch: true,
            memory: true,
        }
    }
}

/// A folder in memory where there is one: some disks are slow to reuse inodes.
fn quick_tempdir() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    match memory.is_dir() {
        true => tempfile::tempdir_in(memory).unwrap(),
        false => tempfile::tempdir().unwrap(),
    }
}

fn commands() -> Commands {
    Arc::new(|| vec!["ls".to_owned(), "cat".to_owned(), "grep".to_owned()])
}

impl World {
    fn new() -> World {
        World::with(Setup::default())
    }

    /// The quick way and the careful way.
    fn both() -> [World; 2] {
        [
            World::new(),
            World::with(Setup {
                openat2: false,
                ..Setup::default()
            }),
        ]
    }

    fn with(setup: Setup) -> World {
        let dir = match setup.memory {
            true => quick_tempdir(),
            false => tempfile::tempdir().unwrap(),
        };
        let p = dir.path();
        for d in ["ws", "ro", "outside/deep", "ws/sub/inner"] {
            std::fs::create_dir_all(p.join(d)).unwrap();
        }
        for f in ["canary", "outside/canary", "outside/deep/canary"] {
            std::fs::write(p.join(f), CANARY).unwrap();
        }
        std::fs::write(p.join("ws/file"), "hello").unwrap();
        std::fs::write(p.join("ws/sub/inner/f"), "inner").unwrap();
        std::fs::write(p.join("ro/skill"), "skill").unwrap();
        let mut builder = Vfs::builder(&setup.limits, commands())
            .workspace(p.join("ws").into(), setup.access)
            .mount("/skills", p.join("ro").into(), Access::ReadOnly);
        if setup.scratch {
            builder = builder.scratch(Scratch::TempIn(p.to_owned()));
        }
        if !setup.openat2 {
            builder = builder.without_openat2();
        }
        let vfs = builder.build().unwrap();
        let actor = Actor::new(&setup.limits, 0o022, CallJournal::new());
        World { vfs, actor, dir }
    }

    fn host(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn open(&self, path: impl AsRef<[u8]>, o: OpenOptions) -> Result<Opened, Errno> {
        self.vfs.open(&self.actor, Base::Root, path.as_ref(), o)
    }

    fn file(&self, path: impl AsRef<[u8]>, o: OpenOptions) -> Result<Arc<FileHandle>, Errno> {
        match self.open(path, o)? {
            Opened::File(file) => Ok(file),
            Opened::Dir(_) => Err(Errno::ISDIR),
            _ => Err(Errno::NOTSUP),
        }
    }

    fn dir(&self, path: impl AsRef<[u8]>) -> Result<Arc<DirHandle>, Errno> {
        match self.open(
            path,
            OpenOptions {
                read: true,
                directory: true,
                ..none()
            },
        )? {
            Opened::Dir(dir) => Ok(dir),
            _ => Err(Errno::NOTDIR),
        }
    }

    fn read(&self, path: impl AsRef<[u8]>) -> Result<String, Errno> {
        let file = self.file(path, read())?;
        content(&file)
    }

    fn write(&self, path: impl AsRef<[u8]>, text: &str) -> Result<(), Errno> {
        let file = self.file(path, create())?;
        file.write_at(&self.actor, &[IoSlice::new(text.as_bytes())], 0)
            .map(|_| ())
    }

    fn stat(&self, path: impl AsRef<[u8]>) -> Result<Stat, Errno> {
        match self.vfs.stat(Base::Root, path.as_ref(), true)? {
            Stated::Here(stat) => Ok(stat),
            Stated::Fd(_) => Err(Errno::NOTSUP),
        }
    }

    fn symlink(&self, target: &str, path: &str) -> Result<(), Errno> {
        self.vfs
            .symlink(&self.actor, target.as_bytes(), Base::Root, path.as_bytes())
    }

    fn mkdir(&self, path: &str) -> Result<(), Errno> {
        self.vfs
            .mkdir(&self.actor, Base::Root, path.as_bytes(), 0o777)
    }

    fn unlink(&self, path: &str) -> Result<(), Errno> {
        self.vfs.unlink(&self.actor, Base::Root, path.as_bytes())
    }

    fn rmdir(&self, path: &str) -> Result<(), Errno> {
        self.vfs.rmdir(&self.actor, Base::Root, path.as_bytes())
    }

    fn rename(&self, a: &str, b: &str) -> Result<(), Errno> {
        self.vfs.rename(
            &self.actor,
            Base::Root,
            a.as_bytes(),
            Base::Root,
            b.as_bytes(),
        )
    }

    fn link(&self, a: &str, b: &str) -> Result<(), Errno> {
        self.vfs.link(
            &self.actor,
            Base::Root,
            a.as_bytes(),
            false,
            Base::Root,
            b.as_bytes(),
        )
    }

    fn list(&self, path: &str) -> Vec<String> {
        names(&self.dir(path).unwrap())
    }

    /// Fails if anything outside the mounts was touched.
    fn assert_outside_intact(&self) {
        for f in ["canary", "outside/canary", "outside/deep/canary"] {
            assert_eq!(
                std::fs::read_to_string(self.host(f)).unwrap(),
                CANARY,
                "{f}"
            );
        }
        let count = |p: &Path| std::fs::read_dir(p).unwrap().count();
        assert_eq!(
            (
                count(&self.host("outside")),
                count(&self.host("outside/deep"))
            ),
            (2, 1)
        );
        assert_eq!(
            std::fs::read_to_string(self.host("ro/skill")).unwrap(),
            "skill"
        );
        assert_eq!(count(&self.host("ro")), 1);
    }

    fn changes(&self) -> Vec<String> {
        let (changes, scan) = self.vfs.changes();
        show(&changes, scan)
    }
}

fn show(changes: &[Change], scan: bool) -> Vec<String> {
    if scan {
        return vec!["scan".to_owned()];
    }
    let one = |c: &Change| match &c.kind {
        ChangeKind::Created => format!("+{}", c.path),
        ChangeKind::Modified => format!("~{}", c.path),
        ChangeKind::Removed => format!("-{}", c.path),
        ChangeKind::Mode => format!("%{}", c.path),
        ChangeKind::Renamed { from } => format!("{from}>{}", c.path),
    };
    changes.iter().map(one).collect()
}

fn none() -> OpenOptions {
    OpenOptions::default()
}

fn read() -> OpenOptions {
    OpenOptions {
        read: true,
        ..none()
    }
}

fn write() -> OpenOptions {
    OpenOptions {
        write: true,
        ..none()
    }
}

fn create() -> OpenOptions {
    OpenOptions {
        write: true,
        create: true,
        truncate: true,
        mode: 0o666,
        ..none()
    }
}

fn content(file: &FileHandle) -> Result<String, Errno> {
    let mut buf = vec![0; 4096];
    let n = file.read_at(&mut [IoSliceMut::new(&mut buf)], 0)?;
    Ok(String::from_utf8_lossy(&buf[..n]).into_owned())
}

fn names(dir: &DirHandle) -> Vec<String> {
    let mut out = Vec::new();
    dir.read_dir(0, &[0, 1, 5], &mut |e| {
        out.push(String::from_utf8_lossy(e.name).into_owned());
        true
    })
    .unwrap();
    out.sort();
    out
}
