//! Prints what files cost a guest and the same program natively:
//! `cargo run -p hardshell-host --example measure_files -- NATIVE-BENCH-GUEST [WORK]`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use hardshell_host::{
    Access, CallSpec, CommandSet, DirSource, Engine, EngineConfig, Limits, ModuleSource, Registry,
    Sandbox, Scratch,
};

fn main() {
    let native = std::env::args()
        .nth(1)
        .expect("the path of the native bench-guest");
    let only = std::env::args().nth(2);
    let target = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target");
    let cache_dir = Some(target.join("test-aot"));
    let engine = Engine::new(EngineConfig {
        cache_dir,
        ..EngineConfig::default()
    })
    .unwrap();
    let registry = Registry::builder(&engine)
        .module(
            ModuleSource::Path(target.join("modules/test/bench-guest.wasm")),
            &["bench-guest"],
        )
        .build()
        .unwrap();
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("small")).unwrap();
    for i in 0..2000 {
        let path = dir.path().join(format!("small/file-{i}"));
        std::fs::write(path, format!("{i}\n").repeat(50)).unwrap();
    }
    std::fs::write(dir.path().join("large"), vec![b'x'; 100 << 20]).unwrap();
    let sandbox = Sandbox::builder(&registry)
        .workspace(DirSource::Path(dir.path().to_owned()), Access::ReadWrite)
        .scratch(Scratch::Temp)
        .allow_commands(CommandSet::All)
        .limits(Limits::default())
        .build()
        .unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    for work in [
        &["nothing"][..],
        &["read-files", "small"],
        &["stat-files", "small"],
        &["write-file", "written", "100"],
        &["read-file", "large"],
    ] {
        if only.as_ref().is_some_and(|only| only != work[0]) {
            continue;
        }
        let (mut ours, mut theirs) = (Duration::MAX, Duration::MAX);
        let argv: Vec<&str> = std::iter::once("bench-guest")
            .chain(work.iter().copied())
            .collect();
        for _ in 0..if only.is_some() { 400 } else { 40 } {
            let start = Instant::now();
            let report = runtime
                .block_on(sandbox.run(CallSpec::new(argv.iter().copied())))
                .unwrap();
            ours = ours.min(start.elapsed());
            assert_eq!(report.status, 0, "{report:?}");
            let start = Instant::now();
            let mut command = Command::new(&native);
            command
                .args(work)
                .current_dir(dir.path())
                .stdout(Stdio::null());
            assert!(command.status().unwrap().success());
            theirs = theirs.min(start.elapsed());
        }
        let ratio = ours.as_secs_f64() / theirs.as_secs_f64();
        println!(
            "{:32} guest {ours:>12?}  native {theirs:>12?}  {ratio:.2}x",
            work.join(" ")
        );
    }
}
