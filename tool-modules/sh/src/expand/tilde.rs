//! `~`, `~+`, `~-`, `~name`.

use crate::shell::Shell;
use crate::strs::parse_int;

impl Shell {
    /// What `~name` stands for; `None`: it stays as it is.
    pub(crate) fn tilde(&mut self, name: &[u8]) -> Option<Vec<u8>> {
        match name {
            b"" => match self.get(b"HOME") {
                Some(h) => Some(h.to_vec()),
                None => Some(b"/workspace".to_vec()),
            },
            b"+" => self.get(b"PWD").map(|t| t.to_vec()),
            b"-" => self.get(b"OLDPWD").map(|t| t.to_vec()),
            // The sandbox has no other users; root is what scripts ask for.
            b"root" => Some(b"/root".to_vec()),
            _ => {
                let (sign, digits) = match name.split_first() {
                    Some((s @ (b'+' | b'-'), d)) => (*s, d),
                    _ => (b'+', name),
                };
                let n = parse_int(digits)?;
                if digits.iter().any(|b| !b.is_ascii_digit()) {
                    return None;
                }
                let mut all = vec![self.get_or_empty(b"PWD")];
                all.extend(self.st.dirs.iter().cloned());
                let i = if sign == b'-' {
                    all.len().checked_sub(1 + n as usize)?
                } else {
                    n as usize
                };
                all.get(i).cloned()
            }
        }
    }
}
