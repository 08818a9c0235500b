//! Durations and sizes as people write them: `30s`, `500ms`, `2h`, `128MiB`.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de::Error as _};

#[derive(Deserialize)]
#[serde(untagged)]
enum Raw {
    Number(u64),
    Text(String),
}

/// Reads `90`, `90s`, `500ms`, `15m`, `2h` or `7d`; a bare number is seconds.
///
/// # Errors
/// A sentence that names the text and the units.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let split = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, unit) = text.split_at(split);
    let bad = || format!("{text:?} is not a duration: write a whole number and ms, s, m, h or d");
    let number: u64 = digits.parse().map_err(|_| bad())?;
    let millis = match unit.trim() {
        "ms" => 1,
        "" | "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(bad()),
    };
    number
        .checked_mul(millis)
        .map(Duration::from_millis)
        .ok_or_else(bad)
}

/// Reads `1024`, `64KiB`, `128MiB`, `2GiB` or their decimal forms `kB`, `MB`,
/// `GB`; a bare number is bytes.
///
/// # Errors
/// A sentence that names the text and the units.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let split = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, unit) = text.split_at(split);
    let bad = || {
        format!("{text:?} is not a size: write a whole number and B, KiB, MiB, GiB, kB, MB or GB")
    };
    let number: u64 = digits.parse().map_err(|_| bad())?;
    let factor: u64 = match unit.trim() {
        "" | "B" => 1,
        "KiB" | "K" => 1 << 10,
        "MiB" | "M" => 1 << 20,
        "GiB" | "G" => 1 << 30,
        "kB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        _ => return Err(bad()),
    };
    number.checked_mul(factor).ok_or_else(bad)
}

/// `#[serde(deserialize_with = "units::duration::deserialize")]`
pub(crate) mod duration {
    use super::*;

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Duration, D::Error> {
        match Raw::deserialize(d)? {
            Raw::Number(seconds) => Ok(Duration::from_secs(seconds)),
            Raw::Text(text) => parse_duration(&text).map_err(D::Error::custom),
        }
    }
}

/// `#[serde(deserialize_with = "units::size::deserialize")]`
pub(crate) mod size {
    use super::*;

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<u64, D::Error> {
        match Raw::deserialize(d)? {
            Raw::Number(bytes) => Ok(bytes),
            Raw::Text(text) => parse_size(&text).map_err(D::Error::custom),
        }
    }
}

/// `#[serde(deserialize_with = "units::sizes::deserialize")]`: a map of sizes.
pub(crate) mod sizes {
    use super::*;
    use std::collections::BTreeMap;

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        d: D,
    ) -> Result<BTreeMap<String, u64>, D::Error> {
        BTreeMap::<String, Raw>::deserialize(d)?
            .into_iter()
            .map(|(name, raw)| match raw {
                Raw::Number(bytes) => Ok((name, bytes)),
                Raw::Text(text) => parse_size(&text)
                    .map(|b| (name, b))
                    .map_err(D::Error::custom),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes() {
        for (text, millis) in [
            ("90", Some(90_000)),
            ("90s", Some(90_000)),
            ("500ms", Some(500)),
            ("2h", Some(7_200_000)),
            ("", None),
            ("s", None),
            ("1y", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(
                parse_duration(text).ok().map(|d| d.as_millis()),
                millis,
                "{text}"
            );
        }
        for (text, bytes) in [
            ("7", Some(7)),
            ("64KiB", Some(65_536)),
            ("1 GB", Some(1_000_000_000)),
            ("-1", None),
            ("1TiBx", None),
        ] {
            assert_eq!(parse_size(text).ok(), bytes, "{text}");
        }
    }
}
