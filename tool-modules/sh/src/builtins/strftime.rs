//! Dates for `printf %(…)T` and prompts. The sandbox's time zone is UTC.

const DAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];
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

struct Date {
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
    weekday: i64,
    yearday: i64,
}

/// Days since 1970 as a date of the Gregorian calendar.
fn civil(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = doy - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (yoe + era * 400 + i64::from(month <= 2), month, day)
}

fn leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn date(seconds: i64) -> Date {
    let days = seconds.div_euclid(86_400);
    let rest = seconds.rem_euclid(86_400);
    let (year, month, day) = civil(days);
    let before = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let yearday = before.get(month as usize - 1).copied().unwrap_or(0) + day - 1
        + i64::from(month > 2 && leap(year));
    Date {
        year,
        month,
        day,
        hour: rest / 3600,
        minute: rest / 60 % 60,
        second: rest % 60,
        weekday: (days + 4).rem_euclid(7),
        yearday,
    }
}

/// The ISO week and its year.
fn iso_week(d: &Date) -> (i64, i64) {
    let wd = (d.weekday + 6) % 7;
    let week = (d.yearday - wd + 10) / 7;
    if week < 1 {
        let year = d.year - 1;
        let days = if leap(year) { 366 } else { 365 };
        return ((d.yearday + days - wd + 10) / 7, year);
    }
    if week == 53 {
        let days = if leap(d.year) { 366 } else { 365 };
        if d.yearday - wd + 3 >= days {
            return (1, d.year + 1);
        }
    }
    (week, d.year)
}

/// The format filled in.
pub fn format(f: &[u8], seconds: i64) -> Vec<u8> {
    let d = date(seconds);
    let mut out = Vec::new();
    let mut i = 0;
    let name = |list: &[&str], at: i64| list.get(at as usize).copied().unwrap_or("?").to_string();
    let twelve = |h: i64| if h % 12 == 0 { 12 } else { h % 12 };
    while let Some(&b) = f.get(i) {
        i += 1;
        if b != b'%' {
            out.push(b);
            continue;
        }
        let mut flag = 0;
        if let Some(&c) = f
            .get(i)
            .filter(|c| matches!(c, b'-' | b'_' | b'0' | b'^' | b'#' | b'E' | b'O'))
        {
            flag = c;
            i += 1;
        }
        let Some(&c) = f.get(i) else {
            out.push(b'%');
            break;
        };
        i += 1;
        let two = |n: i64| match flag {
            b'-' => n.to_string(),
            b'_' => format!("{n:2}"),
            _ => format!("{n:02}"),
        };
        let text = match c {
            b'Y' => d.year.to_string(),
            b'C' => two(d.year / 100),
            b'y' => two(d.year.rem_euclid(100)),
            b'm' => two(d.month),
            b'd' => two(d.day),
            b'e' => {
                if flag == b'-' {
                    d.day.to_string()
                } else {
                    format!("{:2}", d.day)
                }
            }
            b'H' => two(d.hour),
            b'I' => two(twelve(d.hour)),
            b'k' => format!("{:2}", d.hour),
            b'l' => format!("{:2}", twelve(d.hour)),
            b'M' => two(d.minute),
            b'S' => two(d.second),
            b'j' => {
                if flag == b'-' {
                    (d.yearday + 1).to_string()
                } else {
                    format!("{:03}", d.yearday + 1)
                }
            }
            b'p' => if d.hour < 12 { "AM" } else { "PM" }.to_string(),
            b'P' => if d.hour < 12 { "am" } else { "pm" }.to_string(),
            b'a' => name(&DAYS, d.weekday).chars().take(3).collect(),
            b'A' => name(&DAYS, d.weekday),
            b'b' | b'h' => name(&MONTHS, d.month - 1).chars().take(3).collect(),
            b'B' => name(&MONTHS, d.month - 1),
            b'u' => (if d.weekday == 0 { 7 } else { d.weekday }).to_string(),
            b'w' => d.weekday.to_string(),
            b'U' => two((d.yearday + 7 - d.weekday) / 7),
            b'W' => two((d.yearday + 7 - (d.weekday + 6) % 7) / 7),
            b'V' => two(iso_week(&d).0),
            b'G' => iso_week(&d).1.to_string(),
            b'g' => two(iso_week(&d).1.rem_euclid(100)),
            b's' => seconds.to_string(),
            b'z' => "+0000".to_string(),
            b'Z' => "UTC".to_string(),
            b'n' => "\n".to_string(),
            b't' => "\t".to_string(),
            b'%' => "%".to_string(),
            b'F' => format!("{}-{:02}-{:02}", d.year, d.month, d.day),
            b'T' | b'X' => format!("{:02}:{:02}:{:02}", d.hour, d.minute, d.second),
            b'R' => format!("{:02}:{:02}", d.hour, d.minute),
            b'D' | b'x' => format!("{:02}/{:02}/{:02}", d.month, d.day, d.year.rem_euclid(100)),
            b'r' => format!(
                "{:02}:{:02}:{:02} {}",
                twelve(d.hour),
                d.minute,
                d.second,
                if d.hour < 12 { "AM" } else { "PM" }
            ),
            b'c' => String::from_utf8_lossy(&format(b"%a %b %e %H:%M:%S %Y", seconds)).into_owned(),
            _ => format!("%{}", c as char),
        };
        let text = if flag == b'^' {
            text.to_uppercase()
        } else {
            text
        };
        out.extend_from_slice(text.as_bytes());
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn dates() {
        for (f, s, want) in [
            ("%F %T", 0, "1970-01-01 00:00:00"),
            (
                "%Y-%m-%d %H:%M:%S %a %j",
                1_709_210_096,
                "2024-02-29 12:34:56 Thu 060",
            ),
            ("%G-W%V", 1_704_067_200, "2024-W01"),
            ("%e|%-d|%I %p", 1_709_210_096, "29|29|12 PM"),
        ] {
            assert_eq!(
                String::from_utf8_lossy(&super::format(f.as_bytes(), s)),
                want
            );
        }
    }
}
