//! Three kinds of computing: arithmetic, memory, and branches.

/// Numbers that look random and are the same every time.
struct Numbers(u64);

impl Iterator for Numbers {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        Some(self.0)
    }
}

/// The mixing rounds of SHA-256 over a block, again and again.
pub(crate) fn hash(rounds: u64) -> u64 {
    let mut state: [u32; 8] = [
        0x6a09_e667,
        0xbb67_ae85,
        0x3c6e_f372,
        0xa54f_f53a,
        0x510e_527f,
        0x9b05_688c,
        0x1f83_d9ab,
        0x5be0_cd19,
    ];
    let mut words = [0_u32; 64];
    for round in 0..rounds {
        for (index, word) in words.iter_mut().take(16).enumerate() {
            *word = (round as u32)
                .wrapping_mul(0x9e37_79b9)
                .wrapping_add(index as u32);
        }
        for index in 16..64 {
            let small = words[index - 15];
            let large = words[index - 2];
            let s0 = small.rotate_right(7) ^ small.rotate_right(18) ^ (small >> 3);
            let s1 = large.rotate_right(17) ^ large.rotate_right(19) ^ (large >> 10);
            words[index] = words[index - 16]
                .wrapping_add(s0)
                .wrapping_add(words[index - 7])
                .wrapping_add(s1);
        }
        let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = state;
        for word in words {
            let s1 = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
            let choice = (e & f) ^ (!e & g);
            let first = h
                .wrapping_add(s1)
                .wrapping_add(choice)
                .wrapping_add(word)
                .wrapping_add(0x428a_2f98);
            let s0 = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
            let majority = (a & b) ^ (a & c) ^ (b & c);
            (h, g, f, e) = (g, f, e, d.wrapping_add(first));
            (d, c, b, a) = (c, b, a, first.wrapping_add(s0).wrapping_add(majority));
        }
        for (kept, new) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
            *kept = kept.wrapping_add(new);
        }
    }
    state
        .iter()
        .fold(0, |sum, word| sum.rotate_left(8) ^ u64::from(*word))
}

/// Sorts this many numbers.
pub(crate) fn sort(count: u64) -> u64 {
    let mut numbers: Vec<u64> = Numbers(88_172_645_463_325_252)
        .take(count as usize)
        .collect();
    numbers.sort_unstable();
    numbers
        .iter()
        .step_by(1000)
        .fold(0, |sum, number| sum.wrapping_mul(31).wrapping_add(*number))
}

/// Searches this many lines for dates and addresses.
pub(crate) fn search(lines: u64) -> u64 {
    let Ok(pattern) = regex::bytes::Regex::new(r"(\d{4})-(\d{2})-(\d{2})|[a-z]+@[a-z]+\.(com|org)")
    else {
        return 0;
    };
    let mut text = Vec::new();
    for (index, number) in Numbers(2_463_534_242).take(lines as usize).enumerate() {
        let line = match index % 8 {
            0 => format!(
                "on {}-{:02}-{:02} it was {number}\n",
                1900 + number % 200,
                number % 12,
                number % 28
            ),
            1 => format!("write to name{}x@example.org about {number}\n", number % 10),
            _ => format!("a line of no interest, number {number}, with some words in it\n"),
        };
        text.extend_from_slice(line.as_bytes());
    }
    pattern
        .find_iter(&text)
        .map(|found| found.len() as u64)
        .sum()
}
