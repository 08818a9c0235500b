//! A stand-in for the sandbox's kernel on the developer's machine: it lets the tests run the
//! shell beside the reference shell. Never part of the product.
#![allow(clippy::undocumented_unsafe_blocks, missing_docs)]

use super::{Cpu, Ended, Entry, Errno, Fd, OpenHow, Res, Spawn, Stat};
use std::ffi::CString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! errnos {
    ($($name:ident = $value:ident;)*) => {
        impl Errno { $(pub const $name: Errno = Errno(libc::$value);)* }
    };
}
errnos! {
    TOOBIG = E2BIG; ACCES = EACCES; AGAIN = EAGAIN; BADF = EBADF; BUSY = EBUSY; CHILD = ECHILD;
    DQUOT = EDQUOT; EXIST = EEXIST; FBIG = EFBIG; INTR = EINTR; INVAL = EINVAL; IO = EIO;
    ISDIR = EISDIR; LOOP = ELOOP; MFILE = EMFILE; NAMETOOLONG = ENAMETOOLONG; NOENT = ENOENT;
    NOEXEC = ENOEXEC; NOMEM = ENOMEM; NOSPC = ENOSPC; NOSYS = ENOSYS; NOTDIR = ENOTDIR;
    NOTSUP = ENOTSUP; NOTTY = ENOTTY; NXIO = ENXIO; PERM = EPERM; PIPE = EPIPE; ROFS = EROFS;
    SPIPE = ESPIPE; SRCH = ESRCH;
}

fn last() -> Errno {
    Errno(
        std::io::Error::last_os_error()
            .raw_os_error()
            .unwrap_or(libc::EIO),
    )
}
fn io(e: std::io::Error) -> Errno {
    Errno(e.raw_os_error().unwrap_or(libc::EIO))
}
fn c(p: &[u8]) -> CString {
    CString::new(p).unwrap_or_default()
}
fn path(p: &[u8]) -> &std::path::Path {
    std::ffi::OsStr::from_bytes(p).as_ref()
}
fn ok(r: i32) -> Res<u32> {
    if r < 0 { Err(last()) } else { Ok(r as u32) }
}

