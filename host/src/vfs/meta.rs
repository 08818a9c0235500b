//! Status and times: from the host's form to the sandbox's and back.

use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{FileType as HostType, Mode, Stat as HostStat, Timespec, Timestamps};

use super::tree::Leaf;
use super::{Device, FileType, Stat, Times, Vfs, When};
use crate::errno::Errno;

const S_IFCHR: u32 = 0o020_000;
const S_IFDIR: u32 = 0o040_000;
const S_IFREG: u32 = 0o100_000;
/// Number of the synthetic nodes' device.
const SYNTHETIC_DEV: u64 = 1;

impl From<HostType> for FileType {
    fn from(t: HostType) -> FileType {
        match t {
            HostType::RegularFile => FileType::File,
            HostType::Directory => FileType::Dir,
            HostType::Symlink => FileType::Symlink,
            HostType::CharacterDevice => FileType::CharDevice,
            _ => FileType::Other,
        }
    }
}

pub(super) fn file_type(stat: &HostStat) -> FileType {
    HostType::from_raw_mode(stat.st_mode).into()
}

fn nanos(seconds: i64, nanos: u64) -> u64 {
    u64::try_from(seconds).map_or(0, |s| s.saturating_mul(1_000_000_000).saturating_add(nanos))
}

fn when(w: When) -> Timespec {
    match w {
        When::Omit => Timespec {
            tv_sec: 0,
            tv_nsec: rustix::fs::UTIME_OMIT,
        },
        When::Now => Timespec {
            tv_sec: 0,
            tv_nsec: rustix::fs::UTIME_NOW,
        },
        When::At(ns) => Timespec {
            tv_sec: i64::try_from(ns / 1_000_000_000).unwrap_or(i64::MAX),
            tv_nsec: (ns % 1_000_000_000).try_into().unwrap_or(0),
        },
    }
}

pub(super) fn timestamps(times: Times) -> Timestamps {
    Timestamps {
        last_access: when(times.atime),
        last_modification: when(times.mtime),
    }
}

/// Permission bits that a guest may set: no set-user-id, no sticky bit.
pub(super) fn mode_bits(mode: u32) -> Mode {
    Mode::from_raw_mode(mode & 0o777)
}

impl Vfs {
    /// The sandbox's form of a host status.
    pub(super) fn stat_of(&self, mount: usize, s: &HostStat) -> Stat {
        let number = u64::try_from(mount)
            .unwrap_or(0)
            .saturating_add(SYNTHETIC_DEV + 1);
        let same = self
            .mounts
            .get(mount)
            .and_then(|m| m.root().ok())
            .is_some_and(|r| r.host_dev == s.st_dev);
        // A host file system mounted inside the folder is another device here too.
        let dev = if same {
            number
        } else {
            (number << 40) ^ s.st_dev
        };
        Stat {
            dev,
            ino: s.st_ino,
            mode: s.st_mode,
            nlink: s.st_nlink,
            size: u64::try_from(s.st_size).unwrap_or(0),
            blocks: u64::try_from(s.st_blocks).unwrap_or(0),
            atime: nanos(s.st_atime, s.st_atime_nsec),
            mtime: nanos(s.st_mtime, s.st_mtime_nsec),
            ctime: nanos(s.st_ctime, s.st_ctime_nsec),
            rdev: 0,
            file_type: file_type(s),
        }
    }

    pub(super) fn stat_fd(&self, mount: usize, fd: BorrowedFd<'_>) -> Result<Stat, Errno> {
        Ok(self.stat_of(mount, &rustix::fs::fstat(fd)?))
    }

    fn synthetic(&self, ino: u64, mode: u32, file_type: FileType) -> Stat {
        Stat {
            dev: SYNTHETIC_DEV,
            ino,
            mode,
            nlink: if file_type == FileType::Dir { 2 } else { 1 },
            size: 0,
            blocks: 0,
            atime: self.born,
            mtime: self.born,
            ctime: self.born,
            rdev: 0,
            file_type,
        }
    }

    /// Status of a synthetic directory.
    pub(super) fn stat_synthetic(&self, node: usize) -> Stat {
        self.synthetic(synthetic_ino(node), S_IFDIR | 0o555, FileType::Dir)
    }

    /// Status of a device or command.
    pub(super) fn stat_leaf(&self, leaf: &Leaf) -> Stat {
        match leaf {
            Leaf::Device(device) => {
                let rdev = match device {
                    Device::Null => 0x103,
                    Device::Zero => 0x105,
                    Device::Full => 0x107,
                    Device::Random => 0x109,
                    Device::Tty => 0x500,
                    Device::Fd(_) => 0,
                };
                let mut s = self.synthetic(leaf_ino(leaf), S_IFCHR | 0o666, FileType::CharDevice);
                s.rdev = rdev;
                s
            }
            Leaf::Command(_) => self.synthetic(leaf_ino(leaf), S_IFREG | 0o555, FileType::File),
        }
    }
}

/// Inode number of a synthetic directory.
pub(super) fn synthetic_ino(node: usize) -> u64 {
    u64::try_from(node).unwrap_or(0).saturating_add(1)
}

/// Inode number of a device or command: the same wherever it is listed.
pub(super) fn leaf_ino(leaf: &Leaf) -> u64 {
    match leaf {
        Leaf::Device(Device::Null) => 1001,
        Leaf::Device(Device::Zero) => 1002,
        Leaf::Device(Device::Full) => 1003,
        Leaf::Device(Device::Random) => 1004,
        Leaf::Device(Device::Tty) => 1005,
        Leaf::Device(Device::Fd(n)) => 1_000_000 + u64::from(*n),
        Leaf::Command(name) => {
            name.bytes().fold(0xcbf2_9ce4_8422_2325u64, |h, b| {
                (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3)
            }) | (1 << 62)
        }
    }
}

/// Sets the times of an open file or directory.
pub(super) fn set_times(fd: impl AsFd, times: Times) -> Result<(), Errno> {
    Ok(rustix::fs::futimens(fd, &timestamps(times))?)
}
