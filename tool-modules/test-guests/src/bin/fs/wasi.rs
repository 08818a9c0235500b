//! Preview 1's file functions as they are, without a libc between them and the test.

macro_rules! wasi {
    ($( fn $name:ident($($arg:ident: $ty:ty),*); )*) => {
        mod import {
            use super::Iov;
            #[link(wasm_import_module = "wasi_snapshot_preview1")]
            unsafe extern "C" {
                $( pub(super) fn $name($($arg: $ty),*) -> u32; )*
            }
        }
        $(
            /// The import; the error is its errno.
            pub(crate) fn $name($($arg: $ty),*) -> Result<(), u32> {
                // SAFETY: whatever the arguments are, the host checks them against this
                // module's memory; the callers below pass live buffers.
                match unsafe { import::$name($($arg),*) } {
                    0 => Ok(()),
                    errno => Err(errno),
                }
            }
        )*
    };
}

wasi! {
    fn path_open(dir: u32, lookup: u32, path: *const u8, len: usize, oflags: u32, rights: u64, inheriting: u64, fdflags: u32, out: *mut u32);
    fn path_filestat_get(dir: u32, lookup: u32, path: *const u8, len: usize, out: *mut u8);
    fn path_filestat_set_times(dir: u32, lookup: u32, path: *const u8, len: usize, atim: u64, mtim: u64, flags: u32);
    fn path_create_directory(dir: u32, path: *const u8, len: usize);
    fn path_remove_directory(dir: u32, path: *const u8, len: usize);
    fn path_unlink_file(dir: u32, path: *const u8, len: usize);
    fn path_rename(dir: u32, path: *const u8, len: usize, to_dir: u32, to: *const u8, to_len: usize);
    fn path_link(dir: u32, lookup: u32, path: *const u8, len: usize, to_dir: u32, to: *const u8, to_len: usize);
    fn path_symlink(target: *const u8, target_len: usize, dir: u32, path: *const u8, len: usize);
    fn path_readlink(dir: u32, path: *const u8, len: usize, buf: *mut u8, buf_len: usize, out: *mut usize);
    fn fd_read(fd: u32, iovs: *const Iov, n: usize, out: *mut usize);
    fn fd_write(fd: u32, iovs: *const Iov, n: usize, out: *mut usize);
    fn fd_pread(fd: u32, iovs: *const Iov, n: usize, offset: u64, out: *mut usize);
    fn fd_pwrite(fd: u32, iovs: *const Iov, n: usize, offset: u64, out: *mut usize);
    fn fd_seek(fd: u32, offset: i64, whence: u32, out: *mut u64);
    fn fd_tell(fd: u32, out: *mut u64);
    fn fd_close(fd: u32);
    fn fd_filestat_get(fd: u32, out: *mut u8);
    fn fd_filestat_set_size(fd: u32, size: u64);
    fn fd_filestat_set_times(fd: u32, atim: u64, mtim: u64, flags: u32);
    fn fd_fdstat_get(fd: u32, out: *mut u8);
    fn fd_fdstat_set_flags(fd: u32, flags: u32);
    fn fd_allocate(fd: u32, offset: u64, len: u64);
    fn fd_advise(fd: u32, offset: u64, len: u64, advice: u32);
    fn fd_sync(fd: u32);
    fn fd_datasync(fd: u32);
    fn fd_renumber(from: u32, to: u32);
    fn fd_readdir(fd: u32, buf: *mut u8, len: usize, cookie: u64, out: *mut usize);
}

/// A buffer: address and length.
pub(crate) type Iov = [usize; 2];

/// A filestat: device, inode, type, links, size, access, modification, change time.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(crate) struct FileStat {
    pub(crate) dev: u64,
    pub(crate) ino: u64,
    pub(crate) filetype: u8,
    pub(crate) nlink: u64,
    pub(crate) size: u64,
    pub(crate) atim: u64,
    pub(crate) mtim: u64,
    pub(crate) ctim: u64,
}

/// An fdstat: type, flags, rights.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(crate) struct FdStat {
    pub(crate) filetype: u8,
    pub(crate) flags: u16,
    pub(crate) rights: u64,
    pub(crate) inheriting: u64,
}
