//! `yq`: jq's language on YAML, with the command line of the common `yq`.

use std::rc::Rc;

use hardshell_cli::{Out, complain, errno_text, open_input, path};
use jaq_json::Val;
use jaq_std::input::RcIter;

use crate::engine::{Failure, Program, object, string};
use crate::output::Format;

const HELP: &str = "\
Usage: yq [eval|eval-all] [OPTION]... [EXPRESSION] [FILE]...
Process YAML (and JSON) with jq expressions.

  -i, --inplace              update the first file in place
  -o, --output-format=FORMAT yaml (default) or json
  -p, --input-format=FORMAT  yaml (default) or json
  -I, --indent=N             indentation (default 2)
  -r, --unwrapScalar         print strings as they are (default for YAML)
  -j, --tojson               the same as -o=json
  -n, --null-input           do not read input
  -s, --slurp                all documents as one array
  -N, --no-doc               no --- between documents
  -e, --exit-status          status 1 when the last result is null or false
  -P, --prettyPrint          accepted, output is in block style anyway
      --arg NAME VALUE, --argjson NAME JSON
";

/// Runs yq; its exit status.
pub fn run(args: Vec<Vec<u8>>) -> i32 {
    let mut words = args.into_iter().skip(1).peekable();
    let (
        mut json_out,
        mut json_in,
        mut in_place,
        mut null,
        mut slurp,
        mut no_doc,
        mut raw,
        mut status_wanted,
        mut compact,
    ) = (
        false, false, false, false, false, false, false, false, false,
    );
    let mut indent = 2usize;
    let mut operands: Vec<Vec<u8>> = Vec::new();
    let mut expression: Option<String> = None;
    let mut vars: Vec<(String, Val)> = vec![(
        "ENV".to_owned(),
        object(std::env::vars().map(|(k, v)| (string(k), string(v)))),
    )];
    if words
        .peek()
        .is_some_and(|w| matches!(w.as_slice(), b"eval" | b"e" | b"eval-all" | b"ea"))
    {
        words.next();
    }
    while let Some(word) = words.next() {
        let text = String::from_utf8_lossy(&word).into_owned();
        if word.len() < 2 || word[0] != b'-' {
            operands.push(word);
            continue;
        }
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (text.clone(), None),
        };
        let mut take = |value: Option<String>| {
            value
                .or_else(|| {
                    words
                        .next()
                        .map(|w| String::from_utf8_lossy(&w).into_owned())
                })
                .unwrap_or_default()
        };
        match name.as_str() {
            "--help" | "-h" => {
                print!("{HELP}");
                return 0;
            }
            "--version" | "-V" => {
                println!("yq (hardshell) on jaq");
                return 0;
            }
            "--inplace" | "--in-place" => in_place = true,
            "--output-format" | "-o" => json_out = matches!(take(value).as_str(), "json" | "j"),
            "--input-format" | "-p" => json_in = matches!(take(value).as_str(), "json" | "j"),
            "--indent" | "-I" => indent = take(value).parse().unwrap_or(2),
            "--tojson" => json_out = true,
            "--null-input" => null = true,
            "--slurp" => slurp = true,
            "--no-doc" => no_doc = true,
            "--exit-status" => status_wanted = true,
            "--raw-output" | "--unwrapScalar" => raw = true,
            "--compact-output" => compact = true,
            "--prettyPrint" | "--no-colors" | "--colors" | "--yaml-output" => {}
            "--expression" => expression = Some(take(value)),
            "--arg" => {
                let key = take(None);
                let value = take(None);
                vars.push((key, string(value)));
            }
            "--argjson" => {
                let key = take(None);
                match jaq_json::read::parse_single(take(None).as_bytes()) {
                    Ok(value) => vars.push((key, value)),
                    Err(_) => {
                        complain("yq", "Error: --argjson needs a JSON value");
                        return 1;
                    }
                }
            }
            _ if name.starts_with("--") => {
                complain("yq", format!("Error: unknown flag: {name}"));
                return 1;
            }
            _ => {
                for letter in text[1..].chars() {
                    match letter {
                        'i' => in_place = true,
                        'n' => null = true,
                        's' => slurp = true,
                        'N' => no_doc = true,
                        'e' => status_wanted = true,
                        'r' => raw = true,
                        'j' => json_out = true,
                        'c' => compact = true,
                        'P' | 'C' | 'M' | 'y' | 'Y' => {}
                        other => {
                            complain("yq", format!("Error: unknown shorthand flag: '{other}'"));
                            return 1;
                        }
                    }
                }
            }
        }
    }
    // A lone operand that is a file is the input of the identity.
    let expression = match expression {
        Some(expression) => expression,
        None => match operands.first() {
            Some(first) if operands.len() == 1 && !null && path(first).is_file() => ".".to_owned(),
            Some(_) => String::from_utf8_lossy(&operands.remove(0)).into_owned(),
            None => ".".to_owned(),
        },
    };
    let program = match Program::new(&expression, vars, &[]) {
        Ok(program) => program,
        Err(lines) => {
            for line in lines {
                complain("yq", format!("Error: {line}"));
            }
            return 1;
        }
    };
    let mut documents: Vec<Val> = Vec::new();
    if null {
        documents.push(Val::Null);
    } else {
        let files = if operands.is_empty() {
            vec![b"-".to_vec()]
        } else {
            operands.clone()
        };
        for file in &files {
            let data = match open_input(file).and_then(|mut i| i.read_all()) {
                Ok(data) => data,
                Err(error) => {
                    complain(
                        "yq",
                        format!(
                            "Error: open {}: {}",
                            String::from_utf8_lossy(file),
                            errno_text(&error).to_lowercase()
                        ),
                    );
                    return 1;
                }
            };
            let parsed = if json_in {
                jaq_json::read::parse_many(&data)
                    .collect::<Result<Vec<_>, _>>()
                    .map_err(|e| format!("invalid JSON: {e}"))
            } else {
                crate::yaml::parse(&String::from_utf8_lossy(&data))
                    .map_err(|e| format!("invalid YAML: {e}"))
            };
            match parsed {
                Ok(values) => documents.extend(values),
                Err(message) => {
                    complain("yq", message);
                    return 1;
                }
            }
        }
        if slurp {
            documents = vec![Val::Arr(Rc::new(documents))];
        }
    }
    let empty: Box<dyn Iterator<Item = Result<Val, String>>> = Box::new(std::iter::empty());
    let inputs = RcIter::new(empty);
    let inputs: &RcIter<dyn Iterator<Item = Result<Val, String>>> = &inputs;
    let format = Format {
        indent: if indent == 0 || compact {
            None
        } else {
            Some(vec![b' '; indent])
        },
        keep_literals: true,
        ..Format::default()
    };
    let mut text = Vec::new();
    let mut status = 0;
    let mut last = None;
    let mut first = true;
    for (i, document) in documents.into_iter().enumerate() {
        let mut index = 0;
        program.run(inputs, document, |result| match result {
            Ok(value) => {
                last = Some(!matches!(value, Val::Null | Val::Bool(false)));
                if !json_out && !no_doc && !first && i > 0 && index == 0 {
                    text.extend_from_slice(b"---\n");
                }
                first = false;
                index += 1;
                match &value {
                    Val::TStr(string) if !json_out || raw => {
                        text.extend_from_slice(string);
                        text.push(b'\n');
                    }
                    other if json_out => {
                        format.append(other, &mut text);
                        text.push(b'\n');
                    }
                    other => crate::yaml::write(other, indent.max(1), &mut text),
                }
                true
            }
            Err(Failure::Halt(code)) => {
                status = code;
                false
            }
            Err(Failure::Break) => false,
            Err(Failure::Error(error)) => {
                let rendered = error.to_string();
                let message = crate::errors::top(&error.into_val(), &rendered);
                complain("yq", format!("Error{message}"));
                status = 1;
                false
            }
        });
    }
    if in_place && status == 0 {
        let Some(file) = operands.first() else {
            complain(
                "yq",
                "Error: write in place flag only applicable when giving an expression and at least one file",
            );
            return 1;
        };
        let mut temporary = file.clone();
        temporary.extend_from_slice(b".yq-tmp");
        let result = std::fs::write(path(&temporary), &text).and_then(|()| {
            hardshell_cli::copy_mode(file, &temporary);
            std::fs::rename(path(&temporary), path(file))
        });
        if let Err(error) = result {
            complain("yq", format!("Error: {}", errno_text(&error)));
            return 1;
        }
        return 0;
    }
    let mut out = Out::stdout();
    out.put(&text);
    if out.finish().is_err() {
        return 1;
    }
    if status == 0 && status_wanted && last != Some(true) {
        return 1;
    }
    status
}
