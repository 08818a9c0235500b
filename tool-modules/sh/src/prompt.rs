//! Prompts: `\u@\h:\w\$ `, and `${x@P}`.

use crate::os;
use crate::parse::digits;
use crate::shell::Shell;

impl Shell {
    /// A prompt: its escapes, then its expansions.
    pub(crate) fn prompt(&mut self, text: &[u8]) -> Vec<u8> {
        let decoded = self.prompt_escapes(text);
        if !self.shopt(crate::opts::PROMPTVARS) {
            return decoded;
        }
        let old = (self.st.status, self.subst_status);
        let out = self.prompt_text(&decoded);
        (self.st.status, self.subst_status) = old;
        out
    }

    /// The expansions of a prompt, as in double quotes.
    pub(crate) fn prompt_text(&mut self, text: &[u8]) -> Vec<u8> {
        if !text.iter().any(|b| matches!(b, b'$' | b'`' | b'\\')) {
            return text.to_vec();
        }
        let mut p = self.parser(text, self.line.max(1));
        let Ok(word) = p.quoted_word() else {
            return text.to_vec();
        };
        self.expand_quoted(&word).unwrap_or_default()
    }

    fn prompt_escapes(&mut self, text: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut i = 0;
        while let Some(&b) = text.get(i) {
            i += 1;
            if b != b'\\' {
                out.push(b);
                continue;
            }
            let Some(&e) = text.get(i) else {
                out.push(b'\\');
                break;
            };
            i += 1;
            match e {
                b'a' => out.push(7),
                b'e' => out.push(27),
                b'n' => out.push(b'\n'),
                b'r' => out.push(b'\r'),
                b'\\' => out.extend_from_slice(b"\\\\"),
                b'[' | b']' => {}
                b'0'..=b'7' => {
                    let (v, len) = digits(text, i - 1, 8, 3);
                    i += len - 1;
                    out.push(v as u8);
                }
                b'h' | b'H' => {
                    let host = self.get_or_empty(b"HOSTNAME");
                    let end = if e == b'h' {
                        host.iter().position(|b| *b == b'.')
                    } else {
                        None
                    };
                    out.extend_from_slice(
                        host.get(..end.unwrap_or(host.len())).unwrap_or_default(),
                    );
                }
                b'u' => {
                    let user = self
                        .get(b"USER")
                        .map_or_else(|| b"user".to_vec(), |t| t.to_vec());
                    out.extend_from_slice(&user);
                }
                b'w' | b'W' => {
                    let mut cwd = self.get_or_empty(b"PWD");
                    let home = self.get_or_empty(b"HOME");
                    if !home.is_empty()
                        && home != b"/"
                        && cwd.starts_with(&home)
                        && cwd.get(home.len()).is_none_or(|b| *b == b'/')
                    {
                        cwd.splice(..home.len(), [b'~']);
                    }
                    if e == b'W'
                        && let Some(at) = cwd.iter().rposition(|b| *b == b'/')
                        && cwd.len() > 1
                    {
                        cwd.drain(..=at);
                    }
                    out.extend_from_slice(&cwd);
                }
                b's' => {
                    let name = self
                        .st
                        .arg0
                        .rsplit(|b| *b == b'/')
                        .next()
                        .unwrap_or_default()
                        .to_vec();
                    out.extend_from_slice(&name);
                }
                b'v' => out.extend_from_slice(b"5.2"),
                b'V' => out.extend_from_slice(b"5.2.15"),
                b'$' => out.push(if os::ids().0 == 0 { b'#' } else { b'$' }),
                b'!' | b'#' => {
                    out.extend_from_slice((self.st.history.len() + 1).to_string().as_bytes())
                }
                b'j' => out.extend_from_slice(self.st.jobs.len().to_string().as_bytes()),
                b'l' => out.extend_from_slice(b"tty"),
                b't' => out.extend_from_slice(&self.time_text(b"%H:%M:%S")),
                b'T' => out.extend_from_slice(&self.time_text(b"%I:%M:%S")),
                b'@' => out.extend_from_slice(&self.time_text(b"%I:%M %p")),
                b'A' => out.extend_from_slice(&self.time_text(b"%H:%M")),
                b'd' => out.extend_from_slice(&self.time_text(b"%a %b %d")),
                b'D' if text.get(i) == Some(&b'{') => {
                    let rest = text.get(i + 1..).unwrap_or_default();
                    let end = rest.iter().position(|b| *b == b'}').unwrap_or(rest.len());
                    let format = rest.get(..end).unwrap_or_default();
                    let format: &[u8] = if format.is_empty() {
                        b"%H:%M:%S"
                    } else {
                        format
                    };
                    out.extend_from_slice(&self.time_text(format));
                    i += end + 2;
                }
                _ => {
                    out.push(b'\\');
                    out.push(e);
                }
            }
        }
        out
    }

    fn time_text(&mut self, format: &[u8]) -> Vec<u8> {
        crate::builtins::strftime::format(format, (os::now_ns() / 1_000_000_000) as i64)
    }
}
