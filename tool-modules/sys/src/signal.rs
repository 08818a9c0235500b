//! Signals within a call. A program catches a signal by asking for it and taking it later:
//! blocking calls end with `EINTR` while a caught signal waits.

use crate::{check, raw};
use std::io;

/// A signal number, as on Linux.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signal(pub u32);

/// Names by number, 1 to 31.
const NAMES: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2",
    "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG",
    "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
];

impl Signal {
    /// Hang-up.
    pub const HUP: Signal = Signal(1);
    /// Interrupt.
    pub const INT: Signal = Signal(2);
    /// Kill: cannot be caught.
    pub const KILL: Signal = Signal(9);
    /// Broken pipe.
    pub const PIPE: Signal = Signal(13);
    /// Alarm.
    pub const ALRM: Signal = Signal(14);
    /// Terminate.
    pub const TERM: Signal = Signal(15);

    /// The name without `SIG`.
    pub fn name(self) -> Option<&'static str> {
        NAMES.get((self.0 as usize).checked_sub(1)?).copied()
    }

    /// Reads `TERM`, `SIGTERM`, `term` or `15`.
    pub fn parse(text: &str) -> Option<Signal> {
        if let Ok(number) = text.parse::<u32>() {
            return (number <= 64).then_some(Signal(number));
        }
        let upper = text.to_ascii_uppercase();
        let name = upper.strip_prefix("SIG").unwrap_or(&upper);
        let index = NAMES.iter().position(|known| *known == name)?;
        Some(Signal(index as u32 + 1))
    }

    /// All named signals.
    pub fn all() -> impl Iterator<Item = Signal> {
        (1..=NAMES.len() as u32).map(Signal)
    }
}

/// What a signal does to this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// The signal's own action.
    Default,
    /// Nothing; children inherit this.
    Ignore,
    /// It waits until [`take_signal`].
    Catch,
}

/// Sets what `signal` does.
pub fn set_disposition(signal: Signal, disposition: Disposition) -> io::Result<()> {
    let number = match disposition {
        Disposition::Default => 0,
        Disposition::Ignore => 1,
        Disposition::Catch => 2,
    };
    // SAFETY: no pointers.
    check(unsafe { raw::sigaction(signal.0, number) })
}

/// Takes the next caught signal that waits.
pub fn take_signal() -> Option<Signal> {
    if cfg!(not(target_os = "wasi")) {
        return None;
    }
    // SAFETY: no pointers.
    match unsafe { raw::sigtake() } {
        0 => None,
        number => Some(Signal(number)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_agree() {
        for (text, number) in [
            ("TERM", 15),
            ("SIGKILL", 9),
            ("int", 2),
            ("17", 17),
            ("WINCH", 28),
            ("SYS", 31),
        ] {
            assert_eq!(Signal::parse(text), Some(Signal(number)), "{text}");
        }
        assert_eq!(Signal::parse("NOPE"), None);
        assert_eq!(Signal(9).name(), Some("KILL"));
        assert_eq!(Signal(0).name(), None);
    }
}
