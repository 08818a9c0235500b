//! One test per limit: it ends what exceeds it, with its own status and sentence, and
//! taking it out lets the same command through.

use std::time::Duration;

use hardshell_host::{CallSpec, Limits, QuotaKind, Report, Termination};

use crate::support::{World, err, guest, out};

struct Case {
    argv: &'static [&'static str],
    /// Sets the limit.
    limit: fn(&mut Limits),
    termination: Termination,
    sentence: &'static str,
}

fn world() -> World {
    World::new(vec![("probe", guest("probe"))])
}

fn run(world: &World, argv: &[&str], limit: fn(&mut Limits)) -> Report {
    let mut limits = Limits::default();
    limit(&mut limits);
    let mut words = vec!["probe"];
    words.extend(argv);
    world.run(CallSpec::new(words).limits(limits))
}

/// The limit binds; without it the command ends well; and the next call works.
fn check(case: &Case) {
    let world = world();
    let report = run(&world, case.argv, case.limit);
    assert_eq!(
        report.termination,
        case.termination,
        "{:?}: {}",
        case.argv,
        err(&report)
    );
    assert_eq!(report.status, 137);
    let sentence = report.sentence.unwrap_or_default();
    assert!(
        sentence.contains(case.sentence),
        "{:?}: {sentence}",
        case.argv
    );
    assert_eq!(report.limit_hits, [sentence]);
    let report = run(&world, case.argv, |_| {});
    assert_eq!(
        report.termination,
        Termination::Exited(0),
        "{:?}: {}",
        case.argv,
        err(&report)
    );
    assert_eq!(out(&world.call(&["probe", "echo", "next"])), "next\n");
}

#[test]
fn wall_clock() {
    check(&Case {
        argv: &["sleep", "700"],
        limit: |l| l.wall = Duration::from_millis(100),
        termination: Termination::Deadline,
        sentence: "hardshell: time limit: the call ran longer than 0.100 s (limit wall, used 0.1",
    });
}

#[test]
fn cpu_time() {
    check(&Case {
        argv: &["work", "400000000"],
        limit: |l| l.cpu = Duration::from_millis(50),
        termination: Termination::CpuTime,
        sentence: "hardshell: CPU limit: the call used more than 0.050 s of CPU (limit cpu)",
    });
}

#[test]
fn cpu_time_of_all_processes_together() {
    let world = world();
    let report = run(&world, &["many", "8", "work", "1000000000"], |l| {
        l.cpu = Duration::from_millis(200)
    });
    assert_eq!(report.termination, Termination::CpuTime);
    assert!(
        report.cpu_time < Duration::from_millis(300),
        "{:?}",
        report.cpu_time
    );
}

#[test]
fn fuel() {
    check(&Case {
        argv: &["work", "20000000"],
        limit: |l| l.fuel = Some(10_000_000),
        termination: Termination::Fuel,
        sentence: "hardshell: fuel limit: the call used more than 10000000 units of fuel (limit fuel)",
    });
}

#[test]
fn fuel_is_the_same_each_time_and_shared() {
    let world = world();
    let used: Vec<_> = (0..3)
        .map(|_| {
            run(&world, &["spawn", "3", "work", "1000000"], |l| {
                l.fuel = Some(1 << 40)
            })
            .fuel
        })
        .collect();
    assert!(
        used.iter().all(|fuel| fuel.is_some() && *fuel == used[0]),
        "{used:?}"
    );
    let report = run(&world, &["many", "8", "work", "100000000"], |l| {
        l.fuel = Some(100_000_000)
    });
    assert_eq!(report.termination, Termination::Fuel);
    assert!(report.fuel.unwrap() < 110_000_000, "{:?}", report.fuel);
}

#[test]
fn memory_of_a_process() {
    check(&Case {
        argv: &["memory", "100"],
        limit: |l| l.memory_per_process = 32 << 20,
        termination: Termination::Memory,
        sentence: "hardshell: memory limit: the process needed more than 32 MiB (limit memory_per_process",
    });
}

#[test]
fn memory_of_a_child_is_told_on_its_stderr() {
    let world = world();
    let report = run(&world, &["run", "probe", "memory", "100"], |l| {
        l.memory_per_process = 32 << 20
    });
    assert_eq!(out(&report), "137 Memory\n");
    assert_eq!(report.termination, Termination::Exited(0));
    assert!(err(&report).contains("memory limit"), "{}", err(&report));
    assert_eq!(report.limit_hits.len(), 1);
}

#[test]
fn memory_of_all_processes() {
    check(&Case {
        argv: &["memory", "100"],
        limit: |l| l.memory = 64 << 20,
        termination: Termination::Memory,
        sentence: "hardshell: memory limit: the processes together needed more than 64 MiB (limit memory",
    });
    check(&Case {
        argv: &["hold-pipes", "80", "60000"],
        limit: |l| l.memory = 4 << 20,
        termination: Termination::Memory,
        sentence: "(limit memory",
    });
}

#[test]
fn processes_alive() {
    check(&Case {
        argv: &["many", "20", "sleep", "100"],
        limit: |l| l.processes = 10,
        termination: Termination::Processes,
        sentence: "hardshell: process limit: more than 10 processes at once (limit processes",
    });
}

