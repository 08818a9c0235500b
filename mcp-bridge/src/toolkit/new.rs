//! `hardshell tool new`: a project that builds and has a test.

use std::path::{Path, PathBuf};

use super::{ToolkitError, check_name, write};

/// What a project is written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// Rust with the SDK: schema and manifest come from the types.
    #[default]
    Rust,
    /// C with a manifest beside it.
    C,
    /// A WASI 0.2 component in Rust, with a manifest beside it.
    Component,
}

/// The SDK travels with the program, so that a project builds wherever the program is.
const SDK: &[(&str, &str)] = &[
    (
        "sdk/Cargo.toml",
        include_str!("../../../tool-modules/sdk/Cargo.toml"),
    ),
    (
        "sdk/src/lib.rs",
        include_str!("../../../tool-modules/sdk/src/lib.rs"),
    ),
    (
        "sdk/src/arguments.rs",
        include_str!("../../../tool-modules/sdk/src/arguments.rs"),
    ),
    (
        "sdk/src/output.rs",
        include_str!("../../../tool-modules/sdk/src/output.rs"),
    ),
    (
        "sdk/src/schema.rs",
        include_str!("../../../tool-modules/sdk/src/schema.rs"),
    ),
    (
        "sdk-macros/Cargo.toml",
        include_str!("../../../tool-modules/sdk-macros/Cargo.toml"),
    ),
    (
        "sdk-macros/src/lib.rs",
        include_str!("../../../tool-modules/sdk-macros/src/lib.rs"),
    ),
    (
        "sdk-macros/src/schema.rs",
        include_str!("../../../tool-modules/sdk-macros/src/schema.rs"),
    ),
    (
        "sdk-macros/src/tool.rs",
        include_str!("../../../tool-modules/sdk-macros/src/tool.rs"),
    ),
];

const RUST: &[(&str, &str)] = &[
    ("Cargo.toml", include_str!("templates/rust/Cargo.toml.txt")),
    ("src/main.rs", include_str!("templates/rust/main.rs.txt")),
    ("tests/cases.toml", include_str!("templates/cases.toml.txt")),
];

const C: &[(&str, &str)] = &[
    ("NAME.c", include_str!("templates/c/main.c.txt")),
    ("NAME.toml", include_str!("templates/c/manifest.toml.txt")),
    ("tests/cases.toml", include_str!("templates/cases.toml.txt")),
];

const COMPONENT: &[(&str, &str)] = &[
    (
        "Cargo.toml",
        include_str!("templates/component/Cargo.toml.txt"),
    ),
    (
        "src/main.rs",
        include_str!("templates/component/main.rs.txt"),
    ),
    ("NAME.toml", include_str!("templates/c/manifest.toml.txt")),
    ("tests/cases.toml", include_str!("templates/cases.toml.txt")),
];

/// Writes a project into the new folder `parent/NAME`; gives the files written.
///
/// # Errors
/// When the name is not fit, the folder exists, or a file cannot be written.
pub fn new(parent: &Path, name: &str, language: Language) -> Result<Vec<PathBuf>, ToolkitError> {
    check_name(name)?;
    let folder = parent.join(name);
    if folder.exists() {
        return Err(ToolkitError::Input(format!(
            "{} exists already",
            folder.display()
        )));
    }
    let files = match language {
        Language::Rust => RUST,
        Language::C => C,
        Language::Component => COMPONENT,
    };
    let mut written = Vec::new();
    for (path, content) in files {
        let path = folder.join(path.replace("NAME", name));
        write(&path, content.replace("{{name}}", name))?;
        written.push(path);
    }
    if language == Language::Rust {
        for (path, content) in SDK {
            let path = folder.join(".hardshell").join(path);
            write(&path, content)?;
            written.push(path);
        }
    }
    Ok(written)
}
