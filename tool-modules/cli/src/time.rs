//! Times: `strftime` and `mktime`. The sandbox has no zone files, so a zone is
//! UTC or the fixed offset that TZ gives.

use std::time::{SystemTime, UNIX_EPOCH};

/// A zone with a fixed offset.
#[derive(Clone, Debug)]
pub struct Zone {
    /// Seconds to add to UTC.
    pub offset: i64,
    /// Its name, as `%Z` prints it.
    pub name: String,
}

impl Zone {
    /// From TZ in the POSIX form (`EST5`, `<+0530>-5:30`), else UTC.
    pub fn local() -> Self {
        let utc = Self {
            offset: 0,
            name: "UTC".to_owned(),
        };
        let Ok(text) = std::env::var("TZ") else {
            return utc;
        };
        let (name, rest) = match text.strip_prefix('<') {
            Some(inner) => match inner.split_once('>') {
                Some((name, rest)) => (name.to_owned(), rest.to_owned()),
                None => return utc,
            },
            None => {
                let length = text.bytes().take_while(u8::is_ascii_alphabetic).count();
                (text[..length].to_owned(), text[length..].to_owned())
            }
        };
        if name.len() < 3 || rest.is_empty() {
            return utc;
        }
        let (sign, rest) = match rest.strip_prefix('-') {
            Some(rest) => (1, rest),
            None => (-1, rest.trim_start_matches('+')),
        };
        let mut parts = rest.split(':').map(|p| {
            p.bytes()
                .take_while(u8::is_ascii_digit)
                .fold(0i64, |v, b| v * 10 + i64::from(b - b'0'))
        });
        let hours = parts.next().unwrap_or(0);
        let minutes = parts.next().unwrap_or(0);
        if hours > 24 || minutes > 59 {
            return utc;
        }
        Self {
            offset: sign * (hours * 3600 + minutes * 60),
            name,
        }
    }
}

/// Seconds since 1970.
pub fn now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| i64::try_from(d.as_secs()).unwrap_or(0))
}

/// A broken-down time.
struct Parts {
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
    weekday: i64,
    yearday: i64,
}

