//! `getopts`.

use crate::shell::{Ex, Shell};
use crate::strs::{is_name, parse_int};

pub(super) fn getopts(sh: &mut Shell, args: &[Vec<u8>]) -> Ex {
    let skip = if args.get(1).is_some_and(|a| a == b"--") {
        1
    } else {
        0
    };
    if skip == 0
        && let Some([b'-', l, ..]) = args.get(1).map(Vec::as_slice)
    {
        return Ok(sh.bad_option(*l, b'-'));
    }
    let (Some(spec), Some(name)) = (args.get(1 + skip).cloned(), args.get(2 + skip).cloned())
    else {
        return Ok(sh.usage_error());
    };
    let list: Vec<Vec<u8>> = match args.get(3 + skip..) {
        Some(rest) if !rest.is_empty() => rest.to_vec(),
        _ => sh.st.args.to_vec(),
    };
    let silent = spec.first() == Some(&b':');
    let quiet = silent || sh.get(b"OPTERR").is_some_and(|t| *t == b"0");
    let mut index = sh
        .get(b"OPTIND")
        .and_then(|t| parse_int(&t))
        .filter(|n| *n >= 1)
        .unwrap_or(1);
    let mut at = sh.st.getopts_at;
    let finish = |sh: &mut Shell,
                  index: i64,
                  at: usize,
                  value: &[u8],
                  arg: Option<Vec<u8>>,
                  status: i32|
     -> Ex {
        let _ = sh.set(b"OPTIND", index.to_string().into_bytes());
        sh.st.getopts_at = at;
        match arg {
            Some(a) => {
                let _ = sh.set(b"OPTARG", a);
            }
            None => sh.unset(b"OPTARG"),
        }
        if !is_name(&name) {
            sh.berr([b"`", name.as_slice(), b"': not a valid identifier"].concat());
            return Ok(1);
        }
        if sh.set(&name, value.to_vec()).is_err() {
            return Ok(1);
        }
        Ok(status)
    };
    let current = |i: i64| usize::try_from(i - 1).ok().and_then(|i| list.get(i));
    if at == 0 {
        let Some(word) = current(index) else {
            let end = list.len() as i64 + 1;
            return finish(sh, end.min(index.max(1)), 0, b"?", None, 1);
        };
        if word == b"--" {
            return finish(sh, index + 1, 0, b"?", None, 1);
        }
        if word.len() < 2 || word.first() != Some(&b'-') {
            return finish(sh, index, 0, b"?", None, 1);
        }
        at = 1;
    }
    let word = current(index).cloned().unwrap_or_default();
    let Some(&letter) = word.get(at) else {
        return finish(sh, index + 1, 0, b"?", None, 1);
    };
    at += 1;
    let ended = at >= word.len();
    let next = |index: i64| if ended { (index + 1, 0) } else { (index, at) };
    let place = spec
        .iter()
        .skip(usize::from(silent))
        .position(|b| *b == letter)
        .map(|i| i + usize::from(silent));
    let fail = |sh: &mut Shell, text: &str| {
        if !quiet {
            let arg0 = sh.st.arg0.to_vec();
            sh.write_err(&[&arg0[..], b": ", text.as_bytes(), b" -- ", &[letter], b"\n"].concat());
        }
    };
    let Some(place) = place.filter(|_| letter != b':') else {
        fail(sh, "illegal option");
        let (i, a) = next(index);
        let arg = if silent { Some(vec![letter]) } else { None };
        return finish(sh, i, a, b"?", arg, 0);
    };
    if spec.get(place + 1) != Some(&b':') {
        let (i, a) = next(index);
        return finish(sh, i, a, &[letter], None, 0);
    }
    if !ended {
        let arg = word.get(at..).unwrap_or_default().to_vec();
        return finish(sh, index + 1, 0, &[letter], Some(arg), 0);
    }
    index += 1;
    match current(index).cloned() {
        Some(arg) => finish(sh, index + 1, 0, &[letter], Some(arg), 0),
        None => {
            fail(sh, "option requires an argument");
            if silent {
                finish(sh, index, 0, b":", Some(vec![letter]), 0)
            } else {
                finish(sh, index, 0, b"?", None, 0)
            }
        }
    }
}
