//! Licences: cargo-deny where it is installed, else a check of our own against the same list.

use super::repo::Repo;
use crate::cmd::Cmd;
use anyhow::Context as _;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Deny {
    licenses: Licenses,
}

#[derive(Deserialize)]
struct Licenses {
    allow: Vec<String>,
    #[serde(default)]
    exceptions: Vec<Exception>,
    #[serde(default)]
    clarify: Vec<Clarify>,
}

#[derive(Deserialize)]
struct Exception {
    #[serde(rename = "crate")]
    name: String,
    allow: Vec<String>,
}

#[derive(Deserialize)]
struct Clarify {
    #[serde(rename = "crate")]
    name: String,
    expression: String,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    license: Option<String>,
    source: Option<String>,
}

pub(super) fn check(repo: &Repo) -> anyhow::Result<Vec<String>> {
    let deny: Deny = toml::from_str(&repo.text("deny.toml")).context("deny.toml")?;
    let mut problems = BTreeMap::new();
    for folder in ["", "tool-modules"] {
        let json = Cmd::cargo()
            .args(["metadata", "--format-version", "1"])
            .locked()
            .dir(&repo.dir().join(folder))
            .read()?;
        for package in serde_json::from_str::<Metadata>(&json)?.packages {
            if package.source.is_none() {
                continue;
            }
            let clarified = deny
                .licenses
                .clarify
                .iter()
                .find(|clarify| clarify.name == package.name);
            let expression = clarified
                .map(|clarify| clarify.expression.clone())
                .or(package.license);
            let exceptions: Vec<&String> = deny
                .licenses
                .exceptions
                .iter()
                .filter(|exception| exception.name == package.name)
                .flat_map(|exception| &exception.allow)
                .collect();
            let allowed = |licence: &str| {
                deny.licenses
                    .allow
                    .iter()
                    .chain(exceptions.iter().copied())
                    .any(|known| known == licence)
            };
            match expression {
                Some(expression) if satisfied(&expression, &allowed) => {}
                Some(expression) => {
                    problems.insert(
                        format!(
                            "{} {}: {expression} is not in deny.toml",
                            package.name, package.version
                        ),
                        (),
                    );
                }
                None => {
                    problems.insert(
                        format!("{} {}: names no licence", package.name, package.version),
                        (),
                    );
                }
            }
        }
    }
    Ok(problems.into_keys().collect())
}

/// Whether an SPDX expression can be met with what is allowed. `/` is an old form of OR.
fn satisfied(expression: &str, allowed: &dyn Fn(&str) -> bool) -> bool {
    let spaced = expression
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace('/', " OR ");
    let tokens: Vec<&str> = spaced.split_whitespace().collect();
    let mut position = 0;
    let met = either(&tokens, &mut position, allowed);
    met && position == tokens.len()
}

fn either(tokens: &[&str], position: &mut usize, allowed: &dyn Fn(&str) -> bool) -> bool {
    let mut met = both(tokens, position, allowed);
    while tokens.get(*position) == Some(&"OR") {
        *position += 1;
        met |= both(tokens, position, allowed);
    }
    met
}

fn both(tokens: &[&str], position: &mut usize, allowed: &dyn Fn(&str) -> bool) -> bool {
    let mut met = one(tokens, position, allowed);
    while tokens.get(*position) == Some(&"AND") {
        *position += 1;
        met &= one(tokens, position, allowed);
    }
    met
}

fn one(tokens: &[&str], position: &mut usize, allowed: &dyn Fn(&str) -> bool) -> bool {
    let Some(token) = tokens.get(*position) else {
        return false;
    };
    *position += 1;
    if *token == "(" {
        let met = either(tokens, position, allowed);
        *position += 1;
        return met;
    }
    if tokens.get(*position) == Some(&"WITH") {
        let with = format!("{token} WITH {}", tokens.get(*position + 1).unwrap_or(&""));
        *position += 2;
        return allowed(&with) || allowed(token);
    }
    allowed(token)
}

#[cfg(test)]
mod tests {
    use super::satisfied;

    #[test]
    fn expressions_are_met_or_not() {
        let allowed = |licence: &str| ["MIT", "Apache-2.0", "Unicode-3.0"].contains(&licence);
        for (expression, met) in [
            ("MIT", true),
            ("GPL-3.0", false),
            ("GPL-3.0 OR MIT", true),
            ("MIT AND GPL-3.0", false),
            ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
            ("(MIT OR Apache-2.0) AND GPL-3.0", false),
            ("Apache-2.0 WITH LLVM-exception OR GPL-3.0", true),
            ("MIT/Apache-2.0", true),
            ("", false),
        ] {
            assert_eq!(satisfied(expression, &allowed), met, "{expression}");
        }
    }
}
