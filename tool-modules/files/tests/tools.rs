//! The file tools as a model meets them: each case is a call and the answer to it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use hardshell_files::{Answer, Content, Request, State, run};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

/// A folder, and what the conversation has read so far.
struct World {
    dir: tempfile::TempDir,
    state: State,
}

impl World {
    fn new(files: &[(&str, &str)]) -> Self {
        let world = World {
            dir: tempfile::tempdir().unwrap(),
            state: State::default(),
        };
        for (name, content) in files {
            world.put(name, content.as_bytes());
        }
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn put(&self, name: &str, content: &[u8]) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn get(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    /// Calls a tool. `$` at the start of a string stands for the folder.
    fn call(&mut self, tool: &str, args: Value) -> Answer {
        let root = self.dir.path().to_string_lossy().into_owned();
        let mut args = args;
        for key in ["file_path", "path", "pattern"] {
            if let Some(text) = args
                .get(key)
                .and_then(Value::as_str)
                .and_then(|text| text.strip_prefix('$'))
            {
                args[key] = json!(format!("{root}{text}"));
            }
        }
        let request = Request {
            args: args.as_object().cloned().unwrap(),
            state: self.state.clone(),
        };
        let answer = run(tool, request);
        self.state.merge(answer.state.clone());
        answer
    }

    /// The text of an answer with the folder as `$`, failures marked.
    fn say(&mut self, tool: &str, args: Value) -> String {
        let root = self.dir.path().to_string_lossy().into_owned();
        let answer = self.call(tool, args);
        let mark = if answer.is_error { "ERROR " } else { "" };
        format!("{mark}{}", answer.first_text().replace(&root, "$"))
    }

    fn read(&mut self, name: &str) -> String {
        self.say("Read", json!({ "file_path": format!("$/{name}") }))
    }
}

#[test]
fn read_says_what_a_file_is() {
    let mut world = World::new(&[
        ("a.txt", "one\ntwo\n"),
        ("empty", ""),
        ("config.yaml", "a: 1\n"),
        ("dir/x", ""),
    ]);
    world.put("elf", b"\x7fELF\x02\x01\x01\0\0\0\0\0");
    world.put("latin1.txt", b"caf\xe9\n");
    world.put("utf16.txt", b"\xff\xfeh\0i\0\n\0");
    world.put("bom.txt", b"\xef\xbb\xbfhi\n");
    world.put("not.ipynb", b"{}");
    for (name, expected) in [
        ("a.txt", "     1\tone\n     2\ttwo\n"),
        (
            "empty",
            "<system-reminder>Warning: the file exists but the contents are empty.</system-reminder>",
        ),
        ("missing", "ERROR File does not exist."),
        (
            "config.yml",
            "ERROR File does not exist. Did you mean $/config.yaml?",
        ),
        ("A.TXT", "ERROR File does not exist. Did you mean $/a.txt?"),
        (
            "dir",
            "ERROR EISDIR: illegal operation on a directory, read '$/dir'. Use Bash with ls to list it.",
        ),
        (
            "elf",
            "ERROR This tool cannot read binary files. The file appears to be an ELF executable of 12 bytes. \
             Use Bash with a tool for this kind of file.",
        ),
        ("latin1.txt", "     1\tcaf\u{fffd}\n"),
        ("utf16.txt", "     1\thi\n"),
        ("bom.txt", "     1\thi\n"),
        ("dir/../a.txt", "     1\tone\n     2\ttwo\n"),
        (
            "not.ipynb",
            "The file is named .ipynb but holds no notebook; this is its text:\n",
        ),
    ] {
        assert_eq!(world.read(name), expected, "{name}");
    }
    assert_eq!(
        world.say("Read", json!({"file_path": "$/a.txt", "pages": "1"})),
        "ERROR The parameter `pages` applies to PDF files only; use `offset` and `limit`."
    );
    assert!(
        world
            .say("Read", json!({"file_path": "/dev/zero"}))
            .starts_with("ERROR /dev/zero is not a regular file")
    );
}

#[test]
fn images_come_back_as_images_whatever_their_name() {
    let mut world = World::new(&[]);
    world.put("picture.txt", b"\x89PNG\r\n\x1a\nrest");
    let answer = world.call("Read", json!({"file_path": "$/picture.txt"}));
    assert_eq!(
        answer.content,
        [Content::Image {
            data: "iVBORw0KGgpyZXN0".into(),
            mime_type: "image/png"
        }]
    );
    world.put(
        "big.png",
        &[&b"\x89PNG\r\n\x1a\n"[..], &vec![0; 4_000_000]].concat(),
    );
    assert_eq!(
        world.read("big.png"),
        "ERROR The image is too large to show: 4000008 bytes (image/png), at most 3750000 are allowed."
    );
}

#[test]
fn notebooks_come_back_as_cells() {
    let mut world = World::new(&[]);
    let book = json!({
        "metadata": {"language_info": {"name": "python"}},
        "cells": [
            {"cell_type": "markdown", "id": "m1", "source": ["# Title\n", "text"]},
            {"cell_type": "code", "source": "1/0", "outputs": [
                {"output_type": "stream", "text": ["hello\n"]},
                {"output_type": "error", "ename": "ZeroDivisionError", "evalue": "division by zero",
                 "traceback": ["\u{1b}[0;31mTrace\u{1b}[0m"]},
                {"output_type": "display_data", "data": {"image/png": "iVBO\nRw=="}}
            ]}
        ]
    });
    world.put("n.ipynb", book.to_string().as_bytes());
    let answer = world.call("Read", json!({"file_path": "$/n.ipynb"}));
    let expected = "<cell id=\"m1\"><cell_type>markdown</cell_type># Title\ntext</cell id=\"m1\">\n\
        <cell id=\"cell-1\">1/0</cell id=\"cell-1\">\n<output>\nhello\n</output>\n\
        <output>\nZeroDivisionError: division by zero\nTrace\n</output>\n";
    assert_eq!(
        answer.content[0],
        Content::Text {
            text: expected.into()
        }
    );
    assert_eq!(
        answer.content[1],
        Content::Image {
            data: "iVBORw==".into(),
            mime_type: "image/png"
        }
    );
}

#[test]
fn pdfs_come_back_by_page() {
    let mut world = World::new(&[]);
    world.put("two.pdf", &two_page_pdf());
    let answer = world.call("Read", json!({"file_path": "$/two.pdf"}));
    let texts: Vec<String> = answer
        .content
        .iter()
        .map(|block| match block {
            Content::Text { text } => text.clone(),
            Content::Image { .. } => String::new(),
        })
        .collect();
    assert_eq!(
        texts,
        [
            "--- Page 1 of 2 ---\nHello page 1\n",
            "--- Page 2 of 2 ---\nHello page 2\n"
        ]
    );
    for (pages, expected) in [
        ("2", "--- Page 2 of 2 ---\nHello page 2\n"),
        ("3", "ERROR The PDF has 2 pages; page 3 does not exist."),
        (
            "1-30",
            "ERROR Page range \"1-30\" exceeds maximum of 20 pages per request. Please use a smaller range.",
        ),
    ] {
        assert_eq!(
            world.say("Read", json!({"file_path": "$/two.pdf", "pages": pages})),
            expected
        );
    }
    world.put("broken.pdf", b"%PDF-1.4\nnothing here");
    assert!(
        world
            .read("broken.pdf")
            .starts_with("ERROR The PDF is damaged: ")
    );
}

/// A small document made by hand, with a correct table of offsets.
fn two_page_pdf() -> Vec<u8> {
    let mut pdf = b"%PDF-1.4\n".to_vec();
    let page = |n: u32| {
        let stream = format!("BT /F1 24 Tf 72 700 Td (Hello page {n}) Tj ET");
        format!(
            "<< /Length {} >>\nstream\n{stream}\nendstream",
            stream.len()
        )
    };
    let leaf = |content: u32| {
        format!(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {content} 0 R \
             /Resources << /Font << /F1 7 0 R >> >> >>"
        )
    };
    let objects = [
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        "<< /Type /Pages /Kids [3 0 R 4 0 R] /Count 2 >>".to_owned(),
        leaf(5),
        leaf(6),
        page(1),
        page(2),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_owned(),
    ];
    let mut offsets = Vec::new();
    for (index, object) in objects.iter().enumerate() {
        offsets.push(pdf.len());
        pdf.extend(format!("{} 0 obj\n{object}\nendobj\n", index + 1).bytes());
    }
    let table = pdf.len();
    pdf.extend(format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1).bytes());
    for offset in offsets {
        pdf.extend(format!("{offset:010} 00000 n \n").bytes());
    }
    pdf.extend(format!("trailer << /Size 8 /Root 1 0 R >>\nstartxref\n{table}\n%%EOF\n").bytes());
    pdf
}

#[test]
fn write_creates_and_replaces() {
    let mut world = World::new(&[("old.txt", "1\n2\n3\n")]);
    let new = json!({"file_path": "$/deep/er/new.txt", "content": "hi\n"});
    assert_eq!(
        world.say("Write", new),
        "File created successfully at: $/deep/er/new.txt"
    );
    assert_eq!(world.get("deep/er/new.txt"), b"hi\n");
    // What was just written is known.
    let again = json!({"file_path": "$/deep/er/new.txt", "content": "ho\n"});
    assert!(
        world
            .say("Write", again)
            .starts_with("The file $/deep/er/new.txt has been updated.")
    );

    let change = json!({"file_path": "$/old.txt", "content": "1\nX\n3\n"});
    let unread = "ERROR File has not been read yet. Read it first before writing to it.";
    assert_eq!(world.say("Write", change.clone()), unread);
    world.read("old.txt");
    world.put("old.txt", b"9\n2\n3\n");
    assert_eq!(
        world.say("Write", change.clone()),
        "ERROR File has been modified since read, either by the user or by a linter. \
         Read it again before attempting to write it."
    );
    world.read("old.txt");
    assert_eq!(
        world.say("Write", change),
        "The file $/old.txt has been updated. Here's the result of running `cat -n` on a snippet of the edited \
         file:\n     1\t1\n     2\tX\n     3\t3\n"
    );
    assert_eq!(
        world.say("Write", json!({"file_path": "$/deep", "content": ""})),
        "ERROR EISDIR: illegal operation on a directory, open '$/deep'"
    );
    // A touch is no change.
    let file = fs::File::options()
        .write(true)
        .open(world.path("old.txt"))
        .unwrap();
    file.set_modified(SystemTime::now() + Duration::from_secs(5))
        .unwrap();
    let answer = world.call("Write", json!({"file_path": "$/old.txt", "content": "new"}));
    assert!(!answer.is_error, "{answer:?}");
}

#[test]
fn what_is_not_changed_is_kept() {
    let mut world = World::new(&[]);
    for (name, before, after) in [
        (
            "crlf",
            &b"a\r\nb\r\nc\r\n"[..],
            &b"a\r\nX\r\nY\r\nc\r\n"[..],
        ),
        ("mixed", b"a\nb\nc\r\n", b"a\nX\nY\nc\r\n"),
        ("bom", b"\xef\xbb\xbfa\nb\nc\n", b"\xef\xbb\xbfa\nX\nY\nc\n"),
        (
            "utf16",
            b"\xff\xfea\0\n\0b\0\n\0c\0",
            b"\xff\xfea\0\n\0X\0\n\0Y\0\n\0c\0",
        ),
        ("latin1", b"\xe9a\nb\nc", b"\xe9a\nX\nY\nc"),
        ("no newline", b"a\nb", b"a\nX\nY"),
    ] {
        world.put(name, before);
        fs::set_permissions(world.path(name), fs::Permissions::from_mode(0o751)).unwrap();
        world.read(name);
        let answer = world.call(
            "Edit",
            json!({"file_path": format!("$/{name}"), "old_string": "b", "new_string": "X\nY"}),
        );
        assert!(!answer.is_error, "{name}: {answer:?}");
        assert_eq!(world.get(name), after, "{name}");
        let mode = fs::metadata(world.path(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o751, "{name}");
    }
    // A whole new content takes the old one's endings and mark.
    world.put("w", b"\xef\xbb\xbfa\r\nb\r\n");
    world.read("w");
    world.call("Write", json!({"file_path": "$/w", "content": "x\ny\n"}));
    assert_eq!(world.get("w"), b"\xef\xbb\xbfx\r\ny\r\n");
    // A text that spans lines is found although the file ends them otherwise.
    world.put("span", b"a\r\nb\r\nc\r\n");
    world.read("span");
    world.call(
        "Edit",
        json!({"file_path": "$/span", "old_string": "a\nb\n", "new_string": "z\n"}),
    );
    assert_eq!(world.get("span"), b"z\r\nc\r\n");
    // A link stays a link.
    world.put("real", b"a\n");
    symlink("real", world.path("link")).unwrap();
    world.read("link");
    world.call(
        "Edit",
        json!({"file_path": "$/link", "old_string": "a", "new_string": "b"}),
    );
    assert_eq!(world.get("real"), b"b\n");
    assert!(
        fs::symlink_metadata(world.path("link"))
            .unwrap()
            .is_symlink()
    );
    // Nothing is left lying about.
    let names = fs::read_dir(world.dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    assert_eq!(
        names
            .filter(|name| name.to_string_lossy().ends_with(".tmp"))
            .count(),
        0
    );
}

#[test]
fn edit_refuses_what_is_not_clear() {
    let text = "alpha\nbeta\nalpha\n  gamma  delta\nalpha\n";
    let mut world = World::new(&[("f", text), ("empty", "")]);
    let edit =
        |old: &str, new: &str| json!({"file_path": "$/f", "old_string": old, "new_string": new});
    assert_eq!(
        world.say("Edit", edit("beta", "b")),
        "ERROR File has not been read yet. Read it first before writing to it."
    );
    world.read("f");
    for (args, expected) in [
        (
            edit("x", "x"),
            "ERROR No changes to make: old_string and new_string are exactly the same.",
        ),
        (
            edit("nope", "x"),
            "ERROR String to replace not found in file.\nString: nope",
        ),
        (
            edit("gamma delta", "x"),
            "ERROR String to replace not found in file.\nString: gamma delta\nIts first line occurs on line 4, \
             perhaps with other white space or followed by other text.",
        ),
        (
            edit("alpha", "x"),
            "ERROR Found 3 matches of the string to replace, but replace_all is false. To replace all occurrences, \
             set replace_all to true. To replace only one occurrence, please provide more context to uniquely \
             identify the instance. It occurs on lines 1, 3 and 5.\nString: alpha",
        ),
        (
            edit("", "x"),
            "ERROR Cannot create new file - file already exists.",
        ),
        (
            json!({"file_path": "$/none", "old_string": "a", "new_string": "b"}),
            "ERROR File does not exist.",
        ),
        (
            json!({"file_path": "$/f", "old_string": "a"}),
            "ERROR InputValidationError: Edit failed due to the following issue:\n\
             The required parameter `new_string` is missing",
        ),
    ] {
        assert_eq!(world.say("Edit", args.clone()), expected, "{args}");
    }
    assert_eq!(world.get("f"), text.as_bytes());
    assert_eq!(
        world.say("Edit", json!({"file_path": "$/f", "old_string": "alpha", "new_string": "A", "replace_all": true})),
        "The file $/f has been updated. All occurrences of 'alpha' were successfully replaced with 'A'.\n     \
         1\tA\n     2\tbeta\n     3\tA\n     4\t  gamma  delta\n     5\tA\n"
    );
    let create = json!({"file_path": "$/made", "old_string": "", "new_string": "fresh\n"});
    assert!(
        world
            .say("Edit", create)
            .starts_with("The file $/made has been updated.")
    );
    assert_eq!(world.get("made"), b"fresh\n");
}

#[test]
fn multi_edit_is_all_or_nothing() {
    let mut world = World::new(&[("f", "one\ntwo\nthree\n")]);
    world.read("f");
    let edits = |list: Value| json!({"file_path": "$/f", "edits": list});
    for (list, expected) in [
        (
            json!([{"old_string": "one", "new_string": "1"}, {"old_string": "nine", "new_string": "9"}]),
            "ERROR Edit 2 of 2 failed, so none was applied: String to replace not found in file.\nString: nine",
        ),
        (
            json!([]),
            "ERROR InputValidationError: MultiEdit failed due to the following issue:\n\
             The parameter `edits` must hold at least one edit",
        ),
        (
            json!([{"old_string": "one", "new_string": "1", "all": true}]),
            "ERROR InputValidationError: MultiEdit (edits[0]) failed due to the following issue:\n\
             An unexpected parameter `all` was provided",
        ),
    ] {
        assert_eq!(world.say("MultiEdit", edits(list)), expected);
        assert_eq!(world.get("f"), b"one\ntwo\nthree\n");
    }
    // Each edit sees what the ones before it made.
    let list = json!([
        {"old_string": "one", "new_string": "1\n1b"},
        {"old_string": "1b", "new_string": "1c"},
        {"old_string": "three", "new_string": "3"}
    ]);
    assert_eq!(
        world.say("MultiEdit", edits(list)),
        "Applied 3 edits to $/f. Here's the result of running `cat -n` on the changed parts:\n     \
         1\t1\n     2\t1c\n     3\ttwo\n     4\t3\n"
    );
}

#[test]
fn glob_lists_the_newest_first() {
    let mut world = World::new(&[
        ("a.rs", ""),
        ("src/b.rs", ""),
        ("src/deep/c.rs", ""),
        (".hidden.rs", ""),
        (".git/d.rs", ""),
    ]);
    let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
    for (age, name) in [".hidden.rs", "src/b.rs", "a.rs", "src/deep/c.rs"]
        .iter()
        .enumerate()
    {
        let file = fs::File::options()
            .write(true)
            .open(world.path(name))
            .unwrap();
        file.set_modified(start - Duration::from_secs(age as u64))
            .unwrap();
    }
    for (pattern, path, expected) in [
        (
            "**/*.rs",
            "$",
            "$/.hidden.rs\n$/src/b.rs\n$/a.rs\n$/src/deep/c.rs",
        ),
        ("*.rs", "$/src", "$/src/b.rs\n$/src/deep/c.rs"),
        ("src/*.rs", "$", "$/src/b.rs"),
        ("$/src/*.rs", "$", "$/src/b.rs"),
        ("*.py", "$", "No files found"),
        ("*.rs", "$/none", "ERROR Path does not exist: $/none"),
        ("*.rs", "$/a.rs", "ERROR Path is not a directory: $/a.rs"),
    ] {
        assert_eq!(
            world.say("Glob", json!({"pattern": pattern, "path": path})),
            expected,
            "{pattern} in {path}"
        );
    }
    for n in 0..120 {
        world.put(&format!("many/{n}.txt"), b"");
    }
    let answer = world.call("Glob", json!({"pattern": "many/*", "path": "$"}));
    assert!(answer.first_text().ends_with(
        "(Results are truncated: showing the 100 newest of 120. Consider using a more specific path or pattern.)"
    ));
    assert_eq!(answer.structured.unwrap()["numFiles"], 120);
}

#[test]
fn grep_is_ripgrep() {
    let mut world = World::new(&[
        (
            "a.txt",
            "Hello world\nsecond\nhello again\nfourth\nfifth\nlast hello hello\n",
        ),
        ("src/m.rs", "fn main() {\n    hello();\n}\n"),
        ("ignored/x.txt", "hello\n"),
        (".gitignore", "ignored/\n"),
        (".git/config", "hello\n"),
    ]);
    world.put("bin", b"hello\0\n");
    let old = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
    fs::File::options()
        .write(true)
        .open(world.path("a.txt"))
        .unwrap()
        .set_modified(old)
        .unwrap();
    for (args, expected) in [
        (
            json!({"pattern": "hello"}),
            "Found 2 files\n$/src/m.rs\n$/a.txt",
        ),
        (json!({"pattern": "nothing"}), "No files found"),
        (
            json!({"pattern": "nothing", "output_mode": "content"}),
            "No matches found",
        ),
        (
            json!({"pattern": "hello", "output_mode": "content"}),
            "$/a.txt:3:hello again\n$/a.txt:6:last hello hello\n$/src/m.rs:2:    hello();",
        ),
        (
            json!({"pattern": "hello", "output_mode": "content", "-n": false, "-i": true, "glob": "*.txt"}),
            "$/a.txt:Hello world\n$/a.txt:hello again\n$/a.txt:last hello hello",
        ),
        (
            json!({"pattern": "hello", "output_mode": "content", "path": "$/a.txt", "-B": 1, "-A": 1}),
            "2-second\n3:hello again\n4-fourth\n5-fifth\n6:last hello hello",
        ),
        (
            json!({"pattern": "Hello|again|last", "output_mode": "content", "-C": 0, "glob": "a.txt"}),
            "$/a.txt:1:Hello world\n$/a.txt:3:hello again\n$/a.txt:6:last hello hello",
        ),
        (
            json!({"pattern": "Hello|fn", "output_mode": "content", "-A": 1}),
            "$/a.txt:1:Hello world\n$/a.txt-2-second\n--\n$/src/m.rs:1:fn main() {\n$/src/m.rs-2-    hello();",
        ),
        (
            json!({"pattern": "world|fifth", "output_mode": "content", "-A": 1, "path": "$/a.txt"}),
            "1:Hello world\n2-second\n--\n5:fifth\n6-last hello hello",
        ),
        (
            json!({"pattern": "hel+o", "output_mode": "content", "-o": true, "type": "txt"}),
            "$/a.txt:3:hello\n$/a.txt:6:hello\n$/a.txt:6:hello",
        ),
        (
            json!({"pattern": "hello", "output_mode": "count"}),
            "$/a.txt:2\n$/src/m.rs:1\n\nFound 3 total occurrences across 2 files.",
        ),
        (
            json!({"pattern": "second\\nhello", "output_mode": "content", "multiline": true, "path": "$/a.txt"}),
            "2:second\n3:hello again",
        ),
        (
            json!({"pattern": "hello", "output_mode": "content", "head_limit": 1, "offset": 1}),
            "$/a.txt:6:last hello hello\n\n[Showing lines 2-2 of at least 3. Use offset 2 to see more.]",
        ),
        (
            json!({"pattern": "hello", "head_limit": 1}),
            "Found 2 files\n$/src/m.rs\n\n[Showing files 1-1 of 2. Use offset 1 to see more.]",
        ),
        (
            json!({"pattern": "hello", "offset": 5}),
            "Nothing at offset 5: there are only 2 files.",
        ),
        (
            json!({"pattern": "hello", "path": "$/bin", "output_mode": "content"}),
            "1:hello\n(The file is binary; matches are shown as far as they are text.)",
        ),
    ] {
        let mut args = args;
        if args.get("path").is_none() {
            args["path"] = json!("$");
        }
        assert_eq!(world.say("Grep", args.clone()), expected, "{args}");
    }
    for (args, expected) in [
        (
            json!({"pattern": "(", "path": "$"}),
            "ERROR Invalid regular expression: ",
        ),
        (
            json!({"pattern": "a\\nb", "path": "$"}),
            "ERROR Invalid regular expression: ",
        ),
        (
            json!({"pattern": "a", "path": "$/none"}),
            "ERROR Path does not exist: $/none",
        ),
        (
            json!({"pattern": "a", "path": "$", "type": "klingon"}),
            "ERROR Invalid parameter `type`: ",
        ),
        (
            json!({"pattern": "a", "path": "$", "glob": "a["}),
            "ERROR Invalid parameter `glob`: ",
        ),
        (
            json!({"pattern": "a", "path": "$", "output_mode": "x"}),
            "ERROR InputValidationError: Grep failed",
        ),
    ] {
        let got = world.say("Grep", args.clone());
        assert!(got.starts_with(expected), "{args}: {got}");
    }
}

#[test]
fn requests_that_are_none_are_refused() {
    for (tool, input, expected) in [
        ("Read", "{", "The request is not valid: "),
        (
            "Read",
            "{\"args\": {}, \"extra\": 1}",
            "The request is not valid: ",
        ),
        ("Nope", "{}", "No such tool: \"Nope\"."),
        (
            "Read",
            "{}",
            "InputValidationError: Read failed due to the following issue:\nThe required parameter `file_path` is missing",
        ),
    ] {
        let answer: Value =
            serde_json::from_slice(&hardshell_files::run_json(tool, input.as_bytes())).unwrap();
        assert_eq!(answer["is_error"], true);
        assert!(
            answer["content"][0]["text"]
                .as_str()
                .unwrap()
                .starts_with(expected),
            "{answer}"
        );
    }
}

#[test]
fn the_host_lists_fetches_and_completes() {
    let mut world = World::new(&[
        ("b.txt", "b"),
        ("a/c.md", "# c"),
        ("a/d.bin", "x\0y"),
        (".git/config", ""),
    ]);
    let root = world.dir.path().to_string_lossy().into_owned();
    let data = |answer: Answer| {
        serde_json::from_str::<Value>(&answer.structured.unwrap().to_string().replace(&root, "$"))
            .unwrap()
    };
    let list = |world: &mut World, offset: u64| {
        data(world.call("List", json!({"path": "$", "offset": offset, "limit": 2})))
    };
    assert_eq!(
        list(&mut world, 0),
        json!({"entries": [
            {"path": "$/a/c.md", "size": 3, "mime": "text/markdown"},
            {"path": "$/a/d.bin", "size": 3, "mime": "text/plain"}
        ], "next": 2})
    );
    assert_eq!(list(&mut world, 2)["next"], Value::Null);
    assert_eq!(
        data(world.call("Fetch", json!({"path": "$/a/c.md"}))),
        json!({"mime": "text/markdown", "text": "# c"})
    );
    assert_eq!(
        data(world.call("Fetch", json!({"path": "$/a/d.bin"}))),
        json!({"mime": "application/octet-stream", "blob": "eAB5"})
    );
    assert!(world.call("Fetch", json!({"path": "$/a"})).is_error);
    for (prefix, expected) in [
        ("", json!([".git/", "a/", "b.txt"])),
        ("a/", json!(["a/c.md", "a/d.bin"])),
        ("a/d", json!(["a/d.bin"])),
        ("../", json!([])),
        ("z", json!([])),
    ] {
        let got = data(world.call("Complete", json!({"root": root, "path": prefix})));
        assert_eq!(got["values"], expected, "{prefix}");
    }
}
