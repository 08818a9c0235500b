//! POSIX extended regular expressions, translated for the regex crate.

/// The same expression in the other syntax. `Err`: what cannot be said there.
pub fn translate(ere: &[u8]) -> Result<String, &'static str> {
    let text = String::from_utf8_lossy(ere);
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::from("(?s)");
    let mut i = 0;
    let mut start = true;
    while let Some(&c) = chars.get(i) {
        i += 1;
        let was_start = start;
        start = false;
        match c {
            '\\' => {
                let Some(&e) = chars.get(i) else {
                    return Err("Trailing backslash");
                };
                i += 1;
                match e {
                    '1'..='9' => return Err("back-references are not supported"),
                    '<' => out.push_str("\\b{start}"),
                    '>' => out.push_str("\\b{end}"),
                    'b' => out.push_str("\\b"),
                    'B' => out.push_str("\\B"),
                    'w' => out.push_str("[[:word:]]"),
                    'W' => out.push_str("[^[:word:]]"),
                    's' => out.push_str("[[:space:]]"),
                    'S' => out.push_str("[^[:space:]]"),
                    _ => push_plain(&mut out, e),
                }
            }
            '[' => i = bracket(&chars, i, &mut out)?,
            '{' => {
                // An interval, or a plain brace.
                let end = chars.iter().skip(i).position(|c| *c == '}');
                let body: String = end
                    .map(|e| chars.iter().skip(i).take(e).collect())
                    .unwrap_or_default();
                let valid = body.split(',').count() <= 2
                    && body
                        .chars()
                        .next()
                        .is_some_and(|c| c.is_ascii_digit() || c == ',')
                    && body.chars().all(|c| c.is_ascii_digit() || c == ',')
                    && body != ",";
                if valid && !was_start {
                    if body.starts_with(',') {
                        out.push_str(&format!("{{0{body}}}"));
                    } else {
                        out.push_str(&format!("{{{body}}}"));
                    }
                    i += body.chars().count() + 1;
                } else if valid {
                    return Err("Invalid preceding regular expression");
                } else {
                    out.push_str("\\{");
                }
            }
            '*' if was_start => out.push_str("\\*"),
            '+' | '?' if was_start => return Err("Invalid preceding regular expression"),
            '*' | '+' | '?' => {
                // `a**` is `a*` there, and `+?` would mean something else here.
                if out.ends_with(['*', '+', '?']) && !ends_escaped(&out) {
                    let inner = std::mem::take(&mut out);
                    let rest = inner.strip_prefix("(?s)").unwrap_or(&inner).to_string();
                    let at = last_atom(&rest);
                    let (a, b) = rest.split_at(at);
                    out = format!("(?s){a}(?:{b})");
                }
                out.push(c);
            }
            '(' => {
                out.push('(');
                start = true;
                if chars.get(i) == Some(&')') {
                    start = false;
                }
            }
            '|' => {
                out.push('|');
                start = true;
            }
            ')' | '.' | '$' => out.push(c),
            '^' => {
                out.push('^');
                start = was_start;
            }
            _ => push_plain(&mut out, c),
        }
    }
    Ok(out)
}

fn ends_escaped(s: &str) -> bool {
    let mut it = s.chars().rev();
    it.next();
    it.take_while(|c| *c == '\\').count() % 2 == 1
}

/// Where the last repeated atom begins, roughly: only used for doubled repetition.
fn last_atom(s: &str) -> usize {
    let body = s.trim_end_matches(['*', '+', '?']);
    if body.ends_with(')') || body.ends_with(']') {
        let (open, close) = if body.ends_with(')') {
            ('(', ')')
        } else {
            ('[', ']')
        };
        let mut depth = 0;
        for (i, c) in body.char_indices().rev() {
            if c == close {
                depth += 1;
            } else if c == open {
                depth -= 1;
                if depth == 0 {
                    return i;
                }
            }
        }
    }
    body.char_indices().next_back().map_or(0, |(i, _)| i)
}

fn push_plain(out: &mut String, c: char) {
    if "\\.+*?()|[]{}^$#&-~".contains(c) {
        out.push('\\');
    }
    out.push(c);
}

/// A bracket expression after its `[`; backslashes are plain characters there.
fn bracket(chars: &[char], mut i: usize, out: &mut String) -> Result<usize, &'static str> {
    out.push('[');
    if chars.get(i) == Some(&'^') {
        out.push('^');
        i += 1;
    }
    let mut first = true;
    loop {
        let Some(&c) = chars.get(i) else {
            return Err("Unmatched [, [^, [:, [., or [=");
        };
        i += 1;
        match c {
            ']' if !first => {
                out.push(']');
                return Ok(i);
            }
            '[' if matches!(chars.get(i), Some(':' | '.' | '=')) => {
                let kind = chars.get(i).copied().unwrap_or(':');
                let end = (i + 1..chars.len())
                    .find(|j| chars.get(*j) == Some(&kind) && chars.get(*j + 1) == Some(&']'))
                    .ok_or("Unmatched [, [^, [:, [., or [=")?;
                let name: String = chars.get(i + 1..end).unwrap_or_default().iter().collect();
                if kind == ':' {
                    match name.as_str() {
                        "alpha" | "digit" | "alnum" | "upper" | "lower" | "space" | "blank"
                        | "punct" | "print" | "graph" | "cntrl" | "xdigit" | "word" => {
                            out.push_str(&format!("[:{name}:]"))
                        }
                        _ => return Err("Invalid character class name"),
                    }
                } else {
                    for c in name.chars() {
                        set_char(out, c);
                    }
                }
                i = end + 2;
            }
            '-' => {
                // At an end of the set it is itself.
                if first || chars.get(i) == Some(&']') {
                    out.push_str("\\-")
                } else {
                    out.push('-')
                }
            }
            _ => set_char(out, c),
        }
        first = false;
    }
}

fn set_char(out: &mut String, c: char) {
    if "\\[]^-&~".contains(c) {
        out.push('\\');
    }
    out.push(c);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn translation() {
        for (ere, text, yes) in [
            ("^[a-z]+$", "abc", true),
            ("a{2}", "aa", true),
            ("^{", "{", true),
            ("[\\]", "\\", true),
            ("[]a]", "]", true),
            ("[[:digit:]]+x", "12x", true),
            ("^(a|b)*$", "abba", true),
            ("a.c", "a\nc", true),
            ("x-y", "x-y", true),
        ] {
            let re = ::regex::bytes::Regex::new(&translate(ere.as_bytes()).unwrap()).unwrap();
            assert_eq!(re.is_match(text.as_bytes()), yes, "{ere} {text}");
        }
    }
}
