//! Programs of random kernel calls: whatever they ask for, the kernel answers or ends them.

use hardshell_tests::binary::{self, Ran};
use tempfile::tempdir;

/// A guest that makes calls of the bytes it reads.
const GUEST: &str = "target/modules/test/random_calls.wasm";

fn play(program: &[u8]) -> Ran {
    let folder = tempdir().unwrap();
    let mut command = binary::command();
    command
        .arg("exec")
        .arg("--dir")
        .arg(format!("{}::/workspace", folder.path().display()));
    command.args([
        "--timeout",
        "1s",
        "--memory",
        "32MiB",
        "--processes",
        "16",
        "--output",
        "1MiB",
        "--file-size",
        "1MiB",
    ]);
    command.arg(binary::root().join(GUEST));
    binary::run(command, program)
}

fn check(what: &str, program: &[u8]) {
    let ran = play(program);
    assert!(!ran.stderr.contains("panicked"), "{what}: {ran:?}");
    // 125 would mean that hardshell itself failed; 101 and 139 that it crashed.
    assert!(
        (0..64).contains(&ran.status) || (128..=255).contains(&ran.status),
        "{what}: {ran:?}"
    );
    assert_ne!(ran.status, 139, "{what}: {ran:?}");
}

#[test]
fn the_corpus_is_answered() {
    let mut count = 0;
    for entry in std::fs::read_dir(binary::root().join("fuzz/corpus")).unwrap() {
        let path = entry.unwrap().path();
        check(&path.display().to_string(), &std::fs::read(&path).unwrap());
        count += 1;
    }
    assert!(count >= 10, "{count} programs");
}

#[test]
fn random_programs_are_answered() {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    for round in 0..60 {
        let program: Vec<u8> = (0..600)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state as u8
            })
            .collect();
        check(&format!("round {round}"), &program);
    }
}
