//! Sizes as people write them.

/// Parses `10`, `4K`, `2M`, `1GiB`, `5kB`, `b` (512-byte blocks) and so on.
pub fn parse_size(text: &[u8]) -> Option<u64> {
    let digits = text.iter().take_while(|b| b.is_ascii_digit()).count();
    let number = match digits {
        0 => 1,
        n => std::str::from_utf8(text.get(..n)?)
            .ok()?
            .parse::<u64>()
            .ok()?,
    };
    let suffix = std::str::from_utf8(text.get(digits..)?).ok()?;
    if digits == 0 && suffix.is_empty() {
        return None;
    }
    let factor: u64 = match suffix {
        "" => 1,
        "b" => 512,
        "c" => 1,
        "w" => 2,
        "kB" | "KB" => 1000,
        "k" | "K" | "KiB" => 1 << 10,
        "MB" => 1_000_000,
        "m" | "M" | "MiB" => 1 << 20,
        "GB" => 1_000_000_000,
        "g" | "G" | "GiB" => 1 << 30,
        "TB" => 1_000_000_000_000,
        "t" | "T" | "TiB" => 1 << 40,
        "P" | "PiB" => 1 << 50,
        "E" | "EiB" => 1 << 60,
        _ => return None,
    };
    number.checked_mul(factor)
}

/// A size as `ls -h`, `du -h` and `df -h` print it: rounded up, one decimal
/// below ten.
pub fn human(bytes: u64, base: u64) -> String {
    let units: &[&str] = if base == 1000 {
        &["", "k", "M", "G", "T", "P", "E"]
    } else {
        &["", "K", "M", "G", "T", "P", "E"]
    };
    let mut unit = 0usize;
    let mut divisor: u128 = 1;
    let value = u128::from(bytes);
    let base = u128::from(base);
    while unit + 1 < units.len() && value.div_ceil(divisor) >= base {
        divisor *= base;
        unit += 1;
    }
    let name = units.get(unit).copied().unwrap_or("");
    if unit == 0 {
        return format!("{bytes}");
    }
    let tenths = (value * 10).div_ceil(divisor);
    if tenths < 100 {
        format!("{}.{}{name}", tenths / 10, tenths % 10)
    } else {
        let whole = value.div_ceil(divisor);
        format!("{whole}{name}")
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn sizes() {
        for (bytes, text) in [
            (0, "0"),
            (1023, "1023"),
            (1024, "1.0K"),
            (1025, "1.1K"),
            (10240, "10K"),
            (1 << 20, "1.0M"),
        ] {
            assert_eq!(super::human(bytes, 1024), text);
        }
        assert_eq!(super::parse_size(b"2K"), Some(2048));
        assert_eq!(super::parse_size(b"x"), None);
    }
}
