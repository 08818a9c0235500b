//! The kernel of the sandbox.

use super::{Cpu, Ended, Entry, Errno, Fd, OpenHow, Res, Spawn, Stat};
use hardshell_sys as sys;
use std::cell::RefCell;
use std::io;

macro_rules! errnos {
    ($($name:ident = $value:expr;)*) => {
        #[allow(missing_docs)]
        impl Errno { $(pub const $name: Errno = Errno($value);)* }
    };
}
errnos! {
    TOOBIG = 1; ACCES = 2; AGAIN = 6; BADF = 8; BUSY = 10; CHILD = 12; DQUOT = 19; EXIST = 20;
    FBIG = 22; INTR = 27; INVAL = 28; IO = 29; ISDIR = 31; LOOP = 32; MFILE = 33; NAMETOOLONG = 37;
    NOENT = 44; NOEXEC = 45; NOMEM = 48; NOSPC = 51; NOSYS = 52; NOTDIR = 54; NOTSUP = 58;
    NOTTY = 59; NXIO = 60; PERM = 63; PIPE = 64; ROFS = 69; SPIPE = 70; SRCH = 71;
}

/// The sandbox's root.
const ROOT: wasi::Fd = 3;

thread_local! {
    static CWD: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

fn errno(e: wasi::Errno) -> Errno {
    Errno(i32::from(e.raw()))
}

fn from_io(e: io::Error) -> Errno {
    e.raw_os_error().map_or(Errno::IO, Errno)
}

fn path(bytes: &[u8]) -> &std::path::Path {
    use std::os::wasi::ffi::OsStrExt;
    std::ffi::OsStr::from_bytes(bytes).as_ref()
}

/// `p` from the root, without the leading slash. Preview 1 wants text: a name that is not
/// UTF-8 is passed as it is, the kernel reads bytes.
fn from_root<T>(p: &[u8], f: impl FnOnce(&str) -> T) -> Res<T> {
    if p.is_empty() {
        return Err(Errno::NOENT);
    }
    let mut full;
    let bytes = if let Some(rest) = p.strip_prefix(b"/") {
        rest
    } else {
        full = getcwd()?;
        if full.last() != Some(&b'/') {
            full.push(b'/');
        }
        full.extend_from_slice(p);
        full.strip_prefix(b"/").unwrap_or(&full)
    };
    let bytes = if bytes.is_empty() { b"." } else { bytes };
    // SAFETY: the callee hands pointer and length to the kernel and never looks at the
    // characters; the kernel takes a path as bytes.
    let text = unsafe { std::str::from_utf8_unchecked(bytes) };
    Ok(f(text))
}

/// Opens a file.
pub fn open(p: &[u8], how: OpenHow, _mode: u32) -> Res<Fd> {
    let mut oflags = 0;
    if how.create {
        oflags |= wasi::OFLAGS_CREAT;
    }
    if how.truncate {
        oflags |= wasi::OFLAGS_TRUNC;
    }
    if how.exclusive {
        oflags |= wasi::OFLAGS_EXCL;
    }
    let mut rights =
        0x1fff_ffff & !(wasi::RIGHTS_FD_READ | wasi::RIGHTS_FD_WRITE | wasi::RIGHTS_FD_READDIR);
    if how.read {
        rights |= wasi::RIGHTS_FD_READ | wasi::RIGHTS_FD_READDIR;
    }
    if how.write {
        rights |= wasi::RIGHTS_FD_WRITE;
    }
    let flags = if how.append { wasi::FDFLAGS_APPEND } else { 0 };
    from_root(p, |text| {
        // SAFETY: plain numbers and a borrowed path.
        unsafe {
            wasi::path_open(
                ROOT,
                wasi::LOOKUPFLAGS_SYMLINK_FOLLOW,
                text,
                oflags,
                rights,
                rights,
                flags,
            )
        }
    })?
    .map_err(errno)
}

/// Reads.
pub fn read(fd: Fd, buf: &mut [u8]) -> Res<usize> {
    let iov = [wasi::Iovec {
        buf: buf.as_mut_ptr(),
        buf_len: buf.len(),
    }];
    // SAFETY: the vector describes `buf`, which lives until the call returns.
    unsafe { wasi::fd_read(fd, &iov) }.map_err(errno)
}

/// Writes some.
pub fn write(fd: Fd, buf: &[u8]) -> Res<usize> {
    let iov = [wasi::Ciovec {
        buf: buf.as_ptr(),
        buf_len: buf.len(),
    }];
    // SAFETY: the vector describes `buf`, which lives until the call returns.
    unsafe { wasi::fd_write(fd, &iov) }.map_err(errno)
}

/// Closes.
pub fn close(fd: Fd) {
    // SAFETY: the descriptor is ours; closing twice is only an error number.
    let _ = unsafe { wasi::fd_close(fd) };
}

/// Moves the offset relative to where it is; also tells whether a file can seek at all.
pub fn seek_by(fd: Fd, delta: i64) -> Res<u64> {
    // SAFETY: plain numbers.
    unsafe { wasi::fd_seek(fd, delta, wasi::WHENCE_CUR) }.map_err(errno)
}

/// Is the number in use?
pub fn is_open(fd: Fd) -> bool {
    // SAFETY: plain number.
    unsafe { wasi::fd_fdstat_get(fd) }.is_ok()
}

/// A pipe: (read, write).
pub fn pipe() -> Res<(Fd, Fd)> {
    sys::raw_pipe().map_err(from_io)
}

/// Duplicates.
pub fn dup(fd: Fd) -> Res<Fd> {
    sys::raw_dup(fd, 4).map_err(from_io)
}

/// Duplicates onto a number.
pub fn dup2(from: Fd, to: Fd) -> Res<()> {
    sys::raw_dup2(from, to).map_err(from_io)
}

/// Does it have data or is it at its end? Waits up to `timeout_ns` (`None`: for ever).
pub fn wait_readable(fd: Fd, timeout_ns: Option<u64>) -> Res<bool> {
    let read = wasi::Subscription {
        userdata: 0,
        u: wasi::SubscriptionU {
            tag: wasi::EVENTTYPE_FD_READ.raw(),
            u: wasi::SubscriptionUU {
                fd_read: wasi::SubscriptionFdReadwrite {
                    file_descriptor: fd,
                },
            },
        },
    };
    let mut subs = vec![read];
    if let Some(timeout) = timeout_ns {
        subs.push(clock(timeout));
    }
    let mut events = [EVENT; 2];
    // SAFETY: as many events as subscriptions fit.
    let n = unsafe { wasi::poll_oneoff(subs.as_ptr(), events.as_mut_ptr(), subs.len()) }
        .map_err(errno)?;
    Ok(events.iter().take(n).any(|e| e.userdata == 0))
}

const EVENT: wasi::Event = wasi::Event {
    userdata: 2,
    error: wasi::ERRNO_SUCCESS,
    type_: wasi::EVENTTYPE_CLOCK,
    fd_readwrite: wasi::EventFdReadwrite {
        nbytes: 0,
        flags: 0,
    },
};

fn clock(timeout: u64) -> wasi::Subscription {
    wasi::Subscription {
        userdata: 1,
        u: wasi::SubscriptionU {
            tag: wasi::EVENTTYPE_CLOCK.raw(),
            u: wasi::SubscriptionUU {
                clock: wasi::SubscriptionClock {
                    id: wasi::CLOCKID_MONOTONIC,
                    timeout,
                    precision: 0,
                    flags: 0,
                },
            },
        },
    }
}

/// Sleeps.
pub fn sleep_ns(ns: u64) {
    let sub = clock(ns);
    let mut event = EVENT;
    // SAFETY: one event for one subscription.
    let _ = unsafe { wasi::poll_oneoff(&sub, &mut event, 1) };
}

/// Lists a directory, without `.` and `..`.
pub fn read_dir(p: &[u8]) -> Res<Vec<Entry>> {
    let fd = from_root(p, |text| {
        // SAFETY: plain numbers and a borrowed path.
        unsafe {
            wasi::path_open(
                ROOT,
                wasi::LOOKUPFLAGS_SYMLINK_FOLLOW,
                text,
                wasi::OFLAGS_DIRECTORY,
                wasi::RIGHTS_FD_READDIR | wasi::RIGHTS_FD_READ,
                0,
                0,
            )
        }
    })?
    .map_err(errno)?;
    let out = list(fd);
    close(fd);
    out
}

fn list(fd: Fd) -> Res<Vec<Entry>> {
    let mut out = Vec::new();
    let mut buf = vec![0u8; 16 * 1024];
    let mut cookie = 0u64;
    loop {
        // SAFETY: pointer and length of one vector.
        let n =
            unsafe { wasi::fd_readdir(fd, buf.as_mut_ptr(), buf.len(), cookie) }.map_err(errno)?;
        let mut at = 0usize;
        let mut whole = 0;
        while let Some(head) = buf.get(at..at + 24).filter(|_| at + 24 <= n) {
            let field = |from: usize| -> [u8; 8] {
                head.get(from..from + 8)
                    .and_then(|s| s.try_into().ok())
                    .unwrap_or([0; 8])
            };
            let next = u64::from_le_bytes(field(0));
            let len = (u64::from_le_bytes(field(16)) & 0xffff_ffff) as usize;
            let kind = head.get(20).copied().unwrap_or(0);
            let Some(name) = buf
                .get(at + 24..at + 24 + len)
                .filter(|_| at + 24 + len <= n)
            else {
                break;
            };
            if name != b"." && name != b".." {
                out.push(Entry {
                    name: name.to_vec(),
                    dir: match kind {
                        3 => Some(true),
                        4 => Some(false),
                        _ => None,
                    },
                });
            }
            cookie = next;
            whole += 1;
            at += 24 + len;
        }
        if n < buf.len() {
            return Ok(out);
        }
        if whole == 0 {
            let len = buf.len() * 2;
            buf.resize(len, 0);
        }
    }
}

/// Where a link points.
pub fn read_link(p: &[u8]) -> Res<Vec<u8>> {
    let mut buf = vec![0u8; 4096];
    let n = from_root(p, |text| {
        // SAFETY: pointer and length of one vector.
        unsafe { wasi::path_readlink(ROOT, text, buf.as_mut_ptr(), buf.len()) }
    })?
    .map_err(errno)?;
    buf.truncate(n);
    Ok(buf)
}

fn to_stat(s: sys::Stat) -> Stat {
    Stat {
        dev: s.dev,
        ino: s.ino,
        mode: s.mode,
        uid: s.uid,
        gid: s.gid,
        size: s.size,
        atime: s.atime_ns,
        mtime: s.mtime_ns,
    }
}

/// Metadata, links followed.
pub fn stat(p: &[u8]) -> Res<Stat> {
    sys::stat(path(p)).map(to_stat).map_err(from_io)
}

/// Metadata of a link itself.
pub fn lstat(p: &[u8]) -> Res<Stat> {
    sys::lstat(path(p)).map(to_stat).map_err(from_io)
}

/// Metadata of a descriptor.
pub fn fstat(fd: Fd) -> Res<Stat> {
    sys::fstat(fd).map(to_stat).map_err(from_io)
}

/// Removes a file.
pub fn unlink(p: &[u8]) -> Res<()> {
    from_root(p, |text| {
        // SAFETY: a borrowed path.
        unsafe { wasi::path_unlink_file(ROOT, text) }
    })?
    .map_err(errno)
}

/// The process's own directory.
pub fn getcwd() -> Res<Vec<u8>> {
    use std::os::wasi::ffi::OsStringExt;
    if let Some(known) = CWD.with(|c| c.borrow().clone()) {
        return Ok(known);
    }
    let cwd = sys::getcwd().map_err(from_io)?.into_os_string().into_vec();
    CWD.with(|c| *c.borrow_mut() = Some(cwd.clone()));
    Ok(cwd)
}

/// Changes it.
pub fn chdir(p: &[u8]) -> Res<()> {
    CWD.with(|c| *c.borrow_mut() = None);
    sys::chdir(path(p)).map_err(from_io)
}

/// Sets (or only asks) the mask.
pub fn umask(new: Option<u32>) -> u32 {
    sys::umask(new)
}

/// Starts a program.
pub fn spawn(s: &Spawn<'_>) -> Res<u32> {
    let mut request = Vec::with_capacity(512 + s.blob.len());
    let put = |out: &mut Vec<u8>, v: u32| out.extend_from_slice(&v.to_le_bytes());
    let put_str = |out: &mut Vec<u8>, b: &[u8]| {
        out.extend_from_slice(&(b.len() as u32).to_le_bytes());
        out.extend_from_slice(b);
    };
    put(&mut request, 1);
    put(&mut request, 0);
    put_str(&mut request, s.program);
    for list in [s.argv, s.env] {
        put(&mut request, list.len() as u32);
        for item in list {
            put_str(&mut request, item);
        }
    }
    put_str(&mut request, b"");
    put(&mut request, s.fds.len() as u32);
    for (child, ours) in s.fds {
        put(&mut request, *child);
        put(&mut request, *ours);
    }
    put_str(&mut request, s.blob);
    sys::spawn_encoded(&request).map_err(from_io)
}

/// Starts this shell again, with a state to work on.
pub fn spawn_self(s: &Spawn<'_>) -> Res<u32> {
    spawn(&Spawn {
        program: b"sh",
        argv: s.argv,
        env: s.env,
        fds: s.fds,
        blob: s.blob,
    })
}

fn ended(e: sys::Exit) -> Ended {
    Ended {
        pid: e.pid,
        status: i32::from(e.status),
        by_signal: e.termination != sys::Termination::Exited,
    }
}

/// Waits for a child (`None`: any); `Ok(None)` when `hang` is off and none has ended.
pub fn wait(pid: Option<u32>, hang: bool) -> Res<Option<Ended>> {
    let r = match (pid, hang) {
        (Some(p), true) => sys::wait(p).map(Some),
        (Some(p), false) => sys::try_wait(p),
        (None, true) => sys::wait_any().map(Some),
        (None, false) => sys::try_wait_any(),
    };
    r.map(|o| o.map(ended)).map_err(from_io)
}

/// Sends a signal.
pub fn kill(pid: u32, sig: u32) -> Res<()> {
    sys::kill(pid, sys::Signal(sig)).map_err(from_io)
}

/// What a signal does: 0 default, 1 ignore, 2 catch.
pub fn sigaction(sig: u32, what: u32) -> Res<()> {
    let d = match what {
        0 => sys::Disposition::Default,
        1 => sys::Disposition::Ignore,
        _ => sys::Disposition::Catch,
    };
    sys::set_disposition(sys::Signal(sig), d).map_err(from_io)
}

/// The next caught signal.
pub fn sigtake() -> Option<u32> {
    sys::take_signal().map(|s| s.0)
}

/// Was the signal ignored when we started? The kernel does not tell.
pub fn ignored_at_start(_sig: u32) -> bool {
    false
}

/// This process.
pub fn getpid() -> u32 {
    sys::getpid()
}

/// Its parent.
pub fn getppid() -> u32 {
    sys::getppid()
}

/// The start-up state.
pub fn blob() -> Vec<u8> {
    sys::blob().unwrap_or_default()
}

/// Number by which a child's kernel knows our user's descriptor `n`.
pub fn inherited(n: u32) -> Fd {
    sys::inherited_descriptor(n)
}

/// A terminal?
pub fn isatty(fd: Fd) -> bool {
    sys::window_size(fd).is_ok()
}

/// CPU time of this process and of its finished children.
pub fn cpu() -> (Cpu, Cpu) {
    let get = |children| sys::rusage(children).map_or((0, 0), |r| (r.user_us, r.sys_us));
    (get(false), get(true))
}

/// Limits as `ulimit` shows them: (memory, cpu ns, descriptors, file size, pipe, processes).
pub fn limits() -> [u64; 6] {
    sys::limits().map_or([u64::MAX; 6], |l| {
        [
            l.process_memory,
            l.cpu_ns,
            l.descriptors,
            l.file_size,
            l.pipe,
            l.processes,
        ]
    })
}

/// Wall clock, nanoseconds since 1970.
pub fn now_ns() -> u64 {
    // SAFETY: plain numbers.
    unsafe { wasi::clock_time_get(wasi::CLOCKID_REALTIME, 1) }.unwrap_or(0)
}

/// A clock that only goes forward, nanoseconds.
pub fn monotonic_ns() -> u64 {
    // SAFETY: plain numbers.
    unsafe { wasi::clock_time_get(wasi::CLOCKID_MONOTONIC, 1) }.unwrap_or(0)
}

/// Random bits.
pub fn random() -> u32 {
    let mut out = [0u8; 4];
    // SAFETY: pointer and length of one array.
    let _ = unsafe { wasi::random_get(out.as_mut_ptr(), 4) };
    u32::from_le_bytes(out)
}

/// The arguments.
pub fn args() -> Vec<Vec<u8>> {
    use std::os::wasi::ffi::OsStringExt;
    std::env::args_os().map(OsStringExt::into_vec).collect()
}

/// The environment.
pub fn env() -> Vec<Vec<u8>> {
    use std::os::wasi::ffi::OsStringExt;
    std::env::vars_os()
        .map(|(k, v)| {
            let mut k = k.into_vec();
            k.push(b'=');
            k.extend(v.into_vec());
            k
        })
        .collect()
}

/// User and group.
pub fn ids() -> (u32, u32) {
    (1000, 1000)
}

/// May this process do `what` (4 read, 2 write, 1 execute)? One owner, so mode bits decide.
pub fn access(st: &Stat, what: u32) -> bool {
    (st.mode >> 6 | st.mode >> 3 | st.mode) & what == what
}

/// Ends the process as if by the signal.
pub fn die_by(sig: u32) -> ! {
    let _ = sigaction(sig, 0);
    let _ = kill(getpid(), sig);
    std::process::exit(128 + sig as i32)
}
