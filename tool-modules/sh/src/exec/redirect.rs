//! Redirections: they open and name, and change the shell's own table.

use crate::ast::{RedirFd, RedirOp, Redirect, Word};
use crate::fds::{Table, Target};
use crate::opts;
use crate::os::{self, Errno, OpenHow};
use crate::shell::{Shell, Unwind, write_all};
use crate::strs::parse_int;

/// A here-document up to this size goes through a pipe, which holds at least so much.
const PIPE_ROOM: usize = 60_000;

enum Dup {
    To(u32),
    Move(u32),
    Close,
    File(Vec<u8>),
}

impl Shell {
    /// Performs redirections in order. `false`: one failed, and was reported.
    pub(crate) fn redirect(
        &mut self,
        redirs: &[Redirect],
        _undo: &mut Vec<u32>,
    ) -> Result<bool, Unwind> {
        for r in redirs {
            if !self.redirect_one(r)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn redirect_one(&mut self, r: &Redirect) -> Result<bool, Unwind> {
        let (read, write, create, append) = (
            OpenHow {
                read: true,
                ..OpenHow::default()
            },
            OpenHow {
                write: true,
                create: true,
                truncate: true,
                ..OpenHow::default()
            },
            OpenHow {
                read: true,
                write: true,
                create: true,
                ..OpenHow::default()
            },
            OpenHow {
                write: true,
                create: true,
                append: true,
                ..OpenHow::default()
            },
        );
        let (target, default) = match &r.op {
            RedirOp::Read(w) => (self.open_word(w, read, false)?, 0),
            RedirOp::Write(w) => (self.open_word(w, write, true)?, 1),
            RedirOp::Clobber(w) => (self.open_word(w, write, false)?, 1),
            RedirOp::Append(w) => (self.open_word(w, append, false)?, 1),
            RedirOp::ReadWrite(w) => (self.open_word(w, create, false)?, 0),
            RedirOp::Both(add, w) => {
                let t = self.open_word(w, if *add { append } else { write }, !*add)?;
                let Some(t) = t else { return Ok(false) };
                self.st.fds.set(1, Some(t.clone()));
                self.st.fds.set(2, Some(t));
                return Ok(true);
            }
            RedirOp::HereStr(w) => {
                let mut text = self.expand_single(w)?;
                text.push(b'\n');
                (self.here(&text)?, 0)
            }
            RedirOp::Here(h) => {
                let h = h.borrow().clone();
                let text = if h.quoted {
                    h.text.to_vec()
                } else {
                    self.expand_quoted(&h.body)?
                };
                (self.here(&text)?, 0)
            }
            RedirOp::DupIn(w) => return self.dup(r, w, 0),
            RedirOp::DupOut(w) => return self.dup(r, w, 1),
        };
        let Some(target) = target else {
            return Ok(false);
        };
        let Some(n) = self.redirect_number(r.fd.as_ref(), default)? else {
            return Ok(false);
        };
        self.st.fds.set(n, Some(target));
        Ok(true)
    }

    /// The descriptor that a redirection is about; for `{var}` a fresh one.
    fn redirect_number(
        &mut self,
        fd: Option<&RedirFd>,
        default: u32,
    ) -> Result<Option<u32>, Unwind> {
        match fd {
            None => Ok(Some(default)),
            Some(RedirFd::Num(n)) => Ok(Some(*n)),
            Some(RedirFd::Var(name, sub)) => {
                let n = self.st.fds.free_from(10);
                let text = n.to_string().into_bytes();
                let set = match sub {
                    Some(w) => {
                        let sub = self.expand_subscript(w)?;
                        self.assign_elem(name, &sub, text, false)
                    }
                    None => self.set(name, text),
                };
                if set.is_err() {
                    self.error([&**name, b": cannot assign fd to variable"].concat());
                    return Ok(None);
                }
                self.new_fds.push(n);
                Ok(Some(n))
            }
        }
    }

    fn dup(&mut self, r: &Redirect, w: &Word, default: u32) -> Result<bool, Unwind> {
        let Some(text) = self.redirect_word(w)? else {
            return Ok(false);
        };
        let what = if text == b"-" {
            Dup::Close
        } else if let Some(n) = text.strip_suffix(b"-").and_then(number) {
            Dup::Move(n)
        } else if let Some(n) = number(&text) {
            Dup::To(n)
        } else {
            Dup::File(text)
        };
        match what {
            Dup::Close => {
                let n = match &r.fd {
                    Some(RedirFd::Num(n)) => *n,
                    None => default,
                    // `{var}>&-` closes the descriptor that the variable holds.
                    Some(RedirFd::Var(name, sub)) => {
                        let value = match sub {
                            Some(w) => {
                                let sub = self.expand_subscript(w)?;
                                self.get_elem_text(name, &sub).map(|t| t.to_vec())
                            }
                            None => self.get(name).map(|t| t.to_vec()),
                        };
                        match value.as_deref().and_then(number) {
                            Some(n) => {
                                self.closed_fds.push(n);
                                n
                            }
                            None => {
                                self.error([&**name, b": Bad file descriptor"].concat());
                                return Ok(false);
                            }
                        }
                    }
                };
                self.st.fds.set(n, None);
                Ok(true)
            }
            Dup::To(from) | Dup::Move(from) => {
                let Some(target) = self.st.fds.get(from).cloned() else {
                    self.error(format!("{from}: Bad file descriptor"));
                    return Ok(false);
                };
                let Some(n) = self.redirect_number(r.fd.as_ref(), default)? else {
                    return Ok(false);
                };
                self.st.fds.set(n, Some(target));
                if matches!(what, Dup::Move(_)) && from != n {
                    self.st.fds.set(from, None);
                }
                Ok(true)
            }
            Dup::File(path) => {
                if default == 0 || r.fd.is_some() && !matches!(r.fd, Some(RedirFd::Num(1))) {
                    let shown = crate::print::word(w);
                    self.error([shown.as_slice(), b": ambiguous redirect"].concat());
                    return Ok(false);
                }
                let how = OpenHow {
                    write: true,
                    create: true,
                    truncate: true,
                    ..OpenHow::default()
                };
                let Some(t) = self.open_path(&path, how, true) else {
                    return Ok(false);
                };
                self.st.fds.set(1, Some(t.clone()));
                self.st.fds.set(2, Some(t));
                Ok(true)
            }
        }
    }

    /// The one word that a redirection's target expands to.
    fn redirect_word(&mut self, w: &Word) -> Result<Option<Vec<u8>>, Unwind> {
        if self.opt(opts::POSIX) && !self.opt(opts::INTERACTIVE) {
            return self.expand_single(w).map(Some);
        }
        let mut words = self.expand_args(std::slice::from_ref(w))?;
        if words.len() != 1 {
            let shown = crate::print::word(w);
            self.error([shown.as_slice(), b": ambiguous redirect"].concat());
            return Ok(None);
        }
        Ok(words.pop())
    }

    fn open_word(&mut self, w: &Word, how: OpenHow, guard: bool) -> Result<Option<Target>, Unwind> {
        let Some(path) = self.redirect_word(w)? else {
            return Ok(None);
        };
        Ok(self.open_path(&path, how, guard))
    }

    /// Opens a file for a redirection; the error is reported.
    pub(crate) fn open_path(
        &mut self,
        path: &[u8],
        mut how: OpenHow,
        guard: bool,
    ) -> Option<Target> {
        if let Some(n) = own_descriptor(path) {
            if let Some(t) = self.st.fds.get(n) {
                return Some(t.clone());
            }
            self.error([path, b": ", Errno::NOENT.text().as_bytes()].concat());
            return None;
        }
        if path.starts_with(b"/dev/tcp/") || path.starts_with(b"/dev/udp/") {
            self.error([path, b": the sandbox has no network"].concat());
            return None;
        }
        if guard && self.opt(opts::NOCLOBBER) {
            match os::stat(path) {
                Ok(st) if st.is_file() => {
                    self.error([path, b": cannot overwrite existing file"].concat());
                    return None;
                }
                Ok(_) => {}
                Err(_) => how.exclusive = true,
            }
        }
        match os::open(path, how, 0o666) {
            Ok(fd) => {
                // The sandbox's kernel lets a folder be opened; a redirection must not.
                if how.write && os::fstat(fd).is_ok_and(|s| s.is_dir()) {
                    os::close(fd);
                    self.error([path, b": Is a directory"].concat());
                    return None;
                }
                Some(Shell::own(fd))
            }
            Err(e) => {
                self.error([path, b": ", e.text().as_bytes()].concat());
                None
            }
        }
    }

    /// A descriptor that reads `text`.
    pub(crate) fn here(&mut self, text: &[u8]) -> Result<Option<Target>, Unwind> {
        if text.len() <= PIPE_ROOM {
            let made = os::pipe().and_then(|(r, w)| {
                let done = write_all(w, text);
                os::close(w);
                done.map(|()| r)
            });
            return match made {
                Ok(r) => Ok(Some(Shell::own(r))),
                Err(e) => {
                    self.error(format!("cannot create pipe for here document: {e}"));
                    Ok(None)
                }
            };
        }
        let path = format!("/tmp/.sh-here-{}-{:08x}", os::getpid(), os::random()).into_bytes();
        let how = OpenHow {
            write: true,
            create: true,
            exclusive: true,
            ..OpenHow::default()
        };
        let made = os::open(&path, how, 0o600).and_then(|w| {
            let done = write_all(w, text);
            os::close(w);
            let r = os::open(
                &path,
                OpenHow {
                    read: true,
                    ..OpenHow::default()
                },
                0,
            );
            let _ = os::unlink(&path);
            done.and(r)
        });
        match made {
            Ok(r) => Ok(Some(Shell::own(r))),
            Err(e) => {
                self.error(format!("cannot create temp file for here-document: {e}"));
                Ok(None)
            }
        }
    }

    /// The table after a command: as before, but `{var}` descriptors stay open.
    pub(crate) fn keep_new_fds(&mut self, mut before: Table, redirs: &[Redirect]) -> Table {
        if redirs.is_empty() {
            return before;
        }
        if !self.shopt(opts::VARREDIR_CLOSE) {
            for n in std::mem::take(&mut self.new_fds) {
                if let Some(t) = self.st.fds.get(n) {
                    before.set(n, Some(t.clone()));
                }
            }
        }
        self.new_fds.clear();
        for n in std::mem::take(&mut self.closed_fds) {
            before.set(n, None);
        }
        before
    }
}

/// The number in `/dev/fd/N` and its like.
fn own_descriptor(path: &[u8]) -> Option<u32> {
    match path {
        b"/dev/stdin" => Some(0),
        b"/dev/stdout" => Some(1),
        b"/dev/stderr" => Some(2),
        _ => number(path.strip_prefix(b"/dev/fd/")?),
    }
}

fn number(text: &[u8]) -> Option<u32> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    parse_int(text).and_then(|n| u32::try_from(n).ok())
}
