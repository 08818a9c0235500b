//! The imports themselves. Everything else in the crate is safe.

macro_rules! imports {
    ($( $(#[$doc:meta])* fn $name:ident($($arg:ident: $ty:ty),* $(,)?) -> $ret:ty; )*) => {
        #[cfg(target_os = "wasi")]
        mod wasi {
            #[link(wasm_import_module = "hardshell")]
            unsafe extern "C" {
                $( pub(super) fn $name($($arg: $ty),*) -> $ret; )*
            }
        }
        $(
            $(#[$doc])*
            ///
            /// # Safety
            /// Pointers must be valid for the lengths given beside them.
            pub(crate) unsafe fn $name($($arg: $ty),*) -> $ret {
                #[cfg(target_os = "wasi")]
                // SAFETY: the caller keeps the contract of this function, which is the import's.
                return unsafe { wasi::$name($($arg),*) };
                #[cfg(not(target_os = "wasi"))]
                {
                    $( let _ = $arg; )*
                    return crate::errno::NOSYS as $ret;
                }
            }
        )*
    };
}

imports! {
    /// A pipe: `out[0]` reads what `out[1]` writes.
    fn pipe(out: *mut u32) -> i32;
    /// Duplicates `fd` on the lowest free number that is at least `min`.
    fn dup(fd: u32, min: u32, out: *mut u32) -> i32;
    /// Makes `to` another name of `from`.
    fn dup2(from: u32, to: u32) -> i32;
    /// Starts a program.
    fn spawn(request: *const u8, len: u32, out_pid: *mut u32) -> i32;
    /// Waits for a child; 16 bytes out.
    fn wait(pid: u32, flags: u32, out: *mut u8) -> i32;
    /// Sends a signal within the call.
    fn kill(pid: u32, sig: u32) -> i32;
    /// 0 default, 1 ignore, 2 catch.
    fn sigaction(sig: u32, disposition: u32) -> i32;
    /// The next caught signal, or 0.
    fn sigtake() -> u32;
    /// This process.
    fn getpid() -> u32;
    /// Its parent.
    fn getppid() -> u32;
    /// Sets the process's working directory.
    fn chdir(path: *const u8, len: u32) -> i32;
    /// The process's working directory.
    fn getcwd(buf: *mut u8, len: u32, out_len: *mut u32) -> i32;
    /// Sets the mask (all ones: only asks) and returns the old one.
    fn umask(new: u32) -> u32;
    /// Length of the start-up blob.
    fn blob_len() -> u32;
    /// Copies the start-up blob.
    fn blob_read(buf: *mut u8, len: u32) -> i32;
    /// 96 bytes out; bit 0 of flags: do not follow the last link.
    fn stat(path: *const u8, len: u32, flags: u32, out: *mut u8) -> i32;
    /// 96 bytes out.
    fn fstat(fd: u32, out: *mut u8) -> i32;
    /// Permission bits of a path.
    fn chmod(path: *const u8, len: u32, mode: u32) -> i32;
    /// Permission bits of a descriptor.
    fn fchmod(fd: u32, mode: u32) -> i32;
    /// 32 bytes out.
    fn statfs(path: *const u8, len: u32, out: *mut u8) -> i32;
    /// 32 bytes out; who: 0 self, 1 children.
    fn rusage(who: u32, out: *mut u8) -> i32;
    /// 16 u64 out.
    fn limits(out: *mut u64) -> i32;
    /// A line per process of the call.
    fn ps(buf: *mut u8, len: u32, out_len: *mut u32) -> i32;
    /// Advisory lock.
    fn flock(fd: u32, op: u32) -> i32;
    /// Rows and columns.
    fn isatty_size(fd: u32, out: *mut u16) -> i32;
}
