//! What the standard library lacks on WASI: file modes and the session's quota.

use std::io;
use std::path::Path;

/// The permission bits of the file at `path`, if they can be had.
pub fn mode(path: &Path) -> Option<u32> {
    imp::mode(path)
}

/// Sets the permission bits of the file at `path`.
pub fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    imp::set_mode(path, mode)
}

/// How many bytes a new file beside `path` may hold: the limit on one file and
/// what is left of the workspace's, whichever is smaller.
pub fn room(path: &Path) -> u64 {
    imp::room(path)
}

#[cfg(target_os = "wasi")]
mod imp {
    use std::io;
    use std::path::Path;

    pub(super) fn mode(path: &Path) -> Option<u32> {
        hardshell_sys::stat(path)
            .ok()
            .map(|stat| stat.permissions())
    }

    pub(super) fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
        hardshell_sys::chmod(path, mode)
    }

    pub(super) fn room(path: &Path) -> u64 {
        let file = hardshell_sys::limits().map_or(u64::MAX, |limits| limits.file_size);
        let directory = path.parent().unwrap_or(Path::new("/"));
        let mount = hardshell_sys::statfs(directory).map_or(u64::MAX, |quota| quota.free);
        file.min(mount)
    }
}

#[cfg(not(target_os = "wasi"))]
mod imp {
    use std::fs::{self, Permissions};
    use std::io;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    pub(super) fn mode(path: &Path) -> Option<u32> {
        fs::metadata(path)
            .ok()
            .map(|metadata| metadata.permissions().mode() & 0o7777)
    }

    pub(super) fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
        fs::set_permissions(path, Permissions::from_mode(mode))
    }

    pub(super) fn room(_path: &Path) -> u64 {
        u64::MAX
    }
}
