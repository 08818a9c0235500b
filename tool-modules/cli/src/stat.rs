//! File metadata in full, from the kernel in the sandbox and from the standard
//! library in native tests.

use std::io;

/// A file's metadata, as `struct stat` has it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stat {
    /// Device.
    pub dev: u64,
    /// Inode.
    pub ino: u64,
    /// Type and permission bits.
    pub mode: u32,
    /// Hard links.
    pub nlink: u64,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Bytes.
    pub size: u64,
    /// Blocks of 512 bytes.
    pub blocks: u64,
    /// Last access, nanoseconds since 1970.
    pub atime: i128,
    /// Last change of content, nanoseconds since 1970.
    pub mtime: i128,
    /// Last change of metadata, nanoseconds since 1970.
    pub ctime: i128,
    /// Device number of a device node.
    pub rdev: u64,
}

impl Stat {
    /// The letter that `ls -l` and `find -type` use.
    pub fn kind(&self) -> u8 {
        match self.mode & 0o170_000 {
            0o040_000 => b'd',
            0o120_000 => b'l',
            0o020_000 => b'c',
            0o060_000 => b'b',
            0o010_000 => b'p',
            0o140_000 => b's',
            _ => b'f',
        }
    }

    /// Whether it is a directory.
    pub fn is_dir(&self) -> bool {
        self.kind() == b'd'
    }

    /// `drwxr-xr-x`
    pub fn mode_text(&self) -> String {
        let mut out = String::with_capacity(10);
        out.push(match self.kind() {
            b'f' => '-',
            other => char::from(other),
        });
        for (shift, special, letter) in [(6, 0o4000, 's'), (3, 0o2000, 's'), (0, 0o1000, 't')] {
            let bits = self.mode >> shift;
            out.push(if bits & 4 != 0 { 'r' } else { '-' });
            out.push(if bits & 2 != 0 { 'w' } else { '-' });
            out.push(match (bits & 1 != 0, self.mode & special != 0) {
                (true, true) => letter,
                (false, true) => letter.to_ascii_uppercase(),
                (true, false) => 'x',
                (false, false) => '-',
            });
        }
        out
    }
}

/// The metadata of what a link leads to.
pub fn stat(name: &[u8]) -> io::Result<Stat> {
    imp::get(name, true)
}

/// The metadata of the link itself.
pub fn lstat(name: &[u8]) -> io::Result<Stat> {
    imp::get(name, false)
}

/// Sets the permission bits.
pub fn chmod(name: &[u8], mode: u32) -> io::Result<()> {
    imp::chmod(name, mode)
}

/// The name of a user: from `/etc/passwd` where there is one, else that of the
/// environment for the process's own number, else the number.
pub fn user_name(uid: u32) -> String {
    named("/etc/passwd", uid).unwrap_or_else(|| own_name(uid))
}

/// The name of a group, likewise.
pub fn group_name(gid: u32) -> String {
    named("/etc/group", gid).unwrap_or_else(|| own_name(gid))
}

fn own_name(id: u32) -> String {
    if id == 0 {
        return "root".to_owned();
    }
    match std::env::var("USER") {
        Ok(name) if !name.is_empty() => name,
        // The kernel's one user.
        _ if id == 1000 => "agent".to_owned(),
        _ => id.to_string(),
    }
}

fn named(file: &str, id: u32) -> Option<String> {
    let text = std::fs::read_to_string(file).ok()?;
    let wanted = id.to_string();
    text.lines().find_map(|line| {
        let mut parts = line.split(':');
        let name = parts.next()?;
        (parts.nth(1)? == wanted).then(|| name.to_owned())
    })
}

#[cfg(target_os = "wasi")]
mod imp {
    use super::Stat;
    use std::io;

    pub fn get(name: &[u8], follow: bool) -> io::Result<Stat> {
        let path = crate::path(name);
        let s = if follow {
            hardshell_sys::stat(path)?
        } else {
            hardshell_sys::lstat(path)?
        };
        Ok(Stat {
            dev: s.dev,
            ino: s.ino,
            mode: s.mode,
            nlink: u64::from(s.nlink),
            uid: s.uid,
            gid: s.gid,
            size: s.size,
            blocks: s.blocks,
            atime: i128::from(s.atime_ns),
            mtime: i128::from(s.mtime_ns),
            ctime: i128::from(s.ctime_ns),
            rdev: s.rdev,
        })
    }

    pub fn chmod(name: &[u8], mode: u32) -> io::Result<()> {
        hardshell_sys::chmod(crate::path(name), mode)
    }
}

#[cfg(not(target_os = "wasi"))]
mod imp {
    use super::Stat;
    use std::io;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    pub fn get(name: &[u8], follow: bool) -> io::Result<Stat> {
        let path = crate::path(name);
        let m = if follow {
            std::fs::metadata(path)?
        } else {
            std::fs::symlink_metadata(path)?
        };
        let time =
            |seconds: i64, nanos: i64| i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
        Ok(Stat {
            dev: m.dev(),
            ino: m.ino(),
            mode: m.mode(),
            nlink: m.nlink(),
            uid: m.uid(),
            gid: m.gid(),
            size: m.size(),
            blocks: m.blocks(),
            atime: time(m.atime(), m.atime_nsec()),
            mtime: time(m.mtime(), m.mtime_nsec()),
            ctime: time(m.ctime(), m.ctime_nsec()),
            rdev: m.rdev(),
        })
    }

    pub fn chmod(name: &[u8], mode: u32) -> io::Result<()> {
        std::fs::set_permissions(crate::path(name), std::fs::Permissions::from_mode(mode))
    }
}