pub fn open(p: &[u8], how: OpenHow, mode: u32) -> Res<Fd> {
    let mut f = libc::O_CLOEXEC
        | match (how.read, how.write) {
            (true, true) => libc::O_RDWR,
            (false, true) => libc::O_WRONLY,
            _ => libc::O_RDONLY,
        };
    if how.create {
        f |= libc::O_CREAT;
    }
    if how.truncate {
        f |= libc::O_TRUNC;
    }
    if how.append {
        f |= libc::O_APPEND;
    }
    if how.exclusive {
        f |= libc::O_EXCL;
    }
    ok(unsafe { libc::open(c(p).as_ptr(), f, mode) })
}
pub fn read(fd: Fd, buf: &mut [u8]) -> Res<usize> {
    let n = unsafe { libc::read(fd as i32, buf.as_mut_ptr().cast(), buf.len()) };
    if n < 0 { Err(last()) } else { Ok(n as usize) }
}
pub fn write(fd: Fd, buf: &[u8]) -> Res<usize> {
    let n = unsafe { libc::write(fd as i32, buf.as_ptr().cast(), buf.len()) };
    if n < 0 { Err(last()) } else { Ok(n as usize) }
}
pub fn close(fd: Fd) {
    unsafe { libc::close(fd as i32) };
}
pub fn seek_by(fd: Fd, delta: i64) -> Res<u64> {
    let n = unsafe { libc::lseek(fd as i32, delta, libc::SEEK_CUR) };
    if n < 0 { Err(last()) } else { Ok(n as u64) }
}
pub fn is_open(fd: Fd) -> bool {
    unsafe { libc::fcntl(fd as i32, libc::F_GETFD) >= 0 }
}
pub fn pipe() -> Res<(Fd, Fd)> {
    let mut f = [0i32; 2];
    ok(unsafe { libc::pipe2(f.as_mut_ptr(), libc::O_CLOEXEC) })?;
    Ok((f[0] as u32, f[1] as u32))
}
pub fn dup(fd: Fd) -> Res<Fd> {
    ok(unsafe { libc::fcntl(fd as i32, libc::F_DUPFD_CLOEXEC, 10) })
}
pub fn dup2(from: Fd, to: Fd) -> Res<()> {
    ok(unsafe { libc::dup2(from as i32, to as i32) }).map(drop)
}
pub fn wait_readable(fd: Fd, timeout_ns: Option<u64>) -> Res<bool> {
    let mut p = libc::pollfd {
        fd: fd as i32,
        events: libc::POLLIN,
        revents: 0,
    };
    let t = timeout_ns.map_or(-1, |n| n.div_ceil(1_000_000) as i32);
    Ok(ok(unsafe { libc::poll(&mut p, 1, t) })? > 0)
}
pub fn sleep_ns(ns: u64) {
    std::thread::sleep(std::time::Duration::from_nanos(ns));
}
pub fn read_dir(p: &[u8]) -> Res<Vec<Entry>> {
    let mut out = Vec::new();
    for e in std::fs::read_dir(path(p)).map_err(io)? {
        let e = e.map_err(io)?;
        let t = e.file_type().map_err(io)?;
        out.push(Entry {
            name: e.file_name().into_vec(),
            dir: if t.is_symlink() {
                None
            } else {
                Some(t.is_dir())
            },
        });
    }
    Ok(out)
}
pub fn read_link(p: &[u8]) -> Res<Vec<u8>> {
    std::fs::read_link(path(p))
        .map(|p| p.into_os_string().into_vec())
        .map_err(io)
}
fn to(m: std::fs::Metadata) -> Stat {
    Stat {
        dev: m.dev(),
        ino: m.ino(),
        mode: m.mode(),
        uid: m.uid(),
        gid: m.gid(),
        size: m.size(),
        atime: (m.atime() * 1_000_000_000 + m.atime_nsec()) as u64,
        mtime: (m.mtime() * 1_000_000_000 + m.mtime_nsec()) as u64,
    }
}
pub fn stat(p: &[u8]) -> Res<Stat> {
    std::fs::metadata(path(p)).map(to).map_err(io)
}
pub fn lstat(p: &[u8]) -> Res<Stat> {
    std::fs::symlink_metadata(path(p)).map(to).map_err(io)
}
pub fn fstat(fd: Fd) -> Res<Stat> {
    stat(format!("/proc/self/fd/{fd}").as_bytes())
}
pub fn unlink(p: &[u8]) -> Res<()> {
    std::fs::remove_file(path(p)).map_err(io)
}
pub fn getcwd() -> Res<Vec<u8>> {
    std::env::current_dir()
        .map(|p| p.into_os_string().into_vec())
        .map_err(io)
}
pub fn chdir(p: &[u8]) -> Res<()> {
    std::env::set_current_dir(path(p)).map_err(io)
}
pub fn umask(new: Option<u32>) -> u32 {
    unsafe {
        let old = libc::umask(new.unwrap_or(0));
        if new.is_none() {
            libc::umask(old);
        }
        old
    }
}
fn find(program: &[u8], env: &[Vec<u8>]) -> Res<Vec<u8>> {
    if program.contains(&b'/') {
        return Ok(program.to_vec());
    }
    let path = env
        .iter()
        .find_map(|e| e.strip_prefix(b"PATH="))
        .unwrap_or(b"/usr/bin:/bin");
    for dir in path.split(|b| *b == b':') {
        let mut full = if dir.is_empty() {
            b".".to_vec()
        } else {
            dir.to_vec()
        };
        full.push(b'/');
        full.extend_from_slice(program);
        if stat(&full).is_ok_and(|s| s.is_file() && s.mode & 0o111 != 0) {
            return Ok(full);
        }
    }
    Err(Errno::NOENT)
}
pub fn spawn(s: &Spawn<'_>) -> Res<u32> {
    let full = find(s.program, s.env)?;
    spawn_at(&full, s)
}
pub fn spawn_self(s: &Spawn<'_>) -> Res<u32> {
    spawn_at(b"/proc/self/exe", s)
}
fn spawn_at(full: &[u8], s: &Spawn<'_>) -> Res<u32> {
    let st = stat(full)?;
    if st.is_dir() || st.mode & 0o111 == 0 {
        return Err(Errno::ACCES);
    }
    let mut env: Vec<CString> = s.env.iter().map(|e| c(e)).collect();
    let mut fds: Vec<(u32, Fd)> = s.fds.to_vec();
    if !s.blob.is_empty() {
        let m = ok(unsafe { libc::memfd_create(c"blob".as_ptr(), 0) })?;
        let mut left = s.blob;
        while !left.is_empty() {
            let n = write(m, left)?;
            left = &left[n..];
        }
        unsafe { libc::lseek(m as i32, 0, libc::SEEK_SET) };
        env.push(c(b"HARDSHELL_BLOB=99"));
        fds.push((99, m));
    }
    let argv: Vec<CString> = s.argv.iter().map(|e| c(e)).collect();
    let mut av: Vec<*const libc::c_char> = argv.iter().map(|a| a.as_ptr()).collect();
    av.push(std::ptr::null());
    let mut ev: Vec<*const libc::c_char> = env.iter().map(|a| a.as_ptr()).collect();
    ev.push(std::ptr::null());
    let full = c(full);
    let (r, w) = pipe()?;
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        unsafe {
            // Move the sources out of the way of the targets first.
            let mut moved = [(0u32, 0i32); 64];
            for (i, (to, from)) in fds.iter().enumerate().take(64) {
                moved[i] = (*to, libc::fcntl(*from as i32, libc::F_DUPFD_CLOEXEC, 200));
            }
            let err = libc::fcntl(w as i32, libc::F_DUPFD_CLOEXEC, 300);
            for fd in 0..3 {
                libc::close(fd);
            }
            for (to, from) in moved.iter().take(fds.len()) {
                libc::dup2(*from, *to as i32);
            }
            for sig in 1..32 {
                let mut old: libc::sigaction = std::mem::zeroed();
                libc::sigaction(sig, std::ptr::null(), &mut old);
                if old.sa_sigaction != libc::SIG_IGN {
                    libc::signal(sig, libc::SIG_DFL);
                }
            }
            libc::execve(full.as_ptr(), av.as_ptr(), ev.as_ptr());
            let e = *libc::__errno_location();
            libc::write(err, (&raw const e).cast(), 4);
            libc::_exit(127);
        }
    }
    close(w);
    let mut e = [0u8; 4];
    let n = read(r, &mut e);
    close(r);
    if !s.blob.is_empty()
        && let Some((_, m)) = fds.last()
    {
        close(*m);
    }
    if n == Ok(4) {
        let mut st = 0;
        unsafe { libc::waitpid(pid, &mut st, 0) };
        return Err(Errno(i32::from_le_bytes(e)));
    }
    ok(pid)
}
pub fn wait(pid: Option<u32>, hang: bool) -> Res<Option<Ended>> {
    let mut st = 0;
    let r = unsafe {
        libc::waitpid(
            pid.map_or(-1, |p| p as i32),
            &mut st,
            if hang { 0 } else { libc::WNOHANG },
        )
    };
    if r < 0 {
        return Err(last());
    }
    if r == 0 {
        return Ok(None);
    }
    let signaled = libc::WIFSIGNALED(st);
    let status = if signaled {
        128 + libc::WTERMSIG(st)
    } else {
        libc::WEXITSTATUS(st)
    };
    Ok(Some(Ended {
        pid: r as u32,
        status,
        by_signal: signaled,
    }))
}
pub fn kill(pid: u32, sig: u32) -> Res<()> {
    ok(unsafe { libc::kill(pid as i32, sig as i32) }).map(drop)
}
static PENDING: AtomicU64 = AtomicU64::new(0);
extern "C" fn handler(sig: i32) {
    PENDING.fetch_or(1 << sig, Ordering::SeqCst);
}
pub fn sigaction(sig: u32, what: u32) -> Res<()> {
    unsafe {
        let mut a: libc::sigaction = std::mem::zeroed();
        a.sa_sigaction = match what {
            0 => libc::SIG_DFL,
            1 => libc::SIG_IGN,
            _ => handler as *const () as usize,
        };
        ok(libc::sigaction(sig as i32, &a, std::ptr::null_mut())).map(drop)
    }
}
pub fn sigtake() -> Option<u32> {
    let p = PENDING.load(Ordering::SeqCst);
    if p == 0 {
        return None;
    }
    let s = p.trailing_zeros();
    PENDING.fetch_and(!(1 << s), Ordering::SeqCst);
    Some(s)
}
pub fn ignored_at_start(sig: u32) -> bool {
    unsafe {
        let mut old: libc::sigaction = std::mem::zeroed();
        libc::sigaction(sig as i32, std::ptr::null(), &mut old);
        // Rust's runtime ignores SIGPIPE on its own account.
        sig != 13 && old.sa_sigaction == libc::SIG_IGN
    }
}
pub fn getpid() -> u32 {
    std::process::id()
}
pub fn getppid() -> u32 {
    std::os::unix::process::parent_id()
}
pub fn blob() -> Vec<u8> {
    if std::env::var_os("HARDSHELL_BLOB").is_none() {
        return Vec::new();
    }
    unsafe { std::env::remove_var("HARDSHELL_BLOB") };
    let mut out = Vec::new();
    let mut buf = [0u8; 65536];
    while let Ok(n) = read(99, &mut buf) {
        if n == 0 {
            break;
        }
        out.extend_from_slice(&buf[..n]);
    }
    close(99);
    out
}
pub fn inherited(n: u32) -> Fd {
    n
}
pub fn isatty(fd: Fd) -> bool {
    unsafe { libc::isatty(fd as i32) == 1 }
}
pub fn cpu() -> (Cpu, Cpu) {
    unsafe {
        let mut t: libc::tms = std::mem::zeroed();
        libc::times(&mut t);
        let u = |v: i64| (v * 10_000) as u64;
        (
            (u(t.tms_utime), u(t.tms_stime)),
            (u(t.tms_cutime), u(t.tms_cstime)),
        )
    }
}
pub fn limits() -> [u64; 6] {
    [u64::MAX, u64::MAX, 1024, u64::MAX, 65536, 1024]
}
pub fn now_ns() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |d| d.as_nanos() as u64)
}
pub fn monotonic_ns() -> u64 {
    unsafe {
        let mut t: libc::timespec = std::mem::zeroed();
        libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut t);
        t.tv_sec as u64 * 1_000_000_000 + t.tv_nsec as u64
    }
}
pub fn random() -> u32 {
    let mut b = [0u8; 4];
    unsafe { libc::getrandom(b.as_mut_ptr().cast(), 4, 0) };
    u32::from_le_bytes(b)
}
pub fn args() -> Vec<Vec<u8>> {
    std::env::args_os().map(OsStringExt::into_vec).collect()
}
pub fn env() -> Vec<Vec<u8>> {
    std::env::vars_os()
        .map(|(k, v)| {
            let mut k = k.into_vec();
            k.push(b'=');
            k.extend(v.into_vec());
            k
        })
        .collect()
}
pub fn ids() -> (u32, u32) {
    unsafe { (libc::getuid(), libc::getgid()) }
}
pub fn access(st: &Stat, what: u32) -> bool {
    if ids().0 == 0 {
        return what != 1 || st.is_dir() || st.mode & 0o111 != 0;
    }
    (st.mode >> 6 | st.mode >> 3 | st.mode) & what == what
}
pub fn die_by(sig: u32) -> ! {
    let _ = sigaction(sig, 0);
    let _ = kill(getpid(), sig);
    std::process::exit(128 + sig as i32)
}
