//! The cases of bashkit: text files with the script and the output that it must have.

use super::shell::{Case, Expect};
use super::{fetch, read_text};
use std::path::Path;

/// The part of a case that lines are added to.
#[derive(PartialEq)]
enum Part {
    Script,
    Expect,
}

/// The cases of one folder. Those that say that they differ from bash on purpose do not count.
pub(super) fn cases(dir: &Path, suite: &str) -> anyhow::Result<Vec<Case>> {
    let mut out = Vec::new();
    for path in fetch::files(&dir.join(suite), "sh")? {
        let shown = path
            .file_name()
            .map(|n| n.to_string_lossy().into_owned())
            .unwrap_or_default();
        parse(&read_text(&path)?, &shown, &mut out);
    }
    Ok(out)
}

fn parse(text: &str, file: &str, out: &mut Vec<Case>) {
    let mut name: Option<String> = None;
    let (mut script, mut expected) = (Vec::new(), Vec::new());
    let (mut status, mut counts, mut part) = (None, true, Part::Script);
    for line in text.lines() {
        let Some(mark) = line.strip_prefix("### ") else {
            if name.is_some() {
                if part == Part::Script {
                    script.push(line)
                } else {
                    expected.push(line)
                }
            }
            continue;
        };
        let (key, rest) = mark.split_once([' ', ':']).unwrap_or((mark, ""));
        match key {
            "end" => {
                if let Some(name) = name.take()
                    && counts
                {
                    out.push(case(file, name, &script, &expected, status));
                }
            }
            "expect" => part = Part::Expect,
            "exit_code" => status = rest.trim_matches([':', ' ']).parse().ok(),
            "bash_diff" | "skip" => counts = false,
            _ if name.is_some() && mark.contains(':') => {}
            _ => {
                name = Some(mark.trim().to_owned());
                script.clear();
                expected.clear();
                status = None;
                counts = true;
                part = Part::Script;
            }
        }
    }
}

fn case(file: &str, name: String, script: &[&str], expected: &[&str], status: Option<i32>) -> Case {
    Case {
        file: file.to_owned(),
        name,
        args: vec!["-c".to_owned(), script.join("\n")],
        stdin: String::new(),
        env: Vec::new(),
        files: Vec::new(),
        expect: Expect::Stated {
            stdout: expected.join("\n"),
            status,
        },
        ignore_stdout: false,
        ignore_blanks: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_cases() {
        let text = "### one\necho a\n### expect\na\n### end\n\n### two\n### bash_diff: why\nfalse\n### expect\n### end\n### three\nexit 3\n### exit_code: 3\n### expect\n### end\n";
        let mut out = Vec::new();
        parse(text, "f", &mut out);
        let names: Vec<&str> = out.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(names, ["one", "three"]);
        let stated: Vec<Option<i32>> = out
            .iter()
            .map(|c| match &c.expect {
                Expect::Stated { status, .. } => *status,
                Expect::Oracle => None,
            })
            .collect();
        assert_eq!(stated, [None, Some(3)]);
    }
}
