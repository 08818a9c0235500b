//! Does to files what its arguments say, one argument per step, and prints one line each.
//!
//! A word may hold `%XX` for any byte. A directory is a descriptor number or a name given
//! by `open`. Output is what the step found, or `E` and the WASI errno.

mod wasi;

use std::collections::BTreeMap;
use std::io::Write as _;

use wasi::{FdStat, FileStat};

type Outcome = Result<String, u32>;

#[derive(Default)]
struct Guest {
    fds: BTreeMap<String, u32>,
}

const INVAL: u32 = 28;

fn unescape(word: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut bytes = word.bytes();
    while let Some(b) = bytes.next() {
        if b == b'%' {
            let hex: String = bytes.by_ref().take(2).map(char::from).collect();
            out.push(u8::from_str_radix(&hex, 16).unwrap_or(b'?'));
        } else {
            out.push(b);
        }
    }
    out
}

fn number(word: &str) -> u64 {
    word.strip_prefix("0x")
        .map_or_else(
            || word.parse().ok(),
            |hex| u64::from_str_radix(hex, 16).ok(),
        )
        .unwrap_or(u64::MAX)
}

fn show(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

fn done(result: Result<(), u32>) -> Outcome {
    result.map(|()| "ok".to_owned())
}

fn code(error: &std::io::Error) -> u32 {
    error.raw_os_error().map_or(9999, |e| e as u32)
}

fn describe(s: &FileStat) -> String {
    format!("type {} links {} size {}", s.filetype, s.nlink, s.size)
}

impl Guest {
    fn fd(&self, word: &str) -> u32 {
        self.fds
            .get(word)
            .copied()
            .unwrap_or_else(|| number(word) as u32)
    }

    fn open(&mut self, name: &str, flags: &str, dir: &str, path: &str) -> Outcome {
        let path = unescape(path);
        let mut out = 0;
        let (mut oflags, mut rights, mut fdflags, mut lookup) = (0, 0, 0, 1);
        for flag in flags.chars() {
            match flag {
                // Reading, seeking, listing, looking.
                'r' => rights |= (1 << 1) | (1 << 2) | (1 << 5) | (1 << 14) | (1 << 21),
                // Writing, allocating, setting size and times.
                'w' => rights |= (1 << 6) | (1 << 2) | (1 << 5) | (1 << 8) | (1 << 22),
                'c' => oflags |= 1,
                'd' => oflags |= 2,
                'x' => oflags |= 4,
                't' => oflags |= 8,
                'a' => fdflags |= 1,
                'b' => fdflags |= 4,
                'n' => lookup = 0,
                _ => return Err(INVAL),
            }
        }
        wasi::path_open(
            self.fd(dir),
            lookup,
            path.as_ptr(),
            path.len(),
            oflags,
            rights,
            rights,
            fdflags,
            &raw mut out,
        )?;
        self.fds.insert(name.to_owned(), out);
        Ok("ok".to_owned())
    }

    fn readdir(&self, dir: &str, len: usize) -> Outcome {
        let mut names = Vec::new();
        let mut cookie = 0;
        let mut buf = vec![0u8; len];
        loop {
            let mut used = 0;
            wasi::fd_readdir(self.fd(dir), buf.as_mut_ptr(), len, cookie, &raw mut used)?;
            let mut rest = &buf[..used];
            let mut progress = false;
            while rest.len() >= 24 {
                let next = u64::from_le_bytes(rest[..8].try_into().unwrap_or_default());
                let size = u32::from_le_bytes(rest[16..20].try_into().unwrap_or_default()) as usize;
                let Some(name) = rest.get(24..24 + size) else {
                    break;
                };
                names.push(format!("{}:{}", show(name), rest[20]));
                cookie = next;
                progress = true;
                rest = &rest[24 + size..];
            }
            if used < len || !progress {
                break;
            }
        }
        names.sort();
        Ok(names.join(" "))
    }

    fn step(&mut self, step: &str) -> Outcome {
        let words: Vec<&str> = step.split(' ').collect();
        let word = |i: usize| words.get(i).copied().unwrap_or_default();
        let path = |i: usize| unescape(word(i));
        let (mut n, mut at) = (0usize, 0u64);
        match word(0) {
            "open" => self.open(word(1), word(2), word(3), word(4)),
            "fd" => Ok(self.fd(word(1)).to_string()),
            "read" | "pread" => {
                let mut buf = vec![0u8; number(word(2)) as usize];
                let half = buf.len() / 2;
                let (a, b) = buf.split_at_mut(half);
                let iovs = [
                    [a.as_mut_ptr() as usize, a.len()],
                    [b.as_mut_ptr() as usize, b.len()],
                ];
                let fd = self.fd(word(1));
                if word(0) == "read" {
                    wasi::fd_read(fd, iovs.as_ptr(), 2, &raw mut n)?;
                } else {
                    wasi::fd_pread(fd, iovs.as_ptr(), 2, number(word(3)), &raw mut n)?;
                }
                Ok(show(&buf[..n]))
            }
            "write" | "pwrite" => {
                let text = path(2);
                let (a, b) = text.split_at(text.len() / 2);
                let iovs = [
                    [a.as_ptr() as usize, a.len()],
                    [b.as_ptr() as usize, b.len()],
                ];
                let fd = self.fd(word(1));
                if word(0) == "write" {
                    wasi::fd_write(fd, iovs.as_ptr(), 2, &raw mut n)?;
                } else {
                    wasi::fd_pwrite(fd, iovs.as_ptr(), 2, number(word(3)), &raw mut n)?;
                }
                Ok(n.to_string())
            }
            "fill" => {
                // Writes so many bytes in blocks, until an error.
                let block = vec![b'x'; 65536];
                let mut left = number(word(2)) as usize;
                while left > 0 {
                    let iov = [[block.as_ptr() as usize, left.min(block.len())]];
                    wasi::fd_write(self.fd(word(1)), iov.as_ptr(), 1, &raw mut n)?;
                    left -= n;
                }
                Ok("ok".to_owned())
            }
            "seek" => {
                let offset = word(2).parse().unwrap_or_default();
                let whence = number(word(3)) as u32;
                wasi::fd_seek(self.fd(word(1)), offset, whence, &raw mut at)?;
                Ok(at.to_string())
            }
            "tell" => {
                wasi::fd_tell(self.fd(word(1)), &raw mut at)?;
                Ok(at.to_string())
            }
            "close" => done(wasi::fd_close(self.fd(word(1)))),
            "fstat" | "stat" | "lstat" => {
                let mut s = FileStat::default();
                let out = (&raw mut s).cast();
                if word(0) == "fstat" {
                    wasi::fd_filestat_get(self.fd(word(1)), out)?;
                } else {
                    let p = path(2);
                    let follow = u32::from(word(0) == "stat");
                    wasi::path_filestat_get(self.fd(word(1)), follow, p.as_ptr(), p.len(), out)?;
                }
                Ok(describe(&s))
            }
            "mtime" => {
                let (mut s, p) = (FileStat::default(), path(2));
                let out = (&raw mut s).cast();
                wasi::path_filestat_get(self.fd(word(1)), 0, p.as_ptr(), p.len(), out)?;
                Ok(format!("{} {}", s.atim, s.mtim))
            }
            "same" => {
                let (mut s, mut t, p, q) =
                    (FileStat::default(), FileStat::default(), path(2), path(3));
                let dir = self.fd(word(1));
                wasi::path_filestat_get(dir, 0, p.as_ptr(), p.len(), (&raw mut s).cast())?;
                wasi::path_filestat_get(dir, 0, q.as_ptr(), q.len(), (&raw mut t).cast())?;
                Ok(((s.dev, s.ino) == (t.dev, t.ino)).to_string())
            }
            "fdstat" => {
                let mut s = FdStat::default();
                wasi::fd_fdstat_get(self.fd(word(1)), (&raw mut s).cast())?;
                Ok(format!("type {} flags {}", s.filetype, s.flags))
            }
            "setflags" => done(wasi::fd_fdstat_set_flags(
                self.fd(word(1)),
                number(word(2)) as u32,
            )),
            "size" => done(wasi::fd_filestat_set_size(
                self.fd(word(1)),
                number(word(2)),
            )),
            "times" => {
                let (a, m, f) = (number(word(2)), number(word(3)), number(word(4)) as u32);
                done(wasi::fd_filestat_set_times(self.fd(word(1)), a, m, f))
            }
            "ptimes" => {
                let (p, a, m) = (path(3), number(word(4)), number(word(5)));
                let (follow, flags) = (number(word(2)) as u32, number(word(6)) as u32);
                let fd = self.fd(word(1));
                done(wasi::path_filestat_set_times(
                    fd,
                    follow,
                    p.as_ptr(),
                    p.len(),
                    a,
                    m,
                    flags,
                ))
            }
            "alloc" => done(wasi::fd_allocate(
                self.fd(word(1)),
                number(word(2)),
                number(word(3)),
            )),
            "advise" => {
                let (off, len) = (number(word(2)), number(word(3)));
                done(wasi::fd_advise(
                    self.fd(word(1)),
                    off,
                    len,
                    number(word(4)) as u32,
                ))
            }
            "sync" => done(wasi::fd_sync(self.fd(word(1)))),
            "datasync" => done(wasi::fd_datasync(self.fd(word(1)))),
            "renumber" => done(wasi::fd_renumber(self.fd(word(1)), self.fd(word(2)))),
            "readdir" => self.readdir(word(1), number(word(2)) as usize),
            "mkdir" => {
                let p = path(2);
                done(wasi::path_create_directory(
                    self.fd(word(1)),
                    p.as_ptr(),
                    p.len(),
                ))
            }
            "rmdir" => {
                let p = path(2);
                done(wasi::path_remove_directory(
                    self.fd(word(1)),
                    p.as_ptr(),
                    p.len(),
                ))
            }
            "unlink" => {
                let p = path(2);
                done(wasi::path_unlink_file(
                    self.fd(word(1)),
                    p.as_ptr(),
                    p.len(),
                ))
            }
            "rename" => {
                let (p, q) = (path(2), path(4));
                let (a, b) = (self.fd(word(1)), self.fd(word(3)));
                done(wasi::path_rename(
                    a,
                    p.as_ptr(),
                    p.len(),
                    b,
                    q.as_ptr(),
                    q.len(),
                ))
            }
            "link" | "flink" => {
                let (p, q) = (path(2), path(4));
                let (a, b) = (self.fd(word(1)), self.fd(word(3)));
                let follow = u32::from(word(0) == "flink");
                done(wasi::path_link(
                    a,
                    follow,
                    p.as_ptr(),
                    p.len(),
                    b,
                    q.as_ptr(),
                    q.len(),
                ))
            }
            "symlink" => {
                let (t, p) = (path(1), path(3));
                done(wasi::path_symlink(
                    t.as_ptr(),
                    t.len(),
                    self.fd(word(2)),
                    p.as_ptr(),
                    p.len(),
                ))
            }
            "readlink" => {
                let (p, mut buf) = (path(2), vec![0u8; 4096]);
                let fd = self.fd(word(1));
                wasi::path_readlink(fd, p.as_ptr(), p.len(), buf.as_mut_ptr(), 4096, &raw mut n)?;
                Ok(show(&buf[..n]))
            }
            "mode" => match hardshell_sys::lstat(word(1)) {
                Ok(s) => Ok(format!("{:o} {} {}", s.mode, s.uid, s.gid)),
                Err(e) => Err(code(&e)),
            },
            "chmod" => {
                let mode = u32::from_str_radix(word(2), 8).unwrap_or(0);
                hardshell_sys::chmod(word(1), mode)
                    .map(|()| "ok".into())
                    .map_err(|e| code(&e))
            }
            "fchmod" => {
                let mode = u32::from_str_radix(word(2), 8).unwrap_or(0);
                hardshell_sys::fchmod(self.fd(word(1)), mode)
                    .map(|()| "ok".into())
                    .map_err(|e| code(&e))
            }
            "umask" => {
                let mask = u32::from_str_radix(word(1), 8).unwrap_or(0);
                Ok(format!("{:o}", hardshell_sys::umask(Some(mask))))
            }
            "chdir" => hardshell_sys::chdir(word(1))
                .map(|()| "ok".into())
                .map_err(|e| code(&e)),
            "getcwd" => hardshell_sys::getcwd()
                .map(|p| p.display().to_string())
                .map_err(|e| code(&e)),
            "statfs" => hardshell_sys::statfs(word(1))
                .map(|s| format!("{} {} {} {}", s.total, s.free, s.files, s.files_free))
                .map_err(|e| code(&e)),
            "flock" => hardshell_sys::flock(self.fd(word(1)), number(word(2)) as u32)
                .map(|()| "ok".into())
                .map_err(|e| code(&e)),
            "swap" => {
                // Renames two names back and forth, so many times.
                let (a, b) = (path(1), path(2));
                let rename = |p: &[u8], q: &[u8]| {
                    let _ = wasi::path_rename(3, p.as_ptr(), p.len(), 3, q.as_ptr(), q.len());
                };
                let t = [a.as_slice(), b".swap"].concat();
                for _ in 0..number(word(3)) {
                    rename(&a, &t);
                    rename(&b, &a);
                    rename(&a, &b);
                    rename(&t, &a);
                }
                Ok("ok".to_owned())
            }
            "hammer" => self.hammer(&path(1), number(word(2))),
            _ => Err(INVAL),
        }
    }

    /// Opens a path again and again for reading and for writing, and tells what was seen.
    fn hammer(&mut self, path: &[u8], rounds: u64) -> Outcome {
        let mut seen = std::collections::BTreeSet::new();
        let text = String::from_utf8_lossy(path).into_owned();
        for round in 0..rounds {
            let flags = if round % 3 == 0 { "rw" } else { "r" };
            if self.open("h", flags, "3", &text).is_err() {
                continue;
            }
            let mut buf = [0u8; 64];
            let (mut n, fd) = (0, self.fd("h"));
            let iov = [[buf.as_mut_ptr() as usize, buf.len()]];
            if wasi::fd_pread(fd, iov.as_ptr(), 1, 0, &raw mut n).is_ok() {
                seen.insert(show(&buf[..n]));
            }
            if round % 3 == 0 {
                let iov = [[b"pwned!".as_ptr() as usize, 6]];
                let _ = wasi::fd_pwrite(fd, iov.as_ptr(), 1, 0, &raw mut n);
            }
            let _ = wasi::fd_close(fd);
        }
        Ok(seen.into_iter().collect::<Vec<_>>().join("|"))
    }
}

fn main() {
    hardshell_sys::init();
    let mut guest = Guest::default();
    for step in std::env::args().skip(1) {
        let line = match guest.step(&step) {
            Ok(text) => text,
            Err(errno) => format!("E{errno}"),
        };
        let _ = writeln!(std::io::stdout(), "{line}");
    }
}
