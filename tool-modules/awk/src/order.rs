//! The order in which `for (key in array)` visits keys: that of gawk, since
//! scripts are written against what it prints. Whole numbers come last, in
//! ascending order; other keys come by the buckets of gawk's hash table.

use crate::ast::Text;

/// Table sizes that gawk grows through.
const SIZES: [usize; 11] = [
    13,
    127,
    1021,
    8191,
    131_071,
    1_048_573,
    8_388_593,
    16_777_213,
    33_554_393,
    67_108_859,
    134_217_689,
];
/// Average chain length beyond which the table grows.
const CHAIN_MAX: usize = 2;
const NONE: u32 = u32::MAX;

/// Sorts keys, given in the order of insertion, into gawk's order.
pub fn arrange(keys: Vec<Text>) -> Vec<Text> {
    let mut numbers: Vec<(i64, Text)> = Vec::new();
    let mut texts: Vec<Text> = Vec::new();
    for key in keys {
        match whole_number(&key) {
            Some(n) => numbers.push((n, key)),
            None => texts.push(key),
        }
    }
    let mut out = by_bucket(texts);
    numbers.sort_by_key(|(n, _)| *n);
    out.extend(numbers.into_iter().map(|(_, key)| key));
    out
}

/// The value of a key that is a whole number in its usual form.
fn whole_number(key: &[u8]) -> Option<i64> {
    let digits = key.strip_prefix(b"-").unwrap_or(key);
    if digits.is_empty() || digits.len() > 15 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    if digits[0] == b'0' && key.len() > 1 {
        return None;
    }
    std::str::from_utf8(key).ok()?.parse().ok()
}

fn hash(key: &[u8]) -> u32 {
    key.iter().fold(0u32, |h, byte| {
        u32::from(*byte)
            .wrapping_add(h << 6)
            .wrapping_add(h << 16)
            .wrapping_sub(h)
    })
}

fn by_bucket(texts: Vec<Text>) -> Vec<Text> {
    if texts.len() < 2 {
        return texts;
    }
    let hashes: Vec<u32> = texts.iter().map(|t| hash(t)).collect();
    let mut next = vec![NONE; texts.len()];
    let mut level = 0;
    let mut heads = vec![NONE; SIZES[0]];
    for (i, code) in hashes.iter().enumerate() {
        if (i + 1) / heads.len() > CHAIN_MAX && level + 1 < SIZES.len() {
            level += 1;
            let mut grown = vec![NONE; SIZES[level]];
            for head in heads {
                let mut at = head;
                while at != NONE {
                    let following = next[at as usize];
                    let bucket = hashes[at as usize] as usize % grown.len();
                    next[at as usize] = grown[bucket];
                    grown[bucket] = at;
                    at = following;
                }
            }
            heads = grown;
        }
        let bucket = *code as usize % heads.len();
        next[i] = heads[bucket];
        heads[bucket] = i as u32;
    }
    let mut out = Vec::with_capacity(texts.len());
    for head in heads {
        let mut at = head;
        while at != NONE {
            out.push(Text::clone(&texts[at as usize]));
            at = next[at as usize];
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn visits_as_gawk_does() {
        let keys: Vec<Text> = [
            "apple", "2", "banana", "cherry", "10", "date", "fig", "grape", "1",
        ]
        .iter()
        .map(|k| Text::from(k.as_bytes()))
        .collect();
        let got: Vec<String> = arrange(keys)
            .iter()
            .map(|k| String::from_utf8_lossy(k).into_owned())
            .collect();
        assert_eq!(got.join(" "), "fig apple banana grape cherry date 1 2 10");
    }
}
