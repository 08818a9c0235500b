//! Between the kernel's words and WASI 0.2's.

use wasmtime_wasi::p2::FsError;
use wasmtime_wasi::p2::bindings::clocks::wall_clock::Datetime;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    DescriptorStat, DescriptorType, ErrorCode, NewTimestamp,
};

use crate::errno::Errno;
use crate::process::Stop;
use crate::sentence;
use crate::vfs::{Actor, FileType, Stat, When};

/// The end of the process, when the error is a full quota.
pub(super) fn quota(e: Errno, actor: &Actor) -> Option<Stop> {
    if e != Errno::DQUOT {
        return None;
    }
    actor.take_quota_hit().map(|hit| sentence::quota(&hit))
}

pub(super) fn error(e: Errno, actor: &Actor) -> FsError {
    match quota(e, actor) {
        Some(stop) => FsError::trap(stop),
        None => code(e).into(),
    }
}

fn code(e: Errno) -> ErrorCode {
    match e {
        Errno::ACCES => ErrorCode::Access,
        Errno::AGAIN => ErrorCode::WouldBlock,
        Errno::BADF => ErrorCode::BadDescriptor,
        Errno::BUSY => ErrorCode::Busy,
        Errno::DQUOT => ErrorCode::Quota,
        Errno::EXIST => ErrorCode::Exist,
        Errno::FBIG => ErrorCode::FileTooLarge,
        Errno::ILSEQ => ErrorCode::IllegalByteSequence,
        Errno::INTR => ErrorCode::Interrupted,
        Errno::INVAL => ErrorCode::Invalid,
        Errno::ISDIR => ErrorCode::IsDirectory,
        Errno::LOOP => ErrorCode::Loop,
        Errno::MLINK => ErrorCode::TooManyLinks,
        Errno::NAMETOOLONG => ErrorCode::NameTooLong,
        Errno::NODEV => ErrorCode::NoDevice,
        Errno::NOENT => ErrorCode::NoEntry,
        Errno::NOMEM | Errno::NOBUFS => ErrorCode::InsufficientMemory,
        Errno::NOSPC => ErrorCode::InsufficientSpace,
        Errno::NOTDIR => ErrorCode::NotDirectory,
        Errno::NOTEMPTY => ErrorCode::NotEmpty,
        Errno::NOTSUP | Errno::NOSYS => ErrorCode::Unsupported,
        Errno::NOTTY => ErrorCode::NoTty,
        Errno::NXIO => ErrorCode::NoSuchDevice,
        Errno::OVERFLOW => ErrorCode::Overflow,
        Errno::PERM | Errno::NOTCAPABLE => ErrorCode::NotPermitted,
        Errno::PIPE => ErrorCode::Pipe,
        Errno::ROFS => ErrorCode::ReadOnly,
        Errno::SPIPE => ErrorCode::InvalidSeek,
        Errno::TXTBSY => ErrorCode::TextFileBusy,
        Errno::XDEV => ErrorCode::CrossDevice,
        _ => ErrorCode::Io,
    }
}

pub(super) fn file_type(t: FileType) -> DescriptorType {
    match t {
        FileType::File => DescriptorType::RegularFile,
        FileType::Dir => DescriptorType::Directory,
        FileType::Symlink => DescriptorType::SymbolicLink,
        FileType::CharDevice => DescriptorType::CharacterDevice,
        FileType::Other => DescriptorType::Unknown,
    }
}

fn datetime(nanos: u64) -> Datetime {
    Datetime {
        seconds: nanos / 1_000_000_000,
        nanoseconds: u32::try_from(nanos % 1_000_000_000).unwrap_or(0),
    }
}

pub(super) fn stat(s: &Stat) -> DescriptorStat {
    DescriptorStat {
        type_: file_type(s.file_type),
        link_count: s.nlink,
        size: s.size,
        data_access_timestamp: Some(datetime(s.atime)),
        data_modification_timestamp: Some(datetime(s.mtime)),
        status_change_timestamp: Some(datetime(s.ctime)),
    }
}

pub(super) fn when(t: &NewTimestamp) -> Result<When, Errno> {
    Ok(match t {
        NewTimestamp::NoChange => When::Omit,
        NewTimestamp::Now => When::Now,
        NewTimestamp::Timestamp(t) => {
            let nanos = t
                .seconds
                .checked_mul(1_000_000_000)
                .ok_or(Errno::OVERFLOW)?;
            When::At(
                nanos
                    .checked_add(u64::from(t.nanoseconds))
                    .ok_or(Errno::OVERFLOW)?,
            )
        }
    })
}
