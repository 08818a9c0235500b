//! Sizes ("256MiB") and spans of time ("30s") as people write them.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Size(pub(crate) u64);

/// A span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Period(pub(crate) Duration);

/// Why a text is neither.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UnitError {
    /// Not a size.
    #[error(
        "{0:?} is not a size: write a number and a unit, such as 4096, 64KiB, 256MiB, 1.5GiB or 10MB"
    )]
    Size(String),
    /// Not a span of time.
    #[error(
        "{0:?} is not a span of time: write a number and a unit, such as 500ms, 30s, 5m, 1h30m"
    )]
    Period(String),
    /// Neither can be that large.
    #[error("{0:?} is too large")]
    TooLarge(String),
}

/// Binary units first: each is shown with the largest that divides it.
const SIZE_UNITS: &[(&str, u64)] = &[
    ("tib", 1 << 40),
    ("gib", 1 << 30),
    ("mib", 1 << 20),
    ("kib", 1 << 10),
    ("tb", 1_000_000_000_000),
    ("gb", 1_000_000_000),
    ("mb", 1_000_000),
    ("kb", 1_000),
    ("t", 1 << 40),
    ("g", 1 << 30),
    ("m", 1 << 20),
    ("k", 1 << 10),
    ("b", 1),
    ("", 1),
];

impl FromStr for Size {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let trimmed = text.trim();
        let split = trimmed
            .find(|c: char| !c.is_ascii_digit() && c != '.' && c != '_')
            .unwrap_or(trimmed.len());
        let (number, unit) = trimmed.split_at(split);
        let unit = unit.trim().to_ascii_lowercase();
        let factor = SIZE_UNITS
            .iter()
            .find(|(name, _)| *name == unit)
            .map(|(_, factor)| *factor)
            .ok_or_else(|| UnitError::Size(text.to_owned()))?;
        scaled(number, u128::from(factor))
            .ok_or_else(|| UnitError::Size(text.to_owned()))?
            .try_into()
            .map(Size)
            .map_err(|_| UnitError::TooLarge(text.to_owned()))
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
        for (name, shift) in names {
            let factor = 1u64 << shift;
            if self.0 >= factor && self.0.is_multiple_of(factor) {
                return write!(f, "{}{name}", self.0 >> shift);
            }
        }
        write!(f, "{}", self.0)
    }
}

const PERIOD_UNITS: &[(&str, u64)] = &[
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("", 1_000_000_000),
    ("m", 60_000_000_000),
    ("min", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];

impl FromStr for Period {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let wrong = || UnitError::Period(text.to_owned());
        let mut rest = text.trim();
        if rest.is_empty() {
            return Err(wrong());
        }
        let mut total: u128 = 0;
        while !rest.is_empty() {
            let digits = rest
                .find(|c: char| !c.is_ascii_digit() && c != '.' && c != '_')
                .unwrap_or(rest.len());
            let (number, after) = rest.split_at(digits);
            let letters = after
                .find(|c: char| c.is_ascii_digit())
                .unwrap_or(after.len());
            let (unit, after) = after.split_at(letters);
            let unit = unit.trim();
            let factor = PERIOD_UNITS
                .iter()
                .find(|(name, _)| *name == unit)
                .map(|(_, factor)| *factor)
                .ok_or_else(wrong)?;
            let part = scaled(number, u128::from(factor)).ok_or_else(wrong)?;
            total = total.saturating_add(part);
            rest = after;
        }
        let nanos = u64::try_from(total).map_err(|_| UnitError::TooLarge(text.to_owned()))?;
        Ok(Period(Duration::from_nanos(nanos)))
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.as_nanos();
        for (name, factor) in [
            ("h", 3_600_000_000_000u128),
            ("m", 60_000_000_000),
            ("s", 1_000_000_000),
            ("ms", 1_000_000),
            ("us", 1_000),
        ] {
            if nanos >= factor && nanos.is_multiple_of(factor) {
                return write!(f, "{}{name}", nanos / factor);
            }
        }
        if nanos == 0 {
            return f.write_str("0s");
        }
        write!(f, "{nanos}ns")
    }
}

/// A decimal number times a factor, exactly; None when it is not a number.
fn scaled(number: &str, factor: u128) -> Option<u128> {
    let clean: String = number.chars().filter(|c| *c != '_').collect();
    let (whole, fraction) = clean.split_once('.').unwrap_or((&clean, ""));
    if whole.is_empty() || whole.len() > 24 || fraction.len() > 9 || fraction.contains('.') {
        return None;
    }
    if !fraction.chars().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let mut total = whole.parse::<u128>().ok()?.saturating_mul(factor);
    if !fraction.is_empty() {
        let scale = 10u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
        let part = fraction.parse::<u128>().ok()?.checked_mul(factor)?;
        total = total.saturating_add(part / scale);
    }
    Some(total)
}

macro_rules! as_text {
    ($type:ident) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

as_text!(Size);
as_text!(Period);

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, want, shown) in [
            ("4096", 4096, "4KiB"),
            ("64KiB", 65536, "64KiB"),
            ("256MiB", 256 << 20, "256MiB"),
            ("256 mib", 256 << 20, "256MiB"),
            ("1.5GiB", 3 << 29, "1536MiB"),
            ("10MB", 10_000_000, "10000000"),
            ("1k", 1024, "1KiB"),
            ("0", 0, "0"),
            ("1_000", 1000, "1000"),
        ] {
            let size: Size = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(size.0, want, "{text}");
            assert_eq!(size.to_string(), shown, "{text}");
            assert_eq!(shown.parse::<Size>(), Ok(size), "{text}");
        }
        for text in ["", "MiB", "-1", "12XB", "1..5", "1.2.3k", "٣"] {
            assert!(
                matches!(text.parse::<Size>(), Err(UnitError::Size(_))),
                "{text}"
            );
        }
        assert!(matches!(
            "99999999999TiB".parse::<Size>(),
            Err(UnitError::TooLarge(_))
        ));
    }

    #[test]
    fn periods() {
        for (text, millis, shown) in [
            ("500ms", 500, "500ms"),
            ("30s", 30_000, "30s"),
            ("5", 5_000, "5s"),
            ("1.5s", 1_500, "1500ms"),
            ("1h30m", 5_400_000, "90m"),
            ("2m", 120_000, "2m"),
            ("0s", 0, "0s"),
        ] {
            let period: Period = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(period.0, Duration::from_millis(millis), "{text}");
            assert_eq!(period.to_string(), shown, "{text}");
            assert_eq!(shown.parse::<Period>(), Ok(period), "{text}");
        }
        for text in ["", "s", "-1s", "5 parsecs", "1h2"] {
            let got = text.parse::<Period>();
            if text == "1h2" {
                assert_eq!(got, Ok(Period(Duration::from_secs(3602))));
            } else {
                assert!(matches!(got, Err(UnitError::Period(_))), "{text}");
            }
        }
        assert!(matches!(
            "9999999d".parse::<Period>(),
            Err(UnitError::TooLarge(_))
        ));
    }
}