#[test]
fn processes_started() {
    check(&Case {
        argv: &["spawn", "20", "true"],
        limit: |l| l.processes_started = 10,
        termination: Termination::Processes,
        sentence: "hardshell: process limit: more than 10 processes started (limit processes_started",
    });
}

#[test]
fn output() {
    check(&Case {
        argv: &["yes", "1000000"],
        limit: |l| l.output_bytes = 1000,
        termination: Termination::Output,
        sentence: "hardshell: output limit: the call wrote more than 1000 bytes (limit output_bytes)",
    });
    let report = run(&world(), &["yes"], |l| l.output_bytes = 1000);
    assert_eq!((report.stdout.len(), report.output_bytes), (1000, 1000));
}

#[test]
fn descriptors() {
    let world = world();
    let report = run(&world, &["open", "/dev/null", "100"], |l| {
        l.descriptors = 20
    });
    // stdin, stdout, stderr and the root are open already.
    assert_eq!(out(&report), "16 33\n");
    assert_eq!(
        out(&run(&world, &["open", "/dev/null", "100"], |_| {})),
        "all\n"
    );
}

#[test]
fn size_of_a_file() {
    check(&Case {
        argv: &["fill", "big", "1000000"],
        limit: |l| l.file_bytes = 100_000,
        termination: Termination::Quota(QuotaKind::FileBytes),
        sentence: "hardshell: file size limit: a file would have grown beyond 97.6 KiB (limit file_bytes",
    });
    check(&Case {
        argv: &["fill", "big.log", "1000000"],
        limit: |l| l.sizes = [("log".to_owned(), 100_000)].into(),
        termination: Termination::Quota(QuotaKind::FileBytes),
        sentence: "(limit sizes.log",
    });
}

#[test]
fn bytes_of_the_scratch_folder() {
    check(&Case {
        argv: &["fill", "/tmp/big", "1000000"],
        limit: |l| l.scratch_bytes = 100_000,
        termination: Termination::Quota(QuotaKind::ScratchBytes),
        sentence: "hardshell: disk limit: /tmp would have grown beyond 97.6 KiB (limit scratch_bytes",
    });
}

#[test]
fn bytes_of_the_workspace() {
    check(&Case {
        argv: &["fill", "big", "1000000"],
        limit: |l| l.workspace_bytes = 100_000,
        termination: Termination::Quota(QuotaKind::WorkspaceBytes),
        sentence: "hardshell: disk limit: the workspace would have grown beyond 97.6 KiB (limit workspace_bytes",
    });
}

#[test]
fn files_of_the_workspace() {
    check(&Case {
        argv: &["files", "many", "200"],
        limit: |l| l.workspace_files = 100,
        termination: Termination::Quota(QuotaKind::WorkspaceFiles),
        sentence: "hardshell: disk limit: the workspace would have held more than 100 files (limit workspace_files",
    });
}

#[test]
fn depth_of_a_path() {
    let deep = ["d"; 40].join("/");
    let limits = Limits {
        path_depth: 20,
        ..Limits::default()
    };
    let shallow = World::with_limits(vec![("probe", guest("probe"))], limits);
    let report = run(&shallow, &["files", &deep, "0"], |_| {});
    assert_eq!(report.status, 1, "{}", err(&report));
    assert_eq!(run(&world(), &["files", &deep, "0"], |_| {}).status, 0);
}

#[test]
fn stack() {
    let world = world();
    let report = world.call(&["probe", "recurse"]);
    assert_eq!(report.status, 134);
    assert!(matches!(report.termination, Termination::Trap(_)));
    assert_eq!(out(&world.call(&["probe", "echo", "next"])), "next\n");
}

/// A command's first use on a host compiles it. That is not the call's doing: a short time
/// limit must not end a call for it, for the next one would end just so.
#[test]
fn compiling_a_command_does_not_count_against_the_time_limit() {
    // New at each run, so that no cache holds it.
    let seed = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_nanos() as u64;
    let steps: String = (0..80)
        .map(|step| format!("(local.set 0 (i64.rotl (i64.xor (local.get 0) (i64.const {step})) (i64.add (local.get 0) (i64.const 7))))"))
        .collect();
    let functions: String = (0..4000)
        .map(|n| {
            format!(
                "(func (param i64) (result i64) {steps} (i64.add (local.get 0) (i64.const {n})))"
            )
        })
        .collect();
    let large = format!(
        "(module (import \"wasi_snapshot_preview1\" \"proc_exit\" (func $exit (param i32))) \
         (memory (export \"memory\") 1) (global i64 (i64.const {seed})) {functions} \
         (func (export \"_start\") (call $exit (i32.const 0))))"
    );
    let world = World::new(vec![
        ("probe", guest("probe")),
        ("large", crate::support::wat(&large)),
    ]);
    assert_eq!(world.call(&["probe", "true"]).status, 0);
    let limit = Duration::from_millis(100);
    let report = run(&world, &["run", "large"], |l| {
        l.wall = Duration::from_millis(100);
    });
    assert_eq!(out(&report), "0 Exited\n", "{}", err(&report));
    assert!(
        report.wall_time > limit,
        "it compiled in {:?}, within the limit: the test shows nothing",
        report.wall_time
    );
}
