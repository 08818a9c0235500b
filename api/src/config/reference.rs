//! Printing the table of keys.

use std::fmt::Write as _;

use super::keys::{KEYS, Key, Kind, OTHER_ENV};

/// As a commented configuration file that changes nothing.
pub(crate) fn toml() -> String {
    let mut out = String::from("# Every key of hardshell.toml with its default.\n");
    let mut section = None;
    for key in KEYS {
        let (table, name) = key.path.rsplit_once('.').unwrap_or(("", key.path));
        // TOML wants the keys of the root before the first table.
        if table.is_empty() {
            continue;
        }
        if section != Some(table) {
            let _ = write!(out, "\n[{table}]\n");
            section = Some(table);
        }
        entry(&mut out, key, name);
    }
    let mut root = String::new();
    for key in KEYS.iter().filter(|key| !key.path.contains('.')) {
        entry(&mut root, key, key.path);
    }
    let at = out.find('\n').map_or(0, |i| i + 1);
    out.insert_str(at, &format!("\n{root}"));
    out
}

fn entry(out: &mut String, key: &Key, name: &str) {
    let _ = writeln!(out, "# {} ({})", key.doc, key.kind.describe());
    let _ = writeln!(out, "# environment: {}", key.envs().join(", "));
    let value = if key.default.is_empty() {
        match key.kind {
            Kind::List => "[]".to_owned(),
            Kind::Table | Kind::Sizes => "{}".to_owned(),
            _ => "\"\"".to_owned(),
        }
    } else {
        match key.kind {
            Kind::Integer | Kind::Flag => key.default.to_owned(),
            _ => format!("{:?}", key.default),
        }
    };
    let _ = writeln!(out, "# {name} = {value}");
}

/// As the tables of `docs/configuration.md`.
pub(crate) fn markdown() -> String {
    let mut out = String::from(
        "| key | value | default | environment | meaning |\n| --- | --- | --- | --- | --- |\n",
    );
    for key in KEYS {
        let default = if key.default.is_empty() {
            String::new()
        } else {
            format!("`{}`", key.default)
        };
        let env: Vec<String> = key.envs().iter().map(|name| format!("`{name}`")).collect();
        let _ = writeln!(
            out,
            "| `{}` | {} | {default} | {} | {} |",
            key.path,
            key.kind.describe(),
            env.join(", "),
            key.doc
        );
    }
    out.push_str(
        "\nEnvironment variables that are no keys:\n\n| variable | meaning |\n| --- | --- |\n",
    );
    for (name, doc) in OTHER_ENV {
        let _ = writeln!(out, "| `{name}` | {doc} |");
    }
    out
}
