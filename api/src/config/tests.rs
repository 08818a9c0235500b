#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::io::Write as _;

use super::*;

fn load(file: &str, env: &[(&str, &str)], set: &[&str]) -> Result<Settings, ConfigError> {
    let mut temp = tempfile::NamedTempFile::new().unwrap();
    temp.write_all(file.as_bytes()).unwrap();
    let flags = Flags {
        file: Some(temp.path().to_owned()),
        set: set.iter().map(|s| (*s).to_owned()).collect(),
    };
    let env = env
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect();
    Settings::load_from(&flags, &env, Path::new("/nowhere"))
}

#[test]
fn the_defaults_of_the_table_are_those_of_the_service() {
    let config = load("", &[], &[]).unwrap().config().unwrap();
    let own = hardshell_service::ServiceConfig::default();
    assert_eq!(format!("{:#?}", config.service), format!("{own:#?}"));
}

/// serde lists the fields that it expects when it meets an unknown one; where it met it follows
/// on a line of its own.
fn fields(error: &str) -> Vec<String> {
    let line = error.lines().next().unwrap_or_default();
    let expected = line.split("expected").nth(1).unwrap_or_default();
    expected
        .split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_field_of_the_service_is_a_key() {
    let mut missing = Vec::new();
    let mut look = vec![String::new()];
    while let Some(prefix) = look.pop() {
        let mut root = toml::Table::new();
        let path = if prefix.is_empty() {
            "zzz".to_owned()
        } else {
            format!("{prefix}.zzz")
        };
        insert(&mut root, &path, Value::Integer(1));
        let error = hardshell_service::ServiceConfig::deserialize(Value::Table(root)).unwrap_err();
        let names = fields(&error.to_string());
        assert!(!names.is_empty(), "{error}");
        for name in names {
            let path = if prefix.is_empty() {
                name
            } else {
                format!("{prefix}.{name}")
            };
            if is_section(&path) {
                look.push(path);
            } else if find(&path).is_none() {
                missing.push(path);
            }
        }
    }
    assert!(
        missing.is_empty(),
        "keys of the service that keys.rs does not list: {missing:?}"
    );
}

#[test]
fn the_strongest_source_wins() {
    let file = "[server]\nlisten = \"127.0.0.1:1\"\n[limits]\nrun_time = \"1m\"\nfile = 7\n";
    let settings = load(file, &[], &[]).unwrap();
    assert_eq!(settings.config().unwrap().server.listen.port(), 1);
    let env = [
        ("HARDSHELL_SERVER_LISTEN", "127.0.0.1:2"),
        ("DATABASE_URL", "postgres://u:pw@h/d"),
    ];
    let settings = load(file, &env, &[]).unwrap();
    let config = settings.config().unwrap();
    assert_eq!(config.server.listen.port(), 2);
    assert_eq!(config.service.limits.run_time.as_secs(), 60);
    assert_eq!(config.service.limits.file, 7);
    assert!(config.service.database.url.is_some());
    let settings = load(file, &env, &["server.listen=127.0.0.1:3"]).unwrap();
    assert_eq!(settings.config().unwrap().server.listen.port(), 3);
    for (key, setting) in settings.all() {
        let source = setting.map(|s| s.source.to_string());
        match key.path {
            "server.listen" => assert_eq!(source.as_deref(), Some("command line")),
            "database.url" => {
                assert_eq!(source.as_deref(), Some("environment variable DATABASE_URL"));
                assert_eq!(setting.unwrap().shown(), "\"***\"");
            }
            "limits.turns" => assert_eq!(source.as_deref(), Some("default")),
            _ => {}
        }
    }
}

#[test]
fn own_variables_win_over_customary_ones() {
    let env = [
        ("ANTHROPIC_BASE_URL", "http://a"),
        ("HARDSHELL_MODEL_BASE_URL", "http://b"),
    ];
    let config = load("", &env, &[]).unwrap().config().unwrap();
    assert_eq!(config.service.model.base_url, "http://b");
}

#[test]
fn wrong_input_is_named() {
    for (file, env, set, want) in [
        (
            "[server]\nlisen = \"x\"",
            vec![],
            vec![],
            "there is no key `server.lisen`; did you mean `server.listen`?",
        ),
        (
            "[sever]\nlisten = \"x\"",
            vec![],
            vec![],
            "there is no key `sever`",
        ),
        (
            "",
            vec![("HARDSHELL_SERVER_LISTN", "x")],
            vec![],
            "did you mean `HARDSHELL_SERVER_LISTEN`?",
        ),
        (
            "",
            vec![],
            vec!["limits.turn=3"],
            "did you mean `limits.turns`?",
        ),
        ("", vec![], vec!["limits.turns"], "write KEY=VALUE"),
        (
            "[limits]\nturns = -1",
            vec![],
            vec![],
            "is not a whole number",
        ),
        (
            "[limits]\nturns = \"many\"",
            vec![],
            vec![],
            "number was expected, not a text",
        ),
        (
            "[limits]\nfile = \"12 parsecs\"",
            vec![],
            vec![],
            "is not a size",
        ),
        (
            "[limits]\nrun_time = \"soon\"",
            vec![],
            vec![],
            "is not a span of time",
        ),
        (
            "[log]\nformat = \"xml\"",
            vec![],
            vec![],
            "none of: text, json",
        ),
        (
            "[server]\nlisten = \"here\"",
            vec![],
            vec![],
            "is not an address",
        ),
        (
            "[server]\nlisten = 8080",
            vec![],
            vec![],
            "address in quotes was expected, not a number",
        ),
        ("server = 3", vec![], vec![], "there is no key `server`"),
        ("x = ", vec![], vec![], "is not TOML"),
        (
            "",
            vec![("S3_REGION", "eu")],
            vec![],
            "objects.s3.bucket is not",
        ),
        (
            "[server]\ninner_listen = \"0.0.0.0:1\"",
            vec![],
            vec![],
            "not a loopback address",
        ),
    ] {
        let error = load(file, &env, &set)
            .and_then(|s| s.config().map(drop))
            .unwrap_err();
        assert!(
            error.to_string().contains(want),
            "{file:?} {env:?} {set:?}: {error}"
        );
    }
}

#[test]
fn lists_and_sizes_by_type() {
    let env = [
        ("HARDSHELL_LIMITS_FILE_BY_TYPE", "png=1KiB, csv=2MiB"),
        ("HARDSHELL_MODEL_ALLOWED", "a, b"),
    ];
    let config = load("", &env, &[]).unwrap().config().unwrap();
    assert_eq!(config.service.model.allowed, ["a", "b"]);
    assert_eq!(config.service.limits.file_by_type["csv"], 2 << 20);
    let config = load("[limits.file_by_type]\npng = \"1KiB\"", &[], &[])
        .unwrap()
        .config()
        .unwrap();
    assert_eq!(config.service.limits.file_by_type["png"], 1024);
}

#[test]
fn a_secret_can_come_from_a_file() {
    let mut temp = tempfile::NamedTempFile::new().unwrap();
    temp.write_all(b"sk-test\n").unwrap();
    let path = temp.path().display().to_string();
    let settings = load("", &[("HARDSHELL_MODEL_API_KEY_FILE", &path)], &[]).unwrap();
    let config = settings.config().unwrap();
    use secrecy::ExposeSecret as _;
    assert_eq!(
        config.service.model.api_key.unwrap().expose_secret(),
        "sk-test"
    );
}

#[test]
fn the_page_lists_every_key() {
    let page = include_str!("../../../docs/configuration.md");
    let want = crate::config::reference::markdown();
    assert!(
        page.contains(want.trim()),
        "docs/configuration.md is out of date: replace its table by the output of `hardshell config --reference markdown`"
    );
}