/// Days since 1970 of a date, by the Gregorian calendar.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let shifted = (month + 9) % 12;
    let of_year = (153 * shifted + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

fn break_down(time: i64) -> Parts {
    let days = time.div_euclid(86_400);
    let second_of_day = time.rem_euclid(86_400);
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_shifted + 2) / 5 + 1;
    let month = if month_shifted < 10 {
        month_shifted + 3
    } else {
        month_shifted - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    Parts {
        year,
        month,
        day,
        hour: second_of_day / 3600,
        minute: second_of_day / 60 % 60,
        second: second_of_day % 60,
        weekday: (days + 4).rem_euclid(7),
        yearday: days - days_from_civil(year, 1, 1),
    }
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

/// Formats a time as C's strftime does in the C locale.
pub fn strftime(format: &[u8], when: i64, zone: &Zone, utc: bool) -> Vec<u8> {
    let (offset, name) = if utc {
        (0, "UTC")
    } else {
        (zone.offset, zone.name.as_str())
    };
    let parts = break_down(
        when.saturating_add(offset)
            .clamp(-67_768_040_609_740_800, 67_767_976_233_532_799),
    );
    let mut out = Vec::new();
    expand(format, when, offset, name, &parts, &mut out);
    out
}

fn expand(format: &[u8], when: i64, offset: i64, name: &str, p: &Parts, out: &mut Vec<u8>) {
    let mut at = 0;
    while let Some(byte) = format.get(at).copied() {
        at += 1;
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let mut pad = None;
        while let Some(flag @ (b'-' | b'_' | b'0' | b'^' | b'#' | b'E' | b'O')) = format.get(at) {
            if !matches!(flag, b'E' | b'O') {
                pad = Some(*flag);
            }
            at += 1;
        }
        let Some(letter) = format.get(at).copied() else {
            out.push(b'%');
            return;
        };
        at += 1;
        let mut number = |value: i64, width: usize, fill: char| {
            let text = match (pad, fill) {
                (Some(b'-'), _) => format!("{value}"),
                (Some(b'_'), _) => format!("{value:width$}"),
                (Some(b'0'), _) | (None | Some(_), '0') => format!("{value:0width$}"),
                _ => format!("{value:width$}"),
            };
            out.extend_from_slice(text.as_bytes());
        };
        let twelve = if p.hour % 12 == 0 { 12 } else { p.hour % 12 };
        let month = MONTHS
            .get(usize::try_from(p.month - 1).unwrap_or(0))
            .copied()
            .unwrap_or("");
        let day = DAYS
            .get(usize::try_from(p.weekday).unwrap_or(0))
            .copied()
            .unwrap_or("");
        let nested = match letter {
            b'c' => Some("%a %b %e %H:%M:%S %Y"),
            b'D' | b'x' => Some("%m/%d/%y"),
            b'F' => Some("%Y-%m-%d"),
            b'R' => Some("%H:%M"),
            b'T' | b'X' => Some("%H:%M:%S"),
            b'r' => Some("%I:%M:%S %p"),
            _ => None,
        };
        if let Some(nested) = nested {
            expand(nested.as_bytes(), when, offset, name, p, out);
            continue;
        }
        let iso = iso_week(p);
        match letter {
            b'Y' => number(p.year, 1, ' '),
            b'C' => number(p.year.div_euclid(100), 2, '0'),
            b'y' => number(p.year.rem_euclid(100), 2, '0'),
            b'm' => number(p.month, 2, '0'),
            b'd' => number(p.day, 2, '0'),
            b'e' => number(p.day, 2, ' '),
            b'H' => number(p.hour, 2, '0'),
            b'k' => number(p.hour, 2, ' '),
            b'I' => number(twelve, 2, '0'),
            b'l' => number(twelve, 2, ' '),
            b'M' => number(p.minute, 2, '0'),
            b'S' => number(p.second, 2, '0'),
            b'j' => number(p.yearday + 1, 3, '0'),
            b'u' => number(if p.weekday == 0 { 7 } else { p.weekday }, 1, ' '),
            b'w' => number(p.weekday, 1, ' '),
            b'U' => number((p.yearday + 7 - p.weekday) / 7, 2, '0'),
            b'W' => number((p.yearday + 7 - (p.weekday + 6) % 7) / 7, 2, '0'),
            b'V' => number(iso.1, 2, '0'),
            b'G' => number(iso.0, 1, ' '),
            b'g' => number(iso.0.rem_euclid(100), 2, '0'),
            b's' => number(when, 1, ' '),
            b'B' => cased(out, month, pad),
            b'b' | b'h' => cased(out, month.get(..3).unwrap_or(month), pad),
            b'A' => cased(out, day, pad),
            b'a' => cased(out, day.get(..3).unwrap_or(day), pad),
            b'p' => out.extend_from_slice(if p.hour < 12 { b"AM" } else { b"PM" }),
            b'P' => out.extend_from_slice(if p.hour < 12 { b"am" } else { b"pm" }),
            b'Z' => out.extend_from_slice(name.as_bytes()),
            b'z' => {
                let sign = if offset < 0 { '-' } else { '+' };
                let minutes = offset.abs() / 60;
                out.extend_from_slice(
                    format!("{sign}{:02}{:02}", minutes / 60, minutes % 60).as_bytes(),
                );
            }
            b'n' => out.push(b'\n'),
            b't' => out.push(b'\t'),
            b'%' => out.push(b'%'),
            other => {
                out.push(b'%');
                out.push(other);
            }
        }
    }
}

fn cased(out: &mut Vec<u8>, text: &str, flag: Option<u8>) {
    if flag == Some(b'^') {
        out.extend_from_slice(text.to_ascii_uppercase().as_bytes());
    } else {
        out.extend_from_slice(text.as_bytes());
    }
}

/// ISO 8601 year and week.
fn iso_week(p: &Parts) -> (i64, i64) {
    let weekday = (p.weekday + 6) % 7;
    let week = (p.yearday - weekday + 10) / 7;
    let leap = |y: i64| (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
    let weeks = |y: i64| {
        let january = (days_from_civil(y, 1, 1) + 4).rem_euclid(7);
        if january == 4 || (january == 3 && leap(y)) {
            53
        } else {
            52
        }
    };
    if week < 1 {
        (p.year - 1, weeks(p.year - 1))
    } else if week > weeks(p.year) {
        (p.year + 1, 1)
    } else {
        (p.year, week)
    }
}

/// `YYYY MM DD HH MM SS`
pub fn mktime(text: &[u8], zone: &Zone, utc: bool) -> Option<i64> {
    let text = String::from_utf8_lossy(text);
    let numbers: Vec<i64> = text
        .split_whitespace()
        .map_while(|w| w.parse().ok())
        .collect();
    let [year, month, day, hour, minute, second, ..] = numbers.as_slice() else {
        return None;
    };
    if [year, month, day, hour, minute, second]
        .iter()
        .any(|n| n.abs() > 1_000_000_000)
    {
        return None;
    }
    let months = year * 12 + month - 1;
    let days = days_from_civil(months.div_euclid(12), months.rem_euclid(12) + 1, 1) + day - 1;
    let time = days * 86_400 + hour * 3600 + minute * 60 + second;
    Some(if utc { time } else { time - zone.offset })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_and_reads_back() {
        let zone = Zone {
            offset: 0,
            name: "UTC".to_owned(),
        };
        let text = strftime(b"%Y-%m-%d %H:%M:%S %j %a %V %G", 1_700_000_000, &zone, true);
        assert_eq!(
            String::from_utf8_lossy(&text),
            "2023-11-14 22:13:20 318 Tue 46 2023"
        );
        assert_eq!(
            mktime(b"2023 11 14 22 13 20", &zone, true),
            Some(1_700_000_000)
        );
    }
}

/// Reads a date as people write one for `-newermt`, `touch -d` and the like:
/// `@SECONDS`, `YYYY-MM-DD[ HH:MM[:SS]][Z]`, `now`, `yesterday`,
/// `N units [ago]`. Seconds since 1970.
pub fn parse_date(text: &str, zone: &Zone) -> Option<i64> {
    let text = text.trim();
    if let Some(seconds) = text.strip_prefix('@') {
        return seconds.split('.').next()?.parse().ok();
    }
    let day = |t: i64| (t + zone.offset).div_euclid(86_400) * 86_400 - zone.offset;
    match text {
        "now" => return Some(now()),
        "today" => return Some(now()),
        "midnight" => return Some(day(now())),
        "yesterday" => return Some(now() - 86_400),
        "tomorrow" => return Some(now() + 86_400),
        _ => {}
    }
    if let Some(relative) = relative(text) {
        return Some(now() + relative);
    }
    let (text, utc) = match text.strip_suffix('Z').or(text.strip_suffix(" UTC")) {
        Some(rest) => (rest, true),
        None => (text, false),
    };
    let text = text.replace('T', " ");
    let (date, clock) = text.split_once(' ').unwrap_or((&text, "00:00:00"));
    let date = date.replace('/', "-");
    let mut parts = date.split('-');
    let year = parts.next()?;
    let (year, month, day) = if year.len() == 8 && !date.contains('-') {
        (
            year.get(..4)?.parse().ok()?,
            year.get(4..6)?.parse().ok()?,
            year.get(6..)?.parse().ok()?,
        )
    } else {
        let year: i64 = year.parse().ok()?;
        (
            year,
            parts.next()?.parse().ok()?,
            parts.next()?.parse().ok()?,
        )
    };
    let mut clock = clock
        .split(':')
        .map(|p| p.split('.').next().unwrap_or("").parse::<i64>());
    let hour = clock.next()?.ok()?;
    let minute = clock.next().unwrap_or(Ok(0)).ok()?;
    let second = clock.next().unwrap_or(Ok(0)).ok()?;
    if !(1..=12).contains(&month)
        || !(1..=31).contains(&day)
        || !(0..24).contains(&hour)
        || !(0..60).contains(&minute)
        || !(0..=60).contains(&second)
    {
        return None;
    }
    let time = days_from_civil(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    Some(if utc { time } else { time - zone.offset })
}

/// `3 days ago`, `-2 hours`, `next week`
fn relative(text: &str) -> Option<i64> {
    let mut total = 0i64;
    let mut any = false;
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut at = 0;
    while at < words.len() {
        let word = words[at];
        let (count, unit) = match word {
            "last" => (-1, *words.get(at + 1)?),
            "next" => (1, *words.get(at + 1)?),
            "ago" if any => {
                total = -total;
                at += 1;
                continue;
            }
            _ => {
                let digits = word
                    .trim_start_matches(['+', '-'])
                    .bytes()
                    .take_while(u8::is_ascii_digit)
                    .count();
                let sign = usize::from(word.starts_with(['+', '-']));
                if digits == 0 {
                    return None;
                }
                let count: i64 = word
                    .get(..sign + digits)?
                    .trim_start_matches('+')
                    .parse()
                    .ok()?;
                let rest = word.get(sign + digits..)?;
                if rest.is_empty() {
                    (count, *words.get(at + 1)?)
                } else {
                    at = at.wrapping_sub(1);
                    (count, rest)
                }
            }
        };
        let seconds = match unit.trim_end_matches('s') {
            "sec" | "second" => 1,
            "min" | "minute" => 60,
            "hour" => 3600,
            "day" => 86_400,
            "week" => 604_800,
            "fortnight" => 1_209_600,
            "month" => 2_629_746,
            "year" => 31_556_952,
            _ => return None,
        };
        total = total.checked_add(count.checked_mul(seconds)?)?;
        any = true;
        at = at.wrapping_add(2);
    }
    any.then_some(total)
}
