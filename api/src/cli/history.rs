//! The history of the prompt, one line a command.
//!
//! The line editor could keep it by itself, but it changes the umask of the whole process while
//! it writes, and a command that makes a file at that moment would make it with wrong bits.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

/// Commands that are kept.
const KEPT: usize = 1000;

/// The history file, if the user has one.
pub(super) struct History {
    file: Option<PathBuf>,
}

impl History {
    /// `HARDSHELL_HISTORY` (empty: none), else in the user's state folder.
    pub(super) fn of_user() -> Self {
        if let Some(file) = std::env::var_os("HARDSHELL_HISTORY") {
            let file = Some(PathBuf::from(file)).filter(|path| !path.as_os_str().is_empty());
            return History { file };
        }
        let absolute = |name: &str| {
            std::env::var_os(name)
                .map(PathBuf::from)
                .filter(|path| path.is_absolute())
        };
        let state =
            absolute("XDG_STATE_HOME").or_else(|| absolute("HOME").map(|h| h.join(".local/state")));
        History {
            file: state.map(|state| state.join("hardshell_history")),
        }
    }

    /// The last commands, oldest first. A file that has grown is cut.
    pub(super) fn load(&self) -> Vec<String> {
        let Some(file) = &self.file else {
            return Vec::new();
        };
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let last = lines.get(lines.len().saturating_sub(KEPT)..).unwrap_or(&[]);
        if lines.len() > 2 * KEPT {
            // A history that cannot be cut is no reason to refuse a prompt.
            let _ = std::fs::write(file, format!("{}\n", last.join("\n")));
        }
        last.iter().map(|line| (*line).to_owned()).collect()
    }

    /// Keeps a command.
    pub(super) fn add(&self, line: &str) {
        let Some(file) = &self.file else { return };
        if let Some(folder) = file.parent() {
            let _ = std::fs::create_dir_all(folder);
        }
        let opened = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(file);
        if let Ok(mut file) = opened {
            let _ = writeln!(file, "{line}");
        }
    }
}
