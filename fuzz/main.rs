//! Runs programs of random kernel calls in one process for a while: `cargo xtask fuzz`.
//!
//! Programs are made by changing those of `fuzz/corpus`. A panic anywhere in the process, a call
//! that outlives its deadline, or a sandbox that no longer works afterwards is a finding.

use anyhow::{Context as _, bail};
use clap::Parser;
use hardshell_host::{
    Access, CallSpec, DirSource, Engine, EngineConfig, Input, Limits, ModuleSource, Sandbox,
    Scratch, bundle,
};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

static PANICS: AtomicU64 = AtomicU64::new(0);

/// Runs programs of random kernel calls.
#[derive(Parser)]
struct Cli {
    /// How long.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Where the random numbers begin; the same seed makes the same programs.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, most: usize) -> usize {
        (self.next() % most.max(1) as u64) as usize
    }

    /// A program made from those of the corpus.
    fn program(&mut self, corpus: &[Vec<u8>]) -> Vec<u8> {
        let mut program = corpus
            .get(self.below(corpus.len()))
            .cloned()
            .unwrap_or_default();
        for _ in 0..=self.below(6) {
            let at = self.below(program.len() + 1);
            match self.below(5) {
                0 => program.extend(
                    (0..self.below(64))
                        .map(|_| self.next() as u8)
                        .collect::<Vec<_>>(),
                ),
                1 => program.truncate(at),
                2 => program.insert(at, self.next() as u8),
                3 => {
                    let other = corpus
                        .get(self.below(corpus.len()))
                        .map_or(&[][..], Vec::as_slice);
                    let from = self.below(other.len());
                    program.extend_from_slice(other.get(from..).unwrap_or(&[]));
                }
                _ => {
                    let byte = self.next() as u8;
                    if let Some(old) = program.get_mut(at) {
                        *old = byte;
                    }
                }
            }
        }
        program.truncate(4096);
        program
    }
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        PANICS.fetch_add(1, Ordering::SeqCst);
        before(info);
    }));
    let root = hardshell_tests::binary::root();
    let corpus: Vec<Vec<u8>> = std::fs::read_dir(root.join("fuzz/corpus"))?
        .map(|entry| Ok(std::fs::read(entry?.path())?))
        .collect::<anyhow::Result<_>>()?;
    let modules = root.join("target/modules");
    let guest = modules.join("test/random_calls.wasm");
    if !guest.is_file() {
        bail!(
            "{} is not there: run `cargo xtask modules`",
            guest.display()
        );
    }
    let engine = Engine::new(EngineConfig::default())?;
    let registry = bundle::from_dir(&engine, &modules)?
        .module(ModuleSource::Path(guest), &["random_calls"])
        .build()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;

    let mut random = Random(cli.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let end = Instant::now() + Duration::from_secs(cli.seconds);
    let (mut count, mut ended_by_limit) = (0_u64, 0_u64);
    while Instant::now() < end {
        let folder = tempfile::tempdir()?;
        let sandbox = Sandbox::builder(&registry)
            .workspace(DirSource::Path(folder.path().to_owned()), Access::ReadWrite)
            .scratch(Scratch::Temp)
            .limits(limits())
            .build()?;
        for _ in 0..20 {
            let program = random.program(&corpus);
            let begin = Instant::now();
            let spec = CallSpec::new(["random_calls"]).stdin(Input::Bytes(program.clone().into()));
            let report = runtime.block_on(sandbox.run(spec))?;
            let took = begin.elapsed();
            count += 1;
            ended_by_limit += u64::from(report.termination.is_limit());
            let why = if PANICS.load(Ordering::SeqCst) > 0 {
                Some("the host panicked".to_owned())
            } else if took > Duration::from_secs(2) {
                Some(format!("the call took {took:?}, its deadline was 0.2 s"))
            } else {
                None
            };
            if let Some(why) = why {
                bail!("{why}; the program is {}", keep(&root, &program)?.display());
            }
        }
        let report = runtime.block_on(sandbox.run(CallSpec::new(["true"])))?;
        if report.status != 0 {
            bail!(
                "afterwards `true` ended with {}: {:?}",
                report.status,
                report.sentence
            );
        }
    }
    println!(
        "{count} programs ran clean, {ended_by_limit} of them ended by a limit (seed {})",
        cli.seed
    );
    Ok(())
}

fn limits() -> Limits {
    Limits {
        wall: Duration::from_millis(200),
        cpu: Duration::from_millis(200),
        memory_per_process: 32 << 20,
        memory: 128 << 20,
        processes: 16,
        processes_started: 64,
        output_bytes: 1 << 20,
        file_bytes: 1 << 20,
        workspace_bytes: 4 << 20,
        workspace_files: 200,
        scratch_bytes: 4 << 20,
        ..Limits::default()
    }
}

fn keep(root: &Path, program: &[u8]) -> anyhow::Result<PathBuf> {
    let folder = root.join("target/fuzz");
    std::fs::create_dir_all(&folder)?;
    let path = folder.join(format!(
        "program-{:x}",
        program
            .iter()
            .fold(0_u64, |sum, byte| sum.wrapping_mul(31) ^ u64::from(*byte))
    ));
    std::fs::write(&path, program).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}
