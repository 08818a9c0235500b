//! Prints what the kernel costs: start of the engine, spawn and exit, loops, pipes, idle
//! sandboxes, blocked processes. `cargo run -p hardshell-host --example measure`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use hardshell_host::{
    Access, CallSpec, CommandSet, DirSource, Engine, EngineConfig, Limits, ModuleSource, Output,
    Registry, Sandbox, Scratch,
};

const TINY: &str = r#"(module (memory (export "memory") 1) (func (export "_start")))"#;

fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|l| l.starts_with("VmRSS:")).unwrap();
    line.split_whitespace()
        .nth(1)
        .unwrap()
        .parse::<u64>()
        .unwrap()
        * 1024
}

fn percentiles(mut times: Vec<Duration>) -> String {
    times.sort();
    let at = |p: usize| times[(times.len() - 1) * p / 100];
    format!("min {:?} median {:?} p99 {:?}", times[0], at(50), at(99))
}

fn sandbox(registry: &Registry, dir: &std::path::Path) -> Sandbox {
    let limits = Limits {
        processes: 2000,
        processes_started: u64::MAX,
        output_bytes: u64::MAX,
        wall: Duration::from_secs(600),
        cpu: Duration::from_secs(600),
        memory: 16 << 30,
        ..Limits::default()
    };
    Sandbox::builder(registry)
        .workspace(DirSource::Path(dir.to_owned()), Access::ReadWrite)
        .scratch(Scratch::Temp)
        .allow_commands(CommandSet::All)
        .limits(limits)
        .build()
        .unwrap()
}

fn main() {
    let target = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target");
    let cache_dir = Some(target.join("test-aot"));
    for (name, config) in [
        ("small", EngineConfig::small()),
        ("default", EngineConfig::default()),
    ] {
        let started = Instant::now();
        let engine = Engine::new(EngineConfig {
            cache_dir: cache_dir.clone(),
            ..config
        })
        .unwrap();
        println!("engine ({name}): {:?}", started.elapsed());
        drop(engine);
    }
    let engine = Engine::new(EngineConfig {
        cache_dir,
        ..EngineConfig::default()
    })
    .unwrap();
    let mut builder = Registry::builder(&engine)
        .module(
            ModuleSource::Bytes(wat::parse_str(TINY).unwrap()),
            &["tiny"],
        )
        .module(
            ModuleSource::Path(target.join("modules/test/probe.wasm")),
            &["probe"],
        );
    let coreutils = target.join("modules/coreutils.wasm");
    if coreutils.exists() {
        builder = builder.module(ModuleSource::Path(coreutils), &["true", "echo"]);
    }
    let registry = builder.build().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let sandbox_ = sandbox(&registry, dir.path());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let run = |argv: &[&str]| {
        let report = runtime
            .block_on(sandbox_.run(CallSpec::new(argv.iter().copied())))
            .unwrap();
        assert_eq!(report.status, 0, "{argv:?} {report:?}");
        report
    };

    for name in ["tiny", "probe", "true"] {
        if registry.program(name).is_none() {
            continue;
        }
        let argv: &[&str] = if name == "probe" {
            &["probe", "true"]
        } else {
            &[name]
        };
        let started = Instant::now();
        run(argv);
        println!("{name}: first {:?}", started.elapsed());
        let times = (0..3000)
            .map(|_| {
                let started = Instant::now();
                run(argv);
                started.elapsed()
            })
            .collect();
        println!("{name}: host-API spawn+exit {}", percentiles(times));
    }
    for (what, argv) in [
        (
            "loop of 2000 probe",
            &["probe", "spawn", "2000", "true"][..],
        ),
        (
            "pipe of 1 GB",
            &["probe", "pipe", "yes", "1000000000", "|", "count"],
        ),
    ] {
        for _ in 0..3 {
            let started = Instant::now();
            let report = run(argv);
            println!("{what}: {:?} cpu {:?}", started.elapsed(), report.cpu_time);
        }
    }
    let times = (0..1000)
        .map(|_| {
            let started = Instant::now();
            let sandbox = sandbox(&registry, dir.path());
            runtime
                .block_on(sandbox.run(CallSpec::new(["probe", "echo", "hi"])))
                .unwrap();
            started.elapsed()
        })
        .collect();
    println!("fresh sandbox + echo: {}", percentiles(times));

    let before = resident();
    let idle: Vec<Sandbox> = (0..1000)
        .map(|_| {
            let s = sandbox(&registry, dir.path());
            runtime
                .block_on(s.run(CallSpec::new(["probe", "true"])))
                .unwrap();
            s
        })
        .collect();
    println!(
        "idle sandbox: {} KiB each",
        (resident().saturating_sub(before)) / 1024 / 1000
    );
    drop(idle);

    let before = resident();
    let spec = CallSpec::new(["probe", "many", "1000", "block"]).stdout(Output::Null);
    let handle = sandbox_.start(spec).unwrap();
    while handle.progress().processes < 1001 {
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::sleep(Duration::from_millis(200));
    println!(
        "blocked process: {} KiB each",
        (resident().saturating_sub(before)) / 1024 / 1000
    );
    let started = Instant::now();
    handle.cancel();
    runtime.block_on(handle.wait());
    println!("kill of 1000 processes: {:?}", started.elapsed());
}
