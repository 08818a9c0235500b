//! Work for the benches: `bench-guest WORK ARGS…`, the same program as a guest and natively.
#![allow(
    clippy::indexing_slicing,
    reason = "fixed tables in a program that measures itself"
)]

mod kernels;

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["nothing"] => Ok(0),
        ["read-files", folder] => read_files(folder),
        ["stat-files", folder] => stat_files(folder),
        ["write-file", path, megabytes] => write_file(path, number(megabytes)),
        ["read-file", path] => read_file(path),
        ["pipe-write", megabytes] => pipe_write(number(megabytes)),
        ["pipe-read"] => drain(&mut io::stdin().lock()),
        ["hash", rounds] => Ok(kernels::hash(number(rounds))),
        ["sort", numbers] => Ok(kernels::sort(number(numbers))),
        ["regex", lines] => Ok(kernels::search(number(lines))),
        _ => Err(io::Error::other("which work?")),
    };
    match done {
        // Printed so that no compiler can leave the work out.
        Ok(result) => {
            println!("{result}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("bench-guest: {error}");
            ExitCode::FAILURE
        }
    }
}

fn number(word: &str) -> u64 {
    word.parse().unwrap_or(0)
}

/// Opens, reads and closes every file of a folder.
fn read_files(folder: &str) -> io::Result<u64> {
    let mut sum = 0;
    let mut buffer = [0_u8; 4096];
    for entry in fs::read_dir(folder)? {
        let mut file = File::open(entry?.path())?;
        sum += file.read(&mut buffer)? as u64;
    }
    Ok(sum)
}

/// Looks at every file of a folder.
fn stat_files(folder: &str) -> io::Result<u64> {
    let mut sum = 0;
    for entry in fs::read_dir(folder)? {
        sum += fs::metadata(entry?.path())?.len();
    }
    Ok(sum)
}

fn write_file(path: &str, megabytes: u64) -> io::Result<u64> {
    let block = vec![b'x'; 1 << 20];
    let mut file = File::create(path)?;
    for _ in 0..megabytes {
        file.write_all(&block)?;
    }
    Ok(megabytes)
}

fn read_file(path: &str) -> io::Result<u64> {
    drain(&mut File::open(path)?)
}

fn pipe_write(megabytes: u64) -> io::Result<u64> {
    let block = vec![b'x'; 64 << 10];
    let mut out = io::stdout().lock();
    for _ in 0..megabytes * 16 {
        out.write_all(&block)?;
    }
    Ok(megabytes)
}

fn drain(from: &mut dyn Read) -> io::Result<u64> {
    let mut buffer = vec![0_u8; 64 << 10];
    let mut sum = 0;
    loop {
        match from.read(&mut buffer)? {
            0 => return Ok(sum),
            read => sum += read as u64,
        }
    }
}
