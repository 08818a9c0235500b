//! Nothing about a machine or a workplace stands in the repository.

use super::repo::Repo;

/// Spelt in pieces so that this file does not find itself.
const FORBIDDEN: &[(&str, &str)] = &[
    (concat!("/wo", "rk/main"), "an absolute path of one machine"),
    (concat!("/wo", "rk/dev"), "an absolute path of one machine"),
    (
        concat!("/wo", "rk/shared"),
        "an absolute path of one machine",
    ),
    (
        concat!("/ro", "ot/.cargo"),
        "an absolute path of one machine",
    ),
    (concat!("CONT", "RACT.md"), "a working paper"),
    (concat!("index.cr", "ates.io"), "a package registry's host"),
    (concat!("static.cr", "ates.io"), "a package registry's host"),
    (
        concat!("registry.npm", "js.org"),
        "a package registry's host",
    ),
    (
        concat!("files.python", "hosted.org"),
        "a package registry's host",
    ),
    (concat!("Co-Auth", "ored-By"), "belongs in no file"),
    (concat!("TO", "DO"), "file it or do it"),
    (concat!("FIX", "ME"), "file it or do it"),
];

pub(super) fn check(repo: &Repo) -> anyhow::Result<Vec<String>> {
    let mut problems = Vec::new();
    for file in repo
        .files()
        .filter(|file| !file.ends_with(".lock") && !file.ends_with("package-lock.json"))
    {
        for (index, line) in repo.text(file).lines().enumerate() {
            for (word, why) in FORBIDDEN {
                if line.contains(word) {
                    problems.push(format!(
                        "{file}:{}: holds {word}: {why}",
                        index.saturating_add(1)
                    ));
                }
            }
            if names_an_issue(line) {
                problems.push(format!(
                    "{file}:{}: names an issue by number; say what it is about",
                    index.saturating_add(1)
                ));
            }
        }
    }
    Ok(problems)
}

/// The word with a number after it: a number that means nothing to who reads the code later.
fn names_an_issue(line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    words.windows(2).any(|pair| {
        let [word, number] = pair else { return false };
        let word = word.trim_start_matches(['(', '"', '`']).to_lowercase();
        let number = number.trim_start_matches('#');
        matches!(word.as_str(), "issue" | "issues")
            && number
                .chars()
                .next()
                .is_some_and(|first| first.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::names_an_issue;

    #[test]
    fn issue_numbers_are_seen() {
        let word = "issue";
        assert!(names_an_issue(&format!("see {word} 12")));
        assert!(names_an_issue(&format!("(see {word}s #3)")));
        assert!(!names_an_issue("the issue is that 3 of them"));
    }
}
